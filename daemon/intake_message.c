/* SPDX-License-Identifier: Apache-2.0 */
/* intake_message.c - POST /v1/messages: a message that somebody else composed, with its envelope in the query or in its first line. */
#include "daemon/app.h"

#include "common/form.h"
#include "common/job.h"
#include "common/json.h"
#include "daemon/core/ready.h"

#include <string.h>

#define ENVELOPE_MAX (1024u * 1024)

static const struct json_limits envelope_limits = { .octets = ENVELOPE_MAX, .depth = 16, .nodes = 10000 };
static const char *const ours[] = { "wait", NULL };

/* message/rfc822: the envelope is the query. */
static enum nd_err
read_query(const struct http_request *request, struct json_tree *envelope, struct nd_why *why)
{
	struct nd_buf json;
	struct form form;
	enum nd_err err;

	form_init(&form);
	nd_buf_init(&json, ENVELOPE_MAX);
	err = intake_read_query(request, ours, &form, why);
	if (err == ND_OK)
		err = form_object(&form, ready_fields, &json, why);
	if (err == ND_OK)
		err = json_read(envelope, nd_buf_text(&json), json.len, &envelope_limits, NULL, why);
	nd_buf_done(&json);
	form_done(&form);
	return err;
}

/* application/x-notifyd-message: the envelope is the first line. Moves to the message behind it. */
static enum nd_err
read_line(const struct http_request *request, struct json_tree *envelope, const char **octets, size_t *len,
    struct nd_why *why)
{
	const char *line = *octets, *stop = memchr(line, '\n', *len);
	enum nd_err err = http_request_only(request, ours, why);

	if (err != ND_OK)
		return err;
	if (!stop)
		return nd_fail(why, ND_ESYNTAX, 0, "the body is one line of JSON, a line feed, then the message");
	err = json_read(envelope, line, (size_t)(stop - line), &envelope_limits, NULL, why);
	if (err != ND_OK)
		return err;
	*len -= (size_t)(stop + 1 - line);
	*octets = stop + 1;
	return ND_OK;
}

static enum nd_err
read_parts(const struct http_request *request, struct json_tree *envelope, struct ready *ready, struct nd_why *why)
{
	const char *octets;
	enum nd_err err;
	size_t len;

	octets = http_request_body(request, &len);
	if (intake_read_type(request, "message/rfc822")) {
		err = read_query(request, envelope, why);
	} else if (intake_read_type(request, "application/x-notifyd-message")) {
		err = read_line(request, envelope, &octets, &len, why);
	} else {
		err = nd_fail(why, ND_EMEDIATYPE, 0, "a ready message needs its Content-Type");
		(void)nd_fail_at(why, "Content-Type", 0, "send message/rfc822, or application/x-notifyd-message");
	}
	return err == ND_OK ? ready_read(ready, octets, len, why) : err;
}

/* Both together as the job that intake takes. */
static enum nd_err
read_job(const struct json_tree *envelope, const struct ready *ready, struct json_tree *job, struct nd_why *why)
{
	struct nd_buf json;
	enum nd_err err;

	nd_buf_init(&json, JOB_MAX_OCTETS);
	err = ready_job(ready, envelope->root, &json, why);
	if (err == ND_OK)
		err = json_read(job, nd_buf_text(&json), json.len, &json_limits_job, NULL, why);
	nd_buf_done(&json);
	return err;
}

void
intake_message(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct json_tree envelope = { 0 }, job = { 0 };
	struct ready ready = { 0 };
	struct intake_ask ask = { .ready = &ready };
	struct nd_why why;

	if (intake_open(app, &why) != ND_OK || !handlers_wait(request, &ask.wait, &why) ||
	    read_parts(request, &envelope, &ready, &why) != ND_OK || read_job(&envelope, &ready, &job, &why) != ND_OK) {
		http_server_problem(request, &why);
	} else {
		ask.root = job.root;
		intake_take(app, request, &ask);
	}
	json_done(&job);
	json_done(&envelope);
	ready_done(&ready);
}
