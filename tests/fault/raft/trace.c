/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include <inttypes.h>
#include <stdio.h>

#include "world.h"

const char *trace_state(enum raft_state state)
{
	static const char *const names[] = {"follower", "precandidate", "candidate", "leader"};

	return state <= RAFT_LEADER ? names[state] : "?";
}

const char *trace_change(enum raft_change_type type)
{
	static const char *const names[] = {"?",      "add learner", "promote",
					    "demote", "remove",      "set the address of"};

	return type <= RAFT_SET_ADDRESS ? names[type] : "?";
}

const char *trace_message_type(uint8_t type)
{
	static const char *const names[RAFT_MESSAGE_TYPES] = {"?",
							      "PREVOTE",
							      "PREVOTE_REPLY",
							      "VOTE",
							      "VOTE_REPLY",
							      "APPEND",
							      "APPEND_REPLY",
							      "HEARTBEAT",
							      "HEARTBEAT_REPLY",
							      "SNAPSHOT",
							      "SNAPSHOT_REPLY",
							      "TIMEOUT_NOW",
							      "READ",
							      "READ_REPLY"};

	return type < RAFT_MESSAGE_TYPES ? names[type] : "?";
}

void trace_message(struct world *world, const struct raft_message *m)
{
	char more[120] = "";

	if (!world->options.trace)
		return;
	if (m->entry_count)
		snprintf(more, sizeof(more), " +%u (term %" PRIu64 "..%" PRIu64 ")", m->entry_count,
			 m->entries[0].term, m->entries[m->entry_count - 1].term);
	else if (m->snapshot)
		snprintf(more, sizeof(more),
			 " snapshot %" PRIu64 "/%" PRIu64 " offset %" PRIu64 "%s",
			 m->snapshot->index, m->snapshot->term, m->offset, m->last ? " last" : "");
	world_trace(world, m->to,
		    "<- m%" PRIu64 " %s term %" PRIu64 " index %" PRIu64 "/%" PRIu64
		    " commit %" PRIu64 "%s%s%s%s",
		    m->from, trace_message_type(m->type), m->term, m->index, m->log_term, m->commit,
		    m->context ? " with context" : "", m->transfer ? " transfer" : "",
		    m->reject ? " no" : "", more);
}
