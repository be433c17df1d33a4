/* SPDX-License-Identifier: Apache-2.0 */
/* logins_begin.c - a sign-in begins: with a URL for a browser, or a code for a device. */
#include "daemon/logins_inner.h"

#include "common/mem.h"

#include <string.h>

#define LIFE ND_MIN(15)

static void
put_start(struct app_login *login, struct json_out *out)
{
	json_out_object(out, NULL);
	json_out_text(out, "login", login->id);
	json_out_text(out, "mode", login->mode == SIGNIN_CODE ? "code" : "device");
}

static void
end_start(struct app_login *login, struct json_out *out)
{
	nd_ms left = login->ends - loop_now(login->app->loop).ms;

	json_out_int(out, "expires_in_seconds", left / 1000);
	if (login->mode == SIGNIN_DEVICE)
		json_out_int(out, "interval_seconds", login->device.interval / 1000);
	json_out_object_end(out);
	login->begun = true;
	logins_set_timer(login);
	struct http_request *request = logins_take_request(login);
	if (request != NULL)
		handlers_reply(request, 200, out->buf);
	else
		nd_buf_done(out->buf);
}

/* The client's name may stand in its downloaded file only. */
static void
begin_code(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct app_login *login = arg;
	char challenge[PKCE_SIZE];
	uint8_t sum[32];
	struct json_out out;
	struct nd_buf buf, url;

	if (logins_given_up(login))
		return;
	login->busy = false;
	if (proof == NULL) {
		logins_fail(login, why);
		return;
	}
	tls_sha256(login->verifier.octets, login->verifier.len, sum);
	nd_buf_init(&url, LOGINS_REPLY_LIMIT);
	signin_url(login->account->engine->conf,
	    &(struct signin_start){
		login->redirect_uri, proof->client_id, login->state.octets, pkce_text(sum, challenge) },
	    &url);
	nd_buf_init(&buf, LOGINS_REPLY_LIMIT);
	json_out_init(&out, &buf);
	put_start(login, &out);
	json_out_text(&out, "url", nd_buf_text(&url));
	json_out_text(&out, "redirect_uri", login->redirect_uri);
	end_start(login, &out);
	nd_buf_done(&url);
}

static void begin_device(void *arg, const struct app_proof *proof, const struct nd_why *why);

static void
begin_device_answered(void *arg, const struct http_client_reply *http)
{
	struct app_login *login = arg;
	nd_ms now = loop_now(login->app->loop).ms;
	struct json_out out;
	struct nd_buf buf;
	struct oauth_reply refusal;

	if (logins_given_up(login))
		return;
	if (signin_device_read(http->status, http->body, http->len, http->status == 0 ? &http->why : NULL,
		&login->device, &refusal) != ND_OK) {
		if (logins_other_secret(login, &refusal))
			(void)proof_read(login->app, login->account, begin_device, login);
		else
			logins_fail_refused(login, "no device code: ", &refusal);
		oauth_reply_done(&refusal);
		return;
	}
	login->busy = false;
	login->ends = now + login->device.life;
	login->poll_at = now + login->device.interval;
	nd_buf_init(&buf, LOGINS_REPLY_LIMIT);
	json_out_init(&out, &buf);
	put_start(login, &out);
	json_out_text(&out, "user_code", login->device.user_code);
	json_out_text(&out, "verification_uri", login->device.uri);
	json_out_text(
	    &out, "verification_uri_complete", login->device.uri_complete[0] ? login->device.uri_complete : NULL);
	end_start(login, &out);
}

static void
begin_device(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct app_login *login = arg;
	struct oauth_request wanted;
	struct oauth_ask ask = { 0 };
	struct nd_buf scope;

	if (logins_given_up(login))
		return;
	if (proof == NULL) {
		logins_fail(login, why);
		return;
	}
	nd_buf_init(&scope, LOGINS_REPLY_LIMIT);
	signin_scope(login->account->engine->conf, &scope);
	ask.scope = nd_buf_text(&scope);
	logins_use_proof(login, proof, &ask);
	oauth_device_write(login->account->engine->conf, &ask, &wanted);
	nd_buf_done(&scope);
	tokens_post(login->account, &wanted, begin_device_answered, login);
}

/* --- what is asked --- */

static void
set_random(struct nd_secret *secret)
{
	uint8_t dice[32];
	char text[PKCE_SIZE];

	tls_random(dice, sizeof(dice));
	nd_secret_set(secret, pkce_text(dice, text), PKCE_SIZE - 1);
	explicit_bzero(dice, sizeof(dice));
	explicit_bzero(text, sizeof(text));
}

static struct app_login *
open_login(struct app *app, struct app_account *account, enum signin_mode mode)
{
	struct app_login *login = nd_xalloc(sizeof(*login));
	uint8_t dice[32];

	login->app = app;
	login->account = account;
	login->mode = mode;
	tls_random(dice, sizeof(dice));
	(void)pkce_text(dice, login->id);
	memcpy(login->identity, account->identity, sizeof(login->identity));
	set_random(&login->state);
	set_random(&login->verifier);
	login->timer = loop_timer_new(app->loop, logins_tick, login);
	login->ends = loop_now(app->loop).ms + LIFE;
	login->poll_at = login->wait_until = ND_NEVER;
	login->busy = true;
	login->next = app->logins;
	app->logins = login;
	account->engine->users++;
	loop_timer_set(login->timer, login->ends);
	return login;
}

static enum nd_err
read_mode(const struct json_node *root, enum signin_mode *mode, struct nd_why *why)
{
	const char *text = json_get_text(root, "mode");

	*mode = text != NULL && strcmp(text, "device") == 0 ? SIGNIN_DEVICE : SIGNIN_CODE;
	if (text != NULL && (*mode == SIGNIN_DEVICE || strcmp(text, "code") == 0))
		return ND_OK;
	(void)nd_fail(why, ND_EINVALID, 0, "mode is code or device");
	return nd_fail_at(why, "mode", 0, NULL);
}

static enum nd_err
check_begin(const struct app *app, const struct app_account *account, const struct json_node *root,
    enum signin_mode *mode, struct nd_why *why)
{
	const char *uri = json_get_text(root, "redirect_uri");

	if (app->another_machine) {
		(void)nd_fail(why, ND_ESTATE, 0, OTHER_MACHINE);
		return nd_fail_at(why, "", 0, OTHER_MACHINE_HINT);
	}
	if (account->locked.err != ND_OK) {
		*why = account->locked;
		return why->err;
	}
	if (read_mode(root, mode, why) != ND_OK || signin_possible(account->engine->conf, *mode, why) != ND_OK)
		return why->err;
	if (*mode == SIGNIN_CODE)
		return signin_redirect_check(account->engine->conf, uri != NULL ? uri : "", why);
	return ND_OK;
}

void
logins_begin(void *owner, struct http_request *request)
{
	static const char *const fields[] = { "mode", "redirect_uri", NULL };
	struct app *app = owner;
	struct engine_account *engine = accounts_asked_for(app, request);
	struct app_login *login;
	struct json_tree tree;
	enum signin_mode mode = SIGNIN_CODE;
	struct nd_why why;

	if (engine == NULL)
		return;
	if (logins_open(app, &why) != ND_OK || logins_read_body(request, fields, &tree, &why) != ND_OK) {
		http_server_problem(request, &why);
		return;
	}
	if (check_begin(app, engine->user, tree.root, &mode, &why) != ND_OK) {
		http_server_problem(request, &why);
	} else {
		logins_drop(app, engine->user, "another sign-in to the account was begun");
		login = open_login(app, engine->user, mode);
		login->redirect_uri = nd_xstrdup(login->account->engine->conf->redirect_uri[0] != '\0'
						     ? login->account->engine->conf->redirect_uri
						     : json_get_text(tree.root, "redirect_uri"));
		logins_wait_for(login, request);
		(void)proof_read(app, engine->user, mode == SIGNIN_CODE ? begin_code : begin_device, login);
	}
	json_done(&tree);
}
