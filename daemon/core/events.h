/* SPDX-License-Identifier: Apache-2.0 */
/* events.h - what happened lately: a bounded, numbered record for those who watch.  Layer: core.  Pure.
 *
 * Numbers begin at 1 with each start of the daemon and have no holes; with the name of that start, BOOT:N names an event
 * for ever. The newest EVENTS_MAX are kept, fewer when they hold more than EVENTS_OCTETS. A view only: the truth is in
 * the store.
 */
#ifndef ND_CORE_EVENTS_H
#define ND_CORE_EVENTS_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/ulid.h"
#include "daemon/core/access.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENTS_MAX 65536u
#define EVENTS_OCTETS (5u * 1024 * 1024) /* of their texts and facts; the index takes 4 octets an event more */
#define EVENTS_REASON 160u               /* octets of a reason; more is cut */
#define EVENTS_BOOT_SIZE 17

enum events_kind {
	EVENTS_JOB,     /* job.STATE: it has come to this state */
	EVENTS_ATTEMPT, /* job.attempt */
	EVENTS_ACCOUNT, /* account.state */
	EVENTS_TOKEN,   /* token.refreshed */
	EVENTS_CONFIG,  /* config.reloaded */
	EVENTS_BEGIN,   /* begin: the first line of an answer; never in the record */
	EVENTS_GAP,     /* gap: the same, but some events before it are not told */
	EVENTS_KIND_COUNT
};

/* Texts are borrowed; NULL none. From the record they are good until the next events_add. */
struct events_item {
	uint64_t n;
	nd_unix time;
	enum events_kind kind;
	uint8_t state; /* enum job_state, of jobs; enum health_state, of accounts */
	uint32_t uid;  /* of jobs: their submitter's */
	const char *unit, *job, *account, *reason;
};

struct events;

/* boot: any 64 bits that no other start has. */
struct events *events_new(uint64_t boot);
void events_free(struct events *events);
/* item->n is given here. */
void events_add(struct events *events, const struct events_item *item);
uint64_t events_first(const struct events *events); /* the oldest that is kept; events_last + 1 when there is none */
uint64_t events_last(const struct events *events);
/* False: it is not kept, any more or yet. */
bool events_get(const struct events *events, uint64_t n, struct events_item *item);
size_t events_memory(const struct events *events); /* octets that are taken */

/* Where to go on after `since` ("BOOT:N"; NULL: from now on): *n is the number to go on after. ND_EINVALID.
 * *gap: what came between is not known, so it goes on with the oldest. */
enum nd_err events_since(
    const struct events *events, const char *since, uint64_t *n, bool *gap, struct nd_why *why) ND_MUST_CHECK;

struct events_filter {
	const struct access_peer *peer; /* operators see all, others their own jobs */
	char job[ND_ULID_LEN + 1];      /* the end of an id; "" any */
	const char *types;              /* list of names with commas, * and ? stand for others; NULL any */
};
/* Each of the types must fit some event. ND_EINVALID. */
enum nd_err events_types(const char *types, struct nd_why *why) ND_MUST_CHECK;
bool events_wanted(const struct events_filter *filter, const struct events_item *item);
/* "job.delivered" */
const char *events_name(const struct events_item *item, char out[32]);
/* One line of JSON with its end. */
void events_write(const struct events *events, const struct events_item *item, struct nd_buf *out);

#endif
