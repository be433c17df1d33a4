/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what was not delivered, gathered for one mail to the administrators.  Layer: core.  Pure.
 *
 * Bounded: REPORT_JOBS jobs and REPORT_OCTETS of words are told, more are counted. The first report waits for a moment, for a fault seldom
 * comes alone; then there is at most one in `every`, and at most REPORT_HOUR an hour. What a mail tells stays here until the mail is accepted.
 * Lives in memory; the store notes which jobs a mail has yet to tell, and when the last mails went (STORE_UNTOLD): a restart begins nothing
 * anew.
 */
#ifndef ND_CORE_REPORT_H
#define ND_CORE_REPORT_H

#include "common/buf.h"
#include "common/clock.h"
#include "daemon/core/store.h"

#include <stdbool.h>

#define REPORT_JOBS 50u
#define REPORT_OCTETS 32768u
#define REPORT_RCPTS 10u /* of one job */
#define REPORT_HOUR 6u
#define REPORT_GATHER ND_SEC(10)
#define REPORT_AGAIN ND_MIN(1) /* after the mail was refused */

struct report_job {
	char id[ND_ULID_LEN + 1];
	char *words; /* owned */
	size_t len;
};
struct report {
	struct report_job job[REPORT_JOBS];
	unsigned count;
	size_t octets;
	uint64_t more;          /* that are not told one by one */
	bool telling;           /* a mail is on its way into the queue: */
	unsigned telling_count; /* of the first ones */
	uint64_t telling_more;
	nd_ms again;             /* not before */
	nd_ms sent[REPORT_HOUR]; /* the last ones, oldest first */
	unsigned sent_count;
};

/* Has somebody not got it, for good? */
bool report_worthy(const struct queue_job *job);
/* subject: of the job, NULL none is known; remedy: "" none. */
void report_add(struct report *report, const struct queue_job *job, const char *subject, const char *remedy);
void report_forget(struct report *report, const char *id); /* it is tried again */
/* When it is to be sent; ND_NEVER: there is nothing, or it is being told. `since`: when the first was added. */
nd_ms report_due(const struct report *report, nd_ms since, nd_ms every, nd_ms now);
/* Subject and text of the mail. One of the two below follows, when it is known whether the mail is accepted. */
void report_tell(struct report *report, const char *host, struct nd_buf *subject, struct nd_buf *text);
void report_told(struct report *report, nd_ms now); /* only what came in meanwhile is left */
void report_refused(struct report *report, nd_ms now);
/* When the last ones were sent, for the next run; the caller frees it. NULL: none was. */
char *report_keep(const struct report *report, struct nd_now now);
void report_recall(struct report *report, const char *kept, struct nd_now now); /* NULL is fine */
void report_done(struct report *report);

#endif
