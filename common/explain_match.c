/* SPDX-License-Identifier: Apache-2.0 */
/* explain_match.c - does a pattern fit a text?  Layer: common, words.  Pure.
 *
 * '*' stands for any run, '#' for a number, '^' at the start for the text's beginning. Each part between stars is looked for once, from the
 * left, and never again: no pattern takes more than (its length) x (the text's) steps.
 */
#include "common/explain_inner.h"

#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

size_t
explain_plain(const char *text, char out[EXPLAIN_TEXT + 1])
{
	size_t len = 0;

	for (; *text != '\0' && len < EXPLAIN_TEXT; text++) {
		char c = *text;

		if (c == '\t' || c == '\r' || c == '\n')
			c = ' ';
		if (c == ' ' && (len == 0 || out[len - 1] == ' '))
			continue;
		out[len++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	out[len] = '\0';
	return len;
}

/* How much of the text the part takes; 0: it is not there. */
static size_t
take(const char *at, const char *part, size_t len)
{
	const char *c = at;

	for (size_t i = 0; i < len; i++) {
		size_t n = part[i] == '#' ? strspn(c, "0123456789") : *c == part[i];

		if (n == 0)
			return 0;
		c += n;
	}
	return (size_t)(c - at);
}

/* Numbers fit as a whole: 5.7.3 is not in 5.7.30, nor in 1.5.7.3, nor AADSTS70001 in AADSTS700016. */
static bool
begins_alone(const char *plain, const char *at)
{
	return !is_digit(*at) || at == plain || (!is_digit(at[-1]) && at[-1] != '.');
}

static bool
ends_alone(const char *end)
{
	return !is_digit(end[-1]) || (!is_digit(*end) && (*end != '.' || !is_digit(end[1])));
}

/* Where the part can begin at the earliest, at or after `at`; NULL: nowhere. */
static const char *
seek(const char *at, const char *end, const char *part, size_t len)
{
	const char *number = memchr(part, '#', len);
	size_t solid = number != NULL ? (size_t)(number - part) : len;

	if (solid == 0)
		return at + strcspn(at, "0123456789");
	return memmem(at, (size_t)(end - at), part, solid);
}

/* Behind the part's first place at or after `from`; NULL: it has none. */
static const char *
behind(const char *plain, const char *from, const char *part, size_t len, bool here)
{
	const char *end = from + strlen(from);
	const char *at = here ? from : seek(from, end, part, len);

	while (at != NULL && *at != '\0') {
		size_t n = begins_alone(plain, at) ? take(at, part, len) : 0;

		if (n > 0 && ends_alone(at + n))
			return at + n;
		at = here ? NULL : seek(at + 1, end, part, len);
	}
	return NULL;
}

bool
explain_fits(const char *pattern, const char *plain)
{
	bool here = *pattern == '^';
	const char *from = plain;

	pattern += here;
	while (*pattern != '\0') {
		size_t len = strcspn(pattern, "*");

		if (len > 0)
			from = behind(plain, from, pattern, len, here);
		if (from == NULL)
			return false;
		here = false;
		pattern += len + (pattern[len] == '*');
	}
	return true;
}

const char *
explain_pattern_fault(const char *pattern)
{
	const char *c = pattern + (*pattern == '^');
	bool solid = false;

	if (*c == '*')
		return "a pattern need not begin with *";
	for (; *c != '\0'; c++) {
		if (*c == '^')
			return "^ is for the start of a pattern";
		if (*c == '#' && c[1] == '#')
			return "# stands for a whole number already";
		solid = solid || (*c != '*' && *c != '#' && *c != ' ');
	}
	return solid ? NULL : "the pattern would fit everything";
}
