/* SPDX-License-Identifier: Apache-2.0 */
/* signin_reply.c - a person signs in: what the endpoints answer, and what it is worth.  Layer: core.  Pure. */
#include "daemon/core/signin.h"

#include "common/idn.h"
#include "common/json.h"
#include "daemon/core/hint.h"
#include "daemon/core/jwt.h"
#include "daemon/core/oauth_inner.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define INTERVAL ND_SEC(5) /* unless told; RFC 8628 3.2 */
#define INTERVAL_MAX ND_SEC(60)
#define DEVICE_LIFE ND_MIN(15)

/* --- devices --- */

static void
take_text(const struct json_node *root, const char *name, char *out, size_t size)
{
	const char *text = json_get_text(root, name);

	if (text != NULL && strlen(text) < size && !nd_str_has_control(text, strlen(text)))
		memcpy(out, text, strlen(text) + 1);
}

static nd_ms
take_seconds(const struct json_node *root, const char *name, nd_ms otherwise, nd_ms most)
{
	int64_t seconds;

	if (!json_int(json_get(root, name), 1, 86400, &seconds))
		return otherwise;
	return ND_SEC(seconds) < most ? ND_SEC(seconds) : most;
}

static bool
take_device(const struct json_node *root, struct signin_device *out)
{
	const struct json_node *code = json_get(root, "device_code");

	if (!oauth_inner_token_ok(code))
		return false;
	nd_secret_set(&out->device_code, code->text, code->len);
	take_text(root, "user_code", out->user_code, sizeof(out->user_code));
	take_text(root, "verification_uri", out->uri, sizeof(out->uri));
	if (out->uri[0] == '\0')
		take_text(root, "verification_url", out->uri, sizeof(out->uri)); /* Google's name for it */
	take_text(root, "verification_uri_complete", out->uri_complete, sizeof(out->uri_complete));
	out->life = take_seconds(root, "expires_in", DEVICE_LIFE, ND_HOUR(1));
	out->interval = take_seconds(root, "interval", INTERVAL, INTERVAL_MAX);
	return out->user_code[0] != '\0' && out->uri[0] != '\0';
}

enum nd_err
signin_device_read(int status, const char *body, size_t len, const struct nd_why *failure, struct signin_device *out,
    struct oauth_reply *refusal)
{
	struct json_tree tree;
	bool good = false;

	*out = (struct signin_device){ 0 };
	if (status == 200 && json_read(&tree, body, len, &json_limits_small, NULL, NULL) == ND_OK) {
		good = take_device(tree.root, out);
		oauth_inner_wipe(json_get(tree.root, "device_code"));
		json_done(&tree);
	}
	if (good)
		return ND_OK;
	signin_device_done(out);
	if (status == 200) {
		*refusal = (struct oauth_reply){ .class = OAUTH_REFUSED };
		(void)nd_fail(&refusal->why, ND_ELOGIN, 0, "the device endpoint gave none that could be shown");
		(void)nd_fail_at(&refusal->why, "", 0, "check device_url");
	} else {
		oauth_read(status, body, len, -1, failure, refusal);
	}
	return ND_ELOGIN;
}

void
signin_device_done(struct signin_device *device)
{
	nd_secret_done(&device->device_code);
	*device = (struct signin_device){ 0 };
}

/* clang-format off */
static const struct end {
	const char *error, *text, *hint;
} ends[] = {
	{ "authorization_declined", "the sign-in was declined", "begin again: notifyctl account login NAME" },
	{ "access_denied",          "the sign-in was declined", "begin again and accept; an administrator may have to grant consent" },
	{ "expired_token",          "the code was not used in time", "begin again: notifyctl account login NAME" },
	{ "bad_verification_code",  "the provider does not know the device code any more", "begin again: notifyctl account login NAME" },
};
/* clang-format on */

enum signin_step
signin_poll(struct signin_device *device, const struct oauth_reply *reply, struct nd_why *why)
{
	if (reply->class == OAUTH_TOKEN)
		return SIGNIN_DONE;
	if (strcmp(reply->error, "authorization_pending") == 0)
		return SIGNIN_WAIT;
	if (strcmp(reply->error, "slow_down") == 0) {
		device->interval += ND_SEC(5); /* for good */
		return SIGNIN_WAIT;
	}
	if (reply->class == OAUTH_LATER) { /* RFC 8628 3.5: less and less often */
		device->interval = device->interval * 2 < INTERVAL_MAX ? device->interval * 2 : INTERVAL_MAX;
		if (reply->retry_after > device->interval)
			device->interval = reply->retry_after < INTERVAL_MAX ? reply->retry_after : INTERVAL_MAX;
		return SIGNIN_WAIT;
	}
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (strcmp(reply->error, ends[i].error) != 0)
			continue;
		(void)nd_fail(why, ND_ELOGIN, 0, "%s (%s)", ends[i].text, reply->error);
		(void)nd_fail_at(why, "", 0, ends[i].hint);
		return SIGNIN_OVER;
	}
	(void)nd_fail(why, ND_ELOGIN, 0, "%s", reply->why.text);
	(void)nd_fail_at(why, "", 0, nd_why_hint(&reply->why));
	return SIGNIN_OVER;
}

/* --- who --- */

bool
signin_who(const struct nd_secret *jwt, char *out, size_t size)
{
	static const char *const claims[] = { "preferred_username", "upn", "email", "unique_name" };
	struct json_tree tree;
	struct nd_buf text;

	out[0] = '\0';
	nd_buf_init(&text, OAUTH_INNER_TOKEN_MAX);
	if (jwt_payload(jwt, &text) &&
	    json_read(&tree, nd_buf_text(&text), text.len, &json_limits_small, NULL, NULL) == ND_OK) {
		for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]) && out[0] == '\0'; i++)
			take_text(tree.root, claims[i], out, size);
		json_done(&tree);
	}
	nd_buf_wipe(&text);
	return out[0] != '\0';
}

/* --- what it is worth --- */

/* The same words as when the server refuses that person's token. */
static void
tell_rights(const struct conf_account *account, const char *who, struct signin_note *note)
{
	struct explain_facts facts;
	struct hint_room room;
	struct nd_buf hint;

	nd_buf_init(&hint, HINT_LIMIT);
	hint_facts(account, HINT_OPERATOR, "", &room, &facts);
	facts.person = who;
	(void)explain_hint(CLAIMS_WORDS "wrong-person", &facts, EXPLAIN_EN, &hint);
	(void)snprintf(note->hint, sizeof(note->hint), "%s", nd_buf_text(&hint));
	nd_buf_done(&hint);
}

bool
signin_foreign(const struct conf_account *account, const char *who, struct signin_note *note)
{
	if (who[0] == '\0' || strchr(account->user, '@') == NULL || idn_same_address(who, account->user))
		return false;
	note->code = "signed-in-as";
	(void)snprintf(note->detail, sizeof(note->detail), "account %s: signed in as %s, but the mailbox is %s",
	    account->name, who, account->user);
	if (account->provider <= CONF_MICROSOFT_HVE)
		tell_rights(account, who, note);
	else
		(void)snprintf(
		    note->hint, sizeof(note->hint), "sign in as that mailbox, or set user to the one that signed in");
	return true;
}

/* The last part of a scope: providers say it with and without the resource. */
static const char *
short_name(const char *scope, size_t *len)
{
	size_t at = *len;

	while (at > 0 && scope[at - 1] != '/')
		at--;
	if (at == *len) /* it ends in / */
		return scope;
	*len -= at;
	return scope + at;
}

static bool
among(const char *scope, size_t len, const char *granted)
{
	const char *name = short_name(scope, &len);

	for (;;) {
		granted += strspn(granted, " ");
		size_t n = strcspn(granted, " "), m = n;
		if (n == 0)
			return false;
		const char *other = short_name(granted, &m);
		if (m == len && strncasecmp(name, other, len) == 0)
			return true;
		granted += n;
	}
}

/* What was asked for and not given. offline_access is seen by the refresh token, and seldom repeated. */
static void
find_missing(const struct conf_account *account, const char *granted, struct nd_buf *out)
{
	const char *at = account->scope;

	while (granted[0] != '\0') {
		at += strspn(at, " ");
		size_t len = strcspn(at, " ");
		if (len == 0)
			return;
		if (!(len == 14 && strncmp(at, "offline_access", 14) == 0) && !among(at, len, granted)) {
			if (out->len > 0)
				nd_buf_addc(out, ' ');
			nd_buf_add(out, at, len);
		}
		at += len;
	}
}

static enum nd_err
unrenewable(const struct conf_account *account, struct nd_why *why)
{
	const char *remedy = "take care that the application may have refresh tokens";

	(void)nd_fail(why, ND_ELOGIN, 0,
	    "the provider gave no refresh token: the sign-in would be over within the hour, so it is not used");
	if (account->provider <= CONF_MICROSOFT_HVE && strstr(account->scope, "offline_access") == NULL)
		remedy = "add offline_access to scope of the account, then sign in again";
	else if (account->provider == CONF_GOOGLE || account->provider == CONF_GOOGLE_RELAY)
		remedy = "remove the application under https://myaccount.google.com/connections, then sign in again: "
			 "Google gives one at "
			 "the first consent only";
	else if (strstr(account->scope, "offline_access") == NULL)
		remedy =
		    "add offline_access (or what the provider calls it) to scope of the account, then sign in again";
	return nd_fail_at(why, "", 0, remedy);
}

enum nd_err
signin_judge(const struct conf_account *account, const struct oauth_reply *reply, const char *who,
    struct signin_note notes[SIGNIN_NOTES], struct nd_why *why)
{
	struct nd_buf missing;

	memset(notes, 0, SIGNIN_NOTES * sizeof(*notes));
	if (reply->refresh_token.len == 0)
		return unrenewable(account, why);
	if (signin_foreign(account, who, notes))
		notes++;
	nd_buf_init(&missing, 4096);
	find_missing(account, reply->scope, &missing);
	if (missing.len > 0) {
		notes->code = "scope-reduced";
		(void)snprintf(notes->detail, sizeof(notes->detail), "not granted: %.500s", nd_buf_text(&missing));
		(void)snprintf(notes->hint, sizeof(notes->hint),
		    "sign in again and accept all of it; an administrator may have to grant consent to the "
		    "application");
	}
	nd_buf_done(&missing);
	return ND_OK;
}
