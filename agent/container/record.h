/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CONTAINER_RECORD_H
#define FL_CONTAINER_RECORD_H
/*
 * What is kept of a container on disk (FOLDER/container.json) so that another agent can take it
 * over, and what a health check is once image and options are put together.
 */
#include <jansson.h>
#include <stdbool.h>

#include "container_options.h"
#include "digest.h"
#include "error.h"

enum { HEALTH_WORDS_MAX = 64, RECORD_SIZE_MAX = 1 << 20 };

struct health_config {
	json_t *test; /* the command: a list of text; NULL: no check; owned */
	int64_t interval_ns, timeout_ns, start_period_ns;
	unsigned int retries;
};

struct container_record {
	char id[CONTAINER_ID_MAX + 1];
	char *name, *image_name, *cgroup_path; /* owned */
	struct digest image;
	int64_t created_ns, stop_grace_ns;
	int stop_signal;
	bool tty;
	int64_t log_size_bytes_max;
	unsigned int log_files_max;
	struct health_config health;
	json_t *labels; /* those of the spec; owned */
};

/* From what the creator says and the image's config (may be NULL). -EINVAL: bad signal, health
 * check, ID. */
int record_make(const struct container_options *options, const json_t *image,
		struct container_record *out, struct error *error);
void record_release(struct container_record *record);

int record_write(const char *folder, const struct container_record *record, struct error *error);
/* -ENOENT: there is none; -EINVAL: it is damaged. */
int record_read(const char *folder, struct container_record *out);
#endif
