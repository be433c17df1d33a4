/* SPDX-License-Identifier: Apache-2.0 */
/* engine_move.c - which account a job goes to, and jobs that move on to another one.  Layer: core. */
#include "daemon/core/engine_inner.h"

#include "common/str.h"

#include <stdlib.h>

#define MOVES 64u /* of one account, on their way to the disk */

static bool
usable(const struct engine_account *account)
{
	return account->health.state == HEALTH_OK || account->health.state == HEALTH_PACED;
}

void
engine_mind_way(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	/* What an operator paused waits for the operator. */
	if (account->health.state != HEALTH_PAUSED)
		breaker_look(&account->breaker, usable(account), engine->conf->failover_after, now.ms);
}

bool
engine_wants_mail(const struct engine_account *account)
{
	return account->breaker.state == BREAKER_OPEN && account->health.in_mail && account->sched.count == 0;
}

static bool
wants_probe(struct engine_account *account, nd_ms now)
{
	return engine_wants_mail(account) && health_leave(&account->health, now) == HEALTH_ONE;
}

static struct engine_account *
in_order(struct engine *engine, unsigned n)
{
	const struct conf_account *conf = conf_account_nth(engine->conf, n);

	return conf ? engine_account_named(engine, conf->name) : NULL;
}

const struct conf_account *
engine_route(struct engine *engine, bool severe, struct nd_now now)
{
	struct engine_account *account;
	unsigned n;

	for (n = 0; (account = in_order(engine, n)) != NULL; n++) {
		enum breaker_state state = account->breaker.state;

		if (state == BREAKER_CLOSED ||
		    (state == BREAKER_HALF && usable(account) && breaker_take(&account->breaker, now.ms)))
			return account->conf;
		if (!severe && wants_probe(account, now.ms) && breaker_take(&account->breaker, now.ms))
			return account->conf;
	}
	return conf_account_nth(engine->conf, 0);
}

/* Where the jobs of an account in trouble go: the first of the order that works. */
static struct engine_account *
next_account(struct engine *engine, const struct engine_account *from, nd_ms now)
{
	struct engine_account *account;
	unsigned n;

	for (n = 0; (account = in_order(engine, n)) != NULL; n++)
		if (account != from && !account->gone && usable(account) && account->breaker.state != BREAKER_OPEN &&
		    breaker_take(&account->breaker, now))
			return account;
	return NULL;
}

/* The relay may have taken an uncertain one: if it did, its reader has it by then. */
static bool
may_move(const struct engine *engine, const struct engine_account *account, const struct sched_job *job, nd_ms now)
{
	const nd_ms wait = engine->conf->uncertain_wait;

	if (job->place != SCHED_READY || job->stays)
		return false;
	return !job->job->uncertain || (now - account->breaker.since >= wait && now - job->doubted >= wait);
}

/* The most severe, of these the oldest. One is left for a probe that only a mail can pass. */
static struct sched_job *
next_job(const struct engine *engine, struct engine_account *account, nd_ms now)
{
	const bool probe =
	    account->health.in_mail && account->sched.sending == 0 && health_leave(&account->health, now) == HEALTH_ONE;
	struct sched_job *job, *best = NULL;
	unsigned found = 0;

	for (job = account->sched.all; job; job = job->next) {
		found += job->place == SCHED_READY || job->place == SCHED_SETTLING;
		if (may_move(engine, account, job, now) &&
		    (!best || sched_severe(job->job) > sched_severe(best->job) ||
			(sched_severe(job->job) == sched_severe(best->job) && job->due < best->due)))
			best = job;
	}
	return best && probe && found == 1 && !sched_severe(best->job) ? NULL : best;
}

bool
engine_move_next(struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	struct engine_account *to;
	struct sched_job *job;

	if (account->breaker.state != BREAKER_OPEN || account->sched.settling >= MOVES)
		return false;
	job = next_job(engine, account, now.ms);
	to = job ? next_account(engine, account, now.ms) : NULL;
	if (!to)
		return false;
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
	engine_stored(engine, account, job, now);
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
		row->rcpts[i].alone = row->rcpts[i].wait = false; /* that was between them and the other account */
	row->most = row->domains = 0;
	to = engine_account_named(engine, row->account);
	if (to && !to->gone && row->state == JOB_QUEUED)
		(void)sched_add(&to->sched, row, now);
	else
		queue_job_free(row);
	return true;
}

nd_ms
engine_move_deadline(const struct engine *engine, const struct engine_account *account)
{
	if (account->breaker.state == BREAKER_OPEN)
		return account->breaker.since + engine->conf->uncertain_wait;
	return breaker_deadline(&account->breaker, engine->conf->failover_after);
}
