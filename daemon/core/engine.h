/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - composes window, sessions, tokens and account states: what to do next.  Layer: core.  Pure.
 *
 * Inputs are told with the time; then engine_next() is asked until it returns false. It never calls back. Tokens and octets stay with the driver:
 * the engine knows only times and rows.
 */
#ifndef ND_CORE_ENGINE_H
#define ND_CORE_ENGINE_H

#include "daemon/core/act.h"
#include "daemon/core/breaker.h"
#include "daemon/core/claims.h"
#include "daemon/core/conf.h"
#include "daemon/core/downtime.h"
#include "daemon/core/health.h"
#include "daemon/core/limit.h"
#include "daemon/core/pool.h"
#include "daemon/core/sched.h"
#include "daemon/core/settle.h"
#include "daemon/core/smtp_habits.h"
#include "daemon/core/token.h"

#include <stdbool.h>

struct engine;

/* A token that a session was opened with is proved, but not to those who refused it for a mail. */
enum engine_renewal { ENGINE_NOT_RENEWED, ENGINE_FOR_SESSION, ENGINE_FOR_MAIL };

/* An account at work. The driver may read it; `user` is the driver's. */
struct engine_account {
	const struct conf_account *conf;
	struct health health;
	struct pool pool;
	struct sched sched;
	struct token token; /* oauth2 only */
	enum engine_renewal
	    renewal; /* what the server refused a token for, and a new one was forced: the next refusal holds the account */
	unsigned
	    lost_in_row; /* transactions that ended by a lost connection, each of another job than the one before */
	char lost_job[ND_ULID_LEN + 1]; /* of the last of these; "" none */
	struct settle_suspect suspect;
	struct refusals refusals;
	bool
	    wary; /* held for refusals: its probes are jobs that are not known to be refused, as long as there are such */
	struct breaker breaker;      /* do jobs go to it */
	nd_unix changed;             /* its settings or its secret, or somebody signed in; 0 not lately */
	const struct claims *claims; /* the driver's: what its token says; NULL none */
	struct nd_why token_why;     /* why there is no newer token; err ND_OK: none is wanting */
	bool token_no;               /* it was refused, not only put off */
	struct smtp_habits habits;
	struct downtime downtime; /* for the default age of its jobs */
	bool gone;                /* named in no configuration any more: what is under way ends, then FORGET */
	enum conf_change change;  /* by the last engine_reconfigure; OTHER also for one that is new or came back */
	unsigned users;           /* the driver's references: no FORGET while there are any */
	void *user;
	struct limit *limit; /* of its mailbox; others may share it */
	struct limit_rules rules;
	struct limit_word word; /* on the job that is next */
	unsigned wanted;        /* recipients of that */
	bool urgent;            /* it is a severe one */
	nd_ms readers_until;    /* till then some jobs wait for the hour of their readers */
	nd_ms waits;            /* since then for a session of its mailbox; ND_NEVER it does not */
};

enum engine_act {
	ENGINE_OPEN,   /* open session for account */
	ENGINE_SEND,   /* send `job` on session; beside others if it is not the only one of session->jobs */
	ENGINE_CLOSE,  /* end session (idle) */
	ENGINE_TOKEN,  /* ask for a token for account */
	ENGINE_LOAD,   /* read due jobs of account */
	ENGINE_STORE,  /* commit job (its row has changed), with `attempt` unless NULL; then engine_stored */
	ENGINE_AGAIN,  /* queue job `id` again, which failed by what is a fault of the account */
	ENGINE_MOVE,   /* commit job as one of `to`, then engine_stored; or engine_stays */
	ENGINE_STATE,  /* account changed its state or reason: say so */
	ENGINE_RECALL, /* read what was kept of the limits of mailbox `limit`; then engine_limit_recalled */
	ENGINE_KEEP,   /* keep `record` of them; then engine_limit_kept */
	ENGINE_FORGET, /* nothing of a gone account is under way: engine_forget, after taking what is yours */
};
struct engine_action {
	enum engine_act act;
	struct engine_account *account;
	struct pool_session *session;
	struct sched_job *job;
	struct queue_attempt *attempt; /* owned by the driver now: queue_attempt_done + free */
	const struct conf_account *to;
	const char *id;    /* borrowed until the next call */
	const char *limit; /* borrowed until the next call */
	char *record;      /* owned by the driver now */
	unsigned most;     /* LOAD: so many; of severe ones and a few of each submitter if account->sched.few */
};

/* The configuration is borrowed. seed: any number, for jitter. */
struct engine *engine_new(const struct conf *conf, uint32_t seed, struct nd_now now);
void engine_free(struct engine *engine);
/* Gone accounts are among them until they are forgotten. */
struct engine_account *engine_account_nth(struct engine *engine, unsigned n); /* NULL past the end */
struct engine_account *engine_account_named(struct engine *engine, const char *name);
/* Takes over another configuration (borrowed). Accounts are matched by name; an unchanged one goes on as it is. Sessions of a
 * changed or gone one are `old`: they end after their mail; the driver ends those that are only being opened. A gone account
 * still borrows its part of the configuration before, until FORGET. */
void engine_reconfigure(struct engine *engine, const struct conf *conf, struct nd_now now);
void engine_forget(struct engine *engine, struct engine_account *account);

/* The account that a new job goes to; NULL there is none. A severe one goes past those that have sent as much in a day as they may. */
const struct conf_account *engine_route(struct engine *engine, bool severe, struct nd_now now);

/* Inputs. */
void engine_accepted(struct engine *engine, struct queue_job *job, struct nd_now now); /* committed; takes the job */
/* The answer to LOAD: takes the jobs (not the array). */
void engine_loaded(struct engine *engine, struct engine_account *account, struct queue_job **jobs, unsigned count,
    bool more, nd_unix next_due, struct nd_now now);
void engine_load_failed(struct engine *engine, struct engine_account *account, struct nd_now now);
void engine_ready(
    struct engine *engine, struct pool_session *session, struct nd_now now); /* opened, or its mail is over */
/* What the server of a session offers, before the first engine_ready for it. */
void engine_offered(struct pool_session *session, const struct smtp_caps *caps);
/* The session can take another mail beside those under way. */
void engine_room(struct engine *engine, struct pool_session *session);
/* The job last given to the session is not for sending beside others: it waits for its turn. */
void engine_unfit(struct engine *engine, struct pool_session *session, struct nd_now now);
void engine_gone(
    struct engine *engine, struct pool_session *session, const struct smtp_fault *fault, struct nd_now now);
struct engine_told { /* of the oldest job under way on the session */
	const struct smtp_outcome *outcome;
	const struct settle_mail *mail;
	const char *relay;
	nd_unix start;
};
/* Returns the extension that is left out from now on because of it; SMTP_EXT_NONE none. */
enum smtp_ext engine_outcome(
    struct engine *engine, struct pool_session *session, const struct engine_told *told, struct nd_now now);
void engine_stored(struct engine *engine, struct engine_account *account, struct sched_job *job, struct nd_now now);
/* The answer to MOVE for a job that wants no other account. */
void engine_stays(struct engine *engine, struct engine_account *account, struct sched_job *job, struct nd_now now);
/* The time of the job in this row is over. True: it is in memory and ended there, or its outcome comes first; false: the driver ends it. */
bool engine_expire(struct engine *engine, const struct queue_job *row, struct nd_now now);
void engine_token_got(
    struct engine *engine, struct engine_account *account, nd_ms obtained, nd_ms expires, struct nd_now now);
void engine_token_later(struct engine *engine, struct engine_account *account, nd_ms retry_after,
    const struct nd_why *why, struct nd_now now);
/* Nobody asks any more, and nothing was learned. */
void engine_token_unanswered(struct engine *engine, struct engine_account *account);
void engine_token_refused(
    struct engine *engine, struct engine_account *account, const struct nd_why *why, struct nd_now now);
/* A person has signed in: what was learned about the account before holds no more. engine_token_got follows. */
void engine_signed_in(struct engine *engine, struct engine_account *account, struct nd_now now);
/* It has another secret now. */
void engine_secret_changed(struct engine *engine, struct engine_account *account, struct nd_now now);
/* A person has signed out: the token is not used any more, sessions end after their mail, the account is held. */
void engine_signed_out(
    struct engine *engine, struct engine_account *account, const struct nd_why *why, struct nd_now now);
/* What a person asks for a job. ABSENT: it is not in memory, the driver changes the row itself; BUSY: it may be on its way here, ask
 * again after the load; DONE: it goes to the store (STORE follows); WITHDRAW: it is being sent, and its end of data has not begun
 * (no slot is noted): the driver ends its session at once, with engine_gone and the stage it
 * was at (STORE follows); LATER: it is being sent or committed, and
 * is changed after that unless it is final then; REFUSED: why. */
enum engine_did { ENGINE_ABSENT, ENGINE_BUSY, ENGINE_DONE, ENGINE_WITHDRAW, ENGINE_LATER, ENGINE_REFUSED };
enum engine_did engine_act(
    struct engine *engine, const struct queue_job *row, enum job_action action, struct nd_now now, struct nd_why *why);
/* The store has jobs of this account that are not here: one became queued again. */
void engine_look(struct engine *engine, const char *account);
/* All that waits is due, accounts in trouble are probed at once; a throttle keeps its time. */
void engine_flush(struct engine *engine, struct nd_now now);
/* Reasons not to send: while one stands there are no new sessions and mails; tokens are kept fresh. */
enum engine_bar {
	ENGINE_BAR_PAUSE = 1,   /* the operator's wish */
	ENGINE_BAR_DISK = 2,    /* outcomes cannot be written: what is sent now would be sent again */
	ENGINE_BAR_RECOVERY = 4 /* what an earlier run left is not marked yet; nothing is loaded either */
};
void engine_bar(struct engine *engine, enum engine_bar bar, bool on);
bool engine_barred(const struct engine *engine, enum engine_bar bar);
/* The record that was kept; NULL there is none. false: it cannot be understood, a lease counts as used instead. */
bool engine_limit_recalled(struct engine *engine, const char *name, const char *record, struct nd_now now);
void engine_limit_recall_failed(struct engine *engine, const char *name, struct nd_now now); /* it is asked for again */
void engine_limit_kept(struct engine *engine, const char *name, bool well, struct nd_now now);
/* That its server wants nothing before some time, and no login: written as members of an object, to keep over a restart, and read. */
void engine_limit_tell(const struct engine_account *account, struct nd_now now, struct json_out *out);
void engine_limit_told(struct engine_account *account, const struct json_node *kept, struct nd_now now);
void engine_boot(struct engine *engine, const char *boot); /* an id of this run of the host, before anything is asked */
/* When so many queued jobs will have gone, as far as the limits decide. */
nd_unix engine_through(struct engine_account *account, uint64_t queued, struct nd_now now);
/* The driver has none any more. */
void engine_token_gone(struct engine *engine, struct engine_account *account, struct nd_now now);
/* By the operator. */
void engine_pause(struct engine *engine, struct engine_account *account, struct nd_now now);
void engine_resume(struct engine *engine, struct engine_account *account, struct nd_now now);
void engine_refresh(
    struct engine *engine, struct engine_account *account, struct nd_now now); /* a new token, a probe */
/* No new sessions and mails from now on; those begun are told of as ever. */
void engine_stop(struct engine *engine);

/* Held: nothing is opened, sent, loaded or asked for, and the jobs' default age stands still; jobs come in as ever. */
void engine_hold(struct engine *engine, bool held, struct nd_now now);

/* Told each turn, before anything else. The wall clock is not where the time that passed would have put it: ahead, the leap makes no job
 * older, except by an end of its own; back, true: the driver makes what waits in the store due, then engine_flush, for nobody knows when its time would come. */
bool engine_leap(struct engine *engine, struct nd_now now);
/* After a restart: the wall clock was at `wall` already. */
void engine_clock_was(struct engine *engine, nd_unix wall, struct nd_now now);
struct downtime *engine_leaps(struct engine *engine); /* to keep over a restart */
/* The account is new here: of jobs of before its time begins now. */
void engine_age_new(struct engine *engine, struct engine_account *account, nd_unix now);
/* The job goes to account `to`: what `from` had no time for it has there, too. */
void engine_age_moves(
    struct engine *engine, const struct engine_account *from, const char *to, struct queue_job *job, nd_unix now);
nd_ms engine_max_age(
    const struct engine *engine, nd_unix now); /* of a job that ends now: [queue] max_age and the leaps since */

/* Questions. */
bool engine_next(struct engine *engine, struct nd_now now, struct engine_action *action);
nd_ms engine_deadline(struct engine *engine, struct nd_now now);
unsigned engine_busy(const struct engine *engine); /* mails under way, outcomes not yet committed */

#endif
