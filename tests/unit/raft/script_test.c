/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stories (scripts/): what a cluster does, line by line.
 *
 *   test_raft_script FOLDER             they come out as they are written down
 *   test_raft_script FOLDER --rewrite   write down how they come out; then read the difference
 *   test_raft_mutants FOLDER            with each bug of raft/mutation.h, some story comes out
 *                                       otherwise
 */
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef RAFT_MUTATIONS
#include "mutation.h"
#endif

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

#ifndef RAFT_MUTATIONS
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

static void test_script(void **state)
{
	const char *path = *state;
	char *want = slurp(path);
	char *got = script_run(want);
	bool same = !strcmp(want, got);

	if (!same)
		show_difference(path, want, got);
	free(want);
	free(got);
	assert_true(same);
}

static void rewrite(const char *path)
{
	char *text = slurp(path);
	char *got = script_run(text);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(got, file);
	assert_int_equal(fclose(file), 0);
	free(text);
	free(got);
}

static int run(const glob_t *found, bool again)
{
	struct CMUnitTest *tests = calloc(found->gl_pathc, sizeof(*tests));

	assert_non_null(tests);
	for (size_t i = 0; i < found->gl_pathc; i++) {
		if (again)
			rewrite(found->gl_pathv[i]);
		tests[i] = (struct CMUnitTest){.name = strrchr(found->gl_pathv[i], '/') + 1,
					       .test_func = test_script,
					       .initial_state = found->gl_pathv[i]};
	}
	int failed = _cmocka_run_group_tests("scripts", tests, found->gl_pathc, NULL, NULL);
	free(tests);
	return failed;
}
#else
/* A bug may well end in a failed assert: hence a process for each. */
static bool comes_out_otherwise(const char *path)
{
	fflush(NULL);
	pid_t pid = fork();

	if (pid == 0) {
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(2);
		char *want = slurp(path);
		char *got = script_run(want);
		_exit(strcmp(want, got) != 0);
	}
	int status = 0;
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	return status != 0;
}

static int run(const glob_t *found, bool again)
{
	int missed = 0;

	(void)again;
	for (raft_mutation = 0; raft_mutation < RAFT_MUTATION_COUNT; raft_mutation++) {
		size_t caught = 0;
		const char *first = "nobody";
		for (size_t i = 0; i < found->gl_pathc; i++) {
			if (!comes_out_otherwise(found->gl_pathv[i]))
				continue;
			if (!caught++)
				first = strrchr(found->gl_pathv[i], '/') + 1;
		}
		printf("%-30s noticed by %2zu of %zu, first %s\n",
		       raft_mutation_name(raft_mutation), caught, found->gl_pathc, first);
		missed += raft_mutation ? !caught : caught != 0;
	}
	printf("%d bugs, %d not noticed\n", RAFT_MUTATION_COUNT - 1, missed);
	return missed != 0;
}
#endif

int main(int argc, char **argv)
{
	char pattern[4096];
	glob_t found;

	if (argc < 2)
		return 2;
	snprintf(pattern, sizeof(pattern), "%s/*.txt", argv[1]);
	if (glob(pattern, 0, NULL, &found)) {
		fprintf(stderr, "%s: no scripts\n", argv[1]);
		return 2;
	}
	int failed = run(&found, argc > 2 && !strcmp(argv[2], "--rewrite"));
	globfree(&found);
	return failed;
}
