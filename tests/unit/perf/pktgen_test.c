/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator's frames, and the histogram of how late they come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "lb_bytes.h"
#include "pktgen_frames.h"

static struct pktgen_plan plan_of(enum pktgen_kind kind, uint16_t length)
{
	return (struct pktgen_plan){.kind = kind,
				    .dst_mac = {2, 0, 0, 0, 0, 1},
				    .src_mac = {2, 0, 0, 0, 0, 2},
				    .source = 0xc6120000,
				    .sources = 256,
				    .target = 0x0a630001,
				    .port = 8000,
				    .length = length,
				    .flows = 10000,
				    .mark = 0x1122334455667788};
}

static uint16_t sum(const uint8_t *p, uint32_t length, uint64_t start)
{
	for (uint32_t i = 0; i + 1 < length; i += 2)
		start += lb_load16(p + i);
	if (length & 1)
		start += p[length - 1];
	return lb_fold(start);
}

/* Both checksums, from scratch. */
static void assert_sums(const struct pktgen_plan *plan, const uint8_t *p)
{
	uint32_t l4 = plan->length - 34U;

	assert_int_equal(sum(p + 14, 20, 0), 0xffff);
	assert_int_equal(sum(p + 34, l4, sum(p + 26, 8, htons(p[23]) + htons((uint16_t)l4))), 0xffff);
}

static void test_frames(void **state)
{
	static const uint16_t lengths[] = {PKTGEN_LENGTH_MIN, 71, 128, 999, PKTGEN_LENGTH_MAX};
	uint8_t p[PKTGEN_LENGTH_MAX];
	uint64_t time;

	(void)state;
	for (int kind = PKTGEN_UDP; kind <= PKTGEN_ACK; kind++)
		for (size_t l = 0; l < 5; l++)
			for (uint32_t i = 0; i < 1000; i++) {
				struct pktgen_plan plan = plan_of((enum pktgen_kind)kind, lengths[l]);
				uint64_t stamp = i * 0x9e3779b97f4a7c15ULL;

				pktgen_make(&plan, i, p);
				assert_sums(&plan, p);
				pktgen_stamp(&plan, p, stamp);
				assert_sums(&plan, p);
				assert_true(pktgen_read(&plan, p, plan.length, &time));
				assert_true(time == stamp);
				plan.mark++;
				assert_false(pktgen_read(&plan, p, plan.length, &time));
				assert_int_equal(lb_load32(p + 30), htonl(plan.target));
				assert_int_equal(lb_load16(p + 36), htons(plan.port));
				assert_int_equal(kind == PKTGEN_UDP || p[47] == (kind == PKTGEN_SYN ? 2 : 16), 1);
			}
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, 6);
}

/* No two flows look the same. */
static void test_flows_differ(void **state)
{
	struct pktgen_plan plan = plan_of(PKTGEN_UDP, PKTGEN_LENGTH_MIN);
	uint8_t(*ends)[6] = calloc(plan.flows, sizeof(*ends));
	uint8_t p[PKTGEN_LENGTH_MIN];

	(void)state;
	assert_non_null(ends);
	for (uint32_t i = 0; i < plan.flows; i++) {
		pktgen_make(&plan, i, p);
		memcpy(ends[i], p + 26, 4);
		memcpy(ends[i] + 4, p + 34, 2);
		assert_true(ntohl(lb_load32(p + 26)) - plan.source < plan.sources);
	}
	qsort(ends, plan.flows, sizeof(*ends), compare);
	for (uint32_t i = 1; i < plan.flows; i++)
		assert_memory_not_equal(ends[i], ends[i - 1], 6);
	free(ends);
}

/* As a load balancer sends it on, and as an echo answers it. */
static void test_read_elsewhere(void **state)
{
	struct pktgen_plan plan = plan_of(PKTGEN_UDP, 100);
	uint8_t p[200] = {0};
	uint64_t time = 0;

	(void)state;
	pktgen_make(&plan, 7, p + 50);
	pktgen_stamp(&plan, p + 50, 4711);
	lb_store16(p + 12, htons(0x0800));
	p[14] = 0x45;
	p[23] = 17;
	lb_store16(p + 36, htons(4789));
	assert_true(pktgen_read(&plan, p, 150, &time));
	assert_int_equal(time, 4711);
	pktgen_make(&plan, 7, p);
	pktgen_stamp(&plan, p, 4712);
	memmove(p + 42 + 30, p + 42, 58);
	memset(p + 42, 0x20, 30);
	assert_true(pktgen_read(&plan, p, 130, &time));
	assert_int_equal(time, 4712);
	for (uint32_t length = 0; length < 42 + 30 + 16; length++)
		assert_false(pktgen_read(&plan, p, length, &time));
}

static void test_arp(void **state)
{
	static const uint8_t request[42] = {
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0,
	    9,    10,   0,    0,    1,    0,    0, 0, 0, 0, 0, 0xc6, 0x12, 0, 5};
	struct pktgen_plan plan = plan_of(PKTGEN_UDP, 100);
	uint8_t p[42];

	(void)state;
	memcpy(p, request, 42);
	assert_true(pktgen_answer_arp(&plan, p, 42));
	assert_memory_equal(p, request + 6, 6);
	assert_memory_equal(p + 6, plan.src_mac, 6);
	assert_int_equal(p[21], 2);
	assert_memory_equal(p + 22, plan.src_mac, 6);
	assert_memory_equal(p + 28, request + 38, 4);
	assert_memory_equal(p + 32, request + 22, 10);
	memcpy(p, request, 42);
	p[40] = 9; /* no client of ours */
	assert_false(pktgen_answer_arp(&plan, p, 42));
	assert_false(pktgen_answer_arp(&plan, p, 41));
	memcpy(p, request, 42);
	p[13] = 0; /* IPv4 */
	assert_false(pktgen_answer_arp(&plan, p, 42));
}

static void test_histogram(void **state)
{
	static struct histogram h;

	(void)state;
	assert_int_equal(histogram_quantile(&h, 0.5), 0);
	for (uint64_t ns = 1; ns <= 100000; ns++)
		histogram_add(&h, ns);
	for (int percent = 1; percent <= 100; percent++) {
		uint64_t found = histogram_quantile(&h, percent / 100.0);

		assert_in_range(found, (uint64_t)percent * 1000, (uint64_t)percent * 1000 * 104 / 100);
	}
	assert_int_equal(h.least, 1);
	assert_int_equal(histogram_quantile(&h, 1), 100000);
	histogram_add(&h, UINT64_MAX);
	assert_true(histogram_quantile(&h, 1) == UINT64_MAX || histogram_quantile(&h, 1) > 1ULL << 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_frames), cmocka_unit_test(test_flows_differ),
	    cmocka_unit_test(test_read_elsewhere), cmocka_unit_test(test_arp),
	    cmocka_unit_test(test_histogram),
	};

	return cmocka_run_group_tests_name("pktgen", tests, NULL, NULL);
}
