/* SPDX-License-Identifier: Apache-2.0 */
/* test_sched.c - the window of due jobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/sched.h"
#include "tests/unit/rows.h"

static const struct nd_now at0 = { .ms = 1000, .unix_ms = 1000000 };

static struct nd_now
later(nd_ms by)
{
	return (struct nd_now){ at0.ms + by, at0.unix_ms + by };
}

static void
severe_jobs_leave_first_then_the_oldest_due(void **state)
{
	struct sched sched;

	(void)state;
	sched_init(&sched);
	(void)sched_add(&sched, row_make(1, "a", at0.unix_ms - 5, JOB_WARNING, 1), at0);
	(void)sched_add(&sched, row_make(2, "a", at0.unix_ms - 9, JOB_WARNING, 1), at0);
	(void)sched_add(&sched, row_make(3, "a", at0.unix_ms - 1, JOB_CRITICAL, 1), at0);
	(void)sched_add(&sched, row_make(4, "a", at0.unix_ms - 2, JOB_EMERGENCY, 1), at0);
	assert_string_equal(sched_take(&sched)->job->id + 25, "4");
	assert_string_equal(sched_take(&sched)->job->id + 25, "3");
	assert_string_equal(sched_take(&sched)->job->id + 25, "2");
	assert_string_equal(sched_take(&sched)->job->id + 25, "1");
	assert_null(sched_take(&sched));
	assert_int_equal(sched.sending, 4);
	sched_done(&sched);
}

static void
a_job_waits_for_its_time(void **state)
{
	struct sched sched;

	(void)state;
	sched_init(&sched);
	assert_non_null(sched_add(&sched, row_make(1, "a", at0.unix_ms + 500, JOB_WARNING, 1), at0));
	sched_ripen(&sched, at0.ms + 499);
	assert_null(sched_take(&sched));
	assert_int_equal(sched_deadline(&sched, at0), at0.ms + 500);
	sched_ripen(&sched, at0.ms + 500);
	assert_non_null(sched_take(&sched));
	sched_done(&sched);
}

static void
a_job_of_tomorrow_stays_in_the_store(void **state)
{
	struct sched sched;

	(void)state;
	sched_init(&sched);
	assert_null(sched_add(&sched, row_make(1, "a", at0.unix_ms + ND_DAY(1), JOB_WARNING, 1), at0));
	assert_int_equal(sched.count, 0);
	assert_int_equal(sched_deadline(&sched, at0), at0.ms + ND_DAY(1));
	assert_false(sched_hungry(&sched, at0.unix_ms));
	assert_true(sched_hungry(&sched, at0.unix_ms + ND_DAY(1)));
	sched_done(&sched);
}

static void
the_window_is_bounded_and_remembers_that_the_store_has_more(void **state)
{
	struct sched sched;
	unsigned i, count;
	char(*ids)[ND_ULID_LEN + 1];

	(void)state;
	sched_init(&sched);
	for (i = 0; i < SCHED_JOBS + 50; i++)
		(void)sched_add(&sched, row_make(i, "a", at0.unix_ms, JOB_WARNING, 1), at0);
	assert_int_equal(sched.count, SCHED_JOBS);
	assert_true(sched.behind);
	assert_false(sched_hungry(&sched, at0.unix_ms)); /* full: nothing to load for */
	assert_non_null(sched_add(&sched, row_make(5000, "a", at0.unix_ms, JOB_ALERT, 1), at0)); /* the reserve */
	while (sched.count > SCHED_JOBS / 2) {
		struct sched_job *job = sched_take(&sched);

		job->job->state = JOB_DELIVERED;
		sched_settle(&sched, job);
		sched_settled(&sched, job, at0);
	}
	assert_true(sched_hungry(&sched, at0.unix_ms));
	ids = sched_ids(&sched, &count);
	assert_int_equal(count, SCHED_JOBS / 2);
	for (i = 1; i < count; i++)
		assert_true(strcmp(ids[i - 1], ids[i]) < 0);
	free(ids);
	sched_done(&sched);
}

static void
what_is_accepted_during_a_load_is_not_forgotten(void **state)
{
	struct sched sched;
	unsigned i;

	(void)state;
	sched_init(&sched);
	sched.behind = true;
	sched_load(&sched);
	for (i = 0; i <= SCHED_JOBS; i++)
		(void)sched_add(&sched, row_make(i, "a", at0.unix_ms, JOB_WARNING, 1), at0);
	assert_null(sched_add(&sched, row_make(6000, "a", at0.unix_ms + ND_HOUR(1), JOB_WARNING, 1), at0));
	sched_loaded(&sched, false, ND_NEVER, at0.unix_ms);
	assert_true(sched.behind);
	assert_int_equal(sched.next_due, at0.unix_ms + ND_HOUR(1));
	sched_done(&sched);
}

static void
a_settled_job_waits_again_or_goes(void **state)
{
	struct sched sched;
	struct sched_job *job;

	(void)state;
	sched_init(&sched);
	job = sched_add(&sched, row_make(1, "a", at0.unix_ms, JOB_WARNING, 1), at0);
	assert_ptr_equal(sched_take(&sched), job);
	sched_settle(&sched, job);
	assert_int_equal(sched.sending, 0);
	assert_null(sched_take(&sched));
	job->job->due = at0.unix_ms + 10000;
	sched_settled(&sched, job, at0);
	assert_int_equal(job->place, SCHED_WAITING);
	sched_ripen(&sched, later(10000).ms);
	assert_ptr_equal(sched_take(&sched), job);
	sched_settle(&sched, job);
	job->job->due = at0.unix_ms + ND_HOUR(1);
	job->job->body_len = 100000; /* too much to keep it so long */
	sched_settled(&sched, job, at0);
	assert_int_equal(sched.count, 0);
	assert_int_equal(sched.next_due, at0.unix_ms + ND_HOUR(1));
	sched_done(&sched);
}

/* Put off for half an hour. */
static struct sched_job *
put_off(struct sched *sched, struct sched_job *job)
{
	sched_settle(sched, job);
	job->job->due = at0.unix_ms + ND_MIN(30);
	sched_settled(sched, job, at0);
	return job;
}

static void
what_few_and_severe_ones_have_to_try_again_waits_beside_a_flood(void **state)
{
	struct sched_job *severe, *few, *again;
	struct queue_job *row;
	struct sched sched;
	unsigned i;

	(void)state;
	sched_init(&sched);
	for (i = 0; i < SCHED_JOBS + 50; i++)
		(void)sched_add(&sched, row_make(i, "a", at0.unix_ms, JOB_WARNING, 1), at0);
	assert_int_equal(sched.count, SCHED_JOBS);
	severe = sched_add(&sched, row_make(5000, "a", at0.unix_ms, JOB_CRITICAL, 1), at0);
	row = row_make(5001, "a", at0.unix_ms, JOB_WARNING, 1);
	row->uid = 7;
	few = sched_add(&sched, row, at0);
	(void)put_off(&sched, severe);
	(void)put_off(&sched, few);
	assert_int_equal(severe->place, SCHED_WAITING);
	assert_int_equal(few->place, SCHED_WAITING);
	assert_int_equal(sched.kept, 2);
	sched_settle(&sched, sched.all->next->next); /* one of the flood goes to the store */
	again = sched.all->next->next;
	again->job->due = at0.unix_ms + ND_MIN(30);
	sched_settled(&sched, again, at0);
	assert_int_equal(sched.count, SCHED_JOBS + 1);
	sched_ripen(&sched, later(ND_MIN(30)).ms);
	assert_int_equal(sched.kept, 0);
	assert_ptr_equal(sched_take(&sched), severe);
	assert_ptr_equal(sched_take(&sched), few);
	sched_done(&sched);

	sched_init(&sched); /* and they are not too many */
	for (i = 0; i < 2 * SCHED_RESERVE; i++)
		(void)put_off(&sched, sched_add(&sched, row_make(i, "a", at0.unix_ms, JOB_CRITICAL, 1), at0));
	assert_int_equal(sched.count, SCHED_RESERVE);
	assert_int_equal(sched.few_due, at0.unix_ms + ND_MIN(30));
	sched_done(&sched);
}

static void
a_window_full_of_others_still_reads_severe_jobs(void **state)
{
	const nd_unix due = at0.unix_ms + ND_MIN(30);
	struct sched_job *job;
	struct sched sched;
	unsigned i;

	(void)state;
	sched_init(&sched);
	assert_null(sched_add(&sched, row_make(5000, "a", due, JOB_CRITICAL, 1), at0)); /* of tomorrow, so to speak */
	for (i = 0; i < 2 * SCHED_JOBS; i++)
		(void)sched_add(&sched, row_make(i, "a", at0.unix_ms, JOB_WARNING, 1), at0);
	assert_true(sched.behind);
	assert_false(sched_hungry(&sched, due - 1));
	assert_int_equal(sched_deadline(&sched, at0), at0.ms + ND_MIN(30));
	assert_true(sched_hungry(&sched, due));
	assert_int_equal(sched_load(&sched), SCHED_RESERVE);
	assert_true(sched.few);
	sched_loaded(&sched, false, ND_NEVER, due);
	assert_true(sched.behind); /* of the others nothing was learned */
	job = sched_add(&sched, row_make(5000, "a", due, JOB_CRITICAL, 1), later(ND_MIN(30)));
	assert_ptr_equal(sched_take(&sched), job);
	assert_false(sched_hungry(&sched, due));
	sched_look(&sched);
	assert_true(sched_hungry(&sched, due));
	/* One that finds no room is not asked for all the time. */
	(void)sched_load(&sched);
	sched_cramped(&sched, due);
	sched_loaded(&sched, false, ND_NEVER, due);
	assert_false(sched_hungry(&sched, due + 1));
	assert_true(sched_hungry(&sched, due + ND_SEC(2)));
	for (i = 0; i < SCHED_RESERVE; i++)
		(void)sched_add(&sched, row_make(6000 + i, "a", due, JOB_CRITICAL, 1), later(ND_MIN(30)));
	assert_true(sched_hungry(&sched, due + ND_SEC(2)));
	/* Others give way to them, and are found again: while there are some. */
	for (i = 0; i < 2 * SCHED_JOBS; i++)
		(void)sched_add(&sched, row_make(7000 + i, "a", due, JOB_CRITICAL, 1), later(ND_MIN(30)));
	assert_int_equal(sched.count, SCHED_JOBS + SCHED_RESERVE);
	assert_int_equal(sched.spare, 0);
	assert_int_equal(sched.ready[SCHED_SMALL] + sched.sending, SCHED_JOBS + SCHED_RESERVE);
	assert_false(sched_hungry(&sched, due + ND_SEC(4)));
	sched_done(&sched);
}

static void
what_is_dropped_is_only_what_nobody_works_on(void **state)
{
	struct sched sched;
	struct nd_now now = { 1000, 500000 };
	struct sched_job *sending;

	(void)state;
	sched_init(&sched);
	(void)sched_add(&sched, row_make(1, "a", now.unix_ms, JOB_WARNING, 1), now);
	sending = sched_take(&sched);
	(void)sched_add(&sched, row_make(2, "a", now.unix_ms, JOB_WARNING, 1), now);
	(void)sched_add(&sched, row_make(3, "a", now.unix_ms + 5000, JOB_WARNING, 1), now);
	assert_int_equal(sched.count, 3);
	sched_drop(&sched);
	assert_int_equal(sched.count, 1);
	assert_ptr_equal(sched.all, sending);
	assert_null(sched_take(&sched));
	assert_int_equal(sched_deadline(&sched, now), ND_NEVER);
	sched_done(&sched);
}

/* Job number n of this owner, due so long ago, with a body of so many octets. */
static void
add(struct sched *sched, unsigned n, unsigned uid, const char *unit, nd_ms ago, size_t octets)
{
	struct queue_job *job = row_make(n, "a", at0.unix_ms - ago, JOB_WARNING, 1);

	job->uid = uid;
	job->unit = nd_xstrdup(unit);
	if (octets > 0) {
		free(job->body);
		job->body = octets > SCHED_BIG_OCTETS ? NULL : nd_xalloc(octets);
		job->body_len = octets;
	}
	(void)sched_add(sched, job, at0);
}

static unsigned
taken(struct sched *sched)
{
	struct sched_job *job = sched_take(sched);

	return job ? (unsigned)strtoul(job->job->id + 20, NULL, 10) : 0;
}

static void
submitters_take_turns_and_a_flood_is_one_submitter(void **state)
{
	static const unsigned want[] = { 1, 201, 301, 2, 202, 302, 3, 303, 4, 5 };
	struct sched sched;
	size_t i;

	(void)state;
	sched_init(&sched);
	for (i = 1; i <= 100; i++)
		add(&sched, (unsigned)i, 1000, "flood.service", ND_MIN(10) - (nd_ms)i, 0);
	for (i = 201; i <= 202; i++)
		add(&sched, (unsigned)i, 1000, "backup.service", 200 - (nd_ms)i % 100, 0);
	for (i = 301; i <= 303; i++)
		add(&sched, (unsigned)i, 1001, NULL, 100 - (nd_ms)i % 100, 0);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(taken(&sched), want[i]);
	sched_done(&sched);
}

static void
who_waited_has_saved_up_no_turns_and_who_comes_anew_neither(void **state)
{
	struct sched sched;
	unsigned i;

	(void)state;
	sched_init(&sched);
	for (i = 1; i <= 20; i++)
		add(&sched, i, 1000, NULL, 1000 - i, 0);
	for (i = 101; i <= 103; i++)
		add(&sched, i, 1001, NULL, -500, 0); /* not yet due */
	for (i = 1; i <= 10; i++)
		assert_int_equal(taken(&sched), i);
	sched_ripen(&sched, at0.ms + 500);
	assert_int_equal(taken(&sched), 101);
	assert_int_equal(taken(&sched), 11);
	assert_int_equal(taken(&sched), 102);
	add(&sched, 201, 1002, NULL, 0, 0);
	add(&sched, 202, 1002, NULL, 0, 0);
	assert_int_equal(taken(&sched), 201);
	assert_int_equal(taken(&sched), 12);
	assert_int_equal(taken(&sched), 202); /* as many turns as the owner of 103, and due before */
	assert_int_equal(taken(&sched), 103);
	assert_int_equal(taken(&sched), 13);
	sched_done(&sched);
}

static void
a_severe_job_goes_before_everybody_s_turn(void **state)
{
	struct sched sched;
	unsigned i;

	(void)state;
	sched_init(&sched);
	for (i = 1; i <= 4; i++)
		add(&sched, i, 1000, NULL, 10 - i, 0);
	add(&sched, 11, 1001, NULL, 0, 0);
	assert_int_equal(taken(&sched), 1); /* it is the others' turn now */
	for (i = 21; i <= 22; i++) {
		struct queue_job *job = row_make(i, "a", at0.unix_ms, JOB_CRITICAL, 1);

		job->uid = 1000;
		(void)sched_add(&sched, job, at0);
	}
	assert_int_equal(taken(&sched), 21);
	assert_int_equal(taken(&sched), 22);
	assert_int_equal(taken(&sched), 11);
	assert_int_equal(taken(&sched), 2);
	sched_done(&sched);
}

static void
who_has_few_jobs_finds_room_beside_a_flood(void **state)
{
	struct sched sched;
	unsigned i;

	(void)state;
	sched_init(&sched);
	for (i = 1; i <= SCHED_JOBS + 1; i++)
		add(&sched, i, 1000, NULL, 1000, 0);
	assert_int_equal(sched.count, SCHED_JOBS);
	for (i = 2001; i <= 2001 + SCHED_FEW; i++)
		add(&sched, i, 1001, NULL, 0, 0);
	assert_int_equal(sched.count, SCHED_JOBS + SCHED_FEW);
	for (i = 3001; i <= 3001 + SCHED_RESERVE; i++)
		add(&sched, i, i, NULL, 0, 0);
	assert_int_equal(sched.count, SCHED_JOBS + SCHED_RESERVE / 2); /* the rest is for severe ones */
	assert_int_equal(sched.few_due, at0.unix_ms + ND_SEC(2));      /* they are looked for again */
	assert_non_null(sched_add(&sched, row_make(5000, "a", at0.unix_ms, JOB_ALERT, 1), at0));
	assert_true(sched.behind);
	sched_done(&sched);
	for (i = 1; i <= SCHED_OCTETS / SCHED_BIG_OCTETS + 1; i++) /* the same when octets are what is full */
		add(&sched, i, 1000, NULL, 1000, SCHED_BIG_OCTETS);
	assert_int_equal(sched.count, SCHED_OCTETS / SCHED_BIG_OCTETS);
	add(&sched, 2001, 1001, NULL, 0, SCHED_BIG_OCTETS);
	assert_int_equal(sched.count, SCHED_OCTETS / SCHED_BIG_OCTETS + 1);
	sched_done(&sched);
}

/* What it does not know of yet the store finds, and no more often than it must. */
static void
who_has_few_jobs_is_read_beside_a_flood(void **state)
{
	const struct nd_now due = later(ND_MIN(30));
	struct queue_job *row = row_make(2001, "a", due.unix_ms, JOB_WARNING, 1);
	struct sched_job *job;
	struct sched sched;
	unsigned i;

	(void)state;
	sched_init(&sched);
	row->uid = 1001;
	assert_null(sched_add(&sched, row, at0)); /* it is not due yet */
	for (i = 1; i <= 2 * SCHED_JOBS; i++)
		add(&sched, i, 1000, NULL, 1000, 0);
	assert_int_equal(sched_deadline(&sched, at0), due.ms);
	assert_true(sched_hungry(&sched, due.unix_ms));
	assert_int_equal(sched_load(&sched), SCHED_RESERVE);
	assert_true(sched.few);
	sched_loaded(&sched, false, due.unix_ms + 1, due.unix_ms);
	assert_false(sched_hungry(&sched, due.unix_ms + 1)); /* the flood has something due at any time */
	assert_true(sched_hungry(&sched, due.unix_ms + ND_SEC(2)));
	(void)sched_load(&sched);
	sched_loaded(&sched, false, ND_NEVER, due.unix_ms + ND_SEC(2));
	for (i = 2002; i < 2002 + SCHED_FEW + 2; i++)
		add(&sched, i, 1001, NULL, 0, 0);
	assert_false(sched_hungry(&sched, due.unix_ms + ND_HOUR(1)));
	job = sched_take(&sched);
	if (job->job->uid == 1000) { /* who comes anew begins where the others are */
		sched_back(&sched, job, job->due);
		job = sched_take(&sched);
	}
	assert_int_equal(job->job->uid, 1001);
	sched_settle(&sched, job);
	job->job->state = JOB_DELIVERED;
	sched_settled(&sched, job, due); /* two more of its owner found no room */
	assert_true(sched_hungry(&sched, due.unix_ms + ND_SEC(4)));
	sched_done(&sched);
}

/* It goes back to the store, so its owner has no more than few beside the flood. */
static void
what_waits_for_another_try_does_not_keep_out_what_is_due(void **state)
{
	struct sched_job *job;
	struct sched sched;
	unsigned i;

	(void)state;
	sched_init(&sched);
	for (i = 1; i <= SCHED_JOBS; i++)
		add(&sched, i, 1000, NULL, 1000, 0);
	for (i = 1; i <= SCHED_FEW; i++) {
		add(&sched, 2000 + i, 1001, NULL, 0, 0);
		job = sched.all;
		assert_int_equal(job->job->uid, 1001);
		sched_settle(&sched, job);
		job->job->due = at0.unix_ms + ND_SEC(30) + i;
		sched_settled(&sched, job, at0);
		assert_int_equal(job->place, SCHED_WAITING);
	}
	assert_int_equal(sched.count, SCHED_JOBS + SCHED_FEW);
	add(&sched, 3000, 1001, NULL, 0, 0);
	assert_string_equal(sched.all->job->id, "01K00000000000000000003000");
	assert_int_equal(sched.all->owner->jobs, SCHED_FEW);
	assert_int_equal(sched.all->owner->waiting, SCHED_FEW - 1);
	assert_int_equal(sched.count, SCHED_JOBS + SCHED_FEW);
	assert_true(sched.few_due <= at0.unix_ms + ND_SEC(30) + SCHED_FEW); /* the latest of them is found again */
	assert_true(sched.next_due == at0.unix_ms + ND_SEC(30) + SCHED_FEW);
	sched_done(&sched);
}

static void
the_windows_of_all_accounts_share_a_part_of_the_memory(void **state)
{
	const int64_t memory = 64 << 20;
	struct sched sched;
	unsigned i, n;

	(void)state;
	assert_int_equal(sched_share(memory, 0), SCHED_OCTETS);
	assert_int_equal(sched_share(memory, 1), SCHED_OCTETS);
	for (n = 2; n <= 128; n++)
		assert_in_range(n * sched_share(memory, n), memory / 5, memory / 4);
	assert_int_equal(sched_share(memory, 100000), SCHED_OCTETS_LEAST); /* each can send */
	assert_int_equal(sched_share(1 << 20, 1), SCHED_OCTETS / 32);

	sched_init(&sched);
	sched.room.octets = SCHED_OCTETS_LEAST;
	for (i = 1; i <= 40; i++)
		add(&sched, i, 1000, NULL, 1000, SCHED_OCTETS_LEAST / 16);
	assert_int_equal(sched.count, 16);
	assert_true(sched.behind);
	add(&sched, 50, 1001, NULL, 0, SCHED_OCTETS_LEAST / 16); /* who has few */
	assert_int_equal(sched.count, 17);
	add(&sched, 51, 1001, NULL, 0, SCHED_OCTETS_LEAST / 16);
	assert_int_equal(sched.count, 17);
	assert_false(sched_hungry(&sched, at0.unix_ms));
	while (sched.count > 8) {
		struct sched_job *job = sched_take(&sched);

		job->job->state = JOB_DELIVERED;
		sched_settle(&sched, job);
		sched_settled(&sched, job, at0);
	}
	assert_true(sched_hungry(&sched, at0.unix_ms));
	sched_done(&sched);
}

static void
big_ones_leave_a_session_to_the_others(void **state)
{
	struct sched sched;
	struct sched_job *big[2];
	unsigned i;

	(void)state;
	sched_init(&sched);
	sched.sessions = 3;
	for (i = 1; i <= 4; i++)
		add(&sched, i, 1000, NULL, 1000 - i, SCHED_BIG_OCTETS + 1);
	assert_int_equal(sched_ready(&sched), 2);
	for (i = 0; i < 2; i++)
		big[i] = sched_take(&sched);
	assert_non_null(big[1]);
	assert_null(sched_take(&sched));
	assert_int_equal(sched_ready(&sched), 0);
	add(&sched, 11, 1000, NULL, 0, 0);
	assert_int_equal(sched_ready(&sched), 1);
	assert_int_equal(taken(&sched), 11);
	sched_settle(&sched, big[0]);
	assert_int_equal(taken(&sched), 3);
	assert_null(sched_take(&sched));
	sched_done(&sched);

	sched.sessions = 1; /* nothing to leave */
	add(&sched, 1, 1000, NULL, 0, SCHED_BIG_OCTETS + 1);
	assert_int_equal(taken(&sched), 1);
	sched_done(&sched);
}

static void
a_job_goes_behind_the_others_where_it_is_ready_and_stays_where_it_is_elsewhere(void **state)
{
	struct sched sched;
	struct sched_job *first, *second;
	unsigned i;

	(void)state;
	sched_init(&sched);
	for (i = 1; i <= 3; i++)
		add(&sched, i, 1000, NULL, 1000 - i, 0);
	first = sched_first(&sched);
	sched_last(&sched, first, true);
	second = sched_take(&sched);
	assert_ptr_not_equal(second, first);
	for (i = 0; i < 2; i++) { /* while it is sent, and while its outcome is written */
		sched_last(&sched, second, i == 0);
		assert_int_equal(sched_ready(&sched), 2);
		assert_ptr_not_equal(sched_first(&sched), second);
		sched_settle(&sched, second);
	}
	assert_int_equal(taken(&sched), 3);
	assert_int_equal(taken(&sched), 1);
	assert_int_equal(taken(&sched), 0);
	sched_done(&sched);
}

static void
the_last_job_takes_its_owner_along(void **state)
{
	struct sched sched;
	struct sched_job *job;
	unsigned i;

	(void)state;
	sched_init(&sched);
	for (i = 1; i <= 50; i++) {
		add(&sched, i, i, "x.service", 0, 0);
		job = sched_take(&sched);
		sched_settle(&sched, job);
		job->job->state = JOB_DELIVERED;
		sched_settled(&sched, job, at0);
		assert_null(sched.owners.first);
	}
	sched_done(&sched);
}

static void
what_another_relay_may_have_is_not_hurried(void **state)
{
	struct queue_job *plain = row_make(1, "a", at0.unix_ms + 500, JOB_WARNING, 1);
	struct queue_job *doubt = row_make(2, "a", at0.unix_ms + 500, JOB_WARNING, 1);
	struct sched sched;

	(void)state;
	plain->uncertain = doubt->uncertain = true;
	doubt->reason = nd_xstrdup(QUEUE_IN_DOUBT ": its account is gone");
	sched_init(&sched);
	(void)sched_add(&sched, plain, at0);
	(void)sched_add(&sched, doubt, at0);
	sched_hurry(&sched, at0);
	assert_ptr_equal(sched_take(&sched)->job, plain);
	assert_null(sched_take(&sched));
	sched_ripen(&sched, at0.ms + 500);
	assert_ptr_equal(sched_take(&sched)->job, doubt);
	sched_done(&sched);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(severe_jobs_leave_first_then_the_oldest_due),
		cmocka_unit_test(a_job_waits_for_its_time),
		cmocka_unit_test(a_job_of_tomorrow_stays_in_the_store),
		cmocka_unit_test(what_another_relay_may_have_is_not_hurried),
		cmocka_unit_test(the_window_is_bounded_and_remembers_that_the_store_has_more),
		cmocka_unit_test(what_is_accepted_during_a_load_is_not_forgotten),
		cmocka_unit_test(a_settled_job_waits_again_or_goes),
		cmocka_unit_test(what_few_and_severe_ones_have_to_try_again_waits_beside_a_flood),
		cmocka_unit_test(a_window_full_of_others_still_reads_severe_jobs),
		cmocka_unit_test(what_is_dropped_is_only_what_nobody_works_on),
		cmocka_unit_test(submitters_take_turns_and_a_flood_is_one_submitter),
		cmocka_unit_test(who_waited_has_saved_up_no_turns_and_who_comes_anew_neither),
		cmocka_unit_test(a_severe_job_goes_before_everybody_s_turn),
		cmocka_unit_test(who_has_few_jobs_finds_room_beside_a_flood),
		cmocka_unit_test(who_has_few_jobs_is_read_beside_a_flood),
		cmocka_unit_test(what_waits_for_another_try_does_not_keep_out_what_is_due),
		cmocka_unit_test(the_windows_of_all_accounts_share_a_part_of_the_memory),
		cmocka_unit_test(big_ones_leave_a_session_to_the_others),
		cmocka_unit_test(a_job_goes_behind_the_others_where_it_is_ready_and_stays_where_it_is_elsewhere),
		cmocka_unit_test(the_last_job_takes_its_owner_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
