/* SPDX-License-Identifier: Apache-2.0 */
/* quota.c - how much one submitter may hand over.  Layer: core.  Pure.
 *
 * The level of a bucket is kept in units of one in a window's milliseconds, so that it drains by the rate each millisecond and nothing is ever rounded.
 */
#include "daemon/core/quota.h"

#include "common/mem.h"
#include "common/stamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESERVE 4 /* one part in so many beyond the quota, for what is severe */

enum window { MINUTE, HOUR, DAY, WINDOWS };
static const struct {
	nd_ms length;
	int64_t burst_of, burst_in; /* the bucket holds so many parts of the rate: 20000 of 6000/min */
	const char *name;
} windows[WINDOWS] = {
	[MINUTE] = { ND_MIN(1), 10, 3, "min" },
	[HOUR] = { ND_HOUR(1), 1, 1, "hour" },
	[DAY] = { ND_DAY(1), 1, 1, "day" },
};

struct meter {
	int64_t level[WINDOWS]; /* times the window's length */
};

struct submitter {
	uint32_t uid;
	char unit[sizeof(((struct access_peer *)NULL)->unit)];
	nd_ms seen; /* when the meters were drained */
	struct meter jobs, foreign;
	uint64_t coming; /* octets of jobs that were taken and are not known to be in the queue */
};

struct quota {
	struct submitter *list;
	unsigned count, room, last; /* last: who came last comes next, often */
};

struct quota *
quota_new(void)
{
	return nd_xalloc(sizeof(struct quota));
}

void
quota_free(struct quota *quota)
{
	if (quota != NULL)
		free(quota->list);
	free(quota);
}

unsigned
quota_count(const struct quota *quota)
{
	return quota->count;
}

static bool
is(const struct submitter *submitter, const struct access_peer *peer)
{
	return submitter->uid == peer->uid && strcmp(submitter->unit, peer->unit) == 0;
}

/* A place for somebody new: a free one, or that of who has been silent longest. */
static unsigned
place(struct quota *quota)
{
	unsigned i, oldest = 0;

	if (quota->count < QUOTA_SUBMITTERS) {
		if (quota->count == quota->room) {
			quota->room = quota->room > 0 ? 2 * quota->room : 8;
			quota->list = nd_xrealloc(quota->list, quota->room * sizeof(*quota->list));
		}
		return quota->count++;
	}
	for (i = 1; i < quota->count; i++)
		if (quota->list[i].seen < quota->list[oldest].seen)
			oldest = i;
	return oldest;
}

/* NULL: not heard of. */
static struct submitter *
look_up(struct quota *quota, const struct access_peer *peer)
{
	unsigned i;

	if (quota->last < quota->count && is(&quota->list[quota->last], peer))
		return &quota->list[quota->last];
	for (i = 0; i < quota->count && !is(&quota->list[i], peer); i++)
		continue;
	if (i == quota->count)
		return NULL;
	quota->last = i;
	return &quota->list[i];
}

static struct submitter *
find(struct quota *quota, const struct access_peer *peer, nd_ms now)
{
	struct submitter *submitter = look_up(quota, peer);

	if (submitter != NULL)
		return submitter;
	quota->last = place(quota);
	submitter = &quota->list[quota->last];
	*submitter = (struct submitter){ .uid = peer->uid, .seen = now };
	memcpy(submitter->unit, peer->unit, sizeof(submitter->unit));
	return submitter;
}

static int64_t
rate_of(const struct conf_rate *rate, enum window window)
{
	const int64_t rates[WINDOWS] = { [MINUTE] = rate->minute, [HOUR] = rate->hour, [DAY] = rate->day };

	return rates[window];
}

static void
drain(struct meter *meter, const struct conf_rate *rate, nd_ms elapsed)
{
	for (int i = 0; i < WINDOWS; i++) {
		int64_t n = rate_of(rate, (enum window)i);

		/* Compared first: the product of a long silence would not fit. */
		if (n == 0 || elapsed >= meter->level[i] / n + 1)
			meter->level[i] = 0;
		else
			meter->level[i] -= elapsed * n;
	}
}

static int64_t
with_reserve(int64_t limit, bool severe)
{
	/* Never so small a quota that the reserve is nothing. */
	return severe ? limit + (limit + RESERVE - 1) / RESERVE : limit;
}

static int64_t
burst_of(const struct conf_rate *rate, enum window window)
{
	return rate_of(rate, window) * windows[window].burst_of / windows[window].burst_in;
}

/* How long until `more` fit; 0 now. *full gets the window that is in the way. */
static nd_ms
wait_for(const struct meter *meter, const struct conf_rate *rate, int64_t more, bool severe, enum window *full)
{
	nd_ms longest = 0;

	for (int i = 0; i < WINDOWS && more > 0; i++) {
		int64_t n = rate_of(rate, (enum window)i);
		int64_t room = with_reserve(burst_of(rate, (enum window)i), severe);
		int64_t over = meter->level[i] + (more - room) * windows[i].length;

		if (n == 0 || over <= 0 || over / n < longest)
			continue;
		longest = over / n + 1;
		*full = (enum window)i;
	}
	return longest;
}

static void
fill(struct meter *meter, const struct conf_rate *rate, int64_t more)
{
	for (int i = 0; i < WINDOWS; i++)
		if (rate_of(rate, (enum window)i) > 0)
			meter->level[i] += more * windows[i].length;
}

static void
drop(struct meter *meter, const struct conf_rate *rate, int64_t more)
{
	for (int i = 0; i < WINDOWS; i++) {
		int64_t part = more * windows[i].length;

		if (rate_of(rate, (enum window)i) > 0)
			meter->level[i] -= part < meter->level[i] ? part : meter->level[i];
	}
}

static void
name_of(const struct access_peer *peer, char *out, size_t size)
{
	(void)snprintf(out, size, "uid %" PRIu32 "%s%s", peer->uid, peer->unit[0] != '\0' ? " in " : "", peer->unit);
}

static enum nd_err
over_rate(const struct quota_ask *ask, bool of_jobs, int64_t n, enum window window, nd_ms wait, struct nd_why *why)
{
	const char *setting = of_jobs ? "quota_jobs" : "quota_recipients";
	const char *what = of_jobs ? "jobs" : "recipients outside the accounts' own domains";
	char name[128], span[ND_STAMP_SIZE], hint[160];

	name_of(ask->peer, name, sizeof(name));
	(void)nd_fail(
	    why, ND_EOVERQUOTA, 0, "%s is beyond its quota of %s: %" PRId64 "/%s", name, what, n, windows[window].name);
	(void)snprintf(hint, sizeof(hint), "try again in %s, or raise [access] %s",
	    nd_stamp_span(wait < ND_SEC(1) ? ND_SEC(1) : wait, span), setting);
	(void)nd_fail_retry(why, wait);
	return nd_fail_at(why, setting, 0, hint);
}

static enum nd_err
check_rate(const struct quota_ask *ask, const struct meter *meter, const struct conf_rate *rate, bool of_jobs,
    struct nd_why *why)
{
	enum window window = MINUTE;
	nd_ms wait = wait_for(meter, rate, of_jobs ? 1 : (int64_t)ask->foreign, ask->severe, &window);

	if (wait == 0)
		return ND_OK;
	return over_rate(ask, of_jobs, rate_of(rate, window), window, wait, why);
}

static enum nd_err
check_octets(const struct conf *conf, const struct quota_ask *ask, uint64_t coming, struct nd_why *why)
{
	uint64_t limit = (uint64_t)with_reserve(conf->quota_bytes, ask->severe);
	uint64_t held = ask->queued > UINT64_MAX - coming ? UINT64_MAX : ask->queued + coming;
	char name[128];

	if (conf->quota_bytes == 0 || (held <= limit && ask->octets <= limit - held))
		return ND_OK;
	name_of(ask->peer, name, sizeof(name));
	(void)nd_fail(why, ND_EOVERQUOTA, 0,
	    "%s has %" PRIu64 " octets in the queue, and with this job of %" PRIu64 " more than its quota of %" PRId64,
	    name, held, ask->octets, conf->quota_bytes);
	/* When that is, the relay decides. */
	(void)nd_fail_retry(why, ND_MIN(1));
	return nd_fail_at(
	    why, "quota_bytes", 0, "try again when some of its jobs are delivered, or raise [access] quota_bytes");
}

/* A job that would not fit into an empty queue never will: it is not told to come again. */
static enum nd_err
never(const char *setting, struct nd_why *why)
{
	char hint[96];

	(void)snprintf(hint, sizeof(hint), "split it, or raise [access] %s", setting);
	return nd_fail_at(why, setting, 0, hint);
}

static enum nd_err
check_size(const struct conf *conf, const struct quota_ask *ask, struct nd_why *why)
{
	const struct conf_rate *rate = &conf->quota_recipients;

	for (int i = 0; i < WINDOWS; i++) {
		int64_t room = with_reserve(burst_of(rate, (enum window)i), ask->severe);

		if (rate_of(rate, (enum window)i) == 0 || (int64_t)ask->foreign <= room)
			continue;
		(void)nd_fail(why, ND_ETOOBIG, 0,
		    "the job has %u recipients outside the accounts' own domains; the quota of %" PRId64
		    "/%s never has room for more than %" PRId64,
		    ask->foreign, rate_of(rate, (enum window)i), windows[i].name, room);
		return never("quota_recipients", why);
	}
	if (conf->quota_bytes == 0 || ask->octets <= (uint64_t)with_reserve(conf->quota_bytes, ask->severe))
		return ND_OK;
	(void)nd_fail(why, ND_ETOOBIG, 0, "the job has %" PRIu64 " octets, more than the whole quota of %" PRId64,
	    ask->octets, conf->quota_bytes);
	return never("quota_bytes", why);
}

enum nd_err
quota_take(struct quota *quota, const struct conf *conf, const struct quota_ask *ask, nd_ms now, struct nd_why *why)
{
	struct submitter *submitter;
	enum nd_err err;

	if (ask->peer->operator_right)
		return ND_OK;
	if (check_size(conf, ask, why) != ND_OK)
		return why->err;
	submitter = find(quota, ask->peer, now);
	drain(&submitter->jobs, &conf->quota_jobs, now - submitter->seen);
	drain(&submitter->foreign, &conf->quota_recipients, now - submitter->seen);
	submitter->seen = now;
	err = check_rate(ask, &submitter->jobs, &conf->quota_jobs, true, why);
	if (err == ND_OK)
		err = check_octets(conf, ask, submitter->coming, why);
	if (err == ND_OK)
		err = check_rate(ask, &submitter->foreign, &conf->quota_recipients, false, why);
	if (err != ND_OK)
		return err;
	fill(&submitter->jobs, &conf->quota_jobs, 1);
	fill(&submitter->foreign, &conf->quota_recipients, ask->foreign);
	submitter->coming += ask->octets;
	return ND_OK;
}

void
quota_over(struct quota *quota, const struct conf *conf, const struct quota_ask *ask, bool fresh)
{
	struct submitter *submitter = ask->peer->operator_right ? NULL : look_up(quota, ask->peer);

	if (submitter == NULL)
		return;
	/* One that was forgotten meanwhile began anew. */
	submitter->coming -= ask->octets < submitter->coming ? ask->octets : submitter->coming;
	if (fresh)
		return;
	drop(&submitter->jobs, &conf->quota_jobs, 1);
	drop(&submitter->foreign, &conf->quota_recipients, ask->foreign);
}
