/* SPDX-License-Identifier: Apache-2.0 */
/* mime_words.h - text of a header field in UTF-8 as encoded words (RFC 2047).  Layer: core (of mime).  Pure. */
#ifndef ND_CORE_MIME_WORDS_H
#define ND_CORE_MIME_WORDS_H

#include "common/buf.h"

/* Adds the field, "Name: …" with its line ends, its words outside ASCII encoded and all else as it is. `addresses`: it lists mailboxes, whose names and
 * comments are words; what stands between < and > stays. Whether there was such a word; when not, or when the field is not UTF-8 or leaves a quote, a
 * comment or a bracket open, nothing is added. */
bool mime_words_add(struct nd_buf *out, const char *field, size_t len, bool addresses);

#endif
