/* SPDX-License-Identifier: Apache-2.0 */
/* endings.c - jobs that will expire within a day: told in the journal, the status, and by mail to [daemon] admin_to, once for all of an account in
 * trouble, and once for all others. STATE/downtime says over a restart what was told. */
#include "daemon/app.h"

#include "common/log.h"
#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define LOOK ND_MIN(5)
#define SOON ND_SEC(5) /* after an account came into trouble: its jobs may be another one's by then */

static const char hint[] =
    "mend the account (notifyctl account show ACCOUNT), or give the jobs more time or another "
    "way: notifyctl list --account "
    "ACCOUNT --state queued,held; notifyctl retry ID gives [queue] expires_in anew to a job without "
    "an end of its own";
static const char digest_hint[] =
    "see what they wait for (notifyctl list --state queued,held; notifyctl show ID), let held ones go "
    "(notifyctl release ID), cancel what nobody needs; notifyctl retry ID gives [queue] "
    "expires_in anew to a job without an end of its own";

struct telling {       /* it may be that the account is forgotten meanwhile */
	char *account; /* NULL: the digest */
	nd_unix told;
};

static void
told(struct app *app, void *arg, const struct nd_why *why)
{
	struct telling *telling = arg;
	struct engine_account *engine =
	    app->down || !telling->account ? NULL : engine_account_named(app->engine, telling->account);

	if (!telling->account && why->err != ND_OK && app->endings.told == telling->told)
		app->endings.told = 0;
	if (engine && why->err != ND_OK)
		ending_refused(&((struct app_account *)engine->user)->ending, telling->told);
	if (!app->down)
		recover_keep_ages(app);
	free(telling->account);
	free(telling);
}

/* account NULL: the digest. */
static void
mail(struct app *app, const char *account, nd_unix at, const char *words, const char *text)
{
	struct telling *telling = nd_xalloc(sizeof(*telling));
	struct intake_notice notice = {
		.severity = JOB_CRITICAL, .told = told, .arg = telling, .words = words, .text = text
	};
	struct nd_buf key, once;

	telling->account = account ? nd_xstrdup(account) : NULL;
	telling->told = at;
	nd_buf_init(&key, 256);
	nd_buf_init(&once, 300);
	(void)nd_buf_adds(&key, "jobs-expire");
	if (account)
		nd_buf_addf(&key, ":%s", account);
	nd_buf_addf(&once, "%s:%lld", nd_buf_text(&key), (long long)at);
	notice.key = nd_buf_text(&key);
	notice.once = nd_buf_text(&once);
	intake_notice(app, &notice);
	nd_buf_done(&key);
	nd_buf_done(&once);
}

static void
tell_digest(struct app *app)
{
	struct nd_buf words, text;

	nd_buf_init(&words, 1024);
	nd_buf_init(&text, 4096);
	ending_digest_words(&app->endings, &words);
	nd_log(ND_LOG_ERR, NULL, "%s; %s", nd_buf_text(&words), digest_hint);
	nd_buf_addf(&text, "On %s %s.\nTheir accounts are not in trouble.\n\nWhat to do: %s.\n", app->conf->hostname,
	    nd_buf_text(&words), digest_hint);
	mail(app, NULL, app->endings.told, nd_buf_text(&words), nd_buf_text(&text));
	nd_buf_done(&words);
	nd_buf_done(&text);
}

static void
tell(struct app *app, const struct app_account *account)
{
	const struct engine_account *engine = account->engine;
	struct nd_buf words, text;

	nd_buf_init(&words, 1024);
	nd_buf_init(&text, 4096);
	ending_words(&account->ending, engine->conf->name, &engine->health, &words);
	nd_log(ND_LOG_ERR, ND_FIELDS({ "ACCOUNT", engine->conf->name }), "%s; %s", nd_buf_text(&words), hint);
	nd_buf_addf(&text, "On %s %s.\n", app->conf->hostname, nd_buf_text(&words));
	if (engine->health.detail[0])
		nd_buf_addf(&text, "The account's trouble: %s.\n", engine->health.detail);
	if (engine->health.hint[0])
		nd_buf_addf(&text, "What helps: %s.\n", engine->health.hint);
	nd_buf_addf(&text, "\nWhat to do: %s.\n(ACCOUNT is %s.)\n", hint, engine->conf->name);
	mail(app, engine->conf->name, account->ending.told, nd_buf_text(&words), nd_buf_text(&text));
	nd_buf_done(&words);
	nd_buf_done(&text);
}

/* Why nothing at all is sent. */
static const char *
stopped(const struct app *app)
{
	return app->another_machine                           ? "the state directory is another machine's"
	       : engine_barred(app->engine, ENGINE_BAR_PAUSE) ? "the queue is paused"
	       : engine_barred(app->engine, ENGINE_BAR_DISK)  ? "the queue cannot be written"
							      : NULL;
}

static struct ending_fact
fact_of(struct app *app, struct engine_account *engine, const struct store_req *found)
{
	struct ending_fact fact = { .state = engine->health.state,
		.held = app->another_machine || engine_barred(app->engine, ENGINE_BAR_PAUSE),
		.stopped = stopped(app),
		.quiet = health_quiet(&engine->health, loop_now(app->loop).ms),
		.since = engine->downtime.since };

	for (unsigned i = 0; i < found->count_count; i++)
		if (nd_str_eq_nocase(found->counts[i].account, engine->conf->name)) {
			fact.count = found->counts[i].queued;
			fact.first = found->counts[i].first;
		}
	if (fact.state == HEALTH_PACED)
		fact.through = engine_through(engine, app->unfinished, loop_now(app->loop));
	return fact;
}

/* Of the jobs that no alarm of an account tells. */
static void
gather(struct app *app, const struct store_req *found, nd_unix now)
{
	app->endings.count = app->endings.held = 0;
	app->endings.first = ND_NEVER;
	for (unsigned i = 0; i < found->count_count; i++) {
		const struct store_account_count *count = &found->counts[i];
		const struct engine_account *engine = engine_account_named(app->engine, count->account);
		nd_unix end;

		if (count->near == 0 || (!engine && count->oldest != 0) ||
		    (engine && ((const struct app_account *)engine->user)->ending.count > 0))
			continue;
		app->endings.count += count->near;
		app->endings.held += count->near_held;
		if (count->near_first != 0 && count->near_first < app->endings.first)
			app->endings.first = count->near_first;
		if (count->oldest == 0)
			continue;
		end = downtime_over(&engine->downtime, count->oldest, app->conf->expires_in, now);
		if (end < app->endings.first)
			app->endings.first = end;
	}
}

static void
counted(struct store_req *req)
{
	struct app *app = req->owner;
	const nd_unix now = loop_now(app->loop).unix_ms;
	struct engine_account *engine;

	app->counting_endings = false;
	for (unsigned i = 0;
	     req->err == ND_OK && !app->stopping && (engine = engine_account_nth(app->engine, i)) != NULL; i++) {
		struct app_account *account = engine->user;
		struct ending_fact fact = fact_of(app, engine, req);

		if (!engine->gone && ending_look(&account->ending, &fact, now))
			tell(app, account);
	}
	if (req->err == ND_OK && !app->stopping) {
		gather(app, req, now);
		if (ending_digest_look(&app->endings, now))
			tell_digest(app);
	}
	for (unsigned i = 0; i < req->count_count; i++)
		free(req->counts[i].account);
	free(req->counts);
	for (unsigned i = 0; i < req->old_count; i++)
		free(req->olds[i].account);
	free(req->olds);
	free(req);
}

/* The age of its jobs runs: those of before that time are near their end. */
static void
ask_for_old(struct app *app, struct store_req *req, nd_unix now)
{
	const nd_ms usable = app->conf->expires_in - ending_ahead(app->conf->expires_in);
	struct engine_account *engine;

	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++) {
		if (engine->gone || engine->downtime.since != 0)
			continue;
		req->olds = nd_xrealloc(req->olds, (req->old_count + 1) * sizeof(*req->olds));
		req->olds[req->old_count++] = (struct store_old){ nd_xstrdup(engine->conf->name),
			downtime_cutoff(&engine->downtime, usable, now) };
	}
}

static void
look(struct app *app)
{
	const nd_unix now = loop_now(app->loop).unix_ms;
	struct store_req *req;

	if (app->stopping || app->counting_endings)
		return;
	app->endings_at = loop_now(app->loop).ms + LOOK;
	app->counting_endings = true;
	req = nd_xalloc(sizeof(*req));
	req->op = STORE_ENDING;
	req->done = counted;
	req->owner = app;
	req->until = now + ENDING_AHEAD;
	req->wait = ENDING_AHEAD;
	req->max_age = engine_max_age(app->engine, now);
	ask_for_old(app, req, now);
	store_submit(app->store, req);
}

void
endings_sweep(struct app *app)
{
	if (app->unfinished == 0)
		app->endings.count = 0;
	else if (loop_now(app->loop).ms >= app->endings_at)
		look(app);
}

void
endings_look(void *arg)
{
	struct app *app = arg;
	struct engine_account *engine;
	bool wanted = false;

	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++)
		wanted |= !engine->gone &&
			  (engine->downtime.since != 0 || ((struct app_account *)engine->user)->ending.told != 0);
	if (!wanted || app->stopping || app->counting_endings)
		return;
	loop_timer_set(app->endings_timer, loop_now(app->loop).ms + LOOK);
	look(app);
}

void
endings_soon(struct app *app)
{
	loop_timer_set(app->endings_timer, loop_now(app->loop).ms + SOON);
}

void
endings_warn(struct app *app, struct json_out *out)
{
	struct engine_account *engine;
	struct nd_buf words;

	nd_buf_init(&words, 1024);
	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++) {
		const struct app_account *account = engine->user;

		if (engine->gone || !account || account->ending.count == 0 || engine->downtime.since == 0)
			continue;
		nd_buf_clear(&words);
		ending_words(&account->ending, engine->conf->name, &engine->health, &words);
		warnings_one("jobs-expire", nd_buf_text(&words), hint, out);
	}
	if (app->endings.count > 0) {
		nd_buf_clear(&words);
		ending_digest_words(&app->endings, &words);
		warnings_one("jobs-expire", nd_buf_text(&words), digest_hint, out);
	}
	nd_buf_done(&words);
}
