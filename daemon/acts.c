/* SPDX-License-Identifier: Apache-2.0 */
/* acts.c - what people do to jobs and to the queue: retry, hold, release, cancel; flush, pause, resume. */
#include "daemon/acts_inner.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
finish(struct app_act *act, enum job_state state, bool later, const struct nd_why *why)
{
	static const struct nd_why fine;

	act->done(act->arg, state, later, why ? why : &fine);
	queue_job_free(act->row);
	free(act);
}

static void
keep(struct app_act *act)
{
	act->next = act->app->acts;
	act->app->acts = act;
}

/* The row was changed in the store, not in memory. */
static void
moved(struct store_req *req)
{
	struct app_act *act = req->owner;
	struct app *app = act->app;
	enum job_state state = (enum job_state)act->row->state;

	app_wrote(app, req);
	if (req->err == ND_OK) {
		/* two may have read the same row: what it was when it was changed counts */
		outcomes_count(app, !job_state_final((enum job_state)req->former), !job_state_final(state));
		if (state == JOB_CANCELLED && act->row->spooled)
			spool_remove(app->spool, act->row->id);
		if (state == JOB_QUEUED) {
			engine_look(app->engine, act->row->account);
			reports_again(app, act->row->id);
		}
		feed_job(app, act->row, NULL);
		waiters_wake(app, act->row->id, state);
		loop_soon(app->loop, app_pump, app);
	}
	finish(act, state, false, req->err == ND_OK ? NULL : &req->why);
	free(req);
}

static void
change_row(struct app_act *act)
{
	const nd_unix now = loop_now(act->app->loop).unix_ms;
	const struct act_time time = { now, engine_max_age(act->app->engine, now) };
	struct store_req *req;
	struct nd_why why;

	if (act->app->down) {
		(void)nd_fail(&why, ND_ESTOPPING, 0, "notifyd has stopped");
		finish(act, act->before, false, &why);
		return;
	}
	if (act_on(act->row, act->action, &time, &why) != ND_OK) {
		finish(act, act->before, false, &why);
		return;
	}
	if (act->expires)
		act->row->expires = act->expires;
	if (act->reason)
		settle_reason(act->row, act->reason, NULL, NULL);
	if (act->reason && act->action == JOB_RETRY)
		act->row->again = true;
	req = nd_xalloc(sizeof(*req));
	req->op = STORE_MOVE;
	req->done = moved;
	req->owner = act;
	req->job = act->row;
	store_submit(act->app->store, req);
}

static void
perform(struct app_act *act)
{
	struct app *app = act->app;
	struct nd_why why;

	switch (engine_act(app->engine, act->row, act->action, loop_now(app->loop), &why)) {
	case ENGINE_ABSENT:
		change_row(act);
		break;
	case ENGINE_BUSY:
		keep(act);
		break;
	case ENGINE_DONE:
		act->committing = true;
		keep(act);
		loop_soon(app->loop, app_pump, app);
		break;
	case ENGINE_WITHDRAW:
		act->committing = true;
		keep(act);
		deliver_withdraw(app, act->row);
		break;
	case ENGINE_LATER:
		finish(act, JOB_SENDING, true, NULL);
		break;
	case ENGINE_REFUSED:
		finish(act, act->before, false, &why);
		break;
	}
}

void
acts_begin(struct app *app, struct queue_job *row, const struct app_act *wish)
{
	struct app_act *act = nd_xalloc(sizeof(*act));

	*act = *wish;
	act->app = app;
	act->row = row;
	act->before = (enum job_state)row->state;
	perform(act);
}

void
acts_stored(struct app *app, const char *id, enum job_state state)
{
	struct app_act **at = &app->acts, *act;

	while ((act = *at) != NULL) {
		if (!act->committing || strcmp(act->row->id, id) != 0) {
			at = &act->next;
			continue;
		}
		*at = act->next;
		finish(act, state, false, NULL);
		return;
	}
}

void
acts_loaded(struct app *app)
{
	struct app_act *list = app->acts, *act;

	app->acts = NULL;
	while ((act = list) != NULL) {
		list = act->next;
		if (act->committing)
			keep(act);
		else
			perform(act);
	}
}

void
acts_end(struct app *app)
{
	struct app_act *list = app->acts, *act;
	const bool dead = app->down || app->store_fault.err == ND_EDISK;
	struct nd_why why;

	(void)nd_fail(&why, ND_ESTOPPING, 0, "notifyd is stopping");
	app->acts = NULL;
	while ((act = list) != NULL) {
		list = act->next;
		/* What is on its way to the disk happens: acts_stored() tells. */
		if (act->committing && !dead)
			keep(act);
		else
			finish(act, act->before, false, &why);
	}
}

/* One job. */

struct single {
	struct app *app;
	struct http_request *request; /* NULL: the client has left */
	struct access_peer peer;      /* a copy: rights are asked for when it has left, too */
	enum job_action action;
	char id[ND_ULID_LEN + 1];
};

static void
single_left(void *context)
{
	struct single *single = context;

	single->request = NULL;
}

static void
single_done(void *arg, enum job_state state, bool later, const struct nd_why *why)
{
	struct single *single = arg;
	struct nd_buf buf;
	struct json_out out;

	if (single->request) {
		http_request_own(single->request, NULL, NULL);
		if (why->err != ND_OK) {
			http_server_problem(single->request, why);
		} else {
			nd_buf_init(&buf, 1024);
			json_out_init(&out, &buf);
			json_out_object(&out, NULL);
			json_out_text(&out, "id", single->id);
			json_out_text(&out, "state", job_state_name(state));
			json_out_object_end(&out);
			handlers_reply(single->request, later ? 202 : 200, &buf);
		}
	}
	free(single);
}

static void
single_found(struct store_req *req)
{
	struct single *single = req->owner;
	struct nd_why why = req->why;

	queue_tale_free(req);
	if (req->err == ND_OK && !handlers_may_see(&single->peer, req->found))
		(void)nd_fail(&why, ND_ENOTYOURS, 0, "job %s was submitted by uid %u", single->id, req->found->uid);
	else if (req->err == ND_OK)
		why.err = ND_OK;
	if (why.err != ND_OK) {
		queue_job_free(req->found);
		single_done(single, JOB_QUEUED, false, &why);
	} else {
		acts_begin(single->app, req->found,
		    &(struct app_act){ .action = single->action, .done = single_done, .arg = single });
	}
	free(req);
}

static void
act_one(struct app *app, struct http_request *request, enum job_action action)
{
	const char *id = http_request_segment(request);
	struct single *single;
	struct store_req *req;
	struct nd_why why;

	if (!handlers_bare(request))
		return;
	if (!nd_ulid_valid(id)) {
		(void)nd_fail(&why, ND_ENOTFOUND, 0, "\"%.40s\" is no job id", id);
		(void)nd_fail_at(&why, "id", 0, "give the whole id: nothing is changed by a part of one");
		http_server_problem(request, &why);
		return;
	}
	single = nd_xalloc(sizeof(*single));
	*single =
	    (struct single){ .app = app, .request = request, .peer = *http_request_peer(request), .action = action };
	memcpy(single->id, id, sizeof(single->id));
	http_request_own(request, single, single_left);
	req = nd_xalloc(sizeof(*req));
	req->op = STORE_SHOW;
	req->done = single_found;
	req->owner = single;
	memcpy(req->id, id, sizeof(req->id));
	store_submit(app->store, req);
}

/* Jobs that failed by what was no fault of theirs. */

struct again {
	struct app *app;
	char id[ND_ULID_LEN + 1];
	const char *reason;
};

static void
again_done(void *arg, enum job_state state, bool later, const struct nd_why *why)
{
	struct again *again = arg;

	(void)state;
	(void)later;
	nd_log(why->err == ND_OK ? ND_LOG_NOTICE : ND_LOG_WARNING,
	    ND_FIELDS({ "JOB", again->id }, { "ERR", why->err == ND_OK ? NULL : nd_err_name(why->err) }),
	    "job %s, which failed by a fault of its account, is %squeued again%s%s", again->id,
	    why->err == ND_OK ? "" : "not ", why->err == ND_OK ? "" : ": ", why->err == ND_OK ? "" : why->text);
	free(again);
}

static void
again_found(struct store_req *req)
{
	struct again *again = req->owner;

	queue_tale_free(req);
	if (req->err == ND_OK && req->found->state == JOB_FAILED) {
		acts_begin(again->app, req->found,
		    &(struct app_act){ .action = JOB_RETRY,
			.reason = again->reason,
			.expires = req->found->expires,
			.done = again_done,
			.arg = again });
	} else {
		queue_job_free(req->found);
		free(again);
	}
	free(req);
}

void
acts_again(struct app *app, const char *id, const char *reason)
{
	struct again *again = nd_xalloc(sizeof(*again));
	struct store_req *req = nd_xalloc(sizeof(*req));

	again->app = app;
	again->reason = reason;
	memcpy(again->id, id, sizeof(again->id));
	req->op = STORE_SHOW;
	req->done = again_found;
	req->owner = again;
	memcpy(req->id, id, sizeof(req->id));
	store_submit(app->store, req);
}

/* The queue. */

static void
reply_state(struct http_request *request, const char *state)
{
	char body[64];
	int len = snprintf(body, sizeof(body), "{\"state\":\"%s\"}\n", state);

	http_server_reply(request, 200, "application/json", body, (size_t)len, NULL);
}

static void
hurried(struct store_req *req)
{
	struct single *single = req->owner;

	app_wrote(single->app, req);
	if (req->err == ND_OK)
		engine_flush(single->app->engine, loop_now(single->app->loop));
	loop_soon(single->app->loop, app_pump, single->app);
	if (single->request) {
		http_request_own(single->request, NULL, NULL);
		if (req->err == ND_OK)
			reply_state(single->request, "flushed");
		else
			http_server_problem(single->request, &req->why);
	}
	free(single);
	free(req);
}

static void
pause_path(const struct app *app, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/queue-paused", app->options.state_dir);
}

void
acts_pause_open(struct app *app)
{
	char path[4096];

	pause_path(app, path, sizeof(path));
	engine_bar(app->engine, ENGINE_BAR_PAUSE, access(path, F_OK) == 0);
	if (engine_barred(app->engine, ENGINE_BAR_PAUSE))
		nd_log(ND_LOG_WARNING, NULL, "the queue is paused: nothing is sent until notifyctl resume");
}

struct pausing { /* of the queue, or its end, until that is on disk */
	struct app *app;
	struct http_request *request;
	bool paused;
};

static void
pause_kept(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct pausing *pausing = arg;
	struct nd_why told = *why;

	if (err != ND_OK) {
		nd_log(ND_LOG_WARNING, NULL, "that the queue is %s will not outlive a restart: %s",
		    pausing->paused ? "paused" : "resumed", why->text);
		(void)nd_fail_at(&told, NULL, 0,
		    pausing->paused ? "it is paused until notifyd starts again; ask again to keep it so"
				    : "it is resumed until notifyd starts again; ask again to keep it so");
	}
	if (!pausing->app->down && err != ND_OK)
		http_server_problem(pausing->request, &told);
	else if (!pausing->app->down)
		reply_state(pausing->request, pausing->paused ? "paused" : "running");
	free(pausing);
}

static void
set_pause(struct app *app, struct http_request *request, bool paused)
{
	struct pausing *pausing;
	char path[4096];

	if (!handlers_bare(request))
		return;
	pausing = nd_xalloc(sizeof(*pausing));
	*pausing = (struct pausing){ .app = app, .request = request, .paused = paused };
	http_request_own(request, NULL, NULL); /* it stays until it is answered */
	pause_path(app, path, sizeof(path));
	engine_bar(app->engine, ENGINE_BAR_PAUSE, paused);
	if (paused)
		filer_write_later(app->files, app->loop, path, "", 0, pause_kept, pausing);
	else
		filer_remove_later(app->files, app->loop, path, pause_kept, pausing);
	nd_log(
	    ND_LOG_NOTICE, NULL, paused ? "the queue is paused by an operator" : "the queue is resumed by an operator");
	loop_soon(app->loop, app_pump, app);
}

void
acts_retry(void *app, struct http_request *request)
{
	act_one(app, request, JOB_RETRY);
}

void
acts_hold(void *app, struct http_request *request)
{
	act_one(app, request, JOB_HOLD);
}

void
acts_release(void *app, struct http_request *request)
{
	act_one(app, request, JOB_RELEASE);
}

void
acts_cancel(void *app, struct http_request *request)
{
	act_one(app, request, JOB_CANCEL);
}

void
acts_flush(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct single *single;
	struct store_req *req;

	if (!handlers_bare(request))
		return;
	single = nd_xalloc(sizeof(*single));
	req = nd_xalloc(sizeof(*req));
	*single = (struct single){ .app = app, .request = request };
	http_request_own(request, single, single_left);
	req->op = STORE_HURRY;
	req->done = hurried;
	req->owner = single;
	req->until = loop_now(app->loop).unix_ms;
	req->wait = app->conf->uncertain_wait;
	store_submit(app->store, req);
}

void
acts_pause(void *app, struct http_request *request)
{
	set_pause(app, request, true);
}

void
acts_resume(void *app, struct http_request *request)
{
	set_pause(app, request, false);
}
