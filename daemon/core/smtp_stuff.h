/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_stuff.h - the content of a mail as it travels after DATA, or in a chunk.  Layer: core.  Pure.
 *
 * RFC 5321 4.5.2 (a dot that begins a line is doubled) and 2.3.8 (lines end with CRLF, nothing else does): a lone LF becomes CRLF, a lone CR a space, so
 * that no server sees an end of data where there is none. Slices may be cut anywhere.
 */
#ifndef ND_CORE_SMTP_STUFF_H
#define ND_CORE_SMTP_STUFF_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct smtp_stuff {
	bool inside;  /* of a line: something of it was written */
	bool held_cr; /* a CR whose successor is not known yet */
	bool chunk;   /* for BDAT: no dots */
};

/* Begin with a zeroed struct, but for `chunk`. */
void smtp_stuff_add(struct smtp_stuff *stuff, struct nd_buf *out, const char *octets, size_t len);
/* Ends the last line; after DATA also the data. */
void smtp_stuff_end(struct smtp_stuff *stuff, struct nd_buf *out);

#endif
