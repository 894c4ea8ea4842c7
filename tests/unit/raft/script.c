/* SPDX-License-Identifier: BSD-2-Clause */
#include "script.h"

#include "cluster.h"
#include "words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct node *node(struct cluster *cluster, struct words *words)
{
	uint64_t id = words_number(words);

	assert_true(id >= 1 && id <= NODES_MAX);
	return &cluster->nodes[id];
}

static struct node *up(struct cluster *cluster, struct words *words)
{
	struct node *found = node(cluster, words);

	if (!found->r)
		fail_msg("member %" PRIu64 " is down (\"%s\")", found->id, words->word[0]);
	return found;
}

/* "1 -> 2"; either side may be "all". */
static void way(struct words *words, uint64_t *from, uint64_t *to)
{
	*from = words_next_is(words, "all") ? 0 : words_number(words);
	assert_true(words_next_is(words, "->"));
	*to = words_next_is(words, "all") ? 0 : words_number(words);
}

static const char *error_text(int err)
{
	switch (err) {
	case RAFT_NOT_LEADER:
		return "not the leader";
	case RAFT_BUSY:
		return "busy";
	case RAFT_FULL:
		return "full";
	case RAFT_TOO_BIG:
		return "too big";
	case RAFT_NOT_YET:
		return "not yet";
	case RAFT_INVALID:
		return "invalid";
	default:
		return "?";
	}
}

static void tell_error(struct cluster *cluster, int err)
{
	if (err)
		fprintf(cluster->out, "refused: %s\n", error_text(err));
}

static void cmd_members(struct cluster *cluster, struct words *words)
{
	struct raft_restored restored = {.snapshot = {.index = 1, .term = 1}};
	struct raft_members *members = &restored.snapshot.members;
	uint8_t role = RAFT_VOTER;

	while (words->at < words->count) {
		if (words_next_is(words, "learners"))
			role = RAFT_LEARNER;
		members->member[members->count++] =
		    (struct raft_member){.id = words_number(words), .role = role};
	}
	for (uint32_t i = 0; i < members->count; i++)
		if (!cluster->nodes[members->member[i].id].exists)
			cluster_open(cluster, members->member[i].id, &restored);
}

/* open 1 of 1 2 3 term 4 [vote 1] [commit 2] log 1 1 2: the log's terms, from index 1. */
static void cmd_open(struct cluster *cluster, struct words *words)
{
	struct raft_restored restored = {.snapshot = {.index = 1, .term = 1}};
	struct raft_members *members = &restored.snapshot.members;
	struct raft_entry entries[WORDS_MAX];
	uint64_t id = words_number(words);

	assert_true(words_next_is(words, "of"));
	while (words_next_is_number(words))
		members->member[members->count++] =
		    (struct raft_member){.id = words_number(words), .role = RAFT_VOTER};
	assert_true(words_next_is(words, "term"));
	restored.hard_state.term = words_number(words);
	if (words_next_is(words, "vote"))
		restored.hard_state.vote = words_number(words);
	if (words_next_is(words, "commit"))
		restored.hard_state.commit = words_number(words);
	assert_true(words_next_is(words, "log"));
	assert_int_equal(words_number(words), 1);
	while (words_next_is_number(words)) {
		struct raft_entry *entry = &entries[restored.entry_count];
		*entry = (struct raft_entry){.index = 2 + restored.entry_count++,
					     .term = words_number(words),
					     .type = RAFT_ENTRY_COMMAND};
		char text[32];
		int length = snprintf(text, sizeof(text), "t%" PRIu64 "i%" PRIu64, entry->term,
				      entry->index);
		entry->data = raft_bytes_new(text, (size_t)length);
	}
	restored.entries = entries;
	cluster_open(cluster, id, &restored);
	for (size_t i = 0; i < restored.entry_count; i++)
		raft_bytes_release(entries[i].data);
}

static void cmd_join(struct cluster *cluster, struct words *words)
{
	cluster_open(cluster, words_number(words), &(struct raft_restored){0});
}

static void cmd_options(struct cluster *cluster, struct words *words)
{
	struct raft_options *options = &cluster->options;

	while (words->at < words->count) {
		const char *name = words_next(words);
		uint32_t value = (uint32_t)words_number(words);
		if (!strcmp(name, "inflight-messages"))
			options->inflight_messages_max = value;
		else if (!strcmp(name, "inflight-bytes"))
			options->inflight_bytes_max = value;
		else if (!strcmp(name, "message-bytes"))
			options->message_bytes_max = value;
		else if (!strcmp(name, "uncommitted-bytes"))
			options->uncommitted_bytes_max = value;
		else if (!strcmp(name, "chunk-bytes"))
			options->chunk_bytes = value;
		else
			fail_msg("no option \"%s\"", name);
	}
}

static void cmd_random(struct cluster *cluster, struct words *words)
{
	struct node *which = node(cluster, words);

	which->random = (uint32_t)words_number(words);
}

static void cmd_campaign(struct cluster *cluster, struct words *words)
{
	tell_error(cluster, raft_campaign(up(cluster, words)->r));
}

static void cmd_tick(struct cluster *cluster, struct words *words)
{
	struct node *one = words_next_is(words, "all") ? NULL : up(cluster, words);
	uint64_t count = words_next_is_number(words) ? words_number(words) : 1;

	for (uint64_t i = 0; i < count; i++)
		for (uint64_t id = 1; id <= NODES_MAX; id++) {
			struct node *which = &cluster->nodes[id];
			if (!which->r || (one && one != which))
				continue;
			assert_int_equal(raft_tick(which->r), 0);
			cluster_run(cluster);
		}
}

static void cmd_propose(struct cluster *cluster, struct words *words)
{
	struct node *which = up(cluster, words);

	for (const char *text; (text = words_next(words));) {
		uint64_t index, term;
		struct raft_bytes *data = raft_bytes_new(text, strlen(text));
		assert_non_null(data);
		int err = raft_propose(which->r, data, &index, &term);
		raft_bytes_release(data);
		tell_error(cluster, err);
		if (!err)
			fprintf(cluster->out, "%s is %" PRIu64 "/%" PRIu64 "\n", text, index, term);
	}
}

static bool in_set(const bool *set, const struct raft_message *m)
{
	return set[m->from] && set[m->to];
}

/* Until nothing is on its way among the members named, or among all. */
static void cmd_stabilize(struct cluster *cluster, struct words *words)
{
	bool set[NODES_MAX + 1] = {0};
	bool all = words->at == words->count;

	while (words->at < words->count)
		set[words_number(words)] = true;
	for (uint64_t id = 1; id <= NODES_MAX && all; id++)
		set[id] = true;
	for (int steps = 0; steps < 10000; steps++) {
		const struct raft_message *found = NULL;
		for (size_t i = 0; i < cluster->network.count && !found; i++)
			if (in_set(set, cluster->network.items[i]))
				found = cluster->network.items[i];
		if (!found)
			return;
		cluster_deliver(cluster, found->from, found->to);
	}
	fprintf(cluster->out, "never stable\n");
}

/* The same without telling the messages. */
static void cmd_settle(struct cluster *cluster, struct words *words)
{
	cluster->silent = true;
	cmd_stabilize(cluster, words);
	cluster->silent = false;
}

/* deliver 1 -> 2 [count]: by default what is on its way now. */
static void cmd_deliver(struct cluster *cluster, struct words *words)
{
	uint64_t from, to, count = 0;

	way(words, &from, &to);
	if (words_next_is_number(words)) {
		count = words_number(words);
	} else {
		for (size_t i = 0; i < cluster->network.count; i++) {
			const struct raft_message *m = cluster->network.items[i];
			count += (!from || m->from == from) && (!to || m->to == to);
		}
	}
	for (uint64_t i = 0; i < count; i++)
		if (!cluster_deliver(cluster, from, to))
			fprintf(cluster->out, "nothing on its way\n");
}

static void divert(struct cluster *cluster, struct words *words, struct network *source,
		   struct network *target, bool copy)
{
	uint64_t from = 0, to = 0;

	if (words->at < words->count)
		way(words, &from, &to);
	cluster_divert(cluster, source, target, from, to, copy);
}

static void cmd_drop(struct cluster *cluster, struct words *words)
{
	divert(cluster, words, &cluster->network, NULL, false);
}

static void cmd_delay(struct cluster *cluster, struct words *words)
{
	divert(cluster, words, &cluster->network, &cluster->stash, false);
}

static void cmd_copy(struct cluster *cluster, struct words *words)
{
	divert(cluster, words, &cluster->network, &cluster->stash, true);
}

static void cmd_late(struct cluster *cluster, struct words *words)
{
	divert(cluster, words, &cluster->stash, &cluster->network, false);
}

/* partition 1 2: they reach each other, and nobody else. */
static void cmd_partition(struct cluster *cluster, struct words *words)
{
	bool set[NODES_MAX + 1] = {0};

	while (words->at < words->count)
		set[words_number(words)] = true;
	for (uint64_t from = 1; from <= NODES_MAX; from++)
		for (uint64_t to = 1; to <= NODES_MAX; to++)
			if (set[from] != set[to])
				cluster->blocked[from][to] = true;
}

/* cut 1 -> 2: one way only. */
static void cmd_cut(struct cluster *cluster, struct words *words)
{
	uint64_t from, to;

	way(words, &from, &to);
	cluster->blocked[from][to] = true;
}

static void cmd_heal(struct cluster *cluster, struct words *words)
{
	(void)words;
	memset(cluster->blocked, 0, sizeof(cluster->blocked));
}

static void cmd_disk(struct cluster *cluster, struct words *words)
{
	struct node *which = up(cluster, words);

	which->slow_disk = words_next_is(words, "slow");
	if (!which->slow_disk)
		assert_true(words_next_is(words, "fast"));
}

/* persist 1 [count]: by default all that is on its way to the disk. */
static void cmd_persist(struct cluster *cluster, struct words *words)
{
	struct node *which = up(cluster, words);
	uint64_t count = words_next_is_number(words) ? words_number(words) : which->batch_count;

	for (uint64_t i = 0; i < count; i++)
		if (!cluster_persist(cluster, which->id))
			fprintf(cluster->out, "nothing to write\n");
}

static void cmd_crash(struct cluster *cluster, struct words *words)
{
	cluster_crash(cluster, up(cluster, words)->id);
}

static void cmd_restart(struct cluster *cluster, struct words *words)
{
	cluster_restart(cluster, words_number(words));
}

static void cmd_transfer(struct cluster *cluster, struct words *words)
{
	struct node *which = up(cluster, words);

	assert_true(words_next_is(words, "->"));
	tell_error(cluster, raft_transfer(which->r, words_number(words)));
}

static void cmd_read(struct cluster *cluster, struct words *words)
{
	struct node *which = up(cluster, words);

	tell_error(cluster, raft_read(which->r, words_number(words)));
}

static void cmd_change(struct cluster *cluster, struct words *words)
{
	static const char *const names[] = {"", "add", "promote", "demote", "remove", "move"};
	struct node *which = up(cluster, words);
	const char *name = words_next(words);
	struct raft_change change = {0};
	uint64_t index;

	for (int type = RAFT_ADD_LEARNER; name && type <= RAFT_SET_ADDRESS; type++)
		if (!strcmp(name, names[type]))
			change.type = (enum raft_change_type)type;
	assert_true(change.type != 0);
	change.member.id = words_number(words);
	if (words->at < words->count)
		snprintf(change.member.address, sizeof(change.member.address), "%s",
			 words_next(words));
	tell_error(cluster, raft_change_members(which->r, &change, &index));
}

/* compact 1 [keep]: a snapshot of all that was applied. */
static void cmd_compact(struct cluster *cluster, struct words *words)
{
	struct node *which = up(cluster, words);
	struct disk *disk = &which->disk;
	struct raft_status status;

	raft_get_status(which->r, &status);
	struct raft_snapshot snapshot = disk->snapshot;
	/* The members as of the applied index: stories compact when nothing is under way. */
	snapshot.members = status.members;
	size_t gone = (size_t)(status.applied - disk->snapshot.index);
	assert_true(gone <= disk->entry_count);
	if (gone)
		snapshot.term = disk->entries[gone - 1].term;
	snapshot.index = status.applied;
	snapshot.size = strlen(which->state);
	uint64_t keep = words->at < words->count ? words_number(words) : 0;
	int err = raft_compact(which->r, &snapshot, keep);
	tell_error(cluster, err);
	if (err)
		return;
	strcpy(disk->snapshot_state, which->state);
	disk->snapshot = snapshot;
	for (size_t i = 0; i < gone; i++)
		raft_bytes_release(disk->entries[i].data);
	disk->entry_count -= gone;
	if (gone)
		memmove(disk->entries, disk->entries + gone,
			disk->entry_count * sizeof(*disk->entries));
}

static void cmd_stall(struct cluster *cluster, struct words *words)
{
	struct node *which = up(cluster, words);

	which->slow_disk = true;
	raft_stall(which->r, true);
}

static void cmd_unstall(struct cluster *cluster, struct words *words)
{
	struct node *which = up(cluster, words);

	which->slow_disk = false;
	raft_stall(which->r, false);
}

static void cmd_unreachable(struct cluster *cluster, struct words *words)
{
	struct node *which = up(cluster, words);

	assert_true(words_next_is(words, "->"));
	raft_unreachable(which->r, words_number(words));
}

static void tell_status(struct cluster *cluster, struct node *which)
{
	struct raft_status status;

	raft_get_status(which->r, &status);
	describe_status(cluster->out, &status);
	fprintf(cluster->out, ", vote %" PRIu64 ", commit %" PRIu64 ", log %" PRIu64 "..%" PRIu64,
		status.vote, status.commit, status.first, status.last);
	if (status.persisted != status.last)
		fprintf(cluster->out, " (%" PRIu64 " on disk)", status.persisted);
	fprintf(cluster->out, ", ");
	describe_members(cluster->out, &status.members);
	fprintf(cluster->out, "%s%s\n", status.stalled ? ", stalled" : "",
		status.transferring ? ", transferring" : "");
}

static void cmd_status(struct cluster *cluster, struct words *words)
{
	if (words->at < words->count) {
		while (words->at < words->count)
			tell_status(cluster, up(cluster, words));
		return;
	}
	for (uint64_t id = 1; id <= NODES_MAX; id++)
		if (cluster->nodes[id].r)
			tell_status(cluster, &cluster->nodes[id]);
}

static void cmd_progress(struct cluster *cluster, struct words *words)
{
	struct node *which = up(cluster, words);

	for (uint64_t id = 1; id <= NODES_MAX; id++) {
		struct raft_progress progress;
		if (raft_get_progress(which->r, id, &progress))
			continue;
		fprintf(cluster->out, "%" PRIu64 ": match %" PRIu64 ", next %" PRIu64 ", %s", id,
			progress.match, progress.next,
			progress.snapshot  ? "snapshot"
			: progress.probing ? "probe"
					   : "replicate");
		if (progress.inflight_messages)
			fprintf(cluster->out, ", %u messages (%u bytes) on their way",
				progress.inflight_messages, progress.inflight_bytes);
		fprintf(cluster->out, "%s\n", progress.active ? "" : ", silent");
	}
}

/* What is on the disks, and what was applied. */
static void cmd_disks(struct cluster *cluster, struct words *words)
{
	(void)words;
	for (uint64_t id = 1; id <= NODES_MAX; id++) {
		const struct node *which = &cluster->nodes[id];
		if (!which->exists)
			continue;
		const struct disk *disk = &which->disk;
		fprintf(cluster->out,
			"%" PRIu64 ": term %" PRIu64 " vote %" PRIu64 ", snapshot %" PRIu64
			"/%" PRIu64,
			id, disk->hard.term, disk->hard.vote, disk->snapshot.index,
			disk->snapshot.term);
		for (size_t i = 0; i < disk->entry_count; i++) {
			fprintf(cluster->out, ", ");
			describe_entry(cluster->out, &disk->entries[i]);
		}
		fprintf(cluster->out, "\n");
	}
}

/* send 1 -> 2 append term 5 after 2/2 commit 4 [entries 5 5]: by hand; the terms of its entries. */
static void cmd_send(struct cluster *cluster, struct words *words)
{
	struct raft_message m = {.type = RAFT_APPEND};
	struct raft_entry entries[WORDS_MAX];

	way(words, &m.from, &m.to);
	assert_true(words_next_is(words, "append") && words_next_is(words, "term"));
	m.term = words_number(words);
	assert_true(words_next_is(words, "after"));
	words_position(words, &m.index, &m.log_term);
	assert_true(words_next_is(words, "commit"));
	m.commit = words_number(words);
	if (words_next_is(words, "entries"))
		for (; words_next_is_number(words); m.entry_count++)
			entries[m.entry_count] =
			    (struct raft_entry){.index = m.index + 1 + m.entry_count,
						.term = words_number(words),
						.type = RAFT_ENTRY_EMPTY};
	m.entries = entries;
	assert_non_null(cluster->nodes[m.to].r);
	assert_int_equal(raft_step(cluster->nodes[m.to].r, &m), 0);
}

static void cmd_network(struct cluster *cluster, struct words *words)
{
	(void)words;
	for (size_t i = 0; i < cluster->network.count; i++)
		describe_message(cluster->out, cluster->network.items[i]);
}

static const struct {
	const char *name;
	void (*run)(struct cluster *cluster, struct words *words);
} commands[] = {
    {"members", cmd_members},
    {"open", cmd_open},
    {"join", cmd_join},
    {"options", cmd_options},
    {"random", cmd_random},
    {"campaign", cmd_campaign},
    {"tick", cmd_tick},
    {"propose", cmd_propose},
    {"stabilize", cmd_stabilize},
    {"settle", cmd_settle},
    {"deliver", cmd_deliver},
    {"drop", cmd_drop},
    {"delay", cmd_delay},
    {"copy", cmd_copy},
    {"late", cmd_late},
    {"partition", cmd_partition},
    {"cut", cmd_cut},
    {"heal", cmd_heal},
    {"disk", cmd_disk},
    {"persist", cmd_persist},
    {"crash", cmd_crash},
    {"restart", cmd_restart},
    {"transfer", cmd_transfer},
    {"read", cmd_read},
    {"change", cmd_change},
    {"compact", cmd_compact},
    {"stall", cmd_stall},
    {"unstall", cmd_unstall},
    {"unreachable", cmd_unreachable},
    {"status", cmd_status},
    {"progress", cmd_progress},
    {"disks", cmd_disks},
    {"network", cmd_network},
    {"send", cmd_send},
};

static void run_command(struct cluster *cluster, const char *line)
{
	struct words words = {0};
	char *copy = strdup(line), *rest = NULL;

	assert_non_null(copy);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(words.count < WORDS_MAX);
		words.word[words.count++] = word;
	}
	const char *name = words_next(&words);
	size_t i = 0, count = sizeof(commands) / sizeof(commands[0]);
	while (i < count && name && strcmp(commands[i].name, name) != 0)
		i++;
	if (!name || i == count)
		fail_msg("no command \"%s\"", line);
	commands[i].run(cluster, &words);
	cluster_run(cluster);
	if (words.at != words.count)
		fail_msg("too much: \"%s\"", line);
	free(copy);
}

char *script_run(const char *text)
{
	char *result = NULL, *copy = strdup(text), *rest = copy;
	size_t size;
	FILE *out = open_memstream(&result, &size);
	bool expected = false; /* below a command: what it printed when the story was written */

	assert_non_null(copy);
	assert_non_null(out);
	struct cluster *cluster = cluster_new(out);
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (!rest && !line[0])
			break;
		bool command = !strncmp(line, "> ", 2);
		if (!command && line[0] && line[0] != '#' && expected)
			continue;
		expected = command;
		fprintf(out, "%s\n", line);
		if (command)
			run_command(cluster, line + 2);
	}
	cluster_free(cluster);
	fclose(out);
	free(copy);
	return result;
}
