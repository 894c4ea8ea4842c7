// SPDX-License-Identifier: BSD-2-Clause
#include "telemetry.h"

#include <rte_telemetry.h>
#include <stdio.h>

#include "lb_reason_text.h"

/* DPDK's callbacks carry no context. */
static struct {
	const struct dpdk_state *state;
	const struct resolver *resolver;
} told;

static void add_counters(struct dpdk_counters *sum, const struct dpdk_counters *c)
{
	sum->received += c->received;
	sum->sent += c->sent;
	sum->to_kernel += c->to_kernel;
	sum->no_room += c->no_room;
	sum->not_sent += c->not_sent;
	sum->no_next_hop += c->no_next_hop;
	sum->handed_over += c->handed_over;
	sum->ring_full += c->ring_full;
	sum->bad_checksum += c->bad_checksum;
}

static void add_frames(struct rte_tel_data *data, const struct dpdk_counters *c)
{
	rte_tel_data_add_dict_u64(data, "received", c->received);
	rte_tel_data_add_dict_u64(data, "sent", c->sent);
	rte_tel_data_add_dict_u64(data, "to_kernel", c->to_kernel);
	rte_tel_data_add_dict_u64(data, "no_room", c->no_room);
	rte_tel_data_add_dict_u64(data, "not_sent", c->not_sent);
	rte_tel_data_add_dict_u64(data, "waited", c->no_next_hop);
	rte_tel_data_add_dict_u64(data, "handed_over", c->handed_over);
	rte_tel_data_add_dict_u64(data, "ring_full", c->ring_full);
	rte_tel_data_add_dict_u64(data, "bad_checksum", c->bad_checksum);
}

static int frames(const char *command, const char *arguments, struct rte_tel_data *data)
{
	struct resolver_counters r = resolver_counters(told.resolver);
	struct dpdk_counters sum = {0};

	(void)command, (void)arguments;
	for (uint32_t i = 0; i < told.state->shared->lcores; i++)
		add_counters(&sum, dpdk_state_counters(told.state, i));
	rte_tel_data_start_dict(data);
	add_frames(data, &sum);
	rte_tel_data_add_dict_u64(data, "resolved", r.resolved);
	rte_tel_data_add_dict_u64(data, "unreachable", r.unreachable);
	rte_tel_data_add_dict_u64(data, "timed_out", r.timed_out);
	return 0;
}

/* {"lcore_0": {...}, ...}; that one's go on from a dead forwarder's. */
static int lcores(const char *command, const char *arguments, struct rte_tel_data *data)
{
	const struct dpdk_shared *shared = told.state->shared;

	(void)command, (void)arguments;
	rte_tel_data_start_dict(data);
	for (uint32_t i = 0; i < shared->lcores; i++) {
		struct rte_tel_data *one = rte_tel_data_alloc();
		char name[32];

		if (!one)
			return -1;
		snprintf(name, sizeof(name), "lcore_%u", i);
		rte_tel_data_start_dict(one);
		rte_tel_data_add_dict_u64(one, "cpu", shared->cpu[i]);
		add_frames(one, dpdk_state_counters(told.state, i));
		rte_tel_data_add_dict_container(data, name, one, 0);
	}
	return 0;
}

static int reasons(const char *command, const char *arguments, struct rte_tel_data *data)
{
	(void)command, (void)arguments;
	rte_tel_data_start_dict(data);
	for (uint32_t reason = 0; reason < LB_REASON_COUNT; reason++) {
		uint64_t packets = 0;

		for (uint32_t i = 0; i < told.state->shared->lcores; i++)
			packets += dpdk_state_counters(told.state, i)->reasons.packets[reason];
		rte_tel_data_add_dict_u64(data, lb_reason_name(reason), packets);
	}
	return 0;
}

void telemetry_start(const struct dpdk_state *state, const struct resolver *resolver)
{
	told.state = state;
	told.resolver = resolver;
	rte_telemetry_register_cmd("/fairlead/frames", frames,
				   "Frames taken in, sent, and what became of the others");
	rte_telemetry_register_cmd("/fairlead/lcores", lcores, "The same, of each lcore");
	rte_telemetry_register_cmd("/fairlead/reasons", reasons,
				   "Packets by verdict, as fairlead counters shows them");
}
