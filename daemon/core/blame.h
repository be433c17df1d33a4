/* SPDX-License-Identifier: Apache-2.0 */
/* blame.h - a reply that would hold the account: is it about the account, or about this mail's own sender or reader?  Layer: core.  Pure.
 *
 * With from_policy = allow a job may stand as another sender than the account's own; that the provider does not let it is no reason to keep the
 * other jobs. Amazon SES names in one sentence whoever is not verified, which in its sandbox may be a reader.
 */
#ifndef ND_CORE_BLAME_H
#define ND_CORE_BLAME_H

#include "daemon/core/conf.h"
#include "daemon/core/settle.h"
#include "daemon/core/verdict.h"

/* Is it about a From that is not the account's own address? */
bool blame_sender(const struct settle_case *c, const struct queue_job *job, enum smtp_stage stage,
    const struct verdict_word *verdict);
/* Is it about readers of this mail, and not about the account's own addresses? */
bool blame_readers(const struct settle_case *c, const struct verdict_word *verdict, const struct smtp_reply *reply);
/* What was such a blame of readers spares the others: they are in another transaction. */
bool blame_spares(const struct settle_case *c, const struct verdict_word *verdict, const struct smtp_reply *reply,
    const char *address);

#endif
