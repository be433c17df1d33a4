/* SPDX-License-Identifier: Apache-2.0 */
/* store_read.c - SHOW BODY TOTALS EXPIRE: reads that an index answers at once.  Layer: io. */
#include "common/mem.h"
#include "daemon/core/ending.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

void
store_read_add(struct store_req *req, struct queue_job *job)
{
	unsigned room = 8;

	/* Room in powers of two, from 8 on. */
	if (req->job_count == 0 || (req->job_count >= room && (req->job_count & (req->job_count - 1)) == 0)) {
		room = req->job_count == 0 ? room : 2 * req->job_count;
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers it is */
		req->jobs = nd_xrealloc(req->jobs, room * sizeof(*req->jobs));
	}
	req->jobs[req->job_count++] = job;
}

void
store_read_forget(struct store_req *req)
{
	unsigned i;

	for (i = 0; req->jobs != NULL && i < req->job_count; i++)
		queue_job_free(req->jobs[i]);
	free(req->jobs);
	queue_job_free(req->found);
	queue_tale_free(req);
	for (i = 0; req->counts != NULL && i < req->count_count; i++)
		free(req->counts[i].account);
	free(req->counts);
	free(req->pruned);
	req->jobs = NULL;
	req->found = NULL;
	req->counts = NULL;
	req->pruned = NULL;
	req->job_count = req->count_count = req->pruned_count = 0;
	req->more = req->duplicate = false;
	req->err = ND_OK;
}

/* -- one job -- */

static int
get_history(struct store *store, struct store_get *get)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_HISTORY);
	bool row;
	int rc;

	store_db_text(stmt, 1, get->id);
	rc = store_db_step(stmt, &row);
	if (row)
		rc = store_row_history(stmt, get);
	(void)sqlite3_reset(stmt);
	return rc;
}

int
store_read_get(struct store *store, struct store_get *get)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_JOB);
	bool row;
	int rc;

	store_db_text(stmt, 1, get->id);
	store_db_int(stmt, 2, get->body);
	if (get->seq != 0)
		store_db_int(stmt, 3, get->seq);
	else
		(void)sqlite3_bind_null(stmt, 3);
	get->seq = 0;
	rc = store_db_step(stmt, &row);
	if (rc == SQLITE_OK && !row)
		return get_history(store, get);
	if (row) {
		get->seq = sqlite3_column_int64(stmt, ROW_SEQ);
		get->packed = sqlite3_column_type(stmt, ROW_RCPTS) != SQLITE_NULL;
		rc = store_row_job(store, stmt, &get->job);
		(void)sqlite3_reset(stmt);
	}
	return rc;
}

int
store_read_show(struct store *store, struct store_req *req)
{
	struct store_get get = { .id = req->id, .body = req->op == STORE_BODY };
	int rc = store_read_get(store, &get);

	if (rc == SQLITE_OK && get.seq != 0 && req->op == STORE_SHOW)
		rc = store_tale_read(store, &get);
	req->found = get.job;
	req->attempts = get.attempts;
	req->attempt_count = get.attempt_count;
	req->evidences = get.evidences;
	req->evidence_count = get.evidence_count;
	req->found_transcript = get.transcript;
	if (rc != SQLITE_OK)
		return rc;
	if (get.job == NULL) {
		req->err = nd_fail(&req->why, ND_ENOTFOUND, 0, "there is no job %s", req->id);
	} else if (req->op == STORE_BODY && get.seq == 0) {
		store_read_forget(req);
		req->err =
		    nd_fail(&req->why, ND_EBODYGONE, 0, "job %s is done: its message is kept no longer", req->id);
	}
	return SQLITE_OK;
}

int
store_read_collect(struct store *store, struct store_req *req, sqlite3_stmt *stmt, unsigned limit)
{
	bool row;
	int rc;

	for (rc = store_db_step(stmt, &row); row; rc = store_db_step(stmt, &row)) {
		struct queue_job *job = NULL;

		req->more = req->job_count >= limit;
		if (req->more)
			break;
		rc = store_row_job(store, stmt, &job);
		if (rc != SQLITE_OK)
			break;
		store_read_add(req, job);
	}
	(void)sqlite3_reset(stmt);
	return rc;
}

/* -- TOTALS -- */

static void
add_count(struct store_req *req, const struct store_tally *tally)
{
	int64_t queued = tally->queued + tally->queued_delta, held = tally->held + tally->held_delta;

	req->totals[JOB_QUEUED] += (uint64_t)queued;
	req->totals[JOB_HELD] += (uint64_t)held;
	/* How much other people's accounts have to do is the operator's to see. */
	if (req->filter.own || (queued == 0 && held == 0))
		return;
	req->counts[req->count_count++] = (struct store_account_count){
		.account = nd_xstrdup(tally->account),
		.queued = (uint64_t)queued,
		.held = (uint64_t)held,
	};
}

int
store_read_totals(struct store *store, struct store_req *req)
{
	const char *last = strcmp(store->new_last_id, store->last_id) > 0 ? store->new_last_id : store->last_id;
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_JOB_OLDEST);
	unsigned i;
	bool row;
	int rc;

	for (i = 0; i < JOB_STATE_COUNT; i++)
		req->totals[i] = store->totals[i] + store->totals_delta[i];
	req->totals[JOB_QUEUED] = req->totals[JOB_HELD] = 0;
	req->counts = nd_xalloc((store->tally_count + 1) * sizeof(*req->counts));
	for (i = 0; i < store->tally_count; i++)
		add_count(req, &store->tallies[i]);
	req->octets = store_size(store).octets;
	memcpy(req->last_id, last, sizeof(req->last_id));
	store_db_int(stmt, 1, JOB_QUEUED);
	rc = store_db_step(stmt, &row);
	req->oldest = row ? sqlite3_column_int64(stmt, 0) : 0;
	(void)sqlite3_reset(stmt);
	return rc;
}

/* -- EXPIRE -- */

/* The lowest id of a millisecond: an id is 10 characters of time, then 16 of chance. */
static void
first_id(nd_unix at, char out[ND_ULID_LEN + 1])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	int i;

	memset(out, '0', ND_ULID_LEN);
	out[ND_ULID_LEN] = '\0';
	for (i = 9; i >= 0; i--, at >>= 5)
		out[i] = digits[at & 31];
}

/* Jobs of before `oldest`: all of them, or those of one account that have no time of their own. */
static int
collect_aged(struct store *store, struct store_req *req, nd_unix oldest, unsigned limit)
{
	static const enum job_state states[] = { JOB_QUEUED, JOB_HELD };
	char below[ND_ULID_LEN + 1];
	sqlite3_stmt *stmt;
	int i, rc = SQLITE_OK;

	/* An id's time is never before its job's acceptance, so these are few more than enough. */
	first_id(oldest + 1, below);
	for (i = 0; i < 2 && rc == SQLITE_OK && !req->more; i++) {
		stmt = store_db_stmt(store, req->account ? SQL_JOB_AGED_OF : SQL_JOB_AGED);
		store_db_int(stmt, 1, states[i]);
		store_db_text(stmt, 2, below);
		store_db_int(stmt, 3, oldest);
		if (req->account)
			store_db_text(stmt, 4, req->account);
		else
			store_db_int(stmt, 4, req->until);
		rc = store_read_collect(store, req, stmt, limit);
	}
	return rc;
}

int
store_read_expire(struct store *store, struct store_req *req)
{
	unsigned limit = req->limit != 0 && req->limit < STORE_BOUND ? req->limit : STORE_BOUND;
	nd_unix oldest = req->until - req->max_age;
	sqlite3_stmt *stmt;
	int rc = SQLITE_OK;

	if (!req->account) {
		stmt = store_db_stmt(store, SQL_JOB_EXPIRES);
		store_db_int(stmt, 1, req->until);
		store_db_int(stmt, 2, JOB_QUEUED);
		store_db_int(stmt, 3, JOB_HELD);
		rc = store_read_collect(store, req, stmt, limit);
	}
	if (rc != SQLITE_OK || req->max_age <= 0 || oldest < 0)
		return rc;
	return collect_aged(store, req, oldest, limit);
}

/* -- ENDING -- */

static struct store_account_count *
count_of(struct store_req *req, const char *account)
{
	unsigned i = 0;

	while (i < req->count_count && strcmp(req->counts[i].account, account) != 0)
		i++;
	if (i == req->count_count) {
		req->counts = nd_xrealloc(req->counts, (i + 1) * sizeof(*req->counts));
		req->counts[req->count_count++] = (struct store_account_count){ .account = nd_xstrdup(account) };
	}
	return &req->counts[i];
}

static void
add_near(struct store_account_count *count, bool held, nd_unix end)
{
	count->near++;
	count->near_held += held;
	if (count->near_first == 0 || end < count->near_first)
		count->near_first = end;
}

/* Of its own end: it has been tried in vain for long, or is held. */
static bool
near(const struct store_req *req, sqlite3_stmt *stmt)
{
	return (sqlite3_column_int(stmt, 2) == JOB_HELD || sqlite3_column_int64(stmt, 4) > 0) &&
	       ending_near(sqlite3_column_int64(stmt, 3), sqlite3_column_int64(stmt, 1), req->until - req->wait);
}

/* The soonest ones, row by row: a sum over all of them would be of a million, and the reader only wants to know that there are some. */
static int
add_endings(struct store_req *req, sqlite3_stmt *stmt, nd_ms after)
{
	bool row;
	int rc;

	for (rc = store_db_step(stmt, &row); row; rc = store_db_step(stmt, &row)) {
		struct store_account_count *count = count_of(req, (const char *)sqlite3_column_text(stmt, 0));
		nd_unix first = sqlite3_column_int64(stmt, 1) + after;

		count->first = count->queued == 0 || first < count->first ? first : count->first;
		count->queued++;
		if (after != 0 || near(req, stmt))
			add_near(count, sqlite3_column_int(stmt, 2) == JOB_HELD, first);
	}
	return rc;
}

/* Those of one account that have no time of their own. */
static int
add_old(struct store *store, struct store_req *req, const struct store_old *old, enum job_state state)
{
	const nd_unix aged = req->max_age > 0 ? req->until - req->max_age : -1;
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_ENDING_OLD);
	char below[ND_ULID_LEN + 1];
	bool row;
	int rc;

	first_id(old->from + 1, below);
	store_db_int(stmt, 1, state);
	store_db_text(stmt, 2, below);
	store_db_int(stmt, 3, old->from);
	store_db_text(stmt, 4, old->account);
	store_db_int(stmt, 5, aged);
	store_db_int(stmt, 6, STORE_ENDINGS);
	for (rc = store_db_step(stmt, &row); row; rc = store_db_step(stmt, &row)) {
		struct store_account_count *count = count_of(req, old->account);
		const nd_unix from = sqlite3_column_int64(stmt, 0);

		count->near++;
		count->near_held += state == JOB_HELD;
		if (count->oldest == 0 || from < count->oldest)
			count->oldest = from;
	}
	return rc;
}

int
store_read_ending(struct store *store, struct store_req *req)
{
	static const enum job_state states[] = { JOB_QUEUED, JOB_HELD };
	const nd_unix oldest = req->until - req->max_age;
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_ENDING_OWN);
	char below[ND_ULID_LEN + 1];
	int rc;

	store_db_int(stmt, 1, req->until);
	store_db_int(stmt, 2, JOB_QUEUED);
	store_db_int(stmt, 3, JOB_HELD);
	store_db_int(stmt, 4, STORE_ENDINGS);
	rc = add_endings(req, stmt, 0);
	for (unsigned i = 0; i < 2 * req->old_count && rc == SQLITE_OK; i++)
		if (req->olds[i / 2].from > 0)
			rc = add_old(store, req, &req->olds[i / 2], states[i % 2]);
	if (req->max_age <= 0 || oldest < 0)
		return rc;
	first_id(oldest + 1, below);
	for (unsigned i = 0; i < 2 && rc == SQLITE_OK; i++) {
		stmt = store_db_stmt(store, SQL_ENDING_AGED);
		store_db_int(stmt, 1, states[i]);
		store_db_text(stmt, 2, below);
		store_db_int(stmt, 3, oldest);
		store_db_int(stmt, 4, req->until);
		store_db_int(stmt, 5, STORE_ENDINGS);
		rc = add_endings(req, stmt, req->max_age);
	}
	return rc;
}
