/* SPDX-License-Identifier: BSD-2-Clause */
#include "upload.h"

#include <assert.h>

#include "internal.h"

void api_upload_start(struct api_request *request, const struct api_upload_events *events,
		      void *argument)
{
	assert(request->route->flags & API_ROUTE_UPLOAD);
	request->upload = events;
	request->upload_argument = argument;
}

void api_upload_pause(struct api_request *request, bool paused)
{
	request->upload_paused = paused;
	if (!paused && request->server && request->phase == REQUEST_BODY)
		api_request_resume(request);
}

void api_upload_data(struct api_request *request, const char *data, size_t size)
{
	assert(request->upload); /* or its handler has answered */
	request->upload->on_data(request->upload_argument, data, size);
	if (request->upload_paused && !request->answered)
		api_request_suspend(request);
}

void api_upload_end(struct api_request *request)
{
	assert(request->upload);
	request->upload->on_end(request->upload_argument);
}
