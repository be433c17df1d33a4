/* SPDX-License-Identifier: Apache-2.0 */
/* logouts.c - people sign out: the grant is not used from that moment on, then the provider is told. */
#include "daemon/app.h"

#include "common/json.h"
#include "common/mem.h"
#include "daemon/core/signin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_LIMIT 65536u

struct app_leaving { /* a sign-out, until the provider knows it too */
	struct app *app;
	struct app_account *account;
	struct http_request *request; /* NULL: the client has left */
	struct nd_secret token;
	char identity[80];     /* of the account, when it began */
	struct nd_secret sent; /* the client's secret that went with the request */
	bool next_secret;      /* which of the two it is */
	bool again;            /* the other one was refused already */
	struct app_leaving *next;
};

static void
leaver_left(void *context)
{
	struct app_leaving *leaving = context;

	leaving->request = NULL;
}

static void
free_leaving(struct app_leaving *leaving)
{
	nd_secret_done(&leaving->token);
	nd_secret_done(&leaving->sent);
	free(leaving);
}

void
logouts_free(struct app *app)
{
	struct app_leaving *leaving;

	while ((leaving = app->leavings) != NULL) {
		app->leavings = leaving->next;
		free_leaving(leaving);
	}
}

static void
end_leaving(struct app_leaving *leaving, bool revoked, const char *detail)
{
	struct app_leaving **at = &leaving->app->leavings;
	struct json_out out;
	struct nd_buf buf;

	if (leaving->request != NULL) {
		http_request_own(leaving->request, NULL, NULL);
		nd_buf_init(&buf, REPLY_LIMIT);
		json_out_init(&out, &buf);
		json_out_object(&out, NULL);
		json_out_bool(&out, "revoked", revoked);
		json_out_text(&out, "detail", detail);
		json_out_object_end(&out);
		handlers_reply(leaving->request, 200, &buf);
	}
	while (*at != leaving)
		at = &(*at)->next;
	*at = leaving->next;
	leaving->account->engine->users--;
	loop_soon(leaving->app->loop, app_pump, leaving->app);
	free_leaving(leaving);
}

#define NOT_REVOKED "notifyd does not use the grant any more, but it was not revoked: "

static void proved_leaving(void *arg, const struct app_proof *proof, const struct nd_why *why);

static void
revoked(void *arg, const struct http_client_reply *http)
{
	struct app_leaving *leaving = arg;
	struct oauth_reply reply;
	char detail[500];

	if (http->status == 200) {
		end_leaving(leaving, true, "the provider has revoked the grant");
		return;
	}
	oauth_read(http->status, http->body, http->len, -1, http->status == 0 ? &http->why : NULL, &reply);
	oauth_reply_blame(&reply, leaving->account->engine->conf, &leaving->sent);
	oauth_reply_redact(&reply, &leaving->token);
	(void)snprintf(detail, sizeof(detail), NOT_REVOKED "%s", reply.why.text);
	if (!leaving->again && proof_refused(leaving->account, leaving->next_secret, &reply)) {
		leaving->again = true;
		(void)proof_read(leaving->app, leaving->account, proved_leaving, leaving);
	} else {
		end_leaving(leaving, false, detail);
	}
	oauth_reply_done(&reply);
}

static void
proved_leaving(void *arg, const struct app_proof *proof, const struct nd_why *why)
{
	struct app_leaving *leaving = arg;
	struct oauth_ask ask = { .refresh_token = &leaving->token };
	struct oauth_request wanted;

	(void)why;
	if (strcmp(leaving->identity, leaving->account->identity) != 0) { /* the token is not for their endpoint */
		end_leaving(leaving, false, NOT_REVOKED "the settings of the account have changed meanwhile");
		return;
	}
	if (proof != NULL) { /* else without: the endpoint says what it thinks of it */
		leaving->next_secret = proof->next;
		nd_secret_set(&leaving->sent, proof->client_secret.octets, proof->client_secret.len);
		proof_fill(proof, &ask);
	}
	oauth_revoke_write(leaving->account->engine->conf, &ask, &wanted);
	tokens_post(leaving->account, &wanted, revoked, leaving);
}

/* Whether there is anything to sign out of. */
static enum nd_err
check(const struct app_account *account, struct nd_why *why)
{
	const struct conf_account *conf = account->engine->conf;

	if (signin_possible(conf, SIGNIN_CODE, why) == ND_ESTATE)
		return why->err;
	if (account->app->another_machine) {
		(void)nd_fail(why, ND_ESTATE, 0, OTHER_MACHINE);
		return nd_fail_at(why, "", 0, OTHER_MACHINE_HINT);
	}
	if (account->locked.err != ND_OK) {
		*why = account->locked;
		return why->err;
	}
	if (account->grant.refresh_token.len == 0)
		return nd_fail(why, ND_ESTATE, 0, "nobody is signed in to account %s", conf->name);
	return ND_OK;
}

void
logouts_handle(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct engine_account *engine = accounts_asked_for(app, request);
	struct app_account *account;
	struct app_leaving *leaving;
	struct nd_why why;

	if (engine == NULL)
		return;
	account = engine->user;
	if (check(account, &why) != ND_OK) {
		http_server_problem(request, &why);
		return;
	}
	leaving = nd_xalloc(sizeof(*leaving));
	*leaving = (struct app_leaving){ .app = app, .account = account, .request = request, .next = app->leavings };
	app->leavings = leaving;
	memcpy(leaving->identity, account->identity, sizeof(leaving->identity));
	nd_secret_set(&leaving->token, account->grant.refresh_token.octets, account->grant.refresh_token.len);
	engine->users++;
	http_request_own(request, leaving, leaver_left);
	logins_drop(app, account, "the account was signed out of");
	grants_sign_out(account);
	if (engine->conf->revoke_url[0] != '\0')
		(void)proof_read(app, account, proved_leaving, leaving);
	else
		end_leaving(leaving, false,
		    "the provider has no way to revoke it: notifyd does not use the grant any more; end it in the "
		    "provider's "
		    "account pages if it must not live on");
}
