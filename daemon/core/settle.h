/* SPDX-License-Identifier: Apache-2.0 */
/* settle.h - what a transaction came to, for each recipient, the job and the account.  Layer: core.  Pure.
 *
 * Each recipient stands for itself: one that is refused never stops the others, and only undelivered ones are tried again.
 * A fault of the account leaves the job as it was: attempts and age are not touched.
 */
#ifndef ND_CORE_SETTLE_H
#define ND_CORE_SETTLE_H

#include "daemon/core/conf.h"
#include "daemon/core/refusals.h"
#include "daemon/core/smtp_proto.h"
#include "daemon/core/store.h"
#include "daemon/core/verdict.h"

#include <stdbool.h>

#define SETTLE_RCPTS 50u /* of one transaction, unless the job says so: what every provider takes */

#define SETTLE_DOMAINS 32u /* of these, of a server that counts them and takes more */

/* The pending recipients of a job as one transaction. */
struct settle_mail {
	struct smtp_mail mail; /* size is the driver's to set */
	const char **rcpts;    /* the arrays lie behind the struct, as long as there are recipients */
	unsigned *index;       /* of each in job->rcpts */
	struct smtp_rcpt_result *results;
};
/* Borrows the addresses of the job; free() it. */
struct settle_mail *settle_mail_new(const struct queue_job *job);
unsigned settle_mail_size(const struct queue_job *job);     /* how many recipients that would be */
unsigned settle_mail_together(const struct queue_job *job); /* the same; 0: only such as go alone are left */
/* A round: everybody is asked once. Somebody was put off and nobody else can be asked now: all of them may go in the next one. */
bool settle_round_over(struct queue_job *job);

/* Whose mail met what would be a fault of the account, since the last mail that passed. */
struct settle_suspect {
	char job[ND_ULID_LEN + 1]; /* "" nobody */
	char rcpt[324];            /* "" not a matter of one recipient */
};
struct settle_case {
	const struct conf_account *account;
	const struct smtp_outcome *outcome;
	const struct settle_mail *mail;
	nd_ms max_age;
	uint32_t dice;
	nd_unix now;
	const struct settle_suspect *suspect; /* of the account */
	const struct refusals *refusals;      /* of the account; NULL: no matter */
	bool elsewhere;                       /* what this account cannot take another one may */
	bool alone;                           /* there is no other account to which its jobs would go */
};
struct settle_word {
	bool counted;       /* an attempt of the job: `attempt` tells it, the store must know */
	bool delivered;     /* the relay took the mail for somebody */
	bool account_fault; /* then fault_* */
	bool elsewhere;     /* the job goes on by another account */
	bool split;         /* somebody is to go in another transaction */
	bool lacks;         /* somebody was refused by what another account might have taken, and there is none */
	struct verdict_word fault;
	enum smtp_stage fault_stage;
	const struct smtp_reply *fault_reply; /* borrowed of the case; NULL none */
	struct settle_suspect suspect; /* what may be a fault of the account, or this mail's own; job "": nothing */
	struct refusals_one refused;   /* who was refused for good first; job "": nobody, or not for the first time */
	const struct smtp_reply *refused_reply;
	struct verdict_word verdict;    /* of the attempt, for its row */
	const struct smtp_reply *reply; /* the reply that decided; NULL none */
	struct verdict_word cause;      /* why somebody has not got it; reason NULL: everybody has */
	const struct smtp_reply *cause_reply;
	struct smtp_reply hushed; /* what is kept of a reply that may quote a sensitive message; code 0: all of it is */
};
/* Changes the job: recipients, state, due, attempt_count, reason, hint, uncertain. */
void settle_outcome(struct queue_job *job, const struct settle_case *c, struct settle_word *word);
/* Every account that is left has declined it (declined.h). */
void settle_declined(struct queue_job *job, nd_unix now);
/* Time ran out: pending recipients expire. */
void settle_expire(struct queue_job *job, nd_unix now);
/* From when its default age runs: its acceptance, the time it was not to be sent before, or what a person or another account began anew. */
nd_unix settle_age_from(const struct queue_job *job);
/* When the job's time is over: its own end, or created + max_age. */
nd_unix settle_end(const struct queue_job *job, nd_ms max_age);
/* "550 5.1.1 no such user" into out. */
void settle_reply_words(const struct smtp_reply *reply, char *out, size_t size);
/* Replaces job->reason by "word: text" (text NULL: the word alone) and job->hint. */
void settle_reason(struct queue_job *job, const char *word, const char *text, const char *hint);

#endif
