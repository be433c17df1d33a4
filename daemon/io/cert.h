/* SPDX-License-Identifier: Apache-2.0 */
/* cert.h - makes a key and a certificate for it, for an application that proves itself by assertions; reads the latter.  Layer: io.  Knows OpenSSL. */
#ifndef ND_IO_CERT_H
#define ND_IO_CERT_H

#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"

#define CERT_DAYS 730
#define CERT_BITS 3072
#define CERT_SHA1 41
#define CERT_SHA256 65

struct cert_pair {
	struct nd_secret key;    /* PEM (PKCS 8), without a passphrase */
	struct nd_secret public; /* the certificate, PEM: no secret, but a text like the key */
	char sha1[CERT_SHA1];    /* upper case: the thumbprint as Entra ID shows it */
	char sha256[CERT_SHA256];
	nd_unix not_after;
};

/* RSA, self-signed with SHA-256, for signatures only; good from `now` for CERT_DAYS. `name` is its CN. To be done in any case. */
enum nd_err cert_make(const char *name, nd_unix now, struct cert_pair *out, struct nd_why *why) ND_MUST_CHECK;
/* Of one that is there: all but the key. To be done in any case. */
enum nd_err cert_read(const char *path, struct cert_pair *out, struct nd_why *why) ND_MUST_CHECK;
void cert_done(struct cert_pair *pair);

#endif
