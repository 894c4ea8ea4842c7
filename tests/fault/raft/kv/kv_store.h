/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TESTS_KV_STORE_H
#define FL_TESTS_KV_STORE_H
/*
 * Registers, all 0 at first. In pages that views share: who writes to a shared page copies it first
 * (copy on write), so a snapshot costs a few pointers and stays as it was.
 *
 * A command is a text: "put KEY VALUE" or "cas KEY EXPECTED VALUE", and anything behind it.
 * apply gives what was there before; bytes that are no command change nothing and give
 * KV_NO_COMMAND.
 *
 * A snapshot: pairs of key and value, 64 bits each, little-endian, keys ascending, no zero values.
 */
#include "store.h"

enum { KV_KEYS_MAX = 1 << 20 };
#define KV_NO_COMMAND UINT64_MAX

struct kv_store;
struct kv_store *kv_store_new(void);
void kv_store_free(struct kv_store *store);
uint64_t kv_store_get(const struct kv_store *store, uint64_t key);
struct raft_store kv_store_seam(struct kv_store *store);
#endif
