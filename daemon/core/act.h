/* SPDX-License-Identifier: Apache-2.0 */
/* act.h - what a person may do to a job: retry, hold, release, cancel.  Layer: core.  Pure. */
#ifndef ND_CORE_ACT_H
#define ND_CORE_ACT_H

#include "daemon/core/store.h"

struct act_time {
	nd_unix now;
	nd_ms max_age; /* that no job outlives */
};
/* Changes the row as the table of job.def says. ND_ESTATE, the state in words, the row untouched, where the action does
 * not fit; a job without an account cannot be released or retried, it has no sender yet. A retry begins the default age anew, and leaves an end
 * of the job's own that lies ahead; one that is older than max_age would end at once, and is refused. */
enum nd_err act_on(
    struct queue_job *job, enum job_action action, const struct act_time *time, struct nd_why *why) ND_MUST_CHECK;

#endif
