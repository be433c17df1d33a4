/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the two kinds of time.  Layer: common, base.
 *
 * nd_ms    milliseconds of CLOCK_BOOTTIME: deadlines and waits. It goes on while the host is suspended.
 * nd_unix  milliseconds since 1970-01-01 UTC: what is stored and shown. It may step.
 * Neither is read here: the loop reads both clocks and passes them in.
 */
#ifndef ND_COMMON_CLOCK_H
#define ND_COMMON_CLOCK_H

#include <stdint.h>

typedef int64_t nd_ms;
typedef int64_t nd_unix;

#define ND_NEVER INT64_MAX
#define ND_SEC(n) ((nd_ms)(n)*1000)
#define ND_MIN(n) ((nd_ms)(n)*60 * 1000)
#define ND_HOUR(n) ((nd_ms)(n)*3600 * 1000)
#define ND_DAY(n) ((nd_ms)(n)*86400 * 1000)

/* Both clocks, read at the same moment: one turn of the loop, one `struct nd_now`. */
struct nd_now {
	nd_ms ms;
	nd_unix unix_ms;
};

#endif
