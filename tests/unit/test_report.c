/* SPDX-License-Identifier: Apache-2.0 */
/* test_report.c - what was not delivered, gathered for one mail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/report.h"
#include "tests/unit/rows.h"

/* Number n, with one recipient delivered and the others refused. */
static void
add(struct report *report, unsigned n, unsigned rcpts)
{
	struct queue_job *job = row_make(n, "a", 1, JOB_WARNING, rcpts);
	unsigned i;

	job->state = JOB_FAILED;
	job->rcpts[0].state = RCPT_DELIVERED;
	for (i = 1; i < rcpts; i++) {
		job->rcpts[i].state = RCPT_REFUSED;
		job->rcpts[i].code = 550;
		(void)snprintf(job->rcpts[i].enhanced, sizeof(job->rcpts[i].enhanced), "5.1.1");
		job->rcpts[i].text = nd_xstrdup("no such user");
	}
	assert_int_equal(report_worthy(job), rcpts > 1);
	report_add(report, job, "Disk", "mend the address");
	queue_job_free(job);
}

static void
take(struct report *report, nd_ms now, char *subject, char *text, size_t size)
{
	struct nd_buf one, two;

	nd_buf_init(&one, 4096);
	nd_buf_init(&two, 2 * REPORT_OCTETS);
	report_tell(report, "host.example", &one, &two);
	assert_int_equal(report_due(report, 0, 1000, now), ND_NEVER); /* one at a time */
	report_told(report, now);
	(void)snprintf(subject, size, "%s", nd_buf_text(&one));
	(void)snprintf(text, size, "%s", nd_buf_text(&two));
	nd_buf_done(&one);
	nd_buf_done(&two);
}

static void
it_tells_who_has_not_got_what_and_what_to_do(void **state)
{
	static char subject[2 * REPORT_OCTETS], text[2 * REPORT_OCTETS];
	struct report report = { 0 };

	(void)state;
	add(&report, 1, 2);
	add(&report, 2, 2);
	report_forget(&report, "01K00000000000000000000002");
	take(&report, 0, subject, text, sizeof(text));
	assert_string_equal(subject, "notifyd: 1 message could not be delivered");
	assert_string_equal(text,
	    "notifyd on host.example could not deliver 1 message to everybody.\n\n"
	    "01K00000000000000000000001  Disk\n"
	    "  r1@b.example: refused: 550 5.1.1 no such user\n"
	    "  What to do: mend the address\n\n"
	    "All that is known of one: notifyctl show ID. To try again what failed: notifyctl retry ID.\n");
	assert_int_equal(report_due(&report, 0, 1000, 0), ND_NEVER);
	add(&report, 3, 1); /* everybody has it */
	report_done(&report);
}

/* Jobs come and go while it is not known yet whether the mail is accepted. */
static void
what_was_told_stays_until_the_mail_is_accepted(void **state)
{
	static char subject[2 * REPORT_OCTETS], text[2 * REPORT_OCTETS];
	struct report report = { 0 };
	struct nd_buf one, two;
	unsigned n;

	(void)state;
	nd_buf_init(&one, 4096);
	nd_buf_init(&two, 2 * REPORT_OCTETS);
	add(&report, 1, 2);
	add(&report, 2, 2);
	for (n = 3; n <= REPORT_JOBS + 4; n++)
		add(&report, n, 2);
	report_tell(&report, "host.example", &one, &two);
	report_forget(&report, "01K00000000000000000000002");
	report_refused(&report, 1000);
	assert_int_equal(report_due(&report, 0, 1, 1000), 1000 + REPORT_AGAIN);
	nd_buf_clear(&two);
	report_tell(&report, "host.example", &one, &two);
	assert_non_null(strstr(nd_buf_text(&two), "01K00000000000000000000001"));
	assert_null(strstr(nd_buf_text(&two), "01K00000000000000000000002"));
	assert_non_null(strstr(nd_buf_text(&two), "And 4 more"));
	report_forget(&report, "01K00000000000000000000001");
	add(&report, 77, 2);
	add(&report, 78, 2);
	add(&report, 79, 2); /* there is no room for this one */
	report_told(&report, 2000);
	assert_int_equal(report.count, 2);
	take(&report, 3000, subject, text, sizeof(text));
	assert_string_equal(subject, "notifyd: 3 messages could not be delivered");
	assert_non_null(strstr(text, "01K00000000000000000000077"));
	assert_non_null(strstr(text, "And 1 more"));
	assert_int_equal(report.octets, 0);
	assert_int_equal(report_due(&report, 0, 1, 4000), ND_NEVER);
	nd_buf_done(&one);
	nd_buf_done(&two);
	report_done(&report);
}

static void
long_words_are_cut_between_characters(void **state)
{
	static char subject[2 * REPORT_OCTETS], text[2 * REPORT_OCTETS], long_one[600];
	struct queue_job *job = row_make(1, "a", 1, JOB_WARNING, 1);
	struct report report = { 0 };
	unsigned i;

	(void)state;
	(void)snprintf(long_one, sizeof(long_one), "x");
	for (i = 0; i < 250; i++)
		(void)memcpy(long_one + 1 + 2 * i, "\xc3\xa4", 3);
	job->state = JOB_EXPIRED;
	job->rcpts[0].state = RCPT_EXPIRED;
	job->rcpts[0].code = 450;
	job->rcpts[0].text = nd_xstrdup(long_one);
	report_add(&report, job, long_one, long_one);
	take(&report, 0, subject, text, sizeof(text));
	assert_non_null(strstr(text, "\xc3\xa4\n  r0@b.example: expired: 450 x\xc3\xa4"));
	assert_non_null(strstr(text, "\xc3\xa4\n  What to do: x\xc3\xa4"));
	assert_null(strstr(text, "\xc3\n"));
	queue_job_free(job);
	report_done(&report);
}

static void
one_whose_time_was_over_is_told_with_what_is_known_of_it(void **state)
{
	static char subject[2 * REPORT_OCTETS], text[2 * REPORT_OCTETS];
	struct queue_job *never = row_make(1, "a", 1, JOB_WARNING, 1), *tried = row_make(2, "a", 1, JOB_WARNING, 1);
	struct report report = { 0 };

	(void)state;
	never->state = tried->state = JOB_EXPIRED;
	never->rcpts[0].state = tried->rcpts[0].state = RCPT_EXPIRED;
	tried->attempt_count = 1;
	tried->reason = nd_xstrdup("connection-lost: the connection was lost");
	report_add(&report, never, "Disk", "");
	report_add(&report, tried, "Fan", "");
	take(&report, 0, subject, text, sizeof(text));
	assert_non_null(strstr(text, "  Disk\n  r0@b.example: expired: its time was over before it was tried\n\n"));
	assert_non_null(strstr(text, "  Fan\n  r0@b.example: expired: connection-lost: the connection was lost\n\n"));
	queue_job_free(never);
	queue_job_free(tried);
	report_done(&report);
}

static void
a_storm_is_counted_not_told(void **state)
{
	static char subject[2 * REPORT_OCTETS], text[2 * REPORT_OCTETS];
	struct report report = { 0 };
	unsigned n;

	(void)state;
	for (n = 1; n <= 1000; n++)
		add(&report, n, 30);
	assert_true(report.count <= REPORT_JOBS && report.octets <= REPORT_OCTETS);
	take(&report, 0, subject, text, sizeof(text));
	assert_string_equal(subject, "notifyd: 1000 messages could not be delivered");
	assert_non_null(strstr(text, "and 19 more recipients"));
	assert_non_null(strstr(text, " more: notifyctl list --state failed,expired"));
	assert_true(strlen(text) < REPORT_OCTETS + 1000);
}

static void
there_is_one_in_a_while_and_six_an_hour(void **state)
{
	static char words[2 * REPORT_OCTETS];
	struct report report = { 0 };
	nd_ms now = ND_HOUR(5), due;
	unsigned n;

	(void)state;
	for (n = 0; n < REPORT_HOUR; n++) {
		add(&report, 1, 2);
		due = report_due(&report, now, ND_MIN(5), now);
		assert_int_equal(due - now, n == 0 ? REPORT_GATHER : ND_MIN(5));
		now = due;
		take(&report, now, words, words, sizeof(words));
	}
	add(&report, 1, 2);
	assert_int_equal(report_due(&report, now, ND_MIN(5), now), ND_HOUR(6) + REPORT_GATHER);
	now = ND_HOUR(7);
	assert_int_equal(report_due(&report, ND_HOUR(6), ND_MIN(5), now), now);
	report_done(&report);
}

/* A run for each report: the next one knows of those before it. */
static void
nor_are_there_more_of_a_notifyd_that_starts_again_and_again(void **state)
{
	static char words[2 * REPORT_OCTETS];
	struct nd_now now = { .ms = ND_HOUR(5), .unix_ms = ND_DAY(20000) };
	struct report report = { 0 };
	char *kept = NULL;
	nd_ms due;

	(void)state;
	assert_null(report_keep(&report, now));
	for (unsigned n = 0; n <= REPORT_HOUR; n++) {
		add(&report, 1, 2);
		due = report_due(&report, now.ms, ND_MIN(5), now.ms);
		assert_int_equal(due - now.ms, n == 0 ? REPORT_GATHER : n < REPORT_HOUR ? ND_MIN(5) : ND_MIN(35));
		now.unix_ms += due - now.ms;
		now.ms = due;
		take(&report, now.ms, words, words, sizeof(words));
		free(kept);
		kept = report_keep(&report, now);
		report_done(&report);
		report = (struct report){ 0 };
		now.ms = now.ms % 1000 + 7; /* the host, too */
		report_recall(&report, kept, now);
	}
	/* The clock went back by a year: as if the last ones had just been. */
	report = (struct report){ 0 };
	report_recall(&report, kept, (struct nd_now){ .ms = 5000, .unix_ms = now.unix_ms - ND_DAY(365) });
	add(&report, 1, 2);
	assert_int_equal(report_due(&report, 5000, ND_MIN(5), 5000), 5000 + ND_HOUR(1));
	report_done(&report);
	free(kept);
	for (const char *const *bad = (const char *const[]){ "", "x", "1 x", NULL }; *bad; bad++) {
		report = (struct report){ 0 };
		report_recall(&report, *bad, now);
		assert_int_equal(report.sent_count, (*bad)[0] == '1');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_tells_who_has_not_got_what_and_what_to_do),
		cmocka_unit_test(what_was_told_stays_until_the_mail_is_accepted),
		cmocka_unit_test(long_words_are_cut_between_characters),
		cmocka_unit_test(one_whose_time_was_over_is_told_with_what_is_known_of_it),
		cmocka_unit_test(a_storm_is_counted_not_told),
		cmocka_unit_test(there_is_one_in_a_while_and_six_an_hour),
		cmocka_unit_test(nor_are_there_more_of_a_notifyd_that_starts_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
