/* SPDX-License-Identifier: Apache-2.0 */
/* http_server_answer.c - a request's way: headers checked, body taken, handler called.  Layer: io.
 *
 * libmicrohttpd calls http_server_answer() once after the headers, once for each piece of the body, once at its end,
 * and once more after each resume:
 *
 *   line ─► enter (checks) ─► take the body ─► finish (handler) ─► suspended … reply, resume ─► queue ─► done
 *             └ refused: at once when the framing or the size is in doubt (the connection is closed),
 *               else after the body was read and forgotten
 */
#include "daemon/io/http_server_internal.h"

#include "common/job.h"
#include "common/mem.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#define TARGET_MAX HTTP_HEAD_MAX
#define POOL_MAX 64u     /* spare requests that are kept */
#define KEPT_ROOM 16384u /* the largest buffer a spare request keeps */
#define PACE 102400u     /* octets a second of a body: slow, but fair */

const struct http_server_limits http_server_limits_default = {
	.body = JOB_MAX_OCTETS,
	.memory = 64u << 20,
	.connections = 512,
	.connections_uid = 256,
	.header_time = ND_SEC(10),
	.total_time = ND_SEC(60),
	.idle_time = ND_SEC(60),
};

static struct http_server *
server_of(const struct http_request *request)
{
	return request->connection->listener->server;
}

static nd_ms
now_of(const struct http_request *request)
{
	return loop_now(server_of(request)->loop).ms;
}

/* -- requests and their memory --------------------------------------------------------------------------------- */

static struct http_request *
new_request(struct http_server *server)
{
	struct http_request *request = server->pool;

	if (request != NULL) {
		server->pool = request->next;
		server->pool_count--;
		return request;
	}
	request = nd_xalloc(sizeof(*request));
	nd_buf_init(&request->target, TARGET_MAX);
	nd_buf_init(&request->words, TARGET_MAX + 2 * HTTP_PARAMS_MAX + 2);
	nd_buf_init(&request->body, server->limits.body);
	return request;
}

static void
slim(struct nd_buf *buf)
{
	if (buf->room > KEPT_ROOM)
		nd_buf_done(buf);
	nd_buf_clear(buf);
}

static void
free_request(struct http_request *request)
{
	nd_buf_done(&request->target);
	nd_buf_done(&request->words);
	nd_buf_done(&request->body);
	free(request);
}

static void
recycle(struct http_server *server, struct http_request *request)
{
	struct nd_buf target, words, body;

	if (server->pool_count >= POOL_MAX) {
		free_request(request);
		return;
	}
	slim(&request->target);
	slim(&request->words);
	slim(&request->body);
	target = request->target;
	words = request->words;
	body = request->body;
	memset(request, 0, sizeof(*request));
	request->target = target;
	request->words = words;
	request->body = body;
	request->next = server->pool;
	server->pool = request;
	server->pool_count++;
}

void
http_server_answer_pool_free(struct http_server *server)
{
	while (server->pool != NULL) {
		struct http_request *request = server->pool;

		server->pool = request->next;
		free_request(request);
	}
	server->pool_count = 0;
}

/* Counts the body against the memory set aside for large ones, up to `octets` in all. */
static bool
charge(struct http_request *request, size_t octets)
{
	struct http_server *server = server_of(request);

	if (octets <= HTTP_SMALL_BODY || octets <= request->charged)
		return true;
	/* The limit may have been lowered below what is in use. */
	if (server->memory > server->limits.memory ||
	    octets - request->charged > server->limits.memory - server->memory)
		return false;
	server->memory += octets - request->charged;
	request->charged = octets;
	return true;
}

void
http_server_drop_body(struct http_request *request)
{
	if (request->body.room > KEPT_ROOM)
		nd_buf_done(&request->body);
	nd_buf_clear(&request->body);
	server_of(request)->memory -= request->charged;
	request->charged = 0;
}

/* -- the headers ----------------------------------------------------------------------------------------------- */

struct facts {
	unsigned lengths, encodings;
	const char *length, *encoding, *origin, *host; /* borrowed */
	bool expects, bad_name;
};

static enum MHD_Result
note_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct facts *facts = arg;

	(void)kind;
	if (value == NULL)
		value = "";
	if (nd_str_eq_nocase(name, "Content-Length")) {
		facts->lengths++;
		facts->length = value;
	} else if (nd_str_eq_nocase(name, "Transfer-Encoding")) {
		facts->encodings++;
		facts->encoding = value;
	} else if (nd_str_eq_nocase(name, "Origin")) {
		facts->origin = value;
	} else if (nd_str_eq_nocase(name, "Host")) {
		facts->host = value;
	} else if (nd_str_eq_nocase(name, "Expect")) {
		facts->expects = true;
	} else if (name[0] == '\0' || strpbrk(name, " \t") != NULL) {
		facts->bad_name = true;
	}
	return MHD_YES;
}

/* libmicrohttpd takes the first of two lengths, and a coding before a length; whoever stands before us might not. So
 * where the body ends must be beyond doubt (RFC 9112 6.3). */
static enum nd_err
check_framing(const struct facts *facts, const char *version, struct nd_why *why)
{
	if (facts->bad_name)
		return nd_fail(why, ND_EHEADER, 0, "a request header's name holds white space");
	if (facts->lengths > 1)
		return nd_fail(why, ND_EHEADER, 0, "the request has more than one Content-Length");
	if (facts->encodings > 0 && facts->lengths > 0)
		return nd_fail(why, ND_EHEADER, 0, "the request has both Content-Length and Transfer-Encoding");
	if (facts->encodings > 1 || (facts->encodings == 1 && !nd_str_eq_nocase(facts->encoding, "chunked")))
		return nd_fail(why, ND_EHEADER, 0, "the only Transfer-Encoding taken is chunked");
	if (facts->encodings == 1 && strcmp(version, "HTTP/1.1") != 0)
		return nd_fail(why, ND_EHEADER, 0, "Transfer-Encoding belongs to HTTP/1.1");
	return ND_OK;
}

static enum nd_err
check_head(const struct http_request *request, struct nd_why *why)
{
	const union MHD_ConnectionInfo *info;

	if (request->target.failed)
		return nd_fail(why, ND_EURILONG, 0, "the request line has more than %u octets", HTTP_HEAD_MAX);
	info = MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	if (info != NULL && info->header_size > HTTP_HEAD_MAX)
		return nd_fail(why, ND_EHEADERBIG, 0, "the request's head has %zu octets; at most %u are taken",
		    info->header_size, HTTP_HEAD_MAX);
	return ND_OK;
}

static enum nd_err
check_admission(const struct http_request *request, struct nd_why *why)
{
	if (request->connection->refused)
		return nd_fail(why, ND_EBUSY, 0, "too many connections are open");
	if (server_of(request)->quiesced)
		return nd_fail(why, ND_ESTOPPING, 0, "notifyd is stopping and takes no more requests");
	return ND_OK;
}

/* http://info/… on a Unix socket: the first part of the path became the host. */
static void
hint_host(const struct facts *facts, const char *path, struct nd_why *why)
{
	if (strncmp(path, "/v1/", 4) == 0 || facts->host == NULL || nd_str_eq_nocase(facts->host, "localhost"))
		return;
	(void)nd_fail_at(
	    why, NULL, 0, "on a Unix socket the URL still needs a host, and any will do: http://localhost/v1/status");
}

static enum nd_err
find_route(struct http_request *request, const struct facts *facts, const char *method, struct nd_why *why)
{
	enum nd_err err = http_request_parse(request, why);

	if (err != ND_OK)
		return err;
	if (facts->origin != NULL)
		return nd_fail(why, ND_EORIGIN, 0, "a request with an Origin header comes from a web page: refused");
	if (request->head)
		method = "GET"; /* libmicrohttpd leaves the body out */
	err = api_match(method, http_request_path(request), &request->route, request->segment, why);
	if (err == ND_ENOTFOUND)
		hint_host(facts, http_request_path(request), why);
	if (err != ND_OK)
		return err;
	if (server_of(request)->handlers[request->route] == NULL)
		return nd_fail(why, ND_ENOTFOUND, 0, "this version has no %s", http_request_path(request));
	if (api_routes[request->route].right == API_OPERATOR && !request->connection->listener->operator_right)
		return nd_fail(why, ND_EOPERATOR, 0, "%s needs the operator's socket", http_request_path(request));
	return ND_OK;
}

static enum nd_err
check_size(struct http_request *request, struct nd_why *why)
{
	const struct http_server_limits *limits = &server_of(request)->limits;

	if (request->announced > limits->body)
		return nd_fail(why, ND_ETOOBIG, 0, "the body has %llu octets; at most %zu are taken",
		    (unsigned long long)request->announced, limits->body);
	if (request->announced == 0)
		return ND_OK;
	if (!charge(request, (size_t)request->announced) ||
	    nd_buf_reserve(&request->body, (size_t)request->announced) == NULL)
		return nd_fail(why, ND_EMEMORY, 0, "there is no memory for a body of %llu octets now",
		    (unsigned long long)request->announced);
	return ND_OK;
}

/* Time for the whole request; large bodies get a second more for each 100 KB. */
static void
set_body_deadline(struct http_request *request)
{
	uint64_t octets = request->announced > request->received ? request->announced : request->received;
	nd_ms more = ND_SEC((nd_ms)(octets / PACE));

	http_server_phase(
	    request->connection, HTTP_BODY, request->begun + server_of(request)->limits.total_time + more);
}

/* Replies before the body has come close the connection, and a client that still writes may not see them: only where
 * reading on would be unsafe or useless. */
static enum MHD_Result
refuse(struct http_request *request, const struct nd_why *why, bool now)
{
	http_server_problem(request, why);
	request->swallow = true;
	return now ? http_server_queue(request) : MHD_YES;
}

static enum MHD_Result
enter(struct http_request *request, const char *method, const char *version)
{
	struct facts facts = { 0 };
	struct nd_why why;
	int64_t announced = 0;

	request->entered = true;
	request->head = strcmp(method, "HEAD") == 0;
	server_of(request)->pending++;
	(void)MHD_get_connection_values(request->mhd, MHD_HEADER_KIND, note_header, &facts);
	if (check_head(request, &why) != ND_OK || check_framing(&facts, version, &why) != ND_OK ||
	    check_admission(request, &why) != ND_OK)
		return refuse(request, &why, true);
	if (facts.lengths == 1 && !nd_str_int(facts.length, 0, INT64_MAX, &announced)) {
		(void)nd_fail(&why, ND_EHEADER, 0, "the Content-Length is not a number");
		return refuse(request, &why, true);
	}
	request->announced = (uint64_t)announced;
	set_body_deadline(request);
	if (find_route(request, &facts, method, &why) != ND_OK)
		return refuse(request, &why, facts.expects || request->announced > HTTP_SMALL_BODY);
	if (check_size(request, &why) != ND_OK)
		return refuse(request, &why, true);
	return MHD_YES;
}

/* -- the body and the handler ---------------------------------------------------------------------------------- */

/* No reply can be queued in the middle of a body: what is too much is read and forgotten, until the deadline. */
static void
take(struct http_request *request, const char *octets, size_t len)
{
	const struct http_server_limits *limits = &server_of(request)->limits;
	struct nd_why why;

	request->received += len;
	if (request->swallow)
		return;
	if (request->announced == 0)
		set_body_deadline(request);
	if (request->received > limits->body) {
		(void)nd_fail(&why, ND_ETOOBIG, 0, "the body has more than %zu octets", limits->body);
		(void)refuse(request, &why, false);
	} else if (!charge(request, (size_t)request->received) || !nd_buf_add(&request->body, octets, len)) {
		(void)nd_fail(&why, ND_EMEMORY, 0, "there is no memory for a body of this size now");
		(void)refuse(request, &why, false);
	}
}

static enum MHD_Result
finish(struct http_request *request)
{
	struct http_server *server = server_of(request);

	if (server->freeing)
		return MHD_NO;
	server->handlers[request->route](server->owner, request);
	if (request->answered)
		return request->dead ? MHD_NO : http_server_queue(request);
	request->next = request->connection->listener->due;
	request->connection->listener->due = request;
	return MHD_YES;
}

/* Suspended in its own call, a connection would be read from when it is resumed, before its reply is written; and
 * libmicrohttpd takes the end of the client's half for the end of all, so "nc -N" would never see the reply. */
void
http_server_answer_suspend(struct http_listener *listener)
{
	struct http_request *request;

	while ((request = listener->due) != NULL) {
		listener->due = request->next;
		request->next = NULL;
		if (request->answered)
			continue;
		MHD_suspend_connection(request->mhd);
		request->suspended = true;
		/* Its body has come and the work is ours: however long it takes, the client is not cut. */
		http_server_phase(request->connection, HTTP_WAIT,
		    request->gone != NULL ? now_of(request) + HTTP_WATCH_AFTER : ND_NEVER);
	}
}

static void
forget_due(struct http_request *request)
{
	struct http_request **at = &request->connection->listener->due;

	while (*at != NULL && *at != request)
		at = &(*at)->next;
	if (*at != NULL)
		*at = request->next;
	request->next = NULL;
}

/* -- libmicrohttpd's callbacks --------------------------------------------------------------------------------- */

/* Each parameter takes memory of libmicrohttpd's pool; when that is used up it neither answers nor calls again. */
static void
check_line(struct http_connection *connection, const char *uri)
{
	unsigned ampersands = 0;
	struct nd_why why = { 0 };

	while ((uri = strchr(uri, '&')) != NULL && ampersands <= HTTP_PARAMS_MAX) {
		ampersands++;
		uri++;
	}
	if (ampersands > HTTP_PARAMS_MAX) {
		(void)http_request_overfull(&why);
		http_server_refuse_line(connection, &why);
	}
}

void *
http_server_answer_line(void *listener, const char *uri, struct MHD_Connection *mhd)
{
	struct http_server *server = ((struct http_listener *)listener)->server;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_connection *connection = info != NULL ? info->socket_context : NULL;
	struct http_request *request;

	if (connection == NULL)
		return NULL;
	request = new_request(server);
	request->connection = connection;
	request->mhd = mhd;
	request->begun = loop_now(server->loop).ms;
	(void)nd_buf_adds(&request->target, uri != NULL ? uri : "");
	connection->request = request;
	if (uri != NULL)
		check_line(connection, uri);
	/* A new connection has one deadline for everything up to the end of its headers. */
	http_server_phase(connection, HTTP_HEADERS,
	    connection->phase == HTTP_FRESH ? connection->deadline : request->begun + server->limits.header_time);
	return request;
}

/* NOLINTBEGIN(readability-function-size): libmicrohttpd gives eight parameters */
enum MHD_Result
http_server_answer(void *listener, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_len, void **request_slot)
{
	struct http_request *request = *request_slot;

	(void)listener;
	(void)mhd;
	(void)url;
	if (request == NULL)
		return MHD_NO;
	if (!request->entered)
		return enter(request, method, version);
	if (*upload_len > 0) {
		take(request, upload, *upload_len);
		*upload_len = 0;
		return MHD_YES;
	}
	if (request->dead)
		return MHD_NO;
	return request->answered ? http_server_queue(request) : finish(request);
}
/* NOLINTEND(readability-function-size) */

void
http_server_answer_done(
    void *listener, struct MHD_Connection *mhd, void **request_slot, enum MHD_RequestTerminationCode code)
{
	struct http_server *server = ((struct http_listener *)listener)->server;
	struct http_request *request = *request_slot;
	struct http_connection *connection;

	(void)mhd;
	(void)code;
	if (request == NULL)
		return;
	*request_slot = NULL;
	connection = request->connection;
	forget_due(request);
	if ((!request->answered || request->stream != NULL) && request->gone != NULL)
		request->gone(request->context);
	if (request->response != NULL)
		MHD_destroy_response(request->response);
	http_server_stream_free(request);
	http_server_drop_body(request);
	if (request->entered)
		server->pending--;
	connection->request = NULL;
	http_server_unwatch(connection);
	http_server_phase(connection, HTTP_IDLE, loop_now(server->loop).ms + server->limits.idle_time);
	recycle(server, request);
}
