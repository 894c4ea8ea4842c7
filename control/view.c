/* SPDX-License-Identifier: BSD-2-Clause */
#include "view.h"
#include "message.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An object's i-th key, NULL past the last. Keys lie in the object or are constants. */
typedef const char *key_of(const struct object *object, size_t i);

static const char *name_key(const struct object *object, size_t i)
{
	return i ? NULL : object->name;
}

static const char *role_key(const struct object *object, size_t i)
{
	const Fl__Node *node = (const Fl__Node *)object_message(object);

	return i ? NULL : store_role_key(node->role);
}

static const char *membership_key(const struct object *object, size_t i)
{
	const Fl__Node *node = (const Fl__Node *)object_message(object);

	return i ? NULL : store_membership_key(node->membership);
}

static const char *network_key(const struct object *object, size_t i)
{
	const Fl__ServiceSpec *spec = ((const Fl__Service *)object_message(object))->spec;
	const Fl__TaskSpec *task = spec ? spec->task_template : NULL;
	const size_t own = task ? task->n_networks : 0;

	if (!spec || i >= own + spec->n_networks)
		return NULL;
	const Fl__NetworkAttachmentConfig *network =
	    i < own ? task->networks[i] : spec->networks[i - own];

	return network->target ? network->target : "";
}

static const Fl__ContainerSpec *container_of(const struct object *object)
{
	const Fl__ServiceSpec *spec = ((const Fl__Service *)object_message(object))->spec;

	return spec && spec->task_template ? spec->task_template->container_spec : NULL;
}

static const char *secret_key(const struct object *object, size_t i)
{
	const Fl__ContainerSpec *spec = container_of(object);

	if (!spec || i >= spec->n_secrets)
		return NULL;
	return spec->secrets[i]->secret_id ? spec->secrets[i]->secret_id : "";
}

static const char *config_key(const struct object *object, size_t i)
{
	const Fl__ContainerSpec *spec = container_of(object);

	if (!spec || i >= spec->n_configs)
		return NULL;
	return spec->configs[i]->config_id ? spec->configs[i]->config_id : "";
}

static const char *task_service_key(const struct object *object, size_t i)
{
	return i ? NULL : ((const Fl__Task *)object_message(object))->service_id;
}

static const char *task_node_key(const struct object *object, size_t i)
{
	return i ? NULL : ((const Fl__Task *)object_message(object))->node_id;
}

static const char *instance_key(const struct object *object, size_t i)
{
	return i ? NULL : object->instance;
}

static const char *desired_key(const struct object *object, size_t i)
{
	return i ? NULL
		 : store_state_key(((const Fl__Task *)object_message(object))->desired_state);
}

static const struct {
	enum store_table table;
	bool unique;
	key_of *key;
} indexes[STORE_INDEXES] = {
    [STORE_CLUSTERS_BY_NAME] = {STORE_CLUSTER, true, name_key},
    [STORE_NODES_BY_NAME] = {STORE_NODE, false, name_key},
    [STORE_NETWORKS_BY_NAME] = {STORE_NETWORK, true, name_key},
    [STORE_SERVICES_BY_NAME] = {STORE_SERVICE, true, name_key},
    [STORE_SECRETS_BY_NAME] = {STORE_SECRET, true, name_key},
    [STORE_CONFIGS_BY_NAME] = {STORE_CONFIG, true, name_key},
    [STORE_VOLUMES_BY_NAME] = {STORE_VOLUME, true, name_key},
    [STORE_NODES_BY_ROLE] = {STORE_NODE, false, role_key},
    [STORE_NODES_BY_MEMBERSHIP] = {STORE_NODE, false, membership_key},
    [STORE_SERVICES_BY_NETWORK] = {STORE_SERVICE, false, network_key},
    [STORE_SERVICES_BY_SECRET] = {STORE_SERVICE, false, secret_key},
    [STORE_SERVICES_BY_CONFIG] = {STORE_SERVICE, false, config_key},
    [STORE_TASKS_BY_SERVICE] = {STORE_TASK, false, task_service_key},
    [STORE_TASKS_BY_NODE] = {STORE_TASK, false, task_node_key},
    [STORE_TASKS_BY_INSTANCE] = {STORE_TASK, false, instance_key},
    [STORE_TASKS_BY_DESIRED] = {STORE_TASK, false, desired_key},
};

static const char *word(const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);

	return found ? found->name : "?";
}

const char *store_role_key(Fl__NodeSpec__Role role)
{
	return word(&fl__node_spec__role__descriptor, (int)role);
}

const char *store_membership_key(Fl__Node__Membership membership)
{
	return word(&fl__node__membership__descriptor, (int)membership);
}

const char *store_state_key(Fl__TaskState state)
{
	return word(&fl__task_state__descriptor, (int)state);
}

const char *store_instance_key(const char *service_id, uint64_t slot, const char *node_id,
			       char key[STORE_INSTANCE_SIZE])
{
	if (slot)
		snprintf(key, STORE_INSTANCE_SIZE, "%.31s/%llu", service_id,
			 (unsigned long long)slot);
	else
		snprintf(key, STORE_INSTANCE_SIZE, "%.31s/%.31s", service_id,
			 node_id ? node_id : "");
	return key;
}

struct store_view *view_new(void)
{
	struct store_view *view = calloc(1, sizeof(*view));

	if (view)
		view->references = 1;
	return view;
}

struct store_view *view_copy(const struct store_view *view)
{
	struct store_view *copy = view_new();

	if (!copy)
		return NULL;
	/* Not *copy = *view: another thread may be counting its references. */
	copy->index = view->index;
	memcpy(copy->count, view->count, sizeof(copy->count));
	for (size_t i = 0; i < STORE_TABLES; i++)
		copy->tables[i] = tree_hold(view->tables[i]);
	for (size_t i = 0; i < STORE_INDEXES; i++)
		copy->indexes[i] = tree_hold(view->indexes[i]);
	return copy;
}

const struct store_view *store_view_hold(const struct store_view *view)
{
	__atomic_add_fetch(&((struct store_view *)(uintptr_t)view)->references, 1,
			   __ATOMIC_RELAXED);
	return view;
}

void store_view_release(const struct store_view *view)
{
	struct store_view *mine = (struct store_view *)(uintptr_t)view;

	if (!mine || __atomic_sub_fetch(&mine->references, 1, __ATOMIC_ACQ_REL))
		return;
	for (size_t i = 0; i < STORE_TABLES; i++)
		tree_release(mine->tables[i]);
	for (size_t i = 0; i < STORE_INDEXES; i++)
		tree_release(mine->indexes[i]);
	free(mine);
}

static bool has_key(const struct object *object, key_of *key_at, const char *wanted)
{
	const char *key;

	for (size_t i = 0; (key = key_at(object, i)); i++) {
		if (!strcmp(key, wanted))
			return true;
	}
	return false;
}

/* after NULL: all go. The same key twice is one entry, so that its second removal finds none. */
static int unlist(struct store_view *view, const struct object *object, const struct object *after)
{
	for (size_t index = 0; index < STORE_INDEXES; index++) {
		const char *key;

		if (indexes[index].table != object->table)
			continue;
		for (size_t i = 0; (key = indexes[index].key(object, i)); i++) {
			if (after && has_key(after, indexes[index].key, key))
				continue;
			if (tree_remove(&view->indexes[index], key, object_message(object)->id) ==
			    -ENOMEM)
				return -ENOMEM;
		}
	}
	return 0;
}

static int list(struct store_view *view, struct object *object)
{
	for (size_t index = 0; index < STORE_INDEXES; index++) {
		const char *key;

		if (indexes[index].table != object->table)
			continue;
		for (size_t i = 0; (key = indexes[index].key(object, i)); i++) {
			if (tree_put(&view->indexes[index], key, object))
				return -ENOMEM;
		}
	}
	return 0;
}

int view_put(struct store_view *view, struct object *object, const struct object *before)
{
	int rc = before ? unlist(view, before, object) : 0;

	if (!rc)
		rc = tree_put(&view->tables[object->table], object_message(object)->id, object);
	if (!rc)
		rc = list(view, object);
	if (!rc && !before)
		view->count[object->table]++;
	return rc;
}

int view_remove(struct store_view *view, struct object *object)
{
	const char *id = object_message(object)->id;
	int rc = unlist(view, object, NULL);

	if (!rc)
		rc = tree_remove(&view->tables[object->table], id, id);
	if (!rc)
		view->count[object->table]--;
	return rc;
}

/* Puts an equal spec in the task's place. Without the memory to compare, they are different. */
static bool borrow(Fl__Task *task, Fl__TaskSpec *spec)
{
	if (!spec || message_equal(&task->spec->base, &spec->base) <= 0)
		return false;
	task->spec = spec;
	return true;
}

struct object *view_object_new(const struct store_view *view, enum store_table table,
			       ProtobufCMessage *message, const struct object *before)
{
	const char *service_id = table == STORE_TASK ? ((Fl__Task *)message)->service_id : NULL;
	const Fl__Service *service;
	struct object *lender, *object;
	Fl__Task task;

	if (!service_id || !((Fl__Task *)message)->spec)
		return object_new(table, message, NULL);
	task = *(const Fl__Task *)message;
	lender = tree_find(view->tables[STORE_SERVICE], service_id, service_id);
	service = lender ? (const Fl__Service *)object_message(lender) : NULL;
	if ((service && service->spec && borrow(&task, service->spec->task_template)) ||
	    (service && service->previous_spec &&
	     borrow(&task, service->previous_spec->task_template)))
		object = object_new(table, &task.base, lender);
	else if (before && before->lender &&
		 borrow(&task, ((const Fl__Task *)object_message(before))->spec))
		object = object_new(table, &task.base, before->lender);
	else
		object = object_new(table, message, NULL);
	return object;
}

static const struct object *first_named(const struct store_view *view, size_t index,
					const char *name, struct tree_iterator *iterator)
{
	const struct tree *tree;

	tree_seek(iterator, view->indexes[index], name, "");
	tree = tree_next(iterator);
	return tree && !strcmp(tree->key, name) ? tree->object : NULL;
}

const struct object *view_namesake(const struct store_view *view, const struct object *object)
{
	struct tree_iterator iterator;

	for (size_t index = 0; object->name && index < STORE_INDEXES; index++) {
		if (indexes[index].table == object->table && indexes[index].unique) {
			const struct object *found =
			    first_named(view, index, object->name, &iterator);

			if (found && strcmp(object_message(found)->id, object_message(object)->id))
				return found;
		}
	}
	return NULL;
}

uint64_t store_view_index(const struct store_view *view)
{
	return view->index;
}

size_t store_count(const struct store_view *view, enum store_table table)
{
	assert(table > 0 && table < STORE_TABLES);
	return view->count[table];
}

static const void *message_or_null(const struct object *object)
{
	return object ? object_message(object) : NULL;
}

const void *store_get(const struct store_view *view, enum store_table table, const char *id)
{
	assert(table > 0 && table < STORE_TABLES);
	return message_or_null(tree_find(view->tables[table], id, id));
}

void store_object_hold(const void *object)
{
	object_hold(object_of(object));
}

void store_object_release(const void *object)
{
	if (object)
		object_release(object_of(object));
}

_Static_assert(sizeof(((struct store_iterator *)0)->path) ==
		   sizeof(((struct tree_iterator *)0)->path),
	       "a store_iterator begins as a tree_iterator");
_Static_assert(offsetof(struct store_iterator, depth) == offsetof(struct tree_iterator, depth),
	       "a store_iterator begins as a tree_iterator");

static struct tree_iterator *tree_iterator(struct store_iterator *iterator)
{
	return (struct tree_iterator *)iterator;
}

void store_iterate(const struct store_view *view, enum store_table table,
		   struct store_iterator *iterator)
{
	assert(table > 0 && table < STORE_TABLES);
	tree_seek(tree_iterator(iterator), view->tables[table], "", "");
	iterator->key = NULL;
}

void store_iterate_index(const struct store_view *view, enum store_index index, const char *key,
			 struct store_iterator *iterator)
{
	const struct tree *tree;
	struct tree_iterator ahead;
	char small[STORE_NAME_LENGTH_MAX + 1];
	size_t length = strlen(key);

	assert(index < STORE_INDEXES);
	if (indexes[index].key == name_key) {
		for (size_t i = 0; i <= length && i < sizeof(small); i++)
			small[i] = (char)tolower((unsigned char)key[i]);
		key = length < sizeof(small) ? small : ""; /* nothing is named "" */
	}
	tree_seek(tree_iterator(iterator), view->indexes[index], key, "");
	/* From here on the key is the tree's own, which lasts as long as the view. */
	ahead = *tree_iterator(iterator);
	tree = tree_next(&ahead);
	if (tree && !strcmp(tree->key, key))
		iterator->key = tree->key;
	else
		iterator->depth = 0;
}

const void *store_next(struct store_iterator *iterator)
{
	const struct tree *tree = tree_next(tree_iterator(iterator));

	if (!tree)
		return NULL;
	if (iterator->key && strcmp(tree->key, iterator->key)) {
		iterator->depth = 0;
		return NULL;
	}
	return object_message(tree->object);
}

static size_t find_by_name(const struct store_view *view, enum store_table table, const char *name,
			   const void **object)
{
	struct store_iterator iterator;
	size_t matches = 0;

	for (size_t index = 0; *name && index < STORE_INDEXES; index++) {
		const void *found;

		if (indexes[index].table != table || indexes[index].key != name_key)
			continue;
		store_iterate_index(view, (enum store_index)index, name, &iterator);
		while ((found = store_next(&iterator))) {
			*object = found;
			matches++;
		}
	}
	return matches;
}

static size_t find_by_prefix(const struct store_view *view, enum store_table table,
			     const char *prefix, const void **object)
{
	const size_t length = strlen(prefix);
	struct tree_iterator iterator;
	const struct tree *tree;
	size_t matches = 0;

	if (!length)
		return 0;
	tree_seek(&iterator, view->tables[table], prefix, "");
	while (matches < 1000 && (tree = tree_next(&iterator)) &&
	       !strncmp(tree->key, prefix, length)) {
		*object = object_message(tree->object);
		matches++;
	}
	return matches;
}

int store_find(const struct store_view *view, enum store_table table, const char *reference,
	       const void **object, size_t *matches)
{
	const void *found = store_get(view, table, reference);
	size_t count = found != NULL;

	if (!count)
		count = find_by_name(view, table, reference, &found);
	if (!count)
		count = find_by_prefix(view, table, reference, &found);
	if (matches)
		*matches = count;
	if (count != 1)
		return count ? -ENOTUNIQ : -ENOENT;
	*object = found;
	return 0;
}
