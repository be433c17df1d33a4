/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_limit.c - the engine within the limits of a mailbox. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_kit.h"

static const char *const one[] = { "a", NULL };

static void
keep(struct engine *engine, nd_ms now)
{
	struct engine_action action = expect(engine, ENGINE_KEEP, now);

	free(action.record);
	engine_limit_kept(engine, action.limit, true, at(now));
}

/* record: what an earlier run has kept; NULL nothing. */
static struct engine *
started_after(const char *record, struct conf *conf, int64_t minute, int64_t reader_hour)
{
	struct engine *engine;
	struct engine_action action;

	rows_conf(conf, one, 2);
	conf->account[0].messages_per_minute = minute;
	conf->account[0].messages_per_recipient_hour = reader_hour;
	engine = engine_new(conf, 7, at(0));
	engine_boot(engine, "b");
	action = expect(engine, ENGINE_LOAD, 0);
	engine_loaded(engine, action.account, NULL, 0, false, ND_NEVER, at(0));
	if (minute == 0 && reader_hour == 0)
		return engine;
	action = expect(engine, ENGINE_RECALL, 0);
	expect_rest(engine, 0); /* nothing goes before it is known */
	assert_int_equal(engine_limit_recalled(engine, action.limit, record, at(0)), record == NULL);
	keep(engine, 0);
	expect_rest(engine, 0);
	return engine;
}

static struct engine *
started(struct conf *conf, int64_t minute, int64_t reader_hour)
{
	return started_after(NULL, conf, minute, reader_hour);
}

static void
accept(struct engine *engine, unsigned n, enum job_severity severity, nd_ms now)
{
	engine_accepted(engine, row_make(n, "a", at(now).unix_ms, severity, 1), at(now));
}

static void
tell(struct engine *engine, const struct engine_action *send, const char *text, int code, nd_ms now)
{
	struct smtp_outcome outcome = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = code, .lines = 1 }
	};
	struct settle_mail *mail = settle_mail_new(send->job->job);
	struct engine_told told = { &outcome, mail, "relay", 0 };

	(void)snprintf(outcome.reply.text, sizeof(outcome.reply.text), "%s", text);
	for (unsigned k = 0; k < mail->mail.rcpt_count; k++)
		mail->results[k] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
	engine_outcome(engine, send->session, &told, at(now));
	free(mail);
	engine_ready(engine, send->session, at(now));
}

static void
stored(struct engine *engine, nd_ms now)
{
	struct engine_action action = expect(engine, ENGINE_STORE, now);

	if (action.attempt) {
		queue_attempt_done(action.attempt);
		free(action.attempt);
	}
	engine_stored(engine, action.account, action.job, at(now));
}

static void
deliver(struct engine *engine, nd_ms now)
{
	struct engine_action action = expect(engine, ENGINE_SEND, now);

	tell(engine, &action, "ok", 250, now);
	stored(engine, now);
}

/* The first job has gone. Returns the action that opened the session. */
static struct engine_action
one_gone(struct engine *engine)
{
	struct engine_action opened;

	accept(engine, 1, JOB_WARNING, 10);
	opened = expect(engine, ENGINE_OPEN, 10);
	engine_ready(engine, opened.session, at(10));
	deliver(engine, 10);
	keep(engine, 10);
	return opened;
}

/* The same with a second one, which the minute keeps back. */
static struct engine_action
one_gone_one_waits(struct engine *engine)
{
	struct engine_action opened;

	accept(engine, 1, JOB_WARNING, 10);
	accept(engine, 2, JOB_WARNING, 10);
	opened = expect(engine, ENGINE_OPEN, 10);
	(void)expect(engine, ENGINE_OPEN, 10);
	engine_ready(engine, opened.session, at(10));
	deliver(engine, 10);
	(void)expect(engine, ENGINE_STATE, 10);
	keep(engine, 10);
	assert_int_equal(engine_account_nth(engine, 0)->health.state, HEALTH_PACED);
	return opened;
}

static void
what_is_beyond_the_minute_waits_is_told_and_goes_later(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 2, 0);
	struct engine_account *account = engine_account_nth(engine, 0);
	struct engine_action action;
	nd_ms until;

	(void)state;
	for (unsigned n = 1; n <= 3; n++)
		accept(engine, n, JOB_WARNING, 10);
	action = expect(engine, ENGINE_OPEN, 10);
	(void)expect(engine, ENGINE_OPEN, 10);
	engine_ready(engine, action.session, at(10));
	deliver(engine, 10);
	(void)expect(engine, ENGINE_STATE, 10);
	assert_int_equal(account->health.state, HEALTH_PACED);
	assert_string_equal(account->health.reason, "messages_per_minute");
	keep(engine, 10);
	expect_rest(engine, 10);
	assert_int_equal(engine_through(account, 2, at(10)) - at(10).unix_ms, ND_MIN(2) + 250 - 10);
	/* A severe one overtakes them. */
	accept(engine, 9, JOB_CRITICAL, 20);
	action = expect(engine, ENGINE_SEND, 20);
	assert_int_equal(action.job->job->severity, JOB_CRITICAL);
	tell(engine, &action, "ok", 250, 20);
	stored(engine, 20);
	assert_int_equal(account->health.state, HEALTH_PACED); /* a delivery does not end it */
	keep(engine, 20);
	expect_rest(engine, 20);
	until = account->health.until;
	assert_in_range(until, ND_MIN(1), ND_MIN(1) + 510);
	assert_true(engine_deadline(engine, at(20)) <= until);
	(void)expect(engine, ENGINE_CLOSE, until); /* idle for a minute */
	finish(engine, &conf);
}

static void
no_session_is_opened_for_what_must_wait(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 1, 0);

	(void)state;
	(void)one_gone(engine);
	accept(engine, 2, JOB_WARNING, 11);
	(void)expect(engine, ENGINE_STATE, 11);
	expect_rest(engine, 11);
	finish(engine, &conf);
}

static void
an_account_with_nothing_waiting_is_ok_again(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 1, 0);
	struct engine_account *account = engine_account_nth(engine, 0);
	struct engine_action action;

	(void)state;
	action = one_gone_one_waits(engine);
	engine_ready(engine, action.session, at(59000)); /* it stays open */
	deliver(engine, 60500);
	(void)expect(engine, ENGINE_STATE, 60500);
	assert_int_equal(account->health.state, HEALTH_OK);
	finish(engine, &conf);
}

static void
a_reader_who_had_enough_makes_the_job_wait_in_the_store(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 0, 1);
	struct engine_action action;
	struct queue_job *row;

	(void)state;
	action = one_gone(engine);
	accept(engine, 2, JOB_WARNING, 11);
	row = row_make(3, "a", at(12).unix_ms, JOB_WARNING, 2); /* the same reader, and another one */
	engine_accepted(engine, row, at(12));
	action = expect(engine, ENGINE_SEND, 12);
	assert_ptr_equal(action.job->job, row);
	assert_int_equal(settle_mail_size(row), 1);
	tell(engine, &action, "ok", 250, 12);
	action = expect(engine, ENGINE_STORE, 12);
	assert_string_equal(action.job->job->reason,
	    "paced: its recipient has got as many messages in this hour as messages_per_recipient_hour allows");
	assert_int_equal(action.job->job->state, JOB_QUEUED);
	assert_in_range(action.job->job->due - at(12).unix_ms, ND_HOUR(1) - ND_MIN(1), ND_HOUR(1) + ND_MIN(6));
	assert_int_equal(action.job->job->attempt_count, 0);
	assert_null(action.attempt);
	engine_stored(engine, action.account, action.job, at(12));
	action = expect(engine, ENGINE_STORE, 12);
	assert_int_equal(row->rcpts[0].state, RCPT_PENDING);
	assert_int_equal(row->rcpts[1].state, RCPT_DELIVERED);
	queue_attempt_done(action.attempt);
	free(action.attempt);
	finish(engine, &conf);
}

/* Five days of a limit are not five days of trying. */
static void
no_job_grows_old_by_a_limit(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 1, 0);
	struct engine_account *account = engine_account_nth(engine, 0);
	struct engine_action action;

	(void)state;
	action = one_gone_one_waits(engine);
	assert_int_equal(account->downtime.since, at(10).unix_ms);
	engine_hold(engine, true, at(20));
	engine_hold(engine, false, at(30));
	assert_int_equal(account->downtime.since, at(10).unix_ms);
	engine_ready(engine, action.session, at(59000));
	deliver(engine, 60500);
	(void)expect(engine, ENGINE_STATE, 60500);
	assert_int_equal(account->downtime.since, 0);
	assert_int_equal(downtime_cutoff(&account->downtime, 1000, at(60600).unix_ms), at(10).unix_ms - 900);
	finish(engine, &conf);
}

static void
no_job_grows_old_by_the_hour_of_its_reader(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 0, 1);
	struct engine_account *account = engine_account_nth(engine, 0);
	struct engine_action action;
	nd_ms over;

	(void)state;
	action = one_gone(engine);
	assert_int_equal(account->downtime.since, 0);
	accept(engine, 2, JOB_WARNING, 11);
	stored(engine, 11);
	expect_rest(engine, 11);
	assert_int_equal(account->health.state, HEALTH_OK);
	assert_int_equal(account->downtime.since, at(11).unix_ms);
	over = account->readers_until;
	assert_in_range(over, ND_HOUR(1) - ND_MIN(1), ND_HOUR(1) + ND_MIN(6));
	(void)expect(engine, ENGINE_CLOSE, over - 1);
	engine_gone(engine, action.session, NULL, at(over - 1));
	assert_true(engine_deadline(engine, at(over - 1)) <= over);
	(void)engine_next(engine, at(over), &action);
	assert_int_equal(account->downtime.since, 0);
	assert_int_equal(account->downtime.count, 1);
	finish(engine, &conf);
}

/* A row is written once, not each time that a few of its reader's hour are over. */
static void
a_backlog_for_one_reader_comes_back_one_by_one(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 0, 2);
	struct engine_account *account = engine_account_nth(engine, 0);
	struct engine_action action;
	nd_unix due[6];

	(void)state;
	action = one_gone(engine);
	accept(engine, 2, JOB_WARNING, 10);
	deliver(engine, 10);
	keep(engine, 10);
	for (unsigned n = 0; n < 6; n++) {
		accept(engine, 3 + n, JOB_WARNING, 11 + n);
		action = expect(engine, ENGINE_STORE, 11 + n);
		due[n] = action.job->job->due - at(11 + n).unix_ms;
		engine_stored(engine, action.account, action.job, at(11 + n));
		assert_in_range(due[n], ND_HOUR(1 + n / 2) - ND_MIN(1), ND_HOUR(1 + n / 2) + ND_MIN(6));
	}
	expect_rest(engine, 20);
	assert_in_range(account->readers_until, ND_HOUR(3) - ND_MIN(1), ND_HOUR(3) + ND_MIN(6));
	finish(engine, &conf);
}

static void
too_many_sessions_shrink_the_pool_and_the_others_go_on(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 0, 0);
	struct engine_account *account = engine_account_nth(engine, 0);
	struct engine_action first, second, send;

	(void)state;
	for (unsigned n = 1; n <= 2; n++)
		accept(engine, n, JOB_WARNING, 10);
	first = expect(engine, ENGINE_OPEN, 10);
	second = expect(engine, ENGINE_OPEN, 10);
	engine_ready(engine, first.session, at(10));
	send = expect(engine, ENGINE_SEND, 10);
	engine_ready(engine, second.session, at(10));
	(void)expect(engine, ENGINE_SEND, 10);
	tell(engine, &send, "4.3.2 Concurrent connections limit exceeded.", 432, 11);
	assert_int_equal(account->health.state, HEALTH_OK);
	send = expect(engine, ENGINE_CLOSE, 11); /* that one ends */
	assert_ptr_equal(send.session, first.session);
	engine_gone(engine, first.session, NULL, at(11));
	expect_rest(engine, 11);
	assert_int_equal(account->pool.max, 1);
	assert_int_equal(sched_first(&account->sched)->job->attempt_count, 0);
	(void)engine_deadline(engine, at(11));
	expect_rest(engine, 11 + ND_MIN(9));
	assert_int_equal(account->pool.max, 1);
	(void)expect(engine, ENGINE_OPEN, 11 + ND_MIN(10));
	assert_int_equal(account->pool.max, 2);
	finish(engine, &conf);
}

static void
too_many_logins_stop_logins_and_nothing_else(void **state)
{
	const struct smtp_fault fault = { .stage = SMTP_AT_AUTH,
		.reply = {
		    .code = 454, .enhanced = "4.7.0", .text = "Too many login attempts, please try again later" } };
	struct conf conf;
	struct engine *engine = started(&conf, 0, 0);
	struct engine_account *account = engine_account_nth(engine, 0);
	struct engine_action first, second;

	(void)state;
	conf.account[0].provider = CONF_GOOGLE;
	for (unsigned n = 1; n <= 2; n++)
		accept(engine, n, JOB_WARNING, 10);
	first = expect(engine, ENGINE_OPEN, 10);
	second = expect(engine, ENGINE_OPEN, 10);
	engine_ready(engine, first.session, at(10));
	engine_gone(engine, second.session, &fault, at(10));
	assert_int_equal(account->health.state, HEALTH_OK);
	deliver(engine, 10);
	deliver(engine, 10);
	expect_rest(engine, 10);
	/* And with no other session the account waits, twice as long. */
	engine_gone(engine, first.session, NULL, at(20));
	accept(engine, 3, JOB_WARNING, 20);
	expect_rest(engine, ND_MIN(10));
	first = expect(engine, ENGINE_OPEN, 10 + ND_MIN(10));
	engine_gone(engine, first.session, &fault, at(10 + ND_MIN(10)));
	(void)expect(engine, ENGINE_STATE, 10 + ND_MIN(10));
	assert_int_equal(account->health.state, HEALTH_THROTTLED);
	assert_int_equal(account->health.until, 10 + ND_MIN(30));
	finish(engine, &conf);
}

/* The engine of before, written down at `now`; the next one begins `later` with that. */
static struct engine *
restarted(struct engine *before, struct conf *conf, nd_ms now, nd_ms later)
{
	struct engine *engine = engine_new(conf, 7, at(now + later));
	struct engine_action action;
	struct json_tree tree = { 0 };
	struct json_out out;
	struct nd_buf buf;

	nd_buf_init(&buf, 4096);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	engine_limit_tell(engine_account_nth(before, 0), at(now), &out);
	json_out_object_end(&out);
	assert_int_equal(json_read(&tree, nd_buf_text(&buf), buf.len, &json_limits_job, NULL, NULL), ND_OK);
	engine_limit_told(engine_account_nth(engine, 0), tree.root, at(now + later));
	json_done(&tree);
	nd_buf_done(&buf);
	engine_free(before);
	while (engine_next(engine, at(now + later), &action))
		if (action.act == ENGINE_LOAD)
			engine_loaded(engine, action.account, NULL, 0, false, ND_NEVER, at(now + later));
	return engine;
}

static void
what_a_server_asked_to_wait_for_outlives_a_restart(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 0, 0);
	struct engine_action action;
	struct health_fault fault = {
		.state = HEALTH_THROTTLED, .reason = "quota", .detail = "550 no", .hint = "h", .wait = ND_HOUR(1)
	};

	(void)state;
	(void)limit_login_refused(engine_account_nth(engine, 0)->limit, ND_MIN(10), 10);
	(void)limit_login_refused(engine_account_nth(engine, 0)->limit, ND_MIN(10), 10);
	health_fault(&engine_account_nth(engine, 0)->health, &fault, 0, 10);
	engine = restarted(engine, &conf, 10, ND_MIN(1));
	assert_int_equal(engine_account_nth(engine, 0)->health.state, HEALTH_THROTTLED);
	assert_string_equal(engine_account_nth(engine, 0)->health.reason, "quota");
	assert_string_equal(engine_account_nth(engine, 0)->health.detail, "550 no");
	assert_int_equal(engine_account_nth(engine, 0)->limit->login_after, 10 + ND_MIN(20));
	accept(engine, 1, JOB_EMERGENCY, ND_MIN(1) + 10);
	expect_rest(engine, 10 + ND_HOUR(1) - 1);
	(void)expect(engine, ENGINE_OPEN, 10 + ND_HOUR(1));
	/* The next refusal goes on where the last one was. */
	assert_int_equal(limit_login_refused(engine_account_nth(engine, 0)->limit, ND_MIN(10), 0), ND_MIN(40));
	engine = restarted(engine, &conf, ND_HOUR(5), ND_DAY(1)); /* all is over */
	assert_int_equal(engine_account_nth(engine, 0)->health.state, HEALTH_OK);
	assert_int_equal(engine_account_nth(engine, 0)->limit->login_after, 0);
	health_fault(&engine_account_nth(engine, 0)->health, &fault, 0, ND_HOUR(29));
	engine = restarted(engine, &conf, ND_HOUR(29), -ND_DAY(1)); /* the clock went back meanwhile */
	assert_int_equal(engine_account_nth(engine, 0)->health.until, ND_HOUR(29 - 24 + 4));
	assert_false(engine_next(engine, at(ND_HOUR(6)), &action));
	finish(engine, &conf);
}

static void
a_record_that_makes_no_sense_counts_as_a_lease_that_was_used(void **state)
{
	static const char *const records[] = { "{", "[1]", "{}" };
	struct engine *engine;
	struct conf conf;

	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		engine = started_after(records[i], &conf, 1, 0);
		accept(engine, 1, JOB_CRITICAL, 10);
		(void)expect(engine, ENGINE_STATE, 10);
		assert_int_equal(engine_account_nth(engine, 0)->health.state, HEALTH_PACED);
		expect_rest(engine, ND_SEC(59));
		(void)expect(engine, ENGINE_OPEN, ND_MIN(1) + 250);
		finish(engine, &conf);
	}
}

static void
the_last_lease_is_given_back_at_the_end(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 30, 0);
	struct engine_action action;

	(void)state;
	engine_stop(engine);
	action = expect(engine, ENGINE_KEEP, 10);
	assert_non_null(strstr(action.record, "\"leased\":0"));
	assert_int_equal(engine_busy(engine), 1);
	engine_limit_kept(engine, action.limit, true, at(10));
	free(action.record);
	assert_int_equal(engine_busy(engine), 0);
	expect_rest(engine, 10);
	finish(engine, &conf);
}

static void
the_lease_of_an_idle_mailbox_is_renewed_each_day(void **state)
{
	struct conf conf;
	struct engine *engine = started(&conf, 30, 0);

	(void)state;
	assert_int_equal(engine_deadline(engine, at(0)), ND_DAY(1));
	keep(engine, ND_DAY(1));
	expect_rest(engine, ND_DAY(1));
	assert_int_equal(engine_deadline(engine, at(ND_DAY(1))), ND_DAY(2));
	finish(engine, &conf);
}

/* A relay that was told DATA may count it. */
static void
a_mail_that_is_withdrawn_counts_when_its_data_had_begun(void **state)
{
	static const struct {
		enum smtp_stage stage;
		bool counts;
	} cases[] = { { SMTP_AT_RCPT, false }, { SMTP_AT_CONTENT, true } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const struct smtp_fault fault = { .stage = cases[i].stage };
		struct conf conf;
		struct engine *engine = started(&conf, 2, 0); /* one of the two is kept for severe ones */
		struct engine_action action;
		struct queue_job *row = row_make(1, "a", at(10).unix_ms, JOB_WARNING, 1);

		engine_accepted(engine, row, at(10));
		action = expect(engine, ENGINE_OPEN, 10);
		engine_ready(engine, action.session, at(10));
		action = expect(engine, ENGINE_SEND, 10);
		assert_int_equal(engine_act(engine, row, JOB_CANCEL, at(11), NULL), ENGINE_WITHDRAW);
		engine_gone(engine, action.session, &fault, at(11));
		stored(engine, 11);
		accept(engine, 2, JOB_WARNING, 12);
		while (engine_next(engine, at(12), &action) && action.act == ENGINE_KEEP) {
			free(action.record);
			engine_limit_kept(engine, action.limit, true, at(12));
		}
		assert_int_equal(action.act, cases[i].counts ? ENGINE_STATE : ENGINE_OPEN);
		assert_int_equal(
		    engine_account_nth(engine, 0)->health.state, cases[i].counts ? HEALTH_PACED : HEALTH_OK);
		finish(engine, &conf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_beyond_the_minute_waits_is_told_and_goes_later),
		cmocka_unit_test(no_session_is_opened_for_what_must_wait),
		cmocka_unit_test(an_account_with_nothing_waiting_is_ok_again),
		cmocka_unit_test(a_reader_who_had_enough_makes_the_job_wait_in_the_store),
		cmocka_unit_test(no_job_grows_old_by_a_limit),
		cmocka_unit_test(no_job_grows_old_by_the_hour_of_its_reader),
		cmocka_unit_test(a_backlog_for_one_reader_comes_back_one_by_one),
		cmocka_unit_test(too_many_sessions_shrink_the_pool_and_the_others_go_on),
		cmocka_unit_test(too_many_logins_stop_logins_and_nothing_else),
		cmocka_unit_test(the_lease_of_an_idle_mailbox_is_renewed_each_day),
		cmocka_unit_test(what_a_server_asked_to_wait_for_outlives_a_restart),
		cmocka_unit_test(a_record_that_makes_no_sense_counts_as_a_lease_that_was_used),
		cmocka_unit_test(the_last_lease_is_given_back_at_the_end),
		cmocka_unit_test(a_mail_that_is_withdrawn_counts_when_its_data_had_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
