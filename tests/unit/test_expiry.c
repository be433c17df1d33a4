/* SPDX-License-Identifier: Apache-2.0 */
/* test_expiry.c - credentials that end: each warning once, and in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/expiry.h"

#include <string.h>

#define NOW 1795240800000 /* 2026-11-21T06:00:00Z */

static void
each_stage_is_due_once(void **state)
{
	static const struct {
		int days;
		enum expiry_stage stage;
	} rows[] = { { 31, EXPIRY_NONE }, { 30, EXPIRY_30 }, { 29, EXPIRY_30 }, { 14, EXPIRY_14 }, { 7, EXPIRY_7 },
		{ 3, EXPIRY_3 }, { 1, EXPIRY_1 }, { 0, EXPIRY_OVER }, { -9, EXPIRY_OVER } };
	struct expiry expiry = { 0 };
	enum expiry_stage last = EXPIRY_NONE;

	(void)state;
	expiry_ends(&expiry, NOW);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		nd_unix now = NOW - ND_DAY(rows[i].days);

		assert_int_equal(expiry_stage(&expiry, now), rows[i].stage);
		assert_int_equal(expiry_due(&expiry, now), rows[i].stage != last);
		assert_false(expiry_due(&expiry, now));
		last = rows[i].stage;
	}
}

static void
of_missed_stages_only_the_last_is_told(void **state)
{
	struct expiry expiry = { 0 };

	(void)state;
	expiry_ends(&expiry, NOW + ND_DAY(2));
	assert_true(expiry_due(&expiry, NOW));
	assert_int_equal(expiry.told, EXPIRY_3);
	assert_false(expiry_due(&expiry, NOW));
}

static void
what_reached_nobody_is_due_again(void **state)
{
	struct expiry expiry = { 0 };

	(void)state;
	expiry_ends(&expiry, NOW + ND_DAY(2));
	assert_true(expiry_due(&expiry, NOW));
	expiry_refused(&expiry, EXPIRY_7); /* of an earlier time */
	assert_false(expiry_due(&expiry, NOW));
	expiry_refused(&expiry, EXPIRY_3);
	assert_true(expiry_due(&expiry, NOW));
	assert_int_equal(expiry.told, EXPIRY_3);
}

static void
a_new_end_begins_anew_and_the_same_one_does_not(void **state)
{
	struct expiry expiry = { 0 };

	(void)state;
	expiry_ends(&expiry, NOW + ND_DAY(2));
	assert_true(expiry_due(&expiry, NOW));
	expiry_ends(&expiry, NOW + ND_DAY(2));
	assert_false(expiry_due(&expiry, NOW));
	expiry_ends(&expiry, NOW + ND_DAY(20));
	assert_true(expiry_due(&expiry, NOW));
}

static void
a_secret_without_an_end_is_old_after_five_months(void **state)
{
	struct expiry expiry = { 0 };
	struct nd_buf words;

	(void)state;
	nd_buf_init(&words, 400);
	expiry_used(&expiry, "aabbccdd", NOW);
	expiry_used(&expiry, "aabbccdd", NOW + ND_DAY(100));
	assert_int_equal(expiry.since, NOW);
	assert_false(expiry_due(&expiry, NOW + ND_DAY(149)));
	assert_false(expiry_words(&expiry, EXPIRY_CLIENT_SECRET, "m", NOW + ND_DAY(149), &words));
	assert_true(expiry_due(&expiry, NOW + ND_DAY(150)));
	assert_false(expiry_due(&expiry, NOW + ND_DAY(200)));
	assert_true(expiry_words(&expiry, EXPIRY_CLIENT_SECRET, "m", NOW + ND_DAY(150), &words));
	assert_string_equal(
	    nd_buf_text(&words), "the client secret of account m is in use since 2026-11-21, and its end is not known");
	expiry_used(&expiry, "11223344", NOW + ND_DAY(201));
	assert_int_equal(expiry_stage(&expiry, NOW + ND_DAY(202)), EXPIRY_NONE);
	nd_buf_done(&words);
}

static void
what_was_never_used_has_nothing_to_say(void **state)
{
	struct expiry expiry = { 0 };

	(void)state;
	assert_int_equal(expiry_stage(&expiry, NOW), EXPIRY_NONE);
	assert_false(expiry_due(&expiry, NOW));
}

static void
the_words_tell_days_and_the_date(void **state)
{
	static const struct {
		nd_ms left;
		enum expiry_kind kind;
		const char *words;
	} rows[] = {
		{ ND_DAY(12) + ND_HOUR(20), EXPIRY_CLIENT_SECRET,
		    "the client secret of account m365 ends in 13 days, on 2026-12-04" },
		{ ND_HOUR(20), EXPIRY_CERTIFICATE, "the certificate of account m365 ends in 1 day, on 2026-11-22" },
		{ -ND_DAY(1), EXPIRY_GRANT, "the sign-in of account m365 ended on 2026-11-20" },
	};
	struct nd_buf words;

	(void)state;
	nd_buf_init(&words, 400);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct expiry expiry = { 0 };

		expiry_ends(&expiry, NOW + rows[i].left);
		nd_buf_clear(&words);
		assert_true(expiry_words(&expiry, rows[i].kind, "m365", NOW, &words));
		assert_string_equal(nd_buf_text(&words), rows[i].words);
		assert_true(expiry_remedy(rows[i].kind)[0] != '\0');
	}
	nd_buf_done(&words);
}

static void
three_days_before_it_is_critical(void **state)
{
	(void)state;
	assert_int_equal(expiry_severity(EXPIRY_OLD), JOB_WARNING);
	assert_int_equal(expiry_severity(EXPIRY_7), JOB_WARNING);
	assert_int_equal(expiry_severity(EXPIRY_3), JOB_CRITICAL);
	assert_int_equal(expiry_severity(EXPIRY_OVER), JOB_CRITICAL);
}

static void
what_is_kept_comes_back_and_rubbish_does_not(void **state)
{
	static const char *const rubbish[] = { "{}", "[]", "{\"ends\":-1,\"since\":0,\"told\":0,\"mark\":\"\"}",
		"{\"ends\":1,\"since\":0,\"told\":99,\"mark\":\"\"}",
		"{\"ends\":1,\"since\":0,\"told\":0,\"mark\":\"123456789\"}",
		"{\"ends\":1,\"since\":0,\"told\":0,\"mark\":7}" };
	struct expiry kept = { .ends = NOW, .since = 7, .mark = "aabbccdd", .told = EXPIRY_7 }, read = { 0 };
	struct json_tree tree;
	struct json_out out;
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 4096);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	expiry_write(&kept, EXPIRY_GRANT, &out);
	expiry_write(&(struct expiry){ 0 }, EXPIRY_CERTIFICATE, &out);
	json_out_object_end(&out);
	assert_int_equal(json_read(&tree, nd_buf_text(&buf), buf.len, &json_limits_small, NULL, NULL), ND_OK);
	assert_null(json_get(tree.root, "certificate"));
	expiry_read(&read, json_get(tree.root, "grant"));
	assert_int_equal(read.ends, kept.ends);
	assert_int_equal(read.since, kept.since);
	assert_int_equal(read.told, kept.told);
	assert_string_equal(read.mark, kept.mark);
	json_done(&tree);
	for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++) {
		assert_int_equal(
		    json_read(&tree, rubbish[i], strlen(rubbish[i]), &json_limits_small, NULL, NULL), ND_OK);
		read = (struct expiry){ 0 };
		expiry_read(&read, tree.root);
		assert_int_equal(read.ends, 0);
		json_done(&tree);
	}
	nd_buf_done(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stage_is_due_once),
		cmocka_unit_test(of_missed_stages_only_the_last_is_told),
		cmocka_unit_test(what_reached_nobody_is_due_again),
		cmocka_unit_test(a_new_end_begins_anew_and_the_same_one_does_not),
		cmocka_unit_test(a_secret_without_an_end_is_old_after_five_months),
		cmocka_unit_test(what_was_never_used_has_nothing_to_say),
		cmocka_unit_test(the_words_tell_days_and_the_date),
		cmocka_unit_test(three_days_before_it_is_critical),
		cmocka_unit_test(what_is_kept_comes_back_and_rubbish_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
