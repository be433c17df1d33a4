/* SPDX-License-Identifier: Apache-2.0 */
/* mime_plain.h - a header for a relay without SMTPUTF8.  Layer: core (of mime).  Pure.
 *
 * An address whose local part is outside ASCII stands in the header as it is (RFC 6532). Where the relay does not take such a header the others still
 * get their mail, and see who else was meant: the address becomes an empty group whose name it is (RFC 6857 3.1.8), which nobody can answer to. One whose
 * domain alone is outside ASCII is said with A-labels. Looked for outside of quotes and comments, between < and > and, where a mailbox has none, as the
 * one word that it is. What a person reads and somebody wrote as it is, of Subject and kin, names and comments, becomes encoded words.
 */
#ifndef ND_CORE_MIME_PLAIN_H
#define ND_CORE_MIME_PLAIN_H

#include "common/buf.h"

#define MIME_PLAIN_MOST                                                                                                \
	(4u << 20) /* octets of a header of a message that is not in memory: one with a thousand long names is far less */

/* Octets of the header, its empty line with them; `len` when it does not end. */
size_t mime_plain_header_len(const char *octets, size_t len);
/* What of it is outside ASCII, and can be said otherwise. Words alone are no reason to ask a relay for SMTPUTF8: the relays behind it may not offer it. */
enum mime_plain { MIME_PLAIN_ALREADY, MIME_PLAIN_WORDS, MIME_PLAIN_ADDRESSES };
enum mime_plain mime_plain_of(const char *header, size_t len);
/* Adds the header with all of that in ASCII. All else stays as it is. */
void mime_plain_add(struct nd_buf *out, const char *header, size_t len);

#endif
