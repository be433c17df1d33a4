/* SPDX-License-Identifier: Apache-2.0 */
/* jwt.h - the texts of signed assertions.  Layer: core.  Pure: time and randomness are passed in.
 *
 * RFC 7515 3.1, 7.1; RFC 7519; RFC 7523 3. io/jwt.c signs them.
 */
#ifndef ND_CORE_JWT_H
#define ND_CORE_JWT_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/mem.h"

#include <stdbool.h>
#include <stdint.h>

#define JWT_GUID_SIZE 37

struct jwt_ask {                /* texts that are NULL or "" are left out */
	const char *alg;        /* "PS256" */
	const char *thumbprint; /* base64url of the SHA-256 of the certificate: x5t#S256 */
	const char *kid;
	const char *iss, *sub, *aud, *scope, *jti;
	bool nbf;
	nd_unix now;
	nd_ms life;
};
/* BASE64URL(header).BASE64URL(claims): what is signed. */
void jwt_write(const struct jwt_ask *ask, struct nd_buf *out);
/* Adds the signature: the whole assertion. */
void jwt_finish(struct nd_buf *out, const void *signature, size_t len);
/* RFC 4648 5, without padding. */
void jwt_base64url(struct nd_buf *out, const void *octets, size_t len);
/* The claims of a JWT, decoded and not verified (RFC 7515 7.1). false: it is none, or `out` refused. The caller wipes `out`. */
bool jwt_payload(const struct nd_secret *jwt, struct nd_buf *out);
/* A random UUID (RFC 9562 5.4) of sixteen random octets. Returns `out`. */
const char *jwt_guid(const uint8_t dice[16], char out[JWT_GUID_SIZE]);

#endif
