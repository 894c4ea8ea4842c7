/* SPDX-License-Identifier: BSD-2-Clause */
#include "health.h"

#include <string.h>

void health_begin(struct health *health, const struct health_config *config, int64_t now_ns)
{
	*health = (struct health){.started_ns = now_ns, .next_ns = now_ns + config->interval_ns};
	health->state = config->test ? HEALTH_STARTING : HEALTH_NONE;
}

static void keep(struct health *health, const struct health_result *result)
{
	if (health->log_count == HEALTH_LOG_MAX) {
		memmove(&health->log[0], &health->log[1],
			(HEALTH_LOG_MAX - 1) * sizeof(health->log[0]));
		health->log_count--;
	}
	health->log[health->log_count++] = *result;
}

bool health_add(struct health *health, const struct health_config *config,
		const struct health_result *result)
{
	const enum health_state before = health->state;
	const bool in_start_period =
	    before == HEALTH_STARTING &&
	    result->start_ns < health->started_ns + config->start_period_ns;

	keep(health, result);
	health->next_ns = result->end_ns + config->interval_ns;
	if (!result->exit_code) {
		health->failing_streak = 0;
		health->state = HEALTH_HEALTHY;
	} else if (!in_start_period) {
		health->failing_streak++;
		if (health->failing_streak >= (config->retries ? config->retries : 3))
			health->state = HEALTH_UNHEALTHY;
	}
	return health->state != before;
}

const char *health_state_text(enum health_state state)
{
	static const char *const texts[] = {"none", "starting", "healthy", "unhealthy"};

	return texts[state];
}
