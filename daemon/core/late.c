/* SPDX-License-Identifier: Apache-2.0 */
/* late.c - when a mail is late, and what it says then.  Layer: core. */
#include "daemon/core/late.h"

#include "common/stamp.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#define BEGUN_MAX 16384u

enum why { WHY_UNKNOWN, WHY_DOWN, WHY_MOVED, WHY_PUT_OFF };

/* Only what is known for sure, and nothing that a server said: the notice goes to readers. */
static const char *const whys[] = {
	[WHY_UNKNOWN] = "",
	[WHY_DOWN] = " Meanwhile its mail account could not be used, or notifyd was not running.",
	[WHY_MOVED] = " The mail account that it was meant for could not be used.",
	[WHY_PUT_OFF] = " The mail server had put it off.",
};

/* When the job was meant to be sent, and when what it tells of happened. */
static nd_unix
meant(const struct queue_job *job)
{
	return job->not_before > job->created ? job->not_before : job->created;
}

static nd_unix
happened(const struct queue_job *job)
{
	return job->event_time > 0 && job->event_time < meant(job) && job->not_before <= job->created ? job->event_time
												      : meant(job);
}

static enum why
why_of(const struct queue_job *job, const struct downtime *downtime, nd_unix now)
{
	const nd_unix since = meant(job);

	if (now - since < LATE_AFTER)
		return WHY_UNKNOWN;
	if (job->reason && strncmp(job->reason, "moved", 5) == 0)
		return WHY_MOVED;
	if (2 * downtime_within(downtime, since, now) >= now - since)
		return WHY_DOWN;
	return job->attempt_count > 0 ? WHY_PUT_OFF : WHY_UNKNOWN;
}

bool
late_open(uint32_t late)
{
	return late == LATE_OPEN || late == LATE_FRESH;
}

/* Where the number of this account stands; NULL nowhere. */
static const char *
number_of(const struct queue_job *job, const char *account)
{
	const size_t len = strlen(account);
	const char *line = job->begun;

	while (line && !(strcspn(line, " ") == len && nd_str_starts_nocase(line, account))) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return line ? line + len + 1 : NULL;
}

static void
keep(struct queue_job *job)
{
	/* A doubtful one that was not begun since goes plain, as late_begin has it. */
	const uint32_t late = job->late == LATE_OPEN ? LATE_PLAIN : job->late;
	struct nd_buf lines;

	nd_buf_init(&lines, BEGUN_MAX);
	(void)nd_buf_addf(
	    &lines, "%s%s%s %u", job->begun ? job->begun : "", job->begun ? "\n" : "", job->account, (unsigned)late);
	free(job->begun);
	job->begun = nd_buf_take(&lines, NULL);
}

void
late_move(struct queue_job *job, const char *to)
{
	const char *number;

	if (job->late == LATE_NEVER)
		return;
	if (job->uncertain && job->late != LATE_FRESH && job->account[0] != '\0' && !number_of(job, job->account))
		keep(job);
	number = number_of(job, to);
	job->late = number ? (uint32_t)strtoul(number, NULL, 10) : LATE_FRESH;
}

uint32_t
late_begin(const struct queue_job *job, const struct downtime *downtime, nd_unix now)
{
	if (now - happened(job) < LATE_AFTER)
		return LATE_PLAIN;
	/* A relay may have it already, as it was when the host went down. */
	if (job->uncertain && job->late != LATE_FRESH)
		return LATE_PLAIN;
	return (uint32_t)(now / ND_MIN(1)) * LATE_FIRST + why_of(job, downtime, now);
}

bool
late_told(uint32_t late)
{
	return late >= LATE_FIRST;
}

/* "2026-11-21 08:00 UTC"; of a time on the day of `before`: "08:00 UTC". */
static void
add_time(struct nd_buf *out, nd_unix at, nd_unix before)
{
	char stamp[ND_STAMP_SIZE], day[ND_STAMP_SIZE];

	(void)nd_stamp_rfc3339(at, stamp);
	(void)nd_stamp_rfc3339(before, day);
	if (before == 0 || memcmp(stamp, day, 10) != 0)
		(void)nd_buf_addf(out, "%.10s ", stamp);
	(void)nd_buf_addf(out, "%.5s UTC", stamp + 11);
}

static void
add_span(struct nd_buf *out, nd_ms span)
{
	static const struct {
		nd_ms from, unit;
		const char *name;
	} units[] = { { ND_DAY(2), ND_DAY(1), "days" }, { ND_HOUR(2), ND_HOUR(1), "hours" },
		{ 0, ND_MIN(1), "minutes" } };
	unsigned i = 0;

	while (span < units[i].from)
		i++;
	(void)nd_buf_addf(out, "%lld %s", (long long)(span / units[i].unit), units[i].name);
}

void
late_words(const struct queue_job *job, struct nd_buf *out)
{
	/* To the minute, as all times are that it tells. */
	const nd_unix sent = (nd_unix)(job->late / LATE_FIRST) * ND_MIN(1), event = happened(job);
	const bool slow = sent - meant(job) >= LATE_AFTER - ND_MIN(1);

	(void)nd_buf_adds(out, "This message ");
	if (event < meant(job)) {
		(void)nd_buf_adds(out, "comes ");
		add_span(out, sent - event / ND_MIN(1) * ND_MIN(1));
		(void)nd_buf_adds(out, " after what it tells of: that was at ");
		add_time(out, event, 0);
		(void)nd_buf_adds(out, ", and it was accepted at ");
		add_time(out, job->created, event);
	} else {
		(void)nd_buf_adds(out, "is ");
		add_span(out, sent - event / ND_MIN(1) * ND_MIN(1));
		(void)nd_buf_adds(
		    out, job->not_before > job->created ? " late: it was to go at " : " late: it was accepted at ");
		add_time(out, event, 0);
	}
	if (slow) {
		(void)nd_buf_adds(out, " and left at ");
		add_time(out, sent, meant(job));
	}
	(void)nd_buf_addf(out, ".%s", whys[job->late % LATE_FIRST]);
}
