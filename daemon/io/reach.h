/* SPDX-License-Identifier: Apache-2.0 */
/* reach.h - can a server be reached: its name is looked up and a connection made, and closed.  Layer: io.  Knows libevent. */
#ifndef ND_IO_REACH_H
#define ND_IO_REACH_H

#include "daemon/io/loop.h"
#include "daemon/io/resolve.h"

struct reach_result {
	unsigned count;    /* addresses of the name; 0: it was not found */
	char first[64];    /* of them */
	nd_ms looked_up;   /* how long it took */
	char address[64];  /* that took the connection; "" none */
	nd_ms connected;   /* how long that took */
	struct nd_why why; /* of what did not happen; err ND_OK: all did */
};

struct reach;
typedef void reach_done(void *arg, const struct reach_result *result); /* once, from the loop; not after reach_free */
/* Each of both takes `patience` at most. All addresses are tried side by side; the first that answers counts. */
struct reach *reach_new(struct loop *loop, struct resolver *resolver, const char *host, uint16_t port, nd_ms patience,
    reach_done *done, void *arg);
void reach_free(struct reach *reach); /* NULL is fine; safe inside done */

#endif
