// SPDX-License-Identifier: BSD-2-Clause
#include "packet_report.h"

#include <inttypes.h>

enum goal { GOAL_NONE, GOAL_MET, GOAL_MISSED };

/* The most that a case's net median may be; 0: no goal. */
static double goal_ns(const struct packet_report *r, const struct packet_case *c)
{
	return c->goal_case >= 0 ? r->cases[c->goal_case].net.p90 : c->goal_ns;
}

static enum goal goal_of(const struct packet_report *r, uint32_t i)
{
	double limit = goal_ns(r, &packet_cases[i]);

	if (limit <= 0)
		return GOAL_NONE;
	return r->cases[i].net.median <= limit ? GOAL_MET : GOAL_MISSED;
}

static void print_memory(const struct packet_memory *m, FILE *out)
{
	fprintf(out,
		"\nmemory: %" PRIu32 " ports published, %d services of %d backends, %" PRIu64
		" ring slots\n"
		"  filled in %.0f ms; one backend less in one service %.1f ms\n"
		"  maps %.1f MiB (allocated whole at the start), process RSS %.1f -> %.1f MiB "
		"(with the pages of the maps that it touched)\n",
		m->ports, PACKET_MEMORY_SERVICES, PACKET_MEMORY_BACKENDS / PACKET_MEMORY_SERVICES,
		m->slots, m->fill_ms, m->change_ms, (double)m->maps / (1 << 20),
		(double)m->rss_before / (1 << 20), (double)m->rss_after / (1 << 20));
}

static void print_case(const struct packet_report *r, uint32_t i, FILE *out)
{
	static const char *const verdicts[] = {"", "met", "MISSED"};
	const struct packet_case *c = &packet_cases[i];
	const struct packet_figures *f = &r->cases[i];
	char goal[24] = "";

	if (goal_ns(r, c) > 0)
		snprintf(goal, sizeof(goal), "<= %.0f %s", goal_ns(r, c), verdicts[goal_of(r, i)]);
	fprintf(out, "%-28s %7.1f %6.1f..%-6.1f %7.1f %7.1f %6.1f..%-6.1f  %s\n", c->text,
		f->gross.median, f->gross.p10, f->gross.p90, f->floor.median, f->net.median,
		f->net.p10, f->net.p90, goal);
	if (f->evicted)
		fprintf(out, "%-28s %" PRIu64 " flows of all rounds found their bucket full\n", "",
			f->evicted);
}

void packet_report_print(const struct packet_report *r, FILE *out)
{
	fprintf(out, "kernel %s, %s, CPU %d of %d%s%s\n", r->machine.kernel, r->machine.processor,
		r->cpu, r->machine.cpus, r->machine.jit ? "" : ", NO JIT",
		r->machine.bpf_stats ? ", bpf_stats ON: figures too high" : "");
	fprintf(out,
		"%" PRIu32 " interleaved rounds of %" PRIu32 " packets, many = %" PRIu32
		" flows in a table for %" PRIu64
		"; machine busy %.0f %% (p10..p90 %.0f..%.0f) before a round, %" PRIu32
		" rounds begun at %.0f %% or more\n\n",
		r->rounds, r->repeat, r->flows, (uint64_t)r->buckets * LB_WAYS, r->busy.median,
		r->busy.p10, r->busy.p90, r->busy_rounds, r->busy_limit);
	fprintf(out, "%-28s %7s %14s %7s %7s %14s  %s\n", "ns per packet", "gross", "p10..p90",
		"empty", "net", "p10..p90", "goal (net)");
	fprintf(out, "%-28s %7.1f %6.1f..%-6.1f\n", "empty program, no driver", r->bare.median,
		r->bare.p10, r->bare.p90);
	fprintf(out, "%-28s %7.1f %6.1f..%-6.1f         (memory as large as the flow table)\n",
		"a random read", r->read.median, r->read.p10, r->read.p90);
	for (uint32_t i = 0; i < packet_case_count; i++)
		print_case(r, i, out);
	if (r->memory_known)
		print_memory(&r->memory, out);
}

static void json_spread(const char *name, const struct harness_spread *s, FILE *out)
{
	fprintf(out, "\"%s\": {\"median\": %.2f, \"p10\": %.2f, \"p90\": %.2f}", name, s->median,
		s->p10, s->p90);
}

static void json_case(const struct packet_report *r, uint32_t i, FILE *out)
{
	static const char *const goals[] = {"null", "true", "false"};
	const struct packet_case *c = &packet_cases[i];
	const struct packet_figures *f = &r->cases[i];

	fprintf(out, "    {\"name\": \"%s\", ", c->name);
	json_spread("gross_ns", &f->gross, out);
	fprintf(out, ", ");
	json_spread("empty_ns", &f->floor, out);
	fprintf(out, ", ");
	json_spread("net_ns", &f->net, out);
	fprintf(out, ", \"evicted\": %" PRIu64 ", \"goal_ns\": %.2f, \"goal_met\": %s}%s\n",
		f->evicted, goal_ns(r, c), goals[goal_of(r, i)],
		i + 1 < packet_case_count ? "," : "");
}

/* The processor's name comes from the kernel: no quotes or controls, but who knows. */
static void json_text(const char *name, const char *text, FILE *out)
{
	fprintf(out, "\"%s\": \"", name);
	for (; *text; text++)
		if (*text >= ' ' && *text <= '~' && *text != '"' && *text != '\\')
			fputc(*text, out);
	fprintf(out, "\", ");
}

void packet_report_json(const struct packet_report *r, FILE *out)
{
	const struct packet_memory *m = &r->memory;

	fprintf(out, "{\n  ");
	json_text("kernel", r->machine.kernel, out);
	json_text("processor", r->machine.processor, out);
	fprintf(out,
		"\"cpu\": %d, \"jit\": %s, \"bpf_stats\": %s,\n  \"rounds\": %" PRIu32
		", \"repeat\": %" PRIu32 ", \"flows\": %" PRIu32 ", \"buckets\": %" PRIu32
		", \"busy_rounds\": %" PRIu32 ", ",
		r->cpu, r->machine.jit ? "true" : "false", r->machine.bpf_stats ? "true" : "false",
		r->rounds, r->repeat, r->flows, r->buckets, r->busy_rounds);
	json_spread("busy_percent", &r->busy, out);
	fprintf(out, ",\n  ");
	json_spread("empty_without_driver_ns", &r->bare, out);
	fprintf(out, ",\n  ");
	json_spread("random_read_ns", &r->read, out);
	fprintf(out, ",\n  \"cases\": [\n");
	for (uint32_t i = 0; i < packet_case_count; i++)
		json_case(r, i, out);
	fprintf(out, "  ]");
	if (r->memory_known)
		fprintf(out,
			",\n  \"memory\": {\"ports\": %" PRIu32
			", \"services\": %d, \"backends\": %d, "
			"\"slots\": %" PRIu64 ", \"fill_ms\": %.1f, \"change_ms\": %.2f, "
			"\"maps_bytes\": %" PRIu64 ", \"rss_before_bytes\": %" PRIu64
			", \"rss_after_bytes\": %" PRIu64 "}",
			m->ports, PACKET_MEMORY_SERVICES, PACKET_MEMORY_BACKENDS, m->slots,
			m->fill_ms, m->change_ms, m->maps, m->rss_before, m->rss_after);
	fprintf(out, "\n}\n");
}
