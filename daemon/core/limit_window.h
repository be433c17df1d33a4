/* SPDX-License-Identifier: Apache-2.0 */
/* limit_window.h - how often something happened in the last minute, hour, day.  Layer: core.  Pure.
 *
 * Slots of equal width, one more than the span holds: what is added is counted for the whole span at least, and for one slot more at most. Times are
 * CLOCK_BOOTTIME.
 */
#ifndef ND_CORE_LIMIT_WINDOW_H
#define ND_CORE_LIMIT_WINDOW_H

#include "common/clock.h"
#include "common/json.h"

#include <stdint.h>

struct limit_window {
	nd_ms width;     /* of a slot */
	unsigned slots;  /* how many */
	uint32_t *count; /* owned; slot n is at n % slots */
	int64_t newest;  /* number of the newest slot */
	uint64_t total;
};

void limit_window_init(struct limit_window *window, nd_ms span, nd_ms width);
void limit_window_done(struct limit_window *window);
/* n more at `when`, which is not after now. */
void limit_window_add(struct limit_window *window, uint32_t n, nd_ms when, nd_ms now);
uint64_t limit_window_sum(struct limit_window *window, nd_ms now);
/* When the sum has sunk to `most`: now, or later. */
nd_ms limit_window_when(struct limit_window *window, uint64_t most, nd_ms now);
/* As an array: for each slot in use how long ago it ended, in ms, and its count. */
void limit_window_write(struct limit_window *window, const char *key, nd_ms now, struct json_out *out);
/* Adds what was written at `then`. */
void limit_window_read(struct limit_window *window, const struct json_node *array, nd_ms then, nd_ms now);

#endif
