/* SPDX-License-Identifier: Apache-2.0 */
/* ulid.h - job ids.  Layer: common, base.  Pure: randomness is passed in.
 *
 * 26 characters of Crockford base32, 48 bits of time and 80 random ones (github.com/ulid/spec). Ids made by one maker rise,
 * even within a millisecond and when the clock steps back.
 */
#ifndef ND_COMMON_ULID_H
#define ND_COMMON_ULID_H

#include "common/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define ND_ULID_LEN 26

struct nd_ulid_maker {
	nd_unix last;
	uint8_t entropy[10];
};

/* The next id. `fresh` are 10 random octets, used when a new millisecond begins. */
void nd_ulid_next(struct nd_ulid_maker *maker, nd_unix now, const uint8_t fresh[10], char out[ND_ULID_LEN + 1]);
/* After a restart: ids made from now on rise above `id` (an id, or "" for none). */
void nd_ulid_after(struct nd_ulid_maker *maker, const char *id);
bool nd_ulid_valid(const char *text); /* whole id, upper case */
/* The last >= 6 characters of an id as people type them: checked, upper-cased, I/L/O folded. false: not such a thing. */
bool nd_ulid_tail(const char *text, char out[ND_ULID_LEN + 1]);
nd_unix nd_ulid_time(const char *id);

#endif
