/* SPDX-License-Identifier: Apache-2.0 */
/* downtime.h - when an account could not be used: the default age of a job does not run then.  Layer: core.  Pure.
 *
 * A list of spans of wall time, oldest first, bounded: when it is full the two that lie nearest are joined, so that it errs towards keeping jobs.
 */
#ifndef ND_CORE_DOWNTIME_H
#define ND_CORE_DOWNTIME_H

#include "common/clock.h"
#include "common/json.h"

#include <stdbool.h>

#define DOWNTIME_SPANS 64u

struct downtime_span {
	nd_unix from, to;
};
struct downtime {
	struct downtime_span span[DOWNTIME_SPANS];
	unsigned count;
	nd_unix since; /* of the present one; 0: the account can be used */
};

void downtime_begin(struct downtime *downtime, nd_unix now); /* again: nothing */
void downtime_end(struct downtime *downtime, nd_unix now);
/* The clock went from `before` to `now` in no time: ahead, what it left out does not count; back, what is known goes back with it. */
void downtime_leap(struct downtime *downtime, nd_unix before, nd_unix now);
/* The latest time T such that the account could be used for `usable` between T and now: jobs accepted by then have had their time. */
nd_unix downtime_cutoff(const struct downtime *downtime, nd_ms usable, nd_unix now);
/* An account that was not there before: nothing from `from` to now counts. */
void downtime_new(struct downtime *downtime, nd_unix from, nd_unix now);
/* When a job whose age runs from `base` will have had its time, if the account can be used from now on. */
nd_unix downtime_over(const struct downtime *downtime, nd_unix base, nd_ms usable, nd_unix now);
/* The job goes from one account to another: from when its age runs there, so that it has as much time left. Never earlier than `base`. */
nd_unix downtime_carry(const struct downtime *from, const struct downtime *to, nd_unix base, nd_unix now);
/* How much of the time between the two it could not be used. */
nd_ms downtime_within(const struct downtime *downtime, nd_unix from, nd_unix to);
/* As a JSON array of [from, to]; reading takes what is well-formed and in order, and joins it before what is there. */
void downtime_write(const struct downtime *downtime, const char *key, nd_unix now, struct json_out *out);
void downtime_read(struct downtime *downtime, const struct json_node *array);

#endif
