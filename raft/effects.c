/* SPDX-License-Identifier: BSD-2-Clause */
/* What follows from the calls since the last raft_take. */
#include "core_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reserve(void **items, size_t *capacity, size_t want, size_t item_size)
{
	if (want <= *capacity)
		return 0;
	size_t grown = *capacity * 2 > want ? *capacity * 2 : want;
	void *moved = realloc(*items, grown * item_size);
	if (!moved)
		return -ENOMEM;
	*items = moved;
	*capacity = grown;
	return 0;
}

#define RESERVE(queue, more)                                                                       \
	reserve((void **)&(queue)->items, &(queue)->capacity, (queue)->count + (more),             \
		sizeof(*(queue)->items))

int effects_reserve(struct raft *r)
{
	size_t waiting = r->reads.count + r->asked.count + 1;

	if (RESERVE(&r->now, RAFT_PUSH_MAX + waiting) || RESERVE(&r->later, RAFT_PUSH_MAX) ||
	    RESERVE(&r->done, waiting) || RESERVE(&r->reads, 1) || RESERVE(&r->asked, 1))
		return -ENOMEM;
	return 0;
}

int snapshot_reserve(struct raft *r)
{
	return RESERVE(&r->chunks, 1);
}

struct raft_message *effects_push(struct raft *r, struct message_queue *queue, uint8_t type,
				  uint64_t to)
{
	assert(queue->count < queue->capacity);
	struct raft_message *m = &queue->items[queue->count++];
	*m = (struct raft_message){.type = type, .from = r->options.id, .to = to, .term = r->term};
	return m;
}

void effects_read_done(struct raft *r, uint64_t context, uint64_t index, int err)
{
	assert(r->done.count < r->done.capacity);
	r->done.items[r->done.count++] =
	    (struct raft_read_done){.context = context, .index = index, .err = err};
}

static void clear_messages(struct raft_message *messages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		raft_message_clear(&messages[i]);
	free(messages);
}

static void clear_chunks(struct raft_chunk_in *chunks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		raft_bytes_release(chunks[i].data);
	free(chunks);
}

static void clear_entries(struct raft_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		raft_bytes_release(entries[i].data);
	free(entries);
}

void effects_free(struct raft *r)
{
	clear_messages(r->now.items, r->now.count);
	clear_messages(r->later.items, r->later.count);
	clear_chunks(r->chunks.items, r->chunks.count);
	free(r->done.items);
	free(r->reads.items);
	free(r->asked.items);
}

void raft_effects_clear(struct raft_effects *effects)
{
	clear_messages(effects->now, effects->now_count);
	clear_messages(effects->later, effects->later_count);
	clear_chunks(effects->chunks, effects->chunk_count);
	clear_entries(effects->entries, effects->entry_count);
	clear_entries(effects->committed, effects->committed_count);
	free(effects->reads);
	free(effects->wanted);
	*effects = (struct raft_effects){0};
}

/* Entries first .. last; none: *out is NULL. */
static int copy_entries(const struct raft_log *log, uint64_t first, uint64_t last,
			struct raft_entry **out, size_t *count)
{
	if (first > last)
		return 0;
	struct raft_entry *entries = malloc((size_t)(last - first + 1) * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (uint64_t index = first; index <= last; index++) {
		entries[index - first] = *raft_log_at(log, index);
		raft_bytes_hold(entries[index - first].data);
	}
	*out = entries;
	*count = (size_t)(last - first + 1);
	return 0;
}

static int list_wanted(struct raft *r, struct raft_effects *effects)
{
	size_t count = 0;

	for (uint32_t i = 0; i < r->progress_count; i++)
		count += r->progress[i].state == PROGRESS_SNAPSHOT &&
			 r->progress[i].phase == SNAPSHOT_WANT;
	if (!count || r->state != RAFT_LEADER)
		return 0;
	effects->wanted = malloc(count * sizeof(*effects->wanted));
	if (!effects->wanted)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->progress_count; i++) {
		const struct progress *progress = &r->progress[i];
		if (progress->state != PROGRESS_SNAPSHOT || progress->phase != SNAPSHOT_WANT)
			continue;
		effects->wanted[effects->wanted_count++] =
		    (struct raft_chunk_wanted){.to = progress->id,
					       .index = progress->snapshot_index,
					       .offset = progress->offset};
	}
	return 0;
}

static uint64_t applicable(const struct raft *r)
{
	if (RAFT_MUTATION(apply_before_persist))
		return r->commit;
	return r->commit < r->batches.persisted ? r->commit : r->batches.persisted;
}

/* All that needs memory. What it makes is the effects' alone: to give up, clear them. */
static int collect(struct raft *r, struct raft_effects *effects)
{
	int err = batches_reserve(&r->batches);

	if (!err)
		err = RESERVE(&r->now, r->later.count);
	if (!err)
		err = copy_entries(&r->log, r->batches.taken + 1, raft_log_last(&r->log),
				   &effects->entries, &effects->entry_count);
	if (!err)
		err = copy_entries(&r->log, r->applied + 1, applicable(r), &effects->committed,
				   &effects->committed_count);
	if (!err)
		err = list_wanted(r, effects);
	return err;
}

/*
 * The commit index that goes to disk names only what is there already: a batch that is torn after
 * its hard state must not leave a commit index past the end of the log. A change of it alone is
 * not worth a write.
 */
static void take_hard_state(struct raft *r, struct raft_effects *effects, bool other)
{
	struct raft_hard_state now = {.term = r->term, .vote = r->vote, .commit = applicable(r)};
	bool must = now.term != r->taken.term || now.vote != r->taken.vote;

	if (now.commit < r->taken.commit)
		now.commit = r->taken.commit;
	if (!must && !(other && now.commit != r->taken.commit))
		return;
	effects->has_hard_state = true;
	effects->hard_state = now;
	r->taken = now;
}

static void take_batch(struct raft *r, struct raft_effects *effects)
{
	bool brings = effects->entry_count || r->installing;

	effects->has_install = r->installing;
	if (r->installing)
		effects->install = r->install;
	r->installing = false;
	take_hard_state(r, effects, brings || r->chunks.count);

	bool batch = effects->has_hard_state || brings || r->chunks.count;
	/* An answer may rest on an earlier batch that is still on its way: it takes its place
	 * behind that, even with nothing of its own to write. */
	if (r->later.count && (r->batches.count || r->stalled))
		batch = true;
	if (!batch)
		return;
	effects->sequence = ++r->sequence;
	batches_add(&r->batches, &(struct batch){.sequence = r->sequence,
						 .last = brings ? raft_log_last(&r->log) : 0,
						 .term = r->term,
						 .vote = r->vote});
	r->batches.taken = raft_log_last(&r->log);
}

#define STEAL(queue, out, out_count)                                                               \
	do {                                                                                       \
		if ((queue)->count) {                                                              \
			(out) = (queue)->items;                                                    \
			(out_count) = (queue)->count;                                              \
			(queue)->items = NULL;                                                     \
			(queue)->count = 0;                                                        \
			(queue)->capacity = 0;                                                     \
		}                                                                                  \
	} while (0)

/* All is on disk: what waits for it need not. */
static void hurry_later(struct raft *r)
{
	for (size_t i = 0; i < r->later.count; i++)
		r->now.items[r->now.count++] = r->later.items[i];
	r->later.count = 0;
}

int raft_take(struct raft *r, struct raft_effects *effects)
{
	struct raft_effects found = {0};

	if (effects_reserve(r))
		return -ENOMEM;
	read_round(r);
	int err = replication_send(r);
	if (!err)
		err = collect(r, &found);
	if (err) {
		raft_effects_clear(&found);
		return err;
	}

	for (uint32_t i = 0; i < r->progress_count; i++) {
		struct progress *progress = &r->progress[i];
		if (progress->state != PROGRESS_SNAPSHOT || progress->phase != SNAPSHOT_WANT)
			continue;
		progress->phase = SNAPSHOT_ASKED;
		progress->since = r->ticks;
	}
	take_batch(r, &found);
	if (!found.sequence)
		hurry_later(r);
	if (found.committed_count)
		r->applied = found.committed[found.committed_count - 1].index;
	STEAL(&r->chunks, found.chunks, found.chunk_count);
	STEAL(&r->now, found.now, found.now_count);
	STEAL(&r->later, found.later, found.later_count);
	STEAL(&r->done, found.reads, found.read_count);
	*effects = found;
	return 0;
}
