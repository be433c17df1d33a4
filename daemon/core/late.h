/* SPDX-License-Identifier: Apache-2.0 */
/* late.h - a mail that comes much later than it was accepted says so.  Layer: core.  Pure.
 *
 * Whether it does is decided when a rendition begins: from its first octet on each try through that account sends the same octets, also when the job was
 * with another account meanwhile, if the first one may have taken it. What was decided
 * stands in queue_job.late, one number: the words follow from it and from what of the job never changes.
 */
#ifndef ND_CORE_LATE_H
#define ND_CORE_LATE_H

#include "common/buf.h"
#include "daemon/core/downtime.h"
#include "daemon/core/store.h"

#define LATE_AFTER ND_MIN(15)

enum {
	LATE_OPEN,     /* nothing of this rendition was sent */
	LATE_NEVER,    /* somebody else composed it: it goes as it is, by any account */
	LATE_PLAIN,    /* it began without a notice */
	LATE_FRESH,    /* nothing of this rendition was sent, but another account may have sent its own */
	LATE_FIRST = 4 /* it began with one: the minutes since 1970, times 4, and why */
};

/* What a rendition begins as now. `downtime`: of its account. */
bool late_open(uint32_t late); /* it is still to be decided */
/* The job goes from its account to `to`, by name; job->account still is the one it leaves. That may have it, by a try whose end is not known: then
 * what it began as there is kept (queue_job.begun: a line for each such account, its name and the number), and holds again when the job comes back. */
void late_move(struct queue_job *job, const char *to);
uint32_t late_begin(const struct queue_job *job, const struct downtime *downtime, nd_unix now);
bool late_told(uint32_t late); /* it has a notice */
/* The notice: ASCII, a sentence or a few. */
void late_words(const struct queue_job *job, struct nd_buf *out);

#endif
