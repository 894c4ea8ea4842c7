/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raft-kv-load: operations on a cluster of raft-kv, as many at a time as wanted.
 *
 *   raft-kv-load --members A,B,C [--outstanding 16] [--operations N | --seconds S] [--keys 100]
 *                [--get 40] [--cas 20] [--anywhere] [--bytes 0] [--first-value 0] [--history FILE]
 *
 * --members: addresses for clients. --get, --cas: per cent; the rest is put. --bytes: size of a
 * put's command. --history: one line for each operation, as tests/fault/raft/linear.h reads it.
 *
 * Prints one line: operations=N unknown=N retried=N seconds=S per_second=N p50_us=.. p99_us=..
 * max_us=..
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

static void print(const struct load_result *result)
{
	const double seconds = (double)(result->last_ns - result->first_ns) / 1e9;

	printf("operations=%" PRIu64 " unknown=%" PRIu64 " retried=%" PRIu64
	       " seconds=%.2f per_second=%.0f p50_us=%.0f p99_us=%.0f max_us=%.0f\n",
	       result->finished, result->unknown, result->retried, seconds,
	       seconds > 0 ? (double)result->finished / seconds : 0,
	       (double)histogram_quantile(&result->latency, 0.5) / 1e3,
	       (double)histogram_quantile(&result->latency, 0.99) / 1e3,
	       (double)result->latency.most / 1e3);
}

static void split_members(char *text, struct load_options *options)
{
	char *rest;

	for (char *word = strtok_r(text, ",", &rest);
	     word && options->member_count < LOAD_MEMBERS_MAX; word = strtok_r(NULL, ",", &rest))
		options->members[options->member_count++] = word;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

static int parse(int argc, char **argv, struct load_options *load)
{
	static const struct option options[] = {
	    {"members", required_argument, NULL, 'm'},
	    {"outstanding", required_argument, NULL, 'o'},
	    {"operations", required_argument, NULL, 'n'},
	    {"seconds", required_argument, NULL, 's'},
	    {"keys", required_argument, NULL, 'k'},
	    {"get", required_argument, NULL, 'g'},
	    {"cas", required_argument, NULL, 'c'},
	    {"anywhere", no_argument, NULL, 'a'},
	    {"bytes", required_argument, NULL, 'b'},
	    {"first-value", required_argument, NULL, 'v'},
	    {"history", required_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 'm':
			split_members(optarg, load);
			break;
		case 'o':
			load->outstanding = (unsigned int)number(optarg);
			break;
		case 'n':
			load->operations = number(optarg);
			break;
		case 's':
			load->seconds = number(optarg);
			break;
		case 'k':
			load->keys = number(optarg);
			break;
		case 'g':
			load->get_percent = (unsigned int)number(optarg);
			break;
		case 'c':
			load->cas_percent = (unsigned int)number(optarg);
			break;
		case 'a':
			load->gets_anywhere = true;
			break;
		case 'b':
			load->command_bytes = (unsigned int)number(optarg);
			break;
		case 'v':
			load->first_value = number(optarg);
			break;
		case 'h':
			load->history = fopen(optarg, "w");
			if (!load->history)
				return -1;
			break;
		default:
			return -1;
		}
	}
	return load->member_count && load->outstanding && load->keys &&
		       load->command_bytes <= LOAD_COMMAND_MAX
		   ? 0
		   : -1;
}

int main(int argc, char **argv)
{
	struct load_options options = {
	    .outstanding = 16, .keys = 100, .get_percent = 40, .cas_percent = 20};
	static struct load_result result;

	signal(SIGPIPE, SIG_IGN);
	if (parse(argc, argv, &options) || load_run(&options, &result)) {
		fprintf(stderr, "usage: see the head of raft_kv_load.c\n");
		return 2;
	}
	if (options.history && fclose(options.history)) {
		perror("raft-kv-load: history");
		return 1;
	}
	print(&result);
	return 0;
}
