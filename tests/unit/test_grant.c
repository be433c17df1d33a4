/* SPDX-License-Identifier: Apache-2.0 */
/* test_grant.c - unit tests: the life of a refresh token, and what the file of an account says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/core/grant.h"
#include "daemon/core/oauth.h"
#include "daemon/core/token.h"

#define DAY ND_DAY(1)

static char name[] = "m365";

static struct conf_account
account_of(int provider, int grant)
{
	return (struct conf_account){ .name = name, .provider = provider, .auth = CONF_OAUTH2, .grant = grant };
}

static void
only_errors_about_the_grant_put_it_aside(void **state)
{
	(void)state;
	assert_true(grant_dead("invalid_grant"));
	assert_true(grant_dead("interaction_required"));
	assert_false(grant_dead("invalid_client"));
	assert_false(grant_dead("temporarily_unavailable"));
	assert_false(grant_dead(""));
}

static void
microsofts_grants_die_after_90_days_and_googles_after_180(void **state)
{
	struct conf_account microsoft = account_of(CONF_MICROSOFT, CONF_DEVICE_CODE),
			    google = account_of(CONF_GOOGLE, CONF_AUTHORIZATION_CODE),
			    other = account_of(CONF_SMTP, CONF_REFRESH_TOKEN),
			    secret = account_of(CONF_MICROSOFT, CONF_CLIENT_CREDENTIALS);

	(void)state;
	assert_int_equal(grant_end(&microsoft, DAY), 91 * DAY);
	assert_int_equal(grant_end(&google, DAY), 181 * DAY);
	assert_int_equal(grant_end(&other, DAY), 0);
	assert_int_equal(grant_end(&secret, DAY), 0);
	assert_int_equal(grant_end(&microsoft, 0), 0);
}

/* The longest life an access token is believed, and a queue that never asks. */
static void
a_grant_is_used_daily_without_a_queue(void **state)
{
	struct token token;

	(void)state;
	token_init(&token, 0, 0);
	token_got(&token, 0, DAY, 0, 0);
	assert_true(token_deadline(&token) < DAY);
	assert_true(token_ask(&token, token_deadline(&token)));
}

static void
a_dead_grant_is_told_with_its_remedy(void **state)
{
	struct conf_account account = account_of(CONF_MICROSOFT, CONF_DEVICE_CODE);
	char long_text[600];
	struct nd_why why;

	(void)state;
	grant_tell(&account, "the token endpoint refused (400, invalid_grant)", false, &why);
	assert_int_equal(why.err, ND_ESIGNIN);
	assert_non_null(strstr(why.text, "invalid_grant"));
	assert_string_equal(why.hint, "notifyctl account login m365");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	grant_tell(&account, long_text, true, &why);
	assert_non_null(strstr(why.text, "cut off before its answer was on disk"));
	assert_string_equal(why.text + strlen(why.text) - 5, "spent");
	account.grant = CONF_REFRESH_TOKEN;
	grant_missing(&account, "", &why);
	assert_string_equal(why.text, "nobody has signed in yet");
	assert_non_null(strstr(why.hint, "refresh_token"));
}

static void
the_file_keeps_what_a_grant_is_and_what_became_of_it(void **state)
{
	struct oauth_saved saved = { .refreshed = 1000, .asked = 2000 }, read;
	struct nd_why why;
	struct nd_buf buf;

	(void)state;
	(void)snprintf(saved.identity, sizeof(saved.identity), "%s", "ab");
	(void)snprintf(saved.imported, sizeof(saved.imported), "%s", "cd");
	nd_secret_set(&saved.refresh_token, "newest", 6);
	nd_secret_set(&saved.previous, "before", 6);
	nd_buf_init(&buf, 65536);
	oauth_saved_write(&saved, &buf);
	assert_int_equal(oauth_saved_read(nd_buf_text(&buf), buf.len, &read, &why), ND_OK);
	assert_string_equal(read.refresh_token.octets, "newest");
	assert_string_equal(read.previous.octets, "before");
	assert_string_equal(read.imported, "cd");
	assert_int_equal(read.asked, 2000);
	oauth_saved_done(&read);
	oauth_saved_done(&saved);
	nd_buf_clear(&buf);
	(void)snprintf(saved.identity, sizeof(saved.identity), "%s", "ab");
	(void)snprintf(saved.refused, sizeof(saved.refused), "%s", "the sign-in is no longer good");
	oauth_saved_write(&saved, &buf);
	assert_int_equal(oauth_saved_read(nd_buf_text(&buf), buf.len, &read, &why), ND_OK);
	assert_string_equal(read.refused, saved.refused);
	oauth_saved_done(&read);
	nd_buf_done(&buf);
	assert_int_not_equal(oauth_saved_read("{\"identity\":\"ab\"}", 17, &read, &why), ND_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_errors_about_the_grant_put_it_aside),
		cmocka_unit_test(microsofts_grants_die_after_90_days_and_googles_after_180),
		cmocka_unit_test(a_grant_is_used_daily_without_a_queue),
		cmocka_unit_test(a_dead_grant_is_told_with_its_remedy),
		cmocka_unit_test(the_file_keeps_what_a_grant_is_and_what_became_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
