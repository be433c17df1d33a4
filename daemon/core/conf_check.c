/* SPDX-License-Identifier: Apache-2.0 */
/* conf_check.c - presets and defaults filled in, then what one setting alone cannot show.  Layer: core.  Pure. */
#include "daemon/core/conf_inner.h"

#include "common/idn.h"
#include "common/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct conf_mark *
mark_of(const struct conf_mark *marks, const char *section, const char *key)
{
	unsigned row = conf_keys_find(section, key);

	assert(row != CONF_KEYS_NONE);
	return &marks[row];
}

bool
conf_check_given(const struct conf_check *check, const char *key)
{
	return mark_of(check->account->marks, "account", key)->given;
}

bool
conf_check_seen(const struct conf_check *check, const char *key)
{
	const struct conf_mark *mark = mark_of(check->account->marks, "account", key);

	return mark->given || mark->bad;
}

void
conf_check_fault(const struct conf_check *check, const char *key, const char *hint, struct nd_why *why)
{
	const struct conf_mark *mark = mark_of(check->account->marks, "account", key);
	unsigned file = mark->line > 0 ? mark->file : check->account->file;
	unsigned line = mark->line > 0 ? mark->line : check->account->line;
	char field[80];

	(void)snprintf(field, sizeof(field), "[account %s] %s", check->account->name, key);
	(void)nd_fail_at(why, field, line, hint);
	conf_fault_add(check->faults, check->conf->files.items[file], line, field, why);
}

void
conf_check_plain(const struct conf_check *check, const char *key, const char *hint, const char *text)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ECONF, 0, "%s", text);
	conf_check_fault(check, key, hint, &why);
}

void
conf_check_replace(char **field, const char *text)
{
	char *copy = nd_xstrdup(text);

	free(*field);
	*field = copy;
}

static void
replace_empty(char **field, const char *text)
{
	if ((*field)[0] == '\0')
		conf_check_replace(field, text);
}

static const char *const security_words[] = { "starttls", "tls", "none" };

/* host: name, port and security said in one text. */
static void
settle_host(const struct conf_check *check)
{
	static const int64_t ports[] = { [CONF_STARTTLS] = 587, [CONF_TLS] = 465, [CONF_PLAIN] = 25 };
	struct conf_account *account = check->account;
	struct conf_text_host host = { .security = -1 };
	struct nd_why why;

	if (!conf_check_seen(check, "host") && check->preset->host == NULL)
		conf_check_plain(check, "host", check->preset->host_hint, "it is missing");
	if (!conf_check_given(check, "host"))
		conf_check_replace(&account->host, check->preset->host == NULL ? "" : check->preset->host);
	if (account->host[0] != '\0' && conf_text_host(account->host, &host, &why) == ND_OK)
		conf_check_replace(&account->host, host.name);
	if (!conf_check_given(check, "security"))
		account->security = host.security >= 0 ? host.security : check->preset->security;
	else if (host.security >= 0 && host.security != account->security) {
		(void)nd_fail(&why, ND_ECONF, 0, "it says %s, but the scheme in host says %s",
		    security_words[account->security], security_words[host.security]);
		conf_check_fault(check, "security", NULL, &why);
	}
	if (!conf_check_given(check, "port"))
		account->port = host.port > 0 ? host.port : ports[account->security];
	else if (host.port > 0 && host.port != account->port) {
		(void)nd_fail(&why, ND_ECONF, 0, "it says %lld, but host says %lld", (long long)account->port,
		    (long long)host.port);
		conf_check_fault(check, "port", NULL, &why);
	}
}

bool
conf_check_loopback(const char *host)
{
	if (nd_str_eq_nocase(host, "localhost") || strcmp(host, "::1") == 0)
		return true;
	/* only an address: a name may begin so too */
	return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host);
}

static void
check_security(const struct conf_check *check)
{
	const struct conf_account *account = check->account;

	if (account->security != CONF_PLAIN)
		return;
	if (account->auth == CONF_OAUTH2)
		conf_check_plain(
		    check, "security", "set security = starttls or tls", "a token is never sent without TLS");
	else if (account->auth == CONF_PASSWORD && account->smtp_proxy[0] != '\0')
		conf_check_plain(check, "security", "set security = starttls or tls",
		    "a password is never sent without TLS through a proxy");
	else if (account->auth == CONF_PASSWORD && account->host[0] != '\0' && !conf_check_loopback(account->host))
		conf_check_plain(check, "security", "set security = starttls or tls",
		    "a password is sent without TLS to a loopback address only");
}

static void
check_way(const struct conf_check *check)
{
	const struct conf_account *account = check->account;
	const bool six = strchr(account->bind, ':') != NULL;

	if (account->bind[0] != '\0' && account->family != CONF_ANY_FAMILY && six != (account->family == CONF_IPV6))
		conf_check_plain(
		    check, "family", "take family out: bind decides", "bind is an address of the other kind");
}

static void
settle_names(const struct conf_check *check)
{
	struct conf_account *account = check->account;
	char wire[IDN_ADDRESS_SIZE], host[IDN_DOMAIN_SIZE];
	struct nd_why why;

	if (!conf_check_seen(check, "from"))
		conf_check_plain(check, "from", "such as from = alerts@contoso.com", "it is missing");
	if (account->from[0] != '\0' &&
	    nd_str_mailbox(account->from, strlen(account->from), &account->from_box, &why) == ND_OK) {
		/* Mailboxes are kept, and known to servers, by the ASCII form of their domain. */
		replace_empty(&account->user, idn_wire(account->from_box.address, wire));
		replace_empty(&account->envelope_from, account->from_box.address);
	}
	replace_empty(&account->tls_name, idn_host(account->host, host)); /* as certificates have it */
	replace_empty(&account->ehlo, check->conf->hostname);
}

static void
check_connections(const struct conf_check *check)
{
	struct conf_account *account = check->account;
	int64_t top = check->preset->connections_top;
	struct nd_why why;

	if (!conf_check_given(check, "max_connections"))
		account->max_connections = check->preset->connections;
	if (top == 0 || account->max_connections <= top || strcmp(account->host, check->preset->host) != 0)
		return;
	(void)nd_fail(
	    &why, ND_ECONF, 0, "%s takes at most %lld sessions of one mailbox", account->host, (long long)top);
	conf_check_fault(check, "max_connections", NULL, &why);
}

/* What else a provider is known for. */
static void
settle_manners(const struct conf_check *check)
{
	if (!conf_check_given(check, "dsn"))
		check->account->dsn = check->preset->dsn;
	if (!conf_check_given(check, "token_margin") && check->preset->token_margin > 0)
		check->account->token_margin = check->preset->token_margin;
}

static void
check_account(const struct conf_check *check)
{
	settle_host(check);
	settle_manners(check);
	settle_names(check);
	conf_login_settle(check);
	check_security(check);
	check_way(check);
	check_connections(check);
	conf_limits_settle(check);
	conf_warn_account(check);
}

/* A fault of [daemon] or [queue], at the line of its key. */
static void
general_fault(
    const struct conf_check *check, const char *section, const char *key, const char *hint, struct nd_why *why)
{
	const struct conf_mark *mark = mark_of(check->conf->marks, section, key);
	char field[80];

	(void)snprintf(field, sizeof(field), "[%s] %s", section, key);
	(void)nd_fail_at(why, field, mark->line, hint);
	conf_fault_add(check->faults, check->conf->files.items[mark->file], mark->line, field, why);
}

static void
check_listed(const struct conf_check *check, unsigned n)
{
	struct conf_list *list = &check->conf->accounts;
	const struct conf_account *account = conf_account_named(check->conf, list->items[n]);
	const char *names[CONF_MAX_ACCOUNTS + 1] = { NULL };
	char hint[80];
	struct nd_why why;

	for (unsigned i = 0; i < n; i++) {
		if (nd_str_eq_nocase(list->items[i], list->items[n])) {
			(void)nd_fail(&why, ND_ECONF, 0, "\"%.40s\" is listed twice", list->items[n]);
			general_fault(check, "daemon", "accounts", NULL, &why);
			return;
		}
	}
	if (account != NULL) {
		conf_check_replace(&list->items[n], account->name);
		return;
	}
	for (unsigned i = 0; i < check->conf->account_count; i++)
		names[i] = check->conf->account[i].name;
	const char *nearest = nd_str_nearest(list->items[n], names);
	(void)nd_fail(&why, ND_ECONF, 0, "there is no [account %.40s]", list->items[n]);
	if (nearest != NULL)
		(void)snprintf(hint, sizeof(hint), "did you mean %s?", nearest);
	general_fault(check, "daemon", "accounts", nearest != NULL ? hint : NULL, &why);
}

static void
check_accounts(const struct conf_check *check)
{
	struct conf *conf = check->conf;

	if (conf->accounts.count == 0 && !mark_of(conf->marks, "daemon", "accounts")->bad) {
		for (unsigned i = 0; i < conf->account_count; i++)
			conf_value_list_add(&conf->accounts, conf->account[i].name, strlen(conf->account[i].name));
		return;
	}
	for (unsigned i = 0; i < conf->accounts.count; i++)
		check_listed(check, i);
}

static void
check_ages(const struct conf_check *check)
{
	struct conf *conf = check->conf;
	struct nd_why why;

	if (conf->expires_in <= conf->max_age)
		return;
	if (!mark_of(conf->marks, "queue", "expires_in")->given) {
		conf->expires_in = conf->max_age; /* the default gives way */
		return;
	}
	(void)nd_fail(&why, ND_ECONF, 0, "it is longer than max_age");
	general_fault(check, "queue", "expires_in", "raise max_age too", &why);
}

void
conf_check_all(struct conf *conf, struct conf_faults *faults)
{
	struct conf_check check = { .conf = conf, .faults = faults };

	for (unsigned i = 0; i < conf->account_count; i++) {
		check.account = &conf->account[i];
		check.preset = conf_provider_row(check.account->provider);
		/* whose presets would be meant is not known: what followed would only confuse */
		if (!mark_of(check.account->marks, "account", "provider")->bad)
			check_account(&check);
	}
	check_accounts(&check);
	check_ages(&check);
}
