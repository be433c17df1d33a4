/* SPDX-License-Identifier: Apache-2.0 */
/* explanations.c - the table of explanations: its files, and POST /v1/explain. */
#include "daemon/app.h"

#include "common/explain.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "daemon/core/hint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE ND_PKGDATADIR "/explanations"
#define FILES_MAX 100u

/* A fault in words for people is no reason to do anything but say so. */
static void
warn(void *arg, const char *file, unsigned line, const char *fault)
{
	(void)arg;
	nd_log(ND_LOG_WARNING, NULL, "explanations: %s:%u: %s", file, line, fault);
}

static const struct explain_ear ear = { warn, NULL };

static void
read_change(struct explain_table *table, const char *path)
{
	struct nd_why why;
	char *text;
	size_t len;

	if (filer_read(path, EXPLAIN_FILE, &text, &len, &why) != ND_OK) {
		warn(NULL, path, 0, why.text);
		return;
	}
	explain_change(table, path, text, len, &ear);
	free(text);
}

void
explanations_load(struct app *app)
{
	const char *config = app->options.config ? app->options.config : ND_SYSCONFDIR "/notifyd/notifyd.conf";
	const char *slash = strrchr(config, '/');
	struct explain_table *table;
	char folder[4200], *text = NULL;
	struct filer_list found;
	struct nd_why why;
	size_t len = 0;

	if (filer_read(BASE, EXPLAIN_FILE, &text, &len, &why) != ND_OK && why.err != ND_ENOTFOUND)
		warn(NULL, BASE, 0, why.text);
	table = explain_new(BASE, text, len, &ear);
	free(text);
	(void)snprintf(folder, sizeof(folder), "%.*sexplain.d", slash ? (int)(slash - config + 1) : 0, config);
	if (filer_list(folder, ".conf", &found, &why) == ND_OK) {
		for (unsigned i = 0; i < found.count && i < FILES_MAX; i++)
			read_change(table, found.paths[i]);
		filer_list_done(&found);
	} else {
		warn(NULL, folder, 0, why.text);
	}
	explain_finish(table, &ear);
	explain_use(table);
}

struct question {
	const char *text, *account;
	enum explain_lang lang;
};

static enum nd_err
check_member(const struct json_node *member, struct nd_why *why)
{
	static const char *const names[] = { "text", "lang", "account", NULL };
	const char *near = nd_str_nearest(member->key, names);
	char hint[96] = "";
	unsigned i;

	for (i = 0; names[i] != NULL && strcmp(names[i], member->key) != 0; i++)
		;
	if (names[i] == NULL) {
		if (near != NULL)
			(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
		(void)nd_fail(why, ND_EUNKNOWN, 0, "there is no field \"%.60s\"", member->key);
		return nd_fail_at(why, member->key, 0, hint);
	}
	if (member->type == JSON_STRING)
		return ND_OK;
	(void)nd_fail(why, ND_EINVALID, 0, "%s must be a string, not %s", member->key, json_type_name(member->type));
	return nd_fail_at(why, member->key, 0, NULL);
}

static enum nd_err
read_question(
    const struct http_request *request, const struct json_node *root, struct question *out, struct nd_why *why)
{
	const struct json_node *member;
	const char *lang;

	if (root->type != JSON_OBJECT)
		return nd_fail(why, ND_ESYNTAX, 0, "a question is a JSON object, not %s", json_type_name(root->type));
	for (member = root->child; member != NULL; member = member->next)
		if (check_member(member, why) != ND_OK)
			return why->err;
	out->text = json_get_text(root, "text");
	out->account = json_get_text(root, "account");
	lang = json_get_text(root, "lang");
	if (out->text == NULL) {
		(void)nd_fail(why, ND_EINVALID, 0, "the text to explain is missing");
		return nd_fail_at(why, "text", 0, NULL);
	}
	if (lang != NULL && strcmp(lang, "en") != 0 && strcmp(lang, "ja") != 0) {
		(void)nd_fail(why, ND_EINVALID, 0, "lang is \"en\" or \"ja\"");
		return nd_fail_at(why, "lang", 0, NULL);
	}
	out->lang = explain_lang_of(lang != NULL ? lang : http_request_header(request, "Accept-Language"));
	return ND_OK;
}

/* Of an account whose token was refused: the row of what that says. Ids are for operators. */
static const struct explain_row *
by_token(const struct app *app, const struct conf_account *account, bool operator_right,
    const struct question *question, struct explain_facts *facts)
{
	const struct engine_account *engine = account ? engine_account_named(app->engine, account->name) : NULL;

	if (!engine || !operator_right || account->auth != CONF_OAUTH2)
		return NULL;
	return hint_token_row(account, engine->claims, question->text, facts);
}

static enum nd_err
answer(
    struct app *app, struct http_request *request, const struct json_node *root, struct nd_buf *out, struct nd_why *why)
{
	const struct conf_account *account = NULL;
	struct explain_facts facts;
	struct hint_room room;
	struct question question = { 0 };
	bool operator_right = http_request_peer(request)->operator_right;

	if (read_question(request, root, &question, why) != ND_OK)
		return why->err;
	if (question.account != NULL && (account = conf_account_named(app->conf, question.account)) == NULL) {
		(void)nd_fail(why, ND_ENOACCOUNT, 0, "there is no account \"%.60s\"", question.account);
		return nd_fail_at(why, "account", 0, NULL);
	}
	hint_facts(account, operator_right ? HINT_OPERATOR : HINT_OWNER, question.text, &room, &facts);
	explain_json(explain_used(), question.text, by_token(app, account, operator_right, &question, &facts), &facts,
	    question.lang, out);
	return ND_OK;
}

void
explanations_answer(void *owner, struct http_request *request)
{
	static const char *const known[] = { NULL };
	struct json_tree tree = { 0 };
	const char *body;
	struct nd_why why;
	struct nd_buf out;
	size_t len;

	body = http_request_body(request, &len);
	nd_buf_init(&out, (size_t)1 << 20);
	if (http_request_only(request, known, &why) == ND_OK &&
	    json_read(&tree, body, len, &json_limits_small, NULL, &why) == ND_OK &&
	    answer(owner, request, tree.root, &out, &why) == ND_OK)
		http_server_reply(request, 200, "application/json", nd_buf_text(&out), out.len, NULL);
	else
		http_server_problem(request, &why);
	nd_buf_done(&out);
	json_done(&tree);
}
