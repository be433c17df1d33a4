/* SPDX-License-Identifier: Apache-2.0 */
/* test_filer.c - tests of small files written durably. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/filer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128], fresh[160];

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/notifyd-filer-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/token", folder);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(fresh);
	return rmdir(folder); /* fails when a test left something behind */
}

static void
holds(const char *want)
{
	struct nd_why why = { .err = ND_OK };
	char *octets = NULL;
	size_t len = 0;

	assert_int_equal(filer_read(path, 1000, &octets, &len, &why), ND_OK);
	assert_int_equal(len, strlen(want));
	assert_string_equal(octets, want); /* the NUL after the end too */
	free(octets);
}

static void
what_is_written_is_read_and_private(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(filer_write(path, "one", 3, NULL), ND_OK);
	holds("one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(filer_write(path, "zwei ほか", strlen("zwei ほか"), NULL), ND_OK);
	holds("zwei ほか");
	assert_int_equal(filer_write(path, "", 0, NULL), ND_OK);
	holds("");
	assert_int_not_equal(access(fresh, F_OK), 0);
}

static void
a_new_file_that_a_crash_left_is_not_written_through(void **state)
{
	struct stat st;
	char victim[160];

	(void)state;
	(void)snprintf(victim, sizeof(victim), "%s/victim", folder);
	assert_int_equal(symlink(victim, fresh), 0);
	assert_int_equal(filer_write(path, "secret", 6, NULL), ND_OK);
	holds("secret");
	assert_int_not_equal(access(victim, F_OK), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void
a_file_is_created_only_where_nothing_is(void **state)
{
	struct nd_why why = { .err = ND_OK };
	struct stat st;

	(void)state;
	assert_int_equal(filer_create(path, 0644, "one", 3, &why), ND_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(filer_create(path, 0600, "two", 3, &why), ND_ESTATE);
	holds("one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_not_equal(access(fresh, F_OK), 0);
}

static void
a_write_that_fails_leaves_the_old_octets(void **state)
{
	struct rlimit old, small;
	struct nd_why why = { .err = ND_OK };
	char big[9000];

	(void)state;
	assert_int_equal(filer_write(path, "old", 3, NULL), ND_OK);
	memset(big, 'x', sizeof(big));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	small = old;
	small.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(filer_write(path, big, sizeof(big), &why), ND_EDISK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(strstr(why.text, "cannot be written"));
	holds("old");
	assert_int_not_equal(access(fresh, F_OK), 0);
	assert_int_equal(filer_write("/nonexistent/folder/file", "x", 1, &why), ND_EDISK);
}

static void
reading_tells_what_is_wrong_and_touches_nothing(void **state)
{
	struct nd_why why = { .err = ND_OK };
	char *octets = (char *)&why;
	size_t len = 77;

	(void)state;
	assert_int_equal(filer_read(path, 10, &octets, &len, &why), ND_ENOTFOUND);
	assert_int_equal(filer_write(path, "0123456789", 10, NULL), ND_OK);
	assert_int_equal(filer_read(path, 9, &octets, &len, &why), ND_ETOOBIG);
	assert_non_null(strstr(why.text, "9 octets"));
	assert_int_equal(filer_read(folder, 10, &octets, &len, &why), ND_EDISK);
	assert_ptr_equal(octets, &why);
	assert_int_equal(len, 77);
	assert_int_equal(filer_read(path, 10, &octets, &len, &why), ND_OK);
	assert_int_equal(len, 10);
	free(octets);
}

static void
a_file_without_a_size_is_read_to_its_end(void **state)
{
	char *octets = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(filer_read("/proc/sys/kernel/random/boot_id", 64, &octets, &len, NULL), ND_OK);
	assert_int_equal(len, 37);
	free(octets);
	assert_int_equal(filer_read("/proc/self/maps", 100, &octets, &len, NULL), ND_ETOOBIG);
}

static void
a_folder_is_made_once(void **state)
{
	struct nd_why why = { .err = ND_OK };
	struct stat st;

	(void)state;
	assert_int_equal(filer_mkdir(path, &why), ND_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(filer_mkdir(path, &why), ND_OK);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(filer_write(path, "x", 1, NULL), ND_OK);
	assert_int_equal(filer_mkdir(path, &why), ND_EDISK);
}

static struct {
	struct loop *loop;
	enum nd_err err[2];
	unsigned count;
} answers;

static void
answered(void *arg, enum nd_err err, const struct nd_why *why)
{
	assert_int_equal(err, why->err);
	*(enum nd_err *)arg = err;
	if (++answers.count == 2)
		loop_stop(answers.loop);
}

static void
a_later_write_copies_its_octets_and_answers_on_the_loop(void **state)
{
	struct worker *files = worker_new("files", 1);
	char octets[] = "token";

	(void)state;
	answers.loop = loop_new();
	answers.count = 0;
	answers.err[0] = ND_EBUG;
	filer_write_later(files, answers.loop, path, octets, 5, answered, &answers.err[0]);
	filer_write_later(files, answers.loop, "/nonexistent/folder/file", octets, 5, answered, &answers.err[1]);
	memset(octets, 'x', 5);
	loop_run(answers.loop);
	assert_int_equal(answers.err[0], ND_OK);
	assert_int_equal(answers.err[1], ND_EDISK);
	holds("token");
	worker_free(files);
	loop_free(answers.loop);
}

/* All that was asked for before is done. */
static void
await(struct worker *files)
{
	answers.count = 1;
	filer_write_later(files, answers.loop, "/nonexistent/folder/file", "", 0, answered, &answers.err[0]);
	loop_run(answers.loop);
}

static void
what_goes_aside_is_kept_and_what_is_kept_stays(void **state)
{
	struct worker *files = worker_new("files", 1);
	char one[160], two[160];

	(void)state;
	(void)snprintf(one, sizeof(one), "%s.old-1", path);
	(void)snprintf(two, sizeof(two), "%s.old-2", path);
	answers.loop = loop_new();
	assert_int_equal(filer_write(path, "first", 5, NULL), ND_OK);
	filer_keep_later(files, answers.loop, path, "old", 2);
	await(files);
	holds("first"); /* should the next write fail, it is there */
	assert_int_equal(access(one, F_OK), 0);
	assert_int_equal(filer_write(path, "second", 6, NULL), ND_OK);
	filer_aside_later(files, answers.loop, path, "old", 2);
	await(files);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(rename(one, path), 0);
	holds("second");
	assert_int_equal(rename(two, path), 0);
	holds("first");
	filer_remove_later(files, answers.loop, path, NULL, NULL);
	filer_remove_later(files, answers.loop, path, NULL, NULL);
	await(files);
	assert_int_not_equal(access(path, F_OK), 0);
	worker_free(files);
	loop_free(answers.loop);
}

static void
a_removal_is_answered_when_it_is_done(void **state)
{
	struct worker *files = worker_new("files", 1);

	(void)state;
	answers.loop = loop_new();
	answers.count = 0;
	answers.err[0] = ND_EBUG;
	assert_int_equal(filer_write(path, "x", 1, NULL), ND_OK);
	filer_remove_later(files, answers.loop, path, answered, &answers.err[0]);
	filer_remove_later(files, answers.loop, folder, answered, &answers.err[1]);
	loop_run(answers.loop);
	assert_int_equal(answers.err[0], ND_OK);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(answers.err[1], ND_EDISK); /* no file */
	worker_free(files);
	loop_free(answers.loop);
}

static void
a_folder_is_listed_by_name(void **state)
{
	static const char *const names[] = { "20-b.conf", "10-a.conf", ".hidden.conf", "conf", "a.conf~" };
	struct filer_list list;
	struct nd_why why;
	char file[192];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(file, sizeof(file), "%s/%s", folder, names[i]);
		assert_int_equal(filer_write(file, "", 0, NULL), ND_OK);
	}
	assert_int_equal(filer_list(folder, ".conf", &list, &why), ND_OK);
	assert_int_equal(list.count, 2);
	(void)snprintf(file, sizeof(file), "%s/10-a.conf", folder);
	assert_string_equal(list.paths[0], file);
	(void)snprintf(file, sizeof(file), "%s/20-b.conf", folder);
	assert_string_equal(list.paths[1], file);
	filer_list_done(&list);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(file, sizeof(file), "%s/%s", folder, names[i]);
		assert_int_equal(unlink(file), 0);
	}
}

static void
a_folder_that_cannot_be_read_is_not_an_empty_one(void **state)
{
	struct filer_list list;
	struct nd_why why;

	(void)state;
	assert_int_equal(filer_list(path, ".conf", &list, &why), ND_OK); /* not there */
	assert_int_equal(list.count, 0);
	filer_list_done(&list);
	assert_int_equal(symlink("token", path), 0); /* to itself */
	assert_int_equal(filer_list(path, ".conf", &list, &why), ND_EDISK);
	assert_int_equal(why.sys_errno, ELOOP);
	assert_non_null(strstr(why.text, path));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read_and_private),
		TEST(a_new_file_that_a_crash_left_is_not_written_through),
		TEST(a_file_is_created_only_where_nothing_is),
		TEST(a_write_that_fails_leaves_the_old_octets),
		TEST(reading_tells_what_is_wrong_and_touches_nothing),
		TEST(a_file_without_a_size_is_read_to_its_end),
		TEST(a_folder_is_made_once),
		TEST(a_removal_is_answered_when_it_is_done),
		TEST(a_folder_is_listed_by_name),
		TEST(a_folder_that_cannot_be_read_is_not_an_empty_one),
		TEST(a_later_write_copies_its_octets_and_answers_on_the_loop),
		TEST(what_goes_aside_is_kept_and_what_is_kept_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
