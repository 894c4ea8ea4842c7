/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_TLS_H
#define FL_RAFT_TLS_H
/*
 * Mutual TLS 1.3 without a socket: bytes in, bytes out. Who a member is stands in its certificate's
 * subject: O is the cluster's name, serialNumber the member's id as 16 hexadecimal digits. (CN is the
 * node's; a worker has a certificate of the same CA, without serialNumber, and no way in.) Both sides
 * present a certificate of the cluster's CA, for client and for server use; nothing older than TLS 1.3
 * is spoken, no session is resumed and no data comes early. One thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "raft_error.h"

enum {
	TLS_CLUSTER_MAX = 65,            /* with its NUL; X.509's bound on O is 64 */
	TLS_CERTIFICATES_MAX = 16 << 10, /* bytes of certificates that a stranger may send */
	TLS_RECORD_MAX = 16 << 10,       /* plaintext of one record */
};

struct tls_identity {
	uint64_t member;
	char cluster[TLS_CLUSTER_MAX];
};

/* PEM texts. ca: one or more, so that a new one can be trusted before the old one goes.
 * certificate: the member's own first, then what leads to the CA. */
struct tls_pem {
	const char *ca, *certificate, *key;
};

/* Credentials; immutable. Sessions keep what they need of them. */
struct tls_context;
/* -EINVAL: not PEM, no key of this certificate, or a subject that names no member. */
int tls_context_new(const struct tls_pem *pem, struct tls_context **out, struct raft_error *error);
void tls_context_free(struct tls_context *context);
const struct tls_identity *tls_context_identity(const struct tls_context *context);

enum tls_side { TLS_DIALS, TLS_ACCEPTS };
struct tls_session;
int tls_session_new(struct tls_context *context, enum tls_side side, struct tls_session **out);
void tls_session_free(struct tls_session *session);

/* What came from the peer, 64 KiB at a time at most: hold none of it back, read until 0. */
int tls_session_feed(struct tls_session *session, const void *data, size_t size);
/* 1: done; 0: needs more from the peer; -EPROTO. */
int tls_session_handshake(struct tls_session *session);
/* Bytes read; 0: no more for now; -EPIPE: the peer has ended it; -EPROTO. */
ssize_t tls_session_read(struct tls_session *session, void *data, size_t size);
/* All of it, or a negative errno after which the session is dead. */
int tls_session_write(struct tls_session *session, const void *data, size_t size);
/* What has to go to the peer, until the next call on the session. Take all of it. */
size_t tls_session_output(struct tls_session *session, const uint8_t **data);
void tls_session_output_taken(struct tls_session *session);

/* Of the peer's certificate, which the CA has signed; after the handshake. -EACCES: it names no
 * member. */
int tls_session_peer(const struct tls_session *session, struct tls_identity *identity);
/* Why the last call failed. */
const char *tls_session_error(const struct tls_session *session);
#endif
