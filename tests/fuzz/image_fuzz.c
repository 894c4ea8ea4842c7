/* SPDX-License-Identifier: BSD-2-Clause */
/* What strangers write and an agent reads: the first byte says which of the decoders gets the rest.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image_config.h"
#include "log_entry.h"
#include "manifest.h"
#include "passwd.h"
#include "reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_reference(const char *text)
{
	struct reference reference, again;
	char full[REFERENCE_TEXT];

	if (reference_parse(text, &reference, NULL) < 0)
		return;
	reference_full(&reference, full);
	assert(!reference_parse(full, &again, NULL));
	assert(!memcmp(&reference, &again, sizeof(again)));
	assert(!strstr(reference.domain, "..") && !strstr(reference.path, ".."));
}

static void fuzz_manifest(const char *text, size_t length)
{
	static const struct platform platform = {"linux", "amd64", ""};
	static struct manifest manifest;
	struct descriptor chosen;
	enum manifest_kind kind;
	struct error error;

	if (!manifest_parse(text, length, &platform, &kind, &manifest, &chosen, &error) &&
	    kind == MANIFEST_IMAGE)
		assert(manifest.layer_count <= IMAGE_LAYERS_MAX);
}

static void fuzz_config(const char *text, size_t length)
{
	static struct image_config config;
	struct error error;

	if (!image_config_parse(text, length, &config, &error))
		image_config_release(&config);
}

/* What is encoded comes back, and once more as the same bytes. */
static void fuzz_log(const char *text, size_t length)
{
	static struct log_entry entry, again;
	static char line[LOG_ENTRY_MAX];
	size_t used;

	(void)log_entry_decode(text, length, &entry);
	length = length > LOG_CHUNK ? LOG_CHUNK : length;
	used = log_entry_encode(LOG_STDERR, text, length, 1, line);
	assert(used <= sizeof(line) && memchr(line, '\n', used) == line + used - 1);
	assert(log_entry_decode(line, used - 1, &entry));
	if (entry.length > LOG_CHUNK)
		return;
	used = log_entry_encode(LOG_STDERR, entry.bytes, entry.length, 1, line);
	assert(log_entry_decode(line, used - 1, &again));
	assert(again.length == entry.length && !memcmp(again.bytes, entry.bytes, entry.length));
}

static void fuzz_passwd(const char *text)
{
	struct passwd_user user;
	struct error error;

	(void)passwd_resolve("web", text, text, &user, &error);
	(void)passwd_resolve("web:web", text, text, &user, &error);
	(void)passwd_resolve(text, "web:x:1:2::/:\n", "web:x:3:web\n", &user, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!size || !text) {
		free(text);
		return 0;
	}
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0]) {
	case 'r':
		fuzz_reference(text);
		break;
	case 'm':
		fuzz_manifest(text, size - 1);
		break;
	case 'c':
		fuzz_config(text, size - 1);
		break;
	case 'l':
		fuzz_log(text, size - 1);
		break;
	default:
		fuzz_passwd(text);
	}
	free(text);
	return 0;
}
