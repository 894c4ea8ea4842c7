/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_CLIENT_H
#define FL_SIM_CLIENT_H
/*
 * Clients that read, write and swap registers through any member, over a network that loses
 * requests and answers too. What has no answer in time is sent again under the same number, or
 * given up, its outcome unknown. All is written into a history for linear.h.
 */
#include "linear.h"
#include "store.h"

struct world;
struct event;

struct client_request {
	struct store_command command; /* kind may be a read too */
	uint64_t client, attempt;
	uint32_t padding;
};

enum client_answer { CLIENT_DONE, CLIENT_NOT_LEADER, CLIENT_REFUSED, CLIENT_LOST };

struct client_reply {
	uint64_t attempt;
	enum client_answer answer;
	uint64_t result;
	uint64_t leader; /* 0: unknown */
};

struct client {
	bool is_busy;
	uint64_t attempt, tries_left;
	uint64_t deadline_us;
	uint64_t leader; /* as it last heard */
	uint64_t sequence;
	uint64_t seen; /* a value it read lately */
	struct linear_op op;
	uint32_t padding;
};

struct clients {
	struct client client[STORE_CLIENTS];
	uint32_t count;
	uint64_t think_us, timeout_us;
	unsigned read_per_mille, lost_per_mille;
	uint32_t padding_max;
	uint64_t next_value, attempts;
	bool is_closing; /* no new operations but reads */
	bool is_closed;  /* none at all */
	struct linear_op *history;
	size_t history_count, history_room;
};

void clients_start(struct world *world);
void clients_free(struct world *world);
void client_wake(struct world *world, uint64_t number);
void client_answered(struct world *world, uint64_t number, const struct client_reply *reply);
/* A member's answer, on its way. */
void client_answer(struct world *world, uint64_t number, struct client_reply reply);
/* Those still under way are of unknown outcome; then the whole history is checked. */
void clients_check(struct world *world);
#endif
