/* SPDX-License-Identifier: Apache-2.0 */
/* mime_text.c - HTML => the plain text of it.  Layer: core (of mime).  Pure. */
#include "daemon/core/mime_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define NAME_SIZE 12
#define URL_SIZE 2048

struct page {
	struct nd_buf *out;
	const char *p, *end;
	size_t passed;    /* octets that out has let go of */
	size_t begin;     /* where our text begins: as `at` tells */
	unsigned breaks;  /* line ends due before the next character: at most 2 */
	bool space;       /* a space is due */
	bool pre;         /* white space counts */
	size_t link_text; /* where the text of the open link begins */
	char url[URL_SIZE];
};

enum action { TAG_NONE, TAG_LINE, TAG_BLOCK, TAG_ITEM, TAG_CELL, TAG_BREAK, TAG_LINK, TAG_PRE, TAG_DROP, TAG_IMAGE };

/* clang-format off */
static const struct {
	const char *name;
	enum action action;
} tags[] = {
	{ "a", TAG_LINK }, { "article", TAG_BLOCK }, { "blockquote", TAG_BLOCK }, { "body", TAG_LINE }, { "br", TAG_BREAK },
	{ "dd", TAG_LINE }, { "div", TAG_LINE }, { "dl", TAG_BLOCK }, { "dt", TAG_LINE }, { "footer", TAG_LINE }, { "h1", TAG_BLOCK },
	{ "h2", TAG_BLOCK }, { "h3", TAG_BLOCK }, { "h4", TAG_BLOCK }, { "h5", TAG_BLOCK }, { "h6", TAG_BLOCK }, { "header", TAG_LINE },
	{ "hr", TAG_BLOCK }, { "img", TAG_IMAGE }, { "li", TAG_ITEM }, { "ol", TAG_BLOCK }, { "p", TAG_BLOCK }, { "pre", TAG_PRE },
	{ "script", TAG_DROP }, { "section", TAG_LINE }, { "style", TAG_DROP }, { "table", TAG_BLOCK }, { "td", TAG_CELL },
	{ "th", TAG_CELL }, { "title", TAG_DROP }, { "tr", TAG_LINE }, { "ul", TAG_BLOCK },
};

static const struct {
	const char *name;
	uint32_t code;
} entities[] = {
	{ "amp", '&' }, { "apos", '\'' }, { "auml", 0xe4 }, { "Auml", 0xc4 }, { "bull", 0x2022 }, { "copy", 0xa9 }, { "deg", 0xb0 },
	{ "euro", 0x20ac }, { "gt", '>' }, { "hellip", 0x2026 }, { "laquo", 0xab }, { "larr", 0x2190 }, { "ldquo", 0x201c }, { "lsquo", 0x2018 },
	{ "lt", '<' }, { "mdash", 0x2014 }, { "micro", 0xb5 }, { "middot", 0xb7 }, { "nbsp", ' ' }, { "ndash", 0x2013 }, { "ouml", 0xf6 },
	{ "Ouml", 0xd6 }, { "quot", '"' }, { "raquo", 0xbb }, { "rarr", 0x2192 }, { "rdquo", 0x201d }, { "rsquo", 0x2019 }, { "szlig", 0xdf },
	{ "times", 0xd7 }, { "uuml", 0xfc }, { "Uuml", 0xdc },
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* How many octets came before the next one. */
static size_t
at(const struct page *page)
{
	return page->passed + page->out->len;
}

/* The line ends or the space that became due, once something follows them. */
static void
settle(struct page *page)
{
	if (at(page) == page->begin) {
		page->breaks = 0;
		page->space = false;
	}
	if (page->breaks > 0)
		page->space = false;
	for (; page->breaks > 0; page->breaks--)
		nd_buf_addc(page->out, '\n');
	if (page->space)
		nd_buf_addc(page->out, ' ');
	page->space = false;
}

static void
say(struct page *page, const char *octets, size_t len)
{
	settle(page);
	nd_buf_add(page->out, octets, len);
}

static void
due(struct page *page, unsigned breaks)
{
	if (page->breaks < breaks)
		page->breaks = breaks;
}

static void
one_more(struct page *page)
{
	page->breaks = page->breaks < 2 ? page->breaks + 1 : 2;
}

static void
say_code(struct page *page, uint32_t code)
{
	char c[4];

	if (code < 0x80) {
		c[0] = (char)code;
		say(page, c, 1);
	} else if (code < 0x800) {
		c[0] = (char)(0xc0 | (code >> 6));
		c[1] = (char)(0x80 | (code & 0x3f));
		say(page, c, 2);
	} else if (code < 0x10000) {
		c[0] = (char)(0xe0 | (code >> 12));
		c[1] = (char)(0x80 | ((code >> 6) & 0x3f));
		c[2] = (char)(0x80 | (code & 0x3f));
		say(page, c, 3);
	} else {
		c[0] = (char)(0xf0 | (code >> 18));
		c[1] = (char)(0x80 | ((code >> 12) & 0x3f));
		c[2] = (char)(0x80 | ((code >> 6) & 0x3f));
		c[3] = (char)(0x80 | (code & 0x3f));
		say(page, c, 4);
	}
}

static bool
digit_value(char c, uint32_t base, uint32_t *value)
{
	if (c >= '0' && c <= '9')
		*value = (uint32_t)(c - '0');
	else if (base == 16 && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		*value = (uint32_t)((c | 0x20) - 'a' + 10);
	else
		return false;
	return true;
}

/* "#8364" or "#x20ac"; 0: it is not one, or no character of a text. */
static uint32_t
numbered(const char *name, size_t len)
{
	uint32_t base = 10, code = 0, digit;
	size_t i = 1;

	if (len > 2 && (name[1] | 0x20) == 'x') {
		base = 16;
		i = 2;
	}
	if (i >= len)
		return 0;
	for (; i < len; i++) {
		if (!digit_value(name[i], base, &digit))
			return 0;
		code = code * base + digit;
		if (code > 0x10ffff)
			return 0;
	}
	if (code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0xd800 && code < 0xe000))
		return 0;
	return code == 0xa0 ? ' ' : code;
}

/* The character that "&name;" at `p` stands for, and how many octets it takes; 0: none. */
static uint32_t
entity(const char *p, const char *end, size_t *taken)
{
	size_t len = 0, i;

	while (p + 1 + len < end && len < NAME_SIZE && p[1 + len] != ';')
		len++;
	if (p + 1 + len >= end || p[1 + len] != ';' || len == 0)
		return 0;
	*taken = len + 2;
	if (p[1] == '#')
		return numbered(p + 1, len);
	for (i = 0; i < COUNT(entities); i++)
		if (strlen(entities[i].name) == len && memcmp(entities[i].name, p + 1, len) == 0)
			return entities[i].code;
	return 0;
}

static bool
white(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static void
text(struct page *page)
{
	uint32_t code;
	size_t taken = 0;

	if (white(*page->p) && !page->pre) {
		page->space = true;
		page->p++;
	} else if (*page->p == '\n') {
		one_more(page);
		page->p++;
	} else if (*page->p == '&' && (code = entity(page->p, page->end, &taken)) != 0) {
		say_code(page, code);
		page->p += taken;
	} else {
		if (*page->p != '\r')
			say(page, page->p, 1);
		page->p++;
	}
}

/* The end of the tag that begins at `p`: after its '>', which quotes may hide. The end of the page when there is none. */
static const char *
tag_end(const char *p, const char *end)
{
	char quote = '\0';

	for (; p < end; p++) {
		if (quote != '\0')
			quote = *p == quote ? '\0' : quote;
		else if (*p == '>')
			return p + 1;
		else if ((*p == '"' || *p == '\'') && p[-1] == '=')
			quote = *p;
	}
	return end;
}

/* The value of attribute `name` in the tag [p, end), entities decoded as far as URLs need it ("&amp;"). */
static void
attribute(const char *p, const char *end, const char *name, char out[URL_SIZE])
{
	size_t len = strlen(name), used = 0;
	char stop;

	out[0] = '\0';
	for (; p + len + 1 < end; p++)
		if (white(p[0]) && strncasecmp(p + 1, name, len) == 0 && p[1 + len] == '=')
			break;
	if (p + len + 1 >= end)
		return;
	p += len + 2;
	stop = p < end && (*p == '"' || *p == '\'') ? *p++ : ' ';
	for (; p < end && *p != stop && *p != '>' && used + 1 < URL_SIZE; p++) {
		if ((unsigned char)*p <= 0x20)
			continue;
		out[used++] = *p;
		if (*p == '&' && end - p > 5 && strncmp(p, "&amp;", 5) == 0)
			p += 4;
	}
	out[used] = '\0';
}

static void
close_link(struct page *page)
{
	size_t shown = at(page) - page->link_text, len = strlen(page->url);
	const char *target = page->url;

	if (len == 0)
		return;
	if (strncasecmp(target, "mailto:", 7) == 0)
		target += 7;
	/* A link that shows its own address needs it only once. */
	if (target[0] != '#' && strncasecmp(target, "javascript:", 11) != 0 &&
	    (shown < strlen(target) ||
		memcmp(page->out->octets + page->out->len - strlen(target), target, strlen(target)) != 0)) {
		page->space = at(page) > page->begin;
		say(page, "<", 1);
		say(page, target, strlen(target));
		say(page, ">", 1);
	}
	page->url[0] = '\0';
}

/* Past the end tag of `name`, whose content is not for people. */
static void
drop(struct page *page, const char *name)
{
	size_t len = strlen(name);

	for (; page->p < page->end; page->p++)
		if (*page->p == '<' && (size_t)(page->end - page->p) > len + 2 && page->p[1] == '/' &&
		    strncasecmp(page->p + 2, name, len) == 0)
			break;
	page->p = tag_end(page->p + (page->p < page->end), page->end);
}

static void
act(struct page *page, enum action action, bool closing, const char *from, const char *to)
{
	char alt[URL_SIZE];

	switch (action) {
	case TAG_BREAK:
		one_more(page);
		break;
	case TAG_LINE:
		due(page, 1);
		break;
	case TAG_BLOCK:
		due(page, 2);
		break;
	case TAG_PRE:
		due(page, 2);
		page->pre = !closing;
		break;
	case TAG_ITEM:
		due(page, 1);
		if (!closing)
			say(page, "- ", 2);
		break;
	case TAG_CELL:
		page->space = true;
		break;
	case TAG_IMAGE:
		attribute(from, to, "alt", alt);
		if (alt[0] != '\0')
			say(page, alt, strlen(alt));
		break;
	case TAG_LINK:
		close_link(page);
		if (!closing)
			attribute(from, to, "href", page->url);
		page->link_text = at(page);
		break;
	case TAG_NONE:
	case TAG_DROP:
		break;
	}
}

static void
tag(struct page *page)
{
	const char *from = page->p + 1, *to, *p;
	bool closing = from < page->end && *from == '/';
	char name[NAME_SIZE + 1];
	size_t len = 0, i;

	for (p = from + closing; p < page->end && len < NAME_SIZE && *p != '>' && *p != '/' && !white(*p); p++)
		name[len++] = *p;
	name[len] = '\0';
	to = tag_end(from, page->end);
	page->p = to;
	for (i = 0; i < COUNT(tags) && strcasecmp(tags[i].name, name) != 0; i++)
		continue;
	if (i == COUNT(tags))
		return;
	if (tags[i].action == TAG_DROP && !closing)
		drop(page, tags[i].name);
	else
		act(page, tags[i].action, closing, from, to);
}

/* A '<' begins markup only before a letter, '/', '!' or '?'; "a < b" is text. */
static bool
markup(const struct page *page)
{
	char c;

	if (*page->p != '<' || page->p + 1 >= page->end)
		return false;
	c = page->p[1];
	return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '/' || c == '!' || c == '?';
}

void
mime_text_from_html(struct nd_buf *out, const char *html, size_t len)
{
	struct page page = { .out = out, .p = html, .end = html + len, .begin = out->len };
	const char *close;
	size_t len_before;

	while (page.p < page.end && !out->failed) {
		if (!markup(&page)) {
			text(&page);
		} else if (page.end - page.p >= 4 && memcmp(page.p, "<!--", 4) == 0) {
			close = memmem(page.p + 4, (size_t)(page.end - page.p) - 4, "-->", 3);
			page.p = close != NULL ? close + 3 : page.end;
		} else {
			tag(&page);
		}
		len_before = out->len;
		nd_buf_pass(out, URL_SIZE); /* close_link looks back */
		page.passed += len_before - out->len;
	}
	close_link(&page);
	if (at(&page) > page.begin)
		nd_buf_addc(out, '\n');
}
