/* SPDX-License-Identifier: Apache-2.0 */
/* sasl.h - what signing in by proof takes of cryptography.  Layer: io.  Knows OpenSSL. */
#ifndef ND_IO_SASL_H
#define ND_IO_SASL_H

#include "daemon/core/smtp_proto.h"

/* SCRAM-SHA-256 (RFC 5802 3, RFC 7677) or CRAM-MD5 (RFC 2195). ND_EAUTH: this OpenSSL has no such digest (FIPS has no MD5). */
enum nd_err sasl_answer(const struct smtp_question *question, const struct nd_secret *password, struct smtp_answer *out,
    struct nd_why *why) ND_MUST_CHECK;

#endif
