/* SPDX-License-Identifier: Apache-2.0 */
/* act.h - what a person may do to a job: retry, hold, release, cancel.  Layer: core.  Pure. */
#ifndef ND_CORE_ACT_H
#define ND_CORE_ACT_H

#include "daemon/core/store.h"

/* Changes the row as the table of job.def says. ND_ESTATE, the state in words, the row untouched, where the action does
 * not fit; a job without an account cannot be released or retried, it has no sender yet. */
enum nd_err act_on(struct queue_job *job, enum job_action action, nd_unix now, struct nd_why *why) ND_MUST_CHECK;

#endif
