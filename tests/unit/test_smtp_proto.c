/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_proto.c - our half of the conversation: every dialogue in several slicings, broken at every octet, and what a file cannot say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"
#include "daemon/core/smtp_check.h"
#include "daemon/core/smtp_proto.h"
#include "tests/unit/dialogue.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static glob_t files;

static void
find_files(void)
{
	const char *top = getenv("srcdir");
	char pattern[512];

	(void)snprintf(pattern, sizeof(pattern), "%s/tests/dialogues/*.smtp", top ? top : ".");
	(void)glob(pattern, 0, NULL, &files);
}

/* ---- the dialogues ---- */

static void
each_dialogue_goes_as_written_in_any_slicing(void **state)
{
	static const size_t slices[] = { 0, 1, 2, 3, 7, 64 };
	char complaint[DIALOGUE_COMPLAINT];
	unsigned bad = 0;

	(void)state;
	assert_true(files.gl_pathc >= 40);
	for (size_t n = 0; n < files.gl_pathc; n++) {
		for (size_t s = 0; s < sizeof(slices) / sizeof(slices[0]); s++) {
			if (dialogue_play(files.gl_pathv[n], slices[s], complaint))
				continue;
			print_error("%s (slices of %zu)\n", complaint, slices[s]);
			bad++;
			break;
		}
	}
	assert_int_equal(bad, 0);
}

static void
break_everywhere(enum dialogue_cut how)
{
	char complaint[DIALOGUE_COMPLAINT];

	for (size_t n = 0; n < files.gl_pathc; n++) {
		bool done = false;

		for (size_t after = 0; !done; after++)
			if (!dialogue_break(files.gl_pathv[n], after, how, &done, complaint))
				fail_msg("%s", complaint);
	}
}

static void
a_connection_lost_after_any_octet_ends_the_session_once(void **state)
{
	(void)state;
	break_everywhere(DIALOGUE_LOST);
}

static void
garbage_after_any_octet_ends_the_session_once(void **state)
{
	(void)state;
	break_everywhere(DIALOGUE_GARBAGE);
}

static void
silence_after_any_octet_ends_the_session_once(void **state)
{
	(void)state;
	break_everywhere(DIALOGUE_LATE);
}

/* ---- single steps ---- */

static const char *const one_rcpt[] = { "ops@example.com" };
static struct smtp_rcpt_result one_result[1];
static struct smtp_settings plain_settings = {
	.ehlo = "host.example", .host = "relay.example", .security = SMTP_PLAINTEXT, .loopback = true
};

/* Takes what the client wrote; the text stays until the next call. */
static const char *
said(struct smtp_proto *proto)
{
	static char text[4096];
	bool secret;
	struct nd_buf *out = smtp_proto_output(proto, &secret);

	assert_true(out->len < sizeof(text));
	(void)snprintf(text, sizeof(text), "%s", nd_buf_text(out));
	nd_buf_drop(out, out->len);
	return text;
}

static void
hear(struct smtp_proto *proto, const char *text, nd_ms now)
{
	smtp_proto_input(proto, text, strlen(text), now);
}

static struct smtp_proto *
ready_session(nd_ms now)
{
	struct smtp_proto *proto = smtp_proto_new(&plain_settings, now);

	hear(proto, "220 hi\r\n", now);
	assert_string_equal(said(proto), "EHLO host.example\r\n");
	hear(proto, "250 hi\r\n", now);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_MAIL);
	return proto;
}

static void
give_mail(struct smtp_proto *proto, nd_ms now)
{
	const struct smtp_mail mail = {
		.from = "a@example.com", .rcpts = one_rcpt, .rcpt_count = 1, .results = one_result, .size = 4
	};

	smtp_proto_mail(proto, &mail, now);
}

/* Up to the content: the client wants to send it. */
static struct smtp_proto *
session_at_content(nd_ms now)
{
	struct smtp_proto *proto = ready_session(now);

	give_mail(proto, now);
	assert_string_equal(said(proto), "MAIL FROM:<a@example.com>\r\n");
	hear(proto, "250 ok\r\n", now);
	assert_string_equal(said(proto), "RCPT TO:<ops@example.com>\r\n");
	hear(proto, "250 ok\r\n", now);
	assert_string_equal(said(proto), "DATA\r\n");
	hear(proto, "354 go\r\n", now);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_CONTENT);
	return proto;
}

static void
expect_lost(struct smtp_proto *proto, enum smtp_stage stage, enum nd_err err)
{
	struct smtp_outcome outcome;

	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_RESULT);
	smtp_proto_result(proto, &outcome);
	assert_int_equal(outcome.end, SMTP_ENDED_LOST);
	assert_int_equal(outcome.stage, stage);
	assert_int_equal(outcome.why.err, err);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_CLOSE);
	assert_null(smtp_proto_fault(proto));
}

static void
eight_bits_are_declared_where_they_are_offered(void **state)
{
	static const char *const offers[] = { "250-hi\r\n250 8BITMIME\r\n", "250 hi\r\n" };
	struct smtp_mail mail = {
		.from = "a@example.com", .rcpts = one_rcpt, .rcpt_count = 1, .results = one_result, .size = 4
	};

	(void)state;
	for (unsigned offered = 0; offered < 2; offered++) {
		for (unsigned eight = 0; eight < 2; eight++) {
			struct smtp_proto *proto = smtp_proto_new(&plain_settings, 0);

			mail.eight = eight;
			hear(proto, "220 hi\r\n", 0);
			(void)said(proto);
			hear(proto, offers[offered], 0);
			smtp_proto_mail(proto, &mail, 0);
			assert_string_equal(said(proto), offered == 0 && eight
							     ? "MAIL FROM:<a@example.com> BODY=8BITMIME\r\n"
							     : "MAIL FROM:<a@example.com>\r\n");
			smtp_proto_free(proto);
		}
	}
}

static void
patience_is_that_of_rfc_5321_at_each_stage(void **state)
{
	struct smtp_proto *proto = smtp_proto_new(&plain_settings, 1000);

	(void)state;
	assert_int_equal(smtp_proto_deadline(proto), 1000 + ND_MIN(5));
	hear(proto, "220 hi\r\n", 2000);
	(void)said(proto);
	assert_int_equal(smtp_proto_deadline(proto), 2000 + ND_MIN(5));
	hear(proto, "250 hi\r\n", 3000);
	assert_int_equal(smtp_proto_deadline(proto), ND_NEVER);
	give_mail(proto, 4000);
	(void)said(proto);
	assert_int_equal(smtp_proto_deadline(proto), 4000 + ND_MIN(5));
	hear(proto, "250 ok\r\n", 5000);
	(void)said(proto);
	assert_int_equal(smtp_proto_deadline(proto), 5000 + ND_MIN(5));
	hear(proto, "250 ok\r\n", 6000);
	(void)said(proto);
	assert_int_equal(smtp_proto_deadline(proto), 6000 + ND_MIN(2));
	hear(proto, "354 go\r\n", 7000);
	assert_int_equal(smtp_proto_deadline(proto), 7000 + ND_MIN(3));
	smtp_proto_content(proto, "x", 1, false, 8000);
	assert_int_equal(smtp_proto_deadline(proto), 8000 + ND_MIN(3));
	smtp_proto_content(proto, "", 0, true, 9000);
	assert_string_equal(said(proto), "x\r\n.\r\n");
	assert_int_equal(smtp_proto_deadline(proto), 9000 + ND_MIN(10));
	smtp_proto_free(proto);
}

static void
a_reply_without_its_end_does_not_extend_the_patience(void **state)
{
	struct smtp_proto *proto = smtp_proto_new(&plain_settings, 0);

	(void)state;
	for (nd_ms now = 0; now < ND_MIN(5); now += ND_MIN(1))
		hear(proto, "220-still here\r\n", now);
	assert_int_equal(smtp_proto_deadline(proto), ND_MIN(5));
	smtp_proto_late(proto, ND_MIN(5));
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_CLOSE);
	assert_int_equal(smtp_proto_fault(proto)->why.err, ND_EDEADLINE);
	assert_string_equal(
	    smtp_proto_fault(proto)->why.text, "relay.example did not answer for 300 s while waiting for the greeting");
	smtp_proto_free(proto);
}

static void
a_reply_to_a_command_that_was_not_sent_yet_is_not_believed(void **state)
{
	struct smtp_proto *proto = ready_session(0);

	(void)state;
	give_mail(proto, 0);
	(void)said(proto);
	hear(proto, "250 ok\r\n250 ok\r\n", 0); /* the second before RCPT could be heard */
	expect_lost(proto, SMTP_AT_RCPT, ND_EPROTOCOL);
	smtp_proto_free(proto);
}

static void
an_idle_session_given_up_just_before_a_mail_costs_the_mail_nothing(void **state)
{
	static const enum smtp_pace paces[] = { SMTP_STEPWISE, SMTP_CHUNKED, SMTP_ONE_FLIGHT };

	(void)state;
	for (unsigned n = 0; n < 6; n++) {
		const struct smtp_mail mail = { .from = "a@example.com",
			.rcpts = one_rcpt,
			.rcpt_count = 1,
			.results = one_result,
			.size = 4,
			.pace = paces[n % 3] };
		const nd_ms then = n < 3 ? ND_SEC(4) : ND_MIN(5); /* after the longer pause it would be RSET */
		struct smtp_proto *proto = smtp_proto_new(&plain_settings, 0);
		struct smtp_outcome outcome;

		hear(proto, "220 hi\r\n", 0);
		(void)said(proto);
		hear(proto, "250-hi\r\n250-PIPELINING\r\n250 CHUNKING\r\n", 0);
		smtp_proto_mail(proto, &mail, then);
		hear(proto, "451 4.7.0 Timeout waiting for client input\r\n", then); /* what we say has not left */
		smtp_proto_result(proto, &outcome);
		assert_int_equal(outcome.end, SMTP_ENDED_LOST);
		assert_int_equal(outcome.why.err, ND_ECLOSED);
		assert_int_equal(outcome.unharmed, n < 3);
		assert_int_equal(outcome.stale, n >= 3);
		assert_false(outcome.uncertain);
		smtp_proto_free(proto);
	}
}

static void
a_message_taken_before_its_end_was_sent_is_not_delivered(void **state)
{
	struct smtp_proto *proto = session_at_content(0);

	(void)state;
	smtp_proto_content(proto, "x\r\n", 3, false, 0);
	hear(proto, "250 got it\r\n", 0);
	expect_lost(proto, SMTP_AT_CONTENT, ND_EPROTOCOL);
	smtp_proto_free(proto);

	proto = session_at_content(0);
	smtp_proto_content(proto, "x\r\n", 3, false, 0);
	assert_string_equal(said(proto), "x\r\n");
	hear(proto, "250 got it\r\n", 0);
	expect_lost(proto, SMTP_AT_CONTENT, ND_EPROTOCOL);
	smtp_proto_free(proto);

	proto = session_at_content(0);
	smtp_proto_content(proto, "x\r\n", 3, true, 0);
	hear(proto, "250 got it\r\n", 0); /* the driver still holds the dot */
	expect_lost(proto, SMTP_AT_END, ND_EPROTOCOL);
	smtp_proto_free(proto);
}

static void
a_refusal_before_the_end_left_is_believed_and_the_session_is_over(void **state)
{
	struct smtp_outcome outcome;
	struct smtp_proto *proto = session_at_content(0);

	(void)state;
	smtp_proto_content(proto, "x\r\n", 3, true, 0);
	hear(proto, "552 5.3.4 too big\r\n", 0);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_RESULT);
	smtp_proto_result(proto, &outcome);
	assert_int_equal(outcome.end, SMTP_ENDED_REPLY);
	assert_int_equal(outcome.reply.code, 552);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_CLOSE);
	smtp_proto_free(proto);

	proto = session_at_content(0);
	smtp_proto_content(proto, "x\r\n", 3, false, 0);
	hear(proto, "400 not now\r\n", 0);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_RESULT);
	smtp_proto_result(proto, &outcome);
	assert_int_equal(outcome.end, SMTP_ENDED_REPLY);
	assert_int_equal(outcome.stage, SMTP_AT_CONTENT);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_CLOSE);
	smtp_proto_free(proto);
}

static void
content_given_after_a_refusal_goes_nowhere(void **state)
{
	struct smtp_proto *proto = session_at_content(0);
	struct smtp_outcome outcome;

	(void)state;
	hear(proto, "554 no more\r\n", 0);
	smtp_proto_content(proto, "x\r\n", 3, true, 0);
	assert_string_equal(said(proto), "");
	smtp_proto_result(proto, &outcome);
	assert_int_equal(outcome.stage, SMTP_AT_CONTENT);
	assert_false(outcome.uncertain);
	smtp_proto_free(proto);
}

static void
a_slice_without_memory_ends_the_mail_not_the_program(void **state)
{
	const size_t len = (size_t)65 * 1024 * 1024;
	char *octets = malloc(len);
	struct smtp_proto *proto = session_at_content(0);

	(void)state;
	assert_non_null(octets);
	memset(octets, 'x', len);
	smtp_proto_content(proto, octets, len, true, 0);
	expect_lost(proto, SMTP_AT_CONTENT, ND_EMEMORY);
	assert_string_equal(said(proto), "");
	smtp_proto_free(proto);
	free(octets);
}

static void
a_deadline_that_has_not_come_changes_nothing(void **state)
{
	struct smtp_proto *proto = ready_session(0);

	(void)state;
	smtp_proto_late(proto, ND_DAY(1)); /* nothing is awaited */
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_MAIL);
	give_mail(proto, ND_DAY(1));
	smtp_proto_late(proto, ND_DAY(1) + ND_SEC(10) - 1); /* RSET */
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_READ);
	assert_string_equal(said(proto), "RSET\r\n");
	hear(proto, "250 ok\r\n", ND_DAY(1));
	smtp_proto_late(proto, ND_DAY(1) + ND_MIN(5) - 1);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_READ);
	smtp_proto_free(proto);
}

static void
quit_asked_for_early_waits_until_the_mail_is_through(void **state)
{
	struct smtp_proto *proto = session_at_content(0);
	struct smtp_outcome outcome;

	(void)state;
	smtp_proto_quit(proto, 0);
	smtp_proto_content(proto, "x\r\n", 3, true, 0);
	assert_string_equal(said(proto), "x\r\n.\r\n");
	hear(proto, "250 taken\r\n", 0);
	assert_string_equal(said(proto), "QUIT\r\n");
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_RESULT);
	smtp_proto_result(proto, &outcome);
	assert_int_equal(outcome.reply.code, 250);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_READ);
	assert_int_equal(smtp_proto_deadline(proto), ND_SEC(10));
	smtp_proto_late(proto, ND_SEC(10));
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_CLOSE);
	assert_null(smtp_proto_fault(proto));
	smtp_proto_free(proto);
}

/* A session whose relay offers all, with a mail of three octets to be said in one flight. */
static struct smtp_proto *
session_with_flight(const char *content)
{
	const struct smtp_mail mail = { .from = "a@example.com",
		.rcpts = one_rcpt,
		.rcpt_count = 1,
		.results = one_result,
		.size = strlen(content),
		.pace = SMTP_ONE_FLIGHT };
	struct smtp_proto *proto = smtp_proto_new(&plain_settings, 0);

	hear(proto, "220 hi\r\n", 0);
	(void)said(proto);
	hear(proto, "250-hi\r\n250-PIPELINING\r\n250 CHUNKING\r\n", 0);
	smtp_proto_mail(proto, &mail, 0);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_CONTENT);
	assert_true(smtp_proto_holds(proto));
	smtp_proto_content(proto, content, strlen(content), true, 0);
	assert_false(smtp_proto_holds(proto));
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_READ);
	return proto;
}

static void
a_flight_announces_the_octets_that_travel_not_those_that_were_stored(void **state)
{
	struct smtp_proto *proto = session_with_flight(".\nb");

	(void)state;
	assert_string_equal(
	    said(proto), "MAIL FROM:<a@example.com>\r\nRCPT TO:<ops@example.com>\r\nBDAT 6 LAST\r\n.\r\nb\r\n");
	assert_string_equal(smtp_proto_doing(proto), "waiting for the relay to take the message");
	smtp_proto_free(proto);
}

static void
a_mail_that_is_not_said_at_all_has_nothing_of_the_flight_before_it(void **state)
{
	const struct smtp_mail mail = { .from = "a@example.com",
		.rcpts = one_rcpt,
		.rcpt_count = 1,
		.results = one_result,
		.size = 1,
		.require_tls = true,
		.pace = SMTP_ONE_FLIGHT };
	struct smtp_proto *proto = session_with_flight("x");
	struct smtp_outcome outcome;

	(void)state;
	(void)said(proto);
	hear(proto, "250 ok\r\n250 ok\r\n250 taken\r\n", 0);
	smtp_proto_result(proto, &outcome);
	assert_int_equal(outcome.pace, SMTP_ONE_FLIGHT);
	smtp_proto_mail(proto, &mail, 0);
	assert_string_equal(said(proto), "");
	smtp_proto_result(proto, &outcome);
	assert_int_equal(outcome.stage, SMTP_AT_MAIL);
	assert_int_equal(outcome.pace, SMTP_STEPWISE);
	smtp_proto_free(proto);
}

static void
a_flight_that_did_not_leave_is_harmless(void **state)
{
	struct smtp_outcome outcome;
	struct smtp_proto *proto;
	struct nd_why why;

	(void)state;
	(void)nd_fail(&why, ND_ECLOSED, 0, "gone");
	for (int n = 0; n < 3; n++) {
		proto = session_with_flight("x");
		if (n > 0)
			(void)said(proto);
		if (n == 1)
			smtp_proto_unsent(proto, 1); /* the driver took it, and still has some of it */
		smtp_proto_lost(proto, &why, 0);
		smtp_proto_result(proto, &outcome);
		assert_int_equal(outcome.end, SMTP_ENDED_LOST);
		assert_int_equal(outcome.uncertain, n == 2);
		assert_int_equal(outcome.stage, n == 2 ? SMTP_AT_END : SMTP_AT_MAIL);
		assert_int_equal(outcome.pace, SMTP_ONE_FLIGHT);
		smtp_proto_free(proto);
	}
}

static void
a_content_larger_than_was_said_ends_the_mail(void **state)
{
	const struct smtp_mail mail = { .from = "a@example.com",
		.rcpts = one_rcpt,
		.rcpt_count = 1,
		.results = one_result,
		.size = 1,
		.pace = SMTP_ONE_FLIGHT };
	struct smtp_proto *proto = smtp_proto_new(&plain_settings, 0);
	static char octets[200000];

	(void)state;
	memset(octets, 'x', sizeof(octets));
	hear(proto, "220 hi\r\n", 0);
	(void)said(proto);
	hear(proto, "250-hi\r\n250-PIPELINING\r\n250 CHUNKING\r\n", 0);
	smtp_proto_mail(proto, &mail, 0);
	smtp_proto_content(proto, octets, sizeof(octets), true, 0);
	expect_lost(proto, SMTP_AT_MAIL, ND_EMEMORY);
	assert_string_equal(said(proto), "");
	smtp_proto_quit(proto, 0);
	assert_null(smtp_proto_fault(proto));
	smtp_proto_free(proto);
}

static void
events_after_the_end_change_nothing(void **state)
{
	struct smtp_proto *proto = ready_session(0);
	struct nd_why why;

	(void)state;
	(void)nd_fail(&why, ND_ECLOSED, 0, "gone");
	smtp_proto_lost(proto, &why, 0);
	smtp_proto_lost(proto, &why, 0);
	hear(proto, "250 hello?\r\n", 0);
	smtp_proto_late(proto, ND_DAY(1));
	smtp_proto_quit(proto, 0);
	smtp_proto_tls_injected(proto, 0);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_CLOSE);
	assert_string_equal(said(proto), "");
	assert_null(smtp_proto_fault(proto));
	smtp_proto_free(proto);
	smtp_proto_free(NULL);
}

/* The published example of Microsoft: user and token as in its documentation. */
static void
xoauth2_is_octet_for_octet_the_published_example(void **state)
{
	struct nd_secret token = { 0 };
	struct smtp_settings settings = plain_settings;
	struct smtp_proto *proto;

	(void)state;
	nd_secret_set(&token, "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA", 40);
	settings.security = SMTP_TLS;
	settings.auth = SMTP_AUTH_OAUTH;
	settings.user = "test@contoso.onmicrosoft.com";
	settings.secret = &token;
	proto = smtp_proto_new(&settings, 0);
	hear(proto, "220 hi\r\n", 0);
	(void)said(proto);
	hear(proto, "250-hi\r\n250 AUTH XOAUTH2\r\n", 0);
	assert_string_equal(said(proto),
	    "AUTH XOAUTH2 "
	    "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0Nj"
	    "bFJDM0VvQUEBAQ==\r\n");
	smtp_proto_free(proto);
	nd_secret_done(&token);
}

static void
oauthbearer_writes_a_comma_and_an_equals_sign_in_the_name_as_rfc_5801_has_them(void **state)
{
	struct nd_secret token = { 0 };
	struct smtp_settings settings = plain_settings;
	struct smtp_proto *proto;
	struct nd_buf plain;
	const char *line;

	(void)state;
	nd_secret_set(&token, "!T~", 3); /* the outermost octets a token may have */
	settings.security = SMTP_TLS;
	settings.auth = SMTP_AUTH_OAUTH;
	settings.user = "a,b=c@example.com";
	settings.secret = &token;
	proto = smtp_proto_new(&settings, 0);
	hear(proto, "220 hi\r\n", 0);
	(void)said(proto);
	hear(proto, "250-hi\r\n250 AUTH OAUTHBEARER\r\n", 0);
	line = said(proto);
	nd_buf_init(&plain, 1000);
	assert_memory_equal(line, "AUTH OAUTHBEARER ", 17);
	assert_true(nd_str_unbase64(&plain, line + 17, strlen(line + 17) - 2, false));
	assert_string_equal(nd_buf_text(&plain), "n,a=a=2Cb=3Dc@example.com,\1host=relay.example\1auth=Bearer !T~\1\1");
	nd_buf_done(&plain);
	smtp_proto_free(proto);
	nd_secret_done(&token);
}

/* The AUTH line has 512 octets with its CRLF: 13 before the base64, so 497 are left, which are 372 octets of message and 4 n = 496 of base64. */
static void
the_token_goes_with_the_command_only_while_the_line_has_512_octets(void **state)
{
	(void)state;
	for (size_t len = 300; len < 400; len++) {
		struct nd_secret token = { 0 };
		struct smtp_settings settings = plain_settings;
		struct smtp_proto *proto;
		char text[400];
		const size_t message = 5 + 13 + 1 + 12 + len + 2, line = 13 + (message + 2) / 3 * 4 + 2;

		memset(text, 't', sizeof(text));
		nd_secret_set(&token, text, len);
		settings.security = SMTP_TLS;
		settings.auth = SMTP_AUTH_OAUTH;
		settings.user = "a@example.com";
		settings.secret = &token;
		proto = smtp_proto_new(&settings, 0);
		hear(proto, "220 hi\r\n", 0);
		(void)said(proto);
		hear(proto, "250-hi\r\n250 AUTH XOAUTH2\r\n", 0);
		assert_int_equal(strlen(said(proto)), line <= 512 ? line : strlen("AUTH XOAUTH2\r\n"));
		smtp_proto_free(proto);
		nd_secret_done(&token);
	}
}

static void
a_secret_is_marked_until_it_was_taken_and_gone_from_memory_after_the_reply(void **state)
{
	struct nd_secret password = { 0 };
	struct smtp_settings settings = plain_settings;
	struct smtp_proto *proto;
	struct nd_buf *out;
	bool secret;

	(void)state;
	nd_secret_set(&password, "hunter2", 7);
	settings.security = SMTP_TLS;
	settings.auth = SMTP_AUTH_PASSWORD;
	settings.user = "a@example.com";
	settings.secret = &password;
	proto = smtp_proto_new(&settings, 0);
	hear(proto, "220 hi\r\n", 0);
	(void)smtp_proto_output(proto, &secret);
	assert_false(secret);
	(void)said(proto);
	hear(proto, "250-hi\r\n250 AUTH PLAIN\r\n", 0);
	out = smtp_proto_output(proto, &secret);
	assert_true(secret);
	nd_buf_drop(out, 5);
	(void)smtp_proto_output(proto, &secret);
	assert_true(secret);
	nd_buf_drop(out, out->len);
	hear(proto, "235 ok\r\n", 0);
	out = smtp_proto_output(proto, &secret);
	assert_false(secret);
	assert_null(out->octets);
	smtp_proto_free(proto);
	nd_secret_done(&password);
}

/* A credential that must not, or cannot, be used: the fault stands at AUTH and nothing of it was written. */
static void
expect_no_credential(struct smtp_settings settings, const char *secret, size_t len, enum nd_err err)
{
	struct nd_secret kept = { 0 };
	struct smtp_proto *proto;

	nd_secret_set(&kept, secret, len);
	settings.secret = secret ? &kept : NULL;
	proto = smtp_proto_new(&settings, 0);
	hear(proto, "220 hi\r\n", 0);
	(void)said(proto);
	hear(proto, "250-hi\r\n250 AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER\r\n", 0);
	assert_string_equal(said(proto), "");
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_CLOSE);
	assert_int_equal(smtp_proto_fault(proto)->stage, SMTP_AT_AUTH);
	assert_int_equal(smtp_proto_fault(proto)->why.err, err);
	assert_int_equal(smtp_proto_fault(proto)->reply.code, 0);
	smtp_proto_free(proto);
	nd_secret_done(&kept);
}

static void
no_credential_goes_out_in_clear_and_no_bad_one_at_all(void **state)
{
	struct smtp_settings settings = plain_settings;

	(void)state;
	settings.user = "a@example.com";
	settings.auth = SMTP_AUTH_OAUTH;
	expect_no_credential(settings, "token", 5, ND_ETLS); /* though loopback */
	settings.auth = SMTP_AUTH_PASSWORD;
	settings.loopback = false;
	expect_no_credential(settings, "secret", 6, ND_ETLS);
	settings.security = SMTP_TLS;
	expect_no_credential(settings, NULL, 0, ND_ESECRET);
	expect_no_credential(settings, "", 0, ND_ESECRET);
	expect_no_credential(settings, "nul\0inside", 10, ND_ESECRET);
	settings.auth = SMTP_AUTH_OAUTH;
	expect_no_credential(settings, "two words", 9, ND_ESECRET);
	expect_no_credential(settings, "a\1auth=Bearer b", 15, ND_ESECRET);
	settings.user = "a\1auth=b@example.com";
	expect_no_credential(settings, "token", 5, ND_ESECRET);
}

static void
what_was_offered_and_how_often_the_session_was_used_can_be_asked(void **state)
{
	struct smtp_proto *proto = smtp_proto_new(&plain_settings, 0);

	(void)state;
	assert_string_equal(smtp_proto_doing(proto), "waiting for the greeting");
	hear(proto, "220 hi\r\n", 0);
	(void)said(proto);
	hear(proto, "250-hi\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=50 mailmax=7 RCPTDOMAINMAX=2\r\n", 0);
	assert_true(smtp_proto_caps(proto)->pipelining);
	assert_int_equal(smtp_proto_caps(proto)->rcpt_max, 50);
	assert_int_equal(smtp_proto_caps(proto)->mail_max, 7);
	assert_int_equal(smtp_proto_caps(proto)->rcpt_domain_max, 2);
	give_mail(proto, 0);
	assert_string_equal(smtp_proto_doing(proto), "naming the sender");
	smtp_proto_free(proto);
}

static void
each_stage_has_the_name_the_api_shows(void **state)
{
	static const char *const names[] = { "connect", "greeting", "ehlo", "starttls", "certificate", "auth", "mail",
		"rcpt", "data", "content", "end", "idle" };

	(void)state;
	for (int n = 0; n < SMTP_AT_COUNT; n++)
		assert_string_equal(smtp_proto_stage_name((enum smtp_stage)n), names[n]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_dialogue_goes_as_written_in_any_slicing),
		cmocka_unit_test(a_connection_lost_after_any_octet_ends_the_session_once),
		cmocka_unit_test(garbage_after_any_octet_ends_the_session_once),
		cmocka_unit_test(silence_after_any_octet_ends_the_session_once),
		cmocka_unit_test(eight_bits_are_declared_where_they_are_offered),
		cmocka_unit_test(patience_is_that_of_rfc_5321_at_each_stage),
		cmocka_unit_test(a_reply_without_its_end_does_not_extend_the_patience),
		cmocka_unit_test(a_reply_to_a_command_that_was_not_sent_yet_is_not_believed),
		cmocka_unit_test(an_idle_session_given_up_just_before_a_mail_costs_the_mail_nothing),
		cmocka_unit_test(a_message_taken_before_its_end_was_sent_is_not_delivered),
		cmocka_unit_test(a_refusal_before_the_end_left_is_believed_and_the_session_is_over),
		cmocka_unit_test(content_given_after_a_refusal_goes_nowhere),
		cmocka_unit_test(a_slice_without_memory_ends_the_mail_not_the_program),
		cmocka_unit_test(a_deadline_that_has_not_come_changes_nothing),
		cmocka_unit_test(quit_asked_for_early_waits_until_the_mail_is_through),
		cmocka_unit_test(a_flight_announces_the_octets_that_travel_not_those_that_were_stored),
		cmocka_unit_test(a_mail_that_is_not_said_at_all_has_nothing_of_the_flight_before_it),
		cmocka_unit_test(a_flight_that_did_not_leave_is_harmless),
		cmocka_unit_test(a_content_larger_than_was_said_ends_the_mail),
		cmocka_unit_test(events_after_the_end_change_nothing),
		cmocka_unit_test(xoauth2_is_octet_for_octet_the_published_example),
		cmocka_unit_test(oauthbearer_writes_a_comma_and_an_equals_sign_in_the_name_as_rfc_5801_has_them),
		cmocka_unit_test(the_token_goes_with_the_command_only_while_the_line_has_512_octets),
		cmocka_unit_test(a_secret_is_marked_until_it_was_taken_and_gone_from_memory_after_the_reply),
		cmocka_unit_test(no_credential_goes_out_in_clear_and_no_bad_one_at_all),
		cmocka_unit_test(what_was_offered_and_how_often_the_session_was_used_can_be_asked),
		cmocka_unit_test(each_stage_has_the_name_the_api_shows),
	};
	int failed;

	find_files();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	globfree(&files);
	return failed;
}
