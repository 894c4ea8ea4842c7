/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct json_file_name json_file_name(const char *path)
{
	struct json_file_name name;
	size_t length = strlen(path), room = sizeof(name.text) - 1, at = 0;

	if (length > room) {
		memcpy(name.text, "...", 3);
		at = 3;
		path += length - (room - at);
	}
	for (; *path; path++)
		name.text[at++] = iscntrl((unsigned char)*path) ? '?' : *path;
	name.text[at] = '\0';
	return name;
}

static void bytes_release(char **bytes)
{
	free(*bytes);
}

static void fd_release(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int too_large(const char *name, size_t bytes_max, struct error *error)
{
	return error_set(error, -EFBIG, "%s: is larger than %zu MiB, the most that is read", name,
			 bytes_max >> 20);
}

/* Reads to the end of the file, or until bytes_max + 1 bytes are there. */
static int read_all(int fd, size_t bytes_max, size_t capacity, char **bytes, size_t *length)
{
	__attribute__((cleanup(bytes_release))) char *buffer = NULL;
	size_t used = 0;

	for (;;) {
		char *larger = realloc(buffer, capacity);
		if (!larger)
			return -ENOMEM;
		buffer = larger;
		while (used < capacity) {
			ssize_t got = read(fd, buffer + used, capacity - used);
			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0)
				return -errno;
			used += (size_t)got;
			if (got == 0 || used > bytes_max) {
				*bytes = buffer;
				*length = used;
				buffer = NULL;
				return 0;
			}
		}
		capacity = capacity < bytes_max / 2 ? 2 * capacity : bytes_max + 1;
	}
}

int json_file_read(const char *path, size_t bytes_max, char **bytes, size_t *length,
		   struct error *error)
{
	const struct json_file_name name = json_file_name(path);
	__attribute__((cleanup(bytes_release))) char *buffer = NULL;
	__attribute__((cleanup(fd_release))) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat stat;
	size_t capacity = 1 << 16, used = 0;
	int rc;

	if (fd < 0 || fstat(fd, &stat) < 0)
		return error_set(error, -errno, "%s: cannot open it: %s", name.text,
				 strerror(errno));
	if (S_ISDIR(stat.st_mode))
		return error_set(error, -EISDIR, "%s: is a folder; name a file in it", name.text);
	if (stat.st_size > 0 && (uint64_t)stat.st_size > bytes_max)
		return too_large(name.text, bytes_max, error);
	/* One byte more than it has, so that one pass finds the end. The size is a hint only. */
	if (S_ISREG(stat.st_mode) && stat.st_size > 0)
		capacity = (size_t)stat.st_size + 1;
	rc = read_all(fd, bytes_max, capacity, &buffer, &used);
	if (rc < 0)
		return error_set(error, rc, "%s: cannot read it: %s", name.text, strerror(-rc));
	if (used > bytes_max)
		return too_large(name.text, bytes_max, error);
	*bytes = buffer;
	*length = used;
	buffer = NULL;
	return 0;
}

/*
 * Counts what jansson would have to allocate. Where the bytes are not JSON the counts mean
 * nothing, and need not: jansson stops where it sees that.
 */
static int check_size(const char *bytes, size_t length, const char *name, struct error *error)
{
	size_t containers = 0, values = 1;
	bool quoted = false;

	for (size_t i = 0; i < length; i++) {
		const char byte = bytes[i];
		if (byte == '"')
			quoted = !quoted;
		else if (quoted)
			i += byte == '\\';
		else if (byte == '{' || byte == '[')
			containers++;
		else if (byte == ',')
			values++;
		if (containers > JSON_FILE_CONTAINERS_MAX || values > JSON_FILE_VALUES_MAX)
			return error_set(error, -EFBIG,
					 "%s: holds more than %d objects and arrays or %d values; "
					 "leave out what is not needed",
					 name, JSON_FILE_CONTAINERS_MAX, JSON_FILE_VALUES_MAX);
	}
	return 0;
}

static int check_encoding(const char *bytes, size_t length, const char *name, struct error *error)
{
	static const char *const marks[] = {"\xef\xbb\xbf", "\xfe\xff", "\xff\xfe"};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (length >= strlen(marks[i]) && !memcmp(bytes, marks[i], strlen(marks[i])))
			return error_set(error, -EINVAL,
					 "%s: starts with a byte order mark; save it as UTF-8 "
					 "without one",
					 name);
	}
	for (size_t i = 0; i < length; i++) {
		if (!strchr(" \t\r\n", bytes[i]) || !bytes[i])
			return 0;
	}
	return error_set(error, -EINVAL, "%s: is empty; it must hold a JSON object", name);
}

static const char *syntax_cure(enum json_error_code code)
{
	switch (code) {
	case json_error_stack_overflow:
		return "; nest less deeply";
	case json_error_invalid_utf8:
		return "; save the file as UTF-8";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "; remove the NUL";
	case json_error_duplicate_key:
		return "; keep one of the two";
	case json_error_end_of_input_expected:
		return "; keep one object in the file";
	default:
		return "";
	}
}

static int syntax_error(const json_error_t *json, const char *name, struct error *error)
{
	const enum json_error_code code = json_error_code(json);
	char text[JSON_ERROR_TEXT_LENGTH];
	size_t i;

	/* Where memory runs out jansson says nothing at all, most of the time. */
	if (code == json_error_out_of_memory || !json->text[0])
		return error_set(error, -ENOMEM, "%s: not enough memory to read it", name);
	for (i = 0; json->text[i]; i++)
		text[i] = iscntrl((unsigned char)json->text[i]) ? ' ' : json->text[i];
	text[i] = '\0';
	return error_set(error, -EINVAL, "%s: line %d, column %d: %s%s", name, json->line,
			 json->column, text, syntax_cure(code));
}

int json_file_parse(const char *bytes, size_t length, const char *name, json_t **document,
		    struct error *error)
{
	json_error_t json;
	json_t *root;
	int rc = check_encoding(bytes, length, name, error);

	if (rc == 0)
		rc = check_size(bytes, length, name, error);
	if (rc < 0)
		return rc;
	root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &json);
	if (!root)
		return syntax_error(&json, name, error);
	*document = root;
	return 0;
}
