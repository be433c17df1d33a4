/* SPDX-License-Identifier: Apache-2.0 */
/* test_act.c - what a person may do to a job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/act.h"
#include "tests/unit/rows.h"

#define NOW 5000

static const struct act_time now = { .now = NOW, .max_age = ND_DAY(14) };

static struct queue_job *
in_state(enum job_state state)
{
	struct queue_job *job = row_make(1, "a", 1000, JOB_WARNING, 3);

	job->state = (uint8_t)state;
	job->body_kept = true;
	job->reason = nd_xstrdup("why");
	job->rcpts[0].state = RCPT_DELIVERED;
	job->rcpts[1].state = RCPT_REFUSED;
	return job;
}

static void
retry_gives_the_undelivered_another_chance(void **state)
{
	struct queue_job *job = in_state(JOB_FAILED);

	(void)state;
	job->attempt_count = 7;
	job->expires = 4000;
	job->rcpts[2].state = RCPT_EXPIRED;
	assert_int_equal(act_on(job, JOB_RETRY, &now, NULL), ND_OK);
	assert_int_equal(job->state, JOB_QUEUED);
	assert_int_equal(job->due, NOW);
	assert_int_equal(job->attempt_count, 0);
	assert_int_equal(job->expires, 0); /* it was over */
	assert_int_equal(job->age_from, NOW);
	assert_int_equal(job->rcpts[0].state, RCPT_DELIVERED);
	assert_int_equal(job->rcpts[1].state, RCPT_PENDING);
	assert_int_equal(job->rcpts[2].state, RCPT_PENDING);
	assert_null(job->reason);
	assert_int_equal(job->created, 1000);
	queue_job_free(job);
}

static void
retry_leaves_an_end_of_its_own_that_lies_ahead(void **state)
{
	static const enum job_state states[] = { JOB_QUEUED, JOB_HELD, JOB_FAILED };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct queue_job *job = in_state(states[i]);

		job->expires = NOW + 1;
		assert_int_equal(act_on(job, JOB_RETRY, &now, NULL), ND_OK);
		assert_int_equal(job->expires, NOW + 1);
		queue_job_free(job);
	}
}

static void
what_no_time_is_left_for_is_not_tried_again(void **state)
{
	struct queue_job *job = in_state(JOB_EXPIRED);
	const struct act_time late = { .now = 1000 + ND_DAY(14), .max_age = ND_DAY(14) };
	const struct act_time last = { .now = late.now - 1, .max_age = ND_DAY(14) };
	struct nd_why why;

	(void)state;
	assert_int_equal(act_on(job, JOB_RETRY, &late, &why), ND_ESTATE);
	assert_non_null(strstr(why.text, "max_age"));
	assert_int_equal(job->state, JOB_EXPIRED);
	assert_int_equal(act_on(job, JOB_RETRY, &last, &why), ND_OK);
	queue_job_free(job);
}

static void
hold_release_and_retry_keep_the_time_it_was_not_to_be_sent_before(void **state)
{
	struct queue_job *job = in_state(JOB_QUEUED);

	(void)state;
	job->not_before = 9000;
	assert_int_equal(act_on(job, JOB_HOLD, &now, NULL), ND_OK);
	assert_int_equal(job->state, JOB_HELD);
	assert_int_equal(act_on(job, JOB_RELEASE, &now, NULL), ND_OK);
	assert_int_equal(job->state, JOB_QUEUED);
	assert_int_equal(job->due, 9000);
	job->due = 0;
	assert_int_equal(act_on(job, JOB_RETRY, &now, NULL), ND_OK);
	assert_int_equal(job->due, 9000);
	queue_job_free(job);
}

static void
cancel_ends_what_is_pending(void **state)
{
	struct queue_job *job = in_state(JOB_HELD);

	(void)state;
	assert_int_equal(act_on(job, JOB_CANCEL, &now, NULL), ND_OK);
	assert_int_equal(job->state, JOB_CANCELLED);
	assert_int_equal(job->rcpts[0].state, RCPT_DELIVERED);
	assert_int_equal(job->rcpts[1].state, RCPT_REFUSED);
	assert_int_equal(job->rcpts[2].state, RCPT_CANCELLED);
	assert_int_equal(job->rcpts[2].at, NOW);
	queue_job_free(job);
}

static void
what_does_not_fit_changes_nothing(void **state)
{
	static const struct {
		enum job_action action;
		enum job_state state;
	} cases[] = { { JOB_RETRY, JOB_DELIVERED }, { JOB_HOLD, JOB_HELD }, { JOB_HOLD, JOB_FAILED },
		{ JOB_RELEASE, JOB_QUEUED }, { JOB_CANCEL, JOB_DELIVERED }, { JOB_CANCEL, JOB_EXPIRED } };
	struct queue_job *job;
	struct nd_why why;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		job = in_state(cases[i].state);
		assert_int_equal(act_on(job, cases[i].action, &now, &why), ND_ESTATE);
		assert_non_null(strstr(why.text, job_state_name(cases[i].state)));
		assert_int_equal(job->state, cases[i].state);
		assert_string_equal(job->reason, "why");
		queue_job_free(job);
	}
}

static void
a_job_without_account_or_message_cannot_go(void **state)
{
	struct queue_job *job = in_state(JOB_HELD);

	(void)state;
	job->account[0] = '\0';
	assert_int_equal(act_on(job, JOB_RELEASE, &now, NULL), ND_ESTATE);
	assert_int_equal(act_on(job, JOB_CANCEL, &now, NULL), ND_OK);
	queue_job_free(job);
	job = in_state(JOB_FAILED);
	job->body_kept = false;
	assert_int_equal(act_on(job, JOB_RETRY, &now, NULL), ND_EBODYGONE);
	queue_job_free(job);
}

static void
a_sensitive_job_that_ended_is_not_tried_again(void **state)
{
	struct queue_job *job = in_state(JOB_FAILED);
	struct nd_why why;

	(void)state;
	job->sealed = true;
	assert_int_equal(act_on(job, JOB_RETRY, &now, &why), ND_EBODYGONE);
	assert_non_null(strstr(why.text, "sensitive"));
	assert_int_equal(act_on(job, JOB_RETRY, &now, NULL), ND_EBODYGONE);
	job->state = JOB_QUEUED;
	assert_int_equal(act_on(job, JOB_RETRY, &now, &why), ND_OK);
	queue_job_free(job);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retry_gives_the_undelivered_another_chance),
		cmocka_unit_test(retry_leaves_an_end_of_its_own_that_lies_ahead),
		cmocka_unit_test(what_no_time_is_left_for_is_not_tried_again),
		cmocka_unit_test(hold_release_and_retry_keep_the_time_it_was_not_to_be_sent_before),
		cmocka_unit_test(a_sensitive_job_that_ended_is_not_tried_again),
		cmocka_unit_test(cancel_ends_what_is_pending),
		cmocka_unit_test(what_does_not_fit_changes_nothing),
		cmocka_unit_test(a_job_without_account_or_message_cannot_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
