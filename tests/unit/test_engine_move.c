/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_move.c - jobs of an account in trouble go on by the next one, and come back slowly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_pair.h"

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

/* Days of trouble, and only then another account that may take the jobs: they are not over before they are tried. */
static void
a_job_has_as_much_time_left_by_the_other_account(void **state)
{
	struct world world;
	struct queue_job *job;

	(void)state;
	begin(&world);
	world.conf.failover_after = 0;
	world.down[0] = true;
	accept(&world, 1, "a", false);
	run_to(&world, ND_DAY(6));
	job = row_make(1, "a", at(0).unix_ms, JOB_WARNING, 1);
	engine_age_moves(world.engine, account(&world, 0), "b", job, at(world.now).unix_ms);
	assert_int_equal(job->created, at(0).unix_ms);
	assert_true(settle_age_from(job) > at(ND_DAY(5)).unix_ms);
	assert_true(
	    settle_age_from(job) > downtime_cutoff(&account(&world, 1)->downtime, ND_DAY(5), at(world.now).unix_ms));
	job->age_from = 0;
	engine_age_moves(world.engine, account(&world, 1), "a", job, at(world.now).unix_ms);
	assert_int_equal(settle_age_from(job), job->created); /* b worked all the time */
	queue_job_free(job);
	end(&world);
}

static void
a_new_account_has_all_its_time_before_it(void **state)
{
	static const char *const three[] = { "a", "b", "c", NULL };
	struct world world;
	struct conf more;

	(void)state;
	begin(&world);
	run_to(&world, ND_DAY(6));
	rows_conf(&more, three, 1);
	engine_reconfigure(world.engine, &more, at(world.now));
	assert_true(downtime_cutoff(&engine_account_named(world.engine, "c")->downtime, ND_DAY(5),
			at(world.now).unix_ms) < at(0).unix_ms);
	assert_int_equal(
	    downtime_cutoff(&engine_account_named(world.engine, "a")->downtime, ND_DAY(5), at(world.now).unix_ms),
	    at(ND_DAY(1)).unix_ms); /* as ever */
	assert_int_equal(
	    downtime_cutoff(&engine_account_named(world.engine, "c")->downtime, ND_DAY(5), at(ND_DAY(11)).unix_ms),
	    at(ND_DAY(6)).unix_ms);
	engine_reconfigure(world.engine, &world.conf, at(world.now));
	end(&world);
	rows_conf_done(&more);
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
accept_severe(struct world *world, unsigned n)
{
	const char *to = engine_route(world->engine, true, at(world->now))->name;

	engine_accepted(world->engine, row_make(n, to, at(world->now).unix_ms, JOB_CRITICAL, 1), at(world->now));
	run(world);
}

static void
where_all_is_severe_a_resume_or_a_long_wait_makes_a_severe_job_the_probe(void **state)
{
	struct world world;

	(void)state;
	for (unsigned resumed = 0; resumed < 2; resumed++) {
		begin(&world);
		world.bad[0] = true;
		accept(&world, 1, "a", false);
		run_to(&world, ND_MIN(3));
		accept_severe(&world, 2);
		assert_int_equal(world.delivered[1][2], 1);
		if (resumed)
			engine_resume(world.engine, account(&world, 0), at(world.now));
		run_to(&world, resumed ? ND_MIN(3) : ND_MIN(24));
		assert_int_equal(world.tried[0], 1);
		run_to(&world, resumed ? ND_MIN(3) : ND_MIN(25));
		accept_severe(&world, 3); /* it is not well: the mail goes on at once */
		assert_int_equal(world.tried[0], 2);
		assert_int_equal(world.delivered[1][3], 1);
		accept_severe(&world, 4); /* and nothing more is risked */
		assert_int_equal(world.tried[0], 2);
		world.bad[0] = false;
		run_to(&world, ND_HOUR(2));
		accept_severe(&world, 5);
		assert_int_equal(world.delivered[0][5], 1);
		assert_int_equal(account(&world, 0)->breaker.state, BREAKER_HALF);
		end(&world);
	}
}

static void
a_severe_probe_whose_session_does_not_come_moves_on_after_a_minute(void **state)
{
	struct engine_action action, open;
	struct world world;

	(void)state;
	begin(&world);
	world.bad[0] = true;
	accept(&world, 1, "a", false);
	run_to(&world, ND_MIN(3));
	engine_resume(world.engine, account(&world, 0), at(world.now));
	assert_string_equal(engine_route(world.engine, true, at(world.now))->name, "a");
	engine_accepted(world.engine, row_make(2, "a", at(world.now).unix_ms, JOB_CRITICAL, 1), at(world.now));
	open = expect(world.engine, ENGINE_OPEN, world.now); /* nobody answers there */
	expect_rest(world.engine, world.now);
	assert_true(engine_deadline(world.engine, at(world.now)) <= ND_MIN(4));
	world.now = ND_MIN(4);
	action = expect(world.engine, ENGINE_MOVE, world.now);
	assert_string_equal(action.to->name, "b");
	play(&world, &action);
	engine_gone(world.engine, open.session, NULL, at(world.now));
	run(&world);
	assert_int_equal(world.delivered[1][2], 1);
	end(&world);
}

/* By the wall clock both would be due in a day. */
static void
a_clock_that_went_back_delays_neither_who_moves_nor_who_stays(void **state)
{
	struct nd_now late = at(ND_MIN(1));
	struct world world;

	(void)state;
	begin(&world);
	world.down[0] = true;
	world.pinned = 1u << 1;
	accept(&world, 1, "a", false);
	accept(&world, 2, "a", false);
	run_to(&world, ND_MIN(1));
	late.unix_ms -= ND_DAY(1);
	assert_true(engine_leap(world.engine, late));
	engine_flush(world.engine, late);
	assert_true(sched_find(&account(&world, 0)->sched, "01K00000000000000000000001")->job->due <= late.unix_ms);
	assert_true(sched_find(&account(&world, 0)->sched, "01K00000000000000000000002")->job->due <= late.unix_ms);
	run_to(&world, ND_MIN(3));
	assert_int_equal(world.delivered[1][2], 1);
	assert_non_null(sched_find(&account(&world, 0)->sched, "01K00000000000000000000001"));
	world.down[0] = false;
	run_to(&world, ND_HOUR(1));
	assert_int_equal(world.delivered[0][1], 1);
	end(&world);
}

/* It asked for its account; by its row it would be due in a day. */
static void
who_stays_is_not_sent_back_to_the_store(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.down[0] = true;
	world.pinned = 1u << 1;
	accept(&world, 1, "a", false);
	run_to(&world, ND_MIN(1));
	sched_find(&account(&world, 0)->sched, "01K00000000000000000000001")->job->due += ND_DAY(1);
	run_to(&world, ND_MIN(3));
	assert_non_null(sched_find(&account(&world, 0)->sched, "01K00000000000000000000001"));
	end(&world);
}

/* -- past a day's limit -- */

/* Each has a mailbox of its own and sends so many a day (0: as many as there are). One mail has gone by those that are `used`. */
static void
begin_days(struct world *world, int64_t first, int64_t second, unsigned used)
{
	static char users[2][2] = { "a", "b" };

	begin(world);
	engine_free(world->engine);
	for (unsigned n = 0; n < 2; n++)
		world->conf.account[n].user = users[n];
	world->conf.account[0].messages_per_day = first;
	world->conf.account[1].messages_per_day = second;
	world->engine = engine_new(&world->conf, 7, at(0));
	for (unsigned n = 0; n < 2; n++)
		if (used & 1u << n)
			accept(world, 8 + n, two[n], false);
	run(world);
}

static struct queue_job *
severe(const struct world *world, unsigned n, const char *name)
{
	return row_make(n, name, at(world->now).unix_ms, JOB_CRITICAL, 1);
}

static const char *
route_severe(struct world *world)
{
	return engine_route(world->engine, true, at(world->now))->name;
}

static void
severe_jobs_do_not_wait_for_another_day(void **state)
{
	struct world world;

	(void)state;
	begin_days(&world, 1, 0, 1);
	assert_int_equal(world.delivered[0][8], 1);
	world.pinned = 1u << 2;
	accept(&world, 1, "a", false);
	engine_accepted(world.engine, severe(&world, 2, "a"), at(world.now));
	engine_accepted(world.engine, severe(&world, 3, "a"), at(world.now)); /* when there was room */
	run(&world);
	assert_int_equal(world.delivered[1][3], 1);
	assert_int_equal(world.moved, 1);
	assert_string_equal(route(&world), "a");
	assert_string_equal(route_severe(&world), "b");
	run_to(&world, ND_HOUR(23));
	assert_int_equal(world.moved, 1);
	assert_int_equal(world.delivered[0][1] + world.delivered[0][2], 0);
	run_to(&world, ND_HOUR(73));
	assert_int_equal(world.delivered[0][1], 1); /* that is no severe one */
	assert_int_equal(world.delivered[0][2], 1); /* that asked for its account */
	end(&world);
}

static void
without_failover_or_for_a_short_time_they_wait(void **state)
{
	struct world world;

	(void)state;
	for (unsigned off = 0; off < 2; off++) {
		begin_days(&world, 1, 0, 1);
		if (off)
			world.conf.failover_after = 0;
		run_to(&world, ND_DAY(1) + ND_MIN(off ? 1 : 4));
		assert_string_equal(route_severe(&world), "a");
		engine_accepted(world.engine, severe(&world, 1, "a"), at(world.now));
		run_to(&world, world.now + ND_MIN(5));
		assert_int_equal(world.delivered[0][1], 1);
		assert_int_equal(world.moved, 0);
		end(&world);
	}
}

static void
where_no_day_is_left_they_wait_and_none_fails(void **state)
{
	struct world world;

	(void)state;
	begin_days(&world, 1, 1, 3);
	assert_string_equal(route_severe(&world), "a");
	engine_accepted(world.engine, severe(&world, 1, "a"), at(0));
	engine_accepted(world.engine, severe(&world, 2, "b"), at(0));
	run_to(&world, ND_HOUR(23));
	assert_int_equal(world.moved + world.failed, 0);
	run_to(&world, ND_HOUR(25));
	assert_int_equal(world.delivered[0][1] + world.delivered[1][2], 2);
	end(&world);

	begin_days(&world, 1, 2, 1); /* room for two: a third one does not go there to wait */
	for (unsigned n = 1; n < 4; n++)
		engine_accepted(world.engine, severe(&world, n, "a"), at(0));
	run_to(&world, ND_HOUR(1));
	assert_int_equal(world.moved, 2);
	assert_int_equal(account(&world, 0)->sched.count, 1);
	end(&world);
}

static void
no_job_goes_past_a_limit_twice(void **state)
{
	struct world world;

	(void)state;
	for (unsigned passed = 0; passed < 2; passed++) {
		struct queue_job *job;

		begin_days(&world, 0, 1, 2);
		job = severe(&world, 1, "b");
		job->passed = passed;
		engine_accepted(world.engine, job, at(0));
		run_to(&world, ND_HOUR(23));
		assert_int_equal(world.moved, !passed);
		assert_int_equal(world.delivered[0][1], !passed);
		run_to(&world, ND_HOUR(25));
		assert_int_equal(world.delivered[1][1], passed);
		end(&world);
	}
	begin_days(&world, 1, 0, 1);
	world.bad[1] = true; /* its trouble begins with this mail */
	engine_accepted(world.engine, severe(&world, 1, "a"), at(0));
	run_to(&world, ND_HOUR(23));
	assert_int_equal(world.moved, 1); /* not back to where it would wait for another day */
	assert_true(sched_find(&account(&world, 1)->sched, "01K00000000000000000000001")->job->passed);
	run_to(&world, ND_HOUR(25));
	assert_int_equal(world.delivered[0][1], 1); /* that account works */
	end(&world);
}

static void
another_account_of_the_same_mailbox_is_no_way_past_its_limit(void **state)
{
	struct world world;

	(void)state;
	begin_days(&world, 1, 0, 1);
	world.conf.account[1].user = world.conf.account[0].user;
	engine_free(world.engine);
	world.engine = engine_new(&world.conf, 7, at(0));
	accept(&world, 1, "a", false);
	run(&world);
	engine_accepted(world.engine, severe(&world, 2, "a"), at(0));
	run_to(&world, ND_HOUR(23));
	assert_int_equal(world.moved, 0);
	assert_string_equal(route_severe(&world), "a");
	end(&world);
}

static void
an_uncertain_one_waits_before_it_goes_past_a_limit(void **state)
{
	struct queue_job *job;
	struct world world;

	(void)state;
	begin_days(&world, 1, 0, 1);
	run_to(&world, ND_MIN(1));
	job = severe(&world, 1, "a");
	job->uncertain = true;
	engine_accepted(world.engine, job, at(world.now));
	run_to(&world, ND_MIN(16) - 1);
	assert_int_equal(world.moved, 0);
	run_to(&world, ND_MIN(16));
	assert_int_equal(world.delivered[1][1], 1);
	end(&world);
}

/* The others of an account in trouble do not wait behind a severe one that stays. */
static void
trouble_moves_no_severe_job_to_a_day_that_is_spent(void **state)
{
	struct world world;

	(void)state;
	begin_days(&world, 1, 0, 1);
	world.down[1] = true;
	engine_accepted(world.engine, severe(&world, 1, "b"), at(0));
	accept(&world, 2, "b", false);
	run_to(&world, ND_MIN(10));
	assert_int_equal(world.moved, 1);
	assert_non_null(sched_find(&account(&world, 1)->sched, "01K00000000000000000000001"));
	assert_string_equal(route_severe(&world), "a");
	world.down[1] = false;
	run_to(&world, ND_HOUR(1));
	assert_int_equal(world.delivered[1][1], 1);
	end(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_go_on_by_the_next_account_after_a_time),
		cmocka_unit_test(a_job_has_as_much_time_left_by_the_other_account),
		cmocka_unit_test(a_new_account_has_all_its_time_before_it),
		cmocka_unit_test(nobody_moves_to_an_account_that_is_in_trouble_too_or_past_a_pause),
		cmocka_unit_test(moves_that_began_end_by_a_pause_and_by_a_reload),
		cmocka_unit_test(an_uncertain_job_waits_longer),
		cmocka_unit_test(each_uncertain_job_has_a_time_of_its_own),
		cmocka_unit_test(one_that_has_got_its_share_is_asked_again_after_its_minute),
		cmocka_unit_test(a_fault_met_in_a_mail_is_probed_by_one_new_mail_and_trust_grows),
		cmocka_unit_test(a_probe_that_fails_again_keeps_no_mail),
		cmocka_unit_test(where_all_is_severe_a_resume_or_a_long_wait_makes_a_severe_job_the_probe),
		cmocka_unit_test(a_severe_probe_whose_session_does_not_come_moves_on_after_a_minute),
		cmocka_unit_test(a_clock_that_went_back_delays_neither_who_moves_nor_who_stays),
		cmocka_unit_test(who_stays_is_not_sent_back_to_the_store),
		cmocka_unit_test(severe_jobs_do_not_wait_for_another_day),
		cmocka_unit_test(without_failover_or_for_a_short_time_they_wait),
		cmocka_unit_test(where_no_day_is_left_they_wait_and_none_fails),
		cmocka_unit_test(no_job_goes_past_a_limit_twice),
		cmocka_unit_test(another_account_of_the_same_mailbox_is_no_way_past_its_limit),
		cmocka_unit_test(an_uncertain_one_waits_before_it_goes_past_a_limit),
		cmocka_unit_test(trouble_moves_no_severe_job_to_a_day_that_is_spent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
