/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.c - token requests, the saved token, identities.  Layer: core.  Pure.
 *
 * What endpoints answer is oauth_reply.c's subject.
 */
#include "daemon/core/oauth.h"

#include "common/json.h"
#include "common/stamp.h"
#include "daemon/core/oauth_inner.h"

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

/* The grant_type of RFC 6749 and its extensions; whether the request repeats the scope. */
static const struct grant_type {
	const char *name;
	bool scope;
} grant_types[CONF_GRANT_COUNT] = {
	[CONF_CLIENT_CREDENTIALS] = { "client_credentials", true },
	[CONF_AUTHORIZATION_CODE] = { "authorization_code", false },
	[CONF_DEVICE_CODE] = { "urn:ietf:params:oauth:grant-type:device_code", false },
	[CONF_REFRESH_TOKEN] = { "refresh_token", true },
	[CONF_JWT_BEARER] = { "urn:ietf:params:oauth:grant-type:jwt-bearer", false }, /* it stands in the assertion */
	[CONF_MANAGED_IDENTITY] = { NULL, false },                                    /* no form: a GET of its own */
};

void
oauth_ask_write(const struct conf_account *account, const struct oauth_ask *ask, struct oauth_request *out)
{
	const struct grant_type *type = &grant_types[ask->grant];
	const char *client_id = ask->client_id != NULL ? ask->client_id : account->client_id;
	bool basic = account->token_auth == CONF_TOKEN_BASIC && ask->client_secret != NULL;
	struct nd_buf body;

	nd_buf_init(&body, SIZE_MAX);
	add_text(&body, "grant_type", type->name);
	if (type->scope)
		add_text(&body, "scope", ask->scope != NULL ? ask->scope : account->scope);
	if (!basic && ask->grant != CONF_JWT_BEARER) {
		add_text(&body, "client_id", client_id);
		add_secret(&body, "client_secret", ask->client_secret);
	}
	if (ask->client_assertion != NULL) {
		add_text(&body, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
		add_secret(&body, "client_assertion", ask->client_assertion);
	}
	add_secret(&body, "code", ask->code);
	add_text(&body, "redirect_uri", ask->redirect_uri);
	add_secret(&body, "code_verifier", ask->verifier);
	add_secret(&body, "device_code", ask->device_code);
	add_secret(&body, "refresh_token", ask->refresh_token);
	add_secret(&body, "assertion", ask->assertion);
	*out = (struct oauth_request){ .url = nd_xstrdup(ask->url != NULL ? ask->url : account->token_url) };
	if (basic)
		out->authorization = basic_authorization(client_id, ask->client_secret);
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
	if (saved->signed_in[0] != '\0')
		json_out_text(&json, "signed_in", saved->signed_in);
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

static bool
take_saved(const struct json_node *root, struct oauth_saved *saved)
{
	const char *identity = json_get_text(root, "identity");
	const char *signed_in = json_get_text(root, "signed_in");

	if (identity == NULL || strlen(identity) >= sizeof(saved->identity) ||
	    (signed_in != NULL && strlen(signed_in) >= sizeof(saved->signed_in)) ||
	    !take_token(root, "access_token", &saved->token) ||
	    !take_token(root, "refresh_token", &saved->refresh_token))
		return false;
	memcpy(saved->identity, identity, strlen(identity) + 1);
	if (signed_in != NULL)
		memcpy(saved->signed_in, signed_in, strlen(signed_in) + 1);
	if (saved->token.len > 0 &&
	    (!take_time(root, "issued", &saved->issued) || !take_time(root, "expires", &saved->expires)))
		return false;
	if (saved->refresh_token.len > 0 && !take_time(root, "refreshed", &saved->refreshed))
		return false;
	return saved->token.len > 0 || saved->refresh_token.len > 0;
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
	json_done(&tree);
	return err;
}

void
oauth_saved_done(struct oauth_saved *saved)
{
	nd_secret_done(&saved->token);
	nd_secret_done(&saved->refresh_token);
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
