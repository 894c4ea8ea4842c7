/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udpecho NAME PORT: answers each datagram with "NAME ADDRESS:PORT PAYLOAD", ADDRESS:PORT being the
 * sender as seen here, so that a test can tell which task answered and whom it saw.
 * The payload "size N" is answered with a datagram of exactly N bytes: the same words, then
 * padding.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM_BYTES_MAX = 65507 };

static size_t answer_build(char *answer, size_t room, const char *name,
			   const struct sockaddr_in *from, const char *payload, size_t bytes)
{
	char address[INET_ADDRSTRLEN];
	int length;
	long size;

	inet_ntop(AF_INET, &from->sin_addr, address, sizeof(address));
	length = snprintf(answer, room, "%s %s:%u ", name, address, ntohs(from->sin_port));
	if (length < 0 || (size_t)length + bytes > DATAGRAM_BYTES_MAX)
		return 0;
	memcpy(answer + length, payload, bytes);
	length += (int)bytes;
	if (sscanf(payload, "size %ld", &size) != 1 || size <= 0 || size > DATAGRAM_BYTES_MAX)
		return (size_t)length;
	if (size > length)
		memset(answer + length, '.', (size_t)(size - length));
	return (size_t)size;
}

static int socket_open(uint16_t port)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(port)};
	int bytes = 4 << 20;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* Thousands of flows may ask at once; the test counts answers, not socket buffers. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return bind(fd, (struct sockaddr *)&local, sizeof(local)) == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
	static char question[DATAGRAM_BYTES_MAX + 1], answer[2 * DATAGRAM_BYTES_MAX];
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: udpecho NAME PORT\n");
		return 2;
	}
	fd = socket_open((uint16_t)atoi(argv[2]));
	if (fd < 0) {
		perror("udpecho: bind");
		return 1;
	}
	for (;;) {
		struct sockaddr_in from;
		socklen_t from_size = sizeof(from);
		ssize_t got = recvfrom(fd, question, sizeof(question) - 1, 0,
				       (struct sockaddr *)&from, &from_size);
		size_t size;

		if (got < 0)
			continue;
		question[got] = '\0';
		size = answer_build(answer, sizeof(answer), argv[1], &from, question, (size_t)got);
		if (sendto(fd, answer, size, 0, (struct sockaddr *)&from, from_size) < 0)
			perror("udpecho: send");
	}
}
