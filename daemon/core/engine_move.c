/* SPDX-License-Identifier: Apache-2.0 */
/* engine_move.c - which account a job goes to, and jobs that move on to another one.  Layer: core. */
#include "daemon/core/engine_inner.h"

#include "common/str.h"
#include "daemon/core/declined.h"

#include <stdlib.h>

#define MOVES 64u               /* of one account, on their way to the disk */
#define SEVERE_PROBE ND_MIN(15) /* so long the probe of an account waits for a mail that is not severe */
#define SEVERE_WAITS ND_MIN(1)  /* so long a severe one waits for its turn as a probe */

static bool
usable(const struct engine_account *account)
{
	return account->health.state == HEALTH_OK || account->health.state == HEALTH_PACED;
}

void
engine_mind_way(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	/* What an operator paused waits for the operator; without failover all is as if nothing had been. */
	if (account->health.state != HEALTH_PAUSED || engine->conf->failover_after == 0)
		breaker_look(&account->breaker, usable(account), engine->conf->failover_after, now.ms);
}

bool
engine_wants_mail(const struct engine_account *account)
{
	return account->breaker.state == BREAKER_OPEN && account->health.in_mail &&
	       account->sched.count == account->sched.waiting.count;
}

static bool
wants_probe(struct engine_account *account, nd_ms now)
{
	return engine_wants_mail(account) && health_leave(&account->health, now) == HEALTH_ONE;
}

/* Nothing severe is risked for a probe, unless somebody says that the account is mended, or no other mail has come for long. */
static bool
risks_severe(const struct engine_account *account, nd_ms now)
{
	return account->health.urged || now - SEVERE_PROBE >= account->health.until;
}

static struct engine_account *
in_order(struct engine *engine, unsigned n)
{
	const struct conf_account *conf = conf_account_nth(engine->conf, n);

	return conf ? engine_account_named(engine, conf->name) : NULL;
}

static unsigned
severe_waiting(const struct sched *sched)
{
	const struct sched_job *job;
	unsigned count = 0;

	for (job = sched->all; job; job = job->next)
		count += job->severe && (job->place == SCHED_WAITING || job->place == SCHED_READY);
	return count;
}

/* Its mailbox has sent so much in a day that another severe job would wait there for longer than a fault may last. Another account of the same
 * mailbox is no way out, whatever its own settings say. */
static bool
spent(const struct engine *engine, const struct engine_account *account, nd_ms now)
{
	const nd_ms after = engine->conf->failover_after;
	const struct engine_account *mate;
	unsigned mails = 1, i;
	bool ruled = false;

	for (i = 0; i < engine->count && after > 0; i++) {
		mate = engine->accounts[i];
		ruled = ruled || (mate->limit == account->limit && (mate->rules.day > 0 || mate->rules.rcpts > 0));
	}
	for (i = 0; i < engine->count && ruled; i++)
		if (engine->accounts[i]->limit == account->limit)
			mails += severe_waiting(&engine->accounts[i]->sched);
	for (i = 0; i < engine->count && ruled; i++) {
		mate = engine->accounts[i];
		if (mate->limit == account->limit &&
		    limit_day_when(mate->limit, &mate->rules, mails, now) - now >= after)
			return true;
	}
	return false;
}

/* past: those that are spent are left out, and what is in trouble too is no better. */
static const struct conf_account *
first_way(struct engine *engine, bool severe, bool past, struct nd_now now)
{
	struct engine_account *account;
	bool passed = false;
	unsigned n;

	for (n = 0; (account = in_order(engine, n)) != NULL; n++) {
		enum breaker_state state = account->breaker.state;

		if (past && spent(engine, account, now.ms)) {
			passed = true;
			continue;
		}
		if (passed && !usable(account))
			continue;
		if (state == BREAKER_CLOSED ||
		    (state == BREAKER_HALF && usable(account) && breaker_take(&account->breaker, now.ms)))
			return account->conf;
		if ((!severe || risks_severe(account, now.ms)) && wants_probe(account, now.ms) &&
		    breaker_take(&account->breaker, now.ms))
			return account->conf;
	}
	return NULL;
}

const struct conf_account *
engine_route(struct engine *engine, bool severe, struct nd_now now)
{
	const struct conf_account *conf = severe ? first_way(engine, severe, true, now) : NULL;

	if (!conf)
		conf = first_way(engine, severe, false, now);
	return conf ? conf : conf_account_nth(engine->conf, 0);
}

static bool
may_take(const struct engine_account *account, const struct engine_account *from, const struct queue_job *job)
{
	return account != from && !account->gone && !declined_by(job, account->conf->name);
}

static bool
works(const struct engine_account *account)
{
	return usable(account) && account->breaker.state != BREAKER_OPEN;
}

/* Its day's limit keeps severe jobs, and for longer than a fault may last. */
static bool
keeps_severe(const struct engine *engine, const struct engine_account *account, nd_ms now)
{
	const struct limit_word *word = &account->word;

	return account->urgent && (word->why == LIMIT_DAY || word->why == LIMIT_RCPTS_DAY) && works(account) &&
	       engine->conf->failover_after > 0 && word->until != ND_NEVER &&
	       word->until - now >= engine->conf->failover_after;
}

static bool
takes(const struct engine *engine, const struct engine_account *account, bool severe, nd_ms now)
{
	return works(account) && !(severe && spent(engine, account, now));
}

/* Where a job goes from an account that is in trouble, or cannot take it: the first of the order that works. */
static struct engine_account *
next_account(struct engine *engine, const struct engine_account *from, const struct queue_job *job, nd_ms now)
{
	struct engine_account *account;
	unsigned n;

	for (n = 0; (account = in_order(engine, n)) != NULL; n++)
		if (may_take(account, from, job) && takes(engine, account, sched_severe(job), now) &&
		    breaker_take(&account->breaker, now))
			return account;
	return NULL;
}

/* The first of the order that has not declined it, in trouble or not; with `working`: that works. */
static struct engine_account *
any_account(struct engine *engine, const struct engine_account *from, const struct queue_job *job, bool working)
{
	struct engine_account *account;
	unsigned n;

	for (n = 0; (account = in_order(engine, n)) != NULL; n++)
		if (may_take(account, from, job) && (!working || works(account)))
			return account;
	return NULL;
}

bool
engine_elsewhere(struct engine *engine, const struct engine_account *account, const struct queue_job *job, bool working)
{
	return engine->conf->failover_after > 0 && any_account(engine, account, job, working) != NULL &&
	       !queue_says(job, QUEUE_PINNED);
}

bool
engine_leaves(const struct engine_account *account, const struct queue_job *job)
{
	return job->declined && job->state == JOB_QUEUED && declined_by(job, account->conf->name);
}

void
engine_leave(struct engine *engine, struct nd_now now, struct engine_action *action)
{
	struct queue_job *job = action->job->job;
	struct engine_account *to = NULL;

	if (engine_elsewhere(engine, action->account, job, false))
		to = next_account(engine, action->account, job, now.ms);
	if (!to && engine_elsewhere(engine, action->account, job, false))
		to = any_account(engine, action->account, job, false); /* it waits there till that is well */
	if (!to) {
		settle_declined(job, now.unix_ms);
		return;
	}
	action->act = ENGINE_MOVE;
	action->to = to->conf;
}

/* The relay may have taken an uncertain one: if it did, its reader has it by then. */
static nd_ms
moves_from(const struct engine *engine, const struct engine_account *account, const struct sched_job *job)
{
	const nd_ms began = account->breaker.state == BREAKER_OPEN ? account->breaker.since : account->health.since;

	return (began > job->doubted ? began : job->doubted) + engine->conf->uncertain_wait;
}

/* What next_job looks for. */
struct wish {
	bool past;   /* only those that may go past a limit */
	bool severe; /* there is an account for severe ones */
};

static bool
declined_goes(struct engine *engine, const struct engine_account *from, const struct queue_job *job, nd_ms now)
{
	const struct engine_account *account;
	unsigned n;

	for (n = 0; (account = in_order(engine, n)) != NULL; n++)
		if (may_take(account, from, job) && takes(engine, account, sched_severe(job), now))
			return true;
	return false;
}

static bool
may_move(struct engine *engine, const struct engine_account *account, const struct sched_job *job,
    const struct wish *wish, nd_ms now)
{
	if (job->place != SCHED_READY || job->stays || (job->severe && !wish->severe) ||
	    (wish->past && (!job->severe || job->job->passed)))
		return false;
	if (job->job->declined && !declined_goes(engine, account, job->job, now))
		return false; /* it keeps no other one here */
	return !job->job->uncertain || now >= moves_from(engine, account, job);
}

static bool
waits_as_probe(const struct engine_account *account, const struct sched_job *job, nd_ms now)
{
	return !sched_severe(job->job) || (risks_severe(account, now) && now - job->due < SEVERE_WAITS);
}

/* The most severe, of these the oldest. One is left for a probe that only a mail can pass. */
static struct sched_job *
next_job(struct engine *engine, struct engine_account *account, bool past, nd_ms now)
{
	struct wish wish = { .past = past };
	const bool probe =
	    account->health.in_mail && account->sched.sending == 0 && health_leave(&account->health, now) == HEALTH_ONE;
	struct sched_job *job, *best = NULL;
	const struct engine_account *to;
	unsigned found = 0, n;

	for (n = 0; !wish.severe && (to = in_order(engine, n)) != NULL; n++)
		wish.severe = to != account && takes(engine, to, true, now);
	for (job = account->sched.all; job; job = job->next) {
		found += job->place == SCHED_READY || job->place == SCHED_SETTLING;
		if (may_move(engine, account, job, &wish, now) &&
		    (!best || sched_severe(job->job) > sched_severe(best->job) ||
			(sched_severe(job->job) == sched_severe(best->job) && job->due < best->due)))
			best = job;
	}
	return best && probe && found == 1 && waits_as_probe(account, best, now) ? NULL : best;
}

/* Its jobs move now. */
static bool
moving(const struct engine *engine, const struct engine_account *account)
{
	return account->breaker.state == BREAKER_OPEN && account->health.state != HEALTH_PAUSED &&
	       engine->conf->failover_after > 0;
}

bool
engine_move_next(struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	const bool past = keeps_severe(engine, account, now.ms);
	struct engine_account *to;
	struct sched_job *job;

	/* Past a limit one at a time: where it went it is counted before the next one does. */
	if ((!past && !moving(engine, account)) || account->sched.settling >= (past ? 1 : MOVES))
		return false;
	job = next_job(engine, account, past, now.ms);
	to = job ? next_account(engine, account, job->job, now.ms) : NULL;
	if (!to)
		return false;
	job->job->passed = job->job->passed || past;
	sched_settle(&account->sched, job);
	engine->settling++;
	action->act = ENGINE_MOVE;
	action->job = job;
	action->to = to->conf;
	return true;
}

void
engine_stays(struct engine *engine, struct engine_account *account, struct sched_job *job, struct nd_now now)
{
	job->stays = true;
	engine->settling--;
	engine_put_back(engine, account, job, job->due, now);
}

bool
engine_moved(struct engine *engine, struct engine_account *account, struct sched_job *job, struct nd_now now)
{
	struct engine_account *to;
	struct queue_job *row;
	unsigned i;

	if (nd_str_eq_nocase(job->job->account, account->conf->name))
		return false;
	row = sched_release(&account->sched, job);
	for (i = 0; i < row->rcpt_count; i++)
		row->rcpts[i].alone = row->rcpts[i].wait = row->rcpts[i].put_off =
		    false; /* that was between them and the other account */
	row->most = row->domains = 0;
	row->wait = 0;
	to = engine_account_named(engine, row->account);
	if (to && !to->gone && row->state == JOB_QUEUED)
		(void)sched_add(&to->sched, row, now);
	else
		queue_job_free(row);
	return true;
}

/* The first time after now at which one of its jobs may move that may not yet, or one may go to an account that has got its share for now. */
static nd_ms
next_move(struct engine *engine, const struct engine_account *account, nd_ms now)
{
	const struct engine_account *to;
	const struct sched_job *job;
	nd_ms at = ND_NEVER, may;
	unsigned n;

	for (job = account->sched.all; job; job = job->next) {
		if (job->place != SCHED_READY || job->stays)
			continue;
		may = job->job->uncertain      ? moves_from(engine, account, job)
		      : sched_severe(job->job) ? job->due + SEVERE_WAITS
					       : ND_NEVER;
		if (may > now && may < at)
			at = may;
	}
	for (n = 0; sched_ready(&account->sched) > 0 && (to = in_order(engine, n)) != NULL; n++) {
		may = to->breaker.given + BREAKER_AGAIN;
		if (to != account && to->breaker.state == BREAKER_HALF && may > now && may < at)
			at = may;
	}
	return at;
}

nd_ms
engine_move_deadline(struct engine *engine, const struct engine_account *account, nd_ms now)
{
	if (moving(engine, account) || keeps_severe(engine, account, now))
		return next_move(engine, account, now);
	return breaker_deadline(&account->breaker, engine->conf->failover_after);
}
