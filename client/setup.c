/* SPDX-License-Identifier: Apache-2.0 */
/* setup.c - the questions and settings of notifyctl setup, and the writer of its sheets.  Layer: client.  Pure. */
#include "client/setup.h"

#include "client/setup_sheets.h"
#include "common/str.h"

#include <stdio.h>
#include <string.h>

#define MICROSOFT                                                                                                      \
	"provider = {provider}\nfrom = {from}\nuser = {user}\nauth = oauth2\ntenant = {tenant}\nclient_id = "          \
	"{client_id}\n"
#define CERTIFICATE "certificate = {certificate}\nkey = credential:{name}-key\n"
#define GOOGLE "provider = google\nfrom = {from}\nuser = {user}\n"

/* clang-format off */
const struct setup_question setup_questions[SETUP_VALUES] = {
	[SETUP_NAME]      = { 'n', "name",      "a name for the account", NULL },
	[SETUP_FROM]      = { 'f', "from",      "the address mails come from, as \"Alerts <alerts@example.com>\"", NULL },
	[SETUP_USER]      = { 'u', "user",      "the mailbox or user that logs in", NULL },
	[SETUP_TENANT]    = { 't', "tenant",    "the Directory (tenant) ID, from the application's overview in Entra ID", NULL },
	[SETUP_CLIENT_ID] = { 'c', "client_id", "the application (client) ID", "the client JSON of Google's console is given as the secret, and has it" },
	[SETUP_HOST]      = { 'h', "host",      "the mail server, with :port when it is not 587", NULL },
	[SETUP_CERTIFICATE] = { '\0', "certificate", "", NULL }, /* made, not asked for */
	[SETUP_THUMBPRINT] = { '\0', "thumbprint", "", NULL },
	[SETUP_PEM]       = { '\0', "pem", "", NULL },
	[SETUP_ADDRESS]   = { '\0', "address",   "", NULL },      /* taken from `from` */
	[SETUP_PROVIDER]  = { '\0', "provider",  "", NULL },
	[SETUP_EXPIRES]   = { 'e', "expires",   "the last day of the client secret, as 2027-05-01", "not known yet" },
};

const struct setup_variant_row setup_variants[SETUP_VARIANTS] = {
	[SETUP_USGOV] = { "usgov", "microsoft-usgov" },
	[SETUP_DOD] = { "dod", "microsoft-dod" },
	[SETUP_CHINA] = { "china", "microsoft-china" },
	[SETUP_HVE] = { NULL, "microsoft-hve" },
};

const struct setup_way_row setup_ways[SETUP_WAYS] = {
	[SETUP_MS_APP] = { "microsoft", "client_credentials", "m365", "nfutcE", MICROSOFT "grant = client_credentials\nclient_secret = credential:{name}\n", false },
	[SETUP_MS_RBAC] = { "microsoft", "rbac", "m365", "nfutcE", MICROSOFT "grant = client_credentials\nclient_secret = credential:{name}\n", false },
	[SETUP_MS_APP_CERT] = { "microsoft", "client_credentials", "m365", "nfutc", MICROSOFT "grant = client_credentials\n" CERTIFICATE, true },
	[SETUP_MS_RBAC_CERT] = { "microsoft", "rbac", "m365", "nfutc", MICROSOFT "grant = client_credentials\n" CERTIFICATE, true },
	[SETUP_MS_CODE] = { "microsoft", "authorization_code", "m365", "nfutc", MICROSOFT "grant = authorization_code\n", false },
	[SETUP_MS_DEVICE] = { "microsoft", "device_code", "m365", "nfutc", MICROSOFT "grant = device_code\n", false },
	[SETUP_GOOGLE_CODE] = { "google", "authorization_code", "gmail", "nfuC",
	  GOOGLE "auth = oauth2\ngrant = authorization_code\nclient_secret = credential:{name}\n", false },
	[SETUP_GOOGLE_SERVICE] = { "google", "jwt_bearer", "gmail", "nfu",
	  GOOGLE "auth = oauth2\ngrant = jwt_bearer\nkey = credential:{name}-key\n", false },
	[SETUP_GOOGLE_PASSWORD] = { "google", "password", "gmail", "nfu",
	  GOOGLE "auth = password\npassword = credential:{name}\n", false },
	[SETUP_SES] = { "ses", "password", "ses", "nfuh",
	  "provider = ses\nhost = {host}\nfrom = {from}\nauth = password\nuser = {user}\npassword = credential:{name}\n", false },
	[SETUP_SMTP] = { "smtp", "password", "relay", "nfuh",
	  "provider = smtp\nhost = {host}\nfrom = {from}\nauth = password\nuser = {user}\npassword = credential:{name}\n", false },
	[SETUP_SMTP_OPEN] = { "smtp", "none", "relay", "nfh",
	  "provider = smtp\nhost = {host}\nfrom = {from}\nauth = none\n", false },
};
/* clang-format on */

static const char *
named(const struct setup *setup, const char *start, size_t len, const char **key)
{
	for (unsigned i = 0; i < SETUP_VALUES; i++)
		if (strlen(setup_questions[i].key) == len && strncmp(setup_questions[i].key, start, len) == 0) {
			*key = setup_questions[i].key;
			return setup->value[i];
		}
	*key = NULL;
	return NULL;
}

static void
put_value(const char *value, bool quoted, struct nd_buf *out)
{
	for (; *value != '\0'; value++) {
		if (quoted && *value == '\'')
			(void)nd_buf_addc(out, '\'');
		(void)nd_buf_addc(out, *value);
	}
}

void
setup_fill(const struct setup *setup, const char *text, bool quoted, struct nd_buf *out)
{
	const char *value, *key;
	size_t len;

	for (; *text != '\0'; text++) {
		len = *text == '{' ? strcspn(text + 1, "} ") : 0;
		if (len == 0 || text[len + 1] != '}') {
			(void)nd_buf_addc(out, *text);
			continue;
		}
		value = named(setup, text + 1, len, &key);
		if (value != NULL && value[0] != '\0')
			put_value(value, quoted, out);
		else
			nd_buf_addf(out, "<%.*s>", (int)len, text + 1);
		text += len + 1;
	}
}

void
setup_settings(const struct setup *setup, struct nd_buf *out)
{
	const char *expires = setup->value[SETUP_EXPIRES], *client = setup->value[SETUP_CLIENT_ID];

	setup_fill(setup, "[account {name}]\n", false, out);
	setup_fill(setup, setup_ways[setup->way].settings, false, out);
	if (setup->way == SETUP_GOOGLE_CODE && client != NULL && client[0] != '\0')
		setup_fill(setup, "client_id = {client_id}\n", false, out);
	if (expires != NULL && expires[0] != '\0')
		setup_fill(setup, "client_secret_expires = {expires}\n", false, out);
}

/* Mails come from another address than that of the mailbox which logs in. */
static bool
foreign(const struct setup *setup)
{
	const char *address = setup->value[SETUP_ADDRESS], *user = setup->value[SETUP_USER];

	return address != NULL && user != NULL && !nd_str_eq_nocase(address, user);
}

/* By which anybody may sign in, of whatever tenant. */
static bool
tenants(const struct setup *setup)
{
	static const char *const words[] = { "common", "organizations", "consumers" };
	const char *tenant = setup->value[SETUP_TENANT];

	for (size_t i = 0; tenant != NULL && i < sizeof(words) / sizeof(words[0]); i++)
		if (nd_str_eq_nocase(tenant, words[i]))
			return true;
	return false;
}

static bool
concerns(const struct setup_line *line, const struct setup *setup)
{
	const bool hve = setup->variant == SETUP_HVE, nation = setup->variant < SETUP_HVE;

	return (line->ways & 1u << setup->way) != 0 && !(line->ways & (hve ? SETUP_NOT_HVE : SETUP_ONLY_HVE)) &&
	       !(line->ways & (nation ? SETUP_WORLD : SETUP_NATION)) &&
	       ((line->ways & SETUP_FOREIGN) == 0 || foreign(setup)) &&
	       !(line->ways & (tenants(setup) ? SETUP_TENANT_OWN : SETUP_TENANT_NONE));
}

/* As they are, to be copied. */
static void
put_lines(const char *text, const char *start, struct nd_buf *out)
{
	size_t len;

	for (; *text != '\0'; text += len) {
		len = strcspn(text, "\n");
		len += text[len] == '\n';
		(void)nd_buf_adds(out, start);
		(void)nd_buf_add(out, text, len);
	}
}

void
setup_sheet(const struct setup *setup, enum explain_lang lang, const char *start, struct nd_buf *out)
{
	unsigned step = 0;
	const struct setup_line *line = setup_sheets;

	for (; line->en != NULL; line++) {
		const char *text = lang == EXPLAIN_JA && line->ja != NULL ? line->ja : line->en;
		bool script = text[0] == ' ';

		if (!concerns(line, setup))
			continue;
		if (line->ways & SETUP_LINES) {
			put_lines(setup->value[SETUP_PEM] != NULL ? setup->value[SETUP_PEM] : "", start, out);
			continue;
		}
		(void)nd_buf_adds(out, start);
		if (line->ways & SETUP_STEP)
			nd_buf_addf(out, "%u. ", ++step);
		else if (!script && step > 0)
			(void)nd_buf_adds(out, "   ");
		setup_fill(setup, text, script, out);
		(void)nd_buf_addc(out, '\n');
	}
}
