/* SPDX-License-Identifier: Apache-2.0 */
/* test_token.c - when an access token is asked for: every rule with its times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/token.h"

#define T0 ND_HOUR(1000) /* any time of the host's life */
#define NO_JITTER 0u
#define FULL_JITTER UINT32_MAX

/* A machine with a fresh token of `life`. */
static struct token
with_token(nd_ms life, nd_ms margin)
{
	struct token token;

	token_init(&token, margin, T0);
	assert_true(token_ask(&token, T0));
	token_got(&token, T0, T0 + life, NO_JITTER, T0);
	return token;
}

/* The clock goes in steps of 100 ms until the machine asks. */
static nd_ms
asks_after(struct token *token, nd_ms from, nd_ms most)
{
	for (nd_ms now = from; now <= from + most; now += 100) {
		if (token_ask(token, now))
			return now - from;
	}
	return ND_NEVER;
}

static void
a_new_machine_asks_at_once_and_only_once(void **state)
{
	struct token token;

	(void)state;
	token_init(&token, 0, T0);
	assert_false(token_usable(&token, T0));
	assert_true(token_deadline(&token) <= T0);
	assert_true(token_ask(&token, T0));
	assert_int_equal(token_deadline(&token), ND_NEVER);
	assert_int_equal(asks_after(&token, T0, ND_HOUR(1)), ND_NEVER);
}

static void
a_token_of_twenty_seconds_is_renewed_after_ten(void **state)
{
	struct token token = with_token(ND_SEC(20), 0);

	(void)state;
	assert_int_equal(token_deadline(&token), T0 + ND_SEC(10));
	assert_int_equal(asks_after(&token, T0, ND_MIN(1)), ND_SEC(10));
}

static void
the_margin_is_five_minutes_or_a_tenth_and_never_over_half(void **state)
{
	(void)state;
	assert_int_equal(token_margin(ND_SEC(3000), 0), ND_SEC(300));
	assert_int_equal(token_margin(ND_SEC(2400), 0), ND_SEC(300));
	assert_int_equal(token_margin(ND_SEC(3599), 0), 359900);
	assert_int_equal(token_margin(ND_SEC(86400), 0), ND_SEC(8640));
	assert_int_equal(token_margin(ND_SEC(600), 0), ND_SEC(300));
	assert_int_equal(token_margin(ND_SEC(30), 0), ND_SEC(15));
}

static void
high_volume_mail_wants_eleven_minutes(void **state)
{
	struct token token = with_token(ND_SEC(3599), ND_MIN(11));

	(void)state;
	assert_int_equal(token_margin(ND_SEC(3599), ND_MIN(11)), ND_MIN(11));
	assert_int_equal(token_margin(ND_MIN(12), ND_MIN(11)), ND_MIN(6));
	assert_int_equal(token_deadline(&token), T0 + ND_SEC(3599) - ND_MIN(11));
}

static void
jitter_only_makes_it_earlier_and_by_a_tenth_of_the_margin_at_most(void **state)
{
	struct token token = with_token(ND_SEC(3000), 0);

	(void)state;
	token_got(&token, T0, T0 + ND_SEC(3000), FULL_JITTER, T0);
	assert_in_range(token_deadline(&token), T0 + ND_SEC(2670), T0 + ND_SEC(2700) - 1);
	token_got(&token, T0, T0 + ND_SEC(3000), UINT32_MAX / 2, T0);
	assert_in_range(token_deadline(&token), T0 + ND_SEC(2680), T0 + ND_SEC(2690));
}

static void
never_two_requests_within_two_seconds(void **state)
{
	struct token token = with_token(ND_SEC(1), 0);

	(void)state;
	assert_int_equal(asks_after(&token, T0, ND_MIN(1)), ND_SEC(2));
	token_later(&token, 0, NO_JITTER, T0 + ND_SEC(2)); /* back-off says 1 s */
	assert_int_equal(asks_after(&token, T0 + ND_SEC(2), ND_MIN(1)), ND_SEC(2));
	token_got(&token, T0 + ND_SEC(4), T0 + ND_HOUR(1), NO_JITTER, T0 + ND_SEC(4));
	token_spoiled(&token, T0 + ND_SEC(4));
	assert_int_equal(asks_after(&token, T0 + ND_SEC(4), ND_MIN(1)), ND_SEC(2));
	token_refused(&token, T0, T0 + ND_SEC(6));
	token_want(&token, T0 + ND_SEC(6));
	assert_int_equal(asks_after(&token, T0 + ND_SEC(6), ND_MIN(1)), ND_SEC(2));
}

static void
failures_back_off_to_a_minute_and_then_to_five(void **state)
{
	static const nd_ms waits[] = { ND_SEC(2) /* 1 s, but for the gap */, ND_SEC(2), ND_SEC(4), ND_SEC(8),
		ND_SEC(16), ND_SEC(32), ND_MIN(1), ND_MIN(5), ND_MIN(5), ND_MIN(5) };
	struct token token;
	nd_ms now = T0;

	(void)state;
	token_init(&token, 0, now);
	assert_true(token_ask(&token, now));
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		token_later(&token, 0, NO_JITTER, now);
		assert_int_equal(asks_after(&token, now, ND_HOUR(1)), waits[i]);
		now += waits[i];
	}
	token_got(&token, now, now + ND_HOUR(1), NO_JITTER, now);
	assert_int_equal(token.failures, 0);
}

static void
the_wish_of_the_endpoint_wins(void **state)
{
	struct token token;

	(void)state;
	token_init(&token, 0, T0);
	assert_true(token_ask(&token, T0));
	token_later(&token, ND_SEC(60), NO_JITTER, T0);
	token_spoiled(&token, T0);
	assert_int_equal(token_deadline(&token), T0 + ND_SEC(60));
	assert_false(token_ask(&token, T0 + ND_SEC(60) - 1));
	assert_true(token_ask(&token, T0 + ND_SEC(60)));
	token_later(&token, ND_SEC(60), FULL_JITTER, T0);
	assert_in_range(token_deadline(&token), T0 + ND_SEC(60), T0 + ND_SEC(66));
}

static void
the_old_token_serves_to_its_end_while_the_endpoint_is_down(void **state)
{
	struct token token = with_token(ND_SEC(100), 0);
	nd_ms now = T0 + ND_SEC(50);

	(void)state;
	while (now < T0 + ND_SEC(100)) {
		assert_true(token_usable(&token, now));
		if (token_ask(&token, now))
			token_later(&token, 0, NO_JITTER, now);
		now += ND_SEC(1);
	}
	assert_true(token.failures > 3);
	assert_true(token_usable(&token, T0 + ND_SEC(100) - 1));
	assert_false(token_usable(&token, T0 + ND_SEC(100)));
	assert_true(token_deadline(&token) < T0 + ND_SEC(200));
}

static void
a_spoiled_token_is_not_used_again(void **state)
{
	struct token token = with_token(ND_HOUR(1), 0);

	(void)state;
	assert_true(token_usable(&token, T0 + ND_MIN(1)));
	token_spoiled(&token, T0 + ND_MIN(1));
	assert_false(token_usable(&token, T0 + ND_MIN(1)));
	assert_true(token_ask(&token, T0 + ND_MIN(1)));
	token_got(&token, T0 + ND_MIN(1), T0 + ND_HOUR(1), NO_JITTER, T0 + ND_MIN(1));
	assert_true(token_usable(&token, T0 + ND_MIN(1)));
	assert_false(token_ask(&token, T0 + ND_MIN(2)));
}

static void
a_refusal_waits_for_its_probe_or_for_somebody_who_mended_it(void **state)
{
	struct token token = with_token(ND_HOUR(1), 0);
	nd_ms now = T0 + ND_MIN(54);

	(void)state;
	assert_true(token_ask(&token, now));
	token_refused(&token, now + ND_MIN(10), now);
	assert_true(token.refused);
	assert_true(token_usable(&token, now));
	assert_int_equal(asks_after(&token, now, ND_HOUR(1)), ND_MIN(10));
	token_refused(&token, 0, now + ND_MIN(10));
	assert_int_equal(token_deadline(&token), now + ND_MIN(11));
	token_want(&token, now + ND_MIN(10) + ND_SEC(5));
	assert_true(token_ask(&token, now + ND_MIN(10) + ND_SEC(5)));
	token_got(&token, now, now + ND_HOUR(1), NO_JITTER, now + ND_MIN(11));
	assert_false(token.refused);
}

static void
a_wish_for_a_new_token_leaves_the_old_one_in_use(void **state)
{
	struct token token = with_token(ND_HOUR(1), 0);

	(void)state;
	token_want(&token, T0 + ND_MIN(1));
	assert_true(token_usable(&token, T0 + ND_MIN(1)));
	assert_true(token_ask(&token, T0 + ND_MIN(1)));
}

static void
a_restart_with_a_good_token_needs_no_request(void **state)
{
	struct token token;

	(void)state;
	token_init(&token, 0, T0);
	token_got(&token, T0 - ND_SEC(1000), T0 + ND_SEC(2000), NO_JITTER, T0);
	assert_true(token_usable(&token, T0));
	assert_int_equal(asks_after(&token, T0, ND_HOUR(1)), ND_SEC(1700));
}

static void
a_restart_with_an_old_token_asks_at_once(void **state)
{
	struct token token;

	(void)state;
	token_init(&token, 0, T0);
	token_got(&token, T0 - ND_SEC(3500), T0 + ND_SEC(100), NO_JITTER, T0);
	assert_true(token_usable(&token, T0));
	assert_true(token_ask(&token, T0));
	token_init(&token, 0, T0);
	token_got(&token, T0 - ND_SEC(4000), T0 - ND_SEC(1), NO_JITTER, T0);
	assert_false(token_usable(&token, T0));
	assert_true(token_ask(&token, T0));
}

static void
another_identity_has_no_token_and_keeps_the_pace(void **state)
{
	struct token token;

	(void)state;
	token_init(&token, 0, 0);
	assert_true(token_ask(&token, 0));
	token_got(&token, 0, ND_HOUR(1), 0, 10);
	token_renew(&token, 0, 20);
	assert_false(token_usable(&token, 20));
	assert_false(token_ask(&token, 20)); /* never two requests within 2 s */
	assert_true(token_ask(&token, ND_SEC(2)));
}

static void
a_request_that_ends_without_a_word_is_made_anew(void **state)
{
	struct token token;

	(void)state;
	token_init(&token, 0, 0);
	assert_true(token_ask(&token, 0));
	assert_true(token_deadline(&token) == ND_NEVER);
	token_unanswered(&token);
	assert_int_equal(token_deadline(&token), ND_SEC(2));
	assert_true(token_ask(&token, ND_SEC(2)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_machine_asks_at_once_and_only_once),
		cmocka_unit_test(a_token_of_twenty_seconds_is_renewed_after_ten),
		cmocka_unit_test(the_margin_is_five_minutes_or_a_tenth_and_never_over_half),
		cmocka_unit_test(high_volume_mail_wants_eleven_minutes),
		cmocka_unit_test(jitter_only_makes_it_earlier_and_by_a_tenth_of_the_margin_at_most),
		cmocka_unit_test(never_two_requests_within_two_seconds),
		cmocka_unit_test(failures_back_off_to_a_minute_and_then_to_five),
		cmocka_unit_test(the_wish_of_the_endpoint_wins),
		cmocka_unit_test(the_old_token_serves_to_its_end_while_the_endpoint_is_down),
		cmocka_unit_test(a_spoiled_token_is_not_used_again),
		cmocka_unit_test(a_refusal_waits_for_its_probe_or_for_somebody_who_mended_it),
		cmocka_unit_test(a_wish_for_a_new_token_leaves_the_old_one_in_use),
		cmocka_unit_test(a_restart_with_a_good_token_needs_no_request),
		cmocka_unit_test(a_restart_with_an_old_token_asks_at_once),
		cmocka_unit_test(another_identity_has_no_token_and_keeps_the_pace),
		cmocka_unit_test(a_request_that_ends_without_a_word_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
