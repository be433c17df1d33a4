/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - tests of accounts: asked of the daemon, or of notifyd --probe when there is none.  Layer: client. */
#include "client/probe.h"

#include "client/file.h"
#include "client/program.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>

#define PATIENCE ND_SEC(90) /* for one step */
#define CONFIG_MAX (1024u * 1024u)

struct taker {
	probe_each *each;
	void *arg;
	bool result; /* the last line has come */
};

static void
take_line(void *arg, const char *line, size_t len)
{
	struct taker *taker = arg;
	struct json_tree tree = { 0 };
	const char *step;

	if (json_read(&tree, line, len, &json_limits_small, NULL, NULL) == ND_OK &&
	    (step = json_get_text(tree.root, "step")) != NULL) {
		taker->result = strcmp(step, "result") == 0;
		taker->each(taker->arg, tree.root, line, len);
	}
	json_done(&tree);
}

static bool
take_one(void *arg, const char *line, size_t len)
{
	take_line(arg, line, len);
	return true;
}

static bool
take(void *arg, struct link_reply *reply)
{
	return link_lines(reply, take_one, arg);
}

/* -- without a daemon -- */

static int
ask_program(struct cmd *cmd, const struct probe_ask *ask, struct taker *taker, const struct nd_why *why)
{
	const char *words[9];
	char path[PROGRAM_PATH];
	struct nd_why bug;
	unsigned n = 0;

	if (!program_notifyd(NULL, path)) {
		(void)cmd_fail(cmd, why);
		return CMD_LATER;
	}
	words[n++] = path;
	words[n++] = "--probe";
	words[n++] = ask->name;
	if (ask->config != NULL) {
		words[n++] = "--config";
		words[n++] = ask->config;
	}
	if (ask->no_send)
		words[n++] = "--no-send";
	if (ask->to != NULL) {
		words[n++] = "--to";
		words[n++] = ask->to;
	}
	words[n] = NULL;
	if (program_lines(words, PROGRAM_ALOUD, take_line, taker) < 0 || !taker->result) {
		(void)nd_fail(&bug, ND_EBUG, 0, "%.200s has not told a result", path);
		return cmd_fail(cmd, &bug);
	}
	return CMD_DONE;
}

/* -- by the daemon -- */

static void
write_path(const struct probe_ask *ask, struct nd_buf *path)
{
	char mark = '?';

	cmd_account_path(ask->config == NULL ? ask->name : "test", ask->config == NULL ? "/test" : "", path);
	if (ask->config != NULL) {
		(void)nd_buf_adds(path, "?account=");
		(void)nd_str_percent(path, ask->name, strlen(ask->name));
		mark = '&';
	}
	if (ask->no_send) {
		(void)nd_buf_addf(path, "%csend=no", mark);
		mark = '&';
	}
	if (ask->to != NULL) {
		(void)nd_buf_addf(path, "%cto=", mark);
		(void)nd_str_percent(path, ask->to, strlen(ask->to));
	}
}

static bool
is_away(const struct nd_why *why)
{
	return why->err == ND_ECONNECT && (why->sys_errno == ENOENT || why->sys_errno == ECONNREFUSED);
}

static int
ask_daemon(struct cmd *cmd, const struct probe_ask *ask, const struct nd_buf *config, struct taker *taker)
{
	struct link_request request = { .method = "POST",
		.patience = PATIENCE,
		.language = explain_lang_name(cmd_language()),
		.take = take,
		.arg = taker };
	struct link_reply reply;
	struct nd_buf path;
	struct nd_why why;
	int code = CMD_DONE;

	write_path(ask, &path);
	request.path = nd_buf_text(&path);
	if (ask->config != NULL) {
		request.type = "text/plain";
		request.body = nd_buf_text(config);
		request.len = config->len;
	}
	if (link_call(cmd->socket, &request, &reply, &why) != ND_OK)
		code = is_away(&why) ? ask_program(cmd, ask, taker, &why) : cmd_fail(cmd, &why);
	else if (reply.status != 200)
		code = cmd_problem(cmd, &reply);
	link_reply_done(&reply);
	nd_buf_done(&path);
	return code;
}

int
probe_ask(struct cmd *cmd, const struct probe_ask *ask, probe_each *each, void *arg)
{
	struct taker taker = { .each = each, .arg = arg };
	struct nd_buf config;
	struct nd_why why;
	int code;

	nd_buf_init(&config, CONFIG_MAX);
	if (ask->config != NULL && file_read(ask->config, &config, &why) != ND_OK) {
		(void)cmd_fail(cmd, &why);
		code = CMD_NO_INPUT;
	} else {
		code = ask_daemon(cmd, ask, &config, &taker);
	}
	nd_buf_done(&config);
	return code;
}

/* -- words -- */

int
probe_code(const struct json_node *result)
{
	if (!json_true(result, "ok"))
		return CMD_UNDELIVERED;
	return json_true(result, "proved") ? CMD_DONE : CMD_PENDING;
}

const char *
probe_mark(bool ok)
{
	if (!writer_unicode())
		return ok ? "ok  " : "FAIL";
	return ok ? "✓" : "✗";
}
