/* SPDX-License-Identifier: Apache-2.0 */
/* test_quota.c - tests of how much one submitter may hand over, by numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/quota.h"

#include <stdio.h>
#include <string.h>

static const struct access_peer web = { .uid = 33, .unit = "web.service" };
static const struct access_peer mail = { .uid = 33, .unit = "mail.service" };
static const struct access_peer operator= { .uid = 33, .unit = "web.service", .operator_right = true };
static struct conf conf;
static struct quota *quota;

static int
set_up(void **state)
{
	(void)state;
	conf =
	    (struct conf){ .quota_jobs = { .minute = 6000 }, .quota_bytes = 1000, .quota_recipients = { .day = 500 } };
	quota = quota_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	quota_free(quota);
	return 0;
}

/* Of a job that is in the queue at once. */
static enum nd_err
ask(const struct quota_ask *what, nd_ms now)
{
	struct nd_why why;
	enum nd_err err = quota_take(quota, &conf, what, now, &why);

	if (err == ND_OK)
		quota_over(quota, &conf, what, true);
	return err;
}

/* How many of `tries` jobs are taken at once. */
static unsigned
taken(const struct access_peer *peer, bool severe, unsigned tries, nd_ms now)
{
	const struct quota_ask what = { .peer = peer, .octets = 1, .severe = severe };
	unsigned i, count = 0;

	for (i = 0; i < tries; i++)
		count += ask(&what, now) == ND_OK;
	return count;
}

static void
a_burst_is_taken_and_then_the_rate(void **state)
{
	(void)state;
	assert_int_equal(taken(&web, false, 30000, 5000), 20000);
	assert_int_equal(taken(&web, false, 10, 5009), 0);
	assert_int_equal(taken(&web, false, 10, 5010), 1); /* 6000 a minute: one every 10 ms */
	assert_int_equal(taken(&web, false, 1000, 6010), 100);
	assert_int_equal(taken(&web, false, 30000, 5000 + ND_MIN(10)), 20000);
}

static void
every_submitter_has_a_quota_of_its_own(void **state)
{
	const struct access_peer other = { .uid = 34, .unit = "web.service" };

	(void)state;
	assert_int_equal(taken(&web, false, 30000, 0), 20000);
	assert_int_equal(taken(&mail, false, 30000, 0), 20000);
	assert_int_equal(taken(&other, false, 30000, 0), 20000);
	assert_int_equal(quota_count(quota), 3);
}

static void
what_is_severe_has_a_quarter_more(void **state)
{
	(void)state;
	assert_int_equal(taken(&web, false, 30000, 0), 20000);
	assert_int_equal(taken(&web, true, 30000, 0), 5000);
	assert_int_equal(taken(&web, false, 10, ND_SEC(50)), 0); /* first the reserve is there again */
	assert_int_equal(taken(&web, false, 10, ND_SEC(50) + 10), 1);
}

static void
operators_have_no_quota(void **state)
{
	(void)state;
	assert_int_equal(taken(&operator, false, 30000, 0), 30000);
	assert_int_equal(quota_count(quota), 0);
}

static void
without_a_rate_there_is_no_limit(void **state)
{
	const struct quota_ask large = { .peer = &web, .octets = 1u << 30, .foreign = 1000 };

	(void)state;
	conf = (struct conf){ .quota_bytes = 0 };
	assert_int_equal(taken(&web, false, 50000, 0), 50000);
	assert_int_equal(ask(&large, 0), ND_OK);
}

static void
the_octets_in_the_queue_are_bounded(void **state)
{
	struct quota_ask what = { .peer = &web, .octets = 400, .queued = 600 };
	struct nd_why why;

	(void)state;
	assert_int_equal(ask(&what, 0), ND_OK);
	what.queued = 601;
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_EOVERQUOTA);
	assert_string_equal(why.field, "quota_bytes");
	assert_non_null(strstr(why.text, "uid 33 in web.service has 601 octets"));
	assert_int_equal(why.retry_after, 60);
	what.severe = true;
	what.queued = 850;
	assert_int_equal(ask(&what, 0), ND_OK);
	what.queued = 851;
	assert_int_equal(ask(&what, 0), ND_EOVERQUOTA);
	what.queued = UINT64_MAX;
	assert_int_equal(ask(&what, 0), ND_EOVERQUOTA);
}

static void
octets_on_their_way_into_the_queue_count(void **state)
{
	struct quota_ask what = { .peer = &web, .octets = 400 }, other = { .peer = &mail, .octets = 400 };
	struct nd_why why;

	(void)state;
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_OK);
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_OK);
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_EOVERQUOTA);
	assert_string_equal(why.field, "quota_bytes");
	assert_non_null(strstr(why.text, "has 800 octets"));
	assert_int_equal(quota_take(quota, &conf, &other, 0, &why), ND_OK);
	/* One is in the queue, the other came to nothing. */
	quota_over(quota, &conf, &what, true);
	what.queued = 400;
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_EOVERQUOTA);
	quota_over(quota, &conf, &what, false);
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_OK);
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_EOVERQUOTA);
	/* Never more than was taken, and none of an operator's. */
	quota_over(quota, &conf, &what, true);
	quota_over(quota, &conf, &what, true);
	what.peer = &operator;
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_OK);
	what.peer = &web;
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_OK);
	what.peer = &operator;
	quota_over(quota, &conf, &what, true);
	what.peer = &web;
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_EOVERQUOTA);
	what.queued = UINT64_MAX;
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_EOVERQUOTA);
}

static void
foreign_recipients_are_counted_one_by_one(void **state)
{
	struct quota_ask what = { .peer = &web, .foreign = 499 };
	struct nd_why why;

	(void)state;
	assert_int_equal(ask(&what, 0), ND_OK);
	what.foreign = 2;
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_EOVERQUOTA);
	assert_string_equal(why.field, "quota_recipients");
	assert_non_null(strstr(why.text, "500/day"));
	assert_non_null(strstr(why.hint, "try again in 2m"));
	assert_int_equal(why.retry_after, 173); /* a five hundredth of a day, rounded up */
	what.foreign = 0;
	assert_int_equal(ask(&what, 0), ND_OK);
	what.foreign = 1;
	assert_int_equal(ask(&what, 0), ND_OK);
	assert_int_equal(ask(&what, 0), ND_EOVERQUOTA);
	assert_int_equal(ask(&what, ND_DAY(1) / 500), ND_OK);
	assert_int_equal(ask(&what, ND_DAY(1) / 500), ND_EOVERQUOTA);
}

static void
a_refused_job_does_not_count(void **state)
{
	struct quota_ask what = { .peer = &web, .octets = 1, .foreign = 499 };

	(void)state;
	conf.quota_jobs = (struct conf_rate){ .hour = 3 };
	assert_int_equal(ask(&what, 0), ND_OK);
	what.foreign = 2;
	assert_int_equal(ask(&what, 0), ND_EOVERQUOTA);
	assert_int_equal(ask(&what, 0), ND_EOVERQUOTA);
	assert_int_equal(ask(&what, 0), ND_EOVERQUOTA);
	what.foreign = 1;
	assert_int_equal(ask(&what, 0), ND_OK);
	what.foreign = 0;
	assert_int_equal(ask(&what, 0), ND_OK);
	assert_int_equal(ask(&what, 0), ND_EOVERQUOTA);
}

static void
a_job_that_never_fits_is_refused_for_good(void **state)
{
	struct quota_ask what = { .peer = &web, .foreign = 501 };
	struct nd_why why = { .err = ND_OK };

	(void)state;
	for (nd_ms now = 0; now <= ND_DAY(2); now += ND_DAY(1)) {
		assert_int_equal(quota_take(quota, &conf, &what, now, &why), ND_ETOOBIG);
		assert_int_equal(nd_err_http(why.err), 413);
		assert_string_equal(why.field, "quota_recipients");
		assert_non_null(strstr(why.text, "500/day never has room for more than 500"));
		assert_string_equal(why.hint, "split it, or raise [access] quota_recipients");
		assert_int_equal(why.retry_after, 0);
	}
	what.severe = true; /* the reserve */
	assert_int_equal(ask(&what, ND_DAY(2)), ND_OK);
	what.foreign = 626;
	assert_int_equal(ask(&what, ND_DAY(9)), ND_ETOOBIG);
	what = (struct quota_ask){ .peer = &web, .octets = 1001 };
	why = (struct nd_why){ .err = ND_OK };
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_ETOOBIG);
	assert_string_equal(why.field, "quota_bytes");
	assert_int_equal(why.retry_after, 0);
	what.octets = 1000;
	assert_int_equal(ask(&what, ND_DAY(9)), ND_OK);
}

static void
what_is_given_back_can_be_taken_again(void **state)
{
	struct quota_ask what = { .peer = &web, .foreign = 500 };

	(void)state;
	conf.quota_jobs = (struct conf_rate){ .minute = 30, .hour = 1 };
	assert_int_equal(ask(&what, 0), ND_OK);
	assert_int_equal(ask(&what, 0), ND_EOVERQUOTA);
	quota_over(quota, &conf, &what, false);
	assert_int_equal(ask(&what, 0), ND_OK);
	/* Never more than was taken; of nobody else; of one that is not known. */
	quota_over(quota, &conf, &what, false);
	quota_over(quota, &conf, &what, false);
	what.peer = &mail;
	quota_over(quota, &conf, &what, false);
	assert_int_equal(quota_count(quota), 1);
	what.peer = &web;
	assert_int_equal(ask(&what, 0), ND_OK);
	assert_int_equal(ask(&what, 0), ND_EOVERQUOTA);
}

static void
the_slowest_of_several_rates_says_when_to_come_again(void **state)
{
	const struct quota_ask what = { .peer = &web };
	struct nd_why why;

	(void)state;
	conf.quota_jobs = (struct conf_rate){ .minute = 3, .day = 10 };
	assert_int_equal(taken(&web, false, 20, 0), 10);
	assert_int_equal(quota_take(quota, &conf, &what, 0, &why), ND_EOVERQUOTA);
	assert_non_null(strstr(why.text, "10/day"));
	assert_non_null(strstr(why.hint, "2h24m"));
	assert_int_equal(why.retry_after, 8641);
	/* Whoever comes then, and not a second sooner, is let in. */
	assert_int_equal(ask(&what, ND_SEC(8639)), ND_EOVERQUOTA);
	assert_int_equal(ask(&what, ND_SEC(8641)), ND_OK);
	assert_int_equal(nd_err_http(why.err), 429);
}

static void
who_has_been_silent_longest_is_forgotten(void **state)
{
	struct access_peer peer = web;

	(void)state;
	conf.quota_jobs = (struct conf_rate){ .day = 1 };
	for (unsigned i = 0; i < QUOTA_SUBMITTERS; i++) {
		peer.uid = 1000 + i;
		assert_int_equal(taken(&peer, false, 2, i), 1);
	}
	peer.uid = 1000;
	assert_int_equal(taken(&peer, false, 1, 2000), 0); /* heard of again */
	peer.uid = 1;
	assert_int_equal(taken(&peer, false, 2, 2001), 1); /* in the place of 1001 */
	assert_int_equal(quota_count(quota), QUOTA_SUBMITTERS);
	peer.uid = 1000;
	assert_int_equal(taken(&peer, false, 1, 2002), 0);
	peer.uid = 1001;
	assert_int_equal(taken(&peer, false, 1, 2003), 1);
}

static void
a_long_silence_and_a_large_rate_do_not_overflow(void **state)
{
	(void)state;
	conf.quota_jobs = (struct conf_rate){ .minute = 1000000000, .hour = 1000000000, .day = 1000000000 };
	assert_int_equal(taken(&web, false, 10, 0), 10);
	assert_int_equal(taken(&web, false, 10, INT64_MAX / 2), 10);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_burst_is_taken_and_then_the_rate),
		TEST(every_submitter_has_a_quota_of_its_own),
		TEST(what_is_severe_has_a_quarter_more),
		TEST(operators_have_no_quota),
		TEST(without_a_rate_there_is_no_limit),
		TEST(the_octets_in_the_queue_are_bounded),
		TEST(octets_on_their_way_into_the_queue_count),
		TEST(foreign_recipients_are_counted_one_by_one),
		TEST(a_refused_job_does_not_count),
		TEST(a_job_that_never_fits_is_refused_for_good),
		TEST(what_is_given_back_can_be_taken_again),
		TEST(the_slowest_of_several_rates_says_when_to_come_again),
		TEST(who_has_been_silent_longest_is_forgotten),
		TEST(a_long_silence_and_a_large_rate_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
