/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_log.c - the writes to the log that are joined: what SQLite was told is done is done, whatever fails in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/io/store_internal.h"
#include "tests/io/store_case.h"
#include "tests/io/store_shim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
mend_and_tear_down(void **state)
{
	store_shim_mend();
	return tear_down(state);
}

/* -- the file itself -- */

static struct {
	sqlite3_filename name;
	sqlite3_file *file;
} log_;

static int
open_log(void **state)
{
	sqlite3_vfs *vfs;
	char path[128], wal[160];

	if (set_up(state) != 0)
		return -1;
	kit_stop(&kit);
	store_shim_mend();
	vfs = sqlite3_vfs_find(store_log_vfs());
	(void)snprintf(path, sizeof(path), "%s/queue.db", kit.folder);
	(void)snprintf(wal, sizeof(wal), "%s-wal", path);
	log_.name = sqlite3_create_filename(path, "", wal, 0, NULL);
	log_.file = nd_xalloc((size_t)vfs->szOsFile);
	return vfs->xOpen(vfs, sqlite3_filename_wal(log_.name), log_.file,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL, NULL);
}

static int
close_log(void **state)
{
	(void)log_.file->pMethods->xClose(log_.file);
	free(log_.file);
	sqlite3_free_filename(log_.name);
	return mend_and_tear_down(state);
}

static int
put(const char *octets, sqlite3_int64 at)
{
	return log_.file->pMethods->xWrite(log_.file, octets, (int)strlen(octets), at);
}

static int
sync_log(void)
{
	return log_.file->pMethods->xSync(log_.file, SQLITE_SYNC_NORMAL);
}

/* What is in the file, for everybody to see. */
static const char *
seen(void)
{
	static char octets[256];
	char path[128];
	FILE *file;
	size_t len;

	(void)snprintf(path, sizeof(path), "%s/queue.db-wal", kit.folder);
	file = fopen(path, "r");
	assert_non_null(file);
	len = fread(octets, 1, sizeof(octets) - 1, file);
	octets[len] = '\0';
	(void)fclose(file);
	return octets;
}

static void
what_follows_is_written_at_once_and_before_the_sync(void **state)
{
	(void)state;
	assert_int_equal(put("one ", 0), SQLITE_OK);
	assert_int_equal(put("two ", 4), SQLITE_OK);
	assert_int_equal(put("three", 8), SQLITE_OK);
	assert_string_equal(seen(), "");
	assert_int_equal(sync_log(), SQLITE_OK);
	assert_string_equal(seen(), "one two three");
	assert_int_equal(store_shim.writes_of_log, 1);
	assert_int_equal(store_shim.syncs_of_log, 1);
	assert_int_equal(sync_log(), SQLITE_OK);
	assert_int_equal(store_shim.writes_of_log, 1);
}

static void
what_does_not_follow_is_written_in_the_order_of_its_coming(void **state)
{
	(void)state;
	assert_int_equal(put("aaaa", 0), SQLITE_OK);
	assert_int_equal(put("bbbb", 2), SQLITE_OK); /* over the end of the first */
	assert_string_equal(seen(), "aaaa");
	assert_int_equal(put("cc", 0), SQLITE_OK);
	assert_string_equal(seen(), "aabbbb");
	assert_int_equal(sync_log(), SQLITE_OK);
	assert_string_equal(seen(), "ccbbbb");
}

static void
whoever_looks_sees_what_is_gathered(void **state)
{
	char octets[8] = "";
	sqlite3_int64 size;

	(void)state;
	assert_int_equal(put("one two", 0), SQLITE_OK);
	assert_int_equal(log_.file->pMethods->xRead(log_.file, octets, 3, 4), SQLITE_OK);
	assert_string_equal(octets, "two");
	assert_int_equal(put(" three", 7), SQLITE_OK);
	assert_int_equal(log_.file->pMethods->xFileSize(log_.file, &size), SQLITE_OK);
	assert_int_equal(size, 13);
	assert_int_equal(put(" four", 13), SQLITE_OK);
	assert_int_equal(log_.file->pMethods->xTruncate(log_.file, 15), SQLITE_OK);
	assert_string_equal(seen(), "one two three f");
}

static void
more_than_is_gathered_is_written_on_the_way(void **state)
{
	char *octets = nd_xalloc(100001);
	sqlite3_int64 size;

	(void)state;
	memset(octets, 'x', 100000);
	assert_int_equal(put(octets, 0), SQLITE_OK);
	assert_int_equal(store_shim.writes_of_log, 0);
	assert_int_equal(put(octets, 100000), SQLITE_OK);
	assert_int_equal(store_shim.writes_of_log, 1);
	assert_int_equal(log_.file->pMethods->xFileSize(log_.file, &size), SQLITE_OK);
	assert_int_equal(size, 200000);
	free(octets);
}

static void
the_sync_tells_what_could_not_be_written(void **state)
{
	int error = 0;

	(void)state;
	assert_int_equal(put("one", 0), SQLITE_OK);
	store_shim.full = true;
	assert_int_equal(sync_log(), SQLITE_FULL);
	assert_int_equal(store_shim.syncs_of_log, 0);
	store_shim.full = false;
	store_shim.broken = true;
	assert_int_equal(put("two", 0), SQLITE_OK);
	assert_int_equal(sync_log(), SQLITE_IOERR_WRITE);
	assert_int_equal(store_shim.syncs_of_log, 0);
	assert_int_equal(log_.file->pMethods->xFileControl(log_.file, SQLITE_FCNTL_LAST_ERRNO, &error), SQLITE_OK);
	assert_int_equal(error, EIO);
}

/* A read that fails is no commit that fails: the sync would say that all is well, and a hole would be in the log. */
static void
what_could_not_be_written_for_a_read_is_written_or_told_later(void **state)
{
	char octets[16];
	sqlite3_int64 size;

	(void)state;
	assert_int_equal(put("one two", 0), SQLITE_OK);
	store_shim.full = true;
	assert_int_equal(log_.file->pMethods->xRead(log_.file, octets, 3, 0), SQLITE_FULL);
	assert_int_equal(log_.file->pMethods->xFileSize(log_.file, &size), SQLITE_FULL);
	assert_int_equal(log_.file->pMethods->xTruncate(log_.file, 1), SQLITE_FULL);
	assert_int_equal(put(" three", 7), SQLITE_OK);
	assert_int_equal(sync_log(), SQLITE_FULL);
	store_shim.full = false;
	assert_int_equal(put("one two", 0), SQLITE_OK);
	store_shim.full = true;
	assert_int_equal(log_.file->pMethods->xRead(log_.file, octets, 3, 0), SQLITE_FULL);
	store_shim.full = false;
	assert_int_equal(put(" three", 7), SQLITE_OK);
	assert_int_equal(sync_log(), SQLITE_OK);
	assert_string_equal(seen(), "one two three");
}

static void
what_lies_before_is_read_though_the_disk_is_full(void **state)
{
	char octets[8] = "";

	(void)state;
	assert_int_equal(put("committed", 0), SQLITE_OK);
	assert_int_equal(sync_log(), SQLITE_OK);
	assert_int_equal(put("not yet", 9), SQLITE_OK);
	store_shim.full = true;
	assert_int_equal(log_.file->pMethods->xRead(log_.file, octets, 6, 3), SQLITE_OK);
	assert_string_equal(octets, "mitted");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_log, close_log)
	const struct CMUnitTest tests[] = {
		TEST(what_follows_is_written_at_once_and_before_the_sync),
		TEST(what_does_not_follow_is_written_in_the_order_of_its_coming),
		TEST(whoever_looks_sees_what_is_gathered),
		TEST(more_than_is_gathered_is_written_on_the_way),
		TEST(the_sync_tells_what_could_not_be_written),
		TEST(what_could_not_be_written_for_a_read_is_written_or_told_later),
		TEST(what_lies_before_is_read_though_the_disk_is_full),
	};

	return cmocka_run_group_tests(tests, store_shim_install, NULL);
}
