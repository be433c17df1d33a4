/* SPDX-License-Identifier: Apache-2.0 */
/* store_schema.c - every word of SQL: the tables by version, and the statements.  Layer: io.
 *
 *   job          unfinished jobs, and failed or expired ones while their message is kept
 *   rcpt         their recipients, once one of them is not as it came
 *   attempt      their newest attempts
 *   transcript   of the last attempt of each that failed: what was said
 *   evidence     of each of their transactions that somebody was reached by: what the relay took, and how it travelled
 *   history      the facts of finished jobs, about 300 octets each
 *   idempotency  keys of the last 24 hours
 *   owner        unfinished jobs and their octets by submitter
 *   total        how many jobs ever came to each final state
 *   limits       what each mailbox has sent lately, and may have
 *   meta         single values
 *   untold       jobs that ended badly, of which the administrators do not know yet
 *
 * Ids rise, so job grows at the right-hand end only; history is in the order in which jobs ended. A job is found by its id through the index of states,
 * which is asked once for each state that a job of the queue may have: that is cheaper than an index of ids, which each mail would enter and leave. All times are milliseconds
 * since 1970. job.expires is the job's own end; 0 it has none; below 0 its default age runs from -expires. job.rank is 0 for severity critical and worse,
 * else owner.rank as it was when the job came (store_owner.c). job.ended is 0 while the job is unfinished. spooled is 1 when the message lies in
 * the spool, 2 when it lies there sealed; in history 2 says that it did.
 */
#include "daemon/io/store_internal.h"

const char *const store_schema_pragmas = /* the page size is fixed by the first table */
    "PRAGMA page_size=8192;"
    "PRAGMA locking_mode=EXCLUSIVE;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "PRAGMA wal_autocheckpoint=0;" /* store_db_checkpoint does it, because it must see a failed sync */
    "PRAGMA journal_size_limit=67108864;"
    "PRAGMA cache_size=-16384;"
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA mmap_size=0;" /* an I/O error must come back as an error, not as SIGBUS */
    "PRAGMA trusted_schema=OFF;"
    "PRAGMA cell_size_check=ON;";

/* clang-format off */

#define COMMON_COLUMNS \
	"id TEXT NOT NULL, state INTEGER NOT NULL, severity INTEGER NOT NULL, resolved INTEGER NOT NULL, uncertain INTEGER NOT NULL," \
	"spooled INTEGER NOT NULL, attempt_count INTEGER NOT NULL, created INTEGER NOT NULL, event_time INTEGER NOT NULL," \
	"not_before INTEGER NOT NULL, expires INTEGER NOT NULL, due INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL," \
	"pid INTEGER NOT NULL, body_len INTEGER NOT NULL, account TEXT NOT NULL, unit TEXT, comm TEXT, source TEXT, key TEXT," \
	"reason TEXT, hint TEXT, envelope_from TEXT, sender TEXT, facts TEXT, ended INTEGER NOT NULL"

/* Row n brings a file of version n to n + 1. Never change a row that was released: add one. */
const char *const store_schema_versions[] = {
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER, text TEXT) STRICT, WITHOUT ROWID;"
	"CREATE TABLE total(state INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;"
	"CREATE TABLE job(seq INTEGER PRIMARY KEY, rank INTEGER NOT NULL, " COMMON_COLUMNS ", head TEXT, body BLOB) STRICT;"
	"CREATE UNIQUE INDEX job_id ON job(id);"
	"CREATE INDEX job_due ON job(account, state, rank, due);"
	"CREATE INDEX job_state ON job(state, id);"
	"CREATE INDEX job_expires ON job(expires) WHERE expires > 0;"
	"CREATE INDEX job_ended ON job(ended, body_len) WHERE ended > 0;"
	"CREATE TABLE rcpt(job INTEGER NOT NULL, n INTEGER NOT NULL, address TEXT NOT NULL, state INTEGER NOT NULL,"
	" uncertain INTEGER NOT NULL, code INTEGER NOT NULL, enhanced TEXT NOT NULL, text TEXT, at INTEGER NOT NULL,"
	" PRIMARY KEY(job, n)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE attempt(job INTEGER NOT NULL, place INTEGER NOT NULL, n INTEGER NOT NULL, account TEXT, relay TEXT, session TEXT,"
	" start INTEGER NOT NULL, \"end\" INTEGER NOT NULL, stage TEXT, verdict TEXT, code INTEGER NOT NULL, enhanced TEXT NOT NULL, text TEXT,"
	" PRIMARY KEY(job, place)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE history(seq INTEGER PRIMARY KEY, " COMMON_COLUMNS ", data TEXT) STRICT;"
	"CREATE UNIQUE INDEX history_id ON history(id);"
	"CREATE TABLE idempotency(seq INTEGER PRIMARY KEY, uid INTEGER NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, id TEXT NOT NULL,"
	" created INTEGER NOT NULL) STRICT;"
	"CREATE UNIQUE INDEX idempotency_key ON idempotency(uid, key);",

	("CREATE TABLE owner(uid INTEGER NOT NULL, unit TEXT NOT NULL, jobs INTEGER NOT NULL, octets INTEGER NOT NULL,"
	 " PRIMARY KEY(uid, unit)) STRICT, WITHOUT ROWID;"
	 "INSERT INTO owner SELECT uid,ifnull(unit,''),count(*),sum(body_len) FROM job WHERE ended=0 GROUP BY 1,2;"),

	"", /* job.spooled may be 2, sealed: a notifyd that does not know of it would send the sealed octets */

	("CREATE TABLE limits(mailbox TEXT PRIMARY KEY, kept INTEGER NOT NULL, data TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	 "CREATE INDEX limits_kept ON limits(kept);"),

	("CREATE TABLE evidence(job INTEGER NOT NULL, at INTEGER NOT NULL, sha256 TEXT NOT NULL, octets INTEGER NOT NULL, tls TEXT,"
	 " account TEXT, relay TEXT, PRIMARY KEY(job, at)) STRICT, WITHOUT ROWID;"),

	"ALTER TABLE job ADD COLUMN again INTEGER NOT NULL DEFAULT 0;", /* queued again after a fault of its account */

	"CREATE TABLE transcript(job INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;",

	"ALTER TABLE job ADD COLUMN declined TEXT;", /* accounts that it cannot go by */

	"ALTER TABLE job ADD COLUMN late INTEGER NOT NULL DEFAULT 1;", /* what its rendition began as (late.h); of an older one that is not known */

	"CREATE TABLE untold(place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;",

	("DROP INDEX job_id;"                 /* job_state has the ids, too */
	 "ALTER TABLE job ADD COLUMN rcpts TEXT;"), /* see store_rcpt.c; NULL: they have rows */

	"ALTER TABLE job ADD COLUMN begun TEXT;", /* what its renditions for other accounts that may have it began as (late.h) */

	"ALTER TABLE owner ADD COLUMN rank INTEGER NOT NULL DEFAULT 1;", /* and job.rank goes up to 64: an older notifyd would not find those beyond 1 */
};
const int store_schema_version = (int)(sizeof(store_schema_versions) / sizeof(store_schema_versions[0]));

/* The states that a job of the queue may have: what is delivered, cancelled or merged is in history. */
_Static_assert(JOB_QUEUED == 0 && JOB_HELD == 2 && JOB_FAILED == 4 && JOB_EXPIRED == 5, "they are written out here");
#define OTHER_STATES "2,4,5"
/* The seq of a job, by its id: nearly always it is queued. */
#define PLACE "ifnull((SELECT seq FROM job WHERE state=0 AND id=?1),(SELECT seq FROM job WHERE state IN (" OTHER_STATES ") AND id=?1))"
#define IDS_OF(state) "SELECT id FROM job WHERE state=" #state " AND id<?1"

/* As queue_in_doubt(). */
#define IN_DOUBT "uncertain<>0 AND (declined IS NOT NULL OR ifnull(reason,'') GLOB '" QUEUE_IN_DOUBT "*')"
#define JOB "SELECT " STORE_COLUMNS ",seq,again,declined,late,begun,rcpts"
const char *const store_schema_sql[SQL_COUNT] = {
	[SQL_BEGIN]        = "BEGIN",
	[SQL_COMMIT]       = "COMMIT",
	[SQL_ROLLBACK]     = "ROLLBACK",
	[SQL_META_GET]     = "SELECT value,text FROM meta WHERE name=?1",
	[SQL_META_PUT]     = "INSERT INTO meta VALUES(?1,?2,?3) ON CONFLICT(name) DO UPDATE SET value=?2,text=?3",
	[SQL_LAST_ID]      = "SELECT max(ifnull((SELECT max((SELECT max(id) FROM job WHERE state=column1)) FROM (VALUES(0),(2),(4),(5))),''),"
	                     "ifnull((SELECT max(id) FROM history),''),"
	                     "ifnull((SELECT text FROM meta WHERE name='last_id'),''))",
	[SQL_LAST_SEQ]     = "SELECT ifnull(max(seq),0) FROM job",

	[SQL_COUNTS]       = "SELECT account,state,count(*) FROM job GROUP BY account,state",
	[SQL_TOTALS]       = "SELECT state,count FROM total",
	[SQL_TOTAL_ADD]    = "INSERT INTO total VALUES(?1,?2) ON CONFLICT(state) DO UPDATE SET count=count+?2",

	[SQL_OWNERS]       = "SELECT uid,unit,jobs,octets,rank FROM owner",
	[SQL_OWNER_PUT]    = "INSERT INTO owner VALUES(?1,?2,?3,?4,?5) ON CONFLICT(uid,unit) DO UPDATE SET jobs=?3,octets=?4,rank=?5",
	[SQL_OWNER_DROP]   = "DELETE FROM owner WHERE uid=?1 AND unit=?2",

	[SQL_FIND]         = "SELECT seq,state,account,uid,unit,body_len,spooled,rcpts IS NOT NULL FROM job WHERE seq=ifnull(?2," PLACE ") AND id=?1",
	[SQL_STATE]        = "SELECT state FROM job WHERE seq=" PLACE " UNION ALL SELECT state FROM history WHERE id=?1",
	[SQL_SPOOLED]      = "SELECT 1 FROM job WHERE seq=" PLACE " AND spooled>0",

	[SQL_KEY_GET]      = "SELECT digest,id,created FROM idempotency WHERE uid=?1 AND key=?2",
	[SQL_KEY_PUT]      = "INSERT INTO idempotency(uid,key,digest,id,created) VALUES(?1,?2,?3,?4,?5)",
	[SQL_KEY_DROP]     = "DELETE FROM idempotency WHERE uid=?1 AND key=?2",
	/* In the order of insertion; one that lies in the future was written before the clock stepped back. */
	[SQL_KEYS_OLD]     = "DELETE FROM idempotency WHERE seq IN (SELECT seq FROM idempotency ORDER BY seq LIMIT ?3)"
	                     " AND (created<=?1 OR created>?2)",

	[SQL_JOB_PUT]      = "INSERT INTO job(" STORE_COLUMNS ",rank,ended,head,body,late,rcpts) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,"
	                     "?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,?31,?32)",
	/* A row that was read without its head keeps the one it has. */
	[SQL_JOB_CHANGE]   = "UPDATE job SET state=?2,reason=?3,hint=?4,due=?5,attempt_count=?6,uncertain=?7,account=?8,"
	                     "head=ifnull(?9,head),envelope_from=?10,ended=?11,expires=?12,again=?13,declined=?14,late=?15,begun=?17,rcpts=iif(?16,rcpts,NULL) WHERE seq=?1",
	[SQL_JOB_HURRY]    = "UPDATE job SET due=iif(" IN_DOUBT ",?3,?1) WHERE state=?2 AND due>iif(" IN_DOUBT ",?3,?1) AND not_before<=?1",
	[SQL_JOB_UNCERTAIN] = "UPDATE job SET uncertain=1,late=CASE WHEN late IN (0,3) THEN ?3 ELSE late END WHERE id=?1 AND state=?2",
	[SQL_JOB_DROP]     = "DELETE FROM job WHERE seq=?1",
	/* CASE: a body that is not asked for is not read. ?3: its seq, when that is known. */
	[SQL_JOB]          = JOB ",CASE WHEN ?2 THEN head END,CASE WHEN ?2 THEN body END FROM job WHERE seq=ifnull(?3," PLACE ")",
	[SQL_JOB_DUE]      = "SELECT id,body_len*(spooled=0),seq FROM job WHERE account=?1 AND state=?2 AND rank=?3 AND due<=?4 ORDER BY due",
	[SQL_JOB_NEXT]     = "SELECT due FROM job WHERE account=?1 AND state=?2 AND rank=?3 AND due>?4 ORDER BY due LIMIT 1",
	[SQL_JOB_RANK]     = "SELECT rank FROM job WHERE account=?1 AND state=?2 AND rank>?3 ORDER BY rank LIMIT 1",
	[SQL_JOB_OLDEST]   = "SELECT created FROM job WHERE state=?1 ORDER BY id LIMIT 1",
	[SQL_JOB_OF_ACCOUNT] = JOB ",NULL,NULL FROM job WHERE account=?1 AND state=?2",
	/* +: not by the index of states, there may be a million queued ones. */
	[SQL_JOB_EXPIRES]  = JOB ",NULL,NULL FROM job WHERE expires>0 AND expires<=?1 AND +state IN (?2,?3) ORDER BY expires",
	[SQL_JOB_AGED]     = JOB ",NULL,NULL FROM job WHERE state=?1 AND id<?2 AND created<=?3 AND (expires<=0 OR expires>?4) ORDER BY id",
	/* The default age of one account's jobs; those with a time of their own are not meant. */
	[SQL_JOB_AGED_OF]  = JOB ",NULL,NULL FROM job WHERE state=?1 AND id<?2 AND created<=?3 AND not_before<=?3 AND expires BETWEEN -?3 AND 0 AND +account=?4 ORDER BY id",
	[SQL_ENDING_OWN]   = "SELECT account,expires,state,max(created,not_before),attempt_count FROM job WHERE expires>0 AND expires<=?1 AND +state IN (?2,?3) ORDER BY expires LIMIT ?4",
	[SQL_ENDING_AGED]  = "SELECT account,created,state FROM job WHERE state=?1 AND id<?2 AND created<=?3 AND (expires<=0 OR expires>?4) ORDER BY id LIMIT ?5",
	/* What ENDING_AGED tells is not told twice. */
	[SQL_ENDING_OLD]   = "SELECT max(created,not_before,-expires) FROM job WHERE state=?1 AND id<?2 AND created<=?3 AND created>?5 AND not_before<=?3"
	                     " AND expires BETWEEN -?3 AND 0 AND +account=?4 LIMIT ?6",
	[SQL_JOB_IDS]      = IDS_OF(0) " UNION ALL " IDS_OF(2) " UNION ALL " IDS_OF(4) " UNION ALL " IDS_OF(5) " ORDER BY id DESC",

	[SQL_RCPT_PUT]     = "INSERT INTO rcpt VALUES(?1,?2,?9,?3,?4,?5,?6,?7,?8)",
	/* A recipient that is as it was is not written. */
	[SQL_RCPT_CHANGE]  = "UPDATE rcpt SET state=?3,uncertain=?4,code=?5,enhanced=?6,text=?7,at=?8 WHERE job=?1 AND n=?2 AND"
	                     " (state<>?3 OR uncertain<>?4 OR code<>?5 OR enhanced<>?6 OR text IS NOT ?7 OR at<>?8)",
	[SQL_PACKED]       = "SELECT rcpts FROM job WHERE seq=?1",
	[SQL_RCPTS]        = "SELECT address,state,uncertain,code,enhanced,text,at FROM rcpt WHERE job=?1 ORDER BY n",
	[SQL_RCPTS_DROP]   = "DELETE FROM rcpt WHERE job=?1",

	[SQL_ATTEMPT_JOB]  = "SELECT ifnull(max(job),0) FROM attempt",
	[SQL_ATTEMPT_LAST] = "SELECT max(place) FROM attempt WHERE job=?1",
	[SQL_ATTEMPT_PUT]  = "INSERT INTO attempt VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
	[SQL_ATTEMPT_TRIM] = "DELETE FROM attempt WHERE job=?1 AND place<=?2",
	[SQL_ATTEMPTS]     = "SELECT n,account,relay,session,start,\"end\",stage,verdict,code,enhanced,text FROM attempt WHERE job=?1"
	                     " ORDER BY place",
	[SQL_ATTEMPTS_DROP] = "DELETE FROM attempt WHERE job=?1",

	[SQL_EVIDENCE_PUT] = "INSERT OR IGNORE INTO evidence VALUES(?1,?2,?3,?4,?5,?6,?7)",
	[SQL_EVIDENCE]     = "SELECT at,sha256,octets,tls,account,relay FROM evidence WHERE job=?1 ORDER BY at",
	[SQL_EVIDENCE_DROP] = "DELETE FROM evidence WHERE job=?1",

	/* OR ROLLBACK: a failure ends the transaction in any case, so no way back to the state before this statement is kept. */
	[SQL_TRANSCRIPT_PUT]  = "INSERT INTO transcript VALUES(?1,?2) ON CONFLICT(job) DO UPDATE SET text=?2",
	[SQL_TRANSCRIPT]      = "SELECT text FROM transcript WHERE job=?1",
	[SQL_TRANSCRIPT_DROP] = "DELETE FROM transcript WHERE job=?1",

	[SQL_HISTORY_PUT]  = "INSERT OR ROLLBACK INTO history(" STORE_COLUMNS ",ended,data) SELECT id,?2,severity,resolved,?3,CASE spooled WHEN 2 THEN 2 ELSE 0 END,?4,created,event_time,"
	                     "not_before,expires,?5,uid,gid,pid,body_len,?6,unit,comm,source,key,?7,?8,?9,sender,facts,?10,?11"
	                     " FROM job WHERE seq=?1",
	[SQL_HISTORY]      = "SELECT " STORE_COLUMNS ",data FROM history WHERE id=?1",
	[SQL_HISTORY_IDS]  = "SELECT id FROM history WHERE id<?1 ORDER BY id DESC",
	[SQL_HISTORY_OLD]  = "SELECT seq,ended FROM history WHERE seq>?1 ORDER BY seq LIMIT ?2",
	[SQL_HISTORY_DROP] = "DELETE FROM history WHERE seq=?1",

	[SQL_LIMIT_GET]    = "SELECT data FROM limits WHERE mailbox=?1",
	[SQL_LIMIT_PUT]    = "INSERT INTO limits VALUES(?1,?2,?3) ON CONFLICT(mailbox) DO UPDATE SET kept=?2,data=?3",
	[SQL_LIMITS_OLD]   = "DELETE FROM limits WHERE kept<?1",

	[SQL_UNTOLD_PUT]   = "INSERT OR REPLACE INTO untold(id) VALUES(?1)",
	[SQL_UNTOLD]       = "SELECT place,id FROM untold WHERE place>0 ORDER BY place",
	[SQL_UNTOLD_DROP]  = "DELETE FROM untold WHERE place<=?1",

	[SQL_KEPT]         = "SELECT id,ended,body_len FROM job WHERE ended>0 ORDER BY ended LIMIT ?1",
	[SQL_KEPT_OCTETS]  = "SELECT ifnull(sum(body_len),0) FROM job WHERE ended>0",
};
/* clang-format on */
