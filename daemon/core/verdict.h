/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.h - a reply or a failure => what to do.  Layer: core.  Pure.
 *
 * One table, first match wins, the last row matches all. Source of the rows: the providers' documents (replies whose class lies) and RFC 5321.
 * A fault of the account is never a fault of the message.
 */
#ifndef ND_CORE_VERDICT_H
#define ND_CORE_VERDICT_H

#include "common/clock.h"
#include "daemon/core/smtp_proto.h"

#include <stdbool.h>

enum verdict {
	VERDICT_DELIVERED, /* the relay took it */
	VERDICT_RETRY,     /* this message (or recipient) later */
	VERDICT_REFUSED,   /* this message or recipient: never */
	VERDICT_RESEND,    /* at once, on a new session; no attempt counted */
	VERDICT_SPLIT,     /* this recipient in another transaction, at once */
	VERDICT_ELSEWHERE, /* this message or recipient: never by this account; by another one perhaps */
	VERDICT_THROTTLED, /* account: nothing for `wait` */
	VERDICT_FAILING,   /* account: connection-like fault; probes at growing intervals */
	VERDICT_REFRESH,   /* account: one forced token refresh and a new connection, then held */
	VERDICT_HELD       /* account: a person must mend it */
};
const char *verdict_name(enum verdict verdict); /* attempts[].verdict */

struct verdict_case {
	int provider; /* enum conf_provider */
	enum smtp_stage stage;
	int code; /* 0: no reply, then err says what failed */
	const char *enhanced, *text;
	enum nd_err err;
	bool oauth;         /* the account uses tokens */
	bool token_refused; /* smtp_fault.token_refused */
	bool alone;         /* its mail cannot go by another account */
};
struct verdict_word {
	enum verdict verdict;
	nd_ms wait;         /* THROTTLED, RETRY, HELD: at least so long; 0 the table of retries decides */
	const char *reason; /* stable name: "auth-refused", "recipient-refused", "quota" … */
};
struct verdict_word verdict_of(const struct verdict_case *c);

#endif
