/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_token.c - when the engine renews the token of an account: as its settings say, also new ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_kit.h"

#define LIFE ND_MIN(60)

static const char *const one[] = { "a", NULL };

/* What a token that was given now will be renewed before its end, without the dice. */
static nd_ms
margin_of(struct engine *engine, nd_ms now)
{
	struct engine_account *account = engine_account_nth(engine, 0);

	(void)expect(engine, ENGINE_TOKEN, now);
	engine_token_got(engine, account, now, now + LIFE, at(now));
	assert_in_range(account->token.refresh_at, now, now + LIFE);
	return token_margin(LIFE, account->token.margin);
}

static void
a_token_is_renewed_as_long_before_its_end_as_the_settings_say(void **state)
{
	struct conf conf, next;
	struct engine *engine;
	struct engine_account *account;

	(void)state;
	rows_conf(&conf, one, 2);
	conf.account[0].auth = CONF_OAUTH2;
	conf.account[0].token_margin = ND_MIN(20);
	engine = engine_new(&conf, 1, at(0));
	account = engine_account_nth(engine, 0);
	assert_int_equal(margin_of(engine, 0), ND_MIN(20));
	assert_in_range(account->token.refresh_at, LIFE - ND_MIN(22), LIFE - ND_MIN(20));
	engine_loaded(engine, expect(engine, ENGINE_LOAD, 0).account, NULL, 0, false, ND_NEVER, at(0));
	expect_rest(engine, 0);
	assert_int_equal(engine_deadline(engine, at(0)), account->token.refresh_at);

	rows_conf(&next, one, 2);
	next.account[0].auth = CONF_OAUTH2;
	next.account[0].token_margin = ND_MIN(10);
	engine_reconfigure(engine, &next, at(ND_MIN(1)));
	assert_int_equal(margin_of(engine, ND_MIN(1)), ND_MIN(10));
	rows_conf_done(&conf);
	finish(engine, &next);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_renewed_as_long_before_its_end_as_the_settings_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
