/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_DISK_LIMITS_H
#define FL_RAFT_DISK_LIMITS_H
/* Every bound of the log and the snapshots on disk. */
#include "types.h"

enum {
	DISK_KEY_SIZE = 32,
	DISK_KEYS_MAX = 16,
	DISK_SALT_SIZE = 32,
	DISK_TAG_SIZE = 16,

	/* What a disk writes as a whole or not at all. Larger physical sectors are multiples. */
	DISK_SECTOR_SIZE = 512,

	/* What one record seals. A batch that is larger becomes several records. */
	DISK_PAYLOAD_MAX = 2 * RAFT_ENTRY_SIZE_MAX,
	DISK_SEGMENT_SIZE_DEFAULT = 16 << 20,
	DISK_SEGMENT_SIZE_MAX = 64 << 20,
	DISK_SEGMENT_ROUND = 64 << 10, /* the least that is allocated */
	DISK_SEGMENTS_MAX = 1 << 20,

	/* Room for votes and marks on a full disk: see struct wal. */
	DISK_RESERVE_SIZE = 256 << 10,
	DISK_SMALL_MAX = 4 << 10,

	DISK_SNAPSHOT_BLOCK_SIZE = 64 << 10,
	DISK_SNAPSHOT_HEADER_SIZE = 8 << 10,
	/* Written back while it grows, so that its end does not hold up the log for long. */
	DISK_SNAPSHOT_SYNC_BYTES = 4 << 20,
	DISK_SNAPSHOTS_MAX = 64, /* known at once: the one in force, pinned ones, new ones */

	DISK_NAME_MAX = 64,
	DISK_PATH_MAX = 4096,
};
_Static_assert(DISK_PAYLOAD_MAX >= RAFT_ENTRY_SIZE_MAX + 4096, "an entry fits a record");
_Static_assert(DISK_SEGMENT_SIZE_MAX >= DISK_PAYLOAD_MAX + (1 << 20), "a record fits a segment");
#endif
