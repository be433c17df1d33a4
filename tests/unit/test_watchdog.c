/* SPDX-License-Identifier: Apache-2.0 */
/* test_watchdog.c - the daemon is well while the storage thread gets on, and only then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/watchdog.h"

static bool
look(struct watchdog *watchdog, uint64_t asked, uint64_t answered, nd_ms busy_since, nd_ms now)
{
	struct watchdog_facts facts = { asked, answered, busy_since };

	return watchdog_well(watchdog, &facts, now);
}

static void
with_nothing_to_do_all_is_well(void **state)
{
	struct watchdog watchdog = { 0 };

	(void)state;
	assert_true(look(&watchdog, 5, 5, 0, 10));
	assert_true(look(&watchdog, 5, 5, 0, ND_DAY(1)));
}

static void
a_request_that_has_just_come_may_wait(void **state)
{
	struct watchdog watchdog = { 0 };

	(void)state;
	assert_true(look(&watchdog, 5, 5, 0, 10));
	assert_true(look(&watchdog, 6, 5, 0, ND_SEC(30)));
	assert_true(look(&watchdog, 8, 7, 0, ND_SEC(60))); /* others were answered since */
}

static void
requests_that_nobody_answers_are_a_fault(void **state)
{
	struct watchdog watchdog = { 0 };

	(void)state;
	assert_true(look(&watchdog, 6, 5, 0, ND_SEC(30)));
	assert_false(look(&watchdog, 7, 5, 0, ND_SEC(60)));
	assert_false(look(&watchdog, 7, 5, 0, ND_SEC(90)));
	assert_true(look(&watchdog, 7, 7, 0, ND_SEC(120)));
}

static void
one_call_may_take_two_minutes(void **state)
{
	struct watchdog watchdog = { 0 };

	(void)state;
	assert_true(look(&watchdog, 6, 5, 1000, ND_SEC(30)));
	assert_true(look(&watchdog, 6, 5, 1000, ND_SEC(90)));
	assert_false(look(&watchdog, 6, 5, 1000, 1000 + WATCHDOG_CALL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_nothing_to_do_all_is_well),
		cmocka_unit_test(a_request_that_has_just_come_may_wait),
		cmocka_unit_test(requests_that_nobody_answers_are_a_fault),
		cmocka_unit_test(one_call_may_take_two_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
