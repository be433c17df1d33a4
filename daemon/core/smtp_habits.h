/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_habits.h - how the host of an account may be spoken to, learned from what came of it.  Layer: core.  Pure.
 *
 * A whole mail in one flight wastes its octets when the relay wants none of it, and is uncertain as soon as it has left: so only for a host that took a
 * mail in the last hour. An extension that a host offers and refuses (smtp_ext.h) is left out for four hours; so are several mails at once when anything
 * but plain replies to each came of it; and a size that it refused, whatever it announces, is not tried there.
 */
#ifndef ND_CORE_SMTP_HABITS_H
#define ND_CORE_SMTP_HABITS_H

#include "common/clock.h"
#include "daemon/core/smtp_ext.h"

#include <stdbool.h>

#define SMTP_HABITS_FRESH ND_HOUR(1)
#define SMTP_HABITS_SMALL                                                                                              \
	(64u * 1024) /* octets that any server takes: what it says of fewer is not believed of the next mail */

/* Begin with a zeroed struct. */
struct smtp_habits {
	bool trusted; /* it took a mail, at: */
	nd_ms taken;
	unsigned rcpt_max, rcpt_domain_max; /* as it said last; 0: it did not say */
	nd_ms off_until[SMTP_EXT_COUNT];    /* until then without it */
	uint64_t too_big;                   /* the fewest octets that it refused; until: */
	nd_ms too_big_until;
};

/* What is left out now: a set of SMTP_EXT_BIT. */
unsigned smtp_habits_without(const struct smtp_habits *habits, nd_ms now);

/* How many mails of a session may be under way at once, of the `window` the account allows. */
unsigned smtp_habits_window(const struct smtp_habits *habits, unsigned window, nd_ms now);
/* How the next mail may be said, as far as the host offers it and it is not left out. */
enum smtp_pace smtp_habits_pace(const struct smtp_habits *habits, nd_ms now);
/* What it announces after EHLO. */
void smtp_habits_offered(struct smtp_habits *habits, const struct smtp_caps *caps);
/* How many recipients, and domains of these (0: no matter), a mail may have, when the account allows `allowed`. */
void smtp_habits_rcpts(const struct smtp_habits *habits, unsigned allowed, unsigned *most, unsigned *domains);
/* It refused a message of so many octets for its size. */
void smtp_habits_refused(struct smtp_habits *habits, uint64_t octets, nd_ms now);
/* Of so many octets none is tried now; 0: not known. */
uint64_t smtp_habits_too_big(const struct smtp_habits *habits, nd_ms now);
/* Returns what is left out from now on and was not before; SMTP_EXT_NONE: nothing. */
enum smtp_ext smtp_habits_learn(struct smtp_habits *habits, const struct smtp_outcome *outcome, nd_ms now);

#endif
