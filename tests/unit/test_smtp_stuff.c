/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_stuff.c - the content as it travels: dots, line ends, slices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/smtp_stuff.h"

#include <string.h>

/* Fed in slices of every length up to the whole, it must always come out the same. */
static void
expect(const char *octets, const char *travels)
{
	const size_t len = strlen(octets);

	for (size_t slice = 1; slice <= len + 1; slice++) {
		struct smtp_stuff stuff = { 0 };
		struct nd_buf out;

		nd_buf_init(&out, 10000);
		for (size_t at = 0; at < len; at += slice)
			smtp_stuff_add(&stuff, &out, octets + at, slice < len - at ? slice : len - at);
		smtp_stuff_end(&stuff, &out);
		assert_string_equal(nd_buf_text(&out), travels);
		nd_buf_done(&out);
	}
}

static void
an_empty_content_is_a_lone_dot(void **state)
{
	(void)state;
	expect("", ".\r\n");
}

static void
lines_pass_as_they_are(void **state)
{
	(void)state;
	expect("a\r\nb\r\n", "a\r\nb\r\n.\r\n");
	expect("\r\n\r\n", "\r\n\r\n.\r\n");
}

static void
a_dot_that_begins_a_line_is_doubled(void **state)
{
	(void)state;
	expect(".\r\n", "..\r\n.\r\n");
	expect("..\r\n.a\r\na.\r\n.", "...\r\n..a\r\na.\r\n..\r\n.\r\n");
}

static void
the_last_line_gets_its_end(void **state)
{
	(void)state;
	expect("a", "a\r\n.\r\n");
	expect("a\r", "a\r\n.\r\n");
	expect("\r", "\r\n.\r\n");
}

static void
a_lone_line_feed_becomes_crlf_and_a_lone_carriage_return_a_space(void **state)
{
	(void)state;
	expect("a\nb\n", "a\r\nb\r\n.\r\n");
	expect("a\rb\r\n", "a b\r\n.\r\n");
	expect("a\r\rb\r\r\n", "a  b \r\n.\r\n");
	expect("\r.\r\n", " .\r\n.\r\n");
}

/* SMTP smuggling: whatever line ends a server believes in, it finds no end of data before ours. */
static void
no_content_holds_an_end_of_data(void **state)
{
	static const char parts[] = { '\r', '\n', '.', 'x' };

	(void)state;
	for (unsigned n = 0; n < 4 * 4 * 4 * 4 * 4 * 4 * 4; n++) {
		struct smtp_stuff stuff = { 0 };
		struct nd_buf out;
		size_t at = 0, lines = 0;
		unsigned rest = n;

		nd_buf_init(&out, 1000);
		for (int k = 0; k < 7; k++, rest /= 4)
			smtp_stuff_add(&stuff, &out, &parts[rest % 4], 1);
		smtp_stuff_end(&stuff, &out);
		for (; at < out.len; at++) {
			const bool ends = out.octets[at] == '\n', before = at > 0 && out.octets[at - 1] == '\r';

			assert_int_equal(ends, before); /* CRLF, and neither alone */
			lines +=
			    ends && at >= 2 && out.octets[at - 2] == '.' && (at == 2 || out.octets[at - 3] == '\n');
		}
		assert_int_equal(lines, 1);
		assert_memory_equal(out.octets + out.len - 3, ".\r\n", 3);
		nd_buf_done(&out);
	}
}

static void
a_chunk_has_whole_lines_but_neither_doubled_dots_nor_an_end_of_data(void **state)
{
	static const char octets[] = ".a\n..\r\n.\rb";

	(void)state;
	for (size_t slice = 1; slice <= sizeof(octets); slice++) {
		struct smtp_stuff stuff = { .chunk = true };
		struct nd_buf out;

		nd_buf_init(&out, 1000);
		for (size_t at = 0, len = sizeof(octets) - 1; at < len; at += slice)
			smtp_stuff_add(&stuff, &out, octets + at, slice < len - at ? slice : len - at);
		smtp_stuff_end(&stuff, &out);
		assert_string_equal(nd_buf_text(&out), ".a\r\n..\r\n. b\r\n");
		nd_buf_done(&out);
	}
}

static void
it_travels_the_same_however_it_is_cut(void **state)
{
	static const char parts[] = { '\r', '\n', '.', 'x' };

	(void)state;
	for (unsigned n = 0; n < 2 * 4 * 4 * 4 * 4 * 4 * 4 * 4; n++) {
		struct smtp_stuff slowly = { .chunk = n & 1 }, at_once = { .chunk = n & 1 };
		struct nd_buf one_by_one, whole;
		unsigned rest = n / 2;
		char octets[7];

		nd_buf_init(&one_by_one, 1000);
		nd_buf_init(&whole, 1000);
		for (int k = 0; k < 7; k++, rest /= 4) {
			octets[k] = parts[rest % 4];
			smtp_stuff_add(&slowly, &one_by_one, &octets[k], 1);
		}
		smtp_stuff_add(&at_once, &whole, octets, sizeof(octets));
		smtp_stuff_end(&slowly, &one_by_one);
		smtp_stuff_end(&at_once, &whole);
		assert_string_equal(nd_buf_text(&whole), nd_buf_text(&one_by_one));
		nd_buf_done(&one_by_one);
		nd_buf_done(&whole);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_content_is_a_lone_dot),
		cmocka_unit_test(lines_pass_as_they_are),
		cmocka_unit_test(a_dot_that_begins_a_line_is_doubled),
		cmocka_unit_test(the_last_line_gets_its_end),
		cmocka_unit_test(a_lone_line_feed_becomes_crlf_and_a_lone_carriage_return_a_space),
		cmocka_unit_test(no_content_holds_an_end_of_data),
		cmocka_unit_test(a_chunk_has_whole_lines_but_neither_doubled_dots_nor_an_end_of_data),
		cmocka_unit_test(it_travels_the_same_however_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
