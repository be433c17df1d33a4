/* SPDX-License-Identifier: Apache-2.0 */
/* logins.c - people sign in.
 *
 *   code    begin ─► URL …a browser…  end {"redirected"} ─► token request ─┐
 *   device  begin ─► device endpoint ─► code …polled every interval… ──────┴─► judged ─► on disk ─► used
 *
 * One at a time for an account, for a quarter of an hour. A device's sign-in goes on while nobody waits for it here.
 */
#include "daemon/logins_inner.h"

#include "common/log.h"
#include "daemon/core/hint.h"

#include <stdlib.h>
#include <string.h>

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

void
logins_wait_for(struct app_login *login, struct http_request *request)
{
	login->request = request;
	http_request_own(request, login, left);
}

struct http_request *
logins_take_request(struct app_login *login)
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
		struct http_request *request = logins_take_request(login);

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

	nd_buf_init(&buf, LOGINS_REPLY_LIMIT);
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

void
logins_tell(struct app_login *login)
{
	struct http_request *request = logins_take_request(login);

	if (request != NULL && login->why.err != ND_OK)
		http_server_problem(request, &login->why);
	else if (request != NULL)
		reply_done(login, request);
}

/* What the token endpoint said has its cure in the table. */
static void
find_hint(const struct app_login *login, struct nd_why *why)
{
	struct nd_buf hint;

	if (nd_why_hint(why)[0] != '\0')
		return;
	nd_buf_init(&hint, HINT_LIMIT);
	(void)nd_fail_at(why, NULL, 0, hint_of(login->account->engine->conf, HINT_OPERATOR, why->text, NULL, &hint));
	nd_buf_done(&hint);
}

void
logins_fail(struct app_login *login, const struct nd_why *why)
{
	login->busy = false;
	login->why = *why;
	find_hint(login, &login->why);
	nd_log(ND_LOG_WARNING,
	    ND_FIELDS({ "ACCOUNT", login->account->engine->conf->name }, { "ERR", nd_err_name(why->err) }),
	    "the sign-in to account %s failed: %s", login->account->engine->conf->name, why->text);
	logins_tell(login);
}

static void
fail_by(struct app_login *login, const char *words)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ELOGIN, 0, "%s", words);
	(void)nd_fail_at(&why, "", 0, "begin again: notifyctl account login NAME");
	logins_fail(login, &why);
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

bool
logins_given_up(struct app_login *login)
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

/* --- time --- */

void
logins_set_timer(struct app_login *login)
{
	nd_ms at = login->ends;

	if (login->poll_at < at)
		at = login->poll_at;
	if (login->request != NULL && login->wait_until < at)
		at = login->wait_until;
	if (login->timer != NULL)
		loop_timer_set(login->timer, at);
}

static void
reply_pending(struct app_login *login)
{
	static const char pending[] = "{\"state\":\"pending\"}\n";
	struct http_request *request = logins_take_request(login);

	if (request != NULL)
		http_server_reply(request, 202, "application/json", pending, sizeof(pending) - 1, NULL);
}

void
logins_tick(void *arg)
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
			logins_ask(login);
	}
	logins_set_timer(login);
}

/* --- to end --- */

enum nd_err
logins_open(const struct app *app, struct nd_why *why)
{
	return app->stopping ? nd_fail(why, ND_ESTOPPING, 0, "notifyd is stopping") : ND_OK;
}

enum nd_err
logins_read_body(
    const struct http_request *request, const char *const *fields, struct json_tree *tree, struct nd_why *why)
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
		logins_ask(login);
	return err;
}

static enum nd_err
go_on(struct app_login *login, struct http_request *request, nd_ms wait, struct nd_why *why)
{
	static const char *const fields[] = { "redirected", NULL };
	struct json_tree tree;
	enum nd_err err;

	if (logins_read_body(request, fields, &tree, why) != ND_OK)
		return why->err;
	err = login->request != NULL ? nd_fail(why, ND_ESTATE, 0, "somebody else waits for this sign-in already")
	      : login->done || login->why.err != ND_OK ? ND_OK
						       : take_redirected(login, tree.root, why);
	json_done(&tree);
	if (err == ND_ELOGIN)
		login->why = *why;
	if (err != ND_OK)
		return err;
	logins_wait_for(login, request);
	login->wait_until = login->mode == SIGNIN_CODE && wait == 0 ? ND_NEVER : loop_now(login->app->loop).ms + wait;
	if (login->done || login->why.err != ND_OK)
		logins_tell(login);
	else
		logins_set_timer(login);
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
	} else if (logins_open(owner, &why) != ND_OK || http_request_only(request, known, &why) != ND_OK ||
		   !handlers_wait(request, &wait, &why) || go_on(login, request, wait, &why) != ND_OK) {
		http_server_problem(request, &why);
	}
}
