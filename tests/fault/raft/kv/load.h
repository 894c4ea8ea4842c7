/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TESTS_KV_LOAD_H
#define FL_TESTS_KV_LOAD_H
/*
 * Clients of a cluster of raft-kv, many of them in one process, each with one request at a time.
 * All share one connection to each member.
 *
 * A request that was certainly not carried out (redirect, busy, no connection) is made again as the
 * same operation. One whose outcome is not known (unknown, a lost connection, no answer for
 * LOAD_PATIENCE_MS) ends as such, if it may have changed something: that client is done, and
 * another one begins in its place.
 */
#include <stdbool.h>
#include <stdio.h>
#include <uv.h>

#include "histogram.h"

enum {
	LOAD_MEMBERS_MAX = 16,
	LOAD_PATIENCE_MS = 1000,
	LOAD_PAUSE_MS = 5, /* before a request is made again */
	LOAD_COMMAND_MAX = 2048,
};

struct load_options {
	const char *members[LOAD_MEMBERS_MAX]; /* their addresses for clients */
	unsigned int member_count;
	unsigned int outstanding;
	uint64_t keys;
	unsigned int get_percent, cas_percent; /* the rest: put */
	bool gets_anywhere;                    /* ask any member for reads, not the leader alone */
	unsigned int command_bytes;            /* a put is filled up to that */
	uint64_t first_value;                  /* values written are above; never the same twice */
	uint64_t operations;                   /* finished ones, then it ends; 0: no such end */
	uint64_t seconds;                      /* 0: no such end */
	FILE *history;                         /* NULL: none */
};

struct load_result {
	uint64_t finished, unknown, retried;
	uint64_t first_ns, last_ns; /* of what finished */
	struct histogram latency;
};

/* Runs to its end, or until SIGTERM. 0 or a negative errno: not an address, no memory. */
int load_run(const struct load_options *options, struct load_result *result);
#endif
