/* SPDX-License-Identifier: Apache-2.0 */
/* pkce.h - proof key for code exchange, S256 (RFC 7636).  Layer: core.  Pure: randomness and digests are passed in. */
#ifndef ND_CORE_PKCE_H
#define ND_CORE_PKCE_H

#include <stdint.h>

#define PKCE_SIZE 44 /* 43 characters and a NUL */

/* 32 octets as BASE64URL without padding: random ones make a verifier or a state, the SHA-256 of a verifier its challenge. Returns `out`. */
const char *pkce_text(const uint8_t octets[32], char out[PKCE_SIZE]);

#endif
