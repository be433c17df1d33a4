/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.c - does mail go to an account, or past it to the next one?  Layer: core. */
#include "daemon/core/breaker.h"

static void
half(struct breaker *breaker, nd_ms now)
{
	breaker->state = BREAKER_HALF;
	breaker->trouble = false;
	breaker->room = breaker->left = 1;
	breaker->given = now;
}

static void
look_well(struct breaker *breaker, nd_ms after, nd_ms now)
{
	if (breaker->state == BREAKER_OPEN) {
		half(breaker, now);
	} else if (breaker->trouble && !breaker->well) {
		breaker->well = true;
		breaker->well_since = now;
	} else if (breaker->trouble && now - breaker->well_since >= after) {
		breaker->trouble = false;
	}
}

void
breaker_look(struct breaker *breaker, bool usable, nd_ms after, nd_ms now)
{
	if (after == 0)
		breaker->state = BREAKER_CLOSED;
	if (usable) {
		look_well(breaker, after, now);
		return;
	}
	if (!breaker->trouble)
		breaker->since = now;
	breaker->trouble = true;
	breaker->well = false;
	if (after > 0 && (breaker->state == BREAKER_HALF || now - breaker->since >= after))
		breaker->state = BREAKER_OPEN;
}

void
breaker_delivered(struct breaker *breaker)
{
	if (breaker->state == BREAKER_OPEN)
		return; /* the account is well first */
	breaker->trouble = false;
	if (breaker->state == BREAKER_CLOSED)
		return;
	breaker->room *= 2;
	breaker->left = breaker->room;
	if (breaker->room >= BREAKER_ROOM)
		breaker->state = BREAKER_CLOSED;
}

bool
breaker_take(struct breaker *breaker, nd_ms now)
{
	if (breaker->state == BREAKER_CLOSED)
		return true;
	if (now - breaker->given >= BREAKER_AGAIN)
		breaker->left = breaker->state == BREAKER_HALF ? breaker->room : 1;
	if (breaker->left == 0)
		return false;
	breaker->left--;
	breaker->given = now;
	return true;
}

nd_ms
breaker_deadline(const struct breaker *breaker, nd_ms after)
{
	return breaker->state == BREAKER_CLOSED && breaker->trouble && !breaker->well && after > 0
		   ? breaker->since + after
		   : ND_NEVER;
}
