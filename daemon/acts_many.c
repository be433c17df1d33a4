/* SPDX-License-Identifier: Apache-2.0 */
/* acts_many.c - what people do to many jobs at once: to all that fit a filter. */
#include "daemon/acts_inner.h"

#include "common/json.h"
#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 500u /* jobs of a bulk request at a time */

struct bulk {
	struct app *app;
	struct http_request *request; /* NULL: the client has left; what was asked is done all the same */
	enum job_action action;
	const char *reason;
	bool count;           /* nothing is done */
	acts_bulk_done *done; /* told instead of the client; NULL none */
	void *arg;
	struct store_filter filter; /* texts are ours */
	uint64_t matched, changed;
	unsigned open; /* of the present page */
	bool more;
	struct nd_why why;
};

static void bulk_page(struct bulk *bulk);

static void
bulk_left(void *context)
{
	struct bulk *bulk = context;

	bulk->request = NULL;
}

static void
bulk_end(struct bulk *bulk)
{
	struct nd_buf buf;
	struct json_out out;

	if (bulk->done)
		bulk->done(bulk->arg, bulk->matched, bulk->changed, &bulk->why);
	if (bulk->request) {
		http_request_own(bulk->request, NULL, NULL);
		if (bulk->why.err != ND_OK) {
			http_server_problem(bulk->request, &bulk->why);
		} else {
			nd_buf_init(&buf, 1024);
			json_out_init(&out, &buf);
			json_out_object(&out, NULL);
			json_out_int(&out, "matched", (int64_t)bulk->matched);
			json_out_int(&out, "changed", (int64_t)bulk->changed);
			json_out_object_end(&out);
			handlers_reply(bulk->request, 200, &buf);
		}
	}
	filter_done(&bulk->filter);
	free(bulk);
}

/* Who asked may not take what was done so far for all. */
static void
stop_short(struct bulk *bulk)
{
	(void)nd_fail(&bulk->why, ND_ESTOPPING, 0, "notifyd is stopping: %llu jobs were %s, others are left",
	    (unsigned long long)(bulk->count ? bulk->matched : bulk->changed), bulk->count ? "counted" : "changed");
	(void)nd_fail_at(&bulk->why, NULL, 0, "ask again when it is started: what is changed is not changed twice");
}

static void
bulk_one(void *arg, enum job_state state, bool later, const struct nd_why *why)
{
	struct bulk *bulk = arg;

	(void)state;
	(void)later;
	bulk->changed += why->err == ND_OK;
	if (why->err == ND_EDISK || why->err == ND_EDISKFULL || why->err == ND_ESTOPPING)
		bulk->why = *why;
	if (--bulk->open > 0)
		return;
	if (bulk->more && bulk->why.err == ND_OK && bulk->app->stopping)
		stop_short(bulk);
	if (bulk->more && bulk->why.err == ND_OK)
		bulk_page(bulk);
	else
		bulk_end(bulk);
}

/* The job as it is now, in the order of all that is written. */
static void
bulk_shown(struct store_req *req)
{
	struct bulk *bulk = req->owner;
	struct nd_why why = req->why;

	queue_tale_free(req);
	if (req->err == ND_OK && handlers_fits(bulk->app, req->found, &bulk->filter)) {
		bulk->matched++;
		acts_begin(bulk->app, req->found,
		    &(struct app_act){ .action = bulk->action, .reason = bulk->reason, .done = bulk_one, .arg = bulk });
	} else {
		if (req->err == ND_OK)
			(void)nd_fail(&why, ND_ESTATE, 0, "job %s is none of those any more", req->id);
		queue_job_free(req->found);
		bulk_one(bulk, JOB_QUEUED, false, &why);
	}
	free(req);
}

static void
bulk_ask(struct bulk *bulk, const char *id)
{
	struct store_req *req = nd_xalloc(sizeof(*req));

	req->op = STORE_SHOW;
	req->done = bulk_shown;
	req->owner = bulk;
	memcpy(req->id, id, sizeof(req->id));
	store_submit(bulk->app->store, req);
}

/* A list is read in pieces, and what is written goes between them: its rows are old. They only say which jobs to look at. */
static void
bulk_found(struct store_req *req)
{
	struct bulk *bulk = req->owner;
	unsigned i;

	if (req->err != ND_OK)
		bulk->why = req->why;
	bulk->more = req->more && req->job_count > 0;
	if (req->job_count > 0)
		memcpy(bulk->filter.before, req->jobs[req->job_count - 1]->id, sizeof(bulk->filter.before));
	bulk->open = 1; /* the page does not end while it is being begun */
	for (i = 0; i < req->job_count; i++) {
		if (bulk->count) {
			bulk->matched++;
		} else {
			bulk->open++;
			bulk_ask(bulk, req->jobs[i]->id);
		}
		queue_job_free(req->jobs[i]);
	}
	free(req->jobs);
	free(req);
	bulk->changed--; /* of the extra one */
	bulk_one(bulk, JOB_QUEUED, false, &(struct nd_why){ 0 });
}

static void
bulk_page(struct bulk *bulk)
{
	struct store_req *req = nd_xalloc(sizeof(*req));

	req->op = STORE_LIST;
	req->done = bulk_found;
	req->owner = bulk;
	req->limit = PAGE;
	handlers_filter_sending(bulk->app, &bulk->filter);
	req->filter = bulk->filter;
	store_submit(bulk->app->store, req);
}

/* Only states the action applies to are looked at: finished jobs of a month are nobody's business here. */
static uint32_t
states_of(enum job_action action, uint32_t asked)
{
	uint32_t fit = 0;
	unsigned i;

	for (i = 0; i < JOB_STATE_COUNT; i++)
		if (job_action_fits(action, (enum job_state)i))
			fit |= 1u << i;
	return asked ? asked & fit : fit;
}

static void
act_all(struct app *app, struct http_request *request, enum job_action action)
{
	static const char *const known[] = { "state", "account", "source", "severity", "key", "since", "id", NULL };
	struct bulk *bulk = nd_xalloc(sizeof(*bulk));
	struct nd_why why;

	bulk->app = app;
	bulk->request = request;
	bulk->action = action;
	if (http_request_only(request, known, &why) != ND_OK ||
	    handlers_filter(app, request, &bulk->filter, &why) != ND_OK) {
		filter_done(&bulk->filter);
		free(bulk);
		http_server_problem(request, &why);
		return;
	}
	http_request_own(request, bulk, bulk_left);
	bulk->filter.states = states_of(action, bulk->filter.states);
	if (bulk->filter.states == 0)
		bulk_end(bulk);
	else
		bulk_page(bulk);
}

void
acts_cancel_below(struct app *app, const char *border, const char *reason, acts_bulk_done *done, void *arg)
{
	struct bulk *bulk = nd_xalloc(sizeof(*bulk));

	*bulk = (struct bulk){
		.app = app, .action = JOB_CANCEL, .reason = reason, .count = !reason, .done = done, .arg = arg
	};
	bulk->filter.states = states_of(JOB_CANCEL, 0);
	memcpy(bulk->filter.before, border, sizeof(bulk->filter.before));
	bulk_page(bulk);
}

void
acts_retry_all(void *app, struct http_request *request)
{
	act_all(app, request, JOB_RETRY);
}

void
acts_hold_all(void *app, struct http_request *request)
{
	act_all(app, request, JOB_HOLD);
}

void
acts_release_all(void *app, struct http_request *request)
{
	act_all(app, request, JOB_RELEASE);
}

void
acts_cancel_all(void *app, struct http_request *request)
{
	act_all(app, request, JOB_CANCEL);
}
