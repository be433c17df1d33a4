/* SPDX-License-Identifier: Apache-2.0 */
/* logins_inner.h - what the files of logins share. Only they include it.
 *
 *   logins.c  their life, their time, their end      logins_begin.c  how one begins      logins_token.c  the token endpoint
 */
#ifndef ND_DAEMON_LOGINS_INNER_H
#define ND_DAEMON_LOGINS_INNER_H

#include "daemon/app.h"

#include "common/json.h"
#include "daemon/core/pkce.h"
#include "daemon/core/signin.h"

#define LOGINS_REPLY_LIMIT 65536u

struct app_login {
	struct app *app;
	struct app_account *account;
	enum signin_mode mode;
	char id[PKCE_SIZE];
	char identity[80]; /* of the account, when it began */
	struct nd_secret state, verifier, code;
	char *redirect_uri;
	struct signin_device device;
	struct loop_timer *timer;
	nd_ms ends, poll_at, wait_until;
	struct http_request *request; /* who waits; NULL nobody */
	bool begun;                   /* the answer to begin was given */
	bool busy;                    /* a request to the provider, or a write, is under way */
	const char *over;             /* why it ended before its time: it goes when it is not busy any more */
	bool done;
	struct nd_secret sent; /* the client's secret that went with the last request */
	bool next_secret;      /* which of the two it is */
	bool again;            /* the other one was refused already */
	struct nd_why why;     /* err != ND_OK: it failed */
	struct oauth_saved saved;
	char scope[512];
	struct signin_note notes[SIGNIN_NOTES];
	struct app_login *next;
};

/* logins.c */
/* Who waits for it; NULL: nobody, or nobody any more. */
void logins_wait_for(struct app_login *login, struct http_request *request);
struct http_request *logins_take_request(struct app_login *login);
void logins_tell(struct app_login *login); /* what became of it */
void logins_fail(struct app_login *login, const struct nd_why *why);
/* True: it goes on no more, and may be gone. */
bool logins_given_up(struct app_login *login);
void logins_set_timer(struct app_login *login);
void logins_tick(void *arg);
enum nd_err logins_open(const struct app *app, struct nd_why *why) ND_MUST_CHECK; /* ND_ESTOPPING */
/* The body of a request, an object of strings; to be done with after ND_OK. */
enum nd_err logins_read_body(const struct http_request *request, const char *const *fields, struct json_tree *tree,
    struct nd_why *why) ND_MUST_CHECK;

/* logins_token.c */
void logins_ask(struct app_login *login); /* for the grant, by the code or the device's code */
void logins_use_proof(struct app_login *login, const struct app_proof *proof, struct oauth_ask *ask);
/* After a refusal, in words that hold no secret then. True: of the client's two secrets it is the other one's turn. */
bool logins_other_secret(struct app_login *login, struct oauth_reply *reply);
void logins_fail_refused(struct app_login *login, const char *what, const struct oauth_reply *reply);

#endif
