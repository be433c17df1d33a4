/* SPDX-License-Identifier: Apache-2.0 */
/* refusals.h - the same final refusal again and again is a fault of the account, not of the messages.  Layer: core.  Pure.
 *
 * Counted are jobs that failed one after another, without a delivery between, by the same code and enhanced code. What speaks of one
 * reader's address or of one message's size is not: five mails to a wrong address say nothing about the account. Refusals of
 * recipients count when each was another one; of the same one only those that speak of a policy (5.7.x), and, but for 5.1.x, while the account has
 * delivered nothing at all. Once the account is held, all that failed alike are queued again, counted or not. Kept in memory only: after a restart counting begins anew.
 */
#ifndef ND_CORE_REFUSALS_H
#define ND_CORE_REFUSALS_H

#include "common/clock.h"
#include "common/ulid.h"
#include "daemon/core/smtp_reply.h"

#include <stdbool.h>
#include <stdint.h>

#define REFUSALS_MANY 5u              /* this one is the account's */
#define REFUSALS_OTHERS 64u           /* that are queued again beside those that were counted */
#define REFUSALS_REACH ND_HOUR(1)     /* jobs that failed by them so long ago are sent again */
#define REFUSALS_WORD "refused-alike" /* why the account is held, and why such a job is queued again */

struct refusals_one {
	char job[ND_ULID_LEN + 1];
	char rcpt[324]; /* "" it was the message that was refused */
};
struct refusals {
	int code; /* 0: none counted */
	char enhanced[12];
	unsigned count;
	bool proven; /* it delivered, with the settings it has */
	bool held;   /* the account is, for them: whatever is refused alike is its fault */
	struct {
		struct refusals_one who;
		nd_unix at;
	} job[REFUSALS_MANY - 1];
	struct { /* failed alike, but of a reader who is counted already: a ring */
		char job[ND_ULID_LEN + 1];
		nd_unix at;
	} other[REFUSALS_OTHERS];
	unsigned others; /* so many were ever noted; the last REFUSALS_OTHERS are here */
	unsigned again;  /* still to be queued again: of the jobs, from the first, and then of the others */
};

/* Does this refusal make it a fault of the account? */
bool refusals_many(const struct refusals *refusals, const struct refusals_one *who, const struct smtp_reply *reply);
/* The job failed by it. */
void refusals_note(
    struct refusals *refusals, const struct refusals_one *who, const struct smtp_reply *reply, nd_unix now);
void refusals_hold(struct refusals *refusals); /* the account is held for them */
/* One after another the jobs to queue again; NULL: no more. */
const char *refusals_again(struct refusals *refusals, nd_unix now);
void refusals_delivered(struct refusals *refusals); /* a mail was */
void refusals_clear(struct refusals *refusals);     /* the account is another one now */

#endif
