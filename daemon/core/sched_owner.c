/* SPDX-License-Identifier: Apache-2.0 */
/* sched_owner.c - who submitted the jobs of a window, and whose turn it is.  Layer: core. */
#include "daemon/core/sched_owner.h"

#include "common/mem.h"
#include "daemon/core/sched.h"

#include <stdlib.h>
#include <string.h>

static bool
is(const struct sched_owner *owner, const struct queue_job *job)
{
	if (owner->uid != job->uid || (owner->unit == NULL) != (job->unit == NULL))
		return false;
	return !owner->unit || strcmp(owner->unit, job->unit) == 0;
}

static void
free_owner(struct sched_owner *owner)
{
	free(owner->unit);
	free(owner->ready[SCHED_SMALL].item);
	free(owner->ready[SCHED_BIG].item);
	free(owner);
}

void
sched_owner_done(struct sched_owners *owners)
{
	struct sched_owner *owner, *next;

	for (owner = owners->first; owner; owner = next) {
		next = owner->next;
		free_owner(owner);
	}
	*owners = (struct sched_owners){ 0 };
}

/* The one who was asked for last stands in front. */
static struct sched_owner *
find(struct sched_owners *owners, const struct queue_job *job)
{
	struct sched_owner **at = &owners->first, *owner;

	while (*at && !is(*at, job))
		at = &(*at)->next;
	owner = *at;
	if (!owner)
		return NULL;
	*at = owner->next;
	owner->next = owners->first;
	owners->first = owner;
	return owner;
}

struct sched_owner *
sched_owner_of(struct sched_owners *owners, const struct queue_job *job)
{
	struct sched_owner *owner = find(owners, job);

	if (!owner) {
		owner = nd_xalloc(sizeof(*owner));
		owner->uid = job->uid;
		owner->unit = nd_xstrdup(job->unit);
		owner->turn = owners->turn;
		owner->ready[SCHED_SMALL].ready = owner->ready[SCHED_BIG].ready = true;
		owner->next = owners->first;
		owners->first = owner;
	}
	owner->jobs++;
	return owner;
}

void
sched_owner_leave(struct sched_owners *owners, struct sched_owner *owner)
{
	struct sched_owner **at = &owners->first;

	if (--owner->jobs > 0)
		return;
	while (*at != owner)
		at = &(*at)->next;
	*at = owner->next;
	free_owner(owner);
}

const struct sched_owner *
sched_owner_known(const struct sched_owners *owners, const struct queue_job *job)
{
	const struct sched_owner *owner = owners->first;

	while (owner && !is(owner, job))
		owner = owner->next;
	return owner;
}

unsigned
sched_owner_due(const struct sched_owners *owners, const struct queue_job *job)
{
	const struct sched_owner *owner = sched_owner_known(owners, job);

	return owner ? owner->jobs - owner->waiting : 0;
}

static struct sched_job *
head(const struct sched_owner *owner, bool big)
{
	struct sched_job *a = sched_heap_first(&owner->ready[SCHED_SMALL]);
	struct sched_job *b = big ? sched_heap_first(&owner->ready[SCHED_BIG]) : NULL;

	return !a || (b && sched_heap_before(b, a, true)) ? b : a;
}

/* Of all owners those that may be bad themselves last, severe ones first, then by turns, then as within one owner. */
static bool
goes_before(const struct sched_job *a, const struct sched_job *b)
{
	if (a->last != b->last)
		return b->last;
	if (a->severe != b->severe)
		return a->severe;
	if (a->owner->turn != b->owner->turn)
		return a->owner->turn < b->owner->turn;
	return sched_heap_before(a, b, true);
}

struct sched_job *
sched_owner_next(const struct sched_owners *owners, bool big)
{
	const struct sched_owner *owner;
	struct sched_job *best = NULL, *job;

	for (owner = owners->first; owner; owner = owner->next) {
		job = head(owner, big);
		if (job && (!best || goes_before(job, best)))
			best = job;
	}
	return best;
}

void
sched_owner_took(struct sched_owners *owners, struct sched_owner *owner)
{
	if (owner->turn > owners->turn)
		owners->turn = owner->turn;
	owner->turn = owners->turn + 1;
}

void
sched_owner_returned(const struct sched_owners *owners, struct sched_owner *owner)
{
	owner->turn = owners->turn;
}
