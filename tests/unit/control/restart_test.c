/* SPDX-License-Identifier: BSD-2-Clause */
/* What the restart policy counts, and its bounds. */
#include "restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "task.h"

/* A task of version 7 that ended at this time, and what its policy counts up to it. */
struct ended {
	Fl__Task task;
	Fl__TaskSpec spec;
	Fl__RestartPolicy policy;
	Fl__TaskStatus status;
	int64_t times[RESTART_TIMES_MAX];
};

static void end(struct ended *ended, Fl__TaskState state, int64_t at)
{
	fl__task__init(&ended->task);
	fl__task_spec__init(&ended->spec);
	fl__restart_policy__init(&ended->policy);
	fl__task_status__init(&ended->status);
	ended->task.spec = &ended->spec;
	ended->task.spec_version = 7;
	ended->task.status = &ended->status;
	ended->task.restarted_at = ended->times;
	ended->spec.restart_policy = &ended->policy;
	ended->policy.max_attempts = 3;
	ended->status.state = state;
	ended->status.timestamp = at;
}

static Fl__Task successor_of(const struct ended *ended, int64_t now, int64_t *times)
{
	Fl__Task task = FL__TASK__INIT;

	task.spec = (Fl__TaskSpec *)(uintptr_t)&ended->spec;
	task.spec_version = 7;
	restart_count(&task, &ended->task, now, times);
	return task;
}

static void test_only_its_own_ends_count(void **state)
{
	struct ended ended;
	int64_t times[RESTART_TIMES_MAX];

	(void)state;
	end(&ended, FL__TASK_STATE__FAILED, 100);
	ended.task.restarts = 2;
	assert_int_equal(successor_of(&ended, 100, times).restarts, 3);
	ended.status.state = FL__TASK_STATE__ORPHANED;
	assert_int_equal(successor_of(&ended, 100, times).restarts, 2);
	ended.status.state = FL__TASK_STATE__RUNNING; /* its node was drained */
	assert_int_equal(successor_of(&ended, 100, times).restarts, 2);
}

static void test_new_version_counts_from_zero(void **state)
{
	struct ended ended;
	Fl__Task task = FL__TASK__INIT;
	int64_t times[RESTART_TIMES_MAX];

	(void)state;
	end(&ended, FL__TASK_STATE__FAILED, 100);
	ended.task.restarts = 2;
	task.spec = &ended.spec;
	task.spec_version = 8;
	restart_count(&task, &ended.task, 100, times);
	assert_int_equal(task.restarts, 0);
}

static void test_attempts(void **state)
{
	struct ended ended;

	(void)state;
	end(&ended, FL__TASK_STATE__FAILED, 100);
	ended.task.restarts = 2;
	assert_true(restart_is_allowed(&ended.task));
	ended.task.restarts = 3;
	assert_false(restart_is_allowed(&ended.task));
	ended.status.state = FL__TASK_STATE__RUNNING; /* its node is lost: that is no attempt */
	assert_true(restart_is_allowed(&ended.task));
	ended.policy.max_attempts = 0;
	ended.status.state = FL__TASK_STATE__FAILED;
	assert_true(restart_is_allowed(&ended.task));
}

static void test_window_forgets(void **state)
{
	struct ended ended;
	int64_t times[RESTART_TIMES_MAX];
	Fl__Task next;

	(void)state;
	end(&ended, FL__TASK_STATE__FAILED, 100);
	ended.policy.window = 50;
	for (int64_t i = 0; i < 4; i++)
		ended.times[ended.task.n_restarted_at++] = 20 * i + 20;
	/* Of 20, 40, 60 and 80 the last two are within 50 of 100. */
	assert_true(restart_is_allowed(&ended.task));
	next = successor_of(&ended, 100, times);
	assert_int_equal(next.n_restarted_at, 3);
	assert_int_equal(next.restarted_at[0], 60);
	assert_int_equal(next.restarted_at[1], 80);
	assert_int_equal(next.restarted_at[2], 100);
	ended.status.timestamp = 89;
	assert_false(restart_is_allowed(&ended.task));
}

/* However many attempts a user allows, a task carries no more times than these. */
static void test_window_is_bounded(void **state)
{
	struct ended ended;
	int64_t times[RESTART_TIMES_MAX];

	(void)state;
	end(&ended, FL__TASK_STATE__FAILED, 1000);
	ended.policy.window = 10000;
	ended.policy.max_attempts = UINT64_MAX;
	for (int64_t i = 0; i < RESTART_TIMES_MAX - 1; i++)
		ended.times[ended.task.n_restarted_at++] = i;
	assert_true(restart_is_allowed(&ended.task));
	assert_int_equal(successor_of(&ended, 1000, times).n_restarted_at, RESTART_TIMES_MAX);
	ended.times[ended.task.n_restarted_at++] = 999;
	assert_false(restart_is_allowed(&ended.task));
	assert_int_equal(successor_of(&ended, 1000, times).n_restarted_at, RESTART_TIMES_MAX);
}

static void test_told_to_stop_is_no_failure(void **state)
{
	struct ended ended;

	(void)state;
	end(&ended, FL__TASK_STATE__FAILED, 100);
	assert_true(restart_was_needed(&ended.task, 100));
	assert_false(restart_was_needed(&ended.task, 99));
	ended.status.state = FL__TASK_STATE__SHUTDOWN;
	assert_false(restart_was_needed(&ended.task, 100));
	/* By the manager's clock, if that is known. */
	ended.status.state = FL__TASK_STATE__COMPLETE;
	ended.status.has_applied_at = true;
	ended.status.applied_at = 105;
	assert_false(restart_was_needed(&ended.task, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_only_its_own_ends_count),
	    cmocka_unit_test(test_new_version_counts_from_zero),
	    cmocka_unit_test(test_attempts),
	    cmocka_unit_test(test_window_forgets),
	    cmocka_unit_test(test_window_is_bounded),
	    cmocka_unit_test(test_told_to_stop_is_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
