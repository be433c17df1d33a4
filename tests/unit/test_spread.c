/* SPDX-License-Identifier: Apache-2.0 */
/* test_spread.c - after a change of an account, what its change explains is a known delay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_kit.h"

#include "daemon/core/spread.h"

#define DISABLED                                                                                                       \
	"Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit "                     \
	"https://aka.ms/smtp_auth_disabled for more information."
#define SEND_AS "SMTP; Client does not have permissions to send as this sender"

static const char *const one[] = { "a", NULL };
static char name[] = "a", user[] = "alerts@contoso.com", none[] = "";
static const struct conf_account exchange = { .name = name, .provider = CONF_MICROSOFT };

static void
what_a_change_explains_is_a_delay_and_nothing_else_is(void **state)
{
	static const char *const delays[] = { ("535 5.7.139 " DISABLED),
		"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
		"535 5.7.3 Authentication unsuccessful [SY5P282CA0097.AUSP282.PROD.OUTLOOK.COM]",
		("550 5.7.60 " SEND_AS),
		"554 5.2.252 SendAsDenied; a@b.example not allowed to send as c@b.example; STOREDRV.Submission",
		"430 4.2.0 STOREDRV; mailbox logon failure; MapiExceptionLogonFailed" };
	static const char *const others[] = {
		"535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
		("535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated "
		 "successfully."),
		"550 5.1.8 Access denied, bad outbound sender",
		"550 5.7.705 Access denied, tenant has exceeded threshold",
		"the certificate is not valid",
		"",
	};
	struct nd_now now = at(ND_HOUR(5));
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(delays) / sizeof(delays[0]); i++)
		assert_int_equal(spread_until(&exchange, delays[i], now.unix_ms - ND_MIN(1), now), now.ms + ND_MIN(44));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(spread_until(&exchange, others[i], now.unix_ms - ND_MIN(1), now), 0);
}

static void
it_lasts_three_quarters_of_an_hour_from_the_change(void **state)
{
	struct nd_now now = at(ND_HOUR(5));

	(void)state;
	assert_int_equal(spread_until(&exchange, "535 5.7.139 " DISABLED, now.unix_ms, now), now.ms + ND_MIN(45));
	assert_int_equal(
	    spread_until(&exchange, "535 5.7.139 " DISABLED, now.unix_ms - ND_MIN(45) + 1, now), now.ms + 1);
	assert_int_equal(spread_until(&exchange, "535 5.7.139 " DISABLED, now.unix_ms - ND_MIN(45), now), 0);
	assert_int_equal(spread_until(&exchange, "535 5.7.139 " DISABLED, now.unix_ms + 1, now), 0); /* a wrong clock */
	assert_int_equal(spread_until(&exchange, "535 5.7.139 " DISABLED, 0, now), 0);               /* not lately */
}

/* -- in the engine -- */

/* Each session is refused at AUTH. From `from` to `to`; how many were opened. */
static unsigned
refuse(struct engine *engine, nd_ms from, nd_ms to, const char *enhanced, const char *text)
{
	struct smtp_fault fault = { .stage = SMTP_AT_AUTH, .reply = { .code = 535 } };
	struct engine_action action;
	unsigned opened = 0;
	nd_ms now = from;

	(void)snprintf(fault.reply.enhanced, sizeof(fault.reply.enhanced), "%s", enhanced);
	(void)snprintf(fault.reply.text, sizeof(fault.reply.text), "%s", text);
	for (; now <= to; now = engine_deadline(engine, at(now)))
		while (engine_next(engine, at(now), &action)) {
			if (action.act == ENGINE_LOAD)
				engine_loaded(engine, action.account, NULL, 0, false, ND_NEVER, at(now));
			if (action.act != ENGINE_OPEN)
				continue;
			assert_true(++opened < 50);
			engine_gone(engine, action.session, &fault, at(now));
		}
	return opened;
}

static void
a_new_account_is_tried_in_quiet_and_held_when_the_time_is_over(void **state)
{
	struct engine_account *account;
	char words[HEALTH_WORDS];
	struct engine *engine;
	struct conf conf;

	(void)state;
	rows_conf(&conf, one, 1);
	engine = engine_new(&conf, 7, at(0));
	account = engine_account_nth(engine, 0);
	account->changed = at(0).unix_ms;
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	assert_in_range(refuse(engine, 0, ND_MIN(44), "5.7.139", DISABLED), 4, 8);
	assert_int_equal(account->health.state, HEALTH_FAILING);
	assert_string_equal(account->health.reason, "smtp-auth-disabled");
	assert_int_equal(account->health.quiet, ND_MIN(45));
	assert_int_equal(account->health.until, ND_MIN(45)); /* the last try comes with the end */
	assert_non_null(strstr(account->health.hint, "Set-TransportConfig"));
	assert_non_null(strstr(health_words(&account->health, at(ND_MIN(44)), words),
	    "smtp-auth-disabled: known propagation delay, next try at "));
	assert_true(account->downtime.since != 0); /* its jobs do not age */
	assert_int_equal(refuse(engine, ND_MIN(44), ND_MIN(46), "5.7.139", DISABLED), 1);
	assert_int_equal(account->health.state, HEALTH_HELD);
	assert_int_equal(account->health.quiet, 0);
	assert_string_equal(
	    health_words(&account->health, at(ND_MIN(46)), words), "smtp-auth-disabled: 535 5.7.139 " DISABLED);
	assert_int_equal(sched_find(&account->sched, "01K00000000000000000000001")->job->attempt_count, 0);
	finish(engine, &conf);
}

static void
an_account_that_was_not_changed_is_held_at_once(void **state)
{
	struct engine *engine;
	struct conf conf;

	(void)state;
	rows_conf(&conf, one, 1);
	engine = engine_new(&conf, 7, at(0));
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	assert_int_equal(refuse(engine, 0, ND_MIN(5), "5.7.139", DISABLED), 1);
	assert_int_equal(engine_account_nth(engine, 0)->health.state, HEALTH_HELD);
	finish(engine, &conf);
}

static void
settings_a_secret_and_a_sign_in_that_change_begin_the_time_anew_but_a_bare_reload_does_not(void **state)
{
	struct conf before, same, other, more;
	static const char *const two[] = { "a", "b", NULL };
	struct engine_account *account;
	struct engine *engine;

	(void)state;
	rows_conf(&before, one, 1);
	rows_conf(&same, one, 1);
	rows_conf(&other, one, 2);
	rows_conf(&more, two, 2);
	engine = engine_new(&before, 7, at(0));
	account = engine_account_nth(engine, 0);
	engine_reconfigure(engine, &same, at(1000));
	assert_int_equal(account->changed, 0);
	engine_reconfigure(engine, &other, at(2000));
	assert_int_equal(account->changed, at(2000).unix_ms);
	engine_signed_in(engine, account, at(3000));
	assert_int_equal(account->changed, at(3000).unix_ms);
	engine_secret_changed(engine, account, at(4000));
	assert_int_equal(account->changed, at(4000).unix_ms);
	engine_reconfigure(engine, &more, at(5000));
	assert_int_equal(account->changed, at(4000).unix_ms);
	assert_int_equal(engine_account_nth(engine, 1)->changed, at(5000).unix_ms); /* a new one */
	engine_free(engine);
	rows_conf_done(&before);
	rows_conf_done(&same);
	rows_conf_done(&other);
	rows_conf_done(&more);
}

static void
a_held_account_that_is_changed_is_tried_in_quiet(void **state)
{
	struct engine_account *account;
	struct engine *engine;
	struct conf conf;

	(void)state;
	rows_conf(&conf, one, 1);
	engine = engine_new(&conf, 7, at(0));
	account = engine_account_nth(engine, 0);
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	(void)refuse(engine, 0, ND_MIN(5), "5.7.139", DISABLED);
	assert_int_equal(account->health.state, HEALTH_HELD);
	engine_secret_changed(engine, account, at(ND_MIN(6)));
	engine_refresh(engine, account, at(ND_MIN(6)));
	(void)refuse(engine, ND_MIN(6), ND_MIN(7), "5.7.139", DISABLED);
	assert_int_equal(account->health.state, HEALTH_FAILING);
	(void)refuse(
	    engine, ND_MIN(7), ND_MIN(20), "5.7.139", "Authentication unsuccessful, basic authentication is disabled.");
	assert_int_equal(account->health.state, HEALTH_HELD); /* that one no time mends */
	finish(engine, &conf);
}

/* -- what a refused token says of itself -- */

static void
the_remedy_for_a_refused_token_is_what_its_claims_show(void **state)
{
	struct claims claims = { .jwt = true, .audience = "https://outlook.office365.com", .object = "0b1e" };
	struct engine_account *account;
	struct engine *engine;
	struct conf conf;
	unsigned tries = 0;

	(void)state;
	rows_conf(&conf, one, 1);
	conf.account[0].provider = CONF_MICROSOFT;
	conf.account[0].auth = CONF_OAUTH2;
	conf.account[0].user = user;
	conf.account[0].client_id = conf.account[0].host = none;
	engine = engine_new(&conf, 7, at(0));
	account = engine_account_nth(engine, 0);
	account->claims = &claims;
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	for (; account->health.state != HEALTH_HELD && tries < 5; tries++) { /* the first refusal brings a new token */
		engine_token_got(engine, account, tries, ND_HOUR(1), at(tries));
		(void)refuse(engine, tries, tries, "5.7.3", "Authentication unsuccessful");
	}
	assert_int_equal(tries, 2);
	assert_string_equal(account->health.reason, "auth-refused");
	assert_non_null(strstr(account->health.hint, "the token has no role"));
	assert_non_null(strstr(account->health.hint, "-ObjectId 0b1e"));
	claims = (struct claims){ 0 }; /* an opaque one tells nothing: the table of explanations speaks */
	for (tries = 10; tries < 12; tries++) {
		engine_token_got(engine, account, tries, ND_HOUR(1), at(tries));
		(void)refuse(engine, tries, tries, "5.7.3", "Authentication unsuccessful");
	}
	assert_null(strstr(account->health.hint, "the token has no role"));
	assert_non_null(strstr(account->health.hint, "Enterprise applications"));
	finish(engine, &conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_change_explains_is_a_delay_and_nothing_else_is),
		cmocka_unit_test(it_lasts_three_quarters_of_an_hour_from_the_change),
		cmocka_unit_test(a_new_account_is_tried_in_quiet_and_held_when_the_time_is_over),
		cmocka_unit_test(an_account_that_was_not_changed_is_held_at_once),
		cmocka_unit_test(
		    settings_a_secret_and_a_sign_in_that_change_begin_the_time_anew_but_a_bare_reload_does_not),
		cmocka_unit_test(a_held_account_that_is_changed_is_tried_in_quiet),
		cmocka_unit_test(the_remedy_for_a_refused_token_is_what_its_claims_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
