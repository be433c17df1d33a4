/* SPDX-License-Identifier: Apache-2.0 */
/* api_openapi.c - the API as OpenAPI 3.1, from the tables that the daemon itself obeys.  Layer: common, words.  Pure. */
#include "common/api.h"

#include "common/form.h"
#include "common/job.h"
#include "common/json.h"

#include <string.h>

/* What a request may bring, by route; the types that are taken. */
static const struct {
	enum api_route route;
	const char *type, *schema; /* schema NULL: any text */
	bool optional;
} bodies[] = {
	{ API_SUBMIT, "application/json", "Submission", false },
	{ API_SUBMIT, "application/x-ndjson", NULL, false },
	{ API_SUBMIT, "application/x-www-form-urlencoded", NULL, false },
	{ API_SUBMIT, "text/plain", NULL, false },
	{ API_MESSAGES, "message/rfc822", NULL, false },
	{ API_EXPLAIN, "application/json", NULL, false },
	{ API_MESSAGES, "application/x-notifyd-message", NULL, false },
	{ API_ACCOUNT_SECRET, "application/json", NULL, false },
	{ API_ACCOUNT_LOGIN, "application/json", NULL, true },
	{ API_LOGIN, "application/json", NULL, true },
	{ API_TEST, "text/plain", NULL, false },
};

#define FILTERS "state account source severity key since id"

/* Parameters of the query, by route. `fields`: those of a job too, for a body that is its text alone; labels and headers have names of their own there. */
static const struct {
	enum api_route route;
	const char *names;
	const char *const *fields; /* NULL none */
} queries[] = {
	{ API_SUBMIT, "wait dry_run", form_job_fields },
	{ API_MESSAGES, "wait from to t severity status source key account idempotency_key sensitive require_tls",
	    NULL },
	{ API_LIST, FILTERS " limit cursor", NULL },
	{ API_SHOW, "wait", NULL },
	{ API_RETRY_ALL, FILTERS, NULL },
	{ API_HOLD_ALL, FILTERS, NULL },
	{ API_RELEASE_ALL, FILTERS, NULL },
	{ API_CANCEL_ALL, FILTERS, NULL },
	{ API_HEALTH, "live ready", NULL },
	{ API_EVENTS, "since job type", NULL },
	{ API_LOGIN, "wait", NULL },
	{ API_ACCOUNT_TEST, "send to", NULL },
	{ API_TEST, "account send to", NULL },
	{ API_STATE_NEW, "dry_run", NULL },
};

static void
put_reference(struct json_out *out, const char *schema)
{
	struct nd_buf path;

	nd_buf_init(&path, 200);
	(void)nd_buf_addf(&path, "#/components/schemas/%s", schema);
	json_out_object(out, "schema");
	json_out_text(out, "$ref", nd_buf_text(&path));
	json_out_object_end(out);
	nd_buf_done(&path);
}

static void
put_parameter(const char *name, size_t len, bool in_path, struct json_out *out)
{
	json_out_object(out, NULL);
	json_out_textn(out, "name", name, len);
	json_out_text(out, "in", in_path ? "path" : "query");
	json_out_bool(out, "required", in_path);
	json_out_object(out, "schema");
	json_out_text(out, "type", "string");
	json_out_object_end(out);
	json_out_object_end(out);
}

static void
put_query(unsigned query, struct json_out *out)
{
	const char *name = queries[query].names;

	for (size_t len; (len = strcspn(name, " ")) > 0; name += len + (name[len] == ' '))
		put_parameter(name, len, false, out);
	for (const char *const *field = queries[query].fields; field != NULL && *field != NULL; field++)
		if (strcmp(*field, "labels") != 0 && strcmp(*field, "headers") != 0)
			put_parameter(*field, strlen(*field), false, out);
}

/* Each {name} in the path, and what may stand in the query. */
static void
put_parameters(unsigned route, struct json_out *out)
{
	const char *close, *open = api_routes[route].path;

	json_out_array(out, "parameters");
	while ((open = strchr(open, '{')) != NULL && (close = strchr(open, '}')) != NULL) {
		put_parameter(open + 1, (size_t)(close - open - 1), true, out);
		open = close;
	}
	for (unsigned i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		if (queries[i].route == route)
			put_query(i, out);
	json_out_array_end(out);
}

static void
put_body(unsigned route, struct json_out *out)
{
	bool open = false;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		if (bodies[i].route != route)
			continue;
		if (!open) {
			json_out_object(out, "requestBody");
			json_out_bool(out, "required", !bodies[i].optional);
			json_out_object(out, "content");
		}
		open = true;
		json_out_object(out, bodies[i].type);
		if (bodies[i].schema != NULL)
			put_reference(out, bodies[i].schema);
		json_out_object_end(out);
	}
	if (open) {
		json_out_object_end(out);
		json_out_object_end(out);
	}
}

static void
put_responses(struct json_out *out)
{
	json_out_object(out, "responses");
	json_out_object(out, "2XX");
	json_out_text(out, "description", "As notifyd-api(7) tells.");
	json_out_object_end(out);
	json_out_object(out, "default");
	json_out_text(out, "description", "A problem (RFC 9457).");
	json_out_object(out, "content");
	json_out_object(out, "application/problem+json");
	put_reference(out, "Problem");
	json_out_object_end(out);
	json_out_object_end(out);
	json_out_object_end(out);
	json_out_object_end(out);
}

static void
put_route(unsigned route, struct json_out *out)
{
	const struct api_route_row *row = &api_routes[route];
	char method[16];
	size_t i;

	for (i = 0; row->method[i] != '\0' && i < sizeof(method) - 1; i++)
		method[i] = (char)(row->method[i] | 0x20);
	method[i] = '\0';
	json_out_object(out, method);
	json_out_text(out, "summary", row->words);
	json_out_text(out, "x-right", row->right == API_OPERATOR ? "operator" : "any");
	put_parameters(route, out);
	put_body(route, out);
	put_responses(out);
	json_out_object_end(out);
}

static bool
is_first(unsigned route)
{
	for (unsigned i = 0; i < route; i++)
		if (strcmp(api_routes[i].path, api_routes[route].path) == 0)
			return false;
	return true;
}

static void
put_paths(struct json_out *out)
{
	json_out_object(out, "paths");
	for (unsigned i = 0; i < API_ROUTE_COUNT; i++) {
		if (!is_first(i))
			continue;
		json_out_object(out, api_routes[i].path);
		for (unsigned j = i; j < API_ROUTE_COUNT; j++)
			if (strcmp(api_routes[j].path, api_routes[i].path) == 0)
				put_route(j, out);
		json_out_object_end(out);
	}
	json_out_object_end(out);
}

static void
put_submission(struct json_out *out)
{
	json_out_object(out, "Submission");
	json_out_text(out, "type", "object");
	json_out_bool(out, "additionalProperties", false);
	json_out_object(out, "properties");
	for (const char *const *name = job_field_names(); *name != NULL; name++) {
		json_out_object(out, *name);
		json_out_text(out, "description", job_field_words(*name));
		json_out_object_end(out);
	}
	json_out_object_end(out);
	json_out_object_end(out);
}

static void
put_problem(struct json_out *out)
{
	json_out_object(out, "Problem");
	json_out_text(out, "type", "object");
	json_out_object(out, "properties");
	json_out_object(out, "code");
	json_out_text(out, "type", "string");
	json_out_array(out, "enum");
	for (unsigned i = 1; i < ND_ERR_COUNT; i++)
		json_out_text(out, NULL, nd_err_name((enum nd_err)i));
	json_out_array_end(out);
	json_out_object_end(out);
	json_out_object_end(out);
	json_out_object_end(out);
}

void
api_openapi(const char *version, struct nd_buf *out)
{
	struct json_out json;

	json_out_init(&json, out);
	json_out_object(&json, NULL);
	json_out_text(&json, "openapi", "3.1.0");
	json_out_object(&json, "info");
	json_out_text(&json, "title", "notifyd");
	json_out_text(&json, "version", version);
	json_out_object_end(&json);
	put_paths(&json);
	json_out_object(&json, "components");
	json_out_object(&json, "schemas");
	put_submission(&json);
	put_problem(&json);
	json_out_object_end(&json);
	json_out_object_end(&json);
	json_out_object_end(&json);
}
