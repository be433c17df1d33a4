/* SPDX-License-Identifier: Apache-2.0 */
/* signin.h - a person signs in: what the browser is sent to, what comes back, and what it is worth.  Layer: core.  Pure.
 *
 * RFC 6749 4.1 with RFC 7636 (PKCE), RFC 8252 and RFC 9207; RFC 8628 (devices). Token requests are oauth.h's.
 */
#ifndef ND_CORE_SIGNIN_H
#define ND_CORE_SIGNIN_H

#include "daemon/core/oauth.h"

#define SIGNIN_CODE_MAX 8192u

enum signin_mode { SIGNIN_CODE, SIGNIN_DEVICE };

/* Whether a person may sign in to this account in this way, and if not, why and what else. */
enum nd_err signin_possible(
    const struct conf_account *account, enum signin_mode mode, struct nd_why *why) ND_MUST_CHECK;
/* Where the browser is proposed to come back to: only to this machine, or to a page of https that shows the URL. An account with a redirect_uri of its own uses
 * that, whatever is proposed. */
enum nd_err signin_redirect_check(
    const struct conf_account *account, const char *uri, struct nd_why *why) ND_MUST_CHECK;
/* The scope of the account, and what tells who signed in. */
void signin_scope(const struct conf_account *account, struct nd_buf *out);
struct signin_start {
	const char *redirect_uri; /* as it is to be, octet by octet */
	const char *client_id;    /* NULL: the account's */
	const char *state, *challenge;
};
void signin_url(const struct conf_account *account, const struct signin_start *start, struct nd_buf *out);

/* Takes the code out of what the browser came back with: the whole URL, its query, or the code alone. ND_EINVALID: it is not of this sign-in, which goes on;
 * ND_ELOGIN: the provider said no. */
enum nd_err signin_back(const struct conf_account *account, const char *state, const char *text, struct nd_secret *code,
    struct nd_why *why) ND_MUST_CHECK;

/* The answer of the device endpoint. */
struct signin_device {
	struct nd_secret device_code;
	char user_code[64];
	char uri[512], uri_complete[1024]; /* "" none */
	nd_ms life, interval;
};
/* ND_ELOGIN: there is no code, `refusal` says why as oauth_read would; the caller's. */
enum nd_err signin_device_read(int status, const char *body, size_t len, const struct nd_why *failure,
    struct signin_device *out, struct oauth_reply *refusal) ND_MUST_CHECK;
void signin_device_done(struct signin_device *device);
/* What an answer of the token endpoint means while the person is at it. WAIT: ask again after device->interval. */
enum signin_step { SIGNIN_DONE, SIGNIN_WAIT, SIGNIN_OVER };
enum signin_step signin_poll(struct signin_device *device, const struct oauth_reply *reply, struct nd_why *why);

/* Who signed in, by the claims of a JWT: not verified, it came over TLS from the endpoint itself. false: it does not say. */
bool signin_who(const struct nd_secret *jwt, char *out, size_t size);
/* What is worth knowing of a sign-in that worked. */
struct signin_note {
	const char *code; /* NULL: none */
	char detail[600], hint[800];
};
#define SIGNIN_NOTES 2
/* ND_ELOGIN: it is of no use, it cannot be renewed. */
enum nd_err signin_judge(const struct conf_account *account, const struct oauth_reply *reply, const char *who,
    struct signin_note notes[SIGNIN_NOTES], struct nd_why *why) ND_MUST_CHECK;
/* True: `who` is another mailbox than the one that is sent from. */
bool signin_foreign(const struct conf_account *account, const char *who, struct signin_note *note);

#endif
