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

/* Each try through an account sends the same octets: one digest serves all of them. */
static void
mind_digest(struct sched_job *sched_job)
{
	const struct queue_job *job = sched_job->job;
	struct deliver_head head = { NULL, 0, 0 };
	struct evidence_sum *sum;
	struct nd_why why;

	if (sched_job->sha256[0] != '\0' || job->sealed)
		return;
	if (!job->body && job->body_len > 0) {
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "JOB", job->id }),
		    "job %s was taken, but not all of its message had left: its evidence has no digest", job->id);
		return;
	}
	if (deliver_head_make(NULL, job, sched_job->plain, &head, &why) != ND_OK)
		return;
	sum = evidence_sum_new(job, sched_job->octets);
	evidence_sum_add(sum, head.octets ? head.octets : job->head, head.octets ? head.len : strlen(job->head));
	if (job->body)
		evidence_sum_add(sum, job->body + head.skip, (size_t)(job->body_len - head.skip));
	evidence_sum_end(sum, sched_job);
	nd_wipe_free(head.octets, head.len);
}

struct queue_evidence *
evidence_of(struct sched_job *sched_job, const struct queue_attempt *attempt)
{
	const struct queue_job *job = sched_job->job;
	struct queue_evidence *evidence;
	unsigned i = 0;

	while (attempt && i < job->rcpt_count &&
	       (job->rcpts[i].state != RCPT_DELIVERED || job->rcpts[i].at != attempt->end))
		i++;
	if (!attempt || i == job->rcpt_count)
		return NULL;
	mind_digest(sched_job);
	evidence = nd_xalloc(sizeof(*evidence));
	evidence->at = attempt->end;
	evidence->account = nd_xstrdup(attempt->account);
	evidence->relay = nd_xstrdup(attempt->relay);
	evidence->tls = sched_job->tls[0] ? nd_xstrdup(sched_job->tls) : NULL;
	evidence->octets = sched_job->octets;
	(void)snprintf(evidence->sha256, sizeof(evidence->sha256), "%s", sched_job->sha256);
	return evidence;
}
