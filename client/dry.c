/* SPDX-License-Identifier: Apache-2.0 */
/* dry.c - the answer to a dry run, for people: what would become of the job, then its message.  Layer: client. */
#include "client/dry.h"

static void
add_texts(const struct json_node *array, struct nd_buf *out)
{
	const struct json_node *item;

	for (item = array != NULL ? array->child : NULL; item != NULL; item = item->next) {
		if (item->text == NULL)
			continue;
		if (out->len > 0)
			(void)nd_buf_adds(out, ", ");
		(void)nd_buf_adds(out, item->text);
	}
}

static void
tell_fields(struct cmd *cmd, const struct json_node *answer)
{
	/* clang-format off */
	static const struct { const char *name, *title; } rows[] = {
		{ "state", "state" }, { "account", "account" }, { "relay", "relay" }, { "from", "From" },
		{ "envelope_from", "envelope" }, { "eta", "sent at" }, { "not_before", "not before" }, { "expires", "expires" },
		{ "reason", "reason" }, { "hint", "hint" },
	};
	/* clang-format on */
	struct nd_buf to;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = json_get_text(answer, rows[i].name);

		if (text != NULL)
			writer_line(&cmd->out, WRITER_PLAIN, "%-11s %s", rows[i].title, text);
	}
	nd_buf_init(&to, 1024 * 1024);
	add_texts(json_get(answer, "recipients"), &to);
	writer_line(&cmd->out, WRITER_PLAIN, "%-11s %s", "to", nd_buf_text(&to));
	nd_buf_done(&to);
}

/* "messages_per_minute: 3 of 30 left" */
static void
tell_limits(struct cmd *cmd, const struct json_node *limits)
{
	const struct json_node *row;

	for (row = limits != NULL ? limits->child : NULL; row != NULL; row = row->next) {
		const char *setting = json_get_text(row, "setting"), *address = json_get_text(row, "address");
		const char *until = json_get_text(row, "until");
		struct nd_buf words;
		int64_t most, left;

		if (setting == NULL || !json_int(json_get(row, "limit"), 0, INT64_MAX, &most))
			continue;
		nd_buf_init(&words, 4096);
		if (json_int(json_get(row, "left"), 0, INT64_MAX, &left))
			(void)nd_buf_addf(&words, "%lld of ", (long long)left);
		(void)nd_buf_addf(&words, "%lld%s", (long long)most, words.len > 0 ? " left" : "");
		if (address != NULL)
			(void)nd_buf_addf(&words, " for %s", address);
		if (until != NULL)
			(void)nd_buf_addf(&words, ", again at %s", until);
		writer_line(&cmd->out, WRITER_PLAIN, "%-11s %s: %s", "limit", setting, nd_buf_text(&words));
		nd_buf_done(&words);
	}
}

void
dry_tell(struct cmd *cmd, const struct json_node *answer)
{
	const struct json_node *defaults = json_get(answer, "defaults"), *message = json_get(answer, "message");
	const struct json_node *row;

	writer_line(&cmd->err, WRITER_PLAIN, "notifyctl: a dry run: nothing was accepted");
	tell_fields(cmd, answer);
	tell_limits(cmd, json_get(answer, "limits"));
	for (row = defaults != NULL ? defaults->child : NULL; row != NULL; row = row->next)
		if (row->text != NULL)
			writer_line(&cmd->out, WRITER_PLAIN, "%-11s %s: %s", "by default", row->key, row->text);
	if (message == NULL || message->text == NULL)
		return;
	writer_line(&cmd->out, WRITER_PLAIN, "%s", "");
	writer_message(&cmd->out, message->text, message->len);
}
