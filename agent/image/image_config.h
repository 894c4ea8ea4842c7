/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_CONFIG_H
#define FL_IMAGE_CONFIG_H
/*
 * An image's config (OCI image-spec config.md, which docker's is too): what runs, and of which
 * layers it is made. Checked once here; what reads it later may rely on the types of what it finds:
 * config.Env, Cmd, Entrypoint, Shell are lists of text or missing; Labels, ExposedPorts, Volumes
 * objects or missing; User, WorkingDir, StopSignal text or missing; Healthcheck.Test a list of
 * text.
 */
#include "digest.h"
#include "error.h"
#include "image_limits.h"
#include "json_auto.h"

struct image_config {
	json_t *json; /* owned: the whole document */
	struct digest diff_ids[IMAGE_LAYERS_MAX];
	unsigned int layer_count;
};

int image_config_parse(const char *bytes, size_t length, struct image_config *out,
		       struct error *error);
void image_config_release(struct image_config *config);

/* The "config" member; NULL where there is none. Borrowed. */
const json_t *image_config_run(const struct image_config *config);
#endif
