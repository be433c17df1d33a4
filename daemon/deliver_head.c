/* SPDX-License-Identifier: Apache-2.0 */
/* deliver_head.c - a mail as this relay takes it, and as late as it is. */
#include "daemon/deliver_head.h"

#include "common/buf.h"
#include "common/mem.h"
#include "common/str.h"
#include "daemon/app.h"
#include "daemon/core/late.h"
#include "daemon/core/mime_encode.h"
#include "daemon/core/mime_notice.h"
#include "daemon/core/mime_plain.h"
#include "daemon/core/mime_seven.h"
#include "daemon/core/smtp_ext.h"

#include <string.h>

#define START_LEAST (256u * 1024)
#define START_MOST MIME_PLAIN_MOST
#define ROOM 16384u
#define NO_ROOM "there is no room for the header of the message"

/* What in its header has to be said otherwise to a relay without SMTPUTF8. `eight`: its body has octets above 127, where that is known. */
static enum mime_plain
kind_of(const struct queue_job *job, bool eight)
{
	if (nd_str_eight(job->head, strlen(job->head)))
		return MIME_PLAIN_ADDRESSES;
	if (job->spooled)
		return sender_plain(job);
	if (!eight)
		return MIME_PLAIN_ALREADY;
	return mime_plain_of(job->body, mime_plain_header_len(job->body, (size_t)job->body_len));
}

/* The start of the body: its first `wanted` octets. */
static enum nd_err
read_start(struct spool *spool, const struct queue_job *job, size_t wanted, struct nd_buf *out, struct nd_why *why)
{
	char piece[ROOM];
	struct spool_body body;
	enum nd_err err = spool_body_open(spool, job, &body, why);
	ssize_t got = 1;

	if (err != ND_OK)
		return err;
	while (got > 0 && out->len < wanted) {
		got = spool_body_read(&body, piece, sizeof(piece), why);
		if (got > 0)
			(void)nd_buf_add(out, piece, (size_t)got);
	}
	spool_body_close(&body);
	explicit_bzero(piece, sizeof(piece));
	return got < 0 ? why->err : ND_OK;
}

static void
add_header(struct nd_buf *out, bool plain, const char *octets, size_t len)
{
	if (plain)
		mime_plain_add(out, octets, len);
	else
		(void)nd_buf_add(out, octets, len);
}

/* Adds what of the body, or of its `start`, is to be said otherwise; the length of that. 0: there is too little of it. */
static size_t
rewrite(const struct queue_job *job, bool plain, const struct mime_piece *start, bool whole, struct nd_buf *out)
{
	const size_t header = mime_plain_header_len(start->octets, start->len);
	struct nd_buf words;
	bool enough;

	if (header == start->len && !whole)
		return 0;
	/* It may be secret: no copies are left behind. Encoded words take more room. */
	(void)nd_buf_reserve(out, start->len + ROOM + (plain ? 2 * header : 0));
	add_header(out, plain, start->octets, header);
	if (!late_told(job->late))
		return header;
	nd_buf_init(&words, 2048);
	late_words(job, &words);
	enough = mime_notice_add(
	    out, job->id, start->octets, start->len, whole || start->len >= START_MOST, nd_buf_text(&words));
	nd_buf_done(&words);
	return enough ? start->len : 0;
}

/* Most often what is looked for stands in the first octets of a message in the spool. */
static enum nd_err
rewrite_spooled(struct spool *spool, const struct queue_job *job, bool plain, struct nd_buf *out, uint64_t *skip,
    struct nd_why *why)
{
	const size_t begun = out->len;
	enum nd_err err = ND_OK;
	bool short_of_memory = false;
	struct nd_buf start;

	for (size_t wanted = START_LEAST; *skip == 0 && err == ND_OK && wanted <= START_MOST; wanted *= 4) {
		nd_buf_init(&start, 2 * (size_t)START_MOST);
		(void)nd_buf_reserve(&start, wanted + ROOM);
		err = read_start(spool, job, wanted, &start, why);
		out->len = begun;
		if (err == ND_OK && !start.failed)
			*skip = rewrite(
			    job, plain, &(struct mime_piece){ start.octets, start.len }, start.len < wanted, out);
		short_of_memory = start.failed;
		nd_buf_wipe(&start);
	}
	if (err != ND_OK || *skip > 0)
		return err;
	if (short_of_memory)
		return nd_fail(why, ND_EMEMORY, 0, NO_ROOM);
	return nd_fail(why, ND_ETOOBIG, 0,
	    "the header of the message is larger than %u MiB, too large to be rewritten for a relay that does not "
	    "offer SMTPUTF8",
	    START_MOST >> 20);
}

/* All of it, and not its header alone. */
static enum nd_err
make_seven(struct spool *spool, const struct queue_job *job, struct deliver_head *out, struct nd_why *why)
{
	const struct mime_piece head = { out->octets ? out->octets : job->head,
		out->octets ? out->len : strlen(job->head) };
	const struct mime_piece pieces[] = { head,
		{ job->body ? job->body + out->skip : NULL, (size_t)(job->body_len - out->skip) } };
	struct nd_buf whole;
	bool needed;
	enum nd_err err;

	if (job->spooled)
		return deliver_seven_open(spool, job, &head, out->skip, &out->seven, why);
	nd_buf_init(&whole, MIME_SEVEN_ROOM(head.len + pieces[1].len));
	(void)nd_buf_reserve(&whole, 2 * (head.len + pieces[1].len));
	err = deliver_seven_add(&whole, pieces, job->body ? 2 : 1, &needed, why);
	if (err == ND_OK && needed) {
		deliver_head_done(out);
		out->octets = nd_buf_take(&whole, &out->len);
		out->skip = job->body_len;
	}
	nd_buf_wipe(&whole);
	return err;
}

/* Its header, in whose place it goes. */
static enum nd_err
make(struct spool *spool, const struct queue_job *job, bool plain, struct deliver_head *out, struct nd_why *why)
{
	enum nd_err err = ND_OK;
	struct nd_buf head;
	uint64_t skip = 0;

	nd_buf_init(&head, 8 * (size_t)START_MOST);
	add_header(&head, plain, job->head, strlen(job->head));
	if (job->spooled)
		err = rewrite_spooled(spool, job, plain, &head, &skip, why);
	else
		skip = rewrite(job, plain, &(struct mime_piece){ job->body, (size_t)job->body_len }, true, &head);
	if (err == ND_OK && head.failed)
		err = nd_fail(why, ND_EMEMORY, 0, NO_ROOM);
	if (err == ND_OK) {
		out->skip = skip;
		out->octets = nd_buf_take(&head, &out->len);
	}
	nd_buf_wipe(&head);
	return err;
}

enum nd_err
deliver_head_make(struct spool *spool, const struct queue_job *job, struct deliver_lacks lacks,
    struct deliver_head *out, struct nd_why *why)
{
	enum nd_err err = ND_OK;

	if (lacks.smtputf8 || late_told(job->late))
		err = make(spool, job, lacks.smtputf8, out, why);
	if (err == ND_OK && lacks.eight)
		err = make_seven(spool, job, out, why);
	return err;
}

void
deliver_head_done(struct deliver_head *head)
{
	deliver_seven_close(head->seven);
	nd_wipe_free(head->octets, head->len);
	*head = (struct deliver_head){ .octets = NULL };
}

static bool
offers(bool offered, const struct smtp_mail *mail, enum smtp_ext ext)
{
	return offered && !(mail->without & SMTP_EXT_BIT(ext));
}

static void
fill(struct smtp_link_mail *mail, const struct queue_job *job, const struct deliver_head *head)
{
	if (head->seven) {
		mail->body_len = (size_t)deliver_seven_len(head->seven);
		mail->read = deliver_seven_read;
		mail->read_arg = head->seven;
		return;
	}
	mail->head = head->octets ? head->octets : job->head;
	mail->head_len = head->octets ? head->len : strlen(job->head);
	mail->skip = head->skip;
	mail->body = job->body ? job->body + mail->skip : NULL;
	mail->body_len = (size_t)(job->body_len - mail->skip);
}

enum nd_err
deliver_head_take(struct spool *spool, struct sched_job *sched_job, const struct smtp_caps *caps,
    struct deliver_head *head, struct smtp_link_mail *mail, struct nd_why *why)
{
	const struct queue_job *job = sched_job->job;
	/* Composed content has seven bits; of a ready message in the spool it is not known. */
	const bool eight = job->spooled || nd_str_eight(job->body, (size_t)job->body_len);
	const enum mime_plain kind = kind_of(job, eight);
	const struct deliver_lacks lacks = {
		.smtputf8 = kind != MIME_PLAIN_ALREADY && !offers(caps->smtputf8, &mail->mail, SMTP_EXT_SMTPUTF8),
		.eight = eight && !offers(caps->eightbitmime, &mail->mail, SMTP_EXT_8BITMIME),
	};
	const enum nd_err err = deliver_head_make(spool, job, lacks, head, why);

	if (lacks.smtputf8 != sched_job->plain || lacks.eight != sched_job->seven)
		sched_job->sha256[0] = '\0';
	sched_job->plain = lacks.smtputf8;
	sched_job->seven = lacks.eight;
	mail->mail.utf8 = kind == MIME_PLAIN_ADDRESSES && !lacks.smtputf8;
	mail->mail.eight = eight && !lacks.eight;
	fill(mail, job, head);
	mail->mail.size = sched_job->octets = mail->head_len + mail->body_len;
	return err;
}
