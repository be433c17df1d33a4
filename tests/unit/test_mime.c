/* SPDX-License-Identifier: Apache-2.0 */
/* test_mime.c - a job becomes the octets of its message.  See also mime_oracle.py, which reads them with another program's eyes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/mime.h"
#include "daemon/core/mime_encode.h"
#include "daemon/core/mime_header.h"
#include "daemon/core/mime_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "01JD7Z2V8N4K6M9Q3R5T7W1X0Y"
#define HOST "web01.contoso.com"
#define CREATED 1795334880000 /* Sun, 22 Nov 2026 08:08:00 +0000 */
#define ROOM (64u << 20)

/* Text literals as the char * that a mailbox owns; nobody frees these. */
static char *
lit(const char *text)
{
	return (char *)(uintptr_t)text;
}

static struct job_rcpt
rcpt(enum job_rcpt_kind kind, const char *name, const char *address)
{
	return (struct job_rcpt){ kind, { lit(name), lit(address) } };
}

struct fixture {
	struct nd_buf out;
	struct job_draft draft;
	struct job_rcpt rcpts[40];
	struct nd_why why;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	nd_buf_init(&f->out, ROOM);
	f->rcpts[0] = rcpt(JOB_TO_RCPT, NULL, "ops@contoso.com");
	f->draft.rcpts = f->rcpts;
	f->draft.rcpt_count = 1;
	f->draft.severity = JOB_WARNING;
	f->draft.subject = "Disk failing";
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	nd_buf_done(&f->out);
	free(f);
	return 0;
}

static void
set_text(struct fixture *f, const char *text)
{
	f->draft.text = text;
	f->draft.text_len = strlen(text);
}

static void
set_html(struct fixture *f, const char *html)
{
	f->draft.html = html;
	f->draft.html_len = strlen(html);
}

/* What is true of every message. */
static void
check_octets(const struct nd_buf *mail)
{
	const char *p = mail->octets, *end = p + mail->len, *line = p;

	assert_true(mail->len > 2);
	for (; p < end; p++) {
		assert_true((unsigned char)*p < 0x80 && *p != '\0');
		if (*p == '\r')
			assert_true(p + 1 < end && p[1] == '\n');
		if (*p != '\n')
			continue;
		assert_true(p > line && p[-1] == '\r');
		assert_true(p - 1 - line <= 998);
		line = p + 1;
	}
	assert_ptr_equal(line, end);
}

static const char *
compose(struct fixture *f)
{
	nd_buf_clear(&f->out);
	assert_int_equal(mime_body(&f->draft, ID, CREATED, HOST, &f->out, &f->why), ND_OK);
	assert_false(f->out.failed);
	check_octets(&f->out);
	return f->out.octets;
}

static void
assert_has(const char *mail, const char *part)
{
	if (strstr(mail, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, mail);
}

static void
assert_has_not(const char *mail, const char *part)
{
	if (strstr(mail, part) != NULL)
		fail_msg("\"%s\" is in:\n%s", part, mail);
}

static void
a_plain_job_gives_exactly_these_octets(void **state)
{
	struct fixture *f = *state;

	set_text(f, "sda: 12 pending sectors\nsdb: fine\n");
	assert_string_equal(compose(f), "Date: Sun, 22 Nov 2026 08:08:00 +0000\r\n"
					"Message-ID: <" ID "@" HOST ">\r\n"
					"To: <ops@contoso.com>\r\n"
					"Subject: Disk failing\r\n"
					"MIME-Version: 1.0\r\n"
					"Auto-Submitted: auto-generated\r\n"
					"X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply\r\n"
					"Content-Type: text/plain; charset=utf-8\r\n"
					"Content-Transfer-Encoding: 7bit\r\n"
					"\r\n"
					"sda: 12 pending sectors\r\n"
					"sdb: fine\r\n");
}

static void
the_same_job_gives_the_same_octets_again(void **state)
{
	struct fixture *f = *state;
	char *first;

	set_text(f, "Grüße\n");
	set_html(f, "<p>Grüße</p>");
	first = strdup(compose(f));
	assert_non_null(first);
	assert_string_equal(compose(f), first);
	free(first);
}

static void
every_line_ending_becomes_crlf(void **state)
{
	struct fixture *f = *state;

	set_text(f, "a\nb\r\nc\rd\r\r\ne\n\r");
	assert_has(compose(f), "\r\n\r\na\r\nb\r\nc\r\nd\r\n\r\ne\r\n\r\n");
}

static void
a_body_without_a_line_end_gets_one(void **state)
{
	struct fixture *f = *state;

	set_text(f, "no end");
	assert_has(compose(f), "\r\n\r\nno end\r\n");
}

static void
a_job_of_a_subject_alone_has_an_empty_text(void **state)
{
	struct fixture *f = *state;

	assert_has(compose(f), "Content-Transfer-Encoding: 7bit\r\n\r\n");
	assert_string_equal(f->out.octets + f->out.len - 4, "\r\n\r\n");
}

static void
hidden_recipients_leave_no_trace(void **state)
{
	struct fixture *f = *state;
	const char *mail;

	f->rcpts[0] = rcpt(JOB_BCC_RCPT, "Secret Reader", "secret@contoso.com");
	set_text(f, "x");
	mail = compose(f);
	assert_has(mail, "To: undisclosed-recipients:;\r\n");
	assert_has_not(mail, "ecret");
	assert_has_not(mail, "Bcc");
}

static void
a_copy_alone_needs_no_to(void **state)
{
	struct fixture *f = *state;
	const char *mail;

	f->rcpts[0] = rcpt(JOB_CC_RCPT, NULL, "ops@contoso.com");
	mail = compose(f);
	assert_has(mail, "\r\nCc: <ops@contoso.com>\r\n");
	assert_has_not(mail, "\r\nTo:");
}

static void
names_are_quoted_or_encoded_as_they_need(void **state)
{
	struct fixture *f = *state;
	const char *mail;

	f->rcpts[0] = rcpt(JOB_TO_RCPT, "Night desk", "a@b.example");
	f->rcpts[1] = rcpt(JOB_CC_RCPT, "Ops, \"24x7\" \\ team", "c@b.example");
	f->rcpts[2] = rcpt(JOB_CC_RCPT, "Jörg", "d@b.example");
	f->draft.rcpt_count = 3;
	f->draft.reply_to = (struct nd_mailbox){ lit("=?utf-8?B?ZXZpbA==?="), lit("e@b.example") };
	mail = compose(f);
	assert_has(mail, "To: Night desk <a@b.example>\r\n");
	assert_has(
	    mail, "Cc: \"Ops, \\\"24x7\\\" \\\\ team\" <c@b.example>, =?utf-8?B?SsO2cmc=?=\r\n <d@b.example>\r\n");
	/* A name that looks encoded is encoded itself, so that it is read as it was written. */
	assert_has(mail, "Reply-To: =?utf-8?B?PT91dGYtOD9CP1pYWnBiQT09Pz0=?= <e@b.example>\r\n");
}

static void
many_recipients_are_folded_at_78(void **state)
{
	struct fixture *f = *state;
	const char *line, *end;
	char address[40][32];
	unsigned i;

	for (i = 0; i < 40; i++) {
		(void)snprintf(address[i], sizeof(address[i]), "reader%u@contoso.com", i);
		f->rcpts[i] = rcpt(JOB_TO_RCPT, "A Reader", address[i]);
	}
	f->draft.rcpt_count = 40;
	for (line = compose(f); (end = strstr(line, "\r\n")) != NULL; line = end + 2)
		assert_true(end - line <= 78);
	assert_has(f->out.octets, "A Reader <reader39@contoso.com>\r\nSubject");
}

static void
an_address_without_an_ascii_form_stands_as_it_is(void **state)
{
	struct fixture *f = *state;

	f->rcpts[0] = rcpt(JOB_CC_RCPT, "Jörg", "jörg@MÜLLER.example");
	f->draft.reply_to = (struct nd_mailbox){ NULL, lit("ops@müller.example") };
	assert_int_equal(mime_body(&f->draft, ID, CREATED, HOST, &f->out, &f->why), ND_OK);
	assert_has(nd_buf_text(&f->out), "\r\nCc: =?utf-8?B?SsO2cmc=?= <jörg@müller.example>");
	assert_has(nd_buf_text(&f->out), "\r\nReply-To: <ops@xn--mller-kva.example>\r\n");
}

static void
a_foreign_subject_is_encoded_in_whole_characters(void **state)
{
	struct fixture *f = *state;
	const char *mail, *word, *end;
	char subject[400] = "";
	struct nd_buf decoded;
	unsigned i;

	for (i = 0; i < 99; i++)
		memcpy(subject + 3 * (size_t)i, "日", 4);
	f->draft.subject = subject;
	mail = compose(f);
	nd_buf_init(&decoded, 1000);
	for (word = strstr(mail, "=?utf-8?B?"); word != NULL; word = strstr(end, "=?utf-8?B?")) {
		size_t before = decoded.len;

		end = strstr(word + 10, "?=");
		assert_non_null(end);
		assert_true(end + 2 - word <= 75);
		assert_true(nd_str_unbase64(&decoded, word + 10, (size_t)(end - word - 10), false));
		assert_true(nd_str_utf8(decoded.octets + before, decoded.len - before));
	}
	assert_string_equal(nd_buf_text(&decoded), subject);
	nd_buf_done(&decoded);
	for (word = strstr(mail, "Subject:"); (end = strstr(word, "\r\n")) != NULL && end[2] == ' '; word = end + 2)
		assert_true(end - word <= 76);
}

static void
a_long_subject_is_folded_and_keeps_its_spaces(void **state)
{
	struct fixture *f = *state;
	char unfolded[300], *out = unfolded;
	const char *p;

	f->draft.subject = "one  two three four five six seven eight nine ten eleven twelve thirteen fourteen   "
			   "fifteen sixteen seventeen";
	p = strstr(compose(f), "Subject: ");
	assert_non_null(p);
	for (p += 9; p[0] != '\r' || p[2] == ' '; p++)
		if (*p != '\r' && *p != '\n')
			*out++ = *p;
	*out = '\0';
	assert_string_equal(unfolded, f->draft.subject);
	assert_has(f->out.octets, "\r\n ");
}

static void
nothing_in_a_header_value_begins_a_new_header(void **state)
{
	struct fixture *f = *state;
	struct job_pair header = { "X-Team", "a\r\nBcc: victim@x.example" };
	const char *mail;

	f->draft.subject = "a\r\nBcc: victim@x.example\n\nbody";
	f->draft.headers = &header;
	f->draft.header_count = 1;
	f->rcpts[0] = rcpt(JOB_TO_RCPT, "a\r\nBcc: v", "a\r\nBcc:@x.example");
	mail = compose(f);
	assert_has_not(mail, "\nBcc");
	assert_has_not(mail, "victim");
}

static void
the_first_line_of_the_text_is_the_subject_of_last_resort(void **state)
{
	struct fixture *f = *state;
	struct nd_buf subject;
	char longer[200];

	nd_buf_init(&subject, 4000);
	f->draft.subject = NULL;
	set_text(f, "\n  \t\nmd0:\tdegraded \nsecond");
	mime_subject(&f->draft, &subject);
	assert_string_equal(nd_buf_text(&subject), "md0: degraded");

	nd_buf_clear(&subject);
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, "\xc3\xa9", 2); /* counts as one */
	longer[199] = '\0';
	set_text(f, longer);
	mime_subject(&f->draft, &subject);
	assert_int_equal(subject.len, 79);

	nd_buf_clear(&subject);
	f->draft.text = NULL;
	f->draft.text_len = 0;
	set_html(f, "<title>no</title><h1>Backup &amp; restore</h1><p>failed");
	mime_subject(&f->draft, &subject);
	assert_string_equal(nd_buf_text(&subject), "Backup & restore");

	nd_buf_clear(&subject);
	set_html(f, "<img src=x>");
	mime_subject(&f->draft, &subject);
	assert_string_equal(nd_buf_text(&subject), "(no subject)");
	nd_buf_done(&subject);
}

static void
severity_sets_the_priority_headers_unless_the_job_does(void **state)
{
	struct fixture *f = *state;
	struct job_pair header = { "importance", "normal" };
	const char *mail;

	f->draft.severity = JOB_CRITICAL;
	mail = compose(f);
	assert_has(mail, "Importance: high\r\nPriority: urgent\r\nX-Priority: 1 (Highest)\r\n");
	f->draft.severity = JOB_DEBUG;
	mail = compose(f);
	assert_has(mail, "Importance: low\r\nPriority: non-urgent\r\nX-Priority: 5 (Lowest)\r\n");
	f->draft.headers = &header;
	f->draft.header_count = 1;
	mail = compose(f);
	assert_has_not(mail, "Importance: low");
	assert_has(mail, "importance: normal\r\n");
}

static void
text_that_mailers_would_change_is_quoted(void **state)
{
	struct fixture *f = *state;
	const char *mail;

	set_text(f, "From here\n.\ntrailing \nx=y, caf\xc3\xa9\n");
	mail = compose(f);
	assert_has(mail, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	assert_has(mail, "=46rom here\r\n=2E\r\ntrailing=20\r\nx=3Dy, caf=C3=A9\r\n");
}

/* Eight octets are looked at together: none that a relay would change may be missed, wherever it stands. */
static void
every_octet_is_quoted_in_every_place(void **state)
{
	struct fixture *f = *state;
	char text[24], quoted[4];

	for (size_t at = 0; at + 2 < sizeof(text); at++) {
		for (unsigned c = 1; c < 0x80; c++) {
			const bool stays = c == '\n' || c == '\r' || c == '\t' || (c >= ' ' && c < 0x7f);
			const char *body;

			memset(text, 'x', sizeof(text) - 1);
			text[sizeof(text) - 1] = '\0';
			text[at] = (char)c;
			set_text(f, text);
			body = compose(f);
			assert_int_equal(strstr(body, "Encoding: 7bit\r\n") != NULL, stays);
			(void)snprintf(quoted, sizeof(quoted), "=%02X", c);
			assert_int_equal(strstr(body, quoted) != NULL, !stays);
		}
	}
}

static void
quoted_printable_rows_hold_at_most_76(void **state)
{
	struct fixture *f = *state;
	const char *line, *end;
	char text[1000];
	size_t n;

	/* Every length around the fold, with the escape in every place of it. */
	for (n = 60; n < 240; n++) {
		memset(text, 'a', n);
		text[n] = '\0';
		text[n / 2] = '=';
		text[n - 1] = n % 3 == 0 ? ' ' : '.';
		set_text(f, text);
		for (line = strstr(compose(f), "\r\n\r\n") + 4; (end = strstr(line, "\r\n")) != NULL; line = end + 2)
			assert_true(end - line <= 76);
	}
}

static void
base64_is_used_where_it_is_shorter(void **state)
{
	struct fixture *f = *state;
	struct nd_buf decoded;
	const char *mail, *body;

	set_text(f, "ディスク障害\n二行目\n");
	mail = compose(f);
	assert_has(mail, "Content-Transfer-Encoding: base64\r\n");
	body = strstr(mail, "\r\n\r\n") + 4;
	nd_buf_init(&decoded, 1000);
	assert_true(nd_str_unbase64(&decoded, body, strlen(body), true));
	assert_string_equal(nd_buf_text(&decoded), "ディスク障害\r\n二行目\r\n");
	nd_buf_done(&decoded);
}

static void
html_gets_a_text_beside_it(void **state)
{
	struct fixture *f = *state;
	const char *mail;

	set_html(f, "<p>Disk <b>sda</b> is <a href=\"https://x.example/?a=1&amp;b=2\">failing</a></p>");
	mail = compose(f);
	assert_has(mail, "Content-Type: multipart/alternative;\r\n boundary=\"=_" ID "_a\"\r\n\r\n--=_" ID "_a\r\n");
	assert_has(
	    mail, "Disk sda is failing <https://x.example/?a=1&b=2>\r\n\r\n--=_" ID "_a\r\nContent-Type: text/html");
	assert_true(strstr(mail, "text/plain") < strstr(mail, "text/html"));
	assert_string_equal(f->out.octets + f->out.len - strlen("\r\n--=_" ID "_a--\r\n"), "\r\n--=_" ID "_a--\r\n");
}

static void
links_stand_below_the_text_and_inside_the_html_body(void **state)
{
	struct fixture *f = *state;
	struct job_pair links[] = { { "Dash<board>", "https://x.example/?a&b" }, { NULL, "https://y.example/" } };
	const char *mail;

	f->draft.links = links;
	f->draft.link_count = 2;
	set_text(f, "failing");
	mail = compose(f);
	assert_has(mail, "failing\r\n\r\nDash<board>: https://x.example/?a&b\r\nhttps://y.example/\r\n");
	set_html(f, "<body>failing</BODY>");
	mail = compose(f);
	assert_has(mail, "<a href=\"https://x.example/?a&amp;b\">Dash&lt;board&gt;</a></p>\r\n<p>");
	assert_has(mail, "y.example/</a></p>\r\n</BODY>");
}

static void
text_that_looks_like_the_boundary_is_hidden_from_it(void **state)
{
	struct fixture *f = *state;
	const char *p;
	unsigned seen = 0;

	set_text(f, "before\n--=_" ID "_a\nafter\n--=_" ID "_a--\n");
	set_html(f, "<p>x</p>");
	for (p = compose(f); (p = strstr(p, "\r\n--=_" ID "_a")) != NULL; p++)
		seen++;
	assert_int_equal(seen, 3);
}

static void
attachments_are_wrapped_and_named(void **state)
{
	struct fixture *f = *state;
	char content[] = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWkFCQ0RF\r\nRkdI IQ==";
	struct job_attachment attachments[] = {
		{ "log.txt", "text/plain; charset=utf-8", content, sizeof(content) - 1, false, 0 },
		{ "na\xc3\xafve \"1\".txt", "message/rfc822", "QQ==", 4, false, 0 },
		{ "lo go.png", "image/png", "QQ==", 4, true, 0 },
	};
	const char *mail;

	f->draft.attachments = attachments;
	f->draft.attachment_count = 3;
	set_text(f, "x");
	mail = compose(f);
	assert_has(mail, "Content-Type: multipart/mixed;\r\n boundary=\"=_" ID "_m\"\r\n\r\n--=_" ID
			 "_m\r\nContent-Type: text/plain");
	assert_has(mail,
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment; filename=\"log.txt\"\r\n\r\n"
	    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWkFCQ0RF\r\nRkdIIQ==\r\n");
	assert_has(mail, "filename=\"na_ve \\\"1\\\".txt\";\r\n filename*=utf-8''na%C3%AFve%20%221%22.txt\r\n");
	assert_has(mail, "Content-Type: application/octet-stream\r\n");
	assert_has(
	    mail, "Content-Disposition: inline; filename=\"lo go.png\"\r\nContent-ID: <lo%20go.png@" HOST ">\r\n");
	assert_string_equal(f->out.octets + f->out.len - strlen("\r\n--=_" ID "_m--\r\n"), "\r\n--=_" ID "_m--\r\n");
}

static void
html_finds_its_inline_parts_by_name(void **state)
{
	struct fixture *f = *state;
	struct job_attachment logo = { "logo.png", "image/png", "QQ==", 4, true, 0 };
	const char *mail;

	f->draft.attachments = &logo;
	f->draft.attachment_count = 1;
	set_text(f, "x");
	set_html(f, "<img src='cid:logo.png'><img src='cid:logo.png2'>cid:");
	mail = compose(f);
	assert_has(mail, "'cid:logo.png@" HOST "'");
	assert_has(mail, "'cid:logo.png2'");
}

static void
a_content_that_is_no_base64_is_refused(void **state)
{
	struct fixture *f = *state;
	struct job_attachment bad = { "a", NULL, "Q\x01==", 4, false, 0 };

	f->draft.attachments = &bad;
	f->draft.attachment_count = 1;
	assert_int_equal(mime_body(&f->draft, ID, CREATED, HOST, &f->out, &f->why), ND_EINVALID);
	assert_string_equal(f->why.field, "attachments[0].content");
	assert_int_equal(f->out.len, 0);
}

static void
a_message_over_the_limit_is_refused_whole(void **state)
{
	struct fixture *f = *state;
	char text[3000];

	memset(text, 'a', sizeof(text));
	f->draft.text = text;
	f->draft.text_len = sizeof(text);
	nd_buf_done(&f->out);
	nd_buf_init(&f->out, 2000);
	nd_buf_adds(&f->out, "head");
	assert_int_equal(mime_body(&f->draft, ID, CREATED, HOST, &f->out, &f->why), ND_ETOOBIG);
	assert_string_equal(nd_buf_text(&f->out), "head");
}

static void
assert_text(const char *html, const char *text)
{
	struct nd_buf out;

	nd_buf_init(&out, 1 << 20);
	mime_text_from_html(&out, html, strlen(html));
	assert_string_equal(nd_buf_text(&out), text);
	nd_buf_done(&out);
}

static void
html_becomes_readable_text(void **state)
{
	(void)state;
	assert_text("", "");
	assert_text("<p>one\n  two</p><p>three</p>", "one two\n\nthree\n");
	assert_text("a<br>b<br/>c", "a\nb\nc\n");
	assert_text("<ul><li>x</li><li>y</ul>z", "- x\n- y\n\nz\n");
	assert_text("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n");
	assert_text("<style>p{}</style><script>if (a<b) {}</script>x<!-- no > -->y", "xy\n");
	assert_text("&lt;&amp;&#233;&#x20AC;&nbsp;&unknown;&#0;&#xD800;", "<&é€ &unknown;&#0;&#xD800;\n");
	assert_text("<pre>a\n  b</pre>c", "a\n  b\n\nc\n");
	assert_text("5 < 6 & 7", "5 < 6 & 7\n");
	assert_text("<a href='mailto:a@b'>a@b</a> <a href=#x>up</a>", "a@b up\n");
	assert_text("<a href='https://x/'>https://x/</a>", "https://x/\n");
	assert_text("<a title='a > b' href='https://x/'>t</a>", "t <https://x/>\n");
	assert_text("<script>never closed", "");
	assert_text("x<a href=\"open", "x <open>\n");
	assert_text("x<", "x<\n");
	assert_text("<img alt='Chart' src=x>", "Chart\n");
}

static struct conf_account
account(enum conf_from_policy policy)
{
	return (struct conf_account){
		.from_box = { lit("Alerts web01"), lit("alerts@contoso.com") },
		.from_policy = (int)policy,
		.envelope_from = lit(""),
	};
}

static void
assert_head(const struct conf_account *account, const struct mime_sender *sender, const char *expected)
{
	struct nd_buf head, envelope;

	nd_buf_init(&head, 4000);
	nd_buf_init(&envelope, 400);
	mime_head(account, sender, &head, &envelope);
	assert_string_equal(nd_buf_text(&head), expected);
	assert_string_equal(
	    nd_buf_text(&envelope), account->envelope_from[0] != '\0' ? account->envelope_from : "alerts@contoso.com");
	nd_buf_done(&head);
	nd_buf_done(&envelope);
}

static void
without_a_wish_the_account_is_the_sender(void **state)
{
	struct conf_account a = account(CONF_FROM_REWRITE);
	struct mime_sender s = { .origin = "root on web01" };

	(void)state;
	assert_head(&a, &s, "From: Alerts web01 <alerts@contoso.com>\r\n");
	a.envelope_from = lit("bounce@contoso.com");
	assert_head(&a, &s, "From: Alerts web01 <alerts@contoso.com>\r\n");
}

static void
a_foreign_sender_is_rewritten_and_stays_visible(void **state)
{
	struct conf_account a = account(CONF_FROM_REWRITE);
	struct mime_sender s = { .from = "Root <root@web01>", .origin = "root on web01", .answers = true };

	(void)state;
	assert_head(&a, &s, "From: root on web01 <alerts@contoso.com>\r\nReply-To: Root <root@web01>\r\n");
	s.answers = false;
	assert_head(&a, &s, "From: root on web01 <alerts@contoso.com>\r\nX-Original-From: Root <root@web01>\r\n");
	s.from = "no\r\nBcc: address";
	s.origin = NULL;
	assert_head(&a, &s,
	    "From: Alerts web01 <alerts@contoso.com>\r\nX-Original-From: =?utf-8?B?bm8gIEJjYzogYWRkcmVzcw==?=\r\n");
}

static void
the_account_itself_may_be_named_otherwise(void **state)
{
	struct conf_account a = account(CONF_FROM_REWRITE);
	struct mime_sender s = { .from = "Backup <Alerts@Contoso.com>", .origin = "root on web01" };

	(void)state;
	assert_head(&a, &s, "From: Backup <Alerts@Contoso.com>\r\n");
	s.from = "alerts@contoso.com";
	assert_head(&a, &s, "From: Alerts web01 <alerts@contoso.com>\r\n");
}

static void
a_domain_of_another_script_is_said_in_ascii(void **state)
{
	char *patterns[] = { lit("*@xn--mller-kva.example"), NULL };
	struct conf_account a = account(CONF_FROM_ALLOW);
	struct mime_sender s = { .from = "Wächter <root@müller.example>", .origin = "root on web01" };

	(void)state;
	a.from_allow = (struct conf_list){ patterns, 1 };
	assert_head(&a, &s, "From: =?utf-8?B?V8OkY2h0ZXI=?= <root@xn--mller-kva.example>\r\n");
	/* An author whom not every relay can name is none. */
	s.from = "größe@müller.example";
	assert_head(&a, &s,
	    "From: root on web01 <alerts@contoso.com>\r\n"
	    "X-Original-From: =?utf-8?B?Z3LDtsOfZUBtw7xsbGVyLmV4YW1wbGU=?=\r\n");
	a.from_box.address = lit("alerts@müller.example");
	a.envelope_from = lit("alerts@müller.example");
	s.from = "Backup <Alerts@MÜLLER.example>";
	assert_head(&a, &s, "From: Backup <Alerts@xn--mller-kva.example>\r\n");
}

static void
policies_force_and_allow_do_what_they_say(void **state)
{
	char *patterns[] = { lit("*@lab.contoso.com"), NULL };
	struct conf_account a = account(CONF_FROM_ALLOW);
	struct mime_sender s = { .from = "Lab <x@lab.contoso.com>", .origin = "root on web01" };

	(void)state;
	a.from_allow = (struct conf_list){ patterns, 1 };
	assert_head(&a, &s, "From: Lab <x@lab.contoso.com>\r\n");
	s.from = "x@elsewhere.example";
	assert_head(&a, &s, "From: root on web01 <alerts@contoso.com>\r\nX-Original-From: <x@elsewhere.example>\r\n");
	a.from_policy = CONF_FROM_FORCE;
	assert_head(&a, &s, "From: Alerts web01 <alerts@contoso.com>\r\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plain_job_gives_exactly_these_octets),
		TEST(the_same_job_gives_the_same_octets_again),
		TEST(every_line_ending_becomes_crlf),
		TEST(a_body_without_a_line_end_gets_one),
		TEST(a_job_of_a_subject_alone_has_an_empty_text),
		TEST(hidden_recipients_leave_no_trace),
		TEST(a_copy_alone_needs_no_to),
		TEST(names_are_quoted_or_encoded_as_they_need),
		TEST(many_recipients_are_folded_at_78),
		TEST(an_address_without_an_ascii_form_stands_as_it_is),
		TEST(a_foreign_subject_is_encoded_in_whole_characters),
		TEST(a_long_subject_is_folded_and_keeps_its_spaces),
		TEST(nothing_in_a_header_value_begins_a_new_header),
		TEST(the_first_line_of_the_text_is_the_subject_of_last_resort),
		TEST(severity_sets_the_priority_headers_unless_the_job_does),
		TEST(text_that_mailers_would_change_is_quoted),
		TEST(every_octet_is_quoted_in_every_place),
		TEST(quoted_printable_rows_hold_at_most_76),
		TEST(base64_is_used_where_it_is_shorter),
		TEST(html_gets_a_text_beside_it),
		TEST(links_stand_below_the_text_and_inside_the_html_body),
		TEST(text_that_looks_like_the_boundary_is_hidden_from_it),
		TEST(attachments_are_wrapped_and_named),
		TEST(html_finds_its_inline_parts_by_name),
		TEST(a_content_that_is_no_base64_is_refused),
		TEST(a_message_over_the_limit_is_refused_whole),
		cmocka_unit_test(html_becomes_readable_text),
		cmocka_unit_test(without_a_wish_the_account_is_the_sender),
		cmocka_unit_test(a_foreign_sender_is_rewritten_and_stays_visible),
		cmocka_unit_test(the_account_itself_may_be_named_otherwise),
		cmocka_unit_test(a_domain_of_another_script_is_said_in_ascii),
		cmocka_unit_test(policies_force_and_allow_do_what_they_say),
	};

	return cmocka_run_group_tests_name("mime", tests, NULL, NULL);
}
