/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SPEC_H
#define FL_SPEC_H
/*
 * config.json for the runtime (OCI runtime-spec 1.0), from an image's config and what the
 * container's creator says, with docker's defaults. Pure: what must be looked up on the machine is
 * in the input.
 */
#include <jansson.h>

#include "cgroup.h"
#include "container_options.h"
#include "error.h"
#include "passwd.h"

struct spec_input {
	const struct container_options *options;
	const json_t *image; /* its "config" member; may be NULL */
	const struct passwd_user *user;
	enum cgroup_kind cgroups;
	const char *cgroup_path;
	const char *folder;       /* the container's: hosts, hostname and resolv.conf are there */
	const char *rootfs;       /* absolute */
	const char *init_program; /* of the machine, for --init; NULL: there is none */
	/* Where each of options->mounts comes from: an absolute path, NULL for tmpfs. */
	const char *const *mount_sources;
};

/* -EINVAL: something cannot be, and *error names it in docker's words. The caller owns *out. */
int spec_make(const struct spec_input *input, json_t **out, struct error *error);

/* What the container runs: a new list; empty: nothing is said anywhere, an error for spec_make. */
json_t *spec_args(const struct container_options *options, const json_t *image);

/* Which user, working folder: the creator's, else the image's, else "" and "/". Borrowed. */
const char *spec_user(const struct container_options *options, const json_t *image);
const char *spec_workdir(const struct container_options *options, const json_t *image);

/* "SIGTERM", "TERM" or "15"; 0: it is none. */
int spec_signal(const char *text);
#endif
