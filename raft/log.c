/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

static struct raft_entry *slot(const struct raft_log *log, uint64_t index)
{
	assert(index > log->before && index <= raft_log_last(log));
	return &log->entries[log->head + (size_t)(index - log->before - 1)];
}

void raft_log_free(struct raft_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		raft_bytes_release(log->entries[log->head + i].data);
	free(log->entries);
	*log = (struct raft_log){0};
}

static void move_to_front(struct raft_log *log)
{
	if (log->head)
		memmove(log->entries, log->entries + log->head, log->count * sizeof(*log->entries));
	log->head = 0;
}

int raft_log_reserve(struct raft_log *log, size_t more)
{
	if (log->head + log->count + more <= log->capacity)
		return 0;
	/* The hole in front is worth a move only if it is as large as what is moved. */
	if (log->head >= log->count && log->count + more <= log->capacity) {
		move_to_front(log);
		return 0;
	}
	size_t capacity = log->capacity ? log->capacity : CAPACITY_MIN;
	while (capacity < log->count + more)
		capacity *= 2;
	if (capacity == log->capacity)
		capacity *= 2;
	struct raft_entry *entries = malloc(capacity * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	if (log->count)
		memcpy(entries, log->entries + log->head, log->count * sizeof(*entries));
	free(log->entries);
	log->entries = entries;
	log->capacity = capacity;
	log->head = 0;
	return 0;
}

void raft_log_append(struct raft_log *log, const struct raft_entry *entry)
{
	assert(log->head + log->count < log->capacity);
	assert(entry->index == raft_log_last(log) + 1);
	log->entries[log->head + log->count++] = *entry;
	raft_bytes_hold(entry->data);
}

const struct raft_entry *raft_log_at(const struct raft_log *log, uint64_t index)
{
	if (index <= log->before || index > raft_log_last(log))
		return NULL;
	return slot(log, index);
}

uint64_t raft_log_term(const struct raft_log *log, uint64_t index)
{
	if (index == log->before)
		return log->before_term;
	const struct raft_entry *entry = raft_log_at(log, index);
	return entry ? entry->term : 0;
}

bool raft_log_matches(const struct raft_log *log, uint64_t index, uint64_t term)
{
	return raft_log_knows(log, index) && raft_log_term(log, index) == term;
}

uint64_t raft_log_last_of_term(const struct raft_log *log, uint64_t limit, uint64_t term)
{
	uint64_t low = log->before, high = limit;

	assert(limit >= log->before && limit <= raft_log_last(log));
	/* Terms never fall along the log. */
	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;
		if (raft_log_term(log, middle) <= term)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

uint32_t raft_log_fit(const struct raft_log *log, uint64_t first, uint32_t bytes_max,
		      uint32_t *bytes)
{
	uint32_t count = 0, sum = 0;

	for (uint64_t index = first; index <= raft_log_last(log); index++) {
		uint32_t size = raft_entry_bytes(slot(log, index));
		if (count == RAFT_MESSAGE_ENTRIES_MAX || size > bytes_max - sum)
			break;
		sum += size;
		count++;
	}
	*bytes = sum;
	return count;
}

void raft_log_truncate(struct raft_log *log, uint64_t from)
{
	assert(from > log->before);
	while (raft_log_last(log) >= from) {
		raft_bytes_release(slot(log, raft_log_last(log))->data);
		log->count--;
	}
}

/* A log that was long once must not hold its memory for good. */
static void shrink(struct raft_log *log)
{
	size_t capacity = log->capacity;

	while (capacity > CAPACITY_MIN && capacity / 4 >= log->count)
		capacity /= 2;
	if (capacity == log->capacity)
		return;
	move_to_front(log);
	struct raft_entry *entries = realloc(log->entries, capacity * sizeof(*entries));
	if (!entries)
		return;
	log->entries = entries;
	log->capacity = capacity;
}

void raft_log_drop(struct raft_log *log, uint64_t index)
{
	if (index <= log->before)
		return;
	uint64_t term = slot(log, index)->term;
	while (log->before < index) {
		raft_bytes_release(log->entries[log->head].data);
		log->head++;
		log->count--;
		log->before++;
	}
	log->before_term = term;
	shrink(log);
}

void raft_log_reset(struct raft_log *log, uint64_t index, uint64_t term)
{
	raft_log_free(log);
	log->before = index;
	log->before_term = term;
}
