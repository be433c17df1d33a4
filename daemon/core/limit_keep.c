/* SPDX-License-Identifier: Apache-2.0 */
/* limit_keep.c - what of the limits outlives the process: counts, and a lease for what is sent after them.  Layer: core. */
#include "daemon/core/limit.h"

#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A lease is this part of its limit: so much at most is lost by a crash. */
#define OF_MINUTE 8u
#define OF_DAY 64u
#define OF_RCPT 8u
#define LEASE_MAX 10000u /* where nothing limits it */

static uint32_t
part(uint32_t least, uint32_t limit, uint32_t of)
{
	const uint32_t size = limit / of > 0 ? limit / of : 1;

	return limit > 0 && size < least ? size : least;
}

static uint32_t
mails_of(const struct limit_rules *rules)
{
	return part(part(part(LEASE_MAX, rules->minute, OF_MINUTE), rules->day, OF_DAY), rules->rcpt, OF_RCPT);
}

static uint32_t
rcpts_of(const struct limit_rules *rules, unsigned rcpts)
{
	const uint32_t size = part(LEASE_MAX, rules->rcpts, OF_DAY);

	return size > rcpts ? size : rcpts; /* one mail's at least */
}

bool
limit_wants(const struct limit *limit, const struct limit_rules *rules, unsigned rcpts, bool closing, nd_ms now)
{
	if (!limit->known || limit->saving || limit->closed || !limit_ruled(rules))
		return false;
	if (closing)
		return limit->going == 0;
	if (limit->leapt || now - limit->kept >= LIMIT_FRESH || limit->left * 2 <= mails_of(rules))
		return true;
	return rules->rcpts > 0 && (limit->left_rcpts < rcpts || limit->left_rcpts * 2 <= rcpts_of(rules, rcpts));
}

static void
write_rcpts(struct limit *limit, nd_ms now, struct json_out *out)
{
	char name[17];
	unsigned i;

	json_out_object(out, "recipients_hour");
	for (i = 0; i < limit->rcpt_count; i++) {
		(void)snprintf(name, sizeof(name), "%016" PRIx64, limit->rcpt[i].hash);
		if (limit_window_sum(&limit->rcpt[i].hour, now) > 0)
			limit_window_write(&limit->rcpt[i].hour, name, now, out);
	}
	json_out_object_end(out);
}

void /* NOLINTNEXTLINE(readability-function-size): whose, by what rules, how much, and when */
limit_write(struct limit *limit, const struct limit_rules *rules, unsigned rcpts, bool closing, const char *boot,
    struct nd_now now, struct json_out *out)
{
	limit->next_left = closing ? 0 : mails_of(rules);
	limit->next_left_rcpts = closing ? 0 : rcpts_of(rules, rcpts);
	limit->next_kept = now.ms;
	limit->saving = true;
	limit->leapt = false;
	limit->closed = closing;
	json_out_object(out, NULL);
	json_out_text(out, "mailbox", limit->name);
	json_out_text(out, "boot", boot);
	json_out_int(out, "uptime", now.ms);
	json_out_int(out, "time", now.unix_ms);
	json_out_int(out, "leased", (int64_t)limit->going + limit->next_left);
	json_out_int(out, "leased_recipients", (int64_t)limit->going_rcpts + limit->next_left_rcpts);
	limit_window_write(&limit->minute, "minute", now.ms, out);
	limit_window_write(&limit->ordinary, "ordinary", now.ms, out);
	limit_window_write(&limit->day, "day", now.ms, out);
	limit_window_write(&limit->rcpts, "recipients", now.ms, out);
	limit_window_write(&limit->rest.hour, "rest_hour", now.ms, out);
	limit_window_write(&limit->any, "any_hour", now.ms, out);
	write_rcpts(limit, now.ms, out);
	json_out_object_end(out);
}

void
limit_saved(struct limit *limit, bool well)
{
	limit->saving = false;
	if (!well) {
		limit->leapt = true; /* perhaps that was why */
		return;              /* the one before still holds: both were kept to */
	}
	limit->kept = limit->next_kept;
	limit->left = limit->next_left;
	limit->left_rcpts = limit->next_left_rcpts;
}

void
limit_leapt(struct limit *limit)
{
	limit->leapt = true;
}

/* When it was written, by the clock of now. In another boot only the wall clock can tell, and if that went back, it was just now. */
static nd_ms
written_at(const struct json_node *record, const char *boot, struct nd_now now)
{
	const char *wrote = json_get_text(record, "boot");
	int64_t uptime = 0, time = 0;
	nd_ms ago;

	(void)json_int(json_get(record, "uptime"), 0, INT64_MAX / 2, &uptime);
	(void)json_int(json_get(record, "time"), 0, INT64_MAX / 2, &time);
	if (wrote && boot[0] != '\0' && strcmp(wrote, boot) == 0)
		ago = now.ms - uptime;
	else
		ago = now.unix_ms - time;
	return ago > 0 ? now.ms - ago : now.ms;
}

static void
read_rcpts(struct limit *limit, const struct json_node *members, nd_ms then, nd_ms now)
{
	const struct json_node *node = members && members->type == JSON_OBJECT ? members->child : NULL;
	struct limit_rcpt *rcpt;

	for (; node && limit->rcpt_count < LIMIT_RCPTS; node = node->next) {
		limit->rcpt = nd_xrealloc(limit->rcpt, LIMIT_RCPTS * sizeof(*limit->rcpt));
		rcpt = &limit->rcpt[limit->rcpt_count++];
		*rcpt = (struct limit_rcpt){ .hash = strtoull(node->key, NULL, 16) };
		limit_window_init(
		    &rcpt->hour, limit->rest.hour.width * (limit->rest.hour.slots - 1), limit->rest.hour.width);
		limit_window_read(&rcpt->hour, node, then, now);
	}
}

/* What was leased may have been used, and just now. */
static void
count_lease(struct limit *limit, uint32_t mails, uint32_t rcpts, nd_ms now)
{
	limit_window_add(&limit->minute, mails, now, now);
	limit_window_add(&limit->ordinary, mails, now, now);
	limit_window_add(&limit->day, mails, now, now);
	limit_window_add(&limit->any, mails, now, now);
	limit_window_add(&limit->rcpts, rcpts, now, now);
}

void
limit_unread(struct limit *limit, const struct limit_rules *rules, unsigned rcpts, nd_ms now)
{
	count_lease(limit, mails_of(rules), rcpts_of(rules, rcpts), now);
}

bool
limit_read(struct limit *limit, const struct json_node *record, const char *boot, struct nd_now now)
{
	int64_t mails = 0, rcpts = 0;
	nd_ms then;

	limit->known = true;
	limit->asking = false;
	if (!record)
		return true;
	if (record->type != JSON_OBJECT || !json_get(record, "leased"))
		return false;
	then = written_at(record, boot, now);
	limit_window_read(&limit->minute, json_get(record, "minute"), then, now.ms);
	limit_window_read(&limit->ordinary, json_get(record, "ordinary"), then, now.ms);
	limit_window_read(&limit->day, json_get(record, "day"), then, now.ms);
	limit_window_read(&limit->rcpts, json_get(record, "recipients"), then, now.ms);
	limit_window_read(&limit->rest.hour, json_get(record, "rest_hour"), then, now.ms);
	limit_window_read(&limit->any, json_get(record, "any_hour"), then, now.ms);
	read_rcpts(limit, json_get(record, "recipients_hour"), then, now.ms);
	(void)json_int(json_get(record, "leased"), 0, UINT32_MAX, &mails);
	(void)json_int(json_get(record, "leased_recipients"), 0, UINT32_MAX, &rcpts);
	count_lease(limit, (uint32_t)mails, (uint32_t)rcpts, now.ms);
	return true;
}
