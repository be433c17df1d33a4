/* SPDX-License-Identifier: Apache-2.0 */
/* test_machine.c - tests of whose a state directory is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/machine.h"

#include <string.h>

#define A "0123456789abcdef0123456789abcdef"
#define B "0123456789abcdef0123456789abcdee"

static void
a_state_belongs_to_the_machine_it_names(void **state)
{
	char id[MACHINE_ID_LEN + 1];

	(void)state;
	assert_int_equal(machine_judge(A, A "\n", id), MACHINE_SAME);
	assert_string_equal(id, A);
	assert_int_equal(machine_judge(A "\n", A, id), MACHINE_SAME);
	assert_int_equal(machine_judge(A, B "\n", id), MACHINE_OTHER);
	assert_string_equal(id, B);
}

static void
a_new_state_takes_the_machine_it_is_on(void **state)
{
	char id[MACHINE_ID_LEN + 1];

	(void)state;
	assert_int_equal(machine_judge(NULL, A "\n", id), MACHINE_FIRST);
	assert_string_equal(id, A);
}

static void
what_is_no_id_says_nothing_of_the_host_and_all_of_the_state(void **state)
{
	static const char *const none[] = { "", "\n", "uninitialized\n", A "0", "0123", A "\n\n", A " ",
		"00000000000000000000000000000000\n", "0123456789ABCDEF0123456789ABCDEF\n" };
	char id[MACHINE_ID_LEN + 1];

	(void)state;
	assert_int_equal(machine_judge(A, NULL, id), MACHINE_UNKNOWN);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(machine_judge(A, none[i], id), MACHINE_UNKNOWN);
		assert_string_equal(id, "");
		assert_int_equal(machine_judge(none[i], A, id), MACHINE_OTHER);
	}
}

static void
the_border_is_above_every_job_that_came_and_below_what_follows(void **state)
{
	static const char last[] = "01KAHM8R00000000000000ZZZZ";
	static const uint8_t fresh[10] = { 0 };
	char border[ND_ULID_LEN + 1], next[ND_ULID_LEN + 1];
	struct nd_ulid_maker maker = { 0 };

	(void)state;
	machine_border_after(last, border);
	assert_true(strcmp(border, last) > 0);
	nd_ulid_after(&maker, last);
	nd_ulid_next(&maker, 0, fresh, next); /* the clock is far behind */
	assert_true(strcmp(next, border) >= 0);
	machine_border_after("", border);
	assert_true(nd_ulid_valid(border));
}

static void
the_border_is_remembered_for_one_machine(void **state)
{
	char border[ND_ULID_LEN + 1] = "", text[MACHINE_BORDER_SIZE];

	(void)state;
	machine_border_write(A, "01KAHM8R00000000000000ZZZZ", text);
	assert_true(machine_border_read(text, A, border));
	assert_string_equal(border, "01KAHM8R00000000000000ZZZZ");
	assert_false(machine_border_read(text, B, border));
	assert_false(machine_border_read(NULL, A, border));
	assert_false(machine_border_read("", A, border));
	assert_false(machine_border_read(A, A, border));
	assert_false(machine_border_read(A " 01KAHM8R", A, border));
	assert_false(machine_border_read(A " 01KAHM8R00000000000000ZZZZ", A, border)); /* cut */
	assert_false(machine_border_read(A " 01KAHM8R00000000000000ZZZZZ\n", A, border));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_belongs_to_the_machine_it_names),
		cmocka_unit_test(a_new_state_takes_the_machine_it_is_on),
		cmocka_unit_test(the_border_is_above_every_job_that_came_and_below_what_follows),
		cmocka_unit_test(the_border_is_remembered_for_one_machine),
		cmocka_unit_test(what_is_no_id_says_nothing_of_the_host_and_all_of_the_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
