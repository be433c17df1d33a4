/* SPDX-License-Identifier: Apache-2.0 */
/* declined.h - which accounts a job cannot go by, for what it is: too big, or in need of something their servers do not offer.  Layer: core.  Pure.
 *
 * Kept with the job (queue_job.declined, and the store): the reason of the first of them on a line, then their names, one a line.
 */
#ifndef ND_CORE_DECLINED_H
#define ND_CORE_DECLINED_H

#include "daemon/core/store.h"

#include <stdbool.h>

bool declined_by(const struct queue_job *job, const char *account);
/* By this one too; job->reason says why. */
void declined_note(struct queue_job *job, const char *account);
/* No account is left: job->reason is what the first one said. */
void declined_tell(struct queue_job *job);

#endif
