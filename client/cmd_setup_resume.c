/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_setup_resume.c - notifyctl setup --resume: it may take the provider half an hour until what was changed there holds.  Layer: client.
 *
 * The account is tested, without a message, until all is well; then a real mail is the only proof, which the queue tries as any other.
 */
#include "client/cmd.h"
#include "client/post.h"
#include "client/probe.h"
#include "common/mem.h"
#include "common/str.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define FOR ND_MIN(60)
#define JOB_WAIT_MAX 300 /* s; what the API waits at most */

struct resume {
	struct cmd *cmd;
	const char *account;
	nd_ms every;
	unsigned rounds; /* left */
	int code;        /* of the last test */
	bool config;     /* that is what has failed */
	bool told;       /* that it takes its time */
	char *mailbox;   /* owned; of the account, as its test says; NULL not known */
};

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
static int
hurry(struct cmd *cmd, const char *account)
{
	struct cmd quiet = *cmd;
	struct json_tree tree;
	struct nd_buf path;
	int code;

	quiet.json = false;
	cmd_account_path(account, "/refresh", &path);
	code = cmd_post_json(&quiet, nd_buf_text(&path), 0, NULL, &tree);
	json_done(&tree);
	nd_buf_done(&path);
	return code;
}

static void
tell_patience(struct resume *resume)
{
	if (!resume->told)
		writer_line(&resume->cmd->err, WRITER_PLAIN,
		    "changes at the provider take up to half an hour: it is tried every %lld s, for an hour",
		    (long long)(resume->every / ND_SEC(1)));
	resume->told = true;
}

/* -- until all is well -- */

static void
take_step(void *arg, const struct json_node *step, const char *line, size_t len)
{
	struct resume *resume = arg;
	const char *name = json_get_text(step, "step"), *detail = json_get_text(step, "detail"),
		   *remedy = json_get_text(step, "remedy"), *to = json_get_text(step, "to");

	(void)line;
	(void)len;
	if (strcmp(name, "result") == 0) {
		resume->code = probe_code(step);
		return;
	}
	if (to != NULL) {
		free(resume->mailbox);
		resume->mailbox = nd_xstrdup(to);
	}
	if (json_get_text(step, "code") == NULL)
		return;
	resume->config = strcmp(name, "config") == 0;
	writer_line(&resume->cmd->err, WRITER_WARN, "not yet: %s: %s", name, detail != NULL ? detail : "");
	if (remedy != NULL)
		writer_line(&resume->cmd->err, WRITER_PLAIN, "  remedy: %s", remedy);
}

static void
pause_for(nd_ms span)
{
	while (poll(NULL, 0, (int)span) < 0 && errno == EINTR)
		;
}

static int
test(struct resume *resume)
{
	const struct probe_ask ask = { .name = resume->account, .no_send = true };
	int code;

	for (;; resume->rounds--) {
		resume->code = CMD_PROTOCOL;
		code = probe_ask(resume->cmd, &ask, take_step, resume);
		if (code != CMD_DONE)
			return code;
		if (resume->code != CMD_UNDELIVERED) /* proved, or as far as it can be without a message */
			return resume->code == CMD_PROTOCOL ? CMD_PROTOCOL : CMD_DONE;
		if (resume->config)
			return CMD_CONFIG;
		if (resume->rounds == 0)
			return CMD_UNDELIVERED;
		tell_patience(resume);
		pause_for(resume->every);
	}
}

/* -- the mail -- */

/* The job after a round; CMD_PENDING: not over yet. */
static int
look(struct cmd *cmd, const char *id, unsigned seconds)
{
	struct link_request request = { .method = "GET", .patience = ND_SEC(seconds) + ND_MIN(1) };
	struct json_tree tree = { 0 };
	struct link_reply reply;
	const char *reason, *state;
	struct nd_why why;
	char path[160], *hint;
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
		if ((hint = cmd_hint(cmd, tree.root)) != NULL)
			writer_line(&cmd->err, WRITER_PLAIN, "  remedy: %s", hint);
		free(hint);
		code = CMD_PENDING;
	}
	json_done(&tree);
	link_reply_done(&reply);
	return code;
}

static int
wait_for(struct resume *resume, const char *id)
{
	const nd_ms most = ND_SEC(JOB_WAIT_MAX);
	const unsigned seconds = (unsigned)((resume->every < most ? resume->every : most) / ND_SEC(1));
	int code = look(resume->cmd, id, 20);

	if (code == CMD_PENDING)
		tell_patience(resume);
	for (; code == CMD_PENDING && resume->rounds > 0; resume->rounds--) {
		(void)hurry(resume->cmd, resume->account);
		code = look(resume->cmd, id, seconds > 0 ? seconds : 1);
	}
	return code;
}

static bool
says(const struct link_reply *reply, enum nd_err err)
{
	struct json_tree tree = { 0 };
	struct nd_why why;
	bool said;

	said = cmd_read(reply, &tree, &why) == ND_OK && json_get_text(tree.root, "code") != NULL &&
	       strcmp(json_get_text(tree.root, "code"), nd_err_name(err)) == 0;
	json_done(&tree);
	return said;
}

/* Without --to: where [daemon] to says; the account's own mailbox, as its test does, where that says nothing. */
static int
send_mail(struct resume *resume, const char *to)
{
	struct cmd *cmd = resume->cmd;
	struct json_tree tree = { 0 };
	struct link_reply reply;
	struct nd_why why;
	enum nd_err err = submit(cmd, resume->account, to, &reply, &why);
	int code;

	if (err == ND_OK && to == NULL && resume->mailbox != NULL && says(&reply, ND_ENORCPT)) {
		link_reply_done(&reply);
		err = submit(cmd, resume->account, resume->mailbox, &reply, &why);
	}
	if (err != ND_OK)
		code = cmd_fail(cmd, &why);
	else if (reply.status != 202)
		code = cmd_problem(cmd, &reply);
	else if (cmd_read(&reply, &tree, &why) != ND_OK || json_get_text(tree.root, "id") == NULL)
		code = CMD_PROTOCOL;
	else
		code = wait_for(resume, json_get_text(tree.root, "id"));
	json_done(&tree);
	link_reply_done(&reply);
	return code;
}

int
cmd_setup_resume(struct cmd *cmd, const char *account, const char *to, nd_ms every)
{
	struct resume resume = { .cmd = cmd, .account = account, .every = every, .rounds = (unsigned)(FOR / every) };
	int code = hurry(cmd, account);

	if (code == CMD_DONE)
		code = test(&resume);
	if (code == CMD_DONE)
		code = hurry(cmd, account);
	if (code == CMD_DONE)
		code = send_mail(&resume, to);
	free(resume.mailbox);
	return code;
}
