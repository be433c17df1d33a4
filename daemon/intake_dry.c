/* SPDX-License-Identifier: Apache-2.0 */
/* intake_dry.c - ?dry_run=1: what would become of a job. It goes the way of every job up to the commit, and is forgotten there. */
#include "daemon/intake_inner.h"

#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_LIMIT (128u * 1024 * 1024)
#define PIECE 2048u /* octets: escaped they fit into HTTP_STREAM_ROOM */

/* Fields that a job need not give, and what is used then. */
/* clang-format off */
static const struct {
	const char *field, *unless, *why; /* unless: not said when this field is not given either */
} defaults[] = {
	{ "to",         NULL,   "[daemon] to" },
	{ "from",       NULL,   "the account's from" },
	{ "subject",    "text", "the first line of text" },
	{ "subject",    "html", "the first line of html" },
	{ "text",       "html", "made from html" },
	{ "severity",   NULL,   "warning unless given" },
	{ "status",     NULL,   "firing unless given" },
	{ "source",     NULL,   "the unit, else the command, of the submitter" },
	{ "account",    NULL,   "the first of [daemon] accounts" },
	{ "event_time", NULL,   "the time of acceptance" },
	{ "expires_in", NULL,   "[queue] expires_in and max_age" },
};
/* clang-format on */

bool
intake_dry_asked(const struct http_request *request, bool *dry, struct nd_why *why)
{
	const char *text = http_request_query(request, "dry_run");

	*dry = false;
	if (!text || nd_str_bool(text, dry))
		return true;
	(void)nd_fail(why, ND_EINVALID, 0, "dry_run is 1 or 0");
	(void)nd_fail_at(why, "dry_run", 0, NULL);
	return false;
}

/* An empty text or list, as null, counts as not given. */
static bool
given(const struct json_node *job, const char *field)
{
	const struct json_node *node = json_get(job, field);

	if (!node || node->type == JSON_NULL || (node->type == JSON_STRING && node->len == 0))
		return false;
	return node->type != JSON_ARRAY || node->count > 0;
}

static void
put_defaults(const struct json_node *job, const struct queue_job *row, struct json_out *out)
{
	bool has_rcpts = given(job, "to") || given(job, "cc") || given(job, "bcc"), subject = given(job, "subject");

	json_out_object(out, "defaults");
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		const char *field = defaults[i].field;

		if (given(job, field) || (defaults[i].unless && !given(job, defaults[i].unless)))
			continue;
		if ((strcmp(field, "to") == 0 && has_rcpts) || (strcmp(field, "account") == 0 && !row->account[0]))
			continue;
		if (strcmp(field, "subject") == 0) {
			if (subject)
				continue;
			subject = true;
		}
		json_out_text(out, field, defaults[i].why);
	}
	json_out_object_end(out);
}

/* The From as readers see it: the head's, unfolded. */
static void
put_from(const struct queue_job *row, struct json_out *out)
{
	const char *from = row->head && strncmp(row->head, "From: ", 6) == 0 ? row->head + 6 : NULL;
	struct nd_buf text;

	if (!from)
		return;
	nd_buf_init(&text, 16384);
	for (; *from != '\0'; from++) {
		if (from[0] != '\r')
			(void)nd_buf_addc(&text, *from);
		else if (from[1] == '\n' && from[2] == ' ')
			from++; /* a fold: its space stays */
		else
			break;
	}
	json_out_text(out, "from", nd_buf_text(&text));
	nd_buf_done(&text);
}

/* What the account's limits leave to this job now. Returns when it may go by them, behind the jobs that are ready before it. */
static nd_unix
put_limits(struct engine_account *account, const struct queue_job *row, struct nd_now now, struct json_out *out)
{
	const char **rcpts = nd_xalloc((row->rcpt_count + 1) * sizeof(*rcpts));
	const struct limit_mail mail = { .severe = sched_severe(row), .rcpts = rcpts, .rcpt_count = row->rcpt_count };
	nd_unix at = mail.severe ? now.unix_ms : engine_through(account, sched_ready(&account->sched) + 1, now);
	struct limit_left left[LIMIT_RULES];
	unsigned i, count;

	for (i = 0; i < row->rcpt_count; i++)
		rcpts[i] = row->rcpts[i].address;
	count = limit_left(account->limit, &account->rules, &mail, now.ms, left);
	json_out_array(out, "limits");
	for (i = 0; i < count; i++) {
		const nd_unix until = left[i].until != ND_NEVER ? now.unix_ms + (left[i].until - now.ms) : 0;

		json_out_object(out, NULL);
		json_out_text(out, "setting", limit_why_key(left[i].why));
		json_out_int(out, "limit", left[i].most);
		if (account->limit->known) /* what an earlier run sent may not be read yet */
			json_out_int(out, "left", left[i].left);
		json_out_text(out, "address", left[i].address);
		if (until > now.unix_ms)
			json_out_time(out, "until", until);
		json_out_object_end(out);
		at = until > at ? until : at;
	}
	json_out_array_end(out);
	free(rcpts);
	return at;
}

static void
put_account(struct app *app, const struct http_request *request, const struct queue_job *row, struct json_out *out)
{
	struct engine_account *account = row->account[0] ? engine_account_named(app->engine, row->account) : NULL;
	struct nd_now now = loop_now(app->loop);
	char relay[300];
	nd_unix at, allowed;
	bool barred;

	if (!account) {
		json_out_text(out, "reason", row->reason);
		json_out_text(out, "hint", row->hint);
		return;
	}
	json_out_text(out, "account", row->account);
	(void)snprintf(relay, sizeof(relay), "%s:%d", account->conf->host, (int)account->conf->port);
	json_out_text(out, "relay", relay);
	barred = shape_bar(app, out);
	if (!barred && account->health.state != HEALTH_OK)
		shape_health(app, request, account, out);
	allowed = put_limits(account, row, now, out);
	if (barred)
		return; /* until somebody acts */
	/* What paces an account are its limits: they may let this job pass. */
	at = account->health.state == HEALTH_PACED ? now.unix_ms : health_ready(&account->health, now);
	if (at == 0)
		return;
	at = allowed > at ? allowed : at;
	json_out_time(out, "eta", row->due > at ? row->due : at);
}

/* All but the message. The object stays open. */
static void
put_row(
    const struct submission *submission, const struct json_node *job, const struct queue_job *row, struct json_out *out)
{
	struct app *app = submission->app;

	json_out_object(out, NULL);
	json_out_text(out, "state", job_state_name((enum job_state)row->state));
	put_account(app, submission->request, row, out);
	put_from(row, out);
	json_out_text(out, "envelope_from", row->envelope_from);
	json_out_array(out, "recipients");
	for (unsigned i = 0; i < row->rcpt_count; i++)
		json_out_text(out, NULL, row->rcpts[i].address);
	json_out_array_end(out);
	json_out_time(out, "not_before", row->not_before);
	json_out_time(out, "expires", shape_end(app, row));
	put_defaults(job, row, out);
}

static void
put_message(const struct queue_job *row, struct json_out *out)
{
	struct nd_buf message;

	nd_buf_init(&message, REPLY_LIMIT);
	if (row->head)
		(void)nd_buf_adds(&message, row->head);
	(void)nd_buf_add(&message, row->body, (size_t)row->body_len);
	json_out_textn(out, "message", nd_buf_text(&message), message.len);
	nd_buf_done(&message);
	json_out_object_end(out);
	(void)nd_buf_addc(out->buf, '\n');
}

/* -- a large message, shown piece by piece ---------------------------------------------------------------------- */

struct showing {
	struct http_request *request;
	struct spool_file *file;
	struct nd_buf front; /* what stands before the octets of the file */
	const char *octets;
	size_t front_at, at, len;
};

static void
end_showing(void *context)
{
	struct showing *showing = context;

	spool_end(showing->file);
	nd_buf_done(&showing->front);
	free(showing);
}

/* A composed message has no octet over 127: it may be cut anywhere. */
static bool
show_piece(struct showing *showing)
{
	size_t len = showing->len - showing->at < PIECE ? showing->len - showing->at : PIECE;
	struct json_out out;
	struct nd_buf buf;
	bool written;

	nd_buf_init(&buf, HTTP_STREAM_ROOM);
	json_out_init(&out, &buf);
	json_out_textn(&out, NULL, showing->octets + showing->at, len);
	written = http_server_stream_write(showing->request, buf.octets + 1, buf.len - 2);
	nd_buf_done(&buf);
	if (written)
		showing->at += len;
	return written;
}

static bool
show_front(struct showing *showing)
{
	size_t left = showing->front.len - showing->front_at, len = left < PIECE ? left : PIECE;
	bool written = http_server_stream_write(showing->request, showing->front.octets + showing->front_at, len);

	if (written)
		showing->front_at += len;
	return written;
}

static void
show(void *context)
{
	struct showing *showing = context;

	while (showing->front_at < showing->front.len)
		if (!show_front(showing))
			return;
	while (showing->at < showing->len)
		if (!show_piece(showing))
			return;
	if (!http_server_stream_write(showing->request, "\"}\n", 3))
		return;
	spool_relax(showing->file);
	http_server_stream_end(showing->request);
	end_showing(showing);
}

void
intake_dry_large(struct intake_job *job, const struct json_node *value, struct spool_file *file)
{
	struct submission *submission = job->submission;
	struct showing *showing = nd_xalloc(sizeof(*showing));
	struct json_out out;

	showing->request = submission->request;
	showing->file = file;
	showing->len = (size_t)spool_len(file);
	showing->octets = spool_map(file, &job->why);
	nd_buf_init(&showing->front, REPLY_LIMIT);
	json_out_init(&out, &showing->front);
	put_row(submission, value, job->row, &out);
	json_out_text(&out, "message", job->row->head ? job->row->head : "");
	showing->front.len--; /* the quote: the message goes on */
	submission->request = NULL;
	http_request_own(showing->request, showing, end_showing);
	if (showing->octets &&
	    http_server_stream_begin(showing->request, 200, "application/json", show, &job->why) == ND_OK) {
		show(showing);
		return;
	}
	http_request_own(showing->request, NULL, NULL);
	http_server_problem(showing->request, &job->why);
	end_showing(showing);
}

void
intake_dry(struct intake_job *job, const struct json_node *value)
{
	struct submission *submission = job->submission;
	struct json_out out;
	struct nd_buf buf;

	if (!submission->request)
		return;
	nd_buf_init(&buf, REPLY_LIMIT);
	json_out_init(&out, &buf);
	put_row(submission, value, job->row, &out);
	put_message(job->row, &out);
	http_request_own(submission->request, NULL, NULL);
	if (buf.failed) {
		(void)nd_fail(&job->why, ND_ETOOBIG, 0, "the message is too large to be shown");
		http_server_problem(submission->request, &job->why);
	} else {
		http_server_reply(submission->request, 200, "application/json", nd_buf_text(&buf), buf.len, NULL);
	}
	submission->request = NULL;
	nd_buf_done(&buf);
}
