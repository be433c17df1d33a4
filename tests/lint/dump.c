/* SPDX-License-Identifier: Apache-2.0 */
/* dump.c - prints the names that people use, one a line, from the tables the programs read.  For docs.sh. */
#include "common/api.h"
#include "common/job.h"
#include "daemon/core/conf.h"
#include "daemon/core/stats.h"

#include <stdio.h>

static void
keys(void)
{
	struct conf_key_info key;

	for (unsigned n = 0; conf_key_nth(n, &key); n++)
		printf("%s %s.%s\n", key.later ? "later" : "key", key.section, key.name);
}

int
main(void)
{
	keys();
	for (unsigned n = 0; n < API_ROUTE_COUNT; n++)
		printf("route %s %s\n", api_routes[n].method, api_routes[n].path);
	for (unsigned n = 1; n < ND_ERR_COUNT; n++)
		printf("problem %s\n", nd_err_name((enum nd_err)n));
	for (unsigned n = 0; job_field_names()[n]; n++)
		printf("field %s\n", job_field_names()[n]);
	for (unsigned n = 0; n < JOB_STATE_COUNT; n++)
		printf("state %s\n", job_state_name((enum job_state)n));
	for (unsigned n = 0; n < RCPT_STATE_COUNT; n++)
		printf("rcpt-state %s\n", job_rcpt_state_name((enum rcpt_state)n));
	for (unsigned n = 0; n < JOB_SEVERITY_COUNT; n++)
		printf("severity %s\n", job_severity_name((enum job_severity)n));
	for (unsigned n = 0; n < STATS_COUNT; n++)
		printf("metric %s\n", stats_word((enum stats_name)n));
	return 0;
}
