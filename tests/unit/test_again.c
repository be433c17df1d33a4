/* SPDX-License-Identifier: Apache-2.0 */
/* test_again.c - is a submission that failed worth another try, and after which pause? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/again.h"

#include <errno.h>

#define START ND_SEC(1000)

static const struct nd_why lost = { .err = ND_ECLOSED }, refused = { .err = ND_ECONNECT, .sys_errno = ECONNREFUSED },
			   absent = { .err = ND_ECONNECT, .sys_errno = ENOENT };
static const struct link_reply nothing, accepted = { .status = 202 }, busy = { .status = 503 },
					later = { .status = 503, .retry_after = 60 };

/* Fails so from `now` on, at once each time: when it is given up. */
static nd_ms
given_up(struct again *again, nd_ms now, const struct nd_why *why)
{
	nd_ms pause;

	while ((pause = again_pause(again, now, why->err, why, &nothing)) > 0)
		now += pause;
	return now;
}

static void
an_answer_stands(void **state)
{
	struct again again = { 0 };

	(void)state;
	assert_int_equal(again_pause(&again, START, ND_OK, NULL, &accepted), 0);
	assert_int_equal(again_pause(&again, START, ND_ECONNECT, &absent, &nothing), 0);
}

static void
time_runs_from_the_first_failure_however_long_the_daemon_was_asked_to_wait(void **state)
{
	struct again again = { 0 };

	(void)state;
	assert_in_range(given_up(&again, START, &lost), START + ND_SEC(8), START + ND_SEC(10));
	again = (struct again){ 0 };
	assert_in_range(given_up(&again, START + ND_SEC(250), &lost), START + ND_SEC(258), START + ND_SEC(260));
}

static void
nobody_who_listens_is_waited_for_a_shorter_while_unless_a_connection_was_lost(void **state)
{
	struct again again = { 0 };

	(void)state;
	assert_in_range(given_up(&again, START, &refused), START + ND_SEC(1), START + ND_SEC(3));
	again = (struct again){ 0 };
	assert_true(again_pause(&again, START, ND_ECLOSED, &lost, &nothing) > 0);
	assert_in_range(given_up(&again, START + 100, &refused), START + ND_SEC(8), START + ND_SEC(10));
}

static void
pauses_grow_up_to_two_seconds_whatever_is_wished(void **state)
{
	static const nd_ms pauses[] = { 100, 200, 400, 800, 1600, 2000, 2000 };
	struct again again = { 0 };
	nd_ms now = START;

	(void)state;
	for (unsigned i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
		assert_int_equal(again_pause(&again, now, ND_OK, NULL, &busy), pauses[i]);
		now += pauses[i];
	}
	again = (struct again){ 0 };
	assert_int_equal(again_pause(&again, START, ND_OK, NULL, &later), 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_stands),
		cmocka_unit_test(time_runs_from_the_first_failure_however_long_the_daemon_was_asked_to_wait),
		cmocka_unit_test(nobody_who_listens_is_waited_for_a_shorter_while_unless_a_connection_was_lost),
		cmocka_unit_test(pauses_grow_up_to_two_seconds_whatever_is_wished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
