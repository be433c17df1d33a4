/* SPDX-License-Identifier: Apache-2.0 */
/* engine_outcome.c - what became of a mail, for its job and for the account.  Layer: core. */
#include "daemon/core/engine_inner.h"

#include "common/mem.h"
#include "daemon/core/smtp_check.h"

#include <string.h>

#define LOST_LIMIT 3u /* lost transactions in a row that are the account's fault, not the messages' */

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

/* All that were under way on one session are lost at once: that is one loss. What one job meets again and again may be
 * its own: a filter on the way that does not like what it says. */
static unsigned
count_lost(struct pool_session *session, nd_ms now)
{
	struct engine_account *account = session->account;
	const char *job = session->jobs[0]->job->id;

	if (!session->lost && strcmp(account->lost_job, job) != 0) {
		account->lost_in_row++;
		memcpy(account->lost_job, job, sizeof(account->lost_job));
		growth_failed(&account->limit->growth, (unsigned)account->conf->max_connections, now);
	}
	session->lost = true;
	return account->lost_in_row;
}

/* Was it the connection that was lost, and the relay not as before the mail? Not when it was this mail that could not be read. */
static bool
broke(const struct smtp_outcome *outcome)
{
	return outcome->end == SMTP_ENDED_LOST && !outcome->unharmed && !outcome->local &&
	       outcome->why.err != ND_EBODYGONE && outcome->why.err != ND_EDISK;
}

/* "Too many": what the server says of sessions and messages changes how many there are. */
static void
heed(struct engine *engine, struct pool_session *session, struct settle_word *word, struct nd_now now)
{
	struct engine_account *account = session->account;
	const unsigned open = account->limit->open;
	nd_ms wait;

	if (word->fault.verdict != VERDICT_THROTTLED)
		return;
	if (strcmp(word->fault.reason, "rate") == 0)
		limit_hurried(account->limit, &account->rules, now.ms);
	if (strcmp(word->fault.reason, "too-many-sessions") != 0)
		return;
	wait =
	    limit_crowded(account->limit, open, (unsigned)account->conf->max_connections, engine_roll(engine), now.ms);
	word->fault.wait = wait;
	session->mails = account->pool.mails; /* it is not used again */
	if (open == 1)
		return;
	/* The others go on. */
	account->pool.open_after = now.ms + wait;
	word->account_fault = false;
}

/* How many sessions there may be. What a server says itself of too many is heeded elsewhere. */
static void
grow(struct engine_account *account, const struct smtp_outcome *outcome, const struct settle_word *word, nd_ms now)
{
	const unsigned max = (unsigned)account->conf->max_connections;

	if (word->delivered)
		growth_took(&account->limit->growth, max, now);
	else if (outcome->end == SMTP_ENDED_REPLY && outcome->reply.code == 421 &&
		 word->fault.verdict != VERDICT_THROTTLED)
		growth_failed(&account->limit->growth, max, now);
}

/* Did the server say anything of this mail? What is refused before it is asked proves nothing. */
static bool
heard(const struct engine_told *told)
{
	bool any = told->outcome->end == SMTP_ENDED_REPLY && told->outcome->reply.lines > 0;

	for (unsigned k = 0; k < told->mail->mail.rcpt_count && !any; k++)
		any = told->mail->results[k].reply.lines > 0;
	return any;
}

/* What an outcome says about the account. */
static void
judge(struct engine *engine, struct pool_session *session, const struct engine_told *told, struct settle_word *word,
    struct nd_now now)
{
	const struct smtp_outcome *outcome = told->outcome;
	struct engine_account *account = session->account;
	const bool refused = word->account_fault && word->fault.verdict == VERDICT_REFRESH;

	if (refused && (engine_given_up(session, now.ms) || engine_renew(account, ENGINE_FOR_MAIL, now.ms))) {
		word->account_fault = false;
		session->mails = account->pool.mails; /* it is not used again */
	} else if (refused) {
		word->fault.verdict = VERDICT_HELD;
	}
	if (outcome->end != SMTP_ENDED_LOST) {
		account->lost_in_row = 0;
		account->lost_job[0] = '\0';
		note_suspect(account, word);
		if (!refused && account->renewal == ENGINE_FOR_MAIL &&
		    session->token_obtained == account->token.obtained)
			account->renewal = ENGINE_NOT_RENEWED; /* by the new one */
		if (!refused && !word->account_fault && account->suspect.job[0] == '\0')
			health_proved(&account->health, true, now.ms);
	} else if (broke(outcome) && count_lost(session, now.ms) >= LOST_LIMIT) {
		word->account_fault = true;
		word->fault = (struct verdict_word){ VERDICT_FAILING, 0, "connection-lost" };
		word->fault_stage = outcome->stage;
	}
	if (word->suspect.job[0] != '\0' && !word->delivered)
		session->mails =
		    account->pool.mails; /* it may be the session's own: whoever is next gets another one */
	grow(account, outcome, word, now.ms);
	if (word->account_fault)
		heed(engine, session, word, now);
	if (word->account_fault)
		engine_blame(engine, account, engine_fault_of(&word->fault, word->fault_stage), word->fault_reply,
		    &outcome->why, now);
	account->health.probing = session->probe = false;
}

/* The session had died while it lay idle: that says nothing about the mail or the account, but much about those that lay idle beside it. */
static void
bury(struct pool_session *session)
{
	pool_died(&session->account->pool, session);
	if (session->probe) /* another one is */
		session->account->health.probing = session->probe = false;
}

/* Mails that are refused for good, one like the other. */
static void
count_refusal(struct engine_account *account, const struct queue_job *job, const struct settle_word *word, nd_unix now)
{
	if (word->delivered)
		refusals_delivered(&account->refusals);
	else if (word->account_fault && strcmp(word->fault.reason, REFUSALS_WORD) == 0)
		refusals_hold(&account->refusals);
	else if (job->state == JOB_FAILED && word->refused.job[0] != '\0')
		refusals_note(&account->refusals, &word->refused, word->refused_reply, now);
}

void
engine_mind_doubt(struct engine_account *account)
{
	struct sched_job *job;

	if (account->wary == account->refusals.held)
		return;
	account->wary = account->refusals.held;
	for (job = account->sched.all; job; job = job->next)
		sched_last(&account->sched, job, account->wary && job->job->again);
}

/* Nearly all of them are taken, and nothing more needs to be known of them. */
static bool
plainly_taken(const struct engine_told *told)
{
	unsigned k = 0;

	while (k < told->mail->mail.rcpt_count && told->mail->results[k].reply.code / 100 == 2)
		k++;
	return told->outcome->end == SMTP_ENDED_REPLY && told->outcome->reply.code / 100 == 2 &&
	       k == told->mail->mail.rcpt_count;
}

/* Was it the server that refused the message for its size, and for nothing else? */
static bool
too_big(const struct smtp_outcome *outcome, const struct settle_word *word)
{
	return outcome->end == SMTP_ENDED_REPLY && outcome->reply.lines > 0 && outcome->reply.code >= 500 &&
	       word->cause.reason && strcmp(word->cause.reason, "too-big") == 0 &&
	       smtp_check_limit(outcome->stage, &outcome->reply);
}

/* Those whom this account takes are not to wait for one that does not work. */
static bool
concerns_all(const struct smtp_outcome *outcome, const struct queue_job *job)
{
	unsigned pending = 0;

	for (unsigned i = 0; i < job->rcpt_count; i++)
		pending += job->rcpts[i].state == RCPT_PENDING;
	return pending == 1 ||
	       (outcome->end == SMTP_ENDED_REPLY && outcome->stage != SMTP_AT_RCPT && outcome->reply.code >= 500);
}

enum smtp_ext
engine_outcome(struct engine *engine, struct pool_session *session, const struct engine_told *told, struct nd_now now)
{
	struct engine_account *account = session->account;
	struct settle_case c = { account->conf, told->outcome, told->mail, engine_max_age(engine, now.unix_ms),
		engine_roll(engine), now.unix_ms, &account->suspect, &account->refusals,
		!plainly_taken(told) && engine_elsewhere(engine, account, session->jobs[0]->job,
					    !concerns_all(told->outcome, session->jobs[0]->job)),
		engine->conf->accounts.count < 2 || engine->conf->failover_after == 0 };
	struct sched_job *job = session->jobs[0];
	enum smtp_ext left_out = SMTP_EXT_NONE;
	struct settle_word word;

	engine_limit_end(account, job, told->outcome, now.ms);
	settle_outcome(job->job, &c, &word);
	if (word.elsewhere && job->job->uncertain) /* if it was taken before, its reader has it by then */
		job->job->due = now.unix_ms + engine->conf->uncertain_wait;
	session->mails++;
	if (session->mails > 1 && word.split && !word.delivered) /* "too many" may count what the session had before */
		session->mails = account->pool.mails;
	if (told->outcome->uncertain)
		job->doubted = now.ms;
	if (word.delivered && !session->old)
		breaker_delivered(&account->breaker);
	if (told->outcome->stale) {
		bury(session);
	} else if (!session->old) { /* settings that hold no more say nothing about the new ones */
		left_out = smtp_habits_learn(&account->habits, told->outcome, now.ms);
		if (too_big(told->outcome, &word))
			smtp_habits_refused(&account->habits, job->octets, now.ms);
		/* Else it is a probe still, by its next mail. A sender that cannot be said is the account's fault unasked. */
		if (told->outcome->end == SMTP_ENDED_LOST || heard(told) || word.account_fault)
			judge(engine, session, told, &word, now);
		count_refusal(account, job->job, &word, now.unix_ms);
	}
	if (word.counted)
		engine_to_store(engine, account, job, attempt_of(session, told, &word, now.unix_ms));
	else /* behind all that is due now, unless it was not begun */
		engine_put_back(engine, account, job, told->outcome->stale ? job->due : now.ms + 1, now);
	engine_mind_doubt(account);
	if (account->wary && !word.counted && word.account_fault)
		sched_last(&account->sched, job, true);
	pool_take(session, 0);
	return left_out;
}
