/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_explain.c - notifyctl explain: what a failure means and what to do, also while no daemon runs.  Layer: client.
 *
 * The table is built in; its files are looked at only when something is to be explained.
 */
#include "client/cmd.h"
#include "client/file.h"
#include "common/explain.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define BASE ND_PKGDATADIR "/explanations"
#define CHANGES ND_SYSCONFDIR "/notifyd/explain.d/*.conf"
#define FILES_MAX 100u

enum { OPT_LANG, OPT_ACCOUNT, OPT_FILE };
const struct args_option cmd_explain_options[] = {
	[OPT_LANG] = { 0, "lang", "en|ja", "The language; that of the locale unless given." },
	[OPT_ACCOUNT] = { 0, "account", "NAME", "Asks the daemon, which fills in what it knows of this account." },
	[OPT_FILE] = { 0, "file", "FILE",
	    "Changes the table by this file too, as if it were in explain.d; may be given again." },
	{ 0 },
};

/* -- the table -- */

static void
warn(void *arg, const char *file, unsigned line, const char *fault)
{
	struct cmd *cmd = arg;

	if (cmd != NULL && !cmd->json)
		writer_line(&cmd->err, WRITER_PLAIN, "notifyctl: warning: %s:%u: %s", file, line, fault);
}

static void
read_change(struct explain_table *table, const char *path, struct nd_buf *text, const struct explain_ear *ear)
{
	struct nd_why why;

	nd_buf_clear(text);
	if (file_read(path, text, &why) == ND_OK)
		explain_change(table, path, nd_buf_text(text), text->len, ear);
	else
		warn(ear->arg, path, 0, why.text);
}

static struct explain_table *
load(struct cmd *cmd, const struct args *args)
{
	const struct explain_ear ear = { warn, cmd };
	struct explain_table *table;
	struct nd_buf text;
	struct nd_why why;
	glob_t found;

	nd_buf_init(&text, EXPLAIN_FILE);
	table = file_read(BASE, &text, &why) == ND_OK ? explain_new(BASE, nd_buf_text(&text), text.len, &ear)
						      : explain_new(BASE, NULL, 0, &ear);
	if (glob(CHANGES, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc && i < FILES_MAX; i++)
			read_change(table, found.gl_pathv[i], &text, &ear);
		globfree(&found);
	}
	for (unsigned i = 0; args != NULL && i < args->given_count; i++)
		if (args->given[i].option == OPT_FILE)
			read_change(table, args->given[i].value, &text, &ear);
	nd_buf_done(&text);
	explain_finish(table, &ear);
	return table;
}

enum explain_lang
cmd_language(void)
{
	return explain_lang_here(getenv);
}

/* "account m365 is held: auth-refused: 535 5.7.3 …": a reply begins with its code. */
static const char *
reply_in(const char *reason)
{
	for (const char *at = reason; (at = strstr(at, ": ")) != NULL;) {
		at += 2;
		if (strspn(at, "0123456789") == 3 && (at[3] == ' ' || at[3] == '\0'))
			return at;
	}
	return reason;
}

/* -- the daemon -- */

static enum nd_err
ask_daemon(struct cmd *cmd, const char *account, enum explain_lang lang, const char *text, struct link_reply *reply,
    struct nd_why *why)
{
	struct link_request request = { .method = "POST", .path = "/v1/explain", .type = "application/json" };
	struct json_out json;
	struct nd_buf body;
	enum nd_err err;

	nd_buf_init(&body, 65536);
	json_out_init(&json, &body);
	json_out_object(&json, NULL);
	json_out_text(&json, "text", text);
	json_out_text(&json, "lang", explain_lang_name(lang));
	json_out_text(&json, "account", account);
	json_out_object_end(&json);
	request.body = nd_buf_text(&body);
	request.len = body.len;
	err = link_call(cmd->socket, &request, reply, why);
	nd_buf_done(&body);
	return err;
}

/* -- hints -- */

/* Remedy and commands as the daemon's own hints have them; what a token tells needs its cause too, unless that is asked for by itself. */
static void
put_hint(const struct json_node *root, struct nd_buf *meaning, struct nd_buf *out)
{
	const struct json_node *matches = json_get(root, "matches"), *match = matches != NULL ? matches->child : NULL;
	const struct json_node *commands = json_get(match, "commands"), *one;
	const char *cause = json_get_text(match, "cause"), *remedy = json_get_text(match, "remedy");

	if (remedy == NULL)
		return;
	if (meaning != NULL && cause != NULL)
		(void)nd_buf_adds(meaning, cause);
	else if (json_true(match, "token") && cause != NULL)
		(void)nd_buf_addf(out, "%s ", cause);
	(void)nd_buf_adds(out, remedy);
	for (one = commands != NULL ? commands->child : NULL; one != NULL; one = one->next)
		(void)nd_buf_addf(out, "%s%s", one == commands->child ? ": " : "; ", one->text);
}

/* false: it does not say. meaning NULL: that of the failure is not asked for. */
static bool
hint_of_daemon(struct cmd *cmd, const char *account, enum explain_lang lang, const char *reason, struct nd_buf *meaning,
    struct nd_buf *out)
{
	struct json_tree tree = { 0 };
	struct link_reply reply;
	struct nd_why why;
	bool told;

	if (account == NULL)
		return false;
	told = ask_daemon(cmd, account, lang, reason, &reply, &why) == ND_OK && reply.status == 200 &&
	       cmd_read(&reply, &tree, &why) == ND_OK;
	if (told)
		put_hint(tree.root, meaning, out);
	json_done(&tree);
	link_reply_done(&reply);
	return told;
}

static void
hint_of_table(const struct explain_facts *facts, enum explain_lang lang, const char *reason, struct nd_buf *meaning,
    struct nd_buf *out)
{
	const struct explain_row *found[EXPLAIN_FOUND];

	explain_use(load(NULL, NULL));
	if (meaning != NULL && explain_find(explain_used(), reason, facts, found) > 0)
		explain_fill(explain_cause(found[0], lang), facts, meaning);
	(void)explain_hint(reason, facts, lang, out);
	explain_use(NULL);
}

char *
cmd_hint(struct cmd *cmd, const struct json_node *node)
{
	const char *hint = json_get_text(node, "hint"), *reason = json_get_text(node, "reason");
	const char *account = json_get_text(node, "account"), *name = json_get_text(node, "name");
	struct explain_facts facts = { .account = account != NULL ? account
						  : name != NULL  ? name
								  : cmd->account,
		.host = json_get_text(node, "relay") };
	enum explain_lang lang = cmd_language();
	struct nd_buf words;

	if (reason == NULL)
		reason = json_get_text(node, "detail");
	if (hint == NULL)
		return NULL;
	nd_buf_init(&words, 65536);
	if (lang != EXPLAIN_EN && reason != NULL &&
	    !hint_of_daemon(cmd, facts.account, lang, reply_in(reason), NULL, &words))
		hint_of_table(&facts, lang, reply_in(reason), NULL, &words);
	if (words.len == 0)
		(void)nd_buf_adds(&words, hint);
	return nd_buf_take(&words, NULL);
}

void
cmd_meaning(struct cmd *cmd, const char *failure, enum explain_lang lang, struct nd_buf *meaning, struct nd_buf *remedy)
{
	const struct explain_facts facts = { .account = cmd->account };

	if (!hint_of_daemon(cmd, cmd->account, lang, reply_in(failure), meaning, remedy))
		hint_of_table(&facts, lang, reply_in(failure), meaning, remedy);
}

/* -- telling -- */

struct labels {
	const char *cause, *remedy, *command, *wait, *source, *also, *nothing, *hours, *minutes, *seconds;
};
/* Padded by hand: characters of Japanese are two columns wide. */
static const struct labels labels[EXPLAIN_LANG_COUNT] = {
	[EXPLAIN_EN] = { "cause    ", "remedy   ", "command  ", "wait     ", "source   ", "see also",
	    "nothing is known about this text", " h", " min", " s" },
	[EXPLAIN_JA] = { "原因      ", "対処      ", "コマンド  ", "待ち時間  ", "出典      ", "関連項目",
	    "この内容に該当する説明はありません", " 時間", " 分", " 秒" },
};

static const struct {
	const char *name, *ja;
} classes[] = {
	{ "config", "設定" },
	{ "credential", "認証情報" },
	{ "consent", "同意" },
	{ "permission", "権限" },
	{ "policy", "ポリシー" },
	{ "throttle", "送信制限" },
	{ "quota", "上限" },
	{ "content", "内容" },
	{ "recipient", "宛先" },
	{ "network", "ネットワーク" },
	{ "tls", "TLS" },
	{ "dns", "DNS" },
	{ "relay", "中継サーバー" },
	{ "clock", "時刻" },
};

static const char *
class_words(const char *name, enum explain_lang lang)
{
	for (size_t i = 0; lang == EXPLAIN_JA && name != NULL && i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strcmp(classes[i].name, name) == 0)
			return classes[i].ja;
	return name != NULL ? name : "?";
}

static void
tell_line(struct cmd *cmd, const char *label, const char *text)
{
	if (text != NULL)
		writer_line(&cmd->out, WRITER_PLAIN, "  %s%s", label, text);
}

static void
tell_wait(struct cmd *cmd, const struct labels *words, const struct json_node *match)
{
	const char *unit = words->seconds;
	int64_t time;
	char text[48];

	if (!json_int(json_get(match, "wait_seconds"), 1, INT64_MAX, &time))
		return;
	if (time % 3600 == 0) {
		unit = words->hours;
		time /= 3600;
	} else if (time % 60 == 0) {
		unit = words->minutes;
		time /= 60;
	}
	(void)snprintf(text, sizeof(text), "%lld%s", (long long)time, unit);
	tell_line(cmd, words->wait, text);
}

static void
tell_match(struct cmd *cmd, enum explain_lang lang, const struct json_node *match)
{
	const struct json_node *commands = json_get(match, "commands"), *command;
	const struct labels *words = &labels[lang];
	const char *id = json_get_text(match, "id");

	writer_line(
	    &cmd->out, WRITER_BOLD, "%s (%s)", id != NULL ? id : "?", class_words(json_get_text(match, "class"), lang));
	tell_line(cmd, words->cause, json_get_text(match, "cause"));
	tell_line(cmd, words->remedy, json_get_text(match, "remedy"));
	for (command = commands != NULL ? commands->child : NULL; command != NULL; command = command->next)
		tell_line(cmd, words->command, command->text);
	tell_wait(cmd, words, match);
	tell_line(cmd, words->source, json_get_text(match, "source"));
}

/* The first in full; the others say less and are named. */
static void
tell(struct cmd *cmd, const struct json_node *root)
{
	const struct json_node *matches = json_get(root, "matches"), *match = matches != NULL ? matches->child : NULL;
	enum explain_lang lang = explain_lang_of(json_get_text(root, "lang"));

	if (match == NULL) {
		writer_line(&cmd->out, WRITER_PLAIN, "%s", labels[lang].nothing);
		return;
	}
	tell_match(cmd, lang, match);
	for (match = match->next; match != NULL; match = match->next)
		writer_line(&cmd->out, WRITER_DIM, "%s: %s: %s", labels[lang].also, json_get_text(match, "id"),
		    json_get_text(match, "cause"));
}

/* -- asking -- */

static enum nd_err
gather(const struct args *args, struct nd_buf *text, struct nd_why *why)
{
	if (args->word_count == 1 && strcmp(args->words[0], "-") == 0)
		return file_read("-", text, why);
	for (unsigned i = 0; i < args->word_count; i++) {
		if (i > 0)
			(void)nd_buf_addc(text, ' ');
		(void)nd_buf_adds(text, args->words[i]);
	}
	return ND_OK;
}

/* The answer as the API gives it, by the daemon or without it. Returns the exit code. */
static int
answer(struct cmd *cmd, const struct args *args, enum explain_lang lang, const char *text, struct nd_buf *out)
{
	const char *account = args_value(args, OPT_ACCOUNT);
	struct explain_table *table;
	struct link_reply reply;
	struct nd_why why;
	int code = CMD_DONE;

	if (account == NULL) {
		table = load(cmd, args);
		explain_json(table, text, NULL, NULL, lang, out);
		explain_free(table);
		return CMD_DONE;
	}
	if (ask_daemon(cmd, account, lang, text, &reply, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	else if (reply.status != 200)
		code = cmd_problem(cmd, &reply);
	else
		(void)nd_buf_add(out, nd_buf_text(&reply.body), reply.body.len);
	link_reply_done(&reply);
	return code;
}

static int
tell_answer(struct cmd *cmd, const struct nd_buf *out)
{
	static const struct json_limits limits = { .octets = (size_t)1 << 20, .depth = 8, .nodes = 4000 };
	struct json_tree tree = { 0 };
	struct nd_why why;
	int code = CMD_DONE;

	if (cmd->json)
		writer_json(&cmd->out, nd_buf_text(out), out->len);
	else if (json_read(&tree, nd_buf_text(out), out->len, &limits, NULL, &why) == ND_OK)
		tell(cmd, tree.root);
	else
		code = cmd_fail(cmd, &why);
	json_done(&tree);
	return code;
}

int
cmd_explain_run(struct cmd *cmd, const struct args *args)
{
	const char *lang = args_value(args, OPT_LANG);
	struct nd_buf text, out;
	struct nd_why why;
	int code;

	if (lang != NULL && strcmp(lang, "en") != 0 && strcmp(lang, "ja") != 0)
		return cmd_usage(cmd, "--lang is en or ja, not \"%.40s\"", lang);
	nd_buf_init(&text, 32768);
	nd_buf_init(&out, (size_t)1 << 20);
	if (gather(args, &text, &why) != ND_OK) {
		(void)cmd_fail(cmd, &why);
		code = CMD_NO_INPUT;
	} else if (text.failed) {
		code = cmd_usage(cmd, "the text is too long");
	} else {
		code =
		    answer(cmd, args, lang != NULL ? explain_lang_of(lang) : cmd_language(), nd_buf_text(&text), &out);
		if (code == CMD_DONE)
			code = tell_answer(cmd, &out);
	}
	nd_buf_done(&text);
	nd_buf_done(&out);
	return code;
}
