/* SPDX-License-Identifier: Apache-2.0 */
/* oauth_reply.c - what a token endpoint answered.  Layer: core.  Pure.
 *
 * Branches on the HTTP status and `error` (RFC 6749 5.2). The provider's numbers and texts are diagnostics that
 * may change: they are shown, used for hints, and for the few that mean "later" although the status says "no".
 */
#include "daemon/core/oauth.h"

#include "common/json.h"
#include "common/str.h"
#include "daemon/core/oauth_inner.h"

#include <stdio.h>
#include <string.h>

#define LIFE_UNKNOWN ND_SEC(60)
#define LIFE_MAX ND_DAY(1)
#define RETRY_AFTER_MAX 3600
#define WORDS_MAX 250u /* of the provider, in a sentence of ours */
#define OPAQUE_MIN 32u /* a run this long without a break may be a secret */
#define GUID_LEN 36u

bool
oauth_inner_token_ok(const struct json_node *node)
{
	if (node == NULL || node->type != JSON_STRING || node->len == 0 || node->len > OAUTH_INNER_TOKEN_MAX)
		return false;
	return nd_str_ascii(node->text, node->len) && memchr(node->text, ' ', node->len) == NULL;
}

void
oauth_inner_wipe(const struct json_node *node)
{
	/* the tree is ours; its nodes are const so that readers leave them alone */
	if (node != NULL && node->text != NULL)
		explicit_bzero((void *)(uintptr_t)node->text, node->len);
}

/* --- the provider's words --- */

bool
oauth_is_guid(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : strchr("0123456789abcdefABCDEF", text[i]) == NULL || text[i] == '\0')
			return false;
	}
	return len == GUID_LEN;
}

static bool
breaks(char c)
{
	return c == '\0' || strchr(" \t\r\n'\"()<>[]{},;", c) != NULL;
}

static void
add_word(struct nd_buf *out, const char *word, size_t len)
{
	const char *url = memmem(word, len, "://", 3);
	const char *query = memchr(word, url != NULL ? '?' : '=', len);
	size_t kept = query != NULL ? (size_t)(query - word) : len;

	if (kept < len || (url == NULL && len >= OPAQUE_MIN && !oauth_is_guid(word, len))) {
		nd_buf_add(out, word, kept < len ? kept + 1 : 0);
		nd_buf_adds(out, "…");
	} else
		nd_buf_add(out, word, len);
}

/* Copies a description as far as it says something: the first line, without what may be a secret. */
static void
tidy(const char *text, struct nd_buf *out)
{
	while (*text != '\0' && *text != '\r' && *text != '\n' && strncmp(text, "Trace ID:", 9) != 0) {
		size_t len = 0;

		if (breaks(*text)) {
			nd_buf_addc(out, *text == '\t' ? ' ' : *text);
			text++;
			continue;
		}
		while (!breaks(text[len]))
			len++;
		add_word(out, text, len);
		text += len;
	}
	while (out->len > 0 && out->octets[out->len - 1] == ' ')
		out->octets[--out->len] = '\0';
}

static const char *
first_octet(const char *body, size_t len)
{
	while (len > 0 && (*body == ' ' || *body == '\t' || *body == '\r' || *body == '\n')) {
		body++;
		len--;
	}
	return len > 0 ? body : "";
}

/* --- classes --- */

static bool
is_later(int status)
{
	return status == 408 || status == 429 || status >= 500;
}

/* Errors that mean "later" with a status that says "no". */
static bool
error_is_later(const char *error, const char *description)
{
	static const char *const errors[] = { "temporarily_unavailable", "server_error", "slow_down",
		"internal_failure" };
	static const char *const numbers[] = { "AADSTS50033:", "AADSTS50087:", "AADSTS50196:", "AADSTS90006:",
		"AADSTS90012:", "AADSTS90024:", "AADSTS90033:", "AADSTS90055:", "AADSTS90090:", "AADSTS90091:" };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strcmp(error, errors[i]) == 0 || strcmp(description, errors[i]) == 0)
			return true;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (nd_str_starts_nocase(description, numbers[i]))
			return true;
	}
	return false;
}

static void
no_reply(const struct nd_why *failure, struct oauth_reply *out)
{
	static const struct nd_why unknown = { .err = ND_ECLOSED, .text = "the token endpoint did not answer" };

	out->why = failure == NULL ? unknown : *failure;
	out->class = OAUTH_LATER;
	/* neither becomes good by waiting */
	if (out->why.err == ND_ETLS || nd_err_kind(out->why.err) == ND_KIND_CONFIG)
		out->class = OAUTH_REFUSED;
}

/* Seconds as a number or a string; a fraction is cut off. 0: missing, not a number, not positive. */
static nd_ms
read_life(const struct json_node *node)
{
	const char *text = node != NULL && (node->type == JSON_NUMBER || node->type == JSON_STRING) ? node->text : "";
	nd_ms life = 0;

	for (; *text >= '0' && *text <= '9'; text++) {
		life = life * 10 + ND_SEC(*text - '0');
		if (life > LIFE_MAX)
			life = LIFE_MAX;
	}
	if (*text != '\0' && *text != '.')
		return 0;
	return life;
}

static void
refuse(struct oauth_reply *out, const char *text)
{
	out->class = OAUTH_REFUSED;
	(void)nd_fail(&out->why, ND_ETOKEN, 0, "the token endpoint %s", text);
}

/* What comes beside the token after a sign-in. */
static void
read_beside(const struct json_node *root, struct oauth_reply *out)
{
	const struct json_node *refresh = json_get(root, "refresh_token"), *id = json_get(root, "id_token");
	const char *scope = json_get_text(root, "scope");

	if (oauth_inner_token_ok(refresh))
		nd_secret_set(&out->refresh_token, refresh->text, refresh->len);
	if (oauth_inner_token_ok(id))
		nd_secret_set(&out->id_token, id->text, id->len);
	if (scope != NULL)
		(void)snprintf(out->scope, sizeof(out->scope), "%s", scope);
}

static void
read_token(const struct json_node *root, struct oauth_reply *out)
{
	const struct json_node *token = json_get(root, "access_token");
	const struct json_node *type = json_get(root, "token_type");

	if (token == NULL)
		refuse(out, "answered 200 without an access_token");
	else if (!oauth_inner_token_ok(token))
		refuse(out,
		    "gave an access token that cannot be used: it is too long, or holds octets a token may not have");
	else if (type != NULL && (type->type != JSON_STRING || !nd_str_eq_nocase(type->text, "bearer")))
		refuse(out, "gave a token of a type that is not Bearer");
	else {
		out->class = OAUTH_TOKEN;
		nd_secret_set(&out->token, token->text, token->len);
		read_beside(root, out);
		out->life = read_life(json_get(root, "expires_in"));
		if (out->life == 0)
			out->life = LIFE_UNKNOWN;
	}
}

/* The two texts of an error: {"error":"…","error_description":"…"}; Google has
 * {"error":{"status":"…","message":"…"}}. */
static void
read_error(const struct json_node *root, const char **error, const char **description)
{
	const struct json_node *nested = json_get(root, "error");

	*error = json_get_text(root, "error");
	*description = json_get_text(root, "error_description");
	if (nested != NULL && nested->type == JSON_OBJECT) {
		*error = json_get_text(nested, "status");
		*description = json_get_text(nested, "message");
	}
	*error = *error == NULL ? "" : *error;
	*description = *description == NULL ? "" : *description;
}

static void
tell_error(int status, const char *error, const char *description, struct oauth_reply *out)
{
	bool later = out->class == OAUTH_LATER;
	struct nd_buf words;

	nd_buf_init(&words, 65536);
	tidy(description, &words);
	/* a name, and only then for the record: anything else may be a text of another kind */
	if (strspn(error, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(error))
		(void)snprintf(out->error, sizeof(out->error), "%s", error);
	int cut = (int)nd_str_utf8_cut(nd_buf_text(&words), words.len, WORDS_MAX);
	(void)nd_fail(&out->why, later ? ND_ETOKENLATER : ND_ETOKEN, 0, "the token endpoint %s (%d%s%s)%s%.*s",
	    later ? "cannot answer now" : "refused", status, out->error[0] != '\0' ? ", " : "", out->error,
	    cut > 0 ? ": " : "", cut, nd_buf_text(&words));
	nd_buf_done(&words);
}

/* A reply that is not JSON. */
static void
tell_stranger(int status, const char *body, size_t len, struct oauth_reply *out)
{
	bool html = *first_octet(body, len) == '<';
	const char *what = len == 0 ? "nothing" : html ? "a web page (HTML)" : "something that is not JSON";

	if (out->class == OAUTH_LATER) {
		tell_error(status, "", "", out);
		return;
	}
	out->class = OAUTH_REFUSED;
	(void)nd_fail(
	    &out->why, ND_ETOKEN, 0, "the token endpoint answered %d with %s instead of a token", status, what);
}

static void
read_body(int status, const char *body, size_t len, struct oauth_reply *out)
{
	struct json_tree tree;
	struct nd_why why;
	const char *error, *description;

	out->class = is_later(status) ? OAUTH_LATER : OAUTH_REFUSED;
	if (json_read(&tree, body, len, &json_limits_small, NULL, &why) != ND_OK) {
		tell_stranger(status, body, len, out);
		return;
	}
	read_error(tree.root, &error, &description);
	if (status == 200 && error[0] == '\0')
		read_token(tree.root, out);
	else {
		if (error_is_later(error, description))
			out->class = OAUTH_LATER;
		tell_error(status, error, description, out);
	}
	oauth_inner_wipe(json_get(tree.root, "access_token"));
	oauth_inner_wipe(json_get(tree.root, "refresh_token"));
	oauth_inner_wipe(json_get(tree.root, "id_token"));
	json_done(&tree);
}

void
oauth_read(
    int status, const char *body, size_t len, long retry_after, const struct nd_why *failure, struct oauth_reply *out)
{
	*out = (struct oauth_reply){ 0 };
	if (status <= 0)
		no_reply(failure, out);
	else if (status >= 300 && status < 400) {
		char text[80];

		(void)snprintf(text, sizeof(text), "answered with a redirect (%d), which is not followed", status);
		refuse(out, text);
	} else
		read_body(status, body, len, out);
	if (out->class == OAUTH_LATER && retry_after > 0)
		out->retry_after = ND_SEC(retry_after < RETRY_AFTER_MAX ? retry_after : RETRY_AFTER_MAX);
}

/* Elsewhere a secret may well be a GUID. */
bool
oauth_secret_is_id(const struct conf_account *account, const struct nd_secret *secret)
{
	return account->provider <= CONF_MICROSOFT_HVE && oauth_is_guid(secret->octets, secret->len);
}

void
oauth_reply_redact(struct oauth_reply *reply, const struct nd_secret *secret)
{
	char *at = reply->why.text;

	while (secret->octets != NULL && secret->len >= 4 && (at = strstr(at, secret->octets)) != NULL) {
		memset(at, '*', secret->len);
		at += secret->len;
	}
}

void
oauth_reply_blame(struct oauth_reply *reply, const struct conf_account *account, const struct nd_secret *secret)
{
	if (secret->octets == NULL || reply->class == OAUTH_TOKEN)
		return;
	oauth_reply_redact(reply, secret);
	if (reply->class == OAUTH_REFUSED && reply->why.err == ND_ETOKEN && oauth_secret_is_id(account, secret))
		(void)nd_fail(
		    &reply->why, ND_ETOKEN, 0, "the client secret looks like the ID of one: %s", reply->why.text);
}

bool
oauth_reply_secret_refused(const struct oauth_reply *reply)
{
	return reply->class == OAUTH_REFUSED &&
	       (strcmp(reply->error, "invalid_client") == 0 || strstr(reply->why.text, "AADSTS7000215") != NULL ||
		   strstr(reply->why.text, "AADSTS7000222") != NULL);
}

void
oauth_reply_done(struct oauth_reply *reply)
{
	nd_secret_done(&reply->token);
	nd_secret_done(&reply->refresh_token);
	nd_secret_done(&reply->id_token);
	*reply = (struct oauth_reply){ 0 };
}
