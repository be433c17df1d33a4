/* SPDX-License-Identifier: Apache-2.0 */
/* dialogue_words.c - the settings of a dialogue, what the client must say by them, and what must come of it. */
#include "tests/unit/dialogue_inner.h"

#include "common/str.h"
#include "daemon/core/smtp_ext.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
dialogue_complain(struct play *p, const char *format, ...)
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

/* ---- settings ---- */

void
dialogue_set_text(struct play *p, char *out, size_t size, const char *value)
{
	if (snprintf(out, size, "%s", value) >= (int)size)
		dialogue_complain(p, "too long");
}

static void
set_body_octets(struct play *p, const char *value)
{
	int64_t octets = 0;

	if (!nd_str_int(value, 3, 1000000, &octets))
		dialogue_complain(p, "body-octets takes 3 to 1000000");
	nd_buf_clear(&p->mail->body);
	while (!p->failed && p->mail->body.len < (size_t)octets) {
		const size_t left = (size_t)octets - p->mail->body.len;
		const size_t line = left > 78 + 3 ? 78 : left > 78 ? 40 : left; /* never leave less than a line needs */

		for (size_t n = 0; n + 2 < line; n++)
			(void)nd_buf_addc(&p->mail->body, 'x');
		(void)nd_buf_adds(&p->mail->body, "\r\n");
	}
	p->mail->body_said = true;
}

static void
set_token_octets(struct play *p, const char *value)
{
	int64_t octets = 0;
	char *token;

	if (!nd_str_int(value, 1, 100000, &octets)) {
		dialogue_complain(p, "token-octets takes 1 to 100000");
		return;
	}
	token = nd_xalloc((size_t)octets + 1);
	memset(token, 't', (size_t)octets);
	nd_secret_set(&p->secret, token, (size_t)octets);
	free(token);
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
	dialogue_complain(p, "\"%s\" is none of: %s", value, words);
	return -1;
}

/* Names of extensions, with commas between, as a set. */
static unsigned
find_ext(struct play *p, const char *names)
{
	unsigned found = 0, named = 0;
	size_t len;

	for (; *names; names += len + (names[len] == ',')) {
		len = strcspn(names, ",");
		named++;
		for (unsigned ext = SMTP_EXT_NONE + 1; ext < SMTP_EXT_COUNT; ext++)
			if (strlen(smtp_ext_name((enum smtp_ext)ext)) == len &&
			    memcmp(smtp_ext_name((enum smtp_ext)ext), names, len) == 0)
				found |= SMTP_EXT_BIT(ext);
	}
	if ((unsigned)__builtin_popcount(found) != named)
		dialogue_complain(p, "there is no such extension");
	return found;
}

static bool
set_mail(struct play *p, const char *name, const char *value)
{
	if (strcmp(name, "from") == 0) {
		dialogue_set_text(p, p->mail->from, sizeof(p->mail->from), value);
	} else if (strcmp(name, "to") == 0 && p->mail->rcpt_count < RCPT_MAX) {
		dialogue_set_text(p, p->mail->rcpts[p->mail->rcpt_count++], sizeof(p->mail->rcpts[0]), value);
	} else if (strcmp(name, "body") == 0) {
		(void)nd_buf_addf(&p->mail->body, "%s\r\n", value);
		p->mail->body_said = true;
	} else if (strcmp(name, "pace") == 0) {
		p->pace = (enum smtp_pace)choose(p, "stepwise grouped chunked one-flight", value);
	} else if (strcmp(name, "envid") == 0) {
		dialogue_set_text(p, p->mail->envid, sizeof(p->mail->envid), value);
	} else if (strcmp(name, "eight") == 0) {
		p->eight = choose(p, "no yes", value) == 1;
	} else if (strcmp(name, "require-tls") == 0) {
		p->mail->require_tls = choose(p, "no yes", value) == 1;
	} else if (strcmp(name, "without") == 0) {
		p->without = find_ext(p, value);
	} else if (strcmp(name, "trial") == 0) {
		p->trial = choose(p, "no yes", value) == 1;
	} else if (strcmp(name, "body-octets") == 0) {
		set_body_octets(p, value);
	} else {
		return false;
	}
	return true;
}

static void
set_mechanism(struct play *p, const char *value)
{
	dialogue_set_text(p, p->mechanism, sizeof(p->mechanism), value);
	p->settings.mechanism = p->mechanism;
}

void
dialogue_set(struct play *p, const char *name, const char *value)
{
	if (set_mail(p, name, value))
		return;
	if (p->proto)
		dialogue_complain(p, "\"%s\" comes too late", name);
	else if (strcmp(name, "security") == 0)
		p->settings.security = (enum smtp_security)choose(p, "starttls tls none", value);
	else if (strcmp(name, "auth") == 0)
		p->settings.auth = (enum smtp_auth)choose(p, "none password oauth", value);
	else if (strcmp(name, "mechanism") == 0)
		set_mechanism(p, value);
	else if (strcmp(name, "initial-response") == 0)
		p->settings.no_initial = choose(p, "no yes", value) == 0;
	else if (strcmp(name, "user") == 0)
		dialogue_set_text(p, p->user, sizeof(p->user), value);
	else if (strcmp(name, "token") == 0 || strcmp(name, "password") == 0)
		nd_secret_set(&p->secret, value, strlen(value));
	else if (strcmp(name, "token-octets") == 0)
		set_token_octets(p, value);
	else if (strcmp(name, "ehlo") == 0)
		dialogue_set_text(p, p->ehlo, sizeof(p->ehlo), value);
	else if (strcmp(name, "host") == 0)
		dialogue_set_text(p, p->host, sizeof(p->host), value);
	else if (strcmp(name, "loopback") == 0)
		p->settings.loopback = choose(p, "no yes", value) == 1;
	else if (strcmp(name, "only") != 0)
		dialogue_complain(p, "there is no setting \"%s\"", name);
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
		(void)nd_buf_addf(out, "%zu", p->mail->body.len);
		return false;
	} else {
		dialogue_complain(p, "there is no {%.*s}", (int)len, name);
		return false;
	}
	add_base64(out, &plain);
	return true;
}

bool
dialogue_expand(struct play *p, const char *text, struct nd_buf *out)
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

bool
dialogue_matches(const char *pattern, const char *text, size_t len)
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
		if (dialogue_matches(pattern + 1, text + n, len - n))
			return true;
	return false;
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
		dialogue_complain(p, "%s: expected \"%s\", got \"%s\"", what, want, got);
}

static void
expect_end(struct play *p, const char *want)
{
	char got[160], reply[64];

	p->of->outcome_told = true;
	if (!p->of->have_outcome) {
		dialogue_complain(p, "the mail has no outcome yet: %s", smtp_proto_doing(p->proto));
		return;
	}
	if (p->of->outcome.end == SMTP_ENDED_LOST)
		(void)snprintf(got, sizeof(got), "lost %s %s", smtp_proto_stage_name(p->of->outcome.stage),
		    nd_err_name(p->of->outcome.why.err));
	else if (p->of->outcome.end == SMTP_ENDED_RCPTS)
		(void)snprintf(got, sizeof(got), "rcpts");
	else
		(void)snprintf(got, sizeof(got), "reply %s %s", smtp_proto_stage_name(p->of->outcome.stage),
		    reply_words(&p->of->outcome.reply, reply, sizeof(reply)));
	expect_text(p, "outcome", want, got);
}

static void
expect_fault(struct play *p, const char *want)
{
	const struct smtp_fault *fault = smtp_proto_fault(p->proto);
	char got[160], reply[64];

	p->fault_told = true;
	if (!fault) {
		dialogue_complain(p, "the session has no fault: %s", smtp_proto_doing(p->proto));
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
	for (unsigned n = 0; n < p->of->rcpt_count; n++) {
		const struct smtp_rcpt_result *result = &p->of->results[n];
		char got[64];

		if (strcmp(p->of->rcpts[n], address) != 0)
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
	return p->of->outcome.end == SMTP_ENDED_LOST ? p->of->outcome.why.text : p->of->outcome.reply.text;
}

static void
expect_session(struct play *p, const char *word, const char *rest)
{
	const struct smtp_fault *fault = smtp_proto_fault(p->proto);
	const enum smtp_wish wish = smtp_proto_wish(p->proto);
	const char *doing = smtp_proto_doing(p->proto);

	if (strcmp(word, "ready") == 0)
		expect_text(p, "session", "ready", wish == SMTP_WISH_MAIL ? "ready" : doing);
	else if (strcmp(word, "closed") == 0)
		expect_text(p, "session", "closed",
		    wish != SMTP_WISH_CLOSE ? doing
		    : fault                 ? fault->why.text
					    : "closed");
	else if (strcmp(word, "fault") == 0)
		expect_fault(p, rest);
	else if (strcmp(word, "challenge") == 0)
		expect_text(p, "challenge", rest, fault ? fault->challenge : "(no fault)");
	else if (!expect_rcpt(p, word, rest))
		dialogue_complain(p, "there is no recipient \"%s\"", word);
}

static void
expect_accused(struct play *p, const char *want)
{
	p->of->accused_told = true;
	expect_text(p, "accused", want, smtp_ext_name(p->of->outcome.accused));
}

void
dialogue_expect(struct play *p, char *line)
{
	char whole[1024], *rest = line + strcspn(line, " ");

	dialogue_set_text(p, whole, sizeof(whole), line);
	if (*rest)
		*rest++ = '\0';
	if (strcmp(line, "reply") == 0 || strcmp(line, "rcpts") == 0 || strcmp(line, "lost") == 0)
		expect_end(p, whole);
	else if (strcmp(line, "uncertain") == 0)
		p->of->uncertain_told = true;
	else if (strcmp(line, "unharmed") == 0)
		p->of->unharmed_told = true;
	else if (strcmp(line, "stale") == 0)
		p->of->stale_told = true;
	else if (strcmp(line, "misfit") == 0)
		p->of->misfit_told = true;
	else if (strcmp(line, "accused") == 0)
		expect_accused(p, rest);
	else if (strcmp(line, "token-refused") == 0)
		p->refused_told = true;
	else if (strcmp(line, "unsaid") == 0 && strstr(words_of(p), rest))
		dialogue_complain(p, "\"%s\" is said in \"%s\"", rest, words_of(p));
	else if (strcmp(line, "words") != 0 && strcmp(line, "unsaid") != 0)
		expect_session(p, line, rest);
	else if (strcmp(line, "words") == 0 && !strstr(words_of(p), rest))
		dialogue_complain(p, "expected words like \"%s\", got \"%s\"", rest, words_of(p));
}

static void
check_marks(struct play *p)
{
	if (p->of->begun && !p->of->have_outcome && (p->of < p->next || smtp_proto_wish(p->proto) == SMTP_WISH_CLOSE))
		dialogue_complain(p, "mail %d has no outcome", (int)(p->of - p->mails) + 1);
	if (p->of->have_outcome && !p->of->outcome_told)
		dialogue_complain(p, "the mail's outcome is not told: end %d at %s: %d %s %s", (int)p->of->outcome.end,
		    smtp_proto_stage_name(p->of->outcome.stage), p->of->outcome.reply.code, p->of->outcome.reply.text,
		    p->of->outcome.end == SMTP_ENDED_LOST ? p->of->outcome.why.text : "");
	if (p->of->have_outcome && p->of->outcome.uncertain != p->of->uncertain_told)
		dialogue_complain(p, "uncertain is %d", p->of->outcome.uncertain);
	if (p->of->have_outcome && p->of->outcome.unharmed != p->of->unharmed_told)
		dialogue_complain(p, "unharmed is %d", p->of->outcome.unharmed);
	if (p->of->have_outcome && p->of->outcome.stale != p->of->stale_told)
		dialogue_complain(p, "stale is %d", p->of->outcome.stale);
	if (p->of->have_outcome && p->of->outcome.misfit != p->of->misfit_told)
		dialogue_complain(p, "misfit is %d", p->of->outcome.misfit);
	if (p->of->have_outcome && p->of->outcome.accused != SMTP_EXT_NONE && !p->of->accused_told)
		dialogue_complain(p, "%s is accused", smtp_ext_name(p->of->outcome.accused));
}

void
dialogue_check_marks(struct play *p)
{
	for (p->of = p->mails; p->of < p->mail; p->of++)
		check_marks(p);
	check_marks(p);
}

void
dialogue_check_end(struct play *p)
{
	const struct smtp_fault *fault;

	p->line++;
	if (!p->proto) {
		dialogue_complain(p, "there are no steps");
		return;
	}
	fault = smtp_proto_fault(p->proto);
	dialogue_check_marks(p);
	if (p->said.len > 0)
		dialogue_complain(p, "the client also said \"%.200s\"", nd_buf_text(&p->said));
	if (fault && !p->fault_told)
		dialogue_complain(p, "the session has a fault that is not told: %s", fault->why.text);
	if (fault && fault->token_refused != p->refused_told)
		dialogue_complain(p, "token_refused is %d", fault->token_refused);
	if (p->settings.secret && p->secret.len > 5 && (fault || p->of->have_outcome) &&
	    strstr(words_of(p), p->secret.octets))
		dialogue_complain(p, "the secret stands in the words");
}
