/* SPDX-License-Identifier: Apache-2.0 */
/* test_identity.c - managed identities: requests, the agent's file, and what statuses mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/identity.h"

#include <string.h>

static char client_id[] = "9ab20000-0000-0000-0000-000000000000";
static const struct conf_account machine = { .scope = (char[]){ "https://outlook.office365.com/.default" },
	.client_id = (char[]){ "" } };
static const struct conf_account user = { .scope = (char[]){ "https://outlook.office365.com/.default" },
	.client_id = client_id };

static void
check_url(const struct conf_account *account, int source, const char *expected)
{
	struct nd_buf url;

	nd_buf_init(&url, 1024);
	identity_url(account, source, &url);
	assert_string_equal(nd_buf_text(&url), expected);
	nd_buf_done(&url);
}

static void
the_resource_is_the_scope_without_its_end(void **state)
{
	(void)state;
	check_url(&machine, CONF_IDENTITY_VM,
	    "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource="
	    "https%3A%2F%2Foutlook.office365.com");
	check_url(&user, CONF_IDENTITY_VM,
	    "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource="
	    "https%3A%2F%2Foutlook.office365.com&client_id=9ab20000-0000-0000-0000-000000000000");
	check_url(&machine, CONF_IDENTITY_ARC,
	    "http://127.0.0.1:40342/metadata/identity/oauth2/token?api-version=2019-11-01&resource="
	    "https%3A%2F%2Foutlook.office365.com");
}

static void
the_agent_is_asked_where_it_is_there(void **state)
{
	static const char own[] = "http://127.0.0.1:40342/metadata/identity/oauth2/token";

	(void)state;
	assert_int_equal(identity_source(CONF_IDENTITY_AUTO, NULL, false), CONF_IDENTITY_VM);
	assert_int_equal(identity_source(CONF_IDENTITY_AUTO, NULL, true), CONF_IDENTITY_ARC);
	assert_int_equal(identity_source(CONF_IDENTITY_AUTO, own, false), CONF_IDENTITY_ARC);
	assert_int_equal(
	    identity_source(CONF_IDENTITY_AUTO, "http://127.0.0.1:41999/msi/token/", false), CONF_IDENTITY_VM);
	assert_int_equal(identity_source(CONF_IDENTITY_VM, own, true), CONF_IDENTITY_VM);
	assert_int_equal(identity_source(CONF_IDENTITY_ARC, NULL, false), CONF_IDENTITY_ARC);
}

static void
only_a_key_of_the_agent_is_read(void **state)
{
	static const char *const good[] = { "Basic realm=/var/opt/azcmagent/tokens/1.key",
		"basic realm=\"/var/opt/azcmagent/tokens/1.key\"", "Basic realm=/var/opt/azcmagent/tokens/1.key, x=y" };
	static const char *const bad[] = { NULL, "", "Basic", "Bearer realm=/var/opt/azcmagent/tokens/1.key",
		"Basic realm=", "Basic realm=\"\"", "Basic realm=/var/opt/azcmagent/tokens/.key",
		"Basic realm=/var/opt/azcmagent/tokens/1.pem", "Basic realm=/etc/shadow",
		"Basic realm=/var/opt/azcmagent/tokens/../../../../etc/x.key",
		"Basic realm=/var/opt/azcmagent/tokens/a/b.key", "Basic realm=/var/opt/azcmagent/tokensx/1.key" };
	char path[256] = "untouched", small[20];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(identity_key_path(bad[i], path, sizeof(path), NULL), ND_ETOKEN);
		assert_string_equal(path, "untouched");
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(identity_key_path(good[i], path, sizeof(path), NULL), ND_OK);
		assert_string_equal(path, "/var/opt/azcmagent/tokens/1.key");
	}
	assert_int_equal(
	    identity_key_path("Basic realm=/var/opt/azcmagent/tokens/123456789.key", small, sizeof(small), NULL),
	    ND_ETOKEN);
}

static struct oauth_reply
answer(const struct conf_account *account, int source, int status, const char *body)
{
	struct oauth_reply reply;

	identity_read(account, source, status, body, strlen(body), -1, NULL, &reply);
	return reply;
}

static void
every_value_of_a_token_reply_is_a_string(void **state)
{
	struct oauth_reply reply = answer(&machine, CONF_IDENTITY_VM, 200,
	    "{\"access_token\":\"eyJ\",\"refresh_token\":\"\",\"expires_in\":\"3599\",\"expires_on\":\"1506484173\","
	    "\"not_before\":\"1506480273\",\"resource\":\"https://outlook.office365.com\",\"token_type\":\"Bearer\"}");

	(void)state;
	assert_int_equal(reply.class, OAUTH_TOKEN);
	assert_string_equal(reply.token.octets, "eyJ");
	assert_int_equal(reply.life, ND_SEC(3599));
	assert_int_equal(reply.refresh_token.len, 0);
	oauth_reply_done(&reply);
}

static void
each_status_means_what_its_service_says(void **state)
{
	static const struct {
		int source, status;
		const char *body;
		enum oauth_class class;
		nd_ms at_least;
		const char *said, *hint;
	} cases[] = {
		{ CONF_IDENTITY_VM, 404, "", OAUTH_LATER, 0, "(404)", "" },
		{ CONF_IDENTITY_VM, 410, "", OAUTH_LATER, ND_SEC(70), "(410)", "" },
		{ CONF_IDENTITY_VM, 429, "{\"error\":\"x\"}", OAUTH_LATER, 0, "(429, x)", "" },
		{ CONF_IDENTITY_VM, 500, "<html>", OAUTH_LATER, 0, "(500)", "" },
		{ CONF_IDENTITY_VM, 400, "{\"error\":\"invalid_resource\",\"error_description\":\"AADSTS500011: no\"}",
		    OAUTH_REFUSED, 0, "refused (400, invalid_resource): AADSTS500011: no", "check scope" },
		{ CONF_IDENTITY_VM, 401, "{\"error\":\"unauthorized_client\"}", OAUTH_REFUSED, 0,
		    "(401, unauthorized_client)", "a managed identity in Azure" },
		{ CONF_IDENTITY_VM, 403, "", OAUTH_REFUSED, 0, "(403)", "169.254.169.254" },
		{ CONF_IDENTITY_ARC, 401, "", OAUTH_REFUSED, 0, "the Arc agent refused (401)", "himds" },
		{ CONF_IDENTITY_ARC, 403, "", OAUTH_REFUSED, 0, "the Arc agent refused (403)", "himds" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct oauth_reply reply = answer(&machine, cases[i].source, cases[i].status, cases[i].body);

		assert_int_equal(reply.class, cases[i].class);
		assert_true(reply.retry_after >= cases[i].at_least);
		if (strstr(reply.why.text, cases[i].said) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", reply.why.text, cases[i].said);
		if (strstr(reply.why.hint, cases[i].hint) == NULL)
			fail_msg("\"%s\" does not advise \"%s\"", reply.why.hint, cases[i].hint);
		oauth_reply_done(&reply);
	}
}

static void
a_service_that_does_not_answer_is_asked_again(void **state)
{
	const struct nd_why why = { .err = ND_ECONNECT, .text = "169.254.169.254: refused" };
	struct oauth_reply reply;

	(void)state;
	identity_read(&machine, CONF_IDENTITY_VM, 0, "", 0, -1, &why, &reply);
	assert_int_equal(reply.class, OAUTH_LATER);
	assert_non_null(strstr(reply.why.hint, "Azure VM"));
}

static void
the_agent_must_confirm_the_identity_that_was_asked_for(void **state)
{
	struct oauth_reply reply;

	(void)state;
	reply = answer(&user, CONF_IDENTITY_ARC, 200,
	    "{\"access_token\":\"t\",\"client_id\":\"9AB20000-0000-0000-0000-000000000000\",\"token_type\":"
	    "\"Bearer\"}");
	assert_int_equal(reply.class, OAUTH_TOKEN);
	oauth_reply_done(&reply);
	reply = answer(&user, CONF_IDENTITY_ARC, 200, "{\"access_token\":\"t\",\"client_id\":\"another\"}");
	assert_int_equal(reply.class, OAUTH_REFUSED);
	assert_null(reply.token.octets);
	oauth_reply_done(&reply);
	reply = answer(&user, CONF_IDENTITY_ARC, 200, "{\"access_token\":\"t\"}");
	assert_int_equal(reply.class, OAUTH_REFUSED);
	oauth_reply_done(&reply);
	reply = answer(&machine, CONF_IDENTITY_ARC, 200, "{\"access_token\":\"t\"}");
	assert_int_equal(reply.class, OAUTH_TOKEN);
	oauth_reply_done(&reply);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_resource_is_the_scope_without_its_end),
		cmocka_unit_test(the_agent_is_asked_where_it_is_there),
		cmocka_unit_test(only_a_key_of_the_agent_is_read),
		cmocka_unit_test(every_value_of_a_token_reply_is_a_string),
		cmocka_unit_test(each_status_means_what_its_service_says),
		cmocka_unit_test(a_service_that_does_not_answer_is_asked_again),
		cmocka_unit_test(the_agent_must_confirm_the_identity_that_was_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
