/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_doctor.c - notifyctl doctor: what an alert needs of this host, one line each.  Layer: client.
 *
 * A line tells what was found; one that is not well has its remedy below. With --json each line is an object. What the daemon must see (names, ports,
 * authorities, state, secrets, OpenSSL) it looks at itself, from within its unit; while it is down notifyd --doctor does.
 */
#include "client/doctor.h"
#include "client/probe.h"
#include "client/program.h"
#include "common/skew.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE ND_SEC(60)

enum { OPT_CONFIG };

/* clang-format off */
const struct args_option cmd_doctor_options[] = {
	[OPT_CONFIG] = { 0, "config", "FILE", "The configuration to look at while no daemon runs." },
	{ 0 },
};
/* clang-format on */

static const char *const level_names[] = { [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail" };

static void
say_json(struct doctor *doctor, const char *what, enum doctor_level level, const char *detail, const char *remedy)
{
	struct json_out json;
	struct nd_buf line;

	nd_buf_init(&line, 65536);
	json_out_init(&json, &line);
	json_out_object(&json, NULL);
	json_out_text(&json, "check", what);
	json_out_text(&json, "level", level_names[level]);
	json_out_bool(&json, "ok", level == DOCTOR_OK);
	json_out_text(&json, "detail", detail);
	json_out_text(&json, "remedy", remedy != NULL && remedy[0] != '\0' ? remedy : NULL);
	json_out_object_end(&json);
	(void)nd_buf_addc(&line, '\n');
	writer_json(&doctor->cmd->out, nd_buf_text(&line), line.len);
	nd_buf_done(&line);
}

void
doctor_say(struct doctor *doctor, const char *what, enum doctor_level level, const char *detail, const char *remedy)
{
	static const enum writer_color colors[] = {
		[DOCTOR_OK] = WRITER_GOOD, [DOCTOR_WARN] = WRITER_WARN, [DOCTOR_FAIL] = WRITER_BAD
	};
	struct writer *out = &doctor->cmd->out;

	doctor->counts[level]++;
	if (doctor->cmd->json) {
		say_json(doctor, what, level, detail, remedy);
		return;
	}
	writer_line(out, colors[level], "%s %-14s %s",
	    level != DOCTOR_WARN ? probe_mark(level == DOCTOR_OK)
	    : writer_unicode()   ? "!"
				 : "warn",
	    what, detail);
	if (remedy != NULL && remedy[0] != '\0')
		writer_line(out, WRITER_PLAIN, explain_say(doctor->lang, "  remedy: %s", "  対処: %s"), remedy);
}

static void
add_name(struct doctor *doctor, const char *name, size_t len)
{
	if (doctor->name_count < DOCTOR_NAMES && len > 0)
		doctor->names[doctor->name_count++] = strndup(name, len);
}

/* -- the daemon -- */

/* What it would like somebody to look at: settings that do not fit, ends that come near. */
static void
tell_warnings(struct doctor *doctor, const struct json_node *status)
{
	const struct json_node *warnings = json_get(status, "warnings");

	for (const struct json_node *one = warnings != NULL ? warnings->child : NULL; one != NULL; one = one->next)
		if (json_get_text(one, "code") != NULL && json_get_text(one, "detail") != NULL)
			doctor_say(doctor, json_get_text(one, "code"), DOCTOR_WARN, json_get_text(one, "detail"),
			    json_get_text(one, "hint"));
}

static void
look_at_daemon(struct doctor *doctor)
{
	const struct link_request request = { .method = "GET", .path = "/v1/status" };
	const struct json_node *account;
	struct json_tree tree = { 0 };
	struct link_reply reply;
	struct nd_why why;

	if (link_call(doctor->cmd->socket, &request, &reply, &why) != ND_OK || reply.status != 200 ||
	    cmd_read(&reply, &tree, &why) != ND_OK) {
		doctor_say(doctor, "daemon", DOCTOR_FAIL,
		    reply.status != 0 ? explain_say(doctor->lang, "notifyd answers, but not with its status",
					    "notifyd は応答しましたが、状態を取得できません")
				      : why.text,
		    reply.status != 0 ? "notifyctl status" : nd_why_hint(&why));
	} else {
		doctor->up = true;
		doctor_say(doctor, "daemon", DOCTOR_OK,
		    explain_say(doctor->lang, "notifyd answers", "notifyd が応答しました"), NULL);
		account = json_get(tree.root, "accounts");
		for (account = account != NULL ? account->child : NULL; account != NULL; account = account->next)
			if (json_get_text(account, "name") != NULL)
				add_name(
				    doctor, json_get_text(account, "name"), strlen(json_get_text(account, "name")));
		tell_warnings(doctor, tree.root);
	}
	json_done(&tree);
	link_reply_done(&reply);
}

/* "the configuration is good: 2 accounts: m365, gmail" */
static void
take_check(void *arg, const char *line, size_t len)
{
	struct doctor *doctor = arg;
	const char *at = memmem(line, len, "accounts: ", 10), *end = line + len;

	for (at = at != NULL ? at + 10 : NULL; at != NULL && at < end; at += strspn(at, ", \n")) {
		const size_t name = strcspn(at, ",\n");

		add_name(doctor, at, name);
		at += name;
		if (*at == '\n')
			break;
	}
}

/* notifyd with an option of its own, and with the configuration that was named. false: it is not installed. */
static bool
run_daemon(struct doctor *doctor, const char *option, void (*each)(void *arg, const char *line, size_t len), int *code)
{
	const char *words[5] = { NULL, option, NULL, NULL, NULL };
	char path[PROGRAM_PATH];

	if (!program_notifyd(NULL, path))
		return false;
	words[0] = path;
	if (doctor->config != NULL) {
		words[2] = "--config";
		words[3] = doctor->config;
	}
	*code = program_lines(words, PROGRAM_ALOUD, each, doctor);
	return true;
}

/* While it is down its own program reads the configuration. */
static void
look_at_configuration(struct doctor *doctor)
{
	const enum explain_lang lang = doctor->lang;
	int code;

	if (doctor->up)
		return;
	if (!run_daemon(doctor, "--check", take_check, &code))
		doctor_say(doctor, "configuration", DOCTOR_FAIL,
		    explain_say(lang, "the program notifyd is not installed",
			"プログラム notifyd がインストールされていません"),
		    explain_say(lang, "install the package notifyd", "パッケージ notifyd をインストールしてください"));
	else if (code == 0)
		doctor_say(doctor, "configuration", DOCTOR_OK, explain_say(lang, "it is good", "問題ありません"), NULL);
	else
		doctor_say(doctor, "configuration", DOCTOR_FAIL, explain_say(lang, "it has errors", "誤りがあります"),
		    explain_say(lang, "notifyd --check tells each of them", "notifyd --check で一つずつ確認できます"));
}

/* -- what the daemon sees -- */

static enum doctor_level
level_named(const char *name)
{
	if (name == NULL || strcmp(name, "ok") == 0)
		return DOCTOR_OK;
	return strcmp(name, "warn") == 0 ? DOCTOR_WARN : DOCTOR_FAIL;
}

static void
take_finding(void *arg, const char *line, size_t len)
{
	struct json_tree tree = { 0 };
	const char *check, *detail;

	if (json_read(&tree, line, len, &json_limits_small, NULL, NULL) == ND_OK &&
	    (check = json_get_text(tree.root, "check")) != NULL &&
	    (detail = json_get_text(tree.root, "detail")) != NULL)
		doctor_say(arg, check, level_named(json_get_text(tree.root, "level")), detail,
		    json_get_text(tree.root, "remedy"));
	json_done(&tree);
}

static const char *
as_operator(const struct doctor *doctor)
{
	return explain_say(doctor->lang, "run it as root, or as a member of the group notifyd-admin",
	    "root またはグループ notifyd-admin のメンバーとして実行してください");
}

static void
ask_daemon(struct doctor *doctor)
{
	const struct link_request request = {
		.method = "GET", .path = "/v1/doctor", .patience = PATIENCE, .language = explain_lang_name(doctor->lang)
	};
	const enum explain_lang lang = doctor->lang;
	const char *at, *end;
	struct link_reply reply;
	struct nd_why why;

	if (link_call(doctor->cmd->socket, &request, &reply, &why) != ND_OK)
		doctor_say(doctor, "host", DOCTOR_WARN, why.text, nd_why_hint(&why));
	else if (reply.status != 200)
		doctor_say(doctor, "host", DOCTOR_WARN,
		    explain_say(lang, "notifyd does not tell what it sees of this host",
			"notifyd から見たこのホストの状態を取得できません"),
		    reply.status == 403 ? as_operator(doctor) : "notifyctl status");
	else
		for (at = nd_buf_text(&reply.body), end = at + reply.body.len; at < end; at += strcspn(at, "\n") + 1)
			take_finding(doctor, at, strcspn(at, "\n"));
	link_reply_done(&reply);
}

static void
look_at_host(struct doctor *doctor)
{
	int code;

	if (doctor->up)
		ask_daemon(doctor);
	else
		(void)run_daemon(doctor, "--doctor", take_finding, &code);
}

/* -- the accounts -- */

struct verdict {
	struct doctor *doctor;
	const char *name;
	struct nd_buf detail, remedy;
	bool failed;
};

static void
tell_skew(struct doctor *doctor, const char *name, int64_t skew)
{
	static const enum doctor_level levels[] = {
		[SKEW_NONE] = DOCTOR_OK, [SKEW_SEEN] = DOCTOR_WARN, [SKEW_FATAL] = DOCTOR_FAIL
	};
	const char *remedy;
	char text[300];
	const enum skew seen = skew_judge(doctor->lang, name, (long)skew, text, sizeof(text), &remedy);

	doctor_say(doctor, "clock", levels[seen], text, remedy);
}

static const char *
inspected_by(const struct doctor *doctor)
{
	return explain_say(doctor->lang,
	    "a box of this network reads the mail and its token: exempt the provider's hosts, if that is not meant",
	    "このネットワークの装置がメールとトークンを読み取っています。意図したものでなければ、プロバイダーのホストを"
	    "検査の対象から外してください");
}

static void
tell_certificate(struct doctor *doctor, const struct json_node *step)
{
	const bool inspected = json_get(step, "inspected") != NULL;

	doctor_say(doctor, "certificate",
	    json_get_text(step, "code") != NULL ? DOCTOR_FAIL
	    : inspected                         ? DOCTOR_WARN
						: DOCTOR_OK,
	    json_get_text(step, "detail"), inspected ? inspected_by(doctor) : json_get_text(step, "remedy"));
}

/* Whoever gets hold of a token can do all that it allows. */
static void
tell_token(struct doctor *doctor, const struct json_node *step)
{
	if (json_true(step, "broad"))
		doctor_say(doctor, "token", DOCTOR_WARN, json_get_text(step, "detail"),
		    explain_say(doctor->lang,
			"sending needs none of these rights: take them from the application's API permissions",
			"これらの権限は送信に不要です。アプリの「API のアクセス許可」から外してください"));
}

static void
take_step(void *arg, const struct json_node *step, const char *line, size_t len)
{
	struct verdict *verdict = arg;
	const char *name = json_get_text(step, "step"), *remedy = json_get_text(step, "remedy");
	int64_t skew;

	(void)line;
	(void)len;
	if (json_int(json_get(step, "skew_seconds"), -INT32_MAX, INT32_MAX, &skew))
		tell_skew(verdict->doctor, verdict->name, skew);
	if (strcmp(name, "certificate") == 0)
		tell_certificate(verdict->doctor, step);
	else if (json_get(step, "inspected") != NULL)
		doctor_say(verdict->doctor, "certificate", DOCTOR_WARN,
		    json_get_text(step, "code") != NULL
			? explain_say(verdict->doctor->lang, "the token endpoint: TLS is inspected on the way",
			      "トークンエンドポイント: 経路上で TLS が検査されています")
			: json_get_text(step, "detail"),
		    inspected_by(verdict->doctor));
	if (strcmp(name, "claims") == 0)
		tell_token(verdict->doctor, step);
	if (remedy != NULL)
		(void)nd_buf_adds(&verdict->remedy, remedy);
	if (strcmp(name, "result") != 0)
		return;
	verdict->failed = probe_code(step) == CMD_UNDELIVERED;
	if (probe_code(step) == CMD_PENDING)
		verdict->doctor->unproved++;
	(void)nd_buf_adds(&verdict->detail, json_get_text(step, "detail"));
}

static void
look_at_account(struct doctor *doctor, const char *name)
{
	const struct probe_ask ask = { .name = name, .config = doctor->up ? NULL : doctor->config, .no_send = true };
	struct verdict verdict = { .doctor = doctor, .name = name };
	char what[64];
	int code;

	nd_buf_init(&verdict.detail, 65536);
	nd_buf_init(&verdict.remedy, 65536);
	(void)snprintf(what, sizeof(what), "account %.50s", name);
	code = probe_ask(doctor->cmd, &ask, take_step, &verdict);
	if (code != CMD_DONE) /* whose right it is not has found no fault */
		doctor_say(doctor, what, code == CMD_DENIED ? DOCTOR_WARN : DOCTOR_FAIL,
		    explain_say(doctor->lang, "it could not be tested", "テストできませんでした"),
		    code == CMD_DENIED ? as_operator(doctor) : "notifyctl status");
	else
		doctor_say(doctor, what, verdict.failed ? DOCTOR_FAIL : DOCTOR_OK, nd_buf_text(&verdict.detail),
		    verdict.failed ? nd_buf_text(&verdict.remedy) : NULL);
	nd_buf_done(&verdict.detail);
	nd_buf_done(&verdict.remedy);
}

static void
look_at_accounts(struct doctor *doctor)
{
	if (doctor->name_count == 0)
		doctor_say(doctor, "accounts", DOCTOR_FAIL,
		    explain_say(doctor->lang, "no account is set up: jobs are accepted and held",
			"アカウントが設定されていません。ジョブは受け付けられますが、保留されます"),
		    explain_say(doctor->lang,
			"notifyctl setup, or add an [account NAME] to notifyd.conf, then: notifyctl reload",
			"notifyctl setup を実行するか、notifyd.conf に [account NAME] を追加して notifyctl reload "
			"を実行してください"));
	for (unsigned i = 0; i < doctor->name_count; i++)
		look_at_account(doctor, doctor->names[i]);
}

static void
sum_up(struct doctor *doctor)
{
	const char *as_far = doctor->unproved > 0
				 ? explain_say(doctor->lang, ", as far as can be seen without a message",
				       " (メールを送信せずに確認できる範囲で)")
				 : "";

	if (doctor->cmd->json)
		return;
	if (doctor->counts[DOCTOR_WARN] + doctor->counts[DOCTOR_FAIL] == 0)
		writer_line(&doctor->cmd->out, WRITER_GOOD,
		    explain_say(doctor->lang, "all is well%s", "問題はありません%s"), as_far);
	else
		writer_line(&doctor->cmd->out, WRITER_BOLD,
		    explain_say(doctor->lang, "%u to be mended, %u to be looked at%s", "要修正 %u 件、要確認 %u 件%s"),
		    doctor->counts[DOCTOR_FAIL], doctor->counts[DOCTOR_WARN], as_far);
}

int
cmd_doctor_run(struct cmd *cmd, const struct args *args)
{
	struct doctor doctor = { .cmd = cmd, .lang = cmd_language(), .config = args_value(args, OPT_CONFIG) };

	look_at_daemon(&doctor);
	look_at_configuration(&doctor);
	doctor_unit(&doctor);
	doctor_sockets(&doctor);
	doctor_credentials(&doctor);
	doctor_clock(&doctor);
	look_at_host(&doctor);
	look_at_accounts(&doctor);
	sum_up(&doctor);
	for (unsigned i = 0; i < doctor.name_count; i++)
		free(doctor.names[i]);
	return doctor.counts[DOCTOR_FAIL] > 0 ? 1 : CMD_DONE;
}
