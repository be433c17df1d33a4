/* SPDX-License-Identifier: Apache-2.0 */
/* test_intake_limit.c - tests of the room in the queue and on its disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/intake_limit.h"

#include <string.h>

static const struct conf conf = { .max_jobs = 100, .max_bytes = 10000, .min_free = 1000 };

static enum nd_err
ask(uint64_t jobs, uint64_t octets, int64_t free, uint64_t size, bool severe)
{
	const struct intake_limit_load load = { jobs, octets, free };
	struct nd_why why;

	return intake_limit_check(&conf, &load, size, severe, &why);
}

static void
the_last_five_jobs_of_a_hundred_are_for_what_is_severe(void **state)
{
	(void)state;
	assert_int_equal(ask(94, 0, -1, 0, false), ND_OK);
	assert_int_equal(ask(95, 0, -1, 0, false), ND_EQUEUEFULL);
	assert_int_equal(ask(99, 0, -1, 0, true), ND_OK);
	assert_int_equal(ask(100, 0, -1, 0, true), ND_EQUEUEFULL);
}

static void
a_small_queue_keeps_one_place_for_what_is_severe(void **state)
{
	static const struct conf small = { .max_jobs = 10, .max_bytes = 10000 },
				 one = { .max_jobs = 1, .max_bytes = 10000 };
	const struct intake_limit_load nine = { 9, 0, -1 }, none = { 0, 0, -1 };
	struct nd_why why;

	(void)state;
	assert_int_equal(intake_limit_check(&small, &nine, 0, false, &why), ND_EQUEUEFULL);
	assert_int_equal(intake_limit_check(&small, &nine, 0, true, &why), ND_OK);
	assert_int_equal(intake_limit_check(&one, &none, 0, false, &why), ND_OK);
}

static void
the_octets_of_the_queue_are_bounded_with_those_of_the_job(void **state)
{
	(void)state;
	assert_int_equal(ask(0, 9000, -1, 500, false), ND_OK);
	assert_int_equal(ask(0, 9000, -1, 501, false), ND_EQUEUEFULL);
	assert_int_equal(ask(0, 9000, -1, 1000, true), ND_OK);
	assert_int_equal(ask(0, 9000, -1, 1001, true), ND_EQUEUEFULL);
	assert_int_equal(ask(0, 20000, -1, 0, true), ND_EQUEUEFULL);
	assert_int_equal(ask(0, 0, -1, UINT64_MAX, true), ND_EQUEUEFULL);
}

static void
some_of_the_disk_stays_free(void **state)
{
	(void)state;
	assert_int_equal(ask(0, 0, 1150, 100, false), ND_OK);
	assert_int_equal(ask(0, 0, 1149, 100, false), ND_EDISKFULL);
	assert_int_equal(ask(0, 0, 1100, 100, true), ND_OK);
	assert_int_equal(ask(0, 0, 1099, 100, true), ND_EDISKFULL);
	assert_int_equal(ask(0, 0, 50, 100, true), ND_EDISKFULL);
	assert_int_equal(ask(0, 0, -1, 100, false), ND_OK); /* nobody knows */
}

static void
no_floor_is_no_floor(void **state)
{
	struct conf all = conf;
	const struct intake_limit_load load = { 0, 0, 0 };

	(void)state;
	all.min_free = 0;
	assert_int_equal(intake_limit_check(&all, &load, 100, false, NULL), ND_OK);
}

static void
a_refusal_names_the_setting(void **state)
{
	const struct intake_limit_load jobs = { 100, 0, -1 }, octets = { 0, 10000, -1 }, disk = { 0, 0, 10 };
	struct nd_why why;

	(void)state;
	assert_int_equal(intake_limit_check(&conf, &jobs, 1, true, &why), ND_EQUEUEFULL);
	assert_string_equal(why.field, "max_jobs");
	assert_non_null(strstr(why.hint, "[queue] max_jobs"));
	assert_int_equal(intake_limit_check(&conf, &octets, 1, true, &why), ND_EQUEUEFULL);
	assert_string_equal(why.field, "max_bytes");
	assert_non_null(strstr(why.hint, "[queue] max_bytes"));
	assert_int_equal(intake_limit_check(&conf, &disk, 1, true, &why), ND_EDISKFULL);
	assert_string_equal(why.field, "min_free");
	assert_non_null(strstr(why.hint, "[queue] min_free"));
	assert_int_equal(nd_err_http(why.err), 503);
}

static void
beyond_eighty_percent_there_are_warnings(void **state)
{
	const struct intake_limit_load calm = { 80, 8000, 1250 }, jobs = { 81, 8000, 1250 };
	const struct intake_limit_load all = { 81, 8001, 1249 }, octets = { 0, 8001, -1 };
	struct intake_limit_warning warning;

	(void)state;
	assert_false(intake_limit_warning(&conf, &calm, 0, &warning));
	assert_true(intake_limit_warning(&conf, &jobs, 0, &warning));
	assert_string_equal(warning.code, "queue-filling");
	assert_non_null(strstr(warning.detail, "81 jobs"));
	assert_false(intake_limit_warning(&conf, &jobs, 1, &warning));
	assert_true(intake_limit_warning(&conf, &octets, 0, &warning));
	assert_non_null(strstr(warning.detail, "max_bytes"));
	assert_false(intake_limit_warning(&conf, &octets, 1, &warning));
	assert_true(intake_limit_warning(&conf, &all, 1, &warning));
	assert_non_null(strstr(warning.detail, "max_bytes"));
	assert_true(intake_limit_warning(&conf, &all, 2, &warning));
	assert_string_equal(warning.code, "disk-filling");
	assert_false(intake_limit_warning(&conf, &all, 3, &warning));
}

static void
what_is_refused_by_is_called_full(void **state)
{
	const struct intake_limit_load jobs = { 95, 0, -1 }, octets = { 0, 9500, -1 }, disk = { 0, 0, 1049 };
	struct intake_limit_warning warning;
	struct nd_why why;

	(void)state;
	assert_int_equal(intake_limit_check(&conf, &jobs, 0, false, &why), ND_EQUEUEFULL);
	assert_true(intake_limit_warning(&conf, &jobs, 0, &warning));
	assert_string_equal(warning.code, "queue-full");
	assert_true(intake_limit_warning(&conf, &octets, 0, &warning));
	assert_string_equal(warning.code, "queue-full");
	assert_int_equal(intake_limit_check(&conf, &disk, 0, false, &why), ND_EDISKFULL);
	assert_true(intake_limit_warning(&conf, &disk, 0, &warning));
	assert_string_equal(warning.code, "disk-full");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_five_jobs_of_a_hundred_are_for_what_is_severe),
		cmocka_unit_test(a_small_queue_keeps_one_place_for_what_is_severe),
		cmocka_unit_test(the_octets_of_the_queue_are_bounded_with_those_of_the_job),
		cmocka_unit_test(some_of_the_disk_stays_free),
		cmocka_unit_test(no_floor_is_no_floor),
		cmocka_unit_test(a_refusal_names_the_setting),
		cmocka_unit_test(beyond_eighty_percent_there_are_warnings),
		cmocka_unit_test(what_is_refused_by_is_called_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
