/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_REQUEST_H
#define FL_API_REQUEST_H
/*
 * A request, and its answer.
 *
 * A handler is given one when it is complete (its head and its body; for API_ROUTE_UPLOAD its
 * head). It answers **exactly once**, at once or later from the loop: a reply of this header, or a
 * stream (stream.h), or a hijack (hijack.h). With that the request is given back: no call with it
 * may follow.
 *
 * That stays so where the client has gone, or the server has stopped: on_gone says that nobody
 * waits any more, so that work may be dropped, and the answer is then thrown away; but it is owed,
 * and the request is valid until then. Strings that are got from a request live as long as it does.
 *
 * All of it is the loop's thread alone.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filters.h"
#include "problem.h"
#include "query.h"
#include "version.h"

struct api_request;

const char *api_request_method(const struct api_request *request);
/* The pattern of its route, for logs. */
const char *api_request_pattern(const struct api_request *request);
/* A {name} of the route's pattern, unescaped; asking for one that it has not is a programmer's
 * error. */
const char *api_request_param(const struct api_request *request, const char *name);
/* What the client speaks; the newest where it did not say. */
struct api_version api_request_version(const struct api_request *request);
const struct api_query *api_request_query(const struct api_request *request);
/* NULL: not there. Of several with one name, one. */
const char *api_request_header(const struct api_request *request, const char *name);
/* Whether the client asked for a connection of its own (Connection: Upgrade). */
bool api_request_wants_upgrade(const struct api_request *request);

/* NUL-terminated besides. */
const char *api_request_body(const struct api_request *request, size_t *size);
/* A new reference. -EINVAL with dockerd's words ("invalid JSON: ..."), -E2BIG, -ENOMEM. */
int api_request_json(const struct api_request *request, json_t **json, struct problem *problem);
/* The filters parameter; the caller frees them. */
int api_request_filters(const struct api_request *request, struct api_filters **filters,
			struct problem *problem);

/* Called at most once, and not after the answer. NULL takes it back. */
void api_request_on_gone(struct api_request *request, void (*on_gone)(void *argument),
			 void *argument);

/* Answers. None fails: where memory is short, the connection is closed. */
void api_reply_empty(struct api_request *request, unsigned status);
/* Copies the bytes. */
void api_reply_bytes(struct api_request *request, unsigned status, const char *content_type,
		     const void *bytes, size_t size);
/* Takes the reference; NULL is an answer of 500: out of memory. */
void api_reply_json(struct api_request *request, unsigned status, json_t *json);
/* {"message": ...} */
__attribute__((format(printf, 3, 4))) void
api_reply_error(struct api_request *request, unsigned status, const char *format, ...);
/* The same for a problem: -EINVAL and -E2BIG are 400, -ENOENT 404, -EEXIST 409, else 500. */
void api_reply_problem(struct api_request *request, const struct problem *problem);
#endif
