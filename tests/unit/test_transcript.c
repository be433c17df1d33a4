/* SPDX-License-Identifier: Apache-2.0 */
/* test_transcript.c - what is told of a session when an attempt fails, and what never is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/transcript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct transcript script;

static void
say(const char *lines)
{
	transcript_said(&script, lines, strlen(lines), 0);
}

static void
hear(const char *octets)
{
	transcript_heard(&script, octets, strlen(octets), 0);
}

static void
hide(const char *line)
{
	transcript_hid(&script, line, strlen(line), 0);
}

static int
begin(void **state)
{
	(void)state;
	memset(&script, 0, sizeof(script));
	transcript_begin(&script, 0);
	return 0;
}

/* The words without their times: "> EHLO a\n< 250 b\n". */
static const char *
told(const char *end)
{
	static char out[TRANSCRIPT_TEXT];
	char *text = transcript_text(&script, end, (struct nd_now){ 0, 5 });
	const char *rest = text;
	struct transcript_word word;
	nd_unix began;
	size_t len = 0;

	assert_true(transcript_start(&rest, &began));
	assert_int_equal(began, 5);
	out[0] = '\0';
	while (transcript_next(&rest, &word))
		len += (size_t)snprintf(
		    out + len, sizeof(out) - len, "%c %.*s\n", "*><"[word.side], (int)word.len, word.text);
	assert_string_equal(rest, ""); /* all of it could be read */
	free(text);
	return out;
}

static void
each_line_tells_who_said_it_and_when(void **state)
{
	struct transcript_word word;
	const char *rest;
	nd_unix began;
	char *text;

	(void)state;
	transcript_begin(&script, 1000);
	transcript_note(&script, "connected to", "mx[192.0.2.1]:25", 1010);
	transcript_heard(&script, "220 mx\r\n", 8, 1030);
	transcript_said(&script, "EHLO a\r\n", 8, 1031);
	text = transcript_text(&script, "mx closed the connection", (struct nd_now){ 3000, 1700000002000 });
	rest = text;
	assert_true(transcript_start(&rest, &began));
	assert_int_equal(began, 1700000000000);
	assert_string_equal(
	    rest, "10 * connected to mx[192.0.2.1]:25\n30 < 220 mx\n31 > EHLO a\n2000 * mx closed the connection\n");
	assert_true(transcript_next(&rest, &word));
	assert_int_equal(word.ms, 10);
	assert_string_equal(transcript_side_name(word.side), "note");
	assert_true(transcript_next(&rest, &word));
	assert_string_equal(transcript_side_name(word.side), "server");
	assert_true(transcript_next(&rest, &word));
	assert_string_equal(transcript_side_name(word.side), "client");
	assert_true(transcript_next(&rest, &word));
	assert_int_equal(word.ms, 2000);
	assert_false(transcript_next(&rest, &word));
	free(text);
}

static void
a_credential_is_hidden_and_its_mechanism_is_not(void **state)
{
	(void)state;
	hide("AUTH XOAUTH2 dXNlcj1hQGIBYXV0aD1CZWFyZXIgc2VjcmV0AQE=\r\n");
	hear("235 ok\r\n");
	assert_string_equal(told(NULL), "> AUTH XOAUTH2 <hidden>\n< 235 ok\n");
}

static void
a_message_of_auth_and_a_challenge_are_hidden(void **state)
{
	(void)state;
	say("AUTH LOGIN\r\n");
	hear("334 VXNlcm5hbWU6\r\n");
	hide("dXNlcg==\r\n");
	hear("334 UGFzc3dvcmQ6\r\n");
	hide("c2VjcmV0\r\n");
	hear("535 5.7.8 no\r\n");
	assert_string_equal(
	    told(NULL), "> AUTH LOGIN\n< 334 <hidden>\n> <hidden>\n< 334 <hidden>\n> <hidden>\n< 535 5.7.8 no\n");
}

static void
a_server_that_echoes_a_credential_is_not_quoted(void **state)
{
	(void)state;
	hide("AUTH PLAIN AGFsaWNlAHNlY3JldHNlY3JldA==\r\n");
	hear("500 5.5.1 Command unrecognized: \"AUTH PLAIN AGFsaWNlAHNlY3JldHNlY3JldA==\"\r\n");
	assert_string_equal(told("mx refused: 500 \"AUTH PLAIN AGFsaWNlAHNlY3JldHNlY3JldA==\""),
	    "> AUTH PLAIN <hidden>\n< 500 5.5.1 Command unrecognized: \"AUTH PLAIN <hidden>\"\n"
	    "* mx refused: 500 \"AUTH PLAIN <hidden>\"\n");
}

static void
all_messages_of_auth_are_known_when_they_are_echoed(void **state)
{
	(void)state;
	hide("AUTH LOGIN dXNlcjEyMzQ=\r\n");
	hide("c2VjcmV0MTIz\r\n");
	hear("500 what is dXNlcjEyMzQ= and c2VjcmV0MTIz?\r\n");
	assert_string_equal(told(NULL), "> AUTH LOGIN <hidden>\n> <hidden>\n< 500 what is <hidden> and <hidden>?\n");
}

static void
no_octet_of_a_credential_is_in_memory_but_its_beginning(void **state)
{
	static const char secret[] = "AGFsaWNlAHNlY3JldHNlY3JldA";
	const char *octets = (const char *)&script;
	size_t most = 0, len;

	(void)state;
	hide("AUTH PLAIN AGFsaWNlAHNlY3JldHNlY3JldA\r\n");
	for (size_t at = 0; at + sizeof(secret) < sizeof(script); at++) {
		for (len = 0; len < sizeof(secret) - 1 && octets[at + len] == secret[len];)
			len++;
		most = len > most ? len : most;
	}
	assert_int_equal(most, 16);
}

static void
of_a_message_there_is_the_size(void **state)
{
	(void)state;
	say("DATA\r\n");
	transcript_gave(&script, 2000, 0);
	transcript_gave(&script, 314, 0);
	hear("550 5.7.1 no\r\n");
	assert_string_equal(told(NULL), "> DATA\n> <2,314 octets>\n< 550 5.7.1 no\n");
	begin(NULL);
	transcript_gave(&script, 1, 0);
	assert_string_equal(told(NULL), "> <1 octet>\n");
	begin(NULL);
	transcript_gave(&script, 1234567, 0);
	assert_string_equal(told(NULL), "> <1,234,567 octets>\n");
}

static void
several_commands_are_several_lines(void **state)
{
	(void)state;
	say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
	assert_string_equal(told(NULL), "> MAIL FROM:<a@b>\n> RCPT TO:<c@d>\n> DATA\n");
}

static void
a_line_that_comes_in_pieces_is_one(void **state)
{
	(void)state;
	hear("250-m");
	hear("x");
	hear("\r\n");
	hear("250 SIZE\r\n");
	assert_string_equal(told(NULL), "< 250-mx\n< 250 SIZE\n");
}

static void
a_long_line_is_cut(void **state)
{
	char line[TRANSCRIPT_LINE + 3], expected[TRANSCRIPT_LINE + 16];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line + TRANSCRIPT_LINE, "\r\n", 3);
	say(line);
	(void)snprintf(expected, sizeof(expected), "> %.*s\n", (int)TRANSCRIPT_LINE, line);
	assert_string_equal(told(NULL), expected); /* whole */
	begin(NULL);
	line[TRANSCRIPT_LINE] = 'x';
	transcript_said(&script, line, TRANSCRIPT_LINE + 1, 0);
	hear("250 ok\r\n");
	assert_non_null(strstr(told(NULL), "xxx…\n< 250 ok\n"));
	assert_true(strlen(told(NULL)) < sizeof(line) + 32);
}

static void
a_cut_is_not_amid_a_character(void **state)
{
	char line[TRANSCRIPT_LINE * 2];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		begin(NULL);
		memset(line, 'x', shift);
		for (size_t at = shift; at + 3 <= sizeof(line); at += 3)
			memcpy(line + at, "字", 3);
		transcript_said(&script, line, sizeof(line) - 3, 0);
		assert_null(strchr(told(NULL), '?'));
	}
}

static void
what_cannot_be_shown_is_replaced(void **state)
{
	(void)state;
	hear("550 \x1b[31mno\x07 \xff\xc2\x85 字\r\n");
	assert_string_equal(told("a\nb"), "< 550 ?[31mno? ??? 字\n* a?b\n");
}

static void
of_many_lines_the_first_and_the_last_are_told(void **state)
{
	char line[40];
	unsigned lines = 0;
	const char *text;

	(void)state;
	for (unsigned n = 0; n < 200; n++) {
		(void)snprintf(line, sizeof(line), "RCPT TO:<%u@b>\r\n", n);
		say(line);
	}
	text = told(NULL);
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, TRANSCRIPT_LINES + 1);
	assert_non_null(strstr(text, "> RCPT TO:<11@b>\n* 136 lines are left out here\n> RCPT TO:<148@b>\n"));
	assert_non_null(strstr(text, "> RCPT TO:<199@b>\n"));
	assert_int_equal(strncmp(text, "> RCPT TO:<0@b>\n", 16), 0);
}

static void
of_long_lines_there_are_fewer(void **state)
{
	char line[TRANSCRIPT_LINE + 1], last[32];
	const char *text;
	unsigned lines = 0, n;

	(void)state;
	for (n = 0; n < 100; n++) {
		memset(line, 'a' + (int)(n % 26), sizeof(line));
		(void)snprintf(line, sizeof(line), "550-%03u", n);
		line[7] = ' ';
		memcpy(line + TRANSCRIPT_LINE - 2, "\r\n", 3);
		hear(line);
	}
	text = told(NULL);
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	assert_true(lines > 10 && lines < 20);
	(void)snprintf(
	    last, sizeof(last), "< 550-%03u %c%c", n - 1, 'a' + (int)((n - 1) % 26), 'a' + (int)((n - 1) % 26));
	assert_non_null(strstr(text, last));
	assert_non_null(strstr(text, "< 550-000 aa"));
	assert_true(strlen(text) < TRANSCRIPT_OCTETS + 256);
}

static void
the_opening_is_told_with_the_first_mail_alone(void **state)
{
	(void)state;
	hear("220 mx\r\n");
	transcript_mail(&script, 0);
	say("MAIL FROM:<a@b>\r\n");
	hear("250 ok\r\n");
	assert_string_equal(told(NULL), "< 220 mx\n> MAIL FROM:<a@b>\n< 250 ok\n");
	transcript_over(&script);
	say("RSET\r\n");
	hear("250 reset\r\n");
	transcript_mail(&script, 0);
	say("MAIL FROM:<c@d>\r\n");
	hear("451 no\r\n");
	assert_string_equal(told(NULL), "> MAIL FROM:<c@d>\n< 451 no\n");
}

static void
of_several_mails_at_once_each_has_its_own_lines(void **state)
{
	(void)state;
	hear("220 mx\r\n");
	transcript_mail(&script, 0);
	say("MAIL FROM:<a@b>\r\nBDAT 3 LAST\r\n");
	transcript_gave(&script, 3, 0);
	for (unsigned n = 1; n < TRANSCRIPT_AHEAD; n++) {
		transcript_beside(&script);
		say("RSET\r\nMAIL FROM:<second@b>\r\n");
		transcript_gave(&script, 9, 0);
	}
	hear("550 not you\r\n");
	assert_string_equal(told(NULL), "< 220 mx\n> MAIL FROM:<a@b>\n> BDAT 3 LAST\n> <3 octets>\n< 550 not you\n");
	transcript_over(&script);
	hear("250 reset\r\n");
	hear("552 nor you\r\n");
	assert_string_equal(told(NULL), "> RSET\n> MAIL FROM:<second@b>\n> <9 octets>\n< 250 reset\n< 552 nor you\n");
}

static void
lines_of_one_mail_that_make_room_are_not_missed_by_another(void **state)
{
	(void)state;
	transcript_mail(&script, 0);
	for (unsigned n = 0; n < TRANSCRIPT_LINES - 2; n++)
		say("RCPT TO:<a@b>\r\n");
	transcript_beside(&script);
	say("MAIL FROM:<b@b>\r\n");
	say("RCPT TO:<c@b>\r\n");
	hear("250 ok\r\n");
	transcript_over(&script);
	hear("550 no\r\n");
	assert_string_equal(told(NULL), "> MAIL FROM:<b@b>\n> RCPT TO:<c@b>\n< 550 no\n");
}

static void
without_a_session_there_are_the_words_alone(void **state)
{
	char *text = transcript_text(NULL, "the password cannot be read", (struct nd_now){ 7, 5 });

	(void)state;
	assert_string_equal(text, "5\n0 * the password cannot be read\n");
	free(text);
}

static void
what_is_no_transcript_is_not_read(void **state)
{
	static const char *const bad[] = { "", "x", "1", "1 ", "1 ?", "1 ? a\n", "1 > a", "-1 > a\n", "1 >a\n",
		"1\n> a\n" };
	struct transcript_word word;
	nd_unix began;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *rest = bad[i];

		assert_false(transcript_next(&rest, &word));
	}
	assert_false(transcript_start(&(const char *){ "no" }, &began));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_line_tells_who_said_it_and_when, begin),
		cmocka_unit_test_setup(a_credential_is_hidden_and_its_mechanism_is_not, begin),
		cmocka_unit_test_setup(a_message_of_auth_and_a_challenge_are_hidden, begin),
		cmocka_unit_test_setup(a_server_that_echoes_a_credential_is_not_quoted, begin),
		cmocka_unit_test_setup(all_messages_of_auth_are_known_when_they_are_echoed, begin),
		cmocka_unit_test_setup(no_octet_of_a_credential_is_in_memory_but_its_beginning, begin),
		cmocka_unit_test_setup(of_a_message_there_is_the_size, begin),
		cmocka_unit_test_setup(several_commands_are_several_lines, begin),
		cmocka_unit_test_setup(a_line_that_comes_in_pieces_is_one, begin),
		cmocka_unit_test_setup(a_long_line_is_cut, begin),
		cmocka_unit_test_setup(a_cut_is_not_amid_a_character, begin),
		cmocka_unit_test_setup(what_cannot_be_shown_is_replaced, begin),
		cmocka_unit_test_setup(of_many_lines_the_first_and_the_last_are_told, begin),
		cmocka_unit_test_setup(of_long_lines_there_are_fewer, begin),
		cmocka_unit_test_setup(the_opening_is_told_with_the_first_mail_alone, begin),
		cmocka_unit_test_setup(of_several_mails_at_once_each_has_its_own_lines, begin),
		cmocka_unit_test_setup(lines_of_one_mail_that_make_room_are_not_missed_by_another, begin),
		cmocka_unit_test_setup(without_a_session_there_are_the_words_alone, begin),
		cmocka_unit_test_setup(what_is_no_transcript_is_not_read, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
