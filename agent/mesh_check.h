/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_MESH_CHECK_H
#define FL_MESH_CHECK_H
/*
 * What must hold across a mesh: one owner for each name, address, MAC and published port, and one
 * description of each task. Sorts instead of comparing all pairs: n log n in the size of the mesh.
 */
#include "error.h"
#include "mesh.h"

/* 0, -EINVAL for the contradiction that stands first in the file, or -ENOMEM. file: for messages.
 */
int mesh_check(const struct mesh *mesh, const char *file, struct error *error);
#endif
