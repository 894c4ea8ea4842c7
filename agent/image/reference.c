/* SPDX-License-Identifier: BSD-2-Clause */
#include "reference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOWER          "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER          "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DOMAIN_DEFAULT "docker.io"

static int invalid(struct error *error)
{
	return error_set(error, -EINVAL, "invalid reference format");
}

/* One part of a path: lower-case words, joined by one dot, one or two underscores, or any dashes.
 */
static bool is_component(const char *text, size_t length)
{
	size_t at = 0;

	while (at < length) {
		const size_t word = strspn(text + at, LOWER);
		if (!word)
			return false;
		at += word;
		if (at >= length)
			return at == length;
		const size_t dashes = strspn(text + at, "-"), scores = strspn(text + at, "_");
		const size_t joint = text[at] == '.' ? 1 : dashes ? dashes : scores;
		if (!joint || scores > 2)
			return false;
		at += joint;
	}
	return false;
}

static bool is_path(const char *path)
{
	while (true) {
		const size_t length = strcspn(path, "/");
		if (!is_component(path, length))
			return false;
		if (!path[length])
			return true;
		path += length + 1;
	}
}

/* Labels of letters, digits and inner dashes, or an IPv6 address in brackets; then maybe a port. */
static bool is_domain(const char *domain)
{
	const char *at = domain;

	if (*at == '[') {
		at += 1 + strspn(at + 1, "0123456789abcdefABCDEF:");
		if (at == domain + 1 || *at++ != ']')
			return false;
	} else {
		do {
			at += domain != at;
			const size_t length = strspn(at, LOWER UPPER "-");
			if (!length || *at == '-' || at[length - 1] == '-')
				return false;
			at += length;
		} while (*at == '.');
	}
	if (*at == ':')
		return at[1] && !at[1 + strspn(at + 1, "0123456789")];
	return !*at;
}

static bool is_tag(const char *tag)
{
	const size_t length = strlen(tag);

	return length >= 1 && length < sizeof(((struct reference *)0)->tag) && *tag != '.' &&
	       *tag != '-' && strspn(tag, LOWER UPPER "_.-") == length;
}

/* Whether what is before a slash names a registry; else it is the first part of the path. */
static bool looks_like_domain(const char *text, size_t length)
{
	return memchr(text, '.', length) || memchr(text, ':', length) || *text == '[' ||
	       (length == 9 && !memcmp(text, "localhost", 9));
}

static int split_name(const char *name, struct reference *out, struct error *error)
{
	const char *slash = strchr(name, '/'), *path = name;
	const char *domain = DOMAIN_DEFAULT;
	size_t domain_length = strlen(DOMAIN_DEFAULT);
	int length;

	if (slash && looks_like_domain(name, (size_t)(slash - name))) {
		domain = name;
		domain_length = (size_t)(slash - name);
		path = slash + 1;
	}
	if (domain_length == 15 && !memcmp(domain, "index.docker.io", 15))
		domain = DOMAIN_DEFAULT, domain_length = strlen(DOMAIN_DEFAULT);
	if (domain_length >= sizeof(out->domain))
		return invalid(error);
	memcpy(out->domain, domain, domain_length);
	out->domain[domain_length] = '\0';
	length = snprintf(
	    out->path, sizeof(out->path), "%s%s",
	    !strcmp(out->domain, DOMAIN_DEFAULT) && !strchr(path, '/') ? "library/" : "", path);
	if ((size_t)length + domain_length + 1 > 255)
		return error_set(error, -EINVAL,
				 "repository name must not be more than 255 characters");
	if (path[strcspn(path, UPPER)])
		return error_set(
		    error, -EINVAL,
		    "invalid reference format: repository name (%.100s) must be lowercase", path);
	return is_domain(out->domain) && is_path(out->path) ? 0 : invalid(error);
}

int reference_parse(const char *text, struct reference *out, struct error *error)
{
	struct reference made = {0};
	char name[IMAGE_REFERENCE_MAX + 1];
	char *at, *colon, *slash;
	int rc;

	if (!text || strlen(text) >= sizeof(name))
		return invalid(error);
	strcpy(name, text);
	if (strlen(name) == DIGEST_HEX && strspn(name, "0123456789abcdef") == DIGEST_HEX)
		return error_set(
		    error, -EINVAL,
		    "invalid repository name (%s), cannot specify 64-byte hexadecimal strings",
		    name);
	at = strchr(name, '@');
	if (at) {
		*at = '\0';
		if (!digest_parse(at + 1, &made.digest))
			return invalid(error);
	}
	slash = strrchr(name, '/');
	colon = strchr(slash ? slash : name, ':');
	if (colon) {
		*colon = '\0';
		if (!is_tag(colon + 1))
			return invalid(error);
		strcpy(made.tag, colon + 1);
	}
	rc = split_name(name, &made, error);
	if (rc < 0)
		return rc;
	if (!made.tag[0] && !made.digest.text[0])
		strcpy(made.tag, "latest");
	*out = made;
	return 0;
}

static void append_version(const struct reference *reference, char text[REFERENCE_TEXT])
{
	const size_t length = strlen(text);

	snprintf(text + length, REFERENCE_TEXT - length, "%s%s%s%s", reference->tag[0] ? ":" : "",
		 reference->tag, reference->digest.text[0] ? "@" : "", reference->digest.text);
}

void reference_full(const struct reference *reference, char text[REFERENCE_TEXT])
{
	snprintf(text, REFERENCE_TEXT, "%s/%s", reference->domain, reference->path);
	append_version(reference, text);
}

void reference_familiar_name(const struct reference *reference, char text[REFERENCE_TEXT])
{
	const bool hub = !strcmp(reference->domain, DOMAIN_DEFAULT);
	const bool library =
	    hub && !strncmp(reference->path, "library/", 8) && !strchr(reference->path + 8, '/');

	if (hub)
		snprintf(text, REFERENCE_TEXT, "%s", reference->path + (library ? 8 : 0));
	else
		snprintf(text, REFERENCE_TEXT, "%s/%s", reference->domain, reference->path);
}

void reference_familiar(const struct reference *reference, char text[REFERENCE_TEXT])
{
	reference_familiar_name(reference, text);
	append_version(reference, text);
}

bool reference_same_name(const struct reference *a, const struct reference *b)
{
	return !strcmp(a->domain, b->domain) && !strcmp(a->path, b->path);
}
