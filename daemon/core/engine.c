/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - composes window, sessions, tokens and account states.  Layer: core. */
#include "daemon/core/engine_inner.h"

#include "common/mem.h"
#include "common/str.h"
#include "daemon/core/hint.h"
#include "daemon/core/retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOST_LIMIT 3u /* lost transactions in a row that are the account's fault, not the messages' */
#define OPEN_PAUSE ND_SEC(30)

uint32_t
engine_roll(struct engine *engine)
{
	/* xorshift32: jitter needs no more */
	engine->dice ^= engine->dice << 13;
	engine->dice ^= engine->dice >> 17;
	engine->dice ^= engine->dice << 5;
	return engine->dice;
}

bool
engine_by_token(const struct engine_account *account)
{
	return account->conf->auth == CONF_OAUTH2;
}

void
engine_fit_pool(struct engine_account *account, nd_ms now)
{
	const struct conf_account *conf = account->conf;

	pool_limit(&account->pool, limit_sessions(account->limit, (unsigned)conf->max_connections, now),
	    (unsigned)conf->window, conf->provider == CONF_SMTP ? POOL_MAILS_OWN : POOL_MAILS);
}

void
engine_add_account(struct engine *engine, const struct conf_account *conf, nd_ms now)
{
	struct engine_account *account = nd_xalloc(sizeof(*account));

	account->conf = conf;
	account->change = CONF_OTHER;
	health_init(&account->health, now);
	engine_limit_join(engine, account);
	engine_fit_pool(account, now);
	sched_init(&account->sched);
	account->sched.behind = true; /* what an earlier run or another account left */
	token_init(&account->token, conf->provider == CONF_MICROSOFT_HVE, now);
	engine->accounts = nd_xrealloc(engine->accounts, (engine->count + 1) * sizeof(struct engine_account *));
	engine->accounts[engine->count++] = account;
}

void
engine_free_account(struct engine_account *account)
{
	engine_limit_leave(account);
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
	engine->epoch = now.unix_ms - now.ms;
	engine->dice = seed | 1;
	engine->notes_end = &engine->notes;
	for (i = 0; i < conf->account_count; i++)
		engine_add_account(engine, &conf->account[i], now.ms);
	return engine;
}

void
engine_free(struct engine *engine)
{
	struct engine_note *note;
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
		engine_free_account(engine->accounts[i]);
	free(engine->accounts);
	engine_limit_done(engine);
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

static int
by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

void
/* NOLINTNEXTLINE(readability-function-size): a page of the store as it came */
engine_loaded(struct engine *engine, struct engine_account *account, struct queue_job **jobs, unsigned count, bool more,
    nd_unix next_due, struct nd_now now)
{
	unsigned i, known_count;
	char(*known)[ND_ULID_LEN + 1] = sched_ids(&account->sched, &known_count);

	(void)engine;
	sched_loaded(&account->sched, more, next_due);
	for (i = 0; i < count; i++) {
		/* While the store was read an accepted job may have come in by the other door. */
		if (account->gone || bsearch(jobs[i]->id, known, known_count, sizeof(*known), by_id))
			queue_job_free(jobs[i]);
		else
			(void)sched_add(&account->sched, jobs[i], now);
	}
	free(known);
}

void
engine_load_failed(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	(void)engine;
	sched_loaded(&account->sched, false, now.unix_ms + ND_SEC(10));
}

void
engine_to_store(
    struct engine *engine, struct engine_account *account, struct sched_job *job, struct queue_attempt *attempt)
{
	struct engine_note *note = nd_xalloc(sizeof(*note));

	sched_settle(&account->sched, job);
	engine->settling++;
	*note = (struct engine_note){ account, job, attempt, NULL };
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
	engine_to_store(engine, account, job, NULL);
	return true;
}

/* SENDING no more, and nothing came of it. */
static void
put_back(struct engine *engine, struct engine_account *account, struct sched_job *job, nd_ms due, struct nd_now now)
{
	engine_limit_end(account, job, NULL, now.ms); /* unless its outcome did */
	if (!fulfil(engine, account, job, now))
		sched_back(&account->sched, job, due);
}

/* The account's own fault, in words, from a reply or a failure. */
static void
blame(struct engine *engine, struct engine_account *account, struct health_fault fault, const struct smtp_reply *reply,
    const struct nd_why *why, struct nd_now now)
{
	char words[SMTP_REPLY_TEXT + 32];
	struct nd_buf hint;

	if (reply && reply->code != 0)
		settle_reply_words(reply, words, sizeof(words));
	else
		(void)snprintf(words, sizeof(words), "%s", why ? why->text : "");
	nd_buf_init(&hint, HINT_LIMIT);
	fault.detail = words;
	fault.hint = hint_of(account->conf, HINT_OPERATOR, words, why, &hint);
	health_fault(&account->health, &fault, engine_roll(engine), now.ms);
	nd_buf_done(&hint);
}

static struct health_fault
fault_of(const struct verdict_word *word, enum smtp_stage stage)
{
	struct health_fault fault = { .reason = word->reason, .wait = word->wait };

	fault.in_mail = stage >= SMTP_AT_MAIL && stage <= SMTP_AT_END;
	fault.state = word->verdict == VERDICT_THROTTLED ? HEALTH_THROTTLED
		      : word->verdict == VERDICT_FAILING ? HEALTH_FAILING
							 : HEALTH_HELD;
	if (fault.state == HEALTH_THROTTLED && fault.wait <= 0)
		fault.wait = ND_SEC(30);
	return fault;
}

void
engine_ready(struct engine *engine, struct pool_session *session, struct nd_now now)
{
	struct engine_account *account = session->account;

	(void)engine;
	if (session->state == POOL_OPENING) {
		account->reauth = false;
		account->pool.open_after = 0;
		limit_login_well(account->limit);
		health_proved(&account->health, false, now.ms);
	}
	pool_enter(&account->pool, session, POOL_IDLE_SESSION, now.ms);
}

void
engine_room(struct engine *engine, struct pool_session *session)
{
	(void)engine;
	session->room = session->job_count > 0;
}

void
engine_unfit(struct engine *engine, struct pool_session *session, struct nd_now now)
{
	struct sched_job *job = session->jobs[session->job_count - 1];

	pool_take(session, session->job_count - 1);
	put_back(engine, session->account, job, job->due, now);
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

/* While others work, one that cannot be opened only says: not so many. */
static bool
not_so_many(struct engine *engine, struct engine_account *account, struct verdict_word *word, struct nd_now now)
{
	const unsigned others = account->pool.count[POOL_IDLE_SESSION] + account->pool.count[POOL_BUSY];
	nd_ms until = now.ms + OPEN_PAUSE;

	if (word->verdict == VERDICT_THROTTLED && strcmp(word->reason, "too-many-logins") == 0)
		until = limit_login_refused(account->limit, word->wait, now.ms);
	else if (word->verdict == VERDICT_THROTTLED && strcmp(word->reason, "too-many-sessions") == 0)
		until = now.ms + limit_crowded(account->limit, others + 1, engine_roll(engine), now.ms);
	else if (word->verdict == VERDICT_THROTTLED)
		return false;
	if (word->verdict == VERDICT_THROTTLED)
		word->wait = until - now.ms;
	if (others > 0)
		account->pool.open_after = until;
	return others > 0;
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
		.oauth = engine_by_token(account),
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
	if (word.verdict != VERDICT_HELD && word.verdict != VERDICT_THROTTLED)
		word.verdict = VERDICT_FAILING;
	if (word.verdict != VERDICT_HELD && not_so_many(engine, account, &word, now))
		return;
	blame(engine, account, fault_of(&word, fault->stage), &fault->reply, &fault->why, now);
}

void
engine_gone(struct engine *engine, struct pool_session *session, const struct smtp_fault *fault, struct nd_now now)
{
	static const struct smtp_fault silent = { .stage = SMTP_AT_CONNECT,
		.why = { .err = ND_ECLOSED, .text = "the session ended before it was ready" } };
	static const struct smtp_outcome begun = { .end = SMTP_ENDED_LOST, .stage = SMTP_AT_DATA };
	struct engine_account *account = session->account;
	bool opening = session->state == POOL_OPENING, probe = session->probe;

	/* Their outcomes never came: they were not begun, or one was withdrawn. */
	for (; session->job_count > 0; pool_take(session, 0)) {
		if (fault && fault->stage >= SMTP_AT_DATA && fault->stage <= SMTP_AT_END)
			engine_limit_end(account, session->jobs[0], &begun, now.ms);
		put_back(engine, account, session->jobs[0], session->jobs[0]->due, now);
	}
	pool_enter(&account->pool, session, POOL_CLOSING, now.ms);
	if (opening && !session->old)
		session_fault(engine, session, fault ? fault : &silent, now);
	if (probe)
		health_unproved(&account->health, engine_roll(engine), now.ms);
	pool_remove(&account->pool, session);
}

static struct queue_attempt *
attempt_of(
    const struct pool_session *session, const struct engine_told *told, const struct settle_word *word, nd_unix now)
{
	struct queue_attempt *attempt = nd_xalloc(sizeof(*attempt));
	const struct smtp_reply *reply = word->reply;

	attempt->n = session->jobs[0]->job->attempt_count;
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

/* Who met what may be a fault of the account; a mail that passed clears all. */
static void
note_suspect(struct engine_account *account, const struct settle_word *word)
{
	if (word->delivered || (word->suspect.job[0] == '\0' && !word->account_fault))
		account->suspect = (struct settle_suspect){ 0 };
	else if (account->suspect.job[0] == '\0')
		account->suspect = word->suspect;
}

/* All that were under way on one session are lost at once: that is one loss. */
static unsigned
count_lost(struct pool_session *session)
{
	if (!session->lost)
		session->account->lost_in_row++;
	session->lost = true;
	return session->account->lost_in_row;
}

/* "Too many": what the server says of sessions and messages changes how many there are. */
static void
heed(struct engine *engine, struct pool_session *session, struct settle_word *word, struct nd_now now)
{
	struct engine_account *account = session->account;
	const unsigned open = pool_total(&account->pool);
	nd_ms wait;

	if (word->fault.verdict != VERDICT_THROTTLED)
		return;
	if (strcmp(word->fault.reason, "rate") == 0)
		limit_hurried(account->limit, &account->rules, now.ms);
	if (strcmp(word->fault.reason, "too-many-sessions") != 0)
		return;
	wait = limit_crowded(account->limit, open, engine_roll(engine), now.ms);
	word->fault.wait = wait;
	session->mails = account->pool.mails; /* it is not used again */
	if (open == 1)
		return;
	/* The others go on. */
	account->pool.open_after = now.ms + wait;
	word->account_fault = false;
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
		session->mails = account->pool.mails; /* it is not used again */
	}
	if (outcome->end != SMTP_ENDED_LOST) {
		account->lost_in_row = 0;
		note_suspect(account, word);
		if (!word->account_fault && account->suspect.job[0] == '\0')
			health_proved(&account->health, true, now.ms);
	} else if (!outcome->unharmed && !outcome->local && outcome->why.err != ND_EBODYGONE &&
		   count_lost(session) >= LOST_LIMIT) {
		word->account_fault = true;
		word->fault = (struct verdict_word){ VERDICT_FAILING, 0, "connection-lost" };
		word->fault_stage = outcome->stage;
	}
	if (word->account_fault)
		heed(engine, session, word, now);
	if (word->account_fault)
		blame(
		    engine, account, fault_of(&word->fault, word->fault_stage), word->fault_reply, &outcome->why, now);
	account->health.probing = false;
}

void
engine_outcome(struct engine *engine, struct pool_session *session, const struct engine_told *told, struct nd_now now)
{
	struct engine_account *account = session->account;
	struct settle_case c = { account->conf, told->outcome, told->mail, engine_max_age(engine, now.unix_ms),
		engine_roll(engine), now.unix_ms, &account->suspect };
	struct sched_job *job = session->jobs[0];
	struct settle_word word;

	engine_limit_end(account, job, told->outcome, now.ms);
	settle_outcome(job->job, &c, &word);
	session->mails++;
	if (!session->old) { /* settings that hold no more say nothing about the new ones */
		smtp_habits_learn(&account->habits, told->outcome, now.ms);
		judge(engine, session, told->outcome, &word, now);
	}
	if (word.counted)
		engine_to_store(engine, account, job, attempt_of(session, told, &word, now.unix_ms));
	else
		put_back(engine, account, job, now.ms + 1, now); /* behind all that is due now */
	pool_take(session, 0);
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
		engine_to_store(engine, account, job, NULL);
	}
	return job != NULL;
}
