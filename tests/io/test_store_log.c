/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_log.c - the writes to the log that are joined: what SQLite was told is done is done, whatever fails in between, and whoever reads it.
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
#include "tests/io/store_kit.h"
#include "tests/io/store_shim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE 60000 /* octets of a message: a commit of some takes several joined writes */
#define SOME 16

static struct kit kit;

static int
set_up(void **state)
{
	(void)state;
	kit_open(&kit);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	store_shim_mend();
	kit_close(&kit);
	return 0;
}

/* -- the file itself -- */

static struct {
	sqlite3_filename name;
	sqlite3_file *file;
} log_;

static int
open_log(void **state)
{
	sqlite3_vfs *vfs;
	char path[128], wal[160];

	if (set_up(state) != 0)
		return -1;
	kit_stop(&kit);
	store_shim_mend();
	vfs = sqlite3_vfs_find(store_log_vfs());
	(void)snprintf(path, sizeof(path), "%s/queue.db", kit.folder);
	(void)snprintf(wal, sizeof(wal), "%s-wal", path);
	log_.name = sqlite3_create_filename(path, "", wal, 0, NULL);
	log_.file = nd_xalloc((size_t)vfs->szOsFile);
	return vfs->xOpen(vfs, sqlite3_filename_wal(log_.name), log_.file,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL, NULL);
}

static int
close_log(void **state)
{
	(void)log_.file->pMethods->xClose(log_.file);
	free(log_.file);
	sqlite3_free_filename(log_.name);
	return tear_down(state);
}

static int
put(const char *octets, sqlite3_int64 at)
{
	return log_.file->pMethods->xWrite(log_.file, octets, (int)strlen(octets), at);
}

static int
sync_log(void)
{
	return log_.file->pMethods->xSync(log_.file, SQLITE_SYNC_NORMAL);
}

/* What is in the file, for everybody to see. */
static const char *
seen(void)
{
	static char octets[256];
	char path[128];
	FILE *file;
	size_t len;

	(void)snprintf(path, sizeof(path), "%s/queue.db-wal", kit.folder);
	file = fopen(path, "r");
	assert_non_null(file);
	len = fread(octets, 1, sizeof(octets) - 1, file);
	octets[len] = '\0';
	(void)fclose(file);
	return octets;
}

static void
what_follows_is_written_at_once_and_before_the_sync(void **state)
{
	(void)state;
	assert_int_equal(put("one ", 0), SQLITE_OK);
	assert_int_equal(put("two ", 4), SQLITE_OK);
	assert_int_equal(put("three", 8), SQLITE_OK);
	assert_string_equal(seen(), "");
	store_shim.crash_at = 0;
	assert_int_equal(sync_log(), SQLITE_OK);
	assert_string_equal(seen(), "one two three");
	assert_int_equal(store_shim.writes_of_log, 1);
	assert_int_equal(store_shim.syncs_of_log, 1);
	assert_int_equal(sync_log(), SQLITE_OK);
	assert_int_equal(store_shim.writes_of_log, 1);
}

static void
what_does_not_follow_is_written_in_the_order_of_its_coming(void **state)
{
	(void)state;
	assert_int_equal(put("aaaa", 0), SQLITE_OK);
	assert_int_equal(put("bbbb", 2), SQLITE_OK); /* over the end of the first */
	assert_string_equal(seen(), "aaaa");
	assert_int_equal(put("cc", 0), SQLITE_OK);
	assert_string_equal(seen(), "aabbbb");
	assert_int_equal(sync_log(), SQLITE_OK);
	assert_string_equal(seen(), "ccbbbb");
}

static void
whoever_looks_sees_what_is_gathered(void **state)
{
	char octets[8] = "";
	sqlite3_int64 size;

	(void)state;
	assert_int_equal(put("one two", 0), SQLITE_OK);
	assert_int_equal(log_.file->pMethods->xRead(log_.file, octets, 3, 4), SQLITE_OK);
	assert_string_equal(octets, "two");
	assert_int_equal(put(" three", 7), SQLITE_OK);
	assert_int_equal(log_.file->pMethods->xFileSize(log_.file, &size), SQLITE_OK);
	assert_int_equal(size, 13);
	assert_int_equal(put(" four", 13), SQLITE_OK);
	assert_int_equal(log_.file->pMethods->xTruncate(log_.file, 15), SQLITE_OK);
	assert_string_equal(seen(), "one two three f");
}

static void
more_than_is_gathered_is_written_on_the_way(void **state)
{
	char *octets = nd_xalloc(100001);
	sqlite3_int64 size;

	(void)state;
	memset(octets, 'x', 100000);
	assert_int_equal(put(octets, 0), SQLITE_OK);
	assert_int_equal(store_shim.writes_of_log, 0);
	assert_int_equal(put(octets, 100000), SQLITE_OK);
	assert_int_equal(store_shim.writes_of_log, 1);
	assert_int_equal(log_.file->pMethods->xFileSize(log_.file, &size), SQLITE_OK);
	assert_int_equal(size, 200000);
	free(octets);
}

static void
the_sync_tells_what_could_not_be_written(void **state)
{
	int error = 0;

	(void)state;
	assert_int_equal(put("one", 0), SQLITE_OK);
	store_shim.full = true;
	assert_int_equal(sync_log(), SQLITE_FULL);
	assert_int_equal(store_shim.syncs_of_log, 0);
	store_shim.full = false;
	store_shim.broken = true;
	assert_int_equal(put("two", 0), SQLITE_OK);
	assert_int_equal(sync_log(), SQLITE_IOERR_WRITE);
	assert_int_equal(store_shim.syncs_of_log, 0);
	assert_int_equal(log_.file->pMethods->xFileControl(log_.file, SQLITE_FCNTL_LAST_ERRNO, &error), SQLITE_OK);
	assert_int_equal(error, EIO);
}

/* A read that fails is no commit that fails: the sync would say that all is well, and a hole would be in the log. */
static void
what_could_not_be_written_for_a_read_is_written_or_told_later(void **state)
{
	char octets[16];
	sqlite3_int64 size;

	(void)state;
	assert_int_equal(put("one two", 0), SQLITE_OK);
	store_shim.full = true;
	assert_int_equal(log_.file->pMethods->xRead(log_.file, octets, 3, 0), SQLITE_FULL);
	assert_int_equal(log_.file->pMethods->xFileSize(log_.file, &size), SQLITE_FULL);
	assert_int_equal(log_.file->pMethods->xTruncate(log_.file, 1), SQLITE_FULL);
	assert_int_equal(put(" three", 7), SQLITE_OK);
	assert_int_equal(sync_log(), SQLITE_FULL);
	store_shim.full = false;
	assert_int_equal(put("one two", 0), SQLITE_OK);
	store_shim.full = true;
	assert_int_equal(log_.file->pMethods->xRead(log_.file, octets, 3, 0), SQLITE_FULL);
	store_shim.full = false;
	assert_int_equal(put(" three", 7), SQLITE_OK);
	assert_int_equal(sync_log(), SQLITE_OK);
	assert_string_equal(seen(), "one two three");
}

static void
what_lies_before_is_read_though_the_disk_is_full(void **state)
{
	char octets[8] = "";

	(void)state;
	assert_int_equal(put("committed", 0), SQLITE_OK);
	assert_int_equal(sync_log(), SQLITE_OK);
	assert_int_equal(put("not yet", 9), SQLITE_OK);
	store_shim.full = true;
	assert_int_equal(log_.file->pMethods->xRead(log_.file, octets, 6, 3), SQLITE_OK);
	assert_string_equal(octets, "mitted");
}

/* -- the store above it -- */

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
	       kit_sql(&kit, "SELECT count(*) FROM job WHERE seq NOT IN (SELECT job FROM rcpt)") == 0 &&
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
	    sqlite3_prepare_v2(db, "SELECT length(body),(SELECT count(*) FROM rcpt WHERE job=seq) FROM job WHERE id=?",
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
#define OF_FILE(name) cmocka_unit_test_setup_teardown(name, open_log, close_log)
#define OF_STORE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		OF_FILE(what_follows_is_written_at_once_and_before_the_sync),
		OF_FILE(what_does_not_follow_is_written_in_the_order_of_its_coming),
		OF_FILE(whoever_looks_sees_what_is_gathered),
		OF_FILE(more_than_is_gathered_is_written_on_the_way),
		OF_FILE(the_sync_tells_what_could_not_be_written),
		OF_FILE(what_could_not_be_written_for_a_read_is_written_or_told_later),
		OF_FILE(what_lies_before_is_read_though_the_disk_is_full),
		OF_STORE(a_commit_is_a_few_writes_and_one_sync),
		OF_STORE(a_disk_that_fills_up_at_any_of_the_writes_loses_nothing_that_was_accepted),
		OF_STORE(an_io_error_at_any_of_the_writes_is_told_and_loses_nothing_that_was_accepted),
		OF_STORE(a_failed_sync_after_joined_writes_is_told_and_loses_nothing_that_was_accepted),
		cmocka_unit_test(what_was_acknowledged_survives_an_end_in_any_step),
	};

	return cmocka_run_group_tests(tests, store_shim_install, NULL);
}
