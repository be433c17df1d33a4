/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_admin.c - notifyctl reload, pause, resume, check: what an operator, or a monitoring system, asks the daemon.  Layer: client. */
#include "client/cmd.h"
#include "common/str.h"

#include <string.h>

/* As notifyd --check tells them. */
static void
tell_faults(struct cmd *cmd, const struct json_node *errors)
{
	const struct json_node *fault;
	const char *file, *field, *detail, *hint;
	int64_t line;

	for (fault = errors->child; fault; fault = fault->next) {
		file = json_get_text(fault, "file");
		field = json_get_text(fault, "field");
		detail = json_get_text(fault, "detail");
		hint = json_get_text(fault, "hint");
		if (!json_int(json_get(fault, "line"), 0, UINT32_MAX, &line))
			line = 0;
		writer_line(&cmd->err, WRITER_PLAIN, "%s:%lld: %s%s%s%s%s", file ? file : "?", (long long)line,
		    field ? field : "", field ? ": " : "", detail ? detail : "?", hint ? "; " : "", hint ? hint : "");
	}
	writer_line(&cmd->err, WRITER_PLAIN, "notifyctl: nothing has changed: the configuration has errors");
}

static int
tell_reloaded(struct cmd *cmd, const struct link_reply *reply, const struct json_node *root)
{
	const struct json_node *accounts = json_get(root, "accounts"), *changed = json_get(root, "changed");

	if (reply->status != 200 && !cmd->json && json_get(root, "errors")) {
		tell_faults(cmd, json_get(root, "errors"));
		return CMD_CONFIG;
	}
	if (reply->status != 200)
		return cmd_problem(cmd, reply);
	if (cmd->json)
		writer_json(&cmd->out, nd_buf_text(&reply->body), reply->body.len);
	else
		writer_line(&cmd->out, WRITER_PLAIN, "the new configuration is in use: %u accounts, %u of them changed",
		    accounts ? accounts->count : 0, changed ? changed->count : 0);
	return CMD_DONE;
}

int
cmd_reload_run(struct cmd *cmd, const struct args *args)
{
	const struct link_request request = { .method = "POST", .path = "/v1/reload" };
	struct json_tree tree = { 0 };
	struct link_reply reply;
	struct nd_why why;
	int code;

	(void)args;
	if (link_call(cmd->socket, &request, &reply, &why) != ND_OK || cmd_read(&reply, &tree, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	else
		code = tell_reloaded(cmd, &reply, tree.root);
	json_done(&tree);
	link_reply_done(&reply);
	return code;
}

/* One account, or without a name the whole queue. */
static int
switch_sending(struct cmd *cmd, const struct args *args, const char *verb)
{
	struct json_tree tree;
	struct nd_buf path;
	int code;

	if (args->word_count > 0) {
		cmd_account_path(args->words[0], "", &path);
	} else {
		nd_buf_init(&path, 1024);
		(void)nd_buf_adds(&path, "/v1/queue");
	}
	nd_buf_addf(&path, "/%s", verb);
	code = cmd_post_json(cmd, nd_buf_text(&path), 0, NULL, &tree);
	if (code == CMD_DONE && !cmd->json)
		writer_line(
		    &cmd->out, WRITER_PLAIN, "%s: %sd", args->word_count > 0 ? args->words[0] : "the queue", verb);
	json_done(&tree);
	nd_buf_done(&path);
	return code;
}

int
cmd_pause_run(struct cmd *cmd, const struct args *args)
{
	return switch_sending(cmd, args, "pause");
}

int
cmd_resume_run(struct cmd *cmd, const struct args *args)
{
	return switch_sending(cmd, args, "resume");
}

/* notifyctl check. The exit codes and the form of the line are those of monitoring plugins. */

enum level { LEVEL_OK, LEVEL_WARNING, LEVEL_CRITICAL, LEVEL_UNKNOWN };

static const char *const level_words[] = {
	[LEVEL_OK] = "OK",
	[LEVEL_WARNING] = "WARNING",
	[LEVEL_CRITICAL] = "CRITICAL",
	[LEVEL_UNKNOWN] = "UNKNOWN",
};

struct finding {
	enum level level;
	struct nd_buf text;
};

static void
find(struct finding *finding, enum level level, const char *what, const char *more)
{
	if (level > finding->level)
		finding->level = level;
	nd_buf_addf(&finding->text, "%s%s%s", finding->text.len > 0 ? "; " : "", what, more ? more : "");
}

static bool
is_one_of(const char *word, const char *const *words)
{
	for (; word && *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static void
judge_accounts(const struct json_node *accounts, struct finding *finding)
{
	static const char *const in_trouble[] = { "failing", "held", "paused", NULL };
	const struct json_node *account = accounts ? accounts->child : NULL;
	const char *name, *state, *reason;
	unsigned all = 0, bad = 0;
	bool quiet;
	char text[600];

	for (; account; account = account->next, all++) {
		name = json_get_text(account, "name");
		state = json_get_text(account, "state");
		reason = json_get_text(account, "reason");
		if (!name || !is_one_of(state, in_trouble))
			continue;
		quiet = json_get(account, "quiet_until") != NULL; /* a known delay, no fault yet */
		bad += strcmp(state, "paused") != 0 && !quiet;
		(void)snprintf(
		    text, sizeof(text), "account %s is %s%s%s", name, state, reason ? ": " : "", reason ? reason : "");
		find(finding, quiet ? LEVEL_OK : LEVEL_WARNING, text, NULL);
	}
	if (all > 0 && bad == all)
		find(finding, LEVEL_CRITICAL, "no account can send", NULL);
	if (all == 0)
		find(finding, LEVEL_WARNING, "no account is set up", NULL);
}

static void
judge_rest(const struct json_node *status, struct finding *finding)
{
	static const char *const grave[] = { "disk-full", "disk-error", "queue-full", NULL };
	static const char *const told[] = { "no-account", NULL }; /* by judge_accounts */
	const struct json_node *warnings = json_get(status, "warnings"), *warning;
	const char *code, *detail;
	int64_t held;
	char text[48];

	for (warning = warnings ? warnings->child : NULL; warning; warning = warning->next) {
		code = json_get_text(warning, "code");
		detail = json_get_text(warning, "detail");
		if (!is_one_of(code, told))
			find(finding, is_one_of(code, grave) ? LEVEL_CRITICAL : LEVEL_WARNING,
			    detail ? detail
			    : code ? code
				   : "?",
			    NULL);
	}
	if (json_int(json_get(json_get(status, "queue"), "held"), 1, INT64_MAX, &held)) {
		(void)snprintf(
		    text, sizeof(text), held == 1 ? "%lld job is held" : "%lld jobs are held", (long long)held);
		find(finding, LEVEL_WARNING, text, NULL);
	}
}

/* What is wrong and not an account's is told to operators only. That nothing is told says nothing then. */
static void
judge_sight(const struct json_node *status, struct finding *finding)
{
	if (!json_get(status, "warnings") && finding->level == LEVEL_OK)
		find(finding, LEVEL_UNKNOWN,
		    "the accounts are well, but only operators are told of the queue and the host: run it as root or "
		    "as a"
		    " member of group notifyd-admin",
		    NULL);
}

static long long
number(const struct json_node *object, const char *key)
{
	int64_t value;

	return json_int(json_get(object, key), 0, INT64_MAX, &value) ? (long long)value : 0;
}

static void
judge(struct cmd *cmd, struct finding *finding, struct nd_buf *figures)
{
	struct link_request request = { .method = "GET", .path = "/v1/status" };
	const struct json_node *queue;
	struct json_tree tree = { 0 };
	struct link_reply reply;
	struct nd_why why;

	if (link_call(cmd->socket, &request, &reply, &why) != ND_OK) {
		find(finding, LEVEL_CRITICAL, why.text, NULL);
	} else if (cmd_read(&reply, &tree, &why) != ND_OK) {
		find(finding, LEVEL_UNKNOWN, why.text, NULL);
	} else if (reply.status != 200) {
		find(finding, reply.status == 503 ? LEVEL_CRITICAL : LEVEL_UNKNOWN,
		    "the daemon refused: ", json_get_text(tree.root, "detail"));
	} else {
		judge_accounts(json_get(tree.root, "accounts"), finding);
		judge_rest(tree.root, finding);
		judge_sight(tree.root, finding);
		queue = json_get(tree.root, "queue");
		nd_buf_addf(figures, " | queued=%lld sending=%lld held=%lld oldest=%llds", number(queue, "queued"),
		    number(queue, "sending"), number(queue, "held"), number(tree.root, "oldest_seconds"));
		if (cmd->json)
			writer_json(&cmd->out, nd_buf_text(&reply.body), reply.body.len);
	}
	json_done(&tree);
	link_reply_done(&reply);
}

int
cmd_check_run(struct cmd *cmd, const struct args *args)
{
	struct finding finding = { 0 };
	struct nd_buf figures;
	char *c;

	(void)args;
	nd_buf_init(&finding.text, 8192);
	nd_buf_init(&figures, 256);
	judge(cmd, &finding, &figures);
	if (finding.level == LEVEL_OK)
		nd_buf_adds(&finding.text, "alerts are being sent");
	for (c = finding.text.octets; c && (c = strchr(c, '|')) != NULL;)
		*c = '/'; /* it parts words from figures */
	if (!cmd->json || figures.len == 0)
		writer_line(&cmd->out, WRITER_PLAIN, "NOTIFYD %s - %s%s", level_words[finding.level],
		    nd_buf_text(&finding.text), nd_buf_text(&figures));
	nd_buf_done(&finding.text);
	nd_buf_done(&figures);
	return (int)finding.level;
}
