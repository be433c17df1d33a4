/* SPDX-License-Identifier: Apache-2.0 */
/* store_owner.c - how much of the queue is whose: read once at start, then kept.  Layer: io.
 *
 * A submitter is a uid and a unit. The table `owner` has a row for each that has unfinished jobs; it is written in the commit that changes it, so that
 * a start need not look at every job. Other threads may ask: the nodes have a lock of their own, held for moments only.
 *
 * Each has a lane, in which its jobs are found without those of others (job.rank): one of its own while there are no more submitters than lanes,
 * else with those that have least. It keeps it until its last job is done.
 */
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

struct store_owner {
	struct store_owner *next;    /* in its chain */
	struct store_owner *changed; /* by the transaction that runs */
	uint32_t uid;
	char *unit;                       /* "" none */
	unsigned lane;                    /* rank - STORE_RANK_FIRST */
	int64_t jobs, octets;             /* committed */
	int64_t jobs_delta, octets_delta; /* of the transaction that runs */
	bool listed;                      /* among the changed */
};

static void
must(int failed)
{
	if (failed)
		abort();
}

/* FNV-1a. */
static unsigned
chain_of(uint32_t uid, const char *unit)
{
	uint32_t hash = 2166136261u ^ uid;

	for (; *unit != '\0'; unit++)
		hash = (hash ^ (unsigned char)*unit) * 16777619u;
	return (hash ^ hash >> 16) % STORE_OWNER_CHAINS;
}

/* From here on in its chain. */
static struct store_owner *
find(struct store_owner *owner, uint32_t uid, const char *unit)
{
	while (owner != NULL && (owner->uid != uid || strcmp(owner->unit, unit) != 0))
		owner = owner->next;
	return owner;
}

/* Of those with the fewest jobs the one with the fewest owners. */
static unsigned
emptiest(const struct store *store)
{
	unsigned i, best = 0;

	for (i = 1; i < STORE_LANES; i++)
		if (store->lane_jobs[i] < store->lane_jobs[best] ||
		    (store->lane_jobs[i] == store->lane_jobs[best] && store->lane_owners[i] < store->lane_owners[best]))
			best = i;
	return best;
}

static struct store_owner *
make(struct store *store, uint32_t uid, const char *unit, unsigned lane)
{
	struct store_owner **chain = &store->owners[chain_of(uid, unit)], *owner = nd_xalloc(sizeof(*owner));

	owner->uid = uid;
	owner->unit = nd_xstrdup(unit);
	owner->lane = lane;
	store->lane_owners[lane]++;
	owner->next = *chain;
	*chain = owner;
	return owner;
}

static void
drop(struct store *store, struct store_owner *owner)
{
	struct store_owner **at = &store->owners[chain_of(owner->uid, owner->unit)];

	while (*at != owner)
		at = &(*at)->next;
	*at = owner->next;
	store->lane_owners[owner->lane]--;
	free(owner->unit);
	free(owner);
}

int
store_owner_move(struct store *store, const struct store_move *move, int by)
{
	const char *unit = move->unit != NULL ? move->unit : "";
	struct store_owner *owner;
	int rank;

	must(pthread_mutex_lock(&store->owner_lock));
	owner = find(store->owners[chain_of(move->uid, unit)], move->uid, unit);
	if (owner == NULL)
		owner = make(store, move->uid, unit, emptiest(store));
	rank = STORE_RANK_FIRST + (int)owner->lane;
	owner->jobs_delta += by;
	owner->octets_delta += by * move->octets;
	if (!owner->listed) {
		owner->listed = true;
		owner->changed = store->owners_changed;
		store->owners_changed = owner;
	}
	must(pthread_mutex_unlock(&store->owner_lock));
	return rank;
}

int
store_owner_write(struct store *store)
{
	const struct store_owner *owner;
	sqlite3_stmt *stmt;
	int rc = SQLITE_OK;

	for (owner = store->owners_changed; owner != NULL && rc == SQLITE_OK; owner = owner->changed) {
		int64_t jobs = owner->jobs + owner->jobs_delta;

		if (owner->jobs_delta == 0 && owner->octets_delta == 0)
			continue;
		stmt = store_db_stmt(store, jobs > 0 ? SQL_OWNER_PUT : SQL_OWNER_DROP);
		store_db_int(stmt, 1, owner->uid);
		store_db_text(stmt, 2, owner->unit);
		if (jobs > 0) {
			store_db_int(stmt, 3, jobs);
			store_db_int(stmt, 4, owner->octets + owner->octets_delta);
			store_db_int(stmt, 5, STORE_RANK_FIRST + (int64_t)owner->lane);
		}
		rc = store_db_run(stmt);
	}
	return rc;
}

/* After the transaction: its changes count, or never were. */
static void
close_changes(struct store *store, bool count)
{
	struct store_owner *owner, *next;

	must(pthread_mutex_lock(&store->owner_lock));
	for (owner = store->owners_changed; owner != NULL; owner = next) {
		next = owner->changed;
		if (count) {
			owner->jobs += owner->jobs_delta;
			owner->octets += owner->octets_delta;
			store->lane_jobs[owner->lane] += owner->jobs_delta;
			store->owned.jobs += (uint64_t)owner->jobs_delta;
			store->owned.octets += (uint64_t)owner->octets_delta;
		}
		owner->jobs_delta = owner->octets_delta = 0;
		owner->changed = NULL;
		owner->listed = false;
		if (owner->jobs <= 0)
			drop(store, owner);
	}
	store->owners_changed = NULL;
	must(pthread_mutex_unlock(&store->owner_lock));
}

void
store_owner_keep(struct store *store)
{
	close_changes(store, true);
}

void
store_owner_forget(struct store *store)
{
	close_changes(store, false);
}

struct store_size
store_size(struct store *store)
{
	struct store_size size;

	must(pthread_mutex_lock(&store->owner_lock));
	size = store->owned;
	must(pthread_mutex_unlock(&store->owner_lock));
	return size;
}

struct store_size
store_size_of(struct store *store, uint32_t uid, const char *unit)
{
	struct store_size size = { 0, 0 };
	const struct store_owner *owner;

	must(pthread_mutex_lock(&store->owner_lock));
	unit = unit != NULL ? unit : "";
	owner = find(store->owners[chain_of(uid, unit)], uid, unit);
	if (owner != NULL)
		size = (struct store_size){ (uint64_t)owner->jobs, (uint64_t)owner->octets };
	must(pthread_mutex_unlock(&store->owner_lock));
	return size;
}

int
store_owner_open(struct store *store)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_OWNERS);
	bool row;
	int rc;

	for (rc = store_db_step(stmt, &row); row; rc = store_db_step(stmt, &row)) {
		const char *unit = (const char *)sqlite3_column_text(stmt, 1);
		const unsigned lane = (unsigned)(sqlite3_column_int64(stmt, 4) - STORE_RANK_FIRST) % STORE_LANES;
		struct store_owner *owner;

		owner = make(store, (uint32_t)sqlite3_column_int64(stmt, 0), unit != NULL ? unit : "", lane);
		owner->jobs = sqlite3_column_int64(stmt, 2);
		owner->octets = sqlite3_column_int64(stmt, 3);
		store->lane_jobs[lane] += owner->jobs;
		store->owned.jobs += (uint64_t)owner->jobs;
		store->owned.octets += (uint64_t)owner->octets;
	}
	return rc;
}

void
store_owner_close(struct store *store)
{
	unsigned i;

	for (i = 0; i < STORE_OWNER_CHAINS; i++)
		while (store->owners[i] != NULL)
			drop(store, store->owners[i]); /* NOLINT(clang-analyzer-unix.Malloc): it leaves the chain */
}
