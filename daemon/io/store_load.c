/* SPDX-License-Identifier: Apache-2.0 */
/* store_load.c - LOAD: due jobs of an account, fair between their submitters.  Layer: io.
 *
 * The index of due jobs has a rank before the time: 0 of the severe ones, else the number of the lane that their submitter had when they came
 * (store_owner.c). So what a submitter waits with is found at once, however many of another's lie before it, and nothing else is looked at.
 */
#include "common/mem.h"
#include "daemon/core/sched.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

/* A page has room for one of each lane, whether the window asks for half of it or for the first few beside a flood. */
_Static_assert(STORE_LANES <= SCHED_RESERVE && STORE_LANES <= SCHED_JOBS / 2, "a lane could be left out of each page");

struct lane {
	int64_t rank;
	unsigned seen; /* of its first rows */
	bool rest;     /* there are more due ones that could be read */
};

struct page {
	struct store_req *req;
	size_t octets;
	struct lane lane[STORE_LANES];
	unsigned lane_count;
};

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool
skipped(const struct store_req *req, const char *id)
{
	return req->skip_count > 0 && bsearch(id, req->skip, req->skip_count, sizeof(*req->skip), compare_ids) != NULL;
}

/* Room for as many more as `lanes` lanes leave to one of them. */
static unsigned
share(const struct page *page, unsigned lanes)
{
	const struct store_req *req = page->req;
	unsigned room;

	if (req->limit == 0)
		return UINT32_MAX;
	if (req->job_count >= req->limit)
		return 0;
	room = (req->limit - req->job_count) / lanes;
	return room > 0 ? room : 1;
}

/* So much of the octets that are left, too. */
static size_t
share_octets(const struct page *page, unsigned lanes)
{
	const size_t most = page->req->limit_octets;

	if (most == 0)
		return SIZE_MAX;
	return most > page->octets ? (most - page->octets) / lanes : 0;
}

/* The due ones of a lane, behind those that were seen. Ids first: of a job that is in memory already nothing more is read. */
static int
load_lane(struct store *store, struct page *page, struct lane *lane, unsigned lanes)
{
	const unsigned most = share(page, lanes),
		       few = lane->rank > 0 && page->req->few > 0 ? page->req->few : UINT32_MAX;
	const size_t most_octets = share_octets(page, lanes);
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_JOB_DUE);
	unsigned at, taken = 0;
	size_t octets = 0;
	bool row;
	int rc;

	store_db_text(stmt, 1, page->req->account);
	store_db_int(stmt, 2, JOB_QUEUED);
	store_db_int(stmt, 3, lane->rank);
	store_db_int(stmt, 4, page->req->until);
	lane->rest = false;
	for (at = 0, rc = store_db_step(stmt, &row); row && at < few; at++, rc = store_db_step(stmt, &row)) {
		struct store_get get = { .id = (const char *)sqlite3_column_text(stmt, 0),
			.body = true,
			.seq = sqlite3_column_int64(stmt, 2) };
		size_t len = (size_t)sqlite3_column_int64(stmt, 1);

		if (at < lane->seen)
			continue;
		if (get.id == NULL || skipped(page->req, get.id)) {
			lane->seen++;
			continue;
		}
		/* One in any case: no body is larger than the window. */
		lane->rest = taken >= most || (octets + len > most_octets && page->req->job_count > 0);
		if (lane->rest)
			break;
		rc = store_read_get(store, &get);
		if (rc != SQLITE_OK)
			break;
		if (get.job != NULL)
			store_read_add(page->req, get.job);
		lane->seen++;
		taken++;
		octets += len;
	}
	(void)sqlite3_reset(stmt);
	page->octets += octets;
	return rc;
}

/* Of the ordinary jobs that are due or will be. */
static int
find_lanes(struct store *store, struct page *page)
{
	struct lane *lane = page->lane;
	sqlite3_stmt *stmt;
	int64_t rank = 0;
	bool row;
	int rc;

	do {
		stmt = store_db_stmt(store, SQL_JOB_RANK);
		store_db_text(stmt, 1, page->req->account);
		store_db_int(stmt, 2, JOB_QUEUED);
		store_db_int(stmt, 3, rank);
		rc = store_db_step(stmt, &row);
		if (!row)
			break;
		rank = sqlite3_column_int64(stmt, 0);
		(void)sqlite3_reset(stmt);
		lane[page->lane_count++] = (struct lane){ .rank = rank };
	} while (page->lane_count < STORE_LANES);
	return rc;
}

static int
next_due(struct store *store, struct store_req *req, int64_t rank)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_JOB_NEXT);
	bool row;
	int rc;

	store_db_text(stmt, 1, req->account);
	store_db_int(stmt, 2, JOB_QUEUED);
	store_db_int(stmt, 3, rank);
	store_db_int(stmt, 4, req->until);
	rc = store_db_step(stmt, &row);
	if (row && sqlite3_column_int64(stmt, 0) < req->next_due)
		req->next_due = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_reset(stmt);
	return rc;
}

/* Each lane has its part of the page; then what is left is for who has more. */
static int
load_lanes(struct store *store, struct page *page)
{
	unsigned i, lanes = page->lane_count;
	int rc = SQLITE_OK;

	for (i = 0; i < lanes && rc == SQLITE_OK; i++)
		rc = load_lane(store, page, &page->lane[i], lanes - i);
	for (i = 0; i < lanes && rc == SQLITE_OK; i++)
		if (page->lane[i].rest)
			rc = load_lane(store, page, &page->lane[i], 1);
	for (i = 0; i < lanes && rc == SQLITE_OK; i++) {
		page->req->more = page->req->more || page->lane[i].rest;
		rc = next_due(store, page->req, page->lane[i].rank);
	}
	return rc;
}

static bool
named(const char *account, const char *const *names)
{
	for (; names != NULL && *names != NULL; names++)
		if (strcmp(account, *names) == 0)
			return true;
	return false;
}

static int
load_orphans(struct store *store, struct store_req *req)
{
	static const enum job_state states[] = { JOB_QUEUED, JOB_HELD };
	unsigned limit = req->limit != 0 ? req->limit : UINT32_MAX;
	sqlite3_stmt *stmt;
	unsigned i, k;
	int rc = SQLITE_OK;

	req->next_due = ND_NEVER;
	for (i = 0; i < store->tally_count; i++) {
		if (named(store->tallies[i].account, req->names))
			continue;
		for (k = 0; k < 2 && rc == SQLITE_OK && !req->more; k++) {
			stmt = store_db_stmt(store, SQL_JOB_OF_ACCOUNT);
			store_db_text(stmt, 1, store->tallies[i].account);
			store_db_int(stmt, 2, states[k]);
			rc = store_read_collect(store, req, stmt, limit);
		}
	}
	return rc;
}

int
store_load(struct store *store, struct store_req *req)
{
	struct page page = { .req = req };
	struct lane severe = { .rank = STORE_RANK_SEVERE };
	int rc;

	if (req->orphans)
		return load_orphans(store, req);
	req->next_due = ND_NEVER;
	rc = load_lane(store, &page, &severe, 1);
	req->more = severe.rest;
	if (rc == SQLITE_OK)
		rc = next_due(store, req, severe.rank);
	if (rc == SQLITE_OK)
		rc = find_lanes(store, &page);
	return rc == SQLITE_OK ? load_lanes(store, &page) : rc;
}
