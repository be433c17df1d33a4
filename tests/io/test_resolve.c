/* SPDX-License-Identifier: Apache-2.0 */
/* test_resolve.c - tests of the resolver. Names are answered by a getaddrinfo of this file, which can wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/resolve.h"
#include "tests/io/ahead.h"
#include "tests/io/explained.h"

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct loop *the_loop;
static struct resolver *the_resolver;

/* -- names -- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned lookups; /* begun */
static bool shut;        /* "slow.test" waits while it is */
static bool moved;       /* the names of one address have another one */

typedef int real_getaddrinfo(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int
real(const char *host, const struct addrinfo *hints, struct addrinfo **out)
{
	void *found = dlsym(RTLD_NEXT, "getaddrinfo");
	real_getaddrinfo *call;

	memcpy(&call, &found, sizeof(call));
	return call(host, NULL, hints, out);
}

static struct addrinfo *
list_of(const char *const *texts)
{
	struct addrinfo hints, *first = NULL, **end = &first;

	memset(&hints, 0, sizeof(hints));
	hints.ai_flags = AI_NUMERICHOST;
	hints.ai_socktype = SOCK_STREAM;
	for (; *texts != NULL; texts++) {
		assert_int_equal(real(*texts, &hints, end), 0);
		end = &(*end)->ai_next;
	}
	return first;
}

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	static const char *const both[] = { "2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.2",
		NULL };
	static const char *const one[] = { "192.0.2.9", NULL }, *const other[] = { "192.0.2.10", NULL };
	bool new_home;

	assert_null(service);
	assert_int_equal(hints->ai_socktype, SOCK_STREAM);
	if (hints->ai_flags & AI_NUMERICHOST)
		return real(host, hints, out);
	assert_true(hints->ai_flags & AI_ADDRCONFIG);
	(void)pthread_mutex_lock(&lock);
	lookups++;
	(void)pthread_cond_broadcast(&changed);
	while (shut && strncmp(host, "slow", 4) == 0)
		(void)pthread_cond_wait(&changed, &lock);
	new_home = moved;
	(void)pthread_mutex_unlock(&lock);
	if (strcmp(host, "gone.test") == 0)
		return EAI_NONAME;
	*out = list_of(strcmp(host, "both.test") == 0 ? both : new_home ? other : one);
	return 0;
}

static void
set_shut(bool value)
{
	(void)pthread_mutex_lock(&lock);
	shut = value;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

static void
wait_for_lookups(unsigned count)
{
	(void)pthread_mutex_lock(&lock);
	while (lookups < count)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}

/* -- asking -- */

struct asked {
	bool done;
	struct resolve_answer answer; /* count 0: none */
	struct nd_why why;
	unsigned *open; /* the loop stops when it gets to 0 */
};

static void
done(void *arg, const struct resolve_answer *answer, const struct nd_why *why)
{
	struct asked *asked = arg;

	assert_false(asked->done);
	asked->done = true;
	assert_true((answer == NULL) != (why == NULL));
	if (answer != NULL)
		asked->answer = *answer;
	if (why != NULL)
		asked->why = *why;
	if (--*asked->open == 0)
		loop_stop(the_loop);
}

static struct resolve_ask *
ask(struct asked *asked, unsigned *open, const char *host)
{
	memset(asked, 0, sizeof(*asked));
	asked->open = open;
	++*open;
	return resolver_ask(the_resolver, host, 587, done, asked);
}

static struct asked
ask_and_wait(const char *host)
{
	struct asked asked;
	unsigned open = 0;

	(void)ask(&asked, &open, host);
	assert_false(asked.done); /* never before it returns */
	loop_run(the_loop);
	return asked;
}

static int
begin(void **state)
{
	(void)state;
	(void)pthread_mutex_lock(&lock); /* a thread of the test before may still be on its way out */
	lookups = 0;
	shut = moved = false;
	atomic_store(&ahead, 0); /* timers are the kernel's, and that does not know of it */
	(void)pthread_mutex_unlock(&lock);
	the_loop = loop_new();
	the_resolver = resolver_new(the_loop);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	set_shut(false);
	resolver_free(the_resolver);
	loop_free(the_loop);
	return 0;
}

/* -- tests -- */

static void
addresses_need_no_name_server(void **state)
{
	struct asked four = ask_and_wait("192.0.2.7"), six = ask_and_wait("[2001:db8::7]"), bare = ask_and_wait("::1");

	(void)state;
	assert_int_equal(lookups, 0);
	assert_int_equal(four.answer.count, 1);
	assert_string_equal(four.answer.addr[0].text, "192.0.2.7");
	assert_int_equal(((struct sockaddr_in *)&four.answer.addr[0].addr)->sin_port, htons(587));
	assert_int_equal(four.answer.addr[0].len, sizeof(struct sockaddr_in));
	assert_string_equal(six.answer.addr[0].text, "2001:db8::7");
	assert_int_equal(((struct sockaddr_in6 *)&six.answer.addr[0].addr)->sin6_port, htons(587));
	assert_string_equal(bare.answer.addr[0].text, "::1");
}

static void
this_host_needs_no_name_server(void **state)
{
	static const char *const names[] = { "localhost", "LocalHost", "localhost.", "mail.localhost" };
	static const char *const others[] = { "notlocalhost", "localhost.test", "." };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct asked asked = ask_and_wait(names[i]);

		assert_int_equal(asked.answer.count, 2);
		assert_string_equal(asked.answer.addr[0].text, "127.0.0.1");
		assert_int_equal(((struct sockaddr_in *)&asked.answer.addr[0].addr)->sin_port, htons(587));
		assert_string_equal(asked.answer.addr[1].text, "::1");
		assert_int_equal(((struct sockaddr_in6 *)&asked.answer.addr[1].addr)->sin6_port, htons(587));
	}
	assert_int_equal(lookups, 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		(void)ask_and_wait(others[i]);
	assert_int_equal(lookups, 3);
}

static void
the_families_of_a_name_take_turns(void **state)
{
	static const char *const want[] = { "2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3" };
	struct asked asked = ask_and_wait("both.test");

	(void)state;
	assert_int_equal(asked.answer.count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(asked.answer.addr[i].text, want[i]);
	assert_int_equal(((struct sockaddr_in6 *)&asked.answer.addr[0].addr)->sin6_port, htons(587));
	assert_int_equal(((struct sockaddr_in *)&asked.answer.addr[1].addr)->sin_port, htons(587));
}

static void
an_unknown_name_is_told_in_words_and_asked_for_again(void **state)
{
	struct asked asked = ask_and_wait("gone.test");

	(void)state;
	assert_int_equal(asked.answer.count, 0);
	assert_int_equal(asked.why.err, ND_ERESOLVE);
	assert_non_null(strstr(asked.why.text, "gone.test"));
	assert_non_null(strstr(asked.why.text, "not known"));
	assert_true(explained(&asked.why, "getent"));
	(void)ask_and_wait("gone.test");
	assert_int_equal(lookups, 2);
}

static void
a_host_that_is_no_name_fails(void **state)
{
	static char longer[300];
	struct asked asked = ask_and_wait("");

	(void)state;
	assert_int_equal(asked.why.err, ND_ERESOLVE);
	memset(longer, 'a', sizeof(longer) - 1);
	asked = ask_and_wait(longer);
	assert_int_equal(asked.why.err, ND_ERESOLVE);
	assert_int_equal(lookups, 0);
}

static void
an_answer_is_kept(void **state)
{
	struct asked first = ask_and_wait("one.test"), second = ask_and_wait("one.test");

	(void)state;
	assert_int_equal(lookups, 1);
	assert_string_equal(first.answer.addr[0].text, "192.0.2.9");
	assert_string_equal(second.answer.addr[0].text, "192.0.2.9");
	(void)ask_and_wait("other.test");
	assert_int_equal(lookups, 2);
	(void)ask_and_wait("MÜLLER.test"); /* one name, however it is written */
	(void)ask_and_wait("xn--mller-kva.test");
	assert_int_equal(lookups, 3);
}

static void
set_moved(void)
{
	(void)pthread_mutex_lock(&lock);
	moved = true;
	(void)pthread_mutex_unlock(&lock);
}

static void
a_name_that_got_another_address_is_known_after_a_minute(void **state)
{
	struct asked asked = ask_and_wait("one.test");

	(void)state;
	assert_string_equal(asked.answer.addr[0].text, "192.0.2.9");
	set_moved();
	atomic_fetch_add(&ahead, 50);
	asked = ask_and_wait("one.test");
	assert_string_equal(asked.answer.addr[0].text, "192.0.2.9");
	atomic_fetch_add(&ahead, 11);
	asked = ask_and_wait("one.test");
	assert_int_equal(lookups, 2);
	assert_int_equal(asked.answer.count, 1);
	assert_string_equal(asked.answer.addr[0].text, "192.0.2.10");
}

static void
asks_for_one_name_at_the_same_time_share_one_lookup(void **state)
{
	struct asked asked[3];
	unsigned open = 0;

	(void)state;
	set_shut(true);
	for (size_t i = 0; i < 3; i++)
		(void)ask(&asked[i], &open, "slow.test");
	wait_for_lookups(1);
	set_shut(false);
	loop_run(the_loop);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(asked[i].answer.count, 1);
	assert_int_equal(lookups, 1);
}

static void
a_cancelled_ask_hears_nothing(void **state)
{
	struct asked gone, stays;
	unsigned open = 0, never = 0;
	struct resolve_ask *cancelled;

	(void)state;
	set_shut(true);
	cancelled = ask(&gone, &never, "slow.test");
	(void)ask(&stays, &open, "slow.test");
	wait_for_lookups(1);
	resolver_cancel(cancelled);
	cancelled = ask(&gone, &never, "192.0.2.1"); /* settled already, not yet told */
	resolver_cancel(cancelled);
	set_shut(false);
	loop_run(the_loop);
	assert_true(stays.done);
	assert_false(gone.done);
}

static void
a_silent_name_server_is_given_up_at_the_deadline_and_its_late_answer_is_not_told(void **state)
{
	struct asked asked, next;
	unsigned open = 0;

	(void)state;
	set_shut(true);
	resolver_patience(the_resolver, 30);
	(void)ask(&asked, &open, "slow.test");
	loop_run(the_loop);
	assert_int_equal(asked.why.err, ND_ERESOLVE);
	assert_non_null(strstr(asked.why.text, "no answer from the name servers"));
	/* Who asks now waits for the lookup that is still under way. */
	resolver_patience(the_resolver, ND_SEC(30));
	(void)ask(&next, &open, "slow.test");
	set_shut(false);
	loop_run(the_loop); /* done() checks that the first one is not told again */
	assert_int_equal(next.answer.count, 1);
	assert_int_equal(lookups, 1);
}

static void
names_are_looked_up_beside_a_stuck_one(void **state)
{
	struct asked stuck[3], asked;
	static const char *const names[] = { "slow-a.test", "slow-b.test", "slow-c.test" };
	unsigned open = 0, never = 0;

	(void)state;
	set_shut(true);
	for (size_t i = 0; i < 3; i++)
		(void)ask(&stuck[i], &never, names[i]);
	(void)ask(&asked, &open, "one.test");
	loop_run(the_loop);
	assert_int_equal(asked.answer.count, 1);
	assert_false(stuck[0].done);
	wait_for_lookups(4); /* none begins in the next test */
}

static void
freeing_the_resolver_does_not_wait_for_a_lookup(void **state)
{
	struct asked stuck, settled;
	unsigned never = 0;

	(void)state;
	set_shut(true);
	(void)ask(&stuck, &never, "slow.test");
	(void)ask(&settled, &never, "192.0.2.1");
	wait_for_lookups(1);
	resolver_free(the_resolver); /* would hang here */
	the_resolver = resolver_new(the_loop);
	(void)ask_and_wait("one.test");
	assert_false(stuck.done);
	assert_false(settled.done);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(addresses_need_no_name_server, begin, end),
		cmocka_unit_test_setup_teardown(this_host_needs_no_name_server, begin, end),
		cmocka_unit_test_setup_teardown(the_families_of_a_name_take_turns, begin, end),
		cmocka_unit_test_setup_teardown(an_unknown_name_is_told_in_words_and_asked_for_again, begin, end),
		cmocka_unit_test_setup_teardown(a_host_that_is_no_name_fails, begin, end),
		cmocka_unit_test_setup_teardown(an_answer_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(a_name_that_got_another_address_is_known_after_a_minute, begin, end),
		cmocka_unit_test_setup_teardown(asks_for_one_name_at_the_same_time_share_one_lookup, begin, end),
		cmocka_unit_test_setup_teardown(a_cancelled_ask_hears_nothing, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_silent_name_server_is_given_up_at_the_deadline_and_its_late_answer_is_not_told, begin, end),
		cmocka_unit_test_setup_teardown(names_are_looked_up_beside_a_stuck_one, begin, end),
		cmocka_unit_test_setup_teardown(freeing_the_resolver_does_not_wait_for_a_lookup, begin, end),
	};

	return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
