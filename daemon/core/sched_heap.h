/* SPDX-License-Identifier: Apache-2.0 */
/* sched_heap.h - jobs in order: the binary heap of sched.  Layer: core.  Pure. */
#ifndef ND_CORE_SCHED_HEAP_H
#define ND_CORE_SCHED_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct sched_job;
struct sched_heap {
	struct sched_job **item; /* owned array; the jobs are not */
	size_t count, room;
	bool ready; /* its order: severe first, then oldest due, then oldest id; else by due time alone */
};

bool sched_heap_before(const struct sched_job *a, const struct sched_job *b, bool ready);
void sched_heap_add(struct sched_heap *heap, struct sched_job *job);
void sched_heap_remove(struct sched_heap *heap, struct sched_job *job); /* it is in there, at job->at */
struct sched_job *sched_heap_first(const struct sched_heap *heap);      /* NULL: empty */

#endif
