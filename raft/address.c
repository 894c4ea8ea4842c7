/* SPDX-License-Identifier: BSD-2-Clause */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { PORT_MAX = 65535 };

static bool parse_port(const char *text, uint16_t *port)
{
	uint32_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint32_t)(*text - '0');
		if (value > PORT_MAX)
			return false;
	}
	*port = (uint16_t)value;
	return true;
}

static bool is_name(const char *host)
{
	for (; *host; host++)
		if (!((*host >= 'a' && *host <= 'z') || (*host >= 'A' && *host <= 'Z') ||
		      (*host >= '0' && *host <= '9') || strchr("-._", *host)))
			return false;
	return true;
}

static bool split(const char *text, char *host, const char **port)
{
	const char *colon = strrchr(text, ':');
	size_t length;

	if (!colon || colon == text || colon - text >= RAFT_ADDRESS_MAX)
		return false;
	length = (size_t)(colon - text);
	*port = colon + 1;
	if (text[0] == '[') {
		if (length < 3 || text[length - 1] != ']')
			return false;
		text++;
		length -= 2;
	}
	memcpy(host, text, length);
	host[length] = 0;
	return true;
}

int address_parse(const char *text, struct address *address)
{
	struct address found = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&found.sockaddr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&found.sockaddr;
	const char *port_text;
	uint16_t port;

	if (!split(text, found.host, &port_text) || !parse_port(port_text, &port))
		return -EINVAL;
	snprintf(found.port, sizeof(found.port), "%u", port);
	found.numeric = true;
	if (text[0] != '[' && inet_pton(AF_INET, found.host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
	} else if (text[0] == '[' && inet_pton(AF_INET6, found.host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
	} else if (text[0] != '[' && is_name(found.host)) {
		found.numeric = false;
	} else {
		return -EINVAL;
	}
	*address = found;
	return 0;
}

void address_format(const struct sockaddr *sockaddr, char *text)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sockaddr;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sockaddr;
	char host[INET6_ADDRSTRLEN] = "?";

	if (sockaddr->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(text, RAFT_ADDRESS_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(text, RAFT_ADDRESS_MAX, "%s:%u", host, ntohs(v4->sin_port));
	}
}
