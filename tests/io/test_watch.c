/* SPDX-License-Identifier: Apache-2.0 */
/* test_watch.c - files that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/nd-watch-XXXXXX";
static struct loop *loop;
static struct watch *watch;
static char told[128];
static unsigned count;

static const char *
in(const char *name)
{
	static char path[2][128];
	static unsigned turn;

	turn = !turn;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static void
put(const char *name, const char *text)
{
	int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void
changed(void *arg, const char *path)
{
	(void)arg;
	(void)snprintf(told, sizeof(told), "%s", path + strlen(folder) + 1);
	count++;
	loop_stop(loop);
}

static void
give_up(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* What is told within `patience`; "" nothing. */
static const char *
wait_for(nd_ms patience)
{
	struct loop_timer *timer = loop_timer_new(loop, give_up, NULL);

	told[0] = '\0';
	loop_timer_set(timer, loop_now(loop).ms + patience);
	loop_run(loop);
	loop_timer_free(timer);
	return told;
}

static int
start(void **state)
{
	(void)state;
	loop = loop_new();
	watch = watch_new(loop, changed, NULL);
	put("a", "1");
	put("b", "1");
	return 0;
}

static int
stop(void **state)
{
	static const char *const names[] = { "a", "b", "c", "new", "link", "link2" };

	(void)state;
	watch_free(watch);
	loop_free(loop);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(in(names[i]));
	return 0;
}

static void
a_file_that_is_written_is_told(void **state)
{
	(void)state;
	watch_add(watch, in("a"));
	watch_add(watch, in("b"));
	put("b", "22");
	assert_string_equal(wait_for(ND_SEC(20)), "b");
	put("a", "22");
	assert_string_equal(wait_for(ND_SEC(20)), "a");
	assert_int_equal(chmod(in("a"), 0640), 0);
	assert_string_equal(wait_for(ND_SEC(20)), "a");
}

static void
a_file_that_is_replaced_or_made_is_told(void **state)
{
	(void)state;
	watch_add(watch, in("a"));
	watch_add(watch, in("c"));
	put("new", "1");
	assert_int_equal(rename(in("new"), in("a")), 0);
	assert_string_equal(wait_for(ND_SEC(20)), "a");
	put("c", "1");
	assert_string_equal(wait_for(ND_SEC(20)), "c");
}

/* As Kubernetes renews what it mounts. */
static void
a_link_that_turns_to_another_file_is_told(void **state)
{
	(void)state;
	assert_int_equal(symlink("a", in("link")), 0);
	watch_add(watch, in("link"));
	assert_int_equal(symlink("b", in("link2")), 0);
	assert_int_equal(rename(in("link2"), in("link")), 0);
	assert_string_equal(wait_for(ND_SEC(20)), "link");
}

static void
what_is_not_watched_or_did_not_change_is_not_told(void **state)
{
	(void)state;
	watch_add(watch, in("a"));
	watch_add(watch, "/does/not/exist/x");
	watch_add(watch, "x");
	count = 0;
	put("b", "333");
	assert_int_equal(unlink(in("a")), 0);
	assert_string_equal(wait_for(300), "");
	assert_int_equal(count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_that_is_written_is_told, start, stop),
		cmocka_unit_test_setup_teardown(a_file_that_is_replaced_or_made_is_told, start, stop),
		cmocka_unit_test_setup_teardown(a_link_that_turns_to_another_file_is_told, start, stop),
		cmocka_unit_test_setup_teardown(what_is_not_watched_or_did_not_change_is_not_told, start, stop),
	};
	int failed;

	if (mkdtemp(folder) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(folder);
	return failed;
}
