/* SPDX-License-Identifier: Apache-2.0 */
/* engine_token.c - what became of a request for a token, and what it makes of the account.  Layer: core. */
#include "daemon/core/engine_inner.h"

#include "daemon/core/hint.h"

#define TOKEN_PROBE ND_MIN(30) /* a refused token request is asked again */

void
engine_token_got(
    struct engine *engine, struct engine_account *account, nd_ms obtained, nd_ms expires, struct nd_now now)
{
	token_got(&account->token, obtained, expires, engine_roll(engine), now.ms);
	account->token_why = (struct nd_why){ 0 };
	/* A token is what a held or failing account may have waited for: one session will show. */
	if (account->health.state == HEALTH_HELD || account->health.state == HEALTH_FAILING)
		account->health.until = now.ms;
}

/* answer: the endpoint has just given it; its words take the place of those of before also when the state stays. */
static void
mind_token(struct engine *engine, struct engine_account *account, bool answer, struct nd_now now)
{
	const struct nd_why *why = &account->token_why;
	bool person = why->err == ND_ESIGNIN || why->err == ND_ETOKENSLOCKED;
	struct health_fault fault = { .state = account->token_no ? HEALTH_HELD : HEALTH_FAILING,
		.reason = person              ? nd_err_name(why->err)
			  : account->token_no ? "token-refused"
					      : "token-endpoint",
		.detail = why->text,
		.hint = "" };
	struct nd_buf hint;

	if (why->err == ND_OK || token_usable(&account->token, now.ms) || account->health.state > fault.state ||
	    (account->health.state == fault.state && !answer))
		return;
	nd_buf_init(&hint, HINT_LIMIT);
	fault.hint = person ? nd_why_hint(why) : hint_of(account->conf, HINT_OPERATOR, why->text, why, &hint);
	health_fault(&account->health, &fault, engine_roll(engine), now.ms);
	account->health.until = account->token.retry_at;
	nd_buf_done(&hint);
}

/* Without a usable token the account is in trouble, from the moment the old one ends. */
void
engine_mind_token(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	mind_token(engine, account, false, now);
}

void
engine_token_later(struct engine *engine, struct engine_account *account, nd_ms retry_after, const struct nd_why *why,
    struct nd_now now)
{
	token_later(&account->token, retry_after, engine_roll(engine), now.ms);
	account->token_why = *why;
	account->token_no = false;
	mind_token(engine, account, true, now);
}

void
engine_token_unanswered(struct engine *engine, struct engine_account *account)
{
	(void)engine;
	token_unanswered(&account->token);
}

void
engine_token_refused(struct engine *engine, struct engine_account *account, const struct nd_why *why, struct nd_now now)
{
	token_refused(&account->token, now.ms + TOKEN_PROBE, now.ms);
	account->token_why = *why;
	account->token_no = true;
	mind_token(engine, account, true, now);
}
