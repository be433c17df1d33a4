/* SPDX-License-Identifier: Apache-2.0 */
/* handlers_message.c - a job's message, given piece by piece: it may be large, and of a sensitive job no piece stays in memory. */
#include "daemon/app.h"

#include "common/mem.h"
#include "daemon/deliver_head.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 8192u

struct giving {
	struct http_request *request;
	struct queue_job *job;
	struct spool_body body;   /* of a spooled job */
	struct deliver_head head; /* octets NULL: the job's own */
	size_t head_len, head_at;
	char piece[PIECE];
	size_t len; /* of the piece */
	uint64_t at;
};

static void
end_giving(void *context)
{
	struct giving *giving = context;

	if (giving->job->spooled)
		spool_body_close(&giving->body);
	deliver_head_done(&giving->head);
	queue_job_free(giving->job);
	explicit_bzero(giving->piece, sizeof(giving->piece));
	free(giving);
}

/* The next piece of the body; none at the end. */
static enum nd_err
take_piece(struct giving *giving, struct nd_why *why)
{
	const struct queue_job *job = giving->job;
	uint64_t left = job->body_len - giving->at;
	ssize_t got = left < PIECE ? (ssize_t)left : (ssize_t)PIECE;

	if (!job->spooled && got > 0)
		memcpy(giving->piece, job->body + giving->at, (size_t)got);
	else if (got > 0)
		got = spool_body_read(&giving->body, giving->piece, (size_t)got, why);
	if (got < 0)
		return why->err;
	if (got == 0 && left > 0)
		return nd_fail(why, ND_EDISK, 0, "the stored message is cut short");
	giving->len = (size_t)got;
	giving->at += (uint64_t)got;
	return ND_OK;
}

static bool
give_head(struct giving *giving)
{
	size_t left = giving->head_len - giving->head_at, len = left < PIECE ? left : PIECE;
	const char *head = giving->head.octets ? giving->head.octets : giving->job->head;
	bool written = http_server_stream_write(giving->request, head + giving->head_at, len);

	if (written)
		giving->head_at += len;
	return written;
}

static void
give(void *context)
{
	struct giving *giving = context;
	struct nd_why why;
	enum nd_err err = ND_OK;

	while (giving->head_at < giving->head_len)
		if (!give_head(giving))
			return;
	while (err == ND_OK && giving->len > 0) {
		if (!http_server_stream_write(giving->request, giving->piece, giving->len))
			return;
		err = take_piece(giving, &why);
	}
	if (err == ND_OK)
		http_server_stream_end(giving->request);
	else
		http_server_stream_break(giving->request); /* half a message must not look like a whole one */
	end_giving(giving);
}

void
handlers_give(struct app *app, struct http_request *request, struct queue_job *job)
{
	struct giving *giving = nd_xalloc(sizeof(*giving));
	struct nd_why why;
	enum nd_err err = ND_OK;

	giving->request = request;
	giving->job = job;
	err = deliver_head_make(app->spool, job, (struct deliver_lacks){ .eight = false }, &giving->head, &why);
	giving->head_len = giving->head.octets ? giving->head.len : strlen(job->head);
	giving->at = giving->head.skip;
	if (err == ND_OK && job->spooled)
		err = spool_body_open(app->spool, job, &giving->body, &why);
	if (err != ND_OK) {
		http_server_problem(request, &why);
		deliver_head_done(&giving->head);
		queue_job_free(job);
		free(giving);
		return;
	}
	giving->body.at += giving->at;
	err = take_piece(giving, &why); /* what can be wrong is mostly seen here, and told */
	if (err == ND_OK)
		err = http_server_stream_begin(request, 200, "message/rfc822", give, &why);
	if (err != ND_OK) {
		http_server_problem(request, &why);
		end_giving(giving);
		return;
	}
	http_request_own(request, giving, end_giving);
	give(giving);
}
