/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_queue.c - notifyctl list, show, message: the jobs.  Layer: client. */
#include "client/cmd.h"
#include "common/str.h"
#include "common/ulid.h"

#include <stdlib.h>
#include <string.h>

#define SHORT_ID 8

/* Each filter is the API's parameter of the same name. */
/* clang-format off */
const struct args_option cmd_list_options[] = {
	{ 0, "state", "STATE[,STATE]", "Only jobs in these states: queued sending held delivered failed expired cancelled merged; all unless given." },
	{ 0, "account", "A[,A]", "Only jobs of these accounts." },
	{ 0, "source", "S[,S]", "Only jobs of these sources." },
	{ 0, "severity", "S[,S]", "Only jobs of these severities." },
	{ 0, "key", "K[,K]", "Only jobs with these keys." },
	{ 0, "since", "T|D", "Only jobs accepted since then: a time (RFC 3339) or a duration such as 2h." },
	{ 0, "id", "TAIL", "Only jobs whose id ends so; at least 6 characters." },
	{ 'n', "limit", "N", "At most so many, newest first: 1 to 1000 (100)." },
	{ 0, "cursor", "C", "Goes on where a list ended." },
	{ 0 },
};

enum { OPT_TRANSCRIPT };
const struct args_option cmd_show_options[] = {
	[OPT_TRANSCRIPT] = { 't', "transcript", NULL, "Shows what was said with the relay in the last attempt that failed, too." },
	{ 0 },
};

enum { COL_ID, COL_AGE, COL_STATE, COL_SEVERITY, COL_ACCOUNT, COL_TO, COL_SUBJECT };
static const struct writer_column job_columns[] = {
	[COL_ID]       = { "ID", false, 0 },
	[COL_AGE]      = { "AGE", true, 0 },
	[COL_STATE]    = { "STATE", false, 0 },
	[COL_SEVERITY] = { "SEVERITY", false, 0 },
	[COL_ACCOUNT]  = { "ACCOUNT", false, 0 },
	[COL_TO]       = { "TO", false, 0.2 },
	[COL_SUBJECT]  = { "SUBJECT", false, 0.2 },
};
static const struct writer_column rcpt_columns[] = {
	{ "RECIPIENT", false, 0 }, { "STATE", false, 0 }, { "REPLY", false, 0.2 },
};
static const struct writer_column attempt_columns[] = {
	{ "TRY", true, 0 }, { "BEGAN", false, 0 }, { "ACCOUNT", false, 0 }, { "RELAY", false, 0.15 },
	{ "STAGE", false, 0 }, { "VERDICT", false, 0 }, { "REPLY", false, 0.2 },
};
static const struct writer_column evidence_columns[] = {
	{ "REACHED", false, 0 }, { "AT", false, 0 }, { "RELAY", false, 0.2 }, { "TLS", false, 0.1 }, { "SHA-256 OF THE MESSAGE", false, 0 },
};
/* clang-format on */

#define COUNT(table) ((unsigned)(sizeof(table) / sizeof((table)[0])))

/* "/v1/jobs?state=held&limit=5" */
static void
list_path(const struct args *args, struct nd_buf *path)
{
	const struct args_given *given;
	unsigned i;

	nd_buf_adds(path, "/v1/jobs");
	for (i = 0; i < args->given_count; i++) {
		given = &args->given[i];
		nd_buf_addf(path, "%c%s=", i == 0 ? '?' : '&', cmd_list_options[given->option].name);
		nd_str_percent(path, given->value, strlen(given->value));
	}
}

/* A sensitive job shows none. */
static const char *
subject_of(const struct json_node *job)
{
	const struct json_node *sensitive = json_get(job, "sensitive");

	return sensitive != NULL && sensitive->boolean ? "(sensitive)" : json_get_text(job, "subject");
}

/* The first recipient, and how many more there are. */
static void
add_to(struct writer_table *table, const struct json_node *job)
{
	const struct json_node *rcpts = json_get(job, "recipients");
	const char *address = rcpts != NULL ? json_get_text(rcpts->child, "address") : NULL;
	char text[400];

	if (address == NULL) {
		writer_table_cell(table, WRITER_PLAIN, NULL);
		return;
	}
	(void)snprintf(text, sizeof(text), rcpts->count > 1 ? "%.320s +%u" : "%.320s", address, rcpts->count - 1);
	writer_table_cell(table, WRITER_PLAIN, text);
}

static void
add_job(struct writer_table *table, const struct json_node *job)
{
	const char *id = json_get_text(job, "id"), *state = json_get_text(job, "state");
	const char *severity = json_get_text(job, "severity");
	size_t len = id != NULL ? strlen(id) : 0;
	char age[48];

	writer_table_cell(table, WRITER_PLAIN, len > SHORT_ID ? id + len - SHORT_ID : id);
	writer_table_cell(table, WRITER_PLAIN, cmd_age(json_get_text(job, "created"), age));
	writer_table_cell(table, cmd_state_color(state), state);
	writer_table_cell(table, cmd_severity_color(severity), severity);
	writer_table_cell(table, WRITER_PLAIN, json_get_text(job, "account"));
	add_to(table, job);
	writer_table_cell(table, WRITER_PLAIN, subject_of(job));
}

int
cmd_list_run(struct cmd *cmd, const struct args *args)
{
	const struct json_node *jobs, *job;
	struct writer_table table;
	struct json_tree tree;
	struct nd_buf path;
	int code;

	nd_buf_init(&path, 65536);
	list_path(args, &path);
	code = cmd_get_json(cmd, nd_buf_text(&path), &tree);
	nd_buf_done(&path);
	jobs = json_get(tree.root, "jobs");
	if (jobs != NULL && jobs->child != NULL) {
		writer_table_init(&table, job_columns, COUNT(job_columns));
		for (job = jobs->child; job != NULL; job = job->next)
			add_job(&table, job);
		writer_table_print(&table, &cmd->out);
		writer_table_done(&table);
	} else if (jobs != NULL) {
		writer_line(&cmd->out, WRITER_PLAIN, "no jobs");
	}
	if (json_get_text(tree.root, "next") != NULL)
		writer_line(&cmd->out, WRITER_DIM, "there are more: the same list with --cursor %s",
		    json_get_text(tree.root, "next"));
	json_done(&tree);
	return code;
}

/* The path of one job; false after a word that cannot be an id was told. */
static bool
job_path(struct cmd *cmd, const char *word, const char *end, struct nd_buf *path)
{
	char id[ND_ULID_LEN + 1];

	if (!nd_ulid_tail(word, id)) {
		(void)cmd_usage(cmd, "\"%.40s\" is no job id: give it whole, or its last 6 characters or more", word);
		return false;
	}
	nd_buf_addf(path, "/v1/jobs/%s%s", id, end);
	return true;
}

static void
row(struct cmd *cmd, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		writer_line(&cmd->out, WRITER_PLAIN, "%-11s %s", name, text);
}

static void
time_row(struct cmd *cmd, const char *name, const char *stamp)
{
	char when[48], away[48], text[100];

	if (stamp == NULL)
		return;
	(void)snprintf(text, sizeof(text), "%s (%s)", cmd_stamp(stamp, when), cmd_until(stamp, away));
	row(cmd, name, text);
}

/* The names and values of labels on one line, links one a line. */
static void
list_rows(struct cmd *cmd, const struct json_node *job)
{
	const struct json_node *labels = json_get(job, "labels"), *links = json_get(job, "links");
	const struct json_node *files = json_get(job, "attachments"), *node;
	struct nd_buf text;

	nd_buf_init(&text, 1 << 20);
	for (node = labels != NULL ? labels->child : NULL; node != NULL; node = node->next)
		nd_buf_addf(&text, "%s%s=%s", text.len > 0 ? ", " : "", node->key != NULL ? node->key : "",
		    node->text != NULL ? node->text : "");
	row(cmd, "labels", nd_buf_text(&text));
	for (node = links != NULL ? links->child : NULL; node != NULL; node = node->next)
		row(cmd, "link", json_get_text(node, "url"));
	for (node = files != NULL ? files->child : NULL; node != NULL; node = node->next)
		row(cmd, "attachment", json_get_text(node, "name"));
	nd_buf_done(&text);
}

static void
origin_row(struct cmd *cmd, const struct json_node *origin)
{
	const char *unit = json_get_text(origin, "unit"), *comm = json_get_text(origin, "comm");
	int64_t uid, pid;
	struct nd_buf text;

	nd_buf_init(&text, 65536);
	if (json_int(json_get(origin, "uid"), 0, UINT32_MAX, &uid))
		nd_buf_addf(&text, "uid %lld", (long long)uid);
	if (unit != NULL)
		nd_buf_addf(&text, ", unit %s", unit);
	if (json_int(json_get(origin, "pid"), 1, UINT32_MAX, &pid))
		nd_buf_addf(&text, ", pid %lld", (long long)pid);
	if (comm != NULL)
		nd_buf_addf(&text, " (%s)", comm);
	row(cmd, "origin", nd_buf_text(&text));
	nd_buf_done(&text);
}

static void
print_facts(struct cmd *cmd, const struct json_node *job)
{
	static const char *const early[] = { "severity", "status", "source", "key", "from", "reply_to", "account",
		"route", "merged_into", "client_ref", NULL };
	const struct json_node *uncertain = json_get(job, "uncertain");
	const char *state = json_get_text(job, "state");
	struct nd_buf words;
	char *hint;
	size_t i;

	row(cmd, "job", json_get_text(job, "id"));
	row(cmd, "subject", subject_of(job));
	nd_buf_init(&words, 65536);
	cmd_job_words(job, &words);
	writer_text(&cmd->out, WRITER_PLAIN, "state       ");
	writer_line(&cmd->out, cmd_state_color(state), "%s: %s", state != NULL ? state : "?", nd_buf_text(&words));
	nd_buf_done(&words);
	if (uncertain != NULL && uncertain->boolean)
		row(cmd, "uncertain",
		    "it may have been delivered before: the daemon or a connection died while it was sent");
	row(cmd, "reason", json_get_text(job, "reason"));
	hint = cmd_hint(cmd, job);
	row(cmd, "hint", hint);
	free(hint);
	for (i = 0; early[i] != NULL; i++)
		row(cmd, early[i], json_get_text(job, early[i]));
	list_rows(cmd, job);
	time_row(cmd, "created", json_get_text(job, "created"));
	time_row(cmd, "not before", json_get_text(job, "not_before"));
	time_row(cmd, "next try", json_get_text(job, "next_attempt"));
	time_row(cmd, "expires", json_get_text(job, "expires"));
	origin_row(cmd, json_get(job, "origin"));
}

static void
reply_cell(struct writer_table *table, const struct json_node *node)
{
	struct nd_buf text;

	nd_buf_init(&text, 65536);
	cmd_reply_text(node, &text);
	writer_table_cell(table, WRITER_PLAIN, nd_buf_text(&text));
	nd_buf_done(&text);
}

static void
print_recipients(struct cmd *cmd, const struct json_node *rcpts)
{
	const struct json_node *rcpt = rcpts != NULL ? rcpts->child : NULL;
	struct writer_table table;
	const char *state;

	if (rcpt == NULL)
		return;
	writer_table_init(&table, rcpt_columns, COUNT(rcpt_columns));
	for (; rcpt != NULL; rcpt = rcpt->next) {
		state = json_get_text(rcpt, "state");
		writer_table_cell(&table, WRITER_PLAIN, json_get_text(rcpt, "address"));
		writer_table_cell(&table, cmd_state_color(state), state);
		reply_cell(&table, rcpt);
	}
	(void)fputc('\n', cmd->out.file);
	writer_table_print(&table, &cmd->out);
	writer_table_done(&table);
}

static void
print_attempts(struct cmd *cmd, const struct json_node *attempts)
{
	static const char *const names[] = { "account", "relay", "stage", "verdict", NULL };
	const struct json_node *attempt = attempts != NULL ? attempts->child : NULL, *n;
	struct writer_table table;
	const char *stamp;
	char when[48];
	size_t i;

	if (attempt == NULL)
		return;
	writer_table_init(&table, attempt_columns, COUNT(attempt_columns));
	for (; attempt != NULL; attempt = attempt->next) {
		n = json_get(attempt, "n");
		stamp = json_get_text(attempt, "start");
		writer_table_cell(&table, WRITER_PLAIN, n != NULL ? n->text : NULL);
		writer_table_cell(&table, WRITER_PLAIN, stamp != NULL ? cmd_stamp(stamp, when) : NULL);
		for (i = 0; names[i] != NULL; i++)
			writer_table_cell(&table, WRITER_PLAIN, json_get_text(attempt, names[i]));
		reply_cell(&table, attempt);
	}
	(void)fputc('\n', cmd->out.file);
	writer_table_print(&table, &cmd->out);
	writer_table_done(&table);
}

static void
print_evidence(struct cmd *cmd, const struct json_node *list)
{
	const struct json_node *one = list != NULL ? list->child : NULL;
	struct writer_table table;
	const char *stamp, *tls;
	char when[48];

	if (one == NULL)
		return;
	writer_table_init(&table, evidence_columns, COUNT(evidence_columns));
	for (; one != NULL; one = one->next) {
		stamp = json_get_text(one, "at");
		tls = json_get_text(one, "tls");
		writer_table_cell(&table, WRITER_PLAIN, json_get_text(one, "address"));
		writer_table_cell(&table, WRITER_PLAIN, stamp != NULL ? cmd_stamp(stamp, when) : NULL);
		writer_table_cell(&table, WRITER_PLAIN, json_get_text(one, "relay"));
		writer_table_cell(&table, WRITER_PLAIN, tls != NULL ? tls : "none");
		writer_table_cell(&table, WRITER_PLAIN, json_get_text(one, "sha256"));
	}
	(void)fputc('\n', cmd->out.file);
	writer_table_print(&table, &cmd->out);
	writer_table_done(&table);
}

/* "     0.031  < 550 5.1.1 no such user" */
static void
print_transcript(struct cmd *cmd, const struct json_node *job, const char *word, bool whole)
{
	const struct json_node *list = json_get(job, "transcript"), *line = list != NULL ? list->child : NULL;
	const char *stamp = json_get_text(job, "transcript_start");
	char when[48];
	int64_t ms;

	if (line == NULL)
		return;
	(void)fputc('\n', cmd->out.file);
	if (!whole) {
		writer_line(&cmd->out, WRITER_DIM,
		    "what was said with the relay in the last attempt that failed: notifyctl show --transcript %s",
		    word);
		return;
	}
	writer_line(&cmd->out, WRITER_BOLD, "What was said with the relay in the last attempt that failed, from %s on",
	    stamp != NULL ? cmd_stamp(stamp, when) : "?");
	for (; line != NULL; line = line->next) {
		const char *from = json_get_text(line, "from"), *text = json_get_text(line, "text");

		if (from == NULL || text == NULL || !json_int(json_get(line, "ms"), 0, INT64_MAX, &ms))
			continue;
		writer_line(&cmd->out, WRITER_PLAIN, "%6lld.%03d  %s %s", (long long)(ms / 1000), (int)(ms % 1000),
		    strcmp(from, "client") == 0   ? ">"
		    : strcmp(from, "server") == 0 ? "<"
						  : "*",
		    text);
	}
}

int
cmd_show_run(struct cmd *cmd, const struct args *args)
{
	struct json_tree tree = { 0 };
	struct nd_buf path;
	int code = CMD_USAGE;

	nd_buf_init(&path, 256);
	if (job_path(cmd, args->words[0], "", &path))
		code = cmd_get_json(cmd, nd_buf_text(&path), &tree);
	nd_buf_done(&path);
	if (code == CMD_DONE && tree.root != NULL) {
		print_facts(cmd, tree.root);
		print_recipients(cmd, json_get(tree.root, "recipients"));
		print_attempts(cmd, json_get(tree.root, "attempts"));
		print_evidence(cmd, json_get(tree.root, "evidence"));
		print_transcript(cmd, tree.root, args->words[0], args_has(args, OPT_TRANSCRIPT));
	}
	json_done(&tree);
	return code;
}

int
cmd_message_run(struct cmd *cmd, const struct args *args)
{
	struct link_reply reply;
	struct nd_buf path;
	int code = CMD_USAGE;

	nd_buf_init(&path, 256);
	if (job_path(cmd, args->words[0], "/message", &path) &&
	    (code = cmd_get(cmd, nd_buf_text(&path), &reply)) == CMD_DONE) {
		writer_message(&cmd->out, nd_buf_text(&reply.body), reply.body.len);
		link_reply_done(&reply);
	}
	nd_buf_done(&path);
	return code;
}
