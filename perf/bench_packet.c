// SPDX-License-Identifier: BSD-2-Clause
#include "bench_packet.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "packet_report.h"

enum {
	ROUNDS_DEFAULT = 21,
	ROUNDS_MAX = 10000,
	REPEAT_DEFAULT = 1 << 19,
	FLOWS_DEFAULT = 1 << 19,
	BUCKETS_DEFAULT = 1 << 18, /* of 8 flows */
	WARM_UP = 4096,
	CHAIN_STEPS = 200000,
	BUSY_PERCENT = 15,
	PATIENCE_MS = 2000,
};

struct options {
	uint32_t rounds, repeat, flows, buckets;
	int cpu;
	bool memory;
	const char *json;
};

/* One value per round. */
struct samples {
	double *gross, *floor, *net;
	uint64_t evicted;
};

struct bench {
	struct options o;
	struct packet_bed bed;
	struct samples *cases;
	double *values, *busy, *bare, *read; /* all samples lie in values */
	uint32_t fresh;                      /* the next flow that no packet has belonged to */
	uint32_t *chain;                     /* as large as the flow table */
	struct lb_flow_bucket *established;  /* the flow table as host-side cases find it */
};

static int usage(void)
{
	fprintf(stderr,
		"usage: fairlead-bench packet [--rounds N] [--repeat N] [--flows N] [--buckets N]\n"
		"                             [--cpu N] [--no-memory] [--json FILE]\n"
		"  --rounds N   rounds, each with every case (%d)\n"
		"  --repeat N   packets per case and round (%d)\n"
		"  --flows N    what \"many flows\" means, a power of two (%d)\n"
		"  --buckets N  size of the flow table in buckets of 8, a power of two (%d)\n"
		"  --cpu N      the CPU to stay on (the last)\n"
		"  --no-memory  leave out the large tables\n"
		"  --json FILE  the figures once more\n",
		ROUNDS_DEFAULT, REPEAT_DEFAULT, FLOWS_DEFAULT, BUCKETS_DEFAULT);
	return 2;
}

static bool parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end || n < min || n > max)
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
	    {"rounds", required_argument, NULL, 'r'},
	    {"repeat", required_argument, NULL, 'n'},
	    {"flows", required_argument, NULL, 'f'},
	    {"buckets", required_argument, NULL, 'b'},
	    {"cpu", required_argument, NULL, 'c'},
	    {"no-memory", no_argument, NULL, 'm'},
	    {"json", required_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	bool good = true;
	uint32_t cpu;
	int c;

	*o = (struct options){.rounds = ROUNDS_DEFAULT,
			      .repeat = REPEAT_DEFAULT,
			      .flows = FLOWS_DEFAULT,
			      .buckets = BUCKETS_DEFAULT,
			      .cpu = -1,
			      .memory = true};
	while (good && (c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'r') {
			good = parse_number(optarg, 1, ROUNDS_MAX, &o->rounds);
		} else if (c == 'n') {
			good = parse_number(optarg, 1000, 1 << 24, &o->repeat);
		} else if (c == 'f') {
			good = parse_number(optarg, 1, 1 << 20, &o->flows) &&
			       !(o->flows & (o->flows - 1));
		} else if (c == 'b') {
			good = parse_number(optarg, 1, 1 << 22, &o->buckets) &&
			       !(o->buckets & (o->buckets - 1));
		} else if (c == 'c') {
			good = parse_number(optarg, 0, 4095, &cpu);
			o->cpu = good ? (int)cpu : -1;
		} else if (c == 'm') {
			o->memory = false;
		} else if (c == 'j') {
			o->json = optarg;
		} else {
			good = false;
		}
	}
	return good && optind == argc;
}

/* Runs what is aimed at through the driver, from flow number next on. */
static int drive(struct bench *b, const struct packet_case *c, uint32_t mask, uint32_t next,
		 uint32_t repeat, struct packet_run *run)
{
	uint8_t frame[PACKET_FRAME_MAX];
	uint32_t length = packet_frame_make(c->frame, frame);

	packet_plan_set(b->bed.plan, c->frame, mask, c->flows == PACKET_DRAWN, next);
	return packet_bed_run(&b->bed, b->bed.driver, frame, length, repeat, run);
}

/* That all packets had the verdict: by counters, and the last one by its bytes. */
static int judge(const struct packet_case *c, uint32_t repeat, uint32_t flow,
		 const struct packet_run *run, const uint64_t *before, const uint64_t *after,
		 uint64_t *evicted)
{
	const char *wrong = packet_check(c, flow, run);

	for (int r = 0; r < LB_REASONS_MAX && !wrong; r++) {
		uint64_t counted = after[r] - before[r];

		if (r == LB_REASON_FLOW_EVICTED)
			*evicted += counted;
		else if (counted != (r == c->reason ? repeat : 0))
			wrong = "count of verdicts";
	}
	if (!wrong)
		return 0;
	fprintf(stderr, "packet: %s: not what was to be measured: %s (verdict %u, %u bytes)\n",
		c->name, wrong, run->verdict, run->length);
	return -EPROTO;
}

/* What a packet costs with the empty program. */
static int measure_floor(struct bench *b, const struct packet_case *c, uint32_t mask, uint32_t next,
			 uint32_t repeat, double *ns)
{
	struct packet_run run;
	int err = packet_bed_aim(&b->bed, PACKET_EMPTY);

	if (!err)
		err = drive(b, c, mask, next, WARM_UP, &run);
	if (!err)
		err = drive(b, c, mask, next, repeat, &run);
	*ns = run.ns;
	return err;
}

/* And with the case's; counters and the last packet say that it did what it should. */
static int measure_case(struct bench *b, uint32_t number, uint32_t mask, uint32_t next,
			uint32_t warm, uint32_t repeat, double *ns)
{
	const struct packet_case *c = &packet_cases[number];
	uint64_t before[LB_REASONS_MAX], after[LB_REASONS_MAX];
	struct packet_run run;
	int err = packet_bed_aim(&b->bed, c->program);

	if (!err)
		err = drive(b, c, mask, next, warm, &run);
	if (!err)
		err = packet_bed_reasons(&b->bed, before);
	if (!err)
		err = drive(b, c, mask, next + warm, repeat, &run);
	if (!err)
		err = packet_bed_reasons(&b->bed, after);
	*ns = run.ns;
	return err ? err
		   : judge(c, repeat,
			   floors_flow(b->bed.plan->next - 1, mask, b->bed.plan->draw), &run, before, after,
			   &b->cases[number].evicted);
}

/* The case between two halves of its floor, on the same packets: the processor's clock drifts. */
static int measure(struct bench *b, uint32_t number, uint32_t round)
{
	const struct packet_case *c = &packet_cases[number];
	bool many = c->flows == PACKET_MANY || c->flows == PACKET_DRAWN;
	uint32_t mask = c->flows == PACKET_HOT ? 0 : many ? b->o.flows - 1 : ~0U;
	uint32_t warm = many ? b->o.flows : WARM_UP, next = 0;
	uint32_t repeat = b->o.repeat;
	struct samples *s = &b->cases[number];
	double ns, floor_before, floor_after;
	int err;

	/* New flows should not fill the table: an eighth of it at most. */
	if (c->frame == PACKET_TUNNEL_SYN && repeat > b->o.buckets)
		repeat = b->o.buckets;
	if (c->flows == PACKET_NEW) {
		next = b->fresh;
		b->fresh += warm + repeat;
	}
	err = measure_floor(b, c, mask, next, repeat / 2, &floor_before);
	if (!err)
		err = measure_case(b, number, mask, next, warm, repeat, &ns);
	if (!err)
		err = measure_floor(b, c, mask, next, repeat / 2, &floor_after);
	if (err)
		return err;
	s->floor[round] = (floor_before + floor_after) / 2;
	s->gross[round] = ns;
	s->net[round] = ns - s->floor[round];
	return 0;
}

static size_t flows_size(const struct bench *b)
{
	return b->bed.l.flow_buckets * sizeof(*b->bed.l.flows);
}

/* As many flows as "many" means, each opened by its SYN and then marked as established. */
static int establish(struct bench *b)
{
	const struct packet_case opening = {.frame = PACKET_TUNNEL_SYN};
	struct packet_run run;
	int err = packet_bed_aim(&b->bed, PACKET_UPLINK);

	if (!err)
		err = drive(b, &opening, b->o.flows - 1, 0, b->o.flows, &run);
	if (err)
		return err;
	for (uint32_t i = 0; i < b->bed.l.flow_buckets; i++)
		for (int w = 0; w < LB_WAYS; w++)
			if (b->bed.l.flows[i].way[w].key)
				b->bed.l.flows[i].way[w].value |=
				    LB_FLOW_REPLIED | LB_FLOW_ESTABLISHED;
	memcpy(b->established, b->bed.l.flows, flows_size(b));
	return 0;
}

static int measure_round(struct bench *b, uint32_t round)
{
	uint8_t frame[PACKET_FRAME_MAX];
	uint32_t length = packet_frame_make(PACKET_ENTRY_ACK, frame);
	struct packet_run run;
	int err;

	b->busy[round] = harness_wait_quiet(BUSY_PERCENT, PATIENCE_MS);
	err = packet_bed_run(&b->bed, b->bed.programs[PACKET_EMPTY], frame, length, b->o.repeat,
			     &run);
	b->bare[round] = run.ns;
	b->read[round] = harness_chain_ns(b->chain, CHAIN_STEPS);
	for (uint32_t i = 0; i < packet_case_count && !err; i++) {
		err = measure(b, i, round);
		if (packet_cases[i].frame == PACKET_TUNNEL_SYN)
			memcpy(b->bed.l.flows, b->established, flows_size(b));
	}
	return err;
}

static int bench_open(struct bench *b)
{
	uint32_t columns = 3 * packet_case_count + 3;
	int err = packet_bed_open(&b->bed, b->o.buckets);
	double *next;

	if (err)
		return err;
	b->established = malloc(flows_size(b));
	b->chain = harness_chain_make(flows_size(b));
	b->cases = calloc(packet_case_count, sizeof(*b->cases));
	b->values = calloc((size_t)columns * b->o.rounds, sizeof(*b->values));
	if (!b->established || !b->chain || !b->cases || !b->values)
		return -ENOMEM;
	next = b->values;
	b->busy = next;
	b->bare = next += b->o.rounds;
	b->read = next += b->o.rounds;
	for (uint32_t i = 0; i < packet_case_count; i++) {
		b->cases[i].gross = next += b->o.rounds;
		b->cases[i].floor = next += b->o.rounds;
		b->cases[i].net = next += b->o.rounds;
	}
	b->fresh = b->o.flows;
	err = packet_world_fill(&b->bed);
	return err ? err : establish(b);
}

static void bench_close(struct bench *b)
{
	harness_chain_free(b->chain, flows_size(b));
	packet_bed_close(&b->bed);
	free(b->established);
	free(b->cases);
	free(b->values);
}

static void summarize(struct bench *b, struct packet_report *r)
{
	for (uint32_t i = 0; i < b->o.rounds; i++)
		r->busy_rounds += b->busy[i] >= BUSY_PERCENT;
	r->busy = harness_spread(b->busy, b->o.rounds);
	r->bare = harness_spread(b->bare, b->o.rounds);
	r->read = harness_spread(b->read, b->o.rounds);
	for (uint32_t i = 0; i < packet_case_count; i++)
		r->cases[i] = (struct packet_figures){
		    .gross = harness_spread(b->cases[i].gross, b->o.rounds),
		    .floor = harness_spread(b->cases[i].floor, b->o.rounds),
		    .net = harness_spread(b->cases[i].net, b->o.rounds),
		    .evicted = b->cases[i].evicted,
		};
}

static int measure_all(const struct options *o, struct packet_report *r)
{
	__attribute__((cleanup(bench_close))) struct bench b = {.o = *o};
	int err = bench_open(&b);

	for (uint32_t round = 0; round < o->rounds && !err; round++)
		err = measure_round(&b, round);
	if (!err)
		summarize(&b, r);
	return err;
}

static int write_json(const struct packet_report *r, const char *path)
{
	FILE *f = fopen(path, "we");
	bool bad;

	if (!f)
		return -errno;
	packet_report_json(r, f);
	bad = ferror(f) != 0;
	return fclose(f) || bad ? -EIO : 0;
}

int bench_packet(int argc, char **argv)
{
	struct packet_report r = {.busy_limit = BUSY_PERCENT};
	struct options o;
	int err;

	if (!parse_options(argc, argv, &o))
		return usage();
	r.rounds = o.rounds;
	r.repeat = o.repeat;
	r.flows = o.flows;
	r.buckets = o.buckets;
	r.cpu = harness_pin(o.cpu);
	harness_machine(&r.machine);
	r.cases = calloc(packet_case_count, sizeof(*r.cases));
	err = r.cpu < 0 ? r.cpu : r.cases ? 0 : -ENOMEM;
	if (!err && o.memory) {
		err = packet_memory(&r.memory);
		r.memory_known = !err;
	}
	if (!err)
		err = measure_all(&o, &r);
	if (!err) {
		packet_report_print(&r, stdout);
		err = o.json ? write_json(&r, o.json) : 0;
	}
	if (err)
		fprintf(stderr, "packet: %s\n", strerror(-err));
	free(r.cases);
	return err ? 1 : 0;
}
