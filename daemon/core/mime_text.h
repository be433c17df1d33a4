/* SPDX-License-Identifier: Apache-2.0 */
/* mime_text.h - HTML => the plain text of it.  Layer: core (of mime).  Pure.
 *
 * For people who read mail as text, not a browser: tags go, blocks and rows become lines, a link becomes "words <url>".
 */
#ifndef ND_CORE_MIME_TEXT_H
#define ND_CORE_MIME_TEXT_H

#include "common/buf.h"

/* Appends the text; lines end in LF. Script, style, title and comments are dropped. Any octets are allowed; the time is linear. */
void mime_text_from_html(struct nd_buf *out, const char *html, size_t len);

#endif
