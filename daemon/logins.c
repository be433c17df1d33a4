/* SPDX-License-Identifier: Apache-2.0 */
/* logins.c - people sign in.
 *
 *   code    begin ─► URL …a browser…  end {"redirected"} ─► token request ─┐
 *   device  begin ─► device endpoint ─► code …polled every interval… ──────┴─► judged ─► on disk ─► used
 *
 * One at a time for an account, for a quarter of an hour. A device's sign-in goes on while nobody waits for it here.
 */
#include "daemon/app.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/grant.h"
#include "daemon/core/pkce.h"
#include "daemon/core/signin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIFE ND_MIN(15)
#define REPLY_LIMIT 65536u

struct app_login {
	struct app *app;
	struct app_account *account;
	enum signin_mode mode;
	char id[PKCE_SIZE];
	char identity[80]; /* of the account, when it began */
	struct nd_secret state, verifier, code;
	char *redirect_uri;
	struct signin_device device;
	struct loop_timer *timer;
	nd_ms ends, poll_at, wait_until;
	struct http_request *request; /* who waits; NULL nobody */
	bool begun;                   /* the answer to begin was given */
	bool busy;                    /* a request to the provider, or a write, is under way */
	const char *over;             /* why it ended before its time: it goes when it is not busy any more */
	bool done;
	struct nd_secret sent; /* the client's secret that went with the last request */
	bool next_secret;      /* which of the two it is */
	bool again;            /* the other one was refused already */
	struct nd_why why;     /* err != ND_OK: it failed */
	struct oauth_saved saved;
	char scope[512];
	struct signin_note notes[SIGNIN_NOTES];
	struct app_login *next;
};

/* --- their life --- */

static void
free_login(struct app_login *login)
{
	nd_secret_done(&login->state);
	nd_secret_done(&login->verifier);
	nd_secret_done(&login->code);
	nd_secret_done(&login->sent);
	free(login->redirect_uri);
	signin_device_done(&login->device);
	oauth_saved_done(&login->saved);
	loop_timer_free(login->timer);
	free(login);
}

static void
unlink_login(struct app_login *login)
{
	struct app_login **at = &login->app->logins;

	while (*at != login)
		at = &(*at)->next;
	*at = login->next;
	login->account->engine->users--;
	loop_soon(login->app->loop, app_pump, login->app);
	free_login(login);
}

static void
left(void *context)
{
	struct app_login *login = context;

	login->request = NULL;
}

static void
wait_for(struct app_login *login, struct http_request *request)
{
	login->request = request;
	http_request_own(request, login, left);
}

static struct http_request *
take_request(struct app_login *login)
{
	struct http_request *request = login->request;

	login->request = NULL;
	if (request != NULL)
		http_request_own(request, NULL, NULL);
	return request;
}

void
logins_stop(struct app *app)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ESTOPPING, 0, "notifyd is stopping");
	for (struct app_login *login = app->logins; login != NULL; login = login->next) {
		struct http_request *request = take_request(login);

		if (request != NULL)
			http_server_problem(request, &why);
		loop_timer_free(login->timer);
		login->timer = NULL;
	}
}

void
logins_free(struct app *app)
{
	struct app_login *login;

	while ((login = app->logins) != NULL) {
		app->logins = login->next;
		free_login(login);
	}
}

/* --- what became of it --- */

static void
reply_done(struct app_login *login, struct http_request *request)
{
	const struct oauth_saved *grant = &login->account->grant;
	struct json_out out;
	struct nd_buf buf;

	nd_buf_init(&buf, REPLY_LIMIT);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_text(&out, "state", "done");
	json_out_text(&out, "account", login->account->engine->conf->name);
	if (grant->signed_in[0] != '\0')
		json_out_text(&out, "signed_in", grant->signed_in);
	else
		json_out_null(&out, "signed_in");
	json_out_text(&out, "scope", login->scope);
	json_out_array(&out, "warnings");
	for (unsigned i = 0; i < SIGNIN_NOTES; i++)
		if (login->notes[i].code != NULL)
			warnings_one(login->notes[i].code, login->notes[i].detail, login->notes[i].hint, &out);
	json_out_array_end(&out);
	json_out_object_end(&out);
	handlers_reply(request, 200, &buf);
}

static void
tell(struct app_login *login)
{
	struct http_request *request = take_request(login);

	if (request != NULL && login->why.err != ND_OK)
		http_server_problem(request, &login->why);
	else if (request != NULL)
		reply_done(login, request);
}

static void
fail(struct app_login *login, const struct nd_why *why)
{
	login->busy = false;
	login->why = *why;
	nd_log(ND_LOG_WARNING,
	    ND_FIELDS({ "ACCOUNT", login->account->engine->conf->name }, { "ERR", nd_err_name(why->err) }),
	    "the sign-in to account %s failed: %s", login->account->engine->conf->name, why->text);
	tell(login);
}

static void
fail_by(struct app_login *login, const char *words)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ELOGIN, 0, "%s", words);
	(void)nd_fail_at(&why, "", 0, "begin again: notifyctl account login NAME");
	fail(login, &why);
}

/* It is told at once, unless it has come to its end already; what is under way finds it over. */
static void
end_login(struct app_login *login, const char *words)
{
	bool busy = login->busy;

	login->over = words;
	if (!login->done && login->why.err == ND_OK)
		fail_by(login, words);
	if (!busy)
		unlink_login(login);
}

/* True: it goes on no more. */
static bool
given_up(struct app_login *login)
{
	if (login->app->down)
		return true;
	if (login->over != NULL) {
		unlink_login(login);
		return true;
	}
	if (strcmp(login->identity, login->account->identity) == 0)
		return false;
	fail_by(login, "the settings of the account have changed since");
	return true;
}

static void
kept(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct app_login *login = arg;

	if (given_up(login))
		return;
	if (err != ND_OK) {
		fail(login, why);
		return;
	}
	login->busy = false;
	login->done = true;
	grants_sign_in(login->account, &login->saved);
	tell(login);
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
		fail(login, &why);
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
		fail(login, &why);
}

static void
set_timer(struct app_login *login)
{
	nd_ms at = login->ends;

	if (login->poll_at < at)
		at = login->poll_at;
	if (login->request != NULL && login->wait_until < at)
		at = login->wait_until;
	if (login->timer != NULL)
		loop_timer_set(login->timer, at);
}

/* --- the token endpoint --- */

static void
use_proof(struct app_login *login, const struct app_proof *proof, struct oauth_ask *ask)
{
	login->next_secret = proof->next;
	nd_secret_set(&login->sent, proof->client_secret.octets, proof->client_secret.len);
	proof_fill(proof, ask);
}

/* After a refusal, in words that hold no secret. True: of the client's two secrets it is the other one's turn. */
static bool
other_secret(struct app_login *login, struct oauth_reply *reply)
{
	oauth_reply_blame(reply, &login->sent);
	oauth_reply_redact(reply, &login->code);
	oauth_reply_redact(reply, &login->device.device_code);
	if (login->again || !proof_refused(login->account, login->next_secret, reply))
		return false;
	login->again = true;
	return true;
}

static void
fail_refused(struct app_login *login, const char *what, const struct oauth_reply *reply)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ELOGIN, 0, "%s%s", what, reply->why.text);
	(void)nd_fail_at(&why, "", 0, nd_why_hint(&reply->why));
	fail(login, &why);
}

static void ask(struct app_login *login);

static void
answered(void *arg, const struct http_client_reply *http)
{
	struct app_login *login = arg;
	struct oauth_reply reply;
	struct nd_why why;

	if (given_up(login))
		return;
	oauth_read(
	    http->status, http->body, http->len, http->retry_after, http->status == 0 ? &http->why : NULL, &reply);
	if (reply.class == OAUTH_TOKEN) {
		proof_accepted(login->account, login->next_secret);
		keep(login, &reply);
	} else if (other_secret(login, &reply)) {
		ask(login);
	} else if (login->mode == SIGNIN_CODE) {
		fail_refused(login, "", &reply);
	} else if (signin_poll(&login->device, &reply, &why) == SIGNIN_WAIT) {
		login->busy = false;
		login->poll_at = loop_now(login->app->loop).ms + login->device.interval;
		set_timer(login);
	} else {
		fail(login, &why);
	}
	oauth_reply_done(&reply);
}

static void
proved(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct app_login *login = arg;
	struct oauth_ask ask = { .grant = login->mode == SIGNIN_CODE ? CONF_AUTHORIZATION_CODE : CONF_DEVICE_CODE };
	struct oauth_request wanted;

	if (given_up(login))
		return;
	if (proof == NULL) {
		fail(login, why);
		return;
	}
	use_proof(login, proof, &ask);
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

static void
ask(struct app_login *login)
{
	login->busy = true;
	(void)proof_read(login->app, login->account, proved, login);
}

/* --- time --- */

static void
reply_pending(struct app_login *login)
{
	static const char pending[] = "{\"state\":\"pending\"}\n";
	struct http_request *request = take_request(login);

	if (request != NULL)
		http_server_reply(request, 202, "application/json", pending, sizeof(pending) - 1, NULL);
}

static void
tick(void *arg)
{
	struct app_login *login = arg;
	nd_ms now = loop_now(login->app->loop).ms;

	if (now >= login->ends) {
		end_login(login, "the sign-in was not finished in time");
		return;
	}
	if (login->request != NULL && login->begun && now >= login->wait_until)
		reply_pending(login);
	if (now >= login->poll_at) {
		login->poll_at = ND_NEVER;
		if (!login->busy && !login->done && login->why.err == ND_OK)
			ask(login);
	}
	set_timer(login);
}

/* --- to begin --- */

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
	set_timer(login);
	struct http_request *request = take_request(login);
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

	if (given_up(login))
		return;
	login->busy = false;
	if (proof == NULL) {
		fail(login, why);
		return;
	}
	tls_sha256(login->verifier.octets, login->verifier.len, sum);
	nd_buf_init(&url, REPLY_LIMIT);
	signin_url(login->account->engine->conf,
	    &(struct signin_start){
		login->redirect_uri, proof->client_id, login->state.octets, pkce_text(sum, challenge) },
	    &url);
	nd_buf_init(&buf, REPLY_LIMIT);
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

	if (given_up(login))
		return;
	if (signin_device_read(http->status, http->body, http->len, http->status == 0 ? &http->why : NULL,
		&login->device, &refusal) != ND_OK) {
		if (other_secret(login, &refusal))
			(void)proof_read(login->app, login->account, begin_device, login);
		else
			fail_refused(login, "no device code: ", &refusal);
		oauth_reply_done(&refusal);
		return;
	}
	login->busy = false;
	login->ends = now + login->device.life;
	login->poll_at = now + login->device.interval;
	nd_buf_init(&buf, REPLY_LIMIT);
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

	if (given_up(login))
		return;
	if (proof == NULL) {
		fail(login, why);
		return;
	}
	nd_buf_init(&scope, REPLY_LIMIT);
	signin_scope(login->account->engine->conf, &scope);
	ask.scope = nd_buf_text(&scope);
	use_proof(login, proof, &ask);
	oauth_device_write(login->account->engine->conf, &ask, &wanted);
	nd_buf_done(&scope);
	tokens_post(login->account, &wanted, begin_device_answered, login);
}

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

void
logins_drop(struct app *app, const struct app_account *account, const char *words)
{
	struct app_login *login, *next;

	for (login = app->logins; login != NULL; login = next) {
		next = login->next;
		if (login->account == account && login->over == NULL)
			end_login(login, words);
	}
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
	login->timer = loop_timer_new(app->loop, tick, login);
	login->ends = loop_now(app->loop).ms + LIFE;
	login->poll_at = login->wait_until = ND_NEVER;
	login->busy = true;
	login->next = app->logins;
	app->logins = login;
	account->engine->users++;
	loop_timer_set(login->timer, login->ends);
	return login;
}

/* --- what is asked --- */

static enum nd_err
read_body(const struct http_request *request, const char *const *fields, struct json_tree *tree, struct nd_why *why)
{
	size_t len;
	const char *body = http_request_body(request, &len);
	enum nd_err err;

	if (len == 0) {
		body = "{}";
		len = 2;
	}
	if (json_read(tree, body, len, &json_limits_small, NULL, why) != ND_OK)
		return why->err;
	err = json_only(tree->root, fields, why);
	for (const struct json_node *node = tree->root->child; err == ND_OK && node != NULL; node = node->next)
		if (node->type != JSON_STRING)
			err = nd_fail(
			    why, ND_EINVALID, 0, "%s is %s, not a string", node->key, json_type_name(node->type));
	if (err != ND_OK)
		json_done(tree);
	return err;
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
	if (read_body(request, fields, &tree, &why) != ND_OK) {
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
		wait_for(login, request);
		(void)proof_read(app, engine->user, mode == SIGNIN_CODE ? begin_code : begin_device, login);
	}
	json_done(&tree);
}

/* --- to end --- */

static struct app_login *
find(struct app *app, const char *id)
{
	struct app_login *login = app->logins;

	while (login != NULL && (login->over != NULL || strcmp(login->id, id) != 0))
		login = login->next;
	return login;
}

static enum nd_err
take_redirected(struct app_login *login, const struct json_node *root, struct nd_why *why)
{
	const char *text = json_get_text(root, "redirected");
	enum nd_err err;

	if (login->mode == SIGNIN_DEVICE)
		return text == NULL ? ND_OK
				    : nd_fail(why, ND_EINVALID, 0, "the sign-in is another device's: only wait");
	if (text == NULL) {
		(void)nd_fail(why, ND_EINVALID, 0, "redirected is missing");
		return nd_fail_at(why, "redirected", 0, "what the browser came back with");
	}
	if (login->busy)
		return ND_OK;
	err = signin_back(login->account->engine->conf, login->state.octets, text, &login->code, why);
	if (err == ND_OK)
		ask(login);
	return err;
}

static enum nd_err
go_on(struct app_login *login, struct http_request *request, nd_ms wait, struct nd_why *why)
{
	static const char *const fields[] = { "redirected", NULL };
	struct json_tree tree;
	enum nd_err err;

	if (read_body(request, fields, &tree, why) != ND_OK)
		return why->err;
	err = login->request != NULL ? nd_fail(why, ND_ESTATE, 0, "somebody else waits for this sign-in already")
	      : login->done || login->why.err != ND_OK ? ND_OK
						       : take_redirected(login, tree.root, why);
	json_done(&tree);
	if (err == ND_ELOGIN)
		login->why = *why;
	if (err != ND_OK)
		return err;
	wait_for(login, request);
	login->wait_until = login->mode == SIGNIN_CODE && wait == 0 ? ND_NEVER : loop_now(login->app->loop).ms + wait;
	if (login->done || login->why.err != ND_OK)
		tell(login);
	else
		set_timer(login);
	return ND_OK;
}

void
logins_end(void *owner, struct http_request *request)
{
	static const char *const known[] = { "wait", NULL };
	struct app_login *login = find(owner, http_request_segment(request));
	struct nd_why why;
	nd_ms wait;

	if (login == NULL || !login->begun) {
		(void)nd_fail(&why, ND_ENOTFOUND, 0, "there is no such sign-in, or its time is over");
		(void)nd_fail_at(&why, "login", 0, "begin again: notifyctl account login NAME");
		http_server_problem(request, &why);
	} else if (http_request_only(request, known, &why) != ND_OK || !handlers_wait(request, &wait, &why) ||
		   go_on(login, request, wait, &why) != ND_OK) {
		http_server_problem(request, &why);
	}
}
