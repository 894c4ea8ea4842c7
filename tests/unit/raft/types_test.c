/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes, memberships on the wire, messages. */
#include "types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct raft_members three(void)
{
	return (struct raft_members){
	    .count = 3,
	    .member = {{.id = 1, .role = RAFT_VOTER, .address = "host1:7000"},
		       {.id = 0x1122334455667788, .role = RAFT_LEARNER, .address = ""},
		       {.id = UINT64_MAX, .role = RAFT_VOTER, .address = "[2001:db8::3]:7000"}},
	};
}

static void test_bytes_are_shared(void **state)
{
	(void)state;
	struct raft_bytes *bytes = raft_bytes_new("abc", 3);

	assert_int_equal(bytes->size, 3);
	assert_memory_equal(bytes->data, "abc", 3);
	assert_ptr_equal(raft_bytes_hold(bytes), bytes);
	assert_int_equal(bytes->references, 2);
	raft_bytes_release(bytes);
	assert_int_equal(bytes->references, 1);
	raft_bytes_release(bytes);

	bytes = raft_bytes_new(NULL, 4);
	assert_memory_equal(bytes->data, "\0\0\0\0", 4);
	raft_bytes_release(bytes);
	raft_bytes_release(NULL);
	assert_null(raft_bytes_hold(NULL));
	assert_null(raft_bytes_new(NULL, (size_t)UINT32_MAX + 1));
}

static void test_members_layout(void **state)
{
	(void)state;
	static const uint8_t want[] = {
	    1,    3,    1,    0,    0,    0,   0,   0,   0,    0,    1,    10,   0,
	    'h',  'o',  's',  't',  '1',  ':', '7', '0', '0',  '0',  0x88, 0x77, 0x66,
	    0x55, 0x44, 0x33, 0x22, 0x11, 2,   0,   0,   0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 1,    18,   0,   '[', '2', '0',  '0',  '1',  ':',  'd',
	    'b',  '8',  ':',  ':',  '3',  ']', ':', '7', '0',  '0',  '0'};
	struct raft_members members = three(), decoded;
	struct raft_bytes *bytes = raft_members_encode(&members);

	assert_int_equal(bytes->size, sizeof(want));
	assert_memory_equal(bytes->data, want, sizeof(want));
	assert_int_equal(raft_members_decode(bytes->data, bytes->size, &decoded), 0);
	assert_memory_equal(&decoded, &members, sizeof(members));
	assert_ptr_equal(raft_members_find(&decoded, UINT64_MAX), &decoded.member[2]);
	assert_null(raft_members_find(&decoded, 2));
	raft_bytes_release(bytes);
}

static void test_members_full(void **state)
{
	(void)state;
	struct raft_members members = {.count = RAFT_MEMBERS_MAX}, decoded;

	for (uint32_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
		members.member[i].id = i + 1;
		members.member[i].role = RAFT_VOTER;
		memset(members.member[i].address, 'a', RAFT_ADDRESS_MAX - 1);
	}
	struct raft_bytes *bytes = raft_members_encode(&members);
	assert_int_equal(raft_members_decode(bytes->data, bytes->size, &decoded), 0);
	assert_memory_equal(&decoded, &members, sizeof(members));
	raft_bytes_release(bytes);

	assert_int_equal(raft_members_decode("\1\0", 2, &decoded), 0);
	assert_int_equal(decoded.count, 0);
}

static void assert_refused(const uint8_t *data, size_t size)
{
	struct raft_members before = three(), members = three();
	/* A copy of its own length, so that a sanitizer sees a read past the end. */
	uint8_t *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, data, size);
	assert_int_equal(raft_members_decode(copy, size, &members), -EBADMSG);
	assert_memory_equal(&members, &before, sizeof(members));
	free(copy);
}

static void test_members_cut_short(void **state)
{
	(void)state;
	struct raft_members members = three();
	struct raft_bytes *bytes = raft_members_encode(&members);
	uint8_t longer[256];

	for (size_t size = 0; size < bytes->size; size++)
		assert_refused(bytes->data, size);
	memcpy(longer, bytes->data, bytes->size);
	longer[bytes->size] = 0;
	assert_refused(longer, bytes->size + 1);
	raft_bytes_release(bytes);
}

static void test_members_of_no_sense(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
	} faults[] = {
	    {0, 0},   /* version */
	    {0, 2},   /* version */
	    {1, 17},  /* more than there may be */
	    {1, 2},   /* fewer than there are */
	    {2, 0},   /* id 0 */
	    {10, 0},  /* role */
	    {10, 3},  /* role */
	    {11, 11}, /* length into the next member */
	    {12, 1},  /* length past the end */
	    {13, 0},  /* NUL within an address */
	};
	struct raft_members members = three();
	struct raft_bytes *bytes = raft_members_encode(&members);

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		uint8_t held = bytes->data[faults[i].at];
		bytes->data[faults[i].at] = faults[i].value;
		assert_refused(bytes->data, bytes->size);
		bytes->data[faults[i].at] = held;
	}
	/* Not in order, and twice the same. */
	memset(bytes->data + 2, 0xff, 8);
	assert_refused(bytes->data, bytes->size);
	memcpy(bytes->data + 2, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
	assert_refused(bytes->data, bytes->size);
	raft_bytes_release(bytes);
}

static void test_members_valid(void **state)
{
	(void)state;
	struct raft_members members = three();

	assert_true(raft_members_valid(&members));
	members.count = RAFT_MEMBERS_MAX + 1;
	assert_false(raft_members_valid(&members));
	members = three();
	memset(members.member[1].address, 'x', RAFT_ADDRESS_MAX);
	assert_false(raft_members_valid(&members));
}

static void test_message_copy(void **state)
{
	(void)state;
	struct raft_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct raft_entry *entries = calloc(2, sizeof(*entries));
	struct raft_bytes *data = raft_bytes_new("x", 1), *chunk = raft_bytes_new("y", 1);

	entries[0] = (struct raft_entry){.index = 1, .term = 1, .data = data, .type = 1};
	entries[1] = (struct raft_entry){.index = 2, .term = 1, .type = RAFT_ENTRY_EMPTY};
	snapshot->index = 7;
	struct raft_message copy, m = {.type = RAFT_APPEND, .from = 1, .to = 2, .entry_count = 2};
	m.entries = entries;
	m.snapshot = snapshot;
	m.chunk = chunk;

	assert_int_equal(raft_message_copy(&m, &copy), 0);
	assert_ptr_not_equal(copy.entries, m.entries);
	assert_ptr_not_equal(copy.snapshot, m.snapshot);
	assert_int_equal(copy.snapshot->index, 7);
	assert_ptr_equal(copy.entries[0].data, data);
	assert_int_equal(data->references, 2);
	assert_int_equal(chunk->references, 2);
	raft_message_clear(&m);
	assert_int_equal(m.type, 0);
	assert_int_equal(data->references, 1);
	raft_message_clear(&copy);
	raft_message_clear(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bytes_are_shared),    cmocka_unit_test(test_members_layout),
	    cmocka_unit_test(test_members_full),        cmocka_unit_test(test_members_cut_short),
	    cmocka_unit_test(test_members_of_no_sense), cmocka_unit_test(test_members_valid),
	    cmocka_unit_test(test_message_copy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
