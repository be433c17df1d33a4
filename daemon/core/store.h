/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the port to the durable queue.  Layer: core.  No I/O here: io/store implements it with SQLite.
 *
 * A request is handed over with store_ops.submit and comes back once, on the loop, through its done(): after the commit
 * that holds it when it writes, else with what it read. Requests are served in the order of submission.
 * A write that comes back ND_OK is on disk; one that fails has left no trace. All memory of a request is the caller's again in done().
 */
#ifndef ND_CORE_STORE_H
#define ND_CORE_STORE_H

#include "common/clock.h"
#include "common/err.h"
#include "common/job.h"
#include "common/ulid.h"

#include <stdbool.h>
#include <stdint.h>

/* A recipient of a job in the queue. Texts are owned by the job (one block, see queue_job). */
struct queue_rcpt {
	char *address; /* as in RCPT TO */
	uint8_t state; /* enum rcpt_state */
	bool uncertain;
	int16_t code; /* last reply, 0 none */
	char enhanced[12];
	char *text;   /* of the last reply; NULL none */
	nd_unix at;   /* when the state was reached; 0 pending */
	bool alone;   /* RCPT for it ended a session: it goes alone, after the others. Not stored */
	bool wait;    /* it has got as many mails as it may in this hour. Not stored */
	bool put_off; /* "not now" was said of it in this round: others are asked first. Not stored */
};

/* A job as the queue knows it. All pointers owned; queue_job_free frees them. */
struct queue_job {
	char id[ND_ULID_LEN + 1];
	uint8_t state;    /* enum job_state */
	uint8_t severity; /* enum job_severity */
	bool resolved, uncertain;
	bool again;          /* it failed by what was a fault of its account, and was queued again */
	bool passed;         /* it went past an account that had sent as much in a day as it may: that happens once */
	char *reason, *hint; /* why it is held, waiting or failed; NULL none */
	char *declined;      /* accounts that it cannot go by: declined.h; NULL none */
	nd_unix created, event_time, not_before; /* 0: none */
	nd_unix expires;                         /* explicit end, 0: the defaults rule */
	nd_unix
	    age_from; /* its default age runs from then: it was tried again, or goes by another account; 0: see settle_age_from */
	nd_unix due; /* next attempt */
	uint32_t attempt_count;
	char *account; /* "" while there is none */
	uint32_t uid, gid, pid;
	char *unit, *comm, *source, *key; /* NULL none */
	char *facts;                      /* JSON object, job_facts() */
	char *head; /* header lines that depend on the account (From, Sender …), CRLF each; NULL without account */
	char *envelope_from; /* NULL without account */
	char *from;          /* the sender the job asked for, as written; NULL none: needed when it changes accounts */
	uint32_t late;       /* what this rendition began as: late.h */
	char *begun;         /* and those of other accounts that may have it; NULL none */
	char *body;          /* the rest of the message; NULL when spooled or not loaded */
	uint64_t body_len;
	bool spooled; /* the rest lies in spool/ID */
	bool
	    sealed; /* and under a key of its own: the job is sensitive, nothing of its message is kept once it is final */
	bool body_kept; /* false: in history only (API: 410 body-gone) */
	struct queue_rcpt *rcpts;
	unsigned rcpt_count;
	unsigned most;    /* recipients of the next transaction; 0: no matter. Not stored */
	unsigned domains; /* of these; 0: no matter. Not stored */
	int64_t place;    /* the store's: where it was last seen; 0 not known. Not stored */
	uint32_t beside;  /* attempts that ended no round: somebody was left to be asked at once. Not stored */
	nd_ms wait;       /* after this round, at least. Not stored */
	bool spared;      /* its session was lost, at no cost: once more costs an attempt. Not stored */
};
void queue_job_free(struct queue_job *job);                     /* NULL is fine */
#define QUEUE_PINNED "pinned"                                   /* the fact that it named its account itself */
bool queue_says(const struct queue_job *job, const char *fact); /* was this said of it when it came? */
#define QUEUE_IN_DOUBT "in-doubt" /* the reason of an uncertain job whose account is gone */
/* An earlier account's relay may have it: it waits, and nothing hurries it. */
bool queue_in_doubt(const struct queue_job *job);

struct queue_attempt {
	uint32_t n;
	char *account, *relay; /* relay: host[address]:port; NULL when none was reached */
	char *session;         /* short id of the SMTP session; NULL none */
	nd_unix start, end;
	const char *stage, *verdict; /* static words; owned copies when read from the store (see owned) */
	int16_t code;
	char enhanced[12];
	char *text;
	bool owned; /* stage and verdict are to be freed */
};
void queue_attempt_done(struct queue_attempt *attempt);

/* Of one transaction that a relay took for somebody: the recipients whose `at` is this one. */
struct queue_evidence {
	nd_unix at; /* its attempt's end */
	char *account, *relay;
	char *tls;       /* NULL: in clear */
	char sha256[65]; /* of the octets of the message, in hex; "" it is not kept */
	uint64_t octets;
};
void queue_evidence_done(struct queue_evidence *evidence);

/* Of a request. `kept` beside its idempotency key; what an older notifyd kept may be the other one, and is the same request then. */
struct store_digest {
	uint8_t kept[32], plain[32];
};

enum store_op {
	STORE_PUT,       /* a new job */
	STORE_OUTCOME,   /* what an attempt came to */
	STORE_MOVE,      /* state, account, head of a job changed without an attempt */
	STORE_LOAD,      /* due jobs of one account, with bodies */
	STORE_SHOW,      /* one job, with attempts, from queue or history */
	STORE_LIST,      /* many jobs, without bodies, attempts */
	STORE_BODY,      /* head and body of a job, for …/message */
	STORE_TOTALS,    /* counters */
	STORE_UNCERTAIN, /* after an unclean start */
	STORE_HURRY,     /* queued jobs that wait for another try are due at `until` */
	STORE_TOUCH,     /* writes a trifle: is there room on the disk? */
	STORE_EXPIRE,    /* ids of unfinished jobs whose time is over */
	STORE_ENDING,    /* how many unfinished jobs will be over soon, by account */
	STORE_BACKUP,    /* a copy in STATE/backup */
	STORE_PRUNE,     /* history and kept bodies that are old enough go */
	STORE_UNTOLD,    /* jobs that ended badly, of which nobody was told */
	STORE_LIMIT,     /* what was kept of a mailbox's limits */
	STORE_KEEP,      /* keeps it */
	STORE_KEY,       /* has this idempotency key been used? */
};

struct store_account_count {
	char *account;
	uint64_t queued, held;
	nd_unix first;            /* ENDING: the first end */
	uint64_t near, near_held; /* ENDING: what the digest of ending.h tells of; held: of these */
	nd_unix near_first;       /* the first end of those with an end of their own, or of max_age; 0 none */
	nd_unix oldest;           /* from when the age of the first of the others runs; 0 none */
};

struct store_req {
	enum store_op op;
	void (*done)(struct store_req *req); /* on the loop; frees the request */
	/* Once, where the work is done, before anything is written: what the loop need not wait for. May run on another thread. NULL none. */
	void (*before)(struct store_req *req);
	void *owner;     /* the caller's */
	enum nd_err err; /* filled for done() */
	struct nd_why why;
	struct store_req *next; /* the implementation's */

	/* PUT: the job (borrowed until done). Idempotency: digest over the request when key != NULL; a known key with the same digest gives
	 * ND_OK, duplicate=true, the first id and its state; another digest ND_EMISMATCH. */
	/* KEY: the same of filter.uid's key at `until`, and no job is put. */
	/* OUTCOME, MOVE: id and every field of `job` that may change: state reason hint due attempt_count uncertain account head envelope_from
	 * expires age_from again declined late begun and the recipients (all of them, in order). OUTCOME also `attempt`. A job that becomes delivered, cancelled or merged goes to history, a
	 * sealed one in any final state. Result `former`: the state that the job had. */
	struct queue_job *job;
	uint8_t former;
	const char *idempotency_key;
	struct store_digest digest;
	bool duplicate;
	char duplicate_id[ND_ULID_LEN + 1];
	uint8_t duplicate_state;
	const struct queue_attempt *attempt; /* OUTCOME; may be NULL */
	struct queue_evidence *evidence;     /* OUTCOME of a delivery to somebody; may be NULL */
	const char *
	    transcript; /* OUTCOME of an attempt that failed: its transcript_text; takes the place of the one before. NULL: that stays */

	/* LOAD: queued jobs of `account` with due <= `until`; severe ones first, then a fair part of each submitter's, by due; `skip` (sorted ids) are in memory already.
	 * `orphans`: instead, unfinished jobs whose account is none of `names` (start only; no bodies). Result: jobs, job_count, more, next_due. */
	const char *account;
	nd_unix until;
	nd_ms wait; /* HURRY: what is in doubt is due by `until` + wait. ENDING */
	unsigned limit;
	size_t limit_octets;
	const char (*skip)[ND_ULID_LEN + 1];
	unsigned skip_count;
	bool orphans;
	unsigned
	    few; /* LOAD: beside the severe ones only the first few of each submitter, those of `skip` included; 0: all */
	const char *const *names; /* NULL-terminated */
	struct queue_job **jobs;  /* the caller frees each and the array */
	unsigned job_count;
	bool more;        /* there are more that fit */
	nd_unix next_due; /* of the first queued job of the account after `until`; ND_NEVER none */

	/* SHOW, BODY: `id` whole. Result `found` (the caller frees), attempts and, by SHOW, evidences and transcript (queue_tale_free); ND_ENOTFOUND; BODY: ND_EBODYGONE. `tail`: id is the end of one; ND_EAMBIGUOUS */
	char id[ND_ULID_LEN + 1];
	bool tail;
	struct queue_job *found;
	struct queue_attempt *attempts;
	unsigned attempt_count;
	struct queue_evidence *evidences;
	unsigned evidence_count;
	char *
	    found_transcript; /* of its last attempt that failed; NULL none. It goes when the job leaves the queue for history */

	/* LIST: filters; result jobs, job_count, more. Newest first. */
	struct store_filter {
		uint32_t states;                    /* bits by enum job_state; 0 all */
		uint32_t severities;                /* bits; 0 all */
		const char *account, *source, *key; /* comma lists; NULL any */
		nd_unix since;
		bool own; /* only jobs of uid and, for dynamic uids, unit */
		uint32_t uid;
		const char *unit;
		char before[ND_ULID_LEN + 1]; /* cursor: ids below this; "" none */
		char tail[ND_ULID_LEN + 1];   /* ids ending so; "" any */
		/* apart: `states` has one of queued and sending. The store knows no sending: `sending` are the ids of those jobs, sorted. */
		bool apart;
		const char (*sending)[ND_ULID_LEN + 1];
		unsigned sending_count;
	} filter;

	/* TOTALS. own: by filter.own. */
	uint64_t totals[JOB_STATE_COUNT];   /* final states: since the beginning; queued, held: now */
	struct store_account_count *counts; /* the caller frees names and the array */
	unsigned count_count;
	uint64_t octets;               /* of the messages of unfinished jobs */
	nd_unix oldest;                /* created of the oldest queued job; 0 none */
	char last_id[ND_ULID_LEN + 1]; /* the newest id ever; "" none */

	/* UNCERTAIN: these ids (queued ones get uncertain=true; array borrowed); all_due: every queued job with due <= until. */
	const char (*ids)[ND_ULID_LEN + 1];
	const uint32_t *lates; /* what each began as, where the row does not say it yet; NULL: not known */
	unsigned id_count;
	bool all_due;

	/* OUTCOME: with `tell` the same commit notes that the administrators do not know of it yet; `place` is where.
	 * UNTOLD: the noted ones: up to `limit` jobs (no bodies; some may go on since), job_count, how many there are besides, the place of the last.
	 * `drop`: instead, those up to `place` are forgotten. `kept`: beside them, as by KEEP and LIMIT; NULL with drop: it stays as it is. */
	bool tell;
	int64_t place;
	uint64_t rest;

	/* BACKUP: STATE/backup gets queue.db and spool/ as of one moment; limit_octets: room to leave on the disk. drop: it is removed instead. */
	bool drop;

	/* EXPIRE: at `until`: jobs whose own time is over or that are older than max_age; with `account`: its jobs without a time of their own
	 * that have waited for longer than max_age. Result jobs (no bodies), more. PRUNE: at `until`.
	 * ENDING: what EXPIRE would find `wait` from now, by `until`, of all accounts, so far as the first few thousand tell. Result counts: queued, first,
	 * near… `olds`: of these accounts' jobs without an end of their own those are near it whose age runs from `from` or before; borrowed until done. */
	struct store_old {
		char *account;
		nd_unix from;
	} * olds;
	unsigned old_count;
	nd_ms max_age, history, keep_failed;
	int64_t keep_failed_bytes;
	struct queue_pruned {
		char id[ND_ULID_LEN + 1];
	} * pruned; /* spool files to remove; the caller frees */
	unsigned pruned_count;

	/* LIMIT, KEEP: of the mailbox `account`. KEEP: text `kept` of the time `until`, borrowed until done. LIMIT: `kept`, the caller frees it; NULL none. */
	char *kept;
};

struct store_ops {
	void (*submit)(void *store, struct store_req *req);
};

/* The attempts, evidences and transcript of a SHOW. */
void queue_tale_free(struct store_req *req);
/* Does the filter mean this job? But for `before` and `tail`, which are of the walk. */
bool queue_fits(const struct queue_job *job, const struct store_filter *filter);

#endif
