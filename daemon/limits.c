/* SPDX-License-Identifier: Apache-2.0 */
/* limits.c - keeps on disk what each mailbox has sent lately, and what it is about to send. */
#include "daemon/app.h"

#include "common/log.h"
#include "common/mem.h"

#include <stdlib.h>

struct keeping { /* owner of a LIMIT or KEEP request */
	struct app *app;
	char *limit;
};

static struct store_req *
request(struct app *app, enum store_op op, const char *limit, void (*done)(struct store_req *req))
{
	struct store_req *req = nd_xalloc(sizeof(*req));
	struct keeping *keeping = nd_xalloc(sizeof(*keeping));

	keeping->app = app;
	keeping->limit = nd_xstrdup(limit);
	req->op = op;
	req->done = done;
	req->owner = keeping;
	req->account = keeping->limit;
	return req;
}

static void
finish(struct store_req *req)
{
	struct keeping *keeping = req->owner;
	struct app *app = keeping->app;

	free(keeping->limit);
	free(keeping);
	free(req->kept);
	free(req);
	loop_soon(app->loop, app_pump, app);
}

static void
recalled(struct store_req *req)
{
	struct keeping *keeping = req->owner;

	if (req->err == ND_OK) {
		if (!engine_limit_recalled(
			keeping->app->engine, keeping->limit, req->kept, loop_now(keeping->app->loop)))
			nd_log(ND_LOG_ERR, NULL,
			    "the record of what has gone from %s lately makes no sense: its limits are counted anew, "
			    "with "
			    "what may have been under way",
			    keeping->limit);
	} else {
		nd_log(ND_LOG_ERR, NULL, "nothing goes from %s before it is known what has gone lately: %s",
		    keeping->limit, req->why.text);
		engine_limit_recall_failed(keeping->app->engine, keeping->limit, loop_now(keeping->app->loop));
	}
	finish(req);
}

void
limits_recall(struct app *app, const char *limit)
{
	store_submit(app->store, request(app, STORE_LIMIT, limit, recalled));
}

static void
kept(struct store_req *req)
{
	struct keeping *keeping = req->owner;

	app_wrote(keeping->app, req);
	engine_limit_kept(keeping->app->engine, keeping->limit, req->err == ND_OK, loop_now(keeping->app->loop));
	finish(req);
}

void
limits_keep(struct app *app, const char *limit, char *record)
{
	struct store_req *req = request(app, STORE_KEEP, limit, kept);

	req->kept = record;
	req->until = loop_now(app->loop).unix_ms;
	store_submit(app->store, req);
}
