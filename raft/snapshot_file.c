/* SPDX-License-Identifier: BSD-2-Clause */
#include "snapshot_file.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"

static const char magic[8] = {'F', 'L', 'R', 'A', 'F', 'T', 'S', '1'};

/* For offsets alone. */
struct snapshot_layout {
	uint8_t magic[8], crc[4], key_id[4];
	uint8_t index[8], term[8];
	uint8_t size[8], block_size[4], members_size[4];
	uint8_t salt[DISK_SALT_SIZE];
	uint8_t tag[DISK_TAG_SIZE];
	uint8_t members[];
};
_Static_assert(sizeof(struct snapshot_layout) == 96, "drawn in snapshot_file.h");
_Static_assert(offsetof(struct snapshot_layout, salt) == 48, "drawn in snapshot_file.h");

enum {
	CRC_FROM = offsetof(struct snapshot_layout, key_id),
	AAD_SIZE = offsetof(struct snapshot_layout, tag),
	MEMBERS_AT = sizeof(struct snapshot_layout),
	MEMBERS_ROOM = DISK_SNAPSHOT_HEADER_SIZE - MEMBERS_AT,
	SEALED_BLOCK_SIZE = DISK_SNAPSHOT_BLOCK_SIZE + DISK_TAG_SIZE,
};
/* A size beyond this would overflow a file's offsets. */
static const uint64_t state_size_max = INT64_MAX / 2;

void snapshot_name(uint64_t index, uint64_t term, char name[DISK_NAME_MAX])
{
	snprintf(name, DISK_NAME_MAX, "%016" PRIx64 "-%016" PRIx64 ".snapshot", index, term);
}

bool snapshot_parse_name(const char *name, uint64_t *index, uint64_t *term)
{
	char again[DISK_NAME_MAX];
	uint64_t i, t;

	if (strlen(name) >= DISK_NAME_MAX || sscanf(name, "%16" SCNx64 "-%16" SCNx64, &i, &t) != 2)
		return false;
	snapshot_name(i, t, again);
	if (strcmp(name, again))
		return false;
	*index = i;
	*term = t;
	return true;
}

static uint64_t block_offset(uint64_t block)
{
	return DISK_SNAPSHOT_HEADER_SIZE + block * SEALED_BLOCK_SIZE;
}

uint64_t snapshot_file_size(uint64_t state_size)
{
	uint64_t blocks = (state_size + DISK_SNAPSHOT_BLOCK_SIZE - 1) / DISK_SNAPSHOT_BLOCK_SIZE;

	return DISK_SNAPSHOT_HEADER_SIZE + state_size + blocks * DISK_TAG_SIZE;
}

static void make_header_aad(const uint8_t *header, uint8_t aad[AAD_SIZE])
{
	memcpy(aad, header, AAD_SIZE);
	memset(aad + offsetof(struct snapshot_layout, crc), 0, 4);
}

int snapshot_header_encode(const struct snapshot_header *header, struct seal *seal,
			   uint8_t to[DISK_SNAPSHOT_HEADER_SIZE])
{
	struct snapshot_layout *l = (struct snapshot_layout *)(void *)to;
	struct raft_bytes *members = raft_members_encode(&header->snapshot.members);
	uint8_t aad[AAD_SIZE];
	int err;

	if (!members)
		return -ENOMEM;
	if (members->size > MEMBERS_ROOM) {
		raft_bytes_release(members);
		return -EINVAL;
	}
	memset(to, 0, DISK_SNAPSHOT_HEADER_SIZE);
	memcpy(l->magic, magic, sizeof(magic));
	bytes_put32(l->key_id, header->key_id);
	bytes_put64(l->index, header->snapshot.index);
	bytes_put64(l->term, header->snapshot.term);
	bytes_put64(l->size, header->snapshot.size);
	bytes_put32(l->block_size, DISK_SNAPSHOT_BLOCK_SIZE);
	bytes_put32(l->members_size, members->size);
	memcpy(l->salt, header->salt, sizeof(l->salt));
	memcpy(l->members, members->data, members->size);
	make_header_aad(to, aad);
	err = seal_close(seal, 0, aad, sizeof(aad), l->members, members->size, l->tag);
	raft_bytes_release(members);
	bytes_put32(l->crc, crc32c(to + CRC_FROM, DISK_SNAPSHOT_HEADER_SIZE - CRC_FROM));
	return err;
}

int snapshot_header_decode(const uint8_t *from, size_t size, struct snapshot_header *header)
{
	const struct snapshot_layout *l = (const struct snapshot_layout *)(const void *)from;

	if (size < DISK_SNAPSHOT_HEADER_SIZE || memcmp(l->magic, magic, sizeof(magic)) ||
	    bytes_get32(l->crc) != crc32c(from + CRC_FROM, DISK_SNAPSHOT_HEADER_SIZE - CRC_FROM) ||
	    bytes_get32(l->block_size) != DISK_SNAPSHOT_BLOCK_SIZE ||
	    bytes_get32(l->members_size) > MEMBERS_ROOM || bytes_get64(l->size) > state_size_max)
		return -EBADMSG;
	memset(header, 0, sizeof(*header));
	header->key_id = bytes_get32(l->key_id);
	header->snapshot.index = bytes_get64(l->index);
	header->snapshot.term = bytes_get64(l->term);
	header->snapshot.size = bytes_get64(l->size);
	memcpy(header->salt, l->salt, sizeof(l->salt));
	return 0;
}

int snapshot_header_open(uint8_t *from, struct seal *seal, struct snapshot_header *header)
{
	struct snapshot_layout *l = (struct snapshot_layout *)(void *)from;
	uint32_t size = bytes_get32(l->members_size);
	uint8_t aad[AAD_SIZE];

	if (size > MEMBERS_ROOM)
		return -EBADMSG;
	make_header_aad(from, aad);
	if (seal_open(seal, 0, aad, sizeof(aad), l->members, size, l->tag))
		return -EKEYREJECTED;
	return raft_members_decode(l->members, size, &header->snapshot.members) ? -EBADMSG : 0;
}

struct snapshot_writer {
	struct disk_folder *folder;
	int handle;
	char temporary[DISK_NAME_MAX];
	struct seal *seal;
	struct snapshot_header header;
	uint64_t block, synced; /* blocks written; bytes known to be written back */
	size_t fill;
	bool closing, finished; /* closing: the last block may have been sealed */
	uint8_t plain[DISK_SNAPSHOT_BLOCK_SIZE];
	uint8_t sealed[SEALED_BLOCK_SIZE];
};

int snapshot_writer_open(struct disk_folder *f, const char *temporary,
			 const struct raft_snapshot *snapshot, struct snapshot_writer **out)
{
	struct snapshot_writer *w = calloc(1, sizeof(*w));
	struct disk_key key;
	int err;

	if (!w)
		return -ENOMEM;
	w->folder = f;
	w->handle = -1;
	w->header.snapshot = *snapshot;
	snprintf(w->temporary, sizeof(w->temporary), "%s", temporary);
	err = folder_key(f, 0, &key);
	w->header.key_id = key.id;
	if (err == 0)
		err = f->io.random(f->io.context, w->header.salt, DISK_SALT_SIZE);
	if (err == 0)
		err = seal_new(&key, SEAL_SNAPSHOT, w->header.salt, &w->seal);
	OPENSSL_cleanse(&key, sizeof(key));
	if (err == 0)
		err = w->handle = folder_open_file(f, temporary, DISK_IO_MAKE_ANEW);
	if (err < 0) {
		snapshot_writer_close(w);
		return err;
	}
	*out = w;
	return 0;
}

uint64_t snapshot_writer_size(const struct snapshot_writer *w)
{
	return w->block * DISK_SNAPSHOT_BLOCK_SIZE + w->fill;
}

const struct raft_snapshot *snapshot_writer_snapshot(const struct snapshot_writer *w)
{
	return &w->header.snapshot;
}

uint32_t snapshot_writer_key(const struct snapshot_writer *w)
{
	return w->header.key_id;
}

/* The plain bytes stay as they are, so that it may be tried again. */
static int write_block(struct snapshot_writer *w)
{
	uint8_t aad[8];
	int err;

	bytes_put64(aad, w->block);
	memcpy(w->sealed, w->plain, w->fill);
	err = seal_close(w->seal, w->block + 1, aad, sizeof(aad), w->sealed, w->fill,
			 w->sealed + w->fill);
	if (err == 0)
		err = folder_write(w->folder, w->handle, w->temporary, w->sealed,
				   w->fill + DISK_TAG_SIZE, block_offset(w->block));
	return err;
}

static int full_block(struct snapshot_writer *w)
{
	int err = write_block(w);

	if (err)
		return err;
	w->block++;
	w->fill = 0;
	if (block_offset(w->block) - w->synced < DISK_SNAPSHOT_SYNC_BYTES)
		return 0;
	w->synced = block_offset(w->block);
	return folder_sync(w->folder, w->handle, w->temporary);
}

int snapshot_writer_add(struct snapshot_writer *w, const void *data, size_t size, size_t *taken)
{
	const uint8_t *at = data;
	int err = 0;

	*taken = 0;
	if (w->closing && size)
		return -EINVAL;
	while (*taken < size || w->fill == DISK_SNAPSHOT_BLOCK_SIZE) {
		size_t part = DISK_SNAPSHOT_BLOCK_SIZE - w->fill;

		/* A full block waits for more, or for a retry. */
		if (part == 0) {
			err = full_block(w);
			if (err)
				break;
			continue;
		}
		if (part > size - *taken)
			part = size - *taken;
		memcpy(w->plain + w->fill, at + *taken, part);
		w->fill += part;
		*taken += part;
	}
	return err;
}

int snapshot_writer_finish(struct snapshot_writer *w)
{
	uint8_t header[DISK_SNAPSHOT_HEADER_SIZE];
	char name[DISK_NAME_MAX];
	int err = w->fill ? write_block(w) : 0;

	w->closing = true;
	w->header.snapshot.size = snapshot_writer_size(w);
	if (err == 0)
		err = snapshot_header_encode(&w->header, w->seal, header);
	if (err == 0)
		err = folder_write(w->folder, w->handle, w->temporary, header, sizeof(header), 0);
	if (err == 0)
		err = folder_sync(w->folder, w->handle, w->temporary);
	snapshot_name(w->header.snapshot.index, w->header.snapshot.term, name);
	if (err == 0)
		err = folder_rename(w->folder, w->temporary, name);
	if (err == 0)
		w->finished = true;
	return err;
}

void snapshot_writer_close(struct snapshot_writer *w)
{
	if (!w)
		return;
	if (w->handle >= 0 && !w->finished)
		folder_unlink(w->folder, w->temporary);
	folder_close_file(w->folder, &w->handle);
	seal_free(w->seal);
	free(w);
}

struct snapshot_reader {
	struct disk_folder *folder;
	int handle;
	char name[DISK_NAME_MAX];
	struct seal *seal;
	struct snapshot_header header;
	uint64_t cached; /* number of the block in plain, plus 1; 0: none */
	uint8_t plain[SEALED_BLOCK_SIZE];
};

static int read_header(struct snapshot_reader *r, struct raft_error *error)
{
	const char *folder = r->folder->path;
	uint8_t *header = r->plain; /* its first use */
	struct disk_key key;
	uint64_t file_size;
	size_t got;
	int err = folder_read(r->folder, r->handle, header, DISK_SNAPSHOT_HEADER_SIZE, 0, &got);

	if (err == 0)
		err = r->folder->io.size(r->folder->io.context, r->handle, &file_size);
	if (err)
		return raft_error_set(error, err, "%s/%s: %s", folder, r->name, strerror(-err));
	if (snapshot_header_decode(header, got, &r->header))
		return raft_error_set(error, -EBADMSG, "%s/%s, offset 0: the header is damaged",
				      folder, r->name);
	if (file_size != snapshot_file_size(r->header.snapshot.size))
		return raft_error_set(
		    error, -EBADMSG,
		    "%s/%s, offset %" PRIu64 ": the file should have %" PRIu64 " bytes", folder,
		    r->name, file_size, snapshot_file_size(r->header.snapshot.size));
	if (folder_key(r->folder, r->header.key_id, &key))
		return raft_error_set(
		    error, -ENOKEY, "%s/%s is sealed with key %" PRIu32 ", which the keyring lacks",
		    folder, r->name, r->header.key_id);
	err = seal_new(&key, SEAL_SNAPSHOT, r->header.salt, &r->seal);
	OPENSSL_cleanse(&key, sizeof(key));
	if (err == 0)
		err = snapshot_header_open(header, r->seal, &r->header);
	if (err == -EKEYREJECTED)
		return raft_error_set(error, err,
				      "%s/%s does not open with key %" PRIu32
				      ": it is another key of that id, or the file was tampered "
				      "with",
				      folder, r->name, r->header.key_id);
	if (err)
		return raft_error_set(error, err, "%s/%s, offset %d: the members make no sense",
				      folder, r->name, MEMBERS_AT);
	return 0;
}

int snapshot_reader_open(struct disk_folder *f, const char *name, struct snapshot_reader **out,
			 struct raft_error *error)
{
	struct snapshot_reader *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return raft_error_set(error, -ENOMEM, "%s/%s: no memory", f->path, name);
	r->folder = f;
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->handle = folder_open_file(f, name, DISK_IO_READ);
	if (r->handle < 0)
		err = raft_error_set(error, r->handle, "%s/%s: %s", f->path, name,
				     strerror(-r->handle));
	else
		err = read_header(r, error);
	if (err) {
		snapshot_reader_close(r);
		return err;
	}
	*out = r;
	return 0;
}

const struct raft_snapshot *snapshot_reader_snapshot(const struct snapshot_reader *r)
{
	return &r->header.snapshot;
}

uint32_t snapshot_reader_key(const struct snapshot_reader *r)
{
	return r->header.key_id;
}

static size_t block_size(const struct snapshot_reader *r, uint64_t block)
{
	uint64_t left = r->header.snapshot.size - block * DISK_SNAPSHOT_BLOCK_SIZE;

	return left < DISK_SNAPSHOT_BLOCK_SIZE ? (size_t)left : DISK_SNAPSHOT_BLOCK_SIZE;
}

static int read_block(struct snapshot_reader *r, uint64_t block, struct raft_error *error)
{
	size_t size = block_size(r, block), got;
	uint8_t aad[8];
	int err;

	if (r->cached == block + 1)
		return 0;
	r->cached = 0;
	err = folder_read(r->folder, r->handle, r->plain, size + DISK_TAG_SIZE, block_offset(block),
			  &got);
	if (err)
		return raft_error_set(error, err, "%s/%s, offset %" PRIu64 ": %s", r->folder->path,
				      r->name, block_offset(block), strerror(-err));
	bytes_put64(aad, block);
	if (got < size + DISK_TAG_SIZE ||
	    seal_open(r->seal, block + 1, aad, sizeof(aad), r->plain, size, r->plain + size))
		return raft_error_set(error, -EBADMSG,
				      "%s/%s, offset %" PRIu64
				      ": the snapshot is damaged; remove this manager from the "
				      "cluster and join it again",
				      r->folder->path, r->name, block_offset(block));
	r->cached = block + 1;
	return 0;
}

int snapshot_reader_read(struct snapshot_reader *r, uint64_t offset, void *to, size_t size,
			 size_t *got, struct raft_error *error)
{
	uint64_t total = r->header.snapshot.size;
	size_t done = 0;

	while (done < size && offset < total) {
		uint64_t block = offset / DISK_SNAPSHOT_BLOCK_SIZE;
		size_t at = offset % DISK_SNAPSHOT_BLOCK_SIZE;
		size_t part = block_size(r, block) - at;
		int err = read_block(r, block, error);

		if (err)
			return err;
		if (part > size - done)
			part = size - done;
		memcpy((uint8_t *)to + done, r->plain + at, part);
		done += part;
		offset += part;
	}
	*got = done;
	return 0;
}

void snapshot_reader_close(struct snapshot_reader *r)
{
	if (!r)
		return;
	folder_close_file(r->folder, &r->handle);
	seal_free(r->seal);
	OPENSSL_cleanse(r->plain, sizeof(r->plain));
	free(r);
}
