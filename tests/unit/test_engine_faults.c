/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_faults.c - the engine among relays and token endpoints that fail or take a part, and clocks that leap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_kit.h"

static const char *const one[] = { "a", NULL };

/* An account, its relay, and jobs whose mails are answered as their number says. */
struct world {
	struct conf conf;
	struct engine *engine;
	nd_ms now;
	unsigned bad; /* this job's mail ends the session; 0 none */
	int code;     /* by this reply; 0: it is lost, after other mails */
	enum smtp_stage stage;
	unsigned sent[10], delivered[10], attempts[10];
	unsigned opened;
	unsigned again; /* jobs that failed are to be queued again */
};

static void
begin(struct world *world)
{
	*world = (struct world){ .code = 421, .stage = SMTP_AT_END };
	rows_conf(&world->conf, one, 1);
	world->engine = engine_new(&world->conf, 7, at(0));
}

static void
end(struct world *world)
{
	engine_free(world->engine);
	rows_conf_done(&world->conf);
}

static struct engine_account *
account(struct world *world)
{
	return engine_account_nth(world->engine, 0);
}

static void
accept(struct world *world, unsigned n)
{
	struct queue_job *job = row_make(n, "a", at(world->now).unix_ms, JOB_WARNING, 1);

	free(job->rcpts[0].address);
	job->rcpts[0].address = nd_xstrdup(n % 2 ? "odd@b.example" : "even@b.example");
	engine_accepted(world->engine, job, at(world->now));
}

static void
play_mail(struct world *world, const struct engine_action *send)
{
	unsigned n = (unsigned)strtoul(send->job->job->id + 19, NULL, 10);
	bool bad = world->bad == n || world->bad == 99;
	struct smtp_outcome outcome = { .end = SMTP_ENDED_REPLY,
		.stage = bad ? world->stage : SMTP_AT_END,
		.reply = { .code = bad ? world->code : 250, .lines = 1 } };
	struct settle_mail *mail = settle_mail_new(send->job->job);
	struct engine_told told = { &outcome, mail, "relay", 0 };

	if (bad && world->code == 0) {
		outcome.end = SMTP_ENDED_LOST;
		outcome.unharmed = true;
		(void)nd_fail(&outcome.why, ND_ECLOSED, 0, "gone");
	}
	world->sent[n]++;
	mail->results[0] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
	if (outcome.stage == SMTP_AT_RCPT)
		mail->results[0].reply = outcome.reply;
	world->delivered[n] += !bad;
	engine_outcome(world->engine, send->session, &told, at(world->now));
	free(mail);
	if (bad && (world->code == 421 || world->code == 0))
		engine_gone(world->engine, send->session, NULL, at(world->now));
	else
		engine_ready(world->engine, send->session, at(world->now));
}

/* Everything that is wanted now, until the engine rests. */
static void
run(struct world *world)
{
	struct engine_action action;
	unsigned guard = 0;

	while (engine_next(world->engine, at(world->now), &action)) {
		assert_true(++guard < 1000);
		if (action.act == ENGINE_LOAD)
			engine_loaded(world->engine, action.account, NULL, 0, false, ND_NEVER, at(world->now));
		else if (action.act == ENGINE_OPEN) {
			world->opened++;
			engine_ready(world->engine, action.session, at(world->now));
		} else if (action.act == ENGINE_CLOSE)
			engine_gone(world->engine, action.session, NULL, at(world->now));
		else if (action.act == ENGINE_SEND)
			play_mail(world, &action);
		else if (action.act == ENGINE_AGAIN)
			world->again |= 1u << strtoul(action.id + 19, NULL, 10);
		else if (action.act == ENGINE_STORE) {
			world->attempts[strtoul(action.job->job->id + 19, NULL, 10)] = action.job->job->attempt_count;
			if (action.attempt)
				queue_attempt_done(action.attempt);
			free(action.attempt);
			engine_stored(world->engine, action.account, action.job, at(world->now));
		}
	}
}

/* Time passes up to `until`. */
static void
run_to(struct world *world, nd_ms until)
{
	nd_ms next;

	for (run(world); (next = engine_deadline(world->engine, at(world->now))) <= until; run(world))
		world->now = next;
	world->now = until;
	run(world);
}

static void
a_mail_that_is_told_421_each_time_does_not_stop_its_account(void **state)
{
	static const enum smtp_stage stages[] = { SMTP_AT_MAIL, SMTP_AT_RCPT, SMTP_AT_DATA, SMTP_AT_END };
	unsigned i, n;

	(void)state;
	for (i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		struct world world;

		begin(&world);
		world.bad = 1;
		world.stage = stages[i];
		accept(&world, 1);
		run(&world);
		for (n = 2; n < 6; n++) {
			accept(&world, n);
			run(&world);
			assert_int_equal(world.delivered[n], 1); /* at once, each of them */
			assert_int_equal(account(&world)->health.state, HEALTH_OK);
			run_to(&world, world.now + ND_SEC(7));
		}
		assert_int_equal(world.attempts[1], 2); /* it waits as any mail that is put off */
		world.bad = 0;
		run_to(&world, world.now + ND_MIN(1));
		assert_int_equal(world.delivered[1], 1);
		end(&world);
	}
}

static void
a_mail_that_breaks_each_session_it_goes_on_waits_as_any_that_is_put_off(void **state)
{
	struct world world;
	unsigned n;

	(void)state;
	begin(&world);
	world.bad = 1;
	world.code = 0;
	world.stage = SMTP_AT_CONTENT;
	accept(&world, 1);
	run(&world);
	assert_int_equal(world.sent[1], 2); /* the first time it may be the session's fault */
	assert_int_equal(world.attempts[1], 1);
	for (n = 2; n < 6; n++) {
		accept(&world, n);
		run_to(&world, world.now + ND_MIN(1));
		assert_int_equal(world.delivered[n], 1);
		assert_int_equal(account(&world)->health.state, HEALTH_OK);
	}
	assert_in_range(world.attempts[1], 3, 5);
	assert_int_equal(world.sent[1], 2 * world.attempts[1]);
	world.bad = 0;
	run_to(&world, ND_MIN(20));
	assert_int_equal(world.delivered[1], 1);
	end(&world);
}

static void
a_relay_that_tells_421_to_every_mail_makes_the_account_fail_and_burns_no_attempt(void **state)
{
	struct world world;
	unsigned n, opened;

	(void)state;
	begin(&world);
	world.bad = 99;
	for (n = 1; n < 9; n++)
		accept(&world, n);
	run(&world);
	assert_int_equal(account(&world)->health.state, HEALTH_FAILING);
	opened = world.opened;
	assert_in_range(opened, 1, 2);
	run_to(&world, ND_MIN(20));
	assert_in_range(world.opened - opened, 3, 10); /* probes at growing intervals, each with one mail, in turns */
	for (n = 1; n < 9; n++)
		assert_int_equal(world.attempts[n], 0);
	world.bad = 0;
	run_to(&world, ND_MIN(40));
	for (n = 1; n < 9; n++)
		assert_int_equal(world.delivered[n], 1);
	end(&world);
}

static void
a_mail_that_meets_a_fault_of_the_account_lets_others_go_before_it(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.bad = 1;
	world.code = 530;
	accept(&world, 1);
	run(&world);
	assert_int_equal(account(&world)->health.state, HEALTH_HELD);
	world.now += 1000;
	accept(&world, 2);
	run(&world);
	assert_int_equal(world.delivered[2], 0);
	run_to(&world, ND_MIN(21)); /* the next probe, or the one behind it, is the other one's */
	assert_int_equal(world.delivered[2], 1);
	assert_int_equal(world.attempts[1], 0);
	end(&world);
}

static void
five_mails_that_are_refused_alike_are_a_fault_of_the_account(void **state)
{
	struct world world;
	unsigned n;

	(void)state;
	begin(&world);
	world.bad = 99;
	world.code = 554;
	for (n = 1; n < 5; n++) {
		accept(&world, n);
		run(&world);
		assert_int_equal(account(&world)->health.state, HEALTH_OK);
		assert_int_equal(world.attempts[n], 1);
	}
	accept(&world, 5);
	run(&world);
	assert_int_equal(account(&world)->health.state, HEALTH_HELD);
	assert_string_equal(account(&world)->health.reason, REFUSALS_WORD);
	assert_string_equal(account(&world)->health.detail, "554");
	assert_int_equal(world.attempts[5], 0);                               /* it waits, unharmed */
	assert_int_equal(world.again, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4); /* those that failed go again */
	run_to(&world, ND_MIN(31));                                           /* each probe is refused alike */
	assert_int_equal(account(&world)->health.state, HEALTH_HELD);
	assert_in_range(world.sent[5], 3, 5);
	assert_int_equal(world.attempts[5], 0);
	world.bad = 0;
	run_to(&world, ND_HOUR(1));
	assert_int_equal(world.delivered[5], 1);
	assert_int_equal(account(&world)->health.state, HEALTH_OK);
	end(&world);
}

static void
a_delivery_between_and_a_second_refusal_are_the_messages_own(void **state)
{
	struct queue_job *job;
	struct world world;
	unsigned n;

	(void)state;
	begin(&world);
	world.code = 554;
	for (n = 1; n < 10; n++) {
		world.bad = n == 4 ? 0 : 99;
		accept(&world, n);
		run(&world);
		assert_int_equal(account(&world)->health.state, n == 9 ? HEALTH_HELD : HEALTH_OK);
	}
	world.bad = 0;
	run_to(&world, ND_MIN(30));
	/* what was queued again for it and is refused once more counts no more */
	world.bad = 99;
	for (n = 1; n < 9; n++) {
		job = row_make(n, "a", at(world.now).unix_ms, JOB_WARNING, 1);
		job->again = true;
		settle_reason(job, "moved", "whatever happened to it since", NULL);
		engine_accepted(world.engine, job, at(world.now));
		run(&world);
		assert_int_equal(world.attempts[n], 1);
		assert_int_equal(account(&world)->health.state, HEALTH_OK);
	}
	end(&world);
}

/* Of ten the first is severe and bad, like one that was queued again; the probes are the others. */
static void
what_is_known_to_be_refused_is_no_probe_while_there_is_another_one(void **state)
{
	struct queue_job *marked[2];
	struct world world;
	unsigned n;

	(void)state;
	begin(&world);
	world.code = 554;
	world.bad = 99;
	for (n = 1; n < 5; n++) {
		accept(&world, n);
		run(&world);
	}
	engine_accepted(world.engine, row_make(5, "a", at(world.now).unix_ms, JOB_CRITICAL, 1), at(world.now));
	run(&world);
	assert_int_equal(account(&world)->health.state, HEALTH_HELD);
	for (n = 1; n < 3; n++) {
		marked[n - 1] = row_make(n, "a", at(world.now).unix_ms, JOB_CRITICAL, 1);
		marked[n - 1]->again = true;
	}
	sched_load(&account(&world)->sched);
	engine_loaded(world.engine, account(&world), marked, 2, false, ND_NEVER, at(world.now));
	run(&world);
	world.now += 1000;
	accept(&world, 6);
	world.bad = 5;
	run_to(&world, ND_MIN(9));
	assert_int_equal(world.sent[6], 0);
	run_to(&world, ND_MIN(13)); /* one probe */
	assert_int_equal(world.delivered[6], 1);
	assert_int_equal(account(&world)->health.state, HEALTH_OK);
	assert_false(account(&world)->wary);
	assert_int_equal(world.delivered[1], 1);
	assert_int_equal(world.delivered[2], 1);
	end(&world);
}

/* The wall clock is `skew` ahead of where it was. */
static struct nd_now
skewed(nd_ms ms, nd_ms skew)
{
	return (struct nd_now){ ms, at(ms).unix_ms + skew };
}

static void
a_clock_that_leaps_changes_nothing_about_tokens_and_waits(void **state)
{
	static const nd_ms skews[] = { ND_DAY(365), -ND_DAY(365) };
	struct engine_action action;
	struct smtp_fault fault = { .stage = SMTP_AT_CONNECT, .why = { .err = ND_ECONNECT, .text = "refused" } };
	struct world world;
	nd_ms due;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(&world);
		world.conf.account[0].auth = CONF_OAUTH2;
		run(&world);
		engine_token_got(world.engine, account(&world), 0, ND_HOUR(1), at(0));
		assert_false(engine_leap(world.engine, skewed(1000, 0)));
		assert_int_equal(engine_leap(world.engine, skewed(2000, skews[i])), skews[i] < 0);
		assert_false(engine_leap(world.engine, skewed(3000, skews[i]))); /* told once */
		assert_true(token_usable(&account(&world)->token, 3000));
		assert_false(engine_next(world.engine, skewed(3000, skews[i]), &action));
		engine_accepted(world.engine, row_make(1, "a", skewed(3000, skews[i]).unix_ms, JOB_WARNING, 1),
		    skewed(3000, skews[i]));
		assert_true(engine_next(world.engine, skewed(3000, skews[i]), &action));
		assert_int_equal(action.act, ENGINE_OPEN);
		engine_gone(world.engine, action.session, &fault, skewed(3000, skews[i]));
		due = account(&world)->health.until;
		assert_true(engine_next(world.engine, skewed(3000, skews[i]), &action));
		assert_int_equal(action.act, ENGINE_STATE);
		assert_false(engine_next(world.engine, skewed(due - 1, -skews[i]), &action)); /* and back again */
		assert_true(engine_next(world.engine, skewed(due, 0), &action));
		assert_int_equal(action.act, ENGINE_OPEN);
		end(&world);
	}
}

static void
a_leap_of_the_clock_makes_no_job_older(void **state)
{
	const nd_ms year = ND_DAY(365);
	struct world world;
	nd_unix created, later;

	(void)state;
	begin(&world);
	created = at(0).unix_ms;
	(void)engine_leap(world.engine, skewed(ND_HOUR(1), year));
	later = skewed(ND_HOUR(2), year).unix_ms;
	assert_true(created + engine_max_age(world.engine, later) > later);
	assert_true(created > downtime_cutoff(&account(&world)->downtime, ND_DAY(5), later));
	later = skewed(ND_DAY(14) + 1, year).unix_ms; /* time that passes counts as ever */
	assert_true(created + engine_max_age(world.engine, later) < later);
	assert_true(created < downtime_cutoff(&account(&world)->downtime, ND_DAY(5), later));
	end(&world);

	begin(&world); /* what was waiting in the store for a time that is a year away now is due */
	assert_true(engine_leap(world.engine, skewed(1000, -year)));
	end(&world);

	begin(&world); /* also when that happened while the daemon was away */
	engine_clock_was(world.engine, at(0).unix_ms + year, at(0));
	assert_true(engine_leap(world.engine, at(0)));
	end(&world);

	begin(&world); /* setting a clock right is no leap */
	assert_false(engine_leap(world.engine, skewed(1000, ND_SEC(50))));
	assert_int_equal(engine_max_age(world.engine, at(1000).unix_ms), ND_DAY(14));
	assert_true(engine_leap(world.engine, skewed(1000, -ND_SEC(60))));
	end(&world);
}

static void
after_a_suspend_an_old_token_is_not_used_and_what_was_due_goes(void **state)
{
	struct engine_action action;
	struct world world;
	nd_ms now = ND_HOUR(5);

	(void)state;
	begin(&world);
	world.conf.account[0].auth = CONF_OAUTH2;
	run(&world);
	engine_token_got(world.engine, account(&world), 0, ND_HOUR(1), at(0));
	world.code = 451;
	world.bad = 1;
	accept(&world, 1);
	run(&world);
	assert_int_equal(world.sent[1], 1);
	assert_int_equal(account(&world)->pool.count[POOL_IDLE_SESSION], 1);
	/* both clocks went on while the host slept */
	assert_false(engine_leap(world.engine, at(now)));
	assert_true(engine_next(world.engine, at(now), &action));
	assert_int_equal(action.act, ENGINE_TOKEN);
	assert_true(engine_next(world.engine, at(now), &action));
	assert_int_equal(action.act, ENGINE_CLOSE); /* that session is long dead */
	engine_gone(world.engine, action.session, NULL, at(now));
	assert_false(engine_next(world.engine, at(now), &action)); /* no session with the old token */
	engine_token_got(world.engine, account(&world), now, now + ND_HOUR(1), at(now));
	world.now = now;
	world.bad = 0;
	run(&world);
	assert_int_equal(world.delivered[1], 1);
	end(&world);
}

/* A relay that takes the token at AUTH and refuses it for each mail. */
static unsigned
ask_for_tokens(struct engine *engine, nd_ms now)
{
	struct smtp_outcome refused = { .end = SMTP_ENDED_REPLY,
		.stage = SMTP_AT_MAIL,
		.reply = { .code = 535, .enhanced = "5.7.143", .text = "Token expired", .lines = 1 } };
	struct engine_action action;
	unsigned asked = 0, guard = 0;

	while (engine_next(engine, at(now), &action)) {
		assert_true(++guard < 100);
		if (action.act == ENGINE_LOAD) {
			engine_loaded(engine, action.account, NULL, 0, false, ND_NEVER, at(now));
		} else if (action.act == ENGINE_TOKEN) {
			asked++;
			engine_token_got(engine, action.account, now, ND_HOUR(1), at(now));
		} else if (action.act == ENGINE_OPEN) {
			engine_ready(engine, action.session, at(now));
		} else if (action.act == ENGINE_CLOSE) {
			engine_gone(engine, action.session, NULL, at(now));
		} else if (action.act == ENGINE_SEND) {
			struct settle_mail *mail = settle_mail_new(action.job->job);
			struct engine_told told = { &refused, mail, "relay", 0 };

			engine_outcome(engine, action.session, &told, at(now));
			free(mail);
			engine_ready(engine, action.session, at(now));
		} else {
			assert_int_equal(action.act, ENGINE_STATE);
		}
	}
	return asked;
}

static void
a_token_refused_for_a_mail_is_renewed_once_and_no_session_proves_the_new_one(void **state)
{
	struct conf conf;
	struct engine *engine;
	struct engine_account *account;
	struct queue_job *job = row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1);
	unsigned asked = 0;

	(void)state;
	rows_conf(&conf, one, 1);
	conf.account[0].auth = CONF_OAUTH2;
	conf.account[0].provider = CONF_MICROSOFT_HVE;
	engine = engine_new(&conf, 7, at(0));
	account = engine_account_nth(engine, 0);
	engine_accepted(engine, job, at(0));
	for (nd_ms now = 0; now < ND_MIN(1); now += ND_SEC(1))
		asked += ask_for_tokens(engine, now);
	assert_int_equal(asked, 2);
	assert_int_equal(account->health.state, HEALTH_HELD);
	assert_string_equal(account->health.reason, "token-expired");
	assert_int_equal(job->attempt_count, 0);
	finish(engine, &conf);
}

static void
a_session_of_the_old_token_proves_nothing_of_the_new_one(void **state)
{
	const struct smtp_fault no = {
		.stage = SMTP_AT_AUTH, .reply = { .code = 535, .enhanced = "5.7.3" }, .token_refused = true
	};
	struct smtp_outcome taken = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 250, .lines = 1 }
	};
	struct engine_action send, action;
	struct engine_account *account;
	struct engine *engine;
	struct settle_mail *mail;
	struct conf conf;

	(void)state;
	rows_conf(&conf, one, 2);
	conf.account[0].auth = CONF_OAUTH2;
	engine = engine_new(&conf, 7, at(0));
	account = engine_account_nth(engine, 0);
	for (unsigned n = 1; n <= 2; n++)
		engine_accepted(engine, row_make(n, "a", at(0).unix_ms, JOB_WARNING, 1), at(0));
	(void)expect(engine, ENGINE_TOKEN, 0);
	(void)expect(engine, ENGINE_LOAD, 0);
	engine_loaded(engine, account, NULL, 0, false, ND_NEVER, at(0));
	engine_token_got(engine, account, 0, ND_HOUR(1), at(0));
	send = expect(engine, ENGINE_OPEN, 0);
	action = expect(engine, ENGINE_OPEN, 0);
	engine_ready(engine, send.session, at(0));
	send = expect(engine, ENGINE_SEND, 0);
	engine_gone(engine, action.session, &no, at(1));
	assert_int_equal(account->renewal, ENGINE_FOR_SESSION);
	mail = settle_mail_new(send.job->job);
	mail->results[0] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
	engine_outcome(engine, send.session, &(struct engine_told){ &taken, mail, "relay", 0 }, at(2));
	free(mail);
	assert_int_equal(account->renewal, ENGINE_FOR_SESSION); /* the next refusal holds the account */
	finish(engine, &conf);
}

/* Both are said; the relay takes one of them in a transaction. */
static void
tell_first_only(struct world *world, const struct engine_action *send, unsigned rcpts, int code)
{
	struct smtp_outcome outcome = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 250, .lines = 1 }
	};
	struct settle_mail *mail = settle_mail_new(send->job->job);
	struct engine_told told = { &outcome, mail, "relay", 0 };

	assert_int_equal(mail->mail.rcpt_count, rcpts);
	for (unsigned k = 0; k < rcpts; k++)
		mail->results[k] = (struct smtp_rcpt_result){ .asked = true,
			.reply = { .code = k == 0 ? 250 : code, .text = "too many recipients", .lines = 1 } };
	engine_outcome(world->engine, send->session, &told, at(world->now));
	free(mail);
	engine_ready(world->engine, send->session, at(world->now));
}

static void
what_is_too_many_for_one_transaction_goes_at_once_in_the_next(void **state)
{
	static const int codes[] = { 452, 552 };
	struct engine_action action;
	struct world world;

	(void)state;
	begin(&world);
	run(&world);
	engine_accepted(world.engine, row_make(1, "a", at(0).unix_ms, JOB_WARNING, 3), at(0));
	action = expect(world.engine, ENGINE_OPEN, 0);
	engine_ready(world.engine, action.session, at(0));
	for (unsigned left = 3; left > 0; left--) {
		action = expect(world.engine, ENGINE_SEND, 0); /* no time has passed, and it is the same session */
		tell_first_only(&world, &action, left, codes[left % 2]);
		action = expect(world.engine, ENGINE_STORE, 0);
		assert_int_equal(action.job->job->state, left > 1 ? JOB_QUEUED : JOB_DELIVERED);
		assert_int_equal(action.job->job->attempt_count, 4 - left);
		queue_attempt_done(action.attempt);
		free(action.attempt);
		engine_stored(world.engine, action.account, action.job, at(0));
	}
	expect_rest(world.engine, 0);
	assert_int_equal(account(&world)->health.state, HEALTH_OK);
	end(&world);
}

/* To one reader of this domain; it is taken, or refused by these words at RCPT. */
static struct pool_session *
one_to(struct world *world, unsigned n, const char *address, const char *refused)
{
	struct queue_job *job = row_make(n, "a", at(world->now).unix_ms, JOB_WARNING, 1);
	struct smtp_outcome outcome = { .end = refused ? SMTP_ENDED_RCPTS : SMTP_ENDED_REPLY,
		.stage = refused ? SMTP_AT_RCPT : SMTP_AT_END,
		.reply = { .code = refused ? 0 : 250, .lines = 1 } };
	struct smtp_caps caps = { .rcpt_domain_max = 1 };
	struct engine_action action;
	struct settle_mail *mail;

	free(job->rcpts[0].address);
	job->rcpts[0].address = nd_xstrdup(address);
	engine_accepted(world->engine, job, at(world->now));
	assert_true(engine_next(world->engine, at(world->now), &action));
	if (action.act == ENGINE_CLOSE) {
		engine_gone(world->engine, action.session, NULL, at(world->now));
		assert_true(engine_next(world->engine, at(world->now), &action));
	}
	if (action.act == ENGINE_OPEN) {
		if (!refused)
			engine_offered(action.session, &caps);
		engine_ready(world->engine, action.session, at(world->now));
		action = expect(world->engine, ENGINE_SEND, world->now);
	}
	assert_int_equal(action.act, ENGINE_SEND);
	mail = settle_mail_new(action.job->job);
	mail->results[0] =
	    (struct smtp_rcpt_result){ .asked = true, .reply = { .code = refused ? 452 : 250, .lines = 1 } };
	if (refused)
		(void)snprintf(mail->results[0].reply.text, sizeof(mail->results[0].reply.text), "%s", refused);
	engine_outcome(
	    world->engine, action.session, &(struct engine_told){ &outcome, mail, "relay", 0 }, at(world->now));
	free(mail);
	engine_ready(world->engine, action.session, at(world->now));
	return action.session;
}

static void
store(struct world *world, enum job_state expected)
{
	struct engine_action action = expect(world->engine, ENGINE_STORE, world->now);

	assert_int_equal(action.job->job->state, expected);
	queue_attempt_done(action.attempt);
	free(action.attempt);
	engine_stored(world->engine, action.account, action.job, at(world->now));
}

static void
another_domain_than_a_session_may_name_goes_at_once_on_another_one(void **state)
{
	static const struct {
		const char *to, *session;
	} mails[] = { { "a@one.example", "s1" }, { "b@ONE.example", "s1" }, { "a@two.example", "s2" },
		{ "b@two.example", "s2" }, { "a@one.example", "s3" } };
	struct world world;

	(void)state;
	begin(&world);
	run(&world);
	for (unsigned n = 0; n < sizeof(mails) / sizeof(mails[0]); n++) {
		assert_string_equal(one_to(&world, n + 1, mails[n].to, NULL)->id, mails[n].session);
		store(&world, JOB_DELIVERED);
	}
	expect_rest(world.engine, 0);
	end(&world);
}

/* A server may count what it does not announce. */
static void
a_used_session_on_which_nobody_is_taken_for_too_many_is_not_used_again(void **state)
{
	struct pool_session *session;
	struct engine_action action;
	struct world world;

	(void)state;
	begin(&world);
	run(&world);
	session = one_to(&world, 1, "a@one.example", "too many recipients");
	store(&world, JOB_QUEUED);
	expect_rest(world.engine, 0); /* it had nothing before: the next one is tried on it */
	assert_ptr_equal(one_to(&world, 2, "b@one.example", "too many recipients"), session);
	store(&world, JOB_QUEUED);
	action = expect(world.engine, ENGINE_CLOSE, 0);
	assert_ptr_equal(action.session, session);
	engine_gone(world.engine, action.session, NULL, at(0));
	expect_rest(world.engine, 0);
	end(&world);
}
int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_that_is_told_421_each_time_does_not_stop_its_account),
		cmocka_unit_test(a_mail_that_breaks_each_session_it_goes_on_waits_as_any_that_is_put_off),
		cmocka_unit_test(a_relay_that_tells_421_to_every_mail_makes_the_account_fail_and_burns_no_attempt),
		cmocka_unit_test(a_mail_that_meets_a_fault_of_the_account_lets_others_go_before_it),
		cmocka_unit_test(a_token_refused_for_a_mail_is_renewed_once_and_no_session_proves_the_new_one),
		cmocka_unit_test(a_session_of_the_old_token_proves_nothing_of_the_new_one),
		cmocka_unit_test(five_mails_that_are_refused_alike_are_a_fault_of_the_account),
		cmocka_unit_test(what_is_known_to_be_refused_is_no_probe_while_there_is_another_one),
		cmocka_unit_test(a_delivery_between_and_a_second_refusal_are_the_messages_own),
		cmocka_unit_test(a_clock_that_leaps_changes_nothing_about_tokens_and_waits),
		cmocka_unit_test(a_leap_of_the_clock_makes_no_job_older),
		cmocka_unit_test(after_a_suspend_an_old_token_is_not_used_and_what_was_due_goes),
		cmocka_unit_test(what_is_too_many_for_one_transaction_goes_at_once_in_the_next),
		cmocka_unit_test(another_domain_than_a_session_may_name_goes_at_once_on_another_one),
		cmocka_unit_test(a_used_session_on_which_nobody_is_taken_for_too_many_is_not_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
