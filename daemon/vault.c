/* SPDX-License-Identifier: Apache-2.0 */
/* vault.c - STATE/tokens: what is kept of an account's tokens, sealed when there is a credential tokens-key. */
#include "daemon/app.h"

#include "common/mem.h"
#include "daemon/io/seal.h"
#include "daemon/io/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT 65536u
#define OTHER_LEN 16 /* characters of an identity in a name */

/* No key is fine: `key` stays empty. One that is there and cannot be used is not none: what was to be sealed must not be written in clear. */
static enum nd_err
read_key(struct nd_secret *key, struct nd_why *why)
{
	struct nd_why told;

	if (secret_read("credential:tokens-key", key, &told) != ND_OK)
		return told.sys_errno == ENOENT
			   ? ND_OK
			   : nd_fail(why, ND_ETOKENSLOCKED, 0, "the kept tokens stay locked: %s", told.text);
	if (key->len >= SEAL_SECRET_MIN)
		return ND_OK;
	nd_secret_done(key);
	return nd_fail(
	    why, ND_ETOKENSLOCKED, 0, "the credential tokens-key is shorter than %u octets", SEAL_SECRET_MIN);
}

static enum nd_err
open_sealed(
    const struct app_account *account, const char *octets, size_t len, struct oauth_saved *out, struct nd_why *why)
{
	const char *name = account->engine->conf->name;
	struct nd_secret key = { 0 };
	struct nd_buf plain;
	struct nd_why told;
	enum nd_err err = read_key(&key, why);

	if (err == ND_OK && key.len == 0)
		err = nd_fail(why, ND_ETOKENSLOCKED, 0,
		    "the kept tokens of account %s are sealed, and there is no credential tokens-key", name);
	if (err != ND_OK)
		return err;
	nd_buf_init(&plain, FILE_LIMIT);
	err = seal_text_open(&key, name, octets, len, &plain, &told);
	if (err != ND_OK)
		err = nd_fail(
		    why, ND_ETOKENSLOCKED, 0, "the kept tokens of account %s cannot be opened: %s", name, told.text);
	else
		err = oauth_saved_read(nd_buf_text(&plain), plain.len, out, why);
	nd_buf_wipe(&plain);
	nd_secret_done(&key);
	return err;
}

enum nd_err
vault_read(const struct app_account *account, const char *path, struct oauth_saved *out, struct nd_why *why)
{
	char *octets;
	size_t len;
	enum nd_err err = filer_read(path, FILE_LIMIT, &octets, &len, why);

	if (err != ND_OK)
		return err;
	if (seal_text_is(octets, len))
		err = open_sealed(account, octets, len, out, why);
	else
		err = oauth_saved_read(octets, len, out, why);
	nd_wipe_free(octets, len);
	return err;
}

enum nd_err
vault_write(struct app_account *account, const char *path, const struct oauth_saved *saved, filer_done *done, void *arg,
    struct nd_why *why)
{
	struct app *app = account->app;
	struct nd_secret key = { 0 };
	struct nd_buf plain, sealed;
	const struct nd_buf *file = &plain;
	enum nd_err err = ND_OK;

	if (account->locked.err != ND_OK) {
		*why = account->locked;
		return why->err;
	}
	if (read_key(&key, why) != ND_OK)
		return why->err;
	nd_buf_init(&plain, FILE_LIMIT);
	nd_buf_init(&sealed, FILE_LIMIT);
	(void)nd_buf_reserve(&plain, FILE_LIMIT - 1); /* at once: no copies are left */
	oauth_saved_write(saved, &plain);
	if (key.len > 0) {
		seal_text(&key, account->engine->conf->name, nd_buf_text(&plain), plain.len, &sealed);
		file = &sealed;
	}
	if (plain.failed || sealed.failed)
		err = nd_fail(why, ND_EDISK, 0, "the tokens of account %s are larger than %u octets and are not kept",
		    account->engine->conf->name, FILE_LIMIT);
	else
		filer_write_later(app->files, app->loop, path, nd_buf_text(file), file->len, done, arg);
	nd_buf_wipe(&plain);
	nd_buf_done(&sealed);
	nd_secret_done(&key);
	return err;
}

void
vault_keep(struct app_account *account, const char *kind)
{
	filer_keep_later(account->app->files, account->app->loop, account->token_path, kind, VAULT_ASIDE);
}

void
vault_aside(struct app_account *account, const char *kind)
{
	filer_aside_later(account->app->files, account->app->loop, account->token_path, kind, VAULT_ASIDE);
}

char *
vault_other(const struct app_account *account, const char *identity)
{
	char path[4224];

	(void)snprintf(path, sizeof(path), "%s.%.*s", account->token_path, OTHER_LEN, identity);
	return nd_xstrdup(path);
}

void
vault_aside_other(struct app_account *account, const char *identity, const char *kind)
{
	char *other = vault_other(account, identity);

	filer_aside_later(account->app->files, account->app->loop, other, kind, VAULT_ASIDE);
	free(other);
}

void
vault_put_off(struct app_account *account, const char *identity)
{
	char kind[OTHER_LEN + 1];

	/* It comes from a file, and becomes a part of a path. */
	if (strspn(identity, "0123456789abcdef") < OTHER_LEN) {
		vault_aside(account, "other");
		return;
	}
	(void)snprintf(kind, sizeof(kind), "%.*s", OTHER_LEN, identity);
	filer_aside_later(account->app->files, account->app->loop, account->token_path, kind, 0);
}
