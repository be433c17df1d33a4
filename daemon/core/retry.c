/* SPDX-License-Identifier: Apache-2.0 */
/* retry.c - when to try again.  Layer: core. */
#include "daemon/core/retry.h"

#include <stddef.h>

/* Alerts deserve early second tries; after that the pace of RFC 5321 4.5.4.1. */
static const nd_ms job_waits[] = { ND_SEC(10), ND_SEC(30), ND_MIN(1), ND_MIN(2), ND_MIN(5), ND_MIN(10) };
static const nd_ms failing_waits[] = { ND_MIN(1), ND_MIN(2), ND_MIN(4), ND_MIN(8), ND_MIN(15) };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A time from `low` to `high`, both included, by the dice. */
static nd_ms
between(nd_ms low, nd_ms high, uint32_t dice)
{
	return low + (high - low) * (nd_ms)dice / (nd_ms)UINT32_MAX;
}

/* ±20 %. */
static nd_ms
around(nd_ms wait, uint32_t dice)
{
	return between(wait / 5 * 4, wait / 5 * 6, dice);
}

static nd_ms
not_below(nd_ms wait, nd_ms at_least)
{
	return wait > at_least ? wait : at_least;
}

nd_ms
retry_job(unsigned tried, nd_ms at_least, uint32_t dice)
{
	const size_t n = tried > 0 ? tried - 1 : 0;

	if (n >= COUNT(job_waits))
		return not_below(between(ND_MIN(15), ND_MIN(30), dice), at_least);
	return not_below(around(job_waits[n], dice), at_least);
}

nd_ms
retry_failing(unsigned probes, nd_ms at_least, uint32_t dice)
{
	const size_t n = probes > 0 ? probes - 1 : 0;

	return not_below(
	    around(failing_waits[n < COUNT(failing_waits) ? n : COUNT(failing_waits) - 1], dice), at_least);
}

nd_ms
retry_held(nd_ms held_for)
{
	return held_for < ND_HOUR(1) ? ND_MIN(10) : ND_HOUR(1);
}
