/* SPDX-License-Identifier: BSD-2-Clause */
#include "errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api_limits.h"

const char *api_swarm_word(enum api_swarm_state state)
{
	static const char *const words[] = {
	    [API_SWARM_INACTIVE] = "inactive",
	    [API_SWARM_WORKER] = "active/worker",
	    [API_SWARM_MANAGER] = "active/manager",
	    [API_SWARM_LOCKED] = "locked",
	};

	return words[state];
}

void api_reply_not_manager(struct api_request *request, enum api_swarm_state state)
{
	static const char *const words[] = {
	    [API_SWARM_INACTIVE] =
		"This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
		"join\" to connect this node to swarm and try again.",
	    [API_SWARM_WORKER] =
		"This node is not a swarm manager. Worker nodes can't be used to view or modify "
		"cluster state. Please run this command on a manager node or promote the current "
		"node to a manager.",
	    [API_SWARM_MANAGER] = "This node is a swarm manager.",
	    [API_SWARM_LOCKED] =
		"Swarm is encrypted and needs to be unlocked before it can be used. Please use "
		"\"docker swarm unlock\" to unlock it.",
	};

	api_reply_error(request, 503, "%s", words[state]);
}

void api_reply_already_in_swarm(struct api_request *request)
{
	api_reply_error(request, 503,
			"This node is already part of a swarm. Use \"docker swarm leave\" to leave "
			"this swarm and join another one.");
}

void api_reply_not_in_swarm(struct api_request *request)
{
	api_reply_error(request, 503, "This node is not part of a swarm");
}

void api_reply_not_found(struct api_request *request, const char *kind, const char *reference)
{
	if (strcmp(kind, "container") == 0)
		api_reply_error(request, 404, "No such container: %s", reference);
	else if (strcmp(kind, "exec") == 0)
		api_reply_error(request, 404, "No such exec instance: %s", reference);
	else if (strcmp(kind, "image") == 0)
		api_reply_error(request, 404, "no such image: %s: No such image: %s%s", reference,
				reference, strpbrk(reference, ":@") ? "" : ":latest");
	else if (strcmp(kind, "volume") == 0)
		api_reply_error(request, 404, "get %s: no such volume", reference);
	else if (strcmp(kind, "plugin") == 0)
		api_reply_error(request, 404, "plugin \"%s\" not found", reference);
	else
		api_reply_error(request, 404, "%s %s not found", kind, reference);
}

void api_reply_ambiguous(struct api_request *request, const char *kind, const char *reference,
			 size_t count)
{
	api_reply_error(request, 400, "%s %s is ambiguous (%zu matches found)", kind, reference,
			count);
}

void api_reply_out_of_sequence(struct api_request *request)
{
	api_reply_rpc(request, API_RPC_UNKNOWN, "update out of sequence");
}

void api_reply_lost_leader(struct api_request *request)
{
	api_reply_rpc(request, API_RPC_UNKNOWN,
		      "raft: failed to process the request: node lost leader status");
}

void api_reply_deadline_exceeded(struct api_request *request)
{
	api_reply_error(request, 500,
			"rpc error: code = DeadlineExceeded desc = context deadline exceeded");
}

void api_reply_no_leader(struct api_request *request)
{
	api_reply_rpc(request, API_RPC_UNKNOWN,
		      "The swarm does not have a leader. It's possible that too few managers are "
		      "online. Make sure more than half of the managers are online.");
}

void api_reply_rpc(struct api_request *request, enum api_rpc_code code, const char *format, ...)
{
	static const struct {
		unsigned status;
		const char *name;
	} codes[] = {
	    [API_RPC_INVALID_ARGUMENT] = {400, "InvalidArgument"},
	    [API_RPC_FAILED_PRECONDITION] = {400, "FailedPrecondition"},
	    [API_RPC_ALREADY_EXISTS] = {409, "AlreadyExists"},
	    [API_RPC_UNKNOWN] = {500, "Unknown"},
	};
	char words[API_MESSAGE_BYTES_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	api_reply_error(request, codes[code].status, "rpc error: code = %s desc = %s",
			codes[code].name, words);
}

void api_reply_not_implemented(struct api_request *request, const char *name)
{
	api_reply_error(request, 501, "%s: not implemented by Fairlead yet (%s %s)", name,
			api_request_method(request), api_request_pattern(request));
}
