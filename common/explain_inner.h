/* SPDX-License-Identifier: Apache-2.0 */
/* explain_inner.h - what the files of explain share.  Layer: common, words. */
#ifndef ND_COMMON_EXPLAIN_INNER_H
#define ND_COMMON_EXPLAIN_INNER_H

#include "common/explain.h"

struct explain_table {
	struct explain_row **rows; /* owned */
	unsigned count, room;
	unsigned front; /* rows of later files stand before this one */
	char **texts;   /* owned; every word of a row is in one of them */
	unsigned text_count;
	unsigned revision;
};

extern const char explain_built_in[]; /* share/explanations; made by the build */

/* Lower case, white space as one blank, cut to EXPLAIN_TEXT: what patterns are held against. Returns the length. */
size_t explain_plain(const char *text, char out[EXPLAIN_TEXT + 1]);
/* Does the pattern (in lower case) fit somewhere in a plain text? */
bool explain_fits(const char *pattern, const char *plain);
/* A fault of the pattern, or NULL. */
const char *explain_pattern_fault(const char *pattern);
/* "microsoft-hve" is of "microsoft"; NULL: of no provider that has rows of its own. */
const char *explain_family(const char *provider);
/* The first {name} in `words` that nothing is known of; NULL none. */
const char *explain_stranger(const char *words);

#endif
