/* SPDX-License-Identifier: Apache-2.0 */
/* logins_token.c - what a sign-in brings: the token endpoint is asked, its grant judged, kept on disk, then used. */
#include "daemon/logins_inner.h"

#include <stdio.h>
#include <string.h>

static void
kept(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct app_login *login = arg;

	if (logins_given_up(login))
		return;
	if (err != ND_OK) {
		logins_fail(login, why);
		return;
	}
	login->busy = false;
	login->done = true;
	grants_sign_in(login->account, &login->saved);
	logins_tell(login);
}

static void
keep(struct app_login *login, struct oauth_reply *reply)
{
	struct app_account *account = login->account;
	struct nd_now now = loop_now(login->app->loop);
	struct oauth_saved *saved = &login->saved;
	struct nd_why why;

	if (!signin_who(&reply->id_token, saved->signed_in, sizeof(saved->signed_in)))
		(void)signin_who(&reply->token, saved->signed_in, sizeof(saved->signed_in));
	if (signin_judge(account->engine->conf, reply, saved->signed_in, login->notes, &why) != ND_OK) {
		logins_fail(login, &why);
		return;
	}
	memcpy(login->scope, reply->scope, sizeof(login->scope));
	if (login->scope[0] == '\0')
		(void)snprintf(login->scope, sizeof(login->scope), "%s", account->engine->conf->scope);
	memcpy(saved->identity, account->identity, sizeof(saved->identity));
	memcpy(saved->imported, account->grant.imported, sizeof(saved->imported)); /* what was brought stays used up */
	saved->issued = saved->refreshed = now.unix_ms;
	saved->expires = now.unix_ms + reply->life;
	nd_secret_set(&saved->token, reply->token.octets, reply->token.len);
	nd_secret_set(&saved->refresh_token, reply->refresh_token.octets, reply->refresh_token.len);
	if (account->grant.refresh_token.len > 0 && account->locked.err == ND_OK)
		vault_keep(account, "replaced");
	if (vault_write(account, account->token_path, saved, kept, login, &why) != ND_OK)
		logins_fail(login, &why);
}

void
logins_use_proof(struct app_login *login, const struct app_proof *proof, struct oauth_ask *ask)
{
	login->next_secret = proof->next;
	nd_secret_set(&login->sent, proof->client_secret.octets, proof->client_secret.len);
	proof_fill(proof, ask);
}

bool
logins_other_secret(struct app_login *login, struct oauth_reply *reply)
{
	oauth_reply_blame(reply, login->account->engine->conf, &login->sent);
	oauth_reply_redact(reply, &login->code);
	oauth_reply_redact(reply, &login->device.device_code);
	if (login->again || !proof_refused(login->account, login->next_secret, reply))
		return false;
	login->again = true;
	return true;
}

void
logins_fail_refused(struct app_login *login, const char *what, const struct oauth_reply *reply)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ELOGIN, 0, "%s%s", what, reply->why.text);
	(void)nd_fail_at(&why, "", 0, nd_why_hint(&reply->why));
	logins_fail(login, &why);
}

static void
answered(void *arg, const struct http_client_reply *http)
{
	struct app_login *login = arg;
	struct oauth_reply reply;
	struct nd_why why;

	if (logins_given_up(login))
		return;
	oauth_read(
	    http->status, http->body, http->len, http->retry_after, http->status == 0 ? &http->why : NULL, &reply);
	if (reply.class == OAUTH_TOKEN) {
		proof_accepted(login->account, login->next_secret);
		keep(login, &reply);
	} else if (logins_other_secret(login, &reply)) {
		logins_ask(login);
	} else if (login->mode == SIGNIN_CODE) {
		logins_fail_refused(login, "", &reply);
	} else if (signin_poll(&login->device, &reply, &why) == SIGNIN_WAIT) {
		login->busy = false;
		login->poll_at = loop_now(login->app->loop).ms + login->device.interval;
		logins_set_timer(login);
	} else {
		logins_fail(login, &why);
	}
	oauth_reply_done(&reply);
}

static void
proved(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct app_login *login = arg;
	struct oauth_ask ask = { .grant = login->mode == SIGNIN_CODE ? CONF_AUTHORIZATION_CODE : CONF_DEVICE_CODE };
	struct oauth_request wanted;

	if (logins_given_up(login))
		return;
	if (proof == NULL) {
		logins_fail(login, why);
		return;
	}
	logins_use_proof(login, proof, &ask);
	if (login->mode == SIGNIN_CODE) {
		ask.code = &login->code;
		ask.verifier = &login->verifier;
		ask.redirect_uri = login->redirect_uri;
	} else {
		ask.device_code = &login->device.device_code;
	}
	oauth_ask_write(login->account->engine->conf, &ask, &wanted);
	tokens_post(login->account, &wanted, answered, login);
}

void
logins_ask(struct app_login *login)
{
	login->busy = true;
	(void)proof_read(login->app, login->account, proved, login);
}
