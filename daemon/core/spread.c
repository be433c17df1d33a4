/* SPDX-License-Identifier: Apache-2.0 */
/* spread.c - what a provider refuses while a change of rights or switches spreads over its servers is a known delay.  Layer: core. */
#include "daemon/core/spread.h"

#include "daemon/core/hint.h"

nd_ms
spread_until(const struct conf_account *account, const char *words, nd_unix changed, struct nd_now now)
{
	const struct explain_row *found[EXPLAIN_FOUND];
	struct explain_facts facts;
	struct hint_room room;

	/* A change that lies ahead tells of a clock that was wrong. */
	if (changed == 0 || changed > now.unix_ms || now.unix_ms - changed >= SPREAD_TIME)
		return 0;
	hint_facts(account, HINT_OPERATOR, words, &room, &facts);
	if (explain_find(explain_used(), words, &facts, found) == 0 || !found[0]->spreads)
		return 0;
	return now.ms + SPREAD_TIME - (now.unix_ms - changed);
}
