// SPDX-License-Identifier: BSD-2-Clause
#include "reserve.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "/proc/sys/net/ipv4/ip_local_reserved_ports";

void reserve_published_ports(const struct lb_tables *tables, uint64_t ports[RESERVE_WORDS])
{
	memset(ports, 0, RESERVE_WORDS * sizeof(*ports));
	for (uint32_t i = 0; i < LB_PORTS_MAX; i++)
		if (tables->ports[i].ring)
			ports[(i & 0xffff) / 64] |= 1ULL << (i % 64);
}

static bool has(const uint64_t *ports, uint32_t port)
{
	return ports[port / 64] >> (port % 64) & 1;
}

/* "80,443,8000-8010" into bits. */
static int read_list(uint64_t *ports)
{
	FILE *f = fopen(path, "re");
	unsigned int first, last;
	int separator = ',';

	if (!f)
		return -errno;
	while (separator == ',' && fscanf(f, "%u", &first) == 1) {
		last = first;
		separator = fgetc(f);
		if (separator == '-') {
			if (fscanf(f, "%u", &last) != 1)
				break;
			separator = fgetc(f);
		}
		for (uint32_t p = first; p <= last && p < 65536; p++)
			ports[p / 64] |= 1ULL << (p % 64);
	}
	fclose(f);
	return 0;
}

static int write_list(const uint64_t *ports)
{
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length), *f;
	int err = 0;

	if (!memory)
		return -ENOMEM;
	for (uint32_t p = 0; p < 65536; p++) {
		uint32_t first = p;

		if (!has(ports, p))
			continue;
		while (p + 1 < 65536 && has(ports, p + 1))
			p++;
		fprintf(memory, first == p ? "%s%u" : "%s%u-%u", ftell(memory) ? "," : "", first, p);
	}
	fputc('\n', memory);
	if (fclose(memory))
		err = -ENOMEM;
	/* One write: the kernel takes each for the whole list. */
	f = err ? NULL : fopen(path, "we");
	if (f) {
		setvbuf(f, NULL, _IOFBF, length + 1);
		if (fwrite(text, 1, length, f) != length)
			err = -EIO;
		if (fclose(f) && !err)
			err = -errno;
	} else if (!err) {
		err = -errno;
	}
	free(text);
	return err;
}

int reserve_ports(uint64_t ours[RESERVE_WORDS], const uint64_t wanted[RESERVE_WORDS],
		  struct error *error)
{
	uint64_t now[RESERVE_WORDS] = {0}, next[RESERVE_WORDS];
	int err = read_list(now);

	for (int i = 0; i < RESERVE_WORDS; i++)
		next[i] = (now[i] & ~ours[i]) | wanted[i];
	if (!err && memcmp(now, next, sizeof(now)))
		err = write_list(next);
	if (err)
		return error_set(error, err, "cannot reserve the published ports in %s: %s", path,
				 strerror(-err));
	memcpy(ours, wanted, sizeof(next));
	return 0;
}
