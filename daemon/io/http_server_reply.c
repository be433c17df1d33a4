/* SPDX-License-Identifier: Apache-2.0 */
/* http_server_reply.c - replies: made, kept until libmicrohttpd asks again, handed over.  Layer: io. */
#include "daemon/io/http_server_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PACE 1048576u /* octets a second of a reply: slow, but fair */
#define PROBLEM_MAX 8192u
#define HEADERS_MAX 4u

struct header {
	const char *name, *value; /* borrowed; value NULL: left out */
};

struct reply {
	unsigned status;
	const char *body; /* borrowed */
	size_t len;
	struct header headers[HEADERS_MAX];
};

/* Seconds, for the failures after which trying at once would be in vain and which do not know better. */
/* clang-format off */
static const struct {
	enum nd_err err;
	unsigned seconds;
} retry_after[] = {
	{ ND_EMEMORY,    1 },
	{ ND_EBUSY,      1 },
	{ ND_ESTOPPING,  2 },
	{ ND_EQUEUEFULL, 10 },
	{ ND_EDISKFULL,  10 },
	{ ND_EDISK,      10 },
};
/* clang-format on */

static struct http_server *
server_of(const struct http_request *request)
{
	return request->connection->listener->server;
}

static struct MHD_Response *
make_response(const struct reply *reply)
{
	struct MHD_Response *response;
	void *octets = NULL;

	/* libmicrohttpd takes no const pointer, though it only copies from it */
	memcpy(&octets, &reply->body, sizeof(octets));
	response = MHD_create_response_from_buffer(reply->len, octets, MHD_RESPMEM_MUST_COPY);
	if (response == NULL)
		return NULL;
	for (unsigned i = 0; i < HEADERS_MAX; i++)
		if (reply->headers[i].value != NULL)
			(void)MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
	return response;
}

/* -- the way out ----------------------------------------------------------------------------------------------- */

void
http_server_resume(struct http_request *request)
{
	request->suspended = false;
	http_server_unwatch(request->connection);
	MHD_resume_connection(request->mhd);
	http_server_kick(request->connection->listener);
}

/* The request has its reply. Inside libmicrohttpd's call it is queued when that returns; later, after a resume. */
static void
settle(struct http_request *request, const struct reply *reply)
{
	request->response = make_response(reply);
	request->response_len = reply->len;
	request->status = reply->status;
	request->answered = true;
	request->context = NULL;
	request->gone = NULL;
	http_server_drop_body(request);
	if (request->suspended)
		http_server_resume(request);
}

enum MHD_Result
http_server_queue(struct http_request *request)
{
	struct http_server *server = server_of(request);
	nd_ms patience = server->limits.total_time + ND_SEC((nd_ms)(request->response_len / PACE));
	enum MHD_Result result;

	if (request->response == NULL)
		return MHD_NO;
	if (server->quiesced)
		(void)MHD_add_response_header(request->response, "Connection", "close");
	/* A reader that takes nothing is cut. */
	http_server_phase(request->connection, HTTP_REPLY, loop_now(server->loop).ms + patience);
	result = MHD_queue_response(request->mhd, request->status, request->response);
	MHD_destroy_response(request->response);
	request->response = NULL;
	return result;
}

void
http_server_reply(
    struct http_request *request, int status, const char *type, const char *body, size_t len, const char *location)
{
	const struct reply reply = {
		.status = (unsigned)status,
		.body = body,
		.len = len,
		.headers = { { "Content-Type", type }, { "Location", location } },
	};

	if (!request->answered)
		settle(request, &reply);
}

static unsigned
seconds_after(const struct nd_why *why)
{
	if (why->retry_after > 0)
		return why->retry_after;
	for (size_t i = 0; i < sizeof(retry_after) / sizeof(retry_after[0]); i++)
		if (retry_after[i].err == why->err)
			return retry_after[i].seconds;
	return 5;
}

void
http_server_problem(struct http_request *request, const struct nd_why *why)
{
	struct reply reply = { .status = (unsigned)nd_err_http(why->err) };
	char seconds[16];
	struct nd_buf body;

	if (request->answered)
		return;
	nd_buf_init(&body, PROBLEM_MAX);
	api_problem(why, -1, &body);
	reply.body = nd_buf_text(&body);
	reply.len = body.len;
	reply.headers[0] = (struct header){ "Content-Type", "application/problem+json" };
	if (reply.status == 429 || reply.status == 503) {
		(void)snprintf(seconds, sizeof(seconds), "%u", seconds_after(why));
		reply.headers[1] = (struct header){ "Retry-After", seconds };
	}
	if (why->err == ND_EMETHOD && why->hint[0] != '\0') /* RFC 9110 15.5.6 */
		reply.headers[2] = (struct header){ "Allow", why->hint };
	settle(request, &reply);
	nd_buf_done(&body);
}

void
http_server_refuse_line(struct http_connection *connection, const struct nd_why *why)
{
	struct nd_buf body, text;

	nd_buf_init(&body, PROBLEM_MAX);
	nd_buf_init(&text, 2 * PROBLEM_MAX);
	api_problem(why, -1, &body);
	(void)nd_buf_addf(&text,
	    "HTTP/1.1 %d Refused\r\nContent-Type: application/problem+json\r\nConnection: close\r\nContent-Length: "
	    "%zu\r\n\r\n%s",
	    nd_err_http(why->err), body.len, nd_buf_text(&body));
	(void)send(connection->fd, nd_buf_text(&text), text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(connection->fd, SHUT_RDWR);
	nd_buf_done(&body);
	nd_buf_done(&text);
}

void
http_server_gone(struct http_request *request)
{
	void (*gone)(void *) = request->gone;

	request->gone = NULL;
	request->answered = true;
	request->dead = true;
	if (gone != NULL)
		gone(request->context);
	if (request->suspended)
		http_server_resume(request);
}
