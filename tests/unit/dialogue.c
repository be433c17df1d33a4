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
 *   D: TEXT   CONTENT   CHUNK           the content as it travels, or any; as one chunk
 *   TLS [FAIL]  INJECT OCTETS  EOF [PART]  LATE [PART]  IDLE SECONDS  NEXT  BESIDE  QUIT
 *   = …  =N …                           what must have come of it, or of mail N, by now
 */
#include "tests/unit/dialogue_inner.h"

#include "common/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_OCTETS 8192u

/* ---- the driver's part ---- */

static void
drain(struct play *p)
{
	bool secret;
	struct nd_buf *out = smtp_proto_output(p->proto, &secret);
	const enum smtp_wish wish = smtp_proto_wish(p->proto);
	const bool waits = wish == SMTP_WISH_READ || wish == SMTP_WISH_TLS || wish == SMTP_WISH_CONTENT;

	if (out->len > 0 && !smtp_proto_holds(p->proto)) {
		p->secret_said = secret;
		(void)nd_buf_add(&p->said, out->octets, out->len);
		nd_buf_drop(out, out->len);
	}
	if (wish != SMTP_WISH_RESULT && waits != (smtp_proto_deadline(p->proto) != ND_NEVER))
		dialogue_complain(p, "%s has the wrong deadline", smtp_proto_doing(p->proto));
}

static void
give_mail(struct play *p)
{
	const struct smtp_mail mail = {
		.from = p->mail->from,
		.rcpts = p->mail->rcpt_list,
		.rcpt_count = p->mail->rcpt_count,
		.results = p->mail->results,
		.size = p->mail->body.len,
		.pace = p->pace,
		.without = p->without,
		.envid = p->mail->envid[0] ? p->mail->envid : NULL,
		.require_tls = p->mail->require_tls,
		.eight = p->eight,
		.trial = p->trial,
	};

	for (unsigned n = 0; n < p->mail->rcpt_count; n++)
		p->mail->rcpt_list[n] = p->mail->rcpts[n];
	p->mail->due = false;
	p->mail->begun = true;
	if (!p->mail->ahead) {
		smtp_proto_mail(p->proto, &mail, p->now);
		return;
	}
	if (!smtp_proto_room(p->proto, &mail)) {
		dialogue_complain(p, "there is no room for this mail: %s", smtp_proto_doing(p->proto));
		return;
	}
	smtp_proto_ahead(p->proto, &mail, nd_buf_text(&p->mail->body), p->mail->body.len, p->now);
	p->mail->content_given = true;
}

/* Does what the machine wishes, but for the content: that the steps decide. */
static void
obey(struct play *p)
{
	for (;;) {
		drain(p);
		switch (smtp_proto_wish(p->proto)) {
		case SMTP_WISH_RESULT:
			if (p->next > p->mail || !p->next->begun || p->next->have_outcome) {
				dialogue_complain(p, "there is an outcome, but no mail it is of");
				return;
			}
			p->next->have_outcome = true;
			smtp_proto_result(p->proto, &p->next->outcome);
			p->next++;
			break;
		case SMTP_WISH_MAIL:
			if (!p->mail->due || p->mail->ahead)
				return;
			give_mail(p);
			break;
		case SMTP_WISH_READ:
		case SMTP_WISH_TLS:
		case SMTP_WISH_PROOF:
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

static void
check_broken(struct play *p, const struct play_mail *mail)
{
	if (!mail->have_outcome)
		dialogue_complain(
		    p, "broken after %zu octets, but mail %d has no outcome", p->fed, (int)(mail - p->mails) + 1);
	/* Beside others a refusal may have been heard, and waited for the rest of its replies. */
	if (mail->outcome.end != SMTP_ENDED_LOST && !(mail->outcome.company && mail->outcome.reply.code / 100 != 2))
		dialogue_complain(p, "broken after %zu octets, but a mail ended otherwise", p->fed);
	if (mail->outcome.uncertain != (mail->content_given && mail->outcome.end == SMTP_ENDED_LOST))
		dialogue_complain(p, "broken after %zu octets: uncertain is %d", p->fed, mail->outcome.uncertain);
	if (smtp_proto_fault(p->proto))
		dialogue_complain(p, "broken after %zu octets: told twice", p->fed);
}

/* dialogue_break: the session ends here, in one of three ways. */
static void
break_here(struct play *p)
{
	const nd_ms deadline = smtp_proto_deadline(p->proto);
	const bool idle = smtp_proto_wish(p->proto) == SMTP_WISH_MAIL;
	struct play_mail *mail = p->next;

	p->over = true;
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
		dialogue_complain(p, "broken after %zu octets, but not over: %s", p->fed, smtp_proto_doing(p->proto));
	for (; mail <= p->mail && mail->begun; mail++)
		check_broken(p, mail);
	if (idle && p->how != DIALOGUE_GARBAGE && smtp_proto_fault(p->proto))
		dialogue_complain(p, "a session lost while idle has a fault");
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
		dialogue_complain(p, "the client also said \"%.200s\"", nd_buf_text(&p->said));
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
	p->mail->due = p->mail->rcpt_count > 0;
}

static void
start_mail(struct play *p)
{
	if (!p->mail->body_said && p->mail->body.len == 0)
		(void)nd_buf_adds(&p->mail->body, "hello\r\n");
	if (p->proto && p->mail->rcpt_count > 0 && !p->mail->begun && p->mail->ahead)
		give_mail(p);
	else if (p->proto && p->mail->rcpt_count > 0 && !p->mail->begun && smtp_proto_wish(p->proto) == SMTP_WISH_MAIL)
		p->mail->due = true;
}

/* ---- what the client says ---- */

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
		secret = dialogue_expand(p, text, &want);
	if (!take_line(p, &len))
		dialogue_complain(
		    p, "expected \"%.200s\", got nothing (%s)", nd_buf_text(&want), smtp_proto_doing(p->proto));
	else if (!dialogue_matches(nd_buf_text(&want), p->said.octets, len))
		dialogue_complain(p, "expected \"%.300s\", got \"%.*s\"", nd_buf_text(&want),
		    (int)(len < 300 ? len : 300), p->said.octets);
	else if (secret != p->secret_said)
		dialogue_complain(p, "this line is %smarked as secret", secret ? "not " : "");
	if (!p->failed)
		nd_buf_drop(&p->said, len + 2);
	nd_buf_wipe(&want);
}

/* Hands over the content, all or the first half of it, in slices. */
static void
give_content(struct play *p, bool all)
{
	const size_t total = all ? p->mail->body.len : p->mail->body.len / 2;
	size_t at = 0;

	if (smtp_proto_wish(p->proto) != SMTP_WISH_CONTENT) {
		dialogue_complain(p, "the client does not want to send the content: %s", smtp_proto_doing(p->proto));
		return;
	}
	do {
		const size_t left = total - at;
		const size_t take = p->slice > 0 && p->slice < left ? p->slice : left;
		const bool last = all && at + take == total;

		smtp_proto_content(p->proto, nd_buf_text(&p->mail->body) + at, take, last, p->now);
		at += take;
		drain(p);
	} while (at < total);
	p->mail->content_given = all;
	if (!all)
		nd_buf_clear(&p->said); /* the relay has it, and does not look */
}

/* A chunk travels as it is, behind its length. */
static void
expect_chunk(struct play *p)
{
	char want[64];
	size_t len = 0;

	if (!p->mail->content_given)
		give_content(p, true);
	(void)snprintf(want, sizeof(want), "BDAT %zu LAST", p->mail->body.len);
	if (p->failed)
		return;
	if (!take_line(p, &len) || !dialogue_matches(want, p->said.octets, len))
		dialogue_complain(p, "expected \"%s\", got \"%.300s\"", want, nd_buf_text(&p->said));
	else if (p->said.len != len + 2 + p->mail->body.len ||
		 memcmp(p->said.octets + len + 2, p->mail->body.octets, p->mail->body.len) != 0)
		dialogue_complain(
		    p, "the chunk differs: %zu octets, got %zu", p->mail->body.len, p->said.len - len - 2);
	nd_buf_clear(&p->said);
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
		dialogue_complain(p, "the content has no end");
	else if (got.len != p->mail->body.len ||
		 (got.len > 0 && memcmp(got.octets, p->mail->body.octets, got.len) != 0))
		dialogue_complain(p, "the content differs: %zu octets, got %zu", p->mail->body.len, got.len);
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
			dialogue_complain(p, "no such escape: %.4s", text);
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
		dialogue_complain(p, "the client also said \"%.200s\"", nd_buf_text(&p->said));
	else if (smtp_proto_wish(p->proto) != SMTP_WISH_TLS)
		dialogue_complain(p, "the client does not wish for TLS: %s", smtp_proto_doing(p->proto));
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
		dialogue_complain(p, "nothing is awaited while %s", smtp_proto_doing(p->proto));
		return;
	}
	smtp_proto_late(p->proto, deadline - 1);
	if (smtp_proto_wish(p->proto) != wish)
		dialogue_complain(p, "it lost patience too early");
	p->now = deadline;
	smtp_proto_late(p->proto, p->now);
	obey(p);
}

static void
do_idle(struct play *p, const char *rest)
{
	int64_t seconds = 0;

	if (!nd_str_int(rest, 0, 86400, &seconds))
		dialogue_complain(p, "IDLE takes seconds");
	if (smtp_proto_wish(p->proto) != SMTP_WISH_MAIL)
		dialogue_complain(p, "the session is not idle: %s", smtp_proto_doing(p->proto));
	p->now += ND_SEC(seconds);
}

/* Another mail, after those before or beside them. */
static void
do_next(struct play *p, bool ahead)
{
	if (!ahead)
		dialogue_check_marks(p);
	if (p->mail + 1 == p->mails + MAILS_MAX) {
		dialogue_complain(p, "too many mails");
		return;
	}
	p->mail++;
	p->mail->ahead = ahead;
	if (!ahead)
		p->next = p->mail;
	nd_buf_init(&p->mail->body, BUF_MAX);
	dialogue_set_text(p, p->mail->from, sizeof(p->mail->from), "alerts@example.com");
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
		do_next(p, false);
	} else if (strcmp(step, "BESIDE") == 0) {
		do_next(p, true);
	} else if (strcmp(step, "QUIT") == 0) {
		smtp_proto_quit(p->proto, p->now);
		obey(p);
	} else if (strcmp(step, "CONTENT") == 0) {
		expect_content(p);
	} else if (strcmp(step, "CHUNK") == 0) {
		expect_chunk(p);
	} else if (strcmp(step, "C:") == 0) {
		if (smtp_proto_holds(p->proto)) /* nothing is said before the last octet was given */
			give_content(p, true);
		expect_line(p, rest, false);
	} else if (strcmp(step, "D:") == 0) {
		if (!p->mail->content_given)
			give_content(p, true);
		expect_line(p, rest, true);
	} else {
		dialogue_complain(p, "there is no step \"%s\"", step);
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
		int64_t n = p->mail - p->mails + 1;

		if (line[1] && !nd_str_int(line + 1, 1, MAILS_MAX, &n))
			dialogue_complain(p, "there is no mail \"%s\"", line + 1);
		p->of = &p->mails[n - 1];
		if (p->proto)
			flush(p);
		if (p->proto && !p->over)
			dialogue_expect(p, rest);
	} else if (line[0] >= 'a' && line[0] <= 'z') {
		dialogue_set(p, line, rest);
	} else {
		do_line_of_play(p, line, rest);
	}
}

static void
prepare(struct play *p)
{
	p->mail = p->next = p->of = p->mails;
	dialogue_set_text(p, p->user, sizeof(p->user), "alerts@example.com");
	dialogue_set_text(p, p->ehlo, sizeof(p->ehlo), "host.example");
	dialogue_set_text(p, p->host, sizeof(p->host), "relay.example");
	dialogue_set_text(p, p->mail->from, sizeof(p->mail->from), "alerts@example.com");
	p->settings = (struct smtp_settings){
		.ehlo = p->ehlo, .host = p->host, .user = p->user, .security = SMTP_PLAINTEXT, .loopback = true
	};
	p->now = ND_SEC(1000);
	nd_buf_init(&p->mail->body, BUF_MAX);
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
		dialogue_complain(p, "cannot be opened");
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
		dialogue_check_end(p);
	smtp_proto_free(p->proto);
	nd_secret_done(&p->secret);
	for (struct play_mail *mail = p->mails; mail <= p->mail; mail++)
		nd_buf_done(&mail->body);
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
