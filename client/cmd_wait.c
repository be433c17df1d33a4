/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_wait.c - notifyctl wait: until jobs have come to an end.  Layer: client. */
#include "client/post.h"
#include "client/progress.h"
#include "common/str.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define LONGEST 300 /* seconds that the daemon lets one request wait */
#define PAUSE 500
#define AWAY ND_SEC(60) /* so long it may be restarted */

enum { OPT_TIMEOUT };

/* clang-format off */
const struct args_option cmd_wait_options[] = {
	[OPT_TIMEOUT] = { 0, "timeout", "D", "At most so long for all of them: 90s 15m 48h; for ever unless given." },
	{ 0 },
};
/* clang-format on */

/* Asks once; the answer comes when the job is over, or after at most `left`. */
static enum nd_err
ask(struct cmd *cmd, const char *id, nd_ms left, struct link_reply *reply, struct nd_why *why)
{
	int64_t seconds = left / 1000 > LONGEST ? LONGEST : left < 1000 ? 1 : left / 1000;
	struct link_request request = { .method = "GET", .patience = LINK_PATIENCE + ND_SEC(seconds) };
	struct nd_buf path;
	enum nd_err err;

	nd_buf_init(&path, 512);
	nd_buf_adds(&path, "/v1/jobs/");
	nd_str_percent(&path, id, strlen(id));
	nd_buf_addf(&path, "?wait=%lld", (long long)seconds);
	request.path = nd_buf_text(&path);
	err = link_call(cmd->socket, &request, reply, why);
	nd_buf_done(&path);
	return err;
}

/* The daemon is only away, or about to be. */
static bool
is_away(enum nd_err err, const struct link_reply *reply)
{
	return err == ND_ECLOSED || err == ND_ECONNECT || (err == ND_OK && reply->status == 503);
}

static int
tell(struct cmd *cmd, const struct link_reply *reply)
{
	struct json_tree tree = { 0 };
	struct nd_why why;
	int code;

	if (reply->status != 200 && reply->status != 202)
		return cmd_problem(cmd, reply);
	if (cmd_read(reply, &tree, &why) != ND_OK)
		return cmd_fail(cmd, &why);
	if (json_get_text(tree.root, "id") == NULL || json_get_text(tree.root, "state") == NULL) {
		(void)nd_fail(&why, ND_EPROTOCOL, 0, "the answer is no job");
		code = cmd_fail(cmd, &why);
	} else {
		if (cmd->json)
			writer_json(&cmd->out, nd_buf_text(&reply->body), reply->body.len);
		code = post_tell_job(cmd, tree.root);
	}
	json_done(&tree);
	(void)fflush(cmd->out.file);
	return code;
}

enum nd_err
cmd_wait_for(struct cmd *cmd, const char *id, nd_ms end, bool *met, struct link_reply *reply, struct nd_why *why)
{
	nd_ms away = 0; /* since when it cannot be asked */
	struct progress progress;
	char text[80];
	enum nd_err err;

	progress_init(&progress, &cmd->err, 0);
	(void)snprintf(text, sizeof(text), "waiting for %.32s", id);
	for (;;) {
		progress_text(&progress, away == 0 ? text : "notifyd is away; waiting for it");
		err = ask(cmd, id, end - link_now(), reply, why);
		/* One that never was there is not waited for. */
		if (!*met && err == ND_ECONNECT)
			break;
		*met = true;
		if (!is_away(err, reply)) {
			if (err != ND_OK || reply->status != 202 || link_now() >= end)
				break;
			away = 0;
		} else if (away == 0) {
			away = link_now();
		}
		if (away != 0 && (link_now() - away >= AWAY || link_now() >= end))
			break;
		link_reply_done(reply);
		if (away != 0)
			(void)poll(NULL, 0, PAUSE);
	}
	progress_clear(&progress);
	return err;
}

static int
wait_one(struct cmd *cmd, const char *id, nd_ms end, bool *met)
{
	struct link_reply reply;
	struct nd_why why;
	enum nd_err err = cmd_wait_for(cmd, id, end, met, &reply, &why);
	int code;

	code = err != ND_OK ? cmd_fail(cmd, &why) : tell(cmd, &reply);
	link_reply_done(&reply);
	return code;
}

/* Failures of asking first, then jobs that did not arrive, then those that are not over. */
static int
worse(int a, int b)
{
	static const int mild[] = { CMD_DONE, CMD_PENDING, CMD_UNDELIVERED };
	size_t i;

	for (i = 0; i < sizeof(mild) / sizeof(mild[0]); i++) {
		if (a == mild[i])
			return b;
		if (b == mild[i])
			return a;
	}
	return a;
}

int
cmd_wait_run(struct cmd *cmd, const struct args *args)
{
	const char *limit = args_value(args, OPT_TIMEOUT);
	nd_ms span = ND_DAY(3650), end;
	int code = CMD_DONE;
	bool met = false;
	unsigned i;

	if (limit != NULL && !nd_str_duration(limit, &span))
		return cmd_usage(cmd, "--timeout takes a duration such as 90s or 15m, not \"%.40s\"", limit);
	end = link_now() + span;
	for (i = 0; i < args->word_count; i++)
		code = worse(code, wait_one(cmd, args->words[i], end, &met));
	return code;
}
