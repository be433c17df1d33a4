/* SPDX-License-Identifier: Apache-2.0 */
/* store_hold.c - requests on their way from the loop to the storage thread.  Layer: io.
 *
 * The thread is given all that a turn of the loop asks for at once: a commit that began with the first of sixteen requests would leave the others to the
 * next. Outcomes, for which nobody waits, stay held for a moment, until something else is asked for. The order is that of submission.
 */
#include "daemon/io/store_internal.h"

#include <stdlib.h>

#define HOLD_TIME 2   /* ms that an outcome may wait for others */
#define HOLD_MOST 16u /* outcomes do not wait for more */

static void
must(int failed)
{
	if (failed)
		abort();
}

/* What is held goes to the thread. */
static void
pass_on(void *arg)
{
	struct store *store = arg;

	store->passing = false;
	store->held_count = 0;
	loop_timer_set(store->hold, ND_NEVER);
	if (store->held == NULL)
		return;
	must(pthread_mutex_lock(&store->lock));
	*store->last = store->held;
	store->last = store->held_end;
	must(pthread_cond_signal(&store->wake));
	must(pthread_mutex_unlock(&store->lock));
	store->held = NULL;
	store->held_end = &store->held;
}

/* In the next turn: what this one has still to ask for goes along. */
static void
pass_soon(struct store *store)
{
	if (!store->passing)
		loop_soon(store->loop, pass_on, store);
	store->passing = true;
}

void
store_hold(struct store *store, struct store_req *req)
{
	*store->held_end = req;
	store->held_end = &req->next;
	if (req->op != STORE_OUTCOME || ++store->held_count >= HOLD_MOST)
		pass_soon(store);
	else if (store->held_count == 1)
		loop_timer_set(store->hold, loop_now(store->loop).ms + HOLD_TIME);
}

void
store_hold_begin(struct store *store)
{
	store->held_end = &store->held;
	store->hold = loop_timer_new(store->loop, pass_on, store);
}

void
store_hold_end(struct store *store)
{
	pass_on(store);
	loop_forget(store->loop, store);
	loop_timer_free(store->hold);
}
