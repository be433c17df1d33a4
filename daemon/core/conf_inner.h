/* SPDX-License-Identifier: Apache-2.0 */
/* conf_inner.h - what the files of the settings share.  Layer: core.  For conf*.c only.
 *
 *   text ─► conf_syntax (logical lines) ─► conf (sections, keys, faults) ─► conf_value (text ─► field, by its row)
 *   all files read ─► conf_check (presets of conf_provider, then what one key alone cannot show)
 */
#ifndef ND_CORE_CONF_INNER_H
#define ND_CORE_CONF_INNER_H

#include "daemon/core/conf.h"

/* conf_syntax.c: knows no key. */
enum conf_syntax_kind { CONF_SYNTAX_END, CONF_SYNTAX_SECTION, CONF_SYNTAX_KEY, CONF_SYNTAX_FAULT };

struct conf_syntax {
	const char *text; /* borrowed */
	size_t len, at;
	unsigned next_line;
	struct nd_buf line; /* the logical line, without comment */
};
struct conf_syntax_item {
	enum conf_syntax_kind kind;
	unsigned line;         /* where it begins */
	const char *name;      /* SECTION: kind; KEY: name. Borrowed until the next call */
	const char *value;     /* SECTION: the name after the kind, "" none; KEY: value, quotes taken off */
	const char *complaint; /* FAULT: a sentence; never holds text of the file, which may be a secret */
	const char *hint;      /* FAULT: or NULL */
	bool section;          /* FAULT: in a [section] line */
};
void conf_syntax_init(struct conf_syntax *syntax, const char *text, size_t len);
void conf_syntax_done(struct conf_syntax *syntax);
struct conf_syntax_item conf_syntax_next(struct conf_syntax *syntax);

/* conf_keys.c: the one list of settings. */
enum conf_keys_type {
	CONF_KEYS_TEXT,      /* char * from here */
	CONF_KEYS_HOSTNAME,  /* a name for EHLO and Message-IDs */
	CONF_KEYS_HOST,      /* name, address, host:port, URL; taken apart by conf_check */
	CONF_KEYS_MAILBOX,   /* "Name" <address> */
	CONF_KEYS_ADDRESS,   /* address without a name */
	CONF_KEYS_REFERENCE, /* to a secret; faults never hold the value */
	CONF_KEYS_REDIRECT,  /* https, or http to this host */
	CONF_KEYS_PROXY,     /* http://host:port, socks5://host:port */
	CONF_KEYS_IP,        /* an address of either family */
	CONF_KEYS_DATE,
	CONF_KEYS_PATH,
	CONF_KEYS_URL, /* https */
	CONF_KEYS_TENANT,
	CONF_KEYS_ID,        /* printable, no space; faults never hold the value */
	CONF_KEYS_SHARE,     /* "1/20" */
	CONF_KEYS_INT,       /* int64_t */
	CONF_KEYS_SIZE,      /* int64_t, octets */
	CONF_KEYS_TIME,      /* nd_ms; min and max in seconds */
	CONF_KEYS_RATE,      /* struct conf_rate; max: each number */
	CONF_KEYS_CHOICE,    /* int: place in `choices` + min */
	CONF_KEYS_MAILBOXES, /* struct conf_list from here; max: items */
	CONF_KEYS_NAMES,     /* of accounts */
	CONF_KEYS_ALLOWED,   /* addresses, @domains, * */
	CONF_KEYS_PATTERNS,  /* of addresses */
	CONF_KEYS_DOMAINS,   /* hosts and domains */
	CONF_KEYS_PINS,      /* base64 of 32 octets */
	CONF_KEYS_TYPE_COUNT
};
/* Which log-in a key belongs to; 0: any. */
#define CONF_KEYS_FOR_OAUTH 1u
#define CONF_KEYS_FOR_PASSWORD 2u

struct conf_keys_row {
	const char *section, *name;
	enum conf_keys_type type;
	unsigned log_in; /* CONF_KEYS_FOR_…: a fault with another `auth` */
	unsigned grants; /* CONF_GRANT_BIT()s it belongs to; 0: any. A fault with another `grant` */
	bool later;      /* reserved: not in this version */
	size_t offset;   /* in struct conf, or struct conf_account for "account" */
	int64_t min, max;
	const char *choices, *later_choices; /* words */
	const char *initial;                 /* text, read like the operator's */
	const char *text;                    /* one sentence for the manual */
};
extern const struct conf_keys_row conf_keys_rows[];
extern const unsigned conf_keys_count;
#define CONF_KEYS_NONE ((unsigned)-1)

unsigned conf_keys_find(const char *section, const char *name); /* its row, or CONF_KEYS_NONE */
const char *conf_keys_nearest(const char *section, const char *name);

struct conf_keys_section {
	const char *name;
	bool named; /* [account NAME] */
	bool later;
};
const struct conf_keys_section *conf_keys_section(const char *name); /* NULL: none */
const char *conf_keys_section_nearest(const char *name);

/* conf_value.c: text ─► field. ND_ECONF; the field is untouched then. */
enum nd_err conf_value_set(const struct conf_keys_row *row, void *base, const struct conf *conf, const char *text,
    struct nd_why *why) ND_MUST_CHECK;
void conf_value_done(const struct conf_keys_row *row, void *base);
void conf_value_list_add(struct conf_list *list, const char *item, size_t len);
void conf_value_list_done(struct conf_list *list);

/* conf_text.c: what a text must look like. Types without a rule of their own pass. */
enum nd_err conf_text_check(enum conf_keys_type type, const char *text, struct nd_why *why) ND_MUST_CHECK;
bool conf_text_account_name(const char *name); /* [a-z0-9][a-z0-9._-]{0,31}, without regard to case */

/* A `host` taken apart: "smtps://[2001:db8::1]:465/" */
struct conf_text_host {
	char name[256]; /* without brackets */
	int64_t port;   /* 0: not said */
	int security;   /* enum conf_security, -1: not said */
};
enum nd_err conf_text_host(const char *text, struct conf_text_host *out, struct nd_why *why) ND_MUST_CHECK;

/* conf_provider.c: presets. Every one of them can be overridden by the key of its name. */
struct conf_provider_row {
	const char *name;
	const char *host, *host_hint;                       /* NULL: must be given */
	int security;                                       /* the port follows it */
	int auth;                                           /* when no credential says otherwise */
	const char *token_url, *authorize_url, *device_url; /* with {tenant}; "" none */
	const char *revoke_url;
	const char *scope;                      /* of the application itself */
	const char *sign_in_scope;              /* after a person's sign-in */
	const char *no_grant[CONF_GRANT_COUNT]; /* why a grant cannot be had here, and the remedy after a newline */
	int64_t connections;                    /* max_connections */
	nd_ms token_margin;                     /* it wants tokens with so long a life before them; 0: as usual */
	nd_ms
	    session_margin; /* it refuses a session that outlives its token: so long before no mail begins; 0: it does not */
	int64_t connections_top; /* what the provider takes from one mailbox; 0 unknown */
	int64_t messages_per_minute, messages_per_day, recipients_per_day, messages_per_recipient_hour; /* 0: none */
	int64_t logins_per_minute, recipients_per_message;
	bool tenant;     /* a Microsoft cloud: client_credentials needs a tenant of one's own */
	bool dsn;        /* it does what DSN promises (RFC 3461), where it offers it */
	bool bearer;     /* a token goes by OAUTHBEARER rather than by XOAUTH2, where both are offered */
	bool own_sender; /* a From that is not the mailbox needs a right of its own */
};
const struct conf_provider_row *conf_provider_row(int provider);
int conf_provider_of_host(const char *host); /* whose it is; CONF_SMTP: nobody's that is known */
/* Puts into the presets what mailboxes like this one get, where that is less. */
void conf_provider_lesser(const struct conf_account *account, struct conf_provider_row *presets);

/* One account while it is checked: what conf_check.c, conf_login.c and conf_warn.c share. */
struct conf_check {
	struct conf *conf;
	struct conf_faults *faults;
	struct conf_account *account;
	const struct conf_provider_row *preset;
};
bool conf_check_given(const struct conf_check *check, const char *key);
/* Given, or a fault already: nothing is to be said about its absence. */
bool conf_check_seen(const struct conf_check *check, const char *key);
/* A fault at the line of its key, else of its account's section. */
void conf_check_fault(const struct conf_check *check, const char *key, const char *hint, struct nd_why *why);
void conf_check_plain(const struct conf_check *check, const char *key, const char *hint, const char *text);
void conf_check_replace(char **field, const char *text);
bool conf_check_loopback(const char *host); /* a name or address of this host */

/* conf_check.c: after all files. */
void conf_check_all(struct conf *conf, struct conf_faults *faults);
/* conf_login.c: how an account proves who it is; what is missing, and what is of no use. */
void conf_login_settle(const struct conf_check *check);
/* conf_limits.c: how much an account may send: the presets, this host's share of them, the text of `share`. */
void conf_limits_settle(const struct conf_check *check);
bool conf_limits_share(const char *text, int64_t *part, int64_t *of);
/* conf_warn.c: what works, but not as somebody might think. */
void conf_warn_account(const struct conf_check *check);

/* conf.c */
void conf_fault_add(struct conf_faults *faults, const char *file, unsigned line, const char *field, struct nd_why *why);

#endif
