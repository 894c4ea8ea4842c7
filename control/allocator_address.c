/* SPDX-License-Identifier: BSD-2-Clause */
#include "allocator_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

bool address_is_v4(ip_address address)
{
	return address >> 32 == 0xffff;
}

int address_parse(const char *text, ip_address *result)
{
	uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};
	ip_address value = 0;

	if (inet_pton(AF_INET, text, bytes + 12) != 1 && inet_pton(AF_INET6, text, bytes) != 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(bytes); i++)
		value = value << 8 | bytes[i];
	*result = value;
	return 0;
}

const char *address_format(ip_address address, int length, char text[ADDRESS_TEXT_SIZE])
{
	const bool v4 = address_is_v4(address);
	uint8_t bytes[16];

	for (size_t i = sizeof(bytes); i-- > 0; address >>= 8)
		bytes[i] = (uint8_t)address;
	if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, text, INET6_ADDRSTRLEN))
		text[0] = '\0';
	if (length >= 0)
		snprintf(text + strlen(text), ADDRESS_TEXT_SIZE - strlen(text), "/%u",
			 (unsigned)length & 255);
	return text;
}

int address_parse_with_length(const char *text, ip_address *result, uint8_t *length)
{
	const char *slash = strchr(text, '/');
	char buffer[ADDRESS_TEXT_SIZE];
	unsigned number = 0;
	ip_address value;

	if (!slash || !slash[1] || strlen(slash) > 4 || slash - text >= (ptrdiff_t)sizeof(buffer))
		return -EINVAL;
	for (const char *digit = slash + 1; *digit; digit++) {
		if (*digit < '0' || *digit > '9')
			return -EINVAL;
		number = number * 10 + (unsigned)(*digit - '0');
	}
	memcpy(buffer, text, (size_t)(slash - text));
	buffer[slash - text] = '\0';
	/* An IPv4 address in IPv6's clothes has no length that means anything here. */
	if (address_parse(buffer, &value) || (strchr(buffer, ':') && address_is_v4(value)) ||
	    number > (strchr(buffer, ':') ? 128U : 32U))
		return -EINVAL;
	*result = value;
	*length = (uint8_t)number;
	return 0;
}

int prefix_parse(const char *text, struct prefix *prefix)
{
	uint8_t length;
	unsigned host_bits;
	ip_address value, hosts;

	if (address_parse_with_length(text, &value, &length))
		return -EINVAL;
	host_bits = (strchr(text, ':') ? 128U : 32U) - length;
	hosts = host_bits == 128 ? ~(ip_address)0 : ((ip_address)1 << host_bits) - 1;
	prefix->first = value & ~hosts;
	prefix->last = value | hosts;
	prefix->length = length;
	return 0;
}
