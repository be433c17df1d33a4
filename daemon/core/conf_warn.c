/* SPDX-License-Identifier: Apache-2.0 */
/* conf_warn.c - settings that work, but not as somebody might think.  Layer: core.  Pure.
 *
 * Nothing here stops a configuration; notifyd --check and notifyctl status show it.
 */
#include "daemon/core/conf_inner.h"

#include "common/buf.h"
#include "common/explain.h"
#include "common/idn.h"

#include <stdio.h>
#include <string.h>

static bool
exchange_online(const struct conf_account *account)
{
	return conf_provider_of_host(account->host) <= CONF_MICROSOFT_CHINA;
}

static bool
is_address(const char *host)
{
	return host[0] != '\0' && (strchr(host, ':') != NULL || strspn(host, "0123456789.") == strlen(host));
}

static bool
of_amazon(const struct conf_account *account)
{
	return nd_str_match("*.amazonaws.com", account->host);
}

static bool
port_against_starttls(const struct conf_account *account)
{
	return account->security == CONF_STARTTLS && account->port == 465 && !exchange_online(account);
}

static bool
port_against_tls(const struct conf_account *account)
{
	return account->security == CONF_TLS && account->port == 587 && !exchange_online(account);
}

static bool
amazons_port_against_starttls(const struct conf_account *account)
{
	return account->security == CONF_STARTTLS && account->port == 2465 && of_amazon(account);
}

static bool
amazons_port_against_tls(const struct conf_account *account)
{
	return account->security == CONF_TLS && account->port == 2587 && of_amazon(account);
}

static bool
port_of_tls_in_clear(const struct conf_account *account)
{
	return account->security == CONF_PLAIN && account->port == 465 && !exchange_online(account);
}

static bool
exchange_by_port_of_tls(const struct conf_account *account)
{
	return exchange_online(account) && account->security != CONF_TLS && account->port == 465;
}

static bool
exchange_without_starttls(const struct conf_account *account)
{
	return exchange_online(account) && account->security == CONF_TLS;
}

static bool
exchange_by_address(const struct conf_account *account)
{
	return account->provider <= CONF_MICROSOFT_HVE && is_address(account->host) &&
	       strcmp(account->tls_name, account->host) == 0;
}

static bool
exchange_by_password(const struct conf_account *account)
{
	return exchange_online(account) && account->auth == CONF_PASSWORD;
}

static bool
mail_in_clear(const struct conf_account *account)
{
	return account->security == CONF_PLAIN && account->host[0] != '\0' && !port_of_tls_in_clear(account) &&
	       (account->smtp_proxy[0] != '\0' || !conf_check_loopback(account->host));
}

static bool
throttled_port(const struct conf_account *account)
{
	return of_amazon(account) && account->port == 25;
}

static bool
foreign_sender(const struct conf_account *account)
{
	return account->from_box.address != NULL && account->auth != CONF_NO_AUTH &&
	       strchr(account->user, '@') != NULL && !idn_same_address(account->from_box.address, account->user);
}

static bool
foreign_at_google(const struct conf_account *account)
{
	return account->provider == CONF_GOOGLE && foreign_sender(account);
}

static bool
foreign_at_exchange(const struct conf_account *account)
{
	return account->provider < CONF_MICROSOFT_HVE && foreign_sender(account);
}

/* Nobody signs in: the mailbox is that of the settings, the token the application's own. */
static bool
foreign_by_application(const struct conf_account *account)
{
	return account->auth == CONF_OAUTH2 &&
	       (account->grant == CONF_CLIENT_CREDENTIALS || account->grant == CONF_MANAGED_IDENTITY) &&
	       foreign_at_exchange(account);
}

static bool
foreign_by_person(const struct conf_account *account)
{
	return foreign_at_exchange(account) && !foreign_by_application(account);
}

static bool
foreign_at_hve(const struct conf_account *account)
{
	return account->provider == CONF_MICROSOFT_HVE && foreign_sender(account);
}

static bool
sender_needs_utf8(const struct conf_account *account)
{
	return account->from_box.address != NULL &&
	       (idn_local(account->from_box.address) || idn_local(account->envelope_from));
}

static bool
is_of(const struct conf_account *account, int first, int last)
{
	const int provider = conf_provider_of_host(account->host);

	return account->provider == CONF_SMTP && provider >= first && provider <= last;
}

static bool
hidden_exchange(const struct conf_account *account)
{
	return is_of(account, CONF_MICROSOFT, CONF_MICROSOFT_HVE);
}

static bool
hidden_google(const struct conf_account *account)
{
	return is_of(account, CONF_GOOGLE, CONF_GOOGLE_RELAY);
}

static bool
hidden_ses(const struct conf_account *account)
{
	return is_of(account, CONF_SES, CONF_SES);
}

#define NO_SEND_AS "the sender is not the mailbox that logs in: Exchange Online refuses it without Send As"
#define SEND_AS "Add-RecipientPermission -Identity {from} -AccessRights SendAs -Trustee {user}"

/* clang-format off */
static const struct rule {
	bool (*holds)(const struct conf_account *account);
	const char *key, *text, *hint; /* hint: with {from} and {user}; NULL the provider of the host */
} rules[] = {
	{ hidden_exchange, "provider", "the host is Microsoft's: with provider = smtp neither its limits nor all of its replies are known", NULL },
	{ hidden_google, "provider", "the host is Google's: with provider = smtp neither its limits nor all of its replies are known", NULL },
	{ hidden_ses, "provider", "the host is Amazon's: with provider = smtp neither its limits nor all of its replies are known", NULL },
	{ port_against_starttls, "port", "465 is the port of TLS from the start, but security = starttls",
	  "set security = tls, or port = 587" },
	{ port_against_tls, "port", "587 is the port of STARTTLS, but security = tls", "set security = starttls, or port = 465" },
	{ amazons_port_against_starttls, "port", "2465 is the port of TLS from the start, but security = starttls",
	  "set security = tls, or port = 2587" },
	{ amazons_port_against_tls, "port", "2587 is the port of STARTTLS, but security = tls", "set security = starttls, or port = 2465" },
	{ port_of_tls_in_clear, "security", "465 is the port of TLS from the start, but security = none: nothing is encrypted",
	  "set security = tls" },
	{ exchange_by_port_of_tls, "port", "Exchange Online offers STARTTLS on port 587 only", "take port out" },
	{ exchange_without_starttls, "security", "Exchange Online offers STARTTLS on port 587 only", "take security and port out" },
	{ exchange_by_address, "host", "Exchange Online must be reached by its name, not by an address", "take host out" },
	{ exchange_by_password, "auth",
	  "Exchange Online retires passwords for SMTP: off by default for existing tenants from the end of December 2026 (an "
	  "administrator can switch them on again), not there for tenants made after that; the day of the removal is announced "
	  "in the second half of 2027",
	  "move to auth = oauth2; notifyctl setup microsoft shows the way" },
	{ mail_in_clear, "security", "mail to this host travels in clear", "set security = starttls when the relay offers it" },
	{ throttled_port, "port", "Amazon throttles port 25", "use port 587 or 2587" },
	{ sender_needs_utf8, "from", "a sender who is not ASCII before the @ needs a server that offers SMTPUTF8; another one holds the account",
	  "notifyctl account test shows what it offers; give an address that is ASCII before the @ where it does not" },
	{ foreign_by_application, "from", NO_SEND_AS, SEND_AS "; then the same with -Trustee and the object ID of the enterprise application" },
	{ foreign_by_person, "from", NO_SEND_AS, SEND_AS "; it takes 15 to 30 minutes" },
	{ foreign_at_hve, "from", "the sender is not the mailbox that logs in: High Volume Email refuses it (5.7.62, 5.6.241)",
	  "set from to the address of that mailbox" },
	{ foreign_at_google, "from", "the sender is not the mailbox that logs in: Google replaces it unless it is an alias there",
	  "add it under Settings, Accounts, \"Send mail as\"" },
};
/* clang-format on */

void
conf_warn_account(const struct conf_check *check)
{
	struct conf_check warn = *check;
	const struct explain_facts facts = { .user = check->account->user, .from = check->account->from_box.address };
	char provider[64];
	struct nd_buf hint;
	struct nd_why why;

	(void)snprintf(provider, sizeof(provider), "set provider = %s; host may stay",
	    conf_provider_name(conf_provider_of_host(check->account->host)));

	warn.faults = &check->conf->warnings;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!rules[i].holds(check->account))
			continue;
		(void)nd_fail(&why, ND_ECONF, 0, "%s", rules[i].text);
		nd_buf_init(&hint, 4096);
		explain_fill(rules[i].hint != NULL ? rules[i].hint : provider, &facts, &hint);
		conf_check_fault(&warn, rules[i].key, nd_buf_text(&hint), &why);
		nd_buf_done(&hint);
	}
}
