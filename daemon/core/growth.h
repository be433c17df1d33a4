/* SPDX-License-Identifier: Apache-2.0 */
/* growth.h - how many sessions a server bears, learned from what came of those there were.  Layer: core.  Pure.
 *
 * As Postfix's queue manager does it: N sessions become N + 1 when N mails were taken, and N - 1 when one could not be opened, was cut off or told to
 * leave (421); what a server says itself of too many sessions is limit_crowded's. Whoever is not known begins with a few; one that took a mail lately, and has not failed lately, gets all at once.
 */
#ifndef ND_CORE_GROWTH_H
#define ND_CORE_GROWTH_H

#include "common/clock.h"

#include <stdbool.h>

#define GROWTH_FIRST 5u
#define GROWTH_MEMORY ND_HOUR(1)

struct growth {           /* zeroed: nothing is known */
	unsigned allowed; /* sessions; 0 nothing was asked yet */
	unsigned taken;   /* mails since that changed */
	bool well, rough; /* a mail was taken; a session failed; at: */
	nd_ms took, failed;
};
/* max: more there never are. */
void growth_took(struct growth *growth, unsigned max, nd_ms now);
void growth_failed(struct growth *growth, unsigned max, nd_ms now);
/* So many, of `max`, 1 or more. idle: there is none now. */
unsigned growth_allowed(struct growth *growth, unsigned max, bool idle, nd_ms now);

#endif
