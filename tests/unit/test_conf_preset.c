/* SPDX-License-Identifier: Apache-2.0 */
/* test_conf_preset.c - what a provider is known for, and that an account may say otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/smtp_auth.h"
#include "tests/unit/conf_kit.h"

static const struct conf_account *
only(const struct told *told)
{
	assert_string_equal(told->lines, "");
	return &told->conf.account[0];
}

static const char hve[] = "[account h]\nprovider = microsoft-hve\nfrom = a@b.example\ntenant = t.example\n"
			  "client_id = x\nclient_secret = env:S\n";
static const char relay[] = "[account r]\nhost = h\nfrom = a@b.example\n";
static const char by_password[] = "[account r]\nhost = h\nfrom = a@b.example\npassword = env:P\n";

static struct told *
read_and(const char *first, const char *more)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "%s%s", first, more);
	return read_one(text);
}

static void
whether_reports_are_asked_for_is_the_providers_matter_till_the_account_says_it(void **state)
{
	static const struct {
		const char *provider, *more;
		int dsn;
	} rows[] = {
		{ "microsoft", "auth = none\n", 1 },
		{ "microsoft", "auth = none\ndsn = no\n", 0 },
		{ "google-relay", "", 0 },
		{ "google-relay", "dsn = yes\n", 1 },
		{ "smtp", "host = h\n", 1 },
		{ "smtp", "host = h\ndsn = no\n", 0 },
		{ "smtp", "host = h\ndsn =\n", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[200];
		struct told *told;

		(void)snprintf(text, sizeof(text), "[account a]\nprovider = %s\nfrom = a@b.example\n%s",
		    rows[i].provider, rows[i].more);
		told = read_one(text);
		assert_int_equal(only(told)->dsn, rows[i].dsn);
		forget(told);
	}
	expect_in(read_and(relay, "dsn = maybe\n"), "notifyd.conf:4: [account r] dsn: \"maybe\" is not one of: no yes");
}

static void
when_a_token_is_renewed_is_the_providers_matter_till_the_account_says_it(void **state)
{
	struct told *told = read_one(hve);

	(void)state;
	assert_int_equal(only(told)->token_margin, ND_MIN(11));
	forget(told);
	told = read_and(hve, "token_margin = 20m\n");
	assert_int_equal(only(told)->token_margin, ND_MIN(20));
	forget(told);
	told = read_account_and("");
	assert_int_equal(only(told)->token_margin, ND_MIN(5));
	forget(told);
	expect_in(read_and(hve, "token_margin = 2d\n"), "token_margin: 2d is not between 1s and 1d00h");
	expect_in(read_and(hve, "token_margin = 0s\n"), "is not between 1s and");
	expect_in(read_and(by_password, "token_margin = 9m\n"), "it has no use with auth = password");
}

static void
the_form_of_auth_is_free_till_the_account_says_it(void **state)
{
	struct told *told = read_account_and("");

	(void)state;
	assert_null(conf_mechanism_name(only(told)->auth_mechanism));
	assert_int_equal(only(told)->auth_initial_response, 1);
	forget(told);
	told = read_account_and("auth_mechanism = oauthbearer\nauth_initial_response = no\n");
	assert_string_equal(conf_mechanism_name(only(told)->auth_mechanism), "OAUTHBEARER");
	assert_int_equal(only(told)->auth_initial_response, 0);
	forget(told);
	told = read_and(by_password, "auth_mechanism = scram-sha-256\n");
	assert_string_equal(conf_mechanism_name(only(told)->auth_mechanism), "SCRAM-SHA-256");
	forget(told);
}

static void
a_mechanism_that_cannot_carry_the_credential_is_a_fault(void **state)
{
	(void)state;
	expect_in(read_account_and("auth_mechanism = plain\n"),
	    "[account m365] auth_mechanism: PLAIN carries a password, "
	    "but auth = oauth2; one of xoauth2, oauthbearer, any");
	expect_in(read_and(by_password, "auth_mechanism = xoauth2\n"),
	    "XOAUTH2 carries a token, but auth = password; one of scram-sha-256, plain, login, cram-md5, any");
	expect_in(read_and(relay, "auth_mechanism = plain\n"), "it has no use with auth = none");
	expect_in(read_and(relay, "auth_initial_response = no\n"), "it has no use with auth = none");
	expect_in(read_and(by_password, "auth_mechanism = digest-md5\n"), "\"digest-md5\" is not one of: any xoauth2");
}

static void
a_secret_may_be_a_key_of_the_kernel(void **state)
{
	struct told *told = read_and(relay, "password = keyring:notifyd:relay@1\n");

	(void)state;
	assert_string_equal(only(told)->password, "keyring:notifyd:relay@1");
	forget(told);
	expect_in(read_and(relay, "password = keyring:\n"),
	    "the name after keyring: may hold letters, digits, . _ : @ and -");
	expect_in(read_and(relay, "password = keyring:a b\n"), "the name after keyring: may hold");
}

/* Two tables, of the settings and of the protocol, have the same words. */
static void
every_mechanism_that_can_be_named_can_be_used(void **state)
{
	struct nd_secret secret = { .octets = (char[]){ "secret" }, .len = 6 };
	const struct smtp_caps caps = { .auth_plain = true,
		.auth_login = true,
		.auth_xoauth2 = true,
		.auth_oauthbearer = true,
		.auth_scram_sha256 = true,
		.auth_cram_md5 = true };

	(void)state;
	for (int i = CONF_BY_ANY + 1; i < CONF_BY_COUNT; i++) {
		struct smtp_settings settings = { .host = "h", .user = "u", .secret = &secret };
		const struct smtp_auth_mech *mech;
		struct nd_why why;

		settings.auth = i <= CONF_BY_OAUTHBEARER ? SMTP_AUTH_OAUTH : SMTP_AUTH_PASSWORD;
		settings.mechanism = conf_mechanism_name(i);
		mech = smtp_auth_choose(&settings, &caps, true, &why);
		assert_non_null(mech);
		assert_string_equal(mech->name, settings.mechanism);
	}
}

static void
a_token_goes_by_the_standard_unless_its_provider_has_a_way_of_its_own(void **state)
{
	struct nd_secret secret = { .octets = (char[]){ "secret" }, .len = 6 };
	const struct smtp_caps both = { .auth_xoauth2 = true, .auth_oauthbearer = true };
	const struct smtp_caps one = { .auth_xoauth2 = true };
	struct nd_why why;

	(void)state;
	for (int i = 0; i < CONF_PROVIDER_COUNT; i++) {
		struct smtp_settings settings = { .host = "h",
			.user = "u",
			.secret = &secret,
			.auth = SMTP_AUTH_OAUTH,
			.bearer = conf_provider_bearer(i) };

		assert_string_equal(
		    smtp_auth_choose(&settings, &both, true, &why)->name, i == CONF_SMTP ? "OAUTHBEARER" : "XOAUTH2");
		assert_string_equal(smtp_auth_choose(&settings, &one, true, &why)->name, "XOAUTH2");
		settings.mechanism = "XOAUTH2"; /* what is set goes before */
		assert_string_equal(smtp_auth_choose(&settings, &both, true, &why)->name, "XOAUTH2");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whether_reports_are_asked_for_is_the_providers_matter_till_the_account_says_it),
		cmocka_unit_test(when_a_token_is_renewed_is_the_providers_matter_till_the_account_says_it),
		cmocka_unit_test(the_form_of_auth_is_free_till_the_account_says_it),
		cmocka_unit_test(a_mechanism_that_cannot_carry_the_credential_is_a_fault),
		cmocka_unit_test(a_secret_may_be_a_key_of_the_kernel),
		cmocka_unit_test(every_mechanism_that_can_be_named_can_be_used),
		cmocka_unit_test(a_token_goes_by_the_standard_unless_its_provider_has_a_way_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
