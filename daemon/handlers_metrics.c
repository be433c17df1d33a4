/* SPDX-License-Identifier: Apache-2.0 */
/* handlers_metrics.c - GET /metrics and GET /v1/openapi.json: for machines that watch, and that write clients. */
#include "daemon/app.h"

#include "common/api.h"
#include "daemon/core/stats.h"

#include <string.h>

#define REPLY_LIMIT (4u * 1024 * 1024)

struct scrape {
	struct app *app;
	const struct store_req *totals;
	struct nd_buf *out;
};

static void
put_one(const struct scrape *scrape, enum stats_name name, int64_t value)
{
	stats_begin(name, scrape->out);
	stats_sample(name, NULL, value, scrape->out);
}

static void
put_state(const struct scrape *scrape, enum stats_name name, enum job_state state, uint64_t count)
{
	const struct stats_label labels[] = { { "state", job_state_name(state) }, { NULL, NULL } };

	stats_sample(name, labels, (int64_t)count, scrape->out);
}

static void
put_jobs(const struct scrape *scrape)
{
	struct shape_counts counts = shape_counts(scrape->app, scrape->totals);
	const uint64_t *totals = scrape->totals->totals;
	unsigned i;

	stats_begin(STATS_JOBS, scrape->out);
	put_state(scrape, STATS_JOBS, JOB_QUEUED, (uint64_t)counts.queued);
	put_state(scrape, STATS_JOBS, JOB_SENDING, (uint64_t)counts.sending);
	put_state(scrape, STATS_JOBS, JOB_HELD, totals[JOB_HELD]);
	stats_begin(STATS_TOTAL, scrape->out);
	for (i = 0; i < JOB_STATE_COUNT; i++)
		if (job_state_final((enum job_state)i))
			put_state(scrape, STATS_TOTAL, (enum job_state)i, totals[i]);
}

static void
put_accounts(const struct scrape *scrape)
{
	struct engine_account *account;

	stats_begin(STATS_ACCOUNTS, scrape->out);
	for (unsigned i = 0; (account = engine_account_nth(scrape->app->engine, i)) != NULL; i++) {
		for (unsigned s = 0; s < HEALTH_STATE_COUNT && !account->gone; s++) {
			const struct stats_label labels[] = { { "account", account->conf->name },
				{ "state", health_state_name((enum health_state)s) }, { NULL, NULL } };

			stats_sample(
			    STATS_ACCOUNTS, labels, account->health.state == (enum health_state)s, scrape->out);
		}
	}
}

static int64_t
paced(const struct scrape *scrape, struct engine_account *account, enum stats_name name, struct nd_now now)
{
	uint64_t queued = 0;

	if (account->health.state != HEALTH_PACED)
		return 0;
	for (unsigned i = 0; i < scrape->totals->count_count; i++)
		if (strcmp(scrape->totals->counts[i].account, account->conf->name) == 0)
			queued = scrape->totals->counts[i].queued;
	return name == STATS_PACED ? (int64_t)queued : (engine_through(account, queued, now) - now.unix_ms) / 1000;
}

/* What only an operator is told: one number for each account. */
static void
put_insides(const struct scrape *scrape, enum stats_name name)
{
	struct nd_now now = loop_now(scrape->app->loop);
	struct engine_account *account;

	stats_begin(name, scrape->out);
	for (unsigned i = 0; (account = engine_account_nth(scrape->app->engine, i)) != NULL; i++) {
		const struct stats_label labels[] = { { "account", account->conf->name }, { NULL, NULL } };

		if (account->gone)
			continue;
		if (name == STATS_PACED || name == STATS_READY)
			stats_sample(name, labels, paced(scrape, account, name, now), scrape->out);
		else if (name == STATS_MOVED)
			stats_sample(name, labels, ((const struct app_account *)account->user)->moved, scrape->out);
		else if (name == STATS_SESSIONS)
			stats_sample(name, labels, pool_total(&account->pool), scrape->out);
		else if (account->conf->auth == CONF_OAUTH2 && account->token.have)
			stats_sample(
			    name, labels, (now.unix_ms + (account->token.expires - now.ms)) / 1000, scrape->out);
	}
}

static void
put_credentials(const struct scrape *scrape)
{
	nd_unix now = loop_now(scrape->app->loop).unix_ms;
	struct credentials_fact fact;

	stats_begin(STATS_CREDENTIAL, scrape->out);
	for (unsigned n = 0; credentials_nth(scrape->app, n, &fact); n++) {
		const struct stats_label labels[] = { { "account", fact.account },
			{ "kind", expiry_kind_name(fact.kind) }, { NULL, NULL } };

		if (fact.expiry != NULL && fact.expiry->ends != 0)
			stats_sample(STATS_CREDENTIAL, labels, (fact.expiry->ends - now) / 1000, scrape->out);
	}
}

static void
put_metrics(const struct scrape *scrape, bool operator_right)
{
	const struct stats_label version[] = { { "version", PACKAGE_VERSION }, { NULL, NULL } };
	nd_unix now = loop_now(scrape->app->loop).unix_ms, oldest = scrape->totals->oldest;

	stats_begin(STATS_BUILD, scrape->out);
	stats_sample(STATS_BUILD, version, 1, scrape->out);
	put_one(scrape, STATS_START, scrape->app->started / 1000);
	put_jobs(scrape);
	put_one(scrape, STATS_OLDEST, oldest != 0 && now > oldest ? (now - oldest) / 1000 : 0);
	put_accounts(scrape);
	for (unsigned i = 0; i < STATS_COUNT; i++)
		if (operator_right && stats_secret((enum stats_name)i) && i != STATS_CREDENTIAL)
			put_insides(scrape, (enum stats_name)i);
	if (operator_right)
		put_credentials(scrape);
}

static void
told(struct app *app, struct http_request *request, const struct store_req *totals)
{
	struct nd_buf out;

	nd_buf_init(&out, REPLY_LIMIT);
	put_metrics(&(struct scrape){ app, totals, &out }, http_request_peer(request)->operator_right);
	http_server_reply(request, 200, STATS_TYPE, nd_buf_text(&out), out.len, NULL);
	nd_buf_done(&out);
}

void
handlers_metrics(void *owner, struct http_request *request)
{
	handlers_totals(owner, request, told);
}

void
handlers_openapi(void *owner, struct http_request *request)
{
	struct nd_buf out;

	(void)owner;
	if (!handlers_bare(request))
		return;
	nd_buf_init(&out, REPLY_LIMIT);
	api_openapi(PACKAGE_VERSION, &out);
	handlers_reply(request, 200, &out);
}
