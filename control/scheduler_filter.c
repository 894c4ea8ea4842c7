/* SPDX-License-Identifier: BSD-2-Clause */
#include "scheduler_filter.h"

#include <stdio.h>
#include <string.h>

#include "scheduler_constraint.h"
#include "scheduler_generic.h"

static bool is_ready(const Fl__Node *node)
{
	return node->status && node->status->state == FL__NODE_STATUS__STATE__READY &&
	       (!node->spec || node->spec->availability == FL__NODE_SPEC__AVAILABILITY__ACTIVE);
}

static bool has_resources(const Fl__Task *task, const struct scheduler_node *node)
{
	const Fl__Resources *wanted = task_reservations(task);

	return !wanted ||
	       ((wanted->nano_cpus <= 0 || wanted->nano_cpus <= node->cpus_left) &&
		(wanted->memory_bytes <= 0 || wanted->memory_bytes <= node->memory_left) &&
		(!wanted->n_generic_resources || scheduler_generic_fits(node, wanted)));
}

/* uname's names of what images call by Go's. */
static const char *go_architecture(const char *name)
{
	static const char *const names[][2] = {
	    {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm"}, {"i686", "386"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i][0]))
			return names[i][1];
	}
	return name;
}

/* Of an image; what it does not say is any. */
static bool runs_on(const Fl__Platform *wanted, const Fl__Platform *node)
{
	const char *architecture = wanted->architecture ? wanted->architecture : "";
	const char *os = wanted->os ? wanted->os : "";

	return (!*os || (node->os && !strcmp(os, node->os))) &&
	       (!*architecture ||
		(node->architecture &&
		 !strcmp(go_architecture(architecture), go_architecture(node->architecture))));
}

static bool has_platform(const Fl__Placement *placement, const Fl__Node *node)
{
	const Fl__Platform *platform = node->description ? node->description->platform : NULL;

	for (size_t i = 0; platform && i < placement->n_platforms; i++) {
		if (runs_on(placement->platforms[i], platform))
			return true;
	}
	return !placement->n_platforms;
}

static bool is_host_port(const Fl__PortConfig *port)
{
	return port->publish_mode == FL__PORT_CONFIG__PUBLISH_MODE__HOST && port->published_port;
}

static bool ports_meet(const Fl__Endpoint *a, const Fl__Endpoint *b)
{
	for (size_t i = 0; b && i < a->n_ports; i++) {
		for (size_t j = 0; is_host_port(a->ports[i]) && j < b->n_ports; j++) {
			if (is_host_port(b->ports[j]) &&
			    a->ports[i]->published_port == b->ports[j]->published_port &&
			    a->ports[i]->protocol == b->ports[j]->protocol)
				return true;
		}
	}
	return false;
}

static bool has_host_ports_free(const Fl__Task *task, const struct scheduler_node *node)
{
	if (!task->endpoint || !node->with_host_ports)
		return true;
	for (const struct list *at = node->tasks.next; at != &node->tasks; at = at->next) {
		const struct scheduler_task *other = LIST_ENTRY(at, struct scheduler_task, on_node);

		if (ports_meet(task->endpoint, other->task->endpoint))
			return false;
	}
	return true;
}

enum scheduler_refusal scheduler_filter(const Fl__Task *task, const struct scheduler_node *node)
{
	const Fl__Placement *placement = task->spec ? task->spec->placement : NULL;

	if (!is_ready(node->node))
		return REFUSED_NOT_READY;
	if (!has_resources(task, node))
		return REFUSED_RESOURCES;
	if (placement &&
	    !constraints_match(placement->constraints, placement->n_constraints, node->node))
		return REFUSED_CONSTRAINTS;
	if (placement && !has_platform(placement, node->node))
		return REFUSED_PLATFORM;
	if (!has_host_ports_free(task, node))
		return REFUSED_HOST_PORT;
	if (placement && placement->max_replicas &&
	    scheduler_node_active(node, task->service_id) >= placement->max_replicas)
		return REFUSED_MAX_REPLICAS;
	return NOT_REFUSED;
}

static int explain_one(enum scheduler_refusal refusal, size_t nodes, char *text, size_t size)
{
	static const char *const words[REFUSALS] = {
	    [REFUSED_RESOURCES] = "insufficient resources",
	    [REFUSED_CONSTRAINTS] = "scheduling constraints not satisfied",
	    [REFUSED_PLATFORM] = "unsupported platform",
	    [REFUSED_HOST_PORT] = "host-mode port already in use",
	};
	const char *plural = nodes == 1 ? "" : "s";

	if (refusal == REFUSED_NOT_READY)
		return snprintf(text, size, "%zu node%s not available for new tasks", nodes,
				plural);
	if (refusal == REFUSED_MAX_REPLICAS)
		return snprintf(text, size, "max replicas per node limit exceed");
	return snprintf(text, size, "%s on %zu node%s", words[refusal], nodes, plural);
}

void scheduler_explain(const size_t counts[REFUSALS], char text[EXPLANATION_SIZE])
{
	bool told[REFUSALS] = {false};
	size_t length = 0;

	text[0] = '\0';
	for (int round = 0; round < REFUSALS; round++) {
		int most = -1;

		for (int i = 0; i < REFUSALS; i++) {
			if (counts[i] && !told[i] && (most < 0 || counts[i] > counts[most]))
				most = i;
		}
		if (most < 0)
			return;
		told[most] = true;
		if (length)
			length += (size_t)snprintf(text + length, EXPLANATION_SIZE - length, "; ");
		length += (size_t)explain_one((enum scheduler_refusal)most, counts[most],
					      text + length, EXPLANATION_SIZE - length);
	}
}
