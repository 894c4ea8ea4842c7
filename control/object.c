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

/* Strings that are kept beside the message. */
static void add_strings(struct object *object, char *at, const char *instance, const char *name)
{
	if (instance[0]) {
		object->instance = memcpy(at, instance, strlen(instance) + 1);
		at += strlen(instance) + 1;
	}
	if (name && *name) {
		object->name = at;
		while ((*at++ = (char)tolower((unsigned char)*name++)))
			;
	}
}

struct object *object_new(unsigned table, const ProtobufCMessage *message, struct object *lender)
{
	const char *name = name_of(table, message);
	char instance[STORE_INSTANCE_SIZE] = "";
	struct object *object;
	Fl__Task task;
	size_t block;

	if (table == STORE_TASK) {
		task = *(const Fl__Task *)message;
		if (lender)
			task.spec = NULL;
		if (task.service_id)
			store_instance_key(task.service_id, task.slot, task.node_id, instance);
	}
	const ProtobufCMessage *own = table == STORE_TASK ? &task.base : message;

	block = message_block_size(own);
	object = malloc(sizeof(*object) + block + (name ? strlen(name) + 1 : 0) +
			(instance[0] ? strlen(instance) + 1 : 0));
	if (!object)
		return NULL;
	*object = (struct object){.references = 1, .table = table};
	message_block_copy(own, object + 1);
	add_strings(object, (char *)(object + 1) + block, instance, name);
	if (lender) {
		object_hold(lender);
		object->lender = lender;
		((Fl__Task *)(object + 1))->spec = ((const Fl__Task *)message)->spec;
	}
	return object;
}

void object_hold(struct object *object)
{
	__atomic_add_fetch(&object->references, 1, __ATOMIC_RELAXED);
}

void object_release(struct object *object)
{
	if (!object || __atomic_sub_fetch(&object->references, 1, __ATOMIC_ACQ_REL))
		return;
	object_release(object->lender); /* which has none itself */
	free(object);
}
