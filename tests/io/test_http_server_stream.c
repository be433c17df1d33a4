/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_server_stream.c - tests of the HTTP server: replies that are written piece by piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/io/http_bench.h"

#define LINE 100u
#define MUCH 4000u /* lines: far more than all buffers on the way hold */

/* What the writer does; one stream at a time. */
static struct {
	struct http_request *request;
	struct loop_timer *timer;
	unsigned lines, written, refused, rooms, gone;
	bool pause;   /* before each line */
	bool forever; /* it never ends by itself */
	struct nd_why why;
} w;

static char *taken; /* what the client took, head and all */
static size_t taken_len;

static void
write_lines(void)
{
	char line[LINE + 1];

	while (w.written < w.lines) {
		(void)snprintf(line, sizeof(line), "%0*u\n", (int)LINE - 1, w.written);
		if (!http_server_stream_write(w.request, line, LINE)) {
			w.refused++;
			return;
		}
		w.written++;
		if (w.pause)
			break;
	}
	if (w.written == w.lines && !w.forever) {
		http_server_stream_end(w.request);
		w.request = NULL;
	} else if (w.pause && w.written < w.lines) {
		loop_timer_set(w.timer, loop_now(bench.loop).ms + 40);
	}
}

static void
write_on(void *arg)
{
	(void)arg;
	write_lines();
}

static void
has_room(void *context)
{
	assert_ptr_equal(context, &w);
	w.rooms++;
	write_lines();
}

static void
is_gone(void *context)
{
	assert_ptr_equal(context, &w);
	w.request = NULL;
	(void)__atomic_fetch_add(&w.gone, 1, __ATOMIC_SEQ_CST);
}

static void
begin_stream(void *owner, struct http_request *request)
{
	(void)owner;
	if (http_server_stream_begin(request, 202, "application/x-ndjson", has_room, &w.why) != ND_OK) {
		http_server_problem(request, &w.why);
		return;
	}
	http_request_own(request, &w, is_gone);
	w.request = request;
	write_lines();
}

static void
begin_later(void *arg)
{
	begin_stream(NULL, arg);
}

/* GET /v1/events: at once. GET /v1/jobs: in a later turn, when the connection is suspended. */
static void
begin_in_a_later_turn(void *owner, struct http_request *request)
{
	(void)owner;
	loop_soon(bench.loop, begin_later, request);
}

/* GET /v1/status: not as a stream, but far more than the socket takes at once, and later. */
static void
reply_much(void *arg)
{
	static char much[MUCH * LINE];

	memset(much, 'x', sizeof(much));
	http_server_reply(arg, 200, "text/plain", much, sizeof(much), NULL);
}

static void
reply_much_in_a_later_turn(void *owner, struct http_request *request)
{
	(void)owner;
	loop_soon(bench.loop, reply_much, request);
}

static http_handler *const stream_handlers[API_ROUTE_COUNT] = {
	[API_EVENTS] = begin_stream,
	[API_LIST] = begin_in_a_later_turn,
	[API_HEALTH] = handle_health,
	[API_STATUS] = reply_much_in_a_later_turn,
};

static void
start_streams(void)
{
	struct http_server_limits limits = short_limits();

	memset(&w, 0, sizeof(w));
	start_with(&limits, stream_handlers);
	w.timer = loop_timer_new(bench.loop, write_on, NULL);
}

static void
stop_streams(void)
{
	/* the timer goes first: it is of the loop that stop() frees */
	loop_timer_free(w.timer);
	stop();
}

/* -- clients --------------------------------------------------------------------------------------------------- */

static const char *request_text;

/* Takes everything until the server closes. */
static void
client_that_takes_all(void)
{
	struct link link;
	ssize_t n;

	reach(&link, api_path);
	(void)say(&link, request_text);
	taken_len = 0;
	while ((n = recv(link.fd, taken + taken_len, 2 * MUCH * LINE - 1 - taken_len, 0)) > 0)
		taken_len += (size_t)n;
	taken[taken_len] = '\0';
	leave(&link);
}

/* The chunks of what was taken become the octets they carry; false: they are malformed, or the last one is missing. */
static bool
unchunk(void)
{
	char *in = strstr(taken, "\r\n\r\n"), *out = taken, *end;
	size_t size;

	if (in == NULL)
		return false;
	in += 4;
	for (;;) {
		size = strtoul(in, &end, 16);
		if (end == in || strncmp(end, "\r\n", 2) != 0)
			return false;
		in = end + 2;
		if (size == 0)
			break;
		memmove(out, in, size);
		out += size;
		in += size + 2;
	}
	taken_len = (size_t)(out - taken);
	*out = '\0';
	return strcmp(in, "\r\n") == 0;
}

static void
assert_lines(const char *at, unsigned count)
{
	char line[LINE + 1];

	for (unsigned i = 0; i < count; i++, at += LINE) {
		(void)snprintf(line, sizeof(line), "%0*u\n", (int)LINE - 1, i);
		assert_memory_equal(at, line, LINE);
	}
	assert_int_equal(*at, '\0');
}

#define CLOSE(target) "GET " target " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

static void
all_of_it_comes_in_order_through_a_small_buffer(void **state)
{
	static const char *const requests[] = { CLOSE("/v1/events"), CLOSE("/v1/jobs") };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start_streams();
		w.lines = MUCH;
		request_text = requests[i];
		serve(client_that_takes_all);
		stop_streams();
		assert_non_null(strstr(taken, "HTTP/1.1 202 "));
		assert_non_null(strstr(taken, "Content-Type: application/x-ndjson\r\n"));
		assert_non_null(strstr(taken, "Transfer-Encoding: chunked\r\n"));
		assert_true(unchunk());
		assert_lines(taken, MUCH);
		assert_true(w.refused > 0); /* the writer was told that the buffer is full */
		assert_int_equal(w.rooms, w.refused);
		assert_int_equal(w.gone, 0);
	}
}

static void
http_1_0_gets_it_without_chunks(void **state)
{
	const char *body;

	(void)state;
	start_streams();
	w.lines = MUCH;
	request_text = "GET /v1/events HTTP/1.0\r\n\r\n";
	serve(client_that_takes_all);
	stop_streams();
	assert_null(strstr(taken, "chunked"));
	body = strstr(taken, "\r\n\r\n");
	assert_non_null(body);
	assert_lines(body + 4, MUCH);
}

static void
a_stream_sleeps_between_its_lines_and_is_not_cut(void **state)
{
	(void)state;
	start_streams();
	w.lines = 20;
	w.pause = true; /* 20 * 40 ms: longer than the total time of a request */
	request_text = CLOSE("/v1/events");
	serve(client_that_takes_all);
	stop_streams();
	assert_true(unchunk());
	assert_lines(taken, 20);
	assert_int_equal(w.gone, 0);
}

static void
client_that_asks_twice(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, GET("/v1/events"));
	while (link.len < 7 || memcmp(link.octets + link.len - 7, "\r\n0\r\n\r\n", 7) != 0)
		if (hear_more(&link) <= 0)
			break;
	link.len = 0;
	(void)say(&link, GET("/v1/health"));
	hear(&link, &got[0]);
	leave(&link);
}

static void
a_connection_lives_on_after_a_stream(void **state)
{
	(void)state;
	start_streams();
	w.lines = 3;
	serve(client_that_asks_twice);
	stop_streams();
	assert_int_equal(got[0].status, 200);
}

/* Waits for the writer to be told, or for a time that only a broken server needs. */
static void
wait_gone(const struct link *link)
{
	for (unsigned i = 0; i < 1000 && __atomic_load_n(&w.gone, __ATOMIC_SEQ_CST) == 0; i++)
		(void)poll(&(struct pollfd){ link->fd, 0, 0 }, link->fd >= 0, 10);
}

static void
client_that_takes_nothing(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, GET("/v1/events"));
	wait_gone(&link);
	leave(&link);
}

static void
a_client_that_takes_nothing_is_cut_and_the_writer_knows(void **state)
{
	(void)state;
	start_streams();
	w.lines = MUCH;
	serve(client_that_takes_nothing);
	assert_int_equal(w.gone, 1);
	assert_null(w.request);
	assert_in_range(w.written, 100, MUCH - 1); /* the writer did not wait for it, and was held up */
	assert_int_equal(http_server_pending(bench.server), 0);
	stop_streams();
}

static void
client_that_leaves(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, GET("/v1/events"));
	while (link.len < 2 * LINE && hear_more(&link) > 0)
		continue;
	leave(&link);
	wait_gone(&link);
}

static void
a_client_that_leaves_a_sleeping_stream_is_noticed(void **state)
{
	(void)state;
	start_streams();
	w.lines = 3;
	w.forever = true;
	serve(client_that_leaves);
	assert_int_equal(w.gone, 1);
	assert_int_equal(http_server_pending(bench.server), 0);
	stop_streams();
}

static void
client_that_stays(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, GET("/v1/events"));
	while (link.len < 2 * LINE && hear_more(&link) > 0)
		continue;
	got[0].status = link.fd; /* left open: the server ends first */
}

static void
the_end_of_the_server_is_told_to_a_writer(void **state)
{
	(void)state;
	start_streams();
	w.lines = 3;
	w.forever = true;
	serve(client_that_stays);
	assert_int_equal(w.gone, 0);
	stop_streams();
	assert_int_equal(w.gone, 1);
	(void)close(got[0].status);
}

static void
client_that_closes_its_half_and_takes_all(void)
{
	struct link link;
	ssize_t n;

	reach(&link, api_path);
	(void)say(&link, request_text);
	(void)shutdown(link.fd, SHUT_WR);
	taken_len = 0;
	while ((n = recv(link.fd, taken + taken_len, 2 * MUCH * LINE - 1 - taken_len, 0)) > 0)
		taken_len += (size_t)n;
	taken[taken_len] = '\0';
	leave(&link);
}

static void
a_client_that_closed_its_half_gets_all_of_it(void **state)
{
	static const struct {
		const char *request;
		unsigned lines;
		bool pause;
	} rows[] = {
		{ CLOSE("/v1/events"), 3, false },
		{ CLOSE("/v1/events"), MUCH, false },
		{ CLOSE("/v1/events"), 10, true },
		{ GET("/v1/events"), MUCH, false },
		{ GET("/v1/events"), 10, true },
		{ GET("/v1/jobs"), MUCH, false }, /* begun in a later turn */
		{ CLOSE("/v1/jobs"), 10, true },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start_streams();
		w.lines = rows[i].lines;
		w.pause = rows[i].pause;
		request_text = rows[i].request;
		serve(client_that_closes_its_half_and_takes_all);
		stop_streams();
		assert_true(unchunk());
		assert_lines(taken, rows[i].lines);
		assert_int_equal(w.gone, 0);
	}
}

static void
a_client_that_closed_its_half_gets_a_large_reply_whole(void **state)
{
	const char *body;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		start_streams();
		request_text = GET("/v1/status");
		serve(client_that_closes_its_half_and_takes_all);
		stop_streams();
		body = strstr(taken, "\r\n\r\n");
		assert_non_null(body);
		assert_int_equal(strlen(body + 4), MUCH * LINE);
	}
}

static int
make_room(void **state)
{
	taken = calloc(2 * MUCH, LINE);
	return taken == NULL ? -1 : bench_begin(state);
}

static int
leave_room(void **state)
{
	free(taken);
	return bench_end(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_comes_in_order_through_a_small_buffer),
		cmocka_unit_test(http_1_0_gets_it_without_chunks),
		cmocka_unit_test(a_stream_sleeps_between_its_lines_and_is_not_cut),
		cmocka_unit_test(a_connection_lives_on_after_a_stream),
		cmocka_unit_test(a_client_that_takes_nothing_is_cut_and_the_writer_knows),
		cmocka_unit_test(a_client_that_leaves_a_sleeping_stream_is_noticed),
		cmocka_unit_test(the_end_of_the_server_is_told_to_a_writer),
		cmocka_unit_test(a_client_that_closed_its_half_gets_all_of_it),
		cmocka_unit_test(a_client_that_closed_its_half_gets_a_large_reply_whole),
	};

	return cmocka_run_group_tests(tests, make_room, leave_room);
}
