/* SPDX-License-Identifier: Apache-2.0 */
/* health.h - the state of an account: may it send?  Layer: core.  Pure machine.
 *
 *   ok ──own limits──► paced (it sends, as fast as they allow) ──nothing waits──► ok
 *   ok ──fault──► throttled (nothing until T) ──T──► ok
 *      ──fault──► failing (probes after 1, 2, 4 … 15 min) ──probe succeeds──► ok
 *      ──fault──► held (needs a person; probes every 10 min for an hour, then hourly) ──probe succeeds──► ok
 *      ──operator──► paused (nothing, and no probes) ──operator──► ok
 *
 * A probe is one session, with one job when the fault was met while a mail was handed over. A failing account may be quiet: what it meets
 * is a known delay (spread.h), it is no alarm before that is over.
 */
#ifndef ND_CORE_HEALTH_H
#define ND_CORE_HEALTH_H

#include "common/clock.h"
#include "daemon/core/verdict.h"

#include <stdbool.h>
#include <stdint.h>

enum health_state {
	HEALTH_OK,
	HEALTH_PACED,
	HEALTH_THROTTLED,
	HEALTH_FAILING,
	HEALTH_HELD,
	HEALTH_PAUSED,
	HEALTH_STATE_COUNT
};
const char *health_state_name(enum health_state state);

enum health_leave { HEALTH_NOTHING, HEALTH_ONE, HEALTH_ALL };

struct health {
	enum health_state state;
	char reason[48]; /* stable word; "" when ok */
	char detail[320];
	char hint[1000];    /* with commands to paste */
	nd_ms since, until; /* until: next probe or end of the throttle; ND_NEVER none */
	unsigned probes;
	bool probing; /* the one session of a probe is out */
	bool in_mail; /* the fault was met in a transaction: a session alone proves nothing */
	bool urged;   /* somebody says that it is mended: any mail may be its probe */
	bool changed; /* since health_told */
	nd_ms quiet;  /* failing: a known delay until then, and no alarm; 0 none */
	unsigned met; /* faults that took hold: which one the present one is */
};

struct health_fault {
	enum health_state state; /* THROTTLED, FAILING or HELD */
	const char *reason, *detail, *hint;
	nd_ms wait; /* at least; 0 the table of retries decides */
	bool in_mail;
	nd_ms quiet; /* failing: a known delay until then; the last try comes with its end */
};

void health_init(struct health *health, nd_ms now);
void health_fault(struct health *health, const struct health_fault *fault, uint32_t dice, nd_ms now);
/* A session stands (mail: a relay answered a transaction in a way that is no fault of the account). */
void health_proved(struct health *health, bool mail, nd_ms now);
/* A probe ended without a word (nothing to send, session lost while idle): the next one later. */
void health_unproved(struct health *health, uint32_t dice, nd_ms now);
/* What may go out now; asking moves a throttle that is over to ok. */
enum health_leave health_leave(struct health *health, nd_ms now);
/* Own limits keep jobs waiting till `until`; it goes on sending when they allow. In any trouble that goes first. */
void health_pace(struct health *health, const char *reason, const char *detail, nd_ms until, nd_ms now);
void health_unpace(struct health *health, nd_ms now);
void health_probe(struct health *health); /* the probe's session is being opened */
/* By the operator: nothing is sent until health_resume. */
void health_pause(struct health *health, nd_ms now);
/* What kept a paused account is over; one that waits for its next probe is probed now. */
void health_resume(struct health *health, nd_ms now);
/* The account is another one now: nothing learned about it holds, but a pause does. */
void health_renew(struct health *health, nd_ms now);
/* When it may send, by what is known now; 0: a person is needed first. */
nd_unix health_ready(const struct health *health, struct nd_now now);
nd_ms health_deadline(const struct health *health);
/* What it meets is a known delay, and no reason to alarm anybody. It ends by its time, whether or not anything was tried by then. */
bool health_quiet(const struct health *health, nd_ms now);
bool health_told(struct health *health); /* true once after each change of state or reason */
/* "reason: detail", and of a known delay when the next try is. "" when ok. */
#define HEALTH_WORDS 480
const char *health_words(const struct health *health, struct nd_now now, char out[HEALTH_WORDS]);

#endif
