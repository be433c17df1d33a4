/* SPDX-License-Identifier: Apache-2.0 */
/* refusals.c - the same final refusal again and again is a fault of the account, not of the messages.  Layer: core. */
#include "daemon/core/refusals.h"

#include "common/str.h"

#include <stddef.h>
#include <string.h>

/* What speaks of one reader's mailbox, or of one message (RFC 3463): patterns. */
static const char *const of_one[] = { "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10", "5.2.1", "5.2.2", "5.2.3",
	"5.3.4", "5.4.1", "5.6.*", "5.7.30", "5.7.512" };

static bool
of_account(const struct smtp_reply *reply)
{
	size_t i;

	if (reply->code / 100 != 5 || reply->code == 552)
		return false;
	for (i = 0; i < sizeof(of_one) / sizeof(of_one[0]); i++)
		if (nd_str_match(of_one[i], reply->enhanced))
			return false;
	return true;
}

static bool
alike(const struct refusals *refusals, const struct smtp_reply *reply)
{
	return refusals->code == reply->code && strcmp(refusals->enhanced, reply->enhanced) == 0;
}

/* Counted already: this job, or a refusal of this recipient. */
static bool
known(const struct refusals *refusals, const struct refusals_one *who)
{
	unsigned i;

	for (i = 0; i < refusals->count; i++)
		if (strcmp(refusals->job[i].who.job, who->job) == 0 ||
		    (who->rcpt[0] != '\0' && nd_str_eq_nocase(refusals->job[i].who.rcpt, who->rcpt)))
			return true;
	return false;
}

bool
refusals_many(const struct refusals *refusals, const struct refusals_one *who, const struct smtp_reply *reply)
{
	if (!of_account(reply) || !alike(refusals, reply))
		return false;
	return refusals->held || (refusals->count + 1 >= REFUSALS_MANY && !known(refusals, who));
}

void
refusals_note(struct refusals *refusals, const struct refusals_one *who, const struct smtp_reply *reply, nd_unix now)
{
	if (!of_account(reply) || refusals->again > 0)
		return;
	if (!alike(refusals, reply)) {
		refusals_clear(refusals);
		refusals->code = reply->code;
		memcpy(refusals->enhanced, reply->enhanced, sizeof(refusals->enhanced));
	}
	if (refusals->count + 1 >= REFUSALS_MANY || known(refusals, who))
		return;
	refusals->job[refusals->count].who = *who;
	refusals->job[refusals->count++].at = now;
}

void
refusals_hold(struct refusals *refusals)
{
	if (!refusals->held)
		refusals->again = refusals->count;
	refusals->held = true;
}

const char *
refusals_again(struct refusals *refusals, nd_unix now)
{
	while (refusals->again > 0) {
		refusals->again--;
		if (now - refusals->job[refusals->again].at <= REFUSALS_REACH)
			return refusals->job[refusals->again].who.job;
	}
	return NULL;
}

void
refusals_clear(struct refusals *refusals)
{
	*refusals = (struct refusals){ 0 };
}
