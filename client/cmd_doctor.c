/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_doctor.c - notifyctl doctor: what an alert needs of this host, one line each.  Layer: client.
 *
 * A line tells what was found; one that is a problem has its remedy below. With --json each line is an object.
 */
#include "client/probe.h"
#include "common/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#define STATE_DIR ND_LOCALSTATEDIR "/lib/notifyd"
#define ROOM_WANTED (256ull << 20)
#define SKEW_BORNE 60 /* s */
#define NAMES_MAX 64u

enum { OPT_CONFIG };

/* clang-format off */
const struct args_option cmd_doctor_options[] = {
	[OPT_CONFIG] = { 0, "config", "FILE", "The configuration to look at while no daemon runs." },
	{ 0 },
};
/* clang-format on */

struct doctor {
	struct cmd *cmd;
	const char *config;
	bool up; /* the daemon answers */
	unsigned problems;
	char *names[NAMES_MAX]; /* of the accounts; owned */
	unsigned name_count;
	int64_t skew; /* s; as the last token endpoint saw it */
	bool skew_known;
};

/* remedy NULL: all is well. */
static void
say(struct doctor *doctor, const char *what, const char *detail, const char *remedy)
{
	struct writer *out = &doctor->cmd->out;
	struct json_out json;
	struct nd_buf line;

	doctor->problems += remedy != NULL;
	if (!doctor->cmd->json) {
		writer_line(out, remedy == NULL ? WRITER_GOOD : WRITER_BAD, "%s %-14s %s", probe_mark(remedy == NULL),
		    what, detail);
		if (remedy != NULL && remedy[0] != '\0')
			writer_line(out, WRITER_PLAIN, "  remedy: %s", remedy);
		return;
	}
	nd_buf_init(&line, 65536);
	json_out_init(&json, &line);
	json_out_object(&json, NULL);
	json_out_text(&json, "check", what);
	json_out_bool(&json, "ok", remedy == NULL);
	json_out_text(&json, "detail", detail);
	json_out_text(&json, "remedy", remedy);
	json_out_object_end(&json);
	(void)nd_buf_addc(&line, '\n');
	writer_json(out, nd_buf_text(&line), line.len);
	nd_buf_done(&line);
}

static void
add_name(struct doctor *doctor, const char *name, size_t len)
{
	if (doctor->name_count < NAMES_MAX && len > 0)
		doctor->names[doctor->name_count++] = strndup(name, len);
}

/* -- the daemon -- */

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
		say(doctor, "daemon", reply.status != 0 ? "notifyd answers, but not with its status" : why.text,
		    reply.status != 0 ? "notifyctl status" : nd_why_hint(&why));
	} else {
		doctor->up = true;
		say(doctor, "daemon", "notifyd answers", NULL);
		account = json_get(tree.root, "accounts");
		for (account = account != NULL ? account->child : NULL; account != NULL; account = account->next)
			if (json_get_text(account, "name") != NULL)
				add_name(
				    doctor, json_get_text(account, "name"), strlen(json_get_text(account, "name")));
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

/* While it is down its own program reads the configuration. */
static void
look_at_configuration(struct doctor *doctor)
{
	const char *words[5] = { NULL, "--check", NULL, NULL, NULL };
	char path[4096];
	int code;

	if (doctor->up)
		return;
	words[0] = probe_daemon(path);
	if (words[0] == NULL) {
		say(doctor, "configuration", "the program notifyd is not installed", "install the package notifyd");
		return;
	}
	if (doctor->config != NULL) {
		words[2] = "--config";
		words[3] = doctor->config;
	}
	code = probe_spawn((char *const *)(uintptr_t)words, take_check, doctor);
	say(doctor, "configuration", code == 0 ? "it is good" : "it has errors",
	    code == 0 ? NULL : "notifyd --check tells each of them");
}

/* -- the host -- */

static void
look_at_clock(struct doctor *doctor)
{
	struct timex state = { .modes = 0 };
	char text[120];

	if (adjtimex(&state) < 0)
		say(doctor, "clock", "nobody may ask here whether it is synchronised", NULL);
	else if (state.status & STA_UNSYNC)
		say(doctor, "clock", "it is not synchronised",
		    "timedatectl set-ntp true, or see to it that a time service runs");
	else
		say(doctor, "clock", "it is synchronised", NULL);
	if (!doctor->skew_known)
		return;
	(void)snprintf(text, sizeof(text), "it differs by %lld s from the token endpoint's", (long long)doctor->skew);
	say(doctor, "clock", text,
	    llabs(doctor->skew) > SKEW_BORNE ? "set the clock: tokens and certificates are refused by a wrong one"
					     : NULL);
}

static void
look_at_authorities(struct doctor *doctor)
{
	static const char *const files[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem" };
	struct stat st;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (stat(files[i], &st) == 0 && st.st_size > 0 && access(files[i], R_OK) == 0) {
			say(doctor, "authorities", files[i], NULL);
			return;
		}
	say(doctor, "authorities", "the system has no certificate authorities: no server is trusted",
	    "install the package ca-certificates");
}

static void
look_at_resolver(struct doctor *doctor)
{
	char line[512];
	bool found = false;
	FILE *file = fopen("/etc/resolv.conf", "re");

	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
		found = strncmp(line, "nameserver", 10) == 0;
	if (file != NULL)
		(void)fclose(file);
	say(doctor, "resolver", found ? "a name server is set" : "no name server is set in /etc/resolv.conf",
	    found ? NULL : "set one: names of servers cannot be looked up");
}

static void
look_at_state(struct doctor *doctor)
{
	struct statvfs disk;
	char text[200];
	struct stat st;

	if (stat(STATE_DIR, &st) != 0) {
		say(doctor, "state",
		    errno == ENOENT ? STATE_DIR " is not there: notifyd makes it" : STATE_DIR " cannot be looked at",
		    NULL);
		return;
	}
	if ((st.st_mode & 077) != 0)
		say(doctor, "state", STATE_DIR " is open to others", "chmod 700 " STATE_DIR);
	if (statvfs(STATE_DIR, &disk) != 0)
		return;
	(void)snprintf(text, sizeof(text), STATE_DIR ": %llu MiB are free",
	    (unsigned long long)disk.f_bavail * disk.f_frsize >> 20);
	say(doctor, "state", text,
	    (unsigned long long)disk.f_bavail * disk.f_frsize < ROOM_WANTED ? "free space there" : NULL);
}

static void
look_at_socket(struct doctor *doctor, const char *path, mode_t most, const char *who)
{
	char text[400];
	struct stat st;

	if (stat(path, &st) != 0)
		return; /* the daemon's line has told */
	(void)snprintf(text, sizeof(text), "%.300s: mode %04o, %s", path, (unsigned)(st.st_mode & 07777), who);
	say(doctor, "socket", text,
	    !S_ISSOCK(st.st_mode)              ? "this is no socket: remove it, then start notifyd.socket"
	    : (st.st_mode & 0777 & ~most) != 0 ? "others may operate notifyd: systemctl restart notifyd-admin.socket"
					       : NULL);
}

static void
look_at_sockets(struct doctor *doctor)
{
	char admin[256];

	look_at_socket(doctor, doctor->cmd->socket, 0777, "for those who submit");
	if (api_admin_path(doctor->cmd->socket, admin, sizeof(admin)) != NULL)
		look_at_socket(doctor, admin, 0770, "for operators");
}

static void
look_at_fips(struct doctor *doctor)
{
	FILE *file = fopen("/proc/sys/crypto/fips_enabled", "re");
	int mode = '0';

	if (file != NULL) {
		mode = fgetc(file);
		(void)fclose(file);
	}
	say(doctor, "fips",
	    mode == '1' ? "the kernel is in FIPS mode: CRAM-MD5 is not offered" : "the kernel is not in FIPS mode",
	    NULL);
}

/* -- the unit -- */

struct unit {
	char state[64], load[64];
	bool credential;
};

static void
take_property(void *arg, const char *line, size_t len)
{
	struct unit *unit = arg;

	(void)sscanf(line, "ActiveState=%63s", unit->state);
	(void)sscanf(line, "LoadState=%63s", unit->load);
	if (len > 16 &&
	    (strncmp(line, "LoadCredential=", 15) == 0 || strncmp(line, "LoadCredentialEncrypted=", 24) == 0))
		unit->credential = true;
}

static void
look_at_unit(struct doctor *doctor)
{
	static const char *const words[] = { "systemctl", "show", "notifyd.service",
		"--property=LoadState,ActiveState,LoadCredential,LoadCredentialEncrypted", NULL };
	struct unit unit = { .state = "" };
	char text[200];

	if (access("/run/systemd/system", F_OK) != 0) {
		say(doctor, "unit", "systemd does not run here", NULL);
		return;
	}
	if (probe_spawn((char *const *)(uintptr_t)words, take_property, &unit) != 0) {
		say(doctor, "unit", "systemctl does not answer", NULL);
		return;
	}
	(void)snprintf(text, sizeof(text), "notifyd.service is %s, %s; %s", unit.load, unit.state,
	    unit.credential ? "credentials are loaded for it" : "no credential is loaded for it");
	say(doctor, "unit", text,
	    strcmp(unit.load, "loaded") != 0    ? "install the package's units, then: systemctl daemon-reload"
	    : strcmp(unit.state, "failed") == 0 ? "journalctl -u notifyd says why; then: systemctl restart notifyd"
						: NULL);
}

/* -- the accounts -- */

struct verdict {
	struct doctor *doctor;
	struct nd_buf detail, remedy;
	bool failed;
};

static void
take_step(void *arg, const struct json_node *step, const char *line, size_t len)
{
	struct verdict *verdict = arg;
	const char *name = json_get_text(step, "step"), *remedy = json_get_text(step, "remedy");

	(void)line;
	(void)len;
	if (json_int(json_get(step, "skew_seconds"), -INT32_MAX, INT32_MAX, &verdict->doctor->skew))
		verdict->doctor->skew_known = true;
	if (remedy != NULL)
		(void)nd_buf_adds(&verdict->remedy, remedy);
	if (strcmp(name, "result") != 0)
		return;
	verdict->failed = probe_code(step) == CMD_UNDELIVERED;
	(void)nd_buf_adds(&verdict->detail, json_get_text(step, "detail"));
}

static void
look_at_account(struct doctor *doctor, const char *name)
{
	const struct probe_ask ask = { .name = name, .config = doctor->up ? NULL : doctor->config, .no_send = true };
	struct verdict verdict = { .doctor = doctor };
	char what[64];

	nd_buf_init(&verdict.detail, 65536);
	nd_buf_init(&verdict.remedy, 65536);
	(void)snprintf(what, sizeof(what), "account %.50s", name);
	if (probe_ask(doctor->cmd, &ask, take_step, &verdict) != CMD_DONE)
		say(doctor, what, "it could not be tested", "");
	else
		say(doctor, what, nd_buf_text(&verdict.detail), verdict.failed ? nd_buf_text(&verdict.remedy) : NULL);
	nd_buf_done(&verdict.detail);
	nd_buf_done(&verdict.remedy);
}

static void
look_at_accounts(struct doctor *doctor)
{
	if (doctor->name_count == 0)
		say(doctor, "accounts", "no account is set up: jobs are accepted and held",
		    "add an [account NAME] to notifyd.conf, then: notifyctl reload");
	for (unsigned i = 0; i < doctor->name_count; i++)
		look_at_account(doctor, doctor->names[i]);
}

int
cmd_doctor_run(struct cmd *cmd, const struct args *args)
{
	struct doctor doctor = { .cmd = cmd, .config = args_value(args, OPT_CONFIG) };

	look_at_daemon(&doctor);
	look_at_configuration(&doctor);
	look_at_unit(&doctor);
	look_at_sockets(&doctor);
	look_at_state(&doctor);
	look_at_authorities(&doctor);
	look_at_resolver(&doctor);
	look_at_fips(&doctor);
	look_at_accounts(&doctor);
	look_at_clock(&doctor); /* the tokens have told the time of others */
	for (unsigned i = 0; i < doctor.name_count; i++)
		free(doctor.names[i]);
	return doctor.problems > 0 ? 1 : CMD_DONE;
}
