/* SPDX-License-Identifier: Apache-2.0 */
/* intake_read.c - the body of a submission as JSON: JSON itself, a form, or a text with the rest in the query. */
#include "daemon/intake_inner.h"

#include <string.h>

#define QUERY_MAX (1024u * 1024) /* of the fields in a query, as JSON */

static bool
listed(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static bool
has_type(const struct http_request *request, const char *type)
{
	const char *given = http_request_header(request, "Content-Type");

	return given && nd_str_starts_nocase(given, type) && strchr("; \t", given[strlen(type)]) != NULL;
}

static bool
has_fields(const struct http_request *request, const char *const *ours)
{
	const char *name, *value;

	for (unsigned i = 0; http_request_param(request, i, &name, &value); i++)
		if (!listed(name, ours))
			return true;
	return false;
}

static enum nd_err
refuse_double(const char *name, struct nd_why *why)
{
	(void)nd_fail(why, ND_ESYNTAX, 0, "the query parameter \"%.60s\" is given twice", name);
	return nd_fail_at(why, name, 0, NULL);
}

static enum nd_err
read_query(const struct http_request *request, const char *const *ours, struct form *form, struct nd_why *why)
{
	const char *name, *value;
	enum nd_err err = ND_OK;

	for (unsigned i = 0; err == ND_OK && http_request_param(request, i, &name, &value); i++) {
		if (!listed(name, ours))
			err = form_add(form, name, value, strlen(value), why);
		else if (http_request_query(request, name) != value)
			err = refuse_double(name, why);
	}
	return err;
}

/* The fields in the query, as JSON. */
static enum nd_err
plan_query(const struct http_request *request, const char *const *ours, const char *const *fields,
    struct intake_plan *plan, struct nd_why *why)
{
	struct form form;
	enum nd_err err;

	form_init(&form);
	err = read_query(request, ours, &form, why);
	if (err == ND_OK)
		err = form_object(&form, fields, &plan->query, why);
	form_done(&form);
	return err;
}

/* curl calls everything a form, so what begins like JSON is JSON. But a text whose fields stand in the query is a text: lines of a log
 * often begin with "[". */
enum nd_err
intake_plan(const struct http_request *request, const char *const *ours, struct intake_plan *plan, struct nd_why *why)
{
	const char *body;
	enum nd_err err;
	size_t len;
	bool json;

	body = http_request_body(request, &len);
	json = len > 0 && (body[0] == '{' || body[0] == '[');
	nd_buf_init(&plan->query, QUERY_MAX);
	plan->shape = INTAKE_TEXT;
	if (has_type(request, "text/plain") && (!json || has_fields(request, ours)))
		return plan_query(request, ours, form_job_fields, plan, why);
	err = http_request_only(request, ours, why);
	if (err != ND_OK)
		return err;
	plan->shape = INTAKE_JSON;
	if (!json && len > 0 && has_type(request, "application/x-www-form-urlencoded"))
		plan->shape = INTAKE_FORM;
	else if (has_type(request, "application/x-ndjson"))
		plan->shape = INTAKE_STREAM;
	return ND_OK;
}

enum nd_err
intake_message_plan(const struct http_request *request, struct intake_plan *plan, struct nd_why *why)
{
	static const char *const ours[] = { "wait", NULL };

	nd_buf_init(&plan->query, QUERY_MAX);
	plan->shape = INTAKE_MESSAGE;
	if (has_type(request, "message/rfc822"))
		return plan_query(request, ours, ready_fields, plan, why);
	plan->shape = INTAKE_ENVELOPE;
	if (has_type(request, "application/x-notifyd-message"))
		return http_request_only(request, ours, why);
	(void)nd_fail(why, ND_EMEDIATYPE, 0, "a ready message needs its Content-Type");
	return nd_fail_at(why, "Content-Type", 0, "send message/rfc822, or application/x-notifyd-message");
}

void
intake_plan_done(struct intake_plan *plan)
{
	nd_buf_done(&plan->query);
}

static enum nd_err
read_form(const char *octets, size_t len, struct intake_reading *reading, struct nd_why *why)
{
	enum nd_err err;

	form_init(&reading->form);
	err = form_split(&reading->form, octets, len, why);
	return err == ND_OK ? form_tree(&reading->form, form_job_fields, &reading->tree, why) : err;
}

static enum nd_err
read_text(
    const struct intake_plan *plan, const char *octets, size_t len, struct intake_reading *reading, struct nd_why *why)
{
	enum nd_err err =
	    json_read(&reading->tree, nd_buf_text(&plan->query), plan->query.len, &json_limits_job, NULL, why);

	return err == ND_OK && len > 0 ? json_add_text(&reading->tree, "text", octets, len, why) : err;
}

static bool
begins_value(const char *octets, size_t len, size_t at)
{
	return at < len && (octets[at] == '{' || octets[at] == '[');
}

/* One value, or the first one of several: then the tree stays empty. */
static enum nd_err
read_json(const char *body, size_t len, struct intake_reading *reading, struct nd_why *why)
{
	size_t used;
	enum nd_err err = json_read(&reading->tree, body, len, &json_limits_job, &used, why);

	if (err != ND_OK || used == len)
		return err;
	json_done(&reading->tree);
	reading->several = begins_value(body, len, used);
	return reading->several ? ND_OK : json_read(&reading->tree, body, len, &json_limits_job, NULL, why);
}

/* The same where it lies: a first value that was read would be lost for the stream. */
static enum nd_err
read_json_here(char *octets, size_t len, struct intake_reading *reading, struct nd_why *why)
{
	size_t span = json_span(octets, len);

	if (span > 0 && span < len)
		reading->several = begins_value(octets, len, span + strspn(octets + span, " \t\r\n"));
	if (reading->several)
		return ND_OK;
	return json_read_here(&reading->tree, octets, len, &json_limits_job, NULL, NULL, why);
}

enum nd_err
intake_read(const struct intake_plan *plan, char *octets, size_t len, bool here, struct intake_reading *reading,
    struct nd_why *why)
{
	switch (plan->shape) {
	case INTAKE_STREAM:
		reading->several = true;
		return ND_OK;
	case INTAKE_FORM:
		return read_form(octets, len, reading, why);
	case INTAKE_TEXT:
		return read_text(plan, octets, len, reading, why);
	case INTAKE_MESSAGE:
	case INTAKE_ENVELOPE:
		return intake_message_read(plan, octets, len, reading, why);
	case INTAKE_JSON:
		break;
	}
	return here ? read_json_here(octets, len, reading, why) : read_json(octets, len, reading, why);
}

void
intake_read_done(struct intake_reading *reading)
{
	json_done(&reading->tree);
	form_done(&reading->form);
	ready_done(&reading->ready);
}
