/* SPDX-License-Identifier: BSD-2-Clause */
#include "passwd.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 7 };

struct field {
	const char *text;
	size_t length;
};

/* The fields of the line at *at; moves on to the next. False at the end. */
static bool next_line(const char **at, struct field fields[FIELDS], unsigned int *count)
{
	const char *line = *at;
	const size_t length = strcspn(line, "\n");
	const char *const end = line + length;

	if (!*line)
		return false;
	*count = 0;
	while (*count < FIELDS) {
		const char *colon = memchr(line, ':', (size_t)(end - line));
		const char *stop = colon ? colon : end;
		fields[(*count)++] = (struct field){line, (size_t)(stop - line)};
		if (!colon)
			break;
		line = colon + 1;
	}
	*at = *end ? end + 1 : end;
	return true;
}

static bool is(const struct field *field, const char *text)
{
	return strlen(text) == field->length && !memcmp(field->text, text, field->length);
}

/* False unless all of it is a number that an ID may be. */
static bool number(const char *text, size_t length, unsigned int *out)
{
	char digits[11] = "";
	unsigned long value;

	if (!length || length >= sizeof(digits))
		return false;
	memcpy(digits, text, length);
	if (strspn(digits, "0123456789") != length)
		return false;
	value = strtoul(digits, NULL, 10);
	*out = (unsigned int)value;
	return value <= INT_MAX;
}

/* A name comes before a number: a user may be called "1000". Numbers without an entry are fine. */
static int find_user(const char *user, const char *passwd, char name[64], struct passwd_user *out,
		     struct error *error)
{
	struct field fields[FIELDS];
	unsigned int count, uid, gid, wanted = 0;
	const bool numeric = number(user, strlen(user), &wanted);

	while (next_line(&passwd, fields, &count)) {
		if (count < 4 || !number(fields[2].text, fields[2].length, &uid) ||
		    !number(fields[3].text, fields[3].length, &gid))
			continue;
		if (!is(&fields[0], user) && !(numeric && uid == wanted))
			continue;
		out->uid = uid;
		out->gid = gid;
		snprintf(name, 64, "%.*s", (int)fields[0].length, fields[0].text);
		if (count > 5 && fields[5].length)
			snprintf(out->home, sizeof(out->home), "%.*s", (int)fields[5].length,
				 fields[5].text);
		return 0;
	}
	if (numeric) {
		out->uid = wanted;
		return 0;
	}
	if (user[strspn(user, "0123456789-")] == '\0')
		return error_set(error, -EINVAL, "uids and gids must be in range 0-2147483647");
	return error_set(error, -ENOENT,
			 "unable to find user %.100s: no matching entries in passwd file", user);
}

static int find_group(const char *wanted, const char *group, gid_t *out, struct error *error)
{
	struct field fields[FIELDS];
	unsigned int count, gid, value = 0;
	const bool numeric = number(wanted, strlen(wanted), &value);

	while (next_line(&group, fields, &count)) {
		if (count < 3 || !number(fields[2].text, fields[2].length, &gid))
			continue;
		if (is(&fields[0], wanted)) {
			*out = gid;
			return 0;
		}
	}
	if (!numeric)
		return error_set(error, -ENOENT,
				 "unable to find group %.100s: no matching entries in group file",
				 wanted);
	*out = value;
	return 0;
}

static bool lists(const struct field *members, const char *name)
{
	const char *at = members->text, *end = at + members->length;
	const size_t length = strlen(name);

	while (length && at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const size_t size = (size_t)((comma ? comma : end) - at);
		if (size == length && !memcmp(at, name, length))
			return true;
		at += size + 1;
	}
	return false;
}

static void find_memberships(const char *name, const char *group, struct passwd_user *out)
{
	struct field fields[FIELDS];
	unsigned int count, gid;

	while (next_line(&group, fields, &count) && out->group_count < PASSWD_GROUPS_MAX) {
		if (count >= 4 && number(fields[2].text, fields[2].length, &gid) &&
		    lists(&fields[3], name))
			out->groups[out->group_count++] = gid;
	}
}

int passwd_resolve(const char *spec, const char *passwd, const char *group, struct passwd_user *out,
		   struct error *error)
{
	struct passwd_user made = {.home = "/"};
	char user[128], name[64] = "";
	const char *colon;
	int rc;

	spec = spec && *spec ? spec : "0";
	colon = strchr(spec, ':');
	if (snprintf(user, sizeof(user), "%.*s", colon ? (int)(colon - spec) : INT_MAX, spec) >=
	    (int)sizeof(user))
		return error_set(error, -EINVAL, "user name is too long");
	rc = find_user(*user ? user : "0", passwd, name, &made, error);
	if (!rc && colon && colon[1])
		rc = find_group(colon + 1, group, &made.gid, error); /* then it is the only one */
	else if (!rc)
		find_memberships(name, group, &made);
	if (!rc)
		*out = made;
	return rc;
}
