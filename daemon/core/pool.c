/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - the sessions of one account.  Layer: core. */
#include "daemon/core/pool.h"

#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
pool_limit(struct pool *pool, unsigned max, unsigned window, unsigned mails)
{
	pool->max = max;
	pool->mails = mails * window;
}

void
pool_done(struct pool *pool)
{
	while (pool->sessions)
		pool_remove(pool, pool->sessions);
}

struct pool_session *
pool_add(struct pool *pool, unsigned number, nd_ms now)
{
	struct pool_session *session = nd_xalloc(sizeof(*session));

	(void)snprintf(session->id, sizeof(session->id), "s%u", number);
	session->state = POOL_OPENING;
	session->opened = pool->opened = now;
	session->last = ND_NEVER;
	session->next = pool->sessions;
	pool->sessions = session;
	pool->count[POOL_OPENING]++;
	return session;
}

/* At most half of what is left: else a short token would have none that can be used, and one after another would be opened for nothing. */
void
pool_expires(struct pool_session *session, nd_ms expires, nd_ms margin)
{
	const nd_ms most = (expires - session->opened) / 2;

	session->last = expires - (margin < most ? margin : most);
}

void
pool_remove(struct pool *pool, struct pool_session *session)
{
	struct pool_session **at = &pool->sessions;

	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	pool->count[session->state]--;
	free(session);
}

void
pool_enter(struct pool *pool, struct pool_session *session, enum pool_state state, nd_ms now)
{
	pool->count[session->state]--;
	pool->count[state]++;
	session->state = state;
	if (state == POOL_IDLE_SESSION)
		session->idle_since = now;
}

static unsigned
mails_of(const struct pool *pool, const struct pool_session *session)
{
	return session->mails_max > 0 && session->mails_max < pool->mails ? session->mails_max : pool->mails;
}

static bool
worn(const struct pool *pool, const struct pool_session *session, nd_ms now)
{
	return session->old || session->mails >= mails_of(pool, session) || now - session->opened >= POOL_AGE ||
	       now >= session->last;
}

struct pool_session *
pool_idle(const struct pool *pool)
{
	struct pool_session *session, *best = NULL;

	for (session = pool->sessions; session; session = session->next)
		if (session->state == POOL_IDLE_SESSION && (!best || session->idle_since > best->idle_since))
			best = session;
	return best;
}

struct pool_session *
pool_roomy(const struct pool *pool, unsigned window, nd_ms now)
{
	struct pool_session *session, *best = NULL;

	for (session = pool->sessions; session; session = session->next)
		if (session->state == POOL_BUSY && session->room && session->job_count < window &&
		    !worn(pool, session, now) && session->mails + session->job_count < mails_of(pool, session) &&
		    (!best || session->job_count < best->job_count))
			best = session;
	return best;
}

void
pool_give(struct pool *pool, struct pool_session *session, struct sched_job *job, nd_ms now)
{
	session->jobs[session->job_count++] = job;
	session->room = false; /* until the driver says so again */
	if (session->state != POOL_BUSY)
		pool_enter(pool, session, POOL_BUSY, now);
}

void
pool_take(struct pool_session *session, unsigned n)
{
	session->job_count--;
	session->room = session->room && session->job_count > 0; /* beside what? */
	memmove(&session->jobs[n], &session->jobs[n + 1], (session->job_count - n) * sizeof(struct sched_job *));
}

void
pool_died(struct pool *pool, const struct pool_session *dead)
{
	struct pool_session *session;

	for (session = pool->sessions; session; session = session->next)
		if (session->state == POOL_IDLE_SESSION && session->idle_since <= dead->idle_since)
			session->mails = pool->mails;
}

void
pool_age(struct pool *pool)
{
	struct pool_session *session;

	for (session = pool->sessions; session; session = session->next) {
		session->old = true;
		session->probe = false;
	}
}

unsigned
pool_total(const struct pool *pool)
{
	return pool->count[POOL_OPENING] + pool->count[POOL_IDLE_SESSION] + pool->count[POOL_BUSY] +
	       pool->count[POOL_CLOSING];
}

/* One that is to be kept is missing. */
static bool
cold(const struct pool *pool)
{
	return pool->warm && pool_total(pool) == 0;
}

/* The pool of an account that has not had a session yet opens one at once. */
static nd_ms
warm_when(const struct pool *pool)
{
	return pool->opened > 0 ? pool->opened + POOL_WARM : 0;
}

bool
pool_needs(const struct pool *pool, size_t ready, nd_ms now)
{
	if (now < pool->open_after || pool_total(pool) >= pool->max)
		return false;
	return ready > pool->count[POOL_OPENING] || (cold(pool) && now >= warm_when(pool));
}

/* How long it may stay without a mail. */
static nd_ms
patience(const struct pool *pool)
{
	return pool->warm && pool_total(pool) == 1 ? POOL_AGE : POOL_IDLE;
}

struct pool_session *
pool_stale(const struct pool *pool, bool all, nd_ms now)
{
	struct pool_session *session;

	for (session = pool->sessions; session; session = session->next)
		if (session->state == POOL_IDLE_SESSION &&
		    (all || worn(pool, session, now) || now - session->idle_since >= patience(pool)))
			return session;
	return NULL;
}

nd_ms
pool_deadline(const struct pool *pool, nd_ms now)
{
	const struct pool_session *session;
	nd_ms at = pool->open_after > now ? pool->open_after : ND_NEVER;

	if (cold(pool) && warm_when(pool) < at && warm_when(pool) > now)
		at = warm_when(pool);
	for (session = pool->sessions; session; session = session->next) {
		if (session->state != POOL_IDLE_SESSION)
			continue;
		if (session->idle_since + patience(pool) < at)
			at = session->idle_since + patience(pool);
		if (session->opened + POOL_AGE < at)
			at = session->opened + POOL_AGE;
		if (session->last < at)
			at = session->last;
	}
	return at;
}

/* FNV-1a of the domain, in whatever case. */
static uint64_t
domain_of(const char *address)
{
	const char *at = strrchr(address, '@');
	uint64_t hash = 0xcbf29ce484222325u;

	for (at = at ? at + 1 : ""; *at; at++) {
		const unsigned char c = (unsigned char)*at;

		hash = (hash ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 0x100000001b3u;
	}
	return hash;
}

bool
pool_domains(struct pool_session *session, const struct smtp_mail *mail)
{
	const unsigned most = session->domains_max < POOL_DOMAINS ? session->domains_max : POOL_DOMAINS;
	unsigned n, count = session->domain_count;

	for (unsigned k = 0; k < mail->rcpt_count; k++) {
		const uint64_t domain = domain_of(mail->rcpts[k]);

		for (n = 0; n < count && session->domains[n] != domain; n++)
			continue;
		if (n < count)
			continue;
		if (count < most)
			session->domains[count++] = domain;
		else if (session->domain_count > 0)
			return false;
	}
	session->domain_count = count;
	return true;
}
