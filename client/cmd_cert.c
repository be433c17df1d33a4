/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cert.c - notifyctl cert renew: a new key and certificate beside those in use, then in their place.  Layer: client. */
#include "client/cmd.h"
#include "client/pair.h"

#include <string.h>
#include <unistd.h>

/* What systemd passed to the running service: copies made at its start. */
#define PASSED "/run/credentials/notifyd.service"

enum { OPT_ACTIVATE, OPT_FOLDER, OPT_CONFIG, OPT_NOTIFYD };
/* clang-format off */
const struct args_option cmd_cert_options[] = {
	[OPT_ACTIVATE] = { 0, "activate", NULL, "Takes the new pair into use; its certificate must be uploaded before." },
	[OPT_FOLDER]   = { 0, "credentials-dir", "DIR", "Where the key is (" DEPOSIT_CREDENTIALS ")." },
	[OPT_CONFIG]   = { 0, "config", "FILE", "The certificate is beside this file (" PAIR_CONFIG ")." },
	[OPT_NOTIFYD]  = { 0, "notifyd", "PATH", "The program that makes the pair (notifyd)." },
	{ 0 },
};
/* clang-format on */

static void
tell_json(struct cmd *cmd, const struct pair *pair, const char *state, bool restart)
{
	enum pair_which which = strcmp(state, "made") == 0 ? PAIR_NEXT : PAIR_USED;
	struct json_out out;
	struct nd_buf buf;

	nd_buf_init(&buf, 65536);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_text(&out, "name", pair->name);
	json_out_text(&out, "state", state);
	json_out_text(&out, "key", pair->path[which].key);
	json_out_text(&out, "certificate", pair->path[which].certificate);
	json_out_bool(&out, "restart", restart);
	json_out_object_end(&out);
	writer_json(&cmd->out, nd_buf_text(&buf), buf.len);
	nd_buf_done(&buf);
}

/* --- the new pair --- */

static int
renew(struct cmd *cmd, const struct pair *pair, const struct args *args)
{
	char program[PROGRAM_PATH];
	struct nd_why why;

	if (!pair_is_there(pair, PAIR_USED)) {
		(void)nd_fail(&why, ND_ENOTFOUND, 0, "there is no pair %.200s and %.100s to renew",
		    pair->path[PAIR_USED].key, pair->path[PAIR_USED].certificate);
		(void)nd_fail_at(&why, "", 0,
		    "the first one is made by notifyctl setup microsoft --certificate, or notifyd --make-certificate");
		(void)cmd_fail(cmd, &why);
		return CMD_NO_INPUT;
	}
	program_notifyd(args_value(args, OPT_NOTIFYD), program);
	if (pair_make(pair, program, true, cmd->json ? PROGRAM_ON_STDERR : PROGRAM_SHOWN, &why) != ND_OK)
		return cmd_fail(cmd, &why);
	if (cmd->json) {
		tell_json(cmd, pair, "made", false);
		return CMD_DONE;
	}
	(void)fputc('\n', cmd->out.file);
	writer_line(&cmd->out, WRITER_PLAIN,
	    "Nothing has changed yet. Upload %s under Certificates & secrets > Certificates, beside the old one; "
	    "then:",
	    pair->path[PAIR_NEXT].certificate);
	writer_line(&cmd->out, WRITER_PLAIN, "    notifyctl cert renew %s --activate", pair->name);
	return CMD_DONE;
}

/* --- taking it into use --- */

static bool
is_passed(const struct pair *pair)
{
	char path[200];

	(void)snprintf(path, sizeof(path), PASSED "/cred_%s-key", pair->name);
	return strcmp(pair->folder, DEPOSIT_CREDENTIALS) == 0 && access(path, F_OK) == 0;
}

/* The daemon has a copy of the old key: a token request now would fail, so none is asked for. */
static int
tell_restart(struct cmd *cmd, const struct pair *pair)
{
	if (cmd->json)
		tell_json(cmd, pair, "activated", true);
	else {
		writer_line(&cmd->out, WRITER_WARN,
		    "notifyd still has the old key: credentials are copies that systemd made at its start. Restart it "
		    "now; "
		    "until then it gets no new token:");
		writer_line(&cmd->out, WRITER_PLAIN, "    systemctl restart notifyd");
	}
	return CMD_DONE;
}

static int
reload(struct cmd *cmd, const struct pair *pair)
{
	struct cmd quiet = *cmd;
	int code;

	quiet.json = false;
	if (cmd->json)
		quiet.out = cmd->err; /* one JSON value on stdout */
	code = cmd_reload_run(&quiet, NULL);
	if (code == CMD_DONE)
		code = cmd_account_refresh(&quiet, pair->name);
	if (code == CMD_DONE && cmd->json)
		tell_json(cmd, pair, "activated", false);
	else if (code == CMD_DONE)
		writer_line(&cmd->out, WRITER_PLAIN,
		    "a token is being asked for with the new pair; see that the account is ok: notifyctl status");
	return code;
}

static int
activate(struct cmd *cmd, const struct pair *pair)
{
	struct nd_why why;

	if (pair_switch(pair, &why) != ND_OK) {
		(void)cmd_fail(cmd, &why);
		return why.err == ND_ESTATE ? CMD_NO_INPUT : CMD_CONFIG;
	}
	if (!cmd->json) {
		writer_line(&cmd->out, WRITER_PLAIN, "%s and %s are the new pair", pair->path[PAIR_USED].key,
		    pair->path[PAIR_USED].certificate);
		writer_line(&cmd->out, WRITER_PLAIN, "the old one is kept: %s and %s", pair->path[PAIR_OLD].key,
		    pair->path[PAIR_OLD].certificate);
	}
	return is_passed(pair) ? tell_restart(cmd, pair) : reload(cmd, pair);
}

int
cmd_cert_run(struct cmd *cmd, const struct args *args)
{
	struct pair pair;
	struct nd_why why;

	if (strcmp(args->words[0], "renew") != 0)
		return cmd_usage(cmd, "notifyctl cert knows renew, not \"%.60s\"", args->words[0]);
	if (pair_name(&pair, args->words[1], args_value(args, OPT_FOLDER), args_value(args, OPT_CONFIG), &why) !=
	    ND_OK) {
		(void)cmd_fail(cmd, &why);
		return CMD_USAGE;
	}
	return args_has(args, OPT_ACTIVATE) ? activate(cmd, &pair) : renew(cmd, &pair, args);
}
