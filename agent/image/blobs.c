/* SPDX-License-Identifier: BSD-2-Clause */
#include "blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "durable.h"
#include "tree.h"

static int blob_path(const struct blobs *blobs, const struct digest *digest, char **path)
{
	return asprintf(path, "%s/blobs/sha256/%s", blobs->folder, digest_hex(digest)) < 0 ? -ENOMEM
											   : 0;
}

static int make(const char *folder, const char *name)
{
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return -ENOMEM;
	return durable_make_folder(path, 0700);
}

static int empty_tmp(const char *folder, unsigned int *removed)
{
	AUTO_FREE char *path = NULL;
	const struct dirent *entry;

	if (asprintf(&path, "%s/tmp", folder) < 0)
		return -ENOMEM;
	AUTO_DIR DIR *dir = opendir(path);
	if (!dir)
		return -errno;
	while ((errno = 0, entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		const int rc = tree_remove(dirfd(dir), entry->d_name);
		if (rc < 0)
			return rc;
		(*removed)++;
	}
	return -errno;
}

int blobs_open(struct blobs *blobs, const char *folder, unsigned int *removed, struct error *error)
{
	AUTO_FREE char *copy = strdup(folder);
	unsigned int count = 0;
	int rc = copy ? make(folder, "blobs/sha256") : -ENOMEM;

	rc = rc < 0 ? rc : make(folder, "tmp");
	rc = rc < 0 ? rc : empty_tmp(folder, &count);
	if (rc < 0)
		return error_set(error, rc, "%s: cannot keep images there: %s", folder,
				 strerror(-rc));
	blobs->folder = steal_ptr(&copy);
	*removed = count;
	return 0;
}

void blobs_close(struct blobs *blobs)
{
	free(blobs->folder);
	blobs->folder = NULL;
}

bool blobs_have(const struct blobs *blobs, const struct digest *digest)
{
	AUTO_FREE char *path = NULL;

	return !blob_path(blobs, digest, &path) && !access(path, R_OK);
}

int blobs_read(const struct blobs *blobs, const struct digest *digest)
{
	AUTO_FREE char *path = NULL;
	const int rc = blob_path(blobs, digest, &path);
	const int fd = rc < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return rc < 0 ? rc : fd < 0 ? -errno : fd;
}

int blobs_read_all(const struct blobs *blobs, const struct digest *digest, size_t length_max,
		   char **bytes, size_t *length)
{
	AUTO_FD int fd = blobs_read(blobs, digest);
	AUTO_FREE char *content = NULL;
	struct digest seen;
	size_t used;
	int rc = fd < 0 ? fd : durable_read_fd(fd, length_max, &content, &used);

	rc = rc < 0 ? rc : digest_of(content, used, &seen);
	if (rc < 0)
		return rc;
	if (!digest_equal(&seen, digest))
		return -EBADMSG;
	*bytes = steal_ptr(&content);
	*length = used;
	return 0;
}

int blobs_remove(const struct blobs *blobs, const struct digest *digest)
{
	AUTO_FREE char *path = NULL;
	const int rc = blob_path(blobs, digest, &path);

	return rc < 0 ? rc : unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int blob_begin(struct blob_writer *writer, const struct blobs *blobs, uint64_t size_bytes_max,
	       struct error *error)
{
	AUTO_FREE char *path = NULL;
	int rc;

	if (asprintf(&path, "%s/tmp/blob-XXXXXX", blobs->folder) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	AUTO_FD int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return error_set(error, -errno, "%s: %s", path, strerror(errno));
	*writer = (struct blob_writer){.blobs = blobs, .size_bytes_max = size_bytes_max, .fd = -1};
	rc = digest_stream_begin(&writer->digest);
	if (rc < 0) {
		unlink(path);
		return error_set(error, rc, "%s", strerror(-rc));
	}
	writer->path = steal_ptr(&path);
	writer->fd = steal_fd(&fd);
	return 0;
}

int blob_add(struct blob_writer *writer, const void *bytes, size_t length, struct error *error)
{
	int rc;

	if (length > writer->size_bytes_max - writer->size_bytes)
		return error_set(error, -EFBIG, "content is longer than %" PRIu64 " bytes",
				 writer->size_bytes_max);
	rc = digest_stream_add(&writer->digest, bytes, length);
	rc = rc < 0 ? rc : durable_write_all(writer->fd, bytes, length);
	if (rc < 0)
		return error_set(error, rc, "cannot store an image's content: %s", strerror(-rc));
	writer->size_bytes += length;
	return 0;
}

static int give_name(struct blob_writer *writer, const struct digest *digest)
{
	AUTO_FREE char *target = NULL, *folder = NULL;

	if (blob_path(writer->blobs, digest, &target) < 0 ||
	    asprintf(&folder, "%s/blobs/sha256", writer->blobs->folder) < 0)
		return -ENOMEM;
	if (fchmod(writer->fd, 0400) < 0 || fsync(writer->fd) < 0 ||
	    rename(writer->path, target) < 0)
		return -errno;
	writer->path[0] = '\0';
	return durable_sync_folder(folder);
}

int blob_commit(struct blob_writer *writer, const struct digest *expected, struct digest *out,
		struct error *error)
{
	struct digest made;
	int rc = digest_stream_end(&writer->digest, &made);

	if (!rc && expected && !digest_equal(expected, &made))
		rc =
		    error_set(error, -EBADMSG, "filesystem layer verification failed for digest %s",
			      expected->text);
	else if (!rc && (rc = give_name(writer, &made)) < 0)
		error_set(error, rc, "cannot store an image's content: %s", strerror(-rc));
	if (!rc)
		*out = made;
	blob_drop(writer);
	return rc;
}

void blob_drop(struct blob_writer *writer)
{
	if (writer->path && writer->path[0])
		unlink(writer->path);
	free(writer->path);
	if (writer->fd >= 0)
		close(writer->fd);
	digest_stream_drop(&writer->digest);
	*writer = (struct blob_writer){.fd = -1};
}
