/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c - asks for access tokens when the engine wants one. */
#include "daemon/tokens_inner.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/grant.h"

#include <stdlib.h>
#include <string.h>

static struct app_asking *
begin(struct app_account *account)
{
	struct app_asking *asking = nd_xalloc(sizeof(*asking));

	asking->account = account;
	asking->settings = account->settings;
	asking->changes = account->secrets.changes;
	asking->grants = account->grants;
	memcpy(asking->identity, account->identity, sizeof(asking->identity));
	asking->next = account->asking;
	account->asking = asking;
	account->engine->users++;
	return asking;
}

void
tokens_tell_tried(struct app_asking *asking, bool good, bool later, const struct nd_why *why)
{
	tokens_tried *tell = asking->tried;

	asking->tried = NULL;
	if (tell != NULL)
		tell(asking->tried_arg, good, later, why);
}

static void
free_asking(struct app_asking *asking)
{
	nd_secret_done(&asking->token);
	nd_secret_done(&asking->sent);
	nd_secret_done(&asking->used);
	oauth_request_done(&asking->wanted);
	oauth_saved_done(&asking->keep);
	loop_timer_free(asking->again_at);
	free(asking);
}

/* Whether what is under way will tell the engine. */
static bool
will_tell(const struct app_account *account)
{
	for (const struct app_asking *asking = account->asking; asking != NULL; asking = asking->next)
		if (!tokens_outdated(asking))
			return true;
	return false;
}

void
tokens_end(struct app_asking *asking)
{
	struct app_account *account = asking->account;
	struct app_asking **at = &account->asking;
	struct nd_why why;

	(void)nd_fail(&why, ND_ETOKENLATER, 0, "the account has changed meanwhile");
	tokens_tell_tried(asking, false, true, &why);
	while (*at != asking)
		at = &(*at)->next;
	*at = asking->next;
	/* What the engine asked for during a trial was left to it; and what is outdated tells nothing. */
	if (account->engine->token.asking && !will_tell(account))
		engine_token_unanswered(account->app->engine, account->engine);
	account->engine->users--;
	free_asking(asking);
	loop_soon(account->app->loop, app_pump, account->app);
}

bool
tokens_foreign(const struct app_asking *asking)
{
	return strcmp(asking->identity, asking->account->identity) != 0;
}

bool
tokens_outdated(const struct app_asking *asking)
{
	const struct app_account *account = asking->account;

	if (asking->refresh)
		return tokens_foreign(asking) || asking->grants != account->grants;
	return asking->settings != account->settings;
}

void
tokens_stop(struct app *app)
{
	struct engine_account *engine;
	struct app_account *account;

	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++) {
		account = engine->user;
		for (struct app_asking *asking = account != NULL ? account->asking : NULL; asking != NULL;
		     asking = asking->next) {
			loop_timer_free(asking->again_at);
			asking->again_at = NULL;
		}
	}
}

bool
tokens_busy(struct app *app)
{
	struct engine_account *engine;
	struct app_account *account;

	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++) {
		account = engine->user;
		for (const struct app_asking *asking = account != NULL ? account->asking : NULL; asking != NULL;
		     asking = asking->next)
			if (asking->refresh && asking->posted)
				return true;
	}
	return false;
}

void
tokens_drop(struct app_account *account)
{
	account->settings++;
	nd_secret_done(&account->token);
}

void
tokens_done(struct app_account *account)
{
	struct app_asking *asking;

	while ((asking = account->asking) != NULL) {
		account->asking = asking->next;
		free_asking(asking);
	}
	nd_secret_done(&account->token);
	oauth_saved_done(&account->grant);
}

void
tokens_post(struct app_account *account, struct oauth_request *wanted, http_client_done *done, void *arg)
{
	const struct conf_account *conf = account->engine->conf;
	struct http_client_request request = { .url = wanted->url,
		.authorization = wanted->authorization,
		.body = wanted->body,
		.body_len = wanted->body_len };

	trust_tokens(conf, &request);
	*wanted = (struct oauth_request){ 0 };
	http_client_post(account->app->http_client, &request, done, arg);
}

/* That it is asked is on disk: should the answer never come there, the next run knows. */
static void
noted(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct app_asking *asking = arg;
	struct nd_why later;

	if (asking->account->app->down)
		return;
	if (tokens_outdated(asking)) {
		tokens_end(asking);
	} else if (err == ND_ETOKENSLOCKED) {
		tokens_give_up(asking, false, 0, why);
	} else if (err != ND_OK) {
		(void)nd_fail(&later, ND_ETOKENLATER, 0, "the answer could not be kept: %s", why->text);
		(void)nd_fail_at(&later, "", 0, nd_why_hint(why));
		tokens_give_up(asking, true, 0, &later);
	} else {
		asking->posted = true;
		tokens_post(asking->account, &asking->wanted, tokens_answered, asking);
	}
}

static void
note(struct app_asking *asking)
{
	struct app_account *account = asking->account;
	struct nd_why why;

	account->grant.asked = loop_now(account->app->loop).unix_ms;
	if (vault_write(account, account->token_path, &account->grant, noted, asking, &why) != ND_OK)
		noted(asking, why.err, &why);
}

/* By `wish`, which says how the application proves itself. */
static void
renew(struct app_asking *asking, struct oauth_ask *wish)
{
	struct app_account *account = asking->account;
	const struct nd_secret *used = asking->second ? &account->grant.previous : &account->grant.refresh_token;

	nd_secret_set(&asking->used, used->octets, used->len);
	wish->refresh_token = &asking->used;
	oauth_request_done(&asking->wanted);
	oauth_ask_write(account->engine->conf, wish, &asking->wanted);
	note(asking);
}

static void
proved(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct app_asking *asking = arg;
	struct app_account *account = asking->account;
	const struct conf_account *conf = account->engine->conf;
	struct oauth_ask ask = { .grant = asking->refresh ? CONF_REFRESH_TOKEN : conf->grant };

	if (tokens_outdated(asking)) {
		tokens_end(asking);
		return;
	}
	if (!proof) {
		tokens_give_up(asking, nd_err_kind(why->err) == ND_KIND_TRANSIENT, 0, why);
		return;
	}
	asking->next_secret = proof->next;
	nd_secret_set(&asking->sent, proof->client_secret.octets, proof->client_secret.len);
	if (!proof->next)
		credentials_used(account, &proof->client_secret);
	proof_fill(proof, &ask);
	if (asking->refresh) {
		renew(asking, &ask);
		return;
	}
	oauth_request_done(&asking->wanted);
	oauth_ask_write(conf, &ask, &asking->wanted);
	tokens_post(account, &asking->wanted, tokens_answered, asking);
}

void
tokens_prove(struct app_asking *asking)
{
	asking->changes = asking->account->secrets.changes;
	(void)proof_read(asking->account->app, asking->account, proved, asking);
}

/* --- refresh tokens --- */

static void
refresh(struct app_asking *asking)
{
	struct app_account *account = asking->account;
	struct nd_why why;

	if (account->grant.refresh_token.len > 0) {
		tokens_prove(asking);
		return;
	}
	grant_missing(account->engine->conf, account->grant.refused, &why);
	tokens_give_up(asking, false, 0, &why);
}

static void
brought(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct app_asking *asking = arg;
	struct app_account *account = asking->account;

	if (tokens_outdated(asking)) {
		tokens_end(asking);
		return;
	}
	if (proof != NULL) {
		(void)grants_brought(account, &proof->password);
		asking->grants = account->grants;
	} else if (account->grant.refresh_token.len == 0) {
		tokens_give_up(asking, nd_err_kind(why->err) == ND_KIND_TRANSIENT, 0, why);
		return;
	}
	refresh(asking);
}

/* One at a time: an answer may hold the only good token of the next request. */
static bool
refreshing(const struct app_account *account)
{
	for (const struct app_asking *asking = account->asking; asking != NULL; asking = asking->next)
		if (asking->refresh && !tokens_outdated(asking))
			return true;
	return false;
}

static void
ask_refresh(struct app_account *account)
{
	struct app *app = account->app;
	struct app_asking *asking;

	if (refreshing(account)) {
		nd_log(ND_LOG_DEBUG, ND_FIELDS({ "ACCOUNT", account->engine->conf->name }),
		    "the grant of account %s is being renewed already", account->engine->conf->name);
		return; /* its end is told to the engine */
	}
	if (account->locked.err != ND_OK)
		tokens_open(app, account); /* the key may be there by now */
	if (token_usable(&account->engine->token, loop_now(app->loop).ms) && account->locked.err == ND_OK &&
	    !account->engine->token.asking)
		return; /* it was */
	asking = begin(account);
	asking->refresh = true;
	if (account->locked.err != ND_OK)
		tokens_give_up(asking, false, 0, &account->locked);
	else if (account->engine->conf->grant == CONF_REFRESH_TOKEN)
		(void)proof_brought(app, account, brought, asking);
	else
		refresh(asking);
}

enum nd_err
tokens_try(struct app_account *account, const struct tokens_try *try, struct nd_why *why)
{
	struct oauth_ask wish = { .grant = CONF_REFRESH_TOKEN, .client_id = try->client_id, .url = try->url };
	struct app_asking *asking;

	if (account->locked.err != ND_OK) {
		*why = account->locked;
		return why->err;
	}
	if (refreshing(account))
		return nd_fail(why, ND_EBUSY, 0, "the grant is being renewed this moment");
	if (account->grant.refresh_token.len == 0)
		return nd_fail(why, ND_ENOTFOUND, 0, "nobody has signed in");
	asking = begin(account);
	asking->refresh = true;
	asking->tried = try->done;
	asking->tried_arg = try->arg;
	nd_secret_set(&asking->sent, try->client_secret->octets, try->client_secret->len);
	wish.client_secret = &asking->sent;
	renew(asking, &wish);
	return ND_OK;
}

void
tokens_ask(struct app *app, struct engine_account *engine)
{
	if (grant_refreshed(engine->conf))
		ask_refresh(engine->user);
	else if (engine->conf->grant == CONF_MANAGED_IDENTITY)
		identity_ask(app, engine->user, tokens_identified, begin(engine->user));
	else
		tokens_prove(begin(engine->user));
}
