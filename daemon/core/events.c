/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - what happened lately: a bounded, numbered record for those who watch.  Layer: core.
 *
 * Blocks of PER events, in a ring by number: an event is found by a division. A block holds its events one behind
 * another and grows as they come; the oldest one goes as a whole.
 */
#include "daemon/core/events.h"

#include "common/job.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/str.h"
#include "daemon/core/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PER 256u
#define BLOCKS (EVENTS_MAX / PER + 1) /* one more: while the newest fills up, the oldest is still there */
#define FIRST_ROOM 4096u

struct fixed { /* of an event; its four texts follow, each with a NUL */
	nd_unix time;
	uint32_t uid;
	uint8_t kind, state;
};

struct block {
	char *octets; /* owned */
	uint32_t len, room;
	uint32_t at[PER];
};

struct events {
	char boot[EVENTS_BOOT_SIZE];
	uint64_t last;               /* 0: none yet */
	uint64_t oldest;             /* the number of the oldest block: event n is in block (n - 1) / PER */
	struct block *block[BLOCKS]; /* owned; NULL where there is none */
	size_t octets;               /* rooms of all */
};

struct events *
events_new(uint64_t boot)
{
	struct events *events = nd_xalloc(sizeof(*events));

	(void)snprintf(events->boot, sizeof(events->boot), "%016llx", (unsigned long long)boot);
	return events;
}

static void
drop_oldest(struct events *events)
{
	struct block **place = &events->block[events->oldest % BLOCKS];

	if (*place != NULL) {
		events->octets -= (*place)->room;
		free((*place)->octets);
		free(*place);
		*place = NULL;
	}
	events->oldest++;
}

void
events_free(struct events *events)
{
	if (events == NULL)
		return;
	while (events_first(events) <= events->last)
		drop_oldest(events);
	free(events);
}

uint64_t
events_first(const struct events *events)
{
	uint64_t first = events->oldest * PER + 1;

	return first <= events->last ? first : events->last + 1;
}

uint64_t
events_last(const struct events *events)
{
	return events->last;
}

size_t
events_memory(const struct events *events)
{
	size_t blocks = 0;

	for (unsigned i = 0; i < BLOCKS; i++)
		blocks += events->block[i] != NULL;
	return sizeof(*events) + blocks * sizeof(struct block) + events->octets;
}

static void
set_room(struct events *events, struct block *block, size_t room)
{
	events->octets = events->octets - block->room + room;
	block->octets = nd_xrealloc(block->octets, room);
	block->room = (uint32_t)room;
}

/* The block of the next event, with room for it. */
static struct block *
open_block(struct events *events, size_t size)
{
	uint64_t number = events->last / PER;
	struct block **place = &events->block[number % BLOCKS], *block;

	if (events->last % PER == 0) {
		if (number >= BLOCKS && events->oldest == number - BLOCKS)
			drop_oldest(events);
		*place = nd_xalloc(sizeof(**place));
	}
	block = *place;
	if (size > block->room - block->len)
		set_room(events, block, block->room < FIRST_ROOM ? FIRST_ROOM + size : 2 * (size_t)block->room + size);
	return block;
}

static size_t
text_len(const char *text, size_t max)
{
	size_t len = text != NULL ? strlen(text) : 0;

	return len > max ? nd_str_utf8_cut(text, len, max) : len;
}

static void
put(struct block *block, const void *octets, size_t len)
{
	if (len > 0)
		memcpy(block->octets + block->len, octets, len);
	block->len += (uint32_t)len;
}

void
events_add(struct events *events, const struct events_item *item)
{
	const struct fixed fixed = { item->time, item->uid, (uint8_t)item->kind, item->state };
	/* Only where a uid is not enough is a job's unit needed. */
	const char *const texts[] = { access_needs_unit(item->uid) ? item->unit : NULL, item->job, item->account,
		item->reason };
	static const size_t most[] = { 95, ND_ULID_LEN, 63, EVENTS_REASON };
	size_t lens[4], size = sizeof(fixed);
	struct block *block;

	for (unsigned i = 0; i < 4; i++) {
		lens[i] = text_len(texts[i], most[i]);
		size += lens[i] + 1;
	}
	block = open_block(events, size);
	block->at[events->last % PER] = block->len;
	put(block, &fixed, sizeof(fixed));
	for (unsigned i = 0; i < 4; i++) {
		put(block, texts[i], lens[i]);
		put(block, "", 1);
	}
	events->last++;
	if (events->last % PER == 0)
		set_room(events, block, block->len); /* it is full: what it has too much goes back */
	while (events->octets > EVENTS_OCTETS && events->oldest < (events->last - 1) / PER)
		drop_oldest(events);
}

static const char *
next_text(const char **at)
{
	const char *text = *at;

	*at += strlen(text) + 1;
	return text[0] != '\0' ? text : NULL;
}

bool
events_get(const struct events *events, uint64_t n, struct events_item *item)
{
	const struct block *block;
	struct fixed fixed;
	const char *at;

	if (n < events_first(events) || n > events->last)
		return false;
	block = events->block[(n - 1) / PER % BLOCKS];
	at = block->octets + block->at[(n - 1) % PER];
	memcpy(&fixed, at, sizeof(fixed));
	at += sizeof(fixed);
	*item = (struct events_item){
		.n = n, .time = fixed.time, .kind = fixed.kind, .state = fixed.state, .uid = fixed.uid
	};
	item->unit = next_text(&at);
	item->job = next_text(&at);
	item->account = next_text(&at);
	item->reason = next_text(&at);
	return true;
}

/* -- where to begin -------------------------------------------------------------------------------------------- */

static enum nd_err
bad_since(const char *since, struct nd_why *why)
{
	(void)nd_fail(why, ND_EINVALID, 0, "since=%.40s is not the \"boot\" of an event, a colon and its \"n\"", since);
	return nd_fail_at(why, "since", 0, NULL);
}

enum nd_err
events_since(const struct events *events, const char *since, uint64_t *n, bool *gap, struct nd_why *why)
{
	const char *colon = since != NULL ? strchr(since, ':') : NULL;
	int64_t number;
	bool same;

	*gap = false;
	*n = events->last;
	if (since == NULL)
		return ND_OK;
	if (colon == NULL || colon == since || !nd_str_int(colon + 1, 0, INT64_MAX, &number))
		return bad_since(since, why);
	same =
	    (size_t)(colon - since) == strlen(events->boot) && memcmp(since, events->boot, strlen(events->boot)) == 0;
	*gap = !same || (uint64_t)number > events->last || (uint64_t)number + 1 < events_first(events);
	*n = *gap ? events_first(events) - 1 : (uint64_t)number;
	return ND_OK;
}

/* -- who wants what -------------------------------------------------------------------------------------------- */

static const char *const names[EVENTS_KIND_COUNT] = {
	[EVENTS_JOB] = "job.",
	[EVENTS_ATTEMPT] = "job.attempt",
	[EVENTS_MOVED] = "job.moved",
	[EVENTS_ACCOUNT] = "account.state",
	[EVENTS_TOKEN] = "token.refreshed",
	[EVENTS_CONFIG] = "config.reloaded",
	[EVENTS_BEGIN] = "begin",
	[EVENTS_GAP] = "gap",
};

const char *
events_name(const struct events_item *item, char out[32])
{
	(void)snprintf(out, 32, "%s%s", names[item->kind], item->kind == EVENTS_JOB ? job_state_name(item->state) : "");
	return out;
}

static bool
fits(const char *types, const char *name)
{
	const char *rest = types, *start;
	char one[32];
	size_t len;

	while (nd_str_list_next(&rest, &start, &len)) {
		if (len >= sizeof(one))
			continue;
		memcpy(one, start, len);
		one[len] = '\0';
		if (nd_str_match(one, name))
			return true;
	}
	return false;
}

static bool
fits_any(const char *type)
{
	struct events_item item = { 0 };
	char name[32];
	unsigned state;

	for (state = 0; state < JOB_STATE_COUNT; state++) {
		item.state = (uint8_t)state;
		if (fits(type, events_name(&item, name)))
			return true;
	}
	for (item.kind = EVENTS_ATTEMPT; item.kind < EVENTS_KIND_COUNT; item.kind++)
		if (fits(type, events_name(&item, name)))
			return true;
	return false;
}

enum nd_err
events_types(const char *types, struct nd_why *why)
{
	const char *rest = types, *start;
	bool named = false;
	char one[32];
	size_t len;

	while (nd_str_list_next(&rest, &start, &len)) {
		named = true;
		(void)snprintf(one, sizeof(one), "%.*s", len < sizeof(one) ? (int)len : 0, start);
		if (fits_any(one))
			continue;
		(void)nd_fail(why, ND_EINVALID, 0, "there is no event \"%.*s\"", len < 40 ? (int)len : 40, start);
		return nd_fail_at(
		    why, "type", 0, "such as job.delivered, job.attempt, account.state, or job.* for all of jobs");
	}
	if (named)
		return ND_OK;
	(void)nd_fail(why, ND_EINVALID, 0, "type is given without a value");
	return nd_fail_at(why, "type", 0, "leave type out to mean all events");
}

static bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return end_len <= len && strcmp(text + len - end_len, end) == 0;
}

bool
events_wanted(const struct events_filter *filter, const struct events_item *item)
{
	bool of_job = item->kind <= EVENTS_MOVED;
	char name[32];

	if (!filter->peer->operator_right &&
	    !(of_job && access_own(filter->peer, item->uid, item->unit != NULL ? item->unit : "")))
		return false;
	if (filter->job[0] != '\0' && !(item->job != NULL && ends_with(item->job, filter->job)))
		return false;
	return filter->types == NULL || fits(filter->types, events_name(item, name));
}

void
events_write(const struct events *events, const struct events_item *item, struct nd_buf *out)
{
	struct json_out json;
	char name[32];

	json_out_init(&json, out);
	json_out_object(&json, NULL);
	json_out_int(&json, "n", (int64_t)item->n);
	json_out_text(&json, "boot", events->boot);
	json_out_time(&json, "time", item->time);
	json_out_text(&json, "event", events_name(item, name));
	json_out_text(&json, "job", item->job);
	json_out_text(&json, "account", item->account);
	if (item->kind <= EVENTS_MOVED)
		json_out_text(&json, "state", job_state_name(item->state));
	else if (item->kind == EVENTS_ACCOUNT)
		json_out_text(&json, "state", health_state_name(item->state));
	json_out_text(&json, "reason", item->reason);
	json_out_object_end(&json);
	(void)nd_buf_addc(out, '\n');
}
