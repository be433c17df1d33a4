/* SPDX-License-Identifier: Apache-2.0 */
/* settle.c - what a transaction came to.  Layer: core. */
#include "daemon/core/settle.h"

#include "common/mem.h"
#include "daemon/core/blame.h"
#include "daemon/core/declined.h"
#include "daemon/core/hint.h"
#include "daemon/core/retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
settle_reply_words(const struct smtp_reply *reply, char *out, size_t size)
{
	(void)snprintf(out, size, "%d%s%s%s%s", reply->code, reply->enhanced[0] ? " " : "", reply->enhanced,
	    reply->text[0] ? " " : "", reply->text);
}

void
settle_reason(struct queue_job *job, const char *word, const char *text, const char *hint)
{
	struct nd_buf buf;
	size_t len;

	nd_buf_init(&buf, 1024);
	(void)nd_buf_adds(&buf, word);
	if (text && text[0] != '\0') {
		(void)nd_buf_adds(&buf, ": ");
		len = nd_str_utf8_cut(text, strlen(text), 700);
		(void)nd_buf_add(&buf, text, len);
	}
	free(job->reason);
	free(job->hint);
	job->reason = nd_buf_take(&buf, NULL);
	job->hint = hint && hint[0] != '\0' ? nd_xstrdup(hint) : NULL;
}

static bool
of_account(enum verdict verdict)
{
	return verdict == VERDICT_THROTTLED || verdict == VERDICT_FAILING || verdict == VERDICT_REFRESH ||
	       verdict == VERDICT_HELD;
}

static struct verdict_word
judge(const struct settle_case *c, const struct queue_job *job, enum smtp_stage stage, const struct smtp_reply *reply)
{
	struct verdict_word word;
	struct verdict_case v = {
		.provider = c->account->provider,
		.stage = stage,
		.code = reply->code,
		.enhanced = reply->enhanced,
		.text = reply->text,
		.oauth = c->account->auth == CONF_OAUTH2,
		.alone = c->alone,
	};

	word = verdict_of(&v);
	if (blame_sender(c, job, stage, &word) || blame_readers(c, &word, reply))
		word.verdict = VERDICT_ELSEWHERE;
	return word;
}

static bool
taken(const struct smtp_outcome *outcome)
{
	return outcome->end == SMTP_ENDED_REPLY && outcome->stage == SMTP_AT_END && outcome->reply.code / 100 == 2;
}

static bool
ended_by_rcpt(const struct smtp_outcome *outcome)
{
	return outcome->end == SMTP_ENDED_REPLY && outcome->stage == SMTP_AT_RCPT;
}

/* "Not now" in the middle of a mail may mean the account or this mail alone. The account's it is when mails of two jobs met it, to different recipients, and
 * none passed in between. Till then it is tried once more at once, on a new session and behind the others; then it waits as any mail that is put off. */
static struct verdict_word
own_or_account(const struct settle_case *c, const struct queue_rcpt *rcpt, const struct settle_suspect *who,
    struct verdict_word verdict, const struct smtp_reply *reply)
{
	const struct settle_suspect *other = c->suspect;
	const bool again = rcpt->code >= 400 && strcmp(other->job, who->job) == 0; /* in whatever words */

	if (verdict.verdict != VERDICT_FAILING)
		return verdict;
	if (taken(c->outcome) || again || rcpt->code == reply->code)
		verdict.verdict = VERDICT_RETRY;
	else if (other->job[0] == '\0' || strcmp(other->job, who->job) == 0)
		verdict.verdict = VERDICT_RESEND;
	else if (who->rcpt[0] != '\0' && strcmp(other->rcpt, who->rcpt) == 0)
		verdict.verdict = VERDICT_RETRY;
	return verdict;
}

static void
suspect(struct settle_suspect *who, const struct queue_job *job, const char *rcpt)
{
	memcpy(who->job, job->id, sizeof(who->job));
	(void)snprintf(who->rcpt, sizeof(who->rcpt), "%s", rcpt);
}

/* The reply to one RCPT ended all: what it is for the others. */
static struct verdict_word
judge_ended_by_rcpt(const struct settle_case *c, const struct queue_job *job, struct verdict_word verdict)
{
	struct settle_suspect who;
	unsigned k = 0;

	while (k + 1 < c->mail->mail.rcpt_count && c->mail->results[k].reply.code != c->outcome->reply.code)
		k++;
	suspect(&who, job, c->mail->rcpts[k]);
	verdict = own_or_account(c, &job->rcpts[c->mail->index[k]], &who, verdict, &c->outcome->reply);
	if (of_account(verdict.verdict))
		return verdict;
	return (struct verdict_word){ VERDICT_SPLIT, 0, "untried" };
}

/* The verdict on everybody whose RCPT was accepted, or never said. */
static struct verdict_word
judge_mail(const struct settle_case *c, const struct queue_job *job, struct settle_word *word)
{
	struct verdict_word verdict;
	const struct smtp_outcome *outcome = c->outcome;

	if (outcome->end == SMTP_ENDED_LOST) {
		if (outcome->why.err == ND_EBODYGONE) /* also amid the content: it does not come back */
			return (struct verdict_word){ VERDICT_REFUSED, 0, nd_err_name(ND_EBODYGONE) };
		/* Once it may be the session's own end; a mail that breaks each session it goes on must not be sent for ever. */
		if (outcome->stale || (outcome->unharmed && !job->spared))
			return (struct verdict_word){ VERDICT_RESEND, 0, "session-lost" };
		return (struct verdict_word){ VERDICT_RETRY, 0, nd_err_name(outcome->why.err) };
	}
	/* It speaks of our manners, not of the mail. */
	if (outcome->misfit)
		return (struct verdict_word){ VERDICT_RESEND, 0, "protocol" };
	/* Nobody is left for whom the reply speaks. */
	if (outcome->end == SMTP_ENDED_RCPTS)
		return (struct verdict_word){ VERDICT_SPLIT, 0, "untried" };
	if (taken(outcome))
		return (struct verdict_word){ VERDICT_DELIVERED, 0, "delivered" };
	verdict = judge(c, job, outcome->stage, &outcome->reply);
	if (ended_by_rcpt(outcome))
		return judge_ended_by_rcpt(c, job, verdict);
	if (verdict.verdict == VERDICT_FAILING)
		suspect(&word->suspect, job, "");
	return own_or_account(c, &job->rcpts[c->mail->index[0]], &word->suspect, verdict, &outcome->reply);
}

static void
write_down(struct queue_rcpt *rcpt, const struct smtp_reply *reply)
{
	if (!reply || reply->code == 0)
		return;
	rcpt->code = (int16_t)reply->code;
	memcpy(rcpt->enhanced, reply->enhanced, sizeof(rcpt->enhanced));
	free(rcpt->text);
	rcpt->text = nd_xstrdup(reply->text);
}

static void
end_rcpt(struct queue_rcpt *rcpt, enum rcpt_state state, nd_unix now)
{
	rcpt->state = (uint8_t)state;
	rcpt->at = now;
}

/* Which of two verdicts tells more of the attempt. */
static int
weight(enum verdict verdict)
{
	static const int weights[] = {
		[VERDICT_RESEND] = 0,
		[VERDICT_SPLIT] = 1,
		[VERDICT_REFUSED] = 2,
		[VERDICT_RETRY] = 3,
		[VERDICT_ELSEWHERE] = 4,
		[VERDICT_DELIVERED] = 5,
		[VERDICT_THROTTLED] = 6,
		[VERDICT_FAILING] = 6,
		[VERDICT_REFRESH] = 6,
		[VERDICT_HELD] = 6,
	};

	return weights[verdict];
}

/* The verdict on one whose RCPT was refused. */
static struct verdict_word
judge_rcpt(struct queue_job *job, const struct settle_case *c, unsigned k, struct settle_word *word)
{
	const struct smtp_reply *reply = &c->mail->results[k].reply;
	struct queue_rcpt *rcpt = &job->rcpts[c->mail->index[k]];
	struct verdict_word verdict = judge(c, job, SMTP_AT_RCPT, reply);

	if (c->mail->results[k].misfit)
		return (struct verdict_word){ VERDICT_RESEND, 0, "protocol" };
	if (verdict.verdict != VERDICT_FAILING)
		return verdict;
	suspect(&word->suspect, job, rcpt->address);
	verdict = own_or_account(c, rcpt, &word->suspect, verdict, reply);
	if (verdict.verdict != VERDICT_FAILING && ended_by_rcpt(c->outcome))
		rcpt->alone = true;
	return verdict;
}

/* A final refusal: of this job, or one more of those that every mail of the account meets? */
static struct verdict_word
own_or_alike(const struct settle_case *c, const struct queue_job *job, const char *rcpt, const struct smtp_reply *reply,
    struct settle_word *word)
{
	struct refusals_one who;

	memcpy(who.job, job->id, sizeof(who.job));
	(void)snprintf(who.rcpt, sizeof(who.rcpt), "%s", rcpt);
	if (c->refusals && !taken(c->outcome) && refusals_many(c->refusals, &who, reply))
		return (struct verdict_word){ VERDICT_HELD, 0, REFUSALS_WORD };
	/* Queued again for such refusals, and refused once more, by whatever account: then it was its own. */
	if (word->refused.job[0] == '\0' && !job->again) {
		word->refused = who;
		word->refused_reply = reply;
	}
	return (struct verdict_word){ VERDICT_REFUSED, 0, NULL };
}

/* A filter that refuses the content likes to say what it did not like in it. */
static void
hush(const struct queue_job *job, const struct smtp_outcome *outcome, struct settle_word *word)
{
	if (!job->sealed || outcome->end != SMTP_ENDED_REPLY || outcome->stage != SMTP_AT_END ||
	    outcome->reply.code < 400)
		return;
	word->hushed = outcome->reply;
	(void)snprintf(word->hushed.text, sizeof(word->hushed.text),
	    "(its words are not kept: they may quote a sensitive message)");
}

/* The weightiest verdict is the attempt's. */
static void
weigh(struct settle_word *word, struct verdict_word verdict, const struct smtp_reply *reply)
{
	if (!word->verdict.reason || weight(verdict.verdict) > weight(word->verdict.verdict)) {
		word->verdict = verdict;
		word->reply = reply;
	}
	if (verdict.verdict != VERDICT_DELIVERED &&
	    (!word->cause.reason || weight(verdict.verdict) > weight(word->cause.verdict))) {
		word->cause = verdict;
		word->cause_reply = reply;
	}
}

/* What was said of this recipient, else of the mail; NULL: nothing. */
static const struct smtp_reply *
reply_of(
    const struct settle_case *c, const struct smtp_rcpt_result *result, bool refused, const struct settle_word *word)
{
	if (refused)
		return &result->reply;
	if (c->outcome->end != SMTP_ENDED_REPLY)
		return NULL;
	return word->hushed.code != 0 ? &word->hushed : &c->outcome->reply;
}

/* One recipient; returns the verdict that holds for it. */
static struct verdict_word
settle_one(
    struct queue_job *job, const struct settle_case *c, unsigned k, struct verdict_word mail, struct settle_word *word)
{
	const struct smtp_rcpt_result *result = &c->mail->results[k];
	struct queue_rcpt *rcpt = &job->rcpts[c->mail->index[k]];
	bool refused = result->asked && result->reply.code >= 400;
	const struct smtp_reply *reply = reply_of(c, result, refused, word);
	struct verdict_word verdict = refused ? judge_rcpt(job, c, k, word) : mail;
	bool lacks = false;

	if (!refused && blame_spares(c, &verdict, &c->outcome->reply, c->mail->rcpts[k]))
		verdict = (struct verdict_word){ VERDICT_SPLIT, 0, "untried" };
	if (verdict.verdict == VERDICT_ELSEWHERE && !c->elsewhere) {
		verdict.verdict = VERDICT_REFUSED;
		word->lacks = lacks = true;
	} else if (verdict.verdict == VERDICT_REFUSED && reply && reply->code != 0) {
		struct verdict_word alike = own_or_alike(c, job, refused ? rcpt->address : "", reply, word);

		if (alike.verdict == VERDICT_HELD)
			verdict = alike;
	}
	if (verdict.verdict == VERDICT_SPLIT && !refused)
		reply = NULL; /* it spoke of another one */

	if (of_account(verdict.verdict)) {
		word->account_fault = true;
		word->fault = verdict;
		word->fault_stage = refused ? SMTP_AT_RCPT : c->outcome->stage;
		word->fault_reply = reply;
	} else if (!lacks || !job->declined || rcpt->code / 100 != 5) { /* the first account's words stay */
		write_down(rcpt, reply);
	}
	if (verdict.verdict == VERDICT_DELIVERED)
		end_rcpt(rcpt, RCPT_DELIVERED, c->now);
	else if (verdict.verdict == VERDICT_REFUSED)
		end_rcpt(rcpt, RCPT_REFUSED, c->now);
	else if (c->outcome->uncertain && !refused) /* one who was refused has not got it */
		rcpt->uncertain = true;
	rcpt->put_off = verdict.verdict == VERDICT_RETRY;
	weigh(word, verdict, reply);
	return verdict;
}

nd_unix
settle_age_from(const struct queue_job *job)
{
	const nd_unix from = job->not_before > job->created ? job->not_before : job->created;

	return job->age_from > from ? job->age_from : from;
}

nd_unix
settle_end(const struct queue_job *job, nd_ms max_age)
{
	nd_unix end = job->created + max_age;

	return job->expires != 0 && job->expires < end ? job->expires : end;
}

void
settle_expire(struct queue_job *job, nd_unix now)
{
	unsigned i;

	for (i = 0; i < job->rcpt_count; i++)
		if (job->rcpts[i].state == RCPT_PENDING)
			end_rcpt(&job->rcpts[i], RCPT_EXPIRED, now);
	job->state = JOB_EXPIRED;
}

/* The state that follows from the recipients. */
static enum job_state
state_of(const struct queue_job *job)
{
	unsigned i, pending = 0, delivered = 0;

	for (i = 0; i < job->rcpt_count; i++) {
		pending += job->rcpts[i].state == RCPT_PENDING;
		delivered += job->rcpts[i].state == RCPT_DELIVERED;
	}
	return pending > 0 ? JOB_QUEUED : delivered > 0 ? JOB_DELIVERED : JOB_FAILED;
}

void
settle_declined(struct queue_job *job, nd_unix now)
{
	unsigned i;

	for (i = 0; i < job->rcpt_count; i++)
		if (job->rcpts[i].state == RCPT_PENDING)
			end_rcpt(&job->rcpts[i], RCPT_REFUSED, now);
	job->state = (uint8_t)state_of(job);
	declined_tell(job);
}

/* How often everybody has been asked: so long waits grow, however many transactions it takes. What was counted is lost
 * when the job leaves memory; that the first round took as many as there are recipients for is known. */
static unsigned
rounds(const struct queue_job *job)
{
	const unsigned most = job->most > 0 ? job->most : SETTLE_RCPTS;
	const unsigned first = (job->rcpt_count + most - 1) / most, beside = first > 0 ? first - 1 : 0;
	const unsigned counted = job->beside > beside ? job->beside : beside;

	return job->attempt_count > counted ? job->attempt_count - counted : 1;
}

static void
settle_job(struct queue_job *job, const struct settle_case *c, const struct settle_word *word)
{
	job->state = (uint8_t)state_of(job);
	if (job->state != JOB_QUEUED)
		return;
	job->due = c->now;
	if (!word->elsewhere && settle_round_over(job)) {
		job->due += retry_job(rounds(job), job->wait, c->dice);
		job->wait = 0;
	} else {
		job->beside++;
	}
	if (word->counted && c->now >= settle_end(job, c->max_age))
		settle_expire(job, c->now);
}

/* Why somebody has not got it (yet): nothing when everybody has. */
static void
tell(struct queue_job *job, const struct settle_case *c, const struct settle_word *word)
{
	char text[SMTP_REPLY_TEXT + 32];
	const char *words = c->outcome->why.text;
	struct nd_buf hint;

	if (!word->cause.reason) {
		free(job->reason);
		free(job->hint);
		job->reason = job->hint = NULL;
		return;
	}
	if (word->cause_reply && word->cause_reply->code != 0) {
		settle_reply_words(word->cause_reply, text, sizeof(text));
		words = text;
	}
	nd_buf_init(&hint, HINT_LIMIT);
	settle_reason(job, word->cause.reason, words, hint_of(c->account, HINT_OWNER, words, NULL, &hint));
	nd_buf_done(&hint);
	if (word->elsewhere && job->state == JOB_QUEUED)
		declined_note(job, c->account->name);
	else if (word->lacks && word->cause.verdict == VERDICT_REFUSED)
		declined_tell(job);
}

/* Everybody was to go in another transaction, by one that took nobody: the next one would end the same way. */
static void
put_off_all(struct queue_job *job, const struct settle_mail *mail)
{
	for (unsigned k = 0; k < mail->mail.rcpt_count; k++)
		job->rcpts[mail->index[k]].put_off = true;
}

void
settle_outcome(struct queue_job *job, const struct settle_case *c, struct settle_word *word)
{
	struct verdict_word mail, one;
	unsigned k, changed = 0;
	bool resend = false;

	*word = (struct settle_word){ 0 };
	mail = judge_mail(c, job, word);
	hush(job, c->outcome, word);
	for (k = 0; k < c->mail->mail.rcpt_count; k++) {
		one = settle_one(job, c, k, mail, word);
		resend = resend || one.verdict == VERDICT_RESEND;
		changed += one.verdict == VERDICT_DELIVERED || one.verdict == VERDICT_REFUSED ||
			   one.verdict == VERDICT_RETRY || one.verdict == VERDICT_ELSEWHERE;
		word->elsewhere = word->elsewhere || one.verdict == VERDICT_ELSEWHERE;
		word->delivered = word->delivered || one.verdict == VERDICT_DELIVERED;
		word->split = word->split || one.verdict == VERDICT_SPLIT;
		if (one.verdict == VERDICT_RETRY && one.wait > job->wait)
			job->wait = one.wait;
	}
	if (changed == 0 && !word->account_fault && !resend) {
		changed = 1;
		put_off_all(job, c->mail);
	}
	word->counted = changed > 0;
	/* That a session had died before it was of use says nothing of the mail. */
	job->spared = (mail.verdict == VERDICT_RESEND && c->outcome->end == SMTP_ENDED_LOST && !c->outcome->stale) ||
		      (job->spared && !word->counted);
	if (!word->counted) {
		job->due =
		    c->now; /* behind those that are due already: one bad job must not stand in everybody's way */
		job->state = JOB_QUEUED;
		return;
	}
	job->attempt_count++;
	job->uncertain = job->uncertain || c->outcome->uncertain;
	settle_job(job, c, word);
	tell(job, c, word);
}
