/* SPDX-License-Identifier: Apache-2.0 */
/* ending.h - jobs will come to the end of their time within a day: when to say so.  Layer: core.  Pure.
 *
 * Limits are trouble when what waits will not have gone by the first of these ends, or when it is a reader's hour that keeps jobs waiting.
 * What passes by itself within a quarter of an hour is not worth an alarm; what needs a person is, at once. Told once for all that end within a day,
 * and again when a day later there are still such; a new trouble is told anew after the account was well for an hour.
 *
 * Jobs may also wait while their accounts work: put off by servers again and again, or held. Those that have had half of their time, and not only minutes
 * of it, are told in one digest a day, of all accounts.
 */
#ifndef ND_CORE_ENDING_H
#define ND_CORE_ENDING_H

#include "common/buf.h"
#include "daemon/core/health.h"

#include <stdbool.h>
#include <stdint.h>

#define ENDING_AHEAD ND_DAY(1)

struct ending {              /* of one account. Zeroed: nothing was told */
	uint64_t count;      /* as of the last look: jobs that end within ENDING_AHEAD; 0 nothing to warn of */
	nd_unix first;       /* when the first of them does */
	nd_unix told;        /* kept over a restart; 0 never */
	nd_unix well;        /* since when, after it was told; 0 not well */
	bool readers;        /* as of the last look: it is the hour of a reader that keeps them waiting */
	const char *stopped; /* static; as of the last look; NULL: its own trouble */
};
struct ending_fact {
	enum health_state state;
	bool held;           /* the whole queue is: nothing goes before a person has decided */
	const char *stopped; /* static: why nothing is sent by any account; NULL: it is */
	bool quiet;          /* the trouble is a known delay */
	nd_unix since;       /* of the trouble; 0 none */
	uint64_t count;      /* what was found in the store */
	nd_unix first;
	nd_unix through; /* PACED: when all that waits will have gone, as far as the limits decide */
};
/* True: it is to be told now, and counts as told. */
bool ending_look(struct ending *ending, const struct ending_fact *fact, nd_unix now);
/* By their own ends: has a job that began at `from` had so much of its time that its end is worth a word? */
bool ending_near(nd_unix from, nd_unix end, nd_unix now);
/* By the default age: so long before its end. */
nd_ms ending_ahead(nd_ms age);
struct ending_digest {        /* of all jobs whose accounts are in no trouble that was told */
	uint64_t count, held; /* held: of these */
	nd_unix first;
	nd_unix told; /* kept over a restart; 0 never */
};
/* As ending_look(), once a day. */
bool ending_digest_look(struct ending_digest *digest, nd_unix now);
/* "3 jobs end within 24 hours, the first at 2026-11-22T10:00:00.000Z: 1 is held, 2 were put off again and again". */
void ending_digest_words(const struct ending_digest *digest, struct nd_buf *out);
/* What was told at `told` reached nobody: the next look tells it again. */
void ending_refused(struct ending *ending, nd_unix told);
/* One sentence: "3 jobs of account m365 end within 24 hours, the first at 2026-11-22T10:00:00.000Z, and the account is held: auth". */
void ending_words(const struct ending *ending, const char *account, const struct health *health, struct nd_buf *out);

#endif
