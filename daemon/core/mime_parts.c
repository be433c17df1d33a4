/* SPDX-License-Identifier: Apache-2.0 */
/* mime_parts.c - the texts and attachments of a message.  Layer: core (of mime).  Pure.
 *
 *   multipart/mixed                    only with attachments
 *     multipart/alternative            only with html
 *       text/plain, text/html
 *     attachment, attachment, …
 */
#include "daemon/core/mime_parts.h"

#include "common/str.h"
#include "daemon/core/mime_encode.h"
#include "daemon/core/mime_header.h"
#include "daemon/core/mime_text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define EXTRA_ROOM 4096 /* what text made from html may need beyond twice the html */
#define CID_LIMIT 1000u /* so many cid: URLs of one html are looked at */

/* One message being written. */
struct work {
	const struct job_draft *draft;
	const char *id, *hostname;
	struct nd_buf *out;
	struct nd_buf text;       /* made from html */
	struct nd_buf text_links; /* the links as lines */
	struct nd_buf html_links; /* the links as paragraphs */
	struct nd_buf html;       /* with whole Content-IDs in its cid: URLs; empty when it has none */
};

static bool
empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static void
make_links(struct work *work)
{
	const struct job_draft *draft = work->draft;
	const struct job_pair *link;
	unsigned i;

	for (i = 0; i < draft->link_count; i++) {
		link = &draft->links[i];
		if (!empty(link->name))
			nd_buf_addf(&work->text_links, "%s: ", link->name);
		nd_buf_addf(&work->text_links, "%s\n", link->value);
		nd_buf_adds(&work->html_links, "<p><a href=\"");
		(void)nd_str_html(&work->html_links, link->value);
		nd_buf_adds(&work->html_links, "\">");
		(void)nd_str_html(&work->html_links, empty(link->name) ? link->value : link->name);
		nd_buf_adds(&work->html_links, "</a></p>\n");
	}
}

static void
add_text(struct work *work, bool in_multipart)
{
	const struct job_draft *draft = work->draft;
	struct mime_piece pieces[3];
	unsigned count = 0;

	if (draft->text != NULL && draft->text_len > 0)
		pieces[count++] = (struct mime_piece){ draft->text, draft->text_len };
	else if (work->text.len > 0)
		pieces[count++] = (struct mime_piece){ work->text.octets, work->text.len };
	if (work->text_links.len > 0) {
		if (count > 0)
			pieces[count++] = (struct mime_piece){ "\n", 1 };
		pieces[count++] = (struct mime_piece){ work->text_links.octets, work->text_links.len };
	}
	nd_buf_adds(work->out, "Content-Type: text/plain; charset=utf-8\r\n");
	mime_encode_text(work->out, pieces, count, in_multipart);
}

/* Where the last "</body" begins; the end when there is none: links stand before it. */
static size_t
body_end(const char *html, size_t len)
{
	static const char mark[] = "</body";
	size_t n = sizeof(mark) - 1, at;

	for (at = len >= n ? len - n + 1 : 0; at > 0; at--)
		if (html[at - 1] == '<' && strncasecmp(html + at - 1, mark, n) == 0)
			return at - 1;
	return len;
}

static void
add_html(struct work *work)
{
	bool copied = work->html.len > 0;
	const char *html = copied ? work->html.octets : work->draft->html;
	size_t len = copied ? work->html.len : work->draft->html_len, end;
	struct mime_piece pieces[3];
	unsigned count = 0;

	end = work->html_links.len > 0 ? body_end(html, len) : len;
	pieces[count++] = (struct mime_piece){ html, end };
	if (work->html_links.len > 0)
		pieces[count++] = (struct mime_piece){ work->html_links.octets, work->html_links.len };
	if (end < len)
		pieces[count++] = (struct mime_piece){ html + end, len - end };
	nd_buf_adds(work->out, "Content-Type: text/html; charset=utf-8\r\n");
	mime_encode_text(work->out, pieces, count, true);
}

/* "=_" cannot occur in quoted-printable or base64, and 7bit text has no line that begins with it: see mime_encode_text. */
static void
add_boundary_type(struct work *work, const char *subtype, char kind)
{
	nd_buf_adds(work->out, "Content-Type: multipart/");
	nd_buf_adds(work->out, subtype);
	nd_buf_adds(work->out, ";\r\n boundary=\"=_");
	nd_buf_adds(work->out, work->id);
	nd_buf_addc(work->out, '_');
	nd_buf_addc(work->out, kind);
	nd_buf_adds(work->out, "\"\r\n");
}

/* The CRLF in front belongs to the boundary (RFC 2046 5.1.1), so the part before it keeps its own. */
static void
add_boundary(struct work *work, char kind, const char *end)
{
	nd_buf_adds(work->out, "\r\n--=_");
	nd_buf_adds(work->out, work->id);
	nd_buf_addc(work->out, '_');
	nd_buf_addc(work->out, kind);
	nd_buf_adds(work->out, end);
	nd_buf_adds(work->out, "\r\n");
}

static void
add_texts(struct work *work, bool in_multipart)
{
	if (empty(work->draft->html)) {
		add_text(work, in_multipart);
		return;
	}
	add_boundary_type(work, "alternative", 'a');
	add_boundary(work, 'a', "");
	add_text(work, true);
	add_boundary(work, 'a', "");
	add_html(work);
	add_boundary(work, 'a', "--");
}

/* RFC 2045 5.1: token "/" token, perhaps parameters. Composite types may not be base64 (RFC 2045 6.4), so they travel as plain octets. */
static bool
type_fits(const char *type)
{
	static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`{|}~";
	size_t main_len, sub_len;

	if (empty(type) || strlen(type) > 200 || !nd_str_ascii(type, strlen(type)))
		return false;
	main_len = strspn(type, token);
	if (main_len == 0 || type[main_len] != '/')
		return false;
	sub_len = strspn(type + main_len + 1, token);
	if (sub_len == 0 || strchr("; ", type[main_len + 1 + sub_len]) == NULL)
		return false;
	return strncasecmp(type, "multipart/", 10) != 0 && strncasecmp(type, "message/", 8) != 0;
}

/* NAME@hostname, NAME fit for a URL: what an html's cid:NAME is made to point to. */
static void
add_content_id(struct work *work, const char *name, struct nd_buf *out)
{
	nd_str_percent(out, name, strlen(name));
	nd_buf_addc(out, '@');
	nd_buf_adds(out, work->hostname);
}

static bool
add_attachment(struct work *work, const struct job_attachment *attachment)
{
	const char *name = empty(attachment->name) ? "attachment" : attachment->name;
	struct mime_header header;

	mime_header_text(
	    work->out, "Content-Type", type_fits(attachment->type) ? attachment->type : "application/octet-stream");
	nd_buf_adds(work->out, "Content-Transfer-Encoding: base64\r\n");
	mime_header_begin(&header, work->out, "Content-Disposition");
	nd_buf_adds(work->out, attachment->inline_part ? " inline" : " attachment");
	mime_header_param(&header, "filename", name);
	mime_header_end(&header);
	if (attachment->inline_part) {
		nd_buf_adds(work->out, "Content-ID: <");
		add_content_id(work, name, work->out);
		nd_buf_adds(work->out, ">\r\n");
	}
	nd_buf_adds(work->out, "\r\n");
	return mime_encode_rewrap(work->out, attachment->content, attachment->content_len);
}

/* The inline attachment whose name stands at `at`, followed by what may end a URL. */
static const struct job_attachment *
named_at(const struct job_draft *draft, const char *at, const char *end)
{
	const struct job_attachment *attachment;
	size_t len;
	unsigned i;

	for (i = 0; i < draft->attachment_count; i++) {
		attachment = &draft->attachments[i];
		len = empty(attachment->name) ? 0 : strlen(attachment->name);
		if (!attachment->inline_part || len == 0 || (size_t)(end - at) <= len)
			continue;
		if (memcmp(at, attachment->name, len) == 0 && strchr("\"' >)", at[len]) != NULL)
			return attachment;
	}
	return NULL;
}

/* Job writers know their attachments by name, a Content-ID is world-wide: cid:NAME becomes cid:NAME@hostname. */
static void
point_to_parts(struct work *work)
{
	const struct job_draft *draft = work->draft;
	const char *p = draft->html, *end = p + draft->html_len, *hit;
	const struct job_attachment *attachment;
	unsigned i, left = 0;

	for (i = 0; i < draft->attachment_count; i++)
		left = draft->attachments[i].inline_part ? CID_LIMIT : left;
	while (left-- > 0 && (hit = memmem(p, (size_t)(end - p), "cid:", 4)) != NULL) {
		nd_buf_add(&work->html, p, (size_t)(hit + 4 - p));
		p = hit + 4;
		if ((attachment = named_at(draft, p, end)) == NULL)
			continue;
		add_content_id(work, attachment->name, &work->html);
		p += strlen(attachment->name);
	}
	if (work->html.len > 0)
		nd_buf_add(&work->html, p, (size_t)(end - p));
}

static enum nd_err
add_parts(struct work *work, struct nd_why *why)
{
	const struct job_draft *draft = work->draft;
	enum nd_err err;
	char place[40];
	unsigned i;

	if (draft->attachment_count == 0) {
		add_texts(work, false);
		return ND_OK;
	}
	add_boundary_type(work, "mixed", 'm');
	add_boundary(work, 'm', "");
	add_texts(work, true);
	for (i = 0; i < draft->attachment_count; i++) {
		add_boundary(work, 'm', "");
		if (add_attachment(work, &draft->attachments[i]))
			continue;
		err = nd_fail(why, ND_EINVALID, 0, "the content of attachment %u is not base64", i + 1);
		(void)snprintf(place, sizeof(place), "attachments[%u].content", i);
		if (why != NULL)
			(void)nd_fail_at(why, place, 0, NULL);
		return err;
	}
	add_boundary(work, 'm', "--");
	return ND_OK;
}

static enum nd_err
compose(struct work *work, struct nd_why *why)
{
	const struct job_draft *draft = work->draft;
	enum nd_err err;

	if (!empty(draft->html)) {
		if (draft->text_len == 0)
			mime_text_from_html(&work->text, draft->html, draft->html_len);
		point_to_parts(work);
	}
	make_links(work);
	err = add_parts(work, why);
	if (err != ND_OK)
		return err;
	if (work->out->failed || work->text.failed || work->html.failed || work->text_links.failed ||
	    work->html_links.failed)
		return nd_fail(why, ND_ETOOBIG, 0, "the message is larger than %zu octets", work->out->limit);
	return ND_OK;
}

enum nd_err
mime_parts_add(
    const struct job_draft *draft, const char *id, const char *hostname, struct nd_buf *out, struct nd_why *why)
{
	struct work work = { .draft = draft, .id = id, .hostname = hostname, .out = out };
	enum nd_err err;

	nd_buf_init(&work.text, 2 * draft->html_len + EXTRA_ROOM);
	nd_buf_init(&work.text_links, 2 * (size_t)JOB_MAX_OCTETS);
	nd_buf_init(&work.html_links, 8 * (size_t)JOB_MAX_OCTETS);
	nd_buf_init(&work.html, 8 * (size_t)JOB_MAX_OCTETS);
	err = compose(&work, why);
	nd_buf_done(&work.text);
	nd_buf_done(&work.text_links);
	nd_buf_done(&work.html_links);
	nd_buf_done(&work.html);
	return err;
}
