/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TESTS_LOOPBACK_H
#define FL_TESTS_LOOPBACK_H
/* Ports of 127.0.0.1 that members of a test may listen on. */
#include <arpa/inet.h>
#include <stdint.h>
#include <unistd.h>

/* One that nobody had a moment ago; 0: there is none. */
static inline uint16_t loopback_free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint16_t port = 0;

	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    !getsockname(fd, (struct sockaddr *)&address, &size))
		port = ntohs(address.sin_port);
	close(fd);
	return port;
}
#endif
