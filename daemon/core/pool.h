/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - the sessions of one account: how many, which one, which to close.  Layer: core.  Pure. */
#ifndef ND_CORE_POOL_H
#define ND_CORE_POOL_H

#include "common/clock.h"
#include "daemon/core/sched.h"
#include "daemon/core/smtp_proto.h"

#include <stdbool.h>

#define POOL_IDLE ND_SEC(60) /* then QUIT: providers cut after about five minutes */
#define POOL_AGE ND_MIN(10)
#define POOL_DOMAINS 32u    /* the most of one session whose server counts them (RFC 9422), and takes more */
#define POOL_WARM ND_MIN(1) /* a server that cuts idle sessions at once gets a kept one no more often */
/* Mails of one session, for each that it may have under way: so it lasts as long with a window as without. */
#define POOL_MAILS 100u     /* providers ask for it, their load balancers need it */
#define POOL_MAILS_OWN 500u /* with a server that is no provider's; Exim ends a session after 1000 */

enum pool_state { POOL_OPENING, POOL_IDLE_SESSION, POOL_BUSY, POOL_CLOSING };

struct pool_session {
	char id[16]; /* "m365-7"-like short name for logs and attempts */
	enum pool_state state;
	struct sched_job *jobs[SMTP_WINDOW_MAX]; /* under way, in the order they were given; borrowed */
	unsigned job_count;                      /* BUSY: 1 or more, until the last outcome is told */
	bool room;                               /* BUSY: another one may be given beside them */
	bool lost;                               /* that it broke was counted */
	nd_ms opened, idle_since;
	unsigned mails, mails_max; /* so many were given; so many its server takes, 0 unknown */
	unsigned domains_max;      /* so many domains of recipients its server takes, 0 unknown */
	unsigned domain_count;     /* of these, when it counts them */
	uint64_t domains[POOL_DOMAINS];
	bool probe;
	nd_ms token_obtained; /* of the token it signs in with */
	nd_ms last;           /* no mail begins on it from then on: its server refuses whoever outlives the token */
	bool old;             /* opened under settings that hold no more: ends after its mail, and proves nothing */
	void *link;           /* the driver's */
	struct engine_account *account; /* borrowed */
	struct pool_session *next;
};

struct pool {
	struct pool_session *sessions;
	unsigned count[4]; /* by enum pool_state */
	unsigned max;
	unsigned mails;   /* of one session */
	nd_ms open_after; /* a session could not be opened while others work: not before */
	bool warm;        /* one is kept open, without jobs too */
	nd_ms opened;     /* when the last one was begun */
};

/* A zeroed pool begins by this; later it changes one that is at work. mails: POOL_MAILS… */
void pool_limit(struct pool *pool, unsigned max, unsigned window, unsigned mails);
void pool_done(struct pool *pool);
struct pool_session *pool_add(struct pool *pool, unsigned number, nd_ms now); /* OPENING */
/* The token that it signs in with ends at `expires`: so long before it is not used any more. */
void pool_expires(struct pool_session *session, nd_ms expires, nd_ms margin);
void pool_remove(struct pool *pool, struct pool_session *session); /* frees */
void pool_enter(struct pool *pool, struct pool_session *session, enum pool_state state, nd_ms now);
struct pool_session *pool_idle(const struct pool *pool); /* the one used last (its TLS state is warm), or NULL */
/* A busy one that takes another job beside fewer than `window`: the one with the fewest; NULL none. */
struct pool_session *pool_roomy(const struct pool *pool, unsigned window, nd_ms now);
void pool_give(struct pool *pool, struct pool_session *session, struct sched_job *job, nd_ms now); /* ─► BUSY */
void pool_take(struct pool_session *session, unsigned n); /* job n is under way no more */
/* Whether the domains of this mail are not too many beside those that the session has named; then they count as named.
 * What is too much for an unused one is its server's to refuse. */
bool pool_domains(struct pool_session *session, const struct smtp_mail *mail);
/* Whether another session should be opened: for `ready` waiting jobs, or to be kept. */
bool pool_needs(const struct pool *pool, size_t ready, nd_ms now);
/* An idle session that is over its idle time, age, count or token, or that nobody may use (`all`); NULL none. */
struct pool_session *pool_stale(const struct pool *pool, bool all, nd_ms now);
/* This one was found dead when it was used again: those that have been idle for as long are not used any more. */
void pool_died(struct pool *pool, const struct pool_session *dead);
void pool_age(struct pool *pool); /* all sessions are old from now on */
unsigned pool_total(const struct pool *pool);
nd_ms pool_deadline(const struct pool *pool, nd_ms now);

#endif
