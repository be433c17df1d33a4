/* SPDX-License-Identifier: Apache-2.0 */
/* mime_words.c - text of a header field in UTF-8 as encoded words (RFC 2047).  Layer: core (of mime).  Pure. */
#include "daemon/core/mime_words.h"

#include "common/str.h"
#include "daemon/core/mime_header.h"

#include <string.h>

#define ENCODED_LINE 76 /* RFC 2047 2: a line with an encoded word */

/* A field that is being written. */
struct writer {
	struct nd_buf *out;
	size_t begin;       /* where it begins there */
	struct nd_buf text; /* of words that are to be encoded and are not written yet */
	const char *space;  /* what stands in front of the next word: may hold a fold */
	size_t space_len;
	bool encoded; /* the last thing written is an encoded word */
	bool dense;   /* so is one on this line */
	bool any;
};

static size_t
line_of(const struct writer *writer)
{
	const char *field = writer->out->octets + writer->begin;
	const char *feed = memrchr(field, '\n', writer->out->len - writer->begin);

	return feed != NULL ? (size_t)(feed + 1 - writer->out->octets) : writer->begin;
}

/* White space between two encoded words is none of the text: it goes into one of them (RFC 2047 6.2). */
static bool
flush(struct writer *writer, bool before_encoded)
{
	struct mime_header header = { .out = writer->out };

	if (writer->text.len == 0)
		return false;
	if (before_encoded)
		(void)nd_buf_addc(&writer->text, ' ');
	header.line = line_of(writer);
	header.encoded = writer->dense;
	mime_header_encode(&header, nd_buf_text(&writer->text), writer->text.len);
	nd_buf_clear(&writer->text);
	writer->encoded = writer->dense = writer->any = true;
	return true;
}

/* In front of what begins with `first`. So many octets have to fit on the line. */
static void
add_space(struct writer *writer, bool flushed, char first, size_t room)
{
	const bool full = writer->dense && writer->out->len - line_of(writer) + writer->space_len + room > ENCODED_LINE;

	/* An encoded word stands alone (RFC 2047 5); before a bracket or a comment there may always be space. */
	if (writer->space_len == 0 && (flushed || (full && (first == '<' || first == '(')))) {
		writer->space = " ";
		writer->space_len = 1;
	}
	if (writer->space_len > 0 && memchr(writer->space, '\n', writer->space_len) != NULL) {
		writer->dense = false;
	} else if (writer->space_len > 0 && full) {
		(void)nd_buf_adds(writer->out, "\r\n");
		writer->dense = false;
	}
	(void)nd_buf_add(writer->out, writer->space, writer->space_len);
	writer->space_len = 0;
}

/* What stays as it is. */
static void
put(struct writer *writer, const char *word, size_t len, size_t room)
{
	const bool encoded =
	    len > 4 && strncmp(word, "=?", 2) == 0 && memcmp(word + len - 2, "?=", 2) == 0; /* by whoever wrote it */
	const bool flushed = flush(writer, encoded);

	add_space(writer, flushed, word[0], room);
	(void)nd_buf_add(writer->out, word, len);
	writer->encoded = encoded;
}

/* Without folds and, where there are any, escapes. */
static void
add_text(struct nd_buf *text, const char *octets, size_t len, bool escapes)
{
	for (size_t i = 0; i < len; i++) {
		if (escapes && octets[i] == '\\' && i + 1 < len)
			i++;
		if (octets[i] != '\r' && octets[i] != '\n')
			(void)nd_buf_addc(text, octets[i]);
	}
}

static void
put_text(struct writer *writer, const char *word, size_t len, bool escapes)
{
	if (writer->text.len > 0 || writer->encoded)
		add_text(&writer->text, writer->space, writer->space_len, false);
	writer->space_len = 0;
	add_text(&writer->text, word, len, escapes);
}

static const char *
take_space(struct writer *writer, const char *at, const char *end)
{
	writer->space = at;
	while (at < end && strchr(" \t\r\n", *at) != NULL && *at != '\0')
		at++;
	writer->space_len = (size_t)(at - writer->space);
	return at;
}

/* Up to white space, or to one of `stops`; escapes are minded when there are some. */
static const char *
end_of_word(const char *at, const char *end, const char *stops, bool escapes)
{
	for (; at < end && (*at == '\0' || strchr(" \t\r\n", *at) == NULL); at++) {
		if (*at != '\0' && strchr(stops, *at) != NULL)
			break;
		if (escapes && *at == '\\' && at + 1 < end)
			at++;
	}
	return at;
}

/* Behind the quote or bracket that shuts what begins at `at`; NULL: none does. */
static const char *
end_of_closed(const char *at, const char *end, char shut)
{
	bool quoted = *at == '"';

	for (at++; at < end; at++) {
		if (*at == '\\' && quoted)
			at += at + 1 < end;
		else if (*at == shut && (shut == '"' || !quoted))
			return at + 1;
		else if (*at == '"')
			quoted = !quoted;
	}
	return NULL;
}

static void
put_word(struct writer *writer, const char *word, const char *stop, bool escapes)
{
	const size_t len = (size_t)(stop - word);

	if (nd_str_eight(word, len))
		put_text(writer, word, len, escapes);
	else
		put(writer, word, len, len);
}

static void
write_text(struct writer *writer, const char *at, const char *end)
{
	const char *stop;

	while ((at = take_space(writer, at, end)) < end) {
		stop = end_of_word(at, end, "", false);
		put_word(writer, at, stop, false);
		at = stop;
	}
}

/* A part of a list of mailboxes outside of comments; where it ends, NULL: it does not. */
static const char *
write_part(struct writer *writer, const char *at, const char *end)
{
	const char *stop;

	if (*at == '"' || *at == '<') {
		stop = end_of_closed(at, end, *at == '"' ? '"' : '>');
		if (stop == NULL)
			return NULL;
		if (*at == '"' && nd_str_eight(at, (size_t)(stop - at)))
			put_text(writer, at + 1, (size_t)(stop - at) - 2, true);
		else
			put(writer, at, (size_t)(stop - at), (size_t)(stop - at) + 1); /* and a comma */
		return stop;
	}
	stop = end_of_word(at, end, "()<>,;:\"", false);
	stop += stop == at; /* one of these itself */
	put_word(writer, at, stop, false);
	return stop;
}

static bool
write_mailboxes(struct writer *writer, const char *at, const char *end)
{
	unsigned comments = 0; /* they nest */
	const char *stop;

	while ((at = take_space(writer, at, end)) < end) {
		if (*at == '(' || (*at == ')' && comments > 0)) {
			comments = *at == '(' ? comments + 1 : comments - 1;
			stop = end_of_word(at + 1, end, "()", true);
			put(writer, at, 1, (size_t)(stop - at) + 2); /* and what follows at once */
			at++;
			continue;
		}
		if (comments > 0) {
			stop = end_of_word(at, end, "()", true);
			put_word(writer, at, stop, true);
		} else {
			stop = write_part(writer, at, end);
			if (stop == NULL)
				return false;
		}
		at = stop;
	}
	return comments == 0;
}

bool
mime_words_add(struct nd_buf *out, const char *field, size_t len, bool addresses)
{
	struct writer writer = { .out = out, .begin = out->len };
	const char *colon = memchr(field, ':', len);
	bool whole = true;

	if (colon == NULL || !nd_str_utf8(field, len))
		return false;
	nd_buf_init(&writer.text, 2 * len + 16);
	(void)nd_buf_reserve(&writer.text, len + 16); /* it may be secret: no copies are left behind */
	(void)nd_buf_add(out, field, (size_t)(colon + 1 - field));
	if (addresses)
		whole = write_mailboxes(&writer, colon + 1, field + len);
	else
		write_text(&writer, colon + 1, field + len);
	(void)flush(&writer, false);
	(void)nd_buf_add(out, writer.space, writer.space_len); /* its end */
	nd_buf_wipe(&writer.text);
	if (!whole || !writer.any)
		out->len = writer.begin;
	return whole && writer.any;
}
