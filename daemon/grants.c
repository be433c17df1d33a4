/* SPDX-License-Identifier: Apache-2.0 */
/* grants.c - the life of refresh tokens: taken from the file, brought, refused, replaced, near their end.
 *
 * account->grant is what the file holds. No refresh token is ever deleted: what is not used any more goes aside.
 */
#include "daemon/app.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/grant.h"
#include "daemon/core/signin.h"

#include <stdio.h>
#include <string.h>

static const char *
name_of(const struct app_account *account)
{
	return account->engine->conf->name;
}

void
grants_take(struct app_account *account, struct oauth_saved *saved)
{
	oauth_saved_done(&account->grant);
	account->grant = *saved;
	*saved = (struct oauth_saved){ 0 };
	account->answer_lost = account->grant.asked != 0;
	if (account->credentials_known) /* else it is still to be looked at */
		credentials_soon(account->app);
}

static void
noted(void *arg, enum nd_err err, const struct nd_why *why)
{
	(void)arg;
	if (err != ND_OK)
		nd_log(ND_LOG_ERR, ND_FIELDS({ "ERR", nd_err_name(err) }), "%s", why->text);
}

/* The grant goes aside; the file says what became of it. */
static void
put_aside(struct app_account *account, const char *kind, const char *words)
{
	struct oauth_saved left = { 0 };
	struct nd_why why;

	memcpy(left.identity, account->identity, sizeof(left.identity));
	memcpy(left.imported, account->grant.imported, sizeof(left.imported));
	memcpy(left.signed_in, account->grant.signed_in, sizeof(left.signed_in));
	(void)snprintf(left.refused, sizeof(left.refused), "%s", words);
	if (account->locked.err == ND_OK) {
		vault_keep(account, kind);
		vault_aside_other(account, account->identity, kind);
	}
	if (vault_write(account, account->token_path, &left, noted, NULL, &why) != ND_OK)
		noted(NULL, why.err, &why);
	grants_take(account, &left);
	account->grants++;
}

bool
grants_brought(struct app_account *account, const struct nd_secret *token)
{
	struct oauth_saved *grant = &account->grant;
	uint8_t sum[32];
	char digest[65];

	tls_sha256(token->octets, token->len, sum);
	nd_str_hex(digest, sum, sizeof(sum));
	if (strcmp(grant->imported, digest) == 0)
		return false;
	if (grant->refresh_token.len > 0)
		vault_keep(account, "replaced");
	nd_log(ND_LOG_NOTICE, ND_FIELDS({ "ACCOUNT", name_of(account) }),
	    "account %s: a new refresh token was brought by the setting refresh_token", name_of(account));
	oauth_saved_done(grant);
	memcpy(grant->identity, account->identity, sizeof(grant->identity));
	memcpy(grant->imported, digest, sizeof(digest));
	nd_secret_set(&grant->refresh_token, token->octets, token->len);
	grant->refreshed = loop_now(account->app->loop).unix_ms;
	account->answer_lost = false;
	account->grants++;
	return true;
}

void
grants_refused(struct app_account *account, const char *said, struct nd_why *why)
{
	grant_tell(account->engine->conf, said, account->answer_lost, why);
	put_aside(account, "refused", why->text);
}

void
grants_sign_in(struct app_account *account, struct oauth_saved *saved)
{
	struct app *app = account->app;
	struct nd_now now = loop_now(app->loop);

	grants_take(account, saved);
	account->grants++;
	tokens_use(account, &account->grant.token);
	engine_signed_in(app->engine, account->engine, now);
	engine_token_got(app->engine, account->engine, now.ms - (now.unix_ms - account->grant.issued),
	    now.ms + (account->grant.expires - now.unix_ms), now);
	nd_log(ND_LOG_NOTICE, ND_FIELDS({ "ACCOUNT", name_of(account) }), "account %s: signed in%s%s", name_of(account),
	    account->grant.signed_in[0] ? " as " : "", account->grant.signed_in);
	feed_token(app, account->engine);
	loop_soon(app->loop, app_pump, app);
}

void
grants_sign_out(struct app_account *account)
{
	struct app *app = account->app;
	struct nd_why why;

	put_aside(account, "signed-out", "an operator signed out");
	nd_secret_done(&account->token);
	grant_missing(account->engine->conf, account->grant.refused, &why);
	engine_signed_out(app->engine, account->engine, &why, loop_now(app->loop));
	nd_log(ND_LOG_NOTICE, ND_FIELDS({ "ACCOUNT", name_of(account) }), "account %s: signed out", name_of(account));
	loop_soon(app->loop, app_pump, app);
}

/* --- warnings --- */

void
grants_warn(struct app *app, struct json_out *out)
{
	struct engine_account *engine;
	struct signin_note note;

	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++) {
		struct app_account *account = engine->user;

		if (!engine->gone && account->grant.refresh_token.len > 0 &&
		    signin_foreign(engine->conf, account->grant.signed_in, &note))
			warnings_one(note.code, note.detail, note.hint, out);
	}
}
