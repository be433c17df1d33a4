/* SPDX-License-Identifier: Apache-2.0 */
/* spool.h - bodies over 64 KiB, one file each: STATE/spool/ULID.  Layer: io.
 *
 * Written and synced (file and folder) before the commit that names them; files that no job names are swept at start.
 */
#ifndef ND_IO_SPOOL_H
#define ND_IO_SPOOL_H

#include "common/err.h"
#include "common/ulid.h"
#include "daemon/io/filer.h"

#define SPOOL_OVER (64u * 1024u) /* octets: larger bodies go here */

struct spool;
struct spool *spool_open(
    const char *state_dir, struct loop *loop, struct worker *files, struct nd_why *why); /* NULL: why */
void spool_close(struct spool *spool);
/* Writes a body; takes `octets` (frees them). done(arg, err, why) on the loop, after the sync. */
void spool_put(struct spool *spool, const char *id, char *octets, size_t len, filer_done *done, void *arg);
int spool_read_open(struct spool *spool, const char *id, struct nd_why *why); /* fd, or -1 */
void spool_remove(struct spool *spool, const char *id); /* on the file thread; a missing file is fine */
/* At start: removes each file for which known(arg, id) is false. */
void spool_sweep(struct spool *spool, bool (*known)(void *arg, const char *id), void *arg);

#endif
