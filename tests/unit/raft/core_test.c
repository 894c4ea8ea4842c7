/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The core as a whole, where a story would be too long: what it refuses to open, messages of any
 * shape, and memory that runs out at every allocation in turn. What it does when all is well is in
 * scripts/.
 */
#include "cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Linked with --wrap: the allocation after fail_after more fails; negative: none does. */
static long fail_after = -1;
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool fails(void)
{
	return fail_after >= 0 && fail_after-- == 0;
}
void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *memory, size_t size)
{
	return fails() ? NULL : __real_realloc(memory, size);
}

/* xorshift64*, so that a run is its seed. */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1d;
}

static uint32_t zero(void *context)
{
	(void)context;
	return 0;
}

static struct raft_options options_of(uint64_t id)
{
	struct raft_options options;

	raft_options_default(&options);
	options.id = id;
	options.random = zero;
	return options;
}

static struct raft_snapshot bootstrap(uint32_t voters)
{
	struct raft_snapshot snapshot = {.index = 1, .term = 1, .members.count = voters};

	for (uint32_t i = 0; i < voters; i++)
		snapshot.members.member[i] = (struct raft_member){.id = i + 1, .role = RAFT_VOTER};
	return snapshot;
}

static void assert_not_opened(const struct raft_options *options, const struct raft_restored *from)
{
	struct raft *r = NULL;

	assert_int_equal(raft_open(options, from, &r), -EINVAL);
	assert_null(r);
}

static void test_options_that_contradict_themselves(void **state)
{
	(void)state;
	const struct raft_options good = options_of(1);
	struct raft_restored restored = {.snapshot = bootstrap(1)};
	struct raft_options options;

#define REFUSES(field, value)                                                                      \
	do {                                                                                       \
		options = good;                                                                    \
		options.field = value;                                                             \
		assert_not_opened(&options, &restored);                                            \
	} while (0)
	REFUSES(id, 0);
	REFUSES(random, NULL);
	REFUSES(heartbeat_ticks, 0);
	REFUSES(heartbeat_ticks, 13);
	REFUSES(message_bytes_max, 0);
	REFUSES(message_bytes_max, RAFT_ENTRY_SIZE_MAX + 1);
	REFUSES(inflight_bytes_max, 0);
	REFUSES(inflight_messages_max, 0);
	REFUSES(chunk_bytes, 0);
	REFUSES(chunk_bytes, RAFT_SNAPSHOT_CHUNK_MAX + 1);
#undef REFUSES
}

static void test_disks_that_contradict_themselves(void **state)
{
	(void)state;
	const struct raft_options options = options_of(1);
	struct raft_entry entries[2] = {{.index = 2, .term = 2, .type = RAFT_ENTRY_EMPTY},
					{.index = 3, .term = 2, .type = RAFT_ENTRY_EMPTY}};
	const struct raft_restored good = {.hard_state = {.term = 2, .commit = 3},
					   .snapshot = bootstrap(1),
					   .entries = entries,
					   .entry_count = 2};
	struct raft_restored bad;
	struct raft *r;

	assert_int_equal(raft_open(&options, &good, &r), 0);
	raft_close(r);
#define REFUSES(what)                                                                              \
	do {                                                                                       \
		bad = good;                                                                        \
		what;                                                                              \
		assert_not_opened(&options, &bad);                                                 \
	} while (0)
	REFUSES(bad.hard_state.commit = 4);
	REFUSES(bad.hard_state.term = 1);
	REFUSES(bad.hard_state.term = UINT64_MAX);
	REFUSES(bad.snapshot.index = 2);
	REFUSES(bad.snapshot.term = 3);
	REFUSES(bad.snapshot.term = 0);
	REFUSES(bad.snapshot.members.count = 0);
	REFUSES(bad.snapshot.members.count = RAFT_MEMBERS_MAX + 1);
	REFUSES(bad.snapshot.members.member[0].role = RAFT_LEARNER);
	entries[1].index = 4;
	REFUSES(bad.hard_state.commit = 2);
	entries[1].index = 3;
	entries[1].term = 1;
	REFUSES(bad.hard_state.commit = 2);
	entries[1].term = 2;
	entries[1].type = RAFT_ENTRY_MEMBERS;
	REFUSES(bad.hard_state.commit = 2);
#undef REFUSES
}

/* Numbers that are likely to lie on somebody's edge. */
static uint64_t odd_number(uint64_t *seed, const struct raft_status *status)
{
	const uint64_t base[] = {0,
				 status->term,
				 status->commit,
				 status->last,
				 status->last,
				 status->first,
				 UINT64_MAX / 2,
				 UINT64_MAX};
	uint64_t number = base[draw(seed) % 8];

	return draw(seed) % 2 ? number : number + draw(seed) % 5 - 2;
}

static struct raft_bytes *odd_members(uint64_t *seed)
{
	struct raft_members members = bootstrap(1 + (uint32_t)(draw(seed) % 4)).members;
	struct raft_bytes *bytes = raft_members_encode(&members);

	if (draw(seed) % 3 == 0)
		bytes->data[draw(seed) % bytes->size] ^= (uint8_t)(1 << draw(seed) % 8);
	return bytes;
}

static void odd_entries(uint64_t *seed, const struct raft_status *status, struct raft_message *m)
{
	uint64_t term = m->log_term;

	m->entry_count = (uint32_t)(draw(seed) % 4);
	m->entries = calloc(m->entry_count + 1, sizeof(*m->entries));
	for (uint32_t i = 0; i < m->entry_count; i++) {
		struct raft_entry *entry = &m->entries[i];
		term += draw(seed) % 3 == 0;
		entry->index = m->index + 1 + i;
		entry->term = term;
		entry->type = (uint8_t)(1 + draw(seed) % 3);
		if (entry->type == RAFT_ENTRY_MEMBERS)
			entry->data = odd_members(seed);
		if (draw(seed) % 40 == 0)
			entry->index = odd_number(seed, status);
		if (draw(seed) % 40 == 0)
			entry->term = odd_number(seed, status);
		if (draw(seed) % 40 == 0)
			entry->type = (uint8_t)draw(seed);
	}
}

static void odd_chunk(uint64_t *seed, const struct raft_status *status, struct raft_message *m)
{
	m->snapshot = calloc(1, sizeof(*m->snapshot));
	*m->snapshot = bootstrap((uint32_t)(draw(seed) % 4));
	m->snapshot->index = odd_number(seed, status);
	m->snapshot->term = odd_number(seed, status);
	m->snapshot->size = draw(seed) % 8;
	if (draw(seed) % 10 == 0)
		m->snapshot->members.count = (uint32_t)draw(seed);
	m->offset = draw(seed) % 8;
	m->last = draw(seed) % 2;
	if (draw(seed) % 5)
		m->chunk = raft_bytes_new(NULL, draw(seed) % 8);
}

static struct raft_message odd_message(uint64_t *seed, const struct raft_status *status)
{
	struct raft_message m = {
	    .type = (uint8_t)(draw(seed) % (RAFT_MESSAGE_TYPES + 1)),
	    .reject = draw(seed) % 3 == 0,
	    .transfer = draw(seed) % 2,
	    .from = draw(seed) % 5,
	    .to = draw(seed) % 50 ? status->id : draw(seed) % 5,
	    .term = draw(seed) % 4 ? status->term + draw(seed) % 2 : odd_number(seed, status),
	    .index = odd_number(seed, status),
	    .log_term = odd_number(seed, status),
	    .commit = odd_number(seed, status),
	    .context = draw(seed) % 4,
	    .offset = odd_number(seed, status),
	};

	if (m.type == RAFT_APPEND)
		odd_entries(seed, status, &m);
	if (m.type == RAFT_SNAPSHOT)
		odd_chunk(seed, status, &m);
	return m;
}

enum { SEEN_MAX = 4096 };
struct seen {
	uint64_t term[SEEN_MAX]; /* of what was applied, by index */
	struct raft_status before;
};

/* Whatever comes in: terms and commits do not fall, one vote a term, what was applied stays. */
static void check(struct seen *seen, struct raft *r, const struct raft_effects *effects)
{
	struct raft_status now;

	raft_get_status(r, &now);
	assert_true(now.term >= seen->before.term);
	assert_true(now.commit >= seen->before.commit);
	assert_true(now.commit <= now.last);
	assert_true(now.applied <= now.commit);
	assert_true(raft_members_valid(&now.members));
	if (now.term == seen->before.term && seen->before.vote)
		assert_int_equal(now.vote, seen->before.vote);
	if (effects->has_hard_state)
		assert_true(effects->hard_state.commit <= now.persisted);
	for (size_t i = 0; i < effects->committed_count; i++) {
		const struct raft_entry *entry = &effects->committed[i];
		assert_true(entry->index <= now.persisted);
		if (entry->index >= SEEN_MAX)
			continue;
		if (seen->term[entry->index])
			assert_int_equal(entry->term, seen->term[entry->index]);
		seen->term[entry->index] = entry->term;
	}
	for (size_t i = 0; i < effects->entry_count; i++)
		assert_true(effects->entries[i].index > now.commit ||
			    effects->entries[i].index > seen->before.commit);
	seen->before = now;
}

static void odd_life(uint64_t seed)
{
	struct raft_options options = options_of(1);
	struct raft_restored restored = {.snapshot = bootstrap(1 + (uint32_t)(seed % 3))};
	struct seen seen = {0};
	struct raft *r;

	options.inflight_messages_max = 3;
	options.message_bytes_max = 100;
	assert_int_equal(raft_open(&options, &restored, &r), 0);
	raft_get_status(r, &seen.before);
	for (int i = 0; i < 3000; i++) {
		struct raft_message m = odd_message(&seed, &seen.before);
		struct raft_effects effects;
		uint64_t index, term;

		assert_int_equal(raft_step(r, &m), 0);
		raft_message_clear(&m);
		if (draw(&seed) % 8 == 0)
			assert_int_equal(raft_tick(r), 0);
		if (draw(&seed) % 16 == 0)
			raft_campaign(r);
		if (draw(&seed) % 4 == 0)
			raft_propose(r, NULL, &index, &term);
		if (draw(&seed) % 16 == 0)
			raft_read(r, draw(&seed));
		if (draw(&seed) % 64 == 0)
			raft_stall(r, draw(&seed) % 2);
		if (draw(&seed) % 2)
			continue;
		assert_int_equal(raft_take(r, &effects), 0);
		check(&seen, r, &effects);
		if (effects.sequence)
			assert_int_equal(raft_persisted(r, effects.sequence - draw(&seed) % 2), 0);
		raft_effects_clear(&effects);
	}
	raft_close(r);
}

static void test_messages_of_any_shape(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++)
		odd_life(seed * 0x9e3779b97f4a7c15);
}

/*
 * Memory that runs out. Three members live twice, by the same seed: once with all the memory they
 * want, once with each call failing at its first allocation, its second, and so on until it gets
 * through. Both have to do the same, and a call that failed nothing at all.
 */
enum { MEMBERS = 3, MAIL_MAX = 256 };
struct world {
	bool poor;
	struct raft *r[MEMBERS + 1];
	struct raft_message mail[MAIL_MAX];
	size_t mail_count;
	FILE *out;
	unsigned failures;
	uint64_t applied; /* by whoever applied most */
};

static char *status_text(const struct raft *r)
{
	struct raft_status status;
	char *text;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	raft_get_status(r, &status);
	describe_status(memory, &status);
	fprintf(memory, " vote %lu commit %lu applied %lu log %lu..%lu disk %lu %d ", status.vote,
		status.commit, status.applied, status.first, status.last, status.persisted,
		status.transferring);
	describe_members(memory, &status.members);
	fclose(memory);
	return text;
}

#define CALL(world, id, result, call)                                                              \
	do {                                                                                       \
		char *before_ = (world)->poor ? status_text((world)->r[id]) : NULL;                \
		for (long k_ = 0;; k_++) {                                                         \
			fail_after = (world)->poor ? k_ : -1;                                      \
			(result) = (call);                                                         \
			fail_after = -1;                                                           \
			if ((result) != -ENOMEM)                                                   \
				break;                                                             \
			char *after_ = status_text((world)->r[id]);                                \
			assert_string_equal(before_, after_);                                      \
			free(after_);                                                              \
			(world)->failures++;                                                       \
		}                                                                                  \
		free(before_);                                                                     \
	} while (0)

static void post(struct world *world, const struct raft_message *messages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		describe_message(world->out, &messages[i]);
		if (world->mail_count < MAIL_MAX)
			raft_message_copy(&messages[i], &world->mail[world->mail_count++]);
	}
}

static void answer_wanted(struct world *world, uint64_t id, const struct raft_chunk_wanted *wanted)
{
	struct raft_status status;
	int err;

	raft_get_status(world->r[id], &status);
	struct raft_snapshot snapshot = {.index = status.first - 1, .members = status.members};
	snapshot.term = snapshot.index == 1 ? 1 : 2;
	snapshot.size = 2;
	struct raft_bytes *data = raft_bytes_new(&"ab"[wanted->offset], wanted -> offset < 2);
	CALL(world, id, err,
	     raft_send_chunk(world->r[id], wanted->to, &snapshot, wanted->offset, data,
			     wanted->offset > 0));
	fprintf(world->out, "chunk %d\n", err);
	raft_bytes_release(data);
}

static void take(struct world *world, uint64_t id)
{
	struct raft *r = world->r[id];
	struct raft_effects effects;
	int err;

	CALL(world, id, err, raft_take(r, &effects));
	assert_int_equal(err, 0);
	fprintf(world->out, "%lu takes %lu:", id, effects.sequence);
	for (size_t i = 0; i < effects.entry_count; i++)
		describe_entry(world->out, &effects.entries[i]);
	fprintf(world->out, " applies");
	for (size_t i = 0; i < effects.committed_count; i++) {
		describe_entry(world->out, &effects.committed[i]);
		if (effects.committed[i].index > world->applied)
			world->applied = effects.committed[i].index;
	}
	for (size_t i = 0; i < effects.read_count; i++)
		fprintf(world->out, " read %lu %lu %d", effects.reads[i].context,
			effects.reads[i].index, effects.reads[i].err);
	fprintf(world->out, " %zu chunks, install %d\n", effects.chunk_count, effects.has_install);
	post(world, effects.now, effects.now_count);
	for (size_t i = 0; i < effects.wanted_count; i++)
		answer_wanted(world, id, &effects.wanted[i]);
	if (effects.sequence) {
		CALL(world, id, err, raft_persisted(r, effects.sequence));
		assert_int_equal(err, 0);
	}
	post(world, effects.later, effects.later_count);
	raft_effects_clear(&effects);
}

static void deliver(struct world *world, uint64_t which, bool lose)
{
	if (!world->mail_count)
		return;
	size_t at = (size_t)(which % (world->mail_count < 4 ? world->mail_count : 4));
	struct raft_message m = world->mail[at];
	int err = 0;

	world->mail_count--;
	memmove(&world->mail[at], &world->mail[at + 1],
		(world->mail_count - at) * sizeof(world->mail[0]));
	if (!lose)
		CALL(world, m.to, err, raft_step(world->r[m.to], &m));
	assert_int_equal(err, 0);
	raft_message_clear(&m);
}

static void wish(struct world *world, uint64_t id, uint64_t what)
{
	struct raft *r = world->r[id];
	uint64_t index = 0, term = 0;
	struct raft_status status;
	int err = 0;

	raft_get_status(r, &status);
	struct raft_change change = {.type = RAFT_SET_ADDRESS, .member = {.id = 2, .address = "x"}};
	struct raft_snapshot snapshot = {.index = status.applied, .term = status.term};
	switch (what % 16) {
	case 0:
		CALL(world, id, err, raft_change_members(r, &change, &index));
		break;
	case 1:
		CALL(world, id, err, raft_transfer(r, 1 + what / 16 % 3));
		break;
	case 2:
		CALL(world, id, err, raft_campaign(r));
		break;
	case 3:
		err = raft_compact(r, &snapshot, 1);
		break;
	case 4:
		raft_unreachable(r, 1 + what / 16 % 3);
		break;
	case 5:
	case 6:
		CALL(world, id, err, raft_read(r, what / 16 % 100));
		break;
	default:
		CALL(world, id, err, raft_propose(r, NULL, &index, &term));
		break;
	}
	fprintf(world->out, "%lu wishes %lu: %d %lu %lu\n", id, what % 16, err, index, term);
}

static void live(struct world *world, uint64_t seed)
{
	for (uint64_t id = 1; id <= MEMBERS; id++) {
		struct raft_options options = options_of(id);
		options.election_ticks = 10 + (uint32_t)id;
		options.heartbeat_ticks = 2;
		struct raft_restored restored = {.snapshot = bootstrap(MEMBERS)};
		int err;
		long k = 0;
		do {
			fail_after = world->poor ? k++ : -1;
			err = raft_open(&options, &restored, &world->r[id]);
			fail_after = -1;
		} while (err == -ENOMEM);
		assert_int_equal(err, 0);
	}
	for (int i = 0; i < 4000; i++) {
		uint64_t what = draw(&seed), id = 1 + draw(&seed) % MEMBERS;
		int err = 0;
		if (what % 16 < 9)
			deliver(world, draw(&seed), draw(&seed) % 20 == 0);
		else if (what % 16 < 11)
			CALL(world, id, err, raft_tick(world->r[id]));
		else if (what % 16 < 13)
			wish(world, id, draw(&seed));
		assert_int_equal(err, 0);
		for (id = 1; id <= MEMBERS; id++)
			take(world, id);
	}
	for (uint64_t id = 1; id <= MEMBERS; id++) {
		char *text = status_text(world->r[id]);
		fprintf(world->out, "%s\n", text);
		free(text);
		raft_close(world->r[id]);
	}
	while (world->mail_count)
		raft_message_clear(&world->mail[--world->mail_count]);
}

static void test_memory_runs_out(void **state)
{
	(void)state;
	unsigned failures = 0;

	for (uint64_t seed = 1; seed <= 10; seed++) {
		char *text[2];
		uint64_t applied = 0;
		for (int poor = 0; poor < 2; poor++) {
			size_t size;
			FILE *out = open_memstream(&text[poor], &size);
			struct world *world = calloc(1, sizeof(*world));
			world->poor = poor;
			world->out = out;
			live(world, seed * 0x9e3779b97f4a7c15);
			failures += world->failures;
			applied = world->applied;
			free(world);
			fclose(out);
		}
		assert_string_equal(text[0], text[1]);
		/* Else little was tried. */
		assert_true(applied >= 50);
		free(text[0]);
		free(text[1]);
	}
	print_message("%u allocations failed\n", failures);
	assert_true(failures > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_options_that_contradict_themselves),
	    cmocka_unit_test(test_disks_that_contradict_themselves),
	    cmocka_unit_test(test_messages_of_any_shape),
	    cmocka_unit_test(test_memory_runs_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
