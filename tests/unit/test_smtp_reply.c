/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_reply.c - replies as servers send them, and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"
#include "daemon/core/smtp_reply.h"

#include <stdlib.h>
#include <string.h>

static struct smtp_reply reply;
static struct smtp_caps caps;

/* On the heap in its exact size, so that a read behind the end is seen. */
static long
read_octets(const char *octets, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	long used;

	assert_non_null(copy);
	memcpy(copy, octets, len);
	memset(&reply, 0x55, sizeof(reply));
	used = smtp_reply_read(copy, len, &reply, &caps);
	free(copy);
	return used;
}

static void
expect(const char *octets, int code, const char *enhanced, const char *text)
{
	const size_t len = strlen(octets);

	assert_int_equal(read_octets(octets, len), len);
	assert_int_equal(reply.code, code);
	assert_string_equal(reply.enhanced, enhanced);
	assert_string_equal(reply.text, text);
}

static void
a_reply_has_code_enhanced_code_and_text(void **state)
{
	(void)state;
	expect("250 2.1.0 Sender OK\r\n", 250, "2.1.0", "Sender OK");
	expect("554 5.2.252 SendAsDenied; a@b\r\n", 554, "5.2.252", "SendAsDenied; a@b");
	expect("220 relay.example ESMTP\r\n", 220, "", "relay.example ESMTP");
	expect("354 Start mail input; end with <CRLF>.<CRLF>\r\n", 354, "", "Start mail input; end with <CRLF>.<CRLF>");
	assert_int_equal(reply.lines, 1);
}

static void
a_bare_code_is_a_reply(void **state)
{
	(void)state;
	expect("250\r\n", 250, "", "");
	expect("250\n", 250, "", "");
	expect("250 \r\n", 250, "", "");
	expect("334 \r\n", 334, "", "");
	expect("250 2.0.0\r\n", 250, "2.0.0", "");
}

static void
lines_are_joined_and_the_enhanced_code_is_taken_off_each(void **state)
{
	(void)state;
	expect("535-5.7.8 Username and Password not accepted. For more information, go to\r\n"
	       "535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp\r\n",
	    535, "5.7.8",
	    "Username and Password not accepted. For more information, go to "
	    "https://support.google.com/mail/?p=BadCredentials - gsmtp");
	assert_int_equal(reply.lines, 2);
	expect("550-no\r\n550-\r\n550 5.1.1 such\r\n", 550, "5.1.1", "no such");
	expect("250-a\n250-b\r\n250\n", 250, "", "a b");
	expect("250-a\r\n250 \r\r\n", 250, "", "a");
}

static void
only_the_first_reply_is_taken(void **state)
{
	(void)state;
	assert_int_equal(read_octets("250 a\r\n250 b\r\n", 14), 7);
	assert_string_equal(reply.text, "a");
}

static void
what_only_looks_like_an_enhanced_code_stays_in_the_text(void **state)
{
	(void)state;
	expect("550 5.1.1.1 is an address\r\n", 550, "", "5.1.1.1 is an address");
	expect("550 5.1 x\r\n", 550, "", "5.1 x");
	expect("550 5.1234.1 x\r\n", 550, "", "5.1234.1 x");
	expect("550 5.1.1234 x\r\n", 550, "", "5.1.1234 x");
	expect("550 5..1 xx\r\n", 550, "", "5..1 xx");
	expect("550 3.1.1 x\r\n", 550, "", "3.1.1 x");
	expect("550 51.1 xx\r\n", 550, "", "51.1 xx");
	expect("550 5.1.1: x\r\n", 550, "", "5.1.1: x");
	expect(
	    "450 5.999.999 servers disagree with themselves\r\n", 450, "5.999.999", "servers disagree with themselves");
}

static void
every_start_of_a_reply_is_incomplete(void **state)
{
	static const char text[] = "250-relay.example hi\r\n250-SIZE 1000\r\n250 2.0.0 AUTH PLAIN\r\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(read_octets(text, len), 0);
	assert_int_equal(read_octets(text, sizeof(text) - 1), sizeof(text) - 1);
}

static void
what_is_not_smtp_is_known_by_its_first_octets(void **state)
{
	static const char *const texts[] = { "H", "SSH-2.0-x\r\n", "\x16\x03\x01", "1", "199 x\r\n", "600 x\r\n", "2x",
		"25x", "250x", "250+ok\r\n", "2\r\n", "25\r\n", "25\n", "\r\n", "\n", " 250 ok\r\n", "-50 x\r\n",
		"250\tok\r\n" };

	(void)state;
	for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++)
		assert_int_equal(read_octets(texts[n], strlen(texts[n])), -1);
	assert_int_equal(read_octets("\0", 1), -1);
}

static void
the_lines_of_a_reply_have_one_code(void **state)
{
	(void)state;
	assert_int_equal(read_octets("250-a\r\n251 b\r\n", 14), -1);
	assert_int_equal(read_octets("250-a\r\n550-b\r\n", 14), -1);
	assert_int_equal(read_octets("250-a\r\nx", 8), -1);
}

static void
a_line_may_have_4096_octets(void **state)
{
	char line[5000];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	assert_int_equal(read_octets(line, 4095), 0);
	assert_int_equal(read_octets(line, 4096), -1);
	line[4095] = '\n';
	assert_int_equal(read_octets(line, 4096), 4096);
	assert_int_equal(strlen(reply.text), SMTP_REPLY_TEXT - 1);
	line[4095] = 'x';
	line[4096] = '\n';
	assert_int_equal(read_octets(line, 4097), -1);
}

static void
a_reply_may_have_64_lines(void **state)
{
	char text[70 * 8];
	size_t len = 0;

	(void)state;
	for (int n = 0; n < 63; n++, len += 7)
		memcpy(text + len, "250-x\r\n", 7);
	assert_int_equal(read_octets(text, len), 0);
	memcpy(text + len, "250 x\r\n", 7);
	assert_int_equal(read_octets(text, len + 7), len + 7);
	assert_int_equal(reply.lines, 64);
	memcpy(text + len, "250-x\r\n", 7);
	assert_int_equal(read_octets(text, len + 7), -1);
}

static void
a_reply_may_have_65536_octets(void **state)
{
	char *text = malloc(70000);
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	for (; len + 4000 < 66000; len += 4000) {
		memset(text + len, 'x', 4000);
		memcpy(text + len, "250-", 4);
		text[len + 3999] = '\n';
	}
	assert_int_equal(len, 64000);
	assert_int_equal(read_octets(text, len), 0);
	memset(text + len, 'x', 4000);
	memcpy(text + len, "250 ", 4);
	text[len + 1535] = '\n';
	assert_int_equal(read_octets(text, len + 1536), 65536);
	text[len + 1535] = 'x';
	assert_int_equal(read_octets(text, 65536), 0);
	assert_int_equal(read_octets(text, 65537), -1);
	text[len + 1536] = '\n';
	assert_int_equal(read_octets(text, 65537), -1);
	free(text);
}

static void
text_is_made_fit_to_be_shown(void **state)
{
	static const char octets[] =
	    "550 \x1b[1mbold\x07\x7f\xc2\x9b \xff\xc3\xa9 \xe2\x82\xac\t\xf0\x9f\x98\x80 \xc3\r\n";

	(void)state;
	assert_int_equal(read_octets(octets, sizeof(octets) - 1), sizeof(octets) - 1);
	assert_true(nd_str_utf8(reply.text, strlen(reply.text)));
	assert_false(nd_str_has_control(reply.text, strlen(reply.text)));
	assert_string_equal(reply.text, "?[1mbold???? ?\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 ?");
	assert_int_equal(read_octets("550 a\0b\r\n", 9), 9);
	assert_string_equal(reply.text, "a?b");
	expect("550 a \t  b   \r\n", 550, "", "a b");
}

/* The text is cut between characters. */
static void
a_long_text_is_cut_between_characters(void **state)
{
	char line[1200] = "550 ";
	size_t len = 4;

	(void)state;
	line[len++] = 'x';
	while (len < 1100) {
		memcpy(line + len, "\xe2\x82\xac", 3);
		len += 3;
	}
	memcpy(line + len, "\r\n", 2);
	assert_int_equal(read_octets(line, len + 2), len + 2);
	assert_int_equal(strlen(reply.text), 1 + 170 * 3); /* 511 octets have room for 170 characters of 3 */
	assert_true(nd_str_utf8(reply.text, strlen(reply.text)));
}

static void
a_text_that_is_full_takes_no_further_line(void **state)
{
	char text[2 * 600];
	size_t len = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "550-", 4);
	len = 4 + 510;
	text[len++] = '\n';
	memcpy(text + len, "550 yyy\n", 8);
	assert_int_equal(read_octets(text, len + 8), len + 8);
	assert_null(strchr(reply.text, 'y'));
	assert_int_equal(strlen(reply.text), 510);
}

static void
clean_fits_its_room(void **state)
{
	char out[8];

	(void)state;
	smtp_reply_clean(out, sizeof(out), "0123456789", 10);
	assert_string_equal(out, "0123456");
	smtp_reply_clean(out, sizeof(out), "12345 \xe2\x82\xac", 9);
	assert_string_equal(out, "12345");
	smtp_reply_clean(out, 1, "x", 1);
	assert_string_equal(out, "");
	smtp_reply_clean(out, sizeof(out), "", 0);
	assert_string_equal(out, "");
}

/* ---- EHLO ---- */

static void
ehlo(const char *octets)
{
	memset(&caps, 0, sizeof(caps));
	assert_int_equal(read_octets(octets, strlen(octets)), strlen(octets));
}

static void
capabilities_of_exchange_online_are_read(void **state)
{
	(void)state;
	ehlo("250-SYBP282MB2635.AUSP282.PROD.OUTLOOK.COM Hello [192.0.2.1]\r\n250-SIZE 157286400\r\n250-PIPELINING\r\n"
	     "250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-AUTH LOGIN XOAUTH2\r\n250-8BITMIME\r\n250-BINARYMIME\r\n"
	     "250-CHUNKING\r\n250 SMTPUTF8\r\n");
	assert_true(caps.size && caps.pipelining && caps.dsn && caps.enhanced && caps.eightbitmime && caps.chunking);
	assert_true(caps.smtputf8 && caps.auth_login && caps.auth_xoauth2);
	assert_false(caps.starttls || caps.auth_plain || caps.auth_oauthbearer || caps.requiretls);
	assert_int_equal(caps.size_max, 157286400);
	assert_int_equal(caps.rcpt_max, 0);
	assert_string_equal(caps.auth, "LOGIN XOAUTH2");
}

static void
keywords_have_no_case_and_auth_has_two_spellings(void **state)
{
	(void)state;
	ehlo("250-x\r\n250-starttls\r\n250-auth=login\r\n250-Auth PLAIN  OAuthBearer \r\n250-RequireTLS\r\n250 "
	     "limits MAILMAX=1000 RCPTMAX=500\r\n");
	assert_true(caps.starttls && caps.auth_login && caps.auth_plain && caps.auth_oauthbearer && caps.requiretls);
	assert_string_equal(caps.auth, "login PLAIN OAuthBearer");
	assert_int_equal(caps.rcpt_max, 500);
}

static void
the_greeting_line_of_ehlo_is_no_capability(void **state)
{
	(void)state;
	ehlo("250-STARTTLS\r\n250 SIZE\r\n");
	assert_false(caps.starttls);
	assert_true(caps.size);
	ehlo("250 PIPELINING\r\n");
	assert_false(caps.pipelining);
}

static void
nonsense_in_capabilities_means_nothing(void **state)
{
	(void)state;
	ehlo("250-x\r\n250-SIZE 99999999999999999999\r\n250-LIMITS RCPTMAX=0 RCPTMAX=x\r\n250-AUTH\r\n250-AUTHX "
	     "PLAIN\r\n"
	     "250-\r\n250-STARTTLSX\r\n250 XSIZE 5\r\n");
	assert_true(caps.size);
	assert_int_equal(caps.size_max, 0);
	assert_int_equal(caps.rcpt_max, 0);
	assert_false(caps.auth_plain || caps.starttls);
	assert_string_equal(caps.auth, "");
	ehlo("250-x\r\n250-SIZE -5\r\n250 SIZE 0\r\n");
	assert_int_equal(caps.size_max, 0);
}

static void
a_long_list_of_mechanisms_is_cut_for_show_but_read_to_its_end(void **state)
{
	(void)state;
	ehlo("250-x\r\n250 AUTH MECHANISM-NUMBER-ONE MECHANISM-NUMBER-TWO MECHANISM-NUMBER-THREE MECHANISM-NUMBER-FOUR "
	     "MECHANISM-NUMBER-FIVE XOAUTH2\r\n");
	assert_true(caps.auth_xoauth2);
	assert_string_equal(caps.auth,
	    "MECHANISM-NUMBER-ONE MECHANISM-NUMBER-TWO MECHANISM-NUMBER-THREE MECHANISM-NUMBER-FOUR XOAUTH2");
}

static void
capabilities_are_untouched_by_an_incomplete_or_refusing_reply(void **state)
{
	(void)state;
	memset(&caps, 0, sizeof(caps));
	caps.pipelining = true;
	assert_int_equal(read_octets("250-x\r\n250-STARTTLS\r\n", 21), 0);
	assert_int_equal(read_octets("502-x\r\n502 STARTTLS\r\n", 21), 21);
	assert_true(caps.pipelining);
	assert_false(caps.starttls);
	assert_int_equal(smtp_reply_read("250-x\r\n250 STARTTLS\r\n", 21, &reply, NULL), 21);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_has_code_enhanced_code_and_text),
		cmocka_unit_test(a_bare_code_is_a_reply),
		cmocka_unit_test(lines_are_joined_and_the_enhanced_code_is_taken_off_each),
		cmocka_unit_test(only_the_first_reply_is_taken),
		cmocka_unit_test(what_only_looks_like_an_enhanced_code_stays_in_the_text),
		cmocka_unit_test(every_start_of_a_reply_is_incomplete),
		cmocka_unit_test(what_is_not_smtp_is_known_by_its_first_octets),
		cmocka_unit_test(the_lines_of_a_reply_have_one_code),
		cmocka_unit_test(a_line_may_have_4096_octets),
		cmocka_unit_test(a_reply_may_have_64_lines),
		cmocka_unit_test(a_reply_may_have_65536_octets),
		cmocka_unit_test(text_is_made_fit_to_be_shown),
		cmocka_unit_test(a_long_text_is_cut_between_characters),
		cmocka_unit_test(a_text_that_is_full_takes_no_further_line),
		cmocka_unit_test(clean_fits_its_room),
		cmocka_unit_test(capabilities_of_exchange_online_are_read),
		cmocka_unit_test(keywords_have_no_case_and_auth_has_two_spellings),
		cmocka_unit_test(the_greeting_line_of_ehlo_is_no_capability),
		cmocka_unit_test(nonsense_in_capabilities_means_nothing),
		cmocka_unit_test(a_long_list_of_mechanisms_is_cut_for_show_but_read_to_its_end),
		cmocka_unit_test(capabilities_are_untouched_by_an_incomplete_or_refusing_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
