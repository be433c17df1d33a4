/* SPDX-License-Identifier: Apache-2.0 */
/* evidence.c - what a relay took of a job, and how it travelled. */
#include "daemon/app.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/deliver_head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct evidence_sum {
	struct tls_digest *digest;
	uint64_t whole, octets; /* of the message; added so far */
};

/* A short secret in a known text is found by trying, when its digest is kept. */
struct evidence_sum *
evidence_sum_new(const struct queue_job *job, uint64_t whole)
{
	struct evidence_sum *sum;

	if (job->sealed)
		return NULL;
	sum = nd_xalloc(sizeof(*sum));
	sum->digest = tls_digest_new();
	sum->whole = whole;
	return sum;
}

void
evidence_sum_add(void *arg, const char *octets, size_t len)
{
	struct evidence_sum *sum = arg;

	tls_digest_add(sum->digest, octets, len);
	sum->octets += len;
}

void
evidence_sum_end(struct evidence_sum *sum, struct sched_job *job)
{
	uint8_t digest[32];

	if (!sum)
		return;
	tls_digest_end(sum->digest, digest);
	if (job && sum->octets == sum->whole)
		nd_str_hex(job->sha256, digest, sizeof(digest));
	else if (job)
		job->sha256[0] = '\0';
	free(sum);
}

/* Of a message that is in memory. */
static void
digest(const struct queue_job *job, const char *head, size_t head_len, size_t skip, char out[65])
{
	struct tls_digest *digest = tls_digest_new();
	uint8_t octets[32];

	tls_digest_add(digest, head, head_len);
	if (job->body)
		tls_digest_add(digest, job->body + skip, (size_t)job->body_len - skip);
	tls_digest_end(digest, octets);
	nd_str_hex(out, octets, sizeof(octets));
}

/* Where the outcome is stored: the row does not change meanwhile. */
static void
digest_later(struct store_req *req)
{
	digest(req->job, req->job->head, strlen(req->job->head), 0, req->evidence->sha256);
}

/* One that went with a head of its own is looked at here and now: what it is made from may change. */
static void
digest_now_or_later(const struct sched_job *sched_job, struct store_req *req)
{
	const struct queue_job *job = sched_job->job;
	const struct deliver_lacks lacked = { sched_job->plain, sched_job->seven };
	struct deliver_head head = { .octets = NULL };
	struct nd_why why;

	if (deliver_head_make(NULL, job, lacked, &head, &why) != ND_OK)
		return;
	if (head.octets)
		digest(job, head.octets, head.len, head.skip, req->evidence->sha256);
	else
		req->before = digest_later;
	deliver_head_done(&head);
}

/* Of one in the spool it was made while its octets left, and each try through an account sends the same. */
static void
mind_digest(const struct sched_job *sched_job, struct store_req *req)
{
	const struct queue_job *job = sched_job->job;

	if (job->sealed)
		return;
	if (sched_job->sha256[0] != '\0')
		(void)snprintf(req->evidence->sha256, sizeof(req->evidence->sha256), "%s", sched_job->sha256);
	else if (!job->body && job->body_len > 0)
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "JOB", job->id }),
		    "job %s was taken, but not all of its message had left: its evidence has no digest", job->id);
	else
		digest_now_or_later(sched_job, req);
}

void
evidence_of(const struct sched_job *sched_job, struct store_req *req)
{
	const struct queue_attempt *attempt = req->attempt;
	const struct queue_job *job = sched_job->job;
	struct queue_evidence *evidence;
	unsigned i = 0;

	while (attempt && i < job->rcpt_count &&
	       (job->rcpts[i].state != RCPT_DELIVERED || job->rcpts[i].at != attempt->end))
		i++;
	if (!attempt || i == job->rcpt_count)
		return;
	evidence = nd_xalloc(sizeof(*evidence));
	evidence->at = attempt->end;
	evidence->account = nd_xstrdup(attempt->account);
	evidence->relay = nd_xstrdup(attempt->relay);
	evidence->tls = sched_job->tls[0] ? nd_xstrdup(sched_job->tls) : NULL;
	evidence->octets = sched_job->octets;
	req->evidence = evidence;
	mind_digest(sched_job, req);
}
