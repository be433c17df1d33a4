/* SPDX-License-Identifier: Apache-2.0 */
/* store_write.c - PUT OUTCOME MOVE UNCERTAIN.  Layer: io.
 *
 * A job that is delivered, cancelled or merged leaves three tables and becomes one row of history: an update in place would keep its message and
 * churn the indexes. A sealed one leaves when it failed or expired, too.
 */
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

/* How a state is stored: the relay's taking is known in memory only. */
static enum job_state
stored(uint8_t state)
{
	return state == JOB_SENDING ? JOB_QUEUED : (enum job_state)state;
}

/* -- PUT -- */

static int
state_of(struct store *store, const char *id, uint8_t *state)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_STATE);
	bool row;
	int rc;

	store_db_text(stmt, 1, id);
	rc = store_db_step(stmt, &row);
	if (row)
		*state = (uint8_t)sqlite3_column_int(stmt, 0);
	(void)sqlite3_reset(stmt);
	return rc;
}

static bool
is_same(const struct store_digest *digest, const void *kept, int len)
{
	return len == (int)sizeof(digest->kept) && (memcmp(kept, digest->kept, sizeof(digest->kept)) == 0 ||
						       memcmp(kept, digest->plain, sizeof(digest->plain)) == 0);
}

enum known { KEY_NEW, KEY_OLD, KEY_ANSWERS };

static int
tell_known(struct store *store, struct store_req *req, bool same, const char *id)
{
	if (same && id != NULL) {
		req->duplicate = true;
		memcpy(req->duplicate_id, id, strnlen(id, ND_ULID_LEN));
		req->duplicate_id[ND_ULID_LEN] = '\0';
		req->duplicate_state = JOB_DELIVERED; /* what is in neither table ended long ago */
		return state_of(store, req->duplicate_id, &req->duplicate_state);
	}
	req->err = nd_fail(&req->why, ND_EMISMATCH, 0,
	    "the idempotency key \"%.128s\" was used for job %s, which is another one", req->idempotency_key,
	    id != NULL ? id : "");
	(void)nd_fail_at(&req->why, "idempotency_key", 0, NULL);
	return SQLITE_OK;
}

/* Has this key been used? Then the request is answered, unless that is too long ago. */
static int
look_up_key(struct store *store, struct store_req *req, uint32_t uid, nd_unix now, enum known *known)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_KEY_GET);
	bool row;
	int rc;

	*known = KEY_NEW;
	store_db_int(stmt, 1, uid);
	store_db_text(stmt, 2, req->idempotency_key);
	rc = store_db_step(stmt, &row);
	if (!row)
		return rc;
	*known = sqlite3_column_int64(stmt, 2) + STORE_KEY_LIFE <= now ? KEY_OLD : KEY_ANSWERS;
	if (*known == KEY_ANSWERS)
		rc = tell_known(store, req,
		    is_same(&req->digest, sqlite3_column_blob(stmt, 0), sqlite3_column_bytes(stmt, 0)),
		    (const char *)sqlite3_column_text(stmt, 1));
	(void)store_db_stmt(store, SQL_KEY_GET);
	return rc;
}

int
store_write_known(struct store *store, struct store_req *req)
{
	enum known known;

	return look_up_key(store, req, req->filter.uid, req->until, &known);
}

static int
drop_key(struct store *store, const struct store_req *req)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_KEY_DROP);

	store_db_int(stmt, 1, req->job->uid);
	store_db_text(stmt, 2, req->idempotency_key);
	return store_db_run(stmt);
}

static int
put_key(struct store *store, const struct store_req *req)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_KEY_PUT);

	store_db_int(stmt, 1, req->job->uid);
	store_db_text(stmt, 2, req->idempotency_key);
	(void)sqlite3_bind_blob(stmt, 3, req->digest.kept, (int)sizeof(req->digest.kept), SQLITE_STATIC);
	store_db_text(stmt, 4, req->job->id);
	store_db_int(stmt, 5, req->job->created);
	return store_db_run(stmt);
}

/* From job to job nearly all numbers are the same, and a statement keeps what it was given. */
static void
put_int(struct store *store, sqlite3_stmt *stmt, int at, int64_t value)
{
	uint64_t bit = UINT64_C(1) << at;

	if ((store->put_bound & bit) != 0 && store->put_ints[at] == value)
		return;
	store_db_int(stmt, at, value);
	store->put_ints[at] = value;
	store->put_bound |= bit;
}

/* A job has an end of its own, or its default age may have begun anew. */
static int64_t
end(const struct queue_job *job)
{
	return job->expires != 0 ? job->expires : -job->age_from;
}

static int
put_job(struct store *store, const struct queue_job *job, int rank, const char *packed, size_t packed_len)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_JOB_PUT);
	const int64_t numbers[ROW_COMMON] = {
		[ROW_STATE] = stored(job->state),
		[ROW_SEVERITY] = job->severity,
		[ROW_RESOLVED] = job->resolved,
		[ROW_UNCERTAIN] = job->uncertain,
		[ROW_SPOOLED] = job->sealed    ? STORE_SEALED
				: job->spooled ? STORE_SPOOLED
					       : STORE_IN_ROW,
		[ROW_ATTEMPT_COUNT] = job->attempt_count,
		[ROW_CREATED] = job->created,
		[ROW_EVENT_TIME] = job->event_time,
		[ROW_NOT_BEFORE] = job->not_before,
		[ROW_EXPIRES] = end(job),
		[ROW_DUE] = job->due,
		[ROW_UID] = job->uid,
		[ROW_GID] = job->gid,
		[ROW_PID] = job->pid,
		[ROW_BODY_LEN] = (int64_t)job->body_len,
	};
	const char *const texts[ROW_COMMON] = {
		[ROW_ACCOUNT] = job->account ? job->account : "",
		[ROW_UNIT] = job->unit,
		[ROW_COMM] = job->comm,
		[ROW_SOURCE] = job->source,
		[ROW_KEY] = job->key,
		[ROW_REASON] = job->reason,
		[ROW_HINT] = job->hint,
		[ROW_ENVELOPE_FROM] = job->envelope_from,
		[ROW_SENDER] = job->from,
		[ROW_FACTS] = job->facts,
	};
	int i;

	store_db_text(stmt, ROW_ID + 1, job->id);
	for (i = ROW_STATE; i <= ROW_BODY_LEN; i++)
		put_int(store, stmt, i + 1, numbers[i]);
	for (i = ROW_ACCOUNT; i < ROW_COMMON; i++)
		store_db_text(stmt, i + 1, texts[i]);
	put_int(store, stmt, ROW_COMMON + 1, job->severity <= JOB_CRITICAL ? STORE_RANK_SEVERE : rank);
	put_int(store, stmt, ROW_COMMON + 2, job_state_final(stored(job->state)) ? job->created : 0);
	store_db_text(stmt, ROW_COMMON + 3, job->head);
	if (job->spooled || job->body == NULL)
		(void)sqlite3_bind_null(stmt, ROW_COMMON + 4);
	else
		(void)sqlite3_bind_blob64(stmt, ROW_COMMON + 4, job->body, job->body_len, SQLITE_STATIC);
	put_int(store, stmt, ROW_COMMON + 5, job->late);
	if (packed_len > 0)
		(void)sqlite3_bind_text64(stmt, ROW_COMMON + 6, packed, packed_len, SQLITE_STATIC, SQLITE_UTF8);
	else
		(void)sqlite3_bind_null(stmt, ROW_COMMON + 6);
	return store_db_run(stmt);
}

/* No index keeps ids apart. One that is above all others is new. */
static int
check_new(struct store *store, const char *id)
{
	sqlite3_stmt *stmt;
	bool row;
	int rc;

	if (strcmp(id, store->last_id) > 0 && strcmp(id, store->new_last_id) > 0)
		return SQLITE_OK;
	stmt = store_db_stmt(store, SQL_FIND);
	store_db_text(stmt, 1, id);
	(void)sqlite3_bind_null(stmt, 2);
	rc = store_db_step(stmt, &row);
	(void)sqlite3_reset(stmt);
	return row ? SQLITE_CONSTRAINT_UNIQUE : rc;
}

int
store_write_put(struct store *store, struct store_req *req)
{
	struct queue_job *job = req->job;
	char packed[STORE_PACKED];
	size_t packed_len;
	enum known known = KEY_NEW;
	int rank, rc = SQLITE_OK;

	if (req->idempotency_key != NULL)
		rc = look_up_key(store, req, job->uid, job->created, &known);
	if (rc == SQLITE_OK && known == KEY_OLD)
		rc = drop_key(store, req);
	if (rc != SQLITE_OK || known == KEY_ANSWERS)
		return rc;
	packed_len = store_rcpt_pack(job, packed);
	rank = store_count_move(store, &(struct store_move){ .from = JOB_STATE_COUNT,
					   .to = stored(job->state),
					   .from_account = "",
					   .to_account = job->account ? job->account : "",
					   .uid = job->uid,
					   .unit = job->unit,
					   .octets = (int64_t)job->body_len });
	rc = check_new(store, job->id);
	if (rc == SQLITE_OK)
		rc = put_job(store, job, rank, packed, packed_len);
	job->place = sqlite3_last_insert_rowid(store->db);
	if (rc == SQLITE_OK && packed_len == 0)
		rc = store_rcpt_put(store, job->place, job);
	if (rc != SQLITE_OK)
		return rc;
	if (req->idempotency_key != NULL)
		rc = put_key(store, req);
	if (strcmp(job->id, store->new_last_id) > 0)
		memcpy(store->new_last_id, job->id, sizeof(store->new_last_id));
	return rc;
}

/* -- OUTCOME, MOVE -- */

struct found {
	int64_t seq; /* 0: there is no such job */
	enum job_state state;
	bool sealed;
	bool packed; /* its recipients have no rows */
};

/* Counts its move, too: what that needs is borrowed from the row. A place where it does not lie is none. */
static int
find(struct store *store, const struct queue_job *job, int64_t place, struct found *found)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_FIND);
	const char *account;
	bool row;
	int rc;

	store_db_text(stmt, 1, job->id);
	if (place != 0)
		store_db_int(stmt, 2, place);
	else
		(void)sqlite3_bind_null(stmt, 2);
	rc = store_db_step(stmt, &row);
	if (!row)
		return rc != SQLITE_OK || place == 0 ? rc : find(store, job, 0, found);
	found->seq = sqlite3_column_int64(stmt, 0);
	found->state = (enum job_state)sqlite3_column_int(stmt, 1);
	found->sealed = sqlite3_column_int(stmt, 6) == STORE_SEALED;
	found->packed = sqlite3_column_int(stmt, 7) != 0;
	account = (const char *)sqlite3_column_text(stmt, 2);
	(void)store_count_move(store, &(struct store_move){ .from = found->state,
					  .to = stored(job->state),
					  .from_account = account ? account : "",
					  .to_account = job->account ? job->account : "",
					  .uid = (uint32_t)sqlite3_column_int64(stmt, 3),
					  .unit = (const char *)sqlite3_column_text(stmt, 4),
					  .octets = sqlite3_column_int64(stmt, 5) });
	(void)sqlite3_reset(stmt);
	return SQLITE_OK;
}

static int
drop(struct store *store, int64_t seq)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_JOB_DROP);

	store_db_int(stmt, 1, seq);
	return store_db_run(stmt);
}

int
store_write_history(struct store *store, const struct store_end *end)
{
	const struct queue_job *job = end->job;
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_HISTORY_PUT);
	int rc;

	store_db_int(stmt, 1, end->seq);
	store_db_int(stmt, 2, job->state);
	store_db_int(stmt, 3, job->uncertain);
	store_db_int(stmt, 4, job->attempt_count);
	store_db_int(stmt, 5, job->due);
	store_db_text(stmt, 6, job->account ? job->account : "");
	store_db_text(stmt, 7, job->reason);
	store_db_text(stmt, 8, job->hint);
	store_db_text(stmt, 9, job->envelope_from);
	store_db_int(stmt, 10, end->ended);
	(void)sqlite3_bind_text64(stmt, 11, end->data, end->data_len, SQLITE_STATIC, SQLITE_UTF8);
	rc = store_db_run(stmt);
	if (rc == SQLITE_OK && !end->packed)
		rc = store_rcpt_drop(store, end->seq);
	if (rc == SQLITE_OK)
		rc = store_tale_drop(store, end->seq);
	if (rc == SQLITE_OK)
		rc = drop(store, end->seq);
	return rc;
}

/* Out of the queue. */
static int
leave(struct store *store, const struct store_req *req, const struct found *found, nd_unix ended)
{
	struct store_get tale = { .seq = found->seq };
	struct queue_job *stored_job = NULL;
	struct store_end end = { .seq = found->seq, .packed = found->packed, .ended = ended, .job = req->job };
	struct store_facts facts = { .job = req->job, .attempt = req->attempt, .evidence = req->evidence };
	struct nd_buf buf = { .limit = 0 };
	bool any = store_tale_any(store, found->seq);
	int rc = SQLITE_OK;

	if (any)
		rc = store_tale_read(store, &tale);
	facts.attempts = tale.attempts;
	facts.attempt_count = tale.attempt_count;
	facts.evidences = tale.evidences;
	facts.evidence_count = tale.evidence_count;
	if (rc == SQLITE_OK && req->job->rcpt_count == 0) { /* as they were */
		facts.job = stored_job = nd_xalloc(sizeof(*stored_job));
		rc = store_rcpt_of(store, found->seq, stored_job);
	}
	if (rc == SQLITE_OK && !store_row_pack(&facts, &buf))
		rc = SQLITE_NOMEM;
	if (rc == SQLITE_OK) {
		end.data = nd_buf_text(&buf);
		end.data_len = buf.len;
		rc = store_write_history(store, &end);
	}
	nd_buf_done(&buf);
	queue_job_free(stored_job);
	if (any)
		store_tale_free(&tale);
	return rc;
}

static int
stay(struct store *store, const struct store_req *req, const struct found *found, nd_unix ended)
{
	const struct queue_job *job = req->job;
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_JOB_CHANGE);
	bool packed = found->packed;
	int rc = store_rcpt_change(store, found->seq, job, &packed);

	if (rc != SQLITE_OK)
		return rc;
	store_db_int(stmt, 1, found->seq);
	store_db_int(stmt, 2, stored(job->state));
	store_db_text(stmt, 3, job->reason);
	store_db_text(stmt, 4, job->hint);
	store_db_int(stmt, 5, job->due);
	store_db_int(stmt, 6, job->attempt_count);
	store_db_int(stmt, 7, job->uncertain);
	store_db_text(stmt, 8, job->account ? job->account : "");
	store_db_text(stmt, 9, job->head);
	store_db_text(stmt, 10, job->envelope_from);
	store_db_int(stmt, 11, ended);
	store_db_int(stmt, 12, end(job));
	store_db_int(stmt, 13, (job->again ? STORE_AGAIN : 0) | (job->passed ? STORE_PASSED : 0));
	store_db_text(stmt, 14, job->declined);
	store_db_int(stmt, 15, job->late);
	store_db_int(stmt, 16, packed);
	store_db_text(stmt, 17, job->begun);
	rc = store_db_run(stmt);
	if (rc == SQLITE_OK && req->op == STORE_OUTCOME)
		rc = store_tale_put(store, req, found->seq);
	return rc;
}

/* When the job reached its state, as well as we are told. */
static nd_unix
ending(const struct store_req *req)
{
	nd_unix at = req->attempt != NULL ? req->attempt->end : 0;
	unsigned i;

	for (i = 0; i < req->job->rcpt_count; i++)
		if (req->job->rcpts[i].at > at)
			at = req->job->rcpts[i].at;
	return at > 0 ? at : store_unix();
}

int
store_write_change(struct store *store, struct store_req *req)
{
	const struct queue_job *job = req->job;
	enum job_state to = stored(job->state);
	struct found found = { .seq = 0 };
	int rc = find(store, job, job->place, &found);

	if (rc != SQLITE_OK)
		return rc;
	if (found.seq == 0) {
		req->err = nd_fail(&req->why, ND_ENOTFOUND, 0, "job %s is not in the queue", job->id);
		return SQLITE_OK;
	}
	req->former = (uint8_t)found.state;
	if (to == JOB_DELIVERED || to == JOB_CANCELLED || to == JOB_MERGED || (found.sealed && job_state_final(to)))
		rc = leave(store, req, &found, ending(req));
	else
		rc = stay(store, req, &found, job_state_final(to) ? ending(req) : 0);
	return rc;
}

/* -- UNCERTAIN -- */

/* A mark on each of a million jobs would take longer than all else at start. So two numbers are kept instead: a queued job that was there then, and that
 * has not got a later time of sending since, is uncertain. */
static int
mark_due(struct store *store, nd_unix until)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_LAST_SEQ);
	bool row;
	int rc = store_db_step(stmt, &row);

	if (!row)
		return rc;
	store->new_uncertain_seq = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_reset(stmt);
	if (until > store->new_uncertain_due)
		store->new_uncertain_due = until;
	rc = store_db_meta_put(store, "uncertain_seq", store->new_uncertain_seq, NULL);
	if (rc == SQLITE_OK)
		rc = store_db_meta_put(store, "uncertain_due", store->new_uncertain_due, NULL);
	return rc;
}

int
store_write_hurry(struct store *store, struct store_req *req)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_JOB_HURRY);

	store_db_int(stmt, 1, req->until);
	store_db_int(stmt, 2, JOB_QUEUED);
	store_db_int(stmt, 3, req->until + req->wait);
	return store_db_run(stmt);
}

int
store_write_touch(struct store *store, struct store_req *req)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_META_PUT);

	store_db_text(stmt, 1, "touched");
	store_db_int(stmt, 2, req->until);
	store_db_text(stmt, 3, NULL);
	return store_db_run(stmt);
}

int
store_write_uncertain(struct store *store, struct store_req *req)
{
	sqlite3_stmt *stmt;
	unsigned i;
	int rc = SQLITE_OK;

	for (i = 0; i < req->id_count && rc == SQLITE_OK; i++) {
		stmt = store_db_stmt(store, SQL_JOB_UNCERTAIN);
		store_db_text(stmt, 1, req->ids[i]);
		store_db_int(stmt, 2, JOB_QUEUED);
		store_db_int(stmt, 3, req->lates ? req->lates[i] : 0);
		rc = store_db_run(stmt);
	}
	if (rc == SQLITE_OK && req->all_due)
		rc = mark_due(store, req->until);
	return rc;
}
