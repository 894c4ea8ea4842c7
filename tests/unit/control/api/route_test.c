/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/internal.h"

/* "TABLE:PATTERN" of the route that is found, or "". */
static const char *find(const struct api_routes *tables, size_t count, const char *method,
			const char *target)
{
	static char found[256], text[256];
	struct api_params params;
	struct api_path path;
	struct problem problem;
	const struct api_route *route;
	void *context;

	strcpy(text, target);
	assert_int_equal(api_path_parse(text, &path, &problem), 0);
	route = api_route_find(tables, count, method, &path, &params, &context);
	if (!route)
		return "";
	snprintf(found, sizeof(found), "%s:%s", (const char *)context, route->pattern);
	return found;
}

static void test_order(void **state)
{
	static const struct api_route first[] = {{"GET", "/a/{x}", "", NULL, 0}};
	static const struct api_route second[] = {{"GET", "/a/json", "", NULL, 0},
						  {"POST", "/a/{x}", "", NULL, 0},
						  {"GET", "/a/{x...}/json", "", NULL, 0},
						  {"GET", "/a/{x...}", "", NULL, 0}};
	const struct api_routes tables[] = {{first, 1, "1"}, {second, 4, "2"}};

	(void)state;
	assert_string_equal(find(tables, 2, "GET", "/a/json"), "1:/a/{x}");
	assert_string_equal(find(tables + 1, 1, "GET", "/a/json"), "2:/a/json");
	assert_string_equal(find(tables, 2, "POST", "/a/json"), "2:/a/{x}");
	assert_string_equal(find(tables, 2, "GET", "/a/b/json"), "2:/a/{x...}/json");
	assert_string_equal(find(tables, 2, "GET", "/a/b/c"), "2:/a/{x...}");
	assert_string_equal(find(tables, 2, "get", "/a/b"), "");
	assert_string_equal(find(tables, 2, "PUT", "/a/b"), "");
	assert_string_equal(find(tables, 0, "GET", "/a/b"), "");
}

/* Each endpoint is found by its own pattern: none stands in another's shade. */
static void test_endpoints(void **state)
{
	const struct api_routes table = {api_endpoints, api_endpoint_count, "e"};

	(void)state;
	for (size_t i = 0; i < api_endpoint_count; i++) {
		const struct api_route *route = &api_endpoints[i];
		char wanted[256], target[256] = "";
		const char *at = route->pattern;

		while (*at) {
			const size_t size = strcspn(at, "{");

			strncat(target, at, size);
			at += size;
			if (*at) {
				strcat(target, "some");
				at += strcspn(at, "}") + 1;
			}
		}
		snprintf(wanted, sizeof(wanted), "e:%s", route->pattern);
		assert_string_equal(find(&table, 1, route->method, target), wanted);
		assert_null(route->handler);
		assert_true(route->name[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
