/* SPDX-License-Identifier: Apache-2.0 */
/* store_prune.c - PRUNE: what has been kept long enough goes, a bounded number of rows at a time.  Layer: io. */
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_AT_ONCE 2000

/* Facts stay at least as long as the keys that point to them. */
static nd_ms
history_life(const struct store_req *req)
{
	return req->history > STORE_KEY_LIFE ? req->history : STORE_KEY_LIFE;
}

/* History is in the order in which jobs ended, so the walk stops at the first young row. One that ended in the future (the clock was wrong) is passed over,
 * and not met again before the next round. */
static int
prune_history(struct store *store, struct store_req *req)
{
	sqlite3_stmt *old = store_db_stmt(store, SQL_HISTORY_OLD), *stmt;
	nd_unix limit = req->until - history_life(req);
	unsigned seen = 0;
	bool row;
	int rc;

	store_db_int(old, 1, store->pruned_to);
	store_db_int(old, 2, STORE_BOUND);
	for (rc = store_db_step(old, &row); row; rc = store_db_step(old, &row)) {
		int64_t seq = sqlite3_column_int64(old, 0);
		nd_unix ended = sqlite3_column_int64(old, 1);

		if (ended > limit && ended <= req->until)
			break;
		seen++;
		store->pruned_to = seq;
		if (ended > req->until)
			continue;
		stmt = store_db_stmt(store, SQL_HISTORY_DROP);
		store_db_int(stmt, 1, seq);
		rc = store_db_run(stmt);
		if (rc != SQLITE_OK)
			break;
	}
	(void)sqlite3_reset(old);
	if (seen == STORE_BOUND)
		req->more = true;
	else
		store->pruned_to = 0;
	return rc;
}

static int
prune_keys(struct store *store, struct store_req *req)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_KEYS_OLD);
	int rc;

	store_db_int(stmt, 1, req->until - STORE_KEY_LIFE);
	store_db_int(stmt, 2, req->until + STORE_KEY_LIFE);
	store_db_int(stmt, 3, KEYS_AT_ONCE);
	rc = store_db_run(stmt);
	if (rc == SQLITE_OK && sqlite3_changes(store->db) == KEYS_AT_ONCE)
		req->more = true;
	return rc;
}

/* A failed job's message goes, its facts become history. */
static int
retire(struct store *store, struct store_req *req, const char *id, nd_unix ended)
{
	struct store_get get = { .id = id };
	struct nd_buf buf = { .limit = 0 };
	int rc = store_read_get(store, &get);

	if (rc == SQLITE_OK && get.seq != 0)
		rc = store_tale_read(store, &get);
	if (rc == SQLITE_OK && get.seq != 0) {
		struct store_facts facts = { .job = get.job,
			.attempts = get.attempts,
			.attempt_count = get.attempt_count,
			.evidences = get.evidences,
			.evidence_count = get.evidence_count };

		rc = store_row_pack(&facts, &buf) ? SQLITE_OK : SQLITE_NOMEM;
	}
	if (rc == SQLITE_OK && get.seq != 0) {
		struct store_end end = {
			.seq = get.seq,
			.packed = get.packed,
			.ended = ended,
			.job = get.job,
			.data = nd_buf_text(&buf),
			.data_len = buf.len,
		};

		rc = store_write_history(store, &end);
		if (get.job->spooled) {
			req->pruned = nd_xrealloc(req->pruned, (req->pruned_count + 1) * sizeof(*req->pruned));
			memcpy(req->pruned[req->pruned_count++].id, get.job->id, sizeof(get.job->id));
		}
	}
	nd_buf_done(&buf);
	queue_job_free(get.job);
	store_tale_free(&get);
	return rc;
}

struct kept {
	char id[ND_ULID_LEN + 1];
	nd_unix ended;
};

/* The failed jobs whose message goes now: too old, or beyond the room for them; oldest first. */
static int
choose(struct store *store, struct store_req *req, struct kept *list, unsigned *count)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_KEPT_OCTETS);
	nd_unix limit = req->until - req->keep_failed;
	int64_t octets = 0;
	bool row;
	int rc = store_db_step(stmt, &row);

	if (row)
		octets = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_reset(stmt);
	if (rc != SQLITE_OK)
		return rc;
	stmt = store_db_stmt(store, SQL_KEPT);
	store_db_int(stmt, 1, STORE_BOUND + 1);
	for (rc = store_db_step(stmt, &row); row; rc = store_db_step(stmt, &row)) {
		const char *id = (const char *)sqlite3_column_text(stmt, 0);
		nd_unix ended = sqlite3_column_int64(stmt, 1);

		if (ended > limit && (req->keep_failed_bytes < 0 || octets <= req->keep_failed_bytes))
			break;
		if (*count == STORE_BOUND) {
			req->more = true;
			break;
		}
		octets -= sqlite3_column_int64(stmt, 2);
		memcpy(list[*count].id, id, strnlen(id, ND_ULID_LEN));
		list[(*count)++].ended = ended;
	}
	(void)sqlite3_reset(stmt);
	return rc;
}

static int
prune_kept(struct store *store, struct store_req *req)
{
	struct kept *list = nd_xalloc(STORE_BOUND * sizeof(*list));
	unsigned i, count = 0;
	int rc = choose(store, req, list, &count);

	for (i = 0; i < count && rc == SQLITE_OK; i++)
		rc = retire(store, req, list[i].id, list[i].ended);
	free(list);
	return rc;
}

int
store_prune(struct store *store, struct store_req *req)
{
	int before = sqlite3_total_changes(store->db);
	int rc = prune_kept(store, req);

	if (rc == SQLITE_OK)
		rc = prune_history(store, req);
	if (rc == SQLITE_OK)
		rc = prune_keys(store, req);
	if (rc == SQLITE_OK)
		rc = store_limit_prune(store, req->until);
	/* The newest id may go with its row, and no later one may be lower. */
	if (rc == SQLITE_OK && sqlite3_total_changes(store->db) != before)
		rc = store_db_meta_put(store, "last_id", 0, store->last_id);
	return rc;
}
