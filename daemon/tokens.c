/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c - asks for access tokens when the engine wants one, and keeps them in STATE/tokens across restarts. */
#include "daemon/app.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/grant.h"
#include "daemon/core/hint.h"
#include "daemon/core/oauth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDENTITY_LIMIT 65536u
#define KEEP_AGAIN ND_SEC(5)

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

static void
use(struct app_account *account, const struct oauth_saved *saved)
{
	struct app *app = account->app;
	struct nd_now now = loop_now(app->loop);

	if (saved->token.len == 0 || saved->issued > now.unix_ms || saved->expires <= now.unix_ms)
		return;
	nd_secret_set(&account->token, saved->token.octets, saved->token.len);
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
	bool refresh;          /* by a refresh token: `used`, of the grant that `grants` and `identity` name */
	bool second;           /* it is the one before the newest */
	bool posted;           /* the endpoint may have taken it */
	bool unanswered;       /* it went out, and no answer came */
	unsigned grants;
	char identity[80];
	struct nd_secret used;
	struct oauth_request wanted; /* while it is noted that it is asked */
	struct oauth_saved keep;     /* the file to be */
	struct loop_timer *again_at; /* the file could not be written */
	tokens_tried *tried;         /* somebody tries a client secret by it, and is told; NULL: the engine is */
	void *tried_arg;
	struct app_asking *next;
};

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

static void
tell_tried(struct app_asking *asking, bool good, bool later, const struct nd_why *why)
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

static void
end(struct app_asking *asking)
{
	struct app_account *account = asking->account;
	struct app_asking **at = &account->asking;
	struct nd_why why;

	(void)nd_fail(&why, ND_ETOKENLATER, 0, "the account has changed meanwhile");
	tell_tried(asking, false, true, &why);
	while (*at != asking)
		at = &(*at)->next;
	*at = asking->next;
	account->engine->users--;
	free_asking(asking);
	loop_soon(account->app->loop, app_pump, account->app);
}

/* Of settings that rule no more. */
static bool
foreign(const struct app_asking *asking)
{
	return strcmp(asking->identity, asking->account->identity) != 0;
}

/* The account is another one since, or gone; a refresh is of use to a changed one too. */
static bool
outdated(const struct app_asking *asking)
{
	const struct app_account *account = asking->account;

	if (asking->refresh)
		return foreign(asking) || asking->grants != account->grants;
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

/* The token is on disk, or cannot be kept there: from now on it is used. */
static void
put_to_use(struct app_asking *asking)
{
	struct app_account *account = asking->account;
	struct app *app = account->app;

	nd_secret_set(&account->token, asking->token.octets, asking->token.len);
	engine_token_got(app->engine, account->engine, asking->obtained, asking->expires, loop_now(app->loop));
	nd_log(ND_LOG_INFO, ND_FIELDS({ "ACCOUNT", account->engine->conf->name }),
	    "new access token for account %s, good for %lld s", account->engine->conf->name,
	    (long long)((asking->expires - asking->obtained) / 1000));
	feed_token(app, account->engine);
	tell_tried(asking, true, false, NULL);
	end(asking);
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
	if (err != ND_OK && rotated && !app->stopping && (foreign(asking) || !outdated(asking))) {
		if (asking->again_at == NULL)
			asking->again_at = loop_timer_new(app->loop, write_kept, asking);
		loop_timer_set(asking->again_at, loop_now(app->loop).ms + KEEP_AGAIN);
		return;
	}
	if (outdated(asking)) {
		end(asking);
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
	bool aside = asking->refresh && foreign(asking);
	char *path = aside ? vault_other(account, asking->identity) : nd_xstrdup(account->token_path);
	struct nd_why why;

	if (!aside && outdated(asking))
		end(asking);
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
		if (!foreign(asking)) {
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
static void
give_up(struct app_asking *asking, bool later, nd_ms retry_after, const struct nd_why *why)
{
	struct app_account *account = asking->account;
	struct app *app = account->app;
	bool changed =
	    asking->changes != account->secrets.changes || (asking->refresh && asking->settings != account->settings);

	if (asking->posted && account->grant.refresh_token.len > 0)
		settle(asking);
	if (asking->tried != NULL) {
		tell_tried(asking, false, later, why);
		end(asking);
		return;
	}
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
		prove(asking);
		return;
	}
	grants_refused(account, reply->why.text, &why);
	give_up(asking, false, 0, &why);
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
	oauth_reply_blame(reply, &asking->sent);
	oauth_reply_redact(reply, &asking->used);
	if (asking->tried != NULL) {
		give_up(asking, reply->class == OAUTH_LATER, reply->retry_after, &reply->why);
		return;
	}
	if (proof_refused(asking->account, asking->next_secret, reply) && !asking->again) {
		asking->again = true;
		prove(asking);
		return;
	}
	if (asking->refresh && grant_dead(reply->error) && reply->class == OAUTH_REFUSED) {
		take_dead(asking, reply);
		return;
	}
	give_up(asking, reply->class == OAUTH_LATER, reply->retry_after, &reply->why);
}

static void
answered(void *arg, const struct http_client_reply *http)
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
	if (outdated(asking) && !(asking->refresh && foreign(asking) && reply.class == OAUTH_TOKEN))
		end(asking);
	else
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

void
tokens_post(struct app_account *account, struct oauth_request *wanted, http_client_done *done, void *arg)
{
	const struct conf_account *conf = account->engine->conf;
	struct http_client_request request = { .url = wanted->url,
		.authorization = wanted->authorization,
		.body = wanted->body,
		.body_len = wanted->body_len,
		.ca_file = conf->token_ca_file[0] ? nd_xstrdup(conf->token_ca_file)
			   : conf->ca_file[0]     ? nd_xstrdup(conf->ca_file)
						  : NULL };

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
	if (outdated(asking)) {
		end(asking);
	} else if (err == ND_ETOKENSLOCKED) {
		give_up(asking, false, 0, why);
	} else if (err != ND_OK) {
		(void)nd_fail(&later, ND_ETOKENLATER, 0, "the answer could not be kept: %s", why->text);
		(void)nd_fail_at(&later, "", 0, nd_why_hint(why));
		give_up(asking, true, 0, &later);
	} else {
		asking->posted = true;
		tokens_post(asking->account, &asking->wanted, answered, asking);
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
	if (!proof->next)
		credentials_used(account, &proof->client_secret);
	proof_fill(proof, &ask);
	if (asking->refresh) {
		renew(asking, &ask);
		return;
	}
	oauth_request_done(&asking->wanted);
	oauth_ask_write(conf, &ask, &asking->wanted);
	tokens_post(account, &asking->wanted, answered, asking);
}

static void
prove(struct app_asking *asking)
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
		prove(asking);
		return;
	}
	grant_missing(account->engine->conf, account->grant.refused, &why);
	give_up(asking, false, 0, &why);
}

static void
brought(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct app_asking *asking = arg;
	struct app_account *account = asking->account;

	if (outdated(asking)) {
		end(asking);
		return;
	}
	if (proof != NULL) {
		(void)grants_brought(account, &proof->password);
		asking->grants = account->grants;
	} else if (account->grant.refresh_token.len == 0) {
		give_up(asking, nd_err_kind(why->err) == ND_KIND_TRANSIENT, 0, why);
		return;
	}
	refresh(asking);
}

/* One at a time: an answer may hold the only good token of the next request. */
static bool
refreshing(const struct app_account *account)
{
	for (const struct app_asking *asking = account->asking; asking != NULL; asking = asking->next)
		if (asking->refresh && !outdated(asking))
			return true;
	return false;
}

static void
ask_refresh(struct app_account *account)
{
	struct app *app = account->app;
	struct app_asking *asking;

	if (refreshing(account))
		return; /* its end is told to the engine */
	if (account->locked.err != ND_OK)
		tokens_open(app, account); /* the key may be there by now */
	if (token_usable(&account->engine->token, loop_now(app->loop).ms) && account->locked.err == ND_OK &&
	    !account->engine->token.asking)
		return; /* it was */
	asking = begin(account);
	asking->refresh = true;
	if (account->locked.err != ND_OK)
		give_up(asking, false, 0, &account->locked);
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

	if (account->app->another_machine)
		return nd_fail(why, ND_ESTATE, 0, "nobody's grant is renewed: " OTHER_MACHINE);
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
		identity_ask(app, engine->user, identified, begin(engine->user));
	else
		prove(begin(engine->user));
}
