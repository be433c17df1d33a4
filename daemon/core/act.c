/* SPDX-License-Identifier: Apache-2.0 */
/* act.c - what a person may do to a job.  Layer: core. */
#include "daemon/core/act.h"

#include <stdlib.h>

/* Recipients in one of the states `from` (bits) go to `to`. */
static void
move_rcpts(struct queue_job *job, unsigned from, enum rcpt_state to, nd_unix at)
{
	unsigned i;

	for (i = 0; i < job->rcpt_count; i++)
		if (from & (1u << job->rcpts[i].state)) {
			job->rcpts[i].state = (uint8_t)to;
			job->rcpts[i].at = at;
		}
}

/* A time that is over must not end it again. */
static void
renew(struct queue_job *job, nd_unix now)
{
	move_rcpts(job, 1u << RCPT_REFUSED | 1u << RCPT_EXPIRED, RCPT_PENDING, 0);
	job->attempt_count = 0;
	if (job->expires <= now)
		job->expires = 0;
	job->age_from = now;
	job->again = false;
	free(job->declined);
	job->declined = NULL;
}

enum nd_err
act_on(struct queue_job *job, enum job_action action, const struct act_time *time, struct nd_why *why)
{
	const nd_unix now = time->now;
	enum job_state state = (enum job_state)job->state, to = job_action_leads_to(action);

	if (!job_action_fits(action, state))
		return nd_fail(why, ND_ESTATE, 0, "job %s is %s: %s does not apply", job->id, job_state_name(state),
		    job_action_name(action));
	if (job_state_final(state) && job->sealed) {
		(void)nd_fail(why, ND_EBODYGONE, 0,
		    "job %s was sensitive: its message was wiped when it came to an end", job->id);
		(void)nd_fail_at(why, "", 0, "submit it again");
		return ND_EBODYGONE;
	}
	if (job_state_final(state) && !job->body_kept)
		return nd_fail(why, ND_EBODYGONE, 0, "the message of job %s is kept no longer", job->id);
	if (to == JOB_QUEUED && (!job->account || job->account[0] == '\0'))
		return nd_fail(why, ND_ESTATE, 0, "job %s has no account yet", job->id);
	if (action == JOB_RETRY && now >= job->created + time->max_age) {
		(void)nd_fail(
		    why, ND_ESTATE, 0, "job %s is older than [queue] max_age: it would expire at once", job->id);
		(void)nd_fail_at(why, "", 0, "submit it again: notifyctl message ID shows what it says");
		return ND_ESTATE;
	}
	if (action == JOB_RETRY)
		renew(job, now);
	if (action == JOB_CANCEL)
		move_rcpts(job, 1u << RCPT_PENDING, RCPT_CANCELLED, now);
	if (to == JOB_QUEUED)
		job->due =
		    job->not_before > now ? job->not_before : now; /* when it was asked for, also after trouble */
	job->state = (uint8_t)to;
	free(job->reason);
	free(job->hint);
	job->reason = job->hint = NULL;
	return ND_OK;
}
