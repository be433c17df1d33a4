/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_habits.c - how the host of an account may be spoken to.  Layer: core. */
#include "daemon/core/smtp_habits.h"

enum smtp_pace
smtp_habits_pace(const struct smtp_habits *habits, nd_ms now)
{
	const bool fresh = habits->trusted && now - habits->taken < SMTP_HABITS_FRESH;
	const enum smtp_pace pace = fresh ? SMTP_ONE_FLIGHT : SMTP_CHUNKED;

	return now < habits->shy_until && habits->most < pace ? habits->most : pace;
}

static void
get_shy(struct smtp_habits *habits, enum smtp_pace pace, nd_ms now)
{
	/* Another session may have learned more already. */
	if (pace == SMTP_STEPWISE || (now < habits->shy_until && habits->most < pace))
		return;
	habits->most = (enum smtp_pace)(pace - 1);
	habits->shy_until = now + SMTP_HABITS_SHY;
}

unsigned
smtp_habits_window(const struct smtp_habits *habits, unsigned window, nd_ms now)
{
	return now < habits->alone_until || smtp_habits_pace(habits, now) != SMTP_ONE_FLIGHT ? 1 : window;
}

void
smtp_habits_learn(struct smtp_habits *habits, const struct smtp_outcome *outcome, nd_ms now)
{
	const bool lost = outcome->end == SMTP_ENDED_LOST;

	/* A host that bears one flight need not bear several: that is left first. */
	if (outcome->company && (outcome->misfit || lost || outcome->reply.code == 421))
		habits->alone_until = now + SMTP_HABITS_SHY;
	else if (outcome->misfit || (lost && outcome->why.err == ND_EPROTOCOL))
		get_shy(habits, outcome->pace, now);
	/* Something on the way may not bear a flight: without this each of its tries might arrive and look lost. */
	if (lost && outcome->uncertain && outcome->pace == SMTP_ONE_FLIGHT)
		habits->trusted = false;
	if (outcome->end == SMTP_ENDED_REPLY && outcome->stage == SMTP_AT_END && outcome->reply.code / 100 == 2) {
		habits->trusted = true;
		habits->taken = now;
	}
}
