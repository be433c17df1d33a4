/* SPDX-License-Identifier: Apache-2.0 */
/* test_command.c - commands into arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/command.h"

#include <string.h>

/* The arguments with a | between. */
static void
check(const char *text, const char *expected)
{
	struct command command;
	char got[256] = "";

	assert_int_equal(command_split(text, &command, NULL), ND_OK);
	for (unsigned i = 0; command.args[i] != NULL; i++) {
		if (i > 0)
			strncat(got, "|", sizeof(got) - strlen(got) - 1);
		strncat(got, command.args[i], sizeof(got) - strlen(got) - 1);
	}
	assert_string_equal(got, expected);
	command_done(&command);
}

static void
spaces_separate_and_quotes_keep_together(void **state)
{
	(void)state;
	check("/bin/a", "/bin/a");
	check("  /bin/a \t b  c ", "/bin/a|b|c");
	check("/bin/a \"b c\" d", "/bin/a|b c|d");
	check("/bin/a --x=\"b c\"d", "/bin/a|--x=b cd");
	check("/bin/a \"\" x", "/bin/a||x");
	check("\"/opt/my tool/a\" b", "/opt/my tool/a|b");
}

static void
nothing_else_has_a_meaning(void **state)
{
	(void)state;
	check("/bin/a $HOME `id` 'b c' \\ ; | > *", "/bin/a|$HOME|`id`|'b|c'|\\|;|||>|*");
}

static void
what_cannot_be_run_is_refused(void **state)
{
	char many[300] = "/a";
	struct command command = { 0 };
	struct nd_why why;

	(void)state;
	assert_int_equal(command_split("", &command, &why), ND_ESECRET);
	assert_int_equal(command_split("   ", &command, &why), ND_ESECRET);
	assert_int_equal(command_split("a b", &command, &why), ND_ESECRET);
	assert_non_null(strstr(why.text, "path"));
	assert_int_equal(command_split("\"\" /b", &command, &why), ND_ESECRET);
	assert_int_equal(command_split("/a \"sesame", &command, &why), ND_ESECRET);
	assert_non_null(strstr(why.text, "quote"));
	assert_null(strstr(why.text, "sesame"));
	for (unsigned i = 1; i < COMMAND_ARGS; i++)
		strncat(many, " b", sizeof(many) - strlen(many) - 1);
	assert_int_equal(command_split(many, &command, &why), ND_OK);
	assert_string_equal(command.args[COMMAND_ARGS - 1], "b");
	command_done(&command);
	strncat(many, " b", sizeof(many) - strlen(many) - 1);
	assert_int_equal(command_split(many, &command, &why), ND_ESECRET);
	assert_null(command.words);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spaces_separate_and_quotes_keep_together),
		cmocka_unit_test(nothing_else_has_a_meaning),
		cmocka_unit_test(what_cannot_be_run_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
