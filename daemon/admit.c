/* SPDX-License-Identifier: Apache-2.0 */
/* admit.c - may this job come in: room in the queue and on the disk, and the submitter's quota. The rules are core's; here are the numbers. */
#include "daemon/app.h"

#include <inttypes.h>

#define LOOK ND_SEC(1) /* at the disk, at most so often */

struct intake_limit_load
admit_load(struct app *app)
{
	struct store_size size = store_size(app->store);
	nd_ms now = loop_now(app->loop).ms;

	if (app->disk_looked == 0 || now - app->disk_looked >= LOOK) {
		app->disk_free = filer_free(app->options.state_dir);
		app->disk_looked = now;
	}
	/* Jobs by the loop's own count: the store's runs ahead of its answers, and a job would be counted twice for a moment. */
	return (struct intake_limit_load){ .jobs = app->unfinished + app->admitted,
		.octets = size.octets + app->admitted_octets,
		.free = app->disk_free };
}

/* A disk that was full a moment ago may have room again: nobody is refused for what is not seen now. */
static enum nd_err
check(struct app *app, uint64_t octets, bool severe, struct nd_why *why)
{
	struct intake_limit_load load = admit_load(app);
	enum nd_err err = intake_limit_check(app->conf, &load, octets, severe, why);

	if (err != ND_EDISKFULL)
		return err;
	app->disk_looked = 0;
	load = admit_load(app);
	return intake_limit_check(app->conf, &load, octets, severe, why);
}

enum nd_err
admit_job(struct app *app, const struct access_peer *peer, const struct queue_job *row, struct admitted *admitted,
    struct nd_why *why)
{
	struct quota_ask ask = { .peer = peer, .octets = row->body_len, .severe = row->severity <= JOB_CRITICAL };
	struct store_size own = store_size_of(app->store, peer->uid, peer->unit);
	enum nd_err err = check(app, ask.octets, ask.severe, why);
	unsigned i;

	if (err != ND_OK)
		return err;
	for (i = 0; i < row->rcpt_count; i++)
		ask.foreign += access_foreign(app->conf, row->rcpts[i].address);
	/* The store's count runs ahead of its answers: for that moment a job counts twice, and never not at all. */
	ask.queued = own.octets;
	if (quota_take(app->quota, app->conf, &ask, loop_now(app->loop).ms, why) != ND_OK)
		return why->err;
	*admitted = (struct admitted){ .is = true, .octets = ask.octets, .foreign = ask.foreign };
	app->admitted++;
	app->admitted_octets += ask.octets;
	/* What comes in before the next look. */
	if (app->disk_free >= 0)
		app->disk_free -= (int64_t)ask.octets < app->disk_free ? (int64_t)ask.octets : app->disk_free;
	return ND_OK;
}

enum nd_err
admit_room(struct app *app, uint64_t octets, struct nd_why *why)
{
	return check(app, octets, true, why);
}

void
admit_over(struct app *app, const struct access_peer *peer, struct admitted *admitted, bool fresh)
{
	const struct quota_ask ask = { .peer = peer, .octets = admitted->octets, .foreign = admitted->foreign };

	if (!admitted->is)
		return;
	admitted->is = false;
	app->admitted--;
	app->admitted_octets -= admitted->octets;
	quota_over(app->quota, app->conf, &ask, fresh);
}
