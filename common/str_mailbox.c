/* SPDX-License-Identifier: Apache-2.0 */
/* str_mailbox.c - mailboxes and lists as people write them.  Layer: common, base.  Pure. */
#include "common/mem.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#define LOCAL_MAX 64u
#define DOMAIN_MAX 255u
#define LABEL_MAX 63u
/* Long names have no place in a header; this bound is far above any. */
#define MAILBOX_MAX 2048u

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

const char *
nd_str_domain(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : address + strlen(address);
}

/* The comma that ends the part of a list at `p`, or the end. */
static const char *
skip_part(const char *p)
{
	bool quoted = false, angled = false;

	for (; *p != '\0' && (*p != ',' || quoted || angled); p++) {
		if (*p == '\\' && quoted && p[1] != '\0')
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && (*p == '<' || *p == '>'))
			angled = *p == '<';
	}
	return p;
}

bool
nd_str_list_next(const char **rest, const char **start, size_t *len)
{
	const char *p = *rest;

	while (p != NULL && *p != '\0') {
		const char *from, *to;

		while (is_space(*p) || *p == ',')
			p++;
		from = p;
		p = skip_part(p);
		for (to = p; to > from && is_space(to[-1]);)
			to--;
		if (to > from) {
			*rest = p;
			*start = from;
			*len = (size_t)(to - from);
			return true;
		}
	}
	*rest = p;
	return false;
}

static bool
is_atext(char c)
{
	return is_alnum(c) || (unsigned char)c >= 0x80 || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* RFC 5322 3.2.4 without folding; `text` begins with the quote. Octets of it, or 0. */
static size_t
quoted_len(const char *text, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if (text[i] == '"')
			return i + 1;
		if (text[i] == '\\')
			i++;
	}
	return 0;
}

static bool
is_dot_atom(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool dot_ok = i > 0 && i + 1 < len && text[i + 1] != '.';

		if (!(text[i] == '.' ? dot_ok : is_atext(text[i])))
			return false;
	}
	return len > 0;
}

static bool
is_local(const char *text, size_t len)
{
	if (len == 0 || len > LOCAL_MAX)
		return false;
	return text[0] == '"' ? quoted_len(text, len) == len : is_dot_atom(text, len);
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321, 4.1.3). */
static bool
is_literal(const char *text, size_t len)
{
	for (size_t i = 1; i + 1 < len; i++) {
		if (!is_alnum(text[i]) && strchr(".:-", text[i]) == NULL)
			return false;
	}
	return len > 2 && text[len - 1] == ']';
}

/* Narrower than RFC 5322's dot-atom: what can be a host name (and '_'). Labels outside ASCII are measured when they are converted. */
static bool
is_domain(const char *text, size_t len)
{
	bool plain_label = true;
	size_t label = 0;

	if (len == 0 || len > DOMAIN_MAX)
		return false;
	if (text[0] == '[')
		return is_literal(text, len);
	for (size_t i = 0; i < len; i++) {
		bool plain = is_alnum(text[i]) || (unsigned char)text[i] >= 0x80 || text[i] == '-' || text[i] == '_';

		if (text[i] == '.' ? label == 0 : !plain)
			return false;
		label = text[i] == '.' ? 0 : label + 1;
		plain_label = (text[i] == '.' || plain_label) && (unsigned char)text[i] < 0x80;
		if (label > LABEL_MAX && plain_label)
			return false;
	}
	return label > 0;
}

static const char *
find_at(const char *text, size_t len)
{
	size_t skip = len > 0 && text[0] == '"' ? quoted_len(text, len) : 0;

	return memchr(text + skip, '@', len - skip);
}

static enum nd_err
check_address(const char *text, size_t len, struct nd_why *why)
{
	const char *at = find_at(text, len);
	int shown = (int)nd_str_utf8_cut(text, len, 80);

	if (len == 0)
		return nd_fail(why, ND_EINVALID, 0, "the address is empty");
	if (at == NULL)
		return nd_fail(why, ND_EINVALID, 0, "the address \"%.*s\" has no @domain", shown, text);
	if ((size_t)(at - text) > LOCAL_MAX)
		return nd_fail(
		    why, ND_EINVALID, 0, "the part before the @ of \"%.*s\" is longer than 64 octets", shown, text);
	if (!is_local(text, (size_t)(at - text)))
		return nd_fail(why, ND_EINVALID, 0, "the part before the @ of \"%.*s\" is not allowed", shown, text);
	if (!is_domain(at + 1, len - (size_t)(at - text) - 1))
		return nd_fail(why, ND_EINVALID, 0, "the domain of \"%.*s\" is not one", shown, text);
	return ND_OK;
}

static void
trim(const char **text, size_t *len)
{
	while (*len > 0 && is_space((*text)[0])) {
		(*text)++;
		(*len)--;
	}
	while (*len > 0 && is_space((*text)[*len - 1]))
		(*len)--;
}

/* The '<' outside quotes, or NULL. */
static const char *
find_angle(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"') {
			size_t n = quoted_len(text + i, len - i);

			if (n == 0)
				return NULL;
			i += n - 1;
		} else if (text[i] == '<') {
			return text + i;
		}
	}
	return NULL;
}

/* A phrase unquoted: words and quoted strings as they stand. NULL: a character that needs quotes. The result is owned. */
static char *
unquote(const char *text, size_t len)
{
	char *name = nd_xalloc(len + 1), *to = name;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && text[i] == '\\' && i + 1 < len)
			i++;
		else if (!quoted && strchr("()<>[]:;@\\,", text[i]) != NULL) {
			free(name);
			return NULL;
		}
		*to++ = text[i];
	}
	if (quoted) {
		free(name);
		return NULL;
	}
	return name;
}

/* The name in front of '<' at `angle`; NULL and ND_OK when there is none. */
static enum nd_err
read_name(const char *text, const char *angle, char **out, struct nd_why *why)
{
	size_t len = (size_t)(angle - text);
	char *name;

	trim(&text, &len);
	name = unquote(text, len);
	if (name == NULL) {
		(void)nd_fail(
		    why, ND_EINVALID, 0, "the name \"%.*s\" needs quotes", (int)nd_str_utf8_cut(text, len, 80), text);
		(void)nd_fail_at(why, NULL, 0, "write it as \"Name, Inc.\" <address>");
		return ND_EINVALID;
	}
	if (name[0] == '\0') {
		free(name);
		name = NULL;
	}
	*out = name;
	return ND_OK;
}

enum nd_err
nd_str_mailbox(const char *text, size_t len, struct nd_mailbox *out, struct nd_why *why)
{
	const char *angle, *address;
	char *name = NULL;
	size_t address_len;
	enum nd_err err;

	if (len > MAILBOX_MAX)
		return nd_fail(why, ND_ETOOBIG, 0, "an address is longer than %u octets", MAILBOX_MAX);
	if (!nd_str_utf8(text, len))
		return nd_fail(why, ND_EINVALID, 0, "an address is not valid UTF-8");
	if (nd_str_has_control(text, len))
		return nd_fail(why, ND_EINVALID, 0, "an address has a control character or a line break");
	trim(&text, &len);
	address = text;
	address_len = len;
	angle = find_angle(text, len);
	if (angle != NULL) {
		if (text[len - 1] != '>')
			return nd_fail(why, ND_EINVALID, 0, "the address \"%.*s\" does not end with >",
			    (int)nd_str_utf8_cut(text, len, 80), text);
		address = angle + 1;
		address_len = len - (size_t)(address - text) - 1;
		trim(&address, &address_len);
	}
	err = check_address(address, address_len, why);
	if (err == ND_OK && angle != NULL)
		err = read_name(text, angle, &name, why);
	if (err != ND_OK)
		return err;
	out->name = name;
	out->address = nd_xstrndup(address, address_len);
	return ND_OK;
}

void
nd_mailbox_done(struct nd_mailbox *mailbox)
{
	if (mailbox == NULL)
		return;
	free(mailbox->name);
	free(mailbox->address);
	*mailbox = (struct nd_mailbox){ NULL, NULL };
}
