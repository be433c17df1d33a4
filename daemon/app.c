/* SPDX-License-Identifier: Apache-2.0 */
/* app.c - builds the daemon, runs it, stops it in order. */
#include "daemon/app.h"

#include "common/explain.h"
#include "common/log.h"
#include "common/mem.h"
#include "daemon/io/child.h"
#include "daemon/io/journal.h"
#include "daemon/io/sd.h"
#include "daemon/io/trim.h"
#include "daemon/io/watch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define STOP_TIME ND_SEC(30) /* for mails that are under way at SIGTERM */
#define STOP_LOOK 50
#define DEAD_STORE_TIME ND_SEC(10) /* for clients to be told, before the daemon leaves to be restarted */
#define DISK_LOOK ND_SEC(10)       /* a full disk: is there room again? */
#define STATUS_PAUSE ND_SEC(1)     /* each status wakes systemd */

static void
tell_state(struct app *app, const struct engine_account *account)
{
	const struct health *health = &account->health;
	const bool calm = health->state <= HEALTH_PACED || health_quiet(health, loop_now(app->loop).ms);
	char words[HEALTH_WORDS];

	(void)health_words(health, loop_now(app->loop), words);
	nd_log(calm ? ND_LOG_NOTICE : ND_LOG_WARNING,
	    ND_FIELDS({ "ACCOUNT", account->conf->name }, { "STATE", health_state_name(health->state) }),
	    "account %s is %s%s%s%s%s", account->conf->name, health_state_name(health->state), words[0] ? ": " : "",
	    words, health->hint[0] ? "; " : "", health->hint);
}

/* The engine's wishes, one after another. */
static void
obey(struct app *app, struct engine_action *action)
{
	struct engine_account *account = action->account;

	switch (action->act) {
	case ENGINE_OPEN:
		deliver_open(app, account, action->session);
		break;
	case ENGINE_SEND:
		deliver_send(app, action->session, action->job);
		break;
	case ENGINE_CLOSE:
		deliver_close(action->session);
		break;
	case ENGINE_TOKEN:
		tokens_ask(app, account);
		break;
	case ENGINE_LOAD:
		deliver_load(app, account, action->most);
		break;
	case ENGINE_STORE:
		outcomes_store(app, action);
		break;
	case ENGINE_RECALL:
		limits_recall(app, action->limit);
		break;
	case ENGINE_KEEP:
		limits_keep(app, action->limit, action->record);
		break;
	case ENGINE_FORGET:
		accounts_forget(app, account);
		recover_orphans(app);
		break;
	case ENGINE_MOVE:
		outcomes_move(app, action);
		break;
	case ENGINE_AGAIN:
		acts_again(app, action->id, REFUSALS_WORD);
		break;
	case ENGINE_STATE:
		recover_keep_ages(app);
		endings_soon(app);
		feed_account(app, account);
		tell_state(app, account);
		break;
	}
}

static void
say_status(void *arg)
{
	struct app *app = arg;
	struct engine_account *account;
	unsigned i, all = 0, well = 0;
	char line[160];

	if (app->stopping)
		return;
	for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++) {
		all += !account->gone;
		well += !account->gone && account->health.state <= HEALTH_PACED;
	}
	(void)snprintf(line, sizeof(line), "%s%llu jobs in the queue; %u of %u accounts ok",
	    app->degraded[0] ? "degraded; " : "", (unsigned long long)app->unfinished, well, all);
	sd_status(line);
	app->status_at = loop_now(app->loop).ms + STATUS_PAUSE;
}

static void check_stopped(struct app *app);

void
app_pump(void *arg)
{
	struct app *app = arg;
	struct engine_action action;

	if (!app->engine)
		return; /* notifyd --probe */
	if (!app->open && !app->stopping)
		return; /* whoever has news already: what an earlier run left has not been looked at */
	recover_leap(app);
	while (engine_next(app->engine, loop_now(app->loop), &action))
		obey(app, &action);
	if (app->stopping) {
		/* Replies that are still on their way out tell nobody when they are gone: look again. */
		loop_timer_set(app->engine_timer, loop_now(app->loop).ms + STOP_LOOK);
		check_stopped(app);
		return;
	}
	loop_timer_set(app->engine_timer, engine_deadline(app->engine, loop_now(app->loop)));
	if (app->status_at <= loop_now(app->loop).ms)
		say_status(app);
	else
		loop_timer_set(app->status_timer, app->status_at);
}

static void
touched(struct store_req *req)
{
	struct app *app = req->owner;

	app_wrote(app, req);
	free(req);
	loop_soon(app->loop, app_pump, app);
}

/* A small write tells whether there is room again, also when nobody submits. */
static void
touch_disk(void *arg)
{
	struct app *app = arg;
	struct store_req *req = nd_xalloc(sizeof(*req));

	req->op = STORE_TOUCH;
	req->done = touched;
	req->owner = app;
	req->until = loop_now(app->loop).unix_ms;
	store_submit(app->store, req);
}

/* What is sent while outcomes cannot be written would be sent again after a restart: so nothing is. A dead store needs a new process: the
 * daemon leaves, systemd starts it again, and SQLite recovers. */
static void
mind_disk(struct app *app)
{
	nd_ms now = loop_now(app->loop).ms;

	engine_bar(app->engine, ENGINE_BAR_DISK, app->store_fault.err != ND_OK);
	loop_timer_set(app->disk_timer, app->store_fault.err == ND_EDISKFULL ? now + DISK_LOOK : ND_NEVER);
	if (app->store_fault.err == ND_EDISK && app->exit_code == EX_OK) {
		app->exit_code = EX_IOERR;
		loop_timer_set(app->stop_timer, now + DEAD_STORE_TIME);
	}
}

void
app_wrote(struct app *app, const struct store_req *req)
{
	bool disk = req->err == ND_EDISK || req->err == ND_EDISKFULL;

	if (disk && app->store_fault.err != req->err)
		nd_log(ND_LOG_ERR, ND_FIELDS({ "ERR", nd_err_name(req->err) }), "no job is accepted: %s; %s",
		    req->why.text, nd_why_hint(&req->why));
	if (req->err == ND_OK && app->store_fault.err != ND_OK)
		nd_log(ND_LOG_NOTICE, NULL, "the queue can be written again: jobs are accepted");
	if (disk)
		app->store_fault = req->why;
	else if (req->err == ND_OK)
		app->store_fault.err = ND_OK;
	mind_disk(app);
}

/* Outcomes that found the disk full. */
static void
retry_outcomes(void *arg)
{
	struct app *app = arg;
	struct store_req *req, *next;

	req = app->retry;
	app->retry = NULL;
	for (; req; req = next) {
		next = req->next;
		req->next = NULL;
		store_submit(app->store, req);
	}
}

/* Stopping. */

static void
check_stopped(struct app *app)
{
	bool done = engine_busy(app->engine) == 0 && app->intake == 0 && app->outcomes == 0 && !tokens_busy(app);

	/* A dead store takes no outcome any more: nothing is gained by waiting. */
	if (app->store_fault.err == ND_EDISK)
		acts_end(app);
	if ((done || app->store_fault.err == ND_EDISK) &&
	    (!app->http_server || http_server_pending(app->http_server) == 0))
		loop_stop(app->loop);
}

static void
stop_late(void *arg)
{
	struct app *app = arg;

	if (app->store_fault.err == ND_EDISK)
		nd_log(ND_LOG_ERR, NULL,
		    "the queue cannot be used since its disk reported an error: notifyd ends, to be started again");
	else
		nd_log(ND_LOG_WARNING, NULL, "stopping although %s",
		    engine_busy(app->engine) > 0 ? "mails are under way: they are sent again after the next start"
						 : "not all requests are answered");
	loop_stop(app->loop);
}

static void
on_stop(void *arg)
{
	struct app *app = arg;

	if (app->stopping) {
		loop_stop(app->loop);
		return;
	}
	app->stopping = true;
	recover_keep_ages(app);
	sd_stopping("finishing what is under way");
	nd_log(ND_LOG_NOTICE, NULL, "stopping: %u mails under way", engine_busy(app->engine));
	if (app->http_server)
		http_server_quiesce(app->http_server);
	engine_stop(app->engine);
	feed_end(app);
	waiters_end(app);
	trust_end(app);
	logins_stop(app);
	probe_end(app);
	doctor_end(app);
	acts_end(app);
	loop_timer_set(app->stop_timer, loop_now(app->loop).ms + STOP_TIME);
	loop_soon(app->loop, app_pump, app);
}

static void
on_watchdog(void *arg)
{
	struct app *app = arg;
	struct nd_now now = loop_now(app->loop);
	struct watchdog_facts facts = { .busy_since = store_busy_since(app->store) };

	store_requests(app->store, &facts.asked, &facts.answered);
	if (watchdog_well(&app->watchdog, &facts, now.ms))
		sd_watchdog_alive();
	loop_timer_set(app->watchdog_timer, now.ms + sd_watchdog_interval());
}

/* Building. */

static enum nd_err
open_state(struct app *app, struct nd_why *why)
{
	char path[4096];

	if (filer_mkdir(app->options.state_dir, why) != ND_OK)
		return why->err;
	(void)snprintf(path, sizeof(path), "%s/tokens", app->options.state_dir);
	if (filer_mkdir(path, why) != ND_OK)
		return why->err;
	app->store = store_open(app->options.state_dir, app->loop, why);
	if (!app->store)
		return why->err;
	app->inflight = inflight_open(app->options.state_dir, why);
	if (!app->inflight)
		return why->err;
	intake_digest_open(app);
	app->spool = spool_open(app->options.state_dir, app->loop, app->files, why);
	return app->spool ? ND_OK : why->err;
}

static void
build_timers(struct app *app)
{
	app->engine_timer = loop_timer_new(app->loop, app_pump, app);
	app->sweep_timer = loop_timer_new(app->loop, recover_sweep, app);
	app->prune_timer = loop_timer_new(app->loop, recover_prune, app);
	app->stop_timer = loop_timer_new(app->loop, stop_late, app);
	app->disk_timer = loop_timer_new(app->loop, touch_disk, app);
	app->recover_timer = loop_timer_new(app->loop, recover_again, app);
	app->retry_timer = loop_timer_new(app->loop, retry_outcomes, app);
	app->status_timer = loop_timer_new(app->loop, say_status, app);
	app->credentials_timer = loop_timer_new(app->loop, credentials_look, app);
	app->report_timer = loop_timer_new(app->loop, reports_send, app);
	app->endings_timer = loop_timer_new(app->loop, endings_look, app);
	app->watchdog_timer = loop_timer_new(app->loop, on_watchdog, app);
	if (sd_watchdog_interval() > 0)
		loop_timer_set(app->watchdog_timer, 0);
}

static bool
is_spooled(void *store, const char *id)
{
	return store_spooled(store, id);
}

static void
serve(struct app *app)
{
	struct http_server_limits limits = http_server_limits_default;
	struct nd_why why;

	spool_sweep(app->spool, is_spooled, app->store);
	limits.memory = reload_memory(app);
	app->http_server = http_server_new(app->loop, &app->sockets, &limits, handlers_routes, app, &why);
	if (!app->http_server) {
		nd_log(ND_LOG_ERR, NULL, "the API cannot be served: %s", why.text);
		app->exit_code = EX_OSERR;
		loop_stop(app->loop);
		return;
	}
	nd_log(ND_LOG_NOTICE, NULL, "notifyd " PACKAGE_VERSION " is ready: %s, %u account%s, %llu jobs in the queue",
	    app->sockets.count > 0 ? app->sockets.socket[0].path : "no socket", app->conf->account_count,
	    app->conf->account_count == 1 ? "" : "s", (unsigned long long)app->unfinished);
	trim_heap();
	trim_code(); /* of the start */
	sd_ready("ready");
	app->open = true;
	recover_start(app);
	credentials_look(app);
	loop_soon(app->loop, app_pump, app);
}

/* The counters tell the newest id (new ones rise above it) and how many jobs wait: then the doors open. */
static void
counted(struct store_req *req)
{
	struct app *app = req->owner;
	unsigned i;

	if (req->err != ND_OK) {
		nd_log(ND_LOG_ERR, NULL, "the queue cannot be read: %s", req->why.text);
		app->exit_code = EX_IOERR;
		loop_stop(app->loop);
	} else if (!app->stopping) {
		nd_ulid_after(&app->ids, req->last_id);
		operate_border(app, req->last_id);
		app->unfinished = req->totals[JOB_QUEUED] + req->totals[JOB_HELD];
		serve(app);
	}
	for (i = 0; i < req->count_count; i++)
		free(req->counts[i].account);
	free(req->counts);
	free(req);
}

static void
start(struct app *app)
{
	struct store_req *req = nd_xalloc(sizeof(*req));

	req->op = STORE_TOTALS;
	req->done = counted;
	req->owner = app;
	store_submit(app->store, req);
}

static enum nd_err
build(struct app *app, struct nd_why *why)
{
	uint32_t seed;

	app->loop = loop_new();
	app->started = loop_now(app->loop).unix_ms;
	feed_open(app);
	app->files = worker_new("files", 1);
	app->composer = worker_new("composer", 1);
	app->proofs = worker_new("proofs", 4);
	if (open_state(app, why) != ND_OK || listen_open(app->options.socket, &app->sockets, why) != ND_OK)
		return why->err;
	app->quota = quota_new();
	app->resolver = resolver_new(app->loop);
	app->http_client = http_client_new(app->loop);
	reload_apply(app);
	build_timers(app);
	tls_random(&seed, sizeof(seed));
	app->engine = engine_new(app->conf, seed, loop_now(app->loop));
	engine_bar(app->engine, ENGINE_BAR_RECOVERY, true); /* whoever wakes it before recover_start() is through */
	engine_boot(app->engine, inflight_boot(app->inflight));
	accounts_build(app);
	proof_watch(app);
	accounts_read_paused(app);
	recover_ages(app);
	acts_pause_open(app);
	operate_machine(app);
	loop_signal(app->loop, SIGTERM, on_stop, app);
	loop_signal(app->loop, SIGINT, on_stop, app);
	loop_signal(app->loop, SIGHUP, reload_signal, app);
	return ND_OK;
}

/* The doors first, then what is behind them. The store serves what was submitted, then the file thread; the loop runs what both still have to say. */
static void
tear_down(struct app *app)
{
	app->down = true;
	atomic_store(&app->composer_stop, true);
	if (app->http_server)
		http_server_free(app->http_server);
	listen_close(&app->sockets);
	if (app->engine)
		deliver_abandon(app);
	if (app->http_client)
		http_client_free(app->http_client);
	if (app->resolver)
		resolver_free(app->resolver);
	if (app->store)
		store_close(app->store);
	child_stop();
	worker_free(app->proofs);
	worker_free(app->composer); /* before the files: what it gave up goes */
	worker_free(app->files);
	watch_free(app->watch);
	outcomes_drop(app);
	acts_end(app);
	feed_free(app);
	loop_timer_free(app->engine_timer);
	loop_timer_free(app->sweep_timer);
	loop_timer_free(app->prune_timer);
	loop_timer_free(app->stop_timer);
	loop_timer_free(app->retry_timer);
	loop_timer_free(app->disk_timer);
	loop_timer_free(app->recover_timer);
	loop_timer_free(app->status_timer);
	loop_timer_free(app->credentials_timer);
	loop_timer_free(app->report_timer);
	report_done(&app->report);
	loop_timer_free(app->endings_timer);
	loop_timer_free(app->watchdog_timer);
	logins_stop(app);
	if (app->engine)
		tokens_stop(app);
	loop_free(app->loop);
	logins_free(app);
	logouts_free(app);
	identity_end(app);
	probe_free(app);
	if (app->spool)
		spool_close(app->spool);
	if (app->inflight)
		inflight_close(app->inflight);
	if (app->engine)
		accounts_free(app);
	engine_free(app->engine);
	quota_free(app->quota);
	explain_use(NULL);
}

static int
exit_code_of(enum nd_err err)
{
	if (err == ND_ECONF)
		return EX_CONFIG;
	return err == ND_ELOCKED ? EX_TEMPFAIL : EX_OSERR;
}

/* The files, or what was good before them. */
static enum nd_err
configure(struct app *app, struct nd_buf *texts)
{
	struct conf_faults faults = { 0 };
	enum nd_err err;
	char line[1024];
	unsigned i;

	err = settings_read(&app->options, NULL, app->conf, texts, &faults);
	for (i = 0; i < faults.count; i++)
		(void)fprintf(stderr, "%s\n", conf_fault_line(&faults.fault[i], line, sizeof(line)));
	for (i = 0; err == ND_OK && i < app->conf->warnings.count; i++)
		(void)fprintf(
		    stderr, "warning: %s\n", conf_fault_line(&app->conf->warnings.fault[i], line, sizeof(line)));
	if (err != ND_OK && !app->options.check) {
		(void)conf_fault_line(&faults.fault[0], app->degraded, sizeof(app->degraded));
		conf_done(app->conf);
		err = settings_read_good(&app->options, app->conf, NULL);
	}
	conf_faults_done(&faults);
	return err;
}

static void
run(struct app *app, const struct nd_buf *texts)
{
	struct nd_why why;

	if (journal_wanted())
		nd_log_to(journal_sink);
	reload_apply(app);
	if (tls_fips())
		nd_log(ND_LOG_NOTICE, NULL, "OpenSSL offers FIPS algorithms only: there is no CRAM-MD5");
	if (app->degraded[0])
		nd_log(ND_LOG_ERR, NULL, "degraded: the last good configuration is used: %s", app->degraded);
	if (build(app, &why) == ND_OK) {
		if (!app->degraded[0])
			settings_keep(app, texts);
		start(app);
		loop_run(app->loop);
		nd_log(ND_LOG_NOTICE, NULL, "stopped");
	} else {
		nd_log(ND_LOG_ERR, ND_FIELDS({ "ERR", nd_err_name(why.err) }), "notifyd cannot start: %s%s%s", why.text,
		    nd_why_hint(&why)[0] ? "; " : "", nd_why_hint(&why));
		app->exit_code = exit_code_of(why.err);
	}
	tear_down(app);
}

static bool
is_listed(const struct conf *conf, const struct conf_account *account)
{
	for (unsigned i = 0; i < conf->accounts.count; i++)
		if (strcmp(conf->accounts.items[i], account->name) == 0)
			return true;
	return false;
}

static void
tell_good(const struct conf *conf)
{
	const struct conf_account *account;

	(void)printf("the configuration is good: %u accounts", conf->account_count);
	for (unsigned i = 0; i < conf->account_count; i++)
		(void)printf("%s%s", i > 0 ? ", " : ": ", conf->account[i].name);
	(void)puts("");
	/* What is in force, settings and presets together. */
	for (unsigned i = 0; i < conf->account_count; i++) {
		account = &conf->account[i];
		(void)printf("  %s: %s, %s port %lld, %s, %s%s%s%s%s%s\n", account->name,
		    conf_provider_name(account->provider), account->host, (long long)account->port,
		    conf_security_name(account->security), conf_auth_name(account->auth),
		    account->auth == CONF_OAUTH2 ? " " : "",
		    account->auth == CONF_OAUTH2 ? conf_grant_name(account->grant) : "",
		    account->user && account->user[0] ? ", user " : "", account->user ? account->user : "",
		    is_listed(conf, account) ? "" : "; only for jobs that name it");
	}
}

int
app_run(const struct app_options *options)
{
	struct app app = { .options = *options, .conf = reload_new() };
	struct nd_buf texts;

	if (options->probe || options->doctor) {
		app.exit_code = options->probe ? probe_alone(&app) : doctor_alone(&app);
		reload_release(app.conf);
		return app.exit_code;
	}
	if (configure(&app, &texts) != ND_OK)
		app.exit_code = EX_CONFIG;
	else if (options->check)
		tell_good(app.conf);
	else
		run(&app, &texts);
	nd_buf_done(&texts);
	reload_release(app.conf);
	return app.exit_code;
}
