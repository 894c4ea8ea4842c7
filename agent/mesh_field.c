/* SPDX-License-Identifier: BSD-2-Clause */
#include "mesh_field.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lb_types.h"

int mesh_field_port(const struct json_place *place, uint16_t *port)
{
	static const struct json_range range = {.min = 1, .max = UINT16_MAX, .noun = "a port"};
	int64_t number;
	int rc = json_place_integer(place, &range, &number);

	if (rc == 0)
		*port = (uint16_t)number;
	return rc;
}

int mesh_field_name(const struct json_place *place, char name[MESH_NAME_MAX])
{
	const char *text;
	size_t i;
	int rc = json_place_string(place, &text);

	if (rc < 0)
		return rc;
	for (i = 0; isalnum((unsigned char)text[i]) || (i && text[i] && strchr("_.-", text[i]));)
		i++;
	if (i == 0 || text[i])
		return json_place_error(
		    place, -EINVAL,
		    "\"%s\" is not a name; use letters, digits, \"_\", \".\" and "
		    "\"-\", a letter or digit first",
		    json_shown(text).text);
	if (i >= MESH_NAME_MAX)
		return json_place_error(place, -EINVAL,
					"\"%s\" has %zu characters; a name has at most %d",
					json_shown(text).text, i, MESH_NAME_MAX - 1);
	memcpy(name, text, i + 1);
	return 0;
}

const char *mesh_interface_fault(const char *name)
{
	if (!name[0])
		return "is empty; name an interface";
	if (strlen(name) >= IF_NAMESIZE)
		return "is too long; an interface's name has at most 15 characters";
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return "is not an interface's name";
	for (; *name; name++) {
		const unsigned char byte = (unsigned char)*name;
		if (byte == '/' || byte == ':' || byte <= ' ' || byte == 0x7f)
			return "is not an interface's name; use no \"/\", \":\" or blank";
	}
	return NULL;
}
_Static_assert(IF_NAMESIZE == 16, "mesh_interface_fault says 15 characters");

int mesh_field_interface(const struct json_place *place, char name[IF_NAMESIZE])
{
	const char *text, *fault;
	int rc = json_place_string(place, &text);

	if (rc < 0)
		return rc;
	fault = mesh_interface_fault(text);
	if (fault)
		return json_place_error(place, -EINVAL, "\"%s\" %s", json_shown(text).text, fault);
	memcpy(name, text, strlen(text) + 1);
	return 0;
}

static const char *address_fault(uint32_t address)
{
	if (address >> 24 == 0)
		return "is within 0.0.0.0/8, which no node or task has";
	if (address >> 24 == 127)
		return "is a loopback address, which other nodes cannot reach";
	if (address >> 28 == 0xe)
		return "is a multicast address";
	if (address == UINT32_MAX)
		return "is the broadcast address";
	return NULL;
}

int mesh_field_address(const struct json_place *place, struct in_addr *address)
{
	struct in_addr parsed;
	const char *text, *fault;
	int rc = json_place_string(place, &text);

	if (rc < 0)
		return rc;
	if (strchr(text, ':'))
		return json_place_error(place, -EINVAL,
					"\"%s\": IPv6 is not supported here; use an IPv4 address",
					json_shown(text).text);
	if (inet_pton(AF_INET, text, &parsed) != 1)
		return json_place_error(
		    place, -EINVAL,
		    "\"%s\" is not an IPv4 address; write four numbers, such as "
		    "\"192.0.2.10\"",
		    json_shown(text).text);
	fault = address_fault(ntohl(parsed.s_addr));
	if (fault)
		return json_place_error(place, -EINVAL, "%s %s; use a unicast address", text,
					fault);
	*address = parsed;
	return 0;
}

int mesh_field_addresses(const struct json_place *place, struct in_addr **addresses,
			 uint32_t *address_count)
{
	size_t count = 0;
	int rc = json_place_array(place, 0, UINT32_MAX, &count);

	if (rc == 0)
		rc = json_place_room(place, count, sizeof(**addresses), addresses);
	if (rc == 0)
		*address_count = (uint32_t)count;
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct json_place item = json_place_item(place, i);
		rc = mesh_field_address(&item, &(*addresses)[i]);
	}
	return rc;
}

static int hex_digit(char digit)
{
	if (!isxdigit((unsigned char)digit))
		return -1;
	return isdigit((unsigned char)digit) ? digit - '0'
					     : tolower((unsigned char)digit) - 'a' + 10;
}

/* A pair of digits, or -1. Never looks past the end of the text. */
static int hex_byte(const char *text)
{
	const int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

	return low < 0 ? -1 : high << 4 | low;
}

static bool parse_mac(const char *text, uint8_t mac[ETH_ALEN])
{
	if (strlen(text) != 3 * ETH_ALEN - 1)
		return false;
	for (int i = 0; i < ETH_ALEN; i++) {
		const int byte = hex_byte(text + 3 * i);
		if (byte < 0 || text[3 * i + 2] != (i < ETH_ALEN - 1 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)byte;
	}
	return true;
}

static const char *mac_fault(const uint8_t mac[ETH_ALEN])
{
	static const uint8_t none[ETH_ALEN];

	if (mac[0] & 1)
		return "is a multicast address; use a unicast one";
	if (!memcmp(mac, none, ETH_ALEN))
		return "is all zero; use the MAC of the task's own interface";
	if (mac[0] == LB_MAC_PREFIX &&
	    ((mac[1] & 0xf0) == LB_MAC_ENTRY || (mac[1] & 0xf0) == LB_MAC_RETURN))
		return "is reserved: the mesh itself uses 0a:1x and 0a:2x; give the task another";
	return NULL;
}

int mesh_field_mac(const struct json_place *place, uint8_t mac[ETH_ALEN])
{
	uint8_t parsed[ETH_ALEN];
	const char *text, *fault;
	int rc = json_place_string(place, &text);

	if (rc < 0)
		return rc;
	if (!parse_mac(text, parsed))
		return json_place_error(
		    place, -EINVAL,
		    "\"%s\" is not a MAC address; write six pairs of hex digits, "
		    "such as \"02:42:0a:01:01:02\"",
		    json_shown(text).text);
	fault = mac_fault(parsed);
	if (fault)
		return json_place_error(place, -EINVAL, "%s %s", text, fault);
	memcpy(mac, parsed, ETH_ALEN);
	return 0;
}

int mesh_field_key(const struct json_place *place, uint8_t key[16])
{
	uint8_t parsed[16];
	const char *text;
	int rc = json_place_string(place, &text), byte = 0;
	size_t length;

	if (rc < 0)
		return rc;
	length = strlen(text);
	for (size_t i = 0; i < sizeof(parsed) && length == 2 * sizeof(parsed) && byte >= 0; i++) {
		byte = hex_byte(text + 2 * i);
		parsed[i] = (uint8_t)byte;
	}
	/* The key is a secret: messages end up in logs and do not repeat it. */
	if (length != 2 * sizeof(parsed) || byte < 0)
		return json_place_error(place, -EINVAL,
					"has %zu characters%s; must be exactly 32 hex digits "
					"(make one with: openssl rand -hex 16)",
					length, byte < 0 ? ", not all of them hex digits" : "");
	memcpy(key, parsed, sizeof(parsed));
	return 0;
}
