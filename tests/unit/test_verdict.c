/* SPDX-License-Identifier: Apache-2.0 */
/* test_verdict.c - replies as they were seen, failures as they happen, and what is to be done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/conf.h"
#include "daemon/core/verdict.h"

#include <stdio.h>
#include <string.h>

/* A reply as it stood on the wire (without its end of line), and the verdict. */
struct seen {
	int provider;
	enum smtp_stage stage;
	const char *reply;
	enum verdict verdict;
	nd_ms wait;
	const char *reason; /* NULL: any */
};

#define MS CONF_MICROSOFT
#define HVE CONF_MICROSOFT_HVE
#define GG CONF_GOOGLE
#define GR CONF_GOOGLE_RELAY
#define SES CONF_SES
#define ANY CONF_SMTP
#define GREETING SMTP_AT_GREETING
#define EHLO SMTP_AT_EHLO
#define STARTTLS SMTP_AT_STARTTLS
#define AUTH SMTP_AT_AUTH
#define MAIL SMTP_AT_MAIL
#define RCPT SMTP_AT_RCPT
#define DATA SMTP_AT_DATA
#define END SMTP_AT_END
#define IDLE SMTP_AT_IDLE
#define HELD VERDICT_HELD
#define FAILING VERDICT_FAILING
#define THROTTLED VERDICT_THROTTLED
#define RETRY VERDICT_RETRY
#define REFUSED VERDICT_REFUSED
#define ELSEWHERE VERDICT_ELSEWHERE
#define REFRESH VERDICT_REFRESH
#define SPLIT VERDICT_SPLIT

static enum nd_err
parse(const char *line, struct smtp_reply *reply)
{
	char octets[2048];
	const int len = snprintf(octets, sizeof(octets), "%s\r\n", line);

	return len > 0 && smtp_reply_read(octets, (size_t)len, reply, NULL) == len ? ND_OK : ND_EPROTOCOL;
}

static struct verdict_word
judge(const struct seen *seen, bool oauth, bool token_refused)
{
	struct smtp_reply reply;
	struct verdict_case c = { .provider = seen->provider, .stage = seen->stage, .oauth = oauth };

	assert_int_equal(parse(seen->reply, &reply), ND_OK);
	c.code = reply.code;
	c.enhanced = reply.enhanced;
	c.text = reply.text;
	c.token_refused = token_refused;
	return verdict_of(&c);
}

static void
check(const struct seen *rows, size_t count, bool oauth, bool token_refused)
{
	unsigned bad = 0;

	for (size_t n = 0; n < count; n++) {
		const struct verdict_word word = judge(&rows[n], oauth, token_refused);

		if (word.verdict == rows[n].verdict && word.wait == rows[n].wait &&
		    (!rows[n].reason || strcmp(word.reason, rows[n].reason) == 0))
			continue;
		print_error("%s at %s: %s, %lld ms, %s; expected %s, %lld ms, %s\n", rows[n].reply,
		    smtp_proto_stage_name(rows[n].stage), verdict_name(word.verdict), (long long)word.wait, word.reason,
		    verdict_name(rows[n].verdict), (long long)rows[n].wait, rows[n].reason ? rows[n].reason : "any");
		bad++;
	}
	assert_int_equal(bad, 0);
}

#define CHECK(rows, oauth, token_refused) check(rows, sizeof(rows) / sizeof((rows)[0]), oauth, token_refused)

/* clang-format off */
static const struct seen exchange_online[] = {
	{ MS, MAIL, "550 5.7.57 Client not authenticated to send mail.", HELD, 0, "not-authenticated" },
	{ MS, END, "554 5.2.252 a@contoso.com is not allowed to send as b@contoso.com", HELD, 0, "send-as-denied" },
	{ MS, END, "550 5.1.8 Access denied", HELD, 0, "sender-blocked" },
	{ MS, RCPT, "500 5.3.3 Unrecognized command", FAILING, 0, "protocol" },
	{ MS, END, "432 4.3.2 Concurrent connections limit exceeded.", THROTTLED, ND_SEC(30), "too-many-sessions" },
	{ MS, END, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", THROTTLED, ND_SEC(30), "too-many-sessions" },
	{ MS, END, "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", RETRY, 0, "recipient-limit" },
	{ MS, GREETING, "421 4.3.2 Service not active", FAILING, 0, "service-unavailable" },
	{ MS, RCPT, "421 4.3.2 Service not active", FAILING, 0, "service-unavailable" },
	{ ANY, GREETING, "421 4.3.2 The maximum number of concurrent (server) connections has exceeded a limit, closing transmission channel",
	  THROTTLED, ND_SEC(30), "too-many-sessions" },
	{ MS, IDLE, "421 4.4.1 Connection timed out. Total session duration: 00:05:00.7", FAILING, 0, NULL },
	{ ANY, MAIL, "421 4.4.2 Message submission rate for this client has exceeded the configured limit", THROTTLED, ND_MIN(1), "rate" },
	{ MS, RCPT, "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (AS77712)", THROTTLED, ND_MIN(10), "server-busy" },
	{ MS, MAIL, "451 4.7.651 Access denied, please try again later", THROTTLED, ND_MIN(10), "server-busy" },
	{ MS, MAIL, "451 4.7.850 Access denied, please try again later", THROTTLED, ND_MIN(10), "address-suspected" },
	{ MS, MAIL, "451 4.7.899 Access denied, please try again later", THROTTLED, ND_MIN(10), "address-suspected" },
	{ MS, END, "430 4.2.0 STOREDRV; mailbox logon failure; STOREDRV.Submission.Exception:ConnectionFailedTransientException.MapiExceptionLogonFailed; Failed to process message due to a transient exception",
	  HELD, 0, "mailbox-permission" },
	{ MS, RCPT, "452 4.5.3 Too many recipients", SPLIT, 0, "too-many-recipients" },
	{ MS, AUTH, "454 4.7.0 Temporary authentication failure", FAILING, 0, "service-unavailable" },
	{ MS, MAIL, "500 5.3.3 Unrecognized command 'unknown' [AM0PR01CA0001.eurprd01.prod.outlook.com]", FAILING, 0, "protocol" },
	{ MS, AUTH, "504 5.7.4 Unrecognized authentication type", HELD, 0, "auth-not-offered" },
	{ MS, MAIL, "530 5.7.57 Client not authenticated to send mail. Error: 535 5.7.3 Authentication unsuccessful", HELD, 0, "not-authenticated" },
	{ MS, MAIL, "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM", HELD, 0, "not-authenticated" },
	{ MS, END, "550 5.1.8 Access denied, bad outbound sender AS(42004)", HELD, 0, "sender-blocked" },
	{ MS, END, "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients", THROTTLED, ND_HOUR(1), "quota" },
	{ MS, END, "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message", THROTTLED, ND_HOUR(1), "quota" },
	{ MS, END, "554 5.2.2 Submission quota exceeded", THROTTLED, ND_HOUR(1), "quota" },
	{ MS, END, "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded", HELD, ND_HOUR(1), "mailbox-full" },
	{ MS, END, "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionQuotaExceeded", HELD, ND_HOUR(1), "mailbox-full" },
	{ MS, RCPT, "552 5.2.2 mailbox full", REFUSED, 0, "recipient-refused" },
	{ MS, RCPT, "550 5.2.121 Recipient's per hour message receive limit from specific sender exceeded", RETRY, ND_HOUR(1), "recipient-limit" },
	{ MS, END, "550 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour", RETRY, ND_HOUR(1), "recipient-limit" },
	{ MS, END, "554 5.2.252 SendAsDenied; a@contoso.com not allowed to send as b@contoso.com; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied", HELD, 0, "send-as-denied" },
	{ MS, END, "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message", HELD, 0, "send-as-denied" },
	{ MS, MAIL, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", HELD, 0, "send-as-denied" },
	{ MS, END, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", HELD, 0, "send-as-denied" },
	{ MS, RCPT, "550 5.7.64 TenantAttribution; Relay Access Denied", HELD, 0, "relay-denied" },
	{ MS, RCPT, "550 5.7.1 Unable to relay", REFUSED, 0, "recipient-refused" },
	{ MS, END, "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy", REFUSED, 0, "message-refused" },
	{ MS, MAIL, "550 5.7.501 Access denied, spam abuse detected", HELD, 0, "sender-blocked" },
	{ MS, END, "550 5.7.502 Access denied, banned sender", HELD, 0, "sender-blocked" },
	{ MS, END, "550 5.7.503 Access denied, banned sender", HELD, 0, "sender-blocked" },
	{ MS, END, "550 5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant", REFUSED, 0, "message-refused" },
	{ MS, END, "550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds", REFUSED, 0, "message-refused" },
	{ MS, END, "550 5.7.705 Access denied, tenant has exceeded threshold", HELD, ND_HOUR(1), "tenant-blocked" },
	{ MS, END, "550 5.7.708 Access denied, traffic not accepted from this IP", HELD, ND_HOUR(1), "address-blocked" },
	{ MS, RCPT, "550 5.7.750 Client blocked from sending from unregistered domain(s)", HELD, 0, "domain-unregistered" },
	{ MS, END, "550 5.7.703 Your message can't be delivered because of the Tenant Allow Block List", REFUSED, 0, "recipient-refused" },
	{ MS, END, "550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit for sending email to external recipients (tenant external recipient rate limit)", THROTTLED, ND_HOUR(1), "quota" },
	{ MS, END, "550 5.7.233 Your message can't be sent because your tenant has exceeded its daily limit for sending email to external recipients (tenant external recipient rate limit)", THROTTLED, ND_HOUR(1), "quota" },
	{ MS, END, "554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Failed to process message", HELD, ND_HOUR(1), "outbound-spam" },
	{ MS, AUTH, "550 5.7.30 Basic authentication is not supported for Client Submission.", HELD, 0, "basic-auth-disabled" },
	{ MS, MAIL, "550 5.7.30 Basic authentication is not supported for Client Submission.", HELD, 0, "basic-auth-disabled" },
	{ MS, RCPT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", REFUSED, 0, "recipient-refused" },
	{ MS, RCPT, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", REFUSED, 0, "recipient-refused" },
	{ MS, END, "550 5.7.509 Access denied, sending domain contoso.com does not pass DMARC verification", HELD, 0, "dmarc" },
	{ MS, END, "250 2.0.0 OK <job-1@host.example> [Hostname=AM0PR01MB0001.eurprd01.prod.outlook.com]", VERDICT_DELIVERED, 0, "delivered" },
};

static const struct seen high_volume[] = {
	{ HVE, MAIL, "550 5.7.62 sender is not the HVE account", HELD, 0, "send-as-denied" },
	{ HVE, END, "550 5.6.241 header From differs", HELD, 0, "send-as-denied" },
	{ HVE, AUTH, "550 5.2.240 user is not an HVE account", HELD, 0, "permission" },
	{ HVE, AUTH, "550 5.7.240 The application is not allowed for use with this High Volume Email account", HELD, 0, "permission" },
	{ HVE, AUTH, "501 5.5.121 Invalid XOAUTH2 argument - missing user", HELD, 0, "auth-malformed" },
	{ HVE, AUTH, "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid", HELD, 0, "auth-malformed" },
	{ HVE, AUTH, "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon", REFRESH, 0, "token-expiring" },
	{ HVE, AUTH, "535 5.7.142 Token will expire soon", REFRESH, 0, "token-expiring" },
	{ HVE, AUTH, "535 5.7.143 Token expired", REFRESH, 0, "token-expired" },
	{ HVE, MAIL, "535 5.7.143 Token expired", REFRESH, 0, "token-expired" },
	{ HVE, AUTH, "535 5.7.144 Invalid API permissions", HELD, 0, "permission" },
};

/* Signing in with a token that is refused. */
static const struct seen with_token[] = {
	{ GG, AUTH, "534 5.7.9 Application-specific password required. - gsmtp", HELD, 0, "auth-refused" },
	{ MS, AUTH, "535 5.7.3 Authentication unsuccessful [AM0PR01CA0001.eurprd01.prod.outlook.com 2026-11-21T12:00:01.000Z 08DE2A6028D26C22]", REFRESH, 0, "auth-refused" },
	{ GG, AUTH, "535 5.7.8 Username and Password not accepted. For more information, go to https://support.google.com/mail/?p=BadCredentials - gsmtp", REFRESH, 0, "auth-refused" },
	{ MS, AUTH, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.", HELD, 0, "smtp-auth-disabled" },
	{ MS, AUTH, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.", HELD, 0, "smtp-auth-disabled" },
	{ ANY, AUTH, "500 5.5.0 go away", REFRESH, 0, "auth-refused" },
	{ HVE, AUTH, "535 5.7.144 Invalid API permissions", HELD, 0, "permission" },
};

static const struct seen with_password[] = {
	{ MS, AUTH, "535 5.7.3 Authentication unsuccessful", HELD, 0, "auth-refused" },
	{ MS, AUTH, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", HELD, 0, "smtp-auth-disabled" },
	{ MS, AUTH, "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator.", HELD, 0, "sign-in-policy" },
	{ MS, AUTH, "535 5.7.139 Authentication unsuccessful, federated STS service was unreachable", FAILING, 0, "sign-in-service" },
	{ MS, AUTH, "535 5.7.139 Authentication unsuccessful, STS URL does not support HTTPS", FAILING, 0, "sign-in-service" },
	{ GG, AUTH, "534 5.7.9 Application-specific password required. Learn more at https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp", HELD, 0, "auth-refused" },
	{ GG, AUTH, "534 5.7.14 Please log in via your web browser and then try again.", HELD, 0, "auth-refused" },
	{ GG, AUTH, "501 5.5.2 Cannot Decode response", HELD, 0, "auth-malformed" },
	{ SES, AUTH, "535 Authentication Credentials Invalid", HELD, 0, "auth-refused" },
	{ SES, AUTH, "535 Account not subscribed to SES", HELD, 0, "permission" },
	{ ANY, AUTH, "535 you are not subscribed", HELD, 0, "auth-refused" },
	{ ANY, AUTH, "500 5.5.6 Authentication exchange line is too long", HELD, 0, "auth-refused" },
	{ ANY, AUTH, "538 5.7.11 Encryption required for requested authentication mechanism", HELD, 0, "auth-refused" },
	{ ANY, AUTH, "432 4.3.2 Concurrent connections limit exceeded.", THROTTLED, ND_SEC(30), "too-many-sessions" },
	{ ANY, AUTH, "432 4.7.12 A password transition is needed", FAILING, 0, "service-unavailable" },
};

static const struct seen google[] = {
	{ GG, MAIL, "421 4.3.0 Temporary System Problem. Try again later. - gsmtp", FAILING, 0, "service-unavailable" },
	{ GG, RCPT, "421 4.4.5 Server busy, try again later. - gsmtp", FAILING, 0, "service-unavailable" },
	{ GG, AUTH, "421 4.7.0 Temporary System Problem. Try again later. - gsmtp", FAILING, 0, "service-unavailable" },
	{ GG, EHLO, "421 4.7.0 Try again later, closing connection. (EHLO) - gsmtp", THROTTLED, ND_MIN(5), "rate" },
	{ GG, END, "421 4.7.0 Our system has detected an unusual rate of unsolicited mail originating from your IP address. - gsmtp", THROTTLED, ND_MIN(30), "address-suspected" },
	{ GG, RCPT, "450 4.2.1 The user you are trying to contact is receiving mail too quickly. - gsmtp", RETRY, 0, "recipient-deferred" },
	{ GR, MAIL, "450 4.2.1 Peak SMTP relay limit exceeded for customer. - gsmtp", THROTTLED, ND_MIN(10), "quota" },
	{ GR, RCPT, "451 4.3.0 Multiple destination domains per transaction is unsupported. Please try again. - gsmtp", SPLIT, 0, "split-domains" },
	{ GG, RCPT, "452 4.2.2 The email account that you tried to reach is over quota. - gsmtp", RETRY, 0, "recipient-deferred" },
	{ GG, RCPT, "452 4.5.3 Your message has too many recipients. - gsmtp", SPLIT, 0, "too-many-recipients" },
	{ GG, AUTH, "454 4.7.0 Too many login attempts, please try again later. - gsmtp", THROTTLED, ND_MIN(10), "too-many-logins" },
	{ GG, AUTH, "454 4.7.0 Cannot authenticate due to temporary system problem. Try again later. - gsmtp", FAILING, 0, "service-unavailable" },
	{ GG, STARTTLS, "454 4.5.0 SMTP protocol violation, no commands allowed to pipeline after STARTTLS - gsmtp", FAILING, 0, "protocol" },
	{ GG, STARTTLS, "525 5.7.10 SMTP protocol violation, no commands allowed to pipeline after STARTTLS - gsmtp", FAILING, 0, "protocol" },
	{ GG, MAIL, "530 5.5.1 Authentication Required. - gsmtp", HELD, 0, "not-authenticated" },
	{ GG, MAIL, "530 5.7.0 Authentication Required. - gsmtp", HELD, 0, "not-authenticated" },
	{ GG, MAIL, "530 5.7.0 Must issue a STARTTLS command first. - gsmtp", HELD, 0, "tls" },
	{ GG, DATA, "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to - gsmtp", THROTTLED, ND_HOUR(1), "quota" },
	{ GR, RCPT, "550 5.4.5 Daily SMTP relay limit exceeded for user. - gsmtp", THROTTLED, ND_HOUR(1), "quota" },
	{ GR, MAIL, "550 5.7.1 Daily SMTP relay limit exceeded for customer. - gsmtp", THROTTLED, ND_HOUR(1), "quota" },
	{ GR, MAIL, "550 5.7.1 Invalid credentials for relay [192.0.2.1]. - gsmtp", HELD, 0, "relay-denied" },
	{ GG, RCPT, "550 5.1.1 The email account that you tried to reach does not exist. - gsmtp", REFUSED, 0, "recipient-refused" },
	{ GG, RCPT, "550 5.2.1 The email account that you tried to reach is disabled. - gsmtp", REFUSED, 0, "recipient-refused" },
	{ GG, END, "552 5.2.3 Your message exceeded Google's message size limits. - gsmtp", ELSEWHERE, 0, "too-big" },
	{ GG, MAIL, "552 5.3.4 Your message exceeded Google's message size limits. - gsmtp", ELSEWHERE, 0, "too-big" },
};

static const struct seen amazon[] = {
	{ SES, GREETING, "421 Too many concurrent SMTP connections", THROTTLED, ND_SEC(30), "too-many-sessions" },
	{ SES, END, "451 Temporary service failure", RETRY, 0, "message-deferred" },
	{ SES, END, "451 Timeout waiting for data from client", RETRY, 0, "message-deferred" },
	{ SES, END, "454 Throttling failure: Maximum sending rate exceeded", THROTTLED, ND_SEC(5), "rate" },
	{ SES, MAIL, "454 Throttling failure: Daily message quota exceeded", THROTTLED, ND_HOUR(1), "quota" },
	{ SES, AUTH, "454 Temporary authentication failure", FAILING, 0, "service-unavailable" },
	{ SES, DATA, "454 Temporary service failure", FAILING, 0, "service-unavailable" },
	{ SES, MAIL, "530 Authentication required", HELD, 0, "not-authenticated" },
	{ SES, END, "552 Message is too long.", ELSEWHERE, 0, "too-big" },
	{ SES, END, "554 Access denied: User 'arn:aws:iam::1:user/x' is not authorized to perform 'ses:SendRawEmail' on resource", HELD, 0, "permission" },
	{ SES, END, "554 Message rejected: Email address is not verified. The following identities failed the check", HELD, 0, "not-verified" },
	{ SES, END, "250 Ok 0102018f", VERDICT_DELIVERED, 0, "delivered" },
};

static const struct seen ordinary[] = {
	{ ANY, END, "554 5.3.4 Message too big", ELSEWHERE, 0, "too-big" },
	{ ANY, MAIL, "550 5.7.30 notifyd did not ask: x does not offer REQUIRETLS on this session", ELSEWHERE, 0, "needs-requiretls" },
	{ ANY, MAIL, "555 REQUIRETLS is not supported", ELSEWHERE, 0, "needs-requiretls" },
	{ ANY, RCPT, "550 5.7.30 REQUIRETLS support required", ELSEWHERE, 0, "needs-requiretls" },
	{ ANY, END, "550 5.2.3 Message too long", ELSEWHERE, 0, "too-big" },
	{ ANY, RCPT, "452 4.5.3 no more", SPLIT, 0, "too-many-recipients" },
	{ ANY, RCPT, "450 4.5.3 no more", SPLIT, 0, "too-many-recipients" },
	{ ANY, RCPT, "451 4.5.3 no more", SPLIT, 0, "too-many-recipients" },
	{ ANY, RCPT, "421 4.5.3 no more", FAILING, 0, "service-unavailable" },
	{ ANY, GREETING, "421 4.7.0 relay.example Error: too many connections from 192.0.2.1", THROTTLED, ND_SEC(30), "too-many-sessions" },
	{ ANY, GREETING, "421 relay.example: too many concurrent SMTP connections; please try again later", THROTTLED, ND_SEC(30), "too-many-sessions" },
	{ ANY, GREETING, "554 5.7.1 no service", FAILING, 0, "session-refused" },
	{ ANY, GREETING, "450 4.3.2 try again", FAILING, 0, "service-unavailable" },
	{ ANY, EHLO, "502 5.5.1 not implemented", HELD, 0, "session-refused" },
	{ ANY, EHLO, "451 4.3.0 try again", FAILING, 0, "service-unavailable" },
	{ ANY, STARTTLS, "454 4.3.0 TLS not available due to local problem", FAILING, 0, "service-unavailable" },
	{ ANY, STARTTLS, "501 5.5.4 Syntax error", HELD, 0, "tls" },
	{ ANY, MAIL, "450 4.7.1 Error: too much mail from 192.0.2.1", THROTTLED, ND_MIN(1), "rate" },
	{ ANY, AUTH, "450 4.7.1 Error: too many AUTH commands from 192.0.2.1", THROTTLED, ND_MIN(10), "too-many-logins" },
	{ ANY, END, "421 4.3.0 Mail system error", FAILING, 0, "service-unavailable" },
	{ ANY, MAIL, "452 4.3.1 Insufficient system storage", RETRY, 0, "message-deferred" },
	{ ANY, MAIL, "451 4.3.0 try again", RETRY, 0, "message-deferred" },
	{ ANY, MAIL, "552 5.3.4 Message size exceeds fixed limit", ELSEWHERE, 0, "too-big" },
	{ ANY, MAIL, "552 message too large", ELSEWHERE, 0, "too-big" },
	{ ANY, END, "552 5.7.0 This message was blocked because its content presents a potential security issue", REFUSED, 0, "message-refused" },
	{ ANY, MAIL, "523 5.2.3 Message length exceeds administrative limit", ELSEWHERE, 0, "too-big" },
	{ ANY, END, "523 message too big", ELSEWHERE, 0, "too-big" },
	{ ANY, END, "523 5.7.10 encryption needed", REFUSED, 0, "message-refused" },
	{ ANY, END, "554 5.6.3 conversion required but not supported", ELSEWHERE, 0, "needs-8bitmime" },
	{ ANY, RCPT, "550 5.6.9 UTF-8 header message cannot be transferred", ELSEWHERE, 0, "needs-smtputf8" },
	{ ANY, MAIL, "553 5.6.7 Must declare SMTPUTF8 to send unicode address", ELSEWHERE, 0, "needs-smtputf8" },
	{ ANY, MAIL, "553 5.6.7 notifyd did not ask: <größe@example.com> needs SMTPUTF8, which relay.example does not offer", HELD, 0,
	  "sender-needs-smtputf8" },
	{ ANY, RCPT, "553 5.6.7 notifyd did not ask: <größe@example.com> needs SMTPUTF8, which relay.example does not offer", ELSEWHERE, 0,
	  "needs-smtputf8" },
	{ ANY, MAIL, "553 5.7.1 sender address rejected: not owned by user", HELD, 0, "sender-refused" },
	{ ANY, MAIL, "550 5.1.0 sender rejected", HELD, 0, "sender-refused" },
	{ ANY, MAIL, "501 5.1.7 Bad sender address syntax", HELD, 0, "sender-refused" },
	{ ANY, MAIL, "555 5.5.4 Unsupported option: SIZE=", FAILING, 0, "protocol" },
	{ ANY, MAIL, "503 5.5.1 Error: nested MAIL command", FAILING, 0, "protocol" },
	{ ANY, MAIL, "500 what?", FAILING, 0, "protocol" },
	{ ANY, MAIL, "502 what?", FAILING, 0, "protocol" },
	{ ANY, MAIL, "504 what?", FAILING, 0, "protocol" },
	{ ANY, RCPT, "452 4.5.3 Error: too many recipients", SPLIT, 0, "too-many-recipients" },
	{ ANY, RCPT, "452 Too many recipients received this hour", SPLIT, 0, "too-many-recipients" },
	{ ANY, RCPT, "552 too many recipients", SPLIT, 0, "too-many-recipients" },
	{ ANY, RCPT, "552 5.5.3 no more", SPLIT, 0, "too-many-recipients" },
	{ ANY, RCPT, "550 5.5.3 too many domains", SPLIT, 0, "too-many-recipients" },
	{ ANY, RCPT, "452 4.3.1 Insufficient system storage", RETRY, 0, "recipient-deferred" },
	{ ANY, RCPT, "450 4.2.0 Greylisted", RETRY, 0, "recipient-deferred" },
	{ ANY, RCPT, "451 4.3.0 try again", RETRY, 0, "recipient-deferred" },
	{ ANY, RCPT, "550 5.1.1 no such user", REFUSED, 0, "recipient-refused" },
	{ ANY, RCPT, "554 5.7.1 <x@example.net>: Relay access denied", REFUSED, 0, "recipient-refused" },
	{ ANY, RCPT, "501 5.1.3 Bad recipient address syntax", REFUSED, 0, "recipient-refused" },
	{ ANY, RCPT, "552 5.2.2 mailbox full", REFUSED, 0, "recipient-refused" },
	{ ANY, DATA, "451 4.3.0 try again", RETRY, 0, "message-deferred" },
	{ ANY, DATA, "554 5.5.1 Error: no valid recipients", REFUSED, 0, "message-refused" },
	{ ANY, END, "450 4.7.1 greylisted", RETRY, 0, "message-deferred" },
	{ ANY, END, "554 5.7.1 spam", REFUSED, 0, "message-refused" },
	{ ANY, END, "554 5.6.0 the message is malformed", REFUSED, 0, "message-refused" },
	{ ANY, END, "553 5.7.1 sender address rejected: not owned by user", HELD, 0, "sender-refused" },
	{ ANY, END, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", HELD, 0, "send-as-denied" },
	{ ANY, END, "550 5.1.8 Access denied, bad outbound sender", HELD, 0, "sender-blocked" },
	{ ANY, END, "250", VERDICT_DELIVERED, 0, "delivered" },
	/* An ordinary relay's numbers are not Microsoft's. */
	{ ANY, END, "550 5.7.705 no", REFUSED, 0, "message-refused" },
	{ ANY, RCPT, "550 5.1.90 no", REFUSED, 0, "recipient-refused" },
	{ ANY, DATA, "550 5.4.5 no", REFUSED, 0, "message-refused" },
	{ ANY, MAIL, "450 4.2.1 no", RETRY, 0, "message-deferred" },
	{ ANY, END, "454 Throttling failure", FAILING, 0, "service-unavailable" },
	{ ANY, END, "554 5.7.1 the user is not authorized to perform this", REFUSED, 0, "message-refused" },
	{ ANY, RCPT, "554 5.1.1 the recipient's address is not verified", REFUSED, 0, "recipient-refused" },
	/* A reply that fits nothing. */
	{ ANY, MAIL, "250 ok", FAILING, 0, "protocol" },
	{ ANY, IDLE, "554 who are you?", FAILING, 0, "protocol" },
};
/* An account with provider = smtp, and a host of Google, Amazon or Microsoft, or a relay that hands on what these say. */
static const struct seen unmistakable[] = {
	{ ANY, DATA, "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to - gsmtp", THROTTLED, ND_HOUR(1), "quota" },
	{ ANY, RCPT, "550 5.4.5 Daily SMTP relay limit exceeded for user. - gsmtp", THROTTLED, ND_HOUR(1), "quota" },
	{ ANY, MAIL, "550 5.7.1 Daily SMTP relay limit exceeded for customer. - gsmtp", THROTTLED, ND_HOUR(1), "quota" },
	{ ANY, MAIL, "450 4.2.1 Peak SMTP relay limit exceeded for customer. - gsmtp", THROTTLED, ND_MIN(10), "quota" },
	{ ANY, AUTH, "454 4.7.0 Too many login attempts, please try again later. - gsmtp", THROTTLED, ND_MIN(10), "too-many-logins" },
	{ ANY, MAIL, "550 5.7.1 Invalid credentials for relay [192.0.2.1]. - gsmtp", HELD, 0, "relay-denied" },
	{ ANY, RCPT, "451 4.3.0 Multiple destination domains per transaction is unsupported. Please try again. - gsmtp", SPLIT, 0, "split-domains" },
	{ ANY, END, "454 Throttling failure: Maximum sending rate exceeded", THROTTLED, ND_SEC(5), "rate" },
	{ ANY, MAIL, "454 Throttling failure: Daily message quota exceeded", THROTTLED, ND_HOUR(1), "quota" },
	{ ANY, AUTH, "535 Account not subscribed to SES", HELD, 0, "permission" },
	{ ANY, END, "554 Access denied: User 'arn:aws:iam::1:user/x' is not authorized to perform 'ses:SendRawEmail' on resource", HELD, 0, "permission" },
	{ ANY, END, "554 Message rejected: Email address is not verified. The following identities failed the check", HELD, 0, "not-verified" },
	{ ANY, END, "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients", THROTTLED, ND_HOUR(1), "quota" },
	{ ANY, RCPT, "550 5.7.64 TenantAttribution; Relay Access Denied", HELD, 0, "relay-denied" },
	{ ANY, END, "550 5.7.705 Access denied, tenant has exceeded threshold", HELD, ND_HOUR(1), "tenant-blocked" },
	{ ANY, RCPT, "550 5.7.750 Client blocked from sending from unregistered domain(s)", HELD, 0, "domain-unregistered" },
};
/* clang-format on */

static void
replies_of_exchange_online_mean_what_its_documents_say(void **state)
{
	(void)state;
	CHECK(exchange_online, true, false);
	CHECK(exchange_online, false, false);
}

static void
replies_of_high_volume_email_mean_what_was_seen(void **state)
{
	(void)state;
	CHECK(high_volume, true, false);
}

static void
a_refused_token_is_refreshed_unless_a_switch_is_off(void **state)
{
	(void)state;
	CHECK(with_token, true, true);
}

static void
a_535_to_a_token_means_refresh_whatever_was_marked(void **state)
{
	const struct seen row = { MS, AUTH, "535 5.7.3 Authentication unsuccessful", REFRESH, 0, "auth-refused" };

	(void)state;
	check(&row, 1, true, false);
}

static void
a_refused_password_holds_the_account(void **state)
{
	(void)state;
	CHECK(with_password, false, false);
}

static void
replies_of_google_mean_what_its_documents_say(void **state)
{
	(void)state;
	CHECK(google, true, false);
	CHECK(google, false, false);
}

static void
replies_of_amazon_ses_mean_what_its_documents_say(void **state)
{
	(void)state;
	CHECK(amazon, false, false);
}

static void
replies_of_ordinary_relays_follow_the_rfc(void **state)
{
	(void)state;
	CHECK(ordinary, false, false);
	CHECK(ordinary, true, false);
}

static void
texts_of_one_provider_alone_mean_the_same_whatever_the_account_calls_it(void **state)
{
	(void)state;
	CHECK(unmistakable, false, false);
}

static void
failures_without_a_reply_have_a_verdict_by_what_failed(void **state)
{
	static const struct {
		enum nd_err err;
		enum smtp_stage stage;
		enum verdict verdict;
		const char *reason;
	} rows[] = {
		{ ND_ERESOLVE, SMTP_AT_CONNECT, FAILING, "dns" },
		{ ND_ECONNECT, SMTP_AT_CONNECT, FAILING, "connect" },
		{ ND_EDEADLINE, SMTP_AT_CONNECT, FAILING, "timeout" },
		{ ND_ETLS, SMTP_AT_CERTIFICATE, HELD, "tls" },
		{ ND_ETLS, STARTTLS, HELD, "tls" },
		{ ND_ECLOSED, SMTP_AT_CERTIFICATE, FAILING, "connection-lost" },
		{ ND_EDEADLINE, GREETING, FAILING, "timeout" },
		{ ND_EPROTOCOL, GREETING, FAILING, "protocol" },
		{ ND_EAUTH, AUTH, HELD, "auth-not-offered" },
		{ ND_ESECRET, AUTH, HELD, "bad-secret" },
		{ ND_ECONF, AUTH, HELD, "bad-configuration" },
		{ ND_ETOKEN, AUTH, HELD, "token-refused" },
		{ ND_ETOKENLATER, AUTH, FAILING, "token-endpoint" },
		{ ND_ECLOSED, MAIL, FAILING, "connection-lost" },
		{ ND_EDEADLINE, RCPT, FAILING, "timeout" },
		{ ND_EMEMORY, RCPT, RETRY, "memory" },
		{ ND_EDISK, MAIL, FAILING, "connection-lost" },
		/* The relay had the envelope: the break may be this message's own. */
		{ ND_ECLOSED, SMTP_AT_CONTENT, RETRY, "connection-lost" },
		{ ND_EDEADLINE, SMTP_AT_CONTENT, RETRY, "timeout" },
		{ ND_ECLOSED, END, RETRY, "connection-lost" },
		{ ND_EDEADLINE, END, RETRY, "timeout" },
		{ ND_EPROTOCOL, END, RETRY, "protocol" },
	};

	(void)state;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		const struct verdict_case c = {
			.provider = ANY, .stage = rows[n].stage, .enhanced = "", .text = "", .err = rows[n].err
		};
		const struct verdict_word word = verdict_of(&c);

		assert_string_equal(verdict_name(word.verdict), verdict_name(rows[n].verdict));
		assert_string_equal(word.reason, rows[n].reason);
		assert_int_equal(word.wait, 0);
	}
}

static void
every_reply_at_every_stage_has_a_verdict_and_only_the_end_of_data_delivers(void **state)
{
	(void)state;
	for (int provider = 0; provider < CONF_PROVIDER_COUNT; provider++)
		for (int stage = 0; stage < SMTP_AT_COUNT; stage++)
			for (int code = 200; code < 600; code++) {
				const struct verdict_case c = { .provider = provider,
					.stage = (enum smtp_stage)stage,
					.code = code,
					.enhanced = "",
					.text = "",
					.oauth = code % 2 == 0 };
				const struct verdict_word word = verdict_of(&c);

				assert_non_null(word.reason);
				assert_int_equal(word.verdict == VERDICT_DELIVERED, stage == SMTP_AT_END && code < 300);
				/* A reply that tells to come back is never the end of a message. */
				if (code / 100 == 4)
					assert_int_not_equal(word.verdict, REFUSED);
			}
}

static void
a_recipient_is_refused_without_harm_to_the_account(void **state)
{
	(void)state;
	for (int code = 550; code < 555; code++) {
		const struct verdict_case c = {
			.provider = MS, .stage = RCPT, .code = code, .enhanced = "5.1.1", .text = "no such user"
		};

		assert_int_equal(verdict_of(&c).verdict, REFUSED);
	}
}

static void
each_verdict_has_the_name_the_api_shows(void **state)
{
	static const char *const names[] = { "delivered", "retry", "refused", "resend", "split", "elsewhere",
		"throttled", "failing", "refresh", "held" };

	(void)state;
	for (int n = 0; n <= VERDICT_HELD; n++)
		assert_string_equal(verdict_name((enum verdict)n), names[n]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_of_exchange_online_mean_what_its_documents_say),
		cmocka_unit_test(replies_of_high_volume_email_mean_what_was_seen),
		cmocka_unit_test(a_refused_token_is_refreshed_unless_a_switch_is_off),
		cmocka_unit_test(a_535_to_a_token_means_refresh_whatever_was_marked),
		cmocka_unit_test(a_refused_password_holds_the_account),
		cmocka_unit_test(replies_of_google_mean_what_its_documents_say),
		cmocka_unit_test(replies_of_amazon_ses_mean_what_its_documents_say),
		cmocka_unit_test(replies_of_ordinary_relays_follow_the_rfc),
		cmocka_unit_test(texts_of_one_provider_alone_mean_the_same_whatever_the_account_calls_it),
		cmocka_unit_test(failures_without_a_reply_have_a_verdict_by_what_failed),
		cmocka_unit_test(every_reply_at_every_stage_has_a_verdict_and_only_the_end_of_data_delivers),
		cmocka_unit_test(a_recipient_is_refused_without_harm_to_the_account),
		cmocka_unit_test(each_verdict_has_the_name_the_api_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
