/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_SIM_CLUSTER_H
#define FL_TEST_SIM_CLUSTER_H
/*
 * A cluster in virtual time: a store whose log is written at once, the orchestrator under test, a
 * scheduler that spreads, agents whose containers do as their image says, and users.
 *
 *   users (sim_users.c) --+
 *   agents, scheduler ----+--> sim_apply --> store --events--> orchestrator, records, what is told
 *   orchestrator ---------+
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "orchestrator.h"

#define SIM_MS     INT64_C(1000000)
#define SIM_SECOND INT64_C(1000000000)
/* When it begins. */
#define SIM_EPOCH (1700000000 * SIM_SECOND)

enum { SIM_NODES_MAX = 16, SIM_SERVICES_MAX = 8, SIM_IMAGES_MAX = 16, SIM_NAME_SIZE = 32 };

/* How containers of an image behave. */
struct sim_image {
	char name[SIM_NAME_SIZE];
	int64_t prepare, start, stop; /* how long it takes */
	int64_t run;                  /* 0: for ever */
	bool rejected;                /* in the end of prepare */
	Fl__TaskState end;            /* of run */
};

struct sim_node {
	char name[SIM_NAME_SIZE], id[ID_SIZE];
	bool exists, cut; /* cut: its agent reaches no manager */
};

/* What is known of a task beyond the store. */
struct sim_task {
	char id[ID_SIZE], name[2 * SIM_NAME_SIZE + 16];
	int64_t at;   /* when its agent says the next thing; INT64_MAX: not of itself */
	bool crashed; /* its container went with its node */
	bool gone;    /* deleted from the store */
};

struct sim_service {
	char name[SIM_NAME_SIZE], id[ID_SIZE];
	size_t least, most; /* tasks that ran at once since sim_ran_reset */
};

struct sim {
	struct store *store;
	struct orchestrator *orchestrator;
	uint64_t index;
	int64_t now, wake;
	uint64_t random; /* state */
	FILE *out;       /* NULL: nothing is told */
	struct sim_image images[SIM_IMAGES_MAX];
	size_t image_count;
	struct sim_node nodes[SIM_NODES_MAX];
	size_t node_count;
	struct sim_service services[SIM_SERVICES_MAX];
	size_t service_count;
	struct sim_task *tasks;
	size_t task_count, task_capacity;
	/* Trouble. */
	const char *misplace; /* where the scheduler places the next task, whatever the node is */
	bool twice;           /* its next decision is taken twice, before the first is in the log */
	bool forgetful;       /* the orchestrator starts from the store before each run */
	uint64_t lose;        /* so many of its next transactions never get into the log */
	unsigned lose_percent;   /* and of the others, so many */
	unsigned late_percent;   /* agents report between its decision and the log */
	unsigned jitter_percent; /* times are up to so much longer */
	/* Called for each event, when all of its entry are in the store; NULL: nobody. */
	void (*check)(struct sim *sim, const struct store_event *event);
	void *check_context;
	/* Counted. */
	uint64_t transactions, refused, lost, restarts;
};

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *sim);

uint64_t sim_random(struct sim *sim); /* splitmix64 */
bool sim_chance(struct sim *sim, unsigned percent);

/* Applies and frees it, and tells who lives on events. Returns what became of its first change. */
enum store_outcome sim_apply(struct sim *sim, struct transaction *transaction);
struct transaction *sim_begin(struct sim *sim);
/* Lets time pass. */
void sim_run(struct sim *sim, int64_t duration);
/* Until nothing is to happen for an hour; false: it did not come to rest in 6 hours. */
bool sim_settle(struct sim *sim);
/* The loops start from the store, as on a new leader. */
void sim_new_leader(struct sim *sim);

const struct store_view *sim_view(const struct sim *sim);
struct sim_task *sim_task_of(struct sim *sim, const char *id);
struct sim_node *sim_node_of(struct sim *sim, const char *id); /* NULL: none */
struct sim_service *sim_service_of(struct sim *sim, const char *id);
bool sim_fits(const Fl__Node *node, const Fl__TaskSpec *spec);

/* sim_agents.c */
void sim_schedule(struct sim *sim);                          /* places what can be */
void sim_agent_heeds(struct sim *sim, const Fl__Task *task); /* it has changed */
int64_t sim_agents_next(const struct sim *sim);
void sim_agents_report(struct sim *sim); /* those whose time has come */

/* sim_tell.c */
void sim_tell(struct sim *sim, const struct store_event *event);
void sim_tell_tasks(struct sim *sim, const char *service_id);
void sim_tell_update(struct sim *sim, const Fl__Service *service);
const char *sim_state_name(Fl__TaskState state); /* "running" */
size_t sim_running(const struct sim *sim, const char *service_id);
#endif
