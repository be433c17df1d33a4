/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_server.c - tests of the HTTP server: requests, refusals, bodies, admission. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/io/http_bench.h"

#include <sys/syscall.h>

/* -- ordinary requests ----------------------------------------------------------------------------------------- */

static void
client_of_both_sockets(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, GET("/v1/health?live=a%20b"));
	hear(&link, &got[0]);
	(void)say(&link, GET("/v1/jobs/abc%2Ed"));
	hear(&link, &got[1]);
	(void)say(&link, POST("User-Agent: rough\r\nContent-Length: 2\r\n", "hi"));
	hear(&link, &got[2]);
	(void)say(&link, "HEAD /v1/health HTTP/1.1\r\n\r\n");
	hear(&link, &got[3]); /* length_in() speaks of a body that does not come */
	leave(&link);
	reach(&link, admin_path);
	(void)say(&link, GET("/v1/health"));
	hear(&link, &got[4]);
	leave(&link);
}

static void
requests_reach_their_handlers_with_all_they_carry(void **state)
{
	struct http_server_limits limits = short_limits();
	char expected[80];

	(void)state;
	/* the HEAD reply above ends when the idle deadline closes the connection */
	start(&limits);
	serve(client_of_both_sockets);
	stop();
	(void)snprintf(expected, sizeof(expected), "uid=%u pid=%d operator=0 live=a b", geteuid(), (int)getpid());
	assert_int_equal(got[0].status, 200);
	assert_string_equal(got[0].body, expected);
	assert_non_null(strstr(got[0].head, "Content-Type: text/plain\r\n"));
	assert_null(strstr(got[0].head, "Server:"));
	assert_string_equal(got[1].body, "abc.d");
	assert_int_equal(got[2].status, 202);
	assert_string_equal(got[2].body, "2 3329 rough");
	assert_non_null(strstr(got[2].head, "Location: /v1/jobs/X\r\n"));
	assert_int_equal(got[3].status, 0);
	assert_int_equal(got[3].body_len, 0);
	assert_non_null(strstr(got[3].head, "HTTP/1.1 200 "));
	assert_non_null(strstr(got[4].body, "operator=1"));
}

static unsigned good;

static void
client_of_ten_thousand(void)
{
	struct link link;

	reach(&link, api_path);
	for (unsigned i = 0; i < 10000; i++) {
		(void)say(&link, i % 4 == 0 ? POST("Content-Length: 2\r\n", "hi") : GET("/v1/health"));
		hear(&link, &got[0]);
		good += got[0].status == (i % 4 == 0 ? 202 : 200);
	}
	leave(&link);
}

static void
ten_thousand_requests_on_one_connection_are_all_answered(void **state)
{
	(void)state;
	good = 0;
	start(&http_server_limits_default);
	serve(client_of_ten_thousand);
	assert_int_equal(good, 10000);
	assert_int_equal(bench.calls, 10000);
	assert_int_equal(http_server_pending(bench.server), 0);
	stop();
}

static void
client_that_pipelines(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(&link, GET("/v1/jobs/one") POST("Content-Length: 3\r\n", "abc")
			     POST("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n") GET("/v1/jobs/four"));
	for (unsigned i = 0; i < 4; i++)
		hear(&link, &got[i]);
	leave(&link);
}

static void
pipelined_requests_are_answered_in_their_order(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	serve(client_that_pipelines);
	stop();
	assert_string_equal(got[0].body, "one");
	assert_memory_equal(got[1].body, "3 ", 2);
	assert_memory_equal(got[2].body, "2 ", 2);
	assert_string_equal(got[3].body, "four");
}

static void
client_of_many_waiting(void)
{
	struct link link[HOLD_MAX];
	char text[80];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < HOLD_MAX; i++) {
			if (round == 0)
				reach(&link[i], api_path);
			(void)snprintf(text, sizeof(text), "GET /v1/jobs?key=%u.%u HTTP/1.1\r\n\r\n", round, i);
			(void)say(&link[i], text);
		}
		for (unsigned i = 0; i < HOLD_MAX; i++) {
			(void)snprintf(text, sizeof(text), "%u.%u", round, i);
			hear(&link[i], &got[i]);
			good += got[i].status == 200 && strcmp(got[i].body, text) == 0;
		}
	}
	for (unsigned i = 0; i < HOLD_MAX; i++)
		leave(&link[i]);
}

static void
deferred_replies_may_come_in_any_order(void **state)
{
	(void)state;
	good = 0;
	start(&http_server_limits_default);
	bench.hold_until = HOLD_MAX;
	serve(client_of_many_waiting);
	assert_int_equal(good, 3 * HOLD_MAX);
	assert_int_equal(bench.gone, 0);
	stop();
}

/* -- what is refused ------------------------------------------------------------------------------------------- */

#define BAD_HEADER "bad-request-header"

/* Just over what is taken. */
#define X256 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define X16 "xxxxxxxxxxxxxxxx"
#define X4K X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256
#define X8K X4K X4K
#define MANY X16_OF("&a=b") X16_OF("&a=b") X16_OF("&a=b") X16_OF("&a=b")
#define X16_OF(x) x x x x x x x x x x x x x x x x

struct refusal {
	const char *request;
	int status;
	const char *code, *said;
};

/* clang-format off */
static const struct refusal refusals[] = {
	{ POST("Content-Length: 2\r\nContent-Length: 2\r\n", "hi"), 400, BAD_HEADER, "more than one Content-Length" },
	{ POST("Content-Length: 2\r\nContent-Length: 40\r\n", "hi"), 400, BAD_HEADER, "more than one Content-Length" },
	{ POST("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "0\r\n\r\n"), 400, BAD_HEADER, "both" },
	{ POST("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, BAD_HEADER, "both" },
	{ POST("Transfer-Encoding: gzip\r\n", "hi"), 400, BAD_HEADER, "chunked" },
	{ POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
		400, BAD_HEADER, "chunked" },
	{ POST("Content-Length : 2\r\n", "hi"), 400, BAD_HEADER, "white space" },
	{ "POST /v1/jobs HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, BAD_HEADER, "HTTP/1.1" },
	{ POST("Origin: http://evil.example\r\nContent-Length: 2\r\n", "hi"), 403, "origin-refused", "web page" },
	{ "GET /v1/health HTTP/1.1\r\nOrigin: null\r\n\r\n", 403, "origin-refused", "web page" },
	{ GET("/v1/nothing"), 404, "not-found", "/v1/nothing" },
	{ "GET / HTTP/1.1\r\nHost: info\r\n\r\n", 404, "not-found", "http://localhost/v1/status" },
	{ GET("http://info/v1/status"), 400, "malformed", "send the path alone" },
	{ GET("info"), 400, "malformed", "send the path alone" },
	{ "OPTIONS * HTTP/1.1\r\n\r\n", 400, "malformed", "send the path alone" },
	{ GET("/v1/health%00x"), 400, "malformed", "%00" },
	{ GET("/v1/health?live=%00"), 400, "malformed", "%00" },
	{ GET("/v1/he%6"), 400, "malformed", "bad percent escape" },
	{ GET("/v1/health?live=%zz"), 400, "malformed", "bad percent escape" },
	{ GET("/v1/health?live=%ff"), 400, "malformed", "UTF-8" },
	{ GET("/v1/health?lives"), 400, "unknown-field", "did you mean \\\"live\\\"?" },
	{ GET("/v1/health?live=1&live=2"), 400, "malformed", "twice" },
	{ "DELETE /v1/jobs HTTP/1.1\r\n\r\n", 405, "method-not-allowed", "" },
	{ "PUT /v1/health HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", 405, "method-not-allowed", "" },
	{ POST("Content-Length: 200001\r\n", ""), 413, "too-big", "200000" },
	{ POST("Content-Length: 200001\r\nExpect: 100-continue\r\n", ""), 413, "too-big", "200000" },
	{ POST("Content-Length: 99999999999\r\n", ""), 413, "too-big", "200000" },
	{ GET("/v1/health?live=" X8K), 414, "uri-too-long", "send long values in the body" },
	{ "GET /v1/health HTTP/1.1\r\nX-Large: " X8K "\r\n\r\n", 431, "headers-too-big", "8192" },
	{ GET("/v1/health?a=b" MANY), 400, "malformed", "64 parameters" },
	{ GET("/v1/health?a=b" MANY MANY MANY MANY MANY), 400, "malformed", "64 parameters" },
};
/* clang-format on */
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static void
client_that_is_refused(void)
{
	for (size_t i = 0; i < REFUSALS; i++)
		ask(refusals[i].request, &got[i]);
}

static void
bad_requests_are_refused_in_words(void **state)
{
	char code[64];

	(void)state;
	assert_true(REFUSALS <= sizeof(got) / sizeof(got[0]));
	struct http_server_limits limits = short_limits();

	start(&limits);
	serve(client_that_is_refused);
	assert_int_equal(http_server_pending(bench.server), 0);
	stop();
	for (size_t i = 0; i < REFUSALS; i++) {
		const struct refusal *row = &refusals[i];

		(void)snprintf(code, sizeof(code), "\"code\":\"%s\"", row->code);
		if (got[i].status != row->status || strstr(got[i].body, code) == NULL ||
		    strstr(got[i].body, row->said) == NULL)
			fail_msg("%s\ngot %d %s%s", row->request, got[i].status, got[i].head, got[i].body);
		assert_non_null(strstr(got[i].head, "Content-Type: application/problem+json\r\n"));
		if (row->status == 405)
			assert_non_null(strstr(got[i].head, "\r\nAllow: ") ? strstr(got[i].head, "GET") : NULL);
	}
}

static void
client_with_odd_hosts(void)
{
	ask("GET /v1/health HTTP/1.1\r\n\r\n", &got[0]);
	ask("GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &got[1]);
	ask("GET /v1/health HTTP/1.0\r\n\r\n", &got[2]);
}

static void
on_a_unix_socket_any_host_will_do(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	serve(client_with_odd_hosts);
	stop();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(got[i].status, 200);
}

static void
client_with_large_heads(void)
{
	static char text[40000];
	struct link link;

	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "GET /", 5);
	reach(&link, api_path);
	(void)say(&link, text);
	hear(&link, &got[0]);
	leave(&link);
	memcpy(text, "GET /v1/health HTTP/1.1\r\nX-Large: ", 34);
	reach(&link, api_path);
	(void)say(&link, text);
	hear(&link, &got[1]);
	leave(&link);
}

static void
large_heads_are_cut(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	serve(client_with_large_heads);
	assert_int_equal(bench.calls, 0);
	stop();
	assert_int_equal(got[0].status, 414);
	assert_int_equal(got[1].status, 431);
}

static void
client_that_is_refused_and_goes_on(void)
{
	struct link link;

	reach(&link, api_path);
	(void)say(
	    &link, GET("/v1/nothing") "PUT /v1/jobs HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi" GET("/v1/jobs/still"));
	hear(&link, &got[0]);
	hear(&link, &got[1]);
	hear(&link, &got[2]);
	leave(&link);
}

static void
a_small_refused_request_leaves_the_connection_usable(void **state)
{
	(void)state;
	start(&http_server_limits_default);
	serve(client_that_is_refused_and_goes_on);
	stop();
	assert_int_equal(got[0].status, 404);
	assert_int_equal(got[1].status, 405);
	assert_string_equal(got[2].body, "still");
}

/* -- bodies ---------------------------------------------------------------------------------------------------- */

/* A chunked body of `octets` octets. */
static void
say_chunks(struct link *link, size_t octets)
{
	static char chunk[1000];
	char line[16];

	memset(chunk, 'c', sizeof(chunk));
	while (octets > 0) {
		size_t n = octets < sizeof(chunk) ? octets : sizeof(chunk);

		(void)snprintf(line, sizeof(line), "%zx\r\n", n);
		(void)say(link, line);
		(void)say_octets(link, chunk, n);
		(void)say(link, "\r\n");
		octets -= n;
	}
	(void)say(link, "0\r\n\r\n");
}

static void
client_with_bodies_at_the_limit(void)
{
	static char body[BODY_MAX];
	struct link link;

	memset(body, 'c', sizeof(body));
	reach(&link, api_path);
	(void)say(&link, POST("Content-Length: 200000\r\n", ""));
	(void)say_octets(&link, body, sizeof(body));
	hear(&link, &got[0]);
	(void)say(&link, POST("Transfer-Encoding: chunked\r\n", ""));
	say_chunks(&link, BODY_MAX);
	hear(&link, &got[1]);
	(void)say(&link, POST("Transfer-Encoding: chunked\r\n", ""));
	say_chunks(&link, BODY_MAX + 1);
	hear(&link, &got[2]);
	(void)say(&link, POST("Transfer-Encoding: chunked\r\n", ""));
	say_chunks(&link, 5 * BODY_MAX);
	hear(&link, &got[3]);
	(void)say(&link, GET("/v1/jobs/still"));
	hear(&link, &got[4]);
	leave(&link);
}

static void
a_body_may_reach_the_limit_both_ways_and_not_pass_it(void **state)
{
	struct http_server_limits limits = short_limits();

	(void)state;
	limits.total_time = ND_SEC(PATIENCE);
	start(&limits);
	serve(client_with_bodies_at_the_limit);
	assert_int_equal(bench.calls, 3);
	stop();
	assert_int_equal(got[0].status, 202);
	assert_memory_equal(got[0].body, "200000 ", 7);
	assert_string_equal(got[0].body, got[1].body); /* the same octets arrived */
	assert_int_equal(got[2].status, 413);
	assert_int_equal(got[3].status, 413);
	assert_non_null(strstr(got[3].body, "\"code\":\"too-big\""));
	assert_string_equal(got[4].body, "still");
}

static void
client_that_fills_the_memory(void)
{
	static char body[BODY_MAX];
	struct link big[2], small;

	memset(body, 'c', sizeof(body));
	for (unsigned i = 0; i < 2; i++) {
		reach(&big[i], api_path);
		(void)say(&big[i], POST("Content-Length: 100000\r\nExpect: 100-continue\r\n", ""));
		hear(&big[i], &got[6 + i]); /* "100 Continue": its memory is taken */
	}
	ask(POST("Content-Length: 65537\r\n", ""), &got[0]);
	reach(&small, api_path);
	(void)say(&small, POST("Content-Length: 65536\r\n", ""));
	(void)say_octets(&small, body, 65536);
	hear(&small, &got[1]);
	(void)say(&small, POST("Transfer-Encoding: chunked\r\n", ""));
	say_chunks(&small, 65536);
	hear(&small, &got[2]);
	(void)say(&small, POST("Transfer-Encoding: chunked\r\n", ""));
	say_chunks(&small, 65537);
	hear(&small, &got[3]);
	(void)say_octets(&big[0], body, 100000);
	hear(&big[0], &got[4]);
	leave(&big[1]); /* gives its memory back too */
	do
		ask(POST("Content-Length: 200000\r\nExpect: 100-continue\r\n", ""), &got[5]);
	while (got[5].status == 503);
	leave(&big[0]);
	leave(&small);
}

static void
large_bodies_share_the_memory_and_small_ones_always_get_in(void **state)
{
	struct http_server_limits limits = short_limits();

	(void)state;
	limits.memory = BODY_MAX;
	limits.header_time = limits.total_time = limits.idle_time = ND_SEC(PATIENCE);
	start(&limits);
	serve(client_that_fills_the_memory);
	stop();
	assert_non_null(strstr(got[0].body, "\"code\":\"memory\""));
	assert_non_null(strstr(got[0].head, "Retry-After: 1\r\n"));
	assert_int_equal(got[1].status, 202);
	assert_int_equal(got[2].status, 202);
	assert_int_equal(got[3].status, 503);
	assert_non_null(strstr(got[3].body, "\"code\":\"memory\""));
	assert_int_equal(got[4].status, 202);
	assert_int_equal(got[5].status, 100);
	assert_int_equal(got[6].status, 100);
	assert_int_equal(got[7].status, 100);
}

/* -- admission ------------------------------------------------------------------------------------------------- */

static void
client_of_too_many_connections(void)
{
	struct link link[6];

	for (unsigned i = 0; i < 4; i++) {
		reach(&link[i], api_path);
		(void)say(&link[i], GET("/v1/health"));
		hear(&link[i], &got[i]);
	}
	reach(&link[4], api_path);
	(void)say(&link[4], GET("/v1/health"));
	hear(&link[4], &got[4]);
	got[5].status = closed(&link[4]);
	leave(&link[4]);
	reach(&link[4], admin_path); /* operators get in */
	(void)say(&link[4], GET("/v1/health"));
	hear(&link[4], &got[6]);
	leave(&link[4]);
	leave(&link[2]);
	do
		ask(GET("/v1/health"), &got[7]);
	while (got[7].status == 503);
	do { /* until the server has seen that the last one left */
		reach(&link[2], api_path);
		(void)say(&link[2], GET("/v1/health"));
		hear(&link[2], &got[9]);
		if (got[9].status == 503)
			leave(&link[2]);
	} while (got[9].status == 503);
	reach(&link[5], api_path); /* refused, asks nothing, is sent away */
	got[8].status = closed(&link[5]);
	leave(&link[5]);
	for (unsigned i = 0; i < 4; i++)
		leave(&link[i]);
}

static void
one_connection_too_many_is_told_busy_and_closed(void **state)
{
	struct http_server_limits limits = short_limits();

	(void)state;
	limits.connections = 4;
	limits.idle_time = ND_SEC(PATIENCE);
	start(&limits);
	serve(client_of_too_many_connections);
	stop();
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(got[i].status, 200);
	assert_int_equal(got[4].status, 503);
	assert_non_null(strstr(got[4].body, "\"code\":\"busy\""));
	assert_non_null(strstr(got[4].head, "Retry-After: 1\r\n"));
	assert_true(got[5].status);
	assert_int_equal(got[6].status, 200);
	assert_int_equal(got[7].status, 200);
	assert_int_equal(got[9].status, 200);
	assert_true(got[8].status);
}

/* Of this thread alone: the raw call knows nothing of the others. */
static void
become(uid_t uid)
{
	if (syscall(SYS_setresuid, -1, 0, -1) != 0 || (uid != 0 && syscall(SYS_setresuid, -1, uid, -1) != 0))
		abort();
}

static void
client_of_one_user(void)
{
	bool root = geteuid() == 0;
	struct link link[4];

	if (root) {
		for (unsigned i = 0; i < 4; i++)
			reach(&link[i], api_path);
		for (unsigned i = 0; i < 4; i++) {
			(void)say(&link[i], GET("/v1/health"));
			hear(&link[i], &got[4 + i]);
			leave(&link[i]);
		}
		become(12345);
	}
	for (unsigned i = 0; i < 3; i++) {
		reach(&link[i], api_path);
		(void)say(&link[i], GET("/v1/health"));
		hear(&link[i], &got[i]);
	}
	if (root) {
		become(12346); /* another user has its own share */
		reach(&link[3], api_path);
		(void)say(&link[3], GET("/v1/health"));
		hear(&link[3], &got[3]);
		leave(&link[3]);
		become(0);
	}
	for (unsigned i = 0; i < 3; i++)
		leave(&link[i]);
}

static void
one_user_cannot_take_all_connections_but_root_may(void **state)
{
	struct http_server_limits limits = http_server_limits_default;

	(void)state;
	limits.connections_uid = 2;
	start(&limits);
	serve(client_of_one_user);
	stop();
	assert_int_equal(got[0].status, 200);
	assert_int_equal(got[1].status, 200);
	assert_int_equal(got[2].status, 503);
	assert_non_null(strstr(got[2].body, "\"code\":\"busy\""));
	if (geteuid() != 0)
		return;
	assert_memory_equal(got[0].body, "uid=12345 ", 10);
	for (unsigned i = 3; i < 8; i++)
		assert_int_equal(got[i].status, 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_reach_their_handlers_with_all_they_carry),
		cmocka_unit_test(ten_thousand_requests_on_one_connection_are_all_answered),
		cmocka_unit_test(pipelined_requests_are_answered_in_their_order),
		cmocka_unit_test(deferred_replies_may_come_in_any_order),
		cmocka_unit_test(bad_requests_are_refused_in_words),
		cmocka_unit_test(on_a_unix_socket_any_host_will_do),
		cmocka_unit_test(large_heads_are_cut),
		cmocka_unit_test(a_small_refused_request_leaves_the_connection_usable),
		cmocka_unit_test(a_body_may_reach_the_limit_both_ways_and_not_pass_it),
		cmocka_unit_test(large_bodies_share_the_memory_and_small_ones_always_get_in),
		cmocka_unit_test(one_connection_too_many_is_told_busy_and_closed),
		cmocka_unit_test(one_user_cannot_take_all_connections_but_root_may),
	};

	return cmocka_run_group_tests_name("http_server", tests, bench_begin, bench_end);
}
