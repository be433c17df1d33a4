/* SPDX-License-Identifier: Apache-2.0 */
/* engine_inner.h - what the files of the engine share.  Layer: core.
 *
 *   engine.c        what happened: jobs, sessions
 *   engine_outcome.c what became of a mail
 *   engine_change.c what people and new settings change
 *   engine_next.c   what to do next, and when
 *   engine_move.c   which account a job goes to
 *   engine_token.c  tokens
 *   engine_limit.c  how much of it the limits allow
 *   engine_share.c  which account of a mailbox has its sessions
 */
#ifndef ND_CORE_ENGINE_INNER_H
#define ND_CORE_ENGINE_INNER_H

#include "daemon/core/engine.h"

struct engine_note { /* of a job whose outcome is to be stored */
	struct engine_account *account;
	struct sched_job *job;
	struct queue_attempt *attempt;
	struct engine_note *next;
};

struct engine {
	const struct conf *conf;          /* borrowed */
	struct engine_account **accounts; /* a pointer each: others refer to them while accounts come and go */
	unsigned count;
	struct engine_note *notes, **notes_end;
	unsigned settling;
	unsigned session_number;
	uint32_t dice;
	bool stopping, held;
	bool stirred;  /* an account waits now for what another one may have to give */
	nd_unix epoch; /* when CLOCK_BOOTTIME was 0, by the wall clock as it was last believed */
	struct downtime leaps;
	unsigned bars;        /* enum engine_bar */
	struct limit *limits; /* of the mailboxes */
	char boot[48];
};

uint32_t engine_roll(struct engine *engine);                     /* a number for jitter */
void engine_fit_pool(struct engine_account *account, nd_ms now); /* to its settings */
bool engine_by_token(const struct engine_account *account);
/* The job's row goes to the store; `attempt` is taken over. */
void engine_to_store(
    struct engine *engine, struct engine_account *account, struct sched_job *job, struct queue_attempt *attempt);
/* SENDING no more, and nothing came of it. */
void engine_put_back(
    struct engine *engine, struct engine_account *account, struct sched_job *job, nd_ms due, struct nd_now now);
struct health_fault engine_fault_of(const struct verdict_word *word, enum smtp_stage stage);
/* The account's own fault, in words, from a reply or a failure. */
void engine_blame(struct engine *engine, struct engine_account *account, struct health_fault fault,
    const struct smtp_reply *reply, const struct nd_why *why, struct nd_now now);
/* The server refused the token: another one is asked for, once. */
bool engine_renew(struct engine_account *account, enum engine_renewal renewal, nd_ms now);
/* The session signed in with a token that is given up already: a refusal says nothing of the one that the next session has. */
bool engine_given_up(const struct pool_session *session, nd_ms now);
/* Without a usable token the account is in trouble, from the moment the old one ends. */
void engine_mind_token(struct engine *engine, struct engine_account *account, struct nd_now now);
void engine_add_account(struct engine *engine, const struct conf_account *conf, nd_ms now);
void engine_share_memory(struct engine *engine); /* between the windows of its accounts */
void engine_free_account(struct engine_account *account);

/* Its jobs went elsewhere, and only a mail can show that it is well again: its probe waits for the next one. */
bool engine_wants_mail(const struct engine_account *account);
/* While it is held for refusals, jobs that may be bad themselves go last; after that no more. */
void engine_mind_doubt(struct engine_account *account);
/* Does the default age of its jobs run? */
void engine_mind_age(const struct engine *engine, struct engine_account *account, struct nd_now now);
/* Is it in trouble for too long? */
void engine_mind_way(struct engine *engine, struct engine_account *account, struct nd_now now);
bool engine_move_next(
    struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action);
/* What its account cannot take of it another one may. */
bool engine_elsewhere(
    struct engine *engine, const struct engine_account *account, const struct queue_job *job, bool working);
/* Its account has declined it. */
bool engine_leaves(const struct engine_account *account, const struct queue_job *job);
/* Of such a job, whose row is to be stored: with another account, or at its end. */
void engine_leave(struct engine *engine, struct nd_now now, struct engine_action *action);
/* Its row is committed; true: as another account's, and it went there. */
bool engine_moved(struct engine *engine, struct engine_account *account, struct sched_job *job, struct nd_now now);
nd_ms engine_move_deadline(struct engine *engine, const struct engine_account *account, nd_ms now);

/* To the limits of its mailbox, by its settings. */
void engine_limit_join(struct engine *engine, struct engine_account *account);
void engine_limit_leave(struct engine_account *account);
void engine_limit_tidy(struct engine *engine); /* those of nobody go */
void engine_limit_done(struct engine *engine);
void engine_limit_begin(struct engine_account *account, struct sched_job *job, nd_ms now);
/* outcome NULL: it was not begun. Before the job is changed by it. */
void engine_limit_end(
    struct engine_account *account, struct sched_job *job, const struct smtp_outcome *outcome, nd_ms now);
/* Which job is next, and may it go: account->word. */
void engine_limit_mind(struct engine *engine, struct engine_account *account, struct nd_now now);
bool engine_limit_next(
    struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action);
void engine_limit_leapt(struct engine *engine);
/* May it open another session now? If not, and it is urgent, it waits for one from now on. */
bool engine_share_take(struct engine *engine, struct engine_account *account, bool urgent, nd_ms now);
/* Shall one of its sessions end, for another account of the mailbox? */
bool engine_share_yields(const struct engine *engine, const struct engine_account *account, nd_ms now);
nd_ms engine_share_deadline(const struct engine *engine, const struct engine_account *account, nd_ms now);
bool engine_limit_busy(const struct engine *engine); /* a record is being written */
nd_ms engine_limit_deadline(const struct engine_account *account, nd_ms now);

#endif
