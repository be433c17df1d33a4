/* SPDX-License-Identifier: Apache-2.0 */
/* deliver_head.h - the header of a mail as this relay takes it. */
#ifndef ND_DELIVER_HEAD_H
#define ND_DELIVER_HEAD_H

#include "daemon/core/mime_plain.h"
#include "daemon/core/sched.h"
#include "daemon/core/store.h"
#include "daemon/io/spool.h"

struct deliver_head {
	char *octets; /* owned */
	size_t len;
	uint64_t skip; /* octets of the body that stand in it already */
};

/* What in its header has to be said otherwise to a relay without SMTPUTF8. */
enum mime_plain deliver_head_kind(const struct queue_job *job);
/* Its head and the start of its body, where they do not go as they are kept: with the notice that it is late (late.h), and `plain` for a relay without
 * SMTPUTF8 (mime_plain.h). Else nothing. spool may be NULL for what is not in it. ND_ETOOBIG: no relay of this kind ever gets it. */
enum nd_err deliver_head_make(struct spool *spool, const struct queue_job *job, bool plain, struct deliver_head *out,
    struct nd_why *why) ND_MUST_CHECK;

#endif
