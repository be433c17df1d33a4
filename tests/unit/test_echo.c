/* SPDX-License-Identifier: Apache-2.0 */
/* test_echo.c - a server that repeats a credential is not quoted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/echo.h"

#include <stdio.h>
#include <string.h>

static void
expect(const struct echo *echo, const char *text, const char *hidden)
{
	char copy[200];

	(void)snprintf(copy, sizeof(copy), "%s", text);
	echo_hide(echo, copy);
	assert_string_equal(copy, hidden);
}

static void
note(struct echo *echo, const char *line, size_t before)
{
	assert_int_equal(echo_note(echo, line, strlen(line)), before);
}

static void
each_place_of_it_is_hidden(void **state)
{
	struct echo echo = { .count = 0 };

	(void)state;
	expect(&echo, "AUTH PLAIN AGFsaWNlAHNlY3JldA==", "AUTH PLAIN AGFsaWNlAHNlY3JldA==");
	note(&echo, "AUTH PLAIN AGFsaWNlAHNlY3JldHNlY3JldA==\r\n", 11);
	expect(&echo, "AUTH PLAIN AGFsaWNlAHNlY3JldHNlY3JldA==", "AUTH PLAIN <hidden>");
	expect(&echo, "\"AGFsaWNlAHNlY3JldHNlY3JldA==\", AGFsaWNlAHNlY3JldHNlY3JldA!", "\"<hidden>\", <hidden>!");
	expect(&echo, "AGFsaWNlAHNlY3JldHNl", "<hidden>"); /* cut by the server */
	expect(&echo, "AGFsaWNl", "AGFsaWNl");
}

static void
a_message_of_its_own_is_a_word_too(void **state)
{
	struct echo echo = { .count = 0 };

	(void)state;
	note(&echo, "c2VjcmV0MTIz\r\n", 0);
	note(&echo, "dXNl\r\n", 0); /* too short to be known */
	note(&echo, "\r\n", 0);
	note(&echo, "c2VjcmV0\r\n", 0);
	expect(&echo, "500 c2VjcmV0MTIz dXNl c2VjcmV0", "500 <hidden> dXNl <hidden>");
}

static void
the_last_ones_are_known(void **state)
{
	struct echo echo = { .count = 0 };
	char line[32];

	(void)state;
	for (unsigned n = 0; n < ECHO_SAID + 1; n++) {
		(void)snprintf(line, sizeof(line), "message%u\r\n", n);
		note(&echo, line, 0);
	}
	expect(&echo, "message0 message1 message2 message3 message4", "message0 <hidden> <hidden> <hidden> <hidden>");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_place_of_it_is_hidden),
		cmocka_unit_test(a_message_of_its_own_is_a_word_too),
		cmocka_unit_test(the_last_ones_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
