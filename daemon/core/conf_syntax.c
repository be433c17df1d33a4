/* SPDX-License-Identifier: Apache-2.0 */
/* conf_syntax.c - the text of a settings file => sections and keys.  Layer: core.  Pure.
 *
 * A logical line is a line and those it continues into; its comment is cut off while it is put together, because
 * only that scan knows what stands inside quotes.
 */
#include "daemon/core/conf_inner.h"

#include <string.h>

void
conf_syntax_init(struct conf_syntax *syntax, const char *text, size_t len)
{
	*syntax = (struct conf_syntax){ .text = text, .len = len, .next_line = 1 };
	nd_buf_init(&syntax->line, CONF_MAX_OCTETS + 1);
	/* editors of other systems put a byte order mark at the start */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		syntax->at = 3;
}

void
conf_syntax_done(struct conf_syntax *syntax)
{
	nd_buf_wipe(&syntax->line);
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* One physical line without its newline and the white space around it. */
static void
next_physical(struct conf_syntax *syntax, const char **start, size_t *len)
{
	const char *from = syntax->text + syntax->at;
	size_t left = syntax->len - syntax->at;
	const char *end = memchr(from, '\n', left);
	size_t n = end ? (size_t)(end - from) : left;

	syntax->at += end ? n + 1 : n;
	syntax->next_line++;
	while (n > 0 && blank(from[n - 1]))
		n--;
	while (n > 0 && blank(from[0])) {
		from++;
		n--;
	}
	*start = from;
	*len = n;
}

/* How much of the line stands before its comment. *quoted goes from line to line of a continued one. */
static size_t
before_comment(const char *line, size_t len, bool *quoted)
{
	for (size_t i = 0; i < len; i++) {
		if (*quoted && line[i] == '\\' && i + 1 < len)
			i++;
		else if (line[i] == '"')
			*quoted = !*quoted;
		else if (line[i] == '#' && !*quoted && (i == 0 || blank(line[i - 1])))
			return i;
	}
	return len;
}

/* What is wrong with a whole line, or NULL. A tabulator is a blank. */
static const char *
complaint(struct nd_buf *line, bool quoted)
{
	if (quoted)
		return "a quote is opened and not closed";
	for (size_t i = 0; i < line->len; i++) {
		if (line->octets[i] == '\t')
			line->octets[i] = ' ';
	}
	if (line->len > 0 && nd_str_has_control(line->octets, line->len))
		return "there is a control character in this line";
	return NULL;
}

/* Puts a logical line together. Returns a complaint or NULL. */
static const char *
gather(struct conf_syntax *syntax)
{
	bool quoted = false;

	nd_buf_clear(&syntax->line);
	for (;;) {
		const char *start;
		size_t len;

		next_physical(syntax, &start, &len);
		/* the mark is taken off first: what stands before it is text, not an escaped quote */
		bool more = len > 0 && start[len - 1] == '\\';
		size_t kept = before_comment(start, more ? len - 1 : len, &quoted);
		if (kept < (more ? len - 1 : len))
			more = false; /* the mark was part of a comment */
		while (kept > 0 && blank(start[kept - 1]))
			kept--;
		if (syntax->line.len > 0 && kept > 0)
			nd_buf_addc(&syntax->line, ' ');
		nd_buf_add(&syntax->line, start, kept);
		if (!more)
			break;
		if (syntax->at >= syntax->len)
			return "the file ends inside a continued line";
	}
	return complaint(&syntax->line, quoted);
}

static char *
trim(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && blank(text[len - 1]))
		text[--len] = '\0';
	while (blank(*text))
		text++;
	return text;
}

/* Takes quotes off when one pair encloses the whole value; \" and \\ inside become " and \. */
static char *
unquote(char *value)
{
	size_t len = strlen(value);
	size_t close = 0;

	if (len < 2 || value[0] != '"')
		return value;
	for (size_t i = 1; i < len && close == 0; i++) {
		if (value[i] == '\\' && i + 1 < len)
			i++;
		else if (value[i] == '"')
			close = i;
	}
	if (close != len - 1)
		return value;
	char *to = value;
	for (size_t i = 1; i < close; i++) {
		if (value[i] == '\\' && (value[i + 1] == '"' || value[i + 1] == '\\'))
			i++;
		*to++ = value[i];
	}
	*to = '\0';
	return value;
}

static struct conf_syntax_item
fault(const struct conf_syntax *syntax, unsigned line, const char *complaint, const char *hint)
{
	return (struct conf_syntax_item){ .kind = CONF_SYNTAX_FAULT,
		.line = line,
		.complaint = complaint,
		.hint = hint,
		.section = nd_buf_text(&syntax->line)[0] == '[' };
}

static struct conf_syntax_item
read_section(const struct conf_syntax *syntax, char *text, unsigned line)
{
	size_t len = strlen(text);

	if (text[len - 1] != ']')
		return fault(syntax, line, "the section has no ] at its end", NULL);
	text[len - 1] = '\0';
	char *kind = trim(text + 1);
	char *name = kind + strcspn(kind, " \t");
	if (*name != '\0')
		*name++ = '\0';
	if (*kind == '\0')
		return fault(syntax, line, "the section has no name", NULL);
	name = unquote(trim(name));
	return (struct conf_syntax_item){ .kind = CONF_SYNTAX_SECTION, .line = line, .name = kind, .value = name };
}

static struct conf_syntax_item
read_key(const struct conf_syntax *syntax, char *text, unsigned line)
{
	char *equals = strchr(text, '=');

	if (equals == NULL)
		return fault(syntax, line, "there is no = in this line", "settings are written: key = value");
	*equals = '\0';
	char *name = trim(text);
	if (*name == '\0')
		return fault(syntax, line, "there is no key before the =", NULL);
	char *value = unquote(trim(equals + 1));
	return (struct conf_syntax_item){ .kind = CONF_SYNTAX_KEY, .line = line, .name = name, .value = value };
}

struct conf_syntax_item
conf_syntax_next(struct conf_syntax *syntax)
{
	while (syntax->at < syntax->len) {
		unsigned line = syntax->next_line;
		const char *complaint = gather(syntax);

		if (complaint != NULL)
			return fault(syntax, line, complaint, NULL);
		if (syntax->line.len == 0)
			continue;
		char *text = trim(syntax->line.octets);
		return text[0] == '[' ? read_section(syntax, text, line) : read_key(syntax, text, line);
	}
	return (struct conf_syntax_item){ .kind = CONF_SYNTAX_END, .line = syntax->next_line };
}
