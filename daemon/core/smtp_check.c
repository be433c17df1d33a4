/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_check.c - what need not be asked, and what a reply only seems to say.  Layer: core. */
#include "daemon/core/smtp_check.h"

#include "common/str.h"

#include <inttypes.h>
#include <string.h>

static bool
is_ascii(const char *address)
{
	return nd_str_ascii(address, strlen(address));
}

static void
refuse(struct smtp_reply *refusal, int code, const char *enhanced, const struct nd_buf *text)
{
	*refusal = (struct smtp_reply){ .code = code };
	memcpy(refusal->enhanced, enhanced, strlen(enhanced) + 1);
	smtp_reply_clean(refusal->text, sizeof(refusal->text), nd_buf_text(text), text->len);
}

static bool
check_size(uint64_t size, const struct smtp_caps *caps, const char *host, struct smtp_reply *refusal)
{
	struct nd_buf text;

	if (caps->size_max == 0 || size <= caps->size_max)
		return true;
	nd_buf_init(&text, SMTP_REPLY_TEXT);
	(void)nd_buf_addf(&text, "notifyd did not ask: the message has %" PRIu64 " octets, %.200s takes %" PRIu64, size,
	    host, caps->size_max);
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

bool
smtp_check_mail(
    const struct smtp_mail *mail, const struct smtp_caps *caps, const char *host, struct smtp_reply *refusal)
{
	return check_size(mail->size, caps, host, refusal) && check_tls(mail, caps, host, refusal) &&
	       smtp_check_address(mail->from, caps, refusal);
}

bool
smtp_check_address(const char *address, const struct smtp_caps *caps, struct smtp_reply *refusal)
{
	const bool quoted = address[0] == '"'; /* may hold spaces and angles */
	const char *enhanced = NULL, *words = "";
	struct nd_buf text;

	if (nd_str_has_control(address, strlen(address)) || (!quoted && strpbrk(address, " <>"))) {
		enhanced = "5.1.3";
		words = "the address is not one that SMTP can carry";
	} else if (!is_ascii(address) && !caps->smtputf8) {
		enhanced = "5.6.7";
		words = "the address needs SMTPUTF8, which the relay does not offer";
	}
	if (!enhanced)
		return true;
	nd_buf_init(&text, SMTP_REPLY_TEXT);
	(void)nd_buf_addf(&text, "notifyd did not ask: %s", words);
	refuse(refusal, 553, enhanced, &text);
	nd_buf_done(&text);
	return false;
}

bool
smtp_check_needs_utf8(const struct smtp_mail *mail)
{
	bool ascii = is_ascii(mail->from);

	for (unsigned n = 0; n < mail->rcpt_count && ascii; n++)
		ascii = is_ascii(mail->rcpts[n]);
	return !ascii;
}

bool
smtp_check_timeout(const struct smtp_reply *reply)
{
	static const char *const words[] = { "*timeout*", "*timed out*", "*session duration*", "*idle*", NULL };

	if (reply->code != 421 && reply->code != 451)
		return false;
	for (const char *const *word = words; *word; word++)
		if (nd_str_match(*word, reply->text))
			return true;
	return false;
}

bool
smtp_check_eight(const char *octets, size_t len)
{
	unsigned char rest = 0;
	uint64_t all = 0, eight;
	size_t i;

	for (i = 0; len - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, octets + i, sizeof(eight));
		all |= eight;
	}
	for (; i < len; i++)
		rest |= (unsigned char)octets[i];
	return (all & UINT64_C(0x8080808080808080)) != 0 || rest > 0x7f;
}
