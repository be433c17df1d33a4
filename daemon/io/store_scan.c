/* SPDX-License-Identifier: Apache-2.0 */
/* store_scan.c - LIST, and SHOW by the end of an id: reads of unknown length.  Layer: io.
 *
 * They walk down the ids of queue and history together, newest first, and stop after a slice of time: what is to be written then goes first. A job that
 * goes from queue to history meanwhile keeps its id, so it is met once.
 */
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

#define BEFORE_ALL "~" /* above every id */
#define LOOK_AT_CLOCK 64u

bool
store_scan_needed(const struct store_req *req)
{
	return req->op == STORE_LIST || req->op == STORE_BACKUP ||
	       ((req->op == STORE_SHOW || req->op == STORE_BODY) && req->tail);
}

struct store_scan *
store_scan_new(struct store_req *req)
{
	struct store_scan *scan = nd_xalloc(sizeof(*scan));
	const char *below = req->op == STORE_LIST && req->filter.before[0] ? req->filter.before : BEFORE_ALL;

	scan->req = req;
	memcpy(scan->below, below, strlen(below) + 1);
	return scan;
}

static bool
ends_in(const char *id, const char *tail)
{
	size_t len = strlen(id), end = strlen(tail);

	return end <= len && memcmp(id + len - end, tail, end) == 0;
}

static size_t
weight(const struct queue_job *job)
{
	size_t octets = sizeof(*job) + (job->facts != NULL ? strlen(job->facts) : 0);
	unsigned i;

	for (i = 0; i < job->rcpt_count; i++)
		octets += sizeof(job->rcpts[i]) + 64 + (job->rcpts[i].text != NULL ? strlen(job->rcpts[i].text) : 0);
	return octets;
}

static int
list_one(struct store *store, struct store_scan *scan, const char *id)
{
	struct store_req *req = scan->req;
	struct store_get get = { .id = id };
	size_t most = req->limit_octets != 0 ? req->limit_octets : STORE_LIST_OCTETS;
	int rc;

	if (!ends_in(id, req->filter.tail))
		return SQLITE_OK;
	rc = store_read_get(store, &get);
	store_tale_free(&get);
	if (rc != SQLITE_OK || get.job == NULL)
		return rc;
	if (!queue_fits(get.job, &req->filter)) {
		queue_job_free(get.job);
		return SQLITE_OK;
	}
	if ((req->limit != 0 && req->job_count >= req->limit) || scan->octets > most) {
		queue_job_free(get.job);
		req->more = scan->finished = true;
		return SQLITE_OK;
	}
	scan->octets += weight(get.job);
	store_read_add(req, get.job);
	return SQLITE_OK;
}

static void
match_one(struct store_scan *scan, const char *id)
{
	struct store_req *req = scan->req;

	if (!ends_in(id, req->id))
		return;
	if (scan->match[0] != '\0') {
		req->err = nd_fail(
		    &req->why, ND_EAMBIGUOUS, 0, "more than one job ends in %s: %s and %s", req->id, scan->match, id);
		scan->finished = true;
		return;
	}
	memcpy(scan->match, id, ND_ULID_LEN + 1);
}

/* All ids were seen. */
static int
conclude(struct store *store, struct store_scan *scan)
{
	struct store_req *req = scan->req;

	scan->finished = true;
	if (req->op == STORE_LIST)
		return SQLITE_OK;
	if (scan->match[0] == '\0') {
		req->err = nd_fail(&req->why, ND_ENOTFOUND, 0, "no job ends in %s", req->id);
		return SQLITE_OK;
	}
	memcpy(req->id, scan->match, sizeof(req->id));
	return store_read_show(store, req);
}

struct walk {
	sqlite3_stmt *stmt;
	bool row;
};

static int
start(struct store *store, struct walk *walk, enum store_sql which, const char *below)
{
	walk->stmt = store_db_stmt(store, which);
	store_db_text(walk->stmt, 1, below);
	return store_db_step(walk->stmt, &walk->row);
}

/* The higher of the two next ids, copied; then that walk goes on. false: both are at their end. */
static bool
next(struct walk walks[2], char id[ND_ULID_LEN + 1], int *rc)
{
	const char *ids[2] = { NULL, NULL };
	int i, which;

	for (i = 0; i < 2; i++)
		if (walks[i].row)
			ids[i] = (const char *)sqlite3_column_text(walks[i].stmt, 0);
	if (ids[0] == NULL && ids[1] == NULL)
		return false;
	which = ids[0] == NULL || (ids[1] != NULL && strcmp(ids[1], ids[0]) > 0);
	memcpy(id, ids[which], strnlen(ids[which], ND_ULID_LEN));
	id[ND_ULID_LEN] = '\0';
	*rc = store_db_step(walks[which].stmt, &walks[which].row);
	return *rc == SQLITE_OK;
}

int
store_scan_slice(struct store *store, struct store_scan *scan)
{
	struct walk walks[2] = { { .row = false }, { .row = false } };
	nd_ms end = store_ms() + STORE_SLICE;
	char below[ND_ULID_LEN + 1];
	unsigned seen = 0;
	int rc;

	memcpy(below, scan->below, sizeof(below)); /* bound to the statements while the scan moves on */
	rc = start(store, &walks[0], SQL_JOB_IDS, below);
	if (rc == SQLITE_OK)
		rc = start(store, &walks[1], SQL_HISTORY_IDS, below);
	while (rc == SQLITE_OK && !scan->finished) {
		if (!next(walks, scan->below, &rc)) {
			if (rc == SQLITE_OK)
				rc = conclude(store, scan);
			break;
		}
		if (scan->req->op == STORE_LIST)
			rc = list_one(store, scan, scan->below);
		else
			match_one(scan, scan->below);
		if (++seen % LOOK_AT_CLOCK == 0 && store_ms() >= end)
			break;
	}
	(void)store_db_stmt(store, SQL_JOB_IDS);
	(void)store_db_stmt(store, SQL_HISTORY_IDS);
	return rc;
}
