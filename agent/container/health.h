/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_HEALTH_H
#define FL_HEALTH_H
/*
 * A container's health, by docker's rules (HEALTHCHECK). Pure: time is passed in, nanoseconds.
 *
 *	starting --success--> healthy --`retries` failures in a row--> unhealthy --success-->
 *healthy
 *	    `----`retries` failures in a row, after the start period-------^
 */
#include "record.h"

enum health_state { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

enum { HEALTH_LOG_MAX = 5, HEALTH_OUTPUT_MAX = 4096 };

struct health_result {
	int64_t start_ns, end_ns;
	int exit_code; /* -1: it took too long */
	char output[HEALTH_OUTPUT_MAX + 1];
};

struct health {
	enum health_state state;
	unsigned int failing_streak;
	int64_t started_ns, next_ns;
	struct health_result log[HEALTH_LOG_MAX]; /* the newest last */
	unsigned int log_count;
};

/* When the container has started (or was adopted: `state` is then what is known of before). */
void health_begin(struct health *health, const struct health_config *config, int64_t now_ns);

/* What a probe brought. True: the state is another one now. */
bool health_add(struct health *health, const struct health_config *config,
		const struct health_result *result);

/* "starting" and so on, as the Engine API has it. */
const char *health_state_text(enum health_state state);
#endif
