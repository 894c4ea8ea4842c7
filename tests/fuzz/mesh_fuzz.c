/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer over mesh_parse: any bytes give a mesh or an error with a message, never both.
 *
 *   clang -fsanitize=fuzzer,address,undefined ... && ./mesh_fuzz tests/fuzz/corpus/mesh
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mesh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = {0};
	struct mesh *mesh = NULL;
	const int rc = mesh_parse((const char *)data, size, "fuzz", NULL, NULL, &mesh, &error);

	if (rc == 0 ? !mesh || error.code : mesh || error.code != rc || rc > 0)
		abort();
	if (rc < 0 && strncmp(error.message, "fuzz: ", 6))
		abort();
	if (mesh && (mesh->self >= mesh->node_count || !mesh->vni || !mesh->uplink[0]))
		abort();
	mesh_free(mesh);
	return 0;
}
