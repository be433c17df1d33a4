/* SPDX-License-Identifier: Apache-2.0 */
/* mime_notice.c - a line at the top of a message that is composed already.  Layer: core (of mime).  Pure. */
#include "daemon/core/mime_notice.h"

#include "common/str.h"
#include "common/ulid.h"
#include "daemon/core/mime_plain.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ROW 76           /* of every encoding */
#define WORDS_ROW 70     /* of the notice */
#define LOOKED_AT 65536u /* octets of the HTML, for where its body begins */

static const char before_words[] = "<div style=\"margin:0 0 12px 0; padding:8px 12px; font-family:sans-serif;\r\n"
				   " font-size:14px; color:#431407; background-color:#fff7ed;\r\n"
				   " border-left:4px solid #b45309\">\r\n";
static const char after_words[] = "</div>";

enum encoding { SEVEN_BIT, QUOTED, BASE64 };
static const char *const encodings[] = { "7bit", "quoted-printable", "base64" };

struct part {
	const char *at, *end; /* its content, so far as it is there */
	enum encoding encoding;
	bool html;
};

/* The parts that people read. */
struct parts {
	struct part part[2];
	unsigned count;
};

/* --- where they are --- */

/* The value of a field in the header between the two, which ends at `end`; NULL none. Case and blanks as mime_parts.c writes them. */
static const char *
field(const char *at, const char *end, const char *name)
{
	const size_t len = strlen(name);
	const char *line = at, *feed;

	for (; (size_t)(end - line) > len; line = feed + 1) {
		if (memcmp(line, name, len) == 0)
			return line + len;
		feed = memchr(line, '\n', (size_t)(end - line));
		if (feed == NULL)
			break;
	}
	return NULL;
}

static bool
says(const char *at, const char *end, const char *word)
{
	const size_t len = strlen(word);

	return at != NULL && (size_t)(end - at) >= len && memcmp(at, word, len) == 0;
}

static size_t
boundary(char line[64], const char *id, char kind, const char *end)
{
	return (size_t)snprintf(line, 64, "\r\n--=_%.*s_%c%s", (int)ND_ULID_LEN, id, kind, end);
}

/* Behind the next line that is this boundary; NULL: it is not there. */
static const char *
behind_boundary(const char *at, const char *end, const char *id, char kind)
{
	char line[64];
	const size_t len = boundary(line, id, kind, "\r\n");
	const char *found = memmem(at, (size_t)(end - at), line, len);

	return found != NULL ? found + len : NULL;
}

/* The header of a part is whole only with the empty line at its end. */
static const char *
behind_header(const char *at, const char *end)
{
	const size_t len = mime_plain_header_len(at, (size_t)(end - at));

	return len >= 2 && at[len - 1] == '\n' && (at[len - 2] == '\n' || (len >= 4 && at[len - 3] == '\n')) ? at + len
													     : NULL;
}

/* The text whose header begins at `at`. */
static bool
take(struct parts *parts, const char *at, const char *end)
{
	const char *content = behind_header(at, end), *type, *encoding;
	struct part *part = &parts->part[parts->count];

	if (content == NULL)
		return false;
	type = field(at, content, "Content-Type: ");
	encoding = field(at, content, "Content-Transfer-Encoding: ");
	*part = (struct part){ .at = content, .end = end, .html = says(type, content, "text/html") };
	if (!part->html && !says(type, content, "text/plain"))
		return false;
	while (!says(encoding, content, encodings[part->encoding]))
		if (part->encoding++ == BASE64)
			return false;
	parts->count++;
	return true;
}

/* mime_parts.c draws the tree. false: not all of them are there. */
static bool
find_parts(struct parts *parts, const char *id, const char *at, const char *end)
{
	const char *content = behind_header(at, end);

	/* The empty line behind a header is the start of the boundary, too. */
	if (content != NULL && says(field(at, content, "Content-Type: "), end, "multipart/mixed")) {
		at = behind_boundary(content - 2, end, id, 'm');
		content = at != NULL ? behind_header(at, end) : NULL;
	}
	if (content == NULL)
		return false;
	if (!says(field(at, content, "Content-Type: "), end, "multipart/alternative"))
		return take(parts, at, end);
	at = behind_boundary(content - 2, end, id, 'a');
	if (at == NULL || !take(parts, at, end))
		return false;
	at = behind_boundary(parts->part[0].at - 2, end, id, 'a');
	return at != NULL && take(parts, at, end) && end - parts->part[1].at >= (ptrdiff_t)LOOKED_AT;
}

/* What stands behind the HTML is not looked at. */
static void
bound(struct parts *parts, const char *id)
{
	struct part *last = &parts->part[1];
	char line[64];
	const char *found;

	if (parts->count < 2)
		return;
	found = memmem(last->at - 2, (size_t)(last->end - last->at + 2), line, boundary(line, id, 'a', "--\r\n"));
	if (found != NULL)
		last->end = found > last->at ? found : last->at;
}

/* --- what an encoded text says, octet by octet --- */

struct reader {
	const struct part *part;
	const char *at;
	uint8_t group[3]; /* of base64 */
	unsigned have, given;
	const char *group_at;
};

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int
value64(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c != '\0' ? strchr(digits, c) : NULL;

	return found != NULL ? (int)(found - digits) : -1;
}

static bool
read_group(struct reader *reader)
{
	uint32_t bits = 0;
	unsigned n = 0, octets = 0;
	const char *at = reader->at;

	while (at < reader->part->end && (*at == '\r' || *at == '\n'))
		at++;
	reader->group_at = at;
	for (; n < 4 && at < reader->part->end && (value64(*at) >= 0 || *at == '='); n++, at++) {
		octets += *at != '=';
		bits = bits << 6 | (uint32_t)(*at == '=' ? 0 : value64(*at));
	}
	if (n < 4 || octets < 2)
		return false;
	reader->group[0] = (uint8_t)(bits >> 16);
	reader->group[1] = (uint8_t)(bits >> 8);
	reader->group[2] = (uint8_t)bits;
	reader->have = octets - 1;
	reader->given = 0;
	reader->at = at;
	return true;
}

/* The next octet; -1 at the end. */
static int
next(struct reader *reader)
{
	const char *end = reader->part->end;

	if (reader->part->encoding == BASE64) {
		if (reader->given == reader->have && !read_group(reader))
			return -1;
		return reader->group[reader->given++];
	}
	while (reader->part->encoding == QUOTED && end - reader->at >= 3 && memcmp(reader->at, "=\r\n", 3) == 0)
		reader->at += 3;
	if (reader->at >= end)
		return -1;
	if (reader->part->encoding == QUOTED && *reader->at == '=' && end - reader->at >= 3 &&
	    digit(reader->at[1]) >= 0 && digit(reader->at[2]) >= 0) {
		reader->at += 3;
		return digit(reader->at[-2]) << 4 | digit(reader->at[-1]);
	}
	return (unsigned char)*reader->at++;
}

/* --- where the HTML begins to show --- */

/* Behind the tag that begins at `at`; its attributes may hold a '>'. NULL: it does not end. */
static const char *
behind_tag(const char *at, const char *end)
{
	char quote = '\0';

	for (; at < end; at++) {
		if (quote != '\0')
			quote = *at == quote ? '\0' : quote;
		else if (*at == '"' || *at == '\'')
			quote = *at;
		else if (*at == '>')
			return at + 1;
	}
	return NULL;
}

static bool
is_tag(const char *at, const char *end, const char *name)
{
	const size_t len = strlen(name);

	return (size_t)(end - at) > len && strncasecmp(at, name, len) == 0 && strchr(" \t\r\n/>", at[len]) != NULL;
}

/* Behind <body>, else behind what stands in front of one, else 0. */
static size_t
html_begins(const char *html, size_t len)
{
	static const char *const marks[] = { "<!doctype", "<html", "</head", "<body" };
	enum { MARKS = sizeof(marks) / sizeof(marks[0]) };
	const char *end = html + len, *at = html, *best = html;
	unsigned rank = 0, i;

	while ((at = memchr(at, '<', (size_t)(end - at))) != NULL) {
		if (end - at >= 4 && memcmp(at, "<!--", 4) == 0) {
			at = memmem(at + 4, (size_t)(end - at - 4), "-->", 3);
			if (at == NULL)
				break;
			continue;
		}
		for (i = rank; i < MARKS && !is_tag(at, end, marks[i]); i++)
			continue;
		if (i < MARKS && (at = behind_tag(at, end)) == NULL)
			break; /* no tag behind it ends either */
		if (i < MARKS) {
			best = at;
			rank = i + 1;
		} else {
			at++;
		}
	}
	return (size_t)(best - html);
}

/* The place in the part as a reader that stands there. */
static struct reader
place_of(const struct part *part)
{
	struct reader reader = { .part = part, .at = part->at }, start = reader;
	struct nd_buf html;
	size_t skip;
	int c;

	if (!part->html)
		return reader;
	nd_buf_init(&html, LOOKED_AT);
	(void)nd_buf_reserve(&html, LOOKED_AT);
	while (html.len < LOOKED_AT && (c = next(&reader)) >= 0)
		(void)nd_buf_addc(&html, (char)c);
	skip = html_begins(nd_buf_text(&html), html.len);
	nd_buf_wipe(&html);
	for (reader = start; skip > 0; skip--)
		(void)next(&reader);
	return reader;
}

/* --- what is said there --- */

/* In lines. In HTML a line's end is a space; words are ASCII and have no markup that matters. */
static void
add_words(struct nd_buf *out, const struct part *part, const char *words)
{
	size_t rest = strlen(words), n;
	char line[WORDS_ROW + 1];

	for (; rest > 0; words += n, rest -= n) {
		for (n = rest <= WORDS_ROW ? rest : WORDS_ROW; n < rest && n > 1 && words[n - 1] != ' ';)
			n--;
		memcpy(line, words, n);
		line[n] = '\0';
		while (n < rest && line[strlen(line) - 1] == ' ')
			line[strlen(line) - 1] = '\0';
		(void)(part->html ? nd_str_html(out, line) : nd_buf_adds(out, line));
		if (n < rest)
			(void)nd_buf_adds(out, "\r\n");
	}
}

/* Base64 is written in groups of three octets. */
static void
compose(struct nd_buf *out, const struct part *part, const char *words)
{
	const char *last = part->html ? after_words : part->encoding == BASE64 ? "\r\n\r\n" : "\r\n";

	if (part->html)
		(void)nd_buf_adds(out, before_words);
	add_words(out, part, words);
	while (part->encoding == BASE64 && (out->len + strlen(last)) % 3 != 0)
		(void)nd_buf_addc(out, ' ');
	(void)nd_buf_adds(out, last);
}

/* In rows that fit; the lines stay lines. */
static void
add_quoted(struct nd_buf *out, const char *text, size_t len)
{
	size_t column = 0;

	for (; len > 0; text++, len--) {
		if (*text == '\r' || *text == '\n') {
			(void)nd_buf_addc(out, *text);
			column = 0;
			continue;
		}
		if (column + 3 >= ROW) {
			(void)nd_buf_adds(out, "=\r\n");
			column = 0;
		}
		(void)(*text == '=' ? nd_buf_adds(out, "=3D") : nd_buf_addc(out, *text));
		column += *text == '=' ? 3 : 1;
	}
}

static bool
at_line(const char *at, const struct part *part)
{
	return at == part->at || at[-1] == '\n';
}

/* The octets before `reader` of its group, the text, the octets after it: as whole groups, in rows of their own. */
static const char *
put_base64(struct nd_buf *out, const struct reader *reader, const struct nd_buf *text)
{
	/* Nothing can follow a group that is not full. */
	const unsigned begun = reader->given < reader->have || reader->have < 3 ? reader->given : 0;
	const char *at = begun > 0 ? reader->group_at : reader->at;
	struct nd_buf whole;
	size_t n;

	nd_buf_init(&whole, 2 * (size_t)LOOKED_AT);
	(void)nd_buf_add(&whole, (const char *)reader->group, begun);
	(void)nd_buf_add(&whole, text->octets, text->len);
	if (begun > 0)
		(void)nd_buf_add(&whole, (const char *)reader->group + begun, reader->have - begun);
	(void)nd_buf_add(out, reader->part->at, (size_t)(at - reader->part->at));
	if (!at_line(at, reader->part))
		(void)nd_buf_adds(out, "\r\n");
	for (size_t done = 0; done < whole.len; done += n) {
		n = whole.len - done < ROW / 4 * 3 ? whole.len - done : ROW / 4 * 3;
		(void)nd_str_base64(out, whole.octets + done, n);
		(void)nd_buf_adds(out, "\r\n");
	}
	nd_buf_wipe(&whole);
	/* The end of the row was said already. */
	return reader->at > reader->part->at && says(reader->at, reader->part->end, "\r\n") ? reader->at + 2
											    : reader->at;
}

static const char *
put_lines(struct nd_buf *out, const struct reader *reader, const struct nd_buf *text)
{
	const struct part *part = reader->part;
	const bool quoted = part->encoding == QUOTED;
	const char *at = reader->at;

	/* A full line has no room for the mark of a soft break. */
	if (!at_line(at, part) && says(at, part->end, "\r\n"))
		at += 2;
	(void)nd_buf_add(out, part->at, (size_t)(at - part->at));
	if (!at_line(at, part))
		(void)nd_buf_adds(out, quoted ? "=\r\n" : "\r\n");
	if (quoted)
		add_quoted(out, text->octets, text->len);
	else
		(void)nd_buf_add(out, text->octets, text->len);
	(void)nd_buf_adds(out, part->html && quoted && !at_line(at, part) ? "=\r\n" : "\r\n");
	return at;
}

/* Adds the part up to its place and the notice; where it goes on. */
static const char *
put(struct nd_buf *out, const struct part *part, const char *words)
{
	const struct reader reader = place_of(part);
	const char *goes_on;
	struct nd_buf text;

	nd_buf_init(&text, LOOKED_AT);
	compose(&text, part, words);
	goes_on = part->encoding == BASE64 ? put_base64(out, &reader, &text) : put_lines(out, &reader, &text);
	nd_buf_done(&text);
	return goes_on;
}

bool
mime_notice_add(struct nd_buf *out, const char *id, const char *octets, size_t len, bool all, const char *words)
{
	const char *end = octets + len, *at = octets + mime_plain_header_len(octets, len);
	struct parts parts = { .count = 0 };

	if (!find_parts(&parts, id, octets, end) && !all)
		return false;
	bound(&parts, id);
	for (unsigned i = 0; i < parts.count; i++) {
		(void)nd_buf_add(out, at, (size_t)(parts.part[i].at - at));
		at = put(out, &parts.part[i], words);
	}
	(void)nd_buf_add(out, at, (size_t)(end - at));
	return true;
}
