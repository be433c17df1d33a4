/* SPDX-License-Identifier: Apache-2.0 */
/* intake_message.c - POST /v1/messages: a message that somebody else composed, with its envelope in the query or in its first line. */
#include "daemon/intake_inner.h"

#include <string.h>

#define ENVELOPE_MAX (1024u * 1024)

static const struct json_limits envelope_limits = { .octets = ENVELOPE_MAX, .depth = 16, .nodes = 10000 };

/* The envelope is the first line. Moves to the message behind it. */
static enum nd_err
read_line(const char **octets, size_t *len, struct json_tree *envelope, struct nd_why *why)
{
	const char *line = *octets, *stop = memchr(line, '\n', *len);
	enum nd_err err;

	if (!stop)
		return nd_fail(why, ND_ESYNTAX, 0, "the body is one line of JSON, a line feed, then the message");
	err = json_read(envelope, line, (size_t)(stop - line), &envelope_limits, NULL, why);
	if (err != ND_OK)
		return err;
	*len -= (size_t)(stop + 1 - line);
	*octets = stop + 1;
	return ND_OK;
}

/* Both together as the job that intake takes. */
static enum nd_err
read_job(const struct json_tree *envelope, struct intake_reading *reading, struct nd_why *why)
{
	struct nd_buf json;
	enum nd_err err;

	nd_buf_init(&json, JOB_MAX_OCTETS);
	err = ready_job(&reading->ready, envelope->root, &json, why);
	if (err == ND_OK)
		err = json_read(&reading->tree, nd_buf_text(&json), json.len, &json_limits_job, NULL, why);
	nd_buf_done(&json);
	return err;
}

enum nd_err
intake_message_read(
    const struct intake_plan *plan, const char *octets, size_t len, struct intake_reading *reading, struct nd_why *why)
{
	struct json_tree envelope = { NULL, NULL };
	enum nd_err err;

	if (plan->shape == INTAKE_MESSAGE)
		err = json_read(&envelope, nd_buf_text(&plan->query), plan->query.len, &envelope_limits, NULL, why);
	else
		err = read_line(&octets, &len, &envelope, why);
	if (err == ND_OK)
		err = ready_read(&reading->ready, octets, len, why);
	if (err == ND_OK)
		err = read_job(&envelope, reading, why);
	json_done(&envelope);
	return err;
}
