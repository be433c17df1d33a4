/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c - lines for the operator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char heard[4096];
static unsigned calls;
static enum nd_level heard_level;

static void
hear(enum nd_level level, const char *text, const struct nd_field *fields)
{
	calls++;
	heard_level = level;
	(void)snprintf(heard, sizeof(heard), "%s", text);
	for (; fields != NULL && fields->name != NULL; fields++) {
		size_t len = strlen(heard);

		(void)snprintf(heard + len, sizeof(heard) - len, " %s=%s", fields->name,
		    fields->value != NULL ? fields->value : "(null)");
	}
	errno = EIO;
}

static void
a_line_reaches_the_sink_with_its_fields(void **state)
{
	(void)state;
	nd_log_to(hear);
	calls = 0;
	nd_log(ND_LOG_NOTICE, ND_FIELDS({ "JOB", "01A" }, { "ACCOUNT", "m365" }), "%s is %d", "this", 1);
	assert_int_equal(calls, 1);
	assert_int_equal(heard_level, ND_LOG_NOTICE);
	assert_string_equal(heard, "this is 1 JOB=01A ACCOUNT=m365");
	nd_log(ND_LOG_ERR, NULL, "bare");
	assert_string_equal(heard, "bare");
	nd_log_to(NULL);
}

static void
what_is_below_the_level_is_not_said(void **state)
{
	(void)state;
	nd_log_to(hear);
	calls = 0;
	nd_log_level(ND_LOG_WARNING);
	assert_false(nd_log_wanted(ND_LOG_NOTICE));
	nd_log(ND_LOG_NOTICE, NULL, "x");
	assert_int_equal(calls, 0);
	assert_true(nd_log_wanted(ND_LOG_WARNING));
	nd_log(ND_LOG_WARNING, NULL, "x");
	assert_int_equal(calls, 1);
	nd_log_level(ND_LOG_INFO);
	nd_log_to(NULL);
}

static void
errno_survives_a_line(void **state)
{
	(void)state;
	nd_log_to(hear);
	errno = ENOSPC;
	nd_log(ND_LOG_ERR, NULL, "x");
	assert_int_equal(errno, ENOSPC);
	nd_log_to(NULL);
}

static void
a_long_line_is_cut_between_characters(void **state)
{
	char text[3001];

	(void)state;
	for (size_t i = 0; i < 3000; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[3000] = '\0';
	nd_log_to(hear);
	nd_log(ND_LOG_ERR, NULL, "%s", text);
	assert_int_equal(strlen(heard) % 2, 0);
	assert_in_range(strlen(heard), 1000, 1024);
	nd_log_to(NULL);
}

static void
levels_have_names(void **state)
{
	enum nd_level level = ND_LOG_ERR;

	(void)state;
	assert_true(nd_log_level_named("debug", &level) && level == ND_LOG_DEBUG);
	assert_true(nd_log_level_named("err", &level) && level == ND_LOG_ERR);
	assert_false(nd_log_level_named("", &level));
	assert_false(nd_log_level_named("loud", &level));
	assert_int_equal(level, ND_LOG_ERR);
}

/* What nd_log_stderr writes, caught in a file. */
static const char *
catch_stderr(enum nd_level level, const char *text, const struct nd_field *fields)
{
	static char out[10000];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(file);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	nd_log_stderr(level, text, fields);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	(void)close(saved);
	rewind(file);
	n = fread(out, 1, sizeof(out) - 1, file);
	out[n] = '\0';
	(void)fclose(file);
	return out;
}

static void
stderr_gets_level_text_and_fields(void **state)
{
	(void)state;
	assert_string_equal(catch_stderr(ND_LOG_WARNING, "low on disk", NULL), "warning: low on disk\n");
	assert_string_equal(catch_stderr(ND_LOG_INFO, "delivered",
				ND_FIELDS({ "JOB", "01A" }, { "SESSION", NULL }, { "REPLY", "250 2.0.0 \xc3\xa9" })),
	    "info: delivered (JOB=01A REPLY=250 2.0.0 \xc3\xa9)\n");
}

static void
nobody_can_write_lines_or_escapes_to_the_terminal(void **state)
{
	(void)state;
	assert_string_equal(catch_stderr(ND_LOG_ERR, "a\nerr: b\x1b[2J\xff", ND_FIELDS({ "REPLY", "x\r\ny\xc2\x9b" })),
	    "err: a\\x0aerr: b\\x1b[2J\\xff (REPLY=x\\x0d\\x0ay\\xc2\\x9b)\n");
}

static void
an_endless_field_still_ends_its_line(void **state)
{
	static char text[20001];
	const char *out;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	out = catch_stderr(ND_LOG_ERR, text, NULL);
	assert_in_range(strlen(out), 1, 8192);
	assert_int_equal(out[strlen(out) - 1], '\n');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_reaches_the_sink_with_its_fields),
		cmocka_unit_test(what_is_below_the_level_is_not_said),
		cmocka_unit_test(errno_survives_a_line),
		cmocka_unit_test(a_long_line_is_cut_between_characters),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(stderr_gets_level_text_and_fields),
		cmocka_unit_test(nobody_can_write_lines_or_escapes_to_the_terminal),
		cmocka_unit_test(an_endless_field_still_ends_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
