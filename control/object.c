/* SPDX-License-Identifier: BSD-2-Clause */
#include "object.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "store.h"

#define BEGINS_LIKE_ALL(Type)                                                                      \
	_Static_assert(                                                                            \
	    offsetof(Type, id) == offsetof(struct object_message, id) &&                           \
		offsetof(Type, version) == offsetof(struct object_message, version) &&             \
		offsetof(Type, created_at) == offsetof(struct object_message, created_at) &&       \
		offsetof(Type, updated_at) == offsetof(struct object_message, updated_at),         \
	    #Type)
BEGINS_LIKE_ALL(Fl__Cluster);
BEGINS_LIKE_ALL(Fl__Node);
BEGINS_LIKE_ALL(Fl__Network);
BEGINS_LIKE_ALL(Fl__Service);
BEGINS_LIKE_ALL(Fl__Task);
BEGINS_LIKE_ALL(Fl__Secret);
BEGINS_LIKE_ALL(Fl__Config);
BEGINS_LIKE_ALL(Fl__Volume);

#define SPEC_NAME(Type, message)                                                                   \
	(((const Type *)(message))->spec ? ((const Type *)(message))->spec->name : NULL)

static const char *name_of(unsigned table, const ProtobufCMessage *message)
{
	const Fl__Node *node = (const Fl__Node *)message;

	switch ((enum store_table)table) {
	case STORE_CLUSTER:
		return SPEC_NAME(Fl__Cluster, message);
	case STORE_NODE:
		return node->description ? node->description->hostname : NULL;
	case STORE_NETWORK:
		return SPEC_NAME(Fl__Network, message);
	case STORE_SERVICE:
		return SPEC_NAME(Fl__Service, message);
	case STORE_SECRET:
		return SPEC_NAME(Fl__Secret, message);
	case STORE_CONFIG:
		return SPEC_NAME(Fl__Config, message);
	case STORE_VOLUME:
		return SPEC_NAME(Fl__Volume, message);
	case STORE_TASK:
	case STORE_TABLES:
		break;
	}
	return NULL;
}

struct object *object_new(unsigned table, const ProtobufCMessage *message)
{
	const Fl__Task *task = table == STORE_TASK ? (const Fl__Task *)message : NULL;
	const char *name = name_of(table, message);
	const size_t block = message_block_size(message);
	char instance[STORE_INSTANCE_SIZE] = "", *strings;
	struct object *object;
	size_t size;

	if (task && task->service_id)
		store_instance_key(task->service_id, task->slot, task->node_id, instance);
	size = sizeof(*object) + block + (name ? strlen(name) + 1 : 0) +
	       (instance[0] ? strlen(instance) + 1 : 0);
	object = malloc(size);
	if (!object)
		return NULL;
	*object = (struct object){.references = 1, .size = (uint32_t)size, .table = table};
	message_block_copy(message, object + 1);
	strings = (char *)(object + 1) + block;
	if (instance[0]) {
		object->instance = memcpy(strings, instance, strlen(instance) + 1);
		strings += strlen(instance) + 1;
	}
	if (name && *name) {
		object->name = strings;
		while ((*strings++ = (char)tolower((unsigned char)*name++)))
			;
	}
	return object;
}

void object_hold(struct object *object)
{
	__atomic_add_fetch(&object->references, 1, __ATOMIC_RELAXED);
}

void object_release(struct object *object)
{
	if (object && !__atomic_sub_fetch(&object->references, 1, __ATOMIC_ACQ_REL))
		free(object);
}
