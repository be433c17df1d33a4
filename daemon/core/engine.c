/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - composes window, sessions, tokens and account states.  Layer: core. */
#include "daemon/core/engine.h"

#include "common/explain.h"
#include "common/mem.h"
#include "common/str.h"
#include "daemon/core/retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOST_LIMIT 3u   /* lost transactions in a row that are the account's fault, not the messages' */
#define SETTLING_MAX 8u /* outcomes under way to the disk, for each session */
#define OPEN_PAUSE ND_SEC(30)
#define TOKEN_PROBE ND_MIN(30) /* a refused token request is asked again */

struct outcome_note { /* of a job whose outcome is to be stored */
	struct engine_account *account;
	struct sched_job *job;
	struct queue_attempt *attempt;
	struct outcome_note *next;
};

struct engine {
	const struct conf *conf;          /* borrowed */
	struct engine_account **accounts; /* a pointer each: others refer to them while accounts come and go */
	unsigned count;
	struct outcome_note *notes, **notes_end;
	unsigned settling;
	unsigned session_number;
	uint32_t dice;
	bool stopping, held;
	unsigned bars; /* enum engine_bar */
};

static uint32_t
roll(struct engine *engine)
{
	/* xorshift32: jitter needs no more */
	engine->dice ^= engine->dice << 13;
	engine->dice ^= engine->dice >> 17;
	engine->dice ^= engine->dice << 5;
	return engine->dice;
}

static bool
by_token(const struct engine_account *account)
{
	return account->conf->auth == CONF_OAUTH2;
}

static void
add_account(struct engine *engine, const struct conf_account *conf, nd_ms now)
{
	struct engine_account *account = nd_xalloc(sizeof(*account));

	account->conf = conf;
	account->change = CONF_OTHER;
	health_init(&account->health, now);
	pool_init(&account->pool, (unsigned)conf->max_connections);
	sched_init(&account->sched);
	account->sched.behind = true; /* what an earlier run or another account left */
	token_init(&account->token, conf->provider == CONF_MICROSOFT_HVE, now);
	engine->accounts = nd_xrealloc(engine->accounts, (engine->count + 1) * sizeof(struct engine_account *));
	engine->accounts[engine->count++] = account;
}

static void
free_account(struct engine_account *account)
{
	pool_done(&account->pool);
	sched_done(&account->sched);
	free(account);
}

struct engine *
engine_new(const struct conf *conf, uint32_t seed, struct nd_now now)
{
	struct engine *engine = nd_xalloc(sizeof(*engine));
	unsigned i;

	engine->conf = conf;
	engine->dice = seed | 1;
	engine->notes_end = &engine->notes;
	for (i = 0; i < conf->account_count; i++)
		add_account(engine, &conf->account[i], now.ms);
	return engine;
}

void
engine_free(struct engine *engine)
{
	struct outcome_note *note;
	unsigned i;

	if (!engine)
		return;
	while ((note = engine->notes) != NULL) {
		engine->notes = note->next;
		if (note->attempt)
			queue_attempt_done(note->attempt);
		free(note->attempt);
		free(note);
	}
	for (i = 0; i < engine->count; i++)
		free_account(engine->accounts[i]);
	free(engine->accounts);
	free(engine);
}

struct engine_account *
engine_account_nth(struct engine *engine, unsigned n)
{
	return n < engine->count ? engine->accounts[n] : NULL;
}

struct engine_account *
engine_account_named(struct engine *engine, const char *name)
{
	unsigned i;

	for (i = 0; i < engine->count; i++)
		if (nd_str_eq_nocase(engine->accounts[i]->conf->name, name))
			return engine->accounts[i];
	return NULL;
}

void
engine_accepted(struct engine *engine, struct queue_job *job, struct nd_now now)
{
	struct engine_account *account = engine_account_named(engine, job->account);

	if (job->state == JOB_QUEUED && account && !account->gone)
		(void)sched_add(&account->sched, job, now);
	else
		queue_job_free(job);
}

void
engine_loaded(struct engine *engine, struct engine_account *account, struct queue_job **jobs, unsigned count, bool more,
    nd_unix next_due, struct nd_now now)
{
	unsigned i;

	(void)engine;
	sched_loaded(&account->sched, more, next_due);
	for (i = 0; i < count; i++) {
		/* While the store was read an accepted job may have come in by the other door. */
		if (account->gone || sched_find(&account->sched, jobs[i]->id))
			queue_job_free(jobs[i]);
		else
			(void)sched_add(&account->sched, jobs[i], now);
	}
}

void
engine_load_failed(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	(void)engine;
	sched_loaded(&account->sched, false, now.unix_ms + ND_SEC(10));
}

static void
to_store(struct engine *engine, struct engine_account *account, struct sched_job *job, struct queue_attempt *attempt)
{
	struct outcome_note *note = nd_xalloc(sizeof(*note));

	sched_settle(&account->sched, job);
	engine->settling++;
	*note = (struct outcome_note){ account, job, attempt, NULL };
	*engine->notes_end = note;
	engine->notes_end = &note->next;
}

/* What was asked for the job while it was away. */
static bool
fulfil(struct engine *engine, struct engine_account *account, struct sched_job *job, struct nd_now now)
{
	int wish = job->wish;

	job->wish = -1;
	if (wish < 0 || job->job->state != JOB_QUEUED ||
	    act_on(job->job, (enum job_action)wish, now.unix_ms, NULL) != ND_OK)
		return false;
	to_store(engine, account, job, NULL);
	return true;
}

/* The account's own fault, in words, from a reply or a failure. */
static void
blame(struct engine *engine, struct engine_account *account, const struct verdict_word *word, enum smtp_stage stage,
    const struct smtp_reply *reply, const struct nd_why *why, struct nd_now now)
{
	char words[SMTP_REPLY_TEXT + 32];
	const struct explain_row *row;
	struct health_fault fault = { .reason = word->reason, .wait = word->wait };

	if (reply && reply->code != 0)
		settle_reply_words(reply, words, sizeof(words));
	else
		(void)snprintf(words, sizeof(words), "%s", why ? why->text : "");
	row = explain_find(words);
	fault.detail = words;
	fault.hint = row ? row->remedy : why ? nd_why_hint(why) : "";
	fault.in_mail = stage >= SMTP_AT_MAIL && stage <= SMTP_AT_END;
	fault.state = word->verdict == VERDICT_THROTTLED ? HEALTH_THROTTLED
		      : word->verdict == VERDICT_FAILING ? HEALTH_FAILING
							 : HEALTH_HELD;
	if (fault.state == HEALTH_THROTTLED && fault.wait <= 0)
		fault.wait = ND_SEC(30);
	health_fault(&account->health, &fault, roll(engine), now.ms);
}

void
engine_ready(struct engine *engine, struct pool_session *session, struct nd_now now)
{
	struct engine_account *account = session->account;

	(void)engine;
	if (session->state == POOL_OPENING) {
		account->reauth = false;
		account->pool.open_after = 0;
		health_proved(&account->health, false, now.ms);
	}
	pool_enter(&account->pool, session, POOL_IDLE_SESSION, now.ms);
}

/* The server refused the token: another one is asked for, once. */
static bool
renew(struct engine_account *account, nd_ms now)
{
	if (account->reauth)
		return false;
	account->reauth = true;
	token_spoiled(&account->token, now);
	return true;
}

/* A session that never became ready, or died: whose fault? */
static void
session_fault(struct engine *engine, struct pool_session *session, const struct smtp_fault *fault, struct nd_now now)
{
	struct engine_account *account = session->account;
	struct verdict_case v = { .provider = account->conf->provider,
		.stage = fault->stage,
		.code = fault->reply.code,
		.enhanced = fault->reply.enhanced,
		.text = fault->reply.text,
		.err = fault->why.err,
		.oauth = by_token(account),
		.token_refused = fault->token_refused };
	struct verdict_word word = verdict_of(&v);

	/* Refused with a token that is given up already: the next session has another one. */
	if (word.verdict == VERDICT_REFRESH &&
	    (!token_usable(&account->token, now.ms) || session->token_obtained != account->token.obtained)) {
		account->health.probing = false;
		return;
	}
	if (word.verdict == VERDICT_REFRESH && renew(account, now.ms)) {
		account->health.probing = false;
		return;
	}
	if (word.verdict == VERDICT_REFRESH) {
		word.verdict = VERDICT_HELD;
		account->reauth = false; /* each later probe may force one more */
	}
	if (word.verdict != VERDICT_HELD && word.verdict != VERDICT_THROTTLED) {
		word.verdict = VERDICT_FAILING;
		/* While others work, one that cannot be opened only says: not so many. */
		if (account->pool.count[POOL_IDLE_SESSION] + account->pool.count[POOL_BUSY] > 0) {
			account->pool.open_after = now.ms + OPEN_PAUSE;
			return;
		}
	}
	blame(engine, account, &word, fault->stage, &fault->reply, &fault->why, now);
}

void
engine_gone(struct engine *engine, struct pool_session *session, const struct smtp_fault *fault, struct nd_now now)
{
	static const struct smtp_fault silent = { .stage = SMTP_AT_CONNECT,
		.why = { .err = ND_ECLOSED, .text = "the session ended before it was ready" } };
	struct engine_account *account = session->account;
	bool opening = session->state == POOL_OPENING, probe = session->probe;

	/* Its outcome never came: it was not begun. */
	if (session->job && !fulfil(engine, account, session->job, now))
		sched_back(&account->sched, session->job);
	pool_enter(&account->pool, session, POOL_CLOSING, now.ms);
	if (opening && !session->old)
		session_fault(engine, session, fault ? fault : &silent, now);
	if (probe)
		health_unproved(&account->health, roll(engine), now.ms);
	pool_remove(&account->pool, session);
}

static struct queue_attempt *
attempt_of(
    const struct pool_session *session, const struct engine_told *told, const struct settle_word *word, nd_unix now)
{
	struct queue_attempt *attempt = nd_xalloc(sizeof(*attempt));
	const struct smtp_reply *reply = word->reply;

	attempt->n = session->job->job->attempt_count;
	attempt->account = nd_xstrdup(session->account->conf->name);
	attempt->relay = told->relay && told->relay[0] != '\0' ? nd_xstrdup(told->relay) : NULL;
	attempt->session = nd_xstrdup(session->id);
	attempt->start = told->start;
	attempt->end = now;
	attempt->stage = smtp_proto_stage_name(told->outcome->stage);
	attempt->verdict = verdict_name(word->verdict.verdict);
	if (reply && reply->code != 0) {
		attempt->code = (int16_t)reply->code;
		memcpy(attempt->enhanced, reply->enhanced, sizeof(attempt->enhanced));
		attempt->text = nd_xstrdup(reply->text);
	} else {
		attempt->text = nd_xstrdup(told->outcome->why.text);
	}
	return attempt;
}

/* What an outcome says about the account. */
static void
judge(struct engine *engine, struct pool_session *session, const struct smtp_outcome *outcome, struct settle_word *word,
    struct nd_now now)
{
	struct engine_account *account = session->account;

	if (word->account_fault && word->fault.verdict == VERDICT_REFRESH && !renew(account, now.ms))
		word->fault.verdict = VERDICT_HELD;
	else if (word->account_fault && word->fault.verdict == VERDICT_REFRESH) {
		word->account_fault = false;
		session->mails = POOL_MAILS; /* it is not used again */
	}
	if (outcome->end != SMTP_ENDED_LOST) {
		account->lost_in_row = 0;
		if (!word->account_fault)
			health_proved(&account->health, true, now.ms);
	} else if (!outcome->unharmed && !outcome->local && ++account->lost_in_row >= LOST_LIMIT) {
		word->account_fault = true;
		word->fault = (struct verdict_word){ VERDICT_FAILING, 0, "connection-lost" };
		word->fault_stage = outcome->stage;
	}
	if (word->account_fault)
		blame(engine, account, &word->fault, word->fault_stage, word->fault_reply, &outcome->why, now);
	account->health.probing = false;
}

void
engine_outcome(struct engine *engine, struct pool_session *session, const struct engine_told *told, struct nd_now now)
{
	struct engine_account *account = session->account;
	struct settle_case c = { account->conf, told->outcome, told->mail, engine->conf->max_age, roll(engine),
		now.unix_ms };
	struct settle_word word;

	settle_outcome(session->job->job, &c, &word);
	smtp_habits_learn(&account->habits, told->outcome, now.ms);
	session->mails++;
	if (!session->old) /* settings that hold no more say nothing about the new ones */
		judge(engine, session, told->outcome, &word, now);
	if (word.counted)
		to_store(engine, account, session->job, attempt_of(session, told, &word, now.unix_ms));
	else if (!fulfil(engine, account, session->job, now))
		sched_back(&account->sched, session->job);
	session->job = NULL;
	session->probe = false;
}

void
engine_stored(struct engine *engine, struct engine_account *account, struct sched_job *job, struct nd_now now)
{
	engine->settling--;
	if (!fulfil(engine, account, job, now))
		sched_settled(&account->sched, job, now);
}

bool
engine_expire(struct engine *engine, const struct queue_job *row, struct nd_now now)
{
	struct engine_account *account = engine_account_named(engine, row->account);
	struct sched_job *job = account ? sched_find(&account->sched, row->id) : NULL;

	if (account && !job)
		return account->sched.loading; /* it may be on its way here: the next sweep finds it again */
	if (job && (job->place == SCHED_WAITING || job->place == SCHED_READY)) {
		settle_expire(job->job, now.unix_ms);
		to_store(engine, account, job, NULL);
	}
	return job != NULL;
}

void
engine_token_got(
    struct engine *engine, struct engine_account *account, nd_ms obtained, nd_ms expires, struct nd_now now)
{
	token_got(&account->token, obtained, expires, roll(engine), now.ms);
	account->token_why = (struct nd_why){ 0 };
	/* A token is what a held or failing account may have waited for: one session will show. */
	if (account->health.state == HEALTH_HELD || account->health.state == HEALTH_FAILING)
		account->health.until = now.ms;
}

/* Without a usable token the account is in trouble, from the moment the old one ends. */
static void
mind_token(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	const struct nd_why *why = &account->token_why;
	struct health_fault fault = { account->token_no ? HEALTH_HELD : HEALTH_FAILING,
		account->token_no ? "token-refused" : "token-endpoint", why->text, nd_why_hint(why), 0, false };

	if (why->err == ND_OK || token_usable(&account->token, now.ms) || account->health.state >= fault.state)
		return;
	health_fault(&account->health, &fault, roll(engine), now.ms);
	account->health.until = account->token.retry_at;
}

void
engine_token_later(struct engine *engine, struct engine_account *account, nd_ms retry_after, const struct nd_why *why,
    struct nd_now now)
{
	token_later(&account->token, retry_after, roll(engine), now.ms);
	account->token_why = *why;
	account->token_no = false;
	if (!token_usable(&account->token, now.ms) && account->health.state == HEALTH_FAILING)
		account->health.until = account->token.retry_at;
	mind_token(engine, account, now);
}

void
engine_token_refused(struct engine *engine, struct engine_account *account, const struct nd_why *why, struct nd_now now)
{
	token_refused(&account->token, now.ms + TOKEN_PROBE, now.ms);
	account->token_why = *why;
	account->token_no = true;
	mind_token(engine, account, now);
}

enum engine_did
engine_act(
    struct engine *engine, const struct queue_job *row, enum job_action action, struct nd_now now, struct nd_why *why)
{
	struct engine_account *account = engine_account_named(engine, row->account);
	struct sched_job *job = account ? sched_find(&account->sched, row->id) : NULL;

	if (!job)
		return account && account->sched.loading ? ENGINE_BUSY : ENGINE_ABSENT;
	if (job->place == SCHED_SENDING || job->place == SCHED_SETTLING) {
		if (!job_action_fits(action, JOB_SENDING) && action != JOB_RETRY) {
			(void)nd_fail(why, ND_ESTATE, 0, "job %s is being sent: %s does not apply", row->id,
			    job_action_name(action));
			return ENGINE_REFUSED;
		}
		job->wish = (int)action;
		return ENGINE_LATER;
	}
	if (act_on(job->job, action, now.unix_ms, why) != ND_OK)
		return ENGINE_REFUSED;
	to_store(engine, account, job, NULL);
	return ENGINE_DONE;
}

void
engine_look(struct engine *engine, const char *name)
{
	struct engine_account *account = engine_account_named(engine, name);

	if (account)
		account->sched.behind = true;
}

void
engine_flush(struct engine *engine, struct nd_now now)
{
	unsigned i;

	for (i = 0; i < engine->count; i++) {
		struct engine_account *account = engine->accounts[i];

		sched_hurry(&account->sched, now);
		if (account->health.state == HEALTH_FAILING || account->health.state == HEALTH_HELD)
			account->health.until = now.ms;
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
	if (by_token(account))
		token_want(&account->token, now.ms);
	if (account->health.state != HEALTH_PAUSED)
		health_resume(&account->health, now.ms);
}

/* No longer named. What is under way comes to its end; the rest is the store's, for other accounts. */
static void
retire(struct engine_account *account)
{
	account->gone = true;
	account->change = CONF_OTHER;
	pool_age(&account->pool);
	sched_drop(&account->sched);
}

static void
change(struct engine_account *account, const struct conf_account *conf, nd_ms now)
{
	account->change = account->gone ? CONF_OTHER : conf_compare(account->conf, conf);
	account->conf = conf;
	account->sched.behind = account->sched.behind || account->gone;
	account->gone = false;
	if (account->change != CONF_SAME) {
		pool_age(&account->pool);
		account->pool.max = (unsigned)conf->max_connections;
		account->pool.open_after = 0;
		account->lost_in_row = 0;
		account->reauth = false;
		account->health.probing = false; /* its session is old now */
	}
	if (account->change == CONF_OTHER) {
		health_renew(&account->health, now);
		token_renew(&account->token, conf->provider == CONF_MICROSOFT_HVE, now);
		account->token_why = (struct nd_why){ 0 };
	}
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
		if (named)
			change(engine->accounts[i], named, now.ms);
		else if (!engine->accounts[i]->gone)
			retire(engine->accounts[i]);
	}
	for (i = 0; i < conf->account_count; i++)
		if (!engine_account_named(engine, conf->account[i].name))
			add_account(engine, &conf->account[i], now.ms);
}

void
engine_forget(struct engine *engine, struct engine_account *account)
{
	unsigned i = 0;

	while (engine->accounts[i] != account)
		i++;
	free_account(account);
	engine->count--;
	memmove(&engine->accounts[i], &engine->accounts[i + 1], (engine->count - i) * sizeof(struct engine_account *));
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
	for (i = 0; i < engine->count; i++) {
		struct engine_account *account = engine->accounts[i];

		if (held)
			downtime_begin(&account->downtime, now.unix_ms);
		else if (account->health.state == HEALTH_OK || account->health.state == HEALTH_PACED)
			downtime_end(&account->downtime, now.unix_ms);
	}
}

/* Nothing new is begun. */
static bool
quiet(const struct engine *engine)
{
	return engine->stopping || engine->held;
}

unsigned
engine_busy(const struct engine *engine)
{
	unsigned i, busy = engine->settling;

	for (i = 0; i < engine->count; i++)
		busy += engine->accounts[i]->sched.sending;
	return busy;
}

/* Open another session? A probe goes out even without a job: so a mended account is seen to be well again. */
static bool
next_session(struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	enum health_leave leave = health_leave(&account->health, now.ms);
	struct pool *pool = &account->pool;
	bool open;

	if (quiet(engine) || engine->bars != 0 || leave == HEALTH_NOTHING ||
	    (by_token(account) && !token_usable(&account->token, now.ms)))
		return false;
	if (leave == HEALTH_ONE)
		open = !account->health.probing && pool_total(pool) < pool->max;
	else
		open = pool_needs(pool, account->sched.ready.count, now.ms);
	if (!open)
		return false;
	action->act = ENGINE_OPEN;
	action->session = pool_add(pool, ++engine->session_number, now.ms);
	action->session->account = account;
	action->session->token_obtained = account->token.obtained;
	action->session->probe = leave == HEALTH_ONE;
	health_probe(&account->health);
	return true;
}

static bool
next_mail(struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	struct pool_session *session = pool_idle(&account->pool);
	enum health_leave leave = health_leave(&account->health, now.ms);

	if (!session || quiet(engine) || engine->bars != 0 || leave == HEALTH_NOTHING)
		return false;
	/* During a probe only the probe's own session may send, and only one mail. */
	if (leave == HEALTH_ONE && (!session->probe || account->sched.sending > 0))
		return false;
	/* What is sent but not yet committed is what a crash would send twice. */
	if (account->sched.settling >= SETTLING_MAX * account->pool.max)
		return false;
	session->job = sched_take(&account->sched);
	if (!session->job)
		return false;
	pool_enter(&account->pool, session, POOL_BUSY, now.ms);
	action->act = ENGINE_SEND;
	action->session = session;
	action->job = session->job;
	return true;
}

static bool
next_close(struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	enum health_leave leave = health_leave(&account->health, now.ms);
	struct pool_session *session;

	session = pool_stale(
	    &account->pool, quiet(engine) || account->gone || engine->bars != 0 || leave == HEALTH_NOTHING, now.ms);
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
	if (by_token(account))
		mind_token(engine, account, now);
	if (health_told(&account->health)) {
		if (account->health.state != HEALTH_OK && account->health.state != HEALTH_PACED)
			downtime_begin(&account->downtime, now.unix_ms);
		else if (!engine->held)
			downtime_end(&account->downtime, now.unix_ms);
		action->act = ENGINE_STATE;
		return true;
	}
	if (by_token(account) && !quiet(engine) && token_ask(&account->token, now.ms)) {
		action->act = ENGINE_TOKEN;
		return true;
	}
	if (!quiet(engine) && !engine_barred(engine, ENGINE_BAR_RECOVERY) &&
	    sched_hungry(&account->sched, now.unix_ms)) {
		sched_load(&account->sched);
		action->act = ENGINE_LOAD;
		return true;
	}
	return next_close(engine, account, now, action) || next_mail(engine, account, now, action) ||
	       next_session(engine, account, now, action);
}

bool
engine_next(struct engine *engine, struct nd_now now, struct engine_action *action)
{
	struct outcome_note *note = engine->notes;
	unsigned i;

	*action = (struct engine_action){ 0 };
	if (note) {
		*action = (struct engine_action){ ENGINE_STORE, note->account, NULL, note->job, note->attempt };
		engine->notes = note->next;
		if (!engine->notes)
			engine->notes_end = &engine->notes;
		free(note);
		return true;
	}
	for (i = 0; i < engine->count; i++)
		if (next_of(engine, engine->accounts[i], now, action))
			return true;
	return false;
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
		if (by_token(account))
			at = sooner(at, token_deadline(&account->token), now.ms);
		if (by_token(account) && account->token_why.err != ND_OK && account->token.have)
			at = sooner(at, account->token.expires, now.ms);
	}
	return at;
}
