/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - a thread that takes tasks one after another.  Layer: io.  Used by the storage, file and resolver threads.
 *
 * worker_put (loop) ─► queue ─► run(task) on the thread; the task posts its own answer with loop_post.
 */
#ifndef ND_IO_WORKER_H
#define ND_IO_WORKER_H

#include <stdbool.h>
#include <stddef.h>

struct worker;
struct worker_task {
	struct worker_task *next;
	void (*run)(struct worker_task *task); /* on a thread */
};

/* `threads` of them share one queue. Signals are blocked in them. name: of the threads, <= 15 characters. */
struct worker *worker_new(const char *name, unsigned threads);
void worker_put(struct worker *worker, struct worker_task *task);
void worker_free(struct worker *worker); /* runs what is queued, then joins */
/* As free, but waits for nobody: the threads run what is queued and go. For tasks that cannot be interrupted. */
void worker_abandon(struct worker *worker);

#endif
