/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef FL_BPF_MAPS_H
#define FL_BPF_MAPS_H
/*
 * The tables as BPF maps. The arrays are mmapable: user space writes entries in place and publishes
 * them with one store. All are pinned by name, so that a new daemon finds what the old one left.
 * The driver sets max_entries of the big ones before they are created.
 */
/* Four u16 slots of a ring: an array's element is 8 bytes at least. */
struct fl_slots {
	uint16_t slot[4];
};


#define FL_MAP(map_name, map_type, entries, key_type, value_type, flags)                           \
	struct {                                                                                   \
		__uint(type, map_type);                                                            \
		__uint(map_flags, flags);                                                          \
		__uint(max_entries, entries);                                                      \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
		__uint(pinning, LIBBPF_PIN_BY_NAME);                                               \
	} map_name SEC(".maps")

#define FL_ARRAY(map_name, entries, value_type)                                                    \
	FL_MAP(map_name, BPF_MAP_TYPE_ARRAY, entries, uint32_t, value_type, BPF_F_MMAPABLE)

FL_ARRAY(fl_config, 1, struct lb_config);
FL_ARRAY(fl_ports, LB_PORTS_MAX, struct lb_port);
FL_ARRAY(fl_rings, LB_RINGS_DEFAULT, struct lb_ring);
FL_ARRAY(fl_slots, LB_SLOTS_DEFAULT / 4, struct fl_slots);
FL_ARRAY(fl_backends, LB_BACKENDS_DEFAULT, union lb_backend);
FL_ARRAY(fl_tasks, LB_TASKS_MAX, struct lb_task);
FL_ARRAY(fl_vias, LB_VIAS_MAX, struct lb_via);
FL_ARRAY(fl_index, LB_INDEX_BUCKETS_DEFAULT, struct lb_index_bucket);
FL_ARRAY(fl_flows, LB_FLOW_BUCKETS_DEFAULT, struct lb_flow_bucket);
FL_MAP(fl_fragments, BPF_MAP_TYPE_LRU_HASH, LB_FRAGMENTS_DEFAULT, struct lb_fragment_key,
       struct lb_fragment, 0);
FL_MAP(fl_aliases, BPF_MAP_TYPE_LRU_HASH, LB_ALIASES_DEFAULT, struct lb_alias_key, struct lb_alias,
       0);
FL_MAP(fl_reasons, BPF_MAP_TYPE_PERCPU_ARRAY, 1, uint32_t, struct lb_reason_counters, 0);
FL_MAP(fl_backend_stats, BPF_MAP_TYPE_PERCPU_ARRAY, LB_BACKENDS_DEFAULT, uint32_t,
       struct lb_backend_counters, 0);
FL_MAP(fl_task_stats, BPF_MAP_TYPE_PERCPU_ARRAY, LB_TASKS_MAX, uint32_t, struct lb_task_counters, 0);

/* tc builds outer headers here: on the stack their fields would be misaligned. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, union lb_backend);
} fl_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} fl_samples SEC(".maps");
#endif
