/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_VOLUMES_H
#define FL_VOLUMES_H
/* Named volumes of the local driver: FOLDER/NAME/_data, for as long as nobody removes them. All
 * block. */
#include <jansson.h>
#include <stdbool.h>

#include "error.h"

/* docker's: [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
bool volume_name_valid(const char *name);

/* Its folder, made if it is not there (*fresh). The caller frees *path. */
int volume_open(const char *folder, const char *name, char **path, bool *fresh,
		struct error *error);

/* -ENOENT "get X: no such volume". That no container uses it is the caller's to know. */
int volume_remove(const char *folder, const char *name, struct error *error);

/* A new list, as GET /volumes has it; NULL: out of memory. */
json_t *volumes_list(const char *folder);
#endif
