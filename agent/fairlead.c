// SPDX-License-Identifier: BSD-2-Clause
/* The CLI's view of this node's data plane. It reads what is pinned, so it needs no daemon. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb_packet.h"
#include "show.h"
#include "trace.h"

static const char usage[] =
    "Usage: fairlead COMMAND [OPTIONS]\n"
    "\n"
    "  services          published ports: target, return mode, ring generation and checksum\n"
    "  backends          tasks: where they run, their share, what this node sent them\n"
    "  counters          packets by verdict\n"
    "  flows             connections of tasks on this node\n"
    "  dataplane show    which driver runs, and fairlead-dpdk if it does\n"
    "  usage             how full the tables are\n"
    "  trace             which decision the tables give for one packet, and why:\n"
    "                    --src ADDRESS:PORT --dst NODE|ADDRESS:PORT [--udp] [--mid-flow]\n"
    "                    [--size PAYLOAD]\n"
    "  watch             verdicts of sampled packets, live: [--one-in N] (a power of two)\n"
    "  detach            take the data plane off this node\n"
    "\n"
    "      --service NAME    services, backends, flows: of this one only\n"
    "      --limit N         flows, watch: at most so many\n"
    "      --json            services, backends, counters, flows, dataplane: as JSON\n"
    "      --pin-dir DIR     where the data plane is pinned (" DP_PIN_DIR ")\n"
    "      --run-dir DIR     where the daemon left the names (/run/fairlead)\n"
    "      --version, --help\n";

struct options {
	const char *pin_dir, *run_dir, *src, *dst;
	struct show show;
	uint32_t one_in;
	uint16_t size;
	bool udp, mid_flow;
};

static int complain(const char *what, const char *about)
{
	fprintf(stderr, "fairlead: %s%s\nSee 'fairlead --help'.\n", what, about);
	return 2;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && end != text && !*end && *text != '-' && *out <= max;
}

/* ADDRESS:PORT or NODE:PORT. */
static bool parse_endpoint(const struct names *names, const char *text, uint32_t *addr_be,
			   uint16_t *port_be)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	struct in_addr address;
	char host[64];
	uint64_t port;

	if (!colon || (size_t)(colon - text) >= sizeof(host) ||
	    !parse_number(colon + 1, UINT16_MAX, &port) || !port)
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = 0;
	address.s_addr = names_address_of_node(names, host);
	if (!address.s_addr && inet_pton(AF_INET, host, &address) != 1)
		return false;
	*addr_be = address.s_addr;
	*port_be = htons((uint16_t)port);
	return true;
}

static int trace(const struct options *o)
{
	struct trace t = {.protocol = o->udp ? LB_PROTO_UDP : LB_PROTO_TCP,
			  .tcp_flags = o->mid_flow ? LB_TCP_ACK : LB_TCP_SYN,
			  .payload = o->size};

	if (!parse_endpoint(o->show.names, o->src, &t.saddr_be, &t.sport_be))
		return complain("trace needs --src ADDRESS:PORT, not ", o->src ? o->src : "nothing");
	if (!parse_endpoint(o->show.names, o->dst, &t.daddr_be, &t.dport_be))
		return complain("trace needs --dst NODE:PORT or ADDRESS:PORT, not ",
				o->dst ? o->dst : "nothing");
	return trace_packet(&o->show, &t);
}

static int run(const char *command, struct options *o)
{
	if (!strcmp(command, "services"))
		return show_services(&o->show);
	if (!strcmp(command, "backends"))
		return show_backends(&o->show);
	if (!strcmp(command, "counters"))
		return show_counters(&o->show);
	if (!strcmp(command, "flows"))
		return show_flows(&o->show);
	if (!strcmp(command, "dataplane"))
		return show_dataplane(&o->show);
	if (!strcmp(command, "usage"))
		return show_usage(&o->show);
	if (!strcmp(command, "watch"))
		return show_watch(&o->show, o->one_in);
	return trace(o);
}

static bool is_command(const char *command)
{
	static const char *const all[] = {"services", "backends", "counters", "flows",
					  "usage",    "watch",    "trace",
					  "dataplane"};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(command, all[i]))
			return true;
	return false;
}

static int open_and_run(const char *command, struct options *o)
{
	struct error error = {0};
	int code;

	if (dp_view_open(o->pin_dir, o->run_dir, &o->show.view, &error)) {
		fprintf(stderr, "fairlead: %s\n", error.message);
		return 1;
	}
	o->show.tables = dp_view_tables(o->show.view);
	o->show.names = names_load(o->run_dir);
	code = o->show.names ? run(command, o) : 1;
	names_free(o->show.names);
	dp_view_close(o->show.view);
	return code;
}

/* 0, or the exit code. */
static int parse_option(struct options *o, int option)
{
	uint64_t number = 0;

	switch (option) {
	case 'p':
		o->pin_dir = optarg;
		return 0;
	case 'r':
		o->run_dir = optarg;
		return 0;
	case 's':
		o->src = optarg;
		return 0;
	case 'd':
		o->dst = optarg;
		return 0;
	case 'f':
		o->show.filter = optarg;
		return 0;
	case 'j':
		o->show.json = true;
		return 0;
	case 'u':
		o->udp = true;
		return 0;
	case 'm':
		o->mid_flow = true;
		return 0;
	case 'l':
		if (!parse_number(optarg, UINT64_MAX, &o->show.limit))
			return complain("--limit needs a number, not ", optarg);
		return 0;
	case 'z':
		if (!parse_number(optarg, 65000, &number))
			return complain("--size needs a number up to 65000, not ", optarg);
		o->size = (uint16_t)number;
		return 0;
	case 'o':
		if (!parse_number(optarg, 1 << 20, &number) || !number || number & (number - 1))
			return complain("--one-in needs a power of two, not ", optarg);
		o->one_in = (uint32_t)number;
		return 0;
	default:
		return 2;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"pin-dir", required_argument, NULL, 'p'}, {"run-dir", required_argument, NULL, 'r'},
	    {"src", required_argument, NULL, 's'},     {"dst", required_argument, NULL, 'd'},
	    {"service", required_argument, NULL, 'f'}, {"json", no_argument, NULL, 'j'},
	    {"udp", no_argument, NULL, 'u'},	       {"mid-flow", no_argument, NULL, 'm'},
	    {"limit", required_argument, NULL, 'l'},   {"size", required_argument, NULL, 'z'},
	    {"one-in", required_argument, NULL, 'o'},  {"version", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'h'},	       {0},
	};
	struct options o = {.run_dir = "/run/fairlead", .one_in = 1};
	struct error error = {0};
	int option, code;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'v') {
			puts("fairlead " FL_VERSION);
			return 0;
		}
		if (option == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		code = parse_option(&o, option);
		if (code)
			return code;
	}
	if (optind == argc - 2 && !strcmp(argv[optind], "dataplane") && !strcmp(argv[optind + 1], "show"))
		argc--; /* the only thing to do with it */
	if (optind != argc - 1)
		return complain(optind < argc ? "too many arguments: " : "which command?",
				optind < argc ? argv[optind + 1] : "");
	if (!strcmp(argv[optind], "detach")) {
		if (!dataplane_dpdk.detach(o.pin_dir, o.run_dir, &error))
			return 0;
		fprintf(stderr, "fairlead: %s\n", error.message);
		return 1;
	}
	if (!is_command(argv[optind]))
		return complain("unknown command: ", argv[optind]);
	return open_and_run(argv[optind], &o);
}
