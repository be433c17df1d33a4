/* SPDX-License-Identifier: Apache-2.0 */
/* http_bench.h - a server with simple handlers, for the tests of http_server.
 *
 * The loop runs on the test's thread; the client's half of a test is plain blocking code on another. It only notes what
 * it saw; the test judges.
 * The files that include it have the headers of cmocka before.
 */
#ifndef TESTS_IO_HTTP_BENCH_H
#define TESTS_IO_HTTP_BENCH_H

#include "daemon/io/http_server.h"

#include "common/log.h"
#include "tests/io/http_link.h"

#include <pthread.h>
#include <sys/stat.h>

#define BODY_MAX 200000u
#define HOLD_MAX 32u

static char folder[] = "/tmp/notifyd-http-XXXXXX";
static char api_path[64], admin_path[64];

struct bench {
	struct loop *loop;
	struct listen_set sockets;
	struct http_server *server;
	struct http_request *held[HOLD_MAX];
	unsigned held_count, hold_until;
	unsigned gone, calls;
	struct loop_timer *timer;
	struct http_request *late;
	unsigned late_count; /* held, not watched any more, answered */
	struct loop_note note;
	bool quiesce_when_held, never_late;
};
static struct bench bench;

/* -- handlers -------------------------------------------------------------------------------------------------- */

static void
reply_text(struct http_request *request, int status, const char *text)
{
	http_server_reply(request, status, "text/plain", text, strlen(text), NULL);
}

static void
left(void *context)
{
	struct http_request **place = context;

	*place = NULL;
	(void)__atomic_fetch_add(&bench.gone, 1, __ATOMIC_SEQ_CST);
}

/* GET /v1/health: at once. ?live: who asks. */
static void
handle_health(void *owner, struct http_request *request)
{
	static const char *const known[] = { "live", "ready", NULL };
	const struct access_peer *peer = http_request_peer(request);
	struct nd_why why;
	char text[64];

	assert_ptr_equal(owner, &bench);
	bench.calls++;
	if (http_request_only(request, known, &why) != ND_OK) {
		http_server_problem(request, &why);
		return;
	}
	(void)snprintf(text, sizeof(text), "uid=%u pid=%u operator=%d live=%s", peer->uid, peer->pid,
	    peer->operator_right, http_request_query(request, "live") ? http_request_query(request, "live") : "none");
	reply_text(request, 200, text);
}

static void
echo_late(void *arg)
{
	struct http_request *request = arg;
	const char *agent = http_request_header(request, "user-agent");
	size_t len;
	const char *body = http_request_body(request, &len);
	char text[64];
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)body[i];
	(void)snprintf(text, sizeof(text), "%zu %u %s", len, sum, agent != NULL ? agent : "-");
	http_server_reply(request, 202, "application/json", text, strlen(text), "/v1/jobs/X");
}

/* POST /v1/jobs: length and checksum of the body, in a later turn. */
static void
handle_submit(void *owner, struct http_request *request)
{
	(void)owner;
	bench.calls++;
	loop_soon(bench.loop, echo_late, request);
}

/* Answers all that is held, the last one first. */
static void
release(void)
{
	while (bench.held_count > 0) {
		struct http_request *request = bench.held[--bench.held_count];

		if (request != NULL)
			reply_text(request, 200, http_request_query(request, "key"));
	}
}

/* GET /v1/jobs?key=K: held until bench.hold_until are. */
static void
handle_list(void *owner, struct http_request *request)
{
	unsigned n = __atomic_fetch_add(&bench.held_count, 1, __ATOMIC_SEQ_CST);

	(void)owner;
	bench.calls++;
	bench.held[n] = request;
	http_request_own(request, &bench.held[n], left);
	if (bench.quiesce_when_held)
		http_server_quiesce(bench.server);
	if (bench.held_count == bench.hold_until)
		release();
}

/* GET /v1/jobs/{id}: its id. */
static void
handle_show(void *owner, struct http_request *request)
{
	(void)owner;
	bench.calls++;
	reply_text(request, 200, http_request_segment(request));
}

static void
answer_late(void *arg)
{
	(void)arg;
	/* The client was watched, and is not any more: from here on its leaving is told to nobody. */
	if (bench.late_count == 1) {
		http_request_own(bench.late, NULL, NULL);
		loop_timer_set(bench.timer, loop_now(bench.loop).ms + 400);
	} else {
		reply_text(bench.late, 200, "late");
	}
	(void)__atomic_fetch_add(&bench.late_count, 1, __ATOMIC_SEQ_CST);
}

/* GET /v1/jobs/{id}/message: after 700 ms; for the last 400 of them nothing is told when the client leaves. */
static void
handle_message(void *owner, struct http_request *request)
{
	(void)owner;
	bench.calls++;
	bench.late = request;
	http_request_own(request, &bench.late, left);
	(void)__atomic_fetch_add(&bench.late_count, 1, __ATOMIC_SEQ_CST);
	if (!bench.never_late)
		loop_timer_set(bench.timer, loop_now(bench.loop).ms + 300);
}

/* GET /v1/status: more than any socket's buffer holds. */
static void
handle_status(void *owner, struct http_request *request)
{
	static char large[1 << 20];

	(void)owner;
	bench.calls++;
	memset(large, 'x', sizeof(large));
	http_server_reply(request, 200, "text/plain", large, sizeof(large), NULL);
}

static http_handler *const handlers[API_ROUTE_COUNT] = {
	[API_SUBMIT] = handle_submit,
	[API_LIST] = handle_list,
	[API_SHOW] = handle_show,
	[API_MESSAGE] = handle_message,
	[API_STATUS] = handle_status,
	[API_HEALTH] = handle_health,
};

/* -- the bench ------------------------------------------------------------------------------------------------- */

static struct http_server_limits
short_limits(void)
{
	struct http_server_limits limits = http_server_limits_default;

	limits.body = BODY_MAX;
	limits.memory = 2 * BODY_MAX;
	limits.header_time = 400;
	limits.total_time = 600;
	limits.idle_time = 500;
	return limits;
}

static void
start_with(const struct http_server_limits *limits, http_handler *const routes[API_ROUTE_COUNT])
{
	struct nd_why why;

	memset(&bench, 0, sizeof(bench));
	bench.loop = loop_new();
	bench.timer = loop_timer_new(bench.loop, answer_late, NULL);
	assert_int_equal(listen_open(api_path, &bench.sockets, &why), ND_OK);
	bench.server = http_server_new(bench.loop, &bench.sockets, limits, routes, &bench, &why);
	assert_non_null(bench.server);
}

static inline void
start(const struct http_server_limits *limits)
{
	start_with(limits, handlers);
}

static void
stop(void)
{
	http_server_free(bench.server);
	listen_close(&bench.sockets);
	loop_timer_free(bench.timer);
	loop_free(bench.loop);
}

static void
stop_loop(void *arg)
{
	loop_stop(arg);
}

static void *
run_client(void *arg)
{
	void (*client)(void);

	memcpy(&client, arg, sizeof(client));
	client();
	bench.note.fn = stop_loop;
	bench.note.arg = bench.loop;
	loop_post(bench.loop, &bench.note);
	return NULL;
}

/* Serves until the client has ended. */
static void
serve(void (*client)(void))
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run_client, &client), 0);
	loop_run(bench.loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* -- what the tests share -------------------------------------------------------------------------------------- */

static struct reply got[40];

/* One request on a connection of its own. */
static inline void
ask(const char *request, struct reply *reply)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, request);
	hear(&link, reply);
	leave(&link);
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define POST(head, body) "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n" head "\r\n" body

static int
bench_begin(void **state)
{
	(void)state;
	nd_log_level(ND_LOG_ERR);
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	(void)snprintf(api_path, sizeof(api_path), "%s/n.sock", folder);
	(void)snprintf(admin_path, sizeof(admin_path), "%s/n-admin.sock", folder);
	return 0;
}

static int
bench_end(void **state)
{
	(void)state;
	return rmdir(folder);
}

#endif
