/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof("sha256:") - 1 == DIGEST_TEXT - DIGEST_HEX, "where the digits begin");

bool digest_parse(const char *text, struct digest *out)
{
	if (!text || strlen(text) != DIGEST_TEXT || memcmp(text, "sha256:", 7) != 0 ||
	    strspn(text + 7, "0123456789abcdef") != DIGEST_HEX)
		return false;
	memcpy(out->text, text, DIGEST_SIZE);
	return true;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return !memcmp(a->text, b->text, DIGEST_TEXT);
}

int digest_stream_begin(struct digest_stream *stream)
{
	stream->context = EVP_MD_CTX_new();
	if (stream->context && EVP_DigestInit_ex(stream->context, EVP_sha256(), NULL) == 1)
		return 0;
	digest_stream_drop(stream);
	return -ENOMEM;
}

int digest_stream_add(struct digest_stream *stream, const void *bytes, size_t length)
{
	return EVP_DigestUpdate(stream->context, bytes, length) == 1 ? 0 : -ENOMEM;
}

int digest_stream_end(struct digest_stream *stream, struct digest *out)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	const int done = EVP_DigestFinal_ex(stream->context, sum, &length);

	digest_stream_drop(stream);
	if (done != 1 || length != DIGEST_HEX / 2)
		return -ENOMEM;
	memcpy(out->text, "sha256:", 7);
	for (unsigned int i = 0; i < length; i++) {
		out->text[7 + 2 * i] = digits[sum[i] >> 4];
		out->text[8 + 2 * i] = digits[sum[i] & 15];
	}
	out->text[DIGEST_TEXT] = '\0';
	return 0;
}

void digest_stream_drop(struct digest_stream *stream)
{
	EVP_MD_CTX_free(stream->context);
	stream->context = NULL;
}

int digest_of(const void *bytes, size_t length, struct digest *out)
{
	struct digest_stream stream;
	int rc = digest_stream_begin(&stream);

	if (rc < 0)
		return rc;
	rc = digest_stream_add(&stream, bytes, length);
	if (!rc)
		return digest_stream_end(&stream, out);
	digest_stream_drop(&stream);
	return rc;
}

int digest_chain(const struct digest *below, const struct digest *diff, struct digest *out)
{
	char both[2 * DIGEST_SIZE];
	const int length = snprintf(both, sizeof(both), "%s %s", below->text, diff->text);

	return digest_of(both, (size_t)length, out);
}
