/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_disk.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDER = 1000, SECTOR = 512 };

static uint64_t draw(struct fake_disk *d)
{
	d->random ^= d->random << 13;
	d->random ^= d->random >> 7;
	d->random ^= d->random << 17;
	return d->random;
}

void fake_resize(struct fake_bytes *b, uint64_t size)
{
	if (size > b->room) {
		b->room = size + size / 2 + 4096;
		b->data = realloc(b->data, b->room);
		assert(b->data);
	}
	if (size > b->size)
		memset(b->data + b->size, 0, size - b->size);
	b->size = size;
}

static void copy_bytes(const struct fake_bytes *from, struct fake_bytes *to)
{
	fake_resize(to, from->size);
	if (from->size)
		memcpy(to->data, from->data, from->size);
}

static struct fake_name *lookup(struct fake_name *names, const char *name)
{
	for (int i = 0; i < FAKE_FILES_MAX; i++)
		if (names[i].file >= 0 && strcmp(names[i].name, name) == 0)
			return &names[i];
	return NULL;
}

static void set_name(struct fake_name *names, const char *name, int file)
{
	struct fake_name *n = lookup(names, name);

	for (int i = 0; i < FAKE_FILES_MAX && !n; i++)
		if (names[i].file < 0)
			n = &names[i];
	assert(n);
	snprintf(n->name, sizeof(n->name), "%s", name);
	n->file = file;
}

static void change_name(struct fake_disk *d, const char *from, const char *to, int file)
{
	assert(d->pending_count < FAKE_PENDING_MAX);
	snprintf(d->pending[d->pending_count].from, 64, "%s", from);
	snprintf(d->pending[d->pending_count].to, 64, "%s", to);
	d->pending[d->pending_count++].file = file;
}

static void apply_name(struct fake_name *names, const char *from, const char *to, int file)
{
	struct fake_name *n = *from ? lookup(names, from) : NULL;

	if (n)
		n->file = -1;
	if (*to)
		set_name(names, to, file);
}

/* Each call that changes something. 0: go on. */
static int enter(struct fake_disk *d, unsigned int kind)
{
	if (d->stopped)
		return -EIO;
	d->calls++;
	if (d->calls == d->stop_at) {
		d->stopped = true;
		return -EIO;
	}
	if (d->calls == d->fail_at && (d->fail_mask & kind)) {
		d->failed = true;
		return d->fail_error;
	}
	return 0;
}

static int fake_open_folder(void *context, const char *path)
{
	(void)context;
	(void)path;
	return FOLDER;
}

static int new_handle(struct fake_disk *d, int file)
{
	for (int i = 0; i < FAKE_HANDLES_MAX; i++) {
		if (d->handles[i].used)
			continue;
		d->handles[i].used = true;
		d->handles[i].file = file;
		return i;
	}
	return -EMFILE;
}

static int fake_open(void *context, int folder, const char *name, int how)
{
	struct fake_disk *d = context;
	struct fake_name *n = lookup(d->names, name);
	int err;

	assert(folder == FOLDER);
	if (how == DISK_IO_READ)
		return n ? new_handle(d, n->file) : -ENOENT;
	err = enter(d, FAKE_OPEN);
	if (err)
		return err;
	if (n && how == DISK_IO_MAKE_ANEW)
		fake_resize(&d->files[n->file].now, 0);
	if (!n) {
		assert(d->file_count < FAKE_FILES_MAX);
		set_name(d->names, name, d->file_count);
		change_name(d, "", name, d->file_count++);
		n = lookup(d->names, name);
	}
	return new_handle(d, n->file);
}

static void fake_close(void *context, int handle)
{
	struct fake_disk *d = context;

	if (handle == FOLDER)
		return;
	assert(handle >= 0 && handle < FAKE_HANDLES_MAX && d->handles[handle].used);
	d->handles[handle].used = false;
	if (d->locked == handle)
		d->locked = -1;
}

static int fake_lock(void *context, int handle)
{
	struct fake_disk *d = context;

	if (d->locked >= 0)
		return -EWOULDBLOCK;
	d->locked = handle;
	return 0;
}

static struct fake_bytes *bytes_of(struct fake_disk *d, int handle)
{
	assert(handle >= 0 && handle < FAKE_HANDLES_MAX && d->handles[handle].used);
	return &d->files[d->handles[handle].file].now;
}

static ssize_t fake_pread(void *context, int handle, void *to, size_t size, uint64_t offset)
{
	struct fake_bytes *b = bytes_of(context, handle);

	if (offset >= b->size)
		return 0;
	if (size > b->size - offset)
		size = b->size - offset;
	memcpy(to, b->data + offset, size);
	return (ssize_t)size;
}

static void put(struct fake_bytes *b, const void *from, size_t size, uint64_t offset)
{
	if (offset + size > b->size)
		fake_resize(b, offset + size);
	if (size)
		memcpy(b->data + offset, from, size);
}

uint64_t fake_used(const struct fake_disk *d)
{
	uint64_t used = 0;

	for (int i = 0; i < FAKE_FILES_MAX; i++)
		if (d->names[i].file >= 0)
			used += d->files[d->names[i].file].now.size;
	return used;
}

static bool no_room(const struct fake_disk *d, const struct fake_bytes *b, uint64_t size)
{
	if (size <= b->size)
		return false;
	return d->full || (d->capacity && fake_used(d) + size - b->size > d->capacity);
}

/* And keeps a segment from being written where it was before, even if it was cut since. */
static void put_once(struct fake_disk *d, int handle, const void *from, size_t size,
		     uint64_t offset)
{
	int file = d->handles[handle].file;

	for (int i = 0; i < FAKE_FILES_MAX; i++)
		if (d->names[i].file == file && strstr(d->names[i].name, ".wal"))
			assert(offset >= d->files[file].written);
	put(&d->files[file].now, from, size, offset);
	if (offset + size > d->files[file].written)
		d->files[file].written = offset + size;
}

static ssize_t fake_pwrite(void *context, int handle, const void *from, size_t size,
			   uint64_t offset)
{
	struct fake_disk *d = context;
	struct fake_bytes *b = bytes_of(d, handle);
	int err = enter(d, FAKE_WRITE);

	if (err == 0 && no_room(d, b, offset + size))
		err = -ENOSPC;
	if (err) {
		/* Some of it may be there; never all. */
		if (d->stopped ? d->calls == d->stop_at : true)
			put_once(d, handle, from, draw(d) % size, offset);
		return err;
	}
	if (d->short_writes && size > 1)
		size = 1 + draw(d) % (size - 1);
	put_once(d, handle, from, size, offset);
	return (ssize_t)size;
}

static int fake_allocate(void *context, int handle, uint64_t size)
{
	struct fake_disk *d = context;
	struct fake_bytes *b = bytes_of(d, handle);
	int err = enter(d, FAKE_ALLOCATE);

	if (err)
		return err;
	if (d->no_allocate)
		return -EOPNOTSUPP;
	if (no_room(d, b, size))
		return -ENOSPC;
	if (size > b->size)
		fake_resize(b, size);
	return 0;
}

static int fake_truncate(void *context, int handle, uint64_t size)
{
	struct fake_disk *d = context;
	int err = enter(d, FAKE_OTHER);

	if (err == 0)
		fake_resize(bytes_of(d, handle), size);
	return err;
}

static int fake_size(void *context, int handle, uint64_t *size)
{
	*size = bytes_of(context, handle)->size;
	return 0;
}

static int fake_sync(void *context, int handle)
{
	struct fake_disk *d = context;
	int err = enter(d, FAKE_SYNC);

	if (err)
		return err;
	d->syncs++;
	copy_bytes(bytes_of(d, handle), &d->files[d->handles[handle].file].lasting);
	return 0;
}

static int fake_sync_folder(void *context, int folder)
{
	struct fake_disk *d = context;
	int err = enter(d, FAKE_SYNC_FOLDER);

	assert(folder == FOLDER);
	if (err)
		return err;
	memcpy(d->lasting_names, d->names, sizeof(d->names));
	d->pending_count = 0;
	return 0;
}

static int fake_rename(void *context, int folder, const char *from, const char *to)
{
	struct fake_disk *d = context;
	struct fake_name *n = lookup(d->names, from);
	int err = enter(d, FAKE_RENAME), file;

	assert(folder == FOLDER);
	if (err)
		return err;
	if (!n)
		return -ENOENT;
	file = n->file;
	apply_name(d->names, from, to, file);
	change_name(d, from, to, file);
	return 0;
}

static int fake_unlink(void *context, int folder, const char *name)
{
	struct fake_disk *d = context;
	int err = enter(d, FAKE_OTHER);

	assert(folder == FOLDER);
	if (err)
		return err;
	if (!lookup(d->names, name))
		return -ENOENT;
	apply_name(d->names, name, "", -1);
	change_name(d, name, "", -1);
	return 0;
}

static int fake_list(void *context, int folder, int (*each)(void *argument, const char *name),
		     void *argument)
{
	struct fake_disk *d = context;
	int err = 0;

	assert(folder == FOLDER);
	for (int i = 0; i < FAKE_FILES_MAX && err == 0; i++)
		if (d->names[i].file >= 0)
			err = each(argument, d->names[i].name);
	return err;
}

static int fake_random(void *context, void *to, size_t size)
{
	uint8_t *at = to;

	while (size--)
		*at++ = (uint8_t)draw(context);
	return 0;
}

void fake_init(struct fake_disk *d, uint64_t seed)
{
	memset(d, 0, sizeof(*d));
	d->random = seed * 0x9e3779b97f4a7c15u | 1;
	d->locked = -1;
	for (int i = 0; i < FAKE_FILES_MAX; i++)
		d->names[i].file = d->lasting_names[i].file = -1;
	d->io = (struct disk_io){.context = d,
				 .open_folder = fake_open_folder,
				 .open = fake_open,
				 .close = fake_close,
				 .lock = fake_lock,
				 .pread = fake_pread,
				 .pwrite = fake_pwrite,
				 .allocate = fake_allocate,
				 .truncate = fake_truncate,
				 .size = fake_size,
				 .sync = fake_sync,
				 .sync_folder = fake_sync_folder,
				 .rename = fake_rename,
				 .unlink = fake_unlink,
				 .list = fake_list,
				 .random = fake_random};
}

void fake_clear(struct fake_disk *d)
{
	for (int i = 0; i < FAKE_FILES_MAX; i++) {
		free(d->files[i].now.data);
		free(d->files[i].lasting.data);
	}
	memset(d, 0, sizeof(*d));
}

void fake_copy(const struct fake_disk *from, struct fake_disk *to)
{
	*to = *from;
	to->io.context = to;
	memset(to->files, 0, sizeof(to->files));
	for (int i = 0; i < from->file_count; i++) {
		copy_bytes(&from->files[i].now, &to->files[i].now);
		copy_bytes(&from->files[i].lasting, &to->files[i].lasting);
	}
}

static void mix_file(struct fake_disk *d, struct fake_bytes *now, struct fake_bytes *lasting)
{
	uint64_t size = draw(d) % 2 ? now->size : lasting->size;
	struct fake_bytes mixed = {0};

	fake_resize(&mixed, size);
	for (uint64_t at = 0; at < size; at += SECTOR) {
		const struct fake_bytes *b = draw(d) % 2 ? now : lasting;
		uint64_t end = at + SECTOR < size ? at + SECTOR : size;

		if (end > b->size)
			end = b->size;
		if (at < end)
			memcpy(mixed.data + at, b->data + at, end - at);
	}
	free(now->data);
	*now = mixed;
}

void fake_reopen(struct fake_disk *d)
{
	memset(d->handles, 0, sizeof(d->handles));
	d->locked = -1;
	d->stopped = d->failed = d->full = false;
	d->stop_at = d->fail_at = d->calls = 0;
}

void fake_restart(struct fake_disk *d, enum fake_fate fate)
{
	for (int i = 0; i < d->file_count; i++) {
		if (fate == FAKE_LOSE)
			copy_bytes(&d->files[i].lasting, &d->files[i].now);
		else if (fate == FAKE_SOME)
			mix_file(d, &d->files[i].now, &d->files[i].lasting);
		copy_bytes(&d->files[i].now, &d->files[i].lasting);
	}
	for (int i = 0; i < d->pending_count; i++)
		if (fate == FAKE_KEEP || (fate == FAKE_SOME && draw(d) % 2))
			apply_name(d->lasting_names, d->pending[i].from, d->pending[i].to,
				   d->pending[i].file);
	memcpy(d->names, d->lasting_names, sizeof(d->names));
	d->pending_count = 0;
	fake_reopen(d);
}

struct fake_bytes *fake_find(struct fake_disk *d, const char *name)
{
	struct fake_name *n = lookup(d->names, name);

	return n ? &d->files[n->file].now : NULL;
}

void fake_remove(struct fake_disk *d, const char *name)
{
	apply_name(d->names, name, "", -1);
	apply_name(d->lasting_names, name, "", -1);
}

int fake_count(const struct fake_disk *d, const char *suffix)
{
	int count = 0;

	for (int i = 0; i < FAKE_FILES_MAX; i++) {
		size_t length = strlen(d->names[i].name), tail = strlen(suffix);

		if (d->names[i].file >= 0 && length >= tail &&
		    strcmp(d->names[i].name + length - tail, suffix) == 0)
			count++;
	}
	return count;
}
