/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h - TLS client contexts, verification, words for failures.  Layer: io.  Knows OpenSSL.
 *
 * TLS >= 1.2, always verified: system CAs or `ca_file` and `ca_dir` instead of them; the name in SubjectAltName only. Or, in place of chain, name and date, by the keys
 * that are pinned. No setting turns it off. A context keeps a few
 * tickets of its verified sessions, so that the next one for the same name needs no certificates; each is used once, and within the hour.
 */
#ifndef ND_IO_TLS_H
#define ND_IO_TLS_H

#include "common/clock.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls; /* a context: one for each set of trust settings */
struct ssl_st;
struct bufferevent;

/* ca_file and ca_dir NULL or "": system CAs. */
struct tls *tls_new(const char *ca_file, const char *ca_dir, struct nd_why *why);
void tls_free(struct tls *tls);
/* From now on a certificate is trusted when its key is one of these: base64 of the SHA-256 of its SubjectPublicKeyInfo, as in RFC 7469. ND_ECONF. */
#define TLS_PINS_MAX 16u
enum nd_err tls_pin(struct tls *tls, char *const *pins, unsigned count, struct nd_why *why) ND_MUST_CHECK;
bool tls_fips(void); /* this process's OpenSSL offers FIPS algorithms only */

/* What a context (SSL_CTX, also of another library) trusts, instead of what it did: the authorities of the file and of the folder's files
 * NAME.pem and NAME.crt; neither given: the system's. ND_ECONF names the file that cannot be read. */
enum nd_err tls_trust(void *context, const char *ca_file, const char *ca_dir, struct nd_why *why) ND_MUST_CHECK;
/* How many certificates of authorities a PEM file gives, or a folder of such; neither given: those that OpenSSL finds by itself. -1: it cannot be read, and
 * `reason` says why. */
int tls_authorities(const char *file, const char *folder, char *reason, size_t size);
const char *tls_authorities_place(void); /* where OpenSSL looks for them */
const char *tls_version(void);           /* "OpenSSL 3.0.17 1 Jul 2025" */
/* A client session that expects `name` (SNI too, unless it is an address; then the IP SubjectAltName). */
struct ssl_st *tls_session(struct tls *tls, const char *name, struct nd_why *why);
/* Why the handshake on `bev` failed: verification result or error queue in words; ND_ETLS, or ND_ECLOSED when the peer just left. */
enum nd_err tls_failure(struct bufferevent *bev, const char *name, struct nd_why *why);
/* What a certificate said that was not believed. */
struct tls_refused {
	char reason[96]; /* "" none was refused */
	char issuer[96];
	char names[96];
};
/* For a context of another library (SSL_CTX of libcurl): the first certificate it refuses is noted in `out`. */
void tls_note_refused(void *context, struct tls_refused *out);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384". Returns out. */
const char *tls_words(const struct ssl_st *ssl, char *out, size_t size);
bool tls_resumed(const struct ssl_st *ssl); /* it continues an earlier session */
void tls_shutdown(struct ssl_st *ssl);      /* close_notify, once */
/* What can still be read of a session whose writing has failed; 0: nothing. */
size_t tls_rest(struct ssl_st *ssl, void *out, size_t size);
/* Writes all at once, at most TLS_WRITE_MAX octets: one record. false: nothing was written now; write the same octets again, through libevent. */
#define TLS_WRITE_MAX 15000u
bool tls_write(struct ssl_st *ssl, const void *octets, size_t len);

/* What a server presents, for people to look at (tls_chain.c). The session is verified as any other, and ends when that fails: what is refused is
 * noted, never used. */
#define TLS_CHAIN_MAX 10u
#define TLS_CERT_NAMES 32u
struct tls_cert {
	char *subject, *issuer; /* owned, as are the names */
	char *names[TLS_CERT_NAMES];
	unsigned name_count;
	nd_unix not_before, not_after;
	uint8_t sha256[32], spki_sha256[32];
};
struct tls_chain {
	struct tls_cert cert[TLS_CHAIN_MAX]; /* as they came: the server's first */
	unsigned count;
	bool verified;   /* by chain, name and date, whether pins rule or not */
	bool pinned;     /* the server's key is one of the pins */
	char words[100]; /* why it is not verified */
};
/* The context's sessions note their chain; it must outlive them. */
void tls_inspect(struct tls *tls, struct tls_chain *chain);
void tls_chain_done(struct tls_chain *chain);
/* For a context of another library: what its next server presents is noted in `chain`, which must outlive its handshakes. */
void tls_note_chain(void *context, struct tls_chain *chain);
/* One of its issuers is an authority that somebody added to this host, by a *.crt in `folder`: its path, or "". Returns `path`. */
const char *tls_chain_local(const struct tls_chain *chain, const char *folder, char *path, size_t size);

/* Other uses of OpenSSL, so that one file knows it. */
void tls_sha256(const void *octets, size_t len, uint8_t out[32]);
void tls_random(void *out, size_t len); /* aborts when there is no randomness */
struct tls_digest;                      /* SHA-256 piece by piece */
struct tls_digest *tls_digest_new(void);
void tls_digest_add(struct tls_digest *digest, const void *octets, size_t len);
void tls_digest_end(struct tls_digest *digest, uint8_t out[32]); /* frees */

#endif
