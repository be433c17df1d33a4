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

/* A host with one reader has no other recipient to show that all are refused: a policy is not its reader's, and an account that never delivered may be wrong
 * itself. */
static bool
one_reader_will_do(const struct refusals *refusals, const struct smtp_reply *reply)
{
	return nd_str_match("5.7.*", reply->enhanced) || (!refusals->proven && !nd_str_match("5.1.*", reply->enhanced));
}

/* Counted already: this job, or a refusal of this recipient. */
static bool
known(const struct refusals *refusals, const struct refusals_one *who, const struct smtp_reply *reply)
{
	const bool any = who->rcpt[0] == '\0' || one_reader_will_do(refusals, reply);
	unsigned i;

	for (i = 0; i < refusals->count; i++)
		if (strcmp(refusals->job[i].who.job, who->job) == 0 ||
		    (!any && nd_str_eq_nocase(refusals->job[i].who.rcpt, who->rcpt)))
			return true;
	return false;
}

bool
refusals_many(const struct refusals *refusals, const struct refusals_one *who, const struct smtp_reply *reply)
{
	if (!of_account(reply) || !alike(refusals, reply))
		return false;
	return refusals->held || (refusals->count + 1 >= REFUSALS_MANY && !known(refusals, who, reply));
}

/* It failed alike, and is not counted. */
static void
note_other(struct refusals *refusals, const struct refusals_one *who, nd_unix now)
{
	const unsigned n = refusals->others % REFUSALS_OTHERS;
	unsigned i;

	for (i = 0; i < refusals->count; i++)
		if (strcmp(refusals->job[i].who.job, who->job) == 0)
			return;
	for (i = 0; i < REFUSALS_OTHERS; i++)
		if (strcmp(refusals->other[i].job, who->job) == 0)
			return;
	memcpy(refusals->other[n].job, who->job, sizeof(refusals->other[n].job));
	refusals->other[n].at = now;
	refusals->others++;
}

void
refusals_note(struct refusals *refusals, const struct refusals_one *who, const struct smtp_reply *reply, nd_unix now)
{
	if (!of_account(reply) || refusals->again > 0)
		return;
	if (!alike(refusals, reply)) {
		*refusals = (struct refusals){ .proven = refusals->proven };
		refusals->code = reply->code;
		memcpy(refusals->enhanced, reply->enhanced, sizeof(refusals->enhanced));
	}
	if (refusals->count + 1 >= REFUSALS_MANY || known(refusals, who, reply)) {
		note_other(refusals, who, now);
		return;
	}
	refusals->job[refusals->count].who = *who;
	refusals->job[refusals->count++].at = now;
}

void
refusals_hold(struct refusals *refusals)
{
	if (!refusals->held)
		refusals->again =
		    refusals->count + (refusals->others < REFUSALS_OTHERS ? refusals->others : REFUSALS_OTHERS);
	refusals->held = true;
}

const char *
refusals_again(struct refusals *refusals, nd_unix now)
{
	while (refusals->again > 0) {
		const unsigned i = --refusals->again, k = i - refusals->count;

		if (i < refusals->count && now - refusals->job[i].at <= REFUSALS_REACH)
			return refusals->job[i].who.job;
		if (i >= refusals->count && now - refusals->other[k].at <= REFUSALS_REACH)
			return refusals->other[k].job;
	}
	return NULL;
}

void
refusals_delivered(struct refusals *refusals)
{
	if (refusals->proven && refusals->code == 0) /* as ever: there is nothing to forget */
		return;
	*refusals = (struct refusals){ .proven = true };
}

void
refusals_clear(struct refusals *refusals)
{
	*refusals = (struct refusals){ 0 };
}
