/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_state.c - notifyctl state adopt, new: whose the state directory of a clone or a restored image is.  Layer: client. */
#include "client/cmd.h"
#include "client/terminal.h"

#include <string.h>
#include <unistd.h>

#define PATIENCE ND_MIN(30) /* a million jobs take their time */

enum { OPT_YES };
/* clang-format off */
const struct args_option cmd_state_options[] = {
	[OPT_YES] = { 'y', "yes", NULL, "With new: does not ask; needed when there is no terminal." },
	{ 0 },
};
/* clang-format on */

/* POST; with `name`: that number of the answer. Else the answer is printed as JSON when that is wished. */
static int
post(struct cmd *cmd, const char *path, const char *name, int64_t *number)
{
	struct json_tree tree;
	int code = cmd_post_json(cmd, path, PATIENCE, NULL, &tree);

	if (name != NULL)
		(void)json_int(json_get(tree.root, name), 0, INT64_MAX, number);
	json_done(&tree);
	return code;
}

static int
adopt(struct cmd *cmd)
{
	int code = post(cmd, "/v1/state/adopt", NULL, NULL);

	if (code == CMD_DONE && !cmd->json)
		writer_line(&cmd->out, WRITER_PLAIN, "the state is this machine's; what was held is sent");
	return code;
}

static int
ask(struct cmd *cmd)
{
	struct cmd quiet = *cmd;
	int64_t jobs = 0;
	char question[128];
	int code;

	quiet.json = false;
	code = post(&quiet, "/v1/state/new?dry_run=1", "jobs", &jobs);
	if (code != CMD_DONE)
		return code;
	(void)snprintf(question, sizeof(question), "cancel %lld unfinished jobs of the other machine and start afresh?",
	    (long long)jobs);
	return terminal_agrees(question) ? CMD_DONE : cmd_usage(cmd, "nothing was done");
}

static int
begin_anew(struct cmd *cmd, bool yes)
{
	int64_t cancelled = 0;
	int code = CMD_DONE;

	if (!yes && !isatty(STDIN_FILENO))
		return cmd_usage(cmd, "state new needs --yes when there is no terminal to ask at");
	if (!yes)
		code = ask(cmd);
	if (code == CMD_DONE)
		code = post(cmd, "/v1/state/new", "cancelled", &cancelled);
	if (code == CMD_DONE && !cmd->json)
		writer_line(&cmd->out, WRITER_PLAIN,
		    "the state is this machine's; %lld jobs of the other one were cancelled", (long long)cancelled);
	return code;
}

int
cmd_state_run(struct cmd *cmd, const struct args *args)
{
	if (strcmp(args->words[0], "new") == 0)
		return begin_anew(cmd, args_has(args, OPT_YES));
	if (strcmp(args->words[0], "adopt") != 0)
		return cmd_usage(cmd, "notifyctl state knows adopt and new, not \"%.60s\"", args->words[0]);
	if (args_has(args, OPT_YES))
		return cmd_usage(cmd, "--yes goes with new");
	return adopt(cmd);
}
