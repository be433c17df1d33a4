/* SPDX-License-Identifier: Apache-2.0 */
/* engine_change.c - what people and new settings change in the engine.  Layer: core. */
#include "daemon/core/engine_inner.h"

#include "common/mem.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#define LEAP ND_MIN(1) /* less is what setting a clock right takes */

enum engine_did
engine_act(
    struct engine *engine, const struct queue_job *row, enum job_action action, struct nd_now now, struct nd_why *why)
{
	struct engine_account *account = engine_account_named(engine, row->account);
	struct sched_job *job = account ? sched_find(&account->sched, row->id) : NULL;
	const struct act_time time = { now.unix_ms, engine_max_age(engine, now.unix_ms) };

	if (!job)
		return account && account->sched.loading ? ENGINE_BUSY : ENGINE_ABSENT;
	if (job->place == SCHED_SENDING || job->place == SCHED_SETTLING) {
		if (!job_action_fits(action, JOB_SENDING) && action != JOB_RETRY) {
			(void)nd_fail(why, ND_ESTATE, 0, "job %s is being sent: %s does not apply", row->id,
			    job_action_name(action));
			return ENGINE_REFUSED;
		}
		/* A cancel that was answered stands, and so does a hold before a retry, which would be sent at once. */
		if ((job->wish == JOB_CANCEL && action != JOB_CANCEL) ||
		    (job->wish == JOB_HOLD && action == JOB_RETRY)) {
			(void)nd_fail(why, ND_ESTATE, 0, "job %s is being %s: %s does not apply", row->id,
			    job_state_name(job_action_leads_to((enum job_action)job->wish)), job_action_name(action));
			return ENGINE_REFUSED;
		}
		job->wish = (int)action;
		/* What stands beside others has a slot: the one without is alone, and ending its session harms no other. */
		return job->place == SCHED_SENDING && job->slot < 0 && action != JOB_RETRY ? ENGINE_WITHDRAW
											   : ENGINE_LATER;
	}
	if (act_on(job->job, action, &time, why) != ND_OK)
		return ENGINE_REFUSED;
	engine_to_store(engine, account, job, NULL);
	return ENGINE_DONE;
}

void
engine_look(struct engine *engine, const char *account)
{
	struct engine_account *found = engine_account_named(engine, account);

	if (found)
		sched_look(&found->sched);
}

void
engine_flush(struct engine *engine, struct nd_now now)
{
	unsigned i;

	for (i = 0; i < engine->count; i++) {
		struct engine_account *account = engine->accounts[i];

		sched_hurry(&account->sched, now);
		if (account->health.state == HEALTH_FAILING || account->health.state == HEALTH_HELD)
			health_resume(&account->health, now.ms);
		account->pool.open_after = 0;
	}
}

void
engine_bar(struct engine *engine, enum engine_bar bar, bool on)
{
	engine->bars = on ? engine->bars | bar : engine->bars & ~(unsigned)bar;
}

bool
engine_barred(const struct engine *engine, enum engine_bar bar)
{
	return (engine->bars & bar) != 0;
}

void
engine_pause(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	(void)engine;
	health_pause(&account->health, now.ms);
}

void
engine_resume(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	(void)engine;
	health_resume(&account->health, now.ms);
}

void
engine_refresh(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	(void)engine;
	if (engine_by_token(account))
		token_want(&account->token, now.ms);
	if (account->health.state != HEALTH_PAUSED)
		health_resume(&account->health, now.ms);
}

void
engine_token_gone(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	(void)engine;
	token_spoiled(&account->token, now.ms);
}

void
engine_signed_in(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	(void)engine;
	pool_age(&account->pool);
	account->renewal = ENGINE_NOT_RENEWED;
	account->changed = now.unix_ms;
	account->token_why = (struct nd_why){ 0 };
	health_renew(&account->health, now.ms);
}

void
engine_secret_changed(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	(void)engine;
	account->changed = now.unix_ms;
}

void
engine_signed_out(struct engine *engine, struct engine_account *account, const struct nd_why *why, struct nd_now now)
{
	pool_age(&account->pool);
	token_spoiled(&account->token, now.ms);
	engine_token_refused(engine, account, why, now);
}

/* No longer named. What is under way comes to its end; the rest is the store's, for other accounts. */
static void
retire(struct engine_account *account)
{
	account->gone = true;
	account->waits = ND_NEVER;
	account->change = CONF_OTHER;
	pool_age(&account->pool);
	sched_drop(&account->sched);
}

static void
change(struct engine *engine, struct engine_account *account, const struct conf_account *conf, nd_ms now)
{
	account->change = account->gone ? CONF_OTHER : conf_compare(account->conf, conf);
	account->conf = conf;
	engine_limit_join(engine, account);
	if (account->gone)
		sched_look(&account->sched);
	account->gone = false;
	if (account->change != CONF_SAME) {
		pool_age(&account->pool);
		engine_fit_pool(account, now);
		account->pool.open_after = 0;
		account->lost_in_row = 0;
		account->lost_job[0] = '\0';
		account->suspect = (struct settle_suspect){ 0 };
		refusals_clear(&account->refusals);
		engine_mind_doubt(account);
		account->habits = (struct smtp_habits){ 0 }; /* what was left out may have been the settings' fault */
		account->renewal = ENGINE_NOT_RENEWED;
		account->health.probing = false; /* its session is old now */
	}
	if (account->change == CONF_OTHER) {
		account->breaker = (struct breaker){ 0 };
		health_renew(&account->health, now);
		token_renew(&account->token, conf->token_margin, now);
		account->token_why = (struct nd_why){ 0 };
	}
	account->token.margin = conf->token_margin;
	/* Whatever kept it from sending may have been mended: one session, one request will show. */
	if (account->change == CONF_CHANGED || account->token.refused)
		token_want(&account->token, now);
	if (account->change == CONF_CHANGED)
		account->token.asking = false; /* with settings of before: the driver drops the answer */
	if (account->health.state != HEALTH_PAUSED)
		health_resume(&account->health, now);
}

void
engine_reconfigure(struct engine *engine, const struct conf *conf, struct nd_now now)
{
	const struct conf_account *named;
	unsigned i;

	engine->conf = conf;
	for (i = 0; i < engine->count; i++) {
		named = conf_account_named(conf, engine->accounts[i]->conf->name);
		if (named) {
			if (engine->accounts[i]->gone)
				engine_age_new(engine, engine->accounts[i], now.unix_ms);
			change(engine, engine->accounts[i], named, now.ms);
			if (engine->accounts[i]->change != CONF_SAME)
				engine->accounts[i]->changed = now.unix_ms;
		} else if (!engine->accounts[i]->gone)
			retire(engine->accounts[i]);
	}
	for (i = 0; i < conf->account_count; i++)
		if (!engine_account_named(engine, conf->account[i].name)) {
			engine_add_account(engine, &conf->account[i], now.ms);
			engine->accounts[engine->count - 1]->changed = now.unix_ms;
			engine_age_new(engine, engine->accounts[engine->count - 1], now.unix_ms);
		}
	engine_share_memory(engine);
}

void
engine_forget(struct engine *engine, struct engine_account *account)
{
	unsigned i = 0;

	while (engine->accounts[i] != account)
		i++;
	engine_free_account(account);
	engine_limit_tidy(engine);
	engine->count--;
	memmove(&engine->accounts[i], &engine->accounts[i + 1], (engine->count - i) * sizeof(struct engine_account *));
}

bool
engine_leap(struct engine *engine, struct nd_now now)
{
	const nd_unix before = engine->epoch + now.ms;
	unsigned i;

	if (now.unix_ms - before < LEAP && before - now.unix_ms < LEAP)
		return false;
	engine->epoch = now.unix_ms - now.ms;
	downtime_leap(&engine->leaps, before, now.unix_ms);
	engine_limit_leapt(engine);
	for (i = 0; i < engine->count; i++)
		downtime_leap(&engine->accounts[i]->downtime, before, now.unix_ms);
	return now.unix_ms < before;
}

void
engine_clock_was(struct engine *engine, nd_unix wall, struct nd_now now)
{
	engine->epoch = wall - now.ms;
}

struct downtime *
engine_leaps(struct engine *engine)
{
	return &engine->leaps;
}

nd_ms
engine_max_age(const struct engine *engine, nd_unix now)
{
	return now - downtime_cutoff(&engine->leaps, engine->conf->max_age, now);
}

void
engine_age_new(struct engine *engine, struct engine_account *account, nd_unix now)
{
	downtime_new(&account->downtime, now - engine_max_age(engine, now), now);
}

void
engine_age_moves(
    struct engine *engine, const struct engine_account *from, const char *to, struct queue_job *job, nd_unix now)
{
	const struct engine_account *account = engine_account_named(engine, to);
	const nd_unix base = settle_age_from(job);
	const nd_unix there = account ? downtime_carry(&from->downtime, &account->downtime, base, now) : base;

	if (there > base)
		job->age_from = there;
}

void
engine_stop(struct engine *engine)
{
	engine->stopping = true;
}

void
engine_hold(struct engine *engine, bool held, struct nd_now now)
{
	unsigned i;

	engine->held = held;
	for (i = 0; i < engine->count; i++)
		engine_mind_age(engine, engine->accounts[i], now);
}
