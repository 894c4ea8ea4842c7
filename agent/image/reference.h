/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_REFERENCE_H
#define FL_IMAGE_REFERENCE_H
/*
 * Names of images, by the grammar and the rules of distribution's reference package, which docker
 *uses:
 *
 *	nginx                     docker.io / library/nginx : latest
 *	user/app:2                docker.io / user/app      : 2
 *	127.0.0.1:5000/web@sha256:...   127.0.0.1:5000 / web @ sha256:...
 *
 * What is before the first slash is a registry if it has a dot or a colon in it or is "localhost".
 */
#include <stdbool.h>

#include "digest.h"
#include "error.h"
#include "image_limits.h"

struct reference {
	char domain[256];     /* "docker.io", "127.0.0.1:5000" */
	char path[256];       /* "library/nginx" */
	char tag[129];        /* empty: none; a name with neither tag nor digest gets "latest" */
	struct digest digest; /* empty text: none */
};

/* -EINVAL with docker's words ("invalid reference format ...") if it is none. */
int reference_parse(const char *text, struct reference *out, struct error *error);

enum { REFERENCE_TEXT = IMAGE_REFERENCE_MAX + 256 };

/* In full, as it is stored and compared: "docker.io/library/nginx:latest". */
void reference_full(const struct reference *reference, char text[REFERENCE_TEXT]);

/* As docker shows it: "nginx:latest"; the name alone: "nginx". */
void reference_familiar(const struct reference *reference, char text[REFERENCE_TEXT]);
void reference_familiar_name(const struct reference *reference, char text[REFERENCE_TEXT]);

/* The same repository. */
bool reference_same_name(const struct reference *a, const struct reference *b);
#endif
