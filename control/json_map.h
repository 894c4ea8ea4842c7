/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_JSON_MAP_H
#define FL_JSON_MAP_H
/*
 * Messages of control/proto/ to the Engine API's JSON and back, by their descriptors and the table
 * in json_rules.c.
 *
 * Decoding does as Go's encoding/json does in dockerd: keys are found whatever their case, unknown
 * ones are passed over, null leaves a field as it is, and a value of a wrong type is refused with
 * Go's words ("json: cannot unmarshal string into Go struct field ..."). What Go cannot tell from
 * nothing (an omitempty field that is zero) becomes absent, and maps become sorted lists, so that
 * equal specs are equal messages.
 *
 * A map is made once, is never changed and may be used by any thread.
 */
#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "problem.h"

enum {
	JSON_SIZE_MAX = 4 << 20, /* of a body; a config's data takes 1000 KiB, base 64 4/3 of it */
	JSON_DEPTH_MAX = 64,     /* of nesting, what is unknown included */
};

struct json_map;

/* NULL: no memory. */
struct json_map *json_map_new(void);
void json_map_free(struct json_map *map); /* NULL is fine */

/* A new reference; NULL: no memory. Strings that are not UTF-8 get U+FFFD for what is wrong, as Go
 * does. A message whose type is not of control/proto/ is a programmer's error. */
json_t *json_map_encode(const struct json_map *map, const ProtobufCMessage *message);
/* malloc'ed text without a line end, compact; NULL: no memory. */
char *json_map_text(const json_t *json);

/* *message is to be given back with protobuf_c_message_free_unpacked(*message, NULL). -EINVAL with
 * the problem's words, or -ENOMEM. */
int json_map_decode(const struct json_map *map, const ProtobufCMessageDescriptor *type,
		    const json_t *json, ProtobufCMessage **message, struct problem *problem);
/* The same for a request's body. -EFBIG: larger than JSON_SIZE_MAX. An empty one is an error. */
int json_map_parse(const struct json_map *map, const ProtobufCMessageDescriptor *type,
		   const char *text, size_t size, ProtobufCMessage **message,
		   struct problem *problem);
/* The text alone, its depth and size bounded; for bodies that are no message. */
int json_map_load(const char *text, size_t size, json_t **json, struct problem *problem);
#endif
