/* SPDX-License-Identifier: BSD-2-Clause */
#include "layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "layer_entry.h"

enum { BLOCK = 128 << 10 };

/*
 * Two archives in a row, so that the digest of the tar itself can be taken on its way:
 * blob -> outer (unpacks, format "raw") -> digest -> inner (tar).
 */
struct stream {
	struct archive *outer, *inner;
	struct digest_stream digest;
	uint64_t bytes_left; /* of the tar; it has headers and padding beside its files */
	char block[BLOCK];
	bool too_large;
};

static la_ssize_t read_tar(struct archive *archive, void *arg, const void **bytes)
{
	struct stream *stream = arg;
	const la_ssize_t got =
	    archive_read_data(stream->outer, stream->block, sizeof(stream->block));

	if (got < 0) {
		archive_set_error(archive, EBADMSG, "%s", archive_error_string(stream->outer));
		return -1;
	}
	if ((uint64_t)got > stream->bytes_left ||
	    digest_stream_add(&stream->digest, stream->block, (size_t)got) < 0) {
		stream->too_large = true;
		archive_set_error(archive, EFBIG, "it is larger than images may be");
		return -1;
	}
	stream->bytes_left -= (uint64_t)got;
	*bytes = stream->block;
	return got;
}

static int open_outer(struct stream *stream, int blob, struct error *error)
{
	struct archive_entry *entry;
	struct archive *outer = stream->outer = archive_read_new();

	if (!outer)
		return error_set(error, -ENOMEM, "out of memory");
	/* Each by name: "all" would start programs of the machine for some. */
	archive_read_support_filter_gzip(outer);
	archive_read_support_filter_zstd(outer);
	archive_read_support_filter_xz(outer);
	archive_read_support_filter_bzip2(outer);
	archive_read_support_format_raw(outer);
	if (archive_read_open_fd(outer, blob, BLOCK) != ARCHIVE_OK ||
	    archive_read_next_header(outer, &entry) != ARCHIVE_OK)
		return error_set(error, -EBADMSG, "layer: cannot be unpacked: %s",
				 archive_error_string(outer) ? archive_error_string(outer)
							     : "it is empty");
	return 0;
}

static int open_inner(struct stream *stream, struct error *error)
{
	struct archive *inner = stream->inner = archive_read_new();

	if (!inner)
		return error_set(error, -ENOMEM, "out of memory");
	archive_read_support_format_tar(inner);
	if (archive_read_open(inner, stream, NULL, read_tar, NULL) != ARCHIVE_OK)
		return error_set(error, stream->too_large ? -EFBIG : -EBADMSG,
				 "layer: is no tar: %s", archive_error_string(inner));
	return 0;
}

static int unpack_entries(struct stream *stream, int root, const struct layer_limits *limits,
			  uint64_t *bytes_left, struct error *error)
{
	struct archive_entry *entry;
	uint64_t entries = 0;
	int rc;

	while ((rc = archive_read_next_header(stream->inner, &entry)) == ARCHIVE_OK ||
	       rc == ARCHIVE_WARN) {
		if (limits->cancel && *limits->cancel)
			return error_set(error, -ECANCELED, "canceled");
		if (++entries > limits->entries)
			return error_set(error, -EFBIG, "layer: holds more files than images may");
		rc =
		    layer_entry_make(root, stream->inner, entry, bytes_left, limits->cancel, error);
		if (rc < 0)
			return rc;
	}
	if (rc != ARCHIVE_EOF)
		return error_set(error, stream->too_large ? -EFBIG : -EBADMSG, "layer: %s",
				 archive_error_string(stream->inner));
	return 0;
}

/* What follows the tar's end is in its digest too. */
static int drain(struct stream *stream, struct error *error)
{
	const void *bytes;
	la_ssize_t got;

	while ((got = read_tar(stream->inner, stream, &bytes)) > 0)
		;
	return got < 0 ? error_set(error, stream->too_large ? -EFBIG : -EBADMSG, "layer: %s",
				   archive_error_string(stream->inner))
		       : 0;
}

static int run(struct stream *stream, int blob, int root, const struct layer_limits *limits,
	       struct layer_result *result, struct error *error)
{
	uint64_t bytes_left = limits->bytes;
	int rc = open_outer(stream, blob, error);

	rc = rc < 0 ? rc : open_inner(stream, error);
	rc = rc < 0 ? rc : unpack_entries(stream, root, limits, &bytes_left, error);
	rc = rc < 0 ? rc : drain(stream, error);
	if (rc < 0)
		return rc;
	rc = digest_stream_end(&stream->digest, &result->diff_id);
	result->size_bytes = limits->bytes - bytes_left;
	return rc < 0 ? error_set(error, rc, "%s", strerror(-rc)) : 0;
}

int layer_unpack(int blob, int root, const struct layer_limits *limits, struct layer_result *result,
		 struct error *error)
{
	AUTO_FREE struct stream *stream = calloc(1, sizeof(*stream));
	struct layer_result made;
	int rc;

	if (!stream || digest_stream_begin(&stream->digest) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	stream->bytes_left = 2 * limits->bytes + (1 << 20);
	rc = run(stream, blob, root, limits, &made, error);
	/* Free of NULL is fine for both; inner first: it reads through outer. */
	archive_read_free(stream->inner);
	archive_read_free(stream->outer);
	digest_stream_drop(&stream->digest);
	if (!rc)
		*result = made;
	return rc;
}
