/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - the words of the HTTP API: routes, problems.  Layer: common, words.  Pure. */
#ifndef ND_COMMON_API_H
#define ND_COMMON_API_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>

enum api_route {
#define API_ROUTE(symbol, method, path, right, words) symbol,
#include "common/api.def"
#undef API_ROUTE
	API_ROUTE_COUNT
};
enum api_right { API_ANY, API_OPERATOR };

struct api_route_row {
	const char *method, *path;
	enum api_right right;
	const char *words;
};
extern const struct api_route_row api_routes[API_ROUTE_COUNT];

#define API_SOCKET "/run/notifyd.sock"
#define API_ADMIN_SOCKET "/run/notifyd-admin.sock"
#define API_SEGMENT_SIZE 64

/* Finds the route of a request. `segment` gets what stood for {id} ("" when none). ND_ENOTFOUND; ND_EMETHOD (the allowed ones in why->hint). */
enum nd_err api_match(const char *method, const char *path, enum api_route *route, char segment[API_SEGMENT_SIZE],
    struct nd_why *why) ND_MUST_CHECK;
/* RFC 9457 problem+json of a failure, one line: {"type":"about:blank","status","title","code","detail","field","line","hint"}. index < 0: none. */
void api_problem(const struct nd_why *why, int index, struct nd_buf *out);
/* All of the above as OpenAPI 3.1, one JSON object. */
void api_openapi(const char *version, struct nd_buf *out);
/* The problem of a bad configuration: the first fault is told as above, "errors" holds them all: [{"file","line","field","detail","hint"}]. */
struct api_fault {
	const char *file;
	const struct nd_why *why;
};
void api_problem_faults(const struct api_fault *faults, unsigned count, struct nd_buf *out);
/* X.sock -> X-admin.sock; other names get "-admin" at the end. Returns `out` or NULL when it does not fit. */
const char *api_admin_path(const char *socket_path, char *out, size_t size);

#endif
