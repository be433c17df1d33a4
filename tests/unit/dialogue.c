/* SPDX-License-Identifier: Apache-2.0 */
/* dialogue.c - plays tests/dialogues/NN-title.smtp against smtp_proto, without a socket.
 *
 * One line of the file after the other is done; the first complaint ends the play. The format in short (all of it: tests/dialogues/README.md):
 *
 *   # title                             a comment
 *   security|auth|user|token … VALUE    settings, lower case, before the first step
 *   from|to|body VALUE                  the mail; again after NEXT
 *   S: TEXT   R: OCTETS                 the server says a line, or raw octets
 *   C: TEXT                             the client must say this line: {xoauth2} {plain} {size} {any} … are filled in
 *   D: TEXT   CONTENT                   the content as it travels, or any
 *   TLS [FAIL]  INJECT OCTETS  EOF [PART]  LATE [PART]  IDLE SECONDS  NEXT  QUIT
 *   = …                                 what must have come of it by now
 */
#include "tests/unit/dialogue.h"

#include "common/str.h"
#include "daemon/core/smtp_proto.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RCPT_MAX 16u
#define LINE_MAX_OCTETS 8192u
#define BUF_MAX ((size_t)16 * 1024 * 1024)

struct play {
	const char *path;
	unsigned line;
	char *complaint;
	bool failed, over;
	size_t slice;

	struct smtp_settings settings;
	struct nd_secret secret;
	char user[256], ehlo[256], host[256], from[320];
	char rcpts[RCPT_MAX][320];
	const char *rcpt_list[RCPT_MAX];
	struct smtp_rcpt_result results[RCPT_MAX];
	unsigned rcpt_count;
	struct nd_buf body;
	bool body_said;
	bool due; /* the mail is to be given when the session is ready */
	bool content_given;

	struct smtp_proto *proto;
	nd_ms now;
	struct nd_buf server; /* what the server sends in a row */
	struct nd_buf said;   /* what the client has sent and no step has taken */
	bool secret_said;     /* the last of it was marked as secret */

	bool have_outcome, outcome_told, fault_told, uncertain_told, unharmed_told, refused_told;
	struct smtp_outcome outcome;

	bool breaking; /* dialogue_break */
	enum dialogue_cut how;
	size_t break_after, fed;
};

static void complain(struct play *p, const char *format, ...) ND_PRINTF(2, 3);

static void
complain(struct play *p, const char *format, ...)
{
	va_list args;
	int n;

	if (p->failed)
		return;
	p->failed = true;
	n = snprintf(p->complaint, DIALOGUE_COMPLAINT, "%s:%u: ", p->path, p->line);
	va_start(args, format);
	if (n > 0 && n < DIALOGUE_COMPLAINT)
		(void)vsnprintf(p->complaint + n, DIALOGUE_COMPLAINT - (size_t)n, format, args);
	va_end(args);
}

/* ---- the driver's part ---- */

static void
drain(struct play *p)
{
	bool secret;
	struct nd_buf *out = smtp_proto_output(p->proto, &secret);
	const enum smtp_wish wish = smtp_proto_wish(p->proto);
	const bool waits = wish == SMTP_WISH_READ || wish == SMTP_WISH_TLS || wish == SMTP_WISH_CONTENT;

	if (out->len > 0) {
		p->secret_said = secret;
		(void)nd_buf_add(&p->said, out->octets, out->len);
		nd_buf_drop(out, out->len);
	}
	if (wish != SMTP_WISH_RESULT && waits != (smtp_proto_deadline(p->proto) != ND_NEVER))
		complain(p, "%s has the wrong deadline", smtp_proto_doing(p->proto));
}

static void
give_mail(struct play *p)
{
	const struct smtp_mail mail = {
		.from = p->from,
		.rcpts = p->rcpt_list,
		.rcpt_count = p->rcpt_count,
		.results = p->results,
		.size = p->body.len,
	};

	for (unsigned n = 0; n < p->rcpt_count; n++)
		p->rcpt_list[n] = p->rcpts[n];
	p->due = false;
	smtp_proto_mail(p->proto, &mail, p->now);
}

/* Does what the machine wishes, but for the content: that the steps decide. */
static void
obey(struct play *p)
{
	for (;;) {
		drain(p);
		switch (smtp_proto_wish(p->proto)) {
		case SMTP_WISH_RESULT:
			smtp_proto_result(p->proto, &p->outcome);
			p->have_outcome = true;
			break;
		case SMTP_WISH_MAIL:
			if (!p->due)
				return;
			give_mail(p);
			break;
		case SMTP_WISH_READ:
		case SMTP_WISH_TLS:
		case SMTP_WISH_CONTENT:
		case SMTP_WISH_CLOSE:
		default:
			return;
		}
	}
}

static void
lose(struct play *p, enum nd_err err, const char *text)
{
	struct nd_why why;

	(void)nd_fail(&why, err, 0, "%s", text);
	smtp_proto_lost(p->proto, &why, p->now);
	obey(p);
}

/* Longer than a line may be, so that it is never the rest of a reply that has begun. */
static void
send_garbage(struct play *p)
{
	char garbage[5000];

	memset(garbage, 'x', sizeof(garbage));
	smtp_proto_input(p->proto, garbage, sizeof(garbage), p->now);
}

/* dialogue_break: the session ends here, in one of three ways. */
static void
break_here(struct play *p)
{
	const nd_ms deadline = smtp_proto_deadline(p->proto);
	const bool idle = smtp_proto_wish(p->proto) == SMTP_WISH_MAIL;
	const bool ended = p->have_outcome;

	p->over = true;
	p->have_outcome = false;
	if (p->how == DIALOGUE_LATE && deadline != ND_NEVER) {
		p->now = deadline;
		smtp_proto_late(p->proto, p->now);
	} else if (p->how == DIALOGUE_GARBAGE) {
		send_garbage(p);
	} else {
		lose(p, ND_ECLOSED, "the connection was closed");
	}
	obey(p);
	if (smtp_proto_wish(p->proto) != SMTP_WISH_CLOSE)
		complain(p, "broken after %zu octets, but not over: %s", p->fed, smtp_proto_doing(p->proto));
	if (p->have_outcome && (ended || p->outcome.end != SMTP_ENDED_LOST))
		complain(p, "broken after %zu octets, but a mail ended otherwise", p->fed);
	if (p->have_outcome && p->outcome.uncertain != p->content_given)
		complain(p, "broken after %zu octets: uncertain is %d", p->fed, p->outcome.uncertain);
	if (p->have_outcome && smtp_proto_fault(p->proto))
		complain(p, "broken after %zu octets: told twice", p->fed);
	if (idle && p->how != DIALOGUE_GARBAGE && smtp_proto_fault(p->proto))
		complain(p, "a session lost while idle has a fault");
}

static void
feed(struct play *p, const char *octets, size_t len)
{
	while (len > 0 && !p->over) {
		const size_t take = p->slice > 0 && p->slice < len ? p->slice : len;

		if (p->breaking && p->fed == p->break_after) {
			break_here(p);
			return;
		}
		smtp_proto_input(p->proto, octets, take, p->now);
		p->fed += take;
		octets += take;
		len -= take;
		obey(p);
	}
}

static void
flush(struct play *p)
{
	if (p->server.len == 0)
		return;
	if (p->said.len > 0)
		complain(p, "the client also said \"%.200s\"", nd_buf_text(&p->said));
	feed(p, p->server.octets, p->server.len);
	nd_buf_clear(&p->server);
}

static void
begin(struct play *p)
{
	if (p->proto)
		return;
	if (p->settings.auth != SMTP_AUTH_NONE)
		p->settings.secret = &p->secret;
	p->proto = smtp_proto_new(&p->settings, p->now);
	p->due = p->rcpt_count > 0;
}

static void
start_mail(struct play *p)
{
	if (!p->body_said && p->body.len == 0)
		(void)nd_buf_adds(&p->body, "hello\r\n");
	if (p->proto && p->rcpt_count > 0 && !p->due && !p->have_outcome && !p->content_given &&
	    smtp_proto_wish(p->proto) == SMTP_WISH_MAIL)
		p->due = true;
}

/* ---- settings ---- */

static void
set_text(struct play *p, char *out, size_t size, const char *value)
{
	if (snprintf(out, size, "%s", value) >= (int)size)
		complain(p, "too long");
}

static void
set_body_octets(struct play *p, const char *value)
{
	int64_t octets = 0;

	if (!nd_str_int(value, 3, 1000000, &octets))
		complain(p, "body-octets takes 3 to 1000000");
	nd_buf_clear(&p->body);
	while (!p->failed && p->body.len < (size_t)octets) {
		const size_t left = (size_t)octets - p->body.len;
		const size_t line = left > 78 + 3 ? 78 : left > 78 ? 40 : left; /* never leave less than a line needs */

		for (size_t n = 0; n + 2 < line; n++)
			(void)nd_buf_addc(&p->body, 'x');
		(void)nd_buf_adds(&p->body, "\r\n");
	}
	p->body_said = true;
}

static void
set_token_octets(struct play *p, const char *value)
{
	int64_t octets = 0;
	char *token;

	if (!nd_str_int(value, 1, 100000, &octets)) {
		complain(p, "token-octets takes 1 to 100000");
		return;
	}
	token = nd_xalloc((size_t)octets + 1);
	memset(token, 't', (size_t)octets);
	nd_secret_set(&p->secret, token, (size_t)octets);
	free(token);
}

static bool
set_mail(struct play *p, const char *name, const char *value)
{
	if (strcmp(name, "from") == 0) {
		set_text(p, p->from, sizeof(p->from), value);
	} else if (strcmp(name, "to") == 0 && p->rcpt_count < RCPT_MAX) {
		set_text(p, p->rcpts[p->rcpt_count++], sizeof(p->rcpts[0]), value);
	} else if (strcmp(name, "body") == 0) {
		(void)nd_buf_addf(&p->body, "%s\r\n", value);
		p->body_said = true;
	} else if (strcmp(name, "body-octets") == 0) {
		set_body_octets(p, value);
	} else {
		return false;
	}
	return true;
}

/* The place of `value` in the words, which are separated by one space; -1 and a complaint when it is none of them. */
static int
choose(struct play *p, const char *words, const char *value)
{
	const char *at = words;
	const size_t len = strlen(value);

	for (int n = 0;; n++) {
		const size_t word = strcspn(at, " ");

		if (word == len && memcmp(at, value, len) == 0)
			return n;
		if (at[word] == '\0')
			break;
		at += word + 1;
	}
	complain(p, "\"%s\" is none of: %s", value, words);
	return -1;
}

static void
set(struct play *p, const char *name, const char *value)
{
	if (set_mail(p, name, value))
		return;
	if (p->proto)
		complain(p, "\"%s\" comes too late", name);
	else if (strcmp(name, "security") == 0)
		p->settings.security = (enum smtp_security)choose(p, "starttls tls none", value);
	else if (strcmp(name, "auth") == 0)
		p->settings.auth = (enum smtp_auth)choose(p, "none password oauth", value);
	else if (strcmp(name, "user") == 0)
		set_text(p, p->user, sizeof(p->user), value);
	else if (strcmp(name, "token") == 0 || strcmp(name, "password") == 0)
		nd_secret_set(&p->secret, value, strlen(value));
	else if (strcmp(name, "token-octets") == 0)
		set_token_octets(p, value);
	else if (strcmp(name, "ehlo") == 0)
		set_text(p, p->ehlo, sizeof(p->ehlo), value);
	else if (strcmp(name, "host") == 0)
		set_text(p, p->host, sizeof(p->host), value);
	else if (strcmp(name, "loopback") == 0)
		p->settings.loopback = choose(p, "no yes", value) == 1;
	else if (strcmp(name, "only") != 0)
		complain(p, "there is no setting \"%s\"", name);
}

/* ---- what the client must say ---- */

static void
add_base64(struct nd_buf *out, struct nd_buf *plain)
{
	(void)nd_str_base64(out, plain->octets, plain->len);
	nd_buf_done(plain);
}

/* Written from the specifications once more, not by the code that is tested. */
static bool
expand_name(struct play *p, const char *name, size_t len, struct nd_buf *out)
{
	const char *secret = p->secret.octets ? p->secret.octets : "";
	struct nd_buf plain;

	nd_buf_init(&plain, BUF_MAX);
	if (len == 7 && memcmp(name, "xoauth2", len) == 0) {
		(void)nd_buf_addf(&plain, "user=%s%cauth=Bearer %s%c%c", p->user, 1, secret, 1, 1);
	} else if (len == 11 && memcmp(name, "oauthbearer", len) == 0) {
		(void)nd_buf_addf(&plain, "n,a=%s,%chost=%s%cauth=Bearer %s%c%c", p->user, 1, p->host, 1, secret, 1, 1);
	} else if (len == 5 && memcmp(name, "plain", len) == 0) {
		(void)nd_buf_addf(&plain, "%c%s%c%s", 0, p->user, 0, secret);
	} else if (len == 4 && memcmp(name, "user", len) == 0) {
		(void)nd_buf_adds(&plain, p->user);
	} else if (len == 8 && memcmp(name, "password", len) == 0) {
		(void)nd_buf_adds(&plain, secret);
	} else if (len == 4 && memcmp(name, "size", len) == 0) {
		(void)nd_buf_addf(out, "%zu", p->body.len);
		return false;
	} else {
		complain(p, "there is no {%.*s}", (int)len, name);
		return false;
	}
	add_base64(out, &plain);
	return true;
}

/* The line with its names filled in; {any} becomes '\1'. Returns whether it carries a secret. */
static bool
expand(struct play *p, const char *text, struct nd_buf *out)
{
	bool secret = false;

	while (*text) {
		const char *end = *text == '{' ? strchr(text, '}') : NULL;

		if (!end) {
			(void)nd_buf_addc(out, *text++);
			continue;
		}
		if (strncmp(text, "{any}", 5) == 0)
			(void)nd_buf_addc(out, '\1');
		else if (expand_name(p, text + 1, (size_t)(end - text) - 1, out))
			secret = true;
		text = end + 1;
	}
	return secret;
}

static bool
matches(const char *pattern, const char *text, size_t len)
{
	while (*pattern && *pattern != '\1') {
		if (len == 0 || *text != *pattern)
			return false;
		pattern++;
		text++;
		len--;
	}
	if (*pattern == '\0')
		return len == 0;
	for (size_t n = 0; n <= len; n++)
		if (matches(pattern + 1, text + n, len - n))
			return true;
	return false;
}

/* Takes one line of what was said. false: there is none. */
static bool
take_line(struct play *p, size_t *len)
{
	const char *end = p->said.len > 0 ? memmem(p->said.octets, p->said.len, "\r\n", 2) : NULL;

	if (!end)
		return false;
	*len = (size_t)(end - p->said.octets);
	return true;
}

static void
expect_line(struct play *p, const char *text, bool content)
{
	struct nd_buf want;
	size_t len = 0;
	bool secret = false;

	nd_buf_init(&want, BUF_MAX);
	if (content)
		(void)nd_buf_adds(&want, text);
	else
		secret = expand(p, text, &want);
	if (!take_line(p, &len))
		complain(p, "expected \"%.200s\", got nothing (%s)", nd_buf_text(&want), smtp_proto_doing(p->proto));
	else if (!matches(nd_buf_text(&want), p->said.octets, len))
		complain(p, "expected \"%.300s\", got \"%.*s\"", nd_buf_text(&want), (int)(len < 300 ? len : 300),
		    p->said.octets);
	else if (secret != p->secret_said)
		complain(p, "this line is %smarked as secret", secret ? "not " : "");
	if (!p->failed)
		nd_buf_drop(&p->said, len + 2);
	nd_buf_wipe(&want);
}

/* Hands over the content, all or the first half of it, in slices. */
static void
give_content(struct play *p, bool all)
{
	const size_t total = all ? p->body.len : p->body.len / 2;
	size_t at = 0;

	if (smtp_proto_wish(p->proto) != SMTP_WISH_CONTENT) {
		complain(p, "the client does not want to send the content: %s", smtp_proto_doing(p->proto));
		return;
	}
	do {
		const size_t left = total - at;
		const size_t take = p->slice > 0 && p->slice < left ? p->slice : left;
		const bool last = all && at + take == total;

		smtp_proto_content(p->proto, nd_buf_text(&p->body) + at, take, last, p->now);
		at += take;
		drain(p);
	} while (at < total);
	p->content_given = all;
	if (!all)
		nd_buf_clear(&p->said); /* the relay has it, and does not look */
}

/* The content travels: what arrives, dots taken off, must be the mail's. */
static void
expect_content(struct play *p)
{
	struct nd_buf got;
	size_t len = 0;
	bool dot = false;

	nd_buf_init(&got, BUF_MAX);
	give_content(p, true);
	while (!p->failed && !dot && take_line(p, &len)) {
		const char *s = p->said.octets;

		dot = len == 1 && s[0] == '.';
		if (!dot && len > 0 && s[0] == '.')
			(void)nd_buf_add(&got, s + 1, len + 1);
		else if (!dot)
			(void)nd_buf_add(&got, s, len + 2);
		nd_buf_drop(&p->said, len + 2);
	}
	if (!dot)
		complain(p, "the content has no end");
	else if (got.len != p->body.len || (got.len > 0 && memcmp(got.octets, p->body.octets, got.len) != 0))
		complain(p, "the content differs: %zu octets, got %zu", p->body.len, got.len);
	nd_buf_done(&got);
}

/* ---- steps ---- */

static int
hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

static void
add_raw(struct play *p, const char *text)
{
	static const char names[] = "rnt\\", octets[] = "\r\n\t\\";

	for (; *text; text++) {
		const char *name = text[0] == '\\' && text[1] ? strchr(names, text[1]) : NULL;

		if (*text != '\\') {
			(void)nd_buf_addc(&p->server, *text);
		} else if (name) {
			(void)nd_buf_addc(&p->server, octets[name - names]);
			text++;
		} else if (text[1] == 'x' && hex(text[2]) >= 0 && hex(text[3]) >= 0) {
			(void)nd_buf_addc(&p->server, (char)(hex(text[2]) * 16 + hex(text[3])));
			text += 3;
		} else {
			complain(p, "no such escape: %.4s", text);
			return;
		}
	}
}

static void
do_tls(struct play *p, const char *rest)
{
	if (p->settings.security == SMTP_TLS && !p->proto) {
		begin(p);
		return;
	}
	begin(p);
	if (p->said.len > 0)
		complain(p, "the client also said \"%.200s\"", nd_buf_text(&p->said));
	else if (smtp_proto_wish(p->proto) != SMTP_WISH_TLS)
		complain(p, "the client does not wish for TLS: %s", smtp_proto_doing(p->proto));
	else if (strcmp(rest, "FAIL") == 0)
		lose(p, ND_ETLS, "the certificate is not for this name");
	else
		smtp_proto_tls_up(p->proto, p->now);
	obey(p);
}

/* Byte by byte the driver finds them in its own buffer; else they are fed in one go with the 220. */
static void
do_inject(struct play *p, const char *rest)
{
	if (p->slice == 1) {
		flush(p);
		smtp_proto_tls_injected(p->proto, p->now);
		obey(p);
		return;
	}
	add_raw(p, rest);
	flush(p);
}

static void
do_late(struct play *p)
{
	const nd_ms deadline = smtp_proto_deadline(p->proto);
	const enum smtp_wish wish = smtp_proto_wish(p->proto);

	if (deadline == ND_NEVER) {
		complain(p, "nothing is awaited while %s", smtp_proto_doing(p->proto));
		return;
	}
	smtp_proto_late(p->proto, deadline - 1);
	if (smtp_proto_wish(p->proto) != wish)
		complain(p, "it lost patience too early");
	p->now = deadline;
	smtp_proto_late(p->proto, p->now);
	obey(p);
}

static void
do_idle(struct play *p, const char *rest)
{
	int64_t seconds = 0;

	if (!nd_str_int(rest, 0, 86400, &seconds))
		complain(p, "IDLE takes seconds");
	if (smtp_proto_wish(p->proto) != SMTP_WISH_MAIL)
		complain(p, "the session is not idle: %s", smtp_proto_doing(p->proto));
	p->now += ND_SEC(seconds);
}

static void
check_marks(struct play *p)
{
	if (p->have_outcome && !p->outcome_told)
		complain(p, "the mail's outcome is not told: end %d at %s: %d %s %s", (int)p->outcome.end,
		    smtp_proto_stage_name(p->outcome.stage), p->outcome.reply.code, p->outcome.reply.text,
		    p->outcome.end == SMTP_ENDED_LOST ? p->outcome.why.text : "");
	if (p->have_outcome && p->outcome.uncertain != p->uncertain_told)
		complain(p, "uncertain is %d", p->outcome.uncertain);
	if (p->have_outcome && p->outcome.unharmed != p->unharmed_told)
		complain(p, "unharmed is %d", p->outcome.unharmed);
}

static void
do_next(struct play *p)
{
	check_marks(p);
	p->have_outcome = p->outcome_told = p->uncertain_told = p->unharmed_told = false;
	p->content_given = p->body_said = false;
	p->rcpt_count = 0;
	nd_buf_clear(&p->body);
	set_text(p, p->from, sizeof(p->from), "alerts@example.com");
}

/* Steps at which what the server has sent must have arrived. */
static void
do_step(struct play *p, const char *step, const char *rest)
{
	const bool part = strcmp(rest, "PART") == 0;

	if (strcmp(step, "TLS") == 0) {
		do_tls(p, rest);
	} else if (strcmp(step, "EOF") == 0) {
		if (part)
			give_content(p, false);
		lose(p, ND_ECLOSED, "the connection was closed");
	} else if (strcmp(step, "LATE") == 0) {
		if (part)
			give_content(p, false);
		do_late(p);
	} else if (strcmp(step, "IDLE") == 0) {
		do_idle(p, rest);
	} else if (strcmp(step, "NEXT") == 0) {
		do_next(p);
	} else if (strcmp(step, "QUIT") == 0) {
		smtp_proto_quit(p->proto, p->now);
		obey(p);
	} else if (strcmp(step, "CONTENT") == 0) {
		expect_content(p);
	} else if (strcmp(step, "C:") == 0) {
		expect_line(p, rest, false);
	} else if (strcmp(step, "D:") == 0) {
		if (!p->content_given)
			give_content(p, true);
		expect_line(p, rest, true);
	} else {
		complain(p, "there is no step \"%s\"", step);
	}
}

static void
do_line_of_play(struct play *p, const char *step, const char *rest)
{
	if (!(strcmp(step, "TLS") == 0 && p->settings.security == SMTP_TLS))
		begin(p);
	if (p->proto) {
		start_mail(p);
		obey(p);
	}
	if (strcmp(step, "S:") == 0) {
		(void)nd_buf_addf(&p->server, "%s\r\n", rest);
	} else if (strcmp(step, "R:") == 0) {
		add_raw(p, rest);
	} else if (strcmp(step, "INJECT") == 0) {
		do_inject(p, rest);
	} else {
		flush(p);
		if (!p->over)
			do_step(p, step, rest);
	}
}

/* ---- what must have come of it ---- */

static const char *
reply_words(const struct smtp_reply *reply, char *out, size_t size)
{
	(void)snprintf(out, size, "%d%s%s", reply->code, reply->enhanced[0] ? " " : "", reply->enhanced);
	return out;
}

static void
expect_text(struct play *p, const char *what, const char *want, const char *got)
{
	if (strcmp(want, got) != 0)
		complain(p, "%s: expected \"%s\", got \"%s\"", what, want, got);
}

static void
expect_end(struct play *p, enum smtp_end end, const char *want)
{
	char got[160], reply[64];

	p->outcome_told = true;
	if (!p->have_outcome) {
		complain(p, "the mail has no outcome yet: %s", smtp_proto_doing(p->proto));
		return;
	}
	if (p->outcome.end == SMTP_ENDED_LOST)
		(void)snprintf(got, sizeof(got), "lost %s %s", smtp_proto_stage_name(p->outcome.stage),
		    nd_err_name(p->outcome.why.err));
	else if (p->outcome.end == SMTP_ENDED_RCPTS)
		(void)snprintf(got, sizeof(got), "rcpts");
	else
		(void)snprintf(got, sizeof(got), "reply %s %s", smtp_proto_stage_name(p->outcome.stage),
		    reply_words(&p->outcome.reply, reply, sizeof(reply)));
	(void)end;
	expect_text(p, "outcome", want, got);
}

static void
expect_fault(struct play *p, const char *want)
{
	const struct smtp_fault *fault = smtp_proto_fault(p->proto);
	char got[160], reply[64];

	p->fault_told = true;
	if (!fault) {
		complain(p, "the session has no fault: %s", smtp_proto_doing(p->proto));
		return;
	}
	if (fault->reply.code)
		(void)snprintf(got, sizeof(got), "%s %s %s", smtp_proto_stage_name(fault->stage),
		    nd_err_name(fault->why.err), reply_words(&fault->reply, reply, sizeof(reply)));
	else
		(void)snprintf(
		    got, sizeof(got), "%s %s", smtp_proto_stage_name(fault->stage), nd_err_name(fault->why.err));
	expect_text(p, "fault", want, got);
}

static bool
expect_rcpt(struct play *p, const char *address, const char *want)
{
	for (unsigned n = 0; n < p->rcpt_count; n++) {
		const struct smtp_rcpt_result *result = &p->results[n];
		char got[64];

		if (strcmp(p->rcpts[n], address) != 0)
			continue;
		if (!result->asked)
			(void)snprintf(got, sizeof(got), "unasked");
		else if (result->reply.code / 100 == 2)
			(void)snprintf(got, sizeof(got), "ok");
		else
			(void)reply_words(&result->reply, got, sizeof(got));
		expect_text(p, address, want, got);
		return true;
	}
	return false;
}

static const char *
words_of(struct play *p)
{
	const struct smtp_fault *fault = smtp_proto_fault(p->proto);

	if (fault)
		return fault->why.text;
	return p->outcome.end == SMTP_ENDED_LOST ? p->outcome.why.text : p->outcome.reply.text;
}

/* `whole` is word and rest. */
static void
expect(struct play *p, const char *whole, const char *word, const char *rest)
{
	const struct smtp_fault *fault = smtp_proto_fault(p->proto);
	const enum smtp_wish wish = smtp_proto_wish(p->proto);

	if (strcmp(word, "reply") == 0)
		expect_end(p, SMTP_ENDED_REPLY, whole);
	else if (strcmp(word, "rcpts") == 0)
		expect_end(p, SMTP_ENDED_RCPTS, whole);
	else if (strcmp(word, "lost") == 0)
		expect_end(p, SMTP_ENDED_LOST, whole);
	else if (strcmp(word, "uncertain") == 0)
		p->uncertain_told = true;
	else if (strcmp(word, "unharmed") == 0)
		p->unharmed_told = true;
	else if (strcmp(word, "ready") == 0)
		expect_text(p, "session", "ready", wish == SMTP_WISH_MAIL ? "ready" : smtp_proto_doing(p->proto));
	else if (strcmp(word, "closed") == 0)
		expect_text(p, "session", "closed",
		    wish != SMTP_WISH_CLOSE ? smtp_proto_doing(p->proto)
		    : fault                 ? fault->why.text
					    : "closed");
	else if (strcmp(word, "fault") == 0)
		expect_fault(p, rest);
	else if (strcmp(word, "token-refused") == 0)
		p->refused_told = true;
	else if (strcmp(word, "challenge") == 0)
		expect_text(p, "challenge", rest, fault ? fault->challenge : "(no fault)");
	else if (strcmp(word, "words") == 0) {
		if (!strstr(words_of(p), rest))
			complain(p, "expected words like \"%s\", got \"%s\"", rest, words_of(p));
	} else if (!expect_rcpt(p, word, rest))
		complain(p, "there is no recipient \"%s\"", word);
}

static void
check_end(struct play *p)
{
	const struct smtp_fault *fault;

	p->line++;
	if (!p->proto) {
		complain(p, "there are no steps");
		return;
	}
	fault = smtp_proto_fault(p->proto);
	check_marks(p);
	if (p->said.len > 0)
		complain(p, "the client also said \"%.200s\"", nd_buf_text(&p->said));
	if (fault && !p->fault_told)
		complain(p, "the session has a fault that is not told: %s", fault->why.text);
	if (fault && fault->token_refused != p->refused_told)
		complain(p, "token_refused is %d", fault->token_refused);
	if (p->settings.secret && p->secret.len > 5 && (fault || p->have_outcome) &&
	    strstr(words_of(p), p->secret.octets))
		complain(p, "the secret stands in the words");
}

/* ---- the file ---- */

static void
do_line(struct play *p, char *line)
{
	char *rest = line + strcspn(line, " ");

	if (line[0] == '#' || line[0] == '\0')
		return;
	if (*rest)
		*rest++ = '\0';
	if (line[0] == '=') {
		char whole[1024], *word = rest;

		if (p->proto)
			flush(p);
		if (!p->proto || p->over)
			return;
		set_text(p, whole, sizeof(whole), rest);
		rest += strcspn(rest, " ");
		if (*rest)
			*rest++ = '\0';
		expect(p, whole, word, rest);
	} else if (line[0] >= 'a' && line[0] <= 'z') {
		set(p, line, rest);
	} else {
		do_line_of_play(p, line, rest);
	}
}

static void
prepare(struct play *p)
{
	set_text(p, p->user, sizeof(p->user), "alerts@example.com");
	set_text(p, p->ehlo, sizeof(p->ehlo), "host.example");
	set_text(p, p->host, sizeof(p->host), "relay.example");
	set_text(p, p->from, sizeof(p->from), "alerts@example.com");
	p->settings = (struct smtp_settings){
		.ehlo = p->ehlo, .host = p->host, .user = p->user, .security = SMTP_PLAINTEXT, .loopback = true
	};
	p->now = ND_SEC(1000);
	nd_buf_init(&p->body, BUF_MAX);
	nd_buf_init(&p->server, BUF_MAX);
	nd_buf_init(&p->said, BUF_MAX);
}

static bool
play(struct play *p)
{
	char line[LINE_MAX_OCTETS];
	FILE *file = fopen(p->path, "r");

	prepare(p);
	if (!file)
		complain(p, "cannot be opened");
	while (!p->failed && !p->over && file && fgets(line, sizeof(line), file)) {
		p->line++;
		line[strcspn(line, "\n")] = '\0';
		/* A credential that was not set: each kind has its own. */
		if (!p->proto && p->secret.len == 0 && line[0] >= 'A' && line[0] <= 'Z')
			nd_secret_set(&p->secret, p->settings.auth == SMTP_AUTH_OAUTH ? "token" : "secret",
			    p->settings.auth == SMTP_AUTH_OAUTH ? 5 : 6);
		do_line(p, line);
	}
	if (file)
		(void)fclose(file);
	if (!p->failed && !p->over && p->proto)
		flush(p);
	if (!p->over)
		check_end(p);
	smtp_proto_free(p->proto);
	nd_secret_done(&p->secret);
	nd_buf_done(&p->body);
	nd_buf_done(&p->server);
	nd_buf_done(&p->said);
	return !p->failed;
}

bool
dialogue_play(const char *path, size_t slice, char complaint[DIALOGUE_COMPLAINT])
{
	struct play *p = nd_xalloc(sizeof(*p));
	bool well;

	p->path = path;
	p->slice = slice;
	p->complaint = complaint;
	well = play(p);
	free(p);
	return well;
}

bool
dialogue_break(const char *path, size_t after, enum dialogue_cut how, bool *done, char complaint[DIALOGUE_COMPLAINT])
{
	struct play *p = nd_xalloc(sizeof(*p));
	bool well;

	p->path = path;
	p->slice = 1;
	p->complaint = complaint;
	p->breaking = true;
	p->break_after = after;
	p->how = how;
	well = play(p);
	*done = !p->over;
	free(p);
	return well;
}
