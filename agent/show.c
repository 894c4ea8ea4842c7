// SPDX-License-Identifier: BSD-2-Clause
#include "show.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <net/if.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lb_backend.h"
#include "lb_reason_text.h"
#include "lb_verdict.h"

static char *text_buffer(void)
{
	static char buffers[8][32];
	static unsigned int next;

	return buffers[next++ % 8];
}

const char *show_ip(uint32_t addr_be)
{
	return inet_ntop(AF_INET, &addr_be, text_buffer(), 32);
}

const char *show_mac(const uint8_t m[6])
{
	char *text = text_buffer();

	snprintf(text, 32, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	return text;
}

static int print_json(json_t *value)
{
	int failed = json_dumpf(value, stdout, JSON_INDENT(2));

	puts("");
	json_decref(value);
	return failed ? 1 : 0;
}

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

static struct lb_port port_at(const struct show *s, uint32_t index)
{
	union {
		uint64_t word;
		struct lb_port port;
	} u = {.word = lb_read_once((const uint64_t *)&s->tables->ports[index])};

	if (u.port.ring >= s->tables->ring_count)
		u.port.ring = 0;
	return u.port;
}

static uint8_t protocol_of(uint32_t index)
{
	return index >> 16 ? IPPROTO_UDP : IPPROTO_TCP;
}

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

static const char *service_name(const struct show *s, uint32_t index)
{
	return names_service_of_port(s->names, protocol_of(index), (uint16_t)index);
}

static bool wanted(const struct show *s, const char *service)
{
	return !s->filter || (service && !strcmp(s->filter, service));
}

static uint32_t generations_of(const struct show *s, uint32_t ring)
{
	uint32_t n = 0;

	while (ring && ring < s->tables->ring_count && n < LB_GENERATIONS_MAX) {
		n++;
		ring = s->tables->rings[ring].prev;
	}
	return n;
}

static json_t *service_json(const struct show *s, uint32_t index, struct lb_port port)
{
	const struct lb_ring *r = &s->tables->rings[port.ring];
	const char *name = service_name(s, index);

	return json_pack("{s:s?,s:s,s:i,s:i,s:s,s:I,s:I,s:I,s:I,s:o}", "name", name, "protocol",
			 protocol_name(protocol_of(index)), "published", (int)(index & 0xffff), "target",
			 (int)ntohs(port.target_port_be), "return",
			 port.flags & LB_PORT_DSR ? "dsr" : "symmetric", "generation",
			 (json_int_t)r->generation, "generations", (json_int_t)generations_of(s, port.ring),
			 "ring_size", (json_int_t)r->size, "backends", (json_int_t)r->backend_count,
			 "checksum", json_sprintf("%08x", r->checksum));
}

int show_services(const struct show *s)
{
	json_t *all = json_array();

	if (!s->json)
		printf("%-20s %-10s %-6s %-9s %10s %4s %9s %8s  %s\n", "SERVICE", "PUBLISHED", "TARGET",
		       "RETURN", "GENERATION", "LIVE", "RING SIZE", "BACKENDS", "CHECKSUM");
	for (uint32_t i = 0; i < LB_PORTS_MAX; i++) {
		struct lb_port port = port_at(s, i);
		const struct lb_ring *r = &s->tables->rings[port.ring];
		char published[16];

		if (!port.ring || !wanted(s, service_name(s, i)))
			continue;
		if (s->json) {
			json_array_append_new(all, service_json(s, i, port));
			continue;
		}
		snprintf(published, sizeof(published), "%u/%s", i & 0xffff,
			 protocol_name(protocol_of(i)));
		printf("%-20s %-10s %-6u %-9s %10u %4u %9u %8u  %08x\n", or_dash(service_name(s, i)),
		       published, ntohs(port.target_port_be),
		       port.flags & LB_PORT_DSR ? "dsr" : "symmetric", r->generation,
		       generations_of(s, port.ring), r->size, r->backend_count, r->checksum);
	}
	if (s->json)
		return print_json(all);
	json_decref(all);
	return 0;
}

static uint32_t slots_of(const struct show *s, const struct lb_ring *r, uint32_t ordinal)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->size && r->slots + i < s->tables->slot_count; i++)
		n += s->tables->slots[r->slots + i] == ordinal;
	return n;
}

static const char *kind_name(const union lb_backend *b)
{
	switch (lb_backend_kind(b)) {
	case LB_BACKEND_LOCAL:
		return "local";
	case LB_BACKEND_REMOTE:
		return "remote";
	case LB_BACKEND_UNRESOLVED:
		return "unresolved";
	case LB_BACKEND_DOWN:
		return "down";
	default:
		return "-";
	}
}

static uint32_t vtep_of(const struct show *s, const union lb_backend *b)
{
	uint32_t kind = lb_backend_kind(b);

	return kind == LB_BACKEND_LOCAL ? s->tables->config->vtep_be : lb_load32(b->t.ip + 16);
}

static void backend_row(const struct show *s, json_t *all, const char *service,
			const struct lb_ring *r, uint32_t ordinal)
{
	const union lb_backend *b = &s->tables->backends[r->backends + ordinal];
	const struct names_backend *name = names_backend_of(s->names, service, b->t.inner_dst);
	struct lb_backend_counters c = {0};
	double share = r->size ? 100.0 * slots_of(s, r, ordinal) / r->size : 0;
	const char *node = name ? name->node : names_node_of_vtep(s->names, vtep_of(s, b));

	dp_view_backend(s->view, r->backends + ordinal, &c);
	if (s->json) {
		json_array_append_new(
		    all,
		    json_pack("{s:s?,s:s?,s:s?,s:s,s:s,s:s?,s:i,s:f,s:I,s:I,s:I}", "service", service,
			      "node", node, "address", name ? show_ip(name->address.s_addr) : NULL,
			      "mac", show_mac(b->t.inner_dst), "kind", kind_name(b), "state",
			      name ? name->state : NULL, "weight", name ? (int)name->weight : 0,
			      "share", share, "packets", (json_int_t)c.packets, "bytes",
			      (json_int_t)c.bytes, "connections", (json_int_t)c.flows));
		return;
	}
	printf("%-20s %-12s %-15s %-17s %-10s %-6s %6u %6.2f%% %12" PRIu64 " %14" PRIu64 " %11" PRIu64 "\n",
	       or_dash(service), or_dash(node), name ? show_ip(name->address.s_addr) : "-",
	       show_mac(b->t.inner_dst), kind_name(b), name ? name->state : "gone",
	       name ? name->weight : 0, share, c.packets, c.bytes, c.flows);
}

int show_backends(const struct show *s)
{
	uint8_t *seen = calloc(s->tables->ring_count, 1);
	json_t *all = json_array();

	if (!seen) {
		json_decref(all);
		return 1;
	}
	if (!s->json)
		printf("%-20s %-12s %-15s %-17s %-10s %-6s %6s %7s %12s %14s %11s\n", "SERVICE", "NODE",
		       "ADDRESS", "MAC", "KIND", "STATE", "WEIGHT", "SHARE", "PACKETS IN", "BYTES IN",
		       "CONNECTIONS");
	for (uint32_t i = 0; i < LB_PORTS_MAX; i++) {
		struct lb_port port = port_at(s, i);
		const struct lb_ring *r = &s->tables->rings[port.ring];

		if (!port.ring || seen[port.ring]++ || !wanted(s, service_name(s, i)) ||
		    (uint64_t)r->backends + r->backend_count > s->tables->backend_count)
			continue;
		for (uint32_t o = 0; o < r->backend_count; o++)
			backend_row(s, all, service_name(s, i), r, o);
	}
	free(seen);
	if (s->json)
		return print_json(all);
	json_decref(all);
	return 0;
}

int show_counters(const struct show *s)
{
	struct lb_reason_counters c = {0};
	json_t *all = json_object();

	if (dp_view_reasons(s->view, &c)) {
		json_decref(all);
		fputs("fairlead: cannot read the counters\n", stderr);
		return 1;
	}
	for (uint32_t i = 0; i < LB_REASON_COUNT; i++) {
		if (s->json)
			json_object_set_new(all, lb_reason_name(i), json_integer((json_int_t)c.packets[i]));
		else if (c.packets[i])
			printf("%-22s %14" PRIu64 "  %s\n", lb_reason_name(i), c.packets[i],
			       lb_reason_help(i));
	}
	if (s->json)
		return print_json(all);
	json_decref(all);
	return 0;
}

static json_t *lcores_json(const struct dp_dpdk *d)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < d->lcore_count; i++) {
		const struct dp_dpdk_lcore *l = &d->lcores[i];

		json_array_append_new(all, json_pack("{s:i, s:I, s:I, s:I}", "cpu", (int)l->cpu,
						     "received", l->received, "sent", l->sent,
						     "handed_over", l->handed_over));
	}
	return all;
}

int show_dataplane(const struct show *s)
{
	uint32_t ifindex = s->tables->config->uplink_ifindex;
	struct dp_dpdk d = {0};
	char uplink[IF_NAMESIZE];
	bool dpdk = dp_view_dpdk(s->view, &d);

	if (!if_indextoname(ifindex, uplink))
		snprintf(uplink, sizeof(uplink), "(gone)");
	if (s->json)
		return print_json(json_pack(
		    "{s:s, s:s, s:o}", "driver", dpdk ? "dpdk" : "xdp", "uplink", uplink, "dpdk",
		    dpdk ? json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "pid", d.pid,
				     "description", d.description, "uptime_seconds", d.uptime_s,
				     "received", d.received, "sent", d.sent, "to_kernel", d.to_kernel,
				     "waited", d.waited, "lost", d.lost, "lcores",
				     lcores_json(&d))
			 : json_null()));
	printf("driver     %s\nuplink     %s, MTU %u\n", dpdk ? "dpdk" : "xdp", uplink,
	       s->tables->config->uplink_mtu);
	if (!dpdk)
		return 0;
	printf("forwarder  fairlead-dpdk, pid %d, up %" PRIu64 " s: %s\n", d.pid, d.uptime_s,
	       d.description);
	printf("frames     %" PRIu64 " received, %" PRIu64 " sent, %" PRIu64 " to the kernel, %" PRIu64
	       " waited for a next hop, %" PRIu64 " lost\n",
	       d.received, d.sent, d.to_kernel, d.waited, d.lost);
	for (uint32_t i = 0; d.lcore_count > 1 && i < d.lcore_count; i++)
		printf("CPU %-6u %" PRIu64 " received, %" PRIu64 " sent, %" PRIu64
		       " handed to other CPUs\n",
		       d.lcores[i].cpu, d.lcores[i].received, d.lcores[i].sent,
		       d.lcores[i].handed_over);
	return 0;
}

static const char *state_name(uint64_t key, uint32_t state)
{
	if (key >> 48 & 1)
		return state & LB_FLOW_REPLIED ? "replied" : "new";
	if ((state & LB_FLOW_CLOSED) == LB_FLOW_CLOSED)
		return "closed";
	if (state & LB_FLOW_CLOSED)
		return "closing";
	return state & LB_FLOW_ESTABLISHED ? "established" : "new";
}

struct flow_row {
	const struct lb_task *task;
	const struct lb_via *via;
	uint64_t key, value;
};

static void flow_print(const struct show *s, json_t *all, const struct flow_row *f, double idle)
{
	uint8_t protocol = f->key >> 48 & 1 ? IPPROTO_UDP : IPPROTO_TCP;
	uint16_t published = ntohs((uint16_t)(f->value >> 32));
	uint32_t client = (uint32_t)f->key;
	uint16_t client_port = ntohs((uint16_t)(f->key >> 32));
	const char *service = names_service_of_port(s->names, protocol, published);
	const char *state = state_name(f->key, (uint32_t)f->value & LB_FLOW_STATE_MASK);
	char from[32], to[32];

	snprintf(from, sizeof(from), "%s:%u", show_ip(client), client_port);
	snprintf(to, sizeof(to), "%s:%u", show_ip(f->via->addr_be), published);
	if (s->json)
		json_array_append_new(
		    all, json_pack("{s:s?,s:s,s:s,s:s,s:s,s:s,s:s,s:f,s:b}", "service", service,
				   "protocol", protocol_name(protocol), "client", from, "published", to,
				   "entry", show_ip(f->via->vtep_be), "task", show_ip(f->task->addr_be),
				   "state", state, "idle_seconds", idle, "aliased",
				   (int)(f->value & LB_FLOW_ALIASED)));
	else
		printf("%-20s %-4s %-21s %-21s %-15s %-15s %-11s %8.0f%s\n", or_dash(service),
		       protocol_name(protocol), from, to, show_ip(f->via->vtep_be),
		       show_ip(f->task->addr_be), state, idle,
		       f->value & LB_FLOW_ALIASED ? "  aliased" : "");
}

int show_flows(const struct show *s)
{
	json_t *all = json_array();
	double tick;
	uint32_t now = dp_view_ticks(s->view, &tick);
	uint64_t shown = 0;

	if (!s->json)
		printf("%-20s %-4s %-21s %-21s %-15s %-15s %-11s %8s\n", "SERVICE", "", "CLIENT",
		       "PUBLISHED", "ENTRY NODE", "TASK", "STATE", "IDLE (s)");
	for (uint32_t i = 0; i < s->tables->flow_buckets * LB_WAYS; i++) {
		const struct lb_flow *flow = &s->tables->flows[i / LB_WAYS].way[i % LB_WAYS];
		struct flow_row row = {.key = lb_read_once(&flow->key),
				       .value = lb_read_once(&flow->value)};
		uint16_t published;
		uint32_t age;

		if (!(row.key >> 49) || lb_read_once(&flow->key) != row.key)
			continue;
		row.task = &s->tables->tasks[row.key >> 49];
		row.via = &s->tables->vias[row.value >> 48];
		published = ntohs((uint16_t)(row.value >> 32));
		if (!wanted(s, names_service_of_port(s->names, row.key >> 48 & 1 ? IPPROTO_UDP : IPPROTO_TCP,
						     published)))
			continue;
		age = (now - (uint32_t)(row.value >> LB_FLOW_STATE_BITS)) & LB_FLOW_TICKS_MASK;
		flow_print(s, all, &row, age * tick);
		if (s->limit && ++shown == s->limit)
			break;
	}
	if (s->json)
		return print_json(all);
	json_decref(all);
	return 0;
}

int show_usage(const struct show *s)
{
	const struct lb_tables *t = s->tables;
	uint64_t flows = 0;

	for (uint32_t i = 0; i < t->flow_buckets; i++)
		for (int w = 0; w < LB_WAYS; w++)
			flows += lb_read_once(&t->flows[i].way[w].key) != 0;
	printf("%-10s %12s %12s %12s\n", "TABLE", "USED", "ENTRIES", "BYTES");
	printf("%-10s %12" PRIu64 " %12u %12zu\n", "flows", flows, t->flow_buckets * LB_WAYS,
	       t->flow_buckets * sizeof(*t->flows));
	printf("%-10s %12s %12u %12zu\n", "ports", "", LB_PORTS_MAX, LB_PORTS_MAX * sizeof(*t->ports));
	printf("%-10s %12s %12u %12zu\n", "rings", "", t->ring_count,
	       t->ring_count * sizeof(*t->rings));
	printf("%-10s %12s %12u %12zu\n", "slots", "", t->slot_count,
	       t->slot_count * sizeof(*t->slots));
	printf("%-10s %12s %12u %12zu\n", "backends", "", t->backend_count,
	       t->backend_count * sizeof(*t->backends));
	printf("%-10s %12s %12u %12zu\n", "index", "", t->index_buckets * LB_WAYS,
	       t->index_buckets * sizeof(*t->index));
	return 0;
}

static volatile sig_atomic_t stopped;

static void on_interrupt(int number)
{
	(void)number;
	stopped = 1;
}

struct watching {
	const struct show *show;
	uint64_t seen;
};

static int on_sample(void *context, const struct lb_sample *sample)
{
	struct watching *w = context;
	char from[32], to[32];

	snprintf(from, sizeof(from), "%s:%u", show_ip(sample->saddr_be), ntohs(sample->sport_be));
	snprintf(to, sizeof(to), "%s:%u", show_ip(sample->daddr_be), ntohs(sample->dport_be));
	printf("%12.6f %-6s proto %-3u %-21s -> %-21s %5u bytes  %-20s %s\n",
	       (double)sample->time_ns / 1e9, sample->hook ? "task" : "uplink", sample->proto, from, to,
	       sample->length, lb_reason_name(sample->reason), lb_reason_help(sample->reason));
	fflush(stdout);
	return stopped || (w->show->limit && ++w->seen >= w->show->limit);
}

int show_watch(struct show *s, uint32_t one_in)
{
	struct watching w = {.show = s};
	struct sigaction action = {.sa_handler = on_interrupt};
	struct error error = {0};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (!dp_view_samples(s->view, one_in, on_sample, &w, &error))
		return 0;
	fprintf(stderr, "fairlead: %s\n", error.message);
	return 1;
}
