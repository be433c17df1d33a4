/* SPDX-License-Identifier: Apache-2.0 */
/* spool.h - bodies over 64 KiB, and those of sensitive jobs, one file each: STATE/spool/ULID.  Layer: io.
 *
 * Written and synced (file and folder) before the commit that names them; files that no job names are swept at start.
 * The body of a sensitive job is sealed; its key lies in STATE/keys/ULID, and nowhere else. To remove such a body is to overwrite its key: then what
 * is left of it, wherever that is, cannot be read.
 */
#ifndef ND_IO_SPOOL_H
#define ND_IO_SPOOL_H

#include "common/err.h"
#include "common/ulid.h"
#include "daemon/core/store.h"
#include "daemon/io/filer.h"
#include "daemon/io/seal.h"

#define SPOOL_OVER (64u * 1024u) /* octets: larger bodies go here */

struct spool;
struct spool *spool_open(
    const char *state_dir, struct loop *loop, struct worker *files, struct nd_why *why); /* NULL: why */
void spool_close(struct spool *spool);
/* Writes a body; takes `octets` (frees them). done(arg, err, why) on the loop, after the sync. spool_seal: under a key of its own; wipes `octets`. */
void spool_put(struct spool *spool, const char *id, char *octets, size_t len, filer_done *done, void *arg);
void spool_seal(struct spool *spool, const char *id, char *octets, size_t len, filer_done *done, void *arg);
/* A file that is written piece by piece, on a thread that may wait for the disk: begin, add …, keep, end. id NULL: a scratch file without
 * a name, in the open, gone with its end. `sealed`: under a key of its own. NULL: why. */
struct spool_file;
struct spool_file *spool_begin(struct spool *spool, const char *id, bool sealed, struct nd_why *why);
bool spool_add(void *file, const char *octets, size_t len); /* an nd_buf_sink; false: spool_keep tells why */
uint64_t spool_len(const struct spool_file *file);
enum nd_err spool_keep(struct spool_file *file, struct nd_why *why) ND_MUST_CHECK; /* synced: it stays */
const char *spool_map(
    struct spool_file *file, struct nd_why *why); /* a scratch file's octets, until its end; NULL: why */
void spool_relax(struct spool_file *file); /* what is in memory of the map may go: it is read again when needed */
void spool_end(struct spool_file *file);   /* frees; removes what was not kept. NULL is fine */
int spool_read_open(struct spool *spool, const char *id, struct nd_why *why); /* fd, or -1 */
void spool_remove(struct spool *spool, const char *id); /* on the file thread, the key first; a missing file is fine */
/* The body of a spooled job, in the open or sealed. */
struct spool_body {
	int fd;
	struct seal *seal; /* NULL: it lies there as it is */
	uint64_t at;
};
/* ND_EBODYGONE: the file or its key is no more. On ND_OK spool_body_close() both, or take them over. */
enum nd_err spool_body_open(
    struct spool *spool, const struct queue_job *job, struct spool_body *body, struct nd_why *why) ND_MUST_CHECK;
/* The next octets, in pieces as it likes; 0 at the end, -1: why. */
ssize_t spool_body_read(struct spool_body *body, void *out, size_t len, struct nd_why *why) ND_MUST_CHECK;
void spool_body_close(struct spool_body *body);
/* At start: removes each file for which known(arg, id) is false. */
void spool_sweep(struct spool *spool, bool (*known)(void *arg, const char *id), void *arg);

#endif
