/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk_folder.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

static int take_lock(struct disk_folder *f, struct raft_error *error)
{
	int err;

	f->lock = f->io.open(f->io.context, f->handle, "LOCK", DISK_IO_CREATE);
	if (f->lock < 0)
		return raft_error_set(error, f->lock, "%s/LOCK: %s", f->path, strerror(-f->lock));
	err = f->io.lock(f->io.context, f->lock);
	if (err == -EWOULDBLOCK)
		return raft_error_set(
		    error, err, "%s: another process has it open; stop that one first", f->path);
	if (err)
		return raft_error_set(error, err, "%s/LOCK: %s", f->path, strerror(-err));
	return 0;
}

int folder_open(struct disk_folder *f, const char *path, const struct disk_io *io,
		const struct disk_keyring *ring, struct raft_error *error)
{
	int err;

	memset(f, 0, sizeof(*f));
	f->io = *io;
	f->handle = f->lock = -1;
	if (strlen(path) >= sizeof(f->path))
		return raft_error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
	strcpy(f->path, path);
	err = disk_keyring_check(ring);
	if (err)
		return raft_error_set(
		    error, err, "%s: the keyring has no active key, or an id of 0 or twice", path);
	f->handle = io->open_folder(io->context, path);
	if (f->handle < 0)
		return raft_error_set(error, f->handle, "%s: %s", path, strerror(-f->handle));
	err = take_lock(f, error);
	if (err) {
		folder_close_file(f, &f->lock);
		folder_close_file(f, &f->handle);
		return err;
	}
	f->ring = *ring;
	pthread_mutex_init(&f->mutex, NULL);
	return 0;
}

void folder_close(struct disk_folder *f)
{
	folder_close_file(f, &f->handle);
	folder_close_file(f, &f->lock);
	OPENSSL_cleanse(&f->ring, sizeof(f->ring));
	pthread_mutex_destroy(&f->mutex);
}

int folder_check(struct disk_folder *f, struct raft_error *error)
{
	if (!f->failed)
		return 0;
	pthread_mutex_lock(&f->mutex);
	raft_error_set(error, -EIO,
		       "%s: the disk failed (%s) and is not trusted any more; check it, then start "
		       "this manager again",
		       f->path, f->failure);
	pthread_mutex_unlock(&f->mutex);
	return -EIO;
}

int folder_key(struct disk_folder *f, uint32_t id, struct disk_key *key)
{
	const struct disk_key *found;

	pthread_mutex_lock(&f->mutex);
	found = disk_keyring_find(&f->ring, id ? id : f->ring.active);
	if (found)
		*key = *found;
	pthread_mutex_unlock(&f->mutex);
	return found ? 0 : -ENOKEY;
}

/* Sorts a failed call into full (which may end) and failed (which does not). */
static int failed(struct disk_folder *f, int err, const char *what, const char *name)
{
	if (err == -ENOSPC || err == -EDQUOT)
		return -ENOSPC;
	pthread_mutex_lock(&f->mutex);
	if (!f->failed)
		snprintf(f->failure, sizeof(f->failure), "%s of %s: %s", what, name,
			 strerror(-err));
	f->failed = true;
	pthread_mutex_unlock(&f->mutex);
	return -EIO;
}

int folder_open_file(struct disk_folder *f, const char *name, int how)
{
	int handle;

	if (how != DISK_IO_READ && f->failed)
		return -EIO;
	handle = f->io.open(f->io.context, f->handle, name, how);
	if (handle < 0 && how != DISK_IO_READ && handle != -EMFILE && handle != -ENFILE &&
	    handle != -ENOMEM)
		return failed(f, handle, "open", name);
	return handle;
}

void folder_close_file(struct disk_folder *f, int *handle)
{
	if (*handle >= 0)
		f->io.close(f->io.context, *handle);
	*handle = -1;
}

int folder_write(struct disk_folder *f, int handle, const char *name, const void *from, size_t size,
		 uint64_t offset)
{
	const uint8_t *at = from;

	if (f->failed)
		return -EIO;
	while (size) {
		ssize_t put = f->io.pwrite(f->io.context, handle, at, size, offset);

		if (put == -EINTR)
			continue;
		if (put <= 0)
			return failed(f, put ? (int)put : -EIO, "write", name);
		at += put;
		size -= (size_t)put;
		offset += (uint64_t)put;
	}
	return 0;
}

int folder_read(struct disk_folder *f, int handle, void *to, size_t size, uint64_t offset,
		size_t *got)
{
	size_t done = 0;

	while (done < size) {
		ssize_t part = f->io.pread(f->io.context, handle, (uint8_t *)to + done, size - done,
					   offset + done);

		if (part == -EINTR)
			continue;
		if (part < 0)
			return (int)part;
		if (part == 0)
			break;
		done += (size_t)part;
	}
	*got = done;
	return 0;
}

int folder_allocate(struct disk_folder *f, int handle, const char *name, uint64_t size)
{
	int err;

	if (f->failed)
		return -EIO;
	do
		err = f->io.allocate(f->io.context, handle, size);
	while (err == -EINTR);
	if (err == -EOPNOTSUPP || err == -ENOSYS) /* then a full disk shows later, in a write */
		return 0;
	return err ? failed(f, err, "allocation", name) : 0;
}

int folder_sync(struct disk_folder *f, int handle, const char *name)
{
	int err;

	if (f->failed)
		return -EIO;
	err = f->io.sync(f->io.context, handle);
	/* Even for lack of room: what of it is on disk is not known. */
	return err ? failed(f, -EIO, err == -ENOSPC ? "sync (no room)" : "sync", name) : 0;
}

static int sync_folder(struct disk_folder *f)
{
	bool unsettled = atomic_exchange(&f->unsettled, false);
	int err = f->io.sync_folder(f->io.context, f->handle);

	if (err && unsettled)
		f->unsettled = true;
	return err ? failed(f, -EIO, "sync", "the folder") : 0;
}

int folder_rename(struct disk_folder *f, const char *from, const char *to)
{
	int err;

	if (f->failed)
		return -EIO;
	err = f->io.rename(f->io.context, f->handle, from, to);
	return err ? failed(f, err, "rename", from) : sync_folder(f);
}

void folder_unlink(struct disk_folder *f, const char *name)
{
	if (f->failed)
		return;
	f->io.unlink(f->io.context, f->handle, name);
	f->unsettled = true;
}

int folder_settle(struct disk_folder *f)
{
	if (f->failed)
		return -EIO;
	return f->unsettled ? sync_folder(f) : 0;
}
