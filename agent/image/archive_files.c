/* SPDX-License-Identifier: BSD-2-Clause */
#include "archive_files.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "layer_entry.h"

enum { BLOCK = 128 << 10, LINKS_MAX = 8 };

static int bad(struct archive *tar, struct error *error)
{
	const char *why = archive_error_string(tar);
	return error_set(error, -EBADMSG, "archive: %s", why ? why : "is no tar");
}

static int add_content(const struct import *import, struct archive *tar, struct blob_writer *writer,
		       struct error *error)
{
	AUTO_FREE char *block = malloc(BLOCK);
	la_ssize_t got;

	if (!block)
		return error_set(error, -ENOMEM, "out of memory");
	while ((got = archive_read_data(tar, block, BLOCK)) > 0) {
		if (import_canceled(import))
			return error_set(error, -ECANCELED, "canceled");
		const int rc = blob_add(writer, block, (size_t)got, error);
		if (rc < 0)
			return rc;
	}
	return got < 0 ? bad(tar, error) : 0;
}

static int read_content(const struct import *import, struct archive *tar, struct digest *digest,
			struct error *error)
{
	struct blob_writer writer;
	int rc = blob_begin(&writer, image_store_blobs(import->store), IMAGE_BLOB_MAX, error);

	if (rc < 0)
		return rc;
	rc = add_content(import, tar, &writer, error);
	if (!rc)
		return blob_commit(&writer, NULL, digest, error);
	blob_drop(&writer);
	return rc;
}

bool archive_link_target(const char *path, const char *link, char *out, size_t size)
{
	char parts[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t used = 0;
	char *save = NULL;

	if ((size_t)snprintf(parts, sizeof(parts), "%.*s/%s",
			     *link != '/' && slash ? (int)(slash - path) : 0, path,
			     link) >= sizeof(parts))
		return false;
	out[0] = '\0';
	for (char *part = strtok_r(parts, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		if (!strcmp(part, "."))
			continue;
		if (!strcmp(part, "..")) {
			char *last = strrchr(out, '/');
			if (!used)
				return false;
			used = last ? (size_t)(last - out) : 0;
			out[used] = '\0';
			continue;
		}
		const int length = snprintf(out + used, size - used, "%s%s", used ? "/" : "", part);
		if ((size_t)length >= size - used)
			return false;
		used += (size_t)length;
	}
	return used > 0;
}

static int add_file(const struct import *import, struct archive *tar, struct archive_entry *entry,
		    struct archive_files *files, struct error *error)
{
	const char *name = archive_entry_pathname(entry);
	const char *link = archive_entry_hardlink(entry);
	char path[PATH_MAX], target[PATH_MAX];
	struct archive_file *file = &files->list[files->count];
	const bool hard = link != NULL;

	if (!name || layer_path_clean(name, path, sizeof(path)) < 0)
		return error_set(error, -EINVAL,
				 "archive: %.200s: is not a path that image archives may hold",
				 name ? name : "an entry without a name");
	link = link ? link : archive_entry_symlink(entry);
	if (!link && archive_entry_filetype(entry) != S_IFREG)
		return 0; /* folders, and what no image archive needs */
	if (link && !archive_link_target(hard ? "" : path, link, target, sizeof(target)))
		return error_set(error, -EINVAL, "archive: %.200s: is a link that leads out of it",
				 name);
	*file = (struct archive_file){.path = strdup(path), .target = link ? strdup(target) : NULL};
	files->count++;
	if (!file->path || (link && !file->target))
		return error_set(error, -ENOMEM, "out of memory");
	return link ? 0 : read_content(import, tar, &file->digest, error);
}

static int read_all(const struct import *import, struct archive *tar, struct archive_files *files,
		    struct error *error)
{
	struct archive_entry *entry;
	int rc;

	while ((rc = archive_read_next_header(tar, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		if (files->count == IMAGE_ARCHIVE_FILES_MAX)
			return error_set(error, -EFBIG, "archive: holds more than %d files",
					 IMAGE_ARCHIVE_FILES_MAX);
		rc = add_file(import, tar, entry, files, error);
		if (rc < 0)
			return rc;
	}
	return rc == ARCHIVE_EOF ? 0 : bad(tar, error);
}

int archive_files_read(const struct import *import, int fd, struct archive_files *out,
		       struct error *error)
{
	struct archive_files files = {.list = calloc(IMAGE_ARCHIVE_FILES_MAX, sizeof(*files.list))};
	struct archive *tar = archive_read_new();
	int rc;

	if (tar && files.list) {
		archive_read_support_filter_gzip(tar);
		archive_read_support_filter_zstd(tar);
		archive_read_support_filter_xz(tar);
		archive_read_support_filter_bzip2(tar);
		archive_read_support_format_tar(tar);
		rc = archive_read_open_fd(tar, fd, BLOCK) == ARCHIVE_OK
			 ? read_all(import, tar, &files, error)
			 : bad(tar, error);
	} else {
		rc = error_set(error, -ENOMEM, "out of memory");
	}
	archive_read_free(tar);
	if (rc < 0)
		archive_files_release(&files);
	else
		*out = files;
	return rc;
}

void archive_files_release(struct archive_files *files)
{
	while (files->count) {
		files->count--;
		free(files->list[files->count].path);
		free(files->list[files->count].target);
	}
	free(files->list);
	files->list = NULL;
}

const struct digest *archive_files_find(const struct archive_files *files, const char *path)
{
	for (int links = 0; links < LINKS_MAX; links++) {
		const struct archive_file *found = NULL;
		for (unsigned int i = 0; i < files->count; i++) {
			if (!strcmp(files->list[i].path, path))
				found =
				    &files
					 ->list[i]; /* the last of one name counts, as in any tar */
		}
		if (!found)
			return NULL;
		if (!found->target)
			return &found->digest;
		path = found->target;
	}
	return NULL;
}

json_t *archive_files_json(const struct import *import, const struct archive_files *files,
			   const char *path, size_t size_max, struct error *error)
{
	const struct digest *digest = archive_files_find(files, path);
	AUTO_FREE char *bytes = NULL;
	size_t length;
	json_error_t at;
	json_t *json;
	int rc = digest ? blobs_read_all(image_store_blobs(import->store), digest, size_max, &bytes,
					 &length)
			: -ENOENT;

	if (rc < 0) {
		error_set(error, rc, "archive: %s: %s", path,
			  rc == -ENOENT ? "is missing" : strerror(-rc));
		return NULL;
	}
	json = json_loadb(bytes, length, 0, &at);
	if (!json)
		error_set(error, -EINVAL, "archive: %s: is no JSON: %s", path, at.text);
	return json;
}
