/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SPEC_INTERNAL_H
#define FL_SPEC_INTERNAL_H
/* The parts of config.json, each checked on its own. */
#include "spec.h"

int spec_process(const struct spec_input *input, uint64_t capabilities, json_t **out,
		 struct error *error);
int spec_mounts(const struct spec_input *input, json_t **out, struct error *error);
int spec_linux(const struct spec_input *input, uint64_t capabilities, json_t **out,
	       struct error *error);
#endif
