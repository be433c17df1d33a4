/* SPDX-License-Identifier: Apache-2.0 */
/* operate.c - what an operator does to notifyd as a whole: a copy of its queue, and whose it is. */
#include "daemon/app.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct wish { /* an operator's request that takes its time */
	struct app *app;
	struct http_request *request; /* NULL: the client has left */
	uint64_t cancelled;
};

static void
operator_left(void *context)
{
	struct wish *wish = context;

	wish->request = NULL;
}

static void
reply_text(struct http_request *request, const char *name, const char *value)
{
	struct json_out out;
	struct nd_buf buf;

	nd_buf_init(&buf, 65536);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_text(&out, name, value);
	json_out_object_end(&out);
	handlers_reply(request, 200, &buf);
}

static void copied(struct store_req *req);

static void
copy(struct app *app, struct wish *wish, bool drop)
{
	struct store_req *req = nd_xalloc(sizeof(*req));

	app->copying = true;
	req->op = STORE_BACKUP;
	req->done = copied;
	req->owner = wish;
	req->drop = drop;
	req->limit_octets = (size_t)app->conf->min_free;
	store_submit(app->store, req);
}

static void
copied(struct store_req *req)
{
	struct wish *wish = req->owner;
	struct app *app = wish->app;
	char path[4160], *whole;

	app->copying = false;
	(void)snprintf(path, sizeof(path), "%s/backup", app->options.state_dir);
	whole = req->drop ? NULL : realpath(path, NULL); /* the operator's folder is another one */
	if (req->err != ND_OK)
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "ERR", nd_err_name(req->err) }), "the backup failed: %s",
		    req->why.text);
	else
		nd_log(ND_LOG_NOTICE, NULL, req->drop ? "the backup in %s is removed" : "a backup is in %s",
		    whole ? whole : path);
	if (wish->request) {
		http_request_own(wish->request, NULL, NULL);
		if (req->err != ND_OK)
			http_server_problem(wish->request, &req->why);
		else
			reply_text(wish->request, "path", whole);
	}
	free(whole);
	if (!wish->request && !req->drop && req->err == ND_OK)
		copy(app, wish, true); /* nobody is left to read it */
	else
		free(wish);
	free(req);
}

static void
ask(struct app *app, struct http_request *request, bool drop)
{
	struct wish *wish;
	struct nd_why why;

	if (!handlers_bare(request))
		return;
	if (app->copying) {
		(void)nd_fail(&why, ND_ESTATE, 0, "another backup is being made");
		(void)nd_fail_at(&why, "", 0, "try again when it is done");
		http_server_problem(request, &why);
		return;
	}
	wish = nd_xalloc(sizeof(*wish));
	*wish = (struct wish){ .app = app, .request = request };
	http_request_own(request, wish, operator_left);
	copy(app, wish, drop);
}

void
operate_backup(void *app, struct http_request *request)
{
	ask(app, request, false);
}

void
operate_backup_drop(void *app, struct http_request *request)
{
	ask(app, request, true);
}

/* Whose the state is. */

static void
machine_path(const struct app *app, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/machine-id", app->options.state_dir);
}

static char *
read_id(const char *path, bool *there)
{
	struct nd_why why;
	char *text = NULL;
	size_t len;

	*there = filer_read(path, MACHINE_FILE_LIMIT, &text, &len, &why) == ND_OK || why.err != ND_ENOTFOUND;
	return text;
}

static void
border_path(const struct app *app, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/machine-border", app->options.state_dir);
}

static void
forget_border(const struct app *app)
{
	char path[4160];

	border_path(app, path, sizeof(path));
	(void)unlink(path);
}

void
operate_border(struct app *app, const char *last_id)
{
	char path[4160], line[MACHINE_BORDER_SIZE], *text;
	struct nd_why why;
	bool there, known;

	if (!app->another_machine)
		return;
	border_path(app, path, sizeof(path));
	text = read_id(path, &there);
	known = machine_border_read(text, app->machine, app->border);
	free(text);
	if (known)
		return;
	machine_border_after(last_id, app->border);
	machine_border_write(app->machine, app->border, line);
	if (filer_write(path, line, strlen(line), &why) != ND_OK)
		nd_log(ND_LOG_WARNING, NULL,
		    "which jobs came with the state cannot be noted, decide before notifyd is started again: %s",
		    why.text);
}

void
operate_machine(struct app *app)
{
	char path[4160], *kept, *host;
	enum machine_word word;
	struct nd_why why;
	bool there;

	machine_path(app, path, sizeof(path));
	host = read_id("/etc/machine-id", &there);
	kept = read_id(path, &there);
	/* A file that cannot be read is not none. */
	word = machine_judge(kept ? kept : there ? "" : NULL, host, app->machine);
	free(kept);
	free(host);
	if (word != MACHINE_OTHER)
		forget_border(app);
	if (word == MACHINE_FIRST && filer_write(path, app->machine, MACHINE_ID_LEN, &why) != ND_OK)
		nd_log(ND_LOG_WARNING, NULL, "whose this state is cannot be noted: %s", why.text);
	if (word != MACHINE_OTHER)
		return;
	app->another_machine = true;
	engine_hold(app->engine, true, loop_now(app->loop));
	nd_log(ND_LOG_WARNING, NULL,
	    "the state in %s is another machine's: jobs are accepted and nothing is sent; when that machine will not "
	    "send these jobs itself: notifyctl state adopt; to cancel them and start afresh: notifyctl state new",
	    app->options.state_dir);
}

static void
begin_to_send(struct app *app)
{
	app->another_machine = false;
	forget_border(app);
	engine_hold(app->engine, false, loop_now(app->loop));
	loop_soon(app->loop, app_pump, app);
}

static void
refuse_wish(struct wish *wish, const struct nd_why *why)
{
	if (!wish->request)
		return;
	http_request_own(wish->request, NULL, NULL);
	http_server_problem(wish->request, why);
}

static void
reply_numbers(struct wish *wish, const char *name, uint64_t number, const char *machine)
{
	struct json_out out;
	struct nd_buf buf;

	if (!wish->request)
		return;
	http_request_own(wish->request, NULL, NULL);
	nd_buf_init(&buf, 1024);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_text(&out, "machine", machine);
	json_out_int(&out, name, (int64_t)number);
	json_out_object_end(&out);
	handlers_reply(wish->request, 200, &buf);
}

static void
adopted(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct wish *wish = arg;
	struct app *app = wish->app;

	app->deciding = false;
	if (err == ND_OK && app->another_machine) {
		begin_to_send(app);
		nd_log(ND_LOG_NOTICE, NULL, "the state is this machine's from now on: what was held is sent");
	}
	if (err != ND_OK)
		refuse_wish(wish, why);
	else if (wish->request) {
		http_request_own(wish->request, NULL, NULL);
		reply_text(wish->request, "machine", app->machine);
	}
	free(wish);
}

/* The wish, when there is something to wish for; else it is answered. */
static struct wish *
open_wish(struct app *app, struct http_request *request)
{
	struct wish *wish;
	struct nd_why why;

	if (!app->another_machine || app->deciding) {
		(void)nd_fail(&why, ND_ESTATE, 0,
		    app->deciding ? "another request about the state is under way"
				  : "the state is not another machine's");
		(void)nd_fail_at(&why, "", 0, app->deciding ? "try again when it is done" : "nothing is to be done");
		http_server_problem(request, &why);
		return NULL;
	}
	wish = nd_xalloc(sizeof(*wish));
	*wish = (struct wish){ .app = app, .request = request };
	http_request_own(request, wish, operator_left);
	app->deciding = true;
	return wish;
}

static void
note_machine(struct wish *wish, filer_done *done)
{
	char path[4160];

	machine_path(wish->app, path, sizeof(path));
	filer_write_later(wish->app->files, wish->app->loop, path, wish->app->machine, MACHINE_ID_LEN, done, wish);
}

void
operate_adopt(void *owner, struct http_request *request)
{
	struct wish *wish;

	if (!handlers_bare(request))
		return;
	wish = open_wish(owner, request);
	if (wish)
		note_machine(wish, adopted);
}

/* -- afresh ------------------------------------------------------------------------------------------------------
 * Its jobs are cancelled, then its tokens go aside, then the machine's id is written: whatever comes in between, the state is
 * another machine's until all is done, and the same wish does the rest. */

/* Tokens that rotate are good for one machine: they stay the other one's, and are never deleted. */
static enum nd_err
put_tokens_aside(const struct app *app, struct nd_why *why)
{
	char tokens[4160], aside[4240], path[4160], *kept;
	unsigned n = 0;
	bool there;

	(void)snprintf(tokens, sizeof(tokens), "%s/tokens", app->options.state_dir);
	if (rmdir(tokens) != 0 && errno == ENOTEMPTY) {
		machine_path(app, path, sizeof(path));
		kept = read_id(path, &there);
		do
			(void)snprintf(aside, sizeof(aside), "%s.%.*s.%u", tokens,
			    kept ? (int)strspn(kept, "0123456789abcdef") : 0, kept ? kept : "", n);
		while (access(aside, F_OK) == 0 && ++n < 1000);
		free(kept);
		if (rename(tokens, aside) != 0)
			return nd_fail(why, ND_EDISK, errno, "%s cannot be moved aside", tokens);
		nd_log(ND_LOG_NOTICE, NULL, "the other machine's tokens are in %s", aside);
	}
	return filer_mkdir(tokens, why);
}

/* What was read from there at the start is the other machine's too. */
static void
forget_tokens(struct app *app, struct engine_account *account)
{
	struct app_account *user = account->user;

	if (account->conf->auth == CONF_OAUTH2 && user) {
		tokens_drop(user);
		user->grants++;
		tokens_open(app, user);
		engine_token_gone(app->engine, account, loop_now(app->loop));
	}
	engine_refresh(app->engine, account, loop_now(app->loop));
}

static void
new_noted(void *arg, enum nd_err err, const struct nd_why *why)
{
	struct wish *wish = arg;
	struct app *app = wish->app;
	struct engine_account *account;
	unsigned i;

	app->deciding = false;
	if (err == ND_OK && app->another_machine) {
		for (i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
			forget_tokens(app, account);
		begin_to_send(app);
		nd_log(ND_LOG_NOTICE, NULL,
		    "the state is this machine's from now on: %llu jobs of the other one were cancelled",
		    (unsigned long long)wish->cancelled);
	}
	if (err != ND_OK)
		refuse_wish(wish, why);
	else
		reply_numbers(wish, "cancelled", wish->cancelled, app->machine);
	free(wish);
}

/* Is there really none of them any more? */
static void
counted_again(void *arg, uint64_t matched, uint64_t changed, const struct nd_why *why)
{
	struct wish *wish = arg;
	struct nd_why trouble = *why;

	(void)changed;
	if (trouble.err == ND_OK && matched > 0)
		(void)nd_fail(&trouble, ND_EBUSY, 0, "%llu jobs of the other machine could not be cancelled yet",
		    (unsigned long long)matched);
	if (trouble.err == ND_OK && !wish->app->down && put_tokens_aside(wish->app, &trouble) == ND_OK) {
		note_machine(wish, new_noted);
		return;
	}
	wish->app->deciding = false;
	refuse_wish(wish, &trouble);
	free(wish);
}

static void
cancelled(void *arg, uint64_t matched, uint64_t changed, const struct nd_why *why)
{
	struct wish *wish = arg;

	(void)matched;
	wish->cancelled = changed;
	if (why->err == ND_OK) {
		acts_cancel_below(wish->app, wish->app->border, NULL, counted_again, wish);
		return;
	}
	wish->app->deciding = false;
	refuse_wish(wish, why);
	free(wish);
}

static void
counted(void *arg, uint64_t matched, uint64_t changed, const struct nd_why *why)
{
	struct wish *wish = arg;

	(void)changed;
	wish->app->deciding = false;
	if (why->err != ND_OK)
		refuse_wish(wish, why);
	else
		reply_numbers(wish, "jobs", matched, NULL);
	free(wish);
}

void
operate_new(void *owner, struct http_request *request)
{
	static const char *const known[] = { "dry_run", NULL };
	struct app *app = owner;
	struct wish *wish;
	struct nd_why why;
	bool dry;

	if (http_request_only(request, known, &why) != ND_OK || !intake_dry_asked(request, &dry, &why)) {
		http_server_problem(request, &why);
		return;
	}
	wish = open_wish(app, request);
	if (wish && dry)
		acts_cancel_below(app, app->border, NULL, counted, wish);
	else if (wish)
		acts_cancel_below(
		    app, app->border, "state-new: it came with the state of another machine", cancelled, wish);
}
