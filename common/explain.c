/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - a failure's text => what it means, what to do.  Layer: common, words.  Pure. */
#include "common/explain.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const struct explain_row rows[] = {
#define EXPLAIN(token, meaning, remedy) { token, meaning, remedy },
#include "common/explain.def"
#undef EXPLAIN
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Numbers match as a whole: 5.7.3 is not in 5.7.30, nor in 1.5.7.3, nor AADSTS70001 in AADSTS700016. */
static bool
stands_alone(const char *text, const char *found, const char *token)
{
	const char *after = found + strlen(token);

	if (is_digit(after[-1]) && (is_digit(*after) || (*after == '.' && is_digit(after[1]))))
		return false;
	return !is_digit(*token) || found == text || (!is_digit(found[-1]) && found[-1] != '.');
}

const struct explain_row *
explain_find(const char *text)
{
	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *found = text;

		while ((found = strcasestr(found, rows[i].token)) != NULL) {
			if (stands_alone(text, found, rows[i].token))
				return &rows[i];
			found++;
		}
	}
	return NULL;
}
