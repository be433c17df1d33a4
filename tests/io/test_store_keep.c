/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_keep.c - what ends and what goes: uncertain jobs, expiry, pruning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "tests/io/store_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
prune(struct store_req *req, nd_unix until, nd_ms history, nd_ms keep_failed, int64_t bytes)
{
	*req = (struct store_req){ .op = STORE_PRUNE };
	req->until = until;
	req->history = history;
	req->keep_failed = keep_failed;
	req->keep_failed_bytes = bytes;
	kit_ask(&kit, req);
	assert_int_equal(req->err, ND_OK);
}

static void
the_newest_id_is_known_even_when_its_job_is_forgotten(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req;

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	assert_int_equal(kit_outcome(&kit, job, JOB_DELIVERED, KIT_NOW), ND_OK);
	req = (struct store_req){
		.op = STORE_PRUNE, .until = KIT_NOW + ND_DAY(40), .history = ND_DAY(30), .keep_failed_bytes = -1
	};
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	kit_forget(&req);
	kit_stop(&kit);
	kit_start(&kit);
	assert_int_equal(kit_show(&kit, &req, job->id), ND_ENOTFOUND);
	assert_int_equal(kit_totals(&kit, &req), ND_OK);
	assert_string_equal(req.last_id, job->id);
	assert_int_equal(req.totals[JOB_DELIVERED], 1);
	kit_forget(&req);
	queue_job_free(job);
}

static void
a_sealed_job_that_failed_keeps_no_row_in_the_queue(void **state)
{
	struct queue_job *failed = kit_job(&kit), *waits = kit_job(&kit), *jobs[] = { failed, waits };
	struct store_req req;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		free(jobs[i]->body);
		jobs[i]->body = NULL;
		jobs[i]->spooled = jobs[i]->sealed = true;
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
		assert_true(store_spooled(kit.store, jobs[i]->id));
	}
	failed->sealed = false; /* the store's own word holds */
	assert_int_equal(kit_outcome(&kit, failed, JOB_FAILED, KIT_NOW), ND_OK);
	assert_false(store_spooled(kit.store, failed->id));
	assert_int_equal(kit_show(&kit, &req, failed->id), ND_OK);
	assert_int_equal(req.found->state, JOB_FAILED);
	assert_true(req.found->sealed);
	assert_false(req.found->spooled);
	assert_false(req.found->body_kept);
	kit_forget(&req);
	req = (struct store_req){ .op = STORE_LOAD };
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 1);
	assert_true(req.jobs[0]->sealed && req.jobs[0]->spooled);
	kit_forget(&req);
	assert_int_equal(kit_totals(&kit, &req), ND_OK);
	assert_int_equal(req.totals[JOB_FAILED], 1);
	assert_int_equal(req.totals[JOB_QUEUED], 1);
	kit_forget(&req);
	queue_job_free(failed);
	queue_job_free(waits);
}

static void
noted_jobs_become_uncertain(void **state)
{
	struct queue_job *a = kit_job(&kit), *b = kit_job(&kit), *held = kit_job(&kit);
	char ids[3][ND_ULID_LEN + 1];
	const uint32_t lates[3] = { 1234, 1, 1 };
	struct store_req req = { .op = STORE_UNCERTAIN, .ids = ids, .lates = lates, .id_count = 3 };

	(void)state;
	held->state = JOB_HELD;
	assert_int_equal(kit_put(&kit, a), ND_OK);
	assert_int_equal(kit_put(&kit, b), ND_OK);
	assert_int_equal(kit_put(&kit, held), ND_OK);
	memcpy(ids[0], b->id, sizeof(ids[0]));
	memcpy(ids[1], held->id, sizeof(ids[1]));
	memcpy(ids[2], "01ARZ3NDEKTSV4RRFFQ69G5FAV", sizeof(ids[2])); /* done meanwhile */
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	kit_show(&kit, &req, a->id);
	assert_false(req.found->uncertain);
	kit_forget(&req);
	kit_show(&kit, &req, b->id);
	assert_true(req.found->uncertain);
	assert_int_equal(req.found->late, 1234);
	kit_forget(&req);
	kit_show(&kit, &req, held->id);
	assert_false(req.found->uncertain);
	kit_forget(&req);
	queue_job_free(a);
	queue_job_free(b);
	queue_job_free(held);
}

static void
after_a_power_cut_every_job_that_was_due_is_uncertain(void **state)
{
	struct queue_job *due = kit_job(&kit), *later = kit_job(&kit), *young;
	struct store_req req = { .op = STORE_UNCERTAIN, .all_due = true, .until = KIT_NOW + 5 };

	(void)state;
	later->due = KIT_NOW + 50;
	assert_int_equal(kit_put(&kit, due), ND_OK);
	assert_int_equal(kit_put(&kit, later), ND_OK);
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	young = kit_job_at(&kit, KIT_NOW + 6);
	assert_int_equal(kit_put(&kit, young), ND_OK);
	kit_stop(&kit); /* it is known after a restart too */
	kit_start(&kit);
	req = (struct store_req){ .op = STORE_LOAD };
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW + 100), ND_OK);
	assert_int_equal(req.job_count, 3);
	assert_string_equal(req.jobs[0]->id, due->id);
	assert_true(req.jobs[0]->uncertain);
	assert_false(req.jobs[1]->uncertain);
	assert_false(req.jobs[2]->uncertain);
	kit_forget(&req);
	/* The next try settles it. */
	due->due = KIT_NOW + 90;
	assert_int_equal(kit_outcome(&kit, due, JOB_QUEUED, KIT_NOW + 60), ND_OK);
	kit_show(&kit, &req, due->id);
	assert_false(req.found->uncertain);
	kit_forget(&req);
	queue_job_free(due);
	queue_job_free(later);
	queue_job_free(young);
}

/* Unfinished jobs and octets, of all and of one submitter. */
static void
expect_size(uint32_t uid, const char *unit, unsigned jobs, uint64_t octets)
{
	struct store_size size = unit ? store_size_of(kit.store, uid, unit) : store_size(kit.store);

	assert_int_equal(size.jobs, jobs);
	assert_int_equal(size.octets, octets);
}

static void
the_store_knows_how_much_of_the_queue_is_whose(void **state)
{
	struct queue_job *a = kit_job(&kit), *b = kit_job(&kit), *c = kit_job(&kit);
	uint64_t one = a->body_len;
	struct store_req req;

	(void)state;
	kit_set(&b->unit, "backup.service");
	a->uid = b->uid = c->uid = 4711;
	kit_set(&a->unit, NULL);
	kit_set(&c->unit, NULL);
	assert_int_equal(kit_put(&kit, a), ND_OK);
	assert_int_equal(kit_put(&kit, b), ND_OK);
	assert_int_equal(kit_put(&kit, c), ND_OK);
	expect_size(0, NULL, 3, 3 * one);
	expect_size(4711, "", 2, 2 * one);
	expect_size(4711, "backup.service", 1, one);
	expect_size(4712, "", 0, 0);
	assert_int_equal(kit_outcome(&kit, a, JOB_DELIVERED, KIT_NOW), ND_OK);
	assert_int_equal(kit_outcome(&kit, b, JOB_FAILED, KIT_NOW), ND_OK); /* kept, but not waiting */
	expect_size(0, NULL, 1, one);
	expect_size(4711, "backup.service", 0, 0);
	kit_stop(&kit); /* it need not be counted again after a restart */
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM owner"), 1);
	kit_start(&kit);
	expect_size(0, NULL, 1, one);
	expect_size(4711, "", 1, one);
	b->state = JOB_QUEUED; /* tried again by hand */
	assert_int_equal(kit_move(&kit, b), ND_OK);
	expect_size(4711, "backup.service", 1, one);
	assert_int_equal(kit_totals(&kit, &req), ND_OK);
	assert_int_equal(req.octets, 2 * one);
	kit_forget(&req);
	queue_job_free(a);
	queue_job_free(b);
	queue_job_free(c);
}

static void
jobs_whose_time_is_over_are_named(void **state)
{
	struct queue_job *jobs[6];
	struct store_req req = { .op = STORE_EXPIRE, .until = KIT_NOW + ND_DAY(14), .max_age = ND_DAY(14) };
	int i;

	(void)state;
	for (i = 0; i < 6; i++)
		jobs[i] = kit_job_at(&kit, i < 4 ? KIT_NOW + i : KIT_NOW + ND_DAY(10));
	jobs[0]->state = JOB_HELD; /* too old, held */
	/* jobs[1]: younger than max_age by a millisecond */
	jobs[2]->expires = KIT_NOW + ND_DAY(13); /* its own end */
	jobs[3]->expires = KIT_NOW + ND_DAY(20); /* not yet */
	jobs[4]->expires = KIT_NOW + ND_DAY(14);
	jobs[4]->state = JOB_HELD;
	jobs[5]->expires = KIT_NOW + ND_DAY(11); /* over, but finished */
	for (i = 0; i < 6; i++)
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
	assert_int_equal(kit_outcome(&kit, jobs[5], JOB_FAILED, KIT_NOW), ND_OK);
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_int_equal(req.job_count, 3);
	assert_false(req.more);
	assert_string_equal(req.jobs[0]->id, jobs[2]->id);
	assert_string_equal(req.jobs[1]->id, jobs[4]->id);
	assert_string_equal(req.jobs[2]->id, jobs[0]->id);
	assert_null(req.jobs[0]->body);
	kit_forget(&req);
	req =
	    (struct store_req){ .op = STORE_EXPIRE, .until = KIT_NOW + ND_DAY(15), .max_age = ND_DAY(14), .limit = 4 };
	kit_ask(&kit, &req);
	assert_int_equal(req.job_count, 4);
	assert_true(req.more); /* jobs[3]: nothing outlives max_age */
	kit_forget(&req);
	for (i = 0; i < 6; i++)
		queue_job_free(jobs[i]);
}

static void
jobs_whose_time_will_be_over_are_counted_by_account(void **state)
{
	struct store_req req = { .op = STORE_ENDING, .until = KIT_NOW + ND_DAY(14), .max_age = ND_DAY(14) };
	struct queue_job *jobs[6];
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++)
		jobs[i] = kit_job(&kit);
	jobs[0]->expires = KIT_NOW + ND_DAY(13);
	jobs[1]->expires = KIT_NOW + ND_DAY(14) + 1; /* but it will be of age by then */
	jobs[1]->created = KIT_NOW - 5;
	jobs[2]->state = JOB_HELD; /* of age */
	jobs[2]->created = KIT_NOW;
	jobs[3]->created = KIT_NOW + 1; /* neither */
	jobs[4]->expires = KIT_NOW + ND_DAY(12);
	free(jobs[4]->account);
	jobs[4]->account = nd_xstrdup("another");
	jobs[5]->expires = KIT_NOW + ND_DAY(1); /* finished */
	for (i = 0; i < 6; i++)
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
	assert_int_equal(kit_outcome(&kit, jobs[5], JOB_FAILED, KIT_NOW), ND_OK);
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_int_equal(req.count_count, 2);
	i = strcmp(req.counts[0].account, "another") == 0;
	assert_string_equal(req.counts[i].account, jobs[0]->account);
	assert_int_equal(req.counts[i].queued, 3);
	assert_int_equal(req.counts[i].first, KIT_NOW + ND_DAY(13));
	assert_string_equal(req.counts[!i].account, "another");
	assert_int_equal(req.counts[!i].queued, 1);
	assert_int_equal(req.counts[!i].first, KIT_NOW + ND_DAY(12));
	kit_forget(&req);
	for (i = 0; i < 6; i++)
		queue_job_free(jobs[i]);
}

static void
the_default_age_is_looked_for_by_account(void **state)
{
	struct store_req req = { .op = STORE_EXPIRE, .until = KIT_NOW + ND_DAY(5), .max_age = ND_DAY(5) };
	struct queue_job *jobs[3];
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++)
		jobs[i] = kit_job(&kit);
	jobs[0]->expires = KIT_NOW + ND_DAY(9); /* a time of its own: the default is not for it */
	free(jobs[2]->account);
	jobs[2]->account = nd_xstrdup("another");
	for (i = 0; i < 3; i++)
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
	req.account = jobs[1]->account;
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_int_equal(req.job_count, 1);
	assert_string_equal(req.jobs[0]->id, jobs[1]->id);
	kit_forget(&req);
	req = (struct store_req){
		.op = STORE_EXPIRE, .until = KIT_NOW + ND_DAY(5), .max_age = ND_DAY(6), .account = "another"
	};
	kit_ask(&kit, &req);
	assert_int_equal(req.job_count, 0);
	kit_forget(&req);
	for (i = 0; i < 3; i++)
		queue_job_free(jobs[i]);
}

static void
the_default_age_begins_with_not_before_and_anew_with_a_retry(void **state)
{
	struct store_req req = { .op = STORE_EXPIRE, .until = KIT_NOW + ND_DAY(6), .max_age = ND_DAY(5) }, show = { 0 };
	struct queue_job *jobs[4];
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++)
		jobs[i] = kit_job(&kit);
	jobs[0]->not_before = KIT_NOW + ND_DAY(7);
	jobs[1]->not_before = KIT_NOW + ND_DAY(1);
	jobs[2]->age_from = KIT_NOW + ND_DAY(1) + 1;
	for (i = 0; i < 4; i++)
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
	jobs[3]->age_from = KIT_NOW + ND_DAY(2);
	assert_int_equal(kit_move(&kit, jobs[3]), ND_OK);
	req.account = jobs[0]->account;
	kit_ask(&kit, &req);
	assert_int_equal(req.job_count, 1);
	assert_string_equal(req.jobs[0]->id, jobs[1]->id);
	kit_forget(&req);
	req = (struct store_req){
		.op = STORE_EXPIRE, .until = KIT_NOW + ND_DAY(7), .max_age = ND_DAY(5), .account = jobs[0]->account
	};
	kit_ask(&kit, &req);
	assert_int_equal(req.job_count, 3);
	kit_forget(&req);
	req = (struct store_req){ .op = STORE_EXPIRE, .until = KIT_NOW + ND_DAY(13), .max_age = ND_DAY(13) };
	kit_ask(&kit, &req); /* that no job outlives runs from its acceptance */
	assert_int_equal(req.job_count, 4);
	kit_forget(&req);
	assert_int_equal(kit_show(&kit, &show, jobs[3]->id), ND_OK);
	assert_int_equal(show.found->expires, 0);
	assert_int_equal(show.found->age_from, KIT_NOW + ND_DAY(2));
	kit_forget(&show);
	for (i = 0; i < 4; i++)
		queue_job_free(jobs[i]);
}

/* What the digest tells of: jobs that wait though no account is in trouble. */
static void
jobs_that_are_near_their_end_are_counted(void **state)
{
	struct store_req req = {
		.op = STORE_ENDING, .until = KIT_NOW + ND_DAY(5), .wait = ND_DAY(1), .max_age = ND_DAY(14)
	};
	struct queue_job *jobs[8];
	struct store_old old;
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++)
		jobs[i] = kit_job(&kit);
	jobs[0]->expires = KIT_NOW + ND_DAY(5) - 7; /* tried in vain */
	jobs[0]->attempt_count = 3;
	jobs[1]->expires = KIT_NOW + ND_DAY(5) - 8; /* not tried yet: its turn comes */
	jobs[2]->expires = KIT_NOW + ND_DAY(5);
	jobs[2]->state = JOB_HELD;
	jobs[3]->expires = KIT_NOW + ND_DAY(4) + ND_MIN(1); /* tried, but it has just come */
	jobs[3]->not_before = KIT_NOW + ND_DAY(4);
	jobs[3]->attempt_count = 1;
	jobs[4]->attempt_count = 9; /* of age by then, as are 5 and 6 */
	jobs[5]->state = JOB_HELD;
	jobs[6]->age_from = KIT_NOW + 1;
	jobs[7]->not_before = KIT_NOW + ND_HOUR(1);
	for (i = 0; i < 8; i++)
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
	old = (struct store_old){ jobs[0]->account, KIT_NOW + 1 };
	req.olds = &old;
	req.old_count = 1;
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_int_equal(req.count_count, 1);
	assert_int_equal(req.counts[0].queued, 4);
	assert_int_equal(req.counts[0].first, KIT_NOW + ND_DAY(4) + ND_MIN(1));
	assert_int_equal(req.counts[0].near, 5);
	assert_int_equal(req.counts[0].near_held, 2);
	assert_int_equal(req.counts[0].near_first, KIT_NOW + ND_DAY(5) - 7);
	assert_int_equal(req.counts[0].oldest, jobs[4]->created);
	kit_forget(&req);
	for (i = 0; i < 8; i++)
		queue_job_free(jobs[i]);
}

static nd_unix
due_of(const char *id)
{
	struct store_req show = { 0 };
	nd_unix due;

	assert_int_equal(kit_show(&kit, &show, id), ND_OK);
	due = show.found->due;
	kit_forget(&show);
	return due;
}

static void
what_waits_is_hurried_but_not_what_another_relay_may_have(void **state)
{
	struct store_req req = { .op = STORE_HURRY, .until = KIT_NOW, .wait = ND_MIN(15) };
	struct queue_job *jobs[6];
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		jobs[i] = kit_job(&kit);
		jobs[i]->due = KIT_NOW + ND_MIN(10);
		jobs[i]->uncertain = i != 0;
	}
	kit_set(&jobs[2]->reason, "in-doubt: its account is gone");
	kit_set(&jobs[3]->reason, "in-doubt: its account is gone");
	jobs[3]->due = KIT_NOW + ND_DAY(365); /* the clock went back */
	jobs[4]->not_before = KIT_NOW + 1;
	for (i = 0; i < 6; i++)
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
	kit_set(&jobs[5]->declined, "too-big\na");
	assert_int_equal(kit_move(&kit, jobs[5]), ND_OK);
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_int_equal(due_of(jobs[0]->id), KIT_NOW);
	assert_int_equal(due_of(jobs[1]->id), KIT_NOW);
	assert_int_equal(due_of(jobs[2]->id), KIT_NOW + ND_MIN(10));
	assert_int_equal(due_of(jobs[3]->id), KIT_NOW + ND_MIN(15));
	assert_int_equal(due_of(jobs[4]->id), KIT_NOW + ND_MIN(10));
	assert_int_equal(due_of(jobs[5]->id), KIT_NOW + ND_MIN(10));
	for (i = 0; i < 6; i++)
		queue_job_free(jobs[i]);
}

static void
old_facts_and_messages_go(void **state)
{
	struct queue_job *done = kit_job(&kit), *failed = kit_job(&kit), *young = kit_job(&kit);
	struct store_req req;

	(void)state;
	failed->spooled = true;
	assert_int_equal(kit_put(&kit, done), ND_OK);
	assert_int_equal(kit_put(&kit, failed), ND_OK);
	assert_int_equal(kit_put(&kit, young), ND_OK);
	assert_int_equal(kit_outcome(&kit, done, JOB_DELIVERED, KIT_NOW), ND_OK);
	assert_int_equal(kit_outcome(&kit, failed, JOB_FAILED, KIT_NOW), ND_OK);
	assert_int_equal(kit_outcome(&kit, young, JOB_DELIVERED, KIT_NOW + ND_DAY(2)), ND_OK);
	/* Nothing is old enough. */
	prune(&req, KIT_NOW + ND_DAY(10), ND_DAY(30), ND_DAY(14), 1 << 30);
	assert_int_equal(req.pruned_count, 0);
	kit_forget(&req);
	/* The failed one's message. */
	prune(&req, KIT_NOW + ND_DAY(14), ND_DAY(30), ND_DAY(14), 1 << 30);
	assert_int_equal(req.pruned_count, 1);
	assert_string_equal(req.pruned[0].id, failed->id);
	kit_forget(&req);
	assert_int_equal(kit_show(&kit, &req, failed->id), ND_OK);
	assert_false(req.found->body_kept);
	assert_int_equal(req.found->state, JOB_FAILED);
	assert_int_equal(req.found->rcpts[0].state, RCPT_REFUSED);
	assert_int_equal(req.attempt_count, 1);
	kit_forget(&req);
	/* Facts of the first; the second ended at the same time, the third two days later. */
	prune(&req, KIT_NOW + ND_DAY(31), ND_DAY(30), ND_DAY(14), 1 << 30);
	kit_forget(&req);
	assert_int_equal(kit_show(&kit, &req, done->id), ND_ENOTFOUND);
	assert_int_equal(kit_show(&kit, &req, young->id), ND_OK);
	kit_forget(&req);
	prune(&req, KIT_NOW + ND_DAY(33), ND_DAY(30), ND_DAY(14), 1 << 30);
	kit_forget(&req);
	kit_stop(&kit);
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM history"), 0);
	queue_job_free(done);
	queue_job_free(failed);
	queue_job_free(young);
}

static void
failed_messages_beyond_their_room_go_oldest_first(void **state)
{
	struct queue_job *jobs[3];
	struct store_req req;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		jobs[i] = kit_job(&kit);
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
	}
	for (i = 2; i >= 0; i--) /* the last put fails first */
		assert_int_equal(kit_outcome(&kit, jobs[i], JOB_FAILED, KIT_NOW + 10 - i), ND_OK);
	prune(&req, KIT_NOW + 20, ND_DAY(30), ND_DAY(14), (int64_t)jobs[0]->body_len * 2);
	kit_forget(&req);
	for (i = 0; i < 3; i++) {
		assert_int_equal(kit_show(&kit, &req, jobs[i]->id), ND_OK);
		assert_int_equal(req.found->body_kept, i != 2);
		kit_forget(&req);
		queue_job_free(jobs[i]);
	}
}

static void
used_keys_are_forgotten_after_a_day(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req;

	(void)state;
	assert_int_equal(kit_put_keyed(&kit, job, 1, &req), ND_OK);
	prune(&req, KIT_NOW + ND_HOUR(23), ND_DAY(30), ND_DAY(14), -1);
	kit_forget(&req);
	assert_int_equal(kit_put_keyed(&kit, job, 1, &req), ND_OK);
	assert_true(req.duplicate);
	prune(&req, KIT_NOW + ND_HOUR(24), ND_DAY(30), ND_DAY(14), -1);
	kit_forget(&req);
	kit_stop(&kit);
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM idempotency"), 0);
	queue_job_free(job);
}

static void
much_history_is_pruned_in_steps(void **state)
{
	enum { COUNT = 1200 };
	struct store_req *reqs = nd_xalloc(COUNT * sizeof(*reqs)), req;
	int i, steps = 0;

	(void)state;
	for (i = 0; i < COUNT; i++) {
		reqs[i].op = STORE_PUT;
		reqs[i].job = kit_job(&kit);
		kit_submit(&kit, &reqs[i]);
	}
	kit_wait(&kit);
	for (i = 0; i < COUNT; i++) {
		reqs[i].op = STORE_MOVE;
		reqs[i].job->state = JOB_CANCELLED;
		reqs[i].job->rcpts[0].at = KIT_NOW;
		kit_submit(&kit, &reqs[i]);
	}
	kit_wait(&kit);
	do {
		prune(&req, KIT_NOW + ND_DAY(31), ND_DAY(30), ND_DAY(14), -1);
		kit_forget(&req);
		steps++;
	} while (req.more && steps < 10);
	assert_int_equal(steps, 3);
	kit_stop(&kit);
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM history"), 0);
	for (i = 0; i < COUNT; i++)
		queue_job_free(reqs[i].job);
	free(reqs);
}

static void
a_row_from_the_future_does_not_stop_the_pruning(void **state)
{
	struct queue_job *wrong = kit_job(&kit), *right = kit_job(&kit);
	struct store_req req;

	(void)state;
	assert_int_equal(kit_put(&kit, wrong), ND_OK);
	assert_int_equal(kit_put(&kit, right), ND_OK);
	assert_int_equal(kit_outcome(&kit, wrong, JOB_DELIVERED, KIT_NOW + ND_DAY(5000)), ND_OK);
	assert_int_equal(kit_outcome(&kit, right, JOB_DELIVERED, KIT_NOW), ND_OK);
	prune(&req, KIT_NOW + ND_DAY(31), ND_DAY(30), ND_DAY(14), -1);
	kit_forget(&req);
	assert_int_equal(kit_show(&kit, &req, right->id), ND_ENOTFOUND);
	assert_int_equal(kit_show(&kit, &req, wrong->id), ND_OK);
	kit_forget(&req);
	queue_job_free(wrong);
	queue_job_free(right);
}

static void
ask_limit(struct store_req *req, const char *mailbox)
{
	*req = (struct store_req){ .op = STORE_LIMIT, .account = mailbox };
	kit_ask(&kit, req);
	assert_int_equal(req->err, ND_OK);
}

static void
what_a_mailbox_has_sent_is_kept_until_it_is_old(void **state)
{
	struct store_req req;
	char text[] = "{\"leased\":3}";

	(void)state;
	ask_limit(&req, "a at b");
	assert_null(req.kept);
	req = (struct store_req){ .op = STORE_KEEP, .account = "a at b", .until = KIT_NOW, .kept = text };
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	kit_stop(&kit);
	kit_start(&kit);
	ask_limit(&req, "a at b");
	assert_string_equal(req.kept, text);
	free(req.kept);
	ask_limit(&req, "c at b");
	assert_null(req.kept);
	prune(&req, KIT_NOW + ND_DAY(2), ND_DAY(30), ND_DAY(14), -1);
	ask_limit(&req, "a at b");
	assert_non_null(req.kept);
	free(req.kept);
	prune(&req, KIT_NOW + ND_DAY(4), ND_DAY(30), ND_DAY(14), -1);
	ask_limit(&req, "a at b");
	assert_null(req.kept);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_a_mailbox_has_sent_is_kept_until_it_is_old),
		TEST(the_newest_id_is_known_even_when_its_job_is_forgotten),
		TEST(a_sealed_job_that_failed_keeps_no_row_in_the_queue),
		TEST(noted_jobs_become_uncertain),
		TEST(after_a_power_cut_every_job_that_was_due_is_uncertain),
		TEST(jobs_whose_time_is_over_are_named),
		TEST(the_store_knows_how_much_of_the_queue_is_whose),
		TEST(jobs_whose_time_will_be_over_are_counted_by_account),
		TEST(the_default_age_is_looked_for_by_account),
		TEST(the_default_age_begins_with_not_before_and_anew_with_a_retry),
		TEST(jobs_that_are_near_their_end_are_counted),
		TEST(what_waits_is_hurried_but_not_what_another_relay_may_have),
		TEST(old_facts_and_messages_go),
		TEST(failed_messages_beyond_their_room_go_oldest_first),
		TEST(used_keys_are_forgotten_after_a_day),
		TEST(much_history_is_pruned_in_steps),
		TEST(a_row_from_the_future_does_not_stop_the_pruning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
