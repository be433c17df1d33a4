/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_auth.h - SASL mechanisms: which one, and what it says.  Layer: core.  Pure.
 *
 * XOAUTH2 (developers.google.com/gmail/imap/xoauth2-protocol), OAUTHBEARER (RFC 7628), SCRAM-SHA-256 (RFC 7677), PLAIN (RFC 4616),
 * LOGIN (no RFC; two prompts), CRAM-MD5 (RFC 2195).
 * Everything written here is secret: the caller wipes it.
 */
#ifndef ND_CORE_SMTP_AUTH_H
#define ND_CORE_SMTP_AUTH_H

#include "common/buf.h"
#include "common/err.h"
#include "daemon/core/scram.h"
#include "daemon/core/smtp_proto.h"

/* A mechanism whose last message takes cryptography: the driver is asked for it (struct smtp_question). */
struct smtp_auth_exchange {
	struct scram scram;
	struct smtp_question question;
	struct smtp_answer answer;
};

struct smtp_auth_mech {
	const char *name;
	enum smtp_auth needs;   /* the kind of credential it carries */
	size_t offered;         /* offset of its flag in struct smtp_caps */
	const char *to_refusal; /* the line that answers a challenge after the last message: the server is refusing */
	/* What is said to each challenge in turn. A mechanism with a single message may send it with the command. */
	void (*message[2])(const struct smtp_settings *settings, struct nd_buf *out);
	/* Challenge => question. NULL: there is none. ND_EPROTOCOL. */
	enum nd_err (*ask)(const struct smtp_settings *settings, const char *challenge, size_t len,
	    struct smtp_auth_exchange *exchange, struct nd_why *why);
	void (*answer)(
	    const struct smtp_settings *settings, const struct smtp_auth_exchange *exchange, struct nd_buf *out);
	bool mutual; /* the server answers the answer by a proof of its own */
};

/* The first mechanism, in our order, that fits the account and is offered. NULL: none may be used, `why` says why: ND_ETLS (a credential in clear), ND_ESECRET (none
 * given, or not usable), ND_EAUTH (not offered; the words name what is). `tls`: the session is encrypted. */
const struct smtp_auth_mech *smtp_auth_choose(
    const struct smtp_settings *settings, const struct smtp_caps *caps, bool tls, struct nd_why *why);
/* Appends the command. true: with the message, which RFC 4954 4 allows only while the line keeps to 512 octets. */
bool smtp_auth_command(const struct smtp_auth_mech *mech, const struct smtp_settings *settings, struct nd_buf *out);
/* Appends message `n` in base64 as a line. */
void smtp_auth_message(
    const struct smtp_auth_mech *mech, unsigned n, const struct smtp_settings *settings, struct nd_buf *out);
/* The challenge of a 334 asks a question. */
enum nd_err smtp_auth_ask(const struct smtp_auth_mech *mech, const struct smtp_settings *settings, const char *text,
    struct smtp_auth_exchange *exchange, struct nd_why *why) ND_MUST_CHECK;
/* Appends the answer in base64 as a line. */
void smtp_auth_answer(const struct smtp_auth_mech *mech, const struct smtp_settings *settings,
    const struct smtp_auth_exchange *exchange, struct nd_buf *out);
/* Its proof, behind our answer. */
bool smtp_auth_verified(const char *text, const struct smtp_auth_exchange *exchange);
/* Google shows app passwords in four groups of four letters: the spaces are not part of them. Other passwords stay as they are. */
void smtp_auth_app_password(struct nd_secret *password);
/* The challenge of a 334, decoded and made printable; "" when it is not base64. */
void smtp_auth_challenge(const char *text, char *out, size_t size);

#endif
