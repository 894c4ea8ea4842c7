/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_FAKE_DISK_H
#define FL_TEST_FAKE_DISK_H
/*
 * A folder in memory behind struct disk_io. What was not synced is lost when the machine stops, or
 * kept, or some of it: each sector of a file and each change of a name by itself. Calls can be made
 * to fail, to write short, and the machine to stop, at any one call. That no byte of a log segment
 * is written twice is asserted.
 */
#include <stdbool.h>

#include "disk_io.h"

enum { FAKE_FILES_MAX = 256, FAKE_HANDLES_MAX = 64, FAKE_PENDING_MAX = 512 };

enum fake_call {
	FAKE_OPEN = 1,
	FAKE_WRITE = 2,
	FAKE_ALLOCATE = 4,
	FAKE_SYNC = 8,
	FAKE_SYNC_FOLDER = 16,
	FAKE_RENAME = 32,
	FAKE_OTHER = 64, /* truncate, unlink */
};

struct fake_bytes {
	uint8_t *data;
	uint64_t size, room;
};

struct fake_name {
	char name[64];
	int file; /* -1: free */
};

struct fake_disk {
	struct disk_io io;
	struct {
		struct fake_bytes now, lasting;
		uint64_t written; /* how far it ever was */
	} files[FAKE_FILES_MAX];
	int file_count;
	struct fake_name names[FAKE_FILES_MAX], lasting_names[FAKE_FILES_MAX];
	/* Changes of names since the folder was synced. */
	struct {
		char from[64], to[64]; /* from "": made; to "": removed */
		int file;
	} pending[FAKE_PENDING_MAX];
	int pending_count;
	struct {
		bool used;
		int file;
	} handles[FAKE_HANDLES_MAX];
	int locked; /* handle, -1: none */
	uint64_t random;

	unsigned int calls;   /* that change something, so far */
	unsigned int stop_at; /* the machine stops in this one; 0: never */
	bool stopped;
	unsigned int fail_at; /* this one fails with fail_error, if it is of fail_mask */
	int fail_error;
	unsigned int fail_mask;
	bool failed;       /* it did */
	bool full;         /* whatever needs room fails */
	uint64_t capacity; /* of all files together; 0: no end */
	bool no_allocate;  /* as on file systems that cannot */
	bool short_writes;
	unsigned int syncs;
};

void fake_init(struct fake_disk *d, uint64_t seed);
void fake_clear(struct fake_disk *d);
void fake_copy(const struct fake_disk *from, struct fake_disk *to);
enum fake_fate { FAKE_LOSE, FAKE_KEEP, FAKE_SOME };
/* The machine stops, or has stopped, and starts again. */
void fake_restart(struct fake_disk *d, enum fake_fate fate);
/* The process ends and starts again: nothing is lost. */
void fake_reopen(struct fake_disk *d);
/* A file's bytes. NULL: there is none. */
struct fake_bytes *fake_find(struct fake_disk *d, const char *name);
void fake_resize(struct fake_bytes *b, uint64_t size);
uint64_t fake_used(const struct fake_disk *d);
int fake_count(const struct fake_disk *d, const char *suffix);
void fake_remove(struct fake_disk *d, const char *name);
#endif
