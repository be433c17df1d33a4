/* SPDX-License-Identifier: Apache-2.0 */
/* test_declined.c - which accounts a job cannot go by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/declined.h"
#include "tests/unit/rows.h"

static void
reason(struct queue_job *job, const char *words)
{
	free(job->reason);
	job->reason = nd_xstrdup(words);
}

static void
whole_names_are_remembered_each_once(void **state)
{
	struct queue_job *job = row_make(1, "m365", 0, JOB_WARNING, 1);

	(void)state;
	assert_false(declined_by(job, "m365"));
	reason(job, "too-big: 552 5.3.4 m365\nsays so");
	declined_note(job, "m365");
	assert_true(declined_by(job, "m365"));
	assert_true(declined_by(job, "M365"));
	assert_false(declined_by(job, "m36"));
	assert_false(declined_by(job, "m3655"));
	assert_false(declined_by(job, "says so")); /* the reason is one line, and no name */
	assert_false(declined_by(job, "too-big: 552 5.3.4 m365"));
	reason(job, "needs-requiretls: another one");
	declined_note(job, "gmail");
	declined_note(job, "gmail");
	assert_string_equal(job->declined, "too-big: 552 5.3.4 m365\nm365\ngmail");
	queue_job_free(job);
}

static void
the_reason_of_the_first_is_told_in_the_end(void **state)
{
	struct queue_job *job = row_make(1, "m365", 0, JOB_WARNING, 1);

	(void)state;
	reason(job, "kept");
	declined_tell(job); /* nobody has */
	assert_string_equal(job->reason, "kept");
	reason(job, "too-big: 552 5.3.4 first");
	declined_note(job, "m365");
	reason(job, "moved: to gmail");
	declined_note(job, "gmail");
	declined_tell(job);
	assert_string_equal(job->reason, "too-big: 552 5.3.4 first");
	queue_job_free(job);
	job = row_make(2, "m365", 0, JOB_WARNING, 1);
	declined_note(job, "m365"); /* without a reason */
	assert_true(declined_by(job, "m365"));
	declined_tell(job);
	assert_null(job->reason);
	queue_job_free(job);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_names_are_remembered_each_once),
		cmocka_unit_test(the_reason_of_the_first_is_told_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
