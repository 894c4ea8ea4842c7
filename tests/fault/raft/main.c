/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raft-sim --seeds A..B [--members 3|5|7|mix] [--steps N] [--mutation NAME] [--trace]
 *
 * Plays the seeds one after the other and says what happened in them. A failure prints its seed
 * and the command that replays it alone with a trace; the exit status is then 1. Over many seeds,
 * everything that coverage.h counts must have happened. --mutations lists the seeded bugs.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mutations.h"
#include "world.h"

enum { STEPS_DEFAULT = 5000, FAILURES_MAX = 10, SEEDS_THAT_COVER = 500, TWICE_EVERY = 50 };

struct plan {
	const char *program, *mutation;
	uint64_t first, last, steps;
	unsigned members; /* 0: mixed */
	bool has_trace;
};

static unsigned members_of(const struct plan *plan, uint64_t seed)
{
	static const unsigned mix[] = {3, 5, 3, 7, 5};

	return plan->members ? plan->members : mix[seed % (sizeof(mix) / sizeof(*mix))];
}

static void report(const struct plan *plan, const struct world *world)
{
	printf("FAILED seed %" PRIu64 ", step %" PRIu64 ", %s: %s\n", world->options.seed,
	       world->coverage.steps, world->failed_check, world->failure);
	printf("  replay: %s --seeds %" PRIu64 "..%" PRIu64 " --members %u --steps %" PRIu64
	       "%s%s --trace\n",
	       plan->program, world->options.seed, world->options.seed, world->options.members,
	       plan->steps, plan->mutation ? " --mutation " : "",
	       plan->mutation ? plan->mutation : "");
}

/* Does the seed decide everything? Plays it again, silently. */
static bool is_same_again(const struct plan *plan, const struct world *first)
{
	struct world_options options = first->options;
	struct world *world;
	bool is_same;

	options.trace = NULL;
	world = world_new(&options);
	world_run(world);
	is_same = !memcmp(&world->coverage, &first->coverage, sizeof(world->coverage)) &&
		  world->random.state == first->random.state;
	if (!is_same)
		printf("FAILED seed %" PRIu64 ": another end than the first time (%s)\n",
		       options.seed, plan->program);
	world_free(world);
	return is_same;
}

static bool run_seed(const struct plan *plan, uint64_t seed, struct sim_coverage *total)
{
	bool is_well;
	struct world *world = world_new(&(struct world_options){
	    .seed = seed,
	    .members = members_of(plan, seed),
	    .steps = plan->steps,
	    .trace = plan->has_trace ? stdout : NULL,
	});

	is_well = world_run(world);
	if (!is_well)
		report(plan, world);
	else if (seed % TWICE_EVERY == 0)
		is_well = is_same_again(plan, world);
	sim_coverage_add(total, &world->coverage);
	world_free(world);
	return is_well;
}

static int run(const struct plan *plan)
{
	struct sim_coverage total = {0};
	const char *missing;
	unsigned failures = 0;
	uint64_t seeds = 0;
	clock_t start = clock();
	double seconds;

	for (uint64_t seed = plan->first; seed <= plan->last && failures < FAILURES_MAX; seed++) {
		failures += !run_seed(plan, seed, &total);
		seeds++;
	}
	seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	missing = seeds >= SEEDS_THAT_COVER ? sim_coverage_missing(&total) : NULL;
	printf("%" PRIu64 " seeds (%" PRIu64 "..%" PRIu64 "), %u failed, %.1f s of CPU time, "
	       "%.0f seeds/s\n",
	       seeds, plan->first, plan->last, failures, seconds, (double)seeds / seconds);
	sim_coverage_print(&total, stdout);
	if (missing)
		printf("FAILED: nothing of this happened: %s\n", missing);
	return failures || missing ? 1 : 0;
}

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s --seeds A..B [--members 3|5|7|mix] [--steps N] [--mutation NAME] "
		"[--trace]\n       %s --mutations\n",
		program, program);
	return 2;
}

static bool parse_seeds(const char *word, struct plan *plan)
{
	char *end;

	plan->first = plan->last = strtoull(word, &end, 10);
	if (end != word && !strncmp(end, "..", 2))
		plan->last = strtoull(end + 2, &end, 10);
	return end != word && !*end && plan->first <= plan->last;
}

static bool parse_members(const char *word, struct plan *plan)
{
	plan->members = (unsigned)strtoul(word, NULL, 10);
	return !strcmp(word, "mix") || (plan->members >= 1 && plan->members <= 9);
}

static int list_mutations(void)
{
	for (unsigned i = 1; sim_mutation_name(i); i++)
		puts(sim_mutation_name(i));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"seeds", required_argument, NULL, 's'},
	    {"members", required_argument, NULL, 'm'},
	    {"steps", required_argument, NULL, 'n'},
	    {"mutation", required_argument, NULL, 'x'},
	    {"mutations", no_argument, NULL, 'l'},
	    {"trace", no_argument, NULL, 't'},
	    {0},
	};
	struct plan plan = {.program = argv[0], .steps = STEPS_DEFAULT};
	bool has_seeds = false, is_good = true;

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option == 's')
			is_good = has_seeds = parse_seeds(optarg, &plan);
		else if (option == 'm')
			is_good = parse_members(optarg, &plan);
		else if (option == 'n')
			plan.steps = strtoull(optarg, NULL, 10);
		else if (option == 'x')
			is_good = sim_mutation_choose(plan.mutation = optarg);
		else if (option == 't')
			plan.has_trace = true;
		else if (option == 'l')
			return list_mutations();
		else
			is_good = false;
		if (!is_good)
			return usage(argv[0]);
	}
	return has_seeds && optind == argc && plan.steps ? run(&plan) : usage(argv[0]);
}
