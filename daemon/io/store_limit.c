/* SPDX-License-Identifier: Apache-2.0 */
/* store_limit.c - what each mailbox has sent lately: a text of the engine's, kept as it is.  Layer: io. */
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>

#define KEPT_FOR                                                                                                       \
	ND_DAY(                                                                                                        \
	    3) /* nothing in it is older than a day, one that is in use is written anew each day, and clocks go wrong */

int
store_limit_read(struct store *store, struct store_req *req)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_LIMIT_GET);
	const char *data;
	bool row;
	int rc;

	free(req->kept); /* of a batch that was rolled back */
	req->kept = NULL;
	store_db_text(stmt, 1, req->account);
	rc = store_db_step(stmt, &row);
	if (!row)
		return rc;
	data = (const char *)sqlite3_column_text(stmt, 0);
	req->kept = data != NULL ? nd_xstrdup(data) : NULL;
	(void)sqlite3_reset(stmt);
	return SQLITE_OK;
}

int
store_limit_keep(struct store *store, struct store_req *req)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_LIMIT_PUT);

	store_db_text(stmt, 1, req->account);
	store_db_int(stmt, 2, req->until);
	store_db_text(stmt, 3, req->kept);
	return store_db_run(stmt);
}

int
store_limit_prune(struct store *store, nd_unix until)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_LIMITS_OLD);

	store_db_int(stmt, 1, until - KEPT_FOR);
	return store_db_run(stmt);
}
