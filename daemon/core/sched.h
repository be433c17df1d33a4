/* SPDX-License-Identifier: Apache-2.0 */
/* sched.h - the due jobs of one account that are in memory.  Layer: core.  Pure.
 *
 * A bounded window: the store holds all jobs, the window those that are due now or soon. Ready ones leave severe first, then by turns of
 * their owners, then oldest due; big ones leave a session to the others. A flood in the store keeps out neither severe jobs nor those of who
 * has few, which are read alone when the window is too full for others, and what these have to try again stays here. To severe ones, what is
 * ready gives way.
 *
 *   (accepted, loaded) ─► WAITING ─due─► READY ─► SENDING ─► SETTLING (its outcome is being committed) ─► gone, or WAITING again
 */
#ifndef ND_CORE_SCHED_H
#define ND_CORE_SCHED_H

#include "common/clock.h"
#include "daemon/core/sched_owner.h"
#include "daemon/core/store.h"

#include <stdbool.h>
#include <stddef.h>

/* What room there is, unless a simulation wants less. */
#define SCHED_JOBS 1000u
#define SCHED_RESERVE 100u
#define SCHED_FEW 10u
#define SCHED_OCTETS (8u * 1024 * 1024) /* of bodies, at most */
#define SCHED_OCTETS_LEAST (128u * 1024)
#define SCHED_MEMORY_PART 4 /* of [daemon] memory all windows share one in so many; the rest is for requests */
#define SCHED_BIG_OCTETS (64u * 1024) /* a body beyond is big */
#define SCHED_TLS 96
#define SCHED_HORIZON ND_SEC(60) /* a job due later than this waits in the store */

enum sched_place { SCHED_WAITING, SCHED_READY, SCHED_SENDING, SCHED_SETTLING };

struct limit;
struct sched_job {
	struct queue_job *job; /* owned */
	enum sched_place place;
	bool severe; /* as the job is; what is compared in a heap lies together */
	bool last;   /* ready, it leaves behind all others: it may be bad itself */
	nd_ms due;
	size_t at;                     /* index in its heap */
	struct sched_owner *owner;     /* borrowed */
	struct sched_job *next, *prev; /* all jobs of the account */
	int wish;                      /* enum job_action asked for while it was being sent or settled; -1 none */
	nd_ms doubted;                 /* when it became uncertain here, if it did */
	bool stays;                    /* it goes to no other account */
	bool kept;                     /* waiting here beyond the horizon */
	int slot;                      /* the driver's note in the in-flight file; -1 none */
	struct limit *limit;           /* what it is counted by while it is sent; borrowed */
	unsigned rcpts;                /* so many of it */
	bool limited_rcpts;            /* each of them is counted too */
	char tls[SCHED_TLS];           /* the driver's: how its last mail travelled; "" in clear */
	bool plain;                    /* the driver's: its header went without UTF-8 the last time */
	bool seven;                    /* the driver's: its body went in seven bits, if it had more */
	uint64_t octets;               /* the driver's: of its message, as it went the last time */
	char sha256[65];               /* the driver's: of the same; "" not known */
	char *transcript;              /* the driver's: of the outcome that is to be stored; owned, NULL none */
};

struct sched_room {
	unsigned jobs; /* of an account in memory */
	/* Severe ones may go so far beyond, those of who has few half of it. No less than the store has lanes. */
	unsigned reserve;
	unsigned few;  /* so many of a submitter are few */
	size_t octets; /* of bodies; the reserve is an eighth of it */
};

struct sched {
	struct sched_room room;
	struct sched_heap waiting;
	struct sched_owners owners; /* their heaps hold the ready ones */
	struct sched_job *all;
	size_t count, octets;
	unsigned ready[SCHED_SIZES], sending, settling;
	unsigned spare; /* ready ones that are not severe: they give way to those that are, back to the store */
	unsigned big_sending, sessions; /* of these sessions that there may be */
	bool behind;                    /* the store holds due jobs that are not here */
	bool loading;                   /* a load is under way */
	bool few;                       /* it is of severe jobs and of the first few of each submitter */
	nd_unix next_due;               /* of the first job in the store that is not here; ND_NEVER none known */
	nd_unix few_due;                /* when such a load may find something */
	nd_unix few_after;              /* but not before: they cost the store a look at each submitter */
	unsigned kept;                  /* waiting jobs that are due beyond the horizon */
	char left_out[ND_ULID_LEN + 1]; /* the first of the last page that found no room; "" none */
};

void sched_init(struct sched *sched);
void sched_done(struct sched *sched); /* frees the jobs too */
/* The room of each of so many windows. A smaller one is kept to as jobs leave. */
size_t sched_share(int64_t memory, unsigned windows);
/* Takes the job when there is room for it and it is due soon; else frees it and remembers that the store holds it. NULL then. */
struct sched_job *sched_add(struct sched *sched, struct queue_job *job, struct nd_now now);
/* Moves what has become due to ready. */
void sched_ripen(struct sched *sched, nd_ms now);
struct sched_job *sched_first(const struct sched *sched); /* the next ready job; NULL none */
size_t sched_ready(const struct sched *sched);            /* so many could be sent now */
/* The same, now SENDING. */
struct sched_job *sched_take(struct sched *sched);
/* SENDING ─► READY: the attempt does not count. `due` is its place among the ready ones: now for one that others shall go before. */
void sched_back(struct sched *sched, struct sched_job *job, nd_ms due);
void sched_last(struct sched *sched, struct sched_job *job, bool last);
void sched_settle(struct sched *sched, struct sched_job *job); /* ─► SETTLING, from any place */
/* SETTLING ends: final jobs are freed, others wait for their due time, here or in the store. */
void sched_settled(struct sched *sched, struct sched_job *job, struct nd_now now);
/* It is gone from here; its row is the caller's. */
struct queue_job *sched_release(struct sched *sched, struct sched_job *job);
/* All that waits for another try is due now, here and in the store. */
void sched_hurry(struct sched *sched, struct nd_now now);
/* Forgets the jobs that are neither being sent nor settled: the store holds them. */
void sched_drop(struct sched *sched);
struct sched_job *sched_find(const struct sched *sched, const char *id);
/* Whether more should be read from the store now. The ids that are here, sorted, into a new array (the caller frees). */
bool sched_hungry(const struct sched *sched, nd_unix now);
char (*sched_ids(const struct sched *sched, unsigned *count))[ND_ULID_LEN + 1];
/* A load begins: what is accepted meanwhile is remembered beside its answer. Of severe jobs and a few of each submitter (sched->few) if there
 * is no room for others. Returns for how many there is room. */
unsigned sched_load(struct sched *sched);
void sched_loaded(struct sched *sched, bool more, nd_unix next_due, nd_unix now);
void sched_look(struct sched *sched); /* the store may hold due jobs that are not here */
/* It holds severe ones, or some of who has few, that found no room. */
void sched_cramped(struct sched *sched, nd_unix now);
nd_ms sched_deadline(const struct sched *sched, struct nd_now now); /* next due time, here or in the store */
bool sched_severe(const struct queue_job *job);

#endif
