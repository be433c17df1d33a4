/* SPDX-License-Identifier: Apache-2.0 */
/* store_count.c - how many jobs are in which state: asked once at start, then kept.  Layer: io.
 *
 * What a transaction changes is kept apart until it is committed. Of the finished jobs the sums are in the table `total`, written once a commit.
 */
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

static struct store_tally *
tally(struct store *store, const char *account)
{
	unsigned i;

	for (i = 0; i < store->tally_count; i++)
		if (strcmp(store->tallies[i].account, account) == 0)
			return &store->tallies[i];
	store->tallies = nd_xrealloc(store->tallies, (store->tally_count + 1) * sizeof(*store->tallies));
	store->tallies[store->tally_count] = (struct store_tally){ .account = nd_xstrdup(account) };
	return &store->tallies[store->tally_count++];
}

static void
add(struct store *store, enum job_state state, const char *account, int64_t by)
{
	if (state == JOB_QUEUED)
		tally(store, account)->queued_delta += by;
	else if (state == JOB_HELD)
		tally(store, account)->held_delta += by;
	else if (by > 0 && state < JOB_STATE_COUNT)
		store->totals_delta[state]++;
}

static bool
unfinished(enum job_state state)
{
	return state == JOB_QUEUED || state == JOB_HELD;
}

int
store_count_move(struct store *store, const struct store_move *move)
{
	int by = (int)unfinished(move->to) - (int)unfinished(move->from), rank = STORE_RANK_FIRST;

	if (by != 0)
		rank = store_owner_move(store, move, by);
	if (move->from == move->to && (job_state_final(move->to) || strcmp(move->from_account, move->to_account) == 0))
		return rank;
	if (move->from != JOB_STATE_COUNT)
		add(store, move->from, move->from_account, -1);
	add(store, move->to, move->to_account, 1);
	return rank;
}

int
store_count_write(struct store *store)
{
	sqlite3_stmt *stmt;
	int i, rc = SQLITE_OK;

	for (i = 0; i < JOB_STATE_COUNT && rc == SQLITE_OK; i++) {
		if (store->totals_delta[i] == 0)
			continue;
		stmt = store_db_stmt(store, SQL_TOTAL_ADD);
		store_db_int(stmt, 1, i);
		store_db_int(stmt, 2, (int64_t)store->totals_delta[i]);
		rc = store_db_run(stmt);
	}
	return rc == SQLITE_OK ? store_owner_write(store) : rc;
}

void
store_count_keep(struct store *store)
{
	unsigned i;

	for (i = 0; i < store->tally_count; i++) {
		store->tallies[i].queued += store->tallies[i].queued_delta;
		store->tallies[i].held += store->tallies[i].held_delta;
	}
	for (i = 0; i < JOB_STATE_COUNT; i++)
		store->totals[i] += store->totals_delta[i];
	if (strcmp(store->new_last_id, store->last_id) > 0)
		memcpy(store->last_id, store->new_last_id, sizeof(store->last_id));
	store->uncertain_seq = store->new_uncertain_seq;
	store->uncertain_due = store->new_uncertain_due;
	store_owner_keep(store);
	store_count_forget(store);
}

void
store_count_forget(struct store *store)
{
	unsigned i;

	for (i = 0; i < store->tally_count; i++)
		store->tallies[i].queued_delta = store->tallies[i].held_delta = 0;
	memset(store->totals_delta, 0, sizeof(store->totals_delta));
	store_owner_forget(store);
	store->new_last_id[0] = '\0';
	store->new_uncertain_seq = store->uncertain_seq;
	store->new_uncertain_due = store->uncertain_due;
}

static int
read_counts(struct store *store)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_COUNTS);
	bool row;
	int rc = store_db_step(stmt, &row);

	while (row) {
		const char *account = (const char *)sqlite3_column_text(stmt, 0);
		int64_t state = sqlite3_column_int64(stmt, 1), count = sqlite3_column_int64(stmt, 2);

		/* Failed jobs are here too while their message is kept: not counted, the table of totals has them. */
		if (account != NULL && unfinished((enum job_state)state))
			add(store, (enum job_state)state, account, count);
		rc = store_db_step(stmt, &row);
	}
	return rc;
}

static int
read_totals(struct store *store)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_TOTALS);
	bool row;
	int rc = store_db_step(stmt, &row);

	while (row) {
		int64_t state = sqlite3_column_int64(stmt, 0);

		if (state >= 0 && state < JOB_STATE_COUNT)
			store->totals[state] = (uint64_t)sqlite3_column_int64(stmt, 1);
		rc = store_db_step(stmt, &row);
	}
	return rc;
}

static int
read_last_id(struct store *store)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_LAST_ID);
	bool row;
	int rc = store_db_step(stmt, &row);

	if (row) {
		const char *id = (const char *)sqlite3_column_text(stmt, 0);

		if (id != NULL && strlen(id) <= ND_ULID_LEN)
			memcpy(store->last_id, id, strlen(id) + 1);
		(void)sqlite3_reset(stmt);
	}
	return rc;
}

static int
read_uncertain(struct store *store)
{
	sqlite3_stmt *stmt;
	bool row;
	int rc;

	stmt = store_db_stmt(store, SQL_META_GET);
	store_db_text(stmt, 1, "uncertain_seq");
	rc = store_db_step(stmt, &row);
	if (row)
		store->uncertain_seq = sqlite3_column_int64(stmt, 0);
	if (rc != SQLITE_OK)
		return rc;
	stmt = store_db_stmt(store, SQL_META_GET);
	store_db_text(stmt, 1, "uncertain_due");
	rc = store_db_step(stmt, &row);
	if (row)
		store->uncertain_due = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_reset(stmt);
	return rc;
}

int
store_count_open(struct store *store)
{
	int rc = read_counts(store);

	if (rc == SQLITE_OK)
		rc = read_totals(store);
	if (rc == SQLITE_OK)
		rc = read_last_id(store);
	if (rc == SQLITE_OK)
		rc = read_uncertain(store);
	if (rc == SQLITE_OK)
		rc = store_owner_open(store);
	store->new_uncertain_seq = store->uncertain_seq;
	store->new_uncertain_due = store->uncertain_due;
	store_count_keep(store);
	return rc;
}

void
store_count_close(struct store *store)
{
	unsigned i;

	for (i = 0; i < store->tally_count; i++)
		free(store->tallies[i].account);
	free(store->tallies);
	store_owner_close(store);
}
