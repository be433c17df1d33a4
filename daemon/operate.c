/* SPDX-License-Identifier: Apache-2.0 */
/* operate.c - what an operator does to notifyd as a whole: a copy of its queue, and whose it is. */
#include "daemon/app.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/machine.h"

#include <stdio.h>
#include <stdlib.h>

struct wish { /* an operator's request that takes its time */
	struct app *app;
	struct http_request *request; /* NULL: the client has left */
};

static void
operator_left(void *context)
{
	struct wish *wish = context;

	wish->request = NULL;
}

static bool
bare(struct http_request *request)
{
	static const char *const known[] = { NULL };
	struct nd_why why;

	if (http_request_only(request, known, &why) == ND_OK)
		return true;
	http_server_problem(request, &why);
	return false;
}

static void
reply_text(struct http_request *request, const char *name, const char *value)
{
	struct json_out out;
	struct nd_buf buf;

	nd_buf_init(&buf, 65536);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_text(&out, name, value);
	json_out_object_end(&out);
	(void)nd_buf_addc(&buf, '\n');
	http_server_reply(request, 200, "application/json", nd_buf_text(&buf), buf.len, NULL);
	nd_buf_done(&buf);
}

static void
copied(struct store_req *req)
{
	struct wish *wish = req->owner;
	struct app *app = wish->app;
	char path[4160], *whole;

	app->copying = false;
	(void)snprintf(path, sizeof(path), "%s/backup", app->options.state_dir);
	whole = req->drop ? NULL : realpath(path, NULL); /* the operator's folder is another one */
	if (req->err != ND_OK)
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "ERR", nd_err_name(req->err) }), "the backup failed: %s",
		    req->why.text);
	else
		nd_log(ND_LOG_NOTICE, NULL, req->drop ? "the backup in %s is removed" : "a backup is in %s",
		    whole ? whole : path);
	if (wish->request) {
		http_request_own(wish->request, NULL, NULL);
		if (req->err != ND_OK)
			http_server_problem(wish->request, &req->why);
		else
			reply_text(wish->request, "path", whole);
	}
	free(whole);
	free(wish);
	free(req);
}

static void
ask(struct app *app, struct http_request *request, bool drop)
{
	struct store_req *req;
	struct wish *wish;
	struct nd_why why;

	if (!bare(request))
		return;
	if (app->copying) {
		(void)nd_fail(&why, ND_ESTATE, 0, "another backup is being made");
		(void)nd_fail_at(&why, "", 0, "try again when it is done");
		http_server_problem(request, &why);
		return;
	}
	app->copying = true;
	req = nd_xalloc(sizeof(*req));
	wish = nd_xalloc(sizeof(*wish));
	*wish = (struct wish){ app, request };
	http_request_own(request, wish, operator_left);
	req->op = STORE_BACKUP;
	req->done = copied;
	req->owner = wish;
	req->drop = drop;
	req->limit_octets = (size_t)app->conf->min_free;
	store_submit(app->store, req);
}

void
operate_backup(void *app, struct http_request *request)
{
	ask(app, request, false);
}

void
operate_backup_drop(void *app, struct http_request *request)
{
	ask(app, request, true);
}

/* Whose the state is. */

static void
machine_path(const struct app *app, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/machine-id", app->options.state_dir);
}

static char *
read_id(const char *path, bool *there)
{
	struct nd_why why;
	char *text = NULL;
	size_t len;

	*there = filer_read(path, MACHINE_FILE_LIMIT, &text, &len, &why) == ND_OK || why.err != ND_ENOTFOUND;
	return text;
}

void
operate_machine(struct app *app)
{
	char path[4160], *kept, *host;
	enum machine_word word;
	struct nd_why why;
	bool there;

	machine_path(app, path, sizeof(path));
	host = read_id("/etc/machine-id", &there);
	kept = read_id(path, &there);
	/* A file that cannot be read is not none. */
	word = machine_judge(kept ? kept : there ? "" : NULL, host, app->machine);
	free(kept);
	free(host);
	if (word == MACHINE_FIRST && filer_write(path, app->machine, MACHINE_ID_LEN, &why) != ND_OK)
		nd_log(ND_LOG_WARNING, NULL, "whose this state is cannot be noted: %s", why.text);
	if (word != MACHINE_OTHER)
		return;
	app->another_machine = true;
	engine_hold(app->engine, true, loop_now(app->loop));
	nd_log(ND_LOG_WARNING, NULL,
	    "the state in %s is another machine's: jobs are accepted and nothing is sent; when that machine will not "
	    "send these jobs itself: notifyctl state adopt",
	    app->options.state_dir);
}

static void
adopted(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct wish *wish = arg;
	struct app *app = wish->app;

	if (err == ND_OK && app->another_machine) {
		app->another_machine = false;
		engine_hold(app->engine, false, loop_now(app->loop));
		nd_log(ND_LOG_NOTICE, NULL, "the state is this machine's from now on: what was held is sent");
		loop_soon(app->loop, app_pump, app);
	}
	if (wish->request) {
		http_request_own(wish->request, NULL, NULL);
		if (err != ND_OK)
			http_server_problem(wish->request, why);
		else
			reply_text(wish->request, "machine", app->machine);
	}
	free(wish);
}

void
operate_adopt(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct wish *wish;
	struct nd_why why;
	char path[4160];

	if (!bare(request))
		return;
	if (!app->another_machine) {
		(void)nd_fail(&why, ND_ESTATE, 0, "the state is not another machine's");
		(void)nd_fail_at(&why, "", 0, "nothing is to be done");
		http_server_problem(request, &why);
		return;
	}
	wish = nd_xalloc(sizeof(*wish));
	*wish = (struct wish){ app, request };
	http_request_own(request, wish, operator_left);
	machine_path(app, path, sizeof(path));
	filer_write_later(app->files, app->loop, path, app->machine, MACHINE_ID_LEN, adopted, wish);
}
