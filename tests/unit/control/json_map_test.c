/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON to messages and back. golden/objects.json holds objects of a real swarm, one of each shape
 * that was recorded, golden/requests.json bodies that a real docker CLI sent.
 *
 *   test_json_map OBJECTS.json REQUESTS.json
 */
#include "json_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "objects.pb-c.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *objects_path, *requests_path;
static struct json_map *map;

static const struct {
	const char *name;
	const ProtobufCMessageDescriptor *descriptor;
} types[] = {
    {"Cluster", &fl__cluster__descriptor},
    {"Node", &fl__node__descriptor},
    {"Service", &fl__service__descriptor},
    {"Task", &fl__task__descriptor},
    {"Secret", &fl__secret__descriptor},
    {"Config", &fl__config__descriptor},
    {"NetworkResource", &fl__network_resource__descriptor},
    {"LocalVolume", &fl__local_volume__descriptor},
    {"SwarmUnlock", &fl__swarm_unlock__descriptor},
    {"ServiceSpec", &fl__service_spec__descriptor},
    {"NodeSpec", &fl__node_spec__descriptor},
    {"SecretSpec", &fl__secret_spec__descriptor},
    {"ConfigSpec", &fl__config_spec__descriptor},
    {"ClusterSpec", &fl__cluster_spec__descriptor},
    {"NetworkCreateRequest", &fl__network_create_request__descriptor},
    {"SwarmInitRequest", &fl__swarm_init_request__descriptor},
    {"SwarmJoinRequest", &fl__swarm_join_request__descriptor},
    {"VolumeCreateRequest", &fl__volume_create_request__descriptor},
};

static const ProtobufCMessageDescriptor *type_of(const char *name)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		if (!strcmp(types[i].name, name))
			return types[i].descriptor;
	}
	fail_msg("no type %s", name);
	return NULL;
}

static bool is_empty(const json_t *json)
{
	return json_is_null(json) || (json_is_object(json) && !json_object_size(json)) ||
	       (json_is_array(json) && !json_array_size(json)) || json_is_false(json) ||
	       (json_is_string(json) && !json_string_length(json)) ||
	       (json_is_integer(json) && !json_integer_value(json));
}

/* Where b does not have what a has. `whole`: nor may it have more. "": nowhere. dockerd itself says
 * now null, now {} of a network's labels. */
static void compare(const json_t *a, const json_t *b, bool whole, const char *path, char *where,
		    size_t size)
{
	const char *key;
	json_t *value;
	char at[512];

	if (where[0])
		return;
	if (json_is_object(a) && json_is_object(b)) {
		json_object_foreach ((json_t *)(uintptr_t)a, key, value) {
			snprintf(at, sizeof(at), "%s.%s", path, key);
			if (json_object_get(b, key))
				compare(value, json_object_get(b, key), whole, at, where, size);
			else if (whole || !is_empty(value))
				snprintf(where, size, "%s is missing", at);
		}
		json_object_foreach ((json_t *)(uintptr_t)b, key, value) {
			if (whole && !json_object_get(a, key) && !where[0])
				snprintf(where, size, "%s.%s is too much", path, key);
		}
	} else if (json_is_array(a) && json_is_array(b) &&
		   json_array_size(a) == json_array_size(b)) {
		for (size_t i = 0; i < json_array_size(a); i++) {
			snprintf(at, sizeof(at), "%s[%zu]", path, i);
			compare(json_array_get(a, i), json_array_get(b, i), whole, at, where, size);
		}
	} else if (!json_equal(a, b) && !(is_empty(a) && is_empty(b) &&
					  (json_is_null(a) || json_is_null(b) || !whole))) {
		char *left = json_map_text(a), *right = json_map_text(b);

		snprintf(where, size, "%s: %.100s became %.100s", path, left, right);
		free(left);
		free(right);
	}
}

/* Through the message's bytes, too. */
static json_t *there_and_back(const ProtobufCMessageDescriptor *type, const json_t *json)
{
	ProtobufCMessage *message, *again;
	struct problem problem = {0};
	char *text = json_map_text(json);
	uint8_t *bytes;
	size_t size;
	json_t *back;

	assert_non_null(text);
	if (json_map_parse(map, type, text, strlen(text), &message, &problem))
		fail_msg("%s: %s", text, problem.message);
	size = protobuf_c_message_get_packed_size(message);
	bytes = malloc(size + 1);
	assert_non_null(bytes);
	assert_int_equal(protobuf_c_message_pack(message, bytes), size);
	again = protobuf_c_message_unpack(type, NULL, size, bytes);
	assert_non_null(again);
	back = json_map_encode(map, again);
	assert_non_null(back);
	protobuf_c_message_free_unpacked(message, NULL);
	protobuf_c_message_free_unpacked(again, NULL);
	free(bytes);
	free(text);
	return back;
}

static size_t check_file(const char *path, bool whole)
{
	json_error_t error;
	json_t *file = json_load_file(path, 0, &error), *list, *object;
	size_t count = 0, i;
	const char *name;

	if (!file)
		fail_msg("%s: %s", path, error.text);
	json_object_foreach (file, name, list) {
		json_array_foreach (list, i, object) {
			json_t *back = there_and_back(type_of(name), object);
			char where[800] = "";

			compare(object, back, whole, name, where, sizeof(where));
			if (where[0])
				fail_msg("%s[%zu]: %s", name, i, where);
			json_decref(back);
			count++;
		}
	}
	json_decref(file);
	return count;
}

static void test_golden_objects(void **state)
{
	(void)state;
	print_message("%zu objects\n", check_file(objects_path, true));
}

/* A request may say less than what is shown afterwards, and zeros may be left out. */
static void test_golden_requests(void **state)
{
	(void)state;
	print_message("%zu requests\n", check_file(requests_path, false));
}

/* json with ' for ". */
static int parse(const ProtobufCMessageDescriptor *type, const char *json,
		 ProtobufCMessage **message, struct problem *problem)
{
	char *text = strdup(json);
	int rc;

	assert_non_null(text);
	for (char *at = text; (at = strchr(at, '\''));)
		*at = '"';
	rc = json_map_parse(map, type, text, strlen(text), message, problem);
	free(text);
	return rc;
}

static void check_refused(const ProtobufCMessageDescriptor *type, const char *json,
			  const char *words)
{
	ProtobufCMessage *message = NULL;
	struct problem problem = {0};

	assert_int_equal(parse(type, json, &message, &problem), -EINVAL);
	assert_null(message);
	assert_string_equal(problem.message, words);
	assert_int_equal(problem.code, -EINVAL);
}

static void test_wrong_types(void **state)
{
	static const struct {
		const char *json, *words;
	} cases[] = {
	    {"{'Name': 1}",
	     "json: cannot unmarshal number into Go struct field ServiceSpec.Name of "
	     "type string"},
	    {"{'Labels': []}", "json: cannot unmarshal array into Go struct field "
			       "ServiceSpec.Labels of type map[string]string"},
	    {"{'Labels': {'a': 1}}", "json: cannot unmarshal number into Go struct field "
				     "ServiceSpec.Labels of type string"},
	    {"{'TaskTemplate': {'ContainerSpec': {'Image': {}}}}",
	     "json: cannot unmarshal object into Go struct field "
	     "ContainerSpec.TaskTemplate.ContainerSpec.Image of type string"},
	    {"{'TaskTemplate': {'ContainerSpec': {'Env': 'A=B'}}}",
	     "json: cannot unmarshal string into Go struct field "
	     "ContainerSpec.TaskTemplate.ContainerSpec.Env of type []string"},
	    {"{'TaskTemplate': {'ContainerSpec': {'Env': [true]}}}",
	     "json: cannot unmarshal bool into Go struct field "
	     "ContainerSpec.TaskTemplate.ContainerSpec.Env of type string"},
	    {"{'TaskTemplate': {'ContainerSpec': {'StopGracePeriod': '10s'}}}",
	     "json: cannot unmarshal string into Go struct field "
	     "ContainerSpec.TaskTemplate.ContainerSpec.StopGracePeriod of type time.Duration"},
	    {"{'TaskTemplate': {'ContainerSpec': {'Mounts': {}}}}",
	     "json: cannot unmarshal object into Go struct field "
	     "ContainerSpec.TaskTemplate.ContainerSpec.Mounts of type []mount.Mount"},
	    {"{'TaskTemplate': {'ContainerSpec': {'Mounts': [1]}}}",
	     "json: cannot unmarshal number into Go struct field "
	     "ContainerSpec.TaskTemplate.ContainerSpec.Mounts of type mount.Mount"},
	    {"{'TaskTemplate': {'ContainerSpec': {'ReadOnly': 'yes'}}}",
	     "json: cannot unmarshal string into Go struct field "
	     "ContainerSpec.TaskTemplate.ContainerSpec.ReadOnly of type bool"},
	    {"{'Mode': {'Replicated': {'Replicas': -1}}}",
	     "json: cannot unmarshal number -1 into Go struct field "
	     "ReplicatedService.Mode.Replicated.Replicas of type uint64"},
	    {"{'Mode': {'Replicated': {'Replicas': 1.5}}}",
	     "json: cannot unmarshal number 1.5 into Go struct field "
	     "ReplicatedService.Mode.Replicated.Replicas of type uint64"},
	    {"{'Mode': []}",
	     "json: cannot unmarshal array into Go struct field ServiceSpec.Mode of "
	     "type swarm.ServiceMode"},
	    {"{'EndpointSpec': {'Ports': [{'TargetPort': 4294967296}]}}",
	     "json: cannot unmarshal number 4294967296 into Go struct field "
	     "PortConfig.EndpointSpec.Ports.TargetPort of type uint32"},
	    {"{'UpdateConfig': {'MaxFailureRatio': 'x'}}",
	     "json: cannot unmarshal string into Go struct field "
	     "UpdateConfig.UpdateConfig.MaxFailureRatio of type float32"},
	    {"{'UpdateConfig': {'Order': 'sideways'}}", "unrecognized update order sideways"},
	    {"{'TaskTemplate': {'RestartPolicy': {'Condition': 'never'}}}",
	     "invalid RestartCondition: \"never\""},
	    {"{'EndpointSpec': {'Mode': 'x'}}", "invalid resolution mode: \"x\""},
	    {"[]", "json: cannot unmarshal array into Go value of type swarm.ServiceSpec"},
	    {"'x'", "json: cannot unmarshal string into Go value of type swarm.ServiceSpec"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_refused(&fl__service_spec__descriptor, cases[i].json, cases[i].words);
	check_refused(&fl__node_spec__descriptor, "{'Role': 'boss'}", "invalid Role: \"boss\"");
	check_refused(&fl__config_spec__descriptor, "{'Data': 'YW Jj'}",
		      "illegal base64 data at input byte 2");
	check_refused(&fl__config_spec__descriptor, "{'Data': 7}",
		      "json: cannot unmarshal number into Go struct field ConfigSpec.Data of type "
		      "[]uint8");
	check_refused(&fl__swarm_init_request__descriptor,
		      "{'Spec': {'Raft': {'ElectionTick': ''}}}",
		      "json: cannot unmarshal string into Go struct field "
		      "RaftConfig.Spec.Raft.ElectionTick of type int");
}

static void test_broken_text(void **state)
{
	char deep[2 * (JSON_DEPTH_MAX + 1) + 20];
	ProtobufCMessage *message;
	struct problem problem;
	char *huge = malloc(JSON_SIZE_MAX + 1);
	(void)state;

	check_refused(&fl__service_spec__descriptor, "",
		      "invalid JSON: got EOF while reading request body");
	check_refused(&fl__service_spec__descriptor, "{'Name': 'x'",
		      "invalid JSON: unexpected EOF");
	check_refused(&fl__service_spec__descriptor, "{} {}", "unexpected content after JSON");
	check_refused(&fl__service_spec__descriptor, "{'Name': 'a\\u0000b'}",
		      "invalid JSON: a string holds \\u0000");
	check_refused(&fl__service_spec__descriptor, "{'a': 99999999999999999999}",
		      "invalid JSON: number out of range");
	check_refused(&fl__service_spec__descriptor, "{'Name': 'a\xff'}",
		      "invalid JSON: invalid UTF-8");
	check_refused(&fl__service_spec__descriptor, "{!}",
		      "invalid JSON: invalid character '!' at byte 2");
	snprintf(deep, sizeof(deep), "{'a': %.*s", JSON_DEPTH_MAX,
		 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
	check_refused(&fl__service_spec__descriptor, deep, "invalid JSON: exceeded max depth");

	assert_non_null(huge);
	memset(huge, '1', JSON_SIZE_MAX + 1);
	assert_int_equal(json_map_parse(map, &fl__service_spec__descriptor, huge, JSON_SIZE_MAX + 1,
					&message, &problem),
			 -EFBIG);
	free(huge);
}

static Fl__ServiceSpec *service_spec(const char *json)
{
	ProtobufCMessage *message = NULL;
	struct problem problem = {0};

	if (parse(&fl__service_spec__descriptor, json, &message, &problem))
		fail_msg("%s", problem.message);
	return (Fl__ServiceSpec *)message;
}

/* Unknown keys, keys in another case, the last of two, null, maps in order. */
static void test_lenient(void **state)
{
	Fl__ServiceSpec *spec = service_spec(
	    "{'Unknown': {'a': [1]}, 'name': 'x', 'NAME': 'y', 'Labels': {'b': null, 'a': '1'},"
	    " 'EndpointSpec': null, 'Mode': {'Replicated': {'Replicas': 0}, 'Global': null},"
	    " 'TaskTemplate': {'ContainerSpec': {'TTY': false, 'Init': false, 'Env': null,"
	    "  'Privileges': {}, 'Secrets': [null]}, 'RestartPolicy': {'Condition': ''}},"
	    " 'UpdateConfig': {'Order': 'START-first', 'MaxFailureRatio': 0.1}}");
	(void)state;

	assert_string_equal(spec->name, "y");
	assert_int_equal(spec->n_labels, 2);
	assert_string_equal(spec->labels[0]->key, "a");
	assert_string_equal(spec->labels[1]->key, "b");
	assert_string_equal(spec->labels[1]->value, "");
	assert_null(spec->endpoint_spec);
	assert_true(spec->mode->replicated->has_replicas);
	assert_int_equal(spec->mode->replicated->replicas, 0);
	assert_null(spec->mode->global);
	/* omitempty: zero is nothing; a pointer: false is something. */
	assert_false(spec->task_template->container_spec->has_tty);
	assert_true(spec->task_template->container_spec->has_init);
	assert_non_null(spec->task_template->container_spec->privileges);
	assert_int_equal(spec->task_template->container_spec->n_secrets, 1);
	assert_false(spec->task_template->restart_policy->has_condition);
	assert_int_equal(spec->update_config->order, FL__UPDATE_CONFIG__ORDER__START_FIRST);
	fl__service_spec__free_unpacked(spec, NULL);
}

static void check_text(const ProtobufCMessage *message, const char *expected)
{
	json_t *json = json_map_encode(map, message);
	char *text = json_map_text(json);

	assert_non_null(text);
	for (char *at = text; (at = strchr(at, '"'));)
		*at = '\'';
	assert_string_equal(text, expected);
	free(text);
	json_decref(json);
}

static void test_encoding(void **state)
{
	Fl__UpdateConfig update = FL__UPDATE_CONFIG__INIT;
	Fl__NodeSpec node = FL__NODE_SPEC__INIT;
	Fl__TaskStatus status = FL__TASK_STATUS__INIT;
	Fl__TmpfsOptions tmpfs = FL__TMPFS_OPTIONS__INIT;
	Fl__StringList list = FL__STRING_LIST__INIT;
	(void)state;

	check_text(&update.base, "{'Parallelism':0,'FailureAction':'pause','MaxFailureRatio':0,"
				 "'Order':'stop-first'}");
	update.has_max_failure_ratio = true;
	update.max_failure_ratio = 0.1F;
	check_text(&update.base, "{'Parallelism':0,'FailureAction':'pause','MaxFailureRatio':0.1,"
				 "'Order':'stop-first'}");

	node.name = (char[]){"a\xff\xe2\x82z"};
	check_text(&node.base, "{'Name':'a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz','Labels':{},"
			       "'Role':'worker','Availability':'active'}");

	status.has_timestamp = true;
	status.timestamp = 1795244614402362850;
	status.has_state = true;
	status.state = FL__TASK_STATE__PREPARING;
	status.has_healthy = true; /* ours: not shown */
	check_text(&status.base, "{'Timestamp':'2026-11-21T07:03:34.40236285Z','State':'preparing',"
				 "'PortStatus':{}}");
	status.state = (Fl__TaskState)77; /* a newer manager's */
	status.has_timestamp = false;
	check_text(&status.base, "{'Timestamp':'0001-01-01T00:00:00Z','State':'','PortStatus':{}}");

	list.n_items = 2;
	list.items = (char *[]){(char[]){"size"}, (char[]){"1k"}};
	tmpfs.n_options = 1;
	tmpfs.options = (Fl__StringList *[]){&list};
	check_text(&tmpfs.base, "{'Options':[['size','1k']]}");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden_objects), cmocka_unit_test(test_golden_requests),
	    cmocka_unit_test(test_wrong_types),    cmocka_unit_test(test_broken_text),
	    cmocka_unit_test(test_lenient),        cmocka_unit_test(test_encoding),
	};
	int failed;

	if (argc != 3)
		return 2;
	objects_path = argv[1];
	requests_path = argv[2];
	map = json_map_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_map_free(map);
	return failed;
}
