/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "disk_internal.h"

#define CURE                                                                                       \
	"; the log cannot be trusted: remove this manager from the cluster and join it again, or " \
	"restore a backup if it is the only one"

struct found_segment {
	uint64_t number;
	uint64_t size;
	struct segment_header header;
};

struct found_snapshot {
	uint64_t index, term;
};

/* What the folder holds, by its names. */
struct listing {
	struct disk *d;
	struct found_segment *segments;
	size_t segment_count, segment_room;
	struct found_snapshot *snapshots;
	size_t snapshot_count, snapshot_room;
	bool reserve, temporaries;
};

static int grow(void **array, size_t count, size_t *room, size_t size)
{
	size_t more_room = *room ? 2 * *room : 16;
	void *more;

	if (count < *room)
		return 0;
	if (count >= DISK_SEGMENTS_MAX)
		return -E2BIG;
	more = reallocarray(*array, more_room, size);
	if (!more)
		return -ENOMEM;
	*array = more;
	*room = more_room;
	return 0;
}

static int list_name(void *argument, const char *name)
{
	struct listing *l = argument;
	uint64_t number, term;
	int err;

	if (wal_parse_name(name, &number)) {
		err = grow((void **)&l->segments, l->segment_count, &l->segment_room,
			   sizeof(*l->segments));
		if (err == 0)
			l->segments[l->segment_count++] = (struct found_segment){.number = number};
		return err;
	}
	if (snapshot_parse_name(name, &number, &term)) {
		err = grow((void **)&l->snapshots, l->snapshot_count, &l->snapshot_room,
			   sizeof(*l->snapshots));
		if (err == 0)
			l->snapshots[l->snapshot_count++] = (struct found_snapshot){number, term};
		return err;
	}
	if (strcmp(name, "reserve") == 0)
		l->reserve = true;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct found_segment *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int fault(const struct disk *d, uint64_t number, uint64_t position, const char *why,
		 struct raft_error *error)
{
	char name[DISK_NAME_MAX];

	wal_name(number, name);
	return raft_error_set(error, -EBADMSG, "%s/%s, offset %" PRIu64 ": %s" CURE, d->folder.path,
			      name, position, why);
}

static int call_failed(const struct disk *d, uint64_t number, int err, struct raft_error *error)
{
	char name[DISK_NAME_MAX];

	wal_name(number, name);
	return raft_error_set(error, err, "%s/%s: %s", d->folder.path, name, strerror(-err));
}

/* Reads size bytes from the segment's start. */
static int read_segment(struct disk *d, uint64_t number, uint8_t *to, size_t size, size_t *got,
			uint64_t *file_size, struct raft_error *error)
{
	char name[DISK_NAME_MAX];
	int handle, err;

	wal_name(number, name);
	handle = folder_open_file(&d->folder, name, DISK_IO_READ);
	if (handle < 0)
		return call_failed(d, number, handle, error);
	err = d->folder.io.size(d->folder.io.context, handle, file_size);
	if (err == 0)
		err = folder_read(&d->folder, handle, to, size, 0, got);
	folder_close_file(&d->folder, &handle);
	return err ? call_failed(d, number, err, error) : 0;
}

static int read_header(struct disk *d, struct found_segment *s, struct raft_error *error)
{
	uint8_t bytes[SEGMENT_HEADER_SIZE];
	size_t got;
	int err = read_segment(d, s->number, bytes, sizeof(bytes), &got, &s->size, error);

	if (err)
		return err;
	if (segment_header_decode(bytes, got, &s->header) || s->header.number != s->number)
		return fault(d, s->number, 0, "the header is damaged", error);
	if (s->size > DISK_SEGMENT_SIZE_MAX)
		return fault(d, s->number, s->size, "it is larger than a segment can be", error);
	return 0;
}

static int open_seal(struct disk *d, const struct found_segment *s, const uint8_t *bytes,
		     struct seal **out, struct raft_error *error)
{
	char name[DISK_NAME_MAX];
	struct disk_key key;
	int err;

	wal_name(s->number, name);
	if (folder_key(&d->folder, s->header.key_id, &key))
		return raft_error_set(
		    error, -ENOKEY, "%s/%s is sealed with key %" PRIu32 ", which the keyring lacks",
		    d->folder.path, name, s->header.key_id);
	err = seal_new(&key, SEAL_WAL, s->header.salt, out);
	OPENSSL_cleanse(&key, sizeof(key));
	if (err)
		return call_failed(d, s->number, err, error);
	if (segment_header_verify(&s->header, *out, bytes))
		return raft_error_set(error, -EKEYREJECTED,
				      "%s/%s does not open with key %" PRIu32
				      ": it is another key of that id, or the file was tampered "
				      "with",
				      d->folder.path, name, s->header.key_id);
	return 0;
}

/* One segment, of which bytes has all. next: the one after it, NULL for the last. */
static int replay_one(struct disk *d, const struct found_segment *s, uint8_t *bytes, size_t size,
		      const struct found_segment *next, bool first, struct replay *replay,
		      struct segment_end *end, struct raft_error *error)
{
	struct seal *seal = NULL;
	const char *why = "";
	uint64_t position = 0;
	int err = open_seal(d, s, bytes, &seal, error);

	if (err == 0) {
		err = segment_replay(bytes, size, &s->header, seal,
				     next ? next->header.previous_end : 0, first, replay, end, &why,
				     &position);
		if (err == -EBADMSG)
			fault(d, s->number, position, why, error);
		else if (err)
			call_failed(d, s->number, err, error);
	}
	seal_free(seal);
	if (err == 0 && next && memcmp(end->tag, next->header.previous_tag, DISK_TAG_SIZE))
		return fault(d, next->number, 0, "it does not continue the segment before it",
			     error);
	if (err == 0 && end->successor)
		return fault(d, s->number + 1, 0, "this segment is missing", error);
	return err;
}

static int replay_segment(struct disk *d, const struct found_segment *s,
			  const struct found_segment *next, bool first, struct replay *replay,
			  struct segment_end *end, struct raft_error *error)
{
	uint8_t *bytes = malloc(s->size);
	struct wal_segment known = {.number = s->number, .key_id = s->header.key_id};
	uint64_t file_size;
	size_t got;
	int err;

	if (!bytes)
		return call_failed(d, s->number, -ENOMEM, error);
	err = read_segment(d, s->number, bytes, s->size, &got, &file_size, error);
	if (err == 0)
		err = replay_one(d, s, bytes, got, next, first, replay, end, error);
	OPENSSL_cleanse(bytes, s->size);
	free(bytes);
	if (err)
		return err;
	known.base_last = end->base_last;
	err = wal_add_segment(&d->wal, &known);
	return err ? call_failed(d, s->number, err, error) : 0;
}

/* The segments that end with the newest without a gap; older ones were on their way out. */
static size_t first_of_run(const struct listing *l)
{
	size_t i = l->segment_count - 1;

	while (i > 0 && l->segments[i - 1].number == l->segments[i].number - 1)
		i--;
	return i;
}

static int replay_segments(struct listing *l, size_t from, struct replay *replay,
			   struct raft_error *error)
{
	struct disk *d = l->d;
	struct segment_end end = {0};
	const char *why = "";
	int err = 0;

	for (size_t i = from; i < l->segment_count && err == 0; i++)
		err = read_header(d, &l->segments[i], error);
	for (size_t i = from; i < l->segment_count && err == 0; i++)
		err = replay_segment(d, &l->segments[i],
				     i + 1 < l->segment_count ? &l->segments[i + 1] : NULL,
				     i == from, replay, &end, error);
	if (err)
		return err;
	if (replay_finish(replay, &why))
		return fault(d, l->segments[from].number - (l->segments[from].number > 1), 0,
			     "this segment, or what is in it, is missing", error);
	d->torn = end.torn;
	d->wal.end = end.position;
	memcpy(d->wal.tag, end.tag, DISK_TAG_SIZE);
	return 0;
}

static void set_state(struct disk *d, const struct replay *r)
{
	d->wal.state = (struct wal_state){
	    .hard_state = r->hard_state,
	    .mark_index = r->mark_index,
	    .mark_term = r->mark_term,
	    .last = replay_last(r),
	    .last_term = r->count ? r->entries[r->count - 1].term : r->mark_term,
	};
}

static int check_snapshot(struct disk *d, const struct replay *r, struct raft_snapshot *snapshot,
			  struct raft_error *error)
{
	struct snapshot_reader *reader;
	char name[DISK_NAME_MAX];
	int err;

	memset(snapshot, 0, sizeof(*snapshot));
	if (r->mark_index == 0)
		return 0;
	snapshot_name(r->mark_index, r->mark_term, name);
	err = snapshot_reader_open(&d->folder, name, &reader, error);
	if (err == -ENOENT || err == -EBADMSG) {
		struct raft_error why = {0};

		if (error)
			why = *error;
		return raft_error_set(error, -EBADMSG, "%.400s" CURE, why.text);
	}
	if (err)
		return err;
	*snapshot = *snapshot_reader_snapshot(reader);
	if (snapshot->index != r->mark_index || snapshot->term != r->mark_term)
		err =
		    raft_error_set(error, -EBADMSG, "%s/%s, offset 0: it is another snapshot" CURE,
				   d->folder.path, name);
	else
		err = snapshots_add(&d->snapshots, snapshot, snapshot_reader_key(reader));
	snapshot_reader_close(reader);
	if (err == 0)
		snapshots_force(&d->snapshots, snapshot->index, snapshot->term);
	return err;
}

/* After all was found good. */
static int remove_temporary(void *argument, const char *name)
{
	struct disk *d = argument;
	size_t length = strlen(name);

	if (length > 4 && strcmp(name + length - 4, ".tmp") == 0)
		folder_unlink(&d->folder, name);
	return 0;
}

static void remove_leftovers(struct listing *l, size_t from)
{
	struct disk *d = l->d;
	char name[DISK_NAME_MAX];

	for (size_t i = 0; i < from; i++) {
		wal_name(l->segments[i].number, name);
		folder_unlink(&d->folder, name);
	}
	for (size_t i = 0; i < l->snapshot_count; i++) {
		const struct found_snapshot *s = &l->snapshots[i];

		if (s->index == d->wal.state.mark_index && s->term == d->wal.state.mark_term)
			continue;
		snapshot_name(s->index, s->term, name);
		folder_unlink(&d->folder, name);
	}
	wal_compact(&d->wal);
	d->folder.io.list(d->folder.io.context, d->folder.handle, remove_temporary, d);
}

static int recover_listed(struct listing *l, struct replay *replay, struct raft_snapshot *snapshot,
			  struct raft_error *error)
{
	struct disk *d = l->d;
	size_t from = 0;
	int err = 0;

	if (l->segment_count == 0 && l->snapshot_count)
		return raft_error_set(error, -EBADMSG, "%s: there are snapshots, but no log" CURE,
				      d->folder.path);
	if (l->segment_count) {
		qsort(l->segments, l->segment_count, sizeof(*l->segments), by_number);
		from = first_of_run(l);
		err = replay_segments(l, from, replay, error);
	}
	if (err == 0)
		err = check_snapshot(d, replay, snapshot, error);
	if (err)
		return err;
	set_state(d, replay);
	d->wal.reserve = l->reserve;
	remove_leftovers(l, from);
	return 0;
}

int disk_recover(struct disk *d, struct replay *replay, struct raft_snapshot *snapshot,
		 struct raft_error *error)
{
	struct disk_io *io = &d->folder.io;
	struct listing l = {.d = d};
	int err = io->list(io->context, d->folder.handle, list_name, &l);

	if (err)
		raft_error_set(error, err, "%s: %s", d->folder.path, strerror(-err));
	else
		err = recover_listed(&l, replay, snapshot, error);
	free(l.segments);
	free(l.snapshots);
	return err;
}
