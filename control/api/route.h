/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_ROUTE_H
#define FL_API_ROUTE_H
/*
 * Which handler a request is for. Tables are constant and asked in order: the first route that fits
 * wins, so literal paths come before those with {names}. Pure.
 */
#include <stddef.h>

#include "path.h"

struct api_request;

/* Runs on the loop and must not block. See request.h for what it owes. */
typedef void api_handler(struct api_request *request, void *context);

enum api_route_flags {
	API_ROUTE_JSON = 1,   /* a body must be declared as application/json */
	API_ROUTE_UPLOAD = 2, /* called before the body, which it takes piece by piece: upload.h */
};

struct api_route {
	const char *method, *pattern;
	const char *name;     /* what docker calls it: "service create" */
	api_handler *handler; /* NULL: 501 with the name */
	unsigned flags;
};

struct api_routes {
	const struct api_route *routes;
	size_t count;
	void *context; /* of the handlers */
};

/* NULL: none. *params and *context are written only where one is found. */
const struct api_route *api_route_find(const struct api_routes *tables, size_t count,
				       const char *method, const struct api_path *path,
				       struct api_params *params, void **context);
#endif
