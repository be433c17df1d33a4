/* SPDX-License-Identifier: Apache-2.0 */
/* quota.h - how much one submitter may hand over: jobs, recipients elsewhere, octets in the queue.  Layer: core.  Pure.
 *
 * A submitter is a uid and a unit. A rate N/min is a bucket that holds a burst and drains by N in a minute; only a job that is taken fills it. Severity
 * critical and worse may go a quarter beyond each quota. QUOTA_SUBMITTERS are remembered; then the one that has been silent longest is forgotten.
 */
#ifndef ND_CORE_QUOTA_H
#define ND_CORE_QUOTA_H

#include "daemon/core/access.h"
#include "daemon/core/conf.h"

#define QUOTA_SUBMITTERS 1024u

struct quota;
struct quota *quota_new(void);
void quota_free(struct quota *quota);

struct quota_ask {
	const struct access_peer *peer;
	uint64_t octets;  /* of the job */
	uint64_t queued;  /* octets of the submitter in the queue already; those on their way are counted here */
	unsigned foreign; /* recipients outside the own domains */
	bool severe;      /* critical or worse */
};
/* ND_OK, and the job counts, its octets until quota_over; else ND_EOVERQUOTA, the setting and when to come again (retry_after), or ND_ETOOBIG, when it never could come in; and
 * nothing counts. Operators have no quota. */
enum nd_err quota_take(struct quota *quota, const struct conf *conf, const struct quota_ask *ask, nd_ms now,
    struct nd_why *why) ND_MUST_CHECK;
/* The job that was taken is in the queue. fresh false: it came to nothing, or was there before, and does not count after all. */
void quota_over(struct quota *quota, const struct conf *conf, const struct quota_ask *ask, bool fresh);
unsigned quota_count(const struct quota *quota); /* submitters remembered */

#endif
