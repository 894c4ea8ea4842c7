/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_HOST_FILES_H
#define FL_HOST_FILES_H
/* A container's own /etc/hosts, /etc/hostname and /etc/resolv.conf, as files in its folder. Blocks.
 */
#include "container_options.h"
#include "error.h"

/* -EINVAL: a name or address has a line end in it, or is too long. */
int host_files_write(const char *folder, const struct container_options *options,
		     struct error *error);
#endif
