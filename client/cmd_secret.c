/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_secret.c - notifyctl secret set, rotate: the daemon tries a secret and uses it; then it is stored for the next start.  Layer: client. */
#include "client/cmd.h"
#include "client/deposit.h"
#include "client/terminal.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE ND_MIN(2) /* a token request, with its own time limit */

enum { OPT_FIELD, OPT_FOLDER, OPT_SEAL, OPT_NO_SEAL, OPT_NO_TRY };
/* clang-format off */
const struct args_option cmd_secret_options[] = {
	[OPT_FIELD]  = { 'f', "field", "NAME", "client_secret, client_secret_next or password; by itself what the account logs in with." },
	[OPT_FOLDER] = { 0, "credentials-dir", "DIR", "Where credential:NAME is stored (" DEPOSIT_CREDENTIALS ")." },
	[OPT_SEAL]   = { 0, "seal", NULL, "Encrypts it to this machine (systemd-creds), in DIR.encrypted, or fails; without it that is done where it works." },
	[OPT_NO_SEAL] = { 0, "no-seal", NULL, "Does not encrypt it; one that is encrypted already stays so." },
	[OPT_NO_TRY] = { 0, "no-try", NULL, "Takes it without trying it." },
	{ 0 },
};
/* clang-format on */

struct giving { /* one run */
	struct cmd *cmd;
	const char *account, *folder;
	enum deposit_seal seal;
	bool try;
	struct nd_secret secret;
	struct deposit_done stored;
	char *reference; /* owned */
	bool loaded;     /* systemd hands it over: it may be sealed */
	uid_t reader;    /* who reads it where it is stored */
	char detail[200];
	bool tried;
};

static void
write_request(const struct giving *giving, const char *field, bool try, struct nd_buf *body)
{
	struct json_out out;

	nd_buf_init(body, 1u << 20);
	json_out_init(&out, body);
	json_out_object(&out, NULL);
	json_out_text(&out, "field", field);
	json_out_textn(&out, "secret", giving->secret.octets, giving->secret.len);
	json_out_bool(&out, "try", try);
	json_out_object_end(&out);
}

static int
read_answer(struct giving *giving, const struct link_reply *reply)
{
	struct json_tree tree = { 0 };
	const struct json_node *tried, *loaded;
	const char *detail;
	int64_t uid = 0;
	struct nd_why why;

	if (reply->status != 200)
		return cmd_problem(giving->cmd, reply);
	if (cmd_read(reply, &tree, &why) != ND_OK) {
		json_done(&tree);
		return cmd_fail(giving->cmd, &why);
	}
	tried = json_get(tree.root, "tried");
	detail = json_get_text(tree.root, "detail");
	giving->tried |= tried != NULL && tried->type == JSON_BOOL && tried->boolean;
	(void)snprintf(giving->detail, sizeof(giving->detail), "%s", detail != NULL ? detail : "");
	free(giving->reference);
	giving->reference = nd_xstrdup(json_get_text(tree.root, "reference"));
	loaded = json_get(tree.root, "loaded");
	giving->loaded = loaded != NULL && loaded->type == JSON_BOOL && loaded->boolean;
	giving->reader = DEPOSIT_WRITER; /* systemd reads it as root */
	if (!giving->loaded && json_int(json_get(tree.root, "uid"), 0, UINT32_MAX - 1, &uid))
		giving->reader = (uid_t)uid;
	json_done(&tree);
	return CMD_DONE;
}

static int
hand_over(struct giving *giving, const char *field, bool try)
{
	struct link_request request = { .method = "PUT", .type = "application/json", .patience = PATIENCE };
	struct nd_buf path, body;
	struct link_reply reply;
	struct nd_why why;
	int code;

	cmd_account_path(giving->account, "/secret", &path);
	write_request(giving, field, try, &body);
	request.path = nd_buf_text(&path);
	request.body = nd_buf_text(&body);
	request.len = body.len;
	if (link_call(giving->cmd->socket, &request, &reply, &why) != ND_OK)
		code = cmd_fail(giving->cmd, &why);
	else
		code = read_answer(giving, &reply);
	link_reply_done(&reply);
	nd_buf_wipe(&body);
	nd_buf_done(&path);
	return code;
}

/* The daemon uses it already: whatever happens here, that is told. */
static int
keep(struct giving *giving)
{
	/* a notifyd that was not started by systemd reads plain files alone */
	const enum deposit_seal seal =
	    giving->seal == DEPOSIT_WHERE_IT_WORKS && !giving->loaded ? DEPOSIT_PLAIN : giving->seal;
	const struct deposit_place place = { giving->folder, giving->reference, seal, giving->reader };
	struct nd_why why;
	int code;

	if (deposit_secret(&place, &giving->secret, &giving->stored, &why) == ND_OK)
		return CMD_DONE;
	code = cmd_fail(giving->cmd, &why);
	if (!giving->cmd->json)
		writer_line(&giving->cmd->err, WRITER_PLAIN,
		    "notifyctl: notifyd uses the new secret until it is started again, but it is not stored");
	return why.err == ND_ESTATE ? CMD_CONFIG : code;
}

static void
tell(struct giving *giving, const char *field, bool rotated)
{
	struct json_out out;
	struct nd_buf buf;

	if (giving->cmd->json) {
		nd_buf_init(&buf, 65536);
		json_out_init(&out, &buf);
		json_out_object(&out, NULL);
		json_out_text(&out, "account", giving->account);
		json_out_text(&out, "field", field);
		json_out_bool(&out, "tried", giving->tried);
		json_out_text(&out, "detail", giving->detail);
		json_out_text(&out, "path", giving->stored.path);
		json_out_bool(&out, "sealed", giving->stored.sealed);
		json_out_text(&out, "remark", giving->stored.remark[0] != '\0' ? giving->stored.remark : NULL);
		json_out_object_end(&out);
		writer_json(&giving->cmd->out, nd_buf_text(&buf), buf.len);
		nd_buf_done(&buf);
		return;
	}
	writer_line(&giving->cmd->out, WRITER_PLAIN, "%s: %s is in use (%s) and stored in %s%s", giving->account, field,
	    giving->detail, giving->stored.path, giving->stored.sealed ? ", encrypted to this machine" : "");
	if (giving->stored.remark[0] != '\0')
		writer_line(&giving->cmd->out, WRITER_WARN, "it is not encrypted, only its owner can read it: %s",
		    giving->stored.remark);
	if (strcmp(field, "password") == 0 && giving->tried)
		return;
	if (strcmp(field, "password") == 0)
		writer_line(&giving->cmd->out, WRITER_PLAIN, "see that the account is ok: notifyctl status");
	else
		writer_line(&giving->cmd->out, WRITER_PLAIN,
		    "set the date on which it ends, to be warned in time: client_secret_expires = YYYY-MM-DD");
	if (rotated)
		writer_line(&giving->cmd->out, WRITER_PLAIN, "the old secret may be deleted at the provider now");
}

static int
set(struct giving *giving, const char *field)
{
	int code = hand_over(giving, field, giving->try);

	if (code == CMD_DONE)
		code = keep(giving);
	if (code == CMD_DONE)
		tell(giving, field, false);
	return code;
}

/* Tried beside the old one, stored as the next one where the account names a place for it, then in the old one's place:
 * at every moment one that works is stored. */
static int
rotate(struct giving *giving)
{
	char detail[sizeof(giving->detail)];
	int code = hand_over(giving, "client_secret_next", giving->try);

	memcpy(detail, giving->detail, sizeof(detail));
	if (code == CMD_DONE && giving->reference != NULL && giving->reference[0] != '\0')
		code = keep(giving);
	if (code == CMD_DONE)
		code = hand_over(giving, "client_secret", false);
	memcpy(giving->detail, detail, sizeof(detail));
	if (code == CMD_DONE)
		code = keep(giving);
	if (code == CMD_DONE)
		tell(giving, "client_secret", true);
	return code;
}

/* What the account logs in with: nobody should have to know. */
static int
choose_field(struct giving *giving, const char **field)
{
	struct cmd quiet = *giving->cmd;
	struct json_tree tree;
	struct nd_buf path;
	const char *auth;
	int code;

	quiet.json = false;
	cmd_account_path(giving->account, "", &path);
	code = cmd_get_json(&quiet, nd_buf_text(&path), &tree);
	auth = code == CMD_DONE ? json_get_text(tree.root, "auth") : NULL;
	*field = auth != NULL && strcmp(auth, "password") == 0 ? "password" : "client_secret";
	json_done(&tree);
	nd_buf_done(&path);
	return code;
}

static int
run(struct giving *giving, bool rotating, const char *field)
{
	char question[200];
	struct nd_why why;
	int code = CMD_DONE;

	if (field == NULL && !rotating)
		code = choose_field(giving, &field);
	if (code != CMD_DONE)
		return code;
	(void)snprintf(
	    question, sizeof(question), "new %s of account %.60s", rotating ? "client_secret" : field, giving->account);
	if (terminal_secret(question, &giving->secret, &why) != ND_OK)
		return cmd_fail(giving->cmd, &why);
	return rotating ? rotate(giving) : set(giving, field);
}

int
cmd_secret_run(struct cmd *cmd, const struct args *args)
{
	struct giving giving = { .cmd = cmd,
		.account = args->words[1],
		.folder = args_value(args, OPT_FOLDER),
		.seal = args_has(args, OPT_SEAL)      ? DEPOSIT_SEALED
			: args_has(args, OPT_NO_SEAL) ? DEPOSIT_PLAIN
						      : DEPOSIT_WHERE_IT_WORKS,
		.try = !args_has(args, OPT_NO_TRY) };
	const char *field = args_value(args, OPT_FIELD);
	bool rotating = strcmp(args->words[0], "rotate") == 0;
	int code;

	if (!rotating && strcmp(args->words[0], "set") != 0)
		return cmd_usage(cmd, "notifyctl secret knows set and rotate, not \"%.60s\"", args->words[0]);
	if (rotating && field != NULL)
		return cmd_usage(cmd, "secret rotate is about client_secret: no --field");
	if (args_has(args, OPT_SEAL) && args_has(args, OPT_NO_SEAL))
		return cmd_usage(cmd, "--seal and --no-seal: give one");
	if (giving.folder == NULL)
		giving.folder = DEPOSIT_CREDENTIALS;
	code = run(&giving, rotating, field);
	nd_secret_done(&giving.secret);
	free(giving.reference);
	return code;
}
