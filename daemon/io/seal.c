/* SPDX-License-Identifier: Apache-2.0 */
/* seal.c - a message in a file that only its key can open.  Layer: io.
 *
 *   file   = chunk … chunk          chunk = the octets, encrypted, and their tag
 *   nonce  = 1 for the last chunk, else 0 (4 octets); its number (8)      beside it: the id
 *
 * No nonce comes twice under a key, because a key has one message only. A full chunk is closed when the next octet comes: only then
 * is it known not to be the last one.
 */
#include "daemon/io/seal.h"

#include "common/mem.h"
#include "common/ulid.h"
#include "daemon/io/filer.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAG 16u
#define NONCE 12u
#define NO_CHUNK UINT64_MAX
#define MARK "notifyd-sealed 1\n" /* a short text begins with it, and with its salt */
#define MARK_LEN (sizeof(MARK) - 1)
#define SALT 32u
#define HEAD_LEN (MARK_LEN + SALT)

struct seal {
	EVP_CIPHER_CTX *context;
	uint8_t key[SEAL_KEY];
	uint8_t bound[ND_ULID_LEN]; /* what each tag covers beside the octets */
	uint64_t len;
	uint64_t chunk; /* the one that is open in `plain`; NO_CHUNK none */
	size_t held;    /* writing: octets of the message in `plain` */
	uint64_t written;
	uint8_t plain[SEAL_CHUNK];
	uint8_t sealed[SEAL_CHUNK + TAG];
};

static void
must(bool done)
{
	if (!done)
		abort();
}

static void
put_number(uint8_t out[8], uint64_t number)
{
	for (int i = 7; i >= 0; i--, number >>= 8)
		out[i] = (uint8_t)number;
}

void
seal_fresh(uint8_t key[SEAL_KEY])
{
	must(RAND_priv_bytes(key, SEAL_KEY) == 1);
}

void
seal_digest(const uint8_t key[SEAL_KEY], const void *octets, size_t len, uint8_t out[32])
{
	must(HMAC(EVP_sha256(), key, SEAL_KEY, octets, len, out, NULL) != NULL);
}

struct seal *
seal_new(const uint8_t key[SEAL_KEY], const char *id, uint64_t len)
{
	struct seal *seal = nd_xalloc(sizeof(*seal));

	memcpy(seal->key, key, SEAL_KEY);
	memcpy(seal->bound, id, strnlen(id, ND_ULID_LEN));
	seal->len = len;
	seal->chunk = NO_CHUNK;
	seal->context = EVP_CIPHER_CTX_new();
	must(seal->context != NULL);
	return seal;
}

void
seal_free(struct seal *seal)
{
	if (seal == NULL)
		return;
	EVP_CIPHER_CTX_free(seal->context); /* wipes what it knows of the key */
	OPENSSL_cleanse(seal, sizeof(*seal));
	free(seal);
}

static uint64_t
last_chunk(const struct seal *seal)
{
	return seal->len == 0 ? 0 : (seal->len - 1) / SEAL_CHUNK;
}

static size_t
chunk_len(const struct seal *seal, uint64_t chunk)
{
	return chunk < last_chunk(seal) ? SEAL_CHUNK : (size_t)(seal->len - chunk * SEAL_CHUNK);
}

/* The cipher for one chunk, with what its tag covers already told. */
static void
begin(struct seal *seal, uint64_t chunk, bool last, int encrypt)
{
	uint8_t nonce[NONCE] = { 0 };
	int len;

	nonce[3] = last;
	put_number(nonce + 4, chunk);
	must(EVP_CipherInit_ex(seal->context, EVP_aes_256_gcm(), NULL, seal->key, nonce, encrypt) == 1);
	must(EVP_CipherUpdate(seal->context, NULL, &len, seal->bound, sizeof(seal->bound)) == 1);
}

/* What is held goes into the file as the next chunk. */
static int
close_chunk(struct seal *seal, int fd, bool last)
{
	const size_t len = seal->held;
	int done = 0, rest = 0;

	begin(seal, seal->written++, last, 1);
	must(EVP_CipherUpdate(seal->context, seal->sealed, &done, seal->plain, (int)len) == 1);
	must(EVP_CipherFinal_ex(seal->context, seal->sealed + done, &rest) == 1);
	must(EVP_CIPHER_CTX_ctrl(seal->context, EVP_CTRL_AEAD_GET_TAG, TAG, seal->sealed + len) == 1);
	seal->held = 0;
	return filer_write_all(fd, (const char *)seal->sealed, len + TAG);
}

int
seal_add(struct seal *seal, int fd, const char *octets, size_t len)
{
	while (len > 0) {
		size_t take = SEAL_CHUNK - seal->held;

		if (take == 0 && close_chunk(seal, fd, false) != 0)
			return -1;
		take = SEAL_CHUNK - seal->held;
		take = len < take ? len : take;
		memcpy(seal->plain + seal->held, octets, take);
		seal->held += take;
		octets += take;
		len -= take;
	}
	return 0;
}

int
seal_end(struct seal *seal, int fd)
{
	return close_chunk(seal, fd, true);
}

/* -- reading -- */

static ssize_t
read_at(int fd, uint8_t *out, size_t len, uint64_t at)
{
	size_t have = 0;

	while (have < len) {
		ssize_t got = pread(fd, out + have, len - have, (off_t)(at + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

static enum nd_err
damaged(const struct seal *seal, const char *how, struct nd_why *why)
{
	(void)nd_fail(why, ND_EBODYGONE, 0, "the sealed message of job %.*s %s", (int)ND_ULID_LEN,
	    (const char *)seal->bound, how);
	return nd_fail_at(why, "", 0, "nothing of it was sent: submit the job again");
}

/* Makes `chunk` the one in `plain`. Octets that did not pass are wiped. */
static enum nd_err
open_chunk(struct seal *seal, int fd, uint64_t chunk, struct nd_why *why)
{
	size_t len = chunk_len(seal, chunk);
	size_t want = len + TAG;
	ssize_t got = read_at(fd, seal->sealed, want, chunk * (SEAL_CHUNK + TAG));
	int done = 0, rest = 0;
	bool good;

	seal->chunk = NO_CHUNK;
	if (got < 0)
		return nd_fail(why, ND_EDISK, errno, "the sealed message of job %.*s cannot be read", (int)ND_ULID_LEN,
		    (const char *)seal->bound);
	if ((size_t)got != want)
		return damaged(seal, "is shorter than it was", why);
	begin(seal, chunk, chunk == last_chunk(seal), 0);
	good = EVP_CipherUpdate(seal->context, seal->plain, &done, seal->sealed, (int)len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(seal->context, EVP_CTRL_AEAD_SET_TAG, TAG, seal->sealed + len) == 1 &&
	       EVP_CipherFinal_ex(seal->context, seal->plain + done, &rest) == 1;
	if (!good) {
		OPENSSL_cleanse(seal->plain, sizeof(seal->plain));
		return damaged(seal, "is damaged, or its key is another one's", why);
	}
	seal->chunk = chunk;
	return ND_OK;
}

ssize_t
seal_read(struct seal *seal, int fd, uint64_t at, void *out, size_t len, struct nd_why *why)
{
	uint64_t chunk = at / SEAL_CHUNK;
	size_t from = (size_t)(at % SEAL_CHUNK), left;

	if (at >= seal->len)
		return 0;
	if (seal->chunk != chunk && open_chunk(seal, fd, chunk, why) != ND_OK)
		return -1;
	left = chunk_len(seal, chunk) - from;
	if (len > left)
		len = left;
	memcpy(out, seal->plain + from, len);
	return (ssize_t)len;
}

/* -- short texts --
 *
 *   file = mark, salt (32), the octets encrypted, their tag        beside it: mark and salt, the name
 *   key  = HMAC-SHA-256(secret, salt), so the nonce may be zero: no key comes twice
 */

bool
seal_text_is(const char *octets, size_t len)
{
	return len >= HEAD_LEN + TAG && memcmp(octets, MARK, MARK_LEN) == 0;
}

static EVP_CIPHER_CTX *
begin_text(const struct nd_secret *secret, const char *name, const uint8_t *head, int encrypt)
{
	static const uint8_t nonce[NONCE] = { 0 };
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t key[SEAL_KEY];
	unsigned size = 0;
	int len;

	must(context != NULL);
	must(HMAC(EVP_sha256(), secret->octets, (int)secret->len, head + MARK_LEN, SALT, key, &size) != NULL &&
	     size == SEAL_KEY);
	must(EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce, encrypt) == 1);
	must(EVP_CipherUpdate(context, NULL, &len, head, HEAD_LEN) == 1);
	must(EVP_CipherUpdate(context, NULL, &len, (const uint8_t *)name, (int)strlen(name)) == 1);
	OPENSSL_cleanse(key, sizeof(key));
	return context;
}

void
seal_text(const struct nd_secret *secret, const char *name, const char *octets, size_t len, struct nd_buf *out)
{
	uint8_t *file = nd_xalloc(HEAD_LEN + len + TAG);
	EVP_CIPHER_CTX *context;
	int done = 0, rest = 0;

	memcpy(file, MARK, MARK_LEN);
	must(RAND_bytes(file + MARK_LEN, SALT) == 1);
	context = begin_text(secret, name, file, 1);
	must(EVP_CipherUpdate(context, file + HEAD_LEN, &done, (const uint8_t *)octets, (int)len) == 1);
	must(EVP_CipherFinal_ex(context, file + HEAD_LEN + done, &rest) == 1);
	must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, file + HEAD_LEN + len) == 1);
	EVP_CIPHER_CTX_free(context);
	(void)nd_buf_add(out, file, HEAD_LEN + len + TAG);
	free(file);
}

enum nd_err
seal_text_open(const struct nd_secret *secret, const char *name, const char *octets, size_t len, struct nd_buf *out,
    struct nd_why *why)
{
	const uint8_t *file = (const uint8_t *)octets;
	size_t plain = len - HEAD_LEN - TAG;
	uint8_t tag[TAG], *text;
	EVP_CIPHER_CTX *context;
	int done = 0, rest = 0;
	bool good;

	if (!seal_text_is(octets, len))
		return nd_fail(why, ND_ETOKENSLOCKED, 0, "it is not sealed");
	text = nd_xalloc(plain + 1);
	memcpy(tag, file + len - TAG, TAG);
	context = begin_text(secret, name, file, 0);
	good = EVP_CipherUpdate(context, text, &done, file + HEAD_LEN, (int)plain) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
	       EVP_CipherFinal_ex(context, text + done, &rest) == 1;
	EVP_CIPHER_CTX_free(context);
	if (good)
		(void)nd_buf_add(out, text, plain);
	nd_wipe_free(text, plain);
	return good ? ND_OK : nd_fail(why, ND_ETOKENSLOCKED, 0, "it is damaged, or was sealed with another tokens-key");
}
