/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast the Raft log is on this disk: raft_disk_bench FOLDER [single]
 *
 *   raw         a write and an fdatasync of the same bytes into an allocated file, beside it
 *   serial      one 200-byte entry a batch, one batch a call
 *   grouped     256 batches of one 200-byte entry a call
 *   recovery    100,000 entries of 200 bytes, opened; single: each was a record of its own
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"

enum { ENTRY_SIZE = 200, SERIAL = 4000, RAW_SIZE = 320, GROUP = 256, RECOVERED = 100000 };

static const struct disk_keyring ring = {.active = 1, .count = 1, .keys = {{1, "bench"}}};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *name, uint64_t *ns, size_t count, size_t batches)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += ns[i];
	qsort(ns, count, sizeof(*ns), ascending);
	printf("%-8s %8.0f batches/s   per call: mean %.1f us, median %.1f, p99 %.1f\n", name,
	       (double)count * (double)batches * 1e9 / (double)sum,
	       (double)sum / (double)count / 1e3, (double)ns[count / 2] / 1e3,
	       (double)ns[count * 99 / 100] / 1e3);
}

static void raw(const char *folder, uint64_t *ns)
{
	static const uint8_t bytes[RAW_SIZE] = {1};
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s.raw", folder);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || fallocate(fd, 0, 0, 16 << 20) || fsync(fd)) {
		perror(path);
		exit(1);
	}
	for (int i = 0; i < SERIAL; i++) {
		uint64_t start = now_ns();

		if (pwrite(fd, bytes, RAW_SIZE, (off_t)i * RAW_SIZE) != RAW_SIZE || fdatasync(fd)) {
			perror(path);
			exit(1);
		}
		ns[i] = now_ns() - start;
	}
	close(fd);
	unlink(path);
	report("raw", ns, SERIAL, 1);
}

static void write_calls(struct disk *d, uint64_t *index, size_t calls, size_t group, uint64_t *ns)
{
	struct raft_entry entries[GROUP];
	struct disk_batch batches[GROUP] = {0};
	struct raft_bytes *data = raft_bytes_new(NULL, ENTRY_SIZE);
	struct raft_error error;
	size_t done;

	for (size_t call = 0; call < calls; call++) {
		uint64_t start = now_ns();

		for (size_t i = 0; i < group; i++) {
			entries[i] = (struct raft_entry){.index = (*index)++,
							 .term = 1,
							 .type = RAFT_ENTRY_COMMAND,
							 .data = data};
			batches[i].entries = &entries[i];
			batches[i].entry_count = 1;
		}
		if (disk_write(d, batches, group, &done, &error)) {
			fprintf(stderr, "%s\n", error.text);
			exit(1);
		}
		ns[call] = now_ns() - start;
	}
	raft_bytes_release(data);
}

static struct disk *open_folder(const char *folder, struct raft_restored *restored)
{
	struct disk_options options = {.path = folder, .keyring = &ring};
	struct raft_error error;
	struct disk *d;

	if (disk_open(&options, &d, restored, &error)) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
	return d;
}

static void recover(const char *folder, const char *name, size_t expected)
{
	struct raft_restored restored;
	uint64_t start = now_ns(), end;
	struct disk *d = open_folder(folder, &restored);

	end = now_ns();
	printf("recovery %zu entries %s in %.3f s\n", restored.entry_count, name,
	       (double)(end - start) / 1e9);
	if (restored.entry_count != expected)
		exit(1);
	disk_restored_clear(&restored);
	disk_close(d);
}

int main(int count, char **arguments)
{
	static uint64_t ns[RECOVERED];
	struct raft_restored restored;
	uint64_t index = 1;
	struct disk *d;

	if (count < 2 || count > 3) {
		fprintf(
		    stderr,
		    "usage: raft_disk_bench FOLDER [single] (which is made, and must be empty)\n");
		return 2;
	}
	raw(arguments[1], ns);
	d = open_folder(arguments[1], &restored);
	if (restored.entry_count || restored.snapshot.index) {
		fprintf(stderr, "%s: not empty\n", arguments[1]);
		return 2;
	}
	write_calls(d, &index, SERIAL, 1, ns);
	report("serial", ns, SERIAL, 1);
	if (count == 2) {
		write_calls(d, &index, (RECOVERED - SERIAL) / GROUP, GROUP, ns);
		report("grouped", ns, (RECOVERED - SERIAL) / GROUP, GROUP);
	}
	write_calls(d, &index, RECOVERED + 1 - index, 1, ns);
	disk_close(d);
	recover(arguments[1], count == 2 ? "(grouped)" : "(single)", RECOVERED);
	return 0;
}
