/* SPDX-License-Identifier: Apache-2.0 */
/* tokens_kept.c - what an earlier run, or earlier settings, have kept of an account's tokens in STATE/tokens. */
#include "daemon/app.h"

#include "common/log.h"
#include "common/str.h"
#include "daemon/core/grant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDENTITY_LIMIT 65536u

static void
identify(struct app_account *account)
{
	struct nd_buf buf;
	uint8_t sum[32];

	nd_buf_init(&buf, IDENTITY_LIMIT);
	oauth_identity(account->engine->conf, &buf);
	tls_sha256(nd_buf_text(&buf), buf.len, sum);
	nd_buf_done(&buf);
	nd_str_hex(account->identity, sum, sizeof(sum));
}

void
tokens_use(struct app_account *account, const struct nd_secret *token)
{
	nd_secret_set(&account->token, token->octets, token->len);
	claims_read(token, &account->claims);
}

static void
use(struct app_account *account, const struct oauth_saved *saved)
{
	struct app *app = account->app;
	struct nd_now now = loop_now(app->loop);

	if (saved->token.len == 0 || saved->issued > now.unix_ms || saved->expires <= now.unix_ms)
		return;
	tokens_use(account, &saved->token);
	engine_token_got(app->engine, account->engine, now.ms - (now.unix_ms - saved->issued),
	    now.ms + (saved->expires - now.unix_ms), now);
}

/* The file, or what is kept of a sign-in with these settings from before others were tried. */
static enum nd_err
read_kept(struct app_account *account, struct oauth_saved *saved, struct nd_why *why)
{
	bool signs_in = grant_refreshed(account->engine->conf);
	enum nd_err err = vault_read(account, account->token_path, saved, why);
	char *other;

	if (err == ND_OK &&
	    (strcmp(saved->identity, account->identity) != 0 || (!signs_in && saved->refresh_token.len > 0))) {
		if (saved->refresh_token.len > 0)
			vault_put_off(account, saved->identity);
		oauth_saved_done(saved);
		err = ND_ENOTFOUND;
	}
	if (err == ND_ESYNTAX)
		vault_aside(account, "damaged");
	/* A token of the application itself: what people signed in to with these settings is beside it. */
	if (err == ND_OK && signs_in && saved->refresh_token.len == 0 && saved->refused[0] == '\0') {
		oauth_saved_done(saved);
		err = ND_ENOTFOUND;
	}
	if (err == ND_ENOTFOUND && signs_in) {
		other = vault_other(account, account->identity);
		err = vault_read(account, other, saved, why);
		free(other);
	}
	return err;
}

void
tokens_open(struct app *app, struct app_account *account)
{
	const char *name = account->engine->conf->name;
	struct oauth_saved saved = { 0 };
	struct nd_why why;
	enum nd_err err;

	(void)app;
	identify(account);
	oauth_saved_done(&account->grant);
	account->answer_lost = false;
	account->locked = (struct nd_why){ 0 };
	err = read_kept(account, &saved, &why);
	if (err == ND_OK) {
		use(account, &saved);
		if (grant_refreshed(account->engine->conf))
			grants_take(account, &saved);
	} else if (err != ND_ENOTFOUND) {
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "ACCOUNT", name }, { "ERR", nd_err_name(err) }),
		    "the kept token of account %s is not used: %s", name, why.text);
	}
	if (err == ND_ETOKENSLOCKED)
		account->locked = why;
	oauth_saved_done(&saved);
}

enum nd_err
tokens_look(struct app_account *account, struct oauth_saved *out, struct nd_why *why)
{
	char path[4200];
	enum nd_err err;

	identify(account);
	(void)snprintf(
	    path, sizeof(path), "%s/tokens/%s", account->app->options.state_dir, account->engine->conf->name);
	err = vault_read(account, path, out, why);
	if (err != ND_OK || strcmp(out->identity, account->identity) == 0)
		return err;
	oauth_saved_done(out);
	return nd_fail(why, ND_ENOTFOUND, 0, "what is kept is of other settings of this account");
}
