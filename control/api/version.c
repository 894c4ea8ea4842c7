/* SPDX-License-Identifier: BSD-2-Clause */
#include "version.h"

#include <errno.h>

enum { NUMBER_MAX = 9999 };

static bool parse_number(const char **at, const char *end, unsigned *number)
{
	const char *start = *at;

	for (*number = 0; *at < end && **at >= '0' && **at <= '9'; ++*at) {
		*number = *number * 10 + (unsigned)(**at - '0');
		if (*number > NUMBER_MAX)
			return false;
	}
	return *at > start;
}

bool api_version_parse(const char *segment, size_t size, struct api_version *version)
{
	const char *at = segment + 1, *const end = segment + size;
	struct api_version parsed = {0};

	if (size < 2 || segment[0] != 'v' || !parse_number(&at, end, &parsed.major))
		return false;
	if (at < end && (*at++ != '.' || !parse_number(&at, end, &parsed.minor)))
		return false;
	if (at != end)
		return false;
	*version = parsed;
	return true;
}

int api_version_check(struct api_version version, struct problem *problem)
{
	if (version.major > API_VERSION_MAJOR ||
	    (version.major == API_VERSION_MAJOR && version.minor > API_MINOR_NEWEST))
		return problem_set(problem, -EINVAL,
				   "client version %u.%u is too new. Maximum supported API version "
				   "is " API_VERSION_NEWEST,
				   version.major, version.minor);
	if (version.major < API_VERSION_MAJOR || version.minor < API_MINOR_OLDEST)
		return problem_set(problem, -EINVAL,
				   "client version %u.%u is too old. Minimum supported API version "
				   "is " API_VERSION_OLDEST
				   ", please upgrade your client to a newer version",
				   version.major, version.minor);
	return 0;
}
