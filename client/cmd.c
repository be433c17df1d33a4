/* SPDX-License-Identifier: Apache-2.0 */
/* cmd.c - what the commands share: asking the daemon, telling failures, words.  Layer: client. */
#include "client/cmd.h"

#include "common/api.h"
#include "common/job.h"
#include "common/stamp.h"
#include "common/str.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct json_limits reply_limits = { .octets = (size_t)128 << 20, .depth = 16, .nodes = 4000000 };

/* Failures whose exit code is not that of their HTTP status. */
static int
code_of(enum nd_err err, const char *name)
{
	if (err == ND_ECONNECT || err == ND_ECLOSED || err == ND_EDEADLINE)
		return CMD_LATER;
	if (err == ND_EPROTOCOL)
		return CMD_PROTOCOL;
	if (err == ND_ECONF || (name != NULL && strcmp(name, nd_err_name(ND_ECONF)) == 0))
		return CMD_CONFIG;
	return CMD_DONE;
}

static int
code_of_status(int64_t status)
{
	switch (status) {
	case 403:
		return CMD_DENIED;
	case 408:
	case 429:
	case 502:
	case 503:
	case 504:
		return CMD_LATER;
	case 500:
		return CMD_BUG;
	default:
		return status >= 400 && status < 500 ? CMD_REFUSED : CMD_PROTOCOL;
	}
}

/* `where`: "" or what it is about, with a colon and a space. */
static void
tell(struct cmd *cmd, const char *where, const char *field, const char *detail, const char *hint)
{
	bool named = field != NULL && field[0] != '\0' && strstr(detail, field) == NULL;

	writer_line(
	    &cmd->err, WRITER_PLAIN, "notifyctl: %s%s%s%s", where, named ? field : "", named ? ": " : "", detail);
	if (hint != NULL && hint[0] != '\0')
		writer_line(&cmd->err, WRITER_PLAIN, "  hint: %s", hint);
}

int
cmd_fail(struct cmd *cmd, const struct nd_why *why)
{
	int code = code_of(why->err, NULL);
	struct nd_buf problem;

	if (cmd->json) {
		nd_buf_init(&problem, 65536);
		api_problem(why, -1, &problem);
		writer_json(&cmd->err, nd_buf_text(&problem), problem.len);
		nd_buf_done(&problem);
	} else {
		tell(cmd, "", why->field, why->text, nd_why_hint(why));
	}
	return code != CMD_DONE ? code : code_of_status(nd_err_http(why->err));
}

int
cmd_problem_tell(struct cmd *cmd, const char *where, const struct json_node *problem)
{
	const char *detail = json_get_text(problem, "detail"), *name = json_get_text(problem, "code");
	char *hint = cmd->account != NULL && !cmd->json ? cmd_hint(cmd, problem) : NULL;
	int64_t status = 0;
	int code = code_of(ND_OK, name);

	if (detail == NULL)
		detail = json_get_text(problem, "title");
	if (!cmd->json)
		tell(cmd, where, json_get_text(problem, "field"),
		    detail != NULL ? detail : "the daemon refused without a reason",
		    hint != NULL ? hint : json_get_text(problem, "hint"));
	free(hint);
	if (!json_int(json_get(problem, "status"), 100, 599, &status))
		status = 0;
	return code != CMD_DONE ? code : code_of_status(status);
}

enum nd_err
cmd_read(const struct link_reply *reply, struct json_tree *tree, struct nd_why *why)
{
	struct nd_why inner;

	if (json_read(tree, nd_buf_text(&reply->body), reply->body.len, &reply_limits, NULL, &inner) == ND_OK)
		return ND_OK;
	return nd_fail(
	    why, ND_EPROTOCOL, 0, "the answer is not understood (HTTP status %d): %s", reply->status, inner.text);
}

int
cmd_problem(struct cmd *cmd, const struct link_reply *reply)
{
	struct json_tree tree = { 0 };
	struct nd_why why;
	int code;

	if (cmd_read(reply, &tree, &why) != ND_OK || json_get(tree.root, "code") == NULL) {
		if (reply->status == 503 || reply->status == 429)
			(void)nd_fail(&why, ND_EBUSY, 0, "the daemon answered HTTP status %d", reply->status);
		else
			(void)nd_fail(&why, ND_EPROTOCOL, 0, "the daemon answered HTTP status %d without a reason",
			    reply->status);
		code = cmd_fail(cmd, &why);
	} else {
		code = cmd_problem_tell(cmd, "", tree.root);
		if (json_get(tree.root, "status") == NULL && code == CMD_PROTOCOL)
			code = code_of_status(reply->status);
		if (cmd->json)
			writer_json(&cmd->err, nd_buf_text(&reply->body), reply->body.len);
	}
	json_done(&tree);
	return code;
}

int
cmd_usage(struct cmd *cmd, const char *format, ...)
{
	struct nd_why why;
	char text[320];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)nd_fail(&why, ND_EINVALID, 0, "%s", text);
	(void)cmd_fail(cmd, &why);
	return CMD_USAGE;
}

int
cmd_get(struct cmd *cmd, const char *path, struct link_reply *reply)
{
	struct link_request request = { .method = "GET", .path = path };
	struct nd_why why;
	int code = CMD_DONE;

	if (link_call(cmd->socket, &request, reply, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	else if (reply->status != 200)
		code = cmd_problem(cmd, reply);
	if (code != CMD_DONE)
		link_reply_done(reply);
	return code;
}

int
cmd_get_json(struct cmd *cmd, const char *path, struct json_tree *tree)
{
	struct link_reply reply;
	struct nd_why why;
	int code = cmd_get(cmd, path, &reply);

	*tree = (struct json_tree){ 0 };
	if (code != CMD_DONE)
		return code;
	if (cmd->json)
		writer_json(&cmd->out, nd_buf_text(&reply.body), reply.body.len);
	else if (cmd_read(&reply, tree, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	link_reply_done(&reply);
	return code;
}

int
cmd_post_json(struct cmd *cmd, const char *path, nd_ms patience, struct progress *progress, struct json_tree *tree)
{
	struct link_request request = { .method = "POST", .path = path, .patience = patience };
	struct link_reply reply;
	struct nd_why why;
	int code = CMD_DONE;
	enum nd_err err;

	*tree = (struct json_tree){ 0 };
	err = link_call(cmd->socket, &request, &reply, &why);
	if (progress != NULL)
		progress_clear(progress);
	if (err != ND_OK)
		code = cmd_fail(cmd, &why);
	else if (reply.status != 200 && reply.status != 202)
		code = cmd_problem(cmd, &reply);
	else if (cmd->json)
		writer_json(&cmd->out, nd_buf_text(&reply.body), reply.body.len);
	else if (cmd_read(&reply, tree, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	link_reply_done(&reply);
	return code;
}

static bool
distance(const char *stamp, nd_ms *out)
{
	struct timespec now;
	nd_unix when;

	if (stamp == NULL || !nd_stamp_read(stamp, &when))
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	*out = when - ((nd_unix)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	return true;
}

const char *
cmd_age(const char *stamp, char out[48])
{
	char span[ND_STAMP_SIZE];
	nd_ms away;

	out[0] = '\0';
	if (distance(stamp, &away))
		(void)snprintf(out, 48, "%s", nd_stamp_span(away < 0 ? -away : 0, span));
	return out;
}

const char *
cmd_until(const char *stamp, char out[48])
{
	char span[ND_STAMP_SIZE];
	nd_ms away;

	out[0] = '\0';
	if (distance(stamp, &away))
		(void)snprintf(out, 48, away > 0 ? "in %s" : "%s ago", nd_stamp_span(away > 0 ? away : -away, span));
	return out;
}

const char *
cmd_clock(const char *stamp, char out[48])
{
	nd_unix when;
	time_t second;
	struct tm tm;

	second = nd_stamp_read(stamp, &when) ? (time_t)(when / 1000) : 0;
	if (second == 0 || localtime_r(&second, &tm) == NULL)
		return cmd_stamp(stamp, out);
	/* beyond today and this night the hour alone would mislead */
	(void)strftime(out, 48, second - time(NULL) < 12 * 3600 ? "%H:%M" : "%Y-%m-%d %H:%M", &tm);
	return out;
}

const char *
cmd_stamp(const char *stamp, char out[48])
{
	nd_unix when;
	char text[ND_STAMP_SIZE];

	if (!nd_stamp_read(stamp, &when)) {
		(void)snprintf(out, 48, "%.40s", stamp);
		return out;
	}
	(void)nd_stamp_rfc3339(when, text);
	(void)snprintf(out, 48, "%.10s %.8sZ", text, text + 11);
	return out;
}

const char *
cmd_state_words(const char *name)
{
	enum job_state state;

	return job_state_named(name, &state) ? job_state_words(state) : name;
}

struct color_row {
	const char *name;
	enum writer_color color;
};

static enum writer_color
color_of(const struct color_row *rows, const char *name)
{
	for (; name != NULL && rows->name != NULL; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows->color;
	return WRITER_PLAIN;
}

/* States of jobs, recipients and accounts share their colours. */
enum writer_color
cmd_state_color(const char *name)
{
	static const struct color_row rows[] = {
		{ "delivered", WRITER_GOOD },
		{ "ok", WRITER_GOOD },
		{ "failed", WRITER_BAD },
		{ "refused", WRITER_BAD },
		{ "expired", WRITER_BAD },
		{ "held", WRITER_WARN },
		{ "throttled", WRITER_WARN },
		{ "failing", WRITER_BAD },
		{ "paced", WRITER_WARN },
		{ "paused", WRITER_WARN },
		{ NULL, WRITER_PLAIN },
	};

	return color_of(rows, name);
}

enum writer_color
cmd_severity_color(const char *name)
{
	static const struct color_row rows[] = {
		{ "emergency", WRITER_BAD },
		{ "alert", WRITER_BAD },
		{ "critical", WRITER_BAD },
		{ "error", WRITER_BAD },
		{ "warning", WRITER_WARN },
		{ "info", WRITER_DIM },
		{ "debug", WRITER_DIM },
		{ NULL, WRITER_PLAIN },
	};

	return color_of(rows, name);
}

void
cmd_reply_text(const struct json_node *node, struct nd_buf *out)
{
	const char *enhanced = json_get_text(node, "enhanced"), *text = json_get_text(node, "text");
	int64_t code;

	if (json_int(json_get(node, "code"), 100, 999, &code))
		nd_buf_addf(out, "%lld", (long long)code);
	/* The text of a reply often begins with its enhanced code already. */
	if (enhanced != NULL && (text == NULL || strncmp(text, enhanced, strlen(enhanced)) != 0))
		nd_buf_addf(out, "%s%s", out->len > 0 ? " " : "", enhanced);
	if (text != NULL && text[0] != '\0')
		nd_buf_addf(out, "%s%s", out->len > 0 ? " " : "", text);
}

/* The relay of the last attempt, without address and port. */
static void
add_relay(const struct json_node *job, struct nd_buf *out)
{
	const struct json_node *attempts = json_get(job, "attempts"), *attempt;
	const char *relay = NULL, *given;

	for (attempt = attempts != NULL ? attempts->child : NULL; attempt != NULL; attempt = attempt->next) {
		given = json_get_text(attempt, "relay");
		relay = given != NULL ? given : relay;
	}
	if (relay == NULL)
		nd_buf_adds(out, "the relay");
	else
		nd_buf_add(out, relay, strcspn(relay, "[:"));
}

void
cmd_job_words(const struct json_node *job, struct nd_buf *out)
{
	const char *state = json_get_text(job, "state");

	if (state == NULL) {
		nd_buf_adds(out, "unknown");
	} else if (strcmp(state, "delivered") == 0) {
		nd_buf_adds(out, "accepted by ");
		add_relay(job, out);
	} else {
		nd_buf_adds(out, cmd_state_words(state));
	}
}
