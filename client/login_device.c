/* SPDX-License-Identifier: Apache-2.0 */
/* login_device.c - a sign-in by a code that is entered on another device.  Layer: client. */
#include "client/login.h"
#include "client/qr.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define DEVICE_WAIT 30    /* s, in one request */
#define DEVICE_PAUSE 1000 /* ms, when the daemon does not wait */

static int
print_code(struct login *login, const struct json_node *start)
{
	const char *code = json_get_text(start, "user_code"), *uri = json_get_text(start, "verification_uri");
	const char *whole = json_get_text(start, "verification_uri_complete");
	struct writer *out = &login->cmd->out;

	if (code == NULL || uri == NULL)
		return login_not_understood(login->cmd);
	if (login->cmd->json)
		return CMD_DONE;
	writer_line(out, WRITER_PLAIN, "To sign in to account %s, open on any device", login->account);
	(void)fputc('\n', out->file);
	writer_line(out, WRITER_BOLD, "    %s", uri);
	writer_line(out, WRITER_PLAIN, "and enter the code");
	writer_line(out, WRITER_BOLD, "    %s", code);
	if (whole != NULL)
		writer_line(out, WRITER_PLAIN, "or open %s", whole);
	(void)fputc('\n', out->file);
	if (qr_print(out, whole != NULL ? whole : uri))
		(void)fputc('\n', out->file);
	writer_line(out, WRITER_PLAIN, "Enter only a code that you see here. Waiting, %s at most; Ctrl-C gives up.",
	    login->span);
	(void)fflush(out->file);
	return CMD_DONE;
}

/* The daemon asks the provider, as often as that wants it; here is only waited. */
static int
wait_for_device(struct login *login)
{
	struct json_tree tree = { 0 };
	struct nd_buf body;
	char path[128];
	const char *state;
	nd_ms asked;
	int code;

	(void)snprintf(path, sizeof(path), "%s?wait=%d", login->path, DEVICE_WAIT);
	login_write_body(&body, NULL, NULL, NULL, NULL);
	do {
		json_done(&tree);
		asked = login_now();
		struct link_reply reply;
		struct nd_why why;

		code = login_ask(login->cmd, path, &body, &reply);
		if (code == CMD_DONE && cmd_read(&reply, &tree, &why) != ND_OK)
			code = cmd_fail(login->cmd, &why);
		state = code == CMD_DONE ? json_get_text(tree.root, "state") : "failed";
		if (code == CMD_DONE && reply.status == 200 && login->cmd->json)
			writer_json(&login->cmd->out, nd_buf_text(&reply.body), reply.body.len);
		link_reply_done(&reply);
		if (state != NULL && strcmp(state, "pending") == 0 && login_now() - asked < DEVICE_PAUSE)
			(void)poll(NULL, 0, DEVICE_PAUSE);
	} while (state != NULL && strcmp(state, "pending") == 0 && login_now() < login->ends + ND_SEC(DEVICE_WAIT));
	if (state != NULL && strcmp(state, "pending") == 0)
		code = login_too_late(login);
	else if (code == CMD_DONE && !login->cmd->json)
		login_print_done(login->cmd, login->account, tree.root);
	nd_buf_done(&body);
	json_done(&tree);
	return code;
}

int
login_by_device(struct login *login)
{
	struct json_tree tree;
	int code = login_begin(login, "device", &tree);

	if (code == CMD_DONE)
		code = print_code(login, tree.root);
	if (code == CMD_DONE)
		code = wait_for_device(login);
	json_done(&tree);
	return code;
}
