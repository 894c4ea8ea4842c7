/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_COVERAGE_H
#define FL_SIM_COVERAGE_H
/* What happened, counted: a fault that never strikes tests nothing. A counter that stays 0 over
 * many seeds fails the run. */
#include <stdint.h>
#include <stdio.h>

#define SIM_COUNTERS(X)                                                                            \
	X(steps)                                                                                   \
	X(virtual_ms)                                                                              \
	X(elections)                                                                               \
	X(stale_leaders)                                                                           \
	X(messages_delivered)                                                                      \
	X(messages_dropped)                                                                        \
	X(messages_duplicated)                                                                     \
	X(messages_held_up)                                                                        \
	X(messages_cut_off)                                                                        \
	X(partitions)                                                                              \
	X(partitions_one_way)                                                                      \
	X(crashes)                                                                                 \
	X(crashes_lost_records)                                                                    \
	X(torn_tails_cut)                                                                          \
	X(flipped_tails_cut)                                                                       \
	X(damaged_disks_refused)                                                                   \
	X(members_replaced)                                                                        \
	X(disks_full)                                                                              \
	X(disks_failed)                                                                            \
	X(pauses)                                                                                  \
	X(clocks_changed)                                                                          \
	X(conflicts_truncated)                                                                     \
	X(snapshots_taken)                                                                         \
	X(chunks_sent)                                                                             \
	X(snapshots_installed)                                                                     \
	X(transfers_asked)                                                                         \
	X(transfers_done)                                                                          \
	X(learners_added)                                                                          \
	X(learners_promoted)                                                                       \
	X(voters_demoted)                                                                          \
	X(members_removed)                                                                         \
	X(addresses_set)                                                                           \
	X(leaders_changed_themselves)                                                              \
	X(changes_refused)                                                                         \
	X(reads_on_leaders)                                                                        \
	X(reads_on_followers)                                                                      \
	X(reads_given_up)                                                                          \
	X(proposals)                                                                               \
	X(proposals_refused_full)                                                                  \
	X(proposals_overwritten)                                                                   \
	X(commands_applied)                                                                        \
	X(commands_seen_before)                                                                    \
	X(operations_acknowledged)                                                                 \
	X(operations_retried)                                                                      \
	X(operations_abandoned)                                                                    \
	X(heals)

struct sim_coverage {
#define SIM_FIELD(name) uint64_t name;
	SIM_COUNTERS(SIM_FIELD)
#undef SIM_FIELD
};

void sim_coverage_add(struct sim_coverage *total, const struct sim_coverage *more);
void sim_coverage_print(const struct sim_coverage *coverage, FILE *out);
/* The name of a counter that is 0; NULL: there is none. */
const char *sim_coverage_missing(const struct sim_coverage *coverage);
#endif
