/* SPDX-License-Identifier: Apache-2.0 */
/* mime_seven.c - a message that somebody else composed, in seven bits.  Layer: core (of mime).  Pure. */
#include "daemon/core/mime_seven.h"

#include "common/mem.h"
#include "common/str.h"
#include "daemon/core/mime_encode.h"
#include "daemon/core/mime_plain.h"
#include "daemon/core/mime_type.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_MAX 65536u

enum state { IN_HEADER, IN_BODY, ASIDE };
enum kind { TEXT, OTHER, FIXED, MULTIPART, MESSAGE };

/* What is done about a part; with CHARS_UTF8 beside it. */
enum action { KEEP, RELABEL, QUOTE, BASE, MEND };
#define CHARS_UTF8 0x80

/* What holds parts, or a message. */
struct level {
	bool message, digest;
	bool begun; /* a part of it */
	bool eight;
	size_t len; /* of the boundary */
	char boundary[MIME_TYPE_BOUNDARY + 1];
};

struct mime_seven {
	struct nd_buf plan;  /* an action for each part */
	struct nd_buf cut;   /* the start of a line */
	struct nd_buf field; /* of a header, as far as it is there */
	struct nd_buf *out;
	struct level levels[MIME_SEVEN_DEPTH];
	unsigned depth;
	size_t parts; /* that began */
	bool looked, needed;
	const char *never;

	/* The part that is read: */
	size_t part;
	enum state state;
	bool top;    /* of a message, not of a multipart */
	bool digest; /* in one: a message where it does not say what it is */
	bool typed, encoded, versioned;
	struct mime_type type;
	enum mime_type_encoding encoding;
	enum kind kind;
	const char *fixed; /* why it is */
	bool eight, other; /* octets above 127; not UTF-8 */
	bool owes;         /* the end of a line that is the body's if the body goes on */
	struct mime_encode_rows rows;
};

/* --- a part --- */

static void
begin_part(struct mime_seven *s, bool top, bool digest)
{
	s->part = s->parts++;
	s->state = IN_HEADER;
	s->top = top;
	s->digest = digest;
	s->typed = s->encoded = s->versioned = s->eight = s->other = s->owes = false;
	s->type = (struct mime_type){ .charset = false };
	s->encoding = MIME_TYPE_UNSAID;
	s->fixed = NULL;
	s->rows.used = 0;
	if (!s->looked && !nd_buf_addc(&s->plan, KEEP))
		s->never = "it has too many parts";
}

static enum action
action_of(const struct mime_seven *s)
{
	return s->out != NULL && s->part < s->plan.len ? (enum action)(s->plan.octets[s->part] & 7) : KEEP;
}

static const char *
charset_of(const struct mime_seven *s)
{
	return s->plan.octets[s->part] & CHARS_UTF8 ? "utf-8" : "unknown-8bit";
}

static void
plan(struct mime_seven *s, enum action action)
{
	if (!s->looked && s->part < s->plan.len)
		s->plan.octets[s->part] = (char)(action | (s->eight && !s->other ? CHARS_UTF8 : 0));
}

/* --- its header --- */

/* The value, when the field has this name. */
static const char *
value_of(const char *field, const char *name)
{
	if (!nd_str_starts_nocase(field, name))
		return NULL;
	field += strlen(name);
	field += strspn(field, " \t");
	return *field == ':' ? field + 1 : NULL;
}

/* With the name of its characters. */
static void
say_type(struct mime_seven *s, const char *field, size_t len)
{
	mime_type_say(s->out, field, len);
	while (s->out->len > 0 && strchr(" \t\r\n;", s->out->octets[s->out->len - 1]) != NULL)
		s->out->len--;
	(void)nd_buf_addf(s->out, ";\r\n charset=%s\r\n", charset_of(s));
}

static void
say_field(struct mime_seven *s, bool replaced, bool first_type)
{
	const char *field = s->field.octets;
	const size_t len = s->field.len;
	const enum action action = action_of(s);

	if (replaced && action != KEEP && action != MEND)
		return;
	if (first_type && action == QUOTE && strcmp(s->type.name, "text/plain") == 0 && !s->type.charset)
		say_type(s, field, len);
	else if (!nd_str_eight(field, len))
		(void)nd_buf_add(s->out, field, len);
	else if (value_of(field, "Content-Type") != NULL || value_of(field, "Content-Disposition") != NULL)
		mime_type_say(s->out, field, len);
	else if (s->part > 0)
		mime_plain_add(s->out, field, len);
	else
		(void)nd_buf_add(s->out, field, len);
}

/* The one that is gathered. */
static void
end_field(struct mime_seven *s)
{
	const char *field = nd_buf_text(&s->field), *value;
	bool replaced = false, first_type = false;

	if (s->field.len == 0)
		return;
	if ((value = value_of(field, "Content-Type")) != NULL && !s->typed) {
		s->typed = first_type = true;
		mime_type_read(&s->type, value, strlen(value));
	} else if ((value = value_of(field, "Content-Transfer-Encoding")) != NULL) {
		if (!s->encoded)
			s->encoding = mime_type_encoding(value);
		s->encoded = replaced = true;
	} else if (value_of(field, "MIME-Version") != NULL) {
		s->versioned = true;
	}
	if (s->out != NULL)
		say_field(s, replaced, first_type);
	nd_buf_clear(&s->field);
}

static const char deep[] = "its parts are nested too deeply";

static enum kind
multipart_of(struct mime_seven *s)
{
	if (strcmp(s->type.name, "multipart/signed") == 0)
		s->fixed = "a part of it with such octets is signed";
	else if (s->type.boundary[0] == '\0')
		s->fixed = "it has a multipart without a boundary";
	else if (s->depth == MIME_SEVEN_DEPTH)
		s->fixed = deep;
	return s->fixed != NULL ? FIXED : MULTIPART;
}

/* What may not be encoded is what RFC 2045 6.4 names, but for the kinds that RFC 6532 3.7 lets. */
static enum kind
message_of(struct mime_seven *s, const char *name)
{
	if (s->encoding == MIME_TYPE_QUOTED || s->encoding == MIME_TYPE_BASED)
		return OTHER;
	if (strncmp(name, "message/global", 14) == 0)
		return OTHER;
	if (strcmp(name, "message/rfc822") != 0 && strcmp(name, "message/news") != 0)
		s->fixed = "a part of it with such octets is of a type that may not be encoded";
	else if (s->depth == MIME_SEVEN_DEPTH)
		s->fixed = deep;
	return s->fixed != NULL ? FIXED : MESSAGE;
}

static enum kind
kind_of(struct mime_seven *s)
{
	const char *name = s->typed ? s->type.name : s->digest ? "message/rfc822" : "text/plain";

	if (strncmp(name, "multipart/", 10) == 0)
		return multipart_of(s);
	if (strncmp(name, "message/", 8) == 0)
		return message_of(s, name);
	return name[0] == '\0' || strncmp(name, "text/", 5) == 0 ? TEXT : OTHER;
}

static void
say_missing(struct mime_seven *s)
{
	const enum action action = action_of(s);
	const bool encodes = action == QUOTE || action == BASE;

	if (encodes && s->top && !s->versioned)
		(void)nd_buf_adds(s->out, "MIME-Version: 1.0\r\n");
	if (encodes && !s->typed)
		(void)nd_buf_addf(s->out, "Content-Type: text/plain; charset=%s\r\n", charset_of(s));
	if (encodes)
		(void)nd_buf_addf(
		    s->out, "Content-Transfer-Encoding: %s\r\n", action == QUOTE ? "quoted-printable" : "base64");
	else if (action == RELABEL)
		(void)nd_buf_adds(s->out, "Content-Transfer-Encoding: 7bit\r\n");
}

/* `blank`: the line that ends it, "" when a line of the body does, NULL when nothing follows. */
static void
end_header(struct mime_seven *s, const char *blank, size_t len)
{
	struct level *level = &s->levels[s->depth];

	end_field(s);
	s->kind = kind_of(s);
	if (s->out != NULL) {
		say_missing(s);
		if (blank != NULL && len == 0 && action_of(s) != KEEP)
			(void)nd_buf_adds(s->out, "\r\n");
		(void)nd_buf_add(s->out, blank != NULL ? blank : "", len);
	}
	s->state = IN_BODY;
	if (s->kind != MULTIPART && s->kind != MESSAGE)
		return;
	plan(s, s->encoding == MIME_TYPE_EIGHT_BIT ? RELABEL : KEEP);
	*level =
	    (struct level){ .message = s->kind == MESSAGE, .digest = strcmp(s->type.name, "multipart/digest") == 0 };
	level->len = strlen(s->type.boundary);
	memcpy(level->boundary, s->type.boundary, level->len + 1);
	s->depth++;
	s->state = ASIDE;
	if (level->message)
		begin_part(s, true, false);
}

/* How mailboxes separate messages is met in front of the header of one, too. */
static bool
is_field(const char *line, size_t len)
{
	size_t n = 0;

	while (n < len && line[n] > ' ' && line[n] < 0x7f && line[n] != ':')
		n++;
	while (n > 0 && n < len && (line[n] == ' ' || line[n] == '\t'))
		n++;
	return (n > 0 && n < len && line[n] == ':') || nd_str_starts_nocase(line, "From ") ||
	       nd_str_starts_nocase(line, ">From ");
}

static void take_body(struct mime_seven *s, const char *line, size_t content, size_t len);

static void
take_header(struct mime_seven *s, const char *line, size_t content, size_t len)
{
	const bool goes_on = s->field.len > 0 && content > 0 && (line[0] == ' ' || line[0] == '\t');

	/* The header of the message itself is somebody else's to say, but for the parameters of its parts. */
	if (nd_str_eight(line, content) &&
	    (s->part > 0 || nd_str_starts_nocase(goes_on ? s->field.octets : line, "Content-")))
		s->needed = true;
	if (!goes_on)
		end_field(s);
	if (content == 0) {
		end_header(s, line, len);
	} else if (!goes_on && !is_field(line, content)) {
		while (s->state == IN_HEADER) /* of a message that is in it, too */
			end_header(s, "", 0);
		take_body(s, line, content, len);
	} else if (!nd_buf_add(&s->field, line, len)) {
		s->never = "a field of its header is too long";
		nd_buf_clear(&s->field);
	}
}

/* --- its body --- */

static void
say_line(struct mime_seven *s, const char *line, size_t content, size_t len)
{
	const enum action action = action_of(s);

	if (action == QUOTE) {
		mime_encode_line(s->out, line, content);
	} else if (action == BASE) {
		if (s->owes)
			mime_encode_rows_add(&s->rows, s->out, "\r\n", 2);
		mime_encode_rows_add(&s->rows, s->out, line, content);
		s->owes = len > content;
	} else if (action == MEND) {
		if (s->encoding == MIME_TYPE_QUOTED)
			mime_encode_mend(s->out, line, content);
		else
			mime_encode_without(s->out, line, content, "");
		(void)nd_buf_add(s->out, line + content, len - content);
	} else {
		(void)nd_buf_add(s->out, line, len);
	}
}

static void
take_body(struct mime_seven *s, const char *line, size_t content, size_t len)
{
	struct level *around = s->depth > 0 ? &s->levels[s->depth - 1] : NULL;
	const bool eight = nd_str_eight(line, content);

	if (s->state == ASIDE && around != NULL) {
		around->eight = around->eight || eight;
		if (s->out != NULL) {
			mime_encode_without(s->out, line, content, "?");
			(void)nd_buf_add(s->out, line + content, len - content);
		}
	} else if (s->out != NULL) {
		say_line(s, line, content, len);
	} else if (eight) {
		s->eight = true;
		s->other = s->other || !nd_str_utf8(line, content);
	}
	s->needed = s->needed || eight;
}

static enum action
decide(const struct mime_seven *s)
{
	if (s->kind == FIXED)
		return KEEP;
	if (!s->eight)
		return s->encoding == MIME_TYPE_EIGHT_BIT ? RELABEL : KEEP;
	if (s->encoding == MIME_TYPE_QUOTED || s->encoding == MIME_TYPE_BASED)
		return MEND;
	return s->kind == TEXT ? QUOTE : BASE;
}

static bool
within_multipart(const struct mime_seven *s)
{
	unsigned depth = s->depth;

	while (depth > 0 && s->levels[depth - 1].message)
		depth--;
	return depth > 0;
}

/* The end of the last line in front of a boundary is the boundary's (RFC 2046 5.1.1), also when that is missing. */
static void
end_body(struct mime_seven *s)
{
	if (s->kind == FIXED && s->eight && s->never == NULL)
		s->never = s->fixed;
	plan(s, decide(s));
	if (action_of(s) != BASE)
		return;
	if (s->owes && !within_multipart(s))
		mime_encode_rows_add(&s->rows, s->out, "\r\n", 2);
	mime_encode_rows_end(&s->rows, s->out);
}

/* --- what holds parts --- */

/* All that is deeper than `depth` is over. */
static void
leave(struct mime_seven *s, unsigned depth)
{
	while (s->state == IN_HEADER)
		end_header(s, NULL, 0);
	if (s->state == IN_BODY)
		end_body(s);
	s->state = ASIDE;
	for (; s->depth > depth; s->depth--) {
		const struct level *level = &s->levels[s->depth - 1];

		if (level->eight && !level->begun && !level->message && s->never == NULL)
			s->never = "it has a multipart without parts";
	}
}

/* White space may follow a boundary. */
static bool
is_boundary(const struct level *level, const char *line, size_t content, bool *last)
{
	const char *at = line + 2 + level->len, *end = line + content;

	if (level->message || content < 2 + level->len || memcmp(line + 2, level->boundary, level->len) != 0)
		return false;
	*last = end - at >= 2 && at[0] == '-' && at[1] == '-';
	for (at += *last ? 2 : 0; at < end && (*at == ' ' || *at == '\t');)
		at++;
	return at == end;
}

/* Whether it is one, of whichever of those around. */
static bool
take_boundary(struct mime_seven *s, const char *line, size_t content, size_t len)
{
	unsigned depth = s->depth;
	struct level *level;
	bool last = false;

	while (depth > 0 && !is_boundary(&s->levels[depth - 1], line, content, &last))
		depth--;
	if (depth == 0)
		return false;
	leave(s, depth);
	level = &s->levels[depth - 1];
	level->begun = true;
	if (s->out != NULL)
		(void)nd_buf_add(s->out, line, len);
	if (!last)
		begin_part(s, false, level->digest);
	return true;
}

static void
take_line(struct mime_seven *s, const char *line, size_t len)
{
	size_t content = len;

	if (content > 0 && line[content - 1] == '\n')
		content--;
	if (content < len && content > 0 && line[content - 1] == '\r')
		content--;
	if (content > 2 && line[0] == '-' && line[1] == '-' && take_boundary(s, line, content, len))
		return;
	if (s->state == IN_HEADER)
		take_header(s, line, content, len);
	else
		take_body(s, line, content, len);
}

/* --- the whole --- */

struct mime_seven *
mime_seven_new(void)
{
	struct mime_seven *seven = nd_xalloc(sizeof(*seven));

	nd_buf_init(&seven->plan, MIME_SEVEN_PARTS);
	nd_buf_init(&seven->cut, MIME_SEVEN_LINE);
	nd_buf_init(&seven->field, FIELD_MAX);
	return seven;
}

void
mime_seven_free(struct mime_seven *seven)
{
	if (seven == NULL)
		return;
	nd_buf_done(&seven->plan);
	nd_buf_wipe(&seven->cut); /* it may be secret */
	nd_buf_wipe(&seven->field);
	nd_wipe_free(seven, sizeof(*seven));
}

void
mime_seven_add(struct mime_seven *seven, struct nd_buf *out, const char *octets, size_t len)
{
	size_t n;

	seven->out = out;
	if (seven->parts == 0)
		begin_part(seven, true, false);
	for (; len > 0; octets += n, len -= n) {
		const char *feed = memchr(octets, '\n', len);

		n = feed != NULL ? (size_t)(feed + 1 - octets) : len;
		if (feed != NULL && seven->cut.len == 0) {
			take_line(seven, octets, n);
			continue;
		}
		if (!nd_buf_add(&seven->cut, octets, n))
			seven->never = "a line of it is too long";
		if (feed == NULL)
			continue;
		take_line(seven, nd_buf_text(&seven->cut), seven->cut.len);
		nd_buf_clear(&seven->cut);
	}
}

void
mime_seven_end(struct mime_seven *seven, struct nd_buf *out)
{
	mime_seven_add(seven, out, NULL, 0);
	if (seven->cut.len > 0)
		take_line(seven, nd_buf_text(&seven->cut), seven->cut.len);
	nd_buf_clear(&seven->cut);
	leave(seven, 0);
	seven->parts = 0;
	seven->looked = true;
}

bool
mime_seven_needed(const struct mime_seven *seven)
{
	return seven->needed;
}

const char *
mime_seven_never(const struct mime_seven *seven)
{
	return seven->never;
}
