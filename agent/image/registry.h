/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_REGISTRY_H
#define FL_IMAGE_REGISTRY_H
/*
 * A registry's HTTP API V2 (distribution-spec), reading side, over libcurl. One connection, one
 * thread; all calls block, but end soon after *cancel is set.
 *
 * HTTPS always, but plain HTTP to registries on loopback, as docker does, and to those in
 * `insecure`.
 */
#include "install.h"
#include "reference.h"

struct registry_options {
	const char *const *insecure; /* "host" or "host:port"; ends with NULL; may be NULL */
	const char *ca_file;         /* trusted instead of the machine's; may be NULL */
	/* User and password for the Authorization header; may be NULL. Bearer tokens take this
	 * seat. */
	const char *user, *password;
};

struct registry;

int registry_open(const struct reference *reference, const struct registry_options *options,
		  const atomic_bool *cancel, struct registry **out, struct error *error);
void registry_close(struct registry *registry);

/* What comes in, as it comes. A negative errno (and the error said) ends the transfer. */
typedef int registry_sink(void *arg, const void *bytes, size_t length, struct error *error);

/*
 * A manifest by tag or digest, at most IMAGE_MANIFEST_MAX bytes; the caller frees *bytes. Its
 * digest is computed, and where `version` is a digest, compared (-EBADMSG).
 */
int registry_manifest(struct registry *registry, const char *version, char **bytes, size_t *length,
		      struct digest *digest, struct error *error);

/* A blob's bytes into the sink. Checking them against the digest is the sink's owner's. */
int registry_blob(struct registry *registry, const struct digest *digest, registry_sink *sink,
		  void *arg, struct error *error);

/*
 * What docker says of a registry's refusal: its status and body ({"errors":[{"code","message"}]}).
 * Pure. Returns -ENOENT (no such manifest or repository), -EACCES (denied) or -EIO.
 */
int registry_refusal(const struct reference *reference, long status, const char *body,
		     size_t length, struct error *error);
#endif
