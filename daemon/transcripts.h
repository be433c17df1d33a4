/* SPDX-License-Identifier: Apache-2.0 */
/* transcripts.h - the conversation of an attempt that failed, with its job or with the account whose fault it was. */
#ifndef ND_TRANSCRIPTS_H
#define ND_TRANSCRIPTS_H

#include "daemon/core/pool.h"
#include "daemon/core/store.h"

struct app;
struct json_out;
struct smtp_link;
struct transcripts_kept;

/* After the engine's word: an outcome that left somebody without his mail is told with the job (sched_job.transcript) when it goes to the store, else
 * the account remembers it if it was `blamed`. Nothing of a sensitive one. link NULL: none was reached. */
void transcripts_outcome(struct app *app, const struct pool_session *session, struct sched_job *job,
    const struct smtp_link *link, const struct smtp_outcome *outcome, bool blamed);
/* A session never became ready, and the account was blamed for it; or it did. */
void transcripts_unopened(
    struct app *app, struct engine_account *account, const struct smtp_link *link, const struct smtp_fault *fault);
void transcripts_opened(const struct pool_session *session);
void transcripts_free(struct transcripts_kept *kept);
/* Of a job that is shown: the account's while the account is what keeps it, else its own; none of a sensitive one. */
void transcripts_put(struct app *app, const struct queue_job *job, const struct store_req *tale, struct json_out *out);

#endif
