/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_port.c - tests of the ends of jobs and attempts. That nothing leaks or is freed twice is AddressSanitizer's word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/core/store.h"

#include <string.h>

static void
a_job_frees_all_it_owns(void **state)
{
	struct queue_job *job = nd_xalloc(sizeof(*job));
	char **const texts[] = { &job->reason, &job->hint, &job->account, &job->unit, &job->comm, &job->source,
		&job->key, &job->facts, &job->head, &job->envelope_from, &job->from, &job->body };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = nd_xstrdup("text");
	job->rcpt_count = 3;
	job->rcpts = nd_xalloc(3 * sizeof(*job->rcpts));
	for (i = 0; i < 3; i++) {
		job->rcpts[i].address = nd_xstrdup("ops@contoso.com");
		job->rcpts[i].text = i == 1 ? NULL : nd_xstrdup("ok");
	}
	queue_job_free(job);
	queue_job_free(NULL);
	queue_job_free(nd_xalloc(sizeof(*job)));
}

static void
an_attempt_frees_its_words_only_when_they_are_its_own(void **state)
{
	struct queue_attempt attempt = {
		.stage = "data", .verdict = "retry", .account = nd_xstrdup("m365"), .text = nd_xstrdup("451")
	};
	const struct queue_attempt empty = { .n = 0 };

	(void)state;
	queue_attempt_done(&attempt);
	assert_memory_equal(&attempt, &empty, sizeof(empty));
	attempt.stage = nd_xstrdup("data");
	attempt.verdict = nd_xstrdup("retry");
	attempt.relay = nd_xstrdup("smtp.example.com");
	attempt.session = nd_xstrdup("s1");
	attempt.owned = true;
	queue_attempt_done(&attempt);
	queue_attempt_done(&attempt); /* empty: nothing happens */
	assert_null(attempt.stage);
	assert_false(attempt.owned);
}

static void
a_filter_means_the_jobs_that_fit_all_of_it(void **state)
{
	char account[] = "m365", key[] = "disk", unit[] = "a.service";
	const struct queue_job job = { .state = JOB_HELD,
		.severity = 3,
		.account = account,
		.key = key,
		.unit = unit,
		.uid = 61200,
		.created = 50 };
	const struct {
		bool fits;
		struct store_filter filter;
	} rows[] = {
		{ true, { 0 } },
		{ true, { .states = 1u << JOB_HELD | 1u << JOB_QUEUED } },
		{ false, { .states = 1u << JOB_QUEUED } },
		{ true, { .severities = 1u << 3 } },
		{ false, { .severities = 1u << 2 } },
		{ true, { .account = "other,m365" } },
		{ false, { .account = "m36" } },
		{ false, { .states = 1u << JOB_HELD, .account = "other" } },
		{ false, { .source = "m365" } },
		{ true, { .key = "disk" } },
		{ true, { .since = 50 } },
		{ false, { .since = 51 } },
		{ true, { .own = true, .uid = 61200, .unit = "a.service" } },
		{ false, { .own = true, .uid = 61200, .unit = "b.service" } },
		{ false, { .own = true, .uid = 61200 } },
		{ false, { .own = true, .uid = 1000, .unit = "a.service" } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(queue_fits(&job, &rows[i].filter), rows[i].fits);
	/* Nor does a comma at the end of a list mean the jobs without an account. */
	account[0] = '\0';
	assert_false(queue_fits(&job, &(struct store_filter){ .account = "m365," }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_frees_all_it_owns),
		cmocka_unit_test(an_attempt_frees_its_words_only_when_they_are_its_own),
		cmocka_unit_test(a_filter_means_the_jobs_that_fit_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
