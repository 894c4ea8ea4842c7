/* SPDX-License-Identifier: BSD-2-Clause */
#include "route.h"

#include <string.h>

const struct api_route *api_route_find(const struct api_routes *tables, size_t count,
				       const char *method, const struct api_path *path,
				       struct api_params *params, void **context)
{
	for (const struct api_routes *table = tables; table < tables + count; table++) {
		for (size_t i = 0; i < table->count; i++) {
			const struct api_route *route = &table->routes[i];

			if (strcmp(route->method, method) == 0 &&
			    api_path_match(path, route->pattern, params)) {
				*context = table->context;
				return route;
			}
		}
	}
	return NULL;
}
