/* SPDX-License-Identifier: BSD-2-Clause */
#include "node.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_internal.h"

#define NS_PER_MS 1000000U

void raft_node_options_default(struct raft_node_options *options)
{
	*options = (struct raft_node_options){
	    .tick_ms = 10,
	    .heartbeat_ticks = 5,
	    .election_ticks = 25,
	    .snapshot_bytes = 16 << 20,
	    .kept_entries = 4096,
	};
}

/* -- what is said ------------------------------------------------------------------------------ */

void node_say(struct raft_node *node, const char *format, ...)
{
	char line[512];
	va_list arguments;

	if (!node->events.said)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	node->events.said(node->events.context, line);
}

void node_fail(struct raft_node *node, int code, const char *format, ...)
{
	char why[512];
	va_list arguments;

	if (node->failed)
		return;
	node->failed = true;
	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	uv_timer_stop(&node->tick);
	if (node->events.failed)
		node->events.failed(node->events.context, code, why);
}

/* -- events of the parts ----------------------------------------------------------------------- */

static void hurry(uv_idle_t *idle)
{
	(void)idle; /* that it runs keeps the loop from sleeping */
}

void node_wake(struct raft_node *node)
{
	if (!node->failed && !node->closing)
		uv_idle_start(&node->hurry, hurry);
}

static void message_received(void *context, struct raft_message *message)
{
	struct raft_node *node = context;

	/* Without memory it is as if it had been lost on the way. */
	if (!node->failed)
		(void)raft_step(node->raft, message);
	raft_message_clear(message);
	node_wake(node);
}

static void peer_unreachable(void *context, uint64_t id)
{
	struct raft_node *node = context;

	if (!node->failed)
		raft_unreachable(node->raft, id);
	node_wake(node);
}

static void transport_said(void *context, const char *line)
{
	node_say(context, "%s", line);
}

static void batch_written(void *context, struct raft_effects *effects)
{
	struct raft_node *node = context;

	node_written(node, effects);
	raft_effects_clear(effects);
}

static void was_compacted(void *context, uint64_t index, int err)
{
	struct raft_node *node = context;

	assert(node->snapshot && node->snapshot->snapshot.index == index);
	if (!node->failed)
		node_snapshot_compacted(node, err);
	node_wake(node);
}

static void disk_stalled(void *context, bool stalled, const struct raft_error *error)
{
	struct raft_node *node = context;

	if (node->failed)
		return;
	node_say(node, "%s", stalled ? error->text : "the log is written again");
	raft_stall(node->raft, stalled);
	node_wake(node);
}

static void disk_failed(void *context, const struct raft_error *error)
{
	node_fail(context, error->code ? error->code : -EIO, "%s", error->text);
}

/* -- time -------------------------------------------------------------------------------------- */

/* How many ticks are due. A gap as long as an election's timeout is not time that the others had to
 * be heard in: this process did not run. */
static uint64_t ticks_due(struct raft_node *node)
{
	const uint64_t tick_ns = (uint64_t)node->tick_ms * NS_PER_MS, now = uv_hrtime();
	const uint64_t due = (now - node->ticked_at) / tick_ns;

	if (due >= node->election_ticks) {
		node->ticked_at = now;
		return 1;
	}
	node->ticked_at += due * tick_ns;
	return due;
}

static void tick(uv_timer_t *timer)
{
	struct raft_node *node = timer->data;

	for (uint64_t due = ticks_due(node); due; due--)
		(void)raft_tick(node->raft);
	if (++node->look_ticks >= NODE_LOOK_TICKS) {
		node->look_ticks = 0;
		node_send_look(node);
	}
}

static void turn(uv_prepare_t *prepare)
{
	node_turn(prepare->data);
}

/* splitmix64: to spread elections, nothing secret. */
static uint32_t draw(void *context)
{
	struct raft_node *node = context;
	uint64_t value = node->random += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((value ^ value >> 31) >> 32);
}

/* -- the end ----------------------------------------------------------------------------------- */

static void finish(struct raft_node *node)
{
	if (node->handles || node->jobs || !node->closing)
		return;
	node_send_free(node);
	node_apply_free(node);
	waiters_free(&node->proposals);
	waiters_free(&node->reads);
	for (unsigned int i = 0; i < NODE_READS_MAX; i++)
		waiters_free(&node->rounds[i].callers);
	free(node->snapshot);
	if (node->disk)
		disk_close(node->disk);
	raft_close(node->raft);
	if (node->closed)
		node->closed(node->closed_context);
	free(node);
}

bool node_job_done(struct raft_node *node)
{
	const bool closing = node->closing || node->failed;

	node->jobs--;
	if (node->closing)
		finish(node);
	return closing;
}

static void handle_closed(uv_handle_t *handle)
{
	struct raft_node *node = handle->data;

	node->handles--;
	finish(node);
}

static void close_handle(struct raft_node *node, uv_handle_t *handle)
{
	handle->data = node;
	uv_close(handle, handle_closed);
}

void raft_node_close(struct raft_node *node, void (*closed)(void *context), void *context)
{
	if (node->raft)
		node_answer_all(node, RAFT_UNKNOWN);
	node->closing = true;
	node->closed = closed;
	node->closed_context = context;
	transport_close(node->transport);
	disk_writer_close(node->writer);
	close_handle(node, (uv_handle_t *)&node->tick);
	close_handle(node, (uv_handle_t *)&node->turn);
	close_handle(node, (uv_handle_t *)&node->hurry);
}

/* -- the beginning ----------------------------------------------------------------------------- */

static int open_transport(struct raft_node *node, const struct raft_node_options *options,
			  struct raft_error *error)
{
	const struct transport_options transport = {
	    .loop = options->loop,
	    .pem = options->pem,
	    .listen = options->listen,
	    .advertised = options->advertised,
	    .events = {.received = message_received,
		       .unreachable = peer_unreachable,
		       .said = transport_said,
		       .context = node},
	};
	int err = transport_open(&transport, &node->transport, error);

	if (!err)
		node->id = transport_identity(node->transport)->member;
	return err;
}

static bool is_empty(const struct raft_restored *restored)
{
	return !restored->hard_state.term && !restored->snapshot.index && !restored->entry_count;
}

static int bootstrap(struct raft_node *node, const struct raft_members *members,
		     struct raft_restored *restored, struct raft_error *error)
{
	const struct raft_snapshot snapshot = {.index = 1, .term = 1, .members = *members};
	int err;

	if (!raft_members_valid(members) || !raft_members_find(members, node->id))
		return raft_error_set(error, -EINVAL,
				      "the first members are not a membership with this one in it");
	err = disk_bootstrap(node->disk, &snapshot, NULL, 0, error);
	if (err)
		return err;
	restored->snapshot = snapshot;
	restored->hard_state = (struct raft_hard_state){.term = 1, .commit = 1};
	return 0;
}

static int open_disk(struct raft_node *node, const struct raft_node_options *options,
		     struct raft_restored *restored, struct raft_error *error)
{
	struct raft_error why = {0};
	int err = disk_open(&options->disk, &node->disk, restored, &why);

	if (!err && options->bootstrap && is_empty(restored))
		err = bootstrap(node, options->bootstrap, restored, &why);
	if (err)
		return raft_error_set(error, err, "%s", why.text);
	if (!restored->snapshot.index)
		return 0;
	return node_restore_now(node, &restored->snapshot, error);
}

static int open_core(struct raft_node *node, const struct raft_node_options *options,
		     const struct raft_restored *restored, struct raft_error *error)
{
	struct raft_options core;
	int err;

	raft_options_default(&core);
	core.id = node->id;
	core.heartbeat_ticks = options->heartbeat_ticks;
	core.election_ticks = options->election_ticks;
	core.random = draw;
	core.random_context = node;
	_Static_assert(NODE_PIECE_SIZE <= (int)RAFT_SNAPSHOT_CHUNK_MAX, "a piece is a chunk");
	core.chunk_bytes = NODE_PIECE_SIZE;
	err = raft_open(&core, restored, &node->raft);
	if (err)
		return raft_error_set(error, err, "what is on disk contradicts itself");
	raft_get_status(node->raft, &node->status);
	transport_set_peers(node->transport, &node->status.members);
	return 0;
}

static int open_writer(struct raft_node *node, struct raft_error *error)
{
	const struct disk_writer_events events = {.written = batch_written,
						  .compacted = was_compacted,
						  .stalled = disk_stalled,
						  .failed = disk_failed,
						  .context = node};
	const int err = disk_writer_open(node->loop, node->disk, &events, &node->writer);

	return err ? raft_error_set(error, err, "the log's thread: %s", uv_strerror(err)) : 0;
}

static struct raft_node *make(const struct raft_node_options *options)
{
	struct raft_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->loop = options->loop;
	node->store = options->store;
	node->events = options->events;
	node->tick_ms = options->tick_ms;
	node->election_ticks = options->election_ticks;
	node->snapshot_bytes = options->snapshot_bytes;
	node->kept_entries = options->kept_entries;
	node->apply_end = &node->apply_first;
	node->random = node->read_context = uv_hrtime();
	(void)uv_random(NULL, NULL, &node->random, sizeof(node->random), 0, NULL);
	uv_timer_init(node->loop, &node->tick);
	uv_prepare_init(node->loop, &node->turn);
	uv_idle_init(node->loop, &node->hurry);
	node->handles = 3;
	node->tick.data = node->turn.data = node->hurry.data = node;
	return node;
}

int raft_node_open(const struct raft_node_options *options, struct raft_node **out,
		   struct raft_error *error)
{
	struct raft_node *node = make(options);
	struct raft_restored restored = {0};
	int err;

	if (!node)
		return raft_error_set(error, -ENOMEM, "no memory");
	err = open_transport(node, options, error);
	if (!err)
		err = open_disk(node, options, &restored, error);
	if (!err)
		err = open_core(node, options, &restored, error);
	disk_restored_clear(&restored);
	if (!err)
		err = open_writer(node, error);
	if (err) {
		raft_node_close(node, NULL, NULL);
		return err;
	}
	node->ticked_at = uv_hrtime();
	uv_timer_start(&node->tick, tick, node->tick_ms, node->tick_ms);
	uv_prepare_start(&node->turn, turn);
	node_wake(node);
	*out = node;
	return 0;
}

/* -- what callers ask -------------------------------------------------------------------------- */

int raft_node_propose(struct raft_node *node, struct raft_bytes *command, raft_node_done *done,
		      void *context)
{
	struct waiter waiter = {.done = done, .context = context};
	int err;

	if (node->failed || node->closing)
		return -ESHUTDOWN;
	err = waiters_reserve(&node->proposals);
	if (!err)
		err = raft_propose(node->raft, command, &waiter.index, &waiter.term);
	if (err)
		return err;
	waiters_add(&node->proposals, &waiter);
	node_wake(node);
	return 0;
}

int raft_node_change(struct raft_node *node, const struct raft_change *change, raft_node_done *done,
		     void *context)
{
	struct waiter waiter = {.done = done, .context = context};
	struct raft_status status;
	int err;

	if (node->failed || node->closing)
		return -ESHUTDOWN;
	err = waiters_reserve(&node->proposals);
	if (!err)
		err = raft_change_members(node->raft, change, &waiter.index);
	if (err)
		return err;
	raft_get_status(node->raft, &status);
	waiter.term = status.term;
	waiters_add(&node->proposals, &waiter);
	node_wake(node);
	return 0;
}

/* The round that is not asked yet, or a new one. */
static struct read_round *open_round(struct raft_node *node)
{
	struct read_round *unused = NULL;

	for (unsigned int i = 0; i < NODE_READS_MAX; i++) {
		struct read_round *round = &node->rounds[i];

		if (!round->asked && round->callers.count)
			return round;
		if (!round->asked)
			unused = round;
	}
	if (unused)
		unused->context = ++node->read_context;
	return unused;
}

int raft_node_read(struct raft_node *node, raft_node_done *done, void *context)
{
	const struct waiter waiter = {.done = done, .context = context};
	struct read_round *round;
	int err;

	if (node->failed || node->closing)
		return -ESHUTDOWN;
	if (!raft_node_leader(node))
		return RAFT_NOT_LEADER;
	round = open_round(node);
	if (!round)
		return RAFT_FULL;
	err = waiters_reserve(&round->callers);
	if (err)
		return err;
	waiters_add(&round->callers, &waiter);
	node_wake(node);
	return 0;
}

int raft_node_transfer(struct raft_node *node, uint64_t to)
{
	int err;

	if (node->failed || node->closing)
		return -ESHUTDOWN;
	err = raft_transfer(node->raft, to);
	node_wake(node);
	return err;
}

void raft_node_get_status(const struct raft_node *node, struct raft_status *status)
{
	raft_get_status(node->raft, status);
}

uint64_t raft_node_leader(const struct raft_node *node)
{
	return node->status.leader;
}

uint64_t raft_node_applied(const struct raft_node *node)
{
	return node->applied;
}

int raft_node_set_peer(struct raft_node *node, uint64_t id, const char *address)
{
	return transport_set_peer(node->transport, id, address);
}

int raft_node_set_pem(struct raft_node *node, const struct tls_pem *pem, struct raft_error *error)
{
	return transport_set_pem(node->transport, pem, error);
}

const struct transport_counters *raft_node_counters(const struct raft_node *node)
{
	return transport_counters(node->transport);
}

const char *raft_node_address(const struct raft_node *node)
{
	return transport_address(node->transport);
}

uint64_t raft_node_id(const struct raft_node *node)
{
	return node->id;
}
