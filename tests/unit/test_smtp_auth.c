/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_auth.c - signing in by proof: what the machine says, asks and believes. The proofs are those of the RFCs' examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"
#include "daemon/core/smtp_auth.h"

#include <stdio.h>
#include <string.h>

/* RFC 7677 3: user "user", password "pencil". */
#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_FIRST "r=" NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define CLIENT_FINAL "c=biws,r=" NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct nd_secret password = { .octets = (char[]){ "pencil" }, .len = 6 };
static const struct smtp_settings settings = { .ehlo = "host.example",
	.host = "relay.example",
	.security = SMTP_PLAINTEXT,
	.loopback = true,
	.auth = SMTP_AUTH_PASSWORD,
	.user = "user",
	.secret = &password,
	.nonce = NONCE };

static void
hear(struct smtp_proto *proto, const char *text)
{
	smtp_proto_input(proto, text, strlen(text), 1);
}

/* "334 " and the text in base64. */
static void
challenge(struct smtp_proto *proto, const char *text)
{
	struct nd_buf line;

	nd_buf_init(&line, 4096);
	(void)nd_buf_adds(&line, "334 ");
	(void)nd_str_base64(&line, text, strlen(text));
	(void)nd_buf_adds(&line, "\r\n");
	hear(proto, nd_buf_text(&line));
	nd_buf_done(&line);
}

static void
expect_said(struct smtp_proto *proto, const char *text)
{
	bool secret;
	struct nd_buf *out = smtp_proto_output(proto, &secret);

	assert_string_equal(nd_buf_text(out), text);
	nd_buf_drop(out, out->len);
}

/* The client's message in base64. */
static void
expect_message(struct smtp_proto *proto, const char *before, const char *text)
{
	struct nd_buf line;

	nd_buf_init(&line, 4096);
	(void)nd_buf_adds(&line, before);
	(void)nd_str_base64(&line, text, strlen(text));
	(void)nd_buf_adds(&line, "\r\n");
	expect_said(proto, nd_buf_text(&line));
	nd_buf_done(&line);
}

static void
unbase64(const char *text, uint8_t out[32])
{
	struct nd_buf plain;

	nd_buf_init(&plain, 64);
	assert_true(nd_str_unbase64(&plain, text, strlen(text), false));
	assert_int_equal(plain.len, 32);
	memcpy(out, plain.octets, 32);
	nd_buf_done(&plain);
}

static struct smtp_answer
answer_of_the_rfc(void)
{
	struct smtp_answer answer;

	unbase64("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", answer.proof);
	unbase64("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", answer.server);
	return answer;
}

static struct smtp_proto *
offered(const char *mechanisms)
{
	struct smtp_proto *proto = smtp_proto_new(&settings, 0);
	char line[100];

	hear(proto, "220 hi\r\n");
	expect_said(proto, "EHLO host.example\r\n");
	(void)snprintf(line, sizeof(line), "250-hi\r\n250 AUTH %s\r\n", mechanisms);
	hear(proto, line);
	return proto;
}

static struct smtp_proto *
asked(void)
{
	struct smtp_proto *proto = offered("LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256");

	expect_message(proto, "AUTH SCRAM-SHA-256 ", "n,,n=user,r=" NONCE);
	challenge(proto, SERVER_FIRST);
	return proto;
}

static void
expect_fault(struct smtp_proto *proto, const char *words)
{
	const struct smtp_fault *fault = smtp_proto_fault(proto);

	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_CLOSE);
	assert_non_null(fault);
	assert_int_equal(fault->stage, SMTP_AT_AUTH);
	if (strstr(fault->why.text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, fault->why.text);
	smtp_proto_free(proto);
}

/* SCRAM up to our proof. */
static struct smtp_proto *
answered(void)
{
	const struct smtp_answer answer = answer_of_the_rfc();
	struct smtp_proto *proto = asked();

	smtp_proto_answer(proto, &answer, NULL, 2);
	expect_message(proto, "", CLIENT_FINAL);
	return proto;
}

static void
scram_goes_before_other_passwords_and_proves_both_sides(void **state)
{
	const struct smtp_answer answer = answer_of_the_rfc();
	struct smtp_proto *proto = asked();
	const struct smtp_question *question = smtp_proto_question(proto);

	(void)state;
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_PROOF);
	assert_int_equal(question->kind, SMTP_ASK_SCRAM_SHA256);
	assert_int_equal(question->iterations, 4096);
	assert_int_equal(question->salt_len, 16);
	assert_string_equal(
	    question->text, "n=user,r=" NONCE "," SERVER_FIRST ",c=biws,r=" NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	smtp_proto_answer(proto, &answer, NULL, 2);
	expect_message(proto, "", CLIENT_FINAL);
	challenge(proto, SERVER_FINAL);
	expect_said(proto, "\r\n");
	hear(proto, "235 2.7.0 ok\r\n");
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_MAIL);
	assert_null(smtp_proto_question(proto));
	smtp_proto_free(proto);
}

static void
a_server_that_does_not_know_the_password_is_not_believed(void **state)
{
	struct smtp_proto *proto = answered();

	(void)state;
	challenge(proto, "v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	expect_fault(proto, "relay.example did not prove that it knows the password");
	proto = answered();
	hear(proto, "235 2.7.0 ok\r\n");
	expect_fault(proto, "did not prove");
	/* Nor one that leaves the questions out, or takes a refusal of its own back. */
	proto = offered("SCRAM-SHA-256");
	expect_message(proto, "AUTH SCRAM-SHA-256 ", "n,,n=user,r=" NONCE);
	hear(proto, "235 2.7.0 ok\r\n");
	expect_fault(proto, "did not prove");
	proto = answered();
	challenge(proto, "e=other-error");
	expect_said(proto, "*\r\n");
	hear(proto, "235 2.7.0 ok\r\n");
	expect_fault(proto, "did not prove");
}

static void
a_refusal_of_scram_is_told_in_the_servers_words(void **state)
{
	struct smtp_proto *proto = answered();

	(void)state;
	hear(proto, "535 5.7.8 no\r\n");
	assert_int_equal(smtp_proto_fault(proto)->reply.code, 535);
	expect_fault(proto, "refused while signing in: 535 5.7.8 no");
	proto = answered();
	challenge(proto, "e=invalid-proof");
	expect_said(proto, "*\r\n");
	hear(proto, "535 5.7.8 no\r\n");
	assert_string_equal(smtp_proto_fault(proto)->challenge, "e=invalid-proof");
	expect_fault(proto, "535 5.7.8 no");
}

static void
what_is_no_answer_to_our_nonce_ends_the_session(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "does not continue our nonce" },
		{ "r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "does not continue our nonce" },
		{ "m=x,r=" NONCE "1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "does not continue our nonce" },
		{ "r=" NONCE "1,s=,i=4096", "no salt" },
		{ "r=" NONCE "1,s=W22ZaJ0SNY7soEsUEjb6gQ==", "no number of iterations" },
		{ "r=" NONCE "1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0", "more than 200000 iterations" },
		{ "r=" NONCE "1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=200001", "more than 200000 iterations" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct smtp_proto *proto = offered("SCRAM-SHA-256");

		expect_message(proto, "AUTH SCRAM-SHA-256 ", "n,,n=user,r=" NONCE);
		challenge(proto, cases[i].text);
		expect_fault(proto, cases[i].words);
	}
}

static void
cram_md5_answers_the_challenge_as_it_is(void **state)
{
	struct smtp_answer answer = { .proof = { 0xb9, 0x13, 0xa6, 0x02, 0xc7, 0xed, 0xa7, 0xa4, 0x95, 0xb4, 0xe6, 0xe7,
					  0x33, 0x4d, 0x38, 0x90 } };
	struct smtp_proto *proto = offered("CRAM-MD5");

	(void)state;
	expect_said(proto, "AUTH CRAM-MD5\r\n");
	challenge(proto, "<1896.697170952@postoffice.reston.mci.net>");
	assert_int_equal(smtp_proto_question(proto)->kind, SMTP_ASK_CRAM_MD5);
	assert_string_equal(smtp_proto_question(proto)->text, "<1896.697170952@postoffice.reston.mci.net>");
	smtp_proto_answer(proto, &answer, NULL, 2);
	expect_message(proto, "", "user b913a602c7eda7a495b4e6e7334d3890");
	hear(proto, "235 ok\r\n");
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_MAIL);
	smtp_proto_free(proto);
}

static void
a_challenge_that_is_none_and_a_proof_that_cannot_be_made_are_faults(void **state)
{
	struct smtp_proto *proto = offered("CRAM-MD5");
	struct nd_why why;

	(void)state;
	expect_said(proto, "AUTH CRAM-MD5\r\n");
	hear(proto, "334 who are you?\r\n");
	expect_fault(proto, "its challenge of CRAM-MD5 is not base64");
	proto = offered("CRAM-MD5");
	expect_said(proto, "AUTH CRAM-MD5\r\n");
	challenge(proto, "<1@x>");
	(void)nd_fail(&why, ND_EAUTH, 0, "no MD5 here");
	smtp_proto_answer(proto, NULL, &why, 2);
	expect_fault(proto, "no MD5 here");
}

static void
a_server_without_initial_responses_hears_scram_all_the_same(void **state)
{
	struct smtp_proto *proto = offered("SCRAM-SHA-256");

	(void)state;
	expect_message(proto, "AUTH SCRAM-SHA-256 ", "n,,n=user,r=" NONCE);
	hear(proto, "334 \r\n");
	expect_message(proto, "", "n,,n=user,r=" NONCE);
	challenge(proto, SERVER_FIRST);
	assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_PROOF);
	smtp_proto_free(proto);
}

static void
an_app_password_loses_its_spaces_and_nothing_else_does(void **state)
{
	static const struct {
		const char *given, *used;
	} cases[] = {
		{ "abcd efgh ijkl mnop", "abcdefghijklmnop" },
		{ "abcdefghijklmnop", "abcdefghijklmnop" },
		{ " abcd efgh ijkl mnop ", "abcdefghijklmnop" },
		{ "abcd efgh ijkl mno", "abcd efgh ijkl mno" },
		{ "abcd efgh ijkl mnopq", "abcd efgh ijkl mnopq" },
		{ "Abcd efgh ijkl mnop", "Abcd efgh ijkl mnop" },
		{ "correct horse", "correct horse" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nd_secret secret = { 0 };

		nd_secret_set(&secret, cases[i].given, strlen(cases[i].given));
		smtp_auth_app_password(&secret);
		assert_string_equal(secret.octets, cases[i].used);
		nd_secret_done(&secret);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scram_goes_before_other_passwords_and_proves_both_sides),
		cmocka_unit_test(a_server_that_does_not_know_the_password_is_not_believed),
		cmocka_unit_test(a_refusal_of_scram_is_told_in_the_servers_words),
		cmocka_unit_test(what_is_no_answer_to_our_nonce_ends_the_session),
		cmocka_unit_test(cram_md5_answers_the_challenge_as_it_is),
		cmocka_unit_test(a_challenge_that_is_none_and_a_proof_that_cannot_be_made_are_faults),
		cmocka_unit_test(a_server_without_initial_responses_hears_scram_all_the_same),
		cmocka_unit_test(an_app_password_loses_its_spaces_and_nothing_else_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
