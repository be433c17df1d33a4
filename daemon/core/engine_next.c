/* SPDX-License-Identifier: Apache-2.0 */
/* engine_next.c - what the engine wants done next, and when.  Layer: core. */
#include "daemon/core/engine_inner.h"

#include <stdlib.h>

#define SETTLING_MAX 8u /* outcomes under way to the disk, for each session; those of two windows beside */

/* Nothing new is begun. */
static bool
quiet(const struct engine *engine)
{
	return engine->stopping || engine->held;
}

unsigned
engine_busy(const struct engine *engine)
{
	unsigned i, busy = engine->settling + engine_limit_busy(engine);

	for (i = 0; i < engine->count; i++)
		busy += engine->accounts[i]->sched.sending;
	return busy;
}

/* Does the default age of its jobs run? Not while they wait for something that is not their fault: trouble, a limit, or the whole queue's pause. */
void
engine_mind_age(const struct engine *engine, struct engine_account *account, struct nd_now now)
{
	if (engine->held || engine->bars != 0 || account->health.state != HEALTH_OK || account->readers_until > now.ms)
		downtime_begin(&account->downtime, now.unix_ms);
	else
		downtime_end(&account->downtime, now.unix_ms);
}

/* Open another session? A probe goes out even without a job: so a mended account is seen to be well again. */
static bool
wants_session(
    const struct engine *engine, const struct engine_account *account, enum health_leave leave, struct nd_now now)
{
	const struct pool *pool = &account->pool;

	if (quiet(engine) || engine->bars != 0 || leave == HEALTH_NOTHING ||
	    (engine_by_token(account) && !token_usable(&account->token, now.ms)))
		return false;
	if (leave == HEALTH_ONE)
		return !account->health.probing && pool_total(pool) < pool->max && !engine_wants_mail(account);
	/* not for jobs that the limits keep waiting */
	return account->word.why == LIMIT_GO && pool_needs(pool, sched_ready(&account->sched), now.ms);
}

static bool
next_session(struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	enum health_leave leave = health_leave(&account->health, now.ms);

	if (!wants_session(engine, account, leave, now) ||
	    limit_login_when(account->limit, (uint32_t)account->conf->logins_per_minute, now.ms) > now.ms) {
		engine->stirred = engine->stirred || account->waits != ND_NEVER; /* who let it go first goes now */
		account->waits = ND_NEVER;
		return false;
	}
	if (!engine_share_take(engine, account, leave == HEALTH_ONE || sched_ready(&account->sched) > 0, now.ms))
		return false;
	limit_login_begin(account->limit, now.ms);
	account->limit->open++;
	action->act = ENGINE_OPEN;
	action->session = pool_add(&account->pool, ++engine->session_number, now.ms);
	action->session->account = account;
	action->session->token_obtained = account->token.obtained;
	if (engine_by_token(account) && conf_provider_session_margin(account->conf->provider) > 0)
		pool_expires(
		    action->session, account->token.expires, conf_provider_session_margin(account->conf->provider));
	action->session->probe = leave == HEALTH_ONE;
	health_probe(&account->health);
	return true;
}

/* An idle session, else one whose window has room for another mail. */
static struct pool_session *
next_carrier(const struct engine_account *account, enum health_leave leave, nd_ms now)
{
	struct pool_session *session = pool_idle(&account->pool);

	if (session || leave == HEALTH_ONE)
		return session;
	return pool_roomy(
	    &account->pool, smtp_habits_window(&account->habits, (unsigned)account->conf->window, now), now);
}

/* RFC 9422 4.3: a server may count the domains of a whole session. Would the next mail's be too many there? */
static bool
crowds(const struct engine_account *account, struct pool_session *session)
{
	const struct sched_job *job = session->domains_max > 0 ? sched_first(&account->sched) : NULL;
	struct settle_mail *mail;
	bool fits;

	if (!job)
		return false;
	mail = settle_mail_new(job->job);
	fits = pool_domains(session, &mail->mail);
	free(mail);
	return !fits;
}

static bool
next_mail(struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	enum health_leave leave = health_leave(&account->health, now.ms);
	struct pool_session *session = next_carrier(account, leave, now.ms);
	struct sched_job *job;

	if (!session || quiet(engine) || engine->bars != 0 || leave == HEALTH_NOTHING)
		return false;
	/* During a probe only the probe's own session may send, and only one mail. */
	if (leave == HEALTH_ONE && (!session->probe || account->sched.sending > 0))
		return false;
	/* What is sent but not yet committed is what a crash would send twice. */
	if (account->sched.settling >= (SETTLING_MAX + 2 * (unsigned)account->conf->window) * account->pool.max)
		return false;
	if (account->word.why != LIMIT_GO || engine_share_yields(engine, account, now.ms))
		return false;
	if (crowds(account, session)) { /* on another one, that is opened when this one is gone if need be */
		if (session->state != POOL_IDLE_SESSION)
			return false;
		pool_enter(&account->pool, session, POOL_CLOSING, now.ms);
		action->act = ENGINE_CLOSE;
		action->session = session;
		return true;
	}
	job = sched_take(&account->sched);
	if (!job)
		return false;
	engine_limit_begin(account, job, now.ms);
	pool_give(&account->pool, session, job, now.ms);
	action->act = ENGINE_SEND;
	action->session = session;
	action->job = job;
	return true;
}

static bool
next_close(struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	enum health_leave leave = health_leave(&account->health, now.ms);
	struct pool_session *session;

	session = pool_stale(&account->pool,
	    quiet(engine) || account->gone || engine->bars != 0 || leave == HEALTH_NOTHING ||
		engine_share_yields(engine, account, now.ms),
	    now.ms);
	if (!session)
		return false;
	pool_enter(&account->pool, session, POOL_CLOSING, now.ms);
	action->act = ENGINE_CLOSE;
	action->session = session;
	return true;
}

/* Of a gone account: its sessions end, then it does. What it would send again another one sends. */
static bool
next_gone(struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	sched_drop(&account->sched);
	if (next_close(engine, account, now, action))
		return true;
	if (pool_total(&account->pool) > 0 || account->sched.count > 0 || account->sched.loading || account->users > 0)
		return false;
	action->act = ENGINE_FORGET;
	return true;
}

static bool
next_of(struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	action->account = account;
	if (account->gone)
		return next_gone(engine, account, now, action);
	sched_ripen(&account->sched, now.ms);
	if (engine_by_token(account))
		engine_mind_token(engine, account, now);
	engine_limit_mind(engine, account, now);
	engine_mind_way(engine, account, now);
	engine_mind_age(engine, account, now);
	if (health_told(&account->health)) {
		action->act = ENGINE_STATE;
		return true;
	}
	action->id = refusals_again(&account->refusals, now.unix_ms);
	if (action->id) {
		action->act = ENGINE_AGAIN;
		return true;
	}
	if (engine_by_token(account) && !quiet(engine) && token_ask(&account->token, now.ms)) {
		action->act = ENGINE_TOKEN;
		return true;
	}
	if (!quiet(engine) && !engine_barred(engine, ENGINE_BAR_RECOVERY) &&
	    sched_hungry(&account->sched, now.unix_ms)) {
		action->most = sched_load(&account->sched);
		action->act = ENGINE_LOAD;
		return true;
	}
	if (!quiet(engine) && engine->bars == 0 && engine_move_next(engine, account, now, action))
		return true;
	if (engine_limit_next(engine, account, now, action))
		return true;
	return next_close(engine, account, now, action) || next_mail(engine, account, now, action) ||
	       next_session(engine, account, now, action);
}

static bool
next_note(struct engine *engine, struct nd_now now, struct engine_action *action)
{
	struct engine_note *note = engine->notes;

	if (!note)
		return false;
	*action = (struct engine_action){
		.act = ENGINE_STORE, .account = note->account, .job = note->job, .attempt = note->attempt
	};
	engine->notes = note->next;
	if (!engine->notes)
		engine->notes_end = &engine->notes;
	if (!note->attempt && engine_leaves(note->account, note->job->job))
		engine_leave(engine, now, action);
	free(note);
	return true;
}

bool
engine_next(struct engine *engine, struct nd_now now, struct engine_action *action)
{
	unsigned i;

	*action = (struct engine_action){ 0 };
	if (next_note(engine, now, action))
		return true;
	do {
		engine->stirred = false;
		for (i = 0; i < engine->count; i++)
			if (next_of(engine, engine->accounts[i], now, action))
				return true;
	} while (engine->stirred);
	return next_note(engine, now, action); /* of jobs that were put off just now */
}

/* What was due already has been done, or waits for something else than time. */
static nd_ms
sooner(nd_ms at, nd_ms other, nd_ms now)
{
	return other > now && other < at ? other : at;
}

nd_ms
engine_deadline(struct engine *engine, struct nd_now now)
{
	nd_ms at = ND_NEVER;
	unsigned i;

	for (i = 0; i < engine->count && !quiet(engine); i++) {
		struct engine_account *account = engine->accounts[i];

		if (account->gone)
			continue;
		at = sooner(at, sched_deadline(&account->sched, now), now.ms);
		at = sooner(at, health_deadline(&account->health), now.ms);
		at = sooner(at, pool_deadline(&account->pool, now.ms), now.ms);
		at = sooner(at, engine_move_deadline(engine, account, now.ms), now.ms);
		at = sooner(at, engine_limit_deadline(account, now.ms), now.ms);
		at = sooner(at, account->readers_until, now.ms);
		at = sooner(at, engine_share_deadline(engine, account, now.ms), now.ms);
		if (engine_by_token(account))
			at = sooner(at, token_deadline(&account->token), now.ms);
		if (engine_by_token(account) && account->token_why.err != ND_OK && account->token.have)
			at = sooner(at, account->token.expires, now.ms);
	}
	return at;
}
