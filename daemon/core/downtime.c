/* SPDX-License-Identifier: Apache-2.0 */
/* downtime.c - when an account could not be used.  Layer: core. */
#include "daemon/core/downtime.h"

#include <string.h>

/* Joins the two neighbours with the shortest gap between them. */
static void
join_nearest(struct downtime *downtime)
{
	struct downtime_span *span = downtime->span;
	unsigned i, best = 1;

	for (i = 2; i < downtime->count; i++)
		if (span[i].from - span[i - 1].to < span[best].from - span[best - 1].to)
			best = i;
	span[best - 1].to = span[best].to;
	memmove(&span[best], &span[best + 1], (downtime->count - best - 1) * sizeof(*span));
	downtime->count--;
}

static void
add(struct downtime *downtime, nd_unix from, nd_unix to)
{
	/* A clock that stepped back must not bring the list out of order. */
	if (downtime->count > 0 && from < downtime->span[downtime->count - 1].to)
		from = downtime->span[downtime->count - 1].to;
	if (to <= from)
		return;
	if (downtime->count == DOWNTIME_SPANS)
		join_nearest(downtime);
	downtime->span[downtime->count++] = (struct downtime_span){ from, to };
}

void
downtime_begin(struct downtime *downtime, nd_unix now)
{
	if (downtime->since == 0)
		downtime->since = now;
}

void
downtime_end(struct downtime *downtime, nd_unix now)
{
	if (downtime->since != 0)
		add(downtime, downtime->since, now);
	downtime->since = 0;
}

void
downtime_leap(struct downtime *downtime, nd_unix before, nd_unix now)
{
	unsigned i;

	if (now >= before) {
		if (downtime->since == 0)
			add(downtime, before, now);
		return;
	}
	for (i = 0; i < downtime->count; i++) {
		downtime->span[i].from -= before - now;
		downtime->span[i].to -= before - now;
	}
	if (downtime->since != 0)
		downtime->since -= before - now;
}

nd_unix
downtime_cutoff(const struct downtime *downtime, nd_ms usable, nd_unix now)
{
	nd_unix end = downtime->since != 0 && downtime->since < now ? downtime->since : now;
	unsigned i;

	/* Backwards from now: each stretch between two spans uses up a part of the time. */
	for (i = downtime->count; i > 0; i--) {
		const struct downtime_span *span = &downtime->span[i - 1];

		if (end - span->to >= usable)
			break;
		if (end > span->to)
			usable -= end - span->to;
		if (span->from < end)
			end = span->from;
	}
	return end - usable;
}

static nd_ms
common_part(struct downtime_span a, nd_unix from, nd_unix to)
{
	const nd_unix begin = a.from > from ? a.from : from, end = a.to < to ? a.to : to;

	return end > begin ? end - begin : 0;
}

nd_ms
downtime_within(const struct downtime *downtime, nd_unix from, nd_unix to)
{
	nd_ms sum = 0;

	for (unsigned i = 0; i < downtime->count; i++)
		sum += common_part(downtime->span[i], from, to);
	if (downtime->since != 0)
		sum += common_part((struct downtime_span){ downtime->since, to }, from, to);
	return sum;
}

void
downtime_new(struct downtime *downtime, nd_unix from, nd_unix now)
{
	*downtime = (struct downtime){ 0 };
	add(downtime, from > 0 ? from : 0, now);
}

/* So much of its time has a job had. */
static nd_ms
used(const struct downtime *downtime, nd_unix base, nd_unix now)
{
	return base < now ? now - base - downtime_within(downtime, base, now) : 0;
}

nd_unix
downtime_over(const struct downtime *downtime, nd_unix base, nd_ms usable, nd_unix now)
{
	return (base > now ? base : now) + usable - used(downtime, base, now);
}

nd_unix
downtime_carry(const struct downtime *from, const struct downtime *to, nd_unix base, nd_unix now)
{
	const nd_unix there = downtime_cutoff(to, used(from, base, now), now);

	return base < now && there > base ? there : base;
}

void
downtime_write(const struct downtime *downtime, const char *key, nd_unix now, struct json_out *out)
{
	struct downtime copy = *downtime;
	unsigned i;

	downtime_end(&copy, now);
	json_out_array(out, key);
	for (i = 0; i < copy.count; i++) {
		json_out_array(out, NULL);
		json_out_int(out, NULL, copy.span[i].from);
		json_out_int(out, NULL, copy.span[i].to);
		json_out_array_end(out);
	}
	json_out_array_end(out);
}

void
downtime_read(struct downtime *downtime, const struct json_node *array)
{
	const struct json_node *node;
	int64_t from, to;

	for (node = array && array->type == JSON_ARRAY ? array->child : NULL; node; node = node->next)
		if (node->type == JSON_ARRAY && node->count == 2 && json_int(node->child, 0, INT64_MAX / 2, &from) &&
		    json_int(node->child->next, 0, INT64_MAX / 2, &to))
			add(downtime, from, to);
}
