/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_server_slow.c - tests of the HTTP server: slow and vanishing clients, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/io/http_bench.h"

static int drops[6];

/* Waits at most `ms` for the server to close; the pace of a dripping client. */
static bool
closed_within(const struct link *link, int ms)
{
	struct pollfd state = { link->fd, 0, 0 };

	return poll(&state, 1, ms) > 0;
}

/* -- slow clients ---------------------------------------------------------------------------------------------- */

/* One octet every 20 ms, until the server has had enough; -1 when it never has. */
static int
drip(const char *start_text, const char *head)
{
	struct link link;
	int octets = 0;

	reach(&link, api_path);
	(void)say(&link, start_text);
	if (*start_text != '\0')
		hear(&link, &got[0]);
	(void)say(&link, head);
	while (octets < 1000 && !closed_within(&link, 20)) {
		(void)say(&link, "x");
		octets++;
	}
	leave(&link);
	return octets < 1000 ? octets : -1;
}

static void
client_that_drips(void)
{
	drops[0] = drip("", "GET /v1/");
	drops[1] = drip("", "GET /v1/health HTTP/1.1\r\nX: ");
	drops[2] = drip("", POST("Content-Length: 5000\r\n", ""));
	drops[3] = drip("", POST("Transfer-Encoding: chunked\r\n", "1000\r\n"));
	drops[4] = drip(GET("/v1/health"), "GET /v1/health HTTP/1.1\r\nX: ");
	drops[5] = drip(GET("/v1/health"), "GET /v1/");
}

static void
clients_that_drip_are_cut_by_the_deadline_of_the_whole_request(void **state)
{
	struct http_server_limits limits = short_limits();

	(void)state;
	start(&limits);
	serve(client_that_drips);
	assert_int_equal(bench.calls, 2);
	assert_int_equal(http_server_pending(bench.server), 0);
	stop();
	for (unsigned i = 0; i < 6; i++)
		assert_in_range(drops[i], 3, 200); /* 20 ms each, deadlines of 400 to 600 ms */
}

static void
client_that_says_nothing(void)
{
	struct link fresh, idle;

	reach(&fresh, api_path);
	reach(&idle, api_path);
	(void)say(&idle, GET("/v1/health"));
	hear(&idle, &got[0]);
	got[1].status = closed(&fresh);
	got[2].status = closed(&idle);
	leave(&fresh);
	leave(&idle);
}

static void
silent_connections_are_closed(void **state)
{
	struct http_server_limits limits = short_limits();

	(void)state;
	start(&limits);
	serve(client_that_says_nothing);
	stop();
	assert_int_equal(got[0].status, 200);
	assert_true(got[1].status);
	assert_true(got[2].status);
}

static void
client_that_waits(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, GET("/v1/jobs/X/message"));
	hear(&link, &got[0]);
	leave(&link);
}

static void
a_client_that_waits_for_its_reply_is_not_cut(void **state)
{
	struct http_server_limits limits = short_limits();

	(void)state;
	limits.header_time = limits.total_time = limits.idle_time = 200; /* the reply takes 700 ms */
	start(&limits);
	serve(client_that_waits);
	stop();
	assert_int_equal(got[0].status, 200);
	assert_string_equal(got[0].body, "late");
}

static void
client_that_reads_nothing(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, GET("/v1/status"));
	for (unsigned i = 0; i < 1000 && !closed_within(&link, 20); i++)
		drops[0]++;
	leave(&link);
}

static void
a_client_that_never_reads_its_reply_is_cut(void **state)
{
	struct http_server_limits limits = short_limits();

	(void)state;
	limits.total_time = 300; /* and one second more for the megabyte */
	drops[0] = 0;
	start(&limits);
	serve(client_that_reads_nothing);
	stop();
	assert_in_range(drops[0], 0, 999);
}

/* -- clients that leave ---------------------------------------------------------------------------------------- */

/* Asks the server now and then until the loop's thread has counted so far, at most `rounds` times. */
static void
wait_for(const unsigned *counter, unsigned count, unsigned rounds)
{
	struct pollfd nothing = { -1, 0, 0 };
	struct reply reply;

	for (unsigned i = 0; i < rounds && __atomic_load_n(counter, __ATOMIC_SEQ_CST) < count; i++) {
		ask(GET("/v1/health"), &reply);
		(void)poll(&nothing, 1, 10);
	}
}

static void
client_that_vanishes(void)
{
	struct link link[8];

	for (unsigned i = 0; i < 8; i++) {
		reach(&link[i], api_path);
		(void)say(&link[i], GET("/v1/jobs?key=k"));
	}
	wait_for(&bench.held_count, 8, 1000);
	for (unsigned i = 0; i < 4; i++)
		leave(&link[i]);
	wait_for(&bench.gone, 4, 1000);
	for (unsigned i = 4; i < 8; i++)
		leave(&link[i]);
	wait_for(&bench.gone, 8, 1000);
}

static void
a_client_that_vanishes_while_it_waits_is_told_to_the_handler(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	serve(client_that_vanishes);
	assert_int_equal(bench.gone, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_null(bench.held[i]);
	assert_int_equal(http_server_pending(bench.server), 0);
	stop();
}

static void
client_that_half_closes(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, GET("/v1/jobs?key=half"));
	(void)shutdown(link.fd, SHUT_WR);
	wait_for(&bench.gone, 1, 40); /* 400 ms: it is looked at, and must not count as gone */
	ask(GET("/v1/jobs?key=other"), &got[1]);
	hear(&link, &got[0]);
	leave(&link);
}

static void
a_client_that_only_stopped_writing_still_gets_its_reply(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	bench.hold_until = 2;
	serve(client_that_half_closes);
	assert_int_equal(bench.gone, 0);
	stop();
	assert_string_equal(got[0].body, "half");
	assert_string_equal(got[1].body, "other");
}

static void
client_that_half_closes_and_leaves(void)
{
	struct link link;

	reach(&link, api_path);
	/* pipelined: what comes after the request must not hide that the client is gone */
	(void)say(&link, GET("/v1/jobs?key=half") GET("/v1/health"));
	(void)shutdown(link.fd, SHUT_WR);
	wait_for(&bench.gone, 1, 30);
	drops[0] = (int)__atomic_load_n(&bench.gone, __ATOMIC_SEQ_CST);
	leave(&link);
	wait_for(&bench.gone, 1, 1000);
}

static void
a_client_that_stopped_writing_and_then_leaves_is_noticed(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	serve(client_that_half_closes_and_leaves);
	assert_int_equal(drops[0], 0);
	assert_int_equal(bench.gone, 1);
	stop();
}

static void
client_that_vanishes_unwatched(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, GET("/v1/jobs/X/message"));
	wait_for(&bench.late_count, 2, 1000);
	leave(&link);
	wait_for(&bench.late_count, 3, 1000); /* its reply was given */
	ask(GET("/v1/jobs/still"), &got[0]);
}

static void
a_reply_for_a_client_that_is_gone_goes_nowhere(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	serve(client_that_vanishes_unwatched);
	assert_int_equal(bench.late_count, 3);
	assert_int_equal(bench.gone, 0);
	assert_string_equal(got[0].body, "still");
	assert_int_equal(http_server_pending(bench.server), 0);
	stop();
}

/* -- the end --------------------------------------------------------------------------------------------------- */

static void
client_of_one_that_stops(void)
{
	struct link idle, link;

	reach(&idle, api_path);
	(void)say(&idle, GET("/v1/health"));
	hear(&idle, &got[0]);
	reach(&link, api_path);
	/* the second request is there when the first one's handler begins the stop */
	(void)say(&link, GET("/v1/jobs?key=last"));
	got[1].status = closed(&idle);
	hear(&link, &got[2]);
	got[3].status = closed(&link);
	leave(&idle);
	leave(&link);
}

static void
what_was_begun_before_the_stop_is_finished(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	bench.quiesce_when_held = true;
	bench.hold_until = 1;
	serve(client_of_one_that_stops);
	assert_int_equal(http_server_pending(bench.server), 0);
	stop();
	assert_int_equal(got[0].status, 200);
	assert_true(got[1].status);
	assert_string_equal(got[2].body, "last");
	assert_non_null(strstr(got[2].head, "Connection: close\r\n"));
	assert_true(got[3].status);
}

static void
client_that_comes_too_late(void)
{
	struct link early, link;

	reach(&link, api_path);
	(void)say(&link, POST("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
	hear(&link, &got[0]); /* its headers were read before the stop */
	reach(&early, api_path);
	(void)say(&early, "GET /v1/health HTTP/1.1\r\n");
	ask(GET("/v1/jobs?key=stop"), &got[1]);
	(void)say(&link, "hi");
	hear(&link, &got[2]);
	(void)say(&early, "\r\n");
	hear(&early, &got[3]);
	leave(&early);
	leave(&link);
}

static void
a_request_that_begins_after_the_stop_is_told_so(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	bench.quiesce_when_held = true;
	bench.hold_until = 1;
	serve(client_that_comes_too_late);
	stop();
	assert_int_equal(got[0].status, 100);
	assert_string_equal(got[1].body, "stop");
	assert_int_equal(got[2].status, 202);
	assert_int_equal(got[3].status, 503);
	assert_non_null(strstr(got[3].body, "\"code\":\"stopping\""));
	assert_non_null(strstr(got[3].head, "Retry-After: "));
}

static void
client_that_leaves_work_behind(void)
{
	static struct link link[6];

	for (unsigned i = 0; i < 6; i++)
		reach(&link[i], api_path);
	(void)say(&link[0], GET("/v1/jobs?key=k"));
	(void)say(&link[1], GET("/v1/jobs?key=k"));
	(void)say(&link[2], GET("/v1/jobs/X/message"));
	(void)say(&link[3], POST("Content-Length: 100000\r\n", "half of it"));
	(void)say(&link[4], "GET /v1/health HTTP/1.1\r\nX: ");
	(void)say(&link[5], GET("/v1/health"));
	hear(&link[5], &got[0]);
	wait_for(&bench.held_count, 2, 1000);
	wait_for(&bench.gone, 1, 5);
	drops[0] = link[0].fd; /* closed by the test, after the server's end */
}

static void
a_server_may_end_with_requests_under_way(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	bench.never_late = true;
	serve(client_that_leaves_work_behind);
	assert_int_equal(bench.held_count, 2);
	assert_int_equal(http_server_pending(bench.server), 4);
	stop();
	assert_int_equal(bench.gone, 3);
	for (int fd = drops[0]; fd < drops[0] + 6; fd++)
		(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_that_drip_are_cut_by_the_deadline_of_the_whole_request),
		cmocka_unit_test(silent_connections_are_closed),
		cmocka_unit_test(a_client_that_waits_for_its_reply_is_not_cut),
		cmocka_unit_test(a_client_that_never_reads_its_reply_is_cut),
		cmocka_unit_test(a_client_that_vanishes_while_it_waits_is_told_to_the_handler),
		cmocka_unit_test(a_client_that_only_stopped_writing_still_gets_its_reply),
		cmocka_unit_test(a_client_that_stopped_writing_and_then_leaves_is_noticed),
		cmocka_unit_test(a_reply_for_a_client_that_is_gone_goes_nowhere),
		cmocka_unit_test(what_was_begun_before_the_stop_is_finished),
		cmocka_unit_test(a_request_that_begins_after_the_stop_is_told_so),
		cmocka_unit_test(a_server_may_end_with_requests_under_way),
	};

	return cmocka_run_group_tests_name("http_server_slow", tests, bench_begin, bench_end);
}
