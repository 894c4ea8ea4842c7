/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_JSON_FILE_H
#define FL_JSON_FILE_H
/*
 * From a file to a JSON document, with bounds on what untrusted bytes can make us read, allocate
 * and nest. Errors are negative errnos and messages "file: ..." or "file: line 3, column 7: ...".
 */
#include <jansson.h>
#include <stddef.h>

#include "error.h"

enum {
	/*
	 * Bytes say little about memory: "{}," takes 3 bytes here and 224 in jansson. With these
	 * two a document costs 1.3 GiB at most, and a mesh that fills its 64 MiB still fits.
	 */
	JSON_FILE_CONTAINERS_MAX = 1 << 21, /* objects and arrays */
	JSON_FILE_VALUES_MAX = 1 << 23,
};

/* A path as messages name it: printable, and cut at the front where it is long. */
struct json_file_name {
	char text[132];
};
struct json_file_name json_file_name(const char *path);

/* Reads at most bytes_max + 1 bytes, whatever the path is. The caller frees *bytes. */
int json_file_read(const char *path, size_t bytes_max, char **bytes, size_t *length,
		   struct error *error);
/*
 * The document, of any type, with a key at most once in each object. name is a json_file_name's
 * text. The caller drops the reference (json_decref).
 */
int json_file_parse(const char *bytes, size_t length, const char *name, json_t **document,
		    struct error *error);
#endif
