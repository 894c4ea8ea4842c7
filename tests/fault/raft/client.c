/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static void wake_after(struct world *world, uint64_t number, uint64_t delay_us)
{
	world_after(world, delay_us, (struct event){.type = EVENT_CLIENT, .number = number});
}

void clients_start(struct world *world)
{
	struct clients *clients = &world->clients;
	struct sim_random *random = &world->random;

	clients->count = (uint32_t)sim_random_between(random, 2, STORE_CLIENTS);
	clients->think_us = sim_random_between(random, 1000, 30000);
	clients->timeout_us = sim_random_between(random, 20000, 300000);
	clients->read_per_mille = (unsigned)sim_random_between(random, 200, 700);
	clients->lost_per_mille = (unsigned)sim_random_below(random, 50);
	clients->padding_max =
	    (uint32_t)(sim_random_chance(random, 300) ? sim_random_between(random, 200, 1500) : 60);
	for (uint64_t i = 0; i < clients->count; i++)
		wake_after(world, i, sim_random_below(random, clients->think_us));
}

void clients_free(struct world *world)
{
	free(world->clients.history);
}

static void note(struct world *world, const struct linear_op *op)
{
	struct clients *clients = &world->clients;

	if (clients->history_count == clients->history_room) {
		clients->history_room = clients->history_room ? 2 * clients->history_room : 256;
		clients->history =
		    realloc(clients->history, clients->history_room * sizeof(*clients->history));
		if (!clients->history)
			abort();
	}
	clients->history[clients->history_count++] = *op;
}

/* Nobody at this member: someone else, or whom it named. */
static uint32_t choose_member(struct world *world, const struct client *client)
{
	const struct member *leader = world_find(world, client->leader);

	if (leader && sim_random_chance(&world->random, 800))
		return leader->slot;
	return (uint32_t)sim_random_below(&world->random, world->member_count);
}

static void try_again(struct world *world, uint64_t number)
{
	struct clients *clients = &world->clients;
	struct client *client = &clients->client[number];
	struct client_request *request = calloc(1, sizeof(*request));
	const uint32_t member = choose_member(world, client);

	if (!request)
		abort();
	client->attempt = ++clients->attempts;
	client->deadline_us = world->now_us + clients->timeout_us;
	*request = (struct client_request){.command = {.client = (uint32_t)number,
						       .kind = client->op.kind,
						       .key = (uint8_t)client->op.key,
						       .sequence = client->sequence,
						       .expected = client->op.expected,
						       .value = client->op.value},
					   .client = number,
					   .attempt = client->attempt,
					   .padding = client->padding};
	if (sim_random_chance(&world->random, clients->lost_per_mille))
		free(request);
	else
		world_after(
		    world, sim_random_between(&world->random, 50, 2000),
		    (struct event){.type = EVENT_REQUEST, .member = member, .payload = request});
	wake_after(world, number, clients->timeout_us);
}

static void begin(struct world *world, uint64_t number)
{
	struct clients *clients = &world->clients;
	struct client *client = &clients->client[number];
	struct sim_random *random = &world->random;

	client->is_busy = true;
	client->tries_left = sim_random_between(random, 1, 6);
	client->sequence++;
	client->padding = (uint32_t)sim_random_below(random, clients->padding_max);
	client->op = (struct linear_op){.client = number,
					.key = sim_random_below(random, STORE_KEYS),
					.call_ns = world->now_us,
					.return_ns = LINEAR_PENDING};
	if (clients->is_closing || sim_random_chance(random, clients->read_per_mille)) {
		client->op.kind = LINEAR_READ;
	} else {
		client->op.kind = sim_random_chance(random, 600) ? LINEAR_WRITE : LINEAR_CAS;
		client->op.value = ++clients->next_value;
		if (client->op.kind == LINEAR_CAS)
			client->op.expected = client->seen;
	}
	try_again(world, number);
}

static void finish(struct world *world, uint64_t number)
{
	struct client *client = &world->clients.client[number];

	client->is_busy = false;
	client->attempt = 0;
	if (!world->clients.is_closed)
		wake_after(world, number,
			   sim_random_below(&world->random, world->clients.think_us));
}

/* No answer in time, or no use in waiting for one. */
static void give_up_or_retry(struct world *world, uint64_t number)
{
	struct client *client = &world->clients.client[number];

	client->leader = 0;
	if (client->tries_left--) {
		world->coverage.operations_retried++;
		try_again(world, number);
		return;
	}
	world->coverage.operations_abandoned++;
	if (client->op.kind != LINEAR_READ)
		note(world, &client->op);
	finish(world, number);
}

void client_wake(struct world *world, uint64_t number)
{
	struct client *client = &world->clients.client[number];

	if (!client->is_busy) {
		if (!world->clients.is_closed)
			begin(world, number);
	} else if (world->now_us >= client->deadline_us) {
		give_up_or_retry(world, number);
	}
}

void client_answer(struct world *world, uint64_t number, struct client_reply reply)
{
	struct client_reply *copy;

	if (sim_random_chance(&world->random, world->clients.lost_per_mille))
		return;
	copy = malloc(sizeof(*copy));
	if (!copy)
		abort();
	*copy = reply;
	world_after(world, sim_random_between(&world->random, 50, 2000),
		    (struct event){.type = EVENT_REPLY, .number = number, .payload = copy});
}

void client_answered(struct world *world, uint64_t number, const struct client_reply *reply)
{
	struct client *client = &world->clients.client[number];

	if (!client->is_busy || client->attempt != reply->attempt)
		return;
	client->leader = reply->leader;
	if (reply->answer == CLIENT_DONE) {
		client->op.return_ns = world->now_us;
		client->op.result = reply->result;
		client->seen = client->op.kind == LINEAR_WRITE ? client->op.value : reply->result;
		world->coverage.operations_acknowledged++;
		note(world, &client->op);
		finish(world, number);
		return;
	}
	/* Soon, not at once: there may be no leader yet. */
	client->attempt = 0;
	client->deadline_us = world->now_us + sim_random_between(&world->random, 1000, 20000);
	wake_after(world, number, client->deadline_us - world->now_us);
}

static void report(struct world *world, const struct linear_violation *violation)
{
	world_fail(world, "linearizability", "key %" PRIu64 ": no order explains these %zu",
		   violation->key, violation->count);
	if (!world->options.trace)
		return;
	for (size_t i = 0; i < violation->count; i++)
		linear_print(world->options.trace, &world->clients.history[violation->ops[i]]);
}

void clients_check(struct world *world)
{
	struct clients *clients = &world->clients;
	struct linear_violation violation = {0};
	int err;

	for (uint32_t i = 0; i < clients->count; i++)
		if (clients->client[i].is_busy && clients->client[i].op.kind != LINEAR_READ)
			note(world, &clients->client[i].op);
	err = linear_check(clients->history, clients->history_count, &violation);
	if (err == -EILSEQ)
		report(world, &violation);
	else if (err)
		world_fail(world, "linearizability", "could not be checked: %s", strerror(-err));
	free(violation.ops);
}
