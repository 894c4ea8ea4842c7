/* SPDX-License-Identifier: BSD-2-Clause */
/* Real sockets on 127.0.0.1. Waiting is for events; only a test that fails runs into PATIENCE_MS.
 */
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "outbox.h"
#include "pki.h"
#include "stream.h"

enum { PATIENCE_MS = 20000, LOG_SIZE = 1 << 16 };
static const char cluster[] = "harbour";

static uv_loop_t loop;
static struct pki *pki;

struct end {
	struct transport *transport;
	struct pki_pair pair;
	uint32_t received, unreachable;
	struct raft_message last; /* cleared when the next comes */
	uint64_t indexes;         /* of appends that came in order, each one more */
	bool disorder;
	char log[LOG_SIZE];
};

static void received(void *context, struct raft_message *message)
{
	struct end *end = context;

	if (message->type == RAFT_APPEND) {
		end->disorder |= message->index != end->indexes;
		end->indexes++;
	}
	end->received++;
	raft_message_clear(&end->last);
	end->last = *message;
	*message = (struct raft_message){0};
}

static void unreachable(void *context, uint64_t id)
{
	struct end *end = context;

	assert_true(id);
	end->unreachable++;
}

static void said(void *context, const char *line)
{
	struct end *end = context;
	const size_t used = strlen(end->log);

	if (used + strlen(line) + 2 < sizeof(end->log)) {
		strcpy(end->log + used, line);
		strcat(end->log, "\n");
	}
}

static struct transport_options options_of(struct end *end, const char *ca)
{
	return (struct transport_options){
	    .loop = &loop,
	    .pem = {ca, end->pair.certificate, end->pair.key},
	    .listen = "127.0.0.1:0",
	    .events = {.received = received,
		       .unreachable = unreachable,
		       .said = said,
		       .context = end},
	};
}

/* Takes the pair. */
static void open_with(struct end *end, const char *ca, struct pki_pair pair)
{
	struct raft_error error;
	struct transport_options options;

	memset(end, 0, sizeof(*end));
	end->pair = pair;
	options = options_of(end, ca);
	if (transport_open(&options, &end->transport, &error))
		fail_msg("%s", error.message);
}

static void open_end(struct end *end, uint64_t id)
{
	open_with(end, pki_ca(pki), pki_member(pki, cluster, id));
}

static void close_end(struct end *end)
{
	transport_close(end->transport);
	end->transport = NULL;
	raft_message_clear(&end->last);
	pki_pair_free(&end->pair);
}

static void introduce(struct end *to, uint64_t id, const struct end *end)
{
	assert_int_equal(transport_set_peer(to->transport, id, transport_address(end->transport)),
			 0);
}

static void wake(uv_timer_t *timer)
{
	(void)timer;
}

#define wait_for(condition)                                                                        \
	do {                                                                                       \
		const uint64_t deadline_ = uv_hrtime() / 1000000 + PATIENCE_MS;                    \
		uv_timer_t timer_;                                                                 \
		uv_timer_init(&loop, &timer_);                                                     \
		uv_timer_start(&timer_, wake, 5, 5);                                               \
		while (!(condition) && uv_hrtime() / 1000000 < deadline_)                          \
			uv_run(&loop, UV_RUN_ONCE);                                                \
		uv_close((uv_handle_t *)&timer_, NULL);                                            \
		uv_run(&loop, UV_RUN_NOWAIT);                                                      \
		assert_true(condition);                                                            \
	} while (0)

static int send_plain(struct end *end, uint64_t from, uint64_t to, uint8_t type, uint64_t index)
{
	struct raft_message message = {
	    .type = type, .from = from, .to = to, .term = 1, .index = index};

	return transport_send(end->transport, &message);
}

static int send_append(struct end *end, uint64_t from, uint64_t to, uint64_t index, size_t size)
{
	struct raft_message message = {.type = RAFT_APPEND,
				       .from = from,
				       .to = to,
				       .term = 1,
				       .index = index,
				       .entry_count = 1,
				       .entries = calloc(1, sizeof(struct raft_entry))};

	message.entries[0] = (struct raft_entry){.index = index + 1,
						 .term = 1,
						 .type = RAFT_ENTRY_COMMAND,
						 .data = raft_bytes_new(NULL, size)};
	return transport_send(end->transport, &message);
}

static int set_up(void **state)
{
	(void)state;
	pki = pki_new();
	return uv_loop_init(&loop);
}

/* Every handle is closed, or the loop cannot be. */
static int tear_down(void **state)
{
	(void)state;
	pki_free(pki);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static struct end a, b;

static void open_both(void)
{
	open_end(&a, 0xa);
	open_end(&b, 0xb);
	introduce(&a, 0xb, &b);
}

static void close_both(void)
{
	close_end(&a);
	close_end(&b);
}

/* -- what should work -------------------------------------------------------------------------- */

static void messages_come_in_order(void **state)
{
	enum { COUNT = 2000 };

	(void)state;
	open_both();
	for (unsigned int i = 0; i < COUNT; i++)
		assert_int_equal(send_append(&a, 0xa, 0xb, i, i % 300), 0);
	transport_flush(a.transport);
	wait_for(b.received == COUNT);
	assert_false(b.disorder);
	assert_int_equal(b.last.from, 0xa);
	assert_int_equal(b.last.to, 0xb);
	assert_int_equal(b.last.term, 1);
	assert_int_equal(b.last.entry_count, 1);
	assert_int_equal(a.unreachable, 0);
	assert_int_equal(transport_counters(a.transport)->sent, COUNT);
	close_both();
}

/* B was told nobody's address: A's introduction is enough to answer. */
static void who_dials_in_can_be_answered(void **state)
{
	(void)state;
	open_both();
	wait_for(transport_is_up(b.transport, 0xa));
	assert_int_equal(send_plain(&b, 0xb, 0xa, RAFT_VOTE_REPLY, 0), 0);
	transport_flush(b.transport);
	wait_for(a.received == 1);
	/* And is forgotten with its connection, as it is no member of B's. */
	close_end(&a);
	wait_for(send_plain(&b, 0xb, 0xa, RAFT_VOTE_REPLY, 0) == -ENOTCONN);
	close_end(&b);
}

static void large_chunks_come_whole(void **state)
{
	enum { COUNT = 12 };

	(void)state;
	open_both();
	for (unsigned int i = 0; i < COUNT; i++) {
		struct raft_message message = {.type = RAFT_SNAPSHOT,
					       .from = 0xa,
					       .to = 0xb,
					       .offset = (uint64_t)i * RAFT_SNAPSHOT_CHUNK_MAX,
					       .snapshot = calloc(1, sizeof(struct raft_snapshot)),
					       .chunk =
						   raft_bytes_new(NULL, RAFT_SNAPSHOT_CHUNK_MAX)};

		memset(message.chunk->data, (int)i, RAFT_SNAPSHOT_CHUNK_MAX);
		assert_int_equal(transport_send(a.transport, &message), 0);
	}
	transport_flush(a.transport);
	wait_for(b.received == COUNT);
	assert_int_equal(b.last.chunk->size, RAFT_SNAPSHOT_CHUNK_MAX);
	assert_int_equal(b.last.chunk->data[RAFT_SNAPSHOT_CHUNK_MAX - 1], COUNT - 1);
	assert_int_equal(send_append(&a, 0xa, 0xb, 0, RAFT_ENTRY_SIZE_MAX), 0);
	transport_flush(a.transport);
	wait_for(b.received == COUNT + 1);
	assert_int_equal(b.last.entries[0].data->size, RAFT_ENTRY_SIZE_MAX);
	close_both();
}

static void a_member_that_comes_back_is_dialled(void **state)
{
	char address[RAFT_ADDRESS_MAX];
	struct transport_options options;
	struct raft_error error;

	(void)state;
	open_both();
	wait_for(transport_is_up(a.transport, 0xb));
	strcpy(address, transport_address(b.transport));
	transport_close(b.transport);
	wait_for(a.unreachable == 1 && !transport_is_up(a.transport, 0xb));
	options = options_of(&b, pki_ca(pki));
	options.listen = address;
	assert_int_equal(transport_open(&options, &b.transport, &error), 0);
	wait_for(transport_is_up(a.transport, 0xb));
	assert_int_equal(send_plain(&a, 0xa, 0xb, RAFT_HEARTBEAT, 0), 0);
	transport_flush(a.transport);
	wait_for(b.received == 1);
	close_both();
}

static void a_member_that_moved_is_found(void **state)
{
	struct end moved;

	(void)state;
	open_both();
	wait_for(transport_is_up(a.transport, 0xb));
	close_end(&b);
	open_end(&moved, 0xb);
	introduce(&a, 0xb, &moved);
	wait_for(transport_is_up(a.transport, 0xb));
	assert_int_equal(send_plain(&a, 0xa, 0xb, RAFT_HEARTBEAT, 0), 0);
	transport_flush(a.transport);
	wait_for(moved.received == 1);
	close_end(&moved);
	close_end(&a);
}

/* It tells where it is now; the membership that A has still names the old place. */
static void a_member_that_moved_says_so(void **state)
{
	struct raft_members members = {.count = 1};
	struct end moved;

	(void)state;
	open_both();
	members.member[0] = (struct raft_member){.id = 0xb, .role = RAFT_VOTER};
	strcpy(members.member[0].address, transport_address(b.transport));
	wait_for(transport_is_up(a.transport, 0xb));
	close_end(&b);
	wait_for(!transport_is_up(a.transport, 0xb));
	open_end(&moved, 0xb);
	introduce(&moved, 0xa, &a);
	wait_for(transport_is_up(a.transport, 0xb));
	transport_set_peers(a.transport, &members);
	assert_true(transport_is_up(a.transport, 0xb));
	close_end(&moved);
	close_end(&a);
}

static void certificates_are_renewed_without_a_break(void **state)
{
	struct pki *next = pki_new();
	char *both = malloc(strlen(pki_ca(pki)) + strlen(pki_ca(next)) + 1);
	struct pki_pair renewed, other;
	struct tls_pem pem;
	struct raft_error error;
	struct end moved;

	(void)state;
	strcpy(both, pki_ca(pki));
	strcat(both, pki_ca(next));
	open_both();
	wait_for(transport_is_up(a.transport, 0xb));
	renewed = pki_member(next, cluster, 0xa);
	pem = (struct tls_pem){both, renewed.certificate, renewed.key};
	assert_int_equal(transport_set_pem(a.transport, &pem, &error), 0);
	assert_true(transport_is_up(a.transport, 0xb));
	assert_int_equal(a.unreachable, 0);
	/* The next connection is made with the new ones, to a member that has only new ones. */
	close_end(&b);
	open_with(&moved, pki_ca(next), pki_member(next, cluster, 0xb));
	introduce(&a, 0xb, &moved);
	wait_for(transport_is_up(a.transport, 0xb));
	/* Another member's are not taken, nor what is no certificate. */
	other = pki_member(pki, cluster, 0xc);
	pem = (struct tls_pem){both, other.certificate, other.key};
	assert_int_equal(transport_set_pem(a.transport, &pem, &error), -EINVAL);
	pem = (struct tls_pem){both, other.certificate, renewed.key};
	assert_int_equal(transport_set_pem(a.transport, &pem, &error), -EINVAL);
	pem = (struct tls_pem){"", renewed.certificate, renewed.key};
	assert_int_equal(transport_set_pem(a.transport, &pem, &error), -EINVAL);
	pki_pair_free(&renewed);
	pki_pair_free(&other);
	close_end(&moved);
	close_end(&a);
	pki_free(next);
	free(both);
}

static void who_is_removed_is_hung_up_on(void **state)
{
	const struct raft_members nobody = {0};

	(void)state;
	open_both();
	wait_for(transport_is_up(b.transport, 0xa));
	transport_set_peers(a.transport, &nobody);
	assert_int_equal(send_plain(&a, 0xa, 0xb, RAFT_HEARTBEAT, 0), -ENOTCONN);
	wait_for(b.unreachable > 0 || !transport_is_up(b.transport, 0xa));
	close_both();
}

/* -- who may not talk -------------------------------------------------------------------------- */

/* A, which is good, dials B, whose credentials are these (B's are taken): neither sends. */
static void refuse_b(const char *ca, struct pki_pair pair, const char *said_by_a)
{
	open_end(&a, 0xa);
	open_with(&b, ca, pair);
	introduce(&a, 0xb, &b);
	wait_for(a.unreachable >= 2);
	assert_false(transport_is_up(a.transport, 0xb));
	assert_int_equal(transport_counters(a.transport)->connected, 0);
	if (!strstr(a.log, said_by_a))
		fail_msg("'%s' is not in:\n%s", said_by_a, a.log);
	close_both();
}

/* B, with these credentials, dials A. */
static void refused_b(const char *ca, struct pki_pair pair, const char *said_by_a)
{
	open_end(&a, 0xa);
	open_with(&b, ca, pair);
	introduce(&b, 0xa, &a);
	wait_for(b.unreachable >= 2);
	assert_int_equal(transport_counters(b.transport)->connected, 0);
	assert_int_equal(a.received, 0);
	if (!strstr(a.log, said_by_a))
		fail_msg("'%s' is not in:\n%s", said_by_a, a.log);
	close_both();
}

static void another_ca_is_refused(void **state)
{
	struct pki *other = pki_new();

	(void)state;
	refuse_b(pki_ca(pki), pki_member(other, cluster, 0xb), "TLS: ");
	refused_b(pki_ca(pki), pki_member(other, cluster, 0xb), "from a stranger: TLS: ");
	refuse_b(pki_ca(other), pki_member(pki, cluster, 0xb), "TLS: ");
	pki_free(other);
}

static void another_member_is_refused(void **state)
{
	(void)state;
	refuse_b(pki_ca(pki), pki_member(pki, cluster, 0xc), "is of 000000000000000c");
}

static void another_cluster_is_refused(void **state)
{
	(void)state;
	refuse_b(pki_ca(pki), pki_member(pki, "roads", 0xb), "of cluster roads");
	refused_b(pki_ca(pki), pki_member(pki, "roads", 0xb), "of another cluster");
}

static void expired_is_refused(void **state)
{
	const char *name = "000000000000000b";

	(void)state;
	refuse_b(pki_ca(pki), pki_issue(pki, cluster, name, -7200, -3600, PKI_BOTH), "expired");
	refused_b(pki_ca(pki), pki_issue(pki, cluster, name, -7200, -3600, PKI_BOTH), "expired");
	refuse_b(pki_ca(pki), pki_issue(pki, cluster, name, 3600, 7200, PKI_BOTH), "not yet valid");
}

static void another_use_is_refused(void **state)
{
	const char *name = "000000000000000b";

	(void)state;
	refuse_b(pki_ca(pki), pki_issue(pki, cluster, name, -60, 3600, PKI_CLIENT_ONLY), "TLS: ");
	refused_b(pki_ca(pki), pki_issue(pki, cluster, name, -60, 3600, PKI_SERVER_ONLY), "TLS: ");
}

static void a_member_needs_its_name(void **state)
{
	static const char *const names[] = {
	    NULL, "", "b", "000000000000000B", "0000000000000000", "000000000000000bb"};

	(void)state;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct transport_options options;
		struct raft_error error;

		b.pair = pki_issue(pki, cluster, names[i] && *names[i] ? names[i] : NULL, -60, 3600,
				   PKI_BOTH);
		options = options_of(&b, pki_ca(pki));
		assert_int_equal(transport_open(&options, &b.transport, &error), -EINVAL);
		assert_non_null(strstr(error.message, "subject"));
		pki_pair_free(&b.pair);
	}
}

/* A's certificate is good, but what it sends is not its own. */
static void impostors_are_cut_off(void **state)
{
	(void)state;
	open_both();
	wait_for(transport_is_up(a.transport, 0xb));
	assert_int_equal(send_plain(&a, 0xc, 0xb, RAFT_HEARTBEAT, 0), 0);
	transport_flush(a.transport);
	wait_for(transport_counters(b.transport)->impostors == 1);
	assert_int_equal(b.received, 0);
	wait_for(a.unreachable == 1);
	close_both();
}

/* -- bytes by hand ----------------------------------------------------------------------------- */

static uint16_t port_of(const struct end *end)
{
	return (uint16_t)atoi(strchr(transport_address(end->transport), ':') + 1);
}

static int dial_plain(const struct end *end)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons(port_of(end)),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	connect(fd, (const struct sockaddr *)&address, sizeof(address));
	return fd;
}

static void garbage_is_refused(void **state)
{
	char junk[4096];
	int fd;

	(void)state;
	memset(junk, 0x16, sizeof(junk));
	open_both();
	fd = dial_plain(&b);
	wait_for(transport_counters(b.transport)->accepted >= 1);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	wait_for(transport_counters(b.transport)->rejected == 1);
	close(fd);
	/* Members are not disturbed. */
	assert_int_equal(send_plain(&a, 0xa, 0xb, RAFT_HEARTBEAT, 0), 0);
	wait_for(transport_is_up(a.transport, 0xb));
	transport_flush(a.transport);
	wait_for(b.received == 1);
	close_both();
}

/* One that connects and says nothing is thrown out; many do not keep a member out. */
static void silent_strangers_do_not_lock_members_out(void **state)
{
	enum { COUNT = 3 * TRANSPORT_STRANGERS_MAX };
	int fds[COUNT];

	(void)state;
	open_end(&b, 0xb);
	for (int i = 0; i < COUNT; i++)
		fds[i] = dial_plain(&b);
	wait_for(transport_counters(b.transport)->accepted == COUNT);
	assert_int_equal(transport_counters(b.transport)->strangers_dropped,
			 COUNT - TRANSPORT_STRANGERS_MAX);
	open_end(&a, 0xa);
	introduce(&a, 0xb, &b);
	wait_for(transport_is_up(a.transport, 0xb));
	wait_for(strstr(b.log, "no handshake in time"));
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
	close_both();
}

/* A real member's TLS with a hand-made interior: what comes after the handshake. */
struct hand {
	struct tls_context *tls;
	struct stream_home home;
	struct stream *stream;
	bool ready, closed;
};

static void hand_ready(void *owner, const struct tls_identity *peer)
{
	(void)peer;
	((struct hand *)owner)->ready = true;
}

static void hand_data(void *owner, const uint8_t *data, size_t size)
{
	(void)owner, (void)data, (void)size;
}

static void hand_drained(void *owner)
{
	(void)owner;
}

static void hand_closed(void *owner, int err, const char *why)
{
	struct hand *hand = owner;

	(void)err, (void)why;
	hand->closed = true;
	hand->stream = NULL;
}

static const struct stream_events hand_events = {hand_ready, hand_data, hand_drained, hand_closed};

static void hand_shake(struct hand *hand, const struct end *end)
{
	struct pki_pair pair = pki_member(pki, cluster, 0xa);
	const struct tls_pem pem = {pki_ca(pki), pair.certificate, pair.key};
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons(port_of(end)),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	memset(hand, 0, sizeof(*hand));
	hand->home.loop = &loop;
	assert_int_equal(tls_context_new(&pem, &hand->tls, NULL), 0);
	assert_int_equal(stream_dial(&hand->home, (const struct sockaddr *)&address, hand->tls,
				     PATIENCE_MS, &hand_events, hand, &hand->stream),
			 0);
	wait_for(hand->ready);
	pki_pair_free(&pair);
}

static void hand_free(struct hand *hand)
{
	stream_close(hand->stream);
	tls_context_free(hand->tls);
}

static void malformed_frames_end_the_connection(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *why;
	} cases[] = {
	    {"\0\0\2\0", 4, "too large a frame"},                 /* an address of 512 */
	    {"\0\0\0\3abc", 7, "its address is none"},            /* no port */
	    {"\0\0\0\3a\0b", 7, "its address is none"},           /* a NUL */
	    {"\0\0\0\0\x7f\xff\xff\xff", 8, "too large a frame"}, /* a message of 2 GiB */
	    {"\0\0\0\0\0\0\0\4junk", 12, "not a message"},        /* */
	    {"\0\0\0\0\0\0\0\0", 8, "not a message"},             /* an empty one */
	    {"\0\0\0\0\0\x50\0\1", 8, "too large a frame"},       /* one byte too many */
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hand hand;

		open_end(&b, 0xb);
		hand_shake(&hand, &b);
		assert_int_equal(stream_write(hand.stream, cases[i].bytes, cases[i].size), 0);
		wait_for(hand.closed);
		assert_int_equal(transport_counters(b.transport)->malformed, 1);
		if (!strstr(b.log, cases[i].why))
			fail_msg("case %u: '%s' is not in:\n%s", i, cases[i].why, b.log);
		hand_free(&hand);
		close_end(&b);
	}
}

/* Two connections of one member: the newer stays. */
static void a_newer_connection_replaces_the_older(void **state)
{
	struct hand first, second;

	(void)state;
	open_end(&b, 0xb);
	hand_shake(&first, &b);
	assert_int_equal(stream_write(first.stream, "\0\0\0\0", 4), 0);
	hand_shake(&second, &b);
	wait_for(first.closed);
	assert_int_equal(stream_write(second.stream, "\0\0\0\0", 4), 0);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_false(second.closed);
	hand_free(&first);
	hand_free(&second);
	close_end(&b);
}

static void our_own_certificate_is_refused(void **state)
{
	struct hand hand;

	(void)state;
	open_end(&a, 0xa);
	hand_shake(&hand, &a);
	wait_for(hand.closed);
	assert_int_equal(transport_counters(a.transport)->rejected, 1);
	assert_non_null(strstr(a.log, "is our own"));
	hand_free(&hand);
	close_end(&a);
}

/* -- who does not keep up ---------------------------------------------------------------------- */

static struct stream *reader;
static struct tls_context *reader_tls;
static struct stream_home reader_home;

static void reader_ready(void *owner, const struct tls_identity *peer)
{
	static const uint8_t greeting[4];

	(void)owner, (void)peer;
	assert_int_equal(stream_write(reader, greeting, sizeof(greeting)), 0);
}

static void reader_data(void *owner, const uint8_t *data, size_t size)
{
	(void)data;
	*(size_t *)owner += size;
}

static void reader_closed(void *owner, int err, const char *why)
{
	(void)owner, (void)err, (void)why;
	reader = NULL;
}

static const struct stream_events reader_events = {reader_ready, reader_data, hand_drained,
						   reader_closed};
static size_t reader_bytes;

static void reader_came(uv_stream_t *listener, int status)
{
	assert_int_equal(status, 0);
	assert_int_equal(stream_accept(&reader_home, listener, reader_tls, PATIENCE_MS,
				       &reader_events, &reader_bytes, &reader),
			 0);
}

/* The queue of a peer that greets and then reads nothing is bounded, and urgent messages keep
 * their place in it. */
static void a_slow_reader_is_bounded(void **state)
{
	struct pki_pair pair = pki_member(pki, cluster, 0xb);
	const struct tls_pem pem = {pki_ca(pki), pair.certificate, pair.key};
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char address[RAFT_ADDRESS_MAX];
	static uv_tcp_t listener;
	int size = sizeof(any), accepted = 0, err = 0;

	(void)state;
	reader_home.loop = &loop;
	assert_int_equal(tls_context_new(&pem, &reader_tls, NULL), 0);
	uv_tcp_init(&loop, &listener);
	uv_tcp_bind(&listener, (const struct sockaddr *)&any, 0);
	uv_listen((uv_stream_t *)&listener, 1, reader_came);
	uv_tcp_getsockname(&listener, (struct sockaddr *)&any, &size);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(any.sin_port));
	open_end(&a, 0xa);
	assert_int_equal(transport_set_peer(a.transport, 0xb, address), 0);
	wait_for(transport_is_up(a.transport, 0xb));
	/* The loop does not run from here on: nobody reads. */
	for (unsigned int i = 0; !err; i++) {
		err = send_append(&a, 0xa, 0xb, i, 256 << 10);
		accepted += !err;
		transport_flush(a.transport);
		assert_in_range(i, 0, 1000);
	}
	assert_int_equal(err, -ENOBUFS);
	/* The queue, and what the kernel holds for a socket pair of which nobody reads. */
	assert_in_range(accepted, 8, 200);
	assert_int_equal(send_plain(&a, 0xa, 0xb, RAFT_HEARTBEAT, 0), 0);
	/* Once it reads, all that was accepted comes. */
	wait_for(reader_bytes >= (size_t)accepted * (256 << 10));
	stream_close(reader);
	reader = NULL;
	tls_context_free(reader_tls);
	uv_close((uv_handle_t *)&listener, NULL);
	pki_pair_free(&pair);
	close_end(&a);
}

static void urgent_messages_go_first(void **state)
{
	static const uint8_t types[] = {RAFT_APPEND, RAFT_SNAPSHOT, RAFT_VOTE, RAFT_APPEND,
					RAFT_HEARTBEAT};
	static const uint8_t order[] = {RAFT_VOTE, RAFT_HEARTBEAT, RAFT_APPEND, RAFT_SNAPSHOT,
					RAFT_APPEND};
	struct raft_message message;
	struct outbox outbox;

	(void)state;
	outbox_init(&outbox);
	for (int i = 0; i < 5; i++) {
		message = (struct raft_message){.type = types[i], .from = 1, .to = 2};
		assert_int_equal(outbox_push(&outbox, &message), 0);
	}
	for (int i = 0; i < 5; i++) {
		assert_true(outbox_pop(&outbox, &message));
		assert_int_equal(message.type, order[i]);
	}
	assert_true(outbox_is_empty(&outbox));
	/* A full bulk lane leaves room for what is urgent. */
	for (unsigned int i = 0; i < TRANSPORT_PEER_MESSAGES; i++) {
		message = (struct raft_message){.type = RAFT_APPEND, .from = 1, .to = 2};
		assert_int_equal(outbox_push(&outbox, &message), 0);
	}
	message = (struct raft_message){.type = RAFT_APPEND, .from = 1, .to = 2};
	assert_int_equal(outbox_push(&outbox, &message), -ENOBUFS);
	message.type = RAFT_HEARTBEAT;
	assert_int_equal(outbox_push(&outbox, &message), 0);
	assert_int_equal(outbox_clear(&outbox), TRANSPORT_PEER_MESSAGES + 1);
}

/* A listener that takes the connection and never says a word. */
static void a_mute_listener_is_given_up(void **state)
{
	const struct sockaddr_in any = {.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in bound;
	socklen_t size = sizeof(bound);
	char address[RAFT_ADDRESS_MAX];
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(bound.sin_port));
	open_end(&a, 0xa);
	assert_int_equal(transport_set_peer(a.transport, 0xb, address), 0);
	assert_int_equal(send_plain(&a, 0xa, 0xb, RAFT_HEARTBEAT, 0), 0); /* waits */
	wait_for(a.unreachable == 2);
	assert_non_null(strstr(a.log, "no handshake in time"));
	assert_int_equal(transport_counters(a.transport)->dropped, 1);
	close_end(&a);
	close(fd);
}

static void addresses_are_looked_at(void **state)
{
	static const char *const bad[] = {
	    "",      "a",      ":1",          "1.2.3.4", "1.2.3.4:",  "1.2.3.4:65536",
	    "[::1]", "::1:80", "[1.2.3.4]:1", "a b:1",   "1.2.3.4:-1"};

	(void)state;
	open_end(&a, 0xa);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(transport_set_peer(a.transport, 0xb, bad[i]), -EINVAL);
	assert_int_equal(transport_set_peer(a.transport, 0xb, "[::1]:1"), 0);
	assert_int_equal(transport_set_peer(a.transport, 0xb, "127.0.0.1:1"), 0);
	wait_for(a.unreachable >= 1); /* nobody listens on port 1 */
	close_end(&a);
}

static void names_are_looked_up(void **state)
{
	char address[RAFT_ADDRESS_MAX];

	(void)state;
	open_end(&a, 0xa);
	open_end(&b, 0xb);
	snprintf(address, sizeof(address), "localhost:%u", port_of(&b));
	assert_int_equal(transport_set_peer(a.transport, 0xb, address), 0);
	wait_for(transport_is_up(a.transport, 0xb));
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_come_in_order),
	    cmocka_unit_test(who_dials_in_can_be_answered),
	    cmocka_unit_test(large_chunks_come_whole),
	    cmocka_unit_test(a_member_that_comes_back_is_dialled),
	    cmocka_unit_test(a_member_that_moved_is_found),
	    cmocka_unit_test(a_member_that_moved_says_so),
	    cmocka_unit_test(certificates_are_renewed_without_a_break),
	    cmocka_unit_test(who_is_removed_is_hung_up_on),
	    cmocka_unit_test(another_ca_is_refused),
	    cmocka_unit_test(another_member_is_refused),
	    cmocka_unit_test(another_cluster_is_refused),
	    cmocka_unit_test(expired_is_refused),
	    cmocka_unit_test(another_use_is_refused),
	    cmocka_unit_test(our_own_certificate_is_refused),
	    cmocka_unit_test(a_member_needs_its_name),
	    cmocka_unit_test(impostors_are_cut_off),
	    cmocka_unit_test(garbage_is_refused),
	    cmocka_unit_test(silent_strangers_do_not_lock_members_out),
	    cmocka_unit_test(malformed_frames_end_the_connection),
	    cmocka_unit_test(a_newer_connection_replaces_the_older),
	    cmocka_unit_test(a_slow_reader_is_bounded),
	    cmocka_unit_test(urgent_messages_go_first),
	    cmocka_unit_test(a_mute_listener_is_given_up),
	    cmocka_unit_test(addresses_are_looked_at),
	    cmocka_unit_test(names_are_looked_up),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
