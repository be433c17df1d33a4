/* SPDX-License-Identifier: Apache-2.0 */
/* acts_inner.h - what people do to jobs: for acts*.c alone.
 *
 *   acts.c       one job; the queue
 *   acts_many.c  all jobs that fit a filter
 */
#ifndef ND_DAEMON_ACTS_INNER_H
#define ND_DAEMON_ACTS_INNER_H

#include "daemon/app.h"

/* How one job's action ended: why->err ND_OK changed (state is new), else refused; later: after the present try. */
typedef void act_done(void *arg, enum job_state state, bool later, const struct nd_why *why);

struct app_act { /* one action that waits: for a commit, or for a load */
	struct app *app;
	struct queue_job *row;
	enum job_action action;
	enum job_state before;
	const char *reason; /* static; what the job says then; NULL nothing */
	nd_unix expires;    /* an end of its own that stands; 0 none */
	act_done *done;
	void *arg;
	bool committing; /* the engine has it: outcome of the commit comes by acts_stored */
	struct app_act *next;
};

/* Does it: `wish` tells action, reason, expires, done and arg. The row is as the store has it now; it is taken over. */
void acts_begin(struct app *app, struct queue_job *row, const struct app_act *wish);

#endif
