/* SPDX-License-Identifier: Apache-2.0 */
/* mime_notice.h - a line at the top of a message that is composed already.  Layer: core (of mime).  Pure.
 *
 * For messages of mime_body alone, whose order of parts is known: what is said goes to the top of the text and to the top of what the HTML shows, in the
 * encoding that each of them has. All other octets stay.
 */
#ifndef ND_CORE_MIME_NOTICE_H
#define ND_CORE_MIME_NOTICE_H

#include "common/buf.h"

/* Adds what of `octets`, the start of the message, follows its header, with `words` (ASCII) in it. false: they end before all places were found, and
 * they are not `all` there may be: nothing was added. */
bool mime_notice_add(
    struct nd_buf *out, const char *id, const char *octets, size_t len, bool all, const char *words) ND_MUST_CHECK;

#endif
