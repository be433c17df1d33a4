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

void
oauth_client_credentials(const struct conf_account *account, const struct nd_secret *secret, struct oauth_request *out)
{
	bool basic = account->token_auth == CONF_TOKEN_BASIC;
	struct nd_buf body;

	nd_buf_init(&body, SIZE_MAX);
	add_field(&body, "grant_type", "client_credentials", strlen("client_credentials"));
	add_field(&body, "scope", account->scope, strlen(account->scope));
	if (!basic) {
		add_field(&body, "client_id", account->client_id, strlen(account->client_id));
		add_field(&body, "client_secret", secret->octets, secret->len);
	}
	*out = (struct oauth_request){ .url = nd_xstrdup(account->token_url) };
	if (basic)
		out->authorization = basic_authorization(account->client_id, secret);
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
	json_out_textn(&json, "access_token", saved->token.octets, saved->token.len);
	json_out_time(&json, "issued", saved->issued);
	json_out_time(&json, "expires", saved->expires);
	json_out_object_end(&json);
	nd_buf_addc(out, '\n');
}

static bool
take_time(const struct json_node *root, const char *key, nd_unix *out)
{
	const char *text = json_get_text(root, key);

	return text != NULL && nd_stamp_read(text, out);
}

enum nd_err
oauth_saved_read(const char *octets, size_t len, struct oauth_saved *out, struct nd_why *why)
{
	struct oauth_saved saved = { 0 };
	struct json_tree tree;
	enum nd_err err = json_read(&tree, octets, len, &json_limits_small, NULL, why);

	if (err != ND_OK)
		return err;
	const char *identity = json_get_text(tree.root, "identity");
	const struct json_node *token = json_get(tree.root, "access_token");
	if (identity == NULL || strlen(identity) >= sizeof(saved.identity) || !oauth_inner_token_ok(token) ||
	    !take_time(tree.root, "issued", &saved.issued) || !take_time(tree.root, "expires", &saved.expires))
		err = nd_fail(why, ND_ESYNTAX, 0, "the saved token is not what notifyd writes");
	else {
		memcpy(saved.identity, identity, strlen(identity) + 1);
		nd_secret_set(&saved.token, token->text, token->len);
		*out = saved;
	}
	oauth_inner_wipe(token);
	json_done(&tree);
	return err;
}

void
oauth_saved_done(struct oauth_saved *saved)
{
	nd_secret_done(&saved->token);
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
