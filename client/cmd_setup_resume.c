/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_setup_resume.c - notifyctl setup --resume: a real mail is the only proof; it may take the provider half an hour to let it out.  Layer: client. */
#include "client/cmd.h"
#include "client/post.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS 12          /* of five minutes each: one hour */
#define ROUND_SECONDS 300u /* the daemon waits, and answers at once when the mail is out */

static enum nd_err
submit(struct cmd *cmd, const char *account, const char *to, struct link_reply *reply, struct nd_why *why)
{
	struct link_request request = { .method = "POST", .path = "/v1/jobs", .type = "application/json" };
	char key[POST_KEY_SIZE];
	struct json_out out;
	struct nd_buf body;
	enum nd_err err;

	post_key(key);
	nd_buf_init(&body, 65536);
	json_out_init(&out, &body);
	json_out_object(&out, NULL);
	json_out_text(&out, "to", to);
	json_out_text(&out, "subject", "notifyd: this account sends");
	json_out_text(&out, "text", "A test mail of notifyctl setup. Nothing has to be done.\n");
	json_out_text(&out, "severity", "notice");
	json_out_text(&out, "source", "notifyctl");
	json_out_text(&out, "account", account);
	json_out_text(&out, "idempotency_key", key);
	json_out_object_end(&out);
	request.body = nd_buf_text(&body);
	request.len = body.len;
	err = link_call(cmd->socket, &request, reply, why);
	nd_buf_done(&body);
	return err;
}

/* The account is tried at once. */
static void
hurry(struct cmd *cmd, const char *account)
{
	struct link_request request = { .method = "POST" };
	struct link_reply reply;
	struct nd_buf path;
	struct nd_why why;

	cmd_account_path(account, "/refresh", &path);
	request.path = nd_buf_text(&path);
	if (link_call(cmd->socket, &request, &reply, &why) != ND_OK)
		writer_line(&cmd->err, WRITER_WARN, "notifyctl: %s", why.text);
	link_reply_done(&reply);
	nd_buf_done(&path);
}

/* The job after a round; CMD_PENDING: not over yet. */
static int
look(struct cmd *cmd, const char *id, unsigned seconds)
{
	struct link_request request = { .method = "GET", .patience = ND_SEC(seconds) + ND_MIN(1) };
	struct json_tree tree = { 0 };
	struct link_reply reply;
	const char *reason, *state;
	struct nd_why why;
	char path[160];
	int code;

	(void)snprintf(path, sizeof(path), "/v1/jobs/%.60s?wait=%u", id, seconds);
	request.path = path;
	if (link_call(cmd->socket, &request, &reply, &why) != ND_OK || cmd_read(&reply, &tree, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	else if (reply.status != 200 && reply.status != 202)
		code = cmd_problem(cmd, &reply);
	else if (reply.status == 200) {
		code = post_tell_job(cmd, tree.root);
		if (cmd->json)
			writer_json(&cmd->out, nd_buf_text(&reply.body), reply.body.len);
	} else {
		state = json_get_text(tree.root, "state");
		reason = json_get_text(tree.root, "reason");
		writer_line(&cmd->err, WRITER_WARN, "not yet: %s%s%s", state != NULL ? state : "?",
		    reason != NULL ? ": " : "", reason != NULL ? reason : "");
		code = CMD_PENDING;
	}
	json_done(&tree);
	link_reply_done(&reply);
	return code;
}

static int
wait_for(struct cmd *cmd, const char *account, const char *id)
{
	int code = look(cmd, id, 20);

	if (code == CMD_PENDING)
		writer_line(&cmd->err, WRITER_PLAIN,
		    "changes at the provider take up to half an hour: it is tried every 5 minutes, for an hour");
	for (unsigned round = 0; code == CMD_PENDING && round < ROUNDS; round++) {
		hurry(cmd, account);
		code = look(cmd, id, ROUND_SECONDS);
	}
	return code;
}

int
cmd_setup_resume(struct cmd *cmd, const char *account, const char *to)
{
	struct json_tree tree = { 0 };
	struct link_reply reply;
	struct nd_why why;
	int code;

	hurry(cmd, account);
	if (submit(cmd, account, to, &reply, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	else if (reply.status != 202)
		code = cmd_problem(cmd, &reply);
	else if (cmd_read(&reply, &tree, &why) != ND_OK || json_get_text(tree.root, "id") == NULL)
		code = CMD_PROTOCOL;
	else
		code = wait_for(cmd, account, json_get_text(tree.root, "id"));
	json_done(&tree);
	link_reply_done(&reply);
	return code;
}
