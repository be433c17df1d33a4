/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_habits.h - how the host of an account may be spoken to, learned from what came of it.  Layer: core.  Pure.
 *
 * A whole mail in one flight wastes its octets when the relay wants none of it, and is uncertain as soon as it has left: so only for a host that took a
 * mail in the last hour. A manner that a host refused, though it offers it, is left for four hours; so are several mails at once when anything but plain
 * replies to each came of it.
 */
#ifndef ND_CORE_SMTP_HABITS_H
#define ND_CORE_SMTP_HABITS_H

#include "common/clock.h"
#include "daemon/core/smtp_proto.h"

#include <stdbool.h>

#define SMTP_HABITS_FRESH ND_HOUR(1)
#define SMTP_HABITS_SHY ND_HOUR(4)

/* Begin with a zeroed struct. */
struct smtp_habits {
	bool trusted; /* it took a mail, at: */
	nd_ms taken;
	nd_ms shy_until; /* until then not above: */
	enum smtp_pace most;
	nd_ms alone_until; /* until then one mail of a session at a time */
};

/* How many mails of a session may be under way at once, of the `window` the account allows. */
unsigned smtp_habits_window(const struct smtp_habits *habits, unsigned window, nd_ms now);
/* How the next mail may be said. */
enum smtp_pace smtp_habits_pace(const struct smtp_habits *habits, nd_ms now);
void smtp_habits_learn(struct smtp_habits *habits, const struct smtp_outcome *outcome, nd_ms now);

#endif
