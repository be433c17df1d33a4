/* SPDX-License-Identifier: Apache-2.0 */
/* test_child.c - commands that are run for what they print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/child.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char out[65536];
static size_t len;
static struct nd_why why;

static enum nd_err
run(const char *command)
{
	memset(out, 0, sizeof(out));
	memset(&why, 0, sizeof(why));
	return child_run(command, out, sizeof(out) - 1, &len, &why);
}

static void
refused(const char *command, enum nd_err err, const char *said)
{
	assert_int_equal(run(command), err);
	if (strstr(why.text, said) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, said);
	assert_null(strstr(why.text, "sesame"));
	assert_null(strstr(out, "sesame"));
}

static void
what_it_prints_is_what_counts(void **state)
{
	(void)state;
	assert_int_equal(run("/bin/echo \"open  sesame\" $HOME"), ND_OK);
	assert_string_equal(out, "open  sesame $HOME\n");
	assert_int_equal(len, strlen(out));
	assert_int_equal(run("/bin/sh -c \"echo warning >&2; printf sesame\""), ND_OK);
	assert_string_equal(out, "sesame");
}

static void
its_environment_is_small_and_its_input_empty(void **state)
{
	(void)state;
	assert_int_equal(setenv("ND_SECRET_OF_OURS", "sesame", 1), 0);
	assert_int_equal(run("/usr/bin/env"), ND_OK);
	assert_null(strstr(out, "sesame"));
	assert_non_null(strstr(out, "PATH=/usr/local/sbin:"));
	assert_int_equal(run("/bin/cat"), ND_OK);
	assert_int_equal(len, 0);
	/* no descriptor of ours: only 0, 1, 2 and the one that ls itself has open */
	assert_int_equal(dup2(0, 77), 77);
	assert_int_equal(run("/bin/sh -c \"ls /proc/self/fd | wc -l\""), ND_OK);
	assert_string_equal(out, "4\n");
	(void)close(77);
}

static void
a_failure_is_told_by_the_first_line_of_standard_error(void **state)
{
	(void)state;
	refused("/bin/sh -c \"echo sesame; echo the vault is sealed >&2; echo more >&2; exit 3\"", ND_ESECRET,
	    "/bin/sh ended with status 3: the vault is sealed");
	assert_null(strstr(why.text, "more"));
	refused("/bin/sh -c \"echo sesame; exit 1\"", ND_ESECRET, "ended with status 1");
	refused("/bin/sh -c \"printf '\\377\\376' >&2; exit 1\"", ND_ESECRET, "status 1: ??");
	refused("/bin/sh -c \"kill -9 $$\"", ND_ESECRET, "killed by signal 9");
	refused("/bin/sh -c \"exit 75\"", ND_EDEADLINE, "status 75");
	refused("/does/not/exist sesame", ND_ESECRET, "/does/not/exist cannot be run: No such file");
	refused("/etc/passwd", ND_ESECRET, "cannot be run: Permission denied");
}

static void
more_than_there_is_room_for_is_refused(void **state)
{
	(void)state;
	refused("/bin/sh -c \"head -c 70000 /dev/zero\"", ND_ESECRET, "more than 64 KiB");
	refused("/bin/sh -c \"exec cat /dev/zero\"", ND_ESECRET, "more than 64 KiB");
}

/* Whatever it started ends with it, so its pipes cannot hold us up. */
static void
what_it_left_behind_is_killed(void **state)
{
	pid_t left;

	(void)state;
	assert_int_equal(run("/bin/sh -c \"sleep 1000 & echo $!\""), ND_OK);
	left = (pid_t)strtol(out, NULL, 10);
	assert_true(left > 1);
	/* killed, and gone as soon as its new parent has taken note */
	for (int turn = 0; turn < 500 && kill(left, 0) == 0; turn++) {
		char path[64], state_line[256] = "";
		FILE *file;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)left);
		file = fopen(path, "r");
		if (file == NULL)
			break;
		if (fgets(state_line, sizeof(state_line), file) == NULL)
			state_line[0] = '\0';
		(void)fclose(file);
		if (strstr(state_line, ") Z") != NULL)
			return;
		(void)nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	}
	assert_true(kill(left, 0) != 0);
}

static void
one_that_does_not_end_is_killed_at_its_deadline(void **state)
{
	time_t before = time(NULL);

	(void)state;
	refused("/bin/sh -c \"echo sesame; echo waiting >&2; sleep 1000 & wait\"", ND_EDEADLINE,
	    "did not end within 10 s and was killed: waiting");
	assert_in_range(time(NULL) - before, CHILD_SECONDS - 1, CHILD_SECONDS + 20);
}

static void *
run_long(void *arg)
{
	char room[64];
	struct nd_why *said = arg;
	size_t count;

	return child_run("/bin/sh -c \"sleep 1000\"", room, sizeof(room), &count, said) == ND_OK ? arg : NULL;
}

/* The last test: nothing runs after it. */
static void
the_end_of_the_daemon_is_the_end_of_its_children(void **state)
{
	struct nd_why said = { 0 };
	pthread_t thread;
	void *got = &said;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run_long, &said), 0);
	child_stop(); /* before it starts, or while it runs: it comes to the same */
	assert_int_equal(pthread_join(thread, &got), 0);
	assert_null(got);
	assert_true(strstr(said.text, "notifyd ends") != NULL || strstr(said.text, "signal 9") != NULL);
	refused("/bin/echo sesame", ND_EDEADLINE, "was not run: notifyd ends");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_prints_is_what_counts),
		cmocka_unit_test(its_environment_is_small_and_its_input_empty),
		cmocka_unit_test(a_failure_is_told_by_the_first_line_of_standard_error),
		cmocka_unit_test(more_than_there_is_room_for_is_refused),
		cmocka_unit_test(what_it_left_behind_is_killed),
		cmocka_unit_test(one_that_does_not_end_is_killed_at_its_deadline),
		cmocka_unit_test(the_end_of_the_daemon_is_the_end_of_its_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
