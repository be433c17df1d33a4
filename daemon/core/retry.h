/* SPDX-License-Identifier: Apache-2.0 */
/* retry.h - when to try again.  Layer: core.  Pure.
 *
 * Jobs: 10 s, 30 s, 1, 2, 5, 10 min, then 15 to 30 min; ±20 %. Probes of a failing account: 1, 2, 4, 8, 15 min. Of a held one: every 10 min for
 * an hour, then hourly. `dice` is any random number, passed in.
 */
#ifndef ND_CORE_RETRY_H
#define ND_CORE_RETRY_H

#include "common/clock.h"

#include <stdint.h>

/* The wait before attempt number `tried` + 1 (tried >= 1), never below `at_least` (a Retry-After, a verdict's wait). */
nd_ms retry_job(unsigned tried, nd_ms at_least, uint32_t dice);
/* The wait before the next probe of an account that has failed `probes` times in a row (>= 1). */
nd_ms retry_failing(unsigned probes, nd_ms at_least, uint32_t dice);
/* The wait before the next probe of an account held for so long. */
nd_ms retry_held(nd_ms held_for);

#endif
