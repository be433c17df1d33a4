/* SPDX-License-Identifier: Apache-2.0 */
/* mime.c - a job => the octets of its message.  Layer: core.  Pure.
 *
 * The header fields that every account shares; the texts and attachments are mime_parts.c, From and Sender mime_head.c. */
#include "daemon/core/mime.h"

#include "common/stamp.h"
#include "common/str.h"
#include "daemon/core/mime_header.h"
#include "daemon/core/mime_parts.h"
#include "daemon/core/mime_text.h"

#include <string.h>
#include <strings.h>

#define SUBJECT_CHARS 78
#define NO_SUBJECT "(no subject)"
#define LOOKED_AT 16384u /* of the text made from html, for its first line */

/* How mail says that it is urgent; the middle severities say nothing. */
/* clang-format off */
static const struct {
	const char *importance, *priority, *x_priority;
} weights[JOB_SEVERITY_COUNT] = {
	[JOB_EMERGENCY] = { "high", "urgent", "1 (Highest)" },
	[JOB_ALERT]     = { "high", "urgent", "1 (Highest)" },
	[JOB_CRITICAL]  = { "high", "urgent", "1 (Highest)" },
	[JOB_INFO]      = { "low", "non-urgent", "5 (Lowest)" },
	[JOB_DEBUG]     = { "low", "non-urgent", "5 (Lowest)" },
};
/* clang-format on */

static bool
empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static void
field(struct nd_buf *out, const char *name, const char *value)
{
	nd_buf_adds(out, name);
	nd_buf_adds(out, ": ");
	nd_buf_adds(out, value);
	nd_buf_adds(out, "\r\n");
}

/* The length of the first SUBJECT_CHARS characters. */
static size_t
cut_chars(const char *text, size_t len)
{
	size_t i, chars = 0;

	for (i = 0; i < len; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80 && ++chars > SUBJECT_CHARS)
			return i;
	return len;
}

/* The first line with something on it, runs of blanks and control characters as one space. false: there is none. */
static bool
first_line(const char *text, size_t len, struct nd_buf *out)
{
	const char *end = text + len;
	size_t begin = out->len, cut;
	bool space = false;

	for (; text < end; text++) {
		if ((unsigned char)*text > 0x20 && *text != 0x7f) {
			if (space && out->len > begin)
				nd_buf_addc(out, ' ');
			space = false;
			nd_buf_addc(out, *text);
		} else if (out->len > begin && (*text == '\n' || *text == '\r')) {
			break;
		} else {
			space = true;
		}
		/* Enough for every cut: a character has at most four octets. */
		if (out->len - begin >= 4 * (SUBJECT_CHARS + 1))
			break;
	}
	if (out->len == begin)
		return false;
	cut = cut_chars(out->octets + begin, out->len - begin);
	out->len = begin + cut;
	out->octets[out->len] = '\0';
	return true;
}

void
mime_subject(const struct job_draft *draft, struct nd_buf *out)
{
	struct nd_buf text;
	bool found;

	if (!empty(draft->subject)) {
		nd_buf_adds(out, draft->subject);
		return;
	}
	if (draft->text != NULL && first_line(draft->text, draft->text_len, out))
		return;
	found = false;
	if (draft->html != NULL) {
		nd_buf_init(&text, LOOKED_AT); /* it ends there */
		mime_text_from_html(&text, draft->html, draft->html_len);
		found = first_line(nd_buf_text(&text), text.len, out);
		nd_buf_done(&text);
	}
	if (!found)
		nd_buf_adds(out, NO_SUBJECT);
}

/* The field that names the recipients of one kind; nothing when there are none. */
static bool
add_recipients(const struct job_draft *draft, struct nd_buf *out, const char *name, enum job_rcpt_kind kind)
{
	struct mime_header header;
	bool any = false;
	unsigned i;

	for (i = 0; i < draft->rcpt_count; i++) {
		if (draft->rcpts[i].kind != kind)
			continue;
		if (any)
			nd_buf_addc(out, ',');
		else
			mime_header_begin(&header, out, name);
		any = true;
		mime_header_mailbox(&header, &draft->rcpts[i].box, 1);
	}
	if (any)
		mime_header_end(&header);
	return any;
}

static void
add_addresses(const struct job_draft *draft, struct nd_buf *out)
{
	struct mime_header header;
	bool named = add_recipients(draft, out, "To", JOB_TO_RCPT);

	if (!add_recipients(draft, out, "Cc", JOB_CC_RCPT) && !named)
		field(out, "To", "undisclosed-recipients:;");
	if (draft->reply_to.address != NULL) {
		mime_header_begin(&header, out, "Reply-To");
		mime_header_mailbox(&header, &draft->reply_to, 0);
		mime_header_end(&header);
	}
}

/* Whether the job sets this field itself. */
static bool
own(const struct job_draft *draft, const char *name)
{
	unsigned i;

	for (i = 0; i < draft->header_count; i++)
		if (strcasecmp(draft->headers[i].name, name) == 0)
			return true;
	return false;
}

static void
add_default(const struct job_draft *draft, struct nd_buf *out, const char *name, const char *value)
{
	if (value != NULL && !own(draft, name))
		field(out, name, value);
}

static void
add_header(const struct job_draft *draft, struct nd_buf *out)
{
	struct nd_buf subject;
	unsigned i;

	add_addresses(draft, out);
	nd_buf_init(&subject, 8 * JOB_MAX_SUBJECT);
	mime_subject(draft, &subject);
	mime_header_text(out, "Subject", nd_buf_text(&subject));
	nd_buf_done(&subject);
	nd_buf_adds(out, "MIME-Version: 1.0\r\n");
	/* RFC 3834 5: no robot answers. NDR is not suppressed: bounces are wanted. */
	add_default(draft, out, "Auto-Submitted", "auto-generated");
	add_default(draft, out, "X-Auto-Response-Suppress", "DR, RN, NRN, OOF, AutoReply");
	add_default(draft, out, "Importance", weights[draft->severity].importance);
	add_default(draft, out, "Priority", weights[draft->severity].priority);
	add_default(draft, out, "X-Priority", weights[draft->severity].x_priority);
	for (i = 0; i < draft->header_count; i++)
		mime_header_text(out, draft->headers[i].name, draft->headers[i].value);
}

enum nd_err
mime_body(const struct job_draft *draft, const char *id, nd_unix created, const char *hostname, struct nd_buf *out,
    struct nd_why *why)
{
	size_t begin = out->len;
	char stamp[ND_STAMP_SIZE];
	enum nd_err err;

	field(out, "Date", nd_stamp_rfc5322(created, stamp));
	nd_buf_adds(out, "Message-ID: <");
	nd_buf_adds(out, id);
	nd_buf_addc(out, '@');
	nd_buf_adds(out, hostname);
	nd_buf_adds(out, ">\r\n");
	add_header(draft, out);
	err = mime_parts_add(draft, id, hostname, out, why);
	if (err != ND_OK && out->octets != NULL && out->sink == NULL) {
		out->len = begin;
		out->octets[begin] = '\0';
	}
	return err;
}
