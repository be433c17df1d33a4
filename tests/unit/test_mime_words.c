/* SPDX-License-Identifier: Apache-2.0 */
/* test_mime_words.c - tests of text in UTF-8 that becomes encoded words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"
#include "daemon/core/mime_words.h"
#include "daemon/core/ready.h"

#include <string.h>

#define GROESSE "=?utf-8?B?R3LDtsOfZQ==?=" /* Größe */

/* expected NULL: nothing is added. */
static void
assert_words(const char *field, bool addresses, const char *expected)
{
	struct nd_buf out;

	nd_buf_init(&out, 100000);
	(void)nd_buf_adds(&out, "Before: x\r\n");
	assert_int_equal(mime_words_add(&out, field, strlen(field), addresses), expected != NULL);
	(void)nd_buf_adds(&out, "");
	assert_int_equal(out.len, 11 + (expected != NULL ? strlen(expected) : 0));
	if (expected != NULL)
		assert_string_equal(nd_buf_text(&out) + 11, expected);
	nd_buf_done(&out);
}

static void
words_of_a_text_are_encoded_and_the_others_stay(void **state)
{
	(void)state;
	assert_words("Subject: Größe\r\n", false, "Subject: " GROESSE "\r\n");
	assert_words("Subject:Größe", false, "Subject: " GROESSE);
	assert_words("Subject: Die Größe  zählt (<sehr>)\n", false,
	    "Subject: Die =?utf-8?B?R3LDtsOfZSAgesOkaGx0?= (<sehr>)\n"); /* the blanks between two as well */
	assert_words("Subject: Größe x Größe\r\n", false, "Subject: " GROESSE " x " GROESSE "\r\n");
	assert_words("Subject: x\r\n Größe\r\n\ty\r\n", false, "Subject: x " GROESSE "\r\n\ty\r\n");
	assert_words("Subject: Größe\r\n Größe\r\n", false, "Subject: =?utf-8?B?R3LDtsOfZSBHcsO2w59l?=\r\n");
}

static void
what_has_no_such_words_or_cannot_be_read_is_left(void **state)
{
	(void)state;
	assert_words("Subject: x\r\n", false, NULL);
	assert_words("Subject:\r\n", false, NULL);
	assert_words("Subject", false, NULL);
	assert_words("Subject: \xf6 Größe\r\n", false, NULL);
	assert_words("To: \"Größe <a@b>\r\n", true, NULL);
	assert_words("To: (Größe <a@b>\r\n", true, NULL);
	assert_words("To: Größe <a@b\r\n", true, NULL);
	assert_words("To: x <größe@b>, \"a\" (b)\r\n", true, NULL);
}

static void
encoded_words_of_before_stay_and_keep_their_distance(void **state)
{
	(void)state;
	/* White space between two of them is not shown: it has to be in one. */
	assert_words(
	    "Subject: =?utf-8?Q?=C3=B6?= Größe\r\n", false, "Subject: =?utf-8?Q?=C3=B6?= =?utf-8?B?IEdyw7bDn2U=?=\r\n");
	assert_words("Subject: Größe =?utf-8?Q?=C3=B6?= x\r\n", false,
	    "Subject: =?utf-8?B?R3LDtsOfZSA=?= =?utf-8?Q?=C3=B6?= x\r\n");
	assert_words("Subject: Größe\r\n =?utf-8?Q?=C3=B6?=\r\n", false,
	    "Subject: =?utf-8?B?R3LDtsOfZSA=?=\r\n =?utf-8?Q?=C3=B6?=\r\n");
}

static void
names_and_comments_of_mailboxes_are_encoded(void **state)
{
	(void)state;
	assert_words("To: Größe <a@b>\r\n", true, "To: " GROESSE " <a@b>\r\n");
	assert_words("To: Größe<a@b>,Größe<c@d>\r\n", true, "To: " GROESSE " <a@b>, " GROESSE " <c@d>\r\n");
	assert_words("To: Dr. Größe Ops <a@b>\r\n", true, "To: Dr. " GROESSE " Ops <a@b>\r\n");
	assert_words("To: \"Größe\" <a@b>, \"x, y\" <c@d>\r\n", true, "To: " GROESSE " <a@b>, \"x, y\" <c@d>\r\n");
	assert_words(
	    "To: \"a, \\\"ö\\\\\r\n b\" <a@b>\r\n", true, "To: =?utf-8?B?YSwgIsO2XCBi?= <a@b>\r\n"); /* a, "ö\ b */
	assert_words("To: \"Größe\" Größe <a@b>\r\n", true, "To: =?utf-8?B?R3LDtsOfZSBHcsO2w59l?= <a@b>\r\n");
	assert_words("To: Größe: a@b, c@d;\r\n", true, "To: " GROESSE " : a@b, c@d;\r\n");
	assert_words("To: a@b (Größe), c@d (x (Größe\\) y))\r\n", true,
	    "To: a@b ( " GROESSE " ), c@d (x ( =?utf-8?B?R3LDtsOfZSk=?= y))\r\n");
	assert_words("To: <\"a>b\"@c>, Größe <d@e>\r\n", true, "To: <\"a>b\"@c>, " GROESSE " <d@e>\r\n");
	assert_words(
	    "To: a (\"ö)\r\n", true, "To: a ( =?utf-8?B?IsO2?= )\r\n"); /* a quote means nothing in a comment */
}

/* Lines of 76 octets at most where they hold a word; and the reader sees what was written. */
static void
a_long_text_is_folded_and_reads_the_same(void **state)
{
	static const char *const texts[] = {
		("Die Größe der Platte überschreitet alles, was wir je gesehen haben, und zwar sehr deutlich und "
		 "überall"),
		"ÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖÖ x",
		"ディスクの空き容量が不足しています。至急ご確認ください。ディスクの空き容量が不足しています。 x y z",
	};
	struct nd_buf field, out, flat, told;
	const char *line, *end;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		nd_buf_init(&field, 10000);
		nd_buf_init(&out, 10000);
		nd_buf_init(&flat, 10000);
		nd_buf_init(&told, 10000);
		(void)nd_buf_addf(&field, "Subject: %s\r\n", texts[i]);
		assert_true(mime_words_add(&out, nd_buf_text(&field), field.len, false));
		assert_true(nd_str_ascii(out.octets, out.len - 2) || !nd_str_eight(out.octets, out.len));
		for (line = nd_buf_text(&out); (end = strstr(line, "\r\n")) != NULL; line = end + 2) {
			assert_in_range(end - line, 2, 76);
			(void)nd_buf_add(&flat, line, (size_t)(end - line));
		}
		ready_words(nd_buf_text(&flat), &told);
		assert_string_equal(nd_buf_text(&told) + strlen("Subject: "), texts[i]);
		nd_buf_done(&field);
		nd_buf_done(&out);
		nd_buf_done(&flat);
		nd_buf_done(&told);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_a_text_are_encoded_and_the_others_stay),
		cmocka_unit_test(what_has_no_such_words_or_cannot_be_read_is_left),
		cmocka_unit_test(encoded_words_of_before_stay_and_keep_their_distance),
		cmocka_unit_test(names_and_comments_of_mailboxes_are_encoded),
		cmocka_unit_test(a_long_text_is_folded_and_reads_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
