/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_act.c - notifyctl retry, hold, release, cancel, flush: what people do to jobs.  Layer: client. */
#include "client/cmd.h"
#include "client/progress.h"
#include "client/terminal.h"
#include "common/job.h"
#include "common/str.h"
#include "common/ulid.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE ND_MIN(10) /* many jobs take their time */

/* The filters are the API's parameters of the same names. */
enum { OPT_STATE, OPT_ALL = 7, OPT_YES };
/* clang-format off */
const struct args_option cmd_act_options[] = {
	[OPT_STATE] = { 0, "state", "STATE[,STATE]", "With --all: only jobs in these states." },
	{ 0, "account", "A[,A]", "With --all: only jobs of these accounts." },
	{ 0, "source", "S[,S]", "With --all: only jobs of these sources." },
	{ 0, "severity", "S[,S]", "With --all: only jobs of these severities." },
	{ 0, "key", "K[,K]", "With --all: only jobs with these keys." },
	{ 0, "since", "T|D", "With --all: only jobs accepted since then." },
	{ 0, "id", "TAIL", "With --all: only jobs whose id ends so." },
	[OPT_ALL] = { 0, "all", NULL, "All jobs that fit the filters, instead of ids." },
	[OPT_YES] = { 'y', "yes", NULL, "Does not ask; needed with --all when there is no terminal." },
	{ 0 },
};
/* clang-format on */

/* The whole id for what a person typed: the daemon changes nothing by a part of one. */
static int
whole_id(struct cmd *cmd, const char *word, char id[ND_ULID_LEN + 1])
{
	struct cmd quiet = *cmd;
	struct json_tree tree = { 0 };
	struct nd_buf path;
	const char *found;
	int code;

	if (nd_ulid_valid(word)) {
		memcpy(id, word, ND_ULID_LEN + 1);
		return CMD_DONE;
	}
	quiet.json = false;
	nd_buf_init(&path, 512);
	nd_buf_adds(&path, "/v1/jobs/");
	nd_str_percent(&path, word, strlen(word));
	code = cmd_get_json(&quiet, nd_buf_text(&path), &tree);
	nd_buf_done(&path);
	found = code == CMD_DONE ? json_get_text(tree.root, "id") : NULL;
	if (found != NULL && nd_ulid_valid(found))
		memcpy(id, found, ND_ULID_LEN + 1);
	else if (code == CMD_DONE)
		code = CMD_PROTOCOL;
	json_done(&tree);
	return code;
}

static int
act_one(struct cmd *cmd, const char *action, const char *word)
{
	char id[ND_ULID_LEN + 1], path[96];
	struct json_tree tree;
	const char *state;
	int code = whole_id(cmd, word, id);

	if (code != CMD_DONE)
		return code;
	(void)snprintf(path, sizeof(path), "/v1/jobs/%s/%s", id, action);
	code = cmd_post_json(cmd, path, PATIENCE, NULL, &tree);
	state = json_get_text(tree.root, "state");
	if (code == CMD_DONE && state != NULL)
		writer_line(&cmd->out, WRITER_PLAIN, "%s %s%s", id, state,
		    strcmp(state, "sending") == 0
			? ": its message has just left; done after the relay's answer, unless it is delivered"
			: "");
	json_done(&tree);
	return code;
}

static void
add_filters(const struct args *args, struct nd_buf *path, char first)
{
	unsigned i;

	for (i = 0; i < args->given_count; i++) {
		if (args->given[i].option >= OPT_ALL)
			continue;
		nd_buf_addf(path, "%c%s=", first, cmd_act_options[args->given[i].option].name);
		nd_str_percent(path, args->given[i].value, strlen(args->given[i].value));
		first = '&';
	}
}

/* Those that the action is about: the list would tell of all that ended in a month, too. */
static void
add_states(enum job_action action, struct nd_buf *path)
{
	const char *before = "&state=";
	unsigned i;

	for (i = 0; i < JOB_STATE_COUNT; i++)
		if (job_action_fits(action, (enum job_state)i)) {
			nd_buf_addf(path, "%s%s", before, job_state_name((enum job_state)i));
			before = ",";
		}
}

/* "12 jobs", or "1000 or more jobs": one page of the list tells. */
static int
count(struct cmd *cmd, enum job_action action, const struct args *args, char words[32])
{
	struct cmd quiet = *cmd;
	const struct json_node *jobs;
	struct json_tree tree;
	struct nd_buf path;
	int code;

	nd_buf_init(&path, 65536);
	nd_buf_adds(&path, "/v1/jobs?limit=1000");
	if (!args_has(args, OPT_STATE))
		add_states(action, &path);
	add_filters(args, &path, '&');
	quiet.json = false;
	code = cmd_get_json(&quiet, nd_buf_text(&path), &tree);
	nd_buf_done(&path);
	jobs = json_get(tree.root, "jobs");
	(void)snprintf(words, 32, "%u%s job%s", jobs != NULL ? jobs->count : 0,
	    json_get_text(tree.root, "next") != NULL ? " or more" : "", jobs != NULL && jobs->count == 1 ? "" : "s");
	json_done(&tree);
	return code;
}

static int
ask(struct cmd *cmd, const char *action, const char *words)
{
	char question[160];

	(void)snprintf(question, sizeof(question), "%s %s, as far as it applies?", action, words);
	return terminal_agrees(question) ? CMD_DONE : cmd_usage(cmd, "nothing was done");
}

/* The daemon answers when all is done: meanwhile people see how many jobs it is about. */
static int
act_on_all(struct cmd *cmd, const char *action, const struct args *args, const char *words)
{
	int64_t matched = 0, changed = 0;
	struct progress progress;
	struct json_tree tree;
	struct nd_buf path;
	char text[96];
	int code;

	progress_init(&progress, &cmd->err, 0);
	(void)snprintf(text, sizeof(text), "%s: %s, please wait", action, words);
	progress_text(&progress, text);
	nd_buf_init(&path, 65536);
	nd_buf_addf(&path, "/v1/jobs/%s", action);
	add_filters(args, &path, '?');
	code = cmd_post_json(cmd, nd_buf_text(&path), PATIENCE, &progress, &tree);
	nd_buf_done(&path);
	if (code == CMD_DONE && tree.root != NULL) {
		(void)json_int(json_get(tree.root, "matched"), 0, INT64_MAX, &matched);
		(void)json_int(json_get(tree.root, "changed"), 0, INT64_MAX, &changed);
		writer_line(
		    &cmd->out, WRITER_PLAIN, "%lld of %lld jobs changed", (long long)changed, (long long)matched);
	}
	json_done(&tree);
	return code;
}

static int
act_all(struct cmd *cmd, enum job_action action, const struct args *args)
{
	const char *name = job_action_name(action);
	bool sure = args_has(args, OPT_YES);
	int code = CMD_DONE;
	char words[32] = "";

	if (!sure && !isatty(STDIN_FILENO))
		return cmd_usage(cmd, "%s --all needs --yes when there is no terminal to ask at", name);
	if (!sure || cmd->err.terminal)
		code = count(cmd, action, args, words);
	if (code == CMD_DONE && !sure)
		code = ask(cmd, name, words);
	return code == CMD_DONE ? act_on_all(cmd, name, args, words) : code;
}

static int
act(struct cmd *cmd, enum job_action action, const struct args *args)
{
	const char *name = job_action_name(action);
	int code = CMD_DONE, one;
	unsigned i;

	if (args_has(args, OPT_ALL) && args->word_count > 0)
		return cmd_usage(cmd, "%s takes ids or --all, not both", name);
	if (args_has(args, OPT_ALL))
		return act_all(cmd, action, args);
	if (args->word_count == 0)
		return cmd_usage(cmd, "%s needs the ids of jobs, or --all", name);
	for (i = 0; i < args->given_count; i++)
		if (args->given[i].option < OPT_ALL)
			return cmd_usage(cmd, "filters go with --all");
	for (i = 0; i < args->word_count; i++) {
		one = act_one(cmd, name, args->words[i]);
		code = one != CMD_DONE ? one : code;
	}
	return code;
}

int
cmd_retry_run(struct cmd *cmd, const struct args *args)
{
	return act(cmd, JOB_RETRY, args);
}

int
cmd_hold_run(struct cmd *cmd, const struct args *args)
{
	return act(cmd, JOB_HOLD, args);
}

int
cmd_release_run(struct cmd *cmd, const struct args *args)
{
	return act(cmd, JOB_RELEASE, args);
}

int
cmd_cancel_run(struct cmd *cmd, const struct args *args)
{
	return act(cmd, JOB_CANCEL, args);
}

int
cmd_flush_run(struct cmd *cmd, const struct args *args)
{
	struct json_tree tree;
	int code = cmd_post_json(cmd, "/v1/queue/flush", PATIENCE, NULL, &tree);

	(void)args;
	if (code == CMD_DONE && tree.root != NULL)
		writer_line(&cmd->out, WRITER_PLAIN, "every queued job is due now");
	json_done(&tree);
	return code;
}
