/* SPDX-License-Identifier: Apache-2.0 */
/* http_server.h - HTTP/1.1 on the Unix sockets.  Layer: io.  The only user of libmicrohttpd (rules: http_server.c).
 *
 * Bounded: connections in all and by uid, headers (16 KiB), body, total time of a request, all bodies together.
 * A request reaches the handler whole; the handler answers at once or later, once, with http_server_reply. A client
 * that leaves early is noticed: the handler's `gone` is called, the reply goes nowhere.
 */
#ifndef ND_IO_HTTP_SERVER_H
#define ND_IO_HTTP_SERVER_H

#include "common/api.h"
#include "common/buf.h"
#include "daemon/core/access.h"
#include "daemon/io/listen.h"
#include "daemon/io/loop.h"

struct http_server;
struct http_request; /* borrowed by the handler until it has replied */

struct http_server_limits {
	size_t body;          /* octets of one request: JOB_MAX_OCTETS */
	size_t memory;        /* octets of all bodies over 64 KiB at a time: more get ND_EMEMORY */
	unsigned connections; /* in all; further ones are answered 503 busy */
	unsigned connections_uid;
	nd_ms header_time, total_time, idle_time; /* of a request's headers; of a whole request; between requests */
};
extern const struct http_server_limits http_server_limits_default;

typedef void http_handler(void *owner, struct http_request *request);

/* handlers[route]: one for each row of the route table. Right (operator-only) and method are checked before. */
struct http_server *http_server_new(struct loop *loop, const struct listen_set *sockets,
    const struct http_server_limits *limits, http_handler *const handlers[API_ROUTE_COUNT], void *owner,
    struct nd_why *why);
void http_server_quiesce(struct http_server
	*server); /* no new connections or requests (503 stopping); what came whole, in two seconds, goes on */
void http_server_memory(struct http_server *server, size_t octets); /* limits.memory from now on */
unsigned http_server_pending(const struct http_server *server); /* requests begun whose replies are not wholly sent */
void http_server_free(struct http_server *server);

/* The request. */
const struct access_peer *http_request_peer(const struct http_request *request);
const char *http_request_segment(const struct http_request *request);                  /* what stood for {id} */
const char *http_request_header(const struct http_request *request, const char *name); /* NULL none */
const char *http_request_query(
    const struct http_request *request, const char *name); /* decoded; NULL none; "" without value */
/* The parameters in their order; false past the end. */
bool http_request_param(const struct http_request *request, unsigned i, const char **name, const char **value);
/* Refuses unknown query parameters: each must be in `known` (NULL-terminated). */
enum nd_err http_request_only(
    const struct http_request *request, const char *const *known, struct nd_why *why) ND_MUST_CHECK;
const char *http_request_body(const struct http_request *request, size_t *len); /* "" when none */
/* `gone` is called when the client leaves before the reply, or the server ends: the request is no more after it, so
 * it must not be answered; `context` is the owner's to free. With gone NULL the request stays until it is answered (or
 * the server is freed), and the reply goes nowhere. */
void http_request_own(struct http_request *request, void *context, void (*gone)(void *context));
/* The body, taken out of the request for as long as the caller needs it. It counts against limits.memory until http_server_body_done. */
struct http_body {
	char *octets; /* owned; NULL none */
	size_t len, charged;
};
void http_request_take_body(struct http_request *request, struct http_body *body);
void http_server_body_done(struct http_server *server, struct http_body *body); /* server NULL: it is no more */

/* Answers: once; the request is no more after it. `body` is copied. `type` and `location` NULL none. */
void http_server_reply(
    struct http_request *request, int status, const char *type, const char *body, size_t len, const char *location);
void http_server_problem(
    struct http_request *request, const struct nd_why *why); /* problem+json; Retry-After on 429 and 503 */

/* A reply that is written piece by piece: begin, then write as often as there is something, then end, after which the
 * request is no more. Until then `gone` (http_request_own; it must be set) tells when the client leaves, takes nothing
 * for limits.total_time, or the server ends. What the client has not taken yet is kept, up to HTTP_STREAM_ROOM octets:
 * a write that does not fit is refused whole, and room(context) is called once some of it was taken. HTTP/1.1 gets
 * chunks, HTTP/1.0 a reply that ends with the connection. The request's body stays until the end. */
#define HTTP_STREAM_ROOM 16384u
/* ND_EMEMORY: nothing has begun. */
enum nd_err http_server_stream_begin(struct http_request *request, int status, const char *type,
    void (*room)(void *context), struct nd_why *why) ND_MUST_CHECK;
bool http_server_stream_write(struct http_request *request, const char *octets, size_t len);
void http_server_stream_end(struct http_request *request);
void http_server_stream_break(
    struct http_request *request); /* as _end, but the client sees that something is missing */

#endif
