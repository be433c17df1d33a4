/* SPDX-License-Identifier: Apache-2.0 */
/* refusals.c - the same final refusal again and again is a fault of the account, not of the messages.  Layer: core. */
#include "daemon/core/refusals.h"

#include "common/mem.h"
#include "common/str.h"

#include <stddef.h>
#include <stdlib.h>
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
		if (strcmp(refusals->counted[i].job, who->job) == 0 ||
		    (!any && nd_str_eq_nocase(refusals->counted[i].rcpt, who->rcpt)))
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

static void
forget(struct refusals *refusals, bool proven)
{
	free(refusals->failed);
	refusals->failed = NULL;
	refusals->count = refusals->failed_count = refusals->failed_room = refusals->again = 0;
	refusals->code = 0;
	refusals->held = false;
	refusals->proven = proven;
}

/* Each job once, and of very many the last ones. */
static void
remember(struct refusals *refusals, const char *id, nd_unix now)
{
	struct refusals_job *failed = refusals->failed;
	unsigned i;

	for (i = 0; i < refusals->failed_count && strcmp(failed[i].id, id) != 0; i++)
		;
	if (i == refusals->failed_count && i == refusals->failed_room && i < REFUSALS_KEPT) {
		refusals->failed_room = i == 0 ? 2 * REFUSALS_MANY : 2 * i < REFUSALS_KEPT ? 2 * i : REFUSALS_KEPT;
		refusals->failed = nd_xrealloc(failed, refusals->failed_room * sizeof(*failed));
		failed = refusals->failed;
	}
	if (i == REFUSALS_KEPT)
		i = 0; /* the oldest one goes */
	if (i < refusals->failed_count)
		memmove(failed + i, failed + i + 1, (--refusals->failed_count - i) * sizeof(*failed));
	i = refusals->failed_count++;
	memcpy(failed[i].id, id, sizeof(failed[i].id));
	failed[i].at = now;
}

void
refusals_note(struct refusals *refusals, const struct refusals_one *who, const struct smtp_reply *reply, nd_unix now)
{
	if (!of_account(reply) || refusals->again > 0)
		return;
	if (!alike(refusals, reply)) {
		forget(refusals, refusals->proven);
		refusals->code = reply->code;
		memcpy(refusals->enhanced, reply->enhanced, sizeof(refusals->enhanced));
	}
	remember(refusals, who->job, now);
	if (refusals->count + 1 < REFUSALS_MANY && !known(refusals, who, reply))
		refusals->counted[refusals->count++] = *who;
}

void
refusals_hold(struct refusals *refusals)
{
	if (!refusals->held)
		refusals->again = refusals->failed_count;
	refusals->held = true;
}

const char *
refusals_again(struct refusals *refusals, nd_unix now)
{
	while (refusals->again > 0) {
		refusals->again--;
		if (now - refusals->failed[refusals->again].at <= REFUSALS_REACH)
			return refusals->failed[refusals->again].id;
	}
	return NULL;
}

void
refusals_delivered(struct refusals *refusals)
{
	if (!refusals->proven || refusals->code != 0) /* else it is as ever */
		forget(refusals, true);
}

void
refusals_clear(struct refusals *refusals)
{
	forget(refusals, false);
}
