/* SPDX-License-Identifier: Apache-2.0 */
/* test_inflight.c - tests of the slots that outlive SIGKILL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/inflight.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define A "01KAHM8R000000000000000001"
#define B "01KAHM8R000000000000000002"
#define C "01KAHM8R000000000000000003"
#define BOOT_AT 16 /* of the boot id in the file */

static char folder[64], path[128];
static struct inflight *inflight;
static const uint32_t *lates;

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/notifyd-inflight-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/inflight", folder);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	inflight_close(inflight);
	inflight = NULL;
	(void)unlink(path);
	return rmdir(folder);
}

/* What is left of the run before. */
static unsigned
opened(const char (**ids)[ND_ULID_LEN + 1], bool *reboot)
{
	struct nd_why why = { .err = ND_OK };

	inflight = inflight_open(folder, &why);
	assert_non_null(inflight);
	return inflight_left(inflight, ids, &lates, reboot);
}

static void
again(void)
{
	inflight_close(inflight);
	inflight = NULL;
}

/* A run that notes A, B, C, drops B and is killed. */
static void
run_and_die(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct inflight *own = inflight_open(folder, NULL);
		int slot;

		if (own == NULL)
			abort();
		inflight_begin(own);
		(void)inflight_note(own, A, 2);
		slot = inflight_note(own, B, 2);
		(void)inflight_note(own, C, 119683204);
		inflight_drop(own, slot);
		(void)raise(SIGKILL);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
overwrite(off_t at, const char *octets)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, octets, strlen(octets), at), strlen(octets));
	(void)close(fd);
}

static void
a_clean_run_leaves_nothing(void **state)
{
	const char(*ids)[ND_ULID_LEN + 1];
	bool reboot;
	struct stat st;

	(void)state;
	assert_int_equal(opened(&ids, &reboot), 0); /* the very first */
	assert_false(reboot);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(inflight_note(inflight, A, 2), -1); /* not begun */
	inflight_begin(inflight);
	inflight_drop(inflight, inflight_note(inflight, A, 2));
	again();
	assert_int_equal(opened(&ids, &reboot), 0);
	assert_false(reboot);
	again(); /* not begun, still clean */
	overwrite(BOOT_AT, "another-boot");
	assert_int_equal(opened(&ids, &reboot), 0);
	assert_false(reboot); /* it went down cleanly */
}

static void
notes_survive_sigkill(void **state)
{
	const char(*ids)[ND_ULID_LEN + 1];
	bool reboot;

	(void)state;
	run_and_die();
	assert_int_equal(opened(&ids, &reboot), 2);
	assert_false(reboot);
	assert_string_equal(ids[0], A);
	assert_string_equal(ids[1], C);
	assert_int_equal(lates[0], 2);
	assert_int_equal(lates[1], 119683204);
	/* A start that dies before it could act on them leaves them to the next. */
	again();
	assert_int_equal(opened(&ids, &reboot), 2);
	inflight_begin(inflight);
	assert_int_equal(inflight_left(inflight, &ids, &lates, &reboot), 0);
	again();
	assert_int_equal(opened(&ids, &reboot), 0);
}

static void
an_unclean_reboot_is_seen_until_it_is_acted_upon(void **state)
{
	const char(*ids)[ND_ULID_LEN + 1];
	bool reboot;

	(void)state;
	run_and_die();
	overwrite(BOOT_AT, "another-boot");
	assert_int_equal(opened(&ids, &reboot), 2);
	assert_true(reboot);
	again();
	assert_int_equal(opened(&ids, &reboot), 2);
	assert_true(reboot);
	inflight_begin(inflight);
	again();
	run_and_die(); /* in this boot */
	assert_int_equal(opened(&ids, &reboot), 2);
	assert_false(reboot);
}

static void
a_stop_with_a_job_under_way_is_not_clean(void **state)
{
	const char(*ids)[ND_ULID_LEN + 1];
	bool reboot;

	(void)state;
	assert_int_equal(opened(&ids, &reboot), 0);
	inflight_begin(inflight);
	assert_true(inflight_note(inflight, B, 2) >= 0);
	again();
	assert_int_equal(opened(&ids, &reboot), 1);
	assert_string_equal(ids[0], B);
}

static void
all_slots_can_be_used_and_used_again(void **state)
{
	const char(*ids)[ND_ULID_LEN + 1];
	bool reboot;
	unsigned i;

	(void)state;
	(void)opened(&ids, &reboot);
	inflight_begin(inflight);
	for (i = 0; i < INFLIGHT_SLOTS; i++)
		assert_true(inflight_note(inflight, A, 2) >= 0);
	assert_int_equal(inflight_note(inflight, B, 2), -1);
	inflight_drop(inflight, -1); /* of the one that got none */
	assert_int_equal(inflight_note(inflight, B, 2), -1);
	inflight_drop(inflight, 77);
	assert_int_equal(inflight_note(inflight, B, 2), 77);
}

static void
damaged_notes_make_every_due_job_uncertain(void **state)
{
	const char(*ids)[ND_ULID_LEN + 1];
	bool reboot;

	(void)state;
	run_and_die();
	overwrite(0, "garbage");
	assert_int_equal(opened(&ids, &reboot), 0);
	assert_true(reboot);
	again();
	assert_int_equal(truncate(path, 1000), 0);
	assert_int_equal(opened(&ids, &reboot), 0);
	assert_true(reboot);
	inflight_begin(inflight);
	again();
	(void)opened(&ids, &reboot);
	assert_false(reboot);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_clean_run_leaves_nothing),
		TEST(notes_survive_sigkill),
		TEST(an_unclean_reboot_is_seen_until_it_is_acted_upon),
		TEST(a_stop_with_a_job_under_way_is_not_clean),
		TEST(all_slots_can_be_used_and_used_again),
		TEST(damaged_notes_make_every_due_job_uncertain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
