/* SPDX-License-Identifier: Apache-2.0 */
/* test_mime_seven.c - tests of messages that are said in seven bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"
#include "daemon/core/mime_seven.h"

#include <string.h>

#define TOP "Subject: x\r\nMIME-Version: 1.0\r\n"
#define SEVEN "Content-Transfer-Encoding: 7bit\r\n"
#define EIGHT "Content-Transfer-Encoding: 8bit\r\n"
#define QUOTED "Content-Transfer-Encoding: quoted-printable\r\n"
#define BASE64 "Content-Transfer-Encoding: base64\r\n"
#define UTF8 "Content-Type: text/plain; charset=utf-8\r\n"

/* In slices of so many octets. */
static void
feed(struct mime_seven *seven, struct nd_buf *out, const char *text, size_t slice)
{
	const size_t len = strlen(text);

	for (size_t at = 0; at < len; at += slice)
		mime_seven_add(seven, out, text + at, len - at < slice ? len - at : slice);
	mime_seven_end(seven, out);
}

/* The same however it is cut, and the same again. */
static void
assert_seven(const char *message, const char *expected)
{
	static const size_t slices[] = { 100000, 1, 7 };
	struct nd_buf out;

	nd_buf_init(&out, 100000);
	for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++) {
		struct mime_seven *seven = mime_seven_new();

		feed(seven, NULL, message, slices[i]);
		assert_null(mime_seven_never(seven));
		assert_int_equal(mime_seven_needed(seven), strcmp(message, expected) != 0);
		for (unsigned again = 0; again < 2; again++) {
			nd_buf_clear(&out);
			feed(seven, &out, message, slices[i]);
			assert_string_equal(nd_buf_text(&out), expected);
		}
		mime_seven_free(seven);
	}
	nd_buf_done(&out);
}

static void
assert_never(const char *message, const char *words)
{
	struct mime_seven *seven = mime_seven_new();

	feed(seven, NULL, message, 100000);
	assert_true(mime_seven_needed(seven));
	assert_non_null(mime_seven_never(seven));
	assert_non_null(strstr(mime_seven_never(seven), words));
	mime_seven_free(seven);
}

static void
what_has_seven_bits_stays_as_it_is(void **state)
{
	static const char *const messages[] = { "", "\r\n", "Subject: x\r\n\r\nx\r\n", "Subject: x",
		"Subject: x\r\n\r\nx", TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n",
		TOP "Content-Type: multipart/signed; boundary=a\r\n" EIGHT "\r\n--a\r\n" EIGHT "\r\nx\r\n--a--\r\n",
		("Subject: Gr\xc3\xb6\xc3\x9f"
		 "e\r\n\r\nx\r\n") };

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		assert_seven(messages[i], messages[i]);
}

static void
a_plain_text_is_quoted_and_gets_the_name_of_its_characters(void **state)
{
	(void)state;
	assert_seven(TOP "\r\nGrüße\r\n", TOP UTF8 QUOTED "\r\nGr=C3=BC=C3=9Fe\r\n");
	assert_seven(
	    "Subject: x\r\n\r\nGrüße", "Subject: x\r\nMIME-Version: 1.0\r\n" UTF8 QUOTED "\r\nGr=C3=BC=C3=9Fe\r\n");
	assert_seven(TOP "\r\nGr\xfc\xdf"
			 "e\r\nGrüße\r\n",
	    TOP "Content-Type: text/plain; charset=unknown-8bit\r\n" QUOTED "\r\nGr=FC=DFe\r\nGr=C3=BC=C3=9Fe\r\n");
	assert_seven(TOP "Content-Type: text/plain\r\nX: y\r\n\r\nü\r\n",
	    TOP "Content-Type: text/plain;\r\n charset=utf-8\r\nX: y\r\n" QUOTED "\r\n=C3=BC\r\n");
	assert_seven(TOP "content-type: TEXT/Plain; format=flowed;\r\n\r\nü\r\n",
	    TOP "content-type: TEXT/Plain; format=flowed;\r\n charset=utf-8\r\n" QUOTED "\r\n=C3=BC\r\n");
	/* What says it keeps its word. */
	assert_seven(TOP "Content-Type: text/plain (yes; charset=no);\r\n\tcharset=\"iso-8859-1\"\r\n\r\n\xfc\r\n",
	    TOP "Content-Type: text/plain (yes; charset=no);\r\n\tcharset=\"iso-8859-1\"\r\n" QUOTED "\r\n=FC\r\n");
	assert_seven(
	    TOP "Content-Type: text/html\r\n\r\nü\r\n", TOP "Content-Type: text/html\r\n" QUOTED "\r\n=C3=BC\r\n");
	assert_seven(TOP "Content-Type: text\r\n\r\nü\r\n", TOP "Content-Type: text\r\n" QUOTED "\r\n=C3=BC\r\n");
}

static void
what_was_said_of_the_encoding_is_replaced(void **state)
{
	static const char *const said[] = { "8bit", "BINARY ", "7bit", "\r\n 8bit (all of them)", "utf-8", "" };
	struct nd_buf message;

	(void)state;
	nd_buf_init(&message, 1000);
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		nd_buf_clear(&message);
		(void)nd_buf_addf(&message, "content-transfer-encoding: %s\r\n" TOP UTF8 "\r\nü\r\n", said[i]);
		assert_seven(nd_buf_text(&message), TOP UTF8 QUOTED "\r\n=C3=BC\r\n");
	}
	nd_buf_done(&message);
}

static void
lines_are_short_and_nothing_in_them_changes_on_the_way(void **state)
{
	(void)state;
	assert_seven(TOP UTF8 "\r\n.\r\n..\r\nFrom here\r\n-- \r\na = b\t\r\n\r\nü\r\n",
	    TOP UTF8 QUOTED "\r\n=2E\r\n..\r\n=46rom here\r\n=2D-=20\r\na =3D b=09\r\n\r\n=C3=BC\r\n");
	assert_seven(TOP UTF8 "\r\n0123456789012345678901234567890123456789012345678901234567890123456789ü12\r\n",
	    TOP UTF8 QUOTED
	    "\r\n0123456789012345678901234567890123456789012345678901234567890123456789=C3=\r\n=BC12\r\n");
}

static void
all_else_becomes_base64_and_keeps_the_ends_of_its_lines(void **state)
{
	(void)state;
	assert_seven(TOP "Content-Type: application/json\r\n" EIGHT "\r\n\"ü\"\r\n",
	    TOP "Content-Type: application/json\r\n" BASE64 "\r\nIsO8Ig0K\r\n");
	/* The last one in front of a boundary is the boundary's. */
	assert_seven(TOP
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: image/x\r\n\r\nü\r\n\r\n--a--\r\n",
	    TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: image/x\r\n" BASE64
		"\r\nw7wNCg==\r\n--a--\r\n");
}

static void
each_part_of_a_multipart_is_looked_at_by_itself(void **state)
{
	(void)state;
	assert_seven(TOP "Content-Type: multipart/mixed;\r\n boundary=\"a b\"\r\n" EIGHT "\r\nfür alte Leser\r\n"
			 "--a b\r\n\r\nGrüße\r\n\r\n"
			 "--a b \r\nContent-Type: text/plain\r\n\r\nplain = plain\r\n"
			 "--a b\r\n" EIGHT "Content-Type: text/plain\r\n\r\nplain\r\n"
			 "--a b\r\nContent-Type: application/pdf\r\n" BASE64 "\r\nJVBERg==\r\n"
			 "--a b\r\nContent-Type: application/pdf; name=\"Größe.pdf\"; x=y\r\n\r\n%PDF\xe2\r\n"
			 "--a b--\r\nund danach ü\r\n",
	    TOP "Content-Type: multipart/mixed;\r\n boundary=\"a b\"\r\n" SEVEN "\r\nf??r alte Leser\r\n"
		"--a b\r\n" UTF8 QUOTED "\r\nGr=C3=BC=C3=9Fe\r\n\r\n"
		"--a b \r\nContent-Type: text/plain\r\n\r\nplain = plain\r\n"
		"--a b\r\nContent-Type: text/plain\r\n" SEVEN "\r\nplain\r\n"
		"--a b\r\nContent-Type: application/pdf\r\n" BASE64 "\r\nJVBERg==\r\n"
		"--a b\r\nContent-Type: application/pdf; name=\"Gr__e.pdf\";\r\n name*=utf-8''Gr%C3%B6%C3%9Fe.pdf; "
		"x=y\r\n" BASE64 "\r\nJVBERuI=\r\n"
		"--a b--\r\nund danach ??\r\n");
}

static void
a_name_outside_ascii_alone_is_said_otherwise_too(void **state)
{
	(void)state;
	assert_seven(TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Disposition: attachment;\r\n"
			 " filename=\"ü.txt\"\r\nContent-Description: für alle\r\n\r\nx\r\n--a--\r\n",
	    TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Disposition: attachment; "
		"filename=\"_.txt\";\r\n"
		" filename*=utf-8''%C3%BC.txt\r\nContent-Description: =?utf-8?B?ZsO8cg==?= alle\r\n\r\nx\r\n--a--\r\n");
	assert_seven(TOP "Content-Type: text/csv; name=ü.csv\r\n\r\nx\r\n",
	    TOP "Content-Type: text/csv; name=\"_.csv\";\r\n name*=utf-8''%C3%BC.csv\r\n\r\nx\r\n");
}

static void
parts_within_parts_end_with_those_around_them(void **state)
{
	(void)state;
	assert_seven(TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
			 "--a\r\nContent-Type: multipart/alternative; boundary=ab\r\n" EIGHT "\r\n"
			 "--ab\r\n\r\nü\r\n"
			 "--abc\r\n--ab\r\nContent-Type: text/html\r\n\r\nx\r\n" /* its end is missing */
			 "--a\r\n\r\nü\r\n--a--\r\n",
	    TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
		"--a\r\nContent-Type: multipart/alternative; boundary=ab\r\n" SEVEN "\r\n"
		"--ab\r\n" UTF8 QUOTED "\r\n=C3=BC\r\n"
		"=2D-abc\r\n--ab\r\nContent-Type: text/html\r\n\r\nx\r\n"
		"--a\r\n" UTF8 QUOTED "\r\n=C3=BC\r\n--a--\r\n");
}

static void
a_message_in_a_message_is_one_itself(void **state)
{
	(void)state;
	assert_seven(TOP "Content-Type: message/rfc822\r\n" EIGHT "\r\n"
			 "From root Sun Nov 22 2026\r\nFrom: Größe <a@b>\r\nSubject: für dich\r\n\r\nGrüße\r\n",
	    TOP "Content-Type: message/rfc822\r\n" SEVEN "\r\n"
		"From root Sun Nov 22 2026\r\nFrom: =?utf-8?B?R3LDtsOfZQ==?= <a@b>\r\nSubject: =?utf-8?B?ZsO8cg==?= "
		"dich\r\n"
		"MIME-Version: 1.0\r\n" UTF8 QUOTED "\r\nGr=C3=BC=C3=9Fe\r\n");
	assert_seven(
	    TOP "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: one\r\n\r\nü\r\n--a--\r\n", TOP
	    "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: one\r\nMIME-Version: 1.0\r\n" UTF8
		QUOTED "\r\n=C3=BC\r\n--a--\r\n");
	/* RFC 6532 3.7 lets this one be encoded. */
	assert_seven(TOP "Content-Type: message/global\r\n\r\nü\r\n",
	    TOP "Content-Type: message/global\r\n" BASE64 "\r\nw7wNCg==\r\n");
}

static void
ends_that_are_missing_are_minded(void **state)
{
	(void)state;
	assert_seven(TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nü\r\n",
	    TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" UTF8 QUOTED "\r\n=C3=BC\r\n");
	assert_seven(TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: x/y\r\n\r\nü\r\n",
	    TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: x/y\r\n" BASE64 "\r\nw7w=\r\n");
	/* A header that ends without an empty line: by a line that is no field, by a boundary. */
	assert_seven(TOP
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nGrüße: an alle\r\n--a\r\nX: y\r\n--a--",
	    TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" UTF8 QUOTED
		"\r\nGr=C3=BC=C3=9Fe: an alle\r\n--a\r\nX: y\r\n--a--");
	assert_seven(TOP "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\nno field ü\r\n",
	    TOP "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\nMIME-Version: 1.0\r\n" UTF8 QUOTED
		"\r\nno field =C3=BC\r\n");
	assert_seven(TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; "
			 "boundary=b\r\n--a\r\n"
			 "Content-Type: message/rfc822\r\n--a\r\n\r\nü\r\n--a--\r\n--a\r\n\r\nü\r\n",
	    TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; "
		"boundary=b\r\n--a\r\n"
		"Content-Type: message/rfc822\r\n--a\r\n" UTF8 QUOTED "\r\n=C3=BC\r\n--a--\r\n--a\r\n" UTF8 QUOTED
		"\r\n=C3=BC\r\n");
}

static void
no_row_becomes_a_boundary(void **state)
{
	(void)state;
	assert_seven(TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" UTF8
			 "\r\nü23456789012345678901234567890123456789012345678901234567890123456789--a\r\n--a--\r\n",
	    TOP
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" UTF8 QUOTED
	    "\r\n=C3=BC23456789012345678901234567890123456789012345678901234567890123456789-=\r\n=2Da\r\n--a--\r\n");
	assert_seven(TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" UTF8
			 "\r\nü234567890123456789012345678901234567890123456789012345678901234567890--a\r\n--a--\r\n",
	    TOP
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" UTF8 QUOTED
	    "\r\n=C3=BC234567890123456789012345678901234567890123456789012345678901234567890=\r\n=2D-a\r\n--a--\r\n");
}

static void
what_says_that_it_is_encoded_and_is_not_is_mended(void **state)
{
	struct nd_buf message, expected;

	(void)state;
	assert_seven(TOP UTF8 QUOTED "\r\nGr=C3=BC\xc3\x9f"
				     "e =\r\nx\r\n",
	    TOP UTF8 QUOTED "\r\nGr=C3=BC=C3=9Fe =\r\nx\r\n");
	assert_seven(TOP "Content-Type: image/x\r\n" BASE64 "\r\nw7\xc3\xbcwNCg==\r\n",
	    TOP "Content-Type: image/x\r\n" BASE64 "\r\nw7wNCg==\r\n");
	/* A line with as many octets as it may have gets no more. */
	nd_buf_init(&message, 4000);
	nd_buf_init(&expected, 4000);
	(void)nd_buf_adds(&message, TOP UTF8 QUOTED "\r\nab\xfc");
	(void)nd_buf_adds(&expected, TOP UTF8 QUOTED "\r\nab=FC=\r\n");
	for (unsigned i = 0; i < 995; i++) {
		(void)nd_buf_addc(&message, 'x');
		(void)nd_buf_addc(&expected, 'x');
	}
	(void)nd_buf_adds(&message, "\xfc\r\n");
	(void)nd_buf_adds(&expected, "=\r\n=FC\r\n");
	assert_seven(nd_buf_text(&message), nd_buf_text(&expected));
	nd_buf_done(&message);
	nd_buf_done(&expected);
}

static void
what_must_not_change_is_not_converted(void **state)
{
	(void)state;
	assert_never(TOP "Content-Type: multipart/signed; boundary=a\r\n\r\n--a\r\n\r\nü\r\n--a--\r\n", "signed");
	assert_never(TOP
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n"
	    "--b\r\n\r\nü\r\n--b--\r\n--a--\r\n",
	    "signed");
	assert_never(TOP "Content-Type: message/partial\r\n\r\nü\r\n", "may not be encoded");
	assert_never(TOP "Content-Type: multipart/mixed\r\n\r\n--a\r\n\r\nü\r\n", "without a boundary");
	assert_never(TOP "Content-Type: multipart/mixed; boundary=\"ü\"\r\n\r\n--ü\r\n\r\nü\r\n", "without a boundary");
	assert_never(TOP "Content-Type: multipart/mixed; boundary=b\r\n\r\n--a\r\n\r\nü\r\n", "without parts");
	/* Beside what is signed there may be what has eight bits. */
	assert_seven(TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/signed; "
			 "boundary=b\r\n" EIGHT "\r\n--b\r\nX:y\r\n\r\n x \r\n--b--\r\n--a\r\n\r\nü\r\n--a--\r\n",
	    TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/signed; "
		"boundary=b\r\n" EIGHT "\r\n--b\r\nX:y\r\n\r\n x \r\n--b--\r\n--a\r\n" UTF8 QUOTED
		"\r\n=C3=BC\r\n--a--\r\n");
}

/* `depth` messages around a text. */
static void
wrap(struct nd_buf *out, unsigned depth, const char *text)
{
	nd_buf_clear(out);
	for (unsigned i = 0; i < depth; i++)
		(void)nd_buf_adds(out, TOP "Content-Type: message/rfc822\r\n\r\n");
	(void)nd_buf_adds(out, TOP);
	(void)nd_buf_adds(out, text);
}

static void
there_is_an_end_to_depth_and_to_the_number_of_parts(void **state)
{
	struct nd_buf message, expected;

	(void)state;
	nd_buf_init(&message, 1u << 20);
	nd_buf_init(&expected, 10000);
	wrap(&message, MIME_SEVEN_DEPTH, "\r\nü\r\n");
	wrap(&expected, MIME_SEVEN_DEPTH, UTF8 QUOTED "\r\n=C3=BC\r\n");
	assert_seven(nd_buf_text(&message), nd_buf_text(&expected));
	wrap(&message, MIME_SEVEN_DEPTH + 1, "\r\nü\r\n");
	assert_never(nd_buf_text(&message), "too deeply");
	wrap(&message, MIME_SEVEN_DEPTH + 1, "\r\nx\r\n");
	assert_seven(nd_buf_text(&message), nd_buf_text(&message));
	nd_buf_clear(&message);
	(void)nd_buf_adds(&message, TOP "Content-Type: multipart/mixed; boundary=a\r\n\r\n");
	for (unsigned i = 0; i < MIME_SEVEN_PARTS; i++)
		(void)nd_buf_adds(&message, "--a\r\n\r\n");
	(void)nd_buf_adds(&message, "ü\r\n");
	assert_never(nd_buf_text(&message), "too many parts");
	nd_buf_done(&message);
	nd_buf_done(&expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_seven_bits_stays_as_it_is),
		cmocka_unit_test(a_plain_text_is_quoted_and_gets_the_name_of_its_characters),
		cmocka_unit_test(what_was_said_of_the_encoding_is_replaced),
		cmocka_unit_test(lines_are_short_and_nothing_in_them_changes_on_the_way),
		cmocka_unit_test(all_else_becomes_base64_and_keeps_the_ends_of_its_lines),
		cmocka_unit_test(each_part_of_a_multipart_is_looked_at_by_itself),
		cmocka_unit_test(a_name_outside_ascii_alone_is_said_otherwise_too),
		cmocka_unit_test(parts_within_parts_end_with_those_around_them),
		cmocka_unit_test(a_message_in_a_message_is_one_itself),
		cmocka_unit_test(ends_that_are_missing_are_minded),
		cmocka_unit_test(no_row_becomes_a_boundary),
		cmocka_unit_test(what_says_that_it_is_encoded_and_is_not_is_mended),
		cmocka_unit_test(what_must_not_change_is_not_converted),
		cmocka_unit_test(there_is_an_end_to_depth_and_to_the_number_of_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
