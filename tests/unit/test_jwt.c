/* SPDX-License-Identifier: Apache-2.0 */
/* test_jwt.c - the texts of assertions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"
#include "daemon/core/jwt.h"

#include <string.h>

/* The part of an assertion, as the text it was; parts are 0, 1, … */
static void
check_part(const struct nd_buf *jwt, unsigned part, const char *expected)
{
	const char *at = nd_buf_text(jwt);
	struct nd_buf padded, text;
	size_t len;

	for (; part > 0; part--)
		at = strchr(at, '.') + 1;
	len = strcspn(at, ".");
	nd_buf_init(&padded, 8192);
	nd_buf_init(&text, 8192);
	nd_buf_add(&padded, at, len);
	for (char *c = padded.octets; c != NULL && *c != '\0'; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	while (padded.len % 4 != 0)
		nd_buf_addc(&padded, '=');
	assert_true(nd_str_unbase64(&text, nd_buf_text(&padded), padded.len, false));
	assert_string_equal(nd_buf_text(&text), expected);
	nd_buf_done(&padded);
	nd_buf_done(&text);
}

static void
the_claims_of_a_client_are_those_microsoft_wants(void **state)
{
	const struct jwt_ask ask = { .alg = "PS256",
		.thumbprint = "abc",
		.iss = "id",
		.sub = "id",
		.aud = "https://login.example/t/oauth2/v2.0/token",
		.jti = "g",
		.nbf = true,
		.now = 1800000000999,
		.life = ND_MIN(10) };
	struct nd_buf jwt;

	(void)state;
	nd_buf_init(&jwt, 4096);
	jwt_write(&ask, &jwt);
	check_part(&jwt, 0, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"abc\"}");
	check_part(&jwt, 1,
	    "{\"aud\":\"https://login.example/t/oauth2/v2.0/token\",\"iss\":\"id\",\"sub\":\"id\",\"jti\":\"g\","
	    "\"nbf\":1800000000,\"iat\":1800000000,\"exp\":1800000600}");
	nd_buf_done(&jwt);
}

static void
the_claims_of_a_service_account_are_those_google_wants(void **state)
{
	const struct jwt_ask ask = { .alg = "RS256",
		.kid = "k1",
		.iss = "robot@project.example",
		.sub = "alerts@contoso.example",
		.aud = "https://oauth2.googleapis.com/token",
		.scope = "https://mail.google.com/",
		.now = 1800000000000,
		.life = ND_MIN(60) };
	struct nd_buf jwt;

	(void)state;
	nd_buf_init(&jwt, 4096);
	jwt_write(&ask, &jwt);
	check_part(&jwt, 0, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}");
	check_part(&jwt, 1,
	    "{\"aud\":\"https://oauth2.googleapis.com/token\",\"iss\":\"robot@project.example\","
	    "\"sub\":\"alerts@contoso.example\",\"scope\":\"https://mail.google.com/\",\"iat\":1800000000,"
	    "\"exp\":1800003600}");
	nd_buf_done(&jwt);
}

/* RFC 7515 appendix C. */
static void
base64url_has_no_padding_and_its_own_two_signs(void **state)
{
	static const uint8_t octets[] = { 3, 236, 255, 224, 193 };
	struct nd_buf out;

	(void)state;
	nd_buf_init(&out, 64);
	nd_buf_adds(&out, "+/=");
	jwt_base64url(&out, octets, sizeof(octets));
	assert_string_equal(nd_buf_text(&out), "+/=A-z_4ME");
	nd_buf_clear(&out);
	nd_buf_adds(&out, "a.b");
	jwt_finish(&out, octets, sizeof(octets));
	assert_string_equal(nd_buf_text(&out), "a.b.A-z_4ME");
	nd_buf_done(&out);
}

static void
a_guid_is_of_version_four(void **state)
{
	uint8_t dice[16];
	char guid[JWT_GUID_SIZE];

	(void)state;
	memset(dice, 0xff, sizeof(dice));
	assert_string_equal(jwt_guid(dice, guid), "ffffffff-ffff-4fff-bfff-ffffffffffff");
	memset(dice, 0, sizeof(dice));
	dice[15] = 0x1a;
	assert_string_equal(jwt_guid(dice, guid), "00000000-0000-4000-8000-00000000001a");
}

static void
the_claims_of_a_token_are_its_middle_part(void **state)
{
	static const char *const none[] = { "", "opaque", "a.b", "a.!.c", "." };
	struct nd_secret jwt = { 0 };
	struct nd_buf text;

	(void)state;
	nd_buf_init(&text, 100);
	nd_secret_set(&jwt, "e30.eyJhIjoi8J-YgCJ9.sig", 24);
	assert_true(jwt_payload(&jwt, &text));
	assert_string_equal(nd_buf_text(&text), "{\"a\":\"\xf0\x9f\x98\x80\"}");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		nd_secret_set(&jwt, none[i], strlen(none[i]));
		assert_false(jwt_payload(&jwt, &text));
	}
	nd_secret_done(&jwt);
	nd_buf_done(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_claims_of_a_client_are_those_microsoft_wants),
		cmocka_unit_test(the_claims_of_a_service_account_are_those_google_wants),
		cmocka_unit_test(base64url_has_no_padding_and_its_own_two_signs),
		cmocka_unit_test(a_guid_is_of_version_four),
		cmocka_unit_test(the_claims_of_a_token_are_its_middle_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
