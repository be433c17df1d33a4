/* SPDX-License-Identifier: Apache-2.0 */
/* intake_limit.c - is there room for one more job?  Layer: core.  Pure. */
#include "daemon/core/intake_limit.h"

#include <inttypes.h>
#include <stdio.h>

#define RESERVE 20 /* one part in so many is kept for what is severe */

static uint64_t
without_reserve(int64_t limit, bool severe)
{
	const int64_t reserve =
	    limit / RESERVE + (limit % RESERVE != 0 && limit > 1); /* of a small limit one at least */

	return (uint64_t)(severe ? limit : limit - reserve);
}

/* The free space below which nothing is taken. */
static int64_t
floor_of(const struct conf *conf, bool severe)
{
	return severe ? conf->min_free : conf->min_free + conf->min_free / RESERVE;
}

enum nd_err
intake_limit_check(
    const struct conf *conf, const struct intake_limit_load *load, uint64_t octets, bool severe, struct nd_why *why)
{
	uint64_t jobs = without_reserve(conf->max_jobs, severe), room = without_reserve(conf->max_bytes, severe);

	if (load->jobs >= jobs) {
		(void)nd_fail(why, ND_EQUEUEFULL, 0, "the queue holds %" PRIu64 " jobs, and max_jobs is %" PRId64,
		    load->jobs, conf->max_jobs);
		return nd_fail_at(
		    why, "max_jobs", 0, "see why jobs wait (notifyctl status), or raise [queue] max_jobs");
	}
	if (load->octets > room || octets > room - load->octets) {
		(void)nd_fail(why, ND_EQUEUEFULL, 0,
		    "the queue holds %" PRIu64 " octets, and with this job of %" PRIu64
		    " more than max_bytes, %" PRId64,
		    load->octets, octets, conf->max_bytes);
		return nd_fail_at(
		    why, "max_bytes", 0, "see why jobs wait (notifyctl status), or raise [queue] max_bytes");
	}
	if (load->free < 0 || conf->min_free == 0)
		return ND_OK;
	if (octets > (uint64_t)load->free || load->free - (int64_t)octets < floor_of(conf, severe)) {
		(void)nd_fail(why, ND_EDISKFULL, 0,
		    "the disk of the queue has %" PRId64 " octets free, and min_free leaves %" PRId64, load->free,
		    conf->min_free);
		return nd_fail_at(
		    why, "min_free", 0, "free space where the state directory lives, or lower [queue] min_free");
	}
	return ND_OK;
}

static bool
most_of(uint64_t used, int64_t limit)
{
	return used > (uint64_t)(limit / 5 * 4 + limit % 5 * 4 / 5);
}

static bool
warn_jobs(const struct conf *conf, const struct intake_limit_load *load, struct intake_limit_warning *out)
{
	const bool full = load->jobs >= without_reserve(conf->max_jobs, false);

	*out = (struct intake_limit_warning){ .code = full ? "queue-full" : "queue-filling",
		.hint = "see why jobs wait, or raise [queue] max_jobs" };
	(void)snprintf(out->detail, sizeof(out->detail),
	    full ? "the queue holds %" PRIu64 " jobs and is full, but for severe ones: max_jobs is %" PRId64
		 : "the queue holds %" PRIu64 " jobs, more than 80 %% of max_jobs, %" PRId64,
	    load->jobs, conf->max_jobs);
	return most_of(load->jobs, conf->max_jobs);
}

static bool
warn_octets(const struct conf *conf, const struct intake_limit_load *load, struct intake_limit_warning *out)
{
	const bool full = load->octets >= without_reserve(conf->max_bytes, false);

	*out = (struct intake_limit_warning){ .code = full ? "queue-full" : "queue-filling",
		.hint = "see why jobs wait, or raise [queue] max_bytes" };
	(void)snprintf(out->detail, sizeof(out->detail),
	    full ? "the queue holds %" PRIu64 " octets and is full, but for severe jobs: max_bytes is %" PRId64
		 : "the queue holds %" PRIu64 " octets, more than 80 %% of max_bytes, %" PRId64,
	    load->octets, conf->max_bytes);
	return most_of(load->octets, conf->max_bytes);
}

/* Near its floor when the floor is more than 80 % of what is free. */
static bool
warn_free(const struct conf *conf, const struct intake_limit_load *load, struct intake_limit_warning *out)
{
	const bool full = load->free >= 0 && load->free < floor_of(conf, false);

	*out = (struct intake_limit_warning){ .code = full ? "disk-full" : "disk-filling",
		.hint = "free space where the state directory lives" };
	(void)snprintf(out->detail, sizeof(out->detail),
	    full ? "the disk of the queue has %" PRId64 " octets free; with min_free = %" PRId64 " jobs are refused"
		 : "the disk of the queue has %" PRId64 " octets free; below min_free, %" PRId64 ", no job is accepted",
	    load->free, conf->min_free);
	return load->free >= 0 && conf->min_free > 0 && most_of((uint64_t)conf->min_free, load->free);
}

bool
intake_limit_warning(
    const struct conf *conf, const struct intake_limit_load *load, unsigned n, struct intake_limit_warning *out)
{
	typedef bool warn_fn(const struct conf *, const struct intake_limit_load *, struct intake_limit_warning *);
	static warn_fn *const all[] = { warn_jobs, warn_octets, warn_free };

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i](conf, load, out) && n-- == 0)
			return true;
	return false;
}
