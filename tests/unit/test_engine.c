/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine.c - the engine by itself, and in a seeded world of outages, refusals and restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_kit.h"

static const char *const one[] = { "a", NULL };
static const char *const two[] = { "a", "b", NULL };

static struct engine *
started(struct conf *conf, const char *const *names)
{
	struct engine *engine;
	struct engine_action action;
	unsigned i;

	rows_conf(conf, names, 2);
	engine = engine_new(conf, 7, at(0));
	for (i = 0; names[i]; i++) {
		action = expect(engine, ENGINE_LOAD, 0);
		engine_loaded(engine, action.account, NULL, 0, false, ND_NEVER, at(0));
	}
	expect_rest(engine, 0);
	return engine;
}

static struct engine *
started_with_tokens(struct conf *conf, struct engine_account **account)
{
	struct engine *engine;

	rows_conf(conf, one, 2);
	conf->account[0].auth = CONF_OAUTH2;
	engine = engine_new(conf, 7, at(0));
	*account = engine_account_nth(engine, 0);
	return engine;
}

static void
tell(struct engine *engine, const struct engine_action *send, int code, nd_ms now)
{
	struct smtp_outcome outcome = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = code, .lines = 1 }
	};
	struct settle_mail *mail = settle_mail_new(send->job->job);
	struct engine_told told = { &outcome, mail, "relay", 0 };
	unsigned k;

	for (k = 0; k < mail->mail.rcpt_count; k++)
		mail->results[k] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
	engine_outcome(engine, send->session, &told, at(now));
	free(mail);
	engine_ready(engine, send->session, at(now));
}

static void
stored(struct engine *engine, const struct engine_action *store, nd_ms now)
{
	if (store->attempt) {
		queue_attempt_done(store->attempt);
		free(store->attempt);
	}
	engine_stored(engine, store->account, store->job, at(now));
}

static void
an_accepted_job_opens_a_session_and_goes(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct engine_action action;

	(void)state;
	engine_accepted(engine, row_make(1, "a", at(5).unix_ms, JOB_WARNING, 1), at(5));
	action = expect(engine, ENGINE_OPEN, 5);
	expect_rest(engine, 5);
	engine_ready(engine, action.session, at(6));
	action = expect(engine, ENGINE_SEND, 6);
	assert_int_equal(engine_busy(engine), 1);
	tell(engine, &action, 250, 7);
	action = expect(engine, ENGINE_STORE, 7);
	assert_int_equal(action.job->job->state, JOB_DELIVERED);
	assert_string_equal(action.attempt->verdict, "delivered");
	stored(engine, &action, 8);
	assert_int_equal(engine_busy(engine), 0);
	expect_rest(engine, 8);
	assert_int_equal(engine_deadline(engine, at(8)), 7 + POOL_IDLE);
	action = expect(engine, ENGINE_CLOSE, 7 + POOL_IDLE);
	engine_gone(engine, action.session, NULL, at(7 + POOL_IDLE));
	expect_rest(engine, 7 + POOL_IDLE);
	finish(engine, &conf);
}

static void
a_refused_connection_makes_the_account_fail_and_burns_no_attempt(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct smtp_fault fault = { .stage = SMTP_AT_CONNECT };
	struct engine_action action;
	struct engine_account *account = engine_account_nth(engine, 0);
	nd_ms until;

	(void)state;
	(void)nd_fail(&fault.why, ND_ECONNECT, 0, "connection refused");
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	action = expect(engine, ENGINE_OPEN, 0);
	engine_gone(engine, action.session, &fault, at(1));
	(void)expect(engine, ENGINE_STATE, 1);
	assert_int_equal(account->health.state, HEALTH_FAILING);
	expect_rest(engine, 1);
	until = engine_deadline(engine, at(1));
	assert_int_equal(until, account->health.until);
	action = expect(engine, ENGINE_OPEN, until);
	engine_ready(engine, action.session, at(until));
	(void)expect(engine, ENGINE_STATE, until);
	assert_int_equal(account->health.state, HEALTH_OK);
	action = expect(engine, ENGINE_SEND, until);
	assert_int_equal(action.job->job->attempt_count, 0);
	tell(engine, &action, 250, until);
	action = expect(engine, ENGINE_STORE, until);
	stored(engine, &action, until);
	finish(engine, &conf);
}

static void
one_account_in_trouble_does_not_stop_the_other(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, two);
	struct smtp_fault fault = { .stage = SMTP_AT_AUTH,
		.reply = { .code = 535, .enhanced = "5.7.8", .text = "no", .lines = 1 } };
	struct engine_action action;

	(void)state;
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	action = expect(engine, ENGINE_OPEN, 0);
	engine_gone(engine, action.session, &fault, at(0));
	(void)expect(engine, ENGINE_STATE, 0);
	assert_int_equal(engine_account_named(engine, "a")->health.state, HEALTH_HELD);
	expect_rest(engine, 0);
	engine_accepted(engine, row_make(2, "b", at(0).unix_ms, JOB_WARNING, 1), at(0));
	action = expect(engine, ENGINE_OPEN, 0);
	assert_string_equal(action.account->conf->name, "b");
	finish(engine, &conf);
}

static void
a_refused_token_is_renewed_once_then_the_account_is_held(void **state)
{
	struct conf conf;
	struct smtp_fault fault = { .stage = SMTP_AT_AUTH,
		.reply = { .code = 535, .enhanced = "5.7.3", .text = "no", .lines = 1 },
		.token_refused = true };
	struct engine *engine;
	struct engine_action action;
	struct engine_account *account;

	(void)state;
	engine = started_with_tokens(&conf, &account);
	(void)expect(engine, ENGINE_TOKEN, 0);
	action = expect(engine, ENGINE_LOAD, 0);
	engine_loaded(engine, account, NULL, 0, false, ND_NEVER, at(0));
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	expect_rest(engine, 0); /* no session without a token */
	engine_token_got(engine, account, 10, ND_HOUR(1), at(10));
	action = expect(engine, ENGINE_OPEN, 10);
	engine_gone(engine, action.session, &fault, at(20));
	expect_rest(engine, 20); /* never two requests within 2 s */
	(void)expect(engine, ENGINE_TOKEN, ND_SEC(2));
	assert_int_equal(account->health.state, HEALTH_OK);
	engine_token_got(engine, account, 2100, ND_HOUR(1), at(2100));
	action = expect(engine, ENGINE_OPEN, 2100);
	engine_gone(engine, action.session, &fault, at(2200));
	(void)expect(engine, ENGINE_STATE, 2200);
	assert_int_equal(account->health.state, HEALTH_HELD);
	expect_rest(engine, 2200);
	finish(engine, &conf);
}

static void
a_dead_token_endpoint_holds_with_its_words_and_the_old_token_serves(void **state)
{
	struct conf conf;
	struct engine *engine;
	struct engine_account *account;
	struct nd_why why;

	(void)state;
	engine = started_with_tokens(&conf, &account);
	(void)expect(engine, ENGINE_TOKEN, 0);
	engine_token_got(engine, account, 0, ND_MIN(60), at(0));
	(void)nd_fail(&why, ND_ETOKEN, 0, "invalid_client: AADSTS7000215");
	engine_token_refused(engine, account, &why, at(ND_MIN(55)));
	assert_int_equal(account->health.state, HEALTH_OK);
	engine_token_refused(engine, account, &why, at(ND_MIN(61)));
	assert_int_equal(account->health.state, HEALTH_HELD);
	assert_string_equal(account->health.reason, "token-refused");
	assert_non_null(strstr(account->health.detail, "AADSTS7000215"));
	finish(engine, &conf);
}

static void
while_held_nothing_is_begun_and_afterwards_all_goes_on(void **state)
{
	struct conf conf;
	struct engine *engine;
	struct engine_action action;

	(void)state;
	rows_conf(&conf, one, 2);
	conf.account[0].auth = CONF_OAUTH2;
	engine = engine_new(&conf, 7, at(0));
	engine_hold(engine, true, at(0));
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	expect_rest(engine, 0); /* no token, no load, no session */
	expect_rest(engine, ND_HOUR(5));
	assert_int_equal(engine_deadline(engine, at(ND_HOUR(5))), ND_NEVER);
	engine_hold(engine, false, at(ND_HOUR(5)));
	/* The time did not count for the age of its jobs. */
	assert_int_equal(downtime_cutoff(&engine_account_nth(engine, 0)->downtime, ND_HOUR(1), at(ND_HOUR(6)).unix_ms),
	    at(ND_HOUR(5)).unix_ms);
	(void)expect(engine, ENGINE_TOKEN, ND_HOUR(5));
	engine_token_got(engine, engine_account_nth(engine, 0), ND_HOUR(5), ND_HOUR(6), at(ND_HOUR(5)));
	action = expect(engine, ENGINE_LOAD, ND_HOUR(5));
	engine_loaded(engine, action.account, NULL, 0, false, ND_NEVER, at(ND_HOUR(5)));
	(void)expect(engine, ENGINE_OPEN, ND_HOUR(5));
	finish(engine, &conf);
}

static void
a_hold_lets_mails_end_and_closes_their_sessions(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct engine_action action;

	(void)state;
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	engine_accepted(engine, row_make(2, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	conf.account[0].max_connections = 1;
	action = expect(engine, ENGINE_OPEN, 0);
	engine_ready(engine, action.session, at(1));
	action = expect(engine, ENGINE_SEND, 1);
	engine_hold(engine, true, at(2));
	expect_rest(engine, 2);
	tell(engine, &action, 250, 3);
	action = expect(engine, ENGINE_STORE, 3);
	stored(engine, &action, 3);
	(void)expect(engine, ENGINE_CLOSE, 3);
	expect_rest(engine, 3);
	finish(engine, &conf);
}

static void
an_expired_job_in_memory_is_ended_there(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct queue_job *row = row_make(1, "a", at(0).unix_ms + 30000, JOB_WARNING, 1);
	struct queue_job *other = row_make(2, "a", at(0).unix_ms, JOB_WARNING, 1);
	struct engine_action action;

	(void)state;
	engine_accepted(engine, row, at(0));
	assert_true(engine_expire(engine, row, at(1)));
	action = expect(engine, ENGINE_STORE, 1);
	assert_int_equal(action.job->job->state, JOB_EXPIRED);
	stored(engine, &action, 1);
	assert_false(engine_expire(engine, other, at(1)));
	queue_job_free(other);
	finish(engine, &conf);
}

static void
a_waiting_job_is_held_and_cancelled_through_the_store(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct queue_job *row = row_make(1, "a", at(0).unix_ms + 30000, JOB_WARNING, 1);
	struct engine_action action;
	struct nd_why why;

	(void)state;
	engine_accepted(engine, row, at(0));
	assert_int_equal(engine_act(engine, row, JOB_HOLD, at(1), &why), ENGINE_DONE);
	action = expect(engine, ENGINE_STORE, 1);
	assert_int_equal(action.job->job->state, JOB_HELD);
	assert_int_equal(
	    engine_act(engine, row, JOB_CANCEL, at(1), &why), ENGINE_LATER); /* while the first is committed */
	stored(engine, &action, 1);
	assert_null(sched_find(&engine_account_nth(engine, 0)->sched, "01K00000000000000000000001"));
	finish(engine, &conf);
}

static void
what_is_asked_after_the_end_of_data_has_begun_comes_after_the_try(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct queue_job *row = row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1);
	struct engine_action action, store;
	struct nd_why why;

	(void)state;
	engine_accepted(engine, row, at(0));
	action = expect(engine, ENGINE_OPEN, 0);
	engine_ready(engine, action.session, at(0));
	action = expect(engine, ENGINE_SEND, 0);
	action.job->slot = 0;
	assert_int_equal(engine_act(engine, row, JOB_RELEASE, at(1), &why), ENGINE_REFUSED);
	assert_int_equal(engine_act(engine, row, JOB_CANCEL, at(1), &why), ENGINE_LATER);
	tell(engine, &action, 451, 2);
	store = expect(engine, ENGINE_STORE, 2);
	assert_int_equal(store.job->job->state, JOB_QUEUED);
	stored(engine, &store, 2);
	store = expect(engine, ENGINE_STORE, 2);
	assert_int_equal(store.job->job->state, JOB_CANCELLED);
	stored(engine, &store, 2);
	finish(engine, &conf);
}

static void
what_was_asked_first_is_not_undone_before_it_is_done(void **state)
{
	static const struct {
		enum job_action first, second;
		enum engine_did did;
		enum job_state state;
	} rows[] = {
		{ JOB_CANCEL, JOB_RETRY, ENGINE_REFUSED, JOB_CANCELLED },
		{ JOB_CANCEL, JOB_HOLD, ENGINE_REFUSED, JOB_CANCELLED },
		{ JOB_CANCEL, JOB_CANCEL, ENGINE_LATER, JOB_CANCELLED },
		{ JOB_HOLD, JOB_RETRY, ENGINE_REFUSED, JOB_HELD },
		{ JOB_HOLD, JOB_CANCEL, ENGINE_LATER, JOB_CANCELLED },
		{ JOB_RETRY, JOB_HOLD, ENGINE_LATER, JOB_HELD },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf conf;
		struct engine *engine = started(&conf, one);
		struct queue_job *row = row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1);
		struct engine_action action, store;
		struct nd_why why = { 0 };

		engine_accepted(engine, row, at(0));
		action = expect(engine, ENGINE_OPEN, 0);
		engine_ready(engine, action.session, at(0));
		action = expect(engine, ENGINE_SEND, 0);
		action.job->slot = 0;
		assert_int_equal(engine_act(engine, row, rows[i].first, at(1), &why), ENGINE_LATER);
		assert_int_equal(engine_act(engine, row, rows[i].second, at(1), &why), rows[i].did);
		assert_int_equal(why.err, rows[i].did == ENGINE_REFUSED ? ND_ESTATE : ND_OK);
		tell(engine, &action, 451, 2);
		store = expect(engine, ENGINE_STORE, 2);
		stored(engine, &store, 2);
		store = expect(engine, ENGINE_STORE, 2);
		assert_int_equal(store.job->job->state, rows[i].state);
		stored(engine, &store, 2);
		finish(engine, &conf);
	}
}

/* The driver is told to end its session; nothing of the try is left but the wish. */
static void
a_job_is_withdrawn_before_the_end_of_data_and_no_attempt_is_counted(void **state)
{
	static const struct {
		enum job_action action;
		enum job_state state;
	} wishes[] = { { JOB_HOLD, JOB_HELD }, { JOB_CANCEL, JOB_CANCELLED } };
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct engine_action action, store;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct queue_job *row = row_make(i + 1, "a", at(0).unix_ms, JOB_WARNING, 2);

		engine_accepted(engine, row, at(0));
		action = expect(engine, ENGINE_OPEN, 0);
		engine_ready(engine, action.session, at(0));
		action = expect(engine, ENGINE_SEND, 0);
		assert_int_equal(engine_act(engine, row, JOB_RETRY, at(1), NULL), ENGINE_LATER);
		assert_int_equal(engine_act(engine, row, wishes[i].action, at(1), NULL), ENGINE_WITHDRAW);
		expect_rest(engine, 1);
		engine_gone(engine, action.session, NULL, at(1));
		store = expect(engine, ENGINE_STORE, 1);
		assert_ptr_equal(store.job, action.job);
		assert_null(store.attempt);
		assert_int_equal(row->state, wishes[i].state);
		assert_int_equal(row->attempt_count, 0);
		assert_int_equal(row->rcpts[0].state, i == 0 ? RCPT_PENDING : RCPT_CANCELLED);
		stored(engine, &store, 1);
		expect_rest(engine, 1);
		assert_int_equal(action.account->health.state, HEALTH_OK);
		assert_int_equal(action.account->lost_in_row, 0);
	}
	finish(engine, &conf);
}

static void
no_job_grows_old_while_the_queue_is_paused_or_cannot_be_written(void **state)
{
	static const enum engine_bar bars[] = { ENGINE_BAR_PAUSE, ENGINE_BAR_DISK };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct conf conf;
		struct engine *engine = started(&conf, one);

		engine_bar(engine, bars[i], true);
		engine_accepted(engine, row_make(1, "a", at(10).unix_ms, JOB_WARNING, 1), at(10));
		expect_rest(engine, 10);
		engine_bar(engine, bars[i], false);
		(void)expect(engine, ENGINE_OPEN, ND_DAY(5));
		assert_int_equal(
		    downtime_cutoff(&engine_account_nth(engine, 0)->downtime, ND_HOUR(1), at(ND_DAY(5)).unix_ms + 1),
		    at(10).unix_ms - ND_HOUR(1) + 1);
		finish(engine, &conf);
	}
}

static void
a_paused_queue_sends_nothing_and_a_flush_hurries(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct engine_action action;

	(void)state;
	engine_bar(engine, ENGINE_BAR_PAUSE, true);
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms + 30000, JOB_WARNING, 1), at(0));
	engine_flush(engine, at(1));
	action = expect(engine, ENGINE_LOAD, 1); /* what waits in the store is due now too */
	engine_loaded(engine, action.account, NULL, 0, false, ND_NEVER, at(1));
	expect_rest(engine, 1);
	engine_bar(engine, ENGINE_BAR_PAUSE, false);
	action = expect(engine, ENGINE_OPEN, 1);
	engine_ready(engine, action.session, at(1));
	(void)expect(engine, ENGINE_SEND, 1);
	finish(engine, &conf);
}

static void
the_newest_refusal_is_what_is_told(void **state)
{
	struct conf conf;
	struct engine *engine;
	struct engine_account *account;
	struct nd_why why;
	nd_unix since;

	(void)state;
	engine = started_with_tokens(&conf, &account);
	(void)expect(engine, ENGINE_TOKEN, 0);
	(void)nd_fail(&why, ND_ETOKEN, 0, "the secret is wrong");
	engine_token_refused(engine, account, &why, at(0));
	assert_string_equal(account->health.detail, "the secret is wrong");
	since = account->health.since;
	engine_refresh(engine, account, at(ND_SEC(10)));
	(void)nd_fail(&why, ND_ESECRET, 0, "the file is empty");
	engine_token_refused(engine, account, &why, at(ND_SEC(10)));
	assert_int_equal(account->health.state, HEALTH_HELD);
	assert_string_equal(account->health.detail, "the file is empty");
	assert_int_equal(account->health.since, since);
	assert_int_equal(account->health.until, account->token.retry_at);
	/* what only means "later" does not end it */
	(void)nd_fail(&why, ND_ETOKENLATER, 0, "the endpoint is busy");
	engine_token_later(engine, account, 0, &why, at(ND_SEC(20)));
	assert_int_equal(account->health.state, HEALTH_HELD);
	assert_string_equal(account->health.detail, "the file is empty");
	finish(engine, &conf);
}

static void
a_token_refused_early_holds_the_account_when_the_old_one_ends(void **state)
{
	struct conf conf;
	struct engine *engine;
	struct engine_account *account;
	struct nd_why why;

	(void)state;
	engine = started_with_tokens(&conf, &account);
	(void)expect(engine, ENGINE_TOKEN, 0);
	engine_token_got(engine, account, 0, ND_MIN(60), at(0));
	(void)expect(engine, ENGINE_LOAD, 0);
	engine_loaded(engine, account, NULL, 0, false, ND_NEVER, at(0));
	(void)nd_fail(&why, ND_ETOKEN, 0, "invalid_client");
	(void)expect(engine, ENGINE_TOKEN, ND_MIN(55));
	engine_token_refused(engine, account, &why, at(ND_MIN(55)));
	expect_rest(engine, ND_MIN(55));
	assert_int_equal(engine_deadline(engine, at(ND_MIN(55))), ND_MIN(60));
	(void)expect(engine, ENGINE_STATE, ND_MIN(60));
	assert_int_equal(account->health.state, HEALTH_HELD);
	finish(engine, &conf);
}

static void
two_sessions_refused_with_the_same_token_are_one_refusal(void **state)
{
	struct conf conf;
	struct smtp_fault fault = { .stage = SMTP_AT_AUTH,
		.reply = { .code = 535, .enhanced = "5.7.3", .text = "no", .lines = 1 },
		.token_refused = true };
	struct engine *engine;
	struct engine_account *account;
	struct engine_action first, second;

	(void)state;
	engine = started_with_tokens(&conf, &account);
	(void)expect(engine, ENGINE_TOKEN, 0);
	engine_token_got(engine, account, 0, ND_HOUR(1), at(0));
	(void)expect(engine, ENGINE_LOAD, 0);
	engine_loaded(engine, account, NULL, 0, false, ND_NEVER, at(0));
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	engine_accepted(engine, row_make(2, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	first = expect(engine, ENGINE_OPEN, 0);
	second = expect(engine, ENGINE_OPEN, 0);
	engine_gone(engine, first.session, &fault, at(3000));
	(void)expect(engine, ENGINE_TOKEN, 3000);
	engine_gone(engine, second.session, &fault, at(3001));
	assert_int_equal(account->health.state, HEALTH_OK);
	engine_token_got(engine, account, 3100, ND_HOUR(1), at(3100));
	(void)expect(engine, ENGINE_OPEN, 3100);
	finish(engine, &conf);
}

static struct queue_job *
row_of(unsigned n, uint32_t uid)
{
	struct queue_job *row = row_make(n, "a", at(0).unix_ms, JOB_WARNING, 1);

	row->uid = uid;
	return row;
}

static bool
in_window(const struct engine_account *account, unsigned n)
{
	struct queue_job *row = row_of(n, 0);
	const bool found = sched_find(&account->sched, row->id) != NULL;

	queue_job_free(row);
	return found;
}

static void
leaves_window(struct engine_account *account, unsigned n)
{
	struct queue_job *row = row_of(n, 0);

	queue_job_free(sched_release(&account->sched, sched_find(&account->sched, row->id)));
	queue_job_free(row);
}

/* The store gives submitter after submitter, always in the same order. */
static void
beside_a_flood_the_submitters_of_a_page_have_room_in_turn(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct engine_account *account = engine_account_nth(engine, 0);

	(void)state;
	account->sched.room = (struct sched_room){ 4, 4, 2, SCHED_OCTETS };
	for (unsigned n = 1; n <= 5; n++)
		engine_accepted(engine, row_of(n, 1000), at(0));
	engine_loaded(engine, account,
	    (struct queue_job *[]){ row_of(11, 1), row_of(12, 1), row_of(21, 2), row_of(31, 3) }, 4, true, ND_NEVER,
	    at(0));
	assert_int_equal(account->sched.count, 6);
	assert_true(in_window(account, 11) && in_window(account, 21)); /* one of each, not two of one */
	leaves_window(account, 11);
	leaves_window(account, 21);
	engine_loaded(engine, account, (struct queue_job *[]){ row_of(12, 1), row_of(22, 2), row_of(31, 3) }, 3, true,
	    ND_NEVER, at(0));
	assert_int_equal(account->sched.count, 6);
	assert_true(in_window(account, 31) && in_window(account, 12)); /* who found no room is first now */
	leaves_window(account, 31);
	engine_loaded(engine, account, (struct queue_job *[]){ row_of(13, 1), row_of(22, 2), row_of(32, 3) }, 3, true,
	    ND_NEVER, at(0));
	assert_true(in_window(account, 22));
	finish(engine, &conf);
}

static void
a_body_that_cannot_be_read_is_no_fault_of_the_account(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct smtp_outcome outcome = { .end = SMTP_ENDED_LOST, .stage = SMTP_AT_MAIL, .local = true };
	struct engine_action action, store;
	struct settle_mail *mail;
	struct engine_told told = { &outcome, NULL, "relay", 0 };
	unsigned n;

	(void)state;
	(void)nd_fail(&outcome.why, ND_EBODYGONE, 0, "it is gone");
	for (n = 1; n <= 5; n++)
		engine_accepted(engine, row_make(n, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	action = expect(engine, ENGINE_OPEN, 0);
	(void)expect(engine, ENGINE_OPEN, 0);
	engine_ready(engine, action.session, at(0));
	for (n = 1; n <= 5; n++) {
		action = expect(engine, ENGINE_SEND, 0);
		mail = settle_mail_new(action.job->job);
		told.mail = mail;
		engine_outcome(engine, action.session, &told, at(0));
		free(mail);
		engine_ready(engine, action.session, at(0));
		store = expect(engine, ENGINE_STORE, 0);
		assert_int_equal(store.job->job->state, JOB_FAILED);
		assert_non_null(strstr(store.job->job->reason, "body-gone"));
		stored(engine, &store, 0);
	}
	assert_int_equal(engine_account_nth(engine, 0)->health.state, HEALTH_OK);
	finish(engine, &conf);
}

static void
without_a_disk_for_outcomes_nothing_leaves(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct engine_action action;
	unsigned n, sent = 0;

	(void)state;
	for (n = 1; n <= 100; n++)
		engine_accepted(engine, row_make(n, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	action = expect(engine, ENGINE_OPEN, 0);
	(void)expect(engine, ENGINE_OPEN, 0);
	engine_ready(engine, action.session, at(0));
	/* Outcomes that are not committed bound what is sent. */
	while (engine_next(engine, at(0), &action)) {
		if (action.act == ENGINE_SEND) {
			sent++;
			tell(engine, &action, 250, 0);
		} else if (action.attempt) {
			queue_attempt_done(action.attempt);
			free(action.attempt);
		}
	}
	assert_in_range(sent, 2, 20);
	engine_bar(engine, ENGINE_BAR_DISK, true);
	(void)expect(engine, ENGINE_CLOSE, 1);
	expect_rest(engine, 1);
	finish(engine, &conf);
}

/* A session of "a" that sends a mail. */
static struct engine_action
sending(struct engine *engine, unsigned n, nd_ms now)
{
	struct engine_action action;

	engine_accepted(engine, row_make(n, "a", at(now).unix_ms, JOB_WARNING, 1), at(now));
	action = expect(engine, ENGINE_OPEN, now);
	engine_ready(engine, action.session, at(now));
	return expect(engine, ENGINE_SEND, now);
}

static void
an_unchanged_account_goes_on_as_if_nothing_were(void **state)
{
	struct conf conf, next;
	struct engine *engine = started(&conf, one);
	struct engine_action send = sending(engine, 1, 1), action;

	(void)state;
	rows_conf(&next, one, 2);
	engine_reconfigure(engine, &next, at(2));
	assert_int_equal(send.account->change, CONF_SAME);
	assert_ptr_equal(send.account->conf, &next.account[0]);
	expect_rest(engine, 2);
	tell(engine, &send, 250, 3);
	action = expect(engine, ENGINE_STORE, 3);
	stored(engine, &action, 3);
	expect_rest(engine, 3); /* the session stays for the next mail */
	assert_int_equal(pool_total(&send.account->pool), 1);
	rows_conf_done(&conf);
	finish(engine, &next);
}

static void
what_was_learned_of_a_host_is_not_believed_of_the_next_one(void **state)
{
	struct conf conf, next;
	struct engine *engine = started(&conf, one);
	struct engine_action send = sending(engine, 1, 1), action;

	(void)state;
	tell(engine, &send, 250, 2);
	action = expect(engine, ENGINE_STORE, 2);
	stored(engine, &action, 2);
	assert_int_equal(smtp_habits_pace(&send.account->habits, 3), SMTP_ONE_FLIGHT);
	rows_conf(&next, one, 2);
	next.account[0].port = 465;
	engine_reconfigure(engine, &next, at(3));
	assert_int_equal(send.account->change, CONF_OTHER);
	assert_int_not_equal(smtp_habits_pace(&send.account->habits, 3), SMTP_ONE_FLIGHT);
	rows_conf_done(&conf);
	finish(engine, &next);
}

static void
a_session_with_a_provider_is_worn_sooner_than_one_with_another_server(void **state)
{
	struct conf conf, next;
	struct engine *engine = started(&conf, one);

	(void)state;
	assert_int_equal(engine_account_nth(engine, 0)->pool.mails, POOL_MAILS_OWN);
	rows_conf(&next, one, 1);
	next.account[0].provider = CONF_SES;
	engine_reconfigure(engine, &next, at(2));
	assert_int_equal(engine_account_nth(engine, 0)->pool.mails, POOL_MAILS);
	rows_conf_done(&conf);
	finish(engine, &next);
}

static void
accounts_share_the_memory_anew_after_a_reload(void **state)
{
	struct conf conf, next;
	struct engine *engine = started(&conf, one);

	(void)state;
	rows_conf(&next, two, 1);
	next.memory = 16 << 20;
	assert_int_equal(engine_account_nth(engine, 0)->sched.room.octets, SCHED_OCTETS);
	engine_reconfigure(engine, &next, at(2));
	assert_int_equal(engine_account_nth(engine, 0)->sched.room.octets, 2 << 20);
	assert_int_equal(engine_account_nth(engine, 1)->sched.room.octets, 2 << 20);
	rows_conf_done(&conf);
	finish(engine, &next);
}

static void
a_changed_account_ends_its_session_after_its_mail(void **state)
{
	struct conf conf, next;
	struct engine *engine = started(&conf, one);
	struct engine_action send = sending(engine, 1, 1), action;

	(void)state;
	engine_accepted(engine, row_make(2, "a", at(1).unix_ms, JOB_WARNING, 1), at(1));
	(void)expect(engine, ENGINE_OPEN, 1); /* for the second job; to be cut by the driver */
	rows_conf(&next, one, 1);
	engine_reconfigure(engine, &next, at(2));
	assert_int_equal(send.account->change, CONF_CHANGED);
	assert_int_equal(send.account->pool.max, 1);
	while (send.account->pool.count[POOL_OPENING] > 0) {
		struct pool_session *session = send.account->pool.sessions;

		while (session->state != POOL_OPENING)
			session = session->next;
		engine_gone(engine, session, NULL, at(2));
	}
	assert_int_equal(send.account->health.state, HEALTH_OK); /* being cut is nobody's fault */
	expect_rest(engine, 2);
	tell(engine, &send, 250, 3);
	action = expect(engine, ENGINE_STORE, 3);
	assert_int_equal(action.job->job->state, JOB_DELIVERED);
	stored(engine, &action, 3);
	action = expect(engine, ENGINE_CLOSE, 3);
	assert_ptr_equal(action.session, send.session);
	expect_rest(engine, 3);
	engine_gone(engine, action.session, NULL, at(4));
	action = expect(engine, ENGINE_OPEN, 4); /* the second job goes with the new settings */
	assert_false(action.session->old);
	rows_conf_done(&conf);
	finish(engine, &next);
}

static void
what_an_old_session_meets_does_not_count_against_the_new_account(void **state)
{
	struct conf conf, next;
	struct engine *engine = started(&conf, one);
	struct engine_action send = sending(engine, 1, 1), action;
	struct smtp_outcome outcome = { .end = SMTP_ENDED_REPLY,
		.stage = SMTP_AT_MAIL,
		.reply = { .code = 530, .enhanced = "5.7.57", .text = "no", .lines = 1 } };
	struct settle_mail *mail = settle_mail_new(send.job->job);
	struct engine_told told = { &outcome, mail, "relay", 0 };

	(void)state;
	rows_conf(&next, one, 2);
	next.account[0].port = 465;
	engine_reconfigure(engine, &next, at(2));
	assert_int_equal(send.account->change, CONF_OTHER);
	engine_outcome(engine, send.session, &told, at(3));
	free(mail);
	assert_int_equal(send.account->health.state, HEALTH_OK);
	engine_gone(engine, send.session, NULL, at(3));
	action = expect(engine, ENGINE_OPEN, 3);
	engine_ready(engine, action.session, at(4));
	action = expect(engine, ENGINE_SEND, 4); /* the same job, by the new session, without a lost attempt */
	assert_int_equal(action.job->job->attempt_count, 0);
	rows_conf_done(&conf);
	finish(engine, &next);
}

static void
a_gone_account_is_forgotten_when_its_last_outcome_is_stored(void **state)
{
	static const char *const other[] = { "b", NULL };
	struct conf conf, next;
	struct engine *engine = started(&conf, two);
	struct engine_action send = sending(engine, 1, 1), action;
	struct engine_account *gone = send.account;

	(void)state;
	engine_accepted(engine, row_make(2, "a", at(ND_SEC(5)).unix_ms, JOB_WARNING, 1), at(1));
	rows_conf(&next, other, 2);
	engine_reconfigure(engine, &next, at(2));
	assert_true(gone->gone);
	assert_int_equal(gone->sched.count, 1); /* what waited is the store's again */
	expect_rest(engine, 2);
	engine_accepted(engine, row_make(3, "a", at(2).unix_ms, JOB_WARNING, 1), at(2));
	assert_int_equal(gone->sched.count, 1);
	tell(engine, &send, 450, 3);
	action = expect(engine, ENGINE_STORE, 3);
	assert_int_equal(action.job->job->state, JOB_QUEUED);
	stored(engine, &action, 3);
	action = expect(engine, ENGINE_CLOSE, 3);
	expect_rest(engine, 3);
	gone->users++;
	engine_gone(engine, action.session, NULL, at(4));
	expect_rest(engine, 4); /* the driver still refers to it */
	gone->users--;
	action = expect(engine, ENGINE_FORGET, 4);
	assert_ptr_equal(action.account, gone);
	engine_forget(engine, gone);
	assert_null(engine_account_named(engine, "a"));
	assert_non_null(engine_account_named(engine, "b"));
	expect_rest(engine, 4);
	rows_conf_done(&conf);
	finish(engine, &next);
}

static void
a_job_that_comes_back_to_a_gone_account_is_left_to_another(void **state)
{
	static const char *const other[] = { "b", NULL };
	struct conf conf, next;
	struct engine *engine = started(&conf, two);
	struct engine_action send = sending(engine, 1, 1), action;
	struct smtp_outcome outcome = { .end = SMTP_ENDED_LOST, .stage = SMTP_AT_MAIL, .unharmed = true };
	struct settle_mail *mail = settle_mail_new(send.job->job);
	struct engine_told told = { &outcome, mail, "relay", 0 };

	(void)state;
	rows_conf(&next, other, 2);
	engine_reconfigure(engine, &next, at(2));
	engine_outcome(engine, send.session, &told, at(3));
	free(mail);
	assert_int_equal(send.job->slot, -1); /* the driver may still look at it */
	engine_gone(engine, send.session, NULL, at(3));
	action = expect(engine, ENGINE_FORGET, 3);
	assert_int_equal(action.account->sched.count, 0);
	engine_forget(engine, action.account);
	rows_conf_done(&conf);
	finish(engine, &next);
}

static void
a_new_account_reads_its_jobs_and_one_that_comes_back_does_too(void **state)
{
	struct conf conf, next, again;
	struct engine *engine = started(&conf, one);
	struct engine_action action;
	static const char *const other[] = { "b", NULL };

	(void)state;
	rows_conf(&next, two, 2);
	engine_reconfigure(engine, &next, at(1));
	action = expect(engine, ENGINE_LOAD, 1);
	assert_string_equal(action.account->conf->name, "b");
	action.account->users++; /* keeps it while it is gone */
	engine_loaded(engine, action.account, NULL, 0, false, ND_NEVER, at(1));
	engine_reconfigure(engine, &conf, at(2));
	expect_rest(engine, 2);
	rows_conf(&again, other, 2);
	engine_reconfigure(engine, &again, at(3));
	assert_false(action.account->gone);
	assert_int_equal(expect(engine, ENGINE_FORGET, 3).account->gone, true);
	engine_forget(engine, engine_account_named(engine, "a"));
	assert_ptr_equal(expect(engine, ENGINE_LOAD, 3).account, action.account);
	rows_conf_done(&conf);
	rows_conf_done(&next);
	finish(engine, &again);
}

static void
a_held_account_is_tried_at_once_after_new_settings(void **state)
{
	struct conf conf, next;
	struct engine *engine = started(&conf, one);
	struct smtp_fault fault = { .stage = SMTP_AT_AUTH,
		.reply = { .code = 535, .enhanced = "5.7.8", .text = "no", .lines = 1 } };
	struct engine_action action;

	(void)state;
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	action = expect(engine, ENGINE_OPEN, 0);
	engine_gone(engine, action.session, &fault, at(0));
	(void)expect(engine, ENGINE_STATE, 0);
	assert_int_equal(action.account->health.state, HEALTH_HELD);
	expect_rest(engine, 1);
	rows_conf(&next, one, 2);
	engine_reconfigure(engine, &next, at(2));
	action = expect(engine, ENGINE_OPEN, 2);
	assert_true(action.session->probe);
	next.account[0].port = 25;
	engine_pause(engine, action.account, at(3));
	(void)expect(engine, ENGINE_STATE, 3);
	rows_conf_done(&conf);
	finish(engine, &next);
}

static void
a_paused_account_sends_nothing_until_it_is_resumed(void **state)
{
	struct conf conf, next;
	struct engine *engine = started(&conf, one);
	struct engine_account *account = engine_account_nth(engine, 0);
	struct engine_action action;

	(void)state;
	engine_pause(engine, account, at(0));
	(void)expect(engine, ENGINE_STATE, 0);
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	engine_refresh(engine, account, at(1));
	expect_rest(engine, ND_DAY(1));
	rows_conf(&next, one, 2);
	next.account[0].port = 25; /* another server: it stays paused */
	engine_reconfigure(engine, &next, at(ND_DAY(1)));
	expect_rest(engine, ND_DAY(1));
	engine_resume(engine, account, at(ND_DAY(1)));
	(void)expect(engine, ENGINE_STATE, ND_DAY(1));
	action = expect(engine, ENGINE_OPEN, ND_DAY(1));
	assert_false(action.session->probe);
	rows_conf_done(&conf);
	finish(engine, &next);
}

static void
another_identity_asks_for_a_token_of_its_own(void **state)
{
	static char mine[] = "mine", yours[] = "yours", secret[] = "file:/next";
	struct conf conf, next, third;
	struct engine *engine;
	struct engine_account *account;

	(void)state;
	rows_conf(&conf, one, 2);
	conf.account[0].auth = CONF_OAUTH2;
	conf.account[0].client_id = mine;
	engine = engine_new(&conf, 7, at(0));
	account = engine_account_nth(engine, 0);
	(void)expect(engine, ENGINE_TOKEN, 0);
	(void)expect(engine, ENGINE_LOAD, 0);
	engine_loaded(engine, account, NULL, 0, false, ND_NEVER, at(0));
	engine_token_got(engine, account, 10, ND_HOUR(1), at(10));
	rows_conf(&next, one, 2);
	next.account[0].auth = CONF_OAUTH2;
	next.account[0].client_id = yours;
	engine_reconfigure(engine, &next, at(ND_SEC(5)));
	assert_false(token_usable(&account->token, ND_SEC(5)));
	(void)expect(engine, ENGINE_TOKEN, ND_SEC(5));
	engine_token_got(engine, account, ND_SEC(5), ND_HOUR(1), at(ND_SEC(5)));
	rows_conf(&third, one, 2);
	third.account[0].auth = CONF_OAUTH2;
	third.account[0].client_id = yours;
	third.account[0].client_secret = secret; /* the old token serves until the new one is there */
	engine_reconfigure(engine, &third, at(ND_SEC(9)));
	assert_true(token_usable(&account->token, ND_SEC(9)));
	(void)expect(engine, ENGINE_TOKEN, ND_SEC(9));
	rows_conf_done(&conf);
	rows_conf_done(&next);
	finish(engine, &third);
}

/* ---- several under way in one session ---- */

static void
tell_beside(struct engine *engine, struct pool_session *session, const struct smtp_outcome *outcome, nd_ms now)
{
	struct settle_mail *mail = settle_mail_new(session->jobs[0]->job);
	struct engine_told told = { outcome, mail, "relay", 0 };

	for (unsigned k = 0; k < mail->mail.rcpt_count; k++)
		mail->results[k] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
	engine_outcome(engine, session, &told, at(now));
	free(mail);
}

/* One session that has taken a mail, with three of five further jobs under way. */
static struct pool_session *
three_under_way(struct engine *engine, struct conf *conf, struct sched_job *jobs[3])
{
	struct engine_action action;
	struct pool_session *session;

	conf->account[0].window = 3;
	conf->account[0].max_connections = 1;
	pool_limit(&engine_account_nth(engine, 0)->pool, 1, 3, POOL_MAILS);
	engine_accepted(engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	session = expect(engine, ENGINE_OPEN, 0).session;
	engine_ready(engine, session, at(0));
	action = expect(engine, ENGINE_SEND, 0);
	engine_room(engine, session); /* but nothing was taken yet */
	tell(engine, &action, 250, 0);
	action = expect(engine, ENGINE_STORE, 0);
	stored(engine, &action, 0);
	for (unsigned n = 2; n < 7; n++)
		engine_accepted(engine, row_make(n, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	for (unsigned n = 0; n < 3; n++) {
		action = expect(engine, ENGINE_SEND, 0);
		assert_ptr_equal(action.session, session);
		assert_int_equal(session->job_count, n + 1);
		jobs[n] = action.job;
		expect_rest(engine, 0);
		engine_room(engine, session);
	}
	expect_rest(engine, 0); /* the window is full */
	return session;
}

static void
a_window_fills_one_session_and_outcomes_come_in_order(void **state)
{
	const struct smtp_outcome taken = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 250, .lines = 1 }
	};
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct sched_job *jobs[3];
	struct pool_session *session = three_under_way(engine, &conf, jobs);
	struct engine_action action;

	(void)state;
	tell_beside(engine, session, &taken, 1);
	action = expect(engine, ENGINE_STORE, 1);
	assert_ptr_equal(action.job, jobs[0]);
	stored(engine, &action, 1);
	action = expect(engine, ENGINE_SEND, 1); /* the place it left */
	assert_int_equal(session->job_count, 3);
	assert_ptr_equal(session->jobs[0], jobs[1]);
	engine_unfit(engine, session, at(1));
	assert_int_equal(action.job->place, SCHED_READY);
	assert_int_equal(action.job->owner->turn, action.account->sched.owners.turn); /* it is still next */
	expect_rest(engine, 1); /* not before the driver says that there is room */
	finish(engine, &conf);
}

static void
a_session_lost_with_three_under_way_is_one_loss_and_ends_the_window(void **state)
{
	struct smtp_outcome lost = { .end = SMTP_ENDED_LOST, .stage = SMTP_AT_END, .uncertain = true, .company = true };
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct sched_job *jobs[3];
	struct pool_session *session = three_under_way(engine, &conf, jobs);
	struct engine_account *account = engine_account_nth(engine, 0);
	struct engine_action action;

	(void)state;
	(void)nd_fail(&lost.why, ND_ECLOSED, 0, "gone");
	tell_beside(engine, session, &lost, 1);
	tell_beside(engine, session, &lost, 1);
	lost.uncertain = false; /* of the last one something had not left */
	lost.unharmed = true;
	tell_beside(engine, session, &lost, 1);
	engine_gone(engine, session, NULL, at(1));
	assert_int_equal(account->lost_in_row, 1);
	assert_int_equal(account->health.state, HEALTH_OK);
	for (unsigned n = 0; n < 2; n++) {
		action = expect(engine, ENGINE_STORE, 1);
		assert_ptr_equal(action.job, jobs[n]);
		assert_true(action.job->job->uncertain);
		assert_int_equal(action.job->job->attempt_count, 1);
		stored(engine, &action, 1);
	}
	assert_int_equal(jobs[2]->place, SCHED_READY);
	assert_int_equal(jobs[2]->job->attempt_count, 0);
	session = expect(engine, ENGINE_OPEN, 2).session;
	engine_ready(engine, session, at(2));
	(void)expect(engine, ENGINE_SEND, 2);
	engine_room(engine, session);
	expect_rest(engine, 2); /* one at a time now */
	finish(engine, &conf);
}

/* The job keeps its place and goes on a new session at once; neither it nor the account is any worse off. */
static void
an_idle_session_found_dead_costs_nothing(void **state)
{
	struct smtp_outcome stale = { .end = SMTP_ENDED_LOST, .stage = SMTP_AT_MAIL, .stale = true };
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct engine_account *account = engine_account_nth(engine, 0);
	struct engine_action action, send = { 0 };

	(void)state;
	(void)nd_fail(&stale.why, ND_EDEADLINE, 0, "silence");
	for (unsigned n = 0; n < 4; n++) { /* more than the losses in a row that are the account's fault */
		const nd_ms now = 1 + ND_SEC(20) * n;

		if (n == 0)
			send = sending(engine, 1, now);
		tell_beside(engine, send.session, &stale, now + ND_SEC(10));
		engine_gone(engine, send.session, NULL, at(now + ND_SEC(10)));
		action = expect(engine, ENGINE_OPEN, now + ND_SEC(10));
		engine_ready(engine, action.session, at(now + ND_SEC(10)));
		send = expect(engine, ENGINE_SEND, now + ND_SEC(10));
		assert_int_equal(send.job->job->attempt_count, 0);
		assert_false(send.job->job->uncertain);
		assert_null(send.job->job->reason);
	}
	assert_int_equal(account->lost_in_row, 0);
	assert_int_equal(account->health.state, HEALTH_OK);
	tell(engine, &send, 250, ND_MIN(2));
	action = expect(engine, ENGINE_STORE, ND_MIN(2));
	assert_int_equal(action.job->job->attempt_count, 1);
	stored(engine, &action, ND_MIN(2));
	finish(engine, &conf);
}

static void
a_session_that_goes_without_outcomes_gives_all_its_jobs_back_and_their_wishes_are_kept(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, one);
	struct sched_job *jobs[3];
	struct pool_session *session = three_under_way(engine, &conf, jobs);
	struct engine_action action;

	(void)state;
	jobs[1]->slot = 1; /* as all that are said beside others */
	assert_int_equal(engine_act(engine, jobs[1]->job, JOB_HOLD, at(1), NULL), ENGINE_LATER);
	engine_gone(engine, session, NULL, at(1));
	action = expect(engine, ENGINE_STORE, 1);
	assert_ptr_equal(action.job, jobs[1]);
	assert_int_equal(action.job->job->state, JOB_HELD);
	stored(engine, &action, 1);
	assert_int_equal(jobs[0]->place, SCHED_READY);
	assert_int_equal(jobs[2]->place, SCHED_READY);
	finish(engine, &conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_fills_one_session_and_outcomes_come_in_order),
		cmocka_unit_test(a_session_lost_with_three_under_way_is_one_loss_and_ends_the_window),
		cmocka_unit_test(an_idle_session_found_dead_costs_nothing),
		cmocka_unit_test(
		    a_session_that_goes_without_outcomes_gives_all_its_jobs_back_and_their_wishes_are_kept),
		cmocka_unit_test(an_accepted_job_opens_a_session_and_goes),
		cmocka_unit_test(a_refused_connection_makes_the_account_fail_and_burns_no_attempt),
		cmocka_unit_test(one_account_in_trouble_does_not_stop_the_other),
		cmocka_unit_test(a_refused_token_is_renewed_once_then_the_account_is_held),
		cmocka_unit_test(a_dead_token_endpoint_holds_with_its_words_and_the_old_token_serves),
		cmocka_unit_test(while_held_nothing_is_begun_and_afterwards_all_goes_on),
		cmocka_unit_test(a_hold_lets_mails_end_and_closes_their_sessions),
		cmocka_unit_test(an_expired_job_in_memory_is_ended_there),
		cmocka_unit_test(a_waiting_job_is_held_and_cancelled_through_the_store),
		cmocka_unit_test(what_is_asked_after_the_end_of_data_has_begun_comes_after_the_try),
		cmocka_unit_test(what_was_asked_first_is_not_undone_before_it_is_done),
		cmocka_unit_test(a_job_is_withdrawn_before_the_end_of_data_and_no_attempt_is_counted),
		cmocka_unit_test(no_job_grows_old_while_the_queue_is_paused_or_cannot_be_written),
		cmocka_unit_test(a_paused_queue_sends_nothing_and_a_flush_hurries),
		cmocka_unit_test(the_newest_refusal_is_what_is_told),
		cmocka_unit_test(a_token_refused_early_holds_the_account_when_the_old_one_ends),
		cmocka_unit_test(two_sessions_refused_with_the_same_token_are_one_refusal),
		cmocka_unit_test(a_body_that_cannot_be_read_is_no_fault_of_the_account),
		cmocka_unit_test(without_a_disk_for_outcomes_nothing_leaves),
		cmocka_unit_test(an_unchanged_account_goes_on_as_if_nothing_were),
		cmocka_unit_test(what_was_learned_of_a_host_is_not_believed_of_the_next_one),
		cmocka_unit_test(a_session_with_a_provider_is_worn_sooner_than_one_with_another_server),
		cmocka_unit_test(accounts_share_the_memory_anew_after_a_reload),
		cmocka_unit_test(a_changed_account_ends_its_session_after_its_mail),
		cmocka_unit_test(what_an_old_session_meets_does_not_count_against_the_new_account),
		cmocka_unit_test(a_gone_account_is_forgotten_when_its_last_outcome_is_stored),
		cmocka_unit_test(a_job_that_comes_back_to_a_gone_account_is_left_to_another),
		cmocka_unit_test(a_new_account_reads_its_jobs_and_one_that_comes_back_does_too),
		cmocka_unit_test(a_held_account_is_tried_at_once_after_new_settings),
		cmocka_unit_test(beside_a_flood_the_submitters_of_a_page_have_room_in_turn),
		cmocka_unit_test(a_paused_account_sends_nothing_until_it_is_resumed),
		cmocka_unit_test(another_identity_asks_for_a_token_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
