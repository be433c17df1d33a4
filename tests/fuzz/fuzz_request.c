/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_request.c - any target of a request is taken apart or refused, finds its route, and its problem is JSON; so is a list of events.
 *
 * Line 1 is the method, the rest is the target.
 */
#include "common/api.h"
#include "common/json.h"
#include "common/str.h"
#include "daemon/core/events.h"
#include "daemon/io/http_server_internal.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

static void
must_be_json(const struct nd_buf *buf)
{
	struct json_tree tree;
	struct nd_why why;

	must(!buf->failed && json_read(&tree, nd_buf_text(buf), buf->len, &json_limits_job, NULL, &why) == ND_OK);
	json_done(&tree);
}

static void
check_problem(const struct nd_why *why)
{
	const struct api_fault fault = { "notifyd.conf", why };
	struct nd_buf out;

	must(why->text[0] != '\0' && nd_str_utf8(why->text, strlen(why->text)));
	nd_buf_init(&out, 1u << 16);
	api_problem(why, -1, &out);
	must_be_json(&out);
	must(memchr(out.octets, '\n', out.len) == NULL);
	nd_buf_clear(&out);
	api_problem_faults(&fault, 1, &out);
	must_be_json(&out);
	nd_buf_done(&out);
}

static void
check_route(const char *method, const char *path)
{
	char segment[API_SEGMENT_SIZE];
	enum api_route route;
	struct nd_why why;

	if (api_match(method, path, &route, segment, &why) != ND_OK)
		check_problem(&why);
	else
		must(route < API_ROUTE_COUNT && strlen(segment) < sizeof(segment) && strchr(segment, '/') == NULL);
}

/* A reader of events: where it goes on, what it wants, what it is told. */
static void
check_events(const struct http_request *request)
{
	const struct access_peer peer = { .uid = 1000 };
	struct events_filter filter = { .peer = &peer, .types = http_request_query(request, "type") };
	const char *since = http_request_query(request, "since"), *reason = http_request_query(request, "reason");
	struct events *events = events_new(0x0123456789abcdefu);
	struct events_item item = {
		.kind = EVENTS_JOB, .uid = 1000, .job = "01ARYZ6S43ABCDEFGHJKMNPQRS", .reason = reason
	};
	struct nd_buf line;
	struct nd_why why;
	uint64_t n = 0;
	bool gap;

	events_add(events, &item);
	if (events_since(events, since, &n, &gap, &why) != ND_OK)
		check_problem(&why);
	else
		must(n <= events_last(events));
	if (events_types(filter.types, &why) != ND_OK)
		check_problem(&why);
	else if (events_get(events, 1, &item) && events_wanted(&filter, &item)) {
		nd_buf_init(&line, 1u << 16);
		events_write(events, &item, &line);
		must_be_json(&line);
		must(memchr(line.octets, '\n', line.len) == line.octets + line.len - 1);
		nd_buf_done(&line);
	}
	events_free(events);
}

static void
check_target(struct http_request *request, const char *method)
{
	static const char *const known[] = { "since", "type", "reason", NULL };
	const char *name, *value;
	struct nd_why why;

	if (http_request_parse(request, &why) != ND_OK) {
		check_problem(&why);
		return;
	}
	check_route(method, http_request_path(request));
	must(request->param_count <= HTTP_PARAMS_MAX);
	for (unsigned i = 0; i < request->param_count; i++) {
		must(http_request_param(request, i, &name, &value));
		must(nd_str_utf8(name, strlen(name)) && nd_str_utf8(value, strlen(value)));
		must(http_request_query(request, name) != NULL);
	}
	if (http_request_only(request, known, &why) != ND_OK)
		check_problem(&why);
	check_events(request);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	const char *text = (const char *)octets, *stop = len > 0 ? memchr(text, '\n', len) : NULL;
	struct http_request request = { 0 };
	char method[16] = "";

	if (stop == NULL || (size_t)(stop - text) >= sizeof(method) || memchr(text, '\0', len) != NULL)
		return 0;
	memcpy(method, text, (size_t)(stop - text));
	nd_buf_init(&request.target, 8192);
	nd_buf_init(&request.words, 16384);
	(void)nd_buf_add(&request.target, stop + 1, len - (size_t)(stop + 1 - text));
	check_target(&request, method);
	nd_buf_done(&request.target);
	nd_buf_done(&request.words);
	return 0;
}
