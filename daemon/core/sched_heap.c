/* SPDX-License-Identifier: Apache-2.0 */
/* sched_heap.c - jobs in order: the binary heap of sched.  Layer: core. */
#include "daemon/core/sched_heap.h"

#include "common/mem.h"
#include "daemon/core/sched.h"

#include <string.h>

bool
sched_heap_before(const struct sched_job *a, const struct sched_job *b, bool ready)
{
	if (ready && a->last != b->last)
		return b->last;
	if (ready && a->severe != b->severe)
		return a->severe;
	if (a->due != b->due)
		return a->due < b->due;
	return strcmp(a->job->id, b->job->id) < 0;
}

static void
place_at(struct sched_heap *heap, size_t at, struct sched_job *job)
{
	heap->item[at] = job;
	job->at = at;
}

static void
rise(struct sched_heap *heap, size_t at)
{
	struct sched_job *job = heap->item[at];

	while (at > 0 && sched_heap_before(job, heap->item[(at - 1) / 2], heap->ready)) {
		place_at(heap, at, heap->item[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place_at(heap, at, job);
}

static void
sink(struct sched_heap *heap, size_t at)
{
	struct sched_job *job = heap->item[at];
	size_t child;

	while ((child = 2 * at + 1) < heap->count) {
		if (child + 1 < heap->count && sched_heap_before(heap->item[child + 1], heap->item[child], heap->ready))
			child++;
		if (!sched_heap_before(heap->item[child], job, heap->ready))
			break;
		place_at(heap, at, heap->item[child]);
		at = child;
	}
	place_at(heap, at, job);
}

void
sched_heap_add(struct sched_heap *heap, struct sched_job *job)
{
	if (heap->count == heap->room) {
		heap->room = heap->room ? 2 * heap->room : 16;
		heap->item = nd_xrealloc(heap->item, heap->room * sizeof(struct sched_job *));
	}
	place_at(heap, heap->count++, job);
	rise(heap, job->at);
}

void
sched_heap_remove(struct sched_heap *heap, struct sched_job *job)
{
	size_t at = job->at;

	heap->count--;
	if (at == heap->count)
		return;
	place_at(heap, at, heap->item[heap->count]);
	rise(heap, at);
	sink(heap, heap->item[at]->at);
}

struct sched_job *
sched_heap_first(const struct sched_heap *heap)
{
	return heap->count > 0 ? heap->item[0] : NULL;
}
