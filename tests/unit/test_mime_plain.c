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
#define HOME "=?utf-8?B?Z3LDtsOfZUBob21l?="                 /* größe@home */

static void
assert_plain(const char *header, const char *expected)
{
	struct nd_buf out;

	nd_buf_init(&out, 10000);
	assert_int_equal(mime_plain_of(header, strlen(header)) != MIME_PLAIN_ALREADY, strcmp(header, expected) != 0);
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
	assert_plain("Received: from größe\r\n by x\r\n", "Received: from größe\r\n by x\r\n");
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
	    "To: \"a \\\" <o\" (<o (x) <) <größe@example.com>\r\n", "To: \"a \\\" <o\" (<o (x) <)\r\n " GROUP "\r\n");
	assert_plain("To: \"in two\r\n <lines\" <größe@example.com>\r\n", "To: \"in two\r\n <lines\" " GROUP "\r\n");
	assert_plain("To: \"never closed <größe@example.com>\r\n", "To: \"never closed <größe@example.com>\r\n");
	assert_plain("To: \"never closed\r\nCc: <größe@example.com>\r\n", "To: \"never closed\r\nCc: " GROUP "\r\n");
	assert_plain(
	    "To: <\"a>b\"@example.com>, <größe@example.com>\r\n", "To: <\"a>b\"@example.com>,\r\n " GROUP "\r\n");
}

static void
an_address_needs_no_brackets(void **state)
{
	(void)state;
	assert_plain("To: größe@example.com\r\n", "To: " GROUP "\r\n");
	assert_plain("To:größe@example.com", "To: " GROUP);
	assert_plain("To: ops@example.com, größe@example.com, night@example.com\r\n",
	    "To: ops@example.com, " GROUP ", night@example.com\r\n");
	assert_plain("Cc: ops@müller.example,ops@MÜLLER.example\r\n",
	    "Cc: ops@xn--mller-kva.example,ops@xn--mller-kva.example\r\n");
	assert_plain("To: a@b,\r\n\tgröße@example.com (G (x))\r\n", "To: a@b,\r\n\t" GROUP " (G (x))\r\n");
	assert_plain("To: (o@b) ops@müller.example (o@b)\r\nX: ö@b\r\n",
	    "To: (o@b) ops@xn--mller-kva.example (o@b)\r\nX: ö@b\r\n");
	assert_plain("To: Team: größe@example.com;, ops@müller.example\r\n",
	    "To: Team: " GROUP ";, ops@xn--mller-kva.example\r\n");
	assert_plain("Reply-To: \"a, b\"@müller.example\r\n", "Reply-To: \"a, b\"@xn--mller-kva.example\r\n");
	assert_plain("To: x@[IPv6:2001:db8::1], größe@example.com\r\n", "To: x@[IPv6:2001:db8::1],\r\n " GROUP "\r\n");
	assert_plain("To: Größe<ops@example.com>\r\n", "To: =?utf-8?B?R3LDtsOfZQ==?= <ops@example.com>\r\n");
	/* Both kinds in one field. */
	assert_plain("To: Ops <ops@müller.example>, größe@example.com, <größe@example.com>\r\n",
	    "To: Ops <ops@xn--mller-kva.example>,\r\n " GROUP ",\r\n " GROUP "\r\n");
}

static void
words_with_an_at_are_no_addresses(void **state)
{
	(void)state;
	assert_plain("To: größe@home <ops@example.com>\r\n", "To: " HOME " <ops@example.com>\r\n");
	assert_plain("To: größe@home\r\n <ops@example.com>\r\n", "To: " HOME "\r\n <ops@example.com>\r\n");
	assert_plain("To: <ops@example.com> größe@home, x@y\r\n", "To: <ops@example.com> " HOME " , x@y\r\n");
	assert_plain("To: größe@home and away\r\n", "To: " HOME " and away\r\n");
	assert_plain("To: größe@home: ops@example.com;\r\n", "To: " HOME " : ops@example.com;\r\n");
	assert_plain("To: größe@home (never closed\r\n", "To: größe@home (never closed\r\n");
	assert_plain("To: a@\xf6\xdf, b\r\n", "To: a@\xf6\xdf, b\r\n");
}

static void
words_are_no_reason_to_ask_for_smtputf8(void **state)
{
	static const struct {
		const char *header;
		enum mime_plain kind;
	} rows[] = {
		{ "Subject: x\r\n", MIME_PLAIN_ALREADY },
		{ "Subject: Größe\r\n", MIME_PLAIN_WORDS },
		{ "subject:Größe\nTo: <ops@example.com>\n", MIME_PLAIN_WORDS },
		{ "X-Team: Größe\r\n", MIME_PLAIN_WORDS },
		{ "To: Größe <ops@example.com>\r\n", MIME_PLAIN_WORDS },
		{ "Resent-To: ops@example.com (Größe)\r\n", MIME_PLAIN_WORDS },
		{ "To: Größe <größe@example.com>\r\nSubject: Größe\r\n", MIME_PLAIN_ADDRESSES },
		{ "Subject: Größe\r\nTo: <ops@müller.example>\r\n", MIME_PLAIN_ADDRESSES },
		{ "Received: Größe\r\nSubjects: ö\r\nContent-Type: ö\r\nX: ö\r\n", MIME_PLAIN_ALREADY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(mime_plain_of(rows[i].header, strlen(rows[i].header)), rows[i].kind);
	assert_plain("To: Größe <größe@example.com>\r\nSubject: Größe\r\n\r\n",
	    "To: =?utf-8?B?R3LDtsOfZSA=?= " GROUP "\r\nSubject: =?utf-8?B?R3LDtsOfZQ==?=\r\n\r\n");
	/* Those of neither kind stay. */
	assert_plain("Subject: gr\xf6\xdf\r\nX-A: \xc3\xb6\r\n", "Subject: gr\xf6\xdf\r\nX-A: =?utf-8?B?w7Y=?=\r\n");
}

static void
what_no_name_may_have_is_said_as_a_group(void **state)
{
	(void)state;
	assert_plain("To: ops@i❤.ws\r\n", "To: =?utf-8?B?b3BzQGninaQud3M=?= :;\r\n");
	assert_plain("To: <ops@i❤.ws>\r\n", "To: =?utf-8?B?b3BzQGninaQud3M=?= :;\r\n");
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_that_cannot_be_said_becomes_an_empty_group),
		cmocka_unit_test(what_can_be_said_stays_as_it_is),
		cmocka_unit_test(quotes_and_comments_are_no_addresses),
		cmocka_unit_test(an_address_needs_no_brackets),
		cmocka_unit_test(words_with_an_at_are_no_addresses),
		cmocka_unit_test(words_are_no_reason_to_ask_for_smtputf8),
		cmocka_unit_test(what_no_name_may_have_is_said_as_a_group),
		cmocka_unit_test(a_domain_is_said_with_a_labels),
		cmocka_unit_test(a_long_address_is_several_words),
		cmocka_unit_test(the_header_ends_at_its_empty_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
