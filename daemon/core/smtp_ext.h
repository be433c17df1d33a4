/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_ext.h - the extensions of SMTP that a mail may make use of, as one table.  Layer: core.  Pure.
 *
 * A row tells when an extension is used, what it adds to MAIL and RCPT, and which refusals of which commands accuse it. What a server offers and
 * refuses all the same is left out for SMTP_EXT_SHUN (smtp_habits.h), and the mail is said again without it.
 */
#ifndef ND_CORE_SMTP_EXT_H
#define ND_CORE_SMTP_EXT_H

#include "daemon/core/smtp_proto.h"

#include <stdbool.h>

#define SMTP_EXT_SHUN ND_HOUR(4)
#define SMTP_EXT_BIT(ext) (1u << (ext))

/* "DSN"; "one flight" for a manner that has no keyword. */
const char *smtp_ext_name(enum smtp_ext ext);
/* A manner of speaking: who does not like it may take the content for commands. Others only add to MAIL or RCPT. */
bool smtp_ext_manner(enum smtp_ext ext);

/* What the server offers, but for these. Its limits hold all the same. */
void smtp_ext_leave_out(struct smtp_caps *caps, unsigned without);
/* What this mail adds to MAIL and RCPT: a set of SMTP_EXT_BIT. */
unsigned smtp_ext_used(const struct smtp_mail *mail, const struct smtp_caps *caps);
void smtp_ext_write_mail(const struct smtp_mail *mail, unsigned used, struct nd_buf *out);
void smtp_ext_write_rcpt(const char *address, unsigned used, struct nd_buf *out);

/* Which of those `used` this refusal speaks of; SMTP_EXT_NONE: of the mail. */
enum smtp_ext smtp_ext_accused(const struct smtp_reply *reply, enum smtp_stage stage, unsigned used);

/* RFC 3461 4: printable ASCII as it is, but for + and =; any other octet as + and two digits. */
void smtp_ext_xtext(const char *text, struct nd_buf *out);

#endif
