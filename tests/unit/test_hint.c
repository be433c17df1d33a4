/* SPDX-License-Identifier: Apache-2.0 */
/* test_hint.c - what to do about a failure of an account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/hint.h"

#include <stdio.h>
#include <string.h>

static char tenant[] = "1f3c", client[] = "9ab2", user[] = "alerts@contoso.com", name[] = "m365",
	    host[] = "smtp.office365.com", token_url[] = "https://login.example.com:443/token",
	    from[] = "root@contoso.com";
static const struct conf_account account = { .provider = CONF_MICROSOFT,
	.name = name,
	.tenant = tenant,
	.client_id = client,
	.user = user,
	.host = host,
	.token_url = token_url,
	.from_box = { NULL, from } };

static bool
says(const struct conf_account *of, enum hint_for reader, const char *words, const struct nd_why *why, const char *want)
{
	struct nd_buf out;
	bool found;

	nd_buf_init(&out, HINT_LIMIT);
	found = strstr(hint_of(of, reader, words, why, &out), want) != NULL && (want[0] != '\0' || out.len == 0);
	nd_buf_done(&out);
	return found;
}

static void
the_table_speaks_before_the_failure(void **state)
{
	struct nd_why why;

	(void)state;
	(void)nd_fail(&why, ND_ECONNECT, 0, "no connection to x, port 587: 192.0.2.1: Connection refused");
	(void)nd_fail_at(&why, NULL, 0, "its own");
	assert_true(says(&account, HINT_OPERATOR, why.text, &why, "check host and port of account m365"));
	assert_true(says(&account, HINT_OPERATOR, "who knows", &why, "its own"));
	assert_true(says(NULL, HINT_OPERATOR, "who knows", NULL, ""));
}

static void
a_command_can_be_pasted_as_it_is(void **state)
{
	(void)state;
	assert_true(says(&account, HINT_OPERATOR, "550 5.2.252 SendAsDenied", NULL,
	    "Add-RecipientPermission -Identity root@contoso.com -AccessRights SendAs -Trustee alerts@contoso.com; "));
	assert_true(says(&account, HINT_OPERATOR, "535 5.7.3 Authentication unsuccessful", NULL, "-AppId 9ab2 "));
}

/* An application's token, signed in as the mailbox, or a person's. */
static const struct claims app_token = { .jwt = true,
	.audience = "https://outlook.office365.com",
	.object = "0b1e",
	.app = "9ab2" },
			   token_of_bob = { .jwt = true,
				   .audience = "https://outlook.office.com",
				   .scopes = "SMTP.Send",
				   .user = "bob@contoso.com" };

static bool
says_by(const struct claims *claims, const char *words, const char *want)
{
	struct nd_buf out;
	bool found;

	nd_buf_init(&out, HINT_LIMIT);
	found = strstr(hint_by_token(&account, claims, words, NULL, &out), want) != NULL;
	nd_buf_done(&out);
	return found;
}

static void
a_refused_token_says_why_and_its_ids_are_in_the_commands(void **state)
{
	static const char wrong[] = "535 5.7.3 Authentication unsuccessful", denied[] = "554 5.2.252 SendAsDenied",
			  logon[] = "430 4.2.0 STOREDRV; mailbox logon failure; x.MapiExceptionLogonFailed";
	struct claims claims = app_token;

	(void)state;
	assert_true(says_by(&claims, wrong, "the token has no role"));
	(void)snprintf(claims.roles, sizeof(claims.roles), "SMTP.SendAsApp");
	assert_true(says_by(&claims, wrong, "the token is as it should be"));
	assert_true(says_by(&claims, wrong, "New-ServicePrincipal -AppId 9ab2 -ObjectId 0b1e; "));
	assert_true(
	    says_by(&claims, logon, "Add-MailboxPermission -Identity alerts@contoso.com -User 0b1e -AccessRights"));
	assert_true(
	    says_by(&claims, denied, "-Identity root@contoso.com -AccessRights SendAs -Trustee alerts@contoso.com; "));
	assert_true(says_by(&claims, denied, "-AccessRights SendAs -Trustee 0b1e"));
	(void)snprintf(claims.roles, sizeof(claims.roles), "IMAP.AccessAsApp Mail.Send");
	assert_true(says_by(&claims, wrong, "the token allows IMAP.AccessAsApp Mail.Send, but not SMTP.SendAsApp"));
	assert_true(says_by(&token_of_bob, wrong,
	    "Add-MailboxPermission -Identity alerts@contoso.com -User bob@contoso.com -AccessRights FullAccess; "
	    "Add-RecipientPermission -Identity alerts@contoso.com -AccessRights SendAs -Trustee bob@contoso.com"));
	assert_true(
	    says_by(&token_of_bob, denied, "-Identity root@contoso.com -AccessRights SendAs -Trustee bob@contoso.com"));
}

static void
what_is_no_refusal_of_the_token_is_not_laid_to_it(void **state)
{
	static const char *const others[] = { "454 4.7.0 Temporary authentication failure",
		"421 4.3.2 Service not active", "432 4.3.2 Concurrent connections limit exceeded.",
		"504 5.7.4 Unrecognized authentication type",
		"501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid",
		("535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated "
		 "successfully"),
		"535 5.7.139 Authentication unsuccessful, federated STS service was unreachable.",
		"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant",
		"smtp.office365.com ended the session" };
	struct claims claims = app_token;

	(void)state;
	(void)snprintf(claims.roles, sizeof(claims.roles), "SMTP.SendAsApp");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (says_by(&claims, others[i], "the token") || says_by(&claims, others[i], "ServicePrincipal"))
			fail_msg("%s", others[i]);
}

/* The provider writes the claims, but a remedy is pasted. */
static void
a_token_cannot_put_words_into_a_command(void **state)
{
	static const struct claims evil = { .jwt = true,
		.audience = "https://outlook.office365.com",
		.object = "x; Remove-Item",
		.app = "$(evil)",
		.roles = "SMTP.SendAsApp" };
	static const char wrong[] = "535 5.7.3 Authentication unsuccessful";

	(void)state;
	assert_true(says_by(&evil, wrong, "-AppId CLIENT-ID -ObjectId OBJECT-ID;"));
	assert_false(says_by(&evil, wrong, "evil"));
	assert_false(says_by(&evil, wrong, "Remove-Item"));
}

static void
who_sends_does_not_see_the_ids_of_the_tenant(void **state)
{
	struct explain_facts facts;
	struct hint_room room;

	(void)state;
	hint_facts(&account, HINT_OWNER, "", &room, &facts);
	assert_null(facts.tenant);
	assert_null(facts.client_id);
	assert_string_equal(facts.user, user);
	assert_true(says(&account, HINT_OWNER, "535 5.7.3 Authentication unsuccessful", NULL, "-AppId CLIENT-ID "));
}

static void
what_an_account_meets_is_told_to_operators_in_full(void **state)
{
	struct health health = { .state = HEALTH_HELD,
		.detail = "535 5.7.3 Authentication unsuccessful",
		.hint = "the token is of tenant 1f3c" };
	struct nd_buf out;

	(void)state;
	nd_buf_init(&out, HINT_LIMIT);
	assert_string_equal(hint_of_health(&account, HINT_OPERATOR, &health, &out), health.hint);
	nd_buf_clear(&out);
	assert_non_null(strstr(hint_of_health(&account, HINT_OWNER, &health, &out), "-AppId CLIENT-ID "));
	assert_null(strstr(nd_buf_text(&out), "1f3c"));
	health.detail[0] = '\0'; /* nothing is known of it, as of a pause */
	nd_buf_clear(&out);
	assert_string_equal(hint_of_health(&account, HINT_OWNER, &health, &out), "");
	nd_buf_done(&out);
}

static void
a_name_that_is_not_found_is_the_one_that_failed(void **state)
{
	(void)state;
	assert_true(says(&account, HINT_OPERATOR, "login.example.com: Could not resolve host: login.example.com", NULL,
	    "getent ahosts login.example.com"));
	assert_true(
	    says(&account, HINT_OPERATOR, "the address of smtp.office365.com cannot be found: the name is not known",
		NULL, "getent ahosts smtp.office365.com"));
}

static void
another_providers_rows_are_not_told(void **state)
{
	(void)state;
	assert_false(
	    says(&account, HINT_OPERATOR, "454 Throttling failure: Maximum sending rate exceeded", NULL, "lower"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_speaks_before_the_failure),
		cmocka_unit_test(a_command_can_be_pasted_as_it_is),
		cmocka_unit_test(a_refused_token_says_why_and_its_ids_are_in_the_commands),
		cmocka_unit_test(what_is_no_refusal_of_the_token_is_not_laid_to_it),
		cmocka_unit_test(a_token_cannot_put_words_into_a_command),
		cmocka_unit_test(who_sends_does_not_see_the_ids_of_the_tenant),
		cmocka_unit_test(what_an_account_meets_is_told_to_operators_in_full),
		cmocka_unit_test(a_name_that_is_not_found_is_the_one_that_failed),
		cmocka_unit_test(another_providers_rows_are_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
