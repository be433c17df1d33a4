/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the queue in SQLite: implements core/store.h.  Layer: io.  The only user of SQLite.
 *
 * One storage thread owns the connection. It is given what a turn of the loop asks for, takes what has come since the last commit (at most 512 requests or
 * 4 MB), runs it in one transaction, commits with sync, and posts the answers. Disk full: writes fail with ND_EDISKFULL until there is room again. Any I/O error, a failed fsync or a corrupt
 * file: the store is dead, every later write fails with ND_EDISK (a failed fsync is never tried again as if nothing had been).
 */
#ifndef ND_IO_STORE_H
#define ND_IO_STORE_H

#include "common/err.h"
#include "daemon/core/store.h"
#include "daemon/io/loop.h"

struct store;
/* Opens STATE/queue.db (made, or brought to this schema) and locks it: ND_ELOCKED when another process has it. */
struct store *store_open(const char *state_dir, struct loop *loop, struct nd_why *why);
void store_submit(void *port, struct store_req *req); /* port: the store */
extern const struct store_ops store_ops;
/* Milliseconds (BOOTTIME) since when the thread is in one system call or step; 0 idle: for the watchdog. Any thread. */
int64_t store_busy_since(const struct store *store);
/* Requests taken, and those answered, so far: for the watchdog. */
void store_requests(const struct store *store, uint64_t *asked, uint64_t *served);
/* Does a job of the queue have its body in the spool? For the sweep at start: asks at once, on the caller's thread. */
bool store_spooled(struct store *store, const char *id);
/* Unfinished jobs and the octets of their messages, as of the last commit; of all, or of one submitter (unit NULL or "": none). Any thread. */
struct store_size {
	uint64_t jobs, octets;
};
struct store_size store_size(struct store *store);
struct store_size store_size_of(struct store *store, uint32_t uid, const char *unit);
uint64_t store_commits(
    const struct store *store);        /* so far, with something written: for tests and measuring. Any thread */
void store_close(struct store *store); /* serves what is queued, checkpoints, joins. done()s run before it returns */

#endif
