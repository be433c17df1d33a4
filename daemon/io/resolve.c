/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c - host names to addresses on resolver threads.  Layer: io.  Knows getaddrinfo.
 *
 * ask ─┬─ an address, localhost, or a name of the cache ────► settled ─► (soon) done()
 *      └─ lookup: one for each name, on a thread ─► (note) ─► settled
 *
 * A lookup outlives the asks that gave it up: others who ask for its name wait for the same one, so a name server that
 * is silent holds one thread for each name and not more.
 */
#include "daemon/io/resolve.h"

#include "common/idn.h"
#include "common/mem.h"
#include "daemon/io/worker.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define THREADS 4
#define PATIENCE ND_SEC(30)
#define KEPT ND_SEC(60)
#define KEPT_MAX 64 /* names */
#define HOST_SIZE 256

/* The way from threads to the loop. It outlives the resolver while a lookup is under way. */
struct outlet {
	pthread_mutex_t lock;
	struct loop *loop; /* NULL: nobody listens any more */
	unsigned users;    /* lookups under way, and the resolver */
};

struct lookup {                  /* under way, then the answer that is kept */
	struct worker_task task; /* first */
	struct loop_note note;
	struct lookup *next;
	struct resolver *resolver; /* the loop's; NULL: gone */
	struct outlet *outlet;
	bool busy; /* the thread owns host, answer, result and sys_errno */
	char host[HOST_SIZE];
	struct resolve_answer answer;
	int result, sys_errno; /* of getaddrinfo */
	nd_ms until;           /* kept until */
};

struct resolve_ask {
	struct resolve_ask *next;
	struct resolver *resolver;
	const struct lookup *lookup; /* waited for; NULL once settled */
	struct loop_timer *timer;
	char host[HOST_SIZE];
	uint16_t port;
	resolve_done *done;
	void *arg;
	struct resolve_answer answer;
	struct nd_why why; /* err ND_OK: there is an answer */
};

struct resolver {
	struct loop *loop;
	struct worker *worker;
	struct outlet *outlet;
	nd_ms patience;
	struct lookup *lookups;
	unsigned lookup_count;
	struct resolve_ask *asks;
};

struct words_row {
	int result;
	const char *words;
};

/* clang-format off */
static const struct words_row words_rows[] = {
	{ EAI_NONAME,     "the name is not known" },
	{ EAI_NODATA,     "the name has no address" },
	{ EAI_ADDRFAMILY, "it has no address of a kind that this host uses" },
	{ EAI_AGAIN,      "the name servers do not answer" },
	{ EAI_FAIL,       "the name servers refuse to answer" },
};
/* clang-format on */

/* -- on the threads -- */

static void
leave(struct outlet *outlet)
{
	bool last = --outlet->users == 0;

	if (pthread_mutex_unlock(&outlet->lock) != 0)
		abort();
	if (last) {
		(void)pthread_mutex_destroy(&outlet->lock);
		free(outlet);
	}
}

static void
enter(struct outlet *outlet)
{
	if (pthread_mutex_lock(&outlet->lock) != 0)
		abort();
}

static const struct addrinfo *
next_of_family(const struct addrinfo *list, int family)
{
	while (list != NULL && (list->ai_family != family || list->ai_addrlen > sizeof(struct sockaddr_storage)))
		list = list->ai_next;
	return list;
}

static void
add_address(struct resolve_answer *answer, const struct addrinfo *info)
{
	struct resolve_addr *to = &answer->addr[answer->count];

	memcpy(&to->addr, info->ai_addr, info->ai_addrlen);
	to->len = info->ai_addrlen;
	if (getnameinfo(info->ai_addr, info->ai_addrlen, to->text, sizeof(to->text), NULL, 0, NI_NUMERICHOST) == 0)
		answer->count++;
}

/* In the order given, but the families take turns, so that one broken family costs one try. */
static void
interleave(struct resolve_answer *answer, const struct addrinfo *list)
{
	const struct addrinfo *four = next_of_family(list, AF_INET), *six = next_of_family(list, AF_INET6);
	bool want_six = list != NULL && list->ai_family == AF_INET6;

	memset(answer, 0, sizeof(*answer));
	while ((four != NULL || six != NULL) && answer->count < RESOLVE_MAX) {
		if (six != NULL && (want_six || four == NULL)) {
			add_address(answer, six);
			six = next_of_family(six->ai_next, AF_INET6);
		} else {
			add_address(answer, four);
			four = next_of_family(four->ai_next, AF_INET);
		}
		want_six = !want_six;
	}
}

static int
ask_system(const char *host, int flags, struct resolve_answer *answer)
{
	struct addrinfo hints, *list = NULL;
	int result;

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = flags;
	result = getaddrinfo(host, NULL, &hints, &list);
	if (result != 0)
		return result;
	interleave(answer, list);
	freeaddrinfo(list);
	return answer->count > 0 ? 0 : EAI_NODATA;
}

static void
look_up(struct worker_task *task)
{
	struct lookup *lookup = (struct lookup *)task;
	struct outlet *outlet = lookup->outlet;

	lookup->result = ask_system(lookup->host, AI_ADDRCONFIG | AI_NUMERICSERV, &lookup->answer);
	lookup->sys_errno = lookup->result == EAI_SYSTEM ? errno : 0;
	enter(outlet);
	if (outlet->loop != NULL)
		loop_post(outlet->loop, &lookup->note);
	else
		free(lookup);
	leave(outlet);
}

/* -- asks -- */

static void
free_ask(struct resolve_ask *ask)
{
	loop_forget(ask->resolver->loop, ask);
	loop_timer_free(ask->timer);
	free(ask);
}

static void
discard_ask(struct resolve_ask *ask)
{
	struct resolve_ask **at = &ask->resolver->asks;

	while (*at != ask)
		at = &(*at)->next;
	*at = ask->next;
	free_ask(ask);
}

static void
tell(void *arg)
{
	struct resolve_ask *ask = arg;
	resolve_done *done = ask->done;
	void *owner = ask->arg;
	struct resolve_answer answer = ask->answer;
	struct nd_why why = ask->why;

	discard_ask(ask);
	done(owner, why.err == ND_OK ? &answer : NULL, why.err == ND_OK ? NULL : &why);
}

/* The ask has its end; done() is called from the loop's soon phase. */
static void
settle(struct resolve_ask *ask)
{
	ask->lookup = NULL;
	loop_timer_free(ask->timer);
	ask->timer = NULL;
	loop_soon(ask->resolver->loop, tell, ask);
}

static void
settle_with(struct resolve_ask *ask, const struct resolve_answer *answer)
{
	ask->answer = *answer;
	for (unsigned i = 0; i < answer->count; i++) {
		struct sockaddr_storage *addr = &ask->answer.addr[i].addr;

		if (addr->ss_family == AF_INET6)
			((struct sockaddr_in6 *)addr)->sin6_port = htons(ask->port);
		else
			((struct sockaddr_in *)addr)->sin_port = htons(ask->port);
	}
	settle(ask);
}

static void
fail(struct resolve_ask *ask, int result, int sys_errno)
{
	const struct words_row *row = NULL;
	const char *words = sys_errno ? "the resolver failed" : gai_strerror(result);

	for (size_t i = 0; i < sizeof(words_rows) / sizeof(words_rows[0]); i++)
		if (words_rows[i].result == result)
			row = &words_rows[i];
	(void)nd_fail(&ask->why, ND_ERESOLVE, sys_errno, "the address of %.120s cannot be found: %s", ask->host,
	    row ? row->words : words);
	settle(ask);
}

static void
give_up(void *arg)
{
	struct resolve_ask *ask = arg;

	(void)nd_fail(&ask->why, ND_ERESOLVE, 0,
	    "the address of %.120s cannot be found: no answer from the name servers within %lld s", ask->host,
	    (long long)(ask->resolver->patience / 1000));
	(void)nd_fail_at(&ask->why, NULL, 0, "see /etc/resolv.conf, and whether the network is up");
	settle(ask);
}

/* -- lookups -- */

/* Where the list points to the lookup of this name, or to NULL at its end. */
static struct lookup **
place_of(struct resolver *resolver, const char *host)
{
	struct lookup **at = &resolver->lookups;

	while (*at != NULL && strcmp((*at)->host, host) != 0)
		at = &(*at)->next;
	return at;
}

static void
drop_lookup(struct resolver *resolver, struct lookup **at)
{
	struct lookup *lookup = *at;

	if (lookup == NULL)
		return;
	*at = lookup->next;
	resolver->lookup_count--;
	free(lookup);
}

/* On the loop: the thread has ended with it. */
static void
arrived(void *arg)
{
	struct lookup *lookup = arg;
	struct resolver *resolver = lookup->resolver;
	struct resolve_ask *ask;

	if (resolver == NULL) { /* freed meanwhile */
		free(lookup);
		return;
	}
	lookup->busy = false;
	lookup->until = loop_now(resolver->loop).ms + KEPT;
	for (ask = resolver->asks; ask != NULL; ask = ask->next) {
		if (ask->lookup != lookup)
			continue;
		if (lookup->result == 0)
			settle_with(ask, &lookup->answer);
		else
			fail(ask, lookup->result, lookup->sys_errno);
	}
	if (lookup->result != 0) /* not kept: who tries again has waited for it */
		drop_lookup(resolver, place_of(resolver, lookup->host));
}

/* Forgets old answers, and when there are too many the one that has the least time left. */
static void
prune(struct resolver *resolver, nd_ms now)
{
	struct lookup **at = &resolver->lookups, **oldest = NULL;

	while (*at != NULL) {
		if (!(*at)->busy && (*at)->until <= now) {
			drop_lookup(resolver, at);
			continue;
		}
		if (!(*at)->busy && (oldest == NULL || (*at)->until < (*oldest)->until))
			oldest = at;
		at = &(*at)->next;
	}
	if (oldest != NULL && resolver->lookup_count >= KEPT_MAX)
		drop_lookup(resolver, oldest);
}

static struct lookup *
start(struct resolver *resolver, const char *host)
{
	struct lookup *lookup = nd_xalloc(sizeof(*lookup));

	lookup->task.run = look_up;
	lookup->note.fn = arrived;
	lookup->note.arg = lookup;
	lookup->resolver = resolver;
	lookup->outlet = resolver->outlet;
	lookup->busy = true;
	memcpy(lookup->host, host, strlen(host) + 1);
	lookup->next = resolver->lookups;
	resolver->lookups = lookup;
	resolver->lookup_count++;
	enter(resolver->outlet);
	resolver->outlet->users++;
	if (pthread_mutex_unlock(&resolver->outlet->lock) != 0)
		abort();
	worker_put(resolver->worker, &lookup->task);
	return lookup;
}

/* -- the interface -- */

/* Without the brackets of "[2001:db8::1]", and as DNS knows it; "" when it cannot be a name. */
static void
take_host(const char *host, char out[HOST_SIZE])
{
	char ascii[IDN_DOMAIN_SIZE];
	size_t len;

	host = idn_host(host, ascii);
	len = strlen(host);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len >= HOST_SIZE)
		len = 0;
	memcpy(out, host, len);
	out[len] = '\0';
}

/* "localhost", and what ends in ".localhost" (RFC 6761, 6.3). */
static bool
is_here(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host), end = sizeof(name) - 1;

	if (len > 0 && host[len - 1] == '.')
		len--;
	return len >= end && strncasecmp(host + len - end, name, end) == 0 &&
	       (len == end || host[len - end - 1] == '.');
}

/* Known without a look at files or name servers, of which one may be slow to say that it has no AAAA. IPv4 first: every host has it. */
static void
settle_here(struct resolve_ask *ask)
{
	struct resolve_answer both, six;

	if (ask_system("127.0.0.1", AI_NUMERICHOST | AI_NUMERICSERV, &both) != 0 ||
	    ask_system("::1", AI_NUMERICHOST | AI_NUMERICSERV, &six) != 0)
		abort();
	both.addr[both.count++] = six.addr[0];
	settle_with(ask, &both);
}

struct resolve_ask *
resolver_ask(struct resolver *resolver, const char *host, uint16_t port, resolve_done *done, void *arg)
{
	struct resolve_ask *ask = nd_xalloc(sizeof(*ask));
	nd_ms now = loop_now(resolver->loop).ms;
	struct resolve_answer literal;
	struct lookup *lookup;

	ask->resolver = resolver;
	ask->port = port;
	ask->done = done;
	ask->arg = arg;
	take_host(host, ask->host);
	ask->next = resolver->asks;
	resolver->asks = ask;
	if (ask->host[0] == '\0') {
		fail(ask, EAI_NONAME, 0);
		return ask;
	}
	if (ask_system(ask->host, AI_NUMERICHOST | AI_NUMERICSERV, &literal) == 0) {
		settle_with(ask, &literal);
		return ask;
	}
	if (is_here(ask->host)) {
		settle_here(ask);
		return ask;
	}
	prune(resolver, now);
	lookup = *place_of(resolver, ask->host);
	if (lookup != NULL && !lookup->busy) {
		settle_with(ask, &lookup->answer);
		return ask;
	}
	ask->lookup = lookup ? lookup : start(resolver, ask->host);
	ask->timer = loop_timer_new(resolver->loop, give_up, ask);
	loop_timer_set(ask->timer, now + resolver->patience);
	return ask;
}

void
resolver_cancel(struct resolve_ask *ask)
{
	if (ask != NULL)
		discard_ask(ask);
}

struct resolver *
resolver_new(struct loop *loop)
{
	struct resolver *resolver = nd_xalloc(sizeof(*resolver));

	resolver->loop = loop;
	resolver->patience = PATIENCE;
	resolver->worker = worker_new("resolver", THREADS);
	resolver->outlet = nd_xalloc(sizeof(*resolver->outlet));
	if (pthread_mutex_init(&resolver->outlet->lock, NULL) != 0)
		abort();
	resolver->outlet->loop = loop;
	resolver->outlet->users = 1;
	return resolver;
}

void
resolver_patience(struct resolver *resolver, nd_ms patience)
{
	resolver->patience = patience;
}

void
resolver_free(struct resolver *resolver)
{
	struct resolve_ask *ask;
	struct lookup *lookup;

	if (resolver == NULL)
		return;
	while ((ask = resolver->asks) != NULL) {
		resolver->asks = ask->next;
		free_ask(ask);
	}
	worker_abandon(resolver->worker);
	/* Under the lock a busy lookup is still the thread's, which will free it, or posted: then arrived() will. */
	enter(resolver->outlet);
	resolver->outlet->loop = NULL;
	while ((lookup = resolver->lookups) != NULL) {
		resolver->lookups = lookup->next;
		lookup->resolver = NULL;
		if (!lookup->busy)
			free(lookup);
	}
	leave(resolver->outlet);
	free(resolver);
}
