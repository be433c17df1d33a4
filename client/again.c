/* SPDX-License-Identifier: Apache-2.0 */
/* again.c - is a submission that failed worth another try, and after which pause?  Layer: client.  Pure. */
#include "client/again.h"

#include <errno.h>

#define PATIENCE ND_SEC(10)
#define PATIENCE_REFUSED ND_SEC(3)
#define FIRST_PAUSE 100
#define LONGEST_PAUSE 2000

/* How long this failure is worth trying again; 0: it is not. */
static nd_ms
patience(enum nd_err err, const struct nd_why *why, const struct link_reply *reply)
{
	if (err == ND_OK)
		return reply->status == 503 ? PATIENCE : 0;
	if (err == ND_ECLOSED)
		return PATIENCE;
	/* No socket at all, or no right to it: waiting mends neither. */
	return err == ND_ECONNECT && why->sys_errno == ECONNREFUSED ? PATIENCE_REFUSED : 0;
}

nd_ms
again_pause(struct again *again, nd_ms now, enum nd_err err, const struct nd_why *why, const struct link_reply *reply)
{
	const nd_ms wished = ND_SEC(reply->retry_after);
	nd_ms span = patience(err, why, reply), pause;

	if (span == 0)
		return 0;
	if (again->pause == 0)
		again->since = now;
	again->lost = again->lost || err == ND_ECLOSED;
	again->pause = again->pause == 0 ? FIRST_PAUSE : 2 * again->pause;
	pause = wished > again->pause ? wished : again->pause;
	if (pause > LONGEST_PAUSE)
		pause = LONGEST_PAUSE;
	if (again->lost)
		span = PATIENCE;
	return now + pause - again->since > span ? 0 : pause;
}
