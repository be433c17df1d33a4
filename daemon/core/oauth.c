/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.c - token requests, the saved token, identities.  Layer: core.  Pure.
 *
 * What endpoints answer is oauth_reply.c's subject.
 */
#include "daemon/core/oauth.h"

#include "common/json.h"
#include "common/stamp.h"
#include "daemon/core/oauth_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- requests --- */

static void
add_field(struct nd_buf *body, const char *name, const char *value, size_t len)
{
	if (len == 0)
		return;
	if (body->len > 0)
		nd_buf_addc(body, '&');
	nd_buf_adds(body, name);
	nd_buf_addc(body, '=');
	(void)nd_str_percent(body, value, len);
}

/* RFC 6749 2.3.1: both parts are form-encoded before they are joined. */
static char *
basic_authorization(const char *client_id, const struct nd_secret *secret)
{
	struct nd_buf pair, header;
	size_t len;

	nd_buf_init(&pair, SIZE_MAX);
	nd_buf_init(&header, SIZE_MAX);
	(void)nd_str_percent(&pair, client_id, strlen(client_id));
	nd_buf_addc(&pair, ':');
	(void)nd_str_percent(&pair, secret->octets == NULL ? "" : secret->octets, secret->len);
	nd_buf_adds(&header, "Basic ");
	(void)nd_str_base64(&header, nd_buf_text(&pair), pair.len);
	nd_buf_wipe(&pair);
	return nd_buf_take(&header, &len);
}

static void
add_text(struct nd_buf *body, const char *name, const char *value)
{
	if (value != NULL)
		add_field(body, name, value, strlen(value));
}

static void
add_secret(struct nd_buf *body, const char *name, const struct nd_secret *value)
{
	if (value != NULL)
		add_field(body, name, value->octets, value->len);
}

/* The grant_type of RFC 6749 and its extensions; whether the request says the scope. */
static const struct grant_type {
	const char *name;
	bool scope;
} grant_types[CONF_GRANT_COUNT] = {
	[CONF_CLIENT_CREDENTIALS] = { "client_credentials", true },
	[CONF_AUTHORIZATION_CODE] = { "authorization_code", false },
	[CONF_DEVICE_CODE] = { "urn:ietf:params:oauth:grant-type:device_code", false },
	[CONF_REFRESH_TOKEN] = { "refresh_token", false },                            /* see says_scope */
	[CONF_JWT_BEARER] = { "urn:ietf:params:oauth:grant-type:jwt-bearer", false }, /* it stands in the assertion */
	[CONF_MANAGED_IDENTITY] = { NULL, false },                                    /* no form: a GET of its own */
};

/* A refresh without a scope is for what was granted, and one that asks for more is refused (RFC 6749 6): scopes such as
 * offline_access are granted without a word, or not at all. Microsoft is told which of its services it is for. */
static bool
says_scope(const struct conf_account *account, int grant)
{
	return grant_types[grant].scope || (grant == CONF_REFRESH_TOKEN && account->provider <= CONF_MICROSOFT_HVE);
}

/* Who asks, and what proves it. */
static void
add_client(
    const struct conf_account *account, const struct oauth_ask *ask, struct nd_buf *body, struct oauth_request *out)
{
	const char *client_id = ask->client_id != NULL ? ask->client_id : account->client_id;

	if (account->token_auth == CONF_TOKEN_BASIC && ask->client_secret != NULL) {
		out->authorization = basic_authorization(client_id, ask->client_secret);
	} else {
		add_text(body, "client_id", client_id);
		add_secret(body, "client_secret", ask->client_secret);
	}
	if (ask->client_assertion != NULL) {
		add_text(body, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
		add_secret(body, "client_assertion", ask->client_assertion);
	}
}

void
oauth_device_write(const struct conf_account *account, const struct oauth_ask *ask, struct oauth_request *out)
{
	struct nd_buf body;

	*out = (struct oauth_request){ .url = nd_xstrdup(account->device_url) };
	nd_buf_init(&body, SIZE_MAX);
	add_client(account, ask, &body, out);
	add_text(&body, "scope", ask->scope);
	out->body = nd_buf_take(&body, &out->body_len);
}

void
oauth_revoke_write(const struct conf_account *account, const struct oauth_ask *ask, struct oauth_request *out)
{
	struct nd_buf body;

	*out = (struct oauth_request){ .url = nd_xstrdup(account->revoke_url) };
	nd_buf_init(&body, SIZE_MAX);
	add_secret(&body, "token", ask->refresh_token);
	add_text(&body, "token_type_hint", "refresh_token");
	add_client(account, ask, &body, out);
	out->body = nd_buf_take(&body, &out->body_len);
}

void
oauth_ask_write(const struct conf_account *account, const struct oauth_ask *ask, struct oauth_request *out)
{
	struct nd_buf body;

	*out = (struct oauth_request){ .url = nd_xstrdup(ask->url != NULL ? ask->url : account->token_url) };
	nd_buf_init(&body, SIZE_MAX);
	add_text(&body, "grant_type", grant_types[ask->grant].name);
	if (says_scope(account, ask->grant))
		add_text(&body, "scope", ask->scope != NULL ? ask->scope : account->scope);
	if (ask->grant != CONF_JWT_BEARER)
		add_client(account, ask, &body, out);
	add_secret(&body, "code", ask->code);
	add_text(&body, "redirect_uri", ask->redirect_uri);
	add_secret(&body, "code_verifier", ask->verifier);
	add_secret(&body, "device_code", ask->device_code);
	add_secret(&body, "refresh_token", ask->refresh_token);
	add_secret(&body, "assertion", ask->assertion);
	out->body = nd_buf_take(&body, &out->body_len);
}

void
oauth_request_done(struct oauth_request *request)
{
	free(request->url);
	if (request->authorization != NULL)
		nd_wipe_free(request->authorization, strlen(request->authorization));
	nd_wipe_free(request->body, request->body_len);
	*request = (struct oauth_request){ 0 };
}

/* --- the saved token --- */

void
oauth_saved_write(const struct oauth_saved *saved, struct nd_buf *out)
{
	struct json_out json;

	json_out_init(&json, out);
	json_out_object(&json, NULL);
	json_out_text(&json, "identity", saved->identity);
	if (saved->token.len > 0) {
		json_out_textn(&json, "access_token", saved->token.octets, saved->token.len);
		json_out_time(&json, "issued", saved->issued);
		json_out_time(&json, "expires", saved->expires);
	}
	if (saved->refresh_token.len > 0) {
		json_out_textn(&json, "refresh_token", saved->refresh_token.octets, saved->refresh_token.len);
		json_out_time(&json, "refreshed", saved->refreshed);
	}
	if (saved->previous.len > 0)
		json_out_textn(&json, "previous", saved->previous.octets, saved->previous.len);
	json_out_time(&json, "asked", saved->asked);
	json_out_text(&json, "imported", saved->imported[0] != '\0' ? saved->imported : NULL);
	json_out_text(&json, "signed_in", saved->signed_in[0] != '\0' ? saved->signed_in : NULL);
	json_out_text(&json, "refused", saved->refused[0] != '\0' ? saved->refused : NULL);
	json_out_object_end(&json);
	nd_buf_addc(out, '\n');
}

static bool
take_time(const struct json_node *root, const char *key, nd_unix *out)
{
	const char *text = json_get_text(root, key);

	return text != NULL && nd_stamp_read(text, out);
}

/* A token and its times: all, or none of them. */
static bool
take_token(const struct json_node *root, const char *name, struct nd_secret *out)
{
	const struct json_node *node = json_get(root, name);

	if (node == NULL)
		return true;
	if (!oauth_inner_token_ok(node))
		return false;
	nd_secret_set(out, node->text, node->len);
	return true;
}

/* A text that may be missing. */
static bool
take_text(const struct json_node *root, const char *key, char *out, size_t size)
{
	const char *text = json_get_text(root, key);

	if (text != NULL && strlen(text) >= size)
		return false;
	(void)snprintf(out, size, "%s", text != NULL ? text : "");
	return true;
}

static bool
take_saved(const struct json_node *root, struct oauth_saved *saved)
{
	if (!take_text(root, "identity", saved->identity, sizeof(saved->identity)) || saved->identity[0] == '\0' ||
	    !take_text(root, "signed_in", saved->signed_in, sizeof(saved->signed_in)) ||
	    !take_text(root, "imported", saved->imported, sizeof(saved->imported)) ||
	    !take_text(root, "refused", saved->refused, sizeof(saved->refused)) ||
	    !take_token(root, "access_token", &saved->token) ||
	    !take_token(root, "refresh_token", &saved->refresh_token) ||
	    !take_token(root, "previous", &saved->previous))
		return false;
	if (json_get(root, "asked") != NULL && !take_time(root, "asked", &saved->asked))
		return false;
	if (saved->token.len > 0 &&
	    (!take_time(root, "issued", &saved->issued) || !take_time(root, "expires", &saved->expires)))
		return false;
	if (saved->refresh_token.len > 0 && !take_time(root, "refreshed", &saved->refreshed))
		return false;
	return saved->token.len > 0 || saved->refresh_token.len > 0 || saved->refused[0] != '\0';
}

enum nd_err
oauth_saved_read(const char *octets, size_t len, struct oauth_saved *out, struct nd_why *why)
{
	struct oauth_saved saved = { 0 };
	struct json_tree tree;
	enum nd_err err = json_read(&tree, octets, len, &json_limits_small, NULL, why);

	if (err != ND_OK)
		return err;
	if (take_saved(tree.root, &saved))
		*out = saved;
	else {
		oauth_saved_done(&saved);
		err = nd_fail(why, ND_ESYNTAX, 0, "the saved token is not what notifyd writes");
	}
	oauth_inner_wipe(json_get(tree.root, "access_token"));
	oauth_inner_wipe(json_get(tree.root, "refresh_token"));
	oauth_inner_wipe(json_get(tree.root, "previous"));
	json_done(&tree);
	return err;
}

void
oauth_saved_done(struct oauth_saved *saved)
{
	nd_secret_done(&saved->token);
	nd_secret_done(&saved->refresh_token);
	nd_secret_done(&saved->previous);
	*saved = (struct oauth_saved){ 0 };
}

void
oauth_identity(const struct conf_account *account, struct nd_buf *out)
{
	const char *parts[] = { account->host, account->user, account->token_url, account->client_id, account->tenant,
		account->scope };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		nd_buf_adds(out, parts[i] == NULL ? "" : parts[i]);
		nd_buf_addc(out, '\n');
	}
}
