/* SPDX-License-Identifier: Apache-2.0 */
/* trust.c - how an account's server is reached and trusted, and what it presents: GET /v1/accounts/{id}/chain. */
#include "daemon/app.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/str.h"
#include "daemon/core/hint.h"
#include "daemon/io/smtp_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PATIENCE ND_SEC(30)
#define LOOKS_MAX 8u /* at a time */
#define REPLY_LIMIT ((size_t)1 << 20)

static const enum smtp_security securities[] = {
	[CONF_STARTTLS] = SMTP_STARTTLS,
	[CONF_TLS] = SMTP_TLS,
	[CONF_PLAIN] = SMTP_PLAINTEXT,
};
static const int families[] = {
	[CONF_ANY_FAMILY] = AF_UNSPEC,
	[CONF_IPV4] = AF_INET,
	[CONF_IPV6] = AF_INET6,
};

struct tls *
trust_tls(const struct conf_account *account, struct nd_why *why)
{
	struct tls *tls = tls_new(account->ca_file, account->ca_dir, why);

	if (tls == NULL || account->pin_sha256.count == 0 ||
	    tls_pin(tls, account->pin_sha256.items, account->pin_sha256.count, why) == ND_OK)
		return tls;
	tls_free(tls);
	return NULL;
}

void
trust_tokens(const struct conf_account *account, struct http_client_request *out)
{
	const bool own = account->token_ca_file[0] != '\0';
	const char *file = own ? account->token_ca_file : account->ca_file, *dir = own ? "" : account->ca_dir;

	out->ca_file = file[0] ? nd_xstrdup(file) : NULL;
	out->ca_dir = dir[0] ? nd_xstrdup(dir) : NULL;
}

void
trust_way(const struct conf *conf, const struct conf_account *account, struct smtp_link_conf *out)
{
	*out = (struct smtp_link_conf){
		.host = account->host,
		.port = (uint16_t)account->port,
		.tls_name = account->tls_name[0] ? account->tls_name : account->host,
		.bind = account->bind,
		.family = families[account->family],
		.settings = { .ehlo = account->ehlo[0] ? account->ehlo : conf->hostname,
		    .host = account->host,
		    .security = securities[account->security],
		    .auth = SMTP_AUTH_NONE,
		    .mechanism = conf_mechanism_name(account->auth_mechanism),
		    .bearer = conf_provider_bearer(account->provider),
		    .no_initial = account->auth_initial_response == 0,
		    .user = account->user },
	};
	(void)proxy_talk_server(account->smtp_proxy, &out->proxy); /* conf has checked it */
}

/* -- looking at a chain: a session that says nothing but EHLO and STARTTLS, and has no credentials to say -- */

struct app_look {
	struct app_look *next;
	struct app *app;
	struct http_request *request;
	struct conf *held; /* what these borrow from: */
	const struct conf_account *account;
	struct smtp_link_conf conf;
	struct tls *tls;
	struct tls_chain chain;
	bool pins; /* rule in the account */
	struct smtp_link *link;
	struct loop_timer *timer;
	char tls_words[96];
};

static void
free_late(void *arg)
{
	struct app_look *look = arg;

	tls_free(look->tls);
	tls_chain_done(&look->chain);
	reload_release(look->held);
	free(look);
}

static void
end_look(struct app_look *look)
{
	struct app_look **at = &look->app->looks;

	while (*at != look)
		at = &(*at)->next;
	*at = look->next;
	smtp_link_free(look->link);
	loop_timer_free(look->timer);
	loop_free_later(look->app->loop, free_late, look); /* as the link is, which borrows from it */
}

static void
client_left(void *context)
{
	end_look(context);
}

static void
put_digest(struct json_out *out, const char *key, const uint8_t digest[32])
{
	struct nd_buf text;

	nd_buf_init(&text, 64);
	(void)nd_str_base64(&text, digest, 32);
	json_out_text(out, key, nd_buf_text(&text));
	nd_buf_done(&text);
}

static void
put_hex(struct json_out *out, const char *key, const uint8_t digest[32])
{
	char text[65];

	nd_str_hex(text, digest, 32);
	json_out_text(out, key, text);
}

static void
put_cert(struct json_out *out, const struct tls_cert *cert)
{
	json_out_object(out, NULL);
	json_out_text(out, "subject", cert->subject);
	json_out_text(out, "issuer", cert->issuer);
	json_out_array(out, "names");
	for (unsigned i = 0; i < cert->name_count; i++)
		json_out_text(out, NULL, cert->names[i]);
	json_out_array_end(out);
	json_out_time(out, "not_before", cert->not_before);
	json_out_time(out, "not_after", cert->not_after);
	put_hex(out, "sha256", cert->sha256);
	put_digest(out, "spki_sha256", cert->spki_sha256);
	json_out_object_end(out);
}

static bool
is_trusted(const struct app_look *look)
{
	return look->pins ? look->chain.pinned : look->chain.verified;
}

/* What an operator should know of it, in a sentence; and what to do. */
static void
put_detail(struct json_out *out, const struct app_look *look, const struct nd_why *why)
{
	const struct tls_chain *chain = &look->chain;
	struct nd_buf hint;
	char text[320];

	if (is_trusted(look) && !chain->verified)
		(void)snprintf(
		    text, sizeof(text), "its key is pinned; without the pin it would not be trusted: %s", chain->words);
	else if (is_trusted(look))
		(void)snprintf(text, sizeof(text), "the certificate is trusted for %.100s%s", look->conf.tls_name,
		    chain->pinned ? ", and its key is pinned" : "");
	else
		(void)snprintf(text, sizeof(text), "%s", why != NULL ? why->text : chain->words);
	json_out_text(out, "detail", text);
	if (is_trusted(look))
		return;
	nd_buf_init(&hint, HINT_LIMIT);
	if (hint_of(look->account, HINT_OPERATOR, text, why, &hint)[0] != '\0')
		json_out_text(out, "hint", nd_buf_text(&hint));
	nd_buf_done(&hint);
}

static void
answer(struct app_look *look, const struct nd_why *why)
{
	const struct tls_chain *chain = &look->chain;
	struct json_out out;
	struct nd_buf buf;

	nd_buf_init(&buf, REPLY_LIMIT);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_text(&out, "relay", smtp_link_relay(look->link));
	json_out_text(&out, "tls", look->tls_words);
	json_out_array(&out, "chain");
	for (unsigned i = 0; i < chain->count; i++)
		put_cert(&out, &chain->cert[i]);
	json_out_array_end(&out);
	json_out_bool(&out, "verified", chain->verified);
	json_out_bool(&out, "pinned", chain->pinned);
	json_out_bool(&out, "trusted", is_trusted(look));
	put_detail(&out, look, why);
	json_out_object_end(&out);
	handlers_reply(look->request, 200, &buf);
}

/* No certificate was seen. */
static void
refuse(struct app_look *look, const struct nd_why *why)
{
	struct nd_why told = *why;
	struct nd_buf hint;

	nd_buf_init(&hint, HINT_LIMIT);
	(void)nd_fail_at(&told, told.field, 0, hint_of(look->account, HINT_OPERATOR, why->text, why, &hint));
	http_server_problem(look->request, &told);
	nd_buf_done(&hint);
}

/* `why` NULL: the session stood. */
static void
finish(struct app_look *look, const struct nd_why *why)
{
	struct nd_why none;

	http_request_own(look->request, NULL, NULL);
	if (look->chain.count > 0) {
		answer(look, why);
	} else if (why != NULL) {
		refuse(look, why);
	} else {
		(void)nd_fail(&none, ND_EPROTOCOL, 0, "%.100s presented no certificate", look->conf.host);
		refuse(look, &none);
	}
	end_look(look);
}

static void
on_ready(void *owner, struct smtp_link *link)
{
	struct app_look *look = owner;

	(void)snprintf(look->tls_words, sizeof(look->tls_words), "%s", smtp_link_tls(link));
	smtp_link_quit(link);
}

static bool
on_ending(void *owner, struct smtp_link *link)
{
	(void)owner;
	(void)link;
	return false; /* it never sends */
}

static void
on_outcome(void *owner, struct smtp_link *link, const struct smtp_outcome *outcome)
{
	(void)owner;
	(void)link;
	(void)outcome;
}

static void
on_gone(void *owner, struct smtp_link *link, const struct smtp_fault *fault)
{
	struct app_look *look = owner;

	(void)snprintf(look->tls_words, sizeof(look->tls_words), "%s", smtp_link_tls(link));
	finish(look, fault != NULL ? &fault->why : NULL);
}

static const struct smtp_link_events events = {
	.ready = on_ready,
	.ending = on_ending,
	.outcome = on_outcome,
	.gone = on_gone,
};

static void
late(void *arg)
{
	struct app_look *look = arg;
	struct nd_why why;

	(void)nd_fail(&why, ND_EDEADLINE, 0, "%.100s did not show its certificate within %d s", look->conf.host,
	    (int)(PATIENCE / ND_SEC(1)));
	finish(look, &why);
}

void
trust_end(struct app *app)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ESTOPPING, 0, "notifyd is stopping");
	while (app->looks)
		finish(app->looks, &why);
}

static enum nd_err
may_look(const struct app *app, const struct conf_account *account, struct nd_why *why)
{
	unsigned count = 0;

	for (const struct app_look *look = app->looks; look != NULL; look = look->next)
		count++;
	if (account->security == CONF_PLAIN) {
		(void)nd_fail(
		    why, ND_ECONF, 0, "account %.40s uses no TLS: there is no certificate to look at", account->name);
		return nd_fail_at(why, "security", 0, "set security = starttls or tls first");
	}
	if (app->stopping)
		return nd_fail(why, ND_ESTOPPING, 0, "notifyd is stopping");
	if (count >= LOOKS_MAX)
		return nd_fail(why, ND_EBUSY, 0, "%u certificates are being looked at already", count);
	return ND_OK;
}

void
trust_chain(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct engine_account *engine = accounts_asked_for(app, request);
	struct nd_why why;
	struct app_look *look;
	struct tls *tls;

	if (!engine)
		return;
	if (may_look(app, engine->conf, &why) != ND_OK || (tls = trust_tls(engine->conf, &why)) == NULL) {
		http_server_problem(request, &why);
		return;
	}
	look = nd_xalloc(sizeof(*look));
	look->app = app;
	look->request = request;
	look->held = reload_hold(app->conf);
	look->account = engine->conf;
	look->pins = engine->conf->pin_sha256.count > 0;
	look->tls = tls;
	tls_inspect(tls, &look->chain);
	trust_way(app->conf, engine->conf, &look->conf);
	look->conf.tls = tls;
	look->next = app->looks;
	app->looks = look;
	http_request_own(request, look, client_left);
	look->timer = loop_timer_new(app->loop, late, look);
	loop_timer_set(look->timer, loop_now(app->loop).ms + PATIENCE);
	look->link = smtp_link_new(app->loop, app->resolver, &look->conf, &events, look);
}
