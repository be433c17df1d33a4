/* SPDX-License-Identifier: Apache-2.0 */
/* mime_encode.h - the body of a part as 7-bit octets.  Layer: core (of mime).  Pure. */
#ifndef ND_CORE_MIME_ENCODE_H
#define ND_CORE_MIME_ENCODE_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* A text may come in several pieces; each begins on a line of its own. Borrowed. */
struct mime_piece {
	const char *octets;
	size_t len;
};

/* Adds Content-Transfer-Encoding, the empty line and the text: 7bit when every line is short, plain ASCII without blanks at its end, else
 * quoted-printable or base64 (RFC 2045 6.7, 6.8), whichever is shorter. CRLF, LF and lone CR end a line and become CRLF; the last line gets one too.
 * `in_multipart`: a line that could be taken for a boundary is encoded. */
void mime_encode_text(struct nd_buf *out, const struct mime_piece *pieces, unsigned count, bool in_multipart);
/* Base64 again, in lines of 76. White space in the input is left out; false: it is not base64. */
bool mime_encode_rewrap(struct nd_buf *out, const char *base64, size_t len);

#endif
