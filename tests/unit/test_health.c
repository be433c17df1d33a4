/* SPDX-License-Identifier: Apache-2.0 */
/* test_health.c - the state of an account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/health.h"

static void
fault(struct health *health, enum health_state state, nd_ms wait, bool in_mail, nd_ms now)
{
	struct health_fault f = { state, "why", "words", "do this", wait, in_mail, 0 };

	health_fault(health, &f, 0x80000000u, now);
}

static void
a_throttle_ends_by_itself(void **state)
{
	struct health health;

	(void)state;
	health_init(&health, 0);
	fault(&health, HEALTH_THROTTLED, ND_SEC(30), true, 100);
	assert_int_equal(health_leave(&health, 100), HEALTH_NOTHING);
	assert_int_equal(health_deadline(&health), 100 + ND_SEC(30));
	assert_int_equal(health_leave(&health, 100 + ND_SEC(30)), HEALTH_ALL);
	assert_int_equal(health.state, HEALTH_OK);
	assert_string_equal(health.reason, "");
}

static void
a_failing_account_is_probed_by_one_session_at_growing_intervals(void **state)
{
	struct health health;
	nd_ms first, second;

	(void)state;
	health_init(&health, 0);
	fault(&health, HEALTH_FAILING, 0, false, 0);
	first = health.until;
	assert_in_range(first, ND_SEC(40), ND_SEC(80));
	assert_int_equal(health_leave(&health, first - 1), HEALTH_NOTHING);
	assert_int_equal(health_leave(&health, first), HEALTH_ONE);
	health_probe(&health);
	assert_int_equal(health_deadline(&health), ND_NEVER);
	fault(&health, HEALTH_FAILING, 0, false, first);
	second = health.until - first;
	assert_true(second > first + ND_SEC(20));
	health_probe(&health);
	health_proved(&health, false, health.until);
	assert_int_equal(health.state, HEALTH_OK);
}

static void
a_session_proves_nothing_about_a_fault_met_in_a_mail(void **state)
{
	struct health health;

	(void)state;
	health_init(&health, 0);
	fault(&health, HEALTH_HELD, 0, true, 0);
	assert_int_equal(health_leave(&health, ND_MIN(10)), HEALTH_ONE);
	health_probe(&health);
	health_proved(&health, false, ND_MIN(10));
	assert_int_equal(health.state, HEALTH_HELD);
	health_proved(&health, true, ND_MIN(10));
	assert_int_equal(health.state, HEALTH_OK);
}

static void
a_session_of_before_does_not_heal_a_held_account(void **state)
{
	struct health health;

	(void)state;
	health_init(&health, 0);
	fault(&health, HEALTH_HELD, 0, false, 0);
	health_proved(&health, false, 1); /* no probe is out */
	assert_int_equal(health.state, HEALTH_HELD);
	fault(&health, HEALTH_THROTTLED, 10, true, 2); /* a milder one of an old session */
	assert_int_equal(health.state, HEALTH_HELD);
}

static void
a_short_throttle_does_not_shorten_a_longer_one(void **state)
{
	struct health health;

	(void)state;
	health_init(&health, 0);
	fault(&health, HEALTH_THROTTLED, ND_HOUR(1), true, 0);
	fault(&health, HEALTH_THROTTLED, ND_SEC(5), true, ND_SEC(1));
	assert_int_equal(health_leave(&health, ND_HOUR(1) - 1), HEALTH_NOTHING);
	assert_int_equal(health_deadline(&health), ND_HOUR(1));
	fault(&health, HEALTH_THROTTLED, ND_HOUR(1), true, ND_MIN(1)); /* a later end is */
	assert_int_equal(health_deadline(&health), ND_MIN(61));
	assert_int_equal(health_leave(&health, ND_MIN(61)), HEALTH_ALL);
}

static void
a_held_account_whose_probe_is_throttled_stays_held(void **state)
{
	struct health health;

	(void)state;
	health_init(&health, 0);
	fault(&health, HEALTH_HELD, 0, true, 0);
	(void)health_told(&health);
	health_probe(&health);
	fault(&health, HEALTH_THROTTLED, ND_SEC(30), true, ND_MIN(10));
	assert_int_equal(health.state, HEALTH_HELD);
	assert_false(health_told(&health));
	assert_int_equal(health_leave(&health, ND_MIN(10) + ND_SEC(30) - 1), HEALTH_NOTHING);
	assert_int_equal(health_leave(&health, ND_MIN(10) + ND_SEC(30)), HEALTH_ONE); /* one mail, not all */
}

static void
each_change_is_told_once(void **state)
{
	struct health health;

	(void)state;
	health_init(&health, 0);
	assert_false(health_told(&health));
	fault(&health, HEALTH_HELD, 0, false, 0);
	assert_true(health_told(&health));
	assert_false(health_told(&health));
	health_probe(&health);
	fault(&health, HEALTH_HELD, 0, false, ND_MIN(10));
	assert_false(health_told(&health)); /* the same again is no news */
}

static void
a_probe_without_an_answer_comes_again_later(void **state)
{
	struct health health;

	(void)state;
	health_init(&health, 0);
	fault(&health, HEALTH_HELD, 0, true, 0);
	health_probe(&health);
	health_unproved(&health, 0, ND_MIN(11));
	assert_int_equal(health.state, HEALTH_HELD);
	assert_true(health_deadline(&health) > ND_MIN(11));
}

static void
a_pause_is_ended_by_its_operator_alone(void **state)
{
	struct health health;

	(void)state;
	health_init(&health, 0);
	fault(&health, HEALTH_HELD, 0, false, 1);
	health_pause(&health, 2);
	assert_true(health_told(&health));
	assert_int_equal(health.state, HEALTH_PAUSED);
	fault(&health, HEALTH_FAILING, 0, false, 3);
	health_proved(&health, true, 4);
	health_renew(&health, 5);
	assert_int_equal(health_leave(&health, ND_DAY(30)), HEALTH_NOTHING);
	assert_int_equal(health_deadline(&health), ND_NEVER);
	health_resume(&health, 6);
	assert_int_equal(health_leave(&health, 6), HEALTH_ALL);
	assert_string_equal(health.reason, "");
}

static void
an_account_in_trouble_is_probed_at_once_when_resumed(void **state)
{
	struct health health;

	(void)state;
	health_init(&health, 0);
	fault(&health, HEALTH_HELD, 0, false, 1);
	assert_int_equal(health_leave(&health, 2), HEALTH_NOTHING);
	health_resume(&health, 2);
	assert_int_equal(health.state, HEALTH_HELD);
	assert_int_equal(health_leave(&health, 2), HEALTH_ONE);
	fault(&health, HEALTH_HELD, 0, false, 3);
	health_renew(&health, 4); /* another server: what the old one said does not hold */
	assert_int_equal(health_leave(&health, 4), HEALTH_ALL);
}

static void
when_an_account_may_send_is_known_unless_a_person_is_needed(void **state)
{
	static const struct {
		enum health_state state;
		nd_ms until;
		nd_unix ready;
	} rows[] = {
		{ HEALTH_OK, ND_NEVER, 5000000 },
		{ HEALTH_PACED, 1000, 5000000 }, /* over */
		{ HEALTH_PACED, 61000, 5060000 },
		{ HEALTH_THROTTLED, 2000, 5001000 },
		{ HEALTH_FAILING, 3000, 5002000 },
		{ HEALTH_FAILING, ND_NEVER, 0 },
		{ HEALTH_HELD, 3000, 0 },
		{ HEALTH_PAUSED, ND_NEVER, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct health health = { .state = rows[i].state, .until = rows[i].until };

		assert_int_equal(
		    health_ready(&health, (struct nd_now){ .ms = 1000, .unix_ms = 5000000 }), rows[i].ready);
	}
}

static void
a_known_delay_says_so_with_the_next_try_and_ends_with_its_time(void **state)
{
	const struct health_fault f = { .state = HEALTH_FAILING,
		.reason = "why",
		.detail = "words",
		.hint = "",
		.wait = ND_MIN(5),
		.quiet = ND_MIN(9) };
	struct nd_now now = { 0, 1700000000000 }; /* 22:13:20 */
	char words[HEALTH_WORDS];
	struct health health;

	(void)state;
	health_init(&health, 0);
	assert_string_equal(health_words(&health, now, words), "");
	health_fault(&health, &f, 0, now.ms);
	assert_string_equal(
	    health_words(&health, now, words), "why: known propagation delay, next try at 22:18 UTC: words");
	now = (struct nd_now){ health.until, now.unix_ms + health.until };
	health_probe(&health);
	assert_string_equal(health_words(&health, now, words), "why: known propagation delay, it is tried now: words");
	health_fault(&health, &f, 0, now.ms);
	assert_int_equal(health.until, ND_MIN(9)); /* not five minutes later: that is its end */
	health_renew(&health, ND_MIN(9));
	assert_int_equal(health.quiet, 0);
	fault(&health, HEALTH_HELD, 0, false, ND_MIN(9));
	assert_string_equal(health_words(&health, now, words), "why: words");
}

static void
each_fault_that_takes_hold_is_another_one(void **state)
{
	struct health health;

	(void)state;
	health_init(&health, 0);
	fault(&health, HEALTH_HELD, 0, false, 0);
	assert_int_equal(health.met, 1);
	fault(&health, HEALTH_FAILING, 0, false, 1); /* milder, by a session of before */
	assert_int_equal(health.met, 1);
	fault(&health, HEALTH_HELD, 0, false, 2); /* the same words, of another session */
	assert_int_equal(health.met, 2);
	health_renew(&health, 3);
	health_pause(&health, 4);
	fault(&health, HEALTH_HELD, 0, false, 5);
	assert_int_equal(health.met, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_held_account_whose_probe_is_throttled_stays_held),
		cmocka_unit_test(a_short_throttle_does_not_shorten_a_longer_one),
		cmocka_unit_test(when_an_account_may_send_is_known_unless_a_person_is_needed),
		cmocka_unit_test(a_throttle_ends_by_itself),
		cmocka_unit_test(a_failing_account_is_probed_by_one_session_at_growing_intervals),
		cmocka_unit_test(a_session_proves_nothing_about_a_fault_met_in_a_mail),
		cmocka_unit_test(a_session_of_before_does_not_heal_a_held_account),
		cmocka_unit_test(each_change_is_told_once),
		cmocka_unit_test(a_probe_without_an_answer_comes_again_later),
		cmocka_unit_test(a_pause_is_ended_by_its_operator_alone),
		cmocka_unit_test(an_account_in_trouble_is_probed_at_once_when_resumed),
		cmocka_unit_test(a_known_delay_says_so_with_the_next_try_and_ends_with_its_time),
		cmocka_unit_test(each_fault_that_takes_hold_is_another_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
