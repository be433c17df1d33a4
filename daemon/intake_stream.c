/* SPDX-License-Identifier: Apache-2.0 */
/* intake_stream.c - several JSON values one after another (NDJSON): each is a job, answered in order as its commit happens.
 *
 * At most WINDOW jobs are taken and not yet answered; further ones are read when the first of them are, and when the
 * client has taken enough of the answers. So a body of any number of jobs costs no more memory than itself and a window.
 */
#include "daemon/intake_inner.h"

#include "common/json_here.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 500u
#define ANSWER_LIMIT 8192u

struct slot {
	struct intake_job job; /* first: they are told apart by nothing else */
	unsigned line;
	bool open;
	bool broken; /* it cannot be told where it ends */
};

struct stream {
	struct submission submission; /* first; its body is the stream's */
	size_t len, at;               /* in submission.body */
	unsigned line;                /* at `at` */
	unsigned taken, answered;     /* jobs */
	struct slot *slot[WINDOW];    /* owned; job n is in n % WINDOW */
	bool over;                    /* nothing more is taken */
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
	atomic_store(&stream->submission.left, true);
	stream->over = true;
	run_soon(stream);
}

/* -- answers --------------------------------------------------------------------------------------------------- */

/* Does anything stand in the lines below the one that it broke off in? */
static bool
is_followed(const struct stream *stream)
{
	const char *octets = stream->submission.body.octets;
	const char *end = octets ? strchr(octets + stream->at, '\n') : NULL;

	return end && end[strspn(end, " \t\r\n")] != '\0';
}

static void
tell_rest(struct nd_why *why)
{
	(void)snprintf(why->hint, sizeof(why->hint),
	    "what follows it was not looked at: mend it, then send it and all that follows again");
}

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
		if (slot->broken && is_followed(stream))
			tell_rest(&slot->job.why);
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
	stream->line += json_here_line(stream->submission.body.octets + stream->at, len) - 1;
	stream->at += len;
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

/* Where the next one begins is not known. */
static void
break_off(struct stream *stream, struct slot *slot)
{
	stream->over = true;
	slot->broken = true;
}

/* The composer has read it, and the octets are JSON no longer. */
static void
value_read(struct intake_job *job, size_t used, unsigned lines)
{
	struct stream *stream = (struct stream *)job->submission;

	stream->at += used;
	stream->line += lines;
	if (used == 0)
		break_off(stream, (struct slot *)job);
}

static void
take_value(struct stream *stream, struct slot *slot)
{
	struct json_tree tree = { 0 };
	size_t used = 0;

	if (json_read(&tree, stream->submission.body.octets + stream->at, stream->len - stream->at, &json_limits_job,
		&used, &slot->job.why) != ND_OK) {
		break_off(stream, slot);
		intake_close(&slot->job);
		return;
	}
	move_on(stream, used);
	if (tree.root->type == JSON_OBJECT) {
		intake_one(&slot->job, tree.root);
	} else {
		(void)nd_fail(&slot->job.why, ND_ESYNTAX, 0,
		    "among several values each is a job, an object; this is %s", json_type_name(tree.root->type));
		intake_close(&slot->job);
	}
	json_done(&tree);
}

static void
take_next(struct stream *stream)
{
	char *body = stream->submission.body.octets;
	size_t left;
	struct slot *slot;

	if (body)
		move_on(stream, strspn(body + stream->at, " \t\r\n"));
	left = stream->len - stream->at;
	if (left == 0) {
		stream->over = true;
		return;
	}
	slot = open_slot(stream);
	if (intake_open(stream->submission.app, &slot->job.why) != ND_OK) {
		stream->over = true; /* the next one would fare no better */
		intake_close(&slot->job);
		return;
	}
	if (left > INTAKE_LARGE && json_span(body + stream->at, INTAKE_LARGE) > INTAKE_LARGE)
		intake_large_value(&slot->job, body + stream->at, left, value_read);
	else
		take_value(stream, slot);
}

static bool
may_take(const struct stream *stream)
{
	return !stream->over && !stream->submission.busy && stream->taken - stream->answered < WINDOW &&
	       stream->submission.flying < INTAKE_FLYING;
}

/* Takes and answers as far as it goes in this turn. */
static void
run(void *arg)
{
	struct stream *stream = arg;
	struct app *app = stream->submission.app;
	size_t turn = stream->at;
	bool room;

	stream->running = true;
	while ((room = answer(stream)) && may_take(stream) && stream->at - turn < INTAKE_TURN)
		take_next(stream);
	stream->running = false;
	if (room && may_take(stream)) {
		run_soon(stream);
		return;
	}
	if (!stream->over || stream->answered < stream->taken)
		return;
	if (stream->submission.request)
		http_server_stream_end(stream->submission.request);
	intake_end(&stream->submission);
	if (!app->down)
		loop_forget(app->loop, stream);
	free(stream);
}

static enum nd_err
check(const struct submission *submission, struct nd_why *why)
{
	const char *which = submission->wait > 0 ? "wait" : "dry_run";

	if (submission->wait == 0 && !submission->dry)
		return intake_key_alone(submission, why);
	(void)nd_fail(why, ND_EINVALID, 0, "%s does not go with several values one after another", which);
	return nd_fail_at(why, which, 0, NULL);
}

enum nd_err
intake_stream(struct submission *submission, struct nd_why *why)
{
	struct http_request *request = submission->request;
	struct stream *stream;
	enum nd_err err = check(submission, why);

	if (err == ND_OK)
		err = http_server_stream_begin(request, 202, "application/x-ndjson", run, why);
	if (err != ND_OK)
		return err;
	stream = nd_xalloc(sizeof(*stream));
	if (!submission->body.octets)
		http_request_take_body(request, &submission->body);
	loop_forget(submission->app->loop, submission);
	stream->submission = *submission;
	free(submission);
	stream->submission.array = true;
	stream->submission.closed = job_closed;
	stream->len = stream->submission.body.len;
	stream->line = 1;
	http_request_own(request, stream, client_left);
	run(stream);
	return ND_OK;
}
