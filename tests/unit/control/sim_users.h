/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_SIM_USERS_H
#define FL_TEST_SIM_USERS_H
/* What users ask of a simulated cluster, as the API would write it, and what befalls nodes. */
#include "sim_cluster.h"

/* What can be said of a service. */
struct sim_spec {
	const char *name, *mode; /* "replicated", "global", "replicated-job", "global-job" */
	uint64_t replicas, completions, concurrent;
	const char *image;
	uint64_t force;
	const char *constraint; /* NULL: none */
	bool has_policy;
	Fl__RestartPolicy policy;
	bool has_update, has_rollback;
	Fl__UpdateConfig update, rollback;
	int64_t grace; /* 0: the default */
	bool has_label;
	const char *pull; /* how to; NULL: nothing is said */
};

void sim_add_node(struct sim *sim, const char *name, Fl__Node__Membership membership);
struct sim_node *sim_node_named(struct sim *sim, const char *name); /* fails without one */
void sim_set_availability(struct sim *sim, const char *name,
			  Fl__NodeSpec__Availability availability);
void sim_set_label(struct sim *sim, const char *name, const char *key, const char *value);
/* The machine fails; its containers are lost. */
void sim_node_down(struct sim *sim, const char *name);
void sim_node_up(struct sim *sim, const char *name);
/* It is heard of no more, and works on. */
void sim_node_cut(struct sim *sim, const char *name);
void sim_node_mend(struct sim *sim, const char *name);
void sim_node_leave(struct sim *sim, const char *name);
void sim_set_history(struct sim *sim, int64_t limit);

const Fl__Service *sim_service_named(const struct sim *sim, const char *name); /* NULL: none */
void sim_create_service(struct sim *sim, const struct sim_spec *spec);
/* The spec of an existing service, to be changed and given to sim_update. It borrows from the
 * store: good until the next change of the service. */
struct sim_spec sim_spec_of(const Fl__Service *service);
void sim_update(struct sim *sim, const struct sim_spec *spec);
void sim_rollback(struct sim *sim, const char *name);
void sim_remove(struct sim *sim, const char *name);
/* Removes it in the other way: it is pending_delete until its tasks are gone. */
void sim_retire(struct sim *sim, const char *name);
#endif
