/* SPDX-License-Identifier: Apache-2.0 */
/* intake_read.c - the body of a submission as JSON: JSON itself, a form, or a text with the rest in the query. */
#include "daemon/app.h"

#include "common/form.h"
#include "common/job.h"
#include "common/json.h"

#include <string.h>

/* Escapes and U+FFFD make JSON longer than the octets it came from. */
#define FORM_OCTETS (2 * (size_t)JOB_MAX_OCTETS)

static const struct json_limits form_limits = { .octets = FORM_OCTETS, .depth = 16, .nodes = 10000 };

static bool
listed(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

bool
intake_read_type(const struct http_request *request, const char *type)
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

enum nd_err
intake_read_query(const struct http_request *request, const char *const *ours, struct form *form, struct nd_why *why)
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

static enum nd_err
read_object(const struct form *form, struct json_tree *tree, struct nd_why *why)
{
	struct nd_buf json;
	enum nd_err err;

	nd_buf_init(&json, FORM_OCTETS);
	err = form_object(form, form_job_fields, &json, why);
	if (err == ND_OK)
		err = json_read(tree, nd_buf_text(&json), json.len, &form_limits, NULL, why);
	nd_buf_done(&json);
	return err;
}

static enum nd_err
read_form(const struct http_request *request, struct json_tree *tree, struct nd_why *why)
{
	struct form form;
	const char *body;
	enum nd_err err;
	size_t len;

	body = http_request_body(request, &len);
	form_init(&form);
	err = form_split(&form, body, len, why);
	if (err == ND_OK)
		err = read_object(&form, tree, why);
	form_done(&form);
	return err;
}

static enum nd_err
read_text(const struct http_request *request, const char *const *ours, struct json_tree *tree, struct nd_why *why)
{
	struct form form;
	const char *body;
	enum nd_err err;
	size_t len;

	body = http_request_body(request, &len);
	form_init(&form);
	err = intake_read_query(request, ours, &form, why);
	if (err == ND_OK)
		err = form_add(&form, "text", body, len, why);
	if (err == ND_OK)
		err = read_object(&form, tree, why);
	form_done(&form);
	return err;
}

/* One value, or the first one of several: then the tree stays empty. */
static enum nd_err
read_json(const char *body, size_t len, struct json_tree *tree, bool *several, struct nd_why *why)
{
	size_t used;
	enum nd_err err = json_read(tree, body, len, &json_limits_job, &used, why);

	if (err != ND_OK || used == len)
		return err;
	json_done(tree);
	*several = body[used] == '{' || body[used] == '[';
	return *several ? ND_OK : json_read(tree, body, len, &json_limits_job, NULL, why);
}

/* curl calls everything a form, so what begins like JSON is JSON. But a text whose fields stand in the query is a text: lines of a log
 * often begin with "[". */
enum nd_err
intake_read(const struct http_request *request, const char *const *ours, struct json_tree *tree, bool *several,
    struct nd_why *why)
{
	const char *body;
	enum nd_err err;
	size_t len;
	bool json;

	body = http_request_body(request, &len);
	json = len > 0 && (body[0] == '{' || body[0] == '[');
	if (intake_read_type(request, "text/plain") && (!json || has_fields(request, ours)))
		return read_text(request, ours, tree, why);
	err = http_request_only(request, ours, why);
	if (err != ND_OK)
		return err;
	if (!json && len > 0 && intake_read_type(request, "application/x-www-form-urlencoded"))
		return read_form(request, tree, why);
	if (intake_read_type(request, "application/x-ndjson")) {
		*several = true;
		return ND_OK;
	}
	return read_json(body, len, tree, several, why);
}
