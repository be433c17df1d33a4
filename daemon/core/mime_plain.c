/* SPDX-License-Identifier: Apache-2.0 */
/* mime_plain.c - a header for a relay without SMTPUTF8.  Layer: core (of mime).  Pure. */
#include "daemon/core/mime_plain.h"

#include "common/idn.h"
#include "common/str.h"

#include <string.h>

#define FOLD_FROM 24 /* nothing is gained by a fold right behind the name of the field */

static const char *const fields[] = { "To", "Cc", "Reply-To", "From", "Sender", "X-Original-From" };

size_t
mime_plain_header_len(const char *octets, size_t len)
{
	const char *line = octets, *end = octets + len, *feed;

	for (; (feed = memchr(line, '\n', (size_t)(end - line))) != NULL; line = feed + 1)
		if (feed == line || (feed == line + 1 && *line == '\r'))
			return (size_t)(feed + 1 - octets);
	return len;
}

size_t
mime_plain_header_more(const char *octets, size_t len, size_t seen)
{
	/* From the last whole line among them: it may be the empty one, and have been the end of what there was. */
	for (int feeds = 0; seen > 0 && (feeds += octets[seen - 1] == '\n') < 2;)
		seen--;
	return seen + mime_plain_header_len(octets + seen, len - seen);
}

/* Whether the line names a field of addresses; a line that begins with white space goes on with the field before. */
static bool
of_addresses(const char *line, size_t len, bool before)
{
	const char *colon = memchr(line, ':', len);

	if (len > 0 && (*line == ' ' || *line == '\t'))
		return before;
	for (size_t i = 0; colon != NULL && i < sizeof(fields) / sizeof(fields[0]); i++)
		if ((size_t)(colon - line) == strlen(fields[i]) && nd_str_starts_nocase(line, fields[i]))
			return true;
	return false;
}

/* RFC 2047 2: a word has 75 octets at most, 45 that it stands for; and so has its line. */
static void
add_group(struct nd_buf *out, const char *address, size_t len)
{
	size_t n;

	for (; len > 0; address += n, len -= n) {
		n = nd_str_utf8_cut(address, len, 45);
		(void)nd_buf_adds(out, "=?utf-8?B?");
		(void)nd_str_base64(out, address, n);
		(void)nd_buf_adds(out, len > n ? "?=\r\n " : "?=");
	}
	(void)nd_buf_adds(out, " :;");
}

/* What stands before an address: the space at its end becomes a fold where the line would grow long. */
static void
add_before(struct nd_buf *out, const char *octets, size_t len, bool fold)
{
	const bool space = len > 0 && (octets[len - 1] == ' ' || octets[len - 1] == '\t');

	(void)nd_buf_add(out, octets, len - (space && fold));
	if (fold)
		(void)nd_buf_adds(out, "\r\n ");
	else if (!space)
		(void)nd_buf_addc(out, ' ');
}

/* What is open in a field, which may go on in its next line. */
struct walk {
	bool quoted;
	unsigned comments; /* they nest */
};

/* The first of `octet` that stands in no quotes and no comment; NULL none. */
static const char *
find(const char *at, const char *end, char octet, struct walk *walk)
{
	for (; at < end; at++) {
		if (*at == '\\' && (walk->quoted || walk->comments > 0))
			at += at + 1 < end;
		else if (*at == '"' && walk->comments == 0)
			walk->quoted = !walk->quoted;
		else if (*at == '(' && !walk->quoted)
			walk->comments++;
		else if (*at == ')' && !walk->quoted && walk->comments > 0)
			walk->comments--;
		else if (*at == octet && !walk->quoted && walk->comments == 0)
			return at;
	}
	return NULL;
}

/* The address between `open` and `shut`, with what stands before it since `at`. */
static void
add_address(struct nd_buf *out, const char *at, const char *open, const char *shut, bool fold)
{
	char address[IDN_ADDRESS_SIZE], wire[IDN_ADDRESS_SIZE];
	const size_t len = (size_t)(shut - open) - 1;

	memcpy(address, open + 1, len);
	address[len] = '\0';
	if (idn_local(address)) {
		add_before(out, at, (size_t)(open - at), fold);
		add_group(out, address, len);
		return;
	}
	(void)nd_buf_add(out, at, (size_t)(open - at));
	(void)nd_buf_addf(out, "<%s>", idn_wire(address, wire));
}

/* `out` NULL: only looks. Whether there is such an address in the line. */
static bool
add_line(struct nd_buf *out, const char *line, size_t len, struct walk *walk)
{
	const char *end = line + len, *at = line, *open, *shut;
	bool any = false;

	while ((open = find(at, end, '<', walk)) != NULL &&
	       (shut = find(open + 1, end, '>', &(struct walk){ false, 0 })) != NULL) {
		const size_t inside = (size_t)(shut - open) - 1;

		if (!nd_str_eight(open, inside + 1) || inside >= IDN_ADDRESS_SIZE || !nd_str_utf8(open + 1, inside)) {
			if (out != NULL)
				(void)nd_buf_add(out, at, (size_t)(shut + 1 - at));
		} else {
			any = true;
			if (out != NULL)
				add_address(out, at, open, shut, open - line > FOLD_FROM);
		}
		at = shut + 1;
	}
	if (out != NULL)
		(void)nd_buf_add(out, at, (size_t)(end - at));
	return any;
}

static bool
add(struct nd_buf *out, const char *header, size_t len)
{
	const char *end = header + len;
	bool addresses = false, any = false;
	struct walk walk = { false, 0 };

	while (header < end) {
		const char *feed = memchr(header, '\n', (size_t)(end - header));
		const size_t line = feed != NULL ? (size_t)(feed + 1 - header) : (size_t)(end - header);

		if (*header != ' ' && *header != '\t')
			walk = (struct walk){ false, 0 };
		addresses = of_addresses(header, line, addresses);
		if (addresses)
			any = add_line(out, header, line, &walk) || any;
		else if (out != NULL)
			(void)nd_buf_add(out, header, line);
		header += line;
	}
	return any;
}

bool
mime_plain_needed(const char *header, size_t len)
{
	return nd_str_eight(header, len) && add(NULL, header, len);
}

void
mime_plain_add(struct nd_buf *out, const char *header, size_t len)
{
	(void)add(out, header, len);
}
