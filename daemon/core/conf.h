/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - the settings: one key table, a parser that reports every mistake.  Layer: core.  Pure.
 *
 * Syntax: notifyd.conf(5). The text is passed in. Sections [daemon] [queue] [access] [account NAME]; names of later
 * parts are known and refused in words. A key's row holds its name, type, bounds, initial value as text (read by the
 * same parser) and one sentence for the manual.
 */
#ifndef ND_CORE_CONF_H
#define ND_CORE_CONF_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/str.h"

#include <stdbool.h>
#include <stdint.h>

enum conf_security { CONF_STARTTLS, CONF_TLS, CONF_PLAIN };
enum conf_auth { CONF_OAUTH2, CONF_PASSWORD, CONF_NO_AUTH };
enum conf_grant {
	CONF_CLIENT_CREDENTIALS, /* RFC 6749 4.4 */
	CONF_AUTHORIZATION_CODE, /* RFC 6749 4.1 with PKCE (RFC 7636): a sign-in, then refresh tokens */
	CONF_DEVICE_CODE,        /* RFC 8628: the same from another device */
	CONF_REFRESH_TOKEN,      /* RFC 6749 6, the first token brought from elsewhere */
	CONF_JWT_BEARER,         /* RFC 7523 2.1: Google's service accounts */
	CONF_MANAGED_IDENTITY,   /* Azure's metadata service: no secret at all */
	CONF_GRANT_COUNT
};
#define CONF_GRANT_BIT(grant) (1u << (grant))
/* Those that live on a refresh token, which the state directory keeps. */
#define CONF_GRANTS_REFRESHED                                                                                          \
	(CONF_GRANT_BIT(CONF_AUTHORIZATION_CODE) | CONF_GRANT_BIT(CONF_DEVICE_CODE) |                                  \
	    CONF_GRANT_BIT(CONF_REFRESH_TOKEN))
enum conf_assertion_alg { CONF_PS256, CONF_RS256 };
enum conf_identity_source { CONF_IDENTITY_AUTO, CONF_IDENTITY_VM, CONF_IDENTITY_ARC };
enum conf_family { CONF_ANY_FAMILY, CONF_IPV4, CONF_IPV6 };
enum conf_token_auth { CONF_TOKEN_POST, CONF_TOKEN_BASIC };
/* How a credential is said; the first two carry a token, the others a password. */
enum conf_mechanism {
	CONF_BY_ANY,
	CONF_BY_XOAUTH2,
	CONF_BY_OAUTHBEARER,
	CONF_BY_SCRAM_SHA_256,
	CONF_BY_PLAIN,
	CONF_BY_LOGIN,
	CONF_BY_CRAM_MD5,
	CONF_BY_COUNT
};
enum conf_from_policy { CONF_FROM_REWRITE, CONF_FROM_FORCE, CONF_FROM_ALLOW };
enum conf_provider {
	CONF_MICROSOFT,
	CONF_MICROSOFT_USGOV,
	CONF_MICROSOFT_DOD,
	CONF_MICROSOFT_CHINA,
	CONF_MICROSOFT_HVE,
	CONF_GOOGLE,
	CONF_GOOGLE_RELAY,
	CONF_SES,
	CONF_SMTP,
	CONF_PROVIDER_COUNT
};

struct conf_list {
	char **items; /* owned, NULL-terminated (NULL when empty) */
	unsigned count;
};

/* "30/min 10000/day"; 0: no limit. */
struct conf_rate {
	int64_t minute, hour, day;
};

struct conf_fault {
	char file[160];
	struct nd_why why; /* line, field, text, hint */
};
struct conf_faults {
	struct conf_fault *fault;
	unsigned count, room;
};

/* Where a key was last named: for messages, and to tell a given value from a default. One for each row of the
 * key table. */
struct conf_mark {
	unsigned file, line; /* index in conf.files; line 0: never named */
	bool given;          /* with a value that could be read */
	bool bad;            /* its value was a fault */
};

/* One [account NAME]. After conf_finish every preset of the provider is filled in and all texts are set ("" = none). */
struct conf_account {
	char *name;
	unsigned file, line;        /* of its section, for messages */
	struct conf_mark *marks;    /* owned; NULL in a hand-made struct */
	int provider;               /* enum conf_provider */
	char *from;                 /* as written, ${host} expanded */
	struct nd_mailbox from_box; /* from, parsed */
	char *envelope_from;        /* default: address of from */
	int from_policy;
	struct conf_list from_allow; /* wildcard patterns */
	int auth;                    /* enum conf_auth */
	int auth_mechanism;          /* enum conf_mechanism */
	int auth_initial_response;   /* 0: the message never goes with the AUTH command */
	int grant;
	int token_auth;
	char *tenant, *client_id;
	char *client_secret;         /* a reference: credential: file: command: env: */
	char *client_secret_next;    /* a reference; "" none */
	char *client_secret_expires; /* a date; "" unknown */
	char *token_url, *scope;
	char *authorize_url, *device_url, *revoke_url; /* "" unknown */
	char *redirect_uri;                            /* "" loopback with a free port */
	char *refresh_token;                           /* a reference; "" the state directory's */
	char *certificate;                             /* a path; "" none */
	char *key;                                     /* a reference */
	char *assertion_file;                          /* a path */
	int assertion_alg;                             /* enum conf_assertion_alg */
	int identity_source;                           /* enum conf_identity_source */
	char *host;                                    /* without port and scheme */
	int64_t port;
	int security;
	char *user;     /* default: address of from */
	char *password; /* a reference */
	char *ca_file, *ca_dir;
	char *token_ca_file;         /* "" ca_file and ca_dir */
	struct conf_list pin_sha256; /* base64 of 32 octets each */
	char *bind;                  /* an address; "" any */
	int family;                  /* enum conf_family */
	char *smtp_proxy;            /* http:// or socks5://; "" none */
	char *tls_name;              /* default: host */
	char *ehlo;                  /* default: [daemon] hostname */
	int64_t max_connections;
	int64_t window;
	int warm;           /* 1: one session is kept open */
	int dsn;            /* 1: reports of failure are asked for, where they are offered */
	nd_ms token_margin; /* at least so long before its end a token is renewed; 0: as usual */
	/* Limits; 0: none. */
	int64_t messages_per_minute, messages_per_day, recipients_per_day, messages_per_recipient_hour,
	    logins_per_minute;
	int64_t recipients_per_message;
	char *share; /* this host's part of the presets' limits: "1/20" */
};

struct conf {
	char *hostname;      /* of Message-IDs and EHLO: default the host's full name */
	struct conf_list to; /* mailboxes */
	struct conf_list admin_to;
	struct conf_list accounts; /* order; default: order of the sections */
	int log_level;             /* enum nd_level */
	int64_t memory;            /* octets for request bodies */
	char *proxy;               /* http:// or socks5:// for token requests; "" none */
	struct conf_list no_proxy; /* hosts and domains */
	nd_ms expires_in, max_age, history, keep_failed;
	nd_ms report_every;   /* 0: none */
	nd_ms failover_after; /* 0: never */
	nd_ms uncertain_wait;
	int64_t keep_failed_bytes;
	int64_t max_jobs, max_bytes;                   /* of unfinished jobs */
	int64_t min_free;                              /* octets left on the disk; 0: all may be used */
	struct conf_rate quota_jobs, quota_recipients; /* of one submitter */
	int64_t quota_bytes;                           /* 0: no limit */
	struct conf_list to_allow;                     /* addresses, @domains, * */
	struct conf_account *account;
	unsigned account_count;

	char *host, *fqdn;           /* what ${host} and ${fqdn} stand for */
	struct conf_list files;      /* names of the files read, in order */
	struct conf_mark *marks;     /* of [daemon] [queue] [access]; owned */
	struct conf_faults warnings; /* what works, but not as somebody might think; filled by conf_finish */
};
#define CONF_MAX_ACCOUNTS 64u
#define CONF_MAX_OCTETS (1024u * 1024u) /* of one file */
#define CONF_MAX_FAULTS 200u            /* the last one says that there are more */

/* What parsing needs to know of the host. */
struct conf_host {
	const char *host; /* ${host}: first label */
	const char *fqdn; /* ${fqdn} */
};

void conf_init(struct conf *conf, const struct conf_host *host); /* all defaults; zero accounts */
void conf_done(struct conf *conf);
/* Reads one file's text. Faults are added, never stop the reading. Later files replace keys of earlier ones; an
 * empty value restores the default. */
void conf_read(struct conf *conf, const char *file, const char *text, size_t len, struct conf_faults *faults);
/* After all files: presets, cross-checks (account without from, oauth2 without client_id, OAuth without TLS,
 * accounts that do not exist …). */
void conf_finish(struct conf *conf, struct conf_faults *faults);
void conf_faults_done(struct conf_faults *faults);
/* "notifyd.conf:12: [account m365] gramt: no such setting; did you mean grant?" Returns `out`. */
const char *conf_fault_line(const struct conf_fault *fault, char *out, size_t size);

/* How an account differs from the one of its name in an earlier configuration. OTHER: it is not the same mailbox, server or
 * application any more, so nothing learned about it holds. */
enum conf_change { CONF_SAME, CONF_CHANGED, CONF_OTHER };
enum conf_change conf_compare(const struct conf_account *before, const struct conf_account *after);
/* Tells over a restart whether an account's settings are the same: a number of all of them. */
uint64_t conf_print(const struct conf_account *account);

const struct conf_account *conf_account_named(const struct conf *conf, const char *name);
/* The key has a value of its own in the files, not a preset's. */
bool conf_account_given(const struct conf_account *account, const char *key);
/* [daemon] accounts in order, by index; NULL past the end. */
const struct conf_account *conf_account_nth(const struct conf *conf, unsigned n);
const char *conf_provider_name(int provider);
bool conf_provider_bearer(int provider); /* it prefers OAUTHBEARER */
/* The server that knows the mailbox, by one name: those of a provider have several. */
const char *conf_provider_server(const struct conf_account *account);
/* It refuses a session that outlives its token: so long before that no mail begins on it; 0: it does not. */
nd_ms conf_provider_session_margin(int provider);
const char *conf_grant_name(int grant);
const char *conf_auth_name(int auth);
const char *conf_mechanism_name(int mechanism); /* "XOAUTH2"; NULL: any */
const char *conf_security_name(int security);

/* The table, for the manual, the sample file and the checks: row n, false past the end. `later`: reserved, not
 * in this version.
 * Texts "" = none. Choices are words with a space between. */
struct conf_key_info {
	const char *section, *name, *initial, *choices, *text;
	bool later;
};
bool conf_key_nth(unsigned n, struct conf_key_info *out);

#endif
