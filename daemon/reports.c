/* SPDX-License-Identifier: Apache-2.0 */
/* reports.c - tells [daemon] admin_to by mail what could not be delivered. */
#include "daemon/app.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/hint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A mail of notifyd's own: about that there is no report. */
static bool
is_own(const struct queue_job *job)
{
	return job->uid == getuid() && job->source && strcmp(job->source, "notifyd") == 0 && job->comm &&
	       strcmp(job->comm, "notifyd") == 0;
}

static void
set_timer(struct app *app)
{
	nd_ms now = loop_now(app->loop).ms;

	loop_timer_set(app->report_timer, report_due(&app->report, app->report_since, app->conf->report_every, now));
}

/* The remedy for what the first of them was told. */
static void
put_remedy(struct app *app, const struct queue_job *job, struct nd_buf *out)
{
	struct smtp_reply reply = { 0 };
	char words[SMTP_REPLY_TEXT + 32];
	unsigned i;

	for (i = 0; i < job->rcpt_count && reply.code == 0; i++)
		if (job->rcpts[i].state != RCPT_DELIVERED && job->rcpts[i].code != 0) {
			reply.code = job->rcpts[i].code;
			memcpy(reply.enhanced, job->rcpts[i].enhanced, sizeof(reply.enhanced));
			(void)snprintf(
			    reply.text, sizeof(reply.text), "%s", job->rcpts[i].text ? job->rcpts[i].text : "");
		}
	settle_reply_words(&reply, words, sizeof(words));
	if (reply.code != 0)
		(void)hint_of(conf_account_named(app->conf, job->account), HINT_OPERATOR, words, NULL, out);
	if (out->len == 0 && job->hint)
		(void)nd_buf_adds(out, job->hint);
}

bool
reports_wants(const struct app *app, const struct queue_job *job)
{
	return app->conf->admin_to.count > 0 && app->conf->report_every > 0 && report_worthy(job) && !is_own(job);
}

void
reports_job(struct app *app, const struct queue_job *job, int64_t place)
{
	struct json_tree facts = { 0 };
	struct nd_buf remedy;

	app->report_place = place;
	if (!job->facts || json_read(&facts, job->facts, strlen(job->facts), &json_limits_job, NULL, NULL) != ND_OK)
		facts.root = NULL;
	nd_buf_init(&remedy, HINT_LIMIT);
	put_remedy(app, job, &remedy);
	if (app->report.count == 0 && app->report.more == 0)
		app->report_since = loop_now(app->loop).ms;
	report_add(&app->report, job, json_get_text(facts.root, "subject"), nd_buf_text(&remedy));
	nd_buf_done(&remedy);
	json_done(&facts);
	set_timer(app);
}

void
reports_again(struct app *app, const char *id)
{
	report_forget(&app->report, id);
	set_timer(app);
}

static struct store_req *
ask(struct app *app, void (*done)(struct store_req *req))
{
	struct store_req *req = nd_xalloc(sizeof(*req));

	req->op = STORE_UNTOLD;
	req->done = done;
	req->owner = app;
	return req;
}

static void
forgotten(struct store_req *req)
{
	app_wrote(req->owner, req);
	if (req->err != ND_OK)
		nd_log(ND_LOG_WARNING, NULL, "what was reported may be reported once more: %s", req->why.text);
	free(req->kept);
	free(req);
}

/* Also a report that is given up: nobody wants it. When the last ones were sent is kept beside. */
static void
forget(struct app *app, int64_t place)
{
	struct store_req *req = ask(app, forgotten);

	req->drop = true;
	req->place = place;
	req->kept = report_keep(&app->report, loop_now(app->loop));
	store_submit(app->store, req);
}

static void
recalled(struct store_req *req)
{
	struct app *app = req->owner;

	if (req->err != ND_OK)
		nd_log(ND_LOG_ERR, NULL, "what the last run has not reported cannot be read: %s", req->why.text);
	report_recall(&app->report, req->kept, loop_now(app->loop));
	for (unsigned i = 0; i < req->job_count; i++) {
		if (!app->stopping && reports_wants(app, req->jobs[i]))
			reports_job(app, req->jobs[i], req->place);
		queue_job_free(req->jobs[i]);
	}
	if (app->report.count > 0)
		app->report.more += req->rest; /* more than a report names */
	else if (req->err == ND_OK && !app->stopping)
		forget(app, req->place); /* they were tried again */
	if (!app->stopping)
		set_timer(app); /* what failed before this came does not know when the last report was */
	free(req->kept);
	free(req->jobs);
	free(req);
}

void
reports_recover(struct app *app)
{
	struct store_req *req;

	if (app->conf->admin_to.count == 0 || app->conf->report_every == 0) {
		forget(app, INT64_MAX);
		return;
	}
	req = ask(app, recalled);
	req->limit = REPORT_JOBS;
	store_submit(app->store, req);
}

/* The mail is in the queue, or not. */
static void
told(struct app *app, void *arg, const struct nd_why *why)
{
	const nd_ms now = loop_now(app->loop).ms;

	(void)arg;
	if (why->err == ND_OK) {
		report_told(&app->report, now);
		forget(app, app->report_telling);
	} else if (app->stopping)
		report_done(&app->report); /* the log says why; the next run tells it */
	else
		report_refused(&app->report, now);
	app->report_since = now; /* of what came in meanwhile */
	if (!app->stopping)
		set_timer(app);
}

static void
mail(struct app *app)
{
	struct nd_buf buf, subject, text;
	struct json_out out;

	if (app->conf->admin_to.count == 0) {
		report_done(&app->report);
		forget(app, app->report_place);
		return;
	}
	app->report_telling = app->report_place;
	nd_buf_init(&buf, 4 * REPORT_OCTETS);
	nd_buf_init(&subject, 1024);
	nd_buf_init(&text, 2 * REPORT_OCTETS);
	report_tell(&app->report, app->conf->hostname, &subject, &text);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_array(&out, "to");
	for (unsigned i = 0; i < app->conf->admin_to.count; i++)
		json_out_text(&out, NULL, app->conf->admin_to.items[i]);
	json_out_array_end(&out);
	json_out_text(&out, "subject", nd_buf_text(&subject));
	json_out_text(&out, "text", nd_buf_text(&text));
	json_out_text(&out, "severity", "warning");
	json_out_text(&out, "source", "notifyd");
	json_out_text(&out, "key", "report");
	json_out_object_end(&out);
	intake_own(app, &buf, told, NULL);
	nd_buf_done(&text);
	nd_buf_done(&subject);
	nd_buf_done(&buf);
}

void
reports_send(void *arg)
{
	struct app *app = arg;

	if (!app->stopping)
		mail(app);
}
