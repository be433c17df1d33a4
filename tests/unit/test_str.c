/* SPDX-License-Identifier: Apache-2.0 */
/* test_str.c - strict readers of small texts, and encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"

#include <stdlib.h>
#include <string.h>

static void
integers_are_read_whole_and_within_range(void **state)
{
	static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "1x", "0x10", "1.0", "--1", "9223372036854775808",
		"-9223372036854775809", "99999999999999999999" };
	int64_t n = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(nd_str_int(bad[i], INT64_MIN, INT64_MAX, &n));
	assert_false(nd_str_int("11", 1, 10, &n));
	assert_false(nd_str_int("-1", 0, 10, &n));
	assert_int_equal(n, 7);
	assert_true(nd_str_int("10", 1, 10, &n) && n == 10);
	assert_true(nd_str_int("-9223372036854775808", INT64_MIN, 0, &n) && n == INT64_MIN);
	assert_true(nd_str_int("9223372036854775807", 0, INT64_MAX, &n) && n == INT64_MAX);
	assert_true(nd_str_int("-0", 0, 0, &n) && n == 0);
}

static void
durations_are_sums_of_units(void **state)
{
	static const char *const bad[] = { "", "s", "-1s", "1x", "1h30", "1 h", "h1", "1ms", "1.5h", "30 ",
		"99999999999999999w", "9223372036854775807" };
	nd_ms ms = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(nd_str_duration(bad[i], &ms));
	assert_int_equal(ms, 7);
	assert_true(nd_str_duration("90s", &ms) && ms == ND_SEC(90));
	assert_true(nd_str_duration("15m", &ms) && ms == ND_MIN(15));
	assert_true(nd_str_duration("48h", &ms) && ms == ND_HOUR(48));
	assert_true(nd_str_duration("7d", &ms) && ms == ND_DAY(7));
	assert_true(nd_str_duration("2w", &ms) && ms == ND_DAY(14));
	assert_true(nd_str_duration("1h30m", &ms) && ms == ND_MIN(90));
	assert_true(nd_str_duration("30", &ms) && ms == ND_SEC(30));
	assert_true(nd_str_duration("0", &ms) && ms == 0);
}

static void
sizes_have_binary_units(void **state)
{
	int64_t n = 7;

	(void)state;
	assert_false(nd_str_size("", &n));
	assert_false(nd_str_size("K", &n));
	assert_false(nd_str_size("1T", &n));
	assert_false(nd_str_size("1KB", &n));
	assert_false(nd_str_size("-1", &n));
	assert_false(nd_str_size("9223372036854775807K", &n));
	assert_int_equal(n, 7);
	assert_true(nd_str_size("512", &n) && n == 512);
	assert_true(nd_str_size("64K", &n) && n == 65536);
	assert_true(nd_str_size("35M", &n) && n == 36700160);
	assert_true(nd_str_size("1G", &n) && n == 1073741824);
}

static void
yes_and_no_have_four_words_each(void **state)
{
	bool yes = false;

	(void)state;
	assert_true(nd_str_bool("yes", &yes) && yes);
	assert_true(nd_str_bool("No", &yes) && !yes);
	assert_true(nd_str_bool("true", &yes) && yes);
	assert_true(nd_str_bool("off", &yes) && !yes);
	assert_true(nd_str_bool("1", &yes) && yes);
	assert_false(nd_str_bool("", &yes));
	assert_false(nd_str_bool("y", &yes));
	assert_true(yes);
}

static void
utf8_is_strict(void **state)
{
	static const char *const bad[] = { "\xc0\x80", "\xc1\xbf", "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xed\xa0\x80",
		"\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
		"\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3(", "abcdefgh\xff", "abcdefghij\xc3" };
	static const char *const good[] = { "", "abc", "\xc2\x80", "\xc3\xa9", "\xe0\xa0\x80", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "abcdefgh\xc3\xa9 abcdefghi" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (nd_str_utf8(bad[i], strlen(bad[i])))
			fail_msg("bad[%zu] was taken", i);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!nd_str_utf8(good[i], strlen(good[i])))
			fail_msg("good[%zu] was refused", i);
	}
	assert_int_equal(nd_str_utf8_len("\xe2\x82\xac", 3), 3);
	assert_int_equal(nd_str_utf8_len("\xe2\x82\xac", 2), 0);
	assert_int_equal(nd_str_utf8_len("", 0), 0);
}

static void
controls_are_seen_in_all_their_forms(void **state)
{
	(void)state;
	assert_false(nd_str_has_control("plain \xc3\xa9 \xc2\xa0", 11));
	assert_true(nd_str_has_control("a\tb", 3));
	assert_true(nd_str_has_control("a\rb", 3));
	assert_true(nd_str_has_control("a\0b", 3));
	assert_true(nd_str_has_control("\x7f", 1));
	assert_true(nd_str_has_control("\xc2\x85", 2));
	assert_true(nd_str_ascii(" ~", 2));
	assert_false(nd_str_ascii("\xc3\xa9", 2));
	assert_false(nd_str_ascii("a\n", 2));
	assert_false(nd_str_eight("plain\x7f", 6));
	assert_false(nd_str_eight("\xc3", 0));
	assert_true(nd_str_eight("gr\xc3\xb6", 4));
	assert_true(nd_str_eight("eight by eight\xc3\xb6 and more than sixteen", 38));
}

/* Many octets are looked at together: none may be missed, wherever it stands. */
static void
every_octet_is_seen_in_every_place(void **state)
{
	char text[80];

	(void)state;
	for (size_t len = 1; len <= sizeof(text); len++) {
		for (size_t at = 0; at < len; at++) {
			for (unsigned c = 0; c < 256; c++) {
				const bool plain = c >= 0x20 && c < 0x7f;
				size_t n;

				memset(text, 'a' + (int)(at % 26), len);
				text[at] = (char)c;
				n = nd_str_printable(text, len);
				assert_true(plain ? n > len - 8 || len < 8 : n <= at);
				assert_true(n <= len && (n == len || len - n < 8 || !plain));
				assert_int_equal(nd_str_ascii(text, len), plain);
				assert_int_equal(nd_str_eight(text, len), c > 0x7f);
				assert_int_equal(nd_str_utf8(text, len), c < 0x80);
				/* 0xc2 begins one, in what is UTF-8 */
				assert_int_equal(nd_str_has_control(text, len),
				    c < 0x20 || c == 0x7f || (c == 0xc2 && at + 1 < len));
			}
		}
	}
}

static void
cuts_fall_between_characters(void **state)
{
	(void)state;
	assert_int_equal(nd_str_utf8_cut("abc", 3, 5), 3);
	assert_int_equal(nd_str_utf8_cut("abc", 3, 2), 2);
	assert_int_equal(nd_str_utf8_cut("a\xe2\x82\xac", 4, 3), 1);
	assert_int_equal(nd_str_utf8_cut("a\xe2\x82\xac", 4, 4), 4);
	assert_int_equal(nd_str_utf8_cut("\xe2\x82\xac", 3, 1), 0);
}

static void
comparing_ignores_ascii_case_only(void **state)
{
	(void)state;
	assert_true(nd_str_eq_nocase("Bearer", "bEARER"));
	assert_false(nd_str_eq_nocase("Bearer", "Bearers"));
	assert_false(nd_str_eq_nocase("a", ""));
	assert_false(nd_str_eq_nocase("@", "`"));
	assert_true(nd_str_starts_nocase("HTTPS://x", "https://"));
	assert_false(nd_str_starts_nocase("http", "https"));
	assert_true(nd_str_starts_nocase("x", ""));
}

static void
the_nearest_word_is_found(void **state)
{
	static const char *const words[] = { "subject", "severity", "text", "to", NULL };
	char endless[200];

	(void)state;
	assert_int_equal(nd_str_distance("kitten", "sitting", 9), 3);
	assert_int_equal(nd_str_distance("kitten", "sitting", 2), 3);
	assert_int_equal(nd_str_distance("", "abc", 9), 3);
	assert_int_equal(nd_str_distance("ulr", "url", 9), 1);
	assert_int_equal(nd_str_distance("abcd", "badc", 9), 2);
	assert_int_equal(nd_str_distance("same", "SAME", 9), 0);
	assert_string_equal(nd_str_nearest("subjet", words), "subject");
	assert_string_equal(nd_str_nearest("sevrity", words), "severity");
	assert_string_equal(nd_str_nearest("Text", words), "text");
	assert_null(nd_str_nearest("banana", words));
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_null(nd_str_nearest(endless, words));
}

static void
wildcards_match_runs_and_single_characters(void **state)
{
	char stars[101], text[2001];

	(void)state;
	assert_true(nd_str_match("*@contoso.com", "Ops@Contoso.com"));
	assert_false(nd_str_match("*@contoso.com", "ops@contoso.com.evil.example"));
	assert_true(nd_str_match("*", ""));
	assert_true(nd_str_match("a?c", "abc"));
	assert_false(nd_str_match("a?c", "ac"));
	assert_true(nd_str_match("*a*b", "xxaxxbaab"));
	assert_false(nd_str_match("", "x"));
	assert_true(nd_str_match("", ""));
	/* Work grows with the product of the lengths, not with the number of ways to split. */
	for (size_t i = 0; i < 100; i++)
		stars[i] = i % 2 == 0 ? '*' : 'a';
	stars[99] = 'b';
	stars[100] = '\0';
	memset(text, 'a', 2000);
	text[2000] = '\0';
	assert_false(nd_str_match(stars, text));
}

static void
base64_is_that_of_the_rfc(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfb", "//77" } };
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 100);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		nd_buf_clear(&buf);
		assert_true(nd_str_base64(&buf, pairs[i][0], strlen(pairs[i][0])));
		assert_string_equal(nd_buf_text(&buf), pairs[i][1]);
		nd_buf_clear(&buf);
		assert_true(nd_str_unbase64(&buf, pairs[i][1], strlen(pairs[i][1]), false));
		assert_string_equal(nd_buf_text(&buf), pairs[i][0]);
	}
	nd_buf_done(&buf);
}

static void
base64_has_one_form_only(void **state)
{
	static const char *const bad[] = { "Z", "Zg",
		"Zg=", "Zg===", "Zm9v=", "Zm8==", "Zh==", "Zm9=", "Zg==Zg==", "Z*==", "====", "=", "Zm9v\n", "Zm-_",
		"Zm9v Zm9v", "Zg=g" };
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 100);
	(void)nd_buf_adds(&buf, "kept");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (nd_str_unbase64(&buf, bad[i], strlen(bad[i]), false))
			fail_msg("%s was taken", bad[i]);
		assert_false(nd_str_unbase64(NULL, bad[i], strlen(bad[i]), false));
	}
	assert_string_equal(nd_buf_text(&buf), "kept");
	assert_true(nd_str_unbase64(&buf, " Zm9v\r\nZ\tg = =\n", 15, true));
	assert_string_equal(nd_buf_text(&buf), "keptfoof");
	assert_false(nd_str_unbase64(&buf, "Zm9v-", 5, true));
	nd_buf_done(&buf);
}

static void
decoding_fits_a_limit_of_its_exact_size(void **state)
{
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 4);
	assert_true(nd_str_unbase64(&buf, "Zm9v\nYg==", 9, true));
	assert_string_equal(nd_buf_text(&buf), "foob");
	nd_buf_done(&buf);
	assert_false(nd_str_unbase64(&buf, "Zm9vYmE=", 8, false));
	assert_true(buf.failed);
	nd_buf_done(&buf);
	assert_false(nd_str_base64(&buf, "foob", 4));
	nd_buf_done(&buf);
}

static void
percent_encoding_goes_both_ways(void **state)
{
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 100);
	assert_true(nd_str_percent(&buf, "a-Z_0.~ +&=\xc3\xa9\0", 14));
	assert_string_equal(nd_buf_text(&buf), "a-Z_0.~%20%2B%26%3D%C3%A9%00");
	nd_buf_clear(&buf);
	assert_true(nd_str_unpercent(&buf, "a%20b+c%2b%C3%a9", 16, true));
	assert_string_equal(nd_buf_text(&buf), "a b c+\xc3\xa9");
	nd_buf_clear(&buf);
	assert_true(nd_str_unpercent(&buf, "a+b", 3, false));
	assert_string_equal(nd_buf_text(&buf), "a+b");
	assert_false(nd_str_unpercent(&buf, "x%2", 3, true));
	assert_false(nd_str_unpercent(&buf, "x%", 2, true));
	assert_false(nd_str_unpercent(&buf, "x%zz", 4, true));
	assert_false(nd_str_unpercent(&buf, "x%00", 4, true));
	assert_false(nd_str_unpercent(&buf, "x\0", 2, true));
	assert_string_equal(nd_buf_text(&buf), "a+b");
	nd_buf_done(&buf);
}

static void
check_box(const char *text, const char *name, const char *address)
{
	struct nd_mailbox box = { NULL, NULL };
	struct nd_why why;

	if (nd_str_mailbox(text, strlen(text), &box, &why) != ND_OK)
		fail_msg("%s was refused: %s", text, why.text);
	if (name == NULL)
		assert_null(box.name);
	else
		assert_string_equal(box.name, name);
	assert_string_equal(box.address, address);
	nd_mailbox_done(&box);
	assert_null(box.address);
}

static void
mailboxes_are_read_as_people_write_them(void **state)
{
	(void)state;
	check_box("ops@contoso.com", NULL, "ops@contoso.com");
	check_box("  ops@contoso.com ", NULL, "ops@contoso.com");
	check_box("<ops@contoso.com>", NULL, "ops@contoso.com");
	check_box("Night desk <night@contoso.com>", "Night desk", "night@contoso.com");
	check_box("Night desk<night@contoso.com>", "Night desk", "night@contoso.com");
	check_box("\"Desk, Inc.\" <d@x.example>", "Desk, Inc.", "d@x.example");
	check_box("\"A \\\"B\\\" \\\\ <c@d>\" <d@x.example>", "A \"B\" \\ <c@d>", "d@x.example");
	check_box("John Q. Public <j@x.example>", "John Q. Public", "j@x.example");
	check_box("J\xc3\xb6rg <j@x.example>", "J\xc3\xb6rg", "j@x.example");
	check_box("\"\" <j@x.example>", NULL, "j@x.example");
	check_box("root@web01", NULL, "root@web01");
	check_box("\"a b@c\"@x.example", NULL, "\"a b@c\"@x.example");
	check_box("a+b{x}'y@[192.0.2.1]", NULL, "a+b{x}'y@[192.0.2.1]");
	check_box("a@[IPv6:2001:db8::1]", NULL, "a@[IPv6:2001:db8::1]");
}

static void
what_is_not_a_mailbox_is_refused(void **state)
{
	static const char *const bad[] = { "", " ", "root", "@x.example", "a@", "a@@b", "a@b@c", "a b@x.example",
		"<a@b", "a@b>", "<>", "x <>", "a@b c", ".a@b", "a.@b", "a..b@c", "a@.b", "a@b.", "a@b..c", "a@b_c d",
		"a@[]", "a@[x", "a@[1.2.3.4\\]", "A, B <a@b>", "A (x) <a@b>", "a@b, c@d", "g: a@b;", "<@r:a@b>",
		"A\" <a@b>", "\"A <a@b>", "A <a@b> B", "A <a@b", "\"a@b", "a\"b\"@c", "A\nB <a@b>", "a@b\r\nX: y",
		"\xff <a@b>", "a@b\xc2\x85", "a@e!x", "<a@b>>", "a<b@c>d" };
	struct nd_mailbox box = { NULL, NULL };
	struct nd_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (nd_str_mailbox(bad[i], strlen(bad[i]), &box, &why) == ND_OK)
			fail_msg("\"%s\" was taken as %s", bad[i], box.address);
		assert_true(why.text[0] != '\0');
		assert_null(box.address);
	}
}

static void
addresses_have_the_limits_of_smtp(void **state)
{
	char text[400], domain[260];
	struct nd_mailbox box;

	(void)state;
	memset(text, 'a', 65);
	memcpy(text + 64, "@b", 3);
	check_box(text, NULL, text);
	memcpy(text + 64, "a@b", 4);
	assert_int_equal(nd_str_mailbox(text, strlen(text), &box, NULL), ND_EINVALID);
	for (size_t i = 0; i < 256; i++)
		domain[i] = i % 50 == 49 ? '.' : 'd';
	memcpy(text, "a@", 2);
	memcpy(text + 2, domain, 255);
	text[2 + 255] = '\0';
	check_box(text, NULL, text);
	text[2 + 255] = 'd';
	text[2 + 256] = '\0';
	assert_int_equal(nd_str_mailbox(text, strlen(text), &box, NULL), ND_EINVALID);
	memset(text + 2, 'd', 64);
	text[66] = '\0';
	assert_int_equal(nd_str_mailbox(text, strlen(text), &box, NULL), ND_EINVALID);
	text[65] = '\0';
	check_box(text, NULL, text);
}

static void
lists_are_split_outside_quotes_and_brackets(void **state)
{
	static const char *const parts[] = { "a@b", "\"X, Y\" <c@d>", "Z <e,f@g>", "\"q\\\", r\" <h@i>", "j" };
	const char *rest = " a@b ,,\"X, Y\" <c@d>, Z <e,f@g>\t,\n\"q\\\", r\" <h@i>, j , ", *start;
	size_t len, n = 0;

	(void)state;
	while (nd_str_list_next(&rest, &start, &len)) {
		assert_true(n < 5);
		assert_int_equal(len, strlen(parts[n]));
		assert_memory_equal(start, parts[n], len);
		n++;
	}
	assert_int_equal(n, 5);
	assert_false(nd_str_list_next(&rest, &start, &len));
	rest = NULL;
	assert_false(nd_str_list_next(&rest, &start, &len));
	rest = "\"open, a\\";
	assert_true(nd_str_list_next(&rest, &start, &len));
	assert_false(nd_str_list_next(&rest, &start, &len));
}

static void
the_domain_stands_behind_the_last_at(void **state)
{
	(void)state;
	assert_string_equal(nd_str_domain("\"a@b\"@c.example"), "c.example");
	assert_string_equal(nd_str_domain("nobody"), "");
}

static void
octets_become_two_digits_each(void **state)
{
	char text[9];

	(void)state;
	nd_str_hex(text, "\x00\x9f\xA5\xff", 4);
	assert_string_equal(text, "009fa5ff");
	nd_str_hex(text, NULL, 0);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_read_whole_and_within_range),
		cmocka_unit_test(durations_are_sums_of_units),
		cmocka_unit_test(sizes_have_binary_units),
		cmocka_unit_test(yes_and_no_have_four_words_each),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(controls_are_seen_in_all_their_forms),
		cmocka_unit_test(every_octet_is_seen_in_every_place),
		cmocka_unit_test(cuts_fall_between_characters),
		cmocka_unit_test(comparing_ignores_ascii_case_only),
		cmocka_unit_test(the_nearest_word_is_found),
		cmocka_unit_test(wildcards_match_runs_and_single_characters),
		cmocka_unit_test(base64_is_that_of_the_rfc),
		cmocka_unit_test(base64_has_one_form_only),
		cmocka_unit_test(decoding_fits_a_limit_of_its_exact_size),
		cmocka_unit_test(percent_encoding_goes_both_ways),
		cmocka_unit_test(mailboxes_are_read_as_people_write_them),
		cmocka_unit_test(what_is_not_a_mailbox_is_refused),
		cmocka_unit_test(addresses_have_the_limits_of_smtp),
		cmocka_unit_test(lists_are_split_outside_quotes_and_brackets),
		cmocka_unit_test(the_domain_stands_behind_the_last_at),
		cmocka_unit_test(octets_become_two_digits_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
