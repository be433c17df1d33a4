/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.h - token requests and replies as octets.  Layer: core.  Pure.
 *
 * RFC 6749 4.1.3, 4.4, 5.1, 5.2, 6; RFC 7523 2.1, 2.2 (assertions); RFC 7636 (PKCE); RFC 8628 3.4 (device code); the providers' habits: expires_in as a string, missing or absurd;
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
/* What one request says; NULL: not said, or as the account has it. All borrowed. */
struct oauth_ask {
	int grant; /* enum conf_grant, as the request names it: a signed-in account renews with CONF_REFRESH_TOKEN */
	const char *url, *client_id, *scope;
	/* At most one proof of the application's identity; none: a public client. */
	const struct nd_secret *client_secret;    /* in the form, or Basic with both parts encoded (RFC 6749 2.3.1) */
	const struct nd_secret *client_assertion; /* RFC 7523 2.2 */
	const struct nd_secret *code, *verifier;  /* AUTHORIZATION_CODE */
	const char *redirect_uri;
	const struct nd_secret *device_code;   /* DEVICE_CODE */
	const struct nd_secret *refresh_token; /* REFRESH_TOKEN */
	const struct nd_secret *assertion;     /* JWT_BEARER */
};
void oauth_ask_write(const struct conf_account *account, const struct oauth_ask *ask, struct oauth_request *out);
/* For a device code (RFC 8628 3.1), of ask->scope; to revoke ask->refresh_token (RFC 7009 2.1). ask->grant is not looked at. */
void oauth_device_write(const struct conf_account *account, const struct oauth_ask *ask, struct oauth_request *out);
void oauth_revoke_write(const struct conf_account *account, const struct oauth_ask *ask, struct oauth_request *out);
void oauth_request_done(struct oauth_request *request);

enum oauth_class { OAUTH_TOKEN, OAUTH_LATER, OAUTH_REFUSED };
struct oauth_reply {
	enum oauth_class class;
	struct nd_secret token;         /* TOKEN */
	struct nd_secret refresh_token; /* TOKEN: empty when the old one stays */
	struct nd_secret id_token; /* TOKEN: of a sign-in with openid; not verified, it came over TLS (OIDC 3.1.3.7) */
	char scope[512];           /* TOKEN: what was granted, "" as asked */
	nd_ms life;                /* TOKEN: expires_in missing or <= 0 -> 60 s, > 24 h -> 24 h */
	nd_ms retry_after;         /* LATER: the endpoint's wish, 0 none */
	char error[64];            /* "invalid_client"; "" none */
	struct nd_why why;         /* LATER, REFUSED: a sentence with the provider's words; hint_of has the remedy */
};
/* status 0: no reply, `failure` says why (LATER, or REFUSED for TLS and bad URLs). retry_after in s, -1 none.
 * Tokens with octets outside 0x21-0x7e, or longer than 12,000, are refused. */
void oauth_read(
    int status, const char *body, size_t len, long retry_after, const struct nd_why *failure, struct oauth_reply *out);
/* After a refusal: client_secret, when one was sent. Says so when the secret looks like the ID of one (a GUID), and takes the secret out of the
 * words should the endpoint have repeated it. */
void oauth_reply_blame(struct oauth_reply *reply, const struct conf_account *account, const struct nd_secret *secret);
/* Takes every occurrence of a secret that was sent out of the words. */
void oauth_reply_redact(struct oauth_reply *reply, const struct nd_secret *secret);
bool oauth_is_guid(const char *text, size_t len); /* "1f3c0000-0000-…" */
/* Microsoft's client secrets are never GUIDs, but their IDs are. */
bool oauth_secret_is_id(const struct conf_account *account, const struct nd_secret *secret);
/* The endpoint did not take the client's secret: it is wrong or has expired. Another one may do. */
bool oauth_reply_secret_refused(const struct oauth_reply *reply);
void oauth_reply_done(struct oauth_reply *reply);

/* The file STATE/tokens/ACCOUNT: JSON {"identity","access_token","issued","expires","refresh_token","refreshed","previous","asked","imported",
 * "signed_in","refused"}. There is one of the two tokens, or what became of them. */
struct oauth_saved {
	char identity[80]; /* hex digest text; another identity's tokens are not used */
	struct nd_secret token;
	nd_unix issued, expires;
	struct nd_secret refresh_token; /* of grants that live on one */
	nd_unix refreshed;              /* when the endpoint last took or gave it */
	struct nd_secret previous;      /* the refresh token before: the newest has not worked yet */
	nd_unix asked;                  /* a refresh was sent whose answer is not known; 0 none */
	char imported[65];              /* digest of what the setting refresh_token gave; "" none */
	char signed_in[320];            /* who signed in, "" unknown */
	char refused[320];              /* why there is no refresh token any more; "" there is, or never was */
};
void oauth_saved_write(const struct oauth_saved *saved, struct nd_buf *out);
enum nd_err oauth_saved_read(const char *octets, size_t len, struct oauth_saved *out, struct nd_why *why) ND_MUST_CHECK;
void oauth_saved_done(struct oauth_saved *saved);
/* The text an identity is the digest of: host, user, token URL, client id, tenant, scope, a line
 * each. */
void oauth_identity(const struct conf_account *account, struct nd_buf *out);

#endif
