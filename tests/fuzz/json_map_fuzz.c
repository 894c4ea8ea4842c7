/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer over JSON bodies. The first byte chooses the message. Any bytes give a message or an
 * error in words, never both; and what was taken is shown as JSON that is taken again and shown the
 * same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "json_map.h"
#include "objects.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
    &fl__service_spec__descriptor,
    &fl__service__descriptor,
    &fl__task__descriptor,
    &fl__node__descriptor,
    &fl__cluster__descriptor,
    &fl__network_create_request__descriptor,
    &fl__swarm_init_request__descriptor,
    &fl__config__descriptor,
    &fl__volume_create_request__descriptor,
};

static char *shown(const struct json_map *map, const ProtobufCMessage *message)
{
	json_t *json = json_map_encode(map, message);
	char *text = json ? json_map_text(json) : NULL;

	if (!text)
		abort();
	json_decref(json);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_map *map;
	ProtobufCMessage *message = NULL, *again = NULL;
	const ProtobufCMessageDescriptor *type;
	struct problem problem = {0};
	char *text, *second;
	int rc;

	if (!map)
		map = json_map_new();
	if (!map || !size)
		return 0;
	type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	rc = json_map_parse(map, type, (const char *)data + 1, size - 1, &message, &problem);
	if (rc ? message || problem.code != rc || !problem.message[0] : !message)
		abort();
	if (rc)
		return 0;
	text = shown(map, message);
	if (json_map_parse(map, type, text, strlen(text), &again, &problem))
		abort();
	second = shown(map, again);
	if (strcmp(text, second))
		abort();
	free(text);
	free(second);
	protobuf_c_message_free_unpacked(message, NULL);
	protobuf_c_message_free_unpacked(again, NULL);
	return 0;
}
