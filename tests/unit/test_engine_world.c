/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_world.c - the engine in a world of outages, crashes and leaping clocks: each job ends once, and no limit is passed.
 *
 * What the engine wants is answered later, so that a crash, a suspended host, a cancelled job meet sessions that are being opened, mails under way
 * and outcomes on their way to the disk. A relay may take a mail from the moment its job is noted in flight. ND_SEED=N plays one world alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/engine_kit.h"

#define JOBS 240u
#define ACCOUNTS 3u
#define RCPTS 4u
#define EVENTS 4000u
#define SEEDS 30u
#define WEEKS 6u            /* worlds that last for about a week, with limits by day and hour */
#define WAIT_MAX ND_MIN(10) /* of a job that is ready, while its account is well */
#define CALM_MAX ND_MIN(2)  /* of a job of the account that nothing happens to, from its acceptance to its end */

enum { CHECKERED, TOKENS, CALM }; /* the accounts */
static const char *const names[] = { "checkered", "tokens", "calm", NULL };

enum what { OPENED, NOTED, ROOM, OUTCOME, TOKEN, STORED };
struct event {
	enum what what;
	nd_ms at;
	struct pool_session *session;
	struct engine_account *account;
	struct sched_job *job;
};

struct world {
	struct conf conf;
	struct engine *engine;
	struct queue_job *disk[JOBS]; /* what the store holds */
	char *kept[ACCOUNTS];         /* records of limits */
	unsigned delivered[JOBS][RCPTS];
	bool withdrawn[JOBS];
	unsigned then[JOBS][RCPTS]; /* delivered when it was withdrawn */
	nd_ms accepted[JOBS], ended[JOBS];
	struct event events[EVENTS]; /* in the order in which they were wanted */
	unsigned event_count;
	nd_ms begun[ACCOUNTS][JOBS * 40]; /* when data began */
	unsigned begun_rcpts[ACCOUNTS][JOBS * 40];
	nd_ms written[RCPTS][JOBS * 40]; /* to each reader, by the account that has a limit for that */
	unsigned written_count[RCPTS];
	unsigned begun_count[ACCOUNTS];
	nd_ms well_since[ACCOUNTS];
	uint32_t dice;
	nd_ms now, skew, swept, asleep; /* asleep: when the host woke up last */
	bool down[ACCOUNTS];            /* the relay */
	unsigned crashes, twice, paced;
	bool week;
};

static uint32_t seed_played; /* 0: all went well */

static unsigned
roll(struct world *world, unsigned sides)
{
	world->dice = world->dice * 1664525u + 1013904223u;
	return (world->dice >> 16) % sides;
}

static struct nd_now
clock_of(const struct world *world)
{
	return (struct nd_now){ world->now, at(world->now).unix_ms + ND_DAY(30) + world->skew };
}

static unsigned
number_of(const struct queue_job *job)
{
	return (unsigned)strtoul(job->id + 19, NULL, 10);
}

static unsigned
index_of(const char *account)
{
	unsigned i = 0;

	while (strcmp(names[i], account) != 0)
		i++;
	return i;
}

static void
plan(struct world *world, struct event event, nd_ms wait)
{
	nd_ms last = 0;

	/* Of one session, in order. */
	for (unsigned i = 0; i < world->event_count && event.session; i++)
		if (world->events[i].session == event.session && world->events[i].at > last)
			last = world->events[i].at;
	event.at = world->now + wait > last ? world->now + wait : last;
	assert_true(world->event_count < EVENTS);
	world->events[world->event_count++] = event;
}

static void
unplan(struct world *world, unsigned i)
{
	world->event_count--;
	memmove(&world->events[i], &world->events[i + 1], (world->event_count - i) * sizeof(struct event));
}

static void
forget_session(struct world *world, const struct pool_session *session)
{
	for (unsigned i = world->event_count; i > 0; i--)
		if (world->events[i - 1].session == session)
			unplan(world, i - 1);
}

/* ---- the disk ---- */

static struct queue_job *
copy_row(const struct queue_job *job)
{
	struct queue_job *copy =
	    row_make(number_of(job), job->account, job->due, (enum job_severity)job->severity, job->rcpt_count);

	copy->state = job->state;
	copy->created = job->created;
	copy->expires = job->expires;
	copy->attempt_count = job->attempt_count;
	copy->uncertain = job->uncertain;
	for (unsigned i = 0; i < job->rcpt_count; i++)
		copy->rcpts[i].state = job->rcpts[i].state;
	return copy;
}

static void
to_disk(struct world *world, const struct queue_job *job)
{
	unsigned n = number_of(job);

	assert_true(!world->disk[n] || !job_state_final((enum job_state)world->disk[n]->state)); /* it ends once */
	queue_job_free(world->disk[n]);
	world->disk[n] = copy_row(job);
	if (job_state_final((enum job_state)job->state))
		world->ended[n] = world->now;
}

static void
load(struct world *world, struct engine_account *account)
{
	struct queue_job *jobs[JOBS];
	nd_unix next = ND_NEVER;
	unsigned count = 0;

	for (unsigned n = 0; n < JOBS; n++) {
		struct queue_job *row = world->disk[n];

		if (!row || row->state != JOB_QUEUED || strcmp(row->account, account->conf->name) != 0 ||
		    sched_find(&account->sched, row->id))
			continue;
		if (row->due <= clock_of(world).unix_ms)
			jobs[count++] = copy_row(row);
		else if (row->due < next)
			next = row->due;
	}
	engine_loaded(world->engine, account, jobs, count, false, next, clock_of(world));
}

/* Jobs whose own time is over. */
static void
sweep(struct world *world)
{
	if (world->now - world->swept < ND_MIN(1))
		return;
	world->swept = world->now;
	for (unsigned n = 0; n < JOBS; n++) {
		struct queue_job *row = world->disk[n], *ended;

		if (!row || row->state != JOB_QUEUED || row->expires == 0 || row->expires > clock_of(world).unix_ms ||
		    engine_expire(world->engine, row, clock_of(world)))
			continue;
		ended = copy_row(row);
		settle_expire(ended, clock_of(world).unix_ms);
		to_disk(world, ended);
		queue_job_free(ended);
	}
}

/* ---- the relay ---- */

static void
take(struct world *world, const struct settle_mail *mail, unsigned n)
{
	for (unsigned k = 0; k < mail->mail.rcpt_count; k++)
		if (mail->results[k].reply.code == 250)
			world->twice += ++world->delivered[n][mail->index[k]] > 1;
}

/* No day has more recipients than it may. */
static void
check_day(const struct world *world, unsigned i)
{
	unsigned rcpts = 0, n = world->begun_count[i];

	if (world->conf.account[i].recipients_per_day == 0)
		return;
	while (n > 0 && world->now - world->begun[i][n - 1] < ND_DAY(1))
		rcpts += world->begun_rcpts[i][--n];
	assert_true(rcpts <= world->conf.account[i].recipients_per_day);
}

/* And no hour of a reader. */
static void
check_hour(struct world *world, const struct sched_job *job, unsigned i)
{
	const int64_t at_most = world->conf.account[i].messages_per_recipient_hour;
	struct settle_mail *mail;

	if (at_most == 0)
		return;
	mail = settle_mail_new(job->job);
	for (unsigned k = 0; k < mail->mail.rcpt_count; k++) {
		const unsigned reader = mail->index[k];
		unsigned *count = &world->written_count[reader];

		world->written[reader][(*count)++] = world->now;
		assert_true(*count < JOBS * 40);
		if (*count > at_most)
			assert_true(world->now - world->written[reader][*count - 1 - at_most] >= ND_HOUR(1));
	}
	free(mail);
}

/* From now on the relay may have it, and its data counts for the limits. */
static void
note(struct world *world, struct sched_job *job)
{
	const unsigned i = index_of(job->job->account), at_most = (unsigned)world->conf.account[i].messages_per_minute;
	unsigned *count = &world->begun_count[i];

	job->slot = 0;
	world->begun_rcpts[i][*count] = job->rcpts;
	world->begun[i][(*count)++] = world->now;
	assert_true(*count < JOBS * 40);
	check_day(world, i);
	check_hour(world, job, i);
	if (at_most > 0 && *count > at_most)
		assert_true(world->now - world->begun[i][*count - 1 - at_most] >= ND_MIN(1));
}

static void
tell(struct world *world, struct pool_session *session, struct smtp_outcome *outcome, unsigned no_rcpt)
{
	struct sched_job *job = session->jobs[0];
	struct settle_mail *mail = settle_mail_new(job->job);
	struct engine_told told = { outcome, mail, "relay", clock_of(world).unix_ms };
	unsigned n = number_of(job->job);
	bool lost = outcome->end == SMTP_ENDED_LOST, taken;

	for (unsigned k = 0; k < mail->mail.rcpt_count; k++)
		mail->results[k] = (struct smtp_rcpt_result){ .asked = true,
			.reply = { .code = no_rcpt > 0 && roll(world, no_rcpt) == 0 ? 550 : 250 } };
	if (lost)
		outcome->uncertain = job->slot >= 0;
	taken = lost ? outcome->uncertain && roll(world, 2) == 0 : outcome->reply.code == 250;
	if (taken)
		take(world, mail, n);
	engine_outcome(world->engine, session, &told, clock_of(world));
	if (job->place != SCHED_SETTLING)
		job->slot = -1;
	free(mail);
}

static void
lose(struct world *world, struct pool_session *session)
{
	while (session->job_count > 0) {
		struct smtp_outcome lost = { .end = SMTP_ENDED_LOST,
			.stage = session->jobs[0]->slot >= 0 ? SMTP_AT_END : SMTP_AT_MAIL,
			.company = session->job_count > 1 };

		(void)nd_fail(&lost.why, ND_ECLOSED, 0, "lost");
		tell(world, session, &lost, 0);
	}
	forget_session(world, session);
	engine_gone(world->engine, session, NULL, clock_of(world));
}

static void
play_outcome(struct world *world, struct pool_session *session)
{
	static const struct smtp_reply replies[] = { { .code = 250 }, { .code = 451 }, { .code = 421, .text = "busy" },
		{ .code = 432, .text = "4.3.2 Concurrent connections limit exceeded." }, { .code = 550 } };
	static const unsigned char odds[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 4 };
	const bool calm = index_of(session->account->conf->name) == CALM;
	unsigned luck = calm ? 0 : odds[roll(world, sizeof(odds))];
	struct smtp_outcome outcome = { .end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = replies[luck] };

	if (session->jobs[0]->slot < 0 || (!calm && roll(world, 12) == 0)) {
		lose(world, session);
		return;
	}
	if (outcome.reply.code == 421 && session->job_count > 1) {
		lose(world, session);
		return;
	}
	tell(world, session, &outcome, calm ? 0 : 30);
	if (outcome.reply.code == 421) {
		forget_session(world, session);
		engine_gone(world->engine, session, NULL, clock_of(world));
	} else if (session->job_count == 0) {
		engine_ready(world->engine, session, clock_of(world));
	}
}

static void
play_opened(struct world *world, struct pool_session *session)
{
	static const struct smtp_fault closed = { .stage = SMTP_AT_CONNECT,
		.why = { .err = ND_ECONNECT, .text = "refused" } },
				       no_token = { .stage = SMTP_AT_AUTH,
					       .reply = { .code = 535, .text = "5.7.3 Authentication unsuccessful" },
					       .token_refused = true };
	const unsigned i = index_of(session->account->conf->name);

	if (world->down[i])
		engine_gone(world->engine, session, &closed, clock_of(world));
	else if (i == TOKENS && roll(world, 10) == 0)
		engine_gone(world->engine, session, &no_token, clock_of(world));
	else
		engine_ready(world->engine, session, clock_of(world));
}

static void
play_token(struct world *world, struct engine_account *account)
{
	const unsigned luck = roll(world, 10);
	struct nd_why why;

	(void)nd_fail(&why, luck == 0 ? ND_ETOKEN : ND_ETOKENLATER, 0, "no token");
	if (luck == 0)
		engine_token_refused(world->engine, account, &why, clock_of(world));
	else if (luck == 1)
		engine_token_later(world->engine, account, 0, &why, clock_of(world));
	else
		engine_token_got(world->engine, account, world->now, world->now + ND_HOUR(1), clock_of(world));
}

static void
play(struct world *world, const struct event *event)
{
	switch (event->what) {
	case OPENED:
		play_opened(world, event->session);
		break;
	case NOTED:
		note(world, event->job);
		break;
	case ROOM:
		if (event->session->job_count > 0)
			engine_room(world->engine, event->session);
		break;
	case OUTCOME:
		play_outcome(world, event->session);
		break;
	case TOKEN:
		play_token(world, event->account);
		break;
	case STORED:
		to_disk(world, event->job->job);
		event->job->slot = -1;
		engine_stored(world->engine, event->account, event->job, clock_of(world));
		break;
	}
}

/* ---- the daemon ---- */

static void
begin(struct world *world)
{
	world->engine = engine_new(&world->conf, world->dice, clock_of(world));
	engine_boot(world->engine, "boot");
	for (unsigned i = 0; i < ACCOUNTS; i++)
		world->well_since[i] = world->now;
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
					mail->results[k] =
					    (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250 } };
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

static void
send(struct world *world, const struct engine_action *action)
{
	const nd_ms slow = index_of(action->account->conf->name) == CALM ? 300 : 3000;

	for (const struct sched_job *job = action->account->sched.all; job && !sched_severe(action->job->job);
	     job = job->next)
		assert_false(job->place == SCHED_READY && sched_severe(job->job) && !job->last);
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
			load(world, action.account);
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
		assert_int_equal(act_on(ended, JOB_CANCEL, clock_of(world).unix_ms, NULL), ND_OK);
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
			if (job->place == SCHED_READY && world->now - since > WAIT_MAX)
				fail_msg("job %s of %s waits for %lld s", job->job->id, names[i],
				    (long long)(world->now - since) / 1000);
		}
	}
}

static void
accept(struct world *world, unsigned n)
{
	const unsigned i = roll(world, ACCOUNTS);
	struct queue_job *job =
	    row_make(n, names[i], clock_of(world).unix_ms, (enum job_severity)roll(world, 8), 1 + roll(world, RCPTS));

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
	if (index_of(job->account) == CALM && world->accepted[n] > world->asleep)
		assert_true(world->ended[n] - world->accepted[n] < CALM_MAX);
}

static void
open_world(struct world *world, uint32_t seed, bool week)
{
	static char users[ACCOUNTS][2] = { "x", "y", "z" };

	*world = (struct world){ .dice = seed, .week = week };
	rows_conf(&world->conf, names, 3);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		world->conf.account[i].user = users[i];
	world->conf.account[CHECKERED].window = seed % 3 == 0 ? 1 : 4;
	world->conf.account[CHECKERED].messages_per_minute = seed % 2 ? 12 : 0;
	world->conf.account[TOKENS].auth = CONF_OAUTH2;
	world->conf.account[TOKENS].messages_per_minute = seed % 5 ? 0 : 8;
	world->conf.account[CHECKERED].recipients_per_day = week ? 30 : 0;
	world->conf.account[CHECKERED].messages_per_recipient_hour = week ? 4 : 0;
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
run_world(struct world *world, uint32_t seed, bool week)
{
	unsigned n = 0, turns = 0;

	open_world(world, seed, week);
	while (unfinished(world)) {
		assert_true(++turns < 200000);
		if (n < JOBS && roll(world, week ? 40 : 3) == 0)
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
run_worlds(unsigned seeds, bool week)
{
	static struct world world;
	const char *one = getenv("ND_SEED");
	unsigned crashes = 0, twice = 0, paced = 0;

	for (uint32_t seed = one ? (uint32_t)strtoul(one, NULL, 10) : 1; seed <= seeds || one; seed++) {
		seed_played = seed;
		run_world(&world, seed, week);
		crashes += world.crashes;
		twice += world.twice;
		paced += world.paced;
		assert_true(!week || world.now > ND_DAY(5));
		if (one)
			break;
	}
	seed_played = 0;
	assert_true(one || (crashes > seeds && twice > seeds &&
			       (!week || paced > seeds))); /* else nothing was put to the test */
}

static void
in_a_world_of_outages_each_job_ends_once(void **state)
{
	(void)state;
	run_worlds(SEEDS, false);
}

static void
in_weeks_with_a_daily_quota_too_and_no_day_has_more(void **state)
{
	(void)state;
	run_worlds(WEEKS, true);
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
		cmocka_unit_test_teardown(in_weeks_with_a_daily_quota_too_and_no_day_has_more, say_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
