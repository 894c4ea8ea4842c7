/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_DISK_STORY_H
#define FL_TEST_DISK_STORY_H
/*
 * A member's life in steps, each of which is on disk as a whole or not at all, and the state that
 * the folder must give back after each: what the crash tests play over and over.
 */
#include "disk.h"
#include "disk_limits.h"
#include "fake_disk.h"

enum { STORY_ENTRIES_MAX = 128, STORY_SEGMENT_SIZE = 64 << 10 };

/* Entry and snapshot contents follow from index and term alone. */
struct story_state {
	struct raft_hard_state hard_state;
	uint64_t snapshot_index, snapshot_term, snapshot_size;
	uint64_t last;
	uint64_t terms[STORY_ENTRIES_MAX]; /* by index */
};

extern const struct disk_keyring story_ring;   /* keys 1 and 2; 1 is active */
extern const struct disk_key story_second_key; /* key 2 */

/* Number of steps. */
int story_length(void);
/* After step, counted from 0. -1: the empty folder's. */
const struct story_state *story_after(int step);
/* Does one step. 0 or what a call gave. May be called again after -ENOSPC. */
int story_step(struct disk *d, int step);

int story_open(struct fake_disk *fake, struct disk **d, struct raft_restored *restored,
	       struct raft_error *error);
/* NULL, or what differs. d: to read the snapshot back from. */
const char *story_compare(const struct story_state *state, struct disk *d,
			  const struct raft_restored *restored);
/* One entry with its content. The caller releases data. */
struct raft_entry story_entry(uint64_t index, uint64_t term, size_t size);
#endif
