/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - a test of one account: its life, its lines, its result. */
#include "daemon/probe.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/stamp.h"
#include "daemon/core/hint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE ND_SEC(60) /* for one step */
#define LINE_LIMIT 12288u   /* fits into what the server keeps for a slow client */
#define WORDS_LIMIT 4096u

static const char *const step_names[PROBE_STEPS] = {
	[PROBE_CONFIG] = "config",
	[PROBE_SECRET] = "secret",
	[PROBE_TOKEN] = "token",
	[PROBE_CLAIMS] = "claims",
	[PROBE_DNS] = "dns",
	[PROBE_TCP] = "tcp",
	[PROBE_GREETING] = "greeting",
	[PROBE_STARTTLS] = "starttls",
	[PROBE_CERTIFICATE] = "certificate",
	[PROBE_EHLO] = "ehlo",
	[PROBE_AUTH] = "auth",
	[PROBE_MAIL] = "mail",
	[PROBE_RCPT] = "rcpt",
	[PROBE_SEND] = "send",
};

/* -- life -- */

static void
free_probe(void *arg)
{
	struct probe *probe = arg;

	nd_secret_done(&probe->sent);
	nd_secret_done(&probe->token);
	nd_secret_done(&probe->password);
	secrets_drop(&probe->account);
	tls_free(probe->tls);
	tls_chain_done(&probe->chain);
	reload_release(probe->held);
	free(probe->to);
	free(probe->head);
	free(probe);
}

/* When it is over and nothing comes back any more: freed late, as its link is, and after the callback that is running. */
static void
let_go(struct probe *probe)
{
	struct probe **at = &probe->app->probes;

	if (!probe->over || probe->waiting > 0)
		return;
	while (*at != probe)
		at = &(*at)->next;
	*at = probe->next;
	loop_free_later(probe->app->loop, free_probe, probe);
}

static void
end(struct probe *probe, enum probe_result result)
{
	probe_over *tell = probe->line ? probe->tell_over : NULL;

	probe->over = true;
	probe->line = NULL;
	smtp_link_free(probe->link);
	probe->link = NULL;
	loop_timer_free(probe->timer);
	probe->timer = NULL;
	loop_forget(probe->app->loop, probe); /* a client may be gone before it has begun */
	if (tell)
		tell(probe->arg, result);
	let_go(probe);
}

void
probe_leave(struct probe *probe)
{
	probe->line = NULL;
	end(probe, PROBE_FAILED);
}

bool
probe_back(struct probe *probe)
{
	probe->waiting--;
	if (!probe->over)
		return true;
	let_go(probe);
	return false;
}

void
probe_end(struct app *app)
{
	struct probe *probe, *next;
	struct nd_why why;

	(void)nd_fail(&why, ND_ESTOPPING, 0, "notifyd is stopping");
	for (probe = app->probes; probe; probe = next) {
		next = probe->next;
		if (!probe->over)
			probe_fail(probe, &(struct probe_fault){ .why = &why });
	}
}

void
probe_free(struct app *app)
{
	struct probe *probe;

	while ((probe = app->probes) != NULL) {
		app->probes = probe->next;
		free_probe(probe);
	}
}

/* -- lines -- */

struct line {
	struct nd_buf buf;
	struct json_out out;
};

static void
begin_line(struct line *line, const char *step, bool ok)
{
	nd_buf_init(&line->buf, LINE_LIMIT);
	json_out_init(&line->out, &line->buf);
	json_out_object(&line->out, NULL);
	json_out_text(&line->out, "step", step);
	json_out_bool(&line->out, "ok", ok);
}

static void
end_line(struct line *line, probe_line *tell, void *arg)
{
	json_out_object_end(&line->out);
	(void)nd_buf_addc(&line->buf, '\n');
	if (tell)
		tell(arg, nd_buf_text(&line->buf), line->buf.len);
	nd_buf_done(&line->buf);
}

static void
put_result(bool ok, bool proved, const char *detail, probe_line *tell, void *arg)
{
	struct line line;

	begin_line(&line, "result", ok);
	json_out_bool(&line.out, "proved", proved);
	json_out_text(&line.out, "detail", detail);
	end_line(&line, tell, arg);
}

static void
begin_step(struct probe *probe, struct line *line, bool ok)
{
	begin_line(line, step_names[probe->step], ok);
	json_out_int(&line->out, "ms", loop_now(probe->app->loop).ms - probe->since);
	if (probe->step == PROBE_TOKEN && probe->skew_known)
		json_out_int(&line->out, "skew_seconds", probe->skew);
	if (probe->step == PROBE_CLAIMS && claims_broad(&probe->claims))
		json_out_bool(&line->out, "broad", true);
	if (probe->step == PROBE_RCPT)
		json_out_text(&line->out, "to", probe->rcpt);
	if ((probe->step == PROBE_CERTIFICATE && probe->inspected) ||
	    (probe->step == PROBE_TOKEN && probe->token_by[0] != '\0'))
		json_out_bool(&line->out, "inspected", true);
}

static void
late(void *arg)
{
	struct probe *probe = arg;
	struct nd_why why;

	(void)nd_fail(&why, ND_EDEADLINE, 0, "nothing happened for %d s", (int)(PATIENCE / ND_SEC(1)));
	probe_fail(probe, &(struct probe_fault){ .why = &why });
}

void
probe_pass(struct probe *probe, enum probe_step next, const char *format, ...)
{
	struct nd_buf detail;
	struct line line;
	char text[WORDS_LIMIT];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	nd_buf_init(&detail, sizeof(text));
	(void)nd_buf_add(&detail, text, nd_str_utf8_cut(text, strlen(text), sizeof(text) - 1));
	begin_step(probe, &line, true);
	json_out_text(&line.out, "detail", nd_buf_text(&detail));
	end_line(&line, probe->line, probe->arg);
	nd_buf_done(&detail);
	probe->step = next;
	probe->since = loop_now(probe->app->loop).ms;
	if (probe->timer)
		loop_timer_set(probe->timer, probe->since + PATIENCE);
}

/* What the token and the table of explanations know of the words. */
static void
put_explained(struct probe *probe, const struct probe_fault *fault, struct line *line, struct nd_buf *cause,
    struct nd_buf *remedy)
{
	const struct claims *claims = probe->conf->auth == CONF_OAUTH2 ? &probe->claims : NULL;
	const struct explain_row *found[EXPLAIN_FOUND], *row;
	struct explain_facts facts;
	struct hint_room room;
	nd_ms wait = fault->wait;

	hint_facts(probe->conf, HINT_OPERATOR, fault->why->text, &room, &facts);
	row = hint_token_row(probe->conf, claims, fault->why->text, &facts);
	if (!row && explain_find(explain_used(), fault->why->text, &facts, found) > 0)
		row = found[0];
	if (row) {
		explain_fill(explain_cause(row, probe->lang), &facts, cause);
		explain_cure(row, &facts, probe->lang, remedy);
		wait = wait > 0 ? wait : row->wait;
	} else {
		(void)nd_buf_adds(remedy, nd_why_hint(fault->why));
	}
	json_out_text(&line->out, "cause", cause->len > 0 ? nd_buf_text(cause) : NULL);
	json_out_text(&line->out, "remedy", remedy->len > 0 ? nd_buf_text(remedy) : NULL);
	if (wait > 0)
		json_out_int(&line->out, "wait_seconds", (wait + 999) / 1000);
}

static void
put_code(const struct probe_fault *fault, struct line *line)
{
	char code[16];

	(void)snprintf(code, sizeof(code), "%d", fault->reply ? fault->reply->code : 0);
	json_out_text(&line->out, "code",
	    fault->reply                              ? code
	    : fault->error && fault->error[0] != '\0' ? fault->error
						      : nd_err_name(fault->why->err));
	json_out_text(
	    &line->out, "enhanced", fault->reply && fault->reply->enhanced[0] ? fault->reply->enhanced : NULL);
}

void
probe_fail(struct probe *probe, const struct probe_fault *fault)
{
	const char *words = fault->why->text;
	struct nd_buf cause, remedy;
	struct line line;
	char text[1024];

	if (probe->tell_fault && probe->line)
		probe->tell_fault(
		    probe->arg, probe->step == PROBE_AUTH && fault->reply && fault->reply->code / 100 == 5, fault->why);
	nd_buf_init(&cause, WORDS_LIMIT);
	nd_buf_init(&remedy, WORDS_LIMIT);
	begin_step(probe, &line, false);
	json_out_text(&line.out, "detail", fault->why->text);
	put_code(fault, &line);
	put_explained(probe, fault, &line, &cause, &remedy);
	end_line(&line, probe->line, probe->arg);
	if (cause.len > 0 && probe->lang != EXPLAIN_EN)
		words = nd_buf_text(&cause);
	(void)snprintf(text, sizeof(text),
	    explain_say(
		probe->lang, "account %.60s failed at %s: %.*s", "アカウント %.60s は %s の段階で失敗しました: %.*s"),
	    probe->conf->name, step_names[probe->step], (int)nd_str_utf8_cut(words, strlen(words), 800), words);
	text[nd_str_utf8_cut(text, strlen(text), sizeof(text) - 1)] = '\0';
	put_result(false, false, text, probe->line, probe->arg);
	nd_buf_done(&cause);
	nd_buf_done(&remedy);
	end(probe, PROBE_FAILED);
}

void
probe_succeed(struct probe *probe, bool proved, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text[nd_str_utf8_cut(text, strlen(text), sizeof(text) - 1)] = '\0';
	put_result(true, proved, text, probe->line, probe->arg);
	end(probe, proved ? PROBE_PROVED : PROBE_NOT_PROVED);
}

/* -- the configuration -- */

void
probe_misconfigured(
    const struct conf_faults *faults, const char *name, enum explain_lang lang, probe_line *tell, void *arg)
{
	struct nd_buf all;
	struct line line;
	char text[1024];

	nd_buf_init(&all, WORDS_LIMIT);
	for (unsigned i = 0; i < faults->count; i++) {
		(void)conf_fault_line(&faults->fault[i], text, sizeof(text));
		if (all.len + strlen(text) + 2 < WORDS_LIMIT)
			(void)nd_buf_addf(&all, "%s%s", i > 0 ? "; " : "", text);
	}
	begin_line(&line, step_names[PROBE_CONFIG], false);
	json_out_int(&line.out, "ms", 0);
	json_out_text(&line.out, "detail", nd_buf_text(&all));
	json_out_text(&line.out, "code", nd_err_name(ND_ECONF));
	json_out_text(&line.out, "remedy",
	    explain_say(lang, "mend the configuration; notifyd --check says the same",
		"設定を修正してください。notifyd --check でも同じ内容を確認できます"));
	end_line(&line, tell, arg);
	if (name)
		(void)snprintf(text, sizeof(text),
		    explain_say(
			lang, "account %.60s failed at config", "アカウント %.60s は config の段階で失敗しました"),
		    name);
	put_result(false, false,
	    name ? text : explain_say(lang, "the test failed at config", "テストは config の段階で失敗しました"), tell,
	    arg);
	nd_buf_done(&all);
}

static bool
is_named(const struct conf *conf, const char *name, const struct conf_account **out)
{
	*out = name ? conf_account_named(conf, name) : conf->account_count == 1 ? &conf->account[0] : NULL;
	return *out != NULL;
}

const struct conf_account *
probe_account(const struct conf *conf, const char *name, struct nd_why *why)
{
	const struct conf_account *account;

	if (is_named(conf, name, &account))
		return account;
	if (name)
		(void)nd_fail(why, ND_ENOACCOUNT, 0, "there is no account \"%.60s\"", name);
	else
		(void)nd_fail(
		    why, ND_ENOACCOUNT, 0, "the configuration has %u accounts: name one", conf->account_count);
	(void)nd_fail_at(why, "account", 0, NULL);
	return NULL;
}

static const char *
auth_words(const struct conf_account *conf, enum explain_lang lang)
{
	static const char *const grants[CONF_GRANT_COUNT] = {
		[CONF_CLIENT_CREDENTIALS] = "oauth2 (client_credentials)",
		[CONF_AUTHORIZATION_CODE] = "oauth2 (authorization_code)",
		[CONF_DEVICE_CODE] = "oauth2 (device_code)",
		[CONF_REFRESH_TOKEN] = "oauth2 (refresh_token)",
		[CONF_JWT_BEARER] = "oauth2 (jwt_bearer)",
		[CONF_MANAGED_IDENTITY] = "oauth2 (managed_identity)",
	};

	return conf->auth == CONF_OAUTH2     ? grants[conf->grant]
	       : conf->auth == CONF_PASSWORD ? explain_say(lang, "a password", "パスワード認証")
					     : explain_say(lang, "no sign-in", "認証なし");
}

static void
begin(void *arg)
{
	static const char *const securities[] = {
		[CONF_STARTTLS] = "starttls", [CONF_TLS] = "tls", [CONF_PLAIN] = NULL
	};
	struct probe *probe = arg;
	const struct conf_account *conf = probe->conf;
	const enum explain_lang lang = probe->lang;
	const char *security;

	if (probe->over)
		return;
	security = securities[conf->security];
	probe_pass(probe, PROBE_SECRET,
	    explain_say(lang, "%s, %s port %d (%s), %s as %s", "%s、%s ポート %d (%s)、%s、ユーザー %s"),
	    conf_provider_name(conf->provider), conf->host, (int)conf->port,
	    security ? security : explain_say(lang, "no TLS", "TLS なし"), auth_words(conf, lang), conf->user);
	probe_secret(probe);
}

/* Secrets that were handed over are what the account lives on. */
static void
take_given(struct probe *probe)
{
	const struct engine_account *engine;
	const struct app_account *own;

	for (unsigned i = 0; (engine = engine_account_nth(probe->app->engine, i)) != NULL; i++) {
		own = engine->user;
		if (!own || engine->conf != probe->conf)
			continue;
		for (unsigned field = 0; field < SECRETS_FIELDS; field++)
			secrets_copy(&own->given[field], &probe->account.given[field]);
		probe->account.secrets.try_next = own->secrets.try_next;
	}
}

struct probe *
probe_start(struct app *app, const struct probe_wish *wish)
{
	struct probe *probe = nd_xalloc(sizeof(*probe));

	probe->app = app;
	probe->held = reload_hold(wish->held);
	probe->conf = wish->conf;
	probe->send = wish->send;
	probe->lang = wish->lang;
	probe->to = nd_xstrdup(wish->to);
	probe->line = wish->line;
	probe->tell_over = wish->over;
	probe->tell_fault = wish->fault;
	probe->login_only = wish->password != NULL;
	if (wish->password)
		nd_secret_set(&probe->password, wish->password->octets, wish->password->len);
	probe->arg = wish->arg;
	probe->engine.conf = probe->conf;
	probe->engine.user = &probe->account;
	probe->account = (struct app_account){ .app = app, .engine = &probe->engine, .conf = probe->held };
	if (app->engine && wish->held == app->conf)
		take_given(probe);
	probe->timer = loop_timer_new(app->loop, late, probe);
	probe->since = loop_now(app->loop).ms;
	probe->next = app->probes;
	app->probes = probe;
	loop_soon(app->loop, begin, probe);
	return probe;
}
