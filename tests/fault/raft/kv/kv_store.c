/* SPDX-License-Identifier: BSD-2-Clause */
#include "kv_store.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_VALUES = 512, PAGES = KV_KEYS_MAX / PAGE_VALUES, PAIR_SIZE = 16, WORDS_MAX = 4 };

struct page {
	uint32_t owners; /* atomic: a view is freed by the loop, and read elsewhere */
	uint64_t values[PAGE_VALUES];
};

struct kv_store {
	struct page *pages[PAGES]; /* NULL: zeros */
	/* Of a restore under way. */
	uint8_t rest[PAIR_SIZE];
	size_t rest_size;
};

struct view {
	struct page *pages[PAGES];
	uint64_t next_key;
};

static void release(struct page *page)
{
	if (page && !__atomic_sub_fetch(&page->owners, 1, __ATOMIC_ACQ_REL))
		free(page);
}

/* The store's own page for a key, or NULL: no memory. */
static struct page *own_page(struct kv_store *store, uint64_t key)
{
	struct page **place = &store->pages[key / PAGE_VALUES], *page;

	if (*place && __atomic_load_n(&(*place)->owners, __ATOMIC_ACQUIRE) == 1)
		return *place;
	page = calloc(1, sizeof(*page));
	if (!page)
		return NULL;
	if (*place)
		memcpy(page->values, (*place)->values, sizeof(page->values));
	page->owners = 1;
	release(*place);
	*place = page;
	return page;
}

static void set(struct kv_store *store, uint64_t key, uint64_t value)
{
	struct page *page = own_page(store, key);

	/* A state machine that leaves out a command is worse than one that ends. */
	if (!page)
		abort();
	page->values[key % PAGE_VALUES] = value;
}

uint64_t kv_store_get(const struct kv_store *store, uint64_t key)
{
	const struct page *page = key < KV_KEYS_MAX ? store->pages[key / PAGE_VALUES] : NULL;

	return page ? page->values[key % PAGE_VALUES] : 0;
}

/* -- commands ---------------------------------------------------------------------------------- */

static bool take_number(const char **at, const char *end, uint64_t *number)
{
	uint64_t value = 0;
	const char *first;

	while (*at < end && **at == ' ')
		++*at;
	for (first = *at; *at < end && **at >= '0' && **at <= '9'; ++*at)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value))
			return false;
	*number = value;
	return *at > first && (*at == end || **at == ' ');
}

static uint64_t apply(void *context, uint64_t index, const void *command, size_t size)
{
	struct kv_store *store = context;
	const char *at = command, *end = at + size;
	uint64_t key, value, expected, was;
	bool cas;

	(void)index;
	if (size < 4)
		return KV_NO_COMMAND;
	cas = !memcmp(at, "cas ", 4);
	if (!cas && memcmp(at, "put ", 4))
		return KV_NO_COMMAND;
	at += 4;
	if (!take_number(&at, end, &key) || key >= KV_KEYS_MAX ||
	    (cas && !take_number(&at, end, &expected)) || !take_number(&at, end, &value))
		return KV_NO_COMMAND;
	was = kv_store_get(store, key);
	if (!cas || was == expected)
		set(store, key, value);
	return was;
}

/* -- snapshots --------------------------------------------------------------------------------- */

static void *snapshot_begin(void *context)
{
	struct kv_store *store = context;
	struct view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	for (unsigned int i = 0; i < PAGES; i++) {
		view->pages[i] = store->pages[i];
		if (view->pages[i])
			__atomic_add_fetch(&view->pages[i]->owners, 1, __ATOMIC_RELAXED);
	}
	return view;
}

static ssize_t snapshot_read(void *snapshot, void *to, size_t size)
{
	struct view *view = snapshot;
	uint64_t *at = to;
	size_t done = 0;

	while (done + PAIR_SIZE <= size && view->next_key < KV_KEYS_MAX) {
		const struct page *page = view->pages[view->next_key / PAGE_VALUES];

		if (!page) {
			view->next_key += PAGE_VALUES;
			continue;
		}
		if (page->values[view->next_key % PAGE_VALUES]) {
			*at++ = htole64(view->next_key);
			*at++ = htole64(page->values[view->next_key % PAGE_VALUES]);
			done += PAIR_SIZE;
		}
		view->next_key++;
	}
	return (ssize_t)done;
}

static void snapshot_end(void *snapshot)
{
	struct view *view = snapshot;

	for (unsigned int i = 0; i < PAGES; i++)
		release(view->pages[i]);
	free(view);
}

static int restore_begin(void *context, uint64_t size)
{
	struct kv_store *store = context;

	if (size % PAIR_SIZE)
		return -EBADMSG;
	for (unsigned int i = 0; i < PAGES; i++) {
		release(store->pages[i]);
		store->pages[i] = NULL;
	}
	store->rest_size = 0;
	return 0;
}

static int restore_chunk(void *context, const void *data, size_t size)
{
	struct kv_store *store = context;
	const uint8_t *at = data;

	while (size) {
		uint64_t pair[2];
		size_t take = PAIR_SIZE - store->rest_size;

		if (take > size)
			take = size;
		memcpy(store->rest + store->rest_size, at, take);
		store->rest_size += take;
		at += take;
		size -= take;
		if (store->rest_size < PAIR_SIZE)
			break;
		store->rest_size = 0;
		memcpy(pair, store->rest, PAIR_SIZE);
		if (le64toh(pair[0]) >= KV_KEYS_MAX)
			return -EBADMSG;
		set(store, le64toh(pair[0]), le64toh(pair[1]));
	}
	return 0;
}

static int restore_end(void *context, uint64_t index)
{
	(void)index;
	return ((struct kv_store *)context)->rest_size ? -EBADMSG : 0;
}

/* -- life -------------------------------------------------------------------------------------- */

struct kv_store *kv_store_new(void)
{
	return calloc(1, sizeof(struct kv_store));
}

void kv_store_free(struct kv_store *store)
{
	restore_begin(store, 0);
	free(store);
}

struct raft_store kv_store_seam(struct kv_store *store)
{
	return (struct raft_store){.context = store,
				   .apply = apply,
				   .snapshot_begin = snapshot_begin,
				   .snapshot_read = snapshot_read,
				   .snapshot_end = snapshot_end,
				   .restore_begin = restore_begin,
				   .restore_chunk = restore_chunk,
				   .restore_end = restore_end};
}
