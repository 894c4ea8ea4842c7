/* SPDX-License-Identifier: BSD-2-Clause */
#include "mutation.h"

#ifdef RAFT_MUTATIONS
int raft_mutation;

#define RAFT_MUTATION_NAME(name, text) [RAFT_MUTATION_##name] = #name,
#define RAFT_MUTATION_TEXT(name, text) [RAFT_MUTATION_##name] = text,
static const char *const names[] = {"none", RAFT_MUTATION_LIST(RAFT_MUTATION_NAME)};
static const char *const texts[] = {"no bug", RAFT_MUTATION_LIST(RAFT_MUTATION_TEXT)};

const char *raft_mutation_name(int mutation)
{
	return mutation >= 0 && mutation < RAFT_MUTATION_COUNT ? names[mutation] : "?";
}

const char *raft_mutation_text(int mutation)
{
	return mutation >= 0 && mutation < RAFT_MUTATION_COUNT ? texts[mutation] : "?";
}
#endif
