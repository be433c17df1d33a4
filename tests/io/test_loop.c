/* SPDX-License-Identifier: Apache-2.0 */
/* test_loop.c - tests of the event loop: real clocks, threads and signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY 1000

static struct loop *the_loop;
static char story[256]; /* what happened, a letter each */

static int
begin(void **state)
{
	(void)state;
	the_loop = loop_new();
	memset(story, 0, sizeof(story));
	return 0;
}

static int
end(void **state)
{
	(void)state;
	loop_free(the_loop);
	the_loop = NULL;
	return 0;
}

static void
tell(char c)
{
	size_t len = strlen(story);

	assert_true(len + 1 < sizeof(story));
	story[len] = c;
}

static void
note_letter(void *arg)
{
	tell(*(const char *)arg);
}

static void
stop(void *arg)
{
	(void)arg;
	loop_stop(the_loop);
}

static char letter_a[] = "a", letter_b[] = "b", letter_c[] = "c", letter_x[] = "x";

/* -- soon, forget, later -- */

static void
soon_runs_each_pair_once_in_order(void **state)
{
	(void)state;
	loop_soon(the_loop, note_letter, letter_a);
	loop_soon(the_loop, note_letter, letter_b);
	loop_soon(the_loop, note_letter, letter_a);
	loop_soon(the_loop, stop, NULL);
	loop_run(the_loop);
	assert_string_equal(story, "ab");
	loop_soon(the_loop, note_letter, letter_a);
	loop_soon(the_loop, stop, NULL);
	loop_run(the_loop);
	assert_string_equal(story, "aba");
}

static unsigned again_count;

/* arg: a timer that ends it, after a while. */
static void
again_for_ever(void *arg)
{
	if (++again_count == 20)
		loop_timer_set(arg, loop_now(the_loop).ms + 1);
	loop_soon(the_loop, again_for_ever, arg);
}

static void
soon_work_that_asks_for_itself_does_not_starve_events(void **state)
{
	struct loop_timer *timer = loop_timer_new(the_loop, stop, NULL);

	(void)state;
	again_count = 0;
	loop_soon(the_loop, again_for_ever, timer);
	loop_run(the_loop);
	assert_true(again_count >= 20);
	assert_true(loop_turns(the_loop) >= again_count - 1);
	loop_timer_free(timer);
}

static void
forget_b_and_c(void *arg)
{
	(void)arg;
	loop_forget(the_loop, letter_b);
	loop_soon(the_loop, note_letter, letter_c);
	loop_forget(the_loop, letter_c);
	loop_soon(the_loop, stop, NULL);
}

static void
forgotten_work_does_not_run(void **state)
{
	(void)state;
	loop_soon(the_loop, note_letter, letter_a);
	loop_soon(the_loop, forget_b_and_c, NULL);
	loop_soon(the_loop, note_letter, letter_b); /* struck while the list is run */
	loop_soon(the_loop, note_letter, letter_x);
	loop_forget(the_loop, letter_x); /* struck before */
	loop_run(the_loop);
	assert_string_equal(story, "a");
}

static void
free_x_later(void *arg)
{
	loop_free_later(the_loop, note_letter, arg);
	tell('f');
}

static void
late_frees_come_after_the_soon_functions_of_the_turn(void **state)
{
	(void)state;
	loop_soon(the_loop, free_x_later, letter_x);
	loop_soon(the_loop, note_letter, letter_a);
	loop_soon(the_loop, stop, NULL);
	loop_run(the_loop);
	assert_string_equal(story, "fax");
}

static void
leftovers_are_settled_when_the_loop_is_freed(void **state)
{
	struct loop_note note = { NULL, note_letter, letter_b };

	loop_free_later(the_loop, note_letter, letter_a);
	loop_post(the_loop, &note);
	loop_soon(the_loop, note_letter, letter_x);
	(void)end(state);
	assert_string_equal(story, "ba");
	(void)begin(state);
}

/* -- timers -- */

struct alarm_clock {
	struct loop_timer *timer;
	nd_ms at;
	unsigned fired;
};
static nd_ms last_at;
static unsigned fired_all;

static void
ring(void *arg)
{
	struct alarm_clock *clock = arg;

	assert_true(loop_now(the_loop).ms >= clock->at); /* never early */
	assert_true(clock->at >= last_at);               /* in order */
	last_at = clock->at;
	clock->fired++;
	if (++fired_all == MANY / 2)
		loop_stop(the_loop);
}

static void
a_thousand_timers_moved_about_fire_in_order_and_never_early(void **state)
{
	static struct alarm_clock clock[MANY];
	nd_ms start = loop_now(the_loop).ms;

	(void)state;
	srand(7);
	fired_all = 0;
	last_at = 0;
	for (size_t i = 0; i < MANY; i++) {
		clock[i].fired = 0;
		clock[i].timer = loop_timer_new(the_loop, ring, &clock[i]);
		loop_timer_set(clock[i].timer, start + rand() % 3000);
	}
	for (size_t i = 0; i < MANY; i++) {
		clock[i].at = i % 2 ? ND_NEVER : start + rand() % 100;
		loop_timer_set(clock[i].timer, clock[i].at);
	}
	loop_run(the_loop);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(clock[i].fired, i % 2 ? 0 : 1);
		loop_timer_free(clock[i].timer);
	}
}

static struct loop_timer *self;
static unsigned self_count;

static void
set_self_in_the_past(void *arg)
{
	(void)arg;
	if (++self_count == 3) {
		loop_timer_free(self);
		loop_stop(the_loop);
		return;
	}
	loop_timer_set(self, 0);
}

static void
a_timer_set_in_the_past_fires_once_a_turn_and_may_free_itself(void **state)
{
	(void)state;
	self_count = 0;
	self = loop_timer_new(the_loop, set_self_in_the_past, NULL);
	loop_timer_set(self, -5);
	loop_run(the_loop);
	assert_int_equal(self_count, 3);
	assert_true(loop_turns(the_loop) >= 3);
}

static struct loop_timer *pair[2];

static void
free_the_other(void *arg)
{
	size_t me = *(const char *)arg == 'a' ? 0 : 1;

	tell(*(const char *)arg);
	loop_timer_free(pair[1 - me]);
	pair[1 - me] = NULL;
	loop_soon(the_loop, stop, NULL);
}

static void
a_due_timer_that_another_one_frees_does_not_fire(void **state)
{
	nd_ms at = loop_now(the_loop).ms;

	(void)state;
	pair[0] = loop_timer_new(the_loop, free_the_other, letter_a);
	pair[1] = loop_timer_new(the_loop, free_the_other, letter_b);
	loop_timer_set(pair[0], at);
	loop_timer_set(pair[1], at);
	loop_run(the_loop);
	assert_int_equal(strlen(story), 1);
	loop_timer_free(pair[0]);
	loop_timer_free(pair[1]);
}

static void
waiting_does_not_wake_the_loop(void **state)
{
	struct loop_timer *timer = loop_timer_new(the_loop, stop, NULL), *moved = loop_timer_new(the_loop, stop, NULL);
	nd_ms start = loop_now(the_loop).ms;

	(void)state;
	loop_timer_set(timer, start + 120);
	loop_timer_set(moved, start + 10);
	loop_timer_set(moved, ND_NEVER);
	loop_run(the_loop);
	assert_true(loop_now(the_loop).ms >= start + 120);
	assert_int_equal(loop_turns(the_loop), 1);
	loop_timer_free(timer);
	loop_timer_free(moved);
}

static struct nd_now seen_now;

static void
see_now(void *arg)
{
	(void)arg;
	seen_now = loop_now(the_loop);
}

static void
the_clocks_are_read_once_a_turn(void **state)
{
	struct nd_now before = loop_now(the_loop);
	nd_ms until = before.ms + 5;
	struct loop_timer *timer = loop_timer_new(the_loop, see_now, NULL);
	struct timespec ts;

	(void)state;
	do { /* time passes within the turn */
		assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &ts), 0);
	} while ((nd_ms)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 < until);
	assert_int_equal(loop_now(the_loop).ms, before.ms);
	loop_timer_set(timer, 1);
	loop_soon(the_loop, stop, NULL);
	loop_run(the_loop);
	assert_true(seen_now.ms >= until);
	assert_true(seen_now.unix_ms > before.unix_ms);
	loop_timer_free(timer);
}

/* -- messages, signals -- */

static struct loop_note notes[MANY];
static size_t notes_seen;

static void
count_note(void *arg)
{
	assert_ptr_equal(arg, &notes[notes_seen]);
	if (++notes_seen == MANY)
		loop_stop(the_loop);
}

static void *
post_all(void *arg)
{
	for (size_t i = 0; i < MANY; i++) {
		notes[i].fn = count_note;
		notes[i].arg = &notes[i];
		loop_post(arg, &notes[i]);
	}
	return NULL;
}

static void
notes_of_another_thread_arrive_in_order(void **state)
{
	pthread_t thread;

	(void)state;
	notes_seen = 0;
	assert_int_equal(pthread_create(&thread, NULL, post_all, the_loop), 0);
	loop_run(the_loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(notes_seen, MANY);
}

static void
raise_usr1(void *arg)
{
	(void)arg;
	(void)kill(getpid(), SIGUSR1);
}

static void
on_usr1(void *arg)
{
	tell(*(const char *)arg);
	loop_stop(the_loop);
}

static void
a_signal_becomes_a_call_on_the_loop(void **state)
{
	(void)state;
	loop_signal(the_loop, SIGUSR1, on_usr1, letter_c);
	loop_soon(the_loop, raise_usr1, NULL);
	loop_run(the_loop);
	assert_string_equal(story, "c");
}

static void
writing_to_a_closed_pipe_does_not_kill(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	(void)close(ends[0]);
	assert_int_equal(write(ends[1], "x", 1), -1);
	(void)close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(soon_runs_each_pair_once_in_order, begin, end),
		cmocka_unit_test_setup_teardown(soon_work_that_asks_for_itself_does_not_starve_events, begin, end),
		cmocka_unit_test_setup_teardown(forgotten_work_does_not_run, begin, end),
		cmocka_unit_test_setup_teardown(late_frees_come_after_the_soon_functions_of_the_turn, begin, end),
		cmocka_unit_test_setup_teardown(leftovers_are_settled_when_the_loop_is_freed, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_thousand_timers_moved_about_fire_in_order_and_never_early, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_timer_set_in_the_past_fires_once_a_turn_and_may_free_itself, begin, end),
		cmocka_unit_test_setup_teardown(a_due_timer_that_another_one_frees_does_not_fire, begin, end),
		cmocka_unit_test_setup_teardown(waiting_does_not_wake_the_loop, begin, end),
		cmocka_unit_test_setup_teardown(the_clocks_are_read_once_a_turn, begin, end),
		cmocka_unit_test_setup_teardown(notes_of_another_thread_arrive_in_order, begin, end),
		cmocka_unit_test_setup_teardown(a_signal_becomes_a_call_on_the_loop, begin, end),
		cmocka_unit_test_setup_teardown(writing_to_a_closed_pipe_does_not_kill, begin, end),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
