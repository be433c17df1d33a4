/* SPDX-License-Identifier: Apache-2.0 */
/* limit_window.c - how often something happened in the last minute, hour, day.  Layer: core. */
#include "daemon/core/limit_window.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

/* The number of the slot of a time; times before the start of the clock are met after a reboot. */
static int64_t
slot_of(const struct limit_window *window, nd_ms when)
{
	return when >= 0 ? when / window->width : -((-when + window->width - 1) / window->width);
}

static uint32_t *
cell(const struct limit_window *window, int64_t slot)
{
	int64_t at = slot % (int64_t)window->slots;

	return &window->count[at >= 0 ? at : at + (int64_t)window->slots];
}

void
limit_window_init(struct limit_window *window, nd_ms span, nd_ms width)
{
	*window = (struct limit_window){ .width = width, .slots = (unsigned)(span / width) + 1 };
	window->count = nd_xalloc(window->slots * sizeof(*window->count));
}

void
limit_window_done(struct limit_window *window)
{
	free(window->count);
	*window = (struct limit_window){ 0 };
}

/* What is older than the span goes. */
static void
advance(struct limit_window *window, nd_ms now)
{
	const int64_t slot = slot_of(window, now);

	if (slot - window->newest >= (int64_t)window->slots) {
		memset(window->count, 0, window->slots * sizeof(*window->count));
		window->total = 0;
		window->newest = slot;
	}
	while (window->newest < slot) {
		window->newest++;
		window->total -= *cell(window, window->newest);
		*cell(window, window->newest) = 0;
	}
}

void
limit_window_add(struct limit_window *window, uint32_t n, nd_ms when, nd_ms now)
{
	int64_t slot = slot_of(window, when);
	uint32_t *count;

	advance(window, now);
	if (slot > window->newest)
		slot = window->newest;
	if (window->newest - slot >= (int64_t)window->slots)
		return;
	count = cell(window, slot);
	n = n < UINT32_MAX - *count ? n : UINT32_MAX - *count;
	*count += n;
	window->total += n;
}

uint64_t
limit_window_sum(struct limit_window *window, nd_ms now)
{
	advance(window, now);
	return window->total;
}

nd_ms
limit_window_when(struct limit_window *window, uint64_t most, nd_ms now)
{
	uint64_t left = limit_window_sum(window, now);
	int64_t slot = window->newest - (int64_t)window->slots + 1;

	if (left <= most)
		return now;
	while (left > most)
		left -= *cell(window, slot++);
	return (slot - 1 + (int64_t)window->slots) * window->width;
}

void
limit_window_write(struct limit_window *window, const char *key, nd_ms now, struct json_out *out)
{
	int64_t slot;
	nd_ms end;

	advance(window, now);
	json_out_array(out, key);
	for (slot = window->newest - (int64_t)window->slots + 1; slot <= window->newest; slot++) {
		if (*cell(window, slot) == 0)
			continue;
		end = (slot + 1) * window->width - 1;
		json_out_int(out, NULL, end < now ? now - end : 0);
		json_out_int(out, NULL, *cell(window, slot));
	}
	json_out_array_end(out);
}

void
limit_window_read(struct limit_window *window, const struct json_node *array, nd_ms then, nd_ms now)
{
	const struct json_node *node = array && array->type == JSON_ARRAY ? array->child : NULL;
	int64_t ago, count;

	for (; node && node->next; node = node->next->next)
		if (json_int(node, 0, ND_DAY(2), &ago) && json_int(node->next, 1, UINT32_MAX, &count))
			limit_window_add(window, (uint32_t)count, then - ago, now);
}
