/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutation check: each seeded bug of raft/mutation.h and mutations.h is switched on alone, and
 * seeds are played until a check fails. A bug that none of SEEDS_MAX seeds shows fails the test.
 * Each runs in a process of its own: an assertion in the core may also be what catches it.
 *
 * mutations_test [NAME...]: only these.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mutations.h"
#include "world.h"

enum { SEEDS_MAX = 6000, STEPS = 5000 };

/* Shared with the child. */
struct outcome {
	uint64_t seeds; /* played, with the one under way */
	char check[32];
	char failure[400];
};

static const unsigned sizes[] = {3, 5, 3, 7, 5};

static bool play(uint64_t seed, struct outcome *outcome)
{
	struct world *world = world_new(
	    &(struct world_options){.seed = seed,
				    .members = sizes[seed % (sizeof(sizes) / sizeof(*sizes))],
				    .steps = STEPS});
	const bool is_well = world_run(world);

	if (!is_well) {
		snprintf(outcome->check, sizeof(outcome->check), "%s", world->failed_check);
		snprintf(outcome->failure, sizeof(outcome->failure), "%s", world->failure);
	}
	world_free(world);
	return is_well;
}

/* Does the seed fail without the bug, too? Then it says nothing about it. */
static bool is_sound(uint64_t seed)
{
	struct outcome ignored = {0};

	sim_mutation_choose(NULL);
	return play(seed, &ignored);
}

static void hunt(const char *name, struct outcome *outcome)
{
	if (!freopen("/dev/null", "w", stderr))
		_exit(2);
	sim_mutation_choose(name);
	for (outcome->seeds = 1; outcome->seeds <= SEEDS_MAX; outcome->seeds++)
		if (!play(outcome->seeds, outcome))
			_exit(is_sound(outcome->seeds) ? 1 : 3);
	_exit(0);
}

/* false: nothing noticed. */
static bool check_mutation(const char *name, struct outcome *outcome)
{
	int status = 0;
	pid_t child;

	memset(outcome, 0, sizeof(*outcome));
	fflush(stdout);
	child = fork();
	if (!child)
		hunt(name, outcome);
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		perror("mutations_test");
		exit(2);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3) {
		printf("%-34s seed %" PRIu64 " fails without it\n", name, outcome->seeds);
		return false;
	}
	if (WIFSIGNALED(status)) {
		snprintf(outcome->check, sizeof(outcome->check), "assertion");
		snprintf(outcome->failure, sizeof(outcome->failure), "%s",
			 strsignal(WTERMSIG(status)));
	}
	if (!outcome->check[0]) {
		printf("%-34s NOT CAUGHT by %d seeds\n", name, SEEDS_MAX);
		return false;
	}
	printf("%-34s seeds %4" PRIu64 "  %-22s %s\n", name, outcome->seeds, outcome->check,
	       outcome->failure);
	return true;
}

int main(int argc, char **argv)
{
	struct outcome *outcome =
	    mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned total = 0, caught = 0;

	if (outcome == MAP_FAILED)
		return 2;
	for (unsigned i = 1; sim_mutation_name(i); i++) {
		bool is_wanted = argc < 2;

		for (int word = 1; word < argc; word++)
			is_wanted = is_wanted || !strcmp(argv[word], sim_mutation_name(i));
		if (!is_wanted)
			continue;
		total++;
		caught += check_mutation(sim_mutation_name(i), outcome);
	}
	printf("%u of %u seeded bugs caught\n", caught, total);
	munmap(outcome, sizeof(*outcome));
	return total && caught == total ? 0 : 1;
}
