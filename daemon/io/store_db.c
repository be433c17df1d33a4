/* SPDX-License-Identifier: Apache-2.0 */
/* store_db.c - the connection: lock, pragmas, statements, transactions, what an error means.  Layer: io.
 *
 * SQLite's own checkpoints are off: it hides a failed sync of the database file, and would later throw away the log as if the pages had arrived.
 */
#include "common/log.h"
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_HEADER 32
#define LOG_FRAME (24 + STORE_PAGE)

void
store_db_text(sqlite3_stmt *stmt, int at, const char *text)
{
	(void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void
store_db_int(sqlite3_stmt *stmt, int at, int64_t value)
{
	(void)sqlite3_bind_int64(stmt, at, value);
}

sqlite3_stmt *
store_db_stmt(struct store *store, enum store_sql which)
{
	(void)sqlite3_reset(store->stmts[which]);
	return store->stmts[which];
}

int
store_db_run(sqlite3_stmt *stmt)
{
	(void)sqlite3_step(stmt);
	return sqlite3_reset(stmt);
}

int
store_db_step(sqlite3_stmt *stmt, bool *row)
{
	*row = sqlite3_step(stmt) == SQLITE_ROW;
	return *row ? SQLITE_OK : sqlite3_reset(stmt);
}

int
store_db_meta_put(struct store *store, const char *name, int64_t value, const char *text)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_META_PUT);

	store_db_text(stmt, 1, name);
	store_db_int(stmt, 2, value);
	store_db_text(stmt, 3, text);
	return store_db_run(stmt);
}

/* -- errors -- */

/* SQLite does not keep the errno of a failed commit; the file of the log does. */
static int
last_errno(struct store *store)
{
	sqlite3_file *log = NULL;
	int error = sqlite3_system_errno(store->db);

	if (error == 0 && sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
	    log != NULL && log->pMethods != NULL)
		(void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
	return error;
}

void
store_db_note(struct store *store, int rc)
{
	bool its = sqlite3_extended_errcode(store->db) == rc; /* else it is a failure of our own, such as no memory */

	store->trouble_errno = (rc & 0xff) == SQLITE_IOERR && rc != SQLITE_IOERR_NOMEM ? last_errno(store) : 0;
	(void)snprintf(
	    store->trouble, sizeof(store->trouble), "%s", its ? sqlite3_errmsg(store->db) : sqlite3_errstr(rc));
}

static bool
full(const struct store *store, int rc)
{
	/* A quota that is used up is a full disk. Of a sync even ENOSPC is fatal: octets are lost. */
	return rc == SQLITE_FULL ||
	       (rc == SQLITE_IOERR_WRITE && (store->trouble_errno == EDQUOT || store->trouble_errno == ENOSPC));
}

bool
store_db_fatal(const struct store *store, int rc)
{
	int kind = rc & 0xff;

	if (rc == SQLITE_IOERR_NOMEM || full(store, rc))
		return false;
	return kind == SQLITE_IOERR || kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_READONLY;
}

enum nd_err
store_db_err(const struct store *store, int rc)
{
	if (full(store, rc))
		return ND_EDISKFULL;
	if (rc == SQLITE_IOERR_NOMEM || (rc & 0xff) == SQLITE_NOMEM)
		return ND_EMEMORY;
	if (store_db_fatal(store, rc) || (rc & 0xff) == SQLITE_CANTOPEN)
		return ND_EDISK;
	return ND_EBUG;
}

void
store_db_die(struct store *store)
{
	if (store->dead)
		return;
	store->dead = true;
	/* The log must stay: what is in it may not have reached the database. */
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	nd_log(ND_LOG_ERR, NULL, "no job is accepted or sent any more, the queue cannot be written: %s: %s%s%s",
	    store->path, store->trouble, store->trouble_errno ? ": " : "",
	    store->trouble_errno ? strerrordesc_np(store->trouble_errno) : "");
}

/* -- transactions -- */

void
store_db_rollback(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		(void)store_db_run(store_db_stmt(store, SQL_ROLLBACK));
}

/* A commit that failed may lie whole in the log, and would be found there after a crash: a job that was refused would be sent. So the log is cut
 * back to the last good commit. */
static void
cut_log(struct store *store)
{
	off_t good = store->log_frames > 0 ? LOG_HEADER + (off_t)store->log_frames * LOG_FRAME : 0;
	struct stat st;
	int fd;

	if (store->log_frames < 0)
		return;
	fd = open(store->wal_path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > good && ftruncate(fd, good) != 0)
		nd_log(ND_LOG_ERR, NULL, "jobs that were refused may come back: %s cannot be cut: %s", store->wal_path,
		    strerrordesc_np(errno));
	(void)close(fd);
}

int
store_db_commit(struct store *store)
{
	int rc = store_db_run(store_db_stmt(store, SQL_COMMIT));

	if (rc != SQLITE_OK) {
		store_db_note(store, rc);
		store_db_rollback(store);
		cut_log(store);
	}
	return rc;
}

static int
logged(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct store *store = arg;

	(void)db;
	(void)name;
	store->log_frames = frames;
	return SQLITE_OK;
}

static int
checkpoint(struct store *store, int mode)
{
	int frames = -1, moved = -1;
	int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &frames, &moved);

	if (rc != SQLITE_OK) {
		store_db_note(store, rc);
		if (store_db_fatal(store, rc))
			store_db_die(store);
	} else if (frames == moved) {
		store->log_frames = 0; /* the next commit begins the log anew */
	}
	return rc;
}

int
store_db_checkpoint(struct store *store)
{
	return checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
}

/* -- opening -- */

static enum nd_err
fail(struct store *store, struct nd_why *why, int rc, const char *doing)
{
	store_db_note(store, rc);
	if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED) {
		(void)nd_fail(why, ND_ELOCKED, 0, "another program has %s open", store->path);
		return nd_fail_at(why, "", 0, "close it (fuser shows it)");
	}
	if ((rc & 0xff) == SQLITE_NOTADB || (rc & 0xff) == SQLITE_CORRUPT) {
		(void)nd_fail(why, ND_EDISK, 0, "%s is damaged: %s, while %s", store->path, store->trouble, doing);
		return nd_fail_at(
		    why, "", 0, "move it aside and start with an empty queue; sqlite3 .recover may read it");
	}
	return nd_fail(why, store_db_err(store, rc) == ND_EDISKFULL ? ND_EDISKFULL : ND_EDISK, store->trouble_errno,
	    "%s: %s, while %s", store->path, store->trouble, doing);
}

/* The lock is the kernel's: it goes with the process. What is in the file is for people. */
static enum nd_err
take_lock(struct store *store, struct nd_why *why)
{
	char path[4096], pid[32] = "";
	ssize_t got;

	(void)snprintf(path, sizeof(path), "%s/lock", store->folder);
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock_fd < 0)
		return nd_fail(why, errno == ENOSPC ? ND_EDISKFULL : ND_EDISK, errno, "%s cannot be opened", path);
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return nd_fail(why, ND_EDISK, errno, "%s cannot be locked", path);
		got = read(store->lock_fd, pid, sizeof(pid) - 1);
		pid[got > 0 ? got : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		return nd_fail(why, ND_ELOCKED, 0, "another notifyd (process %s) uses %s", pid[0] ? pid : "unknown",
		    store->folder);
	}
	(void)snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(store->lock_fd, 0) != 0 || pwrite(store->lock_fd, pid, strlen(pid), 0) < 0)
		return nd_fail(why, errno == ENOSPC ? ND_EDISKFULL : ND_EDISK, errno, "%s cannot be written", path);
	return ND_OK;
}

/* The first column of the first row of `sql`. */
static int
ask(struct store *store, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return rc;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	return sqlite3_finalize(stmt);
}

static int
upgrade(struct store *store, int from)
{
	char version[64];
	int rc = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	int i;

	for (i = from; rc == SQLITE_OK && i < store_schema_version; i++)
		rc = sqlite3_exec(store->db, store_schema_versions[i], NULL, NULL, NULL);
	(void)snprintf(version, sizeof(version), "PRAGMA user_version=%d", store_schema_version);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(store->db, version, NULL, NULL, NULL);
	return rc == SQLITE_OK ? sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) : rc;
}

static enum nd_err
bring_up(struct store *store, struct nd_why *why)
{
	int64_t version = 0, page = 0;
	int rc = sqlite3_exec(store->db, store_schema_pragmas, NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = ask(store, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK)
		rc = ask(store, "PRAGMA page_size", &page);
	if (rc != SQLITE_OK)
		return fail(store, why, rc, "opening the queue");
	if (version > store_schema_version) {
		(void)nd_fail(why, ND_ECONF, 0, "%s was written by a newer notifyd (version %lld, this one knows %d)",
		    store->path, (long long)version, store_schema_version);
		return nd_fail_at(why, "", 0, "install the newer notifyd again, or give another --state-dir");
	}
	if (version < 0 || page != STORE_PAGE)
		return nd_fail(why, ND_ECONF, 0, "%s was not made by notifyd", store->path);
	rc = version < store_schema_version ? upgrade(store, (int)version) : SQLITE_OK;
	if (rc != SQLITE_OK)
		return fail(store, why, rc, "making its tables");
	return ND_OK;
}

static enum nd_err
prepare(struct store *store, struct nd_why *why)
{
	int i, rc;

	for (i = 0; i < SQL_COUNT; i++) {
		rc = sqlite3_prepare_v3(
		    store->db, store_schema_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->stmts[i], NULL);
		if (rc != SQLITE_OK)
			return fail(store, why, rc, "preparing its statements");
	}
	return ND_OK;
}

static char *
join(const char *folder, const char *name)
{
	size_t size = strlen(folder) + strlen(name) + 1;
	char *path = nd_xalloc(size);

	(void)snprintf(path, size, "%s%s", folder, name);
	return path;
}

enum nd_err
store_db_open(struct store *store, struct nd_why *why)
{
	enum nd_err err;
	int fd, rc;

	store->path = join(store->folder, "/queue.db");
	store->wal_path = join(store->folder, "/queue.db-wal");
	err = take_lock(store, why);
	if (err != ND_OK)
		return err;
	/* Made here for its mode: SQLite gives its other files the same. */
	fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return nd_fail(
		    why, errno == ENOSPC ? ND_EDISKFULL : ND_EDISK, errno, "%s cannot be opened", store->path);
	(void)close(fd);
	/* Its sums of memory that nobody asks for cost a mutex with each allocation. Refused when SQLite is in use already: then it stays as it is. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	rc = sqlite3_open_v2(store->path, &store->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, store_log_vfs());
	if (rc != SQLITE_OK)
		return fail(store, why, rc, "opening the queue");
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	err = bring_up(store, why);
	if (err == ND_OK)
		err = prepare(store, why);
	if (err != ND_OK)
		return err;
	(void)sqlite3_wal_hook(store->db, logged, store);
	store->log_frames = -1; /* unknown until the log of the last run has been taken over */
	rc = checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE);
	if (rc != SQLITE_OK && store_db_err(store, rc) != ND_EDISKFULL)
		return fail(store, why, rc, "taking over the log of the last run");
	return ND_OK;
}

void
store_db_close(struct store *store)
{
	int i;

	for (i = 0; i < SQL_COUNT; i++)
		(void)sqlite3_finalize(store->stmts[i]);
	if (store->db != NULL && !store->dead && store->log_frames > 0)
		(void)checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
	(void)sqlite3_close(store->db);
	if (store->lock_fd >= 0)
		(void)close(store->lock_fd);
	free(store->folder);
	free(store->path);
	free(store->wal_path);
}
