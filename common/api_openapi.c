/* SPDX-License-Identifier: Apache-2.0 */
/* api_openapi.c - the API as OpenAPI 3.1, from the tables that the daemon itself obeys.  Layer: common, words.  Pure. */
#include "common/api.h"

#include "common/job.h"
#include "common/json.h"

#include <string.h>

/* What a request may bring, by route; the types that are taken. */
static const struct {
	enum api_route route;
	const char *type, *schema; /* schema NULL: any text */
} bodies[] = {
	{ API_SUBMIT, "application/json", "Submission" },
	{ API_SUBMIT, "application/x-ndjson", NULL },
	{ API_SUBMIT, "application/x-www-form-urlencoded", NULL },
	{ API_SUBMIT, "text/plain", NULL },
	{ API_MESSAGES, "message/rfc822", NULL },
	{ API_EXPLAIN, "application/json", NULL },
	{ API_MESSAGES, "application/x-notifyd-message", NULL },
	{ API_ACCOUNT_LOGIN, "application/json", NULL },
	{ API_LOGIN, "application/json", NULL },
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

/* Each {name} in the path. */
static void
put_parameters(const char *path, struct json_out *out)
{
	const char *open = strchr(path, '{'), *close = open != NULL ? strchr(open, '}') : NULL;

	if (close == NULL)
		return;
	json_out_array(out, "parameters");
	json_out_object(out, NULL);
	json_out_textn(out, "name", open + 1, (size_t)(close - open - 1));
	json_out_text(out, "in", "path");
	json_out_bool(out, "required", true);
	json_out_object(out, "schema");
	json_out_text(out, "type", "string");
	json_out_object_end(out);
	json_out_object_end(out);
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
	put_parameters(row->path, out);
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
	(void)nd_buf_addc(out, '\n');
}
