/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_JSON_RULES_H
#define FL_JSON_RULES_H
/*
 * What docker's JSON has of its own. By rule, read off the descriptors: task_template is
 * "TaskTemplate"; sfixed64 is a time; bytes are base 64; an enum's word is its name in small
 * letters with '-' for '_'; repeated KeyValue is an object; a field of number 100 or more is not
 * shown; what is zero or empty is left out. All else stands in json_rules.c.
 */
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

enum { JSON_HIDDEN_FIELDS = 100 }; /* fields from this number on are not for JSON */

/* When a field that is zero, empty or absent is written. */
enum json_emit {
	JSON_EMIT_NONZERO, /* Go: omitempty. Never; a message and an enum if present */
	JSON_EMIT_PRESENT, /* Go: a pointer. If present, be it zero */
	JSON_EMIT_ALWAYS,  /* Go: a value. Zero, "", [], {}, a message of zeros */
	JSON_EMIT_NULL,    /* null if absent or empty */
};

struct json_rule {
	const char *message; /* NULL: any */
	const char *field;
	enum json_emit emit;
	const char *key;     /* NULL: by rule */
	const char *go_type; /* for error messages; NULL: by rule */
};

/* The first that fits, or one that says nothing; never NULL. */
const struct json_rule *json_rule_find(const char *message, const char *field);

/* One part of a key, e.g. "id" -> "ID"; NULL: by rule, with its first letter made a capital. */
const char *json_rule_word(const char *part, size_t length);

/* A message's type as Go calls it, e.g. "swarm.Spec"; NULL: "swarm." and its name. */
const char *json_rule_go_message(const char *message);

/* What dockerd makes of a word that an enum does not know. */
struct json_enum_rule {
	const char *name;      /* the enum's, e.g. "fl.NodeSpec.Role" */
	const char *go_type;   /* "swarm.NodeRole" */
	const char *complaint; /* begins the error; NULL: the word is taken for nothing at all */
	int quoted;            /* the word is quoted in the error */
	int underscores;       /* words keep their '_' */
};
const struct json_enum_rule *json_rule_enum(const char *name); /* never NULL */
#endif
