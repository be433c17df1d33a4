/* SPDX-License-Identifier: Apache-2.0 */
/* waiters.c - requests that wait until a job is final or held (?wait=). */
#include "daemon/app.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

struct app_waiter {
	struct app *app;
	struct http_request *request;
	char id[ND_ULID_LEN + 1];
	struct loop_timer *timer;
	struct app_waiter *next;
};

static void
unlink_waiter(struct app_waiter *waiter)
{
	struct app_waiter **at = &waiter->app->waiters;

	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
	loop_timer_free(waiter->timer);
}

/* The client has left: nobody to answer. */
static void
left(void *context)
{
	struct app_waiter *waiter = context;

	unlink_waiter(waiter);
	free(waiter);
}

static void
answer(void *arg)
{
	struct app_waiter *waiter = arg;

	unlink_waiter(waiter);
	http_request_own(waiter->request, NULL, NULL);
	handlers_show(waiter->app, waiter->request, waiter->id, true);
	free(waiter);
}

void
waiters_add(struct app *app, struct http_request *request, const char *id, nd_ms wait)
{
	struct app_waiter *waiter = nd_xalloc(sizeof(*waiter));

	waiter->app = app;
	waiter->request = request;
	memcpy(waiter->id, id, sizeof(waiter->id));
	waiter->timer = loop_timer_new(app->loop, answer, waiter);
	waiter->next = app->waiters;
	app->waiters = waiter;
	loop_timer_set(waiter->timer, loop_now(app->loop).ms + wait);
	http_request_own(request, waiter, left);
}

void
waiters_wake(struct app *app, const char *id, enum job_state state)
{
	struct app_waiter *waiter, *next;

	if (!job_state_final(state) && state != JOB_HELD)
		return;
	for (waiter = app->waiters; waiter; waiter = next) {
		next = waiter->next;
		if (strcmp(waiter->id, id) == 0)
			answer(waiter);
	}
}

void
waiters_end(struct app *app)
{
	while (app->waiters)
		answer(app->waiters); /* NOLINT(clang-analyzer-unix.Malloc): each takes itself off the list */
}
