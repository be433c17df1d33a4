/* SPDX-License-Identifier: Apache-2.0 */
/* test_machine.c - tests of whose a state directory is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/machine.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_belongs_to_the_machine_it_names),
		cmocka_unit_test(a_new_state_takes_the_machine_it_is_on),
		cmocka_unit_test(what_is_no_id_says_nothing_of_the_host_and_all_of_the_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
