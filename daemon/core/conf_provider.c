/* SPDX-License-Identifier: Apache-2.0 */
/* conf_provider.c - the presets of the providers.  Layer: core.  Pure.
 *
 * From the providers' own documents where they publish them. The port is not here: it follows `security`.
 */
#include "daemon/core/conf_inner.h"

/* clang-format off */
#define ENTRA_TOKEN(host) "https://" host "/{tenant}/oauth2/v2.0/token"

/* One mailbox of Exchange Online takes three submissions at a time; two leave one for another host. */
static const struct conf_provider_row providers[CONF_PROVIDER_COUNT] = {
	[CONF_MICROSOFT] = {
		.name = "microsoft", .host = "smtp.office365.com",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2,
		.token_url = ENTRA_TOKEN("login.microsoftonline.com"),
		.scope = "https://outlook.office365.com/.default",
		.connections = 2, .connections_top = 3, .tenant = true },
	[CONF_MICROSOFT_USGOV] = {
		.name = "microsoft-usgov", .host = "smtp.office365.us",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2,
		.token_url = ENTRA_TOKEN("login.microsoftonline.us"),
		.scope = "https://outlook.office365.us/.default",
		.connections = 2, .connections_top = 3, .tenant = true },
	[CONF_MICROSOFT_DOD] = {
		.name = "microsoft-dod", .host = "outlook-dod.office365.us",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2,
		.token_url = ENTRA_TOKEN("login.microsoftonline.us"),
		.scope = "https://outlook.office365.us/.default",
		.connections = 2, .connections_top = 3, .tenant = true },
	[CONF_MICROSOFT_CHINA] = {
		.name = "microsoft-china", .host = "smtp.partner.outlook.cn",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2,
		.token_url = ENTRA_TOKEN("login.partner.microsoftonline.cn"),
		.scope = "https://partner.outlook.cn/.default",
		.connections = 2, .connections_top = 3, .tenant = true },
	[CONF_MICROSOFT_HVE] = {
		.name = "microsoft-hve", .host = "smtp.hve.mx.microsoft",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2,
		.token_url = ENTRA_TOKEN("login.microsoftonline.com"),
		.scope = "https://outlook.office.com/.default",
		.connections = 2, .tenant = true },
	[CONF_GOOGLE] = {
		.name = "google", .host = "smtp.gmail.com",
		.security = CONF_STARTTLS, .auth = CONF_OAUTH2,
		.token_url = "https://oauth2.googleapis.com/token",
		.scope = "https://mail.google.com/",
		.connections = 2, .no_client_credentials = true },
	[CONF_GOOGLE_RELAY] = {
		.name = "google-relay", .host = "smtp-relay.gmail.com",
		.security = CONF_STARTTLS, .auth = CONF_NO_AUTH,
		.token_url = "https://oauth2.googleapis.com/token",
		.scope = "https://mail.google.com/",
		.connections = 2, .no_client_credentials = true },
	[CONF_SES] = {
		.name = "ses", .host_hint = "host = email-smtp.REGION.amazonaws.com",
		.security = CONF_STARTTLS, .auth = CONF_PASSWORD,
		.token_url = "", .scope = "", .connections = 4 },
	[CONF_SMTP] = {
		.name = "smtp", .host_hint = "give host, or name a provider: provider = microsoft, google, ses …",
		.security = CONF_STARTTLS, .auth = CONF_NO_AUTH, .token_url = "", .scope = "", .connections = 2 },
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
