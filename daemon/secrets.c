/* SPDX-License-Identifier: Apache-2.0 */
/* secrets.c - secrets that an operator hands over: tried first, then used at once, until the next start.
 *
 *   PUT /v1/accounts/{id}/secret ─► check ─► token request, renewal of the grant, or log-in ─► in use            refused: nothing changes
 *
 * systemd copies credentials when it starts a service, so what notifyctl writes there is seen by the next start only.
 */
#include "daemon/probe.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/grant.h"
#include "daemon/core/hint.h"
#include "daemon/core/keyfile.h"
#include "daemon/core/oauth.h"
#include "daemon/io/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const field_names[SECRETS_FIELDS] = {
	[SECRETS_CLIENT] = "client_secret",
	[SECRETS_CLIENT_NEXT] = "client_secret_next",
	[SECRETS_PASSWORD] = "password",
};

static const char *
reference_of(const struct conf_account *conf, enum secrets_field field)
{
	return field == SECRETS_PASSWORD      ? conf->password
	       : field == SECRETS_CLIENT_NEXT ? conf->client_secret_next
					      : conf->client_secret;
}

static bool
same(const struct nd_secret *a, const struct nd_secret *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->octets, b->octets, a->len) == 0);
}

enum nd_err
secrets_read(const struct secrets_given *given, const char *reference, struct nd_secret *out, struct nd_why *why)
{
	struct nd_secret read = { 0 };
	enum nd_err err = secret_read(reference, &read, why);

	if (given->secret.len > 0 && same(&read, &given->before)) {
		nd_secret_set(out, given->secret.octets, given->secret.len);
		err = ND_OK;
	} else if (err == ND_OK)
		nd_secret_set(out, read.octets, read.len);
	nd_secret_done(&read);
	return err;
}

void
secrets_copy(const struct secrets_given *from, struct secrets_given *to)
{
	if (from->secret.len == 0)
		return;
	nd_secret_set(&to->secret, from->secret.octets, from->secret.len);
	nd_secret_set(&to->before, from->before.len > 0 ? from->before.octets : "", from->before.len);
}

void
secrets_given_done(struct secrets_given *given)
{
	nd_secret_done(&given->secret);
	nd_secret_done(&given->before);
}

void
secrets_drop(struct app_account *account)
{
	for (unsigned i = 0; i < SECRETS_FIELDS; i++)
		secrets_given_done(&account->given[i]);
}

struct secrets_trial { /* one PUT */
	struct secrets_trial *next;
	struct app *app;
	struct app_account *account;
	struct http_request *request; /* NULL: the client has left, but its secret is tried to the end */
	enum secrets_field field;
	struct nd_secret secret;
	struct keyfile_client client; /* what the secret says: a bare one, or that of a downloaded JSON */
	unsigned settings;
	bool try;
	struct nd_why why; /* of a log-in that failed */
	bool verdict;      /* it was refused for good */
};

static void
client_left(void *context)
{
	struct secrets_trial *trial = context;

	trial->request = NULL;
}

static void
free_trial(struct secrets_trial *trial)
{
	nd_secret_done(&trial->secret);
	keyfile_client_done(&trial->client);
	free(trial);
}

static void
end_trial(struct secrets_trial *trial)
{
	struct secrets_trial **at = &trial->account->trials;

	while (*at != trial)
		at = &(*at)->next;
	*at = trial->next;
	trial->account->engine->users--;
	loop_soon(trial->app->loop, app_pump, trial->app);
	free_trial(trial);
}

void
secrets_done(struct app_account *account)
{
	struct secrets_trial *trial;

	while ((trial = account->trials) != NULL) {
		account->trials = trial->next;
		free_trial(trial);
	}
	secrets_drop(account);
}

static void
refuse(struct secrets_trial *trial, const struct nd_why *why)
{
	if (trial->request) {
		http_request_own(trial->request, NULL, NULL);
		http_server_problem(trial->request, why);
	}
	end_trial(trial);
}

static void
answer(struct secrets_trial *trial, bool tried, const char *detail)
{
	const char *reference = reference_of(trial->account->engine->conf, trial->field);
	struct json_out out;
	struct nd_buf buf;

	if (!trial->request)
		return;
	nd_buf_init(&buf, 65536);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_bool(&out, "tried", tried);
	json_out_text(&out, "detail", detail);
	json_out_text(&out, "reference", reference);
	json_out_bool(&out, "loaded", secret_loaded(reference));
	json_out_int(&out, "uid", geteuid());
	json_out_object_end(&out);
	http_request_own(trial->request, NULL, NULL);
	handlers_reply(trial->request, 200, &buf);
}

/* From now on it is used; what was refused because of the old one is tried at once. */
static void
use(struct secrets_trial *trial, bool tried, const char *detail)
{
	struct app_account *account = trial->account;
	struct secrets_given *given = &account->given[trial->field];
	const struct conf_account *conf = account->engine->conf;
	struct nd_secret before = { 0 };

	if (secret_read(reference_of(conf, trial->field), &before, NULL) != ND_OK)
		nd_secret_done(&before);
	nd_secret_set(&given->before, before.octets ? before.octets : "", before.len);
	nd_secret_set(&given->secret, trial->secret.octets, trial->secret.len);
	nd_secret_done(&before);
	nd_log(ND_LOG_NOTICE, ND_FIELDS({ "ACCOUNT", conf->name }), "account %s has a new %s: %s", conf->name,
	    field_names[trial->field], detail);
	engine_secret_changed(trial->app->engine, account->engine, loop_now(trial->app->loop));
	if (trial->field != SECRETS_CLIENT_NEXT) {
		proof_open(account);
		if (!tried || !grant_refreshed(conf)) /* else it was the trial that brought a new token */
			engine_refresh(trial->app->engine, account->engine, loop_now(trial->app->loop));
	}
	answer(trial, tried, detail);
	end_trial(trial);
}

static bool
outdated(const struct secrets_trial *trial)
{
	return trial->settings != trial->account->settings || trial->account->engine->gone;
}

/* later: it was no verdict on the secret. */
static void
not_taken(struct secrets_trial *trial, bool later, const struct nd_why *said)
{
	const struct conf_account *conf = trial->account->engine->conf;
	struct nd_why why;
	struct nd_buf hint;

	nd_buf_init(&hint, HINT_LIMIT);
	(void)hint_of(conf, HINT_OPERATOR, said->text, said, &hint);
	(void)nd_fail(&why, later ? ND_ETOKENLATER : ND_EBADSECRET, 0, "%s", said->text);
	if (later && nd_err_http(said->err) == 503)
		why.err = said->err;
	(void)nd_fail_at(&why, "secret", 0, nd_buf_text(&hint));
	nd_buf_done(&hint);
	nd_log(ND_LOG_WARNING, ND_FIELDS({ "ACCOUNT", conf->name }), "a new %s for account %s was not taken: %s",
	    field_names[trial->field], conf->name, why.text);
	refuse(trial, &why);
}

static void
taken(struct secrets_trial *trial, const char *detail)
{
	struct nd_why why;

	if (outdated(trial)) {
		(void)nd_fail(&why, ND_ETOKENLATER, 0, "the account has changed meanwhile");
		refuse(trial, &why);
		return;
	}
	use(trial, true, detail);
}

/* -- by a token request -- */

static void
answered(void *arg, const struct http_client_reply *http)
{
	struct secrets_trial *trial = arg;
	struct oauth_reply reply = { 0 };

	oauth_read(
	    http->status, http->body, http->len, http->retry_after, http->status == 0 ? &http->why : NULL, &reply);
	if (reply.class == OAUTH_TOKEN) {
		taken(trial, "the token endpoint gave a token for it");
	} else {
		oauth_reply_blame(&reply, trial->account->engine->conf, &trial->client.secret);
		not_taken(trial, reply.class == OAUTH_LATER, &reply.why);
	}
	oauth_reply_done(&reply);
}

/* What the settings name goes before what a downloaded JSON says. */
static const char *
url_of(const struct secrets_trial *trial)
{
	return conf_account_given(trial->account->engine->conf, "token_url") ? NULL : trial->client.url;
}

static void
ask(struct secrets_trial *trial)
{
	const struct oauth_ask wish = { .grant = CONF_CLIENT_CREDENTIALS,
		.client_secret = &trial->client.secret,
		.client_id = trial->client.client_id,
		.url = url_of(trial) };
	struct oauth_request wanted;

	oauth_ask_write(trial->account->engine->conf, &wish, &wanted);
	tokens_post(trial->account, &wanted, answered, trial);
}

/* -- by renewing the grant of who has signed in -- */

static void
renewed(void *arg, bool good, bool later, const struct nd_why *why)
{
	struct secrets_trial *trial = arg;

	if (good)
		taken(trial, "the token endpoint renewed the grant with it");
	else
		not_taken(trial, later, why);
}

static void
renew(struct secrets_trial *trial)
{
	const struct tokens_try try = { .client_secret = &trial->client.secret,
		.client_id = trial->client.client_id,
		.url = url_of(trial),
		.done = renewed,
		.arg = trial };
	struct nd_why why;
	const enum nd_err err = tokens_try(trial->account, &try, &why);

	if (err == ND_ENOTFOUND)
		use(trial, false, "nobody has signed in: the token endpoint judges it at the sign-in");
	else if (err != ND_OK)
		not_taken(trial, true, &why);
}

/* -- by a log-in -- */

static void
ignore(void *arg, const char *line, size_t len)
{
	(void)arg;
	(void)line;
	(void)len;
}

static void
log_in_failed(void *arg, bool verdict, const struct nd_why *why)
{
	struct secrets_trial *trial = arg;

	trial->why = *why;
	trial->verdict = verdict;
}

static void
logged_in(void *arg, enum probe_result result)
{
	struct secrets_trial *trial = arg;

	if (result == PROBE_PROVED)
		taken(trial, "the mail server took it");
	else
		not_taken(trial, !trial->verdict, &trial->why);
}

static void
log_in(struct secrets_trial *trial)
{
	const struct probe_wish wish = { .held = trial->account->conf,
		.conf = trial->account->engine->conf,
		.line = ignore,
		.over = logged_in,
		.fault = log_in_failed,
		.password = &trial->secret,
		.arg = trial };

	(void)probe_start(trial->app, &wish);
}

static void
run(struct secrets_trial *trial)
{
	const struct conf_account *conf = trial->account->engine->conf;

	if (!trial->try)
		use(trial, false, "it was not tried");
	else if (trial->field == SECRETS_PASSWORD)
		log_in(trial);
	else if (grant_refreshed(conf))
		renew(trial);
	else if (conf->grant == CONF_CLIENT_CREDENTIALS)
		ask(trial);
	else
		use(trial, false, "this grant does not use it");
}

static enum nd_err
read_field(const struct json_node *root, struct secrets_trial *trial, struct nd_why *why)
{
	const char *name = json_get_text(root, "field");

	for (unsigned i = 0; name && i < SECRETS_FIELDS; i++)
		if (strcmp(name, field_names[i]) == 0) {
			trial->field = (enum secrets_field)i;
			return ND_OK;
		}
	(void)nd_fail(why, ND_EINVALID, 0, "field is client_secret, client_secret_next or password");
	return nd_fail_at(why, "field", 0, NULL);
}

static enum nd_err
check_secret(const struct secrets_trial *trial, struct nd_why *why)
{
	const struct nd_secret *secret = &trial->secret;

	if (secret->len == 0)
		return nd_fail(why, ND_EBADSECRET, 0, "the secret is empty");
	if (trial->field != SECRETS_PASSWORD && oauth_secret_is_id(trial->account->engine->conf, secret)) {
		(void)nd_fail(why, ND_EBADSECRET, 0, "this is the ID of a client secret, not its value");
		return nd_fail_at(why, "secret", 0,
		    "copy the Value column; it is shown only once, right after the secret was made: make a new one");
	}
	return ND_OK;
}

/* Where nobody but its keeper changes a secret. */
static const struct {
	const char *prefix, *what, *hint;
} elsewhere[] = {
	{ "command:", "a command says", "change it where the command gets it: it is asked again each time" },
	{ "keyring:", "a key of the kernel holds",
	    "change the key: sudo -u notifyd keyctl padd user NAME @u; it is read again each time" },
};

/* The account must be one that uses such a secret; a next one is tried beside any first one. */
static enum nd_err
check_use(const struct secrets_trial *trial, struct nd_why *why)
{
	const struct conf_account *conf = trial->account->engine->conf;

	/* To try it would renew a grant that is the other machine's. */
	if (trial->app->another_machine && trial->try && grant_refreshed(conf)) {
		(void)nd_fail(why, ND_ESTATE, 0, OTHER_MACHINE);
		return nd_fail_at(why, "", 0, OTHER_MACHINE_HINT);
	}
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		if (strncmp(reference_of(conf, trial->field), elsewhere[i].prefix, strlen(elsewhere[i].prefix)) != 0)
			continue;
		(void)nd_fail(why, ND_EBADSECRET, 0, "%s of account %s is what %s", field_names[trial->field],
		    conf->name, elsewhere[i].what);
		return nd_fail_at(why, "field", 0, elsewhere[i].hint);
	}
	if ((trial->field == SECRETS_PASSWORD) == (conf->auth == CONF_PASSWORD) && conf->auth != CONF_NO_AUTH &&
	    reference_of(conf, trial->field == SECRETS_CLIENT_NEXT ? SECRETS_CLIENT : trial->field)[0] != '\0')
		return ND_OK;
	(void)nd_fail(why, ND_EBADSECRET, 0, "account %s has no %s", conf->name, field_names[trial->field]);
	return nd_fail_at(
	    why, "field", 0, "name in notifyd.conf where it is kept, as credential:NAME, then: notifyctl reload");
}

static enum nd_err
read_trial(const struct json_node *root, struct secrets_trial *trial, struct nd_why *why)
{
	static const char *const known[] = { "field", "secret", "try", NULL };
	const struct json_node *secret = json_get(root, "secret"), *try = json_get(root, "try");

	if (json_only(root, known, why) != ND_OK || read_field(root, trial, why) != ND_OK)
		return why->err;
	if (!secret || secret->type != JSON_STRING || (try && try->type != JSON_BOOL)) {
		(void)nd_fail(
		    why, ND_EINVALID, 0, secret ? "secret is a text, try is true or false" : "the secret is missing");
		return nd_fail_at(why, "secret", 0, NULL);
	}
	trial->try = !try || try->boolean;
	nd_secret_set(&trial->secret, secret->text, secret->len);
	if (check_secret(trial, why) != ND_OK || check_use(trial, why) != ND_OK)
		return why->err;
	return trial->field == SECRETS_PASSWORD ? ND_OK : keyfile_client(&trial->secret, &trial->client, why);
}

/* The tree's copy of the secret does not outlive the request. */
static void
wipe(struct json_tree *tree)
{
	const struct json_node *secret = json_get(tree->root, "secret");

	if (secret && secret->type == JSON_STRING)
		explicit_bzero((char *)(uintptr_t)secret->text, secret->len);
	json_done(tree);
}

static enum nd_err
read_body(struct http_request *request, struct secrets_trial *trial, struct nd_why *why)
{
	struct http_body body = { 0 };
	struct json_tree tree = { 0 };
	enum nd_err err;

	http_request_take_body(request, &body);
	err = json_read(&tree, body.octets ? body.octets : "", body.len, &json_limits_small, NULL, why);
	if (err == ND_OK)
		err = read_trial(tree.root, trial, why);
	wipe(&tree);
	if (body.octets)
		explicit_bzero(body.octets, body.len);
	http_server_body_done(trial->app->http_server, &body);
	return err;
}

void
secrets_put(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct engine_account *engine = accounts_asked_for(app, request);
	struct app_account *account = engine ? engine->user : NULL;
	struct secrets_trial *trial;
	struct nd_why why;

	if (!engine)
		return;
	trial = nd_xalloc(sizeof(*trial));
	*trial =
	    (struct secrets_trial){ .app = app, .account = account, .request = request, .settings = account->settings };
	trial->next = trial->account->trials;
	trial->account->trials = trial;
	engine->users++;
	if (read_body(request, trial, &why) != ND_OK) {
		refuse(trial, &why);
		return;
	}
	http_request_own(request, trial, client_left);
	run(trial);
}
