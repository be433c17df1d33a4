/* SPDX-License-Identifier: Apache-2.0 */
/* endings.c - jobs that will expire within a day while their account is in trouble: told in the journal, the status, and by mail to
 * [daemon] admin_to, once for all of them. STATE/downtime says over a restart what was told. */
#include "daemon/app.h"

#include "common/log.h"
#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define LOOK ND_MIN(5)
#define SOON ND_SEC(5) /* after an account came into trouble: its jobs may be another one's by then */

static const char hint[] = "mend the account (notifyctl account show ACCOUNT), or give the jobs more time or another "
			   "way: notifyctl list --account "
			   "ACCOUNT --state queued,held; notifyctl retry ID takes away an end of the job's own";

struct telling { /* it may be that the account is forgotten meanwhile */
	char *account;
	nd_unix told;
};

static void
told(struct app *app, void *arg, const struct nd_why *why)
{
	struct telling *telling = arg;
	struct engine_account *engine = app->down ? NULL : engine_account_named(app->engine, telling->account);

	if (engine && why->err != ND_OK)
		ending_refused(&((struct app_account *)engine->user)->ending, telling->told);
	if (!app->down)
		recover_keep_ages(app);
	free(telling->account);
	free(telling);
}

static void
tell(struct app *app, const struct app_account *account)
{
	const struct engine_account *engine = account->engine;
	struct telling *telling = nd_xalloc(sizeof(*telling));
	struct intake_notice notice = { .severity = JOB_CRITICAL, .told = told, .arg = telling };
	struct nd_buf words, text, key, once;

	telling->account = nd_xstrdup(engine->conf->name);
	telling->told = account->ending.told;
	nd_buf_init(&words, 1024);
	nd_buf_init(&text, 4096);
	nd_buf_init(&key, 256);
	nd_buf_init(&once, 300);
	ending_words(&account->ending, engine->conf->name, &engine->health, &words);
	nd_log(ND_LOG_ERR, ND_FIELDS({ "ACCOUNT", engine->conf->name }), "%s; %s", nd_buf_text(&words), hint);
	nd_buf_addf(&text, "On %s %s.\n", app->conf->hostname, nd_buf_text(&words));
	if (engine->health.detail[0])
		nd_buf_addf(&text, "The account's trouble: %s.\n", engine->health.detail);
	if (engine->health.hint[0])
		nd_buf_addf(&text, "What helps: %s.\n", engine->health.hint);
	nd_buf_addf(&text, "\nWhat to do: %s.\n(ACCOUNT is %s.)\n", hint, engine->conf->name);
	nd_buf_addf(&key, "jobs-expire:%s", engine->conf->name);
	nd_buf_addf(&once, "%s:%lld", nd_buf_text(&key), (long long)account->ending.told);
	notice.words = nd_buf_text(&words);
	notice.text = nd_buf_text(&text);
	notice.key = nd_buf_text(&key);
	notice.once = nd_buf_text(&once);
	intake_notice(app, &notice);
	nd_buf_done(&words);
	nd_buf_done(&text);
	nd_buf_done(&key);
	nd_buf_done(&once);
}

static struct ending_fact
fact_of(struct app *app, struct engine_account *engine, const struct store_req *found)
{
	struct ending_fact fact = { .state = engine->health.state,
		.held = app->another_machine,
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
	for (unsigned i = 0; i < req->count_count; i++)
		free(req->counts[i].account);
	free(req->counts);
	free(req);
}

void
endings_look(void *arg)
{
	struct app *app = arg;
	const nd_unix now = loop_now(app->loop).unix_ms;
	struct engine_account *engine;
	struct store_req *req;
	bool wanted = false;

	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++)
		wanted |= !engine->gone &&
			  (engine->downtime.since != 0 || ((struct app_account *)engine->user)->ending.told != 0);
	if (!wanted || app->stopping || app->counting_endings)
		return;
	loop_timer_set(app->endings_timer, loop_now(app->loop).ms + LOOK);
	app->counting_endings = true;
	req = nd_xalloc(sizeof(*req));
	req->op = STORE_ENDING;
	req->done = counted;
	req->owner = app;
	req->until = now + ENDING_AHEAD;
	req->max_age = engine_max_age(app->engine, now);
	store_submit(app->store, req);
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
	nd_buf_done(&words);
}
