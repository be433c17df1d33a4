/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_crash.c - writes to the log that are joined, in commits that fail or are cut short: what was acknowledged is there.
 *
 * What is left is read by SQLite's own file layer, which knows nothing of joined writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/io/store_internal.h"
#include "tests/io/store_case.h"
#include "tests/io/store_shim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE 60000 /* octets of a message: a commit of some takes several joined writes */
#define SOME 16

static int
mend_and_tear_down(void **state)
{
	store_shim_mend();
	return tear_down(state);
}

/* -- faults -- */

static struct queue_job *
large_job(void)
{
	struct queue_job *job = kit_job(&kit);

	free(job->body);
	job->body_len = LARGE;
	job->body = nd_xalloc(LARGE + 1);
	memset(job->body, 'x', LARGE);
	return job;
}

/* SOME large jobs in one commit. How many were accepted. */
static unsigned
put_some(enum nd_err *err)
{
	struct store_req reqs[SOME];
	unsigned i, accepted = 0;

	for (i = 0; i < SOME; i++) {
		reqs[i] = (struct store_req){ .op = STORE_PUT, .job = large_job() };
		kit_submit(&kit, &reqs[i]);
	}
	kit_wait(&kit);
	*err = ND_OK;
	for (i = 0; i < SOME; i++) {
		accepted += reqs[i].err == ND_OK;
		if (reqs[i].err != ND_OK)
			*err = reqs[i].err;
		queue_job_free(reqs[i].job);
	}
	return accepted;
}

static bool
is_whole(void)
{
	return kit_sql(&kit, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'") == 1 &&
	       kit_sql(&kit, "SELECT count(*) FROM job WHERE (rcpts IS NULL) <> (seq IN (SELECT job FROM rcpt))") ==
		   0 &&
	       kit_sql(&kit, "SELECT count(*) FROM rcpt WHERE job NOT IN (SELECT seq FROM job)") == 0 &&
	       kit_sql(&kit, "SELECT count(*) FROM job WHERE length(body)<>body_len") == 0;
}

/* The files as they lie there now, without the end of the store: the lock of the process would be in the way. */
static int64_t
count_in_copy(void)
{
	static const char *const names[] = { "queue.db", "queue.db-wal" };
	struct kit copy = { .folder = "/tmp/notifyd-store-XXXXXX" };
	char from[128], to[128], octets[65536];
	int64_t count;
	size_t len;

	assert_non_null(mkdtemp(copy.folder));
	copy.loop = loop_new();
	for (unsigned i = 0; i < 2; i++) {
		FILE *in, *out;

		(void)snprintf(from, sizeof(from), "%s/%s", kit.folder, names[i]);
		(void)snprintf(to, sizeof(to), "%s/%s", copy.folder, names[i]);
		in = fopen(from, "r");
		out = fopen(to, "w");
		assert_true(in != NULL && out != NULL);
		while ((len = fread(octets, 1, sizeof(octets), in)) > 0)
			assert_int_equal(fwrite(octets, 1, len, out), len);
		(void)fclose(in);
		assert_int_equal(fclose(out), 0);
	}
	count = kit_sql(&copy, "SELECT count(*) FROM job");
	assert_int_equal(kit_sql(&copy, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"), 1);
	kit_close(&copy);
	return count;
}

static void
a_commit_is_a_few_writes_and_one_sync(void **state)
{
	enum nd_err err;

	(void)state;
	assert_int_equal(put_some(&err), SOME); /* the log begins: its header has a sync of its own */
	store_shim_mend();
	assert_int_equal(put_some(&err), SOME);
	assert_int_equal(store_shim.syncs_of_log, 1);
	assert_in_range(store_shim.writes_of_log, SOME * LARGE / 0x20000, SOME * LARGE / 0x20000 + 4);
	assert_int_equal(count_in_copy(), 2 * SOME); /* all of it lies there before it is acknowledged */
}

static void
a_disk_that_fills_up_at_any_of_the_writes_loses_nothing_that_was_accepted(void **state)
{
	unsigned accepted;
	enum nd_err err = ND_EDISKFULL;
	int spare;

	(void)state;
	accepted = put_some(&err);
	for (spare = 0, err = ND_EDISKFULL; err != ND_OK; spare++) {
		store_shim.spare = spare;
		store_shim.full = true;
		accepted += put_some(&err);
		assert_true(err == ND_OK || err == ND_EDISKFULL);
		store_shim_mend();
		assert_int_equal(count_in_copy(), accepted);
		assert_true(spare < 200);
	}
	assert_true(spare > 8);
	accepted += put_some(&err);
	assert_int_equal(err, ND_OK);
	kit_stop(&kit);
	assert_true(is_whole());
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM job"), accepted);
}

static void
an_io_error_at_any_of_the_writes_is_told_and_loses_nothing_that_was_accepted(void **state)
{
	unsigned accepted, more;
	enum nd_err err;
	int spare;

	(void)state;
	accepted = put_some(&err);
	for (spare = 0; spare < 8; spare++) {
		store_shim.spare = spare;
		store_shim.broken = true;
		more = put_some(&err);
		accepted += more;
		assert_int_equal(err, ND_EDISK);
		store_shim_mend();
		assert_int_equal(put_some(&err), 0); /* it is not believed any more */
		assert_int_equal(count_in_copy(), accepted);
		kit_stop(&kit);
		kit_start(&kit);
	}
	assert_int_equal(put_some(&err), SOME);
	kit_stop(&kit);
	assert_true(is_whole());
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM job"), accepted + SOME);
}

static void
a_failed_sync_after_joined_writes_is_told_and_loses_nothing_that_was_accepted(void **state)
{
	enum nd_err err;

	(void)state;
	assert_int_equal(put_some(&err), SOME);
	store_shim.sync_log = true;
	assert_int_equal(put_some(&err), 0);
	assert_int_equal(err, ND_EDISK);
	store_shim_mend();
	assert_int_equal(count_in_copy(), SOME);
	kit_stop(&kit);
	assert_true(is_whole());
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM job"), SOME);
}

/* -- the end of the process, in the middle of it -- */

#define JOBS 420 /* 3800 pages: the log is moved to the database once, and begins anew */

static struct {
	int pipe;
	unsigned asked, done;
	struct store_req reqs[SOME];
} child;

static void
ask_again(struct store_req *req)
{
	*req = (struct store_req){ .op = STORE_PUT, .job = large_job(), .done = req->done };
	child.asked++;
	store_submit(kit.store, req);
}

static void
acknowledged(struct store_req *req)
{
	if (req->err != ND_OK || write(child.pipe, req->job->id, ND_ULID_LEN) != ND_ULID_LEN)
		abort();
	queue_job_free(req->job);
	if (++child.done == JOBS)
		_exit(0);
	if (child.asked < JOBS)
		ask_again(req);
}

static void
accept_until_the_crash(int crash_at)
{
	store_shim_mend();
	kit_start(&kit);
	store_shim.steps = 0;
	store_shim.crash_at = crash_at;
	store_shim.power = crash_at % 2 == 0;
	for (unsigned i = 0; i < SOME; i++) {
		child.reqs[i].done = acknowledged;
		ask_again(&child.reqs[i]);
	}
	loop_run(kit.loop);
	abort();
}

static void
check_each(int from)
{
	char id[ND_ULID_LEN + 1] = "", sql[160];
	unsigned count = 0;
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;

	(void)snprintf(sql, sizeof(sql), "%s/queue.db", kit.folder);
	assert_int_equal(sqlite3_open_v2(sql, &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	assert_int_equal(
	    sqlite3_prepare_v2(db,
		"SELECT length(body),(SELECT count(*) FROM rcpt WHERE job=seq)+(rcpts IS NOT NULL) FROM job WHERE id=?",
		-1, &stmt, NULL),
	    SQLITE_OK);
	while (read(from, id, ND_ULID_LEN) == ND_ULID_LEN) {
		count++;
		(void)sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
		if (sqlite3_step(stmt) != SQLITE_ROW)
			fail_msg("job %u, %s, was acknowledged and is lost", count, id);
		assert_int_equal(sqlite3_column_int(stmt, 0), LARGE);
		assert_int_equal(sqlite3_column_int(stmt, 1), 1);
		(void)sqlite3_reset(stmt);
	}
	(void)sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_true(is_whole());
}

/* Whether the process came to the step in which it ends. */
static bool
crash_once(int crash_at)
{
	int ends[2], status;
	bool crashed;
	pid_t pid;

	kit_open(&kit);
	kit_stop(&kit);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		child.pipe = ends[1];
		accept_until_the_crash(crash_at);
	}
	assert_true(pid > 0);
	(void)close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid); /* a pipe takes what it has to tell */
	crashed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	assert_true(crashed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
	check_each(ends[0]);
	(void)close(ends[0]);
	/* The store itself takes it over too. */
	kit_start(&kit);
	kit_close(&kit);
	return crashed;
}

/* An odd step: SIGKILL in the middle of a write. An even one: all that was not synced by then is lost as well. */
static void
what_was_acknowledged_survives_an_end_in_any_step(void **state)
{
	int step = 1, rounds = 0;

	(void)state;
	while (crash_once(step)) {
		step += step < 12 ? 1 : step / 4 * 2 + 1; /* odd and even */
		rounds++;
	}
	assert_true(rounds > 22);
	assert_true(step > 2000); /* the steps of moving the log are among them */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, mend_and_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_commit_is_a_few_writes_and_one_sync),
		TEST(a_disk_that_fills_up_at_any_of_the_writes_loses_nothing_that_was_accepted),
		TEST(an_io_error_at_any_of_the_writes_is_told_and_loses_nothing_that_was_accepted),
		TEST(a_failed_sync_after_joined_writes_is_told_and_loses_nothing_that_was_accepted),
		cmocka_unit_test(what_was_acknowledged_survives_an_end_in_any_step),
	};

	return cmocka_run_group_tests(tests, store_shim_install, NULL);
}
