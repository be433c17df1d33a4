/* SPDX-License-Identifier: Apache-2.0 */
/* again.h - is a submission that failed worth another try, and after which pause?  Layer: client.  Pure.
 *
 * Time runs from the first failure: before it the daemon may have been waiting, as it was asked to.
 */
#ifndef ND_CLIENT_AGAIN_H
#define ND_CLIENT_AGAIN_H

#include "client/link.h"

struct again {       /* all zero at first */
	nd_ms since; /* of the first failure */
	nd_ms pause; /* the last one */
	bool lost;   /* a connection: the job may be accepted, so a daemon that is starting again is waited for */
};

/* How long to pause before it is sent again; 0: this answer, or failure, stands. */
nd_ms again_pause(
    struct again *again, nd_ms now, enum nd_err err, const struct nd_why *why, const struct link_reply *reply);

#endif
