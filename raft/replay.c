/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

void replay_init(struct replay *r)
{
	memset(r, 0, sizeof(*r));
	r->start = 1;
}

static void drop_from(struct replay *r, size_t keep)
{
	while (r->count > keep)
		raft_bytes_release(r->entries[--r->count].data);
}

void replay_clear(struct replay *r)
{
	drop_from(r, 0);
	free(r->entries);
	replay_init(r);
}

uint64_t replay_last(const struct replay *r)
{
	return r->start + r->count - 1;
}

static int bad(const char **why, const char *text)
{
	*why = text;
	return -EBADMSG;
}

int replay_begin(struct replay *r, const struct replay_base *base, const char **why)
{
	if (base->mark_index > base->last || base->last == UINT64_MAX)
		return bad(why, "it begins with a snapshot newer than its log");
	r->hard_state = base->hard_state;
	r->mark_index = base->mark_index;
	r->mark_term = base->mark_term;
	r->start = base->last + 1;
	return 0;
}

int replay_continue(const struct replay *r, const struct replay_base *base, const char **why)
{
	if (base->hard_state.term != r->hard_state.term ||
	    base->hard_state.vote != r->hard_state.vote ||
	    base->hard_state.commit != r->hard_state.commit || base->mark_index != r->mark_index ||
	    base->mark_term != r->mark_term || base->last != replay_last(r))
		return bad(why,
			   "it does not begin with the state that the one before it ends with");
	return 0;
}

static int add_entry(struct replay *r, const struct record_item *item, const char **why)
{
	struct raft_entry *e;

	if (item->entry.index != replay_last(r) + 1 || item->entry.index == UINT64_MAX)
		return bad(why, "an entry that does not follow the one before it");
	if (r->count && item->entry.term < r->entries[r->count - 1].term)
		return bad(why, "an entry of an older term than the one before it");
	if (r->count == r->room) {
		size_t room = r->room ? 2 * r->room : 1024;
		struct raft_entry *entries = reallocarray(r->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		r->entries = entries;
		r->room = room;
	}
	e = &r->entries[r->count];
	*e = (struct raft_entry){
	    .index = item->entry.index, .term = item->entry.term, .type = item->entry.type};
	if (item->entry.has_data) {
		e->data = raft_bytes_new(item->entry.data, item->entry.size);
		if (!e->data)
			return -ENOMEM;
	}
	r->count++;
	return 0;
}

static int cut(struct replay *r, uint64_t index, const char **why)
{
	if (index <= r->mark_index || index > replay_last(r))
		return bad(why, "a cut outside the log");
	if (index >= r->start) {
		drop_from(r, index - r->start);
	} else {
		drop_from(r, 0);
		r->start = index;
	}
	return 0;
}

static int mark(struct replay *r, const struct record_item *item, const char **why)
{
	uint64_t index = item->at.index;

	if (index <= r->mark_index || index == UINT64_MAX)
		return bad(why, "a snapshot older than the one before it");
	if (item->type == ITEM_SNAPSHOT && index > replay_last(r))
		return bad(why, "a snapshot of entries that are not in the log");
	if (item->type == ITEM_INSTALL) {
		drop_from(r, 0);
		r->start = index + 1;
	}
	r->mark_index = index;
	r->mark_term = item->at.term;
	return 0;
}

static int one_item(struct replay *r, const struct record_item *item, const char **why)
{
	switch (item->type) {
	case ITEM_HARD_STATE:
		if (item->hard_state.term < r->hard_state.term)
			return bad(why, "a term that falls");
		r->hard_state = item->hard_state;
		return 0;
	case ITEM_ENTRY:
		return add_entry(r, item, why);
	case ITEM_CUT:
		return cut(r, item->at.index, why);
	case ITEM_SNAPSHOT:
	case ITEM_INSTALL:
		return mark(r, item, why);
	default:
		return bad(why, "an item out of place");
	}
}

int replay_batch(struct replay *r, const uint8_t *payload, size_t size, const char **why)
{
	struct cursor c = {payload, size, false};
	struct record_item item;
	int err;

	while ((err = record_item_decode(&c, &item)) > 0) {
		err = one_item(r, &item, why);
		if (err)
			return err;
	}
	return err ? bad(why, "an item that makes no sense") : 0;
}

int replay_base_decode(const uint8_t *payload, size_t size, struct replay_base *base,
		       uint32_t *key_from, uint32_t *key_to)
{
	struct cursor c = {payload, size, false};
	struct record_item item;
	int err;

	memset(base, 0, sizeof(*base));
	*key_from = *key_to = 0;
	while ((err = record_item_decode(&c, &item)) > 0) {
		if (item.type == ITEM_HARD_STATE) {
			base->hard_state = item.hard_state;
		} else if (item.type == ITEM_SNAPSHOT) {
			base->mark_index = item.at.index;
			base->mark_term = item.at.term;
		} else if (item.type == ITEM_KEY) {
			*key_from = item.key.from;
			*key_to = item.key.to;
		} else {
			return -EBADMSG;
		}
	}
	return err;
}

int replay_finish(struct replay *r, const char **why)
{
	size_t covered;

	if (r->start > r->mark_index + 1)
		return bad(why, "entries between the snapshot and the log are missing");
	covered = r->mark_index + 1 - r->start;
	for (size_t i = 0; i < covered && i < r->count; i++)
		raft_bytes_release(r->entries[i].data);
	if (covered > r->count)
		covered = r->count;
	if (covered)
		memmove(r->entries, r->entries + covered,
			(r->count - covered) * sizeof(*r->entries));
	r->count -= covered;
	r->start = r->mark_index + 1;
	return 0;
}
