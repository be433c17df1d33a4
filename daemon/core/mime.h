/* SPDX-License-Identifier: Apache-2.0 */
/* mime.h - a job => the octets of its message.  Layer: core.  Pure.
 *
 * RFC 5322, 2045-2047, 2231. CRLF everywhere, no line over 78 (headers, where words allow) or 76 (bodies) octets, never 8-bit octets (but for addresses in
 * the header that have no ASCII form): text parts are quoted-printable or base64, whichever is shorter. The message is head + body: `head` holds the lines that depend on the account, `body` all
 * the rest, fixed at acceptance. So another account needs a new head only, and each try sends the same octets.
 */
#ifndef ND_CORE_MIME_H
#define ND_CORE_MIME_H

#include "common/buf.h"
#include "common/job.h"
#include "daemon/core/conf.h"

/* The rest of the message: Date, Message-ID, To, Cc, Reply-To, Subject, MIME-Version, Auto-Submitted and kin, severity headers, own headers, parts.
 * A Reply-To is left out here when the job has none. `hostname` of the Message-ID. The boundary comes from the id, and never occurs in the content. */
enum nd_err mime_body(const struct job_draft *draft, const char *id, nd_unix created, const char *hostname,
    struct nd_buf *out, struct nd_why *why) ND_MUST_CHECK;
/* The subject of the message: the draft's, else the first line of text (or of html made text), cut at 78 characters. */
void mime_subject(const struct job_draft *draft, struct nd_buf *out);

/* The head for an account, by its from_policy (design.md 4). `from` is what the job asked for (NULL none); `origin` such as "root on web01"
 * (the name used when a foreign From becomes the account's), answers: the address may be named as Reply-To, and the body holds none already; else
 * X-Original-From is used. */
struct mime_sender {
	const char *from;
	const char *origin;
	bool answers;
};
void mime_head(const struct conf_account *account, const struct mime_sender *sender, struct nd_buf *head,
    struct nd_buf *envelope_from);
/* With this `from` asked for: does the From of that head have another address than the account's? */
bool mime_head_foreign(const struct conf_account *account, const char *from);

#endif
