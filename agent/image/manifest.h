/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_MANIFEST_H
#define FL_IMAGE_MANIFEST_H
/*
 * Manifests and indexes, OCI's (image-spec) and docker's (manifest v2 schema 2, manifest list).
 * Pure: bytes in, checked structures out.
 */
#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"
#include "image_limits.h"

#define MEDIA_OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"

struct descriptor {
	struct digest digest;
	uint64_t size_bytes;
};

/* What an image is made for; the fields are Go's names (amd64, arm64; linux). */
struct platform {
	char os[32], architecture[32], variant[16];
};

/* Of the machine that this runs on. */
struct platform platform_of_host(void);

struct manifest {
	struct descriptor config;
	struct descriptor layers[IMAGE_LAYERS_MAX];
	unsigned int layer_count;
};

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_INDEX };

/*
 * An index is reduced to the one manifest in it for the platform (*chosen); a manifest is parsed
 * into *image. Which it was comes back in *kind, told by its content, not by who sent it. -EINVAL:
 * it is malformed; -ENOENT: nothing in the index is for this platform; -ENOTSUP: docker's schema 1.
 */
int manifest_parse(const char *bytes, size_t length, const struct platform *platform,
		   enum manifest_kind *kind, struct manifest *image, struct descriptor *chosen,
		   struct error *error);
#endif
