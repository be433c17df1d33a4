/* SPDX-License-Identifier: Apache-2.0 */
/* sched.c - the due jobs of one account that are in memory.  Layer: core. */
#include "daemon/core/sched.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define FEW_AGAIN ND_SEC(2) /* what found no room beside a flood is read again */
#define RESERVE_OF 8u       /* of the octets */

bool
sched_severe(const struct queue_job *job)
{
	return job->severity <= JOB_CRITICAL;
}

static bool
is_big(const struct queue_job *job)
{
	return job->body_len > SCHED_BIG_OCTETS;
}

/* For a job that is in_heap(). */
static struct sched_heap *
heap_of(struct sched *sched, const struct sched_job *job)
{
	return job->place == SCHED_WAITING ? &sched->waiting
					   : &job->owner->ready[is_big(job->job) ? SCHED_BIG : SCHED_SMALL];
}

static bool
in_heap(const struct sched_job *job)
{
	return job->place == SCHED_WAITING || job->place == SCHED_READY;
}

/* `by` one more or one less is where the job is. */
static void
count_place(struct sched *sched, const struct sched_job *job, int by)
{
	bool big = is_big(job->job);

	switch (job->place) {
	case SCHED_WAITING:
		job->owner->waiting += (unsigned)by;
		break;
	case SCHED_READY:
		sched->ready[big ? SCHED_BIG : SCHED_SMALL] += (unsigned)by;
		sched->spare += job->severe ? 0 : (unsigned)by;
		break;
	case SCHED_SENDING:
		sched->sending += (unsigned)by;
		sched->big_sending += big ? (unsigned)by : 0;
		break;
	case SCHED_SETTLING:
		sched->settling += (unsigned)by;
		break;
	}
}

static void
keep(struct sched *sched, struct sched_job *job, bool kept)
{
	sched->kept += kept;
	sched->kept -= job->kept;
	job->kept = kept;
}

/* The only function that changes a job's place. */
static void
enter(struct sched *sched, struct sched_job *job, enum sched_place place)
{
	if (in_heap(job))
		sched_heap_remove(heap_of(sched, job), job);
	keep(sched, job, false);
	count_place(sched, job, -1);
	job->place = place;
	count_place(sched, job, 1);
	if (in_heap(job))
		sched_heap_add(heap_of(sched, job), job);
}

struct queue_job *
sched_release(struct sched *sched, struct sched_job *job)
{
	struct queue_job *row = job->job;

	if (in_heap(job))
		sched_heap_remove(heap_of(sched, job), job);
	count_place(sched, job, -1);
	keep(sched, job, false);
	sched_owner_leave(&sched->owners, job->owner);
	if (job->next)
		job->next->prev = job->prev;
	if (job->prev)
		job->prev->next = job->next;
	else
		sched->all = job->next;
	sched->count--;
	sched->octets -= job->job->body ? job->job->body_len : 0;
	free(job->transcript);
	free(job);
	return row;
}

static void
drop(struct sched *sched, struct sched_job *job)
{
	queue_job_free(sched_release(sched, job));
}

void
sched_init(struct sched *sched)
{
	*sched = (struct sched){ .room = { SCHED_JOBS, SCHED_RESERVE, SCHED_FEW, SCHED_OCTETS },
		.next_due = ND_NEVER,
		.few_due = ND_NEVER };
}

size_t
sched_share(int64_t memory, unsigned windows)
{
	const int64_t each = memory / SCHED_MEMORY_PART / (windows > 0 ? (int64_t)windows : 1);

	if (each < (int64_t)SCHED_OCTETS_LEAST)
		return SCHED_OCTETS_LEAST;
	return each < (int64_t)SCHED_OCTETS ? (size_t)each : SCHED_OCTETS;
}

void
sched_done(struct sched *sched)
{
	struct sched_job *job, *next;

	for (job = sched->all; job; job = next) {
		next = job->next;
		queue_job_free(job->job);
		free(job->transcript);
		free(job);
	}
	free(sched->waiting.item);
	sched_owner_done(&sched->owners);
	sched_init(sched);
}

/* A flood leaves room to it: it is severe, or its owner has few here. What waits for another try does not keep out what is due. */
static bool
is_few(const struct sched *sched, const struct queue_job *job)
{
	return sched_severe(job) || sched_owner_due(&sched->owners, job) < sched->room.few;
}

/* What the store holds and the window does not. */
static void
remember(struct sched *sched, const struct queue_job *job, nd_unix now)
{
	if (job->due <= now)
		sched->behind = true;
	else if (job->due < sched->next_due)
		sched->next_due = job->due;
	if (job->due > now)
		sched->few_due = job->due < sched->few_due ? job->due : sched->few_due;
	else if (is_few(sched, job))
		sched_cramped(sched, now);
}

void
sched_cramped(struct sched *sched, nd_unix now)
{
	if (now + FEW_AGAIN < sched->few_due)
		sched->few_due = now + FEW_AGAIN;
}

void
sched_look(struct sched *sched)
{
	sched->behind = true;
	sched->few_due = 0;
	sched->few_after = 0;
}

/* With one part of the reserve in so many, 0 none. */
static bool
fits(const struct sched *sched, const struct queue_job *job, unsigned part)
{
	size_t jobs = sched->room.jobs, octets = sched->room.octets;

	if (part > 0) {
		jobs += sched->room.reserve / part;
		octets += sched->room.octets / RESERVE_OF / part;
	}
	/* A job alone is always taken: no body is larger than the window. */
	return sched->count < jobs && (sched->octets + (job->body ? job->body_len : 0) <= octets || sched->count == 0);
}

/* Severe jobs, and those of who has few here, find room beside a flood. */
static bool
room_for(const struct sched *sched, const struct queue_job *job)
{
	return fits(sched, job, !is_few(sched, job) ? 0 : sched_severe(job) ? 1 : 2);
}

/* The one that would leave last goes back to the store, which has it as it is: it was not tried yet. */
static bool
give_way(struct sched *sched, nd_unix now)
{
	struct sched_job *last = NULL, *job;

	for (job = sched->spare > 0 ? sched->all : NULL; job; job = job->next)
		if (job->place == SCHED_READY && !job->severe && job->job->attempt_count == 0 && !job->job->uncertain &&
		    (!last || job->due > last->due))
			last = job;
	if (!last)
		return false;
	remember(sched, last->job, now);
	drop(sched, last);
	return true;
}

/* Of the same owner, one that waits for its time: the store has it too. So nobody has more than few beside a flood. */
static void
put_away(struct sched *sched, const struct queue_job *row, nd_unix now)
{
	const struct sched_owner *owner = sched_owner_known(&sched->owners, row);
	struct sched_job *last = NULL, *job;

	if (!owner || owner->jobs < sched->room.few || owner->waiting == 0)
		return;
	for (job = sched->all; job; job = job->next)
		if (job->owner == owner && job->place == SCHED_WAITING && !job->severe &&
		    (!last || job->due > last->due))
			last = job;
	if (!last)
		return;
	remember(sched, last->job, now);
	drop(sched, last);
}

static bool
make_room(struct sched *sched, const struct queue_job *job, nd_unix now)
{
	if (!sched_severe(job) && job->due <= now && is_few(sched, job) && !fits(sched, job, 0))
		put_away(sched, job, now);
	while (!room_for(sched, job))
		if (!sched_severe(job) || !give_way(sched, now))
			return false;
	return true;
}

struct sched_job *
sched_add(struct sched *sched, struct queue_job *job, struct nd_now now)
{
	struct sched_job *entry;

	if (job->due > now.unix_ms + SCHED_HORIZON || !make_room(sched, job, now.unix_ms)) {
		remember(sched, job, now.unix_ms);
		queue_job_free(job);
		return NULL;
	}
	entry = nd_xalloc(sizeof(*entry));
	entry->job = job;
	entry->severe = sched_severe(job);
	entry->slot = -1;
	entry->wish = -1;
	entry->due = now.ms + (job->due - now.unix_ms);
	entry->next = sched->all;
	if (sched->all)
		sched->all->prev = entry;
	sched->all = entry;
	sched->count++;
	sched->octets += job->body ? job->body_len : 0;
	entry->owner = sched_owner_of(&sched->owners, job);
	entry->place = entry->due <= now.ms ? SCHED_READY : SCHED_WAITING;
	count_place(sched, entry, 1);
	sched_heap_add(heap_of(sched, entry), entry);
	return entry;
}

void
sched_ripen(struct sched *sched, nd_ms now)
{
	while (sched->waiting.count > 0 && sched->waiting.item[0]->due <= now)
		enter(sched, sched->waiting.item[0], SCHED_READY);
}

/* So many big ones more may be sent: one session is kept for the others. */
static unsigned
room_for_big(const struct sched *sched)
{
	unsigned most = sched->sessions > 1 ? sched->sessions - 1 : 1;

	return sched->big_sending < most ? most - sched->big_sending : 0;
}

size_t
sched_ready(const struct sched *sched)
{
	unsigned big = room_for_big(sched);

	return sched->ready[SCHED_SMALL] + (big < sched->ready[SCHED_BIG] ? big : sched->ready[SCHED_BIG]);
}

struct sched_job *
sched_first(const struct sched *sched)
{
	return sched_owner_next(&sched->owners, room_for_big(sched) > 0);
}

struct sched_job *
sched_take(struct sched *sched)
{
	struct sched_job *job = sched_first(sched);

	if (job) {
		sched_owner_took(&sched->owners, job->owner);
		enter(sched, job, SCHED_SENDING);
	}
	return job;
}

void
sched_back(struct sched *sched, struct sched_job *job, nd_ms due)
{
	job->due = due;
	enter(sched, job, SCHED_READY);
}

void
sched_last(struct sched *sched, struct sched_job *job, bool last)
{
	if (job->last == last)
		return;
	if (in_heap(job))
		sched_heap_remove(heap_of(sched, job), job);
	job->last = last;
	if (in_heap(job))
		sched_heap_add(heap_of(sched, job), job);
}

void
sched_settle(struct sched *sched, struct sched_job *job)
{
	enter(sched, job, SCHED_SETTLING);
}

/* Read again from the store it would stand behind a flood: severe ones, and those of who has few, wait here. */
static bool
stays(const struct sched *sched, const struct sched_job *job)
{
	return (sched_severe(job->job) || job->owner->jobs < sched->room.few) && sched->kept < sched->room.reserve &&
	       job->job->body_len <= sched->room.octets / RESERVE_OF / sched->room.reserve;
}

/* So full that of most owners nothing is read. */
static bool
full(const struct sched *sched)
{
	return sched->count > sched->room.jobs / 2 || sched->octets > sched->room.octets / 2;
}

void
sched_settled(struct sched *sched, struct sched_job *job, struct nd_now now)
{
	struct queue_job *row = job->job;
	const bool far = row->due > now.unix_ms + SCHED_HORIZON;

	if (sched->behind && job->owner->jobs - job->owner->waiting <= sched->room.few && full(sched))
		sched_cramped(sched, now.unix_ms); /* its owner may have more, behind the others' */
	if (row->state != JOB_QUEUED || (far && !stays(sched, job))) {
		if (row->state == JOB_QUEUED)
			remember(sched, row, now.unix_ms);
		drop(sched, job);
		return;
	}
	job->due = now.ms + (row->due - now.unix_ms);
	enter(sched, job, job->due <= now.ms ? SCHED_READY : SCHED_WAITING);
	keep(sched, job, far);
}

void
sched_hurry(struct sched *sched, struct nd_now now)
{
	struct sched_job *job;

	for (job = sched->all; job; job = job->next) {
		/* The wall clock went back: it takes its time along when it goes to another account. */
		if (job->place == SCHED_READY && job->job->due > now.unix_ms)
			job->job->due = now.unix_ms;
		if (job->place == SCHED_WAITING && job->job->not_before <= now.unix_ms && !queue_in_doubt(job->job)) {
			job->job->due = now.unix_ms;
			job->due = now.ms;
			enter(sched, job, SCHED_READY);
		}
	}
	sched_look(sched); /* the store's jobs are due now too */
}

void
sched_drop(struct sched *sched)
{
	struct sched_job *job, *next;

	for (job = sched->all; job; job = next) {
		next = job->next;
		if (job->place == SCHED_WAITING || job->place == SCHED_READY)
			drop(sched, job);
	}
}

struct sched_job *
sched_find(const struct sched *sched, const char *id)
{
	struct sched_job *job;

	for (job = sched->all; job; job = job->next)
		if (strcmp(job->job->id, id) == 0)
			return job;
	return NULL;
}

/* There is some, or severe ones can have that of others. */
static bool
room_for_few(const struct sched *sched)
{
	return sched->spare > 0 ||
	       (sched->count <= sched->room.jobs + sched->room.reserve / 2 && sched->octets <= sched->room.octets);
}

static nd_unix
few_due(const struct sched *sched)
{
	return sched->few_due > sched->few_after ? sched->few_due : sched->few_after;
}

bool
sched_hungry(const struct sched *sched, nd_unix now)
{
	if (sched->loading)
		return false;
	if (full(sched))
		return few_due(sched) <= now && room_for_few(sched);
	return sched->behind || sched->next_due <= now;
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

char (*sched_ids(const struct sched *sched, unsigned *count))[ND_ULID_LEN + 1]
{
	char(*ids)[ND_ULID_LEN + 1] = nd_xalloc((sched->count + 1) * sizeof(*ids));
	const struct sched_job *job;
	unsigned n = 0;

	for (job = sched->all; job; job = job->next)
		memcpy(ids[n++], job->job->id, sizeof(*ids));
	qsort(ids, n, sizeof(*ids), by_id);
	*count = n;
	return ids;
}

unsigned
sched_load(struct sched *sched)
{
	const unsigned most = sched->room.jobs + sched->room.reserve;
	const unsigned least = sched->room.reserve; /* one of each lane at least: for whom there is room is seen here */

	sched->loading = true;
	sched->few = full(sched);
	sched->few_due = ND_NEVER;
	if (sched->few)
		return sched->count + least < most ? (unsigned)(most - sched->count) : least;
	sched->behind = false;
	sched->next_due = ND_NEVER;
	return (unsigned)(sched->room.jobs - sched->count);
}

void
sched_loaded(struct sched *sched, bool more, nd_unix next_due, nd_unix now)
{
	sched->loading = false;
	sched->behind = sched->behind || more;
	if (next_due < sched->next_due)
		sched->next_due = next_due;
	if (next_due < sched->few_due) /* whose it is, only a load shows */
		sched->few_due = next_due;
	if (sched->few)
		sched->few_after = now + FEW_AGAIN;
}

nd_ms
sched_deadline(const struct sched *sched, struct nd_now now)
{
	const nd_unix due = !full(sched) ? sched->next_due : room_for_few(sched) ? few_due(sched) : ND_NEVER;
	nd_ms at = sched->waiting.count > 0 ? sched->waiting.item[0]->due : ND_NEVER;

	if (due != ND_NEVER && !sched->loading && now.ms + (due - now.unix_ms) < at)
		at = now.ms + (due - now.unix_ms);
	return at;
}
