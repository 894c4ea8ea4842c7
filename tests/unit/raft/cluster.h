/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_RAFT_CLUSTER_H
#define FL_TEST_RAFT_CLUSTER_H
/*
 * Members of a cluster in one process, for stories: a network that moves only when it is told to,
 * disks that keep what reached them when a member crashes, and a state that is the list of commands
 * applied. All that happens is told to `out`, a line each.
 */
#include "core.h"

#include <stdio.h>

enum { NODES_MAX = 9, STATE_MAX = 4096, QUEUE_MAX = 4096, APPLIED_MAX = 1024 };

struct disk {
	struct raft_hard_state hard;
	struct raft_snapshot snapshot;
	char snapshot_state[STATE_MAX];
	struct raft_entry *entries;
	size_t entry_count;
};

struct node {
	struct cluster *cluster;
	uint64_t id;
	struct raft *r; /* NULL: down, or not there */
	bool exists;
	bool slow_disk; /* batches wait for `persist` */
	uint32_t random;
	struct disk disk;
	struct raft_effects *batches[QUEUE_MAX]; /* on their way to the disk */
	size_t batch_count;
	char incoming[STATE_MAX];
	char state[STATE_MAX];
	struct raft_status told; /* what was said of it last */
};

struct network {
	struct raft_message *items[QUEUE_MAX];
	size_t count;
};

struct cluster {
	FILE *out;
	bool silent; /* messages are not told */
	struct raft_options options;
	struct node nodes[NODES_MAX + 1]; /* by id */
	struct network network, stash;
	bool blocked[NODES_MAX + 1][NODES_MAX + 1]; /* from, to */
	/* Whatever anybody applied at an index: all have to apply the same. */
	char applied[APPLIED_MAX][64];
};

struct cluster *cluster_new(FILE *out);
void cluster_free(struct cluster *cluster);
void cluster_open(struct cluster *cluster, uint64_t id, const struct raft_restored *restored);
void cluster_crash(struct cluster *cluster, uint64_t id);
void cluster_restart(struct cluster *cluster, uint64_t id);
/* Takes effects until there are none. */
void cluster_run(struct cluster *cluster);
/* The oldest batch of the member is on disk. false: there is none. */
bool cluster_persist(struct cluster *cluster, uint64_t id);
/* The first message on its way among members of the set. false: there is none. */
bool cluster_deliver(struct cluster *cluster, uint64_t from, uint64_t to);
/* Moves, or copies, messages of this way to another queue; to NULL: they are lost. */
void cluster_divert(struct cluster *cluster, struct network *source, struct network *target,
		    uint64_t from, uint64_t to, bool copy);

void describe_message(FILE *out, const struct raft_message *message);
void describe_entry(FILE *out, const struct raft_entry *entry);
void describe_members(FILE *out, const struct raft_members *members);
void describe_status(FILE *out, const struct raft_status *status);
#endif
