/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TRANSACTION_H
#define FL_TRANSACTION_H
/*
 * A transaction on its way to the log: bytes that grow by a change at a time. Messages are encoded
 * when they are added, and may change or go afterwards.
 *
 * **A change that fails, fails alone.** The scheduler places a hundred tasks in one entry; that an
 * agent's report came before one of them must not undo the others, which nothing connects to it.
 * What does stand and fall together goes into an atomic transaction: all of it or nothing.
 * transaction_check makes an atomic one depend on an object that it does not change.
 *
 * One object is to be changed once: a second update cannot know the version that the first gives
 * it.
 */
#include "store.h"

struct transaction;

/* time: now, nanoseconds since 1970; becomes created_at and updated_at. NULL: no memory. */
struct transaction *transaction_new(int64_t time, bool atomic);
void transaction_free(struct transaction *transaction); /* NULL is fine */

/*
 * Each returns 0, -ENOMEM, or, with the transaction as it was:
 * -EMSGSIZE: the object is too large;
 * -ENOSPC: the transaction is full; propose it and begin another.
 * The message must be of a table and have an id (asserted).
 */
int transaction_create(struct transaction *transaction, const ProtobufCMessage *object);
/* Based on the object's version field. */
int transaction_update(struct transaction *transaction, const ProtobufCMessage *object);
/* version 0: whatever version it has by then. */
int transaction_delete(struct transaction *transaction, enum store_table table, const char *id,
		       uint64_t version);
/* Fails unless the object has this version when the entry is applied. */
int transaction_check(struct transaction *transaction, enum store_table table, const char *id,
		      uint64_t version);

size_t transaction_count(const struct transaction *transaction); /* of changes */
/* What is to be proposed; good until the next call. */
const void *transaction_bytes(const struct transaction *transaction, size_t *size);

/* Changes in such bytes, before anything is made of them. -EBADMSG: not a transaction, or more than
 * STORE_CHANGES_MAX. */
int transaction_scan(const void *bytes, size_t size);
#endif
