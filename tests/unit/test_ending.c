/* SPDX-License-Identifier: Apache-2.0 */
/* test_ending.c - jobs that will expire while their account is in trouble: when it is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/ending.h"

#include <stdio.h>
#include <string.h>

#define NOW ND_DAY(1000)

static bool
look(struct ending *ending, enum health_state state, nd_unix since, uint64_t count, nd_unix now)
{
	const struct ending_fact fact = { .state = state, .since = since, .count = count, .first = now + ND_HOUR(3) };

	return ending_look(ending, &fact, now);
}

static void
what_needs_a_person_is_told_at_once_and_what_may_pass_later(void **state)
{
	static const struct {
		enum health_state state;
		nd_ms told_after;
	} cases[] = { { HEALTH_HELD, 0 }, { HEALTH_PAUSED, 0 }, { HEALTH_FAILING, ND_MIN(15) },
		{ HEALTH_THROTTLED, ND_MIN(15) } };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct ending ending = { 0 };

		if (cases[i].told_after > 0)
			assert_false(look(&ending, cases[i].state, NOW, 3, NOW + cases[i].told_after - 1));
		assert_int_equal(ending.count, 0);
		assert_true(look(&ending, cases[i].state, NOW, 3, NOW + cases[i].told_after));
		assert_int_equal(ending.count, 3);
		assert_int_equal(ending.told, NOW + cases[i].told_after);
	}
}

static void
a_queue_that_is_held_as_a_whole_needs_a_person(void **state)
{
	struct ending ending = { 0 };
	const struct ending_fact fact = { .held = true, .since = NOW, .count = 1, .first = NOW };

	(void)state;
	assert_true(ending_look(&ending, &fact, NOW));
}

static void
a_limit_is_trouble_when_it_keeps_a_job_beyond_its_end(void **state)
{
	struct ending ending = { 0 };
	struct ending_fact fact = {
		.state = HEALTH_PACED, .since = NOW, .count = 2, .first = NOW + ND_HOUR(3), .through = NOW + ND_HOUR(3)
	};

	(void)state;
	assert_false(ending_look(&ending, &fact, NOW + ND_HOUR(1)));
	assert_int_equal(ending.count, 0);
	fact.through++;
	assert_false(ending_look(&ending, &fact, NOW + ND_MIN(15) - 1));
	assert_true(ending_look(&ending, &fact, NOW + ND_HOUR(1)));
	/* The hour of a reader: of the account nothing else is to be told. */
	ending = (struct ending){ 0 };
	fact.state = HEALTH_OK;
	assert_true(ending_look(&ending, &fact, NOW + ND_HOUR(1)));
	assert_true(ending.readers);
}

static void
a_known_delay_is_no_trouble_before_it_is_over(void **state)
{
	struct ending ending = { 0 };
	struct ending_fact fact = { .state = HEALTH_FAILING, .quiet = true, .since = NOW, .count = 1, .first = NOW };

	(void)state;
	assert_false(ending_look(&ending, &fact, NOW + ND_MIN(40)));
	assert_int_equal(ending.count, 0);
	fact.quiet = false;
	assert_true(ending_look(&ending, &fact, NOW + ND_MIN(45)));
}

static void
without_trouble_or_without_jobs_nothing_is_said(void **state)
{
	struct ending ending = { 0 };

	(void)state;
	assert_false(look(&ending, HEALTH_OK, 0, 5, NOW));
	assert_int_equal(ending.count, 0);
	assert_false(look(&ending, HEALTH_HELD, NOW, 0, NOW));
}

static void
a_batch_is_told_once_and_what_is_left_a_day_later_again(void **state)
{
	struct ending ending = { 0 };

	(void)state;
	assert_true(look(&ending, HEALTH_HELD, NOW, 3, NOW));
	for (nd_ms after = 0; after < ND_DAY(1); after += ND_MIN(5)) {
		assert_false(look(&ending, HEALTH_HELD, NOW, 3 + (uint64_t)after, NOW + after));
		assert_true(ending.count > 0); /* the status goes on to say so */
	}
	assert_true(look(&ending, HEALTH_HELD, NOW, 9, NOW + ND_DAY(1)));
}

static void
a_new_trouble_is_told_anew_unless_it_is_the_old_one(void **state)
{
	struct ending ending = { 0 };
	nd_unix now = NOW;

	(void)state;
	assert_true(look(&ending, HEALTH_HELD, now, 3, now));
	assert_false(look(&ending, HEALTH_OK, 0, 3, now += ND_MIN(5)));
	now += ND_MIN(50);
	assert_false(look(&ending, HEALTH_HELD, now, 3, now)); /* it was well for less than an hour */
	assert_false(look(&ending, HEALTH_OK, 0, 3, now += ND_MIN(5)));
	assert_false(look(&ending, HEALTH_OK, 0, 3, now += ND_MIN(59)));
	assert_int_not_equal(ending.told, 0);
	assert_false(look(&ending, HEALTH_OK, 0, 3, now += ND_MIN(1)));
	assert_int_equal(ending.told, 0);
	assert_true(look(&ending, HEALTH_HELD, now, 3, now + 1));
}

static void
a_clock_that_went_back_silences_nothing(void **state)
{
	struct ending ending = { 0 };

	(void)state;
	assert_true(look(&ending, HEALTH_HELD, NOW, 3, NOW));
	assert_true(look(&ending, HEALTH_HELD, NOW - ND_DAY(9), 3, NOW - ND_DAY(9)));
}

static void
what_reached_nobody_is_told_again(void **state)
{
	struct ending ending = { 0 };

	(void)state;
	assert_true(look(&ending, HEALTH_HELD, NOW, 3, NOW));
	ending_refused(&ending, NOW - 1); /* of an earlier time */
	assert_false(look(&ending, HEALTH_HELD, NOW, 3, NOW + 1));
	ending_refused(&ending, NOW);
	assert_true(look(&ending, HEALTH_HELD, NOW, 3, NOW + 2));
}

static void
of_their_own_ends_those_are_told_that_have_had_half_of_their_time(void **state)
{
	(void)state;
	assert_false(ending_near(NOW, NOW + ND_MIN(20), NOW + ND_MIN(14))); /* minutes are no time */
	assert_true(ending_near(NOW, NOW + ND_MIN(20), NOW + ND_MIN(15)));
	assert_false(ending_near(NOW, NOW + ND_HOUR(20), NOW + ND_HOUR(10) - 1));
	assert_true(ending_near(NOW, NOW + ND_HOUR(20), NOW + ND_HOUR(10)));
	assert_true(ending_near(NOW, NOW + ND_DAY(5), NOW + ND_DAY(4)));
	assert_int_equal(ending_ahead(ND_DAY(5)), ND_DAY(1));
	assert_int_equal(ending_ahead(ND_HOUR(20)), ND_HOUR(10));
}

static void
the_digest_is_told_once_a_day(void **state)
{
	struct ending_digest digest = { 0 };
	struct nd_buf out;

	(void)state;
	assert_false(ending_digest_look(&digest, NOW));
	digest.count = 2;
	assert_true(ending_digest_look(&digest, NOW));
	assert_int_equal(digest.told, NOW);
	digest.count = 5;
	assert_false(ending_digest_look(&digest, NOW + ND_DAY(1) - 1));
	assert_true(ending_digest_look(&digest, NOW + ND_DAY(1)));
	assert_true(ending_digest_look(&digest, NOW)); /* the clock went back */
	digest.first = ND_HOUR(1);
	nd_buf_init(&out, 1000);
	ending_digest_words(&digest, &out);
	assert_string_equal(nd_buf_text(&out), "5 jobs end within 24 hours, the first at 1970-01-01T01:00:00.000Z: "
					       "5 were put off again and again");
	nd_buf_clear(&out);
	digest.held = 1;
	ending_digest_words(&digest, &out);
	assert_non_null(strstr(nd_buf_text(&out), "Z: 1 is held, 4 were put off again and again"));
	nd_buf_clear(&out);
	digest.count = 1;
	ending_digest_words(&digest, &out);
	assert_non_null(strstr(nd_buf_text(&out), "1 job ends within 24 hours"));
	assert_non_null(strstr(nd_buf_text(&out), "Z: 1 is held"));
	nd_buf_done(&out);
}

static void
a_queue_that_is_paused_is_named(void **state)
{
	struct ending ending = { 0 };
	const struct ending_fact fact = {
		.held = true, .stopped = "the queue is paused", .since = NOW, .count = 1, .first = NOW
	};
	struct nd_buf out;

	(void)state;
	assert_true(ending_look(&ending, &fact, NOW));
	assert_false(ending.readers);
	nd_buf_init(&out, 1000);
	ending_words(&ending, "m365", &(struct health){ 0 }, &out);
	assert_non_null(strstr(nd_buf_text(&out), "Z, and the queue is paused"));
	nd_buf_done(&out);
}

static void
it_is_one_sentence(void **state)
{
	struct ending ending = { .count = 1, .first = ND_HOUR(1) };
	struct health health = { .state = HEALTH_HELD };
	struct nd_buf out;

	(void)state;
	(void)snprintf(health.reason, sizeof(health.reason), "auth");
	nd_buf_init(&out, 1000);
	ending_words(&ending, "m365", &health, &out);
	assert_string_equal(nd_buf_text(&out), "1 job of account m365 ends within 24 hours, the first at "
					       "1970-01-01T01:00:00.000Z, and the account is held: auth");
	nd_buf_clear(&out);
	ending.count = 2;
	ending_words(&ending, "m365", &health, &out);
	assert_non_null(strstr(nd_buf_text(&out), "2 jobs of account m365 end within"));
	nd_buf_clear(&out);
	ending.readers = true;
	ending_words(&ending, "m365", &(struct health){ 0 }, &out);
	assert_non_null(
	    strstr(nd_buf_text(&out), "and the account is ok: messages_per_recipient_hour lets some of them wait"));
	nd_buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_needs_a_person_is_told_at_once_and_what_may_pass_later),
		cmocka_unit_test(a_queue_that_is_held_as_a_whole_needs_a_person),
		cmocka_unit_test(a_limit_is_trouble_when_it_keeps_a_job_beyond_its_end),
		cmocka_unit_test(a_known_delay_is_no_trouble_before_it_is_over),
		cmocka_unit_test(without_trouble_or_without_jobs_nothing_is_said),
		cmocka_unit_test(a_batch_is_told_once_and_what_is_left_a_day_later_again),
		cmocka_unit_test(a_new_trouble_is_told_anew_unless_it_is_the_old_one),
		cmocka_unit_test(a_clock_that_went_back_silences_nothing),
		cmocka_unit_test(what_reached_nobody_is_told_again),
		cmocka_unit_test(of_their_own_ends_those_are_told_that_have_had_half_of_their_time),
		cmocka_unit_test(the_digest_is_told_once_a_day),
		cmocka_unit_test(a_queue_that_is_paused_is_named),
		cmocka_unit_test(it_is_one_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
