/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_elsewhere.c - what one account cannot take goes by another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_pair.h"

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

/* What is learned of a refusal of so many octets at the end of data. */
static uint64_t
learned(const char *enhanced, const char *text, uint64_t octets)
{
	struct smtp_outcome outcome = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 552, .lines = 1 }
	};
	struct engine_action action;
	struct engine_told told = { &outcome, NULL, "relay", 0 };
	struct settle_mail *mail;
	struct world world;
	uint64_t known;

	begin(&world);
	(void)snprintf(outcome.reply.enhanced, sizeof(outcome.reply.enhanced), "%s", enhanced);
	(void)snprintf(outcome.reply.text, sizeof(outcome.reply.text), "%s", text);
	accept(&world, 1, "a", false);
	while (engine_next(world.engine, at(0), &action) && action.act != ENGINE_SEND)
		play(&world, &action);
	told.mail = mail = settle_mail_new(action.job->job);
	mail->results[0] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
	action.job->octets = octets;
	engine_outcome(world.engine, action.session, &told, at(0));
	free(mail);
	known = smtp_habits_too_big(&account(&world, 0)->habits, 0);
	engine_ready(world.engine, action.session, at(0));
	end(&world);
	return known;
}

static void
only_what_a_server_says_of_its_own_limit_is_believed_of_the_next_mail(void **state)
{
	(void)state;
	assert_int_equal(learned("", "Mailbox of reader is full", 1900), 0);
	assert_int_equal(learned("", "Mailbox of reader is full", 900000), 0);
	assert_int_equal(learned("", "Requested mail action aborted: exceeded storage allocation", 900000), 0);
	assert_int_equal(learned("5.2.3", "Message too large for this recipient", 900000), 0);
	assert_int_equal(learned("5.3.4", "Message size exceeds fixed maximum message size", 1900), 0);
	assert_int_equal(learned("5.3.4", "Message size exceeds fixed maximum message size", 900000), 900000);
	assert_int_equal(learned("5.2.3", "Your message exceeded Google's message size limits", 900000), 900000);
	assert_int_equal(learned("", "Message too big", 900000), 900000);
}

/* Only what the server says of a mail shows that it takes mails again. */
static void
a_mail_that_is_refused_unasked_proves_nothing_of_its_account(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.conf.failover_after = 0;
	world.bad[0] = true;
	accept(&world, 1, "a", false);
	run(&world);
	assert_int_equal(account(&world, 0)->health.state, HEALTH_HELD);
	assert_true(account(&world, 0)->health.in_mail);
	world.bad[0] = false;
	world.unasked[0] = true;
	run_to(&world, ND_MIN(10));
	assert_int_equal(world.failed, 1);
	assert_int_equal(account(&world, 0)->health.state, HEALTH_HELD);
	accept(&world, 2, "a", false);
	run_to(&world, ND_HOUR(1));
	assert_int_equal(world.failed, 2);
	assert_int_equal(account(&world, 0)->health.state, HEALTH_HELD);
	accept(&world, 3, "a", false);
	accept(&world, 4, "a", false);
	world.unasked[0] = false;
	run_to(&world, ND_HOUR(2));
	assert_int_equal(world.delivered[0][3] + world.delivered[0][4], 2);
	assert_int_equal(account(&world, 0)->health.state, HEALTH_OK);
	end(&world);
}

/* Its sender cannot be said to this server: that needs no answer. */
static void
a_fault_of_the_account_is_one_unasked(void **state)
{
	struct smtp_outcome outcome = { .end = SMTP_ENDED_REPLY,
		.stage = SMTP_AT_MAIL,
		.reply = { .code = 553, .enhanced = "5.6.7", .text = "notifyd did not ask" } };
	struct engine_action send;
	struct settle_mail *mail;
	struct world world;

	(void)state;
	begin(&world);
	accept(&world, 1, "a", false);
	while (engine_next(world.engine, at(0), &send) && send.act != ENGINE_SEND)
		play(&world, &send);
	mail = settle_mail_new(send.job->job);
	engine_outcome(world.engine, send.session, &(struct engine_told){ &outcome, mail, "relay", 0 }, at(0));
	free(mail);
	assert_int_equal(account(&world, 0)->health.state, HEALTH_HELD);
	engine_ready(world.engine, send.session, at(0));
	end(&world);
}

/* The session that asks whether the account is well goes on with the next mail. */
static void
the_session_that_asks_is_kept_for_a_mail_that_can_ask(void **state)
{
	struct engine_action action;
	struct world world;

	(void)state;
	begin(&world);
	world.conf.failover_after = 0;
	world.bad[0] = true;
	accept(&world, 1, "a", false);
	accept(&world, 2, "a", false);
	run(&world);
	world.bad[0] = false;
	world.unasked[0] = true;
	world.now = engine_deadline(world.engine, at(world.now));
	while (world.failed == 0 && engine_next(world.engine, at(world.now), &action))
		play(&world, &action);
	assert_int_equal(account(&world, 0)->health.state, HEALTH_HELD);
	world.unasked[0] = false;
	run(&world);
	assert_int_equal(world.delivered[0][1] + world.delivered[0][2], 1);
	assert_int_equal(account(&world, 0)->health.state, HEALTH_OK);
	end(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_account_cannot_take_goes_by_the_other_one_at_once),
		cmocka_unit_test(each_account_is_asked_once_and_the_first_one_has_the_last_word),
		cmocka_unit_test(who_named_its_account_or_has_no_failover_fails),
		cmocka_unit_test(it_waits_where_it_may_be_taken_and_never_comes_back),
		cmocka_unit_test(only_what_a_server_says_of_its_own_limit_is_believed_of_the_next_mail),
		cmocka_unit_test(a_mail_that_is_refused_unasked_proves_nothing_of_its_account),
		cmocka_unit_test(a_fault_of_the_account_is_one_unasked),
		cmocka_unit_test(the_session_that_asks_is_kept_for_a_mail_that_can_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
