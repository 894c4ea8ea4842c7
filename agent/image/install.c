/* SPDX-License-Identifier: BSD-2-Clause */
#include "install.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"

void import_say(const struct import *import, const char *id, const char *status, uint64_t current,
		uint64_t total)
{
	if (import->progress.say)
		import->progress.say(import->progress.arg, id, status, current, total);
}

bool import_canceled(const struct import *import)
{
	return import->cancel && *import->cancel;
}

int install_config(const struct import *import, const struct digest *digest,
		   struct image_config *out, struct error *error)
{
	AUTO_FREE char *bytes = NULL;
	size_t length;
	const int rc = blobs_read_all(image_store_blobs(import->store), digest, IMAGE_CONFIG_MAX,
				      &bytes, &length);

	if (rc < 0)
		return error_set(error, rc, "image config %s: %s", digest->text,
				 rc == -ENOENT ? "is missing" : strerror(-rc));
	return image_config_parse(bytes, length, out, error);
}

static int chain_of(const struct image_config *config, unsigned int which, struct digest *out)
{
	struct digest chain = config->diff_ids[0];
	int rc = 0;

	for (unsigned int i = 1; !rc && i <= which; i++) {
		struct digest next;
		rc = digest_chain(&chain, &config->diff_ids[i], &next);
		chain = next;
	}
	*out = chain;
	return rc;
}

bool install_has_layer(const struct import *import, const struct image_config *config,
		       unsigned int which)
{
	struct digest chain;

	return !chain_of(config, which, &chain) && image_store_has_layer(import->store, &chain);
}

int install_layer(const struct import *import, const struct image_config *config,
		  unsigned int which, const struct digest *blob, struct error *error)
{
	const struct blobs *blobs = image_store_blobs(import->store);
	struct digest chain;
	int rc = chain_of(config, which, &chain);

	if (rc < 0)
		return error_set(error, rc, "%s", strerror(-rc));
	AUTO_FD int fd = blobs_read(blobs, blob);
	if (fd < 0)
		return error_set(error, fd, "layer %s: %s", blob->text,
				 fd == -ENOENT ? "is missing" : strerror(-fd));
	rc = image_store_add_layer(import->store, &chain, &config->diff_ids[which], fd,
				   import->cancel, error);
	return rc;
}
