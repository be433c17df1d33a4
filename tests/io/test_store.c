/* SPDX-License-Identifier: Apache-2.0 */
/* test_store.c - the queue in SQLite: what goes in comes out. Faults are in test_store_faults.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "tests/io/store_case.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
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
	assert_int_equal(req.evidence_count, 1);
	assert_int_equal(req.evidences[0].at, KIT_NOW + 11);
	assert_int_equal(req.evidences[0].octets, 77);
	assert_string_equal(req.evidences[0].sha256, "ab12");
	assert_string_equal(req.evidences[0].tls, "TLSv1.3");
	assert_string_equal(req.evidences[0].account, "m365");
	assert_string_equal(req.evidences[0].relay, "smtp.office365.com[192.0.2.1]:587");
	req.op = STORE_BODY;
	kit_forget(&req);
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_EBODYGONE);
	assert_null(req.found);
	assert_int_equal(kit_move(&kit, job), ND_ENOTFOUND);
	kit_stop(&kit);
	assert_int_equal(
	    kit_sql(&kit,
		"SELECT (SELECT count(*) FROM job)+(SELECT count(*) FROM rcpt)+(SELECT count(*) FROM attempt)+"
		"(SELECT count(*) FROM evidence)"),
	    0);
	assert_int_equal(kit_sql(&kit, "SELECT json_extract(data,'$.e[0][3]')='TLSv1.3' FROM history"), 1);
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
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW + 100), ND_OK);
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
	job->again = true;
	job->declined = nd_xstrdup("too-big: 552\nm365");
	job->late = 4294967292;
	job->begun = nd_xstrdup("m365 4294967288\ngmail 2");
	assert_int_equal(kit_move(&kit, job), ND_OK);
	req = (struct store_req){ .op = STORE_LOAD };
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW + 100), ND_OK);
	assert_int_equal(req.job_count, 1);
	assert_true(req.jobs[0]->again);
	assert_string_equal(req.jobs[0]->declined, job->declined);
	assert_int_equal(req.jobs[0]->late, 4294967292);
	assert_string_equal(req.jobs[0]->begun, job->begun);
	assert_int_equal(req.jobs[0]->rcpts[0].state, RCPT_PENDING);
	kit_forget(&req);
	/* Its attempts begin with 1 again; the old ones stay. */
	assert_int_equal(kit_outcome(&kit, job, JOB_QUEUED, KIT_NOW + 200), ND_OK);
	assert_int_equal(kit_show(&kit, &req, job->id), ND_OK);
	assert_int_equal(req.attempt_count, 2);
	assert_int_equal(req.attempts[0].n, 1);
	assert_int_equal(req.attempts[1].n, 1);
	kit_forget(&req);
	assert_int_equal(kit_totals(&kit, &req), ND_OK);
	assert_int_equal(req.totals[JOB_FAILED], 1);
	assert_int_equal(req.totals[JOB_QUEUED], 1);
	kit_forget(&req);
	queue_job_free(job);
}

static void
an_attempt_of_an_earlier_run_goes_to_history_with_the_last_one(void **state)
{
	struct queue_job *once = kit_job(&kit), *twice = kit_job(&kit);
	struct store_req req;

	(void)state;
	assert_int_equal(kit_put(&kit, once), ND_OK);
	assert_int_equal(kit_put(&kit, twice), ND_OK);
	assert_int_equal(kit_outcome(&kit, twice, JOB_QUEUED, KIT_NOW + 1), ND_OK);
	kit_stop(&kit);
	kit_start(&kit);
	assert_int_equal(kit_outcome(&kit, once, JOB_DELIVERED, KIT_NOW + 2), ND_OK);
	assert_int_equal(kit_outcome(&kit, twice, JOB_DELIVERED, KIT_NOW + 3), ND_OK);
	assert_int_equal(kit_show(&kit, &req, once->id), ND_OK);
	assert_int_equal(req.attempt_count, 1);
	kit_forget(&req);
	assert_int_equal(kit_show(&kit, &req, twice->id), ND_OK);
	assert_int_equal(req.attempt_count, 2);
	kit_forget(&req);
	kit_stop(&kit);
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM attempt"), 0);
	kit_start(&kit);
	queue_job_free(once);
	queue_job_free(twice);
}

static enum nd_err
outcome_with(struct queue_job *job, struct queue_evidence *evidence)
{
	struct queue_attempt attempt = {
		.n = 1, .account = job->account, .end = evidence ? evidence->at : 5, .text = NULL
	};
	struct store_req req = { .op = STORE_OUTCOME, .job = job, .attempt = &attempt, .evidence = evidence };

	kit_ask(&kit, &req);
	return req.err;
}

/* However it ends: the queue's row, its history after a pruned body, a cancelled rest. */
static void
evidence_of_each_transaction_stays_until_the_history_goes(void **state)
{
	char a[] = "a", b[] = "b", tls[] = "TLSv1.2", relay[] = "r";
	struct queue_evidence first = { .at = KIT_NOW + 1,
		.account = a,
		.relay = relay,
		.tls = tls,
		.sha256 = "01",
		.octets = 1 },
			      second = { .at = KIT_NOW + 2, .account = b, .sha256 = "02", .octets = 2 };
	static const enum job_state ends[] = { JOB_QUEUED, JOB_DELIVERED, JOB_CANCELLED, JOB_EXPIRED };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct queue_job *job = kit_job(&kit);
		struct store_req req, prune = { .op = STORE_PRUNE,
			.until = (nd_unix)time(NULL) * 1000 + ND_DAY(2), /* a move is dated by the real clock */
			.history = ND_DAY(30),
			.keep_failed = ND_DAY(1),
			.keep_failed_bytes = 1 << 30 };

		assert_int_equal(kit_put(&kit, job), ND_OK);
		assert_int_equal(outcome_with(job, &first), ND_OK);
		job->state = (uint8_t)(ends[i] == JOB_DELIVERED ? JOB_DELIVERED : JOB_QUEUED);
		assert_int_equal(outcome_with(job, &second), ND_OK);
		job->state = (uint8_t)ends[i];
		if (ends[i] != JOB_QUEUED && ends[i] != JOB_DELIVERED)
			assert_int_equal(kit_move(&kit, job), ND_OK);
		if (ends[i] == JOB_EXPIRED) {
			kit_ask(&kit, &prune);
			assert_int_equal(prune.err, ND_OK);
			kit_forget(&prune);
		}
		assert_int_equal(kit_show(&kit, &req, job->id), ND_OK);
		assert_int_equal(req.found->state, ends[i]);
		assert_int_equal(req.found->body_kept, ends[i] == JOB_QUEUED);
		assert_int_equal(req.evidence_count, 2);
		assert_int_equal(req.evidences[0].at, KIT_NOW + 1);
		assert_string_equal(req.evidences[0].account, "a");
		assert_string_equal(req.evidences[0].relay, "r");
		assert_string_equal(req.evidences[0].tls, "TLSv1.2");
		assert_string_equal(req.evidences[0].sha256, "01");
		assert_int_equal(req.evidences[1].octets, 2);
		assert_string_equal(req.evidences[1].sha256, "02");
		assert_null(req.evidences[1].tls);
		kit_forget(&req);
		queue_job_free(job);
	}
	kit_stop(&kit);
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM evidence"), 2); /* of the one that is queued */
	kit_start(&kit);
}

static unsigned prepared;
static pthread_t preparer;

static void
prepare(struct store_req *req)
{
	prepared++;
	preparer = pthread_self();
	(void)snprintf(req->evidence->sha256, sizeof(req->evidence->sha256), "ef");
}

static void
what_the_loop_need_not_do_is_done_once_before_anything_is_written(void **state)
{
	char account[] = "a";
	struct queue_evidence evidence = { .at = KIT_NOW + 1, .account = account };
	struct queue_attempt attempt = { .n = 1, .account = account, .end = KIT_NOW + 1 };
	struct queue_job *job = kit_job(&kit);
	struct store_req shown,
	    req = { .op = STORE_OUTCOME, .job = job, .attempt = &attempt, .evidence = &evidence, .before = prepare };

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_int_equal(kit_show(&kit, &shown, job->id), ND_OK);
	assert_string_equal(shown.evidences[0].sha256, "ef");
	kit_forget(&shown);
	evidence.at++;
	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
	assert_int_equal(prepared, 1);
	assert_false(pthread_equal(preparer, pthread_self()));
	queue_job_free(job);
}

static void
outcome_saying(struct queue_job *job, const char *transcript)
{
	struct queue_attempt attempt = { .n = 1, .account = job->account, .end = KIT_NOW };
	struct store_req req = { .op = STORE_OUTCOME, .job = job, .attempt = &attempt, .transcript = transcript };

	kit_ask(&kit, &req);
	assert_int_equal(req.err, ND_OK);
}

static void
expect_transcript(const struct queue_job *job, const char *transcript)
{
	struct store_req req;

	assert_int_equal(kit_show(&kit, &req, job->id), ND_OK);
	if (transcript)
		assert_string_equal(req.found_transcript, transcript);
	else
		assert_null(req.found_transcript);
	kit_forget(&req);
}

static void
the_last_transcript_stays_as_long_as_the_job_is_in_the_queue(void **state)
{
	struct queue_job *failed = kit_job(&kit), *later = kit_job(&kit);

	(void)state;
	assert_int_equal(kit_put(&kit, failed), ND_OK);
	assert_int_equal(kit_put(&kit, later), ND_OK);
	expect_transcript(later, NULL);
	outcome_saying(later, "5\n0 < 451 later\n");
	outcome_saying(later, "6\n0 < 452 字\n");
	expect_transcript(later, "6\n0 < 452 字\n");
	outcome_saying(later, NULL); /* an attempt without one, such as a move to another account */
	failed->state = JOB_FAILED;
	outcome_saying(failed, "7\n0 < 550 no\n");
	kit_stop(&kit);
	kit_start(&kit);
	expect_transcript(later, "6\n0 < 452 字\n");
	expect_transcript(failed, "7\n0 < 550 no\n"); /* as long as its message */
	later->state = JOB_DELIVERED;
	outcome_saying(later, NULL);
	expect_transcript(later, NULL);
	kit_stop(&kit);
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM transcript"), 1);
	kit_start(&kit);
	queue_job_free(failed);
	queue_job_free(later);
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
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
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
	assert_int_equal(kit_totals(&kit, &req), ND_OK);
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
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	kit_forget(&req);
	assert_int_equal(kit_show(&kit, &req, "01ARZ3NDEKTSV4RRFFQ69G5FAV"), ND_ENOTFOUND);
	assert_int_equal(store_commits(kit.store), before);
}

static void
counts_follow_every_move_and_survive_a_restart(void **state)
{
	struct queue_job *a = kit_job(&kit), *b = kit_job_at(&kit, KIT_NOW + 1), *c = kit_job_at(&kit, KIT_NOW + 2);
	struct store_req req;
	int round;

	(void)state;
	assert_int_equal(kit_totals(&kit, &req), ND_OK);
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
		assert_int_equal(kit_totals(&kit, &req), ND_OK);
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
a_request_whose_digest_was_kept_without_a_key_is_known(void **state)
{
	struct queue_job *first = kit_job(&kit), *again = kit_job(&kit);
	struct store_req req, keyed = { .op = STORE_PUT, .job = again, .idempotency_key = "k-1" };

	(void)state;
	assert_int_equal(kit_put_keyed(&kit, first, 7, &req), ND_OK);
	memset(keyed.digest.kept, 9, sizeof(keyed.digest.kept));
	memset(keyed.digest.plain, 7, sizeof(keyed.digest.plain));
	kit_ask(&kit, &keyed);
	assert_true(keyed.duplicate);
	assert_string_equal(keyed.duplicate_id, first->id);
	queue_job_free(first);
	queue_job_free(again);
}

static enum nd_err
ask_key(const char *key, uint32_t uid, uint8_t digest, nd_unix now, struct store_req *req)
{
	*req = (struct store_req){ .op = STORE_KEY, .idempotency_key = key, .filter.uid = uid, .until = now };
	memset(req->digest.kept, digest, sizeof(req->digest.kept));
	kit_ask(&kit, req);
	return req->err;
}

/* Of one that is refused: nothing is written. */
static void
whether_a_request_came_before_can_be_asked_alone(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req;
	uint64_t commits;

	(void)state;
	assert_int_equal(kit_put_keyed(&kit, job, 7, &req), ND_OK);
	commits = store_commits(kit.store);
	assert_int_equal(ask_key("k-1", job->uid, 7, job->created, &req), ND_OK);
	assert_true(req.duplicate);
	assert_string_equal(req.duplicate_id, job->id);
	assert_int_equal(req.duplicate_state, JOB_QUEUED);
	assert_int_equal(ask_key("k-1", job->uid, 8, job->created, &req), ND_EMISMATCH);
	assert_int_equal(ask_key("k-2", job->uid, 7, job->created, &req), ND_OK);
	assert_false(req.duplicate);
	assert_int_equal(ask_key("k-1", job->uid + 1, 7, job->created, &req), ND_OK);
	assert_false(req.duplicate);
	assert_int_equal(ask_key("k-1", job->uid, 8, job->created + ND_HOUR(24), &req), ND_OK);
	assert_false(req.duplicate);
	assert_int_equal(store_commits(kit.store), commits);
	queue_job_free(job);
}

static void
a_request_that_comes_twice_is_accepted_once(void **state)
{
	struct queue_job *first = kit_job(&kit), *again = kit_job(&kit), *other = kit_job(&kit);
	struct store_req req,
	    both[2] = { { .op = STORE_PUT, .idempotency_key = "k-2" }, { .op = STORE_PUT, .idempotency_key = "k-2" } };

	(void)state;
	assert_int_equal(kit_put_keyed(&kit, first, 7, &req), ND_OK);
	assert_false(req.duplicate);
	assert_int_equal(kit_put_keyed(&kit, again, 7, &req), ND_OK);
	assert_true(req.duplicate);
	assert_string_equal(req.duplicate_id, first->id);
	assert_int_equal(req.duplicate_state, JOB_QUEUED);
	assert_int_equal(kit_put_keyed(&kit, again, 8, &req), ND_EMISMATCH);
	assert_string_equal(req.why.field, "idempotency_key");
	/* The key is the submitter's: another uid knows nothing of it. */
	other->uid = 1001;
	assert_int_equal(kit_put_keyed(&kit, other, 8, &req), ND_OK);
	assert_false(req.duplicate);
	assert_int_equal(kit_outcome(&kit, first, JOB_DELIVERED, KIT_NOW), ND_OK);
	assert_int_equal(kit_put_keyed(&kit, again, 7, &req), ND_OK);
	assert_true(req.duplicate);
	assert_int_equal(req.duplicate_state, JOB_DELIVERED);
	/* After a day it is a new key. */
	again->created += ND_HOUR(24);
	assert_int_equal(kit_put_keyed(&kit, again, 8, &req), ND_OK);
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
	assert_int_equal(kit_totals(&kit, &req), ND_OK);
	assert_int_equal(req.totals[JOB_QUEUED], 2);
	kit_forget(&req);
	for (i = 0; i < 3; i++)
		queue_job_free(jobs[i]);
	queue_job_free(lost);
}

static void
each_change_tells_what_the_job_was_before_it(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct queue_job again = *job;
	struct store_req both[2] = { { .op = STORE_MOVE, .job = job }, { .op = STORE_MOVE, .job = &again } };

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	assert_int_equal(kit_outcome(&kit, job, JOB_FAILED, KIT_NOW + 1), ND_OK);
	job->state = again.state = JOB_QUEUED; /* two who have seen it failed try it again */
	kit_submit(&kit, &both[0]);
	kit_submit(&kit, &both[1]);
	kit_wait(&kit);
	assert_int_equal(both[0].err, ND_OK);
	assert_int_equal(both[1].err, ND_OK);
	assert_int_equal(both[0].former, JOB_FAILED);
	assert_int_equal(both[1].former, JOB_QUEUED);
	queue_job_free(job);
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
	assert_int_equal(kit_totals(&kit, &req), ND_OK);
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
		TEST(an_attempt_of_an_earlier_run_goes_to_history_with_the_last_one),
		TEST(evidence_of_each_transaction_stays_until_the_history_goes),
		TEST(what_the_loop_need_not_do_is_done_once_before_anything_is_written),
		TEST(the_last_transcript_stays_as_long_as_the_job_is_in_the_queue),
		TEST(only_the_newest_attempts_are_kept),
		TEST(a_job_that_is_being_sent_is_queued_on_disk),
		TEST(many_puts_share_a_commit),
		TEST(reading_alone_commits_nothing),
		TEST(counts_follow_every_move_and_survive_a_restart),
		TEST(a_request_that_comes_twice_is_accepted_once),
		TEST(a_request_whose_digest_was_kept_without_a_key_is_known),
		TEST(whether_a_request_came_before_can_be_asked_alone),
		TEST(one_bad_request_fails_alone),
		TEST(each_change_tells_what_the_job_was_before_it),
		TEST(a_restart_keeps_everything),
		TEST(closing_serves_what_was_submitted_and_refuses_what_comes_after),
		TEST(a_request_made_while_closing_is_answered),
		TEST(idle_means_not_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
