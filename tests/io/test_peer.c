/* SPDX-License-Identifier: Apache-2.0 */
/* test_peer.c - tests of telling who is at the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/peer.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void
the_peer_is_known_by_its_kernel_given_numbers(void **state)
{
	struct access_peer peer;
	int pair[2];

	(void)state;
	memset(&peer, 0xff, sizeof(peer));
	peer.operator_right = true;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peer_read(pair[0], &peer);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_int_equal(peer.pid, getpid());
	assert_true(peer.operator_right); /* the socket's word, not the peer's */
	assert_string_equal(peer.comm, "test_peer");
	assert_true(memchr(peer.unit, '\0', sizeof(peer.unit)) != NULL);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void
a_name_with_control_characters_is_made_printable(void **state)
{
	struct access_peer peer = { 0 };
	int pair[2];

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, "a\x1b[31m\xff"), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peer_read(pair[0], &peer);
	assert_int_equal(prctl(PR_SET_NAME, "test_peer"), 0);
	for (const char *c = peer.comm; *c != '\0'; c++)
		assert_true(*c >= 0x20 && *c < 0x7f);
	assert_int_equal(peer.comm[0], 'a');
	(void)close(pair[0]);
	(void)close(pair[1]);
}

/* A process that connected and has ended since: the numbers stay, what /proc knew is empty. */
static void
of_a_process_that_is_gone_the_numbers_stay(void **state)
{
	struct access_peer peer = { 0 };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(name);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, status;
	pid_t child;

	(void)state;
	/* autobind: an abstract name that nobody else has */
	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &len), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, len) != 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	peer_read(fd, &peer);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.pid, child);
	assert_string_equal(peer.unit, "");
	assert_string_equal(peer.comm, "");
	(void)close(fd);
	(void)close(listener);
}

static void
what_is_no_unix_socket_has_nobodys_numbers(void **state)
{
	struct access_peer peer = { 0 };
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	peer_read(pipes[0], &peer);
	assert_int_equal(peer.uid, UINT32_MAX);
	assert_int_equal(peer.pid, 0);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_peer_is_known_by_its_kernel_given_numbers),
		cmocka_unit_test(a_name_with_control_characters_is_made_printable),
		cmocka_unit_test(of_a_process_that_is_gone_the_numbers_stay),
		cmocka_unit_test(what_is_no_unix_socket_has_nobodys_numbers),
	};

	/* Named by the test, whatever the file is called. */
	if (prctl(PR_SET_NAME, "test_peer") != 0)
		return 1;
	return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
