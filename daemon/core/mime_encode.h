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
/* One line as quoted-printable, with a CRLF. No row of it begins with '-', as a boundary does. */
void mime_encode_line(struct nd_buf *out, const char *line, size_t len);
/* The content of a line that is said to be quoted-printable and holds octets above 127 all the same: these escaped, all else as it is. */
void mime_encode_mend(struct nd_buf *out, const char *line, size_t len);
/* With something in place of each octet above 127. */
void mime_encode_without(struct nd_buf *out, const char *octets, size_t len, const char *instead);
/* Octets as base64, a row at a time. Begin with a zeroed struct; the end writes what does not fill one. */
#define MIME_ENCODE_ROW 57u /* this many octets fill a row of base64 */
struct mime_encode_rows {
	char octets[MIME_ENCODE_ROW];
	size_t used;
};
void mime_encode_rows_add(struct mime_encode_rows *rows, struct nd_buf *out, const char *octets, size_t len);
void mime_encode_rows_end(struct mime_encode_rows *rows, struct nd_buf *out);
/* Base64 again, in lines of 76. White space in the input is left out; false: it is not base64. */
bool mime_encode_rewrap(struct nd_buf *out, const char *base64, size_t len);

#endif
