/* SPDX-License-Identifier: Apache-2.0 */
/* mime_header.h - one header field: folding, encoded words, mailboxes, parameters.  Layer: core (of mime).  Pure.
 *
 * Only 7-bit octets leave here but for addresses that have no other form (mime_plain.c); and no CR or LF of a value: control characters become spaces,
 * whatever was checked before.
 */
#ifndef ND_CORE_MIME_HEADER_H
#define ND_CORE_MIME_HEADER_H

#include "common/buf.h"
#include "common/str.h"

struct mime_header {
	struct nd_buf *out; /* borrowed */
	size_t line;        /* where the current line begins in it */
	bool encoded;       /* it holds an encoded word */
};

/* "Name:", then tokens, then the line's end. */
void mime_header_begin(struct mime_header *header, struct nd_buf *out, const char *name);
/* A space (or a fold, when the line would grow over 78) and the octets; `room` more are needed on the same line. */
void mime_header_token(struct mime_header *header, const char *octets, size_t len, size_t room);
/* A space, or a fold, and encoded words that hold the whole text. */
void mime_header_encode(struct mime_header *header, const char *text, size_t len);
/* [phrase] <address>, its domain in A-labels when its local part is ASCII; `room` as above. RFC 5322 3.4, RFC 2047 5 (3). */
void mime_header_mailbox(struct mime_header *header, const struct nd_mailbox *box, size_t room);
/* ; name=value by RFC 2045 5.1, also name*=utf-8''… (RFC 2231 3, 4) when the value is not ASCII or too long for a line. */
void mime_header_param(struct mime_header *header, const char *name, const char *value);
void mime_header_end(struct mime_header *header);

/* A whole field of free text (RFC 5322 2.2.1): as it is where it can be, else encoded words. */
void mime_header_text(struct nd_buf *out, const char *name, const char *value);

#endif
