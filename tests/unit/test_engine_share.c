/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_share.c - the accounts of one mailbox have its sessions together: no more than its cap, and nobody without one for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_kit.h"

#define ACCOUNTS 4u
static const char *const names[] = { "a", "b", "c", "d", NULL };

/* A server that takes a second for each mail. */
struct world {
	struct conf conf;
	struct engine *engine;
	nd_ms now;
	struct engine_action sent[16];
	nd_ms done[16];
	unsigned count, open, most, numbers;
	unsigned taken[ACCOUNTS], opened[ACCOUNTS];
	nd_ms first[ACCOUNTS]; /* when its first mail was taken */
};

static void
begin(struct world *world, unsigned sessions)
{
	*world = (struct world){ 0 };
	rows_conf(&world->conf, names, sessions);
	world->engine = engine_new(&world->conf, 7, at(0));
}

static unsigned
number(const struct engine_account *account)
{
	return (unsigned)(account->conf->name[0] - 'a');
}

static void
accept(struct world *world, unsigned account, unsigned jobs)
{
	while (jobs-- > 0)
		engine_accepted(world->engine,
		    row_make(++world->numbers, names[account], at(world->now).unix_ms, JOB_WARNING, 1), at(world->now));
}

static void
play(struct world *world, struct engine_action *action)
{
	if (action->act == ENGINE_LOAD) {
		engine_loaded(world->engine, action->account, NULL, 0, false, ND_NEVER, at(world->now));
	} else if (action->act == ENGINE_OPEN) {
		world->opened[number(action->account)]++;
		if (++world->open > world->most)
			world->most = world->open;
		engine_ready(world->engine, action->session, at(world->now));
	} else if (action->act == ENGINE_CLOSE) {
		world->open--;
		engine_gone(world->engine, action->session, NULL, at(world->now));
	} else if (action->act == ENGINE_SEND) {
		world->sent[world->count] = *action;
		world->done[world->count++] = world->now + ND_SEC(1);
	} else if (action->act == ENGINE_STORE) {
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
take_one(struct world *world)
{
	const struct smtp_outcome outcome = {
		.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 250, .lines = 1 }
	};
	const struct engine_action send = world->sent[0];
	const unsigned n = number(send.account);
	struct settle_mail *mail = settle_mail_new(send.job->job);
	struct engine_told told = { &outcome, mail, "relay", 0 };

	world->count--;
	memmove(&world->sent[0], &world->sent[1], world->count * sizeof(send));
	memmove(&world->done[0], &world->done[1], world->count * sizeof(nd_ms));
	mail->results[0] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
	if (world->taken[n]++ == 0)
		world->first[n] = world->now;
	engine_outcome(world->engine, send.session, &told, at(world->now));
	free(mail);
	engine_ready(world->engine, send.session, at(world->now));
}

static void
run_to(struct world *world, nd_ms until)
{
	nd_ms next;

	for (run(world);; run(world)) {
		next = engine_deadline(world->engine, at(world->now));
		if (world->count > 0 && world->done[0] < next)
			next = world->done[0];
		if (next > until)
			break;
		world->now = next;
		while (world->count > 0 && world->done[0] <= world->now)
			take_one(world);
	}
	world->now = until;
}

static void
two_accounts_of_a_mailbox_have_its_sessions_together(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 3);
	accept(&world, 0, 90);
	run_to(&world, ND_SEC(2));
	assert_int_equal(world.open, 3);
	accept(&world, 1, 30); /* nothing is free: one of the other's ends after its mail */
	run_to(&world, ND_SEC(5));
	assert_true(world.taken[1] > 0);
	run_to(&world, ND_MIN(2));
	assert_int_equal(world.taken[0], 90);
	assert_int_equal(world.taken[1], 30);
	assert_int_equal(world.most, 3);
	assert_true(world.now < ND_MIN(2) + 1);
	assert_true(world.opened[0] + world.opened[1] < 12); /* they are not passed to and fro with each mail */
	finish(world.engine, &world.conf);
}

static void
with_more_accounts_than_sessions_each_has_its_turn(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 2);
	for (unsigned n = 0; n < ACCOUNTS; n++)
		accept(&world, n, 60);
	run_to(&world, ND_MIN(3));
	for (unsigned n = 0; n < ACCOUNTS; n++) {
		assert_int_equal(world.taken[n], 60);
		assert_in_range(world.first[n], 0, ND_SEC(30));
		assert_in_range(world.opened[n], 2, 12); /* a turn lasts some time */
	}
	assert_int_equal(world.most, 2);
	finish(world.engine, &world.conf);
}

static void
an_idle_session_makes_room_at_once(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 1);
	accept(&world, 0, 1);
	run_to(&world, ND_SEC(3));
	assert_int_equal(world.open, 1);
	accept(&world, 1, 1);
	run_to(&world, ND_SEC(4));
	assert_int_equal(world.taken[1], 1);
	assert_int_equal(world.most, 1);
	finish(world.engine, &world.conf);
}

/* Its end takes a while. */
static void
one_place_is_made_for_one_who_waits(void **state)
{
	struct engine_action action;
	struct world world;
	unsigned closed = 0, sent = 0;

	(void)state;
	begin(&world, 3);
	accept(&world, 0, 30);
	run(&world);
	assert_int_equal(world.open, 3);
	accept(&world, 1, 1);
	run(&world);
	world.now = ND_SEC(1);
	while (world.count > 0)
		take_one(&world);
	while (engine_next(world.engine, at(world.now), &action)) {
		closed += action.act == ENGINE_CLOSE;
		sent += action.act == ENGINE_SEND;
		if (action.act != ENGINE_CLOSE)
			play(&world, &action);
	}
	assert_int_equal(closed, 1);
	assert_int_equal(sent, 2); /* the others go on */
	finish(world.engine, &world.conf);
}

/* Both are to be kept warm, and there is one session: it stays where it is. */
static void
warm_accounts_do_not_take_it_from_each_other(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 1);
	world.conf.account[0].warm = world.conf.account[1].warm = 1;
	engine_free(world.engine);
	world.engine = engine_new(&world.conf, 7, at(0));
	run_to(&world, ND_MIN(30));
	assert_int_equal(world.most, 1);
	assert_true(world.opened[0] + world.opened[1] <= 4); /* by their age */
	finish(world.engine, &world.conf);
}

static void
other_mailboxes_have_their_own(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 2);
	world.conf.account[1].user = (char[]){ "someone.else@example.com" };
	engine_free(world.engine);
	world.engine = engine_new(&world.conf, 7, at(0));
	accept(&world, 0, 10);
	accept(&world, 1, 10);
	run_to(&world, ND_SEC(1));
	assert_int_equal(world.most, 4);
	run_to(&world, ND_MIN(1));
	finish(world.engine, &world.conf);
}

/* Nothing is known of the server: it gets a few sessions, then one more for each round of mails. */
struct login {
	int provider;
	const char *host, *user, *client_id, *tenant, *token_url, *scope;
};

static void
sign_in(struct conf_account *account, const struct login *login)
{
	account->provider = login->provider;
	account->host = (char *)(uintptr_t)login->host;
	account->user = (char *)(uintptr_t)login->user;
	account->client_id = (char *)(uintptr_t)login->client_id;
	account->tenant = (char *)(uintptr_t)login->tenant;
	account->token_url = (char *)(uintptr_t)login->token_url;
	account->scope = (char *)(uintptr_t)login->scope;
}

/* Are the sessions of two such accounts counted together? */
static bool
are_mates(const struct login *first, const struct login *second)
{
	struct world world;
	unsigned most;

	begin(&world, 2);
	sign_in(&world.conf.account[0], first);
	sign_in(&world.conf.account[1], second);
	engine_free(world.engine);
	world.engine = engine_new(&world.conf, 7, at(0));
	assert_ptr_not_equal(engine_account_nth(world.engine, 0)->limit, engine_account_nth(world.engine, 2)->limit);
	accept(&world, 0, 9);
	accept(&world, 1, 9);
	run_to(&world, ND_SEC(30));
	assert_int_equal(world.taken[0] + world.taken[1], 18);
	most = world.most;
	finish(world.engine, &world.conf);
	assert_true(most == 2 || most == 4);
	return most == 2;
}

/* The provider counts by the mailbox: neither the name of its server nor the application that signs in makes two of it. */
static void
one_mailbox_is_one_whoever_signs_in_and_wherever(void **state)
{
	static const struct login exchange = { CONF_MICROSOFT, "smtp.office365.com", "alerts@contoso.example", "app-1",
		"t1", "https://a.example/", "one" };
	static const struct login same[] = {
		{ CONF_MICROSOFT, "smtp.office365.com", "alerts@contoso.example", "app-2", "t1", "https://a.example/",
		    "one" },
		{ CONF_MICROSOFT, "smtp.office365.com", "alerts@contoso.example", "app-1", "t2", "https://b.example/",
		    "two" },
		{ CONF_MICROSOFT, "SMTP.Office365.com", "Alerts@Contoso.Example", "app-1", "t1", "https://a.example/",
		    "one" },
		{ CONF_MICROSOFT, "smtp-legacy.office365.com", "alerts@contoso.example", "app-1", "t1", "", "" },
		{ CONF_MICROSOFT, "relay.contoso.example", "alerts@contoso.example", "app-1", "t1", "",
		    "" }, /* a name of ours */
		{ CONF_SMTP, "smtp.office365.com", "alerts@contoso.example", "", "", "", "" },
	};
	static const struct login others[] = {
		{ CONF_MICROSOFT, "smtp.office365.com", "cron@contoso.example", "app-1", "t1", "https://a.example/",
		    "one" },
		{ CONF_MICROSOFT_HVE, "smtp.hve.mx.microsoft", "alerts@contoso.example", "app-1", "t1", "", "" },
		{ CONF_SMTP, "relay.contoso.example", "alerts@contoso.example", "app-1", "t1", "", "" },
	};
	static const struct login hve[] = {
		{ .provider = CONF_MICROSOFT_HVE, .host = "smtp.hve.mx.microsoft", .user = "x" },
		{ .provider = CONF_MICROSOFT_HVE, .host = "smtp-hve.office365.com", .user = "x" }
	};
	static const struct login regions[] = {
		{ .provider = CONF_SES, .host = "email-smtp.eu-west-1.amazonaws.com", .user = "AKIAX" },
		{ .provider = CONF_SES, .host = "email-smtp.us-east-1.amazonaws.com", .user = "AKIAX" }
	};
	static const struct login scripts[] = {
		{ .provider = CONF_SMTP, .host = "mx.m\xc3\xbcller.example", .user = "a@m\xc3\xbcller.example" },
		{ .provider = CONF_SMTP, .host = "mx.xn--mller-kva.example", .user = "a@xn--mller-kva.example" }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_true(are_mates(&exchange, &same[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(are_mates(&exchange, &others[i]));
	assert_true(are_mates(&hve[0], &hve[1]));
	assert_false(are_mates(&regions[0], &regions[1]));
	assert_true(are_mates(&scripts[0], &scripts[1]));
}

static void
sessions_grow_by_what_comes_of_them(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 10);
	accept(&world, 0, 200);
	run(&world);
	assert_int_equal(world.open, 5);
	run_to(&world, ND_SEC(1));
	assert_int_equal(world.open, 6);
	run_to(&world, ND_SEC(8));
	assert_int_equal(world.open, 10);
	run_to(&world, ND_MIN(5));
	assert_int_equal(world.taken[0], 200);
	assert_int_equal(world.open, 0);
	accept(&world, 0, 20); /* it took mails lately */
	run(&world);
	assert_int_equal(world.open, 10);
	run_to(&world, ND_MIN(6));
	finish(world.engine, &world.conf);
}

static void
a_session_that_fails_leaves_one_less(void **state)
{
	static const struct smtp_fault refused = { .stage = SMTP_AT_GREETING, .reply = { .code = 421, .lines = 1 } };
	struct engine_action open[5];
	struct world world;

	(void)state;
	begin(&world, 10);
	accept(&world, 0, 50);
	assert_int_equal(expect(world.engine, ENGINE_LOAD, 0).act, ENGINE_LOAD);
	for (unsigned n = 0; n < 5; n++)
		open[n] = expect(world.engine, ENGINE_OPEN, 0);
	engine_ready(world.engine, open[0].session, at(0));
	engine_ready(world.engine, open[1].session, at(0));
	for (unsigned n = 2; n < 5; n++)
		engine_gone(world.engine, open[n].session, &refused, at(0));
	assert_int_equal(limit_sessions(engine_account_nth(world.engine, 0)->limit, 10, 0), 2);
	assert_int_equal(engine_account_nth(world.engine, 0)->health.state, HEALTH_OK);
	finish(world.engine, &world.conf);
}

static void
an_account_with_the_smaller_cap_has_its_turn_too(void **state)
{
	struct world world = { 0 };

	(void)state;
	rows_conf(&world.conf, names, 5);
	world.conf.account[0].max_connections = 1;
	world.engine = engine_new(&world.conf, 7, at(0));
	accept(&world, 1, 90);
	run_to(&world, ND_SEC(3));
	assert_int_equal(world.open, 5);
	accept(&world, 0, 1);
	run_to(&world, ND_MIN(2));
	assert_int_equal(world.taken[0], 1);
	assert_int_equal(world.taken[1], 90);
	assert_true(world.first[0] < ND_SEC(20)); /* the other one still had much to do */
	assert_true(world.opened[1] < 12);
	finish(world.engine, &world.conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_accounts_of_a_mailbox_have_its_sessions_together),
		cmocka_unit_test(an_account_with_the_smaller_cap_has_its_turn_too),
		cmocka_unit_test(with_more_accounts_than_sessions_each_has_its_turn),
		cmocka_unit_test(an_idle_session_makes_room_at_once),
		cmocka_unit_test(one_place_is_made_for_one_who_waits),
		cmocka_unit_test(warm_accounts_do_not_take_it_from_each_other),
		cmocka_unit_test(other_mailboxes_have_their_own),
		cmocka_unit_test(one_mailbox_is_one_whoever_signs_in_and_wherever),
		cmocka_unit_test(sessions_grow_by_what_comes_of_them),
		cmocka_unit_test(a_session_that_fails_leaves_one_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
