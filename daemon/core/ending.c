/* SPDX-License-Identifier: Apache-2.0 */
/* ending.c - jobs of an account in trouble will come to the end of their time within a day: when to say so.  Layer: core. */
#include "daemon/core/ending.h"

#include "common/stamp.h"

#define PATIENCE ND_MIN(15) /* a few probes */
#define WELL ND_HOUR(1)
#define AGAIN ND_DAY(1)

static bool
in_trouble(const struct ending_fact *fact, nd_unix now)
{
	if (fact->since == 0 || fact->quiet)
		return false;
	return fact->held || fact->state == HEALTH_HELD || fact->state == HEALTH_PAUSED ||
	       now - fact->since >= PATIENCE;
}

bool
ending_look(struct ending *ending, const struct ending_fact *fact, nd_unix now)
{
	const bool trouble = in_trouble(fact, now);

	ending->count = trouble ? fact->count : 0;
	ending->first = fact->first;
	if (ending->told > now) /* the clock went back */
		ending->told = 0;
	if (fact->since != 0)
		ending->well = 0;
	else if (ending->well == 0 || ending->well > now)
		ending->well = now;
	else if (now - ending->well >= WELL)
		ending->told = 0;
	if (ending->count == 0 || (ending->told != 0 && now - ending->told < AGAIN))
		return false;
	ending->told = now;
	return true;
}

void
ending_refused(struct ending *ending, nd_unix told)
{
	if (ending->told == told)
		ending->told = 0;
}

void
ending_words(const struct ending *ending, const char *account, const struct health *health, struct nd_buf *out)
{
	char first[ND_STAMP_SIZE];

	nd_buf_addf(out, "%llu job%s of account %s end%s within 24 hours, the first at %s, and the account is %s%s%s",
	    (unsigned long long)ending->count, ending->count == 1 ? "" : "s", account, ending->count == 1 ? "s" : "",
	    nd_stamp_rfc3339(ending->first, first), health_state_name(health->state), health->reason[0] ? ": " : "",
	    health->reason);
}
