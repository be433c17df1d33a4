/* SPDX-License-Identifier: Apache-2.0 */
/* proof.c - what proves an account: secrets, certificates, assertions, passwords. Read off the loop, for a command may take ten seconds.
 *
 *   proof_read (loop) ─► run (thread): files, commands, signatures ─► note ─► done (loop)
 */
#include "daemon/app.h"

#include "common/log.h"
#include "common/mem.h"
#include "common/stamp.h"
#include "daemon/core/jwt.h"
#include "daemon/core/keyfile.h"
#include "daemon/core/oauth.h"
#include "daemon/core/smtp_auth.h"
#include "daemon/io/jwt.h"
#include "daemon/io/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASSERTION_MAX 65536u
#define ASSERTION_LIFE ND_MIN(10) /* Microsoft: five to ten minutes */
#define SERVICE_LIFE ND_MIN(60)   /* Google: one hour at the most */

struct proof_reading {
	struct worker_task task; /* first */
	struct loop_note note;
	struct app *app;
	struct app_account *account;
	struct conf *held;
	struct secrets_given given[SECRETS_FIELDS];
	const struct conf_account *conf; /* in it */
	enum nd_err (*read)(struct proof_reading *reading, struct nd_why *why);
	proof_done *done; /* NULL: nobody waits for it */
	void *arg;
	nd_unix now;
	unsigned changes;
	nd_unix not_after;
	enum nd_err err;
	struct nd_why why;
	struct app_proof proof;
};

/* --- on the thread --- */

/* A secret, or the client's downloaded JSON. */
static enum nd_err
read_client_secret(struct proof_reading *reading, struct nd_why *why)
{
	const struct conf_account *conf = reading->conf;
	struct keyfile_client client = { 0 };
	struct nd_secret text = { 0 };
	enum nd_err err = secrets_read(&reading->given[reading->proof.next ? SECRETS_CLIENT_NEXT : SECRETS_CLIENT],
	    reading->proof.next ? conf->client_secret_next : conf->client_secret, &text, why);

	if (err == ND_OK)
		err = keyfile_client(&text, &client, why);
	nd_secret_done(&text);
	if (err != ND_OK)
		return err;
	reading->proof.client_secret = client.secret;
	reading->proof.client_id = client.client_id;
	reading->proof.url = client.url;
	if (conf_account_given(conf, "token_url")) {
		free(reading->proof.url);
		reading->proof.url = NULL;
	}
	if (client.client_id == NULL && conf->client_id[0] == '\0') {
		(void)nd_fail(
		    why, ND_ESECRET, 0, "client_id is not set, and client_secret is not a downloaded client JSON");
		return nd_fail_at(why, "client_id", 0, "set client_id, or store the JSON as it was downloaded");
	}
	if (client.client_id != NULL && conf->client_id[0] != '\0' && strcmp(client.client_id, conf->client_id) != 0) {
		(void)nd_fail(why, ND_ESECRET, 0, "client_id and the downloaded client JSON name different clients");
		return nd_fail_at(why, "client_id", 0, "take client_id out, or download the JSON of this client");
	}
	return ND_OK;
}

static enum nd_err
read_assertion_file(struct proof_reading *reading, struct nd_why *why)
{
	const char *path = reading->conf->assertion_file;
	char *octets;
	size_t len;
	enum nd_err err = secret_file("assertion_file", path, &octets, &len, why);

	if (err != ND_OK)
		return err;
	while (len > 0 && (octets[len - 1] == '\n' || octets[len - 1] == '\r'))
		len--;
	octets[len] = '\0';
	if (len == 0 || !nd_str_ascii(octets, len) || strchr(octets, ' ') != NULL) {
		err = nd_fail(why, ND_ESECRET, 0, "there is no token in \"%.160s\"", path);
		(void)nd_fail_at(why, "assertion_file", 0, "the file must hold a token (JWT) and nothing else");
	} else
		nd_secret_set(&reading->proof.client_assertion, octets, len);
	nd_wipe_free(octets, len);
	return err;
}

/* Which of the files it is about. A command's arguments may hold a secret: they are not repeated. */
static void
tell_where(const char *setting, const char *value, struct nd_why *why)
{
	const size_t len = why != NULL ? strlen(why->text) : 0;
	const size_t shown = strncmp(value, "command:", 8) == 0 ? strcspn(value, " \t") : strlen(value);

	if (why != NULL && shown < sizeof(why->text) / 2 && len + strlen(setting) + shown + 8 < sizeof(why->text))
		(void)snprintf(why->text + len, sizeof(why->text) - len, " (%s = %.*s)", setting, (int)shown, value);
}

/* Signs and keeps it; reference: of the key. The thumbprint and the certificate are NULL for a service account. */
static enum nd_err
assert_claims(const struct nd_secret *key, const char *reference, const struct jwt_certificate *certificate,
    const struct jwt_ask *ask, struct nd_secret *out, struct nd_why *why)
{
	struct nd_buf text;
	enum nd_err err;

	nd_buf_init(&text, ASSERTION_MAX);
	jwt_write(ask, &text);
	err = jwt_sign(key, certificate, strcmp(ask->alg, "PS256") == 0, &text, why);
	if (err == ND_OK && text.failed)
		err = nd_fail(why, ND_ESECRET, 0, "the assertion is too long");
	if (err == ND_OK)
		nd_secret_set(out, nd_buf_text(&text), text.len);
	else
		tell_where("key", reference, why);
	nd_buf_wipe(&text);
	return err;
}

static enum nd_err
sign_with(struct proof_reading *reading, const struct jwt_certificate *certificate, struct nd_why *why)
{
	const struct conf_account *conf = reading->conf;
	char jti[JWT_GUID_SIZE];
	struct nd_secret key = { 0 };
	uint8_t dice[16];
	enum nd_err err = secret_read(conf->key, &key, why);

	tls_random(dice, sizeof(dice));
	if (err == ND_OK)
		err = assert_claims(&key, conf->key, certificate,
		    &(struct jwt_ask){ .alg = conf->assertion_alg == CONF_RS256 ? "RS256" : "PS256",
			.thumbprint = certificate->thumbprint,
			.iss = conf->client_id,
			.sub = conf->client_id,
			.aud = conf->token_url,
			.jti = jwt_guid(dice, jti),
			.nbf = true,
			.now = reading->now,
			.life = ASSERTION_LIFE },
		    &reading->proof.client_assertion, why);
	nd_secret_done(&key);
	return err;
}

static enum nd_err
read_certificate(struct proof_reading *reading, struct nd_why *why)
{
	struct jwt_certificate certificate = { 0 };
	enum nd_err err = jwt_certificate_read(reading->conf->certificate, &certificate, why);

	if (err != ND_OK)
		return err;
	reading->not_after = certificate.not_after;
	err = jwt_valid(&certificate, reading->now, why);
	if (err == ND_OK)
		err = sign_with(reading, &certificate, why);
	else
		tell_where("certificate", reading->conf->certificate, why);
	jwt_certificate_done(&certificate);
	return err;
}

static enum nd_err
read_service_account(struct proof_reading *reading, struct nd_why *why)
{
	const struct conf_account *conf = reading->conf;
	struct keyfile_service service = { 0 };
	struct nd_secret text = { 0 };
	const char *url = conf->token_url;
	enum nd_err err = secret_read(conf->key, &text, why);

	if (err == ND_OK)
		err = keyfile_service(&text, &service, why);
	nd_secret_done(&text);
	if (err != ND_OK)
		return err;
	if (service.url != NULL && !conf_account_given(conf, "token_url"))
		url = service.url;
	err = assert_claims(&service.key, conf->key, NULL,
	    &(struct jwt_ask){ .alg = "RS256",
		.kid = service.key_id,
		.iss = service.email,
		.sub = conf->user,
		.aud = url,
		.scope = conf->scope,
		.now = reading->now,
		.life = SERVICE_LIFE },
	    &reading->proof.assertion, why);
	reading->proof.url = nd_xstrdup(url);
	keyfile_service_done(&service);
	return err;
}

static enum nd_err
read_nothing(struct proof_reading *reading, struct nd_why *why)
{
	(void)reading;
	(void)why;
	return ND_OK;
}

/* As the server wants it: Google shows app passwords with spaces. */
void
proof_clean_password(const struct conf_account *conf, struct nd_secret *password)
{
	if (conf->provider == CONF_GOOGLE || conf->provider == CONF_GOOGLE_RELAY)
		smtp_auth_app_password(password);
}

static enum nd_err
read_password(struct proof_reading *reading, struct nd_why *why)
{
	enum nd_err err =
	    secrets_read(&reading->given[SECRETS_PASSWORD], reading->conf->password, &reading->proof.password, why);

	if (err == ND_OK)
		proof_clean_password(reading->conf, &reading->proof.password);
	return err;
}

static enum nd_err
read_brought(struct proof_reading *reading, struct nd_why *why)
{
	return secret_read(reading->conf->refresh_token, &reading->proof.password, why);
}

static void finish(void *arg);

static void
run(struct worker_task *task)
{
	struct proof_reading *reading = (struct proof_reading *)task;

	reading->err = reading->read(reading, &reading->why);
	reading->note = (struct loop_note){ NULL, finish, reading };
	loop_post(reading->app->loop, &reading->note);
}

/* --- on the loop --- */

static void
finish(void *arg)
{
	struct proof_reading *reading = arg;
	struct app *app = reading->app;

	if (!app->down) {
		proof_dated(reading->account, reading->changes, reading->not_after);
		if (reading->done != NULL)
			reading->done(reading->arg, reading->err == ND_OK ? &reading->proof : NULL, &reading->why);
		reading->account->engine->users--;
		loop_soon(app->loop, app_pump, app);
	}
	for (unsigned i = 0; i < SECRETS_FIELDS; i++)
		secrets_given_done(&reading->given[i]);
	nd_secret_done(&reading->proof.client_secret);
	nd_secret_done(&reading->proof.client_assertion);
	nd_secret_done(&reading->proof.assertion);
	nd_secret_done(&reading->proof.password);
	free(reading->proof.client_id);
	free(reading->proof.url);
	reload_release(reading->held);
	free(reading);
}

static struct proof_reading *
begin(struct app_account *account, enum nd_err (*read)(struct proof_reading *reading, struct nd_why *why))
{
	struct proof_reading *reading = nd_xalloc(sizeof(*reading));
	struct app *app = account->app;

	reading->task.run = run;
	reading->app = app;
	reading->account = account;
	reading->held = reload_hold(account->conf);
	for (unsigned i = 0; i < SECRETS_FIELDS; i++)
		secrets_copy(&account->given[i], &reading->given[i]);
	reading->conf = account->engine->conf;
	reading->read = read;
	reading->now = loop_now(app->loop).unix_ms;
	reading->changes = account->secrets.changes;
	reading->proof.next = account->secrets.try_next && reading->conf->client_secret_next[0] != '\0';
	account->engine->users++;
	worker_put(app->proofs, &reading->task);
	return reading;
}

struct proof_reading *
proof_read(struct app *app, struct app_account *account, proof_done *done, void *arg)
{
	const struct conf_account *conf = account->engine->conf;
	struct proof_reading *reading;

	(void)app;
	reading = begin(account, conf->grant == CONF_JWT_BEARER         ? read_service_account
				 : conf->grant == CONF_MANAGED_IDENTITY ? read_nothing
				 : conf->assertion_file[0] != '\0'      ? read_assertion_file
				 : conf->certificate[0] != '\0'         ? read_certificate
				 : conf->client_secret[0] != '\0'       ? read_client_secret
									: read_nothing);
	reading->done = done;
	reading->arg = arg;
	return reading;
}

struct proof_reading *
proof_password(struct app *app, struct app_account *account, proof_done *done, void *arg)
{
	struct proof_reading *reading = begin(account, read_password);

	(void)app;
	reading->done = done;
	reading->arg = arg;
	return reading;
}

struct proof_reading *
proof_brought(struct app *app, struct app_account *account, proof_done *done, void *arg)
{
	struct proof_reading *reading = begin(account, read_brought);

	(void)app;
	reading->done = done;
	reading->arg = arg;
	return reading;
}

void
proof_forget(struct proof_reading *reading)
{
	if (reading != NULL)
		reading->done = NULL;
}

void
proof_fill(const struct app_proof *proof, struct oauth_ask *ask)
{
	if (proof->client_secret.len > 0)
		ask->client_secret = &proof->client_secret;
	if (proof->client_assertion.len > 0)
		ask->client_assertion = &proof->client_assertion;
	if (proof->assertion.len > 0)
		ask->assertion = &proof->assertion;
	if (proof->client_id != NULL)
		ask->client_id = proof->client_id;
	if (proof->url != NULL)
		ask->url = proof->url;
}

/* --- two secrets --- */

bool
proof_refused(struct app_account *account, bool next, const struct oauth_reply *reply)
{
	const struct conf_account *conf = account->engine->conf;

	if (conf->client_secret_next[0] == '\0' || !oauth_reply_secret_refused(reply))
		return false;
	account->secrets.try_next = !next;
	return true;
}

void
proof_accepted(struct app_account *account, bool next)
{
	const char *name = account->engine->conf->name;

	if (next && !account->secrets.next_in_use)
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "ACCOUNT", name }),
		    "account %s: client_secret was refused; client_secret_next is in use", name);
	else if (!next && account->secrets.next_in_use)
		nd_log(ND_LOG_NOTICE, ND_FIELDS({ "ACCOUNT", name }),
		    "account %s: client_secret_next was refused; client_secret is in use", name);
	account->secrets.next_in_use = account->secrets.try_next = next;
}

bool
proof_expires(const struct app_account *account, nd_unix *when)
{
	const struct conf_account *conf = account->engine->conf;

	if (conf->client_secret_expires[0] != '\0' && nd_stamp_read(conf->client_secret_expires, when))
		return true;
	*when = account->secrets.not_after;
	return conf->certificate[0] != '\0' && *when != 0;
}
