/* SPDX-License-Identifier: Apache-2.0 */
/* test_refusals.c - when the same final refusal again and again is a fault of the account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/refusals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct refusals_one
who(unsigned n, const char *rcpt)
{
	struct refusals_one one;

	memset(&one, 0, sizeof(one));
	(void)snprintf(one.job, sizeof(one.job), "%026u", n);
	(void)snprintf(one.rcpt, sizeof(one.rcpt), "%s", rcpt);
	return one;
}

static struct smtp_reply
reply(int code, const char *enhanced)
{
	struct smtp_reply it = { .code = code };

	(void)snprintf(it.enhanced, sizeof(it.enhanced), "%s", enhanced);
	return it;
}

/* Jobs 1 to n failed by it. */
static void
note(struct refusals *refusals, unsigned n, int code, const char *enhanced)
{
	struct smtp_reply it = reply(code, enhanced);
	struct refusals_one one;
	unsigned i;

	for (i = 1; i <= n; i++) {
		one = who(i, "");
		assert_false(refusals_many(refusals, &one, &it));
		refusals_note(refusals, &one, &it, i);
	}
}

static void
the_fifth_in_a_row_is_the_accounts(void **state)
{
	struct refusals refusals = { 0 };
	struct smtp_reply same = reply(554, "5.7.1"), other = reply(554, "5.7.0");
	struct refusals_one five = who(5, ""), four = who(4, "");

	(void)state;
	note(&refusals, 4, 554, "5.7.1");
	assert_true(refusals_many(&refusals, &five, &same));
	assert_false(refusals_many(&refusals, &five, &other));
	assert_false(refusals_many(&refusals, &four, &same)); /* the same job again is no other message */
	refusals_note(&refusals, &five, &other, 9);           /* not alike: it begins anew */
	assert_int_equal(refusals.count, 1);
	assert_false(refusals_many(&refusals, &five, &same));
	note(&refusals, 4, 554, "5.7.1");
	refusals_delivered(&refusals); /* between */
	assert_false(refusals_many(&refusals, &five, &same));
}

static void
what_speaks_of_one_reader_or_one_message_is_never_the_accounts(void **state)
{
	static const struct {
		int code;
		const char *enhanced;
	} rows[] = { { 550, "5.1.1" }, { 550, "5.1.10" }, { 550, "5.2.1" }, { 552, "" }, { 554, "5.3.4" },
		{ 554, "5.6.0" }, { 451, "4.7.1" } };
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct refusals refusals = { 0 };

		note(&refusals, 9, rows[i].code, rows[i].enhanced);
		assert_int_equal(refusals.count, 0);
	}
}

static void
refusals_of_recipients_count_when_each_was_another_one(void **state)
{
	struct refusals refusals = { 0 };
	struct smtp_reply it = reply(550, "5.4.7");
	struct refusals_one one;
	unsigned i;
	char rcpt[32];

	(void)state;
	refusals_delivered(&refusals);
	for (i = 1; i < 10; i++) {
		one = who(i, "ops@b.example");
		assert_false(refusals_many(&refusals, &one, &it));
		refusals_note(&refusals, &one, &it, i);
	}
	assert_int_equal(refusals.count, 1);
	for (i = 2; i < 5; i++) {
		(void)snprintf(rcpt, sizeof(rcpt), "ops%u@b.example", i);
		one = who(i, rcpt);
		refusals_note(&refusals, &one, &it, i);
	}
	one = who(5, "night@b.example");
	assert_true(refusals_many(&refusals, &one, &it));
	one = who(5, "OPS@b.example");
	assert_false(refusals_many(&refusals, &one, &it));
}

static void
of_the_only_reader_a_policy_counts_and_all_while_nothing_was_delivered(void **state)
{
	static const struct {
		const char *enhanced;
		bool delivered, many;
	} rows[] = {
		{ "5.7.1", true, true },
		{ "5.7.1", false, true },
		{ "", false, true },
		{ "", true, false },
		{ "5.4.7", false, true },
		{ "5.1.8", true, false },
		{ "5.1.8", false, false },
		{ "5.1.1", false, false },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_reply it = reply(550, rows[i].enhanced);
		struct refusals refusals = { 0 };
		struct refusals_one one;

		if (rows[i].delivered)
			refusals_delivered(&refusals);
		for (unsigned n = 1; n < 5; n++) {
			one = who(n, "ops@b.example");
			assert_false(refusals_many(&refusals, &one, &it));
			refusals_note(&refusals, &one, &it, n);
			refusals_note(&refusals, &one, &it, n); /* the same job is no other message */
		}
		one = who(5, "ops@b.example");
		assert_int_equal(refusals_many(&refusals, &one, &it), rows[i].many);
	}
}

static void
jobs_of_the_last_hour_are_queued_again_once(void **state)
{
	struct refusals refusals = { 0 };
	struct smtp_reply it = reply(554, "5.7.1");
	struct refusals_one one;
	unsigned i;

	(void)state;
	for (i = 1; i <= 4; i++) {
		one = who(i, "");
		refusals_note(&refusals, &one, &it, ND_HOUR(i) / 2);
	}
	assert_null(refusals_again(&refusals, ND_HOUR(2)));
	refusals_hold(&refusals);
	one = who(9, "");
	assert_true(refusals_many(&refusals, &one, &it)); /* whatever is refused alike now */
	assert_string_equal(refusals_again(&refusals, ND_HOUR(2)), who(4, "").job);
	assert_string_equal(refusals_again(&refusals, ND_HOUR(2)), who(3, "").job);
	refusals_hold(&refusals); /* by the next probe */
	assert_string_equal(refusals_again(&refusals, ND_HOUR(2)), who(2, "").job);
	assert_null(refusals_again(&refusals, ND_HOUR(2))); /* the first failed too long ago */
	refusals_hold(&refusals);
	assert_null(refusals_again(&refusals, ND_HOUR(2)));
}

static void
those_that_were_not_counted_are_queued_again_too(void **state)
{
	static const char *const rcpts[] = { "r1", "r1", "r1", "r1", "r2", "r3", "r4" };
	struct refusals refusals = { 0 };
	struct smtp_reply it = reply(550, "5.0.0"), other = reply(550, "5.4.7");
	struct refusals_one one;
	unsigned i, seen = 0;
	const char *job;

	(void)state;
	refusals_delivered(&refusals);
	for (i = 0; i < 7; i++) {
		one = who(i + 1, rcpts[i]);
		assert_false(refusals_many(&refusals, &one, &it));
		refusals_note(&refusals, &one, &it, i < 2 ? 0 : ND_HOUR(1));
		refusals_note(&refusals, &one, &it, i < 2 ? 0 : ND_HOUR(1)); /* again: once is enough */
	}
	one = who(8, "r5");
	assert_true(refusals_many(&refusals, &one, &it));
	refusals_hold(&refusals);
	while ((job = refusals_again(&refusals, ND_HOUR(1) + 1)) != NULL)
		seen |= 1u << strtoul(job, NULL, 10);
	assert_int_equal(seen, 0xf8); /* but for the two that failed too long ago */
	refusals_clear(&refusals);
	note(&refusals, 1, 550, "5.0.0");
	one = who(2, "r1");
	refusals_note(&refusals, &one, &it, 0);
	refusals_note(&refusals, &one, &other, 0); /* another reply: nothing of before is meant */
	assert_int_equal(refusals.others, 0);
}

static void
of_very_many_the_last_are_queued_again(void **state)
{
	struct refusals refusals = { 0 };
	struct smtp_reply it = reply(550, "5.0.0");
	struct refusals_one one;
	unsigned i, again = 0;

	(void)state;
	refusals_delivered(&refusals);
	for (i = 0; i < 3 * REFUSALS_OTHERS; i++) {
		one = who(i, "r1");
		refusals_note(&refusals, &one, &it, i);
	}
	refusals_hold(&refusals);
	assert_int_equal(refusals.again, 1 + REFUSALS_OTHERS);
	for (const char *job; (job = refusals_again(&refusals, 500)) != NULL; again++)
		assert_true(strtoul(job, NULL, 10) == 0 || strtoul(job, NULL, 10) >= 2 * REFUSALS_OTHERS);
	assert_int_equal(again, 1 + REFUSALS_OTHERS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fifth_in_a_row_is_the_accounts),
		cmocka_unit_test(what_speaks_of_one_reader_or_one_message_is_never_the_accounts),
		cmocka_unit_test(refusals_of_recipients_count_when_each_was_another_one),
		cmocka_unit_test(of_the_only_reader_a_policy_counts_and_all_while_nothing_was_delivered),
		cmocka_unit_test(jobs_of_the_last_hour_are_queued_again_once),
		cmocka_unit_test(those_that_were_not_counted_are_queued_again_too),
		cmocka_unit_test(of_very_many_the_last_are_queued_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
