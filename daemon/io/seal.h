/* SPDX-License-Identifier: Apache-2.0 */
/* seal.h - a message in a file that only its key can open: AES-256-GCM, chunk by chunk.  Layer: io.  Knows OpenSSL.
 *
 * A key seals one message, once. Each chunk has its own tag, bound to the job, its place and whether it is the last: a file
 * that was changed, cut or swapped is known as damaged before an octet of the bad chunk is given out.
 */
#ifndef ND_IO_SEAL_H
#define ND_IO_SEAL_H

#include "common/buf.h"
#include "common/err.h"
#include "common/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SEAL_KEY 32u
#define SEAL_CHUNK 32768u /* octets of the message; in the file a tag of 16 follows them */

struct seal;
void seal_fresh(uint8_t key[SEAL_KEY]); /* a key out of randomness; aborts when there is none */
/* For the message of the job `id`; `len`: its octets, when it is to be read. The key is copied; seal_free wipes it, and what was read or is not yet
 * written. NULL is fine to free. */
struct seal *seal_new(const uint8_t key[SEAL_KEY], const char *id, uint64_t len);
void seal_free(struct seal *seal);
/* Writes the next octets, sealed; seal_end what is left: 0, or -1 with errno. */
int seal_add(struct seal *seal, int fd, const char *octets, size_t len) ND_MUST_CHECK;
int seal_end(struct seal *seal, int fd) ND_MUST_CHECK;
/* Opens up to `len` octets from `at` on; 0 at the end. -1: why is ND_EBODYGONE when the file is damaged or the key another one's, ND_EDISK when it
 * cannot be read. */
ssize_t seal_read(struct seal *seal, int fd, uint64_t at, void *out, size_t len, struct nd_why *why) ND_MUST_CHECK;

/* HMAC-SHA-256: a digest that nobody can try guesses against who has not got the key. */
void seal_digest(const uint8_t key[SEAL_KEY], const void *octets, size_t len, uint8_t out[32]);

/* A short text for a file, sealed under a secret that many such texts share: each has a key of its own, made of the secret and of what stands in front of
 * it, and is bound to `name`. */
#define SEAL_SECRET_MIN 16u /* octets of the secret; 32 random ones are advised */
bool seal_text_is(const char *octets, size_t len);
void seal_text(const struct nd_secret *secret, const char *name, const char *octets, size_t len, struct nd_buf *out);
/* ND_ETOKENSLOCKED: it is damaged, or sealed under another secret or name. */
enum nd_err seal_text_open(const struct nd_secret *secret, const char *name, const char *octets, size_t len,
    struct nd_buf *out, struct nd_why *why) ND_MUST_CHECK;

#endif
