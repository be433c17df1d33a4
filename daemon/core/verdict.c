/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.c - a reply or a failure => what to do.  Layer: core. */
#include "daemon/core/verdict.h"

#include "common/str.h"
#include "daemon/core/conf.h"

#include <stddef.h>

/* Sets of providers and stages, as bits. */
#define OF(provider) (1u << (provider))
#define MS                                                                                                             \
	(OF(CONF_MICROSOFT) | OF(CONF_MICROSOFT_USGOV) | OF(CONF_MICROSOFT_DOD) | OF(CONF_MICROSOFT_CHINA) |           \
	    OF(CONF_MICROSOFT_HVE))
#define HVE OF(CONF_MICROSOFT_HVE)
#define GOOGLE (OF(CONF_GOOGLE) | OF(CONF_GOOGLE_RELAY))
#define ALL 0u

#define AT(stage) (1u << (stage))
#define OPENING                                                                                                        \
	(AT(SMTP_AT_CONNECT) | AT(SMTP_AT_GREETING) | AT(SMTP_AT_EHLO) | AT(SMTP_AT_STARTTLS) |                        \
	    AT(SMTP_AT_CERTIFICATE) | AT(SMTP_AT_AUTH))
#define AUTH AT(SMTP_AT_AUTH)
#define MAIL AT(SMTP_AT_MAIL)
#define RCPT AT(SMTP_AT_RCPT)
#define END (AT(SMTP_AT_DATA) | AT(SMTP_AT_CONTENT) | AT(SMTP_AT_END)) /* the message itself is judged */
#define MAILING (MAIL | RCPT | END)
#define ANY 0u

/* Which codes: one, or a class. */
#define NO_REPLY 0
#define CLASS(n) (n)
#define ANY_CODE (-1)

enum need { NO_NEED, OAUTH, TOKEN_REFUSED, ALONE };

struct row {
	unsigned provider, stage; /* sets; 0: all */
	int code;                 /* 1-5 a class, -1 any */
	enum need need;
	const char *enhanced; /* wildcard pattern; NULL any */
	const char *token;    /* stands in the text, without case; NULL any */
	struct verdict_word word;
};

/* What failed without a reply. */
struct failure {
	enum nd_err err;
	struct verdict_word word;
};

/* The special stands before the general; texts that are unmistakable need no provider: whoever
 * wrote provider = smtp, or has a relay between that hands them on, meets them as well. They are tokens of replies as they were seen. "class lies" marks
 * replies whose code says something else than they mean. */
/* clang-format off */
static const struct row rows[] = {
	/* Taken over. */
	{ ALL, AT(SMTP_AT_END), CLASS(2), NO_NEED, NULL, NULL, { VERDICT_DELIVERED, 0, "delivered" } },

	/* 5.7.30 is said of passwords too: below. */
	{ ALL, MAILING, CLASS(5), NO_NEED, NULL, "REQUIRETLS", { VERDICT_ELSEWHERE, 0, "needs-requiretls" } },

	/* Signing in. 5.7.139 says that a switch is off: no other token helps. */
	{ ALL, AUTH, 535, NO_NEED, "5.7.139", "STS", { VERDICT_FAILING, 0, "sign-in-service" } },
	{ ALL, AUTH, CLASS(5), NO_NEED, "5.7.139", "did not meet the criteria", { VERDICT_HELD, 0, "sign-in-policy" } },
	{ ALL, AUTH, CLASS(5), NO_NEED, "5.7.139", NULL, { VERDICT_HELD, 0, "smtp-auth-disabled" } },
	{ ALL, AUTH | MAIL, CLASS(5), NO_NEED, "5.7.30", NULL, { VERDICT_HELD, 0, "basic-auth-disabled" } },
	{ ALL, AUTH, CLASS(5), OAUTH, "5.5.127", NULL, { VERDICT_REFRESH, 0, "token-expiring" } },
	{ ALL, AUTH, CLASS(5), OAUTH, "5.7.142", NULL, { VERDICT_REFRESH, 0, "token-expiring" } },
	{ MS, ANY, CLASS(5), OAUTH, "5.7.143", NULL, { VERDICT_REFRESH, 0, "token-expired" } },
	{ ALL, AUTH, CLASS(5), NO_NEED, "5.7.144", NULL, { VERDICT_HELD, 0, "permission" } },
	{ MS, ANY, CLASS(5), NO_NEED, "5.7.240", NULL, { VERDICT_HELD, 0, "permission" } },
	{ MS, AUTH, 501, NO_NEED, "5.5.12?", NULL, { VERDICT_HELD, 0, "auth-malformed" } },
	{ ALL, AUTH, 501, NO_NEED, "5.5.2", NULL, { VERDICT_HELD, 0, "auth-malformed" } },
	{ ALL, AUTH, 504, NO_NEED, NULL, NULL, { VERDICT_HELD, 0, "auth-not-offered" } },
	{ ALL, AUTH, 535, NO_NEED, NULL, "not subscribed to SES", { VERDICT_HELD, 0, "permission" } },
	{ ALL, AUTH, 534, NO_NEED, NULL, NULL, { VERDICT_HELD, 0, "auth-refused" } },
	{ ALL, AUTH, CLASS(5), TOKEN_REFUSED, NULL, NULL, { VERDICT_REFRESH, 0, "auth-refused" } },
	{ ALL, AUTH, 535, OAUTH, NULL, NULL, { VERDICT_REFRESH, 0, "auth-refused" } },
	{ ALL, ANY, CLASS(4), NO_NEED, NULL, "too many login attempts", { VERDICT_THROTTLED, ND_MIN(10), "too-many-logins" } },
	{ ALL, AUTH, CLASS(4), NO_NEED, NULL, "too many AUTH commands", { VERDICT_THROTTLED, ND_MIN(10), "too-many-logins" } },

	/* Commands that need what the session has not. */
	{ ALL, ANY, 530, NO_NEED, NULL, "STARTTLS", { VERDICT_HELD, 0, "tls" } },
	{ ALL, ANY, 530, NO_NEED, NULL, NULL, { VERDICT_HELD, 0, "not-authenticated" } },
	{ ALL, MAILING, CLASS(5), NO_NEED, "5.7.57", NULL, { VERDICT_HELD, 0, "not-authenticated" } },

	/* Too many sessions, too many messages: by their words. */
	{ ALL, ANY, 432, NO_NEED, NULL, "recipient thread limit", { VERDICT_RETRY, 0, "recipient-limit" } },
	{ ALL, MAILING, 432, NO_NEED, NULL, NULL, { VERDICT_THROTTLED, ND_SEC(30), "too-many-sessions" } }, /* class lies */
	{ ALL, ANY, 432, NO_NEED, "4.3.2", NULL, { VERDICT_THROTTLED, ND_SEC(30), "too-many-sessions" } },
	{ ALL, ANY, 421, NO_NEED, NULL, "concurrent", { VERDICT_THROTTLED, ND_SEC(30), "too-many-sessions" } },
	{ ALL, ANY, 421, NO_NEED, NULL, "too many connections", { VERDICT_THROTTLED, ND_SEC(30), "too-many-sessions" } },
	{ ALL, ANY, 421, NO_NEED, "4.4.2", "submission rate", { VERDICT_THROTTLED, ND_MIN(1), "rate" } },
	{ ALL, ANY, 450, NO_NEED, "4.7.1", "too much mail", { VERDICT_THROTTLED, ND_MIN(1), "rate" } },
	{ MS, ANY, CLASS(4), NO_NEED, "4.7.5??", NULL, { VERDICT_THROTTLED, ND_MIN(10), "server-busy" } },
	{ MS, ANY, CLASS(4), NO_NEED, "4.7.6??", NULL, { VERDICT_THROTTLED, ND_MIN(10), "server-busy" } },
	{ MS, ANY, CLASS(4), NO_NEED, "4.7.8??", NULL, { VERDICT_THROTTLED, ND_MIN(10), "address-suspected" } },
	{ GOOGLE, ANY, 421, NO_NEED, "4.7.0", "unsolicited mail", { VERDICT_THROTTLED, ND_MIN(30), "address-suspected" } },
	{ GOOGLE, ANY, 421, NO_NEED, "4.7.0", "Try again later, closing connection", { VERDICT_THROTTLED, ND_MIN(5), "rate" } },
	{ ALL, ANY, 450, NO_NEED, "4.2.1", "Peak SMTP relay limit", { VERDICT_THROTTLED, ND_MIN(10), "quota" } },
	{ ALL, ANY, CLASS(5), NO_NEED, NULL, "Daily user sending limit", { VERDICT_THROTTLED, ND_HOUR(1), "quota" } }, /* class lies */
	{ ALL, ANY, CLASS(5), NO_NEED, NULL, "Daily SMTP relay limit", { VERDICT_THROTTLED, ND_HOUR(1), "quota" } }, /* class lies */
	{ ALL, ANY, 454, NO_NEED, NULL, "Throttling failure: Daily message quota", { VERDICT_THROTTLED, ND_HOUR(1), "quota" } },
	{ ALL, ANY, 454, NO_NEED, NULL, "Throttling failure: Maximum sending rate", { VERDICT_THROTTLED, ND_SEC(5), "rate" } },
	{ ALL, ANY, CLASS(5), NO_NEED, NULL, "SubmissionQuotaExceeded", { VERDICT_THROTTLED, ND_HOUR(1), "quota" } }, /* class lies */
	{ ALL, ANY, CLASS(5), NO_NEED, "5.2.2", "Submission quota exceeded", { VERDICT_THROTTLED, ND_HOUR(1), "quota" } }, /* class lies */
	{ ALL, MAILING, CLASS(5), NO_NEED, "5.1.90", "daily limit for message recipients", { VERDICT_THROTTLED, ND_HOUR(1), "quota" } }, /* class lies */
	{ MS, MAILING, CLASS(5), NO_NEED, "5.1.90", NULL, { VERDICT_THROTTLED, ND_HOUR(1), "quota" } }, /* class lies */
	/* The tenant's limit of external recipients. Said of one of them the others still get theirs; another account would help all of them. */
	{ MS, RCPT, CLASS(5), ALONE, "5.7.232", NULL, { VERDICT_RETRY, ND_HOUR(1), "quota" } }, /* class lies */
	{ MS, RCPT, CLASS(5), ALONE, "5.7.233", NULL, { VERDICT_RETRY, ND_HOUR(1), "quota" } }, /* class lies */
	{ MS, MAILING, CLASS(5), NO_NEED, "5.7.232", NULL, { VERDICT_THROTTLED, ND_HOUR(1), "quota" } }, /* class lies */
	{ MS, MAILING, CLASS(5), NO_NEED, "5.7.233", NULL, { VERDICT_THROTTLED, ND_HOUR(1), "quota" } }, /* class lies */
	{ MS, MAILING, CLASS(5), NO_NEED, "5.2.121", NULL, { VERDICT_RETRY, ND_HOUR(1), "recipient-limit" } }, /* class lies */
	{ MS, MAILING, CLASS(5), NO_NEED, "5.2.122", NULL, { VERDICT_RETRY, ND_HOUR(1), "recipient-limit" } }, /* class lies */

	/* The mailbox, the sender, the tenant: the same for every message. */
	{ ALL, ANY, ANY_CODE, NO_NEED, NULL, "MapiExceptionLogonFailed", { VERDICT_HELD, 0, "mailbox-permission" } }, /* class lies */
	{ ALL, ANY, CLASS(5), NO_NEED, NULL, "OutboundSpamException", { VERDICT_HELD, ND_HOUR(1), "outbound-spam" } },
	{ ALL, END, CLASS(5), NO_NEED, "5.2.2", "QuotaExceeded", { VERDICT_HELD, ND_HOUR(1), "mailbox-full" } },
	{ ALL, ANY, CLASS(5), NO_NEED, NULL, "SendAsDenied", { VERDICT_HELD, 0, "send-as-denied" } },
	{ ALL, MAILING, CLASS(5), NO_NEED, "5.2.252", NULL, { VERDICT_HELD, 0, "send-as-denied" } },
	{ ALL, MAILING, CLASS(5), NO_NEED, "5.7.60", NULL, { VERDICT_HELD, 0, "send-as-denied" } },
	{ HVE, MAILING, CLASS(5), NO_NEED, "5.7.62", NULL, { VERDICT_HELD, 0, "send-as-denied" } },
	{ HVE, MAILING, CLASS(5), NO_NEED, "5.6.241", NULL, { VERDICT_HELD, 0, "send-as-denied" } },
	{ HVE, ANY, CLASS(5), NO_NEED, "5.2.240", NULL, { VERDICT_HELD, 0, "permission" } },
	{ MS, MAILING, CLASS(5), NO_NEED, "5.1.8", NULL, { VERDICT_HELD, 0, "sender-blocked" } },
	{ ALL, MAIL | END, CLASS(5), NO_NEED, "5.1.8", "bad outbound sender", { VERDICT_HELD, 0, "sender-blocked" } },
	{ ALL, ANY, CLASS(5), NO_NEED, "5.7.64", "TenantAttribution", { VERDICT_HELD, 0, "relay-denied" } },
	{ MS, ANY, CLASS(5), NO_NEED, "5.7.64", NULL, { VERDICT_HELD, 0, "relay-denied" } },
	{ MS, ANY, CLASS(5), NO_NEED, "5.7.501", NULL, { VERDICT_HELD, 0, "sender-blocked" } },
	{ MS, ANY, CLASS(5), NO_NEED, "5.7.502", NULL, { VERDICT_HELD, 0, "sender-blocked" } },
	{ MS, ANY, CLASS(5), NO_NEED, "5.7.503", NULL, { VERDICT_HELD, 0, "sender-blocked" } },
	{ MS, ANY, CLASS(5), NO_NEED, "5.7.509", NULL, { VERDICT_HELD, 0, "dmarc" } },
	{ ALL, ANY, CLASS(5), NO_NEED, "5.7.705", "tenant has exceeded threshold", { VERDICT_HELD, ND_HOUR(1), "tenant-blocked" } },
	{ MS, ANY, CLASS(5), NO_NEED, "5.7.705", NULL, { VERDICT_HELD, ND_HOUR(1), "tenant-blocked" } },
	{ MS, ANY, CLASS(5), NO_NEED, "5.7.708", NULL, { VERDICT_HELD, ND_HOUR(1), "address-blocked" } },
	{ ALL, ANY, CLASS(5), NO_NEED, "5.7.750", "unregistered domain", { VERDICT_HELD, 0, "domain-unregistered" } },
	{ MS, ANY, CLASS(5), NO_NEED, "5.7.750", NULL, { VERDICT_HELD, 0, "domain-unregistered" } },
	{ ALL, ANY, CLASS(5), NO_NEED, NULL, "Invalid credentials for relay", { VERDICT_HELD, 0, "relay-denied" } },
	{ ALL, ANY, 554, NO_NEED, NULL, "ses:Send", { VERDICT_HELD, 0, "permission" } },
	{ ALL, ANY, 554, NO_NEED, NULL, "Message rejected: Email address is not verified", { VERDICT_HELD, 0, "not-verified" } },

	/* This message, whatever it is sent for; servers differ in what they take. */
	{ MS, MAILING, CLASS(5), NO_NEED, "5.7.703", NULL, { VERDICT_REFUSED, 0, "recipient-refused" } },
	{ ALL, MAILING, CLASS(5), NO_NEED, "5.3.4", NULL, { VERDICT_ELSEWHERE, 0, "too-big" } },
	{ ALL, MAIL | END, CLASS(5), NO_NEED, "5.2.3", NULL, { VERDICT_ELSEWHERE, 0, "too-big" } },
	{ ALL, MAIL, 553, NO_NEED, "5.6.7", "notifyd did not ask", { VERDICT_HELD, 0, "sender-needs-smtputf8" } },
	{ ALL, MAILING, CLASS(5), NO_NEED, "5.6.7", NULL, { VERDICT_ELSEWHERE, 0, "needs-smtputf8" } },
	{ ALL, MAILING, CLASS(5), NO_NEED, "5.6.9", NULL, { VERDICT_ELSEWHERE, 0, "needs-smtputf8" } },
	{ ALL, MAILING, CLASS(5), NO_NEED, "5.6.3", NULL, { VERDICT_ELSEWHERE, 0, "needs-8bitmime" } },

	/* Another transaction. Old servers say 552 (RFC 5321 4.5.3.1.10): class lies. */
	{ ALL, RCPT, 452, NO_NEED, "4.5.3", NULL, { VERDICT_SPLIT, 0, "too-many-recipients" } },
	{ ALL, RCPT, 450, NO_NEED, "4.5.3", NULL, { VERDICT_SPLIT, 0, "too-many-recipients" } },
	{ ALL, RCPT, 451, NO_NEED, "4.5.3", NULL, { VERDICT_SPLIT, 0, "too-many-recipients" } },
	{ ALL, RCPT, 550, NO_NEED, "5.5.3", NULL, { VERDICT_SPLIT, 0, "too-many-recipients" } }, /* class lies */
	{ ALL, RCPT, 552, NO_NEED, "?.5.3", NULL, { VERDICT_SPLIT, 0, "too-many-recipients" } },
	{ ALL, RCPT, 452, NO_NEED, NULL, "too many recipients", { VERDICT_SPLIT, 0, "too-many-recipients" } },
	{ ALL, RCPT, 552, NO_NEED, NULL, "too many recipients", { VERDICT_SPLIT, 0, "too-many-recipients" } },
	{ ALL, RCPT, 451, NO_NEED, "4.3.0", "Multiple destination domains", { VERDICT_SPLIT, 0, "split-domains" } },
	{ ALL, MAIL | END, 552, NO_NEED, "", NULL, { VERDICT_ELSEWHERE, 0, "too-big" } }, /* 552 5.7.0 and the like speak of the content */

	/* Out of step: a new session starts afresh. */
	{ ALL, ANY, 503, NO_NEED, NULL, NULL, { VERDICT_FAILING, 0, "protocol" } },
	{ ALL, ANY, 500, NO_NEED, "5.3.3", NULL, { VERDICT_FAILING, 0, "protocol" } },
	{ GOOGLE, ANY, ANY_CODE, NO_NEED, NULL, "pipeline after STARTTLS", { VERDICT_FAILING, 0, "protocol" } },
	{ ALL, MAIL | END, 523, NO_NEED, "", NULL, { VERDICT_ELSEWHERE, 0, "too-big" } },

	/* The general rules, by stage and class. */
	{ ALL, ANY, 421, NO_NEED, NULL, NULL, { VERDICT_FAILING, 0, "service-unavailable" } },
	{ ALL, ANY, 454, NO_NEED, NULL, NULL, { VERDICT_FAILING, 0, "service-unavailable" } },
	{ ALL, OPENING, CLASS(4), NO_NEED, NULL, NULL, { VERDICT_FAILING, 0, "service-unavailable" } },
	{ ALL, AT(SMTP_AT_GREETING), CLASS(5), NO_NEED, NULL, NULL, { VERDICT_FAILING, 0, "session-refused" } },
	{ ALL, AT(SMTP_AT_EHLO), CLASS(5), NO_NEED, NULL, NULL, { VERDICT_HELD, 0, "session-refused" } },
	{ ALL, AT(SMTP_AT_STARTTLS), CLASS(5), NO_NEED, NULL, NULL, { VERDICT_HELD, 0, "tls" } },
	{ ALL, AUTH, CLASS(5), NO_NEED, NULL, NULL, { VERDICT_HELD, 0, "auth-refused" } },
	{ ALL, MAIL, CLASS(4), NO_NEED, NULL, NULL, { VERDICT_RETRY, 0, "message-deferred" } },
	{ ALL, MAIL, 500, NO_NEED, NULL, NULL, { VERDICT_FAILING, 0, "protocol" } },
	{ ALL, MAIL, 502, NO_NEED, NULL, NULL, { VERDICT_FAILING, 0, "protocol" } },
	{ ALL, MAIL, 504, NO_NEED, NULL, NULL, { VERDICT_FAILING, 0, "protocol" } },
	{ ALL, MAIL, 555, NO_NEED, NULL, NULL, { VERDICT_FAILING, 0, "protocol" } },
	{ ALL, MAIL, CLASS(5), NO_NEED, NULL, NULL, { VERDICT_HELD, 0, "sender-refused" } },
	{ ALL, RCPT, CLASS(4), NO_NEED, NULL, NULL, { VERDICT_RETRY, 0, "recipient-deferred" } },
	{ ALL, RCPT, CLASS(5), NO_NEED, NULL, NULL, { VERDICT_REFUSED, 0, "recipient-refused" } },
	{ ALL, END, CLASS(4), NO_NEED, NULL, NULL, { VERDICT_RETRY, 0, "message-deferred" } },
	{ ALL, END, 553, NO_NEED, "5.7.1", NULL, { VERDICT_HELD, 0, "sender-refused" } },
	{ ALL, END, CLASS(5), NO_NEED, NULL, NULL, { VERDICT_REFUSED, 0, "message-refused" } },
	{ ALL, ANY, ANY_CODE, NO_NEED, NULL, NULL, { VERDICT_FAILING, 0, "protocol" } },
};

static const struct failure failures[] = {
	{ ND_ETLS,        { VERDICT_HELD, 0, "tls" } },
	{ ND_EAUTH,       { VERDICT_HELD, 0, "auth-not-offered" } },
	{ ND_ETOKEN,      { VERDICT_HELD, 0, "token-refused" } },
	{ ND_ETOKENLATER, { VERDICT_FAILING, 0, "token-endpoint" } },
	{ ND_ESECRET,     { VERDICT_HELD, 0, "bad-secret" } },
	{ ND_ECONF,       { VERDICT_HELD, 0, "bad-configuration" } },
	{ ND_ERESOLVE,    { VERDICT_FAILING, 0, "dns" } },
	{ ND_ECONNECT,    { VERDICT_FAILING, 0, "connect" } },
	{ ND_EDEADLINE,   { VERDICT_FAILING, 0, "timeout" } },
	{ ND_EPROTOCOL,   { VERDICT_FAILING, 0, "protocol" } },
	{ ND_EMEMORY,     { VERDICT_RETRY, 0, "memory" } },
	{ ND_OK,          { VERDICT_FAILING, 0, "connection-lost" } }, /* last: ND_ECLOSED, and what else there may be */
};
/* clang-format on */

const char *
verdict_name(enum verdict verdict)
{
	/* clang-format off */
	static const char *const names[] = {
		[VERDICT_DELIVERED] = "delivered", [VERDICT_RETRY] = "retry", [VERDICT_REFUSED] = "refused",
		[VERDICT_RESEND] = "resend", [VERDICT_SPLIT] = "split",
		[VERDICT_ELSEWHERE] = "elsewhere", [VERDICT_THROTTLED] = "throttled",
		[VERDICT_FAILING] = "failing", [VERDICT_REFRESH] = "refresh", [VERDICT_HELD] = "held",
	};
	/* clang-format on */

	return names[verdict];
}

static struct verdict_word
judge_failure(const struct verdict_case *c)
{
	const struct failure *failure = failures;
	struct verdict_word word;

	while (failure->err != ND_OK && failure->err != c->err)
		failure++;
	word = failure->word;
	/* The account works, the relay had the envelope: what breaks while the message travels may be this message's own. */
	if (word.verdict == VERDICT_FAILING && (c->stage == SMTP_AT_CONTENT || c->stage == SMTP_AT_END))
		word.verdict = VERDICT_RETRY;
	return word;
}

static bool
code_fits(int want, int code)
{
	return want == ANY_CODE || want == code || (want >= 1 && want <= 5 && want == code / 100);
}

static bool
text_has(const char *text, const char *token)
{
	for (; *text; text++)
		if (nd_str_starts_nocase(text, token))
			return true;
	return false;
}

static bool
fits(const struct row *row, const struct verdict_case *c)
{
	if (row->provider != ALL && !(row->provider & OF((unsigned)c->provider)))
		return false;
	if (row->stage != ANY && !(row->stage & AT((unsigned)c->stage)))
		return false;
	if (!code_fits(row->code, c->code))
		return false;
	if (row->need == OAUTH && !c->oauth)
		return false;
	if (row->need == TOKEN_REFUSED && !c->token_refused)
		return false;
	if (row->need == ALONE && !c->alone)
		return false;
	if (row->enhanced && !nd_str_match(row->enhanced, c->enhanced))
		return false;
	return !row->token || text_has(c->text, row->token);
}

struct verdict_word
verdict_of(const struct verdict_case *c)
{
	const struct row *row = rows;

	if (c->code == NO_REPLY)
		return judge_failure(c);
	while (!fits(row, c))
		row++;
	return row->word;
}
