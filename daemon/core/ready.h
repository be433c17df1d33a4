/* SPDX-License-Identifier: Apache-2.0 */
/* ready.h - a message that somebody else composed => a job.  Layer: core.  Pure.
 *
 * The octets stay what they are, but for what a relay would not take or a reader must not see: every line ends with CRLF; From and Sender
 * are written by mime_head for the account; Bcc, Resent-Bcc, Return-Path and mbox's "From " line go; Date, Message-ID, MIME-Version and
 * To are added when there are none.
 */
#ifndef ND_CORE_READY_H
#define ND_CORE_READY_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"

#include <stdbool.h>

#define READY_LINE_MAX 998u /* octets of a line without its end (RFC 5322 2.1.1) */

struct ready {
	const char *octets; /* borrowed */
	size_t len;
	char *from, *subject; /* unfolded; NULL none */
	bool has_reply_to, has_date, has_message_id, has_mime_version, has_reader;
};

/* Looks at a whole message. ND_EINVALID, with the line, when it cannot be one: no header, a NUL, a line that is too long. */
enum nd_err ready_read(struct ready *ready, const char *octets, size_t len, struct nd_why *why) ND_MUST_CHECK;
void ready_done(struct ready *ready);
/* The rest of the message, below the head of the account. */
enum nd_err ready_write(const struct ready *ready, const char *id, nd_unix created, const char *hostname,
    struct nd_buf *out, struct nd_why *why) ND_MUST_CHECK;

/* What the envelope may say (NULL-terminated); "t": true takes the recipients of To, Cc and Bcc too. */
extern const char *const ready_fields[];
/* Envelope and message as the JSON of a job: job_check has the last word. Severity is notice unless given. */
enum nd_err ready_job(
    const struct ready *ready, const struct json_node *envelope, struct nd_buf *json, struct nd_why *why) ND_MUST_CHECK;

/* The addresses of one unfolded field (RFC 5322 3.4: groups, comments, quoted strings, routes) as texts of an array; `count` grows. */
enum nd_err ready_rcpts(
    const char *field, const char *text, struct json_out *out, unsigned *count, struct nd_why *why) ND_MUST_CHECK;
/* Encoded words (RFC 2047) of UTF-8, ASCII and Latin-1 as UTF-8; the rest as it is. */
void ready_words(const char *text, struct nd_buf *out);

#endif
