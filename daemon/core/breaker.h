/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.h - does mail go to an account, or past it to the next one?  Layer: core.  Pure machine.
 *
 *   CLOSED ──in trouble for longer than it may──► OPEN (its jobs move, new ones go elsewhere)
 *   OPEN   ──it can be used again──► HALF (one new job; after each delivery twice as many) ──BREAKER_ROOM──► CLOSED
 *   HALF   ──trouble──► OPEN
 *
 * Trouble that ends and comes back before a mail was delivered, or before it was well for as long as it may be in trouble, is the same trouble.
 */
#ifndef ND_CORE_BREAKER_H
#define ND_CORE_BREAKER_H

#include "common/clock.h"

#include <stdbool.h>

#define BREAKER_ROOM 32u        /* when so many may go at a time it is as before */
#define BREAKER_AGAIN ND_MIN(1) /* jobs that were given to it and of which nothing was heard: another one after this */

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF };

/* Zeroed: closed. */
struct breaker {
	enum breaker_state state;
	bool trouble; /* since `since` */
	bool well;    /* since `well_since`, after trouble */
	nd_ms since, well_since;
	unsigned room, left; /* HALF: so many may go to it between two deliveries; not given yet */
	nd_ms given;         /* when the last one was */
};

/* Told often. after: how long it may be in trouble; 0: for ever, also when it is open by now. */
void breaker_look(struct breaker *breaker, bool usable, nd_ms after, nd_ms now);
void breaker_delivered(struct breaker *breaker);
/* May another job go to it? Then it counts as given. OPEN: one a minute, as its probe. */
bool breaker_take(struct breaker *breaker, nd_ms now);
nd_ms breaker_deadline(
    const struct breaker *breaker, nd_ms after); /* when it opens, unless it is well before; ND_NEVER */

#endif
