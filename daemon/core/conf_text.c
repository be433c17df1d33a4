/* SPDX-License-Identifier: Apache-2.0 */
/* conf_text.c - what the text of a setting must look like, by its type.  Layer: core.  Pure.
 *
 * A check never puts a reference, an id or a URL into its fault: people paste secrets there.
 */
#include "daemon/core/conf_inner.h"

#include "common/idn.h"
#include "common/stamp.h"

#include <string.h>

typedef enum nd_err check_fn(const char *text, struct nd_why *why);

static bool
all_of(const char *text, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!plain && (c == '\0' || strchr(more, c) == NULL))
			return false;
	}
	return len > 0;
}

static bool
is_host_name(const char *text, size_t len)
{
	if (len == 0 || len > 253 || text[0] == '.' || text[0] == '-' || text[len - 1] == '.')
		return false;
	for (size_t i = 1; i < len; i++) {
		if (text[i] == '.' && text[i - 1] == '.')
			return false;
	}
	return all_of(text, len, "._-");
}

/* A name of any script that DNS can be asked for. */
static bool
is_any_host(const char *text, size_t len, struct nd_why *why)
{
	char name[IDN_DOMAIN_SIZE], ascii[IDN_DOMAIN_SIZE];

	if (is_host_name(text, len))
		return true;
	if (len == 0 || len >= sizeof(name) || nd_str_ascii(text, len))
		return false;
	memcpy(name, text, len);
	name[len] = '\0';
	return idn_domain(name, ascii, why) == ND_OK && is_host_name(ascii, strlen(ascii));
}

static bool
is_address6(const char *text, size_t len)
{
	size_t colons = 0;

	for (size_t i = 0; i < len; i++) {
		if (strchr("0123456789abcdefABCDEF:.", text[i]) == NULL)
			return false;
		colons += text[i] == ':';
	}
	return colons >= 2 && colons <= 8 && len <= 45;
}

static enum nd_err
host_fault(struct nd_why *why, const char *what)
{
	(void)nd_fail(why, ND_ECONF, 0, "%s", what);
	return nd_fail_at(
	    why, "", 0, "such as smtp.contoso.com, relay:2525, [2001:db8::25]:587 or smtps://mail.contoso.com");
}

/* Takes the scheme off; it may say how the connection is protected. */
static const char *
skip_scheme(const char *text, int *security)
{
	static const struct {
		const char *scheme;
		int security;
	} schemes[] = { { "smtp://", -1 }, { "smtps://", CONF_TLS }, { "submission://", CONF_STARTTLS },
		{ "submissions://", CONF_TLS } };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (nd_str_starts_nocase(text, schemes[i].scheme)) {
			*security = schemes[i].security;
			return text + strlen(schemes[i].scheme);
		}
	}
	return text;
}

/* "name:port", "address", "[address]:port" => the name and where the port begins (NULL: none). */
static bool
split_port(const char *text, size_t len, const char **name, size_t *name_len, const char **port, struct nd_why *why)
{
	const char *colon = memchr(text, ':', len);

	*name = text;
	*name_len = len;
	*port = NULL;
	if (len > 0 && text[0] == '[') {
		const char *close = memchr(text, ']', len);

		if (close == NULL || (close + 1 < text + len && close[1] != ':'))
			return false;
		*name = text + 1;
		*name_len = (size_t)(close - *name);
		*port = close + 1 < text + len ? close + 2 : NULL;
		return is_address6(*name, *name_len);
	}
	/* more than one colon: an address without brackets, which cannot have a port */
	if (colon != NULL && memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)) == NULL) {
		*name_len = (size_t)(colon - text);
		*port = colon + 1;
	}
	return is_any_host(*name, *name_len, why) || is_address6(*name, *name_len);
}

enum nd_err
conf_text_host(const char *text, struct conf_text_host *out, struct nd_why *why)
{
	struct conf_text_host host = { .security = -1 };
	const char *rest = skip_scheme(text, &host.security);
	size_t len = strlen(rest), name_len;
	const char *name, *port;
	char digits[8] = "";
	struct nd_why inner = { 0 };

	if (rest != text && len > 0 && rest[len - 1] == '/')
		len--;
	if (memchr(rest, '@', len) != NULL)
		return host_fault(why, "no user or password may stand in host; they have their own keys");
	if (memchr(rest, '/', len) != NULL)
		return host_fault(
		    why, "only smtp://, smtps:// and submission:// may stand before a host, and no path after it");
	if (!split_port(rest, len, &name, &name_len, &port, &inner))
		return host_fault(why, inner.text[0] != '\0' ? inner.text : "it is not a host name or an address");
	memcpy(host.name, name, name_len);
	if (port != NULL) {
		size_t n = (size_t)(rest + len - port);

		memcpy(digits, port, n < sizeof(digits) ? n : sizeof(digits) - 1);
		if (n >= sizeof(digits) || !nd_str_int(digits, 1, 65535, &host.port))
			return host_fault(why, "the port is not a number from 1 to 65535");
	}
	*out = host;
	return ND_OK;
}

bool
conf_text_account_name(const char *name)
{
	size_t len = strlen(name);

	return len <= 32 && all_of(name, len, "._-") && strchr("._-", name[0]) == NULL;
}

static enum nd_err
check_hostname(const char *text, struct nd_why *why)
{
	if (is_host_name(text, strlen(text)))
		return ND_OK;
	(void)nd_fail(why, ND_ECONF, 0, "\"%.60s\" is not a host name", text);
	return nd_fail_at(why, "", 0, "letters, digits, - and dots; names of other scripts in their xn-- form");
}

static enum nd_err
check_host(const char *text, struct nd_why *why)
{
	struct conf_text_host host;

	return conf_text_host(text, &host, why);
}

static enum nd_err
check_mailbox(const char *text, struct nd_why *why)
{
	char ascii[IDN_ADDRESS_SIZE];
	struct nd_mailbox box = { 0 };
	struct nd_why inner = { 0 };
	enum nd_err err;

	if (nd_str_mailbox(text, strlen(text), &box, &inner) != ND_OK) {
		(void)nd_fail(why, ND_ECONF, 0, "\"%.60s\" is not a mail address: %s", text, inner.text);
		return nd_fail_at(why, "", 0, "such as ops@contoso.com or \"Night desk\" <night@contoso.com>");
	}
	err = idn_address(box.address, ascii, &inner);
	nd_mailbox_done(&box);
	if (err != ND_OK) {
		(void)nd_fail(why, ND_ECONF, 0, "\"%.60s\" is not a mail address: %s", text, inner.text);
		return nd_fail_at(why, "", 0, inner.hint);
	}
	return ND_OK;
}

static enum nd_err
check_address(const char *text, struct nd_why *why)
{
	if (strpbrk(text, "<> ") != NULL)
		return nd_fail(why, ND_ECONF, 0, "\"%.60s\" must be an address alone, without a name", text);
	return check_mailbox(text, why);
}

static enum nd_err
check_recipient(const char *text, struct nd_why *why)
{
	if (text[0] == '@')
		return nd_fail(why, ND_ECONF, 0, "\"%.60s\": groups are not in this version", text);
	return check_mailbox(text, why);
}

static enum nd_err
check_reference(const char *text, struct nd_why *why)
{
	static const char hint[] = "write credential:NAME, file:/path, command:/path arguments, env:NAME or "
				   "keyring:NAME, and keep the secret there";

	if (strncmp(text, "credential:", 11) == 0) {
		if (all_of(text + 11, strlen(text + 11), "._-") && text[11] != '.' && strlen(text + 11) <= 128)
			return ND_OK;
		return nd_fail(why, ND_ECONF, 0, "the name after credential: may hold letters, digits, . _ and -");
	}
	if (strncmp(text, "file:", 5) == 0) {
		if (text[5] == '/')
			return ND_OK;
		return nd_fail(why, ND_ECONF, 0, "the path after file: must begin with /");
	}
	if (strncmp(text, "env:", 4) == 0) {
		if (all_of(text + 4, strlen(text + 4), "_") && (text[4] < '0' || text[4] > '9'))
			return ND_OK;
		return nd_fail(why, ND_ECONF, 0, "the name after env: may hold letters, digits and _");
	}
	if (strncmp(text, "keyring:", 8) == 0) {
		if (all_of(text + 8, strlen(text + 8), "._:@-") && strlen(text + 8) <= 128)
			return ND_OK;
		return nd_fail(why, ND_ECONF, 0, "the name after keyring: may hold letters, digits, . _ : @ and -");
	}
	if (strncmp(text, "command:", 8) == 0) {
		if (text[8] == '/')
			return ND_OK;
		return nd_fail(why, ND_ECONF, 0, "the path after command: must begin with /");
	}
	(void)nd_fail(why, ND_ECONF, 0, "secrets are never in the file");
	return nd_fail_at(why, "", 0, hint);
}

static enum nd_err
check_share(const char *text, struct nd_why *why)
{
	int64_t part, of;

	if (conf_limits_share(text, &part, &of))
		return ND_OK;
	return nd_fail(why, ND_ECONF, 0, "\"%.40s\" is not a part such as 1/20", text);
}

static enum nd_err
check_date(const char *text, struct nd_why *why)
{
	nd_unix when;

	if (nd_stamp_read(text, &when))
		return ND_OK;
	return nd_fail(why, ND_ECONF, 0, "\"%.40s\" is not a date such as 2027-05-01", text);
}

static enum nd_err
check_path(const char *text, struct nd_why *why)
{
	if (text[0] == '/')
		return ND_OK;
	return nd_fail(why, ND_ECONF, 0, "\"%.80s\" is not an absolute path", text);
}

static enum nd_err
check_url(const char *text, struct nd_why *why)
{
	const char *host = text + 8;
	size_t len = strlen(text);

	if (nd_str_starts_nocase(text, "http://"))
		return nd_fail(why, ND_ECONF, 0, "http:// would send the secret in clear; only https:// is used");
	if (!nd_str_starts_nocase(text, "https://"))
		return nd_fail(why, ND_ECONF, 0, "it must begin with https://");
	if (len > 2000 || !nd_str_ascii(text, len) || strpbrk(text, " \"<>\\^`|#") != NULL)
		return nd_fail(why, ND_ECONF, 0, "it is too long, or holds a character that a URL may not have");
	size_t end = strcspn(host, "/?");
	if (end == 0 || memchr(host, '@', end) != NULL || host[0] == ':')
		return nd_fail(why, ND_ECONF, 0, "the URL has no host, or a user name in it");
	return ND_OK;
}

/* The listener is notifyctl's, on this host; anything else comes back by hand, and then only over https. */
static enum nd_err
check_redirect(const char *text, struct nd_why *why)
{
	static const char *const here[] = { "localhost", "127.0.0.1", "[::1]" };
	size_t len = strlen(text);

	if (nd_str_starts_nocase(text, "https://"))
		return check_url(text, why);
	for (size_t i = 0; nd_str_starts_nocase(text, "http://") && i < sizeof(here) / sizeof(here[0]); i++) {
		const char *rest = text + 7 + strlen(here[i]);

		if (nd_str_starts_nocase(text + 7, here[i]) && (*rest == '\0' || *rest == ':' || *rest == '/') &&
		    len <= 2000 && nd_str_ascii(text, len) && strpbrk(text, " \"<>\\^`|#") == NULL)
			return ND_OK;
	}
	(void)nd_fail(why, ND_ECONF, 0, "it is neither an https:// URL nor http:// to localhost or 127.0.0.1");
	return nd_fail_at(
	    why, "", 0, "such as http://localhost:8080/, exactly as it is registered with the application");
}

static enum nd_err
check_proxy(const char *text, struct nd_why *why)
{
	static const char *const schemes[] = { "http://", "socks5://" };
	struct conf_text_host host = { .port = 0 };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (!nd_str_starts_nocase(text, schemes[i]))
			continue;
		text += strlen(schemes[i]);
		if (strchr(text, '@') != NULL)
			return nd_fail(why, ND_ECONF, 0, "a proxy that asks for a password is not supported");
		if (strstr(text, "://") == NULL && conf_text_host(text, &host, why) == ND_OK && host.port > 0)
			return ND_OK;
		break;
	}
	return nd_fail(why, ND_ECONF, 0, "it is neither http://host:port nor socks5://host:port");
}

/* Four numbers up to 255. */
static bool
is_address4(const char *text)
{
	for (unsigned part = 0; part < 4; part++) {
		const size_t digits = strspn(text, "0123456789");
		char number[4] = "";
		int64_t value;

		if (digits == 0 || digits > 3)
			return false;
		memcpy(number, text, digits);
		if (!nd_str_int(number, 0, 255, &value) || text[digits] != (part < 3 ? '.' : '\0'))
			return false;
		text += digits + (part < 3);
	}
	return true;
}

static enum nd_err
check_ip(const char *text, struct nd_why *why)
{
	if (is_address6(text, strlen(text)) || is_address4(text))
		return ND_OK;
	return nd_fail(why, ND_ECONF, 0, "\"%.60s\" is not an address such as 192.0.2.10 or 2001:db8::10", text);
}

static enum nd_err
check_domain(const char *text, struct nd_why *why)
{
	size_t len = strlen(text);

	if (strcmp(text, "*") == 0 || is_address6(text, len) ||
	    is_host_name(text + (text[0] == '.'), len - (text[0] == '.')))
		return ND_OK;
	return nd_fail(why, ND_ECONF, 0, "\"%.60s\" is not a host or domain", text);
}

static enum nd_err
check_pin(const char *text, struct nd_why *why)
{
	size_t len = strlen(text);

	if (len == 44 && all_of(text, 43, "+/") && text[43] == '=')
		return ND_OK;
	(void)nd_fail(why, ND_ECONF, 0, "\"%.60s\" is not the base64 of a SHA-256 digest (44 characters)", text);
	return nd_fail_at(why, "", 0, "notifyctl account trust NAME prints the line");
}

static enum nd_err
check_tenant(const char *text, struct nd_why *why)
{
	if (is_host_name(text, strlen(text)))
		return ND_OK;
	(void)nd_fail(why, ND_ECONF, 0, "it is neither a tenant ID nor a domain");
	return nd_fail_at(why, "", 0, "copy \"Directory (tenant) ID\" from the application's overview in Entra ID");
}

static enum nd_err
check_id(const char *text, struct nd_why *why)
{
	if (strlen(text) <= 320 && strchr(text, ' ') == NULL)
		return ND_OK;
	return nd_fail(why, ND_ECONF, 0, "it is too long or has a space in it");
}

static enum nd_err
check_name(const char *text, struct nd_why *why)
{
	if (conf_text_account_name(text))
		return ND_OK;
	return nd_fail(why, ND_ECONF, 0, "\"%.60s\" is not the name of an account", text);
}

static enum nd_err
check_allowed(const char *text, struct nd_why *why)
{
	struct nd_why inner = { 0 };

	if (strcmp(text, "*") == 0)
		return ND_OK;
	if (text[0] == '@' && is_any_host(text + 1, strlen(text + 1), &inner))
		return ND_OK;
	if (text[0] == '@' && inner.text[0] != '\0') {
		(void)nd_fail(why, ND_ECONF, 0, "%s", inner.text);
		return nd_fail_at(why, "", 0, inner.hint);
	}
	if (strchr(text, '@') == NULL && is_any_host(text, strlen(text), &inner)) {
		(void)nd_fail(why, ND_ECONF, 0, "\"%.60s\" has no @", text);
		return nd_fail_at(why, "", 0, "a whole domain is written @contoso.com");
	}
	return check_address(text, why);
}

static enum nd_err
check_pattern(const char *text, struct nd_why *why)
{
	if (nd_str_utf8(text, strlen(text)) && !nd_str_has_control(text, strlen(text)) &&
	    strpbrk(text, " <>\"") == NULL)
		return ND_OK;
	return nd_fail(why, ND_ECONF, 0, "\"%.60s\" is not a pattern of addresses, such as *@contoso.com", text);
}

/* clang-format off */
static check_fn *const checks[CONF_KEYS_TYPE_COUNT] = {
	[CONF_KEYS_HOSTNAME]  = check_hostname,
	[CONF_KEYS_HOST]      = check_host,
	[CONF_KEYS_MAILBOX]   = check_mailbox,
	[CONF_KEYS_ADDRESS]   = check_address,
	[CONF_KEYS_REFERENCE] = check_reference,
	[CONF_KEYS_DATE]      = check_date,
	[CONF_KEYS_PATH]      = check_path,
	[CONF_KEYS_URL]       = check_url,
	[CONF_KEYS_TENANT]    = check_tenant,
	[CONF_KEYS_ID]        = check_id,
	[CONF_KEYS_MAILBOXES] = check_recipient,
	[CONF_KEYS_NAMES]     = check_name,
	[CONF_KEYS_ALLOWED]   = check_allowed,
	[CONF_KEYS_PATTERNS]  = check_pattern,
	[CONF_KEYS_REDIRECT]  = check_redirect,
	[CONF_KEYS_PROXY]     = check_proxy,
	[CONF_KEYS_IP]        = check_ip,
	[CONF_KEYS_SHARE]     = check_share,
	[CONF_KEYS_DOMAINS]   = check_domain,
	[CONF_KEYS_PINS]      = check_pin,
};
/* clang-format on */

enum nd_err
conf_text_check(enum conf_keys_type type, const char *text, struct nd_why *why)
{
	return checks[type] == NULL ? ND_OK : checks[type](text, why);
}
