/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - notifyctl: the commands, and the options that all of them share.  Layer: client. */
#include "client/cmd.h"
#include "client/help.h"
#include "client/version.h"
#include "common/api.h"
#include "common/str.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* clang-format off */
static const struct cmd_row commands[] = {
	{ "send", "[options]", "Hands one job to the daemon, made of options.", cmd_send_options, cmd_send_run, 0, 0, true },
	{ "submit", "FILE|-", "Hands over jobs that are JSON: an object, an array of them, or several one after another.", cmd_submit_options, cmd_submit_run, 1, 1, true },
	{ "status", "", "Shows the queue, the accounts and what needs a person.", NULL, cmd_status_run, 0, 0, false },
	{ "list", "[filters]", "Lists jobs, newest first.", cmd_list_options, cmd_list_run, 0, 0, false },
	{ "show", "ID", "Shows one job: its state, recipients and attempts.", cmd_show_options, cmd_show_run, 1, 1, false },
	{ "retry", "ID…|--all", "Tries jobs again: queued, held, failed or expired ones.", cmd_act_options, cmd_retry_run, 0, 1000, false },
	{ "hold", "ID…|--all", "Keeps jobs from being sent.", cmd_act_options, cmd_hold_run, 0, 1000, false },
	{ "release", "ID…|--all", "Lets held jobs go.", cmd_act_options, cmd_release_run, 0, 1000, false },
	{ "cancel", "ID…|--all", "Ends jobs that are not sent yet.", cmd_act_options, cmd_cancel_run, 0, 1000, false },
	{ "flush", "", "Tries every queued job at once, and every account in trouble.", NULL, cmd_flush_run, 0, 0, false },
	{ "check", "", "Says as a monitoring plugin whether all is well: one line, exit 0 1 2 3.", NULL, cmd_check_run, 0, 0, false },
	{ "pause", "[ACCOUNT]", "Sends nothing through an account, or at all, until resume.", NULL, cmd_pause_run, 0, 1, false },
	{ "resume", "[ACCOUNT]", "Sends again; an account in trouble is tried at once.", NULL, cmd_resume_run, 0, 1, false },
	{ "reload", "", "Makes the daemon read its configuration again.", NULL, cmd_reload_run, 0, 0, false },
	{ "watch", "[filters]", "Tells what happens as it happens, until it is interrupted.", cmd_watch_options, cmd_watch_run, 0, 0, false },
	{ "wait", "ID…", "Waits until jobs have come to an end, or are held.", cmd_wait_options, cmd_wait_run, 1, 1000, false },
	{ "message", "ID", "Writes the job's message as it is sent.", NULL, cmd_message_run, 1, 1, false },
	{ "account", "list|show|refresh|trust|test|login|logout [NAME]", "Shows the accounts, asks for a new token, shows which certificates an account's server presents, tests an account step by step, or signs in to it and out.", cmd_account_options, cmd_account_run, 1, 2, false },
	{ "explain", "TEXT…|-", "Says what a failure means and what to do about it; needs no daemon.", cmd_explain_options, cmd_explain_run, 1, 1000, false },
	{ "setup", "[PROVIDER]", "Makes an account of microsoft, google, ses or smtp, and prints what its administrator has to do.", cmd_setup_options, cmd_setup_run, 0, 1, false },
	{ "secret", "set|rotate ACCOUNT", "Gives an account a new secret, read from the terminal or stdin: it is tried, used and stored.", cmd_secret_options, cmd_secret_run, 2, 2, false },
	{ "doctor", "", "Looks at this host and every account, and says what is wrong and what to do about it; needs no daemon.", cmd_doctor_options, cmd_doctor_run, 0, 0, false },
	{ "cert", "renew NAME", "Makes a new key and certificate beside those of an account, and takes them into use when they are uploaded.", cmd_cert_options, cmd_cert_run, 2, 2, false },
	{ "backup", "FILE", "Writes a copy of the queue to a tar file, while notifyd runs.", NULL, cmd_backup_run, 1, 1, false },
	{ "state", "adopt|new", "Whose the state of another machine is: adopt sends what is held, new cancels it and starts afresh.", cmd_state_options, cmd_state_run, 1, 1, false },
};

enum { OPT_SOCKET, OPT_JSON, OPT_NO_COLOR, OPT_VERSION, OPT_HELP, SHARED };
static const struct args_option shared[] = {
	[OPT_SOCKET]   = { 0, "socket", "PATH", "The daemon's socket ($NOTIFYD_SOCKET, " API_SOCKET ")." },
	[OPT_JSON]     = { 0, "json", NULL, "Prints the API's JSON; failures are problems (RFC 9457) on stderr." },
	[OPT_NO_COLOR] = { 0, "no-color", NULL, "No colours on a terminal; NO_COLOR does the same." },
	[OPT_VERSION]  = { 0, "version", NULL, "Prints the version." },
	[OPT_HELP]     = { 'h', "help", NULL, "Prints help, also of a command." },
	{ 0 },
};
/* clang-format on */

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))
#define MAX_OPTIONS 64u
#define COMMAND_COLUMN 26u
#define OPTION_COLUMN 31u

/* What the shared options said, before or behind the command. */
struct wish {
	const char *socket;
	bool json, no_color, version, help;
};

static void
take(struct wish *wish, int option, const char *value)
{
	switch (option) {
	case OPT_SOCKET:
		wish->socket = value;
		break;
	case OPT_JSON:
		wish->json = true;
		break;
	case OPT_NO_COLOR:
		wish->no_color = true;
		break;
	case OPT_VERSION:
		wish->version = true;
		break;
	case OPT_HELP:
		wish->help = true;
		break;
	default:
		break;
	}
}

static void
print_options(const struct args_option *options)
{
	char left[80], letter[8];

	for (; options->name != NULL; options++) {
		(void)snprintf(letter, sizeof(letter), options->letter != 0 ? "-%c, " : "    ", options->letter);
		(void)snprintf(left, sizeof(left), "  %s--%s%s%s", letter, options->name,
		    options->value != NULL && options->value[0] != '[' ? " " : "",
		    options->value != NULL ? options->value : "");
		help_entry(stdout, left, OPTION_COLUMN, options->words);
	}
}

static void
print_command(const char *name, const char *arguments, const char *words)
{
	char left[80];

	(void)snprintf(left, sizeof(left), "  %-10s %s", name, arguments);
	help_entry(stdout, left, COMMAND_COLUMN, words);
}

static int
help(const struct cmd_row *row)
{
	size_t i;

	if (row != NULL) {
		(void)printf(
		    "usage: notifyctl %s%s%s\n", row->name, row->arguments[0] != '\0' ? " " : "", row->arguments);
		help_entry(stdout, "", 0, row->words);
		if (row->options != NULL) {
			(void)printf("\noptions:\n");
			print_options(row->options);
		}
	} else {
		(void)printf(
		    "usage: notifyctl [options] COMMAND [arguments]\nTalks to notifyd, which delivers alerts by mail.\n"
		    "\ncommands:\n");
		for (i = 0; i < COMMANDS; i++)
			print_command(commands[i].name, commands[i].arguments, commands[i].words);
		print_command("help", "[COMMAND]", "Prints help, of a command when it is named.");
	}
	(void)printf("\noptions of all commands:\n");
	print_options(shared);
	return CMD_DONE;
}

static int
version(void)
{
	(void)printf("notifyctl %s\n", VERSION_TEXT);
	return CMD_DONE;
}

static const struct cmd_row *
find(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int
unknown(struct cmd *cmd, const char *name)
{
	const char *names[COMMANDS + 2] = { "help" }, *near;
	char hint[80] = "see notifyctl --help";
	struct nd_why why;
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		names[i + 1] = commands[i].name;
	names[COMMANDS + 1] = NULL;
	near = nd_str_nearest(name, names);
	if (near != NULL)
		(void)snprintf(hint, sizeof(hint), "did you mean %s?", near);
	(void)nd_fail(&why, ND_EINVALID, 0, "there is no command \"%.60s\"", name);
	(void)nd_fail_at(&why, "", 0, hint);
	(void)cmd_fail(cmd, &why);
	return CMD_USAGE;
}

/* The command's options, then the shared ones. */
static unsigned
join(const struct cmd_row *row, struct args_option joined[MAX_OPTIONS])
{
	unsigned own = 0, i;

	for (; row->options != NULL && row->options[own].name != NULL && own < MAX_OPTIONS - SHARED - 1; own++)
		joined[own] = row->options[own];
	for (i = 0; i <= SHARED; i++)
		joined[own + i] = shared[i];
	return own;
}

/* Takes the shared options out of `args`, so that the command sees its own alone. */
static void
sort_out(struct args *args, unsigned own, struct wish *wish)
{
	unsigned i, kept = 0;

	for (i = 0; i < args->given_count; i++) {
		if (args->given[i].option >= (int)own)
			take(wish, args->given[i].option - (int)own, args->given[i].value);
		else
			args->given[kept++] = args->given[i];
	}
	args->given_count = kept;
}

static void
set_up(struct cmd *cmd, const struct wish *wish)
{
	const char *named = getenv("NOTIFYD_SOCKET");

	cmd->json = wish->json;
	cmd->socket = wish->socket != NULL ? wish->socket : named != NULL && named[0] != '\0' ? named : API_SOCKET;
	writer_init(&cmd->out, stdout, wish->no_color);
	writer_init(&cmd->err, stderr, wish->no_color);
}

static int
fail(struct cmd *cmd, const struct wish *wish, const struct nd_why *why)
{
	set_up(cmd, wish);
	(void)cmd_fail(cmd, why);
	return CMD_USAGE;
}

/* Output that was lost is a failure, but never one that makes somebody send an accepted job again. */
static int
finish(const struct cmd_row *row, int code)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return code;
	(void)fprintf(stderr, "notifyctl: the output could not be written\n");
	return code == CMD_DONE && (row == NULL || !row->submits) ? CMD_BUG : code;
}

static int
run(struct cmd *cmd, struct wish *wish, const struct cmd_row *row, int argc, char **argv)
{
	struct args_option joined[MAX_OPTIONS];
	unsigned own = join(row, joined);
	struct args args;
	struct nd_why why;
	int code;

	if (args_read(&args, joined, argc, argv, NULL, &why) != ND_OK)
		return fail(cmd, wish, &why);
	sort_out(&args, own, wish);
	set_up(cmd, wish);
	if (wish->help)
		code = help(row);
	else if (wish->version)
		code = version();
	else if (args.word_count < row->words_min)
		code = cmd_usage(cmd, "notifyctl %s needs %s", row->name, row->arguments);
	else if (args.word_count > row->words_max)
		code = cmd_usage(
		    cmd, "notifyctl %s does not know what to do with \"%.60s\"", row->name, args.words[row->words_max]);
	else
		code = row->run(cmd, &args);
	args_done(&args);
	return code;
}

static int
help_about(struct cmd *cmd, int argc, char **argv)
{
	const struct cmd_row *row = NULL;

	if (argc > 0 && strcmp(argv[0], "help") != 0 && argv[0][0] != '-' && (row = find(argv[0])) == NULL)
		return unknown(cmd, argv[0]);
	return help(row);
}

/* Widths of characters need a locale that knows Unicode; nothing else of it is used. */
static void
set_locale(void)
{
	if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

/* Secrets, codes and sensitive messages pass through: no core dump, and no reading by others of our user. */
static void
keep_to_ourselves(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef ND_SANITIZED /* the leak checker reads its own process */
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

int
main(int argc, char **argv)
{
	struct wish wish = { 0 };
	const struct cmd_row *row = NULL;
	struct args args;
	struct cmd cmd = { 0 };
	struct nd_why why;
	int at = 0, code;

	keep_to_ourselves();
	set_locale();
	argc -= argc > 0;
	argv++;
	if (args_read(&args, shared, argc, argv, &at, &why) != ND_OK)
		return fail(&cmd, &wish, &why);
	sort_out(&args, 0, &wish);
	args_done(&args);
	set_up(&cmd, &wish);
	if (at < argc)
		row = find(argv[at]);
	if (wish.version)
		code = version();
	else if (row != NULL)
		code = run(&cmd, &wish, row, argc - at - 1, argv + at + 1);
	else if (wish.help || (at < argc && strcmp(argv[at], "help") == 0))
		code = help_about(&cmd, argc - at - (at < argc), argv + at + (at < argc));
	else if (at < argc)
		code = unknown(&cmd, argv[at]);
	else
		code = cmd_usage(&cmd, "which command? see notifyctl --help");
	return finish(row, code);
}
