/* SPDX-License-Identifier: Apache-2.0 */
/* explained.h - the words of a failure are those that the table of explanations looks for. */
#ifndef TESTS_IO_EXPLAINED_H
#define TESTS_IO_EXPLAINED_H

#include "common/explain.h"

#include <string.h>

static inline bool
explained(const struct nd_why *why, const char *remedy)
{
	struct nd_buf hint;
	bool found;

	nd_buf_init(&hint, 4096);
	found = explain_hint(why->text, NULL, EXPLAIN_EN, &hint) && strstr(nd_buf_text(&hint), remedy) != NULL;
	nd_buf_done(&hint);
	return found;
}

#endif
