/* SPDX-License-Identifier: Apache-2.0 */
/* conf_provider.c - the presets of the providers.  Layer: core.  Pure.
 *
 * From the providers' own documents where they publish them. The port is not here: it follows `security`.
 */
#include "daemon/core/conf_inner.h"

#include <string.h>

/* clang-format off */
#define ENTRA(authority)                                                        \
	.token_url = "https://" authority "/{tenant}/oauth2/v2.0/token",        \
	.authorize_url = "https://" authority "/{tenant}/oauth2/v2.0/authorize", \
	.device_url = "https://" authority "/{tenant}/oauth2/v2.0/devicecode",  \
	.revoke_url = "", .tenant = true,                                       \
	.no_grant = { [CONF_JWT_BEARER] = "Microsoft has no service accounts of this kind\n"      \
	    "use grant = client_credentials with certificate and key" }
#define EXCHANGE(host)                                                          \
	.scope = "https://" host "/.default", .sign_in_scope = "https://" host "/SMTP.Send offline_access"
#define GOOGLE                                                                  \
	.token_url = "https://oauth2.googleapis.com/token",                     \
	.authorize_url = "https://accounts.google.com/o/oauth2/v2/auth",        \
	.device_url = "https://oauth2.googleapis.com/device/code",              \
	.revoke_url = "https://oauth2.googleapis.com/revoke",                   \
	.scope = "https://mail.google.com/", .sign_in_scope = "https://mail.google.com/", \
	.no_grant = {                                                           \
	    [CONF_CLIENT_CREDENTIALS] = "Google has no client_credentials grant\n"                    \
		"use grant = authorization_code and notifyctl account login, or jwt_bearer with a service account", \
	    [CONF_DEVICE_CODE] = "Google gives no device code for mail\n"                              \
		"use grant = authorization_code and notifyctl account login NAME --paste",             \
	    [CONF_MANAGED_IDENTITY] = "Google has no managed identities of Azure\n"                    \
		"use grant = jwt_bearer with a service account's key" }
/* Of one mailbox. A reader takes a third of 3,600 an hour from one sender. */
#define EXCHANGE_LIMITS                                                         \
	.messages_per_minute = 30, .recipients_per_day = 10000, .messages_per_recipient_hour = 1000, .recipients_per_message = 100
#define GOOGLE_LIMITS                                                           \
	.recipients_per_day = 10000, .recipients_per_message = 100
#define NO_OAUTH                                                                \
	.token_url = "", .authorize_url = "", .device_url = "", .revoke_url = "", .scope = "", .sign_in_scope = ""

/* One mailbox of Exchange Online takes three submissions at a time; two leave one for another host. */
/* NOLINTBEGIN(bugprone-suspicious-missing-comma): the remedy of a grant that is not there begins on a line of its own */
static const struct conf_provider_row providers[CONF_PROVIDER_COUNT] = {
	[CONF_MICROSOFT] = {
		.name = "microsoft", .host = "smtp.office365.com",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2, ENTRA("login.microsoftonline.com"),
		.scope = "https://outlook.office365.com/.default",
		.sign_in_scope = "https://outlook.office.com/SMTP.Send offline_access",
		.connections = 2, .connections_top = 3, .dsn = true, .own_sender = true, EXCHANGE_LIMITS },
	[CONF_MICROSOFT_USGOV] = {
		.name = "microsoft-usgov", .host = "smtp.office365.us",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2, ENTRA("login.microsoftonline.us"),
		EXCHANGE("outlook.office365.us"),
		.connections = 2, .connections_top = 3, .dsn = true, .own_sender = true, EXCHANGE_LIMITS },
	[CONF_MICROSOFT_DOD] = {
		.name = "microsoft-dod", .host = "outlook-dod.office365.us",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2, ENTRA("login.microsoftonline.us"),
		EXCHANGE("outlook.office365.us"),
		.connections = 2, .connections_top = 3, .dsn = true, .own_sender = true, EXCHANGE_LIMITS },
	[CONF_MICROSOFT_CHINA] = {
		.name = "microsoft-china", .host = "smtp.partner.outlook.cn",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2, ENTRA("login.partner.microsoftonline.cn"),
		EXCHANGE("partner.outlook.cn"),
		.connections = 2, .connections_top = 3, .dsn = true, .own_sender = true, EXCHANGE_LIMITS },
	[CONF_MICROSOFT_HVE] = {
		/* It refuses a token with less than ten minutes left, and a session that outlives its own. */
		.name = "microsoft-hve", .host = "smtp.hve.mx.microsoft", .token_margin = ND_MIN(11), .session_margin = ND_MIN(1),
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2, ENTRA("login.microsoftonline.com"),
		EXCHANGE("outlook.office.com"),
		.connections = 2, .dsn = true, .own_sender = true, .recipients_per_message = 50 },
	[CONF_GOOGLE] = {
		.name = "google", .host = "smtp.gmail.com",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2, GOOGLE,
		.connections = 2, .own_sender = true,
		.messages_per_day = 2000, GOOGLE_LIMITS, .logins_per_minute = 10 },
	[CONF_GOOGLE_RELAY] = {
		.name = "google-relay", .host = "smtp-relay.gmail.com",
		.security = CONF_STARTTLS, .auth = CONF_NO_AUTH, GOOGLE,
		.connections = 2,
		.messages_per_day = 10000, GOOGLE_LIMITS },
	[CONF_SES] = {
		.name = "ses", .host_hint = "host = email-smtp.REGION.amazonaws.com",
		.security = CONF_STARTTLS, .auth = CONF_PASSWORD, NO_OAUTH, .connections = 4,
		.recipients_per_message = 50 },
	[CONF_SMTP] = {
		.name = "smtp", .host_hint = "give host, or name a provider: provider = microsoft, google, ses …",
		.security = CONF_STARTTLS, .auth = CONF_NO_AUTH, NO_OAUTH, .connections = 2, .dsn = true, .bearer = true,
		.recipients_per_message = 50 },
};
/* NOLINTEND(bugprone-suspicious-missing-comma) */

/* Hosts besides those of the presets. */
static const struct {
	const char *pattern;
	int provider;
} hosts[] = {
	{ "smtp-mail.outlook.com", CONF_MICROSOFT },     /* of consumers */
	{ "smtp-legacy.office365.com", CONF_MICROSOFT }, /* with old TLS */
	{ "smtp-hve.office365.com", CONF_MICROSOFT_HVE }, /* its old name */
	{ "email-smtp.*.amazonaws.com", CONF_SES },
};

/* Mailboxes that get less than the preset says, by their domain. Of a consumer's recipients Google tells no figure: more than the 500 that 500 messages
 * have at least is not known to be taken. */
static const struct {
	int provider;
	const char *domain;
	int64_t messages_per_day, recipients_per_day;
} lesser[] = {
	{ CONF_GOOGLE, "gmail.com", 500, 500 },
	{ CONF_GOOGLE, "googlemail.com", 500, 500 },
};
/* clang-format on */

const struct conf_provider_row *
conf_provider_row(int provider)
{
	return &providers[provider >= 0 && provider < CONF_PROVIDER_COUNT ? provider : CONF_SMTP];
}

const char *
conf_provider_name(int provider)
{
	return conf_provider_row(provider)->name;
}

bool
conf_provider_bearer(int provider)
{
	return conf_provider_row(provider)->bearer;
}

nd_ms
conf_provider_session_margin(int provider)
{
	return conf_provider_row(provider)->session_margin;
}

int
conf_provider_of_host(const char *host)
{
	for (int i = 0; i < CONF_PROVIDER_COUNT; i++)
		if (providers[i].host != NULL && nd_str_eq_nocase(providers[i].host, host))
			return i;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (nd_str_match(hosts[i].pattern, host))
			return hosts[i].provider;
	return CONF_SMTP;
}

const char *
conf_provider_server(const struct conf_account *account)
{
	const int known = conf_provider_of_host(account->host);
	const char *server = conf_provider_row(known != CONF_SMTP ? known : account->provider)->host;

	return server != NULL ? server : account->host;
}

void
conf_provider_lesser(const struct conf_account *account, struct conf_provider_row *presets)
{
	const char *box = account->user, *at;

	if (strchr(box, '@') == NULL && account->from_box.address != NULL)
		box = account->from_box.address;
	at = strrchr(box, '@');
	for (size_t i = 0; at != NULL && i < sizeof(lesser) / sizeof(lesser[0]); i++) {
		if (lesser[i].provider != account->provider || !nd_str_eq_nocase(at + 1, lesser[i].domain))
			continue;
		presets->messages_per_day = lesser[i].messages_per_day;
		presets->recipients_per_day = lesser[i].recipients_per_day;
	}
}
