/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LOG_ENTRY_H
#define FL_LOG_ENTRY_H
/*
 * One line of docker's json-file log, byte for byte as docker writes it:
 *
 *	{"log":"hello\n","stream":"stdout","time":"2026-11-21T07:06:34.976227202Z"}
 *
 * What a program writes in one line longer than LOG_CHUNK comes in several entries, of which the
 *last alone ends in "\n". Bytes that are no UTF-8 become U+FFFD. Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LOG_CHUNK = 16 << 10, /* bytes of output in one entry, as docker has it */
	LOG_ENTRY_MAX =
	    6 * (LOG_CHUNK + 1) + 128, /* and encoded: \u00XX for each, and what is around */
};

enum log_stream { LOG_STDOUT, LOG_STDERR };

/* Encodes bytes (at most LOG_CHUNK + 1) into out[LOG_ENTRY_MAX], with the line end; returns its
 * length. */
size_t log_entry_encode(enum log_stream stream, const char *bytes, size_t length, int64_t time_ns,
			char *out);

struct log_entry {
	enum log_stream stream;
	int64_t time_ns;
	size_t length;
	char bytes[LOG_ENTRY_MAX];
};

/* One line, without its line end. False: it is none that was written by the function above. */
bool log_entry_decode(const char *line, size_t length, struct log_entry *out);

/* RFC 3339 in UTC with up to nine digits, as logs have it; and back. */
enum { LOG_TIME = sizeof("2026-11-21T07:06:34.976227202Z") };
void log_time_format(int64_t time_ns, char out[LOG_TIME]);
bool log_time_parse(const char *text, int64_t *time_ns);
#endif
