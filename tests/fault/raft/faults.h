/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_FAULTS_H
#define FL_SIM_FAULTS_H
/* What goes wrong, by chance. Each seed has its own selection of faults: all of them at once would
 * leave too little that works. */
#include <stdbool.h>
#include <stdint.h>

struct world;
struct member;

enum fault {
	FAULT_CRASH,
	FAULT_CRASH_LEADER,
	FAULT_CRASH_ALL,
	FAULT_SPLIT,
	FAULT_SPLIT_ONE_WAY,
	FAULT_ISOLATE_LEADER,
	FAULT_JOIN,
	FAULT_DAMAGE,
	FAULT_DISK_FULL,
	FAULT_DISK_FAILED,
	FAULT_PAUSE,
	FAULT_CLOCK,
	FAULT_TRANSFER,
	FAULT_SNAPSHOT,
	FAULT_CAMPAIGN,
	FAULT_WEATHER, /* the network's manners change */
	FAULT_COUNT
};

struct faults {
	bool is_enabled[FAULT_COUNT];
	bool has_churn; /* the operator changes members that are well, too */
	uint64_t gap_us;
	uint64_t disk_delay_max_us;
	unsigned lazy_per_mille;     /* several inputs to a core before its effects are taken */
	unsigned snapshot_per_mille; /* per applied entry */
	uint32_t snapshot_padding_max;
	uint64_t restart_max_us;
};

void faults_choose(struct world *world);
void faults_strike(struct world *world);
void faults_heal(struct world *world);
/* Would every majority that may count be alive still, if `lost` never came back? NULL: nobody. */
/* It will never come back, known to the operator or not. */
bool faults_is_lost(const struct member *m);
bool faults_may_lose(struct world *world, const struct member *lost);
#endif
