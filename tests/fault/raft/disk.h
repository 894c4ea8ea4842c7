/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_DISK_H
#define FL_SIM_DISK_H
/*
 * A member's disk: what core.h asks of one, and what disks do. Batches wait in a queue and are
 * written in order; the log is a list of records with checksums, which is read back as a whole on
 * open. A crash keeps any number of the records on their way, in order, and may tear or flip the
 * last ones. Damage in what was synced is refused, in what was not it is the end of the log.
 */
#include "../../../raft/core.h"
#include "coverage.h"
#include "journal.h"
#include "random.h"

enum disk_record_type { DISK_BASE = 1, DISK_HARD_STATE, DISK_ENTRY };

struct disk_record {
	uint8_t type;
	uint32_t checksum;
	uint64_t words[3];       /* base: index, term; hard state: term, vote, commit; entry: index,
				    term, type */
	struct raft_bytes *data; /* base: the state; entry */
	struct raft_snapshot *snapshot; /* base; owned */
};

/* What is persisted at once: the effects of one raft_take, or a snapshot of the member's own. */
struct disk_batch {
	struct disk_batch *next;
	struct raft_effects effects; /* hard_state, entries, chunks, install, later */
	bool is_snapshot;
	struct raft_snapshot snapshot;
	struct raft_bytes *state;
};

struct disk {
	/* What is on disk for good. */
	struct raft_hard_state hard;
	struct raft_snapshot snapshot;
	struct raft_bytes *state; /* the snapshot's; NULL: a member that never had one */
	struct journal journal;

	struct disk_record *records;
	size_t record_count, record_room;
	size_t synced; /* records */
	uint8_t *incoming;
	uint64_t incoming_size;

	struct disk_batch *first, *last; /* on their way */
	bool is_full;
	bool is_damaged; /* and will be found so on open */
};

void disk_free(struct disk *disk);
/* A cluster's first snapshot, as on the disk of each of its first members. */
void disk_format(struct disk *disk, const struct raft_snapshot *snapshot, struct raft_bytes *state);
/* Takes the batch over. */
void disk_queue(struct disk *disk, struct disk_batch *batch);
void disk_batch_free(struct disk_batch *batch);
/* Persists the first batch in the queue and hands it out. NULL and *problem: what it asks for
 * cannot be right (the caller's or the core's fault). */
struct disk_batch *disk_write(struct disk *disk, const char **problem);
/* The machine stops. What of the queue gets to the disk is left to chance. */
void disk_crash(struct disk *disk, struct sim_random *random, struct sim_coverage *coverage);
/* Flips a bit in a record that was synced. */
void disk_damage(struct disk *disk, struct sim_random *random);
/* Reads everything back. -EBADMSG: there is damage in what was synced. */
int disk_open(struct disk *disk, struct sim_coverage *coverage);
#endif
