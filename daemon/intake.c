/* SPDX-License-Identifier: Apache-2.0 */
/* intake.c - submissions: check, resolve, compose, commit, and only then say yes.
 *
 *   body ─► JSON (intake_read, intake_message) ─► job_check ─► resolve (recipients, account, rights) ─► compose ─► [spool] ─► store ─► answer
 *
 * One object gives one answer; an array gives one answer for each, in order, and each job stands for itself. Several
 * values one after another are intake_stream.c's.
 */
#include "daemon/intake_inner.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/mime.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 1000u

static void pump(void *arg);

static void
client_left(void *context)
{
	struct submission *submission = context;

	submission->request = NULL;
	atomic_store(&submission->left, true);
}

static struct submission *
open_submission(struct app *app, struct http_request *request)
{
	struct submission *submission = nd_xalloc(sizeof(*submission));

	submission->app = app;
	submission->request = request;
	submission->peer = *http_request_peer(request);
	submission->header_key = nd_xstrdup(http_request_header(request, "Idempotency-Key"));
	return submission;
}

void
intake_end(struct submission *submission)
{
	struct app *app = submission->app;

	intake_read_done(&submission->reading);
	intake_plan_done(&submission->plan);
	http_server_body_done(app->down ? NULL : app->http_server, &submission->body);
	free(submission->header_key);
	if (!app->down)
		loop_forget(app->loop, submission);
}

void
intake_answer(const struct intake_job *job, struct json_out *out)
{
	json_out_object(out, NULL);
	json_out_text(out, "id", job->id);
	json_out_text(out, "state", job_state_name(job->state));
	if (job->duplicate)
		json_out_bool(out, "duplicate", true);
	json_out_object_end(out);
}

static void
answer_one(struct submission *submission)
{
	const struct intake_job *job = &submission->jobs[0];
	struct nd_buf buf;
	struct json_out out;
	char location[64];

	if (job->why.err != ND_OK) {
		http_server_problem(submission->request, &job->why);
		return;
	}
	if (submission->wait > 0) {
		if (job_state_final(job->state) || job->state == JOB_HELD || submission->app->stopping)
			handlers_show(submission->app, submission->request, job->id, true);
		else
			waiters_add(submission->app, submission->request, job->id, submission->wait);
		return;
	}
	nd_buf_init(&buf, 1024);
	json_out_init(&out, &buf);
	intake_answer(job, &out);
	(void)nd_buf_addc(&buf, '\n');
	memcpy(location, "/v1/jobs/", 9);
	memcpy(location + 9, job->id, sizeof(job->id));
	http_server_reply(
	    submission->request, job->duplicate ? 200 : 202, "application/json", nd_buf_text(&buf), buf.len, location);
	nd_buf_done(&buf);
}

static void
answer_array(struct submission *submission)
{
	unsigned i, accepted = 0;
	struct nd_buf buf, problem;
	struct json_out out;

	nd_buf_init(&buf, INTAKE_MESSAGE_MAX);
	nd_buf_init(&problem, 8192);
	json_out_init(&out, &buf);
	json_out_array(&out, NULL);
	for (i = 0; i < submission->count; i++) {
		if (submission->jobs[i].why.err == ND_OK) {
			accepted++;
			intake_answer(&submission->jobs[i], &out);
		} else {
			nd_buf_clear(&problem);
			api_problem(&submission->jobs[i].why, (int)i, &problem);
			json_out_raw(&out, NULL, nd_buf_text(&problem));
		}
	}
	json_out_array_end(&out);
	handlers_reply(submission->request, accepted == submission->count ? 202 : accepted > 0 ? 207 : 422, &buf);
	nd_buf_done(&problem);
}

static void
end_submission(struct submission *submission)
{
	unsigned i;

	if (submission->request) {
		http_request_own(submission->request, NULL, NULL);
		if (submission->array)
			answer_array(submission);
		else
			answer_one(submission);
	}
	for (i = 0; i < submission->count; i++)
		free(submission->jobs[i].key);
	free(submission->jobs);
	intake_end(submission);
	free(submission);
}

static void
pump_soon(struct submission *submission)
{
	if (submission->taking || submission->busy)
		return;
	if (submission->app->down) /* no turn of the loop will end any more */
		pump(submission);
	else
		loop_soon(submission->app->loop, pump, submission);
}

/* The job is committed or refused; the last one answers for all. */
void
intake_close(struct intake_job *job)
{
	struct submission *submission = job->submission;

	admit_over(submission->app, &submission->peer, &job->admitted, job->why.err == ND_OK && !job->duplicate);
	queue_job_free(job->row);
	job->row = NULL;
	submission->flying -= job->flying;
	submission->app->intake--;
	if (submission->closed) {
		submission->closed(job);
		return;
	}
	submission->open--;
	if (submission->open == 0 && !submission->taking)
		end_submission(submission);
	else if (submission->next)
		pump_soon(submission);
}

/* While the job was written its account may have gone, or the first one have come. */
static void
settle_account(struct app *app, struct queue_job *row)
{
	bool orphan = row->account[0] ? !conf_account_named(app->conf, row->account) : app->conf->account_count > 0;

	engine_accepted(app->engine, row, loop_now(app->loop));
	if (orphan)
		recover_orphans(app);
}

static void
committed(struct store_req *req)
{
	struct intake_job *job = req->owner;
	struct app *app = job->submission->app;
	bool spooled = job->row->spooled;

	app_wrote(app, req);
	job->why = req->why;
	job->why.err = req->err;
	if (spooled && (req->err != ND_OK || req->duplicate))
		spool_remove(app->spool, job->id);
	if (req->err == ND_OK && req->duplicate) {
		intake_key_known(job, req);
	} else if (req->err == ND_OK) {
		outcomes_count(app, false, true);
		feed_job(app, job->row, NULL);
		settle_account(app, job->row);
		job->row = NULL;
		loop_soon(app->loop, app_pump, app);
	}
	free(req);
	if (job->why.err == ND_EDISKFULL)
		intake_refuse(job);
	else
		intake_close(job);
}

static void
commit(struct intake_job *job)
{
	struct store_req *req = nd_xalloc(sizeof(*req));

	req->op = STORE_PUT;
	req->done = committed;
	req->owner = job;
	req->job = job->row;
	req->idempotency_key = job->key;
	req->digest = job->digest;
	store_submit(job->submission->app->store, req);
}

static void
spooled(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct intake_job *job = arg;

	if (err == ND_OK && !job->submission->app->down) {
		commit(job);
		return;
	}
	if (err == ND_OK)
		(void)nd_fail(&job->why, ND_ESTOPPING, 0, "notifyd has stopped");
	else
		job->why = *why;
	intake_refuse(job);
}

enum nd_err
intake_compose(const struct job_draft *draft, const struct ready *ready, const struct queue_job *row,
    const char *hostname, struct nd_buf *body, struct nd_why *why)
{
	return ready ? ready_write(ready, row->id, row->created, hostname, body, why)
		     : mime_body(draft, row->id, row->created, hostname, body, why);
}

static enum nd_err
compose_here(struct submission *submission, const struct job_draft *draft, struct queue_job *row, struct nd_why *why)
{
	struct nd_buf body;
	enum nd_err err;

	nd_buf_init(&body, INTAKE_MESSAGE_MAX);
	err = intake_compose(draft, submission->ready, row, submission->app->conf->hostname, &body, why);
	if (err == ND_OK)
		row->body_len = body.len;
	if (err == ND_OK)
		row->body = nd_buf_take(&body, NULL);
	nd_buf_done(&body);
	return err;
}

enum nd_err
intake_check(struct intake_job *job, const struct json_node *value, struct job_draft *draft)
{
	enum nd_err err = job_check(draft, NULL, value, &job->why);

	if (err == ND_OK)
		err = intake_key_read(job, draft, &job->why);
	if (err == ND_OK && job->key)
		intake_digest(job->submission->app, value, job->submission->ready, draft->sensitive, &job->digest);
	return err;
}

enum nd_err
intake_place(struct intake_job *job, struct job_draft *draft)
{
	struct submission *submission = job->submission;

	job->row = nd_xalloc(sizeof(*job->row));
	return intake_resolve(submission->app, &submission->peer, draft, submission->ready, job->row, &job->why);
}

void
intake_enter(struct intake_job *job, bool in_spool)
{
	struct submission *submission = job->submission;
	struct app *app = submission->app;
	struct queue_job *row = job->row;

	if (admit_job(app, &submission->peer, row, &job->admitted, &job->why) != ND_OK) {
		if (in_spool)
			spool_remove(app->spool, row->id);
		intake_refuse(job);
		return;
	}
	job->flying = in_spool ? 0 : (size_t)row->body_len;
	submission->flying += job->flying;
	job->state = (enum job_state)row->state;
	memcpy(job->id, row->id, sizeof(job->id));
	row->spooled = in_spool || row->sealed || row->body_len > SPOOL_OVER;
	if (row->spooled && !in_spool) {
		(row->sealed ? spool_seal : spool_put)(
		    app->spool, row->id, row->body, (size_t)row->body_len, spooled, job);
		row->body = NULL;
		return;
	}
	commit(job);
}

void
intake_one(struct intake_job *job, const struct json_node *value)
{
	struct job_draft draft = { 0 };
	enum nd_err err = intake_check(job, value, &draft);

	if (err == ND_OK)
		err = intake_place(job, &draft);
	if (err == ND_OK)
		err = compose_here(job->submission, &draft, job->row, &job->why);
	job_draft_done(&draft);
	if (err == ND_OK && job->submission->dry)
		intake_dry(job, value);
	if (err == ND_OK && !job->submission->dry)
		intake_enter(job, false);
	else if (err != ND_OK)
		intake_refuse(job);
	else
		intake_close(job);
}

/* Those that were not yet taken when the client left, or the loop ended. */
static void
refuse_rest(struct submission *submission)
{
	while (submission->next) {
		struct intake_job *job = &submission->jobs[submission->taken++];

		submission->next = submission->next->next;
		(void)nd_fail(&job->why, ND_ESTOPPING, 0, "it was not taken any more");
		intake_close(job);
	}
}

/* Takes the next jobs: as many as fit into a turn, and into memory until their commits. */
static void
pump(void *arg)
{
	struct submission *submission = arg;
	const struct json_node *value;
	size_t turn = 0, weight;

	submission->taking = true;
	if (submission->app->down || submission->request == NULL)
		refuse_rest(submission);
	while ((value = submission->next) != NULL && !submission->busy && turn < INTAKE_TURN &&
	       submission->flying < INTAKE_FLYING) {
		weight = submission->body.octets ? json_weight(value) : 0; /* of a small body all are taken at once */
		weight += submission->body.octets && submission->ready ? submission->ready->len : 0;
		submission->next = value->next;
		if (weight > INTAKE_LARGE)
			intake_large_one(&submission->jobs[submission->taken++], value);
		else
			intake_one(&submission->jobs[submission->taken++], value);
		turn += weight;
	}
	submission->taking = false;
	if (submission->open == 0)
		end_submission(submission);
	else if (submission->next && !submission->busy && submission->flying < INTAKE_FLYING)
		loop_soon(submission->app->loop, pump, submission);
}

static void
take(struct submission *submission)
{
	const struct json_node *root = submission->reading.tree.root;
	unsigned i;

	if (submission->reading.ready.octets)
		submission->ready = &submission->reading.ready;
	submission->array = root->type == JSON_ARRAY;
	submission->next = submission->array ? root->child : root;
	submission->count = submission->open = submission->array ? root->count : 1;
	submission->jobs = nd_xalloc(submission->count * sizeof(*submission->jobs));
	for (i = 0; i < submission->count; i++)
		submission->jobs[i].submission = submission;
	if (submission->request)
		http_request_own(submission->request, submission, client_left);
	submission->app->intake += submission->count;
	pump(submission);
}

static enum nd_err
check_root(const struct submission *submission, struct nd_why *why)
{
	const struct json_node *root = submission->reading.tree.root;

	if (root->type != JSON_OBJECT && root->type != JSON_ARRAY)
		return nd_fail(why, ND_ESYNTAX, 0, "a job is a JSON object, several are an array of them; this is %s",
		    json_type_name(root->type));
	if (root->type == JSON_ARRAY && root->count == 0)
		return nd_fail(why, ND_ESYNTAX, 0, "the array holds no job");
	if (root->type == JSON_ARRAY && root->count > BATCH_MAX)
		return nd_fail(
		    why, ND_ETOOBIG, 0, "the array holds %u jobs; %u at a time are taken", root->count, BATCH_MAX);
	if (root->type == JSON_ARRAY && submission->wait > 0) {
		(void)nd_fail(why, ND_EINVALID, 0, "wait goes with one job, not with an array");
		return nd_fail_at(why, "wait", 0, NULL);
	}
	if (root->type == JSON_ARRAY && submission->dry) {
		(void)nd_fail(why, ND_EINVALID, 0, "dry_run goes with one job, not with an array");
		return nd_fail_at(why, "dry_run", 0, NULL);
	}
	return root->type == JSON_ARRAY ? intake_key_alone(submission, why) : ND_OK;
}

enum nd_err
intake_open(struct app *app, struct nd_why *why)
{
	if (app->stopping)
		return nd_fail(why, ND_ESTOPPING, 0, "notifyd is stopping and takes no jobs");
	if (app->store_fault.err == ND_EDISK) {
		*why = app->store_fault;
		return why->err;
	}
	return ND_OK;
}

/* Nothing was taken. */
static void
refuse(struct submission *submission, const struct nd_why *why)
{
	if (submission->request) {
		http_request_own(submission->request, NULL, NULL);
		http_server_problem(submission->request, why);
	}
	intake_end(submission);
	free(submission);
}

void
intake_was_read(struct submission *submission, enum nd_err err, struct nd_why *why)
{
	bool several = submission->reading.several;

	if (err == ND_OK && !several)
		err = check_root(submission, why);
	if (err == ND_OK && (submission->app->down || (submission->body.octets && !submission->request)))
		err = nd_fail(why, ND_ESTOPPING, 0, "it was not taken any more");
	if (err == ND_OK && several)
		err = intake_stream(submission, why);
	if (err != ND_OK)
		refuse(submission, why);
	else if (!several)
		take(submission);
}

/* A small body is read at once, a large one by the composer. */
static void
submit(struct submission *submission)
{
	struct nd_why why;
	enum nd_err err;
	size_t len;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): nobody else reads the body any more, it is decoded where it lies */
	char *octets = (char *)(uintptr_t)http_request_body(submission->request, &len);

	if (len > INTAKE_LARGE) {
		http_request_take_body(submission->request, &submission->body);
		http_request_own(submission->request, submission, client_left);
		intake_large_body(submission);
		return;
	}
	err = intake_read(&submission->plan, octets, len, true, &submission->reading, &why);
	intake_was_read(submission, err, &why);
}

void
intake_submit(void *owner, struct http_request *request)
{
	static const char *const ours[] = { "wait", "dry_run", NULL };
	struct app *app = owner;
	struct submission *submission = open_submission(app, request);
	struct nd_why why;

	if (intake_open(app, &why) != ND_OK || !handlers_wait(request, &submission->wait, &why) ||
	    !intake_dry_asked(request, &submission->dry, &why) ||
	    intake_plan(request, ours, &submission->plan, &why) != ND_OK)
		refuse(submission, &why);
	else
		submit(submission);
}

void
intake_message(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct submission *submission = open_submission(app, request);
	struct nd_why why;

	if (intake_open(app, &why) != ND_OK || !handlers_wait(request, &submission->wait, &why) ||
	    intake_message_plan(request, &submission->plan, &why) != ND_OK)
		refuse(submission, &why);
	else
		submit(submission);
}
