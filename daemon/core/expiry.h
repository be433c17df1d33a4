/* SPDX-License-Identifier: Apache-2.0 */
/* expiry.h - what an account logs in with ends one day: when to say so, and that each warning is given once.  Layer: core.  Pure.
 *
 * Stages: 30, 14, 7, 3 and 1 days before the end, and after it. Of stages that were missed only the last is told. Where the end is not
 * known, a secret that has been in use for five months is: half a year is what Microsoft's portal offers first.
 */
#ifndef ND_CORE_EXPIRY_H
#define ND_CORE_EXPIRY_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/job.h"
#include "common/json.h"

#include <stdbool.h>

enum expiry_kind { EXPIRY_CLIENT_SECRET, EXPIRY_CERTIFICATE, EXPIRY_GRANT, EXPIRY_KINDS };
enum expiry_stage { EXPIRY_NONE, EXPIRY_OLD, EXPIRY_30, EXPIRY_14, EXPIRY_7, EXPIRY_3, EXPIRY_1, EXPIRY_OVER };
#define EXPIRY_MARK 9

/* What is known of one credential; kept across restarts. Zeroed: nothing. */
struct expiry {
	nd_unix ends;           /* 0 not known */
	nd_unix since;          /* when this one was first in use; 0 it is not in use */
	char mark[EXPIRY_MARK]; /* tells one secret from the next; "" none seen */
	unsigned told;          /* the last stage that was told */
};

const char *expiry_kind_name(enum expiry_kind kind); /* "client_secret" … */
/* The end as it is known now (0: not); another one begins anew. */
void expiry_ends(struct expiry *expiry, nd_unix ends);
/* The credential was used. Another mark is another credential: how long it is in use begins anew; its end is what the settings say. */
void expiry_used(struct expiry *expiry, const char *mark, nd_unix now);
enum expiry_stage expiry_stage(const struct expiry *expiry, nd_unix now);
/* A stage that was not told yet: it counts as told from now on. */
bool expiry_due(struct expiry *expiry, nd_unix now);
/* What was told of this stage reached nobody: it is due again. */
void expiry_refused(struct expiry *expiry, enum expiry_stage stage);
enum job_severity expiry_severity(enum expiry_stage stage);
/* One sentence: "client_secret of account m365 ends in 13 days, on 2027-05-01". false: there is nothing to say now. */
bool expiry_words(
    const struct expiry *expiry, enum expiry_kind kind, const char *account, nd_unix now, struct nd_buf *out);
const char *expiry_remedy(enum expiry_kind kind);
/* As members of an object; reading leaves out what is not well-formed. */
void expiry_write(const struct expiry *expiry, enum expiry_kind kind, struct json_out *out);
void expiry_read(struct expiry *expiry, const struct json_node *object);

#endif
