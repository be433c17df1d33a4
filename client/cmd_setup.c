/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_setup.c - notifyctl setup: asks what an account needs, writes a checked drop-in, prints the sheet for the administrator.  Layer: client. */
#include "client/cmd.h"
#include "client/deposit.h"
#include "client/pair.h"
#include "client/program.h"
#include "client/setup.h"
#include "client/terminal.h"
#include "common/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	OPT_NAME,
	OPT_FROM,
	OPT_USER,
	OPT_TENANT,
	OPT_CLIENT,
	OPT_HOST,
	OPT_EXPIRES,
	OPT_GRANT,
	OPT_OUTPUT,
	OPT_YES,
	OPT_NOTIFYD,
	OPT_RESUME,
	OPT_TO,
	OPT_EVERY,
	OPT_CERTIFICATE,
	OPT_FOLDER,
	OPT_CONFIG,
	OPT_CLOUD,
	OPT_HVE
};
/* clang-format off */
const struct args_option cmd_setup_options[] = {
	[OPT_NAME]    = { 0, "name", "NAME", "The account's name." },
	[OPT_FROM]    = { 0, "from", "ADDR", "The address mails come from." },
	[OPT_USER]    = { 0, "user", "USER", "The mailbox or user that logs in; by itself the address mails come from." },
	[OPT_TENANT]  = { 0, "tenant", "ID", "microsoft: the Directory (tenant) ID." },
	[OPT_CLIENT]  = { 0, "client-id", "ID", "microsoft, google: the application (client) ID; of google not needed where its client JSON is the secret." },
	[OPT_HOST]    = { 0, "host", "HOST", "smtp, ses: the mail server; of ses the name of a region will do." },
	[OPT_EXPIRES] = { 0, "expires", "DATE", "The last day of the client secret, to be warned in time." },
	[OPT_GRANT]   = { 0, "grant", "GRANT", "microsoft: client_credentials rbac authorization_code device_code; google: authorization_code jwt_bearer password; smtp: password none." },
	[OPT_OUTPUT]  = { 'o', "output", "FILE|-", "Writes there instead of conf.d/NAME.conf beside notifyd.conf; -: all to stdout, the sheet as comments." },
	[OPT_YES]     = { 'y', "yes", NULL, "Asks nothing; overwrites the file." },
	[OPT_NOTIFYD] = { 0, "notifyd", "PATH", "The program that checks the settings and makes the key (notifyd)." },
	[OPT_RESUME]  = { 0, "resume", "NAME", "Tests the account until all is well, then sends a test mail through it: for an hour at most." },
	[OPT_TO]      = { 0, "to", "ADDR", "With --resume: where to; [daemon] to, else the account's own mailbox." },
	[OPT_EVERY]   = { 0, "every", "D", "With --resume: the time between two tests (5m)." },
	[OPT_CERTIFICATE] = { 0, "certificate", NULL, "microsoft: instead of a client secret, a key that is made here and stays here, and its certificate." },
	[OPT_FOLDER]  = { 0, "credentials-dir", "DIR", "With --certificate: where the key is stored (" DEPOSIT_CREDENTIALS ")." },
	[OPT_CONFIG]  = { 0, "config", "FILE", "The configuration that the account joins: its settings go to conf.d beside it, and a certificate too (" PAIR_CONFIG ")." },
	[OPT_CLOUD]   = { 0, "cloud", "CLOUD", "microsoft: usgov (GCC High), dod or china, where it is not the worldwide cloud." },
	[OPT_HVE]     = { 0, "hve", NULL, "microsoft: a High Volume Email account, which sends to internal recipients only." },
	{ 0 },
};
/* clang-format on */

static enum nd_err
find_way(const char *provider, const char *grant, bool certificate, enum setup_way *way, struct nd_why *why)
{
	bool known = false;

	for (unsigned i = 0; i < SETUP_WAYS; i++) {
		if (strcmp(setup_ways[i].provider, provider) != 0)
			continue;
		known = true;
		if ((grant == NULL || strcmp(setup_ways[i].grant, grant) == 0) &&
		    setup_ways[i].certificate == certificate) {
			*way = (enum setup_way)i;
			return ND_OK;
		}
	}
	if (known && certificate)
		(void)nd_fail(why, ND_EINVALID, 0,
		    "--certificate goes with microsoft, and with --grant client_credentials or rbac");
	else if (known)
		(void)nd_fail(why, ND_EINVALID, 0, "setup %s does not know --grant %.40s", provider, grant);
	else
		(void)nd_fail(
		    why, ND_EINVALID, 0, "setup knows microsoft, google, ses and smtp, not \"%.40s\"", provider);
	return nd_fail_at(why, "", 0, "see notifyctl setup --help");
}

/* Microsoft's, by --cloud and --hve; what is known of High Volume Email is about applications of the worldwide cloud. */
static enum nd_err
find_variant(struct setup *setup, const char *cloud, bool hve, struct nd_why *why)
{
	const struct setup_way_row *way = &setup_ways[setup->way];
	unsigned i = SETUP_WORLDWIDE;

	setup->variant = SETUP_WORLDWIDE;
	if (strcmp(way->provider, "microsoft") != 0)
		return cloud == NULL && !hve ? ND_OK
					     : nd_fail(why, ND_EINVALID, 0, "--cloud and --hve go with microsoft");
	if (hve && (cloud != NULL || strcmp(way->grant, "client_credentials") != 0))
		return nd_fail(why, ND_EINVALID, 0, "--hve goes with --grant client_credentials, and without --cloud");
	if (hve)
		i = SETUP_HVE;
	else if (cloud != NULL) {
		for (i = 0; i < SETUP_HVE && strcmp(setup_variants[i].cloud, cloud) != 0; i++)
			;
		if (i == SETUP_HVE)
			return nd_fail(why, ND_EINVALID, 0, "--cloud takes usgov, dod or china");
	}
	setup->variant = (enum setup_variant)i;
	setup->value[SETUP_PROVIDER] = nd_xstrdup(i == SETUP_WORLDWIDE ? way->provider : setup_variants[i].provider);
	return ND_OK;
}

/* The name becomes a file's and a credential's; line ends would be further settings. */
static enum nd_err
check_value(enum setup_value value, const char *text, bool optional, struct nd_why *why)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len = strlen(text);

	if (len == 0 && !optional)
		return nd_fail(why, ND_EINVALID, 0, "%s is missing", setup_questions[value].key);
	if (nd_str_has_control(text, len) || (len > 0 && text[len - 1] == '\\'))
		return nd_fail(
		    why, ND_EINVALID, 0, "%s has characters that are not allowed", setup_questions[value].key);
	if (value == SETUP_NAME && (strspn(text, letters) != len || len > 40 || text[0] == '-'))
		return nd_fail(why, ND_EINVALID, 0, "name has up to 40 letters, digits, _ and -");
	return ND_OK;
}

/* Of from, without its name. Owned; NULL none. */
static char *
address_of(const struct setup *setup)
{
	const char *from = setup->value[SETUP_FROM];
	struct nd_mailbox mailbox;
	char *address = NULL;

	if (from != NULL && nd_str_mailbox(from, strlen(from), &mailbox, NULL) == ND_OK) {
		address = nd_xstrdup(mailbox.address);
		nd_mailbox_done(&mailbox);
	}
	return address;
}

/* What is right unless something else is said. Owned. */
static char *
initial(const struct setup *setup, enum setup_value value)
{
	if (value == SETUP_NAME)
		return nd_xstrdup(setup_ways[setup->way].name);
	return value != SETUP_USER || setup->way == SETUP_SES ? NULL : address_of(setup);
}

/* "eu-west-1" is enough of SES. */
static void
finish_value(struct setup *setup, enum setup_value value)
{
	char *host = setup->value[value], whole[300];

	if (value != SETUP_HOST || setup->way != SETUP_SES || strchr(host, '.') != NULL)
		return;
	(void)snprintf(whole, sizeof(whole), "email-smtp.%.200s.amazonaws.com", host);
	setup->value[value] = nd_xstrdup(whole);
	free(host);
}

static enum nd_err
take_value(struct setup *setup, enum setup_value value, bool optional, const char *given, bool ask, struct nd_why *why)
{
	const struct setup_question *row = &setup_questions[value];
	char *said = given != NULL ? nd_xstrdup(given) : NULL, *first = given == NULL ? initial(setup, value) : NULL;
	char question[300];

	(void)snprintf(question, sizeof(question), "%s%s%s%s", row->question, optional ? " (empty: " : "",
	    optional ? row->empty : "", optional ? ")" : "");
	if (said == NULL && ask)
		said = terminal_ask(question, first);
	else if (said == NULL)
		said = nd_xstrdup(first);
	free(first);
	setup->value[value] = said != NULL ? said : nd_xstrdup("");
	if (check_value(value, setup->value[value], optional, why) != ND_OK)
		return why->err;
	finish_value(setup, value);
	return ND_OK;
}

static enum nd_err
take_values(struct setup *setup, const struct args *args, bool ask, struct nd_why *why)
{
	const char *needs = setup_ways[setup->way].needs;
	bool optional;
	unsigned i;
	char letter;

	for (; *needs != '\0'; needs++) {
		optional = *needs >= 'A' && *needs <= 'Z';
		letter = optional ? (char)(*needs - 'A' + 'a') : *needs;
		for (i = 0; i < SETUP_VALUES && setup_questions[i].letter != letter; i++)
			;
		if (i < SETUP_VALUES && take_value(setup, (enum setup_value)i, optional,
					    args_value(args, OPT_NAME + (int)i), ask, why) != ND_OK)
			return why->err;
	}
	return ND_OK;
}

static int
say_all(struct cmd *cmd, const struct setup *setup, const struct nd_buf *settings)
{
	struct nd_buf sheet;

	nd_buf_init(&sheet, 65536);
	setup_sheet(setup, cmd_language(), "# ", &sheet);
	writer_message(&cmd->out, nd_buf_text(settings), settings->len);
	writer_message(&cmd->out, nd_buf_text(&sheet), sheet.len);
	nd_buf_done(&sheet);
	return CMD_DONE;
}

/* It is there, or the file tells why not. A new one must be for the daemon to read, whatever our umask. */
static void
make_folder(const char *path)
{
	char folder[DEPOSIT_PATH];

	(void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	if (mkdir(folder, 0755) == 0)
		(void)chmod(folder, 0755);
}

static int
write_settings(struct cmd *cmd, const struct setup *setup, const char *path, const struct nd_buf *settings)
{
	struct nd_buf sheet;
	struct nd_why why;

	if (deposit_write(path, nd_buf_text(settings), settings->len, 0644, &why) != ND_OK)
		return cmd_fail(cmd, &why);
	writer_line(&cmd->out, WRITER_PLAIN, "%s is written; to use it: notifyctl reload", path);
	(void)fputc('\n', cmd->out.file);
	nd_buf_init(&sheet, 65536);
	setup_sheet(setup, cmd_language(), "", &sheet);
	writer_message(&cmd->out, nd_buf_text(&sheet), sheet.len);
	nd_buf_done(&sheet);
	return CMD_DONE;
}

static bool
may_write(const char *path, bool yes, bool ask)
{
	char question[DEPOSIT_PATH + 40];

	if (yes || access(path, F_OK) != 0)
		return true;
	(void)snprintf(question, sizeof(question), "%s is there: overwrite it?", path);
	return ask && terminal_agrees(question);
}

/* A pair that is there is used: a second run with other words does not make a second key. The sheet has its certificate. */
static int
make_pair(struct cmd *cmd, struct setup *setup, const struct pair *pair, const char *program)
{
	struct nd_why why;

	if (!setup_ways[setup->way].certificate)
		return CMD_DONE;
	if (pair_is_there(pair, PAIR_USED)) {
		writer_line(&cmd->err, WRITER_PLAIN, "%s and %s are there, and are used", pair->path[PAIR_USED].key,
		    pair->path[PAIR_USED].certificate);
	} else if (pair_make(pair, program, false, PROGRAM_ON_STDERR, &why) != ND_OK) {
		return cmd_fail(cmd, &why);
	}
	return pair_show(pair, program, &setup->value[SETUP_THUMBPRINT], &setup->value[SETUP_PEM], &why) == ND_OK
		   ? CMD_DONE
		   : cmd_fail(cmd, &why);
}

static enum nd_err
name_pair(struct setup *setup, const struct args *args, struct pair *pair, struct nd_why *why)
{
	if (!setup_ways[setup->way].certificate)
		return ND_OK;
	if (pair_name(pair, setup->value[SETUP_NAME], args_value(args, OPT_FOLDER), args_value(args, OPT_CONFIG),
		why) != ND_OK)
		return why->err;
	setup->value[SETUP_CERTIFICATE] = nd_xstrdup(pair->path[PAIR_USED].certificate);
	return ND_OK;
}

static int
make(struct cmd *cmd, struct setup *setup, const struct args *args)
{
	bool yes = args_has(args, OPT_YES), ask = !yes && terminal_here();
	const char *output = args_value(args, OPT_OUTPUT), *config = args_value(args, OPT_CONFIG);
	char path[DEPOSIT_PATH], program[PROGRAM_PATH];
	struct setup_check wish = { .program = program, .config = config != NULL ? config : PAIR_CONFIG };
	struct pair pair;
	struct nd_buf settings;
	bool unlisted = false;
	struct nd_why why;
	int code;

	program_notifyd(args_value(args, OPT_NOTIFYD), program);
	if (take_values(setup, args, ask, &why) != ND_OK || name_pair(setup, args, &pair, &why) != ND_OK) {
		(void)cmd_fail(cmd, &why);
		return CMD_USAGE;
	}
	setup->value[SETUP_ADDRESS] = address_of(setup);
	if (!setup_drop_in(wish.config, setup->value[SETUP_NAME], path, sizeof(path)))
		return cmd_usage(cmd, "the path of --config is too long");
	nd_buf_init(&settings, 65536);
	setup_settings(setup, &settings);
	wish.settings = &settings;
	wish.name = setup->value[SETUP_NAME];
	wish.output = output != NULL ? output : path;
	if (setup_check(&wish, &unlisted, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	else if (strcmp(wish.output, "-") != 0 && !may_write(wish.output, yes, ask))
		code = cmd_usage(cmd, "%s is there, and was not overwritten", wish.output);
	else
		code = make_pair(cmd, setup, &pair, program);
	if (code == CMD_DONE && output == NULL)
		make_folder(path);
	if (code == CMD_DONE)
		code = strcmp(wish.output, "-") == 0 ? say_all(cmd, setup, &settings)
						     : write_settings(cmd, setup, wish.output, &settings);
	if (code == CMD_DONE && unlisted)
		writer_line(&cmd->err, WRITER_WARN,
		    "notifyctl: warning: [daemon] accounts does not name %s: no alert goes by it unless the job names "
		    "it; add it there",
		    wish.name);
	nd_buf_done(&settings);
	return code;
}

int
cmd_setup_run(struct cmd *cmd, const struct args *args)
{
	const char *resume = args_value(args, OPT_RESUME);
	struct setup setup = { 0 };
	nd_ms every = ND_MIN(5);
	struct nd_why why;
	int code;

	if ((resume == NULL) == (args->word_count == 0))
		return cmd_usage(cmd, "setup needs one of microsoft, google, ses, smtp, or --resume NAME");
	if (resume == NULL && (args_has(args, OPT_TO) || args_has(args, OPT_EVERY)))
		return cmd_usage(cmd, "--to and --every go with --resume");
	if (args_has(args, OPT_EVERY) &&
	    (!nd_str_duration(args_value(args, OPT_EVERY), &every) || every < ND_SEC(1) || every > ND_MIN(60)))
		return cmd_usage(cmd, "--every takes 1s to 60m");
	if (resume != NULL)
		return cmd_setup_resume(cmd, resume, args_value(args, OPT_TO), every);
	if (!args_has(args, OPT_CERTIFICATE) && args_has(args, OPT_FOLDER))
		return cmd_usage(cmd, "--credentials-dir goes with --certificate");
	if (find_way(args->words[0], args_value(args, OPT_GRANT), args_has(args, OPT_CERTIFICATE), &setup.way, &why) !=
		ND_OK ||
	    find_variant(&setup, args_value(args, OPT_CLOUD), args_has(args, OPT_HVE), &why) != ND_OK) {
		(void)cmd_fail(cmd, &why);
		return CMD_USAGE;
	}
	code = make(cmd, &setup, args);
	for (unsigned i = 0; i < SETUP_VALUES; i++)
		free(setup.value[i]);
	return code;
}
