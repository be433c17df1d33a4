/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - composes window, sessions, tokens and account states.  Layer: core. */
#include "daemon/core/engine_inner.h"

#include "common/mem.h"
#include "common/str.h"
#include "daemon/core/hint.h"
#include "daemon/core/retry.h"
#include "daemon/core/spread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	account->pool.warm = conf->warm != 0;
	account->sched.sessions = account->pool.max;
}

void
engine_add_account(struct engine *engine, const struct conf_account *conf, nd_ms now)
{
	struct engine_account *account = nd_xalloc(sizeof(*account));

	account->conf = conf;
	account->change = CONF_OTHER;
	account->waits = ND_NEVER;
	health_init(&account->health, now);
	engine_limit_join(engine, account);
	sched_init(&account->sched);
	engine_fit_pool(account, now);
	sched_look(&account->sched); /* what an earlier run or another account left */
	token_init(&account->token, conf->token_margin, now);
	engine->accounts = nd_xrealloc(engine->accounts, (engine->count + 1) * sizeof(struct engine_account *));
	engine->accounts[engine->count++] = account;
}

void
engine_free_account(struct engine_account *account)
{
	engine_limit_leave(account);
	pool_done(&account->pool);
	sched_done(&account->sched);
	refusals_clear(&account->refusals);
	free(account);
}

void
engine_share_memory(struct engine *engine)
{
	unsigned i;

	for (i = 0; i < engine->count; i++)
		engine->accounts[i]->sched.room.octets = sched_share(engine->conf->memory, engine->conf->account_count);
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
	engine_share_memory(engine);
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

/* Takes the job. Who finds no room first is the first one of the next page. */
static void
let_in(struct engine_account *account, struct queue_job *row, struct nd_now now)
{
	struct sched *sched = &account->sched;
	const bool severe = sched_severe(row);
	char id[ND_ULID_LEN + 1];
	struct sched_job *job;

	memcpy(id, row->id, sizeof(id));
	job = sched_add(sched, row, now);
	if (job)
		sched_last(sched, job, account->wary && job->job->again);
	else if (!severe && sched->left_out[0] == '\0')
		memcpy(sched->left_out, id, sizeof(id));
}

/* The one that found no room in the page before, if it is here; else the first. */
static unsigned
first_of(const struct sched *sched, struct queue_job *const *jobs, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (jobs[i] && strcmp(jobs[i]->id, sched->left_out) == 0)
			return i;
	return 0;
}

/* Takes the jobs. The store gives submitter after submitter, always in the same order, and beside a flood there is room for a few only: those who have
 * fewest in the window are first, by turns, or whoever is at the end of each page would wait until all others have nothing more. */
static void
let_in_all(struct engine_account *account, struct queue_job **jobs, unsigned count, struct nd_now now)
{
	struct sched *sched = &account->sched;
	const unsigned first = first_of(sched, jobs, count);

	sched->left_out[0] = '\0';
	for (unsigned i = 0; i < count; i++)
		if (jobs[i] && sched_severe(jobs[i])) {
			let_in(account, jobs[i], now);
			jobs[i] = NULL;
		}
	for (unsigned has = 0; has <= sched->room.few; has++)
		for (unsigned n = 0; n < count; n++) {
			struct queue_job **at = &jobs[(first + n) % count];

			if (!*at || (has < sched->room.few && sched_owner_due(&sched->owners, *at) > has))
				continue;
			let_in(account, *at, now);
			*at = NULL;
		}
}

void
/* NOLINTNEXTLINE(readability-function-size): a page of the store as it came */
engine_loaded(struct engine *engine, struct engine_account *account, struct queue_job **jobs, unsigned count, bool more,
    nd_unix next_due, struct nd_now now)
{
	unsigned i, known_count;
	char(*known)[ND_ULID_LEN + 1] = sched_ids(&account->sched, &known_count);

	(void)engine;
	sched_loaded(&account->sched, more, next_due, now.unix_ms);
	if (more && (account->sched.few || count == 0 || sched_severe(jobs[count - 1]))) /* they come first */
		sched_cramped(&account->sched, now.unix_ms);
	for (i = 0; i < count; i++) {
		/* While the store was read an accepted job may have come in by the other door. */
		if (account->gone || bsearch(jobs[i]->id, known, known_count, sizeof(*known), by_id)) {
			queue_job_free(jobs[i]);
			jobs[i] = NULL;
		}
	}
	free(known);
	let_in_all(account, jobs, count, now);
}

void
engine_load_failed(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	(void)engine;
	sched_loaded(&account->sched, false, now.unix_ms + ND_SEC(10), now.unix_ms);
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
	struct act_time time = { .now = now.unix_ms };
	int wish = job->wish;

	job->wish = -1;
	if (wish < 0 || job->job->state != JOB_QUEUED)
		return false;
	time.max_age = engine_max_age(engine, now.unix_ms);
	if (act_on(job->job, (enum job_action)wish, &time, NULL) != ND_OK)
		return false;
	engine_to_store(engine, account, job, NULL);
	return true;
}

void
engine_put_back(
    struct engine *engine, struct engine_account *account, struct sched_job *job, nd_ms due, struct nd_now now)
{
	engine_limit_end(account, job, NULL, now.ms); /* unless its outcome did */
	if (!fulfil(engine, account, job, now))
		sched_back(&account->sched, job, due);
}

/* The account's own fault, in words, from a reply or a failure. */
void
engine_blame(struct engine *engine, struct engine_account *account, struct health_fault fault,
    const struct smtp_reply *reply, const struct nd_why *why, struct nd_now now)
{
	char words[SMTP_REPLY_TEXT + 32];
	struct nd_buf hint;

	if (reply && reply->code != 0)
		settle_reply_words(reply, words, sizeof(words));
	else
		(void)snprintf(words, sizeof(words), "%s", why ? why->text : "");
	nd_buf_init(&hint, HINT_LIMIT);
	fault.detail = words;
	fault.hint = hint_by_token(account->conf, engine_by_token(account) ? account->claims : NULL, words, why, &hint);
	if (fault.state == HEALTH_HELD)
		fault.quiet = spread_until(account->conf, words, account->changed, now);
	if (fault.quiet != 0) {
		fault.state = HEALTH_FAILING;
		fault.wait = SPREAD_WAIT;
	}
	health_fault(&account->health, &fault, engine_roll(engine), now.ms);
	nd_buf_done(&hint);
}

struct health_fault
engine_fault_of(const struct verdict_word *word, enum smtp_stage stage)
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
engine_offered(struct pool_session *session, const struct smtp_caps *caps)
{
	session->mails_max = caps->mail_max;
	session->domains_max = caps->rcpt_domain_max;
	if (!session->old)
		smtp_habits_offered(&session->account->habits, caps);
}

void
engine_ready(struct engine *engine, struct pool_session *session, struct nd_now now)
{
	struct engine_account *account = session->account;

	(void)engine;
	if (session->state == POOL_OPENING) {
		if (account->renewal == ENGINE_FOR_SESSION)
			account->renewal = ENGINE_NOT_RENEWED;
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
	sched_owner_returned(&session->account->sched.owners, job->owner);
	engine_put_back(engine, session->account, job, job->due, now);
}

/* The server refused the token: another one is asked for, once. */
bool
engine_renew(struct engine_account *account, enum engine_renewal renewal, nd_ms now)
{
	if (account->renewal != ENGINE_NOT_RENEWED)
		return false;
	account->renewal = renewal;
	token_spoiled(&account->token, now);
	return true;
}

bool
engine_given_up(const struct pool_session *session, nd_ms now)
{
	const struct token *token = &session->account->token;

	return !token_usable(token, now) || session->token_obtained != token->obtained;
}

/* While others work, one that cannot be opened only says: not so many. */
static bool
not_so_many(struct engine *engine, struct engine_account *account, struct verdict_word *word, struct nd_now now)
{
	const unsigned others = account->pool.count[POOL_IDLE_SESSION] + account->pool.count[POOL_BUSY];
	const unsigned mates = account->limit->open - pool_total(&account->pool);
	nd_ms until = now.ms + OPEN_PAUSE;

	if (word->verdict == VERDICT_THROTTLED && strcmp(word->reason, "too-many-logins") == 0)
		until = limit_login_refused(account->limit, word->wait, now.ms);
	else if (word->verdict == VERDICT_THROTTLED && strcmp(word->reason, "too-many-sessions") == 0)
		until = now.ms + limit_crowded(account->limit, others + mates + 1,
				     (unsigned)account->conf->max_connections, engine_roll(engine), now.ms);
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

	if (word.verdict == VERDICT_REFRESH &&
	    (engine_given_up(session, now.ms) || engine_renew(account, ENGINE_FOR_SESSION, now.ms))) {
		account->health.probing = false;
		return;
	}
	if (word.verdict == VERDICT_REFRESH) {
		word.verdict = VERDICT_HELD;
		account->renewal = ENGINE_NOT_RENEWED; /* each later probe may force one more */
	}
	if (word.verdict != VERDICT_HELD && word.verdict != VERDICT_THROTTLED)
		word.verdict = VERDICT_FAILING;
	if (word.verdict == VERDICT_FAILING) /* a server that says how many are too many: limit_crowded */
		growth_failed(&account->limit->growth, (unsigned)account->conf->max_connections, now.ms);
	if (word.verdict != VERDICT_HELD && not_so_many(engine, account, &word, now))
		return;
	engine_blame(engine, account, engine_fault_of(&word, fault->stage), &fault->reply, &fault->why, now);
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
		engine_put_back(engine, account, session->jobs[0], session->jobs[0]->due, now);
	}
	pool_enter(&account->pool, session, POOL_CLOSING, now.ms);
	if (opening && !session->old)
		session_fault(engine, session, fault ? fault : &silent, now);
	if (probe)
		health_unproved(&account->health, engine_roll(engine), now.ms);
	pool_remove(&account->pool, session);
	account->limit->open--;
}

void
engine_stored(struct engine *engine, struct engine_account *account, struct sched_job *job, struct nd_now now)
{
	engine->settling--;
	if (fulfil(engine, account, job, now) || engine_moved(engine, account, job, now))
		return;
	if (job->job->due <= now.unix_ms && engine_leaves(account, job->job))
		engine_to_store(engine, account, job, NULL);
	else
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
