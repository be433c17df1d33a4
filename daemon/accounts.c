/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.c - what belongs to an account outside the engine: its life, its pause, its routes. */
#include "daemon/app.h"
#include "daemon/transcripts.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSED_LIMIT 65536u

static void
build_one(struct app *app, struct engine_account *engine)
{
	struct app_account *account = nd_xalloc(sizeof(*account));
	char path[4096];

	account->app = app;
	account->engine = engine;
	account->conf = reload_hold(app->conf);
	engine->user = account;
	engine->claims = &account->claims;
	(void)snprintf(path, sizeof(path), "%s/tokens/%s", app->options.state_dir, engine->conf->name);
	account->token_path = nd_xstrdup(path);
	proof_open(account);
	if (engine->conf->auth == CONF_OAUTH2)
		tokens_open(app, account);
}

void
accounts_build(struct app *app)
{
	struct engine_account *engine;
	unsigned i;

	for (i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++)
		if (!engine->user)
			build_one(app, engine);
}

static void
free_tls(void *tls)
{
	tls_free(tls);
}

/* After the sessions that are being opened: they use it. */
static void
drop_tls(struct app *app, struct app_account *account)
{
	deliver_cut(app, account->engine);
	if (account->tls)
		loop_free_later(app->loop, free_tls, account->tls);
	account->tls = NULL;
}

static void
renew(struct app *app, struct app_account *account)
{
	drop_tls(app, account);
	if (account->engine->change == CONF_OTHER)
		tokens_drop(account);
	else
		account->settings++;
}

void
accounts_change(struct app *app)
{
	struct engine_account *engine;
	struct app_account *account;
	unsigned i;

	for (i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++) {
		account = engine->user;
		if (!account)
			continue;
		if (engine->change != CONF_SAME)
			renew(app, account);
		else if (engine->conf->ca_file[0] != '\0' || engine->conf->ca_dir[0] != '\0')
			drop_tls(app, account); /* what they hold may be other authorities now */
		if (engine->gone) {             /* it goes on with the settings it had */
			logins_drop(app, account, "the account is not among the settings any more");
			continue;
		}
		reload_release(account->conf);
		account->conf = reload_hold(app->conf);
		if (engine->change == CONF_OTHER)
			secrets_drop(account);
		if (engine->change != CONF_SAME)
			proof_open(account);
		if (engine->change == CONF_OTHER && engine->conf->auth == CONF_OAUTH2)
			tokens_open(app, account);
	}
	accounts_build(app);
	proof_watch(app);
}

static void
free_one(struct app_account *account)
{
	tokens_done(account);
	tls_free(account->tls);
	secrets_done(account);
	free(account->token_path);
	transcripts_free(account->transcript);
	reload_release(account->conf);
	free(account);
}

void
accounts_forget(struct app *app, struct engine_account *engine)
{
	struct app_account *account = engine->user;

	engine_forget(app->engine, engine);
	free_one(account);
}

void
accounts_free(struct app *app)
{
	struct engine_account *engine;
	unsigned i;

	for (i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++)
		free_one(engine->user);
}

/* STATE/paused: the names of the paused accounts, one a line. */

static void
paused_path(const struct app *app, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/paused", app->options.state_dir);
}

void
accounts_read_paused(struct app *app)
{
	struct engine_account *engine;
	char path[4096], *text, *rest, *name;
	struct nd_why why;
	size_t len;

	paused_path(app, path, sizeof(path));
	if (filer_read(path, PAUSED_LIMIT, &text, &len, &why) != ND_OK) {
		if (why.err != ND_ENOTFOUND)
			nd_log(ND_LOG_WARNING, NULL, "which accounts are paused cannot be read: %s", why.text);
		return;
	}
	for (rest = text; (name = strsep(&rest, "\n")) != NULL;)
		if ((engine = engine_account_named(app->engine, name)) != NULL)
			engine_pause(app->engine, engine, loop_now(app->loop));
	free(text);
}

struct change { /* of an account's pause, until it is on disk */
	struct app *app;
	struct http_request *request;
	char name[API_SEGMENT_SIZE];
};

static void
written(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct change *change = arg;
	struct app *app = change->app;

	if (!app->down && err != ND_OK)
		http_server_problem(change->request, why);
	else if (!app->down)
		handlers_accounts(app, change->request, change->name);
	free(change);
}

static void
keep_paused(struct app *app, struct http_request *request, const char *name)
{
	struct change *change = nd_xalloc(sizeof(*change));
	struct engine_account *engine;
	struct nd_buf names;
	char path[4096];
	unsigned i;

	change->app = app;
	change->request = request;
	(void)snprintf(change->name, sizeof(change->name), "%s", name);
	http_request_own(request, NULL, NULL); /* it stays until it is answered */
	nd_buf_init(&names, PAUSED_LIMIT);
	for (i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++)
		if (engine->health.state == HEALTH_PAUSED && !engine->gone)
			(void)nd_buf_addf(&names, "%s\n", engine->conf->name);
	paused_path(app, path, sizeof(path));
	filer_write_later(app->files, app->loop, path, nd_buf_text(&names), names.len, written, change);
	nd_buf_done(&names);
}

struct engine_account *
accounts_asked_for(struct app *app, struct http_request *request)
{
	const char *name = http_request_segment(request);
	struct engine_account *engine = engine_account_named(app->engine, name);
	struct nd_why why;

	if (!handlers_bare(request))
		return NULL;
	if (engine && !engine->gone)
		return engine;
	(void)nd_fail(&why, ND_ENOTFOUND, 0, "there is no account \"%.40s\"", name);
	(void)nd_fail_at(&why, "account", 0, "see the names in notifyctl status");
	http_server_problem(request, &why);
	return NULL;
}

void
accounts_list(void *owner, struct http_request *request)
{
	if (handlers_bare(request))
		handlers_accounts(owner, request, NULL);
}

void
accounts_show(void *owner, struct http_request *request)
{
	struct engine_account *engine = accounts_asked_for(owner, request);

	if (engine)
		handlers_accounts(owner, request, engine->conf->name);
}

void
accounts_pause(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct engine_account *engine = accounts_asked_for(app, request);

	if (!engine)
		return;
	engine_pause(app->engine, engine, loop_now(app->loop));
	loop_soon(app->loop, app_pump, app);
	keep_paused(app, request, engine->conf->name);
}

void
accounts_resume(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct engine_account *engine = accounts_asked_for(app, request);

	if (!engine)
		return;
	engine_resume(app->engine, engine, loop_now(app->loop));
	loop_soon(app->loop, app_pump, app);
	keep_paused(app, request, engine->conf->name);
}

void
accounts_refresh(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct engine_account *engine = accounts_asked_for(app, request);

	if (!engine)
		return;
	engine_refresh(app->engine, engine, loop_now(app->loop));
	loop_soon(app->loop, app_pump, app);
	handlers_accounts(app, request, engine->conf->name);
}
