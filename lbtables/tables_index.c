// SPDX-License-Identifier: BSD-2-Clause
/* The writer's side of the index, and of what it leads to: vias and tasks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lb_bytes.h"
#include "lb_hash.h"
#include "tables_internal.h"

static struct lb_index_bucket *bucket_of(const struct tables *t, uint64_t key)
{
	const struct lb_config *c = t->l->config;

	return &t->l->index[lb_table_hash(c->table_key, key) & c->index_mask];
}

static struct lb_index_entry *find(const struct tables *t, uint64_t key, enum lb_index_kind kind)
{
	struct lb_index_bucket *bucket = bucket_of(t, key);

	for (int i = 0; i < LB_WAYS; i++)
		if (bucket->way[i].key == key && bucket->way[i].kind == (uint32_t)kind)
			return &bucket->way[i];
	return NULL;
}

uint32_t tables_index_get(const struct tables *t, uint64_t key, enum lb_index_kind kind)
{
	const struct lb_index_entry *e = find(t, key, kind);

	return e ? e->value : 0;
}

int tables_index_put(struct tables *t, uint64_t key, enum lb_index_kind kind, uint32_t value)
{
	struct lb_index_entry *e = find(t, key, kind);
	struct lb_index_bucket *bucket = bucket_of(t, key);

	if (e) {
		store32(&e->value, value);
		return 0;
	}
	/* A reader may still be looking at a way that was emptied: old key, new value. */
	if (t->index_dirty)
		tables_reclaim(t);
	for (int i = 0; i < LB_WAYS; i++) {
		e = &bucket->way[i];
		if (e->kind != LB_INDEX_EMPTY)
			continue;
		store32(&e->value, value);
		store64(&e->key, key);
		store32(&e->kind, (uint32_t)kind);
		return 0;
	}
	return -ENOSPC;
}

void tables_index_remove(struct tables *t, uint64_t key, enum lb_index_kind kind)
{
	struct lb_index_entry *e = find(t, key, kind);

	if (!e)
		return;
	store32(&e->kind, LB_INDEX_EMPTY);
	t->index_dirty = true;
}

static uint64_t via_key(const struct lb_via *via)
{
	return (uint64_t)via->vtep_be << 32 | via->addr_be;
}

/* Does an entry lead to what it says? */
static bool entry_valid(const struct tables *t, const struct lb_index_entry *e)
{
	switch (e->kind) {
	case LB_INDEX_EMPTY:
		return true;
	case LB_INDEX_TASK_MAC:
	case LB_INDEX_TASK_ADDR:
		return e->value && e->value < LB_TASKS_MAX;
	case LB_INDEX_VIA:
		return e->value && e->value < LB_VIAS_MAX &&
		       via_key(&t->l->vias[e->value]) == e->key;
	default:
		return false;
	}
}

int tables_index_adopt(struct tables *t)
{
	for (uint32_t i = 1; i < LB_VIAS_MAX; i++)
		if (t->l->vias[i].vtep_be)
			t->via_last = i;
	for (uint32_t i = 1; i < LB_TASKS_MAX; i++) {
		if (t->l->tasks[i].ifindex || t->l->tasks[i].addr_be)
			t->task_last = i;
		t->tasks += t->l->tasks[i].addr_be != 0;
	}
	for (uint32_t b = 0; b < t->l->index_buckets; b++)
		for (int i = 0; i < LB_WAYS; i++) {
			const struct lb_index_entry *e = &t->l->index[b].way[i];

			if (!entry_valid(t, e))
				return -EUCLEAN;
			t->vias += e->kind == LB_INDEX_VIA;
		}
	return 0;
}

/* A via's id is never given to another pair while a flow may carry it: ids only go up, and start
 * over, past those that flows still name, when all have been used. */
static uint32_t via_take(struct tables *t)
{
	uint8_t *in_use;
	uint32_t id = 0;

	if (t->via_last + 1 < LB_VIAS_MAX)
		return ++t->via_last;
	in_use = calloc(LB_VIAS_MAX, 1);
	if (!in_use)
		return 0;
	/* Who found an id before it left the index may be about to make a flow of it. */
	if (t->index_dirty)
		tables_reclaim(t);
	for (uint32_t b = 0; b < t->l->flow_buckets; b++)
		for (int i = 0; i < LB_WAYS; i++)
			in_use[lb_read_once(&t->l->flows[b].way[i].value) >> 48] = 1;
	for (uint32_t b = 0; b < t->l->index_buckets; b++)
		for (int i = 0; i < LB_WAYS; i++)
			if (t->l->index[b].way[i].kind == LB_INDEX_VIA)
				in_use[t->l->index[b].way[i].value] = 1;
	for (uint32_t i = 1; i < LB_VIAS_MAX && !id; i++)
		if (!in_use[i])
			id = i;
	free(in_use);
	return id;
}

/* An id that this pair had before, so that its flows are known again. */
static uint32_t via_remembered(const struct tables *t, const struct lb_via *via)
{
	for (uint32_t i = 1; i <= t->via_last; i++)
		if (t->l->vias[i].addr_be == via->addr_be && t->l->vias[i].vtep_be == via->vtep_be)
			return i;
	return 0;
}

static int via_put(struct tables *t, const struct lb_via *via, bool *added)
{
	uint32_t id;
	int err;

	if (tables_index_get(t, via_key(via), LB_INDEX_VIA))
		return 0;
	id = via_remembered(t, via);
	if (!id)
		id = via_take(t);
	if (!id)
		return -ENOSPC;
	store64((uint64_t *)&t->l->vias[id], via_key(via));
	err = tables_index_put(t, via_key(via), LB_INDEX_VIA, id);
	*added = err == 0;
	t->vias += *added;
	return err;
}

static void via_remove(struct tables *t, uint64_t key)
{
	tables_index_remove(t, key, LB_INDEX_VIA);
	t->vias--;
}

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void vias_remove_others(struct tables *t, const uint64_t *sorted, uint32_t count)
{
	for (uint32_t b = 0; b < t->l->index_buckets; b++)
		for (int i = 0; i < LB_WAYS; i++) {
			const struct lb_index_entry *e = &t->l->index[b].way[i];

			if (e->kind == LB_INDEX_VIA &&
			    !bsearch(&e->key, sorted, count, sizeof(*sorted), compare_keys))
				via_remove(t, e->key);
		}
}

int tables_set_vias(struct tables *t, const struct lb_via *vias, uint32_t count)
{
	uint64_t *keys;
	bool *added;
	int err = 0;

	if (!t->l->config->table_key) /* not configured: no index yet */
		return -EINVAL;
	keys = calloc(count + 1, sizeof(*keys));
	added = calloc(count + 1, sizeof(*added));
	if (!keys || !added)
		err = -ENOMEM;
	for (uint32_t i = 0; i < count && !err; i++) {
		keys[i] = via_key(&vias[i]);
		err = via_put(t, &vias[i], &added[i]);
	}
	if (!err) {
		qsort(keys, count, sizeof(*keys), compare_keys);
		vias_remove_others(t, keys, count);
	} else {
		for (uint32_t i = 0; added && i < count; i++)
			if (added[i])
				via_remove(t, via_key(&vias[i]));
	}
	free(keys);
	free(added);
	return err;
}

/* Flows of a task that had this id before must not be taken for the new one's. */
static void forget_flows(struct tables *t, uint32_t task)
{
	for (uint32_t b = 0; b < t->l->flow_buckets; b++)
		for (int i = 0; i < LB_WAYS; i++) {
			uint64_t *key = &t->l->flows[b].way[i].key;
			uint64_t old = __atomic_load_n(key, __ATOMIC_ACQUIRE);

			if (old >> 49 == task)
				__atomic_compare_exchange_n(key, &old, 0, false, __ATOMIC_ACQ_REL,
							    __ATOMIC_RELAXED);
		}
}

static uint32_t task_take(struct tables *t)
{
	if (t->task_last + 1 < LB_TASKS_MAX)
		return ++t->task_last;
	for (uint32_t id = 1; id < LB_TASKS_MAX; id++)
		if (!t->l->tasks[id].addr_be) {
			/* Who found the old task in the index may be about to make a flow. */
			if (t->index_dirty)
				tables_reclaim(t);
			forget_flows(t, id);
			return id;
		}
	return 0;
}

static void task_write(struct tables *t, uint32_t id, const struct lb_task *task)
{
	uint64_t words[sizeof(*task) / 8]; /* the caller's need not be aligned */

	memcpy(words, task, sizeof(words));
	for (size_t i = 0; i < sizeof(*task) / 8; i++)
		store64(&((uint64_t *)&t->l->tasks[id])[i], words[i]);
}

/* What putting a task changed, to take it back when a later one finds no room. */
struct task_undo {
	struct lb_task before; /* what its id stood for */
	uint32_t id;
	uint32_t addr_id, mac_id; /* what the index said; 0: nothing */
};

static int task_put(struct tables *t, const struct lb_task *task, struct task_undo *u)
{
	uint64_t mac = lb_load_mac(task->mac);
	int err;

	u->addr_id = tables_index_get(t, task->addr_be, LB_INDEX_TASK_ADDR);
	u->mac_id = tables_index_get(t, mac, LB_INDEX_TASK_MAC);
	if (u->addr_id && !memcmp(t->l->tasks[u->addr_id].mac, task->mac, 6))
		u->id = u->addr_id;
	else
		u->id = task_take(t);
	if (!u->id)
		return -ENOSPC;
	u->before = t->l->tasks[u->id];
	task_write(t, u->id, task);
	/* Also for a known task: a writer may have been killed between the two. */
	err = tables_index_put(t, task->addr_be, LB_INDEX_TASK_ADDR, u->id);
	return err ? err : tables_index_put(t, mac, LB_INDEX_TASK_MAC, u->id);
}

static void index_restore(struct tables *t, uint64_t key, enum lb_index_kind kind, uint32_t value)
{
	if (value)
		tables_index_put(t, key, kind, value); /* is there: needs no room */
	else
		tables_index_remove(t, key, kind);
}

static void task_undo(struct tables *t, const struct lb_task *task, struct task_undo *u)
{
	if (!u->id)
		return;
	index_restore(t, task->addr_be, LB_INDEX_TASK_ADDR, u->addr_id);
	index_restore(t, lb_load_mac(task->mac), LB_INDEX_TASK_MAC, u->mac_id);
	if (!u->before.ifindex) /* the number was seen by readers: it counts as used */
		u->before.ifindex = task->ifindex;
	task_write(t, u->id, &u->before);
}

/* A task that is gone: its number stays marked as used (ifindex) so that it is given away last. */
static void task_remove(struct tables *t, uint32_t id)
{
	struct lb_task *task = &t->l->tasks[id];

	if (tables_index_get(t, task->addr_be, LB_INDEX_TASK_ADDR) == id)
		tables_index_remove(t, task->addr_be, LB_INDEX_TASK_ADDR);
	if (tables_index_get(t, lb_load_mac(task->mac), LB_INDEX_TASK_MAC) == id)
		tables_index_remove(t, lb_load_mac(task->mac), LB_INDEX_TASK_MAC);
	store32(&task->addr_be, 0);
}

static void tasks_remove_others(struct tables *t, const uint8_t *keep)
{
	for (uint32_t id = 1; id <= t->task_last; id++)
		if (!keep[id] && t->l->tasks[id].addr_be)
			task_remove(t, id);
}

int tables_set_tasks(struct tables *t, const struct lb_task *tasks, uint32_t count, uint32_t *ids)
{
	struct task_undo *undo;
	uint8_t *keep;
	uint32_t done = 0;
	int err = 0;

	if (!t->l->config->table_key) /* not configured: no index yet */
		return -EINVAL;
	keep = calloc(LB_TASKS_MAX, 1);
	undo = calloc(count + 1, sizeof(*undo));
	if (!keep || !undo)
		err = -ENOMEM;
	for (; done < count && !err; done++)
		err = task_put(t, &tasks[done], &undo[done]);
	for (uint32_t i = 0; i < count && !err; i++) {
		ids[i] = undo[i].id;
		keep[ids[i]] = 1;
	}
	if (!err) {
		tasks_remove_others(t, keep);
		t->tasks = count;
	}
	while (err && done--)
		task_undo(t, &tasks[done], &undo[done]);
	free(keep);
	free(undo);
	return err;
}
