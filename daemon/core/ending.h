/* SPDX-License-Identifier: Apache-2.0 */
/* ending.h - jobs of an account in trouble will come to the end of their time within a day: when to say so.  Layer: core.  Pure.
 *
 * What passes by itself within a quarter of an hour is not worth an alarm; what needs a person is, at once. Told once for all that end within a day,
 * and again when a day later there are still such; a new trouble is told anew after the account was well for an hour.
 */
#ifndef ND_CORE_ENDING_H
#define ND_CORE_ENDING_H

#include "common/buf.h"
#include "daemon/core/health.h"

#include <stdbool.h>
#include <stdint.h>

#define ENDING_AHEAD ND_DAY(1)

struct ending {         /* of one account. Zeroed: nothing was told */
	uint64_t count; /* as of the last look: jobs that end within ENDING_AHEAD; 0 nothing to warn of */
	nd_unix first;  /* when the first of them does */
	nd_unix told;   /* kept over a restart; 0 never */
	nd_unix well;   /* since when, after it was told; 0 not well */
};
struct ending_fact {
	enum health_state state;
	bool held;      /* the whole queue is */
	bool quiet;     /* the trouble is a known delay */
	nd_unix since;  /* of the trouble; 0 none */
	uint64_t count; /* what was found in the store */
	nd_unix first;
};
/* True: it is to be told now, and counts as told. */
bool ending_look(struct ending *ending, const struct ending_fact *fact, nd_unix now);
/* What was told at `told` reached nobody: the next look tells it again. */
void ending_refused(struct ending *ending, nd_unix told);
/* One sentence: "3 jobs of account m365 end within 24 hours, the first at 2026-11-22T10:00:00.000Z, and the account is held: auth". */
void ending_words(const struct ending *ending, const char *account, const struct health *health, struct nd_buf *out);

#endif
