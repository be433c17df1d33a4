/* SPDX-License-Identifier: Apache-2.0 */
/* sched_owner.h - who submitted the jobs of a window, and whose turn it is.  Layer: core.  Pure.
 *
 * Fair queueing by turns: each job that leaves costs its owner a turn, and the owner with the fewest goes next. Who comes anew begins where
 * the others are, so nobody saves up turns. A flood of one submitter thus costs another one no more than one job ahead of its own.
 */
#ifndef ND_CORE_SCHED_OWNER_H
#define ND_CORE_SCHED_OWNER_H

#include "daemon/core/sched_heap.h"

#include <stdint.h>

enum sched_size { SCHED_SMALL, SCHED_BIG, SCHED_SIZES };

struct queue_job;
struct sched_owner {
	uint32_t uid;
	char *unit;       /* owned; NULL none */
	unsigned jobs;    /* of its in the window, in any place; it is freed with the last */
	unsigned waiting; /* of these, for their time */
	uint64_t turn;
	struct sched_heap ready[SCHED_SIZES];
	struct sched_owner *next;
};
struct sched_owners {
	struct sched_owner *first;
	uint64_t turn; /* of who left last */
};

void sched_owner_done(struct sched_owners *owners); /* of all */
/* The owner of this job, who has one more. */
struct sched_owner *sched_owner_of(struct sched_owners *owners, const struct queue_job *job);
void sched_owner_leave(struct sched_owners *owners, struct sched_owner *owner); /* has one less */
/* NULL it has none here. */
const struct sched_owner *sched_owner_known(const struct sched_owners *owners, const struct queue_job *job);
/* How many this job's owner has here already, but for those that wait for their time. */
unsigned sched_owner_due(const struct sched_owners *owners, const struct queue_job *job);
/* The ready job that goes next; `big`: big ones may. NULL none. */
struct sched_job *sched_owner_next(const struct sched_owners *owners, bool big);
void sched_owner_took(struct sched_owners *owners, struct sched_owner *owner); /* one of its jobs left */
/* It could not leave after all: its owner's turn is now, as it was. */
void sched_owner_returned(const struct sched_owners *owners, struct sched_owner *owner);

#endif
