/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "sim_users.h"

enum { WORDS_MAX = 64 };

struct words {
	char *word[WORDS_MAX];
	size_t count, at;
};

static bool ended(const struct words *words)
{
	return words->at == words->count;
}

static char *take(struct words *words)
{
	if (ended(words))
		fail_msg("\"%s\" wants more words", words->word[0]);
	return words->word[words->at++];
}

static bool take_if(struct words *words, const char *word)
{
	const bool is = !ended(words) && !strcmp(words->word[words->at], word);

	words->at += is;
	return is;
}

static uint64_t take_number(struct words *words)
{
	char *end;
	const char *word = take(words);
	const uint64_t number = strtoull(word, &end, 10);

	if (*end || end == word)
		fail_msg("\"%s\" is no number", word);
	return number;
}

static int64_t take_time(struct words *words)
{
	static const struct {
		const char *unit;
		int64_t time;
	} units[] = {
	    {"ms", SIM_MS}, {"s", SIM_SECOND}, {"m", 60 * SIM_SECOND}, {"h", 3600 * SIM_SECOND}};
	char *end;
	const char *word = take(words);
	const int64_t number = strtoll(word, &end, 10);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(end, units[i].unit))
			return number * units[i].time;
	}
	fail_msg("\"%s\" is no time", word);
	return 0;
}

static int take_enum(struct words *words, const ProtobufCEnumDescriptor *type)
{
	const char *word = take(words);
	char name[32];
	size_t i;
	const ProtobufCEnumValue *value;

	for (i = 0; word[i] && i < sizeof(name) - 1; i++)
		name[i] = word[i] == '-' ? '_' : (char)(word[i] - ('a' <= word[i] ? 32 : 0));
	name[i] = '\0';
	value = protobuf_c_enum_descriptor_get_value_by_name(type, name);
	if (!value)
		fail_msg("\"%s\" is not of %s", word, type->name);
	return value->value;
}

/* --- Settings of a service --- */

static bool set_update(struct words *words, Fl__UpdateConfig *config)
{
	if (take_if(words, "parallelism")) {
		config->has_parallelism = true;
		config->parallelism = take_number(words);
	} else if (take_if(words, "delay")) {
		config->has_delay = true;
		config->delay = take_time(words);
	} else if (take_if(words, "monitor")) {
		config->has_monitor = true;
		config->monitor = take_time(words);
	} else if (take_if(words, "action")) {
		config->has_failure_action = true;
		config->failure_action = (Fl__UpdateConfig__FailureAction)take_enum(
		    words, &fl__update_config__failure_action__descriptor);
	} else if (take_if(words, "ratio")) {
		config->has_max_failure_ratio = true;
		config->max_failure_ratio = strtof(take(words), NULL);
	} else if (take_if(words, "order")) {
		config->has_order = true;
		config->order = (Fl__UpdateConfig__Order)take_enum(
		    words, &fl__update_config__order__descriptor);
	} else {
		return false;
	}
	return true;
}

static void set_policy(struct words *words, struct sim_spec *spec)
{
	Fl__RestartPolicy *policy = &spec->policy;

	spec->has_policy = true;
	if (take_if(words, "condition")) {
		policy->has_condition = true;
		policy->condition = (Fl__RestartPolicy__Condition)take_enum(
		    words, &fl__restart_policy__condition__descriptor);
	} else if (take_if(words, "delay")) {
		policy->has_delay = true;
		policy->delay = take_time(words);
	} else if (take_if(words, "attempts")) {
		policy->has_max_attempts = true;
		policy->max_attempts = take_number(words);
	} else if (take_if(words, "window")) {
		policy->has_window = true;
		policy->window = take_time(words);
	} else {
		fail_msg("restart \"%s\"?", take(words));
	}
}

static bool set_mode(struct words *words, struct sim_spec *spec)
{
	if (take_if(words, "replicas")) {
		spec->mode = "replicated";
		spec->replicas = take_number(words);
	} else if (take_if(words, "global")) {
		spec->mode = "global";
	} else if (take_if(words, "job")) {
		spec->mode = "replicated-job";
		spec->completions = take_number(words);
		spec->concurrent = take_if(words, "at") ? take_number(words) : spec->completions;
	} else if (take_if(words, "global-job")) {
		spec->mode = "global-job";
	} else {
		return false;
	}
	return true;
}

static void set(struct words *words, struct sim_spec *spec)
{
	while (!ended(words)) {
		if (set_mode(words, spec))
			continue;
		if (take_if(words, "image"))
			spec->image = take(words);
		else if (take_if(words, "pull"))
			spec->pull = take(words);
		else if (take_if(words, "force"))
			spec->force++;
		else if (take_if(words, "labelled"))
			spec->has_label = true;
		else if (take_if(words, "constraint"))
			spec->constraint = take(words);
		else if (take_if(words, "unconstrained"))
			spec->constraint = NULL;
		else if (take_if(words, "grace"))
			spec->grace = take_time(words);
		else if (take_if(words, "restart"))
			set_policy(words, spec);
		else if (take_if(words, "update"))
			spec->has_update = set_update(words, &spec->update);
		else if (take_if(words, "rollback"))
			spec->has_rollback = set_update(words, &spec->rollback);
		else
			fail_msg("setting \"%s\"?", take(words));
	}
}

static void cmd_service(struct sim *sim, struct words *words)
{
	struct sim_spec spec = {.name = take(words), .mode = "replicated", .image = "app:1"};

	fl__restart_policy__init(&spec.policy);
	fl__update_config__init(&spec.update);
	fl__update_config__init(&spec.rollback);
	spec.update.has_parallelism = spec.rollback.has_parallelism = true;
	spec.update.parallelism = spec.rollback.parallelism =
	    1; /* as the CLI says if the user does not */
	set(words, &spec);
	sim_create_service(sim, &spec);
}

static const Fl__Service *service(const struct sim *sim, const char *name)
{
	const Fl__Service *found = sim_service_named(sim, name);

	if (!found)
		fail_msg("no service \"%s\"", name);
	return found;
}

static void cmd_update(struct sim *sim, struct words *words)
{
	struct sim_spec spec = sim_spec_of(service(sim, take(words)));

	set(words, &spec);
	sim_update(sim, &spec);
}

static void cmd_image(struct sim *sim, struct words *words)
{
	struct sim_image *image = &sim->images[sim->image_count++];

	assert_true(sim->image_count <= SIM_IMAGES_MAX);
	*image = (struct sim_image){
	    .prepare = 100 * SIM_MS, .start = 100 * SIM_MS, .stop = 100 * SIM_MS};
	snprintf(image->name, sizeof(image->name), "%s", take(words));
	while (!ended(words)) {
		if (take_if(words, "rejected")) {
			image->rejected = true;
		} else if (take_if(words, "prepares")) {
			image->prepare = take_time(words);
		} else if (take_if(words, "starts")) {
			image->start = take_time(words);
		} else if (take_if(words, "stops")) {
			image->stop = take_time(words);
		} else if (take_if(words, "fails")) {
			image->end = FL__TASK_STATE__FAILED;
			image->run = take_time(words);
		} else if (take_if(words, "completes")) {
			image->end = FL__TASK_STATE__COMPLETE;
			image->run = take_time(words);
		} else {
			fail_msg("image \"%s\"?", take(words));
		}
	}
}

static void cmd_run(struct sim *sim, struct words *words)
{
	const int64_t duration = take_time(words);
	FILE *out = sim->out;

	if (take_if(words, "quietly"))
		sim->out = NULL;
	sim_run(sim, duration);
	sim->out = out;
}

static void cmd_settle(struct sim *sim, struct words *words)
{
	FILE *out = sim->out;

	if (take_if(words, "quietly"))
		sim->out = NULL;
	if (!sim_settle(sim))
		fprintf(out, "does not come to rest\n");
	sim->out = out;
}

static void cmd_ps(struct sim *sim, struct words *words)
{
	sim_tell_tasks(sim, service(sim, take(words))->id);
}

static void cmd_status(struct sim *sim, struct words *words)
{
	const Fl__Service *found = service(sim, take(words));

	sim_tell_update(sim, found);
	fprintf(sim->out, "image %s, before %s\n",
		found->spec->task_template->container_spec->image,
		found->previous_spec ? found->previous_spec->task_template->container_spec->image
				     : "none");
}

/* How many ran at once, since this was asked last. */
static void cmd_ran(struct sim *sim, struct words *words)
{
	struct sim_service *found = sim_service_of(sim, service(sim, take(words))->id);

	if (found->least <= found->most)
		fprintf(sim->out, "%zu to %zu\n", found->least, found->most);
	found->least = found->most = sim_running(sim, found->id);
}

static void cmd_nodes(struct sim *sim, struct words *words)
{
	while (!ended(words))
		sim_add_node(sim, take(words), FL__NODE__MEMBERSHIP__ACCEPTED);
}

/* Known, and not let in. */
static void cmd_candidates(struct sim *sim, struct words *words)
{
	while (!ended(words))
		sim_add_node(sim, take(words), FL__NODE__MEMBERSHIP__PENDING);
}

static void cmd_node(struct sim *sim, struct words *words)
{
	static const struct {
		const char *name;
		void (*run)(struct sim *sim, const char *name);
	} fates[] = {{"down", sim_node_down}, {"up", sim_node_up},       {"cut", sim_node_cut},
		     {"mend", sim_node_mend}, {"leave", sim_node_leave}, {"remove", sim_remove},
		     {"retire", sim_retire},  {"rollback", sim_rollback}};

	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
		if (!strcmp(words->word[0], fates[i].name)) {
			fates[i].run(sim, take(words));
			return;
		}
	}
	fail_msg("command \"%s\"?", words->word[0]);
}

static void cmd_availability(struct sim *sim, struct words *words)
{
	words->at = 0;
	const int value = take_enum(words, &fl__node_spec__availability__descriptor);

	sim_set_availability(sim, take(words), (Fl__NodeSpec__Availability)value);
}

static void cmd_label(struct sim *sim, struct words *words)
{
	const char *name = take(words), *key = take(words);

	sim_set_label(sim, name, key, take(words));
}

static void cmd_history(struct sim *sim, struct words *words)
{
	sim_set_history(sim, (int64_t)take_number(words));
}

static void cmd_leader(struct sim *sim, struct words *words)
{
	(void)words;
	sim_new_leader(sim);
}

/* The scheduler's next place, which may be none that it should choose: what it knew is old. */
static void cmd_misplace(struct sim *sim, struct words *words)
{
	sim->misplace = sim_node_named(sim, take(words))->id;
}

static void cmd_twice(struct sim *sim, struct words *words)
{
	(void)words;
	sim->twice = true;
}

static void cmd_lose(struct sim *sim, struct words *words)
{
	sim->lose = take_number(words);
}

static void run_command(struct sim *sim, struct words *words)
{
	static const struct {
		const char *name;
		void (*run)(struct sim *sim, struct words *words);
	} commands[] = {
	    {"candidates", cmd_candidates}, {"nodes", cmd_nodes},
	    {"image", cmd_image},           {"service", cmd_service},
	    {"update", cmd_update},         {"run", cmd_run},
	    {"settle", cmd_settle},         {"ps", cmd_ps},
	    {"status", cmd_status},         {"ran", cmd_ran},
	    {"label", cmd_label},           {"history", cmd_history},
	    {"leader", cmd_leader},         {"lose", cmd_lose},
	    {"active", cmd_availability},   {"pause", cmd_availability},
	    {"drain", cmd_availability},    {"misplace", cmd_misplace},
	    {"twice", cmd_twice},
	};
	const char *name = take(words);

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(name, commands[i].name)) {
			commands[i].run(sim, words);
			return;
		}
	}
	cmd_node(sim, words);
}

char *sim_script_run(const char *text, bool forgetful)
{
	char *told = NULL, *copy = strdup(text), *rest = copy, *line;
	size_t size;
	struct sim *sim = sim_new(1);

	assert_non_null(copy);
	sim->forgetful = forgetful;
	sim->out = open_memstream(&told, &size);
	assert_non_null(sim->out);
	while ((line = strsep(&rest, "\n")) && (rest || *line)) {
		struct words words = {.count = 0};

		if (*line == '#' || !*line || *line == '>')
			fprintf(sim->out, "%s\n", line);
		if (strncmp(line, "> ", 2))
			continue;
		line += 2;
		for (char *word; (word = strsep(&line, " ")) && words.count < WORDS_MAX;)
			words.word[words.count++] = word;
		run_command(sim, &words);
	}
	fclose(sim->out);
	sim_free(sim);
	free(copy);
	return told;
}
