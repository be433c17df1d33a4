/* SPDX-License-Identifier: Apache-2.0 */
/* test_filter.c - tests of the parameters of a list and of what is done to many jobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/filter.h"

#include <stdio.h>
#include <string.h>

#define NOW INT64_C(1770000000000)

static struct store_filter filter;
static struct nd_why why;

static int
tear_down(void **state)
{
	(void)state;
	filter_done(&filter);
	memset(&filter, 0, sizeof(filter));
	return 0;
}

static enum nd_err
take(const char *name, const char *value)
{
	why = (struct nd_why){ .err = ND_OK };
	return filter_take(&filter, name, value, NOW, &why);
}

static void
a_list_without_a_name_does_not_mean_all(void **state)
{
	static const char *const lists[] = { "state", "severity", "account", "source", "key" };
	static const char *const empty[] = { "", ",", " , ,", "\t" };
	char hint[64];

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (size_t k = 0; k < sizeof(empty) / sizeof(empty[0]); k++) {
			assert_int_equal(take(lists[i], empty[k]), ND_EINVALID);
			assert_string_equal(why.field, lists[i]);
			(void)snprintf(hint, sizeof(hint), "leave %s out to mean all jobs", lists[i]);
			assert_string_equal(nd_why_hint(&why), hint);
		}
	assert_int_equal(take("since", ""), ND_EINVALID);
	assert_int_equal(take("id", ""), ND_EINVALID);
	assert_int_equal(take("cursor", ""), ND_EINVALID);
}

static void
names_are_taken_with_commas_between(void **state)
{
	(void)state;
	assert_int_equal(take("state", "held,,Failed,"), ND_OK);
	assert_int_equal(filter.states, 1u << JOB_HELD | 1u << JOB_FAILED);
	assert_int_equal(take("severity", "info"), ND_OK);
	assert_int_equal(filter.severities, 1u << JOB_INFO);
	assert_int_equal(take("account", "a,b"), ND_OK);
	assert_string_equal(filter.account, "a,b");
	assert_int_equal(take("source", "smartd"), ND_OK);
	assert_int_equal(take("key", "disk"), ND_OK);
	assert_string_equal(filter.source, "smartd");
	assert_string_equal(filter.key, "disk");
	assert_int_equal(take("state", "held,lost"), ND_EINVALID);
	assert_non_null(strstr(why.text, "state=lost"));
	assert_int_equal(take("severity", "a-name-that-is-longer-than-any-of-them"), ND_EINVALID);
}

static void
a_time_or_a_span_says_since_when(void **state)
{
	(void)state;
	assert_int_equal(take("since", "2h"), ND_OK);
	assert_int_equal(filter.since, NOW - ND_HOUR(2));
	assert_int_equal(take("since", "1970-01-01T00:00:01Z"), ND_OK);
	assert_int_equal(filter.since, 1000);
	assert_int_equal(take("since", "yesterday"), ND_EINVALID);
	assert_string_equal(why.field, "since");
}

static void
ids_and_other_parameters(void **state)
{
	(void)state;
	assert_int_equal(take("id", "abc123"), ND_OK);
	assert_string_equal(filter.tail, "ABC123");
	assert_int_equal(take("id", "bc123"), ND_EINVALID);
	assert_int_equal(take("cursor", "01K00000000000000000000000"), ND_OK);
	assert_string_equal(filter.before, "01K00000000000000000000000");
	assert_int_equal(take("cursor", "abc123"), ND_EINVALID);
	assert_int_equal(take("limit", "much"), ND_OK);
}

/* The store calls them all queued. */
static void
what_is_sent_is_told_from_what_is_queued(void **state)
{
	static const char sent[][ND_ULID_LEN + 1] = { "01K00000000000000000000001", "01K00000000000000000000003" };
	static const struct {
		const char *list;
		bool sent, queued, held;
	} rows[] = {
		{ "sending", true, false, false },
		{ "queued", false, true, false },
		{ "queued,sending", true, true, false },
		{ "sending,held", true, false, true },
		{ "held", false, false, true },
	};
	const struct queue_job jobs[] = { { .id = "01K00000000000000000000003", .state = JOB_QUEUED },
		{ .id = "01K00000000000000000000002", .state = JOB_QUEUED },
		{ .id = "01K00000000000000000000001", .state = JOB_HELD } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		filter = (struct store_filter){ .sending = NULL };
		assert_int_equal(take("state", rows[i].list), ND_OK);
		filter.sending = sent;
		filter.sending_count = 2;
		assert_int_equal(queue_fits(&jobs[0], &filter), rows[i].sent);
		assert_int_equal(queue_fits(&jobs[1], &filter), rows[i].queued);
		assert_int_equal(queue_fits(&jobs[2], &filter), rows[i].held);
	}
	filter = (struct store_filter){ .sending = NULL };
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_list_without_a_name_does_not_mean_all, tear_down),
		cmocka_unit_test_teardown(names_are_taken_with_commas_between, tear_down),
		cmocka_unit_test_teardown(a_time_or_a_span_says_since_when, tear_down),
		cmocka_unit_test_teardown(ids_and_other_parameters, tear_down),
		cmocka_unit_test_teardown(what_is_sent_is_told_from_what_is_queued, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
