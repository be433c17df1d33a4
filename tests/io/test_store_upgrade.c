/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_upgrade.c - the queue of an older notifyd, as that wrote it (tests/old), is brought to today's tables: whole, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/core/late.h"
#include "daemon/io/store_internal.h"
#include "tests/io/certs.h"
#include "tests/io/store_kit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THIRD "01M81M39Q7G0JWPPVPWPRZ970F"
#define FIFTH "01M81M39QFJJY02XPZQ49GFB6D"
#define FRESH "01M7YHX3000000000000000000" /* of version 10 */
#define TRIED "01M7YHX3000000000000000001"
#define HELD "01M7YHX3000000000000000002"
#define FAILED "01M7YHX3000000000000000003"
#define DELIVERED "01M7YHX3000000000000000004"
#define DOUBTED "01M82BHTYA9J2EW5H17M7EAVXV" /* of version 11 */
#define VERSION "PRAGMA user_version"

static struct kit kit;

static char *
read_text(const char *name)
{
	FILE *file = fopen(certs_source(name), "re");
	char *text;
	long size;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size > 0);
	rewind(file);
	text = nd_xalloc((size_t)size + 1);
	assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
	(void)fclose(file);
	return text;
}

/* A folder whose queue is the one of that file; no store is open. */
static void
bring_back(const char *name)
{
	static const char *const files[] = { "queue.db", "queue.db-wal", "queue.db-shm" };
	char path[128], *sql = read_text(name);
	sqlite3 *db = NULL;

	kit_open(&kit);
	kit_stop(&kit);
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", kit.folder, files[i]);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/queue.db", kit.folder);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	free(sql);
}

static int
set_up(void **state)
{
	(void)state;
	bring_back("tests/old/schema-1.sql");
	assert_int_equal(kit_sql(&kit, VERSION), 1);
	return 0;
}

static int
set_up_10(void **state)
{
	(void)state;
	bring_back("tests/old/schema-10.sql");
	assert_int_equal(kit_sql(&kit, VERSION), 10);
	return 0;
}

static int
set_up_11(void **state)
{
	(void)state;
	bring_back("tests/old/schema-11.sql");
	assert_int_equal(kit_sql(&kit, VERSION), 11);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	kit_close(&kit);
	return 0;
}

static void
what_the_first_version_wrote_is_read(void **state)
{
	struct store_req req;
	struct store_size size;

	(void)state;
	kit_start(&kit);
	size = store_size(kit.store); /* was not counted then: four unfinished jobs, whose messages have these octets */
	assert_int_equal(size.jobs, 4);
	assert_int_equal(size.octets, 472 + 340 + 91451 + 340);

	assert_int_equal(kit_show(&kit, &req, THIRD), ND_OK);
	assert_int_equal(req.found->state, JOB_QUEUED);
	assert_int_equal(req.found->attempt_count, 1);
	assert_false(req.found->spooled);
	assert_string_equal(req.found->reason, "recipient-deferred: 451 4.3.0 try later");
	assert_int_equal(req.found->rcpt_count, 2);
	assert_int_equal(req.found->rcpts[0].state, RCPT_DELIVERED);
	assert_string_equal(req.found->rcpts[1].address, "later@example.com");
	assert_int_equal(req.found->rcpts[1].state, RCPT_PENDING);
	kit_forget(&req);
	assert_int_equal(kit_show(&kit, &req, FIFTH), ND_OK);
	assert_true(req.found->spooled);
	assert_false(req.found->sealed);
	kit_forget(&req);
	assert_int_equal(kit_totals(&kit, &req), ND_OK);
	kit_forget(&req);
	kit_stop(&kit);
	assert_int_equal(kit_sql(&kit, VERSION), store_schema_version);
	assert_int_equal(kit_sql(&kit, "SELECT sum(jobs) FROM owner"), 4);
	kit_start(&kit); /* once is enough */
	assert_int_equal(store_size(kit.store).jobs, 4);
}

static void
an_upgrade_that_breaks_off_leaves_the_queue_of_before(void **state)
{
	struct nd_why why = { .err = ND_OK };

	(void)state;
	(void)kit_sql(&kit, "ALTER TABLE job ADD COLUMN again INTEGER"); /* so its last step fails */
	assert_null(store_open(kit.folder, kit.loop, &why));
	assert_int_not_equal(why.err, ND_OK);
	assert_int_equal(kit_sql(&kit, VERSION), 1);
	assert_int_equal(
	    kit_sql(&kit, "SELECT count(*) FROM sqlite_schema WHERE name IN ('owner','limits','evidence')"), 0);
	(void)kit_sql(&kit, "ALTER TABLE job DROP COLUMN again");
	kit_start(&kit);
	assert_int_equal(store_size(kit.store).jobs, 4);
}

/* Jobs whose recipients have rows, whatever became of them, and an index of ids. */
static void
recipients_of_the_tenth_version_stay_in_their_rows(void **state)
{
	static const struct {
		const char *id;
		enum job_state state;
		enum rcpt_state rcpt;
		int code;
	} was[] = {
		{ FRESH, JOB_QUEUED, RCPT_PENDING, 0 },
		{ TRIED, JOB_QUEUED, RCPT_PENDING, 451 },
		{ HELD, JOB_HELD, RCPT_PENDING, 0 },
		{ FAILED, JOB_FAILED, RCPT_REFUSED, 451 },
		{ DELIVERED, JOB_DELIVERED, RCPT_DELIVERED, 250 },
	};
	struct store_req req, list = { .op = STORE_LIST };

	(void)state;
	kit_start(&kit);
	for (unsigned i = 0; i < sizeof(was) / sizeof(was[0]); i++) {
		assert_int_equal(kit_show(&kit, &req, was[i].id), ND_OK);
		assert_int_equal(req.found->state, was[i].state);
		assert_int_equal(req.found->rcpt_count, 2);
		assert_string_equal(req.found->rcpts[0].address, "ops@contoso.com");
		assert_string_equal(req.found->rcpts[1].address, "later@contoso.com");
		assert_int_equal(req.found->rcpts[1].state, was[i].rcpt);
		assert_int_equal(req.found->rcpts[1].code, was[i].code);
		if (was[i].state != JOB_DELIVERED)
			assert_int_equal(kit_outcome(&kit, req.found, JOB_DELIVERED, KIT_NOW + 99), ND_OK);
		kit_forget(&req);
		assert_int_equal(kit_show(&kit, &req, was[i].id), ND_OK);
		assert_int_equal(req.found->state, JOB_DELIVERED);
		assert_string_equal(req.found->rcpts[1].address, "later@contoso.com");
		kit_forget(&req);
	}
	kit_ask(&kit, &list);
	assert_int_equal(list.job_count, 5);
	assert_string_equal(list.jobs[4]->id, FRESH);
	kit_forget(&list);
	kit_stop(&kit);
	assert_int_equal(kit_sql(&kit, VERSION), store_schema_version);
	assert_int_equal(kit_sql(&kit, "SELECT (SELECT count(*) FROM rcpt)+(SELECT count(*) FROM job)"), 0);
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"), 1);
	kit_start(&kit);
}

/* What a job began as is known, and of other accounts nothing is, till it moves. */
static void
what_the_eleventh_version_sent_in_doubt_stays_as_it_was(void **state)
{
	struct store_req req;
	uint32_t late;

	(void)state;
	kit_start(&kit);
	assert_int_equal(kit_show(&kit, &req, DOUBTED), ND_OK);
	assert_true(req.found->uncertain);
	assert_true(late_told(req.found->late));
	assert_null(req.found->begun);
	late = req.found->late;
	late_move(req.found, "b");
	free(req.found->account);
	req.found->account = nd_xstrdup("b");
	assert_int_equal(kit_move(&kit, req.found), ND_OK);
	kit_forget(&req);
	kit_stop(&kit);
	assert_int_equal(kit_sql(&kit, VERSION), store_schema_version);
	kit_start(&kit);
	assert_int_equal(kit_show(&kit, &req, DOUBTED), ND_OK);
	assert_int_equal(req.found->late, LATE_FRESH);
	late_move(req.found, "a");
	assert_int_equal(req.found->late, late);
	kit_forget(&req);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_the_first_version_wrote_is_read),
		TEST(an_upgrade_that_breaks_off_leaves_the_queue_of_before),
		cmocka_unit_test_setup_teardown(
		    recipients_of_the_tenth_version_stay_in_their_rows, set_up_10, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_the_eleventh_version_sent_in_doubt_stays_as_it_was, set_up_11, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
