/* SPDX-License-Identifier: Apache-2.0 */
/* test_store.c - the queue in SQLite: what goes in comes out. Faults are in test_store_faults.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "tests/io/store_kit.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	kit_close(&kit);
	return 0;
}

static void
load(struct store_req *req, const char *account, nd_unix until)
{
	req->op = STORE_LOAD;
	req->account = account;
	req->until = until;
	kit_ask(&kit, req);
	assert_int_equal(req->err, ND_OK);
}

static void
totals(struct store_req *req)
{
	*req = (struct store_req){ .op = STORE_TOTALS };
	kit_ask(&kit, req);
	assert_int_equal(req->err, ND_OK);
}

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
same_job(const struct queue_job *a, const struct queue_job *b)
{
	assert_string_equal(a->id, b->id);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->severity, b->severity);
	assert_int_equal(a->resolved, b->resolved);
	assert_int_equal(a->uncertain, b->uncertain);
	assert_int_equal(a->created, b->created);
	assert_int_equal(a->event_time, b->event_time);
	assert_int_equal(a->not_before, b->not_before);
	assert_int_equal(a->expires, b->expires);
	assert_int_equal(a->due, b->due);
	assert_int_equal(a->attempt_count, b->attempt_count);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_int_equal(a->pid, b->pid);
	assert_string_equal(a->account, b->account);
	assert_string_equal(a->unit, b->unit);
	assert_string_equal(a->comm, b->comm);
	assert_string_equal(a->source, b->source);
	assert_string_equal(a->facts, b->facts);
	assert_string_equal(a->envelope_from, b->envelope_from);
	assert_string_equal(a->from, b->from);
	assert_int_equal(a->body_len, b->body_len);
	assert_int_equal(a->rcpt_count, b->rcpt_count);
	assert_string_equal(a->rcpts[0].address, b->rcpts[0].address);
}

static void
a_job_comes_back_as_it_was_put(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req = { .op = STORE_LOAD };

	(void)state;
	job->severity = JOB_EMERGENCY;
	job->resolved = true;
	job->not_before = KIT_NOW + 1;
	job->expires = KIT_NOW + 9;
	kit_set(&job->key, "disk:/dev/sda");
	kit_set(&job->reason, "理由");
	kit_set(&job->hint, "ヒント");
	job->rcpts = nd_xrealloc(job->rcpts, 2 * sizeof(*job->rcpts));
	job->rcpts[1] = (struct queue_rcpt){ .address = nd_xstrdup("夜勤@contoso.com"),
		.state = RCPT_REFUSED,
		.uncertain = true,
		.code = 550,
		.enhanced = "5.1.1",
		.text = nd_xstrdup("そのような人はいません"),
		.at = KIT_NOW + 5 };
	job->rcpt_count = 2;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	load(&req, "m365", KIT_NOW);
	assert_int_equal(req.job_count, 1);
	assert_false(req.more);
	same_job(req.jobs[0], job);
	assert_string_equal(req.jobs[0]->key, "disk:/dev/sda");
	assert_string_equal(req.jobs[0]->reason, "理由");
	assert_string_equal(req.jobs[0]->hint, "ヒント");
	assert_string_equal(req.jobs[0]->head, job->head);
	assert_string_equal(req.jobs[0]->body, job->body);
	assert_true(req.jobs[0]->body_kept);
	assert_string_equal(req.jobs[0]->rcpts[1].address, "夜勤@contoso.com");
	assert_int_equal(req.jobs[0]->rcpts[1].state, RCPT_REFUSED);
	assert_true(req.jobs[0]->rcpts[1].uncertain);
	assert_int_equal(req.jobs[0]->rcpts[1].code, 550);
	assert_string_equal(req.jobs[0]->rcpts[1].enhanced, "5.1.1");
	assert_string_equal(req.jobs[0]->rcpts[1].text, "そのような人はいません");
	assert_int_equal(req.jobs[0]->rcpts[1].at, KIT_NOW + 5);
	kit_forget(&req);
	queue_job_free(job);
}

static void
a_job_without_an_account_has_no_head(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req;

	(void)state;
	job->state = JOB_HELD;
	kit_set(&job->account, "");
	kit_set(&job->head, NULL);
	kit_set(&job->envelope_from, NULL);
	kit_set(&job->from, NULL);
	kit_set(&job->unit, NULL);
	assert_int_equal(kit_put(&kit, job), ND_OK);
	assert_int_equal(kit_show(&kit, &req, job->id), ND_OK);
	assert_string_equal(req.found->account, "");
	assert_null(req.found->head);
	assert_null(req.found->envelope_from);
	assert_null(req.found->from);
	assert_null(req.found->unit);
	assert_int_equal(req.found->state, JOB_HELD);
	kit_forget(&req);
	queue_job_free(job);
}

static void
a_delivered_job_leaves_its_facts_only(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req;

	(void)state;
	kit_set(&job->key, "disk:/dev/sda");
	assert_int_equal(kit_put(&kit, job), ND_OK);
	job->due = KIT_NOW + 10;
	assert_int_equal(kit_outcome(&kit, job, JOB_QUEUED, KIT_NOW + 1), ND_OK);
	assert_int_equal(kit_outcome(&kit, job, JOB_DELIVERED, KIT_NOW + 11), ND_OK);
	assert_int_equal(kit_show(&kit, &req, job->id), ND_OK);
	same_job(req.found, job);
	assert_string_equal(req.found->key, "disk:/dev/sda");
	assert_int_equal(req.found->state, JOB_DELIVERED);
	assert_false(req.found->body_kept);
	assert_null(req.found->body);
	assert_int_equal(req.found->rcpts[0].state, RCPT_DELIVERED);
	assert_string_equal(req.found->rcpts[0].text, "受け付けました");
	assert_int_equal(req.found->rcpts[0].at, KIT_NOW + 11);
	assert_int_equal(req.attempt_count, 2);
	assert_int_equal(req.attempts[0].n, 1);
	assert_int_equal(req.attempts[0].code, 451);
	assert_string_equal(req.attempts[0].verdict, "retry");
	assert_int_equal(req.attempts[1].n, 2);
	assert_string_equal(req.attempts[1].account, "m365");
	assert_string_equal(req.attempts[1].relay, "smtp.office365.com[192.0.2.1]:587");
	assert_string_equal(req.attempts[1].session, "s7f");
	assert_string_equal(req.attempts[1].stage, "end of data");
	assert_string_equal(req.attempts[1].enhanced, "2.0.0");
	assert_string_equal(req.attempts[1].text, "受け付けました");
	assert_int_equal(req.attempts[1].start, KIT_NOW - 109);
	assert_int_equal(req.attempts[1].end, KIT_NOW + 11);
	req.op = STORE_BODY;
	kit_forget(&req);
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_EBODYGONE);
	assert_null(req.found);
	assert_int_equal(kit_move(&kit, job), ND_ENOTFOUND);
	kit_stop(&kit);
	assert_int_equal(
	    kit_sql(
		&kit, "SELECT (SELECT count(*) FROM job)+(SELECT count(*) FROM rcpt)+(SELECT count(*) FROM attempt)"),
	    0);
	assert_int_equal(kit_sql(&kit, "SELECT json_extract(data,'$.e.tls')='1.3' FROM history"), 1);
	queue_job_free(job);
}

static void
words_of_a_relay_that_are_no_utf8_do_not_spoil_the_facts(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req;

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	job->state = JOB_CANCELLED;
	kit_set(&job->rcpts[0].text, "gr\xfc\xdf dich");
	assert_int_equal(kit_move(&kit, job), ND_OK);
	assert_int_equal(kit_show(&kit, &req, job->id), ND_OK);
	assert_string_equal(req.found->rcpts[0].text, "gr?? dich");
	kit_forget(&req);
	queue_job_free(job);
}

static void
a_failed_job_keeps_its_message_and_can_be_queued_again(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req = { .op = STORE_LOAD };

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	assert_int_equal(kit_outcome(&kit, job, JOB_FAILED, KIT_NOW + 1), ND_OK);
	load(&req, "m365", KIT_NOW + 100);
	assert_int_equal(req.job_count, 0);
	assert_int_equal(req.next_due, ND_NEVER);
	kit_forget(&req);
	req = (struct store_req){ .op = STORE_BODY };
	memcpy(req.id, job->id, sizeof(req.id));
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_string_equal(req.found->body, job->body);
	assert_string_equal(req.found->head, job->head);
	kit_forget(&req);
	job->state = JOB_QUEUED;
	job->attempt_count = 0;
	job->rcpts[0].state = RCPT_PENDING;
	assert_int_equal(kit_move(&kit, job), ND_OK);
	req = (struct store_req){ .op = STORE_LOAD };
	load(&req, "m365", KIT_NOW + 100);
	assert_int_equal(req.job_count, 1);
	assert_int_equal(req.jobs[0]->rcpts[0].state, RCPT_PENDING);
	kit_forget(&req);
	/* Its attempts begin with 1 again; the old ones stay. */
	assert_int_equal(kit_outcome(&kit, job, JOB_QUEUED, KIT_NOW + 200), ND_OK);
	assert_int_equal(kit_show(&kit, &req, job->id), ND_OK);
	assert_int_equal(req.attempt_count, 2);
	assert_int_equal(req.attempts[0].n, 1);
	assert_int_equal(req.attempts[1].n, 1);
	kit_forget(&req);
	totals(&req);
	assert_int_equal(req.totals[JOB_FAILED], 1);
	assert_int_equal(req.totals[JOB_QUEUED], 1);
	kit_forget(&req);
	queue_job_free(job);
}

static void
only_the_newest_attempts_are_kept(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req;
	int i;

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	for (i = 0; i < 60; i++)
		assert_int_equal(kit_outcome(&kit, job, JOB_QUEUED, KIT_NOW + i), ND_OK);
	assert_int_equal(kit_show(&kit, &req, job->id), ND_OK);
	assert_int_equal(req.attempt_count, 50);
	assert_int_equal(req.attempts[0].n, 11);
	assert_int_equal(req.attempts[49].n, 60);
	kit_forget(&req);
	queue_job_free(job);
}

static void
a_job_that_is_being_sent_is_queued_on_disk(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req = { .op = STORE_LOAD };

	(void)state;
	job->state = JOB_SENDING;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	assert_int_equal(kit_move(&kit, job), ND_OK);
	load(&req, "m365", KIT_NOW);
	assert_int_equal(req.job_count, 1);
	assert_int_equal(req.jobs[0]->state, JOB_QUEUED);
	kit_forget(&req);
	queue_job_free(job);
}

static void
many_puts_share_a_commit(void **state)
{
	enum { COUNT = 1000 };
	struct store_req *reqs = nd_xalloc(COUNT * sizeof(*reqs));
	uint64_t before = store_commits(kit.store);
	struct store_req req = { .op = STORE_TOTALS };
	int i;

	(void)state;
	for (i = 0; i < COUNT; i++) {
		reqs[i].op = STORE_PUT;
		reqs[i].job = kit_job(&kit);
		kit_submit(&kit, &reqs[i]);
	}
	kit_wait(&kit);
	for (i = 0; i < COUNT; i++) {
		assert_int_equal(reqs[i].err, ND_OK);
		queue_job_free(reqs[i].job);
	}
	assert_true(store_commits(kit.store) - before >= 2); /* 512 at most in one */
	assert_true(store_commits(kit.store) - before < COUNT / 10);
	totals(&req);
	assert_int_equal(req.totals[JOB_QUEUED], COUNT);
	kit_forget(&req);
	free(reqs);
}

static void
reading_alone_commits_nothing(void **state)
{
	uint64_t before = store_commits(kit.store);
	struct store_req req = { .op = STORE_LOAD };

	(void)state;
	load(&req, "m365", KIT_NOW);
	kit_forget(&req);
	assert_int_equal(kit_show(&kit, &req, "01ARZ3NDEKTSV4RRFFQ69G5FAV"), ND_ENOTFOUND);
	assert_int_equal(store_commits(kit.store), before);
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
	load(&req, "m365", KIT_NOW);
	assert_int_equal(req.job_count, 4);
	assert_int_equal(req.next_due, KIT_NOW + 5);
	for (i = 0; i < 4; i++)
		assert_string_equal(req.jobs[jobs[i].place]->id, ids[i]);
	kit_forget(&req);
	/* Two are in memory already. */
	memcpy(skip[0], ids[1], sizeof(skip[0]));
	memcpy(skip[1], ids[2], sizeof(skip[1]));
	req = (struct store_req){ .skip = skip, .skip_count = 2, .limit = 1 };
	load(&req, "m365", KIT_NOW);
	assert_int_equal(req.job_count, 1);
	assert_true(req.more);
	assert_string_equal(req.jobs[0]->id, ids[0]);
	kit_forget(&req);
	req = (struct store_req){ .limit = 10 };
	load(&req, "gmail", KIT_NOW);
	assert_int_equal(req.job_count, 0);
	assert_int_equal(req.next_due, ND_NEVER);
	kit_forget(&req);
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
	load(&req, "m365", KIT_NOW);
	assert_int_equal(req.job_count, 1);
	assert_true(req.more);
	kit_forget(&req);
	req = (struct store_req){ .limit = 10, .limit_octets = 300 };
	load(&req, "m365", KIT_NOW);
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
	load(&req, "m365", KIT_NOW);
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
	load(&req, "m365", KIT_NOW);
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

static void
counts_follow_every_move_and_survive_a_restart(void **state)
{
	struct queue_job *a = kit_job(&kit), *b = kit_job_at(&kit, KIT_NOW + 1), *c = kit_job_at(&kit, KIT_NOW + 2);
	struct store_req req;
	int round;

	(void)state;
	totals(&req);
	assert_string_equal(req.last_id, "");
	assert_int_equal(req.oldest, 0);
	assert_int_equal(req.count_count, 0);
	kit_forget(&req);
	assert_int_equal(kit_put(&kit, a), ND_OK);
	assert_int_equal(kit_put(&kit, b), ND_OK);
	assert_int_equal(kit_put(&kit, c), ND_OK);
	assert_int_equal(kit_outcome(&kit, a, JOB_DELIVERED, KIT_NOW), ND_OK);
	b->state = JOB_HELD;
	assert_int_equal(kit_move(&kit, b), ND_OK);
	kit_set(&c->account, "gmail");
	assert_int_equal(kit_move(&kit, c), ND_OK);
	for (round = 0; round < 2; round++) {
		totals(&req);
		assert_int_equal(req.totals[JOB_DELIVERED], 1);
		assert_int_equal(req.totals[JOB_QUEUED], 1);
		assert_int_equal(req.totals[JOB_HELD], 1);
		assert_int_equal(req.oldest, KIT_NOW + 2);
		assert_string_equal(req.last_id, c->id);
		assert_int_equal(req.count_count, 2);
		assert_string_equal(req.counts[round == 0].account, "gmail");
		assert_int_equal(req.counts[round == 0].queued, 1);
		assert_int_equal(req.counts[round == 0].held, 0);
		assert_string_equal(req.counts[round == 1].account, "m365");
		assert_int_equal(req.counts[round == 1].queued, 0);
		assert_int_equal(req.counts[round == 1].held, 1);
		kit_forget(&req);
		kit_stop(&kit);
		kit_start(&kit);
	}
	req = (struct store_req){ .op = STORE_TOTALS, .filter = { .own = true, .uid = 1000 } };
	kit_ask(&kit, &req);
	assert_int_equal(req.count_count, 0); /* not a submitter's to see */
	assert_int_equal(req.totals[JOB_QUEUED], 1);
	kit_forget(&req);
	queue_job_free(a);
	queue_job_free(b);
	queue_job_free(c);
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
	totals(&req);
	assert_string_equal(req.last_id, job->id);
	assert_int_equal(req.totals[JOB_DELIVERED], 1);
	kit_forget(&req);
	queue_job_free(job);
}

static enum nd_err
put_keyed(struct queue_job *job, uint8_t digest, struct store_req *req)
{
	*req = (struct store_req){ .op = STORE_PUT, .job = job, .idempotency_key = "k-1" };
	memset(req->digest, digest, sizeof(req->digest));
	kit_ask(&kit, req);
	return req->err;
}

static void
a_request_that_comes_twice_is_accepted_once(void **state)
{
	struct queue_job *first = kit_job(&kit), *again = kit_job(&kit), *other = kit_job(&kit);
	struct store_req req,
	    both[2] = { { .op = STORE_PUT, .idempotency_key = "k-2" }, { .op = STORE_PUT, .idempotency_key = "k-2" } };

	(void)state;
	assert_int_equal(put_keyed(first, 7, &req), ND_OK);
	assert_false(req.duplicate);
	assert_int_equal(put_keyed(again, 7, &req), ND_OK);
	assert_true(req.duplicate);
	assert_string_equal(req.duplicate_id, first->id);
	assert_int_equal(req.duplicate_state, JOB_QUEUED);
	assert_int_equal(put_keyed(again, 8, &req), ND_EMISMATCH);
	assert_string_equal(req.why.field, "idempotency_key");
	/* The key is the submitter's: another uid knows nothing of it. */
	other->uid = 1001;
	assert_int_equal(put_keyed(other, 8, &req), ND_OK);
	assert_false(req.duplicate);
	assert_int_equal(kit_outcome(&kit, first, JOB_DELIVERED, KIT_NOW), ND_OK);
	assert_int_equal(put_keyed(again, 7, &req), ND_OK);
	assert_true(req.duplicate);
	assert_int_equal(req.duplicate_state, JOB_DELIVERED);
	/* After a day it is a new key. */
	again->created += ND_HOUR(24);
	assert_int_equal(put_keyed(again, 8, &req), ND_OK);
	assert_false(req.duplicate);
	/* Both in one batch. */
	queue_job_free(first);
	first = kit_job(&kit);
	queue_job_free(again);
	again = kit_job(&kit);
	both[0].job = first;
	both[1].job = again;
	kit_submit(&kit, &both[0]);
	kit_submit(&kit, &both[1]);
	kit_wait(&kit);
	assert_false(both[0].duplicate);
	assert_true(both[1].duplicate);
	assert_string_equal(both[1].duplicate_id, first->id);
	queue_job_free(first);
	queue_job_free(again);
	queue_job_free(other);
}

static void
one_bad_request_fails_alone(void **state)
{
	struct queue_job *jobs[3] = { kit_job(&kit), kit_job(&kit), kit_job(&kit) };
	struct queue_job *lost = kit_job(&kit);
	struct store_req reqs[4] = { { .op = STORE_PUT, .job = jobs[0] }, { .op = STORE_PUT, .job = jobs[1] },
		{ .op = STORE_PUT, .job = jobs[2] }, { .op = STORE_MOVE, .job = lost } };
	struct store_req req;
	int i;

	(void)state;
	memcpy(jobs[1]->id, jobs[0]->id, sizeof(jobs[1]->id));
	for (i = 0; i < 4; i++)
		kit_submit(&kit, &reqs[i]);
	kit_wait(&kit);
	assert_int_equal(reqs[0].err, ND_OK);
	assert_int_equal(reqs[1].err, ND_EBUG);
	assert_int_equal(reqs[2].err, ND_OK);
	assert_int_equal(reqs[3].err, ND_ENOTFOUND);
	totals(&req);
	assert_int_equal(req.totals[JOB_QUEUED], 2);
	kit_forget(&req);
	for (i = 0; i < 3; i++)
		queue_job_free(jobs[i]);
	queue_job_free(lost);
}

static void
noted_jobs_become_uncertain(void **state)
{
	struct queue_job *a = kit_job(&kit), *b = kit_job(&kit), *held = kit_job(&kit);
	char ids[3][ND_ULID_LEN + 1];
	struct store_req req = { .op = STORE_UNCERTAIN, .ids = ids, .id_count = 3 };

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
	load(&req, "m365", KIT_NOW + 100);
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
	assert_int_equal(put_keyed(job, 1, &req), ND_OK);
	prune(&req, KIT_NOW + ND_HOUR(23), ND_DAY(30), ND_DAY(14), -1);
	kit_forget(&req);
	assert_int_equal(put_keyed(job, 1, &req), ND_OK);
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

static void
a_restart_keeps_everything(void **state)
{
	struct queue_job *a = kit_job(&kit), *b = kit_job(&kit);
	struct store_req req;

	(void)state;
	assert_int_equal(kit_put(&kit, a), ND_OK);
	assert_int_equal(kit_put(&kit, b), ND_OK);
	b->due = KIT_NOW + 10;
	assert_int_equal(kit_outcome(&kit, b, JOB_QUEUED, KIT_NOW + 1), ND_OK);
	assert_int_equal(kit_outcome(&kit, a, JOB_DELIVERED, KIT_NOW + 1), ND_OK);
	kit_stop(&kit);
	kit_start(&kit);
	assert_int_equal(kit_show(&kit, &req, a->id), ND_OK);
	same_job(req.found, a);
	kit_forget(&req);
	assert_int_equal(kit_show(&kit, &req, b->id), ND_OK);
	same_job(req.found, b);
	assert_int_equal(req.attempt_count, 1);
	kit_forget(&req);
	queue_job_free(a);
	queue_job_free(b);
}

static void
closing_serves_what_was_submitted_and_refuses_what_comes_after(void **state)
{
	struct queue_job *jobs[20];
	struct store_req reqs[20] = { { .op = STORE_PUT } };
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		jobs[i] = kit_job(&kit);
		reqs[i] = (struct store_req){ .op = STORE_PUT, .job = jobs[i] };
		kit_submit(&kit, &reqs[i]);
	}
	kit_stop(&kit);
	assert_int_equal(kit.waiting, 0);
	for (i = 0; i < 20; i++) {
		assert_int_equal(reqs[i].err, ND_OK);
		queue_job_free(jobs[i]);
	}
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM job"), 20);
}

static void
submit_one_more(struct store_req *req)
{
	struct store_req *more = req->owner;

	store_submit(kit.store, more);
	req->owner = NULL;
}

static void
note_answer(struct store_req *req)
{
	*(bool *)req->owner = true;
}

static void
a_request_made_while_closing_is_answered(void **state)
{
	bool answered = false;
	struct store_req late = { .op = STORE_TOTALS, .done = note_answer, .owner = &answered };
	struct store_req req = { .op = STORE_TOTALS, .done = submit_one_more, .owner = &late };

	(void)state;
	store_submit(kit.store, &req);
	kit_stop(&kit);
	assert_true(answered);
	assert_int_equal(late.err, ND_ESTOPPING);
	kit_forget(&req);
}

static void
idle_means_not_busy(void **state)
{
	struct store_req req;
	int64_t since = 1;
	int i;

	(void)state;
	totals(&req);
	kit_forget(&req);
	/* The answer may be here before the thread rests. */
	for (i = 0; i < 1000000 && since != 0; i++) {
		(void)sched_yield();
		since = store_busy_since(kit.store);
	}
	assert_int_equal(since, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_job_comes_back_as_it_was_put),
		TEST(a_job_without_an_account_has_no_head),
		TEST(a_delivered_job_leaves_its_facts_only),
		TEST(words_of_a_relay_that_are_no_utf8_do_not_spoil_the_facts),
		TEST(a_failed_job_keeps_its_message_and_can_be_queued_again),
		TEST(only_the_newest_attempts_are_kept),
		TEST(a_job_that_is_being_sent_is_queued_on_disk),
		TEST(many_puts_share_a_commit),
		TEST(reading_alone_commits_nothing),
		TEST(severe_jobs_are_loaded_first_then_the_oldest_due),
		TEST(bodies_are_loaded_up_to_a_limit_but_one_always),
		TEST(a_body_may_hold_any_octet),
		TEST(a_spooled_body_stays_in_its_file),
		TEST(jobs_of_accounts_that_are_gone_are_found),
		TEST(counts_follow_every_move_and_survive_a_restart),
		TEST(the_newest_id_is_known_even_when_its_job_is_forgotten),
		TEST(a_request_that_comes_twice_is_accepted_once),
		TEST(one_bad_request_fails_alone),
		TEST(noted_jobs_become_uncertain),
		TEST(after_a_power_cut_every_job_that_was_due_is_uncertain),
		TEST(jobs_whose_time_is_over_are_named),
		TEST(old_facts_and_messages_go),
		TEST(failed_messages_beyond_their_room_go_oldest_first),
		TEST(used_keys_are_forgotten_after_a_day),
		TEST(much_history_is_pruned_in_steps),
		TEST(a_row_from_the_future_does_not_stop_the_pruning),
		TEST(lists_are_newest_first_over_queue_and_history),
		TEST(lists_are_filtered),
		TEST(a_job_is_found_by_the_end_of_its_id),
		TEST(a_restart_keeps_everything),
		TEST(closing_serves_what_was_submitted_and_refuses_what_comes_after),
		TEST(a_request_made_while_closing_is_answered),
		TEST(idle_means_not_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
