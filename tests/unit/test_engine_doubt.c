/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_doubt.c - what one mail meets, and what it says of its account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_kit.h"

static const char *const one[] = { "a", NULL };

/* An account, and jobs whose connection breaks amid the content. */
struct world {
	struct conf conf;
	struct engine *engine;
	nd_ms now;
	bool lost[10];
	enum nd_err err;
	int out_of_step; /* the first session answers MAIL so; 0 as usual */
	unsigned sent[10], delivered[10];
};

static void
begin(struct world *world)
{
	*world = (struct world){ .err = ND_ECLOSED };
	rows_conf(&world->conf, one, 1);
	world->engine = engine_new(&world->conf, 7, at(0));
}

static void
accept(struct world *world, unsigned n)
{
	engine_accepted(world->engine, row_make(n, "a", at(world->now).unix_ms, JOB_WARNING, 1), at(world->now));
}

static void
play_mail(struct world *world, const struct engine_action *send)
{
	const unsigned n = (unsigned)strtoul(send->job->job->id + 19, NULL, 10);
	struct smtp_outcome outcome = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 250, .lines = 1 }
	};
	struct settle_mail *mail = settle_mail_new(send->job->job);
	struct engine_told told = { &outcome, mail, "relay", 0 };
	const bool odd = world->out_of_step != 0 && strcmp(send->session->id, "s1") == 0;

	world->sent[n]++;
	world->delivered[n] += !world->lost[n] && !odd;
	mail->results[0] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
	if (world->lost[n]) {
		outcome = (struct smtp_outcome){ .end = SMTP_ENDED_LOST, .stage = SMTP_AT_CONTENT };
		(void)nd_fail(&outcome.why, world->err, 0, "lost");
	}
	if (odd) {
		outcome.stage = SMTP_AT_MAIL;
		outcome.reply.code = world->out_of_step;
		mail->results[0] = (struct smtp_rcpt_result){ 0 };
	}
	engine_outcome(world->engine, send->session, &told, at(world->now));
	free(mail);
	if (world->lost[n])
		engine_gone(world->engine, send->session, NULL, at(world->now));
	else
		engine_ready(world->engine, send->session, at(world->now));
}

static void
run(struct world *world)
{
	struct engine_action action;
	unsigned guard = 0;

	while (engine_next(world->engine, at(world->now), &action)) {
		assert_true(++guard < 1000);
		if (action.act == ENGINE_LOAD)
			engine_loaded(world->engine, action.account, NULL, 0, false, ND_NEVER, at(world->now));
		else if (action.act == ENGINE_OPEN)
			engine_ready(world->engine, action.session, at(world->now));
		else if (action.act == ENGINE_CLOSE)
			engine_gone(world->engine, action.session, NULL, at(world->now));
		else if (action.act == ENGINE_SEND)
			play_mail(world, &action);
		else if (action.act == ENGINE_STORE) {
			if (action.attempt)
				queue_attempt_done(action.attempt);
			free(action.attempt);
			engine_stored(world->engine, action.account, action.job, at(world->now));
		}
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

static void
connections_lost_over_one_job_again_and_again_are_no_fault_of_the_account(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.lost[1] = true;
	accept(&world, 1);
	run_to(&world, ND_SEC(55));
	assert_true(world.sent[1] >= 3);
	assert_int_equal(engine_account_nth(world.engine, 0)->health.state, HEALTH_OK);
	accept(&world, 2);
	run(&world);
	assert_int_equal(world.delivered[2], 1);
	finish(world.engine, &world.conf);
}

static void
connections_lost_over_several_jobs_are_unless_it_is_the_disk(void **state)
{
	struct world world;

	(void)state;
	for (unsigned disk = 0; disk < 2; disk++) {
		begin(&world);
		world.err = disk ? ND_EDISK : ND_ECLOSED;
		for (unsigned n = 1; n <= 3; n++) {
			world.lost[n] = true;
			accept(&world, n);
		}
		run_to(&world, ND_SEC(5));
		assert_int_equal(engine_account_nth(world.engine, 0)->health.state, disk ? HEALTH_OK : HEALTH_FAILING);
		finish(world.engine, &world.conf);
	}
}

static void
a_session_that_is_out_of_step_gets_no_other_mail(void **state)
{
	static const int codes[] = { 503, 454 };
	struct world world;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin(&world);
		world.out_of_step = codes[i];
		accept(&world, 1);
		accept(&world, 2);
		run_to(&world, ND_SEC(5));
		assert_int_equal(world.delivered[1], 1);
		assert_int_equal(world.delivered[2], 1);
		assert_int_equal(world.sent[1], 2);
		assert_int_equal(world.sent[2], 1);
		assert_int_equal(engine_account_nth(world.engine, 0)->health.state, HEALTH_OK);
		finish(world.engine, &world.conf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_lost_over_one_job_again_and_again_are_no_fault_of_the_account),
		cmocka_unit_test(connections_lost_over_several_jobs_are_unless_it_is_the_disk),
		cmocka_unit_test(a_session_that_is_out_of_step_gets_no_other_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
