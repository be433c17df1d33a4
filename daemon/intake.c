/* SPDX-License-Identifier: Apache-2.0 */
/* intake.c - submissions: check, resolve, compose, commit, and only then say yes.
 *
 *   body ─► JSON (intake_read, intake_message) ─► job_check ─► resolve (recipients, account, rights) ─► compose ─► [spool] ─► store ─► answer
 *
 * One object gives one answer; an array gives one answer for each, in order, and each job stands for itself. Several
 * values one after another are intake_stream.c's.
 */
#include "daemon/intake_inner.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/mime.h"
#include "daemon/core/ready.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 1000u
#define MESSAGE_LIMIT (64u * 1024 * 1024)

static void
client_left(void *context)
{
	struct submission *submission = context;

	submission->request = NULL;
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
	if (submission->wait > 0 && !submission->app->stopping) {
		if (job_state_final(job->state) || job->state == JOB_HELD)
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
	int status;

	nd_buf_init(&buf, MESSAGE_LIMIT);
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
	(void)nd_buf_addc(&buf, '\n');
	status = accepted == submission->count ? 202 : accepted > 0 ? 207 : 422;
	http_server_reply(submission->request, status, "application/json", nd_buf_text(&buf), buf.len, NULL);
	nd_buf_done(&buf);
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
	free(submission);
}

/* The job is committed or refused; the last one answers for all. */
void
intake_close(struct intake_job *job)
{
	struct submission *submission = job->submission;

	if (job->admitted)
		admit_over(submission->app, job->octets);
	queue_job_free(job->row);
	job->row = NULL;
	submission->app->intake--;
	if (submission->closed)
		submission->closed(job);
	else if (--submission->open == 0)
		end_submission(submission);
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
		job->duplicate = true;
		job->state = (enum job_state)req->duplicate_state;
		memcpy(job->id, req->duplicate_id, sizeof(job->id));
	} else if (req->err == ND_OK) {
		if (app->unfinished++ == 0)
			loop_timer_set(app->sweep_timer, loop_now(app->loop).ms + ND_MIN(1));
		feed_job(app, job->row, NULL);
		settle_account(app, job->row);
		job->row = NULL;
		loop_soon(app->loop, app_pump, app);
	}
	free(req);
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
	memcpy(req->digest, job->digest, sizeof(req->digest));
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
	intake_close(job);
}

/* Resolving what the configuration decides. */

/* Without recipients of its own the job goes to [daemon] to. */
static enum nd_err
add_defaults(const struct conf *conf, struct job_draft *draft, struct nd_why *why)
{
	unsigned i;
	enum nd_err err;

	if (draft->rcpt_count > 0)
		return ND_OK;
	if (conf->to.count == 0)
		return nd_fail(why, ND_ENORCPT, 0, "the job names no recipient and [daemon] to is not set");
	draft->rcpts = nd_xalloc(conf->to.count * sizeof(*draft->rcpts));
	for (i = 0; i < conf->to.count; i++) {
		err = nd_str_mailbox(conf->to.items[i], strlen(conf->to.items[i]), &draft->rcpts[i].box, why);
		if (err != ND_OK)
			return err;
		draft->rcpts[i].kind = JOB_TO_RCPT;
		draft->rcpt_count++;
	}
	return ND_OK;
}

static void
set_rcpts(const struct job_draft *draft, struct queue_job *row)
{
	unsigned i;

	row->rcpt_count = draft->rcpt_count;
	row->rcpts = nd_xalloc(draft->rcpt_count * sizeof(*row->rcpts));
	for (i = 0; i < draft->rcpt_count; i++)
		row->rcpts[i].address = nd_xstrdup(draft->rcpts[i].box.address);
}

static enum nd_err
find_account(
    const struct conf *conf, const struct job_draft *draft, const struct conf_account **account, struct nd_why *why)
{
	*account = draft->account ? conf_account_named(conf, draft->account) : conf_account_nth(conf, 0);
	if (!*account && draft->account && conf->account_count > 0) {
		(void)nd_fail(why, ND_ENOACCOUNT, 0, "there is no account \"%.60s\"", draft->account);
		return nd_fail_at(why, "account", 0, NULL);
	}
	return ND_OK;
}

static enum nd_err
check_rights(const struct conf *conf, const struct access_peer *peer, const struct queue_job *row, struct nd_why *why)
{
	enum nd_err err = ND_OK;
	unsigned i;

	for (i = 0; err == ND_OK && i < row->rcpt_count; i++)
		err = access_recipient(conf, peer, row->rcpts[i].address, why);
	return err;
}

static void
set_facts(struct queue_job *row, const struct job_draft *draft, bool operator_right)
{
	struct nd_buf subject, facts;

	nd_buf_init(&subject, 4096);
	nd_buf_init(&facts, MESSAGE_LIMIT);
	if (!draft->sensitive)
		mime_subject(draft, &subject);
	job_facts(draft, nd_buf_text(&subject), &facts);
	/* Who asked matters when the job waits for its first account: see recover.c. */
	if (operator_right && facts.len > 0 && facts.octets[facts.len - 1] == '}') {
		facts.len--;
		(void)nd_buf_adds(&facts, facts.len > 1 ? ",\"operator\":true}" : "\"operator\":true}");
	}
	row->facts = nd_buf_take(&facts, NULL);
	nd_buf_done(&subject);
}

static void
set_row(struct app *app, const struct access_peer *peer, const struct job_draft *draft, struct queue_job *row)
{
	nd_unix now = loop_now(app->loop).unix_ms;
	uint8_t fresh[10] = { 0 };

	if (now != app->ids.last) /* within a millisecond ids rise by counting */
		tls_random(fresh, sizeof(fresh));
	nd_ulid_next(&app->ids, now, fresh, row->id);
	row->created = now;
	row->event_time = draft->event_time;
	row->not_before = draft->not_before;
	row->due = draft->not_before > now ? draft->not_before : now;
	row->expires = draft->expires_in ? row->due + draft->expires_in : 0;
	row->severity = (uint8_t)draft->severity;
	row->resolved = draft->resolved;
	row->uid = peer->uid;
	row->gid = peer->gid;
	row->pid = peer->pid;
	row->unit = peer->unit[0] ? nd_xstrdup(peer->unit) : NULL;
	row->comm = peer->comm[0] ? nd_xstrdup(peer->comm) : NULL;
	row->source = nd_xstrdup(draft->source ? draft->source : row->unit ? row->unit : row->comm);
	row->key = nd_xstrdup(draft->key);
	row->body_kept = true;
	row->sealed = draft->sensitive;
}

static void
set_from(const struct job_draft *draft, struct queue_job *row)
{
	struct nd_buf buf;

	if (!draft->from.address)
		return;
	nd_buf_init(&buf, 4096);
	if (draft->from.name) {
		const char *c;

		(void)nd_buf_addc(&buf, '"');
		for (c = draft->from.name; *c != '\0'; c++) {
			if (*c == '"' || *c == '\\')
				(void)nd_buf_addc(&buf, '\\');
			(void)nd_buf_addc(&buf, *c);
		}
		(void)nd_buf_addf(&buf, "\" <%s>", draft->from.address);
	} else {
		(void)nd_buf_adds(&buf, draft->from.address);
	}
	row->from = nd_buf_take(&buf, NULL);
}

enum nd_err
intake_resolve(struct app *app, const struct access_peer *peer, struct job_draft *draft, const struct ready *ready,
    struct queue_job *row, struct nd_why *why)
{
	const struct conf_account *account;
	struct nd_why ignored;
	struct nd_buf body;
	size_t len;
	enum nd_err err;

	if ((err = find_account(app->conf, draft, &account, why)) != ND_OK ||
	    (err = add_defaults(app->conf, draft, why)) != ND_OK)
		return err;
	set_rcpts(draft, row);
	if ((err = check_rights(app->conf, peer, row, why)) != ND_OK)
		return err;
	set_row(app, peer, draft, row);
	if (ready && ready->from)
		row->from = nd_xstrdup(ready->from);
	else
		set_from(draft, row);
	set_facts(row, draft, peer->operator_right && !account);
	row->account = nd_xstrdup(account ? account->name : "");
	if (account) {
		sender_write(row, account, ready ? ready->has_reply_to : draft->reply_to.address != NULL,
		    draft->from.address && access_recipient(app->conf, peer, draft->from.address, &ignored) == ND_OK);
	} else {
		row->state = JOB_HELD;
		settle_reason(row, "no-account", NULL,
		    "no account yet: add an [account NAME] to notifyd.conf, then: notifyctl reload");
	}
	nd_buf_init(&body, MESSAGE_LIMIT);
	err = ready ? ready_write(ready, row->id, row->created, app->conf->hostname, &body, why)
		    : mime_body(draft, row->id, row->created, app->conf->hostname, &body, why);
	if (err != ND_OK) {
		nd_buf_wipe(&body);
		return err;
	}
	row->body = nd_buf_take(&body, &len);
	row->body_len = len;
	return ND_OK;
}

static void
digest_of(const struct json_node *value, const struct ready *ready, uint8_t digest[32])
{
	struct nd_buf buf;
	struct json_out out;

	nd_buf_init(&buf, MESSAGE_LIMIT);
	json_out_init(&out, &buf);
	json_out_node(&out, NULL, value);
	if (ready) {
		tls_sha256(ready->octets, ready->len, digest);
		(void)nd_buf_add(&buf, digest, 32);
	}
	tls_sha256(nd_buf_text(&buf), buf.len, digest);
	nd_buf_done(&buf);
}

static enum nd_err
read_key(const struct submission *submission, const struct job_draft *draft, struct intake_job *job, struct nd_why *why)
{
	const char *header = submission->array ? NULL : http_request_header(submission->request, "Idempotency-Key");
	const char *key = draft->idempotency_key ? draft->idempotency_key : header;
	size_t len = key ? strlen(key) : 0;

	if (key && (len == 0 || len > 128 || !nd_str_ascii(key, len))) {
		(void)nd_fail(why, ND_EINVALID, 0, "an idempotency key has 1 to 128 printable ASCII characters");
		return nd_fail_at(why, "Idempotency-Key", 0, NULL);
	}
	job->key = nd_xstrdup(key);
	return ND_OK;
}

void
intake_one(struct intake_job *job, const struct json_node *value, const struct access_peer *peer)
{
	struct submission *submission = job->submission;
	struct app *app = submission->app;
	struct job_draft draft = { 0 };
	struct queue_job *row = nd_xalloc(sizeof(*row));
	enum nd_err err;

	err = job_check(&draft, NULL, value, &job->why);
	if (err == ND_OK)
		err = read_key(submission, &draft, job, &job->why);
	if (err == ND_OK)
		err = intake_resolve(app, peer, &draft, submission->ready, row, &job->why);
	if (err == ND_OK)
		err = admit_job(app, peer, row, &job->why);
	job_draft_done(&draft);
	job->row = row;
	if (err != ND_OK) {
		intake_close(job);
		return;
	}
	job->admitted = true;
	job->octets = row->body_len;
	job->state = (enum job_state)row->state;
	memcpy(job->id, row->id, sizeof(job->id));
	if (job->key)
		digest_of(value, submission->ready, job->digest);
	if (row->sealed || row->body_len > SPOOL_OVER) {
		row->spooled = true;
		(row->sealed ? spool_seal : spool_put)(
		    app->spool, row->id, row->body, (size_t)row->body_len, spooled, job);
		row->body = NULL;
		return;
	}
	commit(job);
}

void
intake_take(struct app *app, struct http_request *request, const struct intake_ask *ask)
{
	const struct json_node *root = ask->root;
	struct submission *submission = nd_xalloc(sizeof(*submission));
	struct access_peer peer = *http_request_peer(request);
	const struct json_node *value = root->type == JSON_ARRAY ? root->child : root;
	unsigned i;

	submission->app = app;
	submission->request = request;
	submission->ready = ask->ready;
	submission->wait = ask->wait;
	submission->array = root->type == JSON_ARRAY;
	submission->count = submission->array ? root->count : 1;
	submission->open = submission->count + 1; /* + 1: nobody answers while the loop below runs */
	submission->jobs = nd_xalloc(submission->count * sizeof(*submission->jobs));
	http_request_own(request, submission, client_left);
	app->intake += submission->count;
	for (i = 0; i < submission->count; i++, value = value->next) {
		submission->jobs[i].submission = submission;
		intake_one(&submission->jobs[i], value, &peer);
	}
	if (--submission->open == 0)
		end_submission(submission);
}

static enum nd_err
check_root(const struct json_node *root, nd_ms wait, struct nd_why *why)
{
	if (root->type != JSON_OBJECT && root->type != JSON_ARRAY)
		return nd_fail(why, ND_ESYNTAX, 0, "a job is a JSON object, several are an array of them; this is %s",
		    json_type_name(root->type));
	if (root->type == JSON_ARRAY && root->count == 0)
		return nd_fail(why, ND_ESYNTAX, 0, "the array holds no job");
	if (root->type == JSON_ARRAY && root->count > BATCH_MAX)
		return nd_fail(
		    why, ND_ETOOBIG, 0, "the array holds %u jobs; %u at a time are taken", root->count, BATCH_MAX);
	if (root->type == JSON_ARRAY && wait > 0) {
		(void)nd_fail(why, ND_EINVALID, 0, "wait goes with one job, not with an array");
		return nd_fail_at(why, "wait", 0, NULL);
	}
	return ND_OK;
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

void
intake_submit(void *owner, struct http_request *request)
{
	static const char *const ours[] = { "wait", "dry_run", NULL };
	struct app *app = owner;
	struct json_tree tree = { 0 };
	struct intake_ask ask = { 0 };
	struct nd_why why;
	bool dry, several = false;

	if (intake_open(app, &why) != ND_OK || !handlers_wait(request, &ask.wait, &why) ||
	    !intake_dry_asked(request, &dry, &why) || intake_read(request, ours, &tree, &several, &why) != ND_OK) {
		http_server_problem(request, &why);
		return;
	}
	ask.root = tree.root;
	if (several)
		intake_stream(app, request, ask.wait > 0, dry);
	else if (check_root(ask.root, ask.wait, &why) != ND_OK)
		http_server_problem(request, &why);
	else if (dry)
		intake_dry(app, request, ask.root);
	else
		intake_take(app, request, &ask);
	json_done(&tree);
}
