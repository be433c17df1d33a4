/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - new settings take the place of the old ones while the daemon runs: all of them, or none.
 *
 * Sessions under way borrow from the settings they were opened with: each configuration lives until its last holder is gone.
 */
#include "daemon/app.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "daemon/io/sd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_LIMIT (1024u * 1024)

struct held {
	struct conf conf; /* first: what the others see */
	unsigned holders;
};

struct conf *
reload_new(void)
{
	struct held *held = nd_xalloc(sizeof(*held));

	held->holders = 1;
	return &held->conf;
}

struct conf *
reload_hold(struct conf *conf)
{
	((struct held *)conf)->holders++;
	return conf;
}

void
reload_release(struct conf *conf)
{
	struct held *held = (struct held *)conf;

	if (--held->holders > 0)
		return;
	conf_done(&held->conf);
	free(held);
}

static void
apply_proxy(struct app *app)
{
	const struct conf_list *list = &app->conf->no_proxy;
	struct nd_buf hosts;

	nd_buf_init(&hosts, 65536);
	for (unsigned i = 0; i < list->count; i++) {
		nd_buf_adds(&hosts, i > 0 ? "," : "");
		nd_buf_adds(&hosts, list->items[i]);
	}
	http_client_proxy(app->http_client, app->conf->proxy, nd_buf_text(&hosts));
	nd_buf_done(&hosts);
}

size_t
reload_memory(const struct app *app)
{
	return (size_t)(app->conf->memory - app->conf->memory / SCHED_MEMORY_PART);
}

void
reload_apply(struct app *app)
{
	int level = app->options.log_level >= 0 ? app->options.log_level : app->conf->log_level;

	nd_log_level((enum nd_level)level);
	if (app->http_client)
		apply_proxy(app);
	if (app->http_server)
		http_server_memory(app->http_server, reload_memory(app));
	explanations_load(app);
}

static void
take_over(struct app *app, struct conf *conf)
{
	struct conf *before = app->conf;

	app->conf = conf;
	engine_reconfigure(app->engine, conf, loop_now(app->loop));
	accounts_change(app);
	reload_release(before);
	reload_apply(app);
	app->degraded[0] = '\0';
	recover_orphans(app);
	recover_keep_ages(app);
	loop_timer_set(app->sweep_timer, loop_now(app->loop).ms);
	credentials_soon(app);
	loop_soon(app->loop, app_pump, app);
}

enum nd_err
reload_all(struct app *app, struct conf_faults *faults)
{
	struct conf_host names = { app->conf->host, app->conf->fqdn }; /* the resolver might keep us waiting */
	struct conf *conf = reload_new();
	char line[1024];
	struct nd_buf texts;
	enum nd_err err;
	unsigned i;

	sd_reloading();
	err = settings_read(&app->options, &names, conf, &texts, faults);
	if (err == ND_OK) {
		take_over(app, conf);
		settings_keep(app, &texts);
		nd_log(ND_LOG_NOTICE, NULL, "the new configuration is in use: %u account%s", conf->account_count,
		    conf->account_count == 1 ? "" : "s");
		feed_config(app);
	} else {
		for (i = 0; i < faults->count; i++)
			nd_log(ND_LOG_ERR, ND_FIELDS({ "ERR", nd_err_name(ND_ECONF) }), "%s",
			    conf_fault_line(&faults->fault[i], line, sizeof(line)));
		nd_log(ND_LOG_ERR, NULL, "degraded: nothing has changed, the settings of before stay in use");
		(void)conf_fault_line(&faults->fault[0], app->degraded, sizeof(app->degraded));
		reload_release(conf);
	}
	nd_buf_done(&texts);
	sd_ready(app->degraded[0] ? "degraded: the configuration files are bad" : "ready");
	return err;
}

static void
reload_now(void *arg)
{
	struct app *app = arg;
	struct conf_faults faults = { 0 };

	if (app->stopping || !app->http_server) /* at the start the files have just been read */
		return;
	(void)reload_all(app, &faults);
	conf_faults_done(&faults);
}

void
reload_signal(void *arg)
{
	struct app *app = arg;

	loop_soon(app->loop, reload_now, app);
}

static void
reply_faults(struct http_request *request, const struct conf_faults *faults)
{
	struct api_fault *list = nd_xalloc(faults->count * sizeof(*list));
	struct nd_buf buf;
	unsigned i;

	for (i = 0; i < faults->count; i++)
		list[i] = (struct api_fault){ faults->fault[i].file, &faults->fault[i].why };
	nd_buf_init(&buf, REPLY_LIMIT);
	api_problem_faults(list, faults->count, &buf);
	(void)nd_buf_addc(&buf, '\n');
	http_server_reply(request, nd_err_http(ND_ECONF), "application/problem+json", nd_buf_text(&buf), buf.len, NULL);
	nd_buf_done(&buf);
	free(list);
}

static void
reply_done(struct app *app, struct http_request *request)
{
	struct engine_account *account;
	struct json_out out;
	struct nd_buf buf;
	unsigned i;

	nd_buf_init(&buf, REPLY_LIMIT);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_array(&out, "accounts");
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		if (!account->gone)
			json_out_text(&out, NULL, account->conf->name);
	json_out_array_end(&out);
	json_out_array(&out, "changed");
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		if (!account->gone && account->change != CONF_SAME)
			json_out_text(&out, NULL, account->conf->name);
	json_out_array_end(&out);
	json_out_object_end(&out);
	handlers_reply(request, 200, &buf);
}

void
reload_handle(void *owner, struct http_request *request)
{
	static const char *const known[] = { NULL };
	struct app *app = owner;
	struct conf_faults faults = { 0 };
	struct nd_why why;

	if (app->stopping)
		(void)nd_fail(&why, ND_ESTOPPING, 0, "notifyd is stopping");
	if (app->stopping || http_request_only(request, known, &why) != ND_OK) {
		http_server_problem(request, &why);
		return;
	}
	if (reload_all(app, &faults) == ND_OK)
		reply_done(app, request);
	else
		reply_faults(request, &faults);
	conf_faults_done(&faults);
}
