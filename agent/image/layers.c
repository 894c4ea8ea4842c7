/* SPDX-License-Identifier: BSD-2-Clause */
#include "layers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "durable.h"
#include "image_limits.h"
#include "layer.h"
#include "tree.h"

int layers_open(struct layers *layers, char *folder, struct error *error)
{
	AUTO_FREE char *path = NULL;
	const int rc =
	    asprintf(&path, "%s/layers", folder) < 0 ? -ENOMEM : durable_make_folder(path, 0700);

	if (rc < 0)
		return error_set(error, rc, "%s/layers: %s", folder, strerror(-rc));
	layers->folder = folder;
	return 0;
}

struct layer_name layer_name_of(const struct digest *chain)
{
	struct layer_name name;

	memcpy(name.text, digest_hex(chain), LAYER_NAME);
	name.text[LAYER_NAME] = '\0';
	return name;
}

bool layers_have(const struct layers *layers, const struct digest *chain, uint64_t *size_bytes)
{
	AUTO_FREE char *path = NULL, *text = NULL;
	size_t length;
	uint64_t size;

	if (asprintf(&path, "%s/layers/%s/chain", layers->folder, layer_name_of(chain).text) < 0 ||
	    durable_read(path, DIGEST_SIZE + 32, &text, &length) < 0)
		return false;
	if (strncmp(text, chain->text, DIGEST_TEXT) != 0 ||
	    sscanf(text + DIGEST_TEXT, " %" SCNu64, &size) != 1)
		return false;
	if (size_bytes)
		*size_bytes = size;
	return true;
}

/* The two things in a layer's folder, synced with all that was written for it. */
static int fill(const char *folder, const struct digest *chain, const struct digest *diff_id,
		int blob, const atomic_bool *cancel, struct error *error)
{
	const struct layer_limits limits = {LAYER_UNPACKED_MAX, LAYER_ENTRIES_MAX, cancel};
	struct layer_result result;
	AUTO_FREE char *root = NULL;
	char text[DIGEST_SIZE + 32];
	int rc, length;

	if (asprintf(&root, "%s/root", folder) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	if (mkdir(root, 0755) < 0 || chmod(root, 0755) < 0)
		return error_set(error, -errno, "%s: %s", root, strerror(errno));
	AUTO_FD int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(error, -errno, "%s: %s", root, strerror(errno));
	rc = layer_unpack(blob, fd, &limits, &result, error);
	if (rc < 0)
		return rc;
	if (!digest_equal(&result.diff_id, diff_id))
		return error_set(error, -EBADMSG, "layer: its content has the digest %s and not %s",
				 result.diff_id.text, diff_id->text);
	/* One sync of the file system instead of one for each of ten thousand files. */
	length = snprintf(text, sizeof(text), "%s %" PRIu64 "\n", chain->text, result.size_bytes);
	rc = syncfs(fd) < 0 ? -errno : durable_write(folder, "chain", text, (size_t)length, 0400);
	return rc < 0 ? error_set(error, rc, "%s: %s", folder, strerror(-rc)) : 0;
}

static int give_name(const struct layers *layers, const char *from, const struct digest *chain,
		     struct error *error)
{
	AUTO_FREE char *folder = NULL, *to = NULL;
	int rc;

	if (asprintf(&folder, "%s/layers", layers->folder) < 0 ||
	    asprintf(&to, "%s/%s", folder, layer_name_of(chain).text) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	rc = rename(from, to) < 0 ? -errno : durable_sync_folder(folder);
	/* Another unpacked the same one meanwhile. */
	if ((rc == -ENOTEMPTY || rc == -EEXIST) && layers_have(layers, chain, NULL))
		return 0;
	return rc < 0 ? error_set(error, rc, "%s: %s", to, strerror(-rc)) : 0;
}

int layers_add(const struct layers *layers, const struct digest *chain,
	       const struct digest *diff_id, int blob, const atomic_bool *cancel,
	       struct error *error)
{
	AUTO_FREE char *beside = NULL;
	int rc;

	if (layers_have(layers, chain, NULL))
		return 0;
	if (asprintf(&beside, "%s/tmp/layer-XXXXXX", layers->folder) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	if (!mkdtemp(beside))
		return error_set(error, -errno, "%s: %s", beside, strerror(errno));
	rc = fill(beside, chain, diff_id, blob, cancel, error);
	rc = rc < 0 ? rc : give_name(layers, beside, chain, error);
	/* It is gone if it got its name. */
	tree_remove(AT_FDCWD, beside);
	return rc;
}

int layers_sweep(const struct layers *layers, bool (*used)(void *arg, const char *name), void *arg)
{
	AUTO_FREE char *path = NULL;
	const struct dirent *entry;
	int rc = 0;

	if (asprintf(&path, "%s/layers", layers->folder) < 0)
		return -ENOMEM;
	AUTO_DIR DIR *dir = opendir(path);
	if (!dir)
		return -errno;
	while ((errno = 0, entry = readdir(dir))) {
		AUTO_FREE char *mark = NULL;
		if (entry->d_name[0] == '.' || used(arg, entry->d_name))
			continue;
		/* The mark first: half a layer must not be taken for a whole one. */
		if (asprintf(&mark, "%s/%s/chain", path, entry->d_name) < 0)
			return -ENOMEM;
		unlink(mark);
		const int removed = tree_remove(dirfd(dir), entry->d_name);
		rc = rc < 0 ? rc : removed;
	}
	return rc < 0 ? rc : -errno;
}
