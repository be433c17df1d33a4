/* SPDX-License-Identifier: Apache-2.0 */
/* mime_plain.h - a header for a relay without SMTPUTF8.  Layer: core (of mime).  Pure.
 *
 * An address whose local part is outside ASCII stands in the header as it is (RFC 6532). Where the relay does not take such a header the others still
 * get their mail, and see who else was meant: the address becomes an empty group whose name it is (RFC 6857 3.1.8), which nobody can answer to. One whose
 * domain alone is outside ASCII is said with A-labels. Looked for between < and >, outside of quotes and comments.
 */
#ifndef ND_CORE_MIME_PLAIN_H
#define ND_CORE_MIME_PLAIN_H

#include "common/buf.h"

/* Octets of the header, its empty line with them; `len` when it does not end. */
size_t mime_plain_header_len(const char *octets, size_t len);
/* The same, when the first `seen` octets have been looked through in vain. */
size_t mime_plain_header_more(const char *octets, size_t len, size_t seen);
/* There is such an address in it, in UTF-8. */
bool mime_plain_needed(const char *header, size_t len);
/* Adds the header with each of them as an empty group. All else stays as it is. */
void mime_plain_add(struct nd_buf *out, const char *header, size_t len);

#endif
