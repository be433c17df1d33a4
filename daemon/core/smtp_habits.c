/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_habits.c - how the host of an account may be spoken to.  Layer: core. */
#include "daemon/core/smtp_habits.h"

static bool
is_off(const struct smtp_habits *habits, enum smtp_ext ext, nd_ms now)
{
	return now < habits->off_until[ext];
}

unsigned
smtp_habits_without(const struct smtp_habits *habits, nd_ms now)
{
	unsigned without = 0;

	for (unsigned ext = SMTP_EXT_NONE + 1; ext < SMTP_EXT_COUNT; ext++)
		if (is_off(habits, (enum smtp_ext)ext, now))
			without |= SMTP_EXT_BIT(ext);
	return without;
}

enum smtp_pace
smtp_habits_pace(const struct smtp_habits *habits, nd_ms now)
{
	const bool fresh = habits->trusted && now - habits->taken < SMTP_HABITS_FRESH;

	return fresh && !is_off(habits, SMTP_EXT_FLIGHT, now) ? SMTP_ONE_FLIGHT : SMTP_CHUNKED;
}

unsigned
smtp_habits_window(const struct smtp_habits *habits, unsigned window, nd_ms now)
{
	const bool alone = is_off(habits, SMTP_EXT_WINDOW, now) || smtp_habits_pace(habits, now) != SMTP_ONE_FLIGHT;

	return alone ? 1 : window;
}

void
smtp_habits_offered(struct smtp_habits *habits, const struct smtp_caps *caps)
{
	habits->rcpt_max = caps->rcpt_max;
	habits->rcpt_domain_max = caps->rcpt_domain_max;
}

void
smtp_habits_rcpts(const struct smtp_habits *habits, unsigned allowed, unsigned *most, unsigned *domains)
{
	*most = habits->rcpt_max > 0 && habits->rcpt_max < allowed ? habits->rcpt_max : allowed;
	*domains = habits->rcpt_domain_max;
}

void
smtp_habits_refused(struct smtp_habits *habits, uint64_t octets, nd_ms now)
{
	const uint64_t known = smtp_habits_too_big(habits, now);

	if (octets < SMTP_HABITS_SMALL || (known > 0 && known <= octets))
		return;
	habits->too_big = octets;
	habits->too_big_until = now + SMTP_EXT_SHUN;
}

uint64_t
smtp_habits_too_big(const struct smtp_habits *habits, nd_ms now)
{
	return now < habits->too_big_until ? habits->too_big : 0;
}

/* What broke a session by something that is not SMTP: the boldest of what was tried. */
static enum smtp_ext
boldest(const struct smtp_outcome *outcome)
{
	static const enum smtp_ext by_pace[] = {
		[SMTP_STEPWISE] = SMTP_EXT_NONE,
		[SMTP_GROUPED] = SMTP_EXT_PIPELINING,
		[SMTP_CHUNKED] = SMTP_EXT_CHUNKING,
		[SMTP_ONE_FLIGHT] = SMTP_EXT_FLIGHT,
	};

	return outcome->why.err == ND_EPROTOCOL ? by_pace[outcome->pace] : SMTP_EXT_NONE;
}

enum smtp_ext
smtp_habits_learn(struct smtp_habits *habits, const struct smtp_outcome *outcome, nd_ms now)
{
	const bool lost = outcome->end == SMTP_ENDED_LOST;
	enum smtp_ext off = lost ? boldest(outcome) : outcome->accused;

	/* A host that bears one flight need not bear several: that is left first. */
	if (outcome->company && (lost || outcome->reply.code == 421))
		off = SMTP_EXT_WINDOW;
	/* Something on the way may not bear a flight: without this each of its tries might arrive and look lost. */
	if (lost && outcome->uncertain && outcome->pace == SMTP_ONE_FLIGHT)
		habits->trusted = false;
	if (outcome->end == SMTP_ENDED_REPLY && outcome->stage == SMTP_AT_END && outcome->reply.code / 100 == 2) {
		habits->trusted = true;
		habits->taken = now;
	}
	/* Another session may have learned it already. */
	if (off == SMTP_EXT_NONE || is_off(habits, off, now))
		return SMTP_EXT_NONE;
	habits->off_until[off] = now + SMTP_EXT_SHUN;
	return off;
}
