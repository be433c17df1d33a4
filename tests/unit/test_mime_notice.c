/* SPDX-License-Identifier: Apache-2.0 */
/* test_mime_notice.c - a line at the top of a message: what mime_oracle.py cannot see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/mime_notice.h"

#include <string.h>

#define ID "01JD7Z2V8N4K6M9Q3R5T7W1X0Y"
#define TEXT_7BIT "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
#define HTML_7BIT "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
#define BOTH "Content-Type: multipart/alternative;\r\n boundary=\"=_" ID "_a\"\r\n"
#define NEXT "\r\n--=_" ID "_a\r\n"
#define LAST "\r\n--=_" ID "_a--\r\n"

static bool
added(const char *message, bool all, struct nd_buf *out)
{
	/* Where octets behind the end were read, the sanitizer sees it. */
	char *octets = test_malloc(message[0] != '\0' ? strlen(message) : 1);
	bool found;

	memcpy(octets, message, strlen(message));
	nd_buf_init(out, 1u << 20);
	found = mime_notice_add(out, ID, octets, strlen(message), all, "Late.");
	test_free(octets);
	return found;
}

static void
assert_added(const char *message, const char *expected)
{
	struct nd_buf out;

	assert_true(added(message, true, &out));
	assert_string_equal(nd_buf_text(&out), expected);
	nd_buf_done(&out);
}

static void
the_text_begins_with_it(void **state)
{
	(void)state;
	assert_added("Subject: s\r\n" TEXT_7BIT "\r\nx\r\n", "Late.\r\n\r\n\r\nx\r\n");
	assert_added("Subject: s\r\n" TEXT_7BIT, "Late.\r\n\r\n");
}

static void
what_looks_like_a_part_and_is_none_stays(void **state)
{
	(void)state;
	assert_added(
	    "Subject: Content-Type: text/html\r\n" TEXT_7BIT HTML_7BIT "x\r\n", "Late.\r\n\r\n" HTML_7BIT "x\r\n");
	assert_added("X: y\r\n" BOTH NEXT TEXT_7BIT "\r\n--=_another_a\r\n" HTML_7BIT "x\r\n",
	    &(NEXT TEXT_7BIT "Late.\r\n\r\n\r\n--=_another_a\r\n" HTML_7BIT "x\r\n")[2]); /* the header ends in front */
}

static void
a_message_of_another_kind_stays_as_it_is(void **state)
{
	(void)state;
	assert_added(
	    "Subject: s\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==\r\n", "QQ==\r\n");
	assert_added("Subject: s\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n", "x\r\n");
	assert_added("Subject: s\r\n\r\nx\r\n", "x\r\n");
	assert_added("", "");
}

static void
every_start_is_taken_or_not(void **state)
{
	static const char message[] = "X: y\r\n" BOTH NEXT TEXT_7BIT "t\r\n" NEXT HTML_7BIT "<body>h\r\n" LAST;
	char start[sizeof(message)];
	struct nd_buf out;

	(void)state;
	for (size_t len = 0; len < sizeof(message); len++) {
		memcpy(start, message, len);
		start[len] = '\0';
		assert_false(added(start, false, &out));
		assert_int_equal(out.len, 0);
		nd_buf_done(&out);
		assert_true(added(start, true, &out));
		nd_buf_done(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_begins_with_it),
		cmocka_unit_test(what_looks_like_a_part_and_is_none_stays),
		cmocka_unit_test(a_message_of_another_kind_stays_as_it_is),
		cmocka_unit_test(every_start_is_taken_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
