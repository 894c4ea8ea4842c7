/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_UPLOAD_H
#define FL_API_UPLOAD_H
/*
 * A body piece by piece, of any size (image load): for handlers of API_ROUTE_UPLOAD, which call
 * api_upload_start before they return, or answer. An answer that comes before the body's end is
 * given after it; the rest of the body is passed over.
 */
#include <stdbool.h>
#include <stddef.h>

#include "request.h"

struct api_upload_events {
	/* None is called after the answer. If the client goes before the end, on_gone (request.h)
	 * is. */
	void (*on_data)(void *argument, const void *bytes, size_t size);
	void (*on_end)(void *argument);
};

void api_upload_start(struct api_request *request, const struct api_upload_events *events,
		      void *argument);
/* While it is paused nothing is taken; may be called from on_data. */
void api_upload_pause(struct api_request *request, bool paused);
#endif
