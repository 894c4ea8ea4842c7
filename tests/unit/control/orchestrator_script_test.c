/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stories (orchestrator/): what becomes of a cluster's tasks, line by line.
 *
 *   test_orchestrator_script FOLDER             they come out as they are written down, also if the
 *                                               loops forget all that they know before each
 * decision test_orchestrator_script FOLDER --rewrite   write down how they come out; then read the
 * difference
 */
#include "sim_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

static char *slurp(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "r");

	if (!file || getdelim(&text, &size, 0, file) < 0) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(2);
	}
	fclose(file);
	return text;
}

static void show_difference(const char *path, const char *want, const char *got)
{
	int line = 1;

	while (*want && *want == *got) {
		line += *want == '\n';
		want++;
		got++;
	}
	while (line > 1 && want[-1] != '\n') {
		want--;
		got--;
	}
	print_error("%s:%d\n  written: %.*s\n  happens: %.*s\n", path, line,
		    (int)strcspn(want, "\n"), want, (int)strcspn(got, "\n"), got);
}

static void compare(const char *path, bool forgetful)
{
	char *want = slurp(path);
	char *got = sim_script_run(want, forgetful);
	const bool same = !strcmp(want, got);

	if (!same)
		show_difference(path, want, got);
	free(want);
	free(got);
	assert_true(same);
}

static void test_script(void **state)
{
	compare(*state, false);
}

static void test_forgetful(void **state)
{
	compare(*state, true);
}

static void rewrite(const char *path)
{
	char *text = slurp(path);
	char *got = sim_script_run(text, false);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(got, file);
	assert_int_equal(fclose(file), 0);
	free(text);
	free(got);
}

int main(int argc, char **argv)
{
	char pattern[4096];
	glob_t found;
	struct CMUnitTest *tests;

	if (argc < 2)
		return 2;
	snprintf(pattern, sizeof(pattern), "%s/*.txt", argv[1]);
	if (glob(pattern, 0, NULL, &found)) {
		fprintf(stderr, "%s: no scripts\n", argv[1]);
		return 2;
	}
	tests = calloc(2 * found.gl_pathc, sizeof(*tests));
	for (size_t i = 0; tests && i < found.gl_pathc; i++) {
		if (argc > 2 && !strcmp(argv[2], "--rewrite"))
			rewrite(found.gl_pathv[i]);
		tests[2 * i] = (struct CMUnitTest){.name = strrchr(found.gl_pathv[i], '/') + 1,
						   .test_func = test_script,
						   .initial_state = found.gl_pathv[i]};
		tests[2 * i + 1] = tests[2 * i];
		tests[2 * i + 1].test_func = test_forgetful;
	}
	if (!tests)
		return 2;
	const int failed =
	    _cmocka_run_group_tests("scripts", tests, 2 * found.gl_pathc, NULL, NULL);

	free(tests);
	globfree(&found);
	return failed;
}
