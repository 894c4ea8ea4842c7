/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <sys/utsname.h>

#include "internal.h"

#define ENGINE_NAME "Fairlead"

#if defined(__x86_64__)
#define ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "unknown"
#endif

static enum api_swarm_state swarm_state(const struct api_server *server)
{
	const struct api_config *config = &server->config;

	return config->swarm_state ? config->swarm_state(config->context) : API_SWARM_INACTIVE;
}

static bool add_ping_headers(struct MHD_Response *response, const struct api_server *server)
{
	const char *const headers[][2] = {
	    {"Cache-Control", "no-cache, no-store, must-revalidate"},
	    {"Pragma", "no-cache"},
	    {"Builder-Version",
	     "1"}, /* there is none: the client then asks POST /build, and hears so */
	    {"Swarm", api_swarm_word(swarm_state(server))},
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (MHD_add_response_header(response, headers[i][0], headers[i][1]) != MHD_YES)
			return false;
	return true;
}

static void ping(struct api_request *request, void *context)
{
	static char ok[] = "OK";
	const bool head = strcmp(api_request_method(request), "HEAD") == 0;
	struct MHD_Response *response = api_reply_add_headers(
	    MHD_create_response_from_buffer(head ? 0 : strlen(ok), ok, MHD_RESPMEM_PERSISTENT),
	    "text/plain; charset=utf-8");

	if (response && !add_ping_headers(response, context)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	api_reply_with(request, 200, response);
	api_request_settle(request);
}

/* Components says it all once more, which is what the client prints. There is no Go in it. */
static void version(struct api_request *request, void *context)
{
	const struct api_server *server = context;
	const char *commit = server->config.git_commit ? server->config.git_commit : "";
	const char *built = server->config.build_time ? server->config.build_time : "";
	struct utsname host = {0};
	json_t *reply;

	uname(&host);
	reply = json_pack(
	    "{s:{s:s}, s:[{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}}],"
	    " s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
	    "Platform", "Name", ENGINE_NAME, "Components", "Name", "Engine", "Version", FL_VERSION,
	    "Details", "ApiVersion", API_VERSION_NEWEST, "Arch", ARCHITECTURE, "BuildTime", built,
	    "Experimental", "false", "GitCommit", commit, "GoVersion", "none", "KernelVersion",
	    host.release, "MinAPIVersion", API_VERSION_OLDEST, "Os", "linux", "Version", FL_VERSION,
	    "ApiVersion", API_VERSION_NEWEST, "MinAPIVersion", API_VERSION_OLDEST, "GitCommit",
	    commit, "GoVersion", "none", "Os", "linux", "Arch", ARCHITECTURE, "KernelVersion",
	    host.release, "BuildTime", built);
	api_reply_json(request, 200, reply);
}

const struct api_route api_system_routes[] = {
    {"HEAD", "/_ping", "ping", ping, 0},
    {"GET", "/_ping", "ping", ping, 0},
    {"GET", "/version", "version", version, 0},
};
const size_t api_system_route_count = sizeof(api_system_routes) / sizeof(api_system_routes[0]);
