/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - asks Azure's metadata services for a token: one request on a virtual machine, two with the Arc agent. */
#include "daemon/app.h"

#include "common/mem.h"
#include "common/str.h"
#include "daemon/core/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENT "/opt/azcmagent/bin/himds"
#define PATH_SIZE 256
#define URL_MAX 8192u

struct identity_asking {
	struct worker_task task; /* first */
	struct loop_note note;
	struct identity_asking *next; /* of app->identities */
	struct app *app;
	struct app_account *account;
	struct conf *held;
	const struct conf_account *conf; /* in it */
	int source;
	identity_done *done;
	void *arg;
	char key_path[PATH_SIZE];
	struct nd_buf key; /* what to answer the challenge with */
	struct nd_why why;
	enum nd_err err;
	bool challenged;
};

static void
let_go(struct identity_asking *asking)
{
	struct identity_asking **at = &asking->app->identities;

	while (*at != asking)
		at = &(*at)->next;
	*at = asking->next;
	nd_buf_wipe(&asking->key);
	reload_release(asking->held);
	free(asking);
}

void
identity_end(struct app *app)
{
	while (app->identities != NULL)
		let_go(app->identities);
}

static void
end(struct identity_asking *asking, struct oauth_reply *reply)
{
	struct app *app = asking->app;

	asking->done(asking->arg, reply);
	asking->account->engine->users--;
	loop_soon(app->loop, app_pump, app);
	oauth_reply_done(reply);
	let_go(asking);
}

static void
refuse(struct identity_asking *asking, const struct nd_why *why)
{
	struct oauth_reply reply = { .class = OAUTH_REFUSED, .why = *why };

	end(asking, &reply);
}

static http_client_done answered;

static void
ask(struct identity_asking *asking)
{
	struct http_client_request request = { .metadata = true };
	struct nd_buf text;
	size_t len;

	nd_buf_init(&text, URL_MAX);
	identity_url(asking->conf, asking->source, &text);
	request.url = nd_buf_take(&text, &len);
	if (asking->challenged)
		request.authorization = nd_buf_take(&asking->key, &len);
	http_client_post(asking->app->http_client, &request, answered, asking);
}

/* --- the agent's file, on a thread --- */

static enum nd_err
read_key_fd(struct identity_asking *asking, int fd, struct nd_why *why)
{
	char octets[IDENTITY_KEY_MAX + 1];
	struct stat st;
	ssize_t got;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)IDENTITY_KEY_MAX)
		return nd_fail(why, ND_ETOKEN, 0, "the file of the Arc agent is not one of its keys: it is not used");
	got = read(fd, octets, sizeof(octets));
	if (got <= 0 || got > (ssize_t)IDENTITY_KEY_MAX || !nd_str_ascii(octets, (size_t)got))
		return nd_fail(why, ND_ETOKEN, 0, "the file of the Arc agent cannot be used as a key");
	nd_buf_adds(&asking->key, "Basic ");
	nd_buf_add(&asking->key, octets, (size_t)got);
	explicit_bzero(octets, sizeof(octets));
	return ND_OK;
}

static enum nd_err
read_key(struct identity_asking *asking, struct nd_why *why)
{
	int fd = open(asking->key_path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	enum nd_err err;

	if (fd < 0) {
		(void)nd_fail(why, ND_ETOKEN, errno, "the file of the Arc agent cannot be read");
		return nd_fail_at(why, NULL, 0, "add the user of notifyd to the group himds, then restart notifyd");
	}
	err = read_key_fd(asking, fd, why);
	(void)close(fd);
	return err;
}

static void
key_read(void *arg)
{
	struct identity_asking *asking = arg;

	if (asking->app->down)
		return; /* identity_end() follows */
	if (asking->err == ND_OK)
		ask(asking);
	else
		refuse(asking, &asking->why);
}

static void
run(struct worker_task *task)
{
	struct identity_asking *asking = (struct identity_asking *)task;

	asking->err = read_key(asking, &asking->why);
	asking->note = (struct loop_note){ NULL, key_read, asking };
	loop_post(asking->app->loop, &asking->note);
}

/* --- on the loop --- */

static void
answered(void *arg, const struct http_client_reply *http)
{
	struct identity_asking *asking = arg;
	struct oauth_reply reply;
	struct nd_why why;

	if (asking->source == CONF_IDENTITY_ARC && http->status == 401 && !asking->challenged) {
		asking->challenged = true;
		if (identity_key_path(http->challenge, asking->key_path, sizeof(asking->key_path), &why) == ND_OK)
			worker_put(asking->app->proofs, &asking->task);
		else
			refuse(asking, &why);
		return;
	}
	identity_read(asking->conf, asking->source, http->status, http->body, http->len, http->retry_after,
	    http->status == 0 ? &http->why : NULL, &reply);
	end(asking, &reply);
}

void
identity_ask(struct app *app, struct app_account *account, identity_done *done, void *arg)
{
	struct identity_asking *asking = nd_xalloc(sizeof(*asking));

	asking->task.run = run;
	asking->app = app;
	asking->account = account;
	asking->held = reload_hold(account->conf);
	asking->conf = account->engine->conf;
	asking->source = identity_source(
	    asking->conf->identity_source, secure_getenv("IDENTITY_ENDPOINT"), access(AGENT, F_OK) == 0);
	asking->done = done;
	asking->arg = arg;
	nd_buf_init(&asking->key, IDENTITY_KEY_MAX + 16);
	asking->next = app->identities;
	app->identities = asking;
	account->engine->users++;
	ask(asking);
}
