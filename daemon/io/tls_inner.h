/* SPDX-License-Identifier: Apache-2.0 */
/* tls_inner.h - the inside of a TLS context, for tls*.c alone.  Layer: io.  Knows OpenSSL.
 *
 *   tls.c        contexts, verification, sessions, words
 *   tls_chain.c  what certificates say
 *   tls_authorities.c  whom a context and this host trust
 */
#ifndef ND_IO_TLS_INNER_H
#define ND_IO_TLS_INNER_H

#include "daemon/io/tls.h"

#include <openssl/ssl.h>
#include <time.h>

#define TLS_TICKETS 4 /* a server gives two for each session */

struct tls {
	SSL_CTX *context;
	SSL_SESSION *tickets[TLS_TICKETS]; /* the newest last */
	time_t verified[TLS_TICKETS];      /* when its chain of sessions last saw a certificate */
	unsigned ticket_count;
	char name[256]; /* they are for */
	uint8_t pins[TLS_PINS_MAX][32];
	unsigned pin_count;
	struct tls_chain *chain; /* borrowed; what is presented is noted there */
};

/* Of a refused certificate. */
struct refused {
	char issuer[96], last[96]; /* who signed it, and who the last of the chain */
	char names[96];
	char pin[48]; /* of a key that is not pinned; "" pins do not rule */
};

/* tls.c */
const char *tls_reason(unsigned long error); /* of OpenSSL's error queue, in its words */

/* tls_chain.c */
void tls_chain_name(const X509_NAME *name, char *out, size_t size); /* "C=DE, O=Contoso, CN=Contoso CA", UTF-8 */
bool tls_chain_spki(X509 *cert, uint8_t out[32]);                   /* SHA-256 of its SubjectPublicKeyInfo */
void tls_chain_note(struct tls_chain *chain, X509_STORE_CTX *store, bool verified);

#endif
