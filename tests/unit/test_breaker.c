/* SPDX-License-Identifier: Apache-2.0 */
/* test_breaker.c - when mail goes past an account, and how it comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/breaker.h"

#define AFTER ND_MIN(2)

static void
trouble_opens_it_after_its_time_and_never_without_one(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	breaker_look(&breaker, false, AFTER, 1000);
	assert_int_equal(breaker_deadline(&breaker, AFTER), 1000 + AFTER);
	breaker_look(&breaker, false, AFTER, 999 + AFTER);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	breaker_look(&breaker, false, AFTER, 1000 + AFTER);
	assert_int_equal(breaker.state, BREAKER_OPEN);
	breaker = (struct breaker){ 0 };
	breaker_look(&breaker, false, 0, 1000);
	breaker_look(&breaker, false, 0, ND_DAY(9));
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	assert_int_equal(breaker_deadline(&breaker, 0), ND_NEVER);
}

static void
one_that_is_open_closes_when_trouble_may_be_for_ever(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	for (unsigned usable = 0; usable < 2; usable++) {
		breaker_look(&breaker, false, AFTER, 1000);
		breaker_look(&breaker, false, AFTER, 1000 + AFTER);
		assert_int_equal(breaker.state, BREAKER_OPEN);
		breaker_look(&breaker, usable != 0, 0, 1001 + AFTER);
		assert_int_equal(breaker.state, BREAKER_CLOSED);
		assert_int_equal(breaker_deadline(&breaker, 0), ND_NEVER);
	}
	breaker = (struct breaker){ .state = BREAKER_HALF };
	breaker_look(&breaker, false, 0, 1001);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void
trouble_that_comes_back_without_a_delivery_is_the_same(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	breaker_look(&breaker, false, AFTER, 0);
	breaker_look(&breaker, true, AFTER, ND_MIN(1)); /* a throttle is over */
	breaker_look(&breaker, false, AFTER, ND_MIN(1) + 1);
	breaker_look(&breaker, false, AFTER, ND_MIN(2));
	assert_int_equal(breaker.state, BREAKER_OPEN);

	breaker = (struct breaker){ 0 };
	breaker_look(&breaker, false, AFTER, 0);
	breaker_look(&breaker, true, AFTER, ND_MIN(1));
	breaker_delivered(&breaker);
	breaker_look(&breaker, false, AFTER, ND_MIN(2));
	assert_int_equal(breaker.state, BREAKER_CLOSED);

	breaker = (struct breaker){ 0 };
	breaker_look(&breaker, false, AFTER, 0);
	breaker_look(&breaker, true, AFTER, ND_MIN(1));
	breaker_look(&breaker, true, AFTER, ND_MIN(3)); /* well for long enough */
	breaker_look(&breaker, false, AFTER, ND_MIN(4));
	assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void
a_healed_one_gets_one_mail_then_two_then_four(void **state)
{
	struct breaker breaker = { 0 };
	unsigned room, n;

	(void)state;
	breaker_look(&breaker, false, AFTER, 0);
	breaker_look(&breaker, false, AFTER, AFTER);
	breaker_look(&breaker, true, AFTER, AFTER + 1);
	for (room = 1; room < BREAKER_ROOM; room *= 2) {
		assert_int_equal(breaker.state, BREAKER_HALF);
		for (n = 0; n < room; n++)
			assert_true(breaker_take(&breaker, AFTER + 2));
		assert_false(breaker_take(&breaker, AFTER + 2));
		breaker_delivered(&breaker);
	}
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	assert_true(breaker_take(&breaker, AFTER + 2));
}

static void
one_that_fails_again_is_open_at_once_and_what_is_lost_on_the_way_blocks_nothing(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	breaker_look(&breaker, false, AFTER, 0);
	breaker_look(&breaker, false, AFTER, AFTER);
	breaker_look(&breaker, true, AFTER, AFTER + 1);
	assert_true(breaker_take(&breaker, AFTER + 2));
	assert_false(breaker_take(&breaker, AFTER + 1 + BREAKER_AGAIN)); /* nothing was heard of it */
	assert_true(breaker_take(&breaker, AFTER + 2 + BREAKER_AGAIN));
	breaker_look(&breaker, false, AFTER, ND_HOUR(1));
	assert_int_equal(breaker.state, BREAKER_OPEN);
	assert_int_equal(breaker.since, ND_HOUR(1));
	breaker_delivered(&breaker); /* by a session of before */
	assert_int_equal(breaker.state, BREAKER_OPEN);
	assert_true(breaker_take(&breaker, ND_HOUR(2))); /* as a probe, one a minute */
	assert_false(breaker_take(&breaker, ND_HOUR(2) + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trouble_opens_it_after_its_time_and_never_without_one),
		cmocka_unit_test(one_that_is_open_closes_when_trouble_may_be_for_ever),
		cmocka_unit_test(trouble_that_comes_back_without_a_delivery_is_the_same),
		cmocka_unit_test(a_healed_one_gets_one_mail_then_two_then_four),
		cmocka_unit_test(one_that_fails_again_is_open_at_once_and_what_is_lost_on_the_way_blocks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
