/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - when an access token is asked for.  Layer: core.  Pure machine; holds no token, only times.
 *
 * Asked at expiry - margin; margin = min(max(10 % of the life, token_margin: 5 min, HVE 11 min), 50 % of the life),
 * jitter only earlier; one request at a time, never two within 2 s. While the endpoint is down the old token serves to its
 * end; back-off 1, 2, 4 … 60 s, then 5 min; Retry-After wins.
 */
#ifndef ND_CORE_TOKEN_H
#define ND_CORE_TOKEN_H

#include "common/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct token {
	nd_ms margin;              /* at least so long before the end a new one is asked for; 0: as usual */
	bool have, asking, wanted; /* wanted: somebody needs it now (forced refresh or none at hand) */
	bool refused;              /* the last answer was a refusal: asked again only at retry_at or by token_want */
	nd_ms obtained, expires, refresh_at, last_ask, retry_at;
	unsigned failures; /* in a row */
};

void token_init(struct token *token, nd_ms margin, nd_ms now);
/* Settings of another identity: as new, but for the 2 s. */
void token_renew(struct token *token, nd_ms margin, nd_ms now);
/* A token is at hand, good until `expires` (from the endpoint, or from disk: then obtained may lie in the past). */
void token_got(struct token *token, nd_ms obtained, nd_ms expires, uint32_t dice, nd_ms now);
void token_later(struct token *token, nd_ms retry_after, uint32_t dice, nd_ms now); /* the endpoint cannot answer now */
/* The endpoint said no. `next_probe`: the time, not the wait, of the next request; at least a minute from now. */
void token_refused(struct token *token, nd_ms next_probe, nd_ms now);
/* The request ended without a word: another one as soon as the 2 s allow, if a token is wanted still. */
void token_unanswered(struct token *token);
/* Somebody asks for a new one (refresh, a new secret, new settings): waits are forgotten, but for the 2 s. The
 * old one serves meanwhile. */
void token_want(struct token *token, nd_ms now);
/* The server refused the token: it is not used again; a new one is asked for as soon as the 2 s allow. */
void token_spoiled(struct token *token, nd_ms now);
bool token_usable(const struct token *token, nd_ms now); /* there is one and it has not expired */
/* True: ask now; the machine takes it that you do. */
bool token_ask(struct token *token, nd_ms now);
nd_ms token_deadline(const struct token *token); /* when to call token_ask next */
nd_ms token_margin(nd_ms life, nd_ms least);

#endif
