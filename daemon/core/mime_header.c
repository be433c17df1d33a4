/* SPDX-License-Identifier: Apache-2.0 */
/* mime_header.c - one header field: folding, encoded words, mailboxes, parameters.  Layer: core (of mime).  Pure. */
#include "daemon/core/mime_header.h"

#include "common/idn.h"

#include <string.h>

#define LINE 78         /* RFC 5322 2.1.1 */
#define ENCODED_LINE 76 /* RFC 2047 2: a line with an encoded word */
#define WORD_OCTETS 45  /* 60 of base64 + "=?utf-8?B?" + "?=" = 72, at most 75 are allowed */
#define WORD_FRAME 12
#define LONGEST_WORD 700 /* a word without spaces is left alone up to here; 998 is the line's end */
#define PARAM_ROOM 50    /* octets of a parameter's value on one line */

static size_t
column(const struct mime_header *header)
{
	return header->out->len - header->line;
}

static void
fold(struct mime_header *header)
{
	nd_buf_adds(header->out, "\r\n");
	header->line = header->out->len;
	header->encoded = false;
}

void
mime_header_begin(struct mime_header *header, struct nd_buf *out, const char *name)
{
	*header = (struct mime_header){ .out = out, .line = out->len };
	nd_buf_adds(out, name);
	nd_buf_addc(out, ':');
}

void
mime_header_end(struct mime_header *header)
{
	nd_buf_adds(header->out, "\r\n");
}

void
mime_header_token(struct mime_header *header, const char *octets, size_t len, size_t room)
{
	/* Nothing is gained by a fold right after the name, and some readers stumble over the empty line. */
	bool first = header->out->len > 0 && header->out->octets[header->out->len - 1] == ':' && column(header) < 30;

	if (!first && column(header) + 1 + len + room > (header->encoded ? ENCODED_LINE : LINE))
		fold(header);
	nd_buf_addc(header->out, ' ');
	nd_buf_add(header->out, octets, len);
}

static bool
control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* One encoded word of at most WORD_OCTETS octets; a control character in it becomes a space. */
static void
add_word(struct nd_buf *out, const char *text, size_t len)
{
	char clean[WORD_OCTETS];
	size_t i;

	for (i = 0; i < len; i++)
		clean[i] = control(text[i]) ? ' ' : text[i];
	nd_buf_adds(out, " =?utf-8?B?");
	nd_str_base64(out, clean, len);
	nd_buf_adds(out, "?=");
}

/* White space between them is none of the text (RFC 2047 6.2). */
void
mime_header_encode(struct mime_header *header, const char *text, size_t len)
{
	size_t used, room, n;

	while (len > 0) {
		used = column(header) + 1 + WORD_FRAME;
		room = used < ENCODED_LINE ? (ENCODED_LINE - used) / 4 * 3 : 0;
		if (room < 6) {
			fold(header);
			room = WORD_OCTETS;
		}
		if (room > WORD_OCTETS)
			room = WORD_OCTETS;
		n = nd_str_utf8_cut(text, len, room);
		if (n == 0)
			n = len < room ? len : room;
		add_word(header->out, text, n);
		header->encoded = true;
		text += n;
		len -= n;
		if (len > 0)
			fold(header);
	}
}

/* Free text can stay when it is printable ASCII, has no words that no line holds, and nothing that looks like an encoded word. */
static bool
stays(const char *text, size_t len)
{
	size_t i, word = 0;

	if (!nd_str_ascii(text, len) || memmem(text, len, "=?", 2) != NULL)
		return false;
	for (i = 0; i < len; i++) {
		word = text[i] == ' ' ? 0 : word + 1;
		if (word > LONGEST_WORD)
			return false;
	}
	return true;
}

/* Folds at spaces and keeps each of them: only the CRLF goes away again when the reader unfolds. */
static void
add_free_text(struct mime_header *header, const char *text, size_t len)
{
	size_t at = 0, end;
	bool first = true;

	nd_buf_addc(header->out, ' ');
	while (at < len) {
		for (end = at; end < len && text[end] == ' '; end++)
			continue;
		for (; end < len && text[end] != ' '; end++)
			continue;
		if (!first && column(header) + (end - at) > LINE)
			fold(header);
		nd_buf_add(header->out, text + at, end - at);
		at = end;
		first = false;
	}
}

void
mime_header_text(struct nd_buf *out, const char *name, const char *value)
{
	struct mime_header header;
	size_t len = strlen(value);

	while (len > 0 && *value == ' ') {
		value++;
		len--;
	}
	while (len > 0 && value[len - 1] == ' ')
		len--;
	mime_header_begin(&header, out, name);
	if (stays(value, len))
		add_free_text(&header, value, len);
	else
		mime_header_encode(&header, value, len);
	mime_header_end(&header);
}

static bool
atext(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Words of atoms, one space between. */
static bool
atoms(const char *name)
{
	const char *p;

	for (p = name; *p != '\0'; p++)
		if (!atext(*p) && !(*p == ' ' && p != name && p[1] != '\0' && p[1] != ' '))
			return false;
	return p > name;
}

/* `text` in quotes, `"` and `\` escaped; `size` of out is enough for what fits on a line. 0: it does not fit. */
static size_t
quote(const char *text, char *out, size_t size)
{
	size_t used = 0;

	out[used++] = '"';
	for (; *text != '\0'; text++) {
		if (used + 4 > size)
			return 0;
		if (*text == '"' || *text == '\\')
			out[used++] = '\\';
		out[used++] = *text;
	}
	out[used++] = '"';
	return used;
}

static void
add_phrase(struct mime_header *header, const char *name)
{
	char quoted[LINE - 4];
	size_t len = strlen(name), n = 0;
	const char *end;
	bool plain = stays(name, len), words = plain && atoms(name);

	if (plain && !words)
		n = quote(name, quoted, sizeof(quoted));
	if (!words) {
		if (n > 0)
			mime_header_token(header, quoted, n, 0);
		else
			mime_header_encode(header, name, len);
		return;
	}
	for (; *name != '\0'; name = *end == ' ' ? end + 1 : end) {
		end = strchrnul(name, ' ');
		mime_header_token(header, name, (size_t)(end - name), 0);
	}
}

void
mime_header_mailbox(struct mime_header *header, const struct nd_mailbox *box, size_t room)
{
	char wire[IDN_ADDRESS_SIZE], token[IDN_ADDRESS_SIZE + 2];
	const char *address = idn_wire(box->address, wire);
	size_t len = strlen(address), i;

	if (box->name != NULL && box->name[0] != '\0')
		add_phrase(header, box->name);
	if (len > sizeof(token) - 2)
		len = sizeof(token) - 2;
	token[0] = '<';
	for (i = 0; i < len; i++)
		token[i + 1] = control(address[i]) ? '?' : address[i];
	token[len + 1] = '>';
	mime_header_token(header, token, len + 2, room);
}

/* The value as ASCII of at most PARAM_ROOM octets, for readers that know no RFC 2231: the start, and the end that names the type. */
static void
add_plain_value(struct nd_buf *out, const char *value)
{
	const char *dot = strrchr(value, '.');
	size_t tail = dot != NULL && strlen(dot) <= 8 ? strlen(dot) : 0, room = PARAM_ROOM - tail, used = 0;
	const char *end = value + strlen(value) - tail, *p;
	unsigned char c;

	nd_buf_addc(out, '"');
	for (p = value; *p != '\0'; p++) {
		c = (unsigned char)*p;
		if ((c & 0xc0) == 0x80) /* one '_' for one character */
			continue;
		if (p < end && used++ >= room)
			continue;
		if (c == '"' || c == '\\')
			nd_buf_addc(out, '\\');
		nd_buf_addc(out, c >= 0x80 || control(*p) ? '_' : *p);
	}
	nd_buf_addc(out, '"');
}

/* name*0*=utf-8''…; name*1*=…: percent-encoded, as many as are needed (RFC 2231 3, 4.1). */
static void
add_extended(struct mime_header *header, const char *name, const char *value)
{
	size_t left = strlen(value), n;
	unsigned part = 0;
	bool single = left * 3 <= PARAM_ROOM;

	while (left > 0) {
		n = single ? left : nd_str_utf8_cut(value, left, PARAM_ROOM / 3);
		if (n == 0)
			n = 1;
		nd_buf_addc(header->out, ';');
		fold(header);
		if (single)
			nd_buf_addf(header->out, " %s*=", name);
		else
			nd_buf_addf(header->out, " %s*%u*=", name, part);
		if (part++ == 0)
			nd_buf_adds(header->out, "utf-8''");
		nd_str_percent(header->out, value, n);
		value += n;
		left -= n;
	}
}

void
mime_header_param(struct mime_header *header, const char *name, const char *value)
{
	size_t len = strlen(value);

	nd_buf_addc(header->out, ';');
	if (column(header) + strlen(name) + 2 * len + 4 > LINE)
		fold(header);
	nd_buf_addf(header->out, " %s=", name);
	add_plain_value(header->out, value);
	if (len > PARAM_ROOM || !nd_str_ascii(value, len))
		add_extended(header, name, value);
}
