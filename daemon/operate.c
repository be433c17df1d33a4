/* SPDX-License-Identifier: Apache-2.0 */
/* operate.c - what an operator does to notifyd as a whole: a copy of its queue. */
#include "daemon/app.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"

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
	req->limit_octets = (size_t)app->conf.min_free;
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
