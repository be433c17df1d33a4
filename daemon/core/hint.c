/* SPDX-License-Identifier: Apache-2.0 */
/* hint.c - what to do about a failure of an account: the one place hints come from.  Layer: core. */
#include "daemon/core/hint.h"

#include <stdio.h>
#include <string.h>

/* A failure of the token endpoint names that host. */
static const char *
host_of(const struct conf_account *account, const char *words, struct hint_room *room)
{
	const char *url = account->token_url != NULL ? strstr(account->token_url, "://") : NULL;

	if (url == NULL)
		return account->host;
	(void)snprintf(room->host, sizeof(room->host), "%.*s", (int)strcspn(url + 3, "/:?"), url + 3);
	return room->host[0] != '\0' && strstr(words, room->host) != NULL ? room->host : account->host;
}

void
hint_facts(const struct conf_account *account, enum hint_for reader, const char *words, struct hint_room *room,
    struct explain_facts *facts)
{
	*facts = (struct explain_facts){ 0 };
	if (account == NULL)
		return;
	*facts = (struct explain_facts){ .provider = conf_provider_name(account->provider),
		.account = account->name,
		.user = account->user,
		.host = host_of(account, words, room),
		.from = account->from_box.address,
		.redirect_uri = account->redirect_uri };
	if (reader == HINT_OPERATOR) {
		facts->tenant = account->tenant;
		facts->client_id = account->client_id;
	}
}

const struct explain_row *
hint_token_row(
    const struct conf_account *account, const struct claims *claims, const char *words, struct explain_facts *facts)
{
	const struct explain_row *found[EXPLAIN_FOUND];
	enum claims_fault fault;
	char text[64];

	if (claims == NULL)
		return NULL;
	claims_facts(claims, facts);
	if (explain_find(explain_used(), words, facts, found) == 0)
		return NULL;
	fault = claims_blame(claims, account, found[0]->token);
	(void)snprintf(text, sizeof(text), CLAIMS_WORDS "%s", claims_fault_name(fault));
	return explain_find(explain_used(), text, facts, found) > 0 ? found[0] : NULL;
}

const char *
hint_by_token(const struct conf_account *account, const struct claims *claims, const char *words,
    const struct nd_why *why, struct nd_buf *out)
{
	const struct explain_row *row;
	struct explain_facts facts;
	struct hint_room room;

	hint_facts(account, HINT_OPERATOR, words, &room, &facts);
	row = hint_token_row(account, claims, words, &facts);
	if (row != NULL) {
		explain_fill(explain_cause(row, EXPLAIN_EN), &facts, out);
		(void)nd_buf_adds(out, "; ");
		explain_cure(row, &facts, EXPLAIN_EN, out);
	} else if (!explain_hint(words, &facts, EXPLAIN_EN, out) && why != NULL) {
		(void)nd_buf_adds(out, nd_why_hint(why));
	}
	return nd_buf_text(out);
}

const char *
hint_of(const struct conf_account *account, enum hint_for reader, const char *words, const struct nd_why *why,
    struct nd_buf *out)
{
	struct explain_facts facts;
	struct hint_room room;

	if (reader == HINT_OPERATOR)
		return hint_by_token(account, NULL, words, why, out);
	hint_facts(account, reader, words, &room, &facts);
	if (!explain_hint(words, &facts, EXPLAIN_EN, out) && why != NULL)
		(void)nd_buf_adds(out, nd_why_hint(why));
	return nd_buf_text(out);
}

const char *
hint_of_health(
    const struct conf_account *account, enum hint_for reader, const struct health *health, struct nd_buf *out)
{
	if (reader == HINT_OWNER)
		return hint_of(account, reader, health->detail, NULL, out);
	(void)nd_buf_adds(out, health->hint);
	return nd_buf_text(out);
}
