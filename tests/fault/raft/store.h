/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_STORE_H
#define FL_SIM_STORE_H
/*
 * The replicated state machine of the simulator: registers, and for each client the number of its
 * newest command and what it came to (thesis 6.3: a retried command takes effect once).
 */
#include "../../../raft/types.h"

enum { STORE_KEYS = 3, STORE_CLIENTS = 6 };

struct store_command {
	uint32_t client;
	uint8_t kind; /* enum linear_kind: a write or a swap */
	uint8_t key;
	uint16_t zero;     /* it is hashed: no byte of it may be left to chance */
	uint64_t sequence; /* of the client's commands, from 1 */
	uint64_t expected, value;
};

struct store {
	uint64_t registers[STORE_KEYS];
	struct {
		uint64_t sequence, result;
	} sessions[STORE_CLIENTS];
};

struct raft_bytes *store_encode(const struct store_command *command, uint32_t padding);
/* What the register held before. *again: the client had this one, or a newer one, done before. */
uint64_t store_apply(struct store *store, const struct raft_bytes *bytes, bool *again);
struct raft_bytes *store_snapshot(const struct store *store, uint32_t padding);
/* false: these bytes are no snapshot. */
bool store_restore(struct store *store, const struct raft_bytes *bytes);
uint64_t store_hash(const struct store *store);
#endif
