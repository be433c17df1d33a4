/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.h - token requests and replies as octets.  Layer: core.  Pure.
 *
 * RFC 6749 4.4 (client credentials), 5.1, 5.2; the providers' habits: expires_in as a string, missing or absurd;
 * 429 and 5xx with HTML; Retry-After.
 */
#ifndef ND_CORE_OAUTH_H
#define ND_CORE_OAUTH_H

#include "common/buf.h"
#include "common/mem.h"
#include "daemon/core/conf.h"

/* What io/http_client is to send. All owned; secrets inside: oauth_request_done wipes. */
struct oauth_request {
	char *url;
	char *authorization; /* value of the Authorization header; NULL none */
	char *body;          /* application/x-www-form-urlencoded */
	size_t body_len;
};
/* Form-encoded, secret included (token_auth post) or by Basic with both parts form-encoded first (RFC 6749 2.3.1). */
void oauth_client_credentials(
    const struct conf_account *account, const struct nd_secret *secret, struct oauth_request *out);
void oauth_request_done(struct oauth_request *request);

enum oauth_class { OAUTH_TOKEN, OAUTH_LATER, OAUTH_REFUSED };
struct oauth_reply {
	enum oauth_class class;
	struct nd_secret token; /* TOKEN */
	nd_ms life;             /* TOKEN: expires_in missing or <= 0 -> 60 s, > 24 h -> 24 h */
	nd_ms retry_after;      /* LATER: the endpoint's wish, 0 none */
	char error[64];         /* "invalid_client"; "" none */
	struct nd_why why;      /* LATER, REFUSED: a sentence with the provider's words; hint_of has the remedy */
};
/* status 0: no reply, `failure` says why (LATER, or REFUSED for TLS and bad URLs). retry_after in s, -1 none.
 * Tokens with octets outside 0x21-0x7e, or longer than 12,000, are refused. */
void oauth_read(
    int status, const char *body, size_t len, long retry_after, const struct nd_why *failure, struct oauth_reply *out);
/* After a refusal: says so when the secret looks like the ID of one (a GUID), and takes the secret out of the
 * words should the endpoint have repeated it. */
void oauth_reply_blame(struct oauth_reply *reply, const struct nd_secret *secret);
void oauth_reply_done(struct oauth_reply *reply);

/* The file STATE/tokens/ACCOUNT: JSON {"identity","access_token","issued","expires"} */
struct oauth_saved {
	char identity[80]; /* hex digest text; another identity's token is not used */
	struct nd_secret token;
	nd_unix issued, expires;
};
void oauth_saved_write(const struct oauth_saved *saved, struct nd_buf *out);
enum nd_err oauth_saved_read(const char *octets, size_t len, struct oauth_saved *out, struct nd_why *why) ND_MUST_CHECK;
void oauth_saved_done(struct oauth_saved *saved);
/* The text an identity is the digest of: host, user, token URL, client id, tenant, scope, a line
 * each. */
void oauth_identity(const struct conf_account *account, struct nd_buf *out);

#endif
