/* SPDX-License-Identifier: Apache-2.0 */
/* hint.c - what to do about a failure of an account: the one place hints come from.  Layer: core. */
#include "daemon/core/hint.h"

#include <stddef.h>

void
hint_facts(const struct conf_account *account, enum hint_for reader, struct explain_facts *facts)
{
	*facts = (struct explain_facts){ 0 };
	if (account == NULL)
		return;
	*facts = (struct explain_facts){ .provider = conf_provider_name(account->provider),
		.account = account->name,
		.user = account->user,
		.host = account->host,
		.from = account->from_box.address };
	if (reader == HINT_OPERATOR) {
		facts->tenant = account->tenant;
		facts->client_id = account->client_id;
	}
}

const char *
hint_of(const struct conf_account *account, enum hint_for reader, const char *words, const struct nd_why *why,
    struct nd_buf *out)
{
	struct explain_facts facts;

	hint_facts(account, reader, &facts);
	if (!explain_hint(words, &facts, EXPLAIN_EN, out) && why != NULL)
		(void)nd_buf_adds(out, nd_why_hint(why));
	return nd_buf_text(out);
}
