/* SPDX-License-Identifier: Apache-2.0 */
/* test_listen.c - tests of the listening sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/listen.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/notifyd-listen-XXXXXX";

static const char *
path_of(const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static struct sockaddr_un
address_of(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = path_of(name);

	assert_true(strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	return address;
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(path_of(name), &st), 0);
	return st.st_mode & 07777;
}

static bool
exists(const char *name)
{
	struct stat st;

	return lstat(path_of(name), &st) == 0;
}

static int
reach(const char *name)
{
	struct sockaddr_un address = address_of(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;

	(void)close(fd);
	return result;
}

/* A socket file whose process is dead. */
static void
leave_stale(const char *name)
{
	struct sockaddr_un address = address_of(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)close(fd);
	assert_int_equal(reach(name), ECONNREFUSED);
}

static void
our_own_sockets_have_the_right_modes_and_vanish_at_the_end(void **state)
{
	const struct group *group = getgrnam("notifyd-admin");
	struct listen_set set;
	struct nd_why why;
	mode_t mask;

	(void)state;
	mask = umask(0077);
	assert_int_equal(listen_open(path_of("n.sock"), &set, &why), ND_OK);
	assert_int_equal(umask(mask), 0077); /* given back */
	assert_int_equal(set.count, 2);
	assert_string_equal(set.socket[0].path, path_of("n.sock"));
	assert_false(set.socket[0].admin);
	assert_string_equal(set.socket[1].path, path_of("n-admin.sock"));
	assert_true(set.socket[1].admin);
	assert_true(set.socket[0].own && set.socket[1].own);
	assert_int_equal(mode_of("n.sock"), 0666);
	if (group == NULL)
		assert_int_equal(mode_of("n-admin.sock"), 0600);
	else
		assert_true(mode_of("n-admin.sock") == 0660 || geteuid() != 0);
	for (unsigned i = 0; i < set.count; i++) {
		assert_true(fcntl(set.socket[i].fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(set.socket[i].fd, F_GETFD) & FD_CLOEXEC);
	}
	assert_int_equal(reach("n.sock"), 0);
	assert_int_equal(reach("n-admin.sock"), 0);
	listen_close(&set);
	assert_false(exists("n.sock"));
	assert_false(exists("n-admin.sock"));
	listen_close(&set); /* again: nothing */
}

static void
a_stale_file_is_replaced(void **state)
{
	struct listen_set set;
	struct nd_why why;

	(void)state;
	leave_stale("s.sock");
	leave_stale("s-admin.sock");
	assert_int_equal(listen_open(path_of("s.sock"), &set, &why), ND_OK);
	assert_int_equal(reach("s.sock"), 0);
	listen_close(&set);
}

static void
a_socket_on_which_somebody_answers_is_left_alone(void **state)
{
	struct listen_set first, second = { .count = 77 };
	struct nd_why why;

	(void)state;
	assert_int_equal(listen_open(path_of("t.sock"), &first, &why), ND_OK);
	assert_int_equal(listen_open(path_of("t.sock"), &second, &why), ND_ELOCKED);
	assert_non_null(strstr(why.text, "another program answers on"));
	assert_non_null(strstr(why.text, "t.sock"));
	assert_int_equal(second.count, 77); /* untouched */
	assert_int_equal(reach("t.sock"), 0);
	assert_true(exists("t-admin.sock"));
	listen_close(&first);
}

static void
what_was_opened_before_a_failure_is_closed_again(void **state)
{
	struct listen_set first, second;
	struct nd_why why;

	(void)state;
	assert_int_equal(listen_open(path_of("u.sock"), &first, &why), ND_OK);
	assert_int_equal(unlink(path_of("u.sock")), 0); /* u-admin.sock still answers */
	assert_int_equal(listen_open(path_of("u.sock"), &second, &why), ND_ELOCKED);
	assert_false(exists("u.sock"));
	listen_close(&first);
}

static void
a_file_that_is_no_socket_stays(void **state)
{
	struct listen_set set;
	struct nd_why why;
	int fd = open(path_of("plain"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(listen_open(path_of("plain"), &set, &why), ND_ECONF);
	assert_non_null(strstr(why.text, "no socket"));
	assert_true(exists("plain"));
	assert_int_equal(symlink("nowhere", path_of("link")), 0);
	assert_int_equal(listen_open(path_of("link"), &set, &why), ND_ECONF);
	assert_int_equal(unlink(path_of("plain")) | unlink(path_of("link")), 0);
}

static void
a_path_that_does_not_fit_is_refused_in_words(void **state)
{
	char name[120];
	struct listen_set set;
	struct nd_why why;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[108 - 1 - (strlen(folder) + 1)] = '\0'; /* 107 octets: fits, but not the operator's beside it */
	assert_int_equal(listen_open(path_of(name), &set, &why), ND_ECONF);
	assert_non_null(strstr(why.text, "beside it would be too long"));
	assert_false(exists(name));
	assert_int_equal(listen_open("", &set, &why), ND_ECONF);
	assert_int_equal(listen_open(path_of("no/such/folder.sock"), &set, &why), ND_ECONF);
	assert_int_equal(why.sys_errno, ENOENT);
}

/* -- what systemd passes: descriptors from 3 on, so in a process of its own ------------------------------------ */

struct passed {
	const char *names;
	unsigned count;
	int type; /* of the sockets */
	enum nd_err expected;
	const char *said;
};

static int
passed_socket(const char *name, int type)
{
	struct sockaddr_un address = address_of(name);
	int fd = socket(AF_UNIX, type, 0);

	(void)unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		_exit(90);
	if (type == SOCK_STREAM && listen(fd, 5) != 0)
		_exit(91);
	return fd;
}

static int
child_checks(const struct passed *row)
{
	struct listen_set set = { .count = 0 };
	struct nd_why why;
	enum nd_err err = listen_open(path_of("unused.sock"), &set, &why);

	if (err != row->expected)
		return 1;
	if (err != ND_OK)
		return strstr(why.text, row->said) == NULL || set.count != 0 || fcntl(3, F_GETFD) != -1;
	if (set.count != 3 || set.socket[0].admin || set.socket[1].admin || !set.socket[2].admin)
		return 2;
	if (strcmp(set.socket[2].path, path_of("p2")) != 0 || set.socket[2].fd != 5 || set.socket[2].own)
		return 3;
	if (!(fcntl(3, F_GETFL) & O_NONBLOCK) || !(fcntl(3, F_GETFD) & FD_CLOEXEC))
		return 4;
	if (getenv("LISTEN_FDS") != NULL || exists("unused.sock"))
		return 5;
	listen_close(&set);
	return exists("p2") ? 0 : 6; /* systemd's to remove */
}

static void
child_runs(const struct passed *row)
{
	char text[16], name[16];
	int fds[3];

	for (unsigned i = 0; i < row->count; i++) {
		(void)snprintf(name, sizeof(name), "p%u", i);
		fds[i] = fcntl(passed_socket(name, row->type), F_DUPFD, 40);
	}
	for (unsigned i = 0; i < row->count; i++)
		if (dup2(fds[i], 3 + (int)i) < 0)
			_exit(92);
	(void)snprintf(text, sizeof(text), "%d", (int)getpid());
	(void)setenv("LISTEN_PID", text, 1);
	(void)snprintf(text, sizeof(text), "%u", row->count);
	(void)setenv("LISTEN_FDS", text, 1);
	(void)setenv("LISTEN_FDNAMES", row->names, 1);
	_exit(child_checks(row));
}

static void
run_passed(const struct passed *row)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		child_runs(row);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
sockets_of_systemd_are_told_apart_by_name(void **state)
{
	const struct passed row = { "api:api:admin", 3, SOCK_STREAM, ND_OK, NULL };

	(void)state;
	run_passed(&row);
}

static void
an_unknown_name_is_refused_in_words(void **state)
{
	const struct passed row = { "notifyd.socket", 1, SOCK_STREAM, ND_ECONF, "named \"notifyd.socket\"" };

	(void)state;
	run_passed(&row);
}

static void
something_else_than_a_listening_stream_is_refused(void **state)
{
	const struct passed row = { "api", 1, SOCK_DGRAM, ND_ECONF, "something else" };

	(void)state;
	run_passed(&row);
}

static int
begin(void **state)
{
	(void)state;
	nd_log_level(ND_LOG_ERR);
	return mkdtemp(folder) == NULL;
}

static int
end(void **state)
{
	(void)state;
	(void)unlink(path_of("p0"));
	(void)unlink(path_of("p1"));
	(void)unlink(path_of("p2"));
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_sockets_have_the_right_modes_and_vanish_at_the_end),
		cmocka_unit_test(a_stale_file_is_replaced),
		cmocka_unit_test(a_socket_on_which_somebody_answers_is_left_alone),
		cmocka_unit_test(what_was_opened_before_a_failure_is_closed_again),
		cmocka_unit_test(a_file_that_is_no_socket_stays),
		cmocka_unit_test(a_path_that_does_not_fit_is_refused_in_words),
		cmocka_unit_test(sockets_of_systemd_are_told_apart_by_name),
		cmocka_unit_test(an_unknown_name_is_refused_in_words),
		cmocka_unit_test(something_else_than_a_listening_stream_is_refused),
	};

	return cmocka_run_group_tests_name("listen", tests, begin, end);
}
