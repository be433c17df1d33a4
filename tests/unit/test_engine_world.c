/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_world.c - the engine in a world of outages, crashes and leaping clocks: each job ends once, and no limit is passed.
 *
 * ND_SEED=N plays one world alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_world.h"

#define SEEDS 30u
#define SESSIONS 3u
#define WEEKS 6u            /* worlds that last for about a week, with limits by day and hour */
#define WAIT_MAX ND_MIN(10) /* of a job that is ready, while its account is well */
/* The window of a crowded world, as small as the store allows: a page of half of it, and one of the reserve, has one of each submitter. */
#define WINDOW (2 * OWNERS)
#define RESERVE OWNERS
/* Mails of others before one of who has some waiting. While it has none in the window nothing leaves but what is there: as much as there is room for
 * until the next load, which begins with those who have none. Then each other one goes before it once. */
#define AHEAD_MAX ((int)(WINDOW + RESERVE / 2 + OWNERS - 1))
#define CALM_MAX ND_MIN(2) /* of a job of the account that nothing happens to, from its acceptance to its end */

enum kind { PLAIN, WEEK, ORDERED, CROWDED };

static uint32_t seed_played; /* 0: all went well */

/* ---- the daemon ---- */

static void
begin(struct world *world)
{
	world->engine = engine_new(&world->conf, world->dice, clock_of(world));
	engine_boot(world->engine, "boot");
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		world->well_since[i] = world->sent[i] = world->now;
		if (world->crowded)
			engine_account_nth(world->engine, i)->sched.room =
			    (struct sched_room){ WINDOW, RESERVE, 2, SCHED_OCTETS };
	}
	memset(world->ahead, 0, sizeof(world->ahead));
	world->stirred = world->now;
}

/* It dies, and starts again with what is on the disk: what was noted is uncertain, and the relay may have taken it. */
static void
crash(struct world *world)
{
	struct engine_account *account;

	world->crashes++;
	for (unsigned i = 0; (account = engine_account_nth(world->engine, i)) != NULL; i++)
		for (struct sched_job *job = account->sched.all; job; job = job->next) {
			unsigned n = number_of(job->job);
			struct settle_mail *mail;

			if (job->slot < 0)
				continue;
			if (job->place == SCHED_SENDING && roll(world, 2) == 0) {
				mail = settle_mail_new(job->job);
				for (unsigned k = 0; k < mail->mail.rcpt_count; k++)
					mail->results[k] = (struct smtp_rcpt_result){ .asked = true,
						.reply = { .code = 250, .lines = 1 } };
				take(world, mail, n);
				free(mail);
			}
			world->disk[n]->uncertain = world->disk[n]->uncertain || world->disk[n]->state == JOB_QUEUED;
		}
	for (unsigned n = 0; n < JOBS; n++) /* nobody was told yet that it is cancelled */
		if (world->disk[n] && !job_state_final((enum job_state)world->disk[n]->state))
			world->withdrawn[n] = false;
	world->event_count = 0;
	engine_free(world->engine);
	begin(world);
}

/* Has it been due for so long that the window must know of it, and does nobody work on it? */
static bool
waits(const struct world *world, const struct engine_account *account, unsigned n)
{
	const struct queue_job *row = world->disk[n];
	const struct sched_job *job;

	if (!row || row->state != JOB_QUEUED || strcmp(row->account, account->conf->name) != 0 ||
	    row->due + LOOKED_FOR > clock_of(world).unix_ms || world->accepted[n] + LOOKED_FOR > world->now ||
	    world->asleep + LOOKED_FOR > world->now || world->stirred + LOOKED_FOR > world->now)
		return false;
	job = sched_find(&account->sched, row->id);
	return !job || (job->place == SCHED_READY && !job->last);
}

/* Severe ones first, then submitters in turn: of all that is due, not only of what is in the window. */
static void
check_turn(struct world *world, const struct engine_account *account, const struct sched_job *job)
{
	const unsigned i = index_of(account->conf->name);
	bool waiting[OWNERS] = { false };

	world->sent[i] = world->now;
	if (!world->crowded)
		return;
	if (job->severe || job->last) { /* out of turn, but it costs its owner one: each other may go once more */
		world->ahead[i][job->job->uid] -= (int)OWNERS - 1;
		return;
	}
	for (unsigned n = 0; n < JOBS; n++)
		if (waits(world, account, n)) {
			assert_false(sched_severe(world->disk[n]));
			waiting[world->disk[n]->uid] = true;
		}
	for (uint32_t uid = 0; uid < OWNERS; uid++) {
		int *ahead = &world->ahead[i][uid];

		if (uid == job->job->uid)
			*ahead = 0;
		else if (waiting[uid])
			++*ahead;
		else if (*ahead > 0)
			*ahead = 0;
		world->most_ahead = *ahead > world->most_ahead ? *ahead : world->most_ahead;
		assert_true(*ahead <= AHEAD_MAX);
	}
}

/* The window is filled again while there is something in the store. */
static void
check_filled(const struct world *world, const struct engine_account *account, unsigned i)
{
	nd_ms since = world->sent[i] > world->well_since[i] ? world->sent[i] : world->well_since[i];

	for (unsigned n = 0; n < JOBS && world->crowded && world->now - since > WAIT_MAX; n++)
		if (waits(world, account, n) && world->accepted[n] + WAIT_MAX < world->now &&
		    world->disk[n]->due + WAIT_MAX < clock_of(world).unix_ms)
			fail_msg("%s has job %u, and nothing leaves", names[i], n);
}

static void
send(struct world *world, const struct engine_action *action)
{
	const nd_ms slow = index_of(action->account->conf->name) == CALM ? 300 : 3000;

	check_turn(world, action->account, action->job);
	for (const struct sched_job *job = action->account->sched.all; job && !sched_severe(action->job->job);
	     job = job->next)
		assert_false(job->place == SCHED_READY && sched_severe(job->job) && !job->last);
	assert_false(declined_by(world->disk[number_of(action->job->job)], action->account->conf->name));
	/* Those beside others are noted before they are said. */
	if (action->session->job_count > 1)
		note(world, action->job);
	else
		plan(world, (struct event){ .what = NOTED, .session = action->session, .job = action->job },
		    roll(world, (unsigned)slow));
	if (action->account->conf->window > 1)
		plan(world, (struct event){ .what = ROOM, .session = action->session }, roll(world, 50));
	plan(world, (struct event){ .what = OUTCOME, .session = action->session }, roll(world, (unsigned)slow));
}

/* As the driver does it: the row is another account's from now on, and is on its way to the disk. */
static void
move(struct world *world, const struct engine_action *action)
{
	struct queue_job *row = action->job->job;

	assert_int_equal(row->state, JOB_QUEUED);
	assert_string_not_equal(action->to->name, row->account);
	assert_false(declined_by(row, action->to->name));
	if (queue_says(row, QUEUE_PINNED)) {
		engine_stays(world->engine, action->account, action->job, clock_of(world));
		return;
	}
	world->moved++;
	world->came[number_of(row)] = world->now;
	free(row->account);
	row->account = nd_xstrdup(action->to->name);
	plan(world, (struct event){ .what = STORED, .account = action->account, .job = action->job }, roll(world, 20));
}

/* Of the mailbox that two accounts may have in common. */
static void
check_sessions(const struct world *world)
{
	const struct engine_account *account = engine_account_named(world->engine, names[CHECKERED]);
	const struct engine_account *other = engine_account_named(world->engine, names[TOKENS]);

	if (account->limit == other->limit)
		assert_true(pool_total(&account->pool) + pool_total(&other->pool) <= SESSIONS);
}

static void
keep(struct world *world, struct engine_action *action)
{
	const unsigned i = action->account ? index_of(action->account->conf->name) : 0;
	const bool well = roll(world, 20) != 0;

	if (action->act == ENGINE_RECALL) {
		engine_limit_recalled(world->engine, action->limit, world->kept[i], clock_of(world));
		return;
	}
	if (well) {
		free(world->kept[i]);
		world->kept[i] = action->record;
	} else {
		free(action->record);
	}
	engine_limit_kept(world->engine, action->limit, well, clock_of(world));
}

static void
obey(struct world *world)
{
	struct engine_action action;
	unsigned guard = 0;

	while (engine_next(world->engine, clock_of(world), &action)) {
		assert_true(++guard < 20000); /* the engine comes to rest */
		if (action.act == ENGINE_LOAD)
			load(world, action.account, action.most);
		else if (action.act == ENGINE_OPEN)
			plan(world, (struct event){ .what = OPENED, .session = action.session }, roll(world, 500));
		else if (action.act == ENGINE_SEND)
			send(world, &action);
		else if (action.act == ENGINE_CLOSE)
			engine_gone(world->engine, action.session, NULL, clock_of(world));
		else if (action.act == ENGINE_TOKEN)
			plan(world, (struct event){ .what = TOKEN, .account = action.account }, roll(world, 2000));
		else if (action.act == ENGINE_RECALL || action.act == ENGINE_KEEP)
			keep(world, &action);
		else if (action.act == ENGINE_MOVE)
			move(world, &action);
		check_sessions(world);
		if (action.act == ENGINE_STORE) {
			if (action.attempt)
				queue_attempt_done(action.attempt);
			free(action.attempt);
			plan(world, (struct event){ .what = STORED, .account = action.account, .job = action.job },
			    roll(world, 20));
		}
		if (roll(world, 2000) == 0) /* between any two outputs */
			crash(world);
	}
}

/* ---- people and the host ---- */

static void
cancel(struct world *world)
{
	const unsigned n = roll(world, JOBS);
	struct queue_job *row = world->disk[n], *ended;
	struct engine_account *account;
	struct pool_session *session;
	enum engine_did did;

	if (!row || row->state != JOB_QUEUED || index_of(row->account) == CALM)
		return;
	did = engine_act(world->engine, row, JOB_CANCEL, clock_of(world), NULL);
	if (did == ENGINE_ABSENT) {
		ended = copy_row(row);
		assert_int_equal(
		    act_on(ended, JOB_CANCEL, &(struct act_time){ clock_of(world).unix_ms, ND_DAY(14) }, NULL), ND_OK);
		to_disk(world, ended);
		queue_job_free(ended);
	}
	if (did != ENGINE_WITHDRAW)
		return;
	world->withdrawn[n] = true;
	memcpy(world->then[n], world->delivered[n], sizeof(world->then[n]));
	account = engine_account_named(world->engine, row->account);
	session = account->pool.sessions;
	while (session->job_count == 0 || strcmp(session->jobs[0]->job->id, row->id) != 0)
		session = session->next;
	forget_session(world, session);
	engine_gone(world->engine, session, &(struct smtp_fault){ .stage = SMTP_AT_RCPT }, clock_of(world));
}

static void
befall(struct world *world)
{
	const unsigned i = roll(world, CALM);

	if (roll(world, 150) == 0)
		world->down[i] = !world->down[i];
	if (roll(world, 200) == 0)
		crash(world);
	if (roll(world, 40) == 0)
		cancel(world);
	if (roll(world, 400) == 0) { /* suspended: all that runs by CLOCK_BOOTTIME has moved on */
		world->now += ND_HOUR(1 + roll(world, 8));
		world->asleep = world->now;
	}
	if (roll(world, 400) == 0) {
		world->skew = ND_HOUR(roll(world, 96)) - ND_HOUR(48);
		world->stirred = world->now;
		for (unsigned n = 0; n < ACCOUNTS; n++)
			world->well_since[n] = world->now; /* what a leap made due has not waited */
	}
	if (engine_leap(world->engine, clock_of(world))) {
		for (unsigned n = 0; n < JOBS; n++)
			if (world->disk[n] && world->disk[n]->state == JOB_QUEUED &&
			    world->disk[n]->due > clock_of(world).unix_ms)
				world->disk[n]->due = clock_of(world).unix_ms;
		engine_flush(world->engine, clock_of(world));
	}
}

/* Nothing that may go is left lying. */
static void
check_waits(struct world *world)
{
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		const struct engine_account *account = engine_account_named(world->engine, names[i]);
		nd_ms since;

		world->paced += account->word.why == LIMIT_RCPTS_DAY;
		if (account->health.state != HEALTH_OK || account->word.why != LIMIT_GO ||
		    world->asleep == world->now || (i == TOKENS && !token_usable(&account->token, world->now)) ||
		    world->down[i])
			world->well_since[i] = world->now;
		for (const struct sched_job *job = account->sched.all; job; job = job->next) {
			since = job->due > world->well_since[i] ? job->due : world->well_since[i];
			if (world->came[number_of(job->job)] > since)
				since = world->came[number_of(job->job)];
			if (job->place == SCHED_READY && world->now - since > WAIT_MAX)
				fail_msg("job %s of %s waits for %lld s", job->job->id, names[i],
				    (long long)(world->now - since) / 1000);
		}
		check_filled(world, account, i);
	}
}

static void
accept(struct world *world, unsigned n)
{
	unsigned i = roll(world, ACCOUNTS);
	const unsigned rcpts = 1 + roll(world, RCPTS);
	const enum job_severity severity = (enum job_severity)roll(world, 8);
	struct queue_job *job;

	if (world->ordered && n % 2 == 0)
		i = index_of(engine_route(world->engine, false, clock_of(world))->name);
	job = row_make(n, names[i], clock_of(world).unix_ms, severity, rcpts);
	if (world->crowded) { /* a flood of one, a few of others; some are due later */
		job->uid = roll(world, 10) < 7 ? 0 : 1 + roll(world, OWNERS - 1);
		job->severity = roll(world, 10) == 0 ? JOB_CRITICAL : JOB_WARNING;
		job->due += roll(world, 8) == 0 ? ND_SEC(roll(world, 900)) : 0;
	}
	world->first[n] = i;
	if (world->ordered && n % 10 == 1)
		job->facts = nd_xstrdup("{\"" QUEUE_PINNED "\":true}");
	if (i != CALM && roll(world, 10) == 0)
		job->expires = job->created + ND_MIN(1 + roll(world, 20));
	world->accepted[n] = world->now;
	to_disk(world, job);
	engine_accepted(world->engine, job, clock_of(world));
}

static nd_ms
next_of(struct world *world, bool busy)
{
	nd_ms next = engine_deadline(world->engine, clock_of(world));

	for (unsigned i = 0; i < world->event_count; i++)
		if (world->events[i].at < next)
			next = world->events[i].at;
	if (busy && !world->week && world->now + 700 < next)
		next = world->now + 1 + roll(world, 1000);
	return next < world->now + ND_MIN(1) ? next : world->now + ND_MIN(1);
}

/* One final state; nobody has it twice unless the job says so; nobody is said to have it who has not. */
static void
check_end(struct world *world, unsigned n)
{
	const struct queue_job *job = world->disk[n];

	assert_true(job_state_final((enum job_state)job->state));
	if (queue_says(job, QUEUE_PINNED))
		assert_int_equal(index_of(job->account), world->first[n]);
	for (unsigned k = 0; k < job->rcpt_count; k++) {
		assert_int_not_equal(job->rcpts[k].state, RCPT_PENDING);
		if (world->delivered[n][k] > 1)
			assert_true(job->uncertain);
		if (job->rcpts[k].state == RCPT_DELIVERED)
			assert_true(world->delivered[n][k] >= 1);
		else if (world->delivered[n][k] > 0)
			assert_true(job->uncertain);
		if (world->withdrawn[n])
			assert_int_equal(world->delivered[n][k], world->then[n][k]);
	}
	if (!world->crowded && index_of(job->account) == CALM && world->first[n] == CALM &&
	    world->accepted[n] > world->asleep)
		assert_true(world->ended[n] - world->accepted[n] < CALM_MAX);
}

static void
open_world(struct world *world, uint32_t seed, enum kind kind)
{
	static char users[ACCOUNTS][2] = { "x", "y", "z" };
	static char *order[ACCOUNTS];
	const bool week = kind == WEEK;

	*world = (struct world){ .dice = seed, .week = week, .ordered = kind == ORDERED, .crowded = kind == CROWDED };
	rows_conf(&world->conf, names, SESSIONS);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		world->conf.account[i].user = users[i];
	world->conf.account[CHECKERED].window = seed % 3 == 0 ? 1 : 4;
	world->conf.account[CHECKERED].messages_per_minute = seed % 2 ? 12 : 0;
	world->conf.account[TOKENS].auth = CONF_OAUTH2;
	world->conf.account[TOKENS].messages_per_minute = seed % 5 ? 0 : 8;
	world->conf.account[CHECKERED].recipients_per_day = week ? 30 : 0;
	world->conf.account[CHECKERED].messages_per_recipient_hour = week ? 4 : 0;
	if (world->ordered) {
		for (unsigned i = 0; i < ACCOUNTS; i++)
			order[i] = world->conf.account[i].name;
		world->conf.accounts = (struct conf_list){ order, ACCOUNTS };
		world->conf.failover_after = ND_MIN(2);
		world->conf.uncertain_wait = ND_MIN(15);
		if (seed % 2 == 0 && seed % 5 > 0) /* neither has limits */
			world->conf.account[TOKENS].user = users[CHECKERED];
	}
	begin(world);
}

static bool
unfinished(const struct world *world)
{
	for (unsigned n = 0; n < JOBS; n++)
		if (!world->disk[n] || !job_state_final((enum job_state)world->disk[n]->state))
			return true;
	return false;
}

static void
run_world(struct world *world, uint32_t seed, enum kind kind)
{
	unsigned n = 0, turns = 0;

	open_world(world, seed, kind);
	while (unfinished(world)) {
		assert_true(++turns < 200000);
		if (n < JOBS && roll(world, world->week ? 40 : 3) == 0)
			accept(world, n++);
		for (unsigned i = 0; world->crowded && i < 20 && n < JOBS; i++)
			accept(world, n++);
		befall(world);
		for (unsigned i = 0; i < world->event_count;) {
			struct event event = world->events[i];

			if (event.at > world->now) {
				i++;
				continue;
			}
			unplan(world, i);
			play(world, &event);
			i = 0; /* it may have taken others along */
		}
		sweep(world);
		obey(world);
		check_waits(world);
		world->now = next_of(world, n < JOBS);
	}
	for (n = 0; n < JOBS; n++) {
		check_end(world, n);
		queue_job_free(world->disk[n]);
	}
	for (unsigned i = 0; i < ACCOUNTS; i++)
		free(world->kept[i]);
	finish(world->engine, &world->conf);
}

static void
run_worlds(unsigned seeds, enum kind kind)
{
	static struct world world;
	const char *one = getenv("ND_SEED");
	unsigned crashes = 0, twice = 0, paced = 0, moved = 0, declined = 0, beside = 0;
	int ahead = 0;

	for (uint32_t seed = one ? (uint32_t)strtoul(one, NULL, 10) : 1; seed <= seeds || one; seed++) {
		seed_played = seed;
		run_world(&world, seed, kind);
		crashes += world.crashes;
		twice += world.twice;
		paced += world.paced;
		moved += world.moved;
		declined += world.declined;
		beside += world.beside;
		ahead = world.most_ahead > ahead ? world.most_ahead : ahead;
		assert_true(kind != WEEK || world.now > ND_DAY(5));
		if (one)
			break;
	}
	seed_played = 0;
	assert_true(one || kind != CROWDED || (beside > 10 * seeds && ahead > 1));
	assert_true(one || (crashes > seeds && twice > seeds && (kind != WEEK || paced > seeds) &&
			       (kind != ORDERED || (moved > 10 * seeds &&
						       declined > 10 * seeds)))); /* else nothing was put to the test */
}

static void
in_a_world_of_outages_each_job_ends_once(void **state)
{
	(void)state;
	run_worlds(SEEDS, PLAIN);
}

static void
in_weeks_with_a_daily_quota_too_and_no_day_has_more(void **state)
{
	(void)state;
	run_worlds(WEEKS, WEEK);
}

static void
with_failover_each_job_ends_once_by_an_account_that_can_take_it(void **state)
{
	(void)state;
	run_worlds(SEEDS, ORDERED);
}

/* Most of what is due is in the store only. */
static void
when_the_window_is_far_too_small_severe_ones_are_first_and_submitters_in_turn(void **state)
{
	(void)state;
	run_worlds(SEEDS, CROWDED);
}

static int
say_seed(void **state)
{
	(void)state;
	if (seed_played != 0)
		print_error("this was the world of ND_SEED=%u\n", seed_played);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(in_a_world_of_outages_each_job_ends_once, say_seed),
		cmocka_unit_test_teardown(with_failover_each_job_ends_once_by_an_account_that_can_take_it, say_seed),
		cmocka_unit_test_teardown(
		    when_the_window_is_far_too_small_severe_ones_are_first_and_submitters_in_turn, say_seed),
		cmocka_unit_test_teardown(in_weeks_with_a_daily_quota_too_and_no_day_has_more, say_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
