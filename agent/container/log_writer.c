/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void open_file(struct log_writer *writer)
{
	struct stat stat;

	writer->fd =
	    open(writer->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (writer->fd >= 0 && !fstat(writer->fd, &stat))
		writer->size_bytes = (uint64_t)stat.st_size;
}

void log_writer_open(struct log_writer *writer, const char *path, const struct log_limits *limits)
{
	writer->path = path;
	writer->limits = *limits;
	writer->size_bytes = writer->lost_bytes = 0;
	writer->lines[0].length = writer->lines[1].length = 0;
	open_file(writer);
}

/* PATH.8 -> PATH.9, ..., PATH -> PATH.1; the oldest is overwritten. */
static void rotate(struct log_writer *writer)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (writer->limits.files_max <= 1) {
		if (!ftruncate(writer->fd, 0))
			writer->size_bytes = 0;
		return;
	}
	for (unsigned int i = writer->limits.files_max - 1; i; i--) {
		snprintf(to, sizeof(to), "%s.%u", writer->path, i);
		if (i == 1)
			snprintf(from, sizeof(from), "%s", writer->path);
		else
			snprintf(from, sizeof(from), "%s.%u", writer->path, i - 1);
		(void)rename(from, to);
	}
	close(writer->fd);
	writer->size_bytes = 0;
	open_file(writer);
}

static bool write_entry(struct log_writer *writer, size_t length)
{
	const ssize_t wrote = write(writer->fd, writer->entry, length);

	if (wrote == (ssize_t)length) {
		writer->size_bytes += length;
		return true;
	}
	/* Part of an entry would spoil the next: back to where it began. */
	if (wrote > 0)
		(void)!ftruncate(writer->fd, (off_t)writer->size_bytes);
	return false;
}

static void emit(struct log_writer *writer, enum log_stream stream, int64_t time_ns)
{
	struct log_line *line = &writer->lines[stream];
	const size_t length =
	    log_entry_encode(stream, line->bytes, line->length, time_ns, writer->entry);

	if (writer->fd < 0)
		open_file(writer);
	if (writer->fd >= 0 && writer->limits.size_bytes_max && writer->size_bytes &&
	    writer->size_bytes + length > writer->limits.size_bytes_max)
		rotate(writer);
	if (writer->fd < 0 || !write_entry(writer, length))
		writer->lost_bytes += line->length;
	line->length = 0;
}

void log_writer_add(struct log_writer *writer, enum log_stream stream, const char *bytes,
		    size_t length, int64_t time_ns)
{
	struct log_line *line = &writer->lines[stream];

	while (length) {
		const char *end = memchr(bytes, '\n', length);
		const size_t rest = end ? (size_t)(end - bytes) : length;
		const size_t room = LOG_CHUNK - line->length, taken = rest < room ? rest : room;
		const bool ends = end && taken == rest;
		memcpy(line->bytes + line->length, bytes, taken + ends);
		line->length += taken + ends;
		bytes += taken + ends;
		length -= taken + ends;
		if (ends || line->length == LOG_CHUNK)
			emit(writer, stream, time_ns);
	}
}

void log_writer_end(struct log_writer *writer, enum log_stream stream, int64_t time_ns)
{
	if (writer->lines[stream].length)
		emit(writer, stream, time_ns);
}

void log_writer_close(struct log_writer *writer)
{
	if (writer->fd >= 0)
		close(writer->fd);
	writer->fd = -1;
}
