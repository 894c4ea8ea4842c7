/* SPDX-License-Identifier: BSD-2-Clause */
/* What a member does for clients. */
#include "checks.h"
#include "member_internal.h"
#include "mutations.h"
#include "world.h"

static void answer(struct member *m, const struct member_waiting *waiting,
		   enum client_answer answer, uint64_t result)
{
	client_answer(m->world, waiting->client,
		      (struct client_reply){.attempt = waiting->attempt,
					    .answer = answer,
					    .result = result,
					    .leader = m->status.leader});
}

void member_answer_command(struct member *m, const struct raft_entry *entry, uint64_t result)
{
	for (uint32_t i = 0; i < m->waiting_count;) {
		struct member_waiting *waiting = &m->waiting[i];

		if (waiting->context || waiting->index != entry->index) {
			i++;
			continue;
		}
		if (waiting->term == entry->term || sim_mutated(SIM_runtime_answer_by_index)) {
			answer(m, waiting, CLIENT_DONE, result);
		} else {
			m->world->coverage.proposals_overwritten++;
			answer(m, waiting, CLIENT_LOST, 0);
		}
		*waiting = m->waiting[--m->waiting_count];
	}
}

void member_answer_reads(struct member *m)
{
	for (uint32_t i = 0; i < m->waiting_count;) {
		struct member_waiting *waiting = &m->waiting[i];

		if (!waiting->context || !waiting->index ||
		    (waiting->index > m->applied && !sim_mutated(SIM_runtime_read_before_apply))) {
			i++;
			continue;
		}
		answer(m, waiting, CLIENT_DONE, m->store.registers[waiting->key]);
		*waiting = m->waiting[--m->waiting_count];
	}
}

void member_read_done(struct member *m, const struct raft_read_done *read)
{
	for (uint32_t i = 0; i < m->waiting_count; i++) {
		struct member_waiting *waiting = &m->waiting[i];

		if (waiting->context != read->context)
			continue;
		if (read->err) {
			m->world->coverage.reads_given_up++;
			answer(m, waiting, CLIENT_NOT_LEADER, 0);
			*waiting = m->waiting[--m->waiting_count];
			return;
		}
		if (member_is_leader(m))
			m->world->coverage.reads_on_leaders++;
		else
			m->world->coverage.reads_on_followers++;
		checks_read(m, waiting->floor, read->index);
		waiting->index = read->index;
		return;
	}
}

static int ask_read(struct member *m, struct member_waiting *waiting)
{
	waiting->context = waiting->attempt;
	waiting->floor = m->world->ledger.commit;
	return raft_read(m->raft, waiting->context);
}

static int propose(struct member *m, const struct client_request *request,
		   struct member_waiting *waiting)
{
	struct raft_bytes *bytes = store_encode(&request->command, request->padding);
	int err = raft_propose(m->raft, bytes, &waiting->index, &waiting->term);

	raft_bytes_release(bytes);
	m->world->coverage.proposals += !err;
	m->world->coverage.proposals_refused_full += err == RAFT_FULL;
	return err;
}

void member_request(struct member *m, const struct client_request *request)
{
	struct member_waiting *waiting = &m->waiting[m->waiting_count];
	const bool is_read = request->command.kind == LINEAR_READ;
	int err;

	if (m->waiting_count == MEMBER_WAITING_MAX)
		return;
	*waiting = (struct member_waiting){
	    .client = request->client, .attempt = request->attempt, .key = request->command.key};
	err = is_read ? ask_read(m, waiting) : propose(m, request, waiting);
	m->waiting_count += !err;
	if (err)
		answer(m, waiting, err == RAFT_NOT_LEADER ? CLIENT_NOT_LEADER : CLIENT_REFUSED, 0);
	else if (!is_read && sim_mutated(SIM_runtime_answer_before_commit))
		answer(m, waiting, CLIENT_DONE, m->store.registers[request->command.key]);
	member_settle(m);
}

uint64_t member_probe(struct member *m)
{
	struct raft_bytes *bytes = store_encode(&(struct store_command){.kind = LINEAR_CAS}, 0);
	uint64_t index, term;
	int err = raft_propose(m->raft, bytes, &index, &term);

	raft_bytes_release(bytes);
	member_settle(m);
	return err ? 0 : index;
}
