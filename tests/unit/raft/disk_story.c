/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk_story.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_AT_ONCE_MAX = 16 };

const struct disk_keyring story_ring = {
    .active = 1, .count = 2, .keys = {{1, "the first key"}, {2, "another key"}}};
const struct disk_key story_second_key = {2, "another key"};

enum kind { BOOTSTRAP, VOTE, APPEND, GROUP, ROTATE, SNAPSHOT, COMPACT, CHUNKS, INSTALL };

struct step {
	enum kind kind;
	uint64_t index, count; /* APPEND, GROUP: entries; SNAPSHOT...: at index */
	uint64_t term;
	size_t size; /* of each entry, or of the snapshot */
};

static const struct step steps[] = {
    {BOOTSTRAP, 1, 0, 1, 100},   {VOTE, 0, 0, 2, 0},
    {APPEND, 2, 3, 2, 40},       {GROUP, 5, 3, 2, 700},
    {APPEND, 8, 1, 2, 3000},     {APPEND, 4, 2, 3, 0}, /* cuts */
    {APPEND, 6, 4, 3, 9000},     {ROTATE, 0, 0, 0, 0},
    {APPEND, 10, 2, 3, 500},     {SNAPSHOT, 6, 0, 3, 70000},
    {COMPACT, 6, 0, 3, 70000},   {APPEND, 12, 8, 4, 9000}, /* too large for a small segment */
    {VOTE, 0, 0, 6, 0},          {APPEND, 15, 2, 6, 9000}, /* cuts */
    {APPEND, 17, 3, 6, 9000},    {SNAPSHOT, 16, 0, 6, 0},
    {COMPACT, 16, 0, 6, 0},      {CHUNKS, 60, 0, 7, 150000},
    {INSTALL, 60, 0, 7, 150000}, {APPEND, 61, 3, 7, 100},
    {GROUP, 63, 4, 8, 2000}, /* cuts */
};

int story_length(void)
{
	return sizeof(steps) / sizeof(steps[0]);
}

static uint8_t content(uint64_t index, uint64_t term, size_t at)
{
	return (uint8_t)(index * 131 + term * 31 + at * 7 + at / 251);
}

struct raft_entry story_entry(uint64_t index, uint64_t term, size_t size)
{
	struct raft_entry e = {.index = index, .term = term, .type = RAFT_ENTRY_EMPTY};

	if (size == 0)
		return e;
	e.type = RAFT_ENTRY_COMMAND;
	e.data = raft_bytes_new(NULL, size);
	assert(e.data);
	for (size_t i = 0; i < size; i++)
		e.data->data[i] = content(index, term, i);
	return e;
}

static struct raft_snapshot snapshot_of(const struct step *s)
{
	struct raft_snapshot snapshot = {.index = s->index,
					 .term = s->term,
					 .size = s->size,
					 .members = {.count = 2,
						     .member = {{7, RAFT_VOTER, "host1:4242"},
								{9, RAFT_LEARNER, "host2:4242"}}}};

	return snapshot;
}

static void follow(struct story_state *state, const struct step *s)
{
	switch (s->kind) {
	case BOOTSTRAP:
		state->hard_state = (struct raft_hard_state){.term = s->term, .commit = s->index};
		state->last = s->index;
		break;
	case VOTE:
		state->hard_state.term = s->term;
		state->hard_state.vote = 7;
		return;
	case APPEND:
	case GROUP:
		state->last = s->index + s->count - 1;
		for (uint64_t i = s->index; i <= state->last; i++)
			state->terms[i] = s->term;
		if (s->term > state->hard_state.term)
			state->hard_state = (struct raft_hard_state){
			    .term = s->term, .commit = state->hard_state.commit};
		return;
	case INSTALL:
		state->last = s->index;
		state->hard_state.term = s->term;
		state->hard_state.vote = 0;
		state->hard_state.commit = s->index;
		break;
	case COMPACT:
		break;
	default:
		return;
	}
	state->snapshot_index = s->index;
	state->snapshot_term = s->term;
	state->snapshot_size = s->size;
}

const struct story_state *story_after(int step)
{
	static struct story_state states[1 + sizeof(steps) / sizeof(steps[0])];

	if (states[1].last == 0)
		for (int i = 0; i < story_length(); i++) {
			states[i + 1] = states[i];
			follow(&states[i + 1], &steps[i]);
		}
	return &states[step + 1];
}

static uint8_t *make_state(const struct step *s)
{
	uint8_t *state = malloc(s->size + 1);

	assert(state);
	for (size_t i = 0; i < s->size; i++)
		state[i] = content(s->index, s->term, i);
	return state;
}

static int step_bootstrap(struct disk *d, const struct step *s)
{
	struct raft_snapshot snapshot = snapshot_of(s);
	uint8_t *state = make_state(s);
	int err = disk_bootstrap(d, &snapshot, state, s->size, NULL);

	free(state);
	return err;
}

/* One batch, or as many as there are entries. */
static int step_append(struct disk *d, const struct step *s, const struct raft_hard_state *h)
{
	struct raft_entry entries[ENTRIES_AT_ONCE_MAX];
	struct disk_batch batches[ENTRIES_AT_ONCE_MAX] = {0};
	size_t count = s->kind == GROUP ? s->count : 1, done;
	int err;

	for (uint64_t i = 0; i < s->count; i++)
		entries[i] = story_entry(s->index + i, s->term, s->size);
	for (size_t i = 0; i < count; i++) {
		batches[i].entries = entries + i;
		batches[i].entry_count = s->kind == GROUP ? 1 : s->count;
	}
	batches[0].hard_state = h;
	err = disk_write(d, batches, count, &done, NULL);
	assert(err || done == count);
	for (uint64_t i = 0; i < s->count; i++)
		raft_bytes_release(entries[i].data);
	return err;
}

static int step_snapshot(struct disk *d, const struct step *s)
{
	struct raft_snapshot snapshot = snapshot_of(s);
	struct snapshot_writer *w;
	uint8_t *state = make_state(s);
	int err = disk_snapshot_begin(d, &snapshot, &w, NULL);

	if (err == 0) {
		err = disk_snapshot_write(d, w, state, s->size / 3, NULL);
		if (err == 0)
			err = disk_snapshot_write(d, w, state + s->size / 3, s->size - s->size / 3,
						  NULL);
		if (err == 0)
			err = disk_snapshot_finish(d, w, NULL);
		if (err)
			disk_snapshot_abort(d, w);
	}
	free(state);
	return err;
}

/* The first two thirds, or the rest and the install. */
static int step_chunks(struct disk *d, const struct step *s)
{
	struct raft_snapshot snapshot = snapshot_of(s);
	struct raft_hard_state hard_state = {.term = s->term, .commit = s->index};
	size_t third = s->size / 3, done;
	struct raft_chunk_in chunks[2] = {{.snapshot = snapshot}, {.snapshot = snapshot}};
	struct disk_batch batch = {.chunks = chunks, .chunk_count = 2};
	uint8_t *state = make_state(s);
	int err;

	if (s->kind == CHUNKS) {
		chunks[0].data = raft_bytes_new(state, third);
		chunks[1].offset = third;
		chunks[1].data = raft_bytes_new(state + third, third);
	} else {
		batch.chunk_count = 1;
		chunks[0].offset = 2 * third;
		chunks[0].data = raft_bytes_new(state + 2 * third, s->size - 2 * third);
		chunks[0].last = true;
		batch.install = &snapshot;
		batch.hard_state = &hard_state;
	}
	err = disk_write(d, &batch, 1, &done, NULL);
	raft_bytes_release(chunks[0].data);
	raft_bytes_release(chunks[1].data);
	free(state);
	return err;
}

int story_step(struct disk *d, int step)
{
	const struct step *s = &steps[step];
	struct raft_hard_state hard_state = story_after(step)->hard_state;
	struct disk_batch vote = {.hard_state = &hard_state};
	size_t done;

	switch (s->kind) {
	case BOOTSTRAP:
		return step_bootstrap(d, s);
	case VOTE:
		return disk_write(d, &vote, 1, &done, NULL);
	case APPEND:
	case GROUP:
		return step_append(d, s, &hard_state);
	case ROTATE:
		return disk_rotate_key(d, &story_second_key, NULL);
	case SNAPSHOT:
		return step_snapshot(d, s);
	case COMPACT:
		return disk_compact(d, s->index, s->term, NULL);
	default:
		return step_chunks(d, s);
	}
}

int story_open(struct fake_disk *fake, struct disk **d, struct raft_restored *restored,
	       struct raft_error *error)
{
	struct disk_options options = {.path = "raft",
				       .keyring = &story_ring,
				       .segment_size = STORY_SEGMENT_SIZE,
				       .io = &fake->io};

	return disk_open(&options, d, restored, error);
}

static const char *compare_snapshot(const struct story_state *state, struct disk *d)
{
	struct snapshot_reader *r;
	uint8_t *bytes;
	const char *problem = NULL;
	size_t got;

	if (disk_reader_open(d, 0, &r, NULL))
		return "the snapshot cannot be opened";
	bytes = malloc(state->snapshot_size + 1);
	assert(bytes);
	if (disk_reader_read(r, 0, bytes, state->snapshot_size + 1, &got, NULL))
		problem = "the snapshot cannot be read";
	else if (got != state->snapshot_size)
		problem = "the snapshot has another size";
	for (size_t i = 0; i < got && !problem; i++)
		if (bytes[i] != content(state->snapshot_index, state->snapshot_term, i))
			problem = "the snapshot has other bytes";
	free(bytes);
	disk_reader_close(d, r);
	return problem;
}

static const char *compare_entry(const struct raft_entry *e, uint64_t index, uint64_t term)
{
	if (e->index != index || e->term != term)
		return "an entry has another index or term";
	for (size_t i = 0; e->data && i < e->data->size; i++)
		if (e->data->data[i] != content(index, term, i))
			return "an entry has other bytes";
	return NULL;
}

const char *story_compare(const struct story_state *state, struct disk *d,
			  const struct raft_restored *restored)
{
	const struct raft_hard_state *h = &restored->hard_state;
	const char *problem = NULL;

	if (h->term != state->hard_state.term || h->vote != state->hard_state.vote ||
	    h->commit != state->hard_state.commit)
		return "the hard state differs";
	if (restored->snapshot.index != state->snapshot_index ||
	    restored->snapshot.term != state->snapshot_term ||
	    restored->snapshot.size != state->snapshot_size)
		return "another snapshot is in force";
	if (restored->entry_count != state->last - state->snapshot_index)
		return "another number of entries";
	for (size_t i = 0; i < restored->entry_count && !problem; i++) {
		uint64_t index = state->snapshot_index + 1 + i;

		problem = compare_entry(&restored->entries[i], index, state->terms[index]);
	}
	if (!problem && state->snapshot_index) {
		if (restored->snapshot.members.count != 2 ||
		    strcmp(restored->snapshot.members.member[1].address, "host2:4242"))
			return "the snapshot has other members";
		problem = compare_snapshot(state, d);
	}
	return problem;
}
