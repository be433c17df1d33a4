/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_host.c - notifyctl doctor: clock, sockets, folders of credentials.  Layer: client. */
#include "client/deposit.h"
#include "client/doctor.h"
#include "common/api.h"

#include <dirent.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#define ADMIN_GROUP "notifyd-admin"
#define SUBMIT "notifyd-submit"
#define FILES_MAX 1000u /* of a folder that are looked at */

/* Whether it is right is for the token endpoints to say; this is whether anybody sets it. */
void
doctor_clock(struct doctor *doctor)
{
	const enum explain_lang lang = doctor->lang;
	struct timex state = { .modes = 0 };

	if (adjtimex(&state) < 0)
		doctor_say(doctor, "clock", DOCTOR_OK,
		    explain_say(lang, "nobody may ask here whether it is synchronised",
			"同期しているかどうかを、ここでは確認できません"),
		    NULL);
	else if (state.status & STA_UNSYNC)
		doctor_say(doctor, "clock", DOCTOR_WARN,
		    explain_say(lang, "it is not synchronised", "同期していません"),
		    explain_say(lang, "timedatectl set-ntp true, or see to it that a time service runs",
			"timedatectl set-ntp true を実行するか、時刻同期サービスを動作させてください"));
	else
		doctor_say(doctor, "clock", DOCTOR_OK, explain_say(lang, "it is synchronised", "同期しています"), NULL);
}

/* A group that may connect is to be that of operators; where there is none, or it is for the owner alone, there is nothing to compare. */
static bool
of_operators(const struct stat *st, enum explain_lang lang, char *text, size_t size)
{
	struct group entry, *group = NULL;
	char names[4096], number[16];

	if ((st->st_mode & 060) == 0 || getgrnam_r(ADMIN_GROUP, &entry, names, sizeof(names), &group) != 0 ||
	    group == NULL || group->gr_gid == st->st_gid)
		return true;
	(void)snprintf(number, sizeof(number), "%u", (unsigned)st->st_gid);
	if (getgrgid_r(st->st_gid, &entry, names, sizeof(names), &group) != 0)
		group = NULL;
	(void)snprintf(text + strlen(text), size - strlen(text),
	    explain_say(
		lang, "; its group is %.60s, not " ADMIN_GROUP, "。グループは %.60s です。本来は " ADMIN_GROUP " です"),
	    group != NULL ? group->gr_name : number);
	return false;
}

/* wanted: what the rights must hold; most: what they may. */
static void
look_at_socket(struct doctor *doctor, const char *path, mode_t wanted, mode_t most, const char *who)
{
	const char *remedy = NULL;
	const enum explain_lang lang = doctor->lang;
	enum doctor_level level = DOCTOR_FAIL;
	char text[700];
	struct stat st;

	if (stat(path, &st) != 0)
		return; /* the daemon's line has told */
	(void)snprintf(text, sizeof(text), explain_say(lang, "%.300s: mode %04o, %s", "%.300s: モード %04o、%s"), path,
	    (unsigned)(st.st_mode & 07777), who);
	if (!S_ISSOCK(st.st_mode)) {
		remedy = explain_say(lang,
		    "this is no socket: remove it, then start notifyd.socket and notifyd-admin.socket",
		    "ソケットではありません。削除してから notifyd.socket と notifyd-admin.socket を起動してください");
	} else if ((st.st_mode & 0777 & ~most) != 0) {
		remedy = explain_say(lang, "anybody may operate notifyd: systemctl restart notifyd-admin.socket",
		    "誰でも notifyd を操作できます。systemctl restart notifyd-admin.socket を実行してください");
	} else if ((st.st_mode & wanted) != wanted) {
		level = DOCTOR_WARN;
		remedy = explain_say(lang,
		    "not everybody it is for can connect: systemctl restart notifyd.socket notifyd-admin.socket",
		    "対象のユーザー全員が接続できるわけではありません。systemctl restart notifyd.socket "
		    "notifyd-admin.socket を実行してください");
	} else if ((most & 007) == 0 && !of_operators(&st, lang, text, sizeof(text))) {
		level = DOCTOR_WARN;
		remedy = explain_say(lang,
		    "members of " ADMIN_GROUP
		    " cannot operate notifyd, those of that group can: set SocketGroup=" ADMIN_GROUP
		    " in notifyd-admin.socket, then systemctl daemon-reload and restart it",
		    ADMIN_GROUP
		    " のメンバーではなく、そのグループのメンバーが notifyd を操作できます。notifyd-admin.socket に "
		    "SocketGroup=" ADMIN_GROUP " を設定し、systemctl daemon-reload の後に再起動してください");
	} else {
		level = DOCTOR_OK;
	}
	doctor_say(doctor, "socket", level, text, remedy);
}

/* The one that containers are given, in a folder of its own beside the other: where there is such a folder. */
static void
look_at_submit(struct doctor *doctor)
{
	const char *slash = strrchr(doctor->cmd->socket, '/');
	const enum explain_lang lang = doctor->lang;
	const char *who = explain_say(lang, "for those who submit from containers", "コンテナーから送信するユーザー用");
	char folder[300], path[320], text[500];
	struct stat st;

	if (slash == NULL || slash - doctor->cmd->socket > 255)
		return;
	(void)snprintf(folder, sizeof(folder), "%.*s/" SUBMIT, (int)(slash - doctor->cmd->socket), doctor->cmd->socket);
	(void)snprintf(path, sizeof(path), "%s/notifyd.sock", folder);
	if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
		return;
	if ((st.st_mode & 0555) != 0555) {
		(void)snprintf(text, sizeof(text), explain_say(lang, "%s: mode %04o, %s", "%s: モード %04o、%s"),
		    folder, (unsigned)(st.st_mode & 07777), who);
		doctor_say(doctor, "socket", DOCTOR_WARN, text,
		    explain_say(lang, "not everybody it is for can connect: chmod 755 it",
			"対象のユーザー全員が接続できるわけではありません。chmod 755 を実行してください"));
	}
	if (access(path, F_OK) != 0) {
		(void)snprintf(text, sizeof(text),
		    explain_say(lang, "%s is not there: containers cannot submit",
			"%s がありません。コンテナーから送信できません"),
		    path);
		doctor_say(doctor, "socket", DOCTOR_WARN, text,
		    explain_say(lang,
			"have it in notifyd.socket as ListenStream=, then: systemctl restart notifyd.socket",
			"notifyd.socket に ListenStream= として追加し、systemctl restart notifyd.socket "
			"を実行してください"));
	} else {
		look_at_socket(doctor, path, 0666, 0777, who);
	}
}

void
doctor_sockets(struct doctor *doctor)
{
	char admin[256];

	look_at_socket(doctor, doctor->cmd->socket, 0666, 0777,
	    explain_say(doctor->lang, "for those who submit", "送信するユーザー用"));
	if (api_admin_path(doctor->cmd->socket, admin, sizeof(admin)) != NULL)
		look_at_socket(doctor, admin, 0600, 0770, explain_say(doctor->lang, "for operators", "管理者用"));
	look_at_submit(doctor);
}

/* What systemd copies from: of no use to anybody but root. Those who may not look have nothing to tell. */
static void
look_at_folder(struct doctor *doctor, const char *folder)
{
	const enum explain_lang lang = doctor->lang;
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	unsigned seen = 0, open = 0;
	char text[400], path[4200];
	struct stat st;

	if (dir == NULL)
		return;
	while (seen < FILES_MAX && (entry = readdir(dir)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] == '.' || lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		seen++;
		if ((st.st_mode & 077) == 0)
			continue;
		open++;
		(void)snprintf(text, sizeof(text),
		    explain_say(lang, "%.300s has mode %04o", "%.300s のモードは %04o です"), path,
		    (unsigned)(st.st_mode & 07777));
	}
	(void)closedir(dir);
	if (open > 0)
		doctor_say(doctor, "credentials", DOCTOR_WARN, text,
		    explain_say(lang,
			"chmod 600 it and all others of the folder: systemd hands copies to notifyd, nobody else needs "
			"them",
			"フォルダー内のすべてのファイルに chmod 600 を実行してください。notifyd には systemd "
			"が複製を渡すため、他のユーザーには不要です"));
	else if (seen > 0) {
		(void)snprintf(text, sizeof(text),
		    explain_say(lang, "%.300s: %u, closed to others", "%.300s: %u 件、他のユーザーからは読めません"),
		    folder, seen);
		doctor_say(doctor, "credentials", DOCTOR_OK, text, NULL);
	}
}

void
doctor_credentials(struct doctor *doctor)
{
	look_at_folder(doctor, DEPOSIT_CREDENTIALS);
	look_at_folder(doctor, DEPOSIT_CREDENTIALS ".encrypted");
}
