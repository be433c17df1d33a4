/* SPDX-License-Identifier: Apache-2.0 */
/* probe_routes.c - tests by the API: of an account that is configured, and of one in a configuration that comes with the request. */
#include "daemon/probe.h"

#include "common/idn.h"
#include "common/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBES_MAX 4u /* at a time */
#define PENDING_MAX 65536u

struct asker {
	struct app *app;
	struct http_request *request;
	struct probe *probe;  /* NULL: it is over */
	struct nd_buf unsent; /* lines that the client has no room for yet */
};

static void
free_asker(void *arg)
{
	struct asker *asker = arg;

	nd_buf_done(&asker->unsent);
	free(asker);
}

/* Lines leave whole. */
static void
move_on(void *context)
{
	struct asker *asker = context;

	while (asker->unsent.len > 0) {
		const char *text = nd_buf_text(&asker->unsent);
		const size_t len = strcspn(text, "\n") + 1;

		if (!http_server_stream_write(asker->request, text, len))
			return;
		nd_buf_drop(&asker->unsent, len);
	}
	if (asker->probe)
		return;
	http_server_stream_end(asker->request);
	loop_free_later(asker->app->loop, free_asker, asker);
}

static void
take_line(void *arg, const char *line, size_t len)
{
	struct asker *asker = arg;

	(void)nd_buf_add(&asker->unsent, line, len);
	move_on(asker);
}

static void
take_over(void *arg, enum probe_result result)
{
	struct asker *asker = arg;

	(void)result;
	asker->probe = NULL;
	move_on(asker);
}

static void
client_left(void *context)
{
	struct asker *asker = context;

	if (asker->probe)
		probe_leave(asker->probe);
	loop_free_later(asker->app->loop, free_asker, asker);
}

static enum nd_err
read_send(const char *word, enum probe_send *out, struct nd_why *why)
{
	static const char *const words[] = {
		[PROBE_SEND_AUTO] = "auto", [PROBE_SEND_YES] = "yes", [PROBE_SEND_NO] = "no"
	};

	*out = PROBE_SEND_AUTO;
	for (unsigned i = 0; word && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0) {
			*out = (enum probe_send)i;
			return ND_OK;
		}
	if (!word)
		return ND_OK;
	(void)nd_fail(why, ND_EINVALID, 0, "send is \"auto\", \"yes\" or \"no\"");
	return nd_fail_at(why, "send", 0, NULL);
}

static enum nd_err
read_to(const char *text, enum probe_send send, char **out, struct nd_why *why)
{
	char wire[IDN_ADDRESS_SIZE];
	struct nd_mailbox box;
	enum nd_err err;

	*out = NULL;
	if (!text)
		return ND_OK;
	if (send == PROBE_SEND_NO)
		(void)nd_fail(why, ND_EINVALID, 0, "to and send=no contradict each other");
	else if (nd_str_mailbox(text, strlen(text), &box, why) == ND_OK) {
		err = idn_address(box.address, wire, why);
		if (err == ND_OK)
			*out = nd_xstrdup(box.address);
		nd_mailbox_done(&box);
		if (err == ND_OK)
			return ND_OK;
	}
	return nd_fail_at(why, "to", 0, NULL);
}

static enum nd_err
may_test(const struct app *app, struct nd_why *why)
{
	unsigned count = 0;

	for (const struct probe *probe = app->probes; probe; probe = probe->next)
		count++;
	if (app->stopping)
		return nd_fail(why, ND_ESTOPPING, 0, "notifyd is stopping");
	if (count >= PROBES_MAX)
		return nd_fail(why, ND_EBUSY, 0, "%u tests are under way already", count);
	return ND_OK;
}

/* Reads the parameters and answers by the test's lines. */
static enum nd_err
begin(struct app *app, struct http_request *request, struct conf *held, const struct conf_account *conf,
    struct nd_why *why)
{
	struct probe_wish wish = { .held = held, .conf = conf, .line = take_line, .over = take_over };
	struct asker *asker;
	char *to;

	if (may_test(app, why) != ND_OK || read_send(http_request_query(request, "send"), &wish.send, why) != ND_OK ||
	    read_to(http_request_query(request, "to"), wish.send, &to, why) != ND_OK)
		return why->err;
	wish.lang = explain_lang_of(http_request_header(request, "Accept-Language"));
	asker = nd_xalloc(sizeof(*asker));
	asker->app = app;
	asker->request = request;
	nd_buf_init(&asker->unsent, PENDING_MAX);
	http_request_own(request, asker, client_left);
	if (http_server_stream_begin(request, 200, "application/x-ndjson", move_on, why) != ND_OK) {
		http_request_own(request, NULL, NULL);
		free_asker(asker);
		free(to);
		return why->err;
	}
	wish.to = to;
	wish.arg = asker;
	asker->probe = probe_start(app, &wish);
	free(to);
	return ND_OK;
}

void
probe_configured(void *owner, struct http_request *request)
{
	static const char *const known[] = { "send", "to", NULL };
	struct app *app = owner;
	const struct conf_account *conf;
	struct nd_why why;

	if (http_request_only(request, known, &why) == ND_OK &&
	    (conf = probe_account(app->conf, http_request_segment(request), &why)) != NULL &&
	    begin(app, request, app->conf, conf, &why) == ND_OK)
		return;
	if (why.err == ND_ENOACCOUNT)
		why.err = ND_ENOTFOUND; /* it is part of the path */
	http_server_problem(request, &why);
}

/* -- a configuration that is not in use -- */

/* It may name any secret that notifyd can read, any command, and any server to send it to: not for everybody who operates the queue. */
static enum nd_err
may_configure(const struct http_request *request, struct nd_why *why)
{
	const struct access_peer *peer = http_request_peer(request);

	if (peer->uid == 0 || peer->uid == geteuid())
		return ND_OK;
	(void)nd_fail(why, ND_EOPERATOR, 0,
	    "a configuration may name any secret and any command: only root tests one that is not in use");
	return nd_fail_at(why, "", 0, "run it as root");
}

static void
gather(void *arg, const char *line, size_t len)
{
	(void)nd_buf_add(arg, line, len);
}

static void
answer_faults(struct http_request *request, const struct conf_faults *faults)
{
	struct nd_buf lines;

	nd_buf_init(&lines, PENDING_MAX);
	probe_misconfigured(faults, http_request_query(request, "account"),
	    explain_lang_of(http_request_header(request, "Accept-Language")), gather, &lines);
	http_server_reply(request, 200, "application/x-ndjson", nd_buf_text(&lines), lines.len, NULL);
	nd_buf_done(&lines);
}

static enum nd_err
test_text(struct app *app, struct http_request *request, struct nd_why *why)
{
	const struct conf_host names = { app->conf->host, app->conf->fqdn };
	struct conf *held = reload_new();
	struct conf_faults faults = { 0 };
	const struct conf_account *conf;
	enum nd_err err = ND_OK;
	const char *text;
	size_t len;

	text = http_request_body(request, &len);
	conf_init(held, &names);
	conf_read(held, "notifyd.conf", text, len, &faults);
	conf_finish(held, &faults);
	if (faults.count > 0)
		answer_faults(request, &faults);
	else if ((conf = probe_account(held, http_request_query(request, "account"), why)) == NULL)
		err = why->err;
	else
		err = begin(app, request, held, conf, why);
	conf_faults_done(&faults);
	reload_release(held);
	return err;
}

void
probe_given(void *owner, struct http_request *request)
{
	static const char *const known[] = { "account", "send", "to", NULL };
	struct nd_why why;

	if (http_request_only(request, known, &why) != ND_OK || may_configure(request, &why) != ND_OK ||
	    test_text(owner, request, &why) != ND_OK)
		http_server_problem(request, &why);
}
