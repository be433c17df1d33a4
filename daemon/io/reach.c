/* SPDX-License-Identifier: Apache-2.0 */
/* reach.c - can a server be reached: its name is looked up and a connection made, and closed.  Layer: io.  Knows libevent. */
#include "daemon/io/reach.h"

#include "common/mem.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct
try {
	struct reach *reach;
	struct event *event; /* NULL: over, or never begun */
	const char *text;    /* its address */
	int fd;
};

struct reach {
	struct loop *loop;
	struct resolve_ask *ask; /* NULL: answered */
	struct resolve_answer answer;
	struct try tries[RESOLVE_MAX];
	struct loop_timer *timer;
	char *host;
	nd_ms patience, since;
	unsigned open;
	int sys_errno; /* of the last one that failed */
	struct reach_result result;
	reach_done *done;
	void *arg;
};

static void
end_try(struct try *try)
{
	if (try->event == NULL)
		return;
	event_free(try->event);
	try->event = NULL;
	(void)close(try->fd);
	try->reach->open--;
}

static void
free_late(void *arg)
{
	struct reach *reach = arg;

	free(reach->host);
	free(reach);
}

void
reach_free(struct reach *reach)
{
	if (reach == NULL)
		return;
	if (reach->ask != NULL)
		resolver_cancel(reach->ask);
	reach->ask = NULL;
	for (unsigned i = 0; i < RESOLVE_MAX; i++)
		end_try(&reach->tries[i]);
	loop_forget(reach->loop, reach);
	loop_timer_free(reach->timer);
	reach->timer = NULL;
	loop_free_later(reach->loop, free_late, reach);
}

static nd_ms
now(const struct reach *reach)
{
	return loop_now(reach->loop).ms;
}

static void
finish(struct reach *reach)
{
	for (unsigned i = 0; i < RESOLVE_MAX; i++)
		end_try(&reach->tries[i]);
	loop_timer_set(reach->timer, ND_NEVER);
	reach->done(reach->arg, &reach->result);
}

static void
tell_unconnected(void *arg)
{
	struct reach *reach = arg;
	const int error = reach->sys_errno;

	(void)nd_fail(&reach->result.why, error == ETIMEDOUT ? ND_EDEADLINE : ND_ECONNECT, 0, "no connection: %s",
	    error == ETIMEDOUT ? "nothing was answered, as when a firewall drops it" : strerrordesc_np(error));
	finish(reach);
}

static void
on_late(void *arg)
{
	struct reach *reach = arg;

	if (reach->ask == NULL) {
		reach->sys_errno = ETIMEDOUT;
		tell_unconnected(reach);
		return;
	}
	resolver_cancel(reach->ask);
	reach->ask = NULL;
	reach->result.looked_up = now(reach) - reach->since;
	(void)nd_fail(&reach->result.why, ND_ERESOLVE, 0, "the name servers did not answer");
	finish(reach);
}

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct try *try = arg;
	struct reach *reach = try->reach;
	socklen_t len = sizeof(reach->sys_errno);
	int error = 0;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0) {
		(void)snprintf(reach->result.address, sizeof(reach->result.address), "%s", try->text);
		reach->result.connected = now(reach) - reach->since;
		finish(reach);
		return;
	}
	reach->sys_errno = error;
	end_try(try);
	if (reach->open == 0)
		tell_unconnected(reach);
}

static void
begin_try(struct reach *reach, const struct resolve_addr *address, struct try *try)
{
	int fd;

	fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    (connect(fd, (const struct sockaddr *)&address->addr, address->len) != 0 && errno != EINPROGRESS)) {
		reach->sys_errno = errno;
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	*try = (struct try){ .reach = reach, .fd = fd, .text = address->text };
	try->event = event_new(loop_base(reach->loop), fd, EV_WRITE, on_connected, try);
	if (try->event == NULL || event_add(try->event, NULL) != 0)
		abort(); /* no memory */
	reach->open++;
}

static void
resolved(void *arg, const struct resolve_answer *answer, const struct nd_why *why)
{
	struct reach *reach = arg;

	reach->ask = NULL;
	reach->result.looked_up = now(reach) - reach->since;
	if (answer == NULL || answer->count == 0) {
		reach->result.why = *why;
		finish(reach);
		return;
	}
	reach->answer = *answer;
	reach->result.count = answer->count;
	(void)snprintf(reach->result.first, sizeof(reach->result.first), "%s", answer->addr[0].text);
	reach->since = now(reach);
	loop_timer_set(reach->timer, reach->since + reach->patience);
	for (unsigned i = 0; i < reach->answer.count; i++)
		begin_try(reach, &reach->answer.addr[i], &reach->tries[i]);
	if (reach->open == 0)
		loop_soon(reach->loop, tell_unconnected, reach);
}

struct reach * /* NOLINTNEXTLINE(readability-function-size): where to, how long, and who is told */
reach_new(struct loop *loop, struct resolver *resolver, const char *host, uint16_t port, nd_ms patience,
    reach_done *done, void *arg)
{
	struct reach *reach = nd_xalloc(sizeof(*reach));

	reach->loop = loop;
	reach->host = nd_xstrdup(host);
	reach->patience = patience;
	reach->done = done;
	reach->arg = arg;
	reach->since = loop_now(loop).ms;
	reach->timer = loop_timer_new(loop, on_late, reach);
	loop_timer_set(reach->timer, reach->since + patience);
	reach->ask = resolver_ask(resolver, reach->host, port, resolved, reach);
	return reach;
}
