/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - the port: requests in, the storage thread, batches, answers out.  Layer: io.
 *
 *   store_submit ─► held ─► first … last ─► take a batch ─► one transaction, one sync ─► answered ─► note to the loop ─► done()
 *
 * A transaction that fails is rolled back and its requests are tried again one by one, so that one bad request fails alone. Reads of unknown length
 * (store_scan.c) are not part of a batch: each turn of the thread runs one slice of one of them.
 */
#include "common/log.h"
#include "common/mem.h"
#include "daemon/io/store_internal.h"
#include "daemon/io/trim.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SMALL_REQUEST 1024u /* octets, as counted for a batch */
#define IDLE_SECONDS 5      /* then the cache is given back */

struct store_mail {
	struct loop_note note;
	struct store *store; /* NULL: it is closed */
};

const struct store_ops store_ops = { .submit = store_submit };

static void
must(int failed)
{
	if (failed)
		abort();
}

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts));
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

nd_ms
store_ms(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

nd_unix
store_unix(void)
{
	return read_clock(CLOCK_REALTIME);
}

void
store_busy(struct store *store)
{
	atomic_store_explicit(&store->busy_since, store_ms(), memory_order_relaxed);
}

int64_t
store_busy_since(const struct store *store)
{
	return atomic_load_explicit(&store->busy_since, memory_order_relaxed);
}

void
store_requests(const struct store *store, uint64_t *asked, uint64_t *served)
{
	/* In this order: what is answered in between was asked before. */
	*served = atomic_load_explicit(&store->served, memory_order_acquire);
	*asked = atomic_load_explicit(&store->asked, memory_order_acquire);
}

uint64_t
store_commits(const struct store *store)
{
	return atomic_load_explicit(&store->commits, memory_order_relaxed);
}

/* -- answers -- */

/* Runs the done() of all that is answered. On the loop. */
static void
hand_back(struct store *store)
{
	struct store_req *req;

	must(pthread_mutex_lock(&store->lock));
	req = store->answered;
	store->answered = NULL;
	store->answer_end = &store->answered;
	must(pthread_mutex_unlock(&store->lock));
	while (req != NULL) {
		struct store_req *next = req->next; /* done() frees the request */

		req->done(req);
		req = next;
	}
}

static void
read_mail(void *arg)
{
	struct store_mail *mail = arg;
	struct store *store = mail->store;

	if (store != NULL) {
		must(pthread_mutex_lock(&store->lock));
		store->mail = NULL;
		must(pthread_mutex_unlock(&store->lock));
		hand_back(store);
	}
	free(mail);
}

/* With the lock held. */
static void
answer(struct store *store, struct store_req *req)
{
	atomic_fetch_add_explicit(&store->served, 1, memory_order_relaxed);
	req->next = NULL;
	*store->answer_end = req;
	store->answer_end = &req->next;
	if (store->mail != NULL)
		return;
	store->mail = nd_xalloc(sizeof(*store->mail));
	store->mail->store = store;
	store->mail->note.fn = read_mail;
	store->mail->note.arg = store->mail;
	loop_post(store->loop, &store->mail->note);
}

/* -- one request -- */

static bool
writes(const struct store_req *req)
{
	return req->op == STORE_PUT || req->op == STORE_OUTCOME || req->op == STORE_MOVE ||
	       req->op == STORE_UNCERTAIN || req->op == STORE_HURRY || req->op == STORE_TOUCH ||
	       req->op == STORE_PRUNE || req->op == STORE_KEEP || (req->op == STORE_UNTOLD && req->drop);
}

typedef int serve_fn(struct store *store, struct store_req *req);
static const struct {
	serve_fn *serve; /* NULL: a long read, see store_scan.c */
	const char *doing;
} services[] = {
	[STORE_PUT] = { store_write_put, "storing a job" },
	[STORE_OUTCOME] = { store_untold_outcome, "storing what an attempt came to" },
	[STORE_MOVE] = { store_write_change, "storing a job's new state" },
	[STORE_LOAD] = { store_read_load, "reading the jobs that are due" },
	[STORE_SHOW] = { store_read_show, "reading a job" },
	[STORE_LIST] = { NULL, "listing jobs" },
	[STORE_BODY] = { store_read_show, "reading a message" },
	[STORE_TOTALS] = { store_read_totals, "counting jobs" },
	[STORE_UNCERTAIN] = { store_write_uncertain, "marking uncertain jobs" },
	[STORE_HURRY] = { store_write_hurry, "making waiting jobs due" },
	[STORE_TOUCH] = { store_write_touch, "looking for room" },
	[STORE_EXPIRE] = { store_read_expire, "looking for jobs whose time is over" },
	[STORE_ENDING] = { store_read_ending, "counting jobs whose time will be over" },
	[STORE_BACKUP] = { NULL, "copying the queue" },
	[STORE_UNTOLD] = { store_untold, "looking for jobs that nobody was told of" },
	[STORE_LIMIT] = { store_limit_read, "reading what was sent" },
	[STORE_KEEP] = { store_limit_keep, "keeping what was sent" },
	[STORE_KEY] = { store_write_known, "looking up an idempotency key" },
	[STORE_PRUNE] = { store_prune, "removing what has been kept long enough" },
};

/* `rc` is what the transaction with this request came to. */
static void
fail(struct store *store, struct store_req *req, int rc)
{
	enum nd_err err = store_db_err(store, rc);

	store_read_forget(req);
	if (err == ND_EDISKFULL)
		req->err = nd_fail(
		    &req->why, err, 0, "the disk of %s is full, while %s", store->path, services[req->op].doing);
	else
		req->err = nd_fail(&req->why, err, store->trouble_errno, "%s: %s, while %s", store->path,
		    store->trouble, services[req->op].doing);
}

static void
refuse(struct store *store, struct store_req *req)
{
	req->err = nd_fail(&req->why, ND_EDISK, store->trouble_errno,
	    "the queue cannot be written since its disk reported an error (%s)", store->trouble);
}

/* -- batches -- */

static int
run(struct store *store, struct store_req **reqs, unsigned count)
{
	unsigned i;
	int before, rc = store_db_run(store_db_stmt(store, SQL_BEGIN));

	before = sqlite3_total_changes(store->db);
	for (i = 0; i < count && rc == SQLITE_OK; i++) {
		store_busy(store);
		store_read_forget(reqs[i]);
		rc = services[reqs[i]->op].serve(store, reqs[i]);
	}
	if (rc == SQLITE_OK)
		rc = store_count_write(store);
	if (rc != SQLITE_OK) {
		store_db_note(store, rc);
		store_db_rollback(store);
		store_count_forget(store);
		return rc;
	}
	store_busy(store);
	rc = store_db_commit(store);
	if (rc != SQLITE_OK) {
		store_count_forget(store);
		return rc;
	}
	store_count_keep(store);
	if (sqlite3_total_changes(store->db) != before)
		atomic_fetch_add_explicit(&store->commits, 1, memory_order_relaxed);
	return SQLITE_OK;
}

static void
serve_alone(struct store *store, struct store_req *req)
{
	int rc;

	if (store->dead && writes(req)) {
		refuse(store, req);
		return;
	}
	if ((rc = run(store, &req, 1)) == SQLITE_OK)
		return;
	if (store_db_fatal(store, rc))
		store_db_die(store);
	fail(store, req, rc);
}

static void
prepare(struct store_req *req)
{
	if (req->before != NULL)
		req->before(req);
	req->before = NULL; /* it may come again, after a failure */
}

static void
serve(struct store *store)
{
	unsigned i;
	int rc;

	for (i = 0; i < store->batch_count; i++)
		prepare(store->batch[i]);
	if (store->batch_count > 1 && !store->dead) {
		rc = run(store, store->batch, store->batch_count);
		if (rc == SQLITE_OK)
			return;
		if (store_db_fatal(store, rc))
			store_db_die(store);
	}
	for (i = 0; i < store->batch_count; i++)
		serve_alone(store, store->batch[i]);
}

/* One slice of the oldest long read; then it is another one's turn. */
static void
serve_scan(struct store *store)
{
	struct store_scan *scan = store->scans, **end;
	int rc = SQLITE_OK;

	store_busy(store);
	if (scan->req->op == STORE_BACKUP)
		store_backup_slice(store, scan);
	else
		rc = store_scan_slice(store, scan);
	if (rc != SQLITE_OK) {
		store_db_note(store, rc);
		if (store_db_fatal(store, rc))
			store_db_die(store);
		fail(store, scan->req, rc);
		scan->finished = true;
	}
	store->scans = scan->next;
	scan->next = NULL;
	must(pthread_mutex_lock(&store->lock));
	if (!scan->finished && store->stopping) {
		store_backup_end(scan->backup, false);
		store_read_forget(scan->req);
		scan->req->err = nd_fail(
		    &scan->req->why, ND_ESTOPPING, 0, "notifyd stopped while it was %s", services[scan->req->op].doing);
		scan->finished = true;
	}
	if (scan->finished)
		answer(store, scan->req);
	must(pthread_mutex_unlock(&store->lock));
	if (scan->finished) {
		free(scan);
		return;
	}
	for (end = &store->scans; *end != NULL; end = &(*end)->next)
		continue;
	*end = scan;
}

/* -- the thread -- */

static size_t
weight(const struct store_req *req)
{
	return SMALL_REQUEST + (req->op == STORE_PUT && !req->job->spooled ? (size_t)req->job->body_len : 0);
}

/* With the lock held. */
static void
take(struct store *store)
{
	struct store_scan **end = &store->scans;
	size_t octets = 0;

	while (*end != NULL)
		end = &(*end)->next;
	store->batch_count = 0;
	while (store->first != NULL && store->batch_count < STORE_BATCH_REQUESTS && octets < STORE_BATCH_OCTETS) {
		struct store_req *req = store->first;

		store->first = req->next;
		if (store_scan_needed(req)) {
			*end = store_scan_new(req);
			end = &(*end)->next;
			continue;
		}
		octets += weight(req);
		store->batch[store->batch_count++] = req;
	}
	if (store->first == NULL)
		store->last = &store->first;
}

/* Waits for something to do, with the lock held. Once after some quiet seconds memory is given back; it is not needed for being idle. */
static void
rest(struct store *store, bool *used)
{
	struct timespec until;

	atomic_store_explicit(&store->busy_since, 0, memory_order_relaxed);
	while (store->first == NULL && !store->stopping) {
		if (!*used) {
			must(pthread_cond_wait(&store->wake, &store->lock));
			continue;
		}
		must(clock_gettime(CLOCK_MONOTONIC, &until));
		until.tv_sec += IDLE_SECONDS;
		if (pthread_cond_timedwait(&store->wake, &store->lock, &until) != ETIMEDOUT)
			continue;
		*used = false;
		must(pthread_mutex_unlock(&store->lock));
		must(pthread_mutex_lock(&store->db_lock));
		(void)sqlite3_db_release_memory(store->db);
		must(pthread_mutex_unlock(&store->db_lock));
		trim_heap();
		trim_code();
		must(pthread_mutex_lock(&store->lock));
	}
}

static void
serve_turn(struct store *store)
{
	unsigned i;

	must(pthread_mutex_lock(&store->db_lock));
	if (store->batch_count > 0) {
		serve(store);
		must(pthread_mutex_lock(&store->lock));
		for (i = 0; i < store->batch_count; i++)
			answer(store, store->batch[i]);
		must(pthread_mutex_unlock(&store->lock));
	}
	/* After the answers: nobody waits for it. */
	if (!store->dead && store->log_frames >= STORE_CHECKPOINT_FRAMES) {
		store_busy(store);
		(void)store_db_checkpoint(store);
	}
	if (store->scans != NULL)
		serve_scan(store);
	must(pthread_mutex_unlock(&store->db_lock));
}

static void *
labour(void *arg)
{
	struct store *store = arg;
	bool used = true, done = false;

	(void)pthread_setname_np(pthread_self(), "storage");
	while (!done) {
		must(pthread_mutex_lock(&store->lock));
		if (store->scans == NULL)
			rest(store, &used);
		take(store);
		done = store->stopping && store->batch_count == 0 && store->scans == NULL;
		must(pthread_mutex_unlock(&store->lock));
		if (done)
			break;
		used = true;
		serve_turn(store);
	}
	return NULL;
}

/* -- opening and closing -- */

/* Signals are the loop's. */
static void
start(struct store *store)
{
	sigset_t all, old;
	pthread_condattr_t attr;

	must(pthread_mutex_init(&store->lock, NULL));
	must(pthread_mutex_init(&store->db_lock, NULL));
	must(pthread_condattr_init(&attr));
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	must(pthread_cond_init(&store->wake, &attr));
	must(pthread_condattr_destroy(&attr));
	(void)sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &old));
	must(pthread_create(&store->thread, NULL, labour, store));
	must(pthread_sigmask(SIG_SETMASK, &old, NULL));
}

struct store *
store_open(const char *state_dir, struct loop *loop, struct nd_why *why)
{
	struct store *store = nd_xalloc(sizeof(*store));
	enum nd_err err;
	int rc;

	store->loop = loop;
	store->folder = nd_xstrdup(state_dir);
	store->lock_fd = -1;
	must(pthread_mutex_init(&store->owner_lock, NULL));
	store->last = &store->first;
	store->answer_end = &store->answered;
	err = store_db_open(store, why);
	if (err == ND_OK) {
		rc = store_count_open(store);
		if (rc == SQLITE_OK)
			rc = store_tale_open(store);
		if (rc != SQLITE_OK) {
			store_db_note(store, rc);
			err = nd_fail(why, ND_EDISK, store->trouble_errno, "%s: %s, while counting the jobs",
			    store->path, store->trouble);
		}
	}
	if (err != ND_OK) {
		store_count_close(store);
		store_db_close(store);
		must(pthread_mutex_destroy(&store->owner_lock));
		free(store);
		return NULL;
	}
	start(store);
	store_hold_begin(store);
	return store;
}

void
store_submit(void *port, struct store_req *req)
{
	struct store *store = port;

	req->next = NULL;
	req->jobs = NULL;
	req->found = NULL;
	req->attempts = NULL;
	req->counts = NULL;
	req->pruned = NULL;
	store_read_forget(req);
	atomic_fetch_add_explicit(&store->asked, 1, memory_order_relaxed);
	if (!store->stopping) { /* written by this thread only */
		store_hold(store, req);
		return;
	}
	req->err = nd_fail(&req->why, ND_ESTOPPING, 0, "notifyd is stopping");
	must(pthread_mutex_lock(&store->lock));
	answer(store, req);
	must(pthread_mutex_unlock(&store->lock));
}

bool
store_spooled(struct store *store, const char *id)
{
	sqlite3_stmt *stmt;
	bool row;

	must(pthread_mutex_lock(&store->db_lock));
	stmt = store_db_stmt(store, SQL_SPOOLED);
	store_db_text(stmt, 1, id);
	/* In doubt the file stays. */
	if (store_db_step(stmt, &row) != SQLITE_OK)
		row = true;
	(void)sqlite3_reset(stmt);
	must(pthread_mutex_unlock(&store->db_lock));
	return row;
}

void
store_close(struct store *store)
{
	if (store == NULL)
		return;
	store_hold_end(store);
	must(pthread_mutex_lock(&store->lock));
	store->stopping = true;
	must(pthread_cond_signal(&store->wake));
	must(pthread_mutex_unlock(&store->lock));
	must(pthread_join(store->thread, NULL));
	while (store->answered != NULL) /* a done() may have submitted more, which is refused */
		hand_back(store);
	if (store->mail != NULL)
		store->mail->store = NULL; /* the loop frees it */
	must(pthread_cond_destroy(&store->wake));
	must(pthread_mutex_destroy(&store->lock));
	must(pthread_mutex_destroy(&store->db_lock));
	store_count_close(store);
	store_db_close(store);
	must(pthread_mutex_destroy(&store->owner_lock));
	free(store);
}
