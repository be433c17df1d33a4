/* SPDX-License-Identifier: Apache-2.0 */
/* store_shim.c - see store_shim.h. */
#include "tests/io/store_shim.h"

#include "common/mem.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES 8

struct range {
	sqlite3_int64 at;
	int len;
};

struct shim_file {
	sqlite3_file base;
	bool log; /* the write-ahead log, not the database */
	int error;
	struct range *unsynced;
	unsigned count, room;
	sqlite3_file *real;
};

struct store_shim store_shim;

static sqlite3_vfs shim_vfs, *real_vfs;
static struct shim_file *files[FILES]; /* that are open */

static sqlite3_file *
real(sqlite3_file *file)
{
	return ((struct shim_file *)file)->real;
}

static void
note(struct shim_file *shim, sqlite3_int64 at, int len)
{
	if (shim->count == shim->room) {
		shim->room = shim->room > 0 ? 2 * shim->room : 64;
		shim->unsynced = nd_xrealloc(shim->unsynced, shim->room * sizeof(*shim->unsynced));
	}
	shim->unsynced[shim->count++] = (struct range){ at, len };
}

static void
spoil(struct shim_file *shim)
{
	static char garbage[0x1ffff];

	memset(garbage, 0xa5, sizeof(garbage));
	for (unsigned i = 0; i < shim->count; i++)
		(void)shim->real->pMethods->xWrite(shim->real, garbage, shim->unsynced[i].len, shim->unsynced[i].at);
}

static void
crash(void)
{
	for (unsigned i = 0; i < FILES && store_shim.power; i++)
		if (files[i] != NULL)
			spoil(files[i]);
	(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

static bool
is_last_step(void)
{
	return ++store_shim.steps == store_shim.crash_at;
}

static int
shim_close(sqlite3_file *file)
{
	for (unsigned i = 0; i < FILES; i++)
		if (files[i] == (struct shim_file *)file)
			files[i] = NULL;
	free(((struct shim_file *)file)->unsynced);
	return real(file)->pMethods->xClose(real(file));
}

static int
shim_read(sqlite3_file *file, void *octets, int len, sqlite3_int64 at)
{
	return real(file)->pMethods->xRead(real(file), octets, len, at);
}

/* The fault that a write to the log meets. */
static int
fault(struct shim_file *shim)
{
	store_shim.writes_of_log++;
	if ((store_shim.full || store_shim.quota || store_shim.broken) && store_shim.spare-- > 0)
		return SQLITE_OK;
	shim->error = store_shim.quota ? EDQUOT : store_shim.broken ? EIO : 0;
	return store_shim.full ? SQLITE_FULL : shim->error != 0 ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int
shim_write(sqlite3_file *file, const void *octets, int len, sqlite3_int64 at)
{
	struct shim_file *shim = (struct shim_file *)file;
	int rc = shim->log ? fault(shim) : SQLITE_OK;
	bool last = is_last_step();

	if (rc != SQLITE_OK || last)
		len /= 2;
	note(shim, at, len);
	if (rc == SQLITE_OK)
		rc = real(file)->pMethods->xWrite(real(file), octets, len, at);
	else
		(void)real(file)->pMethods->xWrite(real(file), octets, len, at);
	if (last)
		crash();
	return rc;
}

static int
shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return real(file)->pMethods->xTruncate(real(file), size);
}

static int
shim_sync(sqlite3_file *file, int flags)
{
	struct shim_file *shim = (struct shim_file *)file;

	if (is_last_step())
		crash();
	if (shim->log)
		store_shim.syncs_of_log++;
	if (shim->log ? store_shim.sync_log : store_shim.sync_db) {
		shim->error = errno = EIO;
		return SQLITE_IOERR_FSYNC;
	}
	shim->count = 0;
	return real(file)->pMethods->xSync(real(file), flags);
}

static int
shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real(file)->pMethods->xFileSize(real(file), size);
}

static int
shim_lock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xLock(real(file), level);
}

static int
shim_unlock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xUnlock(real(file), level);
}

static int
shim_reserved(sqlite3_file *file, int *out)
{
	return real(file)->pMethods->xCheckReservedLock(real(file), out);
}

static int
shim_control(sqlite3_file *file, int op, void *arg)
{
	if (op == SQLITE_FCNTL_LAST_ERRNO) {
		*(int *)arg = ((struct shim_file *)file)->error;
		return SQLITE_OK;
	}
	return real(file)->pMethods->xFileControl(real(file), op, arg);
}

static int
shim_sector(sqlite3_file *file)
{
	return real(file)->pMethods->xSectorSize(real(file));
}

static int
shim_traits(sqlite3_file *file)
{
	return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static const sqlite3_io_methods shim_methods = {
	.iVersion = 1,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_reserved,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector,
	.xDeviceCharacteristics = shim_traits,
};

static int
shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *flags_out)
{
	struct shim_file *shim = (struct shim_file *)file;
	unsigned i;
	int rc;

	(void)vfs;
	*shim = (struct shim_file){ .log = (flags & SQLITE_OPEN_WAL) != 0, .real = (sqlite3_file *)(shim + 1) };
	rc = real_vfs->xOpen(real_vfs, name, shim->real, flags, flags_out);
	if (shim->real->pMethods == NULL)
		return rc;
	file->pMethods = &shim_methods;
	for (i = 0; i < FILES && files[i] != NULL; i++)
		continue;
	if (i == FILES)
		abort();
	files[i] = shim;
	return rc;
}

int
store_shim_install(void **state)
{
	(void)state;
	real_vfs = sqlite3_vfs_find(NULL);
	shim_vfs = *real_vfs;
	shim_vfs.zName = "shim";
	shim_vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
	shim_vfs.xOpen = shim_open;
	return sqlite3_vfs_register(&shim_vfs, 1) == SQLITE_OK ? 0 : -1;
}

void
store_shim_mend(void)
{
	store_shim.sync_log = store_shim.sync_db = store_shim.full = store_shim.quota = store_shim.broken = false;
	store_shim.power = false;
	store_shim.spare = store_shim.writes_of_log = store_shim.syncs_of_log = 0;
	store_shim.steps = store_shim.crash_at = 0;
}
