/* SPDX-License-Identifier: Apache-2.0 */
/* ending.c - jobs will come to the end of their time within a day: when to say so.  Layer: core. */
#include "daemon/core/ending.h"

#include "common/stamp.h"

#define PATIENCE ND_MIN(15) /* a few probes */
#define WELL ND_HOUR(1)
#define AGAIN ND_DAY(1)

static bool
in_trouble(const struct ending_fact *fact, nd_unix now)
{
	if (fact->since == 0 || fact->held)
		return fact->since != 0;
	if (fact->quiet || (fact->state == HEALTH_PACED && fact->through <= fact->first))
		return false;
	return fact->state == HEALTH_HELD || fact->state == HEALTH_PAUSED || now - fact->since >= PATIENCE;
}

bool
ending_look(struct ending *ending, const struct ending_fact *fact, nd_unix now)
{
	const bool trouble = in_trouble(fact, now);

	ending->count = trouble ? fact->count : 0;
	ending->first = fact->first;
	ending->readers = fact->state == HEALTH_OK && !fact->held && !fact->stopped;
	ending->stopped = fact->stopped;
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

bool
ending_near(nd_unix from, nd_unix end, nd_unix now)
{
	return now - from >= PATIENCE && now - from >= end - now;
}

nd_ms
ending_ahead(nd_ms age)
{
	return age / 2 < ENDING_AHEAD ? age / 2 : ENDING_AHEAD;
}

bool
ending_digest_look(struct ending_digest *digest, nd_unix now)
{
	if (digest->told > now) /* the clock went back */
		digest->told = 0;
	if (digest->count == 0 || (digest->told != 0 && now - digest->told < AGAIN))
		return false;
	digest->told = now;
	return true;
}

void
ending_digest_words(const struct ending_digest *digest, struct nd_buf *out)
{
	const unsigned long long held = digest->held, rest = digest->count - digest->held;
	char first[ND_STAMP_SIZE];

	nd_buf_addf(out, "%llu job%s end%s within 24 hours, the first at %s: ", held + rest,
	    held + rest == 1 ? "" : "s", held + rest == 1 ? "s" : "", nd_stamp_rfc3339(digest->first, first));
	if (held > 0)
		nd_buf_addf(out, "%llu %s held%s", held, held == 1 ? "is" : "are", rest > 0 ? ", " : "");
	if (rest > 0)
		nd_buf_addf(out, "%llu %s put off again and again", rest, rest == 1 ? "was" : "were");
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

	nd_buf_addf(out, "%llu job%s of account %s end%s within 24 hours, the first at %s, and ",
	    (unsigned long long)ending->count, ending->count == 1 ? "" : "s", account, ending->count == 1 ? "s" : "",
	    nd_stamp_rfc3339(ending->first, first));
	if (ending->stopped)
		(void)nd_buf_adds(out, ending->stopped);
	else
		nd_buf_addf(out, "the account is %s%s%s", health_state_name(health->state),
		    health->reason[0] ? ": " : "", health->reason);
	if (ending->readers)
		(void)nd_buf_adds(out, ": messages_per_recipient_hour lets some of them wait");
}
