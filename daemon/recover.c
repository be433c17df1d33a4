/* SPDX-License-Identifier: Apache-2.0 */
/* recover.c - what an earlier run left: uncertain jobs, jobs whose account is gone, spool files of nobody; and the sweeps. */
#include "daemon/app.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORPHANS 200u /* at a time */
#define AGAIN ND_SEC(10)
#define SWEEP ND_MIN(1)
#define PRUNE ND_HOUR(1)
#define AGES_LIMIT 262144u

/* Jobs noted in flight when the last run ended without a good-bye: taken by the relay, or not. Nothing is loaded or sent before that is on disk. */
static void
marked(struct store_req *req)
{
	struct app *app = req->owner;

	app_wrote(app, req);
	if (req->err != ND_OK) {
		nd_log(ND_LOG_ERR, NULL, "nothing is sent before the jobs of the last run are marked uncertain: %s",
		    req->why.text);
		loop_timer_set(app->recover_timer, loop_now(app->loop).ms + AGAIN);
	} else {
		app->marked = true;
		inflight_begin(app->inflight);
		engine_bar(app->engine, ENGINE_BAR_RECOVERY, false);
		recover_orphans(app);
		loop_soon(app->loop, app_pump, app);
	}
	free(req);
}

static void
mark_uncertain(struct app *app)
{
	struct store_req *req = nd_xalloc(sizeof(*req));

	req->op = STORE_UNCERTAIN;
	req->done = marked;
	req->owner = app;
	req->id_count = inflight_left(app->inflight, &req->ids, &req->lates, &req->all_due);
	req->until = app->started;
	store_submit(app->store, req);
}

static void
say_what_was_left(struct app *app)
{
	const char(*ids)[ND_ULID_LEN + 1];
	const uint32_t *lates;
	bool reboot;
	unsigned count = inflight_left(app->inflight, &ids, &lates, &reboot);

	if (count > 0 || reboot)
		nd_log(ND_LOG_NOTICE, NULL,
		    "the last run ended without a good-bye: %u jobs may have been taken by a relay already%s", count,
		    reboot ? ", and the host with it: so may every job that was due" : "");
}

static void orphans_settled(struct app *app);

static void
moved(struct store_req *req)
{
	struct app *app = req->owner;

	app_wrote(app, req);
	if (req->err != ND_OK && !app->move_failed) {
		nd_log(ND_LOG_ERR, ND_FIELDS({ "JOB", req->job->id }), "jobs cannot change their account: %s",
		    req->why.text);
		app->move_failed = true;
	}
	if (req->err == ND_OK) {
		feed_job(app, req->job, NULL);
		waiters_wake(app, req->job->id, req->job->state);
	}
	queue_job_free(req->job);
	free(req);
	if (--app->moving == 0)
		orphans_settled(app);
}

/* Whether the job came with an operator's right: then, and when it had an account before, it was judged at its acceptance. */
static bool
was_judged(const struct queue_job *job)
{
	struct json_tree facts = { 0 };
	const struct json_node *right;
	bool judged = strcmp(job->reason, "no-account") != 0;

	if (!judged && job->facts &&
	    json_read(&facts, job->facts, strlen(job->facts), &json_limits_job, NULL, NULL) == ND_OK) {
		right = json_get(facts.root, "operator");
		judged = right && right->boolean;
		json_done(&facts);
	}
	return judged;
}

/* Jobs accepted before there was an account are judged now: who may write to whom. */
static void
judge(struct app *app, struct queue_job *job)
{
	struct access_peer peer = { .uid = job->uid, .gid = job->gid };
	struct nd_why why;
	unsigned i, refused = 0;

	for (i = 0; i < job->rcpt_count; i++)
		if (job->rcpts[i].state == RCPT_PENDING &&
		    access_recipient(app->conf, &peer, job->rcpts[i].address, &why) != ND_OK) {
			job->rcpts[i].state = RCPT_REFUSED;
			job->rcpts[i].at = loop_now(app->loop).unix_ms;
			settle_reason(job, nd_err_name(why.err), why.text, nd_why_hint(&why));
			refused++;
		}
	job->state = refused == job->rcpt_count ? JOB_FAILED : JOB_QUEUED;
}

/* The relay of its old account may have taken it: if it did, its reader has it by then. */
static void
doubt(const struct app *app, struct queue_job *job)
{
	const nd_unix due = loop_now(app->loop).unix_ms + app->conf->uncertain_wait;

	if (!job->uncertain || job->state != JOB_QUEUED)
		return;
	if (job->due < due)
		job->due = due;
	settle_reason(
	    job, QUEUE_IN_DOUBT, "its account is gone, and may have sent it: the next one waits a while", NULL);
}

static void
give_account(struct app *app, struct queue_job *job)
{
	const struct conf_account *conf = conf_account_nth(app->conf, 0);
	bool waited = job->state == JOB_HELD && job->reason && strncmp(job->reason, "no-account", 10) == 0;
	struct store_req *req;

	sender_move(job, conf);
	job->age_from = loop_now(app->loop).unix_ms; /* how much time the old account had for it is not known */
	if (!conf) {
		job->state = JOB_HELD;
		settle_reason(job, "no-account", "its account is gone", "add an account to notifyd.conf");
	} else {
		if (waited && was_judged(job))
			job->state = JOB_QUEUED;
		else if (waited)
			judge(app, job);
		if (waited && job->state == JOB_QUEUED)
			settle_reason(job, "account-found", NULL, NULL);
		doubt(app, job);
	}
	if (job->state == JOB_FAILED) {
		outcomes_end(app, job);
		return;
	}
	app->moving++;
	req = nd_xalloc(sizeof(*req));
	req->op = STORE_MOVE;
	req->done = moved;
	req->owner = app;
	req->job = job;
	store_submit(app->store, req);
}

/* A batch of them is committed: the next one, or, when the disk was full, all that is left a little later. */
static void
orphans_settled(struct app *app)
{
	struct engine_account *account;
	unsigned i;

	if (app->move_failed)
		loop_timer_set(app->recover_timer, loop_now(app->loop).ms + AGAIN);
	else if ((app->more_orphans || app->orphans_again) && !app->stopping) {
		app->orphans_asked = false;
		recover_orphans(app);
		return;
	} else
		loop_timer_set(app->sweep_timer, loop_now(app->loop).ms);
	app->move_failed = app->orphans_asked = false;
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		sched_look(&account->sched);
	loop_soon(app->loop, app_pump, app);
}

static void
orphans_found(struct store_req *req)
{
	struct app *app = req->owner;
	struct engine_account *account;
	char **name;
	unsigned i;

	if (req->err != ND_OK)
		nd_log(ND_LOG_ERR, NULL, "jobs without an account cannot be read: %s", req->why.text);
	else if (req->job_count > 0)
		nd_log(ND_LOG_NOTICE, NULL, "%u jobs get another account", req->job_count);
	app->more_orphans = req->err == ND_OK && req->more && req->job_count > 0;
	app->moving = 1; /* the batch does not end while it is begun */
	for (i = 0; req->err == ND_OK && i < req->job_count; i++) {
		/* Its account may have come back while the store was read, and have the job in memory by now. */
		account = engine_account_named(app->engine, req->jobs[i]->account);
		if (account && strcmp(account->conf->name, req->jobs[i]->account) == 0)
			queue_job_free(req->jobs[i]);
		else
			give_account(app, req->jobs[i]);
	}
	free(req->jobs);
	for (name = (char **)(uintptr_t)req->names; *name; name++)
		free(*name);
	free((void *)(uintptr_t)req->names);
	free(req);
	if (--app->moving == 0)
		orphans_settled(app);
}

/* The engine's accounts: jobs of a gone one that is still busy are orphans only when it has come to rest. Without any in the
 * configuration, jobs without one are where they belong. */
static char **
names_with_jobs(struct app *app)
{
	struct engine_account *account;
	unsigned i, n = 0;
	char **names;

	while (engine_account_nth(app->engine, n))
		n++;
	names = nd_xalloc((n + 2) * sizeof(*names));
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		names[i] = nd_xstrdup(account->conf->name);
	if (app->conf->account_count == 0)
		names[i] = nd_xstrdup("");
	return names;
}

void
recover_orphans(struct app *app)
{
	struct store_req *req;

	/* One search at a time: two would move the same job, the second one perhaps while it is being sent. */
	app->orphans_again = app->orphans_asked;
	if (app->orphans_asked || app->down)
		return;
	app->orphans_asked = true;
	req = nd_xalloc(sizeof(*req));
	req->op = STORE_LOAD;
	req->done = orphans_found;
	req->owner = app;
	req->orphans = true;
	req->names = (const char *const *)names_with_jobs(app);
	req->limit = ORPHANS;
	store_submit(app->store, req);
}

void
recover_start(struct app *app)
{
	say_what_was_left(app);
	mark_uncertain(app);
	reports_recover(app);
	loop_timer_set(app->prune_timer, loop_now(app->loop).ms + ND_MIN(1));
}

void
recover_again(void *arg)
{
	struct app *app = arg;

	if (!app->marked)
		mark_uncertain(app);
	else
		recover_orphans(app);
}

static void look_for_expired(struct app *app);

/* The next search comes behind the writes of this one: no job is found, and ended, twice. */
static void
swept(struct store_req *req)
{
	struct app *app = req->owner;
	struct nd_now now = loop_now(app->loop);
	unsigned i;

	for (i = 0; req->err == ND_OK && i < req->job_count; i++) {
		struct queue_job *job = req->jobs[i];

		if (engine_expire(app->engine, job, now)) {
			queue_job_free(job);
			continue;
		}
		settle_expire(job, now.unix_ms);
		outcomes_end(app, job);
	}
	free(req->jobs);
	free((void *)(uintptr_t)req->account);
	free(req);
	look_for_expired(app);
	loop_soon(app->loop, app_pump, app);
}

/* Those of age first, then those that their accounts had time enough for, one account after another. */
static void
look_for_expired(struct app *app)
{
	const nd_unix now = loop_now(app->loop).unix_ms;
	const struct engine_account *account = NULL;
	struct store_req *req;

	if (app->sweep_step > 0)
		account = engine_account_nth(app->engine, app->sweep_step - 1);
	if (app->stopping || (app->sweep_step > 0 && !account)) {
		app->sweep_step = 0;
		return;
	}
	app->sweep_step++;
	req = nd_xalloc(sizeof(*req));
	req->op = STORE_EXPIRE;
	req->done = swept;
	req->owner = app;
	req->until = now;
	req->account = account ? nd_xstrdup(account->conf->name) : NULL;
	req->max_age = account ? now - downtime_cutoff(&account->downtime, app->conf->expires_in, now)
			       : engine_max_age(app->engine, now);
	store_submit(app->store, req);
}

static void
hurried(struct store_req *req)
{
	struct app *app = req->owner;

	app_wrote(app, req);
	app->hurrying = false;
	app->hurry = req->err != ND_OK; /* no room on the disk: the next sweep tries again */
	engine_flush(app->engine, loop_now(app->loop));
	free(req);
	loop_soon(app->loop, app_pump, app);
}

void
recover_leap(struct app *app)
{
	struct store_req *req;

	if (engine_leap(app->engine, loop_now(app->loop))) {
		app->hurry = true;
		nd_log(ND_LOG_WARNING, NULL, "the clock of this host went back: what waits for another try is due now");
	}
	if (!app->hurry || app->hurrying)
		return;
	app->hurrying = true;
	req = nd_xalloc(sizeof(*req));
	req->op = STORE_HURRY;
	req->done = hurried;
	req->owner = app;
	req->until = loop_now(app->loop).unix_ms;
	req->wait = app->conf->uncertain_wait;
	store_submit(app->store, req);
}

void
recover_sweep(void *arg)
{
	struct app *app = arg;

	if (app->stopping)
		return;
	recover_leap(app);
	endings_sweep(app);
	loop_timer_set(app->sweep_timer, app->unfinished > 0 ? loop_now(app->loop).ms + SWEEP : ND_NEVER);
	/* What could not be written yet would be found once more. */
	if (app->unfinished > 0 && app->sweep_step == 0 && !app->retry)
		look_for_expired(app);
}

static void
ages_path(const struct app *app, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/downtime", app->options.state_dir);
}

void
recover_ages(struct app *app)
{
	nd_unix now = loop_now(app->loop).unix_ms;
	struct engine_account *account;
	struct json_tree tree = { 0 };
	int64_t alive = now;
	char path[4096], *text;
	unsigned i;
	size_t len;

	ages_path(app, path, sizeof(path));
	if (filer_read(path, AGES_LIMIT, &text, &len, NULL) != ND_OK) {
		changes_read(app, NULL);
		for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
			engine_age_new(app->engine, account, now);
		return;
	}
	if (json_read(&tree, text, len, &json_limits_job, NULL, NULL) != ND_OK)
		tree.root = NULL;
	if (tree.root && json_get(tree.root, "alive"))
		(void)json_int(json_get(tree.root, "alive"), 0, INT64_MAX / 2, &alive);
	if (json_get(tree.root, "changed"))
		changes_read(app, json_get(tree.root, "changed"));
	downtime_read(engine_leaps(app->engine), json_get(tree.root, "leaps"));
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++) {
		const struct json_node *spans = json_get(json_get(tree.root, "accounts"), account->conf->name);

		if (!spans) { /* jobs that are older than it, or a copy of the queue alone: nobody knows what it had time for */
			engine_age_new(app->engine, account, now);
			continue;
		}
		downtime_read(&account->downtime, spans);
		(void)json_int(json_get(json_get(tree.root, "told"), account->conf->name), 0, INT64_MAX / 2,
		    &((struct app_account *)account->user)->ending.told);
		downtime_begin(&account->downtime, alive);
		downtime_end(&account->downtime, now);
	}
	(void)json_int(json_get(tree.root, "digest"), 0, INT64_MAX / 2, &app->endings.told);
	if (alive > now)
		engine_clock_was(app->engine, alive, loop_now(app->loop));
	json_done(&tree);
	free(text);
}

static void
ages_kept(void *arg, enum nd_err err, const struct nd_why *why)
{
	(void)arg;
	if (err != ND_OK)
		nd_log(ND_LOG_WARNING, NULL, "when accounts were in trouble cannot be kept: %s", why->text);
}

void
recover_keep_ages(struct app *app)
{
	nd_unix now = loop_now(app->loop).unix_ms;
	struct engine_account *account;
	char path[4096];
	struct json_out out;
	struct nd_buf buf;
	unsigned i;

	ages_path(app, path, sizeof(path));
	nd_buf_init(&buf, AGES_LIMIT);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_int(&out, "alive", now);
	downtime_write(engine_leaps(app->engine), "leaps", now, &out);
	json_out_object(&out, "accounts");
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		downtime_write(&account->downtime, account->conf->name, now, &out);
	json_out_object_end(&out);
	json_out_object(&out, "told"); /* of jobs that will expire */
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		if (((const struct app_account *)account->user)->ending.told != 0)
			json_out_int(
			    &out, account->conf->name, ((const struct app_account *)account->user)->ending.told);
	json_out_object_end(&out);
	json_out_int(&out, "digest", app->endings.told); /* the same, of all others */
	changes_write(app, &out);
	json_out_object_end(&out);
	filer_write_later(app->files, app->loop, path, nd_buf_text(&buf), buf.len, ages_kept, NULL);
	nd_buf_done(&buf);
}

static void
pruned(struct store_req *req)
{
	struct app *app = req->owner;
	unsigned i;

	if (req->err != ND_OK)
		nd_log(ND_LOG_WARNING, NULL, "old jobs cannot be removed: %s", req->why.text);
	for (i = 0; i < req->pruned_count; i++)
		spool_remove(app->spool, req->pruned[i].id);
	if (req->err == ND_OK && req->more && !app->stopping)
		loop_soon(app->loop, recover_prune, app);
	free(req->pruned);
	free(req);
}

void
recover_prune(void *arg)
{
	struct app *app = arg;
	struct store_req *req = nd_xalloc(sizeof(*req));

	recover_keep_ages(app);
	if (!app->stopping)
		loop_timer_set(app->prune_timer, loop_now(app->loop).ms + PRUNE);
	req->op = STORE_PRUNE;
	req->done = pruned;
	req->owner = app;
	req->until = loop_now(app->loop).unix_ms;
	req->history = app->conf->history;
	req->keep_failed = app->conf->keep_failed;
	req->keep_failed_bytes = app->conf->keep_failed_bytes;
	store_submit(app->store, req);
}
