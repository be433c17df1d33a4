/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_login.c - notifyctl account login and logout.  Layer: client.
 *
 * The daemon makes the address, keeps what proves the sign-in to be ours, and talks to the provider; here is the person: a browser that comes
 * back to a page of this machine, or whose last address is pasted, or another device with a code.
 */
#include "client/login.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
give_up(int number)
{
	static const char words[] = "\nnotifyctl: given up\n";

	paste_restore();
	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0) {
		/* nobody reads it */
	}
	(void)raise(number); /* by its default now: who called sees why this ended */
}

static void
mind_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = give_up, .sa_flags = (int)SA_RESETHAND };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)sigaction(numbers[i], &action, NULL);
}

int
cmd_login_run(struct cmd *cmd, const struct args *args)
{
	bool paste = args_has(args, CMD_ACCOUNT_PASTE), device = args_has(args, CMD_ACCOUNT_DEVICE);
	struct login login = { .cmd = cmd, .account = args->words[1] };
	const char *provider, *grant;
	struct json_tree tree;
	struct nd_buf path;
	int code;

	if (paste && device)
		return cmd_usage(cmd, "--paste and --device are two ways to sign in: give one");
	cmd->account = login.account;
	cmd_account_path(login.account, "", &path);
	code = login_ask_json(cmd, nd_buf_text(&path), NULL, &tree);
	nd_buf_done(&path);
	provider = json_get_text(tree.root, "provider");
	grant = json_get_text(tree.root, "grant");
	login.microsoft = provider == NULL || strncmp(provider, "microsoft", 9) == 0;
	device = device || (!paste && grant != NULL && strcmp(grant, "device_code") == 0);
	json_done(&tree);
	back_init(&login.back);
	mind_signals();
	if (code != CMD_DONE)
		return code;
	return device ? login_by_device(&login) : login_by_browser(&login, paste);
}

static bool
is_sure(struct cmd *cmd, const char *name)
{
	char line[8] = "";

	(void)fprintf(
	    cmd->err.file, "sign out of account %s? Its mail waits until somebody signs in again. [y/N] ", name);
	(void)fflush(cmd->err.file);
	return fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
}

int
cmd_logout_run(struct cmd *cmd, const struct args *args)
{
	const char *name = args->words[1], *detail;
	const struct json_node *revoked;
	struct json_tree tree;
	struct nd_buf path, body;
	int code;

	if (!args_has(args, CMD_ACCOUNT_YES) && !isatty(STDIN_FILENO))
		return cmd_usage(cmd, "account logout needs --yes when there is no terminal to ask at");
	if (!args_has(args, CMD_ACCOUNT_YES) && !is_sure(cmd, name))
		return cmd_usage(cmd, "nothing was done");
	cmd_account_path(name, "/logout", &path);
	login_write_body(&body, NULL, NULL, NULL, NULL);
	code = login_ask_json(cmd, nd_buf_text(&path), &body, &tree);
	if (code == CMD_DONE && !cmd->json) {
		revoked = json_get(tree.root, "revoked");
		detail = json_get_text(tree.root, "detail");
		bool gone = revoked != NULL && revoked->type == JSON_BOOL && revoked->boolean;
		writer_line(&cmd->out, WRITER_GOOD, "signed out of account %s", name);
		if (detail != NULL)
			writer_line(&cmd->out, gone ? WRITER_PLAIN : WRITER_WARN, "%s", detail);
	}
	json_done(&tree);
	nd_buf_done(&body);
	nd_buf_done(&path);
	return code;
}
