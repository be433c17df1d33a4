/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_ext.c - what is added to MAIL and RCPT, and which refusals speak of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/smtp_check.h"
#include "daemon/core/smtp_ext.h"

#include <stdio.h>
#include <string.h>

#define ALL_PARAMETERS                                                                                                 \
	(SMTP_EXT_BIT(SMTP_EXT_DSN) | SMTP_EXT_BIT(SMTP_EXT_SIZE) | SMTP_EXT_BIT(SMTP_EXT_8BITMIME) |                  \
	    SMTP_EXT_BIT(SMTP_EXT_SMTPUTF8))
#define ONE_FLIGHT (SMTP_EXT_BIT(SMTP_EXT_FLIGHT) | SMTP_EXT_BIT(SMTP_EXT_PIPELINING))

static const struct smtp_caps everything = {
	.pipelining = true, .chunking = true, .eightbitmime = true, .smtputf8 = true, .dsn = true, .size = true
};
static const char *const ascii[] = { "ops@example.com" };
static const char *const beyond[] = { "gr\xc3\xb6\xc3\x9f"
				      "e@example.com" };

static void
expect_mail(const struct smtp_mail *mail, const struct smtp_caps *caps, const char *want)
{
	struct nd_buf out;

	nd_buf_init(&out, 4096);
	smtp_ext_write_mail(mail, smtp_ext_used(mail, caps), &out);
	assert_string_equal(nd_buf_text(&out), want);
	nd_buf_done(&out);
}

static void
expect_rcpt(const char *address, unsigned used, const char *want)
{
	struct nd_buf out;

	nd_buf_init(&out, 4096);
	smtp_ext_write_rcpt(address, used, &out);
	assert_string_equal(nd_buf_text(&out), want);
	nd_buf_done(&out);
}

static void
expect_xtext(const char *text, const char *want)
{
	struct nd_buf out;

	nd_buf_init(&out, 4096);
	smtp_ext_xtext(text, &out);
	assert_string_equal(nd_buf_text(&out), want);
	nd_buf_done(&out);
}

static void
xtext_leaves_what_is_printable_but_for_plus_and_equals(void **state)
{
	(void)state;
	expect_xtext("", "");
	expect_xtext("01JD0000000000000000000000", "01JD0000000000000000000000");
	expect_xtext("!~<>\"\\@", "!~<>\"\\@");
	expect_xtext("a+b=c d\t\x7f", "a+2Bb+3Dc+20d+09+7F");
	expect_xtext("\xc3\xb6", "+C3+B6");
}

static void
only_what_is_offered_and_wanted_is_added_to_mail(void **state)
{
	struct smtp_mail mail = { .from = "a@example.com", .rcpts = ascii, .rcpt_count = 1, .size = 7 };
	struct smtp_caps caps = { 0 };

	(void)state;
	expect_mail(&mail, &caps, "MAIL FROM:<a@example.com>\r\n");
	expect_mail(&mail, &everything, "MAIL FROM:<a@example.com> SIZE=7\r\n");
	mail.eight = true;
	expect_mail(&mail, &everything, "MAIL FROM:<a@example.com> SIZE=7 BODY=8BITMIME\r\n");
	mail.envid = "JOB+1";
	expect_mail(&mail, &everything, "MAIL FROM:<a@example.com> RET=HDRS ENVID=JOB+2B1 SIZE=7 BODY=8BITMIME\r\n");
	expect_mail(&mail, &caps, "MAIL FROM:<a@example.com>\r\n");
	mail.from = "";
	mail.eight = false;
	expect_mail(&mail, &everything, "MAIL FROM:<> SIZE=7\r\n");
	mail.rcpts = beyond;
	expect_mail(&mail, &everything, "MAIL FROM:<> SIZE=7 BODY=8BITMIME SMTPUTF8\r\n");
	caps.eightbitmime = true;
	expect_mail(&mail, &caps, "MAIL FROM:<>\r\n");
	mail.require_tls = true;
	caps.requiretls = true;
	expect_mail(&mail, &caps, "MAIL FROM:<> REQUIRETLS\r\n");
}

static void
a_report_of_failure_is_asked_for_each_recipient(void **state)
{
	char address[512], want[64];

	(void)state;
	expect_rcpt("ops+night@example.com", SMTP_EXT_BIT(SMTP_EXT_SIZE), "RCPT TO:<ops+night@example.com>\r\n");
	expect_rcpt("ops+night@example.com", SMTP_EXT_BIT(SMTP_EXT_DSN),
	    "RCPT TO:<ops+night@example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ops+2Bnight@example.com\r\n");
	expect_rcpt(beyond[0], SMTP_EXT_BIT(SMTP_EXT_DSN),
	    "RCPT TO:<gr\xc3\xb6\xc3\x9f"
	    "e@example.com> NOTIFY=FAILURE,DELAY\r\n");
	/* An original that the protocol cannot carry is left out, not cut. */
	memset(address, '+', 200);
	(void)snprintf(address + 200, sizeof(address) - 200, "@example.com");
	(void)snprintf(want, sizeof(want), "@example.com> NOTIFY=FAILURE,DELAY\r\n");
	{
		struct nd_buf out;

		nd_buf_init(&out, 4096);
		smtp_ext_write_rcpt(address, SMTP_EXT_BIT(SMTP_EXT_DSN), &out);
		assert_non_null(strstr(nd_buf_text(&out), want));
		nd_buf_done(&out);
	}
}

static void
what_is_left_out_keeps_its_limits(void **state)
{
	struct smtp_caps caps = everything;

	(void)state;
	caps.size_max = 1000;
	smtp_ext_leave_out(&caps, SMTP_EXT_BIT(SMTP_EXT_SIZE) | SMTP_EXT_BIT(SMTP_EXT_CHUNKING) |
				      SMTP_EXT_BIT(SMTP_EXT_FLIGHT) | SMTP_EXT_BIT(SMTP_EXT_WINDOW));
	assert_false(caps.size);
	assert_false(caps.chunking);
	assert_true(caps.pipelining && caps.dsn && caps.smtputf8 && caps.eightbitmime);
	assert_int_equal(caps.size_max, 1000);
}

static void
a_size_that_the_server_refused_is_not_asked_for(void **state)
{
	const struct smtp_mail mail = { .from = "a@example.com", .size = 2000, .too_big = 2000 };
	struct smtp_mail smaller = mail, unknown = mail;
	struct smtp_caps caps = everything;
	struct smtp_reply refusal;

	(void)state;
	caps.size_max = 5000; /* whatever it announces */
	assert_false(smtp_check_mail(&mail, &caps, "relay.example", &refusal));
	assert_int_equal(refusal.code, 552);
	assert_int_equal(refusal.lines, 0);
	assert_string_equal(refusal.enhanced, "5.3.4");
	assert_string_equal(refusal.text,
	    "notifyd did not ask: the message has 2000 octets, relay.example has refused one of 2000 for its size");
	smaller.size = 1999;
	assert_true(smtp_check_mail(&smaller, &caps, "relay.example", &refusal));
	unknown.too_big = 0;
	assert_true(smtp_check_mail(&unknown, &caps, "relay.example", &refusal));
	unknown.size = 5001;
	assert_false(smtp_check_mail(&unknown, &caps, "relay.example", &refusal));
	assert_non_null(strstr(refusal.text, "takes 5000"));
}

struct accusation {
	const char *reply;
	enum smtp_stage stage;
	unsigned used;
	enum smtp_ext accused;
};
/* clang-format off */
static const struct accusation accusations[] = {
	/* The server says which. */
	{ "555 5.5.4 Unsupported option: RET=HDRS", SMTP_AT_MAIL, ALL_PARAMETERS, SMTP_EXT_DSN },
	{ "501 5.5.4 Bad message size syntax", SMTP_AT_MAIL, ALL_PARAMETERS, SMTP_EXT_SIZE },
	{ "504 BODY parameter not implemented", SMTP_AT_MAIL, ALL_PARAMETERS, SMTP_EXT_8BITMIME },
	{ "555 5.5.4 Unsupported option: SMTPUTF8", SMTP_AT_MAIL, ALL_PARAMETERS, SMTP_EXT_SMTPUTF8 },
	{ "500 5.5.2 unknown parameter NOTIFY", SMTP_AT_RCPT, ONE_FLIGHT | ALL_PARAMETERS, SMTP_EXT_DSN },
	{ "503 BDAT what?", SMTP_AT_END, ONE_FLIGHT | SMTP_EXT_BIT(SMTP_EXT_CHUNKING), SMTP_EXT_CHUNKING },
	{ "553 ORCPT address syntax error", SMTP_AT_RCPT, ALL_PARAMETERS, SMTP_EXT_DSN },
	/* It does not: what can be missed most easily. */
	{ "555 MAIL FROM/RCPT TO parameters not recognized", SMTP_AT_MAIL, ALL_PARAMETERS, SMTP_EXT_DSN },
	{ "555 not recognized", SMTP_AT_MAIL, ALL_PARAMETERS & ~SMTP_EXT_BIT(SMTP_EXT_DSN), SMTP_EXT_SIZE },
	{ "501 5.5.4 Invalid arguments", SMTP_AT_MAIL, SMTP_EXT_BIT(SMTP_EXT_8BITMIME), SMTP_EXT_8BITMIME },
	{ "501 Syntax error in parameters", SMTP_AT_MAIL, ALL_PARAMETERS, SMTP_EXT_DSN },
	{ "504 5.5.4 no", SMTP_AT_RCPT, ALL_PARAMETERS, SMTP_EXT_DSN },
	{ "501 Syntax error in parameters or arguments", SMTP_AT_RCPT, ALL_PARAMETERS, SMTP_EXT_DSN },
	{ "500 Line too long", SMTP_AT_RCPT, ALL_PARAMETERS, SMTP_EXT_DSN },
	{ "555 no", SMTP_AT_MAIL, SMTP_EXT_BIT(SMTP_EXT_SMTPUTF8), SMTP_EXT_SMTPUTF8 },
	/* A manner. */
	{ "503 5.5.1 bad sequence of commands", SMTP_AT_MAIL, ONE_FLIGHT | ALL_PARAMETERS, SMTP_EXT_FLIGHT },
	{ "503 5.5.1 bad sequence", SMTP_AT_MAIL, SMTP_EXT_BIT(SMTP_EXT_WINDOW) | ONE_FLIGHT, SMTP_EXT_WINDOW },
	{ "502 no", SMTP_AT_DATA, SMTP_EXT_BIT(SMTP_EXT_PIPELINING), SMTP_EXT_PIPELINING },
	{ "501 no", SMTP_AT_END, SMTP_EXT_BIT(SMTP_EXT_CHUNKING), SMTP_EXT_CHUNKING },
	{ "555 REQUIRETLS what?", SMTP_AT_MAIL, ALL_PARAMETERS | SMTP_EXT_BIT(SMTP_EXT_REQUIRETLS), SMTP_EXT_NONE },
	/* The mail, its sender, its recipient. */
	{ "555 not recognized", SMTP_AT_MAIL, 0, SMTP_EXT_NONE },
	{ "501 Bad sender", SMTP_AT_MAIL, SMTP_EXT_BIT(SMTP_EXT_SMTPUTF8), SMTP_EXT_NONE },
	{ "501 5.1.7 Bad sender address syntax", SMTP_AT_MAIL, ALL_PARAMETERS, SMTP_EXT_NONE },
	{ "501 5.1.3 Bad recipient address syntax", SMTP_AT_RCPT, ALL_PARAMETERS, SMTP_EXT_NONE },
	{ "553 5.5.2 bad recipient", SMTP_AT_RCPT, ALL_PARAMETERS, SMTP_EXT_NONE },
	{ "501 bad recipient", SMTP_AT_RCPT, ALL_PARAMETERS, SMTP_EXT_NONE },
	{ "504 no", SMTP_AT_RCPT, SMTP_EXT_BIT(SMTP_EXT_SIZE), SMTP_EXT_NONE },
	{ "552 5.3.4 Message size exceeds fixed limit", SMTP_AT_MAIL, ALL_PARAMETERS, SMTP_EXT_NONE },
	{ "550 5.1.1 no such user", SMTP_AT_RCPT, ONE_FLIGHT | ALL_PARAMETERS, SMTP_EXT_NONE },
	{ "451 4.3.0 later", SMTP_AT_MAIL, ONE_FLIGHT | ALL_PARAMETERS, SMTP_EXT_NONE },
	{ "554 5.5.1 no valid recipients", SMTP_AT_END, ONE_FLIGHT | ALL_PARAMETERS, SMTP_EXT_NONE },
	{ "250 2.1.0 SIZE ok", SMTP_AT_MAIL, ONE_FLIGHT | ALL_PARAMETERS, SMTP_EXT_NONE },
};
/* clang-format on */

static void
a_refusal_accuses_what_it_speaks_of(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(accusations) / sizeof(accusations[0]); n++) {
		const struct accusation *a = &accusations[n];
		struct smtp_reply reply;
		enum smtp_ext accused;
		char line[256];

		(void)snprintf(line, sizeof(line), "%s\r\n", a->reply);
		assert_true(smtp_reply_read(line, strlen(line), &reply, NULL) > 0);
		accused = smtp_ext_accused(&reply, a->stage, a->used);
		if (accused != a->accused)
			fail_msg(
			    "\"%s\" accuses %s, not %s", a->reply, smtp_ext_name(accused), smtp_ext_name(a->accused));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xtext_leaves_what_is_printable_but_for_plus_and_equals),
		cmocka_unit_test(only_what_is_offered_and_wanted_is_added_to_mail),
		cmocka_unit_test(a_report_of_failure_is_asked_for_each_recipient),
		cmocka_unit_test(what_is_left_out_keeps_its_limits),
		cmocka_unit_test(a_size_that_the_server_refused_is_not_asked_for),
		cmocka_unit_test(a_refusal_accuses_what_it_speaks_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
