/* SPDX-License-Identifier: Apache-2.0 */
/* warnings.c - what the operator should know before it hurts: the warnings of the status. */
#include "daemon/app.h"

#include "common/json.h"
#include "daemon/core/hint.h"

#include <stdio.h>

void
warnings_one(const char *code, const char *detail, const char *hint, struct json_out *out)
{
	json_out_object(out, NULL);
	json_out_text(out, "code", code);
	json_out_text(out, "detail", detail);
	json_out_text(out, "hint", hint && hint[0] != '\0' ? hint : NULL);
	json_out_object_end(out);
}

static void
put_token_warning(const struct engine_account *account, struct json_out *out)
{
	const struct nd_why *why = &account->token_why;
	struct nd_buf hint;

	nd_buf_init(&hint, HINT_LIMIT);
	warnings_one(
	    "token-not-refreshed", why->text, hint_of(account->conf, HINT_OPERATOR, why->text, why, &hint), out);
	nd_buf_done(&hint);
}

static void
put_settings(struct app *app, struct json_out *out)
{
	char line[1024];

	for (unsigned i = 0; i < app->conf->warnings.count; i++) {
		struct conf_fault told = app->conf->warnings.fault[i];
		char hint[sizeof(line)];

		(void)snprintf(hint, sizeof(hint), "%s", nd_why_hint(&told.why));
		told.why.hint[0] = '\0';
		warnings_one("setting", conf_fault_line(&told, line, sizeof(line)), hint, out);
	}
}

static void
put_degraded(struct app *app, struct json_out *out)
{
	char text[1100];

	(void)snprintf(text, sizeof(text), "degraded: %s", app->degraded);
	warnings_one("degraded", text,
	    "settings of before are used: mend the file (notifyd --check tells every mistake), then: notifyctl reload",
	    out);
}

static void
put_credentials(struct app *app, struct json_out *out)
{
	nd_unix now = loop_now(app->loop).unix_ms;
	struct credentials_fact fact;
	struct nd_buf words;

	nd_buf_init(&words, 1024);
	for (unsigned n = 0; credentials_nth(app, n, &fact); n++) {
		nd_buf_clear(&words);
		if (fact.expiry != NULL && expiry_words(fact.expiry, fact.kind, fact.account, now, &words))
			warnings_one("credential-expires", nd_buf_text(&words), expiry_remedy(fact.kind), out);
	}
	nd_buf_done(&words);
}

static void
put_next_secret(const struct engine_account *account, struct json_out *out)
{
	const struct app_account *own = account->user;
	char text[160];

	if (account->gone || own == NULL || !own->secrets.next_in_use)
		return;
	(void)snprintf(text, sizeof(text), "account %s: client_secret was refused; client_secret_next is in use",
	    account->conf->name);
	warnings_one("client-secret-next", text,
	    "store the new secret in client_secret's place too, then take client_secret_next out", out);
}

void
warnings_put(struct app *app, struct json_out *out)
{
	struct intake_limit_load load = admit_load(app);
	struct intake_limit_warning filling;
	struct engine_account *account;
	unsigned i;

	json_out_array(out, "warnings");
	if (app->conf->account_count == 0)
		warnings_one("no-account", "no account is set up: jobs are accepted and held",
		    "add an [account NAME] to notifyd.conf, then: notifyctl reload", out);
	if (engine_barred(app->engine, ENGINE_BAR_PAUSE))
		warnings_one("paused", QUEUE_PAUSED, QUEUE_PAUSED_HINT, out);
	if (app->degraded[0])
		put_degraded(app, out);
	put_settings(app, out);
	if (app->store_fault.err != ND_OK)
		warnings_one(
		    nd_err_name(app->store_fault.err), app->store_fault.text, nd_why_hint(&app->store_fault), out);
	if (app->another_machine)
		warnings_one("another-machine", OTHER_MACHINE, OTHER_MACHINE_HINT, out);
	for (i = 0; intake_limit_warning(app->conf, &load, i, &filling); i++)
		warnings_one(filling.code, filling.detail, filling.hint, out);
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		if (!account->gone && account->token_why.err != ND_OK && account->health.state <= HEALTH_PACED)
			put_token_warning(account, out);
	put_credentials(app, out);
	endings_warn(app, out);
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		put_next_secret(account, out);
	grants_warn(app, out);
	json_out_array_end(out);
}
