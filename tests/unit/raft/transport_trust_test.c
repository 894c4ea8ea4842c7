/* SPDX-License-Identifier: BSD-2-Clause */
/* Real sockets on 127.0.0.1: who may not talk, and bytes that nobody should send. */
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport_ends.h"

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
		assert_non_null(strstr(error.text, "subject"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up_ends, tear_down_ends);
}
