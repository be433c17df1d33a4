/* SPDX-License-Identifier: Apache-2.0 */
/* test_growth.c - how many sessions a server bears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/growth.h"

static void
take(struct growth *growth, unsigned mails, nd_ms now)
{
	while (mails-- > 0)
		growth_took(growth, 10, now);
}

static void
nobody_known_begins_with_a_few_and_each_round_of_mails_adds_one(void **state)
{
	struct growth growth = { 0 };

	(void)state;
	assert_int_equal(growth_allowed(&growth, 3, true, 0), 3);
	assert_int_equal(growth_allowed(&growth, 10, true, 0), GROWTH_FIRST);
	take(&growth, 4, 0);
	assert_int_equal(growth_allowed(&growth, 10, false, 0), 5);
	take(&growth, 1, 0);
	assert_int_equal(growth_allowed(&growth, 10, false, 0), 6);
	take(&growth, 6 + 7 + 8 + 9, 0);
	assert_int_equal(growth_allowed(&growth, 10, false, 0), 10);
	take(&growth, 1000, 0); /* more there never are */
	growth_failed(&growth, 10, 0);
	assert_int_equal(growth_allowed(&growth, 10, false, 0), 9);
}

static void
each_failure_takes_one_and_one_is_left(void **state)
{
	struct growth growth = { 0 };
	unsigned n;

	(void)state;
	(void)growth_allowed(&growth, 10, true, 0);
	for (n = GROWTH_FIRST - 1; n >= 1; n--) {
		take(&growth, 1, 0); /* part of a round is forgotten */
		growth_failed(&growth, 10, 0);
		assert_int_equal(growth_allowed(&growth, 10, false, 0), n);
	}
	growth_failed(&growth, 10, 0);
	assert_int_equal(growth_allowed(&growth, 10, false, 0), 1);
	take(&growth, 1, 0);
	assert_int_equal(growth_allowed(&growth, 10, false, 0), 2);
	take(&growth, 1, 0);
	assert_int_equal(growth_allowed(&growth, 10, false, 0), 2);
	take(&growth, 1, 0);
	assert_int_equal(growth_allowed(&growth, 10, false, 0), 3);
}

static void
who_took_a_mail_in_the_last_hour_gets_all_at_once(void **state)
{
	struct growth growth = { 0 };

	(void)state;
	(void)growth_allowed(&growth, 10, true, 0);
	take(&growth, 1, 1000);
	assert_int_equal(growth_allowed(&growth, 10, false, 1000), 5); /* not while others are open */
	assert_int_equal(growth_allowed(&growth, 10, true, 1000), 10);
	growth_failed(&growth, 10, 2000); /* from what there was, not from what might have been */
	assert_int_equal(growth_allowed(&growth, 10, false, 2000), 9);
	assert_int_equal(growth_allowed(&growth, 10, true, 2000 + GROWTH_MEMORY - 1), 9); /* known for an hour */
	assert_int_equal(growth_allowed(&growth, 10, true, 2000 + GROWTH_MEMORY), GROWTH_FIRST);
}

static void
a_mailbox_with_a_smaller_account_keeps_what_the_larger_has_learned(void **state)
{
	struct growth growth = { 0 };

	(void)state;
	(void)growth_allowed(&growth, 10, true, 0);
	take(&growth, 5 + 6, 0);
	for (unsigned n = 0; n < 100; n++)
		growth_took(&growth, 3, 0);
	assert_int_equal(growth_allowed(&growth, 3, false, 0), 3);
	assert_int_equal(growth_allowed(&growth, 10, false, 0), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_known_begins_with_a_few_and_each_round_of_mails_adds_one),
		cmocka_unit_test(each_failure_takes_one_and_one_is_left),
		cmocka_unit_test(who_took_a_mail_in_the_last_hour_gets_all_at_once),
		cmocka_unit_test(a_mailbox_with_a_smaller_account_keeps_what_the_larger_has_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
