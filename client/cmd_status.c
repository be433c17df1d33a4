/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_status.c - notifyctl status: is alerting working, and if not, what is to be done.  Layer: client. */
#include "client/cmd.h"
#include "common/job.h"
#include "common/stamp.h"

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
/* clang-format on */

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static long long
number(const struct json_node *object, const char *key)
{
	int64_t value;

	return json_int(json_get(object, key), INT64_MIN, INT64_MAX, &value) ? (long long)value : 0;
}

static void
print_queue(struct cmd *cmd, const struct json_node *status)
{
	const struct json_node *queue = json_get(status, "queue"), *totals = json_get(status, "totals"), *total;
	char span[ND_STAMP_SIZE], age[48];
	const char *version = json_get_text(status, "version"), *started = json_get_text(status, "started");
	int64_t oldest;

	writer_line(&cmd->out, WRITER_BOLD, "notifyd %s%s%s", version != NULL ? version : "?",
	    started != NULL ? ", running for " : "", cmd_age(started, age));
	writer_line(&cmd->out, WRITER_PLAIN, "queue: %lld waiting, %lld being sent, %lld held", number(queue, "queued"),
	    number(queue, "sending"), number(queue, "held"));
	if (json_int(json_get(status, "oldest_seconds"), 0, INT64_MAX / 1000, &oldest))
		writer_line(
		    &cmd->out, WRITER_PLAIN, "the oldest has waited for %s", nd_stamp_span(ND_SEC(oldest), span));
	for (total = totals != NULL ? totals->child : NULL; total != NULL; total = total->next)
		if (total->key != NULL && number(totals, total->key) > 0)
			writer_line(&cmd->out, WRITER_PLAIN, "%lld %s", number(totals, total->key),
			    cmd_state_words(total->key));
}

static void
number_cell(struct writer_table *table, const struct json_node *account, const char *key)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", number(account, key));
	writer_table_cell(table, WRITER_PLAIN, json_get(account, key) != NULL ? text : NULL);
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

/* Why an account does not send, below the table where there is room for a sentence. */
static void
print_reason(struct cmd *cmd, const struct json_node *account)
{
	const char *name = json_get_text(account, "name"), *reason = json_get_text(account, "reason");
	const char *state = json_get_text(account, "state");
	char until[48], *hint;

	if (reason == NULL || name == NULL)
		return;
	writer_line(&cmd->out, cmd_state_color(state), "%s is %s: %s", name, state != NULL ? state : "?", reason);
	hint = cmd_hint(account);
	if (hint != NULL)
		writer_line(&cmd->out, WRITER_PLAIN, "  hint: %s", hint);
	free(hint);
	if (cmd_until(json_get_text(account, "until"), until)[0] != '\0')
		writer_line(&cmd->out, WRITER_PLAIN, "  next try: %s", until);
}

static void
print_accounts(struct cmd *cmd, const struct json_node *accounts)
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
}

static void
print_warnings(struct cmd *cmd, const struct json_node *warnings)
{
	const struct json_node *warning = warnings != NULL ? warnings->child : NULL;
	const char *detail, *hint;

	if (warning != NULL)
		(void)fputc('\n', cmd->out.file);
	for (; warning != NULL; warning = warning->next) {
		detail = json_get_text(warning, "detail");
		hint = json_get_text(warning, "hint");
		if (detail == NULL)
			detail = json_get_text(warning, "code");
		writer_line(&cmd->out, WRITER_WARN, "warning: %s", detail != NULL ? detail : "?");
		if (hint != NULL)
			writer_line(&cmd->out, WRITER_PLAIN, "  hint: %s", hint);
	}
}

int
cmd_status_run(struct cmd *cmd, const struct args *args)
{
	struct json_tree tree;
	int code = cmd_get_json(cmd, "/v1/status", &tree);

	(void)args;
	if (code == CMD_DONE && tree.root != NULL) {
		print_queue(cmd, tree.root);
		print_accounts(cmd, json_get(tree.root, "accounts"));
		print_warnings(cmd, json_get(tree.root, "warnings"));
	}
	json_done(&tree);
	return code;
}
