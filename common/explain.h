/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - a failure's text => what it means, what to do.  Layer: common, words.  Pure. */
#ifndef ND_COMMON_EXPLAIN_H
#define ND_COMMON_EXPLAIN_H

struct explain_row {
	const char *token, *meaning, *remedy;
};

/* The first row whose token is in `text`, or NULL. */
const struct explain_row *explain_find(const char *text);

#endif
