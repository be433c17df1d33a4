/* SPDX-License-Identifier: Apache-2.0 */
/* jwt.h - certificates and signatures of assertions.  Layer: io.  Knows OpenSSL. */
#ifndef ND_IO_JWT_H
#define ND_IO_JWT_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"

#include <stdbool.h>

struct x509_st;
struct jwt_certificate {
	struct x509_st *x509; /* owned */
	char thumbprint[48];  /* base64url of its SHA-256: x5t#S256 */
	nd_unix not_before, not_after;
};
/* Reads the first certificate of a PEM file. Good or not at this time: see jwt_valid. */
enum nd_err jwt_certificate_read(const char *path, struct jwt_certificate *out, struct nd_why *why) ND_MUST_CHECK;
void jwt_certificate_done(struct jwt_certificate *certificate);
enum nd_err jwt_valid(const struct jwt_certificate *certificate, nd_unix now, struct nd_why *why) ND_MUST_CHECK;

/* Signs `text` (core/jwt.h) and adds the signature. The key is PEM, RSA of 2048 bits or more, without a passphrase; certificate NULL: none to fit. */
enum nd_err jwt_sign(const struct nd_secret *key, const struct jwt_certificate *certificate, bool pss,
    struct nd_buf *text, struct nd_why *why) ND_MUST_CHECK;

#endif
