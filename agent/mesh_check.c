/* SPDX-License-Identifier: BSD-2-Clause */
#include "mesh_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Somebody, somewhere in the file, says that something is theirs. */
struct claim {
	uint64_t key;     /* what is claimed */
	const char *name; /* or this; then key is 0 */
	uint32_t outer;   /* where: services[outer].backends[inner], in the file's order */
	uint32_t inner;
};

enum {
	/* Places of an address: nodes[outer].vtep, nodes[outer].addresses[inner - 1], vips[inner].
	 */
	INNER_VTEP = 0,
	OUTER_VIPS = UINT32_MAX,
};

struct claims {
	struct claim *list;
	size_t count;
};

static void claims_release(struct claims *claims)
{
	free(claims->list);
}

static int claims_open(struct claims *claims, size_t count_max, const char *file,
		       struct error *error)
{
	claims->list = calloc(count_max ? count_max : 1, sizeof(*claims->list));
	if (!claims->list)
		return error_set(error, -ENOMEM, "%s: not enough memory to check it", file);
	return 0;
}

static void claims_add(struct claims *claims, uint64_t key, uint32_t outer, size_t inner)
{
	claims->list[claims->count++] = (struct claim){
	    .key = key,
	    .outer = outer,
	    .inner = (uint32_t)inner,
	};
}

static int by_position(const struct claim *a, const struct claim *b)
{
	if (a->outer != b->outer)
		return a->outer < b->outer ? -1 : 1;
	return (a->inner > b->inner) - (a->inner < b->inner);
}

static int same_thing(const struct claim *a, const struct claim *b)
{
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->name && b->name ? strcmp(a->name, b->name) : 0;
}

static int by_thing(const void *a, const void *b)
{
	const int order = same_thing(a, b);

	return order ? order : by_position(a, b);
}

/*
 * The first claim in the file that contradicts an earlier one, which is put into *earlier; NULL if
 * there is none. Claims of one thing that agree pairwise as neighbours agree all (NULL: none do).
 */
static const struct claim *claims_conflict(struct claims *claims, const struct mesh *mesh,
					   bool (*agree)(const struct mesh *mesh,
							 const struct claim *a,
							 const struct claim *b),
					   const struct claim **earlier)
{
	const struct claim *first = NULL;

	qsort(claims->list, claims->count, sizeof(*claims->list), by_thing);
	for (size_t i = 1; i < claims->count; i++) {
		const struct claim *a = &claims->list[i - 1], *b = &claims->list[i];
		if (same_thing(a, b) || (agree && agree(mesh, a, b)))
			continue;
		if (!first || by_position(b, first) < 0) {
			first = b;
			*earlier = a;
		}
	}
	return first;
}

static int check_names(const struct mesh *mesh, const char *file, struct error *error)
{
	__attribute__((cleanup(claims_release))) struct claims nodes = {0}, services = {0};
	const struct claim *later, *earlier;
	int rc = claims_open(&nodes, mesh->node_count, file, error);

	if (rc == 0)
		rc = claims_open(&services, mesh->service_count, file, error);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < mesh->node_count; i++) {
		claims_add(&nodes, 0, i, 0);
		nodes.list[i].name = mesh->nodes[i].name;
	}
	for (uint32_t i = 0; i < mesh->service_count; i++) {
		claims_add(&services, 0, i, 0);
		services.list[i].name = mesh->services[i].name;
	}
	later = claims_conflict(&nodes, mesh, NULL, &earlier);
	if (later)
		return error_set(error, -EINVAL,
				 "%s: nodes[%u].name: \"%s\" is already the name of nodes[%u]; "
				 "rename one",
				 file, later->outer, later->name, earlier->outer);
	later = claims_conflict(&services, mesh, NULL, &earlier);
	if (later)
		return error_set(
		    error, -EINVAL,
		    "%s: services[%u].name: \"%s\" is already the name of services[%u]; "
		    "rename one",
		    file, later->outer, later->name, earlier->outer);
	return 0;
}

struct where {
	char text[64];
};

static struct where address_where(const struct claim *claim)
{
	struct where where;

	if (claim->outer == (uint32_t)OUTER_VIPS)
		snprintf(where.text, sizeof(where.text), "vips[%u]", claim->inner);
	else if (claim->inner == INNER_VTEP)
		snprintf(where.text, sizeof(where.text), "nodes[%u].vtep", claim->outer);
	else
		snprintf(where.text, sizeof(where.text), "nodes[%u].addresses[%u]", claim->outer,
			 claim->inner - 1);
	return where;
}

/* A node's own VTEP may stand among its addresses, once. */
static void claim_addresses(struct claims *claims, const struct mesh_node *node, uint32_t index)
{
	bool vtep_seen = false;

	claims_add(claims, node->vtep.s_addr, index, INNER_VTEP);
	for (uint32_t i = 0; i < node->address_count; i++) {
		const bool vtep = node->addresses[i].s_addr == node->vtep.s_addr;
		if (!vtep || vtep_seen)
			claims_add(claims, node->addresses[i].s_addr, index, (size_t)i + 1);
		vtep_seen |= vtep;
	}
}

static int check_addresses(const struct mesh *mesh, const char *file, struct error *error)
{
	__attribute__((cleanup(claims_release))) struct claims claims = {0};
	const struct claim *later, *earlier;
	size_t count = (size_t)mesh->node_count + mesh->vip_count;
	char text[INET_ADDRSTRLEN];
	int rc;

	for (uint32_t i = 0; i < mesh->node_count; i++)
		count += mesh->nodes[i].address_count;
	rc = claims_open(&claims, count, file, error);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < mesh->node_count; i++)
		claim_addresses(&claims, &mesh->nodes[i], i);
	for (uint32_t i = 0; i < mesh->vip_count; i++)
		claims_add(&claims, mesh->vips[i].s_addr, OUTER_VIPS, i);
	later = claims_conflict(&claims, mesh, NULL, &earlier);
	if (!later)
		return 0;
	inet_ntop(AF_INET, &(struct in_addr){(in_addr_t)later->key}, text, sizeof(text));
	return error_set(error, -EINVAL, "%s: %s: %s is already used by %s; use another address",
			 file, address_where(later).text, text, address_where(earlier).text);
}

static int check_ports(const struct mesh *mesh, const char *file, struct error *error)
{
	__attribute__((cleanup(claims_release))) struct claims claims = {0};
	const struct claim *later, *earlier;
	size_t count = 0;
	int rc;

	for (uint32_t i = 0; i < mesh->service_count; i++)
		count += mesh->services[i].port_count;
	rc = claims_open(&claims, count, file, error);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < mesh->service_count; i++) {
		const struct mesh_service *service = &mesh->services[i];
		for (uint32_t j = 0; j < service->port_count; j++)
			claims_add(&claims,
				   (uint64_t)service->ports[j].protocol << 16 |
				       service->ports[j].published,
				   i, j);
	}
	later = claims_conflict(&claims, mesh, NULL, &earlier);
	if (!later)
		return 0;
	return error_set(
	    error, -EINVAL,
	    "%s: services[%u].ports[%u]: published port %u/%s is already used by service "
	    "\"%s\" (services[%u]); publish another",
	    file, later->outer, later->inner, (unsigned int)(later->key & 0xffff),
	    later->key >> 16 == IPPROTO_UDP ? "udp" : "tcp", mesh->services[earlier->outer].name,
	    earlier->outer);
}

static const struct mesh_backend *claim_backend(const struct mesh *mesh, const struct claim *claim)
{
	return &mesh->services[claim->outer].backends[claim->inner];
}

static uint64_t key_address(const struct mesh_backend *backend)
{
	return backend->address.s_addr;
}

static uint64_t key_mac(const struct mesh_backend *backend)
{
	uint64_t key = 0;

	memcpy(&key, backend->mac, ETH_ALEN);
	return key;
}

static bool has_interface(const struct mesh_backend *backend)
{
	return backend->interface[0];
}

static bool has_gateway(const struct mesh_backend *backend)
{
	return backend->gateway.s_addr;
}

static bool other_service(const struct mesh *mesh, const struct claim *a, const struct claim *b)
{
	(void)mesh;
	return a->outer != b->outer;
}

static bool same_node(const struct mesh *mesh, const struct claim *a, const struct claim *b)
{
	return claim_backend(mesh, a)->node == claim_backend(mesh, b)->node;
}

static bool same_mac(const struct mesh *mesh, const struct claim *a, const struct claim *b)
{
	return !memcmp(claim_backend(mesh, a)->mac, claim_backend(mesh, b)->mac, ETH_ALEN);
}

static bool same_address(const struct mesh *mesh, const struct claim *a, const struct claim *b)
{
	return key_address(claim_backend(mesh, a)) == key_address(claim_backend(mesh, b));
}

static bool same_interface(const struct mesh *mesh, const struct claim *a, const struct claim *b)
{
	return !strcmp(claim_backend(mesh, a)->interface, claim_backend(mesh, b)->interface);
}

static bool same_gateway(const struct mesh *mesh, const struct claim *a, const struct claim *b)
{
	return claim_backend(mesh, a)->gateway.s_addr == claim_backend(mesh, b)->gateway.s_addr;
}

/* One task may serve several services; each time it must be described alike. */
static const struct backend_rule {
	const char *field;
	bool (*applies)(const struct mesh_backend *backend); /* NULL: to each */
	uint64_t (*key)(const struct mesh_backend *backend);
	bool (*agree)(const struct mesh *mesh, const struct claim *a, const struct claim *b);
	const char *fault, *cure;
} backend_rules[] = {
    {"address", NULL, key_address, other_service, "is already a backend of this service",
     "remove one"},
    {"node", NULL, key_address, same_node, "runs on another node", "a task runs on one node"},
    {"mac", NULL, key_address, same_mac, "has another MAC", "give one MAC"},
    {"mac", NULL, key_mac, same_address, "has the same MAC as another task",
     "give each task its own"},
    {"interface", has_interface, key_address, same_interface, "has another interface",
     "give one interface"},
    {"gateway", has_gateway, key_address, same_gateway, "has another gateway", "give one gateway"},
};

static int check_backends(const struct mesh *mesh, const struct backend_rule *rule,
			  struct claims *claims, const char *file, struct error *error)
{
	const struct claim *later, *earlier;
	char text[INET_ADDRSTRLEN];

	claims->count = 0;
	for (uint32_t i = 0; i < mesh->service_count; i++) {
		const struct mesh_service *service = &mesh->services[i];
		for (uint32_t j = 0; j < service->backend_count; j++) {
			if (!rule->applies || rule->applies(&service->backends[j]))
				claims_add(claims, rule->key(&service->backends[j]), i, j);
		}
	}
	later = claims_conflict(claims, mesh, rule->agree, &earlier);
	if (!later)
		return 0;
	inet_ntop(AF_INET, &claim_backend(mesh, later)->address, text, sizeof(text));
	return error_set(error, -EINVAL,
			 "%s: services[%u].backends[%u].%s: %s %s (services[%u].backends[%u]); %s",
			 file, later->outer, later->inner, rule->field, text, rule->fault,
			 earlier->outer, earlier->inner, rule->cure);
}

int mesh_check(const struct mesh *mesh, const char *file, struct error *error)
{
	__attribute__((cleanup(claims_release))) struct claims claims = {0};
	size_t backends = 0;
	int rc = check_names(mesh, file, error);

	if (rc == 0)
		rc = check_addresses(mesh, file, error);
	if (rc == 0)
		rc = check_ports(mesh, file, error);
	for (uint32_t i = 0; i < mesh->service_count; i++)
		backends += mesh->services[i].backend_count;
	if (rc == 0)
		rc = claims_open(&claims, backends, file, error);
	for (size_t i = 0; i < sizeof(backend_rules) / sizeof(backend_rules[0]) && rc == 0; i++)
		rc = check_backends(mesh, &backend_rules[i], &claims, file, error);
	return rc;
}
