// SPDX-License-Identifier: BSD-2-Clause
#include "maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const xdp_map_names[XDP_MAP_COUNT] = {
    [XDP_MAP_CONFIG] = "fl_config",
    [XDP_MAP_PORTS] = "fl_ports",
    [XDP_MAP_RINGS] = "fl_rings",
    [XDP_MAP_SLOTS] = "fl_slots",
    [XDP_MAP_BACKENDS] = "fl_backends",
    [XDP_MAP_TASKS] = "fl_tasks",
    [XDP_MAP_VIAS] = "fl_vias",
    [XDP_MAP_INDEX] = "fl_index",
    [XDP_MAP_FLOWS] = "fl_flows",
    [XDP_MAP_FRAGMENTS] = "fl_fragments",
    [XDP_MAP_ALIASES] = "fl_aliases",
    [XDP_MAP_REASONS] = "fl_reasons",
    [XDP_MAP_BACKEND_STATS] = "fl_backend_stats",
    [XDP_MAP_TASK_STATS] = "fl_task_stats",
    [XDP_MAP_SAMPLES] = "fl_samples",
};

static int open_pinned(const char *pin_dir, enum xdp_map map)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/maps/%s", pin_dir, xdp_map_names[map]) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static int map_info(int fd, struct bpf_map_info *info)
{
	uint32_t length = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &length) ? -errno : 0;
}

unsigned int xdp_maps_pinned_size(const char *pin_dir, enum xdp_map map)
{
	struct bpf_map_info info = {0};
	int fd = open_pinned(pin_dir, map);

	if (fd < 0)
		return 0;
	if (map_info(fd, &info))
		info.max_entries = 0;
	close(fd);
	return info.max_entries;
}

static int map_array(struct xdp_maps *m, enum xdp_map map, int writable, uint32_t *entries)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bpf_map_info info;
	int err = map_info(m->fd[map], &info);

	if (err)
		return err;
	*entries = info.max_entries;
	m->bytes[map] = (size_t)((info.value_size + 7) / 8 * 8) * info.max_entries;
	m->bytes[map] = (m->bytes[map] + page - 1) / page * page;
	m->at[map] = mmap(NULL, m->bytes[map], writable ? PROT_READ | PROT_WRITE : PROT_READ,
			  MAP_SHARED, m->fd[map], 0);
	if (m->at[map] != MAP_FAILED)
		return 0;
	m->at[map] = NULL;
	return -errno;
}

static void fill_tables(struct xdp_maps *m, const uint32_t *entries)
{
	m->tables = (struct lb_tables){
	    .config = m->at[XDP_MAP_CONFIG],
	    .ports = m->at[XDP_MAP_PORTS],
	    .rings = m->at[XDP_MAP_RINGS],
	    .slots = m->at[XDP_MAP_SLOTS],
	    .backends = m->at[XDP_MAP_BACKENDS],
	    .tasks = m->at[XDP_MAP_TASKS],
	    .vias = m->at[XDP_MAP_VIAS],
	    .index = m->at[XDP_MAP_INDEX],
	    .flows = m->at[XDP_MAP_FLOWS],
	    .ring_count = entries[XDP_MAP_RINGS],
	    .slot_count = entries[XDP_MAP_SLOTS] * 4,
	    .backend_count = entries[XDP_MAP_BACKENDS],
	    .index_buckets = entries[XDP_MAP_INDEX],
	    .flow_buckets = entries[XDP_MAP_FLOWS],
	};
}

int xdp_maps_open(struct xdp_maps *m, const char *pin_dir, int writable, struct error *error)
{
	uint32_t entries[XDP_MAP_COUNT] = {0};
	int err;

	memset(m, 0, sizeof(*m));
	for (int i = 0; i < XDP_MAP_COUNT; i++)
		m->fd[i] = -1;
	m->cpus = libbpf_num_possible_cpus();
	for (int i = 0; i < XDP_MAP_COUNT; i++) {
		m->fd[i] = open_pinned(pin_dir, (enum xdp_map)i);
		if (m->fd[i] < 0) {
			err = m->fd[i];
			xdp_maps_close(m);
			if (err == -ENOENT)
				return error_set(error, err,
						 "no data plane is pinned under %s; start it with "
						 "fairleadd --static mesh.json",
						 pin_dir);
			return error_set(error, err, "cannot open %s/maps/%s: %s", pin_dir,
					 xdp_map_names[i], strerror(-err));
		}
	}
	for (int i = 0; i <= XDP_MAP_FLOWS; i++) {
		err = map_array(m, (enum xdp_map)i, writable, &entries[i]);
		if (err) {
			xdp_maps_close(m);
			return error_set(error, err, "cannot map %s/maps/%s: %s", pin_dir,
					 xdp_map_names[i], strerror(-err));
		}
	}
	fill_tables(m, entries);
	return 0;
}

void xdp_maps_close(struct xdp_maps *m)
{
	for (int i = 0; i < XDP_MAP_COUNT; i++) {
		if (m->at[i])
			munmap(m->at[i], m->bytes[i]);
		if (m->fd[i] >= 0)
			close(m->fd[i]);
		m->at[i] = NULL;
		m->fd[i] = -1;
	}
}

int xdp_maps_sum(const struct xdp_maps *m, enum xdp_map map, unsigned int index, void *out,
		 size_t size)
{
	uint64_t *values = calloc((size_t)m->cpus, size);
	uint64_t *sum = out;
	size_t words = size / sizeof(*sum);
	int err = 0;

	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(m->fd[map], &index, values))
		err = -errno;
	for (size_t w = 0; !err && w < words; w++) {
		sum[w] = 0;
		for (int cpu = 0; cpu < m->cpus; cpu++)
			sum[w] += values[(size_t)cpu * words + w];
	}
	free(values);
	return err;
}

int xdp_maps_store(const struct xdp_maps *m, enum xdp_map map, unsigned int index,
		   const void *value, size_t size)
{
	char *values = calloc((size_t)m->cpus, size);
	int err = 0;

	if (!values)
		return -ENOMEM;
	memcpy(values, value, size);
	if (bpf_map_update_elem(m->fd[map], &index, values, BPF_ANY))
		err = -errno;
	free(values);
	return err;
}
