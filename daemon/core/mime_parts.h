/* SPDX-License-Identifier: Apache-2.0 */
/* mime_parts.h - the texts and attachments of a message.  Layer: core (of mime).  Pure. */
#ifndef ND_CORE_MIME_PARTS_H
#define ND_CORE_MIME_PARTS_H

#include "common/buf.h"
#include "common/job.h"

/* Appends Content-Type and all after it to the header. ND_EINVALID: an attachment is no base64; ND_ETOOBIG: `out` refused (it then holds a part). */
enum nd_err mime_parts_add(const struct job_draft *draft, const char *id, const char *hostname, struct nd_buf *out,
    struct nd_why *why) ND_MUST_CHECK;

#endif
