/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"

static struct raft_bytes *text(const char *string)
{
	return raft_bytes_new(string, strlen(string));
}

static struct raft_message make_append(uint32_t count)
{
	struct raft_message message = {.type = RAFT_APPEND,
				       .from = 1,
				       .to = UINT64_MAX,
				       .term = 7,
				       .index = 41,
				       .log_term = 6,
				       .commit = 40,
				       .entry_count = count,
				       .entries = calloc(count, sizeof(struct raft_entry))};

	for (uint32_t i = 0; i < count; i++)
		message.entries[i] = (struct raft_entry){
		    .index = 42 + i, .term = 6, .type = RAFT_ENTRY_COMMAND, .data = text("data")};
	return message;
}

static struct raft_message make_chunk(void)
{
	struct raft_message message = {.type = RAFT_SNAPSHOT,
				       .from = 1,
				       .to = 2,
				       .term = 3,
				       .offset = 1 << 20,
				       .last = true,
				       .snapshot = calloc(1, sizeof(struct raft_snapshot)),
				       .chunk = text("state")};

	*message.snapshot = (struct raft_snapshot){.index = 9, .term = 2, .size = 5};
	message.snapshot->members.count = RAFT_MEMBERS_MAX;
	for (uint32_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
		struct raft_member *member = &message.snapshot->members.member[i];

		member->id = i + 1;
		member->role = i ? RAFT_VOTER : RAFT_LEARNER;
		memset(member->address, 'a', i ? RAFT_ADDRESS_MAX - 1 : 0);
	}
	return message;
}

static void assert_bytes(const struct raft_bytes *a, const struct raft_bytes *b)
{
	assert_int_equal(!a, !b);
	if (a) {
		assert_int_equal(a->size, b->size);
		assert_memory_equal(a->data, b->data, a->size);
	}
}

static void assert_same(const struct raft_message *a, const struct raft_message *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->reject, b->reject);
	assert_int_equal(a->transfer, b->transfer);
	assert_int_equal(a->last, b->last);
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->to, b->to);
	assert_int_equal(a->term, b->term);
	assert_int_equal(a->index, b->index);
	assert_int_equal(a->log_term, b->log_term);
	assert_int_equal(a->commit, b->commit);
	assert_int_equal(a->context, b->context);
	assert_int_equal(a->offset, b->offset);
	assert_int_equal(a->entry_count, b->entry_count);
	for (uint32_t i = 0; i < a->entry_count; i++) {
		assert_int_equal(a->entries[i].index, b->entries[i].index);
		assert_int_equal(a->entries[i].term, b->entries[i].term);
		assert_int_equal(a->entries[i].type, b->entries[i].type);
		assert_bytes(a->entries[i].data, b->entries[i].data);
	}
	assert_int_equal(!a->snapshot, !b->snapshot);
	if (a->snapshot)
		assert_memory_equal(a->snapshot, b->snapshot, sizeof(*a->snapshot));
	assert_bytes(a->chunk, b->chunk);
}

/* There and back; clears the message. */
static void round_trip(struct raft_message *message)
{
	struct wire_buffer frames = {0};
	struct frame_reader reader = {0};
	struct raft_message back;
	struct frame frame;

	assert_int_equal(wire_encode(message, &frames), 0);
	assert_true(frames.size <= wire_size_guess(message));
	assert_int_equal(
	    frame_reader_feed(&reader, WIRE_PAYLOAD_MAX, frames.data, frames.size, &frame),
	    frames.size);
	assert_non_null(frame.payload);
	assert_int_equal(wire_decode(frame.payload, frame.size, &back), 0);
	assert_same(message, &back);
	raft_message_clear(&back);
	raft_message_clear(message);
	wire_buffer_free(&frames);
	frame_reader_free(&reader);
}

static void every_type_comes_back(void **state)
{
	(void)state;
	for (uint8_t type = 1; type < RAFT_MESSAGE_TYPES; type++) {
		struct raft_message message = {.type = type,
					       .reject = type & 1,
					       .transfer = type & 2,
					       .last = type & 4,
					       .from = 1,
					       .to = 2,
					       .term = UINT64_MAX,
					       .index = UINT64_MAX - 1,
					       .log_term = 3,
					       .commit = 4,
					       .context = UINT64_MAX,
					       .offset = 6};
		if (type == RAFT_SNAPSHOT) {
			message.snapshot = calloc(1, sizeof(*message.snapshot));
			message.chunk = raft_bytes_new(NULL, 0);
		}
		round_trip(&message);
	}
}

static void entries_and_chunks_come_back(void **state)
{
	struct raft_message message = make_append(RAFT_MESSAGE_ENTRIES_MAX);

	(void)state;
	raft_bytes_release(message.entries[1].data);
	message.entries[1].data = NULL;
	message.entries[1].type = RAFT_ENTRY_EMPTY;
	raft_bytes_release(message.entries[2].data);
	message.entries[2].data = raft_bytes_new(NULL, 0);
	raft_bytes_release(message.entries[3].data);
	message.entries[3].data = raft_bytes_new(NULL, RAFT_ENTRY_SIZE_MAX);
	round_trip(&message);
	message = make_chunk();
	round_trip(&message);
}

static void what_breaks_a_bound_is_not_encoded(void **state)
{
	struct raft_message message = make_append(RAFT_MESSAGE_ENTRIES_MAX + 1);
	struct wire_buffer frames = {0};

	(void)state;
	assert_int_equal(wire_encode(&message, &frames), -EMSGSIZE);
	raft_message_clear(&message);
	message = make_append(2);
	message.entries[1].index++;
	assert_int_equal(wire_encode(&message, &frames), -EINVAL);
	raft_message_clear(&message);
	message = make_append(2);
	for (int i = 0; i < 2; i++) {
		raft_bytes_release(message.entries[i].data);
		message.entries[i].data = raft_bytes_new(NULL, RAFT_ENTRY_SIZE_MAX);
	}
	assert_int_equal(wire_encode(&message, &frames), -EMSGSIZE);
	assert_int_equal(frames.size, 0);
	raft_message_clear(&message);
	wire_buffer_free(&frames);
}

/* -- payloads by hand -------------------------------------------------------------------------- */

struct bytes {
	uint8_t at[1 << 16];
	size_t size;
};

static void add(struct bytes *bytes, const void *data, size_t size)
{
	if (size)
		memcpy(bytes->at + bytes->size, data, size);
	bytes->size += size;
}

static void add_key(struct bytes *bytes, unsigned int number, unsigned int type)
{
	const unsigned int key = number << 3 | type;
	const uint8_t data[2] = {(uint8_t)(key | 0x80), (uint8_t)(key >> 7)};

	add(bytes, data, 2);
}

static void add_varint(struct bytes *bytes, unsigned int number, uint8_t value)
{
	add_key(bytes, number, 0);
	add(bytes, &value, 1);
}

static void add_fixed(struct bytes *bytes, unsigned int number, uint64_t value)
{
	add_key(bytes, number, 1);
	add(bytes, &value, 8);
}

static void add_blob(struct bytes *bytes, unsigned int number, const void *data, size_t size)
{
	const uint8_t length[2] = {(uint8_t)(size | 0x80), (uint8_t)(size >> 7)};

	add_key(bytes, number, 2);
	add(bytes, length, 2);
	add(bytes, data, size);
}

static void begin(struct bytes *bytes, uint8_t type)
{
	bytes->size = 0;
	add_varint(bytes, 1, type);
	add_fixed(bytes, 2, 1);
	add_fixed(bytes, 3, 2);
}

static int decode(const struct bytes *bytes)
{
	struct raft_message message;
	/* Exactly sized, so that ASan sees a step too far. */
	uint8_t *copy = malloc(bytes->size ? bytes->size : 1);
	int err;

	memcpy(copy, bytes->at, bytes->size);
	err = wire_decode(copy, bytes->size, &message);
	free(copy);
	raft_message_clear(&message);
	return err;
}

static struct bytes bytes;
static const uint8_t entry[] = {0x08, 1, 0x10, RAFT_ENTRY_EMPTY};

static void a_bare_message_is_one(void **state)
{
	(void)state;
	begin(&bytes, RAFT_APPEND);
	add_blob(&bytes, 13, entry, sizeof(entry));
	assert_int_equal(decode(&bytes), 0);
}

static void a_field_stands_once(void **state)
{
	(void)state;
	begin(&bytes, RAFT_VOTE);
	add_varint(&bytes, 1, RAFT_VOTE);
	assert_int_equal(decode(&bytes), -EBADMSG);
	begin(&bytes, RAFT_SNAPSHOT);
	add_blob(&bytes, 14, NULL, 0);
	assert_int_equal(decode(&bytes), 0);
	add_blob(&bytes, 14, NULL, 0);
	assert_int_equal(decode(&bytes), -EBADMSG);
}

static void entries_are_counted_and_looked_at(void **state)
{
	static const uint8_t no_term[] = {0x10, RAFT_ENTRY_COMMAND};
	static const uint8_t no_type[] = {0x08, 1};
	static const uint8_t big_type[] = {0x08, 1, 0x10, 0x81, 0x02}; /* 257 */
	static const uint8_t not_empty[] = {0x08, 1, 0x10, RAFT_ENTRY_EMPTY, 0x1a, 1, 'x'};

	(void)state;
	begin(&bytes, RAFT_APPEND);
	for (int i = 0; i < RAFT_MESSAGE_ENTRIES_MAX; i++)
		add_blob(&bytes, 13, entry, sizeof(entry));
	assert_int_equal(decode(&bytes), 0);
	add_blob(&bytes, 13, entry, sizeof(entry));
	assert_int_equal(decode(&bytes), -EBADMSG);
	begin(&bytes, RAFT_VOTE);
	add_blob(&bytes, 13, entry, sizeof(entry));
	assert_int_equal(decode(&bytes), -EBADMSG);
	for (int i = 0; i < 4; i++) {
		static const struct {
			const uint8_t *at;
			size_t size;
		} bad[] = {{no_term, sizeof(no_term)},
			   {no_type, sizeof(no_type)},
			   {big_type, sizeof(big_type)},
			   {not_empty, sizeof(not_empty)}};

		begin(&bytes, RAFT_APPEND);
		add_blob(&bytes, 13, bad[i].at, bad[i].size);
		assert_int_equal(decode(&bytes), -EBADMSG);
	}
}

static void types_and_ids_are_looked_at(void **state)
{
	(void)state;
	for (unsigned int type = 0; type < 128; type++) {
		begin(&bytes, (uint8_t)type);
		if (type != RAFT_SNAPSHOT)
			assert_int_equal(decode(&bytes),
					 type && type < RAFT_MESSAGE_TYPES ? 0 : -EBADMSG);
	}
	begin(&bytes, RAFT_SNAPSHOT);
	assert_int_equal(decode(&bytes), -EBADMSG);
	bytes.size = 0;
	add_varint(&bytes, 1, RAFT_VOTE);
	add_fixed(&bytes, 2, 1);
	assert_int_equal(decode(&bytes), -EBADMSG);
	begin(&bytes, RAFT_VOTE);
	add_blob(&bytes, 15, "x", 1);
	assert_int_equal(decode(&bytes), -EBADMSG);
}

static void members_are_looked_at(void **state)
{
	static const uint8_t good[] = {0x09, 1, 0,    0,          0,    0, 0,
				       0,    0, 0x10, RAFT_VOTER, 0x1a, 1, 'a'};
	struct bytes *snapshot = calloc(1, sizeof(*snapshot));
	/* Where a byte is changed, and to what. */
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {{1, 0}, {10, 0}, {10, 3}, {13, 0}};

	(void)state;
	for (unsigned int i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t member[sizeof(good)];
		int expected = 0;

		memcpy(member, good, sizeof(good));
		if (i) {
			member[bad[i - 1].at] = bad[i - 1].value;
			expected = -EBADMSG;
		}
		snapshot->size = 0;
		add_blob(snapshot, 4, member, sizeof(member));
		begin(&bytes, RAFT_SNAPSHOT);
		add_blob(&bytes, 14, snapshot->at, snapshot->size);
		assert_int_equal(decode(&bytes), expected);
	}
	/* The same id twice. */
	snapshot->size = 0;
	add_blob(snapshot, 4, good, sizeof(good));
	add_blob(snapshot, 4, good, sizeof(good));
	begin(&bytes, RAFT_SNAPSHOT_REPLY);
	add_blob(&bytes, 14, snapshot->at, snapshot->size);
	assert_int_equal(decode(&bytes), -EBADMSG);
	free(snapshot);
}

static void later_versions_may_say_more(void **state)
{
	(void)state;
	begin(&bytes, RAFT_VOTE);
	for (unsigned int i = 0; i < WIRE_UNKNOWN_MAX; i++)
		add_varint(&bytes, 100 + i, 1);
	assert_int_equal(decode(&bytes), 0);
	add_varint(&bytes, 99, 1);
	assert_int_equal(decode(&bytes), -EBADMSG);
	/* Wire types that nobody sends, and a known field of another type. */
	begin(&bytes, RAFT_VOTE);
	add_key(&bytes, 100, 3);
	assert_int_equal(decode(&bytes), -EBADMSG);
	begin(&bytes, RAFT_VOTE);
	add_fixed(&bytes, 4, 1);
	assert_int_equal(decode(&bytes), -EBADMSG);
}

static void every_cut_is_survived(void **state)
{
	struct raft_message messages[] = {make_append(3), make_chunk()};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct wire_buffer frames = {0};

		assert_int_equal(wire_encode(&messages[i], &frames), 0);
		for (size_t size = 0; size < frames.size - WIRE_HEADER; size++) {
			struct bytes *cut = &bytes;

			cut->size = size;
			memcpy(cut->at, frames.data + WIRE_HEADER, size);
			(void)decode(cut); /* may be a whole message of fewer fields */
		}
		bytes.size = frames.size - WIRE_HEADER - 1;
		assert_int_equal(decode(&bytes), -EBADMSG); /* the last blob is cut */
		wire_buffer_free(&frames);
		raft_message_clear(&messages[i]);
	}
}

/* -- frames ------------------------------------------------------------------------------------ */

static void frames_come_in_any_pieces(void **state)
{
	static const uint8_t data[] = "\0\0\0\3abc\0\0\0\0\0\0\0\5hello";
	static const char *const expected[] = {"abc", "", "hello"};

	(void)state;
	for (size_t piece = 1; piece < sizeof(data); piece++) {
		struct frame_reader reader = {0};
		unsigned int found = 0;

		for (size_t at = 0; at < sizeof(data) - 1;) {
			const size_t left = sizeof(data) - 1 - at;
			struct frame frame;
			ssize_t taken = frame_reader_feed(&reader, 5, data + at,
							  piece < left ? piece : left, &frame);

			assert_true(taken >= 0);
			at += (size_t)taken;
			if (!frame.payload)
				continue;
			assert_in_range(found, 0, 2);
			assert_int_equal(frame.size, strlen(expected[found]));
			assert_memory_equal(frame.payload, expected[found], frame.size);
			found++;
		}
		assert_int_equal(found, 3);
		frame_reader_free(&reader);
	}
}

static void a_large_frame_is_refused_by_its_length(void **state)
{
	static const uint8_t data[] = {0, 0, 1, 0};
	struct frame_reader reader = {0};
	struct frame frame;

	(void)state;
	assert_int_equal(frame_reader_feed(&reader, 255, data, 4, &frame), -EMSGSIZE);
	frame_reader_free(&reader);
	assert_int_equal(frame_reader_feed(&reader, 255, data, 3, &frame), 3);
	assert_int_equal(frame_reader_feed(&reader, 255, data + 3, 1, &frame), -EMSGSIZE);
	frame_reader_free(&reader);
	/* And memory does not follow what is announced. */
	assert_int_equal(frame_reader_feed(&reader, 256, data, 4, &frame), 4);
	assert_true(reader.capacity <= 4096);
	frame_reader_free(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_type_comes_back),
	    cmocka_unit_test(entries_and_chunks_come_back),
	    cmocka_unit_test(what_breaks_a_bound_is_not_encoded),
	    cmocka_unit_test(a_bare_message_is_one),
	    cmocka_unit_test(a_field_stands_once),
	    cmocka_unit_test(entries_are_counted_and_looked_at),
	    cmocka_unit_test(types_and_ids_are_looked_at),
	    cmocka_unit_test(members_are_looked_at),
	    cmocka_unit_test(later_versions_may_say_more),
	    cmocka_unit_test(every_cut_is_survived),
	    cmocka_unit_test(frames_come_in_any_pieces),
	    cmocka_unit_test(a_large_frame_is_refused_by_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
