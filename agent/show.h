/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SHOW_H
#define FL_SHOW_H
/* What `fairlead` prints of a running data plane. Each returns an exit code. */
#include "dataplane.h"
#include "names.h"

struct show {
	struct dp_view *view;
	const struct lb_tables *tables;
	struct names *names;
	bool json;
	uint64_t limit;     /* flows, samples: at most so many; 0: no limit */
	const char *filter; /* service's name; NULL: all */
};

int show_services(const struct show *s);
int show_backends(const struct show *s);
int show_counters(const struct show *s);
int show_flows(const struct show *s);
int show_usage(const struct show *s);
int show_dataplane(const struct show *s);
int show_watch(struct show *s, uint32_t one_in);

/* Text of an address, for one call of printf (eight buffers in turn). */
const char *show_ip(uint32_t addr_be);
const char *show_mac(const uint8_t mac[6]);
#endif
