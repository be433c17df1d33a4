/* SPDX-License-Identifier: Apache-2.0 */
/* test_oauth.c - token requests and what endpoints answer, in the forms that providers were seen to use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/oauth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char client_id[] = "9ab20000-0000-0000-0000-000000000000";
static char scope[] = "https://outlook.office365.com/.default";
static char url[] = "https://login.example/t/oauth2/v2.0/token";

static const struct conf_account account = { .host = (char[]){ "smtp.office365.com" },
	.user = (char[]){ "alerts@contoso.com" },
	.token_url = url,
	.client_id = client_id,
	.tenant = (char[]){ "t" },
	.scope = scope };

static struct nd_secret
secret_of(const char *text)
{
	struct nd_secret secret = { 0 };

	nd_secret_set(&secret, text, strlen(text));
	return secret;
}

static struct oauth_reply
answer(int status, const char *body)
{
	struct oauth_reply reply;

	oauth_read(status, body, strlen(body), -1, NULL, &reply);
	return reply;
}

static void
each_grant_says_what_its_paragraph_wants(void **state)
{
	struct nd_secret secret = secret_of("s"), code = secret_of("c/1"), verifier = secret_of("v"),
			 jwt = secret_of("a.b.c");
	const struct {
		struct oauth_ask ask;
		const char *body;
	} cases[] = {
		{ { .grant = CONF_CLIENT_CREDENTIALS, .client_assertion = &jwt },
		    "grant_type=client_credentials&scope=https%3A%2F%2Foutlook.office365.com%2F.default&client_id="
		    "9ab20000-0000-"
		    "0000-0000-000000000000&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%"
		    "3Ajwt-bearer"
		    "&client_assertion=a.b.c" },
		{ { .grant = CONF_AUTHORIZATION_CODE,
		      .code = &code,
		      .verifier = &verifier,
		      .redirect_uri = "http://localhost/M/" },
		    "grant_type=authorization_code&client_id=9ab20000-0000-0000-0000-000000000000&code=c%2F1"
		    "&redirect_uri=http%3A%2F%2Flocalhost%2FM%2F&code_verifier=v" },
		{ { .grant = CONF_REFRESH_TOKEN,
		      .refresh_token = &code,
		      .client_secret = &secret,
		      .client_id = "i",
		      .scope = "x" },
		    "grant_type=refresh_token&scope=x&client_id=i&client_secret=s&refresh_token=c%2F1" },
		{ { .grant = CONF_DEVICE_CODE, .device_code = &code },
		    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
		    "&client_id=9ab20000-0000-0000-0000-000000000000&device_code=c%2F1" },
		{ { .grant = CONF_JWT_BEARER, .assertion = &jwt },
		    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c" },
	};
	struct oauth_request request;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		oauth_ask_write(&account, &cases[i].ask, &request);
		assert_string_equal(request.body, cases[i].body);
		assert_null(request.authorization);
		oauth_request_done(&request);
	}
	nd_secret_done(&secret);
	nd_secret_done(&code);
	nd_secret_done(&verifier);
	nd_secret_done(&jwt);
}

static void
a_refresh_asks_elsewhere_for_what_was_granted(void **state)
{
	struct conf_account elsewhere = account;
	struct nd_secret token = secret_of("r");
	struct oauth_ask ask = { .grant = CONF_REFRESH_TOKEN, .refresh_token = &token, .client_id = "i" };
	struct oauth_request request;

	(void)state;
	elsewhere.provider = CONF_SMTP;
	oauth_ask_write(&elsewhere, &ask, &request);
	assert_string_equal(request.body, "grant_type=refresh_token&client_id=i&refresh_token=r");
	oauth_request_done(&request);
	nd_secret_done(&token);
}

static void
a_sign_in_brings_a_refresh_token_and_tells_the_scope(void **state)
{
	struct oauth_reply reply = answer(200,
	    "{\"token_type\":\"Bearer\",\"access_token\":\"at\",\"expires_in\":3600,\"refresh_token\":\"rt\","
	    "\"id_token\":\"h.p.s\",\"scope\":\"https://outlook.office.com/SMTP.Send\"}");

	(void)state;
	assert_int_equal(reply.class, OAUTH_TOKEN);
	assert_string_equal(reply.refresh_token.octets, "rt");
	assert_string_equal(reply.id_token.octets, "h.p.s");
	assert_string_equal(reply.scope, "https://outlook.office.com/SMTP.Send");
	oauth_reply_done(&reply);
	assert_null(reply.refresh_token.octets);
	reply = answer(200, "{\"access_token\":\"at\",\"expires_in\":3600}");
	assert_int_equal(reply.refresh_token.len, 0);
	assert_string_equal(reply.scope, "");
	oauth_reply_done(&reply);
}

static void
a_saved_grant_may_be_without_an_access_token(void **state)
{
	struct oauth_saved saved = { .identity = "abc", .refreshed = 1795248000123, .signed_in = "ops@contoso.com" },
			   back = { 0 };
	struct nd_buf text;
	struct nd_why why;

	(void)state;
	nd_buf_init(&text, 4096);
	saved.refresh_token = secret_of("rt");
	oauth_saved_write(&saved, &text);
	assert_int_equal(oauth_saved_read(nd_buf_text(&text), text.len, &back, &why), ND_OK);
	assert_int_equal(back.token.len, 0);
	assert_string_equal(back.refresh_token.octets, "rt");
	assert_int_equal(back.refreshed, saved.refreshed);
	assert_string_equal(back.signed_in, "ops@contoso.com");
	oauth_saved_done(&saved);
	oauth_saved_done(&back);
	nd_buf_done(&text);
}

static void
the_request_is_a_form_with_everything_encoded(void **state)
{
	struct nd_secret secret = secret_of("a+b/c=~&d e%\xc3\xa9");
	struct oauth_request request;

	(void)state;
	oauth_ask_write(
	    &account, &(struct oauth_ask){ .grant = CONF_CLIENT_CREDENTIALS, .client_secret = &secret }, &request);
	assert_string_equal(request.url, url);
	assert_null(request.authorization);
	assert_string_equal(request.body,
	    "grant_type=client_credentials&scope=https%3A%2F%2Foutlook.office365.com%2F.default"
	    "&client_id=9ab20000-0000-0000-0000-000000000000&client_secret=a%2Bb%2Fc%3D~%26d%20e%25%C3%A9");
	assert_int_equal(request.body_len, strlen(request.body));
	oauth_request_done(&request);
	assert_null(request.body);
	nd_secret_done(&secret);
}

static void
basic_authorization_encodes_both_parts_and_leaves_the_form_without_them(void **state)
{
	struct conf_account basic = account;
	struct nd_secret secret = secret_of("p:w/d");
	struct oauth_request request;

	(void)state;
	basic.token_auth = CONF_TOKEN_BASIC;
	basic.client_id = (char[]){ "me:you" };
	basic.scope = (char[]){ "" };
	oauth_ask_write(
	    &basic, &(struct oauth_ask){ .grant = CONF_CLIENT_CREDENTIALS, .client_secret = &secret }, &request);
	/* base64 of me%3Ayou:p%3Aw%2Fd */
	assert_string_equal(request.authorization, "Basic bWUlM0F5b3U6cCUzQXclMkZk");
	assert_string_equal(request.body, "grant_type=client_credentials");
	oauth_request_done(&request);
	nd_secret_done(&secret);
}

static void
a_token_comes_with_its_life(void **state)
{
	struct oauth_reply reply = answer(200, "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"ext_expires_in\":3599,"
					       "\"access_token\":\"eyJ0.e-_~+/=\"}");

	(void)state;
	assert_int_equal(reply.class, OAUTH_TOKEN);
	assert_int_equal(reply.token.len, 12);
	assert_memory_equal(reply.token.octets, "eyJ0.e-_~+/=", 12);
	assert_int_equal(reply.life, ND_SEC(3599));
	oauth_reply_done(&reply);
	assert_null(reply.token.octets);
}

static void
the_life_may_be_a_text_missing_or_absurd(void **state)
{
	static const struct {
		const char *expires_in;
		nd_ms life;
	} lives[] = {
		{ "\"3599\"", ND_SEC(3599) },
		{ "20", ND_SEC(20) },
		{ "3599.7", ND_SEC(3599) },
		{ "0", ND_SEC(60) },
		{ "-5", ND_SEC(60) },
		{ "null", ND_SEC(60) },
		{ "\"soon\"", ND_SEC(60) },
		{ "\"\"", ND_SEC(60) },
		{ "1e9", ND_SEC(60) },
		{ "[3599]", ND_SEC(60) },
		{ "86401", ND_DAY(1) },
		{ "99999999999999999999999999", ND_DAY(1) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		char body[200];

		(void)snprintf(body, sizeof(body),
		    "{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":%s}", lives[i].expires_in);
		struct oauth_reply reply = answer(200, body);
		assert_int_equal(reply.class, OAUTH_TOKEN);
		assert_int_equal(reply.life, lives[i].life);
		oauth_reply_done(&reply);
	}
	struct oauth_reply reply = answer(200, "{\"access_token\":\"t\"}");
	assert_int_equal(reply.life, ND_SEC(60));
	oauth_reply_done(&reply);
}

static void
tokens_that_could_forge_a_line_are_refused(void **state)
{
	static const char *const bodies[] = { "{\"access_token\":\"a\\u0001b\"}", "{\"access_token\":\"a b\"}",
		"{\"access_token\":\"a\\r\\nb\"}", "{\"access_token\":\"\"}", "{\"access_token\":\"\xc3\xa9\"}",
		"{\"access_token\":\"\\u007f\"}", "{\"access_token\":5}", "{\"access_token\":null}" };
	char *big = malloc(13000);
	struct oauth_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		reply = answer(200, bodies[i]);
		assert_int_equal(reply.class, OAUTH_REFUSED);
		assert_int_equal(reply.why.err, ND_ETOKEN);
		assert_null(reply.token.octets);
		oauth_reply_done(&reply);
	}
	for (int len = 12000; len <= 12001; len++) {
		(void)snprintf(big, 13000, "{\"access_token\":\"%0*d\"}", len, 7);
		reply = answer(200, big);
		assert_int_equal(reply.class, len == 12000 ? OAUTH_TOKEN : OAUTH_REFUSED);
		oauth_reply_done(&reply);
	}
	free(big);
}

static void
a_200_that_is_no_token_is_refused_in_clear_words(void **state)
{
	static const struct {
		const char *body, *words;
	} cases[] = {
		{ " \r\n<!DOCTYPE html><html>Sign in</html>",
		    "answered 200 with a web page (HTML) instead of a token" },
		{ "OK", "answered 200 with something that is not JSON instead of a token" },
		{ "", "answered 200 with nothing instead of a token" },
		{ "{\"token_type\":\"Bearer\"}", "answered 200 without an access_token" },
		{ "[1]", "answered 200 without an access_token" },
		{ "{\"access_token\":\"t\",\"token_type\":\"mac\"}", "gave a token of a type that is not Bearer" },
		{ "{\"access_token\":\"t\",\"access_token\":\"u\"}", "something that is not JSON" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct oauth_reply reply = answer(200, cases[i].body);

		assert_int_equal(reply.class, OAUTH_REFUSED);
		assert_non_null(strstr(reply.why.text, cases[i].words));
		assert_null(strstr(reply.why.text, "Sign in"));
		oauth_reply_done(&reply);
	}
}

static void
a_wrong_secret_is_told_with_the_providers_first_line_and_a_remedy(void **state)
{
	struct oauth_reply reply = answer(401,
	    "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client secret provided. "
	    "Ensure the secret "
	    "being sent in the request is the client secret value, not the client secret ID, for a secret added to app "
	    "'9ab20000-0000-0000-0000-000000000000'.\\r\\nTrace ID: aaaa\\r\\nCorrelation ID: "
	    "bbbb\",\"error_codes\":[7000215]}");

	(void)state;
	assert_int_equal(reply.class, OAUTH_REFUSED);
	assert_int_equal(reply.why.err, ND_ETOKEN);
	assert_string_equal(reply.error, "invalid_client");
	assert_non_null(strstr(reply.why.text,
	    "the token endpoint refused (401, invalid_client): AADSTS7000215: Invalid client secret provided."));
	assert_null(strstr(reply.why.text, "Trace"));
	oauth_reply_done(&reply);
}

static void
an_application_id_may_be_shown_but_no_long_run_that_might_be_a_secret(void **state)
{
	struct oauth_reply reply = answer(400,
	    "{\"error\":\"invalid_request\",\"error_description\":\"app 9ab20000-0000-0000-0000-000000000000 sent "
	    "abc8Q~0123456789abcdefghijklmnopqrstuvwxyz to https://login.example/x?client_secret=hunter2 with "
	    "client_secret=hunter2\\u0007 \\u00e9\"}");

	(void)state;
	assert_string_equal(reply.why.text,
	    "the token endpoint refused (400, invalid_request): app 9ab20000-0000-0000-0000-000000000000 sent … to "
	    "https://login.example/x?… with client_secret=… é");
	oauth_reply_done(&reply);
}

static void
a_secret_that_looks_like_an_id_is_named_and_a_repeated_one_is_taken_out(void **state)
{
	static const char body[] = "{\"error\":\"invalid_client\",\"error_description\":\"bad secret "
				   "12345678-ABCD-abcd-0000-1234567890ab\"}";
	struct nd_secret guid = secret_of("12345678-ABCD-abcd-0000-1234567890ab");
	struct nd_secret other = secret_of("bad secret");
	struct conf_account elsewhere = account;
	struct oauth_reply reply = answer(401, body);

	(void)state;
	oauth_reply_blame(&reply, &account, &guid);
	assert_non_null(
	    strstr(reply.why.text, "the client secret looks like the ID of one: the token endpoint refused"));
	assert_null(strstr(reply.why.text, "12345678"));
	oauth_reply_done(&reply);
	reply = answer(401, body);
	oauth_reply_blame(&reply, &account, &other);
	assert_null(strstr(reply.why.text, "looks like"));
	assert_null(strstr(reply.why.text, "bad secret"));
	oauth_reply_done(&reply);
	elsewhere.provider = CONF_SMTP; /* its secrets may be GUIDs */
	reply = answer(401, body);
	oauth_reply_blame(&reply, &elsewhere, &guid);
	assert_null(strstr(reply.why.text, "looks like"));
	assert_null(strstr(reply.why.text, "12345678"));
	oauth_reply_done(&reply);
	assert_true(oauth_secret_is_id(&account, &guid));
	assert_false(oauth_secret_is_id(&account, &other));
	assert_false(oauth_secret_is_id(&elsewhere, &guid));
	nd_secret_done(&guid);
	nd_secret_done(&other);
}

static void
what_will_pass_is_asked_again_later(void **state)
{
	static const struct {
		int status;
		const char *body;
	} cases[] = {
		{ 408, "" },
		{ 429, "Too Many Requests" },
		{ 500, "<html>oops</html>" },
		{ 503, "{\"error\":\"temporarily_unavailable\"}" },
		{ 599, "" },
		{ 400, "{\"error\":\"temporarily_unavailable\"}" },
		{ 400, "{\"error\":\"server_error\"}" },
		{ 400, "{\"error\":\"invalid_grant\",\"error_description\":\"AADSTS50196: The server terminated an "
		       "operation\"}" },
		{ 401, "{\"error\":\"invalid_request\",\"error_description\":\"AADSTS90033: A transient error has "
		       "occurred.\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct oauth_reply reply = answer(cases[i].status, cases[i].body);

		assert_int_equal(reply.class, OAUTH_LATER);
		assert_int_equal(reply.why.err, ND_ETOKENLATER);
		assert_int_equal(reply.retry_after, 0);
		assert_non_null(strstr(reply.why.text, "the token endpoint cannot answer now ("));
		oauth_reply_done(&reply);
	}
}

static void
the_wish_of_the_endpoint_is_passed_on_up_to_an_hour(void **state)
{
	struct oauth_reply reply;

	(void)state;
	oauth_read(429, "", 0, 60, NULL, &reply);
	assert_int_equal(reply.retry_after, ND_SEC(60));
	oauth_reply_done(&reply);
	oauth_read(503, "", 0, 1000000, NULL, &reply);
	assert_int_equal(reply.retry_after, ND_HOUR(1));
	oauth_reply_done(&reply);
	oauth_read(400, "{\"error\":\"invalid_client\"}", 26, 60, NULL, &reply);
	assert_int_equal(reply.class, OAUTH_REFUSED);
	assert_int_equal(reply.retry_after, 0);
	oauth_reply_done(&reply);
}

static void
other_refusals_need_a_person(void **state)
{
	static const struct {
		int status;
		const char *body, *words;
	} cases[] = {
		{ 400, "{\"error\":\"invalid_scope\"}", "refused (400, invalid_scope)" },
		{ 404, "<html>not found</html>", "answered 404 with a web page (HTML)" },
		{ 302, "", "answered with a redirect (302), which is not followed" },
		{ 403, "{\"error\":{\"status\":\"PERMISSION_DENIED\",\"message\":\"no\"}}",
		    "refused (403, PERMISSION_DENIED): no" },
		{ 200, "{\"error\":\"invalid_client\"}", "refused (200, invalid_client)" },
		{ 204, "", "answered 204 with nothing instead of a token" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct oauth_reply reply = answer(cases[i].status, cases[i].body);

		assert_int_equal(reply.class, OAUTH_REFUSED);
		assert_non_null(strstr(reply.why.text, cases[i].words));
		oauth_reply_done(&reply);
	}
}

static void
a_missing_reply_is_transient_unless_it_cannot_be_trusted(void **state)
{
	static const struct {
		enum nd_err err;
		enum oauth_class class;
	} cases[] = { { ND_ERESOLVE, OAUTH_LATER }, { ND_ECONNECT, OAUTH_LATER }, { ND_EDEADLINE, OAUTH_LATER },
		{ ND_ECLOSED, OAUTH_LATER }, { ND_EPROTOCOL, OAUTH_LATER }, { ND_ETLS, OAUTH_REFUSED },
		{ ND_ECONF, OAUTH_REFUSED } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct oauth_reply reply;
		struct nd_why why;

		(void)nd_fail(&why, cases[i].err, 0, "in words");
		oauth_read(0, NULL, 0, -1, &why, &reply);
		assert_int_equal(reply.class, cases[i].class);
		assert_int_equal(reply.why.err, cases[i].err);
		assert_string_equal(reply.why.text, "in words");
		oauth_reply_done(&reply);
	}
	struct oauth_reply reply;
	oauth_read(0, NULL, 0, -1, NULL, &reply);
	assert_int_equal(reply.class, OAUTH_LATER);
	oauth_reply_done(&reply);
}

static void
a_saved_token_reads_back_as_it_was(void **state)
{
	struct oauth_saved saved = { .identity = "abc123", .issued = 1795248000123, .expires = 1795251599123 },
			   back = { 0 };
	struct nd_buf text;
	struct nd_why why;

	(void)state;
	saved.token = secret_of("eyJ.x/y+z=");
	nd_buf_init(&text, 65536);
	oauth_saved_write(&saved, &text);
	assert_false(text.failed);
	assert_int_equal(oauth_saved_read(nd_buf_text(&text), text.len, &back, &why), ND_OK);
	assert_string_equal(back.identity, "abc123");
	assert_string_equal(back.token.octets, "eyJ.x/y+z=");
	assert_int_equal(back.issued, saved.issued);
	assert_int_equal(back.expires, saved.expires);
	nd_buf_wipe(&text);
	oauth_saved_done(&saved);
	oauth_saved_done(&back);
}

static void
a_damaged_file_of_a_token_is_an_error(void **state)
{
	static const char *const files[] = { "", "{", "{}", "[]",
		"{\"identity\":\"a\",\"access_token\":\"t\",\"issued\":\"2026-11-21T08:00:00Z\"}",
		"{\"identity\":\"a\",\"access_token\":\"t\",\"issued\":1,\"expires\":2}",
		"{\"identity\":\"a\",\"access_token\":\"a\\nb\",\"issued\":\"2026-11-21T08:00:00Z\",\"expires\":\"2026-"
		"11-21T09:00:00Z\"}",
		"{\"identity\":"
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"access_"
		"token\":"
		"\"t\",\"issued\":\"2026-11-21T08:00:00Z\",\"expires\":\"2026-11-21T09:00:00Z\"}" };
	struct oauth_saved saved = { .issued = 42 };
	struct nd_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_not_equal(oauth_saved_read(files[i], strlen(files[i]), &saved, &why), ND_OK);
		assert_int_equal(saved.issued, 42);
	}
}

static void
an_identity_has_the_six_parts_that_make_a_token_another_one(void **state)
{
	struct nd_buf text;

	(void)state;
	nd_buf_init(&text, 4096);
	oauth_identity(&account, &text);
	assert_string_equal(nd_buf_text(&text),
	    "smtp.office365.com\nalerts@contoso.com\nhttps://login.example/t/oauth2/v2.0/token\n"
	    "9ab20000-0000-0000-0000-000000000000\nt\nhttps://outlook.office365.com/.default\n");
	nd_buf_done(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_grant_says_what_its_paragraph_wants),
		cmocka_unit_test(a_refresh_asks_elsewhere_for_what_was_granted),
		cmocka_unit_test(a_sign_in_brings_a_refresh_token_and_tells_the_scope),
		cmocka_unit_test(a_saved_grant_may_be_without_an_access_token),
		cmocka_unit_test(the_request_is_a_form_with_everything_encoded),
		cmocka_unit_test(basic_authorization_encodes_both_parts_and_leaves_the_form_without_them),
		cmocka_unit_test(a_token_comes_with_its_life),
		cmocka_unit_test(the_life_may_be_a_text_missing_or_absurd),
		cmocka_unit_test(tokens_that_could_forge_a_line_are_refused),
		cmocka_unit_test(a_200_that_is_no_token_is_refused_in_clear_words),
		cmocka_unit_test(a_wrong_secret_is_told_with_the_providers_first_line_and_a_remedy),
		cmocka_unit_test(an_application_id_may_be_shown_but_no_long_run_that_might_be_a_secret),
		cmocka_unit_test(a_secret_that_looks_like_an_id_is_named_and_a_repeated_one_is_taken_out),
		cmocka_unit_test(what_will_pass_is_asked_again_later),
		cmocka_unit_test(the_wish_of_the_endpoint_is_passed_on_up_to_an_hour),
		cmocka_unit_test(other_refusals_need_a_person),
		cmocka_unit_test(a_missing_reply_is_transient_unless_it_cannot_be_trusted),
		cmocka_unit_test(a_saved_token_reads_back_as_it_was),
		cmocka_unit_test(a_damaged_file_of_a_token_is_an_error),
		cmocka_unit_test(an_identity_has_the_six_parts_that_make_a_token_another_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
