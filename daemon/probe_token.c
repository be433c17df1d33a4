/* SPDX-License-Identifier: Apache-2.0 */
/* probe_token.c - a test's secret, its token, and what the token says of itself. */
#include "daemon/probe.h"

#include "common/mem.h"
#include "common/stamp.h"
#include "daemon/core/oauth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKEW_TOLD 60 /* s */

static void prove(struct probe *probe);

/* -- claims -- */

static void
look(struct probe *probe)
{
	const nd_unix now = loop_now(probe->app->loop).unix_ms;
	struct nd_buf words;
	struct nd_why why;

	claims_read(&probe->token, &probe->claims);
	if (claims_check(&probe->claims, probe->conf, now, &why) != ND_OK) {
		probe_fail(probe, &(struct probe_fault){ .why = &why });
		return;
	}
	nd_buf_init(&words, 4096);
	claims_write(&probe->claims, now, probe->fresh, probe->lang, &words);
	probe_pass(probe, PROBE_DNS, "%s", nd_buf_text(&words));
	nd_buf_done(&words);
	probe_connect(probe);
}

/* -- the token -- */

static void
got(struct probe *probe, nd_ms life)
{
	const enum explain_lang lang = probe->lang;
	char skew[160] = "", span[ND_STAMP_SIZE];
	const long by = probe->skew < 0 ? -probe->skew : probe->skew;

	if (probe->skew_known && by > SKEW_TOLD)
		(void)snprintf(skew, sizeof(skew),
		    explain_say(lang, "; this host's clock is %s %s the endpoint's",
			"。このホストの時計はトークンエンドポイントより %s %sいます"),
		    nd_stamp_span(by * ND_SEC(1), span),
		    probe->skew < 0 ? explain_say(lang, "behind", "遅れて") : explain_say(lang, "ahead of", "進んで"));
	probe_pass(probe, PROBE_CLAIMS,
	    explain_say(lang, "an access token, good for %lld s%s%s%s%s",
		"アクセストークンを取得しました (有効期間 %lld 秒)%s%s%s%s"),
	    (long long)(life / ND_SEC(1)),
	    probe->next_secret ? explain_say(lang, ", by client_secret_next", "。client_secret_next を使用") : "", skew,
	    probe->token_by[0] != '\0' ? probe_inspected(probe) : "", probe->token_by);
	look(probe);
}

static void
take(struct probe *probe, struct oauth_reply *reply)
{
	if (reply->class == OAUTH_TOKEN) {
		probe->token = reply->token;
		reply->token = (struct nd_secret){ 0 };
		probe->fresh = true;
		got(probe, reply->life);
		return;
	}
	oauth_reply_blame(reply, probe->conf, &probe->sent);
	if (proof_refused(&probe->account, probe->next_secret, reply) && !probe->again) {
		probe->again = true;
		prove(probe);
		return;
	}
	probe_fail(
	    probe, &(struct probe_fault){ .why = &reply->why, .error = reply->error, .wait = reply->retry_after });
}

static void
note_clock(struct probe *probe, nd_unix date)
{
	if (date == 0)
		return;
	probe->skew_known = true;
	probe->skew = (long)((loop_now(probe->app->loop).unix_ms - date) / ND_SEC(1));
}

static void
answered(void *arg, const struct http_client_reply *http)
{
	struct probe *probe = arg;
	struct oauth_reply reply = { 0 };

	if (!probe_back(probe))
		return;
	note_clock(probe, http->date);
	if (http->chain != NULL)
		probe_inspection(probe->conf, http->chain, probe->token_own, probe->token_by, sizeof(probe->token_by));
	oauth_read(
	    http->status, http->body, http->len, http->retry_after, http->status == 0 ? &http->why : NULL, &reply);
	take(probe, &reply);
	oauth_reply_done(&reply);
}

static void
identified(void *arg, const struct oauth_reply *given)
{
	struct probe *probe = arg;
	struct oauth_reply reply = *given;

	if (!probe_back(probe))
		return;
	reply.token = (struct nd_secret){ 0 };
	nd_secret_set(&reply.token, given->token.octets, given->token.len);
	take(probe, &reply);
	nd_secret_done(&reply.token);
}

static void
ask(struct probe *probe, const struct app_proof *proof)
{
	const struct conf_account *conf = probe->conf;
	struct oauth_ask wish = { .grant = conf->grant };
	struct http_client_request request;
	struct oauth_request wanted;

	probe->next_secret = proof->next;
	nd_secret_set(&probe->sent, proof->client_secret.octets, proof->client_secret.len);
	proof_fill(proof, &wish);
	oauth_ask_write(conf, &wish, &wanted);
	request = (struct http_client_request){ .url = wanted.url,
		.authorization = wanted.authorization,
		.body = wanted.body,
		.body_len = wanted.body_len };
	trust_tokens(conf, &request);
	request.inspect = true;
	probe->token_own = request.ca_file != NULL || request.ca_dir != NULL;
	probe->waiting++;
	http_client_post(probe->app->http_client, &request, answered, probe);
}

/* While no daemon runs: what it keeps. A token that has ended is not renewed here, for the daemon would then hold a spent refresh token. */
static void
borrow_kept(struct probe *probe)
{
	const nd_unix now = loop_now(probe->app->loop).unix_ms;
	struct oauth_saved saved = { 0 };
	struct nd_why why, told;
	const enum nd_err err = tokens_look(&probe->account, &saved, &told);
	const nd_ms left = saved.token.len > 0 && saved.issued <= now ? saved.expires - now : 0;

	if (err == ND_OK && left > 0) {
		nd_secret_set(&probe->token, saved.token.octets, saved.token.len);
		oauth_saved_done(&saved);
		got(probe, left);
		return;
	}
	oauth_saved_done(&saved);
	(void)nd_fail(&why, ND_ETOKEN, 0,
	    "%s; only the running notifyd renews it, for a renewal may use the refresh token up",
	    err == ND_OK ? "the access token that is kept has ended" : told.text);
	(void)nd_fail_at(&why, "", 0, "start notifyd, then: notifyctl account test NAME");
	probe_fail(probe, &(struct probe_fault){ .why = &why });
}

/* A grant that lives on a refresh token: a request would change it, so the token that is in use is looked at. Only for the same mailbox and server. */
static void
borrow(struct probe *probe)
{
	struct app *app = probe->app;
	struct engine_account *engine = app->engine ? engine_account_named(app->engine, probe->conf->name) : NULL;
	const struct app_account *own = engine ? engine->user : NULL;
	const nd_ms now = loop_now(app->loop).ms;
	struct nd_why why;

	if (!app->engine) {
		borrow_kept(probe);
		return;
	}
	if (own && own->token.len > 0 && token_usable(&engine->token, now) &&
	    conf_compare(engine->conf, probe->conf) != CONF_OTHER) {
		nd_secret_set(&probe->token, own->token.octets, own->token.len);
		got(probe, engine->token.expires - now);
		return;
	}
	(void)nd_fail(
	    &why, ND_ETOKEN, 0, "notifyd has no access token for this account: nobody has signed in, or it has ended");
	(void)nd_fail_at(&why, "", 0, "notifyctl account login NAME, or notifyctl account refresh NAME");
	probe_fail(probe, &(struct probe_fault){ .why = &why });
}

/* -- the secret -- */

static const char *
proof_words(const struct conf_account *conf, enum explain_lang lang)
{
	if (conf->grant == CONF_JWT_BEARER)
		return explain_say(lang, "an assertion, signed with the service account's key",
		    "サービスアカウントの鍵で署名したアサーション");
	if (conf->assertion_file[0] != '\0')
		return explain_say(lang, "the token in assertion_file", "assertion_file のトークン");
	if (conf->certificate[0] != '\0')
		return explain_say(
		    lang, "an assertion, signed with the certificate's key", "証明書の鍵で署名したアサーション");
	return conf->client_secret[0] != '\0' ? conf->client_secret
					      : explain_say(lang, "no secret is needed: a public client",
						    "シークレットは不要です (パブリッククライアント)");
}

/* A command's arguments are nobody's business. */
static void
tell_read(struct probe *probe, enum probe_step next, const char *words)
{
	const bool command = strncmp(words, "command:", 8) == 0;

	probe_pass(probe, next, explain_say(probe->lang, "read: %.*s", "読み取りました: %.*s"),
	    (int)(command ? strcspn(words, " ") : strlen(words)), words);
}

static void
proved(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct probe *probe = arg;

	if (!probe_back(probe))
		return;
	if (!proof) {
		probe_fail(probe, &(struct probe_fault){ .why = why });
		return;
	}
	if (!probe->again)
		tell_read(probe, PROBE_TOKEN,
		    proof->next ? probe->conf->client_secret_next : proof_words(probe->conf, probe->lang));
	ask(probe, proof);
}

static void
prove(struct probe *probe)
{
	probe->waiting++;
	(void)proof_read(probe->app, &probe->account, proved, probe);
}

static void
password_read(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct probe *probe = arg;

	if (!probe_back(probe))
		return;
	if (!proof) {
		probe_fail(probe, &(struct probe_fault){ .why = why });
		return;
	}
	nd_secret_set(&probe->password, proof->password.octets, proof->password.len);
	tell_read(probe, PROBE_DNS, probe->conf->password);
	probe_connect(probe);
}

void
probe_secret(struct probe *probe)
{
	const struct conf_account *conf = probe->conf;

	if (conf->auth == CONF_NO_AUTH) {
		probe->step = PROBE_DNS;
		probe_connect(probe);
	} else if (probe->login_only) {
		proof_clean_password(conf, &probe->password);
		probe_pass(probe, PROBE_DNS,
		    explain_say(probe->lang, "the one that was handed over", "渡されたものを使用します"));
		probe_connect(probe);
	} else if (conf->auth == CONF_PASSWORD) {
		probe->waiting++;
		(void)proof_password(probe->app, &probe->account, password_read, probe);
	} else if (CONF_GRANTS_REFRESHED & CONF_GRANT_BIT(conf->grant)) {
		probe->step = PROBE_TOKEN;
		borrow(probe);
	} else if (conf->grant == CONF_MANAGED_IDENTITY) {
		probe->step = PROBE_TOKEN;
		probe->waiting++;
		identity_ask(probe->app, &probe->account, identified, probe);
	} else {
		prove(probe);
	}
}
