/* SPDX-License-Identifier: Apache-2.0 */
/* stamp.h - wall-clock times as text, UTC only.  Layer: common, base.  Pure (no libc calendar). */
#ifndef ND_COMMON_STAMP_H
#define ND_COMMON_STAMP_H

#include "common/clock.h"

#include <stdbool.h>

#define ND_STAMP_SIZE 40

/* RFC 3339 with milliseconds: 2026-11-21T08:00:00.000Z. Returns `out`. */
const char *nd_stamp_rfc3339(nd_unix when, char out[ND_STAMP_SIZE]);
/* RFC 5322 3.3: Sat, 21 Nov 2026 08:00:00 +0000. */
const char *nd_stamp_rfc5322(nd_unix when, char out[ND_STAMP_SIZE]);
/* Reads RFC 3339 with any offset, fraction 0-9 digits, 't'/'z' too; also a bare date (midnight UTC). */
bool nd_stamp_read(const char *text, nd_unix *out);
/* "90 s ago"-style span for people: 45s, 12m, 3h05m, 4d02h. Returns `out`. */
const char *nd_stamp_span(nd_ms span, char out[ND_STAMP_SIZE]);

#endif
