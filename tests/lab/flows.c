/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flows [options] ADDRESS:PORT: opens many TCP connections (one HTTP request each) or UDP flows
 * (one datagram each) and prints as JSON how many times each answer came, by its first word.
 *
 *   -u            UDP                     -n N        how many flows
 *   -c N          so many at once         -g PATH     what to GET
 *   -s A-B        source addresses        -p P-Q      source ports; flow i takes address A + i % n
 *   -t SECONDS    for all of it           -w MS       for one flow (UDP: for one attempt)
 *   -a N          UDP attempts per flow
 *
 *     flow:  connect --> send --> receive (TCP: to the end) --> count --> the slot's next flow
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWERS_MAX = 4096, WORD_MAX = 64, HEAD_BYTES_MAX = 2048, EVENTS_MAX = 256, SCAN_MS = 20 };

enum failure { BIND, REFUSED, RESET, TIMEOUT, SHORT, OTHER, FAILURES };
static const char *const failure_names[FAILURES] = {"bind",    "refused", "reset",
						    "timeout", "short",   "other"};

struct options {
	bool udp;
	uint32_t count, parallel, attempts, wait_ms, limit_ms;
	const char *path;
	uint32_t address_first, addresses; /* host byte order; 0: the kernel chooses */
	uint32_t port_first, ports;
	struct sockaddr_in target;
};

struct slot {
	int fd; /* -1: idle */
	bool sent;
	uint32_t attempt;
	uint64_t deadline_ms;
	size_t length;
	char head[HEAD_BYTES_MAX + 1];
};

static struct {
	char word[WORD_MAX];
	uint32_t count;
} answers[ANSWERS_MAX];
static uint32_t answer_count, failures[FAILURES], started, finished;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void answer_count_word(const char *body)
{
	char word[WORD_MAX];
	size_t length = strcspn(body, " \r\n");
	uint32_t i;

	if (length >= WORD_MAX)
		length = WORD_MAX - 1;
	for (i = 0; i < length; i++)
		word[i] = strchr("\"\\", body[i]) || body[i] < ' ' ? '?' : body[i];
	word[length] = '\0';
	for (i = 0; i < answer_count && strcmp(answers[i].word, word) != 0; i++) {
	}
	if (i == ANSWERS_MAX) {
		failures[OTHER]++;
		return;
	}
	if (i == answer_count) {
		memcpy(answers[i].word, word, length + 1);
		answer_count++;
	}
	answers[i].count++;
}

static void slot_close(struct slot *slot)
{
	close(slot->fd);
	slot->fd = -1;
	finished++;
}

static void slot_fail(struct slot *slot, enum failure failure)
{
	failures[failure]++;
	slot_close(slot);
}

static enum failure failure_of(int error)
{
	return error == ECONNREFUSED                   ? REFUSED
	       : error == ECONNRESET || error == EPIPE ? RESET
	       : error == ETIMEDOUT                    ? TIMEOUT
						       : OTHER;
}

/* The answer is complete: the body follows the HTTP header, or is the datagram. */
static void slot_finish(struct slot *slot, bool udp)
{
	const char *body = slot->head;

	slot->head[slot->length] = '\0';
	if (!udp) {
		body = strstr(slot->head, "\r\n\r\n");
		body = body ? body + 4 : "";
	}
	if (*body == '\0') {
		slot_fail(slot, SHORT);
		return;
	}
	answer_count_word(body);
	slot_close(slot);
}

static int source_bind(int fd, const struct options *options, uint32_t flow)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	uint32_t addresses = options->addresses ? options->addresses : 1;
	int yes = 1;

	if (!options->addresses && !options->ports)
		return 0;
	if (options->addresses)
		source.sin_addr.s_addr = htonl(options->address_first + flow % addresses);
	if (options->ports) {
		source.sin_port =
		    htons((uint16_t)(options->port_first + flow / addresses % options->ports));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	} else {
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	}
	return bind(fd, (struct sockaddr *)&source, sizeof(source));
}

static void slot_send(struct slot *slot, const struct options *options)
{
	char request[512];
	int length = options->udp ? snprintf(request, sizeof(request), "flow")
				  : snprintf(request, sizeof(request),
					     "GET %s HTTP/1.1\r\nHost: lab\r\n"
					     "Connection: close\r\n\r\n",
					     options->path);

	if (length >= (int)sizeof(request))
		length = (int)sizeof(request) - 1;
	slot->sent = true;
	if (send(slot->fd, request, (size_t)length, MSG_NOSIGNAL) < 0)
		slot_fail(slot, failure_of(errno));
}

static void slot_start(struct slot *slot, int epoll, const struct options *options)
{
	int type = options->udp ? SOCK_DGRAM : SOCK_STREAM;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = slot};
	uint32_t flow = started++;

	slot->sent = false;
	slot->attempt = 1;
	slot->length = 0;
	slot->deadline_ms = now_ms() + options->wait_ms;
	slot->fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (slot->fd < 0) {
		perror("flows: socket");
		exit(1);
	}
	if (source_bind(slot->fd, options, flow) != 0) {
		slot_fail(slot, BIND);
		return;
	}
	if (connect(slot->fd, (const struct sockaddr *)&options->target, sizeof(options->target)) !=
		0 &&
	    errno != EINPROGRESS) {
		slot_fail(slot, errno == EADDRNOTAVAIL ? BIND : failure_of(errno));
		return;
	}
	epoll_ctl(epoll, EPOLL_CTL_ADD, slot->fd, &event);
}

static void slot_receive(struct slot *slot, const struct options *options)
{
	char rest[65536];

	for (;;) {
		size_t room = HEAD_BYTES_MAX - slot->length;
		char *into = room ? slot->head + slot->length : rest;
		ssize_t got = recv(slot->fd, into, room ? room : sizeof(rest), 0);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got < 0) {
			slot_fail(slot, failure_of(errno));
			return;
		}
		slot->length += room ? (size_t)got : 0;
		if (got == 0 || options->udp) {
			slot_finish(slot, options->udp);
			return;
		}
	}
}

static void slot_event(struct slot *slot, uint32_t events, const struct options *options)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (events & EPOLLERR) {
		getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		slot_fail(slot, failure_of(error));
		return;
	}
	if (!slot->sent && (events & EPOLLOUT))
		slot_send(slot, options);
	if (slot->fd >= 0 && (events & (EPOLLIN | EPOLLHUP)))
		slot_receive(slot, options);
}

static void slot_expire(struct slot *slot, const struct options *options, uint64_t now)
{
	if (slot->fd < 0 || now < slot->deadline_ms)
		return;
	if (!options->udp || slot->attempt == options->attempts) {
		slot_fail(slot, TIMEOUT);
		return;
	}
	slot->attempt++;
	slot->deadline_ms = now + options->wait_ms;
	slot_send(slot, options);
}

static void flows_run(const struct options *options)
{
	struct slot *slots = calloc(options->parallel, sizeof(*slots));
	struct epoll_event events[EVENTS_MAX];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t end = now_ms() + options->limit_ms, scan = 0;
	uint32_t i;

	if (!slots || epoll < 0)
		exit(1);
	for (i = 0; i < options->parallel; i++)
		slots[i].fd = -1;
	while (finished < options->count && now_ms() < end) {
		int ready;

		for (i = 0; i < options->parallel && started < options->count; i++)
			if (slots[i].fd < 0)
				slot_start(&slots[i], epoll, options);
		ready = epoll_wait(epoll, events, EVENTS_MAX, SCAN_MS);
		for (int e = 0; e < ready; e++)
			slot_event(events[e].data.ptr, events[e].events, options);
		if (now_ms() < scan)
			continue;
		scan = now_ms() + SCAN_MS;
		for (i = 0; i < options->parallel; i++)
			slot_expire(&slots[i], options, scan);
	}
	failures[TIMEOUT] += options->count - finished;
	close(epoll);
	free(slots);
}

static void report(double seconds)
{
	bool first = true;

	printf("{\"answers\": {");
	for (uint32_t i = 0; i < answer_count; i++)
		printf("%s\"%s\": %u", i ? ", " : "", answers[i].word, answers[i].count);
	printf("}, \"errors\": {");
	for (int i = 0; i < FAILURES; i++) {
		if (failures[i] == 0)
			continue;
		printf("%s\"%s\": %u", first ? "" : ", ", failure_names[i], failures[i]);
		first = false;
	}
	printf("}, \"seconds\": %.3f}\n", seconds);
}

static void usage(void)
{
	fprintf(stderr, "usage: flows [-u] [-n N] [-c N] [-g PATH] [-s A-B] [-p P-Q] [-t SECONDS] "
			"[-w MS] [-a N] ADDRESS:PORT\n");
	exit(2);
}

static void addresses_parse(const char *text, struct options *options)
{
	char first[32], last[32];
	struct in_addr a, b;

	if (sscanf(text, "%31[0-9.]-%31[0-9.]", first, last) != 2 || !inet_aton(first, &a) ||
	    !inet_aton(last, &b) || ntohl(b.s_addr) < ntohl(a.s_addr))
		usage();
	options->address_first = ntohl(a.s_addr);
	options->addresses = ntohl(b.s_addr) - ntohl(a.s_addr) + 1;
}

static void ports_parse(const char *text, struct options *options)
{
	unsigned first, last;

	if (sscanf(text, "%u-%u", &first, &last) != 2 || first == 0 || last < first || last > 65535)
		usage();
	options->port_first = first;
	options->ports = last - first + 1;
}

static void target_parse(const char *text, struct options *options)
{
	char address[32];
	unsigned port;

	options->target.sin_family = AF_INET;
	if (sscanf(text, "%31[0-9.]:%u", address, &port) != 2 || port > 65535 ||
	    !inet_aton(address, &options->target.sin_addr))
		usage();
	options->target.sin_port = htons((uint16_t)port);
}

static void options_parse(int argc, char **argv, struct options *options)
{
	int letter;

	while ((letter = getopt(argc, argv, "un:c:g:s:p:t:w:a:")) != -1) {
		switch (letter) {
		case 'u':
			options->udp = true;
			break;
		case 'n':
			options->count = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'c':
			options->parallel = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'g':
			options->path = optarg;
			break;
		case 's':
			addresses_parse(optarg, options);
			break;
		case 'p':
			ports_parse(optarg, options);
			break;
		case 't':
			options->limit_ms = (uint32_t)(strtod(optarg, NULL) * 1000);
			break;
		case 'w':
			options->wait_ms = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'a':
			options->attempts = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		default:
			usage();
		}
	}
	if (optind != argc - 1 || options->parallel == 0 || options->attempts == 0)
		usage();
	target_parse(argv[optind], options);
}

int main(int argc, char **argv)
{
	struct options options = {.count = 1,
				  .parallel = 256,
				  .attempts = 1,
				  .wait_ms = 5000,
				  .limit_ms = 20000,
				  .path = "/"};
	struct rlimit files;
	uint64_t start;

	options_parse(argc, argv, &options);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	start = now_ms();
	flows_run(&options);
	report((double)(now_ms() - start) / 1000);
	return 0;
}
