/* SPDX-License-Identifier: Apache-2.0 */
/* engine_share.c - accounts of one mailbox share its sessions, as they share its limits.  Layer: core.
 *
 * A provider counts the sessions of a mailbox, whichever account opened them. Who has fewer goes first, of these who has waited longer; who has more, or
 * has had one for a turn while another one had none, ends one of them when its mail is over.
 */
#include "daemon/core/engine_inner.h"

#define TURN ND_SEC(10)

static bool
full(const struct engine_account *account)
{
	return account->limit->open >= account->pool.max;
}

/* The n-th account, if it is another one of the mailbox. */
static const struct engine_account *
mate(const struct engine *engine, const struct engine_account *account, unsigned n)
{
	const struct engine_account *other = engine->accounts[n];

	return other != account && other->limit == account->limit ? other : NULL;
}

static bool
goes_before(const struct engine_account *a, const struct engine_account *b)
{
	const unsigned has = pool_total(&a->pool), others = pool_total(&b->pool);

	return has < others || (has == others && a->waits < b->waits);
}

bool
engine_share_take(struct engine *engine, struct engine_account *account, bool urgent, nd_ms now)
{
	const struct engine_account *other;

	if (account->limit->users <= 1) {
		account->waits = ND_NEVER;
		return !full(account);
	}
	if (!urgent) {
		account->waits = ND_NEVER;
	} else if (account->waits == ND_NEVER) {
		account->waits = now;
		engine->stirred = true;
	}
	if (full(account))
		return false;
	for (unsigned n = 0; n < engine->count; n++)
		if ((other = mate(engine, account, n)) != NULL && other->waits != ND_NEVER &&
		    goes_before(other, account))
			return false;
	account->waits = ND_NEVER;
	return true;
}

/* One of the mailbox is ending: whoever waits has a place soon. */
static bool
ending(const struct engine *engine, const struct limit *limit)
{
	for (unsigned n = 0; n < engine->count; n++)
		if (engine->accounts[n]->limit == limit && engine->accounts[n]->pool.count[POOL_CLOSING] > 0)
			return true;
	return false;
}

/* Of `holder`, for which `waiter` waits. */
static nd_ms
turn_ends(const struct engine_account *holder, const struct engine_account *waiter)
{
	return (holder->pool.opened > waiter->waits ? holder->pool.opened : waiter->waits) + TURN;
}

bool
engine_share_yields(const struct engine *engine, const struct engine_account *account, nd_ms now)
{
	const unsigned has = pool_total(&account->pool);
	const struct engine_account *other;
	unsigned others;

	if (account->limit->users <= 1 || ending(engine, account->limit))
		return false;
	for (unsigned n = 0; n < engine->count; n++) {
		other = mate(engine, account, n);
		if (!other || other->waits == ND_NEVER || !full(other))
			continue;
		others = pool_total(&other->pool);
		if (sched_ready(&account->sched) == 0 || has > others + 1 ||
		    (has > others && now >= turn_ends(account, other)))
			return true;
	}
	return false;
}

nd_ms
engine_share_deadline(const struct engine *engine, const struct engine_account *account, nd_ms now)
{
	const struct engine_account *other;
	nd_ms at = ND_NEVER, ends;

	for (unsigned n = 0; n < engine->count && account->waits != ND_NEVER; n++) {
		other = mate(engine, account, n);
		ends = other ? turn_ends(other, account) : ND_NEVER;
		if (ends > now && ends < at)
			at = ends;
	}
	return at;
}
