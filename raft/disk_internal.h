/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_DISK_INTERNAL_H
#define FL_RAFT_DISK_INTERNAL_H
/* Shared by disk*.c alone. */
#include "disk.h"
#include "snapshots.h"
#include "wal.h"

struct disk {
	struct disk_folder folder;
	struct wal wal;
	struct snapshots snapshots;
	bool torn;
};

/* Reads the folder into an initialised d. *replay is the caller's to clear; *snapshot is the one in
 * force, zero if there is none. */
int disk_recover(struct disk *d, struct replay *replay, struct raft_snapshot *snapshot,
		 struct raft_error *error);
#endif
