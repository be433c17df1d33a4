/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_habits.c - when a mail may go in one flight, and what a host is no longer asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/smtp_habits.h"

static void
learn_taken(struct smtp_habits *habits, nd_ms now)
{
	const struct smtp_outcome outcome = { .end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 250 } };

	(void)smtp_habits_learn(habits, &outcome, now);
}

static enum smtp_ext
learn_misfit(struct smtp_habits *habits, enum smtp_ext accused, nd_ms now)
{
	const struct smtp_outcome outcome = { .end = SMTP_ENDED_REPLY,
		.stage = SMTP_AT_END,
		.reply = { .code = 503 },
		.misfit = true,
		.accused = accused };

	return smtp_habits_learn(habits, &outcome, now);
}

static void
learn_lost(struct smtp_habits *habits, enum smtp_pace pace, enum nd_err err, bool uncertain)
{
	const struct smtp_outcome outcome = { .end = SMTP_ENDED_LOST,
		.stage = uncertain ? SMTP_AT_END : SMTP_AT_MAIL,
		.why = { .err = err },
		.uncertain = uncertain,
		.pace = pace };

	(void)smtp_habits_learn(habits, &outcome, 0);
}

static void
one_flight_needs_a_mail_taken_in_the_last_hour(void **state)
{
	struct smtp_habits habits = { 0 };

	(void)state;
	assert_int_equal(smtp_habits_pace(&habits, 0), SMTP_CHUNKED); /* not even just after boot */
	learn_taken(&habits, 1000);
	assert_int_equal(smtp_habits_pace(&habits, 1000), SMTP_ONE_FLIGHT);
	assert_int_equal(smtp_habits_pace(&habits, 1000 + ND_HOUR(1) - 1), SMTP_ONE_FLIGHT);
	assert_int_equal(smtp_habits_pace(&habits, 1000 + ND_HOUR(1)), SMTP_CHUNKED);
	learn_taken(&habits, ND_HOUR(2));
	assert_int_equal(smtp_habits_pace(&habits, ND_HOUR(2)), SMTP_ONE_FLIGHT);
}

static void
a_refusal_is_no_success(void **state)
{
	struct smtp_habits habits = { 0 };
	struct smtp_outcome outcome = { .end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 550 } };

	(void)state;
	(void)smtp_habits_learn(&habits, &outcome, 0);
	outcome = (struct smtp_outcome){ .end = SMTP_ENDED_RCPTS, .stage = SMTP_AT_RCPT };
	(void)smtp_habits_learn(&habits, &outcome, 0);
	assert_int_equal(smtp_habits_pace(&habits, 0), SMTP_CHUNKED);
}

static void
what_is_offered_and_refused_is_left_out_for_four_hours(void **state)
{
	(void)state;
	for (unsigned n = SMTP_EXT_NONE + 1; n < SMTP_EXT_COUNT; n++) {
		const enum smtp_ext ext = (enum smtp_ext)n;
		struct smtp_habits habits = { 0 };

		learn_taken(&habits, 0);
		assert_int_equal(smtp_habits_without(&habits, 0), 0);
		assert_int_equal(learn_misfit(&habits, ext, 0), ext);
		assert_int_equal(smtp_habits_without(&habits, 0), SMTP_EXT_BIT(ext));
		learn_taken(&habits, ND_HOUR(4) - 1); /* by which it does not forget */
		assert_int_equal(smtp_habits_without(&habits, ND_HOUR(4) - 1), SMTP_EXT_BIT(ext));
		assert_int_equal(smtp_habits_without(&habits, ND_HOUR(4)), 0);
		assert_int_equal(smtp_habits_pace(&habits, ND_HOUR(4)), SMTP_ONE_FLIGHT);
	}
}

static void
each_extension_is_left_out_for_itself_and_told_once(void **state)
{
	struct smtp_habits habits = { 0 };

	(void)state;
	learn_taken(&habits, 0);
	assert_int_equal(learn_misfit(&habits, SMTP_EXT_NONE, 0), SMTP_EXT_NONE);
	assert_int_equal(learn_misfit(&habits, SMTP_EXT_DSN, 0), SMTP_EXT_DSN);
	assert_int_equal(learn_misfit(&habits, SMTP_EXT_DSN, 1), SMTP_EXT_NONE); /* another session knew it */
	assert_int_equal(learn_misfit(&habits, SMTP_EXT_FLIGHT, 2), SMTP_EXT_FLIGHT);
	assert_int_equal(smtp_habits_without(&habits, 2), SMTP_EXT_BIT(SMTP_EXT_DSN) | SMTP_EXT_BIT(SMTP_EXT_FLIGHT));
	assert_int_equal(smtp_habits_pace(&habits, 2), SMTP_CHUNKED);
	assert_int_equal(smtp_habits_without(&habits, ND_HOUR(4)), SMTP_EXT_BIT(SMTP_EXT_FLIGHT));
}

static void
a_recipient_that_was_refused_for_an_extension_tells_of_it_too(void **state)
{
	const struct smtp_outcome nobody = { .end = SMTP_ENDED_RCPTS, .stage = SMTP_AT_RCPT, .accused = SMTP_EXT_DSN };
	const struct smtp_outcome others = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 250 }, .accused = SMTP_EXT_DSN
	};
	struct smtp_habits habits = { 0 };

	(void)state;
	assert_int_equal(smtp_habits_learn(&habits, &nobody, 0), SMTP_EXT_DSN);
	assert_int_equal(smtp_habits_learn(&habits, &others, ND_HOUR(4)), SMTP_EXT_DSN);
	assert_int_equal(smtp_habits_pace(&habits, ND_HOUR(4)), SMTP_ONE_FLIGHT);
}

static void
a_mail_has_no_more_recipients_than_the_host_takes_and_the_account_allows(void **state)
{
	struct smtp_caps caps = { .rcpt_max = 10, .rcpt_domain_max = 3 };
	struct smtp_habits habits = { 0 };
	unsigned most, domains;

	(void)state;
	smtp_habits_rcpts(&habits, 50, &most, &domains);
	assert_int_equal(most, 50);
	assert_int_equal(domains, 0);
	smtp_habits_offered(&habits, &caps);
	smtp_habits_rcpts(&habits, 50, &most, &domains);
	assert_int_equal(most, 10);
	assert_int_equal(domains, 3);
	smtp_habits_rcpts(&habits, 7, &most, &domains);
	assert_int_equal(most, 7);
	caps = (struct smtp_caps){ 0 }; /* it says so no more */
	smtp_habits_offered(&habits, &caps);
	smtp_habits_rcpts(&habits, 50, &most, &domains);
	assert_int_equal(most, 50);
}

static void
a_host_that_gets_out_of_step_is_spoken_to_more_plainly(void **state)
{
	struct smtp_habits habits = { 0 };

	(void)state;
	learn_lost(&habits, SMTP_ONE_FLIGHT, ND_EPROTOCOL, false);
	learn_lost(&habits, SMTP_CHUNKED, ND_EPROTOCOL, false);
	assert_int_equal(
	    smtp_habits_without(&habits, 0), SMTP_EXT_BIT(SMTP_EXT_FLIGHT) | SMTP_EXT_BIT(SMTP_EXT_CHUNKING));
	learn_lost(&habits, SMTP_GROUPED, ND_ECLOSED, false);    /* a cable, not a manner */
	learn_lost(&habits, SMTP_STEPWISE, ND_EPROTOCOL, false); /* there is no plainer way */
	assert_int_equal(
	    smtp_habits_without(&habits, 0), SMTP_EXT_BIT(SMTP_EXT_FLIGHT) | SMTP_EXT_BIT(SMTP_EXT_CHUNKING));
	learn_lost(&habits, SMTP_GROUPED, ND_EPROTOCOL, false);
	assert_true(smtp_habits_without(&habits, 0) & SMTP_EXT_BIT(SMTP_EXT_PIPELINING));
}

static void
after_a_flight_that_is_uncertain_trust_is_to_be_won_again(void **state)
{
	struct smtp_habits habits = { 0 };

	(void)state;
	learn_taken(&habits, 0);
	learn_lost(&habits, SMTP_ONE_FLIGHT, ND_ECLOSED, false);
	learn_lost(&habits, SMTP_CHUNKED, ND_ECLOSED, true);
	assert_int_equal(smtp_habits_pace(&habits, 0), SMTP_ONE_FLIGHT);
	learn_lost(&habits, SMTP_ONE_FLIGHT, ND_ECLOSED, true);
	assert_int_equal(smtp_habits_pace(&habits, 0), SMTP_CHUNKED);
	learn_taken(&habits, 0);
	assert_int_equal(smtp_habits_pace(&habits, 0), SMTP_ONE_FLIGHT);
}

static void
several_at_once_need_what_one_flight_needs(void **state)
{
	struct smtp_habits habits = { 0 };

	(void)state;
	assert_int_equal(smtp_habits_window(&habits, 8, 0), 1);
	learn_taken(&habits, 0);
	assert_int_equal(smtp_habits_window(&habits, 8, 0), 8);
	assert_int_equal(smtp_habits_window(&habits, 1, 0), 1);
	assert_int_equal(smtp_habits_window(&habits, 8, ND_HOUR(1)), 1);
	learn_taken(&habits, ND_HOUR(2));
	(void)learn_misfit(&habits, SMTP_EXT_FLIGHT, ND_HOUR(2));
	assert_int_equal(smtp_habits_window(&habits, 8, ND_HOUR(2)), 1);
}

/* Each way in which a window goes wrong shuts it for four hours, and leaves one flight at a time as it was. */
static void
what_goes_wrong_beside_others_ends_the_window_first(void **state)
{
	const struct smtp_outcome outcomes[] = {
		{ .end = SMTP_ENDED_LOST, .why = { .err = ND_ECLOSED }, .company = true, .unharmed = true },
		{ .end = SMTP_ENDED_LOST, .why = { .err = ND_EPROTOCOL }, .company = true, .pace = SMTP_ONE_FLIGHT },
		{ .end = SMTP_ENDED_REPLY, .stage = SMTP_AT_MAIL, .reply = { .code = 421 }, .company = true },
		{ .end = SMTP_ENDED_REPLY,
		    .stage = SMTP_AT_MAIL,
		    .reply = { .code = 503 },
		    .misfit = true,
		    .accused = SMTP_EXT_WINDOW,
		    .company = true,
		    .pace = SMTP_ONE_FLIGHT },
	};

	(void)state;
	for (size_t n = 0; n < sizeof(outcomes) / sizeof(outcomes[0]); n++) {
		struct smtp_habits habits = { 0 };

		learn_taken(&habits, 0);
		(void)smtp_habits_learn(&habits, &outcomes[n], 0);
		assert_int_equal(smtp_habits_pace(&habits, 0), SMTP_ONE_FLIGHT);
		assert_int_equal(smtp_habits_window(&habits, 8, 0), 1);
		learn_taken(&habits, ND_HOUR(4) - 1);
		assert_int_equal(smtp_habits_window(&habits, 8, ND_HOUR(4) - 1), 1);
		assert_int_equal(smtp_habits_window(&habits, 8, ND_HOUR(4)), 8);
	}
}

static void
a_refusal_beside_others_is_the_mails_own_matter(void **state)
{
	const struct smtp_outcome refused = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 554 }, .company = true
	};
	const struct smtp_outcome nobody = { .end = SMTP_ENDED_RCPTS, .stage = SMTP_AT_RCPT, .company = true };
	struct smtp_habits habits = { 0 };

	(void)state;
	learn_taken(&habits, 0);
	(void)smtp_habits_learn(&habits, &refused, 0);
	(void)smtp_habits_learn(&habits, &nobody, 0);
	assert_int_equal(smtp_habits_window(&habits, 8, 0), 8);
}

static void
a_size_that_was_refused_is_not_tried_for_four_hours(void **state)
{
	struct smtp_habits habits = { 0 };

	(void)state;
	assert_int_equal(smtp_habits_too_big(&habits, 0), 0);
	smtp_habits_refused(&habits, 0, 1000); /* not known */
	assert_int_equal(smtp_habits_too_big(&habits, 1000), 0);
	smtp_habits_refused(&habits, 65535, 1000); /* so little every server takes */
	assert_int_equal(smtp_habits_too_big(&habits, 1000), 0);
	smtp_habits_refused(&habits, 500000, 1000);
	assert_int_equal(smtp_habits_too_big(&habits, 1000), 500000);
	smtp_habits_refused(&habits, 600000, 2000); /* of another session, begun before: the smallest counts */
	assert_int_equal(smtp_habits_too_big(&habits, 1000 + ND_HOUR(4) - 1), 500000);
	assert_int_equal(smtp_habits_too_big(&habits, 1000 + ND_HOUR(4)), 0);
	smtp_habits_refused(&habits, 400000, 3000);
	assert_int_equal(smtp_habits_too_big(&habits, 1000 + ND_HOUR(4)), 400000);
	smtp_habits_refused(&habits, 700000, ND_HOUR(9)); /* what was known is over */
	assert_int_equal(smtp_habits_too_big(&habits, ND_HOUR(9)), 700000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_at_once_need_what_one_flight_needs),
		cmocka_unit_test(what_goes_wrong_beside_others_ends_the_window_first),
		cmocka_unit_test(a_refusal_beside_others_is_the_mails_own_matter),
		cmocka_unit_test(one_flight_needs_a_mail_taken_in_the_last_hour),
		cmocka_unit_test(a_refusal_is_no_success),
		cmocka_unit_test(what_is_offered_and_refused_is_left_out_for_four_hours),
		cmocka_unit_test(each_extension_is_left_out_for_itself_and_told_once),
		cmocka_unit_test(a_mail_has_no_more_recipients_than_the_host_takes_and_the_account_allows),
		cmocka_unit_test(a_recipient_that_was_refused_for_an_extension_tells_of_it_too),
		cmocka_unit_test(a_host_that_gets_out_of_step_is_spoken_to_more_plainly),
		cmocka_unit_test(after_a_flight_that_is_uncertain_trust_is_to_be_won_again),
		cmocka_unit_test(a_size_that_was_refused_is_not_tried_for_four_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
