/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_check.h - what need not be asked, and what a reply only seems to say.  Layer: core.  Pure.
 *
 * Our own refusals look like replies (code, enhanced code, a text that says whose they are); their `lines` is 0.
 */
#ifndef ND_CORE_SMTP_CHECK_H
#define ND_CORE_SMTP_CHECK_H

#include "daemon/core/smtp_proto.h"

/* What the server cannot take is not even announced (RFC 1870 6.1, RFC 8689 4.2.1): size, sender, the promise of TLS. false: `refusal` is filled. */
bool smtp_check_mail(
    const struct smtp_mail *mail, const struct smtp_caps *caps, const char *host, struct smtp_reply *refusal);
/* The last guard of the command line: nothing that ends it, or the path in it, and nothing that needs SMTPUTF8 without it. */
bool smtp_check_address(
    const char *address, const struct smtp_caps *caps, const char *host, struct smtp_reply *refusal);
/* No mail for this server can be made of it; `words` say why: it is too large. */
void smtp_check_refuse(const char *words, struct smtp_reply *refusal);
/* The same: it would have to be converted. */
void smtp_check_refuse_eight(const char *words, struct smtp_reply *refusal);
bool smtp_check_needs_utf8(const struct smtp_mail *mail);
/* Did the server, by its answer to MAIL, only tell that it had given up the idle session? */
bool smtp_check_timeout(const struct smtp_reply *reply);
/* Does "too big", said at this stage, speak of what the server takes, not of what fits in the mailbox of a recipient or what it thinks of the content? */
bool smtp_check_limit(enum smtp_stage stage, const struct smtp_reply *reply);

#endif
