/* SPDX-License-Identifier: Apache-2.0 */
/* test_stamp.c - wall-clock times as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/stamp.h"

#include <string.h>

static nd_unix
read_stamp(const char *text)
{
	nd_unix when = -1;

	assert_true(nd_stamp_read(text, &when));
	return when;
}

static void
a_time_is_shown_in_both_forms(void **state)
{
	char out[ND_STAMP_SIZE];

	(void)state;
	assert_string_equal(nd_stamp_rfc3339(1795248000000, out), "2026-11-21T08:00:00.000Z");
	assert_string_equal(nd_stamp_rfc5322(1795248000000, out), "Sat, 21 Nov 2026 08:00:00 +0000");
	assert_string_equal(nd_stamp_rfc3339(0, out), "1970-01-01T00:00:00.000Z");
	assert_string_equal(nd_stamp_rfc5322(0, out), "Thu, 01 Jan 1970 00:00:00 +0000");
	assert_string_equal(nd_stamp_rfc3339(-1, out), "1969-12-31T23:59:59.999Z");
	assert_string_equal(nd_stamp_rfc5322(-1, out), "Wed, 31 Dec 1969 23:59:59 +0000");
}

static void
times_beyond_four_digits_of_a_year_are_kept_within(void **state)
{
	char out[ND_STAMP_SIZE];

	(void)state;
	assert_string_equal(nd_stamp_rfc3339(INT64_MAX, out), "9999-12-31T23:59:59.999Z");
	assert_string_equal(nd_stamp_rfc3339(INT64_MIN, out), "0001-01-01T00:00:00.000Z");
}

static void
every_day_of_four_centuries_reads_back(void **state)
{
	char out[ND_STAMP_SIZE];

	(void)state;
	for (nd_unix when = -ND_DAY(36525); when < ND_DAY(146097 - 36525); when += ND_DAY(1) + 1)
		assert_int_equal(read_stamp(nd_stamp_rfc3339(when, out)), when);
}

static void
leap_days_exist_where_they_should(void **state)
{
	nd_unix when;

	(void)state;
	assert_int_equal(read_stamp("2000-02-29"), 951782400000);
	assert_true(nd_stamp_read("2024-02-29", &when));
	assert_false(nd_stamp_read("1900-02-29", &when));
	assert_false(nd_stamp_read("2023-02-29", &when));
	assert_false(nd_stamp_read("2023-04-31", &when));
}

static void
offsets_and_fractions_are_understood(void **state)
{
	(void)state;
	assert_int_equal(read_stamp("2026-11-21T08:00:00Z"), 1795248000000);
	assert_int_equal(read_stamp("2026-11-21t08:00:00z"), 1795248000000);
	assert_int_equal(read_stamp("2026-11-21T09:00:00+01:00"), 1795248000000);
	assert_int_equal(read_stamp("2026-11-21T02:30:00-05:30"), 1795248000000);
	assert_int_equal(read_stamp("2026-11-21 08:00:00.5Z"), 1795248000500);
	assert_int_equal(read_stamp("2026-11-21T08:00:00.123456789Z"), 1795248000123);
	assert_int_equal(read_stamp("2026-11-21"), 1795219200000);
	assert_int_equal(read_stamp("2016-12-31T23:59:60Z"), read_stamp("2017-01-01T00:00:00Z"));
}

static void
what_is_not_a_time_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = { "", "now", "2026", "2026-11", "2026-1-21", "2026-13-01", "2026-00-01",
		"2026-11-00", "2026-11-32", "2026-11-21T", "2026-11-21T08", "2026-11-21T08:00", "2026-11-21T08:00:00",
		"2026-11-21T24:00:00Z", "2026-11-21T08:60:00Z", "2026-11-21T08:00:61Z", "2026-11-21T08:00:00.Z",
		"2026-11-21T08:00:00.1234567890Z", "2026-11-21T08:00:00+1:00", "2026-11-21T08:00:00+24:00",
		"2026-11-21T08:00:00+01:60", "2026-11-21T08:00:00Zx", " 2026-11-21", "2026-11-21 ", "0000-01-01",
		"-026-11-21", "2026-11-21_08:00:00Z", "2026-11-21T08:00:00+0100", "9999-12-31T23:59:60Z",
		"9999-12-31T23:00:00-02:00", "0001-01-01T00:00:00+00:01" };
	nd_unix when = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (nd_stamp_read(bad[i], &when))
			fail_msg("\"%s\" was read", bad[i]);
		assert_int_equal(when, 42);
	}
}

static void
spans_are_short(void **state)
{
	char out[ND_STAMP_SIZE];

	(void)state;
	assert_string_equal(nd_stamp_span(-5, out), "0s");
	assert_string_equal(nd_stamp_span(ND_SEC(45) + 999, out), "45s");
	assert_string_equal(nd_stamp_span(ND_SEC(60), out), "1m");
	assert_string_equal(nd_stamp_span(ND_MIN(12) + 1, out), "12m");
	assert_string_equal(nd_stamp_span(ND_HOUR(3) + ND_MIN(5), out), "3h05m");
	assert_string_equal(nd_stamp_span(ND_DAY(4) + ND_HOUR(2), out), "4d02h");
	assert_true(strlen(nd_stamp_span(INT64_MAX, out)) < ND_STAMP_SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_shown_in_both_forms),
		cmocka_unit_test(times_beyond_four_digits_of_a_year_are_kept_within),
		cmocka_unit_test(every_day_of_four_centuries_reads_back),
		cmocka_unit_test(leap_days_exist_where_they_should),
		cmocka_unit_test(offsets_and_fractions_are_understood),
		cmocka_unit_test(what_is_not_a_time_is_refused_and_changes_nothing),
		cmocka_unit_test(spans_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
