/* SPDX-License-Identifier: Apache-2.0 */
/* conf_keys.c - the one list of settings: parser, manual and sample file read it.  Layer: core.  Pure. */
#include "daemon/core/conf_inner.h"

#include <stddef.h>
#include <string.h>

/* NOLINTBEGIN(bugprone-macro-parentheses): names of fields */
#define DAEMON(key, field, kind) .section = "daemon", .name = key, .type = kind, .offset = offsetof(struct conf, field)
#define QUEUE(key, field, kind) .section = "queue", .name = key, .type = kind, .offset = offsetof(struct conf, field)
#define ACCESS(key, field, kind) .section = "access", .name = key, .type = kind, .offset = offsetof(struct conf, field)
#define ACCOUNT(key, field, kind)                                                                                      \
	.section = "account", .name = key, .type = kind, .offset = offsetof(struct conf_account, field)
#define LATER(kind, key) .section = kind, .name = key, .later = true, .initial = ""
#define SECRET_GRANTS                                                                                                  \
	(CONF_GRANT_BIT(CONF_CLIENT_CREDENTIALS) | CONF_GRANT_BIT(CONF_AUTHORIZATION_CODE) |                           \
	    CONF_GRANT_BIT(CONF_DEVICE_CODE) | CONF_GRANT_BIT(CONF_REFRESH_TOKEN))
#define DAYS(n) ((int64_t)(n)*86400)
/* NOLINTEND(bugprone-macro-parentheses) */

/* clang-format off */
static const struct conf_keys_section sections[] = {
	{ .name = "daemon" },
	{ .name = "queue" },
	{ .name = "access" },
	{ .name = "account", .named = true },
	{ .name = "group", .named = true, .later = true },
	{ .name = "route", .named = true, .later = true },
	{ .name = "storm", .later = true },
	{ .name = "silence", .later = true },
	{ .name = "alarm", .later = true },
	{ .name = "http", .later = true },
	{ .name = "smtp", .later = true },
	{ .name = "aliases", .later = true },
	{ .name = "metrics", .later = true },
};

const struct conf_keys_row conf_keys_rows[] = {
	{ DAEMON("hostname", hostname, CONF_KEYS_HOSTNAME), .initial = "${fqdn}",
	  .text = "The name this host gives itself: in Message-IDs and to mail servers." },
	{ DAEMON("to", to, CONF_KEYS_MAILBOXES), .max = 1000, .initial = "",
	  .text = "Who gets a job that names no recipient." },
	{ DAEMON("admin_to", admin_to, CONF_KEYS_MAILBOXES), .max = 1000, .initial = "",
	  .text = "Who gets warnings and reports about notifyd itself." },
	{ DAEMON("report_every", report_every, CONF_KEYS_TIME), .min = 0, .max = DAYS(1), .initial = "5m",
	  .text = "How often at most a mail to admin_to tells what could not be delivered; 0: never." },
	{ DAEMON("accounts", accounts, CONF_KEYS_NAMES), .max = CONF_MAX_ACCOUNTS, .initial = "",
	  .text = "Accounts in the order in which they are tried; without it, the order of their sections." },
	{ DAEMON("failover_after", failover_after, CONF_KEYS_TIME), .min = 0, .max = DAYS(7), .initial = "2m",
	  .text = "How long an account may be throttled, failing or held before its jobs move to the next one; 0: for ever." },
	{ DAEMON("log_level", log_level, CONF_KEYS_CHOICE), .min = ND_LOG_ERR,
	  .choices = "err warning notice info debug", .initial = "info",
	  .text = "The least important lines that are still logged." },
	{ DAEMON("memory", memory, CONF_KEYS_SIZE), .min = INT64_C(1) << 20, .max = INT64_C(64) << 30, .initial = "64M",
	  .text = "Memory for bodies: three quarters for those of requests, which beyond it wait or are asked to come again, a quarter for those of due jobs." },
	{ DAEMON("proxy", proxy, CONF_KEYS_PROXY), .initial = "",
	  .text = "A proxy for token requests: http://host:port or socks5://host:port." },
	{ DAEMON("no_proxy", no_proxy, CONF_KEYS_DOMAINS), .max = 100, .initial = "",
	  .text = "Hosts and domains whose token endpoints are reached without the proxy." },
	{ LATER("daemon", "socket"), .text = "Path of the socket (use --socket)." },
	{ LATER("daemon", "state_dir"), .text = "Path of the state directory (use --state-dir)." },

	{ QUEUE("expires_in", expires_in, CONF_KEYS_TIME), .min = 60, .max = DAYS(365), .initial = "5d",
	  .text = "How long a job that says nothing of its own is tried before it expires." },
	{ QUEUE("max_age", max_age, CONF_KEYS_TIME), .min = 3600, .max = DAYS(365), .initial = "14d",
	  .text = "The age that no job outlives, whatever it asked for." },
	{ QUEUE("history", history, CONF_KEYS_TIME), .min = 0, .max = DAYS(3650), .initial = "30d",
	  .text = "How long the facts of finished jobs are kept." },
	{ QUEUE("keep_failed", keep_failed, CONF_KEYS_TIME), .min = 0, .max = DAYS(3650), .initial = "14d",
	  .text = "How long failed and expired jobs keep their message, so that they can be retried." },
	{ QUEUE("keep_failed_bytes", keep_failed_bytes, CONF_KEYS_SIZE), .min = 0, .max = INT64_C(1) << 40,
	  .initial = "1G",
	  .text = "The most that messages of failed and expired jobs may take; the oldest go first." },
	{ QUEUE("max_jobs", max_jobs, CONF_KEYS_INT), .min = 1, .max = 1000000000, .initial = "1000000",
	  .text = "The most unfinished jobs; the last 5 % are kept for severity critical and worse." },
	{ QUEUE("max_bytes", max_bytes, CONF_KEYS_SIZE), .min = INT64_C(1) << 20, .max = INT64_C(1) << 50,
	  .initial = "4G",
	  .text = "The most octets of their messages; the last 5 % are kept for severity critical and worse." },
	{ QUEUE("min_free", min_free, CONF_KEYS_SIZE), .min = 0, .max = INT64_C(1) << 50, .initial = "256M",
	  .text = "Free space that jobs leave on the disk of the state directory, those below critical 5 % more; "
		  "0: none." },
	{ QUEUE("uncertain_wait", uncertain_wait, CONF_KEYS_TIME), .min = 0, .max = DAYS(14), .initial = "15m",
	  .text = "How long an uncertain job waits before another account may send it." },

	{ ACCESS("to_allow", to_allow, CONF_KEYS_ALLOWED), .max = 1000, .initial = "",
	  .text = "Whom submitters may send to beyond the addresses named here and the accounts' own domains: "
		  "addresses, @domains, or * for everybody." },
	{ ACCESS("quota_jobs", quota_jobs, CONF_KEYS_RATE), .max = 1000000000, .initial = "6000/min",
	  .text = "Jobs that one submitter may hand over: N/min N/hour N/day, or none for no limit." },
	{ ACCESS("quota_bytes", quota_bytes, CONF_KEYS_SIZE), .min = 0, .max = INT64_C(1) << 50, .initial = "256M",
	  .text = "Octets of messages that one submitter may have in the queue; 0: no limit." },
	{ ACCESS("quota_recipients", quota_recipients, CONF_KEYS_RATE), .max = 1000000000, .initial = "500/day",
	  .text = "Recipients outside the accounts' own domains that one submitter may write to: N/min N/hour N/day, "
		  "or none for no limit." },

	{ ACCOUNT("provider", provider, CONF_KEYS_CHOICE),
	  .choices = "microsoft microsoft-usgov microsoft-dod microsoft-china microsoft-hve google google-relay "
		     "ses smtp",
	  .later_choices = "microsoft-graph notifyd", .initial = "smtp",
	  .text = "Whose presets are used for host, security, auth, token_url, scope, token_margin, dsn, "
		  "max_connections and the limits; smtp has none." },
	{ ACCOUNT("from", from, CONF_KEYS_MAILBOX), .initial = "",
	  .text = "The sender of this account's mail; must be given." },
	{ ACCOUNT("envelope_from", envelope_from, CONF_KEYS_ADDRESS), .initial = "",
	  .text = "The address for MAIL FROM, where bounces go; without it, the address of from." },
	{ ACCOUNT("from_policy", from_policy, CONF_KEYS_CHOICE), .choices = "rewrite force allow", .initial = "rewrite",
	  .text = "What becomes of a job's own sender: rewrite puts the account's in its place and "
		  "keeps the name, force keeps nothing, allow lets those of from_allow stand." },
	{ ACCOUNT("from_allow", from_allow, CONF_KEYS_PATTERNS), .max = 1000, .initial = "",
	  .text = "Senders that may stand with from_policy = allow; * and ? are wildcards." },
	{ ACCOUNT("host", host, CONF_KEYS_HOST), .initial = "",
	  .text = "The mail server: a name, an address, host:port, smtp://, submission:// or smtps://." },
	{ ACCOUNT("port", port, CONF_KEYS_INT), .min = 1, .max = 65535, .initial = "",
	  .text = "The port; without it 587 with starttls, 465 with tls, 25 with none." },
	{ ACCOUNT("security", security, CONF_KEYS_CHOICE), .choices = "starttls tls none", .initial = "starttls",
	  .text = "How the connection is protected; the certificate is always verified." },
	{ ACCOUNT("ca_file", ca_file, CONF_KEYS_PATH), .initial = "",
	  .text = "Certificate authorities (PEM) to trust instead of the system's." },
	{ ACCOUNT("ca_dir", ca_dir, CONF_KEYS_PATH), .initial = "",
	  .text = "A folder of certificate authorities (NAME.pem, NAME.crt) to trust instead of the system's, besides ca_file." },
	{ ACCOUNT("tls_name", tls_name, CONF_KEYS_HOSTNAME), .initial = "",
	  .text = "The name expected in the server's certificate, when it is not host." },
	{ ACCOUNT("ehlo", ehlo, CONF_KEYS_HOSTNAME), .initial = "",
	  .text = "The name given in EHLO, when it is not [daemon] hostname." },
	{ ACCOUNT("auth", auth, CONF_KEYS_CHOICE), .choices = "oauth2 password none", .initial = "",
	  .text = "How to log in; without it, as the credential that is given, else as the provider's preset." },
	{ ACCOUNT("auth_mechanism", auth_mechanism, CONF_KEYS_CHOICE),
	  .log_in = CONF_KEYS_FOR_OAUTH | CONF_KEYS_FOR_PASSWORD,
	  .choices = "any xoauth2 oauthbearer scram-sha-256 plain login cram-md5", .initial = "any",
	  .text = "The one mechanism of AUTH that is used; any takes the best that the server offers." },
	{ ACCOUNT("auth_initial_response", auth_initial_response, CONF_KEYS_CHOICE),
	  .log_in = CONF_KEYS_FOR_OAUTH | CONF_KEYS_FOR_PASSWORD, .choices = "no yes", .initial = "yes",
	  .text = "Whether a credential goes with the AUTH command when both fit into 512 octets; no waits to be asked for it." },
	{ ACCOUNT("user", user, CONF_KEYS_ID), .log_in = CONF_KEYS_FOR_OAUTH | CONF_KEYS_FOR_PASSWORD, .initial = "",
	  .text = "The mailbox or user to log in as; without it, the address of from." },
	{ ACCOUNT("password", password, CONF_KEYS_REFERENCE), .log_in = CONF_KEYS_FOR_PASSWORD, .initial = "",
	  .text = "Where the password is: credential:NAME, file:/path, command:/path arguments, env:NAME or keyring:NAME." },
	{ ACCOUNT("grant", grant, CONF_KEYS_CHOICE), .log_in = CONF_KEYS_FOR_OAUTH,
	  .choices = "client_credentials authorization_code device_code refresh_token jwt_bearer managed_identity",
	  .initial = "client_credentials",
	  .text = "How the token is asked for: by the application itself, after a sign-in (authorization_code, "
		  "device_code), with a refresh token from elsewhere, with a service account's key (jwt_bearer), or from "
		  "the machine's managed identity." },
	{ ACCOUNT("tenant", tenant, CONF_KEYS_TENANT), .log_in = CONF_KEYS_FOR_OAUTH, .initial = "",
	  .text = "Microsoft: the directory (tenant) ID or one of its domains; stands for {tenant} in token_url." },
	{ ACCOUNT("client_id", client_id, CONF_KEYS_ID), .log_in = CONF_KEYS_FOR_OAUTH, .initial = "",
	  .text = "The application (client) ID." },
	{ ACCOUNT("client_secret", client_secret, CONF_KEYS_REFERENCE), .log_in = CONF_KEYS_FOR_OAUTH,
	  .grants = SECRET_GRANTS, .initial = "",
	  .text = "Where the application's secret is: credential:NAME, file:/path, command:/path arguments, env:NAME or keyring:NAME. "
		  "Google's downloaded client JSON will do as it is." },
	{ ACCOUNT("client_secret_next", client_secret_next, CONF_KEYS_REFERENCE), .log_in = CONF_KEYS_FOR_OAUTH,
	  .grants = SECRET_GRANTS, .initial = "",
	  .text = "The secret that takes over when the first one is refused or has expired." },
	{ ACCOUNT("client_secret_expires", client_secret_expires, CONF_KEYS_DATE), .log_in = CONF_KEYS_FOR_OAUTH,
	  .grants = SECRET_GRANTS, .initial = "",
	  .text = "The day the secret ends, such as 2027-05-01; a warning comes before." },
	{ ACCOUNT("token_url", token_url, CONF_KEYS_URL), .log_in = CONF_KEYS_FOR_OAUTH, .initial = "",
	  .text = "Where tokens are asked for (https); {tenant} stands for the tenant." },
	{ ACCOUNT("scope", scope, CONF_KEYS_TEXT), .log_in = CONF_KEYS_FOR_OAUTH, .max = 1000, .initial = "",
	  .text = "What the token is asked for." },
	{ ACCOUNT("token_auth", token_auth, CONF_KEYS_CHOICE), .log_in = CONF_KEYS_FOR_OAUTH, 
	  .choices = "post basic", .initial = "post",
	  .text = "How the secret travels to the token endpoint: in the form, or in an Authorization header." },
	{ ACCOUNT("token_margin", token_margin, CONF_KEYS_TIME), .log_in = CONF_KEYS_FOR_OAUTH, .min = 1, .max = DAYS(1),
	  .initial = "5m",
	  .text = "How long before its end a token is renewed: at least so long, a tenth of its life, and at most half of it." },
	{ ACCOUNT("token_ca_file", token_ca_file, CONF_KEYS_PATH), .log_in = CONF_KEYS_FOR_OAUTH, .initial = "",
	  .text = "Certificate authorities (PEM) for token_url; without it, ca_file and ca_dir, else the system's." },
	{ ACCOUNT("authorize_url", authorize_url, CONF_KEYS_URL), .log_in = CONF_KEYS_FOR_OAUTH,
	  .grants = CONF_GRANT_BIT(CONF_AUTHORIZATION_CODE), .initial = "",
	  .text = "Where a person signs in (https); {tenant} stands for the tenant." },
	{ ACCOUNT("redirect_uri", redirect_uri, CONF_KEYS_REDIRECT), .log_in = CONF_KEYS_FOR_OAUTH,
	  .grants = CONF_GRANT_BIT(CONF_AUTHORIZATION_CODE), .initial = "",
	  .text = "Where the sign-in returns to, exactly as it is registered with the application; without it, "
		  "http://localhost or http://127.0.0.1 with a free port." },
	{ ACCOUNT("device_url", device_url, CONF_KEYS_URL), .log_in = CONF_KEYS_FOR_OAUTH,
	  .grants = CONF_GRANT_BIT(CONF_DEVICE_CODE), .initial = "",
	  .text = "Where a device code is asked for (https); {tenant} stands for the tenant." },
	{ ACCOUNT("revoke_url", revoke_url, CONF_KEYS_URL), .log_in = CONF_KEYS_FOR_OAUTH, .grants = CONF_GRANTS_REFRESHED,
	  .initial = "",
	  .text = "Where a grant is revoked at logout (https, RFC 7009)." },
	{ ACCOUNT("refresh_token", refresh_token, CONF_KEYS_REFERENCE), .log_in = CONF_KEYS_FOR_OAUTH,
	  .grants = CONF_GRANT_BIT(CONF_REFRESH_TOKEN), .initial = "",
	  .text = "Where a refresh token from elsewhere is; the ones that follow it are kept in the state directory." },
	{ ACCOUNT("certificate", certificate, CONF_KEYS_PATH), .log_in = CONF_KEYS_FOR_OAUTH, .grants = SECRET_GRANTS,
	  .initial = "",
	  .text = "A certificate (PEM) that proves the application's identity instead of a secret." },
	{ ACCOUNT("key", key, CONF_KEYS_REFERENCE), .log_in = CONF_KEYS_FOR_OAUTH,
	  .grants = SECRET_GRANTS | CONF_GRANT_BIT(CONF_JWT_BEARER), .initial = "",
	  .text = "Where the private key of the certificate is (PEM), or a service account's downloaded JSON." },
	{ ACCOUNT("assertion_file", assertion_file, CONF_KEYS_PATH), .log_in = CONF_KEYS_FOR_OAUTH, .grants = SECRET_GRANTS,
	  .initial = "",
	  .text = "A file with a token of another issuer that proves the application's identity; read for each request." },
	{ ACCOUNT("assertion_alg", assertion_alg, CONF_KEYS_CHOICE), .log_in = CONF_KEYS_FOR_OAUTH,
	  .grants = SECRET_GRANTS, .choices = "PS256 RS256", .initial = "PS256",
	  .text = "How the assertion made with the certificate is signed." },
	{ ACCOUNT("identity_source", identity_source, CONF_KEYS_CHOICE), .log_in = CONF_KEYS_FOR_OAUTH,
	  .grants = CONF_GRANT_BIT(CONF_MANAGED_IDENTITY), .choices = "auto vm arc", .initial = "auto",
	  .text = "Who vouches for this machine: Azure's instance metadata (vm), the Arc agent (arc), or whichever is there." },
	{ ACCOUNT("pin_sha256", pin_sha256, CONF_KEYS_PINS), .max = 16, .initial = "",
	  .text = "Base64 SHA-256 digests of the server's public key (SubjectPublicKeyInfo): they take the place of chain, "
		  "name and date; notifyctl account trust prints them." },
	{ ACCOUNT("bind", bind, CONF_KEYS_IP), .initial = "",
	  .text = "The local address that connections to the mail server come from." },
	{ ACCOUNT("family", family, CONF_KEYS_CHOICE), .choices = "any ipv4 ipv6", .initial = "any",
	  .text = "Which addresses of the mail server are tried." },
	{ ACCOUNT("smtp_proxy", smtp_proxy, CONF_KEYS_PROXY), .initial = "",
	  .text = "A proxy to the mail server: http://host:port (CONNECT) or socks5://host:port." },
	{ ACCOUNT("max_connections", max_connections, CONF_KEYS_INT), .min = 1, .max = 100, .initial = "2",
	  .text = "The most sessions at a time." },
	{ ACCOUNT("window", window, CONF_KEYS_INT), .min = 1, .max = 16, .initial = "1",
	  .text = "The most messages under way at once in one session, where the server bears it; "
		  "a lost connection leaves so many uncertain." },
	{ LATER("account", "submitters"), .text = "Who may use this account." },
	{ ACCOUNT("messages_per_minute", messages_per_minute, CONF_KEYS_INT), .min = 0, .max = 1000000, .initial = "0",
	  .text = "The most messages begun in any 60 seconds, half of them only for severity critical and worse; 0: no limit." },
	{ ACCOUNT("messages_per_day", messages_per_day, CONF_KEYS_INT), .min = 0, .max = 1000000000, .initial = "0",
	  .text = "The most messages sent in any 24 hours; 0: no limit." },
	{ ACCOUNT("recipients_per_day", recipients_per_day, CONF_KEYS_INT), .min = 0, .max = 1000000000, .initial = "0",
	  .text = "The most recipients written to in any 24 hours, counted for each message; 0: no limit." },
	{ ACCOUNT("recipients_per_message", recipients_per_message, CONF_KEYS_INT), .min = 1, .max = 1000, .initial = "50",
	  .text = "The most recipients of one transaction; a job with more goes in several." },
	{ ACCOUNT("messages_per_recipient_hour", messages_per_recipient_hour, CONF_KEYS_INT), .min = 0, .max = 1000000,
	  .initial = "0", .text = "The most messages that one recipient gets in any hour; 0: no limit." },
	{ ACCOUNT("logins_per_minute", logins_per_minute, CONF_KEYS_INT), .min = 0, .max = 10000, .initial = "0",
	  .text = "The most sessions opened in any 60 seconds; 0: no limit." },
	{ ACCOUNT("share", share, CONF_KEYS_SHARE), .initial = "1/1",
	  .text = "This host's part of the presets' limits, such as 1/20 for each of twenty hosts." },
	{ ACCOUNT("dsn", dsn, CONF_KEYS_CHOICE), .choices = "no yes", .initial = "no",
	  .text = "Whether a server that offers DSN (RFC 3461) is asked to report what fails; without it, as the provider's preset." },
	{ ACCOUNT("warm", warm, CONF_KEYS_CHOICE), .choices = "no yes", .initial = "no",
	  .text = "Keeps one session open while there is nothing to send, so that an alert leaves at once." },
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
const unsigned conf_keys_count = COUNT(conf_keys_rows);

unsigned
conf_keys_find(const char *section, const char *name)
{
	for (unsigned i = 0; i < conf_keys_count; i++) {
		if (strcmp(conf_keys_rows[i].section, section) == 0 && strcmp(conf_keys_rows[i].name, name) == 0)
			return i;
	}
	return CONF_KEYS_NONE;
}

const char *
conf_keys_nearest(const char *section, const char *name)
{
	const char *candidates[COUNT(conf_keys_rows) + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < conf_keys_count; i++) {
		if (strcmp(conf_keys_rows[i].section, section) == 0)
			candidates[n++] = conf_keys_rows[i].name;
	}
	candidates[n] = NULL;
	return nd_str_nearest(name, candidates);
}

const struct conf_keys_section *
conf_keys_section(const char *name)
{
	for (size_t i = 0; i < COUNT(sections); i++) {
		if (strcmp(sections[i].name, name) == 0)
			return &sections[i];
	}
	return NULL;
}

const char *
conf_keys_section_nearest(const char *name)
{
	const char *candidates[COUNT(sections) + 1];

	for (size_t i = 0; i < COUNT(sections); i++)
		candidates[i] = sections[i].name;
	candidates[COUNT(sections)] = NULL;
	return nd_str_nearest(name, candidates);
}
