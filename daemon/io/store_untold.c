/* SPDX-License-Identifier: Apache-2.0 */
/* store_untold.c - jobs that ended badly, until the administrators were told: a crash in between forgets none.  Layer: io. */
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

#define NAME "reported" /* what is kept beside them */
#define MOST 10000      /* are noted: whoever cannot be told for so long finds the others in the list of jobs */

static int
drop(struct store *store, int64_t up_to)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_UNTOLD_DROP);

	store_db_int(stmt, 1, up_to);
	return store_db_run(stmt);
}

/* A place is one more than the newest that is there. */
static int
note(struct store *store, struct store_req *req)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_UNTOLD_PUT);
	int rc;

	store_db_text(stmt, 1, req->job->id);
	rc = store_db_run(stmt);
	req->place = sqlite3_last_insert_rowid(store->db);
	return rc == SQLITE_OK && req->place > MOST ? drop(store, req->place - MOST) : rc;
}

int
store_untold_outcome(struct store *store, struct store_req *req)
{
	int rc = store_write_change(store, req);

	return rc == SQLITE_OK && req->tell && req->err == ND_OK ? note(store, req) : rc;
}

static int
keep(struct store *store, const char *text)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_META_PUT);

	store_db_text(stmt, 1, NAME);
	store_db_int(stmt, 2, 0);
	store_db_text(stmt, 3, text);
	return store_db_run(stmt);
}

static int
recall(struct store *store, struct store_req *req)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_META_GET);
	const char *text;
	bool row;
	int rc;

	free(req->kept);
	req->kept = NULL;
	store_db_text(stmt, 1, NAME);
	rc = store_db_step(stmt, &row);
	text = row ? (const char *)sqlite3_column_text(stmt, 1) : NULL;
	if (text != NULL)
		req->kept = nd_xstrdup(text);
	(void)sqlite3_reset(stmt);
	return rc;
}

static int
look(struct store *store, struct store_req *req)
{
	sqlite3_stmt *stmt;
	bool row;
	int rc = recall(store, req);

	if (rc != SQLITE_OK)
		return rc;
	stmt = store_db_stmt(store, SQL_UNTOLD);
	req->rest = 0;
	req->place = 0;
	for (rc = store_db_step(stmt, &row); row; rc = store_db_step(stmt, &row)) {
		struct store_get get = { .id = (const char *)sqlite3_column_text(stmt, 1) };

		req->place = sqlite3_column_int64(stmt, 0);
		if (req->job_count >= req->limit) {
			req->rest++;
			continue;
		}
		rc = store_read_get(store, &get);
		store_tale_free(&get); /* history gives it, too */
		if (rc != SQLITE_OK)
			break;
		if (get.job != NULL) /* else it was kept long enough */
			store_read_add(req, get.job);
	}
	(void)sqlite3_reset(stmt);
	return rc;
}

int
store_untold(struct store *store, struct store_req *req)
{
	int rc;

	if (!req->drop)
		return look(store, req);
	rc = drop(store, req->place);
	return rc == SQLITE_OK && req->kept != NULL ? keep(store, req->kept) : rc;
}
