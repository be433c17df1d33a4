/* SPDX-License-Identifier: Apache-2.0 */
/* str.c - strict readers of small texts, and encodings.  Layer: common, base.  Pure. */
#include "common/str.h"

#include <string.h>

#define DISTANCE_MAX_LEN 64u

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Reads digits; *text stands behind them. false: none, or the number does not fit. */
static bool
read_digits(const char **text, int64_t *out)
{
	const char *p = *text;
	int64_t value = 0;

	if (!is_digit(*p))
		return false;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value))
			return false;
	}
	*text = p;
	*out = value;
	return true;
}

bool
nd_str_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
	bool minus = *text == '-';
	int64_t value = 0;

	if (minus)
		text++;
	if (minus && strcmp(text, "9223372036854775808") == 0)
		value = INT64_MIN;
	else if (!read_digits(&text, &value) || *text != '\0')
		return false;
	else if (minus)
		value = -value;
	if (value < min || value > max)
		return false;
	*out = value;
	return true;
}

static nd_ms
unit_ms(char unit)
{
	switch (unit) {
	case 's':
		return ND_SEC(1);
	case 'm':
		return ND_MIN(1);
	case 'h':
		return ND_HOUR(1);
	case 'd':
		return ND_DAY(1);
	case 'w':
		return ND_DAY(7);
	default:
		return 0;
	}
}

bool
nd_str_duration(const char *text, nd_ms *out)
{
	nd_ms sum = 0, part;
	bool bare = true;

	do {
		nd_ms unit;

		if (!read_digits(&text, &part))
			return false;
		unit = *text == '\0' && bare ? ND_SEC(1) : unit_ms(*text);
		if (unit == 0 || __builtin_mul_overflow(part, unit, &part) || __builtin_add_overflow(sum, part, &sum))
			return false;
		if (*text != '\0')
			text++;
		bare = false;
	} while (*text != '\0');
	*out = sum;
	return true;
}

bool
nd_str_size(const char *text, int64_t *out)
{
	int64_t value, factor = 1;

	if (!read_digits(&text, &value))
		return false;
	switch (*text) {
	case 'K':
	case 'k':
		factor = 1024;
		break;
	case 'M':
	case 'm':
		factor = 1024 * 1024;
		break;
	case 'G':
	case 'g':
		factor = 1024 * 1024 * 1024;
		break;
	default:
		break;
	}
	if (factor != 1)
		text++;
	if (*text != '\0' || __builtin_mul_overflow(value, factor, &value))
		return false;
	*out = value;
	return true;
}

bool
nd_str_bool(const char *text, bool *out)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (nd_str_eq_nocase(text, words[i])) {
			*out = i % 2 == 1;
			return true;
		}
	}
	return false;
}

/* RFC 3629 table 3-7 of Unicode: the second octet's range tells overlong forms, surrogates and what lies above U+10FFFF. */
size_t
nd_str_utf8_len(const char *octets, size_t len)
{
	unsigned char first, low = 0x80, high = 0xbf;
	size_t n;

	if (len == 0)
		return 0;
	first = (unsigned char)octets[0];
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	n = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	if (n > len || (unsigned char)octets[1] < low || (unsigned char)octets[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if (((unsigned char)octets[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

/* How many octets at the beginning are ASCII, but for the last few. Most of what is read is. */
static size_t
ascii_run(const char *octets, size_t len)
{
	const uint64_t tops = UINT64_C(0x8080808080808080);
	uint64_t four[4];
	size_t n;

	for (n = 0; len - n >= sizeof(four); n += sizeof(four)) {
		memcpy(four, octets + n, sizeof(four));
		if (((four[0] | four[1] | four[2] | four[3]) & tops) != 0)
			break;
	}
	for (; len - n >= sizeof(four[0]); n += sizeof(four[0])) {
		memcpy(four, octets + n, sizeof(four[0]));
		if ((four[0] & tops) != 0)
			break;
	}
	return n;
}

bool
nd_str_utf8(const char *octets, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t n;

		at += ascii_run(octets + at, len - at);
		if (at == len)
			break;
		n = nd_str_utf8_len(octets + at, len - at);
		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

/* Not 0 when one of the next eight octets is not ASCII or a control, looked at in one step. Of octets below 128 the difference has its top
 * bit when it is less than 0. */
static uint64_t
unprintable(const char *octets)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t x;

	memcpy(&x, octets, sizeof(x));
	return (x | (x + ones) | (x - ones * 0x20)) & tops;
}

size_t
nd_str_printable(const char *octets, size_t len)
{
	size_t n = 0;

	while (len - n >= 32 && (unprintable(octets + n) | unprintable(octets + n + 8) | unprintable(octets + n + 16) |
				    unprintable(octets + n + 24)) == 0)
		n += 32;
	while (len - n >= 8 && unprintable(octets + n) == 0)
		n += 8;
	return n;
}

bool
nd_str_has_control(const char *octets, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c;

		while (len - i >= 8 && unprintable(octets + i) == 0)
			i += 8;
		if (i == len)
			break;
		c = (unsigned char)octets[i];
		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < len && (unsigned char)octets[i + 1] < 0xa0)
			return true;
	}
	return false;
}

bool
nd_str_eight(const char *octets, size_t len)
{
	for (size_t i = ascii_run(octets, len); i < len; i++)
		if ((unsigned char)octets[i] > 0x7f)
			return true;
	return false;
}

bool
nd_str_ascii(const char *octets, size_t len)
{
	for (size_t i = nd_str_printable(octets, len); i < len; i++) {
		if (octets[i] < 0x20 || octets[i] > 0x7e)
			return false;
	}
	return true;
}

size_t
nd_str_utf8_cut(const char *octets, size_t len, size_t max)
{
	size_t at = max;

	if (len <= max)
		return len;
	while (at > 0 && ((unsigned char)octets[at] & 0xc0) == 0x80)
		at--;
	return at;
}

bool
nd_str_eq_nocase(const char *a, const char *b)
{
	while (*a != '\0' && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return *a == '\0' && *b == '\0';
}

bool
nd_str_starts_nocase(const char *text, const char *start)
{
	while (*start != '\0' && lower(*text) == lower(*start)) {
		text++;
		start++;
	}
	return *start == '\0';
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned
nd_str_distance(const char *a, const char *b, unsigned max)
{
	size_t a_len = strnlen(a, DISTANCE_MAX_LEN + 1), b_len = strnlen(b, DISTANCE_MAX_LEN + 1);
	unsigned rows[3][DISTANCE_MAX_LEN + 1]; /* of this letter of a, the one before, the one before that */

	if (a_len > DISTANCE_MAX_LEN || b_len > DISTANCE_MAX_LEN)
		return max + 1;
	for (unsigned j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			unsigned change = above[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]) ? 1 : 0);

			row[j] = least(change, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return least(rows[a_len % 3][b_len], max + 1);
}

const char *
nd_str_nearest(const char *text, const char *const *candidates)
{
	unsigned best = 2 + (unsigned)(strnlen(text, DISTANCE_MAX_LEN) / 4);
	const char *found = NULL;

	for (; *candidates != NULL; candidates++) {
		unsigned distance = nd_str_distance(text, *candidates, best);

		if (distance < best) {
			best = distance;
			found = *candidates;
		}
	}
	return found;
}

/* One star is remembered at a time: a later one makes the earlier one's choice final, so the work is at most pattern * text. */
bool
nd_str_match(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			resume = text;
		} else if (*pattern != '\0' && (*pattern == '?' || lower(*pattern) == lower(*text))) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
