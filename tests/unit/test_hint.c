/* SPDX-License-Identifier: Apache-2.0 */
/* test_hint.c - what to do about a failure of an account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/hint.h"

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
	    "Add-RecipientPermission -Identity root@contoso.com -AccessRights SendAs"));
	assert_true(says(&account, HINT_OPERATOR, "535 5.7.3 Authentication unsuccessful", NULL, "-AppId 9ab2 "));
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
		cmocka_unit_test(who_sends_does_not_see_the_ids_of_the_tenant),
		cmocka_unit_test(what_an_account_meets_is_told_to_operators_in_full),
		cmocka_unit_test(a_name_that_is_not_found_is_the_one_that_failed),
		cmocka_unit_test(another_providers_rows_are_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
