/* SPDX-License-Identifier: Apache-2.0 */
/* blame.c - see blame.h.  Layer: core. */
#include "daemon/core/blame.h"

#include "common/str.h"
#include "daemon/core/mime.h"

#include <string.h>

#define NOT_VERIFIED "not-verified"

bool
blame_sender(
    const struct settle_case *c, const struct queue_job *job, enum smtp_stage stage, const struct verdict_word *verdict)
{
	static const char *const of_sender[] = { "send-as-denied", "dmarc", "domain-unregistered", NOT_VERIFIED, NULL };
	unsigned i = 0;

	/* Before the message only the envelope's sender is known, which is the account's. */
	if (verdict->verdict != VERDICT_HELD || stage != SMTP_AT_END)
		return false;
	while (of_sender[i] && strcmp(of_sender[i], verdict->reason) != 0)
		i++;
	return of_sender[i] && mime_head_foreign(c->account, job->from);
}

/* As a word: joe@example.org is not named by bigjoe@example.org. */
static bool
names(const struct smtp_reply *reply, const char *address)
{
	static const char parts[] = " ,;:<>()\"'";
	const size_t len = address ? strlen(address) : 0;
	const char *text;

	for (text = reply->text; len > 0 && *text; text++)
		if ((text == reply->text || strchr(parts, text[-1])) && nd_str_starts_nocase(text, address) &&
		    strchr(parts, text[len]))
			return true;
	return false;
}

static bool
names_reader(const struct settle_case *c, const struct smtp_reply *reply)
{
	unsigned k = 0;

	while (k < c->mail->mail.rcpt_count && !names(reply, c->mail->rcpts[k]))
		k++;
	return k < c->mail->mail.rcpt_count;
}

bool
blame_readers(const struct settle_case *c, const struct verdict_word *verdict, const struct smtp_reply *reply)
{
	return verdict->verdict == VERDICT_HELD && strcmp(verdict->reason, NOT_VERIFIED) == 0 &&
	       !names(reply, c->account->from_box.address) && !names(reply, c->account->envelope_from) &&
	       names_reader(c, reply);
}

bool
blame_spares(const struct settle_case *c, const struct verdict_word *verdict, const struct smtp_reply *reply,
    const char *address)
{
	return verdict->verdict == VERDICT_ELSEWHERE && strcmp(verdict->reason, NOT_VERIFIED) == 0 &&
	       names_reader(c, reply) && !names(reply, address);
}
