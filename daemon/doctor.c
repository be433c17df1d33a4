/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - what notifyd itself sees of its host: GET /v1/doctor, and notifyd --doctor without a daemon.
 *
 * Files, libraries and clocks are looked at at once; servers are looked up and connected to side by side. A line of JSON for each finding, in one answer.
 */
#include "daemon/app.h"

#include "common/json.h"
#include "common/mem.h"
#include "daemon/core/doctor.h"
#include "daemon/io/filer.h"
#include "daemon/io/reach.h"
#include "daemon/io/secret.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define PATIENCE ND_SEC(10) /* for a lookup, and for a connection */
#define RUNS_MAX 2u         /* at a time */
#define REPLY_LIMIT ((size_t)1 << 20)

struct app_doctor {
	struct app_doctor *next; /* of app->doctors */
	struct app *app;
	struct http_request *request; /* NULL: notifyd --doctor */
	struct conf *held;
	enum explain_lang lang;
	struct doctor_target targets[DOCTOR_TARGETS]; /* borrow from it */
	struct visit {
		struct app_doctor *doctor;
		struct reach *reach;
	} visits[DOCTOR_TARGETS];
	unsigned count, left;
	struct nd_buf lines;
	bool failed; /* a finding is FAIL */
};

static void
put(struct app_doctor *doctor, const struct doctor_finding *finding)
{
	struct json_out out;

	doctor->failed |= finding->level == DOCTOR_FAIL;
	json_out_init(&out, &doctor->lines);
	json_out_object(&out, NULL);
	json_out_text(&out, "check", finding->check);
	json_out_text(&out, "level", doctor_level_name(finding->level));
	json_out_bool(&out, "ok", finding->level == DOCTOR_OK);
	json_out_text(&out, "detail", finding->detail);
	json_out_text(&out, "remedy", finding->remedy[0] != '\0' ? finding->remedy : NULL);
	json_out_object_end(&out);
	(void)nd_buf_addc(&doctor->lines, '\n');
}

/* -- life -- */

static void
end_run(struct app_doctor *doctor)
{
	struct app_doctor **at = &doctor->app->doctors;

	while (*at != doctor)
		at = &(*at)->next;
	*at = doctor->next;
	for (unsigned i = 0; i < doctor->count; i++)
		reach_free(doctor->visits[i].reach);
	loop_forget(doctor->app->loop, doctor);
	reload_release(doctor->held);
	nd_buf_done(&doctor->lines);
	free(doctor);
}

static void
client_left(void *context)
{
	end_run(context);
}

static void
finish(void *arg)
{
	struct app_doctor *doctor = arg;
	const char *text = nd_buf_text(&doctor->lines);

	if (doctor->request != NULL) {
		http_request_own(doctor->request, NULL, NULL);
		http_server_reply(doctor->request, 200, "application/x-ndjson", text, doctor->lines.len, NULL);
	} else {
		(void)fwrite(text, 1, doctor->lines.len, stdout);
		(void)fflush(stdout);
		doctor->app->exit_code = doctor->failed ? EX_UNAVAILABLE : EX_OK;
		loop_stop(doctor->app->loop);
	}
	end_run(doctor);
}

void
doctor_end(struct app *app)
{
	struct app_doctor *doctor, *next;
	struct nd_why why;

	(void)nd_fail(&why, ND_ESTOPPING, 0, "notifyd is stopping");
	for (doctor = app->doctors; doctor != NULL; doctor = next) {
		next = doctor->next;
		if (doctor->request != NULL) {
			http_request_own(doctor->request, NULL, NULL);
			http_server_problem(doctor->request, &why);
		}
		end_run(doctor);
	}
}

/* -- libraries and files -- */

static bool
kernel_is_in_fips_mode(void)
{
	FILE *file = fopen("/proc/sys/crypto/fips_enabled", "re");
	const int mode = file != NULL ? fgetc(file) : '0';

	if (file != NULL)
		(void)fclose(file);
	return mode == '1';
}

/* Of the two at most one is given. */
static void
look_at_authorities(struct app_doctor *doctor, const char *file, const char *folder, bool own)
{
	const char *place = folder ? folder : file ? file : "";
	struct doctor_finding finding = { .lang = doctor->lang };
	char reason[200] = "";

	if (place[0] == '\0')
		return;
	doctor_authorities(place, own, tls_authorities(file, folder, reason, sizeof(reason)), reason, &finding);
	put(doctor, &finding);
}

/* The servers' by OpenSSL's folder, the token endpoints' by libcurl's file. */
static void
look_at_libraries(struct app_doctor *doctor)
{
	const struct conf *conf = doctor->held;
	struct doctor_finding finding = { .lang = doctor->lang };

	doctor_fips(tls_version(), tls_fips(), kernel_is_in_fips_mode(), &finding);
	put(doctor, &finding);
	doctor_authorities(tls_authorities_place(), false, tls_authorities(NULL, NULL, NULL, 0), "", &finding);
	put(doctor, &finding);
	look_at_authorities(doctor, http_client_authorities(), NULL, false);
	for (unsigned i = 0; i < conf->account_count; i++) {
		look_at_authorities(doctor, conf->account[i].ca_file, NULL, true);
		look_at_authorities(doctor, NULL, conf->account[i].ca_dir, true);
		if (strcmp(conf->account[i].ca_file, conf->account[i].token_ca_file) != 0)
			look_at_authorities(doctor, conf->account[i].token_ca_file, NULL, true);
	}
}

static void
name_user(uid_t uid, char *out, size_t size)
{
	struct passwd entry, *found = NULL;
	char room[4096];

	if (getpwuid_r(uid, &entry, room, sizeof(room), &found) == 0 && found != NULL)
		(void)snprintf(out, size, "%s", found->pw_name);
	else
		(void)snprintf(out, size, "uid %u", (unsigned)uid);
}

/* Whose it must be: the daemon's own user; root, who asks while it is down, is not that. */
static void
look_at_state(struct app_doctor *doctor)
{
	const char *path = doctor->app->options.state_dir;
	struct passwd entry, *found = NULL;
	char owner[64], wanted[64], room[4096];
	struct doctor_folder folder = { .path = path, .owner = owner, .wanted = wanted, .free = filer_free(path) };
	struct doctor_finding finding = { .lang = doctor->lang };
	uid_t uid = geteuid();
	struct stat st;

	folder.there = stat(path, &st) == 0;
	if (folder.there) {
		if (doctor->request == NULL && getpwnam_r("notifyd", &entry, room, sizeof(room), &found) == 0)
			uid = found != NULL ? found->pw_uid : st.st_uid;
		folder.mode = st.st_mode & 07777;
		name_user(st.st_uid, owner, sizeof(owner));
		name_user(uid, wanted, sizeof(wanted));
	}
	doctor_state(&folder, &finding);
	put(doctor, &finding);
	if (!folder.there)
		return;
	doctor_room(&folder, doctor->held->min_free, &finding);
	put(doctor, &finding);
}

static void
look_at_secret(struct app_doctor *doctor, const struct conf_account *account, const char *key, const char *reference)
{
	struct doctor_secret secret = { .account = account->name, .key = key, .reference = reference };
	struct doctor_finding finding = { .lang = doctor->lang };
	struct secret_place place;
	struct nd_why why;

	if (reference[0] == '\0')
		return;
	if (secret_look(reference, &place, &why) != ND_OK)
		secret.why = &why;
	secret.path = place.path;
	secret.mode = place.mode;
	secret.loaded = place.loaded;
	doctor_secret(&secret, &finding);
	put(doctor, &finding);
}

static void
look_at_secrets(struct app_doctor *doctor)
{
	const struct conf *conf = doctor->held;

	for (unsigned i = 0; i < conf->account_count; i++) {
		const struct conf_account *account = &conf->account[i];
		const bool password = account->auth == CONF_PASSWORD;
		const bool oauth = account->auth == CONF_OAUTH2;

		look_at_secret(doctor, account, "password", password ? account->password : "");
		look_at_secret(doctor, account, "client_secret", oauth ? account->client_secret : "");
		look_at_secret(doctor, account, "client_secret_next", oauth ? account->client_secret_next : "");
		look_at_secret(doctor, account, "key", oauth ? account->key : "");
		look_at_secret(doctor, account, "refresh_token", oauth ? account->refresh_token : "");
	}
}

/* What the token endpoints said when they were asked last. The test of an account asks anew, unless a refresh token would be used up by it. */
static void
look_at_clocks(struct app_doctor *doctor)
{
	const struct engine_account *engine;
	const struct app_account *account;
	struct doctor_finding finding = { .lang = doctor->lang };

	for (unsigned i = 0; doctor->app->engine && (engine = engine_account_nth(doctor->app->engine, i)) != NULL;
	     i++) {
		account = engine->user;
		if (account == NULL || !account->skew_known ||
		    !(CONF_GRANTS_REFRESHED & CONF_GRANT_BIT(engine->conf->grant)))
			continue;
		doctor_clock(engine->conf->name, account->skew, &finding);
		put(doctor, &finding);
	}
}

/* -- servers -- */

static void
reached(void *arg, const struct reach_result *result)
{
	struct visit *visit = arg;
	struct app_doctor *doctor = visit->doctor;
	const struct doctor_target *target = &doctor->targets[visit - doctor->visits];
	struct doctor_finding finding = { .lang = doctor->lang };

	doctor_resolved(target, result->first, result->count, result->looked_up, &result->why, &finding);
	put(doctor, &finding);
	if (result->count > 0) {
		doctor_reached(target, result->address[0] != '\0' ? result->address : NULL, result->connected,
		    &result->why, &finding);
		put(doctor, &finding);
	}
	if (--doctor->left == 0)
		loop_soon(doctor->app->loop, finish, doctor);
}

static void
visit_servers(struct app_doctor *doctor)
{
	struct app *app = doctor->app;

	doctor->count = doctor->left = doctor_targets(doctor->held, doctor->targets);
	if (doctor->count == 0)
		loop_soon(app->loop, finish, doctor);
	for (unsigned i = 0; i < doctor->count; i++) {
		const struct doctor_target *target = &doctor->targets[i];
		struct visit *visit = &doctor->visits[i];

		visit->doctor = doctor;
		visit->reach =
		    reach_new(app->loop, app->resolver, target->host, target->port, PATIENCE, reached, visit);
	}
}

static struct app_doctor *
begin(struct app *app, struct http_request *request, enum explain_lang lang)
{
	struct app_doctor *doctor = nd_xalloc(sizeof(*doctor));

	doctor->app = app;
	doctor->request = request;
	doctor->held = reload_hold(app->conf);
	doctor->lang = lang;
	nd_buf_init(&doctor->lines, REPLY_LIMIT);
	doctor->next = app->doctors;
	app->doctors = doctor;
	look_at_libraries(doctor);
	look_at_state(doctor);
	look_at_secrets(doctor);
	look_at_clocks(doctor);
	visit_servers(doctor);
	return doctor;
}

static enum nd_err
may_begin(const struct app *app, struct nd_why *why)
{
	unsigned count = 0;

	for (const struct app_doctor *doctor = app->doctors; doctor != NULL; doctor = doctor->next)
		count++;
	if (app->stopping)
		return nd_fail(why, ND_ESTOPPING, 0, "notifyd is stopping");
	if (count >= RUNS_MAX)
		return nd_fail(why, ND_EBUSY, 0, "%u such looks are under way already", count);
	return ND_OK;
}

void
doctor_handle(void *owner, struct http_request *request)
{
	static const char *const known[] = { NULL };
	struct app *app = owner;
	struct nd_why why;

	if (http_request_only(request, known, &why) != ND_OK || may_begin(app, &why) != ND_OK) {
		http_server_problem(request, &why);
		return;
	}
	http_request_own(request, begin(app, request, explain_lang_of(http_request_header(request, "Accept-Language"))),
	    client_left);
}

/* -- without a daemon -- */

/* With a configuration that has errors, which notifyd --check tells, the host is looked at all the same. */
int
doctor_alone(struct app *app)
{
	struct conf_faults faults = { 0 };
	struct conf *none = reload_new();
	struct conf_host names = { "", "" };
	struct nd_buf texts;

	if (settings_read(&app->options, NULL, app->conf, &texts, &faults) != ND_OK) {
		conf_init(none, &names);
		reload_release(app->conf);
		app->conf = reload_hold(none);
	}
	nd_buf_done(&texts);
	conf_faults_done(&faults);
	app->loop = loop_new();
	app->resolver = resolver_new(app->loop);
	(void)begin(app, NULL, explain_lang_here(getenv)); /* NOLINT(concurrency-mt-unsafe): before there are threads */
	loop_run(app->loop);
	resolver_free(app->resolver);
	loop_free(app->loop);
	reload_release(none);
	return app->exit_code;
}
