/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c - when the accounts' secrets, certificates and sign-ins end: told in journal, status, metrics, and by mail to
 * [daemon] admin_to, each warning once. STATE/credentials outlives a restart. */
#include "daemon/app.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/stamp.h"
#include "daemon/core/grant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT (256u * 1024)
#define LOOK ND_HOUR(1)

static void
state_path(const struct app *app, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/credentials", app->options.state_dir);
}

static void
read_account(const struct json_node *accounts, struct app_account *account)
{
	const struct json_node *kinds = json_get(accounts, account->engine->conf->name);

	for (unsigned kind = 0; kind < EXPIRY_KINDS; kind++)
		expiry_read(&account->credentials[kind], json_get(kinds, expiry_kind_name((enum expiry_kind)kind)));
	account->credentials_known = true;
}

/* Also of accounts that a reload brought back. */
static void
read_new(struct app *app)
{
	struct engine_account *engine;
	struct json_tree tree = { 0 };
	char path[4096], *text = NULL;
	bool wanted = false;
	size_t len;

	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++)
		wanted |= !((struct app_account *)engine->user)->credentials_known;
	if (!wanted)
		return;
	state_path(app, path, sizeof(path));
	if (filer_read(path, FILE_LIMIT, &text, &len, NULL) != ND_OK ||
	    json_read(&tree, text, len, &json_limits_job, NULL, NULL) != ND_OK)
		tree.root = NULL;
	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++)
		if (!((struct app_account *)engine->user)->credentials_known)
			read_account(json_get(tree.root, "accounts"), engine->user);
	json_done(&tree);
	free(text);
}

static void
kept(void *arg, enum nd_err err, const struct nd_why *why)
{
	(void)arg;
	if (err != ND_OK)
		nd_log(ND_LOG_WARNING, NULL, "which warnings of credentials were given cannot be kept: %s", why->text);
}

static void
keep(struct app *app)
{
	struct engine_account *engine;
	struct json_out out;
	struct nd_buf buf;
	char path[4096];

	nd_buf_init(&buf, FILE_LIMIT);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_object(&out, "accounts");
	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++) {
		const struct app_account *account = engine->user;

		json_out_object(&out, engine->conf->name);
		for (unsigned kind = 0; kind < EXPIRY_KINDS; kind++)
			expiry_write(&account->credentials[kind], (enum expiry_kind)kind, &out);
		json_out_object_end(&out);
	}
	json_out_object_end(&out);
	json_out_object_end(&out);
	state_path(app, path, sizeof(path));
	if (!buf.failed)
		filer_write_later(app->files, app->loop, path, nd_buf_text(&buf), buf.len, kept, NULL);
	nd_buf_done(&buf);
}

struct telling { /* it may be that the account is forgotten meanwhile */
	char *account;
	enum expiry_kind kind;
	enum expiry_stage stage;
};

static void
told(struct app *app, void *arg, const struct nd_why *why)
{
	struct telling *telling = arg;
	struct engine_account *engine = app->down ? NULL : engine_account_named(app->engine, telling->account);

	if (engine && why->err != ND_OK) {
		expiry_refused(&((struct app_account *)engine->user)->credentials[telling->kind], telling->stage);
		keep(app);
	}
	free(telling->account);
	free(telling);
}

static void
mail(struct app_account *account, enum expiry_kind kind, const char *words, nd_unix now)
{
	const struct expiry *expiry = &account->credentials[kind];
	const char *name = account->engine->conf->name;
	struct telling *telling = nd_xalloc(sizeof(*telling));
	struct intake_notice notice = {
		.words = words, .severity = expiry_severity(expiry_stage(expiry, now)), .told = told, .arg = telling
	};
	struct nd_buf text, key, once;

	*telling = (struct telling){ nd_xstrdup(name), kind, (enum expiry_stage)expiry->told };
	nd_buf_init(&text, 4096);
	nd_buf_init(&key, 256);
	nd_buf_init(&once, 400);
	nd_buf_addf(&text, "On %s %s.\nAfter that the account sends nothing.\n\nWhat to do: %s.\n(ACCOUNT is %s.)\n",
	    account->app->conf->hostname, words, expiry_remedy(kind), name);
	nd_buf_addf(&key, "credential:%s", name);
	nd_buf_addf(
	    &once, "%s:%s:%lld:%u", nd_buf_text(&key), expiry_kind_name(kind), (long long)expiry->ends, expiry->told);
	notice.text = nd_buf_text(&text);
	notice.key = nd_buf_text(&key);
	notice.once = nd_buf_text(&once);
	intake_notice(account->app, &notice);
	nd_buf_done(&text);
	nd_buf_done(&key);
	nd_buf_done(&once);
}

static bool
tell(struct app_account *account, enum expiry_kind kind, nd_unix now)
{
	struct expiry *expiry = &account->credentials[kind];
	struct nd_buf words;

	if (!expiry_due(expiry, now))
		return false;
	nd_buf_init(&words, 1024);
	(void)expiry_words(expiry, kind, account->engine->conf->name, now, &words);
	nd_log(expiry_severity((enum expiry_stage)expiry->told) == JOB_CRITICAL ? ND_LOG_ERR : ND_LOG_WARNING,
	    ND_FIELDS({ "ACCOUNT", account->engine->conf->name }), "%s; %s", nd_buf_text(&words), expiry_remedy(kind));
	mail(account, kind, nd_buf_text(&words), now);
	nd_buf_done(&words);
	return true;
}

static nd_unix
secret_ends(const struct conf_account *conf)
{
	nd_unix when;

	if (conf->auth == CONF_OAUTH2 && conf->client_secret_expires[0] != '\0' &&
	    nd_stamp_read(conf->client_secret_expires, &when))
		return when;
	return 0;
}

/* Each renewal of a grant moves its end. */
static nd_unix
grant_ends(const struct app_account *account)
{
	return account->grant.refresh_token.len > 0 ? grant_end(account->engine->conf, account->grant.refreshed) : 0;
}

/* The certificate was not looked at yet, or cannot be read: what was known of it, and told, holds until its end is known. */
static bool
is_unread(const struct app_account *account, enum expiry_kind kind)
{
	return kind == EXPIRY_CERTIFICATE && account->engine->conf->certificate[0] != '\0' &&
	       account->secrets.not_after == 0;
}

static bool
look_at(struct app_account *account, nd_unix now)
{
	const nd_unix ends[EXPIRY_KINDS] = {
		[EXPIRY_CLIENT_SECRET] = secret_ends(account->engine->conf),
		[EXPIRY_CERTIFICATE] = account->secrets.not_after,
		[EXPIRY_GRANT] = grant_ends(account),
	};
	bool changed = false;

	for (unsigned kind = 0; kind < EXPIRY_KINDS; kind++) {
		if (!is_unread(account, (enum expiry_kind)kind)) {
			changed |= account->credentials[kind].ends != ends[kind];
			expiry_ends(&account->credentials[kind], ends[kind]);
		}
		changed |= tell(account, (enum expiry_kind)kind, now);
	}
	return changed;
}

void
credentials_look(void *arg)
{
	struct app *app = arg;
	struct nd_now now = loop_now(app->loop);
	struct engine_account *engine;
	bool changed = false;

	if (app->stopping)
		return;
	read_new(app);
	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++)
		if (!engine->gone)
			changed |= look_at(engine->user, now.unix_ms);
	if (changed || app->credentials_changed)
		keep(app);
	app->credentials_changed = false;
	loop_timer_set(app->credentials_timer, now.ms + LOOK);
}

void
credentials_soon(struct app *app)
{
	loop_timer_set(app->credentials_timer, loop_now(app->loop).ms);
}

/* Four octets of its digest tell one secret from the next, and nothing else. */
void
credentials_used(struct app_account *account, const struct nd_secret *secret)
{
	struct app *app = account->app;
	struct expiry *expiry = &account->credentials[EXPIRY_CLIENT_SECRET];
	char mark[EXPIRY_MARK];
	uint8_t sum[32];

	if (secret->len == 0 || !account->credentials_known)
		return;
	tls_sha256(secret->octets, secret->len, sum);
	nd_str_hex(mark, sum, sizeof(mark) / 2);
	if (strcmp(mark, expiry->mark) == 0)
		return;
	if (expiry->mark[0] != '\0')
		engine_secret_changed(app->engine, account->engine, loop_now(app->loop));
	expiry_used(expiry, mark, loop_now(app->loop).unix_ms);
	app->credentials_changed = true;
	credentials_soon(app);
}

bool
credentials_nth(struct app *app, unsigned n, struct credentials_fact *fact)
{
	struct engine_account *engine;

	engine = engine_account_nth(app->engine, n / EXPIRY_KINDS);
	fact->kind = (enum expiry_kind)(n % EXPIRY_KINDS);
	fact->expiry = NULL;
	if (engine != NULL && !engine->gone) {
		fact->account = engine->conf->name;
		fact->expiry = &((struct app_account *)engine->user)->credentials[fact->kind];
	}
	return engine != NULL;
}
