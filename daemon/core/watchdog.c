/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog.c - does the daemon still get on?  Layer: core.  Pure. */
#include "daemon/core/watchdog.h"

bool
watchdog_well(struct watchdog *watchdog, const struct watchdog_facts *facts, nd_ms now)
{
	bool waits = facts->asked != facts->answered;
	bool moved = facts->answered != watchdog->answered;
	bool waited = watchdog->waited;

	watchdog->answered = facts->answered;
	watchdog->waited = waits;
	if (facts->busy_since != 0)
		return now - facts->busy_since < WATCHDOG_CALL;
	return !waits || moved || !waited;
}
