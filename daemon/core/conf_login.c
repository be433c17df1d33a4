/* SPDX-License-Identifier: Apache-2.0 */
/* conf_login.c - how an account proves who it is: what its way of logging in needs, and what is of no use to it.  Layer: core.  Pure.
 */
#include "daemon/core/conf_inner.h"

#include "common/mem.h"

#include <stdio.h>
#include <string.h>

static const char *const auth_words[] = { "oauth2", "password", "none" };
static const char *const grant_words[CONF_GRANT_COUNT] = { "client_credentials", "authorization_code", "device_code",
	"refresh_token", "jwt_bearer", "managed_identity" };

/* What proves the application's identity. */
static const char *const proofs[] = { "client_secret", "certificate", "assertion_file", NULL };

/* What each grant cannot do without. */
/* clang-format off */
static const struct grant {
	bool client_id;
	bool proof;        /* one of `proofs` */
	bool own_tenant;   /* not common, organizations, consumers */
	const char *key;   /* one more key; NULL none */
	const char *hint;  /* where it comes from */
} grants[CONF_GRANT_COUNT] = {
	[CONF_CLIENT_CREDENTIALS] = { .client_id = true, .proof = true, .own_tenant = true },
	[CONF_AUTHORIZATION_CODE] = { .client_id = true, .key = "authorize_url",
	                              .hint = "give the authorization endpoint of the authorization server" },
	[CONF_DEVICE_CODE]        = { .client_id = true, .key = "device_url",
	                              .hint = "give the device authorization endpoint of the authorization server" },
	[CONF_REFRESH_TOKEN]      = { .client_id = true, .key = "refresh_token",
	                              .hint = "such as refresh_token = credential:NAME" },
	[CONF_JWT_BEARER]         = { .key = "key", .hint = "such as key = file:/path/of/the/service-account.json" },
	[CONF_MANAGED_IDENTITY]   = { 0 },
};
/* clang-format on */

const char *
conf_grant_name(int grant)
{
	return grant_words[grant >= 0 && grant < CONF_GRANT_COUNT ? grant : 0];
}

const char *
conf_auth_name(int auth)
{
	static const char *const words[] = {
		[CONF_OAUTH2] = "oauth2", [CONF_PASSWORD] = "password", [CONF_NO_AUTH] = "none"
	};

	return words[auth];
}

const char *
conf_mechanism_name(int mechanism)
{
	static const char *const words[CONF_BY_COUNT] = { [CONF_BY_XOAUTH2] = "XOAUTH2",
		[CONF_BY_OAUTHBEARER] = "OAUTHBEARER",
		[CONF_BY_SCRAM_SHA_256] = "SCRAM-SHA-256",
		[CONF_BY_PLAIN] = "PLAIN",
		[CONF_BY_LOGIN] = "LOGIN",
		[CONF_BY_CRAM_MD5] = "CRAM-MD5" };

	return words[mechanism];
}

const char *
conf_security_name(int security)
{
	static const char *const words[] = { [CONF_STARTTLS] = "starttls", [CONF_TLS] = "tls", [CONF_PLAIN] = "none" };

	return words[security];
}

/* Without `auth`, the credential that is given tells; with both or none, the provider. */
static void
settle_auth(const struct conf_check *check)
{
	static const char *const signs[] = { "client_id", "client_secret", "grant", "certificate", "assertion_file",
		NULL };
	bool password = conf_check_given(check, "password"), oauth = false;

	for (unsigned i = 0; signs[i] != NULL; i++)
		oauth = oauth || conf_check_given(check, signs[i]);
	if (conf_check_given(check, "auth"))
		return;
	check->account->auth = check->preset->auth;
	if (password != oauth)
		check->account->auth = password ? CONF_PASSWORD : CONF_OAUTH2;
}

static void
check_unused(const struct conf_check *check)
{
	const struct conf_account *account = check->account;
	unsigned log_in = account->auth == CONF_OAUTH2     ? CONF_KEYS_FOR_OAUTH
			  : account->auth == CONF_PASSWORD ? CONF_KEYS_FOR_PASSWORD
							   : 0;

	for (unsigned i = 0; i < conf_keys_count; i++) {
		const struct conf_keys_row *row = &conf_keys_rows[i];
		struct nd_why why;

		if (!account->marks[i].given || row->log_in == 0)
			continue;
		if ((row->log_in & log_in) == 0) {
			(void)nd_fail(&why, ND_ECONF, 0, "it has no use with auth = %s", auth_words[account->auth]);
			conf_check_fault(check, row->name, "take it out, or change auth", &why);
		} else if (row->grants != 0 && log_in == CONF_KEYS_FOR_OAUTH &&
			   (row->grants & CONF_GRANT_BIT(account->grant)) == 0) {
			(void)nd_fail(&why, ND_ECONF, 0, "it has no use with grant = %s", grant_words[account->grant]);
			conf_check_fault(check, row->name, "take it out, or change grant", &why);
		}
	}
}

static void
check_missing(const struct conf_check *check, const char *key, const char *hint)
{
	const struct conf_account *account = check->account;
	struct nd_why why;

	if (conf_check_seen(check, key))
		return;
	if (account->auth == CONF_OAUTH2 && account->grant != CONF_CLIENT_CREDENTIALS)
		(void)nd_fail(&why, ND_ECONF, 0, "it is missing, and grant = %s needs it", grant_words[account->grant]);
	else
		(void)nd_fail(&why, ND_ECONF, 0, "it is missing, and auth = %s needs it", auth_words[account->auth]);
	conf_check_fault(check, key, hint, &why);
}

/* A token goes by other mechanisms than a password. */
static void
check_mechanism(const struct conf_check *check)
{
	const struct conf_account *account = check->account;
	const bool of_tokens =
	    account->auth_mechanism == CONF_BY_XOAUTH2 || account->auth_mechanism == CONF_BY_OAUTHBEARER;
	struct nd_why why;

	if (account->auth == CONF_NO_AUTH || account->auth_mechanism == CONF_BY_ANY ||
	    of_tokens == (account->auth == CONF_OAUTH2))
		return;
	(void)nd_fail(&why, ND_ECONF, 0, "%s carries %s, but auth = %s", conf_mechanism_name(account->auth_mechanism),
	    of_tokens ? "a token" : "a password", auth_words[account->auth]);
	conf_check_fault(check, "auth_mechanism",
	    of_tokens ? "one of scram-sha-256, plain, login, cram-md5, any" : "one of xoauth2, oauthbearer, any", &why);
}

/* One proof, not two; a certificate and its key together. */
static void
check_proof(const struct conf_check *check)
{
	const char *first = NULL;
	struct nd_why why;

	for (unsigned i = 0; proofs[i] != NULL; i++) {
		if (!conf_check_given(check, proofs[i]))
			continue;
		if (first != NULL) {
			(void)nd_fail(&why, ND_ECONF, 0, "%s proves the application's identity already", first);
			conf_check_fault(check, proofs[i], "take one of them out", &why);
		}
		first = first != NULL ? first : proofs[i];
	}
	if (grants[check->account->grant].proof && first == NULL && !conf_check_seen(check, "certificate") &&
	    !conf_check_seen(check, "assertion_file"))
		check_missing(
		    check, "client_secret", "such as client_secret = credential:NAME, or certificate and key");
	if (conf_check_given(check, "certificate") != conf_check_given(check, "key") &&
	    check->account->grant != CONF_JWT_BEARER)
		check_missing(
		    check, conf_check_given(check, "key") ? "certificate" : "key", "certificate and key go together");
}

static void
check_tenant(const struct conf_check *check)
{
	static const char *const shared[] = { "common", "organizations", "consumers" };
	struct nd_why why;

	if (!check->preset->tenant || !grants[check->account->grant].own_tenant)
		return;
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		if (!nd_str_eq_nocase(check->account->tenant, shared[i]))
			continue;
		(void)nd_fail(&why, ND_ECONF, 0, "client_credentials needs a tenant of your own, not %s", shared[i]);
		conf_check_fault(check, "tenant",
		    "copy \"Directory (tenant) ID\" from the application's overview in Entra ID", &why);
	}
}

/* {tenant} in a URL. */
static void
settle_url(const struct conf_check *check, char **field, const char *key, const char *preset)
{
	static const char mark[] = "{tenant}";
	const char *tenant = check->account->tenant;
	struct nd_buf url;

	if (!conf_check_given(check, key))
		conf_check_replace(field, preset);
	const char *at = strstr(*field, mark);
	if (at == NULL || tenant[0] == '\0')
		return;
	nd_buf_init(&url, 4096);
	nd_buf_add(&url, *field, (size_t)(at - *field));
	nd_buf_adds(&url, tenant);
	nd_buf_adds(&url, at + strlen(mark));
	conf_check_replace(field, nd_buf_text(&url));
	nd_buf_done(&url);
}

static void
settle_urls(const struct conf_check *check)
{
	struct conf_account *account = check->account;

	settle_url(check, &account->token_url, "token_url", check->preset->token_url);
	settle_url(check, &account->authorize_url, "authorize_url", check->preset->authorize_url);
	settle_url(check, &account->device_url, "device_url", check->preset->device_url);
	settle_url(check, &account->revoke_url, "revoke_url", check->preset->revoke_url);
	if (!conf_check_given(check, "scope"))
		conf_check_replace(&account->scope, (CONF_GRANTS_REFRESHED & CONF_GRANT_BIT(account->grant)) != 0
							? check->preset->sign_in_scope
							: check->preset->scope);
}

/* A grant that the provider does not have, told with the one it has. */
static void
check_offered(const struct conf_check *check)
{
	const char *reason = check->preset->no_grant[check->account->grant];
	const char *key = conf_check_given(check, "grant") ? "grant" : "provider";
	struct nd_why why;

	if (reason == NULL || conf_check_given(check, "token_url"))
		return;
	(void)nd_fail(&why, ND_ECONF, 0, "%.*s", (int)strcspn(reason, "\n"), reason);
	conf_check_fault(check, key, strchr(reason, '\n') + 1, &why);
}

static void
check_oauth(const struct conf_check *check)
{
	struct conf_account *account = check->account;
	const struct grant *grant = &grants[account->grant];

	check_offered(check);
	/* Google's client JSON, as client_secret, brings the id with it */
	if (grant->client_id && !(account->provider == CONF_GOOGLE && conf_check_given(check, "client_secret")))
		check_missing(check, "client_id", NULL);
	check_proof(check);
	if (account->grant == CONF_MANAGED_IDENTITY)
		return;
	if (account->token_url[0] == '\0')
		check_missing(check, "token_url", "give the token endpoint of the authorization server");
	if (grant->key != NULL && !(strcmp(grant->key, "authorize_url") == 0 && account->authorize_url[0] != '\0') &&
	    !(strcmp(grant->key, "device_url") == 0 && account->device_url[0] != '\0'))
		check_missing(check, grant->key, grant->hint);
	check_tenant(check);
	if (strstr(account->token_url, "{tenant}") != NULL && !conf_check_seen(check, "tenant"))
		conf_check_plain(check, "tenant",
		    "copy \"Directory (tenant) ID\" from the application's overview in Entra ID",
		    "it is missing, and token_url needs it");
}

void
conf_login_settle(const struct conf_check *check)
{
	settle_auth(check);
	settle_urls(check);
	check_unused(check);
	check_mechanism(check);
	if (check->account->auth == CONF_OAUTH2)
		check_oauth(check);
	else if (check->account->auth == CONF_PASSWORD)
		check_missing(check, "password", "such as password = credential:NAME");
}
