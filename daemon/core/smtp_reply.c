/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_reply.c - one SMTP reply: octets => code, enhanced code, text, capabilities.  Layer: core. */
#include "daemon/core/smtp_reply.h"

#include "common/str.h"

#include <stddef.h>
#include <string.h>

#define LINE_MAX_OCTETS 4096u
#define LINES_MAX 64u
#define REPLY_MAX_OCTETS 65536u

struct line {
	const char *text; /* after the code and its separator; borrowed from the input */
	size_t len;
	int code;
	bool last;
};

/* EHLO keywords without parameters, the numbers of LIMITS, the mechanisms of AUTH: a name and what it sets. */
struct flag {
	const char *name;
	size_t offset;
};
/* clang-format off */
static const struct flag keywords[] = {
	{ "STARTTLS",            offsetof(struct smtp_caps, starttls) },
	{ "PIPELINING",          offsetof(struct smtp_caps, pipelining) },
	{ "CHUNKING",            offsetof(struct smtp_caps, chunking) },
	{ "8BITMIME",            offsetof(struct smtp_caps, eightbitmime) },
	{ "SMTPUTF8",            offsetof(struct smtp_caps, smtputf8) },
	{ "DSN",                 offsetof(struct smtp_caps, dsn) },
	{ "SIZE",                offsetof(struct smtp_caps, size) },
	{ "ENHANCEDSTATUSCODES", offsetof(struct smtp_caps, enhanced) },
	{ "REQUIRETLS",          offsetof(struct smtp_caps, requiretls) },
	{ NULL, 0 },
};
static const struct flag limits[] = {
	{ "RCPTMAX=",       offsetof(struct smtp_caps, rcpt_max) },
	{ "RCPTDOMAINMAX=", offsetof(struct smtp_caps, rcpt_domain_max) },
	{ "MAILMAX=",       offsetof(struct smtp_caps, mail_max) },
	{ NULL, 0 },
};
static const struct flag mechanisms[] = {
	{ "PLAIN",       offsetof(struct smtp_caps, auth_plain) },
	{ "LOGIN",       offsetof(struct smtp_caps, auth_login) },
	{ "XOAUTH2",     offsetof(struct smtp_caps, auth_xoauth2) },
	{ "OAUTHBEARER", offsetof(struct smtp_caps, auth_oauthbearer) },
	{ "SCRAM-SHA-256", offsetof(struct smtp_caps, auth_scram_sha256) },
	{ "CRAM-MD5",    offsetof(struct smtp_caps, auth_cram_md5) },
	{ NULL, 0 },
};
/* clang-format on */

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Octets of the character at `s` when it is one that may be shown, else 0. */
static size_t
printable(const char *s, size_t len)
{
	const unsigned char c = (unsigned char)*s;
	size_t octets = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	if (octets > len || !nd_str_utf8(s, octets) || nd_str_has_control(s, octets))
		return 0;
	return octets;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void
smtp_reply_clean(char *out, size_t size, const char *octets, size_t len)
{
	size_t at = 0, n, shown;

	for (size_t i = 0; i<len; i += n> 0 ? n : 1) {
		const char *from = octets + i;

		n = is_space(*from) ? 1 : printable(from, len - i);
		shown = n > 0 ? n : 1;
		if (at + shown >= size)
			break;
		if (is_space(*from)) {
			if (at > 0 && out[at - 1] == ' ')
				continue;
			from = " ";
		}
		memcpy(out + at, n > 0 ? from : "?", shown);
		at += shown;
	}
	while (at > 0 && out[at - 1] == ' ')
		at--;
	out[at] = '\0';
}

/* The first four octets of a line, as far as they are there: code and separator. */
static bool
begins_well(const char *s, size_t len)
{
	for (size_t i = 0; i < len && i < 3; i++)
		if (!digit(s[i]))
			return false;
	if (len > 0 && (s[0] < '2' || s[0] > '5'))
		return false;
	return len < 4 || s[3] == '-' || s[3] == ' ' || s[3] == '\r' || s[3] == '\n';
}

/* One line: the octets it took; 0 not complete; -1 malformed or too long. */
static long
take_line(const char *s, size_t len, struct line *line)
{
	const char *end = memchr(s, '\n', len < LINE_MAX_OCTETS ? len : LINE_MAX_OCTETS);
	size_t text_len;

	if (!begins_well(s, len))
		return -1;
	if (!end)
		return len < LINE_MAX_OCTETS ? 0 : -1;
	text_len = (size_t)(end - s);
	if (text_len > 0 && s[text_len - 1] == '\r')
		text_len--;
	line->code = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
	line->last = text_len == 3 || s[3] != '-';
	line->text = text_len > 4 ? s + 4 : s + text_len;
	line->len = text_len > 4 ? text_len - 4 : 0;
	return (long)(end - s) + 1;
}

/* Length of an enhanced code (RFC 3463: class "." subject "." detail) that stands alone at the start of a text; 0 none. */
static size_t
enhanced_length(const char *s, size_t len)
{
	size_t at = 1;

	if (len < 5 || (s[0] != '2' && s[0] != '4' && s[0] != '5'))
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;

		if (at >= len || s[at++] != '.')
			return 0;
		while (at < len && digit(s[at]) && digits < 4) {
			at++;
			digits++;
		}
		if (digits == 0 || digits > 3)
			return 0;
	}
	return at == len || s[at] == ' ' ? at : 0;
}

/* Takes the enhanced code off a line, keeps the first that was seen, and adds the rest to the text. */
static void
add_text(struct smtp_reply *reply, struct line line)
{
	const size_t code = enhanced_length(line.text, line.len);
	size_t at = strlen(reply->text);

	if (code > 0) {
		if (reply->enhanced[0] == '\0') {
			memcpy(reply->enhanced, line.text, code);
			reply->enhanced[code] = '\0';
		}
		line.text += code;
		line.len -= code;
	}
	while (line.len > 0 && (line.text[0] == ' ' || line.text[0] == '\t')) {
		line.text++;
		line.len--;
	}
	if (line.len == 0 || at + 2 >= sizeof(reply->text))
		return;
	if (at > 0)
		reply->text[at++] = ' ';
	smtp_reply_clean(reply->text + at, sizeof(reply->text) - at, line.text, line.len);
	if (reply->text[at] == '\0' && at > 0)
		reply->text[at - 1] = '\0';
}

/* The next word of [*s, *s + *len): moves on behind it. */
static bool
next_word(const char **s, size_t *len, char *word, size_t size)
{
	size_t n = 0;

	while (*len > 0 && **s == ' ') {
		(*s)++;
		(*len)--;
	}
	while (n < *len && (*s)[n] != ' ')
		n++;
	smtp_reply_clean(word, size, *s, n);
	*s += n;
	*len -= n;
	return n > 0;
}

static void
set_flag(struct smtp_caps *caps, const struct flag *flags, const char *name)
{
	for (; flags->name; flags++)
		if (nd_str_eq_nocase(flags->name, name))
			*(bool *)((char *)caps + flags->offset) = true;
}

static void
read_auth(struct smtp_caps *caps, const char *s, size_t len)
{
	char word[64];

	while (next_word(&s, &len, word, sizeof(word))) {
		const size_t at = strlen(caps->auth), n = strlen(word);

		set_flag(caps, mechanisms, word);
		if (n == 0 || at + n + 2 > sizeof(caps->auth))
			continue;
		if (at > 0)
			caps->auth[at] = ' ';
		memcpy(caps->auth + at + (at > 0), word, n + 1);
	}
}

static void
read_limits(struct smtp_caps *caps, const char *s, size_t len)
{
	char word[64];
	int64_t max;

	while (next_word(&s, &len, word, sizeof(word)))
		for (const struct flag *limit = limits; limit->name; limit++)
			if (nd_str_starts_nocase(word, limit->name) &&
			    nd_str_int(word + strlen(limit->name), 1, 1000000, &max))
				*(unsigned *)((char *)caps + limit->offset) = (unsigned)max;
}

static void
read_cap(struct smtp_caps *caps, const char *s, size_t len)
{
	char word[64];
	int64_t max;

	/* "AUTH=LOGIN PLAIN" is an old habit beside "AUTH LOGIN PLAIN": both count. */
	if (len > 5 && nd_str_starts_nocase(s, "AUTH") && (s[4] == ' ' || s[4] == '=')) {
		read_auth(caps, s + 5, len - 5);
		return;
	}
	if (!next_word(&s, &len, word, sizeof(word)))
		return;
	set_flag(caps, keywords, word);
	if (nd_str_eq_nocase(word, "SIZE")) {
		if (next_word(&s, &len, word, sizeof(word)) && nd_str_int(word, 1, INT64_MAX, &max))
			caps->size_max = (uint64_t)max;
	} else if (nd_str_eq_nocase(word, "LIMITS")) {
		read_limits(caps, s, len);
	}
}

/* Is there a complete reply? As smtp_reply_read. */
static long
measure(const char *octets, size_t len, unsigned *lines)
{
	size_t used = 0;
	int code = 0;

	for (*lines = 1; *lines <= LINES_MAX; (*lines)++) {
		struct line line;
		const long took = take_line(octets + used, len - used, &line);

		if (took <= 0)
			return took == 0 && len > REPLY_MAX_OCTETS ? -1 : took;
		used += (size_t)took;
		if (used > REPLY_MAX_OCTETS || (code != 0 && line.code != code))
			return -1;
		code = line.code;
		if (line.last)
			return (long)used;
	}
	return -1;
}

long
smtp_reply_read(const char *octets, size_t len, struct smtp_reply *reply, struct smtp_caps *caps)
{
	struct smtp_caps found = { 0 };
	unsigned lines;
	const long used = measure(octets, len, &lines);
	size_t at = 0;

	if (used <= 0)
		return used;
	*reply = (struct smtp_reply){ .lines = lines };
	for (unsigned n = 0; n < lines; n++) {
		struct line line = { .text = "" };

		at += (size_t)take_line(octets + at, (size_t)used - at, &line);
		reply->code = line.code;
		add_text(reply, line);
		if (n > 0) /* the first line of an EHLO reply is a greeting */
			read_cap(&found, line.text, line.len);
	}
	if (caps && reply->code == 250)
		*caps = found;
	return used;
}
