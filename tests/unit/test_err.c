/* SPDX-License-Identifier: Apache-2.0 */
/* test_err.c - failures: the table, the words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"

#include <errno.h>
#include <string.h>

static void
every_failure_has_a_name_of_its_own_and_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ND_ERR_COUNT; i++) {
		assert_true(strlen(nd_err_name((enum nd_err)i)) > 0);
		assert_true(strlen(nd_err_words((enum nd_err)i)) > 0);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(nd_err_name((enum nd_err)i), nd_err_name((enum nd_err)j));
	}
}

static void
every_failure_has_a_status_of_its_kind(void **state)
{
	(void)state;
	for (unsigned i = 1; i < ND_ERR_COUNT; i++) {
		assert_in_range(nd_err_http((enum nd_err)i), 400, 599);
		assert_int_not_equal(nd_err_kind((enum nd_err)i), ND_KIND_OK);
	}
	assert_int_equal(nd_err_http(ND_ENOGROUP), 422);
	assert_int_equal(nd_err_kind(ND_EAUTH), ND_KIND_CONFIG);
	assert_int_equal(nd_err_kind(ND_EBUSY), ND_KIND_TRANSIENT);
	assert_int_equal(nd_err_kind(ND_EINVALID), ND_KIND_PERMANENT);
}

static void
a_failure_tells_its_words_and_the_errno(void **state)
{
	struct nd_why why;

	(void)state;
	assert_int_equal(nd_fail(&why, ND_EDISK, ENOSPC, "writing %s", "queue.db"), ND_EDISK);
	assert_int_equal(why.err, ND_EDISK);
	assert_int_equal(why.sys_errno, ENOSPC);
	assert_string_equal(why.text, "writing queue.db: No space left on device");
	assert_string_equal(nd_why_hint(&why), nd_err_hint(ND_EDISK));
	assert_int_equal(nd_fail_at(&why, "state_dir", 7, "look at the disk"), ND_EDISK);
	assert_string_equal(why.field, "state_dir");
	assert_int_equal(why.line, 7);
	assert_string_equal(nd_why_hint(&why), "look at the disk");
}

static void
a_new_failure_forgets_the_place_and_hint_of_the_old_one(void **state)
{
	struct nd_why why;

	(void)state;
	(void)nd_fail(&why, ND_EINVALID, 0, "one");
	(void)nd_fail_at(&why, "to", 3, "hint");
	(void)nd_fail(&why, ND_EDISK, 0, "two: %s", why.text);
	assert_string_equal(why.text, "two: one");
	assert_string_equal(why.field, "");
	assert_string_equal(why.hint, "");
	assert_int_equal(why.line, 0);
}

static void
a_place_can_be_added_without_changing_line_or_hint(void **state)
{
	struct nd_why why;

	(void)state;
	(void)nd_fail(&why, ND_EINVALID, 0, "one");
	(void)nd_fail_at(&why, "to", 3, "hint");
	(void)nd_fail_at(&why, "cc", 0, NULL);
	assert_string_equal(why.field, "cc");
	assert_string_equal(why.hint, "hint");
	assert_int_equal(why.line, 3);
}

static void
nobody_needs_to_ask_why(void **state)
{
	(void)state;
	assert_int_equal(nd_fail(NULL, ND_EBUSY, EIO, "%d", 1), ND_EBUSY);
}

static void
control_characters_and_broken_utf8_do_not_reach_people(void **state)
{
	struct nd_why why;

	(void)state;
	(void)nd_fail(&why, ND_EAUTH, 0, "%s",
	    "a\x1b[31mb\r\nc\xff"
	    "d\xc2\x85"
	    "e");
	assert_string_equal(why.text, "a?[31mb??c?d?e");
}

static void
a_long_text_is_cut_between_characters(void **state)
{
	struct nd_why why;
	char text[601] = "";

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	(void)nd_fail(&why, ND_EAUTH, 0, "%s", text);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 2); /* an even number: no half character */
	(void)nd_fail(&why, ND_EAUTH, 0, "x%s", text);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

static void
when_to_try_again_is_rounded_up_and_bounded(void **state)
{
	static const struct {
		long long wait_ms;
		unsigned seconds;
	} rows[] = { { -5, 1 }, { 0, 1 }, { 1, 1 }, { 1000, 1 }, { 1001, 2 }, { 86399001, 86400 }, { 86400001, 86400 },
		{ 0x7fffffffffffffffLL, 86400 } };
	struct nd_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(nd_fail(&why, ND_EBUSY, 0, "busy"), ND_EBUSY);
		assert_int_equal(why.retry_after, 0);
		assert_int_equal(nd_fail_retry(&why, rows[i].wait_ms), ND_EBUSY);
		assert_int_equal(why.retry_after, rows[i].seconds);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_to_try_again_is_rounded_up_and_bounded),
		cmocka_unit_test(every_failure_has_a_name_of_its_own_and_words),
		cmocka_unit_test(every_failure_has_a_status_of_its_kind),
		cmocka_unit_test(a_failure_tells_its_words_and_the_errno),
		cmocka_unit_test(a_new_failure_forgets_the_place_and_hint_of_the_old_one),
		cmocka_unit_test(a_place_can_be_added_without_changing_line_or_hint),
		cmocka_unit_test(nobody_needs_to_ask_why),
		cmocka_unit_test(control_characters_and_broken_utf8_do_not_reach_people),
		cmocka_unit_test(a_long_text_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
