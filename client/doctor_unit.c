/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_unit.c - notifyctl doctor: what systemd makes of notifyd.service, drop-ins and all.  Layer: client.
 *
 * The table says what the installed unit sets. A drop-in that takes protection away is a warning; one that breaks notifyd is a fault.
 */
#include "client/doctor.h"
#include "client/program.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_SIZE 512
#define MIB (UINT64_C(1) << 20)

enum kind {
	PROTECTS, /* another value than this takes protection away */
	BREAKS,   /* another value than this breaks notifyd */
	AT_LEAST, /* a number; infinity is fine */
	HOLDS,    /* a list that must hold these words */
	EMPTY     /* any value breaks notifyd */
};

struct directive {
	const char *name, *wanted;
	const char *words, *ja; /* what another value does; NULL: less protection */
	uint64_t least;
	enum kind kind;
};

/* clang-format off */
static const struct directive directives[] = {
	{ .kind = BREAKS, .name = "User", .wanted = "notifyd", .words = "the state directory and the sockets belong to the user notifyd",
	  .ja = "状態ディレクトリとソケットはユーザー notifyd のものです" },
	{ .kind = BREAKS, .name = "DynamicUser", .wanted = "no", .words = "the state directory belongs to the user notifyd",
	  .ja = "状態ディレクトリはユーザー notifyd のものです" },
	{ .kind = BREAKS, .name = "Type", .wanted = "notify", .words = "systemd does not learn whether notifyd is ready",
	  .ja = "notifyd の準備ができたかどうかが systemd に伝わりません" },
	{ .kind = BREAKS, .name = "PrivateUsers", .wanted = "no", .words = "every client looks like nobody: whose a job is cannot be told",
	  .ja = "すべてのクライアントが nobody に見え、ジョブの持ち主が分かりません" },
	{ .kind = BREAKS, .name = "PrivateNetwork", .wanted = "no", .words = "no server can be reached",
	  .ja = "どのサーバーにも接続できません" },
	{ .kind = BREAKS, .name = "ProcSubset", .wanted = "all", .words = "the boot id is hidden: after a crash every due job counts as uncertain",
	  .ja = "ブート ID が見えないため、異常終了後は送信待ちのジョブがすべて送信済みか不明の扱いになります" },
	{ .kind = BREAKS, .name = "ProtectProc", .wanted = "default", .words = "the units of clients cannot be told",
	  .ja = "クライアントのユニットが分かりません" },
	{ .kind = EMPTY, .name = "IPAddressDeny", .words = "the addresses of providers change: what is allowed today is not tomorrow",
	  .ja = "プロバイダーのアドレスは変わるため、今日許可されたものが明日は許可されないことがあります" },
	{ .kind = HOLDS, .name = "RestrictAddressFamilies", .wanted = "AF_UNIX AF_INET AF_INET6 AF_NETLINK", .words = "servers cannot be looked up or reached",
	  .ja = "サーバーの名前解決や接続ができません" },
	{ .kind = AT_LEAST, .name = "MemoryMax", .least = 256 * MIB, .wanted = "512M", .words = "notifyd is killed when large mails come at once",
	  .ja = "大きなメールが一度に届くと notifyd が強制終了されます" },
	{ .kind = AT_LEAST, .name = "LimitNOFILE", .least = 1024, .wanted = "4096", .words = "connections are refused when many clients come at once",
	  .ja = "多くのクライアントが一度に接続すると拒否されます" },
	{ .kind = AT_LEAST, .name = "TasksMax", .least = 32, .wanted = "64", .words = "its threads cannot be started",
	  .ja = "スレッドを開始できません" },
	{ .kind = PROTECTS, .name = "Restart", .wanted = "on-failure", .words = "after a crash nobody starts it before the next job comes",
	  .ja = "異常終了すると、次のジョブが届くまで起動されません" },
	{ .kind = PROTECTS, .name = "LimitCORE", .wanted = "0", .words = "a core file would hold secrets",
	  .ja = "コアファイルにシークレットが残ります" },
	{ .kind = PROTECTS, .name = "UMask", .wanted = "0077" },
	{ .kind = PROTECTS, .name = "NoNewPrivileges", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "CapabilityBoundingSet", .wanted = "" },
	{ .kind = PROTECTS, .name = "AmbientCapabilities", .wanted = "" },
	{ .kind = PROTECTS, .name = "KeyringMode", .wanted = "private" },
	{ .kind = PROTECTS, .name = "LockPersonality", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "MemoryDenyWriteExecute", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "DevicePolicy", .wanted = "closed" },
	{ .kind = PROTECTS, .name = "PrivateDevices", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "PrivateIPC", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "PrivateTmp", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "ProtectClock", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "ProtectControlGroups", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "ProtectHome", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "ProtectHostname", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "ProtectKernelLogs", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "ProtectKernelModules", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "ProtectKernelTunables", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "ProtectSystem", .wanted = "strict" },
	{ .kind = PROTECTS, .name = "RemoveIPC", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "RestrictRealtime", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "RestrictSUIDSGID", .wanted = "yes" },
	{ .kind = PROTECTS, .name = "SystemCallArchitectures", .wanted = "native" },
};
#define DIRECTIVES (sizeof(directives) / sizeof(directives[0]))
/* clang-format on */

struct unit {
	char load[64], active[64], drop_ins[VALUE_SIZE];
	bool credential;
	struct {
		bool known;
		char value[VALUE_SIZE];
	} found[DIRECTIVES];
};

static bool
take_value(const char *line, size_t len, const char *name, char *out, size_t size)
{
	const size_t start = strlen(name) + 1;

	if (len < start || strncmp(line, name, start - 1) != 0 || line[start - 1] != '=')
		return false;
	(void)snprintf(out, size, "%.*s", (int)strcspn(line + start, "\n"), line + start);
	return true;
}

static void
take_property(void *arg, const char *line, size_t len)
{
	struct unit *unit = arg;
	char value[VALUE_SIZE];

	if (take_value(line, len, "ActiveState", unit->active, sizeof(unit->active)) ||
	    take_value(line, len, "LoadState", unit->load, sizeof(unit->load)) ||
	    take_value(line, len, "DropInPaths", unit->drop_ins, sizeof(unit->drop_ins)))
		return;
	if (take_value(line, len, "LoadCredential", value, sizeof(value)) ||
	    take_value(line, len, "LoadCredentialEncrypted", value, sizeof(value)))
		unit->credential |= value[0] != '\0';
	for (size_t i = 0; i < DIRECTIVES; i++)
		if (take_value(line, len, directives[i].name, unit->found[i].value, sizeof(unit->found[i].value)))
			unit->found[i].known = true;
}

static bool
holds(const char *list, const char *words)
{
	while (*words != '\0') {
		const size_t len = strcspn(words, " ");
		const char *at = list;

		while ((at = memmem(at, strlen(at), words, len)) != NULL && (at[len] != '\0' && at[len] != ' '))
			at += len;
		if (at == NULL)
			return false;
		words += len + strspn(words + len, " ");
	}
	return true;
}

/* "~AF_INET …" is a list of what is not allowed. */
static bool
allows(const char *list, const char *words)
{
	char word[32];

	if (list[0] != '~')
		return holds(list, words);
	for (; *words != '\0'; words += strcspn(words, " "), words += strspn(words, " ")) {
		(void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(words, " "), words);
		if (holds(list + 1, word))
			return false;
	}
	return true;
}

static bool
is_well(const struct directive *directive, const char *value)
{
	switch (directive->kind) {
	case PROTECTS:
	case BREAKS:
		return strcmp(value, directive->wanted) == 0;
	case AT_LEAST:
		return strcmp(value, "infinity") == 0 || strtoull(value, NULL, 10) >= directive->least;
	case HOLDS:
		return allows(value, directive->wanted);
	case EMPTY:
		break;
	}
	return value[0] == '\0';
}

static const char *
drop_ins(const struct doctor *doctor, const struct unit *unit)
{
	return unit->drop_ins[0] != '\0' ? explain_say(doctor->lang, "; drop-ins: ", "。ドロップイン: ") : "";
}

static void
judge(struct doctor *doctor, const struct unit *unit, size_t n)
{
	const struct directive *directive = &directives[n];
	const bool protects = directive->kind == PROTECTS;
	const enum explain_lang lang = doctor->lang;
	char text[1200], remedy[900];

	if (!unit->found[n].known || is_well(directive, unit->found[n].value))
		return;
	(void)snprintf(text, sizeof(text),
	    explain_say(lang, "%s=%.200s, where the installed unit has %s%s%s: %s",
		"%s=%.200s (インストール時のユニットでは %s)%s%s: %s"),
	    directive->name, unit->found[n].value,
	    directive->wanted != NULL && directive->wanted[0] != '\0' ? directive->wanted
								      : explain_say(lang, "none", "なし"),
	    drop_ins(doctor, unit), unit->drop_ins,
	    directive->words != NULL
		? explain_say(lang, directive->words, directive->ja)
		: explain_say(lang, "notifyd is less shut in than it could be", "notifyd の隔離が弱くなっています"));
	(void)snprintf(remedy, sizeof(remedy),
	    explain_say(lang,
		"take %s= out of the drop-in (systemctl cat notifyd shows which), then: systemctl daemon-reload && "
		"systemctl restart notifyd",
		"ドロップインから %s= を削除し (systemctl cat notifyd で確認できます)、systemctl daemon-reload && "
		"systemctl restart "
		"notifyd を実行してください"),
	    directive->name);
	doctor_say(doctor, "sandbox", protects ? DOCTOR_WARN : DOCTOR_FAIL, text, remedy);
}

static void
tell_sandbox(struct doctor *doctor, const struct unit *unit)
{
	const unsigned before = doctor->counts[DOCTOR_WARN] + doctor->counts[DOCTOR_FAIL];
	unsigned known = 0;
	char text[VALUE_SIZE + 100];

	for (size_t i = 0; i < DIRECTIVES; i++) {
		known += unit->found[i].known;
		judge(doctor, unit, i);
	}
	if (known == 0 || doctor->counts[DOCTOR_WARN] + doctor->counts[DOCTOR_FAIL] > before)
		return;
	(void)snprintf(text, sizeof(text),
	    explain_say(
		doctor->lang, "%u directives are as installed%s%s", "%u 個の設定はインストール時のままです%s%s"),
	    known, drop_ins(doctor, unit), unit->drop_ins);
	doctor_say(doctor, "sandbox", DOCTOR_OK, text, NULL);
}

static int
ask(struct unit *unit)
{
	char properties[4096] = "--property=LoadState,ActiveState,DropInPaths,LoadCredential,LoadCredentialEncrypted";
	const char *const words[] = { "systemctl", "show", "notifyd.service", properties, NULL };
	size_t len = strlen(properties);

	for (size_t i = 0; i < DIRECTIVES && len < sizeof(properties); i++)
		len += (size_t)snprintf(properties + len, sizeof(properties) - len, ",%s", directives[i].name);
	return program_lines(words, PROGRAM_SILENT, take_property, unit);
}

void
doctor_unit(struct doctor *doctor)
{
	struct unit unit = { .load = "" };
	const enum explain_lang lang = doctor->lang;
	const char *remedy = NULL;
	char text[400];

	if (ask(&unit) != 0) {
		if (access("/run/systemd/system", F_OK) != 0)
			doctor_say(doctor, "unit", DOCTOR_OK,
			    explain_say(lang, "systemd does not run here", "systemd は動作していません"), NULL);
		else
			doctor_say(doctor, "unit", DOCTOR_WARN,
			    explain_say(lang, "systemctl does not answer", "systemctl が応答しません"),
			    "systemctl status notifyd");
		return;
	}
	(void)snprintf(text, sizeof(text),
	    explain_say(lang, "notifyd.service is %s, %s; %s", "notifyd.service は %s、%s です。%s"), unit.load,
	    unit.active,
	    unit.credential ? explain_say(lang, "credentials are loaded for it", "資格情報が読み込まれます")
			    : explain_say(lang, "no credential is loaded for it", "資格情報は読み込まれません"));
	if (strcmp(unit.load, "loaded") != 0)
		remedy = explain_say(lang, "install the package's units, then: systemctl daemon-reload",
		    "パッケージのユニットをインストールし、systemctl daemon-reload を実行してください");
	else if (strcmp(unit.active, "failed") == 0)
		remedy = explain_say(lang, "journalctl -u notifyd says why; then: systemctl restart notifyd",
		    "journalctl -u notifyd で原因を確認し、systemctl restart notifyd を実行してください");
	doctor_say(doctor, "unit", remedy == NULL ? DOCTOR_OK : DOCTOR_FAIL, text, remedy);
	if (strcmp(unit.load, "loaded") == 0)
		tell_sandbox(doctor, &unit);
}
