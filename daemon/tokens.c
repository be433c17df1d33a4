/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c - asks for access tokens when the engine wants one, and keeps them in STATE/tokens across restarts. */
#include "daemon/app.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/hint.h"
#include "daemon/core/oauth.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN_FILE_LIMIT 65536u

static void
identify(struct app_account *account)
{
	static const char digits[] = "0123456789abcdef";
	struct nd_buf buf;
	uint8_t sum[32];
	unsigned i;

	nd_buf_init(&buf, TOKEN_FILE_LIMIT);
	oauth_identity(account->engine->conf, &buf);
	tls_sha256(nd_buf_text(&buf), buf.len, sum);
	nd_buf_done(&buf);
	for (i = 0; i < sizeof(sum); i++) {
		account->identity[2 * i] = digits[sum[i] >> 4];
		account->identity[2 * i + 1] = digits[sum[i] & 15];
	}
	account->identity[2 * i] = '\0';
}

void
tokens_open(struct app *app, struct app_account *account)
{
	struct nd_now now = loop_now(app->loop);
	struct oauth_saved saved = { 0 };
	struct nd_why why;
	char *octets;
	size_t len;

	identify(account);
	if (filer_read(account->token_path, TOKEN_FILE_LIMIT, &octets, &len, &why) != ND_OK) {
		if (why.err != ND_ENOTFOUND)
			nd_log(ND_LOG_WARNING, ND_FIELDS({ "ACCOUNT", account->engine->conf->name }), "%s", why.text);
		return;
	}
	if (oauth_saved_read(octets, len, &saved, &why) != ND_OK) {
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "ACCOUNT", account->engine->conf->name }),
		    "the kept token of account %s is not used: %s", account->engine->conf->name, why.text);
	} else if (strcmp(saved.identity, account->identity) == 0 && saved.issued <= now.unix_ms &&
		   saved.expires > now.unix_ms) {
		nd_secret_set(&account->token, saved.token.octets, saved.token.len);
		engine_token_got(app->engine, account->engine, now.ms - (now.unix_ms - saved.issued),
		    now.ms + (saved.expires - now.unix_ms), now);
	}
	oauth_saved_done(&saved);
	nd_wipe_free(octets, len);
}

/* One request for a token, until its answer is dealt with and kept. */
struct app_asking {
	struct app_account *account;
	unsigned settings; /* those it was asked with */
	struct nd_secret token;
	nd_ms obtained, expires;
	struct nd_secret sent; /* the client's secret that went with it */
	bool next_secret;      /* which of the two it is */
	bool again;            /* the other one was refused already */
	unsigned changes;      /* of the secrets, when they were read */
	struct app_asking *next;
};

static struct app_asking *
begin(struct app_account *account)
{
	struct app_asking *asking = nd_xalloc(sizeof(*asking));

	asking->account = account;
	asking->settings = account->settings;
	asking->changes = account->secrets.changes;
	asking->next = account->asking;
	account->asking = asking;
	account->engine->users++;
	return asking;
}

static void
end(struct app_asking *asking)
{
	struct app_account *account = asking->account;
	struct app_asking **at = &account->asking;

	while (*at != asking)
		at = &(*at)->next;
	*at = asking->next;
	account->engine->users--;
	nd_secret_done(&asking->token);
	nd_secret_done(&asking->sent);
	free(asking);
	loop_soon(account->app->loop, app_pump, account->app);
}

/* The account is another one since, or gone. */
static bool
outdated(const struct app_asking *asking)
{
	return asking->settings != asking->account->settings;
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
		nd_secret_done(&asking->token);
		nd_secret_done(&asking->sent);
		free(asking);
	}
	nd_secret_done(&account->token);
}

/* The token is on disk, or cannot be kept there: from now on it is used. */
static void
kept(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct app_asking *asking = arg;
	struct app_account *account = asking->account;
	struct app *app = account->app;

	if (app->down)
		return;
	if (outdated(asking)) {
		end(asking);
		return;
	}
	if (err != ND_OK)
		nd_log(ND_LOG_WARNING,
		    ND_FIELDS({ "ACCOUNT", account->engine->conf->name }, { "ERR", nd_err_name(err) }),
		    "the token of account %s cannot be kept across a restart: %s", account->engine->conf->name,
		    why->text);
	nd_secret_set(&account->token, asking->token.octets, asking->token.len);
	engine_token_got(app->engine, account->engine, asking->obtained, asking->expires, loop_now(app->loop));
	nd_log(ND_LOG_INFO, ND_FIELDS({ "ACCOUNT", account->engine->conf->name }),
	    "new access token for account %s, good for %lld s", account->engine->conf->name,
	    (long long)((asking->expires - asking->obtained) / 1000));
	feed_token(app, account->engine);
	end(asking);
}

static void
keep(struct app_asking *asking, struct oauth_reply *reply)
{
	struct app_account *account = asking->account;
	struct app *app = account->app;
	struct nd_now now = loop_now(app->loop);
	struct oauth_saved saved = {
		.issued = now.unix_ms, .expires = now.unix_ms + reply->life, .token = reply->token
	};
	struct nd_buf buf;

	memcpy(saved.identity, account->identity, sizeof(saved.identity));
	asking->token = reply->token;
	reply->token = (struct nd_secret){ 0 };
	asking->obtained = now.ms;
	asking->expires = now.ms + saved.expires - saved.issued;
	nd_buf_init(&buf, TOKEN_FILE_LIMIT);
	oauth_saved_write(&saved, &buf);
	filer_write_later(app->files, app->loop, account->token_path, nd_buf_text(&buf), buf.len, kept, asking);
	nd_buf_wipe(&buf);
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
static void
give_up(struct app_asking *asking, bool later, nd_ms retry_after, const struct nd_why *why)
{
	struct app_account *account = asking->account;
	struct app *app = account->app;
	const bool changed = asking->changes != account->secrets.changes;

	tell_refusal(account->engine->conf, later ? ND_LOG_WARNING : ND_LOG_ERR, why);
	if (later)
		engine_token_later(app->engine, account->engine, retry_after, why, loop_now(app->loop));
	else
		engine_token_refused(app->engine, account->engine, why, loop_now(app->loop));
	if (changed)
		engine_refresh(app->engine, account->engine, loop_now(app->loop));
	end(asking);
}

static void prove(struct app_asking *asking);

static void
take(struct app_asking *asking, struct oauth_reply *reply)
{
	if (reply->class == OAUTH_TOKEN) {
		proof_accepted(asking->account, asking->next_secret);
		keep(asking, reply);
		return;
	}
	oauth_reply_blame(reply, &asking->sent);
	if (proof_refused(asking->account, asking->next_secret, reply) && !asking->again) {
		asking->again = true;
		prove(asking);
		return;
	}
	give_up(asking, reply->class == OAUTH_LATER, reply->retry_after, &reply->why);
}

static void
answered(void *arg, const struct http_client_reply *http)
{
	struct app_asking *asking = arg;
	struct oauth_reply reply = { 0 };

	if (outdated(asking)) {
		end(asking);
		return;
	}
	oauth_read(
	    http->status, http->body, http->len, http->retry_after, http->status == 0 ? &http->why : NULL, &reply);
	take(asking, &reply);
	oauth_reply_done(&reply);
}

static void
identified(void *arg, const struct oauth_reply *given)
{
	struct app_asking *asking = arg;
	struct oauth_reply reply = *given;

	if (outdated(asking)) {
		end(asking);
		return;
	}
	reply.token = (struct nd_secret){ 0 };
	nd_secret_set(&reply.token, given->token.octets, given->token.len);
	take(asking, &reply);
	nd_secret_done(&reply.token);
}

static void
proved(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct app_asking *asking = arg;
	struct app_account *account = asking->account;
	const struct conf_account *conf = account->engine->conf;
	struct oauth_ask ask = { .grant = conf->grant };
	struct http_client_request request;
	struct oauth_request wanted;

	if (outdated(asking)) {
		end(asking);
		return;
	}
	if (!proof) {
		give_up(asking, nd_err_kind(why->err) == ND_KIND_TRANSIENT, 0, why);
		return;
	}
	asking->next_secret = proof->next;
	nd_secret_set(&asking->sent, proof->client_secret.octets, proof->client_secret.len);
	proof_fill(proof, &ask);
	oauth_ask_write(conf, &ask, &wanted);
	request = (struct http_client_request){ .url = wanted.url,
		.authorization = wanted.authorization,
		.body = wanted.body,
		.body_len = wanted.body_len,
		.ca_file = conf->token_ca_file[0] ? nd_xstrdup(conf->token_ca_file)
			   : conf->ca_file[0]     ? nd_xstrdup(conf->ca_file)
						  : NULL };
	http_client_post(account->app->http_client, &request, answered, asking);
}

static void
prove(struct app_asking *asking)
{
	asking->changes = asking->account->secrets.changes;
	(void)proof_read(asking->account->app, asking->account, proved, asking);
}

void
tokens_ask(struct app *app, struct engine_account *engine)
{
	struct app_asking *asking = begin(engine->user);

	if (engine->conf->grant == CONF_MANAGED_IDENTITY)
		identity_ask(app, engine->user, identified, asking);
	else
		prove(asking);
}
