/* SPDX-License-Identifier: Apache-2.0 */
/* health.c - the state of an account.  Layer: core. */
#include "daemon/core/health.h"

#include "common/stamp.h"
#include "common/str.h"
#include "daemon/core/retry.h"

#include <stdio.h>
#include <string.h>

static const char *const names[HEALTH_STATE_COUNT] = {
	[HEALTH_OK] = "ok",
	[HEALTH_PACED] = "paced",
	[HEALTH_THROTTLED] = "throttled",
	[HEALTH_FAILING] = "failing",
	[HEALTH_HELD] = "held",
	[HEALTH_PAUSED] = "paused",
};

const char *
health_state_name(enum health_state state)
{
	return names[state];
}

/* The only function that changes the state. */
static void
enter(struct health *health, enum health_state state, nd_ms now)
{
	if (state != health->state) {
		health->since = now;
		health->changed = true;
		health->probes = 0;
	}
	health->state = state;
	health->probing = health->urged = false;
	health->quiet = 0;
	if (state == HEALTH_OK) {
		health->reason[0] = health->detail[0] = health->hint[0] = '\0';
		health->until = ND_NEVER;
		health->in_mail = false;
	}
}

void
health_init(struct health *health, nd_ms now)
{
	*health = (struct health){ .since = now, .until = ND_NEVER };
}

static void
copy(char *to, size_t size, const char *from)
{
	size_t len = nd_str_utf8_cut(from, strlen(from), size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

/* The last try of a known delay comes with its end: then it is one no more. */
static nd_ms
failing_until(const struct health *health, nd_ms wait, uint32_t dice, nd_ms now)
{
	const nd_ms until = now + retry_failing(health->probes, wait, dice);

	return health->quiet > now && health->quiet < until ? health->quiet : until;
}

void
health_fault(struct health *health, const struct health_fault *fault, uint32_t dice, nd_ms now)
{
	if (health->state == HEALTH_PAUSED)
		return;
	/* A milder fault met by a session of before does not end a graver state; its probe's own result does. */
	if (fault->state < health->state && !health->probing)
		return;
	/* Nor does "not so fast" to its probe: nothing shows that what a person must mend is mended. */
	if (fault->state == HEALTH_THROTTLED && health->state == HEALTH_HELD) {
		health->probing = false;
		health->until = now + fault->wait;
		return;
	}
	/* "Not so fast" said to another session shortens no wait that was asked for. */
	if (fault->state == HEALTH_THROTTLED && health->state == HEALTH_THROTTLED && now + fault->wait < health->until)
		return;
	if (strcmp(health->reason, fault->reason) != 0)
		health->changed = true;
	enter(health, fault->state, now);
	copy(health->reason, sizeof(health->reason), fault->reason);
	copy(health->detail, sizeof(health->detail), fault->detail);
	copy(health->hint, sizeof(health->hint), fault->hint);
	health->in_mail = fault->in_mail;
	health->met++;
	health->quiet = fault->state == HEALTH_FAILING ? fault->quiet : 0;
	health->probes++;
	if (fault->state == HEALTH_THROTTLED)
		health->until = now + fault->wait;
	else if (fault->state == HEALTH_FAILING)
		health->until = failing_until(health, fault->wait, dice, now);
	else
		health->until = now + (fault->wait ? fault->wait : retry_held(now - health->since));
}

void
health_proved(struct health *health, bool mail, nd_ms now)
{
	if (health->state == HEALTH_PAUSED || (health->in_mail && !mail))
		return;
	/* Sessions opened before the fault prove nothing, except by what became of a mail. */
	if (health->state > HEALTH_PACED && (health->probing || mail))
		enter(health, HEALTH_OK, now);
}

void
health_unproved(struct health *health, uint32_t dice, nd_ms now)
{
	if (!health->probing)
		return;
	health->probing = false;
	health->probes++;
	health->until =
	    health->state == HEALTH_HELD ? now + retry_held(now - health->since) : failing_until(health, 0, dice, now);
}

enum health_leave
health_leave(struct health *health, nd_ms now)
{
	if (health->state == HEALTH_THROTTLED && now >= health->until)
		enter(health, HEALTH_OK, now);
	switch (health->state) {
	case HEALTH_OK:
	case HEALTH_PACED:
		return HEALTH_ALL;
	case HEALTH_FAILING:
	case HEALTH_HELD:
		return health->probing || now >= health->until ? HEALTH_ONE : HEALTH_NOTHING;
	case HEALTH_THROTTLED:
	case HEALTH_PAUSED:
	case HEALTH_STATE_COUNT:
		break;
	}
	return HEALTH_NOTHING;
}

void
health_pace(struct health *health, const char *reason, const char *detail, nd_ms until, nd_ms now)
{
	if (health->state > HEALTH_PACED)
		return;
	if (strcmp(health->reason, reason) != 0) {
		health->changed = true;
		enter(health, HEALTH_PACED, now);
		copy(health->reason, sizeof(health->reason), reason);
		copy(health->detail, sizeof(health->detail), detail);
	}
	health->until = until;
}

void
health_unpace(struct health *health, nd_ms now)
{
	if (health->state == HEALTH_PACED)
		enter(health, HEALTH_OK, now);
}

void
health_probe(struct health *health)
{
	health->probing = health->state == HEALTH_FAILING || health->state == HEALTH_HELD;
}

void
health_pause(struct health *health, nd_ms now)
{
	if (health->state == HEALTH_PAUSED)
		return;
	enter(health, HEALTH_PAUSED, now);
	copy(health->reason, sizeof(health->reason), "operator");
	copy(health->detail, sizeof(health->detail), "an operator paused it");
	copy(health->hint, sizeof(health->hint), "when it may send again: notifyctl resume ACCOUNT");
	health->until = ND_NEVER;
}

void
health_resume(struct health *health, nd_ms now)
{
	if (health->state == HEALTH_PAUSED) {
		enter(health, HEALTH_OK, now);
	} else if (health->state == HEALTH_FAILING || health->state == HEALTH_HELD) {
		health->until = health->probing ? health->until : now;
		health->urged = true;
	}
}

void
health_renew(struct health *health, nd_ms now)
{
	if (health->state != HEALTH_PAUSED)
		enter(health, HEALTH_OK, now);
}

nd_unix
health_ready(const struct health *health, struct nd_now now)
{
	switch (health->state) {
	case HEALTH_OK:
		return now.unix_ms;
	case HEALTH_PACED:
	case HEALTH_THROTTLED:
	case HEALTH_FAILING:
		return health->until == ND_NEVER ? 0
						 : now.unix_ms + (health->until > now.ms ? health->until - now.ms : 0);
	case HEALTH_HELD:
	case HEALTH_PAUSED:
	case HEALTH_STATE_COUNT:
		break;
	}
	return 0;
}

nd_ms
health_deadline(const struct health *health)
{
	return health->state == HEALTH_OK || health->state == HEALTH_PAUSED || health->probing ? ND_NEVER
											       : health->until;
}

bool
health_told(struct health *health)
{
	bool changed = health->changed;

	health->changed = false;
	return changed;
}

bool
health_quiet(const struct health *health, nd_ms now)
{
	return health->quiet > now;
}

const char *
health_words(const struct health *health, struct nd_now now, char out[HEALTH_WORDS])
{
	char delay[80] = "", at[ND_STAMP_SIZE];

	if (health_quiet(health, now.ms) && health->until > now.ms)
		(void)snprintf(delay, sizeof(delay), ": known propagation delay, next try at %.5s UTC",
		    nd_stamp_rfc3339(now.unix_ms + (health->until - now.ms), at) + strlen("2026-11-22T"));
	else if (health_quiet(health, now.ms))
		(void)snprintf(delay, sizeof(delay), ": known propagation delay, it is tried now");
	(void)snprintf(
	    out, HEALTH_WORDS, "%s%s%s%s", health->reason, delay, health->detail[0] ? ": " : "", health->detail);
	return out;
}
