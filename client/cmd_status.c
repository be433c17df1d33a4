/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_status.c - notifyctl status: is alerting working, and if not, what is to be done.  Layer: client. */
#include "client/cmd.h"
#include "common/job.h"
#include "common/stamp.h"

#include <string.h>

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
		cmd_account_print(cmd, json_get(tree.root, "accounts"));
		print_warnings(cmd, json_get(tree.root, "warnings"));
	}
	json_done(&tree);
	return code;
}
