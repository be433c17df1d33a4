/* SPDX-License-Identifier: Apache-2.0 */
/* store_internal.h - what the files of the store share.  Layer: io.
 *
 *   store.c         the port: requests in, the storage thread, batches, answers out
 *   store_hold.c    requests on their way to the thread
 *   store_db.c      the connection: lock, pragmas, statements, transactions, what an error means
 *   store_log.c     SQLite's file layer, with the writes to the log joined
 *   store_schema.c  every word of SQL: tables by version, statements
 *   store_row.c     rows to structs and back; the JSON text of a history row
 *   store_rcpt.c    the recipients of a job: in its row, or in rows of their own
 *   store_count.c   how many jobs are in which state, kept in memory
 *   store_owner.c   how much of the queue is whose, kept in memory
 *   store_write.c   PUT OUTCOME MOVE UNCERTAIN
 *   store_tale.c    the attempts of a job, their evidence and the last transcript
 *   store_read.c    SHOW BODY TOTALS EXPIRE
 *   store_load.c    LOAD
 *   store_scan.c    LIST, and SHOW by the end of an id: long reads, in slices
 *   store_prune.c   PRUNE
 *   store_limit.c   LIMIT KEEP
 *   store_backup.c  BACKUP, in slices too
 *
 * A function that returns int returns SQLite's code: not SQLITE_OK means that the transaction must be rolled back. What the caller of a request did
 * wrong (an unknown id …) is told in req->err, with SQLITE_OK, before anything was written.
 *
 * JOB_SENDING is never stored: on disk such a job is queued, so that it is found again whatever happens.
 */
#ifndef ND_IO_STORE_INTERNAL_H
#define ND_IO_STORE_INTERNAL_H

#include "common/buf.h"
#include "daemon/io/store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#define STORE_BATCH_REQUESTS 512u
#define STORE_BATCH_OCTETS (4u * 1024u * 1024u)
#define STORE_PAGE 8192
#define STORE_CHECKPOINT_FRAMES 2000 /* 16 MB of log */
#define STORE_ATTEMPTS_KEPT 50       /* of one job: the newest */
#define STORE_ENDINGS 20000          /* jobs that one ENDING looks at, of each kind */
#define STORE_BOUND 500u             /* rows that one EXPIRE or PRUNE touches */
#define STORE_SLICE ND_SEC(1) / 50   /* a long read gives way to writes after this */
#define STORE_LIST_OCTETS (4u * 1024u * 1024u)
#define STORE_KEY_LIFE ND_HOUR(24) /* of an idempotency key */
#define STORE_PACKED 1024u         /* room for the addresses in the row of a job */
#define STORE_OWNER_CHAINS 256u
#define STORE_RANK_SEVERE 0 /* job.rank of severity critical and worse */
#define STORE_RANK_FIRST 1  /* of the others: the lanes of their owners */
#define STORE_LANES 64u
#define STORE_TRIED_BITS 65536u

/* The columns that job and history have in common, in the order of enum store_row. */
#define STORE_COLUMNS                                                                                                  \
	"id,state,severity,resolved,uncertain,spooled,attempt_count,created,event_time,not_before,expires,due,uid,"    \
	"gid,pid,body_len,"                                                                                            \
	"account,unit,comm,source,key,reason,hint,envelope_from,sender,facts"
enum store_row {
	ROW_ID,
	ROW_STATE,
	ROW_SEVERITY,
	ROW_RESOLVED,
	ROW_UNCERTAIN,
	ROW_SPOOLED,
	ROW_ATTEMPT_COUNT,
	ROW_CREATED,
	ROW_EVENT_TIME,
	ROW_NOT_BEFORE,
	ROW_EXPIRES,
	ROW_DUE,
	ROW_UID,
	ROW_GID,
	ROW_PID,
	ROW_BODY_LEN,
	ROW_ACCOUNT,
	ROW_UNIT,
	ROW_COMM,
	ROW_SOURCE,
	ROW_KEY,
	ROW_REASON,
	ROW_HINT,
	ROW_ENVELOPE_FROM,
	ROW_SENDER,
	ROW_FACTS,
	ROW_COMMON,           /* how many these are */
	ROW_SEQ = ROW_COMMON, /* of job */
	ROW_AGAIN,            /* STORE_AGAIN, STORE_PASSED */
	ROW_DECLINED,
	ROW_LATE,
	ROW_BEGUN,
	ROW_RCPTS,
	ROW_HEAD,
	ROW_BODY,
	ROW_DATA = ROW_COMMON, /* of history */
};
#define STORE_AGAIN 1  /* of ROW_AGAIN: queue_job.again */
#define STORE_PASSED 2 /* queue_job.passed */

#define STORE_PUT_INTS (ROW_COMMON + 8)

enum store_spooled { STORE_IN_ROW, STORE_SPOOLED, STORE_SEALED }; /* where the message is */

enum store_sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_META_GET,
	SQL_META_PUT,
	SQL_LAST_ID,
	SQL_LAST_SEQ,
	SQL_COUNTS,
	SQL_TOTALS,
	SQL_TOTAL_ADD,
	SQL_OWNERS,
	SQL_OWNER_PUT,
	SQL_OWNER_DROP,
	SQL_FIND,
	SQL_STATE,
	SQL_SPOOLED,
	SQL_KEY_GET,
	SQL_KEY_PUT,
	SQL_KEY_DROP,
	SQL_KEYS_OLD,
	SQL_JOB_PUT,
	SQL_JOB_CHANGE,
	SQL_JOB_HURRY,
	SQL_JOB_UNCERTAIN,
	SQL_JOB_DROP,
	SQL_JOB,
	SQL_JOB_DUE,
	SQL_JOB_NEXT,
	SQL_JOB_RANK,
	SQL_JOB_OLDEST,
	SQL_JOB_OF_ACCOUNT,
	SQL_JOB_EXPIRES,
	SQL_JOB_AGED,
	SQL_JOB_AGED_OF,
	SQL_JOB_IDS,
	SQL_ENDING_OWN,
	SQL_ENDING_AGED,
	SQL_ENDING_OLD,
	SQL_RCPT_PUT,
	SQL_RCPT_CHANGE,
	SQL_PACKED,
	SQL_RCPTS,
	SQL_RCPTS_DROP,
	SQL_ATTEMPT_JOB,
	SQL_ATTEMPT_LAST,
	SQL_ATTEMPT_PUT,
	SQL_ATTEMPT_TRIM,
	SQL_ATTEMPTS,
	SQL_ATTEMPTS_DROP,
	SQL_EVIDENCE_PUT,
	SQL_EVIDENCE,
	SQL_EVIDENCE_DROP,
	SQL_TRANSCRIPT_PUT,
	SQL_TRANSCRIPT,
	SQL_TRANSCRIPT_DROP,
	SQL_HISTORY_PUT,
	SQL_HISTORY,
	SQL_HISTORY_IDS,
	SQL_HISTORY_OLD,
	SQL_HISTORY_DROP,
	SQL_LIMIT_GET,
	SQL_LIMIT_PUT,
	SQL_LIMITS_OLD,
	SQL_UNTOLD_PUT,
	SQL_UNTOLD,
	SQL_UNTOLD_DROP,
	SQL_KEPT,
	SQL_KEPT_OCTETS,
	SQL_COUNT
};

struct store_tally {
	char *account;
	int64_t queued, held;             /* committed */
	int64_t queued_delta, held_delta; /* of the transaction that runs */
};

/* A LIST or SHOW that is not finished: goes on below `below`. */
struct store_scan {
	struct store_scan *next;
	struct store_req *req;
	char below[ND_ULID_LEN + 1];
	char match[ND_ULID_LEN + 1]; /* SHOW: the id found so far */
	size_t octets;               /* LIST: memory of the jobs found */
	struct store_backup *backup; /* BACKUP */
	bool finished;
};

struct store_backup;
struct store_owner;
struct store_mail; /* the way of answers to the loop */

struct store {
	struct loop *loop;
	char *folder, *path, *wal_path;
	int lock_fd;

	/* The loop's alone. */
	struct store_req *held, **held_end; /* not yet given to the thread */
	unsigned held_count;                /* outcomes among them */
	struct loop_timer *hold;            /* until then */
	bool passing;                       /* they will be given in the next turn */

	pthread_t thread;
	pthread_mutex_t lock; /* of the members down to `stopping` */
	pthread_cond_t wake;
	struct store_req *first, **last;          /* waiting */
	struct store_req *answered, **answer_end; /* on their way back */
	struct store_mail *mail;                  /* posted and not yet read; NULL none */
	bool stopping;
	atomic_int_fast64_t busy_since;
	atomic_uint_fast64_t commits;
	atomic_uint_fast64_t asked, served; /* requests */

	pthread_mutex_t owner_lock; /* of these */
	struct store_owner *owners[STORE_OWNER_CHAINS];
	struct store_owner *owners_changed; /* by the transaction that runs */
	struct store_size owned;            /* of all, committed */
	int64_t lane_jobs[STORE_LANES];     /* of these, too */
	unsigned lane_owners[STORE_LANES];

	pthread_mutex_t db_lock; /* of everything below: the storage thread's but for store_spooled */
	sqlite3 *db;
	sqlite3_stmt *stmts[SQL_COUNT];
	int64_t put_ints[STORE_PUT_INTS]; /* as they are bound to SQL_JOB_PUT; */
	uint64_t put_bound;               /* these of them, by bits */
	bool dead;                        /* an I/O error was seen: nothing is written any more */
	int log_frames;                   /* of the write-ahead log that are committed and not yet in the database */
	char trouble[160];
	int trouble_errno; /* of the last failure */

	struct store_tally *tallies;
	unsigned tally_count;
	uint64_t totals[JOB_STATE_COUNT];
	uint64_t totals_delta[JOB_STATE_COUNT];
	char last_id[ND_ULID_LEN + 1], new_last_id[ND_ULID_LEN + 1];
	/* Queued jobs with seq <= uncertain_seq and due <= uncertain_due are uncertain: one row instead of a million (see STORE_UNCERTAIN). */
	int64_t uncertain_seq, new_uncertain_seq;
	nd_unix uncertain_due, new_uncertain_due;
	/* Which jobs may have rows in `attempt`: those up to a seq, and those whose bit is set. Most jobs never have one. */
	int64_t tried_before;
	uint64_t tried[STORE_TRIED_BITS / 64];
	int64_t pruned_to; /* history rows below are looked at in this round of PRUNE */

	struct store_req *batch[STORE_BATCH_REQUESTS];
	unsigned batch_count;
	struct store_scan *scans;
};

/* store_schema.c */
extern const char *const store_schema_pragmas; /* before the first table is made */
extern const char *const store_schema_versions[];
extern const int store_schema_version; /* the newest, that is how many there are */
extern const char *const store_schema_sql[SQL_COUNT];

/* store_db.c */
enum nd_err store_db_open(struct store *store, struct nd_why *why) ND_MUST_CHECK;
void store_db_close(struct store *store);
sqlite3_stmt *store_db_stmt(struct store *store, enum store_sql which); /* reset, ready for bindings */
int store_db_run(sqlite3_stmt *stmt);                                   /* steps once, resets; a row is fine */
int store_db_step(sqlite3_stmt *stmt, bool *row);                       /* resets at the end and on failure */
int store_db_commit(struct store *store);                               /* on failure all is rolled back */
void store_db_rollback(struct store *store);
int store_db_checkpoint(struct store *store);
void store_db_note(struct store *store, int rc); /* remembers the words of a failure */
void store_db_die(struct store *store);
bool store_db_fatal(const struct store *store, int rc);
enum nd_err store_db_err(const struct store *store, int rc);
void store_db_text(sqlite3_stmt *stmt, int at, const char *text); /* NULL: NULL. Borrowed until the statement has run */
void store_db_int(sqlite3_stmt *stmt, int at, int64_t value);
int store_db_meta_put(struct store *store, const char *name, int64_t value, const char *text);

/* store_hold.c: the loop's */
void store_hold_begin(struct store *store);
void store_hold(struct store *store, struct store_req *req);
void store_hold_end(struct store *store); /* all are given to the thread */

/* store_log.c */
const char *store_log_vfs(void); /* the name of our file layer; NULL: the default must do */

/* store_row.c */
int store_row_job(struct store *store, sqlite3_stmt *stmt, struct queue_job **out); /* of SQL_JOB's columns */
struct store_get;
int store_row_history(sqlite3_stmt *stmt, struct store_get *get);
int store_row_attempts(struct store *store, int64_t seq, struct queue_attempt **attempts, unsigned *count);
int store_row_evidence(struct store *store, int64_t seq, struct queue_evidence **evidences, unsigned *count);
/* The JSON text of a history row. */
struct store_facts {
	const struct queue_job *job; /* recipients */
	const struct queue_attempt *attempts;
	unsigned attempt_count;
	const struct queue_attempt *attempt; /* the newest, not among `attempts`; NULL none */
	const struct queue_evidence *evidences;
	unsigned evidence_count;
	const struct queue_evidence *evidence; /* of `attempt`; NULL none */
};
bool store_row_pack(const struct store_facts *facts, struct nd_buf *out);
/* A copy of a text or blob, NUL after its end; NULL stays NULL. *short_of_memory is set when there is none. */
char *store_row_copy(sqlite3_stmt *stmt, int column, bool *short_of_memory);
void store_row_copy_short(sqlite3_stmt *stmt, int column, char *out, size_t size);

/* store_rcpt.c */
size_t store_rcpt_pack(const struct queue_job *job, char out[STORE_PACKED]);       /* 0: they need rows */
int store_rcpt_put(struct store *store, int64_t seq, const struct queue_job *job); /* as rows */
int store_rcpt_read(struct store *store, sqlite3_stmt *stmt, int column, int64_t seq, struct queue_job *job);
int store_rcpt_of(struct store *store, int64_t seq, struct queue_job *job);
/* The job stays. *packed: they are in its row; and when it returns: they may stay there. */
int store_rcpt_change(struct store *store, int64_t seq, const struct queue_job *job, bool *packed);
int store_rcpt_drop(struct store *store, int64_t seq); /* the rows */

/* store_count.c */
int store_count_open(struct store *store);
void store_count_close(struct store *store);
/* A job goes from a state and account to another; from JOB_STATE_COUNT: it is new. */
struct store_move {
	enum job_state from, to;
	const char *from_account, *to_account;
	uint32_t uid;
	const char *unit; /* NULL none */
	int64_t octets;   /* of its message */
};
/* The rank of its owner's jobs; of who has none in the queue STORE_RANK_FIRST. */
int store_count_move(struct store *store, const struct store_move *move);
int store_count_write(struct store *store);   /* before the commit */
void store_count_keep(struct store *store);   /* after it */
void store_count_forget(struct store *store); /* after a rollback */

/* store_owner.c */
int store_owner_open(struct store *store);
void store_owner_close(struct store *store);
/* 1: into the queue, -1: out of it. The rank of its owner's jobs. */
int store_owner_move(struct store *store, const struct store_move *move, int by);
int store_owner_write(struct store *store);
void store_owner_keep(struct store *store);
void store_owner_forget(struct store *store);

/* store_write.c */
int store_write_put(struct store *store, struct store_req *req);
int store_write_known(struct store *store, struct store_req *req);  /* KEY */
int store_write_change(struct store *store, struct store_req *req); /* OUTCOME, MOVE */
int store_write_touch(struct store *store, struct store_req *req);
int store_write_hurry(struct store *store, struct store_req *req);
int store_write_uncertain(struct store *store, struct store_req *req);
struct store_end { /* how a job leaves the queue */
	int64_t seq;
	bool packed; /* its recipients have no rows */
	nd_unix ended;
	const struct queue_job *job; /* its last state, reason, hint, account … */
	const char *data;
	size_t data_len;
};
int store_write_history(struct store *store, const struct store_end *end);

/* store_untold.c */
int store_untold_outcome(struct store *store, struct store_req *req); /* OUTCOME: the change, and the note */
int store_untold(struct store *store, struct store_req *req);

/* store_read.c */
/* Adds the jobs that `stmt` (SQL_JOB's columns) finds, up to `limit` in all. */
int store_read_collect(struct store *store, struct store_req *req, sqlite3_stmt *stmt, unsigned limit);
int store_read_show(struct store *store, struct store_req *req);
int store_read_totals(struct store *store, struct store_req *req);
int store_read_ending(struct store *store, struct store_req *req);
int store_read_expire(struct store *store, struct store_req *req);
/* One job by its whole id, or its seq when that is not 0; *job NULL when there is none. seq 0 then: from history. attempts may be NULL. */
struct store_get {
	const char *id;
	bool body;
	struct queue_job *job;
	int64_t seq;
	bool packed; /* its recipients have no rows */
	struct queue_attempt *attempts;
	unsigned attempt_count;
	struct queue_evidence *evidences;
	unsigned evidence_count;
	char *transcript;
};
int store_read_get(struct store *store, struct store_get *get);
void store_read_add(struct store_req *req, struct queue_job *job); /* to req->jobs; takes it */
void store_read_forget(struct store_req *req);                     /* frees the results */

/* store_tale.c */
int store_tale_open(struct store *store);
bool store_tale_any(const struct store *store, int64_t seq);                       /* false: this job surely has none */
int store_tale_put(struct store *store, const struct store_req *req, int64_t seq); /* of an OUTCOME */
int store_tale_read(struct store *store, struct store_get *get);                   /* of a job in the queue */
void store_tale_free(struct store_get *get);
int store_tale_drop(struct store *store, int64_t seq);

/* store_load.c */
int store_load(struct store *store, struct store_req *req);

/* store_scan.c */
bool store_scan_needed(const struct store_req *req);
struct store_scan *store_scan_new(struct store_req *req);
int store_scan_slice(struct store *store, struct store_scan *scan); /* until `finished` or the slice is over */

/* store_backup.c */
void store_backup_slice(struct store *store, struct store_scan *scan); /* failures are the request's */
void store_backup_end(struct store_backup *backup, bool keep);         /* NULL is fine */
void store_backup_clear(const struct store *store);                    /* what an earlier run left of one */

/* store_prune.c */
int store_prune(struct store *store, struct store_req *req);

/* store_limit.c */
int store_limit_read(struct store *store, struct store_req *req);
int store_limit_keep(struct store *store, struct store_req *req);
int store_limit_prune(struct store *store, nd_unix until);

/* store.c */
nd_ms store_ms(void);     /* CLOCK_BOOTTIME */
nd_unix store_unix(void); /* CLOCK_REALTIME */
void store_busy(struct store *store);

#endif
