/* SPDX-License-Identifier: Apache-2.0 */
/* filer.h - small files written durably, off the loop.  Layer: io.
 *
 * write to NAME.new, fsync, rename, fsync of the folder: after ok the new octets are on disk, before it the old ones are. Mode 0600.
 */
#ifndef ND_IO_FILER_H
#define ND_IO_FILER_H

#include "common/err.h"
#include "daemon/io/loop.h"
#include "daemon/io/worker.h"

#include <sys/types.h>

/* On the calling thread. */
enum nd_err filer_write(const char *path, const void *octets, size_t len, struct nd_why *why) ND_MUST_CHECK;
/* As filer_write, but only where nothing is (ND_ESTATE), and with this mode. */
enum nd_err filer_create(
    const char *path, mode_t mode, const void *octets, size_t len, struct nd_why *why) ND_MUST_CHECK;
/* All octets to an open file: 0, or -1 with errno. */
int filer_write_all(int fd, const char *octets, size_t len) ND_MUST_CHECK;
/* Whole file, at most `limit`; *octets is the caller's, NUL after the end. ND_ENOTFOUND, ND_ETOOBIG, ND_EDISK. */
enum nd_err filer_read(const char *path, size_t limit, char **octets, size_t *len, struct nd_why *why) ND_MUST_CHECK;
/* The files of a folder whose names have this end, hidden ones left out: their paths by name, nd_xalloc'd as the array. A folder that is not there has
 * none. ND_EDISK: it cannot be read. */
struct filer_list {
	char **paths;
	unsigned count;
};
enum nd_err filer_list(const char *folder, const char *end, struct filer_list *list, struct nd_why *why) ND_MUST_CHECK;
void filer_list_done(struct filer_list *list);
/* Creates the folder (0700) unless it is there. */
enum nd_err filer_mkdir(const char *path, struct nd_why *why) ND_MUST_CHECK;

/* Octets that may still be written where `path` is; -1 not known. */
int64_t filer_free(const char *path);

/* On the file thread; done on the loop. The octets are copied, and wiped after. */
typedef void filer_done(void *arg, enum nd_err err, const struct nd_why *why);
void filer_write_later(struct worker *files, struct loop *loop, const char *path, const void *octets, size_t len,
    filer_done *done, void *arg);
/* Puts a file aside: PATH.KIND-1; what was there becomes -2 and so on, the one after `keep` ends. keep 0: it becomes PATH.KIND in place of what was there.
 * Fine when there is none. On the file thread, behind the writes that were asked for before. */
void filer_aside_later(struct worker *files, struct loop *loop, const char *path, const char *kind, unsigned keep);
/* As filer_aside_later with keep > 0, but PATH stays what it is as well, until it is written anew. */
void filer_keep_later(struct worker *files, struct loop *loop, const char *path, const char *kind, unsigned keep);
/* In the same order; fine when there is none. done NULL: what goes wrong is logged. */
void filer_remove_later(struct worker *files, struct loop *loop, const char *path, filer_done *done, void *arg);

#endif
