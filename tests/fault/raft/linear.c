/* SPDX-License-Identifier: BSD-2-Clause */
#include "linear.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "linear_set.h"

/* At one instant calls come first: what touches counts as concurrent. */
enum event_kind { EVENT_CALL, EVENT_RETURN, EVENT_RETIRE };

struct event {
	uint64_t time;
	uint32_t op; /* position in search.ops */
	uint8_t kind;
};

/* When a value is seen for the last time. */
struct sighting {
	uint64_t value, time;
};

struct search {
	const struct linear_op *ops; /* of one key */
	size_t count;
	bool any_start; /* the register may have held anything */
	struct sighting *seen;
	size_t seen_count;
	struct event *events;
	size_t event_count;
	uint32_t *slot_of;   /* per op: its bit while it is open */
	uint32_t *op_of;     /* per slot */
	uint32_t slot_count; /* ever open at once */
	uint64_t *open, *unknown;
	struct linear_set now, reached, next;
	size_t failed_op; /* whose return had no explanation */
};

static bool is_pending(const struct linear_op *op)
{
	return op->return_ns == LINEAR_PENDING;
}

/* It leaves the register as it is and only says what was there. */
static bool only_looks(const struct linear_op *op)
{
	return !is_pending(op) &&
	       (op->kind == LINEAR_READ || (op->kind == LINEAR_CAS && op->result != op->expected));
}

/* May op take effect when the register holds *value? */
static bool take_effect(const struct linear_op *op, uint64_t *value)
{
	if (only_looks(op))
		return op->result == *value;
	if (op->kind == LINEAR_CAS && op->expected != *value)
		return false; /* pending: it would change nothing, so it need not be looked at */
	*value = op->value;
	return true;
}

static int by_value_and_time(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return (x->time > y->time) - (x->time < y->time);
}

static int by_time_and_kind(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind - y->kind;
	return (x->op > y->op) - (x->op < y->op);
}

static struct sighting *find_sighting(const struct search *s, uint64_t value)
{
	size_t low = 0, high = s->seen_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->seen[middle].value < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->seen_count && s->seen[low].value == value ? &s->seen[low] : NULL;
}

/* A pending swap sees its expected value as long as somebody may see its new one. */
static void spread_sightings(struct search *s)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < s->count; i++) {
			const struct linear_op *op = &s->ops[i];
			struct sighting *from, *to;

			if (!is_pending(op) || op->kind != LINEAR_CAS)
				continue;
			to = find_sighting(s, op->value);
			from = find_sighting(s, op->expected);
			if (to && from && from->time < to->time) {
				from->time = to->time;
				changed = true;
			}
		}
	}
}

static int find_sightings(struct search *s)
{
	size_t kept = 0;

	s->seen = calloc(s->count + 1, sizeof(*s->seen));
	if (!s->seen)
		return -ENOMEM;
	for (size_t i = 0; i < s->count; i++) {
		const struct linear_op *op = &s->ops[i];

		if (is_pending(op) && op->kind == LINEAR_CAS)
			s->seen[s->seen_count++] = (struct sighting){op->expected, 0};
		else if (!is_pending(op) && op->kind != LINEAR_WRITE)
			s->seen[s->seen_count++] = (struct sighting){op->result, op->return_ns};
	}
	qsort(s->seen, s->seen_count, sizeof(*s->seen), by_value_and_time);
	for (size_t i = 0; i < s->seen_count; i++) {
		if (kept && s->seen[kept - 1].value == s->seen[i].value)
			kept--;
		s->seen[kept++] = s->seen[i];
	}
	s->seen_count = kept;
	spread_sightings(s);
	return 0;
}

static void add_event(struct search *s, uint64_t time, size_t op, enum event_kind kind)
{
	s->events[s->event_count++] = (struct event){time, (uint32_t)op, (uint8_t)kind};
}

static int make_events(struct search *s)
{
	uint32_t open = 0;

	s->events = calloc(2 * s->count + 1, sizeof(*s->events));
	if (!s->events)
		return -ENOMEM;
	for (size_t i = 0; i < s->count; i++) {
		const struct linear_op *op = &s->ops[i];
		const struct sighting *sighting;

		if (!is_pending(op)) {
			add_event(s, op->call_ns, i, EVENT_CALL);
			add_event(s, op->return_ns, i, EVENT_RETURN);
			continue;
		}
		sighting = op->kind == LINEAR_READ ? NULL : find_sighting(s, op->value);
		if (!sighting || sighting->time < op->call_ns)
			continue;
		add_event(s, op->call_ns, i, EVENT_CALL);
		add_event(s, sighting->time, i, EVENT_RETIRE);
	}
	qsort(s->events, s->event_count, sizeof(*s->events), by_time_and_kind);
	for (size_t i = 0; i < s->event_count; i++) {
		open += s->events[i].kind == EVENT_CALL ? 1U : (uint32_t)-1;
		if (open > s->slot_count)
			s->slot_count = open;
	}
	return 0;
}

static int add_start(struct search *s)
{
	const size_t words = linear_set_words(s->slot_count);
	uint64_t *none = calloc(words, sizeof(*none));
	int err;

	if (!none)
		return -ENOMEM;
	err = linear_set_add(&s->now, 0, none, s->unknown);
	for (size_t i = 0; s->any_start && !err && i < s->seen_count; i++)
		err = linear_set_add(&s->now, s->seen[i].value, none, s->unknown);
	free(none);
	return err;
}

static void on_call(struct search *s, uint32_t number)
{
	const struct linear_op *op = &s->ops[number];
	uint32_t slot = 0;

	while (linear_bit(s->open, slot))
		slot++;
	assert(slot < s->slot_count);
	s->slot_of[number] = slot;
	s->op_of[slot] = number;
	linear_bit_set(s->open, slot);
	if (is_pending(op))
		linear_bit_set(s->unknown, slot);
	else if (only_looks(op))
		for (size_t i = 0; i < s->now.count; i++)
			if (linear_set_value(&s->now, i) == op->result)
				linear_bit_set(linear_set_done(&s->now, i), slot);
}

/* Open operations that only look take effect wherever they can. */
static void look(const struct search *s, uint64_t value, uint64_t *done)
{
	for (uint32_t slot = 0; slot < s->slot_count; slot++) {
		const struct linear_op *op = &s->ops[s->op_of[slot]];

		if (linear_bit(s->open, slot) && only_looks(op) && op->result == value)
			linear_bit_set(done, slot);
	}
}

/* What may follow from configuration number `from` of s->reached by one more operation. */
static int expand(struct search *s, size_t from, uint64_t *done)
{
	const size_t bytes = linear_set_words(s->slot_count) * sizeof(*done);

	for (uint32_t slot = 0; slot < s->slot_count; slot++) {
		const struct linear_op *op = &s->ops[s->op_of[slot]];
		uint64_t value = linear_set_value(&s->reached, from);
		int err;

		memcpy(done, linear_set_done(&s->reached, from), bytes);
		if (!linear_bit(s->open, slot) || linear_bit(done, slot) || only_looks(op) ||
		    !take_effect(op, &value))
			continue;
		linear_bit_set(done, slot);
		look(s, value, done);
		err = linear_set_add(&s->reached, value, done, s->unknown);
		if (err)
			return err;
	}
	return 0;
}

static int on_return(struct search *s, uint32_t number)
{
	const uint32_t slot = s->slot_of[number];
	const size_t bytes = linear_set_words(s->slot_count) * sizeof(uint64_t);
	uint64_t *done = malloc(bytes);
	int err = done ? 0 : -ENOMEM;

	linear_set_clear(&s->reached);
	linear_set_clear(&s->next);
	for (size_t i = 0; !err && i < s->now.count; i++)
		err = linear_set_add(&s->reached, linear_set_value(&s->now, i),
				     linear_set_done(&s->now, i), s->unknown);
	for (size_t i = 0; !err && i < s->reached.count; i++) {
		if (linear_set_is_dead(&s->reached, i))
			continue;
		memcpy(done, linear_set_done(&s->reached, i), bytes);
		if (!linear_bit(done, slot)) {
			err = expand(s, i, done);
			continue;
		}
		linear_bit_clear(done, slot);
		err = linear_set_add(&s->next, linear_set_value(&s->reached, i), done, s->unknown);
	}
	free(done);
	if (err)
		return err;
	linear_bit_clear(s->open, slot);
	linear_set_bury(&s->next);
	linear_set_swap(&s->now, &s->next);
	s->failed_op = number;
	return s->now.count ? 0 : -EILSEQ;
}

/* Nobody will see what it wrote: whether it took effect makes no difference any more. */
static int on_retire(struct search *s, uint32_t number)
{
	const uint32_t slot = s->slot_of[number];
	int err = 0;

	linear_set_clear(&s->next);
	linear_bit_clear(s->open, slot);
	linear_bit_clear(s->unknown, slot);
	for (size_t i = 0; !err && i < s->now.count; i++) {
		linear_bit_clear(linear_set_done(&s->now, i), slot);
		err = linear_set_add(&s->next, linear_set_value(&s->now, i),
				     linear_set_done(&s->now, i), s->unknown);
	}
	linear_set_bury(&s->next);
	linear_set_swap(&s->now, &s->next);
	return err;
}

static int walk(struct search *s)
{
	int err = add_start(s);

	for (size_t i = 0; !err && i < s->event_count; i++) {
		const struct event *event = &s->events[i];

		switch ((enum event_kind)event->kind) {
		case EVENT_CALL:
			on_call(s, event->op);
			break;
		case EVENT_RETURN:
			err = on_return(s, event->op);
			break;
		case EVENT_RETIRE:
			err = on_retire(s, event->op);
			break;
		}
	}
	return err;
}

/* *failed: of ops, whose return no order explains. */
static int check_key(const struct linear_op *ops, size_t count, bool any_start, size_t *failed)
{
	struct search s = {.ops = ops, .count = count, .any_start = any_start};
	size_t words;
	int err = find_sightings(&s);

	if (!err)
		err = make_events(&s);
	words = linear_set_words(s.slot_count);
	s.slot_of = calloc(count + 1, sizeof(*s.slot_of));
	s.op_of = calloc(s.slot_count + 1, sizeof(*s.op_of));
	s.open = calloc(words, sizeof(*s.open));
	s.unknown = calloc(words, sizeof(*s.unknown));
	if (!s.slot_of || !s.op_of || !s.open || !s.unknown)
		err = -ENOMEM;
	linear_set_init(&s.now, words);
	linear_set_init(&s.reached, words);
	linear_set_init(&s.next, words);
	if (!err)
		err = walk(&s);
	if (err == -EILSEQ)
		*failed = s.failed_op;
	linear_set_free(&s.now);
	linear_set_free(&s.reached);
	linear_set_free(&s.next);
	free(s.seen);
	free(s.events);
	free(s.slot_of);
	free(s.op_of);
	free(s.open);
	free(s.unknown);
	return err;
}

static int by_key_and_call(const void *a, const void *b, void *ops)
{
	const struct linear_op *x = (const struct linear_op *)ops + *(const size_t *)a;
	const struct linear_op *y = (const struct linear_op *)ops + *(const size_t *)b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->call_ns != y->call_ns)
		return x->call_ns < y->call_ns ? -1 : 1;
	return (*(const size_t *)a > *(const size_t *)b) -
	       (*(const size_t *)a < *(const size_t *)b);
}

/* Of the operations that matter to the failed one, those that were open at or after `since`. */
static size_t cut_window(const struct linear_op *ops, size_t count, size_t failed, uint64_t since,
			 struct linear_op *out, size_t *positions)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (ops[i].call_ns > ops[failed].return_ns || ops[i].return_ns < since)
			continue;
		positions[kept] = i;
		out[kept++] = ops[i];
	}
	return kept;
}

/* Doubles the window before the failed operation until it fails by itself. */
static int find_window(const struct linear_op *ops, size_t count, size_t failed,
		       struct linear_violation *violation)
{
	const uint64_t end = ops[failed].return_ns;
	struct linear_op *part = calloc(count, sizeof(*part));
	size_t *positions = calloc(count, sizeof(*positions));
	uint64_t span = end - ops[failed].call_ns + 1;
	size_t ignored;

	if (!part || !positions) {
		free(part);
		free(positions);
		return -ENOMEM;
	}
	for (;; span *= 2) {
		const bool whole = span >= end || span > UINT64_MAX / 2;

		violation->count =
		    cut_window(ops, count, failed, whole ? 0 : end - span, part, positions);
		if (whole || check_key(part, violation->count, true, &ignored) == -EILSEQ)
			break;
	}
	violation->key = ops[failed].key;
	violation->ops = positions;
	free(part);
	return 0;
}

/* One key, at order[0..count). Keeps the smaller of *best and what it finds. */
static int check_group(const struct linear_op *group, size_t count, const size_t *order,
		       struct linear_violation *best, bool *violated)
{
	struct linear_violation found = {0};
	size_t failed = 0;
	int err = check_key(group, count, false, &failed);

	if (err != -EILSEQ)
		return err;
	err = find_window(group, count, failed, &found);
	if (err)
		return err;
	for (size_t i = 0; i < found.count; i++)
		found.ops[i] = order[found.ops[i]];
	if (!*violated || found.count < best->count) {
		free(best->ops);
		*best = found;
	} else {
		free(found.ops);
	}
	*violated = true;
	return 0;
}

static bool makes_sense(const struct linear_op *op)
{
	return op->kind >= LINEAR_READ && op->kind <= LINEAR_CAS && op->call_ns <= op->return_ns &&
	       op->call_ns != LINEAR_PENDING;
}

int linear_check(const struct linear_op *ops, size_t count, struct linear_violation *violation)
{
	struct linear_violation best = {0};
	struct linear_op *sorted = calloc(count + 1, sizeof(*sorted));
	size_t *order = calloc(count + 1, sizeof(*order));
	bool violated = false;
	int err = sorted && order ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < count; i++) {
		order[i] = i;
		if (!makes_sense(&ops[i]))
			err = -EINVAL;
	}
	if (!err) {
		qsort_r(order, count, sizeof(*order), by_key_and_call, (void *)(uintptr_t)ops);
		for (size_t i = 0; i < count; i++)
			sorted[i] = ops[order[i]];
	}
	for (size_t from = 0, to; !err && from < count; from = to) {
		for (to = from + 1; to < count && sorted[to].key == sorted[from].key;)
			to++;
		err = check_group(sorted + from, to - from, order + from, &best, &violated);
	}
	free(sorted);
	free(order);
	if (!err && violated)
		err = -EILSEQ;
	if (err == -EILSEQ && violation)
		*violation = best;
	else
		free(best.ops);
	return err;
}
