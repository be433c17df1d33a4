/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_faults.c - the queue when things break: full disks, failed syncs, SIGKILL, a second notifyd; and with very many jobs.
 *
 * The file layer of store_shim.h fails on demand.
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

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- set up -- */

static int
mend_and_tear_down(void **state)
{
	store_shim_mend();
	return tear_down(state);
}

static uint64_t
queued(void)
{
	struct store_req req = { .op = STORE_TOTALS };
	uint64_t count;

	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	count = req.totals[JOB_QUEUED];
	kit_forget(&req);
	return count;
}

static bool
integrity(void)
{
	return kit_sql(&kit, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'") == 1 &&
	       kit_sql(&kit, "SELECT (SELECT count(*) FROM rcpt WHERE job NOT IN (SELECT seq FROM job))") == 0;
}

/* -- tests -- */

static void
a_full_disk_refuses_jobs_until_there_is_room(void **state)
{
	struct queue_job *a = kit_job(&kit), *b = kit_job(&kit), *c = kit_job(&kit);
	struct store_req reqs[2] = { { .op = STORE_PUT, .job = b }, { .op = STORE_PUT, .job = c } }, req;

	(void)state;
	assert_int_equal(kit_put(&kit, a), ND_OK);
	store_shim.full = true;
	kit_submit(&kit, &reqs[0]);
	kit_submit(&kit, &reqs[1]);
	kit_wait(&kit);
	assert_int_equal(reqs[0].err, ND_EDISKFULL);
	assert_int_equal(reqs[1].err, ND_EDISKFULL);
	assert_non_null(strstr(reqs[0].why.text, "is full"));
	assert_int_equal(kit_outcome(&kit, a, JOB_DELIVERED, KIT_NOW), ND_EDISKFULL);
	assert_int_equal(kit_show(&kit, &req, a->id), ND_OK); /* as it was */
	assert_int_equal(req.found->state, JOB_QUEUED);
	kit_forget(&req);
	assert_int_equal(queued(), 1);
	store_shim.full = false;
	assert_int_equal(kit_put(&kit, b), ND_OK);
	assert_int_equal(kit_outcome(&kit, a, JOB_DELIVERED, KIT_NOW), ND_OK);
	assert_int_equal(queued(), 1);
	kit_stop(&kit);
	assert_true(integrity());
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM job"), 1);
	queue_job_free(a);
	queue_job_free(b);
	queue_job_free(c);
}

static void
a_used_up_quota_is_a_full_disk(void **state)
{
	struct queue_job *job = kit_job(&kit);

	(void)state;
	store_shim.quota = true;
	assert_int_equal(kit_put(&kit, job), ND_EDISKFULL);
	store_shim.quota = false;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	queue_job_free(job);
}

static void
after_a_failed_sync_nothing_is_written_any_more(void **state)
{
	struct queue_job *a = kit_job(&kit), *b = kit_job(&kit), *c = kit_job(&kit);
	struct store_req reqs[2] = { { .op = STORE_PUT, .job = b }, { .op = STORE_PUT, .job = c } }, req;
	int syncs;

	(void)state;
	assert_int_equal(kit_put(&kit, a), ND_OK);
	store_shim.sync_log = true;
	kit_submit(&kit, &reqs[0]);
	kit_submit(&kit, &reqs[1]);
	kit_wait(&kit);
	assert_int_equal(reqs[0].err, ND_EDISK);
	assert_int_equal(reqs[0].why.sys_errno, EIO);
	assert_int_equal(reqs[1].err, ND_EDISK);
	/* The disk seems to be well again: it is not believed. */
	store_shim.sync_log = false;
	syncs = store_shim.syncs_of_log;
	assert_int_equal(kit_put(&kit, c), ND_EDISK);
	assert_int_equal(kit_outcome(&kit, a, JOB_DELIVERED, KIT_NOW), ND_EDISK);
	assert_int_equal(store_shim.syncs_of_log, syncs);
	/* Reading goes on, of what was accepted. */
	assert_int_equal(kit_show(&kit, &req, a->id), ND_OK);
	kit_forget(&req);
	assert_int_equal(kit_show(&kit, &req, b->id), ND_ENOTFOUND);
	assert_int_equal(queued(), 1);
	queue_job_free(a);
	queue_job_free(b);
	queue_job_free(c);
}

static void
a_job_that_was_refused_by_a_failed_sync_does_not_come_back(void **state)
{
	struct queue_job *a = kit_job(&kit), *b = kit_job(&kit);
	struct store_req req;
	int round;

	(void)state;
	for (round = 0; round < 2; round++) { /* with good jobs in the log before it, and with none */
		if (round == 0)
			assert_int_equal(kit_put(&kit, a), ND_OK);
		store_shim.sync_log = true;
		assert_int_equal(kit_put(&kit, b), ND_EDISK); /* its octets lie in the log, whole */
		store_shim.sync_log = false;
		kit_stop(&kit);
		kit_start(&kit);
		assert_int_equal(kit_show(&kit, &req, a->id), ND_OK);
		kit_forget(&req);
		assert_int_equal(kit_show(&kit, &req, b->id), ND_ENOTFOUND);
	}
	kit_stop(&kit);
	assert_true(integrity());
	queue_job_free(a);
	queue_job_free(b);
}

static void
a_failed_sync_of_the_database_file_is_not_hidden(void **state)
{
	struct queue_job *job = NULL, *last = kit_job(&kit);
	int i, accepted = 0;

	(void)state;
	store_shim.sync_db = true;
	for (i = 0; i < 600; i++) { /* until the log is long enough to be moved to the database */
		job = kit_job(&kit);
		free(job->body);
		job->body_len = 60000;
		job->body = nd_xalloc(job->body_len);
		if (kit_put(&kit, job) != ND_OK)
			break;
		accepted++;
		queue_job_free(job);
	}
	assert_in_range(accepted, 100, 599);
	store_shim.sync_db = false;
	assert_int_equal(kit_put(&kit, last), ND_EDISK);
	kit_stop(&kit);
	kit_start(&kit);
	assert_int_equal(queued(), accepted);
	assert_int_equal(kit_put(&kit, last), ND_OK);
	kit_stop(&kit);
	assert_true(integrity());
	queue_job_free(job);
	queue_job_free(last);
}

static void
a_second_notifyd_is_refused(void **state)
{
	struct nd_why why = { .err = ND_OK };
	char pid[32];

	(void)state;
	assert_null(store_open(kit.folder, kit.loop, &why));
	assert_int_equal(why.err, ND_ELOCKED);
	assert_non_null(strstr(why.text, "another notifyd"));
	(void)snprintf(pid, sizeof(pid), "process %ld)", (long)getpid());
	assert_non_null(strstr(why.text, pid));
	assert_int_equal(queued(), 0); /* the first works on */
}

static void
a_database_that_another_program_holds_is_refused(void **state)
{
	struct nd_why why = { .err = ND_OK };
	char path[128];
	sqlite3 *db = NULL;

	(void)state;
	kit_stop(&kit);
	(void)snprintf(path, sizeof(path), "%s/queue.db", kit.folder);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_null(store_open(kit.folder, kit.loop, &why));
	assert_int_equal(why.err, ND_ELOCKED);
	assert_non_null(strstr(why.text, "another program"));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	kit_start(&kit);
}

static void
a_file_of_a_newer_notifyd_is_refused(void **state)
{
	struct nd_why why = { .err = ND_OK };

	(void)state;
	kit_stop(&kit);
	(void)kit_sql(&kit, "PRAGMA user_version=99");
	assert_null(store_open(kit.folder, kit.loop, &why));
	assert_int_equal(why.err, ND_ECONF);
	assert_non_null(strstr(why.text, "newer notifyd (version 99"));
	(void)kit_sql(&kit, "DROP TABLE limits");
	(void)kit_sql(&kit, "DROP TABLE evidence");
	(void)kit_sql(&kit, "DROP TABLE untold");
	(void)kit_sql(&kit, "ALTER TABLE job DROP COLUMN again");
	(void)kit_sql(&kit, "DROP TABLE transcript");
	(void)kit_sql(&kit, "ALTER TABLE job DROP COLUMN declined");
	(void)kit_sql(&kit, "ALTER TABLE job DROP COLUMN late");
	(void)kit_sql(&kit, "ALTER TABLE job DROP COLUMN begun");
	(void)kit_sql(&kit, "ALTER TABLE job DROP COLUMN rcpts");
	(void)kit_sql(&kit, "CREATE UNIQUE INDEX job_id ON job(id)");
	(void)kit_sql(&kit, "ALTER TABLE owner DROP COLUMN rank");
	(void)kit_sql(&kit, "PRAGMA user_version=2");
	kit_start(&kit);
}

static void
a_file_that_is_no_database_is_refused(void **state)
{
	struct nd_why why = { .err = ND_OK };
	char path[128];
	FILE *file;
	int i;

	(void)state;
	kit_stop(&kit);
	(void)snprintf(path, sizeof(path), "%s/queue.db", kit.folder);
	file = fopen(path, "w");
	assert_non_null(file);
	for (i = 0; i < 3000; i++)
		(void)fputs("notes ", file);
	(void)fclose(file);
	assert_null(store_open(kit.folder, kit.loop, &why));
	assert_int_equal(why.err, ND_EDISK);
	assert_non_null(strstr(why.text, "is damaged"));
}

/* -- SIGKILL -- */

static struct {
	int pipe;
	struct store_req reqs[64];
} child;

static void
acknowledged(struct store_req *req)
{
	if (req->err != ND_OK || write(child.pipe, req->job->id, ND_ULID_LEN) != ND_ULID_LEN)
		abort();
	queue_job_free(req->job);
	req->job = kit_job(&kit);
	store_submit(kit.store, req);
}

static void
accept_jobs_for_ever(void)
{
	unsigned i;

	kit_start(&kit);
	for (i = 0; i < 64; i++) {
		child.reqs[i] = (struct store_req){ .op = STORE_PUT, .job = kit_job(&kit), .done = acknowledged };
		store_submit(kit.store, &child.reqs[i]);
	}
	loop_run(kit.loop);
	abort();
}

static size_t
read_ids(int fd, char (*ids)[ND_ULID_LEN], size_t count, size_t most, size_t enough)
{
	while (count < most && count < enough) {
		ssize_t n = read(fd, ids[count], ND_ULID_LEN);

		if (n != ND_ULID_LEN)
			break;
		count++;
	}
	return count;
}

/* More was committed than acknowledged: ids go on after those too. */
static void
go_on_after_newest(void)
{
	struct store_req req = { .op = STORE_TOTALS };

	kit_ask(&kit, &req);
	nd_ulid_after(&kit.ids, req.last_id);
	kit_forget(&req);
}

static void
what_was_acknowledged_survives_sigkill(void **state)
{
	enum { MOST = 200000 };
	char(*ids)[ND_ULID_LEN] = nd_xalloc(MOST * sizeof(*ids));
	size_t count, i;
	int ends[2], status, round;

	(void)state;
	kit_stop(&kit);
	for (round = 0; round < 3; round++) {
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		pid = fork();
		if (pid == 0) {
			child.pipe = ends[1];
			accept_jobs_for_ever();
		}
		assert_true(pid > 0);
		(void)close(ends[1]);
		count = read_ids(ends[0], ids, 0, MOST, 500 + (size_t)round * 333);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		count = read_ids(ends[0], ids, count, MOST, MOST);
		(void)close(ends[0]);
		assert_true(count >= 500);
		kit_start(&kit);
		for (i = 0; i < count; i++) {
			struct store_req req;
			char id[ND_ULID_LEN + 1];

			memcpy(id, ids[i], ND_ULID_LEN);
			id[ND_ULID_LEN] = '\0';
			assert_int_equal(kit_show(&kit, &req, id), ND_OK);
			assert_int_equal(req.found->rcpt_count, 1);
			kit_forget(&req);
		}
		go_on_after_newest();
		kit_stop(&kit);
		assert_true(integrity());
	}
	free(ids);
}

/* -- many jobs -- */

#define MANY 100000

/* Straight into the file: that is not what is tested here. */
static void
fill(void)
{
	static const char sql[] =
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<100000)"
	    " INSERT INTO "
	    "job(seq,rank,id,state,severity,resolved,uncertain,spooled,attempt_count,created,event_time,not_before,"
	    "expires,due,"
	    "uid,gid,pid,body_len,account,ended,body) SELECT "
	    "i,1,printf('01KAHM8R00%016d',i),0,4,0,0,0,0,1795248000000,0,0,0,1795248000000+i,0,0,0,"
	    "300,'m365',0,zeroblob(300) FROM n";

	kit_stop(&kit);
	(void)kit_sql(&kit, sql);
	(void)kit_sql(&kit, "INSERT INTO rcpt SELECT seq,0,'ops@contoso.com',0,0,0,'',NULL,0 FROM job");
	kit_start(&kit);
}

static void
a_hundred_thousand_jobs_are_counted_and_loaded_in_little_memory(void **state)
{
	struct store_req req = { .op = STORE_LOAD, .account = "m365", .until = KIT_NOW + MANY, .limit = 500 };

	(void)state;
	fill();
	(void)sqlite3_memory_highwater(1);
	assert_int_equal(queued(), MANY);
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_int_equal(req.job_count, 500);
	assert_true(req.more);
	assert_int_equal(req.jobs[499]->due, KIT_NOW + 500);
	assert_true(sqlite3_memory_highwater(0) < 24 * 1024 * 1024);
	kit_forget(&req);
}

static unsigned turn;

static void
number(struct store_req *req)
{
	*(unsigned *)req->owner = ++turn;
	if (turn == 2)
		loop_stop(kit.loop);
}

static void
a_job_is_accepted_while_a_long_list_is_made(void **state)
{
	struct queue_job *job = kit_job(&kit);
	unsigned listed = 0, stored = 0;
	struct store_req list = {
		.op = STORE_LIST, .limit = 100, .filter = { .key = "none" }, .done = number, .owner = &listed
	};
	struct store_req put = { .op = STORE_PUT, .job = job, .done = number, .owner = &stored };

	(void)state;
	fill();
	turn = 0;
	store_submit(kit.store, &list);
	store_submit(kit.store, &put);
	loop_run(kit.loop);
	assert_int_equal(stored, 1);
	assert_int_equal(listed, 2);
	assert_int_equal(list.err, ND_OK);
	assert_int_equal(list.job_count, 0);
	/* One that is not finished when the store closes is answered all the same. */
	turn = 0;
	store_submit(kit.store, &list);
	kit_stop(&kit);
	assert_int_equal(turn, 1);
	assert_int_equal(list.err, ND_ESTOPPING);
	queue_job_free(job);
}

/* A statement that reads a whole table is found here, not by the operator with a million jobs. */
static void
every_statement_uses_an_index(void **state)
{
	char path[128], sql[2048];
	sqlite3 *db = NULL;
	int i;

	(void)state;
	kit_stop(&kit);
	(void)snprintf(path, sizeof(path), "%s/queue.db", kit.folder);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	for (i = SQL_META_GET; i < SQL_COUNT; i++) {
		sqlite3_stmt *stmt = NULL;

		(void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", store_schema_sql[i]);
		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			const char *step = (const char *)sqlite3_column_text(stmt, 3);
			/* once at start, over an index; a table of eight rows; once at start; the first rows of a table */
			bool fine = i == SQL_COUNTS || i == SQL_TOTALS || i == SQL_OWNERS || i == SQL_KEYS_OLD ||
				    strcmp(step, "SCAN CONSTANT ROW") == 0 || strcmp(step, "SCAN 4 CONSTANT ROWS") == 0;

			if ((strncmp(step, "SCAN", 4) == 0 && !fine) || strstr(step, "TEMP B-TREE") != NULL)
				fail_msg("%s: %s", store_schema_sql[i], step);
			if (i == SQL_COUNTS)
				assert_string_equal(step, "SCAN job USING COVERING INDEX job_due");
		}
		(void)sqlite3_finalize(stmt);
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Half of the jobs failed and are the older ones: neither them nor the queued ones are walked through to find one. */
static void
one_job_is_found_in_few_steps_among_a_hundred_thousand(void **state)
{
	static const enum store_sql firsts[] = { SQL_LAST_ID, SQL_FIND, SQL_STATE, SQL_SPOOLED, SQL_JOB,
		SQL_JOB_UNCERTAIN, SQL_JOB_NEXT, SQL_JOB_OLDEST, SQL_JOB_IDS, SQL_HISTORY_IDS };
	static const char *const ids[] = { "01KAHM8R000000000000000001", "01KAHM8R000000000000100000", "none" };
	char path[128];
	sqlite3 *db = NULL;

	(void)state;
	fill();
	kit_stop(&kit);
	(void)kit_sql(&kit, "UPDATE job SET state=4 WHERE seq<50000");
	(void)snprintf(path, sizeof(path), "%s/queue.db", kit.folder);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	for (unsigned i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
		for (unsigned k = 0; k < 3; k++) {
			sqlite3_stmt *stmt = NULL;

			assert_int_equal(
			    sqlite3_prepare_v2(db, store_schema_sql[firsts[i]], -1, &stmt, NULL), SQLITE_OK);
			if (firsts[i] != SQL_JOB_OLDEST && firsts[i] != SQL_LAST_ID)
				(void)sqlite3_bind_text(
				    stmt, 1, firsts[i] == SQL_JOB_NEXT ? "m365" : ids[k], -1, SQLITE_STATIC);
			if (firsts[i] == SQL_JOB_OLDEST)
				(void)sqlite3_bind_int(stmt, 1, JOB_QUEUED);
			if (firsts[i] == SQL_JOB_NEXT)
				(void)sqlite3_bind_int(stmt, 3, 1);
			if (firsts[i] == SQL_JOB_NEXT || firsts[i] == SQL_JOB_UNCERTAIN)
				(void)sqlite3_bind_int(stmt, 2, JOB_QUEUED);
			assert_in_range(sqlite3_step(stmt), SQLITE_ROW, SQLITE_DONE);
			assert_in_range(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0), 1, 400);
			assert_in_range(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0), 0, 3);
			(void)sqlite3_finalize(stmt);
		}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, mend_and_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_full_disk_refuses_jobs_until_there_is_room),
		TEST(a_used_up_quota_is_a_full_disk),
		TEST(after_a_failed_sync_nothing_is_written_any_more),
		TEST(a_job_that_was_refused_by_a_failed_sync_does_not_come_back),
		TEST(a_failed_sync_of_the_database_file_is_not_hidden),
		TEST(a_second_notifyd_is_refused),
		TEST(a_database_that_another_program_holds_is_refused),
		TEST(a_file_of_a_newer_notifyd_is_refused),
		TEST(a_file_that_is_no_database_is_refused),
		TEST(what_was_acknowledged_survives_sigkill),
		TEST(a_hundred_thousand_jobs_are_counted_and_loaded_in_little_memory),
		TEST(a_job_is_accepted_while_a_long_list_is_made),
		TEST(every_statement_uses_an_index),
		TEST(one_job_is_found_in_few_steps_among_a_hundred_thousand),
	};

	return cmocka_run_group_tests(tests, store_shim_install, NULL);
}
