/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TESTS_TRANSPORT_ENDS_H
#define FL_TESTS_TRANSPORT_ENDS_H
/* Two transports on one loop, for tests. Waiting is for events; only a test that fails runs into
 * PATIENCE_MS. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "pki.h"
#include "stream.h"
#include "transport.h"

enum { PATIENCE_MS = 20000, LOG_SIZE = 1 << 16 };

extern uv_loop_t loop;
extern struct pki *pki;
extern const char cluster[]; /* whose members they are */

struct end {
	struct transport *transport;
	struct pki_pair pair;
	uint32_t received, unreachable;
	struct raft_message last; /* cleared when the next comes */
	uint64_t indexes;         /* of appends that came in order, each one more */
	bool disorder;
	char log[LOG_SIZE];
};
extern struct end a, b;

struct transport_options options_of(struct end *end, const char *ca);
void open_with(struct end *end, const char *ca, struct pki_pair pair); /* takes the pair */
void open_end(struct end *end, uint64_t id);
void close_end(struct end *end);
void open_both(void); /* 0xa, which is told of 0xb, and 0xb */
void close_both(void);
void introduce(struct end *to, uint64_t id, const struct end *end);
uint16_t port_of(const struct end *end);

int send_plain(struct end *end, uint64_t from, uint64_t to, uint8_t type, uint64_t index);
int send_append(struct end *end, uint64_t from, uint64_t to, uint64_t index, size_t size);

int set_up_ends(void **state);
/* Every handle is closed, or this fails. */
int tear_down_ends(void **state);

void wake_loop(uv_timer_t *timer);
#define wait_for(condition)                                                                        \
	do {                                                                                       \
		const uint64_t deadline_ = uv_hrtime() / 1000000 + PATIENCE_MS;                    \
		static uv_timer_t timer_;                                                          \
		uv_timer_init(&loop, &timer_);                                                     \
		uv_timer_start(&timer_, wake_loop, 5, 5);                                          \
		while (!(condition) && uv_hrtime() / 1000000 < deadline_)                          \
			uv_run(&loop, UV_RUN_ONCE);                                                \
		uv_close((uv_handle_t *)&timer_, NULL);                                            \
		uv_run(&loop, UV_RUN_NOWAIT);                                                      \
		assert_true(condition);                                                            \
	} while (0)
#endif
