/* SPDX-License-Identifier: Apache-2.0 */
/* store_log.c - SQLite's file layer, with the writes to the write-ahead log joined.  Layer: io.
 *
 * SQLite writes each page of a commit in two pieces, its frame's header and the page. They follow one another, so they are gathered here and written
 * together: before anything else is done with the file, first of all before the sync that makes the commit. What a write has against it, such as a full
 * disk, is therefore told by the sync; to the commit it is the same. A read is no place to tell it: the commit would go on without what was lost. The
 * database itself goes straight to the layer below.
 */
#include "common/mem.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

#define FRAME (24u + STORE_PAGE)
#define GATHERED (15u * FRAME) /* SQLite's file layer for Unix writes less than 128 KiB at a time */
_Static_assert(GATHERED < 0x20000, "one write takes it");

struct log_file {
	sqlite3_file base;
	char *octets; /* gathered: `len` of them, for `at` */
	int len;
	sqlite3_int64 at;
	sqlite3_file *below;
};

static sqlite3_vfs vfs, *vfs_below;

static sqlite3_file *
below(sqlite3_file *file)
{
	return ((struct log_file *)file)->below;
}

static int
write_out(struct log_file *log)
{
	return log->len > 0 ? log->below->pMethods->xWrite(log->below, log->octets, log->len, log->at) : SQLITE_OK;
}

/* For a write or a sync. What could not be written is gone: the commit that it is of fails. */
static int
flush(sqlite3_file *file)
{
	struct log_file *log = (struct log_file *)file;
	int rc = write_out(log);

	log->len = 0;
	return rc;
}

/* For all else, which may fail without the commit: what could not be written stays, and the commit is told. */
static int
flush_or_keep(sqlite3_file *file)
{
	struct log_file *log = (struct log_file *)file;
	int rc = write_out(log);

	if (rc == SQLITE_OK)
		log->len = 0;
	return rc;
}

static int
log_close(sqlite3_file *file)
{
	int flushed = flush(file), rc = below(file)->pMethods->xClose(below(file));

	free(((struct log_file *)file)->octets);
	return flushed != SQLITE_OK ? flushed : rc;
}

static int
log_read(sqlite3_file *file, void *octets, int len, sqlite3_int64 at)
{
	const struct log_file *log = (const struct log_file *)file;
	/* What lies before is read also when the disk is full: it may be all that is committed. */
	int rc = at + len <= log->at ? SQLITE_OK : flush_or_keep(file);

	return rc == SQLITE_OK ? below(file)->pMethods->xRead(below(file), octets, len, at) : rc;
}

static int
log_write(sqlite3_file *file, const void *octets, int len, sqlite3_int64 at)
{
	struct log_file *log = (struct log_file *)file;
	int rc = SQLITE_OK;

	if (log->len > 0 && (at != log->at + log->len || len > (int)GATHERED - log->len))
		rc = flush(file);
	if (rc != SQLITE_OK)
		return rc;
	if (len > (int)GATHERED)
		return below(file)->pMethods->xWrite(below(file), octets, len, at);
	if (log->len == 0)
		log->at = at;
	memcpy(log->octets + log->len, octets, (size_t)len);
	log->len += len;
	return SQLITE_OK;
}

static int
log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int rc = flush_or_keep(file);

	return rc == SQLITE_OK ? below(file)->pMethods->xTruncate(below(file), size) : rc;
}

static int
log_sync(sqlite3_file *file, int flags)
{
	int rc = flush(file);

	return rc == SQLITE_OK ? below(file)->pMethods->xSync(below(file), flags) : rc;
}

static int
log_size(sqlite3_file *file, sqlite3_int64 *size)
{
	int rc = flush_or_keep(file);

	return rc == SQLITE_OK ? below(file)->pMethods->xFileSize(below(file), size) : rc;
}

static int
log_lock(sqlite3_file *file, int level)
{
	return below(file)->pMethods->xLock(below(file), level);
}

static int
log_unlock(sqlite3_file *file, int level)
{
	return below(file)->pMethods->xUnlock(below(file), level);
}

static int
log_reserved(sqlite3_file *file, int *out)
{
	return below(file)->pMethods->xCheckReservedLock(below(file), out);
}

static int
log_control(sqlite3_file *file, int op, void *arg)
{
	return below(file)->pMethods->xFileControl(below(file), op, arg);
}

static int
log_sector(sqlite3_file *file)
{
	return below(file)->pMethods->xSectorSize(below(file));
}

static int
log_traits(sqlite3_file *file)
{
	return below(file)->pMethods->xDeviceCharacteristics(below(file));
}

static const sqlite3_io_methods methods = {
	.iVersion = 1, /* what comes with later ones is for databases */
	.xClose = log_close,
	.xRead = log_read,
	.xWrite = log_write,
	.xTruncate = log_truncate,
	.xSync = log_sync,
	.xFileSize = log_size,
	.xLock = log_lock,
	.xUnlock = log_unlock,
	.xCheckReservedLock = log_reserved,
	.xFileControl = log_control,
	.xSectorSize = log_sector,
	.xDeviceCharacteristics = log_traits,
};

static int
open_file(sqlite3_vfs *unused, sqlite3_filename name, sqlite3_file *file, int flags, int *flags_out)
{
	struct log_file *log = (struct log_file *)file;
	int rc;

	(void)unused;
	if ((flags & SQLITE_OPEN_WAL) == 0)
		return vfs_below->xOpen(vfs_below, name, file, flags, flags_out);
	*log = (struct log_file){ .below = (sqlite3_file *)(log + 1) };
	rc = vfs_below->xOpen(vfs_below, name, log->below, flags, flags_out);
	if (log->below->pMethods == NULL)
		return rc;
	log->octets = nd_xrealloc(NULL, GATHERED);
	file->pMethods = &methods;
	return rc;
}

const char *
store_log_vfs(void)
{
	if (vfs.zName != NULL)
		return vfs.zName;
	vfs_below = sqlite3_vfs_find(NULL);
	if (vfs_below == NULL)
		return NULL; /* the library could not be started: opening says so */
	vfs = *vfs_below;
	vfs.zName = "notifyd";
	vfs.szOsFile = (int)sizeof(struct log_file) + vfs_below->szOsFile;
	vfs.xOpen = open_file;
	return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? vfs.zName : NULL;
}
