/* SPDX-License-Identifier: BSD-2-Clause */
#include "cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint32_t node_random(void *context)
{
	return ((struct node *)context)->random;
}

struct cluster *cluster_new(FILE *out)
{
	struct cluster *cluster = calloc(1, sizeof(*cluster));

	assert_non_null(cluster);
	cluster->out = out;
	raft_options_default(&cluster->options);
	cluster->options.election_ticks = 10;
	cluster->options.heartbeat_ticks = 2;
	for (uint64_t id = 1; id <= NODES_MAX; id++) {
		struct node *node = &cluster->nodes[id];
		node->cluster = cluster;
		node->id = id;
		/* So that timeouts differ: 11, 12, 13 ... ticks. */
		node->random = (uint32_t)id;
	}
	return cluster;
}

static void queue_add(struct network *queue, const struct raft_message *message)
{
	struct raft_message *copy = malloc(sizeof(*copy));

	assert_non_null(copy);
	assert_true(queue->count < QUEUE_MAX);
	assert_int_equal(raft_message_copy(message, copy), 0);
	queue->items[queue->count++] = copy;
}

static void queue_remove(struct network *queue, size_t at)
{
	raft_message_clear(queue->items[at]);
	free(queue->items[at]);
	queue->count--;
	memmove(&queue->items[at], &queue->items[at + 1],
		(queue->count - at) * sizeof(queue->items[0]));
}

static void send(struct cluster *cluster, const struct raft_message *messages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct raft_message *m = &messages[i];
		assert_true(m->to >= 1 && m->to <= NODES_MAX);
		if (!cluster->blocked[m->from][m->to])
			queue_add(&cluster->network, m);
	}
}

static void disk_cut(struct disk *disk, uint64_t from)
{
	while (disk->entry_count && disk->entries[disk->entry_count - 1].index >= from)
		raft_bytes_release(disk->entries[--disk->entry_count].data);
}

static void disk_write(struct disk *disk, const struct raft_entry *entry)
{
	disk_cut(disk, entry->index);
	assert_int_equal(entry->index, disk->snapshot.index + disk->entry_count + 1);
	disk->entries = realloc(disk->entries, (disk->entry_count + 1) * sizeof(*disk->entries));
	assert_non_null(disk->entries);
	disk->entries[disk->entry_count++] = *entry;
	raft_bytes_hold(entry->data);
}

static void write_batch(struct node *node, const struct raft_effects *effects)
{
	struct disk *disk = &node->disk;

	if (effects->has_hard_state)
		disk->hard = effects->hard_state;
	for (size_t i = 0; i < effects->entry_count; i++)
		disk_write(disk, &effects->entries[i]);
	for (size_t i = 0; i < effects->chunk_count; i++) {
		const struct raft_chunk_in *chunk = &effects->chunks[i];
		if (!chunk->data)
			continue;
		memcpy(node->incoming + chunk->offset, chunk->data->data, chunk->data->size);
		node->incoming[chunk->offset + chunk->data->size] = 0;
	}
	if (!effects->has_install)
		return;
	disk_cut(disk, 0);
	disk->snapshot = effects->install;
	node->incoming[effects->install.size] = 0;
	strcpy(disk->snapshot_state, node->incoming);
	strcpy(node->state, node->incoming);
	fprintf(node->cluster->out, "%" PRIu64 " installs %" PRIu64 "/%" PRIu64 ": %s\n", node->id,
		effects->install.index, effects->install.term,
		node->state[0] ? node->state : "nothing");
}

static void apply(struct node *node, const struct raft_entry *entry)
{
	struct cluster *cluster = node->cluster;
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	assert_non_null(memory);
	describe_entry(memory, entry);
	fclose(memory);
	fprintf(cluster->out, "%" PRIu64 " applies %s\n", node->id, text);

	assert_true(entry->index < APPLIED_MAX);
	char *known = cluster->applied[entry->index];
	text[size < 63 ? size : 63] = 0;
	if (known[0] && strcmp(known, text) != 0)
		fprintf(cluster->out, "BROKEN: somebody applied %s\n", known);
	strcpy(known, text);
	if (entry->type == RAFT_ENTRY_COMMAND && entry->data) {
		size_t length = strlen(node->state);
		assert_true(length + entry->data->size + 2 < STATE_MAX);
		if (length)
			node->state[length++] = ' ';
		memcpy(node->state + length, entry->data->data, entry->data->size);
		node->state[length + entry->data->size] = 0;
	}
	free(text);
}

static void answer_wanted(struct node *node, const struct raft_chunk_wanted *wanted)
{
	const struct raft_snapshot *snapshot = &node->disk.snapshot;
	uint64_t size = node->cluster->options.chunk_bytes;

	if (wanted->index && wanted->index != snapshot->index)
		return;
	if (size > snapshot->size - wanted->offset)
		size = snapshot->size - wanted->offset;
	struct raft_bytes *data =
	    raft_bytes_new(node->disk.snapshot_state + wanted->offset, (size_t)size);
	assert_non_null(data);
	assert_int_equal(raft_send_chunk(node->r, wanted->to, snapshot, wanted->offset, data,
					 wanted->offset + size == snapshot->size),
			 0);
	raft_bytes_release(data);
}

static void tell_state(struct node *node)
{
	struct raft_status now;

	raft_get_status(node->r, &now);
	if (now.state == node->told.state && now.term == node->told.term &&
	    now.leader == node->told.leader)
		return;
	describe_status(node->cluster->out, &now);
	fprintf(node->cluster->out, "\n");
	node->told = now;
}

static bool take(struct node *node)
{
	struct cluster *cluster = node->cluster;
	struct raft_effects *effects = calloc(1, sizeof(*effects));

	assert_non_null(effects);
	assert_int_equal(raft_take(node->r, effects), 0);
	tell_state(node);
	send(cluster, effects->now, effects->now_count);
	for (size_t i = 0; i < effects->committed_count; i++)
		apply(node, &effects->committed[i]);
	for (size_t i = 0; i < effects->read_count; i++) {
		const struct raft_read_done *read = &effects->reads[i];
		fprintf(cluster->out, "%" PRIu64 " read %" PRIu64, node->id, read->context);
		if (read->err)
			fprintf(cluster->out, ": ask again\n");
		else
			fprintf(cluster->out, " at %" PRIu64 "\n", read->index);
	}
	for (size_t i = 0; i < effects->wanted_count; i++)
		answer_wanted(node, &effects->wanted[i]);
	bool any = effects->sequence || effects->now_count || effects->committed_count ||
		   effects->read_count || effects->wanted_count;
	if (effects->sequence) {
		assert_true(node->batch_count < QUEUE_MAX);
		node->batches[node->batch_count++] = effects;
	} else {
		assert_int_equal(effects->later_count, 0);
		raft_effects_clear(effects);
		free(effects);
	}
	return any;
}

bool cluster_persist(struct cluster *cluster, uint64_t id)
{
	struct node *node = &cluster->nodes[id];

	if (!node->batch_count)
		return false;
	struct raft_effects *effects = node->batches[0];
	node->batch_count--;
	memmove(&node->batches[0], &node->batches[1], node->batch_count * sizeof(node->batches[0]));
	write_batch(node, effects);
	assert_int_equal(raft_persisted(node->r, effects->sequence), 0);
	send(cluster, effects->later, effects->later_count);
	raft_effects_clear(effects);
	free(effects);
	return true;
}

void cluster_run(struct cluster *cluster)
{
	bool any = true;

	while (any) {
		any = false;
		for (uint64_t id = 1; id <= NODES_MAX; id++) {
			struct node *node = &cluster->nodes[id];
			if (!node->r)
				continue;
			any |= take(node);
			while (!node->slow_disk && cluster_persist(cluster, id))
				any = true;
		}
	}
}

bool cluster_deliver(struct cluster *cluster, uint64_t from, uint64_t to)
{
	struct network *network = &cluster->network;

	for (size_t i = 0; i < network->count; i++) {
		struct raft_message *m = network->items[i];
		if ((from && m->from != from) || (to && m->to != to))
			continue;
		struct node *node = &cluster->nodes[m->to];
		if (!cluster->silent)
			describe_message(cluster->out, m);
		if (node->r)
			assert_int_equal(raft_step(node->r, m), 0);
		else if (!cluster->silent)
			fprintf(cluster->out, "%" PRIu64 " is down\n", m->to);
		queue_remove(network, i);
		cluster_run(cluster);
		return true;
	}
	return false;
}

void cluster_divert(struct cluster *cluster, struct network *source, struct network *target,
		    uint64_t from, uint64_t to, bool copy)
{
	(void)cluster;
	for (size_t i = 0; i < source->count;) {
		struct raft_message *m = source->items[i];
		if ((from && m->from != from) || (to && m->to != to)) {
			i++;
			continue;
		}
		if (target)
			queue_add(target, m);
		if (copy)
			i++;
		else
			queue_remove(source, i);
	}
}

static void open_node(struct cluster *cluster, struct node *node,
		      const struct raft_restored *restored)
{
	struct raft_options options = cluster->options;

	options.id = node->id;
	options.random = node_random;
	options.random_context = node;
	assert_int_equal(raft_open(&options, restored, &node->r), 0);
	node->exists = true;
	strcpy(node->state, node->disk.snapshot_state);
	raft_get_status(node->r, &node->told);
}

void cluster_open(struct cluster *cluster, uint64_t id, const struct raft_restored *restored)
{
	struct node *node = &cluster->nodes[id];

	assert_false(node->exists);
	node->disk.hard = restored->hard_state;
	node->disk.snapshot = restored->snapshot;
	for (size_t i = 0; i < restored->entry_count; i++)
		disk_write(&node->disk, &restored->entries[i]);
	open_node(cluster, node, restored);
}

void cluster_crash(struct cluster *cluster, uint64_t id)
{
	struct node *node = &cluster->nodes[id];

	raft_close(node->r);
	node->r = NULL;
	for (size_t i = 0; i < node->batch_count; i++) {
		raft_effects_clear(node->batches[i]);
		free(node->batches[i]);
	}
	node->batch_count = 0;
	node->incoming[0] = 0;
}

void cluster_restart(struct cluster *cluster, uint64_t id)
{
	struct node *node = &cluster->nodes[id];

	struct raft_restored restored = {
	    .hard_state = node->disk.hard,
	    .snapshot = node->disk.snapshot,
	    .entries = node->disk.entries,
	    .entry_count = node->disk.entry_count,
	};
	open_node(cluster, node, &restored);
}

void cluster_free(struct cluster *cluster)
{
	for (uint64_t id = 1; id <= NODES_MAX; id++) {
		cluster_crash(cluster, id);
		disk_cut(&cluster->nodes[id].disk, 0);
		free(cluster->nodes[id].disk.entries);
	}
	while (cluster->network.count)
		queue_remove(&cluster->network, 0);
	while (cluster->stash.count)
		queue_remove(&cluster->stash, 0);
	free(cluster);
}
