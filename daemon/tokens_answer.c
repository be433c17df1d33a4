/* SPDX-License-Identifier: Apache-2.0 */
/* tokens_answer.c - what a token endpoint answers: kept in STATE/tokens, then used; or why there is none. */
#include "daemon/tokens_inner.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/grant.h"
#include "daemon/core/hint.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_AGAIN ND_SEC(5)

/* The token is on disk, or cannot be kept there: from now on it is used. */
static void
put_to_use(struct app_asking *asking)
{
	struct app_account *account = asking->account;
	struct app *app = account->app;

	tokens_use(account, &asking->token);
	engine_token_got(app->engine, account->engine, asking->obtained, asking->expires, loop_now(app->loop));
	nd_log(ND_LOG_INFO, ND_FIELDS({ "ACCOUNT", account->engine->conf->name }),
	    "new access token for account %s, good for %lld s", account->engine->conf->name,
	    (long long)((asking->expires - asking->obtained) / 1000));
	feed_token(app, account->engine);
	tokens_tell_tried(asking, true, false, NULL);
	tokens_end(asking);
}

static void write_kept(void *arg);

static void
kept(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct app_asking *asking = arg;
	struct app_account *account = asking->account;
	struct app *app = account->app;
	bool rotated = asking->refresh && asking->keep.previous.len > 0;

	if (app->down)
		return;
	if (err != ND_OK)
		nd_log(ND_LOG_WARNING,
		    ND_FIELDS({ "ACCOUNT", account->engine->conf->name }, { "ERR", nd_err_name(err) }),
		    "the token of account %s cannot be kept across a restart: %s", account->engine->conf->name,
		    why->text);
	/* The only good refresh token is in memory: it must come to the disk first. */
	if (err != ND_OK && rotated && !app->stopping && (tokens_foreign(asking) || !tokens_outdated(asking))) {
		if (asking->again_at == NULL)
			asking->again_at = loop_timer_new(app->loop, write_kept, asking);
		loop_timer_set(asking->again_at, loop_now(app->loop).ms + KEEP_AGAIN);
		return;
	}
	if (tokens_outdated(asking)) {
		tokens_end(asking);
		return;
	}
	if (asking->refresh)
		grants_take(account, &asking->keep);
	put_to_use(asking);
}

/* An answer that belongs to settings of before goes to their place. */
static void
write_kept(void *arg)
{
	struct app_asking *asking = arg;
	struct app_account *account = asking->account;
	bool aside = asking->refresh && tokens_foreign(asking);
	char *path = aside ? vault_other(account, asking->identity) : nd_xstrdup(account->token_path);
	struct nd_why why;

	if (!aside && tokens_outdated(asking))
		tokens_end(asking);
	else if (vault_write(account, path, &asking->keep, kept, asking, &why) != ND_OK)
		kept(asking, why.err, &why);
	free(path);
}

static void
keep(struct app_asking *asking, struct oauth_reply *reply)
{
	struct app_account *account = asking->account;
	struct nd_now now = loop_now(account->app->loop);
	struct oauth_saved *saved = &asking->keep;
	bool rotated = reply->refresh_token.len > 0 &&
		       (reply->refresh_token.len != asking->used.len ||
			   memcmp(reply->refresh_token.octets, asking->used.octets, asking->used.len) != 0);

	oauth_saved_done(saved);
	memcpy(saved->identity, asking->identity, sizeof(saved->identity));
	saved->issued = now.unix_ms;
	saved->expires = now.unix_ms + reply->life;
	nd_secret_set(&saved->token, reply->token.octets, reply->token.len);
	nd_secret_set(&asking->token, reply->token.octets, reply->token.len);
	asking->obtained = now.ms;
	asking->expires = now.ms + reply->life;
	if (asking->refresh) {
		const struct nd_secret *token = rotated ? &reply->refresh_token : &asking->used;

		nd_secret_set(&saved->refresh_token, token->octets, token->len);
		if (rotated)
			nd_secret_set(&saved->previous, asking->used.octets, asking->used.len);
		saved->refreshed = now.unix_ms;
		if (!tokens_foreign(asking)) {
			memcpy(saved->imported, account->grant.imported, sizeof(saved->imported));
			memcpy(saved->signed_in, account->grant.signed_in, sizeof(saved->signed_in));
		}
	}
	write_kept(asking);
}

static void
settled(void *arg, enum nd_err err, const struct nd_why *why)
{
	(void)arg;
	if (err != ND_OK)
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "ERR", nd_err_name(err) }), "%s", why->text);
}

/* The refresh brought nothing: the file says again that none is under way, unless its answer may be lost. */
static void
settle(struct app_asking *asking)
{
	struct app_account *account = asking->account;
	struct nd_why why;

	account->answer_lost = account->answer_lost || asking->unanswered;
	if (asking->unanswered || account->grant.asked == 0)
		return;
	account->grant.asked = 0;
	if (vault_write(account, account->token_path, &account->grant, settled, NULL, &why) != ND_OK)
		settled(NULL, why.err, &why);
}

static void
tell_refusal(const struct conf_account *conf, enum nd_level level, const struct nd_why *why)
{
	struct nd_buf hint;

	nd_buf_init(&hint, HINT_LIMIT);
	(void)hint_of(conf, HINT_OPERATOR, why->text, why, &hint);
	nd_log(level, ND_FIELDS({ "ACCOUNT", conf->name }, { "ERR", nd_err_name(why->err) }),
	    "no token for account %s: %s%s%s", conf->name, why->text, hint.len > 0 ? "; " : "", nd_buf_text(&hint));
	nd_buf_done(&hint);
}

/* No token, and why. What was refused with a secret of before may be good with the one that has come since. */
void
tokens_give_up(struct app_asking *asking, bool later, nd_ms retry_after, const struct nd_why *why)
{
	struct app_account *account = asking->account;
	struct app *app = account->app;
	bool changed =
	    asking->changes != account->secrets.changes || (asking->refresh && asking->settings != account->settings);

	if (asking->posted && account->grant.refresh_token.len > 0)
		settle(asking);
	if (asking->tried != NULL) {
		tokens_tell_tried(asking, false, later, why);
		tokens_end(asking);
		return;
	}
	tell_refusal(account->engine->conf, later ? ND_LOG_WARNING : ND_LOG_ERR, why);
	if (later)
		engine_token_later(app->engine, account->engine, retry_after, why, loop_now(app->loop));
	else
		engine_token_refused(app->engine, account->engine, why, loop_now(app->loop));
	if (changed)
		engine_refresh(app->engine, account->engine, loop_now(app->loop));
	tokens_end(asking);
}

/* The newest may never have become good: the one before it is tried, once. */
static void
take_dead(struct app_asking *asking, const struct oauth_reply *reply)
{
	struct app_account *account = asking->account;
	struct nd_why why;

	if (!asking->second && account->grant.previous.len > 0) {
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "ACCOUNT", account->engine->conf->name }),
		    "account %s: the newest refresh token is refused, the one before it is tried: %s",
		    account->engine->conf->name, reply->why.text);
		asking->second = true;
		tokens_prove(asking);
		return;
	}
	grants_refused(account, reply->why.text, &why);
	tokens_give_up(asking, false, 0, &why);
}

static void
take(struct app_asking *asking, struct oauth_reply *reply)
{
	if (reply->class == OAUTH_TOKEN) {
		if (asking->tried == NULL)
			proof_accepted(asking->account, asking->next_secret);
		keep(asking, reply);
		return;
	}
	oauth_reply_blame(reply, asking->account->engine->conf, &asking->sent);
	oauth_reply_redact(reply, &asking->used);
	if (asking->tried != NULL) {
		tokens_give_up(asking, reply->class == OAUTH_LATER, reply->retry_after, &reply->why);
		return;
	}
	if (proof_refused(asking->account, asking->next_secret, reply) && !asking->again) {
		asking->again = true;
		tokens_prove(asking);
		return;
	}
	if (asking->refresh && grant_dead(reply->error) && reply->class == OAUTH_REFUSED) {
		take_dead(asking, reply);
		return;
	}
	tokens_give_up(asking, reply->class == OAUTH_LATER, reply->retry_after, &reply->why);
}

void
tokens_answered(void *arg, const struct http_client_reply *http)
{
	struct app_asking *asking = arg;
	struct oauth_reply reply = { 0 };

	oauth_read(
	    http->status, http->body, http->len, http->retry_after, http->status == 0 ? &http->why : NULL, &reply);
	if (http->date != 0) {
		asking->account->skew = (long)((loop_now(asking->account->app->loop).unix_ms - http->date) / ND_SEC(1));
		asking->account->skew_known = true;
	}
	asking->unanswered = http->status == 0 && http->why.err != ND_ECONNECT && http->why.err != ND_ERESOLVE;
	/* What was refreshed for settings of before is their only refresh token now. */
	if (tokens_outdated(asking) && !(asking->refresh && tokens_foreign(asking) && reply.class == OAUTH_TOKEN))
		tokens_end(asking);
	else
		take(asking, &reply);
	oauth_reply_done(&reply);
}

void
tokens_identified(void *arg, const struct oauth_reply *given)
{
	struct app_asking *asking = arg;
	struct oauth_reply reply = *given;

	if (tokens_outdated(asking)) {
		tokens_end(asking);
		return;
	}
	reply.token = (struct nd_secret){ 0 };
	nd_secret_set(&reply.token, given->token.octets, given->token.len);
	take(asking, &reply);
	nd_secret_done(&reply.token);
}
