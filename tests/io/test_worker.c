/* SPDX-License-Identifier: Apache-2.0 */
/* test_worker.c - tests of the task threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/worker.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define MANY 500

struct job {
	struct worker_task task; /* first */
	unsigned number;
};

static unsigned done_count;
static bool in_order;

static void
count(struct worker_task *task)
{
	const struct job *job = (const struct job *)task;

	if (job->number != done_count)
		in_order = false;
	done_count++;
}

static void
one_thread_runs_all_tasks_in_order_before_it_is_joined(void **state)
{
	static struct job job[MANY];
	struct worker *worker = worker_new("test", 1);

	(void)state;
	done_count = 0;
	in_order = true;
	for (unsigned i = 0; i < MANY; i++) {
		job[i].task.run = count;
		job[i].number = i;
		worker_put(worker, &job[i].task);
	}
	worker_free(worker);
	assert_int_equal(done_count, MANY);
	assert_true(in_order);
}

static pthread_barrier_t barrier;

static void
meet(struct worker_task *task)
{
	(void)task;
	(void)pthread_barrier_wait(&barrier);
}

/* Would hang if they came one after another. */
static void
four_threads_work_at_the_same_time(void **state)
{
	struct job job[4];
	struct worker *worker = worker_new("test", 4);

	(void)state;
	assert_int_equal(pthread_barrier_init(&barrier, NULL, 4), 0);
	for (size_t i = 0; i < 4; i++) {
		job[i].task.run = meet;
		worker_put(worker, &job[i].task);
	}
	worker_free(worker);
	assert_int_equal(pthread_barrier_destroy(&barrier), 0);
}

static char seen_name[16];
static sigset_t seen_mask;

static void
look_at_self(struct worker_task *task)
{
	(void)task;
	(void)pthread_getname_np(pthread_self(), seen_name, sizeof(seen_name));
	(void)pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
}

static void
threads_are_named_and_leave_signals_to_the_loop(void **state)
{
	struct job job = { { NULL, look_at_self }, 0 };
	struct worker *worker = worker_new("resolver-of-names", 2);
	sigset_t ours;

	(void)state;
	worker_put(worker, &job.task);
	worker_free(worker);
	assert_string_equal(seen_name, "resolver-of-nam");
	assert_int_equal(sigismember(&seen_mask, SIGTERM), 1);
	assert_int_equal(sigismember(&seen_mask, SIGHUP), 1);
	assert_int_equal(sigismember(&seen_mask, SIGSEGV), 0);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &ours);
	assert_int_equal(sigismember(&ours, SIGTERM), 0);
}

static int hold[2], answer[2];

static void
wait_for_an_octet(struct worker_task *task)
{
	char c = 0;

	(void)task;
	if (read(hold[0], &c, 1) == 1)
		(void)!write(answer[1], &c, 1);
}

static void
an_abandoned_worker_is_not_waited_for_and_still_ends_its_tasks(void **state)
{
	static struct job job[3]; /* two at work, one queued */
	struct worker *worker = worker_new("test", 2);
	char got[3];

	(void)state;
	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(answer), 0);
	for (size_t i = 0; i < 3; i++) {
		job[i].task.run = wait_for_an_octet;
		worker_put(worker, &job[i].task);
	}
	worker_abandon(worker);
	assert_int_equal(write(hold[1], "xyz", 3), 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(read(answer[0], &got[i], 1), 1);
	(void)close(hold[0]);
	(void)close(hold[1]);
	(void)close(answer[0]);
	(void)close(answer[1]);
}

static void
a_worker_without_tasks_is_freed_at_once(void **state)
{
	(void)state;
	worker_free(worker_new("test", 4));
	worker_abandon(worker_new("test", 4));
	worker_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_runs_all_tasks_in_order_before_it_is_joined),
		cmocka_unit_test(four_threads_work_at_the_same_time),
		cmocka_unit_test(threads_are_named_and_leave_signals_to_the_loop),
		cmocka_unit_test(an_abandoned_worker_is_not_waited_for_and_still_ends_its_tasks),
		cmocka_unit_test(a_worker_without_tasks_is_freed_at_once),
	};

	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
