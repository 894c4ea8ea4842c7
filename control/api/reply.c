/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const char json_media_type[] = "application/json";

struct MHD_Response *api_reply_add_headers(struct MHD_Response *response, const char *content_type)
{
	const struct {
		const char *name, *value;
	} headers[] = {
	    {"Api-Version", API_VERSION_NEWEST},
	    {"Docker-Experimental", "false"},
	    {"Ostype", "linux"},
	    {"Server", "Fairlead/" FL_VERSION " (linux)"},
	    {"Content-Type", content_type},
	};

	for (size_t i = 0; response && i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (!headers[i].value)
			continue;
		if (MHD_add_response_header(response, headers[i].name, headers[i].value) !=
		    MHD_YES) {
			MHD_destroy_response(response);
			response = NULL;
		}
	}
	return response;
}

void api_reply_with(struct api_request *request, unsigned status, struct MHD_Response *response)
{
	assert(!request->answered);
	request->answered = true;
	request->on_gone = NULL;
	if (!request->server) {
		if (response)
			MHD_destroy_response(response);
		return;
	}
	request->status = status;
	request->response = response;
	api_request_resume(request);
}

/* Takes text, which is malloc'ed. */
static void reply_text(struct api_request *request, unsigned status, const char *type, char *text,
		       size_t size)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);

	if (!response)
		free(text);
	api_reply_with(request, status, api_reply_add_headers(response, type));
	api_request_settle(request);
}

void api_reply_empty(struct api_request *request, unsigned status)
{
	static char nothing[1];
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);

	api_reply_with(request, status, api_reply_add_headers(response, NULL));
	api_request_settle(request);
}

void api_reply_bytes(struct api_request *request, unsigned status, const char *content_type,
		     const void *bytes, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy) {
		api_reply_with(request, status, NULL);
		api_request_settle(request);
		return;
	}
	if (size)
		memcpy(copy, bytes, size);
	reply_text(request, status, content_type, copy, size);
}

void api_reply_json(struct api_request *request, unsigned status, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	const size_t size = text ? strlen(text) : 0;
	char *line = text ? realloc(text, size + 2) : NULL;

	json_decref(json);
	if (!line) {
		free(text);
		api_reply_error(request, 500, "out of memory");
		return;
	}
	memcpy(line + size, "\n", 2); /* as Go's encoder ends a value */
	reply_text(request, status, json_media_type, line, size + 1);
}

void api_reply_error(struct api_request *request, unsigned status, const char *format, ...)
{
	char message[API_MESSAGE_BYTES_MAX];
	va_list args;
	json_t *json;
	char *text;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	/* Names that clients sent are in it, which may be cut off, or never were UTF-8. */
	json = json_pack("{s:s}", "message", message);
	for (char *at = message; !json && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	if (!json)
		json = json_pack("{s:s}", "message", message);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!text) {
		api_reply_with(request, status, NULL);
		api_request_settle(request);
		return;
	}
	reply_text(request, status, json_media_type, text, strlen(text));
}

void api_reply_problem(struct api_request *request, const struct problem *problem)
{
	static const struct {
		int code;
		unsigned status;
	} statuses[] = {{-EINVAL, 400}, {-E2BIG, 400}, {-ENOENT, 404}, {-EEXIST, 409}};
	unsigned status = 500;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].code == problem->code)
			status = statuses[i].status;
	api_reply_error(request, status, "%s", problem->message);
}
