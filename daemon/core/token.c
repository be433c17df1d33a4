/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - when an access token is asked for.  Layer: core.  Pure machine. */
#include "daemon/core/token.h"

#define GAP ND_SEC(2) /* between two requests, whatever happens */

static nd_ms
later_of(nd_ms a, nd_ms b)
{
	return a > b ? a : b;
}

static nd_ms
sooner_of(nd_ms a, nd_ms b)
{
	return a < b ? a : b;
}

/* A part of `most`, by the dice. */
static nd_ms
part_of(nd_ms most, uint32_t dice)
{
	return (nd_ms)(((uint64_t)most * dice) >> 32);
}

nd_ms
token_margin(nd_ms life, nd_ms least)
{
	nd_ms margin = later_of(life / 10, least > 0 ? least : ND_MIN(5));

	return sooner_of(margin, life / 2);
}

void
token_init(struct token *token, nd_ms margin, nd_ms now)
{
	*token = (struct token){ .margin = margin, .wanted = true, .last_ask = now - GAP };
}

void
token_renew(struct token *token, nd_ms margin, nd_ms now)
{
	nd_ms last = token->last_ask;

	token_init(token, margin, now);
	token->last_ask = last;
}

void
token_got(struct token *token, nd_ms obtained, nd_ms expires, uint32_t dice, nd_ms now)
{
	nd_ms life = expires - obtained;
	nd_ms margin = life > 0 ? token_margin(life, token->margin) : 0;

	token->asking = token->refused = false;
	token->failures = 0;
	token->retry_at = 0;
	token->have = expires > now;
	token->wanted = !token->have;
	token->obtained = obtained;
	token->expires = expires;
	/* earlier only, and by little: many hosts with one application shall not ask in the same second */
	token->refresh_at = expires - margin - part_of(margin / 10, dice);
}

void
token_later(struct token *token, nd_ms retry_after, uint32_t dice, nd_ms now)
{
	nd_ms wait = ND_MIN(5);

	token->asking = false;
	token->refused = false;
	if (token->failures < 6)
		wait = ND_SEC(1) << token->failures;
	else if (token->failures == 6)
		wait = ND_MIN(1);
	if (token->failures < UINT32_MAX)
		token->failures++;
	if (retry_after > 0)
		wait = retry_after;
	token->retry_at = now + wait + part_of(sooner_of(wait / 10, ND_SEC(10)), dice);
}

void
token_refused(struct token *token, nd_ms next_probe, nd_ms now)
{
	token->asking = false;
	token->refused = true;
	if (token->failures < UINT32_MAX)
		token->failures++;
	token->retry_at = later_of(next_probe, now + ND_MIN(1));
}

void
token_want(struct token *token, nd_ms now)
{
	(void)now;
	token->wanted = true;
	token->refused = false;
	token->retry_at = 0;
}

void
token_unanswered(struct token *token)
{
	token->asking = false;
}

void
token_spoiled(struct token *token, nd_ms now)
{
	(void)now;
	token->have = false;
	token->wanted = true;
}

bool
token_usable(const struct token *token, nd_ms now)
{
	return token->have && now < token->expires;
}

nd_ms
token_deadline(const struct token *token)
{
	nd_ms at = token->wanted || !token->have ? 0 : token->refresh_at;

	if (token->asking)
		return ND_NEVER;
	return later_of(later_of(at, token->retry_at), token->last_ask + GAP);
}

bool
token_ask(struct token *token, nd_ms now)
{
	if (now < token_deadline(token))
		return false;
	token->asking = true;
	token->last_ask = now;
	return true;
}
