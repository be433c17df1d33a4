/* SPDX-License-Identifier: Apache-2.0 */
/* intake_key.c - idempotency keys of jobs: read; and of one that is refused, whether it was accepted before. */
#include "daemon/intake_inner.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define HEADER "Idempotency-Key"

enum nd_err
intake_key_read(struct intake_job *job, const struct job_draft *draft, struct nd_why *why)
{
	const char *key = draft->idempotency_key ? draft->idempotency_key : job->submission->header_key;
	size_t len = key ? strlen(key) : 0;

	if (key && (len == 0 || len > 128 || !nd_str_ascii(key, len))) {
		(void)nd_fail(why, ND_EINVALID, 0, "an idempotency key has 1 to 128 printable ASCII characters");
		return nd_fail_at(why, HEADER, 0, NULL);
	}
	job->key = nd_xstrdup(key);
	return ND_OK;
}

enum nd_err
intake_key_alone(const struct submission *submission, struct nd_why *why)
{
	if (!submission->header_key)
		return ND_OK;
	(void)nd_fail(why, ND_EINVALID, 0, HEADER " goes with one job, not with several");
	return nd_fail_at(why, HEADER, 0, "give each job an idempotency_key of its own");
}

void
intake_key_known(struct intake_job *job, const struct store_req *req)
{
	job->why = (struct nd_why){ .err = ND_OK };
	job->duplicate = true;
	job->state = (enum job_state)req->duplicate_state;
	memcpy(job->id, req->duplicate_id, sizeof(job->id));
}

/* What cannot be looked up leaves it refused as it was. */
static void
looked_up(struct store_req *req)
{
	struct intake_job *job = req->owner;

	if (req->err == ND_OK && req->duplicate)
		intake_key_known(job, req);
	else if (req->err == ND_EMISMATCH)
		job->why = req->why;
	free(req);
	intake_close(job);
}

void
intake_refuse(struct intake_job *job)
{
	struct submission *submission = job->submission;
	struct app *app = submission->app;
	struct store_req *req;

	if (!job->key || submission->dry || app->down || job->why.err == ND_ESTOPPING || job->why.err == ND_EMISMATCH) {
		intake_close(job);
		return;
	}
	req = nd_xalloc(sizeof(*req));
	req->op = STORE_KEY;
	req->done = looked_up;
	req->owner = job;
	req->filter.uid = submission->peer.uid;
	req->until = loop_now(app->loop).unix_ms;
	req->idempotency_key = job->key;
	req->digest = job->digest;
	store_submit(app->store, req);
}
