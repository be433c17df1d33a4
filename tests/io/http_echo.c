/* SPDX-License-Identifier: Apache-2.0 */
/* http_echo.c - the HTTP server alone, for http_rough.py: every route has a simple handler.
 *
 *   http_echo SOCKET CONNECTIONS CONNECTIONS_UID HEADER_MS TOTAL_MS IDLE_MS BODY MEMORY
 *
 * GET /v1/health              counters, at once
 * POST /v1/jobs               length and checksum of the body, in a later turn
 * GET /v1/jobs/{id}           its id, at once
 * GET /v1/jobs?ms=N           "done" after N ms, unless the client leaves
 * GET /v1/jobs/{id}/message   "done" after 300 ms, come what may
 * GET /v1/status              a megabyte
 * Says "ready" on standard output; ends, in order, on SIGTERM. Its exit status is 0 when nothing was left over.
 */
#include "daemon/io/http_server.h"

#include "common/log.h"
#include "common/mem.h"
#include "common/str.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct app {
	struct loop *loop;
	struct http_server *server;
	struct loop_timer *wait; /* while it stops */
	unsigned calls, gone, waiting;
};

/* A reply that comes later. */
struct later {
	struct app *app;
	struct http_request *request;
	struct loop_timer *timer;
};

static void
reply_text(struct http_request *request, int status, const char *text)
{
	http_server_reply(request, status, "text/plain", text, strlen(text), NULL);
}

static void
forget(struct later *later)
{
	later->app->waiting--;
	loop_timer_free(later->timer);
	free(later);
}

static void
gone(void *context)
{
	struct later *later = context;

	later->app->gone++;
	forget(later);
}

static void
fire(void *arg)
{
	struct later *later = arg;

	reply_text(later->request, 200, "done");
	forget(later);
}

static struct later *
reply_in(struct app *app, struct http_request *request, nd_ms ms)
{
	struct later *later = nd_xalloc(sizeof(*later));

	later->app = app;
	later->request = request;
	later->timer = loop_timer_new(app->loop, fire, later);
	loop_timer_set(later->timer, loop_now(app->loop).ms + ms);
	app->waiting++;
	return later;
}

static void
echo(void *arg)
{
	struct http_request *request = arg;
	size_t len;
	const char *body = http_request_body(request, &len);
	uint32_t sum = 0;
	char text[64];

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)body[i]) * 16777619u;
	(void)snprintf(text, sizeof(text), "%zu %u", len, sum);
	http_server_reply(request, 202, "text/plain", text, strlen(text), "/v1/jobs/X");
}

static void
handle_submit(void *owner, struct http_request *request)
{
	struct app *app = owner;

	app->calls++;
	loop_soon(app->loop, echo, request);
}

static void
handle_list(void *owner, struct http_request *request)
{
	struct app *app = owner;
	const char *text = http_request_query(request, "ms");
	int64_t ms = 0;

	app->calls++;
	if (text == NULL || !nd_str_int(text, 0, 60000, &ms)) {
		struct nd_why why;

		(void)nd_fail(&why, ND_EINVALID, 0, "ms= is 0 to 60000");
		http_server_problem(request, &why);
		return;
	}
	http_request_own(request, reply_in(app, request, ms), gone);
}

static void
handle_show(void *owner, struct http_request *request)
{
	((struct app *)owner)->calls++;
	reply_text(request, 200, http_request_segment(request));
}

static void
handle_message(void *owner, struct http_request *request)
{
	struct app *app = owner;

	app->calls++;
	(void)reply_in(app, request, 300);
}

static void
handle_status(void *owner, struct http_request *request)
{
	static char large[1 << 20];

	((struct app *)owner)->calls++;
	memset(large, 'x', sizeof(large));
	http_server_reply(request, 200, "text/plain", large, sizeof(large), NULL);
}

static void
handle_health(void *owner, struct http_request *request)
{
	const struct app *app = owner;
	char text[128];

	(void)snprintf(text, sizeof(text), "{\"calls\":%u,\"gone\":%u,\"waiting\":%u,\"pending\":%u}", app->calls,
	    app->gone, app->waiting, http_server_pending(app->server));
	reply_text(request, 200, text);
}

static http_handler *const handlers[API_ROUTE_COUNT] = {
	[API_SUBMIT] = handle_submit,
	[API_LIST] = handle_list,
	[API_SHOW] = handle_show,
	[API_MESSAGE] = handle_message,
	[API_STATUS] = handle_status,
	[API_HEALTH] = handle_health,
};

/* Once nothing is under way. */
static void
stop_when_done(void *arg)
{
	struct app *app = arg;

	if (http_server_pending(app->server) == 0)
		loop_stop(app->loop);
	else
		loop_timer_set(app->wait, loop_now(app->loop).ms + 5);
}

static void
terminate(void *arg)
{
	struct app *app = arg;

	http_server_quiesce(app->server);
	stop_when_done(app);
}

static int64_t
number(const char *text)
{
	int64_t value;

	if (!nd_str_int(text, 1, INT32_MAX, &value)) {
		(void)fprintf(stderr, "http_echo: %s is not a number\n", text);
		exit(64);
	}
	return value;
}

int
main(int argc, char **argv)
{
	struct http_server_limits limits = http_server_limits_default;
	struct app app = { 0 };
	struct listen_set sockets;
	struct nd_why why;

	if (argc != 9) {
		(void)fprintf(
		    stderr, "usage: http_echo SOCKET CONNECTIONS UID HEADER_MS TOTAL_MS IDLE_MS BODY MEMORY\n");
		return 64;
	}
	limits.connections = (unsigned)number(argv[2]);
	limits.connections_uid = (unsigned)number(argv[3]);
	limits.header_time = number(argv[4]);
	limits.total_time = number(argv[5]);
	limits.idle_time = number(argv[6]);
	limits.body = (size_t)number(argv[7]);
	limits.memory = (size_t)number(argv[8]);
	nd_log_level(ND_LOG_ERR);
	app.loop = loop_new();
	app.wait = loop_timer_new(app.loop, stop_when_done, &app);
	if (listen_open(argv[1], &sockets, &why) != ND_OK) {
		(void)fprintf(stderr, "http_echo: %s\n", why.text);
		return 1;
	}
	app.server = http_server_new(app.loop, &sockets, &limits, handlers, &app, &why);
	if (app.server == NULL) {
		(void)fprintf(stderr, "http_echo: %s\n", why.text);
		return 1;
	}
	loop_signal(app.loop, SIGTERM, terminate, &app);
	(void)puts("ready");
	(void)fflush(stdout);
	loop_run(app.loop);
	http_server_free(app.server);
	listen_close(&sockets);
	loop_timer_free(app.wait);
	loop_free(app.loop);
	return app.waiting == 0 ? 0 : 2;
}
