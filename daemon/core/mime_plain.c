/* SPDX-License-Identifier: Apache-2.0 */
/* mime_plain.c - a header for a relay without SMTPUTF8.  Layer: core (of mime).  Pure. */
#include "daemon/core/mime_plain.h"

#include "common/idn.h"
#include "common/str.h"
#include "daemon/core/mime_words.h"

#include <string.h>

#define FOLD_FROM 24 /* nothing is gained by a fold right behind the name of the field */
#define LITERAL 64   /* [IPv6:…] is shorter */

static const char *const mailboxes[] = { "To", "Cc", "Reply-To", "From", "Sender", "X-Original-From", "Resent-From",
	"Resent-Sender", "Resent-To", "Resent-Cc" };
static const char *const texts[] = { "Subject", "Comments", "Content-Description", "Organization", "Thread-Topic" };

size_t
mime_plain_header_len(const char *octets, size_t len)
{
	const char *line = octets, *end = octets + len, *feed;

	for (; (feed = memchr(line, '\n', (size_t)(end - line))) != NULL; line = feed + 1)
		if (feed == line || (feed == line + 1 && *line == '\r'))
			return (size_t)(feed + 1 - octets);
	return len;
}

static bool
named(const char *field, size_t len, const char *const *names, size_t count)
{
	const char *colon = memchr(field, ':', len);

	for (size_t i = 0; colon != NULL && i < count; i++)
		if ((size_t)(colon - field) == strlen(names[i]) && nd_str_starts_nocase(field, names[i]))
			return true;
	return false;
}

static bool
of_addresses(const char *field, size_t len)
{
	return named(field, len, mailboxes, sizeof(mailboxes) / sizeof(mailboxes[0]));
}

/* RFC 5322 3.6.5; fields of nobody's are text too (3.6.8). */
static bool
of_text(const char *field, size_t len)
{
	return (len > 2 && nd_str_starts_nocase(field, "X-")) ||
	       named(field, len, texts, sizeof(texts) / sizeof(texts[0]));
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

/* What is open in a field. */
struct walk {
	bool quoted;
	unsigned comments; /* they nest */
};

/* The first of `octets` that stands in no quotes, comment or brackets; NULL none. */
static const char *
find(const char *at, const char *end, const char *octets, struct walk *walk)
{
	const char *shut;

	for (; at < end; at++) {
		if (*at == '\\' && (walk->quoted || walk->comments > 0))
			at += at + 1 < end;
		else if (*at == '"' && walk->comments == 0)
			walk->quoted = !walk->quoted;
		else if (*at == '(' && !walk->quoted)
			walk->comments++;
		else if (*at == ')' && !walk->quoted && walk->comments > 0)
			walk->comments--;
		else if (walk->quoted || walk->comments > 0)
			continue;
		else if (*at == '[' &&
			 (shut = memchr(at, ']', end - at < LITERAL ? (size_t)(end - at) : LITERAL)) != NULL)
			at = shut;
		else if (*at != '\0' && strchr(octets, *at) != NULL)
			return at;
	}
	return NULL;
}

/* A field that is looked through, and written anew as far as needed. */
struct field {
	struct nd_buf *out; /* NULL: only looks */
	const char *at;     /* all before it is written */
	const char *end;
	bool any;
};

static void
keep(struct field *field, const char *upto)
{
	if (field->out != NULL)
		(void)nd_buf_add(field->out, field->at, (size_t)(upto - field->at));
	field->at = upto;
}

/* How far a place is from the start of its line, which is not in front of `from`. */
static bool
is_far(const char *from, const char *place)
{
	const char *feed = memrchr(from, '\n', (size_t)(place - from));

	return place - (feed != NULL ? feed + 1 : from) > FOLD_FROM;
}

/* The address between the two; `begin` and `end` are where it stands with its < and >, if it has them. */
static void
say(struct field *field, const char *line, const char *begin, const char *address, size_t len, const char *end)
{
	char text[IDN_ADDRESS_SIZE], wire[IDN_ADDRESS_SIZE];
	const char *said;

	if (len >= sizeof(text) || !nd_str_eight(address, len) || !nd_str_utf8(address, len))
		return;
	field->any = true;
	if (field->out == NULL)
		return;
	memcpy(text, address, len);
	text[len] = '\0';
	said = idn_wire(text, wire);
	if (idn_local(text) || nd_str_eight(said, strlen(said))) {
		add_before(field->out, field->at, (size_t)(begin - field->at), is_far(line, begin));
		add_group(field->out, address, len);
	} else {
		keep(field, address);
		(void)nd_buf_adds(field->out, said);
		(void)nd_buf_add(field->out, address + len, (size_t)(end - address) - len);
	}
	field->at = end;
}

/* Behind blanks, ends of lines and comments. */
static const char *
skip_space(const char *at, const char *end)
{
	unsigned comments = 0;

	for (; at < end; at++) {
		if (*at == '\\' && comments > 0)
			at += at + 1 < end;
		else if (*at == '(')
			comments++;
		else if (*at == ')' && comments > 0)
			comments--;
		else if (comments == 0 && strchr(" \t\r\n", *at) == NULL)
			break;
	}
	return at;
}

/* A mailbox without < and >, from field->at on: one word with an '@', and nothing beside it. */
static void
say_bare(struct field *field, const char *line, const char *end)
{
	const char *begin = skip_space(field->at, end), *stop = begin;
	bool quoted = false, at = false;

	for (; stop < end && (quoted || strchr(" \t\r\n(", *stop) == NULL); stop++) {
		if (*stop == '\\' && quoted)
			stop += stop + 1 < end;
		else if (*stop == '"')
			quoted = !quoted;
		at = at || (*stop == '@' && !quoted);
	}
	if (at && !quoted && skip_space(stop, end) == end)
		say(field, line, begin, begin, (size_t)(stop - begin), stop);
}

/* Mailbox by mailbox. Whether there is such an address. */
static bool
add_field(struct nd_buf *out, const char *line, size_t len)
{
	struct field field = { .out = out, .at = line, .end = line + len };
	const char *at = line, *stop, *shut;
	struct walk walk = { false, 0 };

	keep(&field, (const char *)memchr(line, ':', len) + 1);
	for (at = field.at; (stop = find(at, field.end, "<,;:", &walk)) != NULL; at = stop + 1) {
		if (*stop != '<') {
			if (*stop != ':') /* what stands before it names a group */
				say_bare(&field, line, stop);
			keep(&field, stop + 1);
			continue;
		}
		shut = find(stop + 1, field.end, ">", &(struct walk){ false, 0 });
		if (shut == NULL)
			break;
		say(&field, line, stop, stop + 1, (size_t)(shut - stop) - 1, shut + 1);
		stop = find(shut + 1, field.end, ",;", &walk);
		if (stop == NULL) {
			at = field.end; /* this one is not bare */
			break;
		}
		keep(&field, stop + 1);
	}
	if (stop == NULL && at == field.at && !walk.quoted && walk.comments == 0)
		say_bare(&field, line, field.end);
	keep(&field, field.end);
	return field.any;
}

/* With the lines that go on with it. */
static size_t
field_len(const char *field, const char *end)
{
	const char *at = field, *feed;

	do {
		feed = memchr(at, '\n', (size_t)(end - at));
		at = feed != NULL ? feed + 1 : end;
	} while (at < end && (*at == ' ' || *at == '\t'));
	return (size_t)(at - field);
}

/* Its addresses first: what is left are words. */
static void
add_mailboxes(struct nd_buf *out, const char *field, size_t len)
{
	const size_t begin = out->len;
	struct nd_buf copy;

	(void)add_field(out, field, len);
	if (out->failed || !nd_str_eight(out->octets + begin, out->len - begin))
		return;
	nd_buf_init(&copy, out->len - begin);
	(void)nd_buf_add(&copy, out->octets + begin, out->len - begin);
	out->len = begin;
	if (copy.failed)
		out->failed = true;
	else if (!mime_words_add(out, copy.octets, copy.len, true))
		(void)nd_buf_add(out, copy.octets, copy.len);
	nd_buf_wipe(&copy);
}

void
mime_plain_add(struct nd_buf *out, const char *header, size_t len)
{
	const char *end = header + len;

	for (size_t field; header < end; header += field) {
		field = field_len(header, end);
		if (!nd_str_eight(header, field))
			(void)nd_buf_add(out, header, field);
		else if (of_addresses(header, field))
			add_mailboxes(out, header, field);
		else if (!of_text(header, field) || !mime_words_add(out, header, field, false))
			(void)nd_buf_add(out, header, field);
	}
}

static enum mime_plain
look(const char *field, size_t len)
{
	const bool addresses = of_addresses(field, len);
	enum mime_plain found = MIME_PLAIN_ALREADY;
	struct nd_buf words;

	if (!nd_str_eight(field, len) || (!addresses && !of_text(field, len)))
		return MIME_PLAIN_ALREADY;
	if (addresses && add_field(NULL, field, len))
		return MIME_PLAIN_ADDRESSES;
	nd_buf_init(&words, 16 * len + 100);
	(void)nd_buf_reserve(&words, 3 * len + 100);
	if (mime_words_add(&words, field, len, addresses))
		found = MIME_PLAIN_WORDS;
	nd_buf_wipe(&words);
	return found;
}

enum mime_plain
mime_plain_of(const char *header, size_t len)
{
	enum mime_plain most = MIME_PLAIN_ALREADY, found;
	const char *end = header + len;

	if (!nd_str_eight(header, len))
		return most;
	for (size_t field; header < end && most != MIME_PLAIN_ADDRESSES; header += field) {
		field = field_len(header, end);
		found = look(header, field);
		most = found > most ? found : most;
	}
	return most;
}
