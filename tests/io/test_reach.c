/* SPDX-License-Identifier: Apache-2.0 */
/* test_reach.c - a server that can be reached, one that refuses, one whose name nobody knows, one that stays silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/reach.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *the_loop;
static struct resolver *the_resolver;
static struct reach_result got;

static int
open_loop(void **state)
{
	(void)state;
	the_loop = loop_new();
	the_resolver = resolver_new(the_loop);
	return 0;
}

static int
close_loop(void **state)
{
	(void)state;
	resolver_free(the_resolver);
	loop_free(the_loop);
	return 0;
}

static void
note(void *arg, const struct reach_result *result)
{
	(void)arg;
	got = *result;
	loop_stop(the_loop);
}

static void
visit(const char *host, uint16_t port, nd_ms patience)
{
	struct reach *reach;

	memset(&got, 0, sizeof(got));
	reach = reach_new(the_loop, the_resolver, host, port, patience, note, NULL);
	loop_run(the_loop);
	reach_free(reach);
}

/* A port of this host; backlog < 0: it is bound, and nobody listens. */
static int
open_port(int backlog, uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void
one_that_listens_is_reached(void **state)
{
	uint16_t port;
	const int fd = open_port(5, &port);

	(void)state;
	visit("127.0.0.1", port, ND_SEC(20));
	assert_int_equal(got.count, 1);
	assert_string_equal(got.first, "127.0.0.1");
	assert_string_equal(got.address, "127.0.0.1");
	assert_int_equal(got.why.err, ND_OK);
	(void)close(fd);
}

static void
one_that_refuses_is_told(void **state)
{
	uint16_t port;
	const int fd = open_port(-1, &port);

	(void)state;
	visit("127.0.0.1", port, ND_SEC(20));
	assert_int_equal(got.count, 1);
	assert_string_equal(got.address, "");
	assert_int_equal(got.why.err, ND_ECONNECT);
	assert_non_null(strstr(got.why.text, "Connection refused"));
	(void)close(fd);
}

static void
a_name_that_nobody_knows_is_told(void **state)
{
	(void)state;
	visit("no such name.invalid", 587, ND_SEC(20));
	assert_int_equal(got.count, 0);
	assert_int_equal(got.why.err, ND_ERESOLVE);
}

/* The queue of a listener that accepts nothing is full: further connections are not answered. */
static void
one_that_stays_silent_is_given_up_in_time(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fillers[8];
	uint16_t port;
	const int fd = open_port(0, &port);

	(void)state;
	address.sin_port = htons(port);
	for (size_t i = 0; i < 8; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fillers[i], (const struct sockaddr *)&address, sizeof(address));
	}
	visit("127.0.0.1", port, 300);
	assert_string_equal(got.address, "");
	assert_int_equal(got.why.err, ND_EDEADLINE);
	for (size_t i = 0; i < 8; i++)
		(void)close(fillers[i]);
	(void)close(fd);
}

static void
one_that_is_let_go_tells_nothing(void **state)
{
	(void)state;
	memset(&got, 0, sizeof(got));
	reach_free(reach_new(the_loop, the_resolver, "127.0.0.1", 1, ND_SEC(20), note, NULL));
	reach_free(NULL);
	loop_soon(the_loop, (loop_fn *)loop_stop, the_loop);
	loop_run(the_loop);
	assert_int_equal(got.count, 0);
	assert_int_equal(got.why.err, ND_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_that_listens_is_reached, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(one_that_refuses_is_told, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(a_name_that_nobody_knows_is_told, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(one_that_stays_silent_is_given_up_in_time, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(one_that_is_let_go_tells_nothing, open_loop, close_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
