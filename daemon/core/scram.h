/* SPDX-License-Identifier: Apache-2.0 */
/* scram.h - the texts of SCRAM (RFC 5802, RFC 7677), without channel binding.  Layer: core.  Pure: what takes cryptography is a question.
 *
 *   client-first  n,,n=USER,r=NONCE         server-first  r=NONCE…,s=SALT,i=N
 *   client-final  c=biws,r=NONCE…,p=PROOF   server-final  v=SIGNATURE
 */
#ifndef ND_CORE_SCRAM_H
#define ND_CORE_SCRAM_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRAM_ITERATIONS_MAX 200000u /* some 100 ms of work; beyond it a server would only keep us busy */
#define SCRAM_HASH 32u

struct scram {
	char nonce[256]; /* the server's, which begins with ours */
	uint8_t salt[64];
	size_t salt_len;
	unsigned iterations;
	char message[1024]; /* AuthMessage */
};

/* A name as RFC 5801 4 and RFC 5802 5.1 write it: "," and "=" would end it. */
void scram_name(const char *user, struct nd_buf *out);
void scram_first(const char *user, const char *nonce, struct nd_buf *out);
/* The server's first message. ND_EPROTOCOL when it is none, or not an answer to ours. */
enum nd_err scram_read(const char *user, const char *nonce, const char *text, size_t len, struct scram *out,
    struct nd_why *why) ND_MUST_CHECK;
void scram_final(const struct scram *scram, const uint8_t proof[SCRAM_HASH], struct nd_buf *out);
/* The server's last message proves that it knows the password too. */
bool scram_verified(const char *text, size_t len, const uint8_t signature[SCRAM_HASH]);

#endif
