/* SPDX-License-Identifier: Apache-2.0 */
/* test_claims.c - what an access token says about itself, and what that explains. The tokens are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/claims.h"
#include "daemon/core/jwt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW ((nd_unix)1800000000 * 1000)
#define APP "9ab20000-0000-0000-0000-000000000000"
#define OBJECT "0b1ec700-0000-0000-0000-000000000000"
#define BASE                                                                                                           \
	"\"tid\":\"1f3c\",\"oid\":\"" OBJECT "\",\"appid\":\"" APP                                                     \
	"\",\"iat\":1799999990,\"nbf\":1799999990,\"exp\":1800003590"
#define MAIL "\"aud\":\"https://outlook.office365.com\","

static char user[] = "alerts@contoso.com", host[] = "smtp.office365.com", client[] = APP, name[] = "m";
static const struct conf_account account = {
	.provider = CONF_MICROSOFT, .name = name, .user = user, .host = host, .client_id = client
};

/* A token with these claims; its signature is of no matter. */
static void
read(const char *json, struct claims *out)
{
	struct nd_secret token = { 0 };
	struct nd_buf text;

	nd_buf_init(&text, 65536);
	jwt_base64url(&text, "{\"alg\":\"none\"}", 14);
	nd_buf_addc(&text, '.');
	jwt_base64url(&text, json, strlen(json));
	nd_buf_adds(&text, ".c2ln");
	nd_secret_set(&token, nd_buf_text(&text), text.len);
	claims_read(&token, out);
	nd_secret_done(&token);
	nd_buf_done(&text);
}

static char *
words_in(enum explain_lang lang, const char *json, nd_unix now)
{
	struct claims claims;
	struct nd_buf out;

	read(json, &claims);
	nd_buf_init(&out, 4096);
	claims_write(&claims, now, true, lang, &out);
	return nd_buf_take(&out, NULL);
}

static void
assert_words_in(enum explain_lang lang, const char *json, nd_unix now, const char *wanted)
{
	char *text = words_in(lang, json, now);

	if (strstr(text, wanted) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", wanted, text);
	free(text);
}

static void
assert_words(const char *json, nd_unix now, const char *wanted)
{
	assert_words_in(EXPLAIN_EN, json, now, wanted);
}

static void
a_token_says_whom_it_is_for_and_what_it_allows(void **state)
{
	struct claims claims;

	(void)state;
	read("{" MAIL BASE ",\"roles\":[\"SMTP.SendAsApp\",\"IMAP.AccessAsApp\"]}", &claims);
	assert_true(claims.jwt);
	assert_string_equal(claims.audience, "https://outlook.office365.com");
	assert_string_equal(claims.roles, "SMTP.SendAsApp IMAP.AccessAsApp");
	assert_string_equal(claims.object, OBJECT);
	assert_string_equal(claims.app, APP);
	assert_int_equal(claims.expires, (nd_unix)1800003590 * 1000);
	assert_words("{" MAIL BASE ",\"scp\":\"SMTP.Send\",\"upn\":\"a@b.c\"}", NOW,
	    "user a@b.c, scopes SMTP.Send, good for 59m");
	read("{\"aud\":[\"https://outlook.office.com\",\"x\"],\"azp\":\"z\",\"preferred_username\":\"p\"}", &claims);
	assert_string_equal(claims.audience, "https://outlook.office.com");
	assert_string_equal(claims.app, "z");
	assert_string_equal(claims.user, "p");
}

static void
a_token_is_told_of_in_japanese_too(void **state)
{
	static const char token[] = "{" MAIL BASE ",\"scp\":\"SMTP.Send Mail.ReadWrite\",\"upn\":\"a@b.c\"}";

	(void)state;
	assert_words_in(EXPLAIN_JA, token, NOW, "ユーザー a@b.c, スコープ SMTP.Send Mail.ReadWrite, 残り時間 59m");
	assert_words_in(EXPLAIN_JA, token, NOW,
	    "このトークンではメールの読み取りもできます (Mail.Read*)。その権限を外してください");
	assert_words_in(EXPLAIN_JA, token, NOW - ND_HOUR(1), "このホストの時計は約");
}

static void
what_is_no_jwt_is_opaque(void **state)
{
	static const char *const texts[] = { "", "ya29.a0AfB", "EwBAAl3BAAUFFpUA", "a.b.c", "..", ".", "a.!!!!.c",
		"a.e30.c", "a.W10.c", "a.bnVsbA.c" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct nd_secret token = { 0 };
		struct claims claims;

		nd_secret_set(&token, texts[i], strlen(texts[i]));
		claims_read(&token, &claims);
		assert_int_equal(claims.jwt, strcmp(texts[i], "a.e30.c") == 0); /* {} is a JWT that says nothing */
		nd_secret_done(&token);
	}
}

static void
what_a_token_says_is_fit_to_be_shown(void **state)
{
	struct claims claims;

	(void)state;
	read("{\"aud\":\"a\\u001b[31m\\nb\",\"roles\":[1,{},\"x\"],\"iat\":-1,\"exp\":1e99,\"tid\":7}", &claims);
	assert_null(strchr(claims.audience, '\033'));
	assert_null(strchr(claims.audience, '\n'));
	assert_string_equal(claims.roles, "x");
	assert_int_equal(claims.issued, 0);
	assert_int_equal(claims.expires, 0);
	assert_string_equal(claims.tenant, "");
}

static void
a_token_that_can_do_more_than_send_is_named(void **state)
{
	struct claims claims;

	(void)state;
	assert_words("{" MAIL BASE ",\"roles\":[\"SMTP.SendAsApp\",\"Directory.Read.All\"]}", NOW,
	    "this token can also read your directory");
	assert_words("{" MAIL BASE ",\"scp\":\"SMTP.Send https://graph.microsoft.com/Mail.ReadWrite\"}", NOW,
	    "this token can also read mail");
	read("{" MAIL BASE ",\"roles\":[\"SMTP.SendAsApp\",\"Directory.Read.All\"]}", &claims);
	assert_true(claims_broad(&claims));
	read("{" MAIL BASE ",\"scp\":\"SMTP.Send offline_access\"}", &claims);
	assert_false(claims_broad(&claims));
}

static void
a_fresh_token_tells_how_the_clock_goes(void **state)
{
	char *text;

	(void)state;
	assert_words("{" MAIL BASE "}", NOW - ND_MIN(10), "clock is about 9m behind");
	assert_words("{" MAIL BASE "}", NOW + ND_MIN(10), "clock is about 10m ahead");
	text = words_in(EXPLAIN_EN, "{" MAIL BASE "}", NOW + ND_MIN(5)); /* issuers date tokens back */
	assert_null(strstr(text, "clock"));
	free(text);
}

static void
a_token_for_another_service_is_not_even_tried(void **state)
{
	struct conf_account other = account;
	struct claims claims;
	struct nd_why why;

	(void)state;
	read("{\"aud\":\"https://graph.microsoft.com/\"," BASE "}", &claims);
	assert_int_equal(claims_check(&claims, &account, NOW, &why), ND_ETOKEN);
	assert_non_null(strstr(why.text, "Microsoft Graph"));
	assert_non_null(strstr(nd_why_hint(&why), "take scope out"));
	other.provider = CONF_SMTP;
	assert_int_equal(claims_check(&claims, &other, NOW, &why), ND_OK);
	read("{\"aud\":\"00000003-0000-0000-c000-000000000000\"," BASE "}", &claims);
	assert_int_equal(claims_check(&claims, &account, NOW, &why), ND_ETOKEN);
	read("{" MAIL BASE "}", &claims);
	assert_int_equal(claims_check(&claims, &account, NOW, &why), ND_OK);
	assert_int_equal(claims_check(&claims, &account, NOW + ND_MIN(90), &why), ND_ETOKEN);
	assert_non_null(strstr(why.text, "clock"));
}

static void
a_refusal_is_explained_by_what_the_token_lacks(void **state)
{
	/* clang-format off */
	static const struct { enum claims_fault fault; enum explain_token what; const char *json; } rows[] = {
		{ CLAIMS_WRONG_AUDIENCE, EXPLAIN_LOGIN, "{\"aud\":\"https://x.example\"," BASE "}" },
		{ CLAIMS_NO_CONSENT, EXPLAIN_LOGIN, "{" MAIL BASE "}" },
		{ CLAIMS_NO_CONSENT, EXPLAIN_MAILBOX, "{" MAIL BASE "}" },
		{ CLAIMS_NO_ROLE, EXPLAIN_LOGIN, "{" MAIL BASE ",\"roles\":[\"IMAP.AccessAsApp\"]}" },
		{ CLAIMS_NO_ROLE, EXPLAIN_LOGIN, "{" MAIL BASE ",\"roles\":[\"Mail.Send\"]}" },
		{ CLAIMS_NO_SCOPE, EXPLAIN_LOGIN, "{" MAIL BASE ",\"scp\":\"IMAP.AccessAsUser.All\"}" },
		{ CLAIMS_NO_PRINCIPAL, EXPLAIN_LOGIN, "{" MAIL BASE ",\"roles\":[\"SMTP.SendAsApp\"]}" },
		{ CLAIMS_UNKNOWN, EXPLAIN_MAILBOX, "{" MAIL BASE ",\"roles\":[\"SMTP.SendAsApp\"]}" },
		{ CLAIMS_UNKNOWN, EXPLAIN_SENDER, "{" MAIL BASE "}" },
		{ CLAIMS_UNKNOWN, EXPLAIN_NO_TOKEN, "{" MAIL BASE "}" },
		{ CLAIMS_WRONG_PERSON, EXPLAIN_LOGIN, "{" MAIL BASE ",\"scp\":\"SMTP.Send\",\"upn\":\"bob@contoso.com\"}" },
		{ CLAIMS_UNKNOWN, EXPLAIN_LOGIN, "{" MAIL BASE ",\"scp\":\"SMTP.Send\",\"upn\":\"Alerts@contoso.com\"}" },
		{ CLAIMS_SEND_AS, EXPLAIN_SENDER, "{" MAIL BASE ",\"scp\":\"SMTP.Send\",\"upn\":\"bob@contoso.com\"}" },
		{ CLAIMS_UNKNOWN, EXPLAIN_LOGIN, "[]" },
	};
	/* clang-format on */
	struct conf_account other = account;
	struct claims claims;

	(void)state;
	other.provider = CONF_GOOGLE;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read(rows[i].json, &claims);
		assert_string_equal(
		    claims_fault_name(claims_blame(&claims, &account, rows[i].what)), claims_fault_name(rows[i].fault));
		assert_int_equal(claims_blame(&claims, &other, rows[i].what), CLAIMS_UNKNOWN);
	}
}

static void
each_fault_has_its_row_in_the_table(void **state)
{
	const struct explain_row *found[EXPLAIN_FOUND];
	char text[64], id[64];

	(void)state;
	for (unsigned fault = CLAIMS_UNKNOWN + 1; fault < CLAIMS_FAULT_COUNT; fault++) {
		(void)snprintf(text, sizeof(text), CLAIMS_WORDS "%s", claims_fault_name((enum claims_fault)fault));
		(void)snprintf(id, sizeof(id), "token-%s", claims_fault_name((enum claims_fault)fault));
		assert_true(explain_find(explain_used(), text, NULL, found) > 0);
		assert_string_equal(found[0]->id, id);
	}
	assert_int_equal(explain_find(explain_used(), CLAIMS_WORDS "unknown", NULL, found), 0);
}

static void
a_token_fills_in_the_ids_of_an_application_and_the_name_of_a_person(void **state)
{
	struct explain_facts facts = { .client_id = client, .user = user };
	struct claims claims;

	(void)state;
	read("{" MAIL BASE ",\"roles\":[\"SMTP.SendAsApp\"]}", &claims);
	claims_facts(&claims, &facts);
	assert_string_equal(facts.object_id, OBJECT);
	assert_string_equal(facts.rights, "SMTP.SendAsApp");
	assert_null(facts.person);
	facts = (struct explain_facts){ .client_id = client, .user = user };
	read("{" MAIL BASE ",\"scp\":\"SMTP.Send\"}", &claims);
	claims_facts(&claims, &facts);
	assert_null(facts.object_id); /* that of a person is no service principal's */
	assert_string_equal(facts.person, user);
}

static void
the_rights_of_high_volume_email_are_others(void **state)
{
	struct conf_account hve = account;
	struct claims claims;

	(void)state;
	hve.provider = CONF_MICROSOFT_HVE;
	read("{" MAIL BASE ",\"roles\":[\"Mail.Send\"]}", &claims);
	assert_int_equal(claims_blame(&claims, &hve, EXPLAIN_LOGIN), CLAIMS_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_says_whom_it_is_for_and_what_it_allows),
		cmocka_unit_test(a_token_is_told_of_in_japanese_too),
		cmocka_unit_test(what_is_no_jwt_is_opaque),
		cmocka_unit_test(what_a_token_says_is_fit_to_be_shown),
		cmocka_unit_test(a_token_that_can_do_more_than_send_is_named),
		cmocka_unit_test(a_fresh_token_tells_how_the_clock_goes),
		cmocka_unit_test(a_token_for_another_service_is_not_even_tried),
		cmocka_unit_test(a_refusal_is_explained_by_what_the_token_lacks),
		cmocka_unit_test(the_rights_of_high_volume_email_are_others),
		cmocka_unit_test(each_fault_has_its_row_in_the_table),
		cmocka_unit_test(a_token_fills_in_the_ids_of_an_application_and_the_name_of_a_person),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
