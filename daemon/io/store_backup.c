/* SPDX-License-Identifier: Apache-2.0 */
/* store_backup.c - BACKUP: a copy of the queue while it is in use.  Layer: io.
 *
 * SQLite copies a slice of pages at a time; what is written meanwhile goes into the copy too, so that the copy is the queue of the moment of its last
 * page. Sealed messages are left out, as their keys are: what is wiped here must not live on in a copy. In that moment, before the next commit, the spool files are linked beside it: none that the copy names can be gone yet. Troubles with the copy are
 * troubles of the request, never of the queue.
 */
#include "common/log.h"
#include "common/mem.h"
#include "common/ulid.h"
#include "daemon/io/filer.h"
#include "daemon/io/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES 32 /* between two looks at the clock */

struct store_backup {
	char folder[4096], copy[4160], spool[4160];
	sqlite3 *db;
	sqlite3_backup *backup;
};

static int
open_folder(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* Removes the files of a folder, then the folder. One that is not there is fine. */
static int
clear(const char *path)
{
	int fd = open_folder(path), error = 0;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (dir == NULL) {
		error = errno;
		if (fd >= 0)
			(void)close(fd);
		return error == ENOENT ? 0 : error;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_type != DT_DIR)
			(void)unlinkat(fd, entry->d_name, 0);
	(void)closedir(dir);
	return rmdir(path) == 0 || errno == ENOENT ? 0 : errno;
}

static enum nd_err
remove_all(const struct store_backup *backup, struct nd_why *why)
{
	int error = clear(backup->spool);

	if (error == 0)
		error = clear(backup->folder);
	return error == 0 ? ND_OK : nd_fail(why, ND_EDISK, error, "%s cannot be removed", backup->folder);
}

static enum nd_err
trouble(struct store_backup *backup, int rc, struct nd_why *why)
{
	enum nd_err err = (rc & 0xff) == SQLITE_FULL ? ND_EDISKFULL : ND_EDISK;

	return nd_fail(why, err, 0, "%s: %s, while copying the queue", backup->copy, sqlite3_errstr(rc));
}

/* Is there room for all of it, and for what jobs may not take? */
static enum nd_err
check_room(struct store *store, const struct store_req *req, const struct store_backup *backup, struct nd_why *why)
{
	int64_t free_octets = filer_free(store->folder), need;
	struct stat st;

	need = stat(store->path, &st) == 0 ? (int64_t)st.st_size : 0;
	if (free_octets < 0 || free_octets - (int64_t)req->limit_octets >= need)
		return ND_OK;
	(void)nd_fail(why, ND_EDISKFULL, 0, "a copy of the queue needs %lld octets in %s, and there are %lld",
	    (long long)need + (long long)req->limit_octets, backup->folder, (long long)free_octets);
	return nd_fail_at(why, "min_free", 0, "free space where the state directory lives");
}

static enum nd_err
begin(struct store *store, const struct store_req *req, struct store_backup *backup, struct nd_why *why)
{
	int rc, fd;

	if (remove_all(backup, why) != ND_OK || check_room(store, req, backup, why) != ND_OK ||
	    filer_mkdir(backup->folder, why) != ND_OK || filer_mkdir(backup->spool, why) != ND_OK)
		return why->err;
	fd = open(backup->copy, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600); /* for its mode */
	if (fd < 0)
		return nd_fail(why, ND_EDISK, errno, "%s cannot be made", backup->copy);
	(void)close(fd);
	rc = sqlite3_open_v2(
	    backup->copy, &backup->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (rc == SQLITE_OK) /* it is synced when it is whole */
		rc = sqlite3_exec(backup->db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return trouble(backup, rc, why);
	backup->backup = sqlite3_backup_init(backup->db, "main", store->db, "main");
	return backup->backup != NULL ? ND_OK : trouble(backup, sqlite3_errcode(backup->db), why);
}

static enum nd_err
sync_path(const char *path, struct nd_why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc = fd >= 0 ? fsync(fd) : -1, error = errno;

	if (fd >= 0)
		(void)close(fd);
	return rc == 0 ? ND_OK : nd_fail(why, ND_EDISK, error, "%s cannot be synced", path);
}

static enum nd_err
link_spool(const struct store *store, const struct store_backup *backup, struct nd_why *why)
{
	char path[4160];
	int from, keys, to = open_folder(backup->spool), error = 0;
	const struct dirent *entry;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/keys", store->folder);
	keys = open_folder(path);
	(void)snprintf(path, sizeof(path), "%s/spool", store->folder);
	from = open_folder(path);
	dir = from >= 0 ? fdopendir(from) : NULL;
	if (dir == NULL && errno != ENOENT)
		error = errno;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
	while (dir != NULL && error == 0 && (entry = readdir(dir)) != NULL)
		/* One that goes meanwhile is one that no job of the copy names. */
		if (nd_ulid_valid(entry->d_name) && (keys < 0 || faccessat(keys, entry->d_name, F_OK, 0) != 0) &&
		    linkat(from, entry->d_name, to, entry->d_name, 0) != 0 && errno != ENOENT)
			error = errno;
	if (dir != NULL)
		(void)closedir(dir);
	else if (from >= 0)
		(void)close(from);
	if (keys >= 0)
		(void)close(keys);
	if (to >= 0)
		(void)close(to);
	return error == 0 ? ND_OK : nd_fail(why, ND_EDISK, error, "%s cannot be filled", backup->spool);
}

static enum nd_err
finish(struct store *store, struct store_backup *backup, struct nd_why *why)
{
	int rc = sqlite3_backup_finish(backup->backup);

	backup->backup = NULL;
	if (rc == SQLITE_OK)
		rc = sqlite3_close(backup->db);
	if (rc != SQLITE_OK)
		return trouble(backup, rc, why);
	backup->db = NULL;
	if (link_spool(store, backup, why) != ND_OK || sync_path(backup->copy, why) != ND_OK ||
	    sync_path(backup->spool, why) != ND_OK || sync_path(backup->folder, why) != ND_OK)
		return why->err;
	return ND_OK;
}

/* One slice; *done when it was the last. */
static enum nd_err
work(struct store *store, struct store_req *req, struct store_backup *backup, bool *done)
{
	nd_ms end = store_ms() + STORE_SLICE;
	int rc = SQLITE_OK;

	if (backup->backup == NULL && begin(store, req, backup, &req->why) != ND_OK)
		return req->why.err;
	while (rc == SQLITE_OK && store_ms() < end) {
		store_busy(store);
		rc = sqlite3_backup_step(backup->backup, PAGES);
	}
	*done = rc == SQLITE_DONE;
	if (rc == SQLITE_DONE)
		return finish(store, backup, &req->why);
	return rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED ? ND_OK : trouble(backup, rc, &req->why);
}

void
store_backup_end(struct store_backup *backup, bool keep)
{
	if (backup == NULL)
		return;
	(void)sqlite3_backup_finish(backup->backup);
	(void)sqlite3_close(backup->db);
	if (!keep)
		(void)remove_all(backup, NULL);
	free(backup);
}

static void
name(const struct store *store, struct store_backup *backup)
{
	(void)snprintf(backup->folder, sizeof(backup->folder), "%s/backup", store->folder);
	(void)snprintf(backup->copy, sizeof(backup->copy), "%s/queue.db", backup->folder);
	(void)snprintf(backup->spool, sizeof(backup->spool), "%s/spool", backup->folder);
}

/* It holds messages of jobs that have come to their end since. */
void
store_backup_clear(const struct store *store)
{
	struct store_backup backup = { 0 };
	struct nd_why why;

	name(store, &backup);
	if (access(backup.folder, F_OK) != 0)
		return;
	if (remove_all(&backup, &why) == ND_OK)
		nd_log(ND_LOG_NOTICE, NULL, "the backup in %s, which nobody has taken, is removed", backup.folder);
	else
		nd_log(ND_LOG_WARNING, NULL, "an old backup stays: %s", why.text);
}

void
store_backup_slice(struct store *store, struct store_scan *scan)
{
	struct store_req *req = scan->req;
	struct store_backup *backup = scan->backup;

	if (backup == NULL) {
		backup = scan->backup = nd_xalloc(sizeof(*backup));
		name(store, backup);
	}
	if (req->drop) {
		req->err = remove_all(backup, &req->why);
		scan->finished = true;
	} else {
		req->err = work(store, req, backup, &scan->finished);
		scan->finished = scan->finished || req->err != ND_OK;
	}
	if (scan->finished) {
		store_backup_end(backup, req->err == ND_OK && !req->drop);
		scan->backup = NULL;
	}
}
