/* SPDX-License-Identifier: BSD-2-Clause */
/* Real sockets on 127.0.0.1: messages between members, and who does not keep up. */
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "outbox.h"
#include "transport_ends.h"

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

static void drained(void *owner)
{
	(void)owner;
}

static const struct stream_events reader_events = {reader_ready, reader_data, drained,
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
	    cmocka_unit_test(a_slow_reader_is_bounded),
	    cmocka_unit_test(urgent_messages_go_first),
	    cmocka_unit_test(a_mute_listener_is_given_up),
	    cmocka_unit_test(addresses_are_looked_at),
	    cmocka_unit_test(names_are_looked_up),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up_ends, tear_down_ends);
}
