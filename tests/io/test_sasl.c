/* SPDX-License-Identifier: Apache-2.0 */
/* test_sasl.c - the proofs of SCRAM-SHA-256 and CRAM-MD5 are those of the RFCs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"
#include "daemon/io/sasl.h"
#include "daemon/io/tls.h"

#include <openssl/evp.h>
#include <string.h>

static struct nd_secret
secret_of(const char *text)
{
	struct nd_secret secret = { 0 };

	nd_secret_set(&secret, text, strlen(text));
	return secret;
}

static void
expect_base64(const uint8_t *octets, size_t len, const char *text)
{
	struct nd_buf buf;

	nd_buf_init(&buf, 100);
	(void)nd_str_base64(&buf, (const char *)octets, len);
	assert_string_equal(nd_buf_text(&buf), text);
	nd_buf_done(&buf);
}

static void
scram_sha_256_is_that_of_rfc_7677(void **state)
{
	static const char message[] =
	    "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)"
	    "hNlF$k0";
	struct nd_secret password = secret_of("pencil");
	struct smtp_answer answer;
	struct nd_buf salt;
	struct nd_why why;

	(void)state;
	nd_buf_init(&salt, 100);
	assert_true(nd_str_unbase64(&salt, "W22ZaJ0SNY7soEsUEjb6gQ==", 24, false));
	const struct smtp_question question = { .kind = SMTP_ASK_SCRAM_SHA256,
		.salt = (const uint8_t *)salt.octets,
		.salt_len = salt.len,
		.iterations = 4096,
		.text = message,
		.text_len = strlen(message) };
	assert_int_equal(sasl_answer(&question, &password, &answer, &why), ND_OK);
	expect_base64(answer.proof, 32, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
	expect_base64(answer.server, 32, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	nd_buf_done(&salt);
	nd_secret_done(&password);
}

static void
cram_md5_is_that_of_rfc_2195(void **state)
{
	static const char challenge[] = "<1896.697170952@postoffice.reston.mci.net>";
	static const uint8_t digest[] = { 0xb9, 0x13, 0xa6, 0x02, 0xc7, 0xed, 0xa7, 0xa4, 0x95, 0xb4, 0xe6, 0xe7, 0x33,
		0x4d, 0x38, 0x90 };
	const struct smtp_question question = {
		.kind = SMTP_ASK_CRAM_MD5, .text = challenge, .text_len = strlen(challenge)
	};
	struct nd_secret password = secret_of("tanstaaftanstaaf");
	struct smtp_answer answer;
	struct nd_why why;

	(void)state;
	if (tls_fips()) { /* the test after this one is about that */
		nd_secret_done(&password);
		skip();
	}
	assert_int_equal(sasl_answer(&question, &password, &answer, &why), ND_OK);
	assert_memory_equal(answer.proof, digest, sizeof(digest));
	nd_secret_done(&password);
}

/* The default provider offers nothing with that property: what a fetch that is not prepared for it would meet. Under tests/fips it is the real one. */
static void
cram_md5_is_refused_in_words_where_fips_rules(void **state)
{
	const struct smtp_question question = { .kind = SMTP_ASK_CRAM_MD5, .text = "<1@x>", .text_len = 5 };
	struct nd_secret password = secret_of("tanstaaftanstaaf");
	struct smtp_answer answer;
	struct nd_why why;

	const bool real = tls_fips();

	(void)state;
	assert_int_equal(real ? 1 : EVP_set_default_properties(NULL, "fips=yes"), 1);
	assert_true(tls_fips());
	assert_int_equal(sasl_answer(&question, &password, &answer, &why), ND_EAUTH);
	assert_non_null(strstr(why.text, "FIPS"));
	assert_int_equal(real ? 1 : EVP_set_default_properties(NULL, ""), 1);
	assert_int_equal(tls_fips(), real);
	nd_secret_done(&password);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scram_sha_256_is_that_of_rfc_7677),
		cmocka_unit_test(cram_md5_is_that_of_rfc_2195),
		cmocka_unit_test(cram_md5_is_refused_in_words_where_fips_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
