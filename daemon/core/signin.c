/* SPDX-License-Identifier: Apache-2.0 */
/* signin.c - a person signs in: what the browser is sent to, and what comes back.  Layer: core.  Pure. */
#include "daemon/core/signin.h"

#include "common/form.h"
#include "daemon/core/hint.h"

#include <stdio.h>
#include <string.h>

#define REDIRECT_MAX 512u
#define BACK_MAX 16384u
#define WORDS_MAX 200u

static bool
of_microsoft(const struct conf_account *account)
{
	return account->provider <= CONF_MICROSOFT_HVE;
}

static bool
of_google(const struct conf_account *account)
{
	return account->provider == CONF_GOOGLE || account->provider == CONF_GOOGLE_RELAY;
}

enum nd_err
signin_possible(const struct conf_account *account, enum signin_mode mode, struct nd_why *why)
{
	if (account->auth != CONF_OAUTH2 || (CONF_GRANTS_REFRESHED & CONF_GRANT_BIT(account->grant)) == 0) {
		(void)nd_fail(why, ND_ESTATE, 0, "nobody signs in to account %s: it logs in by itself", account->name);
		return nd_fail_at(why, "", 0, "for a sign-in set grant = authorization_code or device_code");
	}
	if (mode == SIGNIN_DEVICE && of_google(account)) {
		(void)nd_fail(why, ND_ELOGIN, 0, "Google gives no device code for mail");
		return nd_fail_at(why, "mode", 0, "use mode code: notifyctl account login NAME --paste");
	}
	if ((mode == SIGNIN_CODE ? account->authorize_url : account->device_url)[0] == '\0') {
		(void)nd_fail(why, ND_ELOGIN, 0, "account %s has no %s", account->name,
		    mode == SIGNIN_CODE ? "authorize_url" : "device_url");
		return nd_fail_at(why, "mode", 0, "set it in notifyd.conf, or sign in the other way");
	}
	return ND_OK;
}

static bool
loopback(const char *uri)
{
	static const char *const hosts[] = { "http://localhost", "http://127.0.0.1", "http://[::1]" };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		size_t len = strlen(hosts[i]);

		if (strncmp(uri, hosts[i], len) == 0 && (uri[len] == '\0' || uri[len] == ':' || uri[len] == '/'))
			return true;
	}
	return false;
}

enum nd_err
signin_redirect_check(const struct conf_account *account, const char *uri, struct nd_why *why)
{
	size_t len = strlen(uri);

	if (account->redirect_uri[0] != '\0')
		return ND_OK; /* that one is used */
	if (len == 0 || len > REDIRECT_MAX || !nd_str_ascii(uri, len) || strpbrk(uri, " \"<>#\\") != NULL ||
	    (!loopback(uri) && strncmp(uri, "https://", 8) != 0)) {
		(void)nd_fail(why, ND_EINVALID, 0, "redirect_uri is no place to come back to");
		return nd_fail_at(why, "redirect_uri", 0, "such as http://localhost:4711/ or http://127.0.0.1:4711/");
	}
	return ND_OK;
}

void
signin_scope(const struct conf_account *account, struct nd_buf *out)
{
	nd_buf_adds(out, account->scope);
	if (of_microsoft(account) || of_google(account))
		nd_buf_adds(out, " openid profile email");
}

static void
add(struct nd_buf *url, const char *name, const char *value)
{
	nd_buf_addc(url, strchr(nd_buf_text(url), '?') == NULL ? '?' : '&');
	nd_buf_adds(url, name);
	nd_buf_addc(url, '=');
	(void)nd_str_percent(url, value, strlen(value));
}

void
signin_url(const struct conf_account *account, const struct signin_start *start, struct nd_buf *out)
{
	struct nd_buf scope;

	nd_buf_init(&scope, 8192);
	signin_scope(account, &scope);
	nd_buf_adds(out, account->authorize_url);
	add(out, "client_id", start->client_id != NULL ? start->client_id : account->client_id);
	add(out, "response_type", "code");
	add(out, "redirect_uri", start->redirect_uri);
	if (!of_google(account)) /* it has no other */
		add(out, "response_mode", "query");
	add(out, "scope", nd_buf_text(&scope));
	add(out, "state", start->state);
	add(out, "code_challenge", start->challenge);
	add(out, "code_challenge_method", "S256");
	if (account->user[0] != '\0')
		add(out, "login_hint", account->user);
	if (of_google(account)) { /* else there is a refresh token at the first consent only */
		add(out, "access_type", "offline");
		add(out, "prompt", "consent");
	} else if (!of_microsoft(account) && strstr(account->scope, "offline_access") != NULL)
		add(out, "prompt", "consent"); /* else it may be ignored: OpenID Connect Core 11 */
	nd_buf_done(&scope);
}

/* --- what comes back --- */

struct back {
	const struct form_pair *code, *state, *iss, *error, *words;
	bool twice;
};

static void
sort_pair(struct back *back, const struct form_pair *pair)
{
	const struct {
		const char *name;
		const struct form_pair **to;
	} names[] = { { "code", &back->code }, { "state", &back->state }, { "iss", &back->iss },
		{ "error", &back->error }, { "error_description", &back->words } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(pair->name, names[i].name) != 0)
			continue;
		back->twice = back->twice || *names[i].to != NULL;
		*names[i].to = pair;
	}
}

/* In a time that does not tell where they differ. */
static bool
same(const char *a, size_t len, const char *b)
{
	size_t n = strlen(b);
	unsigned char differ = len != n;

	for (size_t i = 0; i < len && i < n; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return differ == 0;
}

/* Scheme, host and port. */
static size_t
origin(const char *url)
{
	const char *host = strstr(url, "://");

	return host == NULL ? 0 : (size_t)(host - url) + 3 + strcspn(host + 3, "/?#");
}

static enum nd_err
foreign(struct nd_why *why, const char *what)
{
	(void)nd_fail(why, ND_EINVALID, 0, "%s", what);
	return nd_fail_at(why, "redirected", 0, "copy the address that the browser shows after this sign-in, wholly");
}

static enum nd_err
refused(const struct conf_account *account, const struct back *back, struct nd_why *why)
{
	const char *words = back->words != NULL ? back->words->value : "";
	struct nd_buf hint;
	size_t len = strcspn(words, "\r\n");
	bool denied = strcmp(back->error->value, "access_denied") == 0;

	(void)nd_fail(why, ND_ELOGIN, 0, "the provider refused the sign-in (%.40s)%s%.*s", back->error->value,
	    len > 0 ? ": " : "", (int)nd_str_utf8_cut(words, len, WORDS_MAX), words);
	nd_buf_init(&hint, HINT_LIMIT);
	if (hint_of(account, HINT_OPERATOR, words, NULL, &hint)[0] == '\0')
		nd_buf_adds(&hint,
		    denied ? "sign in again and accept; an administrator may have to grant consent to the application"
			   : "begin again: notifyctl account login NAME");
	(void)nd_fail_at(why, "", 0, nd_buf_text(&hint));
	nd_buf_done(&hint);
	return ND_ELOGIN;
}

static enum nd_err
take_code(const char *text, size_t len, struct nd_secret *code, struct nd_why *why)
{
	if (len == 0 || len > SIGNIN_CODE_MAX || !nd_str_ascii(text, len) || memchr(text, ' ', len) != NULL)
		return foreign(why, "there is no code in it");
	nd_secret_set(code, text, len);
	return ND_OK;
}

static enum nd_err
judge(const struct conf_account *account, const char *state, const struct back *back, struct nd_secret *code,
    struct nd_why *why)
{
	size_t len = origin(account->authorize_url);

	if (back->twice)
		return foreign(why, "it says the same thing twice");
	if (back->state == NULL || !same(back->state->value, back->state->len, state))
		return foreign(why, "it belongs to another sign-in: its state is not the one of this");
	if (back->iss != NULL &&
	    (origin(back->iss->value) != len || strncmp(back->iss->value, account->authorize_url, len) != 0))
		return foreign(why, "it comes from another authorization server than the account's (RFC 9207)");
	if (back->error != NULL)
		return refused(account, back, why);
	return take_code(
	    back->code != NULL ? back->code->value : "", back->code != NULL ? back->code->len : 0, code, why);
}

/* The code alone, perhaps as it stands in a URL. */
static enum nd_err
bare(const char *text, size_t len, struct nd_secret *code, struct nd_why *why)
{
	struct nd_buf plain;
	enum nd_err err;

	nd_buf_init(&plain, BACK_MAX);
	if (nd_str_unpercent(&plain, text, len, false))
		err = take_code(nd_buf_text(&plain), plain.len, code, why);
	else
		err = take_code(text, len, code, why);
	nd_buf_wipe(&plain);
	return err;
}

enum nd_err
signin_back(
    const struct conf_account *account, const char *state, const char *text, struct nd_secret *code, struct nd_why *why)
{
	static const char space[] = " \t\r\n";
	struct back back = { 0 };
	struct form form;
	enum nd_err err;

	text += strspn(text, space);
	size_t len = strlen(text);
	while (len > 0 && strchr(space, text[len - 1]) != NULL)
		len--;
	if (len > BACK_MAX)
		return foreign(why, "it is too long");
	if (strstr(text, "://") == NULL && strstr(text, "code=") == NULL && strstr(text, "error=") == NULL)
		return bare(text, len, code, why);
	const char *query = memchr(text, '?', len);
	query = query == NULL ? memchr(text, '#', len) : query; /* response_mode=fragment */
	query = query == NULL ? text : query + 1;
	size_t rest = (size_t)(text + len - query);
	const char *end = memchr(query, '#', rest);
	form_init(&form);
	err = form_split(&form, query, end == NULL ? rest : (size_t)(end - query), why);
	for (unsigned i = 0; err == ND_OK && i < form.count; i++)
		sort_pair(&back, &form.pairs[i]);
	err = err == ND_OK ? judge(account, state, &back, code, why) : foreign(why, "it cannot be read");
	if (form.words.octets != NULL)
		explicit_bzero(form.words.octets, form.words.len);
	form_done(&form);
	return err;
}
