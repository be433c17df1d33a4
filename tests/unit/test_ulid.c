/* SPDX-License-Identifier: Apache-2.0 */
/* test_ulid.c - job ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/ulid.h"

#include <string.h>

static const uint8_t zeros[10];
static const uint8_t ones[10] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };

static void
time_and_entropy_are_where_the_specification_puts_them(void **state)
{
	struct nd_ulid_maker maker = { .last = 0 };
	const uint8_t last[10] = { [9] = 0x21 };
	char id[ND_ULID_LEN + 1];

	(void)state;
	nd_ulid_next(&maker, 1469918176385, zeros, id); /* the specification's own example of a time */
	assert_string_equal(id, "01ARYZ6S410000000000000000");
	assert_true(nd_ulid_time(id) == 1469918176385);
	nd_ulid_next(&maker, 1469918176386, last, id);
	assert_string_equal(id, "01ARYZ6S420000000000000011");
	nd_ulid_next(&maker, 1469918176387, ones, id);
	assert_string_equal(id, "01ARYZ6S43ZZZZZZZZZZZZZZZZ");
}

static void
ids_rise_within_a_millisecond_and_when_the_clock_steps_back(void **state)
{
	struct nd_ulid_maker maker = { .last = 0 };
	char before[ND_ULID_LEN + 1] = "", id[ND_ULID_LEN + 1];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		nd_unix now = 1000000 + (i % 7 == 0 ? -50000 : i / 10);

		nd_ulid_next(&maker, now, i % 2 == 0 ? zeros : ones, id);
		assert_true(nd_ulid_valid(id));
		assert_true(strcmp(before, id) < 0);
		memcpy(before, id, sizeof(id));
	}
}

static void
a_used_up_millisecond_borrows_the_next(void **state)
{
	struct nd_ulid_maker maker = { .last = 0 };
	char first[ND_ULID_LEN + 1], second[ND_ULID_LEN + 1];

	(void)state;
	nd_ulid_next(&maker, 1000, ones, first);
	nd_ulid_next(&maker, 1000, ones, second);
	assert_true(strcmp(first, second) < 0);
	assert_true(nd_ulid_time(second) == 1001);
}

static void
after_a_restart_ids_rise_above_the_last_one(void **state)
{
	struct nd_ulid_maker maker = { .last = 0 };
	char id[ND_ULID_LEN + 1];

	(void)state;
	nd_ulid_after(&maker, "");
	nd_ulid_after(&maker, "01ARYZ6S43ABCDEFGHJKMNPQRS");
	nd_ulid_after(&maker, "01ARYZ6S420000000000000000"); /* an older one changes nothing */
	nd_ulid_next(&maker, 5, zeros, id);
	assert_string_equal(id, "01ARYZ6S43ABCDEFGHJKMNPQRT");
}

static void
only_whole_upper_case_ids_are_valid(void **state)
{
	(void)state;
	assert_true(nd_ulid_valid("01ARYZ6S43ABCDEFGHJKMNPQRS"));
	assert_true(nd_ulid_valid("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
	assert_false(nd_ulid_valid("8ZZZZZZZZZZZZZZZZZZZZZZZZZ")); /* 130 bits hold more than 128 */
	assert_false(nd_ulid_valid("01aryz6s43abcdefghjkmnpqrs"));
	assert_false(nd_ulid_valid("01ARYZ6S43ABCDEFGHJKMNPQR"));
	assert_false(nd_ulid_valid("01ARYZ6S43ABCDEFGHJKMNPQRSS"));
	assert_false(nd_ulid_valid("01ARYZ6S43ABCDEFGHJKMNPQRU"));
	assert_false(nd_ulid_valid(""));
}

static void
people_may_type_the_end_of_an_id(void **state)
{
	char out[ND_ULID_LEN + 1] = "same";

	(void)state;
	assert_true(nd_ulid_tail("mnpqrs", out));
	assert_string_equal(out, "MNPQRS");
	assert_true(nd_ulid_tail("oil0AB1", out));
	assert_string_equal(out, "0110AB1");
	assert_true(nd_ulid_tail("01ARYZ6S43ABCDEFGHJKMNPQRS", out));
	assert_false(nd_ulid_tail("abcde", out));
	assert_false(nd_ulid_tail("abcde%", out));
	assert_false(nd_ulid_tail("abcdeu", out));
	assert_false(nd_ulid_tail("", out));
	assert_false(nd_ulid_tail("01ARYZ6S43ABCDEFGHJKMNPQRSS", out));
	assert_string_equal(out, "01ARYZ6S43ABCDEFGHJKMNPQRS");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_and_entropy_are_where_the_specification_puts_them),
		cmocka_unit_test(ids_rise_within_a_millisecond_and_when_the_clock_steps_back),
		cmocka_unit_test(a_used_up_millisecond_borrows_the_next),
		cmocka_unit_test(after_a_restart_ids_rise_above_the_last_one),
		cmocka_unit_test(only_whole_upper_case_ids_are_valid),
		cmocka_unit_test(people_may_type_the_end_of_an_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
