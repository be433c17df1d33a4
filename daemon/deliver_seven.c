/* SPDX-License-Identifier: Apache-2.0 */
/* deliver_seven.c - a message on its way to a relay that takes seven bits. */
#include "daemon/deliver_seven.h"

#include "common/mem.h"
#include "daemon/core/mime_seven.h"

#include <string.h>

#define PIECE 16384u
#define NO_ROOM "there is no room for a message that is converted for a relay that does not offer 8BITMIME"

struct deliver_seven {
	struct mime_seven *made;
	struct spool_body body;
	struct mime_piece head; /* borrowed */
	uint64_t skip, len;
	bool begun, over;  /* this reading of it */
	struct nd_buf out; /* said, and not given yet */
	char piece[PIECE];
};

/* Whether it is to be said otherwise, and can be. */
static enum nd_err
judge(const struct mime_seven *made, bool *needed, struct nd_why *why)
{
	*needed = mime_seven_needed(made);
	if (!*needed || mime_seven_never(made) == NULL)
		return ND_OK;
	return nd_fail(why, ND_EMEDIATYPE, 0,
	    "the message has octets above 127, which takes 8BITMIME, and cannot be converted for this relay, which "
	    "does not offer it: %s",
	    mime_seven_never(made));
}

enum nd_err
deliver_seven_add(struct nd_buf *out, const struct mime_piece *pieces, unsigned count, bool *needed, struct nd_why *why)
{
	struct mime_seven *made = mime_seven_new();
	enum nd_err err;

	for (unsigned i = 0; i < count; i++)
		mime_seven_add(made, NULL, pieces[i].octets, pieces[i].len);
	mime_seven_end(made, NULL);
	err = judge(made, needed, why);
	for (unsigned i = 0; *needed && err == ND_OK && i < count; i++)
		mime_seven_add(made, out, pieces[i].octets, pieces[i].len);
	if (*needed && err == ND_OK)
		mime_seven_end(made, out);
	mime_seven_free(made);
	if (err == ND_OK && out->failed)
		err = nd_fail(why, ND_EMEMORY, 0, NO_ROOM);
	return err;
}

/* One more piece of it. */
static enum nd_err
step(struct deliver_seven *seven, struct nd_buf *out, struct nd_why *why)
{
	ssize_t got;

	if (!seven->begun) {
		seven->begun = true;
		seven->body.at = seven->skip;
		mime_seven_add(seven->made, out, seven->head.octets, seven->head.len);
		return ND_OK;
	}
	got = spool_body_read(&seven->body, seven->piece, sizeof(seven->piece), why);
	if (got < 0)
		return why->err;
	if (got > 0)
		mime_seven_add(seven->made, out, seven->piece, (size_t)got);
	else
		mime_seven_end(seven->made, out);
	seven->over = got == 0;
	return out != NULL && out->failed ? nd_fail(why, ND_EMEMORY, 0, NO_ROOM) : ND_OK;
}

static void
rewind_it(struct deliver_seven *seven)
{
	nd_buf_clear(&seven->out);
	seven->begun = seven->over = false;
}

/* How long it becomes, when it has to. */
static enum nd_err
measure(struct deliver_seven *seven, bool *needed, struct nd_why *why)
{
	enum nd_err err = ND_OK;

	while (err == ND_OK && !seven->over)
		err = step(seven, NULL, why);
	if (err == ND_OK)
		err = judge(seven->made, needed, why);
	if (err != ND_OK || !*needed)
		return err;
	for (rewind_it(seven); err == ND_OK && !seven->over; nd_buf_clear(&seven->out)) {
		err = step(seven, &seven->out, why);
		seven->len += seven->out.len;
	}
	rewind_it(seven);
	return err;
}

enum nd_err
deliver_seven_open(struct spool *spool, const struct queue_job *job, const struct mime_piece *head, uint64_t skip,
    struct deliver_seven **out, struct nd_why *why)
{
	struct deliver_seven *seven;
	struct spool_body body;
	enum nd_err err = spool_body_open(spool, job, &body, why);
	bool needed = false;

	*out = NULL;
	if (err != ND_OK)
		return err;
	seven = nd_xalloc(sizeof(*seven));
	seven->made = mime_seven_new();
	seven->body = body;
	seven->head = *head;
	seven->skip = skip;
	nd_buf_init(&seven->out, MIME_SEVEN_ROOM(head->len > PIECE ? head->len : PIECE));
	err = measure(seven, &needed, why);
	if (err == ND_OK && needed)
		*out = seven;
	else
		deliver_seven_close(seven);
	return err;
}

uint64_t
deliver_seven_len(const struct deliver_seven *seven)
{
	return seven->len;
}

ssize_t
deliver_seven_read(void *arg, char *out, size_t len, struct nd_why *why)
{
	struct deliver_seven *seven = arg;
	enum nd_err err = ND_OK;

	while (err == ND_OK && seven->out.len == 0 && !seven->over)
		err = step(seven, &seven->out, why);
	if (err == ND_OK && seven->out.len == 0)
		err = nd_fail(why, ND_EDISK, 0, "the stored message is shorter than it was");
	if (err != ND_OK)
		return -1;
	if (len > seven->out.len)
		len = seven->out.len;
	memcpy(out, seven->out.octets, len);
	nd_buf_drop(&seven->out, len);
	return (ssize_t)len;
}

void
deliver_seven_close(struct deliver_seven *seven)
{
	if (seven == NULL)
		return;
	spool_body_close(&seven->body);
	mime_seven_free(seven->made);
	nd_buf_wipe(&seven->out);
	nd_wipe_free(seven, sizeof(*seven));
}
