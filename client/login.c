/* SPDX-License-Identifier: Apache-2.0 */
/* login.c - what notifyctl account login asks of the daemon, and what it tells of the answers.  Layer: client. */
#include "client/login.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define END_PATIENCE ND_SEC(120) /* the provider's answer, through the daemon */

nd_ms
login_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (nd_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int
login_ask(struct cmd *cmd, const char *path, const struct nd_buf *body, struct link_reply *reply)
{
	struct link_request request = {
		.method = body != NULL ? "POST" : "GET",
		.path = path,
		.type = body != NULL ? "application/json" : NULL,
		.body = body != NULL ? nd_buf_text(body) : NULL,
		.len = body != NULL ? body->len : 0,
		.patience = END_PATIENCE,
	};
	struct nd_why why;

	if (link_call(cmd->socket, &request, reply, &why) != ND_OK)
		return cmd_fail(cmd, &why);
	return reply->status == 200 || reply->status == 202 ? CMD_DONE : cmd_problem(cmd, reply);
}

void
login_write_body(struct nd_buf *body, const char *name, const char *text, const char *name2, const char *text2)
{
	struct json_out out;

	nd_buf_init(body, 131072);
	json_out_init(&out, body);
	json_out_object(&out, NULL);
	if (name != NULL)
		json_out_text(&out, name, text);
	if (name2 != NULL)
		json_out_text(&out, name2, text2);
	json_out_object_end(&out);
}

int
login_ask_json(struct cmd *cmd, const char *path, const struct nd_buf *body, struct json_tree *tree)
{
	struct link_reply reply;
	struct nd_why why;
	int code = login_ask(cmd, path, body, &reply);

	*tree = (struct json_tree){ 0 };
	if (code == CMD_DONE && cmd_read(&reply, tree, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	else if (code == CMD_DONE && cmd->json && body != NULL) {
		writer_json(&cmd->out, nd_buf_text(&reply.body), reply.body.len);
		(void)fflush(cmd->out.file);
	}
	link_reply_done(&reply);
	return code;
}

static bool
keep_start(struct login *login, const struct json_node *start)
{
	const char *id = json_get_text(start, "login");
	int64_t seconds;

	if (id == NULL || strlen(id) > 64 ||
	    strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_") != strlen(id) ||
	    !json_int(json_get(start, "expires_in_seconds"), 0, 86400, &seconds))
		return false;
	(void)snprintf(login->path, sizeof(login->path), "/v1/logins/%s", id);
	login->ends = login_now() + ND_SEC(seconds);
	(void)nd_stamp_span(ND_SEC(seconds), login->span);
	return true;
}

int
login_not_understood(struct cmd *cmd)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_EPROTOCOL, 0, "the daemon's answer to the sign-in is not understood");
	return cmd_fail(cmd, &why);
}

int
login_begin(struct login *login, const char *mode, struct json_tree *tree)
{
	struct nd_buf path, body;
	int code;

	cmd_account_path(login->account, "/login", &path);
	login_write_body(&body, "mode", mode, login->uri[0] != '\0' ? "redirect_uri" : NULL, login->uri);
	code = login_ask_json(login->cmd, nd_buf_text(&path), &body, tree);
	if (code == CMD_DONE && !keep_start(login, tree->root))
		code = login_not_understood(login->cmd);
	nd_buf_done(&body);
	nd_buf_done(&path);
	return code;
}

void
login_print_done(struct cmd *cmd, const char *account, const struct json_node *done)
{
	const char *who = json_get_text(done, "signed_in"), *scope = json_get_text(done, "scope");
	const struct json_node *warnings = json_get(done, "warnings");

	writer_line(&cmd->out, WRITER_GOOD, "signed in%s%s", who != NULL ? " as " : "", who != NULL ? who : "");
	if (scope != NULL && scope[0] != '\0')
		writer_line(&cmd->out, WRITER_PLAIN, "granted: %s", scope);
	for (const struct json_node *one = warnings != NULL ? warnings->child : NULL; one != NULL; one = one->next) {
		const char *detail = json_get_text(one, "detail"), *hint = json_get_text(one, "hint");

		writer_line(&cmd->out, WRITER_WARN, "warning: %s", detail != NULL ? detail : "?");
		if (hint != NULL && hint[0] != '\0')
			writer_line(&cmd->out, WRITER_PLAIN, "  hint: %s", hint);
	}
	writer_line(&cmd->out, WRITER_PLAIN, "next: notifyctl account test %s", account);
}

int
login_too_late(struct login *login)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_EDEADLINE, 0, "nobody finished the sign-in within %s", login->span);
	(void)nd_fail_at(&why, "", 0, "begin again: notifyctl account login NAME");
	return cmd_fail(login->cmd, &why);
}
