/* SPDX-License-Identifier: Apache-2.0 */
/* limit.c - how much one mailbox may send.  Layer: core. */
#include "daemon/core/limit.h"

#include "common/idn.h"
#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_SLOT ND_SEC(1) / 4
#define DAY_SLOT ND_MIN(5)
#define HOUR_SLOT ND_MIN(5)
#define UNDER_WAY ND_SEC(1) /* a mail is: so long till another look */

static const char *const keys[LIMIT_WHY_COUNT] = {
	[LIMIT_RATE] = "rate",
	[LIMIT_MINUTE] = "messages_per_minute",
	[LIMIT_DAY] = "messages_per_day",
	[LIMIT_RCPTS_DAY] = "recipients_per_day",
	[LIMIT_RCPT_HOUR] = "messages_per_recipient_hour",
};

const char *
limit_why_key(enum limit_why why)
{
	return keys[why] ? keys[why] : "";
}

struct limit *
limit_new(const char *name)
{
	struct limit *limit = nd_xalloc(sizeof(*limit));

	limit->name = nd_xstrdup(name);
	limit_window_init(&limit->minute, ND_MIN(1), MINUTE_SLOT);
	limit_window_init(&limit->ordinary, ND_MIN(1), MINUTE_SLOT);
	limit_window_init(&limit->logins, ND_MIN(1), MINUTE_SLOT);
	limit_window_init(&limit->day, ND_DAY(1), DAY_SLOT);
	limit_window_init(&limit->rcpts, ND_DAY(1), DAY_SLOT);
	limit_window_init(&limit->rest.hour, ND_HOUR(1), HOUR_SLOT);
	limit_window_init(&limit->any, ND_HOUR(1), HOUR_SLOT);
	return limit;
}

void
limit_free(struct limit *limit)
{
	unsigned i;

	for (i = 0; i < limit->rcpt_count; i++)
		limit_window_done(&limit->rcpt[i].hour);
	free(limit->rcpt);
	limit_window_done(&limit->minute);
	limit_window_done(&limit->ordinary);
	limit_window_done(&limit->logins);
	limit_window_done(&limit->day);
	limit_window_done(&limit->rcpts);
	limit_window_done(&limit->rest.hour);
	limit_window_done(&limit->any);
	free(limit->name);
	free(limit);
}

bool
limit_ruled(const struct limit_rules *rules)
{
	return rules->minute > 0 || rules->day > 0 || rules->rcpts > 0 || rules->rcpt > 0;
}

/* -- may it go? -- */

/* Under way and in the window, and one more: when that is within `most`. */
static nd_ms
room_at(struct limit_window *window, uint64_t going, uint64_t most, nd_ms now)
{
	if (going + 1 > most)
		return ND_NEVER;
	return limit_window_when(window, most - going - 1, now);
}

static void
wait_for(struct limit_word *word, enum limit_why why, nd_ms until, nd_ms now)
{
	if (until <= now || (word->why != LIMIT_GO && until <= word->until))
		return;
	word->why = why;
	word->until = until;
}

/* What holds in this minute: the rule, or what the server asked for. 0: nothing. */
static uint32_t
minute_of(struct limit *limit, uint32_t most, nd_ms now, enum limit_why *why)
{
	const uint32_t rate = limit_rate(limit, now);
	const bool asked = rate > 0 && (most == 0 || rate < most);

	*why = asked ? LIMIT_RATE : LIMIT_MINUTE;
	return asked ? rate : most;
}

static void
ask_minute(struct limit *limit, uint32_t most, bool severe, struct limit_word *word, nd_ms now)
{
	enum limit_why why;

	most = minute_of(limit, most, now, &why);
	if (most == 0)
		return;
	wait_for(word, why, room_at(&limit->minute, limit->going, most, now), now);
	if (!severe) /* its half; what severe ones leave of theirs is not for it */
		wait_for(word, why, room_at(&limit->ordinary, limit->going_ordinary, most - most / 2, now), now);
}

static void
ask_lease(const struct limit *limit, const struct limit_rules *rules, struct limit_word *word, nd_ms now)
{
	uint32_t mails = limit->left, rcpts = limit->left_rcpts;

	if (limit->saving && limit->next_left < mails)
		mails = limit->next_left;
	if (limit->saving && limit->next_left_rcpts < rcpts)
		rcpts = limit->next_left_rcpts;
	if (!limit->known || mails == 0 || now - limit->kept >= LIMIT_OLD ||
	    (rules->rcpts > 0 && rcpts < word->rcpts)) {
		word->why = LIMIT_LEASE;
		word->until = ND_NEVER;
	}
}

struct limit_word
limit_ask(struct limit *limit, const struct limit_rules *rules, bool severe, unsigned rcpts, nd_ms now)
{
	struct limit_word word = { LIMIT_GO, rcpts, now };
	uint64_t used;

	ask_minute(limit, rules->minute, severe, &word, now);
	if (rules->day > 0)
		wait_for(&word, LIMIT_DAY, room_at(&limit->day, limit->going, rules->day, now), now);
	if (rules->rcpts > 0) {
		wait_for(&word, LIMIT_RCPTS_DAY, room_at(&limit->rcpts, limit->going_rcpts, rules->rcpts, now), now);
		used = limit_window_sum(&limit->rcpts, now) + limit->going_rcpts;
		/* What is left for today; the others of the job go when there is room again. */
		if (used < rules->rcpts && rules->rcpts - used < rcpts)
			word.rcpts = (unsigned)(rules->rcpts - used);
	}
	if (word.why == LIMIT_GO && limit_ruled(rules))
		ask_lease(limit, rules, &word, now);
	return word;
}

nd_ms
limit_day_when(struct limit *limit, const struct limit_rules *rules, uint64_t mails, nd_ms now)
{
	nd_ms at = now, rcpts;

	if (rules->day > 0)
		at = room_at(&limit->day, limit->going + mails - 1, rules->day, now);
	if (rules->rcpts > 0 &&
	    (rcpts = room_at(&limit->rcpts, limit->going_rcpts + mails - 1, rules->rcpts, now)) > at)
		at = rcpts;
	return at;
}

static void
take(uint32_t *left, uint32_t n)
{
	*left -= n < *left ? n : *left;
}

void
limit_begin(struct limit *limit, bool severe, unsigned rcpts)
{
	limit->going++;
	limit->going_ordinary += !severe;
	limit->going_rcpts += rcpts;
	take(&limit->left, 1);
	take(&limit->left_rcpts, rcpts);
	take(&limit->next_left, 1);
	take(&limit->next_left_rcpts, rcpts);
}

void
limit_end(struct limit *limit, bool severe, unsigned rcpts, bool happened, nd_ms now)
{
	limit->going--;
	limit->going_ordinary -= !severe;
	limit->going_rcpts -= rcpts;
	if (!happened)
		return;
	limit_window_add(&limit->minute, 1, now, now);
	limit_window_add(&limit->day, 1, now, now);
	limit_window_add(&limit->rcpts, rcpts, now, now);
	if (!severe)
		limit_window_add(&limit->ordinary, 1, now, now);
}

/* -- a recipient's hour -- */

/* FNV-1a, without regard to case and to how the domain is written. Two addresses that met in one number would share an hour: too few mails, never too many. */
static uint64_t
hash_of(const char *address)
{
	char ascii[IDN_ADDRESS_SIZE];
	uint64_t hash = UINT64_C(14695981039346656037);

	if (idn_address(address, ascii, NULL) == ND_OK)
		address = ascii;
	for (; *address; address++) {
		unsigned char c = (unsigned char)*address;

		hash ^= c >= 'A' && c <= 'Z' ? (unsigned char)(c + 'a' - 'A') : c;
		hash *= UINT64_C(1099511628211);
	}
	return hash;
}

static struct limit_rcpt *
find(struct limit *limit, uint64_t hash)
{
	unsigned i;

	for (i = 0; i < limit->rcpt_count; i++)
		if (limit->rcpt[i].hash == hash)
			return &limit->rcpt[i];
	return NULL;
}

static bool
in_use(struct limit_rcpt *rcpt, nd_ms now)
{
	return rcpt->going > 0 || limit_window_sum(&rcpt->hour, now) > 0;
}

/* Those whose hour is empty go. */
static void
sweep(struct limit *limit, nd_ms now)
{
	unsigned i, kept = 0;

	if (now < limit->rcpt_swept + HOUR_SLOT)
		return;
	limit->rcpt_swept = now;
	for (i = 0; i < limit->rcpt_count; i++) {
		if (in_use(&limit->rcpt[i], now))
			limit->rcpt[kept++] = limit->rcpt[i];
		else
			limit_window_done(&limit->rcpt[i].hour);
	}
	limit->rcpt_count = kept;
}

static struct limit_rcpt *
add(struct limit *limit, uint64_t hash)
{
	struct limit_rcpt *rcpt;

	if ((limit->rcpt_count & (limit->rcpt_count - 1)) == 0) /* grows at powers of two */
		limit->rcpt = nd_xrealloc(
		    limit->rcpt, (limit->rcpt_count > 0 ? 2 * limit->rcpt_count : 1) * sizeof(*limit->rcpt));
	rcpt = &limit->rcpt[limit->rcpt_count++];
	*rcpt = (struct limit_rcpt){ .hash = hash };
	limit_window_init(&rcpt->hour, ND_HOUR(1), HOUR_SLOT);
	return rcpt;
}

static struct limit_rcpt *
entry(struct limit *limit, const char *address, nd_ms now)
{
	const uint64_t hash = hash_of(address);
	struct limit_rcpt *rcpt = find(limit, hash);

	if (rcpt)
		return rcpt;
	/* While others share an hour it may be one of them. */
	if (in_use(&limit->rest, now))
		return &limit->rest;
	sweep(limit, now);
	return limit->rcpt_count < LIMIT_RCPTS ? add(limit, hash) : &limit->rest;
}

/* Those without a place of their own do not get more than all of them have got. */
static struct limit_rcpt *
of_address(struct limit *limit, const char *address)
{
	struct limit_rcpt *rcpt = find(limit, hash_of(address));

	return rcpt ? rcpt : &limit->rest;
}

/* When there is room for one more, and for `going` before it. */
static nd_ms
room_for(struct limit *limit, struct limit_rcpt *rcpt, uint64_t going, uint32_t most, nd_ms now)
{
	const uint64_t others = limit_window_sum(&limit->any, now);
	nd_ms until = others < most ? room_at(&rcpt->hour, going + others, most, now)
				    : limit_window_when(&limit->any, most - 1, now);

	/* The doubts of a crash may be what is over first. */
	if (until == ND_NEVER && others > 0 && going < most)
		until = limit_window_when(&limit->any, most - 1 - going, now);
	return until;
}

nd_ms
limit_rcpt_when(struct limit *limit, const struct limit_rules *rules, const char *address, nd_ms now)
{
	struct limit_rcpt *rcpt = of_address(limit, address);

	return rules->rcpt == 0 ? now : room_for(limit, rcpt, rcpt->going, rules->rcpt, now);
}

nd_ms
limit_rcpt_turn(
    struct limit *limit, const struct limit_rules *rules, const char *address, bool severe, bool again, nd_ms now)
{
	struct limit_rcpt *rcpt = of_address(limit, address);
	nd_ms *line = &rcpt->line[severe];
	const nd_ms pace = ND_HOUR(1) / (nd_ms)rules->rcpt + 1;
	nd_ms at = room_for(limit, rcpt, rcpt->going, rules->rcpt, now);
	nd_ms first = at == ND_NEVER ? now + UNDER_WAY : at;
	uint64_t ahead = *line > first ? (uint64_t)((*line - first + pace - 1) / pace) : 0;

	if (again)
		ahead %= rules->rcpt; /* it is not sent back to the end of the line */
	else
		*line = (*line > first ? *line : first) + pace;
	at = room_for(limit, rcpt, rcpt->going + ahead % rules->rcpt, rules->rcpt, now);
	if (at == ND_NEVER)
		at = first + (nd_ms)(ahead % rules->rcpt) * pace;
	return at + (nd_ms)(ahead / rules->rcpt) * ND_HOUR(1);
}

void
limit_rcpt_begin(struct limit *limit, const char *address, nd_ms now)
{
	entry(limit, address, now)->going++;
}

void
limit_rcpt_end(struct limit *limit, const char *address, bool happened, nd_ms now)
{
	struct limit_rcpt *rcpt = of_address(limit, address);

	if (rcpt->going > 0)
		rcpt->going--;
	if (happened)
		limit_window_add(&rcpt->hour, 1, now, now);
}

/* -- what is left -- */

static struct limit_left
left_in(struct limit_window *window, uint64_t going, uint32_t most, nd_ms now)
{
	const uint64_t used = limit_window_sum(window, now) + going;

	return (struct limit_left){ .most = most,
		.left = used < most ? (uint32_t)(most - used) : 0,
		.until = room_at(window, going, most, now) };
}

static struct limit_left
left_in_minute(struct limit *limit, uint32_t most, bool severe, nd_ms now)
{
	struct limit_left all = left_in(&limit->minute, limit->going, most, now), half;

	if (severe)
		return all;
	half = left_in(&limit->ordinary, limit->going_ordinary, most - most / 2, now);
	all.left = half.left < all.left ? half.left : all.left;
	all.until = half.until > all.until ? half.until : all.until;
	return all;
}

/* Who has had enough is left out of the mail: it goes when there is room for one. */
static struct limit_left
left_in_hour(struct limit *limit, uint32_t most, const char *const *rcpts, unsigned count, nd_ms now)
{
	struct limit_left least = { .most = most, .left = UINT32_MAX, .until = ND_NEVER };
	const uint64_t others = limit_window_sum(&limit->any, now);

	for (unsigned i = 0; i < count; i++) {
		struct limit_rcpt *rcpt = of_address(limit, rcpts[i]);
		const uint32_t left = left_in(&rcpt->hour, rcpt->going + others, most, now).left;
		const nd_ms until = room_for(limit, rcpt, rcpt->going, most, now);

		if (left < least.left) {
			least.left = left;
			least.address = rcpts[i];
		}
		least.until = until < least.until ? until : least.until;
	}
	return least;
}

unsigned
limit_left(struct limit *limit, const struct limit_rules *rules, const struct limit_mail *mail, nd_ms now,
    struct limit_left out[LIMIT_RULES])
{
	enum limit_why why;
	const uint32_t minute = minute_of(limit, rules->minute, now, &why);
	unsigned count = 0;

	if (minute > 0) {
		out[count] = left_in_minute(limit, minute, mail->severe, now);
		out[count++].why = why;
	}
	if (rules->day > 0) {
		out[count] = left_in(&limit->day, limit->going, rules->day, now);
		out[count++].why = LIMIT_DAY;
	}
	if (rules->rcpts > 0) {
		out[count] = left_in(&limit->rcpts, limit->going_rcpts, rules->rcpts, now);
		out[count++].why = LIMIT_RCPTS_DAY;
	}
	if (rules->rcpt > 0 && mail->rcpt_count > 0) {
		out[count] = left_in_hour(limit, rules->rcpt, mail->rcpts, mail->rcpt_count, now);
		out[count++].why = LIMIT_RCPT_HOUR;
	}
	return count;
}

/* -- how long for all -- */

static nd_ms
later(nd_ms at, nd_ms other)
{
	return other > at ? other : at;
}

/* When `n` more have room in a day: those that find none in this one come the next ones. */
static nd_ms
through_day(struct limit_window *window, uint64_t going, uint64_t n, uint32_t most, nd_ms now)
{
	nd_ms days;

	if (most == 0)
		return now;
	days = (nd_ms)((n - 1) / most) * ND_DAY(1);
	n -= (n - 1) / most * most;
	return days + (going + n <= most ? limit_window_when(window, most - going - n, now) : now);
}

nd_ms
limit_through(struct limit *limit, const struct limit_rules *rules, uint64_t mails, nd_ms now)
{
	uint32_t minute = rules->minute, rate = limit_rate(limit, now);
	nd_ms at = now;

	if (rate > 0 && (minute == 0 || rate < minute))
		minute = rate;
	if (mails == 0)
		return now;
	mails = mails < UINT32_MAX ? mails : UINT32_MAX;
	if (minute > 0) {
		minute -= minute / 2;
		at = limit_window_when(&limit->ordinary, minute - 1, now) + (nd_ms)((mails - 1) / minute) * ND_MIN(1);
	}
	at = later(at, through_day(&limit->day, limit->going, mails, rules->day, now));
	return later(at, through_day(&limit->rcpts, limit->going_rcpts, mails, rules->rcpts, now));
}
