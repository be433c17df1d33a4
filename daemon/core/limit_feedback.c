/* SPDX-License-Identifier: Apache-2.0 */
/* limit_feedback.c - what the server's "too many" changes, for a while.  Layer: core. */
#include "daemon/core/limit.h"

#define LOGIN_WAIT_MAX ND_HOUR(4)
#define CROWD_WAIT_LEAST ND_SEC(10)
#define CROWD_WAIT_MOST ND_SEC(60)
#define CROWD_GROWS ND_MIN(10)
#define RATE_GROWS ND_MIN(1)
#define RATE_FACTOR 4u /* without a rule it is forgotten when it has grown so many times over */

/* -- logins -- */

nd_ms
limit_login_when(struct limit *limit, uint32_t minute, nd_ms now)
{
	nd_ms at = minute > 0 ? limit_window_when(&limit->logins, minute - 1, now) : now;

	return limit->login_after > at ? limit->login_after : at;
}

void
limit_login_begin(struct limit *limit, nd_ms now)
{
	limit_window_add(&limit->logins, 1, now, now);
}

void
limit_login_well(struct limit *limit)
{
	limit->login_refusals = 0;
}

nd_ms
limit_login_refused(struct limit *limit, nd_ms at_least, nd_ms now)
{
	nd_ms wait = at_least;
	uint32_t i;

	for (i = 0; i < limit->login_refusals && wait < LOGIN_WAIT_MAX; i++)
		wait *= 2;
	limit->login_refusals += limit->login_refusals < UINT32_MAX;
	limit->login_after = now + (wait < LOGIN_WAIT_MAX ? wait : LOGIN_WAIT_MAX);
	return limit->login_after;
}

/* -- sessions -- */

nd_ms
limit_crowded(struct limit *limit, unsigned open, unsigned max, uint32_t dice, nd_ms now)
{
	limit->crowd_goal = limit->crowd > 0 && limit->crowd_goal > max ? limit->crowd_goal : max;
	limit->crowd = open > 1 ? open - 1 : 1;
	limit->crowd_grows = now + CROWD_GROWS;
	return CROWD_WAIT_LEAST + (CROWD_WAIT_MOST - CROWD_WAIT_LEAST) * (nd_ms)dice / (nd_ms)UINT32_MAX;
}

unsigned
limit_sessions(struct limit *limit, unsigned max, nd_ms now)
{
	while (limit->crowd > 0 && now >= limit->crowd_grows) {
		limit->crowd_grows += CROWD_GROWS;
		if (++limit->crowd >= limit->crowd_goal)
			limit->crowd = 0;
	}
	max = growth_allowed(&limit->growth, max, limit->open == 0, now);
	/* Nothing ends here because of `max`: another account of the mailbox may have a larger one. */
	return limit->crowd > 0 && limit->crowd < max ? limit->crowd : max;
}

/* -- messages -- */

void
limit_hurried(struct limit *limit, const struct limit_rules *rules, nd_ms now)
{
	const uint64_t sent = limit_window_sum(&limit->minute, now) + limit->going;

	limit->rate = sent > 1 ? (uint32_t)(sent / 2) : 1;
	if (rules->minute > 0 && limit->rate > rules->minute)
		limit->rate = rules->minute;
	limit->rate_goal = rules->minute > 0 ? rules->minute : limit->rate * RATE_FACTOR;
	limit->rate_grows = now + RATE_GROWS;
}

static void
grow_rate(struct limit *limit, nd_ms now)
{
	while (limit->rate > 0 && now >= limit->rate_grows) {
		limit->rate += limit->rate / 4 > 0 ? limit->rate / 4 : 1;
		limit->rate_grows += RATE_GROWS;
		if (limit->rate >= limit->rate_goal)
			limit->rate = 0;
	}
}

nd_ms
limit_deadline(const struct limit *limit, nd_ms now)
{
	nd_ms at = ND_NEVER;

	if (limit->login_after > now)
		at = limit->login_after;
	if (limit->crowd > 0 && limit->crowd_grows > now && limit->crowd_grows < at)
		at = limit->crowd_grows;
	if (limit->rate > 0 && limit->rate_grows > now && limit->rate_grows < at)
		at = limit->rate_grows;
	return at;
}

uint32_t
limit_rate(struct limit *limit, nd_ms now)
{
	grow_rate(limit, now);
	return limit->rate;
}
