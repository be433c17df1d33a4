/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_watch.c - notifyctl watch: what happens, as it happens.  Layer: client.
 *
 * It outlives the daemon: when the connection is lost it comes back and goes on behind the last event it saw.
 */
#include "client/cmd.h"
#include "client/progress.h"
#include "common/str.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define SHORT_ID 8u
#define FOR_EVER ND_DAY(3650)
#define FIRST_PAUSE 200
#define LONGEST_PAUSE 2000
#define NOTHING_YET "waiting for something to happen" /* it may take hours */

enum { OPT_JOB, OPT_TYPE, OPT_SINCE };

/* clang-format off */
const struct args_option cmd_watch_options[] = {
	[OPT_JOB]   = { 0, "job", "ID", "Only this job; its last 6 or more characters will do." },
	[OPT_TYPE]  = { 0, "type", "T[,T]", "Only these events, such as job.failed or account.*" },
	[OPT_SINCE] = { 0, "since", "BOOT:N", "Goes on behind this event; without it, from now on." },
	{ 0 },
};
/* clang-format on */

struct watch {
	struct cmd *cmd;
	const struct args *args;
	char since[64]; /* the last event; "" none yet */
	bool lost;      /* the connection, and it was told */
	bool told;      /* an event: people see that it works */
	struct progress progress;
};

static void
tell_job(struct watch *watch, const struct json_node *event, const char *job)
{
	const char *reason = json_get_text(event, "reason"), *account = json_get_text(event, "account");
	const char *state = json_get_text(event, "state");
	char when[48];
	size_t len = strlen(job);

	writer_line(&watch->cmd->out, cmd_state_color(state), "%s  %-15s %s  %s%s%s",
	    cmd_stamp(json_get_text(event, "time"), when), json_get_text(event, "event"),
	    len > SHORT_ID ? job + len - SHORT_ID : job, account != NULL ? account : "-", reason != NULL ? ": " : "",
	    reason != NULL ? reason : "");
}

static void
tell_other(struct watch *watch, const struct json_node *event)
{
	const char *reason = json_get_text(event, "reason"), *account = json_get_text(event, "account");
	const char *state = json_get_text(event, "state");
	char when[48];

	writer_line(&watch->cmd->out, cmd_state_color(state), "%s  %-15s %s%s%s%s%s",
	    cmd_stamp(json_get_text(event, "time"), when), json_get_text(event, "event"),
	    account != NULL ? account : "", state != NULL ? " is " : "", state != NULL ? state : "",
	    reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

static void
tell(struct watch *watch, const struct json_node *event)
{
	const char *name = json_get_text(event, "event"), *job = json_get_text(event, "job");

	if (name == NULL || json_get_text(event, "time") == NULL || strcmp(name, "begin") == 0)
		return;
	watch->told = true;
	if (strcmp(name, "gap") == 0)
		writer_line(&watch->cmd->err, WRITER_PLAIN, "notifyctl: events before this are not known any more");
	else if (job != NULL)
		tell_job(watch, event, job);
	else
		tell_other(watch, event);
}

static bool
each_line(void *arg, const char *line, size_t len)
{
	struct watch *watch = arg;
	struct json_tree tree = { 0 };
	const char *boot;
	int64_t n;

	if (json_read(&tree, line, len, &json_limits_small, NULL, NULL) != ND_OK)
		return true;
	boot = json_get_text(tree.root, "boot");
	if (boot != NULL && json_int(json_get(tree.root, "n"), 0, INT64_MAX, &n))
		(void)snprintf(watch->since, sizeof(watch->since), "%.32s:%lld", boot, (long long)n);
	if (watch->cmd->json)
		writer_json(&watch->cmd->out, line, len);
	else
		tell(watch, tree.root);
	json_done(&tree);
	watch->lost = false;
	return true;
}

static bool
take(void *arg, struct link_reply *reply)
{
	struct watch *watch = arg;

	progress_clear(&watch->progress);
	(void)link_lines(reply, each_line, watch);
	if (!watch->told)
		progress_text(&watch->progress, NOTHING_YET);
	return fflush(watch->cmd->out.file) == 0 && ferror(watch->cmd->out.file) == 0;
}

static void
write_path(const struct watch *watch, struct nd_buf *path)
{
	const struct args_given *given;
	char mark = '?';
	unsigned i;

	nd_buf_adds(path, "/v1/events");
	for (i = 0; i < watch->args->given_count; i++) {
		given = &watch->args->given[i];
		if (given->option == OPT_SINCE && watch->since[0] != '\0')
			continue;
		nd_buf_addf(path, "%c%s=", mark, cmd_watch_options[given->option].name);
		nd_str_percent(path, given->value, strlen(given->value));
		mark = '&';
	}
	if (watch->since[0] != '\0')
		nd_buf_addf(path, "%csince=%s", mark, watch->since);
}

static enum nd_err
follow(struct watch *watch, struct link_reply *reply, struct nd_why *why)
{
	struct link_request request = { .method = "GET", .patience = FOR_EVER, .take = take, .arg = watch };
	struct nd_buf path;
	enum nd_err err;

	nd_buf_init(&path, 65536);
	write_path(watch, &path);
	request.path = nd_buf_text(&path);
	err = link_call(watch->cmd->socket, &request, reply, why);
	nd_buf_done(&path);
	return err;
}

/* Whether it is worth coming back: it has worked before, and the daemon is only away. */
static bool
comes_back(const struct watch *watch, enum nd_err err, const struct link_reply *reply)
{
	if (watch->since[0] == '\0')
		return false;
	return err == ND_OK ? reply->status == 200 || reply->status == 503 : err == ND_ECLOSED || err == ND_ECONNECT;
}

int
cmd_watch_run(struct cmd *cmd, const struct args *args)
{
	struct watch watch = { .cmd = cmd, .args = args };
	struct link_reply reply;
	int pause = FIRST_PAUSE, code;
	struct nd_why why;
	enum nd_err err;

	progress_init(&watch.progress, &cmd->err, 0);
	for (;;) {
		err = follow(&watch, &reply, &why);
		progress_clear(&watch.progress);
		if (ferror(cmd->out.file) != 0 || !comes_back(&watch, err, &reply))
			break;
		link_reply_done(&reply);
		if (!watch.lost) {
			writer_line(&cmd->err, WRITER_PLAIN, "notifyctl: notifyd is away; waiting for it");
			pause = FIRST_PAUSE;
		}
		watch.lost = true;
		(void)poll(NULL, 0, pause);
		pause = 2 * pause > LONGEST_PAUSE ? LONGEST_PAUSE : 2 * pause;
	}
	if (ferror(cmd->out.file) != 0)
		code = CMD_DONE; /* told by main */
	else
		code = err != ND_OK ? cmd_fail(cmd, &why) : cmd_problem(cmd, &reply);
	link_reply_done(&reply);
	return code;
}
