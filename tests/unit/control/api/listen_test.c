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

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/listen.h"

static const char *const no_groups[] = {"no-such-group", NULL};
static char folder[] = "/tmp/listenXXXXXX", path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/s", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static mode_t mode_of(const char *name)
{
	struct stat status;

	assert_int_equal(lstat(name, &status), 0);
	return status.st_mode;
}

static void test_mode_and_group(void **state)
{
	const char *const groups[] = {"no-such-group", getgrgid(getgid())->gr_name, NULL};
	struct api_listener listener;
	struct problem problem;
	struct stat status;

	(void)state;
	assert_int_equal(api_listen(path, groups, &listener, &problem), 0);
	assert_int_equal(mode_of(path), S_IFSOCK | 0660);
	assert_int_equal(lstat(path, &status), 0);
	assert_int_equal(status.st_gid, getgid());
	assert_true(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC);
	api_listen_remove(path, &listener);
	close(listener.fd);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_live_is_refused(void **state)
{
	struct api_listener listener, second = {.fd = -7};
	struct problem problem;

	(void)state;
	assert_int_equal(api_listen(path, no_groups, &listener, &problem), 0);
	assert_int_equal(api_listen(path, no_groups, &second, &problem), -EADDRINUSE);
	assert_non_null(strstr(problem.message, ": another daemon answers on this socket"));
	assert_int_equal(second.fd, -7);
	close(listener.fd);
	/* Now nobody answers. */
	assert_int_equal(api_listen(path, no_groups, &second, &problem), 0);
	api_listen_remove(path, &second);
	assert_int_equal(access(path, F_OK), -1);
	close(second.fd);
}

static void test_only_its_own_is_removed(void **state)
{
	struct api_listener listener, second;
	struct problem problem;

	(void)state;
	assert_int_equal(api_listen(path, no_groups, &listener, &problem), 0);
	assert_int_equal(unlink(path), 0); /* somebody did, and started another */
	assert_int_equal(api_listen(path, no_groups, &second, &problem), 0);
	api_listen_remove(path, &listener);
	assert_int_equal(access(path, F_OK), 0);
	api_listen_remove(path, &second);
	assert_int_equal(access(path, F_OK), -1);
	close(listener.fd);
	close(second.fd);
}

static void test_full_backlog_is_live(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct api_listener listener, second;
	struct problem problem;
	int clients[1024], count = 0;

	(void)state;
	strcpy(address.sun_path, path);
	assert_int_equal(api_listen(path, no_groups, &listener, &problem), 0);
	do {
		clients[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	} while (connect(clients[count], (struct sockaddr *)&address, sizeof(address)) == 0 &&
		 ++count < 1023);
	assert_in_range(count, 1, 1022);
	assert_int_equal(api_listen(path, no_groups, &second, &problem), -EADDRINUSE);
	for (int i = 0; i <= count; i++)
		close(clients[i]);
	api_listen_remove(path, &listener);
	close(listener.fd);
}

static void test_not_a_socket(void **state)
{
	struct api_listener listener;
	struct problem problem;
	char target[80];

	(void)state;
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(api_listen(path, no_groups, &listener, &problem), -EEXIST);
	assert_int_equal(mode_of(path), S_IFREG | 0600);
	unlink(path);
	snprintf(target, sizeof(target), "%s/target", folder);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(api_listen(path, no_groups, &listener, &problem), -EEXIST);
	unlink(path);
}

static void test_impossible_paths(void **state)
{
	struct api_listener listener;
	struct problem problem;
	char longest[200];

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(api_listen(longest, no_groups, &listener, &problem), -ENAMETOOLONG);
	assert_int_equal(api_listen("/no-such-folder/s", no_groups, &listener, &problem), -ENOENT);
	assert_non_null(strstr(problem.message, "/no-such-folder/s: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mode_and_group),
	    cmocka_unit_test(test_live_is_refused),
	    cmocka_unit_test(test_full_backlog_is_live),
	    cmocka_unit_test(test_only_its_own_is_removed),
	    cmocka_unit_test(test_not_a_socket),
	    cmocka_unit_test(test_impossible_paths),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
