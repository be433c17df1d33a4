/* SPDX-License-Identifier: Apache-2.0 */
/* test_events.c - tests of the record of what happened lately. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/job.h"
#include "daemon/core/events.h"
#include "daemon/core/health.h"

#include <stdio.h>
#include <string.h>

#define BOOT 0xfeedu
#define ID "01JD7Z2V8N4K6M9Q3R5T7W1X0Y"
#define TIME ((nd_unix)1795248000000)

static const struct access_peer boss = { .uid = 0, .operator_right = true };
static const struct access_peer alice = { .uid = 1000 };
static const struct access_peer service = { .uid = 61200, .unit = "smartd.service" };

static void
add_job(struct events *events, uint32_t uid, const char *unit, enum job_state state, const char *reason)
{
	const struct events_item item = { .time = TIME,
		.kind = EVENTS_JOB,
		.state = (uint8_t)state,
		.uid = uid,
		.unit = unit,
		.job = ID,
		.account = "m365",
		.reason = reason };

	events_add(events, &item);
}

static void
fill(struct events *events, unsigned count)
{
	char reason[32];

	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(reason, sizeof(reason), "r%llu", (unsigned long long)events_last(events) + 1);
		add_job(events, 1000, NULL, JOB_QUEUED, reason);
	}
}

static void
events_are_numbered_from_one_and_come_back_as_they_were(void **state)
{
	struct events *events = events_new(BOOT);
	struct events_item item;

	(void)state;
	assert_false(events_get(events, 0, &item));
	assert_false(events_get(events, 1, &item));
	assert_int_equal(events_first(events), 1);
	assert_int_equal(events_last(events), 0);
	add_job(events, 61200, "smartd.service", JOB_HELD, "no account");
	add_job(events, 1000, "cron.service", JOB_DELIVERED, NULL);
	assert_true(events_get(events, 1, &item));
	assert_int_equal(item.n, 1);
	assert_int_equal(item.time, TIME);
	assert_int_equal(item.kind, EVENTS_JOB);
	assert_int_equal(item.state, JOB_HELD);
	assert_int_equal(item.uid, 61200);
	assert_string_equal(item.unit, "smartd.service");
	assert_string_equal(item.job, ID);
	assert_string_equal(item.account, "m365");
	assert_string_equal(item.reason, "no account");
	assert_true(events_get(events, 2, &item));
	assert_null(item.unit); /* its uid is proof enough */
	assert_null(item.reason);
	assert_false(events_get(events, 3, &item));
	events_free(events);
}

static void
the_newest_65536_are_kept_in_six_megabytes(void **state)
{
	struct events *events = events_new(BOOT);
	struct events_item item;
	char reason[32];

	(void)state;
	assert_in_range(events_memory(events), 1, 8192);
	fill(events, 3 * EVENTS_MAX + 100);
	assert_int_equal(events_last(events), 3 * EVENTS_MAX + 100);
	assert_in_range(events_last(events) - events_first(events) + 1, EVENTS_MAX, EVENTS_MAX + 256);
	assert_in_range(events_memory(events), 1000000, 6000000);
	for (uint64_t n = events_first(events); n <= events_last(events); n++) {
		assert_true(events_get(events, n, &item));
		(void)snprintf(reason, sizeof(reason), "r%llu", (unsigned long long)n);
		assert_string_equal(item.reason, reason);
	}
	assert_false(events_get(events, events_first(events) - 1, &item));
	events_free(events);
}

static void
long_reasons_are_cut_and_never_cost_more_memory(void **state)
{
	struct events *events = events_new(BOOT);
	struct events_item item;
	char reason[1000];

	(void)state;
	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	memcpy(reason + EVENTS_REASON - 1, "\xc3\xa9", 2); /* cut before it, not within */
	for (unsigned i = 0; i < EVENTS_MAX; i++)
		add_job(events, 61200, "smartd.service", JOB_FAILED, reason);
	assert_in_range(events_memory(events), 4000000, 6000000);
	assert_in_range(events_last(events) - events_first(events), 15000, EVENTS_MAX - 1);
	assert_true(events_get(events, events_first(events), &item));
	assert_int_equal(strlen(item.reason), EVENTS_REASON - 1);
	assert_string_equal(item.unit, "smartd.service");
	events_free(events);
}

static void
a_reader_goes_on_behind_the_event_it_names(void **state)
{
	struct events *events = events_new(BOOT);
	struct nd_why why;
	uint64_t n = 7;
	bool gap = true;

	(void)state;
	fill(events, 10);
	assert_int_equal(events_since(events, NULL, &n, &gap, &why), ND_OK);
	assert_int_equal(n, 10); /* from now on */
	assert_false(gap);
	assert_int_equal(events_since(events, "000000000000feed:4", &n, &gap, &why), ND_OK);
	assert_int_equal(n, 4);
	assert_false(gap);
	assert_int_equal(events_since(events, "000000000000feed:10", &n, &gap, &why), ND_OK);
	assert_int_equal(n, 10);
	assert_false(gap);
	assert_int_equal(events_since(events, "000000000000feed:0", &n, &gap, &why), ND_OK);
	assert_int_equal(n, 0);
	assert_false(gap);
	events_free(events);
}

static void
a_reader_of_another_start_or_of_long_ago_is_told_of_a_gap(void **state)
{
	static const char *const lost[] = { "000000000000beef:4", "000000000000feed:4", "000000000000fee:70000",
		"000000000000feed:200000", "0:0" };
	struct events *events = events_new(BOOT);
	struct nd_why why;
	uint64_t n;
	bool gap;

	(void)state;
	fill(events, EVENTS_MAX + 1000);
	for (unsigned i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		assert_int_equal(events_since(events, lost[i], &n, &gap, &why), ND_OK);
		assert_true(gap);
		assert_int_equal(n, events_first(events) - 1);
	}
	events_free(events);
}

static void
a_since_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = { "", "7", ":7", "000000000000feed:", "000000000000feed:x",
		"000000000000feed:-1", "2h" };
	struct events *events = events_new(BOOT);
	struct nd_why why;
	uint64_t n;
	bool gap;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(events_since(events, bad[i], &n, &gap, &why), ND_EINVALID);
		assert_string_equal(why.field, "since");
	}
	events_free(events);
}

static void
submitters_see_their_own_jobs_and_nothing_else(void **state)
{
	const struct events_item own = { .kind = EVENTS_JOB, .uid = 1000, .job = ID };
	const struct events_item tried = { .kind = EVENTS_ATTEMPT, .uid = 1000, .job = ID };
	const struct events_item other = { .kind = EVENTS_JOB, .uid = 1001, .job = ID };
	const struct events_item unit = { .kind = EVENTS_JOB, .uid = 61200, .unit = "smartd.service", .job = ID };
	const struct events_item neighbour = { .kind = EVENTS_JOB, .uid = 61200, .unit = "x.service", .job = ID };
	const struct events_item account = { .kind = EVENTS_ACCOUNT, .uid = 1000, .account = "m365" };
	const struct events_filter of_alice = { .peer = &alice }, of_service = { .peer = &service },
				   of_boss = { .peer = &boss };

	(void)state;
	assert_true(events_wanted(&of_alice, &own));
	assert_true(events_wanted(&of_alice, &tried));
	assert_false(events_wanted(&of_alice, &other));
	assert_false(events_wanted(&of_alice, &account));
	assert_true(events_wanted(&of_service, &unit));
	assert_false(events_wanted(&of_service, &neighbour));
	assert_true(events_wanted(&of_boss, &other));
	assert_true(events_wanted(&of_boss, &neighbour));
	assert_true(events_wanted(&of_boss, &account));
}

static void
filters_choose_by_job_and_by_type(void **state)
{
	const struct events_item held = { .kind = EVENTS_JOB, .state = JOB_HELD, .job = ID };
	const struct events_item tried = { .kind = EVENTS_ATTEMPT, .job = ID };
	const struct events_item account = { .kind = EVENTS_ACCOUNT, .account = "m365" };
	struct events_filter filter = { .peer = &boss };

	(void)state;
	memcpy(filter.job, "7W1X0Y", 7);
	assert_true(events_wanted(&filter, &held));
	assert_false(events_wanted(&filter, &account));
	memcpy(filter.job, "7W1X0Z", 7);
	assert_false(events_wanted(&filter, &held));
	filter.job[0] = '\0';
	filter.types = "job.held, account.state";
	assert_true(events_wanted(&filter, &held));
	assert_false(events_wanted(&filter, &tried));
	assert_true(events_wanted(&filter, &account));
	filter.types = "job.*";
	assert_true(events_wanted(&filter, &held));
	assert_true(events_wanted(&filter, &tried));
	assert_false(events_wanted(&filter, &account));
}

static void
types_that_nothing_has_are_refused(void **state)
{
	struct nd_why why;

	(void)state;
	assert_int_equal(events_types("job.delivered,job.attempt", &why), ND_OK);
	assert_int_equal(events_types("*.state,config.*,token.refreshed,job.merged", &why), ND_OK);
	assert_int_equal(events_types("job.deliverd", &why), ND_EINVALID);
	assert_string_equal(why.field, "type");
	assert_int_equal(events_types("job.held,a.very.long.name.that.no.event.will.ever.have", &why), ND_EINVALID);
	/* An empty variable of a script does not mean all of them, nor none for ever. */
	assert_int_equal(events_types("", &why), ND_EINVALID);
	assert_int_equal(events_types(" ,", &why), ND_EINVALID);
	assert_string_equal(why.field, "type");
}

static void
assert_written(const struct events *events, const struct events_item *item, const char *line)
{
	struct nd_buf out;

	nd_buf_init(&out, 4096);
	events_write(events, item, &out);
	assert_string_equal(nd_buf_text(&out), line);
	nd_buf_done(&out);
}

static void
an_event_is_one_line_of_json(void **state)
{
	const struct events_item tried = { .n = 7,
		.time = TIME,
		.kind = EVENTS_ATTEMPT,
		.state = JOB_QUEUED,
		.uid = 1000,
		.job = ID,
		.account = "m365",
		.reason = "451 4.3.0 \"later\"" };
	const struct events_item account = { .n = 8, .kind = EVENTS_ACCOUNT, .state = HEALTH_HELD, .account = "m365" };
	const struct events_item gap = { .n = 9, .time = TIME, .kind = EVENTS_GAP };
	struct events *events = events_new(BOOT);

	(void)state;
	assert_written(events, &tried,
	    "{\"n\":7,\"boot\":\"000000000000feed\",\"time\":\"2026-11-21T08:00:00.000Z\",\"event\":\"job.attempt\","
	    "\"job\":\"" ID "\",\"account\":\"m365\",\"state\":\"queued\",\"reason\":\"451 4.3.0 \\\"later\\\"\"}\n");
	assert_written(events, &account,
	    "{\"n\":8,\"boot\":\"000000000000feed\",\"event\":\"account.state\",\"account\":\"m365\",\"state\":"
	    "\"held\"}\n");
	assert_written(events, &gap,
	    "{\"n\":9,\"boot\":\"000000000000feed\",\"time\":\"2026-11-21T08:00:00.000Z\",\"event\":\"gap\"}\n");
	events_free(events);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_numbered_from_one_and_come_back_as_they_were),
		cmocka_unit_test(the_newest_65536_are_kept_in_six_megabytes),
		cmocka_unit_test(long_reasons_are_cut_and_never_cost_more_memory),
		cmocka_unit_test(a_reader_goes_on_behind_the_event_it_names),
		cmocka_unit_test(a_reader_of_another_start_or_of_long_ago_is_told_of_a_gap),
		cmocka_unit_test(a_since_that_is_none_is_refused),
		cmocka_unit_test(submitters_see_their_own_jobs_and_nothing_else),
		cmocka_unit_test(filters_choose_by_job_and_by_type),
		cmocka_unit_test(types_that_nothing_has_are_refused),
		cmocka_unit_test(an_event_is_one_line_of_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
