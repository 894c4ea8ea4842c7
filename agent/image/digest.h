/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_IMAGE_DIGEST_H
#define FL_IMAGE_DIGEST_H
/* Content addresses: "sha256:" and 64 lower-case hex digits (OCI image-spec, descriptor.md). */
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DIGEST_HEX = 64,
	DIGEST_TEXT = 7 + DIGEST_HEX,
	DIGEST_SIZE = DIGEST_TEXT + 1,
};

struct digest {
	char text[DIGEST_SIZE];
};

/* False unless it is a sha256 digest, and nothing else. */
bool digest_parse(const char *text, struct digest *out);

static inline const char *digest_hex(const struct digest *digest)
{
	return digest->text + 7;
}

bool digest_equal(const struct digest *a, const struct digest *b);

/* Of bytes that are all there. 0 or -ENOMEM. */
int digest_of(const void *bytes, size_t length, struct digest *out);

/*
 * The chain ID of a layer on top of others (image-spec, config.md, "Layer ChainID"): that of the
 * first layer is its diff ID.
 */
int digest_chain(const struct digest *below, const struct digest *diff, struct digest *out);

/* Of bytes that pass by. Whoever begins one ends it with digest_stream_end or _drop. */
struct digest_stream {
	EVP_MD_CTX *context;
};

int digest_stream_begin(struct digest_stream *stream);
int digest_stream_add(struct digest_stream *stream, const void *bytes, size_t length);
int digest_stream_end(struct digest_stream *stream, struct digest *out);
void digest_stream_drop(struct digest_stream *stream);
#endif
