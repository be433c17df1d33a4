/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - the event loop.  Layer: io.  Knows libevent.
 *
 * One turn: arm the timer ─► wait and dispatch (libevent) ─► soon functions ─► late frees.
 * All timers share one timerfd: libevent's own timers stand still while the host is suspended.
 */
#include "daemon/io/loop.h"

#include "common/mem.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NOWHERE SIZE_MAX

struct loop_timer {
	struct loop *loop;
	loop_fn *fn;
	void *arg;
	nd_ms at;
	size_t place;                /* in the heap; NOWHERE: not in it */
	bool due;                    /* in the list of those that fire in this turn */
	struct loop_timer *next_due; /* borrowed, while due */
};

struct call {
	loop_fn *fn; /* NULL: forgotten */
	void *arg;
};
struct calls { /* a growing list */
	struct call *call;
	size_t count, room;
	size_t next; /* the next one to run, while the list is run */
};

struct signal_row {
	struct signal_row *next;
	struct event *event;
	loop_fn *fn;
	void *arg;
};

struct loop {
	struct event_base *base;
	bool stopped;
	uint64_t turns;
	struct nd_now now;
	bool now_known;

	int timer_fd;
	struct event *timer_event;
	struct loop_timer **heap; /* borrowed timers, the earliest first */
	size_t heap_count, heap_room;
	nd_ms armed; /* what the timerfd is set to */
	struct loop_timer *due;

	struct calls soon, running, later;
	struct signal_row *signals;

	int post_fd;
	struct event *post_event;
	pthread_mutex_t post_lock; /* guards the two below */
	struct loop_note *post_first;
	struct loop_note **post_end;
};

/* A call that only a broken kernel or a mistake of ours can make fail. */
static void
must(bool done)
{
	if (!done)
		abort();
}

/* -- time -- */

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct nd_now
loop_now(struct loop *loop)
{
	if (!loop->now_known) {
		loop->now.ms = read_clock(CLOCK_BOOTTIME);
		loop->now.unix_ms = read_clock(CLOCK_REALTIME);
		loop->now_known = true;
	}
	return loop->now;
}

/* -- timers: a binary heap -- */

static void
place(struct loop *loop, struct loop_timer *timer, size_t at)
{
	loop->heap[at] = timer;
	timer->place = at;
}

static void
sift_up(struct loop *loop, struct loop_timer *timer, size_t at)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (loop->heap[parent]->at <= timer->at)
			break;
		place(loop, loop->heap[parent], at);
		at = parent;
	}
	place(loop, timer, at);
}

static void
sift_down(struct loop *loop, struct loop_timer *timer, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= loop->heap_count)
			break;
		if (child + 1 < loop->heap_count && loop->heap[child + 1]->at < loop->heap[child]->at)
			child++;
		if (timer->at <= loop->heap[child]->at)
			break;
		place(loop, loop->heap[child], at);
		at = child;
	}
	place(loop, timer, at);
}

static void
heap_add(struct loop *loop, struct loop_timer *timer)
{
	if (loop->heap_count == loop->heap_room) {
		loop->heap_room = loop->heap_room ? loop->heap_room * 2 : 16;
		loop->heap = nd_xrealloc(loop->heap, loop->heap_room * sizeof(struct loop_timer *));
	}
	loop->heap_count++;
	sift_up(loop, timer, loop->heap_count - 1);
}

static void
heap_remove(struct loop *loop, struct loop_timer *timer)
{
	size_t at = timer->place;
	struct loop_timer *last = loop->heap[--loop->heap_count];

	timer->place = NOWHERE;
	if (last == timer)
		return;
	if (last->at < timer->at)
		sift_up(loop, last, at);
	else
		sift_down(loop, last, at);
}

/* Takes the timer out of whatever waits for it. */
static void
unset(struct loop_timer *timer)
{
	if (timer->place != NOWHERE)
		heap_remove(timer->loop, timer);
	if (timer->due) {
		struct loop_timer **at = &timer->loop->due;

		while (*at != timer)
			at = &(*at)->next_due;
		*at = timer->next_due;
		timer->due = false;
	}
}

struct loop_timer *
loop_timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
	struct loop_timer *timer = nd_xalloc(sizeof(*timer));

	timer->loop = loop;
	timer->fn = fn;
	timer->arg = arg;
	timer->at = ND_NEVER;
	timer->place = NOWHERE;
	return timer;
}

void
loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	unset(timer);
	free(timer);
}

void
loop_timer_set(struct loop_timer *timer, nd_ms at)
{
	if (timer->place != NOWHERE && timer->at == at)
		return;
	unset(timer);
	timer->at = at;
	if (at != ND_NEVER)
		heap_add(timer->loop, timer);
}

/* The timerfd follows the earliest timer; set once a turn, when it differs. */
static void
arm(struct loop *loop)
{
	nd_ms at = loop->heap_count ? loop->heap[0]->at : ND_NEVER;
	struct itimerspec spec = { { 0, 0 }, { 0, 0 } };

	if (at == loop->armed)
		return;
	loop->armed = at;
	if (at != ND_NEVER) {
		if (at < 1) /* zero would disarm it */
			at = 1;
		spec.it_value.tv_sec = (time_t)(at / 1000);
		spec.it_value.tv_nsec = (long)(at % 1000) * 1000000;
	}
	must(timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0);
}

/* All that are due leave the heap first: one that sets itself again waits for the next turn. */
static void
fire(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	nd_ms now = loop_now(loop).ms;
	struct loop_timer **end = &loop->due;
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof(times)) < 0 && errno != EAGAIN && errno != EINTR)
		abort();
	loop->armed = ND_NEVER;
	while (loop->heap_count > 0 && loop->heap[0]->at <= now) {
		struct loop_timer *timer = loop->heap[0];

		heap_remove(loop, timer);
		timer->due = true;
		timer->next_due = NULL;
		*end = timer;
		end = &timer->next_due;
	}
	while (loop->due != NULL) {
		struct loop_timer *timer = loop->due;

		loop->due = timer->next_due;
		timer->due = false;
		timer->fn(timer->arg);
	}
}

/* -- lists of calls -- */

static void
append(struct calls *calls, loop_fn *fn, void *arg)
{
	if (calls->count == calls->room) {
		calls->room = calls->room ? calls->room * 2 : 16;
		calls->call = nd_xrealloc(calls->call, calls->room * sizeof(*calls->call));
	}
	calls->call[calls->count].fn = fn;
	calls->call[calls->count].arg = arg;
	calls->count++;
}

/* From the end: what was asked for last is asked for again most often. */
static bool
listed(const struct calls *calls, loop_fn *fn, const void *arg)
{
	for (size_t i = calls->count; i-- > calls->next;)
		if (calls->call[i].fn == fn && calls->call[i].arg == arg)
			return true;
	return false;
}

static void
strike(struct calls *calls, const void *arg)
{
	for (size_t i = calls->next; i < calls->count; i++)
		if (calls->call[i].arg == arg)
			calls->call[i].fn = NULL;
}

static void
run(struct calls *calls)
{
	while (calls->next < calls->count) {
		struct call call = calls->call[calls->next++];

		if (call.fn != NULL)
			call.fn(call.arg);
	}
	calls->count = calls->next = 0;
}

static void
swap(struct calls *a, struct calls *b)
{
	struct calls keep = *a;

	*a = *b;
	*b = keep;
}

void
loop_soon(struct loop *loop, loop_fn *fn, void *arg)
{
	if (!listed(&loop->running, fn, arg) && !listed(&loop->soon, fn, arg))
		append(&loop->soon, fn, arg);
}

void
loop_forget(struct loop *loop, void *arg)
{
	strike(&loop->running, arg);
	strike(&loop->soon, arg);
}

void
loop_free_later(struct loop *loop, loop_fn *fn, void *arg)
{
	append(&loop->later, fn, arg);
}

/* -- signals -- */

static void
signalled(evutil_socket_t signo, short what, void *arg)
{
	struct signal_row *row = arg;

	(void)signo;
	(void)what;
	row->fn(row->arg);
}

void
loop_signal(struct loop *loop, int signo, loop_fn *fn, void *arg)
{
	struct signal_row *row = nd_xalloc(sizeof(*row));

	row->fn = fn;
	row->arg = arg;
	row->event = evsignal_new(loop->base, signo, signalled, row);
	must(row->event != NULL && event_add(row->event, NULL) == 0);
	row->next = loop->signals;
	loop->signals = row;
}

/* -- messages of other threads -- */

void
loop_post(struct loop *loop, struct loop_note *note)
{
	bool first;
	uint64_t one = 1;

	note->next = NULL;
	must(pthread_mutex_lock(&loop->post_lock) == 0);
	first = loop->post_first == NULL;
	*loop->post_end = note;
	loop->post_end = &note->next;
	/* Under the lock: whoever frees the loop after our note has run must not meet us here. */
	if (first)
		while (write(loop->post_fd, &one, sizeof(one)) < 0)
			must(errno == EINTR);
	must(pthread_mutex_unlock(&loop->post_lock) == 0);
}

static struct loop_note *
take_notes(struct loop *loop)
{
	struct loop_note *notes;

	must(pthread_mutex_lock(&loop->post_lock) == 0);
	notes = loop->post_first;
	loop->post_first = NULL;
	loop->post_end = &loop->post_first;
	must(pthread_mutex_unlock(&loop->post_lock) == 0);
	return notes;
}

static void
deliver(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct loop_note *note;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		abort();
	note = take_notes(loop);
	while (note != NULL) {
		struct loop_note *next = note->next; /* fn may free the note */

		note->fn(note->arg);
		note = next;
	}
}

/* -- life -- */

static struct event *
watch(struct loop *loop, int fd, event_callback_fn fn)
{
	struct event *event;

	must(fd >= 0);
	event = event_new(loop->base, fd, EV_READ | EV_PERSIST, fn, loop);
	must(event != NULL && event_add(event, NULL) == 0);
	return event;
}

static struct event_base *
make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	must(config != NULL);
	/* Only the loop's thread touches it, and the environment has no say. */
	must(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0);
	must(event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0);
	base = event_base_new_with_config(config);
	event_config_free(config);
	must(base != NULL);
	return base;
}

struct loop *
loop_new(void)
{
	struct loop *loop = nd_xalloc(sizeof(*loop));
	struct sigaction ignore;

	memset(&ignore, 0, sizeof(ignore));
	ignore.sa_handler = SIG_IGN;
	must(sigaction(SIGPIPE, &ignore, NULL) == 0);
	loop->base = make_base();
	loop->armed = ND_NEVER;
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	loop->timer_event = watch(loop, loop->timer_fd, fire);
	must(pthread_mutex_init(&loop->post_lock, NULL) == 0);
	loop->post_end = &loop->post_first;
	loop->post_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->post_event = watch(loop, loop->post_fd, deliver);
	return loop;
}

/* Notes and late frees that are left still run: they own memory. */
static void
settle(struct loop *loop)
{
	struct calls later = { NULL, 0, 0, 0 };

	do {
		deliver(loop->post_fd, EV_READ, loop);
		swap(&loop->later, &later);
		run(&later);
	} while (loop->later.count > 0 || loop->post_first != NULL);
	free(later.call);
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	settle(loop);
	while (loop->signals != NULL) {
		struct signal_row *row = loop->signals;

		loop->signals = row->next;
		event_free(row->event);
		free(row);
	}
	event_free(loop->timer_event);
	event_free(loop->post_event);
	event_base_free(loop->base);
	(void)close(loop->timer_fd);
	(void)close(loop->post_fd);
	must(pthread_mutex_destroy(&loop->post_lock) == 0);
	free(loop->heap);
	free(loop->soon.call);
	free(loop->running.call);
	free(loop->later.call);
	free(loop);
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

uint64_t
loop_turns(const struct loop *loop)
{
	return loop->turns;
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

/* What a soon function adds runs in the next turn, so that events are seen in between. */
static void
turn(struct loop *loop)
{
	struct calls later = { NULL, 0, 0, 0 };
	bool busy = loop->soon.count > 0 || loop->later.count > 0;

	arm(loop);
	loop->now_known = false; /* time passes while we wait; read when first asked for */
	must(event_base_loop(loop->base, busy ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE) >= 0);
	swap(&loop->soon, &loop->running);
	run(&loop->running);
	if (loop->later.count > 0) {
		swap(&loop->later, &later);
		run(&later);
		free(later.call);
	}
	loop->turns++;
}

void
loop_run(struct loop *loop)
{
	while (!loop->stopped)
		turn(loop);
	loop->stopped = false;
}
