/* SPDX-License-Identifier: Apache-2.0 */
/* json_here.h - octets of JSON, looked at and decoded where they lie.  Layer: common, words (of json).  Pure. */
#ifndef ND_COMMON_JSON_HERE_H
#define ND_COMMON_JSON_HERE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

unsigned json_here_line(const char *octets, size_t at); /* of the octet at `at`; the first line is 1 */
/* What yajl lets pass: octets that are no UTF-8, escapes of NUL and of half characters. `ascii`: so many at the beginning are known to be
 * ASCII. ND_ESYNTAX with the line. */
enum nd_err json_here_check(const char *octets, size_t len, size_t ascii, struct nd_why *why) ND_MUST_CHECK;
/* Where the string that begins at `at`, behind its quote, ends: at its other quote, or at `len`. */
size_t json_here_end(const char *octets, size_t len, size_t at);
const char *json_here_control(
    const char *octets, size_t len); /* the first control character, which no string may have; NULL none */
/* Shrinks a string to what it says, with a NUL behind it. `len`: up to its end quote. False: an escape is malformed. */
bool json_here_decode(char *string, size_t len, size_t *decoded);

#endif
