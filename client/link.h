/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - one HTTP/1.1 request over the daemon's Unix socket.  Layer: client.  Blocking, with a deadline.
 *
 * No HTTP library: the smallest of them would take longer to load than the request to be answered.
 */
#ifndef ND_CLIENT_LINK_H
#define ND_CLIENT_LINK_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"

#include <stdbool.h>

#define LINK_PATIENCE ND_SEC(60) /* for an answer, unless the request asks the daemon to wait */

struct link_reply;

struct link_request {
	const char *method, *path; /* path with its query, encoded */
	const char *type;          /* of the body; NULL: there is none */
	const char *body;
	size_t len;
	const char *idempotency_key; /* NULL none */
	const char *language;        /* of words for people; NULL: English */
	nd_ms patience;              /* 0: LINK_PATIENCE */
	/* Called when more of the body of a 2xx answer has come: it may take whole lines (link_lines). Patience is for
	 * silence then, not for the whole answer. false: enough, the call has succeeded. NULL: the whole body is kept. */
	bool (*take)(void *arg, struct link_reply *reply);
	void *arg;
};

struct link_reply {
	int status;
	unsigned retry_after; /* seconds; 0 none */
	char type[80];        /* media type without parameters, lower case */
	struct nd_buf body;
};

/* Connects and asks once. `socket` is the submitters' socket: the operator's beside it is used where it may be opened.
 * ND_ECONNECT nobody listens there, ND_ECLOSED lost before the whole answer, ND_EDEADLINE, ND_EPROTOCOL not HTTP/1.1 as it should be, ND_ETOOBIG.
 * The reply must be done, also after a failure. */
enum nd_err link_call(
    const char *socket, const struct link_request *request, struct link_reply *reply, struct nd_why *why) ND_MUST_CHECK;
nd_ms link_now(void); /* CLOCK_BOOTTIME, for deadlines */
void link_reply_done(struct link_reply *reply);
/* Gives each whole line of the body, with its end, and takes them out of it. Stops at the first false, and returns it. */
bool link_lines(struct link_reply *reply, bool (*each)(void *arg, const char *line, size_t len), void *arg);

#endif
