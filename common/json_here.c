/* SPDX-License-Identifier: Apache-2.0 */
/* json_here.c - octets of JSON, looked at and decoded where they lie.  Layer: common, words (of json).  Pure. */
#include "common/json_here.h"

#include "common/json.h"
#include "common/str.h"

#include <string.h>

unsigned
json_here_line(const char *octets, size_t at)
{
	unsigned line = 1;

	for (size_t i = 0; i < at; i++)
		line += octets[i] == '\n';
	return line;
}

/* Four hex digits, which yajl has checked. */
static unsigned
hex4(const char *digits)
{
	unsigned value = 0;

	for (int i = 0; i < 4; i++) {
		char c = digits[i];

		value = value * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

/* A backslash stands in strings only, and yajl has seen to it that each begins a whole escape.
 * NULL, or what is wrong at *at, which is moved behind the escape. */
static const char *
check_escape(const char *octets, size_t len, size_t *at)
{
	unsigned unit;
	size_t i = *at;

	if (len - i < 6 || octets[i + 1] != 'u') {
		*at = i + 2;
		return NULL;
	}
	unit = hex4(octets + i + 2);
	*at = i + 6;
	if (unit == 0)
		return "a string has a NUL (\\u0000)";
	if (unit < 0xd800 || unit > 0xdfff)
		return NULL;
	*at = i + 12;
	if (unit < 0xdc00 && len - i >= 12 && octets[i + 6] == '\\' && octets[i + 7] == 'u') {
		unsigned second = hex4(octets + i + 8);

		if (second >= 0xdc00 && second <= 0xdfff)
			return NULL;
	}
	*at = i;
	return "a string has half a character (a lone surrogate such as \\ud800)";
}

/* What yajl lets pass in the octets that it took. */
enum nd_err
json_here_check(const char *octets, size_t len, size_t ascii, struct nd_why *why)
{
	const char *backslash, *wrong;
	size_t at = 0;

	if (!nd_str_utf8(octets + ascii, len - ascii)) {
		size_t n;

		while ((n = nd_str_utf8_len(octets + at, len - at)) > 0)
			at += n;
		(void)nd_fail(
		    why, ND_ESYNTAX, 0, "the JSON is not valid UTF-8 (octet 0x%02x)", (unsigned char)octets[at]);
		return nd_fail_at(why, NULL, json_here_line(octets, at), NULL);
	}
	while (at < len && (backslash = memchr(octets + at, '\\', len - at)) != NULL) {
		at = (size_t)(backslash - octets);
		wrong = check_escape(octets, len, &at);
		if (wrong != NULL) {
			(void)nd_fail(why, ND_ESYNTAX, 0, "%s", wrong);
			return nd_fail_at(why, NULL, json_here_line(octets, at), NULL);
		}
	}
	return ND_OK;
}

static size_t
put_character(char *to, unsigned code)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* The escape at `from`, decoded to `to`: *taken octets become the result. 0: it is none that JSON has. */
static size_t
put_escape(char *to, const char *from, size_t len, size_t *taken)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	unsigned unit;

	*taken = 2;
	if (len < 2 || from[1] == '\0')
		return 0;
	letter = strchr(letters, from[1]);
	if (letter != NULL) {
		*to = meant[letter - letters];
		return 1;
	}
	*taken = 6;
	if (from[1] != 'u' || len < 6 || strspn(from + 2, "0123456789abcdefABCDEF") < 4)
		return 0;
	unit = hex4(from + 2);
	if (unit < 0xd800 || unit > 0xdfff)
		return put_character(to, unit);
	*taken = 12;
	if (len < 12 || from[6] != '\\' || from[7] != 'u' || strspn(from + 8, "0123456789abcdefABCDEF") < 4)
		return 0;
	return put_character(to, 0x10000 + ((unit & 0x3ff) << 10) + (hex4(from + 8) & 0x3ff));
}

/* Where the string that begins at `at`, behind its quote, ends: at its other quote, or at the end of the input. */
size_t
json_here_end(const char *octets, size_t len, size_t at)
{
	while (at < len) {
		const char *quote = memchr(octets + at, '"', len - at);
		size_t end = quote != NULL ? (size_t)(quote - octets) : len, slashes = 0;

		while (end - slashes > at && octets[end - slashes - 1] == '\\')
			slashes++;
		if (slashes % 2 == 0)
			return end;
		at = end + 1;
	}
	return len;
}

const char *
json_here_control(const char *octets, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t eight;

		while (len - i >= sizeof(eight)) { /* most of them have none */
			memcpy(&eight, octets + i, sizeof(eight));
			if (((eight - UINT64_C(0x2020202020202020)) & ~eight & UINT64_C(0x8080808080808080)) != 0)
				break;
			i += sizeof(eight);
		}
		if (i < len && (unsigned char)octets[i] < 0x20)
			return octets + i;
	}
	return NULL;
}

/* Shrinks the string to what it says, with a NUL behind it. `len`: up to its end quote. False: an escape is malformed. */
bool
json_here_decode(char *string, size_t len, size_t *decoded)
{
	char *to = string, *from = string, *end = string + len;

	while (from < end) {
		char *slash = memchr(from, '\\', (size_t)(end - from));
		size_t run = (size_t)((slash != NULL ? slash : end) - from), taken, made;

		if (to != from)
			memmove(to, from, run);
		to += run;
		from += run;
		if (slash == NULL)
			break;
		made = put_escape(to, from, (size_t)(end - from), &taken);
		if (made == 0)
			return false;
		to += made;
		from += taken;
	}
	*to = '\0';
	*decoded = (size_t)(to - string);
	return true;
}

size_t
json_span(const char *octets, size_t len)
{
	size_t depth = 0, at = 0;

	while (at < len) {
		if (octets[at] == '"')
			at = json_here_end(octets, len, at + 1);
		else if (octets[at] == '{' || octets[at] == '[')
			depth++;
		else if (depth > 0 && (octets[at] == '}' || octets[at] == ']'))
			depth--;
		if (at < len)
			at++;
		if (depth == 0)
			return octets[0] == '{' || octets[0] == '[' ? at : 0;
	}
	return len + 1;
}
