/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"

enum { BLOCK = 64 << 10 };

struct log_reader {
	char *path;
	struct log_query query;
	int fd;            /* the file that is read; -1: none was there yet */
	ino_t inode;       /* of it: its name changes when it is rotated */
	size_t start, end; /* what of the buffer is not taken yet */
	uint64_t damaged;
	char buffer[2 * LOG_ENTRY_MAX];
};

static int open_file(const struct log_reader *reader, unsigned int number)
{
	char path[PATH_MAX];

	if (number)
		snprintf(path, sizeof(path), "%s.%u", reader->path, number);
	else
		snprintf(path, sizeof(path), "%s", reader->path);
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* Number of the oldest file that is there, -1: none. */
static int oldest(const struct log_reader *reader)
{
	int found = -1;

	for (unsigned int i = 0; i <= LOG_FILES_MAX; i++) {
		AUTO_FD int fd = open_file(reader, i);
		if (fd < 0 && i > 0)
			break;
		found = fd < 0 ? found : (int)i;
	}
	return found;
}

static void take_file(struct log_reader *reader, int fd)
{
	struct stat stat;

	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = fd;
	reader->start = reader->end = 0;
	reader->inode = fd >= 0 && !fstat(fd, &stat) ? stat.st_ino : 0;
}

/* Whether an entry, which ends in "\n" in the program's words, ends a line: as docker counts its
 * tail. */
static bool ends_line(const char *text, size_t length)
{
	const char *end = memmem(text, length, "\",\"stream\":", 11);

	return end && end - text >= 2 && end[-2] == '\\' && end[-1] == 'n';
}

/*
 * Goes back from the file's end until *wanted lines are found, and returns where the first begins.
 * All of the file is looked at at most once.
 */
static off_t find_tail(int fd, int64_t *wanted)
{
	static const size_t step = BLOCK;
	AUTO_FREE char *block = malloc(step + LOG_ENTRY_MAX);
	struct stat stat;
	size_t carried = 0;
	off_t at;

	if (!block || fstat(fd, &stat) < 0)
		return 0;
	for (at = stat.st_size; at > 0;) {
		const size_t length = (size_t)at < step ? (size_t)at : step;
		memmove(block + length, block, carried);
		at -= (off_t)length;
		if (pread(fd, block, length, at) != (ssize_t)length)
			return 0;
		size_t end = length + carried;
		/* Lines that begin in this block; what is before the first line end is the next
		 * block's. */
		for (size_t i = end; i-- > 0;) {
			const bool first = at == 0 && i == 0;
			if (!first && !(i > 0 && block[i - 1] == '\n'))
				continue;
			if (i == end)
				continue;
			if (ends_line(block + i, end - i) || end == length + carried) {
				if (!*wanted)
					return at + (off_t)end;
				--*wanted;
			}
			end = i;
		}
		carried = end < LOG_ENTRY_MAX ? end : 0;
	}
	return 0;
}

/* Finds the file and place where the last `tail` lines begin. */
static void seek_tail(struct log_reader *reader)
{
	const int last = oldest(reader);
	int64_t wanted = reader->query.tail;
	int chosen = last;
	off_t place = 0;

	for (int i = 0; i <= last; i++) {
		AUTO_FD int fd = open_file(reader, (unsigned int)i);
		if (fd < 0)
			continue;
		place = find_tail(fd, &wanted);
		chosen = i;
		if (place)
			break;
	}
	take_file(reader, chosen < 0 ? -1 : open_file(reader, (unsigned int)chosen));
	if (reader->fd >= 0)
		lseek(reader->fd, place, SEEK_SET);
}

int log_reader_open(const char *path, const struct log_query *query, struct log_reader **out)
{
	struct log_reader *reader = calloc(1, sizeof(*reader));

	if (!reader || !(reader->path = strdup(path))) {
		free(reader);
		return -ENOMEM;
	}
	reader->query = *query;
	reader->fd = -1;
	if (query->tail >= 0) {
		seek_tail(reader);
	} else {
		const int first = oldest(reader);
		take_file(reader, first < 0 ? -1 : open_file(reader, (unsigned int)first));
	}
	*out = reader;
	return 0;
}

void log_reader_close(struct log_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader->path);
	free(reader);
}

uint64_t log_reader_damaged(const struct log_reader *reader)
{
	return reader->damaged;
}

/* The file that came after the one that is read, which is at its end; -1: none. */
static int find_next(struct log_reader *reader)
{
	int newer = -1;

	for (unsigned int i = 0; i <= LOG_FILES_MAX; i++) {
		struct stat stat;
		AUTO_FD int fd = open_file(reader, i);
		if (fd < 0 && i)
			break; /* ours was thrown away: go on with the oldest that is left */
		if (fd < 0 || fstat(fd, &stat) < 0)
			continue;
		if (stat.st_ino == reader->inode) {
			/* Emptied in place, where there is to be one file only: from its beginning
			 * again. */
			if (!i && lseek(reader->fd, 0, SEEK_CUR) > stat.st_size)
				return steal_fd(&fd);
			break;
		}
		if (newer >= 0)
			close(newer);
		newer = steal_fd(&fd);
	}
	return newer;
}

/* More bytes of the file that is open; 0: its end, for now. */
static ssize_t read_more(struct log_reader *reader)
{
	ssize_t got;

	memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
	reader->end -= reader->start;
	reader->start = 0;
	if (reader->end == sizeof(reader->buffer)) {
		/* No entry is that long. */
		reader->damaged++;
		reader->end = 0;
	}
	do {
		got = read(reader->fd, reader->buffer + reader->end,
			   sizeof(reader->buffer) - reader->end);
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		reader->end += (size_t)got;
	return got < 0 ? -errno : got;
}

/* More bytes, of this file or the next; 0: the end, for now. */
static ssize_t fill(struct log_reader *reader)
{
	ssize_t got = reader->fd < 0 ? 0 : read_more(reader);
	int newer;

	if (got)
		return got;
	newer = find_next(reader);
	if (newer < 0)
		return 0;
	/* It was rotated. What came between our last read and that is still in the old file. */
	got = reader->fd < 0 ? 0 : read_more(reader);
	if (got) {
		close(newer);
		return got;
	}
	take_file(reader, newer);
	return read_more(reader);
}

static bool wanted(const struct log_reader *reader, const struct log_entry *entry)
{
	const struct log_query *query = &reader->query;

	return (entry->stream == LOG_STDOUT ? query->stdout_ : query->stderr_) &&
	       (!query->since_ns || entry->time_ns >= query->since_ns) &&
	       (!query->until_ns || entry->time_ns < query->until_ns);
}

int log_reader_next(struct log_reader *reader, struct log_entry *entry)
{
	for (;;) {
		char *at = reader->buffer + reader->start;
		const char *end = memchr(at, '\n', reader->end - reader->start);
		if (!end) {
			const ssize_t got = fill(reader);
			if (got <= 0)
				return (int)got;
			continue;
		}
		const size_t length = (size_t)(end - at);
		reader->start += length + 1;
		if (!log_entry_decode(at, length, entry))
			reader->damaged++;
		else if (wanted(reader, entry))
			return 1;
	}
}
