/* SPDX-License-Identifier: Apache-2.0 */
/* store_tale.c - the attempts of a job, their evidence and the last transcript: what is told of it.  Layer: io.
 *
 * Most jobs pass at once and never have any of it: they pay nothing for it.
 */
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

/* Any job of an earlier run may have been tried. */
int
store_tale_open(struct store *store)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_ATTEMPT_JOB);
	bool row;
	int rc = store_db_step(stmt, &row);

	if (row)
		store->tried_before = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_reset(stmt);
	return rc;
}

static void
note_tried(struct store *store, int64_t seq)
{
	uint64_t bit = (uint64_t)seq % STORE_TRIED_BITS;

	store->tried[bit / 64] |= UINT64_C(1) << (bit % 64);
}

bool
store_tale_any(const struct store *store, int64_t seq)
{
	uint64_t bit = (uint64_t)seq % STORE_TRIED_BITS;

	return seq <= store->tried_before || (store->tried[bit / 64] >> (bit % 64) & 1) != 0;
}

/* Its place in the table is not its n: that starts again when a job is retried by hand. */
static int
put_attempt(struct store *store, const struct queue_attempt *attempt, int64_t seq)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_ATTEMPT_LAST);
	int64_t place = 0;
	bool row;
	int rc;

	store_db_int(stmt, 1, seq);
	rc = store_db_step(stmt, &row);
	if (row)
		place = sqlite3_column_int64(stmt, 0) + 1;
	(void)sqlite3_reset(stmt);
	if (rc != SQLITE_OK)
		return rc;
	note_tried(store, seq);
	stmt = store_db_stmt(store, SQL_ATTEMPT_PUT);
	store_db_int(stmt, 1, seq);
	store_db_int(stmt, 2, place);
	store_db_int(stmt, 3, attempt->n);
	store_db_text(stmt, 4, attempt->account);
	store_db_text(stmt, 5, attempt->relay);
	store_db_text(stmt, 6, attempt->session);
	store_db_int(stmt, 7, attempt->start);
	store_db_int(stmt, 8, attempt->end);
	store_db_text(stmt, 9, attempt->stage);
	store_db_text(stmt, 10, attempt->verdict);
	store_db_int(stmt, 11, attempt->code);
	store_db_text(stmt, 12, attempt->enhanced);
	store_db_text(stmt, 13, attempt->text);
	rc = store_db_run(stmt);
	if (rc != SQLITE_OK || place <= STORE_ATTEMPTS_KEPT)
		return rc;
	stmt = store_db_stmt(store, SQL_ATTEMPT_TRIM);
	store_db_int(stmt, 1, seq);
	store_db_int(stmt, 2, place - STORE_ATTEMPTS_KEPT);
	return store_db_run(stmt);
}

static int
put_evidence(struct store *store, const struct queue_evidence *evidence, int64_t seq)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_EVIDENCE_PUT);

	store_db_int(stmt, 1, seq);
	store_db_int(stmt, 2, evidence->at);
	store_db_text(stmt, 3, evidence->sha256);
	store_db_int(stmt, 4, (int64_t)evidence->octets);
	store_db_text(stmt, 5, evidence->tls);
	store_db_text(stmt, 6, evidence->account);
	store_db_text(stmt, 7, evidence->relay);
	return store_db_run(stmt);
}

static int
put_transcript(struct store *store, const char *text, int64_t seq)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_TRANSCRIPT_PUT);

	store_db_int(stmt, 1, seq);
	store_db_text(stmt, 2, text);
	return store_db_run(stmt);
}

/* Nothing without an attempt: that is how it is known whether there is any. */
int
store_tale_put(struct store *store, const struct store_req *req, int64_t seq)
{
	int rc = SQLITE_OK;

	if (req->attempt == NULL)
		return rc;
	rc = put_attempt(store, req->attempt, seq);
	if (rc == SQLITE_OK && req->evidence != NULL)
		rc = put_evidence(store, req->evidence, seq);
	if (rc == SQLITE_OK && req->transcript != NULL)
		rc = put_transcript(store, req->transcript, seq);
	return rc;
}

static int
read_transcript(struct store *store, struct store_get *get)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_TRANSCRIPT);
	bool row;
	int rc;

	store_db_int(stmt, 1, get->seq);
	rc = store_db_step(stmt, &row);
	if (row)
		get->transcript = nd_xstrdup((const char *)sqlite3_column_text(stmt, 0));
	(void)sqlite3_reset(stmt);
	return rc;
}

int
store_tale_read(struct store *store, struct store_get *get)
{
	int rc = store_row_attempts(store, get->seq, &get->attempts, &get->attempt_count);

	if (rc == SQLITE_OK)
		rc = store_row_evidence(store, get->seq, &get->evidences, &get->evidence_count);
	return rc == SQLITE_OK ? read_transcript(store, get) : rc;
}

void
store_tale_free(struct store_get *get)
{
	struct store_req req = { .attempts = get->attempts,
		.attempt_count = get->attempt_count,
		.evidences = get->evidences,
		.evidence_count = get->evidence_count,
		.found_transcript = get->transcript };

	queue_tale_free(&req);
}

int
store_tale_drop(struct store *store, int64_t seq)
{
	static const enum store_sql all[] = { SQL_ATTEMPTS_DROP, SQL_EVIDENCE_DROP, SQL_TRANSCRIPT_DROP };
	int rc = SQLITE_OK;

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]) && rc == SQLITE_OK && store_tale_any(store, seq); i++) {
		sqlite3_stmt *stmt = store_db_stmt(store, all[i]);

		store_db_int(stmt, 1, seq);
		rc = store_db_run(stmt);
	}
	return rc;
}
