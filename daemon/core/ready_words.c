/* SPDX-License-Identifier: Apache-2.0 */
/* ready_words.c - encoded words of a header field (RFC 2047) as the text they stand for, for lists that people read.  Layer: core (of ready).  Pure.
 *
 * What is in another character set, or badly encoded, stays as it is.
 */
#include "daemon/core/ready.h"

#include "common/str.h"

#include <string.h>

struct word { /* =?charset?encoding?content?= */
	const char *charset, *content, *end;
	size_t charset_len, content_len;
	char encoding; /* upper case */
};

static bool
find_parts(const char *text, struct word *word)
{
	const char *mark = strchr(text + 2, '?'), *stop;

	if (mark == NULL || mark[1] == '\0' || mark[2] != '?')
		return false;
	stop = strstr(mark + 3, "?=");
	if (stop == NULL)
		return false;
	word->charset = text + 2;
	word->charset_len = strcspn(word->charset, "?*"); /* "*": a language (RFC 2231) */
	word->encoding = (char)(mark[1] & ~0x20);
	word->content = mark + 3;
	word->content_len = (size_t)(stop - word->content);
	word->end = stop + 2;
	return memchr(text, ' ', (size_t)(word->end - text)) == NULL;
}

static bool
is_charset(const struct word *word, const char *name)
{
	return strlen(name) == word->charset_len && nd_str_starts_nocase(word->charset, name);
}

/* The Q encoding as percent escapes say it: "_" is a space, =XX an octet. */
static bool
decode_q(const struct word *word, struct nd_buf *out)
{
	struct nd_buf escaped;
	bool good;

	nd_buf_init(&escaped, 3 * word->content_len + 1);
	for (size_t i = 0; i < word->content_len; i++) {
		char c = word->content[i];

		(void)nd_buf_adds(&escaped, c == '%' ? "%25" : c == '=' ? "%" : c == '_' ? " " : "");
		if (strchr("%=_", c) == NULL)
			(void)nd_buf_addc(&escaped, c);
	}
	good = !escaped.failed && nd_str_unpercent(out, nd_buf_text(&escaped), escaped.len, false);
	nd_buf_done(&escaped);
	return good;
}

static void
add_latin1(const struct nd_buf *octets, struct nd_buf *out)
{
	for (size_t i = 0; i < octets->len; i++) {
		unsigned char c = (unsigned char)octets->octets[i];

		if (c >= 0x80)
			(void)nd_buf_addc(out, (char)(0xc0 | c >> 6));
		(void)nd_buf_addc(out, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
	}
}

static bool
decode(const struct word *word, struct nd_buf *out)
{
	bool utf8 = is_charset(word, "utf-8") || is_charset(word, "us-ascii"), good = false;
	struct nd_buf octets;

	if (!utf8 && !is_charset(word, "iso-8859-1"))
		return false;
	nd_buf_init(&octets, word->content_len + 1);
	if (word->encoding == 'B')
		good = nd_str_unbase64(&octets, word->content, word->content_len, false);
	else if (word->encoding == 'Q')
		good = decode_q(word, &octets);
	if (good && utf8)
		(void)nd_buf_add(out, nd_buf_text(&octets), octets.len); /* a character may be cut between two words */
	else if (good)
		add_latin1(&octets, out);
	nd_buf_done(&octets);
	return good;
}

void
ready_words(const char *text, struct nd_buf *out)
{
	size_t after_word = 0; /* out->len behind the last word; 0: text came since */
	struct word word;

	while (*text != '\0') {
		size_t spaces = strspn(text, " ");

		if (strncmp(text + spaces, "=?", 2) == 0 && find_parts(text + spaces, &word)) {
			size_t begin = out->len;

			/* Spaces between two words are none of the text. */
			if (after_word == 0 || after_word != begin)
				(void)nd_buf_add(out, text, spaces);
			if (decode(&word, out)) {
				after_word = out->len;
				text = word.end;
				continue;
			}
			out->len = begin;
		}
		spaces += text[spaces] != '\0';
		(void)nd_buf_add(out, text, spaces);
		text += spaces;
		after_word = 0;
	}
}
