/* SPDX-License-Identifier: Apache-2.0 */
/* hint.h - what to do about a failure of an account: the one place hints come from.  Layer: core.  Pure. */
#ifndef ND_CORE_HINT_H
#define ND_CORE_HINT_H

#include "common/buf.h"
#include "common/err.h"
#include "common/explain.h"
#include "daemon/core/claims.h"
#include "daemon/core/conf.h"
#include "daemon/core/health.h"

/* OWNER: for those who may send a job; nothing that only operators see (tenant, client id). */
enum hint_for { HINT_OPERATOR, HINT_OWNER };

/* What the table may fill in; the texts are borrowed of the account, and of `room`. account NULL: nothing. {host} is the server's, or that of the token
 * endpoint when `words` name it. */
struct hint_room {
	char host[256];
};
void hint_facts(const struct conf_account *account, enum hint_for reader, const char *words, struct hint_room *room,
    struct explain_facts *facts);
/* The remedy for `words` by the table of explanations, else the failure's own (why NULL: none). Returns the text in `out`, "" none. */
const char *hint_of(const struct conf_account *account, enum hint_for reader, const char *words,
    const struct nd_why *why, struct nd_buf *out);

/* The same for operators, of an account whose token was refused: often that says itself what is missing, and its ids are those of the commands.
 * claims NULL: nothing is known of the token. */
const char *hint_by_token(const struct conf_account *account, const struct claims *claims, const char *words,
    const struct nd_why *why, struct nd_buf *out);
/* The row that speaks of `words` by the token (NULL: none), whose facts are added. */
const struct explain_row *hint_token_row(
    const struct conf_account *account, const struct claims *claims, const char *words, struct explain_facts *facts);

/* The same of what an account meets now: all that is known of it to operators, to others what the table has for its words. */
const char *hint_of_health(
    const struct conf_account *account, enum hint_for reader, const struct health *health, struct nd_buf *out);

#define HINT_LIMIT 2048u /* for `out` */

#endif
