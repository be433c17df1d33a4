/* SPDX-License-Identifier: Apache-2.0 */
/* claims.h - what an access token says about itself, and what that explains.  Layer: core.  Pure.
 *
 * Only those who issued a token and those it is for may rely on its claims; here they only help to say what is wrong with a set-up.
 * A token that is no JWT (RFC 7519) is opaque: nothing is known of it. The token itself is never written anywhere.
 */
#ifndef ND_CORE_CLAIMS_H
#define ND_CORE_CLAIMS_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/explain.h"
#include "common/mem.h"
#include "daemon/core/conf.h"

#include <stdbool.h>

struct claims { /* "" and 0: not said. Texts are printable. */
	bool jwt;
	char audience[160];
	char tenant[64], object[64], app[64]; /* tid, oid, appid or azp */
	char user[160];                       /* upn or preferred_username */
	char roles[1024];                     /* of an application, with a space between */
	char scopes[1024];                    /* of a person's consent */
	nd_unix issued, begins, expires;
};
void claims_read(const struct nd_secret *token, struct claims *out);

/* For people: what it is for, who it is of, what it allows, and more than it needs to. now: the wall clock; fresh: it was issued just now, so its
 * times tell how this host's clock goes. */
void claims_write(const struct claims *claims, nd_unix now, bool fresh, enum explain_lang lang, struct nd_buf *out);
bool claims_broad(const struct claims *claims); /* it allows more than sending */
/* How far this host's clock is ahead of the issuer's, as far as a fresh token can tell; 0: not noticeably. */
nd_ms claims_ahead(const struct claims *claims, nd_unix now);

/* What is known to fail before any server is asked: a token for another service, or one that is over. ND_ETOKEN. */
enum nd_err claims_check(
    const struct claims *claims, const struct conf_account *account, nd_unix now, struct nd_why *why) ND_MUST_CHECK;

/* Why the server refused a token that the provider has just issued. The words for it are a row of the table of explanations each, found by
 * CLAIMS_WORDS and the name. */
enum claims_fault {
	CLAIMS_UNKNOWN, /* nothing more than the server's words */
	CLAIMS_WRONG_AUDIENCE,
	CLAIMS_NO_CONSENT,   /* an application's token without any role */
	CLAIMS_NO_ROLE,      /* it has others, but not the one for SMTP */
	CLAIMS_NO_SCOPE,     /* the same of a person's */
	CLAIMS_WRONG_PERSON, /* somebody else's token, without a right on the mailbox */
	CLAIMS_NO_PRINCIPAL, /* all is there: the server does not know the application, or by a wrong object id */
	CLAIMS_SEND_AS,      /* a person's: signed in, and not allowed to send as From */
	CLAIMS_FAULT_COUNT
};
#define CLAIMS_WORDS "token fault " /* "token fault no-role" */
const char *claims_fault_name(enum claims_fault fault);
/* what: the refusal is about, by its row in the table; of any other the token says nothing. */
enum claims_fault claims_blame(
    const struct claims *claims, const struct conf_account *account, enum explain_token what);
/* What the token knows for the commands of a remedy. Borrowed of it. For operators only. */
void claims_facts(const struct claims *claims, struct explain_facts *facts);

#endif
