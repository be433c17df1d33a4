/* SPDX-License-Identifier: Apache-2.0 */
/* test_pool.c - how many sessions, which one, which to close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/conf_inner.h"
#include "daemon/core/pool.h"

#include <stdio.h>

static void
sessions_are_opened_by_need_and_not_beyond_the_limit(void **state)
{
	struct pool pool = { 0 };

	(void)state;
	pool_limit(&pool, 2, 1, POOL_MAILS);
	assert_false(pool_needs(&pool, 0, 0));
	assert_true(pool_needs(&pool, 1, 0));
	(void)pool_add(&pool, 1, 0);
	assert_false(pool_needs(&pool, 1, 0)); /* one is on its way for the one job */
	assert_true(pool_needs(&pool, 2, 0));
	(void)pool_add(&pool, 2, 0);
	assert_false(pool_needs(&pool, 50, 0));
	pool_done(&pool);
}

static void
the_session_used_last_is_used_again(void **state)
{
	struct pool pool = { 0 };
	struct pool_session *a, *b;

	(void)state;
	pool_limit(&pool, 3, 1, POOL_MAILS);
	a = pool_add(&pool, 1, 0);
	b = pool_add(&pool, 2, 0);
	assert_null(pool_idle(&pool));
	pool_enter(&pool, a, POOL_IDLE_SESSION, 100);
	pool_enter(&pool, b, POOL_IDLE_SESSION, 50);
	assert_ptr_equal(pool_idle(&pool), a);
	pool_done(&pool);
}

/* Dead is what was found so, and those that have been idle for as long; not one that has taken a mail since. */
static void
a_session_found_dead_takes_those_with_it_that_are_idle_for_longer(void **state)
{
	struct pool pool = { 0 };
	struct pool_session *dead, *older, *newer;

	(void)state;
	pool_limit(&pool, 3, 1, POOL_MAILS);
	dead = pool_add(&pool, 1, 0);
	older = pool_add(&pool, 2, 0);
	newer = pool_add(&pool, 3, 0);
	pool_enter(&pool, older, POOL_IDLE_SESSION, 50);
	pool_enter(&pool, dead, POOL_IDLE_SESSION, 100);
	pool_give(&pool, dead, NULL, 10000);
	pool_enter(&pool, newer, POOL_IDLE_SESSION, 15000);
	pool_died(&pool, dead);
	assert_ptr_equal(pool_stale(&pool, false, 20000), older);
	pool_enter(&pool, older, POOL_CLOSING, 20000);
	assert_null(pool_stale(&pool, false, 20000));
	assert_ptr_equal(pool_idle(&pool), newer);
	pool_done(&pool);
}

static void
a_warm_pool_keeps_one_session_and_renews_it(void **state)
{
	struct pool pool = { .warm = true };
	struct pool_session *a, *b;

	(void)state;
	pool_limit(&pool, 3, 1, POOL_MAILS);
	assert_true(pool_needs(&pool, 0, 1000));
	a = pool_add(&pool, 1, 1000);
	assert_false(pool_needs(&pool, 0, 1000));
	pool_enter(&pool, a, POOL_IDLE_SESSION, 1000);
	b = pool_add(&pool, 2, 2000);
	pool_enter(&pool, b, POOL_IDLE_SESSION, 2000);
	assert_ptr_equal(pool_stale(&pool, false, 1000 + POOL_IDLE), a); /* one is enough */
	pool_remove(&pool, a);
	assert_null(pool_stale(&pool, false, 2000 + POOL_AGE - 1));
	assert_int_equal(pool_deadline(&pool, 2000 + POOL_IDLE), 2000 + POOL_AGE);
	assert_ptr_equal(pool_stale(&pool, false, 2000 + POOL_AGE), b);
	pool_remove(&pool, b);
	assert_true(pool_needs(&pool, 0, 2000 + POOL_AGE));
	pool_done(&pool);
}

/* High Volume Email refuses a session whose token has run out (535 5.7.143). */
static void
no_session_outlives_the_token_it_signed_in_with(void **state)
{
	struct sched_job jobs[2];
	struct pool pool = { 0 };
	struct pool_session *idle, *busy;

	(void)state;
	pool_limit(&pool, 2, 2, POOL_MAILS);
	idle = pool_add(&pool, 1, 1000);
	busy = pool_add(&pool, 2, 1000);
	pool_enter(&pool, idle, POOL_IDLE_SESSION, ND_MIN(4));
	pool_give(&pool, busy, &jobs[0], ND_MIN(4));
	busy->room = true;
	assert_int_equal(
	    pool_deadline(&pool, ND_MIN(4)), ND_MIN(4) + POOL_IDLE); /* of a token whose end is not known */
	assert_null(pool_stale(&pool, false, ND_MIN(4)));
	pool_expires(idle, ND_MIN(5), ND_SEC(30));
	pool_expires(busy, ND_MIN(5), ND_SEC(30));
	assert_int_equal(
	    pool_deadline(&pool, ND_MIN(4)), ND_MIN(5) - ND_SEC(30)); /* it is not kept till it is asked for */
	assert_null(pool_stale(&pool, false, ND_MIN(5) - ND_SEC(30) - 1));
	assert_ptr_equal(pool_roomy(&pool, 2, ND_MIN(5) - ND_SEC(30) - 1), busy);
	assert_ptr_equal(pool_stale(&pool, false, ND_MIN(5) - ND_SEC(30)), idle);
	assert_null(pool_roomy(&pool, 2, ND_MIN(5) - ND_SEC(30))); /* nor beside what is under way */
	pool_done(&pool);
}

static void
a_short_token_still_has_a_session_that_can_be_used(void **state)
{
	struct pool pool = { 0 };
	struct pool_session *session;

	(void)state;
	pool_limit(&pool, 1, 1, POOL_MAILS);
	session = pool_add(&pool, 1, ND_SEC(100));
	pool_enter(&pool, session, POOL_IDLE_SESSION, ND_SEC(101));
	pool_expires(session, ND_SEC(110), ND_MIN(1));
	assert_null(pool_stale(&pool, false, ND_SEC(105) - 1));
	assert_ptr_equal(pool_stale(&pool, false, ND_SEC(105)), session);
	pool_done(&pool);
}

static void
a_server_that_cuts_idle_sessions_gets_one_a_minute(void **state)
{
	struct pool pool = { .warm = true };

	(void)state;
	pool_limit(&pool, 3, 1, POOL_MAILS);
	pool_remove(&pool, pool_add(&pool, 1, 1000));
	assert_false(pool_needs(&pool, 0, 1000 + POOL_WARM - 1));
	assert_int_equal(pool_deadline(&pool, 1000), 1000 + POOL_WARM);
	assert_true(pool_needs(&pool, 1, 1001)); /* a job does not wait for that */
	assert_true(pool_needs(&pool, 0, 1000 + POOL_WARM));
	pool.warm = false;
	assert_int_equal(pool_deadline(&pool, 1000), ND_NEVER);
	pool_done(&pool);
}

static void
sessions_retire_by_idle_time_age_and_count(void **state)
{
	struct pool pool = { 0 };
	struct pool_session *a;

	(void)state;
	pool_limit(&pool, 1, 1, POOL_MAILS);
	a = pool_add(&pool, 1, 0);
	pool_enter(&pool, a, POOL_IDLE_SESSION, 1000);
	assert_null(pool_stale(&pool, false, 1000 + POOL_IDLE - 1));
	assert_ptr_equal(pool_stale(&pool, false, 1000 + POOL_IDLE), a);
	assert_int_equal(pool_deadline(&pool, 1000), 1000 + POOL_IDLE);
	pool_enter(&pool, a, POOL_BUSY, 2000);
	assert_null(pool_stale(&pool, true, POOL_AGE * 2)); /* never in the middle of a mail */
	pool_enter(&pool, a, POOL_IDLE_SESSION, POOL_AGE);
	assert_ptr_equal(pool_stale(&pool, false, POOL_AGE), a);
	pool_enter(&pool, a, POOL_IDLE_SESSION, 100);
	a->mails = POOL_MAILS;
	assert_ptr_equal(pool_stale(&pool, false, 100), a);
	pool_done(&pool);
}

static void
a_session_retires_when_its_server_takes_no_more_mails(void **state)
{
	struct pool pool = { 0 };
	struct pool_session *a;

	(void)state;
	pool_limit(&pool, 1, 1, POOL_MAILS);
	a = pool_add(&pool, 1, 0);
	a->mails_max = 3;
	pool_enter(&pool, a, POOL_IDLE_SESSION, 100);
	a->mails = 2;
	assert_null(pool_stale(&pool, false, 100));
	a->mails = 3;
	assert_ptr_equal(pool_stale(&pool, false, 100), a);
	a->mails_max = POOL_MAILS + 1; /* it takes more than we give to any */
	assert_null(pool_stale(&pool, false, 100));
	a->mails = POOL_MAILS;
	assert_ptr_equal(pool_stale(&pool, false, 100), a);
	/* Nor beside others: two were told of, one is under way. */
	pool_limit(&pool, 1, 8, POOL_MAILS);
	a->mails = 2;
	a->mails_max = 4;
	pool_give(&pool, a, NULL, 100);
	a->room = true;
	assert_ptr_equal(pool_roomy(&pool, 8, 100), a);
	a->mails_max = 3;
	assert_null(pool_roomy(&pool, 8, 100));
	pool_done(&pool);
}

static void
after_a_refused_connection_it_waits(void **state)
{
	struct pool pool = { 0 };

	(void)state;
	pool_limit(&pool, 2, 1, POOL_MAILS);
	pool.open_after = 500;
	assert_false(pool_needs(&pool, 5, 499));
	assert_int_equal(pool_deadline(&pool, 499), 500);
	assert_true(pool_needs(&pool, 5, 500));
	pool_done(&pool);
}

static void
old_sessions_end_as_soon_as_they_are_idle(void **state)
{
	struct pool pool = { 0 };
	struct pool_session *idle, *busy;

	(void)state;
	pool_limit(&pool, 3, 1, POOL_MAILS);
	idle = pool_add(&pool, 1, 0);
	busy = pool_add(&pool, 2, 0);
	pool_enter(&pool, idle, POOL_IDLE_SESSION, 0);
	pool_enter(&pool, busy, POOL_BUSY, 0);
	assert_null(pool_stale(&pool, false, 1));
	pool_age(&pool);
	assert_ptr_equal(pool_stale(&pool, false, 1), idle);
	pool_remove(&pool, idle);
	assert_null(pool_stale(&pool, false, 1));
	pool_enter(&pool, busy, POOL_IDLE_SESSION, 2);
	assert_ptr_equal(pool_stale(&pool, false, 2), busy);
	pool_done(&pool);
}

static void
another_mail_goes_to_the_busy_session_with_the_fewest(void **state)
{
	struct sched_job jobs[4];
	struct pool pool = { 0 };
	struct pool_session *a, *b;

	(void)state;
	pool_limit(&pool, 2, 3, POOL_MAILS);
	assert_int_equal(pool.mails, 3 * POOL_MAILS);
	a = pool_add(&pool, 1, 0);
	b = pool_add(&pool, 2, 0);
	pool_give(&pool, a, &jobs[0], 0);
	pool_give(&pool, b, &jobs[1], 0);
	assert_int_equal(pool.count[POOL_BUSY], 2);
	assert_null(pool_roomy(&pool, 3, 0)); /* no driver has said so yet */
	a->room = b->room = true;
	pool_give(&pool, b, &jobs[2], 0);
	assert_false(b->room);
	b->room = true;
	assert_ptr_equal(pool_roomy(&pool, 3, 0), a);
	a->room = false;
	assert_ptr_equal(pool_roomy(&pool, 3, 0), b);
	assert_null(pool_roomy(&pool, 2, 0));
	b->mails = pool.mails - 2; /* with those under way it has had its share */
	assert_null(pool_roomy(&pool, 3, 0));
	b->mails = 0;
	assert_null(pool_roomy(&pool, 3, POOL_AGE));
	pool_take(b, 0);
	assert_int_equal(b->job_count, 1);
	assert_ptr_equal(b->jobs[0], &jobs[2]);
	b->room = true;
	pool_take(b, 0); /* its last outcome is told, but it is not ready: RSET, QUIT */
	assert_null(pool_roomy(&pool, 3, 0));
	pool_done(&pool);
}

static bool
takes(struct pool_session *session, const char *const *rcpts)
{
	struct smtp_mail mail = { .rcpts = (const char **)(uintptr_t)rcpts };

	while (rcpts[mail.rcpt_count])
		mail.rcpt_count++;
	return pool_domains(session, &mail);
}

static void
a_session_takes_no_more_domains_than_its_server_in_all_its_mails(void **state)
{
	static const char *const one[] = { "a@one.example", NULL }, *const again[] = { "b@One.example", NULL },
				 *const two[] = { "a@two.example", "a@one.example", NULL },
				 *const more[] = { "c@two.example", "a@three.example", NULL };
	struct pool_session session = { .domains_max = 2 };

	(void)state;
	assert_true(takes(&session, one));
	assert_true(takes(&session, again));
	assert_int_equal(session.domain_count, 1);
	assert_true(takes(&session, two));
	assert_false(takes(&session, more));
	assert_false(takes(&session, more));
	assert_true(takes(&session, two));
	session = (struct pool_session){ .domains_max = 1 };
	assert_true(takes(&session, two)); /* unused: the server says what it takes of them */
	assert_false(takes(&session, more));
}

static void
a_session_whose_server_takes_many_domains_ends_when_its_own_list_is_full(void **state)
{
	struct pool_session session = { .domains_max = 1000 };
	char address[32];
	const char *const rcpts[] = { address, NULL };

	(void)state;
	for (unsigned n = 0; n < POOL_DOMAINS; n++) {
		(void)snprintf(address, sizeof(address), "a@d%u.example", n);
		assert_true(takes(&session, rcpts));
	}
	assert_true(takes(&session, rcpts));
	(void)snprintf(address, sizeof(address), "a@other.example");
	assert_false(takes(&session, rcpts));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_mail_goes_to_the_busy_session_with_the_fewest),
		cmocka_unit_test(sessions_are_opened_by_need_and_not_beyond_the_limit),
		cmocka_unit_test(the_session_used_last_is_used_again),
		cmocka_unit_test(a_session_found_dead_takes_those_with_it_that_are_idle_for_longer),
		cmocka_unit_test(a_warm_pool_keeps_one_session_and_renews_it),
		cmocka_unit_test(no_session_outlives_the_token_it_signed_in_with),
		cmocka_unit_test(a_short_token_still_has_a_session_that_can_be_used),
		cmocka_unit_test(a_server_that_cuts_idle_sessions_gets_one_a_minute),
		cmocka_unit_test(sessions_retire_by_idle_time_age_and_count),
		cmocka_unit_test(a_session_retires_when_its_server_takes_no_more_mails),
		cmocka_unit_test(a_session_takes_no_more_domains_than_its_server_in_all_its_mails),
		cmocka_unit_test(a_session_whose_server_takes_many_domains_ends_when_its_own_list_is_full),
		cmocka_unit_test(after_a_refused_connection_it_waits),
		cmocka_unit_test(old_sessions_end_as_soon_as_they_are_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
