/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - what an alert needs of its host: facts => findings, each with its level, its cause and its cure.  Layer: core. */
#include "daemon/core/doctor.h"

#include "common/skew.h"
#include "daemon/core/proxy_talk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SLOW_LOOKUP ND_SEC(2)
#define MIB (INT64_C(1) << 20)
#define ROOM 2048u /* for a sentence */

static void ND_PRINTF(4, 5)
    find(struct doctor_finding *out, const char *check, enum doctor_level level, const char *format, ...)
{
	va_list args;

	out->check = check;
	out->level = level;
	out->remedy[0] = '\0';
	va_start(args, format);
	(void)vsnprintf(out->detail, sizeof(out->detail), format, args);
	va_end(args);
}

static void ND_PRINTF(2, 3) cure(struct doctor_finding *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(out->remedy, sizeof(out->remedy), format, args);
	va_end(args);
}

/* A failure in the reader's language: what the table says it means, else its own words. */
static const char *
meaning(enum explain_lang lang, const char *failure, const struct explain_facts *facts, struct nd_buf *room)
{
	const struct explain_row *found[EXPLAIN_FOUND];

	if (lang == EXPLAIN_EN || explain_find(explain_used(), failure, facts, found) == 0)
		return failure;
	nd_buf_clear(room);
	explain_fill(explain_cause(found[0], lang), facts, room);
	(void)nd_buf_addf(room, " (%s)", failure);
	return nd_buf_text(room);
}

const char *
doctor_level_name(enum doctor_level level)
{
	static const char *const names[] = { [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail" };

	return names[level];
}

/* -- who must be reachable -- */

/* https://host[:port]/… */
static bool
read_url(const char *url, struct doctor_target *out)
{
	const char *host = strncmp(url, "https://", 8) == 0 ? url + 8 : NULL, *end;
	long port = 443;

	if (host == NULL)
		return false;
	if (*host == '[') {
		end = strchr(++host, ']');
		if (end == NULL)
			return false;
	} else {
		end = host + strcspn(host, ":/?#");
	}
	if (end == host || (size_t)(end - host) >= sizeof(out->host))
		return false;
	memcpy(out->host, host, (size_t)(end - host));
	out->host[end - host] = '\0';
	end += *end == ']';
	if (*end == ':')
		port = strtol(end + 1, NULL, 10);
	out->port = (uint16_t)port;
	return port > 0 && port <= UINT16_MAX;
}

static bool
read_proxy(const char *url, struct doctor_target *out)
{
	struct proxy_talk_server server;

	if (url == NULL || !proxy_talk_server(url, &server) || server.kind == PROXY_TALK_NONE)
		return false;
	out->what = "the proxy";
	out->ja = "プロキシ";
	(void)snprintf(out->host, sizeof(out->host), "%s", server.host);
	out->port = server.port;
	return true;
}

static void
add(struct doctor_target *list, unsigned *count, const struct doctor_target *target)
{
	for (unsigned i = 0; i < *count; i++)
		if (list[i].port == target->port && strcasecmp(list[i].host, target->host) == 0)
			return;
	if (*count < DOCTOR_TARGETS)
		list[(*count)++] = *target;
}

static void
add_server(const struct conf_account *account, struct doctor_target *list, unsigned *count)
{
	struct doctor_target target = { .what = "the server", .ja = "サーバー", .account = account->name };

	if (!read_proxy(account->smtp_proxy, &target)) {
		(void)snprintf(target.host, sizeof(target.host), "%s", account->host);
		target.port = (uint16_t)account->port;
	}
	add(list, count, &target);
}

/* A managed identity's address is the machine's own, and answers nobody else. */
static void
add_endpoint(const struct conf *conf, const struct conf_account *account, struct doctor_target *list, unsigned *count)
{
	struct doctor_target target = {
		.what = "the token endpoint", .ja = "トークンエンドポイント", .account = account->name
	};

	if (account->auth != CONF_OAUTH2 || account->grant == CONF_MANAGED_IDENTITY)
		return;
	/* Hosts of no_proxy are reached without it: both ways are looked at. */
	if (read_proxy(conf->proxy, &target)) {
		add(list, count, &target);
		if (conf->no_proxy.count == 0)
			return;
		target.what = "the token endpoint";
		target.ja = "トークンエンドポイント";
	}
	if (read_url(account->token_url, &target))
		add(list, count, &target);
}

unsigned
doctor_targets(const struct conf *conf, struct doctor_target out[DOCTOR_TARGETS])
{
	unsigned count = 0;

	for (unsigned i = 0; i < conf->account_count; i++) {
		add_server(&conf->account[i], out, &count);
		add_endpoint(conf, &conf->account[i], out, &count);
	}
	return count;
}

static void
unresolved(const struct doctor_target *target, nd_ms took, const struct nd_why *why, struct doctor_finding *out)
{
	const struct explain_facts facts = { .account = target->account, .host = target->host };
	const enum explain_lang lang = out->lang;
	struct nd_buf room;

	nd_buf_init(&room, ROOM);
	if (lang == EXPLAIN_JA)
		find(out, "resolver", DOCTOR_FAIL, "%s (アカウント %s の%s): %s、%lld ミリ秒", target->host,
		    target->account, target->ja, meaning(lang, why->text, &facts, &room), (long long)took);
	else
		find(out, "resolver", DOCTOR_FAIL, "%s, %s of account %s: %s, after %lld ms", target->host,
		    target->what, target->account, why->text, (long long)took);
	cure(out,
	    explain_say(lang,
		"getent ahosts %s must give an address: see to the name servers in /etc/resolv.conf, or to the name in "
		"notifyd.conf",
		"getent ahosts %s がアドレスを返す必要があります。/etc/resolv.conf のネームサーバー、または "
		"notifyd.conf の名前を確認して"
		"ください"),
	    target->host);
	nd_buf_done(&room);
}

void
doctor_resolved(const struct doctor_target *target, const char *address, unsigned count, nd_ms took,
    const struct nd_why *why, struct doctor_finding *out)
{
	const enum explain_lang lang = out->lang;

	if (count == 0) {
		unresolved(target, took, why, out);
		return;
	}
	find(out, "resolver", took > SLOW_LOOKUP ? DOCTOR_WARN : DOCTOR_OK,
	    explain_say(lang, "%s has %u address%s, the first is %s; it took %lld ms",
		"%s のアドレスは %u 件です%s。最初のアドレスは %s で、検索に %lld ミリ秒かかりました"),
	    target->host, count, lang != EXPLAIN_EN || count == 1 ? "" : "es", address, (long long)took);
	if (out->level != DOCTOR_OK)
		cure(out, "%s",
		    explain_say(lang,
			"one of the name servers in /etc/resolv.conf answers late or not at all: put it last, or out",
			"/etc/resolv.conf "
			"に応答の遅い、または応答しないネームサーバーがあります。最後に移すか、削除してください"));
}

void
doctor_reached(const struct doctor_target *target, const char *address, nd_ms took, const struct nd_why *why,
    struct doctor_finding *out)
{
	const struct explain_facts facts = { .account = target->account, .host = target->host };
	const enum explain_lang lang = out->lang;
	const unsigned port = target->port;
	struct nd_buf room;

	if (address != NULL) {
		find(out, "port", DOCTOR_OK,
		    explain_say(lang, "%s port %u: connected to %s in %lld ms",
			"%s ポート %u: %s に接続しました (%lld ミリ秒)"),
		    target->host, port, address, (long long)took);
		return;
	}
	nd_buf_init(&room, ROOM);
	if (lang == EXPLAIN_JA)
		find(out, "port", DOCTOR_FAIL, "%s ポート %u (アカウント %s の%s): %s", target->host, port,
		    target->account, target->ja, meaning(lang, why->text, &facts, &room));
	else
		find(out, "port", DOCTOR_FAIL, "%s port %u, %s of account %s: %s", target->host, port, target->what,
		    target->account, why->text);
	cure(out,
	    explain_say(lang,
		"let this host out to %s port %u in every firewall on the way, or name the proxy in notifyd.conf",
		"このホストから %s ポート %u への通信を経路上のすべてのファイアウォールで許可するか、notifyd.conf "
		"でプロキシを指定してください"),
	    target->host, port);
	nd_buf_done(&room);
}

/* -- the host -- */

void
doctor_clock(const char *account, long skew, struct doctor_finding *out)
{
	static const enum doctor_level levels[] = {
		[SKEW_NONE] = DOCTOR_OK, [SKEW_SEEN] = DOCTOR_WARN, [SKEW_FATAL] = DOCTOR_FAIL
	};
	const char *remedy;
	char text[300];
	const enum skew seen = skew_judge(out->lang, account, skew, text, sizeof(text), &remedy);

	find(out, "clock", levels[seen], "%s", text);
	if (remedy != NULL)
		cure(out, "%s", remedy);
}

void
doctor_state(const struct doctor_folder *folder, struct doctor_finding *out)
{
	const enum explain_lang lang = out->lang;

	if (!folder->there) {
		find(out, "state", DOCTOR_OK,
		    explain_say(lang, "%s is not there: the unit makes it",
			"%s はまだありません。ユニットの起動時に作成されます"),
		    folder->path);
	} else if (strcmp(folder->owner, folder->wanted) != 0) {
		find(out, "state", DOCTOR_FAIL,
		    explain_say(lang, "%s belongs to %s, not to %s", "%s の所有者は %s です。本来は %s です"),
		    folder->path, folder->owner, folder->wanted);
		cure(out, "systemctl stop notifyd; chown -R %s: %s; systemctl start notifyd", folder->wanted,
		    folder->path);
	} else if ((folder->mode & 0700) != 0700) {
		find(out, "state", DOCTOR_FAIL,
		    explain_say(lang, "%s has mode %04o: its owner cannot use it",
			"%s のモードは %04o です。所有者が使用できません"),
		    folder->path, folder->mode);
		cure(out, "chmod 700 %s", folder->path);
	} else if ((folder->mode & 077) != 0) {
		find(out, "state", DOCTOR_WARN,
		    explain_say(lang, "%s has mode %04o: others see what is in the queue",
			"%s のモードは %04o です。他のユーザーがキューの内容を読めます"),
		    folder->path, folder->mode);
		cure(out, "chmod 700 %s", folder->path);
	} else {
		find(out, "state", DOCTOR_OK,
		    explain_say(lang, "%s belongs to %s, mode %04o", "%s の所有者は %s、モードは %04o です"),
		    folder->path, folder->owner, folder->mode);
	}
}

void
doctor_room(const struct doctor_folder *folder, int64_t min_free, struct doctor_finding *out)
{
	const enum explain_lang lang = out->lang;
	const char *path = folder->path;

	if (folder->free < 0) {
		find(out, "room", DOCTOR_WARN,
		    explain_say(lang, "the free space of %s is not known", "%s の空き容量を確認できません"), path);
		cure(out, "df %s", path);
		return;
	}
	find(out, "room",
	    folder->free < min_free       ? DOCTOR_FAIL
	    : folder->free < 2 * min_free ? DOCTOR_WARN
					  : DOCTOR_OK,
	    explain_say(lang, "%s has %" PRId64 " MiB free, min_free is %" PRId64 " MiB",
		"%s の空き容量は %" PRId64 " MiB、min_free は %" PRId64 " MiB です"),
	    path, folder->free / MIB, min_free / MIB);
	if (out->level == DOCTOR_FAIL)
		cure(out, "%s",
		    explain_say(lang, "free space there: jobs are refused (disk-full), or set [queue] min_free",
			"空き容量を増やすか、[queue] min_free を設定してください。現在ジョブは拒否されています "
			"(disk-full)"));
	else if (out->level == DOCTOR_WARN)
		cure(out, "%s",
		    explain_say(lang, "free space there before jobs are refused",
			"ジョブが拒否される前に空き容量を増やしてください"));
}

void
doctor_authorities(const char *place, bool own, int count, const char *reason, struct doctor_finding *out)
{
	const enum explain_lang lang = out->lang;

	if (count > 0) {
		find(out, "authorities", DOCTOR_OK,
		    explain_say(lang, "%s: %d certificate%s loaded", "%s: %d 件の証明書%sを読み込みました"), place,
		    count, lang != EXPLAIN_EN || count == 1 ? "" : "s");
		return;
	}
	find(out, "authorities", DOCTOR_FAIL,
	    explain_say(
		lang, "%s: %s: no server is trusted", "%s が読み込めないため (%s)、どのサーバーも信頼できません"),
	    place, count < 0 ? reason : explain_say(lang, "there is no certificate", "証明書がありません"));
	cure(out, "%s",
	    own ? explain_say(lang,
		      "ca_file and token_ca_file name PEM files that the user notifyd can read, ca_dir a folder of "
		      "them",
		      "ca_file と token_ca_file には、ユーザー notifyd が読み取れる PEM ファイルを、ca_dir "
		      "にはそのフォルダーを指定してください")
		: explain_say(lang, "install the package ca-certificates, or run update-ca-certificates",
		      "パッケージ ca-certificates をインストールするか、update-ca-certificates を実行してください"));
}

void
doctor_fips(const char *version, bool properties, bool kernel, struct doctor_finding *out)
{
	const enum explain_lang lang = out->lang;

	if (kernel && !properties) {
		find(out, "fips", DOCTOR_WARN,
		    explain_say(lang, "the kernel is in FIPS mode, %s is not: its properties lack fips=yes",
			"カーネルは FIPS モードですが、%s はそうではありません (プロパティに fips=yes がありません)"),
		    version);
		cure(out, "%s",
		    explain_say(lang,
			"activate the FIPS provider and default_properties = fips=yes in OpenSSL's openssl.cnf",
			"OpenSSL の openssl.cnf で FIPS プロバイダーと default_properties = fips=yes "
			"を有効にしてください"));
		return;
	}
	find(out, "fips", DOCTOR_OK, "%s %s", version,
	    properties ? explain_say(lang, "offers FIPS algorithms only (fips=yes): CRAM-MD5 is not used",
			     "は FIPS のアルゴリズムだけを使用します (fips=yes)。CRAM-MD5 は使用しません")
		       : explain_say(
			     lang, "is not in FIPS mode, nor is the kernel", "もカーネルも FIPS モードではありません"));
}

/* -- secrets -- */

static bool
hidden(const char *reference)
{
	return strncmp(reference, "file:/home/", 11) == 0 || strncmp(reference, "file:/root/", 11) == 0 ||
	       strncmp(reference, "file:/run/user/", 15) == 0;
}

/* systemd 252 makes 0400, later ones 0440 with a list of rights for the one user. */
static bool
as_systemd_makes_it(unsigned mode)
{
	return (mode & ~0440U) == 0;
}

static void
secret_fault(const struct doctor_secret *secret, struct doctor_finding *out)
{
	const struct explain_facts facts = { .account = secret->account };
	const enum explain_lang lang = out->lang;
	struct nd_buf room;

	nd_buf_init(&room, ROOM);
	find(out, "secret", DOCTOR_FAIL, explain_say(lang, "%s of account %s: %s", "%s (アカウント %s): %s"),
	    secret->key, secret->account, meaning(lang, secret->why->text, &facts, &room));
	nd_buf_clear(&room);
	if (hidden(secret->reference))
		cure(out, "%s",
		    explain_say(lang,
			"notifyd.service hides /home, /root and /run/user (ProtectHome=): use credential:NAME, or move "
			"the file to /etc/notifyd",
			"notifyd.service からは /home、/root、/run/user が見えません (ProtectHome=)。credential:NAME "
			"を使用するか、"
			"ファイルを /etc/notifyd に移してください"));
	else if (lang != EXPLAIN_EN && explain_hint(secret->why->text, &facts, lang, &room))
		cure(out, "%s", nd_buf_text(&room));
	else
		cure(out, "%s", nd_why_hint(secret->why));
	nd_buf_done(&room);
}

void
doctor_secret(const struct doctor_secret *secret, struct doctor_finding *out)
{
	const enum explain_lang lang = out->lang;

	if (secret->why != NULL) {
		secret_fault(secret, out);
	} else if (secret->path[0] == '\0') { /* a command's arguments are nobody's business */
		find(out, "secret", DOCTOR_OK, explain_say(lang, "%s of account %s: %.*s", "%s (アカウント %s): %.*s"),
		    secret->key, secret->account, (int)strcspn(secret->reference, " "), secret->reference);
	} else if (secret->loaded && !as_systemd_makes_it(secret->mode)) {
		find(out, "secret", DOCTOR_WARN,
		    explain_say(lang, "%s of account %s: %s has mode %04o, which is not systemd's doing",
			"%s (アカウント %s): %s のモードは %04o です。これは systemd によるものではありません"),
		    secret->key, secret->account, secret->path, secret->mode);
		cure(out, "%s",
		    explain_say(lang,
			"systemctl restart notifyd makes it anew, mode 0400 or 0440; then find what changed it",
			"systemctl restart notifyd でモード 0400 または 0440 "
			"のものが作り直されます。その後、変更した原因を調べてください"));
	} else {
		find(out, "secret", DOCTOR_OK,
		    explain_say(lang, "%s of account %s: %s, mode %04o%s", "%s (アカウント %s): %s、モード %04o%s"),
		    secret->key, secret->account, secret->path, secret->mode,
		    secret->loaded ? explain_say(lang, ", by systemd", "、systemd による") : "");
	}
}
