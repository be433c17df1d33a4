/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_move.c - jobs of an account in trouble go on by the next one, and come back slowly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/engine.h"
#include "tests/unit/rows.h"

static const char *const two[] = { "a", "b", NULL };

static struct nd_now
at(nd_ms ms)
{
	return (struct nd_now){ ms, 1000000000 + ms };
}

/* Two accounts; those in `down` cannot be connected to, those in `bad` refuse every sender, those in `small` every message. */
struct world {
	struct conf conf;
	char *order[3];
	struct engine *engine;
	nd_ms now;
	bool down[2], bad[2], small[2];
	unsigned delivered[2][10], tried[2], moved, pinned, failed;
	char reason[80]; /* of the last one that failed */
};

static void
begin(struct world *world)
{
	*world = (struct world){ 0 };
	rows_conf(&world->conf, two, 1);
	world->order[0] = world->conf.account[0].name;
	world->order[1] = world->conf.account[1].name;
	world->conf.accounts = (struct conf_list){ world->order, 2 };
	world->conf.failover_after = ND_MIN(2);
	world->conf.uncertain_wait = ND_MIN(15);
	world->engine = engine_new(&world->conf, 7, at(0));
}

static void
end(struct world *world)
{
	engine_free(world->engine);
	world->conf.accounts = (struct conf_list){ NULL, 0 };
	rows_conf_done(&world->conf);
}

static unsigned
number(const struct engine_account *account)
{
	return account->conf->name[0] == 'b';
}

static struct engine_account *
account(struct world *world, unsigned n)
{
	return engine_account_nth(world->engine, n);
}

static unsigned
job_number(const struct queue_job *job)
{
	return (unsigned)strtoul(job->id + 19, NULL, 10);
}

static void
accept(struct world *world, unsigned n, const char *name, bool uncertain)
{
	struct queue_job *job = row_make(n, name, at(world->now).unix_ms, JOB_WARNING, 1);

	job->uncertain = uncertain;
	engine_accepted(world->engine, job, at(world->now));
}

static void
play_open(struct world *world, struct pool_session *session)
{
	static const struct smtp_fault fault = { .stage = SMTP_AT_CONNECT,
		.why = { .err = ND_ECONNECT, .text = "refused" } };

	if (world->down[number(session->account)])
		engine_gone(world->engine, session, &fault, at(world->now));
	else
		engine_ready(world->engine, session, at(world->now));
}

static void
play_mail(struct world *world, const struct engine_action *send)
{
	const unsigned n = number(send->account);
	struct smtp_outcome outcome = { .end = SMTP_ENDED_REPLY,
		.stage = world->bad[n] ? SMTP_AT_MAIL : SMTP_AT_END,
		.reply = { .code = world->bad[n] ? 550 : 250 } };
	struct settle_mail *mail = settle_mail_new(send->job->job);
	struct engine_told told = { &outcome, mail, "relay", 0 };

	if (world->small[n]) {
		outcome = (struct smtp_outcome){ .end = SMTP_ENDED_REPLY,
			.stage = SMTP_AT_MAIL,
			.reply = { .code = 552, .enhanced = "5.3.4", .lines = 1 } };
		(void)snprintf(outcome.reply.text, sizeof(outcome.reply.text), "too big for %s", two[n]);
	}
	world->tried[n]++;

	mail->results[0] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250 } };
	world->delivered[n][job_number(send->job->job)] += !world->bad[n] && !world->small[n];
	engine_outcome(world->engine, send->session, &told, at(world->now));
	free(mail);
	engine_ready(world->engine, send->session, at(world->now));
}

static void
play_move(struct world *world, const struct engine_action *move)
{
	struct queue_job *row = move->job->job;

	if (world->pinned & 1u << job_number(row)) {
		engine_stays(world->engine, move->account, move->job, at(world->now));
		return;
	}
	world->moved++;
	free(row->account);
	row->account = nd_xstrdup(move->to->name);
	engine_stored(world->engine, move->account, move->job, at(world->now));
}

static void
play(struct world *world, struct engine_action *action)
{
	if (action->act == ENGINE_LOAD)
		engine_loaded(world->engine, action->account, NULL, 0, false, ND_NEVER, at(world->now));
	else if (action->act == ENGINE_OPEN)
		play_open(world, action->session);
	else if (action->act == ENGINE_CLOSE)
		engine_gone(world->engine, action->session, NULL, at(world->now));
	else if (action->act == ENGINE_SEND)
		play_mail(world, action);
	else if (action->act == ENGINE_MOVE)
		play_move(world, action);
	else if (action->act == ENGINE_STORE) {
		if (action->job->job->state == JOB_FAILED) {
			world->failed++;
			(void)snprintf(world->reason, sizeof(world->reason), "%s", action->job->job->reason);
		}
		if (action->attempt)
			queue_attempt_done(action->attempt);
		free(action->attempt);
		engine_stored(world->engine, action->account, action->job, at(world->now));
	}
}

static void
run(struct world *world)
{
	struct engine_action action;
	unsigned guard = 0;

	while (engine_next(world->engine, at(world->now), &action)) {
		assert_true(++guard < 1000);
		play(world, &action);
	}
}

static void
run_to(struct world *world, nd_ms until)
{
	nd_ms next;

	for (run(world); (next = engine_deadline(world->engine, at(world->now))) <= until; run(world))
		world->now = next;
	world->now = until;
	run(world);
}

static const char *
route(struct world *world)
{
	return engine_route(world->engine, false, at(world->now))->name;
}

static void
jobs_go_on_by_the_next_account_after_a_time(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.down[0] = true;
	world.pinned = 1u << 3;
	accept(&world, 1, "a", false);
	accept(&world, 2, "a", false);
	accept(&world, 3, "a", false);
	run_to(&world, ND_MIN(2) - 1);
	assert_int_equal(world.moved, 0);
	assert_string_equal(route(&world), "a"); /* trouble may be short */
	run_to(&world, ND_MIN(2));
	assert_int_equal(world.delivered[1][1] + world.delivered[1][2], 2);
	assert_int_equal(world.moved, 2);
	assert_string_equal(route(&world), "b");
	run_to(&world, ND_HOUR(1));
	assert_int_equal(world.delivered[1][3], 0); /* it asked for this one */
	world.down[0] = false;
	run_to(&world, ND_HOUR(2));
	assert_int_equal(world.delivered[0][3], 1);
	assert_string_equal(route(&world), "a");
	end(&world);
}

static void
nobody_moves_to_an_account_that_is_in_trouble_too_or_past_a_pause(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.down[0] = world.down[1] = true;
	accept(&world, 1, "a", false);
	accept(&world, 2, "b", false);
	run_to(&world, ND_MIN(30));
	assert_int_equal(world.moved, 0);
	assert_string_equal(route(&world), "a");
	world.down[0] = false;
	run_to(&world, ND_HOUR(1));
	assert_int_equal(world.delivered[0][1] + world.delivered[0][2], 2);
	end(&world);

	begin(&world);
	engine_pause(world.engine, account(&world, 0), at(0));
	accept(&world, 1, "a", false);
	run_to(&world, ND_HOUR(1));
	assert_int_equal(world.moved, 0);
	assert_string_equal(route(&world), "a");
	end(&world);

	begin(&world);
	world.conf.failover_after = 0;
	world.down[0] = true;
	accept(&world, 1, "a", false);
	run_to(&world, ND_HOUR(1));
	assert_int_equal(world.moved, 0);
	end(&world);
}

/* Moves have begun: an operator pauses the account, or the settings take failover away. */
static void
moves_that_began_end_by_a_pause_and_by_a_reload(void **state)
{
	struct world world;

	(void)state;
	for (unsigned paused = 0; paused < 2; paused++) {
		begin(&world);
		world.down[0] = true;
		accept(&world, 1, "a", false);
		run_to(&world, ND_MIN(3));
		assert_int_equal(world.moved, 1);
		assert_int_equal(account(&world, 0)->breaker.state, BREAKER_OPEN);
		if (paused)
			engine_pause(world.engine, account(&world, 0), at(world.now));
		else
			world.conf.failover_after = 0;
		accept(&world, 2, "a", false);
		run_to(&world, ND_HOUR(1));
		assert_int_equal(world.moved, 1);
		if (!paused)
			assert_string_equal(route(&world), "a");
		world.down[0] = false;
		engine_resume(world.engine, account(&world, 0), at(world.now));
		run_to(&world, ND_HOUR(2));
		assert_int_equal(world.delivered[0][2], 1);
		end(&world);
	}
}

static void
an_uncertain_job_waits_longer(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.down[0] = true;
	accept(&world, 1, "a", true);
	accept(&world, 2, "a", false);
	run_to(&world, ND_MIN(15) - 1);
	assert_int_equal(world.delivered[1][1], 0);
	assert_int_equal(world.delivered[1][2], 1);
	run_to(&world, ND_MIN(15));
	assert_int_equal(world.delivered[1][1], 1);
	end(&world);
}

/* Nothing else happens: the engine itself says when to look again. */
static void
each_uncertain_job_has_a_time_of_its_own(void **state)
{
	struct engine_action action;
	struct world world;

	(void)state;
	begin(&world);
	world.down[0] = true;
	accept(&world, 1, "a", true);
	accept(&world, 2, "a", true);
	run_to(&world, ND_MIN(3));
	sched_find(&account(&world, 0)->sched, "01K00000000000000000000001")->doubted = ND_MIN(2);
	sched_find(&account(&world, 0)->sched, "01K00000000000000000000002")->doubted = ND_MIN(2) + 77;
	account(&world, 0)->health.until = ND_HOUR(9); /* no probe wakes it */
	assert_int_equal(engine_deadline(world.engine, at(ND_MIN(16))), ND_MIN(17));
	assert_false(engine_next(world.engine, at(ND_MIN(17) - 1), &action));
	run_to(&world, ND_MIN(17));
	assert_int_equal(world.delivered[1][1], 1);
	assert_int_equal(world.delivered[1][2], 0);
	assert_int_equal(engine_deadline(world.engine, at(ND_MIN(17))), ND_MIN(17) + 77);
	end(&world);
}

static void
one_that_has_got_its_share_is_asked_again_after_its_minute(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.down[0] = true;
	world.pinned = 1u << 1;
	account(&world, 1)->breaker = (struct breaker){ .state = BREAKER_HALF, .room = 1, .given = ND_MIN(2) - 10 };
	accept(&world, 1, "a", false);
	accept(&world, 2, "a", false);
	run_to(&world, ND_MIN(2));
	assert_int_equal(account(&world, 0)->breaker.state, BREAKER_OPEN);
	assert_int_equal(world.delivered[1][2], 0);
	account(&world, 0)->health.until = ND_HOUR(9);
	assert_int_equal(engine_deadline(world.engine, at(ND_MIN(2))), ND_MIN(3) - 10);
	run_to(&world, ND_MIN(3) - 10);
	assert_int_equal(world.delivered[1][2], 1);
	end(&world);
}

static void
a_fault_met_in_a_mail_is_probed_by_one_new_mail_and_trust_grows(void **state)
{
	struct world world;
	unsigned n, first = 0;

	(void)state;
	begin(&world);
	world.bad[0] = true;
	accept(&world, 1, "a", false);
	run(&world);
	assert_int_equal(account(&world, 0)->health.state, HEALTH_HELD);
	run_to(&world, ND_MIN(2));
	assert_int_equal(world.delivered[1][1], 1);
	assert_string_equal(route(&world), "b");
	run_to(&world, ND_MIN(11)); /* its probe is due, and there is no mail to show that it is well */
	assert_int_equal(account(&world, 0)->health.state, HEALTH_HELD);
	world.bad[0] = false;
	assert_string_equal(engine_route(world.engine, true, at(world.now))->name, "b"); /* nothing severe is risked */
	assert_string_equal(route(&world), "a");
	assert_string_equal(route(&world), "b"); /* one only */
	accept(&world, 2, "a", false);
	run(&world);
	assert_int_equal(world.delivered[0][2], 1);
	assert_int_equal(account(&world, 0)->breaker.state, BREAKER_HALF);
	for (n = 0; n < 8; n++)
		first += strcmp(route(&world), "a") == 0;
	assert_in_range(first, 1, 4);
	end(&world);
}

static void
a_probe_that_fails_again_keeps_no_mail(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.bad[0] = true;
	accept(&world, 1, "a", false);
	run_to(&world, ND_MIN(11));
	accept(&world, 2, route(&world), false);
	run_to(&world, ND_MIN(12));
	assert_int_equal(world.moved, 2);
	assert_int_equal(world.delivered[1][2], 1);
	end(&world);
}

static void
what_one_account_cannot_take_goes_by_the_other_one_at_once(void **state)
{
	struct queue_job *job;
	struct world world;

	(void)state;
	begin(&world);
	world.small[0] = true;
	accept(&world, 1, "a", false);
	run(&world);
	assert_int_equal(world.moved, 1);
	assert_int_equal(world.delivered[1][1], 1);
	assert_int_equal(account(&world, 0)->health.state, HEALTH_OK); /* no fault of the account */
	assert_string_equal(route(&world), "a");
	world.conf.uncertain_wait = ND_SEC(50);
	accept(&world, 2, "a", true); /* it may have been taken before */
	run_to(&world, ND_SEC(50) - 1);
	assert_int_equal(world.delivered[1][2], 0);
	run_to(&world, ND_SEC(50));
	assert_int_equal(world.delivered[1][2], 1);
	/* One that comes back from the store with it written on it is not even tried. */
	job = row_make(3, "a", at(world.now).unix_ms, JOB_WARNING, 1);
	job->declined = nd_xstrdup("too-big: 552\na");
	engine_accepted(world.engine, job, at(world.now));
	run(&world);
	assert_int_equal(world.delivered[1][3], 1);
	assert_int_equal(world.tried[0], 2);
	end(&world);
}

static void
each_account_is_asked_once_and_the_first_one_has_the_last_word(void **state)
{
	struct queue_job *job;
	struct world world;

	(void)state;
	begin(&world);
	world.small[0] = world.small[1] = true;
	accept(&world, 1, "b", false); /* from the second to the first */
	run_to(&world, ND_DAY(1));
	assert_int_equal(world.tried[0], 1);
	assert_int_equal(world.tried[1], 1);
	assert_int_equal(world.failed, 1);
	assert_string_equal(world.reason, "too-big: 552 5.3.4 too big for b");
	/* All have declined it, and settings brought it back to one of them. */
	job = row_make(2, "a", at(world.now).unix_ms, JOB_WARNING, 1);
	job->declined = nd_xstrdup("too-big: first\na\nb");
	engine_accepted(world.engine, job, at(world.now));
	run(&world);
	assert_int_equal(world.failed, 2);
	assert_string_equal(world.reason, "too-big: first");
	assert_int_equal(world.tried[0] + world.tried[1], 2);
	end(&world);
}

static void
who_named_its_account_or_has_no_failover_fails(void **state)
{
	struct queue_job *job;
	struct world world;

	(void)state;
	for (unsigned pinned = 0; pinned < 2; pinned++) {
		begin(&world);
		world.small[0] = true;
		job = row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1);
		if (pinned)
			job->facts = nd_xstrdup("{\"pinned\":true}");
		else
			world.conf.failover_after = 0;
		engine_accepted(world.engine, job, at(0));
		run(&world);
		assert_int_equal(world.failed, 1);
		assert_int_equal(world.moved, 0);
		assert_string_equal(world.reason, "too-big: 552 5.3.4 too big for a");
		end(&world);
	}
}

/* The other one is in trouble: it waits there, and when this one is in trouble too it keeps nobody from nowhere. */
static void
it_waits_where_it_may_be_taken_and_never_comes_back(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.small[0] = true;
	world.down[1] = true;
	accept(&world, 1, "b", false);
	run(&world);
	assert_int_equal(account(&world, 1)->health.state, HEALTH_FAILING);
	accept(&world, 2, "a", false);
	run_to(&world, ND_MIN(1));
	assert_int_equal(world.moved, 1);
	assert_int_equal(world.tried[0], 1);
	world.small[0] = false;
	run_to(&world, ND_MIN(3)); /* the other one of b goes on by a */
	assert_int_equal(world.delivered[0][1], 1);
	assert_int_equal(world.tried[0], 2);
	run_to(&world, ND_HOUR(1));
	assert_int_equal(world.tried[0], 2);
	world.down[1] = false;
	run_to(&world, ND_HOUR(2));
	assert_int_equal(world.delivered[1][2], 1);
	end(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_go_on_by_the_next_account_after_a_time),
		cmocka_unit_test(nobody_moves_to_an_account_that_is_in_trouble_too_or_past_a_pause),
		cmocka_unit_test(moves_that_began_end_by_a_pause_and_by_a_reload),
		cmocka_unit_test(an_uncertain_job_waits_longer),
		cmocka_unit_test(each_uncertain_job_has_a_time_of_its_own),
		cmocka_unit_test(one_that_has_got_its_share_is_asked_again_after_its_minute),
		cmocka_unit_test(a_fault_met_in_a_mail_is_probed_by_one_new_mail_and_trust_grows),
		cmocka_unit_test(a_probe_that_fails_again_keeps_no_mail),
		cmocka_unit_test(what_one_account_cannot_take_goes_by_the_other_one_at_once),
		cmocka_unit_test(each_account_is_asked_once_and_the_first_one_has_the_last_word),
		cmocka_unit_test(who_named_its_account_or_has_no_failover_fails),
		cmocka_unit_test(it_waits_where_it_may_be_taken_and_never_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
