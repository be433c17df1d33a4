/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_test.c - notifyctl account test: each step with its time, and what to do where it stops.  Layer: client. */
#include "client/probe.h"
#include "common/stamp.h"

#include <string.h>

struct told {
	struct cmd *cmd;
	int code;
	bool config; /* the configuration is at fault */
	enum explain_lang lang;
};

static void
tell_more(struct told *told, const char *label, const char *text)
{
	if (text != NULL)
		writer_line(&told->cmd->out, WRITER_PLAIN, "  %s: %s", label, text);
}

/* The words of a failure are as they were said, in English: who reads another language has the cause first. */
static void
tell_fault(struct told *told, const struct json_node *step)
{
	const char *cause = json_get_text(step, "cause");
	const enum explain_lang lang = told->lang;
	char span[ND_STAMP_SIZE];
	int64_t value;

	if (lang == EXPLAIN_EN)
		tell_more(told, "cause", cause);
	else if (cause != NULL)
		tell_more(told, "原文", json_get_text(step, "detail"));
	tell_more(told, explain_say(lang, "remedy", "対処"), json_get_text(step, "remedy"));
	if (json_int(json_get(step, "wait_seconds"), 1, INT32_MAX, &value))
		writer_line(&told->cmd->out, WRITER_PLAIN,
		    explain_say(lang, "  worth another try after %s", "  %s 以上待ってから再試行してください"),
		    nd_stamp_span(ND_SEC(value), span));
}

static void
tell_step(struct told *told, const char *name, const struct json_node *step)
{
	struct cmd *cmd = told->cmd;
	const char *detail = json_get_text(step, "detail"), *cause = json_get_text(step, "cause");
	const bool ok = json_true(step, "ok");
	int64_t value = 0;

	(void)json_int(json_get(step, "ms"), 0, INT64_MAX, &value);
	if (!ok && cause != NULL && told->lang != EXPLAIN_EN)
		detail = cause;
	writer_line(&cmd->out, ok ? WRITER_GOOD : WRITER_BAD, "%s %-11s %6lld ms  %s", probe_mark(ok), name,
	    (long long)value, detail != NULL ? detail : "");
	if (ok)
		return;
	told->config = strcmp(name, "config") == 0;
	tell_fault(told, step);
}

static void
tell(void *arg, const struct json_node *step, const char *line, size_t len)
{
	static const enum writer_color colors[] = { WRITER_GOOD, WRITER_WARN };
	struct told *told = arg;
	const char *name = json_get_text(step, "step"), *detail = json_get_text(step, "detail");
	const bool result = strcmp(name, "result") == 0;

	if (result)
		told->code = probe_code(step);
	if (told->cmd->json)
		writer_json(&told->cmd->out, line, len);
	else if (!result)
		tell_step(told, name, step);
	else
		writer_line(&told->cmd->out,
		    told->code == CMD_UNDELIVERED ? WRITER_BAD : colors[told->code != CMD_DONE], "%s",
		    detail != NULL ? detail : "");
	(void)fflush(told->cmd->out.file);
}

int
cmd_test_run(struct cmd *cmd, const struct args *args)
{
	struct told told = { .cmd = cmd, .code = CMD_PROTOCOL, .lang = cmd_language() };
	const struct probe_ask ask = { .name = args->words[1],
		.to = args_value(args, CMD_ACCOUNT_TO),
		.config = args_value(args, CMD_ACCOUNT_CONFIG),
		.no_send = args_has(args, CMD_ACCOUNT_NO_SEND) };
	int code;

	if (ask.to != NULL && ask.no_send)
		return cmd_usage(cmd, "--to and --no-send contradict each other");
	code = probe_ask(cmd, &ask, tell, &told);
	if (code != CMD_DONE)
		return code;
	return told.config ? CMD_CONFIG : told.code;
}
