/* SPDX-License-Identifier: Apache-2.0 */
/* growth.c - how many sessions a server bears.  Layer: core. */
#include "daemon/core/growth.h"

#include <limits.h>

void
growth_took(struct growth *growth, unsigned max, nd_ms now)
{
	growth->well = true;
	growth->took = now;
	if (growth->allowed >= max || ++growth->taken < growth->allowed)
		return;
	growth->allowed++;
	growth->taken = 0;
}

void
growth_failed(struct growth *growth, unsigned max, nd_ms now)
{
	const unsigned were = growth->allowed < max ? growth->allowed : max;

	growth->rough = true;
	growth->failed = now;
	growth->allowed = were > 1 ? were - 1 : 1;
	growth->taken = 0;
}

unsigned
growth_allowed(struct growth *growth, unsigned max, bool idle, nd_ms now)
{
	if (growth->rough && now - growth->failed >= GROWTH_MEMORY)
		growth->rough = false;
	if (growth->allowed == 0 || (idle && !growth->rough))
		growth->allowed = growth->well && now - growth->took < GROWTH_MEMORY ? UINT_MAX : GROWTH_FIRST;
	return growth->allowed < max ? growth->allowed : max;
}
