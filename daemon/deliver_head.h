/* SPDX-License-Identifier: Apache-2.0 */
/* deliver_head.h - a mail as this relay takes it, and as late as it is. */
#ifndef ND_DELIVER_HEAD_H
#define ND_DELIVER_HEAD_H

#include "daemon/core/sched.h"
#include "daemon/core/store.h"
#include "daemon/deliver_seven.h"
#include "daemon/io/smtp_link.h"
#include "daemon/io/spool.h"

struct deliver_head {
	char *octets; /* owned */
	size_t len;
	uint64_t skip;               /* octets of the body that stand in it already */
	struct deliver_seven *seven; /* owned; NULL, or all of the message comes from here */
};
void deliver_head_done(struct deliver_head *head);

/* What a relay lacks that this mail would need. */
struct deliver_lacks {
	bool smtputf8; /* its header goes without UTF-8 (mime_plain.h) */
	bool eight;    /* 8BITMIME: its body goes in seven bits (mime_seven.h) */
};
/* Its head and the start of its body, where they do not go as they are kept: with the notice that it is late (late.h), and for what the relay lacks. Else
 * nothing. spool may be NULL for what is not in it. ND_ETOOBIG, ND_EMEDIATYPE: no relay of this kind ever gets it. */
enum nd_err deliver_head_make(struct spool *spool, const struct queue_job *job, struct deliver_lacks lacks,
    struct deliver_head *out, struct nd_why *why) ND_MUST_CHECK;

/* Fills in what travels to a relay that offers `caps`, but for what is left out of them, and notes in `job` how. Header and body are borrowed from `job` and `head`. */
enum nd_err deliver_head_take(struct spool *spool, struct sched_job *job, const struct smtp_caps *caps,
    struct deliver_head *head, struct smtp_link_mail *mail, struct nd_why *why) ND_MUST_CHECK;

#endif
