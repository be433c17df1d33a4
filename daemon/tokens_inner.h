/* SPDX-License-Identifier: Apache-2.0 */
/* tokens_inner.h - what the files of tokens share. Only they include it.
 *
 *   tokens.c  when and how is it asked      tokens_answer.c  what comes of it      tokens_kept.c  what an earlier run has kept
 */
#ifndef ND_DAEMON_TOKENS_INNER_H
#define ND_DAEMON_TOKENS_INNER_H

#include "daemon/app.h"

#include "daemon/core/oauth.h"

/* One request for a token, until its answer is dealt with and kept. */
struct app_asking {
	struct app_account *account;
	unsigned settings; /* those it was asked with */
	struct nd_secret token;
	nd_ms obtained, expires;
	struct nd_secret sent; /* the client's secret that went with it */
	bool next_secret;      /* which of the two it is */
	bool again;            /* the other one was refused already */
	unsigned changes;      /* of the secrets, when they were read */
	bool refresh;          /* by a refresh token: `used`, of the grant that `grants` and `identity` name */
	bool second;           /* it is the one before the newest */
	bool posted;           /* the endpoint may have taken it */
	bool unanswered;       /* it went out, and no answer came */
	unsigned grants;
	char identity[80];
	struct nd_secret used;
	struct oauth_request wanted; /* while it is noted that it is asked */
	struct oauth_saved keep;     /* the file to be */
	struct loop_timer *again_at; /* the file could not be written */
	tokens_tried *tried;         /* somebody tries a client secret by it, and is told; NULL: the engine is */
	void *tried_arg;
	struct app_asking *next;
};

/* tokens.c */
void tokens_prove(struct app_asking *asking); /* asks; once more, if it has been asked already */
void tokens_end(struct app_asking *asking);
void tokens_tell_tried(struct app_asking *asking, bool good, bool later, const struct nd_why *why);
/* Of settings that rule no more. */
bool tokens_foreign(const struct app_asking *asking);
/* The account is another one since, or gone; a refresh is of use to a changed one too. */
bool tokens_outdated(const struct app_asking *asking);

/* tokens_answer.c */
http_client_done tokens_answered;
identity_done tokens_identified;
/* No token, and why. */
void tokens_give_up(struct app_asking *asking, bool later, nd_ms retry_after, const struct nd_why *why);

#endif
