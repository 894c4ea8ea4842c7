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

#include <signal.h>
#include <sys/wait.h>

#include "process.h"

static void test_found_again(void **state)
{
	const pid_t child = fork();
	struct process_id id, other;
	int fd;

	(void)state;
	if (!child) {
		pause();
		_exit(0);
	}
	assert_int_equal(process_identify(child, &id), 0);
	fd = process_open(&id);
	assert_true(fd >= 0);
	/* Another process with the same PID; the same PID in another boot. */
	other = id;
	other.start_ticks++;
	assert_int_equal(process_open(&other), -ESRCH);
	other = id;
	other.boot_id[0] ^= 1;
	assert_int_equal(process_open(&other), -ESRCH);
	assert_int_equal(process_signal(fd, SIGTERM), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(process_signal(fd, SIGTERM), -ESRCH);
	assert_int_equal(process_open(&id), -ESRCH);
	assert_int_equal(process_identify(child, &id), -ESRCH);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_found_again)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
