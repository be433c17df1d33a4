/* SPDX-License-Identifier: Apache-2.0 */
/* store_rcpt.c - the recipients of a job.  Layer: io.
 *
 * While all of them are as they came, the row of the job has their addresses, a line each (job.rcpts). They get rows of their own, and job.rcpts becomes
 * NULL, when one of them changes and the job stays in the queue. So a mail that passes at once never has any. What does not fit (see
 * store_rcpt_pack) has rows from the beginning, as the jobs of older versions have.
 */
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

#define BODY_BEFORE 4096u /* octets of a message: behind a longer one they would lie on a page of their own */

/* -- in the row of the job -- */

static bool
as_it_came(const struct queue_rcpt *rcpt)
{
	return rcpt->state == RCPT_PENDING && !rcpt->uncertain && rcpt->code == 0 && rcpt->enhanced[0] == '\0' &&
	       rcpt->text == NULL && rcpt->at == 0;
}

size_t
store_rcpt_pack(const struct queue_job *job, char out[STORE_PACKED])
{
	size_t len = 0, one;
	unsigned i;

	if (!job->spooled && job->body_len > BODY_BEFORE)
		return 0;
	for (i = 0; i < job->rcpt_count; i++) {
		const struct queue_rcpt *rcpt = &job->rcpts[i];

		one = strlen(rcpt->address);
		if (!as_it_came(rcpt) || one == 0 || one >= STORE_PACKED - len ||
		    memchr(rcpt->address, '\n', one) != NULL)
			return 0;
		memcpy(out + len, rcpt->address, one);
		len += one;
		out[len++] = '\n'; /* the last one is not counted */
	}
	return len > 0 ? len - 1 : 0;
}

static int
unpack(const char *text, size_t len, struct queue_job *job)
{
	const char *end = text + len, *line;
	unsigned count = 1;

	if (len >= STORE_PACKED) /* never written so; half of it might be somebody else's address */
		return SQLITE_CORRUPT;
	for (line = text; line < end; line++)
		count += *line == '\n';
	job->rcpts = nd_xalloc(count * sizeof(*job->rcpts));
	for (line = text; job->rcpt_count < count; line++) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		stop = stop != NULL ? stop : end;
		job->rcpts[job->rcpt_count++].address = nd_xstrndup(line, (size_t)(stop - line));
		line = stop;
	}
	return SQLITE_OK;
}

/* -- rows of their own -- */

/* SQL_RCPT_PUT and SQL_RCPT_CHANGE take what becomes of one alike; the address is SQL_RCPT_PUT's alone. */
static int
write_rows(struct store *store, enum store_sql which, int64_t seq, const struct queue_job *job)
{
	sqlite3_stmt *stmt;
	unsigned i;
	int rc = SQLITE_OK;

	for (i = 0; i < job->rcpt_count && rc == SQLITE_OK; i++) {
		const struct queue_rcpt *rcpt = &job->rcpts[i];

		stmt = store_db_stmt(store, which);
		store_db_int(stmt, 1, seq);
		store_db_int(stmt, 2, i);
		store_db_int(stmt, 3, rcpt->state);
		store_db_int(stmt, 4, rcpt->uncertain);
		store_db_int(stmt, 5, rcpt->code);
		store_db_text(stmt, 6, rcpt->enhanced);
		store_db_text(stmt, 7, rcpt->text);
		store_db_int(stmt, 8, rcpt->at);
		if (which == SQL_RCPT_PUT)
			store_db_text(stmt, 9, rcpt->address);
		rc = store_db_run(stmt);
	}
	return rc;
}

int
store_rcpt_put(struct store *store, int64_t seq, const struct queue_job *job)
{
	return write_rows(store, SQL_RCPT_PUT, seq, job);
}

static int
read_rows(struct store *store, int64_t seq, struct queue_job *job)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_RCPTS);
	bool row, short_of_memory = false;
	unsigned room = 0;
	int rc;

	store_db_int(stmt, 1, seq);
	for (rc = store_db_step(stmt, &row); row; rc = store_db_step(stmt, &row)) {
		struct queue_rcpt *rcpt;

		if (job->rcpt_count == room) {
			room = room == 0 ? 1 : room * 4; /* most jobs have one */
			job->rcpts = nd_xrealloc(job->rcpts, room * sizeof(*job->rcpts));
		}
		rcpt = &job->rcpts[job->rcpt_count++];
		*rcpt = (struct queue_rcpt){
			.address = store_row_copy(stmt, 0, &short_of_memory),
			.state = (uint8_t)sqlite3_column_int(stmt, 1),
			.uncertain = sqlite3_column_int(stmt, 2) != 0,
			.code = (int16_t)sqlite3_column_int(stmt, 3),
			.text = store_row_copy(stmt, 5, &short_of_memory),
			.at = sqlite3_column_int64(stmt, 6),
		};
		store_row_copy_short(stmt, 4, rcpt->enhanced, sizeof(rcpt->enhanced));
	}
	return rc == SQLITE_OK && short_of_memory ? SQLITE_NOMEM : rc;
}

/* -- both -- */

int
store_rcpt_read(struct store *store, sqlite3_stmt *stmt, int column, int64_t seq, struct queue_job *job)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return text != NULL ? unpack(text, (size_t)sqlite3_column_bytes(stmt, column), job)
			    : read_rows(store, seq, job);
}

int
store_rcpt_of(struct store *store, int64_t seq, struct queue_job *job)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_PACKED);
	bool row;
	int rc;

	store_db_int(stmt, 1, seq);
	rc = store_db_step(stmt, &row);
	if (row)
		rc = store_rcpt_read(store, stmt, 0, seq, job);
	(void)sqlite3_reset(stmt);
	return rc;
}

/* The addresses stay those that the store has. */
static int
spread(struct store *store, int64_t seq)
{
	struct queue_job *job = nd_xalloc(sizeof(*job));
	int rc = store_rcpt_of(store, seq, job);

	if (rc == SQLITE_OK)
		rc = store_rcpt_put(store, seq, job);
	queue_job_free(job);
	return rc;
}

int
store_rcpt_change(struct store *store, int64_t seq, const struct queue_job *job, bool *packed)
{
	unsigned i = 0;
	int rc = SQLITE_OK;

	if (*packed) {
		while (i < job->rcpt_count && as_it_came(&job->rcpts[i]))
			i++;
		if (i == job->rcpt_count)
			return SQLITE_OK;
		rc = spread(store, seq);
		*packed = false;
	}
	return rc == SQLITE_OK ? write_rows(store, SQL_RCPT_CHANGE, seq, job) : rc;
}

int
store_rcpt_drop(struct store *store, int64_t seq)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_RCPTS_DROP);

	store_db_int(stmt, 1, seq);
	return store_db_run(stmt);
}
