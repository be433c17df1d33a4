/* SPDX-License-Identifier: Apache-2.0 */
/* test_retry.c - the waits between tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/retry.h"

/* The lowest and the highest that any dice gives. */
static void
expect_between(nd_ms low, nd_ms high, nd_ms at_low_dice, nd_ms at_high_dice)
{
	assert_int_equal(at_low_dice, low);
	assert_int_equal(at_high_dice, high);
}

static void
a_job_waits_longer_after_each_try(void **state)
{
	static const nd_ms waits[] = { ND_SEC(10), ND_SEC(30), ND_MIN(1), ND_MIN(2), ND_MIN(5), ND_MIN(10) };

	(void)state;
	for (unsigned n = 0; n < sizeof(waits) / sizeof(waits[0]); n++) {
		const nd_ms wait = waits[n];

		expect_between(wait * 8 / 10, wait * 12 / 10, retry_job(n + 1, 0, 0), retry_job(n + 1, 0, UINT32_MAX));
		assert_true(retry_job(n + 1, 0, UINT32_MAX / 2) - wait < ND_SEC(1));
	}
}

static void
from_the_seventh_try_on_a_job_waits_a_quarter_to_half_an_hour(void **state)
{
	(void)state;
	for (unsigned tried = 7; tried < 2000; tried += 13)
		expect_between(ND_MIN(15), ND_MIN(30), retry_job(tried, 0, 0), retry_job(tried, 0, UINT32_MAX));
	expect_between(ND_MIN(15), ND_MIN(30), retry_job(UINT32_MAX, 0, 0), retry_job(UINT32_MAX, 0, UINT32_MAX));
}

static void
a_job_never_tried_waits_as_after_the_first_try(void **state)
{
	(void)state;
	assert_int_equal(retry_job(0, 0, 7), retry_job(1, 0, 7));
}

static void
nobody_comes_back_before_he_was_told_to(void **state)
{
	(void)state;
	for (uint32_t dice = 0; dice < UINT32_MAX - 99999999; dice += 99999999) {
		assert_int_equal(retry_job(1, ND_HOUR(1), dice), ND_HOUR(1));
		assert_true(retry_job(7, ND_MIN(20), dice) >= ND_MIN(20));
		assert_int_equal(retry_failing(1, ND_HOUR(2), dice), ND_HOUR(2));
	}
}

static void
probes_of_a_failing_account_become_rarer_up_to_a_quarter_of_an_hour(void **state)
{
	static const nd_ms waits[] = { ND_MIN(1), ND_MIN(2), ND_MIN(4), ND_MIN(8), ND_MIN(15), ND_MIN(15), ND_MIN(15) };

	(void)state;
	for (unsigned n = 0; n < sizeof(waits) / sizeof(waits[0]); n++)
		expect_between(waits[n] * 8 / 10, waits[n] * 12 / 10, retry_failing(n + 1, 0, 0),
		    retry_failing(n + 1, 0, UINT32_MAX));
	assert_int_equal(retry_failing(0, 0, 7), retry_failing(1, 0, 7));
	expect_between(
	    ND_MIN(12), ND_MIN(18), retry_failing(UINT32_MAX, 0, 0), retry_failing(UINT32_MAX, 0, UINT32_MAX));
}

static void
a_held_account_is_probed_every_ten_minutes_for_an_hour_then_hourly(void **state)
{
	(void)state;
	assert_int_equal(retry_held(0), ND_MIN(10));
	assert_int_equal(retry_held(ND_HOUR(1) - 1), ND_MIN(10));
	assert_int_equal(retry_held(ND_HOUR(1)), ND_HOUR(1));
	assert_int_equal(retry_held(ND_DAY(30)), ND_HOUR(1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_waits_longer_after_each_try),
		cmocka_unit_test(from_the_seventh_try_on_a_job_waits_a_quarter_to_half_an_hour),
		cmocka_unit_test(a_job_never_tried_waits_as_after_the_first_try),
		cmocka_unit_test(nobody_comes_back_before_he_was_told_to),
		cmocka_unit_test(probes_of_a_failing_account_become_rarer_up_to_a_quarter_of_an_hour),
		cmocka_unit_test(a_held_account_is_probed_every_ten_minutes_for_an_hour_then_hourly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
