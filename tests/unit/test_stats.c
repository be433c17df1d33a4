/* SPDX-License-Identifier: Apache-2.0 */
/* test_stats.c - the text format of Prometheus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/stats.h"

#include <ctype.h>
#include <string.h>

static void
a_metric_is_its_help_its_type_and_its_samples(void **state)
{
	struct nd_buf out;

	(void)state;
	nd_buf_init(&out, 4096);
	stats_begin(STATS_OLDEST, &out);
	stats_sample(STATS_OLDEST, NULL, 17, &out);
	assert_string_equal(nd_buf_text(&out),
	    "# HELP notifyd_oldest_job_seconds How long the oldest queued job has waited; 0 when none does.\n"
	    "# TYPE notifyd_oldest_job_seconds gauge\n"
	    "notifyd_oldest_job_seconds 17\n");
	nd_buf_done(&out);
}

static void
values_of_labels_are_escaped(void **state)
{
	const struct stats_label labels[] = { { "account", "a\"b\\c\nd" }, { "state", "ok" }, { NULL, NULL } };
	struct nd_buf out;

	(void)state;
	nd_buf_init(&out, 4096);
	stats_sample(STATS_ACCOUNTS, labels, -1, &out);
	assert_string_equal(nd_buf_text(&out), "notifyd_accounts{account=\"a\\\"b\\\\c\\nd\",state=\"ok\"} -1\n");
	nd_buf_done(&out);
}

/* The rules of the format: names of letters, digits and _; a counter ends in _total; help of one line. */
static void
every_row_keeps_the_rules_of_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STATS_COUNT; i++) {
		const char *name = stats_word((enum stats_name)i), *total = strstr(name, "_total");
		struct nd_buf out;

		for (const char *c = name; *c != '\0'; c++)
			assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
		nd_buf_init(&out, 4096);
		stats_begin((enum stats_name)i, &out);
		assert_int_equal(strstr(nd_buf_text(&out), " counter\n") != NULL, total != NULL && total[6] == '\0');
		assert_null(strchr(nd_buf_text(&out), '\\'));
		nd_buf_done(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_metric_is_its_help_its_type_and_its_samples),
		cmocka_unit_test(values_of_labels_are_escaped),
		cmocka_unit_test(every_row_keeps_the_rules_of_names),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
