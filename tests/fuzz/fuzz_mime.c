/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mime.c - whatever a job holds, its message is lines of 7-bit text (but for addresses that have no ASCII form, until a relay needs them otherwise),
 * none too long, and its header is the one that was meant.
 *
 * Octet 0: bits 0-1 the policy for the sender, 2 the Reply-To may be named. The rest is the job as JSON.
 */
#include "common/job.h"
#include "common/str.h"
#include "daemon/core/mime.h"
#include "daemon/core/mime_plain.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

#define LINE_MAX_OCTETS 998 /* RFC 5322 2.1.1 */

static unsigned
named(const char *line, const char *const *once, unsigned seen)
{
	for (unsigned i = 0; once[i] != NULL; i++)
		if (nd_str_starts_nocase(line, once[i])) {
			must((seen & 1u << i) == 0);
			return seen | 1u << i;
		}
	return seen;
}

/* RFC 5322 3.6: no field of these twice; each line is a field or goes one on; a blank line ends it. */
static void
check_header_line(const char *line, size_t len, unsigned *seen)
{
	static const char *const once[] = { "From:", "Date:", "Message-ID:", "To:", "Cc:", "Reply-To:", "Subject:",
		"MIME-Version:", "Content-Type:", NULL };
	const char *colon = memchr(line, ':', len);

	must(!nd_str_starts_nocase(line, "Bcc:"));
	if (line[0] == ' ' || line[0] == '\t')
		return;
	must(colon != NULL && colon > line && memchr(line, ' ', (size_t)(colon - line)) == NULL);
	*seen = named(line, once, *seen);
}

/* Lines as a relay splits them. */
static void
check_mail(const char *mail, size_t len)
{
	const char *end = mail + len;
	unsigned seen = 0;
	bool header = true;

	while (mail < end) {
		const char *stop = memchr(mail, '\n', (size_t)(end - mail));
		size_t n;

		must(stop != NULL && stop > mail && stop[-1] == '\r');
		n = (size_t)(stop - 1 - mail);
		must(n <= LINE_MAX_OCTETS && memchr(mail, '\r', n) == NULL);
		for (size_t i = 0; i < n; i++)
			must(mail[i] == '\t' || (mail[i] >= ' ' && mail[i] < 0x7f));
		header = header && n > 0;
		if (header)
			check_header_line(mail, n, &seen);
		mail = stop + 1;
	}
	must(!header && (seen & 7u) == 7u);
}

/* As it is for a relay with SMTPUTF8, and for one without. */
static void
check_both(const char *mail, size_t len)
{
	const size_t header = mime_plain_header_len(mail, len);
	struct nd_buf plain;

	must(nd_str_utf8(mail, len));
	nd_buf_init(&plain, (size_t)1 << 27);
	mime_plain_add(&plain, mail, header);
	must((mime_plain_of(mail, header) != MIME_PLAIN_ALREADY) !=
	     (plain.len == header && memcmp(plain.octets, mail, header) == 0));
	(void)nd_buf_add(&plain, mail + header, len - header);
	check_mail(nd_buf_text(&plain), plain.len);
	nd_buf_done(&plain);
}

static void
compose(const struct job_draft *draft, unsigned how)
{
	char name[] = "Alerts, web01", address[] = "alerts@contoso.com";
	struct conf_account account = { .from_policy = (int)((how & 3u) % 3) };
	const struct mime_sender sender = { draft->from.address, "root on web01",
		(how & 4u) != 0 && draft->reply_to.address == NULL };
	struct nd_buf mail, envelope, subject;
	struct nd_why why;
	size_t head;

	account.from_box = (struct nd_mailbox){ name, address };
	account.envelope_from = address;
	nd_buf_init(&mail, (size_t)1 << 26);
	nd_buf_init(&envelope, 1024);
	nd_buf_init(&subject, 4096);
	mime_head(&account, &sender, &mail, &envelope);
	head = mail.len;
	must(head > 0 && envelope.len > 0 && memchr(envelope.octets, '\n', envelope.len) == NULL);
	if (mime_body(draft, "01JD7Z2V8N4K6M9Q3R5T7W1X0Y", 1795334880000, "web01.contoso.com", &mail, &why) == ND_OK)
		check_both(nd_buf_text(&mail), mail.len);
	else
		must(why.text[0] != '\0' && mail.len == head);
	mime_subject(draft, &subject);
	must(
	    nd_str_utf8(nd_buf_text(&subject), subject.len) && !nd_str_has_control(nd_buf_text(&subject), subject.len));
	nd_buf_done(&mail);
	nd_buf_done(&envelope);
	nd_buf_done(&subject);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	struct json_tree tree;
	struct job_draft draft;
	struct nd_why why;

	if (len == 0 || json_read(&tree, (const char *)octets + 1, len - 1, &json_limits_job, NULL, &why) != ND_OK)
		return 0;
	if (job_check(&draft, &tree, tree.root, &why) == ND_OK) {
		compose(&draft, octets[0]);
		job_draft_done(&draft);
	} else {
		json_done(&tree);
	}
	return 0;
}
