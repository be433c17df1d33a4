/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog.h - does the daemon still get on?  Layer: core.  Pure.
 *
 * Asked from the loop, so the loop turns. The storage thread must answer what it was asked, or be inside one call of the system: a
 * slow disk may take long, not for ever.
 */
#ifndef ND_CORE_WATCHDOG_H
#define ND_CORE_WATCHDOG_H

#include "common/clock.h"

#include <stdbool.h>

#define WATCHDOG_CALL ND_MIN(2)

struct watchdog_facts {
	uint64_t asked, answered; /* requests of the storage thread so far */
	nd_ms busy_since;         /* in one call; 0 none */
};
struct watchdog {
	uint64_t answered; /* at the last look */
	bool waited;       /* something was unanswered then */
};
/* Looks; true: all is well, tell it. Unanswered requests have from one look to the next. */
bool watchdog_well(struct watchdog *watchdog, const struct watchdog_facts *facts, nd_ms now);

#endif
