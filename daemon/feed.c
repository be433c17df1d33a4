/* SPDX-License-Identifier: Apache-2.0 */
/* feed.c - GET /v1/events: tells what happens to those who follow.
 *
 * What happens goes into the record (core/events) and nowhere else. Followers read the record, each at its own pace; one
 * that is so slow that the record has moved on is told of the gap.
 */
#include "daemon/app.h"

#include "common/mem.h"
#include "daemon/core/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOWERS 64u        /* in all */
#define FOLLOWERS_OTHERS 48u /* without an operator's right */
#define LOOKED 4096u         /* events of a turn that a follower is led past */
#define LINE_LIMIT 4096u

struct follower {
	struct feed *feed;
	struct http_request *request;
	struct events_filter filter;
	uint64_t at; /* the last event that it was led past */
	struct follower *next;
};

struct feed {
	struct app *app;
	struct events *events;
	struct follower *followers; /* owned list */
	unsigned count;
	struct loop_timer *again; /* somebody was not led to the end in this turn */
};

void
feed_open(struct app *app)
{
	uint64_t boot;

	tls_random(&boot, sizeof(boot));
	app->feed = nd_xalloc(sizeof(*app->feed));
	app->feed->app = app;
	app->feed->events = events_new(boot);
}

/* -- followers ------------------------------------------------------------------------------------------------- */

static void
forget(struct follower *follower)
{
	struct follower **at = &follower->feed->followers;

	while (*at != follower)
		at = &(*at)->next;
	*at = follower->next;
	follower->feed->count--;
	free(follower);
}

static void
follower_left(void *context)
{
	forget(context);
}

static bool
tell(struct follower *follower, const struct events_item *item)
{
	struct nd_buf line;
	bool told;

	nd_buf_init(&line, LINE_LIMIT);
	events_write(follower->feed->events, item, &line);
	told = line.failed || http_server_stream_write(follower->request, nd_buf_text(&line), line.len);
	nd_buf_done(&line);
	return told;
}

static bool
tell_place(struct follower *follower, enum events_kind kind, uint64_t at)
{
	const struct events_item item = { .n = at, .kind = kind, .time = loop_now(follower->feed->app->loop).unix_ms };

	if (!tell(follower, &item))
		return false;
	follower->at = at;
	return true;
}

/* Leads it on; false: there is more for the next turn. */
static bool
lead(struct follower *follower)
{
	const struct events *events = follower->feed->events;
	uint64_t first = events_first(events);
	struct events_item item;
	unsigned looked;

	if (follower->at + 1 < first && !tell_place(follower, EVENTS_GAP, first - 1))
		return true;
	for (looked = 0; looked < LOOKED; looked++) {
		if (!events_get(events, follower->at + 1, &item))
			return true;
		if (events_wanted(&follower->filter, &item) && !tell(follower, &item))
			return true; /* it is told on when there is room */
		follower->at++;
	}
	return false;
}

static void
lead_all(void *arg)
{
	struct feed *feed = arg;
	struct follower *follower;
	bool all = true;

	for (follower = feed->followers; follower; follower = follower->next)
		all = lead(follower) && all;
	if (!all)
		loop_timer_set(feed->again, loop_now(feed->app->loop).ms);
}

static void
has_room(void *context)
{
	struct follower *follower = context;

	if (!lead(follower))
		loop_timer_set(follower->feed->again, loop_now(follower->feed->app->loop).ms);
}

void
feed_end(struct app *app)
{
	struct follower *follower;

	if (!app->feed)
		return;
	while ((follower = app->feed->followers) != NULL) {
		(void)lead(follower); /* NOLINT(clang-analyzer-unix.Malloc): forget() took the last one off the list */
		http_server_stream_end(follower->request);
		forget(follower);
	}
}

void
feed_free(struct app *app)
{
	if (!app->feed)
		return;
	loop_timer_free(app->feed->again);
	loop_forget(app->loop, app->feed);
	events_free(app->feed->events);
	free(app->feed);
	app->feed = NULL;
}

/* -- the route ------------------------------------------------------------------------------------------------- */

static enum nd_err
read_wish(const struct http_request *request, struct events_filter *filter, struct nd_why *why)
{
	static const char *const known[] = { "since", "job", "type", NULL };
	const char *job, *type;
	enum nd_err err = http_request_only(request, known, why);

	if (err != ND_OK)
		return err;
	filter->peer = http_request_peer(request);
	job = http_request_query(request, "job");
	if (job && !nd_ulid_tail(job, filter->job)) {
		(void)nd_fail(
		    why, ND_EINVALID, 0, "job=%.40s is not an id or the last 6 or more characters of one", job);
		return nd_fail_at(why, "job", 0, NULL);
	}
	type = http_request_query(request, "type");
	if (!type)
		return ND_OK;
	filter->types = type; /* the request's, as the peer is: both last as long as the follower */
	return events_types(type, why);
}

static enum nd_err
check_room(const struct feed *feed, const struct access_peer *peer, struct nd_why *why)
{
	if (feed->count >= (peer->operator_right ? FOLLOWERS : FOLLOWERS_OTHERS))
		return nd_fail(why, ND_EBUSY, 0, "%u clients follow the events already", feed->count);
	return ND_OK;
}

void
feed_handle(void *owner, struct http_request *request)
{
	struct app *app = owner;
	struct feed *feed = app->feed;
	struct events_filter filter = { 0 };
	struct follower *follower;
	struct nd_why why;
	uint64_t at = 0;
	bool gap;

	if (read_wish(request, &filter, &why) != ND_OK || check_room(feed, filter.peer, &why) != ND_OK ||
	    events_since(feed->events, http_request_query(request, "since"), &at, &gap, &why) != ND_OK ||
	    http_server_stream_begin(request, 200, "application/x-ndjson", has_room, &why) != ND_OK) {
		http_server_problem(request, &why);
		return;
	}
	follower = nd_xalloc(sizeof(*follower));
	*follower =
	    (struct follower){ .feed = feed, .request = request, .filter = filter, .at = at, .next = feed->followers };
	feed->followers = follower;
	feed->count++;
	if (!feed->again)
		feed->again = loop_timer_new(app->loop, lead_all, feed);
	http_request_own(request, follower, follower_left);
	(void)tell_place(follower, gap ? EVENTS_GAP : EVENTS_BEGIN, at);
	has_room(follower);
}

/* -- what happens ---------------------------------------------------------------------------------------------- */

static void
add(struct app *app, struct events_item *item)
{
	struct feed *feed = app->feed;

	if (app->down)
		return;
	item->time = loop_now(app->loop).unix_ms;
	events_add(feed->events, item);
	if (feed->followers)
		loop_soon(app->loop, lead_all, feed);
}

static void
add_attempt(struct app *app, struct events_item *item, const struct queue_attempt *attempt)
{
	char reason[EVENTS_REASON + 1];

	if (attempt->code != 0)
		(void)snprintf(reason, sizeof(reason), "%d %s", attempt->code, attempt->text ? attempt->text : "");
	else
		(void)snprintf(reason, sizeof(reason), "%s", attempt->text ? attempt->text : "");
	item->kind = EVENTS_ATTEMPT;
	item->reason = reason;
	add(app, item);
	item->reason = NULL; /* it was ours */
}

void
feed_job(struct app *app, const struct queue_job *job, const struct queue_attempt *attempt)
{
	struct events_item item = {
		.state = job->state, .uid = job->uid, .unit = job->unit, .job = job->id, .account = job->account
	};

	if (attempt)
		add_attempt(app, &item, attempt);
	if (attempt && job->state == JOB_QUEUED)
		return; /* as it was before */
	item.kind = EVENTS_JOB;
	item.reason = job->reason;
	add(app, &item);
}

void
feed_moved(struct app *app, const struct queue_job *job)
{
	struct events_item item = { .kind = EVENTS_MOVED,
		.state = job->state,
		.uid = job->uid,
		.unit = job->unit,
		.job = job->id,
		.account = job->account,
		.reason = job->reason };

	add(app, &item);
}

void
feed_account(struct app *app, const struct engine_account *account)
{
	const struct health *health = &account->health;
	struct events_item item = {
		.kind = EVENTS_ACCOUNT, .state = (uint8_t)health->state, .account = account->conf->name
	};
	char reason[HEALTH_WORDS];

	item.reason = health_words(health, loop_now(app->loop), reason);
	add(app, &item);
}

void
feed_token(struct app *app, const struct engine_account *account)
{
	struct events_item item = { .kind = EVENTS_TOKEN, .account = account->conf->name };

	add(app, &item);
}

void
feed_config(struct app *app)
{
	struct events_item item = { .kind = EVENTS_CONFIG };

	add(app, &item);
}
