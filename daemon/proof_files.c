/* SPDX-License-Identifier: Apache-2.0 */
/* proof_files.c - the files that accounts' proofs are in: watched, looked at when they change, and whether they hold something else then.
 *
 *   file_changed (loop) ─► run (thread): digest, the certificate's dates ─► note ─► looked (loop): a change of the account, tried at once
 */
#include "daemon/app.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/io/jwt.h"
#include "daemon/io/secret.h"
#include "daemon/io/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_LIMIT 65536u
#define PATH_SIZE 4096
#define FILES 8 /* more than an account has */

struct look {
	struct worker_task task; /* first */
	struct loop_note note;
	struct app_account *account;
	struct conf *held;
	const struct conf_account *conf; /* in it */
	unsigned changes;
	bool
	    woken; /* a file was written, or given other rights: does it hold something else, what was refused is tried at once */
	nd_unix not_after;
	bool whole;      /* all that tells could be read */
	uint64_t print;  /* of what tells */
	uint64_t prints; /* of all, and of the rights to it */
};

struct file {
	char path[PATH_SIZE];
	bool
	    tells; /* another content is another proof that a person made. Not so: what is renewed by itself, and client secrets, which credentials.c knows */
};

/* The files that an account's proof is in. */
static bool
nth_file(const struct conf_account *conf, unsigned n, struct file *out, bool *more)
{
	const struct {
		const char *reference, *path;
		bool tells;
	} rows[] = {
		{ conf->client_secret, NULL, false },
		{ conf->client_secret_next, NULL, false },
		{ conf->key, NULL, true },
		{ conf->password, NULL, true },
		{ conf->refresh_token, NULL, false },
		{ NULL, conf->certificate, true },
		{ NULL, conf->assertion_file, false },
	};

	*more = n + 1 < sizeof(rows) / sizeof(rows[0]);
	out->tells = rows[n].tells;
	if (rows[n].reference != NULL)
		return secret_path(rows[n].reference, out->path, sizeof(out->path));
	(void)snprintf(out->path, sizeof(out->path), "%s", rows[n].path);
	return out->path[0] != '\0';
}

/* --- on the thread --- */

static void
add_octets(struct nd_buf *out, const char *octets, size_t len)
{
	(void)nd_buf_addf(out, "%zu:", len);
	(void)nd_buf_add(out, octets, len);
}

/* false: it cannot be read. */
static bool
add_file(const struct file *file, struct nd_buf *telling, struct nd_buf *all)
{
	struct stat st;
	char *octets;
	size_t len;

	if (stat(file->path, &st) == 0) /* a secret that others can read is refused for that */
		(void)nd_buf_addf(all, "%o:%u:", (unsigned)st.st_mode, (unsigned)st.st_uid);
	if (filer_read(file->path, FILE_LIMIT, &octets, &len, NULL) != ND_OK)
		return false;
	add_octets(all, octets, len);
	if (file->tells)
		add_octets(telling, octets, len);
	nd_wipe_free(octets, len);
	return true;
}

static uint64_t
print_of(struct nd_buf *buf)
{
	uint64_t print;
	uint8_t sum[32];

	tls_sha256(nd_buf_text(buf), buf->len, sum);
	memcpy(&print, sum, sizeof(print));
	nd_buf_wipe(buf);
	return print;
}

static void
print_files(struct look *look)
{
	struct nd_buf telling, all;
	struct file file;
	bool more = true;

	nd_buf_init(&telling, FILES * FILE_LIMIT);
	nd_buf_init(&all, FILES * FILE_LIMIT);
	look->whole = true;
	for (unsigned n = 0; more; n++)
		if (nth_file(look->conf, n, &file, &more))
			look->whole &= add_file(&file, &telling, &all) || !file.tells;
	look->print = print_of(&telling);
	look->prints = print_of(&all);
}

static void looked(void *arg);

static void
run(struct worker_task *task)
{
	struct look *look = (struct look *)task;
	struct jwt_certificate certificate = { 0 };
	struct nd_why why;

	if (look->conf->certificate[0] != '\0') { /* only for its dates */
		if (jwt_certificate_read(look->conf->certificate, &certificate, &why) == ND_OK)
			look->not_after = certificate.not_after;
		jwt_certificate_done(&certificate);
	}
	print_files(look);
	look->note = (struct loop_note){ NULL, looked, look };
	loop_post(look->account->app->loop, &look->note);
}

/* --- on the loop --- */

void
proof_dated(struct app_account *account, unsigned changes, nd_unix not_after)
{
	if (not_after == 0 || changes != account->secrets.changes || account->secrets.not_after == not_after)
		return;
	account->secrets.not_after = not_after;
	credentials_soon(account->app); /* it may be about to end */
}

static void
try_at_once(struct app_account *account)
{
	struct app *app = account->app;
	struct engine_account *engine = account->engine;
	const char *name = engine->conf->name;

	if (engine->gone || (engine->token_why.err == ND_OK && engine->health.state != HEALTH_HELD &&
				engine->health.state != HEALTH_FAILING))
		return;
	nd_log(ND_LOG_NOTICE, ND_FIELDS({ "ACCOUNT", name }),
	    "a file with a secret of account %s has changed: it is tried at once", name);
	engine_refresh(app->engine, engine, loop_now(app->loop));
}

/* What was written as it was, by a backup or an agent, is refused as it was. */
static bool
is_other(const struct look *look)
{
	struct app_account *account = look->account;
	const bool other = !account->files_looked || account->files_prints != look->prints;

	account->files_prints = look->prints;
	account->files_looked = true;
	return other;
}

/* A change comes before the try that it causes: what the provider refuses then is told by that. */
static void
take(const struct look *look)
{
	struct app_account *account = look->account;
	struct app *app = account->app;
	bool other;

	if (look->changes != account->secrets.changes)
		return; /* a later look is under way */
	other = is_other(look);
	proof_dated(account, look->changes, look->not_after);
	if (look->whole) {
		if (account->files_known && account->files_print != look->print) {
			engine_secret_changed(app->engine, account->engine, loop_now(app->loop));
			recover_keep_ages(app);
		}
		account->files_print = look->print;
		account->files_known = true;
	}
	if (look->woken && other)
		try_at_once(account);
}

static void
looked(void *arg)
{
	struct look *look = arg;
	struct app *app = look->account->app;

	if (!app->down) {
		take(look);
		look->account->engine->users--;
		loop_soon(app->loop, app_pump, app);
	}
	reload_release(look->held);
	free(look);
}

static void
forget_secrets(struct app_account *account, bool woken)
{
	struct look *look = nd_xalloc(sizeof(*look));

	account->secrets = (struct app_secrets){ .changes = account->secrets.changes + 1 };
	look->task.run = run;
	look->account = account;
	look->held = reload_hold(account->conf);
	look->conf = account->engine->conf;
	look->changes = account->secrets.changes;
	look->woken = woken;
	account->engine->users++;
	worker_put(account->app->proofs, &look->task);
}

void
proof_open(struct app_account *account)
{
	forget_secrets(account, false);
}

static bool
names_file(const struct conf_account *conf, const char *wanted)
{
	struct file file;
	bool more = true;

	for (unsigned n = 0; more; n++)
		if (nth_file(conf, n, &file, &more) && strcmp(file.path, wanted) == 0)
			return true;
	return false;
}

static void
file_changed(void *arg, const char *path)
{
	struct app *app = arg;
	struct engine_account *engine;

	for (unsigned i = 0; (engine = engine_account_nth(app->engine, i)) != NULL; i++)
		if (!engine->gone && engine->user != NULL && names_file(engine->conf, path))
			forget_secrets(engine->user, true);
}

void
proof_watch(struct app *app)
{
	const struct conf_account *conf;
	struct file file;

	watch_free(app->watch);
	app->watch = watch_new(app->loop, file_changed, app);
	for (unsigned i = 0; (conf = conf_account_nth(app->conf, i)) != NULL; i++) {
		bool more = true;

		for (unsigned n = 0; more; n++)
			if (nth_file(conf, n, &file, &more))
				watch_add(app->watch, file.path);
	}
}
