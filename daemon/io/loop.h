/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - the event loop: time, timers, signals, what other threads send, and freeing late.  Layer: io.  Knows libevent.
 *
 * Callbacks of libevent only feed machines and mark them due; work is done by functions given to loop_soon(), which run when the turn's events are handled.
 * Objects are freed with loop_free_later(): never under their own callback. One loop, one thread; only loop_post is for other threads.
 */
#ifndef ND_IO_LOOP_H
#define ND_IO_LOOP_H

#include "common/clock.h"

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct loop;
struct loop_timer;

struct loop *loop_new(void);
void loop_free(struct loop *loop); /* runs the notes and late frees that are left; no soon functions */
void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop);
struct event_base *loop_base(struct loop *loop); /* for the other files of io that know libevent */
struct nd_now loop_now(struct loop *loop);       /* read once a turn */
uint64_t loop_turns(const struct loop *loop);    /* for the watchdog: turns so far */

typedef void loop_fn(void *arg);
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg);
void loop_timer_free(struct loop_timer *timer); /* NULL is fine; safe inside fn */
void loop_timer_set(struct loop_timer *timer,
    nd_ms at); /* ND_NEVER stops it; the past fires in the next turn. CLOCK_BOOTTIME: a timerfd */
void loop_soon(
    struct loop *loop, loop_fn *fn, void *arg); /* once, at the end of this turn; the same (fn, arg) is run once */
void loop_forget(struct loop *loop, void *arg); /* nothing of loop_soon runs with this arg any more */
void loop_free_later(struct loop *loop, loop_fn *fn, void *arg); /* fn(arg) after this turn's soon functions */
void loop_signal(struct loop *loop, int signo, loop_fn *fn, void *arg);

/* Messages from other threads: an intrusive list and an eventfd. */
struct loop_note {
	struct loop_note *next;
	loop_fn *fn; /* runs on the loop with arg */
	void *arg;
};
void loop_post(struct loop *loop, struct loop_note *note); /* any thread; note belongs to the loop until fn runs */

#endif
