/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.c - carries out what the engine decides about sessions and mails. */
#include "daemon/app.h"
#include "daemon/deliver_head.h"
#include "daemon/transcripts.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/late.h"
#include "daemon/core/smtp_check.h"
#include "daemon/io/smtp_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOAD_OCTETS (4u * 1024 * 1024)

struct said {                     /* one mail */
	struct settle_mail *mail; /* owned */
	nd_unix start;
	struct deliver_head head; /* owned; octets NULL: the job's own */
	struct evidence_sum *sum; /* owned; of a spooled one; NULL none */
	bool begins, given;       /* nothing of this rendition was sent before; some of it was now */
	uint32_t late;            /* of the job, before it began */
};

struct delivery { /* one session; pool_session.link */
	struct app *app;
	struct pool_session *session;
	struct conf *held; /* what `conf` borrows from */
	struct smtp_link_conf conf;
	struct smtp_link *link;
	struct said said[SMTP_WINDOW_MAX]; /* the mails under way, as in session->jobs */
	unsigned said_count;
	struct proof_reading *reading; /* of the password */
	struct nd_secret password;     /* while the session opens */
	struct nd_why why;             /* why it could not even begin */
};

static const enum smtp_auth auths[] = {
	[CONF_OAUTH2] = SMTP_AUTH_OAUTH,
	[CONF_PASSWORD] = SMTP_AUTH_PASSWORD,
	[CONF_NO_AUTH] = SMTP_AUTH_NONE,
};

static void
free_said(struct said *said)
{
	evidence_sum_end(said->sum, NULL);
	free(said->mail);
	deliver_head_done(&said->head);
}

static void
free_late(void *arg)
{
	struct delivery *delivery = arg;

	reload_release(delivery->held);
	free(delivery);
}

static void
free_delivery(struct delivery *delivery)
{
	proof_forget(delivery->reading);
	if (delivery->link)
		smtp_link_free(delivery->link);
	nd_secret_done(&delivery->password);
	while (delivery->said_count > 0)
		free_said(&delivery->said[--delivery->said_count]);
	loop_free_later(delivery->app->loop, free_late, delivery); /* as the link is, which borrows from it */
}

/* What never began to leave may begin otherwise the next time. */
static void
take_back(const struct said *said, struct queue_job *job)
{
	if (said->begins && !said->given)
		job->late = said->late;
}

/* The session is over, by a fault or as asked. */
static void
end_session(struct delivery *delivery, const struct smtp_fault *fault)
{
	struct app *app = delivery->app;
	struct pool_session *session = delivery->session;
	struct engine_account *account = session->account;
	const bool opening = fault && session->state == POOL_OPENING;
	const unsigned met = account->health.met;

	if (opening) {
		nd_log(ND_LOG_WARNING,
		    ND_FIELDS({ "ACCOUNT", session->account->conf->name }, { "SESSION", session->id },
			{ "RELAY", delivery->link ? smtp_link_relay(delivery->link) : NULL },
			{ "STAGE", smtp_proto_stage_name(fault->stage) }, { "ERR", nd_err_name(fault->why.err) }),
		    "no session with %s for account %s: at %s: %s%s%s", session->account->conf->host,
		    session->account->conf->name, smtp_proto_stage_name(fault->stage), fault->why.text,
		    fault->challenge[0] ? "; the server added " : "", fault->challenge);
	}
	for (unsigned i = 0; i < delivery->said_count; i++)
		take_back(&delivery->said[i], session->jobs[i]->job);
	engine_gone(app->engine, session, fault, loop_now(app->loop));
	if (opening && account->health.met != met)
		transcripts_unopened(app, account, delivery->link, fault);
	free_delivery(delivery);
	loop_soon(app->loop, app_pump, app);
}

static void
on_ready(void *owner, struct smtp_link *link)
{
	struct delivery *delivery = owner;

	nd_secret_done(&delivery->password);
	if (delivery->session->state == POOL_OPENING) {
		engine_offered(delivery->session, smtp_proto_caps(smtp_link_proto(link)));
		transcripts_opened(delivery->session);
	}
	engine_ready(delivery->app->engine, delivery->session, loop_now(delivery->app->loop));
	loop_soon(delivery->app->loop, app_pump, delivery->app);
}

/* Before its last octets leave. */
static bool
note(struct app *app, struct sched_job *job)
{
	if (job->slot < 0)
		job->slot = inflight_note(app->inflight, job->job->id, job->job->late);
	return job->slot >= 0;
}

static bool
on_ending(void *owner, struct smtp_link *link)
{
	struct delivery *delivery = owner;

	(void)link;
	return note(delivery->app, delivery->session->jobs[0]); /* it is alone */
}

static void
on_room(void *owner, struct smtp_link *link)
{
	struct delivery *delivery = owner;

	(void)link;
	if (delivery->session->account->conf->window <= 1)
		return;
	engine_room(delivery->app->engine, delivery->session);
	loop_soon(delivery->app->loop, app_pump, delivery->app);
}

/* What the relay offers and has just refused, of the mail or of a recipient. Its words after the message may quote a sensitive one. */
static void
tell_left_out(const struct engine_account *account, enum smtp_ext left_out, const struct engine_told *told, bool sealed)
{
	const struct smtp_reply *reply = &told->outcome->reply;
	char words[SMTP_REPLY_TEXT + 32];

	for (unsigned n = 0; n < told->mail->mail.rcpt_count; n++)
		if (told->mail->results[n].misfit)
			reply = &told->mail->results[n].reply;
	settle_reply_words(reply, words, sizeof(words));
	if (sealed && told->outcome->stage == SMTP_AT_END)
		(void)snprintf(words, sizeof(words), "%d %s", reply->code, reply->enhanced);
	nd_log(ND_LOG_NOTICE, ND_FIELDS({ "ACCOUNT", account->conf->name }),
	    "%s has trouble with what it offers: it goes without %s for %d h, because of: %.300s", account->conf->host,
	    smtp_ext_name(left_out), (int)(SMTP_EXT_SHUN / ND_HOUR(1)),
	    told->outcome->end == SMTP_ENDED_LOST ? told->outcome->why.text : words);
}

static void
on_outcome(void *owner, struct smtp_link *link, const struct smtp_outcome *outcome)
{
	struct delivery *delivery = owner;
	struct app *app = delivery->app;
	struct sched_job *job = delivery->session->jobs[0];
	struct said said = delivery->said[0];
	struct engine_told told = { outcome, said.mail, smtp_link_relay(link), said.start };
	struct engine_account *account = delivery->session->account;
	const bool sealed = job->job->sealed;
	const uint64_t too_big = account->habits.too_big;
	const unsigned met = account->health.met;
	enum smtp_ext left_out;

	(void)snprintf(job->tls, sizeof(job->tls), "%s", link ? smtp_link_tls(link) : "");
	evidence_sum_end(said.sum, job);
	said.sum = NULL;
	take_back(&said, job->job);
	/* Whatever the engine makes of it: without a doubt about the relay's word there is nothing to note. */
	left_out = engine_outcome(app->engine, delivery->session, &told, loop_now(app->loop));
	if (left_out != SMTP_EXT_NONE)
		tell_left_out(account, left_out, &told, sealed);
	transcripts_outcome(app, delivery->session, job, link, outcome, account->health.met != met);
	if (account->habits.too_big != too_big)
		nd_log(ND_LOG_NOTICE, ND_FIELDS({ "ACCOUNT", account->conf->name }),
		    "%s refused a message of %llu octets for its size: for %d h nothing as large is tried there",
		    account->conf->host, (unsigned long long)account->habits.too_big,
		    (int)(SMTP_EXT_SHUN / ND_HOUR(1)));
	if (job->place != SCHED_SETTLING && job->slot >= 0) {
		inflight_drop(app->inflight, job->slot);
		job->slot = -1;
	}
	free_said(&said);
	memmove(&delivery->said[0], &delivery->said[1], --delivery->said_count * sizeof(said));
	loop_soon(app->loop, app_pump, app);
}

static void
on_gone(void *owner, struct smtp_link *link, const struct smtp_fault *fault)
{
	(void)link;
	end_session(owner, fault);
}

static const struct smtp_link_events events = {
	.ready = on_ready,
	.ending = on_ending,
	.room = on_room,
	.outcome = on_outcome,
	.gone = on_gone,
};

/* What is wrong before anything is sent, as the fault of a session. */
static void
fail_early(void *arg)
{
	struct delivery *delivery = arg;
	struct smtp_fault fault = { .stage = SMTP_AT_CONNECT, .why = delivery->why };

	end_session(delivery, &fault);
}

static bool
prepare(struct delivery *delivery, const struct conf_account *conf, struct app_account *account)
{
	trust_way(delivery->app->conf, conf, &delivery->conf);
	delivery->conf.settings.auth = auths[conf->auth];
	delivery->conf.settings.secret = conf->auth == CONF_PASSWORD ? &delivery->password : &account->token;
	if (conf->security != CONF_PLAIN && !account->tls)
		account->tls = trust_tls(conf, &delivery->why);
	delivery->conf.tls = account->tls;
	return conf->security == CONF_PLAIN || account->tls;
}

static void
dial(struct delivery *delivery)
{
	struct app *app = delivery->app;

	delivery->link = smtp_link_new(app->loop, app->resolver, &delivery->conf, &events, delivery);
	if (nd_log_wanted(ND_LOG_DEBUG))
		smtp_link_trace(delivery->link, delivery->session->id);
}

/* The password has come. */
static void
proved(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct delivery *delivery = arg;

	delivery->reading = NULL;
	if (!proof) {
		delivery->why = *why;
		fail_early(delivery);
		return;
	}
	nd_secret_set(&delivery->password, proof->password.octets, proof->password.len);
	dial(delivery);
}

void
deliver_open(struct app *app, struct engine_account *account, struct pool_session *session)
{
	struct delivery *delivery = nd_xalloc(sizeof(*delivery));

	delivery->app = app;
	delivery->session = session;
	delivery->held = reload_hold(app->conf);
	session->link = delivery;
	if (!prepare(delivery, account->conf, account->user)) {
		loop_soon(app->loop, fail_early, delivery);
		return;
	}
	if (account->conf->auth == CONF_PASSWORD)
		delivery->reading = proof_password(app, account->user, proved, delivery);
	else
		dial(delivery);
}

/* The body cannot be read: told as a lost transaction, so the job is tried again and says why. One that is too large, or may not be converted, never
 * can be said. */
static void
fail_mail(struct delivery *delivery, const struct nd_why *why)
{
	struct smtp_outcome outcome = { .end = SMTP_ENDED_LOST, .stage = SMTP_AT_MAIL, .why = *why, .local = true };

	if (why->err == ND_ETOOBIG || why->err == ND_EMEDIATYPE) {
		outcome.end = SMTP_ENDED_REPLY;
		(why->err == ND_ETOOBIG ? smtp_check_refuse : smtp_check_refuse_eight)(why->text, &outcome.reply);
	}
	on_outcome(delivery, delivery->link, &outcome);
	engine_ready(delivery->app->engine, delivery->session, loop_now(delivery->app->loop));
}

/* Of the first of those under way. */
static void
on_given(void *arg, const char *octets, size_t len)
{
	struct said *said = arg;

	said->given = true;
	if (said->sum)
		evidence_sum_add(said->sum, octets, len);
}

static void
send_first(struct delivery *delivery, struct smtp_link_mail *mail, const struct queue_job *job)
{
	struct said *said = &delivery->said[0];
	struct spool_body body;
	struct nd_why why;

	if (job->spooled && !mail->read) {
		if (spool_body_open(delivery->app->spool, job, &body, &why) != ND_OK) {
			fail_mail(delivery, &why);
			return;
		}
		mail->fd = body.fd;
		mail->seal = body.seal;
	}
	if (job->spooled)
		said->sum = evidence_sum_new(job, mail->mail.size);
	mail->given = on_given;
	mail->given_arg = said;
	smtp_link_send(delivery->link, mail);
}

/* Beside those under way. false: not this one. */
static bool
send_beside(struct delivery *delivery, const struct smtp_link_mail *mail, struct sched_job *job)
{
	if (!smtp_link_fits(delivery->link, mail) || !note(delivery->app, job))
		return false;
	smtp_link_ahead(delivery->link, mail);
	delivery->said[delivery->said_count - 1].given = true;
	return true;
}

/* Header and body as this relay takes them. */
static enum nd_err
take_content(struct delivery *delivery, struct sched_job *job, struct said *said, struct smtp_link_mail *mail,
    struct nd_why *why)
{
	const struct smtp_caps *caps = smtp_proto_caps(smtp_link_proto(delivery->link));

	if (said->begins)
		job->sha256[0] = '\0';
	mail->mail.author = delivery->session->account->conf->from_box.address;
	return deliver_head_take(delivery->app->spool, job, caps, &said->head, mail, why);
}

void
deliver_send(struct app *app, struct pool_session *session, struct sched_job *sched_job)
{
	struct delivery *delivery = session->link;
	const struct queue_job *job = sched_job->job;
	struct said said = { .mail = settle_mail_new(job), .start = loop_now(app->loop).unix_ms };
	struct smtp_link_mail mail = { .mail = said.mail->mail, .fd = -1 };
	struct nd_why why;
	enum nd_err err;

	if (session->job_count > 1 && job->spooled) { /* too large to go beside others */
		free(said.mail);
		engine_unfit(app->engine, session, loop_now(app->loop));
		return;
	}
	if (late_open(job->late)) {
		said.begins = true;
		said.late = job->late;
		sched_job->job->late = late_begin(job, &session->account->downtime, said.start);
	}
	mail.mail.without = smtp_habits_without(&session->account->habits, loop_now(app->loop).ms);
	err = take_content(delivery, sched_job, &said, &mail, &why);
	mail.mail.too_big = smtp_habits_too_big(&session->account->habits, loop_now(app->loop).ms);
	mail.mail.pace = smtp_habits_pace(&session->account->habits, loop_now(app->loop).ms);
	mail.mail.envid = session->account->conf->dsn ? job->id : NULL;
	mail.mail.require_tls = sender_requires_tls(job);
	delivery->said[delivery->said_count++] = said;
	if (session->job_count == 1 && err != ND_OK) {
		fail_mail(delivery, &why);
	} else if (session->job_count == 1) {
		send_first(delivery, &mail, job);
	} else if (err != ND_OK || !send_beside(delivery, &mail, sched_job)) {
		take_back(&delivery->said[--delivery->said_count], sched_job->job);
		free_said(&delivery->said[delivery->said_count]);
		engine_unfit(app->engine, session, loop_now(app->loop));
	}
}

void
deliver_close(struct pool_session *session)
{
	struct delivery *delivery = session->link;

	smtp_link_quit(delivery->link);
}

void
deliver_cut(struct app *app, struct engine_account *account)
{
	struct pool_session *session, *next;

	for (session = account->pool.sessions; session; session = next) {
		next = session->next;
		if (session->state != POOL_OPENING)
			continue;
		loop_forget(app->loop, session->link);
		if (session->probe)
			account->health.probing = false;
		session->probe = false;
		session->old = true; /* that it ends is nobody's fault */
		end_session(session->link, NULL);
	}
}

/* A relay forgets what it has of a mail when the session ends before the end of data. */
void
deliver_withdraw(struct app *app, const struct queue_job *row)
{
	struct engine_account *account = engine_account_named(app->engine, row->account);
	struct pool_session *session = account ? account->pool.sessions : NULL;
	struct smtp_fault fault = { .stage = SMTP_AT_MAIL };
	struct delivery *delivery;

	while (session && (session->job_count == 0 || strcmp(session->jobs[0]->job->id, row->id) != 0))
		session = session->next;
	if (!session)
		return;
	nd_log(ND_LOG_INFO, ND_FIELDS({ "JOB", row->id }, { "SESSION", session->id }),
	    "job %s is withdrawn before the end of its message: its session is ended", row->id);
	delivery = session->link;
	if (smtp_link_proto(delivery->link))
		fault.stage = smtp_proto_stage(smtp_link_proto(delivery->link));
	loop_forget(app->loop, delivery);
	end_session(delivery, &fault);
}

void
deliver_abandon(struct app *app)
{
	struct engine_account *account;
	struct pool_session *session;
	unsigned i;

	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		for (session = account->pool.sessions; session; session = session->next) {
			loop_forget(app->loop, session->link);
			free_delivery(session->link);
		}
}

static void
loaded(struct store_req *req)
{
	struct engine_account *account = req->owner;
	struct app *app = ((struct app_account *)account->user)->app;

	if (req->err == ND_OK) {
		engine_loaded(
		    app->engine, account, req->jobs, req->job_count, req->more, req->next_due, loop_now(app->loop));
	} else {
		nd_log(ND_LOG_ERR, ND_FIELDS({ "ACCOUNT", account->conf->name }), "due jobs cannot be read: %s",
		    req->why.text);
		engine_load_failed(app->engine, account, loop_now(app->loop));
	}
	free(req->jobs);
	free((void *)(uintptr_t)req->skip);
	free((void *)(uintptr_t)req->account);
	free(req);
	acts_loaded(app);
	loop_soon(app->loop, app_pump, app);
}

void
deliver_load(struct app *app, struct engine_account *account, unsigned most)
{
	struct store_req *req = nd_xalloc(sizeof(*req));

	req->op = STORE_LOAD;
	req->done = loaded;
	req->owner = account;
	req->account = nd_xstrdup(account->conf->name);
	req->until = loop_now(app->loop).unix_ms;
	req->limit = most;
	req->few = account->sched.few ? account->sched.room.few : 0;
	req->limit_octets = account->sched.room.octets / 2 < LOAD_OCTETS ? account->sched.room.octets / 2 : LOAD_OCTETS;
	req->skip = (const char(*)[ND_ULID_LEN + 1]) sched_ids(&account->sched, &req->skip_count);
	store_submit(app->store, req);
}
