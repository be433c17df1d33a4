/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_account.c - notifyctl account: one command for each thing that is asked of an account.  Layer: client. */
#include "client/cmd.h"

#include "common/str.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
enum { COL_NAME, COL_STATE, COL_QUEUED, COL_SESSIONS, COL_TOKEN, COL_SECRET };
static const struct writer_column columns[] = {
	[COL_NAME]     = { "ACCOUNT", false, 0 },
	[COL_STATE]    = { "STATE", false, 0 },
	[COL_QUEUED]   = { "QUEUED", true, 0 },
	[COL_SESSIONS] = { "SESSIONS", true, 0 },
	[COL_TOKEN]    = { "TOKEN EXPIRES", false, 0 },
	[COL_SECRET]   = { "SECRET EXPIRES", false, 0.15 },
};
const struct args_option cmd_account_options[] = {
	[CMD_ACCOUNT_TO]      = { 0, "to", "ADDR", "test: sends the message there; without it, to the account's own mailbox where only a message proves." },
	[CMD_ACCOUNT_NO_SEND] = { 0, "no-send", NULL, "test: sends no message." },
	[CMD_ACCOUNT_CONFIG]  = { 0, "config", "FILE", "test: an account of this configuration, which is not in use; for root." },
	[CMD_ACCOUNT_PASTE]   = { 0, "paste", NULL, "login: the browser is elsewhere; its last address is pasted here." },
	[CMD_ACCOUNT_DEVICE]  = { 0, "device", NULL, "login: with a code that is entered on another device." },
	[CMD_ACCOUNT_YES]     = { 'y', "yes", NULL, "logout: asks nothing." },
	{ 0 },
};
/* clang-format on */

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* -- accounts as a table -- */

static void
number_cell(struct writer_table *table, const struct json_node *account, const char *key)
{
	const struct json_node *node = json_get(account, key);

	writer_table_cell(table, WRITER_PLAIN, node != NULL && node->type == JSON_NUMBER ? node->text : NULL);
}

static void
add_account(struct writer_table *table, const struct json_node *account)
{
	const char *state = json_get_text(account, "state"), *secret = json_get_text(account, "secret_expires");
	char until[48];

	writer_table_cell(table, WRITER_PLAIN, json_get_text(account, "name"));
	writer_table_cell(table, cmd_state_color(state), state);
	number_cell(table, account, "queued");
	number_cell(table, account, "sessions");
	writer_table_cell(table, WRITER_PLAIN, cmd_until(json_get_text(account, "token_expires"), until));
	writer_table_cell(table, WRITER_PLAIN, secret);
}

/* Own limits: nothing is wrong, and it is known when all will have gone. */
static void
print_paced(struct cmd *cmd, const struct json_node *account, const char *name, const char *reason)
{
	const char *ready = json_get_text(account, "ready");
	const struct json_node *queued = json_get(account, "queued");
	char clock[48], until[48];

	writer_line(&cmd->out, WRITER_WARN, "%s is paced: %s queued, ready at %s", name,
	    queued != NULL && queued->type == JSON_NUMBER ? queued->text : "?",
	    ready != NULL ? cmd_clock(ready, clock) : "?");
	writer_line(&cmd->out, WRITER_PLAIN, "  by %s", reason);
	if (cmd_until(json_get_text(account, "until"), until)[0] == 'i')
		writer_line(&cmd->out, WRITER_PLAIN, "  the next one goes %s", until);
}

/* Why an account does not send, below the table where there is room for a sentence. */
static void
print_reason(struct cmd *cmd, const struct json_node *account)
{
	const char *name = json_get_text(account, "name"), *reason = json_get_text(account, "reason");
	const char *state = json_get_text(account, "state");
	char until[48], *hint;

	if (reason == NULL || name == NULL)
		return;
	if (state != NULL && strcmp(state, "paced") == 0) {
		print_paced(cmd, account, name, reason);
		return;
	}
	writer_line(&cmd->out, cmd_state_color(state), "%s is %s: %s", name, state != NULL ? state : "?", reason);
	hint = cmd_hint(cmd, account);
	if (hint != NULL)
		writer_line(&cmd->out, WRITER_PLAIN, "  hint: %s", hint);
	free(hint);
	if (cmd_until(json_get_text(account, "until"), until)[0] != '\0')
		writer_line(&cmd->out, WRITER_PLAIN, "  next try: %s", until[0] == 'i' ? until : "now");
}

/* What its server offers and refuses: mails go all the same. */
static void
print_without(struct cmd *cmd, const struct json_node *account)
{
	const struct json_node *list = json_get(account, "without"), *one;
	char until[48];

	for (one = list != NULL ? list->child : NULL; one != NULL; one = one->next)
		writer_line(&cmd->out, WRITER_PLAIN,
		    "%s goes without %s, which its server offers and refuses; again %s", json_get_text(account, "name"),
		    json_get_text(one, "extension"), cmd_until(json_get_text(one, "until"), until));
}

void
cmd_account_print(struct cmd *cmd, const struct json_node *accounts)
{
	const struct json_node *account;
	struct writer_table table;

	if (accounts == NULL || accounts->child == NULL) {
		writer_line(&cmd->out, WRITER_WARN, "no account is set up");
		return;
	}
	writer_table_init(&table, columns, COLUMNS);
	for (account = accounts->child; account != NULL; account = account->next)
		add_account(&table, account);
	(void)fputc('\n', cmd->out.file);
	writer_table_print(&table, &cmd->out);
	writer_table_done(&table);
	for (account = accounts->child; account != NULL; account = account->next)
		print_reason(cmd, account);
	for (account = accounts->child; account != NULL; account = account->next)
		print_without(cmd, account);
}

/* -- what an account's server presents -- */

static void
print_field(struct cmd *cmd, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		writer_line(&cmd->out, WRITER_PLAIN, "  %-8s %s", name, text);
}

static void
print_names(struct cmd *cmd, const struct json_node *names)
{
	struct nd_buf line;

	nd_buf_init(&line, 16384);
	for (const struct json_node *name = names != NULL ? names->child : NULL; name != NULL; name = name->next)
		if (name->type == JSON_STRING)
			(void)nd_buf_addf(&line, "%s%s", line.len > 0 ? ", " : "", name->text);
	print_field(cmd, "names", nd_buf_text(&line));
	nd_buf_done(&line);
}

static void
print_cert(struct cmd *cmd, const struct json_node *cert, unsigned n)
{
	const char *subject = json_get_text(cert, "subject"), *begin = json_get_text(cert, "not_before");
	const char *end = json_get_text(cert, "not_after");
	char from[48], to[48], until[48], valid[160];

	writer_line(&cmd->out, WRITER_BOLD, "certificate %u%s", n, n == 1 ? ", the server's" : "");
	print_field(cmd, "subject", subject);
	print_field(cmd, "issuer", json_get_text(cert, "issuer"));
	print_names(cmd, json_get(cert, "names"));
	if (begin != NULL && end != NULL) {
		(void)snprintf(valid, sizeof(valid), "%s to %s (ends %s)", cmd_stamp(begin, from), cmd_stamp(end, to),
		    cmd_until(end, until));
		print_field(cmd, "valid", valid);
	}
	print_field(cmd, "sha256", json_get_text(cert, "sha256"));
	print_field(cmd, "key", json_get_text(cert, "spki_sha256"));
}

/* What to write into notifyd.conf, and what a person must do before. */
static void
print_advice(struct cmd *cmd, const struct json_node *reply, const char *name)
{
	const struct json_node *chain = json_get(reply, "chain");
	const char *pin = chain != NULL ? json_get_text(chain->child, "spki_sha256") : NULL;

	if (json_true(reply, "trusted")) {
		writer_line(&cmd->out, WRITER_GOOD, "nothing to add: %s",
		    json_true(reply, "pinned") ? "its key is pinned" : "it verifies");
		return;
	}
	if (pin == NULL)
		return;
	writer_line(
	    &cmd->out, WRITER_PLAIN, "To trust this key whoever signed it, add to [account %s] in notifyd.conf:", name);
	writer_line(&cmd->out, WRITER_PLAIN, "    pin_sha256 = %s", pin);
	writer_line(&cmd->out, WRITER_PLAIN,
	    "First compare it, over another way, with what the server's administrator says: all of this came over the "
	    "same "
	    "network, and whoever sits in it could have sent it.");
}

static void
print_chain(struct cmd *cmd, struct json_node *reply, const char *name)
{
	const struct json_node *chain = json_get(reply, "chain");
	const char *relay = json_get_text(reply, "relay"), *tls = json_get_text(reply, "tls");
	const char *detail = json_get_text(reply, "detail"), *hint = json_get_text(reply, "hint");
	unsigned n = 0;

	writer_line(&cmd->out, WRITER_PLAIN, "%s%s%s%s", relay != NULL ? relay : "?", tls != NULL && tls[0] ? " (" : "",
	    tls != NULL ? tls : "", tls != NULL && tls[0] ? ")" : "");
	for (const struct json_node *cert = chain != NULL ? chain->child : NULL; cert != NULL; cert = cert->next)
		print_cert(cmd, cert, ++n);
	(void)fputc('\n', cmd->out.file);
	if (detail != NULL)
		writer_line(&cmd->out, json_true(reply, "trusted") ? WRITER_PLAIN : WRITER_BAD, "%s", detail);
	if (hint != NULL)
		writer_line(&cmd->out, WRITER_PLAIN, "  hint: %s", hint);
	print_advice(cmd, reply, name);
}

/* -- the commands -- */

void
cmd_account_path(const char *name, const char *rest, struct nd_buf *path)
{
	nd_buf_init(path, 4096);
	(void)nd_buf_adds(path, "/v1/accounts/");
	(void)nd_str_percent(path, name, strlen(name));
	(void)nd_buf_adds(path, rest);
}

static int
list(struct cmd *cmd, const char *name)
{
	struct json_tree tree;
	int code = cmd_get_json(cmd, "/v1/accounts", &tree);

	(void)name;
	if (code == CMD_DONE && tree.root != NULL)
		cmd_account_print(cmd, json_get(tree.root, "accounts"));
	json_done(&tree);
	return code;
}

/* An account by itself is a list of one. */
static void
print_one(struct cmd *cmd, struct json_node *account, const char *name)
{
	struct json_node all = { .type = JSON_ARRAY, .count = 1, .child = account };

	(void)name;
	cmd_account_print(cmd, &all);
}

/* What is asked of one account, and how it is shown to people. */
static int
get(struct cmd *cmd, const char *name, const char *rest,
    void (*print)(struct cmd *cmd, struct json_node *reply, const char *name))
{
	struct json_tree tree;
	struct nd_buf path;
	int code;

	cmd_account_path(name, rest, &path);
	code = cmd_get_json(cmd, nd_buf_text(&path), &tree);
	if (code == CMD_DONE && tree.root != NULL)
		print(cmd, tree.root, name);
	json_done(&tree);
	nd_buf_done(&path);
	return code;
}

static int
show(struct cmd *cmd, const char *name)
{
	return get(cmd, name, "", print_one);
}

int
cmd_account_refresh(struct cmd *cmd, const char *name)
{
	struct json_tree tree;
	struct nd_buf path;
	int code;

	cmd_account_path(name, "/refresh", &path);
	code = cmd_post_json(cmd, nd_buf_text(&path), 0, NULL, &tree);
	if (tree.root != NULL)
		print_one(cmd, tree.root, name);
	json_done(&tree);
	nd_buf_done(&path);
	return code;
}

static int
trust(struct cmd *cmd, const char *name)
{
	return get(cmd, name, "/chain", print_chain);
}

static const struct {
	const char *word;
	bool named; /* NAME follows */
	int (*run)(struct cmd *cmd, const char *name);
	cmd_run *run_args; /* instead: with options */
} verbs[] = {
	{ "list", false, list, NULL },
	{ "show", true, show, NULL },
	{ "refresh", true, cmd_account_refresh, NULL },
	{ "trust", true, trust, NULL },
	{ "test", true, NULL, cmd_test_run },
	{ "login", true, NULL, cmd_login_run },
	{ "logout", true, NULL, cmd_logout_run },
};

int
cmd_account_run(struct cmd *cmd, const struct args *args)
{
	struct nd_buf known;
	int code;

	nd_buf_init(&known, 1024);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		(void)nd_buf_addf(&known, "%s%s", i > 0 ? ", " : "", verbs[i].word);
		if (strcmp(args->words[0], verbs[i].word) != 0)
			continue;
		nd_buf_done(&known);
		if (verbs[i].named != (args->word_count == 2))
			return cmd_usage(cmd,
			    verbs[i].named ? "notifyctl account %s needs the account's name"
					   : "notifyctl account %s takes no name",
			    verbs[i].word);
		if (verbs[i].run_args != NULL)
			return verbs[i].run_args(cmd, args);
		if (args->given_count > 0)
			return cmd_usage(cmd, "notifyctl account %s takes no such option", verbs[i].word);
		return verbs[i].run(cmd, verbs[i].named ? args->words[1] : NULL);
	}
	code = cmd_usage(cmd, "notifyctl account knows %s, not \"%.60s\"", nd_buf_text(&known), args->words[0]);
	nd_buf_done(&known);
	return code;
}
