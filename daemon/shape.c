/* SPDX-License-Identifier: Apache-2.0 */
/* shape.c - jobs, accounts and the status as JSON, with the names of the API. */
#include "daemon/app.h"
#include "daemon/transcripts.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/stamp.h"
#include "daemon/core/grant.h"
#include "daemon/core/hint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names of a job's facts, in the order of the API. */
static const char *const facts_early[] = { "subject", "from", "reply_to", NULL };
static const char *const facts_late[] = { "labels", "links", "attachments", "client_ref", "require_tls", NULL };

static void
put_facts(const struct json_tree *facts, const char *const *names, struct json_out *out)
{
	const struct json_node *node;

	for (; *names; names++)
		if ((node = json_get(facts->root, *names)) != NULL)
			json_out_node(out, *names, node);
}

/* A job that named no sender has its account's. */
static void
put_account_from(struct app *app, const struct queue_job *job, struct json_out *out)
{
	const struct conf_account *account = job->account ? conf_account_named(app->conf, job->account) : NULL;

	json_out_text(out, "from", account ? account->from : NULL);
}

/* What the job waits for, when it is not its own doing: the account's words. */
static const struct engine_account *
account_speaks(struct app *app, const struct queue_job *job)
{
	struct engine_account *account = engine_account_named(app->engine, job->account);

	if (!account || job->state != JOB_QUEUED || account->health.state == HEALTH_OK)
		return NULL;
	if (account->health.state == HEALTH_PACED && job->reason) /* its own trouble says more */
		return NULL;
	return account;
}

bool
shape_sending(struct app *app, const struct queue_job *job)
{
	struct engine_account *account = engine_account_named(app->engine, job->account);
	const struct sched_job *found =
	    account && job->state == JOB_QUEUED ? sched_find(&account->sched, job->id) : NULL;

	return found && found->place == SCHED_SENDING;
}

void
shape_health(
    struct app *app, const struct http_request *request, const struct engine_account *account, struct json_out *out)
{
	const enum hint_for reader = http_request_peer(request)->operator_right ? HINT_OPERATOR : HINT_OWNER;
	const struct health *health = &account->health;
	char reason[HEALTH_WORDS + 128], words[HEALTH_WORDS];
	struct nd_buf hint;

	(void)snprintf(reason, sizeof(reason), "account %s is %s: %s", account->conf->name,
	    health_state_name(health->state), health_words(health, loop_now(app->loop), words));
	json_out_text(out, "reason", reason);
	nd_buf_init(&hint, HINT_LIMIT);
	(void)hint_of_health(account->conf, reader, health, &hint);
	json_out_text(out, "hint", hint.len > 0 ? nd_buf_text(&hint) : NULL);
	nd_buf_done(&hint);
}

static void
put_recipients(const struct queue_job *job, struct json_out *out)
{
	unsigned i;

	json_out_array(out, "recipients");
	for (i = 0; i < job->rcpt_count; i++) {
		const struct queue_rcpt *rcpt = &job->rcpts[i];

		json_out_object(out, NULL);
		json_out_text(out, "address", rcpt->address);
		json_out_text(out, "state", job_rcpt_state_name(rcpt->state));
		if (rcpt->code != 0)
			json_out_int(out, "code", rcpt->code);
		json_out_text(out, "enhanced", rcpt->enhanced[0] ? rcpt->enhanced : NULL);
		json_out_text(out, "text", rcpt->text);
		json_out_bool(out, "uncertain", rcpt->uncertain);
		json_out_time(out, "at", rcpt->at);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

static void
put_attempts(const struct queue_attempt *attempts, unsigned count, struct json_out *out)
{
	unsigned i;

	json_out_array(out, "attempts");
	for (i = 0; i < count; i++) {
		const struct queue_attempt *attempt = &attempts[i];

		json_out_object(out, NULL);
		json_out_int(out, "n", attempt->n);
		json_out_text(out, "account", attempt->account);
		json_out_text(out, "relay", attempt->relay);
		json_out_text(out, "session", attempt->session);
		json_out_time(out, "start", attempt->start);
		json_out_time(out, "end", attempt->end);
		json_out_text(out, "stage", attempt->stage);
		json_out_text(out, "verdict", attempt->verdict);
		if (attempt->code != 0)
			json_out_int(out, "code", attempt->code);
		json_out_text(out, "enhanced", attempt->enhanced[0] ? attempt->enhanced : NULL);
		json_out_text(out, "text", attempt->text);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

static void
put_origin(const struct queue_job *job, struct json_out *out)
{
	json_out_object(out, "origin");
	json_out_int(out, "uid", job->uid);
	json_out_int(out, "gid", job->gid);
	json_out_int(out, "pid", job->pid);
	json_out_text(out, "comm", job->comm);
	json_out_text(out, "unit", job->unit);
	json_out_object_end(out);
}

nd_unix
shape_end(struct app *app, const struct queue_job *job)
{
	struct engine_account *account = engine_account_named(app->engine, job->account);
	nd_unix now = loop_now(app->loop).unix_ms, usual;
	nd_unix end = settle_end(job, engine_max_age(app->engine, now));

	if (job->expires != 0 || !account)
		return end;
	if (account->downtime.since != 0)
		return 0;
	usual = downtime_over(&account->downtime, settle_age_from(job), app->conf->expires_in, now);
	return usual < end ? usual : end;
}

static void
put_times(struct app *app, const struct queue_job *job, struct json_out *out)
{
	json_out_time(out, "created", job->created);
	json_out_time(out, "event_time", job->event_time ? job->event_time : job->created);
	json_out_time(out, "not_before", job->not_before);
	if (!job_state_final(job->state)) {
		json_out_time(out, "expires", shape_end(app, job));
		if (job->state == JOB_QUEUED)
			json_out_time(out, "next_attempt", job->due);
	}
	json_out_int(out, "attempt_count", job->attempt_count);
	json_out_bool(out, "uncertain", job->uncertain);
}

/* Of each recipient that was reached: which octets, when, by whom, how, and the words they were taken with. */
static void
put_evidence(const struct queue_job *job, const struct store_req *tale, struct json_out *out)
{
	json_out_array(out, "evidence");
	for (unsigned i = 0; i < job->rcpt_count; i++) {
		const struct queue_rcpt *rcpt = &job->rcpts[i];
		const struct queue_evidence *found = NULL;

		for (unsigned k = 0; k < tale->evidence_count && rcpt->state == RCPT_DELIVERED; k++)
			if (tale->evidences[k].at == rcpt->at)
				found = &tale->evidences[k];
		if (!found)
			continue;
		json_out_object(out, NULL);
		json_out_text(out, "address", rcpt->address);
		json_out_text(out, "sha256", found->sha256[0] ? found->sha256 : NULL);
		json_out_int(out, "octets", (int64_t)found->octets);
		json_out_time(out, "at", found->at);
		json_out_text(out, "account", found->account);
		json_out_text(out, "relay", found->relay);
		json_out_text(out, "tls", found->tls);
		json_out_int(out, "code", rcpt->code);
		json_out_text(out, "enhanced", rcpt->enhanced[0] ? rcpt->enhanced : NULL);
		json_out_text(out, "text", rcpt->text);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

bool
shape_bar(struct app *app, struct json_out *out)
{
	const struct nd_why *fault = &app->store_fault;
	char reason[400];

	if (app->another_machine) {
		json_out_text(out, "reason", "another-machine: " OTHER_MACHINE);
		json_out_text(out, "hint", OTHER_MACHINE_HINT);
	} else if (fault->err != ND_OK) {
		(void)snprintf(reason, sizeof(reason), "%s: %s", nd_err_name(fault->err), fault->text);
		json_out_text(out, "reason", reason);
		json_out_text(out, "hint", nd_why_hint(fault));
	} else if (engine_barred(app->engine, ENGINE_BAR_PAUSE)) {
		json_out_text(out, "reason", "paused: " QUEUE_PAUSED);
		json_out_text(out, "hint", QUEUE_PAUSED_HINT);
	} else {
		return false;
	}
	return true;
}

/* Why it waits, or what it came to. */
static void
put_reason(struct app *app, const struct http_request *request, const struct queue_job *job, struct json_out *out)
{
	const struct engine_account *speaks = account_speaks(app, job);

	if (job->state == JOB_QUEUED && !shape_sending(app, job) && shape_bar(app, out))
		return;
	if (speaks) {
		shape_health(app, request, speaks, out);
		return;
	}
	json_out_text(out, "reason", job->reason);
	json_out_text(out, "hint", job->hint);
}

void
shape_job(struct app *app, const struct http_request *request, const struct queue_job *job,
    const struct store_req *tale, struct json_out *out)
{
	struct json_tree facts = { 0 };

	if (job->facts && json_read(&facts, job->facts, strlen(job->facts), &json_limits_job, NULL, NULL) != ND_OK)
		facts.root = NULL;
	json_out_object(out, NULL);
	json_out_text(out, "id", job->id);
	json_out_text(out, "state", job_state_name(shape_sending(app, job) ? JOB_SENDING : (enum job_state)job->state));
	put_reason(app, request, job, out);
	json_out_text(out, "severity", job_severity_name(job->severity));
	json_out_text(out, "status", job->resolved ? "resolved" : "firing");
	json_out_text(out, "source", job->source);
	json_out_text(out, "key", job->key);
	put_facts(&facts, facts_early, out);
	if (!json_get(facts.root, "from"))
		put_account_from(app, job, out);
	json_out_text(out, "account", job->account && job->account[0] ? job->account : NULL);
	put_facts(&facts, facts_late, out);
	if (job->sealed)
		json_out_bool(out, "sensitive", true);
	put_times(app, job, out);
	put_origin(job, out);
	put_recipients(job, out);
	if (tale) {
		put_attempts(tale->attempts, tale->attempt_count, out);
		put_evidence(job, tale, out);
		transcripts_put(app, job, tale, out);
	}
	json_out_object_end(out);
	json_done(&facts);
}

static const struct store_account_count *
counts_of(const struct store_req *totals, const char *name)
{
	unsigned i;

	for (i = 0; i < totals->count_count; i++)
		if (strcmp(totals->counts[i].account, name) == 0)
			return &totals->counts[i];
	return NULL;
}

static void
put_grant(const struct app_account *account, struct json_out *out)
{
	const struct oauth_saved *grant = &account->grant;

	json_out_text(out, "signed_in", grant->signed_in[0] ? grant->signed_in : NULL);
	if (grant->refresh_token.len > 0)
		json_out_time(out, "grant_expires", grant_end(account->engine->conf, grant->refreshed));
}

/* What it is set up as. */
static void
put_settings(const struct conf_account *conf, struct json_out *out)
{
	json_out_text(out, "provider", conf_provider_name(conf->provider));
	json_out_text(out, "auth", conf_auth_name(conf->auth));
	if (conf->auth == CONF_OAUTH2)
		json_out_text(out, "grant", conf_grant_name(conf->grant));
	json_out_text(out, "relay", conf->host);
	json_out_int(out, "port", conf->port);
	json_out_text(out, "security", conf_security_name(conf->security));
}

static void
put_condition(struct engine_account *account, uint64_t queued, struct nd_now now, struct json_out *out)
{
	char reason[HEALTH_WORDS];

	if (account->health.reason[0] != '\0') {
		json_out_text(out, "reason", health_words(&account->health, now, reason));
		json_out_text(out, "hint", account->health.hint[0] ? account->health.hint : NULL);
	}
	if (health_deadline(&account->health) != ND_NEVER)
		json_out_time(out, "until", now.unix_ms + (account->health.until - now.ms));
	if (health_quiet(&account->health, now.ms))
		json_out_time(out, "quiet_until", now.unix_ms + (account->health.quiet - now.ms));
	if (account->health.state == HEALTH_PACED)
		json_out_time(out, "ready", engine_through(account, queued, now));
}

/* What its server offers, has refused, and is not asked for the time being. */
static void
put_without(const struct smtp_habits *habits, struct nd_now now, struct json_out *out)
{
	const unsigned without = smtp_habits_without(habits, now.ms);

	if (without == 0)
		return;
	json_out_array(out, "without");
	for (unsigned ext = 0; ext < SMTP_EXT_COUNT; ext++) {
		if (!(without & SMTP_EXT_BIT(ext)))
			continue;
		json_out_object(out, NULL);
		json_out_text(out, "extension", smtp_ext_name((enum smtp_ext)ext));
		json_out_time(out, "until", now.unix_ms + (habits->off_until[ext] - now.ms));
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

static void
put_account(
    struct app *app, struct engine_account *account, const struct store_req *totals, bool all, struct json_out *out)
{
	const struct store_account_count *counts = counts_of(totals, account->conf->name);
	struct nd_now now = loop_now(app->loop);
	char day[ND_STAMP_SIZE];
	nd_unix expires;

	json_out_object(out, NULL);
	json_out_text(out, "name", account->conf->name);
	json_out_text(out, "state", health_state_name(account->health.state));
	if (all) {
		put_condition(account, counts ? counts->queued : 0, now, out);
		json_out_int(out, "queued", counts ? (int64_t)counts->queued : 0);
		json_out_int(out, "sessions", pool_total(&account->pool));
		if (account->conf->auth == CONF_OAUTH2 && account->token.have)
			json_out_time(out, "token_expires", now.unix_ms + (account->token.expires - now.ms));
		if (proof_expires(account->user, &expires)) {
			(void)nd_stamp_rfc3339(expires, day);
			json_out_textn(out, "secret_expires", day, strlen("2026-11-21"));
		}
		put_without(&account->habits, now, out);
		put_grant(account->user, out);
		put_settings(account->conf, out);
	}
	json_out_object_end(out);
}

void
shape_accounts(struct app *app, const struct store_req *totals, const char *name, struct json_out *out)
{
	struct engine_account *account;
	unsigned i;

	if (!name) {
		json_out_object(out, NULL);
		json_out_array(out, "accounts");
	}
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		if (!account->gone && (!name || nd_str_eq_nocase(account->conf->name, name)))
			put_account(app, account, totals, true, out);
	if (!name) {
		json_out_array_end(out);
		json_out_object_end(out);
	}
}

struct shape_counts
shape_counts(struct app *app, const struct store_req *totals)
{
	struct shape_counts counts = { .queued = (int64_t)totals->totals[JOB_QUEUED] };
	struct engine_account *account;

	for (unsigned i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		counts.sending += account->sched.sending;
	/* The store counts what is being sent as queued. */
	counts.queued = counts.queued > counts.sending ? counts.queued - counts.sending : 0;
	return counts;
}

void
shape_status(struct app *app, const struct store_req *totals, bool all, struct json_out *out)
{
	struct nd_now now = loop_now(app->loop);
	struct shape_counts counts = shape_counts(app, totals);
	struct engine_account *account;
	unsigned i;

	json_out_object(out, NULL);
	json_out_text(out, "version", PACKAGE_VERSION);
	json_out_time(out, "started", app->started);
	json_out_object(out, "queue");
	json_out_int(out, "queued", counts.queued);
	json_out_int(out, "sending", counts.sending);
	json_out_int(out, "held", (int64_t)totals->totals[JOB_HELD]);
	json_out_int(out, "octets", (int64_t)totals->octets);
	json_out_object_end(out);
	if (totals->oldest != 0)
		json_out_int(
		    out, "oldest_seconds", now.unix_ms > totals->oldest ? (now.unix_ms - totals->oldest) / 1000 : 0);
	else
		json_out_null(out, "oldest_seconds");
	json_out_object(out, "totals");
	for (i = 0; i < JOB_STATE_COUNT; i++)
		if (job_state_final(i))
			json_out_int(out, job_state_name(i), (int64_t)totals->totals[i]);
	json_out_object_end(out);
	json_out_array(out, "accounts");
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		if (!account->gone)
			put_account(app, account, totals, all, out);
	json_out_array_end(out);
	if (all)
		warnings_put(app, out);
	json_out_object_end(out);
}
