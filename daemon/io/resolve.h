/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.h - host names to addresses on resolver threads.  Layer: io.  Knows getaddrinfo.
 *
 * getaddrinfo cannot be cancelled: a lookup that outlasts its deadline is given up and its late answer dropped; up to 4 threads. Answers are kept 60 s.
 * localhost is asked of nobody (RFC 6761, 6.3).
 */
#ifndef ND_IO_RESOLVE_H
#define ND_IO_RESOLVE_H

#include "common/err.h"
#include "daemon/io/loop.h"

#include <sys/socket.h>

#define RESOLVE_MAX 16

struct resolve_addr {
	struct sockaddr_storage addr;
	socklen_t len;
	char text[64]; /* "192.0.2.1", "2001:db8::1" */
};
struct resolve_answer {
	struct resolve_addr addr[RESOLVE_MAX]; /* in the order of RFC 6724, families interleaved (RFC 8305) */
	unsigned count;
};

struct resolver;
struct resolver *resolver_new(struct loop *loop);
void resolver_free(struct resolver *resolver); /* waits for no lookup; asks that are left end without done() */
void resolver_patience(struct resolver *resolver, nd_ms patience); /* of the asks to come, instead of 30 s */
typedef void resolve_done(
    void *arg, const struct resolve_answer *answer, const struct nd_why *why); /* answer NULL: why */
struct resolve_ask;
/* Asks; done is called once from the loop (never before this returns), unless cancelled. Deadline 30 s. */
struct resolve_ask *resolver_ask(
    struct resolver *resolver, const char *host, uint16_t port, resolve_done *done, void *arg);
void resolver_cancel(struct resolve_ask *ask);

#endif
