/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_entry.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NS = 1000000000 };

void log_time_format(int64_t time_ns, char out[LOG_TIME])
{
	const time_t seconds = time_ns / NS;
	const long rest = (long)(time_ns % NS);
	struct tm time = {0};
	size_t used;
	char digits[16];

	gmtime_r(&seconds, &time);
	used = strftime(out, LOG_TIME, "%Y-%m-%dT%H:%M:%S", &time);
	/* As Go's RFC3339Nano: no zeros at the end, and no dot without digits. */
	snprintf(digits, sizeof(digits), ".%09ld", rest);
	for (size_t end = 10; end && (digits[end - 1] == '0' || end == 1); end--)
		digits[end - 1] = '\0';
	snprintf(out + used, LOG_TIME - used, "%sZ", digits);
}

bool log_time_parse(const char *text, int64_t *time_ns)
{
	struct tm time = {0};
	const char *at = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &time) : NULL;
	int64_t ns = 0;
	int digits = 0;

	if (!at)
		return false;
	if (*at == '.') {
		for (at++; *at >= '0' && *at <= '9' && digits < 9; at++, digits++)
			ns = 10 * ns + *at - '0';
		for (; digits < 9; digits++)
			ns *= 10;
	}
	const time_t seconds = timegm(&time);
	if (strcmp(at, "Z") != 0 || seconds < 0 || seconds >= INT64_MAX / NS)
		return false; /* nanoseconds reach to the year 2262 */
	*time_ns = (int64_t)seconds * NS + ns;
	return true;
}

/* Length of the UTF-8 character at bytes, 0 if there is none (RFC 3629, table 3-7 of Unicode). */
static size_t character(const unsigned char *bytes, size_t length)
{
	const unsigned char first = bytes[0];
	const size_t size = first < 0x80   ? 1
			    : first < 0xc2 ? 0
			    : first < 0xe0 ? 2
			    : first < 0xf0 ? 3
					   : 4;
	unsigned char low = 0x80, high = 0xbf;

	if (!size || size > length || first > 0xf4)
		return 0;
	if (size == 1)
		return 1;
	if (first == 0xe0)
		low = 0xa0;
	if (first == 0xed)
		high = 0x9f;
	if (first == 0xf0)
		low = 0x90;
	if (first == 0xf4)
		high = 0x8f;
	if (bytes[1] < low || bytes[1] > high)
		return 0;
	for (size_t i = 2; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	}
	return size;
}

static size_t escape(unsigned char byte, char *out)
{
	static const char digits[] = "0123456789abcdef";
	static const char plain[] = "\n\r\"\\\t", names[] = "nr\"\\t";
	const char *found = byte ? strchr(plain, byte) : NULL;

	if (found) {
		out[0] = '\\';
		out[1] = names[found - plain];
		return 2;
	}
	memcpy(out, "\\u00", 4);
	out[4] = digits[byte >> 4];
	out[5] = digits[byte & 15];
	return 6;
}

static size_t encode_text(const char *bytes, size_t length, char *out)
{
	const unsigned char *at = (const unsigned char *)bytes;
	size_t used = 0;

	while (length) {
		const size_t size = character(at, length);
		if (!size) {
			memcpy(out + used, "\\ufffd", 6);
			used += 6;
		} else if (size == 1 && (*at < 0x20 || strchr("\"\\<>&", *at))) {
			used += escape(*at, out + used);
		} else if (size == 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] | 1) == 0xa9) {
			/* U+2028 and U+2029 end lines in JavaScript; Go escapes them, so docker
			 * does. */
			memcpy(out + used, at[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
			used += 6;
		} else {
			memcpy(out + used, at, size);
			used += size;
		}
		at += size ? size : 1;
		length -= size ? size : 1;
	}
	return used;
}

size_t log_entry_encode(enum log_stream stream, const char *bytes, size_t length, int64_t time_ns,
			char *out)
{
	char time[LOG_TIME];
	size_t used = 8;

	log_time_format(time_ns, time);
	memcpy(out, "{\"log\":\"", 8);
	used += encode_text(bytes, length, out + used);
	used += (size_t)snprintf(out + used, LOG_ENTRY_MAX - used,
				 "\",\"stream\":\"%s\",\"time\":\"%s\"}\n",
				 stream == LOG_STDOUT ? "stdout" : "stderr", time);
	return used;
}

bool log_entry_decode(const char *line, size_t length, struct log_entry *out)
{
	json_t *json = json_loadb(line, length, JSON_ALLOW_NUL, NULL);
	const json_t *log = json_object_get(json, "log");
	const char *stream = json_string_value(json_object_get(json, "stream"));
	const char *time = json_string_value(json_object_get(json, "time"));
	bool good = json_is_string(log) && json_string_length(log) <= sizeof(out->bytes) &&
		    stream && log_time_parse(time, &out->time_ns);

	if (good) {
		out->stream = !strcmp(stream, "stderr") ? LOG_STDERR : LOG_STDOUT;
		out->length = json_string_length(log);
		memcpy(out->bytes, json_string_value(log), out->length);
	}
	json_decref(json);
	return good;
}
