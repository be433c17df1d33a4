/* SPDX-License-Identifier: Apache-2.0 */
/* test_mime_plain.c - tests of headers for relays without SMTPUTF8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"
#include "daemon/core/mime_plain.h"

#include <string.h>

#define GROUP "=?utf-8?B?Z3LDtsOfZUBleGFtcGxlLmNvbQ==?= :;" /* größe@example.com */

static void
assert_plain(const char *header, const char *expected)
{
	struct nd_buf out;

	nd_buf_init(&out, 10000);
	assert_int_equal(mime_plain_needed(header, strlen(header)), strcmp(header, expected) != 0);
	mime_plain_add(&out, header, strlen(header));
	assert_string_equal(nd_buf_text(&out), expected);
	nd_buf_done(&out);
}

static void
an_address_that_cannot_be_said_becomes_an_empty_group(void **state)
{
	(void)state;
	assert_plain("To: <größe@example.com>\r\n", "To: " GROUP "\r\n");
	assert_plain("To: =?utf-8?B?w5w=?= <größe@example.com>, Ops <ops@example.com>\r\n",
	    "To: =?utf-8?B?w5w=?= " GROUP ", Ops <ops@example.com>\r\n");
	assert_plain("Cc: <ops@example.com>,\r\n <größe@example.com>\r\nX: y\r\n",
	    "Cc: <ops@example.com>,\r\n " GROUP "\r\nX: y\r\n");
	assert_plain("reply-to: Me<größe@example.com>\n", "reply-to: Me " GROUP "\n");
	/* A line with an encoded word has 76 octets at most. */
	assert_plain("To: Ops and their friends <ops@example.com>, <größe@example.com>,\r\n",
	    "To: Ops and their friends <ops@example.com>,\r\n " GROUP ",\r\n");
}

static void
what_can_be_said_stays_as_it_is(void **state)
{
	(void)state;
	assert_plain("", "");
	assert_plain("To: <ops@example.com>\r\n\r\n", "To: <ops@example.com>\r\n\r\n");
	assert_plain("Subject: <größe@example.com>\r\n x\r\n", "Subject: <größe@example.com>\r\n x\r\n");
	assert_plain("To: Größe <ops@example.com>\r\n", "To: Größe <ops@example.com>\r\n");
	assert_plain("To: <gr\xf6\xdf"
		     "e@example.com>\r\n",
	    "To: <gr\xf6\xdf"
	    "e@example.com>\r\n");
	assert_plain("To: <größe@example.com", "To: <größe@example.com");
	assert_plain("To", "To");
	assert_plain("T\xc3\xb6: <\xc3\xb6@b>", "T\xc3\xb6: <\xc3\xb6@b>");
}

static void
quotes_and_comments_are_no_addresses(void **state)
{
	(void)state;
	assert_plain(
	    "To: \"a <b\" <größe@example.com>, <ops@example.com>\r\n", "To: \"a <b\" " GROUP ", <ops@example.com>\r\n");
	assert_plain(
	    "To: \"a \\\" <ö\" (<ö (x) <) <größe@example.com>\r\n", "To: \"a \\\" <ö\" (<ö (x) <)\r\n " GROUP "\r\n");
	assert_plain("To: \"in two\r\n <lines\" <größe@example.com>\r\n", "To: \"in two\r\n <lines\" " GROUP "\r\n");
	assert_plain("To: \"never closed <größe@example.com>\r\n", "To: \"never closed <größe@example.com>\r\n");
	assert_plain("To: \"never closed\r\nCc: <größe@example.com>\r\n", "To: \"never closed\r\nCc: " GROUP "\r\n");
	assert_plain(
	    "To: <\"a>b\"@example.com>, <größe@example.com>\r\n", "To: <\"a>b\"@example.com>,\r\n " GROUP "\r\n");
}

static void
a_domain_is_said_with_a_labels(void **state)
{
	(void)state;
	assert_plain("To: Ops <ops@müller.example>\r\n", "To: Ops <ops@xn--mller-kva.example>\r\n");
}

static void
a_long_address_is_several_words(void **state)
{
	char header[700] = "To: <";
	struct nd_buf out;
	const char *line, *end;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		strncat(header, "ö", sizeof(header) - strlen(header) - 1);
	strncat(header, "@example.com>\r\n", sizeof(header) - strlen(header) - 1);
	nd_buf_init(&out, 10000);
	mime_plain_add(&out, header, strlen(header));
	for (line = nd_buf_text(&out); (end = strstr(line, "\r\n")) != NULL; line = end + 2)
		assert_in_range(end - line, 5, 79);
	assert_true(nd_str_utf8(nd_buf_text(&out), out.len));
	for (size_t i = 0; i < out.len; i++)
		assert_true((unsigned char)out.octets[i] < 0x80);
	nd_buf_done(&out);
}

static void
the_header_ends_at_its_empty_line(void **state)
{
	(void)state;
	assert_int_equal(mime_plain_header_len("A: b\r\n\r\nbody\r\n\r\n", 16), 8);
	assert_int_equal(mime_plain_header_len("A: b\n\nbody", 10), 6);
	assert_int_equal(mime_plain_header_len("\r\nbody", 6), 2);
	assert_int_equal(mime_plain_header_len("A: b\r\n", 6), 6);
	assert_int_equal(mime_plain_header_len("", 0), 0);
}

static void
the_header_that_comes_in_pieces_ends_at_the_same_place(void **state)
{
	static const char *const mails[] = { "A: b\r\nC: d\r\n\r\nbody\r\n\r\nmore", "A: b\n\nbody\n\nmore",
		"\r\nbody\r\n\r\n", "\n\n\n", "A: b\r\n", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		const size_t len = strlen(mails[i]), ends = mime_plain_header_len(mails[i], len);

		/* what was looked through in vain: no end, or one that only more octets show to be it */
		for (size_t seen = 0; seen <= ends; seen++)
			assert_int_equal(mime_plain_header_more(mails[i], len, seen), ends);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_that_cannot_be_said_becomes_an_empty_group),
		cmocka_unit_test(what_can_be_said_stays_as_it_is),
		cmocka_unit_test(quotes_and_comments_are_no_addresses),
		cmocka_unit_test(a_domain_is_said_with_a_labels),
		cmocka_unit_test(a_long_address_is_several_words),
		cmocka_unit_test(the_header_ends_at_its_empty_line),
		cmocka_unit_test(the_header_that_comes_in_pieces_ends_at_the_same_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
