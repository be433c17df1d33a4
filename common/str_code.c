/* SPDX-License-Identifier: Apache-2.0 */
/* str_code.c - base64 and percent encoding.  Layer: common, base.  Pure. */
#include "common/str.h"

#include <stdint.h>
#include <string.h>

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
nd_str_hex(char *out, const void *octets, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *octet = octets;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[octet[i] >> 4];
		*out++ = digits[octet[i] & 15];
	}
	*out = '\0';
}

bool
nd_str_base64(struct nd_buf *out, const void *octets, size_t len)
{
	const unsigned char *in = octets;
	char *to = len > SIZE_MAX / 2 ? NULL : nd_buf_reserve(out, (len + 2) / 3 * 4), *start = to;

	if (to == NULL) {
		out->failed = true;
		return false;
	}
	for (; len > 0; len -= len < 3 ? len : 3) {
		unsigned bits = (unsigned)in[0] << 16 | (len > 1 ? (unsigned)in[1] << 8 : 0) | (len > 2 ? in[2] : 0u);

		*to++ = base64_digits[bits >> 18];
		*to++ = base64_digits[bits >> 12 & 63];
		*to++ = len > 1 ? base64_digits[bits >> 6 & 63] : '=';
		*to++ = len > 2 ? base64_digits[bits & 63] : '=';
		in += 3;
	}
	nd_buf_grown(out, (size_t)(to - start));
	return true;
}

/* Value + 1 of each base64 digit; 0: not a digit. */
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a designator cannot have them */
#define D(c, v) [c] = (v) + 1
/* clang-format off */
static const unsigned char base64_values[256] = {
	D('A', 0), D('B', 1), D('C', 2), D('D', 3), D('E', 4), D('F', 5), D('G', 6), D('H', 7), D('I', 8), D('J', 9),
	D('K', 10), D('L', 11), D('M', 12), D('N', 13), D('O', 14), D('P', 15), D('Q', 16), D('R', 17), D('S', 18),
	D('T', 19), D('U', 20), D('V', 21), D('W', 22), D('X', 23), D('Y', 24), D('Z', 25), D('a', 26), D('b', 27),
	D('c', 28), D('d', 29), D('e', 30), D('f', 31), D('g', 32), D('h', 33), D('i', 34), D('j', 35), D('k', 36),
	D('l', 37), D('m', 38), D('n', 39), D('o', 40), D('p', 41), D('q', 42), D('r', 43), D('s', 44), D('t', 45),
	D('u', 46), D('v', 47), D('w', 48), D('x', 49), D('y', 50), D('z', 51), D('0', 52), D('1', 53), D('2', 54),
	D('3', 55), D('4', 56), D('5', 57), D('6', 58), D('7', 59), D('8', 60), D('9', 61), D('+', 62), D('/', 63),
};
/* clang-format on */
#undef D

/* Checks, and counts the digits. Padding completes four digits, and the bits left over are 0: one content has one form. */
static bool
count_base64(const char *text, size_t len, bool lax, size_t *count)
{
	size_t digits = 0, pads = 0, i = 0;
	unsigned last = 0;

	while (i < len) {
		size_t run = i;

		while (i < len && base64_values[(unsigned char)text[i]] != 0)
			i++;
		if (i > run) {
			if (pads > 0)
				return false;
			digits += i - run;
			last = base64_values[(unsigned char)text[i - 1]] - 1u;
		} else if (text[i] == '=') {
			pads++;
			i++;
		} else if (lax && is_space(text[i])) {
			i++;
		} else {
			return false;
		}
	}
	*count = digits;
	if (digits % 4 == 0)
		return pads == 0;
	return digits % 4 != 1 && digits % 4 + pads == 4 && (last & (digits % 4 == 2 ? 0xfu : 0x3u)) == 0;
}

bool
nd_str_unbase64_size(const char *text, size_t len, bool lax, size_t *size)
{
	size_t digits;

	if (!count_base64(text, len, lax, &digits))
		return false;
	*size = digits / 4 * 3 + digits % 4 * 3 / 4;
	return true;
}

bool
nd_str_unbase64(struct nd_buf *out, const char *text, size_t len, bool lax)
{
	unsigned have = 0, bits = 0;
	size_t digits, size;
	char *to;

	if (!count_base64(text, len, lax, &digits))
		return false;
	if (out == NULL)
		return true;
	size = digits / 4 * 3 + digits % 4 * 3 / 4;
	to = nd_buf_reserve(out, size);
	if (to == NULL)
		return false;
	for (; digits > 0; text++) {
		unsigned value = base64_values[(unsigned char)*text];

		if (value == 0)
			continue;
		digits--;
		bits = bits << 6 | (value - 1);
		have += 6;
		if (have >= 8) {
			have -= 8;
			*to++ = (char)(bits >> have & 0xff);
		}
	}
	nd_buf_grown(out, size);
	return true;
}

bool
nd_str_percent(struct nd_buf *out, const char *octets, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len && !out->failed; i++) {
		unsigned char c = (unsigned char)octets[i];
		char coded[3] = { '%', digits[c >> 4], digits[c & 15] };

		if (is_alnum(octets[i]) || (c != '\0' && strchr("-._~", c) != NULL))
			(void)nd_buf_addc(out, octets[i]);
		else
			(void)nd_buf_add(out, coded, sizeof(coded));
	}
	return !out->failed;
}

bool
nd_str_html(struct nd_buf *out, const char *text)
{
	for (; *text != '\0' && !out->failed; text++) {
		switch (*text) {
		case '&':
			(void)nd_buf_adds(out, "&amp;");
			break;
		case '<':
			(void)nd_buf_adds(out, "&lt;");
			break;
		case '>':
			(void)nd_buf_adds(out, "&gt;");
			break;
		case '"':
			(void)nd_buf_adds(out, "&quot;");
			break;
		default:
			(void)nd_buf_addc(out, *text);
		}
	}
	return !out->failed;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NUL: not two hex digits, or really one. */
static char
hex_octet(const char *digits)
{
	int high = hex_value(digits[0]), low = hex_value(digits[1]);

	return high >= 0 && low >= 0 ? (char)(high * 16 + low) : '\0';
}

bool
nd_str_unpercent(struct nd_buf *out, const char *text, size_t len, bool plus)
{
	size_t start = out->len;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			c = i + 2 < len ? hex_octet(text + i + 1) : '\0';
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c == '\0' || !nd_buf_addc(out, c)) {
			out->len = start;
			if (out->octets != NULL)
				out->octets[start] = '\0';
			return false;
		}
	}
	return true;
}
