/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - threads that take tasks from one queue.  Layer: io.
 *
 * Threads are started when there is something for them to do.
 */
#include "daemon/io/worker.h"

#include "common/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 16 /* of the kernel, NUL included */

struct worker {
	char name[NAME_SIZE];
	pthread_t *threads;
	unsigned room; /* of threads */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t wake;
	struct worker_task *first, **end;
	unsigned queued, idle, started, running;
	bool stopping, abandoned;
};

static void
must(int failed)
{
	if (failed)
		abort();
}

static void
discard(struct worker *worker)
{
	must(pthread_cond_destroy(&worker->wake));
	must(pthread_mutex_destroy(&worker->lock));
	free(worker->threads);
	free(worker);
}

/* The next task, or NULL when there is nothing left to do for ever. With the lock held. */
static struct worker_task *
next_task(struct worker *worker)
{
	struct worker_task *task;

	while (worker->first == NULL) {
		if (worker->stopping)
			return NULL;
		worker->idle++;
		must(pthread_cond_wait(&worker->wake, &worker->lock));
		worker->idle--;
	}
	task = worker->first;
	worker->first = task->next;
	if (worker->first == NULL)
		worker->end = &worker->first;
	worker->queued--;
	return task;
}

static void *
labour(void *arg)
{
	struct worker *worker = arg;
	struct worker_task *task;
	bool last;

	(void)pthread_setname_np(pthread_self(), worker->name);
	must(pthread_mutex_lock(&worker->lock));
	while ((task = next_task(worker)) != NULL) {
		must(pthread_mutex_unlock(&worker->lock));
		task->run(task);
		must(pthread_mutex_lock(&worker->lock));
	}
	worker->running--;
	last = worker->abandoned && worker->running == 0;
	must(pthread_mutex_unlock(&worker->lock));
	if (last)
		discard(worker);
	return NULL;
}

/* Signals are the loop's; only those that a thread's own fault raises stay. */
static void
block_signals(sigset_t *old)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
	sigset_t all;

	must(sigfillset(&all));
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		must(sigdelset(&all, own[i]));
	must(pthread_sigmask(SIG_SETMASK, &all, old));
}

/* With the lock held. One thread must be had; fewer than wished for will do. */
static void
start_thread(struct worker *worker)
{
	sigset_t old;
	int failed;

	block_signals(&old);
	failed = pthread_create(&worker->threads[worker->started], NULL, labour, worker);
	must(pthread_sigmask(SIG_SETMASK, &old, NULL));
	if (failed) {
		must(worker->started == 0);
		return;
	}
	worker->started++;
	worker->running++;
}

struct worker *
worker_new(const char *name, unsigned threads)
{
	struct worker *worker = nd_xalloc(sizeof(*worker));

	strncpy(worker->name, name, sizeof(worker->name) - 1);
	worker->room = threads ? threads : 1;
	worker->threads = nd_xalloc(worker->room * sizeof(*worker->threads));
	must(pthread_mutex_init(&worker->lock, NULL));
	must(pthread_cond_init(&worker->wake, NULL));
	worker->end = &worker->first;
	return worker;
}

void
worker_put(struct worker *worker, struct worker_task *task)
{
	task->next = NULL;
	must(pthread_mutex_lock(&worker->lock));
	*worker->end = task;
	worker->end = &task->next;
	worker->queued++;
	if (worker->queued > worker->idle && worker->started < worker->room)
		start_thread(worker);
	must(pthread_cond_signal(&worker->wake));
	must(pthread_mutex_unlock(&worker->lock));
}

void
worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	must(pthread_mutex_lock(&worker->lock));
	worker->stopping = true;
	must(pthread_cond_broadcast(&worker->wake));
	must(pthread_mutex_unlock(&worker->lock));
	for (unsigned i = 0; i < worker->started; i++)
		must(pthread_join(worker->threads[i], NULL));
	discard(worker);
}

void
worker_abandon(struct worker *worker)
{
	bool none;

	if (worker == NULL)
		return;
	must(pthread_mutex_lock(&worker->lock));
	worker->stopping = true;
	worker->abandoned = true;
	for (unsigned i = 0; i < worker->started; i++)
		must(pthread_detach(worker->threads[i]));
	none = worker->running == 0;
	must(pthread_cond_broadcast(&worker->wake));
	must(pthread_mutex_unlock(&worker->lock));
	if (none)
		discard(worker);
}
