/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_token.c - when a token is renewed, and when one that was refused is asked for again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_kit.h"

#define LIFE ND_MIN(60)

static const char *const one[] = { "a", NULL };

/* An account with a job, whose first request for a token is under way. */
static struct engine *
begin(struct conf *conf, struct engine_account **account)
{
	struct engine *engine;

	rows_conf(conf, one, 2);
	conf->account[0].auth = CONF_OAUTH2;
	engine = engine_new(conf, 7, at(0));
	*account = engine_account_nth(engine, 0);
	(void)expect(engine, ENGINE_TOKEN, 0);
	(void)expect(engine, ENGINE_LOAD, 0);
	engine_loaded(engine, *account, NULL, 0, false, ND_NEVER, at(0));
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	expect_rest(engine, 0);
	return engine;
}

static void
refuse(struct engine *engine, struct engine_account *account, nd_ms now)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ETOKEN, 0, "invalid_client: AADSTS7000215");
	engine_token_refused(engine, account, &why, at(now));
}

static void
a_refused_token_is_asked_for_again_after_half_an_hour(void **state)
{
	const nd_ms first = ND_SEC(3), second = first + ND_MIN(30) + ND_SEC(1);
	struct engine_account *account;
	struct engine *engine;
	struct conf conf;

	(void)state;
	engine = begin(&conf, &account);
	refuse(engine, account, first);
	(void)expect(engine, ENGINE_STATE, first);
	assert_int_equal(account->health.state, HEALTH_HELD);
	expect_rest(engine, first);
	assert_int_equal(engine_deadline(engine, at(first)), first + ND_MIN(30));
	expect_rest(engine, first + ND_MIN(30) - 1);
	(void)expect(engine, ENGINE_TOKEN, first + ND_MIN(30));
	expect_rest(engine, first + ND_MIN(30)); /* one request, and no session without a token */
	refuse(engine, account, second);         /* as often as it is refused, neither sooner nor later */
	expect_rest(engine, second + ND_MIN(30) - 1);
	(void)expect(engine, ENGINE_TOKEN, second + ND_MIN(30));
	engine_token_got(
	    engine, account, second + ND_MIN(30), second + ND_MIN(90), at(second + ND_MIN(30) + ND_SEC(1)));
	(void)expect(engine, ENGINE_OPEN, second + ND_MIN(30) + ND_SEC(1));
	finish(engine, &conf);
}

/* Not now: that is another thing than no. */
static void
an_endpoint_in_trouble_is_asked_again_much_sooner(void **state)
{
	struct engine_account *account;
	struct engine *engine;
	struct nd_why why;
	struct conf conf;

	(void)state;
	engine = begin(&conf, &account);
	(void)nd_fail(&why, ND_ETOKEN, 0, "HTTP status 503");
	engine_token_later(engine, account, 0, &why, at(ND_SEC(3)));
	(void)expect(engine, ENGINE_STATE, ND_SEC(3));
	assert_int_equal(account->health.state, HEALTH_FAILING);
	expect_rest(engine, ND_SEC(3));
	assert_in_range(engine_deadline(engine, at(ND_SEC(3))), ND_SEC(4), ND_SEC(5));
	(void)expect(engine, ENGINE_TOKEN, ND_SEC(5));
	finish(engine, &conf);
}

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

/* A mail that is taken at once. */
static void
take(struct engine *engine, const struct engine_action *send, nd_ms now)
{
	const struct smtp_outcome taken = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 250, .lines = 1 }
	};
	struct settle_mail *mail = settle_mail_new(send->job->job);
	struct engine_told told = { &taken, mail, "relay", 0 };
	struct engine_action store;

	mail->results[0] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
	engine_outcome(engine, send->session, &told, at(now));
	free(mail);
	engine_ready(engine, send->session, at(now));
	store = expect(engine, ENGINE_STORE, now);
	queue_attempt_done(store.attempt);
	free(store.attempt);
	engine_stored(engine, store.account, store.job, at(now));
}

/* A session of a provider with a token of five minutes takes a mail each half minute. When does another one begin? */
static nd_ms
session_lasts(int provider, bool by_token)
{
	struct engine_account *account;
	struct engine_action action;
	struct engine *engine;
	struct conf conf;
	nd_ms now = 1;

	rows_conf(&conf, one, 1);
	conf.account[0].auth = by_token ? CONF_OAUTH2 : CONF_PASSWORD;
	conf.account[0].provider = provider;
	engine = engine_new(&conf, 7, at(0));
	account = engine_account_nth(engine, 0);
	if (by_token)
		(void)expect(engine, ENGINE_TOKEN, 0);
	(void)expect(engine, ENGINE_LOAD, 0);
	engine_loaded(engine, account, NULL, 0, false, ND_NEVER, at(0));
	if (by_token)
		engine_token_got(engine, account, 0, ND_MIN(5), at(1));
	for (unsigned n = 1; now < ND_MIN(20); n++, now += ND_SEC(30)) {
		engine_accepted(engine, row_make(n, "a", at(now).unix_ms, JOB_WARNING, 1), at(now));
		while (engine_next(engine, at(now), &action) && action.act == ENGINE_TOKEN) /* it is renewed in time */
			engine_token_got(engine, account, now, now + ND_HOUR(1), at(now));
		if (action.act == ENGINE_CLOSE)
			break;
		if (action.act == ENGINE_OPEN) {
			assert_int_equal(n, 1);
			engine_ready(engine, action.session, at(now));
			action = expect(engine, ENGINE_SEND, now);
		}
		assert_int_equal(action.act, ENGINE_SEND);
		take(engine, &action, now);
	}
	engine_gone(engine, action.session, NULL, at(now));
	action = expect(engine, ENGINE_OPEN, now); /* at once, and nobody is blamed */
	assert_int_equal(account->health.state, HEALTH_OK);
	engine_ready(engine, action.session, at(now));
	(void)expect(engine, ENGINE_SEND, now);
	finish(engine, &conf);
	return now - 1;
}

static void
no_mail_begins_on_a_session_that_outlives_its_token_where_the_provider_refuses_that(void **state)
{
	(void)state;
	assert_int_equal(session_lasts(CONF_MICROSOFT_HVE, true), ND_MIN(5) - ND_MIN(1));
	assert_int_equal(session_lasts(CONF_MICROSOFT_HVE, false), POOL_AGE);
	assert_int_equal(session_lasts(CONF_MICROSOFT, true), POOL_AGE);
	assert_int_equal(session_lasts(CONF_GOOGLE, true), POOL_AGE);
}

/* Two sessions have the old token, and both are told that it is over when there is a new one. */
static void
a_mail_refused_for_a_token_of_before_says_nothing_of_the_new_one(void **state)
{
	struct smtp_outcome refused = { .end = SMTP_ENDED_REPLY,
		.stage = SMTP_AT_MAIL,
		.reply = { .code = 535, .enhanced = "5.7.143", .text = "Token expired", .lines = 1 } };
	struct engine_action sent[2], action;
	struct engine_account *account;
	struct engine *engine;
	struct conf conf;

	(void)state;
	rows_conf(&conf, one, 2);
	conf.account[0].auth = CONF_OAUTH2;
	conf.account[0].provider = CONF_MICROSOFT_HVE;
	engine = engine_new(&conf, 7, at(0));
	account = engine_account_nth(engine, 0);
	for (unsigned n = 1; n <= 2; n++)
		engine_accepted(engine, row_make(n, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	(void)expect(engine, ENGINE_TOKEN, 0);
	(void)expect(engine, ENGINE_LOAD, 0);
	engine_loaded(engine, account, NULL, 0, false, ND_NEVER, at(0));
	engine_token_got(engine, account, 1, ND_HOUR(1), at(1));
	for (unsigned n = 0; n < 2; n++)
		sent[n] = expect(engine, ENGINE_OPEN, 1);
	for (unsigned n = 0; n < 2; n++)
		engine_ready(engine, sent[n].session, at(1));
	for (unsigned n = 0; n < 2; n++)
		sent[n] = expect(engine, ENGINE_SEND, 1);
	engine_token_got(engine, account, ND_MIN(5), ND_MIN(65), at(ND_MIN(5)));
	for (unsigned n = 0; n < 2; n++) {
		struct settle_mail *mail = settle_mail_new(sent[n].job->job);
		struct engine_told told = { &refused, mail, "relay", 0 };

		engine_outcome(engine, sent[n].session, &told, at(ND_MIN(5)));
		free(mail);
		engine_ready(engine, sent[n].session, at(ND_MIN(5)));
		assert_true(token_usable(&account->token, ND_MIN(5)));
		assert_int_equal(account->health.state, HEALTH_OK);
	}
	for (unsigned n = 0; n < 2; n++) {
		action = expect(engine, ENGINE_CLOSE, ND_MIN(5)); /* they are not used again */
		engine_gone(engine, action.session, NULL, at(ND_MIN(5)));
	}
	assert_int_equal(account->sched.ready[SCHED_SMALL], 2);
	action = expect(engine, ENGINE_OPEN, ND_MIN(5));
	assert_int_equal(action.session->token_obtained, ND_MIN(5));
	finish(engine, &conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_mail_begins_on_a_session_that_outlives_its_token_where_the_provider_refuses_that),
		cmocka_unit_test(a_mail_refused_for_a_token_of_before_says_nothing_of_the_new_one),
		cmocka_unit_test(a_token_is_renewed_as_long_before_its_end_as_the_settings_say),
		cmocka_unit_test(a_refused_token_is_asked_for_again_after_half_an_hour),
		cmocka_unit_test(an_endpoint_in_trouble_is_asked_again_much_sooner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
