/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mutations.h"

enum { TORN_PER_MILLE = 400, FLIP_PER_MILLE = 150 };

static uint32_t checksum_of(const struct disk_record *record)
{
	uint64_t sum = record->type;

	for (size_t i = 0; i < 3; i++)
		sum = sim_mix(sum * 31 + record->words[i] + 1);
	return (uint32_t)sum;
}

static void record_free(struct disk_record *record)
{
	raft_bytes_release(record->data);
	free(record->snapshot);
}

static void cut_records(struct disk *disk, size_t count)
{
	while (disk->record_count > count)
		record_free(&disk->records[--disk->record_count]);
}

static struct disk_record *add_record(struct disk *disk, enum disk_record_type type, uint64_t a,
				      uint64_t b, uint64_t c, struct raft_bytes *data)
{
	struct disk_record *record;

	if (disk->record_count == disk->record_room) {
		disk->record_room = disk->record_room ? 2 * disk->record_room : 64;
		disk->records = realloc(disk->records, disk->record_room * sizeof(*disk->records));
		if (!disk->records)
			abort();
	}
	record = &disk->records[disk->record_count++];
	*record = (struct disk_record){
	    .type = (uint8_t)type, .words = {a, b, c}, .data = raft_bytes_hold(data)};
	record->checksum = checksum_of(record);
	return record;
}

static void add_hard_state(struct disk *disk, const struct raft_hard_state *hard)
{
	add_record(disk, DISK_HARD_STATE, hard->term, hard->vote, hard->commit, NULL);
}

static void add_base(struct disk *disk, const struct raft_snapshot *snapshot,
		     struct raft_bytes *state)
{
	struct disk_record *record =
	    add_record(disk, DISK_BASE, snapshot->index, snapshot->term, 0, state);

	record->snapshot = malloc(sizeof(*snapshot));
	if (!record->snapshot)
		abort();
	*record->snapshot = *snapshot;
}

void disk_batch_free(struct disk_batch *batch)
{
	if (!batch)
		return;
	raft_effects_clear(&batch->effects);
	raft_bytes_release(batch->state);
	free(batch);
}

static void drop_queue(struct disk *disk)
{
	while (disk->first) {
		struct disk_batch *batch = disk->first;

		disk->first = batch->next;
		disk_batch_free(batch);
	}
	disk->last = NULL;
}

void disk_free(struct disk *disk)
{
	drop_queue(disk);
	cut_records(disk, 0);
	free(disk->records);
	free(disk->incoming);
	raft_bytes_release(disk->state);
	journal_free(&disk->journal);
	memset(disk, 0, sizeof(*disk));
}

static void set_base(struct disk *disk, const struct raft_snapshot *snapshot,
		     struct raft_bytes *state)
{
	raft_bytes_hold(state);
	raft_bytes_release(disk->state);
	disk->state = state;
	disk->snapshot = *snapshot;
}

/* What records so far say, one more taken into account. */
static bool replay(struct disk *disk, const struct disk_record *record)
{
	const struct raft_entry entry = {.index = record->words[0],
					 .term = record->words[1],
					 .type = (uint8_t)record->words[2],
					 .data = record->data};

	switch ((enum disk_record_type)record->type) {
	case DISK_HARD_STATE:
		disk->hard =
		    (struct raft_hard_state){record->words[0], record->words[1], record->words[2]};
		return true;
	case DISK_ENTRY:
		return journal_append(&disk->journal, &entry,
				      !sim_mutated(SIM_runtime_no_cut_before_append));
	case DISK_BASE:
		set_base(disk, record->snapshot, record->data);
		return true;
	}
	return false;
}

/* Begins the list of records anew with what is known, as a log does whose old segments go. */
static void rewrite(struct disk *disk)
{
	const struct journal *journal = &disk->journal;

	cut_records(disk, 0);
	add_base(disk, &disk->snapshot, disk->state);
	add_hard_state(disk, &disk->hard);
	for (uint64_t i = journal->base + 1; i <= journal_last(journal); i++) {
		const struct journal_entry *entry = journal_at(journal, i);

		add_record(disk, DISK_ENTRY, i, entry->term, entry->type, entry->data);
	}
	disk->synced = disk->record_count;
}

void disk_format(struct disk *disk, const struct raft_snapshot *snapshot, struct raft_bytes *state)
{
	disk->hard = (struct raft_hard_state){.term = snapshot->term, .commit = snapshot->index};
	set_base(disk, snapshot, state);
	journal_reset(&disk->journal, snapshot, JOURNAL_CHAIN_FIRST);
	rewrite(disk);
}

void disk_queue(struct disk *disk, struct disk_batch *batch)
{
	batch->next = NULL;
	if (disk->last)
		disk->last->next = batch;
	else
		disk->first = batch;
	disk->last = batch;
}

static bool take_chunk(struct disk *disk, const struct raft_chunk_in *chunk)
{
	const uint32_t size = chunk->data ? chunk->data->size : 0;

	if (!chunk->offset)
		disk->incoming_size = 0;
	if (chunk->offset != disk->incoming_size)
		return false;
	disk->incoming = realloc(disk->incoming, disk->incoming_size + size + 1);
	if (!disk->incoming)
		abort();
	if (size)
		memcpy(disk->incoming + disk->incoming_size, chunk->data->data, size);
	disk->incoming_size += size;
	return true;
}

/* The log's records of a batch, in order. */
static void add_records(struct disk *disk, const struct raft_effects *effects)
{
	const bool swapped = sim_mutated(SIM_runtime_entries_before_hard_state);

	if (effects->has_hard_state && !swapped)
		add_hard_state(disk, &effects->hard_state);
	for (size_t i = 0; i < effects->entry_count; i++)
		add_record(disk, DISK_ENTRY, effects->entries[i].index, effects->entries[i].term,
			   effects->entries[i].type, effects->entries[i].data);
	if (effects->has_hard_state && swapped)
		add_hard_state(disk, &effects->hard_state);
}

static bool replay_new(struct disk *disk)
{
	bool fits = true;

	while (disk->synced < disk->record_count)
		fits = replay(disk, &disk->records[disk->synced++]) && fits;
	return fits;
}

/* The whole file takes the place of the log and the old snapshot. */
static const char *install(struct disk *disk, const struct raft_snapshot *snapshot)
{
	struct raft_bytes *state;

	if (disk->incoming_size != snapshot->size)
		return "a snapshot was installed whose chunks are not whole";
	state = raft_bytes_new(disk->incoming, disk->incoming_size);
	if (!state)
		abort();
	set_base(disk, snapshot, state);
	raft_bytes_release(state);
	if (!sim_mutated(SIM_runtime_install_keeps_log))
		journal_reset(&disk->journal, snapshot, 0);
	rewrite(disk);
	disk->incoming_size = 0;
	return NULL;
}

static void keep_snapshot(struct disk *disk, const struct disk_batch *batch)
{
	if (batch->snapshot.index <= disk->snapshot.index)
		return; /* a newer one was installed meanwhile */
	set_base(disk, &batch->snapshot, batch->state);
	journal_compact(&disk->journal, &batch->snapshot);
	rewrite(disk);
}

static const char *write_effects(struct disk *disk, const struct raft_effects *effects)
{
	add_records(disk, effects);
	for (size_t i = 0; i < effects->chunk_count; i++)
		if (!take_chunk(disk, &effects->chunks[i]))
			return "a chunk does not follow the one before";
	if (!replay_new(disk))
		return "entries to append leave a gap, or rewrite what a snapshot stands for";
	return effects->has_install ? install(disk, &effects->install) : NULL;
}

struct disk_batch *disk_write(struct disk *disk, const char **problem)
{
	struct disk_batch *batch = disk->first;

	assert(batch && !disk->is_full);
	*problem = NULL;
	disk->first = batch->next;
	if (!disk->first)
		disk->last = NULL;
	if (batch->is_snapshot)
		keep_snapshot(disk, batch);
	else if (!sim_mutated(SIM_runtime_lost_fsync))
		*problem = write_effects(disk, &batch->effects);
	if (!*problem)
		return batch;
	disk_batch_free(batch);
	return NULL;
}

void disk_crash(struct disk *disk, struct sim_random *random, struct sim_coverage *coverage)
{
	size_t survive;

	/* A snapshot is written beside and renamed: it is there as a whole or not at all, and what
	 * is installed needs its chunks. Neither survives half done. */
	for (struct disk_batch *batch = disk->first; batch; batch = batch->next) {
		if (batch->is_snapshot)
			continue;
		add_records(disk, &batch->effects);
		if (batch->effects.has_install)
			break;
	}
	drop_queue(disk);
	disk->incoming_size = 0;
	disk->is_full = false;
	survive = disk->synced + sim_random_below(random, disk->record_count - disk->synced + 1);
	coverage->crashes_lost_records += survive < disk->record_count;
	if (survive < disk->record_count && sim_random_chance(random, TORN_PER_MILLE))
		disk->records[survive++].checksum ^= 1; /* the first part of it was written */
	cut_records(disk, survive);
	if (survive > disk->synced && sim_random_chance(random, FLIP_PER_MILLE)) {
		size_t which = (size_t)sim_random_between(random, disk->synced, survive - 1);

		disk->records[which].words[0] ^= UINT64_C(1) << sim_random_below(random, 40);
	}
}

void disk_damage(struct disk *disk, struct sim_random *random)
{
	const size_t record = (size_t)sim_random_below(random, disk->synced);
	const size_t word = (size_t)sim_random_below(random, 3);

	disk->is_damaged = disk->synced > 0;
	if (disk->is_damaged)
		disk->records[record].words[word] ^= 1;
}

/* Of the records, those before the first that is damaged; as a member without a disk's memory of
 * what was synced could tell from where it lies, -EBADMSG if that was synced. */
static int verify(struct disk *disk, struct sim_coverage *coverage)
{
	size_t good = 0;
	bool torn;

	while (good < disk->record_count &&
	       disk->records[good].checksum == checksum_of(&disk->records[good]))
		good++;
	if (good == disk->record_count)
		return 0;
	if (good < disk->synced && !sim_mutated(SIM_runtime_damage_cut))
		return -EBADMSG;
	torn = good + 1 == disk->record_count &&
	       disk->records[good].checksum == (checksum_of(&disk->records[good]) ^ 1);
	coverage->torn_tails_cut += torn;
	coverage->flipped_tails_cut += !torn;
	if (sim_mutated(SIM_runtime_torn_tail_kept)) {
		disk->records[good].words[1] /= 2; /* its second half never came */
		disk->records[good].checksum = checksum_of(&disk->records[good]);
		return verify(disk, coverage);
	}
	cut_records(disk, good);
	return 0;
}

int disk_open(struct disk *disk, struct sim_coverage *coverage)
{
	int err = verify(disk, coverage);

	if (err)
		return err;
	disk->synced = 0;
	memset(&disk->hard, 0, sizeof(disk->hard));
	journal_reset(&disk->journal, &disk->snapshot, disk->journal.base_chain);
	if (!replay_new(disk))
		return -EINVAL;
	if (sim_mutated(SIM_runtime_vote_not_restored))
		disk->hard.vote = 0;
	return 0;
}
