/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - the words of the HTTP API: routes, problems.  Layer: common, words.  Pure. */
#include "common/api.h"

#include "common/json.h"

#include <stdio.h>
#include <string.h>

const struct api_route_row api_routes[API_ROUTE_COUNT] = {
#define API_ROUTE(symbol, method, path, right, words) [symbol] = { method, path, API_##right, words },
#include "common/api.def"
#undef API_ROUTE
};

/* Compares a path with a row's; the segment at {id} goes to `segment`, of which `*len` octets are used. */
static bool
path_fits(const char *row, const char *path, const char **segment, size_t *len)
{
	*len = 0;
	while (*row != '\0' && *row != '{') {
		if (*row++ != *path++)
			return false;
	}
	if (*row == '{') {
		row = strchr(row, '}') + 1;
		*segment = path;
		*len = strcspn(path, "/");
		path += *len;
		if (*len == 0 || *len >= API_SEGMENT_SIZE)
			return false;
	}
	return strcmp(row, path) == 0;
}

static enum nd_err
refuse_method(const char *method, const char *path, const char *allowed, struct nd_why *why)
{
	(void)nd_fail(why, ND_EMETHOD, 0, "%.20s does not fit %.100s", method, path);
	(void)nd_fail_at(why, NULL, 0, allowed);
	return ND_EMETHOD;
}

enum nd_err
api_match(
    const char *method, const char *path, enum api_route *route, char segment[API_SEGMENT_SIZE], struct nd_why *why)
{
	char allowed[64] = "";

	for (unsigned i = 0; i < API_ROUTE_COUNT; i++) {
		const char *part = "";
		size_t len, used = strlen(allowed);

		if (!path_fits(api_routes[i].path, path, &part, &len))
			continue;
		if (strcmp(api_routes[i].method, method) == 0) {
			*route = (enum api_route)i;
			memcpy(segment, part, len);
			segment[len] = '\0';
			return ND_OK;
		}
		(void)snprintf(
		    allowed + used, sizeof(allowed) - used, "%s%s", used > 0 ? ", " : "", api_routes[i].method);
	}
	if (allowed[0] != '\0')
		return refuse_method(method, path, allowed, why);
	return nd_fail(why, ND_ENOTFOUND, 0, "there is nothing at %.100s", path);
}

static const char *
unless_empty(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void
put_words(const struct nd_why *why, struct json_out *json)
{
	json_out_text(json, "detail", unless_empty(why->text));
	json_out_text(json, "field", unless_empty(why->field));
	if (why->line > 0)
		json_out_int(json, "line", why->line);
	json_out_text(json, "hint", unless_empty(nd_why_hint(why)));
}

static void
begin_problem(enum nd_err err, const struct nd_why *why, struct json_out *json)
{
	json_out_object(json, NULL);
	json_out_text(json, "type", "about:blank");
	json_out_int(json, "status", nd_err_http(err));
	json_out_text(json, "title", nd_err_words(err));
	json_out_text(json, "code", nd_err_name(err));
	put_words(why, json);
}

void
api_problem(const struct nd_why *why, int index, struct nd_buf *out)
{
	struct json_out json;

	json_out_init(&json, out);
	begin_problem(why->err, why, &json);
	if (index >= 0)
		json_out_int(&json, "index", index);
	json_out_object_end(&json);
}

void
api_problem_faults(const struct api_fault *faults, unsigned count, struct nd_buf *out)
{
	struct json_out json;
	unsigned i;

	json_out_init(&json, out);
	begin_problem(ND_ECONF, faults[0].why, &json);
	json_out_array(&json, "errors");
	for (i = 0; i < count; i++) {
		json_out_object(&json, NULL);
		json_out_text(&json, "file", faults[i].file);
		put_words(faults[i].why, &json);
		json_out_object_end(&json);
	}
	json_out_array_end(&json);
	json_out_object_end(&json);
}

const char *
api_admin_path(const char *socket_path, char *out, size_t size)
{
	static const char end[] = ".sock";
	size_t len = strlen(socket_path), stem = len;
	int n;

	if (len > sizeof(end) - 1 && strcmp(socket_path + len - (sizeof(end) - 1), end) == 0)
		stem = len - (sizeof(end) - 1);
	n = snprintf(out, size, "%.*s-admin%s", (int)stem, socket_path, socket_path + stem);
	return n >= 0 && (size_t)n < size ? out : NULL;
}
