/* SPDX-License-Identifier: Apache-2.0 */
/* handlers.c - one function for each route that reads; the one that submits is intake.c. */
#include "daemon/app.h"

#include "common/json.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLY_LIMIT (64u * 1024 * 1024)
#define LIST_DEFAULT 100
#define LIST_MAX 1000
#define WAIT_MAX 300

struct asked { /* owner of a read request */
	struct app *app;
	struct http_request *request;   /* NULL: the client has left */
	bool waited;                    /* it was asked to wait: 202 while the job is not over */
	nd_ms wait;                     /* this is left of it */
	handlers_tell *tell;            /* of the counters */
	char account[API_SEGMENT_SIZE]; /* "" all */
};

static void
asker_left(void *context)
{
	struct asked *asked = context;

	asked->request = NULL;
}

static struct store_req *
ask(struct app *app, struct http_request *request, enum store_op op, void (*done)(struct store_req *))
{
	struct store_req *req = nd_xalloc(sizeof(*req));
	struct asked *asked = nd_xalloc(sizeof(*asked));

	asked->app = app;
	asked->request = request;
	req->op = op;
	req->done = done;
	req->owner = asked;
	http_request_own(request, asked, asker_left);
	return req;
}

static void
end_asked(struct store_req *req)
{
	struct asked *asked = req->owner;
	unsigned i;

	queue_job_free(req->found);
	queue_tale_free(req);
	for (i = 0; i < req->job_count; i++)
		queue_job_free(req->jobs[i]);
	free(req->jobs);
	for (i = 0; i < req->count_count; i++)
		free(req->counts[i].account);
	free(req->counts);
	filter_done(&req->filter);
	free(asked);
	free(req);
}

/* False: nobody waits any more, or it failed and was answered. */
static bool
still_asked(struct store_req *req)
{
	struct asked *asked = req->owner;

	if (!asked->request)
		return false;
	http_request_own(asked->request, NULL, NULL);
	if (req->err != ND_OK)
		http_server_problem(asked->request, &req->why);
	return req->err == ND_OK;
}

bool
handlers_bare(struct http_request *request)
{
	static const char *const none[] = { NULL };
	struct nd_why why;

	if (http_request_only(request, none, &why) == ND_OK)
		return true;
	http_server_problem(request, &why);
	return false;
}

void
handlers_reply(struct http_request *request, int status, struct nd_buf *buf)
{
	struct nd_why why;

	if (buf->failed) {
		(void)nd_fail(&why, ND_EBUG, 0, "the reply is too large");
		http_server_problem(request, &why);
	} else {
		(void)nd_buf_addc(buf, '\n');
		http_server_reply(request, status, "application/json", nd_buf_text(buf), buf->len, NULL);
	}
	nd_buf_done(buf);
}

bool
handlers_wait(const struct http_request *request, nd_ms *wait, struct nd_why *why)
{
	const char *text = http_request_query(request, "wait");
	int64_t seconds;

	*wait = 0;
	if (!text)
		return true;
	if (!nd_str_int(text, 1, WAIT_MAX, &seconds)) {
		(void)nd_fail(why, ND_EINVALID, 0, "wait is a number of seconds from 1 to %d", WAIT_MAX);
		(void)nd_fail_at(why, "wait", 0, NULL);
		return false;
	}
	*wait = ND_SEC(seconds);
	return true;
}

/* One job. */

bool
handlers_may_see(const struct access_peer *peer, const struct queue_job *job)
{
	return peer->operator_right || access_own(peer, job->uid, job->unit);
}

static void
refuse_foreign(struct http_request *request, const struct queue_job *job)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ENOTYOURS, 0, "job %s was submitted by uid %u", job->id, job->uid);
	http_server_problem(request, &why);
}

static void
shown(struct store_req *req)
{
	struct asked *asked = req->owner;
	struct nd_buf buf;
	struct json_out out;
	bool over;

	if (!still_asked(req)) {
		end_asked(req);
		return;
	}
	over = job_state_final(req->found->state) || req->found->state == JOB_HELD;
	if (!handlers_may_see(http_request_peer(asked->request), req->found)) {
		refuse_foreign(asked->request, req->found);
	} else if (asked->wait > 0 && !over && !asked->app->stopping) {
		waiters_add(asked->app, asked->request, req->found->id, asked->wait);
	} else {
		nd_buf_init(&buf, REPLY_LIMIT);
		json_out_init(&out, &buf);
		shape_job(asked->app, asked->request, req->found, req, &out);
		handlers_reply(asked->request, asked->waited && !over ? 202 : 200, &buf);
	}
	end_asked(req);
}

void
handlers_show(struct app *app, struct http_request *request, const char *id, bool waited)
{
	struct store_req *req = ask(app, request, STORE_SHOW, shown);

	((struct asked *)req->owner)->waited = waited;
	memcpy(req->id, id, sizeof(req->id));
	store_submit(app->store, req);
}

/* The id of the path: whole, or its last characters. */
static bool
take_id(struct http_request *request, struct store_req *req)
{
	const char *segment = http_request_segment(request);
	struct nd_why why;

	if (nd_ulid_valid(segment)) {
		memcpy(req->id, segment, sizeof(req->id));
		return true;
	}
	req->tail = nd_ulid_tail(segment, req->id);
	if (!req->tail) {
		(void)nd_fail(&why, ND_ENOTFOUND, 0, "\"%.40s\" is no job id", segment);
		(void)nd_fail_at(&why, "id", 0, "give the whole id, or its last 6 characters or more");
		http_request_own(request, NULL, NULL);
		http_server_problem(request, &why);
	}
	return req->tail;
}

static void
handle_show(void *owner, struct http_request *request)
{
	static const char *const known[] = { "wait", NULL };
	struct app *app = owner;
	struct store_req *req;
	struct nd_why why;
	nd_ms wait;

	if (http_request_only(request, known, &why) != ND_OK || !handlers_wait(request, &wait, &why)) {
		http_server_problem(request, &why);
		return;
	}
	req = ask(app, request, STORE_SHOW, shown);
	((struct asked *)req->owner)->wait = wait;
	((struct asked *)req->owner)->waited = wait > 0;
	if (take_id(request, req)) {
		store_submit(app->store, req);
		return;
	}
	end_asked(req);
}

/* Its message. */

static void
message_read(struct store_req *req)
{
	struct asked *asked = req->owner;
	struct nd_why why;

	if (still_asked(req)) {
		if (!handlers_may_see(http_request_peer(asked->request), req->found)) {
			refuse_foreign(asked->request, req->found);
		} else if (!req->found->head) {
			(void)nd_fail(&why, ND_ESTATE, 0, "the job has no account yet, so its message has no sender");
			http_server_problem(asked->request, &why);
		} else {
			handlers_give(asked->app, asked->request, req->found);
			req->found = NULL;
		}
	}
	end_asked(req);
}

static void
handle_message(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct store_req *req;

	if (!handlers_bare(request))
		return;
	req = ask(app, request, STORE_BODY, message_read);
	if (take_id(request, req))
		store_submit(app->store, req);
	else
		end_asked(req);
}

/* Many jobs. */

static void
listed(struct store_req *req)
{
	struct asked *asked = req->owner;
	struct nd_buf buf;
	struct json_out out;
	unsigned i;

	if (still_asked(req)) {
		nd_buf_init(&buf, REPLY_LIMIT);
		json_out_init(&out, &buf);
		json_out_object(&out, NULL);
		json_out_array(&out, "jobs");
		for (i = 0; i < req->job_count; i++)
			if (handlers_fits(asked->app, req->jobs[i], &req->filter)) /* as it is shown */
				shape_job(asked->app, asked->request, req->jobs[i], NULL, &out);
		json_out_array_end(&out);
		if (req->more && req->job_count > 0)
			json_out_text(&out, "next", req->jobs[req->job_count - 1]->id);
		else
			json_out_null(&out, "next");
		json_out_object_end(&out);
		handlers_reply(asked->request, 200, &buf);
	}
	end_asked(req);
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The ids of all jobs that are being sent, sorted. */
static char (*sending_ids(struct app *app, unsigned *count))[ND_ULID_LEN + 1]
{
	struct engine_account *account;
	char(*ids)[ND_ULID_LEN + 1];
	unsigned room = 0, i;

	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		room += account->sched.sending;
	ids = nd_xalloc((room + 1) * sizeof(*ids));
	*count = 0;
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		for (const struct sched_job *job = account->sched.all; job && *count < room; job = job->next)
			if (job->place == SCHED_SENDING)
				memcpy(ids[(*count)++], job->job->id, sizeof(*ids));
	qsort(ids, *count, sizeof(*ids), by_id);
	return ids;
}

void
handlers_filter_sending(struct app *app, struct store_filter *filter)
{
	if (!filter->apart)
		return;
	free((void *)(uintptr_t)filter->sending);
	filter->sending = sending_ids(app, &filter->sending_count);
}

bool
handlers_fits(struct app *app, const struct queue_job *job, const struct store_filter *filter)
{
	struct store_filter now = *filter;

	now.sending = &job->id;
	now.sending_count = filter->apart && shape_sending(app, job) ? 1 : 0;
	return queue_fits(job, &now);
}

enum nd_err
handlers_filter(struct app *app, const struct http_request *request, struct store_filter *filter, struct nd_why *why)
{
	const struct access_peer *peer = http_request_peer(request);
	nd_unix now = loop_now(app->loop).unix_ms;
	const char *name, *value;
	enum nd_err err = ND_OK;

	filter->own = !peer->operator_right;
	filter->uid = peer->uid;
	filter->unit = nd_xstrdup(peer->unit);
	for (unsigned i = 0; err == ND_OK && http_request_param(request, i, &name, &value); i++)
		err = filter_take(filter, name, value, now, why);
	return err;
}

static bool
read_limit(const struct http_request *request, unsigned *limit, struct nd_why *why)
{
	const char *text = http_request_query(request, "limit");
	int64_t number = LIST_DEFAULT;

	if (text && !nd_str_int(text, 1, LIST_MAX, &number)) {
		(void)nd_fail(why, ND_EINVALID, 0, "limit=%.40s is not a number from 1 to %d", text, LIST_MAX);
		(void)nd_fail_at(why, "limit", 0, NULL);
		return false;
	}
	*limit = (unsigned)number;
	return true;
}

static void
handle_list(void *owner, struct http_request *request)
{
	static const char *const known[] = { "state", "account", "source", "severity", "key", "since", "id", "limit",
		"cursor", NULL };
	struct app *app = owner;
	struct store_req *req = ask(app, request, STORE_LIST, listed);
	struct nd_why why;

	if (http_request_only(request, known, &why) == ND_OK &&
	    handlers_filter(app, request, &req->filter, &why) == ND_OK && read_limit(request, &req->limit, &why)) {
		handlers_filter_sending(app, &req->filter);
		store_submit(app->store, req);
		return;
	}
	http_request_own(request, NULL, NULL);
	end_asked(req);
	http_server_problem(request, &why);
}

/* Status and health. */

static void
counted(struct store_req *req)
{
	struct asked *asked = req->owner;

	if (still_asked(req))
		asked->tell(asked->app, asked->request, req);
	end_asked(req);
}

void
handlers_totals(struct app *app, struct http_request *request, handlers_tell *tell)
{
	struct store_req *req;

	if (!handlers_bare(request))
		return;
	req = ask(app, request, STORE_TOTALS, counted);
	((struct asked *)req->owner)->tell = tell;
	store_submit(app->store, req);
}

static void
tell_status(struct app *app, struct http_request *request, const struct store_req *totals)
{
	struct nd_buf buf;
	struct json_out out;

	nd_buf_init(&buf, REPLY_LIMIT);
	json_out_init(&out, &buf);
	shape_status(app, totals, http_request_peer(request)->operator_right, &out);
	handlers_reply(request, 200, &buf);
}

static void
handle_status(void *owner, struct http_request *request)
{
	handlers_totals(owner, request, tell_status);
}

static void
accounts_counted(struct store_req *req)
{
	struct asked *asked = req->owner;
	struct json_out out;
	struct nd_buf buf;

	if (still_asked(req)) {
		nd_buf_init(&buf, REPLY_LIMIT);
		json_out_init(&out, &buf);
		shape_accounts(asked->app, req, asked->account[0] ? asked->account : NULL, &out);
		handlers_reply(asked->request, 200, &buf);
	}
	end_asked(req);
}

void
handlers_accounts(struct app *app, struct http_request *request, const char *name)
{
	struct store_req *req = ask(app, request, STORE_TOTALS, accounts_counted);

	if (name)
		(void)snprintf(((struct asked *)req->owner)->account, API_SEGMENT_SIZE, "%s", name);
	store_submit(app->store, req);
}

static void
reply_degraded(struct app *app, struct http_request *request)
{
	struct json_out out;
	struct nd_buf buf;

	nd_buf_init(&buf, REPLY_LIMIT);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_text(&out, "status", "degraded");
	json_out_text(&out, "detail", app->degraded);
	json_out_object_end(&out);
	handlers_reply(request, 200, &buf);
}

static void
handle_health(void *owner, struct http_request *request)
{
	static const char *const known[] = { "live", "ready", NULL };
	static const char ok[] = "{\"status\":\"ok\"}\n";
	struct intake_limit_load load;
	struct app *app = owner;
	struct nd_why why;

	if (http_request_only(request, known, &why) != ND_OK) {
		http_server_problem(request, &why);
		return;
	}
	load = admit_load(app);
	if (!http_request_query(request, "live") && app->store_fault.err != ND_OK)
		http_server_problem(request, &app->store_fault);
	else if (!http_request_query(request, "live") && intake_limit_check(app->conf, &load, 0, false, &why) != ND_OK)
		http_server_problem(request, &why);
	else if (!http_request_query(request, "live") && app->degraded[0])
		reply_degraded(app, request);
	else
		http_server_reply(request, 200, "application/json", ok, sizeof(ok) - 1, NULL);
}

http_handler *const handlers_routes[API_ROUTE_COUNT] = {
	[API_SUBMIT] = intake_submit,
	[API_MESSAGES] = intake_message,
	[API_LIST] = handle_list,
	[API_SHOW] = handle_show,
	[API_MESSAGE] = handle_message,
	[API_RETRY] = acts_retry,
	[API_HOLD] = acts_hold,
	[API_RELEASE] = acts_release,
	[API_CANCEL] = acts_cancel,
	[API_RETRY_ALL] = acts_retry_all,
	[API_HOLD_ALL] = acts_hold_all,
	[API_RELEASE_ALL] = acts_release_all,
	[API_CANCEL_ALL] = acts_cancel_all,
	[API_FLUSH] = acts_flush,
	[API_PAUSE] = acts_pause,
	[API_RESUME] = acts_resume,
	[API_STATUS] = handle_status,
	[API_HEALTH] = handle_health,
	[API_METRICS] = handlers_metrics,
	[API_OPENAPI] = handlers_openapi,
	[API_EVENTS] = feed_handle,
	[API_EXPLAIN] = explanations_answer,
	[API_RELOAD] = reload_handle,
	[API_ACCOUNTS] = accounts_list,
	[API_ACCOUNT] = accounts_show,
	[API_ACCOUNT_PAUSE] = accounts_pause,
	[API_ACCOUNT_RESUME] = accounts_resume,
	[API_ACCOUNT_REFRESH] = accounts_refresh,
	[API_ACCOUNT_SECRET] = secrets_put,
	[API_ACCOUNT_CHAIN] = trust_chain,
	[API_ACCOUNT_LOGIN] = logins_begin,
	[API_LOGIN] = logins_end,
	[API_ACCOUNT_LOGOUT] = logouts_handle,
	[API_ACCOUNT_TEST] = probe_configured,
	[API_TEST] = probe_given,
	[API_DOCTOR] = doctor_handle,
	[API_BACKUP] = operate_backup,
	[API_BACKUP_DROP] = operate_backup_drop,
	[API_STATE_ADOPT] = operate_adopt,
	[API_STATE_NEW] = operate_new,
};
