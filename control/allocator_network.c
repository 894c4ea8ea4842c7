/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator_state.h"

/* The words of libnetwork. */
#define OVERLAP "invalid pool request: Pool overlaps with other one on this address space"
#define NO_POOL                                                                                    \
	"could not find an available, non-overlapping IPv4 address pool among the defaults to "    \
	"assign to the network"

enum {
	POOL_LENGTH_DEFAULT = 24,
	CONFIGS_MAX = 64, /* of a network */
};

static const char *driver_of(const Fl__NetworkSpec *spec)
{
	const Fl__Driver *driver = spec ? spec->driver_configuration : NULL;

	return driver && driver->name && *driver->name ? driver->name : "overlay";
}

bool network_is_overlay(const Fl__Network *network)
{
	return !strcmp(driver_of(network->spec), "overlay");
}

bool network_needs(const Fl__Network *network)
{
	return !network->driver_state && !network->pending_delete;
}

static bool is_ingress(const Fl__Network *network)
{
	return network->spec && network->spec->ingress;
}

void network_set_pools(struct allocator *allocator, const Fl__Cluster *cluster)
{
	allocator->pool_count = 0;
	allocator->subnet_size =
	    cluster && cluster->subnet_size ? cluster->subnet_size : POOL_LENGTH_DEFAULT;
	for (size_t i = 0; cluster && i < cluster->n_default_addr_pool; i++) {
		struct prefix pool;

		if (allocator->pool_count < ALLOCATOR_POOLS_MAX &&
		    !prefix_parse(cluster->default_addr_pool[i], &pool) &&
		    address_is_v4(pool.first))
			allocator->pools[allocator->pool_count++] = pool;
	}
	if (!allocator->pool_count)
		prefix_parse("10.0.0.0/8", &allocator->pools[allocator->pool_count++]);
}

/* --- Specs --- */

static int parse_range(const Fl__IPAMConfig *config, struct subnet *subnet, struct problem *problem)
{
	struct prefix range;

	if (!config->range || !*config->range)
		return 0;
	if (prefix_parse(config->range, &range))
		return problem_set(problem, -EINVAL, "ipam configuration: invalid range %s",
				   config->range);
	if (range.first < subnet->prefix.first || range.last > subnet->prefix.last)
		return problem_set(problem, -EINVAL,
				   "ipam configuration: subnet %s does not contain range %s",
				   config->subnet, config->range);
	subnet->low = range.first > subnet->low ? range.first : subnet->low;
	subnet->high = range.last < subnet->high ? range.last : subnet->high;
	return 0;
}

static int parse_gateway(const Fl__IPAMConfig *config, const struct subnet *subnet,
			 ip_address *gateway, struct problem *problem)
{
	if (!config->gateway || !*config->gateway) {
		*gateway = subnet->low;
		return 0;
	}
	if (address_parse(config->gateway, gateway))
		return problem_set(problem, -EINVAL, "ipam configuration: invalid gateway %s",
				   config->gateway);
	if (*gateway < subnet->prefix.first || *gateway > subnet->prefix.last)
		return problem_set(problem, -EINVAL,
				   "ipam configuration: subnet %s does not contain gateway %s",
				   config->subnet, config->gateway);
	return 0;
}

/* An IPv4 subnet's first and last address are its own (RFC 919, section 7), an IPv6 one's first
 * (RFC 4291, section 2.6.1). */
static int parse_config(const Fl__IPAMConfig *config, struct subnet *subnet, ip_address *gateway,
			struct problem *problem)
{
	struct subnet made = {0};
	int rc;

	if (!config->subnet || prefix_parse(config->subnet, &made.prefix))
		return problem_set(problem, -EINVAL, "ipam configuration: invalid subnet %s",
				   config->subnet ? config->subnet : "");
	if (made.prefix.last - made.prefix.first < 3)
		return problem_set(problem, -EINVAL,
				   "ipam configuration: subnet %s has no room for hosts",
				   config->subnet);
	made.low = made.cursor = made.prefix.first + 1;
	made.high = made.prefix.last - address_is_v4(made.prefix.first);
	rc = parse_range(config, &made, problem);
	if (!rc)
		rc = parse_gateway(config, &made, gateway, problem);
	if (!rc)
		*subnet = made;
	return rc;
}

static bool overlaps(const struct prefix *a, const struct prefix *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* Against what another network has, or will have. */
static int check_against(const struct prefix *subnets, size_t count, const Fl__IPAMOptions *other,
			 struct problem *problem)
{
	struct prefix prefix;

	for (size_t i = 0; other && i < other->n_configs; i++) {
		const char *text = other->configs[i]->subnet;

		if (!text || prefix_parse(text, &prefix))
			continue;
		for (size_t j = 0; j < count; j++) {
			if (overlaps(&subnets[j], &prefix))
				return problem_set(problem, -EEXIST, OVERLAP);
		}
	}
	return 0;
}

int allocator_check_network(const struct store_view *view, const Fl__NetworkSpec *spec,
			    struct problem *problem)
{
	const Fl__IPAMOptions *ipam = spec->ipam_options;
	struct prefix subnets[CONFIGS_MAX];
	struct store_iterator networks;
	const Fl__Network *network;
	size_t count = 0;
	int rc = 0;

	if (ipam && ipam->n_configs > CONFIGS_MAX)
		return problem_set(problem, -EINVAL, "ipam configuration: more than %d subnets",
				   CONFIGS_MAX);
	for (; !rc && ipam && count < ipam->n_configs; count++) {
		struct subnet subnet;
		ip_address gateway;

		rc = parse_config(ipam->configs[count], &subnet, &gateway, problem);
		if (rc)
			return rc;
		subnets[count] = subnet.prefix;
		for (size_t i = 0; i < count; i++) {
			if (overlaps(&subnets[i], &subnet.prefix))
				return problem_set(problem, -EEXIST, OVERLAP);
		}
	}
	store_iterate(view, STORE_NETWORK, &networks);
	while (!rc && count && (network = store_next(&networks))) {
		rc = check_against(subnets, count, network->ipam_options, problem);
		if (!rc && !network->ipam_options && network->spec)
			rc = check_against(subnets, count, network->spec->ipam_options, problem);
	}
	return rc;
}

/* --- What a network has --- */

void network_forget_subnets(struct allocation *network)
{
	for (size_t i = 0; i < network->subnet_count; i++)
		range_set_clear(&network->subnets[i].used);
	free(network->subnets);
	network->subnets = NULL;
	network->subnet_count = 0;
}

/* Once: what a network was given does not change, and addresses hang on it. */
static int make_subnets(struct allocation *network)
{
	const Fl__IPAMOptions *ipam = network_of(network)->ipam_options;
	int rc = 0;

	if (network->subnets || !ipam || !ipam->n_configs)
		return 0;
	network->subnets = calloc(ipam->n_configs, sizeof(*network->subnets));
	if (!network->subnets)
		return -ENOMEM;
	for (size_t i = 0; !rc && i < ipam->n_configs; i++) {
		struct subnet *subnet = &network->subnets[network->subnet_count];
		ip_address gateway;

		if (parse_config(ipam->configs[i], subnet, &gateway, NULL))
			continue;
		network->subnet_count++;
		rc = range_set_take(&subnet->used, gateway, gateway);
	}
	return rc;
}

int network_take(struct allocator *allocator, struct allocation *network)
{
	const Fl__Network *object = network_of(network);
	int rc = 0;

	if (!object->driver_state)
		return 0;
	if (object->vni) {
		rc =
		    claims_take(&network->claims, &allocator->vnis, object->vni, object->vni, NULL);
		allocator->conflicts += rc == -EEXIST;
	}
	if (rc != -ENOMEM)
		rc = make_subnets(network);
	for (size_t i = 0; rc != -ENOMEM && i < network->subnet_count; i++) {
		const struct prefix *prefix = &network->subnets[i].prefix;

		rc = claims_take(&network->claims, &allocator->taken_subnets, prefix->first,
				 prefix->last, NULL);
		allocator->conflicts += rc == -EEXIST;
	}
	return rc == -ENOMEM ? rc : 0;
}

/* --- Giving it one --- */

static int take_vni(struct allocator *allocator, uint32_t vni, struct claims *claims,
		    struct problem *problem)
{
	const int rc = claims_take(claims, &allocator->vnis, vni, vni, NULL);

	if (rc == -EEXIST)
		return problem_set(problem, -EINVAL, "VXLAN id %u is in use by another network",
				   vni);
	return rc;
}

/* The user's, of the driver's options; 0: none. -EINVAL. */
static int wanted_vni(const Fl__NetworkSpec *spec, uint32_t *vni, struct problem *problem)
{
	const Fl__Driver *driver = spec ? spec->driver_configuration : NULL;

	*vni = 0;
	for (size_t i = 0; driver && i < driver->n_options; i++) {
		const char *value = driver->options[i]->value;
		unsigned long number;
		char *end = text_field("");

		if (!driver->options[i]->key ||
		    strcmp(driver->options[i]->key, ALLOCATOR_VNI_OPTION))
			continue;
		errno = 0;
		number = value && *value >= '0' && *value <= '9' ? strtoul(value, &end, 10) : 0;
		if (errno || !number || number > ALLOCATOR_VNI_LAST || (*end && *end != ','))
			return problem_set(problem, -EINVAL, "invalid VXLAN id %s",
					   value ? value : "");
		*vni = (uint32_t)number;
	}
	return 0;
}

static int choose_vni(struct allocator *allocator, const Fl__Network *network,
		      struct claims *claims, uint32_t *vni, struct problem *problem)
{
	range_value found;
	int rc = wanted_vni(network->spec, vni, problem);

	if (rc)
		return rc;
	if (!*vni && is_ingress(network) &&
	    !range_set_has(&allocator->vnis, ALLOCATOR_VNI_INGRESS, ALLOCATOR_VNI_INGRESS))
		*vni = ALLOCATOR_VNI_INGRESS;
	if (*vni)
		return take_vni(allocator, *vni, claims, problem);
	if (range_set_find(&allocator->vnis, ALLOCATOR_VNI_FIRST, ALLOCATOR_VNI_LAST,
			   allocator->vni_cursor, 1, &found))
		return problem_set(problem, -EINVAL, "no VXLAN ids are left");
	*vni = (uint32_t)found;
	rc = take_vni(allocator, *vni, claims, problem);
	if (!rc)
		allocator->vni_cursor = *vni + 1;
	return rc;
}

/* The first free subnet of the pools. */
static int default_subnet(const struct allocator *allocator, char text[ADDRESS_TEXT_SIZE],
			  struct problem *problem)
{
	for (size_t i = 0; i < allocator->pool_count; i++) {
		const struct prefix *pool = &allocator->pools[i];
		range_value first;

		if (allocator->subnet_size > 30 || allocator->subnet_size < pool->length ||
		    range_set_find(&allocator->taken_subnets, pool->first, pool->last, pool->first,
				   (range_value)1 << (32 - allocator->subnet_size), &first))
			continue;
		address_format(first, (int)allocator->subnet_size, text);
		return 0;
	}
	return problem_set(problem, -EINVAL, NO_POOL);
}

/* What is to be written of one subnet. */
struct written {
	Fl__IPAMConfig config;
	char subnet[ADDRESS_TEXT_SIZE], gateway[ADDRESS_TEXT_SIZE];
};

static int choose_subnet(struct allocator *allocator, const Fl__IPAMConfig *wanted,
			 struct written *written, struct claims *claims, struct problem *problem)
{
	Fl__IPAMConfig config = FL__IPAMCONFIG__INIT;
	struct subnet subnet;
	ip_address gateway;
	int rc = 0;

	if (wanted)
		config = *wanted;
	if (!config.subnet || !*config.subnet) {
		rc = default_subnet(allocator, written->subnet, problem);
		config.subnet = written->subnet;
	}
	if (!rc)
		rc = parse_config(&config, &subnet, &gateway, problem);
	if (rc)
		return rc;
	rc = claims_take(claims, &allocator->taken_subnets, subnet.prefix.first, subnet.prefix.last,
			 NULL);
	if (rc)
		return rc == -EEXIST ? problem_set(problem, -EINVAL, OVERLAP) : rc;
	address_format(subnet.prefix.first, subnet.prefix.length, written->subnet);
	address_format(gateway, -1, written->gateway);
	written->config = config;
	written->config.subnet = written->subnet;
	written->config.gateway = written->gateway;
	return 0;
}

static int choose_subnets(struct allocator *allocator, const Fl__Network *network,
			  struct written *written, Fl__IPAMConfig **configs, size_t *count,
			  struct claims *claims, struct problem *problem)
{
	const Fl__IPAMOptions *ipam = network->spec ? network->spec->ipam_options : NULL;
	const size_t wanted = ipam && ipam->n_configs ? ipam->n_configs : 1;
	int rc = 0;

	if (wanted > CONFIGS_MAX)
		return problem_set(problem, -EINVAL, "ipam configuration: more than %d subnets",
				   CONFIGS_MAX);
	for (size_t i = 0; !rc && i < wanted; i++) {
		rc = choose_subnet(allocator, ipam && ipam->n_configs ? ipam->configs[i] : NULL,
				   &written[i], claims, problem);
		configs[i] = &written[i].config;
	}
	*count = wanted;
	return rc;
}

static int write_overlay(struct allocator *allocator, struct allocation *network,
			 struct transaction *transaction, struct claims *claims,
			 struct problem *problem)
{
	struct written written[CONFIGS_MAX];
	Fl__IPAMConfig *configs[CONFIGS_MAX];
	Fl__Driver driver = FL__DRIVER__INIT, ipam_driver = FL__DRIVER__INIT;
	Fl__KeyValue option = FL__KEY_VALUE__INIT, *options[] = {&option};
	Fl__IPAMOptions ipam = FL__IPAMOPTIONS__INIT;
	Fl__Network update = *network_of(network);
	char vni[16];
	int rc =
	    choose_subnets(allocator, &update, written, configs, &ipam.n_configs, claims, problem);

	if (!rc)
		rc = choose_vni(allocator, &update, claims, &update.vni, problem);
	if (rc)
		return rc;
	update.has_vni = true;
	update.allocation_error = NULL;
	snprintf(vni, sizeof(vni), "%u", update.vni);
	option.key = text_field(ALLOCATOR_VNI_OPTION);
	option.value = vni;
	driver.name = text_field("overlay");
	driver.options = options;
	driver.n_options = 1;
	update.driver_state = &driver;
	ipam_driver.name = text_field("default");
	ipam.driver = &ipam_driver;
	ipam.configs = configs;
	update.ipam_options = &ipam;
	return transaction_update(transaction, &update.base);
}

/* Of a driver that is each node's own. */
static int write_local(const struct allocation *network, struct transaction *transaction)
{
	Fl__Network update = *network_of(network);
	Fl__Driver driver = FL__DRIVER__INIT;

	driver.name = text_field(driver_of(update.spec));
	update.driver_state = &driver;
	update.allocation_error = NULL;
	return transaction_update(transaction, &update.base);
}

int network_allocate(struct allocator *allocator, struct allocation *network,
		     struct transaction *transaction, struct problem *problem)
{
	const uint32_t cursor = allocator->vni_cursor;
	struct claims claims = {0};
	int rc;

	if (!network_is_overlay(network_of(network)))
		return write_local(network, transaction);
	rc = write_overlay(allocator, network, transaction, &claims, problem);
	if (!rc)
		rc = claims_move(&network->claims, &claims);
	if (rc)
		allocator->vni_cursor = cursor;
	claims_give(&claims);
	return rc;
}

/* --- Addresses --- */

int network_is_ready(const struct allocation *network, struct problem *problem)
{
	const Fl__Network *object = network && !network->gone ? network_of(network) : NULL;

	if (object && object->driver_state)
		return 0;
	if (!object || !object->allocation_error)
		return -EAGAIN;
	return problem_set(problem, -EINVAL, "network %s: %s",
			   object->spec && object->spec->name ? object->spec->name : object->id,
			   object->allocation_error);
}

int network_take_address(struct allocation *network, bool v4, struct claims *claims,
			 char text[ADDRESS_TEXT_SIZE], ip_address *number, struct problem *problem)
{
	bool has_family = false;

	for (size_t i = 0; i < network->subnet_count; i++) {
		struct subnet *subnet = &network->subnets[i];
		ip_address found;
		int rc;

		if (address_is_v4(subnet->prefix.first) != v4)
			continue;
		has_family = true;
		if (range_set_find(&subnet->used, subnet->low, subnet->high, subnet->cursor, 1,
				   &found))
			continue;
		rc = claims_take(claims, &subnet->used, found, found, network);
		if (rc)
			return rc;
		subnet->cursor = found + 1;
		*number = found;
		address_format(found, subnet->prefix.length, text);
		return 0;
	}
	if (!has_family)
		return -ENOENT;
	return problem_set(problem, -EINVAL,
			   "no available %s addresses on this network's address pools: %s (%s)",
			   v4 ? "IPv4" : "IPv6",
			   network_of(network)->spec && network_of(network)->spec->name
			       ? network_of(network)->spec->name
			       : "",
			   network->id);
}

int network_retake_address(struct allocator *allocator, const char *network_id, const char *text,
			   struct claims *claims)
{
	struct allocation *network =
	    network_id ? id_map_get(&allocator->objects[ALLOCATION_NETWORKS], network_id) : NULL;
	ip_address number;
	uint8_t length;
	int rc;

	if (!network || !text || address_parse_with_length(text, &number, &length))
		return 0;
	for (size_t i = 0; i < network->subnet_count; i++) {
		struct subnet *subnet = &network->subnets[i];

		if (number < subnet->prefix.first || number > subnet->prefix.last)
			continue;
		rc = claims_take(claims, &subnet->used, number, number, network);
		allocator->conflicts += rc == -EEXIST;
		return rc == -ENOMEM ? rc : 0;
	}
	return 0;
}
