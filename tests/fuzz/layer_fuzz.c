/* SPDX-License-Identifier: BSD-2-Clause */
/* A layer as it comes, unpacked into a folder beside which nothing may appear. Needs root, as
 * unpacking does. */
#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layer.h"
#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct layer_limits limits = {1 << 20, 64, NULL};
	char around[] =
	    "/dev/shm/layer-fuzz-XXXXXX"; /* in memory: the disk is not what is tested */
	const int blob = memfd_create("layer", MFD_CLOEXEC);
	struct layer_result result;
	struct error error;
	int folder, root;

	assert(blob >= 0 && write(blob, data, size) == (ssize_t)size && !lseek(blob, 0, SEEK_SET));
	assert(mkdtemp(around));
	folder = open(around, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(folder >= 0 && !mkdirat(folder, "root", 0755));
	root = openat(folder, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)layer_unpack(blob, root, &limits, &result, &error);
	close(root);
	close(blob);
	assert(!tree_remove(folder, "root"));
	close(folder);
	/* It is empty, or something came outside of the root. */
	assert(!rmdir(around));
	return 0;
}
