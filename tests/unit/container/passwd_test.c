/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "passwd.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "broken line\n"
			     "web:x:1000:1001::/srv/web:/bin/sh\n"
			     "nohome:x:7:8\n"
			     "2000:x:5:6::/five:\n";
static const char group[] =
    "root:x:0:\nextra:x:50:web,other\nnot:x:51:webby\nmore:x:52:other,web\n";

static void test_found(void **state)
{
	static const struct {
		const char *spec;
		unsigned int uid, gid, groups;
		const char *home;
	} cases[] = {
	    {NULL, 0, 0, 0, "/root"},
	    {"", 0, 0, 0, "/root"},
	    {"web", 1000, 1001, 2, "/srv/web"},
	    {"1000", 1000, 1001, 2, "/srv/web"},
	    {"web:extra", 1000, 50, 0, "/srv/web"},
	    {"web:77", 1000, 77, 0, "/srv/web"},
	    {"4242", 4242, 0, 0, "/"},
	    {"4242:4343", 4242, 4343, 0, "/"},
	    {"nohome", 7, 8, 0, "/"},
	    {"2000", 5, 6, 0, "/five"},
	    {":50", 0, 50, 0, "/root"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct passwd_user user;
		struct error error;
		assert_int_equal(passwd_resolve(cases[i].spec, passwd, group, &user, &error), 0);
		assert_int_equal(user.uid, cases[i].uid);
		assert_int_equal(user.gid, cases[i].gid);
		assert_int_equal(user.group_count, cases[i].groups);
		assert_string_equal(user.home, cases[i].home);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *spec, *says;
	} cases[] = {
	    {"nobody", "unable to find user nobody: no matching entries in passwd file"},
	    {"web:nobody", "unable to find group nobody: no matching entries in group file"},
	    {"99999999999", "uids and gids must be in range 0-2147483647"},
	    {"-1", "uids and gids must be in range 0-2147483647"},
	};
	struct passwd_user user;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(passwd_resolve(cases[i].spec, passwd, group, &user, &error) < 0);
		assert_string_equal(error.message, cases[i].says);
	}
	assert_true(passwd_resolve("web", "", "", &user, &error) < 0);
	assert_int_equal(passwd_resolve("5:6", "", "", &user, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_found),
					   cmocka_unit_test(test_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
