/* SPDX-License-Identifier: Apache-2.0 */
/* intake_stream.c - several JSON values one after another (NDJSON): each is a job, answered in order as its commit happens.
 *
 * At most WINDOW jobs are taken and not yet answered; further ones are read when the first of them are, and when the
 * client has taken enough of the answers. So a body of any number of jobs costs no more memory than itself and a window.
 */
#include "daemon/intake_inner.h"

#include "common/job.h"
#include "common/json.h"
#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW 500u
#define ANSWER_LIMIT 8192u

struct slot {
	struct intake_job job; /* first: they are told apart by nothing else */
	unsigned line;
	bool open;
};

struct stream {
	struct submission submission; /* first */
	struct access_peer peer;
	const char *body; /* borrowed from the request */
	size_t len, at;
	unsigned line;             /* at `at` */
	unsigned taken, answered;  /* jobs */
	struct slot *slot[WINDOW]; /* owned; job n is in n % WINDOW */
	bool over;                 /* nothing more is taken */
	bool running;
};

static void run(void *arg);

static void
run_soon(struct stream *stream)
{
	if (stream->running)
		return;
	if (stream->submission.app->down) /* no turn of the loop will end any more */
		run(stream);
	else
		loop_soon(stream->submission.app->loop, run, stream);
}

static void
job_closed(struct intake_job *job)
{
	struct slot *slot = (struct slot *)job;

	slot->open = false;
	run_soon((struct stream *)job->submission);
}

/* What was taken goes on; the rest went with the request. */
static void
client_left(void *context)
{
	struct stream *stream = context;

	stream->submission.request = NULL;
	stream->body = NULL;
	stream->over = true;
	run_soon(stream);
}

/* -- answers --------------------------------------------------------------------------------------------------- */

/* False: the client must take some of the earlier ones first. */
static bool
answer_one(struct stream *stream, struct slot *slot)
{
	struct nd_buf line;
	struct json_out out;
	bool written;

	nd_buf_init(&line, ANSWER_LIMIT);
	if (slot->job.why.err != ND_OK) {
		slot->job.why.line = slot->line; /* where the job begins: what it lacks may be noticed lines later */
		api_problem(&slot->job.why, (int)stream->answered, &line);
	} else {
		json_out_init(&out, &line);
		intake_answer(&slot->job, &out);
	}
	(void)nd_buf_addc(&line, '\n');
	written = http_server_stream_write(stream->submission.request, nd_buf_text(&line), line.len);
	nd_buf_done(&line);
	return written;
}

/* Answers what is ready, in order. False: the client has no room for more. */
static bool
answer(struct stream *stream)
{
	struct slot **place, *slot;

	while (stream->answered < stream->taken) {
		place = &stream->slot[stream->answered % WINDOW];
		slot = *place;
		if (slot->open)
			return true;
		if (stream->submission.request && !answer_one(stream, slot))
			return false;
		free(slot->job.key);
		free(slot);
		*place = NULL;
		stream->answered++;
	}
	return true;
}

/* -- jobs ------------------------------------------------------------------------------------------------------ */

static void
move_on(struct stream *stream, size_t len)
{
	for (const char *c = stream->body + stream->at; len > 0; c++, len--, stream->at++)
		stream->line += *c == '\n';
}

static struct slot *
open_slot(struct stream *stream)
{
	struct slot *slot = nd_xalloc(sizeof(*slot));

	slot->job.submission = &stream->submission;
	slot->line = stream->line;
	slot->open = true;
	stream->slot[stream->taken++ % WINDOW] = slot;
	stream->submission.app->intake++;
	return slot;
}

static void
take_next(struct stream *stream)
{
	struct app *app = stream->submission.app;
	struct json_tree tree = { 0 };
	struct slot *slot;
	size_t used = 0;

	move_on(stream, strspn(stream->body + stream->at, " \t\r\n"));
	if (stream->at >= stream->len) {
		stream->over = true;
		return;
	}
	slot = open_slot(stream);
	if (intake_open(app, &slot->job.why) != ND_OK ||
	    json_read(&tree, stream->body + stream->at, stream->len - stream->at, &json_limits_job, &used,
		&slot->job.why) != ND_OK) {
		/* Where the next one begins is not known, or it would fare no better. */
		stream->over = true;
		intake_close(&slot->job);
		return;
	}
	move_on(stream, used);
	if (tree.root->type == JSON_OBJECT) {
		intake_one(&slot->job, tree.root, &stream->peer);
	} else {
		(void)nd_fail(&slot->job.why, ND_ESYNTAX, 0,
		    "among several values each is a job, an object; this is %s", json_type_name(tree.root->type));
		intake_close(&slot->job);
	}
	json_done(&tree);
}

/* Takes and answers as far as it goes now. */
static void
run(void *arg)
{
	struct stream *stream = arg;

	stream->running = true;
	while (answer(stream) && !stream->over && stream->taken - stream->answered < WINDOW)
		take_next(stream);
	stream->running = false;
	if (!stream->over || stream->answered < stream->taken)
		return;
	if (stream->submission.request)
		http_server_stream_end(stream->submission.request);
	if (!stream->submission.app->down)
		loop_forget(stream->submission.app->loop, stream);
	free(stream);
}

static enum nd_err
check(bool wait, bool dry, struct nd_why *why)
{
	if (!wait && !dry)
		return ND_OK;
	(void)nd_fail(
	    why, ND_EINVALID, 0, "%s does not go with several values one after another", wait ? "wait" : "dry_run");
	return nd_fail_at(why, wait ? "wait" : "dry_run", 0, NULL);
}

void
intake_stream(struct app *app, struct http_request *request, bool wait, bool dry)
{
	struct stream *stream;
	struct nd_why why;

	if (check(wait, dry, &why) != ND_OK ||
	    http_server_stream_begin(request, 202, "application/x-ndjson", run, &why) != ND_OK) {
		http_server_problem(request, &why);
		return;
	}
	stream = nd_xalloc(sizeof(*stream));
	stream->submission = (struct submission){ .app = app, .request = request, .array = true, .closed = job_closed };
	stream->peer = *http_request_peer(request);
	stream->body = http_request_body(request, &stream->len);
	stream->line = 1;
	http_request_own(request, stream, client_left);
	run(stream);
}
