/* SPDX-License-Identifier: BSD-2-Clause */
#include "scheduler_constraint.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "allocator_address.h"

/* A piece of a text. */
struct slice {
	const char *at;
	size_t length;
};

struct constraint {
	struct slice key, value;
	bool equal; /* else != */
};

static struct slice trimmed(const char *at, size_t length)
{
	while (length && isspace((unsigned char)*at)) {
		at++;
		length--;
	}
	while (length && isspace((unsigned char)at[length - 1]))
		length--;
	return (struct slice){at, length};
}

/* ==, wherever it is, goes before !=, as in Swarm. -EINVAL: neither. */
static int split(const char *text, struct constraint *constraint)
{
	const char *sign = strstr(text, "==");

	constraint->equal = sign != NULL;
	if (!sign)
		sign = strstr(text, "!=");
	if (!sign)
		return -EINVAL;
	constraint->key = trimmed(text, (size_t)(sign - text));
	constraint->value = trimmed(sign + 2, strlen(sign + 2));
	return 0;
}

static bool consists_of(struct slice text, const char *marks)
{
	for (size_t i = 0; i < text.length; i++) {
		if (!isalnum((unsigned char)text.at[i]) && !strchr(marks, text.at[i]))
			return false;
	}
	return true;
}

static bool is_key(struct slice key)
{
	return key.length >= 2 && !isdigit((unsigned char)*key.at) && *key.at != '-' &&
	       *key.at != '.' && consists_of(key, "-_.");
}

static bool is_value(struct slice value)
{
	return value.length && consists_of(value, ":-_ \t\n\v\f\r.*()?+[]\\^$|/");
}

int constraints_check(char *const *texts, size_t count, struct problem *problem)
{
	struct constraint constraint;

	if (count > CONSTRAINTS_MAX)
		return problem_set(problem, -EINVAL, "more than %d placement constraints",
				   CONSTRAINTS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (split(texts[i], &constraint))
			return problem_set(problem, -EINVAL,
					   "constraint expected one operator from ==, !=");
		if (!is_key(constraint.key))
			return problem_set(problem, -EINVAL, "key '%.*s' is invalid",
					   (int)constraint.key.length, constraint.key.at);
		if (!is_value(constraint.value))
			return problem_set(problem, -EINVAL, "value '%.*s' is invalid",
					   (int)constraint.value.length, constraint.value.at);
	}
	return 0;
}

static bool equals(struct slice slice, const char *text)
{
	return !strncasecmp(slice.at, text, slice.length) && !text[slice.length];
}

static const char *label(Fl__KeyValue *const *labels, size_t count, struct slice key)
{
	for (size_t i = 0; i < count; i++) {
		if (labels[i]->key && !strncmp(labels[i]->key, key.at, key.length) &&
		    !labels[i]->key[key.length])
			return labels[i]->value ? labels[i]->value : "";
	}
	return "";
}

/* The rest of a text behind a prefix; length 0: it has another one, or no rest. */
static struct slice behind(struct slice text, const char *prefix)
{
	const size_t length = strlen(prefix);

	if (text.length <= length || strncasecmp(text.at, prefix, length) != 0)
		return (struct slice){0};
	return (struct slice){text.at + length, text.length - length};
}

static const char *label_value(struct slice key, const Fl__Node *node)
{
	const Fl__EngineDescription *engine = node->description ? node->description->engine : NULL;
	struct slice rest = behind(key, "node.labels.");

	if (rest.length)
		return node->spec ? label(node->spec->labels, node->spec->n_labels, rest) : "";
	rest = behind(key, "engine.labels.");
	if (rest.length)
		return engine ? label(engine->labels, engine->n_labels, rest) : "";
	return NULL;
}

/* A node's value for a key; NULL: no such key. */
static const char *value_of(struct slice key, const Fl__Node *node)
{
	const Fl__NodeDescription *description = node->description;
	const Fl__Platform *platform = description ? description->platform : NULL;
	const char *value = NULL;

	if (equals(key, "node.id"))
		value = node->id;
	else if (equals(key, "node.hostname"))
		value = description ? description->hostname : NULL;
	else if (equals(key, "node.role"))
		value = node->role == FL__NODE_SPEC__ROLE__MANAGER ? "manager" : "worker";
	else if (equals(key, "node.platform.os"))
		value = platform ? platform->os : NULL;
	else if (equals(key, "node.platform.arch"))
		value = platform ? platform->architecture : NULL;
	else
		return label_value(key, node);
	return value ? value : "";
}

static bool ip_matches(const struct constraint *constraint, const Fl__Node *node)
{
	const char *text = node->status && node->status->addr ? node->status->addr : "";
	char buffer[ADDRESS_TEXT_SIZE];
	struct prefix prefix;
	ip_address address;
	bool inside;

	if (constraint->value.length >= sizeof(buffer))
		return false;
	memcpy(buffer, constraint->value.at, constraint->value.length);
	buffer[constraint->value.length] = '\0';
	if (prefix_parse(buffer, &prefix)) {
		if (address_parse(buffer, &prefix.first))
			return false;
		prefix.last = prefix.first;
	}
	inside =
	    !address_parse(text, &address) && address >= prefix.first && address <= prefix.last;
	return inside == constraint->equal;
}

static bool matches(const char *text, const Fl__Node *node)
{
	struct constraint constraint;
	const char *value;

	if (split(text, &constraint) || !is_key(constraint.key) || !is_value(constraint.value))
		return false;
	if (equals(constraint.key, "node.ip"))
		return ip_matches(&constraint, node);
	value = value_of(constraint.key, node);
	return value && equals(constraint.value, value) == constraint.equal;
}

bool constraints_match(char *const *texts, size_t count, const Fl__Node *node)
{
	for (size_t i = 0; i < count; i++) {
		if (!matches(texts[i], node))
			return false;
	}
	return true;
}

const char *constraint_label(const char *descriptor, const Fl__Node *node)
{
	return label_value((struct slice){descriptor, strlen(descriptor)}, node);
}
