/* SPDX-License-Identifier: Apache-2.0 */
/* probe_alone.c - notifyd --probe: a test without a daemon, its lines on standard output. No state directory, no socket. */
#include "daemon/probe.h"

#include "common/explain.h"
#include "common/mem.h"
#include "daemon/io/child.h"
#include "daemon/io/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define EXIT_NOT_PROVED 3

static void
print(void *arg, const char *line, size_t len)
{
	(void)arg;
	(void)fwrite(line, 1, len, stdout);
	(void)fflush(stdout);
}

static void
is_over(void *arg, enum probe_result result)
{
	static const int codes[] = { [PROBE_PROVED] = EX_OK,
		[PROBE_NOT_PROVED] = EXIT_NOT_PROVED,
		[PROBE_FAILED] = EX_UNAVAILABLE,
		[PROBE_BAD_CONFIG] = EX_CONFIG };
	struct app *app = arg;

	app->exit_code = codes[result];
	loop_stop(app->loop);
}

static void
build(struct app *app)
{
	app->loop = loop_new();
	app->proofs = worker_new("proofs", 1);
	app->resolver = resolver_new(app->loop);
	app->http_client = http_client_new(app->loop);
}

static void
tear_down(struct app *app)
{
	app->down = true;
	http_client_free(app->http_client);
	resolver_free(app->resolver);
	child_stop();
	worker_free(app->proofs);
	loop_free(app->loop);
	identity_end(app);
	probe_free(app);
	explain_use(NULL);
}

static void
refuse(struct app *app, enum explain_lang lang, const struct nd_why *why)
{
	struct conf_fault fault = { .file = "notifyd.conf", .why = *why };
	const struct conf_faults faults = { &fault, 1, 1 };

	probe_misconfigured(&faults, app->options.probe, lang, print, NULL);
}

static enum nd_err
read_conf(struct app *app, enum explain_lang lang)
{
	struct conf_faults faults = { 0 };
	struct nd_buf texts;
	enum nd_err err = settings_read(&app->options, NULL, app->conf, &texts, &faults);

	if (err != ND_OK)
		probe_misconfigured(&faults, app->options.probe, lang, print, NULL);
	nd_buf_done(&texts);
	conf_faults_done(&faults);
	return err;
}

int
probe_alone(struct app *app)
{
	struct probe_wish wish = { .line = print, .over = is_over, .arg = app };
	struct nd_why why;

	app->exit_code = EX_CONFIG;
	wish.lang = explain_lang_here(getenv); /* NOLINT(concurrency-mt-unsafe): before there are threads */
	if (read_conf(app, wish.lang) != ND_OK)
		return app->exit_code;
	wish.held = app->conf;
	wish.conf = probe_account(app->conf, app->options.probe, &why);
	wish.send = app->options.no_send ? PROBE_SEND_NO : PROBE_SEND_AUTO;
	wish.to = app->options.to;
	if (!wish.conf) {
		refuse(app, wish.lang, &why);
		return app->exit_code;
	}
	build(app);
	reload_apply(app);
	(void)probe_start(app, &wish);
	loop_run(app->loop);
	tear_down(app);
	return app->exit_code;
}
