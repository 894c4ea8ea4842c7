/* SPDX-License-Identifier: BSD-2-Clause */
#include "cluster.h"

#include <inttypes.h>

void describe_members(FILE *out, const struct raft_members *members)
{
	fprintf(out, "members");
	for (uint32_t i = 0; i < members->count; i++) {
		const struct raft_member *member = &members->member[i];
		fprintf(out, " %" PRIu64 "%s", member->id,
			member->role == RAFT_LEARNER ? "(learner)" : "");
		if (member->address[0])
			fprintf(out, "@%s", member->address);
	}
}

void describe_entry(FILE *out, const struct raft_entry *entry)
{
	struct raft_members members;

	fprintf(out, "%" PRIu64 "/%" PRIu64 " ", entry->index, entry->term);
	if (entry->type == RAFT_ENTRY_EMPTY) {
		fprintf(out, "empty");
	} else if (entry->type == RAFT_ENTRY_MEMBERS) {
		if (!raft_members_decode(entry->data->data, entry->data->size, &members))
			describe_members(out, &members);
	} else if (entry->data) {
		fwrite(entry->data->data, 1, entry->data->size, out);
	}
}

static const char *const names[] = {
    "?",
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
    "READ_REPLY",
};

static void describe_append(FILE *out, const struct raft_message *m)
{
	fprintf(out, " after %" PRIu64 "/%" PRIu64 " commit %" PRIu64, m->index, m->log_term,
		m->commit);
	for (uint32_t i = 0; i < m->entry_count; i++) {
		fprintf(out, i ? ", " : ": ");
		describe_entry(out, &m->entries[i]);
	}
}

static void describe_append_reply(FILE *out, const struct raft_message *m)
{
	if (!m->reject)
		fprintf(out, " has %" PRIu64, m->index);
	else if (m->offset)
		fprintf(out, " no %" PRIu64 ", perhaps %" PRIu64 "/%" PRIu64, m->offset, m->index,
			m->log_term);
	else
		fprintf(out, " no, a newer term");
}

void describe_message(FILE *out, const struct raft_message *m)
{
	fprintf(out, "%" PRIu64 " -> %" PRIu64 " %s term %" PRIu64, m->from, m->to, names[m->type],
		m->term);
	switch (m->type) {
	case RAFT_PREVOTE:
	case RAFT_VOTE:
		fprintf(out, " last %" PRIu64 "/%" PRIu64 "%s", m->index, m->log_term,
			m->transfer ? " transfer" : "");
		break;
	case RAFT_PREVOTE_REPLY:
	case RAFT_VOTE_REPLY:
		fprintf(out, m->reject ? " no" : " yes");
		break;
	case RAFT_APPEND:
		describe_append(out, m);
		break;
	case RAFT_APPEND_REPLY:
		describe_append_reply(out, m);
		break;
	case RAFT_HEARTBEAT:
		fprintf(out, " commit %" PRIu64, m->commit);
		if (m->context)
			fprintf(out, " round %" PRIu64, m->context);
		break;
	case RAFT_HEARTBEAT_REPLY:
		if (m->context)
			fprintf(out, " round %" PRIu64, m->context);
		break;
	case RAFT_SNAPSHOT:
		fprintf(out,
			" of %" PRIu64 "/%" PRIu64 " from %" PRIu64 ", %u of %" PRIu64 " bytes%s",
			m->index, m->log_term, m->offset, m->chunk ? m->chunk->size : 0,
			m->snapshot->size, m->last ? ", last" : "");
		break;
	case RAFT_SNAPSHOT_REPLY:
		fprintf(out, " of %" PRIu64 "/%" PRIu64, m->index, m->log_term);
		if (m->reject)
			fprintf(out, " start again");
		else
			fprintf(out, " wants %" PRIu64, m->offset);
		break;
	case RAFT_READ_REPLY:
		if (m->reject)
			fprintf(out, " no leader");
		else
			fprintf(out, " at %" PRIu64, m->index);
		break;
	default:
		break;
	}
	fprintf(out, "\n");
}

void describe_status(FILE *out, const struct raft_status *status)
{
	static const char *const states[] = {"follower", "precandidate", "candidate", "leader"};

	fprintf(out, "%" PRIu64 ": %s, term %" PRIu64, status->id, states[status->state],
		status->term);
	if (status->state == RAFT_FOLLOWER && status->leader)
		fprintf(out, ", leader %" PRIu64, status->leader);
}
