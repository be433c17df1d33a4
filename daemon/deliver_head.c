/* SPDX-License-Identifier: Apache-2.0 */
/* deliver_head.c - the header of a mail as this relay takes it. */
#include "daemon/deliver_head.h"

#include "common/buf.h"
#include "common/mem.h"
#include "common/str.h"
#include "daemon/app.h"
#include "daemon/core/mime_plain.h"
#include "daemon/core/smtp_check.h"

#include <string.h>

#define HEADER_MAX (4u * 1024 * 1024) /* a thousand recipients with long names are far less */

bool
deliver_head_utf8(const struct queue_job *job)
{
	if (nd_str_eight(job->head, strlen(job->head)))
		return true;
	if (job->spooled)
		return sender_utf8(job);
	return nd_str_eight(job->body, (size_t)job->body_len) &&
	       mime_plain_needed(job->body, mime_plain_header_len(job->body, (size_t)job->body_len));
}

/* The start of the body up to the end of its header, or a little more. */
static enum nd_err
read_header(struct spool *spool, const struct queue_job *job, struct nd_buf *out, struct nd_why *why)
{
	char piece[16384];
	struct spool_body body;
	enum nd_err err = spool_body_open(spool, job, &body, why);
	size_t seen = 0;
	ssize_t got = 1;

	if (err != ND_OK)
		return err;
	while (got > 0 && !out->failed && mime_plain_header_more(nd_buf_text(out), out->len, seen) == out->len) {
		seen = out->len;
		got = spool_body_read(&body, piece, sizeof(piece), why);
		if (got > 0)
			(void)nd_buf_add(out, piece, (size_t)got);
	}
	spool_body_close(&body);
	explicit_bzero(piece, sizeof(piece));
	return got < 0 ? why->err : ND_OK;
}

enum nd_err
deliver_head_plain(struct spool *spool, const struct queue_job *job, struct deliver_head *out, struct nd_why *why)
{
	struct nd_buf start, head;
	enum nd_err err = ND_OK;
	const char *body = job->body;
	size_t len = (size_t)job->body_len;

	nd_buf_init(&start, HEADER_MAX);
	nd_buf_init(&head, 8 * (size_t)HEADER_MAX);
	if (job->spooled) {
		err = read_header(spool, job, &start, why);
		body = nd_buf_text(&start);
		len = start.len;
	}
	if (err == ND_OK) {
		len = mime_plain_header_len(body, len);
		mime_plain_add(&head, job->head, strlen(job->head));
		mime_plain_add(&head, body, len);
		if (start.failed || head.failed)
			err = nd_fail(why, ND_ETOOBIG, 0,
			    "the header of the message is larger than %u MiB, too large to be rewritten for a relay "
			    "that does not offer SMTPUTF8",
			    HEADER_MAX >> 20);
	}
	if (err == ND_OK) {
		out->skip = len;
		out->octets = nd_buf_take(&head, &out->len);
	}
	nd_buf_wipe(&start);
	nd_buf_done(&head);
	return err;
}
