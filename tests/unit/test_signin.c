/* SPDX-License-Identifier: Apache-2.0 */
/* test_signin.c - unit tests: what the browser is sent to, what comes back, devices, who signed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/core/pkce.h"
#include "daemon/core/signin.h"

static char name[] = "m365", none[] = "", user[] = "alerts@contoso.com", client[] = "9ab2",
	    token_scope[] = "https://outlook.office.com/SMTP.Send offline_access",
	    authorize[] = "https://login.microsoftonline.com/t/oauth2/v2.0/authorize",
	    device[] = "https://login.microsoftonline.com/t/devicecode", mail[] = "https://mail.google.com/",
	    google[] = "https://accounts.google.com/o/oauth2/v2/auth";

static struct conf_account
microsoft(void)
{
	return (struct conf_account){ .name = name,
		.provider = CONF_MICROSOFT,
		.auth = CONF_OAUTH2,
		.grant = CONF_AUTHORIZATION_CODE,
		.user = user,
		.client_id = client,
		.scope = token_scope,
		.authorize_url = authorize,
		.device_url = device,
		.redirect_uri = none };
}

/* RFC 7636 appendix B: the digest of dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk. */
static void
the_challenge_of_the_rfc(void **state)
{
	static const uint8_t random[32] = { 116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186,
		22, 212, 37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121 };
	static const uint8_t sum[32] = { 19, 211, 30, 150, 26, 26, 216, 236, 47, 22, 177, 12, 76, 152, 46, 8, 118, 168,
		120, 173, 109, 241, 68, 86, 110, 225, 137, 74, 203, 112, 249, 195 };
	char out[PKCE_SIZE];

	(void)state;
	assert_string_equal(pkce_text(random, out), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
	assert_string_equal(pkce_text(sum, out), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

static void
the_url_octet_by_octet(void **state)
{
	struct conf_account account = microsoft();
	struct signin_start start = { "http://localhost:4711/x/?a=b", NULL, "S-t", "C_h" };
	struct nd_buf url;

	(void)state;
	nd_buf_init(&url, 4096);
	signin_url(&account, &start, &url);
	assert_string_equal(nd_buf_text(&url),
	    "https://login.microsoftonline.com/t/oauth2/v2.0/authorize?client_id=9ab2&response_type=code"
	    "&redirect_uri=http%3A%2F%2Flocalhost%3A4711%2Fx%2F%3Fa%3Db&response_mode=query"
	    "&scope=https%3A%2F%2Foutlook.office.com%2FSMTP.Send%20offline_access%20openid%20profile%20email"
	    "&state=S-t&code_challenge=C_h&code_challenge_method=S256&login_hint=alerts%40contoso.com");
	nd_buf_clear(&url);
	account.provider = CONF_GOOGLE;
	account.authorize_url = google;
	account.scope = mail;
	start.client_id = "of.the.json";
	start.redirect_uri = "http://127.0.0.1:1";
	signin_url(&account, &start, &url);
	assert_string_equal(nd_buf_text(&url),
	    "https://accounts.google.com/o/oauth2/v2/auth?client_id=of.the.json&response_type=code"
	    "&redirect_uri=http%3A%2F%2F127.0.0.1%3A1"
	    "&scope=https%3A%2F%2Fmail.google.com%2F%20openid%20profile%20email"
	    "&state=S-t&code_challenge=C_h&code_challenge_method=S256&login_hint=alerts%40contoso.com"
	    "&access_type=offline&prompt=consent");
	nd_buf_clear(&url);
	account.provider = CONF_SMTP;
	signin_url(&account, &start, &url);
	assert_null(strstr(nd_buf_text(&url), "prompt="));
	account.scope = token_scope; /* granted by some only when consent is asked for */
	signin_url(&account, &start, &url);
	assert_non_null(strstr(nd_buf_text(&url), "&prompt=consent"));
	nd_buf_done(&url);
}

static void
a_browser_comes_back_to_this_machine_only(void **state)
{
	static const char *const good[] = { "http://localhost", "http://localhost:1/x/", "http://127.0.0.1:8",
		"http://[::1]:8/", "https://login.microsoftonline.com/common/oauth2/nativeclient" };
	static const char *const bad[] = { "", "http://localhost.example/", "http://example.com/",
		"http://127.0.0.1@x/", "/x", "http://localhost/#x", "http://localhost/ x",
		"urn:ietf:wg:oauth:2.0:oob" };
	struct conf_account account = microsoft();
	struct nd_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(signin_redirect_check(&account, good[i], &why), ND_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(signin_redirect_check(&account, bad[i], &why), ND_EINVALID);
	account.redirect_uri = authorize; /* it is used, whatever is proposed */
	assert_int_equal(signin_redirect_check(&account, bad[0], &why), ND_OK);
}

/* What becomes of a text that came back: the code, or the error. */
static const char *
back(const char *text)
{
	static char said[400];
	struct conf_account account = microsoft();
	struct nd_secret code = { 0 };
	struct nd_why why;
	enum nd_err err = signin_back(&account, "S", text, &code, &why);

	(void)snprintf(said, sizeof(said), "%s%s", err == ND_OK ? "" : nd_err_name(err),
	    err == ND_OK       ? code.octets
	    : err == ND_ELOGIN ? why.text
			       : "");
	nd_secret_done(&code);
	return said;
}

static void
the_code_is_taken_from_a_url_a_query_or_alone(void **state)
{
	(void)state;
	assert_string_equal(back("http://localhost:1/x/?code=0.A%2Fb!&state=S"), "0.A/b!");
	assert_string_equal(back(" ?state=S&code=c&session_state=1 \n"), "c");
	assert_string_equal(back("code=c&state=S"), "c");
	assert_string_equal(back("http://localhost/#code=c&state=S"), "c");
	assert_string_equal(back("http://localhost/?code=c&state=S#_=_"), "c");
	assert_string_equal(
	    back("http://localhost/?code=c&state=S&iss=https%3A%2F%2Flogin.microsoftonline.com%2Ft%2Fv2.0"), "c");
	assert_string_equal(back("\t4%2F0Ab-_\r\n"), "4/0Ab-_");
	assert_string_equal(back("M.C507_BAY*!$"), "M.C507_BAY*!$");
}

static void
what_is_not_of_this_sign_in_is_refused(void **state)
{
	static const char *const texts[] = { "", "http://localhost/?code=c", "http://localhost/?code=c&state=s",
		"http://localhost/?code=c&state=SS", "code=c&code=d&state=S", "code=&state=S", "code=c%20d&state=S",
		"code=%zz&state=S", "http://localhost/?code=c&state=S&iss=https%3A%2F%2Fevil.example",
		"error=access_denied&state=x", "two words" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_string_equal(back(texts[i]), "invalid-value");
}

static void
the_providers_no_is_told_in_its_words(void **state)
{
	(void)state;
	assert_string_equal(
	    back("?error=access_denied&error_description=AADSTS65004%3a+User+declined.%0d%0aTrace+ID&state=S"),
	    "login-failedthe provider refused the sign-in (access_denied): AADSTS65004: User declined.");
}

static void
a_device_code_is_read_also_in_googles_words(void **state)
{
	static const char standard[] = "{\"device_code\":\"d\",\"user_code\":\"U\",\"verification_uri\":\"https://x/"
				       "\",\"expires_in\":900,\"interval\":7,"
				       "\"verification_uri_complete\":\"https://x/?c=U\"}",
			  googles[] = "{\"device_code\":\"d\",\"user_code\":\"U\",\"verification_url\":\"https://g/\"}",
			  nothing[] = "{\"user_code\":\"U\"}",
			  no[] = "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000218: x\"}";
	struct oauth_reply refusal;
	struct signin_device got;

	(void)state;
	assert_int_equal(signin_device_read(200, standard, strlen(standard), NULL, &got, &refusal), ND_OK);
	assert_string_equal(got.uri_complete, "https://x/?c=U");
	assert_int_equal(got.interval, ND_SEC(7));
	assert_int_equal(got.life, ND_SEC(900));
	signin_device_done(&got);
	assert_int_equal(signin_device_read(200, googles, strlen(googles), NULL, &got, &refusal), ND_OK);
	assert_string_equal(got.uri, "https://g/");
	assert_int_equal(got.interval, ND_SEC(5));
	signin_device_done(&got);
	assert_int_equal(signin_device_read(200, nothing, strlen(nothing), NULL, &got, &refusal), ND_ELOGIN);
	assert_string_equal(refusal.why.hint, "check device_url");
	assert_int_equal(signin_device_read(401, no, strlen(no), NULL, &got, &refusal), ND_ELOGIN);
	assert_non_null(strstr(refusal.why.text, "AADSTS7000218"));
	assert_true(oauth_reply_secret_refused(&refusal));
	oauth_reply_done(&refusal);
}

static enum signin_step
poll(struct signin_device *at, int status, const char *error, struct nd_why *why)
{
	struct oauth_reply reply;
	char body[200];

	(void)snprintf(body, sizeof(body), "{\"error\":\"%s\"}", error);
	oauth_read(status, body, strlen(body), -1, NULL, &reply);
	enum signin_step step = signin_poll(at, &reply, why);
	oauth_reply_done(&reply);
	return step;
}

static void
a_device_is_asked_for_patiently(void **state)
{
	struct signin_device at = { .interval = ND_SEC(5) };
	struct nd_why why;

	(void)state;
	assert_int_equal(poll(&at, 400, "authorization_pending", &why), SIGNIN_WAIT);
	assert_int_equal(at.interval, ND_SEC(5));
	assert_int_equal(poll(&at, 400, "slow_down", &why), SIGNIN_WAIT);
	assert_int_equal(poll(&at, 400, "authorization_pending", &why), SIGNIN_WAIT);
	assert_int_equal(at.interval, ND_SEC(10)); /* for good */
	assert_int_equal(poll(&at, 503, "", &why), SIGNIN_WAIT);
	assert_int_equal(at.interval, ND_SEC(20));
	assert_int_equal(poll(&at, 400, "authorization_declined", &why), SIGNIN_OVER);
	assert_int_equal(poll(&at, 400, "access_denied", &why), SIGNIN_OVER);
	assert_int_equal(poll(&at, 400, "expired_token", &why), SIGNIN_OVER);
	assert_non_null(strstr(why.text, "not used in time"));
	assert_int_equal(poll(&at, 401, "invalid_client", &why), SIGNIN_OVER);
	assert_int_equal(why.err, ND_ELOGIN);
}

static void
who_signed_in_stands_in_the_claims(void **state)
{
	static const struct {
		const char *jwt, *who;
	} rows[] = { { "x.eyJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhQGIuYyJ9.s", "a@b.c" }, /* {"preferred_username":"a@b.c"} */
		{ "x.eyJlbWFpbCI6Im1AYi5jIn0.s", "m@b.c" },                       /* {"email":"m@b.c"} */
		{ "x.e30.s", "" }, { "opaque", "" }, { "x.!!.s", "" }, { "", "" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nd_secret jwt = { 0 };
		char who[320];

		nd_secret_set(&jwt, rows[i].jwt, strlen(rows[i].jwt));
		assert_int_equal(signin_who(&jwt, who, sizeof(who)), rows[i].who[0] != '\0');
		assert_string_equal(who, rows[i].who);
		nd_secret_done(&jwt);
	}
}

static void
a_sign_in_is_judged_by_what_it_gave(void **state)
{
	struct conf_account account = microsoft();
	struct oauth_reply reply = { .class = OAUTH_TOKEN };
	struct signin_note notes[SIGNIN_NOTES];
	struct nd_why why;

	(void)state;
	assert_int_equal(signin_judge(&account, &reply, user, notes, &why), ND_ELOGIN);
	account.scope = mail;
	assert_int_equal(signin_judge(&account, &reply, user, notes, &why), ND_ELOGIN);
	assert_non_null(strstr(why.hint, "offline_access"));
	account.provider = CONF_GOOGLE;
	assert_int_equal(signin_judge(&account, &reply, user, notes, &why), ND_ELOGIN);
	assert_non_null(strstr(why.hint, "first consent"));
	account = microsoft();
	nd_secret_set(&reply.refresh_token, "r", 1);
	assert_int_equal(signin_judge(&account, &reply, "ALERTS@contoso.com", notes, &why), ND_OK);
	assert_null(notes[0].code);
	(void)snprintf(
	    reply.scope, sizeof(reply.scope), "openid smtp.send"); /* without the resource, in other letters */
	assert_int_equal(signin_judge(&account, &reply, "", notes, &why), ND_OK);
	assert_null(notes[0].code);
	(void)snprintf(reply.scope, sizeof(reply.scope), "openid profile");
	assert_int_equal(signin_judge(&account, &reply, "boss@contoso.com", notes, &why), ND_OK);
	assert_string_equal(notes[0].code, "signed-in-as");
	assert_string_equal(notes[1].code, "scope-reduced");
	nd_secret_done(&reply.refresh_token);
}

static void
who_cannot_sign_in_is_told_why(void **state)
{
	struct conf_account account = microsoft();
	struct nd_why why;

	(void)state;
	assert_int_equal(signin_possible(&account, SIGNIN_DEVICE, &why), ND_OK);
	account.device_url = none;
	assert_int_equal(signin_possible(&account, SIGNIN_DEVICE, &why), ND_ELOGIN);
	account.provider = CONF_GOOGLE;
	assert_int_equal(signin_possible(&account, SIGNIN_CODE, &why), ND_OK);
	assert_int_equal(signin_possible(&account, SIGNIN_DEVICE, &why), ND_ELOGIN);
	assert_non_null(strstr(why.text, "Google"));
	account.grant = CONF_CLIENT_CREDENTIALS;
	assert_int_equal(signin_possible(&account, SIGNIN_CODE, &why), ND_ESTATE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_challenge_of_the_rfc),
		cmocka_unit_test(the_url_octet_by_octet),
		cmocka_unit_test(a_browser_comes_back_to_this_machine_only),
		cmocka_unit_test(the_code_is_taken_from_a_url_a_query_or_alone),
		cmocka_unit_test(what_is_not_of_this_sign_in_is_refused),
		cmocka_unit_test(the_providers_no_is_told_in_its_words),
		cmocka_unit_test(a_device_code_is_read_also_in_googles_words),
		cmocka_unit_test(a_device_is_asked_for_patiently),
		cmocka_unit_test(who_signed_in_stands_in_the_claims),
		cmocka_unit_test(a_sign_in_is_judged_by_what_it_gave),
		cmocka_unit_test(who_cannot_sign_in_is_told_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
