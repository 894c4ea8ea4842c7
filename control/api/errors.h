/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_ERRORS_H
#define FL_API_ERRORS_H
/* Answers whose words recur: as dockerd gives them, recorded in
 * docker-api/golden/objects/errors.json. */
#include "request.h"

enum api_swarm_state {
	API_SWARM_INACTIVE,
	API_SWARM_WORKER,
	API_SWARM_MANAGER,
	API_SWARM_LOCKED,
};

/* What /_ping calls it: "inactive", "active/worker", "active/manager", "locked". */
const char *api_swarm_word(enum api_swarm_state state);

/* 503, for what only a manager answers; state is not API_SWARM_MANAGER. */
void api_reply_not_manager(struct api_request *request, enum api_swarm_state state);
/* 503 for init and join where the node has a swarm, and for leave where it has none. */
void api_reply_already_in_swarm(struct api_request *request);
void api_reply_not_in_swarm(struct api_request *request);

/* 404. kind: container, image, volume, plugin, exec, or as the API calls all else (service, node
 * ...). */
void api_reply_not_found(struct api_request *request, const char *kind, const char *reference);
/* 400: a prefix of several IDs. */
void api_reply_ambiguous(struct api_request *request, const char *kind, const char *reference,
			 size_t count);
/* 500: an update with a version that is not the object's. */
void api_reply_out_of_sequence(struct api_request *request);
/* 500: the change was not committed; for want of a leader, or within the time that there is for it.
 */
void api_reply_lost_leader(struct api_request *request);
void api_reply_deadline_exceeded(struct api_request *request);
/* 500, as managers say it that know of no leader at all. */
void api_reply_no_leader(struct api_request *request);

/* With the words of gRPC, which dockerd passes on: "rpc error: code = InvalidArgument desc = ...".
 */
enum api_rpc_code {
	API_RPC_INVALID_ARGUMENT,    /* 400 */
	API_RPC_FAILED_PRECONDITION, /* 400 */
	API_RPC_ALREADY_EXISTS,      /* 409 */
	API_RPC_UNKNOWN,             /* 500 */
};
__attribute__((format(printf, 3, 4))) void
api_reply_rpc(struct api_request *request, enum api_rpc_code code, const char *format, ...);

/* 501 with the endpoint's name. */
void api_reply_not_implemented(struct api_request *request, const char *name);
#endif
