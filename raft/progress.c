/* SPDX-License-Identifier: BSD-2-Clause */
#include "progress.h"

#include "mutation.h"

#include <assert.h>

void inflights_clear(struct inflights *inflights)
{
	inflights->start = 0;
	inflights->count = 0;
	inflights->bytes = 0;
}

bool inflights_full(const struct inflights *inflights)
{
	return inflights->count == inflights->capacity;
}

void inflights_add(struct inflights *inflights, uint64_t last, uint32_t bytes)
{
	if (RAFT_MUTATION(inflight_unbounded) && inflights_full(inflights))
		return;
	assert(!inflights_full(inflights));
	uint32_t at = (inflights->start + inflights->count++) % inflights->capacity;
	inflights->ring[at] = (struct inflight){.last = last, .bytes = bytes};
	inflights->bytes += bytes;
}

void inflights_free(struct inflights *inflights, uint64_t index)
{
	while (inflights->count && inflights->ring[inflights->start].last <= index) {
		inflights->bytes -= inflights->ring[inflights->start].bytes;
		inflights->start = (inflights->start + 1) % inflights->capacity;
		inflights->count--;
	}
}

static void enter(struct progress *progress, enum progress_state state)
{
	progress->state = state;
	progress->paused = false;
	progress->poke = false;
	inflights_clear(&progress->inflights);
}

void progress_start(struct progress *progress, uint64_t id, uint64_t next)
{
	struct inflights inflights = progress->inflights;

	assert(next > 0);
	*progress = (struct progress){.id = id, .next = next, .active = true};
	progress->inflights = inflights;
	enter(progress, PROGRESS_PROBE);
}

void progress_to_probe(struct progress *progress, uint64_t next)
{
	enter(progress, PROGRESS_PROBE);
	progress->next = next > progress->match ? next : progress->match + 1;
	progress->commit_sent = 0;
}

void progress_to_replicate(struct progress *progress)
{
	enter(progress, PROGRESS_REPLICATE);
	progress->next = progress->match + 1;
}

void progress_to_snapshot(struct progress *progress)
{
	enter(progress, PROGRESS_SNAPSHOT);
	progress->phase = SNAPSHOT_WANT;
	progress->snapshot_index = 0;
	progress->snapshot_size = 0;
	progress->offset = 0;
}

bool progress_accept(struct progress *progress, uint64_t index)
{
	bool news = index > progress->match;

	if (news) {
		progress->match = index;
		progress->paused = false;
	}
	if (progress->next <= index)
		progress->next = index + 1;
	inflights_free(&progress->inflights, index);
	return news;
}

bool progress_refuse(struct progress *progress, uint64_t refused, uint64_t hint)
{
	switch (progress->state) {
	case PROGRESS_SNAPSHOT:
		return false;
	case PROGRESS_REPLICATE:
		if (refused <= progress->match || refused >= progress->next)
			return false;
		break;
	case PROGRESS_PROBE:
		if (refused <= progress->match || refused != progress->next - 1)
			return false;
		break;
	}
	/* What is refused needs an earlier start, however hopeful the hint is. */
	progress_to_probe(progress, hint < refused ? hint + 1 : refused);
	return true;
}
