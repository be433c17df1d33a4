/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_rcpt.c - where the recipients of a job are kept, and that nobody sees the difference. */
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
add_rcpt(struct queue_job *job, const char *address)
{
	job->rcpts = nd_xrealloc(job->rcpts, (job->rcpt_count + 1) * sizeof(*job->rcpts));
	job->rcpts[job->rcpt_count++] = (struct queue_rcpt){ .address = nd_xstrdup(address) };
}

static struct queue_job *
job_of_two(void)
{
	struct queue_job *job = kit_job(&kit);

	add_rcpt(job, "\xe7\xae\xa1\xe7\x90\x86@contoso.example");
	return job;
}

/* Stops the store for it. */
static void
check_kept(int in_row, int rows)
{
	kit_stop(&kit);
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM job WHERE rcpts IS NOT NULL"), in_row);
	assert_int_equal(kit_sql(&kit, "SELECT count(*) FROM rcpt"), rows);
	kit_start(&kit);
}

static void
check_shown(const struct queue_job *job)
{
	struct store_req req;
	unsigned i;

	assert_int_equal(kit_show(&kit, &req, job->id), ND_OK);
	assert_int_equal(req.found->state, job->state);
	assert_int_equal(req.found->rcpt_count, job->rcpt_count);
	for (i = 0; i < job->rcpt_count; i++) {
		const struct queue_rcpt *is = &req.found->rcpts[i], *was = &job->rcpts[i];

		assert_string_equal(is->address, was->address);
		assert_string_equal(is->enhanced, was->enhanced);
		assert_int_equal(is->state, was->state);
		assert_int_equal(is->uncertain, was->uncertain);
		assert_int_equal(is->code, was->code);
		assert_int_equal(is->at, was->at);
		assert_int_equal(is->text == NULL, was->text == NULL);
		if (is->text != NULL)
			assert_string_equal(is->text, was->text);
	}
	kit_forget(&req);
}

static void
a_fresh_job_has_its_recipients_in_its_row(void **state)
{
	struct queue_job *job = job_of_two();
	struct store_req req = { .limit = 10 };

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	check_shown(job);
	check_kept(1, 0);
	check_shown(job);
	assert_int_equal(kit_load(&kit, &req, "m365", KIT_NOW), ND_OK);
	assert_int_equal(req.job_count, 1);
	assert_int_equal(req.jobs[0]->rcpt_count, 2);
	assert_string_equal(req.jobs[0]->rcpts[1].address, job->rcpts[1].address);
	kit_forget(&req);
	assert_int_equal(kit_outcome(&kit, job, JOB_DELIVERED, KIT_NOW + 5), ND_OK);
	check_shown(job);
	check_kept(0, 0);
	queue_job_free(job);
}

static void
a_recipient_that_changes_gets_all_of_them_rows(void **state)
{
	struct queue_job *job = job_of_two();

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	job->rcpts[1].uncertain = true;
	job->rcpts[1].code = 451;
	memcpy(job->rcpts[1].enhanced, "4.7.1", 6);
	assert_int_equal(kit_move(&kit, job), ND_OK);
	check_shown(job);
	check_kept(0, 2);
	check_shown(job);
	assert_int_equal(kit_outcome(&kit, job, JOB_FAILED, KIT_NOW + 5), ND_OK);
	check_shown(job);
	check_kept(0, 2);
	assert_int_equal(kit_outcome(&kit, job, JOB_DELIVERED, KIT_NOW + 9), ND_OK);
	check_shown(job);
	check_kept(0, 0);
	queue_job_free(job);
}

static void
a_job_that_changes_without_them_leaves_them_where_they_are(void **state)
{
	struct queue_job *job = job_of_two(), *bare = kit_job(&kit);

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	job->state = JOB_HELD;
	assert_int_equal(kit_move(&kit, job), ND_OK);
	check_shown(job);
	check_kept(1, 0);
	/* One whose recipients are not told has those that it had. */
	memcpy(bare->id, job->id, sizeof(bare->id));
	free(bare->rcpts[0].address);
	bare->rcpt_count = 0;
	bare->state = JOB_QUEUED;
	assert_int_equal(kit_move(&kit, bare), ND_OK);
	job->state = JOB_QUEUED;
	check_shown(job);
	check_kept(1, 0);
	bare->state = job->state = JOB_CANCELLED;
	assert_int_equal(kit_move(&kit, bare), ND_OK);
	check_shown(job);
	check_kept(0, 0);
	queue_job_free(bare);
	queue_job_free(job);
}

static void
what_does_not_fit_has_rows_from_the_beginning(void **state)
{
	struct queue_job *many = kit_job(&kit), *large = kit_job(&kit), *known = kit_job(&kit), *odd = kit_job(&kit);
	char address[64];
	unsigned i;

	(void)state;
	for (i = 0; i < 60; i++) {
		(void)snprintf(address, sizeof(address), "somebody-%03u@contoso.example", i);
		add_rcpt(many, address);
	}
	free(large->body);
	large->body_len = 5000;
	large->body = nd_xalloc(large->body_len + 1);
	memset(large->body, 'x', large->body_len);
	known->rcpts[0].state = RCPT_DELIVERED;
	known->rcpts[0].at = KIT_NOW;
	kit_set(&odd->rcpts[0].address, "one@contoso.com\ntwo@contoso.com");
	assert_int_equal(kit_put(&kit, many), ND_OK);
	assert_int_equal(kit_put(&kit, large), ND_OK);
	assert_int_equal(kit_put(&kit, known), ND_OK);
	assert_int_equal(kit_put(&kit, odd), ND_OK);
	check_kept(0, 61 + 3);
	check_shown(many);
	check_shown(large);
	check_shown(known);
	check_shown(odd);
	assert_int_equal(kit_outcome(&kit, many, JOB_DELIVERED, KIT_NOW + 5), ND_OK);
	check_shown(many);
	check_kept(0, 3);
	queue_job_free(many);
	queue_job_free(large);
	queue_job_free(known);
	queue_job_free(odd);
}

/* As many octets as fit exactly, and one more. */
static void
the_room_in_the_row_is_used_to_its_end(void **state)
{
	static const unsigned lengths[] = { STORE_PACKED - 1, STORE_PACKED };
	struct queue_job *jobs[2];
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		jobs[i] = kit_job(&kit);
		free(jobs[i]->rcpts[0].address);
		jobs[i]->rcpts[0].address = nd_xalloc(lengths[i] + 1);
		memset(jobs[i]->rcpts[0].address, 'a', lengths[i]);
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
		check_shown(jobs[i]);
	}
	check_kept(1, 1);
	for (i = 0; i < 2; i++) {
		check_shown(jobs[i]);
		queue_job_free(jobs[i]);
	}
}

static void
a_list_that_nobody_wrote_is_a_damaged_file(void **state)
{
	struct queue_job *job = kit_job(&kit);
	struct store_req req;

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	kit_stop(&kit);
	(void)kit_sql(&kit, "UPDATE job SET rcpts=printf('%.*c',5000,'x')");
	kit_start(&kit);
	assert_int_equal(kit_show(&kit, &req, job->id), ND_EDISK);
	assert_null(req.found);
	kit_forget(&req);
	queue_job_free(job);
}

/* No index has all ids: each state that a job of the queue may have is looked through. */
static void
a_job_of_any_state_is_found_by_its_id(void **state)
{
	static const enum job_state states[] = { JOB_EXPIRED, JOB_QUEUED, JOB_FAILED, JOB_HELD, JOB_DELIVERED,
		JOB_QUEUED };
	struct queue_job *jobs[6];
	struct store_req req, list = { .op = STORE_LIST };
	int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		jobs[i] = kit_job(&kit);
		assert_int_equal(kit_put(&kit, jobs[i]), ND_OK);
		if (states[i] == JOB_QUEUED)
			continue;
		jobs[i]->state = (uint8_t)states[i];
		assert_int_equal(kit_move(&kit, jobs[i]), ND_OK);
	}
	for (i = 0; i < 6; i++) {
		check_shown(jobs[i]);
		if (states[i] != JOB_DELIVERED)
			assert_int_equal(kit_put(&kit, jobs[i]), ND_EBUG); /* and is not accepted twice */
	}
	kit_ask(&kit, &list);
	assert_int_equal(list.err, ND_OK);
	assert_int_equal(list.job_count, 6);
	for (i = 0; i < 6; i++)
		assert_string_equal(list.jobs[i]->id, jobs[5 - i]->id);
	kit_forget(&list);
	kit_stop(&kit);
	kit_start(&kit); /* the newest id is known again */
	assert_int_equal(kit_totals(&kit, &req), ND_OK);
	assert_string_equal(req.last_id, jobs[5]->id);
	kit_forget(&req);
	for (i = 0; i < 6; i++)
		queue_job_free(jobs[i]);
}

/* Where a job was last seen is looked at first; another one may lie there now. */
static void
a_place_that_is_wrong_is_not_believed(void **state)
{
	struct queue_job *job = kit_job(&kit), *other = kit_job(&kit);

	(void)state;
	assert_int_equal(kit_put(&kit, job), ND_OK);
	assert_int_equal(kit_put(&kit, other), ND_OK);
	assert_int_not_equal(job->place, other->place);
	job->state = JOB_HELD;
	job->place = other->place;
	assert_int_equal(kit_move(&kit, job), ND_OK);
	check_shown(job);
	check_shown(other);
	job->state = JOB_CANCELLED;
	job->place = 4711;
	assert_int_equal(kit_move(&kit, job), ND_OK);
	check_shown(job);
	check_shown(other);
	job->place = other->place;
	assert_int_equal(kit_move(&kit, job), ND_ENOTFOUND);
	check_shown(other);
	queue_job_free(job);
	queue_job_free(other);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_fresh_job_has_its_recipients_in_its_row),
		TEST(a_recipient_that_changes_gets_all_of_them_rows),
		TEST(a_job_that_changes_without_them_leaves_them_where_they_are),
		TEST(what_does_not_fit_has_rows_from_the_beginning),
		TEST(the_room_in_the_row_is_used_to_its_end),
		TEST(a_list_that_nobody_wrote_is_a_damaged_file),
		TEST(a_job_of_any_state_is_found_by_its_id),
		TEST(a_place_that_is_wrong_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
