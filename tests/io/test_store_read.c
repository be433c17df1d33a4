/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_read.c - what the queue gives back: due jobs, lists, a job by the end of its id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/io/store_internal.h"
#include "tests/io/store_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
list(struct store_req *req)
{
	req->op = STORE_LIST;
	if (req->limit == 0)
		req->limit = 100;
	kit_ask(&kit, req);
	assert_int_equal(req->err, ND_OK);
}

static void
severe_jobs_are_loaded_first_then_the_oldest_due(void **state)
{
	static const struct {
		uint8_t severity;
		int due, place;
	} jobs[] = {
		{ JOB_WARNING, -50, 2 },
		{ JOB_ERROR, -60, 1 }, /* error is no better than warning */
		{ JOB_CRITICAL, -10, 0 },
		{ JOB_WARNING, -20, 3 },
		{ JOB_EMERGENCY, 10, -1 },
		{ JOB_DEBUG, 5, -1 },
	};
	char ids[6][ND_ULID_LEN + 1], skip[2][ND_ULID_LEN + 1];
	struct store_req req = { .op = STORE_LOAD };
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		struct queue_job *job = kit_job(&kit);

		job->severity = jobs[i].severity;
		job->due = KIT_NOW + jobs[i].due;
		memcpy(ids[i], job->id, sizeof(ids[i]));
		assert_int_equal(kit_put(&kit, job), ND_OK);
		queue_job_free(job);
	}
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 4);
	assert_int_equal(req.next_due, KIT_NOW + 5);
	for (i = 0; i < 4; i++)
		assert_string_equal(req.jobs[jobs[i].place]->id, ids[i]);
	kit_forget(&req);
	req = (struct store_req){ .op = STORE_LOAD };
	/* Two are in memory already. */
	memcpy(skip[0], ids[1], sizeof(skip[0]));
	memcpy(skip[1], ids[2], sizeof(skip[1]));
	req = (struct store_req){ .skip = skip, .skip_count = 2, .limit = 1 };
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 1);
	assert_true(req.more);
	assert_string_equal(req.jobs[0]->id, ids[0]);
	kit_forget(&req);
	req = (struct store_req){ .limit = 10 };
	assert_int_equal(kit_load(&kit, &req, "gmail", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 0);
	assert_int_equal(req.next_due, ND_NEVER);
	kit_forget(&req);
}

/* `count` jobs of this submitter, due one after another. The id of the first. */
static void
flood(uint32_t uid, const char *unit, unsigned count, nd_unix due, char id[ND_ULID_LEN + 1])
{
	for (unsigned i = 0; i < count; i++) {
		struct queue_job *job = kit_job(&kit);

		job->uid = uid;
		kit_set(&job->unit, unit);
		job->due = due + i;
		if (i == 0)
			memcpy(id, job->id, ND_ULID_LEN + 1);
		assert_int_equal(kit_put(&kit, job), ND_OK);
		queue_job_free(job);
	}
}

/* So many of this user in the answer; *first: one of them has this id. */
static unsigned
of_user(const struct store_req *req, uint32_t uid, const char *id, bool *first)
{
	unsigned count = 0;

	*first = false;
	for (unsigned i = 0; i < req->job_count; i++) {
		count += req->jobs[i]->uid == uid;
		*first = *first || strcmp(req->jobs[i]->id, id) == 0;
	}
	return count;
}

static void
each_submitter_has_its_part_of_what_is_loaded(void **state)
{
	char ids[4][ND_ULID_LEN + 1], skip[1][ND_ULID_LEN + 1], late[ND_ULID_LEN + 1];
	struct store_req req = { .limit = 20 };
	bool first;

	(void)state;
	flood(1000, NULL, 100, KIT_NOW - 1000, ids[0]);
	flood(1001, NULL, 12, KIT_NOW - 500, ids[1]);
	flood(1001, "cron.service", 1, KIT_NOW, ids[2]);
	flood(1002, NULL, 1, KIT_NOW + 7, late);
	kit_stop(&kit);
	kit_start(&kit);
	flood(1003, NULL, 2, KIT_NOW - 1, ids[3]); /* in a lane of its own still */
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 20);
	assert_true(req.more);
	assert_int_equal(req.next_due, KIT_NOW + 7);
	assert_int_equal(of_user(&req, 1003, ids[3], &first), 2);
	assert_true(first);
	assert_in_range(of_user(&req, 1001, ids[2], &first), 5, 13);
	assert_true(first);
	assert_true(of_user(&req, 1001, ids[1], &first) > 0 && first);
	assert_true(of_user(&req, 1000, ids[0], &first) >= 4 && first);
	kit_forget(&req);
	/* The first few of each, those that are in memory included. */
	memcpy(skip[0], ids[1], sizeof(skip[0]));
	req = (struct store_req){ .limit = 20, .few = 3, .skip = skip, .skip_count = 1 };
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(of_user(&req, 1000, ids[0], &first), 3);
	assert_true(first);
	assert_int_equal(of_user(&req, 1001, ids[1], &first), 3); /* two, and the one of cron.service */
	assert_false(first);
	assert_int_equal(of_user(&req, 1003, ids[3], &first), 2);
	assert_int_equal(req.job_count, 8);
	assert_int_equal(req.next_due, KIT_NOW + 7);
	assert_false(req.more);
	kit_forget(&req);
	req = (struct store_req){ .limit = 2, .few = 3 };
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 2);
	assert_true(req.more);
	kit_forget(&req);
}

/* More submitters than lanes: the one with most has its lane for itself. */
static void
a_flood_shares_its_lane_with_nobody(void **state)
{
	char flooded[ND_ULID_LEN + 1], id[ND_ULID_LEN + 1];
	struct store_req req = { .limit = 200 };
	bool first;

	(void)state;
	flood(1, NULL, 200, KIT_NOW - 1000, flooded);
	for (unsigned i = 0; i < 100; i++)
		flood(1000 + i, NULL, 1, KIT_NOW, id);
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 200);
	assert_int_equal(of_user(&req, 1, flooded, &first), 100);
	kit_forget(&req);
}

/* A million jobs must not be looked at to find the next one. */
static void
due_jobs_are_found_by_their_index(void **state)
{
	static const enum store_sql all[] = { SQL_JOB_DUE, SQL_JOB_NEXT, SQL_JOB_RANK };
	char path[128], sql[1024];
	sqlite3_stmt *stmt;
	const char *plan;
	sqlite3 *db;

	(void)state;
	kit_stop(&kit);
	(void)snprintf(path, sizeof(path), "%s/queue.db", kit.folder);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		(void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", store_schema_sql[all[i]]);
		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
		plan = (const char *)sqlite3_column_text(stmt, 3);
		assert_true(strncmp(plan, "SEARCH job USING ", 17) == 0);
		assert_non_null(strstr(plan, "INDEX job_due (account=? AND state=? AND rank"));
		assert_int_equal(sqlite3_step(stmt), SQLITE_DONE); /* nothing is sorted */
		(void)sqlite3_finalize(stmt);
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	kit_start(&kit);
}

static void
bodies_are_loaded_up_to_a_limit_but_one_always(void **state)
{
	struct store_req req = { .limit = 10, .limit_octets = 100 };
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct queue_job *job = kit_job(&kit);

		free(job->body);
		job->body_len = 150;
		job->body = nd_xalloc(151);
		memset(job->body, 'x', 150);
		assert_int_equal(kit_put(&kit, job), ND_OK);
		queue_job_free(job);
	}
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 1);
	assert_true(req.more);
	kit_forget(&req);
	req = (struct store_req){ .limit = 10, .limit_octets = 300 };
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 2);
	assert_true(req.more);
	assert_int_equal(req.jobs[1]->body_len, 150);
	assert_int_equal(strlen(req.jobs[1]->body), 150);
	kit_forget(&req);
}

static void
a_body_may_hold_any_octet(void **state)
{
	static const char octets[] = "a\0b\xff\r\n";
	struct queue_job *job = kit_job(&kit);
	struct store_req req = { .limit = 10 };

	(void)state;
	free(job->body);
	job->body = nd_xalloc(sizeof(octets));
	memcpy(job->body, octets, sizeof(octets));
	job->body_len = sizeof(octets);
	assert_int_equal(kit_put(&kit, job), ND_OK);
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.jobs[0]->body_len, sizeof(octets));
	assert_memory_equal(req.jobs[0]->body, octets, sizeof(octets));
	kit_forget(&req);
	queue_job_free(job);
}

static void
a_spooled_body_stays_in_its_file(void **state)
{
	struct queue_job *job = kit_job(&kit), *other = kit_job(&kit);
	struct store_req req = { .limit = 10, .limit_octets = 1000 };

	(void)state;
	kit_set(&job->body, NULL);
	job->spooled = true;
	job->body_len = 5000000;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	assert_int_equal(kit_put(&kit, other), ND_OK);
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 2); /* it takes no memory, so it does not count */
	assert_true(req.jobs[0]->spooled);
	assert_null(req.jobs[0]->body);
	assert_int_equal(req.jobs[0]->body_len, 5000000);
	kit_forget(&req);
	assert_true(store_spooled(kit.store, job->id));
	assert_false(store_spooled(kit.store, other->id));
	assert_int_equal(kit_outcome(&kit, job, JOB_DELIVERED, KIT_NOW), ND_OK);
	assert_false(store_spooled(kit.store, job->id));
	queue_job_free(job);
	queue_job_free(other);
}

static void
jobs_of_accounts_that_are_gone_are_found(void **state)
{
	static const char *const accounts[] = { "m365", "gmail", "old", "old", "" };
	static const char *const names[] = { "m365", "gmail", NULL };
	struct store_req req = { .op = STORE_LOAD, .orphans = true, .names = names };
	struct queue_job *jobs[5];
	int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		jobs[i] = kit_job(&kit);
		kit_set(&jobs[i]->account, accounts[i]);
		jobs[i]->state = i == 3 ? JOB_HELD : JOB_QUEUED;
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
	}
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_int_equal(req.job_count, 3);
	assert_string_equal(req.jobs[0]->id, jobs[2]->id);
	assert_string_equal(req.jobs[1]->id, jobs[3]->id);
	assert_string_equal(req.jobs[2]->id, jobs[4]->id);
	assert_null(req.jobs[0]->body);
	assert_int_equal(req.jobs[0]->rcpt_count, 1);
	kit_forget(&req);
	req = (struct store_req){ .op = STORE_LOAD, .orphans = true, .names = names, .limit = 2 };
	kit_ask(&kit, &req);
	assert_int_equal(req.job_count, 2);
	assert_true(req.more);
	kit_forget(&req);
	for (i = 0; i < 5; i++)
		queue_job_free(jobs[i]);
}

/* Ten jobs, 0-4 delivered, told apart by key. */
static void
fill_for_lists(char ids[10][ND_ULID_LEN + 1])
{
	int i;

	for (i = 0; i < 10; i++) {
		struct queue_job *job = kit_job_at(&kit, KIT_NOW + i);
		char key[16];

		(void)snprintf(key, sizeof(key), "key%d", i);
		kit_set(&job->key, key);
		kit_set(&job->source, i % 2 ? "smartd" : "cron");
		job->severity = i % 2 ? JOB_CRITICAL : JOB_INFO;
		job->uid = i < 2 ? 1000 : i < 4 ? 61200 : 0;
		kit_set(&job->unit, i == 2 ? "a.service" : "b.service");
		memcpy(ids[i], job->id, ND_ULID_LEN + 1);
		assert_int_equal(kit_put(&kit, job), ND_OK);
		if (i < 5)
			assert_int_equal(kit_outcome(&kit, job, JOB_DELIVERED, KIT_NOW + 100), ND_OK);
		queue_job_free(job);
	}
}

static void
lists_are_newest_first_over_queue_and_history(void **state)
{
	char ids[10][ND_ULID_LEN + 1];
	struct store_req req = { .limit = 4 };
	int i, seen = 0;

	(void)state;
	fill_for_lists(ids);
	do { /* page by page */
		char before[ND_ULID_LEN + 1];

		list(&req);
		for (i = 0; i < (int)req.job_count; i++) {
			assert_string_equal(req.jobs[i]->id, ids[9 - seen]);
			assert_int_equal(req.jobs[i]->rcpt_count, 1);
			assert_null(req.jobs[i]->body);
			seen++;
		}
		assert_int_equal(req.more, seen < 10);
		memcpy(before, req.jobs[req.job_count - 1]->id, sizeof(before));
		kit_forget(&req);
		memcpy(req.filter.before, before, sizeof(before));
	} while (req.more);
	assert_int_equal(seen, 10);
}

static void
lists_are_filtered(void **state)
{
	char ids[10][ND_ULID_LEN + 1];
	const struct {
		struct store_filter filter;
		const char *want; /* digits, newest first */
	} cases[] = {
		{ { .states = 1u << JOB_QUEUED }, "98765" },
		{ { .states = 1u << JOB_DELIVERED }, "43210" },
		{ { .states = 1u << JOB_QUEUED | 1u << JOB_DELIVERED, .severities = 1u << JOB_CRITICAL }, "97531" },
		{ { .key = "key3,key7" }, "73" },
		{ { .key = "key" }, "" },
		{ { .source = "cron" }, "86420" },
		{ { .source = "none,smartd" }, "97531" },
		{ { .account = "gmail" }, "" },
		{ { .account = "gmail,m365", .key = "key4" }, "4" },
		{ { .since = KIT_NOW + 7 }, "987" },
		{ { .own = true, .uid = 1000, .unit = "other.service" }, "10" },
		{ { .own = true, .uid = 61200, .unit = "a.service" }, "2" },
		{ { .own = true, .uid = 61200 }, "" },
		{ { .own = true, .uid = 7 }, "" },
	};
	unsigned i, k;

	(void)state;
	fill_for_lists(ids);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store_req req = { .filter = cases[i].filter };

		list(&req);
		if (req.job_count != strlen(cases[i].want))
			print_message("case %u\n", i);
		assert_int_equal(req.job_count, strlen(cases[i].want));
		for (k = 0; k < req.job_count; k++)
			assert_string_equal(req.jobs[k]->id, ids[cases[i].want[k] - '0']);
		assert_false(req.more);
		kit_forget(&req);
	}
}

static void
a_job_is_found_by_the_end_of_its_id(void **state)
{
	struct queue_job *a = kit_job(&kit), *b = kit_job(&kit), *c = kit_job(&kit);
	struct store_req req;

	(void)state;
	memcpy(a->id, "01KAHZZZZZ0000000000ABCDEF", sizeof(a->id));
	memcpy(b->id, "01KAHZZZZZ1111111111ABCDEF", sizeof(b->id));
	memcpy(c->id, "01KAHZZZZZ2222222222XYZXYZ", sizeof(c->id));
	assert_int_equal(kit_put(&kit, a), ND_OK);
	assert_int_equal(kit_put(&kit, b), ND_OK);
	assert_int_equal(kit_put(&kit, c), ND_OK);
	assert_int_equal(kit_outcome(&kit, a, JOB_DELIVERED, KIT_NOW), ND_OK);
	req = (struct store_req){ .op = STORE_SHOW, .tail = true, .id = "XYZXYZ" };
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_string_equal(req.found->id, c->id);
	assert_string_equal(req.id, c->id);
	kit_forget(&req);
	req = (struct store_req){ .op = STORE_SHOW, .tail = true, .id = "ABCDEF" };
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_EAMBIGUOUS);
	assert_null(req.found);
	req = (struct store_req){ .op = STORE_BODY, .tail = true, .id = "1ABCDEF" };
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_string_equal(req.found->body, b->body);
	kit_forget(&req);
	req = (struct store_req){ .op = STORE_BODY, .tail = true, .id = "0ABCDEF" };
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_EBODYGONE);
	req = (struct store_req){ .op = STORE_SHOW, .tail = true, .id = "QQQQQQ" };
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_ENOTFOUND);
	req = (struct store_req){ .filter = { .tail = "ABCDEF" } };
	list(&req);
	assert_int_equal(req.job_count, 2);
	assert_string_equal(req.jobs[0]->id, b->id);
	kit_forget(&req);
	queue_job_free(a);
	queue_job_free(b);
	queue_job_free(c);
}

/* It ends badly, and somebody is to be told. */
static int64_t
end_badly(struct queue_job *job, bool tell)
{
	struct store_req req = { .op = STORE_OUTCOME, .job = job, .tell = tell };

	job->state = JOB_FAILED;
	job->rcpts[0].state = RCPT_REFUSED;
	job->rcpts[0].at = KIT_NOW;
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	return req.place;
}

static void
expect_untold(unsigned limit, const char *first, unsigned count, unsigned rest, int64_t place)
{
	struct store_req req = { .op = STORE_UNTOLD, .limit = limit };

	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_int_equal(req.job_count, count);
	assert_int_equal(req.rest, rest);
	assert_int_equal(req.place, place);
	if (count > 0) {
		assert_string_equal(req.jobs[0]->id, first);
		assert_int_equal(req.jobs[0]->rcpts[0].state, RCPT_REFUSED);
	}
	free(req.kept);
	kit_forget(&req);
}

static void
what_ended_badly_is_known_until_somebody_was_told(void **state)
{
	struct queue_job *jobs[4];
	struct store_req told = { .op = STORE_UNTOLD, .drop = true }, req = { .op = STORE_UNTOLD };
	char text[] = "17 18";
	unsigned i;

	(void)state;
	expect_untold(10, NULL, 0, 0, 0);
	for (i = 0; i < 4; i++) {
		jobs[i] = kit_job(&kit);
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
	}
	assert_int_equal(end_badly(jobs[0], true), 1);
	assert_int_equal(end_badly(jobs[1], false), 0);
	assert_int_equal(end_badly(jobs[2], true), 2);
	assert_int_equal(end_badly(jobs[3], true), 3);
	kit_stop(&kit);
	kit_start(&kit);
	expect_untold(10, jobs[0]->id, 3, 0, 3);
	expect_untold(2, jobs[0]->id, 2, 1, 3);
	/* what ends again is the newest; what came in while a mail was written stays */
	assert_int_equal(end_badly(jobs[0], true), 4);
	told.place = 3;
	told.kept = text;
	kit_ask(&kit, &told);
	assert_int_equal(told.err, ND_OK);
	told.kept = NULL; /* stays */
	expect_untold(10, jobs[0]->id, 1, 0, 4);
	/* others got it: it is in history by now */
	assert_int_equal(kit_outcome(&kit, jobs[0], JOB_QUEUED, KIT_NOW), ND_OK);
	assert_int_equal(kit_outcome(&kit, jobs[0], JOB_DELIVERED, KIT_NOW), ND_OK);
	req.limit = 10;
	kit_ask(&kit, &req);
	assert_int_equal(req.job_count, 1);
	assert_string_equal(req.jobs[0]->id, jobs[0]->id);
	assert_int_equal(req.jobs[0]->state, JOB_DELIVERED);
	kit_forget(&req);
	free(req.kept);
	req.kept = NULL;
	told.place = 4;
	kit_ask(&kit, &told);
	expect_untold(10, NULL, 0, 0, 0);
	kit_stop(&kit);
	kit_start(&kit);
	kit_ask(&kit, &req);
	assert_string_equal(req.kept, text);
	free(req.kept);
	for (i = 0; i < 4; i++)
		queue_job_free(jobs[i]);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(severe_jobs_are_loaded_first_then_the_oldest_due),
		TEST(each_submitter_has_its_part_of_what_is_loaded),
		TEST(a_flood_shares_its_lane_with_nobody),
		TEST(due_jobs_are_found_by_their_index),
		TEST(bodies_are_loaded_up_to_a_limit_but_one_always),
		TEST(a_body_may_hold_any_octet),
		TEST(a_spooled_body_stays_in_its_file),
		TEST(jobs_of_accounts_that_are_gone_are_found),
		TEST(lists_are_newest_first_over_queue_and_history),
		TEST(lists_are_filtered),
		TEST(a_job_is_found_by_the_end_of_its_id),
		TEST(what_ended_badly_is_known_until_somebody_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
