/* SPDX-License-Identifier: Apache-2.0 */
/* test_explain.c - what failures mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/explain.h"

#include <string.h>

static const char *
remedy(const char *text)
{
	const struct explain_row *row = explain_find(text);

	return row != NULL ? row->remedy : "";
}

static const char *
token(const char *text)
{
	const struct explain_row *row = explain_find(text);

	return row != NULL ? row->token : "";
}

static void
a_wrong_secret_is_told_from_an_expired_one(void **state)
{
	(void)state;
	assert_string_equal(
	    token("invalid_client: AADSTS7000215: Invalid client secret provided. Ensure …"), "AADSTS7000215");
	assert_non_null(strstr(remedy("invalid_client: AADSTS7000215: Invalid"), "Value"));
	assert_string_equal(token("AADSTS7000222: The provided client secret keys are expired."), "AADSTS7000222");
}

static void
a_shorter_number_does_not_match_a_longer_one(void **state)
{
	(void)state;
	assert_string_equal(token("AADSTS700016: Application not found"), "AADSTS700016");
	assert_string_equal(token("AADSTS70001: Application disabled"), "AADSTS70001");
	assert_string_equal(token("AADSTS5001123: no such number"), "");
	assert_string_equal(token("550 5.7.30 Basic authentication is not supported"), "5.7.30");
	assert_string_equal(token("5.7.3"), "5.7.3");
	assert_string_equal(token("host 10.5.7.3 is gone"), "");
	assert_string_equal(token("host 5.7.3.1 is gone"), "");
	assert_string_equal(token("5.1.10 Recipient not found"), "5.1.10");
}

static void
replies_of_exchange_online_are_known(void **state)
{
	(void)state;
	assert_non_null(
	    strstr(remedy("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
			  "Tenant. Visit https://aka.ms/smtp_auth_disabled"),
		"Set-TransportConfig"));
	assert_non_null(
	    strstr(remedy("535 5.7.3 Authentication unsuccessful [SY5P282CA0097]"), "New-ServicePrincipal"));
	assert_non_null(
	    strstr(remedy("430 4.2.0 STOREDRV; mailbox logon failure; "
			  "STOREDRV.Submission.Exception:ConnectionFailedTransientException.MapiExceptionLogonFailed"),
		"Add-MailboxPermission"));
	assert_non_null(
	    strstr(remedy("554 5.2.252 SendAsDenied; a@x not allowed to send as b@x"), "Add-RecipientPermission"));
	assert_string_equal(token("554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException"),
	    "SubmissionQuotaExceeded");
	/* Not the mailbox's own fullness, though the words are alike. */
	assert_string_equal(token("554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException"),
	    "QuotaExceededException");
}

static void
replies_of_google_and_amazon_are_known(void **state)
{
	(void)state;
	assert_string_equal(
	    token("454 4.7.0 Too many login attempts, please try again later - gsmtp"), "Too many login attempts");
	assert_string_equal(token("550 5.4.5 Daily user sending limit exceeded"), "Daily user sending limit");
	assert_string_equal(
	    token("554 Message rejected: Email address is not verified."), "Email address is not verified");
	assert_string_equal(
	    token("454 Throttling failure: Maximum sending rate exceeded"), "Maximum sending rate exceeded");
}

static void
certificates_and_names_are_explained(void **state)
{
	(void)state;
	assert_non_null(strstr(remedy("self-signed certificate in certificate chain"), "ca_file"));
	assert_non_null(strstr(remedy("certificate has expired"), "clock"));
	assert_non_null(strstr(remedy("hostname mismatch"), "tls_name"));
	assert_non_null(strstr(remedy("Temporary failure in name resolution"), "resolv.conf"));
}

static void
what_says_more_stands_before_what_says_less(void **state)
{
	(void)state;
	assert_string_equal(token("invalid_grant"), "invalid_grant");
	assert_string_equal(token("INVALID_CLIENT"), "invalid_client");
	assert_string_equal(token("invalid_grant: AADSTS70043: The refresh token has expired"), "AADSTS70043");
	assert_string_equal(
	    token("invalid_grant: Token has been expired or revoked."), "Token has been expired or revoked");
	assert_string_equal(token("unauthorized_client"), "unauthorized_client");
}

static void
no_row_is_hidden_by_an_earlier_one(void **state)
{
	static const struct explain_row rows[] = {
#define EXPLAIN(token, meaning, remedy) { token, meaning, remedy },
#include "common/explain.def"
#undef EXPLAIN
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(token(rows[i].token), rows[i].token);
		assert_true(strlen(rows[i].meaning) > 0 && strlen(rows[i].remedy) > 0);
	}
}

static void
what_nobody_knows_is_not_explained(void **state)
{
	(void)state;
	assert_null(explain_find(NULL));
	assert_null(explain_find(""));
	assert_null(explain_find("250 2.0.0 OK"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_secret_is_told_from_an_expired_one),
		cmocka_unit_test(a_shorter_number_does_not_match_a_longer_one),
		cmocka_unit_test(replies_of_exchange_online_are_known),
		cmocka_unit_test(replies_of_google_and_amazon_are_known),
		cmocka_unit_test(certificates_and_names_are_explained),
		cmocka_unit_test(what_says_more_stands_before_what_says_less),
		cmocka_unit_test(no_row_is_hidden_by_an_earlier_one),
		cmocka_unit_test(what_nobody_knows_is_not_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
