/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_STORE_H
#define FL_RAFT_STORE_H
/*
 * What is replicated: the one seam between consensus and the state that it keeps the same
 * everywhere. apply must depend on nothing but the state and its arguments: no clock, no random
 * number, no pointer.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct raft_store {
	void *context;

	/* Loop thread. Index by index upwards, each command once on each member. What it returns is
	 * for whoever proposed it. Bytes that make no sense to the store change nothing. */
	uint64_t (*apply)(void *context, uint64_t index, const void *command, size_t size);

	/*
	 * A view of the state as it is now. It stays so while apply goes on: copy on write, or a
	 * consistent iterator. begin and end: loop thread, and quick; NULL: no memory. read:
	 * another thread, one at a time, while apply runs: the next bytes, fewer than size or 0 at
	 * the end alone, or a negative errno. The state before the first command has 0 bytes or is
	 * restored from 0 bytes.
	 */
	void *(*snapshot_begin)(void *context);
	ssize_t (*snapshot_read)(void *snapshot, void *to, size_t size);
	void (*snapshot_end)(void *snapshot);

	/* Loop thread. Replaces the whole state, which until end succeeds is nobody's to read; a
	 * second begin drops what came so far. An error is final: the member stops. */
	int (*restore_begin)(void *context, uint64_t size);
	int (*restore_chunk)(void *context, const void *data, size_t size);
	int (*restore_end)(void *context, uint64_t index);
};
#endif
