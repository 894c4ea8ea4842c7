/* SPDX-License-Identifier: BSD-2-Clause */
#include "mutations.h"

#include <stddef.h>
#include <string.h>

#include "../../../raft/mutation.h"

static enum sim_mutation chosen;

static const char *const names[] = {"none",
#define SIM_MUTATION_NAME(name, what) #name,
				    SIM_MUTATIONS(SIM_MUTATION_NAME)
#undef SIM_MUTATION_NAME
};

bool sim_mutated(enum sim_mutation mutation)
{
	return chosen == mutation;
}

const char *sim_mutation_name(unsigned number)
{
	const unsigned of_core = number - SIM_MUTATION_COUNT + 1;

	if (number < SIM_MUTATION_COUNT)
		return names[number];
#ifdef RAFT_MUTATIONS
	if (of_core < RAFT_MUTATION_COUNT)
		return raft_mutation_name((int)of_core);
#endif
	(void)of_core;
	return NULL;
}

bool sim_mutation_choose(const char *name)
{
	chosen = SIM_MUTATION_NONE;
#ifdef RAFT_MUTATIONS
	raft_mutation = RAFT_MUTATION_none;
#endif
	if (!name)
		return true;
	for (unsigned i = 1; sim_mutation_name(i); i++) {
		if (strcmp(name, sim_mutation_name(i)) != 0)
			continue;
		if (i < SIM_MUTATION_COUNT)
			chosen = (enum sim_mutation)i;
#ifdef RAFT_MUTATIONS
		else
			raft_mutation = (int)(i - SIM_MUTATION_COUNT + 1);
#endif
		return true;
	}
	return false;
}
