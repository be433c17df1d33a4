/* SPDX-License-Identifier: Apache-2.0 */
/* engine_world.h - a world for the engine: its disk, its relays, and what they do to sessions and mails. Wants cmocka.h before it.
 *
 * What the engine wants is answered later, so that a crash, a suspended host, a cancelled job meet sessions that are being opened, mails under way
 * and outcomes on their way to the disk. A relay may take a mail from the moment its job is noted in flight.
 */
#ifndef TESTS_UNIT_ENGINE_WORLD_H
#define TESTS_UNIT_ENGINE_WORLD_H

#include "daemon/core/declined.h"
#include "tests/unit/engine_kit.h"

#define JOBS 240u
#define ACCOUNTS 3u
#define RCPTS 4u
#define OWNERS 5u
#define LOOKED_FOR ND_SEC(5) /* by then what is due is found, however full the window is */
#define EVENTS 4000u

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
	unsigned crashes, twice, paced, moved, declined;
	bool week;
	bool ordered;                /* jobs go on by other accounts */
	unsigned first[JOBS];        /* the account that a job came for */
	nd_ms came[JOBS];            /* to the account that it has */
	bool crowded;                /* the window holds a few jobs only */
	nd_ms stirred;               /* when it began, last, or the clock leapt */
	nd_ms sent[ACCOUNTS];        /* the last mail */
	int ahead[ACCOUNTS][OWNERS]; /* mails of others since one of this owner, who has one waiting; < 0: owed turns */
	int most_ahead;
	unsigned beside;
};

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
	copy->uid = job->uid;
	copy->created = job->created;
	copy->expires = job->expires;
	copy->attempt_count = job->attempt_count;
	copy->uncertain = job->uncertain;
	copy->declined = job->declined ? nd_xstrdup(job->declined) : NULL;
	copy->facts = job->facts ? nd_xstrdup(job->facts) : NULL;
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

static int
by_due(const void *a, const void *b)
{
	const struct queue_job *const *x = a, *const *y = b;

	if ((*x)->due != (*y)->due)
		return (*x)->due > (*y)->due ? 1 : -1;
	return strcmp((*x)->id, (*y)->id);
}

/* A page as the store gives it: severe ones, then of each owner in turn, oldest due first. */
struct page {
	struct queue_job *rows[JOBS]; /* that are due, and queued for the account */
	unsigned count;
	struct queue_job *jobs[JOBS];
	unsigned job_count;
	bool more;
};

/* The first of this owner that is neither in the window nor in the page; NULL none, or none of the first `few`. */
static struct queue_job *
next_row(const struct page *page, const struct sched *sched, bool severe, uint32_t uid, unsigned few)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < page->count && seen < few; i++) {
		struct queue_job *row = page->rows[i];
		bool taken = sched_find(sched, row->id) != NULL;

		if (sched_severe(row) != severe || (!severe && row->uid != uid))
			continue;
		seen++;
		for (unsigned k = 0; k < page->job_count && !taken; k++)
			taken = strcmp(page->jobs[k]->id, row->id) == 0;
		if (!taken)
			return row;
	}
	return NULL;
}

/* One more, if there is one and room for it. */
static bool
put(struct page *page, const struct queue_job *row, unsigned most)
{
	if (row && page->job_count < most)
		page->jobs[page->job_count++] = copy_row(row);
	else
		page->more = page->more || row;
	return row && !page->more;
}

static void
load(struct world *world, struct engine_account *account, unsigned most)
{
	const struct sched *sched = &account->sched;
	const unsigned few = sched->few ? sched->room.few : JOBS;
	struct page page = { .count = 0 };
	nd_unix next = ND_NEVER;
	bool any = true;

	for (unsigned n = 0; n < JOBS; n++) {
		struct queue_job *row = world->disk[n];

		if (!row || row->state != JOB_QUEUED || strcmp(row->account, account->conf->name) != 0)
			continue;
		if (row->due <= clock_of(world).unix_ms)
			page.rows[page.count++] = row;
		else if (row->due < next)
			next = row->due;
	}
	qsort(page.rows, page.count, sizeof(struct queue_job *), by_due);
	while (put(&page, next_row(&page, sched, true, 0, JOBS), most))
		continue;
	while (any && !page.more) {
		any = false;
		for (uint32_t uid = 0; uid < OWNERS; uid++)
			any = put(&page, next_row(&page, sched, false, uid, few), most) || any;
	}
	world->beside += sched->few ? page.job_count : 0;
	engine_loaded(world->engine, account, page.jobs, page.job_count, page.more, next, clock_of(world));
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
			.reply = { .code = no_rcpt > 0 && roll(world, no_rcpt) == 0 ? 550 : 250, .lines = 1 } };
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

/* Some messages are too big for some relays, a few for all. */
static bool
too_big(const struct world *world, unsigned n, unsigned account)
{
	return world->ordered && (n % 31 == 0 || (n + 3 * account) % 8 == 0);
}

static void
play_outcome(struct world *world, struct pool_session *session)
{
	static const struct smtp_reply big = { .code = 552, .enhanced = "5.3.4", .text = "too big", .lines = 1 };
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
	if (too_big(world, number_of(session->jobs[0]->job), index_of(session->account->conf->name))) {
		outcome.reply = big;
		world->declined++;
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

#endif
