/* SPDX-License-Identifier: Apache-2.0 */
/* mime_seven.h - a message that somebody else composed, in seven bits.  Layer: core (of mime).  Pure.
 *
 * For a relay without 8BITMIME (RFC 6152 3). A part with octets above 127 is encoded: text as quoted-printable, all else as base64; the parts and
 * messages around it say 7bit. Fields of parts are said as mime_plain.h has it, parameters by RFC 2231; those of the message's own header are not touched
 * but for these parameters. A text that says nothing of its characters gets their name: utf-8 when it is that, else unknown-8bit (RFC 1428 3). What is
 * shown by nobody, in front of the first part and behind the last one, loses such octets. All else stays as it is, octet by octet.
 *
 * The message is looked at first, as a whole, then said; both piece by piece, in memory that does not grow with it. The same octets always become the same.
 */
#ifndef ND_CORE_MIME_SEVEN_H
#define ND_CORE_MIME_SEVEN_H

#include "common/buf.h"

#define MIME_SEVEN_DEPTH 8u     /* parts within parts, messages within messages */
#define MIME_SEVEN_PARTS 65536u /* an octet is kept for each */
#define MIME_SEVEN_LINE 65536u  /* octets of a line */
#define MIME_SEVEN_ROOM(len)                                                                                           \
	(8 * (size_t)(len) + 8 * MIME_SEVEN_LINE) /* `len` octets, and what was held back, become less */

struct mime_seven;
struct mime_seven *mime_seven_new(void);
void mime_seven_free(struct mime_seven *seven); /* NULL is fine */

/* The next octets. `out` NULL: the first time, when they are looked at. */
void mime_seven_add(struct mime_seven *seven, struct nd_buf *out, const char *octets, size_t len);
/* The message is over; what is added next is its beginning once more. */
void mime_seven_end(struct mime_seven *seven, struct nd_buf *out);

/* Known when it was looked at: has it octets above 127, where they matter to its parts? */
bool mime_seven_needed(const struct mime_seven *seven);
/* Why it can be said in no other way than it is; NULL: it can. A signature ends with any change (RFC 1847 2.1). */
const char *mime_seven_never(const struct mime_seven *seven);

#endif
