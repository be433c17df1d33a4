/* SPDX-License-Identifier: Apache-2.0 */
/* test_downtime.c - the age of a job stands still while its account cannot be used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/core/downtime.h"

#include <string.h>

static void
without_trouble_the_cutoff_is_the_plain_age(void **state)
{
	struct downtime downtime = { 0 };

	(void)state;
	assert_int_equal(downtime_cutoff(&downtime, 100, 1000), 900);
}

static void
time_in_trouble_does_not_count(void **state)
{
	struct downtime downtime = { 0 };

	(void)state;
	downtime_begin(&downtime, 500);
	downtime_end(&downtime, 700);
	assert_int_equal(downtime_cutoff(&downtime, 100, 750), 450); /* 50 after, 50 before the trouble */
	assert_int_equal(downtime_cutoff(&downtime, 50, 750), 700);
	assert_int_equal(downtime_cutoff(&downtime, 300, 1000), 700);
	assert_int_equal(downtime_cutoff(&downtime, 301, 1000), 499);
}

static void
trouble_that_goes_on_stops_the_clock(void **state)
{
	struct downtime downtime = { 0 };

	(void)state;
	downtime_begin(&downtime, 500);
	downtime_begin(&downtime, 600);
	assert_int_equal(downtime_cutoff(&downtime, 100, 700), 400);
	assert_int_equal(downtime_cutoff(&downtime, 100, 90000), 400);
}

static void
a_full_list_errs_towards_keeping_jobs(void **state)
{
	struct downtime downtime = { 0 };
	nd_unix t;

	(void)state;
	for (t = 1000; t < 1000 + 100 * 100; t += 100) {
		downtime_begin(&downtime, t);
		downtime_end(&downtime, t + 10);
	}
	assert_int_equal(downtime.count, DOWNTIME_SPANS);
	/* 100 spans of 10 in 10,000: at least 1,000 do not count. */
	assert_true(downtime_cutoff(&downtime, 9000, 11000) <= 11000 - 9000 - 1000);
}

static void
so_much_of_a_time_was_trouble(void **state)
{
	struct downtime downtime = { 0 };

	(void)state;
	assert_int_equal(downtime_within(&downtime, 0, 1000), 0);
	downtime_begin(&downtime, 500);
	downtime_end(&downtime, 700);
	downtime_begin(&downtime, 900);
	assert_int_equal(downtime_within(&downtime, 0, 1000), 300);
	assert_int_equal(downtime_within(&downtime, 600, 650), 50);
	assert_int_equal(downtime_within(&downtime, 650, 800), 50);
	assert_int_equal(downtime_within(&downtime, 700, 900), 0);
	assert_int_equal(downtime_within(&downtime, 950, 1000), 50);
}

static void
it_survives_a_restart(void **state)
{
	struct downtime downtime = { 0 }, again = { 0 };
	struct json_tree tree;
	struct json_out out;
	struct nd_buf buf;

	(void)state;
	downtime_begin(&downtime, 500);
	downtime_end(&downtime, 700);
	downtime_begin(&downtime, 800);
	nd_buf_init(&buf, 4096);
	json_out_init(&out, &buf);
	downtime_write(&downtime, NULL, 900, &out);
	assert_string_equal(nd_buf_text(&buf), "[[500,700],[800,900]]");
	assert_int_equal(json_read(&tree, buf.octets, buf.len, &json_limits_small, NULL, NULL), ND_OK);
	downtime_read(&again, tree.root);
	json_done(&tree);
	nd_buf_done(&buf);
	assert_int_equal(again.count, 2);
	assert_int_equal(downtime_cutoff(&again, 100, 1000), 900);
	assert_int_equal(downtime_cutoff(&again, 150, 1000), 750);
}

static void
a_clock_that_steps_back_harms_nothing(void **state)
{
	struct downtime downtime = { 0 };

	(void)state;
	downtime_begin(&downtime, 500);
	downtime_end(&downtime, 700);
	downtime_begin(&downtime, 600);
	downtime_end(&downtime, 650);
	assert_int_equal(downtime.count, 1);
	downtime_begin(&downtime, 650);
	downtime_end(&downtime, 900);
	assert_int_equal(downtime.span[1].from, 700);
}

static void
a_clock_that_leaps_ahead_makes_nothing_older(void **state)
{
	struct downtime downtime = { 0 };

	(void)state;
	downtime_leap(&downtime, 1000, 50000);
	assert_int_equal(downtime_cutoff(&downtime, 100, 50040), 940);
	assert_int_equal(downtime_cutoff(&downtime, 100, 50140), 50040);
	downtime_begin(&downtime, 50200); /* during trouble it counts once */
	downtime_leap(&downtime, 50300, 90000);
	downtime_end(&downtime, 90100);
	assert_int_equal(downtime_cutoff(&downtime, 100, 90150), 50150);
}

static void
trouble_is_known_and_counted_also_when_the_clock_leaps_back(void **state)
{
	struct downtime downtime = { 0 };

	(void)state;
	downtime_begin(&downtime, 90000);
	downtime_end(&downtime, 90500);
	downtime_begin(&downtime, 90600);
	downtime_leap(&downtime, 90700, 10700);
	assert_int_equal(downtime.since, 10600);
	downtime_end(&downtime, 11000);
	assert_int_equal(downtime_cutoff(&downtime, 200, 11050), 9950);
	downtime_leap(&downtime, 11050, 50); /* to before there was any time */
	downtime_begin(&downtime, 100);
	downtime_end(&downtime, 200);
	assert_int_equal(downtime_cutoff(&downtime, 20, 210), 90);
}

static void
an_account_that_is_new_had_no_time_for_what_came_before_it(void **state)
{
	struct downtime downtime = { .since = 7 };

	(void)state;
	downtime_new(&downtime, 1000, 10000);
	assert_int_equal(downtime.since, 0);
	assert_int_equal(downtime_cutoff(&downtime, 100, 10099), 999);
	assert_int_equal(downtime_cutoff(&downtime, 100, 10100), 10000);
	downtime_new(&downtime, -5, 10000); /* a clock that was never set; what is kept begins at 0 */
	assert_int_equal(downtime.span[0].from, 0);
	assert_int_equal(downtime.count, 1);
}

static void
what_is_left_of_a_jobs_time_ends_it(void **state)
{
	struct downtime downtime = { 0 };

	(void)state;
	assert_int_equal(downtime_over(&downtime, 1000, 500, 1200), 1500);
	assert_int_equal(downtime_over(&downtime, 2000, 500, 1200), 2500); /* it has not begun */
	downtime_begin(&downtime, 1100);
	downtime_end(&downtime, 1180);
	assert_int_equal(downtime_over(&downtime, 1000, 500, 1200), 1580);
	downtime_new(&downtime, 0, 5000);
	assert_int_equal(downtime_over(&downtime, 1000, 500, 5200), 5500);
}

static void
a_job_that_changes_accounts_keeps_what_is_left(void **state)
{
	struct downtime down = { 0 }, well = { 0 };

	(void)state;
	downtime_begin(&down, 1100);
	assert_int_equal(downtime_carry(&down, &well, 1000, 9000), 8900); /* of 100 it made use */
	assert_int_equal(downtime_carry(&well, &down, 1000, 9000), 1000); /* never less */
	assert_int_equal(downtime_carry(&well, &well, 1000, 9000), 1000);
	assert_int_equal(downtime_carry(&down, &well, 9500, 9000), 9500); /* it has not begun */
	assert_int_equal(downtime_carry(&down, &well, 2000, 9000), 9000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_trouble_the_cutoff_is_the_plain_age),
		cmocka_unit_test(time_in_trouble_does_not_count),
		cmocka_unit_test(trouble_that_goes_on_stops_the_clock),
		cmocka_unit_test(a_full_list_errs_towards_keeping_jobs),
		cmocka_unit_test(so_much_of_a_time_was_trouble),
		cmocka_unit_test(it_survives_a_restart),
		cmocka_unit_test(a_clock_that_steps_back_harms_nothing),
		cmocka_unit_test(a_clock_that_leaps_ahead_makes_nothing_older),
		cmocka_unit_test(trouble_is_known_and_counted_also_when_the_clock_leaps_back),
		cmocka_unit_test(an_account_that_is_new_had_no_time_for_what_came_before_it),
		cmocka_unit_test(what_is_left_of_a_jobs_time_ends_it),
		cmocka_unit_test(a_job_that_changes_accounts_keeps_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
