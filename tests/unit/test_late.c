/* SPDX-License-Identifier: Apache-2.0 */
/* test_late.c - a mail that comes much later than it was accepted says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/core/late.h"

#include <stdlib.h>
#include <string.h>

#define EIGHT INT64_C(1795248000000) /* 2026-11-21 08:00 UTC */

static const struct downtime well;

static void
assert_words(struct queue_job *job, const struct downtime *downtime, nd_unix now, const char *expected)
{
	struct nd_buf words;

	job->late = late_begin(job, downtime, now);
	assert_true(late_told(job->late));
	nd_buf_init(&words, 4096);
	late_words(job, &words);
	assert_string_equal(nd_buf_text(&words), expected);
	nd_buf_done(&words);
}

static void
a_mail_in_time_says_nothing(void **state)
{
	struct queue_job job = { .created = EIGHT };

	(void)state;
	assert_int_equal(late_begin(&job, &well, EIGHT), LATE_PLAIN);
	assert_int_equal(late_begin(&job, &well, EIGHT + LATE_AFTER - 1), LATE_PLAIN);
	assert_int_equal(late_begin(&job, &well, EIGHT - ND_DAY(1)), LATE_PLAIN); /* the clock went back */
	assert_false(late_told(LATE_OPEN));
	assert_false(late_told(LATE_NEVER));
	assert_false(late_told(LATE_PLAIN));
}

static void
a_late_mail_says_since_when(void **state)
{
	struct queue_job job = { .created = EIGHT };

	(void)state;
	assert_words(&job, &well, EIGHT + ND_MIN(15),
	    "This message is 15 minutes late: it was accepted at 2026-11-21 08:00 UTC and left at 08:15 UTC.");
	assert_words(&job, &well, EIGHT + ND_HOUR(3) + ND_MIN(2) + 59999,
	    "This message is 3 hours late: it was accepted at 2026-11-21 08:00 UTC and left at 11:02 UTC.");
	assert_words(&job, &well, EIGHT + ND_DAY(5),
	    "This message is 5 days late: it was accepted at 2026-11-21 08:00 UTC and left at 2026-11-26 08:00 UTC.");
}

static void
it_says_why_when_that_is_known(void **state)
{
	struct queue_job job = {
		.created = EIGHT, .attempt_count = 1, .reason = (char *)(uintptr_t) "busy: 451 <script>"
	};
	struct downtime down = { 0 };

	(void)state;
	assert_words(&job, &well, EIGHT + ND_HOUR(3),
	    "This message is 3 hours late: it was accepted at 2026-11-21 08:00 UTC and left at 11:00 UTC. The mail "
	    "server had put it "
	    "off.");
	downtime_begin(&down, EIGHT - ND_HOUR(9));
	assert_words(&job, &down, EIGHT + ND_HOUR(3),
	    "This message is 3 hours late: it was accepted at 2026-11-21 08:00 UTC and left at 11:00 UTC. Meanwhile "
	    "its mail account "
	    "could not be used, or notifyd was not running.");
	downtime_end(&down, EIGHT + ND_HOUR(1)); /* less than half of the time */
	job.attempt_count = 0;
	assert_words(&job, &down, EIGHT + ND_HOUR(3),
	    "This message is 3 hours late: it was accepted at 2026-11-21 08:00 UTC and left at 11:00 UTC.");
	job.reason = (char *)(uintptr_t) "moved: account a is held";
	assert_words(&job, &down, EIGHT + ND_HOUR(3),
	    "This message is 3 hours late: it was accepted at 2026-11-21 08:00 UTC and left at 11:00 UTC. The mail "
	    "account that it was "
	    "meant for could not be used.");
}

static void
what_was_to_go_later_is_late_from_then_on(void **state)
{
	struct queue_job job = { .created = EIGHT, .event_time = EIGHT - ND_DAY(9), .not_before = EIGHT + ND_HOUR(1) };

	(void)state;
	assert_int_equal(late_begin(&job, &well, EIGHT + ND_HOUR(1) + ND_MIN(14)), LATE_PLAIN);
	assert_words(&job, &well, EIGHT + ND_HOUR(4),
	    "This message is 3 hours late: it was to go at 2026-11-21 09:00 UTC and left at 12:00 UTC.");
}

static void
what_is_told_late_says_when_it_happened(void **state)
{
	struct queue_job job = { .created = EIGHT, .event_time = EIGHT - ND_HOUR(3) };
	struct queue_job coming = { .created = EIGHT, .event_time = EIGHT + ND_HOUR(9) };

	(void)state;
	assert_words(&job, &well, EIGHT + 5,
	    "This message comes 3 hours after what it tells of: that was at 2026-11-21 05:00 UTC, and it was accepted "
	    "at 08:00 UTC.");
	assert_words(&job, &well, EIGHT + ND_HOUR(1),
	    "This message comes 4 hours after what it tells of: that was at 2026-11-21 05:00 UTC, and it was accepted "
	    "at 08:00 UTC and "
	    "left at 09:00 UTC.");
	assert_int_equal(late_begin(&coming, &well, EIGHT + 5), LATE_PLAIN);
}

static void
what_a_relay_may_have_already_goes_as_it_was(void **state)
{
	struct queue_job job = { .created = EIGHT, .uncertain = true };

	(void)state;
	assert_int_equal(late_begin(&job, &well, EIGHT + ND_DAY(1)), LATE_PLAIN);
	job.late = LATE_FRESH; /* but not from this account */
	assert_true(late_told(late_begin(&job, &well, EIGHT + ND_DAY(1))));
	assert_true(late_open(LATE_OPEN));
	assert_true(late_open(LATE_FRESH));
	assert_false(late_open(LATE_NEVER));
	assert_false(late_open(LATE_PLAIN));
	assert_false(late_told(LATE_FRESH));
}

static void
move(struct queue_job *job, const char *to)
{
	late_move(job, to);
	free(job->account);
	job->account = nd_xstrdup(to);
}

/* Each account that may have it is sent again what it was sent, whoever else was asked meanwhile. */
static void
back_with_an_account_that_may_have_it_it_goes_as_it_was(void **state)
{
	struct queue_job job = { .created = EIGHT, .account = nd_xstrdup("a"), .uncertain = true };
	uint32_t b, c;

	(void)state;
	job.late = late_begin(&job, &well, EIGHT);
	assert_int_equal(job.late, LATE_PLAIN);
	move(&job, "b");
	assert_int_equal(job.late, LATE_FRESH);
	b = job.late = late_begin(&job, &well, EIGHT + ND_HOUR(1));
	assert_true(late_told(b));
	move(&job, "ab"); /* another one than a and b */
	assert_int_equal(job.late, LATE_FRESH);
	c = job.late = late_begin(&job, &well, EIGHT + ND_HOUR(2));
	assert_int_not_equal(b, c);
	for (unsigned round = 0; round < 3; round++) { /* again and again, and nothing grows */
		move(&job, "A");
		assert_int_equal(job.late, LATE_PLAIN);
		move(&job, "b");
		assert_int_equal(job.late, b);
		move(&job, "ab");
		assert_int_equal(job.late, c);
	}
	assert_string_equal(strchr(strchr(job.begun, '\n') + 1, '\n'), strrchr(job.begun, '\n')); /* three lines */
	free(job.begun);
	free(job.account);
}

static void
what_no_account_can_have_begins_anew(void **state)
{
	struct queue_job job = { .created = EIGHT, .account = nd_xstrdup("a") };

	(void)state;
	job.late = late_begin(&job, &well, EIGHT);
	move(&job, "b"); /* a refused it: it has nothing */
	assert_int_equal(job.late, LATE_FRESH);
	job.uncertain = true;
	job.late = late_begin(&job, &well, EIGHT + ND_HOUR(1));
	move(&job, "");
	move(&job, "a"); /* by way of none */
	assert_int_equal(job.late, LATE_FRESH);
	move(&job, "b");
	assert_true(late_told(job.late));
	job.late = LATE_NEVER;
	move(&job, "a");
	assert_int_equal(job.late, LATE_NEVER);
	free(job.begun);
	free(job.account);
}

/* After a power cut it may have left by an account, without the line, though nothing of that was stored. */
static void
what_may_have_left_unnoted_left_without_a_notice(void **state)
{
	struct queue_job job = { .created = EIGHT, .account = nd_xstrdup("a"), .uncertain = true, .late = LATE_OPEN };

	(void)state;
	move(&job, "b");
	assert_int_equal(job.late, LATE_FRESH);
	move(&job, "a");
	assert_int_equal(job.late, LATE_PLAIN);
	free(job.begun);
	free(job.account);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_in_time_says_nothing),
		cmocka_unit_test(a_late_mail_says_since_when),
		cmocka_unit_test(it_says_why_when_that_is_known),
		cmocka_unit_test(what_was_to_go_later_is_late_from_then_on),
		cmocka_unit_test(what_is_told_late_says_when_it_happened),
		cmocka_unit_test(what_a_relay_may_have_already_goes_as_it_was),
		cmocka_unit_test(back_with_an_account_that_may_have_it_it_goes_as_it_was),
		cmocka_unit_test(what_no_account_can_have_begins_anew),
		cmocka_unit_test(what_may_have_left_unnoted_left_without_a_notice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
