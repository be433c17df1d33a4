/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_check.c - what need not be asked, and what a reply only seems to say.  Layer: core. */
#include "daemon/core/smtp_check.h"

#include "common/idn.h"
#include "common/str.h"

#include <inttypes.h>
#include <string.h>

static void
refuse(struct smtp_reply *refusal, int code, const char *enhanced, const struct nd_buf *text)
{
	*refusal = (struct smtp_reply){ .code = code };
	memcpy(refusal->enhanced, enhanced, strlen(enhanced) + 1);
	smtp_reply_clean(refusal->text, sizeof(refusal->text), nd_buf_text(text), text->len);
}

static void
refuse_for(const char *words, int code, const char *enhanced, struct smtp_reply *refusal)
{
	struct nd_buf text;

	nd_buf_init(&text, SMTP_REPLY_TEXT);
	(void)nd_buf_addf(&text, "notifyd did not ask: %s", words);
	refuse(refusal, code, enhanced, &text);
	nd_buf_done(&text);
}

void
smtp_check_refuse(const char *words, struct smtp_reply *refusal)
{
	refuse_for(words, 552, "5.3.4", refusal);
}

void
smtp_check_refuse_eight(const char *words, struct smtp_reply *refusal)
{
	refuse_for(words, 554, "5.6.3", refusal);
}

static bool
check_size(const struct smtp_mail *mail, const struct smtp_caps *caps, const char *host, struct smtp_reply *refusal)
{
	const bool announced = caps->size_max > 0 && mail->size > caps->size_max;
	struct nd_buf text;

	if (!announced && (mail->too_big == 0 || mail->size < mail->too_big))
		return true;
	nd_buf_init(&text, SMTP_REPLY_TEXT);
	(void)nd_buf_addf(&text, "notifyd did not ask: the message has %" PRIu64 " octets, %.200s ", mail->size, host);
	if (announced)
		(void)nd_buf_addf(&text, "takes %" PRIu64, caps->size_max);
	else
		(void)nd_buf_addf(&text, "has refused one of %" PRIu64 " for its size", mail->too_big);
	refuse(refusal, 552, "5.3.4", &text);
	nd_buf_done(&text);
	return false;
}

static bool
check_tls(const struct smtp_mail *mail, const struct smtp_caps *caps, const char *host, struct smtp_reply *refusal)
{
	struct nd_buf text;

	if (!mail->require_tls || caps->requiretls)
		return true;
	nd_buf_init(&text, SMTP_REPLY_TEXT);
	(void)nd_buf_addf(&text,
	    "notifyd did not ask: the job requires TLS all the way, and %.200s does not offer REQUIRETLS on this "
	    "session",
	    host);
	refuse(refusal, 550, "5.7.30", &text);
	nd_buf_done(&text);
	return false;
}

/* The sender as the envelope and as the header name him. */
static bool
check_sender(const struct smtp_mail *mail, const struct smtp_caps *caps, const char *host, struct smtp_reply *refusal)
{
	return smtp_check_address(mail->from, caps, host, refusal) &&
	       (!mail->author || smtp_check_address(mail->author, caps, host, refusal));
}

bool
smtp_check_mail(
    const struct smtp_mail *mail, const struct smtp_caps *caps, const char *host, struct smtp_reply *refusal)
{
	return check_size(mail, caps, host, refusal) && check_tls(mail, caps, host, refusal) &&
	       check_sender(mail, caps, host, refusal);
}

bool
smtp_check_address(const char *address, const struct smtp_caps *caps, const char *host, struct smtp_reply *refusal)
{
	const bool quoted = address[0] == '"'; /* may hold spaces and angles */
	const bool utf8 = idn_local(address);
	char ascii[IDN_ADDRESS_SIZE];
	const char *wire = idn_wire(address, ascii), *enhanced = "5.1.3";
	struct nd_buf text;

	if (!nd_str_has_control(address, strlen(address)) && (quoted || !strpbrk(address, " <>")) &&
	    (utf8 ? caps->smtputf8 && nd_str_utf8(wire, strlen(wire)) : nd_str_ascii(wire, strlen(wire))))
		return true;
	nd_buf_init(&text, SMTP_REPLY_TEXT);
	if (utf8 && !caps->smtputf8) {
		enhanced = "5.6.7";
		(void)nd_buf_addf(&text,
		    "notifyd did not ask: <%.200s> needs SMTPUTF8, which %.120s does not offer; give an address that "
		    "is ASCII before the @, or send by a relay that offers it",
		    address, host);
	} else {
		(void)nd_buf_adds(&text, "notifyd did not ask: the address is not one that SMTP can carry");
	}
	refuse(refusal, 553, enhanced, &text);
	nd_buf_done(&text);
	return false;
}

bool
smtp_check_needs_utf8(const struct smtp_mail *mail)
{
	bool utf8 = mail->utf8 || idn_local(mail->from);

	for (unsigned n = 0; n < mail->rcpt_count && !utf8; n++)
		utf8 = idn_local(mail->rcpts[n]);
	return utf8;
}

/* Does one of these patterns fit? */
static bool
says(const struct smtp_reply *reply, const char *const *words)
{
	while (*words && !nd_str_match(*words, reply->text))
		words++;
	return *words != NULL;
}

bool
smtp_check_timeout(const struct smtp_reply *reply)
{
	static const char *const words[] = { "*timeout*", "*timed out*", "*session duration*", "*idle*", NULL };

	return (reply->code == 421 || reply->code == 451) && says(reply, words);
}

bool
smtp_check_limit(enum smtp_stage stage, const struct smtp_reply *reply)
{
	static const char *const size[] = { "*size*", "*too large*", "*too big*", "*too long*", NULL };
	static const char *const of_one[] = { "*recipient*", "*mailbox*", "*user*", "*quota*", NULL };

	/* At MAIL nobody is named yet; 5.3.4 is said of the system (RFC 3463). */
	return stage != SMTP_AT_RCPT && (stage == SMTP_AT_MAIL || strcmp(reply->enhanced, "5.3.4") == 0 ||
					    (says(reply, size) && !says(reply, of_one)));
}
