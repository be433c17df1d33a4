/* SPDX-License-Identifier: Apache-2.0 */
/* test_limit.c - how much one mailbox may send: by examples, and as a property over random days with crashes and leaps of the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/core/limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char boot_one[] = "boot-1", boot_two[] = "boot-2";

static struct nd_now
at(nd_ms ms)
{
	return (struct nd_now){ ms, INT64_C(1700000000000) + ms };
}

static char *
record_of(struct limit *limit, const struct limit_rules *rules, unsigned rcpts, bool closing, const char *boot,
    struct nd_now now)
{
	struct json_out out;
	struct nd_buf buf;

	nd_buf_init(&buf, 1 << 20);
	json_out_init(&out, &buf);
	limit_write(limit, rules, rcpts, closing, boot, now, &out);
	return nd_buf_take(&buf, NULL);
}

static void
read_record(struct limit *limit, const char *text, const char *boot, struct nd_now now)
{
	struct json_tree tree = { 0 };

	if (text)
		assert_int_equal(json_read(&tree, text, strlen(text), &json_limits_job, NULL, NULL), ND_OK);
	assert_true(limit_read(limit, tree.root, boot, now));
	json_done(&tree);
}

/* Known, with nothing of before. */
static struct limit *
fresh(void)
{
	struct limit *limit = limit_new("a at b");

	read_record(limit, NULL, boot_one, at(0));
	return limit;
}

static void
lease(struct limit *limit, const struct limit_rules *rules, unsigned rcpts, nd_ms now)
{
	if (!limit_wants(limit, rules, rcpts, false, now))
		return;
	free(record_of(limit, rules, rcpts, false, boot_one, at(now)));
	limit_saved(limit, true);
}

static bool
goes(struct limit *limit, const struct limit_rules *rules, bool severe, unsigned rcpts, nd_ms now)
{
	lease(limit, rules, rcpts, now);
	if (limit_ask(limit, rules, severe, rcpts, now).why != LIMIT_GO)
		return false;
	limit_begin(limit, severe, rcpts);
	limit_end(limit, severe, rcpts, true, now);
	return true;
}

static unsigned
how_many(struct limit *limit, const struct limit_rules *rules, bool severe, nd_ms now)
{
	unsigned n = 0;

	while (n < 10000 && goes(limit, rules, severe, 1, now))
		n++;
	return n;
}

static void
half_of_the_minute_is_kept_for_severe_jobs(void **state)
{
	const struct limit_rules rules = { .minute = 30 };
	struct limit *limit = fresh();
	struct limit_word word;

	(void)state;
	assert_int_equal(how_many(limit, &rules, false, 1000), 15);
	word = limit_ask(limit, &rules, false, 1, 1000);
	assert_int_equal(word.why, LIMIT_MINUTE);
	assert_in_range(word.until, ND_SEC(61), ND_SEC(61) + 250);
	assert_int_equal(how_many(limit, &rules, true, 2000), 15);
	assert_int_equal(limit_ask(limit, &rules, true, 1, 2000).why, LIMIT_MINUTE);
	assert_int_equal(how_many(limit, &rules, false, word.until - 1), 0);
	assert_int_equal(how_many(limit, &rules, false, word.until), 15);
	limit_free(limit);
}

static const char *const readers[] = { "a@b", "c@d" };
#define MAIL(is_severe, to, count) (&(struct limit_mail){ .severe = (is_severe), .rcpts = (to), .rcpt_count = (count) })

static void
expect_left(struct limit *limit, const struct limit_rules *rules, bool severe, nd_ms now, enum limit_why why,
    uint32_t most, uint32_t left)
{
	struct limit_left all[LIMIT_RULES];
	const unsigned count = limit_left(limit, rules, MAIL(severe, readers, 2), now, all);

	for (unsigned i = 0; i < count; i++)
		if (all[i].why == why) {
			assert_int_equal(all[i].most, most);
			assert_int_equal(all[i].left, left);
			assert_int_equal(all[i].until > now, left == 0);
			return;
		}
	fail();
}

static void
what_is_left_is_told_by_each_rule(void **state)
{
	const struct limit_rules rules = { .minute = 5, .day = 8, .rcpts = 9 };
	struct limit *limit = fresh();
	struct limit_left all[LIMIT_RULES];

	(void)state;
	assert_int_equal(limit_left(limit, &(struct limit_rules){ 0 }, MAIL(false, readers, 2), 0, all), 0);
	expect_left(limit, &rules, false, 0, LIMIT_MINUTE, 5, 3);
	expect_left(limit, &rules, true, 0, LIMIT_MINUTE, 5, 5);
	assert_true(goes(limit, &rules, false, 4, 0));
	assert_true(goes(limit, &rules, true, 4, 0));
	expect_left(limit, &rules, false, 1, LIMIT_MINUTE, 5, 2);
	expect_left(limit, &rules, true, 1, LIMIT_MINUTE, 5, 3);
	expect_left(limit, &rules, false, 1, LIMIT_DAY, 8, 6);
	expect_left(limit, &rules, false, 1, LIMIT_RCPTS_DAY, 9, 1);
	lease(limit, &rules, 1, 1);
	limit_begin(limit, false, 1); /* what is under way counts */
	expect_left(limit, &rules, false, 1, LIMIT_RCPTS_DAY, 9, 0);
	expect_left(limit, &rules, false, 1, LIMIT_MINUTE, 5, 1);
	limit_end(limit, false, 1, false, 1);
	expect_left(limit, &rules, false, ND_MIN(2), LIMIT_MINUTE, 5, 3);
	limit_free(limit);
}

static void
the_time_of_more_room_is_that_of_limit_ask(void **state)
{
	const struct limit_rules rules = { .minute = 4 };
	struct limit *limit = fresh();
	struct limit_left all[LIMIT_RULES];

	(void)state;
	assert_int_equal(how_many(limit, &rules, false, 1000), 2);
	assert_int_equal(limit_left(limit, &rules, MAIL(false, readers, 2), 2000, all), 1);
	assert_int_equal(all[0].left, 0);
	assert_int_equal(all[0].until, limit_ask(limit, &rules, false, 1, 2000).until);
	assert_int_equal(limit_left(limit, &rules, MAIL(true, readers, 2), 2000, all), 1);
	assert_int_equal(all[0].left, 2);
	limit_free(limit);
}

static void
of_the_readers_hours_the_least_is_told_and_one_with_room_lets_it_go(void **state)
{
	const struct limit_rules rules = { .rcpt = 2 };
	struct limit *limit = fresh();
	struct limit_left all[LIMIT_RULES];

	(void)state;
	expect_left(limit, &rules, false, 0, LIMIT_RCPT_HOUR, 2, 2);
	for (unsigned n = 0; n < 2; n++) {
		limit_rcpt_begin(limit, "c@d", 0);
		limit_rcpt_end(limit, "c@d", true, 0);
	}
	assert_int_equal(limit_left(limit, &rules, MAIL(false, readers, 2), 1, all), 1);
	assert_string_equal(all[0].address, "c@d");
	assert_int_equal(all[0].left, 0);
	assert_true(all[0].until <= 1); /* to the other one */
	assert_int_equal(limit_left(limit, &rules, MAIL(false, readers + 1, 1), 1, all), 1);
	assert_int_equal(all[0].until, limit_rcpt_when(limit, &rules, "c@d", 1));
	assert_true(all[0].until > ND_MIN(59));
	limit_free(limit);
}

static void
a_slower_pace_that_the_server_asked_for_is_the_limit(void **state)
{
	const struct limit_rules rules = { .minute = 100 };
	struct limit *limit = fresh();
	struct limit_left all[LIMIT_RULES];

	(void)state;
	assert_int_equal(how_many(limit, &rules, true, 0), 100);
	limit_hurried(limit, &rules, 1);
	assert_int_equal(limit_left(limit, &rules, MAIL(true, readers, 2), 2, all), 1);
	assert_int_equal(all[0].why, LIMIT_RATE);
	assert_int_equal(all[0].most, limit_rate(limit, 2));
	assert_int_equal(all[0].left, 0);
	limit_free(limit);
}

static void
severe_jobs_that_take_more_than_their_half_leave_less_to_the_others(void **state)
{
	const struct limit_rules rules = { .minute = 10 };
	struct limit *limit = fresh();

	(void)state;
	assert_int_equal(how_many(limit, &rules, true, 0), 10);
	assert_int_equal(how_many(limit, &rules, false, 0), 0);
	limit_free(limit);
}

static void
one_a_minute_is_for_everybody(void **state)
{
	const struct limit_rules rules = { .minute = 1 };
	struct limit *limit = fresh();

	(void)state;
	assert_int_equal(how_many(limit, &rules, false, 0), 1);
	assert_int_equal(how_many(limit, &rules, true, 0), 0);
	limit_free(limit);
}

static void
a_mail_counts_for_as_long_as_it_takes_and_a_minute_more(void **state)
{
	const struct limit_rules rules = { .minute = 2 };
	struct limit *limit = fresh();
	struct limit_word word;

	(void)state;
	lease(limit, &rules, 1, 0);
	limit_begin(limit, false, 1);
	lease(limit, &rules, 1, 0);
	word = limit_ask(limit, &rules, false, 1, ND_MIN(5));
	assert_int_equal(word.why, LIMIT_MINUTE);
	assert_int_equal(word.until, ND_NEVER); /* its end will tell */
	limit_end(limit, false, 1, true, ND_MIN(5));
	assert_int_equal(limit_ask(limit, &rules, false, 1, ND_MIN(6) - 1).why, LIMIT_MINUTE);
	assert_int_equal(limit_ask(limit, &rules, false, 1, ND_MIN(6) + 250).why, LIMIT_GO);
	limit_free(limit);
}

static void
a_mail_that_was_not_begun_is_not_counted(void **state)
{
	const struct limit_rules rules = { .minute = 1, .day = 1, .rcpts = 1 };
	struct limit *limit = fresh();

	(void)state;
	lease(limit, &rules, 1, 0);
	limit_begin(limit, false, 1);
	limit_end(limit, false, 1, false, 10);
	assert_true(goes(limit, &rules, false, 1, 10));
	assert_false(goes(limit, &rules, false, 1, 10));
	limit_free(limit);
}

static void
the_day_slides_and_what_is_left_of_it_is_used(void **state)
{
	const struct limit_rules rules = { .rcpts = 100 };
	struct limit *limit = fresh();
	struct limit_word word;

	(void)state;
	assert_true(goes(limit, &rules, false, 60, 0));
	lease(limit, &rules, 60, ND_HOUR(1));
	word = limit_ask(limit, &rules, false, 60, ND_HOUR(1));
	assert_int_equal(word.why, LIMIT_GO);
	assert_int_equal(word.rcpts, 40); /* the others of the job later */
	assert_true(goes(limit, &rules, false, 40, ND_HOUR(1)));
	word = limit_ask(limit, &rules, true, 1, ND_HOUR(2));
	assert_int_equal(word.why, LIMIT_RCPTS_DAY);
	assert_in_range(word.until, ND_DAY(1), ND_DAY(1) + ND_MIN(5));
	assert_true(goes(limit, &rules, false, 60, word.until));
	assert_false(goes(limit, &rules, false, 1, word.until));
	limit_free(limit);
}

static void
one_reader_does_not_get_more_in_an_hour_than_allowed(void **state)
{
	const struct limit_rules rules = { .rcpt = 3 };
	struct limit *limit = fresh();
	nd_ms when;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(limit_rcpt_when(limit, &rules, "ops@b.example", 5), 5);
		limit_rcpt_begin(limit, i == 1 ? "OPS@b.example" : "ops@b.example", 5);
		limit_rcpt_end(limit, "ops@b.example", true, 5);
	}
	when = limit_rcpt_when(limit, &rules, "Ops@B.example", 5);
	assert_in_range(when, ND_HOUR(1), ND_HOUR(1) + ND_MIN(5));
	assert_int_equal(limit_rcpt_when(limit, &rules, "night@b.example", 5), 5);
	assert_int_equal(limit_rcpt_when(limit, &rules, "ops@b.example", when), when);
	/* However the domain is written. */
	for (int i = 0; i < 3; i++) {
		limit_rcpt_begin(limit, "ops@müller.example", 5);
		limit_rcpt_end(limit, "ops@MÜLLER.example", true, 5);
	}
	assert_true(limit_rcpt_when(limit, &rules, "ops@xn--mller-kva.example", 5) >= ND_HOUR(1));
	limit_free(limit);
}

/* Each has its own time, and at that time there is room for it. */
static void
what_is_put_off_for_a_reader_stands_in_line(void **state)
{
	const struct limit_rules rules = { .rcpt = 4 };
	struct limit *limit = fresh();
	nd_ms turn[12], free;

	(void)state;
	for (int i = 0; i < 4; i++) {
		limit_rcpt_begin(limit, "ops@b.example", ND_MIN(20) * i / 2);
		limit_rcpt_end(limit, "ops@b.example", true, ND_MIN(20) * i / 2);
	}
	free = limit_rcpt_when(limit, &rules, "ops@b.example", ND_MIN(31));
	for (int i = 0; i < 12; i++)
		turn[i] = limit_rcpt_turn(limit, &rules, "OPS@b.example", false, false, ND_MIN(31));
	for (int i = 0; i < 12; i++)
		assert_int_equal(turn[i], free + (i % 4) * ND_MIN(10) + (i / 4) * ND_HOUR(1));
	assert_int_equal(limit_rcpt_turn(limit, &rules, "night@b.example", false, false, ND_MIN(31)), ND_MIN(31));
	/* One whose place was taken by a more urgent one is not sent to the end. */
	assert_in_range(
	    limit_rcpt_turn(limit, &rules, "ops@b.example", false, true, ND_MIN(31)), free, free + ND_HOUR(1));
	assert_int_equal(
	    limit_rcpt_turn(limit, &rules, "ops@b.example", false, false, ND_MIN(31)), turn[8] + ND_HOUR(1));
	/* A severe one stands behind severe ones only. */
	assert_int_equal(limit_rcpt_turn(limit, &rules, "ops@b.example", true, false, ND_MIN(31)), free);
	assert_int_equal(limit_rcpt_turn(limit, &rules, "ops@b.example", true, false, ND_MIN(31)), free + ND_MIN(10));
	/* While mails are under way nobody knows when the hour will have room: they are spread all the same. */
	for (int i = 0; i < 4; i++)
		limit_rcpt_begin(limit, "web@b.example", ND_MIN(31));
	assert_int_equal(limit_rcpt_turn(limit, &rules, "web@b.example", false, false, ND_MIN(31)), ND_MIN(31) + 1000);
	for (int i = 1; i < 9; i++)
		assert_in_range(limit_rcpt_turn(limit, &rules, "web@b.example", false, false, ND_MIN(31)),
		    ND_MIN(31) + i * ND_MIN(15), ND_MIN(31) + i * ND_MIN(15) + 1100);
	limit_free(limit);
}

static void
more_readers_than_are_known_one_by_one_share_an_hour(void **state)
{
	const struct limit_rules rules = { .rcpt = 2 };
	struct limit *limit = fresh();
	char name[32];

	(void)state;
	for (unsigned i = 0; i < LIMIT_RCPTS + 2; i++) {
		(void)snprintf(name, sizeof(name), "r%u@b.example", i);
		assert_int_equal(limit_rcpt_when(limit, &rules, name, 5), 5);
		limit_rcpt_begin(limit, name, 5);
		limit_rcpt_end(limit, name, true, 5);
	}
	assert_int_equal(limit->rcpt_count, LIMIT_RCPTS);
	assert_true(limit_rcpt_when(limit, &rules, "another@b.example", 5) > 5);
	assert_int_equal(limit_rcpt_when(limit, &rules, "r0@b.example", 5), 5);
	/* An hour later there is room again. */
	limit_rcpt_begin(limit, "another@b.example", ND_HOUR(2));
	assert_int_equal(limit->rcpt_count, 1);
	limit_free(limit);
}

static void
nothing_goes_before_a_lease_is_on_disk(void **state)
{
	const struct limit_rules rules = { .minute = 30 };
	struct limit *limit = limit_new("a at b");
	char *record;

	(void)state;
	assert_false(limit_wants(limit, &rules, 1, false, 0)); /* what was sent before is not known */
	assert_int_equal(limit_ask(limit, &rules, true, 1, 0).why, LIMIT_LEASE);
	read_record(limit, NULL, boot_one, at(0));
	assert_int_equal(limit_ask(limit, &rules, true, 1, 0).why, LIMIT_LEASE);
	record = record_of(limit, &rules, 1, false, boot_one, at(0));
	assert_int_equal(limit_ask(limit, &rules, true, 1, 0).why, LIMIT_LEASE);
	limit_saved(limit, false);
	assert_int_equal(limit_ask(limit, &rules, true, 1, 0).why, LIMIT_LEASE);
	free(record);
	free(record_of(limit, &rules, 1, false, boot_one, at(0)));
	limit_saved(limit, true);
	assert_int_equal(limit_ask(limit, &rules, true, 1, 0).why, LIMIT_GO);
	limit_free(limit);
}

/* Records that nobody renews are removed from the disk; one in use must not be. */
static void
a_lease_is_renewed_each_day_and_none_is_used_that_is_old(void **state)
{
	const struct limit_rules rules = { .day = 2000 };
	struct limit *limit = fresh();

	(void)state;
	lease(limit, &rules, 1, 0);
	assert_false(limit_wants(limit, &rules, 1, false, ND_DAY(1) - 1));
	assert_true(limit_wants(limit, &rules, 1, false, ND_DAY(1)));
	free(record_of(limit, &rules, 1, false, boot_one, at(ND_DAY(1))));
	limit_saved(limit, false);
	assert_int_equal(limit_ask(limit, &rules, true, 1, ND_DAY(2) - 1).why, LIMIT_GO);
	assert_int_equal(limit_ask(limit, &rules, true, 1, ND_DAY(2)).why, LIMIT_LEASE);
	lease(limit, &rules, 1, ND_DAY(2));
	assert_int_equal(limit_ask(limit, &rules, true, 1, ND_DAY(2)).why, LIMIT_GO);
	assert_false(limit_wants(limit, &rules, 1, false, ND_DAY(3) - 1));
	limit_free(limit);
}

static void
without_limits_nothing_is_asked_of_the_disk(void **state)
{
	const struct limit_rules rules = { 0 };
	struct limit *limit = limit_new("a at b");

	(void)state;
	assert_int_equal(how_many(limit, &rules, false, 0), 10000);
	assert_false(limit_wants(limit, &rules, 1, false, 0));
	limit_free(limit);
}

static void
a_crash_costs_a_lease_and_a_clean_end_costs_nothing(void **state)
{
	const struct limit_rules rules = { .minute = 16, .day = 1000 };
	struct limit *limit = fresh();
	char *record;

	(void)state;
	lease(limit, &rules, 1, 0);
	assert_int_equal(how_many(limit, &rules, false, 0), 8);
	record = record_of(limit, &rules, 1, true, boot_one, at(0));
	limit_free(limit);
	limit = limit_new("a at b");
	read_record(limit, record, boot_one, at(ND_SEC(5)));
	free(record);
	assert_int_equal(how_many(limit, &rules, false, ND_SEC(5)), 0);
	assert_int_equal(how_many(limit, &rules, true, ND_SEC(5)), 8);
	assert_int_equal(how_many(limit, &rules, false, ND_SEC(61)), 8);
	/* Now a crash right after the record was written. */
	record = record_of(limit, &rules, 1, false, boot_one, at(ND_SEC(200)));
	limit_free(limit);
	limit = limit_new("a at b");
	read_record(limit, record, boot_one, at(ND_SEC(200)));
	free(record);
	assert_int_equal(how_many(limit, &rules, true, ND_SEC(200)), 14); /* 16 but for a lease of 2 */
	limit_free(limit);
}

static void
after_a_reboot_a_wall_clock_that_went_back_frees_nothing(void **state)
{
	const struct limit_rules rules = { .rcpts = 10 };
	struct limit *limit = fresh();
	struct nd_now now = { 1000, at(0).unix_ms - ND_DAY(400) };
	char *record;

	(void)state;
	assert_true(goes(limit, &rules, false, 10, ND_HOUR(5)));
	record = record_of(limit, &rules, 1, true, boot_one, at(ND_HOUR(5)));
	limit_free(limit);
	limit = limit_new("a at b");
	read_record(limit, record, boot_two, now);
	free(record);
	lease(limit, &rules, 1, now.ms);
	assert_int_equal(limit_ask(limit, &rules, true, 1, ND_HOUR(23)).why, LIMIT_RCPTS_DAY);
	assert_int_equal(limit_ask(limit, &rules, true, 1, ND_DAY(1) + ND_MIN(6)).why, LIMIT_GO);
	limit_free(limit);
}

static void
a_record_that_makes_no_sense_is_told(void **state)
{
	struct limit *limit = limit_new("a at b");
	struct json_tree tree;

	(void)state;
	assert_int_equal(json_read(&tree, "[1]", 3, &json_limits_small, NULL, NULL), ND_OK);
	assert_false(limit_read(limit, tree.root, boot_one, at(0)));
	assert_true(limit->known);
	json_done(&tree);
	limit_free(limit);
}

static void
refused_logins_wait_twice_as_long_each_time(void **state)
{
	struct limit *limit = fresh();

	(void)state;
	assert_int_equal(limit_login_when(limit, 2, 0), 0);
	limit_login_begin(limit, 0);
	limit_login_begin(limit, 0);
	assert_in_range(limit_login_when(limit, 2, 0), ND_MIN(1), ND_MIN(1) + 250);
	assert_int_equal(limit_login_when(limit, 0, 0), 0);
	assert_int_equal(limit_login_refused(limit, ND_MIN(10), 0), ND_MIN(10));
	assert_int_equal(limit_login_when(limit, 0, 0), ND_MIN(10));
	assert_int_equal(limit_login_refused(limit, ND_MIN(10), 0), ND_MIN(20));
	for (int i = 0; i < 20; i++)
		assert_true(limit_login_refused(limit, ND_MIN(10), 0) <= ND_HOUR(4));
	limit_login_well(limit);
	assert_int_equal(limit_login_refused(limit, ND_MIN(10), 0), ND_MIN(10));
	limit_free(limit);
}

static void
a_crowd_shrinks_and_grows_back_one_by_one(void **state)
{
	struct limit *limit = fresh();

	(void)state;
	assert_int_equal(limit_sessions(limit, 5, 0), 5);
	assert_int_equal(limit_crowded(limit, 4, 5, 0, 0), ND_SEC(10));
	assert_int_equal(limit_crowded(limit, 4, 5, UINT32_MAX, 0), ND_SEC(60));
	assert_int_equal(limit_sessions(limit, 5, 0), 3);
	assert_int_equal(limit_deadline(limit, 0), ND_MIN(10));
	assert_int_equal(limit_sessions(limit, 5, ND_MIN(10)), 4);
	assert_int_equal(limit_sessions(limit, 5, ND_MIN(20)), 5);
	assert_int_equal(limit_deadline(limit, ND_MIN(20)), ND_NEVER);
	(void)limit_crowded(limit, 1, 5, 0, ND_MIN(20));
	assert_int_equal(limit_sessions(limit, 5, ND_MIN(20)), 1);
	limit_free(limit);
}

static void
accounts_of_one_mailbox_do_not_end_each_others_crowd(void **state)
{
	struct limit *limit = fresh();

	(void)state;
	(void)limit_crowded(limit, 4, 5, 0, 0);
	assert_int_equal(limit_sessions(limit, 2, 0), 2); /* the other account has fewer in any case */
	assert_int_equal(limit_sessions(limit, 5, 0), 3);
	(void)limit_crowded(limit, 2, 2, 0, ND_MIN(1));
	assert_int_equal(limit_sessions(limit, 2, ND_MIN(1)), 1);
	assert_int_equal(limit_sessions(limit, 5, ND_MIN(1)), 1);
	assert_int_equal(limit_sessions(limit, 2, ND_MIN(21)), 2);
	assert_int_equal(limit_sessions(limit, 5, ND_MIN(21)), 3);
	assert_int_equal(limit_sessions(limit, 5, ND_MIN(41)), 5);
	assert_int_equal(limit_deadline(limit, ND_MIN(41)), ND_NEVER);
	limit_free(limit);
}

static void
a_server_that_wants_fewer_messages_gets_half_and_slowly_more(void **state)
{
	const struct limit_rules none = { 0 };
	struct limit *limit = fresh();

	(void)state;
	for (int i = 0; i < 40; i++)
		assert_true(goes(limit, &none, false, 1, 0));
	limit_hurried(limit, &none, 0);
	assert_int_equal(limit_rate(limit, 0), 20);
	assert_int_equal(limit_ask(limit, &none, false, 1, 0).why, LIMIT_RATE);
	assert_int_equal(how_many(limit, &none, true, ND_SEC(61)), 25);
	assert_true(limit_rate(limit, ND_MIN(3)) > 25);
	assert_int_equal(limit_rate(limit, ND_HOUR(1)), 0);
	limit_free(limit);
}

static void
it_is_known_when_all_will_have_gone(void **state)
{
	const struct limit_rules rules = { .minute = 30, .rcpts = 1000 };
	struct limit *limit = fresh();

	(void)state;
	assert_int_equal(limit_through(limit, &rules, 0, 77), 77);
	assert_int_equal(limit_through(limit, &rules, 15, 77), 77);
	assert_int_equal(limit_through(limit, &rules, 412, 0), 27 * ND_MIN(1));
	assert_int_equal(limit_through(limit, &rules, 3000, 0), 2 * ND_DAY(1));
	assert_true(limit_through(limit, &rules, UINT64_MAX, 0) > ND_DAY(1000));
	limit_free(limit);
}

/* -- a property: no span of time ever has more than allowed -- */

#define MAILS 20000u

struct world {
	struct limit *limit;
	struct limit_rules rules;
	struct { /* mails that began their data */
		nd_ms when;
		unsigned rcpts, reader;
	} mail[MAILS];
	unsigned mail_count;
	struct { /* under way */
		bool busy, severe;
		unsigned rcpts, reader;
		nd_ms ends;
	} going[6];
	char *disk, *writing;
	nd_ms written, now; /* now: the time that passes in truth */
	nd_ms uptime_from;  /* what CLOCK_BOOTTIME began at */
	nd_ms leap;         /* of the wall clock */
	unsigned boot;
	uint32_t dice;
};

static uint32_t
roll(struct world *world, uint32_t below)
{
	world->dice ^= world->dice << 13;
	world->dice ^= world->dice >> 17;
	world->dice ^= world->dice << 5;
	return world->dice % below;
}

static struct nd_now
clock_of(const struct world *world)
{
	return (struct nd_now){ world->now - world->uptime_from, INT64_C(1700000000000) + world->now + world->leap };
}

static const char *
reader_name(unsigned n)
{
	static const char *const names[] = { "a@x", "b@x", "c@x" };

	return names[n];
}

static const char *
boot_name(struct world *world, char *out)
{
	(void)snprintf(out, 16, "boot-%u", world->boot);
	return out;
}

static void
keep(struct world *world, unsigned rcpts)
{
	char boot[16];

	if (world->writing && world->now >= world->written) {
		const bool well = roll(world, 10) > 0;

		limit_saved(world->limit, well);
		if (well) {
			free(world->disk);
			world->disk = world->writing;
		} else {
			free(world->writing);
		}
		world->writing = NULL;
	}
	if (world->writing || !limit_wants(world->limit, &world->rules, rcpts, false, clock_of(world).ms))
		return;
	world->writing = record_of(world->limit, &world->rules, rcpts, false, boot_name(world, boot), clock_of(world));
	world->written = world->now + roll(world, 300);
}

static void
start(struct world *world)
{
	char boot[16];

	world->limit = limit_new("a at b");
	read_record(world->limit, world->disk, boot_name(world, boot), clock_of(world));
}

/* Killed in the middle of whatever it was doing; perhaps the host with it, perhaps the commit was on disk already. */
static void
crash(struct world *world)
{
	if (world->writing && roll(world, 2)) {
		free(world->disk);
		world->disk = world->writing;
	} else {
		free(world->writing);
	}
	world->writing = NULL;
	memset(world->going, 0, sizeof(world->going));
	limit_free(world->limit);
	if (roll(world, 3) == 0) {
		world->boot++;
		world->now += ND_SEC(roll(world, 200));
		world->uptime_from = world->now;
		if (roll(world, 2))
			world->leap -= ND_MIN(roll(world, 3000)); /* a clock that stood still, or went back */
	}
	start(world);
}

static void
end_mails(struct world *world)
{
	for (unsigned i = 0; i < 6; i++) {
		if (!world->going[i].busy || world->going[i].ends > world->now)
			continue;
		limit_rcpt_end(world->limit, reader_name(world->going[i].reader), true, clock_of(world).ms);
		limit_end(world->limit, world->going[i].severe, world->going[i].rcpts, true, clock_of(world).ms);
		world->going[i].busy = false;
	}
}

static void
try_mail(struct world *world, unsigned slot)
{
	const bool severe = roll(world, 4) == 0;
	const unsigned rcpts = 1 + roll(world, 5), reader = roll(world, 3);
	const nd_ms now = clock_of(world).ms;
	struct limit_word word;

	keep(world, rcpts);
	word = limit_ask(world->limit, &world->rules, severe, rcpts, now);
	if (word.why != LIMIT_GO || limit_rcpt_when(world->limit, &world->rules, reader_name(reader), now) > now ||
	    world->mail_count == MAILS)
		return;
	limit_begin(world->limit, severe, word.rcpts);
	limit_rcpt_begin(world->limit, reader_name(reader), now);
	world->going[slot].busy = true;
	world->going[slot].severe = severe;
	world->going[slot].rcpts = word.rcpts;
	world->going[slot].reader = reader;
	/* Its data begins at some time between now and its end. */
	world->going[slot].ends = world->now + roll(world, 90000);
	world->mail[world->mail_count].when = world->now;
	world->mail[world->mail_count].rcpts = word.rcpts;
	world->mail[world->mail_count++].reader = reader;
}

/* While it runs, either way. */
static void
leap(struct world *world)
{
	world->leap += ND_MIN(roll(world, 20000)) - ND_DAY(7);
	limit_leapt(world->limit);
	do {
		keep(world, 1);
		world->written = world->now;
	} while (world->limit->leapt || world->writing);
}

static void
check_span(const struct world *world, nd_ms span, bool by_rcpts, int reader, uint64_t most)
{
	uint64_t sum = 0;
	unsigned from = 0;

	for (unsigned i = 0; i < world->mail_count; i++) {
		sum += reader >= 0 ? world->mail[i].reader == (unsigned)reader : by_rcpts ? world->mail[i].rcpts : 1;
		for (; world->mail[i].when - world->mail[from].when > span; from++)
			sum -= reader >= 0 ? world->mail[from].reader == (unsigned)reader
			       : by_rcpts  ? world->mail[from].rcpts
					   : 1;
		assert_true(sum <= most);
	}
}

static void
live(uint32_t seed, struct limit_rules rules, unsigned crashes)
{
	struct world *world = nd_xalloc(sizeof(*world));

	world->dice = seed;
	world->rules = rules;
	start(world);
	while (world->now < ND_DAY(3) && world->mail_count < MAILS) {
		/* Bursts, and hours of quiet. */
		world->now += roll(world, 200) == 0 ? ND_MIN(roll(world, 200)) : roll(world, 4000);
		end_mails(world);
		for (unsigned i = 0; i < 6; i++)
			if (!world->going[i].busy)
				try_mail(world, i);
		if (crashes > 0 && roll(world, crashes) == 0)
			crash(world);
		if (roll(world, 5000) == 0)
			leap(world);
	}
	assert_true(world->mail_count > 20);
	check_span(world, ND_MIN(1), false, -1, rules.minute);
	check_span(world, ND_DAY(1), false, -1, rules.day);
	check_span(world, ND_DAY(1), true, -1, rules.rcpts);
	for (int i = 0; i < 3; i++)
		check_span(world, ND_HOUR(1), false, i, rules.rcpt);
	limit_free(world->limit);
	free(world->disk);
	free(world->writing);
	free(world);
}

static void
no_minute_hour_or_day_ever_has_more_than_allowed(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 4; seed++) {
		live(seed * 7919, (struct limit_rules){ 30, 2000, 4000, 200 }, 0);
		live(seed * 104729, (struct limit_rules){ 30, 1000, 1500, 1000 }, 400);
		live(seed * 1299709, (struct limit_rules){ 8, 120, 500, 40 }, 100);
		live(seed * 15485863, (struct limit_rules){ 3, 1000, 2000, 25 }, 150);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_of_the_minute_is_kept_for_severe_jobs),
		cmocka_unit_test(what_is_left_is_told_by_each_rule),
		cmocka_unit_test(the_time_of_more_room_is_that_of_limit_ask),
		cmocka_unit_test(of_the_readers_hours_the_least_is_told_and_one_with_room_lets_it_go),
		cmocka_unit_test(a_slower_pace_that_the_server_asked_for_is_the_limit),
		cmocka_unit_test(severe_jobs_that_take_more_than_their_half_leave_less_to_the_others),
		cmocka_unit_test(one_a_minute_is_for_everybody),
		cmocka_unit_test(a_mail_counts_for_as_long_as_it_takes_and_a_minute_more),
		cmocka_unit_test(a_mail_that_was_not_begun_is_not_counted),
		cmocka_unit_test(the_day_slides_and_what_is_left_of_it_is_used),
		cmocka_unit_test(one_reader_does_not_get_more_in_an_hour_than_allowed),
		cmocka_unit_test(what_is_put_off_for_a_reader_stands_in_line),
		cmocka_unit_test(more_readers_than_are_known_one_by_one_share_an_hour),
		cmocka_unit_test(nothing_goes_before_a_lease_is_on_disk),
		cmocka_unit_test(a_lease_is_renewed_each_day_and_none_is_used_that_is_old),
		cmocka_unit_test(without_limits_nothing_is_asked_of_the_disk),
		cmocka_unit_test(a_crash_costs_a_lease_and_a_clean_end_costs_nothing),
		cmocka_unit_test(after_a_reboot_a_wall_clock_that_went_back_frees_nothing),
		cmocka_unit_test(a_record_that_makes_no_sense_is_told),
		cmocka_unit_test(refused_logins_wait_twice_as_long_each_time),
		cmocka_unit_test(a_crowd_shrinks_and_grows_back_one_by_one),
		cmocka_unit_test(accounts_of_one_mailbox_do_not_end_each_others_crowd),
		cmocka_unit_test(a_server_that_wants_fewer_messages_gets_half_and_slowly_more),
		cmocka_unit_test(it_is_known_when_all_will_have_gone),
		cmocka_unit_test(no_minute_hour_or_day_ever_has_more_than_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
